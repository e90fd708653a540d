"""What a pass reads and writes of the book besides facts: its account, its orders, its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from syncd.book.order_facts import FactsUnreadable, order_facts
from syncd.book.store import Book
from syncd.book.tables import UNSETTLED
from syncd.statuses import OrderRef

MAX_PLAN: Final = 1_000
PLAN_FIELDS: Final = (
    "order_id", "line_id", "piece", "event", "before", "after", "outcome", "code", "note",
)  # fmt: skip


def account_of(book: Book, run_id: int) -> tuple[int, str, int]:
    """The account of a run: its row id, its name and its tenant's row id."""
    row = book.query(_ACCOUNT_OF, (run_id,)).fetchone()
    return int(row[0]), str(row[1]), int(row[2])


def tenant_is_live(book: Book, tenant_id: int) -> bool:
    """Whether the tenant's gate is open."""
    row = book.query("SELECT state FROM tenant WHERE id = ?", (tenant_id,)).fetchone()
    return bool(row[0] == "LIVE")


def order_refs(book: Book, account_id: int, order_ids: Sequence[str]) -> list[OrderRef]:
    """What the book knows of these orders; an unknown one is asked for by its id."""
    found = []
    for order_id in order_ids:
        rows = book.query(_REF, (account_id, order_id)).fetchall()
        facts: Mapping[str, str] = {}
        with suppress(FactsUnreadable):  # it is asked for by its id alone
            facts = order_facts(order_id, rows[0][2]) if rows else {}
        ref = OrderRef(
            order_id=order_id,
            line_ids=tuple(dict.fromkeys(row[0] for row in rows)),
            shipment_ids=tuple(dict.fromkeys(row[1] for row in rows if row[1])),
            facts=facts,
        )
        found.append(ref)
    return found


def open_orders(book: Book, account_id: int, delivered_since: int) -> list[str]:
    """The ids of all orders of the account that may still change.

    What was delivered before ``delivered_since`` (microseconds) is left to the audit: a return
    that begins so late is rare, and a channel that answers only by id would be asked for ever.
    """
    return [row[0] for row in book.query(_OPEN_ORDERS, (account_id, delivered_since))]


def orders_within(book: Book, account_id: int, start: int) -> int:
    """How many orders of the account are open, or have changed since ``start`` (microseconds)."""
    return int(book.query(_WITHIN, (account_id, start)).fetchone()[0])


def unknown_orders(book: Book, account_id: int, times: int, limit: int) -> list[str]:
    """Orders that the channel spoke of and the book lacks, asked for fewer than ``times``."""
    return [row[0] for row in book.query(_UNKNOWN, (account_id, times, limit))]


def note_asked(book: Book, account_id: int, order_ids: Sequence[str]) -> None:
    """Remember that these were asked for: the channel is not asked for ever."""
    with book.write():
        book.executemany(_ASKED, [(account_id, order_id) for order_id in order_ids])


def undecided(book: Book, account_id: int, run_id: int, *, elsewhere: bool = False) -> int:
    """Facts that this run heard of, could read and has not decided: by the journal's own word.

    ``elsewhere``: with those that another run has decided meanwhile, where this one was broken off.
    """
    sql = _UNDECIDED if elsewhere else f"{_UNDECIDED} AND {UNSETTLED}"
    return int(book.query(sql, (account_id, run_id, run_id)).fetchone()[0])


def planned(book: Book, first: int, run_id: int) -> str:
    """What the run's decisions from ``first`` on do, as JSON; at most MAX_PLAN of them."""
    rows = book.query(_PLAN, (first, run_id, MAX_PLAN)).fetchall()
    return msgspec.json.encode([dict(zip(PLAN_FIELDS, row, strict=True)) for row in rows]).decode()


def joined(plan: str, more: str) -> str:
    """Two plans as one; at most MAX_PLAN of their rows."""
    rows = msgspec.json.decode(plan, type=list[Any]) + msgspec.json.decode(more, type=list[Any])
    return msgspec.json.encode(rows[:MAX_PLAN]).decode()


def note_task(
    book: Book, account_id: int, kind: str, *, start: int, end: int, result: str, message: str
) -> None:
    """Write down how a task's last turn went; times in microseconds."""
    good = result in ("ok", "partial")
    values: tuple[Any, ...] = (start, end, result, message, end if good else None)
    flags = (1 if result == "failed" else 0, 1 if good else 0)
    book.query(_NOTE_TASK, (*values, *flags, account_id, kind))


def hold_task(book: Book, account_id: int, kind: str, until: int) -> None:
    """Let the task's timer wait at least until then."""
    book.query(_NOT_BEFORE, (until, account_id, kind))


_ACCOUNT_OF: Final = """
SELECT a.id, a.name, a.tenant_id FROM run r JOIN account a ON a.id = r.account_id WHERE r.id = ?
"""
_REF: Final = """
SELECT i.line_id, coalesce(p.shipment_id, ''), o.facts FROM orders o
JOIN item i ON i.order_id = o.id LEFT JOIN package p ON p.id = i.package_id
WHERE o.account_id = ? AND o.order_id = ? ORDER BY i.id
"""
_OPEN_ORDERS: Final = """
SELECT o.order_id FROM orders o WHERE o.account_id = ? AND EXISTS (
  SELECT 1 FROM item i WHERE i.order_id = o.id
  AND i.position NOT IN ('CANCELLED', 'RETURN_ACKNOWLEDGED', 'CIR_COMPLETE')
  AND (i.position <> 'DELIVERED' OR coalesce(i.delivered_at, i.changed_at) >= ?))
ORDER BY o.id
"""
_WITHIN: Final = """
SELECT count(*) FROM orders o WHERE o.account_id = ? AND EXISTS (
  SELECT 1 FROM item i WHERE i.order_id = o.id AND (i.changed_at >= ?
  OR i.position NOT IN ('CANCELLED', 'RETURN_ACKNOWLEDGED', 'CIR_COMPLETE', 'DELIVERED')))
"""
_ASKED: Final = """
UPDATE inbox SET tries = tries + 1 WHERE account_id = ? AND order_id = ? AND state = 'PARKED'
"""
_UNKNOWN: Final = """
SELECT order_id FROM inbox WHERE account_id = ? AND state <> 'DONE' AND state = 'PARKED'
AND tries <= ? GROUP BY order_id ORDER BY min(occurred_at) LIMIT ?
"""
_UNDECIDED: Final = (
    "SELECT count(*) FROM inbox WHERE account_id = ? AND run_id = ? AND decided_run IS NOT ? "
    "AND outcome <> 'QUARANTINED'"
)
_PLAN: Final = """
SELECT o.order_id, i.line_id, i.piece, d.event, d.before, d.after, d.outcome, d.code, d.note
FROM decision d JOIN orders o ON o.id = d.order_id LEFT JOIN item i ON i.id = d.item_id
WHERE d.id >= ? AND d.run_id = ? ORDER BY d.id LIMIT ?
"""
_NOT_BEFORE: Final = """
UPDATE task SET next_run = max(next_run, ?) WHERE account_id = ? AND kind = ?
"""
_NOTE_TASK: Final = """
UPDATE task SET last_start = ?, last_end = ?, last_result = ?, last_message = ?,
  last_success = coalesce(?, last_success),
  failures = CASE WHEN ? THEN failures + 1 WHEN ? THEN 0 ELSE failures END
WHERE account_id = ? AND kind = ?
"""
