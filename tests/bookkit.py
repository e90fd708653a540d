"""A small seller for tests: a real book on disk, a clock moved by hand, facts put in by hand."""

from __future__ import annotations

import threading
from collections import Counter
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
from syncd.rules import RANK, Policies, Position
from syncd.statuses import STATUSES_OF, Kind, NewOrder, OrderLine, OrderRef, Status, StatusChange

START = datetime(2026, 3, 1, 6, tzinfo=UTC)


class Seller:
    """One live tenant with one facility BLR and one account; with a sequence, unless told not."""

    def __init__(self, folder: Path, *, live: bool = True, sequence: bool = True) -> None:
        self.clock = HandClock(START)
        self.policies = Policies()
        self._told_in: int | None = None
        self.book = Book.open(folder / "book.sqlite3", self.clock)
        with self.book.write():
            tenant = Tenant.create(code="acme", state="LIVE" if live else "ONBOARDING")
            facility = Facility.create(tenant=tenant, code="BLR")
            Account.create(tenant=tenant, facility=facility, name="shop", channel="flipkart")
        if sequence:
            self.define_sequence()

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


def check_invariants(book: Book) -> None:
    """What must hold of every book at every moment."""
    with book.connection():
        assert not book.query("PRAGMA foreign_key_check").fetchall(), "a row without its parent"
        invoices = book.query(
            "SELECT package_id, kind, count(*) FROM invoice GROUP BY 1, 2 HAVING count(*) > 1"
        ).fetchall()
        assert not invoices, f"more than one invoice for a parcel: {invoices}"
        numbers = book.query(
            "SELECT facility_id, number, count(*) FROM invoice GROUP BY 1, 2 HAVING count(*) > 1"
        ).fetchall()
        assert not numbers, f"an invoice number given twice: {numbers}"
        _check_stock(book)
        backwards = book.query(
            "SELECT id, event, before, after FROM decision WHERE before <> after "
            "AND outcome NOT IN ('APPLY', 'APPLY_CHAIN', 'TOMBSTONE', 'ACT') "
            "AND inbox_id IS NOT NULL"
        ).fetchall()
        assert not backwards, f"a piece moved by a decision that moves nothing: {backwards}"
        _check_no_way_back(book)
        _check_parcels(book)
        alive = book.query(
            "SELECT i.id FROM item i JOIN package p ON p.id = i.package_id "
            "WHERE i.position NOT IN ('CANCELLED') AND p.state = 'CANCELLED'"
        ).fetchall()
        assert not alive, f"live pieces in cancelled parcels: {alive}"
        twice = book.query(
            "SELECT inbox_id, item_id, count(*) FROM decision WHERE outcome LIKE 'APPLY%' "
            "AND inbox_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
        ).fetchall()
        assert not twice, f"a fact that took effect twice on a piece: {twice}"


def _check_no_way_back(book: Book) -> None:
    """No fact moves a piece backwards, but by the dated rules and where a parcel is repacked."""
    rows = book.query(
        "SELECT before, after, code FROM decision WHERE outcome LIKE 'APPLY%' AND before <> after "
        "AND code NOT IN ('redelivered', 'found_after_lost', 'return_withdrawn')"
    )
    for before, after, code in rows:
        if code == "repacked_after_cancel":
            assert (before, after) in (("PACKED", "CREATED"), ("READY_TO_SHIP", "CREATED"))
            continue
        was, now = RANK[Position(before)], RANK[Position(after)]
        assert was is None or now is None or was < now, f"{before} back to {after} by {code}"


def _check_parcels(book: Book) -> None:
    """Nobody is in a parcel that was parted, each of which leads on; who left has an invoice."""
    inside = book.query(
        "SELECT p.code FROM item i JOIN package p ON p.id = i.package_id "
        "WHERE p.state IN ('SPLITTED', 'MERGED')"
    ).fetchall()
    assert not inside, f"pieces in parcels that are no more: {inside}"
    ends = book.query(
        "SELECT code FROM package WHERE state IN ('SPLITTED', 'MERGED') AND successor_id IS NULL"
    ).fetchall()
    assert not ends, f"parcels that were parted and lead nowhere: {ends}"
    issued = book.query(
        "SELECT p.code FROM package p JOIN invoice v ON v.package_id = p.id "
        "WHERE v.state = 'ISSUED' AND NOT EXISTS (SELECT 1 FROM item i WHERE i.package_id = p.id "
        "AND i.position <> 'CANCELLED')"
    ).fetchall()
    assert not issued, f"an invoice of a parcel in which nothing is left: {issued}"
    mixed = book.query(
        "SELECT p.code FROM item i JOIN package p ON p.id = i.package_id "
        "WHERE i.facility_id <> p.facility_id OR i.order_id <> p.order_id"
    ).fetchall()
    assert not mixed, f"pieces in a parcel of another facility or order: {mixed}"


def _check_stock(book: Book) -> None:
    """Every bucket is the sum of its moves; only two may be below zero; nothing is lost."""
    moved: Counter[tuple[int, str, str]] = Counter()
    rows = book.query("SELECT facility_id, sku, source, target, quantity FROM stock_move")
    for facility, sku, source, target, quantity in rows:
        moved[facility, sku, source] -= quantity
        moved[facility, sku, target] += quantity
    stored = {
        (facility, sku, bucket): quantity
        for facility, sku, bucket, quantity in book.query(
            "SELECT facility_id, sku, bucket, quantity FROM stock"
        )
        if quantity
    }
    assert stored == {key: n for key, n in moved.items() if n}, "stock is not the sum of moves"
    below = {key: n for key, n in stored.items() if n < 0 and key[2] not in ("outside", "shortage")}
    assert not below, f"buckets below zero: {below}"
