"""The verbs of what comes back, or is lost on either way."""

from __future__ import annotations

from syncd.book.desk import BUCKET, Desk, bucket_of, latest, move_to
from syncd.book.sheet_rows import Piece
from syncd.book.stock import Bucket
from syncd.rules import Event, Position, Reason, Step


def fill_return_tracking(desk: Desk, piece: Piece, step: Step) -> None:
    """A second notice may bring the return's own id; the newest notice counts."""
    piece.return_id = piece.return_id or desk.fact.return_id
    piece.return_noticed_at = latest(piece.return_noticed_at, desk.fact.occurred_at)


def expect_return(desk: Desk, piece: Piece, step: Step) -> None:
    """The parcel is coming back undelivered."""
    _start_return(desk, piece, step.arg, Position.RETURN_EXPECTED)


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
    _arrive(desk, piece, step.arg, Position.RETURNED)


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
    move_to(desk, piece, BUCKET[desk.target])
    piece.position = desk.target
    piece.return_type = piece.return_from = ""
    piece.return_noticed_at = None
    if desk.fact.event is Event.RETURN_WITHDRAWN:
        note_withdrawal(desk, piece, step)


def note_withdrawal(desk: Desk, piece: Piece, step: Step) -> None:
    """Keep it, so that an older notice that comes later is known to be settled."""
    piece.return_id = piece.return_id or desk.fact.return_id
    of = desk.fact.return_type
    if piece.withdrawn_at is None:
        piece.withdrawn_type = of
    elif piece.withdrawn_type != of:
        piece.withdrawn_type = ""  # returns of both types were called off
    piece.withdrawn_at = latest(piece.withdrawn_at, desk.fact.occurred_at)


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


def open_claim(desk: Desk, piece: Piece, step: Step) -> None:
    """Lost on the way: no stock moves, a claim against the courier is open."""
    back = bool(piece.return_type)
    code = Reason.LOST_ON_THE_WAY_BACK if back else Reason.LOST_IN_TRANSIT
    # Before the piece is lost, for the exception says where it was.
    desk.sheet.open_trouble(piece, desk.order, desk.fact, code.value, "warning", desk.now)
    piece.position = Position.LOST
    piece.lost_at = desk.fact.occurred_at
    piece.written_off = ""


def note_loss(desk: Desk, piece: Piece, step: Step) -> None:
    """Lost, said again: what is older than the newest word of it does not find the piece."""
    piece.lost_at = latest(piece.lost_at, desk.fact.occurred_at)
