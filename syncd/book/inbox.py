"""The journal: store what a channel told, once, together with how far it reaches."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec
import peewee
import structlog

from syncd.book.store import Book
from syncd.clock import from_micros, to_micros
from syncd.statuses import (
    MAX_ID_LENGTH,
    MAX_QUANTITY,
    MAX_RAW_LENGTH,
    RETURN_STATUSES,
    STATUSES_OF,
    Kind,
    ReturnType,
    Status,
    StatusChange,
)

log = structlog.get_logger("syncd.book")

MAX_SKEW: Final = timedelta(minutes=5)

COLUMNS: Final = (
    "account_id", "kind", "evidence", "order_id", "line_id", "sku", "quantity", "cumulative",
    "status", "return_type", "return_id", "native_status", "shipment_id", "tracking_number",
    "courier", "location_id", "left_seller", "reason_text", "facts", "raw", "occurred_at",
    "observed_at", "run_id", "state", "outcome", "code", "message", "tries",
    "claimed_at",
)  # fmt: skip
_PUT_IN: Final = (
    f"INSERT INTO inbox ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (account_id, order_id, evidence) DO "
)
_INSERT: Final = f"{_PUT_IN}NOTHING"
# The same, but it fails where a row's evidence is that of another fact. To ask what stands there
# would cost a fifth of a pass over known facts; here SQLite has the row in its hands already.
_INSERT_OR_FAIL: Final = (
    f"{_PUT_IN}UPDATE SET evidence = NULL WHERE line_id <> excluded.line_id "
    "OR sku <> excluded.sku OR status <> excluded.status OR return_type <> excluded.return_type"
)
_STORED: Final = (
    "SELECT j.key, i.line_id, i.sku, i.status, i.return_type FROM json_each(?) j "
    "CROSS JOIN inbox i WHERE i.account_id = ? AND i.order_id = json_extract(j.value, '$[0]') "
    "AND i.evidence = json_extract(j.value, '$[1]')"
)
_MOVE_CURSOR: Final = (
    "INSERT INTO cursor (account_id, kind, until, run_id) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (account_id, kind) DO UPDATE SET until = excluded.until, "
    "run_id = excluded.run_id WHERE excluded.until > cursor.until"
)

Journal = tuple[Any, ...]
"""One row for the inbox, in the order of COLUMNS."""


class Stored(msgspec.Struct, frozen=True):
    """What became of the rows of a page."""

    fetched: int
    new: int
    quarantined: int  # of the new ones
    unread: tuple[str, ...] = ()  # the evidence of all that could not be used, new or known

    @property
    def known(self) -> int:
        """Rows whose evidence the journal already had."""
        return self.fetched - self.new


def store_page(
    book: Book,
    account_id: int,
    kind: Kind,
    changes: Sequence[StatusChange],
    *,
    run_id: int,
    observed_at: datetime,
    complete_until: datetime | None = None,
) -> Stored:
    """Put a page and, if it proves how far it reaches, the cursor into the book: one commit.

    The cursor never moves back.

    A change whose evidence is known is no new row, unless it is of another line, SKU or status
    than the one that has it: see :func:`told_apart`. One that cannot be used is quarantined.
    """
    rows = journal(account_id, kind, changes, run_id=run_id, observed_at=observed_at)
    cursor = None if complete_until is None else to_micros(complete_until)
    try:
        new, bad = _insert(book, account_id, kind, rows, run_id, cursor)
    except (UnicodeError, OverflowError, sqlite3.Error, peewee.PeeweeException) as error:
        if all(map(_can_be_held, rows)):
            raise
        log.warning("unstorable row", reason=type(error).__name__)
        # One value is nothing that a database can hold; find its row and set that one aside.
        pairs = zip(rows, changes, strict=True)
        rows = [
            row
            if _can_be_held(row)
            else _quarantined(account_id, kind, change, _UNHOLDABLE, row[_OBSERVED], run_id)
            for row, change in pairs
        ]
        new, bad = _insert(book, account_id, kind, rows, run_id, cursor)
    unread = tuple(row[_EVIDENCE] for row in rows if is_quarantined(row))
    return Stored(fetched=len(rows), new=new, quarantined=bad, unread=unread)


def _insert(
    book: Book, account_id: int, kind: Kind, rows: list[Journal], run_id: int, cursor: int | None
) -> tuple[int, int]:
    """One transaction. Returns how many of the rows were new, and how many of those are no use.

    They are put in apart, because a page may repeat an unusable row beside a new good one.
    """
    good, bad = rows, [row for row in rows if is_quarantined(row)]
    if bad:
        good = [row for row in rows if not is_quarantined(row)]
    with book.step():
        new_good, new_bad = _good(book, account_id, good), _new_of(book, bad)
        if cursor is not None:
            book.query(_MOVE_CURSOR, (account_id, kind.value, cursor, run_id))
    return new_good + new_bad, new_bad


def _good(book: Book, account_id: int, rows: list[Journal]) -> int:
    """Put usable rows in, those too whose evidence is another fact's; how many were new."""
    before = _changes(book)
    try:
        book.insert(_INSERT_OR_FAIL, rows)
    except sqlite3.IntegrityError:
        book.insert(_INSERT, rows)
        book.insert(_INSERT, _others(book, account_id, rows))
    return _changes(book) - before


