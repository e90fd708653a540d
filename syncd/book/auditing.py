"""What an audit reads of the book: whose turn it is, how far the passes have heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from syncd.book.causes import Cause
from syncd.book.compare import Horizon
from syncd.book.drift import Finding, Question
from syncd.book.inbox import cursor_of
from syncd.book.store import Book
from syncd.book.tables import UNSETTLED
from syncd.clock import from_micros, to_micros
from syncd.statuses import Kind, NewOrder


class Portion(msgspec.Struct, frozen=True):
    """Orders to compare next; ``last`` is where the one after begins, ``placed`` the oldest."""

    order_ids: list[str]
    last: int
    placed: int


def next_portion(book: Book, account_id: int, after: int, since: int, limit: int) -> Portion | None:
    """Orders that can still change, and those whose last change is not before ``since``."""
    rows = book.query(_NEXT, (account_id, after, since, limit)).fetchall()
    if not rows:
        return None
    return Portion([row[1] for row in rows], rows[-1][0], min(row[2] for row in rows))


def placed_since(book: Book, account_id: int, order_ids: Sequence[str], now: datetime) -> int:
    """When the oldest of these orders was placed; now, where the book has none of them."""
    row = book.query(_PLACED, (account_id, _json(order_ids))).fetchone()
    return to_micros(now) if row[0] is None else int(row[0])


def in_book(book: Book, account_id: int, order_ids: Iterable[str]) -> set[str]:
    """Which of these orders the book has."""
    return {row[0] for row in book.query(_IN_BOOK, (account_id, _json(order_ids)))}


def heard_since(book: Book, account_id: int, order_ids: Iterable[str], run_id: int) -> set[str]:
    """Of which of these orders this run, or one after it, has heard or decided something."""
    found = book.query(_HEARD, (account_id, _json(order_ids), run_id, run_id))
    return {order_id for (order_id,) in found}


def opened_by(book: Book, account_id: int, run_id: int, *, since: bool = False) -> list[Question]:
    """The open exceptions that this run opened; with ``since``, those of later runs too."""
    only = -1 if since else run_id
    rows = book.query(_OPENED, (account_id, run_id, only, run_id)).fetchall()
    return [Question(*row) for row in rows]


def horizon(book: Book, account_id: int, kind: Kind, *, by_window: bool) -> Horizon:
    """Until when the passes of a kind have heard the panel: what came later is no drift yet."""
    row = book.query(
        "SELECT enabled, last_success FROM task WHERE account_id = ? AND kind = ?",
        (account_id, kind.value),
    ).fetchone()
    enabled, success = row or (False, None)
    cursor = cursor_of(book, account_id, kind) if by_window else None
    until = to_micros(cursor) if cursor is not None else None if by_window else success
    if not enabled:
        return Horizon(None, f"The task {kind} is switched off, so no pass asks for it.")
    if until is None:
        return Horizon(None, f"The task {kind} has never read the panel to its end.")
    read = f"{from_micros(until):%Y-%m-%d %H:%M} UTC"
    why = f"The passes of {kind} have read the panel until {read} and did not hear of it."
    return Horizon(until, why)


def missing_orders(
    book: Book, account_id: int, rows: Iterable[NewOrder], until: int | None
) -> list[NewOrder]:
    """Those of the panel's orders that the book lacks and a pass should have brought."""
    due = [
        row
        for row in rows
        if row.order_id and not row.problem and (until is None or to_micros(row.placed_at) < until)
    ]
    have = in_book(book, account_id, [row.order_id for row in due])
    return [row for row in due if row.order_id not in have]


def missing_order(row: NewOrder) -> Finding:
    """The finding that the panel has an order which the book lacks."""
    pieces = sum(line.quantity * max(1, len(line.components)) for line in row.lines)
    return Finding(
        order_id=row.order_id, cause=Cause.ORDER_MISSING, book_says="no such order",
        panel_says=f"{pieces} pieces, placed {row.placed_at:%Y-%m-%d %H:%M} UTC",
    )  # fmt: skip


def parked_orders(book: Book, account_id: int, limit: int) -> list[Finding]:
    """Orders that the panel spoke of, and that nobody has brought into the book."""
    return [
        Finding(
            order_id=order_id, cause=Cause.PARKED, book_says="no such order", panel_says=status,
            message=f"{count} facts wait for it.",
        )
        for order_id, status, count in book.query(_PARKED, (account_id, limit))
    ]  # fmt: skip


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


_NEXT: Final = """
SELECT o.id, o.order_id, o.placed_at FROM orders o WHERE o.account_id = ? AND o.id > ? AND EXISTS (
  SELECT 1 FROM item i WHERE i.order_id = o.id AND (i.position NOT IN
  ('CANCELLED', 'RETURN_ACKNOWLEDGED', 'CIR_COMPLETE', 'DELIVERED', 'LOST') OR i.changed_at >= ?))
ORDER BY o.id LIMIT ?
"""
_PLACED: Final = (
    "SELECT min(placed_at) FROM orders WHERE account_id = ? "
    "AND order_id IN (SELECT value FROM json_each(?))"
)
_IN_BOOK: Final = (
    "SELECT order_id FROM orders WHERE account_id = ? "
    "AND order_id IN (SELECT value FROM json_each(?))"
)
_HEARD: Final = """
SELECT DISTINCT order_id FROM inbox WHERE account_id = ?
AND order_id IN (SELECT value FROM json_each(?)) AND (run_id >= ? OR decided_run >= ?)
"""
_OPENED: Final = (
    "SELECT e.id, e.order_id, coalesce(i.line_id, ''), e.code FROM exceptions e "
    "JOIN inbox f ON f.id = e.inbox_id LEFT JOIN item i ON i.id = e.item_id "
    "WHERE e.account_id = ? AND e.state = 'OPEN' AND f.decided_run >= ? "
    "AND ? IN (-1, f.decided_run) "
    "AND e.opened_at >= (SELECT requested_at FROM run WHERE id = ?) ORDER BY e.id"
)
_PARKED: Final = (
    f"SELECT order_id, max(status), count(*) FROM inbox WHERE account_id = ? AND {UNSETTLED} "
    "AND state = 'PARKED' AND NOT EXISTS (SELECT 1 FROM orders o WHERE "
    "o.account_id = inbox.account_id AND o.order_id = inbox.order_id) "
    "GROUP BY order_id ORDER BY min(occurred_at) LIMIT ?"
)
