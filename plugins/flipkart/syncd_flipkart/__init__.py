"""Flipkart: reads orders, dispatches, deliveries, cancellations and returns of a seller.

Every hook that reads shipments reports words of its own kind and passes over the others; a word
that it does not know is reported as UNKNOWN with its raw row. No hook sets
``complete_until``: the panel pages by number, so rows can shift between two pages and a
half-read window proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec import Raw

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderRef,
    Pace,
    Page,
    Panel,
    Status,
    StatusChange,
    Window,
    hookimpl,
)
from syncd_flipkart import statuses
from syncd_flipkart.api import Flipkart, Item, span
from syncd_flipkart.cancellations import (
    Parts,
    Standing,
    cancellations,
    cancelled_items,
    missing,
    shrunk,
    standings,
)
from syncd_flipkart.orders import SHIPS, ordered_quantities, read_orders
from syncd_flipkart.rows import (
    moved,
    read_returns,
    read_shipments,
    unnamed_returns,
    unreadable,
)
from syncd_flipkart.settings import FlipkartSettings

__all__ = [
    "FlipkartSettings",
    "describe_channel",
    "fetch_cancelled",
    "fetch_delivered",
    "fetch_dispatched",
    "fetch_orders",
    "fetch_returns",
    "provides_shipping",
]

Changes = Iterator[Page[StatusChange]]

PACES: Final[Mapping[str, Pace]] = {
    "default": Pace(per_second=2, burst=5),
    "careful": Pace(per_second=0.5),
    "fast": Pace(per_second=10, burst=10),
    "unlimited": Pace(per_second=100_000, burst=1_000),  # for a simulator
}

TOLD: Final = frozenset(
    {
        Status.DISPATCHED,
        Status.DELIVERED,
        Status.CANCELLED,
        Status.RETURN_NOTICED,
        Status.RETURNED,
        Status.RETURN_WITHDRAWN,
        Status.UNKNOWN,
    }
)
"""No word of the panel's tells a loss, a failed delivery or a buyer's wish to cancel."""

UNVERIFIED: Final = (
    "Flipkart publishes no rate limits; the pace is a guess on the careful side.",
    "The largest page size is not documented; 20 is what paging links of the panel carry.",
    "How far back a search reaches is not documented; a step is 7 days.",
    "A line that is cancelled in parts: whether its row counts the pieces of one cancellation "
    "or all so far. The line is confirmed by id and its cancellations are added up.",
    "The path before the next link of a page of returns; see the setting returns_prefix.",
    "Whether a page may say hasMore false and still carry a link; it is taken as an error.",
    "Whether createdAfter of the returns call means the day of approval; it is not used unless "
    "returns_window says so.",
    "RETURN_REQUESTED and RETURNED as words of an order item: no text explains them.",
)


@hookimpl
def describe_channel() -> Channel:
    """Flipkart, asked by window or by ids, one call at a time."""
    return Channel(
        title="Flipkart",
        settings=FlipkartSettings,
        time_zone="Asia/Kolkata",
        safety_lag=timedelta(minutes=5),
        # Longer than the 40 minutes between two passes: a row that slipped over a page's edge
        # while the pages shifted is read again by the next pass.
        overlap=timedelta(hours=1),
        longest_window=timedelta(days=7),
        orders_per_call=100,
        window_only=frozenset({"returns"}),
        paces=PACES,
        statuses=TOLD,
        unverified=UNVERIFIED,
    )


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """Orders that are not handed over yet, by their last change; chosen orders in any state."""
    flipkart = Flipkart(panel, account.settings)
    if orders:
        # By order id even where lines are known: the book wants those it does not know.
        chosen = [order.order_id for order in orders]
        yield Page(rows=_whole_orders(flipkart, chosen, window)[0])
        return
    for raw in flipkart.search(
        type="preDispatch", states=statuses.OPEN_STATES, modifiedDate=span(window)
    ):
        shipments, broken = read_shipments(raw)
        # A page shows only those shipments of an order that changed; the order is read whole.
        named = [item.order_id for shipment in shipments for item in shipment.order_items]
        named += [row.order_id for row in broken if row.order_id]
        rows, found = _whole_orders(flipkart, named, window)
        rest = [row for row in broken if row.order_id not in found]
        rows += read_orders(shipments, rest, window.end, known=found)
        yield Page(rows=rows)


def _whole_orders(
    flipkart: Flipkart, order_ids: Sequence[str], window: Window
) -> tuple[list[NewOrder], set[str]]:
    """The orders of these ids with all their lines, and the ids that the panel knew."""
    rows: list[NewOrder] = []
    for raw in flipkart.by_ids("orderIds", list(dict.fromkeys(order_ids))):
        rows += read_orders(*read_shipments(raw), window.end)
    return rows, {row.order_id for row in rows if row.order_id}


@hookimpl
def fetch_dispatched(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Lines that the courier has taken, those already delivered among them."""
    yield from _moved(account, window, orders, panel, Status.DISPATCHED, statuses.LEFT_STATES)


