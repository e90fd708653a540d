"""The undecided facts of the journal, as the rules look at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from syncd.book.store import Book
from syncd.book.tables import OPEN_FACTS
from syncd.rules import EVENT_RANK, Before, Event, Fact as RulesFact, Reason, event_of
from syncd.statuses import ReturnType, Status


class Fact(RulesFact, kw_only=True, gc=False):
    """A row of ``inbox`` that awaits a decision."""

    id: int
    evidence: str
    order_id: str
    native_status: str
    courier: str
    facts: str
    told_in: int  # the run that heard of it
    state: str
    outcome: str
    code: str
    tries: int
    decided_run: int | None  # the run that decided it last, and left it open
    marks: tuple[tuple[str, str], ...] = ()  # outcome and code of each record of it ``before``


NAMES: Final = (
    "id", "evidence", "order_id", "line_id", "sku", "quantity", "cumulative", "status",
    "return_type", "return_id", "native_status", "shipment_id", "tracking_number", "courier",
    "left_seller", "facts", "occurred_at", "observed_at", "run_id", "state", "outcome", "code",
    "tries", "decided_run", "since_item",
)  # fmt: skip
LINE: Final = "CASE WHEN as_line = '' THEN line_id ELSE as_line END"
"""The line of a fact: as the channel told it, or as a person says that it is called here."""
_READ: Final = {"line_id": LINE, "sku": "CASE WHEN as_line = '' THEN sku ELSE '' END"}
FIELDS: Final = ", ".join(_READ.get(name, name) for name in NAMES)
# A fact that a run left open is taken up by the next one; unless it is NEW again, because what
# it waited for has come.
_THIS_TURN: Final = "(state = 'NEW' OR decided_run IS NULL OR decided_run < ?)"
_NEXT: Final = (
    f"SELECT occurred_at, id, order_id FROM inbox WHERE account_id = ? AND {OPEN_FACTS} "
    f"AND (occurred_at, id) > (?, ?) AND {_THIS_TURN} "
    "ORDER BY occurred_at, id LIMIT ?"
)
_OF_ORDERS: Final = (
    f"SELECT {FIELDS} FROM inbox WHERE account_id = ? AND order_id IN ({{marks}}) "
    f"AND {OPEN_FACTS} AND {_THIS_TURN}"
)

_OPEN_OF: Final = (
    f"SELECT {FIELDS} FROM inbox WHERE account_id = ? AND order_id IN ({{marks}}) AND {OPEN_FACTS}"
)
# Of an order that the seller ships, DISPATCHED is his own word, which he may give the channel
# before the courier comes; what the channel says of the parcel's way is not.
_UNDONE: Final = (
    f"SELECT {FIELDS} FROM inbox WHERE account_id = ? AND order_id = ? AND (state IN "
    "('NEW', 'REFUSED', 'WAITING', 'PARKED', 'TOMBSTONE') OR (state = 'DONE' "
    "AND outcome = 'SKIPPED' AND code = 'channel_not_shipping' AND status <> 'DISPATCHED') OR "
    "(state = 'DONE' AND EXISTS (SELECT 1 FROM exceptions e WHERE e.inbox_id = inbox.id "
    "AND e.order_id = inbox.order_id AND e.account_id = inbox.account_id "
    "AND e.code = 'ambiguous_replacement' AND e.state = 'OPEN')))"
)

Key = tuple[int, int]
START: Final[Key] = (-(2**63), 0)


def next_orders(
    book: Book, account_id: int, after: Key, run_id: int, limit: int
) -> tuple[list[str], Key | None]:
    """The orders of the next ``limit`` undecided facts in event-time order, and the last key."""
    rows = book.query(_NEXT, (account_id, *after, run_id, limit)).fetchall()
    if not rows:
        return [], None
    return list(dict.fromkeys(row[2] for row in rows)), (rows[-1][0], rows[-1][1])


def facts_of(book: Book, account_id: int, order_ids: Sequence[str], run_id: int) -> list[Fact]:
    """All undecided facts of these orders, in the order in which they must be decided."""
    found: list[Fact] = []
    for start in range(0, len(order_ids), 500):
        part = order_ids[start : start + 500]
        sql = _OF_ORDERS.format(marks=",".join("?" * len(part)))
        found += _facts(book, book.query(sql, (account_id, *part, run_id)).fetchall(), run_id)
    return in_order(found)


def facts_by_id(book: Book, ids: Sequence[int]) -> dict[int, Fact]:
    """These facts, whatever has become of them; those that have no event are left out."""
    sql = f"SELECT {FIELDS} FROM inbox WHERE id IN ({','.join('?' * len(ids))})"
    rows = book.query(sql, ids)
    return {row[0]: fact_of(row, 0) for row in rows if (row[7], row[8]) in _EVENTS}


def event_told(status: str, return_type: str) -> Event | None:
    """The event of a journal row; None where it has none."""
    return _EVENTS.get((status, return_type))


def open_of(book: Book, account_id: int, order_ids: Sequence[str]) -> list[Fact]:
    """All undecided facts of at most 500 orders, whoever has tried them, in deciding order."""
    sql = _OPEN_OF.format(marks=",".join("?" * len(order_ids)))
    return in_order(_facts(book, book.query(sql, (account_id, *order_ids)).fetchall(), 0))


def undone(book: Book, account_id: int, order_id: str) -> list[Fact]:
    """What the channel said of the order and the book has not done, whatever the cause.

    Whoever asks stands at the door, so no fact among them waits for a sweep to prove it.
    """
    rows = book.query(_UNDONE, (account_id, order_id)).fetchall()
    facts = _facts(book, [row for row in rows if (row[7], row[8]) in _EVENTS], 0)
    for fact in facts:
        fact.waited = True
    return in_order(facts)


def _facts(book: Book, rows: Iterable[Sequence[Any]], run_id: int) -> list[Fact]:
    """The facts of these rows; of those that are open again, with what they came to before."""
    facts = [fact_of(row, run_id) for row in rows]
    for fact in facts:
        take_up(book, fact)
    return facts


def take_up(book: Book, fact: Fact) -> None:
    """Complete a fact that is open again for what came into its order since."""
    if fact.before is None:
        return
    records = book.query(_RECORDS, (fact.id,)).fetchall()
    units = [(unit, took) for unit, _, _, took in records if unit is not None]
    met, used = {unit for unit, _ in units}, {unit for unit, took in units if took}
    fact.before = Before(fact.before.since, len(met), len(used))
    fact.marks = tuple((outcome, code) for _, outcome, code, _ in records)


UNIT: Final = "CASE WHEN i.bundle = '' THEN i.id ELSE i.bundle END"
"""What counts as one piece ``i``: itself, or its bundle."""
# What a cancellation did to the rest of its parcel is no word about these pieces.
_CARRIED_OUT: Final = (
    "d.outcome NOT IN ('PARK', 'REFUSED', 'SKIPPED', 'ACT') "
    f"AND d.code NOT IN ('{Reason.SHIPS_SHORT}', '{Reason.REPACKED_AFTER_CANCEL}')"
)
TOOK_A_PIECE: Final = (
    f"{_CARRIED_OUT} "
    "AND NOT (d.outcome IN ('NOOP', 'TOMBSTONE') AND d.event = 'CANCELLED' "
    "AND d.before = 'CANCELLED')"
)
"""The condition of a record ``d`` that has used up one of the pieces that its fact speaks of.

