"""The engine of one process: a thread for each account, so that a slow channel delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import structlog

from syncd.book import runs
from syncd.book.runs import Counts, RunState
from syncd.book.store import Book
from syncd.clock import Clock
from syncd.engine import Conduct
from syncd.engine.progress import ENDED, Progress
from syncd.errors import GaveWay, Stopped
from syncd.log import mask

IDLE_SECONDS: Final = 30.0  # an idle worker looks into the book this often without being woken
PAUSE_SECONDS: Final = 5.0  # after the book could not be read or written
INTERNAL: Final = "internal_error"
SILENT_SECONDS: Final = 30 * 60.0
"""A run that tells nothing for so long is stuck: with all its retries and waits, one call to a
panel ends within 12 minutes, and every page is told."""

log = structlog.get_logger("syncd.engine")


class LocalEngine:
    """Runs each account's queued runs one after the other, each account in its own thread.

    Whatever a run raises ends that run, never the thread. The threads do not keep the process
    alive: what they have in hand when it ends is done again at the next start. ``pause`` is how
    many seconds a worker rests after trouble with the book itself.
    """

    def __init__(
        self,
        book: Book,
        conduct: Conduct,
        clock: Clock,
        progress: Progress | None = None,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._clock = clock
        self._progress = progress or Progress()
        self._shop = _Shop(book, conduct, clock, self._progress, pause)
        self._lock = threading.Lock()
        self._workers: dict[str, _Worker] = {}
        self._ending: dict[str, threading.Thread] = {}

    @property
    def progress(self) -> Progress:
        return self._progress

    def start(self, accounts: Iterable[str]) -> None:
        wanted = set(accounts)
        with self._lock:
            for name in self._workers.keys() - wanted:
                self._end(name)
            for name in wanted - self._workers.keys():
                self._begin(name)

    def restart(self, account: str) -> None:
        with self._lock:
            if account in self._workers:
                self._end(account)
                self._begin(account)

    def wake(self, account: str) -> bool:
        with self._lock:
            worker = self._workers.get(account)
        if worker is None:
            return False
        worker.wake.set()
        return True

    def stop(self, timeout: float) -> bool:
        with self._lock:
            for name in list(self._workers):
                self._end(name)
            threads = list(self._ending.values())
        self._progress.close()
        until = self._clock.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def running(self) -> Mapping[str, int]:
        with self._lock:
            return {n: w.run_id for n, w in self._workers.items() if w.run_id is not None}

    def beat(self) -> str:
        with self._lock:
            workers = list(self._workers.items())
        for name, worker in workers:
            if not worker.thread.is_alive():
                return f"the worker of account {name} has died"
            silent = self._clock.monotonic() - worker.last_sign
            if worker.run_id is not None and silent > SILENT_SECONDS:
                return (
                    f"run {worker.run_id} of account {name} has told nothing "
                    f"for {silent / 60:.0f} minutes"
                )
        return ""

    def _begin(self, name: str) -> None:
        """A new worker; it waits for the account's old one, so that no two work at a time."""
        before = self._ending.pop(name, None)
        worker = _Worker(name, self._shop, before)
        self._workers[name] = worker
        worker.thread.start()

    def _end(self, name: str) -> None:
        worker = self._workers.pop(name)
        worker.ask_to_stop()
        self._ending[name] = worker.thread


class _Shop(NamedTuple):
    """What all workers share."""

    book: Book
    conduct: Conduct
    clock: Clock
    progress: Progress
    pause: float


