"""Stock by bucket. Every change is a move from one bucket to another, and nothing else.

A facility's buckets of one SKU, with ``outside`` among them, always sum to zero: what came in
is what is somewhere. Two buckets may go below zero. ``outside`` is the world that goods come
from. ``shortage`` counts pieces that left without being on the book: its absolute value is how
many a person must still account for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from syncd.book.store import Book

_AT_ONCE: Final = 400  # values in one IN list, far below SQLite's limit


class Bucket(StrEnum):
    """Where pieces of a SKU are. Only ``ON_HAND_GOOD`` can be promised to a buyer."""

    __hash__ = str.__hash__  # plain and fast: these are keys in every hot look-up

    ON_HAND_GOOD = "on_hand_good"
    ALLOCATED = "allocated"
    IN_TRANSIT_OUT = "in_transit_out"
    IN_TRANSIT_BACK = "in_transit_back"
    PUTAWAY_PENDING = "putaway_pending"
    BAD = "bad"
    NOT_FOUND = "not_found"
    SHORTAGE = "shortage"
    SOLD = "sold"
    OUTSIDE = "outside"


_INSERT_MOVE: Final = (
    "INSERT INTO stock_move (facility_id, sku, source, target, quantity, item_id, reason, at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_STOCK: Final = (
    "INSERT INTO stock (facility_id, sku, bucket, quantity) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (facility_id, sku, bucket) DO UPDATE SET quantity = quantity + excluded.quantity"
)


class Moves:
    """The moves of one transaction, gathered and then written at once by :meth:`flush`."""

    __slots__ = ("_changes", "_rows")

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, str, str, int, int | None, str, int]] = []
        self._changes: dict[tuple[int, str, str], int] = defaultdict(int)

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        facility_id: int,
        sku: str,
        source: Bucket,
        target: Bucket,
        quantity: int,
        item_id: int | None,
        reason: str,
        at: int,
    ) -> None:
        """Note that ``quantity`` pieces go from ``source`` to ``target`` at ``at`` (micros)."""
        self._rows.append(
            (facility_id, sku, source._value_, target._value_, quantity, item_id, reason, at)
        )
        changes = self._changes
        changes[(facility_id, sku, source)] -= quantity
        changes[(facility_id, sku, target)] += quantity

    def flush(self, book: Book) -> None:
        """Write all moves and the new sums, inside the caller's transaction, and forget them."""
        if not self._rows:
            return
        book.insert(_INSERT_MOVE, self._rows)
        changes = ((*key, change) for key, change in self._changes.items() if change)
        book.executemany(_ADD_STOCK, changes)
        self._rows.clear()
        self._changes.clear()


def on_hand(book: Book, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """How many good pieces are free, for each (facility id, SKU) asked; absent means none."""
    by_facility: dict[int, set[str]] = defaultdict(set)
    for facility_id, sku in wanted:
        by_facility[facility_id].add(sku)
    found: dict[tuple[int, str], int] = {}
    for facility_id, skus in by_facility.items():
        names = sorted(skus)
        for start in range(0, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = book.query(
                "SELECT sku, quantity FROM stock WHERE facility_id = ? "
                f"AND bucket = '{Bucket.ON_HAND_GOOD}' AND sku IN ({marks})",
                (facility_id, *part),
            )
            found.update(((facility_id, sku), quantity) for sku, quantity in rows)
    return found


def imbalance(book: Book) -> Mapping[tuple[int, str], int]:
    """The (facility id, SKU) pairs whose buckets do not sum to zero; empty in a sound book."""
    rows = book.query(
        "SELECT facility_id, sku, sum(quantity) FROM stock GROUP BY facility_id, sku "
        "HAVING sum(quantity) <> 0"
    )
    return {(facility_id, sku): total for facility_id, sku, total in rows}
