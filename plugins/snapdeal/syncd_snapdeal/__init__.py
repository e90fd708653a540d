"""Snapdeal: reads orders, dispatches, deliveries, cancellations and returns of a seller.

A suborder is one piece, and its code is the only name that every call of the panel knows. So
it is an order of the book, and the one line of it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Final, TypeVar

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderRef,
    Pace,
    Page,
    Panel,
    ReadsBy,
    Status,
    StatusChange,
    Window,
    hookimpl,
)
from syncd.shapes import BadRow, odd_order, rows
from syncd_snapdeal.api import ON_THE_WAY, Item, ReturnRow, Snapdeal, items
from syncd_snapdeal.facts import change_of, odd_suborder, order_of, read, return_of
from syncd_snapdeal.settings import SnapdealSettings
from syncd_snapdeal.statuses import RETURN_TYPES, SHIPPED_BY_THE_SELLER, UNVERIFIED

Changes = Iterator[Page[StatusChange]]
Fact = TypeVar("Fact", NewOrder, StatusChange)

TOLD: Final = frozenset(
    {
        Status.DISPATCHED,
        Status.DELIVERED,
        Status.CANCELLED,
        Status.RETURN_NOTICED,
        Status.RETURNED,
    }
)


@hookimpl
def describe_channel() -> Channel:
    """Snapdeal, asked by window: most of its lists can be asked in no other way."""
    return Channel(
        title="Snapdeal",
        settings=SnapdealSettings,
        time_zone="Asia/Kolkata",
        safety_lag=timedelta(minutes=5),
        overlap=timedelta(hours=1),  # longer than the time between two passes
        longest_window=timedelta(days=90),  # a list without dates is read once for each step
        reads_by=frozenset({ReadsBy.WINDOW}),
        orders_per_call=5_000,
        paces={
            "default": Pace(per_second=2, burst=5),
            "unlimited": Pace(per_second=100_000, burst=1_000),  # for a simulator
        },
        statuses=TOLD,
        ships="Snapdeal; the seller where the fulfilment mode is VENDOR_SELF",
        unverified=UNVERIFIED,
    )


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """All suborders that wait to be shipped; chosen ones also when they do not wait any more."""
    snapdeal = Snapdeal(panel, account.settings)
    found: Iterator[Iterator[Item | BadRow]] = map(items, snapdeal.new())
    if orders:
        since = window.start - ON_THE_WAY
        gone = (rows(page, Item) for page in snapdeal.cancelled(window))
        found = chain(found, map(items, snapdeal.completed(since)), gone)
    for page in found:
        yield _page(read(page, order_of, odd_order, window.end), orders)


@hookimpl
def fetch_dispatched(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Suborders that are on their way, those already delivered among them."""
    yield from _completed(account, window, orders, panel, Status.DISPATCHED)


@hookimpl
def fetch_delivered(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Suborders that reached the buyer."""
    yield from _completed(account, window, orders, panel, Status.DELIVERED)


def _completed(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel, kind: Status
) -> Changes:
    """What was shipped since long before the window: only the day of shipping is told."""
    since = window.start - ON_THE_WAY
    for page in Snapdeal(panel, account.settings).completed(since):
        told = read(items(page), partial(change_of, kind=kind), odd_suborder, window.end)
        yield _page((one for one in told if orders or one.occurred_at >= since), orders)


@hookimpl
def fetch_cancelled(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Suborders that were cancelled, by whomever."""
    make = partial(change_of, kind=Status.CANCELLED)
    for page in Snapdeal(panel, account.settings).cancelled(window):
        yield _page(read(rows(page, Item), make, odd_suborder, window.end), orders)


@hookimpl
def fetch_returns(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Returns by the buyer and by the courier, on their way and back."""
    snapdeal = Snapdeal(panel, account.settings)
    for mode in RETURN_TYPES:
        for page in snapdeal.returns(mode, window):
            make = partial(return_of, mode=mode)
            yield _page(read(rows(page, ReturnRow), make, odd_suborder, window.end), orders)


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """Snapdeal ships all but what is in the seller's own mode."""
    return order.facts.get("fulfillmentMode") != SHIPPED_BY_THE_SELLER


def _page(told: Iterable[Fact], orders: Sequence[OrderRef]) -> Page[Fact]:
    """The facts, of some orders theirs alone; what has no readable name is always told."""
    wanted = {"", *(order.order_id for order in orders)}
    return Page(rows=[one for one in told if not orders or one.order_id in wanted])
