"""When tasks are due, with a clock moved by hand, and the ticking with the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from syncd.book import runs
from syncd.book.store import Book
from syncd.book.tables import Account, Facility, Run, Task, Tenant
from syncd.clock import HandClock, SystemClock, from_micros
from syncd.config import AccountConfig, AuditConfig, Config, TaskConfig
from syncd.config.model import DEFAULT_TASKS
from syncd.statuses import Kind
from syncd.timetable import (
    SPREAD_SECONDS,
    Timetable,
    due,
    enqueue_audit_due,
    enqueue_due,
    ensure_tasks,
    spread,
)

START = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
FAST = [Kind.ORDERS, Kind.DISPATCHED, Kind.CANCELLED]
MINUTES, DAY = timedelta(minutes=40), timedelta(days=1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def book(tmp_path: Path, clock: HandClock) -> Iterator[Book]:
    book = Book.open(tmp_path / "book.sqlite3", clock)
    with book.write():
        tenant = Tenant.create(code="main")
        facility = Facility.create(tenant=tenant, code="main")
        for name in ("a", "b"):
            Account.create(name=name, channel="shop", tenant=tenant, facility=facility)
    yield book
    book.close()


def config(*names: str, tasks: Mapping[Kind, TaskConfig] = MappingProxyType({})) -> Config:
    accounts = {name: AccountConfig(name=name, channel="shop") for name in names}
    if tasks:
        accounts = {
            name: account.model_copy(update={"tasks": {**account.tasks, **tasks}})
            for name, account in accounts.items()
        }
    return Config(
        path=Path("/x.toml"), state_dir=Path("/x"), socket=Path("/x.sock"), accounts=accounts
    )


def next_run(account: str, kind: Kind) -> datetime:
    row = Task.select().join(Account).where((Account.name == account) & (Task.kind == kind)).get()
    return from_micros(row.next_run)


def queued() -> list[tuple[str, tuple[Kind, ...]]]:
    return [(run.account.name, runs.kinds_of(run.kinds)) for run in Run.select().order_by(Run.id)]


def test_new_tasks_are_due_at_once_and_all_kinds_go_into_one_run(
    book: Book, clock: HandClock
) -> None:
    ensure_tasks(book, config("a", "b"), clock.now())
    assert due(book, clock.now()) == {"a": list(Kind), "b": list(Kind)}
    assert enqueue_due(book, "a", clock.now()) is not None
    assert due(book, clock.now()) == {"b": list(Kind)}
    assert enqueue_due(book, "a", clock.now()) is None
    with book.connection():
        assert queued() == [("a", tuple(Kind))]
        assert next_run("a", Kind.DISPATCHED) == START + MINUTES
        assert next_run("a", Kind.RETURNS) == START + DAY


def test_only_what_is_due_is_asked_for(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    clock.advance(MINUTES - timedelta(seconds=1))
    assert due(book, clock.now()) == {}
    clock.advance(timedelta(seconds=1))
    assert due(book, clock.now()) == {"a": FAST}


def test_the_rhythm_is_kept_when_a_tick_comes_late(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    clock.advance(MINUTES + timedelta(seconds=7))
    enqueue_due(book, "a", clock.now())
    with book.connection():
        assert next_run("a", Kind.DISPATCHED) == START + 2 * MINUTES


def test_fault_B11_after_a_day_of_sleep_one_run_not_thirty_six(
    book: Book, clock: HandClock
) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    clock.advance(timedelta(days=1, minutes=3))
    for _ in range(5):
        enqueue_due(book, "a", clock.now())
    with book.connection():
        assert queued() == [("a", tuple(Kind))], "the waiting run took the new kinds in"
        assert next_run("a", Kind.DISPATCHED) == clock.now() + MINUTES


def deep_runs() -> list[tuple[tuple[Kind, ...], int]]:
    rows = Run.select().where(Run.days.is_null(False)).order_by(Run.id)
    return [(runs.kinds_of(run.kinds), run.days) for run in rows]


def all_done(book: Book) -> None:
    with book.write():
        Run.update(state="OK").execute()


def test_once_a_week_the_returns_are_read_ninety_days_back(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    for days in range(22):
        enqueue_due(book, "a", clock.now())
        all_done(book)
        with book.connection():
            assert len(deep_runs()) == days // 7
        clock.advance(DAY)
    with book.connection():
        assert deep_runs() == [((Kind.RETURNS,), 90)] * 3


def test_a_missed_deep_pass_gives_one_run_and_survives_restarts(
    book: Book, clock: HandClock
) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    all_done(book)
    clock.advance(timedelta(days=40))
    ensure_tasks(book, config("a"), clock.now())
    for _ in range(3):
        enqueue_due(book, "a", clock.now())
        clock.advance(timedelta(minutes=1))
    with book.connection():
        assert len(deep_runs()) == 1
    clock.step(timedelta(days=-400))
    enqueue_due(book, "a", clock.now())
    all_done(book)
    clock.advance(timedelta(days=7))
    enqueue_due(book, "a", clock.now())
    with book.connection():
        assert len(deep_runs()) == 2, "a clock set back does not silence it"


@pytest.mark.parametrize(
    "off", [{"deep_every": timedelta(0)}, {"deep_look_back": timedelta(0)}, {"enabled": False}]
)
def test_the_deep_pass_can_be_turned_off_and_on(
    book: Book, clock: HandClock, off: dict[str, object]
) -> None:
    usual = DEFAULT_TASKS[Kind.RETURNS]
    none = {Kind.RETURNS: usual.model_copy(update=off)}
    ensure_tasks(book, config("a", tasks=none), clock.now())
    clock.advance(timedelta(days=30))
    enqueue_due(book, "a", clock.now())
    with book.connection():
        assert deep_runs() == []
    all_done(book)
    ensure_tasks(book, config("a"), clock.now())
    clock.advance(timedelta(days=7))
    enqueue_due(book, "a", clock.now())
    with book.connection():
        assert len(deep_runs()) == 1


@pytest.mark.parametrize("hours", [1, 3, 24 * 3650])
def test_fault_B10_a_clock_set_back_never_freezes_a_task(
    book: Book, clock: HandClock, hours: int
) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    clock.step(-timedelta(hours=hours))
    waited = timedelta(0)
    while not due(book, clock.now()):
        clock.advance(timedelta(minutes=1))
        waited += timedelta(minutes=1)
        assert waited <= MINUTES, "it waits at most one interval"
    enqueue_due(book, "a", clock.now())
    assert not due(book, clock.now()).get("a"), "and then not again and again"


def test_fault_B21_a_slow_run_is_followed_by_one_run_not_by_many(
    book: Book, clock: HandClock
) -> None:
    ensure_tasks(book, config("a"), clock.now())
    first = enqueue_due(book, "a", clock.now())
    assert first is not None
    runs.start(book, first, clock.now())
    for _ in range(4):
        clock.advance(MINUTES)
        enqueue_due(book, "a", clock.now())
    with book.connection():
        assert [run.state for run in Run.select().order_by(Run.id)] == ["RUNNING", "QUEUED"]


def test_times_survive_a_restart(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    clock.advance(timedelta(minutes=10))
    ensure_tasks(book, config("a"), clock.now())
    assert due(book, clock.now()) == {}
    with book.connection():
        assert next_run("a", Kind.DISPATCHED) == START + MINUTES


def test_a_changed_interval_counts_from_the_last_time(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    enqueue_due(book, "a", clock.now())
    clock.advance(timedelta(minutes=10))
    quarter = {Kind.DISPATCHED: TaskConfig(every=timedelta(minutes=15))}
    ensure_tasks(book, config("a", tasks=quarter), clock.now())
    with book.connection():
        assert next_run("a", Kind.DISPATCHED) == START + timedelta(minutes=15)
    minute = {Kind.DISPATCHED: TaskConfig(every=timedelta(minutes=1))}
    ensure_tasks(book, config("a", tasks=minute), clock.now())
    assert due(book, clock.now()) == {"a": [Kind.DISPATCHED]}


def test_switched_off_tasks_removed_and_paused_accounts_are_not_due(
    book: Book, clock: HandClock
) -> None:
    off = {kind: TaskConfig(every=MINUTES, enabled=kind is Kind.RETURNS) for kind in Kind}
    ensure_tasks(book, config("a", "b", tasks=off), clock.now())
    assert due(book, clock.now()) == {"a": [Kind.RETURNS], "b": [Kind.RETURNS]}
    ensure_tasks(book, config("a"), clock.now())
    assert due(book, clock.now()) == {"a": list(Kind)}
    for state in ("PAUSED", "AUTH_FAILED", "DISABLED"):
        with book.write():
            Account.update(state=state).execute()
        assert due(book, clock.now()) == {}
    with book.write():
        Account.update(state="CONNECTED").execute()
    assert due(book, clock.now()) == {"a": list(Kind)}


def test_only_what_the_channel_offers_becomes_a_task(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now(), {"a": [Kind.DISPATCHED, Kind.RETURNS]})
    assert due(book, clock.now()) == {"a": [Kind.DISPATCHED, Kind.RETURNS]}
    ensure_tasks(book, config("a"), clock.now(), {"a": [Kind.RETURNS]})
    assert due(book, clock.now()) == {"a": [Kind.RETURNS]}
    with book.connection():
        assert {row.kind for row in Task.select()} == {"dispatched", "returns", "audit"}


def test_look_back_is_written_down(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    with book.connection():
        rows = {row.kind: row.look_back_seconds for row in Task.select()}
    assert rows["returns"] == 30 * 86_400
    assert rows["dispatched"] == 0


def test_accounts_are_spread_out_always_in_the_same_way() -> None:
    names = [f"shop-{number}" for number in range(30)]
    starts = [spread(name, 30) for name in names]
    assert starts == [spread(name, 30) for name in names]
    assert all(0 <= start <= min(29, SPREAD_SECONDS) for start in starts)
    assert len({round(start) for start in starts}) > 12
    assert spread("alone", 1) == 0.0


# --- the ticking


class _Hours:
    """The machine's clock with a wall time that can be set."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.monotonic = SystemClock().monotonic
        self.wait = SystemClock().wait

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


