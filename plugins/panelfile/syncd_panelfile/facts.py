"""From the lines of a table to facts. A line that cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b

from msgspec.structs import replace

from syncd import NewOrder, ReportFile, Status, StatusChange
from syncd.errors import PanelAnswer
from syncd.meanings import Meaning
from syncd_panelfile.cells import BadCell
from syncd_panelfile.orders import Orders
from syncd_panelfile.parts import Parts
from syncd_panelfile.row import MAX_TEXT, RETURNS, Row
from syncd_panelfile.settings import Plan, same
from syncd_panelfile.table import Table, data_lines, read_table
from syncd_panelfile.text import Line


class Reader:
    """Reads one file by a plan. ``at`` dates what has no date of its own: it was so by then."""

    def __init__(self, file: ReportFile, plan: Plan, at: datetime) -> None:
        self._file = file
        self._plan = plan
        self._at = file.at or at

    def changes(self) -> Iterator[StatusChange]:
        """What the file says became of orders; each fact once. Never raises: a file that is no
        table is one unreadable row."""
        parts, seen = Parts(), set[str]()
        try:
            for change in self._rows():
                if not self._plan.totals and not change.problem:
                    parts.add(change)
                elif change.evidence_id not in seen:
                    seen.add(change.evidence_id)
                    yield change
        except PanelAnswer as error:
            yield self._no_table(str(error))
        yield from parts.facts()

    def _rows(self) -> Iterator[StatusChange]:
        """What each row says. Raises PanelAnswer."""
        table = read_table(self._file, self._plan)
        numbers: dict[tuple[str, ...], str] = {}
        for line in data_lines(table) if table.has_states else ():
            change = self._change(table, line, numbers)
            if change is not None:
                yield change

    def orders(self) -> list[NewOrder]:
        """What the file says was ordered; nothing for a file that does not."""
        try:
            table = read_table(self._file, self._plan)
        except PanelAnswer:
            return []  # the hooks of the statuses tell it
        orders = Orders()
        try:
            for line in data_lines(table) if table.has_orders else ():
                row = Row(table, line, self._plan)
                if row.order_id_or_none() or not table.has_states:
                    orders.add(row, line)
                # Else it is told as a fact that cannot be read.
        except PanelAnswer as error:
            orders.spoil(str(error), self._file.name)  # the rest of an order may be further down
        return orders.done(self._at)

    def _change(
        self, table: Table, line: Line, numbers: dict[tuple[str, ...], str]
    ) -> StatusChange | None:
        row = Row(table, line, self._plan)
        try:
            if line.problem:
                raise BadCell(line.problem)
            order_id = row.order_id()
            meaning = self._meaning(table, row)
            if meaning.status is None:
                return None
            change = self._fact(row, order_id, meaning)
            if self._plan.totals:
                _only_one_parcel(change, row.id("tracking_number"), numbers)
            return change
        except BadCell as error:
            return StatusChange(
                order_id=row.order_id_or_none(),
                line_id=row.id_or_none("line_id"),
                sku=row.id_or_none("sku"),
                return_id=row.id_or_none("return_id"),
                shipment_id=row.id_or_none("shipment_id"),
                tracking_number=row.id_or_none("tracking_number"),
                status=Status.UNKNOWN,
                native_status=row.text("status"),
                occurred_at=self._at,
                raw=row.raw(),
                problem=f"Line {line.number} of the file: {error}.",
                evidence_id=_name("row", row.raw() or str(line.number)),
            )

    def _meaning(self, table: Table, row: Row) -> Meaning:
        if table.implied is not None:
            return row.typed(table.implied)
        word = row.text("status")
        if not word:
            raise BadCell("its status is empty")
        meaning = self._plan.statuses.get(same(word))
        if meaning is None:
            raise BadCell(f'"{word[:60]}" is not among the statuses of the account; add it there')
        return row.typed(meaning)

    def _fact(self, row: Row, order_id: str, meaning: Meaning) -> StatusChange:
        assert meaning.status is not None
        stamp = row.moment("occurred_at")
        # Where each row is a part, one that does not say how many pieces is about one.
        quantity = row.quantity() or (1 if row.is_part else None)
        number, parcel = row.id("tracking_number"), row.id("shipment_id")
        back = meaning.status in RETURNS
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
            shipment_id=parcel or ("" if back else self._parcel_of(number)),
            tracking_number="" if back else number,
            courier=row.text("courier")[:MAX_TEXT],
            location_id=row.id("location_id"),
            reason=row.text("reason")[:MAX_TEXT],
            facts=row.facts(),
        )
        parts = (
            change.order_id, change.line_id, change.sku, quantity, change.status,
            change.return_type, change.return_id, parcel, number,
            same(change.native_status), stamp.isoformat() if stamp else "",
        )  # fmt: skip
        name = _name("fact", "\x1f".join(map(str, parts)))
        return replace(change, evidence_id=name)

    def _parcel_of(self, number: str) -> str:
        """Where each row is a part, its number names the parcel, unless a column does so."""
        return "" if self._plan.totals or "shipment_id" in self._plan.columns else number

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


def _only_one_parcel(
    change: StatusChange, number: str, numbers: dict[tuple[str, ...], str]
) -> None:
    """Refuse a second total of a line whose tracking number is not that of the first.

    ``numbers`` are those of the rows so far. Raises BadCell: two totals would count as one.
    """
    if not number or not change.cumulative or change.shipment_id:
        return
    line = change.line_id or change.sku
    word = (change.status, change.return_type or "", same(change.native_status))
    known = numbers.setdefault((change.order_id, line, *word), number)
    if known != number:
        raise BadCell(
            f"another row tells of {line} with the tracking number {known}, this one with "
            f"{number}; if a row's quantity is that of its parcel, set columns.shipment_id to the "
            "column that names the parcel, and if it is what was ordered, leave columns.quantity "
            'out (or set quantities = "part" if each row is a part of what happened)'
        )


def _name(kind: str, text: str) -> str:
    return f"{kind}:{blake2b(text.encode(errors='backslashreplace'), digest_size=16).hexdigest()}"
