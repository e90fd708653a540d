"""Print data: as JSON for machines, as tables and sentences for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import click

from syncd.cli.ctl_base import Shared, shared

WIDEST: Final = 200
GAP: Final = "  "
_COLORS: Final[Mapping[str, str]] = {
    "OK": "green", "ok": "green", "LIVE": "green", "connected": "green", "CONNECTED": "green",
    "PARTIAL": "yellow", "partial": "yellow", "warning": "yellow", "GATED": "yellow",
    "gated": "yellow", "PAUSED": "yellow", "ONBOARDING": "yellow", "STOPPED": "yellow",
    "HELD": "yellow", "held": "yellow",
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
    click.echo(_folded(clean(text), sys.stdout))


def tell(text: str) -> None:
    """A line about what goes on, on stderr."""
    click.echo(_folded(clean(text), sys.stderr), err=True)


def say_marked(mark: str, text: str) -> None:
    """A line that begins with a state's word, in its colour."""
    lines = _folded(f"{mark:<7}  {clean(text)}", sys.stdout)
    click.echo(paint(lines[:7], mark, shared()) + lines[7:])


def _folded(text: str, stream: Any) -> str:
    """Folded to the terminal's width; as it is where nobody sees it on one."""
    if stream is None or not stream.isatty():
        return text
    width = _terminal_width()
    return "\n".join(folded for line in text.split("\n") for folded in fold(line, width))


def fold(line: str, width: int) -> list[str]:
    """Parts of at most ``width``, never broken inside a word; the later ones are indented to
    where the line's text begins, behind its first column."""
    if len(line) <= width:
        return [line]
    from textwrap import wrap

    start = len(line) - len(line.lstrip())
    gap = line.find(GAP, start)
    text = gap + len(line[gap:]) - len(line[gap:].lstrip()) if gap >= 0 else width
    hang = text if text <= width // 2 else start + 2
    return wrap(
        line, width, subsequent_indent=" " * hang, drop_whitespace=True, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _terminal_width() -> int:
    from shutil import get_terminal_size

    return min(get_terminal_size((80, 24)).columns, WIDEST)


def clean(text: str) -> str:
    """Without control characters, which an order id or a message may hold."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def table(columns: Sequence[Column], rows: Iterable[Any], *, empty: str) -> None:
    """A table as wide as the terminal at most; no word is broken.

    Columns fold between words. Where that is not enough the last ones get lines of their own
    under their row. Where stdout is no terminal, each row is one line, however long.
    """
    heads = [head for head, _ in columns]
    cells = [[" ".join(clean(read(row)).split()) for _, read in columns] for row in rows]
    if not cells:
        tell(empty)
        return
    widths = [max(len(text) for text in column) for column in zip(heads, *cells, strict=True)]
    options = shared()
    most = sum(widths) + len(GAP) * len(widths)
    if sys.stdout.isatty():
        most = _terminal_width()
        least = [max(map(_longest_word, column)) for column in zip(heads, *cells, strict=True)]
        widths = fit(widths, least, most)
    count = len(widths)
    click.echo(_line(heads[:count], widths, lambda text, _: _bold(text, options)))
    for row_cells in cells:
        for line in _wrapped(row_cells[:count], widths):
            click.echo(_line(line, widths, lambda text, word: paint(text, word, options)))
        for head, cell in zip(heads[count:], row_cells[count:], strict=True):
            if cell:
                click.echo("\n".join(fold(f"    {head}:  {cell}", most)))


def fit(widths: Sequence[int], least: Sequence[int], most: int) -> list[int]:
    """The widths of the columns that fit side by side, the first ones.

    Room is taken from the widest, never below ``least``, the longest word of each.
    """
    for count in range(len(widths), 1, -1):
        room = most - len(GAP) * (count - 1)
        if sum(least[:count]) <= room:
            return _narrowed(widths[:count], least, room)
    return list(widths[:1])


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    fitted = list(widths)
    while sum(fitted) > room:
        wide = [index for index, width in enumerate(fitted) if width > least[index]]
        fitted[max(wide, key=lambda index: fitted[index])] -= 1
    return fitted


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> Iterable[list[str]]:
    if all(len(cell) <= width for cell, width in zip(cells, widths, strict=True)):
        yield list(cells)
        return
    from textwrap import wrap

    parts = [
        wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""]
        for cell, width in zip(cells, widths, strict=True)
    ]
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


def how_often(per_second: float) -> str:
    """A rate in the unit that fits: ``2 a second``, ``30 a minute``."""
    if per_second >= 1:
        return f"{per_second:g} a second"
    if per_second * 60 >= 1:
        return f"{per_second * 60:.3g} a minute"
    return f"{per_second * 3600:.3g} an hour"


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
