"""Every order of arrival of all two and three facts, from wherever a piece may stand.

A history is right when it ends as it does in the order of its dates, or when a person is told of
it. What depends on the order is listed here by name, so that a rule which changes it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, permutations, product
from typing import Any, Final

import msgspec
import pytest

from syncd.rules import EVENT_RANK, RANK, Event, Outcome, Piece, Position, Reason, decide
from tests.unit.rulekit import DAY, carry_out, fact, piece

State = tuple[Any, ...]
Told = tuple[Event, int]
End = tuple[Position, str]

FIELDS: Final = [field.name for field in msgspec.structs.fields(Piece)]
POSITION, HOLD = FIELDS.index("position"), FIELDS.index("hold")
BEFORE_DISPATCH: Final = [p.value for p in Position if (RANK[p] or 99) < 70]


def _starts() -> Iterator[tuple[str, Piece]]:
    """Every position, and the held ones, with the dates of the way there."""
    left = {"dispatched_at": 1, "changed_at": 5}
    had = {**left, "delivered_at": 2}
    rto = {**left, "return_type": "RTO", "return_noticed_at": 3, "return_from": "DISPATCHED"}
    cir = {**had, "return_type": "CIR", "return_noticed_at": 3, "return_from": "DELIVERED"}
    known: Mapping[str, Mapping[str, Any]] = {
        "DISPATCHED": left, "SHIPPED": left, "DELIVERED": had, "LOST": {**left, "lost_at": 5},
        "RETURN_EXPECTED": rto, "RETURNED": rto, "RETURN_ACKNOWLEDGED": rto,
        "CIR_CREATED": cir, "CIR_COMPLETE": cir,
    }  # fmt: skip
    for position in Position:
        if position is not Position.UNKNOWN_ORDER:
            yield position.value, piece(position, **known.get(position, {"changed_at": 5}))
    for name in BEFORE_DISPATCH:
        yield f"{name} wished", piece(name, hold="buyer_cancel_requested", held_at=4)
    yield "MANIFESTED cancelled", piece("MANIFESTED", hold="cancelled_after_manifest")


STARTS: Final[Mapping[str, State]] = {
    name: msgspec.structs.astuple(start) for name, start in _starts()
}
GROUPS: Final = {
    "before_dispatch": [*BEFORE_DISPATCH, *(f"{name} wished" for name in BEFORE_DISPATCH)],
    "on_the_way": ["DISPATCHED", "SHIPPED"],
}


@cache
def step(state: State, event: Event, at: int) -> tuple[State, bool]:
    """The piece after one fact, and whether a person is told of it."""
    target = Piece(**dict(zip(FIELDS, state, strict=True)))
    told = fact(event, at)
    decision = decide(target, told)
    carry_out(target, told, decision)
    held = (Outcome.HOLD, Reason.CANCELLED_AFTER_MANIFEST)
    known = decision.outcome is Outcome.ESCALATE or (decision.outcome, decision.reason) == held
    return msgspec.structs.astuple(target), known


def arrive(start: str, facts: Sequence[Told]) -> tuple[End, int]:
    """Where the piece stands after these facts, in this order, and how often a person is told."""
    state, times = STARTS[start], 0
    for event, at in facts:
        state, told = step(state, event, at)
        times += told
    return (state[POSITION], state[HOLD]), times


def in_time(facts: Sequence[Told]) -> list[Told]:
    """The order in which one pass decides them."""
    return sorted(facts, key=lambda told: (told[1], EVENT_RANK[told[0]]))


def wrong_in_silence(start: str, facts: Sequence[Told]) -> list[tuple[Told, ...]]:
    """The orders that end otherwise than the dates say, and nobody is told."""
    right, _ = arrive(start, in_time(facts))
    ends = {order: arrive(start, order) for order in set(permutations(facts))}
    return [order for order, (end, told) in ends.items() if not told and end != right]


def dated(events: Sequence[Event]) -> list[Told]:
    """A day apart, in this order."""
    return [(event, day * DAY) for day, event in enumerate(events, 1)]


def at_once(events: Sequence[Event]) -> list[Told]:
    """All with one date."""
    return [(event, DAY) for event in events]


def sensitive(start: str, pair: tuple[Event, Event]) -> str:
    """What settles a pair whose end depends on dates or arrival: time, exception; or empty."""
    datings = [dated(pair), dated(pair[::-1]), at_once(pair)]
    found = [arrive(start, order) for facts in datings for order in permutations(facts)]
    if len({end for end, _ in found}) == 1:
        return ""
    alone = any(arrive(start, [(event, DAY)])[1] for event in pair)
    return "exception" if any(told for _, told in found) and not alone else "time"


PAIRS: Final[Mapping[str, str]] = {
    # Cancelled, and yet it travels.
    "CANCELLED DISPATCHED": "exception",
    "CANCELLED DELIVERED": "exception",
    "CANCELLED UNDELIVERED": "exception",
    "CANCELLED LOST": "exception",
    "CANCELLED RETURN_NOTICED_RTO": "exception",
    "CANCELLED RETURN_NOTICED_CIR": "exception",
    "CANCELLED RETURNED_RTO": "exception",
    "CANCELLED RETURNED_CIR": "exception",
    # One parcel, back both ways.
    "RETURN_NOTICED_RTO RETURN_NOTICED_CIR": "exception",
    "RETURN_NOTICED_RTO RETURNED_CIR": "exception",
    "RETURN_NOTICED_CIR RETURNED_RTO": "exception",
    "RETURNED_RTO RETURNED_CIR": "exception",
    # Lost, and yet here or there.
    "DELIVERED LOST": "exception",
    "LOST RETURN_NOTICED_RTO": "exception",
    "LOST RETURN_NOTICED_CIR": "exception",
    "LOST RETURNED_CIR": "exception",
    "LOST RETURN_WITHDRAWN": "exception",
    # Withdrawn, and yet here.
    "RETURNED_RTO RETURN_WITHDRAWN": "exception",
    "RETURNED_CIR RETURN_WITHDRAWN": "exception",
    "DELIVERED RETURNED_RTO": "exception",
    # The later one counts.
    "DELIVERED RETURN_NOTICED_CIR": "time",
    "DELIVERED RETURNED_CIR": "time",
    "RETURN_NOTICED_RTO RETURN_WITHDRAWN": "time",
    "RETURN_NOTICED_CIR RETURN_WITHDRAWN": "time",
    "DELIVERED RETURN_NOTICED_RTO": "time",
    "CANCELLED RETURN_WITHDRAWN": "time",
    "CANCEL_REQUESTED CANCEL_WITHDRAWN": "time",
}
"""All pairs whose end depends on dates or arrival from somewhere, and what settles them."""

TRIPLES: Final[Mapping[str, str]] = {
    "dated LOST RETURN_NOTICED_CIR RETURN_WITHDRAWN": "before_dispatch on_the_way RETURN_EXPECTED",
    "dated RETURN_NOTICED_CIR RETURN_WITHDRAWN LOST": "before_dispatch on_the_way RETURN_EXPECTED",
    "dated RETURN_NOTICED_CIR LOST DELIVERED": "before_dispatch on_the_way",
    "dated RETURN_NOTICED_CIR LOST RETURNED_RTO": "before_dispatch on_the_way",
    "dated RETURN_NOTICED_CIR RETURNED_RTO LOST": "before_dispatch on_the_way",
    "at once LOST RETURNED_RTO RETURN_NOTICED_CIR": "before_dispatch on_the_way",
    "dated RETURN_NOTICED_RTO RETURNED_CIR DELIVERED": "before_dispatch on_the_way DELIVERED",
    "dated RETURN_NOTICED_RTO RETURN_NOTICED_CIR DELIVERED": "before_dispatch on_the_way DELIVERED",
    "dated RETURN_NOTICED_RTO RETURNED_CIR RETURN_WITHDRAWN": "before_dispatch",
    "dated RETURN_NOTICED_CIR RETURN_NOTICED_RTO RETURN_WITHDRAWN": "LOST",
    "dated RETURN_NOTICED_RTO RETURN_NOTICED_CIR RETURN_WITHDRAWN": "LOST",
    "at once RETURN_NOTICED_CIR RETURN_NOTICED_RTO RETURN_WITHDRAWN": "LOST",
    "dated RETURN_NOTICED_CIR RETURN_WITHDRAWN CANCELLED": "on_the_way RETURN_EXPECTED",
    "at once CANCELLED RETURN_NOTICED_CIR RETURN_WITHDRAWN": "on_the_way RETURN_EXPECTED",
    "dated RETURN_NOTICED_RTO RETURN_WITHDRAWN CANCELLED": "DELIVERED LOST",
    "at once CANCELLED RETURN_NOTICED_RTO RETURN_WITHDRAWN": "DELIVERED LOST",
    "dated RETURN_NOTICED_RTO RETURN_WITHDRAWN LOST": "DELIVERED",
    "dated DELIVERED RETURNED_CIR RETURNED_RTO": "RETURN_EXPECTED",
    "dated DELIVERED RETURN_NOTICED_CIR RETURNED_RTO": "RETURN_EXPECTED",
    "at once DELIVERED RETURNED_RTO RETURN_NOTICED_CIR": "RETURN_EXPECTED",
    "dated LOST DELIVERED RETURN_WITHDRAWN": "CIR_CREATED",
    "dated LOST RETURN_WITHDRAWN DELIVERED": "CIR_CREATED",
    "dated LOST RETURN_NOTICED_RTO DELIVERED": "CIR_CREATED",
    "dated LOST RETURN_NOTICED_RTO RETURN_WITHDRAWN": "CIR_CREATED",
    "dated LOST RETURNED_RTO RETURN_NOTICED_RTO": "CIR_CREATED",
    "dated RETURNED_RTO LOST RETURN_NOTICED_RTO": "CIR_CREATED",
    "dated LOST RETURN_WITHDRAWN RETURNED_RTO": "CIR_CREATED",
    "at once LOST RETURNED_RTO RETURN_WITHDRAWN": "CIR_CREATED",
}
"""Triples, as they are dated, that some order of arrival ends otherwise without a word, and from
where. ``docs/decisions/rules-that-differ.md`` says why they stay. The list may only shrink."""


def named(events: Sequence[Event]) -> str:
    return " ".join(events)


def starts_of(text: str) -> set[str]:
    return {start for word in text.split() for start in GROUPS.get(word, [word])}


@pytest.mark.parametrize("dating", [dated, at_once])
@pytest.mark.parametrize("start", STARTS)
def test_no_pair_ends_otherwise_than_dated_without_a_word(start: str, dating: Any) -> None:
    for pair in product(Event, repeat=2):
        assert not wrong_in_silence(start, dating(pair)), pair


@pytest.mark.parametrize("dating", [dated, at_once])
@pytest.mark.parametrize("start", STARTS)
def test_a_pair_that_contradicts_is_told_once(start: str, dating: Any) -> None:
    """Unless a fact alone contradicts where the piece stands: then each is told by itself."""
    alone = {event: arrive(start, [(event, DAY)])[1] for event in Event}
    for pair in permutations(Event, 2):
        if not alone[pair[0]] and not alone[pair[1]]:
            for order in permutations(dating(pair)):
                assert arrive(start, order)[1] <= 1, order


def test_the_pairs_that_depend_on_the_order_are_those_listed() -> None:
    found: dict[frozenset[str], str] = {}
    for start, pair in product(STARTS, combinations(Event, 2)):
        how = sensitive(start, pair)
        key = frozenset(map(str, pair))
        if how and found.get(key) != "exception":
            found[key] = how
    assert found == {frozenset(pair.split()): how for pair, how in PAIRS.items()}


@pytest.mark.parametrize("start", STARTS)
def test_triples_end_as_dated_or_with_a_word_but_for_those_listed(start: str) -> None:
    found = {
        f"dated {named(t)}" for t in product(Event, repeat=3) if wrong_in_silence(start, dated(t))
    }
    found |= {
        f"at once {named(triple)}"
        for triple in product(Event, repeat=3)
        if list(triple) == sorted(triple) and wrong_in_silence(start, at_once(triple))
    }
    assert found == {name for name, where in TRIPLES.items() if start in starts_of(where)}


def test_every_listed_triple_holds_a_contradiction() -> None:
    told = {frozenset(pair.split()) for pair, how in PAIRS.items() if how == "exception"}
    for name in TRIPLES:
        events = name.removeprefix("dated ").removeprefix("at once ").split()
        assert any(frozenset(pair) in told for pair in combinations(events, 2)), name
