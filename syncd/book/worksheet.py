"""A batch of orders in memory: read whole, changed by the verbs, written back at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from syncd.book.contradictions import (
    LOAD_OPEN,
    LOAD_UNSOLD,
    LOAD_WRITTEN_OFF,
    answers,
    brought_by,
    load_answered,
    trouble_text,
)
from syncd.book.documents import (
    DocumentKind,
    SequenceRow,
    package_code,
    sequence_missing,
    take_number,
)
from syncd.book.facts import Fact
from syncd.book.stock import Bucket, Moves
from syncd.book.store import Book
from syncd.book.succession import name_pieces, take_names
from syncd.rules import RANK, USUAL, InvoiceIssuer, Piece as RulesPiece, Policies, Position

_CHUNK: Final = 500
WRITTEN_OFF: Final = {"claim_paid": Bucket.SOLD.value, "written_off": Bucket.OUTSIDE.value}
"""Where a lost piece counts once its claim was settled so."""
K = TypeVar("K")

Mark = tuple[str, str, str, str]
"""State, outcome, reason code and message of a journal row."""


class Piece(RulesPiece, kw_only=True, gc=False):
    """A row of ``item``, with what the verbs need beside what the rules look at."""

    order_pk: int
    facility_id: int
    short: bool
    written_off: str = ""  # of a lost piece whose claim has ended: the bucket it counts in
    dirty: bool = False


class Package(msgspec.Struct, kw_only=True, gc=False):
    """A row of ``package`` and the number of its sale invoice, if it has one."""

    id: int
    order_pk: int
    facility_id: int
    code: str
    state: str
    shipment_id: str
    tracking_number: str
    courier: str
    blocked: str
    created_at: int
    dispatched_at: int | None
    successor_id: int | None = None
    came_from_id: int | None = None
    learned: bool = False  # its names are those of the pieces that left in it, and no others'
    made_by: str = ""  # evidence of the fact that made it, in this batch
    invoice: str = ""  # number; empty: none issued, or voided
    fresh: bool = False
    dirty: bool = False


class Order(msgspec.Struct, kw_only=True):
    """A row of ``orders`` with its pieces and packages, the tombstones of a live one with it."""

    pk: int
    order_id: str
    state: str
    facts: str
    pieces: list[Piece]
    packages: list[Package]
    dirty: bool = False


class Facility(msgspec.Struct, kw_only=True, gc=False):
    """A row of ``facility``, and its sale invoice sequence if one is defined.

    ``tenant`` is told where several have a facility of this code.
    """

    id: int
    code: str
    tenant: str = ""
    active: bool
    traceability: str
    sequence: SequenceRow | None

    @property
    def plain(self) -> bool:
        """Whether every gate that asks about the facility is open."""
        return self.active and self.sequence is not None and self.traceability != "ITEM"

    @property
    def unnumbered(self) -> str:
        """The sentence that no invoice can be numbered, and what helps; empty if one can."""
        if self.sequence is not None:
            return ""
        return sequence_missing(self.code, tenant=self.tenant)


class Worksheet:
    """All that a batch of facts may touch, and the rows that it will write.

    ``run_id`` is the run that decides, None for a person's act; ``now`` its time in microseconds.
    ``stock`` and the sequences outlive a batch in a dry run, which writes nothing: hand the
    same ``Shared`` to the next worksheet.
    """

    def __init__(
        self, book: Book, shared: Shared, account_id: int, run_id: int | None, now: int,
        *, policies: Policies = USUAL,
    ) -> None:  # fmt: skip
        self.book = book
        self.shared = shared
        self.account_id = account_id
        self.run_id = run_id
        self.now = now
        self.policies = policies
        self.orders: dict[str, Order] = {}
        self.packages: dict[int, Package] = {}
        self.moves = Moves()
        self.invoices: list[tuple[Any, ...]] = []
        self.voided: list[tuple[int, str]] = []
        self.putaways: list[tuple[Any, ...]] = []
        self.held_putaways: list[tuple[str, int]] = []
        self.ended_putaways: list[tuple[Any, ...]] = []
        self.freed_putaways: list[tuple[str, int]] = []
        self.shelves: dict[int, tuple[str, str]] = {}
        """Item -> state and disposition of its newest putaway; only where a person settles."""
        self.questions: dict[int, list[tuple[str, int | None, int]]] = {}
        """Item -> code and fact of each of its open exceptions, and when that happened."""
        self.troubles: list[tuple[Any, ...]] = []
        self.closed_troubles: list[tuple[Any, ...]] = []
        self.decisions: list[tuple[Any, ...]] = []
        self.messages: list[tuple[Any, ...]] = []
        self.marks: list[tuple[Mark, int]] = []
        self.attempts: list[tuple[int, int]] = []  # row id of the piece, event time

    def load(self, order_ids: Sequence[str]) -> None:
        """Read these orders with their pieces, packages and invoices."""
        for start in range(0, len(order_ids), _CHUNK):
            self._load_pieces(order_ids[start : start + _CHUNK])
        of_package = {
            piece.package_id: order
            for order in self.orders.values()
            for piece in order.pieces
            if piece.package_id is not None
        }
        if of_package:
            self._load_packages(of_package)
        self._load_questions()

    def _load_questions(self) -> None:
        """The open exceptions of these pieces, and of lost ones what came of their claims."""
        pieces = {piece.item_id: piece for o in self.orders.values() for piece in o.pieces}
        ids = msgspec.json.encode(list(pieces)).decode()
        for item_id, *question in self.book.query(LOAD_OPEN, (ids,)):
            self.questions.setdefault(item_id, []).append(tuple(question))
        lost = [piece.item_id for piece in pieces.values() if piece.position is Position.LOST]
        if lost:
            ids = msgspec.json.encode(lost).decode()
            for item_id, choice in self.book.query(LOAD_WRITTEN_OFF, (ids,)):
                pieces[item_id].written_off = WRITTEN_OFF.get(choice, "")
        settled = [p for p in pieces.values() if p.settled_at is not None]
        if settled:
            for item_id, events in load_answered(self.book, [p.item_id for p in settled]).items():
                pieces[item_id].settled = events
        bare = [p.item_id for p in settled if self._lacks_invoice(p)]
        if bare:
            for (item_id,) in self.book.query(LOAD_UNSOLD, (msgspec.json.encode(bare).decode(),)):
                pieces[item_id].unsold = True

    def _lacks_invoice(self, piece: Piece) -> bool:
        return piece.package_id is not None and not self.packages[piece.package_id].invoice

    def load_shelves(self) -> None:
        """Read how the newest putaway of each piece stands, for what a person may choose."""
        ids = [piece.item_id for order in self.orders.values() for piece in order.pieces]
        rows = self.book.query(_LOAD_SHELVES, (msgspec.json.encode(ids).decode(),))
        self.shelves = {item_id: (state, found) for item_id, state, found in rows}

    def _load_pieces(self, order_ids: Sequence[str]) -> None:
        sql = _LOAD_PIECES.format(marks=",".join("?" * len(order_ids)))
        orders = self.orders
        for row in self.book.query(sql, (self.account_id, *order_ids)):
            order = orders.get(row[1])
            if order is None:
                order = Order(
                    pk=row[0], order_id=row[1], state=row[2], facts=row[3], pieces=[], packages=[]
                )
                orders[row[1]] = order
            order.pieces.append(_piece(row))

    def load_left(self, left: Mapping[int, int]) -> None:
        """Read these parcels too, which pieces have left. ``left``: parcel id -> order pk."""
        by_pk = {order.pk: order for order in self.orders.values()}
        of_package = {id_: by_pk[pk] for id_, pk in left.items() if id_ not in self.packages}
        if of_package:
            self._load_packages(of_package)

    def _load_packages(self, of_package: Mapping[int, Order]) -> None:
        wanted = list(of_package)
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            for row in self.book.query(
                _LOAD_PACKAGES.format(marks=",".join("?" * len(part))), part
            ):
                package = _package(row)
                self.packages[package.id] = package
                of_package[package.id].packages.append(package)
        came = [p for p in map(self.packages.__getitem__, wanted) if p.came_from_id is not None]
        if came:
            self._load_former({p.order_pk: of_package[p.id] for p in came})
        for order in self.orders.values():
            for piece in order.pieces:
                if piece.package_id is not None:
                    take_names(piece, self.packages[piece.package_id])
        for package in came:
            name_pieces(of_package[package.id], package)

    def _load_former(self, by_pk: Mapping[int, Order]) -> None:
        """The parcels that these orders' parcels came from, as far as no piece is in them."""
        wanted = list(by_pk)
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            for row in self.book.query(_LOAD_FORMER.format(marks=",".join("?" * len(part))), part):
                if row[0] not in self.packages:
                    package = _package(row)
                    self.packages[package.id] = package
                    by_pk[package.order_pk].packages.append(package)

    def new_package(self, order: Order, piece: Piece, **known: Any) -> Package:
        """Make a parcel for pieces of this order. ``known`` are fields the channel told."""
        self.shared.package_id += 1
        package = Package(
            id=self.shared.package_id, order_pk=order.pk, facility_id=piece.facility_id,
            code=package_code(self.shared.package_id), state=Position.CREATED.value, blocked="",
            fresh=True, **known,
        )  # fmt: skip
        self.packages[package.id] = package
        order.packages.append(package)
        return package

    def settle_parcel(self, order: Order, package_id: int) -> None:
        """Let the parcel stand where the least advanced of its live pieces stands."""
        package = self.packages[package_id]
        if len(order.pieces) == 1 and order.pieces[0].package_id == package_id:
            state = order.pieces[0].position._value_
        else:
            state = parcel_state([p.position for p in order.pieces if p.package_id == package_id])
        if state != package.state:
            package.state = state
            package.dirty = True

    @property
    def numbers_invoices(self) -> bool:
        """Whether the seller issues the invoices, so that a parcel needs a number."""
        return self.policies.invoice_issuer is InvoiceIssuer.SELLER

    def issue_invoice(self, package: Package, sequence: SequenceRow, at: int) -> str:
        """Give the package the next number of the sequence."""
        package.invoice = take_number(sequence)
        self.shared.used_sequences.add(package.facility_id)
        self.invoices.append(
            (
                package.id,
                package.facility_id,
                DocumentKind.SALE_INVOICE.value,
                package.invoice,
                "ISSUED",
                at,
            )
        )
        return package.invoice

    def void_invoice(self, package: Package) -> None:
        """The package's sale invoice no longer counts; its number stays used."""
        self.voided.append((package.id, DocumentKind.SALE_INVOICE.value))
        package.invoice = ""

    def open_putaway(self, piece: Piece, kind: str, reason: str, at: int) -> None:
        """Ask the warehouse to put the piece on a shelf."""
        self.putaways.append((piece.item_id, piece.facility_id, kind, reason, at))

    def open_trouble(
        self, piece: Piece | None, order: Order, fact: Fact, code: str, severity: str, at: int,
        more: str = "",
    ) -> None:  # fmt: skip
        """Open an exception for a person, with this fact as the evidence; ``more`` is added.

        The fact that brought the piece to where it is, the other side, is looked up here.
        """
        against, whose = None, ""
        item_id = None if piece is None else piece.item_id
        if piece is not None:
            against, whose = brought_by(self.book, self.decisions, order.pk, piece.item_id)
            self.questions.setdefault(piece.item_id, []).append((code, fact.id, fact.occurred_at))
        message = f"{trouble_text(code, piece, fact, whose)} {more}".rstrip()
        self.troubles.append(
            (
                self.account_id,
                order.order_id,
                item_id,
                fact.id,
                code,
                severity,
                message,
                at,
                against,
            )
        )

    def close_troubles(
        self, piece: Piece, codes: Iterable[str], by: str, note: str, at: int, choice: str = "",
        *, fact: Fact | None = None,
    ) -> None:  # fmt: skip
        """Close the piece's open exceptions of these codes, as far as ``fact`` answers them."""
        opened = self.questions.get(piece.item_id)
        if not opened:
            return
        wanted = set(codes)
        for question in [one for one in opened if one[0] in wanted]:
            code, inbox_id, since = question
            if fact is None or answers(fact, code, since):
                opened.remove(question)
                row = (at, by, note, choice, piece.item_id, code, inbox_id)
                self.closed_troubles.append(row)

    def end_putaway(self, piece: Piece, actor: str, reason: str, at: int) -> None:
        """The piece's open putaway is called off."""
        self.ended_putaways.append((at, actor, reason, piece.item_id))

    def move(self, piece: Piece, source: Bucket, target: Bucket, reason: str, at: int) -> None:
        """One piece from one bucket to another."""
        self.shared.count(piece.facility_id, piece.sku, source, target)
        self.moves.add(piece.facility_id, piece.sku, source, target, 1, piece.item_id, reason, at)

    def write(self) -> None:
        """Write everything. Inside one transaction of the caller."""
        book = self.book
        packages = [p for p in self.packages.values() if p.fresh or p.dirty]
        book.insert(_ADD_PACKAGE, [_new_package(p) for p in packages if p.fresh])
        old = [p for p in packages if not p.fresh or p.successor_id is not None]
        book.executemany(_SET_PACKAGE, [_old_package(p) for p in old])
        book.insert(_ADD_INVOICE, self.invoices)
        book.executemany(_VOID_INVOICE, self.voided)
        book.executemany(
            _SET_ITEM, [_item(p) for o in self.orders.values() for p in o.pieces if p.dirty]
        )
        for state, pks in _grouped((o.state, o.pk) for o in self.orders.values() if o.dirty):
            book.query(_SET_ORDERS, (state, msgspec.json.encode(pks).decode()))
        self.moves.flush(book)
        book.executemany(_END_PUTAWAY, self.ended_putaways)
        book.executemany(_FREE_PUTAWAY, self.freed_putaways)
        book.executemany(_ADD_PUTAWAY, self.putaways)
        book.executemany(_HOLD_PUTAWAY, self.held_putaways)
        book.executemany(_ADD_TROUBLE, self.troubles)
        book.executemany(_CLOSE_TROUBLE, self.closed_troubles)
        book.executemany(_ADD_ATTEMPT, self.attempts)
        book.insert(_ADD_DECISION, self.decisions)
        book.insert(_ADD_MESSAGE, self.messages)
        for (state, outcome, code, message), ids in _grouped(self.marks):
            text = msgspec.json.encode(ids).decode()
            book.query(_MARK, (state, outcome, code, message, self.run_id, self.now, text))
        self.shared.write_sequences()


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


