"""A batch of orders in memory: read whole, changed by the verbs, written back at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from syncd.book import sheet_writing
from syncd.book.contradictions import (
    LOAD_OPEN,
    LOAD_UNSOLD,
    LOAD_WRITTEN_OFF,
    answers,
    brought_by,
    load_answered,
    trouble_text,
)
from syncd.book.documents import DocumentKind, SequenceRow, package_code, take_number
from syncd.book.facts import Fact
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Order, Package, Piece, package_of, parcel_state, piece_of
from syncd.book.stock import Bucket, Moves
from syncd.book.store import Book
from syncd.book.succession import name_pieces, take_names
from syncd.rules import USUAL, InvoiceIssuer, Policies, Position

_CHUNK: Final = 500

WRITTEN_OFF: Final = {"claim_paid": Bucket.SOLD.value, "written_off": Bucket.OUTSIDE.value}
"""Where a lost piece counts once its claim was settled so."""

Mark = tuple[str, str, str, str]
"""State, outcome, reason code and message of a journal row."""


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
            order.pieces.append(piece_of(row))

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
                package = package_of(row)
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
                    package = package_of(row)
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

    def hold_putaway(self, piece: Piece, reason: str) -> bool:
        """The piece's open putaway waits for a person. Returns whether there is one."""
        self.held_putaways.append((reason, piece.item_id))
        if any(row[0] == piece.item_id for row in self.putaways):
            return True
        return self.book.query(_OPEN_PUTAWAY, (piece.item_id,)).fetchone() is not None

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
        sheet_writing.write(self)


_LOAD_PIECES: Final = """
SELECT o.id, o.order_id, o.state, o.facts, i.id, i.facility_id, i.line_id, i.sku, i.piece,
       i.bundle, i.position, i.package_id, i.allocated, i.short, i.hold, i.changed_at,
       i.dispatched_at, i.delivered_at, i.return_type, i.return_id, i.return_noticed_at,
       i.return_from, i.withdrawn_at, i.uncancelled_at, i.held_at, i.settled_at, i.replaces,
       i.cancelled_at, i.lost_at, i.withdrawn_type
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
_OPEN_PUTAWAY: Final = "SELECT 1 FROM putaway WHERE item_id = ? AND state IN ('PENDING', 'HELD')"
