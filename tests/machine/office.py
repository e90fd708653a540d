"""A seller with two accounts on toy panels, whose power may fail: what the machine acts on."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from syncd.book import acts, runs
from syncd.book.tables import Account, Facility, Task, Tenant
from syncd.channels import LoadedChannel
from syncd.clock import HandClock
from syncd.errors import NotFound, Refused
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.rules import Position
from syncd.statuses import Account as AccountRef, Kind
from syncd.tokens import MemoryTokens
from tests.bookkit import START
from tests.invariants import check_invariants
from tests.machine.crash import Mains, PowerCut, open_book
from tests.machine.panel import ToyPanel

ACCOUNTS = ("shop", "mall")
FACILITIES = ("BLR", "DEL")
SKUS = ("SHIRT", "SHOE", "MUG")
WHO = "machine"

WORDS = {
    "RETURN_EXPECTED": "RETURN_NOTICED_RTO", "RETURNED": "RETURNED_RTO",
    "RETURN_ACKNOWLEDGED": "RETURNED_RTO", "CIR_CREATED": "RETURN_NOTICED_CIR",
    "CIR_COMPLETE": "RETURNED_CIR", "DISPATCHED": "DISPATCHED", "DELIVERED": "DELIVERED",
    "CANCELLED": "CANCELLED", "LOST": "LOST",
}  # fmt: skip
"""What the panel calls a piece that the book has at a position; else it is open there."""

ESSENCE = (
    "SELECT o.account_id, o.order_id, i.line_id, i.piece, i.position, i.hold FROM item i "
    "JOIN orders o ON o.id = i.order_id",
    "SELECT state, count(*) FROM invoice GROUP BY 1",
    "SELECT item_id, code FROM exceptions",
)
"""What a power cut in a pass must not change, once the passes after it are through."""


class ToldNobody:
    """Progress that nobody follows."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Nothing."""


class SkewedPanel(Panel):
    """A panel's client whose panel has the true time."""

    off = timedelta(0)

    def server_now(self) -> datetime:
        return super().server_now() + self.off


