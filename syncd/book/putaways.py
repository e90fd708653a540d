"""Putting a piece back on a shelf: the only act that makes returned goods sellable again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from syncd.book.contradictions import close_answered
from syncd.book.goods import allocate_waiting
from syncd.book.records import Act, Record, refresh_orders, write_records
from syncd.book.sheet_rows import parcel_state
from syncd.book.stock import Bucket, Moves
from syncd.book.store import Book
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused
from syncd.rules import Position


class Disposition(StrEnum):
    """What the warehouse found. QC_REJECTED counts as bad stock."""

    GOOD = "GOOD"
    BAD = "BAD"
    QC_REJECTED = "QC_REJECTED"
    NOT_RECEIVED = "NOT_RECEIVED"


_BUCKET: Final = {
    Disposition.GOOD: Bucket.ON_HAND_GOOD,
    Disposition.BAD: Bucket.BAD,
    Disposition.QC_REJECTED: Bucket.BAD,
    Disposition.NOT_RECEIVED: Bucket.NOT_FOUND,
}


class PutAway(Struct, frozen=True):
    """A putaway that is done: the piece, where its stock is now, and who got it at once."""

    id: int
    order_id: str
    line_id: str
    sku: str
    kind: str
    disposition: str
    position: str
    bucket: str
    promised_to: tuple[str, ...]


class _Open(Struct, frozen=True):
    id: int
    item_id: int
    facility_id: int
    kind: str
    state: str
    reason: str
    order_pk: int
    order_id: str
    line_id: str
    sku: str
    position: Position
    package_id: int | None


_LOAD: Final = """
SELECT p.id, p.item_id, p.facility_id, p.kind, p.state, p.reason, o.id, o.order_id, i.line_id,
       i.sku, i.position, i.package_id, p.disposition
FROM putaway p JOIN item i ON i.id = p.item_id JOIN orders o ON o.id = i.order_id WHERE p.id = ?
"""


def complete_putaway(
    book: Book,
    putaway_id: int,
    disposition: Disposition,
    *,
    actor: str,
    now: datetime,
    note: str = "",
) -> PutAway:
    """End a pending putaway: GOOD stock is sellable again and goes to who waits for it.

    A piece that the courier brought back (RTO) goes from RETURNED to RETURN_ACKNOWLEDGED,
    unless it was NOT_RECEIVED: a parcel that never came cannot be acknowledged.
    Raises NotFound, or Refused when the putaway is held, done or cancelled.
    """
    at = to_micros(now)
    with book.write():
        row = _load(book, putaway_id)
        after = _position_after(row, disposition)
        bucket = _BUCKET[disposition]
        moves = Moves()
        moves.add(
            row.facility_id, row.sku, Bucket.PUTAWAY_PENDING, bucket, 1, row.item_id,
            f"putaway {disposition} by {actor}", at,
        )  # fmt: skip
        moves.flush(book)
        _close(book, row, disposition, actor, at)
        if after is not row.position:
            _move_piece(book, row, after, at)
        record = _record(row, after, disposition, actor, at, note)
        write_records(book, [record])
        close_answered(book, row.item_id, record)
        refresh_orders(book, [row.order_pk])
        promised = (
            allocate_waiting(book, [(row.facility_id, row.sku)], actor=actor, now=now)
            if bucket is Bucket.ON_HAND_GOOD
            else []
        )
    return PutAway(
        row.id, row.order_id, row.line_id, row.sku, row.kind, disposition.value, after.value,
        bucket.value, tuple(piece.order_id for piece in promised),
    )  # fmt: skip


def _load(book: Book, putaway_id: int) -> _Open:
    found = book.query(_LOAD, (putaway_id,)).fetchone()
    if found is None:
        raise NotFound(f"There is no putaway {putaway_id}. See them with: syncctl putaway")
    row = _Open(*(*found[:10], Position(found[10]), found[11]))
    if row.state == "HELD":
        raise Refused(
            f"Putaway {row.id} of order {row.order_id} is held: {row.reason}. The piece may have "
            "left the warehouse; settle the exception of that order first: syncctl exceptions",
            code="putaway_held",
        )
    if row.state != "PENDING":
        told = f"{row.state} as {found[12]}" if found[12] else row.state
        raise Refused(
            f"Putaway {row.id} is {told} already; only a pending one can be completed.",
            code="putaway_closed",
        )
    return row


def _position_after(row: _Open, disposition: Disposition) -> Position:
    received = disposition is not Disposition.NOT_RECEIVED
    if row.kind == "RTO" and row.position is Position.RETURNED and received:
        return Position.RETURN_ACKNOWLEDGED
    return row.position


def _close(book: Book, row: _Open, disposition: Disposition, actor: str, at: int) -> None:
    book.query(
        "UPDATE putaway SET state = 'COMPLETED', disposition = ?, closed_at = ?, actor = ? "
        "WHERE id = ?",
        (disposition.value, at, actor, row.id),
    )


def _move_piece(book: Book, row: _Open, after: Position, at: int) -> None:
    """The piece, and its parcel with the least advanced of its live pieces."""
    book.query(
        "UPDATE item SET position = ?, changed_at = ? WHERE id = ?", (after.value, at, row.item_id)
    )
    if row.package_id is not None:
        rows = book.query("SELECT position FROM item WHERE package_id = ?", (row.package_id,))
        state = parcel_state([Position(position) for (position,) in rows])
        book.query("UPDATE package SET state = ? WHERE id = ?", (state, row.package_id))


def _record(
    row: _Open, after: Position, disposition: Disposition, actor: str, at: int, note: str
) -> Record:
    return Record(
        order_pk=row.order_pk, item_id=row.item_id, act=Act.PUTAWAY, before=row.position.value,
        after=after.value, code=f"putaway_{disposition.value.lower()}", actor=actor, at=at,
        note=note,
    )  # fmt: skip
