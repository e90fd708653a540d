"""Decide and apply the undecided facts of one account.

The way of a fact: find its order's pieces, choose those it means, let the rules decide for
each, check the gates, then let the verbs change the worksheet. A fact takes effect for all
the pieces it means or for none. A batch of orders is one transaction: pieces, parcels,
invoices, stock, exceptions, decision records, outgoing messages and the journal's marks.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from syncd.book.facts import START, Fact, Key, facts_of, next_orders
from syncd.book.order_facts import FactsUnreadable
from syncd.book.passing import tenant_is_live
from syncd.book.runs import Counts
from syncd.book.shared import Shared
from syncd.book.store import Book
from syncd.book.worker import Task, Worker
from syncd.book.worksheet import Worksheet
from syncd.clock import Clock, to_micros
from syncd.errors import StoreBusy, SyncdError
from syncd.log import mask
from syncd.rules import TENANT_NOT_LIVE, Outcome

BATCH: Final = 500

Report = Callable[[Counts], None]


class TenantNotLive(SyncdError):
    """The tenant's gate is closed: nothing is decided."""

    code = "tenant_not_live"

    def __init__(self) -> None:
        super().__init__(TENANT_NOT_LIVE)


class Clerk:
    """Decides the open facts of one account in one run.

    ``counts`` and ``plan``, a hash over all that was decided, grow as it works. Nothing that
    a repetition would find otherwise is in the hash: no time, no row id.
    """

    def __init__(self, book: Book, task: Task, clock: Clock) -> None:
        self.book = book
        self.task = task
        self.clock = clock
        self.counts = Counts()
        self.plan = blake2b(digest_size=16)
        self._shared = Shared(book)

    def settle(self, stop: threading.Event, report: Report) -> None:
        """Decide all open facts, a transaction a batch. Ends early, at a batch, on ``stop``.

        Raises TenantNotLive when the tenant's gate is closed.
        """
        after: Key | None = START
        while after is not None and not stop.is_set():
            after = self._next_batch(after)
            report(self.counts)

    def _next_batch(self, after: Key) -> Key | None:
        with self.book.connection():
            orders, last = next_orders(
                self.book, self.task.account.id, after, self.task.run_id, BATCH
            )
            if last is None:
                return None
            try:
                self._batch(orders)
            except (TenantNotLive, StoreBusy):
                raise
            except Exception:
                # One of these orders breaks something: take each by itself and set it aside.
                for order_id in orders:
                    self._alone(order_id)
        return last

    def _facts_of(self, order_ids: Sequence[str]) -> list[Fact]:
        return facts_of(self.book, self.task.account.id, order_ids, self.task.run_id)

    def _batch(self, order_ids: Sequence[str]) -> None:
        counts = Counts()
        with self.book.step():  # in a rehearsal too, a batch that fails leaves nothing behind
            self._check_tenant()
            self._shared.refresh()
            sheet = self._sheet()
            facts = self._facts_of(order_ids)
            sheet.load(order_ids)
            plan = self._work(sheet, facts, counts)
            sheet.write()
        self.counts.add(counts)
        self.plan.update(plan.encode())

    def _alone(self, order_id: str) -> None:
        try:
            self._batch([order_id])
        except (TenantNotLive, StoreBusy):
            raise
        except Exception as error:
            self._set_aside(order_id, error)

    def _set_aside(self, order_id: str, error: Exception) -> None:
        """Mark the facts of an order that cannot be worked; they are tried again next run."""
        code, message = _why(error)
        facts = self._facts_of([order_id])
        counts = Counts()
        with self.book.step():
            sheet = self._sheet()
            try:
                sheet.load([order_id])
            except Exception:  # perhaps this is what fails
                sheet.orders.clear()
            plan = Worker(self.task, sheet).set_aside(facts, message, code)
            for fact in facts:
                self._count_in(fact, counts)
            counts.refused += len(facts)
            sheet.write()
        self.counts.add(counts)
        self.plan.update(plan.encode())

    def _sheet(self) -> Worksheet:
        now = to_micros(self.clock.now())
        task = self.task
        return Worksheet(
            self.book, self._shared, task.account.id, task.run_id, now, policies=task.policies
        )

    def _check_tenant(self) -> None:
        if self.task.rehearsal:
            return
        if not tenant_is_live(self.book, self.task.account.tenant_id):
            raise TenantNotLive

    def _work(self, sheet: Worksheet, facts: Sequence[Fact], counts: Counts) -> str:
        """Decide the facts on the sheet, count them, and give back the plan's lines."""
        worker = Worker(self.task, sheet)
        tally: Counter[str] = Counter()
        for fact in facts:
            verdict = worker.decide(fact)
            self._count_in(fact, counts)
            tally[verdict.outcome] += 1
            mark = (verdict.state, verdict.outcome, verdict.code, verdict.message)
            sheet.marks.append((mark, fact.id))
        for outcome, number in tally.items():
            name = _COUNTED[outcome]
            setattr(counts, name, getattr(counts, name) + number)
        counts.orders += len(sheet.orders)
        return "".join(worker.plan)

    def _count_in(self, fact: Fact, counts: Counts) -> None:
        """Where a fact of the ledger comes from, before it is counted where it goes."""
        run_id = self.task.run_id
        if fact.decided_run == run_id:  # woken in this run: it is no longer what it was
            name = _COUNTED[fact.outcome]
            setattr(counts, name, getattr(counts, name) - 1)
        elif fact.told_in != run_id:
            counts.taken_up += 1


def recount(book: Book, run_id: int, counts: Counts) -> None:
    """Bring the ledger of a run that a crash broke off up to what the journal has of it.

    What was stored or decided between the last note of the counts and the crash is in the
    journal alone.
    """
    for name in {*_COUNTED.values()}:
        setattr(counts, name, 0)
    for outcome, number in book.query(_DECIDED, (run_id,)):
        if outcome in _COUNTED:
            name = _COUNTED[outcome]
            setattr(counts, name, getattr(counts, name) + number)
    counts.new, counts.quarantined, counts.taken_up = book.query(
        _CAME, (run_id, run_id, run_id)
    ).fetchone()
    counts.fetched = counts.new + counts.known


def _why(error: Exception) -> tuple[str, str]:
    """The code and message for facts of an order that cannot be worked."""
    if isinstance(error, FactsUnreadable):
        return error.code, f"{error} Nothing of the order was changed."
    told = mask(f"{type(error).__name__}: {error}")
    return "internal_error", (
        f"syncd failed on this order ({told}); nothing of it was changed. It is tried again at "
        "each pass; please report it."
    )


_DECIDED: Final = "SELECT outcome, count(*) FROM inbox WHERE decided_run = ? GROUP BY outcome"
_CAME: Final = """
SELECT count(*) FILTER (WHERE run_id = ?1 AND (kind <> 'orders' OR outcome = 'QUARANTINED')),
  count(*) FILTER (WHERE run_id = ?1 AND outcome = 'QUARANTINED'),
  count(*) FILTER (WHERE run_id <> ?2 AND decided_run = ?3 AND outcome <> 'QUARANTINED')
FROM inbox
"""
_COUNTED: Final[Mapping[str, str]] = {
    Outcome.NOOP: "noop", Outcome.NOTE: "noted", Outcome.APPLY: "applied",
    Outcome.APPLY_CHAIN: "applied", Outcome.HOLD: "held", Outcome.ESCALATE: "escalated",
    Outcome.PARK: "parked", Outcome.TOMBSTONE: "tombstoned", "REFUSED": "refused",
    "SKIPPED": "skipped",
}  # fmt: skip
