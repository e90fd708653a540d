"""What a seller writes in the configuration about one ShopClues account."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from syncd import PanelAddress, Settings
from syncd.meanings import Meanings


class ShopCluesSettings(Settings):
    """Settings of a ShopClues account.

    Which status letter means what is known of one letter only. The others come from here; a
    letter that stands in neither ``open_letters`` nor ``status_map`` is shown to a person.
    """

    source: Literal["api", "panelfile"] = Field(
        default="api", description="What the account is read from."
    )
    base_url: str = "https://developer.shopclues.com/api/v1"
    login_url: PanelAddress = Field(
        default="https://auth.shopclues.com/loginToken.php",
        description="Where a token is fetched.",
    )
    username: str = Field(min_length=1, description="The merchant's e-mail address.")
    password: SecretStr = Field(description="The merchant's password; its MD5 sum is sent.")
    client_id: str = Field(min_length=1, description="From the registration of the app.")
    client_secret: SecretStr = Field(description="Likewise.")
    token_style: Literal["bearer", "bare"] = Field(
        default="bearer",
        description="How the token stands in the header Authorization: behind the word Bearer, or "
        "alone. Both were seen.",
    )
    open_letters: tuple[str, ...] = Field(
        default=("Q",), description="Status letters of orders that wait to be shipped."
    )
    status_map: Meanings = Field(
        default={}, description='What the other letters mean, as "DISPATCHED" or "RETURNED RTO".'
    )
    skus: dict[str, str] = Field(
        default={},
        description="The seller's own SKU for a product id of ShopClues, which tells no other. "
        "One that is not here keeps the product id.",
    )
    reach_days: int = Field(
        default=30,
        ge=1,
        le=180,
        description="How old an order may be and still be asked about: the panel finds orders by "
        "the day they were placed, not by their last change.",
    )
    channel_ships: bool = Field(
        default=True, description="Does ShopClues arrange the courier? No order says so itself."
    )
    pace: Literal["default", "unlimited"] = Field(
        default="default", description="Two calls a second, or any number (for a simulator)."
    )

    @model_validator(mode="after")
    def _each_letter_once(self) -> ShopCluesSettings:
        both = sorted(set(self.open_letters) & set(self.status_map))
        if both:
            raise ValueError(f"open_letters and status_map both have {', '.join(both)}")
        return self
