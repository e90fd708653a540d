"""On which pieces a person's settlement still is the last word: there book and panel may differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from syncd.book.contradictions import LATER_FACT
from syncd.book.facts import LINE
from syncd.book.records import BY_HAND, Act
from syncd.book.store import Book
from syncd.book.waits import SYNCD
from syncd.rules.overdue import RULES, Deed, doing

TIMERS: Final = ", ".join(f"'{RULES[wait].code}'" for wait in doing(Deed.OPEN))
"""Codes, for SQL, of what has waited too long: that contradicts nothing, whoever closes it."""
ABOUT: Final = (
    "(e.item_id = i.id OR e.item_id IS NULL AND EXISTS (SELECT 1 FROM inbox said "
    f"WHERE said.id = e.inbox_id AND {LINE} IN ('', i.line_id) "
    f"AND ({LINE} <> '' OR said.sku IN ('', i.sku, i.bundle))))"
)
"""Whether exception e asks where piece i stands: its own, or by a fact that may mean its line."""

# What is told after the piece was moved here by hand, and says itself that it left.
_CONFIRMED: Final = (
    "SELECT 1 FROM inbox f WHERE f.account_id = o.account_id AND f.order_id = o.order_id "
    f"AND {LINE} IN ('', i.line_id) AND f.state = 'DONE' AND f.decided_at >= d.decided_at "
    "AND f.occurred_at > coalesce(i.settled_at, 0) AND f.status IN "
    "('DISPATCHED', 'UNDELIVERED', 'DELIVERED', 'RETURN_NOTICED', 'RETURNED', 'LOST')"
)
_WORD: Final = (
    f"{ABOUT} AND e.account_id = o.account_id AND e.order_id = o.order_id "
    f"AND +e.state = 'CLOSED' AND e.closed_by NOT IN ('{LATER_FACT}', '{SYNCD}') "
    f"AND e.code NOT IN ({TIMERS})"
)
_SETTLED: Final = f"SELECT 1 FROM exceptions e WHERE {_WORD}"
# Of what is about no piece it counts which line it was of.
_SETTLING: Final = (
    f"s.order_id = o.id AND s.event = '{Act.SETTLE}' AND (s.item_id = i.id "
    "OR s.item_id IS NULL AND EXISTS "
    f"({_SETTLED} AND e.item_id IS NULL AND e.closed_at = s.decided_at))"
)
_MOVED_SINCE: Final = (
    "SELECT 1 FROM decision d WHERE d.order_id = o.id AND d.item_id = i.id "
    f"AND d.outcome = '{BY_HAND}' AND d.event = '{Act.ADVANCE}' AND d.id > coalesce(("
    f"SELECT max(s.id) FROM decision s WHERE {_SETTLING}), 0) "
    f"AND NOT EXISTS ({_CONFIRMED})"
)
# Where the records since then have brought it: what moved it without one is not excused.
_STANDS: Final = (
    "SELECT d.after FROM decision d WHERE d.order_id = o.id AND d.item_id = i.id "
    f"AND (d.before <> d.after OR d.event = '{Act.SETTLE}') ORDER BY d.id DESC LIMIT 1"
)
_PIECES: Final = (
    "SELECT o.order_id, i.line_id, count(*) FROM orders o JOIN item i ON i.order_id = o.id "
    "WHERE o.account_id = ? AND o.order_id IN (SELECT value FROM json_each(?)) "
    f"AND (i.settled_at IS NOT NULL OR EXISTS ({_SETTLED})) AND NOT EXISTS ({_MOVED_SINCE}) "
    f"AND coalesce(({_STANDS}), i.position) = i.position GROUP BY o.order_id, i.line_id"
)


def settled_pieces(
    book: Book, account_id: int, order_ids: Sequence[str]
) -> dict[tuple[str, str], int]:
    """By order and line, how many pieces stand where a person's word and later facts lead.

    Not those that somebody has moved on by hand since, unless the channel has then told of it.
    """
    wanted = msgspec.json.encode(list(order_ids)).decode()
    rows = book.query(_PIECES, (account_id, wanted))
    return {(order_id, line_id): count for order_id, line_id, count in rows}
