"""One batch of orders on its way into the book: read what is known, add what is not, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from syncd.book.documents import package_code
from syncd.book.facts import LINE
from syncd.book.intake_burial import Burial
from syncd.book.intake_checks import Note, Problem
from syncd.book.intake_files import NO_STATES
from syncd.book.intake_known import (
    Desk,
    Known,
    load_known,
    load_tombstones,
    reopen,
    unpark,
)
from syncd.book.intake_names import Adopted, compare_names, wanted_pieces
from syncd.book.order_facts import FactsUnreadable, order_facts
from syncd.book.records import Act, Record, refresh_orders, write_records
from syncd.book.replacing import ambiguous, open_exception, replaced_order, stands_in_for
from syncd.book.stock import Bucket, Moves, on_hand
from syncd.book.wording import listed, pieces
from syncd.clock import to_micros
from syncd.rules import Piece, Position, roll_up
from syncd.statuses import NewOrder, OrderLine

_FREE_STATES: Final = frozenset(
    {Position.PENDING_VERIFICATION, Position.UNFULFILLABLE, Position.LOCATION_NOT_SERVICEABLE}
)
_LEFT: Final = frozenset({Position.DISPATCHED, Position.SHIPPED, Position.DELIVERED})
_NO_PARCEL: Final = _FREE_STATES | {Position.FULFILLABLE}


class Batch:
    """At most 500 orders. :meth:`take` must run inside a transaction."""

    def __init__(self, desk: Desk, orders: Sequence[NewOrder]) -> None:
        self.new = self.known = self.changed = self.pieces = 0
        self.born_cancelled = self.unparked = 0
        self.problems: list[Problem] = []
        self.notes: list[Note] = []
        self._desk = desk
        self._book = desk.book
        self._orders = orders
        self._moves = Moves()
        self._order_rows: list[tuple[Any, ...]] = []
        self._item_rows: list[tuple[Any, ...]] = []
        self._package_rows: list[tuple[Any, ...]] = []
        self._burial = Burial(desk)
        self._facts_rows: list[tuple[str, str, int]] = []
        self._named_items: list[tuple[Any, ...]] = []
        self._growth: list[Record] = []
        self._named_facts: list[tuple[str, int, str, str]] = []
        self._widened: set[int] = set()
        self._grown: list[str] = []  # orders that are new or have new pieces
        self._raised: dict[str, tuple[int, set[str]]] = {}  # for known orders, see reopen

    def take(self) -> None:
        """Work the batch through and write it."""
        book = self._book
        ids = list({order.order_id for order in self._orders})
        self._found = load_known(book, self._desk.account_id, ids)
        self._tombstones = load_tombstones(book, self._desk.account_id, ids)
        self._order_pk = book.ids("orders")
        self._item_id = book.ids("item")
        self._package_id = book.ids("package")
        placed = list(self._places())
        self._free = on_hand(
            book, ((place, sku) for order, place in placed for sku in _skus(order.lines))
        )
        for order, facility_id in placed:
            self._take_order(order, facility_id)
        self._write()

    def _places(self) -> Iterable[tuple[NewOrder, int]]:
        for order in self._orders:
            try:
                yield order, self._desk.facility(order.location_id)
            except LookupError as error:
                self.problems.append(Problem(order.order_id, str(error), raw=order.raw))

    def _take_order(self, order: NewOrder, facility_id: int) -> None:
        known = self._found.get(order.order_id)
        doubt = ambiguous(order, known)
        if doubt:
            open_exception(self._desk, order.order_id, doubt)
            self.problems.append(Problem(order.order_id, doubt, raw=order.raw))
            return
        if known is None:
            self._take_new(order, facility_id)
            return
        naming = compare_names(order, known, self._desk.source)
        if naming.problem:
            self.problems.append(Problem(order.order_id, naming.problem, kept=True, raw=order.raw))
        self._adopt(order, known, naming.adopted)
        taken = structs.replace(order, lines=tuple(naming.lines))
        added = self._add_pieces(taken, known, facility_id, to_micros(order.placed_at))
        merged = _merged(order.order_id, known.facts, order.facts)
        replaces = known.replaces or replaced_order(order)
        if (merged, replaces) != (known.facts, known.replaces):
            known.facts, known.replaces = merged, replaces
            self._facts_rows.append((merged, replaces, known.pk))
        elif not (added or naming.adopted):
            self.known += 1
            return
        self.changed += 1
        if added:
            self._widened.add(known.pk)
            _, lines = self._raised.setdefault(order.order_id, (added[0].item_id, set()))
            lines.update(piece.line_id for piece in added)
            if not all(piece.replaces for piece in added):
                lines.add("")  # a replacement is in nothing that was said without a line
            self._record_growth(known.pk, added)

    def _adopt(self, order: NewOrder, known: Known, names: Sequence[Adopted]) -> None:
        """Give pieces that the book had named by their SKU the panel's line ids."""
        for one in names:
            known.lines[one.line_id] = [one.sku] * one.count
            known.stands[one.line_id] = known.stands[one.sku]
            known.lines[one.sku] = [one.sku] * one.first
            self._named_items.append(
                (one.line_id, one.first, known.pk, one.sku, one.first, one.first + one.count)
            )
            text = f"{pieces(one.count)} known by the SKU {one.sku} alone: line {one.line_id}."
            self.notes.append(Note(order.order_id, text))
        for sku in {one.sku for one in names}:
            if not known.lines[sku]:
                del known.lines[sku]
        if names:
            self._grown.append(order.order_id)  # what was told of these ids has waited
        if len(names) == 1 and names[0].first == 0:  # and what was of the SKU's line is of this one
            row = (names[0].line_id, self._desk.account_id, order.order_id, names[0].sku)
            self._named_facts.append(row)

    def _take_new(self, order: NewOrder, facility_id: int) -> None:
        facts = _facts_text(order.facts)
        known = Known(self._order_pk, facts, replaced_order(order), self._desk.source)
        self._order_pk += 1
        self._found[order.order_id] = known
        placed_at = to_micros(order.placed_at)
        pieces = self._add_pieces(order, known, facility_id, placed_at)
        allocated = any(piece.allocated for piece in pieces)
        state = roll_up([piece.position for piece in pieces], allocated=allocated)
        self._order_rows.append(
            (
                known.pk, self._desk.account_id, order.order_id, str(state), placed_at,
                self._desk.at, self._desk.source, known.facts, known.replaces,
            )
        )  # fmt: skip
        self.new += 1

    def _add_pieces(
        self, order: NewOrder, known: Known, facility_id: int, placed_at: int
    ) -> list[Piece]:
        """The pieces that the book lacks, as new rows."""
        pieces: list[Piece] = []
        for line in order.lines:
            wanted = wanted_pieces(line)
            have = known.lines.setdefault(line.line_id, [])
            self._compare(order, line, wanted, have)
            stands_in = known.stands_in.get(line.line_id) or stands_in_for(order, line)
            if stands_in:
                known.stands_in[line.line_id] = stands_in
            for number in range(len(have), len(wanted)):
                sku, bundle = wanted[number]
                have.append(sku)
                pieces.append(
                    Piece(
                        item_id=self._item_id, line_id=line.line_id, sku=sku, piece=number,
                        bundle=bundle, position=Position.UNFULFILLABLE, changed_at=placed_at,
                        replaces=stands_in,
                    )
                )  # fmt: skip
                self._item_id += 1
        if pieces:
            self._grown.append(order.order_id)
            self._settle(order, known, facility_id, placed_at, pieces)
            for piece in pieces:
                known.stands.setdefault(piece.line_id, set()).add(piece.position.value)
        return pieces

    def _record_growth(self, order_pk: int, added: Sequence[Piece]) -> None:
        """Write down what came into the order after it, for who asks why it is as it is."""
        counts = Counter((piece.line_id, piece.sku) for piece in added)
        came = (f"{count} of {sku} in line {line}" for (line, sku), count in counts.items())
        self._growth.append(
            Record(
                order_pk=order_pk, act=Act.GROW, before="", after="", code="order_grown",
                actor=f"import from {self._desk.source}", at=self._desk.at,
                note=listed(came),
            )
        )  # fmt: skip

    def _compare(
        self,
        order: NewOrder,
        line: OrderLine,
        wanted: Sequence[tuple[str, str]],
        have: Sequence[str],
    ) -> None:
        """Tell where an order shows more or less than the book has, or something else."""
        if have and len(wanted) > len(have):
            text = f"Line {line.line_id} was raised from {pieces(len(have))} to {len(wanted)}."
            self.notes.append(Note(order.order_id, text))
        if len(wanted) < len(have):
            reason = (
                f"Line {line.line_id} now shows {pieces(len(wanted))}, the book has {len(have)}; "
                "they were left, for only a cancellation takes pieces away."
            )
            self.problems.append(Problem(order.order_id, reason, kept=True))
        elif any(sku != old for (sku, _), old in zip(wanted, have, strict=False)):
            reason = (
                f"Line {line.line_id} was {have[0]} and now shows {line.sku}; it was left as it "
                "was. A replaced article needs a line id of its own."
            )
            self.problems.append(Problem(order.order_id, reason, kept=True))

    def _settle(
        self,
        order: NewOrder,
        known: Known,
        facility_id: int,
        placed_at: int,
        pieces: list[Piece],
    ) -> None:
        """Decide where each new piece begins: cancelled, as the file says, or by stock."""
        tombstones = self._tombstones.get(order.order_id)
        states: Mapping[str, str] = getattr(order, "states", NO_STATES)
        if tombstones and states:
            self._burial.leave(tombstones)
        elif tombstones:
            self._burial.bury(known.pk, pieces, tombstones)
        parcels: dict[Position, int] = {}
        for piece in pieces:
            if piece.position is not Position.CANCELLED:
                state = states.get(piece.line_id)
                if state:
                    self._as_told(known.pk, facility_id, placed_at, piece, Position(state), parcels)
                else:
                    self._by_stock(facility_id, piece)
            self._item_rows.append(_item_row(known.pk, facility_id, piece))
        self.pieces += len(pieces)

    def _by_stock(self, facility_id: int, piece: Piece) -> None:
        """Promise a free piece of stock, if there is one."""
        left = self._free.get((facility_id, piece.sku), 0)
        if left < 1:
            return
        self._free[facility_id, piece.sku] = left - 1
        piece.position = Position.FULFILLABLE
        piece.allocated = True
        self._moves.add(
            facility_id, piece.sku, Bucket.ON_HAND_GOOD, Bucket.ALLOCATED, 1, piece.item_id,
            "allocated", self._desk.at,
        )  # fmt: skip

    def _as_told(
        self,
        order_pk: int,
        facility_id: int,
        placed_at: int,
        piece: Piece,
        position: Position,
        parcels: dict[Position, int],
    ) -> None:
        """Begin in mid-life. Such a piece brings its own stock, which the shelf never had, and
        its invoice, if it has one, is with the system that it comes from."""
        piece.position = position
        if position in _FREE_STATES:
            return
        target = Bucket.ALLOCATED
        if position in _LEFT:
            target = Bucket.SOLD if position is Position.DELIVERED else Bucket.IN_TRANSIT_OUT
            piece.dispatched_at = placed_at
            piece.delivered_at = placed_at if position is Position.DELIVERED else None
        piece.allocated = target is Bucket.ALLOCATED
        self._moves.add(
            facility_id, piece.sku, Bucket.OUTSIDE, target, 1, piece.item_id,
            f"imported as {position}", self._desk.at,
        )  # fmt: skip
        if position not in _NO_PARCEL:
            if position not in parcels:
                parcels[position] = self._parcel(order_pk, facility_id, placed_at, piece)
            piece.package_id = parcels[position]

    def _parcel(self, order_pk: int, facility_id: int, placed_at: int, piece: Piece) -> int:
        package_id = self._package_id
        self._package_id += 1
        self._package_rows.append(
            (
                package_id, order_pk, facility_id, package_code(package_id),
                piece.position.value, placed_at, piece.dispatched_at,
            )
        )  # fmt: skip
        return package_id

    def _write(self) -> None:
        book = self._book
        book.executemany(_ADD_ORDER, self._order_rows)
        book.executemany(_ADD_PACKAGE, self._package_rows)
        book.executemany(_ADD_ITEM, self._item_rows)
        book.executemany(_NAME_LINE, self._named_items)
        book.executemany(_NAME_FACTS, self._named_facts)
        book.executemany("UPDATE orders SET facts = ?, replaces = ? WHERE id = ?", self._facts_rows)
        self.unparked += self._burial.write()
        self.born_cancelled = self._burial.born_cancelled
        self._moves.flush(book)
        refresh_orders(book, self._widened)
        write_records(book, self._growth)
        self.unparked += unpark(book, self._desk.account_id, list(dict.fromkeys(self._grown)))
        self.unparked += reopen(book, self._desk.account_id, self._raised)


