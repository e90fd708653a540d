"""Runs: the durable queue of passes, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from syncd.book.store import Book
from syncd.book.tables import Run
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused
from syncd.statuses import MAX_ID_LENGTH, Kind

MAX_DAYS: Final = 366
MAX_ORDERS: Final = 10_000
TIMER: Final = "timer"
SYNC: Final = "sync"
AUDIT: Final = "audit"
REPORT: Final = "report"


class RunState(StrEnum):
    """Where a run stands.

    PARTIAL: it ended, but some facts were refused. HELD: it fetched, and the safety brake kept
    it from deciding.
    """

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    OK = "OK"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    GATED = "GATED"
    HELD = "HELD"
    STOPPED = "STOPPED"


ENDED: Final = frozenset(RunState) - {RunState.QUEUED, RunState.RUNNING}


class Counts(Struct, kw_only=True):
    """What a run did, in numbers of facts; ``imported`` counts orders new to the book, ``orders``
    those that facts were about; ``pages`` and ``calls`` are the channel's.

    This is a ledger. What came in is ``fetched`` (rows of the journal's kind, orders that could
    not be taken among them) and ``taken_up``, facts that earlier runs had left open. Each of
    them is in exactly one of OUT: see :meth:`imbalance`. ``undecided`` is counted in the
    journal itself, not by whoever decides: what a brake, a stop or a failure left for later.
    """

    imported: int = 0
    fetched: int = 0
    taken_up: int = 0
    new: int = 0
    known: int = 0
    applied: int = 0
    noop: int = 0
    noted: int = 0
    parked: int = 0
    held: int = 0
    escalated: int = 0
    tombstoned: int = 0
    refused: int = 0
    quarantined: int = 0
    gated: int = 0
    skipped: int = 0
    undecided: int = 0
    orders: int = 0
    pages: int = 0
    calls: int = 0
    compared: int = 0  # orders that an audit looked at
    disagreed: int = 0  # its findings
    mended: int = 0  # of these
    incomparable: int = 0  # orders of which the panel could not be asked something
    upcoming: int = 0  # facts that it met and that the next pass will bring

    def add(self, other: Counts) -> None:
        """Add another's numbers to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def imbalance(self) -> int:
        """Facts that came in and are in no column of OUT; below zero: that are in two."""
        came = sum(int(getattr(self, name)) for name in IN)
        return came - sum(int(getattr(self, name)) for name in OUT)

    def to_json(self) -> str:
        """As the book stores it: zeros are kept, so that a reader sees every name."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Counts:
        """Read what :meth:`to_json` wrote; names it does not know are passed over."""
        return msgspec.json.decode(text, type=cls)


IN: Final = ("fetched", "taken_up")
"""Where the facts of a run come from."""

OUT: Final = (
    "known", "quarantined", "applied", "noop", "noted", "parked", "held", "escalated",
    "tombstoned", "refused", "skipped", "gated", "undecided",
)  # fmt: skip
"""What became of the facts of a run: each is in one of these numbers of :class:`Counts`."""


class Enqueued(Struct, frozen=True):
    """``folded``: an equal run was already waiting, so ``run_id`` is that one."""

    run_id: int
    folded: bool


def enqueue(
    book: Book,
    account: str,
    kinds: Iterable[Kind],
    *,
    orders: Iterable[str] = (),
    days: int | None = None,
    dry_run: bool = False,
    purpose: str = SYNC,
    trigger: str,
    actor: str,
    now: datetime,
) -> Enqueued:
    """Ask for a run of ``account``; the account's worker takes it up in turn.

    A run equal to one still waiting is not queued twice. A run asked for by a timer takes in
    the kinds of later timers while it waits, so that a long wait ends in one run.

    ``kinds`` may be empty: such a run fetches nothing and decides what is in the journal.
    Raises NotFound for an unknown account, Refused for days or orders out of range.
    """
    wanted = _ordered(kinds)
    order_ids = _order_ids(orders)
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Refused(f"days is {days}; give a number from 1 to {MAX_DAYS}.", code="bad_days")
    with book.write():
        account_id = account_id_of(book, account)
        waiting = _waiting(book, account_id, order_ids, days, dry_run, purpose)
        for run in waiting:
            if _ordered(run.kinds_list) == wanted:
                return Enqueued(run.id, True)
        if trigger == TIMER:
            for run in waiting:
                if run.trigger == TIMER and run.kinds_list and wanted:
                    _widen(book, run, wanted)
                    return Enqueued(run.id, True)
        row = Run.create(
            account=account_id, kinds=_json([k.value for k in wanted]), orders=_json(order_ids),
            days=days, dry_run=dry_run, purpose=purpose, trigger=trigger, actor=actor,
            requested_at=to_micros(now), counts=Counts().to_json(),
        )  # fmt: skip
        return Enqueued(int(row.id), False)


class _Waiting(Struct, frozen=True):
    id: int
    kinds_list: tuple[Kind, ...]
    trigger: str


def _waiting(
    book: Book,
    account_id: int,
    order_ids: Sequence[str],
    days: int | None,
    dry_run: bool,
    purpose: str,
) -> list[_Waiting]:
    """Queued runs that ask for the same but for the kinds, oldest first."""
    rows = book.query(
        "SELECT id, kinds, trigger FROM run WHERE account_id = ? AND state = 'QUEUED' "
        "AND orders = ? AND days IS ? AND dry_run = ? AND purpose = ? ORDER BY id",
        (account_id, _json(list(order_ids)), days, dry_run, purpose),
    )
    return [_Waiting(run_id, kinds_of(kinds), trigger) for run_id, kinds, trigger in rows]


def _widen(book: Book, run: _Waiting, wanted: Sequence[Kind]) -> None:
    kinds = _ordered([*run.kinds_list, *wanted])
    book.query("UPDATE run SET kinds = ? WHERE id = ?", (_json([k.value for k in kinds]), run.id))


def next_queued(book: Book, account: str) -> Run | None:
    """The oldest waiting run of an account, or None. Audits wait until nothing else does."""
    with book.connection():
        row: Run | None = (
            Run.select()
            .where((Run.account == account_id_of(book, account)) & (Run.state == RunState.QUEUED))
            .order_by(Run.purpose == AUDIT, Run.id)
            .first()
        )
    return row


def get(book: Book, run_id: int) -> Run:
    """The row of a run. Raises NotFound."""
    with book.connection():
        row: Run | None = Run.get_or_none(Run.id == run_id)
    if row is None:
        raise NotFound(f"There is no run {run_id}. See the newest with: syncctl runs")
    return row


def note(book: Book, run_id: int, message: str) -> None:
    """What a run has to say while it goes on; its end has a message of its own."""
    with book.write():
        Run.update(message=message).where(Run.id == run_id).execute()


def start(book: Book, run_id: int, now: datetime) -> None:
    """Mark a waiting run as running. Raises Refused when it is not waiting any more."""
    with book.write():
        done = book.query(
            "UPDATE run SET state = 'RUNNING', started_at = coalesce(started_at, ?) "
            "WHERE id = ? AND state = 'QUEUED'",
            (to_micros(now), run_id),
        )
        if done.rowcount == 0:
            raise Refused(
                f"Run {run_id} is {get(book, run_id).state}, only a queued run can start."
            )


def sync_waits(book: Book, account_id: int) -> bool:
    """Whether a run other than an audit waits for the account's worker."""
    sql = "SELECT 1 FROM run WHERE account_id = ? AND state = 'QUEUED' AND purpose <> ? LIMIT 1"
    return book.query(sql, (account_id, AUDIT)).fetchone() is not None


