"""The rule of rules: what a plugin told in passes, read over, is what happened at the panel.

Hypothesis makes up histories of the shared world. Between the events the plugin is asked as the
core would ask it, window after window. At the end the neutral reader of
:mod:`syncd.testing.conformance.journal` must know how far each piece has come.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from syncd.hookspecs import ReadsBy
from syncd.statuses import Kind, OrderRef, ReturnType, Status, Window
from syncd.testing.conformance.base import START, Base, Shop
from syncd.testing.conformance.journal import Journal, Returns, SkuKey
from syncd.testing.conformance.reading import Reader
from syncd.testing.conformance.words import fail, must, rule
from syncd.testing.things import AT_BUYER, AT_SELLER, Line, LineSpec, Order, State, WorldError

Step = tuple[int, int, int, int]
Seen = dict[tuple[str, SkuKey], set[int]]  # by word and SKU, the numbers of the pieces

FIRST: Final[Step] = (0, 0, 0, 1)
MOST: Final = 3  # orders of one seller: few, so that much befalls each
MORE: Final = "SYNCD_HISTORIES"
"""Name of the environment variable that asks for so many new histories, for a hunt."""


class Told:
    """One seller's account: its reader, what it was told, what its panel showed when it asked."""

    def __init__(self, shop: Shop, seller_id: str) -> None:
        self.shop = shop
        self.seller_id = seller_id
        self.reader: Reader = shop.reader(seller_id)
        self.journal = Journal()
        self.seen: Seen = {}
        self._until = START - timedelta(hours=1)

    def orders(self) -> list[Order]:
        """This seller's orders."""
        every = self.shop.world.orders.values()
        return [order for order in every if order.seller_id == self.seller_id]

    def ask(self, kinds: Sequence[Kind]) -> None:
        """A pass, as the core makes it: from an overlap before the last one until now."""
        self.shop.settle()
        end = self.shop.clock.now() - self.shop.plugin.channel.safety_lag
        window = Window(self._until - self.shop.plugin.channel.overlap, end)
        for kind in kinds:
            self._take(kind, self.reader.read(kind, self._orders(kind), window), self.journal)
        if list(kinds) == list(self.shop.plugin.kinds):
            self._until = end
            look(self.orders(), self.shop, self.seen)

    def _orders(self, kind: Kind) -> list[OrderRef]:
        if self.shop.plugin.reads_by(ReadsBy.WINDOW):
            return []
        ids = [order.order_id for order in self.orders()]
        if kind is Kind.ORDERS:
            return [OrderRef(order_id=one) for one in ids]
        return self.reader.refs(ids)

    def by_ids(self) -> Told:
        """What a fresh reader is told of all orders, asked by their ids."""
        other = Told(self.shop, self.seller_id)
        ids = [order.order_id for order in self.orders()]
        other.reader.known = dict(self.reader.known)
        other.journal.take(Kind.ORDERS, self.journal.orders.values())
        now = self.shop.clock.now()
        window = Window(START - timedelta(days=1), now - self.shop.plugin.channel.safety_lag)
        for kind in self.shop.plugin.kinds:
            if kind is not Kind.ORDERS:
                rows = self.reader.read(kind, self.reader.refs(ids), window)
                self._take(kind, rows, other.journal)
        look(self.orders(), self.shop, other.seen)
        return other

    def _take(self, kind: Kind, rows: list[Any], journal: Journal) -> None:
        own = {order.order_id for order in self.orders()}
        for row in rows:
            must(
                not row.problem,
                f"{kind}: a row of its own simulator could not be read: {row}",
                "Put each word of the panel into the table, and read what the panel really sends.",
            )
            must(
                row.order_id in own,
                f"{kind}: the order {row.order_id!r} is not one of {self.seller_id}'s.",
                "Ask with the account that was handed in.",
            )
        journal.take(kind, rows)


def look(orders: Sequence[Order], shop: Shop, seen: Seen) -> None:
    """Note which pieces the panel shows in which word at this moment."""
    for order in orders:
        for line in order.lines:
            for piece in line.pieces:
                key = shop.world.word(piece), (order.order_id, line.sku)
                seen.setdefault(key, set()).add(piece.number)


