"""Goods that come in, are counted anew, and are promised to the pieces that wait for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from syncd.book.records import Act, Record, find_facility, refresh_orders, write_records
from syncd.book.stock import Bucket, Moves, on_hand
from syncd.book.store import Book
from syncd.book.wording import pieces
from syncd.clock import to_micros
from syncd.errors import Refused
from syncd.statuses import MAX_ID_LENGTH

MAX_RECEIVED: Final = 1_000_000
ADJUSTABLE: Final = (Bucket.ON_HAND_GOOD, Bucket.BAD, Bucket.NOT_FOUND, Bucket.SHORTAGE)
_AT_ONCE: Final = 400


class Promised(Struct, frozen=True):
    """A piece that waited for stock and got it."""

    item_id: int
    order_id: str
    line_id: str
    sku: str


class Received(Struct, frozen=True):
    """How many pieces came in, of how many SKUs, and which waiting pieces got some."""

    facility: str
    skus: int
    quantity: int
    promised: tuple[Promised, ...]


class Adjusted(Struct, frozen=True):
    """A bucket before and after a count by hand."""

    facility: str
    sku: str
    bucket: str
    before: int
    after: int
    promised: tuple[Promised, ...]


def receive_stock(
    book: Book,
    facility: str,
    goods: Mapping[str, int],
    *,
    actor: str,
    now: datetime,
    tenant: str = "",
    note: str = "",
) -> Received:
    """Put ``goods`` (SKU -> pieces) on the shelf of a facility; waiting orders get them first.

    Raises NotFound for the facility, Refused for an empty SKU or a quantity out of range.
    """
    for sku, quantity in goods.items():
        _check_sku(sku)
        if not 1 <= quantity <= MAX_RECEIVED:
            raise Refused(
                f"{pieces(quantity)} of {sku} cannot be received; give 1 to {MAX_RECEIVED}.",
                code="bad_quantity",
            )
    at = to_micros(now)
    with book.write():
        place = find_facility(book, facility, tenant)
        moves = Moves()
        reason = _reason("received", actor, note)
        for sku, quantity in goods.items():
            moves.add(
                place.id, sku, Bucket.OUTSIDE, Bucket.ON_HAND_GOOD, quantity, None, reason, at
            )
        moves.flush(book)
        promised = allocate_waiting(book, [(place.id, s) for s in goods], actor=actor, now=now)
    return Received(place.code, len(goods), sum(goods.values()), tuple(promised))


def adjust_stock(
    book: Book,
    facility: str,
    sku: str,
    bucket: Bucket,
    change: int,
    *,
    note: str,
    actor: str,
    now: datetime,
    tenant: str = "",
) -> Adjusted:
    """Correct a bucket after a count by ``change`` pieces; ``note`` says why and is kept.

    Only what a person can count may be corrected (good, bad, not found) and the shortage,
    which goes up to zero as its pieces are accounted for. Raises Refused otherwise.
    """
    _check_sku(sku)
    _check_adjustment(bucket, change, note)
    at = to_micros(now)
    with book.write():
        place = find_facility(book, facility, tenant)
        before = bucket_quantity(book, place.id, sku, bucket)
        after = before + change
        _check_result(sku, bucket, before, after)
        source, target = (Bucket.OUTSIDE, bucket) if change > 0 else (bucket, Bucket.OUTSIDE)
        moves = Moves()
        reason = _reason("adjusted", actor, note)
        moves.add(place.id, sku, source, target, abs(change), None, reason, at)
        moves.flush(book)
        promised = allocate_waiting(book, [(place.id, sku)], actor=actor, now=now)
    return Adjusted(place.code, sku, bucket.value, before, after, tuple(promised))


def allocate_waiting(
    book: Book, pairs: Iterable[tuple[int, str]], *, actor: str, now: datetime
) -> list[Promised]:
    """Give free stock of these (facility id, SKU) to UNFULFILLABLE pieces, oldest order first.

    A piece that a hold stops is passed over. Each change has its record. Joins the caller's
    transaction.
    """
    at = to_micros(now)
    with book.write():
        free = {pair: left for pair, left in on_hand(book, pairs).items() if left > 0}
        chosen: list[tuple[int, Promised, int]] = []
        for facility_id in sorted({pair[0] for pair in free}):
            chosen += _choose(book, facility_id, free)
        if not chosen:
            return []
        moves = Moves()
        for facility_id, piece, _ in chosen:
            moves.add(
                facility_id, piece.sku, Bucket.ON_HAND_GOOD, Bucket.ALLOCATED, 1,
                piece.item_id, "allocated", at,
            )  # fmt: skip
        moves.flush(book)
        book.executemany(
            "UPDATE item SET position = 'FULFILLABLE', allocated = 1, changed_at = ? WHERE id = ?",
            [(at, piece.item_id) for _, piece, _ in chosen],
        )
        write_records(book, [_record(piece, pk, actor, at) for _, piece, pk in chosen])
        refresh_orders(book, [pk for _, _, pk in chosen])
    return [piece for _, piece, _ in chosen]


def allocate_free(book: Book, *, actor: str, now: datetime) -> list[Promised]:
    """Give all free stock to the pieces that wait for it: after a cancellation has freed some."""
    with book.write():
        pairs = book.query(
            "SELECT DISTINCT i.facility_id, i.sku FROM item i JOIN stock s "
            "ON s.facility_id = i.facility_id AND s.sku = i.sku AND s.bucket = 'on_hand_good' "
            "WHERE i.position = 'UNFULFILLABLE' AND s.quantity > 0"
        ).fetchall()
        return allocate_waiting(book, pairs, actor=actor, now=now)


def bucket_quantity(book: Book, facility_id: int, sku: str, bucket: Bucket) -> int:
    """How many pieces of a SKU are in one bucket."""
    row = book.query(
        "SELECT quantity FROM stock WHERE facility_id = ? AND sku = ? AND bucket = ?",
        (facility_id, sku, bucket.value),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _choose(
    book: Book, facility_id: int, free: dict[tuple[int, str], int]
) -> list[tuple[int, Promised, int]]:
    """The waiting pieces of one facility that ``free`` serves; ``free`` is counted down."""
    skus = sorted(sku for place, sku in free if place == facility_id)
    chosen = []
    for start in range(0, len(skus), _AT_ONCE):
        part = skus[start : start + _AT_ONCE]
        rows = book.query(
            "SELECT i.id, o.order_id, i.line_id, i.sku, o.id FROM item i "
            "JOIN orders o ON o.id = i.order_id WHERE i.position = 'UNFULFILLABLE' "
            f"AND i.facility_id = ? AND i.sku IN ({','.join('?' * len(part))}) "
            "AND i.hold = '' ORDER BY o.placed_at, i.id",
            (facility_id, *part),
        )
        for item_id, order_id, line_id, sku, order_pk in rows:
            if free[facility_id, sku] > 0:
                free[facility_id, sku] -= 1
                chosen.append((facility_id, Promised(item_id, order_id, line_id, sku), order_pk))
    return chosen


def _record(piece: Promised, order_pk: int, actor: str, at: int) -> Record:
    return Record(
        order_pk=order_pk, item_id=piece.item_id, act=Act.ALLOCATE, before="UNFULFILLABLE",
        after="FULFILLABLE", code="stock_allocated", steps="allocate", actor=actor, at=at,
    )  # fmt: skip


def _check_sku(sku: str) -> None:
    if not sku.strip() or len(sku) > MAX_ID_LENGTH:
        raise Refused(
            f"A SKU has 1 to {MAX_ID_LENGTH} characters; got {sku[:40]!r}.", code="bad_sku"
        )


def _check_adjustment(bucket: Bucket, change: int, note: str) -> None:
    if bucket not in ADJUSTABLE:
        allowed = ", ".join(ADJUSTABLE)
        raise Refused(
            f"The bucket {bucket} follows from the orders and is not set by hand. "
            f"These can be: {allowed}.",
            code="bad_bucket",
        )
    if change == 0 or abs(change) > MAX_RECEIVED:
        raise Refused(
            f"A change of {pieces(change)} cannot be booked; give 1 to {MAX_RECEIVED}, or less "
            "than zero to take away.",
            code="bad_quantity",
        )
    if not note.strip():
        raise Refused("Say why the stock is corrected: a note is needed.", code="note_missing")


def _check_result(sku: str, bucket: Bucket, before: int, after: int) -> None:
    if bucket is Bucket.SHORTAGE and after > 0:
        raise Refused(
            f"The shortage of {sku} is {before}; it can come up to 0, not to {after}.",
            code="bad_quantity",
        )
    if bucket is not Bucket.SHORTAGE and after < 0:
        raise Refused(
            f"{bucket} of {sku} has {pieces(before)}; {before - after} cannot be taken.",
            code="bad_quantity",
        )


def _reason(what: str, actor: str, note: str) -> str:
    return f"{what} by {actor}: {note}" if note else f"{what} by {actor}"