def keep_place(
    book: Book, run_id: int, place: str, counts: Counts, tasks: Mapping[str, Any]
) -> None:
    """Note how far a long run has come; whoever takes it up again goes on from there."""
    with book.write():
        book.query(
            "UPDATE run SET place = ?, counts = ?, tasks = ? WHERE id = ?",
            (place, counts.to_json(), _json(dict(tasks)), run_id),
        )


def put_back(book: Book, run_id: int) -> None:
    """Let a run that is in hand wait again, with the place that it keeps."""
    with book.write():
        book.query("UPDATE run SET state = 'QUEUED' WHERE id = ? AND state = 'RUNNING'", (run_id,))


def finish(
    book: Book,
    run_id: int,
    *,
    state: RunState,
    code: str = "",
    message: str = "",
    counts: Counts,
    tasks: Mapping[str, Any],
    plan_hash: str = "",
    plan: str = "[]",
    now: datetime,
) -> None:
    """Write down how a run ended. ``tasks`` goes kind -> state, message, code and window.

    Raises Refused when the run has ended already or was never started.
    """
    if state not in ENDED:
        raise Refused(f"A run cannot end as {state}.")
    with book.write():
        done = book.query(
            "UPDATE run SET state = ?, code = ?, message = ?, counts = ?, tasks = ?, "
            "plan_hash = ?, plan = ?, ended_at = ? WHERE id = ? AND state IN ('RUNNING', 'QUEUED')",
            (
                state.value, code, message, counts.to_json(), _json(dict(tasks)),
                plan_hash, plan, to_micros(now), run_id,
            ),
        )  # fmt: skip
        if done.rowcount == 0:
            raise Refused(f"Run {run_id} is {get(book, run_id).state}; it cannot end again.")


