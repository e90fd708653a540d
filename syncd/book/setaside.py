"""Facts that a person has tried again or sets aside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from syncd.book.records import Act, Record, write_records
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.book.tables import UNSETTLED
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused

RETRYABLE: Final = (
    "REFUSED", "QUARANTINED", "PARKED", "WAITING", "IGNORED", "EXPIRED", "TOMBSTONE",
)  # fmt: skip
IGNORABLE: Final = ("NEW", "REFUSED", "QUARANTINED", "PARKED", "WAITING", "TOMBSTONE")
MAX_NOTE: Final = 2_000
_AT_ONCE: Final = 400


class Reopened(Struct, frozen=True):
    """How many facts wait to be decided anew, and the accounts that they belong to."""

    count: int
    accounts: tuple[str, ...]


class Retried(Struct, frozen=True):
    """Facts that the next pass of ``accounts`` decides again."""

    ids: tuple[int, ...]
    accounts: tuple[str, ...]


class Ignored(Struct, frozen=True):
    """Facts that no pass looks at any more."""

    ids: tuple[int, ...]


class _Fact(Struct, frozen=True):
    id: int
    account: str
    state: str
    status: str
    order_pk: int | None
    taken_up: bool  # it was carried out, and is open again for what came into its order since


def retry(
    book: Book,
    *,
    ids: Sequence[int] = (),
    account: str | None = None,
    code: str | None = None,
    line: str = "",
    actor: str,
    now: datetime,
) -> Retried:
    """Have facts decided again: these ``ids``, or all unsettled ones of an account or a code.

    With ``line``, a line of the book, the facts named by ``ids`` are taken to be of that line:
    for what a channel or a report calls otherwise than the book does.

    Raises NotFound for an unknown id, account or line, Refused when an id is settled, or carried
    out for another line already, or nothing is named. Run the accounts returned to have them
    decided now.
    """
    if line and not ids:
        raise Refused("Name the facts that are of this line by their ids.", code="nothing_named")
    with book.write():
        facts = _by_id(book, ids) if ids else _by_filter(book, account, code)
        _check_states(facts, RETRYABLE, "tried again")
        _check_readable(facts)
        note = _take_for(book, facts, line) if line else ""
        _set_state(book, facts, "NEW", f"to be tried again{note}, asked by {actor}")
        write_records(book, _records(facts, Act.RETRY, "NEW", actor, now, note.lstrip()))
    accounts = sorted({fact.account for fact in facts})
    return Retried(tuple(fact.id for fact in facts), tuple(accounts))


def _take_for(book: Book, facts: Sequence[_Fact], line: str) -> str:
    """Have the facts be of this line of their orders; the words for it."""
    for fact in facts:
        if fact.taken_up:
            raise Refused(
                f"Fact {fact.id} was carried out already for pieces that it named, and is open "
                "only for those that came into its order since, so it cannot be taken to be of "
                f"line {line}. Do by hand what it says of that line, or let it be decided as it "
                f"was told: syncctl retry {fact.id}",
                code="fact_settled",
            )
        lines = [one for (one,) in book.query(_LINES, (fact.order_pk,))]
        if line not in lines:
            told = ", ".join(lines) or "none: the order is not in the book"
            raise NotFound(f"The order of fact {fact.id} has no line {line}; its lines are {told}.")
        book.query("UPDATE inbox SET as_line = ? WHERE id = ?", (line, fact.id))
    return f" as of line {line}"


_LINES: Final = "SELECT DISTINCT line_id FROM item WHERE order_id = ? ORDER BY line_id LIMIT 50"


def ignore(book: Book, ids: Sequence[int], *, note: str, actor: str, now: datetime) -> Ignored:
    """Set facts aside for good; ``note`` says why and is kept. ``retry`` brings them back."""
    if not ids:
        raise Refused("Name the facts to ignore by their ids: syncctl failed", code="nothing_named")
    check_note(note)
    return ignore_many(book, ids, note=note, actor=actor, now=now)


def ignore_many(book: Book, ids: Sequence[int], *, note: str, actor: str, now: datetime) -> Ignored:
    """Set these facts aside, also none; joins the caller's transaction."""
    with book.write():
        facts = _by_id(book, ids)
        _check_states(facts, IGNORABLE, "ignored")
        _set_state(book, facts, "IGNORED", f"ignored by {actor}: {note}")
        write_records(book, _records(facts, Act.IGNORE, "IGNORED", actor, now, note))
    return Ignored(tuple(fact.id for fact in facts))


def ignore_read(
    book: Book, account_id: int, run_id: int, unread: Collection[str], *, now: datetime
) -> Ignored:
    """Set rows of an unknown word aside that this run was told of anew and could read.

    Each fact answers one row at most: that of its order, line (SKU where it names no line),
    parcel, return and word of the panel. ``unread`` is the evidence of what this run could not
    read: such a row stays.
    """
    still = msgspec.json.encode(list(unread)).decode()
    ids = [pk for (pk,) in book.query(_READ_NOW, (account_id, run_id, still))]
    return ignore_many(book, ids, note=f"read well in run {run_id}", actor="syncd", now=now)


def check_note(note: str) -> None:
    """Raises Refused for a note that says nothing, or too much."""
    if not note.strip() or len(note) > MAX_NOTE:
        raise Refused(
            f"Say why in a note of 1 to {MAX_NOTE} characters; it is kept.", code="note_missing"
        )


