"""What the batches of one run have in common: facilities, running numbers, stock left."""

from __future__ import annotations

from typing import Final

from syncd.book.documents import DocumentKind, SequenceRow
from syncd.book.sheet_rows import Facility
from syncd.book.stock import Bucket
from syncd.book.store import Book


class Shared:
    """What batches of one run have in common: facilities, running numbers, stock left."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.facilities: dict[int, Facility] = {}
        self.stock: dict[tuple[int, str], int] = {}
        self.used_sequences: set[int] = set()
        self.package_id = 0

    def refresh(self) -> None:
        """Forget what others may have changed since the last batch."""
        self.facilities.clear()
        self.stock.clear()
        self.used_sequences.clear()
        self.package_id = self.book.ids("package") - 1

    def facility(self, facility_id: int) -> Facility:
        found = self.facilities.get(facility_id)
        if found is None:
            kind = DocumentKind.SALE_INVOICE.value
            row = self.book.query(_LOAD_FACILITY, (kind, facility_id)).fetchone()
            found = Facility(
                id=row[0], code=row[1], active=row[2] == "ACTIVE", traceability=row[3],
                tenant=row[4],
                sequence=None if row[5] is None else SequenceRow(*row[5:]),
            )  # fmt: skip
            self.facilities[facility_id] = found
        return found

    def on_hand(self, facility_id: int, sku: str) -> int:
        """Sellable pieces on the shelf, counting what this run has already moved."""
        key = (facility_id, sku)
        left = self.stock.get(key)
        if left is None:
            row = self.book.query(_LOAD_STOCK, (facility_id, sku, Bucket.ON_HAND_GOOD)).fetchone()
            left = self.stock[key] = 0 if row is None else int(row[0])
        return left

    def count(self, facility_id: int, sku: str, source: Bucket, target: Bucket) -> None:
        """Keep ``on_hand`` right after a move."""
        if source is Bucket.ON_HAND_GOOD:
            self.stock[facility_id, sku] = self.on_hand(facility_id, sku) - 1
        elif target is Bucket.ON_HAND_GOOD and (facility_id, sku) in self.stock:
            self.stock[facility_id, sku] += 1

    def write_sequences(self) -> None:
        """Store how far the used sequences have come."""
        used = (self.facilities[facility_id].sequence for facility_id in self.used_sequences)
        rows = [(sequence.next_number, sequence.id) for sequence in used if sequence is not None]
        self.book.executemany("UPDATE sequence SET next_number = ? WHERE id = ?", rows)


_LOAD_FACILITY: Final = """
SELECT f.id, f.code, f.state, f.traceability,
       CASE WHEN EXISTS (SELECT 1 FROM facility o WHERE o.code = f.code AND o.id <> f.id)
       THEN t.code ELSE '' END, s.id, s.prefix, s.next_number, s.width
FROM facility f JOIN tenant t ON t.id = f.tenant_id
LEFT JOIN sequence s ON s.facility_id = f.id AND s.kind = ? WHERE f.id = ?
"""

_LOAD_STOCK: Final = "SELECT quantity FROM stock WHERE facility_id = ? AND sku = ? AND bucket = ?"
