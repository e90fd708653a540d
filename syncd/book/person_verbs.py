"""What only a person's word does to a piece: the verbs beside those of facts, one function each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.book.desk import Act, Desk, bucket_of, move_to, parcel_of
from syncd.book.sheet_rows import Order, Package, Piece
from syncd.book.stock import Bucket
from syncd.book.verbs import VERBS, allocate
from syncd.rules import Position, Reason, Step, Verb, has_left

_OPEN: Final = ("PENDING", "HELD")


def retrieve(desk: Desk, piece: Piece, step: Step) -> None:
    """A cancelled piece that left is taken from where its stock is counted.

    That is its open putaway, which is called off; or where the warehouse did not find it; or
    else the shelf, for another piece of its kind left; or nowhere, a shortage.
    """
    state, disposition = desk.sheet.shelves.get(piece.item_id, ("", ""))
    source = None
    if state in _OPEN:
        cancel_putaway(desk, piece, step)
        source = Bucket.PUTAWAY_PENDING
    elif state == "COMPLETED" and disposition == "NOT_RECEIVED":
        source = Bucket.NOT_FOUND
    if source is None:
        allocate(desk, piece, step)
        return
    desk.sheet.move(piece, source, Bucket.ALLOCATED, desk.reason, desk.now)
    piece.allocated = True


def leave_parcel(desk: Desk, piece: Piece, step: Step) -> None:
    """It did not travel in the parcel that it was cancelled in."""
    piece.package_id = None
    piece.shipment_id = piece.tracking_number = ""


def cancel_putaway(desk: Desk, piece: Piece, step: Step) -> None:
    """Nobody need put it on a shelf; where its stock is, another step says."""
    desk.sheet.end_putaway(piece, desk.actor, desk.reason, desk.now)
    desk.notes.append("putaway called off")


def release_putaway(desk: Desk, piece: Piece, step: Step) -> None:
    """Its putaway may be completed again."""
    desk.sheet.freed_putaways.append((desk.reason, piece.item_id))


def unblock_parcel(desk: Desk, piece: Piece, step: Step) -> None:
    """The parcel may leave, unless another of its pieces is cancelled on the manifest."""
    package = parcel_of(desk, piece) or _blocked_for_nobody(desk.order)
    if package is None or not package.blocked:
        return
    within = [one for one in desk.order.pieces if one.package_id == package.id]
    if any(p is not piece and p.hold == Reason.CANCELLED_AFTER_MANIFEST for p in within):
        desk.notes.append(f"parcel {package.code} stays blocked for another piece")
        return
    package.blocked = ""
    package.dirty = True
    if any(p.position is not Position.CANCELLED and not has_left(p.position) for p in within):
        desk.notes.append(f"parcel {package.code} may leave")


def _blocked_for_nobody(order: Order) -> Package | None:
    """The parcel that the piece was just taken out of: without an invoice of ours, it leaves it."""
    held = {p.package_id for p in order.pieces if p.hold == Reason.CANCELLED_AFTER_MANIFEST}
    return next((one for one in order.packages if one.blocked and one.id not in held), None)


_CHANGED: Final[Mapping[tuple[str, Position], Position]] = {
    ("CIR", Position.RETURN_EXPECTED): Position.CIR_CREATED,
    ("RTO", Position.CIR_COMPLETE): Position.RETURNED,
}


def change_return(desk: Desk, piece: Piece, step: Step) -> None:
    """The same return by its right name: no stock moves. What a buyer sends was delivered."""
    position = _CHANGED[step.arg, piece.position]
    done = desk.target is Position.RETURN_ACKNOWLEDGED
    piece.position = desk.target if done else position
    piece.return_type = step.arg
    piece.return_id = desk.fact.return_id or piece.return_id
    if step.arg == "CIR":
        piece.delivered_at = piece.delivered_at or desk.fact.occurred_at
        piece.return_from = Position.DELIVERED.value


def undeliver(desk: Desk, piece: Piece, step: Step) -> None:
    """The delivery was not true: the piece is on its way to the buyer, and in no return."""
    move_to(desk, piece, Bucket.IN_TRANSIT_OUT)
    piece.position = Position.DISPATCHED
    piece.delivered_at = piece.return_noticed_at = None
    piece.return_type = piece.return_from = ""


def resume_transit(desk: Desk, piece: Piece, step: Step) -> None:
    """It was not lost: it counts where it counted all the time."""
    piece.position = desk.target


def end_claim(desk: Desk, piece: Piece, step: Step) -> None:
    """A lost piece counts in this bucket for good; one that turns up is taken from there."""
    target = Bucket(step.arg)
    source = bucket_of(piece)
    if source is not None and source is not target:
        desk.sheet.move(piece, source, target, desk.reason, desk.now)


PERSON_VERBS: Final[Mapping[Verb, Act]] = {
    **VERBS,
    Verb.RETRIEVE: retrieve,
    Verb.LEAVE_PARCEL: leave_parcel,
    Verb.CANCEL_PUTAWAY: cancel_putaway,
    Verb.RELEASE_PUTAWAY: release_putaway,
    Verb.UNBLOCK_PARCEL: unblock_parcel,
    Verb.CHANGE_RETURN: change_return,
    Verb.UNDELIVER: undeliver,
    Verb.RESUME_TRANSIT: resume_transit,
    Verb.END_CLAIM: end_claim,
}
"""All that a person's choice may do to a piece; a test holds it complete."""
