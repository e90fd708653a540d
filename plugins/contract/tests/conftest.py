"""A marketplace behind the contract on a loopback socket, and an account that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import syncd_contract as plugin
from syncd import Account, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.testing import World
from syncd.tokens import MemoryTokens
from syncd_contract.simulator import ContractSimulator

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


class Market:
    """The simulator, and one account with a real Panel."""

    def __init__(self, stack: ExitStack, settings: dict[str, Any], **how: Any) -> None:
        self.clock = HandClock(START)
        self.world = World(self.clock)
        self.simulator = stack.enter_context(ContractSimulator(self.world, **how))
        chosen = {**self.simulator.settings(), **settings}
        self.settings = plugin.ContractSettings(**chosen)
        self.account = Account(name="shop", channel="contract", settings=self.settings)
        self.tokens = MemoryTokens()
        self.panel = self.new_panel()
        stack.callback(lambda: self.panel.close())

    def new_panel(self) -> Panel:
        return Panel(
            self.settings.base_url, account="shop", clock=self.clock, tokens=self.tokens,
            paces=plugin.PACES, jitter=lambda: 0.0,
        )  # fmt: skip

    def order(self, *lines: tuple[str, int], **more: Any) -> str:
        return self.world.place_order(list(lines) or [("MUG", 1)], **more).order_id

    def read(
        self, kind: str, *order_ids: str, days: float = 2, until: datetime | None = None
    ) -> list[Any]:
        now = until or self.clock.now() + timedelta(seconds=1)
        window = Window(now - timedelta(days=days), now)
        refs: Sequence[OrderRef] = [OrderRef(order_id=one) for one in order_ids]
        pages = getattr(plugin, f"fetch_{kind}")(self.account, window, refs, self.panel)
        return [row for page in pages for row in page.rows]

    def asked(self, path: str = "/orders") -> list[Any]:
        return self.simulator.requests(path)

    def pass_time(self, minutes: float) -> None:
        self.clock.advance(timedelta(minutes=minutes))


@pytest.fixture
def open_market() -> Iterator[Callable[..., Market]]:
    """A marketplace; ``settings`` are the account's, the rest the simulator's."""
    with ExitStack() as stack:
        made: list[Market] = []

        def make(settings: dict[str, Any] | None = None, **how: Any) -> Market:
            made.append(Market(stack, settings or {}, **how))
            return made[-1]

        yield make
        for market in made:
            assert market.simulator.troubles == []


@pytest.fixture
def market(open_market: Callable[..., Market]) -> Market:
    return open_market()
