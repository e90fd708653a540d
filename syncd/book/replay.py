"""Where facts lead: the rules played over orders in memory. Nothing is written.

The worksheet, the worker and the verbs are those of a pass; only the house is an open one,
where each facility can invoice and each SKU is on the shelf, for whether a fact could be
carried out is not what is asked here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from syncd.book.documents import SequenceRow
from syncd.book.facts import FIELDS, NAMES, Fact, fact_of, in_order, take_up
from syncd.book.inbox import COLUMNS, Journal
from syncd.book.records import BY_HAND, Act
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Facility, Order, Package, Piece
from syncd.book.stock import Bucket
from syncd.book.store import Book
from syncd.book.succession import PARTED, name_pieces
from syncd.book.worker import AccountView, Ships, Task, Worker
from syncd.book.worksheet import Worksheet
from syncd.rules import Position, Reason

_FIRST_PACKAGE: Final = 1 << 40  # no parcel of the book has such an id
_NEVER: Final = 1 << 62
_AT_ONCE: Final = 500
_DECIDED: Final = frozenset({"DONE", "TOMBSTONE"})


class Known(Fact, kw_only=True, gc=False):
    """A fact of the journal with when it was decided, and why it may not be settled."""

    kind: str
    status: str
    message: str
    decided_at: int | None


def known_facts(book: Book, account_id: int, order_ids: Sequence[str]) -> list[Known]:
    """All facts of these orders in the journal that could be read."""
    found: list[Known] = []
    for start in range(0, len(order_ids), _AT_ONCE):
        part = order_ids[start : start + _AT_ONCE]
        rows = book.query(_KNOWN.format(marks=",".join("?" * len(part))), (account_id, *part))
        found.extend(_known(row) for row in rows.fetchall())
    for fact in found:
        take_up(book, fact)
    return found


def told_fact(row: Journal, number: int) -> Known:
    """A fact that the journal has not got yet, from its journal row."""
    named = dict(zip(COLUMNS, row, strict=True))
    named |= {"id": -number, "tries": 1}
    named |= dict.fromkeys(("decided_run", "decided_at", "since_item"))
    return _known([named[name] for name in _FIELDS])


class Played(msgspec.Struct, frozen=True):
    """Orders after facts were played over them, and the facts that could not be decided."""

    sheet: Worksheet
    undecided: list[Known]


class Replay:
    """The orders of one account as facts would have them."""

    def __init__(self, book: Book, account: AccountView, ships: Ships | None) -> None:
        self._book = book
        self._account = account
        self._ships = ships

    def from_start(
        self, order_ids: Sequence[str], facts: Sequence[Known], *, as_decided: bool = False
    ) -> Played:
        """The orders after these facts, from before any of them.

        In the order in which they happened; with ``as_decided`` in that in which the book
        took them up, the undecided ones last, and of the lines that the book took them to be of.
        """
        sheet = self._sheet(order_ids)
        left = self._put_back(sheet)
        sheet.packages.clear()
        for order in sheet.orders.values():
            _begin(order, left)
            sheet.packages.update((package.id, package) for package in order.packages)
        anew = [msgspec.structs.replace(fact, before=None, marks=()) for fact in facts]
        ordered = list(in_order(anew))
        if as_decided:
            ordered = sorted(self._as_taken(sheet, ordered), key=_turn)
        return self._play(sheet, ordered)

    def from_now(self, order_ids: Sequence[str], facts: Sequence[Known]) -> Played:
        """The orders as they stand in the book, after these facts as well."""
        return self._play(self._sheet(order_ids), list(in_order(list(facts))))

    def stands(self, order_ids: Sequence[str]) -> Worksheet:
        """The orders as they stand in the book."""
        return self._sheet(order_ids)

    def _sheet(self, order_ids: Sequence[str]) -> Worksheet:
        sheet = Worksheet(self._book, _OpenHouse(self._book), self._account.id, None, 0)
        sheet.load(order_ids)
        return sheet

    def _as_taken(self, sheet: Worksheet, facts: Sequence[Known]) -> list[Known]:
        """The facts, each of the lines that the book took it to be of, where it named none.

        Which lines these were may have hung on what was in stock on that day. A number of
        bundles cannot be told from that of their pieces, so such a fact stays as it was told.
        """
        if all(fact.line_id for fact in facts):
            return list(facts)
        ids = msgspec.json.encode([order.pk for order in sheet.orders.values()]).decode()
        lines: dict[int, list[tuple[str, int]]] = {}
        for fact_id, line_id, count, bundled in self._book.query(_TAKEN_FOR, (ids,)):
            lines.setdefault(fact_id, []).append((line_id, 0 if bundled else count))
        return [part for fact in facts for part in _parts(fact, lines.get(fact.id, []))]

    def _put_back(self, sheet: Worksheet) -> dict[int, int]:
        """The part into which a person put a piece that was cancelled out of it since, by piece.

        Their records name it; nothing else does once the piece has left.
        """
        gone = {
            piece.item_id: order.pk
            for order in sheet.orders.values()
            if any(package.came_from_id for package in order.packages)
            for piece in order.pieces
            if piece.package_id is None
        }
        if not gone:
            return {}
        ids = msgspec.json.encode(sorted(set(gone.values()))).decode()
        rows = self._book.query(_PUT_INTO, (ids,)).fetchall()
        found = {item_id: package_id for item_id, package_id in rows if item_id in gone}
        sheet.load_left({package_id: gone[item_id] for item_id, package_id in found.items()})
        return found

    def _play(self, sheet: Worksheet, facts: Sequence[Known]) -> Played:
        task = Task(
            account=self._account, run_id=0, actor="audit", ships=self._ships, sweep_done=True,
            rehearsal=True,
        )  # fmt: skip
        undecided = facts
        for _ in range(2):  # what waits for a fact that comes after it has its chance as well
            worker = Worker(task, sheet)
            undecided = [fact for fact in undecided if worker.decide(fact).state not in _DECIDED]
        return Played(sheet, list(undecided))


def _parts(fact: Known, lines: Sequence[tuple[str, int]]) -> Iterator[Known]:
    """The fact, of each of these lines with so many pieces; 0: it cannot be told how many."""
    if fact.line_id or not lines:
        yield fact
    elif len(lines) == 1:
        yield msgspec.structs.replace(fact, line_id=lines[0][0])
    elif fact.quantity is None or not all(count for _, count in lines):
        yield fact
    else:
        for line_id, count in lines:
            yield msgspec.structs.replace(fact, line_id=line_id, quantity=count)


class _OpenHouse(Shared):
    """Every facility is active and numbers its invoices; nothing is ever out of stock."""

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self.package_id = _FIRST_PACKAGE

    def facility(self, facility_id: int) -> Facility:
        found = self.facilities.get(facility_id)
        if found is None:
            found = self.facilities[facility_id] = Facility(
                id=facility_id, code="", active=True, traceability="NONE",
                sequence=SequenceRow(0, "", 1, 1),
            )  # fmt: skip
        return found

    def on_hand(self, facility_id: int, sku: str) -> int:
        return 1

    def count(self, facility_id: int, sku: str, source: Bucket, target: Bucket) -> None:
        """Stock is not counted here."""


def line_words(order: Order) -> Mapping[str, dict[str, int]]:
    """How many pieces of each line stand where, in the words of :func:`word_of`."""
    lines: dict[str, dict[str, int]] = {}
    for piece in order.pieces:
        words = lines.setdefault(piece.line_id, {})
        word = word_of(piece)
        words[word] = words.get(word, 0) + 1
    return lines


def word_of(piece: Piece) -> str:
    """Where a piece stands as a panel could know it: what only a warehouse knows is left out."""
    if piece.hold == "cancelled_after_manifest":
        return "CANCELLED"
    return _WORDS.get(piece.position, OPEN)


OPEN: Final = "OPEN"
_WORDS: Final[Mapping[Position, str]] = {
    Position.DISPATCHED: "DISPATCHED",
    Position.SHIPPED: "DISPATCHED",
    Position.DELIVERED: "DELIVERED",
    Position.CANCELLED: "CANCELLED",
    Position.RETURN_EXPECTED: "RETURN_NOTICED_RTO",
    Position.CIR_CREATED: "RETURN_NOTICED_CIR",
    Position.RETURNED: "RETURNED_RTO",
    Position.RETURN_ACKNOWLEDGED: "RETURNED_RTO",
    Position.CIR_COMPLETE: "RETURNED_CIR",
    Position.LOST: "LOST",
}


def _begin(order: Order, left: Mapping[int, int]) -> None:
    """The order before anything was heard of it.

    No fact tells what people did to its parcels, nor by which names they have called the parts:
    where they divided them or put them together, the pieces are in these parcels from the start.
    ``left``: piece -> the part that it was in, of those that are in none now.
    """
    kept: dict[int, int | None] = {}
    if any(package.state in PARTED for package in order.packages):
        kept = {p.item_id: p.package_id or left.get(p.item_id) for p in order.pieces}
    else:
        order.packages = []
    order.pieces = [_new(piece) for piece in order.pieces]
    for piece in order.pieces:
        piece.package_id = kept.get(piece.item_id)
    for package in order.packages:
        if package.state not in PARTED:
            _unlearn(package, {piece.package_id for piece in order.pieces})
            name_pieces(order, package)


def _unlearn(package: Package, filled: Collection[int | None]) -> None:
    """The parcel before a fact was about it; a name that it has from one comes with that again."""
    package.dispatched_at, package.blocked, package.invoice = None, "", ""
    if package.id in filled:
        package.state = Position.CREATED.value
    if package.learned:
        package.shipment_id = package.tracking_number = package.courier = ""
        package.learned = False


def _new(piece: Piece) -> Piece:
    """The piece before anything was heard of it."""
    return Piece(
        order_pk=piece.order_pk, item_id=piece.item_id, facility_id=piece.facility_id,
        line_id=piece.line_id, sku=piece.sku, piece=piece.piece, bundle=piece.bundle,
        position=Position.FULFILLABLE, allocated=True, short=False,
    )  # fmt: skip


def _turn(fact: Known) -> tuple[int, int]:
    """When the book decided it; of two runs at one time, the one that was asked for first."""
    if fact.decided_at is None:
        return _NEVER, 0
    return fact.decided_at, fact.decided_run or 0


def _known(row: Sequence[Any]) -> Known:
    fact = fact_of(row, 0)
    values = {name: getattr(fact, name) for name in fact.__struct_fields__}
    return Known(**values, kind=row[-3], status=row[_STATUS], message=row[-2], decided_at=row[-1])


_MORE: Final = ("kind", "message", "decided_at")
_FIELDS: Final = (*NAMES, *_MORE)
_STATUS: Final = _FIELDS.index("status")
_PUT_INTO: Final = (
    "SELECT d.item_id, p.id FROM json_each(?) wanted "
    "JOIN decision d ON d.order_id = wanted.value JOIN package p ON p.order_id = d.order_id "
    f"WHERE d.event IN ('{Act.SPLIT}', '{Act.MERGE}') AND d.note LIKE '% to ' || p.code "
    "ORDER BY d.id"
)
_TAKEN_FOR: Final = (
    "SELECT d.inbox_id, i.line_id, count(DISTINCT d.item_id), max(i.bundle <> '') "
    "FROM json_each(?) wanted "
    "JOIN decision d ON d.order_id = wanted.value JOIN item i ON i.id = d.item_id "
    f"WHERE d.inbox_id IS NOT NULL AND d.code NOT IN ('{Reason.SHIPS_SHORT}', "
    f"'{Reason.REPACKED_AFTER_CANCEL}') AND d.outcome <> '{BY_HAND}' "
    "GROUP BY d.inbox_id, i.line_id"
)
_KNOWN: Final = (
    f"SELECT {FIELDS}, {', '.join(_MORE)} FROM inbox "
    "WHERE account_id = ? AND order_id IN ({marks}) AND status <> 'UNKNOWN'"
)
