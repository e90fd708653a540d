"""What each verb of the rules does to a piece. One small function a verb.

A verb changes the worksheet only; nothing is in the database before the worksheet is
written. Every verb may be repeated on a piece without a second effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.book.desk import Act, Desk, latest, move_to, parcel_of
from syncd.book.parcel_verbs import (
    backfill_dispatched_at,
    block_dispatch,
    create_invoice,
    create_shipment,
    dispatch,
    fill_tracking,
    void_invoice,
)
from syncd.book.return_verbs import (
    complete_reverse_pickup,
    create_reverse_pickup,
    expect_return,
    fill_return_tracking,
    mark_returned,
    note_loss,
    note_return,
    note_withdrawal,
    open_claim,
    withdraw_return,
)
from syncd.book.sheet_rows import Piece
from syncd.book.stock import Bucket
from syncd.book.succession import close_repack, is_live
from syncd.rules import Event, Position, Step, Verb


def nothing(desk: Desk, piece: Piece, step: Step) -> None:
    """The book has no record of its own for this step; the decision record names it."""


def allocate(desk: Desk, piece: Piece, step: Step) -> None:
    """Take the piece from the shelf. An empty one is remembered as a shortage, never a silent
    negative: also where nothing was promised to what has left, it may be there by now."""
    if piece.allocated or piece.short:
        return
    if desk.sheet.shared.on_hand(piece.facility_id, piece.sku) > 0:
        desk.sheet.move(piece, Bucket.ON_HAND_GOOD, Bucket.ALLOCATED, desk.reason, desk.now)
        piece.allocated = True
    else:
        piece.short = True
        desk.notes.append(f"shortage of 1 {piece.sku}")


def backfill_delivered_at(desk: Desk, piece: Piece, step: Step) -> None:
    """The real date of a delivery that was implied with a later one."""
    if piece.delivered_at is None or desk.fact.occurred_at < piece.delivered_at:
        piece.delivered_at = desk.fact.occurred_at


def renew_delivered_at(desk: Desk, piece: Piece, step: Step) -> None:
    """Delivered once more: a notice of a return before that was the false scan."""
    found = piece.position is Position.DELIVERED and piece.found_again
    piece.delivered_at = latest(piece.delivered_at, desk.fact.occurred_at)
    if found:
        note_found(desk, piece, step)


def note_found(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer has it, so that a return or a loss noticed before that is known to be moot."""
    if piece.delivered_at is not None:
        # One microsecond: what is noticed in the moment of the delivery comes after it.
        found = piece.delivered_at - 1
        if piece.withdrawn_at is None or piece.withdrawn_at <= found:
            piece.withdrawn_type = ""  # a delivery ends a return of either type
        piece.withdrawn_at = latest(piece.withdrawn_at, found)


