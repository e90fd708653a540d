"""Where fetched pages go: into the book, or, for a rehearsal, into a notebook first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from syncd.book import inbox, intake, passing
from syncd.book.intake_checks import Problem, misplaced
from syncd.clock import to_micros
from syncd.errors import PluginError
from syncd.passes.job import Job, Setup, TaskNote
from syncd.statuses import MAX_ID_LENGTH, Kind, NewOrder, OrderRef, Status, StatusChange
from syncd.windows import FIRST_LOOK_BACK


class _UndoAll(Exception):
    """Raised to roll a rehearsal back."""


MAX_NOTED: Final = 200_000  # rows that a rehearsal keeps in memory
RETURNS_MARGIN: Final = timedelta(days=7)  # asked by id so long beyond the returns' look-back


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

    def refs(self, chosen: Sequence[str]) -> list[OrderRef]:
        """What is known of these orders, or of all open ones if none is chosen."""
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
            self._count(self._store(Kind.ORDERS, bad, None))
        return taken.unparked

    def changes(
        self, kind: Kind, note: TaskNote, rows: Sequence[StatusChange], until: datetime | None
    ) -> None:
        """Put facts and the cursor that they prove into the journal: one transaction."""
        stored = self._store(kind, rows, until)
        note.fetched += stored.fetched
        note.new += stored.new
        self._count(stored)

    def refs(self, chosen: Sequence[str]) -> list[OrderRef]:
        """What the book knows of these orders, or of all that are open."""
        book, account_id = self._job.book, self._job.account_id
        ids = chosen or passing.open_orders(book, account_id, self._since())
        return passing.order_refs(book, account_id, ids)

    def _since(self) -> int:
        """What was delivered before, the passes ask for no more: the returns' time is over."""
        look_back = self._setup.look_back.get(Kind.RETURNS, timedelta(0))
        return to_micros(self._job.clock.now() - max(look_back, FIRST_LOOK_BACK) - RETURNS_MARGIN)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """A transaction of which nothing stays: neither in the book nor in the counts."""
        before = msgspec.structs.replace(self._job.counts)
        try:
            with self._job.book.write():
                yield
                raise _UndoAll
        except _UndoAll:
            pass
        finally:
            self._job.counts = before

    def _count(self, stored: inbox.Stored) -> None:
        counts = self._job.counts
        counts.fetched += stored.fetched
        counts.new += stored.new
        counts.known += stored.known
        counts.quarantined += stored.quarantined
        self._job.unread.update(stored.unread)

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
    """Keeps in memory what was fetched, page by page, to be played into the book later.

    ``keeper`` is where it is played to. Each chapter is what one stage of a run fetched.
    """

    def __init__(self, keeper: BookKeeper) -> None:
        self._keeper = keeper
        self._chapters: list[list[Callable[[Keeper], int]]] = [[]]
        self._notes: dict[int, TaskNote] = {}
        self._rows = 0

    def orders(self, note: TaskNote, rows: Sequence[NewOrder]) -> int:
        """Note orders. Nothing wakes before they are played."""
        self._write(note, rows, lambda keeper: keeper.orders(note, rows))
        return 0

    def changes(
        self, kind: Kind, note: TaskNote, rows: Sequence[StatusChange], until: datetime | None
    ) -> None:
        """Note facts; a rehearsal moves no cursor."""

        def play(keeper: Keeper) -> int:
            keeper.changes(kind, note, rows, None)
            return 0

        self._write(note, rows, play)

    def refs(self, chosen: Sequence[str]) -> list[OrderRef]:
        """What the book would know by now, with the orders that were noted."""
        with self._keeper.undone():
            for number in range(len(self._chapters)):
                self.play(number)
            return self._keeper.refs(chosen)

    def turn(self) -> None:
        """Begin the next chapter."""
        self._chapters.append([])

    def play(self, chapter: int) -> int:
        """Hand on what a chapter holds, in its order. Returns how many facts were woken."""
        if chapter == 0:
            for note in self._notes.values():
                note.fetched = note.new = 0
        return sum(play(self._keeper) for play in self._chapters[chapter])

    def _write(self, note: TaskNote, rows: Sequence[object], play: Callable[[Keeper], int]) -> None:
        self._count(rows)
        self._notes[id(note)] = note
        self._chapters[-1].append(play)

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
