"""What a verb works with, and where a piece's stock is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from syncd.book.facts import Fact
from syncd.book.sheet_rows import Order, Package, Piece
from syncd.book.stock import Bucket
from syncd.book.worksheet import Worksheet
from syncd.rules import Position, Step


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
    fixed = BUCKET.get(piece.position)
    if fixed is not None:
        return fixed
    return Bucket.ALLOCATED if piece.allocated else None


BUCKET: Final[Mapping[Position, Bucket]] = {
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


def latest(known: int | None, told: int) -> int:
    """The later of two times, of which the first may not be known yet."""
    return told if known is None else max(known, told)
