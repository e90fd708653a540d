"""What people did to the lines of orders, and what waits for them: it excuses a disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from syncd.book.last_word import ABOUT, TIMERS, settled_pieces
from syncd.book.records import BY_HAND, Act
from syncd.book.store import Book
from syncd.book.waits import SOURCES
from syncd.clock import from_micros
from syncd.rules.overdue import Wait


class Marks(msgspec.Struct):
    """What people did to the lines of one order, and what waits for them.

    By line id. ``settled``: on how many pieces of the line a person has had the last word.
    ``told``: of which lines a person was told that two facts cannot both be true, whatever has
    answered it.
    """

    open: dict[str, str] = {}
    told: set[str] = set()
    settled: dict[str, int] = {}
    by_hand: dict[str, str] = {}

    def exception(self, line_id: str) -> str:
        """The open exception of the line, or nothing."""
        return self.open.get(line_id, "")


def marks_of(book: Book, account_id: int, order_ids: Sequence[str]) -> dict[str, Marks]:
    """By order, of those that have any."""
    wanted = msgspec.json.encode(list(order_ids)).decode()
    marks: dict[str, Marks] = {}
    for order_id, line_id, number, code in book.query(_OPEN_EXCEPTIONS, (account_id, wanted)):
        marks.setdefault(order_id, Marks()).open[line_id] = f"Exception {number}: {code}."
    for order_id, line_id in book.query(_TOLD, (account_id, wanted)):
        marks.setdefault(order_id, Marks()).told.add(line_id)
    for (order_id, line_id), count in settled_pieces(book, account_id, order_ids).items():
        marks.setdefault(order_id, Marks()).settled[line_id] = count
    for order_id, line_id, actor, after, at in book.query(_BY_HAND, (account_id, wanted)):
        text = f"{actor} moved it to {after} at {from_micros(at):%Y-%m-%d %H:%M} UTC."
        marks.setdefault(order_id, Marks()).by_hand[line_id] = text
    return marks


_ABOUT_LINES: Final = (
    "FROM exceptions e JOIN orders o ON "
    "o.account_id = e.account_id AND o.order_id = e.order_id JOIN item i ON i.order_id = o.id "
    "WHERE e.account_id = ? AND e.order_id IN (SELECT value FROM json_each(?)) "
    f"AND e.code NOT IN ({TIMERS}) AND {ABOUT}"
)
_OPEN_EXCEPTIONS: Final = (
    f"SELECT e.order_id, i.line_id, e.id, e.code {_ABOUT_LINES} AND +e.state = 'OPEN' "
    "GROUP BY e.id, i.line_id ORDER BY e.id"
)
# A loss is a claim, and a wish is one: neither contradicts what was told before.
_TOLD: Final = (
    f"SELECT DISTINCT e.order_id, i.line_id {_ABOUT_LINES} AND e.code NOT IN ("
    + ", ".join(
        f"'{code}'" for wait in (Wait.CLAIM, Wait.CANCEL_WISH) for code in SOURCES[wait].codes
    )
    + ")"
)
_BY_HAND: Final = (
    "SELECT o.order_id, i.line_id, d.actor, d.after, d.decided_at FROM orders o JOIN item i ON "
    "i.order_id = o.id JOIN decision d ON d.order_id = o.id AND d.item_id = i.id "
    "WHERE o.account_id = ? AND o.order_id IN (SELECT value FROM json_each(?)) "
    f"AND d.outcome = '{BY_HAND}' AND d.event = '{Act.ADVANCE}' ORDER BY d.id"
)
