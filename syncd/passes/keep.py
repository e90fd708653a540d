"""Where fetched pages go: into the book, or, for a rehearsal, into a notebook first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from syncd.book import inbox, intake
from syncd.book.intake_checks import Problem, misplaced
from syncd.errors import PluginError
from syncd.passes.job import Job, Setup, TaskNote
from syncd.statuses import MAX_ID_LENGTH, Kind, NewOrder, Status, StatusChange

MAX_NOTED: Final = 200_000  # rows that a rehearsal keeps in memory


class Keeper(Protocol):
    """Takes what a channel said."""

    def orders(self, note: TaskNote, rows: Sequence[NewOrder]) -> int:
        """Keep orders. Returns how many parked facts they woke."""
        ...

    def changes(
        self, kind: Kind, note: TaskNote, rows: Sequence[StatusChange], until: datetime | None
    ) -> None:
        """Keep facts; with ``until``, everything of the kind before it has been kept."""
        ...


class BookKeeper:
    """Keeps in the book, and counts for the run."""

    def __init__(self, job: Job, setup: Setup) -> None:
        self._job = job
        self._setup = setup

    def orders(self, note: TaskNote, rows: Sequence[NewOrder]) -> int:
        """Take orders into the book; those that cannot be taken go to the quarantine."""
        job = self._job
        now = job.clock.now()
        locations = self._setup.locations
        lost = [one for row in rows if (one := misplaced(row, locations, job.name)) is not None]
        known = [row for row in rows if misplaced(row, locations, job.name) is None]
        taken = intake.take_orders(
            job.book,
            job.name,
            known,
            source=self._setup.channel.name,
            now=now,
            facility_of=lambda location: locations.get(location, ""),
        )
        note.fetched += len(rows)
        note.new += taken.new
        job.counts.imported += taken.new
        bad = [_unreadable(problem, now) for problem in (*taken.problems, *lost)]
        if bad:
            job.counts.quarantined += self._store(Kind.ORDERS, bad, None).quarantined
        return taken.unparked

    def changes(
        self, kind: Kind, note: TaskNote, rows: Sequence[StatusChange], until: datetime | None
    ) -> None:
        """Put facts and the cursor that they prove into the journal: one transaction."""
        counts = self._job.counts
        stored = self._store(kind, rows, until)
        note.fetched += stored.fetched
        note.new += stored.new
        counts.fetched += stored.fetched
        counts.new += stored.new
        counts.known += stored.known
        counts.quarantined += stored.quarantined

    def _store(
        self, kind: Kind, rows: Sequence[StatusChange], until: datetime | None
    ) -> inbox.Stored:
        job = self._job
        return inbox.store_page(
            job.book,
            job.account_id,
            kind,
            rows,
            run_id=job.run_id,
            observed_at=job.clock.now(),
            complete_until=until,
        )


class Notebook:
    """Keeps in memory what was fetched, to be played into the book later."""

    def __init__(self) -> None:
        self._orders: list[tuple[TaskNote, Sequence[NewOrder]]] = []
        self._changes: list[tuple[Kind, TaskNote, Sequence[StatusChange]]] = []
        self._answers: list[tuple[TaskNote, Sequence[NewOrder]]] = []
        self._rows = 0
        self.asking = False  # what comes now answers for orders that a fact had named

    def orders(self, note: TaskNote, rows: Sequence[NewOrder]) -> int:
        """Note orders. Nothing wakes before they are played."""
        self._count(rows)
        (self._answers if self.asking else self._orders).append((note, rows))
        return 0

    def changes(
        self, kind: Kind, note: TaskNote, rows: Sequence[StatusChange], until: datetime | None
    ) -> None:
        """Note facts; a rehearsal moves no cursor."""
        self._count(rows)
        self._changes.append((kind, note, rows))

    def play(self, keeper: Keeper) -> None:
        """Hand on all but the answers, orders first, as a run would."""
        for note, _ in self._orders:
            note.fetched = note.new = 0
        for _, note, _ in self._changes:
            note.fetched = note.new = 0
        for note, orders in self._orders:
            keeper.orders(note, orders)
        for kind, note, changes in self._changes:
            keeper.changes(kind, note, changes, None)

    def answer(self, keeper: Keeper) -> int:
        """Hand on the orders that were asked for. Returns how many parked facts they woke."""
        return sum(keeper.orders(note, orders) for note, orders in self._answers)

    def _count(self, rows: Sequence[object]) -> None:
        self._rows += len(rows)
        if self._rows > MAX_NOTED:
            raise PluginError(
                f"A dry run holds at most {MAX_NOTED} rows; name orders, or fewer days."
            )


def _unreadable(problem: Problem, now: datetime) -> StatusChange:
    """An order that could not be taken, for the journal's quarantine."""
    return StatusChange(
        order_id=problem.order_id[:MAX_ID_LENGTH],
        status=Status.UNKNOWN,
        native_status="",
        occurred_at=now,
        problem=problem.reason,
        raw=problem.raw or problem.order_id,
    )
