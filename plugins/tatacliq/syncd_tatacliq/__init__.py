"""Tata CLiQ: what became of the orders that the book knows.

The one documented call reads one order by its id and shows each line's present code. What a code
means is the account's ``status_map``: only that of a new order is public.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderLine,
    OrderRef,
    Pace,
    Page,
    Panel,
    ReadsBy,
    Window,
    hookimpl,
)
from syncd.shapes import BadRow, odd_order
from syncd.snapshots import Shown, status_hooks
from syncd_tatacliq.api import Line, Order, given, moment, read_lines, read_orders
from syncd_tatacliq.files import FILES
from syncd_tatacliq.settings import TataCliqSettings

__all__ = [
    "FILES",
    "TataCliqSettings",
    "describe_channel",
    "fetch_cancelled",
    "fetch_delivered",
    "fetch_dispatched",
    "fetch_orders",
    "fetch_returns",
    "provides_shipping",
]


SHIPS: Final = "fulfillmentType"  # TSHIP: Tata CLiQ ships; SSHIP: the seller does
NOT_THERE: Final = (
    "the panel answers 404 for this order, and has others; its id may be wrong, or it is of "
    "another account"
)
PACES: Final[Mapping[str, Pace]] = {
    "default": Pace(per_second=2, burst=5),
    "unlimited": Pace(per_second=100_000, burst=1_000),
}
UNVERIFIED: Final = (
    "Whether the panel still takes sellers' programs; its account manager switches them on.",
    "The production address, and how a token is made and how long it lives: both are settings.",
    "All codes but 001, a new order: give status_map.",
    "When a code changed: an event is dated by the pass that saw it, and happened no later.",
    "The calls for active orders, cancellations and returns: orders come from a file or the API, "
    "and each is asked for by its id.",
    "What is answered for an order that the panel does not have; an empty list is "
    "expected, or 404.",
    "That a line is one piece, that articleNumber is the seller's SKU, and the zone of orderDate.",
    "No rate limit is known; the pace is two calls a second, one for each order.",
)


@hookimpl
def describe_channel() -> Channel:
    """Tata CLiQ, asked by order ids, one call an order."""
    return Channel(
        title="Tata CLiQ",
        settings=TataCliqSettings,
        time_zone="Asia/Kolkata",
        reads_by=frozenset({ReadsBy.ORDERS}),
        longest_window=timedelta(days=366),  # a call has no span
        orders_per_call=500,  # a 404 is told apart beside orders that are there
        paces=PACES,
        ships="TSHIP: the channel; SSHIP: the seller; line by line",
        unverified=UNVERIFIED,
        sources={"panelfile": FILES},
    )


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """Chosen orders; the panel lists none."""
    for order_id, found in read_orders(panel, account.settings, orders, []):
        yield Page(rows=[_new_order(row, order_id, window.end) for row in found])


def _read(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Iterable[Shown]]:
    missing: list[str] = []
    for order_id, found in read_orders(panel, account.settings, orders, missing):
        yield [shown for one in found for shown in _shown(one, order_id)]
    yield [Shown(order_id=one, raw=f"{one}: 404", problem=NOT_THERE) for one in missing]


fetch_dispatched, fetch_delivered, fetch_cancelled, fetch_returns = status_hooks(_read)


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """By the line's fulfillmentType; where it says neither, by the account's setting."""
    word = order.facts.get(SHIPS, "")
    if word in ("TSHIP", "SSHIP"):
        return word == "TSHIP"
    ships: str = account.settings.ships
    return ships == "channel"


def _shown(order: Order | BadRow, asked: str) -> Iterator[Shown]:
    if isinstance(order, BadRow):
        yield Shown(order_id=asked, raw=order.raw, problem=order.problem)
        return
    for line in read_lines(order):
        if isinstance(line, BadRow):
            yield Shown(order_id=order.order_id, raw=line.raw, problem=line.problem)
        else:
            yield Shown(
                order_id=order.order_id,
                line_id=line.line_id,
                sku=given(line.sku),
                word=line.status,
                courier=given(line.courier),
                location_id=given(line.location),
                facts={SHIPS: line.ships} if line.ships else {},
                raw=msgspec.json.encode(line).decode(),
            )


def _new_order(order: Order | BadRow, asked: str, read_at: datetime) -> NewOrder:
    if isinstance(order, BadRow):
        return odd_order(order.problem, order.raw, read_at, order_id=asked)
    rows = read_lines(order)
    lines = [row for row in rows if isinstance(row, Line)]
    problems = [row.problem for row in rows if isinstance(row, BadRow)]
    problems += [f"line {one.line_id} has no articleNumber" for one in lines if not given(one.sku)]
    places = {given(line.location) for line in lines}
    kinds = {line.ships for line in lines if line.ships}
    return NewOrder(
        order_id=order.order_id,
        placed_at=moment(order.placed_at) or read_at,
        lines=tuple(
            OrderLine(line_id=line.line_id, sku=given(line.sku), quantity=1) for line in lines
        ),
        location_id=places.pop() if len(places) == 1 else "",
        facts={SHIPS: kinds.pop()} if len(kinds) == 1 else {},
        problem="; ".join(problems),
        raw=msgspec.json.encode(lines).decode() if problems else "",
    )