class HistoryRules(Base):
    """Whatever happens, it is told."""

    @rule("What a plugin tells in passes is what happened, for any history.")
    def test_what_is_told_is_what_happened(self) -> None:
        try:
            from hypothesis import HealthCheck, Phase, given, settings, strategies as st
        except ImportError:
            fail(
                "hypothesis is not installed.", "Install it with the kit: the extra `kit` of syncd."
            )

        wish = os.environ.get(MORE, "")
        must(
            wish == "" or wish.isdecimal(),
            f"{MORE} in the environment is {wish!r}.",
            "Give a number of histories, as in SYNCD_HISTORIES=500, or take it away.",
        )
        fresh = int(wish or 0)
        small = st.integers(0, 11)
        step = st.tuples(st.integers(0, 30), small, small, st.integers(1, 5))
        phases = [Phase.generate, *([Phase.shrink] if self.shrink else [])]

        @settings(
            max_examples=fresh or self.examples,
            deadline=None,
            database=None,
            derandomize=not fresh,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(step, min_size=8, max_size=32), st.booleans())
        def tell(steps: list[Step], two: bool) -> None:
            self.live(steps, 2 if two and "sellers" not in self.cannot else 1)

        tell()

    def live(self, steps: Sequence[Step], sellers: int = 1) -> None:
        """Let this history happen, ask between its steps and at its end, and compare."""
        with self.shop(sellers=sellers) as shop:
            accounts = [Told(shop, seller) for seller in shop.sellers]
            for number, step in enumerate([FIRST, *steps]):
                shop.clock.advance(timedelta(seconds=20 * step[3]))
                account = accounts[number % len(accounts)]
                if not account.orders() or (step[0] <= 4 and len(account.orders()) < MOST):
                    self._place(account, step)
                    account.ask([kind for kind in shop.plugin.kinds if kind is Kind.ORDERS])
                else:
                    self._act(account, step)
                if step[3] >= 4:
                    account.ask(shop.plugin.kinds)
            for account in accounts:
                account.ask(shop.plugin.kinds)
                check(shop, account, "in passes")
                if shop.plugin.reads_by(ReadsBy.ORDERS):
                    check(shop, account.by_ids(), "by ids")

    def _place(self, account: Told, step: Step) -> None:
        world, (shape, one, other, _) = account.shop.world, step
        most = 1 if "quantities" in self.cannot else 3
        lines = 1 if "lines" in self.cannot else 1 + shape % 2
        counts = [1 + (one + n * other) % most for n in range(lines)]
        specs = [LineSpec(sku=f"SKU-{n}", quantity=count) for n, count in enumerate(counts)]
        rest = [(n, count - (n == 0)) for n, count in enumerate(counts) if count - (n == 0)]
        split = [[(0, 1)], rest] if rest and other % 4 == 0 and "split" not in self.cannot else None
        by_seller = one == 11 and "seller_ships" not in self.cannot
        order = world.place_order(
            specs,
            seller_id=account.seller_id,
            split=split,
            ships_by="seller" if by_seller else "channel",
        )
        if Kind.ORDERS not in account.shop.plugin.kinds:
            for line in order.lines:
                account.journal.know(order.order_id, line.line_id, line.sku, len(line.pieces))

    def _act(self, account: Told, step: Step) -> None:
        """Something happens at the panel: the chosen deed, or the next one that is possible."""
        orders = account.orders()
        order = orders[step[1] % len(orders)]
        line = order.lines[step[2] % len(order.lines)]
        deeds = self._deeds(account.shop, order, line, step)
        first = step[0] % len(deeds)
        for deed in (*deeds[first:], *deeds[:first]):
            with suppress(WorldError):  # a person at the panel would be told so too
                deed()
                return

    def _deeds(
        self, shop: Shop, order: Order, line: Line, step: Step
    ) -> list[Callable[[], object]]:
        whole = "whole" in self.cannot
        world, at = shop.world, (order.order_id, "" if whole else line.line_id)
        some = None if whole or "parts" in self.cannot else 1 + step[2] % 2
        by = ("seller", "buyer", "marketplace")[step[1] % 3]
        back = order.return_ids[step[2] % len(order.return_ids)] if order.return_ids else ""
        deeds: dict[str, list[Callable[[], object]]] = {
            "pack": [lambda: world.pack(*at)],
            "ready": [lambda: world.ready(*at)],
            "pick_up": [lambda: world.pick_up(*at), lambda: world.pick_up(*at)],
            "ship": [lambda: world.ship(*at, quantity=some), lambda: world.ship(*at)],
            "deliver": [lambda: world.deliver(*at), lambda: world.deliver(*at, quantity=some)],
            "cancel": [
                lambda: world.cancel(*at, quantity=some, by=by),  # type: ignore[arg-type]
                lambda: world.cancel(*at),
            ],
            "cancel_in_transit": [lambda: world.cancel_in_transit(*at, quantity=some)],
            "courier_return": [lambda: world.courier_return(*at, quantity=some)],
            "customer_return": [lambda: world.customer_return(*at, quantity=some)],
            "completed": [lambda: world.return_event(back, "completed")],
            "withdraw": [lambda: world.return_event(back, "cancelled")],
            "lost": [lambda: world.lost(*at)],
        }
        if not shop.plugin.can_tell(Status.LOST):
            deeds.pop("lost")
        if "pick_up" in self.cannot:
            deeds["ship"] = [lambda: world.ship(*at)]
        return [one for word, some in deeds.items() if word not in self.cannot for one in some]


