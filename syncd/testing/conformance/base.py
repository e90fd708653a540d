"""What every group of rules stands on: the knobs, and a shop to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from syncd.clock import HandClock
from syncd.panel import Limits
from syncd.statuses import Kind, Status
from syncd.testing.conformance.reading import LIMITS, NO_SETTINGS, Plugin, Reader
from syncd.testing.conformance.words import CANNOT, must
from syncd.testing.simulator import Simulator
from syncd.testing.things import LineSpec, Order
from syncd.testing.world import World

START: Final = datetime(2026, 11, 20, 18, 40, tzinfo=UTC)
"""Ten minutes after midnight in India: what happens in the half hour before is on two days."""

SPREAD: Final = timedelta(minutes=30)


class Shop:
    """A simulator that serves, its world, its clock, and readers of its sellers."""

    def __init__(
        self, plugin: Plugin, server: Simulator, clock: HandClock, settings: Mapping[str, Any]
    ) -> None:
        self.plugin = plugin
        self.server = server
        self.clock = clock
        self.world: World = server.world
        self.sellers = list(self.world.sellers)
        self._settings = settings
        self._published = -1

    def reader(self, seller_id: str = "", *, limits: Limits = LIMITS, **more: Any) -> Reader:
        """One account of a seller, the first one unless named."""
        settings = {**self.server.settings(seller_id), **self._settings, **more}
        name = f"shop-{seller_id}" if seller_id else "shop"
        return Reader(
            self.plugin,
            self.server,
            self.clock,
            settings,
            name=name,
            seller_id=seller_id,
            limits=limits,
        )

    def settle(self) -> None:
        """Let so much time pass that all that happened may be asked about.

        Where people make report files, they make them now, if something has happened.
        """
        if self._published != self.world.version:
            self._published = self.world.version
            self.server.publish()
        self.clock.advance(self.plugin.channel.safety_lag + timedelta(minutes=1))

    def at(self, moment: datetime) -> None:
        """Move the clock on to this moment."""
        self.clock.advance(max(timedelta(0), moment - self.clock.now()))


class Base:
    """The knobs of a test class, each with a default that is safe for most panels."""

    channel: ClassVar[str] = ""
    """The name of the installed entry point; the plugin is loaded from it."""
    plugin: ClassVar[object | None] = None
    """The plugin itself (a module or an object), where it is not installed."""
    simulator: ClassVar[type[Simulator] | None] = None
    """The simulator of the panel. Without it only the rules that need none are checked."""
    recorded: ClassVar[Path | None] = None
    """A folder of recorded cases, see :mod:`syncd.testing.conformance.recorded`."""
    settings: ClassVar[Mapping[str, Any]] = NO_SETTINGS
    """Laid over the simulator's settings; make pages small here."""
    many: ClassVar[int] = 24
    """So many orders make at least three pages of every list."""
    cannot: ClassVar[frozenset[str]] = frozenset()
    """What this panel cannot do or show: words of :data:`CANNOT`."""
    stamps: ClassVar[timedelta] = timedelta(seconds=1)
    """How exact the panel's times are."""
    undated: ClassVar[frozenset[Kind]] = frozenset()
    """Kinds whose rows the panel does not date; other rows show its times."""
    garbles: ClassVar[tuple[str, ...]] = ('{"broken":true}', "null", "17", '"text"', "[]")
    """What a simulator is asked to put in place of a row."""
    examples: ClassVar[int] = 40
    """How many histories are tried, the same each time. With ``SYNCD_HISTORIES=500`` in the
    environment it is so many new ones."""
    shrink: ClassVar[bool] = True
    """Whether a history that fails is made as short as can be."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        odd = sorted(set(cls.cannot) - set(CANNOT))
        if odd:
            raise TypeError(f"{cls.__name__}.cannot: {odd} mean nothing; there are {list(CANNOT)}")
        if not cls.channel and cls.plugin is None:
            return  # a part of the suite, not yet about a plugin
        for name, test in _rules_of(cls).items():
            lacks = test.needs != "plugin" and not getattr(cls, test.needs)
            if test.unless & cls.cannot or lacks:
                setattr(cls, name, None)  # not collected: it says nothing about this panel
            elif getattr(cls, name) is None:
                setattr(cls, name, test)  # left out by the class above only

    # What the rules use -------------------------------------------------------------------------

    def load(self) -> Plugin:
        """The plugin, with its hooks checked as the core checks them."""
        return Plugin(self.channel, self.plugin)

    @contextmanager
    def shop(self, *, sellers: int = 1, seed: int = 0) -> Iterator[Shop]:
        """A simulator that serves until the end of the block."""
        plugin = self.load()
        simulator = self.simulator
        assert simulator is not None
        clock = HandClock(START)
        world = simulator.new_world(clock, seed=seed)
        for number in range(2, sellers + 1):
            world.add_seller(f"seller-{number}", [f"location-{number}"])
        with simulator.over(world, clock) as server:
            shop = Shop(plugin, server, clock, self.settings)
            yield shop
            must(
                not server.troubles,
                f"The simulator made a mistake: {''.join(server.troubles[:1])}",
                "Mend the simulator; a rule says nothing while its panel is broken.",
            )

    def kinds(self, plugin: Plugin) -> list[Kind]:
        """The kinds whose main word the panel can show."""
        return [kind for kind in plugin.kinds if self.main_word(plugin, kind) is not None]

    def main_word(self, plugin: Plugin, kind: Kind) -> Status | str | None:
        """The status that ``fill`` brings about for this kind; None where it cannot be shown."""
        if kind is Kind.ORDERS:
            return "order"
        if kind is Kind.RETURNS and {"courier_return", "customer_return"} <= self.cannot:
            return None
        wanted = {
            Kind.DISPATCHED: (Status.DISPATCHED,),
            Kind.DELIVERED: () if "deliver" in self.cannot else (Status.DELIVERED,),
            Kind.CANCELLED: () if "cancel" in self.cannot else (Status.CANCELLED,),
            Kind.RETURNS: (Status.RETURN_NOTICED, Status.RETURNED),
        }[kind]
        return next((one for one in wanted if plugin.can_tell(one, kind)), None)

    def fill(self, shop: Shop, kind: Kind, count: int, seller_id: str = "") -> list[Order]:
        """Let the same thing happen to so many orders, spread over the last half hour."""
        now, step = shop.clock.now(), SPREAD / max(1, count)
        lines = 1 if "lines" in self.cannot else 2
        orders = []
        for n in range(count):
            at = (now - SPREAD + step * n).replace(microsecond=0)
            placed = at if kind is Kind.ORDERS else at - timedelta(hours=1)
            specs = [LineSpec(sku=f"SKU-{n}-{i}") for i in range(lines if n % 3 == 0 else 1)]
            order = shop.world.place_order(specs, seller_id=seller_id, at=placed)
            self.happen(shop, kind, order, at)
            orders.append(order)
        shop.settle()
        return orders

    def happen(self, shop: Shop, kind: Kind, order: Order, at: datetime, line_id: str = "") -> None:
        """Bring about the main word of a kind for one order, or a line of it, at this time."""
        world, before = shop.world, at - timedelta(minutes=10)
        one = order.order_id, "" if "whole" in self.cannot else line_id
        forward = world.ship if "pick_up" in self.cannot else world.pick_up
        if kind is Kind.DISPATCHED:
            forward(*one, at=at)
        elif kind is Kind.DELIVERED:
            forward(*one, at=before)
            world.deliver(*one, at=at)
        elif kind is Kind.CANCELLED:
            world.cancel(*one, at=at)
        elif kind is Kind.RETURNS:
            self._come_back(shop, one, before, at)

    def _come_back(self, shop: Shop, one: tuple[str, str], before: datetime, at: datetime) -> None:
        world = shop.world
        world.ship(*one, at=before)
        open_shown = shop.plugin.can_tell(Status.RETURN_NOTICED, Kind.RETURNS)
        if "courier_return" in self.cannot:
            world.deliver(*one, at=before)
            backs = world.customer_return(*one, at=at if open_shown else before)
        else:
            backs = world.courier_return(*one, at=at if open_shown else before)
        if not open_shown:
            for back in backs:
                world.return_event(back.return_id, "completed", at=at)


def _rules_of(suite: type) -> dict[str, Any]:
    """The tests of a suite by name, those too that a class above has left out."""
    found: dict[str, Any] = {}
    for one in suite.__mro__:
        for name, test in vars(one).items():
            if name.startswith("test_") and hasattr(test, "needs"):
                found.setdefault(name, test)
    return found
