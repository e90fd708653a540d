"""From orders of the panel to facts. What cannot be read becomes an UNKNOWN one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from msgspec import json

from syncd import NewOrder, OrderLine, Status, StatusChange
from syncd.meanings import Meaning
from syncd.shapes import BadRow, odd_order
from syncd.snapshots import Shown
from syncd_shopclues.api import Item, Number, OrderRow, moment
from syncd_shopclues.settings import ShopCluesSettings

PARENT: Final = "Y"
HAD_LEFT: Final = frozenset({Status.RETURN_NOTICED, Status.RETURNED, Status.LOST})

Found = Iterable[OrderRow | BadRow]


def orders_of(
    found: Found, letters: Collection[str] | None, skus: Mapping[str, str], read_at: datetime
) -> Iterator[NewOrder]:
    """The orders with one of these letters, or with any. Parents are left out.

    ``skus`` gives the seller's own SKU of a product: the panel does not tell it.
    """
    for row in found:
        if isinstance(row, BadRow):
            yield odd_order(_cannot_read(row), row.raw, read_at)
        elif row.is_parent_order != PARENT and (letters is None or row.status in letters):
            try:
                yield _order(row, skus)
            except ValueError as error:
                raw = json.encode(row).decode()
                yield odd_order(f"{error}.", raw, read_at, order_id=str(row.order_id))


def shown_in(found: Found, settings: ShopCluesSettings) -> Iterator[Shown]:
    """What the letters of orders say, but of parents and of orders that wait to be shipped."""
    for row in found:
        if isinstance(row, BadRow):
            yield Shown(order_id="", raw=row.raw, problem=_cannot_read(row))
        elif row.is_parent_order != PARENT and row.status not in settings.open_letters:
            known = row.status in settings.status_map
            yield Shown(
                order_id=str(row.order_id),
                word=row.status,
                raw=json.encode(row).decode(),
                problem="" if known else _not_known(row.status),
            )


def change(
    order_id: str, word: str, meaning: Meaning, at: datetime, evidence_id: str, tracking: str = ""
) -> StatusChange:
    """The fact that a word tells of a whole order."""
    assert meaning.status is not None
    return StatusChange(
        order_id=order_id,
        status=meaning.status,
        return_type=meaning.return_type,
        native_status=word,
        occurred_at=at,
        tracking_number=tracking,
        left_seller=meaning.status in HAD_LEFT,
        evidence_id=evidence_id,
    )


def _cannot_read(row: BadRow) -> str:
    return f"ShopClues sent an order that cannot be read: {row.problem}."


def _not_known(letter: str) -> str:
    return f"ShopClues' status {letter!r} is not known. Say what it means in status_map."


def _order(row: OrderRow, skus: Mapping[str, str]) -> NewOrder:
    """The order with its lines, one for each product. Raises ValueError."""
    amounts: dict[str, int] = {}
    titles: dict[str, str] = {}
    for key, item in _items(row):
        if not key:
            raise ValueError("a product of the order has no product_id")
        amount = item.amount if item.amount is not None else item.quantity
        amounts[key] = amounts.get(key, 0) + _whole(amount)
        titles[key] = item.product or item.product_name or ""
    if not amounts:
        raise ValueError("the order has no products")
    lines = (
        OrderLine(line_id=key, sku=skus.get(key, key), quantity=amount, title=titles[key])
        for key, amount in amounts.items()
    )
    parent = str(row.parent_order_id or "0")
    facts = {"parentOrder": parent} if parent != "0" else {}
    return NewOrder(
        order_id=str(row.order_id),
        placed_at=moment(row.timestamp),
        lines=tuple(lines),
        facts=facts,
    )


def _items(row: OrderRow) -> Iterator[tuple[str, Item]]:
    """The products by id, from either shape."""
    if isinstance(row.items, dict):
        for key, item in row.items.items():
            yield str(item.product_id or key), item
    else:
        for item in row.items_list or row.items or []:
            yield str(item.product_id or ""), item


def _whole(amount: Number) -> int:
    try:
        number = float(amount) if amount is not None else 0.0
        if number >= 1 and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"the amount of a product is no whole number: {amount!r}")
