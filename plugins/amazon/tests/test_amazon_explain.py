"""Through a real book: what a person reads of an order that the seller ships."""

from __future__ import annotations

import threading
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import syncd_amazon as plugin
from syncd.book import runs
from syncd.book.explain import explain
from syncd.book.tables import Account as AccountRow, Task
from syncd.channels import LoadedChannel
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.statuses import Account, Kind
from syncd.tokens import MemoryTokens
from syncd_amazon.simulator import AmazonSimulator, new_world
from tests.bookkit import Seller, check_invariants

pytestmark = pytest.mark.unsound_book("i08_a_cursor_is_proven_by_the_run_that_moved_it")


class Quiet:
    """Progress that nobody follows."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        pass


@pytest.fixture
def trade(tmp_path: Path, kit: Any) -> Any:
    """A book, a panel and the passes between them: ``sync()`` and ``told(order)``."""
    seller = Seller(tmp_path)
    seller.stock("RED", 50)
    shop: AmazonSimulator = kit.shop(world=new_world(seller.clock))
    channel = LoadedChannel("amazon", "syncd-amazon", "1")
    (entry,) = entry_points(group="syncd.channels", name="amazon")
    channel.load(entry)
    with seller.book.write():
        AccountRow.update(channel="amazon").execute()
        for kind in Kind:
            Task.create(account=1, kind=kind.value, every_seconds=2400)
    settings: Any = plugin.AmazonSettings(**shop.settings())
    setup = Setup(
        account=Account(name="shop", channel="amazon", settings=settings),
        channel=channel,
        look_back={},
        locations={},
    )

    def panels(setup: Setup, stop: threading.Event) -> Panel:
        return Panel(
            shop.url, account="shop", clock=seller.clock, tokens=MemoryTokens(),
            paces=plugin.PACES, stop=stop, jitter=lambda: 0.0,
        )  # fmt: skip

    def sync() -> None:
        seller.clock.advance(timedelta(minutes=10))
        asked = runs.enqueue(
            seller.book, "shop", tuple(Kind), trigger="t", actor="t", now=seller.clock.now()
        )
        conductor = Conductor(seller.book, lambda _: setup, panels, seller.clock)
        conductor.conduct(asked.run_id, threading.Event(), Quiet())
        run = runs.get(seller.book, asked.run_id)
        assert run.state in ("OK", "PARTIAL"), run.message
        check_invariants(seller.book)

    seller.sync = sync  # type: ignore[attr-defined]
    seller.shop = shop  # type: ignore[attr-defined]
    return seller


def _told(trade: Any, order_id: str) -> str:
    return " ".join(" ".join(explain(trade.book, order_id).lines).split())


def test_an_order_that_the_seller_ships_is_not_synced_and_explain_says_so(trade: Any) -> None:
    order = trade.shop.world.place_order([("RED", 1)], ships_by="seller")
    trade.sync()
    before = trade.positions(order.order_id)
    trade.shop.world.pick_up(order.order_id)
    trade.sync()

    assert trade.positions(order.order_id) == before != ["DISPATCHED"]
    told = _told(trade, order.order_id)
    assert "Amazon said that 1 piece of line" in told
    assert (
        "The seller ships this order, not the channel, so the channel only repeats what the "
        "seller did." in told
    )


@pytest.mark.parametrize("traits", [{}, {"fulfillment": "AFN"}], ids=["Easy Ship", "FBA"])
def test_an_order_that_amazon_ships_is_synced(trade: Any, traits: dict[str, str]) -> None:
    order = trade.shop.world.place_order([("RED", 2)], traits=traits)
    trade.sync()
    trade.shop.world.pick_up(order.order_id)
    trade.sync()

    assert trade.positions(order.order_id) == ["DISPATCHED", "DISPATCHED"]


def test_a_cancelled_order_of_the_sellers_own_is_synced(trade: Any) -> None:
    order = trade.shop.world.place_order([("RED", 1)], ships_by="seller")
    trade.sync()
    trade.shop.world.cancel(order.order_id)
    trade.sync()

    assert trade.positions(order.order_id) == ["CANCELLED"]


def test_the_whole_way_back(trade: Any) -> None:
    """Shipped is what the order says to the end; the parcel's state brings it home."""
    world: Any = trade.shop.world
    order = world.place_order([("RED", 1)])
    trade.sync()
    world.pick_up(order.order_id)
    trade.sync()
    (back,) = world.courier_return(order.order_id)
    trade.sync()
    assert trade.positions(order.order_id) == ["RETURN_EXPECTED"]
    world.return_event(back.return_id, "completed")
    trade.sync()

    assert trade.positions(order.order_id) == ["RETURNED"]
    assert trade.shop.rows.status(order) == "SHIPPED"
