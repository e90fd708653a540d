"""Which orders each kind asks for, in the words of both versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Raw

from syncd import OrderRef, Window
from syncd_amazon import statuses
from syncd_amazon.api import Amazon
from syncd_amazon.orders_new import read_26
from syncd_amazon.orders_v0 import read_v0
from syncd_amazon.seen import Broken, Read

ORDER_ID: Final = re.compile(r"[0-9A-Z]{3}-[0-9]{7}-[0-9]{7}")
"""What Amazon calls its format 3-7-7."""


class Asked:
    """What one kind asks for: states in the words of both versions, and more for each."""

    def __init__(
        self, new: str, old: str, *, only_merchant: bool = False, easy_ship: Sequence[str] = ()
    ) -> None:
        self.new = {"fulfillmentStatuses": new}
        self.old = {"OrderStatuses": old}
        self.states = only_merchant
        if only_merchant:  # parcels are shown of merchants' orders only
            self.new["fulfilledBy"] = "MERCHANT"
        if easy_ship:
            self.old = {"EasyShipShipmentStatuses": ",".join(easy_ship)}


OPEN: Final = Asked("UNSHIPPED,PARTIALLY_SHIPPED", "Unshipped,PartiallyShipped")
GONE: Final = Asked("PARTIALLY_SHIPPED,SHIPPED", "PartiallyShipped,Shipped,InvoiceUnconfirmed")
# Pieces of a line may be cancelled in an order that goes on, so that its state does not tell.
ANY: Final = Asked(
    "UNSHIPPED,PARTIALLY_SHIPPED,SHIPPED,CANCELLED",
    "Unshipped,PartiallyShipped,Shipped,InvoiceUnconfirmed,Canceled",
)
ARRIVED: Final = Asked(
    "PARTIALLY_SHIPPED,SHIPPED", "", only_merchant=True, easy_ship=statuses.DELIVERED_STATES
)
BACK: Final = Asked(  # an order that was cancelled on its way comes back too
    "PARTIALLY_SHIPPED,SHIPPED,CANCELLED", "", only_merchant=True, easy_ship=statuses.BACK_STATES
)


def pages(
    amazon: Amazon, window: Window, orders: Sequence[OrderRef], asked: Asked
) -> Iterator[Read]:
    """The orders of a window, or these orders, a page at a time.

    Amazon refuses a whole call for one id that cannot be an order's, as a file may bring one into
    the book. Such ids are told as rows that cannot be read, and are not sent.
    """
    ids = list(dict.fromkeys(order.order_id for order in orders))
    if odd := [one for one in ids if not ORDER_ID.fullmatch(one)]:
        yield [], [_no_id(one) for one in odd]
        ids = [one for one in ids if ORDER_ID.fullmatch(one)]
    if amazon.settings.orders_api == "v0":
        old = amazon.by_ids_v0(ids) if orders else amazon.search_v0(window, **asked.old)
        for raw in old:
            yield read_v0(amazon, raw, states=asked.states)
    elif not orders:
        for raw in amazon.search(window, **asked.new):
            yield read_26(amazon, raw, states=asked.states)
    else:
        for order_id in ids:
            found = amazon.order(order_id)
            if found is not None:
                yield read_26(amazon, _listed(found), states=asked.states)


def _no_id(order_id: str) -> Broken:
    problem = (
        f"{order_id[:60]!r} is no order id of Amazon, which has the form 403-1234567-1234567, so "
        "it was not asked for. Was it mistyped in an import? What Amazon knows of the order stands "
        "under its right id."
    )
    return Broken(order_id, order_id, problem, asked=False)


def _listed(raw: Raw) -> Raw:
    return Raw(b"[" + bytes(raw) + b"]")
