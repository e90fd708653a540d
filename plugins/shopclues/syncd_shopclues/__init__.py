"""ShopClues: reads orders and what became of them; the status letters come from the settings.

The panel finds orders by the day they were placed and shows where each one stands now. So
every hook reads the orders of the last weeks, and tells the letters of its own kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderRef,
    Pace,
    Page,
    Panel,
    ReportFile,
    Status,
    StatusChange,
    Window,
    hookimpl,
)
from syncd.shapes import BadRow
from syncd_shopclues.api import OrderRow, ShopClues
from syncd_shopclues.facts import changes_of, orders_of
from syncd_shopclues.scans import read_scans
from syncd_shopclues.settings import ShopCluesSettings
from syncd_shopclues.statuses import UNVERIFIED

Changes = Iterator[Page[StatusChange]]

ON_THE_WAY: Final = (Status.DISPATCHED,)
ARRIVED: Final = (Status.DELIVERED,)
CANCELLED: Final = (Status.CANCELLED, Status.CANCEL_REQUESTED, Status.CANCEL_WITHDRAWN)
BACK: Final = (
    Status.RETURN_NOTICED,
    Status.RETURNED,
    Status.RETURN_WITHDRAWN,
    Status.UNDELIVERED,
    Status.LOST,
)


@hookimpl
def describe_channel() -> Channel:
    """ShopClues, asked by window or by ids."""
    return Channel(
        title="ShopClues",
        settings=ShopCluesSettings,
        time_zone="Asia/Kolkata",
        safety_lag=timedelta(minutes=5),
        overlap=timedelta(hours=1),
        longest_window=timedelta(days=90),  # each step reads the weeks before it once more
        paces={
            "default": Pace(per_second=2, burst=5),
            "unlimited": Pace(per_second=100_000, burst=1_000),  # for a simulator
        },
        ships="as the account's channel_ships says",
        unverified=UNVERIFIED,
    )


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """Orders that wait to be shipped; chosen ones wherever they are."""
    settings: ShopCluesSettings = account.settings
    letters = None if orders else settings.open_letters
    for found in _found(account, window, orders, panel):
        yield Page(rows=list(orders_of(found, letters, settings.skus, window.end)))


@hookimpl
def fetch_dispatched(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Orders whose letter says that they are on their way."""
    yield from _told(account, window, orders, panel, ON_THE_WAY)


@hookimpl
def fetch_delivered(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Orders whose letter says that they reached the buyer."""
    yield from _told(account, window, orders, panel, ARRIVED)


@hookimpl
def fetch_cancelled(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Orders whose letter says that they are cancelled."""
    yield from _told(account, window, orders, panel, CANCELLED)


@hookimpl
def fetch_returns(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Changes:
    """Orders whose letter says that they come back, or did not arrive."""
    yield from _told(account, window, orders, panel, BACK)


@hookimpl
def read_report(account: Account, report: ReportFile) -> Changes:
    """A courier's scans, from a file."""
    yield from read_scans(report)


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """As the account says: no order tells."""
    return bool(account.settings.channel_ships)


def _told(
    account: Account,
    window: Window,
    orders: Sequence[OrderRef],
    panel: Panel,
    told: Sequence[Status],
) -> Changes:
    for found in _found(account, window, orders, panel):
        yield Page(rows=list(changes_of(found, told, account.settings, window.end)))


def _found(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[list[OrderRow | BadRow]]:
    """The named orders, or those that were placed since long enough before the window."""
    shopclues = ShopClues(panel, account.settings)
    if orders:
        for order in orders:
            yield shopclues.order(order.order_id)
        return
    reach = timedelta(days=account.settings.reach_days)
    yield from shopclues.placed(Window(window.start - reach, window.end))
