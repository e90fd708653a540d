"""What the rules need to know of a piece and of a fact. Times are whole microseconds."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from syncd.rules.words import Event, Position


class Piece(Struct, kw_only=True):
    """One piece of an order as the book has it; the unit of every decision.

    ``bundle`` is shared by the pieces that a channel sees as one. ``hold`` is a reason code.
    ``return_from`` is the position before the return was noticed. ``withdrawn_at`` is the
    newest withdrawal of a return, ``uncancelled_at`` that of a buyer's wish to cancel,
    ``cancelled_at`` the newest cancellation that was told after the piece had left,
    ``lost_at`` the newest word of its loss.
    ``settled_at`` is when the newest evidence happened that a person settled an exception by;
    ``settled`` says of which event of which return that person's word decides, until when.
    ``former`` are the names of parcels that its own came from, ``off_shelf`` whether it lies
    among the packed goods although its parcel has to be packed again. ``replaces`` is the line
    of the same order that the piece's line stands in for. ``unsold``: it left without an invoice,
    for a person said that it comes back.
    """

    item_id: int
    line_id: str = ""
    sku: str = ""
    piece: int = 0
    bundle: str = ""
    position: Position
    package_id: int | None = None
    shipment_id: str = ""
    tracking_number: str = ""
    allocated: bool = False
    hold: str = ""
    held_at: int | None = None
    changed_at: int = 0
    dispatched_at: int | None = None
    delivered_at: int | None = None
    return_type: str = ""
    return_id: str = ""
    return_noticed_at: int | None = None
    return_from: str = ""
    withdrawn_at: int | None = None
    withdrawn_type: str = ""
    uncancelled_at: int | None = None
    cancelled_at: int | None = None
    lost_at: int | None = None
    settled_at: int | None = None
    settled: tuple[tuple[Event, str, int], ...] = ()
    former: tuple[str, ...] = ()
    off_shelf: bool = False
    replaces: str = ""
    unsold: bool = False

    @property
    def found_again(self) -> bool:
        """Whether a delivery ended what was noticed before it: see NOTE_FOUND."""
        return self.delivered_at is not None and self.withdrawn_at == self.delivered_at - 1

    def sold_by(self, target: Position) -> bool:
        """Whether it is sold only now that it comes there: the buyer has it, or will have."""
        return self.unsold and target is not self.position and target in _SOLD


_SOLD: Final = frozenset(
    {
        Position.DISPATCHED,
        Position.SHIPPED,
        Position.DELIVERED,
        Position.CIR_CREATED,
        Position.CIR_COMPLETE,
    }
)


class Before(Struct, frozen=True):
    """What a fact was carried out for before its order has grown.

    ``since`` is the item id of the first piece that came later. ``met`` counts the pieces that it
    was decided for, ``used`` those of them that it used up; a bundle is one.
    """

    since: int
    met: int
    used: int


class Fact(Struct, kw_only=True):
    """One thing a channel says of pieces of one order.

    ``waited``: the fact has been through one sweep before this one, so that what it implies
    had its chance to arrive by itself. With ``before`` it is only for what has come since.
    """

    event: Event
    occurred_at: int
    observed_at: int = 0
    line_id: str = ""
    sku: str = ""
    quantity: int | None = None
    cumulative: bool = False
    shipment_id: str = ""
    tracking_number: str = ""
    return_id: str = ""
    return_type: str = ""
    left_seller: bool = False
    waited: bool = False
    before: Before | None = None
