"""What an order must be like before it may enter the book."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from syncd.book.intake_files import IMPORTABLE, NO_STATES
from syncd.statuses import MAX_ID_LENGTH, MAX_QUANTITY, MAX_RAW_LENGTH, NewOrder, OrderLine

MAX_LINES: Final = 2_000
MAX_AHEAD: Final = timedelta(days=1)  # clocks differ and zones are mixed up by less


class Problem(Struct, frozen=True):
    """Something about an order that a person should know, in a sentence.

    ``kept`` is whether the order is in the book all the same. ``raw`` is its text, cut.
    """

    order_id: str
    reason: str
    kept: bool = False
    raw: str = ""


class Note(Struct, frozen=True):
    """Something that was done to a known order and is no problem, in a sentence."""

    order_id: str
    text: str


def check(order: NewOrder, now: datetime | None = None) -> Problem | None:
    """Why this order cannot be taken, or None. With ``now``, also one placed in the future."""
    reason = (
        order.problem
        or _of_order(order)
        or _of_time(order, now)
        or _of_lines(order)
        or _of_states(order)
    )
    if not reason:
        return None
    return Problem(str(order.order_id)[:MAX_ID_LENGTH], reason, raw=order.raw[:MAX_RAW_LENGTH])


def _of_order(order: NewOrder) -> str:
    if not _is_id(order.order_id):
        return f"The order id must be text of 1 to {MAX_ID_LENGTH} characters."
    moment: object = order.placed_at  # a plugin's value: its type is not proven
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return "placed_at is missing or has no time zone; write an offset such as +05:30."
    replaces: object = order.replaces
    if not isinstance(replaces, str) or len(replaces) > MAX_ID_LENGTH:
        return f"replaces must be the id of an order, up to {MAX_ID_LENGTH} characters."
    if not order.lines:
        return "The order has no lines."
    if len(order.lines) > MAX_LINES:
        return f"The order has {len(order.lines)} lines; at most {MAX_LINES} are taken."
    return ""


def _of_time(order: NewOrder, now: datetime | None) -> str:
    if now is None or order.placed_at - now <= MAX_AHEAD:
        return ""
    return (
        f"placed_at {order.placed_at.isoformat()} is more than a day in the future; check its "
        "year and its offset."
    )


def _of_lines(order: NewOrder) -> str:
    seen: dict[str, OrderLine] = {}
    pieces = 0
    for line in order.lines:
        if not _is_id(line.line_id) or not _is_id(line.sku):
            return f"A line id and a SKU must be text of 1 to {MAX_ID_LENGTH} characters."
        stands_in: object = line.replaces_line_id
        if not isinstance(stands_in, str) or len(stands_in) > MAX_ID_LENGTH:
            return f"Line {line.line_id} replaces something that is not a line id."
        if not all(map(_is_id, line.components)):
            return f"Line {line.line_id} has a component that is not a SKU."
        quantity = line.quantity
        if type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:
            return f"Line {line.line_id} has quantity {quantity!r}; it must be 1 to {MAX_QUANTITY}."
        same = seen.setdefault(line.line_id, line)
        if same is not line and _content(same) != _content(line):
            return f"Line id {line.line_id} stands twice, with different SKU or quantity."
        pieces += quantity * max(1, len(line.components))
    if pieces > MAX_QUANTITY:
        return f"The order has {pieces} pieces; at most {MAX_QUANTITY} are taken."
    return ""


def _of_states(order: NewOrder) -> str:
    for line_id, state in getattr(order, "states", NO_STATES).items():
        if state not in IMPORTABLE:
            return f"Line {line_id} cannot be imported as {state}; only states up to DELIVERED."
    return ""


def _content(line: OrderLine) -> tuple[str, int, tuple[str, ...]]:
    return line.sku, line.quantity, line.components


def _is_id(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_ID_LENGTH and not text.isspace()


def misplaced(order: NewOrder, locations: Mapping[str, str], account: str) -> Problem | None:
    """Why no facility is known for the order, or None.

    ``locations`` are the account's; without any, every order is its own facility's. An order
    that names none of them belongs to a warehouse that the configuration forgot.
    """
    place = order.location_id
    if not locations or not place or place in locations:
        return None
    reason = (
        f"Location {place} is none of the account's locations, so no facility is known for the "
        f"order. Add it to [accounts.{account}.locations], then import it again or ask for it: "
        f"syncctl trigger {account} --order {order.order_id}"
    )
    return Problem(order.order_id[:MAX_ID_LENGTH], reason, raw=order.raw[:MAX_RAW_LENGTH])
