"""A plugin as the core would load it, and one account of it that reads a simulator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final

import pluggy

from syncd.clock import Clock, HandClock
from syncd.hookspecs import (
    ENTRY_POINT_GROUP,
    PROJECT,
    Channel,
    ChannelHooks,
    Pace,
    ReadsBy,
)
from syncd.panel import Limits, Panel
from syncd.statuses import (
    NO_FACTS,
    STATUSES_OF,
    Account,
    Kind,
    NewOrder,
    OrderRef,
    Page,
    Status,
    StatusChange,
    Window,
)
from syncd.testing.conformance.words import Broken, must
from syncd.testing.memory import DictMemory
from syncd.testing.panel_server import PanelServer
from syncd.testing.world import World
from syncd.tokens import MemoryTokens

NO_SETTINGS: Final[Mapping[str, Any]] = MappingProxyType({})
FAST: Final = Pace(per_second=100_000, burst=1_000)
LIMITS: Final = Limits(connect=2.0, read=5.0, total=10.0, max_bytes=4 << 20)


class Plugin:
    """A channel's hooks, called as the core calls them."""

    def __init__(self, name: str, target: object | None) -> None:
        self.name = name
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(ChannelHooks)
        manager.register(_installed(name) if target is None else target, name or "plugin")
        manager.check_pending()
        self.hooks: Any = manager.hook
        described = self.hooks.describe_channel()
        must(
            isinstance(described, Channel),
            f"describe_channel returned {type(described).__name__}.",
            "Return a syncd.Channel, and mark the hook with @hookimpl.",
        )
        self.channel: Channel = described
        self.kinds = [kind for kind in Kind if self.has(f"fetch_{kind.value}")]
        self.gates = self.has("provides_shipping")

    def has(self, hook: str) -> bool:
        """Whether the plugin has this hook."""
        return bool(getattr(self.hooks, hook).get_hookimpls())

    def can_tell(self, status: Status, kind: Kind | None = None) -> bool:
        """Whether a hook (of this kind, or any) may report the status at all."""
        said = self.channel.statuses
        kinds = self.kinds if kind is None else [kind]
        return (not said or status in said) and any(status in STATUSES_OF[one] for one in kinds)

    def reads_by(self, how: ReadsBy) -> bool:
        """Whether the panel can be asked so."""
        return how in self.channel.reads_by


def _installed(name: str) -> object:
    found = [one for one in entry_points(group=ENTRY_POINT_GROUP) if one.name == name]
    if not found:
        raise Broken(
            f"No installed distribution has an entry point {name!r} in {ENTRY_POINT_GROUP}.",
            "Install the plugin (pip install -e .), or set `plugin` to its module.",
        )
    return found[0].load()