def tick(timetable: Timetable, seconds: float, enough: list[str], count: int) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(enough) < count:
        timetable.run_pending()
        time.sleep(0.01)


def test_ticks_queue_runs_and_say_so(book: Book) -> None:
    hours = _Hours()
    ensure_tasks(book, config("a", "b"), hours.now())
    told: list[str] = []
    timetable = Timetable(book, hours, told.append)
    timetable.arm(["a", "b"])
    tick(timetable, 10, told, 2)
    assert sorted(told) == ["a", "b"]
    with book.connection():
        assert sorted(queued()) == [("a", tuple(Kind)), ("b", tuple(Kind))]


def test_one_failing_job_does_not_stop_the_others(book: Book) -> None:
    hours = _Hours()
    ensure_tasks(book, config("a", "b"), hours.now())
    told: list[str] = []

    def queued(account: str) -> None:
        told.append(account)
        if account == "a":
            raise RuntimeError("broken")

    timetable = Timetable(book, hours, queued)
    timetable.arm(["a", "b", "not-in-the-book"])
    tick(timetable, 10, told, 2)
    assert sorted(told) == ["a", "b"]


def test_fault_B10_ticks_go_on_after_the_clock_was_set_back(book: Book) -> None:
    """The library's jobs stand in wall time: they are made anew when the clock was set."""
    hours = _Hours()
    ensure_tasks(book, config("a"), hours.now())
    told: list[str] = []
    timetable = Timetable(book, hours, told.append)
    timetable.arm(["a"])
    for job in timetable._scheduler.jobs:
        assert job.next_run is not None
        job.next_run += timedelta(hours=3)  # as it stands after the clock was set back by 3 h
    tick(timetable, 0.1, told, 1)
    assert told == []
    hours.ahead = -timedelta(hours=3)
    tick(timetable, 10, told, 1)
    assert told == ["a"]


