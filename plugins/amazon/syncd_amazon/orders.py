"""Orders of both API versions in one form, and whether the channel ships them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import msgspec
from msgspec import Raw, Struct, field

from syncd import NewOrder, OrderLine
from syncd.shapes import BadRow, rows
from syncd_amazon.api import Amazon
from syncd_amazon.settings import AmazonSettings
from syncd_amazon.statuses import ORDER_STAGE, PACKAGE_STAGE, Stage, easy_ship_stage
from syncd_amazon.wire import Item0, Item26, Order0, Order26, Package

MAX_RAW: Final = 20_000
EASY_SHIP: Final = "AMAZON_EASY_SHIP"
_EZ: Final = re.compile(r"\bEZ\b")
_GONE: Final = frozenset({Stage.LEFT, Stage.BY_LINE})
_UNPAID: Final = frozenset({"Pending", "PendingAvailability", "PENDING", "PENDING_AVAILABILITY"})


class Line(Struct):
    """One line. ``gone`` is how many pieces are cancelled, None where that is not certain."""

    line_id: str
    sku: str
    title: str
    ordered: int
    shipped: int
    gone: int | None = 0
    reason: str = ""
    wish: str | None = None


class Box(Struct):
    """One parcel: which pieces are in it and how far it is; ``stage`` None for unknown words."""

    ref: str
    word: str
    stage: Stage | None
    items: dict[str, int]
    shipped_at: datetime | None = None
    tracking: str = ""
    courier: str = ""


class Seen(Struct):
    """An order as the panel shows it at one moment; its ``stage`` is None for unknown words."""

    order_id: str
    placed_at: datetime
    changed_at: datetime
    word: str
    stage: Stage | None
    lines: list[Line]
    boxes: list[Box]
    facts: dict[str, str]
    replaces: str = ""
    raw: str = field(default="")


class Broken(Struct):
    """A row that could not be read, with what could be made out of it."""

    order_id: str
    raw: str
    problem: str

    @property
    def evidence(self) -> str:
        """The same for the same row."""
        return f"{self.order_id}/unreadable/{crc32(self.raw.encode())}"


Read = tuple[list[Seen], list[Broken]]


def read_26(amazon: Amazon, raw: Raw, *, states: bool) -> Read:
    """A page of orders of 2026-01-01.

    With ``states`` the Easy Ship states that it leaves out are asked for elsewhere; that a parcel
    has left is known without.
    """
    seen, broken = [], []
    for row in rows(raw, Order26):
        if isinstance(row, BadRow):
            broken.append(_broken(row, "orderId"))
        else:
            seen.append(_seen_26(row))
    if states:
        _fill_states(amazon, seen)
    return seen, broken


def _fill_states(amazon: Amazon, seen: Iterable[Seen]) -> None:
    """Ask elsewhere for the state of Easy Ship parcels of which the page says too little.

    UNDELIVERABLE alone does not say whether a parcel is lost, coming back or back, and an order
    that has left without any parcel says nothing of it.
    """
    open_ends: dict[str, Seen] = {}
    for order in seen:
        if order.facts.get("fulfilledBy") != "MFN":
            continue
        if not order.boxes and order.stage in _GONE and _is_easy_ship(order.facts):
            shipped = {line.line_id: line.shipped for line in order.lines if line.shipped}
            order.boxes.append(Box("", order.word, Stage.UNDELIVERABLE, shipped))
        if any(box.stage is Stage.UNDELIVERABLE for box in order.boxes):
            open_ends[order.order_id] = order
    if not open_ends:
        return
    for order_id, word in amazon.easy_ship_states(list(open_ends)).items():
        boxes = open_ends[order_id].boxes if order_id in open_ends else []
        if len(boxes) == 1:  # the other sources speak of the order, not of a parcel
            boxes[0].word, boxes[0].stage = word, easy_ship_stage(word)


def _is_easy_ship(facts: Mapping[str, str]) -> bool:
    return "easyShip" in facts or bool(_EZ.search(facts.get("serviceLevel", "")))


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
        if stage in _GONE and EASY_SHIP in row.programs:
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


def read_v0(amazon: Amazon, raw: Raw, *, states: bool) -> Read:
    """A page of orders of v0, each with its lines; ``states`` as for 2026-01-01."""
    seen, broken = [], []
    for row in rows(raw, Order0):
        if isinstance(row, BadRow):
            broken.append(_broken(row, "AmazonOrderId"))
        else:
            seen.append(_seen_v0(row, amazon.items_v0(row.amazon_order_id)))
    if states:
        _fill_states(amazon, seen)
    return seen, broken


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


def new_order(seen: Seen) -> NewOrder:
    """The order for the book."""
    lines = [line for line in seen.lines if line.ordered]  # a cancelled line may read 0 ordered
    problem = "; ".join(
        f"line {line.line_id} has no seller SKU, so no stock can be found for it"
        for line in lines
        if not line.sku
    )
    if not lines:
        problem = "Amazon sent an order without a line"
    return NewOrder(
        order_id=seen.order_id,
        placed_at=seen.placed_at,
        lines=tuple(
            OrderLine(line_id=one.line_id, sku=one.sku, quantity=one.ordered, title=one.title)
            for one in lines
        ),
        facts=seen.facts,
        replaces=seen.replaces,
        raw=seen.raw if problem else "",
        problem=problem,
    )


def unreadable_order(row: Broken, read_at: datetime) -> NewOrder:
    """An order that a person must look at."""
    return NewOrder(
        order_id=row.order_id,
        placed_at=read_at,
        lines=(),
        raw=row.raw,
        problem=f"Amazon sent an order that cannot be read: {row.problem}.",
    )


def channel_ships(settings: AmazonSettings, facts: Mapping[str, str]) -> bool:
    """Does Amazon carry this order? See the table in the README.

    The lack of an Easy Ship state proves nothing, because unpaid orders have none: only a
    merchant's order whose service level or programs are known and name no carriage of Amazon's
    is the seller's own.
    """
    if facts.get("fulfilledBy") != "MFN":
        return True  # Amazon's own, or nothing is known of it (an imported order)
    if _is_easy_ship(facts):
        return True
    programs = set(facts.get("programs", "").split(","))
    if programs & {EASY_SHIP, *settings.programs_shipped}:
        return True
    return "serviceLevel" not in facts and "programs" not in facts


def raw_of(row: Any) -> str:
    """A row as text, of what was read of it: no buyer's data is in it."""
    return msgspec.json.encode(row).decode()[:MAX_RAW]


def _broken(row: BadRow, name: str) -> Broken:
    found = re.search(rf'"{name}"\s*:\s*"([^"\\]{{1,200}})"', row.raw)
    return Broken(found.group(1) if found else "", row.raw, row.problem)


def _true(value: object) -> bool:
    return value is True or str(value).lower() == "true"
