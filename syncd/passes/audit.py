"""Audit an account: compare its orders with the panel, portion by portion, and mend on request.

A portion is asked for, compared and forgotten before the next one. Between two of them the
audit makes room for a pass that waits, and goes on from there afterwards; so it does after a
crash. An audit that mends looks at everything first. Then it asks once more for the orders that
disagree, and decides all that it was told at once, so that the safety brake weighs it whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from syncd.book import auditing, drift, runs
from syncd.book.causes import Cause
from syncd.book.compare import Comparer, Horizon
from syncd.book.compare_lines import Told
from syncd.book.drift import Finding
from syncd.book.memory import AccountMemory
from syncd.book.passing import order_refs
from syncd.book.runs import RunState
from syncd.book.wording import listed
from syncd.book.worker import Task
from syncd.clock import from_micros, to_micros
from syncd.errors import GaveWay, PanelRefused, PluginError, Stopped, SyncdError
from syncd.hookspecs import ReadsBy
from syncd.log import mask
from syncd.panel import Panel
from syncd.passes.ahead import ahead
from syncd.passes.fetch import fail, parts
from syncd.passes.job import Job, Setup, TaskNote
from syncd.passes.keep import BookKeeper
from syncd.statuses import Kind, OrderRef, Page, StatusChange, Window
from syncd.windows import steps

WIDER: Final = 4  # times as many at once where windows are read: each is read for a portion
MAX_PARKED: Final = 1_000

log = structlog.get_logger("syncd.passes")


class Place(msgspec.Struct):
    """How far an audit is: ``after`` an order's row id, or a number of the chosen orders."""

    after: int = 0
    orders_done: bool = False
    looked: bool = False  # at everything; what is left is to mend
    unknown: list[str] = []  # orders that were asked for by name and that nobody knows


