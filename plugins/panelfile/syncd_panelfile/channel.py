"""The hooks over report files, for this channel and for panels that are a preset of it.

A file says what was true when it was made. So every hook reads the files that came within the
window, or, where orders are named, within the look-back, and keeps what is about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderRef,
    Page,
    Panel,
    ReportFile,
    Status,
    StatusChange,
    Window,
    hookimpl,
)
from syncd.errors import PanelAnswer
from syncd_panelfile.facts import Reader
from syncd_panelfile.folder import arrivals, opened
from syncd_panelfile.row import SHIPS
from syncd_panelfile.settings import PanelfileSettings, same
from syncd_panelfile.table import read_table

PAGE: Final = 500
DISPATCHED: Final = frozenset({Status.DISPATCHED, Status.UNKNOWN})
DELIVERED: Final = frozenset({Status.DELIVERED, Status.UNKNOWN})
CANCELLED: Final = frozenset(
    {Status.CANCELLED, Status.CANCEL_REQUESTED, Status.CANCEL_WITHDRAWN, Status.UNKNOWN}
)
RETURNS: Final = frozenset(
    {
        Status.RETURN_NOTICED, Status.RETURNED, Status.RETURN_WITHDRAWN, Status.UNDELIVERED,
        Status.LOST, Status.UNKNOWN,
    }
)  # fmt: skip


SHIPPED_BY: Final = (
    "the channel, unless the account's settings or a column of the file say the seller"
)


def described(
    title: str, settings: type[PanelfileSettings], *, ships: str = SHIPPED_BY, **more: Any
) -> Channel:
    """What holds for every channel that is fed by files."""
    return Channel(
        ships=ships,
        title=title,
        settings=settings,
        time_zone="Asia/Kolkata",
        # A file that is not whole yet is left to the next pass, which looks so far back.
        safety_lag=timedelta(0),
        overlap=timedelta(minutes=30),
        longest_window=timedelta(days=400),
        orders_per_call=10_000,
        window_only=frozenset({"orders", "dispatched", "cancelled", "returns", "delivered"}),
        **more,
    )


class SaleFiles:
    """Files that tell of orders, dispatches and cancellations."""

    def __init__(self, description: Channel) -> None:
        self._description = description

    @hookimpl
    def describe_channel(self) -> Channel:
        """A channel that is fed by files; it makes no call."""
        return self._description

    @hookimpl
    def fetch_orders(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[NewOrder]]:
        """Orders of files that have the columns of orders."""
        chosen = {order.order_id for order in orders}
        for reader in _readers(account, window, panel.server_now()):
            rows = [one for one in reader.orders() if not chosen or one.order_id in chosen]
            for start in range(0, len(rows), PAGE):
                yield Page(rows=rows[start : start + PAGE])

    @hookimpl
    def fetch_dispatched(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        """Lines whose word means that they left."""
        return _changes(account, window, orders, panel.server_now(), DISPATCHED)

    @hookimpl
    def fetch_cancelled(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        """Lines whose word means that they are cancelled, or are to be."""
        return _changes(account, window, orders, panel.server_now(), CANCELLED)

    @hookimpl
    def read_report(
        self, account: Account, report: ReportFile
    ) -> Iterator[Page[NewOrder] | Page[StatusChange]]:
        """One file, handed in by a person."""
        plan = account.settings.plan()
        read_table(report, plan)
        at = report.at
        if at is None:
            raise PanelAnswer(f"{report.name}: nobody says when it was handed in.")
        reader = Reader(report, plan, at)
        orders = reader.orders()
        for start in range(0, len(orders), PAGE):
            yield Page(rows=orders[start : start + PAGE])
        yield from _paged(reader.changes())

    @hookimpl
    def provides_shipping(self, account: Account, order: OrderRef) -> bool:
        """By the word of the ships column, where it is known; else as the account says."""
        plan = account.settings.plan()
        word = same(order.facts.get(SHIPS, ""))
        return bool(plan.ships_words.get(word, plan.ships) == "channel")


class PanelFiles(SaleFiles):
    """Files that tell of deliveries and returns as well."""

    @hookimpl
    def fetch_returns(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        """Lines whose word means that they come back, or never arrive."""
        return _changes(account, window, orders, panel.server_now(), RETURNS)

    @hookimpl
    def fetch_delivered(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        """Lines whose word means that they reached the buyer."""
        return _changes(account, window, orders, panel.server_now(), DELIVERED)


def _readers(account: Account, window: Window, now: datetime) -> Iterator[Reader]:
    settings: PanelfileSettings = account.settings
    if not settings.folder:
        return
    plan = settings.plan()
    settle = timedelta(seconds=settings.settle_seconds)
    for one in arrivals(settings.folder, window, now, settle):
        file = opened(one)
        if file is not None:
            yield Reader(file, plan, one.made)


def _changes(
    account: Account,
    window: Window,
    orders: Sequence[OrderRef],
    now: datetime,
    wanted: frozenset[Status],
) -> Iterator[Page[StatusChange]]:
    """Facts of these statuses. What cannot be read is told by each kind, as one fact."""
    chosen = {order.order_id for order in orders}
    for reader in _readers(account, window, now):
        rows = (row for row in reader.changes() if row.status in wanted)
        yield from _paged(row for row in rows if not chosen or row.order_id in chosen)


def _paged(rows: Iterator[StatusChange]) -> Iterator[Page[StatusChange]]:
    page: list[StatusChange] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield Page(rows=page)
            page = []
    if page:
        yield Page(rows=page)
