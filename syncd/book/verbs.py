"""What each verb of the rules does to a piece. One small function a verb.

A verb changes the worksheet only; nothing is in the database before the worksheet is
written. Every verb may be repeated on a piece without a second effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from syncd.book.facts import Fact
from syncd.book.stock import Bucket
from syncd.book.succession import PARTED, close_repack, is_live, name_pieces, old_names
from syncd.book.worksheet import Order, Package, Piece, Worksheet
from syncd.rules import Event, Position, Reason, Step, Verb
from syncd.rules.policies import CHANNEL_INVOICES
from syncd.statuses import ReturnType


class Desk(Struct, gc=False):
    """What a verb works with: the fact, its order, why, and when (microseconds)."""

    sheet: Worksheet
    order: Order
    fact: Fact
    reason: str
    target: Position  # where the piece will stand after the last step
    now: int
    notes: list[str]
    actor: str = ""  # where a person decides


Act = Callable[[Desk, Piece, Step], None]


def bucket_of(piece: Piece) -> Bucket | None:
    """Where the piece's stock is counted now; None for one that was never taken from stock."""
    if piece.position is Position.LOST:
        if piece.written_off:
            return Bucket(piece.written_off)
        return Bucket.IN_TRANSIT_BACK if piece.return_type else Bucket.IN_TRANSIT_OUT
    fixed = _BUCKET.get(piece.position)
    if fixed is not None:
        return fixed
    return Bucket.ALLOCATED if piece.allocated else None


_BUCKET: Final[Mapping[Position, Bucket]] = {
    Position.DISPATCHED: Bucket.IN_TRANSIT_OUT,
    Position.SHIPPED: Bucket.IN_TRANSIT_OUT,
    Position.DELIVERED: Bucket.SOLD,
    Position.RETURN_EXPECTED: Bucket.IN_TRANSIT_BACK,
    Position.CIR_CREATED: Bucket.IN_TRANSIT_BACK,
    Position.RETURNED: Bucket.PUTAWAY_PENDING,
    Position.CIR_COMPLETE: Bucket.PUTAWAY_PENDING,
}


def move_to(desk: Desk, piece: Piece, target: Bucket) -> None:
    """Count the piece in another bucket, from wherever it is."""
    source = bucket_of(piece) or Bucket.SHORTAGE
    if source is not target:
        desk.sheet.move(piece, source, target, desk.reason, desk.now)


def parcel_of(desk: Desk, piece: Piece) -> Package | None:
    """The parcel that the piece is in, if it is in one."""
    return None if piece.package_id is None else desk.sheet.packages[piece.package_id]


def _latest(known: int | None, told: int) -> int:
    """The later of two times, of which the first may not be known yet."""
    return told if known is None else max(known, told)


def nothing(desk: Desk, piece: Piece, step: Step) -> None:
    """The book has no record of its own for this step; the decision record names it."""


def create_shipment(desk: Desk, piece: Piece, step: Step) -> None:
    """Put the piece into the parcel that the channel names, or into a new one."""
    if piece.package_id is not None:
        return
    fact = desk.fact
    package = _parcel_for(desk.order, piece, fact) or desk.sheet.new_package(
        desk.order, piece, shipment_id=fact.shipment_id, tracking_number=fact.tracking_number,
        courier=fact.courier, created_at=desk.now, dispatched_at=None, made_by=fact.evidence,
    )  # fmt: skip
    piece.package_id = package.id
    piece.shipment_id = package.shipment_id
    piece.tracking_number = package.tracking_number
    if package.came_from_id is not None:
        name_pieces(desk.order, package)


def _parcel_for(order: Order, piece: Piece, fact: Fact) -> Package | None:
    """The order's parcel at the piece's facility that the fact names, or has just made.

    A name that a parcel had before a person parted it leads to what it became.
    """
    named = [name for name in (fact.shipment_id, fact.tracking_number) if name]
    formerly: Package | None = None
    for package in order.packages:
        if package.state == Position.CANCELLED or package.state in PARTED:
            continue
        if package.facility_id != piece.facility_id:
            continue  # a parcel leaves from one place
        if not named:
            if package.made_by == fact.evidence:
                return package
        elif _is_called(package, fact):
            return package
        elif formerly is None and not set(named).isdisjoint(old_names(order, package)):
            formerly = package
    return formerly


def _is_called(package: Package, fact: Fact) -> bool:
    if fact.shipment_id and package.shipment_id == fact.shipment_id:
        return True
    return bool(fact.tracking_number and package.tracking_number == fact.tracking_number)