One more that is cancelled, of a line of which all were, is about a piece that is still to come.
"""
# By way of the order, for there is no index from a fact to its records.
_RECORDS: Final = (
    f"SELECT {UNIT}, d.outcome, d.code, {TOOK_A_PIECE} FROM inbox f "
    "CROSS JOIN orders o ON o.account_id = f.account_id AND o.order_id = f.order_id "
    "CROSS JOIN decision d ON d.order_id = o.id AND d.inbox_id = f.id "
    f"LEFT JOIN item i ON i.id = d.item_id WHERE f.id = ? AND {_CARRIED_OUT} ORDER BY d.id"
)

F = TypeVar("F", bound=Fact)


def in_order(facts: list[F]) -> list[F]:
    """By event time, then by rank, then by evidence: the same for the same facts, always."""
    facts.sort(key=_order)
    return facts


def _order(fact: Fact) -> tuple[int, int, str]:
    return fact.occurred_at, EVENT_RANK[fact.event], fact.evidence


def fact_of(row: Sequence[Any], run_id: int) -> Fact:
    """The fact of a journal row as ``FIELDS`` reads it, as the run looks at it."""
    event = _EVENTS[row[7], row[8]]
    return Fact(
        id=row[0], evidence=row[1], order_id=row[2], line_id=row[3], sku=row[4], quantity=row[5],
        cumulative=row[6], event=event, return_type=row[8], return_id=row[9],
        native_status=row[10], shipment_id=row[11], tracking_number=row[12], courier=row[13],
        left_seller=row[14], facts=row[15], occurred_at=row[16], observed_at=row[17],
        waited=row[18] < run_id or row[22] > 0, told_in=row[18], state=row[19], outcome=row[20],
        code=row[21], tries=row[22], decided_run=row[23],
        before=None if row[24] is None else Before(row[24], 0, 0),
    )  # fmt: skip


_EVENTS: Final[Mapping[tuple[str, str], Any]] = {
    (status.value, kind): event
    for status in Status
    for kind in ("", "RTO", "CIR")
    if (event := event_of(status, ReturnType(kind) if kind else None)) is not None
}
