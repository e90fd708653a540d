"""The call for one order, and how its lines are read.

Source: the public wiki of an order system that is connected to this panel (three pages of 2021
and 2022). The panel itself publishes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from msgspec import Meta, Raw, Struct, field

from syncd import OrderRef, Panel
from syncd.errors import PanelGone
from syncd.shapes import BadRow, rows
from syncd_tatacliq.settings import TataCliqSettings

IST: Final = ZoneInfo("Asia/Kolkata")
NOT_FOUND: Final = 404
_NOTHING: Final = ("", "null", "NA")  # so the panel writes what it does not have

Id = Annotated[str, Meta(min_length=1, max_length=200)]


class Answer(Struct):
    """The answer for one order: a list with that order, or with none."""

    order: Raw


class Line(Struct):
    """One line: one piece. No buyer's data is read."""

    line_id: Id = field(name="transactionId")
    status: Id = field(name="omsStatusCode")
    sku: str | None = field(name="articleNumber", default=None)
    ships: str | None = field(name="fulfillmentType", default=None)
    location: str | None = field(name="p1SlaveId", default=None)
    courier: str | None = field(name="p1LogisticsID", default=None)


class Order(Struct):
    """An order; each of its lines is checked by itself."""

    order_id: Id = field(name="orderNo")
    lines: list[Raw] = field(name="orderLine")
    placed_at: str | None = field(name="orderDate", default=None)


def read_orders(
    panel: Panel, settings: TataCliqSettings, orders: Sequence[OrderRef], missing: list[str]
) -> Iterator[tuple[str, list[Order | BadRow]]]:
    """The id of each order, and what the panel has of it; those that it lacks go to ``missing``.

    A 404 may mean such an order, or that the address is wrong: then all orders get one. So it is
    believed beside an order that the same address has. Raises PanelGone where there is none.
    """
    gone: PanelGone | None = None
    for order in orders:
        try:
            found = _read_order(panel, settings, order.order_id)
        except PanelGone as error:
            if error.status != NOT_FOUND:
                raise
            gone = error
            missing.append(order.order_id)
        else:
            yield order.order_id, found
    if gone is not None and len(missing) == len(orders):
        asked = "one order was" if len(orders) == 1 else f"{len(orders)} orders were"
        none = "it was not" if len(orders) == 1 else "none of them was"
        raise PanelGone(
            f"{gone} {asked.capitalize()} asked for, and {none} found. Either the address is wrong "
            "(are base_url, seller_id and order_path right?), or the orders are not of this "
            "account."
        )


def _read_order(panel: Panel, settings: TataCliqSettings, order_id: str) -> list[Order | BadRow]:
    path = settings.order_path.format(
        seller_id=settings.seller_id, order_id=quote(order_id, safe="")
    )
    answer = panel.get(
        path,
        shape=Answer,
        headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
        pace=settings.pace,
    )
    return list(rows(answer.order, Order))


def read_lines(order: Order) -> list[Line | BadRow]:
    """The lines; the same one twice is one."""
    texts = dict.fromkeys(bytes(raw) for raw in order.lines)
    return list(rows([Raw(text) for text in texts], Line))


def given(text: str | None) -> str:
    """The text, empty where the panel has only a word for nothing."""
    return "" if text is None or text.strip() in _NOTHING else text


def moment(text: str | None) -> datetime | None:
    """A time in either of the panel's two styles; without a zone it is taken as Indian."""
    try:
        stamp = datetime.fromisoformat(given(text))
    except ValueError:
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=IST)
