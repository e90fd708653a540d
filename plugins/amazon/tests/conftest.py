"""A simulated Amazon on a loopback socket, an account read by a real client, and a book."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import syncd_amazon as plugin
from syncd import Account, NewOrder, OrderRef, Panel, Window
from syncd.book import runs
from syncd.book.tables import Account as AccountRow, Task
from syncd.channels import LoadedChannel
from syncd.clock import HandClock
from syncd.passes import Conductor, Setup
from syncd.statuses import Kind
from syncd.testing import DictMemory
from syncd.tokens import MemoryTokens
from syncd_amazon.simulator import AmazonSimulator, new_world
from tests.bookkit import Seller, check_invariants

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


class Trade:
    """A book, a panel and the passes between them, on one clock."""

    def __init__(self, folder: Path, kit: Any) -> None:
        self.seller = Seller(folder)
        self.clock = self.seller.clock
        self.seller.stock("RED", 500)
        self.shop: AmazonSimulator = kit.shop(world=new_world(self.clock))
        self.channel = LoadedChannel("amazon", "syncd-amazon", "1")
        (entry,) = entry_points(group="syncd.channels", name="amazon")
        self.channel.load(entry)
        self.seller.book.titles = {"amazon": self.channel.title}
        self.settings: dict[str, Any] = {}
        self.told: list[dict[str, Any]] = []
        self._kept: Panel | None = None
        with self.seller.book.write():
            AccountRow.update(channel="amazon").execute()
            for kind in Kind:
                Task.create(account=1, kind=kind.value, every_seconds=2400)

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Progress, as somebody who follows a run is told it."""
        self.told.append({**fields, "at": self.clock.now()})

    def _setup(self, _name: str) -> Setup:
        settings: Any = plugin.AmazonSettings(**{**self.shop.settings(), **self.settings})
        account = Account(name="shop", channel="amazon", settings=settings)
        return Setup(account=account, channel=self.channel, look_back={}, locations={})

    def keep_panel(self) -> Panel:
        """Let all runs from now on go by one client, as an account's runs do; it is returned."""
        self._kept = self._panel(self._setup("shop"), threading.Event())
        return self._kept

    def _panel(self, setup: Setup, stop: threading.Event) -> Panel:
        return self._kept or Panel(
            self.shop.url, account="shop", clock=self.clock, tokens=MemoryTokens(),
            paces=plugin.PACES, stop=stop, jitter=lambda: 0.0,
        )  # fmt: skip

    def sync(self, *kinds: Kind, pause: timedelta = timedelta(minutes=10), **more: Any) -> None:
        """One run, some time after whatever was before."""
        self.clock.advance(pause)
        asked = runs.enqueue(
            self.seller.book, "shop", kinds or tuple(Kind), trigger="t", actor="t",
            now=self.clock.now(), **more,
        )  # fmt: skip
        conductor = Conductor(self.seller.book, self._setup, self._panel, self.clock)
        conductor.conduct(asked.run_id, threading.Event(), self)
        run = runs.get(self.seller.book, asked.run_id)
        assert run.state in ("OK", "PARTIAL"), run.message
        check_invariants(self.seller.book)


@pytest.fixture
def trade(tmp_path: Path, kit: Any) -> Trade:
    return Trade(tmp_path, kit)
