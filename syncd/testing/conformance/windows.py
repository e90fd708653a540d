"""Rules about the two questions: a window of time, or orders by their ids."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.hookspecs import ReadsBy
from syncd.statuses import Kind, OrderRef, Window
from syncd.testing.conformance.base import START, Base, Shop
from syncd.testing.conformance.journal import names
from syncd.testing.conformance.rows import order_ids
from syncd.testing.conformance.words import must, rule


class WindowRules(Base):
    """By window and by ids, nothing is missed at an edge and both agree."""

    @rule(
        "A window is half-open: what happens at its start is in; no second falls between two.",
        unless="by_date by_event",
    )
    def test_windows_are_half_open(self) -> None:
        plugin = self.load()
        if not plugin.reads_by(ReadsBy.WINDOW):
            return
        edge = START - timedelta(hours=1)
        before = edge - max(self.stamps, timedelta(seconds=1))
        for kind in self.kinds(plugin):
            with self.shop() as shop:
                on_edge = self._one(shop, kind, edge)
                just_before = self._one(shop, kind, before)
                shop.settle()
                reader, hour = shop.reader(), timedelta(hours=1)
                early = reader.read(kind, window=Window(edge - hour, edge))
                late = reader.read(kind, window=Window(edge, edge + hour))
                must(
                    on_edge in order_ids(late),
                    f"{kind}: what happened exactly at the start {edge} is not in the window.",
                    "Ask for `>= start`; round a start down, never up. If the panel excludes its "
                    "lower bound, ask from a moment earlier.",
                )
                must(
                    just_before in order_ids(early),
                    f"{kind}: what happened at {before} is not in the window that ends at {edge}.",
                    "Ask up to `end`; round an end up, never down.",
                )
                twice = [row for row in early if row.order_id == on_edge]
                again = set(names(late))
                must(
                    set(names(twice)) <= again,
                    f"{kind}: what happened at {edge} is in both windows as two facts.",
                    "Drop what is not before `end`, or let both have the same evidence.",
                )

    @rule(
        "A window may begin and end between two moments that the panel can name.",
        unless="by_date by_event",
    )
    def test_windows_end_between_two_stamps(self) -> None:
        plugin = self.load()
        if not plugin.reads_by(ReadsBy.WINDOW):
            return
        moment, half = START - timedelta(hours=1), self.stamps / 2
        for kind in self.kinds(plugin):
            with self.shop() as shop:
                order_id = self._one(shop, kind, moment)
                shop.settle()
                for edge, window in (
                    ("end", Window(moment - timedelta(hours=1), moment + half)),
                    ("start", Window(moment - half, moment + timedelta(hours=1))),
                ):
                    must(
                        order_id in order_ids(shop.reader().read(kind, window=window)),
                        f"{kind}: what happened at {moment} is not in {window}, whose {edge} is "
                        "nearest.",
                        "Round a start down and an end up, to what the panel can name.",
                    )

    def _one(self, shop: Shop, kind: Kind, at: datetime) -> str:
        order = shop.world.place_order(
            [(f"SKU-{at:%H%M%S}", 1)], at=at if kind is Kind.ORDERS else at - timedelta(hours=2)
        )
        self.happen(shop, kind, order, at)
        return order.order_id

    @rule("Two windows that follow each other tell what one window over both tells.")
    def test_windows_add_up(self) -> None:
        plugin = self.load()
        if not plugin.reads_by(ReadsBy.WINDOW):
            return
        for kind in self.kinds(plugin):
            with self.shop() as shop:
                self.fill(shop, kind, 8)
                reader = shop.reader()
                reader.learn(list(shop.world.orders))
                whole = reader.window()
                middle = START - timedelta(minutes=16)
                parts = reader.read(kind, window=Window(whole.start, middle))
                parts += reader.read(kind, window=Window(middle, whole.end))
                rows = reader.read(kind, window=whole)
                must(
                    set(names(rows)) == set(names(parts)),
                    f"{kind}: only in one window {sorted(set(names(rows)) - set(names(parts)))[:2]}"
                    f", only in two {sorted(set(names(parts)) - set(names(rows)))[:2]}.",
                    "Neither evidence nor fields may depend on the window that was asked for.",
                )

    @rule("By ids tells the same facts as by window, of these orders and no others.")
    def test_by_ids_equals_by_window(self) -> None:
        plugin = self.load()
        if not {ReadsBy.WINDOW, ReadsBy.ORDERS} <= plugin.channel.reads_by:
            return
        for kind in self.kinds(plugin):
            with self.shop() as shop:
                orders = self.fill(shop, kind, 9)
                reader = shop.reader()
                reader.learn([order.order_id for order in orders])
                chosen = [order.order_id for order in orders[::2]]
                window = reader.window()
                by_window = [
                    row for row in reader.read(kind, window=window) if row.order_id in chosen
                ]
                by_ids = reader.read(kind, reader.refs(chosen), window)
                must(
                    order_ids(by_ids, readable=False) <= set(chosen),
                    f"{kind}: asked for {chosen}, told of others too: {order_ids(by_ids)}.",
                    "With `orders` given, yield rows of these orders only.",
                )
                must(
                    set(names(by_ids)) == set(names(by_window)),
                    f"{kind}: only by ids {sorted(set(names(by_ids)) - set(names(by_window)))[:2]}"
                    f", only by window {sorted(set(names(by_window)) - set(names(by_ids)))[:2]}.",
                    "Make the same fields and the same evidence from both answers. If the panel "
                    "cannot answer one of the two questions, say so in reads_by.",
                )

    @rule("By ids, an order to which nothing happened yet, or that is unknown, gives no fact.")
    def test_by_ids_nothing_is_made_up(self) -> None:
        plugin = self.load()
        if not plugin.reads_by(ReadsBy.ORDERS):
            return
        with self.shop() as shop:
            order = shop.world.place_order([("SKU-1", 1)], at=START - timedelta(hours=1))
            shop.settle()
            reader = shop.reader()
            reader.learn([order.order_id])
            stranger = shop.world.ids.order_id(999)
            for kind in plugin.kinds:
                if kind is Kind.ORDERS:
                    continue
                orders = reader.refs([order.order_id])
                rows = reader.read(kind, orders)
                must(not rows, f"{kind}: {rows[:1]}", "Report what the panel says, no more.")
            if Kind.ORDERS in plugin.kinds:
                rows = reader.read(Kind.ORDERS, [OrderRef(order_id=stranger)])
                must(
                    stranger not in order_ids(rows),
                    f"An order that the panel does not know was told: {rows[:1]}",
                    "Yield nothing for an order that the panel does not know.",
                )
