"""Conduct one run: fetch every kind that is due, then decide.

Everything a channel says is in the journal before anything is decided, so that the facts of
all kinds are taken in the order in which they happened. A kind that fails does not stop the
others, and what is in the journal is decided all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from syncd.book import acts, brakes, goods, passing, reports, runs, setaside
from syncd.book.apply import Clerk, TenantNotLive
from syncd.book.runs import Counts, RunState
from syncd.book.store import Book
from syncd.book.worker import AccountView, Task
from syncd.clock import Clock, to_micros
from syncd.errors import GaveWay, PanelRefused, Refused, Stopped, SyncdError
from syncd.log import mask
from syncd.panel import Panel
from syncd.passes.audit import Audit
from syncd.passes.fetch import Fetcher
from syncd.passes.job import Job, Progress, Setup, TaskNote
from syncd.passes.keep import BookKeeper, Keeper, Notebook
from syncd.passes.report import ReportFetcher
from syncd.statuses import Kind, OrderRef

log = structlog.get_logger("syncd.passes")

Setups = Callable[[str], Setup]
Panels = Callable[[Setup, threading.Event], Panel]


class Conductor:
    """Takes queued runs to their end. One serves all accounts; each call is one account's."""

    def __init__(self, book: Book, setups: Setups, panels: Panels, clock: Clock) -> None:
        self._book = book
        self._setups = setups
        self._panels = panels
        self._clock = clock

    def conduct(self, run_id: int, stop: threading.Event, progress: Progress) -> None:
        """Take the run to its end and write down how it ended. Raises nothing of a channel's.

        Raises GaveWay when the run is an audit that went back into the queue.
        """

        def tell(event: str, **fields: Any) -> None:
            progress.emit(run_id, event, **fields)

        with self._book.connection():
            job = Job(self._book, run_id, stop, tell, self._clock)
            runs.start(self._book, run_id, self._clock.now())
            tell("started")
            end = _balanced(job, _Pass(job).take(self._setups, self._panels))
            _write_end(job, end)
            counts = msgspec.structs.asdict(job.counts)
            tell("ended", state=end.state.value, code=end.code, message=end.message, counts=counts)
        log.info(
            "run ended",
            run=run_id,
            account=job.name,
            state=end.state.value,
            code=end.code,
            counts={name: number for name, number in counts.items() if number},
        )


class End(msgspec.Struct, frozen=True):
    """How a run ended."""

    state: RunState
    code: str = ""
    message: str = ""
    plan_hash: str = ""
    plan: str = "[]"


class _Brake(SyncdError):
    """Raised where the safety brake keeps a pass from deciding."""

    code = brakes.BRAKE_ON

    def __init__(self, held: brakes.Held) -> None:
        self.held = held
        super().__init__(held.message)