def allocate(desk: Desk, piece: Piece, step: Step) -> None:
    """Take the piece from the shelf; if the shelf is empty it is short."""
    if piece.allocated or piece.short:
        return
    if desk.sheet.shared.on_hand(piece.facility_id, piece.sku) > 0:
        desk.sheet.move(piece, Bucket.ON_HAND_GOOD, Bucket.ALLOCATED, desk.reason, desk.now)
        piece.allocated = True
    else:
        record_shortage(desk, piece, step)


def record_shortage(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece leaves although the book has none: remembered, never a silent negative."""
    if not piece.allocated and not piece.short:
        piece.short = True
        desk.notes.append(f"shortage of 1 {piece.sku}")


def create_invoice(desk: Desk, piece: Piece, step: Step) -> None:
    """Number the parcel's invoice, unless it has one or the channel does it; see the gates."""
    package = parcel_of(desk, piece)
    if package is None or package.invoice:
        return
    if not desk.sheet.numbers_invoices:
        desk.notes.append(CHANNEL_INVOICES)
        return
    sequence = desk.sheet.shared.facility(package.facility_id).sequence
    if sequence is None:
        raise AssertionError("the gate for a missing sequence must stand before this step")
    number = desk.sheet.issue_invoice(package, sequence, desk.now)
    desk.notes.append(f"invoice {number}")
    for other in desk.order.pieces:
        if other.package_id == package.id:
            other.unsold = False
    close_repack(desk.sheet, desk.order, package, f"invoice {number} was issued", desk.now)


def dispatch(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece left with its parcel at the time of the fact."""
    fact = desk.fact
    if leaves_apart(desk.sheet, piece, fact):
        _split_off(desk, piece, step)
    move_to(desk, piece, Bucket.IN_TRANSIT_OUT)
    piece.position = Position.DISPATCHED
    piece.dispatched_at = fact.occurred_at
    piece.allocated = False
    piece.hold = ""
    package = parcel_of(desk, piece)
    if package is not None:
        package.dirty = True
        package.dispatched_at = package.dispatched_at or fact.occurred_at
        package.learned |= not (package.shipment_id or package.tracking_number)
        if fact.return_type == ReturnType.RTO and fact.shipment_id not in piece.former:
            # What comes back undelivered has the name under which it must have left.
            package.shipment_id = package.shipment_id or fact.shipment_id
        _fill(package, piece, fact)
        name_pieces(desk.order, package)


def leaves_apart(sheet: Worksheet, piece: Piece, fact: Fact) -> bool:
    """Whether the channel ships the piece in another parcel than the one it was put in."""
    if piece.package_id is None or not (fact.shipment_id or fact.tracking_number):
        return False
    package = sheet.packages[piece.package_id]
    if fact.return_type and not package.learned:
        return False
    if fact.shipment_id in piece.former or fact.tracking_number in piece.former:
        return False
    if fact.shipment_id and package.shipment_id:
        return package.shipment_id != fact.shipment_id
    # A parcel may get another tracking number, but not one that has left without this piece.
    told, has = fact.tracking_number, package.tracking_number
    return package.learned and bool(told and has) and told != has


def _split_off(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece gets the parcel that the channel names, with its own invoice.

    The parcel that the book had packed is over when nothing of it is left.
    """
    old = parcel_of(desk, piece)
    piece.package_id = None
    create_shipment(desk, piece, step)
    create_invoice(desk, piece, step)
    desk.notes.append("in a parcel of its own")
    if old is not None and not is_live(desk.order, old):
        old.successor_id = piece.package_id
        _void(desk, old)


def _fill(package: Package, piece: Piece, fact: Fact) -> None:
    """Learn the channel's names for the parcel where the book has none.

    The name of a parcel that was parted is left with it: it is not that of one of its parts.
    """
    if fact.return_type:
        return  # a return's numbers name another parcel
    if fact.shipment_id not in piece.former:
        package.shipment_id = package.shipment_id or fact.shipment_id
    if fact.tracking_number not in piece.former:
        package.tracking_number = package.tracking_number or fact.tracking_number
    package.courier = package.courier or fact.courier


def fill_tracking(desk: Desk, piece: Piece, step: Step) -> None:
    """A late tracking number still helps."""
    package = parcel_of(desk, piece)
    if package is not None:
        before = (package.shipment_id, package.tracking_number, package.courier)
        _fill(package, piece, desk.fact)
        package.dirty |= before != (package.shipment_id, package.tracking_number, package.courier)
        name_pieces(desk.order, package)


def fill_return_tracking(desk: Desk, piece: Piece, step: Step) -> None:
    """A second notice may bring the return's own id; the newest notice counts."""
    piece.return_id = piece.return_id or desk.fact.return_id
    piece.return_noticed_at = _latest(piece.return_noticed_at, desk.fact.occurred_at)


def backfill_dispatched_at(desk: Desk, piece: Piece, step: Step) -> None:
    """The real date of a dispatch that was implied with a later one, and its parcel's names."""
    fill_tracking(desk, piece, step)
    at, package = desk.fact.occurred_at, parcel_of(desk, piece)
    if piece.dispatched_at is None or at < piece.dispatched_at:
        piece.dispatched_at = at
    if package is not None and package.dispatched_at is not None and at < package.dispatched_at:
        package.dispatched_at, package.dirty = at, True


def backfill_delivered_at(desk: Desk, piece: Piece, step: Step) -> None:
    """The real date of a delivery that was implied with a later one."""
    if piece.delivered_at is None or desk.fact.occurred_at < piece.delivered_at:
        piece.delivered_at = desk.fact.occurred_at


def renew_delivered_at(desk: Desk, piece: Piece, step: Step) -> None:
    """Delivered once more: a notice of a return before that was the false scan."""
    found = piece.position is Position.DELIVERED and piece.found_again
    piece.delivered_at = _latest(piece.delivered_at, desk.fact.occurred_at)
    if found:
        note_found(desk, piece, step)


def note_found(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer has it, so that a return or a loss noticed before that is known to be moot."""
    if piece.delivered_at is not None:
        # One microsecond: what is noticed in the moment of the delivery comes after it.
        piece.withdrawn_at = _latest(piece.withdrawn_at, piece.delivered_at - 1)


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
    package.dirty = True
    if not package.invoice:
        piece.package_id = None
        piece.shipment_id = piece.tracking_number = ""
        piece.former, piece.off_shelf = (), False
        if not is_live(desk.order, package):
            close_repack(desk.sheet, desk.order, package, "nothing is left to pack", desk.now)


def void_invoice(desk: Desk, piece: Piece, step: Step) -> None:
    """Void the parcel's invoice when nothing live is left in it; the number stays used."""
    package = parcel_of(desk, piece)
    if package is not None and not is_live(desk.order, package):
        _void(desk, package)


def _void(desk: Desk, package: Package) -> None:
    if package.invoice:
        desk.notes.append(f"invoice {package.invoice} void")
        desk.sheet.void_invoice(package)


def open_putaway(desk: Desk, piece: Piece, step: Step) -> None:
    """A person must put the piece back on a shelf; only that makes it sellable again."""
    if step.arg in _FROM_THE_FLOOR:
        source = Bucket.ALLOCATED if piece.allocated else Bucket.SHORTAGE
        desk.sheet.move(piece, source, Bucket.PUTAWAY_PENDING, desk.reason, desk.now)
        piece.allocated = False
    desk.sheet.open_putaway(piece, step.arg, desk.reason, desk.now)


_FROM_THE_FLOOR: Final = frozenset({"CANCELLED_ITEM", "PICKLIST"})


def hold_putaway(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece may have left: its putaway waits until a person has looked."""
    desk.sheet.held_putaways.append((desk.reason, piece.item_id))


def expect_return(desk: Desk, piece: Piece, step: Step) -> None:
    """The parcel is coming back undelivered."""
    _start_return(desk, piece, step.arg or "RTO", Position.RETURN_EXPECTED)


def create_reverse_pickup(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer sends the piece back."""
    _start_return(desk, piece, "CIR", Position.CIR_CREATED)


def _start_return(desk: Desk, piece: Piece, kind: str, target: Position) -> None:
    before = piece.position
    move_to(desk, piece, Bucket.IN_TRANSIT_BACK)
    piece.position = target
    piece.allocated = False
    piece.return_type = kind
    piece.return_id = desk.fact.return_id
    piece.return_noticed_at = desk.fact.occurred_at
    out = before in (Position.LOST, Position.CANCELLED)
    piece.return_from = (Position.DISPATCHED if out else before).value


def mark_returned(desk: Desk, piece: Piece, step: Step) -> None:
    """Back at the seller, not yet on a shelf."""
    _arrive(desk, piece, step.arg or "RTO", Position.RETURNED)


def complete_reverse_pickup(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer's return is back at the seller, not yet on a shelf."""
    _arrive(desk, piece, "CIR", Position.CIR_COMPLETE)


def _arrive(desk: Desk, piece: Piece, kind: str, target: Position) -> None:
    move_to(desk, piece, Bucket.PUTAWAY_PENDING)
    piece.position = target
    piece.return_type = kind
    piece.return_id = piece.return_id or desk.fact.return_id
    piece.return_noticed_at = piece.return_noticed_at or desk.fact.occurred_at


def withdraw_return(desk: Desk, piece: Piece, step: Step) -> None:
    """No return after all: the piece stands where the decision says."""
    move_to(desk, piece, _BUCKET[desk.target])
    piece.position = desk.target
    piece.return_type = piece.return_from = ""
    piece.return_noticed_at = None
    if desk.fact.event is Event.RETURN_WITHDRAWN:
        note_withdrawal(desk, piece, step)


def note_withdrawal(desk: Desk, piece: Piece, step: Step) -> None:
    """Keep it, so that an older notice that comes later is known to be settled."""
    piece.return_id = piece.return_id or desk.fact.return_id
    piece.withdrawn_at = _latest(piece.withdrawn_at, desk.fact.occurred_at)


def note_cancellation(desk: Desk, piece: Piece, step: Step) -> None:
    """Keep it, so that what is told later of the time before it does not pass for newer."""
    piece.cancelled_at = _latest(piece.cancelled_at, desk.fact.occurred_at)


def note_loss(desk: Desk, piece: Piece, step: Step) -> None:
    """Lost, said again: what is older than the newest word of it does not find the piece."""
    piece.lost_at = _latest(piece.lost_at, desk.fact.occurred_at)


def note_return(desk: Desk, piece: Piece, step: Step) -> None:
    """Lost in this return, as is now known, or in none: it counts among what is on that way."""
    source = bucket_of(piece)
    kind = "" if step.arg == "none" else step.arg
    had = kind == "CIR"
    piece.return_type = kind
    piece.return_noticed_at = desk.fact.occurred_at if kind else None
    piece.return_from = (Position.DELIVERED if had else Position.DISPATCHED).value if kind else ""
    if kind:
        piece.return_id = desk.fact.return_id
    if had:
        piece.delivered_at = piece.delivered_at or desk.fact.occurred_at
    target = bucket_of(piece)
    if source is not None and target is not None and source is not target:
        desk.sheet.move(piece, source, target, desk.reason, desk.now)


def renew_hold(desk: Desk, piece: Piece, step: Step) -> None:
    """The buyer asks again: only what is newer ends the wish."""
    piece.held_at = _latest(piece.held_at, desk.fact.occurred_at)


def hold_item(desk: Desk, piece: Piece, step: Step) -> None:
    """Stop forward work on the piece."""
    piece.hold = desk.reason
    piece.held_at = desk.fact.occurred_at


def release_hold(desk: Desk, piece: Piece, step: Step) -> None:
    """Forward work may go on; an older request that comes later is known to be settled."""
    piece.hold = ""
    piece.held_at = None
    if desk.fact.event is Event.CANCEL_WITHDRAWN:
        piece.uncancelled_at = _latest(piece.uncancelled_at, desk.fact.occurred_at)


def block_dispatch(desk: Desk, piece: Piece, step: Step) -> None:
    """The parcel must not leave until a person has pulled the piece out of it."""
    piece.hold = desk.reason
    package = parcel_of(desk, piece)
    if package is not None:
        package.blocked = desk.reason
        package.dirty = True


def note_attempt(desk: Desk, piece: Piece, step: Step) -> None:
    """A delivery failed: from now on some word of the parcel is awaited."""
    desk.sheet.attempts.append((piece.item_id, desk.fact.occurred_at))


def ask(desk: Desk, piece: Piece, step: Step) -> None:
    """A person looks at what is done. Before it, for the exception says where the piece was."""
    desk.sheet.open_trouble(piece, desk.order, desk.fact, desk.reason, "warning", desk.now)


def open_claim(desk: Desk, piece: Piece, step: Step) -> None:
    """Lost on the way: no stock moves, a claim against the courier is open."""
    code = step.arg or desk.reason
    if code not in CLAIMS:
        back = bool(piece.return_type)
        code = (Reason.LOST_ON_THE_WAY_BACK if back else Reason.LOST_IN_TRANSIT).value
    # Before the piece is lost, for the exception says where it was.
    desk.sheet.open_trouble(piece, desk.order, desk.fact, code, "warning", desk.now)
    piece.position = Position.LOST
    piece.lost_at = desk.fact.occurred_at
    piece.written_off = ""


CLAIMS: Final = frozenset({Reason.LOST_IN_TRANSIT.value, Reason.LOST_ON_THE_WAY_BACK.value})


VERBS: Final[Mapping[Verb, Act]] = {
    Verb.VERIFY_ORDER: nothing,  # the order's state is a roll-up of its pieces
    Verb.ALLOCATE: allocate,
    Verb.CREATE_SHIPMENT: create_shipment,
    Verb.RECORD_SHORTAGE: record_shortage,
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
