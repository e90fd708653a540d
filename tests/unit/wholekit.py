"""Everything that facts have written, as lines to read: one a row, empty fields left out.

Times are minutes since the seller's start, and end in «m».
"""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from syncd.clock import to_micros
from tests.bookkit import START, Seller

_BEGAN = to_micros(START)
_TIMES = frozenset({"at", "occurred_at", "decided_at"})
_TABLES = {
    "order": "SELECT order_id, state FROM orders ORDER BY id",
    "piece": (
        "SELECT i.line_id || '.' || i.piece AS piece, i.position, p.code AS parcel, i.allocated, "
        "i.short, i.hold, i.held_at, i.changed_at, i.dispatched_at, i.delivered_at, "
        "i.return_type, i.return_id, i.return_noticed_at, i.return_from, i.withdrawn_at, "
        "i.uncancelled_at, i.cancelled_at, i.lost_at, i.settled_at "
        "FROM item i LEFT JOIN package p ON p.id = i.package_id ORDER BY i.id"
    ),
    "parcel": (
        "SELECT p.code, p.state, p.shipment_id, p.tracking_number, p.courier, p.blocked, "
        "p.created_at, p.dispatched_at, n.code AS became, f.code AS came_from FROM package p "
        "LEFT JOIN package n ON n.id = p.successor_id LEFT JOIN package f ON f.id = p.came_from_id "
        "ORDER BY p.id"
    ),
    "invoice": (
        "SELECT v.number, v.state, p.code AS parcel, v.kind, v.issued_at FROM invoice v "
        "JOIN package p ON p.id = v.package_id ORDER BY v.package_id"
    ),
    "moved": (
        "SELECT m.sku, m.source || ' > ' || m.target AS way, m.quantity, "
        "i.line_id || '.' || i.piece AS piece, m.reason, m.at "
        "FROM stock_move m LEFT JOIN item i ON i.id = m.item_id ORDER BY m.id"
    ),
    "putaway": (
        "SELECT i.line_id || '.' || i.piece AS piece, p.kind, p.state, p.reason, p.opened_at, "
        "p.closed_at, p.actor FROM putaway p JOIN item i ON i.id = p.item_id ORDER BY p.id"
    ),
    "exception": (
        "SELECT e.code, e.severity, e.state, i.line_id || '.' || i.piece AS piece, "
        "e.inbox_id AS fact, e.against_id AS against, e.opened_at, e.closed_at, e.closed_by, "
        "e.choice, e.note, e.message FROM exceptions e LEFT JOIN item i ON i.id = e.item_id "
        "ORDER BY e.id"
    ),
    "decision": (
        "SELECT d.inbox_id AS fact, i.line_id || '.' || i.piece AS piece, d.event, "
        "d.before || ' > ' || d.after AS way, d.outcome, d.code, d.steps, d.implied, d.actor, "
        "d.note, d.occurred_at, d.decided_at FROM decision d LEFT JOIN item i ON i.id = d.item_id "
        "WHERE d.outcome <> 'ACT' OR d.event = 'settle' ORDER BY d.id"
    ),
    "fact": "SELECT id AS fact, state, outcome, code, message, decided_at FROM inbox ORDER BY id",
    "attempt": "SELECT item_id, at FROM attempt ORDER BY item_id",
    "told": "SELECT topic, inbox_id AS fact, created_at FROM outbox ORDER BY 3, 2",
}


def written(seller: Seller, *tables: str) -> str:
    """The rows of these tables; of all that facts write to when none is named."""
    lines: list[str] = []
    with seller.book.connection():
        for name in tables or tuple(_TABLES):
            rows = seller.book.query(_TABLES[name])
            heads = [column[0] for column in rows.description]
            for row in rows:
                line = f"{name}: {_line(dict(zip(heads, row, strict=True)))}"
                lines += wrap(
                    line, 94, subsequent_indent="    ", break_long_words=False,
                    break_on_hyphens=False,
                )  # fmt: skip
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    told = ((name, value) for name, value in row.items() if value not in (None, "", 0))
    return ", ".join(_word(name, value) for name, value in told)


def _word(name: str, value: Any) -> str:
    if name in _TIMES or name.endswith("_at"):
        return f"{name} {(value - _BEGAN) / 60_000_000:g}m"
    return str(value) if isinstance(value, str) and name != "note" else f"{name} {value}"
