"""Orders, put together from the lines of a file that tell what was ordered."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from syncd import NewOrder, OrderLine
from syncd_panelfile.cells import BadCell
from syncd_panelfile.row import MAX_RAW, MAX_TEXT, Row
from syncd_panelfile.settings import same
from syncd_panelfile.text import Line


class Orders:
    """The orders of one file. Each place that an order is sent from has its own."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], Order] = {}
        self._unnamed: dict[tuple[str, str], dict[str, set[str]]] = {}
        """For each order and SKU without a line id: the words of its rows, by place."""

    def add(self, row: Row, line: Line) -> None:
        """One more line; one that cannot be read spoils its order, and no other."""
        order_id, place = row.order_id_or_none(), row.id_or_none("location_id")
        order = self._orders.setdefault((order_id, place), Order(order_id, place))
        spoilt = [order]
        try:
            if line.problem:
                raise BadCell(line.problem)
            order.add(row)
            others = [] if row.id("line_id") else self._elsewhere(row, order_id, place)
            spoilt += [self._orders[order_id, one] for one in others]
            if others:
                raise BadCell(
                    f'{row.id("sku")} stands there for two places, "{others[0]}" and '
                    f'"{place}", and nothing tells two pieces from one that is told twice; name a '
                    "column of line ids"
                )
        except BadCell as error:
            for one in spoilt:
                one.spoil(f"Line {line.number} of the file: {error}.", row.raw())

    def _elsewhere(self, row: Row, order_id: str, place: str) -> list[str]:
        """In which other places a row without a line id may be about the same piece.

        In none if the piece has got a place with another word.
        """
        word = same(row.text("status"))
        told = self._unnamed.setdefault((order_id, row.id("sku")), {})
        told.setdefault(place, set()).add(word)
        return [
            other
            for other, words in told.items()
            if other != place and (row.is_part or (other and place) or word in words)
        ]

    def spoil(self, problem: str, raw: str) -> None:
        """No order is known to be whole."""
        for order in self._orders.values():
            order.spoil(problem, raw)

    def done(self, at: datetime) -> list[NewOrder]:
        """All of them."""
        return [order.done(at) for order in self._orders.values()]


class Order(Struct):
    """An order as its lines add up."""

    order_id: str
    place: str
    placed_at: datetime | None = None
    lines: dict[str, OrderLine] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)  # lines, each with a word of a state
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    raw: str = ""

    def add(self, row: Row) -> None:
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

    def _again(self, known: OrderLine, line: OrderLine, row: Row) -> OrderLine:
        """A line that stands there twice: the same again, or more of it. Raises BadCell."""
        if row.is_part and known.sku == line.sku:
            return replace(known, quantity=known.quantity + line.quantity)
        if (known.sku, known.quantity) != (line.sku, line.quantity):
            raise BadCell(
                f"line {line.line_id} stands there twice, with {known.quantity} of {known.sku} and "
                f"{line.quantity} of {line.sku}; which of them holds?"
            )
        if not row.id("line_id") and (line.line_id, same(row.text("status"))) in self.told:
            raise BadCell(
                f"{line.sku} stands there twice, and nothing tells two pieces from one that is "
                'told twice; name a column of line ids, or set quantities = "part" if each row is '
                "a piece, or some of the pieces"
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
