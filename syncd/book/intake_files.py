"""Order files: CSV and JSON Lines, read one line at a time, a bad line costing its order only.

CSV columns: ``order_id``, ``line_id``, ``sku``, ``quantity``, ``placed_at`` are needed;
``location``, ``state``, ``replaces`` (the order that this one stands in for), ``replaces_line``
(the line of the same order that this one stands in for) and any number of ``fact.NAME`` may be
there. Separator comma, semicolon
or tab. Lines of one order may be scattered over the file. ``placed_at`` is ISO 8601; a time
without an offset is taken in the zone handed in. An order with a bad line is left out whole: an
order that lacks a line would be shipped so.

JSON Lines: one object a line, with the fields of ``NewOrder`` and, as a map from line id to
position, ``states``.

``state`` is for a seller who moves in while orders are under way: the position of the line's
pieces, up to DELIVERED. Left empty, it is worked out from stock.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from syncd.rules import RANK, Position
from syncd.statuses import MAX_ID_LENGTH, MAX_QUANTITY, NewOrder, OrderLine

MAX_LINE: Final = 1 << 20
MAX_ROWS: Final = 1_000_000
MAX_SHOWN: Final = 500

NEEDED: Final = ("order_id", "line_id", "sku", "quantity", "placed_at")
OPTIONAL: Final = ("location", "state", "replaces", "replaces_line")
FACT: Final = "fact."
_SEPARATORS: Final = "\t;,"
_DELIVERED: Final = RANK[Position.DELIVERED] or 0

IMPORTABLE: Final = frozenset(
    position for position, rank in RANK.items() if rank is not None and rank <= _DELIVERED
)
"""The positions that a file may give a line."""

NO_STATES: Final[Mapping[str, str]] = MappingProxyType({})


class ImportedOrder(NewOrder, frozen=True, kw_only=True, omit_defaults=True):
    """A new order from a file. ``states``: line id -> position, for lines already under way."""

    states: Mapping[str, str] = NO_STATES


class BadLine(Struct, frozen=True):
    """A line that was left out: its number in the file (first is 1), why, and its text, cut.

    ``number`` 1 with an unusable header means that nothing of the file was read. ``order_id``
    is the order that was left out with it, empty if the line does not show it.
    """

    number: int
    reason: str
    text: str
    order_id: str = ""


class _Line(Struct, frozen=True, gc=False):
    """One good line of a CSV file."""

    number: int
    order_id: str
    line_id: str
    sku: str
    quantity: int
    placed_at: datetime
    location: str
    state: str
    replaces: str
    replaces_line: str
    facts: tuple[tuple[str, str], ...]


def read_csv(
    lines: Iterable[str], *, zone: tzinfo = UTC, max_rows: int = MAX_ROWS
) -> Iterator[ImportedOrder | BadLine]:
    """Read a CSV file opened with encoding ``utf-8-sig``; bad lines first, then the orders.

    The orders come in the order of their first lines, after the whole file has been read, for
    their lines may be anywhere in it. Never raises for what is in the file.
    """
    numbered = enumerate(lines, start=1)
    _, header = next(numbered, (1, ""))
    if not header.strip():
        yield BadLine(1, "The first line is empty; it must name the columns.", "")
        return
    separator = max(_SEPARATORS, key=header.count)
    columns = [name.strip().lower() for name in next(csv.reader([header], delimiter=separator))]
    problem = _header_problem(columns)
    if problem:
        yield BadLine(1, problem, header[:MAX_SHOWN].rstrip("\r\n"))
        return
    orders: dict[str, list[_Line]] = {}
    spoilt: set[str] = set()
    for found in _csv_lines(numbered, columns, separator, zone, max_rows):
        if isinstance(found, BadLine):
            spoilt.add(found.order_id)
            yield found
        else:
            orders.setdefault(found.order_id, []).append(found)
    for order_id, group in orders.items():
        if order_id not in spoilt:
            yield from _order(group)


def _csv_lines(
    numbered: Iterable[tuple[int, str]],
    columns: Sequence[str],
    separator: str,
    zone: tzinfo,
    max_rows: int,
) -> Iterator[_Line | BadLine]:
    for row in _rows(numbered, max_rows, f" \r\n{separator}"):
        if isinstance(row, BadLine):
            yield _left_out(row, _order_id_in(row.text, columns, separator))
            continue
        number, text = row
        try:
            yield _csv_line(number, text, columns, separator, zone)
        except ValueError as error:
            yield _left_out(_bad(number, error, text), _order_id_in(text, columns, separator))


def _order_id_in(text: str, columns: Sequence[str], separator: str) -> str:
    """The order id of a line that is bad for some other reason; empty if it shows none."""
    place = columns.index("order_id")
    try:
        fields = next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        fields = text.split(separator, place + 1)
    found = fields[place].strip() if len(fields) > place else ""
    return found if len(found) <= MAX_ID_LENGTH else ""


def _left_out(line: BadLine, order_id: str) -> BadLine:
    """The same, with what it costs: the whole order."""
    if not order_id:
        return line
    reason = f"{line.reason} Order {order_id} was left out because of its line {line.number}."
    return BadLine(line.number, reason, line.text, order_id)


def _csv_line(
    number: int, text: str, columns: Sequence[str], separator: str, zone: tzinfo
) -> _Line:
    """One line of the file. Raises ValueError with a sentence."""
    try:
        fields = next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        raise ValueError(f"The line is not CSV: {error}.") from None
    if len(fields) != len(columns):
        raise ValueError(f"The line has {len(fields)} fields, the header names {len(columns)}.")
    row = {name: field.strip() for name, field in zip(columns, fields, strict=True)}
    for name in ("order_id", "line_id", "sku"):
        _check_id(name, row[name])
    return _Line(
        number=number,
        order_id=row["order_id"],
        line_id=row["line_id"],
        sku=row["sku"],
        quantity=_quantity(row["quantity"]),
        placed_at=_moment(row["placed_at"], zone),
        location=row.get("location", ""),
        state=_state(row.get("state", "")),
        replaces=row.get("replaces", ""),
        replaces_line=row.get("replaces_line", ""),
        facts=tuple(
            (name[len(FACT) :], value)
            for name, value in row.items()
            if name.startswith(FACT) and value
        ),
    )


def _order(group: Sequence[_Line]) -> Iterator[ImportedOrder | BadLine]:
    """The order that these lines make; none if one of them contradicts the others."""
    first = group[0]
    kept: dict[str, _Line] = {}
    whole = True
    for line in group:
        problem = _clash(first, kept.get(line.line_id), line)
        if problem:
            whole = False
            text = f"{line.order_id} {line.line_id} {line.sku}"
            yield _left_out(BadLine(line.number, problem, text), line.order_id)
        else:
            kept.setdefault(line.line_id, line)
    if not whole:
        return
    facts: dict[str, str] = {}
    for line in kept.values():
        facts.update(line.facts)
    yield ImportedOrder(
        order_id=first.order_id,
        placed_at=first.placed_at,
        location_id=first.location,
        lines=tuple(
            OrderLine(
                line_id=line.line_id,
                sku=line.sku,
                quantity=line.quantity,
                replaces_line_id=line.replaces_line,
            )
            for line in kept.values()
        ),
        replaces=first.replaces,
        facts=facts,
        states={line.line_id: line.state for line in kept.values() if line.state},
    )


def _clash(first: _Line, same: _Line | None, line: _Line) -> str:
    """Why a line cannot stand beside the others of its order; empty if it can."""
    if line.placed_at != first.placed_at:
        return f"placed_at differs from line {first.number} of the same order."
    if line.location != first.location:
        return f"location differs from line {first.number} of the same order."
    if line.replaces != first.replaces:
        return f"replaces differs from line {first.number} of the same order."
    if same is not None and (same.sku, same.quantity, same.state, same.replaces_line) != (
        line.sku, line.quantity, line.state, line.replaces_line,
    ):  # fmt: skip
        return f"line_id {line.line_id} stands on line {same.number} already, with other values."
    return ""


def _header_problem(columns: Sequence[str]) -> str:
    known = (*NEEDED, *OPTIONAL)
    for name in columns:
        if name in known or (name.startswith(FACT) and len(name) > len(FACT)):
            continue
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}, fact.*."
        return f"Unknown column {name!r}{hint} Nothing was read."
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        return f"Column {twice[0]!r} stands twice in the header. Nothing was read."
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        return f"The header lacks {', '.join(missing)}. Nothing was read."
    return ""


def _check_id(name: str, value: str) -> None:
    if not value:
        raise ValueError(f"{name} is empty.")
    if len(value) > MAX_ID_LENGTH:
        raise ValueError(f"{name} is longer than {MAX_ID_LENGTH} characters.")


def _quantity(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:20]) <= MAX_QUANTITY:
        raise ValueError(f"quantity {text[:40]!r} is not a whole number from 1 to {MAX_QUANTITY}.")
    return int(text)


def _moment(text: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"placed_at {text[:40]!r} is not a time like 2025-01-31T14:05:00+05:30."
        ) from None


def _state(text: str) -> str:
    name = text.upper()
    if name and name not in IMPORTABLE:
        allowed = ", ".join(position for position in Position if position in IMPORTABLE)
        raise ValueError(f"state {text[:40]!r} cannot be imported; one of {allowed}, or empty.")
    return name


def read_jsonl(
    lines: Iterable[str], *, max_rows: int = MAX_ROWS
) -> Iterator[ImportedOrder | BadLine]:
    """Read JSON Lines, one order a line; unknown keys are errors, for they are often typos.

    A JSON time needs its offset. What is wrong with the order's values, ``take_orders`` says.
    """
    decoder = msgspec.json.Decoder(_Strict)
    for row in _rows(enumerate(lines, start=1), max_rows, " \t\r\n"):
        if isinstance(row, BadLine):
            yield row
            continue
        number, text = row
        try:
            order = decoder.decode(text)
            for state in order.states.values():
                _state(state)
            yield order
        except (msgspec.DecodeError, ValueError) as error:
            bad = _bad(number, error, text)
            yield BadLine(bad.number, bad.reason, bad.text, _order_id_of(text))


def _order_id_of(text: str) -> str:
    """The order id in a bad JSON line; empty if it shows none."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return ""
    order_id = found.get("order_id") if isinstance(found, dict) else None
    return order_id if isinstance(order_id, str) and len(order_id) <= MAX_ID_LENGTH else ""


class _Strict(ImportedOrder, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As a person writes it: a misspelt key is refused."""


def _rows(
    numbered: Iterable[tuple[int, str]], max_rows: int, blank: str
) -> Iterator[tuple[int, str] | BadLine]:
    """The lines that hold something, and after ``max_rows`` one BadLine instead of the rest."""
    rows = 0
    for number, text in numbered:
        if not text.strip(blank):
            continue
        rows += 1
        if rows > max_rows:
            yield BadLine(
                number,
                f"The file has more than {max_rows} rows; the rest was not read. Split the file.",
                "",
            )
            return
        if len(text) > MAX_LINE:
            yield _bad(number, f"The line is longer than {MAX_LINE} characters.", text)
        else:
            yield number, text


def _bad(number: int, reason: object, text: str) -> BadLine:
    return BadLine(number, str(reason), text[:MAX_SHOWN].rstrip("\r\n"))