class _Pass:
    """One run in progress."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def take(self, setups: Setups, panels: Panels) -> End:
        """The whole run; whatever happens in it becomes its end."""
        job = self.job
        try:
            return self._take(setups(job.name), panels)
        except GaveWay:
            raise
        except Stopped as error:
            if job.purpose != runs.SYNC:
                runs.put_back(job.book, job.run_id)
                raise GaveWay("The daemon is stopping.") from error
            runs.enqueue(
                job.book,
                job.name,
                job.kinds,
                orders=job.orders,
                days=job.days,
                dry_run=job.dry_run,
                trigger="start",
                actor=job.actor,
                now=job.clock.now(),
            )
            message = "The daemon was stopped in this run; the same is asked for at its start."
            return End(RunState.STOPPED, error.code, message)
        except TenantNotLive as error:
            gated = TaskNote(state="gated", code=error.code, message=str(error))
            job.notes = dict.fromkeys(job.kinds, gated)
            return End(RunState.GATED, error.code, str(error))
        except SyncdError as error:
            return End(RunState.FAILED, error.code, str(error))
        except Exception as error:
            log.exception("run failed", run=job.run_id, account=job.name)
            told = mask(f"{type(error).__name__}: {error}")
            text = f"syncd failed in this run ({told}); please report it."
            return End(RunState.FAILED, "internal_error", text)

    def _take(self, setup: Setup, panels: Panels) -> End:
        job = self.job
        if not job.dry_run:
            _check_tenant(job)
        panel = panels(setup, job.stop)
        try:
            if job.purpose == runs.AUDIT:
                return self._audit(setup, panel)
            if job.dry_run:
                return self._rehearse(setup, panel)
            fetcher = _fetcher(job, setup, panel, BookKeeper(job, setup))
            fetcher.fetch_all()
            return self._decide(setup, fetcher)
        except PanelRefused as error:
            if not job.dry_run or job.purpose == runs.AUDIT:  # only a rehearsal says nothing
                with suppress(Refused):  # a person has paused the account meanwhile
                    acts.credentials_refused(job.book, job.name, str(error), now=job.clock.now())
            raise
        finally:
            job.counts.calls = job.calls_before + panel.calls
            panel.close()

    def _audit(self, setup: Setup, panel: Panel) -> End:
        """Compare the book with the panel; unless it is only a look, mend what facts can mend."""
        job = self.job
        clerk = self._clerk(setup)

        def settle() -> None:
            clerk.task = self._task(setup)  # by now the panel has told of its dispatches
            self._settle(clerk, setup)
            goods.allocate_free(job.book, actor=job.actor, now=job.clock.now())

        audit = Audit(job, setup, panel, clerk.task, settle)
        try:
            audit.conduct()
        except _Brake as error:
            audit.count_findings()
            return self._held(error.held, clerk)
        except (GaveWay, Stopped):
            job.counts.calls = job.calls_before + panel.calls
            audit.keep_place()
            raise
        state, code, message = audit.verdict()
        return End(state, code, message)

    def _decide(self, setup: Setup, fetcher: Fetcher) -> End:
        """Decide what is open, ask for orders that are missing, decide what that woke."""
        job = self.job
        clerk = self._clerk(setup)
        try:
            self._settle(clerk, setup)
            unknown = fetcher.unknown()
            if unknown:
                woken = fetcher.ask_for(unknown)
                if woken:
                    self._settle(clerk, setup)
                passing.note_asked(job.book, job.account_id, [ref.order_id for ref in unknown])
        except _Brake as error:
            return self._held(error.held, clerk)
        goods.allocate_free(job.book, actor=job.actor, now=job.clock.now())
        return self._judge(clerk.plan.hexdigest())

    def _rehearse(self, setup: Setup, panel: Panel) -> End:
        """Fetch as a run does, then store and decide in one transaction that is undone.

        The plan is that of the run itself, because each stage is played as the run does it. It
        is open to a tenant that is not live yet: a look before the leap.
        """
        keeper = BookKeeper(self.job, setup)
        notebook = Notebook(keeper)
        fetcher = _fetcher(self.job, setup, panel, notebook)
        fetcher.fetch_all()
        end, unknown = self._played(setup, fetcher, keeper, notebook, asked=False)
        if unknown:
            notebook.turn()
            fetcher.ask_for(unknown)
            end, _ = self._played(setup, fetcher, keeper, notebook, asked=True)
        return end

    def _played(
        self,
        setup: Setup,
        fetcher: Fetcher,
        keeper: BookKeeper,
        notebook: Notebook,
        *,
        asked: bool,
    ) -> tuple[End, list[OrderRef]]:
        """One rehearsal: how the run would end, and the orders that it would ask for.

        ``asked``: the notebook has their answer in its second chapter.
        """
        job = self.job
        job.counts = Counts(pages=job.counts.pages)  # all that stays if this is broken off
        clerk = self._clerk(setup)
        unknown: list[OrderRef] = []
        with keeper.undone():
            job.counts = Counts(pages=job.counts.pages)
            notebook.play(0)
            first = job.book.ids("decision")
            try:
                self._settle(clerk, setup)
                unknown = fetcher.unknown()
                if asked and notebook.play(1):
                    self._settle(clerk, setup)
                end = self._judge(clerk.plan.hexdigest())
                plan = passing.planned(job.book, first, job.run_id)
                end = msgspec.structs.replace(end, plan=plan)
            except _Brake as error:
                done = passing.planned(job.book, first, job.run_id)
                plan = passing.joined(done, error.held.plan)
                end = msgspec.structs.replace(self._held(error.held, clerk), plan=plan)
            _count_undecided(job)
            counts = job.counts
        job.counts = counts
        return end, unknown

    def _held(self, held: brakes.Held, clerk: Clerk) -> End:
        """The end of a run that is held; its plan is what was decided, then what is held."""
        log.warning("brake on", account=held.account, cancels=held.cancels, open=held.open_orders)
        clerk.plan.update(held.plan_hash.encode())
        return End(RunState.HELD, brakes.BRAKE_ON, held.message, clerk.plan.hexdigest())

    def _settle(self, clerk: Clerk, setup: Setup) -> None:
        """Decide what is open, unless the brake forbids it: then raises _Brake."""
        job = self.job
        held = brakes.weigh(job.book, job.account_id, job.run_id, setup.brake, job.clock.now())
        if held is not None:
            raise _Brake(held)
        try:
            clerk.settle(job.stop, lambda _counts: job.tell("deciding"))
        finally:
            job.counts.add(clerk.counts)
            clerk.counts = Counts()
        job.check_stop()

    def _clerk(self, setup: Setup) -> Clerk:
        return Clerk(self.job.book, self._task(setup), self.job.clock)

    def _task(self, setup: Setup) -> Task:
        job = self.job
        sweep = job.notes.get(Kind.DISPATCHED)
        ships = None
        if setup.channel.gates_shipping:

            def ships(ref: OrderRef) -> bool:
                return setup.channel.ships(setup.account, ref)

        account = AccountView(
            id=job.account_id,
            name=job.name,
            channel=setup.channel.name,
            tenant_id=job.tenant_id,
        )
        return Task(
            account=account,
            run_id=job.run_id,
            actor=job.actor,
            ships=ships,
            rehearsal=job.dry_run,
            policies=setup.policies,
            sweep_done=sweep is not None and sweep.state == "ok",
            swept=frozenset(job.orders),
        )

    def _judge(self, plan_hash: str) -> End:
        """The end of the run from what became of its parts."""
        notes = self.job.notes
        failed = [(kind, note) for kind, note in notes.items() if note.state == "failed"]
        if failed:
            state = RunState.FAILED if len(failed) == len(notes) else RunState.PARTIAL
            kind, note = failed[0]
            return End(state, note.code, f"{kind}: {note.message}", plan_hash)
        refused = self.job.counts.refused
        if refused:
            text = f"{refused} changes were refused. See why: syncctl failed"
            return End(RunState.PARTIAL, "facts_refused", text, plan_hash)
        quarantined = self.job.counts.quarantined
        if quarantined:
            text = f"{quarantined} rows could not be read. See them: syncctl failed"
            return End(RunState.PARTIAL, "rows_quarantined", text, plan_hash)
        message = next((note.message for note in notes.values() if note.message), "")
        return End(RunState.OK, "", message, plan_hash)


def _fetcher(job: Job, setup: Setup, panel: Panel, keeper: Keeper) -> Fetcher:
    """What brings facts: the panel, or the file that a person handed in."""
    kind = ReportFetcher if job.purpose == runs.REPORT else Fetcher
    return kind(job, setup, panel, keeper)


def _count_undecided(job: Job) -> None:
    job.counts.undecided = passing.undecided(
        job.book, job.account_id, job.run_id, elsewhere=job.goes_on
    )


def _balanced(job: Job, end: End) -> End:
    """Close the ledger: what was fetched and is not decided is counted, and all is added up."""
    counts = job.counts
    if not job.dry_run:
        _count_undecided(job)
        if end.state is RunState.GATED:
            counts.gated, counts.undecided = counts.undecided, 0
    missing = counts.imbalance()
    if not missing:
        return end
    log.error("ledger does not balance", run=job.run_id, account=job.name, missing=missing)
    text = f"The ledger of this run does not balance by {missing}; please report it."
    if end.state is RunState.OK:
        return msgspec.structs.replace(
            end, state=RunState.PARTIAL, code="ledger_imbalance", message=text
        )
    return msgspec.structs.replace(end, message=f"{end.message} {text}".strip())


def _check_tenant(job: Job) -> None:
    """Before anything is asked: a closed gate moves nothing, no cursor either."""
    if not passing.tenant_is_live(job.book, job.tenant_id):
        raise TenantNotLive


def _write_end(job: Job, end: End) -> None:
    """The run's end and its tasks' last results: one transaction.

    A rehearsal, or a run over chosen orders, says nothing of the tasks.
    """
    now = job.clock.now()
    with job.book.write():
        runs.finish(
            job.book,
            job.run_id,
            state=end.state,
            code=end.code,
            message=end.message,
            counts=job.counts,
            tasks={kind.value: msgspec.to_builtins(note) for kind, note in job.notes.items()},
            plan_hash=end.plan_hash,
            plan=end.plan,
            now=now,
        )
        if not job.dry_run:
            setaside.ignore_read(job.book, job.account_id, job.run_id, job.unread, now=now)
        if job.purpose == runs.REPORT:
            reports.drop(job.book, job.run_id)
        if job.purpose == runs.AUDIT:
            passing.note_task(
                job.book,
                job.account_id,
                runs.AUDIT,
                start=job.started,
                end=to_micros(now),
                result=end.state.value.lower(),
                message=end.message,
            )
        elif not job.dry_run and not job.orders:
            for kind in job.kinds:
                _note_task(job, kind, end, to_micros(now))


def _note_task(job: Job, kind: Kind, end: End, now: int) -> None:
    note = job.notes.get(kind)
    if end.state is RunState.HELD and note is not None and note.state != "failed":
        result, message = "held", end.message
    elif end.state in _SAME_FOR_ALL or note is None:
        result = _SAME_FOR_ALL.get(end.state, "failed" if end.state is RunState.FAILED else "")
        message = end.message
    elif note.state == "ok" and end.code in ("facts_refused", "rows_quarantined"):
        result, message = "partial", end.message
    else:
        result, message = note.state, note.message
    if not result:
        result, message = "skipped", "The channel's plugin has no such hook."
    if note is not None and note.wait_seconds:
        until = now + int(note.wait_seconds * 1_000_000)
        passing.hold_task(job.book, job.account_id, kind.value, until)
    passing.note_task(
        job.book,
        job.account_id,
        kind.value,
        start=job.started,
        end=now,
        result=result,
        message=message,
    )


_SAME_FOR_ALL: Final = {RunState.STOPPED: "stopped", RunState.GATED: "gated"}
