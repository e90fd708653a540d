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
from syncd.book.passing import tenant_is_live
from syncd.book.runs import Counts
from syncd.book.store import Book
from syncd.book.worker import Task, Worker
from syncd.book.worksheet import Shared, Worksheet
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

    ``counts`` and ``plan``, a hash over all that was decided, grow as it works.
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

    def _next_orders(self, after: Key) -> tuple[list[str], Key | None]:
        return next_orders(self.book, self.task.account.id, after, self.task.run_id, BATCH)

    def _facts_of(self, order_ids: Sequence[str]) -> list[Fact]:
        return facts_of(self.book, self.task.account.id, order_ids, self.task.run_id)

    def _batch(self, order_ids: Sequence[str]) -> None:
        counts = Counts()
        with self.book.write():
            self._check_tenant()
            self._shared.refresh()
            sheet = self._sheet()
            facts = self._facts_of(order_ids)
            sheet.load(order_ids)
            self._work(sheet, facts, counts)
            sheet.write()
        self.counts.add(counts)

    def _alone(self, order_id: str) -> None:
        try:
            self._batch([order_id])
        except (TenantNotLive, StoreBusy):
            raise
        except Exception as error:
            self._set_aside(order_id, error)

    def _set_aside(self, order_id: str, error: Exception) -> None:
        """Mark the facts of an order that cannot be worked; they are tried again next run."""
        told = mask(f"{type(error).__name__}: {error}")
        message = (
            f"syncd failed on this order ({told}); nothing of it was changed. It is tried again at "
            "each pass; please report it."
        )
        facts = self._facts_of([order_id])
        now = to_micros(self.clock.now())
        with self.book.write():
            for fact in facts:
                self.book.query(
                    "UPDATE inbox SET state = 'REFUSED', outcome = 'REFUSED', code = "
                    "'internal_error', message = ?, tries = tries + 1, decided_run = ?, "
                    "decided_at = ? WHERE id = ?",
                    (message, self.task.run_id, now, fact.id),
                )
        self.counts.refused += len(facts)

    def _sheet(self) -> Worksheet:
        now = to_micros(self.clock.now())
        return Worksheet(self.book, self._shared, self.task.account.id, self.task.run_id, now)

    def _check_tenant(self) -> None:
        if self.task.rehearsal:
            return
        if not tenant_is_live(self.book, self.task.account.tenant_id):
            raise TenantNotLive

    def _work(self, sheet: Worksheet, facts: Sequence[Fact], counts: Counts) -> None:
        worker = Worker(self.task, sheet)
        tally: Counter[str] = Counter()
        for fact in facts:
            verdict = worker.decide(fact)
            if fact.decided_run == self.task.run_id:
                counts.parked -= 1  # it was counted so earlier in this run
            tally[verdict.outcome] += 1
            mark = (verdict.state, verdict.outcome, verdict.code, verdict.message)
            sheet.marks.append((mark, fact.id))
        for outcome, number in tally.items():
            name = _COUNTED[outcome]
            setattr(counts, name, getattr(counts, name) + number)
        counts.orders += len(sheet.orders)
        self.plan.update("".join(worker.plan).encode())


_COUNTED: Final[Mapping[str, str]] = {
    Outcome.NOOP: "noop", Outcome.NOTE: "noted", Outcome.APPLY: "applied",
    Outcome.APPLY_CHAIN: "applied", Outcome.HOLD: "held", Outcome.ESCALATE: "escalated",
    Outcome.PARK: "parked", Outcome.TOMBSTONE: "tombstoned", "REFUSED": "refused",
    "SKIPPED": "skipped",
}  # fmt: skip
