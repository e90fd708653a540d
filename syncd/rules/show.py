"""The decision table as text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from syncd.rules.cells import Cell
from syncd.rules.table import TABLE
from syncd.rules.words import Event, Position

_HEADS = ("at", "outcome", "reason", "steps and conditions")


def table_lines(events: Iterable[Event] = tuple(Event)) -> Iterator[str]:
    """The table, one block for each event, positions that fare alike on one row."""
    for event in events:
        yield ""
        yield f"{event}"
        rows = [_HEADS, *_rows(event)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            cells = (text.ljust(width) for text, width in zip(row, widths, strict=False))
            yield "  " + "  ".join((*cells, row[3])).rstrip()


def _rows(event: Event) -> Iterator[tuple[str, str, str, str]]:
    cells = (TABLE[position, event] for position in Position)
    for _, group in groupby(cells, key=_fate):
        alike = list(group)
        for number, cell in enumerate(alike):
            yield (str(cell.position), *(_fate(cell) if number == 0 else ('"', "", "")))


def _fate(cell: Cell) -> tuple[str, str, str]:
    moves = cell.target != cell.position
    outcome = f"{cell.outcome} → {cell.target}" if moves else str(cell.outcome)
    return outcome, str(cell.reason), "; ".join(_clauses(cell))


def _clauses(cell: Cell) -> Iterator[str]:
    if cell.steps:
        yield ", ".join(str(step) for step in cell.steps)
    if cell.needs_evidence:
        yield "needs evidence of dispatch"
    if cell.grace:
        yield "after one sweep"
    for since, older in zip(cell.newer_than, cell.older, strict=True):
        yield f"only newer than {since.replace('_', ' ')}, else {older.outcome} {older.reason}"