def check(shop: Shop, account: Told, how: str) -> None:
    """Compare what one account was told with the truth. Raises Broken with the history."""
    lines = {(order.order_id, line.sku): line for order in account.orders() for line in order.lines}
    sizes = {key: len(line.pieces) for key, line in lines.items()}
    _check_orders(shop, account, sizes, how)
    for status in (Status.CANCELLED, Status.DISPATCHED, Status.DELIVERED, Status.LOST):
        if not shop.plugin.can_tell(status):
            continue
        counts = account.journal.count(status, sizes)
        for key, line in lines.items():
            least = len(account.seen.get((status.value, key), ()))
            most = sum(_was(status, piece.state) for piece in line.pieces)
            told = counts.get(key, 0)
            if status is Status.DISPATCHED:
                told = min(told, most) if _whole(account, key) else told
            if not least <= told <= most:
                _differ(shop, key, how, f"{least} to {most} pieces {status}, told were {told}")
    for kind in ReturnType:
        _check_returns(shop, account, kind, sizes, how)


def _was(status: Status, state: State) -> bool:
    if status is Status.DISPATCHED:
        return state not in AT_SELLER and state is not State.CANCELLED
    if status is Status.DELIVERED:
        return state in AT_BUYER
    return state.value == status.value


def _whole(account: Told, key: SkuKey) -> bool:
    """Whether «every piece of the line» was said: then cancelled ones are not meant."""
    rows = account.journal.rows(Status.DISPATCHED)
    return any(row.quantity is None and row.order_id == key[0] for row in rows)


def _check_orders(shop: Shop, account: Told, sizes: dict[SkuKey, int], how: str) -> None:
    if Kind.ORDERS not in shop.plugin.kinds:
        return
    told = account.journal.ordered()
    for key in {*sizes, *told}:
        if told.get(key) != sizes.get(key):
            _differ(
                shop, key, how, f"{sizes.get(key)} pieces were ordered, told were {told.get(key)}"
            )


def _check_returns(
    shop: Shop, account: Told, kind: ReturnType, sizes: dict[SkuKey, int], how: str
) -> None:
    told: Returns = account.journal.returns(kind, sizes)
    every: Counter[SkuKey] = Counter()
    for back in shop.world.returns.values():
        if back.kind is kind:
            every[back.order_id, shop.world.lines[back.line_id].sku] += len(back.pieces)
    truth = {
        (order.order_id, line.sku): Counter(shop.world.word(piece) for piece in line.pieces)
        for order in account.orders()
        for line in order.lines
    }
    for key, words in truth.items():
        noticed = told.noticed.get(key, 0)
        least = len(account.seen.get((f"RETURN_NOTICED_{kind}", key), ()))
        if shop.plugin.can_tell(Status.RETURN_NOTICED) and not least <= noticed <= every[key]:
            _differ(
                shop, key, how, f"{least} to {every[key]} pieces of {kind}s, noticed were {noticed}"
            )
        returned, wanted = told.returned.get(key, 0), words[f"RETURNED_{kind}"]
        if shop.plugin.can_tell(Status.RETURNED) and returned != wanted:
            _differ(shop, key, how, f"{wanted} pieces came back ({kind}), told were {returned}")
        still, wanted = told.open.get(key, 0), words[f"RETURN_NOTICED_{kind}"]
        closes = shop.plugin.can_tell(Status.RETURN_WITHDRAWN)
        if key in told.named and closes and still != wanted:
            _differ(shop, key, how, f"{wanted} pieces are on their way back, told were {still}")


def _differ(shop: Shop, key: SkuKey, how: str, what: str) -> None:
    events = [event for event in shop.world.history if event.order_id == key[0]]
    story = "; ".join(
        f"{_clock(event.at)} {event.word} {shop.world.lines[event.line_id].sku} {event.pieces}"
        for event in events
    )
    fail(
        f"{how}, order {key[0]}, {key[1]}: {what}. What happened: {story}.",
        "Look how the panel shows that history. What it cannot show at all belongs into `cannot` "
        "or out of Channel.statuses.",
    )


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"
