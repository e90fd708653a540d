"""Reading orders of v0, each with its lines."""

from __future__ import annotations

from msgspec import Raw

from syncd.shapes import BadRow, rows
from syncd_amazon.api import Amazon
from syncd_amazon.easy_ship import fill_states
from syncd_amazon.seen import Box, Line, Read, Seen, broken, raw_of
from syncd_amazon.statuses import ORDER_STAGE, Stage, easy_ship_stage
from syncd_amazon.wire import Item0, Order0


def read_v0(amazon: Amazon, raw: Raw, *, states: bool) -> Read:
    """A page of orders of v0, each with its lines; ``states`` as for 2026-01-01."""
    seen, bad = [], []
    for row in rows(raw, Order0):
        if isinstance(row, BadRow):
            bad.append(broken(row, "AmazonOrderId"))
        else:
            seen.append(_seen_v0(row, amazon.items_v0(row.amazon_order_id)))
    if states:
        fill_states(amazon, seen)
    return seen, bad


def _seen_v0(row: Order0, items: list[Item0]) -> Seen:
    facts: dict[str, str] = {}
    if row.fulfillment_channel:
        facts["fulfilledBy"] = row.fulfillment_channel
    if row.easy_ship_shipment_status:
        facts["easyShip"] = "yes"
    if row.ship_service_level:
        facts["serviceLevel"] = row.ship_service_level
    if row.is_prime:
        facts["programs"] = "PRIME"
    stage = ORDER_STAGE.get(row.order_status)
    lines = _lines_v0(items, stage, row.number_of_items_unshipped)
    word = row.easy_ship_shipment_status or row.order_status
    easy = bool(row.easy_ship_shipment_status)
    box_stage = easy_ship_stage(word) if easy else stage
    # An order of v0 has one Easy Ship parcel; its number is not told.
    shipped = {line.line_id: line.shipped for line in lines if line.shipped}
    boxes = [Box("", word, box_stage, shipped)] if easy else []
    return Seen(
        order_id=row.amazon_order_id,
        placed_at=row.purchase_date,
        changed_at=row.last_update_date,
        word=row.order_status,
        stage=stage,
        lines=lines,
        boxes=boxes,
        facts=facts,
        replaces=row.replaced_order_id or "" if _true(row.is_replacement_order) else "",
        raw=raw_of(row),
    )


def _lines_v0(items: list[Item0], stage: Stage | None, unshipped: int | None) -> list[Line]:
    left = sum(max(0, item.quantity_ordered - item.quantity_shipped) for item in items)
    short = [item for item in items if item.quantity_ordered > item.quantity_shipped]
    lines = []
    for item in items:
        rest = max(0, item.quantity_ordered - item.quantity_shipped)
        gone: int | None = 0
        if stage is Stage.CANCELLED or unshipped == 0:
            gone = rest
        elif unshipped is not None and unshipped < left:
            # Fewer are waited for than are missing. Of one line that is a number, of several not.
            gone = (left - unshipped if len(short) == 1 else None) if rest else 0
        if stage is Stage.OPEN and unshipped == 0:
            gone = 0  # an unpaid order counts nothing yet
        wish = item.buyer_requested_cancel
        wanted = wish is not None and _true(wish.is_buyer_requested_cancel)
        reason = (wish.buyer_cancel_reason or "") if wish else ""
        lines.append(
            Line(
                line_id=item.order_item_id,
                sku=item.seller_sku or "",
                title=item.title or "",
                ordered=item.quantity_ordered,
                shipped=min(item.quantity_shipped, item.quantity_ordered),
                gone=gone,
                wish=reason if wanted else None,
            )
        )
    return lines


def _true(value: object) -> bool:
    return value is True or str(value).lower() == "true"
