"""The call for one order, and how its lines are read.

Source: the public wiki of an order system that is connected to this panel (three pages of 2021
and 2022). The panel itself publishes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from msgspec import Meta, Raw, Struct, field

from syncd import Panel
from syncd.shapes import BadRow, rows
from syncd_tatacliq.settings import TataCliqSettings

IST: Final = ZoneInfo("Asia/Kolkata")
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


def read_order(panel: Panel, settings: TataCliqSettings, order_id: str) -> list[Order | BadRow]:
    """The order of this id; empty if the panel has none."""
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