class _Worker:
    """One account's thread. ``run_id`` is the run in hand, None when idle."""

    def __init__(self, account: str, shop: _Shop, after: threading.Thread | None) -> None:
        self.account = account
        self.run_id: int | None = None
        self.last_sign = shop.clock.monotonic()
        self.wake = threading.Event()
        self.thread = threading.Thread(target=self._live, name=f"account {account}", daemon=True)
        self._stop = threading.Event()
        self._shop = shop
        self._book = shop.book
        self._clock = shop.clock
        self._after = after
        self._unwritten: dict[int, str] = {}  # failed runs that could not be noted

    def ask_to_stop(self) -> None:
        self._stop.set()
        self.wake.set()

    def note_sign(self) -> None:
        """The run in hand has told something."""
        self.last_sign = self._clock.monotonic()

    def _live(self) -> None:
        if self._after is not None:
            self._after.join()
        while not self._stop.is_set():
            self.wake.clear()
            if not self._guarded(self._one_run):
                self.wake.wait(IDLE_SECONDS)

    def _guarded(self, work: Callable[[], bool]) -> bool:
        """Do it; a failure of the book is logged and costs a pause. True: there may be more."""
        try:
            return work()
        except BaseException as error:
            log.error("worker cannot go on", account=self.account, error=_sentence(error))
            self._stop.wait(self._shop.pause)
            return True

    def _one_run(self) -> bool:
        """Take up the oldest queued run, if there is one."""
        for run_id, message in list(self._unwritten.items()):
            self._note_failure(run_id, message)
        if not self._connected():
            return False
        run = runs.next_queued(self._book, self.account)
        if run is None or self._stop.is_set():
            return False
        self.run_id, self.last_sign = int(run.id), self._clock.monotonic()
        try:
            self._carry_out(self.run_id)
        finally:
            self.run_id = None
        return True

    def _connected(self) -> bool:
        """Runs of an account that is paused, refused by its panel or off wait."""
        with self._book.connection():
            row = self._book.query("SELECT state FROM account WHERE name = ?", (self.account,))
            return bool(row.fetchone() == ("CONNECTED",))

    def _carry_out(self, run_id: int) -> None:
        try:
            self._shop.conduct(run_id, self._stop, _Told(self, self._shop.progress))
        except GaveWay:
            pass  # it waits in the queue again
        except Stopped:
            self._give_back(run_id)
        except BaseException as error:  # a plugin may raise anything, even SystemExit
            log.error("run broke off", run=run_id, account=self.account, exc_info=error)
            self._failed(run_id, _sentence(error))
        else:
            self._failed(run_id, "The run ended without saying how.")

    def _give_back(self, run_id: int) -> None:
        """Note that the run was stopped and ask for the same again."""
        run = runs.get(self._book, run_id)
        if run.state not in _OPEN:
            return
        with self._book.write():
            message = "Stopped at a safe place; the same was asked for again."
            self._finish(run_id, RunState.STOPPED, Stopped.code, message)
            runs.enqueue(
                self._book, self.account, runs.kinds_of(run.kinds),
                orders=runs.orders_of(run.orders), days=run.days, dry_run=run.dry_run,
                trigger="start", actor=run.actor, now=self._clock.now(),
            )  # fmt: skip
        self._tell_end(run_id, RunState.STOPPED, Stopped.code, message)

    def _failed(self, run_id: int, message: str) -> None:
        self._unwritten[run_id] = message
        self._note_failure(run_id, message)

    def _note_failure(self, run_id: int, message: str) -> None:
        """Write the failure down, unless the run has been finished properly after all."""
        open_still = runs.get(self._book, run_id).state in _OPEN
        if open_still:
            self._finish(run_id, RunState.FAILED, INTERNAL, message)
        self._unwritten.pop(run_id, None)
        if open_still:
            self._tell_end(run_id, RunState.FAILED, INTERNAL, message)

    def _finish(self, run_id: int, state: RunState, code: str, message: str) -> None:
        runs.finish(
            self._book, run_id, state=state, code=code, message=message, counts=Counts(),
            tasks={}, now=self._clock.now(),
        )  # fmt: skip

    def _tell_end(self, run_id: int, state: RunState, code: str, message: str) -> None:
        self._shop.progress.emit(run_id, ENDED, state=state.value, code=code, message=message)


class _Told:
    """Hands events on to the common progress and notes that the worker lives."""

    def __init__(self, worker: _Worker, common: Progress) -> None:
        self._worker = worker
        self._common = common

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        self._worker.note_sign()
        self._common.emit(run_id, event, **fields)


_OPEN: Final = frozenset({RunState.QUEUED, RunState.RUNNING})


def _sentence(error: BaseException) -> str:
    return mask(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
