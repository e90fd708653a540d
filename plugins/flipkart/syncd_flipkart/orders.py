"""From rows of the panel to orders for the book. No buyer's data is read or kept."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from syncd import NewOrder, OrderLine
from syncd.shapes import odd_order
from syncd_flipkart.api import Item, Shipment
from syncd_flipkart.rows import MAX_RAW, Broken, raw_of

ORDERED = "quantity:"  # + line id: how many pieces the line came with
SHIPS = "shipmentType:"  # + line id: who ships its parcel
REPLACEMENTS = "replacementLines"  # line ids, comma separated: sent again, not sold again


def read_orders(
    shipments: Iterable[Shipment],
    broken: Iterable[Broken],
    read_at: datetime,
    *,
    known: Container[str] = (),
) -> list[NewOrder]:
    """The orders of these shipments, without those that are ``known``.

    A line that stands in several states or parcels is the sum of them. An order whose lines
    are at several locations comes as one for each location; the book merges their lines.
    """
    found: dict[tuple[str, str], list[tuple[Shipment, Item]]] = {}
    places: dict[str, str] = {}
    for shipment in shipments:
        for item in shipment.order_items:
            if item.order_id not in known:
                place = places.setdefault(item.order_item_id, shipment.location_id or "")
                found.setdefault((item.order_id, place), []).append((shipment, item))
    orders = [_order(order_id, place, rows) for (order_id, place), rows in found.items()]
    return orders + [_unreadable(row, read_at) for row in broken]


def _order(order_id: str, place: str, rows: list[tuple[Shipment, Item]]) -> NewOrder:
    quantities: dict[str, int] = {}
    facts: dict[str, str] = {}
    for shipment, item in rows:
        line = item.order_item_id
        quantities[line] = quantities.get(line, 0) + int(item.quantity)
        facts[ORDERED + line] = str(quantities[line])
        if shipment.shipment_type:
            facts[SHIPS + line] = shipment.shipment_type
    again = [item.order_item_id for _, item in rows if item.is_replacement]
    if again:
        facts[REPLACEMENTS] = ",".join(dict.fromkeys(again))
    lines = {item.order_item_id: item for _, item in rows}
    problem = "; ".join(_lacks(item) for item in lines.values() if not item.sku)
    return NewOrder(
        order_id=order_id,
        placed_at=_placed_at(rows),
        location_id=place,
        lines=tuple(_line(item, quantities[line]) for line, item in lines.items()),
        facts=facts,
        raw="\n".join(raw_of(*row) for row in rows)[:MAX_RAW] if problem else "",
        problem=problem,
    )


def _line(item: Item, quantity: int) -> OrderLine:
    return OrderLine(
        line_id=item.order_item_id,
        sku=item.sku or "",
        quantity=quantity,
        title=item.title or "",
    )


def _lacks(item: Item) -> str:
    return f"line {item.order_item_id} has no sku, so no stock can be found for it"


def _placed_at(rows: list[tuple[Shipment, Item]]) -> datetime:
    """When the order was placed; of a line without the date, when its shipment last changed."""
    return min(item.order_date or shipment.updated_at for shipment, item in rows)


def _unreadable(row: Broken, read_at: datetime) -> NewOrder:
    problem = f"Flipkart sent an order line that cannot be read: {row.problem}."
    return odd_order(problem, row.raw, row.at or read_at, order_id=row.order_id)


def ordered_quantities(facts: Mapping[str, str]) -> dict[str, int]:
    """How many pieces each line of an order came with, as its facts remember."""
    return {
        name.removeprefix(ORDERED): int(value)
        for name, value in facts.items()
        if name.startswith(ORDERED) and value.isdecimal()
    }
