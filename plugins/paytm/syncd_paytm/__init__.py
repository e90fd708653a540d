"""Paytm (Paytm Mall): new orders, and what became of the orders that the book knows.

The panel has one list, ``orders.json``, which shows each item's present status number. It cannot
be asked what changed since when, so the orders of the book are asked for by their ids. What a
number means is the account's ``status_map``, because no public text lists them. What that map
does not tell may come from the panel's report files beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Raw

from syncd import (
    Account,
    Channel,
    Kind,
    NewOrder,
    OrderLine,
    OrderRef,
    Pace,
    Page,
    Panel,
    ReadsBy,
    ReportFile,
    StatusChange,
    Window,
    hookimpl,
)
from syncd.errors import PanelAnswer
from syncd.snapshots import Hook, Shown, status_hooks
from syncd_paytm.api import Item, Paytm, read_items
from syncd_paytm.files import FILES, NOTES, arrived, handed_in
from syncd_paytm.settings import Fields, PaytmSettings

__all__ = [
    "FILES",
    "Fields",
    "PaytmSettings",
    "describe_channel",
    "fetch_cancelled",
    "fetch_delivered",
    "fetch_dispatched",
    "fetch_orders",
    "fetch_returns",
    "provides_shipping",
    "read_report",
]

MAX_RAW: Final = 20_000

PACES: Final[Mapping[str, Pace]] = {
    "default": Pace(per_second=1, burst=5),
    "unlimited": Pace(per_second=100_000, burst=1_000),
}
UNVERIFIED: Final = (
    "Whether the seller API still answers at all: the marketplace has turned to ONDC.",
    "Every field of orders.json; see the setting fields.",
    "The status numbers of shipped, delivered, cancelled and returned items: give status_map.",
    "Whether an item's row has a time; without one an event is dated by the pass that saw it.",
    "How orders.json goes on after its limit: a full list fails the fetch of new orders aloud.",
    "How the end of a token's life is written, and its zone.",
    "Whether a call of /authorize must come before the first order call; none is made.",
    "Who ships an order is shown nowhere: it is the account's setting ships.",
    "No rate limit is known; the pace is one call a second.",
    *NOTES,
)


@hookimpl
def describe_channel() -> Channel:
    """Paytm, asked by order ids; new orders by their status."""
    return Channel(
        title="Paytm",
        settings=PaytmSettings,
        time_zone="Asia/Kolkata",
        reads_by=frozenset({ReadsBy.ORDERS}),
        window_only=frozenset({Kind.ORDERS.value}),
        longest_window=timedelta(days=366),  # the span does not limit what a call returns
        orders_per_call=1_000,  # the folder of files is read for each part
        paces=PACES,
        ships="as the account's setting says",
        unverified=UNVERIFIED,
        sources={"panelfile": FILES},
    )


@hookimpl
def fetch_orders(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Page[NewOrder]]:
    """Orders that are still to be shipped; chosen orders in any state."""
    paytm, settings = Paytm(panel, account.settings), account.settings
    if orders:
        for found in paytm.by_ids([order.order_id for order in orders]):
            yield Page(rows=_new_orders(found, settings, window.end))
        return
    for state in settings.new_order_states:
        found, full = paytm.by_status(state)
        rows = _new_orders(found, settings, window.end)
        yield Page(rows=rows)
        if full:
            raise PanelAnswer(
                f"Paytm shows {settings.page_size} orders in state {state}, as many as were asked "
                "for, and no way to a second page is known, so some may be missing. Raise "
                "page_size in the account's settings, or import the orders from a file."
            )


def _read(
    account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
) -> Iterator[Iterable[Shown]]:
    if orders:
        for found in Paytm(panel, account.settings).by_ids([one.order_id for one in orders]):
            yield [item.shown for item in read_items(found, account.settings)]


_dispatched, _delivered, _cancelled, _returns = status_hooks(_read)


def _hook(kind: Kind, ask: Hook) -> Hook:
    """The files first: they are there even if the API is not."""

    @hookimpl
    def fetch(
        account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        yield from arrived(kind, account, window, orders, panel)
        yield from ask(account, window, orders, panel)

    return fetch


fetch_dispatched = _hook(Kind.DISPATCHED, _dispatched)
fetch_delivered = _hook(Kind.DELIVERED, _delivered)
fetch_cancelled = _hook(Kind.CANCELLED, _cancelled)
fetch_returns = _hook(Kind.RETURNS, _returns)


@hookimpl
def read_report(account: Account, report: ReportFile) -> Iterator[Page[StatusChange]]:
    """A report file of the panel, for what the API's numbers do not tell."""
    yield from handed_in(account, report)


@hookimpl
def provides_shipping(account: Account) -> bool:
    """As the account says; the panel shows it nowhere."""
    ships: str = account.settings.ships
    return ships == "channel"


def _new_orders(found: Raw, settings: PaytmSettings, read_at: datetime) -> list[NewOrder]:
    orders: dict[str, list[Item]] = {}
    for item in read_items(found, settings):
        orders.setdefault(item.shown.order_id, []).append(item)
    return [_order(order_id, items, read_at) for order_id, items in orders.items()]


def _order(order_id: str, items: Sequence[Item], read_at: datetime) -> NewOrder:
    quantities: dict[str, int] = {}
    problems = [item.shown.problem for item in items if item.shown.problem]
    for item in items:
        line, quantity = item.shown.line_id, item.shown.quantity or 1
        quantities[line] = quantities.get(line, 0) + quantity
        if not item.shown.sku and not item.shown.problem:
            problems.append(f"item {line} has no sku, so no stock can be found for it")
    lines = {item.shown.line_id: item.shown for item in items}
    return NewOrder(
        order_id=order_id,
        placed_at=min((i.placed_at for i in items if i.placed_at), default=read_at),
        lines=tuple(
            OrderLine(line_id=line, sku=shown.sku, quantity=quantities[line])
            for line, shown in lines.items()
            if line
        ),
        problem="; ".join(problems),
        raw="\n".join(item.shown.raw for item in items)[:MAX_RAW] if problems else "",
    )
