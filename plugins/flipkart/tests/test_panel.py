"""The plugin against the simulator, where the panel's own ways matter: tokens, profiles, ids.

What holds for every channel stands in the conformance suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import syncd_flipkart as plugin
from syncd import Account, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.errors import PanelRefused
from syncd.tokens import FileTokens, MemoryTokens, TokenStore
from syncd_flipkart.simulator import FlipkartSimulator, new_world

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
KINDS = ("orders", "dispatched", "delivered", "cancelled", "returns")


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def shop(clock: HandClock) -> Iterator[FlipkartSimulator]:
    with FlipkartSimulator(new_world(clock)) as shop:
        yield shop
        assert shop.troubles == []


class Reader:
    """One account read with a real panel client."""

    def __init__(
        self, shop: FlipkartSimulator, tokens: TokenStore | None = None, **more: Any
    ) -> None:
        chosen = {
            "base_url": shop.url,
            "app_id": shop.client_id,
            "app_secret": shop.client_secret,
            "pace": "unlimited",
            **more,
        }
        settings = plugin.FlipkartSettings(**chosen)
        self.clock = shop.clock
        self.account = Account(name="shop", channel="flipkart", settings=settings)
        self.panel = Panel(
            settings.base_url,
            account="shop",
            clock=self.clock,
            tokens=tokens or MemoryTokens(),
            paces=plugin.PACES,
            jitter=lambda: 0.0,
        )

    def read(self, kind: str, orders: Sequence[OrderRef] = (), hours: float = 24) -> list[Any]:
        """What a hook yields of the last hours, or of these orders."""
        now = self.clock.now()
        window = Window(now - timedelta(hours=hours), now)
        pages = getattr(plugin, f"fetch_{kind}")(self.account, window, orders, self.panel)
        return [row for page in pages for row in page.rows]


def _picked_up(shop: FlipkartSimulator, count: int) -> None:
    for n in range(count):
        order = shop.world.place_order([(f"SKU-{n}", 1)], at=START - timedelta(hours=2))
        shop.world.pick_up(order.order_id, at=START - timedelta(minutes=60 - n))


def test_client_credentials(shop: FlipkartSimulator) -> None:
    _picked_up(shop, 1)
    assert len(Reader(shop).read("dispatched")) == 1

    with pytest.raises(PanelRefused, match="app_secret"):
        Reader(shop, app_secret="canary").read("dispatched")


def test_a_refresh_token_of_one_use_is_rotated(clock: HandClock) -> None:
    world = new_world(clock)
    life = timedelta(hours=1)
    with FlipkartSimulator(world, refresh_use="one-use", token_life=life) as shop:
        _picked_up(shop, 1)
        consent = shop.grants.consent(shop.client_id)
        reader = Reader(shop, refresh_token=consent)
        for _ in range(4):
            assert len(reader.read("dispatched")) == 1
            clock.advance(timedelta(hours=2))

        shop.grants.revoke(shop.client_id)
        with pytest.raises(PanelRefused, match="consent again"):
            reader.read("dispatched")


def test_the_token_is_kept_over_a_restart(shop: FlipkartSimulator, tmp_path: Path) -> None:
    _picked_up(shop, 1)
    for _ in range(3):
        reader = Reader(shop, FileTokens(tmp_path / "tokens"))
        assert len(reader.read("dispatched")) == 1
        reader.panel.close()

    assert len(shop.requests("/oauth-service/")) == 1


def test_every_profile_and_location(shop: FlipkartSimulator) -> None:
    shop.world.add_location("LOC2")
    for n, profile in enumerate(["NON_FBF", "FBF", "FBF_LITE"]):
        for place in ("", "LOC2"):
            order = shop.world.place_order(
                [(f"SKU-{n}", 1)], location_id=place, traits={"service_profile": profile}
            )
            shop.world.pick_up(order.order_id)
    every = ["NON_FBF", "FBF", "FBF_LITE"]
    shop.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]

    assert len(Reader(shop).read("dispatched")) == 2
    assert len(Reader(shop, service_profiles=every).read("dispatched")) == 6
    assert len(Reader(shop, service_profiles=every, locations=["LOC2"]).read("dispatched")) == 3


def test_a_row_that_slips_over_the_edge_is_found_by_the_next_pass(
    shop: FlipkartSimulator, clock: HandClock
) -> None:
    """Between two pages one row changes and leaves the window: its neighbours move up."""
    _picked_up(shop, 9)
    slipped = next(iter(shop.world.orders))

    def meddle(request: Any) -> None:
        if "next_token" in request.query and shop.world.parcels:
            shop.on_request = None
            clock.advance(timedelta(seconds=30))
            shop.world.ship(slipped)

    shop.on_request = meddle
    reader = Reader(shop, page_size=3)
    first = reader.read("dispatched")
    clock.advance(timedelta(minutes=40))
    second = reader.read("dispatched", hours=40 / 60 + 1)

    assert len({change.order_id for change in first}) == 8
    assert len({change.order_id for change in first + second}) == 9


def test_an_order_of_500_lines_and_250_orders_by_id(shop: FlipkartSimulator) -> None:
    _picked_up(shop, 250)
    reader = Reader(shop)
    refs = [
        OrderRef(order_id=one.order_id, line_ids=tuple(line.line_id for line in one.lines))
        for one in shop.world.orders.values()
    ]

    assert len(reader.read("dispatched", refs)) == 250
    assert len(reader.read("orders", refs)) == 250