@hookimpl
def fetch_delivered(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Lines that reached the buyer."""
    yield from _moved(account, window, orders, panel, Status.DELIVERED, statuses.DELIVERED_STATES)


def _moved(
    account: Account,
    window: Window,
    orders: Sequence[OrderRef],
    panel: Panel,
    kind: Status,
    states: Sequence[str],
) -> Changes:
    flipkart = Flipkart(panel, account.settings)
    pages = (
        flipkart.of_orders(orders)
        if orders
        else flipkart.search(type="postDispatch", states=states, modifiedDate=span(window))
    )
    for raw in pages:
        shipments, broken = read_shipments(raw)
        yield Page(rows=[*moved(shipments, kind), *unreadable(broken, window.end)])


@hookimpl
def fetch_cancelled(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Cancellations of all three types, and RTO notices: what was cancelled in transit."""
    flipkart = Flipkart(panel, account.settings)
    if orders:
        yield from _cancelled_of(flipkart, orders, window)
        return
    for cancellation_type in statuses.CANCELLATION_TYPES:
        for raw in _cancelled(flipkart, cancellation_type, window):
            shipments, broken = read_shipments(raw)
            doubtful = cancelled_items(shipments)
            now = _standings(flipkart, list(doubtful))
            totals = {
                line: _total(flipkart, item, window)
                for line, item in doubtful.items()
                if line not in now or not now[line].whole
            }
            changes = cancellations(shipments, now, totals)
            yield Page(rows=[*changes, *unreadable(broken, window.end)])


def _cancelled(
    flipkart: Flipkart, cancellation_type: str, window: Window, **more: Any
) -> Iterator[Raw]:
    return flipkart.search(
        type="cancelled",
        states=statuses.CANCELLED_STATES,
        cancellationType=cancellation_type,
        cancellationDate=span(window),
        **more,
    )


def _total(flipkart: Flipkart, item: Item, window: Window) -> int:
    """How many pieces of a partly cancelled line are cancelled so far.

    Asks for every cancellation of its article since the order, whoever cancelled: a few calls
    for a rare case, where a wrong count ships a cancelled piece or cancels a live one.
    """
    since = item.order_date or window.start - timedelta(days=30)
    parts = Parts(item.order_item_id)
    more = {"sku": [item.sku]} if item.sku else {}
    for cancellation_type in statuses.CANCELLATION_TYPES:
        span_so_far = Window(min(since, window.start), window.end)
        for raw in _cancelled(flipkart, cancellation_type, span_so_far, **more):
            parts.add(read_shipments(raw)[0])
    return parts.total


def _standings(flipkart: Flipkart, lines: Sequence[str]) -> dict[str, Standing]:
    """How these lines stand now: a cancelled row alone does not say whether it is all of it."""
    found: dict[str, Standing] = {}
    for raw in flipkart.by_ids("orderItemIds", lines):
        found |= standings(*read_shipments(raw))
    return found


def _cancelled_of(flipkart: Flipkart, orders: Sequence[OrderRef], window: Window) -> Changes:
    ordered: dict[str, int] = {}
    for order in orders:
        ordered |= ordered_quantities(order.facts)
    for raw in flipkart.of_orders(orders):
        shipments, broken = read_shipments(raw)
        now = standings(shipments, broken)
        gone = missing(ordered, now)
        rows = [
            *cancellations(shipments, now, gone),
            *shrunk(shipments, now, gone),
            *unreadable(broken, window.end),
        ]
        yield Page(rows=rows)


@hookimpl
def fetch_returns(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Returns of both sources by their last change.

    The panel cannot be asked for the returns of an order. For chosen orders the whole window
    is read and only theirs are kept; a line of theirs that reads as returned while the window
    holds no return of it is yielded as UNKNOWN.
    """
    flipkart = Flipkart(panel, account.settings)
    chosen = {order.order_id for order in orders}
    answered: set[str] = set()
    for source in statuses.RETURN_SOURCES:
        for raw in flipkart.returns(source, window):
            rows = list(read_returns(raw, source, window.end))
            if chosen:
                rows = [row for row in rows if row.order_id in chosen]
                answered.update(row.line_id for row in rows)
            yield Page(rows=rows)
    if chosen:
        yield from _unnamed(flipkart, orders, window, answered)


def _unnamed(
    flipkart: Flipkart, orders: Sequence[OrderRef], window: Window, answered: set[str]
) -> Changes:
    for raw in flipkart.of_orders(orders):
        shipments, broken = read_shipments(raw)
        rows = [*unnamed_returns(shipments, answered), *unreadable(broken, window.end)]
        if rows:
            yield Page(rows=rows)


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """Flipkart ships all but shipments of type SELF, so the answer differs by parcel.

    A row about shipments carries the type of its own shipment. A return does not: the type is
    then that of its line as the order came. Where neither is known (an imported order) the
    answer is yes, which is so for nearly all of Flipkart; the cost of a wrong yes is that the
    seller's own word comes back as an echo, of a wrong no that a real dispatch is missed.
    """
    facts = order.facts
    known = facts.get("shipmentType") or facts.get(SHIPS + facts.get("line", ""))
    if known is None:
        lines = {value for name, value in facts.items() if name.startswith(SHIPS)}
        known = lines.pop() if len(lines) == 1 else None
    return known != statuses.SELF_SHIPPED
