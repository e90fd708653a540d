"""From the lines of a table to facts. A line that cannot be read costs only itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from syncd import NewOrder, OrderLine, ReportFile, ReturnType, Status, StatusChange
from syncd.errors import PanelAnswer
from syncd.meanings import Meaning
from syncd_panelfile.cells import BadCell, id_of, quantity_of, text_of, time_of
from syncd_panelfile.settings import Plan, same
from syncd_panelfile.table import Table, data_lines, read_table
from syncd_panelfile.text import Line

SHIPS: Final = "ships"
MAX_RAW: Final = 4_000
MAX_TEXT: Final = 200
_RETURNS: Final = (Status.RETURN_NOTICED, Status.RETURNED, Status.RETURN_WITHDRAWN)


class Reader:
    """Reads one file by a plan. ``at`` dates what has no date of its own: it was so by then."""

    def __init__(self, file: ReportFile, plan: Plan, at: datetime) -> None:
        self._file = file
        self._plan = plan
        self._at = file.at or at

    def changes(self) -> Iterator[StatusChange]:
        """What the file says became of orders; each fact once. Never raises: a file that is no
        table is one unreadable row."""
        seen: Counter[str] = Counter()
        try:
            table = read_table(self._file, self._plan)
            if not table.has_states:
                return
            for line in data_lines(table):
                change = self._change(table, line)
                if change is None:
                    continue
                name = change.evidence_id
                seen[name] += 1
                if seen[name] == 1:
                    yield change
                elif not self._plan.totals and not change.return_id and not change.problem:
                    yield replace(change, evidence_id=f"{name}#{seen[name]}")  # one part more
        except PanelAnswer as error:
            yield self._no_table(str(error))

    def orders(self) -> list[NewOrder]:
        """What the file says was ordered; nothing for a file that does not."""
        try:
            table = read_table(self._file, self._plan)
        except PanelAnswer:
            return []  # the hooks of the statuses tell it
        orders: dict[tuple[str, str], _Order] = {}
        try:
            for line in data_lines(table) if table.has_orders else ():
                self._add(orders, table, line)
        except PanelAnswer as error:
            for order in orders.values():
                order.spoil(str(error), self._file.name)  # the rest of it may be further down
        return [order.done(self._at) for order in orders.values()]

    # Facts --------------------------------------------------------------------------------------

    def _change(self, table: Table, line: Line) -> StatusChange | None:
        row = _Row(table, line, self._plan)
        try:
            if line.problem:
                raise BadCell(line.problem)
            order_id = row.order_id()
            meaning = self._meaning(table, row)
            if meaning.status is None:
                return None
            return self._fact(row, order_id, meaning)
        except BadCell as error:
            return StatusChange(
                order_id=row.order_id_or_none(),
                line_id=row.id_or_none("line_id"),
                sku=row.id_or_none("sku"),
                return_id=row.id_or_none("return_id"),
                status=Status.UNKNOWN,
                native_status=row.text("status"),
                occurred_at=self._at,
                raw=row.raw(),
                problem=f"Line {line.number} of the file: {error}.",
                evidence_id=_name("row", row.raw() or str(line.number)),
            )

    def _meaning(self, table: Table, row: _Row) -> Meaning:
        if table.implied is not None:
            return row.typed(table.implied)
        word = row.text("status")
        if not word:
            raise BadCell("its status is empty")
        meaning = self._plan.statuses.get(same(word))
        if meaning is None:
            raise BadCell(f'"{word[:60]}" is not among the statuses of the account; add it there')
        return row.typed(meaning)

    def _fact(self, row: _Row, order_id: str, meaning: Meaning) -> StatusChange:
        assert meaning.status is not None
        stamp = row.moment("occurred_at")
        quantity = row.quantity()
        back = meaning.status in _RETURNS
        change = StatusChange(
            order_id=order_id,
            status=meaning.status,
            native_status=row.text("status")[:MAX_TEXT],
            occurred_at=stamp or self._at,
            line_id=row.id("line_id"),
            sku=row.id("sku"),
            quantity=quantity,
            # A return is counted by its own id; without one the file counts the line.
            cumulative=quantity is not None and self._plan.totals and not row.id("return_id"),
            return_type=meaning.return_type,
            return_id=row.id("return_id") if back else "",
            shipment_id=row.id("shipment_id"),
            tracking_number="" if back else row.id("tracking_number"),
            courier=row.text("courier")[:MAX_TEXT],
            location_id=row.id("location_id"),
            reason=row.text("reason")[:MAX_TEXT],
            facts=row.facts(),
        )
        parts = (
            change.order_id, change.line_id, change.sku, quantity, change.status,
            change.return_type, change.return_id, change.shipment_id, row.id("tracking_number"),
            same(change.native_status), stamp.isoformat() if stamp else "",
        )  # fmt: skip
        name = _name("fact", "\x1f".join(map(str, parts)))
        return replace(change, evidence_id=name)

    def _no_table(self, problem: str) -> StatusChange:
        digest = blake2b(self._file.content, digest_size=16).hexdigest()
        return StatusChange(
            order_id="",
            status=Status.UNKNOWN,
            native_status="",
            occurred_at=self._at,
            raw=self._file.name[:MAX_TEXT],
            problem=problem,
            evidence_id=f"file:{digest}",
        )

    # Orders -------------------------------------------------------------------------------------

    def _add(self, orders: dict[tuple[str, str], _Order], table: Table, line: Line) -> None:
        row = _Row(table, line, self._plan)
        order_id = row.order_id_or_none()
        if not order_id and table.has_states:
            return  # told as a fact that cannot be read
        place = row.id_or_none("location_id")
        order = orders.setdefault((order_id, place), _Order(order_id, place))
        try:
            if line.problem:
                raise BadCell(line.problem)
            order.add(row)
        except BadCell as error:
            order.spoil(f"Line {line.number} of the file: {error}.", row.raw())


class _Order(Struct):
    """An order as its lines add up."""

    order_id: str
    place: str
    placed_at: datetime | None = None
    lines: dict[str, OrderLine] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)  # lines, each with a word of a state
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    raw: str = ""

    def add(self, row: _Row) -> None:
        """One more line. Raises BadCell."""
        row.order_id()
        sku = row.id("sku")
        if not sku:
            raise BadCell("it names no SKU, so no stock can be found for it")
        placed = row.moment("placed_at")
        if placed is None:
            raise BadCell("it does not say when the order was placed")
        line = OrderLine(
            line_id=row.id("line_id") or sku,
            sku=sku,
            quantity=row.quantity() or 1,
            title=row.text("title")[:MAX_TEXT],
        )
        known = self.lines.get(line.line_id)
        if known is not None:
            line = self._again(known, line, row)
        self.lines[line.line_id] = line
        self.told.add((line.line_id, same(row.text("status"))))
        self.placed_at = min(placed, self.placed_at or placed)
        self.facts.update(row.facts())

    def _again(self, known: OrderLine, line: OrderLine, row: _Row) -> OrderLine:
        """A line that stands there twice: the same again, or more of it. Raises BadCell."""
        if row.is_part and known.sku == line.sku:
            return replace(known, quantity=known.quantity + line.quantity)
        if (known.sku, known.quantity) != (line.sku, line.quantity):
            raise BadCell(
                f"line {line.line_id} stands there twice, with {known.quantity} of {known.sku} and "
                f"{line.quantity} of {line.sku}; which of them holds?"
            )
        plain = not row.id("line_id") and not row.text("quantity")
        if plain and (line.line_id, same(row.text("status"))) in self.told:
            raise BadCell(
                f"{line.sku} stands there twice, and nothing tells two pieces from one that is "
                "told twice; name a column of line ids or of quantities, or set quantities = "
                '"part" if each row is a piece'
            )
        return known

    def spoil(self, problem: str, raw: str) -> None:
        """The order is not whole: a person must look."""
        self.problem = self.problem or problem
        self.raw = (self.raw or raw)[:MAX_RAW]

    def done(self, at: datetime) -> NewOrder:
        """The order, or what is wrong with it."""
        return NewOrder(
            order_id=self.order_id,
            placed_at=self.placed_at or at,
            lines=() if self.problem else tuple(self.lines.values()),
            location_id=self.place,
            facts=self.facts,
            raw=self.raw,
            problem=self.problem,
        )


class _Row:
    """The cells of a line by our names for the columns."""

    def __init__(self, table: Table, line: Line, plan: Plan) -> None:
        self._cells = {
            ours: line.cells[place] if place < len(line.cells) else None
            for ours, place in table.places.items()
        }
        self._plan = plan

    @property
    def is_part(self) -> bool:
        """Whether each row is one part more, by the seller's word."""
        return not self._plan.totals

    def text(self, column: str) -> str:
        return text_of(self._cells.get(column))

    def id(self, column: str) -> str:
        return id_of(self._cells.get(column))

    def id_or_none(self, column: str) -> str:
        try:
            return self.id(column)
        except BadCell:
            return ""

    def order_id(self) -> str:
        """Raises BadCell when there is none."""
        order_id = self.id("order_id")
        if not order_id:
            raise BadCell("it has no order id")
        return order_id

    def order_id_or_none(self) -> str:
        return self.id_or_none("order_id")

    def quantity(self) -> int | None:
        return quantity_of(self._cells["quantity"]) if self.text("quantity") else None

    def moment(self, column: str) -> datetime | None:
        """The time in a column; None if it is empty or not there."""
        if not self.text(column):
            return None
        return time_of(self._cells[column], self._plan.zone, day_first=self._plan.day_first)

    def typed(self, meaning: Meaning) -> Meaning:
        """The meaning with the return type that the line names. Raises BadCell."""
        word = self.text("return_type")
        if not word or meaning.status not in _RETURNS:
            return meaning
        kind: ReturnType | None = self._plan.return_types.get(same(word))
        if kind is None:
            raise BadCell(
                f'"{word[:60]}" is not among the return_types of the account; add it there'
            )
        return meaning._replace(return_type=kind)

    def facts(self) -> dict[str, str]:
        """What ``provides_shipping`` and a person want to know of the parcel."""
        word, number = self.text("ships"), self.id_or_none("tracking_number")
        facts = {SHIPS: word[:MAX_TEXT]} if word else {}
        return facts | ({"tracking": number} if number else {})

    def raw(self) -> str:
        """The cells that are read, and no others: a file may name buyers."""
        cells = ((name, text_of(cell)) for name, cell in self._cells.items())
        return "; ".join(f"{name}={text[:MAX_TEXT]}" for name, text in cells if text)[:MAX_RAW]


def _name(kind: str, text: str) -> str:
    return f"{kind}:{blake2b(text.encode(errors='backslashreplace'), digest_size=16).hexdigest()}"
