"""What waits, since when: one query for each kind of waiting, all of one shape.

Each is read by an index that holds only what waits, so its cost follows the work that is open
and not the size of the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from syncd.book.store import Book
from syncd.book.tables import COMING_BACK, WAITS
from syncd.rules.overdue import RULES, Deed, Wait, doing

EVER: Final = 2**62
SYNCD: Final = "syncd"
"""Who closes an exception whose waiting has ended."""


class Waiting(Struct, frozen=True):
    """One thing that waits. ``since`` in microseconds; ``due_at`` is that of its exception.

    ``piece`` is None for what is about a whole order or line; ``exception_id`` the exception
    that tells of this waiting, open or closed by a person.
    """

    order_id: str
    item_id: int | None
    inbox_id: int | None
    line_id: str
    piece: int | None
    since: int
    exception_id: int | None
    exception_state: str | None
    due_at: int | None


class Source(Struct, frozen=True):
    """Where a kind of waiting is found.

    ``rows`` is a SELECT of the first six fields of Waiting, by an index of what waits;
    ``of_order`` the same of one order, by the order. ``exception`` is one of the id of the
    exception about row w, ``since`` one of when the waiting of exception e began, no row when it
    has ended; ``codes`` are those exceptions' codes.
    """

    rows: str
    of_order: str
    exception: str = "SELECT NULL"
    since: str = ""
    codes: tuple[str, ...] = ()


def waiting(
    book: Book,
    wait: Wait,
    account_id: int,
    *,
    after: int = -EVER,
    until: int,
    order_id: str | None = None,
    untold: bool = False,
    limit: int = -1,
) -> list[Waiting]:
    """What of an account waits since a time in ``(after, until]``, the longest first.

    What a person has closed is left out, with ``untold`` all that has an exception.
    """
    test = "w.exception_id IS NULL" if untold else _NOT_CLOSED
    sql = f"{_found(wait, order_id)} WHERE {test} AND {_USED} ORDER BY w.since, 2, 3 LIMIT ?6"
    code = RULES[wait].code
    rows = book.query(sql, (account_id, after, until, code, order_id or "", limit))
    return [Waiting(*row) for row in rows]


def count_waiting(
    book: Book, wait: Wait, account_id: int, *, after: int = -EVER, until: int
) -> tuple[int, int]:
    """How many wait since a time in ``(after, until]``, and since when the first of them does."""
    sql = (
        f"SELECT count(*), coalesce(min(since), 0) FROM ({_found(wait, None)} "
        f"WHERE {_NOT_CLOSED} AND {_USED} AND ?6)"
    )
    row = book.query(sql, (account_id, after, until, RULES[wait].code, "", 1)).fetchone()
    return int(row[0]), int(row[1])


def _found(wait: Wait, order_id: str | None) -> str:
    source = SOURCES[wait]
    rows = source.rows if order_id is None else source.of_order
    return (
        "SELECT w.order_id, w.item_id, w.inbox_id, w.line_id, w.piece, w.since, w.exception_id, "
        f"e.state, e.due_at FROM (SELECT w.*, ({source.exception}) AS exception_id "
        f"FROM ({rows}) w) w LEFT JOIN exceptions e ON e.id = w.exception_id"
    )


_NOT_CLOSED: Final = "e.state IS NOT 'CLOSED'"
_USED: Final = "?4 <> ?5"  # so that every statement has the same parameters
# CROSS JOIN tells SQLite the order in which to look: it has no statistics to find it by.
_TO_ORDER: Final = "CROSS JOIN orders o ON o.id = i.order_id"
_FROM_ORDER: Final = "FROM orders o CROSS JOIN item i ON i.order_id = o.id"
_THE_ORDER: Final = "o.account_id = ?1 AND o.order_id = ?5"
_LIVE: Final = f"(e.state = 'OPEN' OR e.closed_by <> '{SYNCD}')"
_OF_PIECE: Final = (
    "SELECT e.id FROM exceptions e WHERE e.item_id = w.item_id AND e.code = ?4 "
    f"AND e.opened_at >= w.since AND {_LIVE} ORDER BY e.id DESC LIMIT 1"
)
_ON_THE_WAY: Final = "i.position IN ('DISPATCHED', 'SHIPPED')"
_WISH: Final = "buyer_cancel_requested"
_CLAIMS: Final = ("lost_in_transit", "lost_on_the_way_back", "implied_dispatch")


def _within(since: str) -> str:
    return f"{since} > ?2 AND {since} <= ?3"


def _of_orders(test: str) -> Source:
    """Facts that wait, one row an order; ``test`` is put to each, with f before its columns."""
    of_order = test.replace("f.", "p.")
    fields = (
        "SELECT f.order_id, NULL AS item_id, f.id AS inbox_id, f.line_id, NULL AS piece, "
        f"min(f.observed_at) AS since FROM inbox f WHERE f.account_id = ?1 AND {test} "
        "AND f.observed_at <= ?3"
    )
    end = "GROUP BY f.order_id HAVING min(f.observed_at) > ?2"
    return Source(
        rows=f"{fields} AND f.{WAITS} {end}",
        of_order=f"{fields} AND f.order_id = ?5 {end}",
        exception=(
            "SELECT e.id FROM inbox p CROSS JOIN exceptions e ON e.item_id IS NULL "
            "AND e.code = ?4 AND e.inbox_id = p.id WHERE p.account_id = ?1 "
            f"AND p.order_id = w.order_id AND {of_order} AND e.opened_at >= w.since AND {_LIVE} "
            "ORDER BY e.id DESC LIMIT 1"
        ),
        since=(
            "SELECT min(p.observed_at) FROM inbox p WHERE p.account_id = e.account_id "
            f"AND p.order_id = e.order_id AND {of_order}"
        ),
    )


def _of_facts(state: str, since: str) -> Source:
    """Facts that wait, each a row of its own."""
    fields = (
        "SELECT f.order_id, NULL AS item_id, f.id AS inbox_id, f.line_id, NULL AS piece, "
        f"{since} AS since FROM inbox f WHERE f.account_id = ?1 AND f.state = '{state}' "
        f"AND f.observed_at <= ?3 AND {_within(since)}"
    )
    return Source(rows=f"{fields} AND f.{WAITS}", of_order=f"{fields} AND f.order_id = ?5")


def _of_pieces(table: str, since: str, test: str, began: str = "") -> Source:
    """Pieces that wait. ``table`` says so, by its ``item_id``; ``began`` gives ``since`` of e's
    piece."""
    alias = table.split()[-1]
    fields = (
        "SELECT o.order_id, i.id AS item_id, NULL AS inbox_id, i.line_id, i.piece, "
        f"{since} AS since"
    )
    joined = f"{alias}.item_id = i.id"
    where = f"WHERE {test.format('')} AND {_within(since)}"
    return Source(
        rows=(
            f"{fields} FROM {table} CROSS JOIN item i ON {joined} {_TO_ORDER} {where} "
            "AND o.account_id = ?1"
        ),
        of_order=(
            f"{fields} {_FROM_ORDER} CROSS JOIN {table} ON {joined} "
            f"WHERE {_THE_ORDER} AND {test.format('+')} AND {_within(since)}"
        ),
        exception=_OF_PIECE if began else "SELECT NULL",
        since=began,
    )


def _back(position: str) -> Source:
    """Pieces that somebody is bringing back."""
    there = f"i.position = '{position}'"
    fields = (
        "SELECT o.order_id, i.id AS item_id, NULL AS inbox_id, i.line_id, i.piece, "
        "i.return_noticed_at AS since"
    )
    where = f"{there} AND {_within('i.return_noticed_at')}"
    return Source(
        rows=f"{fields} FROM item i {_TO_ORDER} WHERE {where} AND i.{COMING_BACK} "
        "AND o.account_id = ?1",
        of_order=f"{fields} {_FROM_ORDER} WHERE {_THE_ORDER} AND {where}",
        exception=_OF_PIECE,
        since=f"SELECT i.return_noticed_at FROM item i WHERE i.id = e.item_id AND {there}",
    )


def _of_exceptions(codes: tuple[str, ...], since: str, test: str) -> Source:
    """Pieces whose exception is there already; the first of each counts."""
    listed = ", ".join(f"'{code}'" for code in codes)
    fields = (
        "SELECT o.order_id, i.id AS item_id, e.inbox_id, i.line_id, i.piece, "
        f"min({since}) AS since, e.id AS told"
    )
    where = f"e.code IN ({listed}) AND {test} AND {_within(since)}"
    return Source(
        rows=(
            f"{fields} FROM exceptions e CROSS JOIN item i ON i.id = e.item_id {_TO_ORDER} "
            f"WHERE e.state = 'OPEN' AND e.account_id = ?1 AND {where} GROUP BY i.id"
        ),
        of_order=(
            f"{fields} {_FROM_ORDER} CROSS JOIN exceptions e ON e.item_id = i.id "
            f"WHERE {_THE_ORDER} AND +e.state = 'OPEN' AND {where} GROUP BY i.id"
        ),
        exception="w.told",
        since=f"SELECT {since} FROM item i WHERE i.id = e.item_id AND {test}",
        codes=codes,
    )


def _open_exceptions(but: Iterable[str]) -> Source:
    """Exceptions that are there already, each a row of its own, but for these codes."""
    listed = ", ".join(f"'{code}'" for code in but)
    fields = (
        "SELECT e.order_id, e.item_id, e.inbox_id, coalesce(i.line_id, f.line_id, '') AS line_id, "
        "i.piece, e.opened_at AS since, e.id AS told FROM exceptions e "
        "LEFT JOIN item i ON i.id = e.item_id LEFT JOIN inbox f ON f.id = e.inbox_id"
    )
    where = f"e.account_id = ?1 AND e.code NOT IN ({listed}) AND {_within('e.opened_at')}"
    return Source(
        rows=f"{fields} WHERE e.state = 'OPEN' AND {where}",
        of_order=f"{fields} WHERE e.order_id = ?5 AND +e.state = 'OPEN' AND {where}",
        exception="w.told",
        since="SELECT e.opened_at",
    )


_UNPROVEN: Final = "f.state = 'WAITING' AND f.code IN ('dispatch_unproven', 'implied_dispatch')"
_SETTLED_AT: Final = "coalesce(f.decided_at, f.observed_at)"

SOURCES: Final[Mapping[Wait, Source]] = {
    Wait.ORDER: _of_orders("f.state = 'PARKED'"),
    Wait.DISPATCH: _of_orders(_UNPROVEN),
    Wait.RTO: _back("RETURN_EXPECTED"),
    Wait.CIR: _back("CIR_CREATED"),
    Wait.ATTEMPT: _of_pieces(
        "attempt t", "t.at", _ON_THE_WAY,
        "SELECT t.at FROM attempt t JOIN item i ON i.id = t.item_id "
        f"WHERE t.item_id = e.item_id AND {_ON_THE_WAY}",
    ),
    Wait.CLAIM: _of_exceptions(_CLAIMS, "i.changed_at", "i.position = 'LOST'"),
    Wait.CANCEL_WISH: _of_exceptions((_WISH,), "e.opened_at", f"i.hold = '{_WISH}'"),
    Wait.EXCEPTION: _open_exceptions(
        (_WISH, *_CLAIMS, *(RULES[wait].code for wait in doing(Deed.OPEN)))
    ),
    Wait.PUTAWAY: _of_pieces("putaway p", "p.opened_at", "{0}p.state = 'PENDING'"),
    Wait.HELD_PUTAWAY: _of_pieces("putaway p", "p.opened_at", "{0}p.state = 'HELD'"),
    Wait.REFUSED: _of_facts("REFUSED", "f.observed_at"),
    Wait.KEPT_FACT: _of_facts("PARKED", _SETTLED_AT),
    Wait.TOMBSTONE: _of_facts("TOMBSTONE", _SETTLED_AT),
}  # fmt: skip
"""A test holds it complete, and holds each to its index."""
