"""Conduct one run of one account: fetch every kind that is due, then decide.

Everything a channel says is in the journal before anything is decided, so that the facts of
all kinds are taken in the order in which they happened. A kind that fails does not stop the
others, and what is in the journal is decided all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Protocol

import msgspec
import structlog

from syncd.book import acts, inbox, intake, runs
from syncd.book.apply import AccountView, Clerk, TenantNotLive
from syncd.book.intake_checks import Problem
from syncd.book.runs import Counts, RunState
from syncd.book.store import Book
from syncd.book.tables import Run
from syncd.channels import LoadedChannel
from syncd.clock import Clock, to_micros
from syncd.errors import PanelRefused, PluginError, Stopped, SyncdError
from syncd.hookspecs import ReadsBy
from syncd.panel import Panel
from syncd.statuses import (
    MAX_ID_LENGTH,
    Account,
    Kind,
    OrderRef,
    Page,
    Status,
    StatusChange,
    Window,
)
from syncd.windows import FIRST_LOOK_BACK, Reach, reach, steps

MAX_REHEARSED: Final = 200_000  # rows that a dry run keeps in memory
MAX_ASKED: Final = 500  # unknown orders asked for in one run
ASK_TIMES: Final = 3

log = structlog.get_logger("syncd.passes")


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of an account, with its channel."""

    account: Account
    channel: LoadedChannel
    look_back: Mapping[Kind, timedelta]
    locations: Mapping[str, str]  # the channel's location id -> facility code


class Progress(Protocol):
    """Where a run tells how far it is."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Tell one step of a run."""
        ...


class TaskNote(msgspec.Struct, kw_only=True):
    """What became of one kind in a run; stored with it."""

    state: str = "ok"  # ok, failed, gated
    code: str = ""
    message: str = ""
    since: str = ""
    until: str = ""
    fetched: int = 0
    new: int = 0
    pages: int = 0


Setups = Callable[[str], Setup]
Panels = Callable[[Setup, threading.Event], Panel]


class Conductor:
    """Runs queued runs to their end. One serves all accounts; each call is one account's."""

    def __init__(self, book: Book, setups: Setups, panels: Panels, clock: Clock) -> None:
        self._book = book
        self._setups = setups
        self._panels = panels
        self._clock = clock

    def conduct(self, run_id: int, stop: threading.Event, progress: Progress) -> None:
        """Take the run to its end and write down how it ended. Raises nothing of a channel's."""
        with self._book.connection():
            run = runs.get(self._book, run_id)
            runs.start(self._book, run_id, self._clock.now())
            progress.emit(run_id, "started")
            one = _Pass(self._book, run, stop, progress, self._clock)
            try:
                one.take(self._setups, self._panels)
            finally:
                one.finish()
        log.info(
            "run ended", run=run_id, account=one.name, state=str(one.state), code=one.code,
            counts={k: v for k, v in msgspec.structs.asdict(one.counts).items() if v},
        )  # fmt: skip


