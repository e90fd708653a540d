"""Ask a channel and put what it says into the journal, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from math import ceil
from typing import Any, Final

import structlog

from syncd.book import inbox, passing, runs
from syncd.book.memory import AccountMemory
from syncd.clock import to_micros
from syncd.errors import PanelRefused, PluginError, Stopped, SyncdError
from syncd.hookspecs import ReadsBy
from syncd.log import mask
from syncd.panel import Panel
from syncd.passes.ahead import ahead
from syncd.passes.job import Job, Setup, TaskNote
from syncd.passes.keep import Keeper
from syncd.statuses import Kind, OrderRef, Page, StatusChange, Window
from syncd.windows import FIRST_LOOK_BACK, Reach, reach, steps

MAX_ASKED: Final = 5_000  # unknown orders asked for in one run
ASK_TIMES: Final = 3  # then it is left to a person or a file to bring the order
WORTH_SAYING: Final = 60.0  # seconds that a fetch may take before it is said beforehand
COMMIT_ROWS: Final = 500  # so many rows make one transaction
COMMIT_SECONDS: Final = 2.0  # or as many as came in this time

log = structlog.get_logger("syncd.passes")


class Fetcher:
    """Fetches for one job, and hands what comes to a keeper."""

    def __init__(self, job: Job, setup: Setup, panel: Panel, keeper: Keeper) -> None:
        self._job = job
        self._keeper = keeper
        self._setup = setup
        self._panel = panel
        self._memory = AccountMemory(job.book, job.account_id, rehearsal=job.dry_run)
        self._channel = setup.channel.describe()

    def fetch_all(self) -> None:
        """Fetch each kind of the job. A kind that fails is noted, and the next one is tried.

        Raises Stopped, and PanelRefused when the credentials are no good for any kind.
        """
        for kind in Kind:
            if kind in self._job.kinds and kind in self._setup.channel.kinds:
                note = self._job.notes[kind] = TaskNote()
                self._guarded(kind, note)

    def unknown(self) -> list[OrderRef]:
        """Orders that the channel spoke of and the book lacks, as far as it can be asked."""
        if Kind.ORDERS not in self._setup.channel.kinds:
            return []
        job = self._job
        found = passing.unknown_orders(job.book, job.account_id, ASK_TIMES, MAX_ASKED)
        return [OrderRef(order_id=order_id) for order_id in found]

    def ask_for(self, refs: Sequence[OrderRef]) -> int:
        """Ask the channel for these orders. Returns how many parked facts they woke."""
        job = self._job
        note = job.notes.setdefault(Kind.ORDERS, TaskNote())
        end = job.clock.now()
        window = Window(start=end - FIRST_LOOK_BACK, end=end)
        woken = 0
        try:
            for page in self._pages_by_id(Kind.ORDERS, refs, window):
                woken += self._keeper.orders(note, page.rows)
                job.check_stop()
        except Stopped:
            raise
        except SyncdError as error:
            fail(note, error)
        except (Exception, SystemExit) as error:
            fail(note, self._broken(Kind.ORDERS, error))
        return woken

    def _guarded(self, kind: Kind, note: TaskNote) -> None:
        try:
            self._fetch(kind, note)
        except Stopped:
            raise
        except PanelRefused as error:
            fail(note, error)
            if error.code == PanelRefused.code:
                raise
        except SyncdError as error:
            fail(note, error)
        except (Exception, SystemExit) as error:
            fail(note, self._broken(kind, error))

    def _broken(self, kind: Kind, error: BaseException) -> PluginError:
        log.exception("plugin failed", account=self._job.name, kind=kind.value)
        return PluginError(
            mask(
                f"Channel {self._setup.channel.name} failed while fetching {kind}: "
                f"{type(error).__name__}: {error}. Report it to the plugin's author."
            )
        )

    def _fetch(self, kind: Kind, note: TaskNote) -> None:
        plan = self._reach(kind)
        note.since, note.until = plan.window.start.isoformat(), plan.window.end.isoformat()
        if plan.gap is not None:
            note.message = _gap_text(plan)
        if plan.resets_cursor:
            note.message = _AHEAD
            self._forget(kind)
        if kind is Kind.ORDERS and not self._job.orders and not self._by_window(kind):
            return  # by id the channel could only repeat what the book has
        self._foresee(kind, plan.window)
        if self._job.orders or not self._by_window(kind):
            refs = self._keeper.refs(self._job.orders)
            with _Gatherer(self, kind, note, moves=False) as gather:
                gather.take(self._pages_by_id(kind, refs, plan.window))
            return
        for window in steps(plan.window, self._channel.longest_window):
            with _Gatherer(self, kind, note, moves=plan.moves_cursor) as gather:
                gather.take(self._asked(kind, window, ()))
                # What a clock that is ahead calls past may still be to come.
                gather.reached(min(window.end, self._now() - self._channel.safety_lag))

    def _by_window(self, kind: Kind) -> bool:
        channel = self._channel
        return ReadsBy.WINDOW in channel.reads_by or kind.value in channel.window_only

    def _foresee(self, kind: Kind, window: Window) -> None:
        """Say how long a window of a channel with scarce calls will take, if it is worth it."""
        job, channel = self._job, self._channel
        by_window = not job.orders and self._by_window(kind)
        asked = ReadsBy.WINDOW if by_window else ReadsBy.ORDERS
        costs = [
            cost
            for cost in channel.costs_of(self._setup.account.settings).get(kind.value, ())
            if cost.asked in (None, asked)
        ]
        if not costs:
            return
        orders = len(job.orders)
        if not orders:
            orders = passing.orders_within(job.book, job.account_id, to_micros(window.start))
        turns = ceil(orders / channel.orders_per_call)
        if by_window:
            turns = sum(1 for _ in steps(window, channel.longest_window))
        calls = 0
        seconds = 0.0
        for cost in costs:  # one waits for its pace while another gathers its own
            these = turns * cost.calls + (ceil(orders / cost.rows) if cost.rows else 0)
            calls += these
            seconds = max(seconds, self._panel.pace_seconds(cost.pace, these))
        if seconds < WORTH_SAYING:
            return
        text = (
            f"Fetching {kind}: the book has {orders} orders that may be told of, so about {calls} "
            f"calls at the panel's pace, {_span(seconds)} or more."
        )
        runs.note(job.book, job.run_id, text)
        job.tell(kind.value, foreseen=text)
        log.info("long fetch", account=job.name, kind=kind.value, calls=calls, seconds=int(seconds))

    def _reach(self, kind: Kind) -> Reach:
        job = self._job
        cursor = inbox.cursor_of(job.book, job.account_id, kind)
        look_back = self._setup.look_back.get(kind, timedelta(0))
        if job.orders:
            look_back = max(look_back, FIRST_LOOK_BACK)
        return reach(self._channel, self._now(), cursor, look_back, job.days)

    def _now(self) -> datetime:
        """The earlier of our time and the panel's: a window never ends in anyone's future."""
        return min(self._job.clock.now(), self._panel.server_now())

    def _forget(self, kind: Kind) -> None:
        job = self._job
        log.warning("cursor in the future", account=job.name, kind=kind.value)
        if not job.dry_run:
            with job.book.write():
                inbox.forget_cursor(job.book, job.account_id, kind)

    def _pages_by_id(
        self, kind: Kind, refs: Sequence[OrderRef], window: Window
    ) -> Iterator[Page[Any]]:
        for part in parts(refs, self._channel.orders_per_call):
            yield from self._asked(kind, window, part)

    def _asked(self, kind: Kind, window: Window, orders: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        setup = self._setup
        return setup.channel.fetch(kind, setup.account, window, orders, self._panel, self._memory)


class _Gatherer:
    """Gathers the pages of one call of a hook into transactions of some size.

    What has come is stored even if the hook then fails; the cursor moves only with the rows
    that prove it.
    """

    def __init__(self, fetcher: Fetcher, kind: Kind, note: TaskNote, *, moves: bool) -> None:
        self._fetcher = fetcher
        self._kind = kind
        self._note = note
        self._moves = moves
        self._rows: list[StatusChange] = []
        self._until: datetime | None = None
        self._since = 0.0

    def __enter__(self) -> _Gatherer:
        return self

    def __exit__(self, *_error: object) -> None:
        self._flush()

    def take(self, pages: Iterable[Page[Any]]) -> None:
        """Take all pages; ends early, between two pages, when the daemon stops."""
        job = self._fetcher._job
        for page in ahead(pages, job.check_stop):
            self._note.pages += 1
            job.counts.pages += 1
            if self._kind is Kind.ORDERS:
                self._fetcher._keeper.orders(self._note, page.rows)
                job.tell(self._kind.value)
            else:
                self._keep(page)
            job.check_stop()

    def reached(self, until: datetime) -> None:
        """The hook has ended: everything before ``until`` has been read."""
        self._until = until

    def _keep(self, page: Page[Any]) -> None:
        now = self._fetcher._job.clock.monotonic()
        if not self._rows:
            self._since = now
        self._rows.extend(page.rows)
        self._until = page.complete_until or self._until
        if len(self._rows) >= COMMIT_ROWS or now - self._since >= COMMIT_SECONDS:
            self._flush()

    def _flush(self) -> None:
        until = self._until if self._moves else None
        if self._rows or until is not None:
            rows, self._rows, self._until = self._rows, [], None
            self._fetcher._keeper.changes(self._kind, self._note, rows, until)
            self._fetcher._job.tell(self._kind.value)


def fail(note: TaskNote, error: SyncdError) -> None:
    """Note that fetching a kind failed, and why."""
    note.state, note.code, note.message = "failed", error.code, str(error)
    note.wait_seconds = getattr(error, "retry_after", None) or 0.0
    log.warning("fetch failed", code=error.code, reason=str(error))


_AHEAD: Final = (
    "The cursor stood in the future, so some clock was wrong; the last 30 days are read again. "
    "Check this machine's clock: timedatectl"
)


def _span(seconds: float) -> str:
    minutes = ceil(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _gap_text(plan: Reach) -> str:
    assert plan.gap is not None
    return (
        f"The channel serves only what is newer than {plan.window.start:%Y-%m-%d %H:%M} UTC; "
        f"changes since {plan.gap.start:%Y-%m-%d %H:%M} UTC may be missing. Have the open orders "
        "compared by id: syncctl trigger ACCOUNT --order ..."
    )


def parts(refs: Sequence[OrderRef], size: int) -> Iterator[tuple[OrderRef, ...]]:
    """The references in parts of at most ``size``."""
    iterator = iter(refs)
    while part := tuple(islice(iterator, max(1, size))):
        yield part
