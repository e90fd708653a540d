"""Replacements in the intake: an order or a line that stands in for another.

Most channels give a replacement an order id of its own, and nothing has to be told apart. Some
reuse the id. Then a line is what tells the two apart, so its line ids must be new; if they are
not, nothing is guessed and a person is asked.
"""

from __future__ import annotations

from typing import Final

from syncd.book.intake_known import Desk, Known
from syncd.rules import Reason
from syncd.statuses import NewOrder, OrderLine

WHOLE: Final = "*"
"""What a line stands in for when the channel only says that the whole order is a replacement."""

_OPEN: Final = (
    "INSERT INTO exceptions (account_id, order_id, code, severity, message, state, opened_at, "
    "closed_by, note) SELECT ?, ?, ?, 'warning', ?, 'OPEN', ?, '', '' WHERE NOT EXISTS ("
    "SELECT 1 FROM exceptions WHERE account_id = ? AND order_id = ? AND code = ? AND message = ?)"
)


def stands_in_for(order: NewOrder, line: OrderLine) -> str:
    """The line of the same order that this one stands in for; empty for none."""
    if order.replaces not in ("", order.order_id):
        return ""  # of another order: they cannot be taken for each other
    return line.replaces_line_id or (WHOLE if order.replaces else "")


def replaced_order(order: NewOrder) -> str:
    """The order that this one stands in for: itself, where a line of it replaces another."""
    again = any(stands_in_for(order, line) for line in order.lines)
    return order.replaces or (order.order_id if again else "")


def ambiguous(order: NewOrder, known: Known | None) -> str:
    """Why the order and its replacement cannot be told apart, in a sentence; empty if they can."""
    for line in order.lines:
        other = stands_in_for(order, line)
        if not other:
            continue
        had = known is not None and line.line_id in known.lines
        original = known is not None and line.line_id not in known.stands_in
        if other == line.line_id or (had and original):
            return (
                f"Order {order.order_id} is used again for a replacement, and its line "
                f"{line.line_id} has the id of a line that it replaces, so the two cannot be told "
                "apart; nothing of it was taken. Import it with ids of its own."
            )
    return ""


def open_exception(desk: Desk, order_id: str, message: str) -> None:
    """Ask a person, once: the same question is not opened a second time, even if it is closed."""
    key = (desk.account_id, order_id, Reason.AMBIGUOUS_REPLACEMENT.value)
    desk.book.query(_OPEN, (*key, message, desk.at, *key, message))