class Audit:
    """One audit in hand. ``settle`` decides what is open, as a pass does."""

    def __init__(
        self, job: Job, setup: Setup, panel: Panel, task: Task, settle: Callable[[], None]
    ) -> None:
        self._job = job
        self._setup = setup
        self._panel = panel
        self._memory = AccountMemory(job.book, job.account_id, rehearsal=job.dry_run)
        self._channel = setup.channel.describe()
        self._task = task
        self._settle = settle
        self._keeper = BookKeeper(job, setup)
        self._place = msgspec.json.decode(job.place, type=Place) if job.place else Place()
        for kind in Kind:
            if kind in setup.channel.kinds:
                job.notes.setdefault(kind, TaskNote())

    def conduct(self) -> None:
        """Do everything that is left. Raises Stopped, GaveWay, and PanelRefused."""
        if not self._place.looked:
            self._look()
            self._place.looked = True
            self._store_place()
        if not self._job.dry_run:
            self._mend()
        if not self._job.orders:
            drift.prune(self._job.book, self._job.account_id)

    def _look(self) -> None:
        job = self._job
        if not self._place.orders_done:
            self._compare_all()
            self._place.orders_done = True
            self._store_place()
        if not job.orders:
            self._new_orders()
            if not job.dry_run:
                self._compare_all()  # the orders that have just come

    def _compare_all(self) -> None:
        """Every portion that is left."""
        job = self._job
        while (portion := self._next()) is not None:
            self._compare(portion)
            job.check_stop()
            if runs.sync_waits(job.book, job.account_id):
                raise GaveWay("A pass waits.")

    def keep_place(self) -> None:
        """Store how far it is, so that whoever takes the run up goes on from there."""
        self._store_place()
        runs.put_back(self._job.book, self._job.run_id)

    def count_findings(self) -> int:
        """Bring the counts of findings up to date. Gives back how many stand and need someone."""
        job = self._job
        job.counts.disagreed, job.counts.mended, left = drift.counted(job.book, job.run_id)
        return left

    def verdict(self) -> tuple[RunState, str, str]:
        """How the run ends: state, code and message. Brings the counts of findings up to date."""
        job, left = self._job, self.count_findings()
        self._tell_incomparable()
        failed = [(kind, note) for kind, note in job.notes.items() if note.state == "failed"]
        if failed:
            state = (
                RunState.FAILED
                if len(failed) == len(self._setup.channel.kinds)
                else RunState.PARTIAL
            )
            text = f"{failed[0][0]}: {failed[0][1].message} {self._asks()}"
            return state, failed[0][1].code, text.rstrip()
        compared = f"{job.counts.compared} orders compared{self._set_apart()}"
        if left:
            text = f"{compared}, {left} disagreements. See them: syncctl drift {job.run_id}"
            return RunState.PARTIAL, "drift_found", f"{text}{self._also()}"
        mended = f", {job.counts.mended} disagreements mended" if job.counts.mended else ""
        aside = job.counts.disagreed - job.counts.mended
        but = f" but for {aside} set aside. See them: syncctl drift {job.run_id}" if aside else "."
        if self._place.unknown:
            return RunState.PARTIAL, "order_unknown", f"{compared}{mended}{but}{self._also()}"
        if asks := self._asks():
            return RunState.OK, "", f"{compared}{mended}{but} {asks}"
        return RunState.OK, "", f"{compared}{mended}; book and panel agree{but}"

    # --- whose turn it is

    def _next(self) -> auditing.Portion | None:
        job, size = self._job, self._size()
        if job.orders:
            chosen = list(job.orders[self._place.after : self._place.after + size])
            return self._portion(chosen) if chosen else None
        since = to_micros(job.clock.now() - timedelta(days=self._setup.audit_days))
        return auditing.next_portion(job.book, job.account_id, self._place.after, since, size)

    def _portion(self, ids: list[str]) -> auditing.Portion:
        """These orders, whichever they are."""
        job = self._job
        placed = auditing.placed_since(job.book, job.account_id, ids, job.clock.now())
        return auditing.Portion(ids, self._place.after + len(ids), placed)

    def _size(self) -> int:
        wide = any(map(self._by_window, self._kinds()))
        return self._setup.audit_portion * (WIDER if wide else 1)

    def _kinds(self) -> list[Kind]:
        """The kinds that tell of changes, and have not failed in this run."""
        notes = self._job.notes
        offered = self._setup.channel.kinds - {Kind.ORDERS}
        return [kind for kind in Kind if kind in offered and notes[kind].state == "ok"]

    def _by_window(self, kind: Kind) -> bool:
        by_order = ReadsBy.ORDERS in self._channel.reads_by
        if kind.value in self._channel.window_only:
            by_order = ReadsBy.WINDOW not in self._channel.reads_by
        return not by_order

    # --- one portion

    def _compare(self, portion: auditing.Portion) -> None:
        job, book, ids = self._job, self._job.book, portion.order_ids
        told = self._ask(portion)
        found = self._comparer().compare(ids, told)
        with book.write():
            findings = [*found.findings, *self._absent(ids, told)]
            drift.record(book, job.run_id, job.account_id, ids, findings)
        have = auditing.in_book(book, job.account_id, ids)
        shown = told.orders or {}
        self._place.unknown += [one for one in ids if one not in have and one not in shown]
        job.counts.compared += len(have.union(shown.keys() & set(ids)))
        job.counts.upcoming += found.upcoming
        silent = found.not_shipped.union(*found.incomparable.values())
        job.counts.incomparable += len(silent)
        job.notes.setdefault(Kind.DISPATCHED, TaskNote()).not_shipped += len(found.not_shipped)
        for kind, orders in found.incomparable.items():
            job.notes.setdefault(kind, TaskNote()).incomparable += len(orders)
        self._place.after = portion.last
        self._store_place()
        job.tell("comparing")

    def _store_place(self) -> None:
        """As ``keep_place``, for a run that goes on: what a crash would go on from."""
        job = self._job
        tasks = {kind.value: msgspec.to_builtins(note) for kind, note in job.notes.items()}
        place = msgspec.json.encode(self._place).decode()
        runs.keep_place(job.book, job.run_id, place, job.counts, tasks)

    def _comparer(self) -> Comparer:
        job = self._job
        horizons = {kind: self._horizon(kind) for kind in Kind}
        return Comparer(job.book, self._task.account, self._task.ships, horizons, job.clock.now())

    def _horizon(self, kind: Kind) -> Horizon:
        by_window = ReadsBy.WINDOW in self._channel.reads_by
        job = self._job
        return auditing.horizon(job.book, job.account_id, kind, by_window=by_window)

    def _absent(self, ids: Sequence[str], told: Told) -> list[Finding]:
        """Chosen orders that the panel has and the book lacks."""
        shown = [(told.orders or {})[one] for one in ids if one in (told.orders or {})]
        job = self._job
        missing = auditing.missing_orders(job.book, job.account_id, shown, None)
        return [auditing.missing_order(row) for row in missing]

    # --- mending

    def _mend(self) -> None:
        """Take in what the panel tells of the orders that disagree, decide it, and look again.

        It does not make room in between: a pass would decide the part that is taken in by then.
        """
        job = self._job
        told = [(ids, self._ask_again(ids)) for ids in self._disagreeing()]
        if not told:
            return
        comparer = self._comparer()  # with what passes have heard, not this
        with job.book.write():  # all or nothing, so that no pass decides a part of it
            for _, portion in told:
                self._take_in(portion)
        self._settle()
        failed = [kind.value for kind, note in job.notes.items() if note.state == "failed"]
        # What is not told again may be what could not be asked.
        unsure = f"{', '.join(failed)} could not be read." if failed else ""
        brought = auditing.brought(job.book, job.account_id, job.run_id)
        opened = auditing.opened_by(job.book, job.account_id, job.run_id, since=True)
        for ids, portion in told:
            left = [*comparer.compare(ids, portion).findings, *self._absent(ids, portion)]
            # Where nothing came of it, a panel that says less than before has mended nothing.
            heard = auditing.heard_since(job.book, job.account_id, ids, job.run_id)
            heard |= brought.intersection(ids)
            with job.book.write():
                told_now = [one for one in left if one.order_id in heard]
                drift.record(
                    job.book, job.run_id, job.account_id, sorted(heard), told_now, verified=True,
                    unsure=unsure, opened=opened,
                )  # fmt: skip
            job.check_stop()

    def _disagreeing(self) -> list[list[str]]:
        """The orders of findings that stand, in portions; but for those that nothing brings."""
        job = self._job
        left = drift.orders_of_findings(job.book, job.run_id)
        if not job.orders:
            have = auditing.in_book(job.book, job.account_id, left)
            left = [order_id for order_id in left if order_id in have]
        size = self._size()
        return [left[start : start + size] for start in range(0, len(left), size)]

    def _ask_again(self, ids: list[str]) -> Told:
        """What the panel tells of these orders now. Brings those that the book lacks: what is read
        by window is then read since they were placed."""
        told = self._ask(self._portion(ids))
        absent = {finding.order_id for finding in self._absent(ids, told)}
        lacking = drift.orders_of_findings(self._job.book, self._job.run_id, _BRINGS_ORDERS)
        wanted = absent.union(lacking)
        rows = [row for order_id, row in (told.orders or {}).items() if order_id in wanted]
        if not rows:
            return told
        self._keeper.orders(self._job.notes[Kind.ORDERS], rows)
        return self._ask(self._portion(ids))

    def _take_in(self, told: Told) -> None:
        for kind, changes in told.changes.items():
            if changes:
                self._keeper.changes(kind, self._job.notes[kind], changes, None)

    # --- asking

    def _ask(self, portion: auditing.Portion) -> Told:
        job = self._job
        end = min(job.clock.now(), self._panel.server_now()) - self._channel.safety_lag
        start = min(from_micros(portion.placed), end - timedelta(minutes=1))
        limit = self._channel.look_back_limit
        if limit is not None:
            start = max(start, end - limit)
        window = Window(start=start, end=end)
        refs = order_refs(job.book, job.account_id, portion.order_ids)
        wanted = set(portion.order_ids)
        told = Told(changes={}, since={})
        for kind in self._kinds():
            rows: list[StatusChange] = []
            by_window = self._by_window(kind)
            if self._guarded(kind, self._pages(kind, refs, window, by_window), wanted, rows):
                told.changes[kind] = rows
                told.since[kind] = to_micros(window.start) if by_window else 0
        if self._asks_orders():
            shown: list[Any] = []
            if self._guarded(Kind.ORDERS, self._pages(Kind.ORDERS, refs, window, False), wanted,
                             shown):  # fmt: skip
                told.orders = {row.order_id: row for row in shown}
        return told

    def _asks_orders(self) -> bool:
        note = self._job.notes.get(Kind.ORDERS)
        by_order = ReadsBy.ORDERS in self._channel.reads_by
        return note is not None and note.state == "ok" and by_order

    def _pages(
        self, kind: Kind, refs: Sequence[OrderRef], window: Window, by_window: bool
    ) -> Iterator[Page[Any]]:
        fetch, account = self._setup.channel.fetch, self._setup.account
        if by_window:
            for step in steps(window, self._channel.longest_window):
                yield from fetch(kind, account, step, (), self._panel, self._memory)
            return
        for part in parts(refs, self._channel.orders_per_call):
            yield from fetch(kind, account, window, part, self._panel, self._memory)

    def _guarded(
        self, kind: Kind, pages: Iterator[Page[Any]], wanted: set[str], rows: list[Any]
    ) -> bool:
        """Keep the rows of the wanted orders. False when the kind failed; it is noted then."""
        try:
            for page in self._told(kind, pages):
                rows += [row for row in page.rows if getattr(row, "order_id", "") in wanted]
        except Stopped:
            raise
        except PanelRefused as error:
            fail(self._job.notes[kind], error)
            if error.code == PanelRefused.code:
                raise
            return False
        except (Exception, SystemExit) as error:
            self._failed(kind, error)
            return False
        return True

    def _failed(self, kind: Kind, error: BaseException) -> None:
        """Note that a kind could not be read to its end."""
        if not isinstance(error, SyncdError):
            log.exception("plugin failed", account=self._job.name, kind=kind.value)
            text = (
                f"Channel {self._setup.channel.name} failed while fetching {kind}: "
                f"{type(error).__name__}: {error}. Report it to the plugin's author."
            )
            error = PluginError(mask(text))
        fail(self._job.notes[kind], error)

    def _told(self, kind: Kind, pages: Iterator[Page[Any]]) -> Iterator[Page[Any]]:
        job, note = self._job, self._job.notes[kind]
        for page in ahead(pages, job.check_stop):
            note.pages += 1
            job.counts.pages += 1
            job.tell(f"asking for {kind}")
            yield page
            job.check_stop()

    # --- orders that only the panel has

    def _new_orders(self) -> None:
        job = self._job
        missing: dict[str, Finding] = {}
        before = auditing.brought(job.book, job.account_id, job.run_id)  # until a crash
        if Kind.ORDERS in self._setup.channel.kinds and ReadsBy.WINDOW in self._channel.reads_by:
            self._read_new(missing)
        parked = auditing.parked_orders(job.book, job.account_id, MAX_PARKED)
        found = [*missing.values(), *(one for one in parked if one.order_id not in missing)]
        ids = [one.order_id for one in found]
        with job.book.write():
            drift.record(job.book, job.run_id, job.account_id, ids, found)
        ids += [order_id for order_id in before if order_id not in ids]
        if job.dry_run or not (missing or before):
            return
        parked = auditing.parked_orders(job.book, job.account_id, MAX_PARKED)
        have = auditing.in_book(job.book, job.account_id, ids)
        left = [*(one for one in missing.values() if one.order_id not in have),
                *(one for one in parked if one.order_id not in missing)]  # fmt: skip
        with job.book.write():
            drift.record(job.book, job.run_id, job.account_id, ids, left, verified=True)

    def _read_new(self, missing: dict[str, Finding]) -> None:
        job = self._job
        if job.notes[Kind.ORDERS].state != "ok":
            return
        end = min(job.clock.now(), self._panel.server_now()) - self._channel.safety_lag
        window = Window(start=self._oldest(end), end=end)
        until = self._horizon(Kind.ORDERS).until
        pages = self._pages(Kind.ORDERS, (), window, True)
        for page in self._each(pages):
            rows = auditing.missing_orders(job.book, job.account_id, page.rows, until)
            missing.update((row.order_id, auditing.missing_order(row)) for row in rows)
            if rows and not job.dry_run:
                with job.book.write():
                    found = [missing[row.order_id] for row in rows]
                    ids = [row.order_id for row in rows]
                    drift.record(job.book, job.run_id, job.account_id, ids, found)
                    self._keeper.orders(job.notes[Kind.ORDERS], rows)

    def _each(self, pages: Iterator[Page[Any]]) -> Iterator[Page[Any]]:
        """The pages of new orders; one that fails ends them, and is noted."""
        try:
            yield from self._told(Kind.ORDERS, pages)
        except (Stopped, PanelRefused):
            raise
        except (Exception, SystemExit) as error:
            self._failed(Kind.ORDERS, error)

    def _oldest(self, end: datetime) -> datetime:
        start = end - timedelta(days=self._setup.audit_days)
        limit = self._channel.look_back_limit
        return start if limit is None else max(start, end - limit)

    def _set_apart(self) -> str:
        """Of how many orders a comparison says nothing about what has left."""
        count = sum(note.not_shipped for note in self._job.notes.values())
        return f", {count} of them the seller ships: these are not comparable" if count else ""

    def _asks(self) -> str:
        """Which exceptions stand on what this audit has decided, and how to see them."""
        job = self._job
        return drift.opening(auditing.opened_by(job.book, job.account_id, job.run_id), job.name)

    def _also(self) -> str:
        """The end of a message: what a person is asked, and which orders nobody knows."""
        return f" {self._asks()}".rstrip() + self._not_found()

    def _not_found(self) -> str:
        """Which of the chosen orders nobody knows, and what helps; the end of a message."""
        unknown = self._place.unknown
        if not unknown:
            return ""
        return (
            f" Not found, neither here nor by asking the panel for them: {listed(unknown)}. Look "
            "at the spelling, or import them: "
            f"syncctl trigger {self._job.name} --task orders --days 30"
        )

    def _tell_incomparable(self) -> None:
        """Say of each kind what could not be compared; silence is not agreement."""
        for kind, note in self._job.notes.items():
            if note.incomparable:
                told = f"{note.incomparable} orders are not comparable: {self._why(kind)}"
                note.message = f"{note.message} {told}".strip()
            if note.not_shipped:
                told = (
                    f"{note.not_shipped} orders are not comparable: the seller ships them, so what "
                    "the panel tells of their way is not booked. Book it as it happens: syncctl "
                    "warehouse ORDER DISPATCHED"
                )
                note.message = f"{note.message} {told}".strip()

    def _why(self, kind: Kind) -> str:
        if kind not in self._setup.channel.kinds:
            return f"the channel's plugin has no hook for {kind}."
        if self._job.notes[kind].state != "ok":
            return "the panel did not answer."
        if kind is Kind.ORDERS:
            return "the channel cannot be asked for its orders by id."
        return "they are older than the panel answers."


_BRINGS_ORDERS: Final = frozenset({Cause.ORDER_MISSING, Cause.LINE_MISSING})
