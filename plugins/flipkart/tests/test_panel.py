"""The plugin against the simulator: what it yields is what happened at the panel."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import syncd_flipkart as plugin
from syncd import Account, NewOrder, OrderRef, Panel, Status, StatusChange, Window
from syncd.clock import HandClock
from syncd.errors import PanelRefused
from syncd.testing import Fault, WorldError
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


class Notes:
    """What a reader has been told, added up by the meaning of the facts alone."""

    def __init__(self) -> None:
        self.quantity: dict[str, int] = {}
        self.lines: dict[str, set[str]] = {}
        self.facts: dict[str, dict[str, str]] = {}
        self.totals: dict[tuple[Status, str, str], int] = {}
        self.whole: set[str] = set()
        self.returns: dict[str, set[Status]] = {}

    def take(self, rows: Sequence[NewOrder | StatusChange]) -> None:
        for row in rows:
            assert not row.problem
            if isinstance(row, NewOrder):
                self._order(row)
            elif row.return_id:
                self.returns.setdefault(row.return_id, set()).add(row.status)
            elif row.quantity is None:
                self.whole.add(row.line_id)
            else:
                assert row.cumulative
                place = "" if row.status is Status.CANCELLED else row.shipment_id
                key = row.status, row.line_id, place
                self.totals[key] = max(self.totals.get(key, 0), row.quantity)

    def _order(self, order: NewOrder) -> None:
        for line in order.lines:
            self.quantity.setdefault(line.line_id, line.quantity)
            self.lines.setdefault(order.order_id, set()).add(line.line_id)
        facts = self.facts.setdefault(order.order_id, {})
        self.facts[order.order_id] = {**order.facts, **facts}

    def count(self, status: Status, line_id: str) -> int:
        if status is Status.CANCELLED and line_id in self.whole:
            return self.quantity[line_id]
        found = (n for (one, line, _), n in self.totals.items() if (one, line) == (status, line_id))
        return sum(found)

    def refs(self) -> list[OrderRef]:
        return [
            OrderRef(order_id=one, line_ids=tuple(sorted(lines)), facts=self.facts[one])
            for one, lines in self.lines.items()
        ]


def _act(shop: FlipkartSimulator, dice: random.Random) -> None:
    """Something happens at the panel, if it can."""
    world = shop.world
    if len(world.orders) < 3 or dice.random() < 0.15:
        lines = [(f"SKU-{n}", dice.randint(1, 3)) for n in range(dice.randint(1, 2))]
        split = [[(0, 1)], [(n, q - (n == 0)) for n, (_, q) in enumerate(lines) if q - (n == 0)]]
        world.place_order(lines, split=split if dice.random() < 0.3 and split[1] else None)
        return
    order = dice.choice(list(world.orders.values()))
    line_id = dice.choice(order.lines).line_id
    verbs: list[Callable[..., Any]] = [
        world.pack,
        world.ready,
        world.pick_up,
        world.pick_up,
        world.ship,
        world.deliver,
    ]
    parts: list[Callable[..., Any]] = [
        lambda *a: world.cancel(*a, quantity=1, by=dice.choice(["seller", "buyer", "marketplace"])),
        lambda *a: world.cancel(*a),
        lambda *a: world.cancel_in_transit(*a, quantity=1),
        lambda *a: world.courier_return(*a, quantity=1),
        lambda *a: world.customer_return(*a, quantity=1),
    ]
    try:
        if order.return_ids and dice.random() < 0.3:
            word = dice.choice(["completed", "cancelled", "rejected", "service_requested"])
            world.return_event(dice.choice(order.return_ids), word)
        else:
            dice.choice(verbs + parts)(order.order_id, line_id)
    except WorldError:
        return  # not possible at this moment: a person at the panel would be told so too


def _check(shop: FlipkartSimulator, notes: Notes) -> None:
    for line in shop.world.lines.values():
        states = Counter(piece.state.value for piece in line.pieces)
        assert notes.quantity[line.line_id] == len(line.pieces)
        assert notes.count(Status.CANCELLED, line.line_id) == states["CANCELLED"]
        assert notes.count(Status.DELIVERED, line.line_id) == states["DELIVERED"]
        left = len(line.pieces) - sum(
            states[word] for word in ("PLACED", "PACKED", "READY", "CANCELLED")
        )
        # What was cancelled in transit before anybody looked is told by its return alone.
        unseen = sum(1 for piece in line.pieces if piece.return_id)
        assert left - unseen <= notes.count(Status.DISPATCHED, line.line_id) <= left
    words = {"COMPLETED": Status.RETURNED}
    for back in shop.world.returns.values():
        told = notes.returns[back.return_id]
        ended = words.get(
            back.state.value,
            Status.RETURN_WITHDRAWN
            if back.state.value in ("CANCELLED", "REJECTED")
            else Status.RETURN_NOTICED,
        )
        assert ended in told


@pytest.mark.parametrize("parts", ["total", "each", "rest"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_told_is_what_happened(clock: HandClock, seed: int, parts: Any) -> None:
    dice = random.Random(seed)
    with FlipkartSimulator(new_world(clock, seed=seed), parts=parts) as shop:
        reader, notes, by_id = Reader(shop, page_size=3), Notes(), Notes()
        for _ in range(25):
            for _ in range(dice.randint(1, 4)):
                clock.advance(timedelta(seconds=dice.randint(1, 600)))
                before = len(shop.world.orders)
                _act(shop, dice)
                if len(shop.world.orders) > before:
                    notes.take(reader.read("orders", hours=2))
            for kind in KINDS[1:]:
                notes.take(reader.read(kind, hours=2))
        by_id.take(reader.read("orders", [OrderRef(order_id=one) for one in shop.world.orders]))
        by_id.quantity, by_id.facts = notes.quantity, notes.facts
        for kind in KINDS[1:]:
            by_id.take(reader.read(kind, notes.refs(), hours=24 * 9))
        assert shop.troubles == []
        _check(shop, notes)
        _check(shop, by_id)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_window_twice_is_the_same_list(
    shop: FlipkartSimulator, clock: HandClock, kind: str
) -> None:
    dice = random.Random(5)
    for _ in range(60):
        clock.advance(timedelta(minutes=3))
        _act(shop, dice)
    reader = Reader(shop, page_size=4)

    first = reader.read(kind)

    assert first
    assert reader.read(kind) == first


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_panel_gives_nothing(shop: FlipkartSimulator, kind: str) -> None:
    assert Reader(shop).read(kind) == []


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


def test_a_token_that_dies_on_each_page(shop: FlipkartSimulator) -> None:
    _picked_up(shop, 9)
    shop.faults.add(Fault(do="expire", path="*next_token*", times=1))

    changes = Reader(shop, page_size=3).read("dispatched")

    assert [change.sku for change in changes] == [f"SKU-{n}" for n in range(9)]
    posted = [one for one in shop.requests("/sellers/v3/") if one.method == "POST"]
    assert len(posted) == 1


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