class _Pass:
    """One run in progress."""

    def __init__(
        self, book: Book, run: Run, stop: threading.Event, progress: Progress, clock: Clock
    ) -> None:
        self.book = book
        self.run_id = int(run.id)
        self.stop = stop
        self.clock = clock
        row = book.query(_ACCOUNT_OF, (self.run_id,)).fetchone()
        self.account_id, self.name, self.tenant_id = int(row[0]), str(row[1]), int(row[2])
        self.kinds = runs.kinds_of(run.kinds)
        self.orders = runs.orders_of(run.orders)
        self.days: int | None = run.days
        self.dry_run = bool(run.dry_run)
        self.actor = str(run.actor)
        self.counts = Counts()
        self.tasks: dict[Kind, TaskNote] = {}
        self.rehearsed: list[inbox.Journal] = []
        self.plan_hash = ""
        self.state = RunState.OK
        self.code = ""
        self.message = ""
        self._progress = progress

    def take(self, setups: Setups, panels: Panels) -> None:
        """The whole run; failures end up in ``state``, ``code`` and ``message``."""
        try:
            setup = setups(self.name)
            self._check_tenant()
            panel = panels(setup, self.stop)
            try:
                self._fetch_all(setup, panel)
                self._decide(setup, panel)
            finally:
                self.counts.calls = panel.calls
                panel.close()
            self._judge()
        except Stopped as error:
            self._end(RunState.STOPPED, error.code, "The daemon was stopped; run again at start.")
            self._again()
        except TenantNotLive as error:
            self.counts.gated = self.counts.new
            self._end(RunState.GATED, error.code, str(error))
            self.tasks = {
                kind: TaskNote(state="gated", code=error.code, message=str(error))
                for kind in self.kinds
            }
        except SyncdError as error:
            self._end(RunState.FAILED, error.code, str(error))
        except Exception as error:
            log.exception("run failed", run=self.run_id, account=self.name)
            self._end(RunState.FAILED, "internal_error", f"{type(error).__name__}: {error}")

    def finish(self) -> None:
        """Write the end of the run and of its tasks."""
        now = self.clock.now()
        if self.state is RunState.RUNNING:
            self._end(RunState.FAILED, "internal_error", "The run ended without a word.")
        with self.book.write():
            runs.finish(
                self.book, self.run_id, state=self.state, code=self.code, message=self.message,
                counts=self.counts, plan_hash=self.plan_hash, now=now,
                tasks={k.value: msgspec.to_builtins(note) for k, note in self.tasks.items()},
            )  # fmt: skip
            if not self.dry_run:
                self._note_tasks(to_micros(now))
        self._progress.emit(
            self.run_id, "ended", state=self.state.value, code=self.code, message=self.message,
            counts=msgspec.structs.asdict(self.counts),
        )  # fmt: skip

    def _end(self, state: RunState, code: str, message: str) -> None:
        self.state, self.code, self.message = state, code, message

    def _check_tenant(self) -> None:
        row = self.book.query("SELECT state FROM tenant WHERE id = ?", (self.tenant_id,)).fetchone()
        if row[0] != "LIVE":
            raise TenantNotLive

    # --- fetching

    def _fetch_all(self, setup: Setup, panel: Panel) -> None:
        for kind in Kind:
            if kind in self.kinds and kind in setup.channel.kinds:
                self.tasks[kind] = note = TaskNote()
                try:
                    self._fetch(setup, panel, kind, note)
                except Stopped:
                    raise
                except PanelRefused as error:
                    self._failed(note, error)
                    self._credentials_refused(error)
                    return
                except SyncdError as error:
                    self._failed(note, error)
                except Exception as error:
                    broken = PluginError(
                        f"Channel {setup.channel.name} failed while fetching {kind}: "
                        f"{type(error).__name__}: {error}. Report it to the plugin's author."
                    )
                    log.exception("plugin failed", run=self.run_id, account=self.name, kind=kind)
                    self._failed(note, broken)

    def _failed(self, note: TaskNote, error: SyncdError) -> None:
        note.state, note.code, note.message = "failed", error.code, str(error)
        log.warning("fetch failed", run=self.run_id, account=self.name, code=error.code)

    def _fetch(self, setup: Setup, panel: Panel, kind: Kind, note: TaskNote) -> None:
        plan = self._reach(setup, panel, kind)
        if plan.gap is not None:
            note.message = (
                f"The channel serves only what is newer than {plan.window.start:%Y-%m-%d %H:%M} "
                f"UTC; changes since {plan.gap.start:%Y-%m-%d %H:%M} may be missing. Compare the "
                "open orders by id: syncctl trigger --order"
            )
        note.since, note.until = plan.window.start.isoformat(), plan.window.end.isoformat()
        if self.orders or ReadsBy.WINDOW not in setup.channel.describe().reads_by:
            self._fetch_orders(setup, panel, kind, note, plan.window)
            return
        for window in steps(plan.window, setup.channel.describe().longest_window):
            self._take_pages(setup, kind, note, setup.channel.fetch(
                kind, setup.account, window, (), panel
            ), plan.moves_cursor)  # fmt: skip
            if plan.moves_cursor and not self.dry_run:
                with self.book.write():
                    inbox.move_cursor(self.book, self.account_id, kind, window.end, self.run_id)

    def _reach(self, setup: Setup, panel: Panel, kind: Kind) -> Reach:
        cursor = inbox.cursor_of(self.book, self.account_id, kind)
        look_back = setup.look_back.get(kind, timedelta(0))
        if self.orders:
            look_back = max(look_back, FIRST_LOOK_BACK)
        channel = setup.channel.describe()
        return reach(channel, panel.server_now(), cursor, look_back, self.days)

    def _fetch_orders(
        self, setup: Setup, panel: Panel, kind: Kind, note: TaskNote, window: Window
    ) -> None:
        """By order ids: those that a person named, or all that are open."""
        refs = self._refs(self.orders) if self.orders else self._open_refs()
        size = setup.channel.describe().orders_per_call
        for part in _parts(refs, size):
            pages = setup.channel.fetch(kind, setup.account, window, part, panel)
            self._take_pages(setup, kind, note, pages, False)

    def _take_pages(
        self, setup: Setup, kind: Kind, note: TaskNote, pages: Iterable[Page[Any]], moves: bool
    ) -> None:
        for page in pages:
            if kind is Kind.ORDERS:
                self._take_orders(setup, page, note)
            else:
                self._take_changes(kind, page, note, moves)
            note.pages += 1
            self.counts.pages += 1
            self._tell(kind)
            if self.stop.is_set():
                raise Stopped("The daemon is stopping.")

    def _take_changes(self, kind: Kind, page: Page[Any], note: TaskNote, moves: bool) -> None:
        now = self.clock.now()
        if self.dry_run:
            rows = inbox.journal(
                self.account_id, kind, page.rows, run_id=self.run_id, observed_at=now
            )
            fresh = inbox.unknown_only(self.book, rows)
            self.rehearsed.extend(fresh)
            if len(self.rehearsed) > MAX_REHEARSED:
                raise PluginError(
                    f"A dry run holds at most {MAX_REHEARSED} changes; name orders, or fewer days."
                )
            stored = inbox.Stored(
                fetched=len(rows), new=len(fresh),
                quarantined=sum(1 for row in fresh if inbox.is_quarantined(row)),
            )  # fmt: skip
        else:
            stored = inbox.store_page(
                self.book, self.account_id, kind, page.rows, run_id=self.run_id, observed_at=now,
                complete_until=page.complete_until if moves else None,
            )  # fmt: skip
        note.fetched += stored.fetched
        note.new += stored.new
        self.counts.fetched += stored.fetched
        self.counts.new += stored.new
        self.counts.known += stored.known
        self.counts.quarantined += stored.quarantined

    def _take_orders(self, setup: Setup, page: Page[Any], note: TaskNote) -> int:
        note.fetched += len(page.rows)
        if self.dry_run:
            return 0
        now = self.clock.now()
        taken = intake.take_orders(
            self.book, self.name, page.rows, source=setup.channel.name, now=now,
            facility_of=lambda location: setup.locations.get(location, ""),
        )  # fmt: skip
        note.new += taken.new
        if taken.problems:
            bad = [_unreadable(problem, now) for problem in taken.problems]
            stored = inbox.store_page(
                self.book, self.account_id, Kind.ORDERS, bad, run_id=self.run_id, observed_at=now
            )
            self.counts.quarantined += stored.quarantined
        return taken.unparked

    def _refs(self, order_ids: Sequence[str]) -> list[OrderRef]:
        """What the book knows of these orders; an unknown one is asked for by its id."""
        refs = []
        for order_id in order_ids:
            rows = self.book.query(_REF, (self.account_id, order_id)).fetchall()
            lines = dict.fromkeys(row[0] for row in rows)
            shipments = dict.fromkeys(row[1] for row in rows if row[1])
            facts = msgspec.json.decode(rows[0][2], type=dict[str, str]) if rows else {}
            refs.append(
                OrderRef(
                    order_id=order_id, line_ids=tuple(lines), shipment_ids=tuple(shipments),
                    facts=facts,
                )
            )  # fmt: skip
        return refs

    def _open_refs(self) -> list[OrderRef]:
        rows = self.book.query(_OPEN_ORDERS, (self.account_id,))
        return self._refs([row[0] for row in rows])

    def _tell(self, doing: str) -> None:
        counts = self.counts
        self._progress.emit(
            self.run_id, "progress", doing=str(doing), pages=counts.pages, fetched=counts.fetched,
            new=counts.new, applied=counts.applied,
        )  # fmt: skip

    # --- deciding

    def _decide(self, setup: Setup, panel: Panel) -> None:
        clerk = self._clerk(setup)
        if self.dry_run:
            clerk.rehearse(self.rehearsed)
            self._add(clerk)
            return
        clerk.settle(self.stop, lambda _counts: self._tell("deciding"))
        self._add(clerk)
        if self.stop.is_set():
            raise Stopped("The daemon is stopping.")
        if Kind.ORDERS in setup.channel.kinds and self._ask_for_unknown(setup, panel):
            again = self._clerk(setup)
            again.settle(self.stop, lambda _counts: self._tell("deciding"))
            again.counts.parked -= again.counts.applied
            self._add(again)

    def _clerk(self, setup: Setup) -> Clerk:
        sweep = self.tasks.get(Kind.DISPATCHED)
        ships = None
        if setup.channel.gates_shipping:

            def ships(ref: OrderRef) -> bool:
                return setup.channel.ships(setup.account, ref)

        view = AccountView(
            id=self.account_id, name=self.name, channel=setup.channel.name,
            tenant_id=self.tenant_id,
        )  # fmt: skip
        return Clerk(
            self.book, view, run_id=self.run_id, actor=self.actor, clock=self.clock, ships=ships,
            sweep_done=sweep is not None and sweep.state == "ok",
        )  # fmt: skip

    def _add(self, clerk: Clerk) -> None:
        self.counts.add(clerk.counts)
        self.plan_hash = clerk.plan.hexdigest()

    def _ask_for_unknown(self, setup: Setup, panel: Panel) -> bool:
        """Ask the channel for orders that it spoke of and the book lacks. True if some came."""
        rows = self.book.query(_UNKNOWN, (self.account_id, ASK_TIMES, MAX_ASKED)).fetchall()
        if not rows:
            return False
        refs = [OrderRef(order_id=row[0]) for row in rows]
        note = self.tasks.setdefault(Kind.ORDERS, TaskNote())
        end = self.clock.now()
        window = Window(start=end - FIRST_LOOK_BACK, end=end)
        woken = 0
        try:
            for part in _parts(refs, setup.channel.describe().orders_per_call):
                for page in setup.channel.fetch(Kind.ORDERS, setup.account, window, part, panel):
                    woken += self._take_orders(setup, page, note)
        except Stopped:
            raise
        except SyncdError as error:
            self._failed(note, error)
        return woken > 0

    # --- the end

    def _judge(self) -> None:
        """The state of the run from what became of its parts."""
        failed = [(kind, note) for kind, note in self.tasks.items() if note.state == "failed"]
        if failed:
            state = RunState.FAILED if len(failed) == len(self.tasks) else RunState.PARTIAL
            kind, note = failed[0]
            self._end(state, note.code, f"{kind}: {note.message}")
        elif self.counts.refused:
            self._end(
                RunState.PARTIAL, "facts_refused",
                f"{self.counts.refused} changes were refused. See why: syncctl failed",
            )  # fmt: skip
        else:
            self.message = next((n.message for n in self.tasks.values() if n.message), "")

    def _again(self) -> None:
        """Ask for the same run once more, for the next start."""
        runs.enqueue(
            self.book, self.name, self.kinds, orders=self.orders, days=self.days,
            dry_run=self.dry_run, trigger="start", actor=self.actor, now=self.clock.now(),
        )  # fmt: skip

    def _credentials_refused(self, error: PanelRefused) -> None:
        acts.credentials_refused(self.book, self.name, str(error), now=self.clock.now())

    def _note_tasks(self, now: int) -> None:
        result = {RunState.STOPPED: "stopped", RunState.GATED: "gated"}.get(self.state, "")
        for kind in self.kinds:
            note = self.tasks.get(kind)
            word = result or (note.state if note else "skipped")
            message = note.message if note else "The channel has no such hook."
            if result:
                message = self.message
            elif note and note.state == "ok" and self.state is RunState.PARTIAL and not message:
                word, message = "partial", self.message
            ok = word in ("ok", "partial")
            self.book.query(
                _NOTE_TASK,
                (now, word, message, now if ok else None, word == "failed", ok,
                 self.account_id, kind.value),
            )  # fmt: skip


