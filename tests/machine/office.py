"""Two sellers in one book, three accounts on toy panels: what the machine acts on.

Their power may fail, and one of the sellers may not be live yet.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from syncd.book import acts, runs
from syncd.book.tables import Account, Facility, Task, Tenant
from syncd.book.watch import Watch
from syncd.channels import LoadedChannel
from syncd.clock import HandClock
from syncd.errors import NotFound, Refused
from syncd.limits import Limits
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.rules import USUAL, Brake, Policies
from syncd.statuses import Account as AccountRef, Kind
from syncd.tokens import MemoryTokens
from tests.bookkit import START
from tests.invariants import check_invariants
from tests.machine.crash import Mains, PowerCut, open_book
from tests.machine.panel import Bazaar, ToyPanel


class Home(msgspec.Struct, frozen=True):
    """Whose an account is, where it ships from, and the panel that it is read at."""

    tenant: str
    facility: str
    panel: type[ToyPanel]


HOMES = {
    "shop": Home("acme", "BLR", ToyPanel),
    "mall": Home("acme", "DEL", Bazaar),
    "kiosk": Home("nova", "BLR", ToyPanel),
}
ACCOUNTS = tuple(HOMES)
TENANTS = ("acme", "nova")
PLACES = (("acme", "BLR"), ("acme", "DEL"), ("nova", "BLR"))
"""Tenant and facility; the same code may be another tenant's as well."""

LOCATIONS = {"acme": {"LOC-BLR": "BLR", "LOC-DEL": "DEL"}, "nova": {"LOC-DEL": "BLR"}}
SKUS = ("SHIRT", "SHOE", "MUG")
WHO = "machine"
MOST_RELEASES = 20

LIMITS = Limits(
    park_max=timedelta(hours=2), unproven=timedelta(hours=2), refused=timedelta(hours=1),
    putaway=timedelta(hours=3), rto_overdue=timedelta(hours=6), cir_overdue=timedelta(hours=7),
    attempt=timedelta(hours=3), claim=timedelta(hours=6), cancel_reminder=timedelta(minutes=30),
    exception_reminder=timedelta(hours=4), keep=timedelta(hours=15),
)  # fmt: skip
"""Short ones, so that timers fire within a history."""

