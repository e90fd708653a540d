"""When each task is due. The times live in the book, so that they survive a restart.

Jobs of the ``schedule`` library only look into the book and queue a run; the work is the
engine's. A task that was missed, however often, gives one run.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import schedule
import structlog
from peewee import Expression

from syncd.book import runs
from syncd.book.runs import TIMER
from syncd.book.store import Book
from syncd.book.tables import Account, Task
from syncd.clock import Clock, to_micros
from syncd.config import AuditConfig, Config, TaskConfig
from syncd.statuses import Kind

TICK_SECONDS: Final = 5  # how often an account's tasks are looked at
SPREAD_SECONDS: Final = 30.0  # the accounts' first looks lie apart by up to so much
JUMP_SECONDS: Final = 2.0  # wall and monotonic clock drift apart by this: someone set the clock
_MICROS: Final = 1_000_000

log = structlog.get_logger("syncd.timetable")


def ensure_tasks(
    book: Book,
    config: Config,
    now: datetime,
    offered: Mapping[str, Collection[Kind]] = MappingProxyType({}),
) -> None:
    """Bring the task rows in line with the configuration; their history stays.

    A new task is due at once, one whose interval changed is counted anew from its last time.
    Tasks of accounts that are no longer configured are switched off, and so are those that
    the account's channel does not offer; ``offered`` says what it does, account by account.
    """
    with book.write():
        ids = {row.name: int(row.id) for row in Account.select(Account.id, Account.name)}
        for name, account_id in ids.items():
            account = config.accounts.get(name)
            if account is None:
                Task.update(enabled=False).where(Task.account == account_id).execute()
                continue
            kinds = offered.get(name, Kind)
            for kind, task in account.tasks.items():
                if kind in kinds:
                    _ensure_task(account_id, kind, task, to_micros(now))
                else:
                    Task.update(enabled=False).where(_is(account_id, kind)).execute()
            _ensure_audit(account_id, account.audit, to_micros(now))


def due(book: Book, now: datetime, account: str | None = None) -> dict[str, list[Kind]]:
    """The kinds that are due, by account; only of accounts that are connected.

    A next time further away than one interval comes from a clock that was set back, and
    counts as due: otherwise the task would sleep until that time comes round again.
    """
    moment = to_micros(now)
    with book.connection():
        rows = book.query(_DUE, (account, account, moment, moment)).fetchall()
    found: dict[str, list[Kind]] = {}
    for name, kind in rows:
        found.setdefault(name, []).append(Kind(kind))
    return {name: [kind for kind in Kind if kind in kinds] for name, kinds in found.items()}


def enqueue_due(book: Book, account: str, now: datetime) -> int | None:
    """Queue one run with all due kinds of an account, and set their next times, at once.

    A kind's deep pass, which looks further back, is a run of its own behind it. Returns the id
    of the first run, or None when nothing is due.
    """
    with book.write():
        plain = _enqueue_plain(book, account, now)
        deep = _enqueue_deep(book, account, now)
        return deep if plain is None else plain


def _enqueue_plain(book: Book, account: str, now: datetime) -> int | None:
    with book.write():
        kinds = due(book, now, account).get(account, [])
        if not kinds:
            return None
        queued = runs.enqueue(book, account, kinds, trigger=TIMER, actor=TIMER, now=now)
        moment = to_micros(now)
        for kind in kinds:
            book.query(_NEXT_TIME, (moment, moment, moment, account, kind.value))
        return queued.run_id


def _enqueue_deep(book: Book, account: str, now: datetime) -> int | None:
    """Queue a run for each deep pass that is due; the first one's id.

    As with the plain ones, a time further away than one interval counts as due, and a pass that
    was missed gives one run.
    """
    first = None
    moment = to_micros(now)
    for kind, days in book.query(_DEEP_DUE, (account, moment, moment)).fetchall():
        queued = runs.enqueue(
            book, account, [Kind(kind)], days=days, trigger=TIMER, actor=TIMER, now=now
        )
        book.query(_NEXT_DEEP, (moment, account, kind))
        first = queued.run_id if first is None else first
    return first


def enqueue_audit_due(book: Book, account: str, now: datetime) -> int | None:
    """Queue the audit of an account if its night has come, and set the next one.

    It only looks. Returns the run's id, or None. However many nights were missed, it is one.
    """
    moment = to_micros(now)
    with book.write():
        row = book.query(_AUDIT_DUE, (account, moment, moment)).fetchone()
        if row is None:
            return None
        queued = runs.enqueue(
            book, account, tuple(Kind), dry_run=True, purpose=runs.AUDIT, trigger=TIMER,
            actor=TIMER, now=now,
        )  # fmt: skip
        account_id, next_run, every = row
        if next_run > moment:  # the clock was set back
            next_run = moment
        turns = (moment - next_run) // (every * _MICROS) + 1
        book.query(
            "UPDATE task SET next_run = ? WHERE account_id = ? AND kind = 'audit'",
            (next_run + turns * every * _MICROS, account_id),
        )
        return queued.run_id


class Timetable:
    """The ticking part: looks at each account's tasks every few seconds.

    ``queued`` is called with an account's name after a run of it was queued. Not for use from
    several threads.
    """

    def __init__(self, book: Book, clock: Clock, queued: Callable[[str], object]) -> None:
        self._book = book
        self._clock = clock
        self._queued = queued
        self._scheduler = schedule.Scheduler()
        self._accounts: list[str] = []
        self._drift = self._present_drift()

    def arm(self, accounts: Iterable[str]) -> None:
        """Tick for exactly these accounts from now on.

        Their first ticks are spread out, always in the same way, so that many accounts do
        not all begin in one instant.
        """
        self._accounts = sorted(accounts)
        self._scheduler.clear()
        for name in self._accounts:
            first = self._scheduler.every(1).seconds
            job = first.do(functools.partial(self._first_tick, name))
            if job.next_run is not None:
                job.next_run += timedelta(seconds=spread(name, len(self._accounts)) - 1.0)

    def run_pending(self) -> None:
        """Do what is due. Call it about every second."""
        self._mind_the_clock()
        self._scheduler.run_pending()

    def _first_tick(self, account: str) -> type[schedule.CancelJob]:
        """The first tick comes after the spread, the others follow at the usual distance."""
        self._scheduler.every(TICK_SECONDS).seconds.do(functools.partial(self._tick, account))
        self._tick(account)
        return schedule.CancelJob

    def _tick(self, account: str) -> None:
        """A failure here must not stop the other accounts' jobs."""
        try:
            now = self._clock.now()
            queued = [enqueue_due(self._book, account, now)]
            queued.append(enqueue_audit_due(self._book, account, now))
            if any(run_id is not None for run_id in queued):
                self._queued(account)
        except Exception as error:
            log.error("timer failed", account=account, error=f"{type(error).__name__}: {error}")

    def _mind_the_clock(self) -> None:
        """``schedule`` reckons by the wall clock: when that was set, begin to count anew."""
        drift = self._present_drift()
        jump = drift - self._drift
        if abs(jump) >= JUMP_SECONDS:
            log.warning("the clock was set", seconds=round(jump, 1))
            self.arm(self._accounts)
        self._drift = drift

    def _present_drift(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


def spread(account: str, accounts: int) -> float:
    """Seconds by which an account's ticks come later than the start; none if it is alone."""
    share = int.from_bytes(blake2b(account.encode(), digest_size=4).digest(), "big") / 2**32
    return share * min(SPREAD_SECONDS, float(max(0, accounts - 1)))


def use_utc() -> None:
    """Make local time UTC in this process: no hour is ever missing or there twice."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def _ensure_task(account_id: int, kind: Kind, task: TaskConfig, now: int) -> None:
    every = int(task.every.total_seconds())
    row = Task.get_or_none(_is(account_id, kind))
    values = {
        "every_seconds": every,
        "look_back_seconds": int(task.look_back.total_seconds()),
        "enabled": task.enabled,
        **_deep(row, task, now),
    }
    if row is None:
        Task.create(account=account_id, kind=kind.value, next_run=now, **values)
        return
    if row.every_seconds != every and row.next_run > now:
        last = row.next_run - row.every_seconds * _MICROS
        values["next_run"] = last + every * _MICROS
    Task.update(**values).where(_is(account_id, kind)).execute()


def _deep(row: Task | None, task: TaskConfig, now: int) -> dict[str, int]:
    """The columns of the deep pass. The first one comes after one interval, for the first pass
    of a kind looks far back anyway."""
    days = -(-task.deep_look_back // timedelta(days=1))
    every = int(task.deep_every.total_seconds()) if days else 0
    values = {"deep_every_seconds": every, "deep_days": days}
    if every and (row is None or row.deep_every_seconds != every):
        values["next_deep"] = now + every * _MICROS
    return values


def _ensure_audit(account_id: int, audit: AuditConfig, now: int) -> None:
    """The audit's row: first due at its hour; an hour that was changed counts from the next."""
    every = int(audit.every.total_seconds())
    day = 86_400
    nightly = every % day == 0
    at = int(audit.at.total_seconds())
    first = now
    if nightly:
        first = ((now // _MICROS - at) // day + 1) * day + at
        first *= _MICROS
    row = Task.get_or_none(_is(account_id, runs.AUDIT))
    if row is None:
        Task.create(
            account=account_id, kind=runs.AUDIT, every_seconds=every, enabled=audit.enabled,
            next_run=first,
        )  # fmt: skip
        return
    values: dict[str, object] = {"every_seconds": every, "enabled": audit.enabled}
    moved = nightly and row.next_run // _MICROS % day != at
    if row.next_run > now and (moved or row.every_seconds != every):
        values["next_run"] = first
    Task.update(**values).where(_is(account_id, runs.AUDIT)).execute()


def _is(account_id: int, kind: str) -> Expression:
    condition: Expression = (Task.account == account_id) & (Task.kind == str(kind))
    return condition


_DUE: Final = f"""
SELECT account.name, task.kind FROM task JOIN account ON account.id = task.account_id
WHERE task.enabled AND account.state = 'CONNECTED' AND (? IS NULL OR account.name = ?)
AND task.kind <> '{runs.AUDIT}'
AND (task.next_run <= ? OR task.next_run > ? + task.every_seconds * {_MICROS})
"""
# The first audit may be up to a day further away than one interval: it waits for its hour.
_AUDIT_DUE: Final = f"""
SELECT task.account_id, task.next_run, task.every_seconds FROM task
JOIN account ON account.id = task.account_id
WHERE account.name = ? AND task.kind = '{runs.AUDIT}' AND task.enabled
AND account.state = 'CONNECTED'
AND (task.next_run <= ? OR task.next_run > ? + (task.every_seconds + 86400) * {_MICROS})
"""
# The old rhythm is kept unless the next time would already be past, or never was near.
_NEXT_TIME: Final = f"""
UPDATE task SET next_run = CASE
  WHEN next_run <= ? AND next_run + every_seconds * {_MICROS} > ?
  THEN next_run + every_seconds * {_MICROS}
  ELSE ? + every_seconds * {_MICROS} END
WHERE account_id = (SELECT id FROM account WHERE name = ?) AND kind = ?
"""
_DEEP_DUE: Final = f"""
SELECT task.kind, task.deep_days FROM task JOIN account ON account.id = task.account_id
WHERE task.enabled AND account.state = 'CONNECTED' AND account.name = ?
AND task.deep_every_seconds > 0
AND (task.next_deep <= ? OR task.next_deep > ? + task.deep_every_seconds * {_MICROS})
ORDER BY task.kind
"""
_NEXT_DEEP: Final = f"""
UPDATE task SET next_deep = ? + deep_every_seconds * {_MICROS}
WHERE account_id = (SELECT id FROM account WHERE name = ?) AND kind = ?
"""