def _unreadable(problem: Problem, now: datetime) -> StatusChange:
    """An order that could not be taken, for the journal's quarantine."""
    return StatusChange(
        order_id=problem.order_id[:MAX_ID_LENGTH], status=Status.UNKNOWN, native_status="",
        occurred_at=now, problem=problem.reason, raw=problem.raw,
    )  # fmt: skip


def _parts(refs: Sequence[OrderRef], size: int) -> Iterator[tuple[OrderRef, ...]]:
    iterator = iter(refs)
    while part := tuple(islice(iterator, max(1, size))):
        yield part


_ACCOUNT_OF: Final = """
SELECT a.id, a.name, a.tenant_id FROM run r JOIN account a ON a.id = r.account_id WHERE r.id = ?
"""
_REF: Final = """
SELECT i.line_id, coalesce(p.shipment_id, ''), o.facts FROM orders o
JOIN item i ON i.order_id = o.id LEFT JOIN package p ON p.id = i.package_id
WHERE o.account_id = ? AND o.order_id = ? ORDER BY i.id
"""
_OPEN_ORDERS: Final = """
SELECT o.order_id FROM orders o WHERE o.account_id = ? AND EXISTS (
  SELECT 1 FROM item i WHERE i.order_id = o.id
  AND i.position NOT IN ('CANCELLED', 'RETURN_ACKNOWLEDGED', 'CIR_COMPLETE'))
ORDER BY o.id
"""
_UNKNOWN: Final = """
SELECT order_id FROM inbox WHERE account_id = ? AND state = 'PARKED' AND tries <= ?
GROUP BY order_id ORDER BY min(occurred_at) LIMIT ?
"""
_NOTE_TASK: Final = """
UPDATE task SET last_end = ?, last_result = ?, last_message = ?,
  last_success = coalesce(?, last_success),
  failures = CASE WHEN ? THEN failures + 1 WHEN ? THEN 0 ELSE failures END
WHERE account_id = ? AND kind = ?
"""
