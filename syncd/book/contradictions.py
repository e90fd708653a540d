"""The two sides of an exception: the fact that contradicts, and what brought the piece here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from syncd.book.facts import Fact, event_told
from syncd.book.records import BY_HAND, Record
from syncd.book.store import Book
from syncd.clock import from_micros
from syncd.rules import Event, Outcome, Piece, Position, Reason, Verb, answered_by, closes

_DECIDED: Final = (
    "SELECT inbox_id, outcome, actor, before <> after, steps FROM decision "
    "WHERE order_id = ? AND item_id = ? AND id < coalesce((SELECT min(id) FROM decision "
    "WHERE order_id = ? AND item_id = ? AND inbox_id = ?), 9223372036854775807) "
    "ORDER BY id DESC"
)
LOAD_OPEN: Final = (
    "SELECT e.item_id, e.code, e.inbox_id, coalesce(f.occurred_at, e.opened_at) "
    "FROM json_each(?) wanted JOIN exceptions e ON e.item_id = wanted.value "
    "LEFT JOIN inbox f ON f.id = e.inbox_id WHERE +e.state = 'OPEN'"
)
LOAD_WRITTEN_OFF: Final = (
    "SELECT e.item_id, e.choice FROM json_each(?) wanted "
    "JOIN exceptions e ON e.item_id = wanted.value WHERE +e.state = 'CLOSED' "
    "AND e.choice IN ('claim_paid', 'written_off') AND NOT EXISTS "
    "(SELECT 1 FROM exceptions later WHERE later.item_id = e.item_id AND later.id > e.id "
    "AND later.code IN ('lost_in_transit', 'lost_on_the_way_back', 'implied_dispatch'))"
)
"""How the newest claim of a piece ended; nothing while a newer claim is open."""

LOAD_UNSOLD: Final = (
    "SELECT DISTINCT e.item_id FROM json_each(?) wanted "
    "JOIN exceptions e ON e.item_id = wanted.value WHERE e.choice = 'expect_rto' AND e.code IN "
    "('dispatched_after_cancel', 'delivered_after_cancel', 'in_transit_after_cancel', "
    "'return_of_cancelled')"
)
"""Cancelled pieces of which a person has said that they left, and come back."""

_ANSWERED: Final = (
    "SELECT e.id, e.item_id, f.status, f.return_type, f.return_id, f.occurred_at "
    "FROM json_each(?) wanted "
    "JOIN exceptions e ON e.item_id = wanted.value JOIN inbox f ON f.id IN (e.inbox_id, "
    "e.against_id) WHERE +e.state = 'CLOSED' AND e.choice <> '' AND e.inbox_id IS NOT NULL"
)

Answered = tuple[Event, str, int]
"""An event, the return it is of (empty: whichever), and a time in microseconds."""

LATER_FACT: Final = "a later fact"
"""Who closed an exception that something the channel said later has answered."""


def load_answered(book: Book, item_ids: Iterable[int]) -> dict[int, tuple[Answered, ...]]:
    """By piece, which events of which return a person's choices decide, until when."""
    sides: dict[tuple[int, int], list[Answered]] = {}
    ids = msgspec.json.encode(list(item_ids)).decode()
    for exception_id, item_id, status, return_type, return_id, at in book.query(_ANSWERED, (ids,)):
        event = event_told(status, return_type)
        if event is not None:
            sides.setdefault((exception_id, item_id), []).append((event, return_id, at))
    found: dict[int, dict[tuple[Event, str], int]] = {}
    for (_, item_id), evidence in sides.items():
        known = found.setdefault(item_id, {})
        for decided, until in answered_by(evidence).items():
            known[decided] = max(until, known.get(decided, until))
    return {
        item_id: tuple((*decided, until) for decided, until in known.items())
        for item_id, known in found.items()
    }


def answers(fact: Fact, code: str, since: int) -> bool:
    """Whether a fact that closes exceptions of this code closes one about what happened then.

    The notice of a return answers a loss after the delivery, but not one that came after it.
    """
    noticed = fact.event in (Event.RETURN_NOTICED_RTO, Event.RETURN_NOTICED_CIR)
    return not (noticed and code == Reason.LOST_AFTER_DELIVERED and since > fact.occurred_at)


def answer_text(fact: Fact, reason: str) -> str:
    """Which fact answered an exception, and when it happened."""
    when = from_micros(fact.occurred_at).strftime("%Y-%m-%d %H:%M UTC")
    return f"fact {fact.id}: {fact.event} at {when}: {reason}"


def brought_by(
    book: Book,
    unwritten: Sequence[tuple[Any, ...]],
    order_pk: int,
    item_id: int,
    before: int | None = None,
) -> tuple[int | None, str]:
    """The fact that brought the piece to where it is, or holds it there, and in words what did.

    ``unwritten`` are decisions of this batch that are not in the book yet. With ``before``, a
    fact's id, only what was decided of the piece before that fact counts.
    """
    own = [
        (row[0], row[6], row[11], row[4] != row[5], row[8])
        for row in reversed(unwritten)
        if row[2] == item_id
    ]
    ids = (order_pk, item_id)
    holder, more, released = None, "", False
    for inbox_id, outcome, actor, moved, steps in own + _decided(book, (*ids, *ids, before)):
        if outcome == Outcome.HOLD and holder is None and not released:
            holder, more = inbox_id, ", on hold by the channel's word"
        elif moved and (outcome == BY_HAND or inbox_id is None):
            return holder, f"by the hand of {actor}{more}"
        elif moved:
            return holder or inbox_id, f"by the channel's word{more}"
        released = released or Verb.RELEASE_HOLD in steps.split(",")
    return holder, f"as it was imported{more}"


def _decided(
    book: Book, params: Sequence[int | None]
) -> list[tuple[int | None, str, str, int, str]]:
    return book.query(_DECIDED, params).fetchall()


def trouble_text(code: str, piece: Piece | None, fact: Fact, whose: str = "") -> str:
    """One sentence: what the channel said of what, and what the book had, and by whose word."""
    said = f"The channel said {fact.event} ({fact.native_status or 'no word of its own'})"
    when = from_micros(fact.occurred_at).strftime("%Y-%m-%d %H:%M UTC")
    if piece is None:
        return f"{said} at {when} of {_meant(fact)}: {code}."
    since = from_micros(piece.changed_at).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{said} at {when} of line {piece.line_id} piece {piece.piece + 1}, which the book has "
        f"as {piece.position} since {since}{f', {whose}' if whose else ''}: {code}."
    )


def _meant(fact: Fact) -> str:
    """What of the order the fact speaks of, where no one piece is meant."""
    what = (
        f"line {fact.line_id}" if fact.line_id else f"SKU {fact.sku}" if fact.sku else "the order"
    )
    return what if fact.quantity is None else f"{fact.quantity} of {what}"


def close_answered(book: Book, item_id: int, record: Record) -> None:
    """Close the exceptions of the piece that a person's act has answered; in its transaction."""
    moved_to = Position(record.after) if record.after != record.before else None
    rows = [
        (record.at, record.actor, f"answered by {record.act}: {record.code}", item_id, code)
        for code in closes(record.code, moved_to)
    ]
    book.executemany(
        "UPDATE exceptions SET state = 'CLOSED', closed_at = ?, closed_by = ?, note = ? "
        "WHERE item_id = ? AND code = ? AND +state = 'OPEN'",
        rows,
    )
