"""Reading orders of 2026-01-01."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from syncd.shapes import BadRow, rows
from syncd_amazon.api import Amazon
from syncd_amazon.easy_ship import EASY_SHIP, LEFT, fill_states
from syncd_amazon.seen import Box, Line, Read, Seen, broken, raw_of
from syncd_amazon.statuses import ORDER_STAGE, PACKAGE_STAGE, Stage, easy_ship_stage
from syncd_amazon.wire import Item26, Order26, Package

_UNPAID: Final = frozenset({"PENDING", "PENDING_AVAILABILITY"})


def read_26(amazon: Amazon, raw: Raw, *, states: bool) -> Read:
    """A page of orders of 2026-01-01.

    With ``states`` the Easy Ship states that it leaves out are asked for elsewhere; that a parcel
    has left is known without.
    """
    seen, bad = [], []
    for row in rows(raw, Order26):
        if isinstance(row, BadRow):
            bad.append(broken(row, "orderId"))
        else:
            seen.append(_seen_26(row))
    if states:
        fill_states(amazon, seen)
    return seen, bad


def _seen_26(row: Order26) -> Seen:
    made = row.fulfillment
    amazon = made.fulfilled_by == "AMAZON"
    facts = {"fulfilledBy": "AFN" if amazon else "MFN"} if made.fulfilled_by else {}
    if EASY_SHIP in row.programs or row.fulfillment_orders:
        facts["easyShip"] = "yes"
    if made.fulfillment_status not in _UNPAID:
        facts["programs"] = ",".join(row.programs)
    again = [
        one.order_id
        for one in row.associated_orders
        if one.association_type in ("REPLACEMENT_ORIGINAL_ID", "EXCHANGE_ORIGINAL_ID")
    ]
    stage = ORDER_STAGE.get(made.fulfillment_status)
    return Seen(
        order_id=row.order_id,
        placed_at=row.created_time,
        changed_at=row.last_updated_time,
        word=made.fulfillment_status,
        stage=stage,
        lines=[_line_26(item, stage) for item in row.order_items],
        boxes=[_box(one, row) for one in row.packages],
        facts=facts,
        replaces=again[0] if again else "",
        raw=raw_of(row),
    )


def _line_26(item: Item26, stage: Stage | None) -> Line:
    counts, cancel = item.fulfillment, item.cancellation
    done = cancel.cancellation_execution if cancel else None
    wish = cancel.cancellation_request if cancel else None
    ordered = item.quantity_ordered
    if counts is not None:
        shipped = min(counts.quantity_fulfilled, ordered)
        gone: int | None = max(0, ordered - shipped - counts.quantity_unfulfilled)
    else:
        shipped = ordered if stage is Stage.LEFT and done is None else 0
        gone = ordered if stage is Stage.CANCELLED else (None if done else 0)
    if stage is Stage.CANCELLED:
        gone = ordered - shipped
    return Line(
        line_id=item.order_item_id,
        sku=item.product.seller_sku or "",
        title=item.product.title or "",
        ordered=ordered,
        shipped=shipped,
        gone=gone,
        reason=(done.cancel_reason or done.cancelled_by or "") if done else "",
        wish=(wish.cancel_reason or wish.requester or "") if wish and not done else None,
    )


def _box(one: Package, row: Order26) -> Box:
    status = one.package_status
    word = (status.detailed_status or status.status) if status else ""
    if status is None or not word:
        word = row.fulfillment.fulfillment_status
        stage: Stage | None = ORDER_STAGE.get(word)
        if stage in LEFT and EASY_SHIP in row.programs:
            stage = Stage.UNDELIVERABLE  # that it has left is all that is said of it
    elif status.detailed_status:
        stage = easy_ship_stage(word)
    else:
        stage = PACKAGE_STAGE.get(word)
    items: dict[str, int] = {}
    for item in one.package_items:
        items[item.order_item_id] = items.get(item.order_item_id, 0) + item.quantity
    if not items and len(row.packages) == 1:
        items = {
            item.order_item_id: item.fulfillment.quantity_fulfilled
            for item in row.order_items
            if item.fulfillment and item.fulfillment.quantity_fulfilled
        }
    return Box(
        ref=f"{row.order_id}/{one.package_reference_id}",
        word=word,
        stage=stage,
        items=items,
        shipped_at=one.ship_time,
        tracking=one.tracking_number or "",
        courier=one.carrier or "",
    )