def reopen_refused(book: Book, tenant_id: int, code: str, message: str) -> Reopened:
    """Facts of a tenant that were refused with ``code`` become NEW; in the caller's write."""
    rows = book.query(
        "SELECT id, name FROM account WHERE tenant_id = ? ORDER BY name", (tenant_id,)
    )
    count = 0
    names: list[str] = []
    for account_id, name in rows.fetchall():
        done = book.query(
            f"UPDATE inbox SET state = 'NEW', message = ? WHERE account_id = ? AND {UNSETTLED} "
            "AND state = 'REFUSED' AND code = ?",
            (message, account_id, code),
        )
        if done.rowcount:
            count += done.rowcount
            names.append(name)
    return Reopened(count, tuple(names))


_READ_NOW: Final = f"""
WITH bad AS (
  SELECT *, row_number() OVER (PARTITION BY order_id, line_id, sku, shipment_id, tracking_number,
    return_id, native_status ORDER BY id) AS place
  FROM inbox WHERE account_id = ?1 AND {UNSETTLED} AND state = 'QUARANTINED'
  AND order_id <> '' AND native_status <> ''
  AND evidence NOT IN (SELECT value FROM json_each(?3)))
SELECT bad.id FROM bad WHERE bad.place <= (
  SELECT count(*) FROM inbox good WHERE good.account_id = ?1 AND good.order_id = bad.order_id
  AND good.run_id = ?2 AND good.id > bad.id AND good.status <> 'UNKNOWN'
  AND good.native_status = bad.native_status AND good.line_id = bad.line_id
  AND (bad.line_id <> '' OR good.sku = bad.sku)
  AND bad.shipment_id IN ('', good.shipment_id)
  AND bad.tracking_number IN ('', good.tracking_number)
  AND (bad.return_id = '' OR good.return_id IN ('', bad.return_id)))
"""
_SELECT: Final = (
    "SELECT f.id, a.name, f.state, f.status, o.id, f.since_item IS NOT NULL FROM inbox f "
    "JOIN account a ON a.id = f.account_id "
    "LEFT JOIN orders o ON o.account_id = f.account_id AND o.order_id = f.order_id "
)


def _by_id(book: Book, ids: Sequence[int]) -> list[_Fact]:
    wanted = sorted(set(ids))
    facts: list[_Fact] = []
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        sql = f"{_SELECT} WHERE f.id IN ({marks}) ORDER BY f.id"
        facts += [_Fact(*row) for row in book.query(sql, part)]
    missing = set(wanted) - {fact.id for fact in facts}
    if missing:
        told = ", ".join(map(str, sorted(missing)[:10]))
        raise NotFound(f"There is no fact {told}. See them with: syncctl failed")
    return facts


def _by_filter(book: Book, account: str | None, code: str | None) -> list[_Fact]:
    """Unsettled facts of an account or with a code, those that could not be read left out."""
    if account is None and code is None:
        raise Refused("Say what to try again: ids, an account or a code.", code="nothing_named")
    tests = [
        f"f.{UNSETTLED}",
        "f.state IN ('REFUSED', 'QUARANTINED', 'PARKED', 'WAITING')",
        "f.status <> 'UNKNOWN'",
    ]
    params: list[object] = []
    if account is not None:
        tests.append("f.account_id = ?")
        params.append(account_id_of(book, account))
    if code is not None:
        tests.append("f.code = ?")
        params.append(code)
    sql = f"{_SELECT} WHERE {' AND '.join(tests)} ORDER BY f.id"
    return [_Fact(*row) for row in book.query(sql, params)]


def _check_states(facts: Sequence[_Fact], allowed: Sequence[str], done: str) -> None:
    for fact in facts:
        if fact.state not in allowed:
            raise Refused(
                f"Fact {fact.id} is {fact.state} and cannot be {done}; possible for "
                f"{', '.join(allowed)}.",
                code="fact_settled",
            )


def _check_readable(facts: Sequence[_Fact]) -> None:
    for fact in facts:
        if fact.status == "UNKNOWN":
            raise Refused(
                f"Fact {fact.id} could not be read, so there is nothing to decide. Update the "
                "plugin and fetch it again, or do by hand what it says. Then set it aside with: "
                f'syncctl failed --ignore {fact.id} --note "..."',
                code="fact_unreadable",
            )


def _set_state(book: Book, facts: Sequence[_Fact], state: str, message: str) -> None:
    ids = msgspec.json.encode([fact.id for fact in facts]).decode()
    book.query(
        "UPDATE inbox SET state = ?, message = ? WHERE id IN (SELECT value FROM json_each(?))",
        (state, message, ids),
    )


def _records(
    facts: Sequence[_Fact], act: Act, after: str, actor: str, now: datetime, note: str
) -> list[Record]:
    """The audit lines of facts whose order is known; the fact itself tells of the others."""
    at = to_micros(now)
    return [
        Record(
            order_pk=fact.order_pk, inbox_id=fact.id, act=act, before=fact.state, after=after,
            code=f"fact_{act}", actor=actor, at=at, note=note,
        )
        for fact in facts
        if fact.order_pk is not None
    ]  # fmt: skip
