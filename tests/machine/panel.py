"""A small panel: pieces of orders with lawful fates, what it tells of them, and when.

Its clock is the true one. What is told has the time at which it happened and the time at which
the panel first shows it; a delay between the two is how facts come late and out of order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from msgspec import structs

from syncd.hookspecs import Channel, ReadsBy, Settings, hookimpl
from syncd.statuses import (
    STATUSES_OF,
    Kind,
    NewOrder,
    OrderLine,
    OrderRef,
    Page,
    ReturnType,
    Status,
    StatusChange,
    Window,
)

RTO, CIR = ReturnType.RTO, ReturnType.CIR
MINUTE = timedelta(minutes=1)
OWN = {"ships": "seller"}

FATES: dict[str, tuple[str, str, Status, ReturnType | None]] = {
    # act: from, to, what is told, of which return
    "deliver": ("DISPATCHED", "DELIVERED", Status.DELIVERED, None),
    "attempt": ("DISPATCHED", "DISPATCHED", Status.UNDELIVERED, None),
    "rto": ("DISPATCHED", "RETURN_NOTICED_RTO", Status.RETURN_NOTICED, RTO),
    "rto back": ("RETURN_NOTICED_RTO", "RETURNED_RTO", Status.RETURNED, RTO),
    "rto withdrawn": ("RETURN_NOTICED_RTO", "DISPATCHED", Status.RETURN_WITHDRAWN, RTO),
    "cir": ("DELIVERED", "RETURN_NOTICED_CIR", Status.RETURN_NOTICED, CIR),
    "cir back": ("RETURN_NOTICED_CIR", "RETURNED_CIR", Status.RETURNED, CIR),
    "cir withdrawn": ("RETURN_NOTICED_CIR", "DELIVERED", Status.RETURN_WITHDRAWN, CIR),
    "lose": ("DISPATCHED", "LOST", Status.LOST, None),
    "lose on the way back": ("RETURN_NOTICED_RTO", "LOST", Status.LOST, None),
}
"""What may become of a parcel that has left. A new kind of fate is one line here."""


class PanelPiece:
    """One unit of a line (a whole bundle, where the line is one)."""

    def __init__(self) -> None:
        self.state = "OPEN"
        self.parcel = ""
        self.return_id = ""
        self.returns = 0


class PanelOrder:
    """An order at the panel. ``spoilt``: something untrue was told of it, or done to it here.

    ``own``: the seller ships it, and what the channel says of its way is an echo.
    """

    def __init__(self, new: NewOrder) -> None:
        self.new = new
        self.own = new.facts == OWN
        self.lines = {
            line.line_id: [PanelPiece() for _ in range(line.quantity)] for line in new.lines
        }
        self.spoilt = False
        self.whole_at = new.placed_at  # from when on all of it is told

    def truth(self) -> dict[str, Counter[str]]:
        """Pieces by state, for each line; a bundle counts as its components."""
        size = {line.line_id: max(1, len(line.components)) for line in self.new.lines}
        return {
            line_id: Counter(
                {s: n * size[line_id] for s, n in Counter(p.state for p in ps).items()}
            )
            for line_id, ps in self.lines.items()
        }


class Told:
    """A row of the panel, and from when on it shows it."""

    def __init__(self, row: Any, kind: Kind, shown_at: datetime) -> None:
        self.row, self.kind, self.shown_at = row, kind, shown_at


class ToyPanel:
    """The orders of one account, and the channel plugin that reads them."""

    channel = "toy"
    reads_by = frozenset(ReadsBy)

    def __init__(self, name: str, now: datetime) -> None:
        self.name = name
        self.now = now
        self.orders: dict[str, PanelOrder] = {}
        self.told: list[Told] = []
        self.page_size = 2
        self.fails: tuple[Kind, int, Exception] | None = None
        self._numbers = count(1)

    # --- what happens

    def moment(self) -> datetime:
        """The next moment, a second later than the last."""
        self.now += timedelta(seconds=1)
        return self.now

    def place(
        self,
        lines: Sequence[OrderLine],
        location: str,
        delay: timedelta,
        *,
        own: bool = False,
        later: timedelta = timedelta(0),
    ) -> PanelOrder:
        """A new order. With ``later`` a part of it is told first, and all of it so much later."""
        new = NewOrder(
            order_id=f"OD{next(self._numbers)}", placed_at=self.moment(), lines=tuple(lines),
            location_id=location, facts=OWN if own else {},
        )  # fmt: skip
        order = self.orders[new.order_id] = PanelOrder(new)
        order.whole_at = self.now + delay + later
        if later:
            some = structs.replace(new, lines=tuple(lines[: (1 + len(lines)) // 2]))
            self.told.append(Told(some, Kind.ORDERS, self.now + delay))
        self.told.append(Told(new, Kind.ORDERS, self.now + delay + later))
        return order

    def ship(self, order: PanelOrder, line_id: str, quantity: int, delay: timedelta) -> bool:
        """Some open pieces of a line leave in a parcel of their own."""
        parcel = f"SH{next(self._numbers)}"
        chosen = [p for p in order.lines[line_id] if p.state == "OPEN"][:quantity]
        for piece in chosen:
            piece.state, piece.parcel = "DISPATCHED", parcel
        if chosen:
            self._tell(order, line_id, Status.DISPATCHED, len(chosen), delay, shipment_id=parcel)
        return bool(chosen)

    def cancel(self, order: PanelOrder, line_id: str, quantity: int, delay: timedelta) -> bool:
        """Some open pieces of a line are cancelled."""
        chosen = [p for p in order.lines[line_id] if p.state == "OPEN"][:quantity]
        for piece in chosen:
            piece.state = "CANCELLED"
        if chosen:
            self._tell(order, line_id, Status.CANCELLED, len(chosen), delay)
        return bool(chosen)

    def wish(self, order: PanelOrder, line_id: str, status: Status, delay: timedelta) -> bool:
        """A buyer's wish to cancel, or its end, of what is open in a line: no piece moves."""
        if not any(piece.state == "OPEN" for piece in order.lines[line_id]):
            return False
        self._tell(order, line_id, status, None, delay)
        return True

    def befall(self, order: PanelOrder, line_id: str, act: str, delay: timedelta) -> bool:
        """A fate of FATES meets the first parcel or return of the line that it can meet."""
        start, end, status, kind = FATES[act]
        candidates = [p for p in order.lines[line_id] if p.state == start]
        if not candidates or (status is Status.RETURN_NOTICED and candidates[0].returns):
            return False
        first = candidates[0]
        chosen = [
            p for p in candidates if (p.parcel, p.return_id) == (first.parcel, first.return_id)
        ]
        if status is Status.RETURN_NOTICED:
            return_id = f"R{next(self._numbers)}"
            chosen = chosen[:1] if act == "cir" else chosen
            for piece in chosen:
                piece.return_id, piece.returns = return_id, piece.returns + 1
        more: dict[str, Any] = (
            {"return_type": kind, "return_id": chosen[0].return_id} if kind else {}
        )
        more |= {"shipment_id": first.parcel, "left_seller": True}
        for piece in chosen:
            piece.state = end
            if status is Status.RETURN_WITHDRAWN:
                piece.return_id = ""
        self._tell(order, line_id, status, len(chosen), delay, **more)
        return True

    def say(self, row: StatusChange, delay: timedelta = timedelta(0)) -> None:
        """Any row at all."""
        kind = next(k for k in (Kind.RETURNS, *Kind) if row.status in STATUSES_OF[k])
        self.told.append(Told(row, kind, self.moment() + delay))

    def say_again(self, number: int) -> None:
        """Show a row once more, as if it had been touched."""
        if self.told:
            old = self.told[number % len(self.told)]
            self.told.append(Told(old.row, old.kind, self.moment()))

    def _tell(
        self, order: PanelOrder, line_id: str, status: Status, quantity: int | None,
        delay: timedelta, **more: Any,
    ) -> None:  # fmt: skip
        row = StatusChange(
            order_id=order.new.order_id, line_id=line_id, status=status, native_status=status.value,
            quantity=quantity, occurred_at=self.moment(), **more,
        )  # fmt: skip
        self.say(row, delay)

    def show_all(self) -> None:
        """Nothing is held back any more."""
        for each in self.told:
            if each.shown_at > self.now:
                each.shown_at = self.moment()

    # --- the plugin

    @hookimpl
    def describe_channel(self) -> Channel:
        return Channel(
            title=self.name, settings=Settings, safety_lag=timedelta(0), overlap=MINUTE,
            longest_window=timedelta(days=365), orders_per_call=2, reads_by=self.reads_by,
        )  # fmt: skip

    @hookimpl
    def fetch_orders(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._pages(Kind.ORDERS, window, orders)

    @hookimpl
    def fetch_dispatched(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._pages(Kind.DISPATCHED, window, orders)

    @hookimpl
    def fetch_cancelled(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._pages(Kind.CANCELLED, window, orders)

    @hookimpl
    def fetch_returns(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._pages(Kind.RETURNS, window, orders)

    @hookimpl
    def fetch_delivered(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._pages(Kind.DELIVERED, window, orders)

    def _pages(self, kind: Kind, window: Window, orders: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        wanted = {ref.order_id for ref in orders}
        rows = [
            each.row
            for each in sorted(self.told, key=lambda one: one.shown_at)
            if each.kind is kind
            and (each.shown_at < window.end or (wanted and kind is Kind.ORDERS))
            and (each.row.order_id in wanted if wanted else each.shown_at >= window.start)
        ]
        for number, start in enumerate(range(0, len(rows), self.page_size)):
            if self.fails is not None and (kind, number) == self.fails[:2]:
                raise self.fails[2]
            yield Page(rows=rows[start : start + self.page_size])


class Bazaar(ToyPanel):
    """Another channel: it leaves the shipping of some orders to the seller, and reads windows."""

    channel = "bazaar"
    reads_by = frozenset({ReadsBy.WINDOW})

    @hookimpl
    def provides_shipping(self, order: OrderRef) -> bool:
        return order.facts != OWN
