"""Look up accounts, their tasks and runs; and what all look-ups share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from syncd.book.runs import IN, OUT, Counts, account_id_of
from syncd.book.store import Book
from syncd.book.views import (
    AccountView,
    LedgerView,
    RunView,
    TaskView,
)
from syncd.book.wording import ACCOUNT_STATES, short_reason, split_refusal
from syncd.clock import from_micros, to_micros
from syncd.errors import NotFound, Refused

MAX_LIMIT: Final = 500


def moment(micros: int | None) -> datetime | None:
    """A stored time that may be «never»: NULL or zero."""
    return from_micros(micros) if micros else None


def page_size(limit: int) -> int:
    """A page's size within 1 to MAX_LIMIT. Raises Refused below it; more is cut."""
    if limit < 1:
        raise Refused(f"limit is {limit}; give 1 to {MAX_LIMIT}.", code="bad_limit")
    return min(limit, MAX_LIMIT)


class Filter:
    """Conditions of a WHERE, gathered with their values."""

    def __init__(self) -> None:
        self._tests: list[str] = []
        self.params: list[Any] = []

    def add(self, test: str, *params: Any) -> None:
        self._tests.append(test)
        self.params.extend(params)

    def sql(self) -> str:
        return f"WHERE {' AND '.join(self._tests)}" if self._tests else ""


def accounts(book: Book, name: str | None = None) -> list[AccountView]:
    """All accounts by name, or the one asked for. Raises NotFound for that."""
    where = Filter()
    if name is not None:
        where.add("a.id = ?", account_id_of(book, name))
    with book.connection():
        rows = book.query(
            "SELECT a.name, a.channel, t.code, t.state, f.code, a.state, a.state_reason, "
            "a.state_since, a.id FROM account a JOIN tenant t ON t.id = a.tenant_id "
            f"JOIN facility f ON f.id = a.facility_id {where.sql()} ORDER BY a.name",
            where.params,
        )
        return [
            AccountView(
                *(
                    *row[:7],
                    moment(row[7]),
                    _account_words(book, row[5], row[6], row[8]),
                )
            )
            for row in rows.fetchall()
        ]


def _account_words(book: Book, state: str, reason: str, account_id: int) -> str:
    """How an account stands, in words short enough for a table."""
    words = ACCOUNT_STATES.get(state, state)
    if state == "CONNECTED":
        on = "SELECT 1 FROM brake WHERE account_id = ? AND state = 'OPEN'"
        if book.query(on, (account_id,)).fetchone():
            return "held by the safety brake"
        return _pass_words(book, account_id) or words
    if state == "AUTH_FAILED":
        return words  # the panel's own words stand among the problems
    reason, refusal = split_refusal(reason)
    told = f"{words} ({reason})" if reason else words
    if reason.startswith(words):  # «paused by asha»
        told = reason
    return f"{told}, its credentials were refused before" if refusal else told


def _pass_words(book: Book, account_id: int) -> str:
    """Whether the account was never synced or its last pass failed; empty when all is well."""
    good = max(_newest_run(book, account_id, state)[0] for state in ("OK", "PARTIAL"))
    bad, message = _newest_run(book, account_id, "FAILED")
    parts = [] if good or _ever_succeeded(book, account_id) else ["never synced yet"]
    if bad > good:
        parts.append(f"last pass failed: {short_reason(message)}")
    return "; ".join(parts)


def _ever_succeeded(book: Book, account_id: int) -> bool:
    sql = "SELECT 1 FROM task WHERE account_id = ? AND last_success IS NOT NULL LIMIT 1"
    return book.query(sql, (account_id,)).fetchone() is not None