class Office:
    """The book on disk, the clock that may be wrong, and the panels with the true one."""

    def __init__(self, folder: Path, *, sequence: bool) -> None:
        self.folder = folder
        self.path = folder / "book.sqlite3"
        self.clock = HandClock(START)
        self.skew = timedelta(0)
        self.mains = Mains()
        self.panels = {name: ToyPanel(name, START) for name in ACCOUNTS}
        self.setups = {name: self._setup(name) for name in ACCOUNTS}
        self.book = open_book(self.path, self.clock, self.mains)
        self._found(sequence)

    def _found(self, sequence: bool) -> None:
        with self.book.write():
            tenant = Tenant.create(code="acme", state="LIVE")
            places = [Facility.create(tenant=tenant, code=code) for code in FACILITIES]
            for name, place in zip(ACCOUNTS, places, strict=True):
                row = Account.create(tenant=tenant, facility=place, name=name, channel="toy")
                for kind in Kind:
                    Task.create(account=row, kind=kind.value, every_seconds=2400)
        if sequence:
            self.define_sequences()

    def _setup(self, name: str) -> Setup:
        panel = self.panels[name]
        channel = LoadedChannel("toy", "syncd-toy", "1.0")
        channel.load(type("Entry", (), {"load": lambda _self: panel, "name": "toy"})())
        assert not channel.reason, channel.reason
        return Setup(
            account=AccountRef(name=name, channel="toy", settings=None),
            channel=channel,
            look_back={},
            locations={f"LOC-{code}": code for code in FACILITIES},
        )

    # --- time

    @property
    def now(self) -> datetime:
        """What the seller's machine takes for the time."""
        return self.clock.now()

    def wait(self, span: timedelta) -> None:
        """Time passes, for all."""
        for panel in self.panels.values():
            panel.now += span
        self._follow()

    def step_clock(self, skew: timedelta) -> None:
        """Our clock is off by ``skew`` from here on."""
        self.skew = skew
        self._follow()

    def _follow(self) -> None:
        latest = max(panel.now for panel in self.panels.values())
        for panel in self.panels.values():
            panel.now = latest
        self.clock.step(latest + self.skew - self.clock.now())

    # --- the book

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with self.book.connection():
            return self.book.query(sql, params).fetchall()

    def dump(self, *, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
        """The whole book, but for these tables."""
        names = [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {n: self.rows(f"SELECT * FROM {n} ORDER BY 1, 2") for n in names if n not in but}

    def essence(self) -> list[list[Any]]:
        return [sorted(self.rows(sql), key=str) for sql in ESSENCE]

    def check(self) -> None:
        check_invariants(self.book)
        broken = self.rows("SELECT message FROM inbox WHERE code = 'internal_error'")
        assert not broken, f"the program failed on an order: {broken}"
        failed = self.rows("SELECT message FROM run WHERE code = 'internal_error'")
        assert not failed, f"the program failed in a run: {failed}"

    def reopen(self) -> None:
        """What the next start does, at its very beginning."""
        self.mains.drop()
        self.book = open_book(self.path, self.clock, self.mains)

    def close(self) -> None:
        self.mains.drop()

    def on_a_copy(self, act: Callable[[], Any]) -> Any:
        """What the act would lead to, tried on a copy of the book that is then thrown away."""
        self.mains.drop()
        mine, copy = self.path, self.folder / "twin.sqlite3"
        shutil.copy(mine, copy)
        moment = self.clock.now()
        self.path = copy
        try:
            self.reopen()
            return act()
        finally:
            self.mains.drop()
            copy.unlink()
            self.path = mine
            self.clock.step(moment - self.clock.now())
            self.reopen()

    # --- acts

    def define_sequences(self) -> None:
        for code in FACILITIES:
            known = self.rows(
                "SELECT 1 FROM sequence s JOIN facility f ON f.id = s.facility_id WHERE f.code = ?",
                code,
            )
            if not known:
                acts.define_sequence(
                    self.book, code, prefix=f"{code}/", width=3, actor=WHO, now=self.now
                )

    def open_gates(self) -> None:
        """Everything that a person can open is open."""
        self.define_sequences()
        acts.set_tenant_state(self.book, "acme", "LIVE", actor=WHO, now=self.now)
        for code in FACILITIES:
            acts.set_facility(
                self.book, code, state="ACTIVE", traceability="NONE", actor=WHO, now=self.now
            )

    def by_hand(self, act: Callable[[], Any], cut: int | None = None) -> None:
        """A person's act, which may be refused. ``cut``: the power fails at that statement."""

        def tried() -> None:
            with suppress(Refused, NotFound):
                act()

        if cut is None:
            tried()
            return
        before = self.dump()

        def done() -> dict[str, list[Any]]:
            tried()
            return self.dump()

        wanted = self.on_a_copy(done)
        if self.cut_in(tried, cut) and self.dump() != wanted:
            assert self.dump() == before, "half of an act was kept"
            tried()
        assert self.dump() == wanted, "an act done again after a power cut ended otherwise"

    def cut_in(self, act: Callable[[], Any], after: int) -> bool:
        """Do the act over a power cut; the book is open again. Whether the power failed."""
        self.mains.left = after
        try:
            act()
        except PowerCut:
            self.reopen()
            return True
        finally:
            self.mains.left = None
        return False

    # --- passes

    def ask(self, account: str, kinds: tuple[Kind, ...] = tuple(Kind), **more: Any) -> int:
        return runs.enqueue(
            self.book, account, kinds, trigger="t", actor=WHO, now=self.now, **more
        ).run_id

    def conduct(self, run_id: int) -> None:
        self._follow()
        conductor = Conductor(self.book, self.setups.__getitem__, self._client, self.clock)
        conductor.conduct(run_id, threading.Event(), ToldNobody())

    def _client(self, setup: Setup, stop: threading.Event) -> Panel:
        made = SkewedPanel(
            "http://127.0.0.1:9", account=setup.account.name, clock=self.clock,
            tokens=MemoryTokens(), stop=stop,
        )  # fmt: skip
        made.off = -self.skew
        return made

    def run(self, account: str, kinds: tuple[Kind, ...] = tuple(Kind), **more: Any) -> int:
        run_id = self.ask(account, kinds, **more)
        self.conduct(run_id)
        return run_id

    def run_all_queued(self) -> None:
        """What the daemon does with its queue, an account after the other."""
        for account in ACCOUNTS:
            while (row := runs.next_queued(self.book, account)) is not None:
                self.conduct(row.id)

    def recover(self) -> None:
        """What the daemon does at its start."""
        runs.recover(self.book, self.now)
        self.run_all_queued()

    # --- the truth

    def catch_up(self) -> None:
        """Everything is told, every gate is open, and passes run until nothing waits."""
        for panel in self.panels.values():
            panel.fails = None
            panel.show_all()
        self.step_clock(timedelta(0))
        self.open_gates()
        self.wait(timedelta(minutes=5))
        for _ in range(3):
            for account in ACCOUNTS:
                self.run(account, days=30)

    def disagreements(self) -> list[str]:
        """Where the book differs from a panel, of which nothing untrue was told."""
        found: dict[tuple[str, str], dict[str, Counter[str]]] = {}
        for account, order_id, line_id, position, hold in self.rows(
            "SELECT a.name, o.order_id, i.line_id, i.position, i.hold FROM item i "
            "JOIN orders o ON o.id = i.order_id JOIN account a ON a.id = o.account_id"
        ):
            pulled = position == Position.MANIFESTED and hold == "cancelled_after_manifest"
            word = "CANCELLED" if pulled else WORDS.get(position, "OPEN")
            lines = found.setdefault((account, order_id), {})
            lines.setdefault(line_id, Counter())[word] += 1
        return [
            f"{account} {order_id}: the panel has {order.truth()}, the book {lines}\n"
            + "\n".join(map(str, self.history(account, order_id)))
            for account, panel in self.panels.items()
            for order_id, order in panel.orders.items()
            if not order.spoilt and (lines := found.get((account, order_id), {})) != order.truth()
        ]

    def history(self, account: str, order_id: str) -> list[tuple[Any, ...]]:
        """What the book did with the order, and why: its records, oldest first."""
        return self.rows(
            "SELECT d.run_id, f.id, (f.occurred_at - o.placed_at) / 1000000, d.event, f.line_id, "
            "f.quantity, f.shipment_id, f.return_id, d.item_id, d.before, d.after, d.code "
            "FROM decision d JOIN orders o ON o.id = d.order_id "
            "JOIN account a ON a.id = o.account_id LEFT JOIN inbox f ON f.id = d.inbox_id "
            "WHERE a.name = ? AND o.order_id = ? ORDER BY d.id",
            account, order_id,
        )  # fmt: skip
