"""ShopClues: reads orders and what became of them; the status letters come from the settings.

The panel finds orders by the day they were placed and shows where each one stands now. So
every hook reads the orders of the last weeks, and tells what of its own kind must have happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderRef,
    Pace,
    Page,
    Panel,
    ReportFile,
    StatusChange,
    Window,
    hookimpl,
)
from syncd.shapes import BadRow
from syncd.snapshots import Shown, status_hooks
from syncd_shopclues.api import OrderRow, ShopClues
from syncd_shopclues.facts import orders_of, shown_in
from syncd_shopclues.files import FILES
from syncd_shopclues.scans import read_scans
from syncd_shopclues.settings import ShopCluesSettings
from syncd_shopclues.statuses import UNVERIFIED

Changes = Iterator[Page[StatusChange]]


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
        sources={"panelfile": FILES},
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


def _read(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Iterable[Shown]]:
    for found in _found(account, window, orders, panel):
        yield shown_in(found, account.settings)


fetch_dispatched, fetch_delivered, fetch_cancelled, fetch_returns = status_hooks(_read)


@hookimpl
def read_report(account: Account, report: ReportFile) -> Changes:
    """A courier's scans, from a file."""
    yield from read_scans(report)


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """As the account says: no order tells."""
    return bool(account.settings.channel_ships)


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
