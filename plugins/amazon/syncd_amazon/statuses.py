"""What Amazon's words mean, each with where the meaning comes from.

A word that is not in these tables is never guessed: its row is kept for a person.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from syncd import Status


class Stage(Enum):
    """How far a parcel or an order is."""

    OPEN = "still at the seller"
    LEFT = "on its way"
    DELIVERED = "at the buyer"
    COMING_BACK = "undelivered, on its way back"
    BACK = "back at the seller, undelivered"
    LOST = "lost by the carrier"
    DAMAGED = "damaged by the carrier"
    UNDELIVERABLE = "undeliverable, and not said what follows"
    CANCELLED = "cancelled"
    BY_LINE = "some lines on their way"


class Word(NamedTuple):
    """One native word, what it means, and which source says so."""

    native: str
    stage: Stage
    source: str
    note: str = ""


_MODEL: Final = "Amazon's published model of the API"
_SEEN: Final = "an Indian seller's account, as its integrator tells"

ORDER_WORDS: Final = (
    Word("PendingAvailability", Stage.OPEN, _MODEL),
    Word("Pending", Stage.OPEN, _MODEL, "not paid"),
    Word("Unshipped", Stage.OPEN, _MODEL),
    Word("PartiallyShipped", Stage.BY_LINE, _MODEL),
    Word("Shipped", Stage.LEFT, _MODEL, "stays so after an Easy Ship parcel came back"),
    Word("InvoiceUnconfirmed", Stage.LEFT, _MODEL, "v0 only"),
    Word("Canceled", Stage.CANCELLED, _MODEL, "one l in v0, two in 2026-01-01"),
    Word("PENDING_AVAILABILITY", Stage.OPEN, _MODEL),
    Word("PENDING", Stage.OPEN, _MODEL),
    Word("UNSHIPPED", Stage.OPEN, _MODEL),
    Word("PARTIALLY_SHIPPED", Stage.BY_LINE, _MODEL),
    Word("SHIPPED", Stage.LEFT, _MODEL),
    Word("CANCELLED", Stage.CANCELLED, _MODEL),
)
"""Words of a whole order, of both versions. UNFULFILLABLE is missing on purpose: it is of orders of
other channels that Amazon fulfils, and for a person."""

PACKAGE_WORDS: Final = (
    Word("PENDING", Stage.OPEN, _MODEL),
    Word("IN_TRANSIT", Stage.LEFT, _MODEL),
    Word("SHIPPED", Stage.LEFT, _MODEL),
    Word("DELIVERED", Stage.DELIVERED, _MODEL),
    Word("CANCELLED", Stage.OPEN, _MODEL, "the parcel, not the order"),
    Word("UNDELIVERABLE", Stage.UNDELIVERABLE, _MODEL, "lost, coming back or back"),
)
"""The coarse word of a package, which is all there is where the detailed one is missing."""

EASY_SHIP_WORDS: Final = (
    Word("PendingSchedule", Stage.OPEN, _MODEL),
    Word("PendingPickUp", Stage.OPEN, _MODEL),
    Word("PendingDropOff", Stage.OPEN, _MODEL),
    Word("LabelCanceled", Stage.OPEN, _MODEL, "the pickup is cancelled, not the order"),
    Word("PickedUp", Stage.LEFT, _MODEL),
    Word("DroppedOff", Stage.LEFT, _MODEL),
    Word("AtOriginFC", Stage.LEFT, _MODEL),
    Word("AtDestinationFC", Stage.LEFT, _MODEL),
    Word("OutForDelivery", Stage.LEFT, _MODEL),
    Word("Delivered", Stage.DELIVERED, _MODEL),
    Word("RejectedByBuyer", Stage.COMING_BACK, _MODEL),
    Word("Undeliverable", Stage.COMING_BACK, _MODEL),
    Word("ReturningToSeller", Stage.COMING_BACK, _MODEL),
    Word("ReturnedToSeller", Stage.BACK, _SEEN),
    Word("Lost", Stage.LOST, _MODEL),
    Word("Damaged", Stage.DAMAGED, _MODEL),
)
"""The state of an Easy Ship parcel: EasyShipShipmentStatus of v0; in 2026-01-01 the same words as
detailedStatus, in capitals."""

EASY_SHIP_API_WORDS: Final = (
    Word("ReadyForPickup", Stage.OPEN, _MODEL),
    Word("Rejected", Stage.COMING_BACK, _MODEL),
    Word("LostInTransit", Stage.LOST, _MODEL),
    Word("DamagedInTransit", Stage.DAMAGED, _MODEL),
)
"""Words that only the Easy Ship API has; its other ones are those of v0."""

ORDER_STAGE: Final = {word.native: word.stage for word in ORDER_WORDS}
PACKAGE_STAGE: Final = {word.native: word.stage for word in PACKAGE_WORDS}
_EASY: Final = {w.native: w.stage for w in (*EASY_SHIP_WORDS, *EASY_SHIP_API_WORDS)}
_PLAIN_EASY: Final = {
    word.upper().replace("CANCELED", "CANCELLED"): stage for word, stage in _EASY.items()
}


def easy_ship_stage(word: str) -> Stage | None:
    """The stage of an Easy Ship word in any of its three spellings, None for an unknown one."""
    plain = word.upper().replace("_", "").replace("CANCELED", "CANCELLED")
    return _PLAIN_EASY.get(plain)


BACK_STATES: Final = (
    "RejectedByBuyer", "Undeliverable", "ReturningToSeller", "ReturnedToSeller", "Lost", "Damaged",
)  # fmt: skip
DELIVERED_STATES: Final = ("Delivered",)

RETURN_STATUS: Final[dict[str, Status | None]] = {
    "CREATED": Status.RETURN_NOTICED,
    "CARRIER_NOTIFIED_TO_PICK_UP_FROM_CUSTOMER": Status.RETURN_NOTICED,
    "CARRIER_OUT_FOR_PICK_UP_FROM_CUSTOMER": Status.RETURN_NOTICED,
    "CUSTOMER_CANCELLED_PICK_UP": Status.RETURN_NOTICED,  # the pickup, not the return
    "CUSTOMER_RESCHEDULED_PICK_UP": Status.RETURN_NOTICED,
    "PICKED_FROM_CUSTOMER": Status.RETURN_NOTICED,
    "IN_TRANSIT": Status.RETURN_NOTICED,
    "OUT_FOR_DELIVERY": Status.RETURN_NOTICED,
    "REPLANNED": Status.RETURN_NOTICED,
    "CUSTOMER_DROPPED_OFF": Status.RETURN_NOTICED,
    "DELIVERED": Status.RETURNED,
    "PARTIALLY_PROCESSED": Status.RETURNED,
    "PROCESSED": Status.RETURNED,
    "REJECTED": Status.RETURN_WITHDRAWN,
    "CANCELLED": Status.RETURN_WITHDRAWN,
}
"""Words of the External Fulfillment Returns API, from the descriptions in its model."""
