"""Amazon (India), by its Selling Partner API: orders, dispatches, deliveries, cancelled, returns.

Each hook asks only for orders in the states that its kind is about, reports words of its kind, and
passes over the others; a word that it does not know is reported as UNKNOWN. No hook sets
``complete_until``: the order of a search's pages is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from datetime import timedelta
from typing import Final

from syncd import (
    Account,
    Channel,
    Memory,
    NewOrder,
    OrderRef,
    Page,
    Panel,
    Status,
    StatusChange,
    Window,
    hookimpl,
)
from syncd_amazon import external, reports, returns, rows
from syncd_amazon.api import Amazon
from syncd_amazon.asking import ANY, ARRIVED, BACK, GONE, OPEN, Asked, pages
from syncd_amazon.orders import channel_ships, new_order, unreadable_order
from syncd_amazon.paces import PACES, costs
from syncd_amazon.returns import Totals
from syncd_amazon.seen import Seen
from syncd_amazon.settings import LONGEST_REPORT, AmazonSettings

__all__ = [
    "PACES",
    "AmazonSettings",
    "describe_channel",
    "fetch_cancelled",
    "fetch_delivered",
    "fetch_dispatched",
    "fetch_orders",
    "fetch_returns",
    "provides_shipping",
]

Changes = Iterator[Page[StatusChange]]
Teller = Callable[[Seen], Iterator[StatusChange]]

UNVERIFIED: Final = (
    "Whether Easy Ship orders carry detailedStatus in production: it is reported missing. v0 and "
    "the Easy Ship API are asked where UNDELIVERABLE stands alone.",
    "Whether the bounds of a search are inclusive; they are taken as such.",
    "Which words Return request status and Return type may hold; see the settings "
    "return_statuses and return_types.",
    "That a row of a report of returns with a Return delivery date is physically back.",
    "Whether v0 counts a cancelled piece in NumberOfItemsUnshipped.",
    "Who carries orders of the programs PRIME and DELIVERY_BY_AMAZON in India; see the setting "
    "programs_shipped.",
    "Seller Flex: its orders are taken as Amazon's (AFN); no public answer says where its returns "
    "are shown.",
    "That the RMA id of an External Fulfillment return is the Amazon RMA ID of the reports.",
    "The root element of the XML report of returns, and the dates of it and of FBA's; see the "
    "setting report_dates.",
)  # fmt: skip


@hookimpl
def describe_channel() -> Channel:
    """Amazon, asked by window or by ids; slow by its documented rates."""
    return Channel(
        title="Amazon",
        settings=AmazonSettings,
        time_zone="UTC",
        safety_lag=timedelta(minutes=5),
        overlap=timedelta(minutes=30),
        longest_window=timedelta(days=30),
        look_back_limit=timedelta(days=700),
        orders_per_call=50,
        window_only=frozenset({"returns"}),
        paces=PACES,
        costs=costs,
        statuses=frozenset(
            {
                Status.DISPATCHED, Status.DELIVERED, Status.CANCELLED, Status.CANCEL_REQUESTED,
                Status.RETURN_NOTICED, Status.RETURNED, Status.RETURN_WITHDRAWN, Status.LOST,
            }
        ),
        ships="Amazon ships FBA, Seller Flex and Easy Ship orders; the seller ships the others",
        unverified=UNVERIFIED,
    )  # fmt: skip


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """Paid orders that have not left, by their last change; chosen orders in any state."""
    amazon = Amazon(panel, account.settings)
    for seen, broken in pages(amazon, window, orders, OPEN):
        new = [new_order(one) for one in seen]
        yield Page(rows=[*new, *(unreadable_order(row, window.end) for row in broken)])


@hookimpl
def fetch_dispatched(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """What has left, by parcel and line, whatever became of it afterwards."""
    amazon = Amazon(panel, account.settings)
    yield from _told(amazon, window, orders, GONE, rows.dispatched)


@hookimpl
def fetch_delivered(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Easy Ship parcels that reached the buyer. No API shows it of what Amazon fulfils."""
    amazon = Amazon(panel, account.settings)
    yield from _told(amazon, window, orders, ARRIVED, rows.delivered)


@hookimpl
def fetch_cancelled(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Cancelled orders, lines and pieces, and buyers' wishes to cancel."""
    amazon = Amazon(panel, account.settings)
    yield from _told(amazon, window, orders, ANY, rows.cancelled)


def _told(
    amazon: Amazon, window: Window, orders: Sequence[OrderRef], asked: Asked, tell: Teller
) -> Changes:
    for seen, broken in pages(amazon, window, orders, asked):
        told: list[StatusChange] = []
        for one in seen:
            if one.stage is not None:
                told += tell(one)
            told += rows.unknown_words(one)
        yield Page(rows=[*told, *rows.unreadable(broken, window.end)])


@hookimpl
def fetch_returns(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel, memory: Memory
) -> Changes:
    """Parcels that turn back, then External Fulfillment, then the reports of returns.

    The last two cannot be asked about an order: they are read whole, and of chosen orders only
    theirs are kept.
    """
    amazon = Amazon(panel, account.settings)
    yield from _told(amazon, window, orders, BACK, rows.came_back)
    wanted = frozenset(order.order_id for order in orders)
    totals, told = returns.Totals(), set[tuple[str, str]]()
    if amazon.settings.external_returns:
        yield from _external(amazon, window, wanted, totals, told)
    for kind in amazon.settings.return_reports:
        yield from _reported(amazon, window, wanted, totals, told, memory, kind)


def _external(
    amazon: Amazon, window: Window, wanted: Set[str], totals: Totals, told: set[tuple[str, str]]
) -> Changes:
    """External Fulfillment returns; ``told`` is given their order ids and RMA ids."""
    couriers: list[StatusChange] = []
    known: set[str] = set()
    for question in external.questions(amazon.settings, window):
        for raw in amazon.returns(**question):
            page: list[StatusChange] = []
            for change in external.external_changes(raw, window.end):
                if change.evidence_id in known or (wanted and change.order_id not in wanted):
                    continue
                known.add(change.evidence_id)
                told.add((change.order_id, change.facts.get("rma", "")))
                (couriers if returns.is_total(change) else page).append(change)
            yield Page(rows=page)
    yield Page(rows=list(totals.of(couriers)))


def _reported(
    amazon: Amazon,
    window: Window,
    wanted: Set[str],
    totals: Totals,
    told: Set[tuple[str, str]],
    memory: Memory,
    kind: str,
) -> Changes:
    """The rows of a report that External Fulfillment has not told already."""
    # A report goes by the day of the request, and its rows change later: it always reaches back.
    start = min(window.start, window.end - timedelta(days=amazon.settings.returns_days))
    content = reports.read(
        amazon, memory, kind, max(start, window.end - LONGEST_REPORT), window.end
    )
    if content is None:
        return
    page: list[StatusChange] = []
    couriers: list[StatusChange] = []
    for change in returns.report_changes(amazon.settings, kind, content):
        twice = change.return_id and (change.order_id, change.return_id) in told
        if twice or (wanted and change.order_id not in wanted):
            continue
        (couriers if returns.is_total(change) else page).append(change)
        if len(page) == PAGE:
            yield Page(rows=page)
            page = []
    yield Page(rows=[*page, *totals.of(couriers)])
    reports.done(memory, kind)


PAGE: Final = 500


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """Amazon ships its own orders and Easy Ship; a merchant's other orders are the seller's."""
    return channel_ships(account.settings, order.facts)
