"""How an account's seller works, where the decision table leaves it a choice."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct


class InvoiceIssuer(StrEnum):
    """Who makes the invoice of a parcel that leaves."""

    SELLER = "seller"
    CHANNEL = "channel"


class PutawayAfterCancel(StrEnum):
    """Whether a piece that is cancelled in its packed parcel must be put away by a person."""

    ALWAYS = "always"
    UNLESS_CHANNEL_INVOICES = "unless_channel_invoices"


class PartialCancel(StrEnum):
    """What becomes of an invoiced parcel of which a part is cancelled."""

    REPACK = "repack"
    SHIP_SHORT = "ship_short"


class Policies(Struct, frozen=True, kw_only=True):
    """The choices of one account; the defaults are those of the plain decision table."""

    invoice_issuer: InvoiceIssuer = InvoiceIssuer.SELLER
    putaway_after_cancel: PutawayAfterCancel = PutawayAfterCancel.ALWAYS
    partial_cancel: PartialCancel = PartialCancel.REPACK


CHANNEL_INVOICES: Final = f"invoice_issuer = {InvoiceIssuer.CHANNEL}"
"""How a record says why a parcel has no number of the seller's; as the cells say it."""

USUAL: Final = Policies()
"""What an account works by that says nothing."""