def deliver(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer has it: the piece is sold."""
    move_to(desk, piece, Bucket.SOLD)
    piece.position = Position.DELIVERED
    piece.delivered_at = desk.fact.occurred_at


def release_allocation(desk: Desk, piece: Piece, step: Step) -> None:
    """Uninvoiced and unpicked: the stock is sellable again at once."""
    if piece.allocated:
        desk.sheet.move(piece, Bucket.ALLOCATED, Bucket.ON_HAND_GOOD, desk.reason, desk.now)
        piece.allocated = False


def cancel_item(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece is no longer wanted; out of its parcel if that has no invoice yet."""
    piece.position = Position.CANCELLED
    piece.hold = ""
    package = parcel_of(desk, piece)
    if package is None:
        return
    if not package.invoice:
        piece.package_id = None
        piece.shipment_id = piece.tracking_number = ""
        piece.former, piece.off_shelf = (), False
        if not is_live(desk.order, package):
            close_repack(desk.sheet, desk.order, package, "nothing is left to pack", desk.now)


def open_putaway(desk: Desk, piece: Piece, step: Step) -> None:
    """A person must put the piece back on a shelf; only that makes it sellable again."""
    if step.arg in _FROM_THE_FLOOR:
        source = Bucket.ALLOCATED if piece.allocated else Bucket.SHORTAGE
        desk.sheet.move(piece, source, Bucket.PUTAWAY_PENDING, desk.reason, desk.now)
        piece.allocated = False
    desk.sheet.open_putaway(piece, step.arg, desk.reason, desk.now)


_FROM_THE_FLOOR: Final = frozenset({"CANCELLED_ITEM", "PICKLIST"})
NO_PUTAWAY: Final = "no putaway waits for it"
"""The note where there was none to stop."""


def hold_putaway(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece may have left: its putaway waits until a person has looked."""
    if not desk.sheet.hold_putaway(piece, desk.reason):
        desk.notes.append(NO_PUTAWAY)


def note_cancellation(desk: Desk, piece: Piece, step: Step) -> None:
    """Keep it, so that what is told later of the time before it does not pass for newer."""
    piece.cancelled_at = latest(piece.cancelled_at, desk.fact.occurred_at)


def renew_hold(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer asks again: only what is newer ends the wish."""
    piece.held_at = latest(piece.held_at, desk.fact.occurred_at)


def hold_item(desk: Desk, piece: Piece, step: Step) -> None:
    """Stop forward work on the piece."""
    piece.hold = desk.reason
    piece.held_at = desk.fact.occurred_at


def release_hold(desk: Desk, piece: Piece, step: Step) -> None:
    """Forward work may go on; an older request that comes later is known to be settled."""
    piece.hold = ""
    piece.held_at = None
    if desk.fact.event is Event.CANCEL_WITHDRAWN:
        piece.uncancelled_at = latest(piece.uncancelled_at, desk.fact.occurred_at)


def note_attempt(desk: Desk, piece: Piece, step: Step) -> None:
    """A delivery failed: from now on some word of the parcel is awaited."""
    desk.sheet.attempts.append((piece.item_id, desk.fact.occurred_at))


def ask(desk: Desk, piece: Piece, step: Step) -> None:
    """A person looks at what is done. Before it, for the exception says where the piece was."""
    desk.sheet.open_trouble(piece, desk.order, desk.fact, desk.reason, "warning", desk.now)


VERBS: Final[Mapping[Verb, Act]] = {
    Verb.VERIFY_ORDER: nothing,  # the order's state is a roll-up of its pieces
    Verb.ALLOCATE: allocate,
    Verb.CREATE_SHIPMENT: create_shipment,
    Verb.RECORD_SHORTAGE: allocate,
    Verb.CREATE_INVOICE: create_invoice,
    Verb.DISPATCH: dispatch,
    Verb.CLOSE_PICK_TASK: nothing,  # the book keeps no pick lists
    Verb.FILL_TRACKING: fill_tracking,
    Verb.FILL_RETURN_TRACKING: fill_return_tracking,
    Verb.BACKFILL_DISPATCHED_AT: backfill_dispatched_at,
    Verb.BACKFILL_DELIVERED_AT: backfill_delivered_at,
    Verb.RENEW_DELIVERED_AT: renew_delivered_at,
    Verb.NOTE_FOUND: note_found,
    Verb.NOTE_CANCELLATION: note_cancellation,
    Verb.NOTE_LOSS: note_loss,
    Verb.NOTE_RETURN: note_return,
    Verb.RENEW_HOLD: renew_hold,
    Verb.DELIVER: deliver,
    Verb.RELEASE_ALLOCATION: release_allocation,
    Verb.CANCEL_ITEM: cancel_item,
    Verb.VOID_INVOICE: void_invoice,
    Verb.OPEN_PUTAWAY: open_putaway,
    Verb.HOLD_PUTAWAY: hold_putaway,
    Verb.ASK: ask,
    Verb.ALERT: nothing,  # raised with the decision, once a fact
    Verb.BLOCK_DISPATCH: block_dispatch,
    Verb.CONFIRM_PULL: nothing,  # the exception that HOLD opens asks for it
    Verb.EXPECT_RETURN: expect_return,
    Verb.CREATE_REVERSE_PICKUP: create_reverse_pickup,
    Verb.COMPLETE_REVERSE_PICKUP: complete_reverse_pickup,
    Verb.MARK_RETURNED: mark_returned,
    Verb.WITHDRAW_RETURN_EXPECTATION: withdraw_return,
    Verb.CANCEL_REVERSE_PICKUP: withdraw_return,
    Verb.NOTE_WITHDRAWAL: note_withdrawal,
    Verb.HOLD_ITEM: hold_item,
    Verb.RELEASE_HOLD: release_hold,
    Verb.NOTE_ATTEMPT: note_attempt,
    Verb.START_RTO_TIMER: nothing,  # reckoned from the attempt
    Verb.OPEN_CLAIM: open_claim,
    Verb.CLOSE_CLAIM: nothing,  # a lost piece that moves closes its claims
    Verb.MARK_NOT_RECEIVED: nothing,  # position LOST with a return type says it
    Verb.PARK: nothing,  # the journal row is parked with the outcome
    Verb.REQUEST_IMPORT: nothing,  # the pass asks the channel for parked orders
    Verb.TOMBSTONE: nothing,  # the journal row is the tombstone
    Verb.EXPECT_PARCEL: nothing,  # the exception asks for it
}
"""The verbs of facts; a test holds it complete, with those of ``person_verbs``."""