def _grouped(pairs: Iterable[tuple[K, int]]) -> Iterable[tuple[K, list[int]]]:
    """Row ids by what shall be written to them: few statements for many rows."""
    groups: dict[K, list[int]] = {}
    for key, row_id in pairs:
        groups.setdefault(key, []).append(row_id)
    return groups.items()


def parcel_state(positions: Sequence[Position]) -> str:
    """A parcel's state from its pieces: the least advanced that is not cancelled."""
    live = [position for position in positions if position is not Position.CANCELLED]
    if len(live) == 1:
        return live[0]._value_
    if not live:
        return Position.CANCELLED.value
    return min(live, key=lambda position: RANK[position] or _LOST_RANK).value


_LOST_RANK: Final = 79  # lost on the way: further than shipped, not delivered


def _piece(row: Sequence[Any]) -> Piece:
    return Piece(
        order_pk=row[0], item_id=row[4], facility_id=row[5], line_id=row[6], sku=row[7],
        piece=row[8], bundle=row[9], position=_POSITIONS[row[10]], package_id=row[11],
        allocated=bool(row[12]), short=bool(row[13]), hold=row[14], changed_at=row[15],
        dispatched_at=row[16], delivered_at=row[17], return_type=row[18], return_id=row[19],
        return_noticed_at=row[20], return_from=row[21], withdrawn_at=row[22],
        uncancelled_at=row[23], held_at=row[24], settled_at=row[25], replaces=row[26],
        cancelled_at=row[27], lost_at=row[28],
        shipment_id="", tracking_number="",
    )  # fmt: skip


