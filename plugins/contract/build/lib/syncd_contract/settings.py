"""What a seller writes in the configuration about one marketplace that speaks the contract."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from syncd import Settings
from syncd.meanings import Meanings


class ContractSettings(Settings):
    """Settings of an account on a marketplace that was built to be read by Uniware."""

    base_url: str = Field(min_length=1, description="The marketplace's address for the contract.")
    username: str = Field(min_length=1, description="User name of the seller there.")
    password: SecretStr = Field(description="Password of the seller there.")
    auth: Literal["post", "get"] = Field(
        default="post", description="How a token is asked for; get shows the password in its logs."
    )
    token_minutes: int = Field(
        default=60, ge=2, le=10_080, description="How long a token is used before a new one."
    )
    order_statuses: tuple[str, ...] = Field(
        default=("CREATED",), min_length=1, description="Order statuses by which orders are found."
    )
    page_size: int = Field(default=50, ge=1, le=500, description="Orders a page.")
    status_map: Meanings = Field(
        default={}, description="Further words of an item's status, or others for the known ones."
    )
    ships: Literal["order", "channel", "seller"] = Field(
        default="order", description="Who ships: by thirdPartyShipping of the order, or always."
    )
    time_zone: str = Field(default="UTC", description="Zone of times without an offset.")
    pace: Literal["default", "careful", "unlimited"] = Field(
        default="default", description="Calls a second: 2, 0.5, or any number (for a simulator)."
    )

    @field_validator("time_zone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone; write one like Asia/Kolkata") from None
        return value
