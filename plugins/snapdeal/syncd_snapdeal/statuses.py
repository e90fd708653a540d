"""What Snapdeal's words mean. A word that is not here is never guessed.

The codes are from the table of item states in Snapdeal's seller API documentation; which
Status each one is, is ours.
"""

from __future__ import annotations

from typing import Final

from syncd import ReturnType, Status

STATUSES: Final[dict[str, Status | None]] = {
    "PFF": None,  # waits to be packed; None: it tells the book nothing
    "PRNT": None,  # label and invoice printed
    "MFG": None,  # on a manifest
    "BARP": None,  # bar code printed
    "AHOS": None,  # on a handover sheet
    "ASTN": None,  # on a stock transfer note
    "SHP": Status.DISPATCHED,  # the courier's tracking has begun
    "FFD": Status.DELIVERED,
    "CLD": Status.CANCELLED,
    # Not documented; other people's programs expect these two spellings.
    "SHIPPED": Status.DISPATCHED,
    "DELIVERED": Status.DELIVERED,
}

RETURN_TYPES: Final = {"BUYER": ReturnType.CIR, "COURIER": ReturnType.RTO}
"""The two values of ``returnMode``; a call answers one of them at a time."""

SHIPPED_BY_THE_SELLER: Final = "VENDOR_SELF"
"""The one fulfilment mode in which Snapdeal has no part in the shipping."""

UNVERIFIED: Final = (
    "Which codes the items of completed packages carry; SHP and FFD are taken from the table of "
    "item states, and SHIPPED and DELIVERED are read too.",
    "When a package was delivered: the panel does not say. A delivery carries the time of its "
    "dispatch, the earliest that it can be.",
    "The order of completed packages, and how far back they go: all of them are read in each "
    "pass, unless newest_first is set.",
    "The unit of the dates in a question for cancellations: milliseconds, as for returns.",
    "Whether returns on their way are asked for as completed ones are.",
    "The words for the state of a return. It is back when returnDeliveredOn is set; one that is "
    "withdrawn is not told at all.",
    "How the panel says that a token is no good, and its limits of pace.",
)
"""What no public source confirms; ``syncctl channels snapdeal`` shows it."""
