"""A simulated Amazon on a loopback socket, and one account read with a real panel client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import syncd_amazon as plugin
from syncd import Account, NewOrder, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.testing import DictMemory
from syncd.tokens import MemoryTokens
from syncd_amazon.simulator import AmazonSimulator, new_world

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
WITH_MEMORY = ("returns",)


class Reader:
    """One account, read through the wire."""

    def __init__(self, shop: AmazonSimulator, **more: Any) -> None:
        settings = plugin.AmazonSettings(**{**shop.settings(), **more})
        self.shop, self.clock = shop, shop.clock
        self.account = Account(name="shop", channel="amazon", settings=settings)
        self.memory = DictMemory(self.clock)
        self.tokens = MemoryTokens()
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.panel = self.new_panel()

    def new_panel(self) -> Panel:
        settings = self.account.settings
        return Panel(
            settings.base_url,
            account="shop",
            clock=self.clock,
            tokens=self.tokens,
            paces=plugin.PACES,
            jitter=lambda: 0.0,
            log=lambda event, **fields: self.logged.append((event, fields)),
        )

    def pages(self, kind: str, orders: Sequence[OrderRef] = (), hours: float = 48) -> list[Any]:
        now = self.clock.now()
        window = Window(now - timedelta(hours=hours), now)
        hook = getattr(plugin, f"fetch_{kind}")
        more = {"memory": self.memory} if kind in WITH_MEMORY else {}
        return list(hook(self.account, window, orders, self.panel, **more))

    def read(self, kind: str, orders: Sequence[OrderRef] = (), hours: float = 48) -> list[Any]:
        return [row for page in self.pages(kind, orders, hours) for row in page.rows]

    def refs(self, *orders: NewOrder) -> list[OrderRef]:
        return [
            OrderRef(
                order_id=one.order_id,
                line_ids=tuple(line.line_id for line in one.lines),
                facts=one.facts,
            )
            for one in orders
        ]

    def ships(self, facts: Any) -> bool:
        ref = OrderRef(order_id="X", facts=facts)
        return bool(plugin.provides_shipping(self.account, ref))


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def kit(clock: HandClock) -> Iterator[Any]:
    """Opens simulators and readers of them, and closes all."""
    opened: list[AmazonSimulator] = []

    def shop(**more: Any) -> AmazonSimulator:
        one = AmazonSimulator(more.pop("world", None) or new_world(clock), **more).start()
        opened.append(one)
        return one

    yield SimpleNamespace(shop=shop, reader=Reader, start=START)
    for one in opened:
        one.stop()
        assert one.troubles == []


@pytest.fixture
def shop(kit: Any) -> AmazonSimulator:
    made: AmazonSimulator = kit.shop()
    return made


@pytest.fixture
def seller(kit: Any, shop: AmazonSimulator) -> Reader:
    made: Reader = kit.reader(shop)
    return made


@pytest.fixture
def later(clock: HandClock) -> Callable[[], None]:
    """Lets so much time pass that the panel shows what has happened."""
    return lambda: clock.advance(timedelta(minutes=10))