def _new_of(book: Book, rows: list[Journal]) -> int:
    """Put the rows in; how many of them the journal did not have."""
    if not rows:
        return 0
    before = _changes(book)
    book.insert(_INSERT, rows)
    return _changes(book) - before


def _changes(book: Book) -> int:
    return int(book.query("SELECT total_changes()").fetchone()[0])


def _others(book: Book, account_id: int, rows: list[Journal]) -> list[Journal]:
    """The rows whose evidence is that of another fact in the journal, told apart from it."""
    keys = msgspec.json.encode([(row[_ORDER_ID], row[_EVIDENCE]) for row in rows]).decode()
    stored = book.query(_STORED, (keys, account_id))
    return [
        told_apart(rows[place]) for place, *what in stored if tuple(what) != what_of(rows[place])
    ]


def what_of(row: Journal) -> tuple[str, str, str, str]:
    """What a fact is of: line, SKU, status and return type, which no panel revises.

    Quantity, tracking number and times are revised by some, and it is the same fact still.
    """
    return row[_LINE_ID], row[_SKU], row[_STATUS], row[_RETURN_TYPE]


def told_apart(row: Journal) -> Journal:
    """The row under an evidence of its own, for where its own is that of another fact.

    A plugin may give one evidence id to what happened to two lines. The first that is heard of
    keeps the id; each other one is told apart by what it is of, the same way each time.
    """
    digest = blake2b("\x1f".join(what_of(row)).encode(), digest_size=6).hexdigest()
    return (*row[:_EVIDENCE], f"{row[_EVIDENCE]}#{digest}", *row[_EVIDENCE + 1 :])


def _can_be_held(row: Journal) -> bool:
    """Whether each value is a text or a number that a column takes."""
    try:
        for place, value in enumerate(row):
            if isinstance(value, str):
                value.encode()
            elif value is None:
                if place not in _EMPTY:
                    return False
            elif abs(value) >= 2**63:
                return False
    except (UnicodeError, TypeError):
        return False
    return True


def forget_cursor(book: Book, account_id: int, kind: Kind) -> None:
    """Read this kind from the start again; for a cursor that a wrong clock has set."""
    sql = "DELETE FROM cursor WHERE account_id = ? AND kind = ?"
    book.query(sql, (account_id, kind.value))


def cursor_of(book: Book, account_id: int, kind: Kind) -> datetime | None:
    """How far this kind is stored, or None before the first pass."""
    sql = "SELECT until FROM cursor WHERE account_id = ? AND kind = ?"
    row = book.query(sql, (account_id, kind.value)).fetchone()
    return None if row is None else from_micros(row[0])


def is_quarantined(row: Journal) -> bool:
    """Whether this row could not be used."""
    return bool(row[_STATE] == "QUARANTINED")


_UNHOLDABLE: Final = "A text or a number of the row is nothing that the book can store."
_EVIDENCE: Final = COLUMNS.index("evidence")
_ORDER_ID: Final = COLUMNS.index("order_id")
_LINE_ID: Final = COLUMNS.index("line_id")
_SKU: Final = COLUMNS.index("sku")
_STATUS: Final = COLUMNS.index("status")
_RETURN_TYPE: Final = COLUMNS.index("return_type")
_STATE: Final = COLUMNS.index("state")
_OBSERVED: Final = COLUMNS.index("observed_at")
_EMPTY: Final = (COLUMNS.index("quantity"), COLUMNS.index("claimed_at"))


