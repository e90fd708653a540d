"""From the bytes of a file to a table whose columns are known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final

from msgspec import Struct

from syncd import ReportFile
from syncd.errors import PanelAnswer
from syncd.meanings import Meaning
from syncd_panelfile.cells import text_of
from syncd_panelfile.settings import Plan, same
from syncd_panelfile.text import DELIMITERS, Line, decode, lines_of
from syncd_panelfile.workbook import sheet_lines

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_LINES: Final = 250_000
HEADER_WITHIN: Final = 20  # lines; a title may stand above the header
SHOWN_NAMES: Final = 30

_TOTAL: Final = re.compile(
    r"((grand|sub)[ -]?)?totals?( (records?|rows?|orders?|items?|count))?\s*[:=]?\s*[\d.,]*",
    re.IGNORECASE,
)


class Table(Struct):
    """A file's lines under its header. ``places``: our columns, where the file has them.

    ``implied`` is what a file without a status column says by its name.
    """

    name: str
    places: Mapping[str, int]
    width: int
    lines: Iterator[Line]
    implied: Meaning | None = None

    @property
    def has_states(self) -> bool:
        """Whether its lines say what became of something."""
        return "status" in self.places or self.implied is not None

    @property
    def has_orders(self) -> bool:
        """Whether its lines say what was ordered, and when."""
        return {"sku", "placed_at"} <= self.places.keys()


def read_table(file: ReportFile, plan: Plan) -> Table:
    """The table of a file. Raises PanelAnswer, which says what was expected and what is there."""
    if not file.content.strip():
        raise PanelAnswer(f"{file.name}: it is empty. Download it again.")
    if len(file.content) > MAX_BYTES:
        raise PanelAnswer(
            f"{file.name}: it is larger than {MAX_BYTES >> 20} MiB. Download a shorter span."
        )
    header, lines = _headed(file, plan)
    names = [text_of(cell) for cell in header.cells]
    places = _places(file.name, names, plan)
    fits = (
        meaning
        for pattern, meaning in plan.file_statuses.items()
        if fnmatchcase(file.name.casefold(), pattern)
    )
    implied = None if "status" in places else next(fits, None)
    table = Table(file.name, places, len(names), _bounded(file.name, lines), implied)
    if not table.has_states and not table.has_orders:
        raise _nothing_to_say(file.name, names, plan)
    return table


def _headed(file: ReportFile, plan: Plan) -> tuple[Line, Iterator[Line]]:
    """The header and what follows it: the first line that names the order's id."""
    if file.content.startswith(b"PK\x03\x04"):
        return _header_of(file.name, sheet_lines(file.content, file.name), plan)
    if file.content.startswith(b"\xd0\xcf\x11\xe0"):
        raise PanelAnswer(
            f"{file.name}: an old or a locked Excel workbook. Save it as XLSX without a password, "
            "or as CSV."
        )
    text = decode(file.content, plan.encoding, file.name)
    wanted = DELIMITERS if plan.delimiter == "auto" else (plan.delimiter,)
    missed: PanelAnswer | None = None
    # The one that finds the most names is told, should none find the right ones.
    for delimiter in sorted(wanted, key=lambda one: -_width(text, one)):
        try:
            return _header_of(file.name, lines_of(text, delimiter), plan)
        except PanelAnswer as error:
            missed = missed or error
    assert missed is not None
    raise missed


def _width(text: str, delimiter: str) -> int:
    return max((len(line.cells) for line in islice(lines_of(text, delimiter), 3)), default=0)


def _header_of(name: str, lines: Iterator[Line], plan: Plan) -> tuple[Line, Iterator[Line]]:
    wanted = same(plan.columns["order_id"])
    seen: list[Line] = []
    for line in islice(lines, HEADER_WITHIN):
        seen.append(line)
        if wanted in (same(text_of(cell)) for cell in line.cells):
            return line, lines
    best = max(seen, key=lambda line: sum(1 for cell in line.cells if text_of(cell)), default=None)
    names = [text_of(cell) for cell in best.cells] if best else []
    raise PanelAnswer(
        f'{name}: no column "{plan.columns["order_id"]}" in its first {HEADER_WITHIN} lines'
        f"{_near(plan.columns['order_id'], names)}. {_has(names)} Set columns.order_id."
    )


def _places(file: str, names: Sequence[str], plan: Plan) -> dict[str, int]:
    heads = [same(name) for name in names]
    places: dict[str, int] = {}
    for ours, theirs in plan.columns.items():
        wanted = same(theirs)
        if heads.count(wanted) > 1:
            raise PanelAnswer(f'{file}: it has more than one column "{theirs}"; keep one of them.')
        if wanted in heads:
            places[ours] = heads.index(wanted)
    return places


def _nothing_to_say(file: str, names: Sequence[str], plan: Plan) -> PanelAnswer:
    status = plan.columns.get("status", "")
    wish = f'no column "{status}"{_near(status, names)}' if status else "no status column is set"
    return PanelAnswer(
        f"{file}: it says neither what became of an order nor what was ordered: {wish}, no entry "
        f"of file_statuses fits its name, and sku with placed_at are not both there. {_has(names)}"
    )


def _near(wanted: str, names: Sequence[str]) -> str:
    by_key = {same(name): name for name in names if name}
    near = get_close_matches(same(wanted), by_key, n=1)
    return f' (the nearest is "{by_key[near[0]]}")' if near else ""


def _has(names: Sequence[str]) -> str:
    shown = [name[:40] for name in names if name][:SHOWN_NAMES]
    return f"It has: {', '.join(shown) or 'no names at all'}."


def _bounded(name: str, lines: Iterator[Line]) -> Iterator[Line]:
    for count, line in enumerate(lines):
        if count >= MAX_LINES:
            raise PanelAnswer(
                f"{name}: it has more than {MAX_LINES} lines. Download a shorter span."
            )
        yield line


def data_lines(table: Table) -> Iterator[Line]:
    """The lines that say something: not empty ones, nor totals; too wide ones are marked."""
    for line in table.lines:
        filled = [text for cell in line.cells if (text := text_of(cell))]
        if line.problem:
            yield line
        elif not filled or (len(filled) <= table.width // 2 + 1 and _TOTAL.fullmatch(filled[0])):
            continue
        elif any(text_of(cell) for cell in line.cells[table.width :]):
            yield line._replace(
                problem=f"it has more cells than the header's {table.width}; is a "
                "delimiter inside a cell, without quotes?"
            )
        else:
            yield line
