"""One cell of a file: an id, a time, a number. What Excel has spoilt is refused, never guessed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MAX_ID: Final = 200
MAX_QUANTITY: Final = 10_000

_ROUNDED: Final = re.compile(r"\d([.,]\d+)?E\+\d{2,}", re.IGNORECASE)
_FAILED: Final = re.compile(r"#(#+|N/A|REF!|VALUE!|NAME\?|NUM!|NULL!|DIV/0!)")
_WRAPPED: Final = re.compile(r'="?(.*?)"?', re.DOTALL)
_LARGEST_WHOLE: Final = 10**15  # Excel keeps 15 digits of a number; the others it makes zero
_EPOCH: Final = datetime(1899, 12, 30)  # day 0 of Excel, as it counts from March 1900 on
_SERIAL: Final = re.compile(r"\d{5}([.,]\d+)?")
_CLOCK: Final = r"(?:[ T,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?)?"
_SLASHED: Final = re.compile(rf"(\d{{1,2}})[/.-](\d{{1,2}})[/.-](\d{{4}}|\d{{2}}){_CLOCK}")
_NAMED: Final = re.compile(
    rf"(\d{{1,2}})[ /-]([A-Za-z]{{3}})[a-z]*\.?[ ,/-]+(\d{{4}}|\d{{2}}){_CLOCK}"
)
_YEAR_FIRST: Final = re.compile(rf"(\d{{4}})[/.](\d{{1,2}})[/.](\d{{1,2}}){_CLOCK}")
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_YEARS: Final = range(2000, 2100)


class BadCell(ValueError):
    """The cell cannot be read; the text is a clause for a person."""


def text_of(cell: object) -> str:
    """The cell's text without what Excel puts around it: blanks, a leading ', or =" "."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _LARGEST_WHOLE:
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    text = str(cell).strip()
    if text.startswith("="):
        whole = _WRAPPED.fullmatch(text)
        text = whole.group(1).strip() if whole else text
    return text.removeprefix("'").strip()


def id_of(cell: object) -> str:
    """An id, its characters untouched. Raises BadCell for one that Excel has made a number of."""
    text = text_of(cell)
    number = isinstance(cell, int | float) and not isinstance(cell, bool)
    if _ROUNDED.fullmatch(text) or (number and abs(float(text)) >= _LARGEST_WHOLE):
        raise BadCell(
            f'the id "{text[:40]}" is a number that Excel has rounded, so its last digits are '
            "lost; download the file again and hand it in without saving it in Excel"
        )
    if number and not float(text).is_integer():
        raise BadCell(f'the id "{text[:40]}" is a number with a fraction')
    if isinstance(cell, datetime | date | time):
        raise BadCell(f'the id "{text[:40]}" has become a date in Excel; download the file again')
    if _FAILED.fullmatch(text):
        raise BadCell(f'the id is "{text[:40]}", an error of Excel')
    if len(text) > MAX_ID:
        raise BadCell(f"the id is longer than {MAX_ID} characters")
    return text


def quantity_of(cell: object) -> int:
    """A number of pieces. Raises BadCell."""
    text = text_of(cell)
    whole = re.fullmatch(r"(\d{1,9})([.,]0+)?", text)
    pieces = int(whole.group(1)) if whole else 0
    if not 1 <= pieces <= MAX_QUANTITY:
        raise BadCell(f'the quantity "{text[:40]}" is no whole number from 1 to {MAX_QUANTITY}')
    return pieces


def time_of(cell: object, zone: ZoneInfo, *, day_first: bool) -> datetime:
    """A moment in UTC. A day without a time is its first moment. Raises BadCell."""
    moment = _moment(cell, day_first)
    if moment is None or moment.year not in _YEARS:
        raise BadCell(f'the time "{text_of(cell)[:40]}" cannot be read; see the setting dates')
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _moment(cell: object, day_first: bool) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    text = text_of(cell)
    if _SERIAL.fullmatch(text):
        return _serial(float(text.replace(",", ".")))
    try:
        return _slashed(text, day_first) or _iso(text)
    except ValueError:
        return None


def _serial(days: float) -> datetime:
    return _EPOCH + timedelta(seconds=round(days * 86_400))


def _iso(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    return datetime.fromisoformat(text)


def _slashed(text: str, day_first: bool) -> datetime | None:
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day, *clock = found.groups()
    elif found := _NAMED.fullmatch(text):
        day, name, year, *clock = found.groups()
        month = str(_MONTHS.index(name.lower()) + 1)
    elif found := _SLASHED.fullmatch(text):
        first, second, year, *clock = found.groups()
        day, month = (first, second) if day_first else (second, first)
    else:
        return None
    full = int(year) + (2000 if len(year) == 2 else 0)
    return datetime.combine(date(full, int(month), int(day)), _clock(*clock))


def _clock(hour: str | None, minute: str | None, second: str | None, half: str | None) -> time:
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError("no such hour")
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    return time(hours, int(minute or 0), int(second or 0))