ESSENCE = (
    "SELECT o.account_id, o.order_id, i.line_id, i.piece, i.position, i.hold FROM item i "
    "JOIN orders o ON o.id = i.order_id",
    "SELECT state, count(*) FROM invoice GROUP BY 1",
    "SELECT item_id, code, state, choice FROM exceptions",
    "SELECT account_id, state, cancels FROM brake",
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


class Ways(msgspec.Struct, frozen=True):
    """How an account's seller works: what the configuration would say."""

    policies: Policies = USUAL
    brake: Brake = Brake()


class Office:
    """The book on disk, the clock that may be wrong, and the panels with the true one."""

    def __init__(
        self, folder: Path, *, sequence: bool, live: bool = True, ways: Sequence[Ways] = ()
    ) -> None:
        self.folder = folder
        self.ways = dict(zip(ACCOUNTS, ways or [Ways()] * len(ACCOUNTS), strict=True))
        self.path = folder / "book.sqlite3"
        self.clock = HandClock(START)
        self.skew = timedelta(0)
        self.mains = Mains()
        self.panels = {name: home.panel(name, START) for name, home in HOMES.items()}
        self.setups = {name: self._setup(name) for name in ACCOUNTS}
        self.book = open_book(self.path, self.clock, self.mains)
        self._found(sequence, live)

    def _found(self, sequence: bool, live: bool) -> None:
        with self.book.write():
            tenants = {
                code: Tenant.create(
                    code=code, state="LIVE" if live or code == "acme" else "ONBOARDING"
                )
                for code in TENANTS
            }
            places = {
                (tenant, code): Facility.create(tenant=tenants[tenant], code=code)
                for tenant, code in PLACES
            }
            for name, home in HOMES.items():
                row = Account.create(
                    tenant=tenants[home.tenant], facility=places[home.tenant, home.facility],
                    name=name, channel=home.panel.channel,
                )  # fmt: skip
                for kind in Kind:
                    Task.create(account=row, kind=kind.value, every_seconds=2400)
        if sequence:
            self.define_sequences()

    def _setup(self, name: str) -> Setup:
        panel, home = self.panels[name], HOMES[name]
        channel = LoadedChannel(panel.channel, f"syncd-{panel.channel}", "1.0")
        channel.load(type("Entry", (), {"load": lambda _self: panel, "name": panel.channel})())
        assert not channel.reason, channel.reason
        return Setup(
            account=AccountRef(name=name, channel=panel.channel, settings=None),
            channel=channel,
            look_back={},
            locations=LOCATIONS[home.tenant],
            brake=self.ways[name].brake,
            policies=self.ways[name].policies,
            audit_portion=3,
        )

    @property
    def policies(self) -> Mapping[str, Policies]:
        """Those of each account, as the daemon hands them to a person's act."""
        return {name: ways.policies for name, ways in self.ways.items()}

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
        for tenant, code in PLACES:
            known = self.rows(
                "SELECT 1 FROM sequence s JOIN facility f ON f.id = s.facility_id "
                "JOIN tenant t ON t.id = f.tenant_id WHERE t.code = ? AND f.code = ?",
                tenant, code,
            )  # fmt: skip
            if not known:
                acts.define_sequence(
                    self.book, code, prefix=f"{code}/", width=3, actor=WHO, now=self.now,
                    tenant=tenant,
                )  # fmt: skip

    def open_gates(self) -> None:
        """Everything that a person can open is open."""
        self.define_sequences()
        for tenant in TENANTS:
            acts.set_tenant_state(self.book, tenant, "LIVE", actor=WHO, now=self.now)
        for tenant, code in PLACES:
            acts.set_facility(
                self.book, code, state="ACTIVE", traceability="NONE", actor=WHO, now=self.now,
                tenant=tenant,
            )  # fmt: skip

    def is_live(self, account: str) -> bool:
        """Whether the account's tenant is."""
        code = HOMES[account].tenant
        return self.rows("SELECT state FROM tenant WHERE code = ?", code) == [("LIVE",)]

    def braked(self, account: str) -> bool:
        """Whether the safety brake holds the account."""
        sql = (
            "SELECT 1 FROM brake b JOIN account a ON a.id = b.account_id "
            "WHERE a.name = ? AND b.state = 'OPEN'"
        )
        return bool(self.rows(sql, account))

    def turn(self) -> None:
        """The timers look at the book once."""
        Watch(self.book, lambda: dict.fromkeys(ACCOUNTS, LIMITS)).turn(self.now)

    def by_hand(self, act: Callable[[], Any], cut: int | None = None, *, one: bool = True) -> None:
        """A person's act, which may be refused. ``cut``: the power fails at that statement.

        ``one``: it is one transaction; otherwise what was done of it need only be made whole.
        """

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
            assert not one or self.dump() == before, "half of an act was kept"
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
        """Take a run to its end; where a gate or the brake forbids it, nothing is decided."""
        self._follow()
        conductor = Conductor(self.book, self.setups.__getitem__, self._client, self.clock)
        sql = "SELECT a.name, r.dry_run FROM run r JOIN account a ON a.id = r.account_id"
        ((account, dry_run),) = self.rows(f"{sql} WHERE r.id = ?", run_id)
        closed, braked = not dry_run and not self.is_live(account), self.braked(account)
        before = self.dump(but=("run", "task")) if closed else None
        conductor.conduct(run_id, threading.Event(), ToldNobody())
        if closed:
            assert self.dump(but=("run", "task")) == before, "a closed tenant's book was changed"
        if braked:
            done = self.rows("SELECT id FROM decision WHERE run_id = ?", run_id)
            assert not done, "something was decided while the brake was on"

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

    def audit(self, account: str, *, fix: bool) -> int:
        """Compare the account with its panel; mend it, or only look."""
        run_id = self.ask(account, purpose=runs.AUDIT, dry_run=not fix)
        self.run_all_queued()
        return run_id

    def state_of(self, run_id: int) -> str:
        return str(self.rows("SELECT state FROM run WHERE id = ?", run_id)[0][0])

    def catch_up(self) -> None:
        """Everything is told, every gate is open, and passes run until nothing waits."""
        for panel in self.panels.values():
            panel.fails = None
            panel.show_all()
        self.step_clock(timedelta(0))
        self.open_gates()
        self.wait(timedelta(minutes=5))
        for account in ACCOUNTS:
            for _ in range(3):
                self.run_through(account)

    def run_through(self, account: str) -> None:
        """A pass, and a person who says of all cancellations that they are true."""
        for _ in range(MOST_RELEASES):
            if self.braked(account):
                acts.release(self.book, account, note="true", actor=WHO, now=self.now)
            if self.state_of(self.run(account, days=30)) != "HELD":
                return
        raise AssertionError(f"the brake of {account} never goes off")
