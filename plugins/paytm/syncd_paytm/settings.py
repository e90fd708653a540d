"""What a seller writes in the configuration about one Paytm account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from syncd import PanelAddress, Settings
from syncd.meanings import Meaning, Meanings, meanings_of
from syncd_panelfile import PanelfileSettings
from syncd_paytm.statuses import VERIFIED


class Fields(BaseModel):
    """The names of what is read of ``orders.json``. No public text shows one; these are assumed.

    Set those that your panel names otherwise. A row without one of the first four is shown to a
    person; the others may be absent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: str = "id"
    items: str = "items"
    line_id: str = "id"
    status: str = "status"
    sku: str = "sku"
    quantity: str = "qty"
    placed_at: str = "created_at"
    changed_at: str = "updated_at"
    shipment_id: str = "fulfillment_id"
    tracking_number: str = "tracking_number"
    courier: str = "shipper"


class PaytmFiles(PanelfileSettings):
    """Settings of a Paytm account that is read from the panel's report files alone."""

    asks: ClassVar[str] = "leave source out, and the account asks the API"

    source: Literal["panelfile"] = "panelfile"
    preset: Literal["paytm"] = "paytm"


class FilesBeside(PaytmFiles):
    """How report files are read beside the API. Totals alone: a part told twice is two parts."""

    quantities: Literal["total"] = "total"


class PaytmSettings(Settings):
    """Settings of a Paytm account: the seller's login, the app that asks, and the status map."""

    source: Literal["api", "panelfile"] = Field(
        default="api", description="What the account is read from."
    )
    base_url: str = Field(
        default="https://fulfillment.paytm.com", description="Host of the order calls."
    )
    identity_url: PanelAddress = Field(
        default="https://persona.paytm.com", description="Host that gives the token."
    )
    merchant_id: str = Field(min_length=1, pattern=r"^[\w-]+$", description="Seller's number.")
    username: str = Field(min_length=1, description="Login of the seller panel.")
    password: SecretStr = Field(description="Password of that login.")
    client_id: str = Field(min_length=1, description="Id of the app that asks.")
    client_secret: SecretStr = Field(description="Secret of that app.")
    status_map: Meanings = Field(
        default=meanings_of(VERIFIED),
        description="The panel's status numbers and what they mean; added to the known ones.",
    )
    new_order_states: tuple[str, ...] = Field(
        default=("2", "5"), description="Status numbers of orders that are still to be shipped."
    )
    fields: Fields = Field(default=Fields(), description="Names of the fields of orders.json.")
    files: FilesBeside = Field(
        default=FilesBeside(), description="How the panel's report files are read beside the API."
    )
    time_zone: str = Field(
        default="Asia/Kolkata", description="Zone of the panel's times that name none."
    )
    page_size: int = Field(default=100, ge=1, le=1000, description="Orders asked for at once.")
    ships: Literal["channel", "seller"] = Field(
        default="channel", description="Who hands the parcels over to their courier."
    )
    pace: Literal["default", "unlimited"] = Field(
        default="default", description='One call a second; "unlimited" is for a simulator.'
    )

    @field_validator("status_map")
    @classmethod
    def _with_the_known(cls, words: Mapping[str, Meaning]) -> dict[str, Meaning]:
        return {**meanings_of(VERIFIED), **words}

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError('is no time zone; write one such as "Asia/Kolkata"') from None
        return name