def _skus(lines: Iterable[OrderLine]) -> Iterable[str]:
    for line in lines:
        if line.components:
            yield from line.components
        else:
            yield line.sku


def _merged(order_id: str, stored: str, facts: Mapping[str, str]) -> str:
    """The stored facts with the new ones over them, or in their place if they are damaged."""
    try:
        old = order_facts(order_id, stored)
    except FactsUnreadable:
        return _facts_text(facts)
    return stored if facts.items() <= old.items() else _facts_text({**old, **facts})


def _facts_text(facts: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(facts)).decode() if facts else "{}"


def _item_row(order_pk: int, facility_id: int, piece: Piece) -> tuple[Any, ...]:
    return (
        piece.item_id, order_pk, facility_id, piece.line_id, piece.sku, piece.piece,
        piece.bundle, piece.position.value, piece.package_id, piece.allocated,
        piece.changed_at, piece.dispatched_at, piece.delivered_at, piece.replaces,
    )  # fmt: skip


_ADD_ORDER: Final = (
    "INSERT INTO orders (id, account_id, order_id, state, placed_at, imported_at, source, facts, "
    "replaces) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_PACKAGE: Final = (
    "INSERT INTO package (id, order_id, facility_id, code, state, shipment_id, tracking_number, "
    "courier, blocked, created_at, dispatched_at) VALUES (?, ?, ?, ?, ?, '', '', '', '', ?, ?)"
)
_ADD_ITEM: Final = (
    "INSERT INTO item (id, order_id, facility_id, line_id, sku, piece, bundle, position, "
    "package_id, allocated, changed_at, dispatched_at, delivered_at, replaces, short, hold, "
    "return_type, return_id, return_from) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '', '')"
)
_NAME_LINE: Final = (
    "UPDATE item SET line_id = ?, piece = piece - ? "
    "WHERE order_id = ? AND line_id = ? AND piece >= ? AND piece < ?"
)
_NAME_FACTS: Final = (
    f"UPDATE inbox SET as_line = ? WHERE account_id = ? AND order_id = ? AND {LINE} = ?"
)