def test_fault_B12_local_time_is_utc_in_this_process() -> None:
    program = (
        "import time; from syncd.timetable import use_utc; before = time.localtime(0).tm_hour; "
        "use_utc(); print(before, time.localtime(0).tm_hour)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "TZ": "CET-1CEST"}, timeout=60,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 0\n"


def audited(audit: AuditConfig) -> Config:
    found = config("a")
    return found.model_copy(
        update={"accounts": {"a": found.accounts["a"].model_copy(update={"audit": audit})}}
    )


def audit_at() -> datetime:
    row = Task.select().where(Task.kind == "audit").get()
    return from_micros(row.next_run)


def test_the_audit_waits_for_its_hour_and_only_looks(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    with book.connection():
        assert audit_at() == datetime(2026, 3, 29, 20, 30, tzinfo=UTC)
    assert enqueue_audit_due(book, "a", clock.now()) is None
    clock.advance(timedelta(hours=22, minutes=31))
    run_id = enqueue_audit_due(book, "a", clock.now())
    assert run_id is not None
    with book.connection():
        run = runs.get(book, run_id)
        assert (run.purpose, bool(run.dry_run), run.trigger) == ("audit", True, "timer")
        assert audit_at() == datetime(2026, 3, 30, 20, 30, tzinfo=UTC)


def test_missed_nights_are_one_audit_and_the_hour_stays(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    clock.advance(timedelta(days=5))
    assert enqueue_audit_due(book, "a", clock.now()) is not None
    assert enqueue_audit_due(book, "a", clock.now()) is None
    with book.connection():
        assert audit_at() == datetime(2026, 4, 3, 20, 30, tzinfo=UTC)


def test_an_audit_is_never_folded_into_a_pass(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    clock.advance(timedelta(days=2))
    audit = enqueue_audit_due(book, "a", clock.now())
    sync = enqueue_due(book, "a", clock.now())
    assert audit != sync
    again = runs.enqueue(
        book, "a", tuple(Kind), dry_run=True, purpose="audit", trigger="t", actor="t",
        now=clock.now(),
    )  # fmt: skip
    assert (again.run_id, again.folded) == (audit, True)
    first = runs.next_queued(book, "a")
    assert first is not None
    assert first.id == sync


def test_another_hour_counts_from_its_next_coming(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, config("a"), clock.now())
    ensure_tasks(book, audited(AuditConfig(at=timedelta(hours=3))), clock.now())
    with book.connection():
        assert audit_at() == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)
    ensure_tasks(book, audited(AuditConfig(enabled=False)), clock.now())
    clock.advance(timedelta(days=3))
    assert enqueue_audit_due(book, "a", clock.now()) is None


def test_a_short_interval_begins_at_once(book: Book, clock: HandClock) -> None:
    ensure_tasks(book, audited(AuditConfig(every=timedelta(minutes=5))), clock.now())
    assert enqueue_audit_due(book, "a", clock.now()) is not None
