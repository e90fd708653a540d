"""What a seller writes in the configuration about one Snapdeal account."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from syncd import Settings

Mode = Literal["VENDOR_SELF", "ONESHIP", "OCPLUS", "DROPSHIP", "FC_VOI"]


class SnapdealSettings(Settings):
    """Settings of a Snapdeal account: what goes into the three headers, and what to ask for."""

    base_url: str = "https://apigateway.snapdeal.com/seller-api"
    client_id: str = Field(min_length=1, description="The partner's name: header clientId.")
    partner_token: SecretStr = Field(description="The partner's token: header X-Auth-Token.")
    seller_token: SecretStr = Field(
        description="The token from the seller's consent: header X-Seller-AuthZ-Token."
    )
    modes: tuple[Mode, ...] = Field(
        default=("VENDOR_SELF", "ONESHIP", "OCPLUS", "DROPSHIP", "FC_VOI"),
        min_length=1,
        description="The fulfilment modes to ask for.",
    )
    newest_first: bool = Field(
        default=False,
        description="Completed packages were seen to come newest first, so that reading may stop "
        "at old ones. No document says that they do; otherwise all of them are read.",
    )
    pace: Literal["default", "unlimited"] = Field(
        default="default", description="Two calls a second, or any number (for a simulator)."
    )
