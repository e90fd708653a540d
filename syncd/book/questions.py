"""Exceptions with the facts on their two sides, as the choices look at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from syncd.book.facts import Fact, facts_by_id
from syncd.book.store import Book
from syncd.rules import EVENT_RANK, Piece, Question, Reason

_AT_ONCE: Final = 400
_AFTER_CANCEL: Final = frozenset(
    {
        Reason.DISPATCHED_AFTER_CANCEL.value,
        Reason.DELIVERED_AFTER_CANCEL.value,
        Reason.IN_TRANSIT_AFTER_CANCEL.value,
        Reason.RETURN_OF_CANCELLED.value,
    }
)
_CASES: Final = (
    "SELECT e.id, e.account_id, a.name, e.order_id, e.item_id, e.inbox_id, e.against_id, e.code, "
    "e.state, e.closed_at, e.closed_by, e.choice, e.note FROM exceptions e "
    "JOIN account a ON a.id = e.account_id "
)


class Case(Struct, kw_only=True):
    """An exception. ``fact`` contradicts what ``against`` brought about; either may be None."""

    id: int
    account_id: int
    account: str
    order_id: str
    item_id: int | None
    inbox_id: int | None
    against_id: int | None
    code: str
    state: str
    closed_at: int | None
    closed_by: str
    choice: str
    note: str
    fact: Fact | None = None
    against: Fact | None = None

    @property
    def evidence_times(self) -> list[int]:
        """The event times of the two sides, in microseconds."""
        return [one.occurred_at for one in (self.fact, self.against) if one is not None]


def cases_of(book: Book, ids: Sequence[int]) -> list[Case]:
    """These exceptions, and the open ones of the same pieces, oldest first."""
    found: dict[int, Case] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        _add(book, found, f"WHERE e.id IN ({marks})", part)
    items = sorted({case.item_id for case in found.values() if case.item_id is not None})
    for start in range(0, len(items), _AT_ONCE):
        chunk = items[start : start + _AT_ONCE]
        marks = ",".join("?" * len(chunk))
        _add(book, found, f"WHERE e.item_id IN ({marks}) AND +e.state = 'OPEN'", chunk)
    _add_facts(book, found.values())
    return [found[case_id] for case_id in sorted(found)]


def _add(book: Book, found: dict[int, Case], where: str, params: Sequence[int]) -> None:
    for row in book.query(_CASES + where, params):
        found[row[0]] = Case(
            id=row[0], account_id=row[1], account=row[2], order_id=row[3], item_id=row[4],
            inbox_id=row[5], against_id=row[6], code=row[7], state=row[8], closed_at=row[9],
            closed_by=row[10], choice=row[11], note=row[12],
        )  # fmt: skip


def _add_facts(book: Book, cases: Iterable[Case]) -> None:
    listed = list(cases)
    wanted = {one for case in listed for one in (case.inbox_id, case.against_id) if one is not None}
    facts: dict[int, Fact] = {}
    ids = sorted(wanted)
    for start in range(0, len(ids), _AT_ONCE):
        facts.update(facts_by_id(book, ids[start : start + _AT_ONCE]))
    for case in listed:
        case.fact = facts.get(case.inbox_id or 0)
        case.against = facts.get(case.against_id or 0)


def lead_of(case: Case, cases: Iterable[Case]) -> Case:
    """The one whose fact the choices go by: the newest of the piece that asks the same.

    What a channel said of a cancelled piece, in several words, is one question.
    """
    alike = [
        one
        for one in cases
        if one.item_id == case.item_id and one.state == "OPEN" and _same(one.code, case.code)
    ]
    told = [one for one in alike if one.fact is not None]
    if case.item_id is None or not told:
        return case
    return max(told, key=_newest)


def _same(one: str, other: str) -> bool:
    return one == other or {one, other} <= _AFTER_CANCEL


def _newest(case: Case) -> tuple[int, int, int]:
    if case.fact is None:
        return 0, 0, case.id
    return case.fact.occurred_at, EVENT_RANK[case.fact.event], case.id


def question_of(case: Case, lead: Case, piece: Piece | None, putaway: str) -> Question:
    """The exception as the rules look at it; ``putaway`` is the state of the newest one."""
    event = None if lead.fact is None else lead.fact.event
    return Question(code=case.code, event=event, piece=piece, putaway=putaway)
