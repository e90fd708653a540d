"""Orders for the book, and whether the channel ships them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncd import NewOrder, OrderLine
from syncd_amazon.easy_ship import EASY_SHIP, is_easy_ship
from syncd_amazon.seen import Broken, Seen
from syncd_amazon.settings import AmazonSettings


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
        problem=row.sentence("an order"),
    )


def channel_ships(settings: AmazonSettings, facts: Mapping[str, str]) -> bool:
    """Does Amazon carry this order? See the table in the README.

    The lack of an Easy Ship state proves nothing, because unpaid orders have none: only a
    merchant's order whose service level or programs are known and name no carriage of Amazon's
    is the seller's own.
    """
    if facts.get("fulfilledBy") != "MFN":
        return True  # Amazon's own, or nothing is known of it (an imported order)
    if is_easy_ship(facts):
        return True
    programs = set(facts.get("programs", "").split(","))
    if programs & {EASY_SHIP, *settings.programs_shipped}:
        return True
    return "serviceLevel" not in facts and "programs" not in facts