def _package(row: Sequence[Any]) -> Package:
    return Package(
        id=row[0], order_pk=row[1], facility_id=row[2], code=row[3], state=row[4],
        shipment_id=row[5], tracking_number=row[6], courier=row[7], blocked=row[8],
        created_at=row[9], dispatched_at=row[10], invoice=row[11] or "", successor_id=row[12],
        came_from_id=row[13], learned=bool(row[14]),
    )  # fmt: skip


def _item(p: Piece) -> tuple[Any, ...]:
    # sqlite3 binds exact str and int fast; a bool or an enum goes through its slow adapters.
    return (
        p.position._value_, p.package_id, 1 if p.allocated else 0, 1 if p.short else 0, p.hold,
        p.changed_at, p.dispatched_at, p.delivered_at, p.return_type, p.return_id,
        p.return_noticed_at,
        p.return_from, p.withdrawn_at, p.uncancelled_at, p.held_at, p.settled_at,
        p.cancelled_at, p.lost_at, p.item_id,
    )  # fmt: skip


def _new_package(p: Package) -> tuple[Any, ...]:
    return (
        p.id, p.order_pk, p.facility_id, p.code, p.state, p.shipment_id, p.tracking_number,
        p.courier, p.blocked, p.created_at, p.dispatched_at, p.came_from_id,
        1 if p.learned else 0,
    )  # fmt: skip