class Reader:
    """One account of a plugin: its settings, tokens, memory and panel client."""

    def __init__(
        self,
        plugin: Plugin,
        server: PanelServer,
        clock: HandClock,
        settings: Mapping[str, Any],
        *,
        name: str = "shop",
        seller_id: str = "",
        limits: Limits = LIMITS,
    ) -> None:
        self.plugin = plugin
        self.clock = clock
        self.world: World = server.world
        self.seller_id = seller_id or next(iter(self.world.sellers))
        self.tokens = MemoryTokens()
        self.memory = DictMemory(clock)
        self.told: list[tuple[str, Mapping[str, Any]]] = []  # what the client wrote into its log
        self.known: dict[str, NewOrder] = {}
        self._server = server
        self._limits = limits
        model = plugin.channel.settings.model_validate(dict(settings))
        self.account = Account(name=name, channel=plugin.name, settings=model)
        self.panel = self.new_panel()

    def new_panel(self, limits: Limits | None = None, clock: Clock | None = None) -> Panel:
        """A client as a fresh process would make it, over the same tokens."""
        self.panel = Panel(
            self.account.settings.base_url,
            account=self.account.name,
            clock=clock or self.clock,
            tokens=self.tokens,
            paces=dict.fromkeys(("default", *self.plugin.channel.paces), FAST),
            limits=limits or self._limits,
            jitter=lambda: 0.0,
            log=lambda event, **fields: self.told.append((event, fields)),
        )
        return self.panel

    # How it is asked --------------------------------------------------------------------------

    def window(self, span: timedelta = timedelta(hours=2)) -> Window:
        """The last hours, as far as the panel may be asked about."""
        end = self.clock.now() - self.plugin.channel.safety_lag
        return Window(end - span, end)

    def ref(self, order_id: str) -> OrderRef:
        """An order as the book would know it: by what the orders hook told, else by the world."""
        new = self.known.get(order_id)
        if new is not None:
            lines = tuple(line.line_id for line in new.lines)
            return OrderRef(
                order_id=order_id, line_ids=lines, location_id=new.location_id, facts=new.facts
            )
        if Kind.ORDERS in self.plugin.kinds:
            return OrderRef(order_id=order_id)
        order = self.world.order(order_id)
        lines = tuple(line.line_id for line in order.lines)
        return OrderRef(order_id=order_id, line_ids=lines, location_id=order.location_id)

    def own_orders(self) -> list[str]:
        """The ids of the seller's orders."""
        every = self.world.orders.values()
        return [order.order_id for order in every if order.seller_id == self.seller_id]

    def refs(self, order_ids: Iterable[str]) -> list[OrderRef]:
        """These orders as the book would know them."""
        return [self.ref(order_id) for order_id in order_ids]

    def learn(self, order_ids: Sequence[str]) -> None:
        """Let the orders hook, if there is one, tell these orders, as the core does."""
        if Kind.ORDERS not in self.plugin.kinds:
            return
        if self.plugin.reads_by(ReadsBy.ORDERS):
            self.read(Kind.ORDERS, [OrderRef(order_id=one) for one in order_ids])
        else:
            self.read(Kind.ORDERS, window=self.window(timedelta(days=1)))

    def pages(
        self, kind: Kind, orders: Sequence[OrderRef] = (), window: Window | None = None
    ) -> Iterator[Page[Any]]:
        """The pages of a hook. A panel that answers no window is asked for all orders instead."""
        window = window or self.window()
        by_window = self.plugin.reads_by(ReadsBy.WINDOW) or kind in self.plugin.channel.window_only
        if not orders and not by_window:
            orders = self.refs(self.own_orders())
            if not orders:
                return
        if not orders:
            for step in _steps(window, self.plugin.channel.longest_window):
                yield from self._call(kind, (), step)
            return
        size = max(1, self.plugin.channel.orders_per_call)
        for start in range(0, len(orders), size):
            yield from self._call(kind, orders[start : start + size], window)

    def _call(self, kind: Kind, orders: Sequence[OrderRef], window: Window) -> Iterator[Page[Any]]:
        hook = getattr(self.plugin.hooks, f"fetch_{kind.value}")
        pages = hook(
            account=self.account,
            window=window,
            orders=orders,
            panel=self.panel,
            memory=self.memory,
        )
        for page in pages:
            if kind is Kind.ORDERS and isinstance(page, Page):
                self._note(page.rows)
            yield page

    def _note(self, rows: Sequence[Any]) -> None:
        for row in rows:
            if isinstance(row, NewOrder) and not row.problem:
                old = self.known.get(row.order_id)
                self.known[row.order_id] = row if old is None else _merged(old, row)

    def read(
        self, kind: Kind, orders: Sequence[OrderRef] = (), window: Window | None = None
    ) -> list[Any]:
        """Every row that a hook yields."""
        return [row for page in self.pages(kind, orders, window) for row in page.rows]

    def asked(self) -> int:
        """How many requests the panel has had so far."""
        return len(self._server.log)

    def ships(self, row: StatusChange) -> Any:
        """What ``provides_shipping`` says of the parcel of this change."""
        facts = {**self.ref(row.order_id).facts, **row.facts}
        order = OrderRef(
            order_id=row.order_id,
            line_ids=(row.line_id,) if row.line_id else (),
            shipment_ids=(row.shipment_id,) if row.shipment_id else (),
            location_id=row.location_id,
            facts=facts or NO_FACTS,
        )
        return self.plugin.hooks.provides_shipping(account=self.account, order=order)


def _merged(old: NewOrder, new: NewOrder) -> NewOrder:
    """An order told in parts, by location or page: all its lines, and the facts it came with."""
    lines = {line.line_id: line for line in (*old.lines, *new.lines)}
    return NewOrder(
        order_id=old.order_id,
        placed_at=old.placed_at,
        lines=tuple(lines.values()),
        location_id=old.location_id,
        facts={**new.facts, **old.facts},
    )


def _steps(window: Window, longest: timedelta) -> Iterator[Window]:
    start: datetime = window.start
    while start < window.end:
        end = min(window.end, start + longest)
        yield Window(start, end)
        start = end
