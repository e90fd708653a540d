"""One line of a table by our names for its columns."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from syncd import ReturnType, Status
from syncd.meanings import Meaning
from syncd_panelfile.cells import BadCell, id_of, quantity_of, text_of, time_of
from syncd_panelfile.settings import Plan, same
from syncd_panelfile.table import Table
from syncd_panelfile.text import Line

SHIPS: Final = "ships"
MAX_RAW: Final = 4_000
MAX_TEXT: Final = 200
RETURNS: Final = (Status.RETURN_NOTICED, Status.RETURNED, Status.RETURN_WITHDRAWN)


class Row:
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
        if not word or meaning.status not in RETURNS:
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
