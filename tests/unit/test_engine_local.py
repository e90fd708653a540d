"""The engine's threads, with a small conduct and a real book."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncd.book import runs
from syncd.book.runs import Counts, RunState
from syncd.book.store import Book
from syncd.book.tables import Account, Facility, Tenant
from syncd.clock import SystemClock
from syncd.engine import Teller
from syncd.engine.local import SILENT_SECONDS, LocalEngine
from syncd.errors import Stopped
from syncd.log import register_secret
from syncd.statuses import Kind

CLOCK = SystemClock()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book.open(tmp_path / "book.sqlite3", CLOCK)
    with book.write():
        tenant = Tenant.create(code="main")
        facility = Facility.create(tenant=tenant, code="main")
        for name in ("a", "b"):
            Account.create(name=name, channel="shop", tenant=tenant, facility=facility)
    yield book
    book.close()


def ask(book: Book, account: str, *orders: str) -> int:
    return runs.enqueue(
        book, account, [Kind.DISPATCHED], orders=orders, trigger="operator", actor="test",
        now=CLOCK.now(),
    ).run_id  # fmt: skip


def state(book: Book, run_id: int) -> str:
    return str(runs.get(book, run_id).state)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


class Conduct:
    """Finishes each run; does what ``acts`` says for a run in between."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.acts: dict[int, Callable[[threading.Event], None]] = {}
        self.done: list[int] = []
        self.busy: list[int] = []
        self.most = 0

    def __call__(self, run_id: int, stop: threading.Event, progress: Teller) -> None:
        runs.start(self.book, run_id, CLOCK.now())
        progress.emit(run_id, "started")
        self.busy.append(run_id)
        self.most = max(self.most, len(self.busy))
        try:
            self.acts.get(run_id, lambda _stop: None)(stop)
        finally:
            self.busy.remove(run_id)
        runs.finish(
            self.book, run_id, state=RunState.OK, counts=Counts(), tasks={}, now=CLOCK.now()
        )
        progress.emit(run_id, "ended", state="OK")
        self.done.append(run_id)


@pytest.fixture
def conduct(book: Book) -> Conduct:
    return Conduct(book)


@pytest.fixture
def engine(book: Book, conduct: Conduct) -> Iterator[LocalEngine]:
    engine = LocalEngine(book, conduct, CLOCK)
    yield engine
    assert engine.stop(5), "every thread has ended"


def test_waiting_runs_are_taken_in_order_and_one_at_a_time(
    book: Book, conduct: Conduct, engine: LocalEngine
) -> None:
    ids = [ask(book, "a", f"O{n}") for n in range(4)]
    engine.start(["a"])
    until(lambda: conduct.done == ids)
    assert conduct.most == 1
    later = ask(book, "a")
    assert engine.wake("a")
    until(lambda: conduct.done[-1] == later)
    assert not engine.wake("nobody")


def test_fault_I5_a_slow_account_delays_no_other(
    book: Book, conduct: Conduct, engine: LocalEngine
) -> None:
    free = threading.Event()
    slow, quick = ask(book, "a"), ask(book, "b")
    conduct.acts[slow] = lambda _stop: free.wait(10) and None
    engine.start(["a", "b"])
    until(lambda: conduct.done == [quick])
    until(lambda: dict(engine.running()) == {"a": slow})
    free.set()
    until(lambda: conduct.done == [quick, slow])
    until(lambda: not engine.running())


@pytest.mark.parametrize(
    "error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()]
)
def test_fault_F02_whatever_is_raised_ends_the_run_alone(
    book: Book, conduct: Conduct, engine: LocalEngine, error: BaseException
) -> None:
    def explode(_stop: threading.Event) -> None:
        raise error

    bad, good = ask(book, "a"), ask(book, "a", "O1")
    conduct.acts[bad] = explode
    engine.start(["a"])
    until(lambda: conduct.done == [good])
    run = runs.get(book, bad)
    assert (run.state, run.code) == ("FAILED", "internal_error")
    assert type(error).__name__ in run.message
    assert [e["event"] for e in engine.progress.follow(bad)] == ["started", "ended"]
    assert engine.beat() == ""


def test_fault_E10_no_secret_in_the_message_of_a_broken_run(
    book: Book, conduct: Conduct, engine: LocalEngine
) -> None:
    register_secret("canary-in-engine")

    def explode(_stop: threading.Event) -> None:
        raise ValueError("refused: canary-in-engine")

    run_id = ask(book, "a")
    conduct.acts[run_id] = explode
    engine.start(["a"])
    until(lambda: state(book, run_id) == "FAILED")
    assert runs.get(book, run_id).message == "ValueError: refused: ***"
    assert "canary" not in str(list(engine.progress.follow(run_id)))


