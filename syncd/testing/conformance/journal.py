"""The neutral reader: what a plugin has told, added up by the meaning of the facts alone.

It is not the book. It keeps each piece of evidence once, and counts pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from syncd.statuses import Kind, NewOrder, ReturnType, Status, StatusChange
from syncd.testing.conformance.words import must

SkuKey = tuple[str, str]  # order id, SKU
LineKey = tuple[str, str]  # order id, line id

_DERIVED: Final = (
    "order_id", "line_id", "sku", "quantity", "status", "return_type", "return_id",
    "shipment_id", "tracking_number", "native_status", "occurred_at",
)  # fmt: skip
_FACT: Final = ("order_id", "line_id", "status", "return_type", "return_id", "quantity")


def evidence(row: StatusChange) -> str:
    """The name of a fact: the plugin's own, or the one that the core derives."""
    if row.evidence_id:
        return row.evidence_id
    return "derived:" + "\x1f".join(str(getattr(row, name)) for name in _DERIVED)


def names(rows: Iterable[Any]) -> list[str]:
    """Each row by what makes it the same fact again, sorted."""
    return sorted(_name(row) for row in rows)


def _name(row: Any) -> str:
    if not isinstance(row, NewOrder):
        return f"{row.status}:{evidence(row)}"
    lines = sorted((line.line_id, line.sku, line.quantity) for line in row.lines)
    return f"order:{row.order_id}:{row.location_id}:{row.placed_at.timestamp()}:{lines}"


def same(first: Any, second: Any) -> bool:
    """Whether two rows say the same of the same pieces."""
    return all(getattr(first, name) == getattr(second, name) for name in _FACT)


class Journal:
    """Facts by kind and evidence, and the counts that follow from them."""

    def __init__(self) -> None:
        self.facts: dict[tuple[Kind, str], StatusChange] = {}
        self.orders: dict[str, NewOrder] = {}
        self._sku: dict[LineKey, str] = {}
        self._size: dict[LineKey, int] = {}

    def take(self, kind: Kind, rows: Iterable[Any]) -> None:
        """Keep what is new. Raises Broken where one evidence names two facts."""
        for row in rows:
            if isinstance(row, NewOrder):
                self._order(row)
                continue
            old = self.facts.setdefault((kind, evidence(row)), row)
            must(
                same(old, row),
                f"Two facts of {kind} have the evidence {evidence(row)!r}: {old} and {row}.",
                "Make evidence_id of all that tells the facts apart (order, line, parcel, word, "
                "and the total where it is one), and of nothing that moves when a row changes.",
            )

    def _order(self, order: NewOrder) -> None:
        self.orders.setdefault(order.order_id, order)
        for line in order.lines:
            key = order.order_id, line.line_id
            self._sku[key] = line.sku
            self._size[key] = max(line.quantity, self._size.get(key, 0))

    def know(self, order_id: str, line_id: str, sku: str, pieces: int) -> None:
        """A line that came to the book by a file, where no hook tells orders."""
        self._sku.setdefault((order_id, line_id), sku)
        self._size.setdefault((order_id, line_id), pieces)

    def ordered(self) -> dict[SkuKey, int]:
        """How many pieces of each SKU the orders came with."""
        found: dict[SkuKey, int] = {}
        for order in self.orders.values():
            for line in order.lines:
                key = order.order_id, line.sku
                found[key] = found.get(key, 0) + self._size[order.order_id, line.line_id]
        return found

    def rows(self, status: Status, kind: ReturnType | None = None) -> list[StatusChange]:
        """The facts of one word, each once, whichever hook told them."""
        found = {
            name: row
            for (_, name), row in self.facts.items()
            if row.status is status and (kind is None or row.return_type is kind)
        }
        return list(found.values())

    def count(self, status: Status, sizes: Mapping[SkuKey, int]) -> dict[SkuKey, int]:
        """How many pieces of each SKU have had the word DISPATCHED, DELIVERED, CANCELLED, LOST."""
        return self._added(self.rows(status), sizes)

    def _added(
        self, rows: Iterable[StatusChange], sizes: Mapping[SkuKey, int]
    ) -> dict[SkuKey, int]:
        totals: dict[tuple[SkuKey, str, str], int] = {}
        sums: dict[SkuKey, int] = {}
        whole: set[SkuKey] = set()
        for row in rows:
            for key in self._keys(row, sizes):
                if row.quantity is None:
                    size = self._size.get((row.order_id, row.line_id), sizes[key])
                    if size >= sizes[key] or not row.line_id:
                        whole.add(key)
                    else:  # the panel has a line for each piece
                        sums[key] = sums.get(key, 0) + size
                elif row.cumulative:
                    # A total of cancellations is that of the line, in whichever parcel.
                    place = row.return_id or row.shipment_id
                    place = "" if row.status is Status.CANCELLED else place
                    old = totals.get((key, row.line_id, place), 0)
                    totals[key, row.line_id, place] = max(old, row.quantity)
                else:
                    sums[key] = sums.get(key, 0) + row.quantity
        for (key, _, _), total in totals.items():
            sums[key] = sums.get(key, 0) + total
        return {**sums, **{key: sizes[key] for key in whole}}

    def _keys(self, row: StatusChange, sizes: Mapping[SkuKey, int]) -> list[SkuKey]:
        must(
            not row.line_id or (row.order_id, row.line_id) in self._sku,
            f"The order has no line {row.line_id!r}: {row}",
            "Give line_id as the orders have it; a panel that does not show it leaves it empty.",
        )
        sku = self._sku.get((row.order_id, row.line_id), "") or row.sku
        if sku:
            return [(row.order_id, sku)] if (row.order_id, sku) in sizes else []
        return [key for key in sizes if key[0] == row.order_id]

    def returns(self, kind: ReturnType, sizes: Mapping[SkuKey, int]) -> Returns:
        """What was told of the returns of one type."""
        noticed = self.rows(Status.RETURN_NOTICED, kind)
        returned = self.rows(Status.RETURNED, kind)
        off = {row.return_id for row in self.rows(Status.RETURN_WITHDRAWN)}
        back = {row.return_id for row in returned if row.return_id}
        named = [row for row in noticed if row.return_id]
        plain = self._added([row for row in noticed if not row.return_id], sizes)
        by_id = self._added(_once(named), sizes)
        still = [row for row in named if row.return_id not in back | off]
        known = self._added(_once([*named, *(row for row in returned if row.return_id)]), sizes)
        return Returns(
            # Notices with and without a return's id are about the same pieces.
            noticed={key: max(by_id.get(key, 0), plain.get(key, 0)) for key in by_id | plain},
            returned=self._added(returned, sizes),
            open=self._added(_once(still), sizes),
            named={key for key, count in known.items() if count >= plain.get(key, 0)},
        )


class Returns:
    """Pieces by SKU: ``noticed`` so far, ``returned``, and ``open`` ones by their return's id.

    ``named`` are the SKUs of all of whose returns the ids were told.
    """

    def __init__(
        self,
        *,
        noticed: dict[SkuKey, int],
        returned: dict[SkuKey, int],
        open: dict[SkuKey, int],
        named: set[SkuKey],
    ) -> None:
        self.noticed = noticed
        self.returned = returned
        self.open = open
        self.named = named


def _once(rows: list[StatusChange]) -> list[StatusChange]:
    """One row for each return, line and parcel: two words of a return are not two returns."""
    return list({(row.return_id, row.line_id, row.shipment_id): row for row in rows}.values())