def _old_package(p: Package) -> tuple[Any, ...]:
    return (
        p.state, p.shipment_id, p.tracking_number, p.courier, p.blocked, p.dispatched_at,
        p.successor_id, 1 if p.learned else 0, p.id,
    )  # fmt: skip


_POSITIONS: Final = {position.value: position for position in Position}

_LOAD_PIECES: Final = """
SELECT o.id, o.order_id, o.state, o.facts, i.id, i.facility_id, i.line_id, i.sku, i.piece,
       i.bundle, i.position, i.package_id, i.allocated, i.short, i.hold, i.changed_at,
       i.dispatched_at, i.delivered_at, i.return_type, i.return_id, i.return_noticed_at,
       i.return_from, i.withdrawn_at, i.uncancelled_at, i.held_at, i.settled_at, i.replaces,
       i.cancelled_at, i.lost_at
FROM orders o JOIN item i ON i.order_id = o.id
WHERE o.account_id = ? AND o.order_id IN ({marks}) ORDER BY i.id
"""
_PACKAGES: Final = """
SELECT p.id, p.order_id, p.facility_id, p.code, p.state, p.shipment_id, p.tracking_number,
       p.courier, p.blocked, p.created_at, p.dispatched_at, v.number, p.successor_id,
       p.came_from_id, p.learned
FROM package p LEFT JOIN invoice v
     ON v.package_id = p.id AND v.kind = 'SALE_INVOICE' AND v.state = 'ISSUED'
"""
_LOAD_PACKAGES: Final = f"{_PACKAGES}WHERE p.id IN ({{marks}}) ORDER BY p.id"
_LOAD_FORMER: Final = (
    f"{_PACKAGES}WHERE p.order_id IN ({{marks}}) AND p.successor_id IS NOT NULL ORDER BY p.id"
)
_LOAD_SHELVES: Final = (
    "SELECT p.item_id, p.state, p.disposition FROM json_each(?) wanted "
    "JOIN putaway p ON p.item_id = wanted.value ORDER BY p.opened_at, p.id"
)
_LOAD_FACILITY: Final = """
SELECT f.id, f.code, f.state, f.traceability,
       CASE WHEN EXISTS (SELECT 1 FROM facility o WHERE o.code = f.code AND o.id <> f.id)
       THEN t.code ELSE '' END, s.id, s.prefix, s.next_number, s.width
FROM facility f JOIN tenant t ON t.id = f.tenant_id
LEFT JOIN sequence s ON s.facility_id = f.id AND s.kind = ? WHERE f.id = ?
"""
_LOAD_STOCK: Final = "SELECT quantity FROM stock WHERE facility_id = ? AND sku = ? AND bucket = ?"
_ADD_PACKAGE: Final = (
    "INSERT INTO package (id, order_id, facility_id, code, state, shipment_id, tracking_number, "
    "courier, blocked, created_at, dispatched_at, came_from_id, learned) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SET_PACKAGE: Final = (
    "UPDATE package SET state = ?, shipment_id = ?, tracking_number = ?, courier = ?, "
    "blocked = ?, dispatched_at = ?, successor_id = ?, learned = ? WHERE id = ?"
)
_ADD_INVOICE: Final = (
    "INSERT INTO invoice (package_id, facility_id, kind, number, state, issued_at) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_VOID_INVOICE: Final = "UPDATE invoice SET state = 'VOIDED' WHERE package_id = ? AND kind = ?"
_SET_ITEM: Final = (
    "UPDATE item SET position = ?, package_id = ?, allocated = ?, short = ?, hold = ?, "
    "changed_at = ?, dispatched_at = ?, delivered_at = ?, return_type = ?, return_id = ?, "
    "return_noticed_at = ?, return_from = ?, withdrawn_at = ?, uncancelled_at = ?, "
    "held_at = ?, settled_at = ?, cancelled_at = ?, lost_at = ? WHERE id = ?"
)
_SET_ORDERS: Final = "UPDATE orders SET state = ? WHERE id IN (SELECT value FROM json_each(?))"
_ADD_PUTAWAY: Final = (
    "INSERT INTO putaway (item_id, facility_id, kind, state, disposition, reason, opened_at, "
    "actor) VALUES (?, ?, ?, 'PENDING', '', ?, ?, '') ON CONFLICT (item_id, kind) DO UPDATE SET "
    "state = 'PENDING', disposition = '', reason = excluded.reason, opened_at = "
    "excluded.opened_at, closed_at = NULL, actor = '' WHERE putaway.state = 'CANCELLED'"
)
_END_PUTAWAY: Final = (
    "UPDATE putaway SET state = 'CANCELLED', closed_at = ?, actor = ?, reason = ? "
    "WHERE item_id = ? AND state IN ('PENDING', 'HELD')"
)
_FREE_PUTAWAY: Final = (
    "UPDATE putaway SET state = 'PENDING', reason = ? WHERE item_id = ? AND state = 'HELD'"
)
_HOLD_PUTAWAY: Final = (
    "UPDATE putaway SET state = 'HELD', reason = ? WHERE item_id = ? AND state = 'PENDING'"
)
_ADD_TROUBLE: Final = (
    "INSERT INTO exceptions (account_id, order_id, item_id, inbox_id, code, severity, message, "
    "state, opened_at, closed_by, note, against_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 'OPEN', ?, '', '', ?) "
    "ON CONFLICT (item_id, code, inbox_id) DO NOTHING"
)
_CLOSE_TROUBLE: Final = (
    "UPDATE exceptions SET state = 'CLOSED', closed_at = ?, closed_by = ?, note = ?, choice = ? "
    "WHERE item_id = ? AND code = ? AND inbox_id IS ? AND state = 'OPEN'"
)
_ADD_ATTEMPT: Final = (
    "INSERT INTO attempt (item_id, at) VALUES (?, ?) "
    "ON CONFLICT (item_id) DO UPDATE SET at = max(at, excluded.at)"
)
_ADD_DECISION: Final = (
    "INSERT INTO decision (inbox_id, order_id, item_id, event, before, after, outcome, code, "
    "steps, implied, run_id, actor, note, occurred_at, decided_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_MESSAGE: Final = (
    "INSERT INTO outbox (account_id, topic, inbox_id, created_at) VALUES (?, ?, ?, ?)"
)
_MARK: Final = (
    "UPDATE inbox SET state = ?, outcome = ?, code = ?, message = ?, tries = tries + 1, "
    "decided_run = ?, decided_at = ? WHERE id IN (SELECT value FROM json_each(?))"
)