def test_a_run_that_conduct_forgets_is_failed_and_not_taken_for_ever(book: Book) -> None:
    taken: list[int] = []
    engine = LocalEngine(book, lambda run_id, stop, progress: taken.append(run_id), CLOCK)
    run_id = ask(book, "a")
    engine.start(["a"])
    until(lambda: state(book, run_id) == "FAILED")
    assert engine.stop(5)
    assert taken == [run_id]
    assert runs.get(book, run_id).message == "The run ended without saying how."


def test_fault_C04_stop_ends_a_run_at_a_safe_place_and_asks_for_it_again(
    book: Book, conduct: Conduct
) -> None:
    def page_boundary(stop: threading.Event) -> None:
        assert stop.wait(10)
        raise Stopped("stopping")

    engine = LocalEngine(book, conduct, CLOCK)
    first = ask(book, "a")
    conduct.acts[first] = page_boundary
    engine.start(["a"])
    until(lambda: bool(engine.running()))
    began = time.monotonic()
    assert engine.stop(5)
    assert time.monotonic() - began < 2
    assert state(book, first) == "STOPPED"
    again = runs.next_queued(book, "a")
    assert again is not None
    assert (again.trigger, again.kinds) == ("start", runs.get(book, first).kinds)


def test_stop_does_not_wait_longer_than_told(book: Book, conduct: Conduct) -> None:
    free = threading.Event()
    run_id = ask(book, "a")
    conduct.acts[run_id] = lambda _stop: free.wait(20) and None
    engine = LocalEngine(book, conduct, CLOCK)
    engine.start(["a"])
    until(lambda: bool(engine.running()))
    began = time.monotonic()
    assert not engine.stop(0.2)
    assert 0.1 < time.monotonic() - began < 2
    free.set()
    assert engine.stop(5)


def test_a_restarted_worker_waits_for_the_old_one(
    book: Book, conduct: Conduct, engine: LocalEngine
) -> None:
    free = threading.Event()
    first, second = ask(book, "a"), ask(book, "a", "O1")
    conduct.acts[first] = lambda _stop: free.wait(10) and None
    engine.start(["a"])
    until(lambda: bool(engine.running()))
    engine.restart("a")
    engine.wake("a")
    time.sleep(0.05)
    assert conduct.busy == [first]
    free.set()
    until(lambda: conduct.done == [first, second])
    assert conduct.most == 1


def test_start_serves_exactly_the_given_accounts(
    book: Book, conduct: Conduct, engine: LocalEngine
) -> None:
    engine.start(["a", "b"])
    engine.start(["b"])
    assert not engine.wake("a")
    run_id = ask(book, "b")
    assert engine.wake("b")
    until(lambda: conduct.done == [run_id])
    engine.start(["a", "b"])
    other = ask(book, "a")
    engine.wake("a")
    until(lambda: conduct.done == [run_id, other])


@pytest.mark.parametrize("word", ["PAUSED", "AUTH_FAILED", "DISABLED"])
def test_runs_of_an_account_that_must_not_work_wait(
    book: Book, conduct: Conduct, engine: LocalEngine, word: str
) -> None:
    with book.write():
        Account.update(state=word).where(Account.name == "a").execute()
    run_id = ask(book, "a")
    other = ask(book, "b")
    engine.start(["a", "b"])
    until(lambda: conduct.done == [other])
    assert state(book, run_id) == "QUEUED"
    with book.write():
        Account.update(state="CONNECTED").where(Account.name == "a").execute()
    engine.wake("a")
    until(lambda: conduct.done == [other, run_id])


class _Late:
    """The machine's clock, some seconds later."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.now = CLOCK.now
        self.wait = CLOCK.wait

    def monotonic(self) -> float:
        return CLOCK.monotonic() + self.ahead


def test_fault_C13_a_run_that_tells_nothing_for_long_is_reported(
    book: Book, conduct: Conduct
) -> None:
    free = threading.Event()
    clock = _Late()
    run_id = ask(book, "a")
    conduct.acts[run_id] = lambda _stop: free.wait(20) and None
    engine = LocalEngine(book, conduct, clock)
    engine.start(["a"])
    until(lambda: bool(conduct.busy))
    clock.ahead = SILENT_SECONDS - 60
    assert engine.beat() == ""
    clock.ahead = SILENT_SECONDS + 60
    assert engine.beat() == f"run {run_id} of account a has told nothing for 31 minutes"
    free.set()
    until(lambda: engine.beat() == "")
    assert engine.stop(5)


def test_trouble_with_the_book_ends_no_worker(book: Book, conduct: Conduct) -> None:
    engine = LocalEngine(book, conduct, CLOCK, pause=0.05)
    with book.write():
        book.query("ALTER TABLE run RENAME TO elsewhere")
    engine.start(["a"])
    time.sleep(0.1)
    with book.write():
        book.query("ALTER TABLE elsewhere RENAME TO run")
    run_id = ask(book, "a")
    until(lambda: engine.wake("a") and conduct.done == [run_id])
    assert engine.stop(5)
