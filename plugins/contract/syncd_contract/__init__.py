"""The public contract of Uniware: any marketplace that was built to be read by it.

syncd plays Uniware's part. New orders are found by the day of the order; what became of an
order is asked by its id, because the contract cannot be asked what has changed.
``SaleCalls`` and ``described`` make a source of it for a marketplace with a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from syncd import (
    Account,
    Channel,
    NewOrder,
    OrderRef,
    Pace,
    Page,
    Panel,
    ReadsBy,
    Settings,
    Status,
    StatusChange,
    Window,
    hookimpl,
)
from syncd_contract.api import Contract
from syncd_contract.rows import SHIPS, Reader
from syncd_contract.settings import ContractSettings

__all__ = [
    "SHIPS_BY",
    "UNVERIFIED",
    "ContractSettings",
    "SaleCalls",
    "describe_channel",
    "described",
    "fetch_cancelled",
    "fetch_delivered",
    "fetch_dispatched",
    "fetch_orders",
    "fetch_returns",
    "provides_shipping",
]

PACES: Final[Mapping[str, Pace]] = {
    "default": Pace(per_second=2, burst=5),
    "careful": Pace(per_second=0.5),
    "unlimited": Pace(per_second=100_000, burst=1_000),  # for a simulator
}
STATUSES: Final = frozenset(
    {Status.DISPATCHED, Status.DELIVERED, Status.CANCELLED, Status.RETURN_NOTICED}
)
SHIPS_BY: Final = "the marketplace, unless the order's thirdPartyShipping is false"
UNVERIFIED: Final = (
    "The list of orders is taken to stand under the name orders, as products do under theirs.",
    "An item is taken to be named orderItemId, as in the calls that write.",
    "Whether quantity still counts the cancelled pieces of an item; it is taken to.",
    "thirdPartyShipping is taken to say that the marketplace ships; see the setting ships.",
    "Whether the bounds of the dates are in or out: both are asked a second wider.",
    "How many orders a page may have, and how many ids a call; rate limits.",
    "No word says that a return has arrived or was withdrawn; the seller's own receipt does.",
    "Cancellations and deliveries carry no time: they are dated when they are first seen.",
)


def described(title: str, settings: type[Settings], **more: Any) -> Channel:
    """What holds for every marketplace behind the contract."""
    return Channel(
        title=title,
        settings=settings,
        time_zone="UTC",
        # An order that waited for the seller's word comes with its old date: Uniware looks
        # 15 days back for it.
        overlap=timedelta(days=15),
        longest_window=timedelta(days=60),
        reads_by=frozenset({ReadsBy.ORDERS}),
        window_only=frozenset({"orders"}),
        orders_per_call=50,
        paces=PACES,
        **more,
    )


@hookimpl
def describe_channel() -> Channel:
    """A marketplace behind the contract."""
    return described(
        "Uniware marketplace contract",
        ContractSettings,
        statuses=STATUSES,
        ships=SHIPS_BY,
        unverified=UNVERIFIED,
    )


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """Orders placed in the window that are still to be fulfilled; named ones in any state."""
    contract, reader = Contract(panel, account.settings), Reader(account.settings, window.end)
    pages = contract.by_ids([one.order_id for one in orders]) if orders else contract.placed(window)
    for page in pages:
        yield Page(rows=list(reader.orders(page)))


@hookimpl
def fetch_dispatched(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[StatusChange]]:
    """Items that left the warehouse, those that went further among them."""
    return _changes(account, window, orders, panel, Status.DISPATCHED)


@hookimpl
def fetch_delivered(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[StatusChange]]:
    """Items that reached the buyer."""
    return _changes(account, window, orders, panel, Status.DELIVERED)


@hookimpl
def fetch_cancelled(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[StatusChange]]:
    """Items that are cancelled, or some pieces of them."""
    return _changes(
        account, window, orders, panel, Status.CANCELLED, Status.CANCEL_REQUESTED,
        Status.CANCEL_WITHDRAWN,
    )  # fmt: skip


@hookimpl
def fetch_returns(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[StatusChange]]:
    """Items that come back: COURIER_RETURN is an RTO, RETURN_REQUESTED the buyer's return."""
    return _changes(
        account, window, orders, panel, Status.RETURN_NOTICED, Status.RETURNED,
        Status.RETURN_WITHDRAWN, Status.UNDELIVERED, Status.LOST,
    )  # fmt: skip


def _changes(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel, *wanted: Status
) -> Iterator[Page[StatusChange]]:
    """By id alone; without named orders there is nothing that the contract could be asked."""
    if not orders:
        return
    contract, reader = Contract(panel, account.settings), Reader(account.settings, window.end)
    statuses = frozenset({*wanted, Status.UNKNOWN})
    for page in contract.by_ids([one.order_id for one in orders]):
        yield Page(rows=list(reader.changes(page, statuses)))


@hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """By the order's thirdPartyShipping, or always as the account says; yes where none does."""
    settings: ContractSettings = account.settings
    if settings.ships != "order":
        return settings.ships == "channel"
    return order.facts.get(SHIPS, "true") != "false"


class SaleCalls:
    """Orders, dispatches and cancellations alone, for a marketplace described by another."""

    def __init__(self, description: Channel) -> None:
        self._description = description

    @hookimpl
    def describe_channel(self) -> Channel:
        """That marketplace."""
        return self._description

    fetch_orders = staticmethod(fetch_orders)
    fetch_dispatched = staticmethod(fetch_dispatched)
    fetch_cancelled = staticmethod(fetch_cancelled)
    provides_shipping = staticmethod(provides_shipping)