def _newest_run(book: Book, account_id: int, state: str) -> tuple[int, str]:
    """Id and message of the newest run that ended so and was no rehearsal; id 0 for none."""
    row = book.query(
        "SELECT id, message FROM run WHERE account_id = ? AND state = ? AND dry_run = 0 "
        "AND kinds <> '[]' AND purpose = 'sync' ORDER BY id DESC LIMIT 1",
        (account_id, state),
    ).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def tasks(book: Book, now: datetime, account: str | None = None) -> list[TaskView]:
    """The recurrent tasks with their timers and how far each is behind."""
    where = Filter()
    if account is not None:
        where.add("t.account_id = ?", account_id_of(book, account))
    with book.connection():
        rows = book.query(
            "SELECT a.name, t.kind, t.enabled, t.every_seconds, t.look_back_seconds, t.next_run, "
            "t.last_start, t.last_end, t.last_success, t.last_result, t.last_message, t.failures, "
            "c.until FROM task t JOIN account a ON a.id = t.account_id "
            "LEFT JOIN cursor c ON c.account_id = t.account_id AND c.kind = t.kind "
            f"{where.sql()} ORDER BY a.name, t.kind",
            where.params,
        )
        at = to_micros(now)
        return [
            TaskView(
                *(
                    row[0],
                    row[1],
                    bool(row[2]),
                    row[3],
                    row[4],
                    *map(moment, row[5:9]),
                    *row[9:12],
                    moment(row[12]),
                    max(0, at - row[12]) // 1_000_000 if row[12] else None,
                )
            )
            for row in rows
        ]


_RUN: Final = (
    "SELECT r.id, a.name, r.kinds, r.orders, r.days, r.dry_run, r.trigger, r.actor, r.state, "
    "r.code, r.message, r.requested_at, r.started_at, r.ended_at, r.counts, r.tasks, r.plan_hash, "
    "r.plan, r.purpose "
    "FROM run r JOIN account a ON a.id = r.account_id"
)


def runs(
    book: Book,
    *,
    limit: int = 50,
    before: int | None = None,
    account: str | None = None,
    states: Sequence[str] = (),
) -> list[RunView]:
    """Runs, newest first. For the next page hand in the last id as ``before``."""
    where = Filter()
    if before is not None:
        where.add("r.id < ?", before)
    if account is not None:
        where.add("r.account_id = ?", account_id_of(book, account))
    if states:
        where.add(f"r.state IN ({','.join('?' * len(states))})", *states)
    with book.connection():
        rows = book.query(
            f"{_RUN} {where.sql()} ORDER BY r.id DESC LIMIT ?", (*where.params, page_size(limit))
        )
        return [_run(row) for row in rows]


def run(book: Book, run_id: int) -> RunView:
    """One run. Raises NotFound."""
    with book.connection():
        row = book.query(f"{_RUN} WHERE r.id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no run {run_id}. See the newest with: syncctl runs")
    return _run(row)


def _run(row: Sequence[Any]) -> RunView:
    return RunView(
        id=row[0], account=row[1], kinds=_words(row[2]), orders=_words(row[3]), days=row[4],
        dry_run=bool(row[5]), trigger=row[6], actor=row[7], state=row[8], code=row[9],
        message=row[10], requested_at=from_micros(row[11]), started_at=moment(row[12]),
        ended_at=moment(row[13]), counts=json_object(row[14]), tasks=json_object(row[15]),
        plan_hash=row[16], plan=tuple(msgspec.json.decode(row[17])), ledger=_ledger(row[14]),
        purpose=row[18],
    )  # fmt: skip


def _ledger(text: str) -> LedgerView:
    """The ledger of a run's counts; a row from before there was one has no ``taken_up``."""
    counts = Counts.from_json(text)
    whole = "taken_up" in json_object(text)
    return LedgerView(
        came_in={name: n for name in IN if (n := getattr(counts, name))},
        became={name: n for name in OUT if (n := getattr(counts, name))},
        imbalance=counts.imbalance() if whole else None,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(text, type=list[str]))


def json_object(text: str) -> dict[str, Any]:
    """A stored JSON object; empty text is an empty one."""
    return msgspec.json.decode(text, type=dict[str, Any]) if text else {}


def find_order(book: Book, order_id: str, account: str | None = None) -> tuple[int, str] | None:
    """The row id and account of an order, or None.

    Raises NotFound for an unknown account, Refused when several accounts have the order.
    """
    where = Filter()
    where.add("o.order_id = ?", order_id)
    if account is not None:
        where.add("o.account_id = ?", account_id_of(book, account))
    else:  # the index on orders begins with the account
        where.add("o.account_id IN (SELECT id FROM account)")
    with book.connection():
        rows = book.query(
            f"SELECT o.id, a.name FROM orders o JOIN account a ON a.id = o.account_id "
            f"{where.sql()} ORDER BY a.name",
            where.params,
        ).fetchall()
    if len(rows) > 1:
        names = ", ".join(name for _, name in rows)
        raise Refused(
            f"Several accounts have an order {order_id}: {names}. Say which with --account.",
            code="ambiguous_order",
        )
    return (int(rows[0][0]), str(rows[0][1])) if rows else None
