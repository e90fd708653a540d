"""A simulated Snapdeal on a real loopback socket, and a seller with a real Panel to ask it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import syncd_snapdeal as plugin
from syncd import Account, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.testing import Fault, World
from syncd.tokens import MemoryTokens
from syncd_snapdeal.simulator import SnapdealSimulator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW)


class Seller:
    """One account at the simulator."""

    def __init__(self, sim: SnapdealSimulator, **settings: Any) -> None:
        self.sim = sim
        self.said: list[object] = []
        chosen = {**sim.settings(), **settings}
        self.account = Account(
            name="shop", channel="snapdeal", settings=plugin.SnapdealSettings(**chosen)
        )
        self.panel = Panel(
            chosen["base_url"],
            account="shop",
            clock=sim.clock,
            tokens=MemoryTokens(),
            paces=plugin.describe_channel().paces,
            jitter=lambda: 0.0,
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
def sim() -> Iterator[SnapdealSimulator]:
    clock = HandClock(NOW)
    with SnapdealSimulator(SnapdealSimulator.new_world(clock), clock) as sim:
        yield sim
    assert not sim.troubles


@pytest.fixture
def world(sim: SnapdealSimulator) -> World:
    return sim.world


@pytest.fixture
def sellers(sim: SnapdealSimulator) -> Iterator[Callable[..., Seller]]:
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
def said(sim: SnapdealSimulator) -> Callable[..., None]:
    """Let the panel's next page of a list have these rows, whatever the world says."""

    def say(path: str, name: str, *rows: object, message: str | None = None) -> None:
        payload = {name: rows} if name else None
        body = json.dumps({"metadata": {"message": message}, "payload": payload})
        sim.faults.add(Fault(do="body", path=f"{path}*", body=body))

    return say