def recover(book: Book, now: datetime) -> list[int]:
    """At start-up: what was running when the program ended is marked, and asked for again.

    Nothing is lost by that, for each page was stored whole and each fact is decided once. An
    audit waits again, to go on from where it stood.
    Returns the ids of the runs that stand in for the broken ones.
    """
    with book.write():
        book.query("UPDATE run SET state = 'QUEUED' WHERE state = 'RUNNING' AND purpose <> 'sync'")
        broken = list(
            book.query(
                "SELECT run.id, account.name, kinds, orders, days, dry_run FROM run "
                "JOIN account ON account.id = run.account_id WHERE run.state = 'RUNNING' "
                "ORDER BY run.id"
            )
        )
        book.query(
            "UPDATE run SET state = 'STOPPED', code = 'stopped', ended_at = ?, message = "
            "'The program ended during this run; the same was asked for again at the next start.' "
            "WHERE state = 'RUNNING'",
            (to_micros(now),),
        )
        again = [
            enqueue(
                book, account, kinds_of(kinds), orders=msgspec.json.decode(orders), days=days,
                dry_run=bool(dry_run), trigger="start", actor=f"recovery of run {run_id}", now=now,
            ).run_id
            for run_id, account, kinds, orders, days, dry_run in broken
        ]  # fmt: skip
    return list(dict.fromkeys(again))


def account_id_of(book: Book, account: str) -> int:
    """The row id of an account. Raises NotFound naming the accounts that exist."""
    with book.connection():
        row = book.query("SELECT id FROM account WHERE name = ?", (account,)).fetchone()
        if row is not None:
            return int(row[0])
        names = [name for (name,) in book.query("SELECT name FROM account ORDER BY name")]
    known = ", ".join(names) if names else "none; add one to the configuration"
    raise NotFound(f"There is no account {account!r}. Known accounts: {known}.")


def kinds_of(text: str) -> tuple[Kind, ...]:
    """The kinds in a run row's ``kinds``."""
    return tuple(Kind(word) for word in msgspec.json.decode(text, type=list[str]))


def orders_of(text: str) -> tuple[str, ...]:
    """The order ids in a run row's ``orders``."""
    return tuple(msgspec.json.decode(text, type=list[str]))


def _ordered(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """Each kind once, in the order of the enumeration, so that equal sets compare equal."""
    given = set(kinds)
    return tuple(kind for kind in Kind if kind in given)


def _order_ids(orders: Iterable[str]) -> list[str]:
    found = sorted(set(orders))
    if len(found) > MAX_ORDERS:
        raise Refused(
            f"{len(found)} orders were named; a run takes at most {MAX_ORDERS}. Ask by days, or "
            "in several runs.",
            code="too_many_orders",
        )
    for order_id in found:
        if not order_id or len(order_id) > MAX_ID_LENGTH:
            raise Refused(
                f"An order id has 1 to {MAX_ID_LENGTH} characters; got {order_id[:40]!r}.",
                code="bad_order_id",
            )
    return found


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
