"""Audits against a simulated Flipkart, over the wire: no false alarm, and no loss unfound."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import pytest

import syncd_flipkart as plugin
from syncd.book import drift, goods, runs, warehouse
from syncd.book.tables import Task
from syncd.book.views import DriftView
from syncd.channels import LoadedChannel
from syncd.hookspecs import ReadsBy
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.rules import Position
from syncd.statuses import Account, Kind
from syncd.testing import WorldError
from syncd.tokens import MemoryTokens
from syncd_flipkart.simulator import FlipkartSimulator, new_world
from tests.bookkit import Seller, check_invariants

# The cursors are set by hand here.
CURSORS = "i08_a_cursor_is_proven_by_the_run_that_moved_it"
pytestmark = pytest.mark.unsound_book(CURSORS)

WAYS = {"by id": frozenset(ReadsBy), "by window": frozenset({ReadsBy.WINDOW})}


class Quiet:
    """Progress that nobody follows."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        pass


class Trade:
    """A seller, a simulated panel and the passes between them, on one clock."""

    def __init__(self, folder: Path, seed: int = 0, parts: Any = "total") -> None:
        self.seller = Seller(folder)
        self.book, self.clock = self.seller.book, self.seller.clock
        self.dice = random.Random(seed)
        self.panel_side = FlipkartSimulator(new_world(self.clock, seed=seed), parts=parts)
        self.world = self.panel_side.world
        self.channel = LoadedChannel("flipkart", "syncd-flipkart", "1")
        (entry,) = entry_points(group="syncd.channels", name="flipkart")
        self.channel.load(entry)
        with self.book.write():
            for kind in Kind:
                Task.create(account=1, kind=kind.value, every_seconds=2400)
        goods.receive_stock(
            self.book, "BLR", {f"SKU-{n}": 50 for n in range(3)}, actor="t", now=self.clock.now()
        )

    def __enter__(self) -> Trade:
        self.panel_side.start()
        settings = plugin.FlipkartSettings(
            base_url=self.panel_side.url,
            app_id=self.panel_side.client_id,
            app_secret=self.panel_side.client_secret,  # type: ignore[arg-type]
            pace="unlimited",
        )
        self.setup = Setup(
            account=Account(name="shop", channel="flipkart", settings=settings),
            channel=self.channel,
            look_back={},
            locations={},
            audit_portion=7,
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self.panel_side.stop()

    def ask_by(self, way: str) -> None:
        """Let the channel answer only so from now on."""
        assert self.channel.description is not None
        self.channel.description = msgspec.structs.replace(
            plugin.describe_channel(), reads_by=WAYS[way]
        )

    def conduct(self, *kinds: Kind, **more: Any) -> Any:
        asked = runs.enqueue(
            self.book, "shop", kinds or tuple(Kind), trigger="t", actor="t",
            now=self.clock.now(), **more,
        )  # fmt: skip
        conductor = Conductor(self.book, lambda _: self.setup, self._panel, self.clock)
        conductor.conduct(asked.run_id, threading.Event(), Quiet())
        return runs.get(self.book, asked.run_id)

    def _panel(self, setup: Setup, stop: threading.Event) -> Panel:
        return Panel(
            self.panel_side.url, account="shop", clock=self.clock, tokens=MemoryTokens(),
            paces=plugin.PACES, stop=stop, jitter=lambda: 0.0,
        )  # fmt: skip

    def audit(self, *, fix: bool = False) -> list[DriftView]:
        run = self.conduct(purpose=runs.AUDIT, dry_run=not fix)
        assert run.state in ("OK", "PARTIAL"), run.message
        assert run.code in ("", "drift_found"), run.message
        return drift.findings(self.book, run_id=int(run.id))

    def sync(self) -> None:
        self.clock.advance(timedelta(minutes=6))
        run = self.conduct()
        assert run.state in ("OK", "PARTIAL"), run.message

    def placed(self, quantity: int = 1) -> tuple[str, str]:
        """An order that both sides have."""
        order = self.world.place_order([("SKU-0", quantity)])
        self.sync()
        return order.order_id, order.lines[0].line_id

    def live(self) -> None:
        """Something happens at the panel or in the warehouse, if it can."""
        dice, world = self.dice, self.world
        self.clock.advance(timedelta(seconds=dice.randint(1, 900)))
        if len(world.orders) < 3 or dice.random() < 0.2:
            lines = [(f"SKU-{n}", dice.randint(1, 3)) for n in range(dice.randint(1, 2))]
            world.place_order(lines, ships_by="seller" if dice.random() < 0.1 else "channel")
            return
        order = dice.choice(list(world.orders.values()))
        line_id = dice.choice(order.lines).line_id
        who: Any = dice.choice(["seller", "buyer", "marketplace"])
        acts: list[Callable[..., Any]] = [
            world.pack, world.ready, world.pick_up, world.pick_up, world.ship, world.deliver,
            lambda *a: world.cancel(*a, quantity=1, by=who),
            lambda *a: world.cancel(*a),
            lambda *a: world.cancel_in_transit(*a, quantity=1),
            lambda *a: world.courier_return(*a, quantity=1),
            lambda *a: world.customer_return(*a, quantity=1),
        ]  # fmt: skip
        try:
            if order.return_ids and dice.random() < 0.3:
                word = dice.choice(["completed", "cancelled", "rejected", "service_requested"])
                world.return_event(dice.choice(order.return_ids), word)
            else:
                dice.choice(acts)(order.order_id, line_id)
        except WorldError:
            return


@pytest.fixture
def trade(tmp_path: Path) -> Iterator[Trade]:
    with Trade(tmp_path) as trade:
        yield trade


def seen(found: list[DriftView]) -> list[tuple[str, str, bool]]:
    return [(one.order_id, one.cause, one.mended) for one in found]


@pytest.mark.parametrize("parts", ["total", "each", "rest"])
@pytest.mark.parametrize("seed", range(8))
def test_no_false_alarm_of_a_book_that_is_true(tmp_path: Path, seed: int, parts: str) -> None:
    with Trade(tmp_path, seed, parts) as trade:
        for _ in range(14):
            for _ in range(trade.dice.randint(1, 5)):
                trade.live()
            trade.sync()
        open_exceptions = trade.seller.count("exceptions", "state = 'OPEN'")
        for way in WAYS:
            trade.ask_by(way)
            found = [one for one in trade.audit() if one.cause != "contradiction"]
            assert found == [], way
        contradictions = {one.order_id for one in trade.audit()}
        assert len(contradictions) <= open_exceptions
        before = trade.seller.dump()
        trade.audit(fix=True)
        after = trade.seller.dump()
        assert {name for name in before if before[name] != after[name]} <= {"drift"}
        check_invariants(trade.book, but=[CURSORS])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_never_fetched_is_found_and_mended(tmp_path: Path, seed: int) -> None:
    """The passes sleep through half of a history while their cursors move on."""
    with Trade(tmp_path, seed + 100) as trade:
        for turn in range(12):
            for _ in range(trade.dice.randint(1, 5)):
                trade.live()
            if turn % 3:
                trade.sync()
            else:
                trade.clock.advance(timedelta(hours=3))
                with trade.book.write():
                    trade.book.query("UPDATE cursor SET until = until + 10800000000")
        trade.clock.advance(timedelta(hours=3))
        with trade.book.write():
            trade.book.query("UPDATE cursor SET until = until + 10800000000")
        trade.audit(fix=True)
        left = [one for one in trade.audit() if one.cause != "contradiction"]
        assert left == []
        check_invariants(trade.book, but=[CURSORS])


@pytest.mark.parametrize("way", list(WAYS))
def test_a_dispatch_and_a_cancellation_behind_the_cursor(trade: Trade, way: str) -> None:
    shipped, cancelled, quiet = (trade.placed() for _ in range(3))
    trade.world.pick_up(shipped[0])
    trade.clock.advance(timedelta(minutes=1))
    trade.world.cancel(*cancelled, by="buyer")
    trade.clock.advance(timedelta(hours=2))
    with trade.book.write():
        trade.book.query("UPDATE cursor SET until = until + 7200000000")
    trade.ask_by(way)
    expected = {(shipped[0], "missed", False), (cancelled[0], "missed", False)}
    assert set(seen(trade.audit())) == expected
    assert {one[2] for one in seen(trade.audit(fix=True))} == {True}
    assert trade.seller.positions(shipped[0]) == ["DISPATCHED"]
    assert trade.seller.positions(cancelled[0]) == ["CANCELLED"]
    assert trade.seller.positions(quiet[0]) == ["FULFILLABLE"]
    assert trade.audit() == []


@pytest.mark.parametrize("way", list(WAYS))
def test_an_order_dispatched_by_hand_that_the_panel_still_has_open(trade: Trade, way: str) -> None:
    order_id, _ = trade.placed()
    warehouse.advance(
        trade.book, "shop", order_id, Position.DISPATCHED, actor="asha", now=trade.clock.now()
    )
    trade.ask_by(way)
    assert seen(trade.audit(fix=True)) == [(order_id, "ahead_by_hand", False)]
    trade.world.pick_up(order_id)
    trade.sync()
    assert trade.audit() == []


def test_a_cancellation_before_the_import_is_no_drift(trade: Trade) -> None:
    order = trade.world.place_order([("SKU-0", 1)])
    trade.clock.advance(timedelta(minutes=1))
    trade.world.cancel(order.order_id, by="buyer")
    trade.sync()
    trade.sync()
    assert trade.audit() == []


def test_an_order_that_was_never_imported(trade: Trade) -> None:
    trade.sync()
    order = trade.world.place_order([("SKU-0", 2)])
    trade.clock.advance(timedelta(hours=2))
    with trade.book.write():
        trade.book.query("UPDATE cursor SET until = until + 7200000000")
    assert seen(trade.audit()) == [(order.order_id, "order_missing", False)]
    assert seen(trade.audit(fix=True)) == [(order.order_id, "order_missing", True)]
    assert trade.seller.positions(order.order_id) == ["FULFILLABLE"] * 2
