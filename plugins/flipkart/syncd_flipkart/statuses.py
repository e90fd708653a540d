"""What Flipkart's words mean, each with where the meaning comes from.

A word that is not in these tables is never guessed: its row is kept for a person.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from syncd import ReturnType, Status


class Word(NamedTuple):
    """One native word. ``status`` is None where the word reports nothing to the book."""

    native: str
    status: Status | None
    source: str
    note: str = ""


_STATES: Final = "Flipkart's order management documentation, shipment states"
_SELF_SHIP: Final = "Flipkart's documentation of self-ship orders"
_SCHEMA: Final = "the published schema only, no text explains it"
_RETURNS: Final = "Flipkart's documentation of returns"
_TOKEN: Final = "the status list inside a returns paging token seen in production"

ITEM_WORDS: Final[tuple[Word, ...]] = (
    Word("APPROVED", None, _STATES, "paid, not packed"),
    Word("PACKING_IN_PROGRESS", None, _STATES, "label being made"),
    Word("FORM_FAILED", None, _STATES, "a tax form is missing"),
    Word("PACKED", None, _STATES, "label made"),
    Word("READY_TO_DISPATCH", None, _STATES, "the seller's own word, before any pickup"),
    Word("PICKUP_COMPLETE", Status.DISPATCHED, _STATES, "the courier took it from the seller"),
    Word("SHIPPED", Status.DISPATCHED, _STATES, "on its way to the buyer"),
    Word("DELIVERED", Status.DELIVERED, _STATES),
    Word("COMPLETED", Status.DELIVERED, _SELF_SHIP, "delivered and every service done"),
    Word("CANCELLED", Status.CANCELLED, _STATES, "an RTO instead when courierReturn is true"),
    Word("RETURN_REQUESTED", None, _SCHEMA, "does not say which return; the returns call does"),
    Word("RETURNED", None, _SCHEMA, "does not say which return; the returns call does"),
)
"""Statuses of an order item in an answer about shipments."""

RETURN_WORDS: Final[tuple[Word, ...]] = (
    Word("init", None, _TOKEN, "not yet a return"),
    Word("created", Status.RETURN_NOTICED, _RETURNS),
    Word("service_requested", Status.RETURN_NOTICED, _RETURNS, "a technician comes first"),
    Word("approved", Status.RETURN_NOTICED, _RETURNS, "self-ship only"),
    Word("cancellation_in_progress", Status.RETURN_NOTICED, _TOKEN, "may still be withdrawn"),
    Word("completed", Status.RETURNED, _RETURNS, "the goods are back at the seller"),
    Word("cancelled", Status.RETURN_WITHDRAWN, _RETURNS, "will not reach the seller"),
    Word("rejected", Status.RETURN_WITHDRAWN, _TOKEN),
)
"""Statuses of a return. Their case differs between documents, so it is ignored."""

RETURN_SOURCES: Final = {
    "courier_return": ReturnType.RTO,
    "customer_return": ReturnType.CIR,
}
"""The two sources of the returns call; the call answers one at a time."""

CANCELLATION_TYPES: Final = ("buyerCancellation", "sellerCancellation", "marketplaceCancellation")
"""The search for cancellations answers one of these at a time."""

OPEN_STATES: Final = (
    "APPROVED",
    "PACKING_IN_PROGRESS",
    "PACKED",
    "FORM_FAILED",
    "READY_TO_DISPATCH",
)
LEFT_STATES: Final = ("PICKUP_COMPLETE", "SHIPPED", "DELIVERED")
DELIVERED_STATES: Final = ("DELIVERED",)
CANCELLED_STATES: Final = ("CANCELLED",)
RETURN_STATES: Final = frozenset({"RETURN_REQUESTED", "RETURNED"})

ITEM_STATUS: Final = {word.native: word.status for word in ITEM_WORDS}
RETURN_STATUS: Final = {word.native: word.status for word in RETURN_WORDS}

SELF_SHIPPED: Final = "SELF"
"""The one shipment type that the seller ships; NORMAL and EXPRESS are Flipkart's."""
