"""What the book knows already of the orders in a batch of the intake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from syncd.book.facts import LINE, TOOK_A_PIECE, UNIT
from syncd.book.store import Book
from syncd.rules import Event, Fact

_BURIES: Final = "(state = 'TOMBSTONE' OR (state = 'EXPIRED' AND outcome = 'TOMBSTONE'))"
_SLEEPS: Final = "({0}state = 'PARKED' OR ({0}state = 'EXPIRED' AND {0}outcome = 'PARK'))"
"""What has expired is no open work any more, and still counts when its order comes."""


class Desk:
    """What all batches of one call have in common: the account, the source, the facilities."""

    def __init__(
        self,
        book: Book,
        account_id: int,
        source: str,
        at: int,
        facility_of: Callable[[str], str] | None,
    ) -> None:
        self.book = book
        self.account_id = account_id
        self.source = source
        self.at = at
        self._facility_of = facility_of
        own = "SELECT facility_id, tenant_id FROM account WHERE id = ?"
        self._own, tenant_id = book.query(own, (account_id,)).fetchone()
        codes = "SELECT code, id FROM facility WHERE tenant_id = ?"
        self._by_code: dict[str, int] = dict(book.query(codes, (tenant_id,)).fetchall())

    def facility(self, location_id: str) -> int:
        """The facility's row id. Raises LookupError with a sentence."""
        code = self._facility_of(location_id) if self._facility_of and location_id else ""
        if not code:
            return int(self._own)
        if code not in self._by_code:
            raise LookupError(
                f"Location {location_id} is mapped to facility {code}, which does not exist; put "
                "the account's locations right in the configuration."
            )
        return self._by_code[code]


class Known:
    """An order that the book or this batch has already: its lines' pieces and its facts."""

    __slots__ = ("facts", "lines", "pk", "replaces", "source", "stands", "stands_in")

    def __init__(self, pk: int, facts: str, replaces: str, source: str) -> None:
        self.pk = pk
        self.facts = facts
        self.replaces = replaces
        self.source = source
        self.lines: dict[str, list[str]] = {}  # line id -> SKUs of its pieces
        self.stands: dict[str, set[str]] = {}  # line id -> positions of its pieces
        self.stands_in: dict[str, str] = {}  # line id -> the line it stands in for, if any


class Tombstone(Struct, frozen=True):
    """A cancellation of an order that was not here when it came."""

    id: int
    order_id: str
    line_id: str
    sku: str
    quantity: int | None
    cumulative: bool
    occurred_at: int
    run_id: int

    def fact(self) -> Fact:
        return Fact(
            event=Event.CANCELLED, occurred_at=self.occurred_at, line_id=self.line_id,
            sku=self.sku, quantity=self.quantity, cumulative=self.cumulative,
        )  # fmt: skip


def load_known(book: Book, account_id: int, ids: Sequence[str]) -> dict[str, Known]:
    """Those of these orders that the book has, with the SKUs of each line's pieces."""
    marks = ",".join("?" * len(ids))
    rows = book.query(
        "SELECT order_id, id, facts, replaces, source FROM orders WHERE account_id = ? "
        f"AND order_id IN ({marks})",
        (account_id, *ids),
    )
    found = {order_id: Known(*rest) for order_id, *rest in rows}
    by_pk = {known.pk: known for known in found.values()}
    if by_pk:
        marks = ",".join("?" * len(by_pk))
        items = book.query(
            "SELECT order_id, line_id, sku, position, replaces FROM item "
            f"WHERE order_id IN ({marks}) ORDER BY order_id, line_id, piece",
            tuple(by_pk),
        )
        for pk, line_id, sku, position, replaces in items:
            by_pk[pk].lines.setdefault(line_id, []).append(sku)
            by_pk[pk].stands.setdefault(line_id, set()).add(position)
            if replaces:
                by_pk[pk].stands_in[line_id] = replaces
    return found


def load_tombstones(
    book: Book, account_id: int, ids: Sequence[str]
) -> Mapping[str, list[Tombstone]]:
    """Cancellations that wait for these orders, by order id, oldest first."""
    _wake_overtaken(book, account_id, ids)
    marks = ",".join("?" * len(ids))
    rows = book.query(
        "SELECT id, order_id, line_id, sku, quantity, cumulative, occurred_at, run_id FROM inbox "
        f"WHERE account_id = ? AND order_id IN ({marks}) AND {_BURIES} "
        "ORDER BY occurred_at, id",
        (account_id, *ids),
    )
    found: dict[str, list[Tombstone]] = defaultdict(list)
    for row in rows:
        stone = Tombstone(*(*row[:5], bool(row[5]), *row[6:]))
        found[stone.order_id].append(stone)
    return found


def _wake_overtaken(book: Book, account_id: int, ids: Sequence[str]) -> None:
    """A cancellation that came after parked facts of its order buries nothing: all of them are
    decided in the order in which they happened, for the goods may have left before it."""
    marks = ",".join("?" * len(ids))
    book.query(
        "UPDATE inbox SET state = 'NEW', message = 'The order came; to be decided.' "
        f"WHERE account_id = ? AND order_id IN ({marks}) AND {_BURIES} AND EXISTS ("
        "SELECT 1 FROM inbox earlier WHERE earlier.account_id = inbox.account_id "
        f"AND earlier.order_id = inbox.order_id AND {_SLEEPS.format('earlier.')} "
        "AND earlier.occurred_at <= inbox.occurred_at)",
        (account_id, *ids),
    )


def unpark(book: Book, account_id: int, ids: Sequence[str]) -> int:
    """Have the facts that waited for these orders decided; how many there are."""
    if not ids:
        return 0
    marks = ",".join("?" * len(ids))
    done = book.query(
        "UPDATE inbox SET state = 'NEW', message = 'The order came; to be decided.' "
        f"WHERE account_id = ? AND order_id IN ({marks}) AND {_SLEEPS.format('')}",
        (account_id, *ids),
    )
    return done.rowcount


def reopen(book: Book, account_id: int, grown: Mapping[str, tuple[int, set[str]]]) -> int:
    """Have what was said of whole orders or lines, or of more pieces than there were, decided for
    pieces that came since; how many facts. ``grown``: order id -> the row id of its first new
    piece, and the lines that have new pieces, with the empty one where it takes up what names
    no line."""
    done = 0
    for order_id, (first, lines) in grown.items():
        names = msgspec.json.encode(sorted(lines)).decode()
        done += book.query(_REOPEN, (first, account_id, order_id, names)).rowcount
    return done


_REOPEN: Final = f"""
UPDATE inbox SET state = 'NEW', since_item = ?,
  message = 'The order has grown; to be decided for what is new.'
WHERE account_id = ? AND order_id = ? AND state = 'DONE' AND status <> 'UNKNOWN'
AND outcome IN ('NOOP', 'NOTE', 'APPLY', 'APPLY_CHAIN', 'HOLD', 'ESCALATE', 'TOMBSTONE')
AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.order_id = inbox.order_id
  AND e.account_id = inbox.account_id AND e.inbox_id = inbox.id
  AND e.code = 'ambiguous_replacement')
AND {LINE} IN (SELECT value FROM json_each(?))
AND (quantity IS NULL OR cumulative OR quantity > (
  SELECT count(DISTINCT {UNIT}) FROM orders o CROSS JOIN decision d ON d.order_id = o.id
  JOIN item i ON i.id = d.item_id WHERE o.account_id = inbox.account_id
  AND o.order_id = inbox.order_id AND d.inbox_id = inbox.id AND {TOOK_A_PIECE}))
"""
