"""A simulated ShopClues on a real loopback socket, and a seller with a real Panel to ask it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import syncd_shopclues as plugin
from syncd import Account, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.testing import Fault, World
from syncd.tokens import MemoryTokens
from syncd_shopclues.simulator import ShopCluesSimulator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW)


class Seller:
    """One account at the simulator."""

    def __init__(
        self, sim: ShopCluesSimulator, *, ca_bundle: object = None, **settings: Any
    ) -> None:
        self.sim = sim
        self.said: list[object] = []
        self.ca_bundle = None if ca_bundle is None else str(ca_bundle)
        self.tokens = MemoryTokens()
        self.settings = plugin.ShopCluesSettings(**{**sim.settings(), **settings})
        self.account = Account(name="shop", channel="shopclues", settings=self.settings)
        self.panel = self.new_panel()

    def new_panel(self) -> Panel:
        """A panel as a fresh process would make it, over the same kept tokens."""
        return Panel(
            self.settings.base_url,
            account="shop",
            clock=self.sim.clock,
            tokens=self.tokens,
            paces=plugin.describe_channel().paces,
            jitter=lambda: 0.0,
            ca_bundle=self.ca_bundle,
            log=lambda event, **fields: self.said.append((event, fields)),
        )

    def pages(
        self, kind: str, orders: Sequence[str] = (), window: Window = WINDOW
    ) -> Iterator[list[Any]]:
        """The pages of a hook: "dispatched", "cancelled" ..."""
        refs = [OrderRef(order_id=one) for one in orders]
        for page in getattr(plugin, f"fetch_{kind}")(self.account, window, refs, self.panel):
            assert page.complete_until is None
            yield list(page.rows)

    def read(self, kind: str, orders: Sequence[str] = (), window: Window = WINDOW) -> list[Any]:
        """All rows of a hook."""
        return [row for page in self.pages(kind, orders, window) for row in page]


@pytest.fixture
def sim() -> Iterator[ShopCluesSimulator]:
    clock = HandClock(NOW)
    with ShopCluesSimulator(ShopCluesSimulator.new_world(clock), clock) as sim:
        yield sim
    assert not sim.troubles


@pytest.fixture
def world(sim: ShopCluesSimulator) -> World:
    return sim.world


@pytest.fixture
def sellers(sim: ShopCluesSimulator) -> Iterator[Callable[..., Seller]]:
    made: list[Seller] = []

    def make(**settings: Any) -> Seller:
        made.append(Seller(sim, **settings))
        return made[-1]

    yield make
    for one in made:
        one.panel.close()


@pytest.fixture
def seller(sellers: Callable[..., Seller]) -> Seller:
    return sellers()


@pytest.fixture
def said(sim: ShopCluesSimulator) -> Callable[..., None]:
    """Let the panel's next list have these rows, whatever the world says."""

    def say(*rows: object, link: str | None = "") -> None:
        body = json.dumps({"data": rows, "extra": {"next": link}})
        sim.faults.add(Fault(do="body", path="/order[?]*", body=body))

    return say
