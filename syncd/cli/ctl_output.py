"""Print data: as JSON for machines, as tables and sentences for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import click

from syncd.cli.ctl_base import Shared, shared

NARROWEST: Final = 8
WIDEST: Final = 200
GAP: Final = "  "
_COLORS: Final[Mapping[str, str]] = {
    "OK": "green", "ok": "green", "LIVE": "green", "connected": "green", "CONNECTED": "green",
    "PARTIAL": "yellow", "partial": "yellow", "warning": "yellow", "GATED": "yellow",
    "gated": "yellow", "PAUSED": "yellow", "ONBOARDING": "yellow", "STOPPED": "yellow",
    "FAILED": "red", "failed": "red", "error": "red", "AUTH_FAILED": "red", "load_error": "red",
    "SUSPENDED": "red", "DISABLED": "red",
}  # fmt: skip

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Any], str]]


def emit(data: Any, *, rows: str = "") -> bool:
    """Print as JSON if that was asked for. ``rows`` names the list for ``--json-lines``."""
    options = shared()
    if options.json_lines:
        for row in data[rows] if rows else [data]:
            click.echo(json.dumps(row, ensure_ascii=False))
        return True
    if options.json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return True
    return False


def say(text: str = "") -> None:
    """A line of data. What came from a channel cannot steer the terminal."""
    click.echo(clean(text))


def tell(text: str) -> None:
    """A line about what goes on, on stderr."""
    click.echo(clean(text), err=True)


def clean(text: str) -> str:
    """Without control characters, which an order id or a message may hold."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def table(columns: Sequence[Column], rows: Iterable[Row], *, empty: str) -> None:
    """A table as wide as the terminal at most; the last column takes what is left and wraps.

    Where stdout is no terminal, each row is one line, however long.
    """
    heads = [head for head, _ in columns]
    cells = [[" ".join(clean(read(row)).split()) for _, read in columns] for row in rows]
    if not cells:
        tell(empty)
        return
    widths = [max(len(text) for text in column) for column in zip(heads, *cells, strict=True)]
    options = shared()
    if sys.stdout.isatty():
        from shutil import get_terminal_size

        widths = fit(widths, min(get_terminal_size((80, 24)).columns, WIDEST))
    click.echo(_line(heads, widths, lambda text, _: _bold(text, options)))
    for row_cells in cells:
        for line in _wrapped(row_cells, widths):
            click.echo(_line(line, widths, lambda text, word: paint(text, word, options)))


def fit(widths: Sequence[int], most: int) -> list[int]:
    """Take room from the widest columns until all fit; none becomes narrower than 8."""
    fitted = list(widths)
    room = most - len(GAP) * (len(fitted) - 1)
    while sum(fitted) > room:
        widest = max(range(len(fitted)), key=lambda index: fitted[index])
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
    return fitted


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> Iterable[list[str]]:
    if all(len(cell) <= width for cell, width in zip(cells, widths, strict=True)):
        yield list(cells)
        return
    from textwrap import wrap

    parts = [wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(len(part) for part in parts)):
        yield [part[number] if number < len(part) else "" for part in parts]


def _line(cells: Sequence[str], widths: Sequence[int], style: Callable[[str, str], str]) -> str:
    padded = [
        style(cell.ljust(width) if number < len(cells) - 1 else cell, cell)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return GAP.join(padded).rstrip()


def _bold(text: str, options: Shared) -> str:
    return click.style(text, bold=True) if options.color else text


def paint(text: str, word: str, options: Shared) -> str:
    """The text in the colour of a state's word; the word itself always stays readable."""
    color = _COLORS.get(word)
    return click.style(text, fg=color) if color and options.color else text


def read_time(text: str | None) -> datetime | None:
    """A time as the API writes it, or None for never."""
    return datetime.fromisoformat(text) if text else None


def when(text: str | None, now: datetime, never: str = "never") -> str:
    """A time for a person: local, with its zone, and how far away: ``14:02 IST, 3 min ago``."""
    moment = read_time(text)
    if moment is None:
        return never
    local = moment.astimezone()
    same_day = local.date() == now.astimezone().date()
    shown = local.strftime("%H:%M %Z" if same_day else "%d %b %H:%M %Z")
    return f"{shown}, {distance(moment - now)}"


def ago(text: str | None, now: datetime, never: str = "never") -> str:
    """Only how far away: ``3 min ago``."""
    moment = read_time(text)
    return never if moment is None else distance(moment - now)


def distance(span: timedelta) -> str:
    """``in 5 min``, ``2 h ago``, ``now``."""
    seconds = span.total_seconds()
    if abs(seconds) < 1:
        return "now"
    size = how_long(abs(seconds))
    return f"in {size}" if seconds > 0 else f"{size} ago"


def how_long(seconds: float) -> str:
    """A span in its largest fitting unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size * (2 if unit == "h" else 1):
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def took(run: Row, now: datetime) -> str:
    """How long a run took, or has been going."""
    start, end = read_time(run["started_at"]), read_time(run["ended_at"])
    if start is None:
        return ""
    return how_long(max(0.0, ((end or now) - start).total_seconds()))


def counted(counts: Mapping[str, int], names: Sequence[str] = ()) -> str:
    """The numbers that are not zero: ``120 fetched, 3 refused``."""
    wanted = names or list(counts)
    return ", ".join(f"{counts[name]} {name}" for name in wanted if counts.get(name))


def field(name: str) -> Callable[[Row], str]:
    """A column's reader: the plain text of one field."""

    def read(row: Row) -> str:
        value = row.get(name)
        if isinstance(value, list | tuple):
            return ", ".join(str(one) for one in value)
        return "" if value is None else str(value)

    return read
