"""What a seller writes in the configuration about one Tata CLiQ account."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator

from syncd import Settings
from syncd.meanings import Meaning, Meanings, meanings_of

VERIFIED: Final[Mapping[str, str]] = {"001": "ignore"}
"""``omsStatusCode`` of a new order, in a sample of an order system's public wiki. No other
code is public."""


class TataCliqSettings(Settings):
    """Settings of a Tata CLiQ account. Access is switched on by the seller's account manager."""

    source: Literal["api", "panelfile"] = Field(
        default="api", description="What the account is read from."
    )
    base_url: str = Field(
        min_length=1, description="The gateway's address, from your account manager."
    )
    seller_id: str = Field(pattern=r"^[\w-]+$", description="The number of the seller.")
    token: SecretStr = Field(description="The bearer token that the account manager gave.")
    order_path: str = Field(
        default="/PartnerConnect/PC_{seller_id}/AP_SALES_ORDER/AVT_JSON_SALES_ORDER/AV_2.0/OG_1"
        "/ORDID_{order_id}/",
        description="Path of the call for one order.",
    )
    status_map: Meanings = Field(
        default=meanings_of(VERIFIED),
        description="The codes omsStatusCode and what they mean; added to the known one.",
    )
    ships: Literal["channel", "seller"] = Field(
        default="channel", description="Who ships a line that names neither TSHIP nor SSHIP."
    )
    pace: Literal["default", "unlimited"] = Field(
        default="default", description='Two calls a second; "unlimited" is for a simulator.'
    )

    @field_validator("status_map")
    @classmethod
    def _with_the_known(cls, words: Mapping[str, Meaning]) -> dict[str, Meaning]:
        return {**meanings_of(VERIFIED), **words}

    @field_validator("order_path")
    @classmethod
    def _names_the_order(cls, path: str) -> str:
        try:
            names = {name for _, name, _, _ in Formatter().parse(path) if name is not None}
        except ValueError:
            names = {""}
        if not path.startswith("/") or not {"order_id"} <= names <= {"order_id", "seller_id"}:
            raise ValueError(
                'must begin with "/" and hold {order_id}, and may hold {seller_id}, no other braces'
            )
        return path