def journal(
    account_id: int,
    kind: Kind,
    changes: Sequence[StatusChange],
    *,
    run_id: int,
    observed_at: datetime,
) -> list[Journal]:
    """The inbox rows of these changes. Pure: what cannot be used comes out QUARANTINED."""
    allowed = STATUSES_OF[kind]
    observed = to_micros(observed_at)
    latest = to_micros(observed_at + MAX_SKEW)
    kind_text = kind.value
    rows: list[Journal] = []
    for change in changes:
        problem = _problem(change, allowed)
        if problem:
            rows.append(_quarantined(account_id, kind, change, problem, observed, run_id))
            continue
        occurred = to_micros(change.occurred_at)
        claimed = None
        if occurred > latest:
            claimed, occurred = occurred, observed
        return_type = change.return_type
        rows.append(
            (
                account_id, kind_text, change.evidence_id or evidence_of(change),
                change.order_id, change.line_id, change.sku, change.quantity,
                1 if change.cumulative else 0,
                change.status._value_, "" if return_type is None else return_type._value_,
                change.return_id, change.native_status, change.shipment_id,
                change.tracking_number, change.courier, change.location_id,
                1 if change.left_seller else 0,
                change.reason, _facts_of(change),
                change.raw, occurred, observed, run_id, "NEW", "", "", "", 0,
                claimed,
            )
        )  # fmt: skip
    return rows


def evidence_of(change: StatusChange) -> str:
    """A name for the fact itself, for a plugin that gives none."""
    parts = (
        change.order_id, change.line_id, change.sku, str(change.quantity), change.status,
        change.return_type or "", change.return_id, change.shipment_id, change.tracking_number,
        change.native_status, change.occurred_at.isoformat(),
    )  # fmt: skip
    text = "\x1f".join(map(str, parts)).encode(errors="backslashreplace")
    return blake2b(text, digest_size=16).hexdigest()


def _facts_of(change: StatusChange) -> str:
    facts = change.facts
    try:
        return _facts_text(tuple(facts.items())) if facts else ""
    except (TypeError, AttributeError):  # not a mapping of texts: it helps nobody
        return ""


@lru_cache(maxsize=256)
def _facts_text(items: tuple[tuple[str, str], ...]) -> str:
    return msgspec.json.encode(dict(items)).decode()


def _problem(change: Any, allowed: frozenset[Status]) -> str:
    """Why this change cannot be used, in a sentence; empty if it can."""
    if not isinstance(change, StatusChange):
        return f"The plugin yielded a {type(change).__name__} instead of a StatusChange."
    status: Any = change.status
    return_type: Any = change.return_type
    if not isinstance(status, Status):
        return f"The status is a {type(status).__name__}, not a syncd.Status."
    if return_type is not None and not isinstance(return_type, ReturnType):
        return "The return type is not a syncd.ReturnType."
    if status is Status.UNKNOWN:
        return change.problem or f"Unknown status word {change.native_status[:80]!r}."
    if status not in allowed:
        return f"The plugin yielded {status!s} from a hook that must not."
    order_id: Any = change.order_id
    if not isinstance(order_id, str) or not order_id or len(order_id) > MAX_ID_LENGTH:
        return "The order id is missing, not text or too long."
    line_id: Any = change.line_id
    sku: Any = change.sku
    if not isinstance(line_id, str) or not isinstance(sku, str):
        return "The line id or the SKU is not text."
    if len(line_id) > MAX_ID_LENGTH or len(sku) > MAX_ID_LENGTH:
        return f"The line id or SKU is longer than {MAX_ID_LENGTH} characters."
    quantity = change.quantity
    if quantity is not None and (
        type(quantity) is not int or quantity < 1 or quantity > MAX_QUANTITY
    ):
        return f"The quantity {quantity!r} is not a whole number from 1 to {MAX_QUANTITY}."
    moment: Any = change.occurred_at
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return "The time of the change is missing or has no time zone."
    if status in RETURN_STATUSES and not isinstance(change.return_type, ReturnType):
        return "A return needs a return type, RTO or CIR."
    return ""


def _quarantined(
    account_id: int, kind: Kind, change: object, problem: str, observed: int, run_id: int
) -> Journal:
    """The row of something unusable: as much of it as is safe, and its raw text."""

    def text(name: str, limit: int = MAX_ID_LENGTH) -> str:
        value = getattr(change, name, "")
        if not isinstance(value, str):
            return ""
        return value[:limit].encode(errors="backslashreplace").decode()

    raw = text("raw", MAX_RAW_LENGTH) or repr(change)[:MAX_RAW_LENGTH]
    raw = raw.encode(errors="backslashreplace").decode()
    digest = blake2b(f"{kind}\x1f{problem}\x1f{raw}".encode(), digest_size=16)
    evidence = text("evidence_id") or digest.hexdigest()
    return (
        account_id, kind.value, f"quarantine:{evidence}", text("order_id"), text("line_id"),
        text("sku"), None, False, Status.UNKNOWN.value, "", text("return_id"),
        text("native_status"), text("shipment_id"), text("tracking_number"), "", "", False, "", "",
        raw, observed, observed, run_id,
        "QUARANTINED", "QUARANTINED", "unreadable_row", problem, 0, None,
    )  # fmt: skip
