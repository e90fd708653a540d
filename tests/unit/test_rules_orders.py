"""Every order of arrival of all two and three facts, from wherever a piece may stand.

A history is right when it ends as it does in the order of its dates, or when a person is told of
it. Which pairs depend on the order is listed here, so that a rule which changes it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, permutations, product
from typing import Any, Final

import msgspec
import pytest

from syncd.rules import EVENT_RANK, RANK, Event, Outcome, Piece, Position, Reason, Verb, decide
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


@cache
def step(state: State, event: Event, at: int) -> tuple[State, bool]:
    """The piece after one fact, and whether a person is told of it."""
    target = Piece(**dict(zip(FIELDS, state, strict=True)))
    told = fact(event, at)
    decision = decide(target, told)
    carry_out(target, told, decision)
    held = (Outcome.HOLD, Reason.CANCELLED_AFTER_MANIFEST)
    known = decision.outcome is Outcome.ESCALATE or (decision.outcome, decision.reason) == held
    asked = any(step.verb is Verb.ASK for step in decision.steps)
    return msgspec.structs.astuple(target), known or asked


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

ORDINARY: Final[Mapping[str, str]] = {
    "delivered": "DISPATCHED UNDELIVERED DELIVERED",
    "back from the buyer": "DISPATCHED DELIVERED RETURN_NOTICED_CIR RETURNED_CIR",
    "kept by the buyer": "DISPATCHED DELIVERED RETURN_NOTICED_CIR RETURN_WITHDRAWN",
    "lost by the courier": "DISPATCHED UNDELIVERED LOST",
    "lost on its way back": "DISPATCHED RETURN_NOTICED_RTO LOST",
    "lost on the buyer's way back": "DISPATCHED RETURN_NOTICED_CIR LOST",
    "back undelivered": "DISPATCHED UNDELIVERED RETURN_NOTICED_RTO RETURNED_RTO",
    "delivered after all": "DISPATCHED RETURN_NOTICED_RTO RETURN_WITHDRAWN DELIVERED",
    "delivered meanwhile": "DISPATCHED RETURN_NOTICED_RTO DELIVERED",
    "back although called off": "DISPATCHED RETURN_NOTICED_RTO RETURN_WITHDRAWN RETURNED_RTO",
    "sent back although called off": (
        "DISPATCHED DELIVERED RETURN_NOTICED_CIR RETURN_WITHDRAWN RETURNED_CIR"
    ),
    "wished and not": "CANCEL_REQUESTED CANCEL_WITHDRAWN DISPATCHED",
}
"""Histories without contradiction, in the order in which they happen; each part of one is too."""


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


@pytest.mark.parametrize("start", STARTS)
def test_a_contradiction_that_the_dates_show_is_told_in_every_order(start: str) -> None:
    """The same end is not enough: who hears of it may not depend on what came first."""
    alone = {event: arrive(start, [(event, DAY)])[1] for event in Event}
    for pair in permutations(Event, 2):
        if not alone[pair[0]] and not alone[pair[1]]:
            shown, reverse = arrive(start, dated(pair)), arrive(start, dated(pair)[::-1])
            assert not shown[1] or reverse[1], pair


@pytest.mark.parametrize("dating", [dated, at_once])
@pytest.mark.parametrize("kind", ["RTO", "CIR"])
@pytest.mark.parametrize("start", STARTS)
def test_a_return_and_its_withdrawal_are_told_alike_in_both_orders(
    start: str, kind: str, dating: Any
) -> None:
    back, off = Event(f"RETURNED_{kind}"), Event.RETURN_WITHDRAWN
    alone = any(arrive(start, [(event, DAY)])[1] for event in (back, off))
    assert not alone or start not in [*BEFORE_DISPATCH, "DISPATCHED", "SHIPPED", "DELIVERED"]
    if alone:
        return
    for pair in ((back, off), (off, back)):
        told = {arrive(start, order)[1] for order in permutations(dating(pair))}
        assert told == {int(pair == (back, off) and dating is dated)}, pair


def test_the_pairs_that_depend_on_the_order_are_those_listed() -> None:
    found: dict[frozenset[str], str] = {}
    for start, pair in product(STARTS, combinations(Event, 2)):
        how = sensitive(start, pair)
        key = frozenset(map(str, pair))
        if how and found.get(key) != "exception":
            found[key] = how
    assert found == {frozenset(pair.split()): how for pair, how in PAIRS.items()}


@pytest.mark.parametrize("start", ["FULFILLABLE", "PACKED", "DISPATCHED", "SHIPPED"])
def test_what_is_lost_on_the_buyers_way_back_had_been_delivered(start: str) -> None:
    """A delivery before the notice is no word against the loss, once the notice is known."""
    notice, loss, delivery = Event.RETURN_NOTICED_CIR, Event.LOST, Event.DELIVERED
    history = dated([Event.DISPATCHED, delivery, notice, loss])
    assert arrive(start, history) == ((Position.LOST, ""), 0)
    for order in permutations(history):
        heard = [event for event, _ in order]
        unknown = heard.index(notice) > max(heard.index(loss), heard.index(delivery))
        assert arrive(start, order)[1] == unknown, heard
        assert unknown or arrive(start, order) == arrive(start, history), heard


@pytest.mark.parametrize("start", STARTS)
def test_no_triple_ends_otherwise_than_dated_without_a_word(start: str) -> None:
    for triple in product(Event, repeat=3):
        assert not wrong_in_silence(start, dated(triple)), triple
        if list(triple) == sorted(triple):  # at one stamp the order of naming says nothing
            assert not wrong_in_silence(start, at_once(triple)), triple


@pytest.mark.parametrize("name", ORDINARY)
def test_nobody_is_asked_about_an_ordinary_history_in_any_order(name: str) -> None:
    starts = [*BEFORE_DISPATCH, "DISPATCHED", "SHIPPED"]
    events = [Event(word) for word in ORDINARY[name].split()]
    for start, number in product(starts, range(1, len(events) + 1)):
        for part in combinations(events, number):
            right, _ = arrive(start, dated(part))
            for order in permutations(dated(part)):
                assert arrive(start, order) == (right, 0), order
