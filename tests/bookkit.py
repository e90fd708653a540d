"""A small seller for tests: a real book on disk, a clock moved by hand, facts put in by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from syncd.book import acts, goods, inbox, intake, runs, warehouse
from syncd.book.apply import Clerk
from syncd.book.store import Book
from syncd.book.tables import Account, Facility, Tenant
from syncd.book.worker import AccountView, Task
from syncd.clock import HandClock
from syncd.rules import Policies, Position
from syncd.statuses import STATUSES_OF, Kind, NewOrder, OrderLine, OrderRef, Status, StatusChange
from tests.invariants import check_invariants as check_invariants

START = datetime(2026, 3, 1, 6, tzinfo=UTC)


class Seller:
    """One live tenant with one facility BLR and one account; with a sequence, unless told not."""

    policies = Policies()

    def __init__(self, folder: Path, *, live: bool = True, sequence: bool = True) -> None:
        self.clock = HandClock(START)
        self._told_in: int | None = None
        self.book = _open(folder, self.clock)
        with self.book.write():
            tenant = Tenant.create(code="acme", state="LIVE" if live else "ONBOARDING")
            facility = Facility.create(tenant=tenant, code="BLR")
            Account.create(tenant=tenant, facility=facility, name="shop", channel="flipkart")
        if sequence:
            self.define_sequence()

    @classmethod
    def at(cls, folder: Path, now: datetime = START + timedelta(days=1)) -> Seller:
        """The seller whose book stands in ``folder`` already, at another time."""
        found = cls.__new__(cls)
        found.clock = HandClock(now)
        found._told_in = None
        found.book = _open(folder, found.clock)
        return found

    def define_sequence(self) -> None:
        acts.define_sequence(
            self.book, "BLR", prefix="INV/", start=1, width=3, actor="test", now=self.clock.now()
        )

    def stock(self, sku: str, quantity: int) -> None:
        goods.receive_stock(self.book, "BLR", {sku: quantity}, actor="test", now=self.clock.now())

    def order(self, order_id: str, *lines: tuple[str, str, int], **more: Any) -> intake.Taken:
        """Import an order; a line is (line id, SKU, quantity)."""
        new = NewOrder(
            order_id=order_id,
            placed_at=self.clock.now(),
            lines=tuple(OrderLine(line_id=i, sku=s, quantity=q) for i, s, q in lines),
            **more,
        )
        taken = intake.take_orders(self.book, "shop", [new], source="test", now=self.clock.now())
        assert not taken.problems
        return taken

    def advance(self, order_id: str, to: Position) -> None:
        warehouse.advance(self.book, "shop", order_id, to, actor="test", now=self.clock.now())

    def change(self, order_id: str, status: Status, **more: Any) -> StatusChange:
        """A fact that happens now, a minute after the last one."""
        self.clock.advance(timedelta(minutes=1))
        more.setdefault("occurred_at", self.clock.now())
        return StatusChange(order_id=order_id, status=status, native_status=status.value, **more)

    def tell(self, *changes: StatusChange) -> None:
        """Put facts into the journal, as a pass would."""
        self._told_in = run_id = self._told_in or self._run()
        with self.book.connection():
            for change in changes:
                kind = next(k for k in Kind if change.status in STATUSES_OF[k])
                inbox.store_page(
                    self.book, 1, kind, [change], run_id=run_id, observed_at=self.clock.now()
                )

    def settle(
        self, *, ships: Callable[[OrderRef], bool] | None = None, sweep_done: bool = True
    ) -> Clerk:
        """Decide what is open, in the run that was told of it; returns the clerk."""
        clerk = self.clerk(ships=ships, sweep_done=sweep_done)
        clerk.settle(threading.Event(), lambda _: None)
        self._told_in = None
        check_invariants(self.book)
        return clerk

    def clerk(
        self, *, ships: Callable[[OrderRef], bool] | None = None, sweep_done: bool = True
    ) -> Clerk:
        task = Task(
            account=AccountView(id=1, name="shop", channel="flipkart", tenant_id=1),
            run_id=self._told_in or self._run(),
            actor="test",
            ships=ships,
            sweep_done=sweep_done,
            policies=self.policies,
        )
        return Clerk(self.book, task, self.clock)

    def _run(self) -> int:
        queued = runs.enqueue(
            self.book, "shop", [], trigger="test", actor="test", now=self.clock.now()
        )
        with self.book.write():
            self.book.query("UPDATE run SET state = 'OK' WHERE id = ?", (queued.run_id,))
        return queued.run_id

    def positions(self, order_id: str) -> list[str]:
        """The positions of an order's pieces, in the order of their rows."""
        return [
            row[0]
            for row in self.rows(
                "SELECT i.position FROM item i JOIN orders o ON o.id = i.order_id "
                "WHERE o.order_id = ? ORDER BY i.id", order_id,
            )
        ]  # fmt: skip

    def order_state(self, order_id: str) -> str:
        return str(self.rows("SELECT state FROM orders WHERE order_id = ?", order_id)[0][0])

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with self.book.connection():
            return self.book.query(sql, params).fetchall()

    def count(self, table: str, where: str = "1 = 1") -> int:
        return int(self.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def stock_of(self, sku: str) -> dict[str, int]:
        """Pieces by bucket, without the empty ones and the outside."""
        rows = self.rows("SELECT bucket, quantity FROM stock WHERE sku = ?", sku)
        return {bucket: n for bucket, n in rows if n and bucket != "outside"}

    def journal(self) -> list[tuple[str, str, str]]:
        """(state, outcome, code) of each fact, oldest first."""
        return self.rows("SELECT state, outcome, code FROM inbox ORDER BY id")  # type: ignore[return-value]

    def dump(self) -> dict[str, Sequence[Any]]:
        """The whole book but for the runs: two equal dumps are two equal books."""
        with self.book.connection():
            names = [
                row[0]
                for row in self.book.query("SELECT name FROM sqlite_master WHERE type = 'table'")
                if row[0] != "run"
            ]
            return {
                name: self.book.query(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
                for name in names
            }


def _open(folder: Path, clock: HandClock) -> Book:
    """The book in a folder; no test of what is in it waits for the disk."""
    book = Book.open(folder / "book.sqlite3", clock)
    book.database.pragma("synchronous", 0, permanent=True)
    book.titles = {"flipkart": "Flipkart"}
    return book
