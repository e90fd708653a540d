"""A book of bare pieces, to carry decisions out without a database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syncd.rules import (
    MOVING,
    Decision,
    Event,
    Fact,
    Outcome,
    Piece,
    Position,
    Step,
    Verb,
    choose,
    decide,
)

DAY = 86_400_000_000


def piece(position: Position | str, number: int = 0, **known: Any) -> Piece:
    """A piece of line «a», number ``number``."""
    fields: dict[str, Any] = {"line_id": "a", "sku": "MUG", "piece": number, **known}
    return Piece(item_id=number + 1, position=Position(position), **fields)


def fact(event: Event | str, at: int = DAY, **known: Any) -> Fact:
    """A fact about line «a», proven and patient unless told otherwise."""
    fields: dict[str, Any] = {"line_id": "a", "left_seller": True, "waited": True, **known}
    return Fact(event=Event(event), occurred_at=at, **fields)


class Bench:
    """The pieces of one order and what happened to them."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = list(pieces)
        self.decisions: list[Decision] = []
        self.parked: list[Fact] = []
        self.excess = 0

    def tell(self, *facts: Fact) -> Bench:
        """Decide and carry out; what was parked earlier is tried again after each fact."""
        for each in facts:
            parked, self.parked = self.parked, []
            for one in (each, *parked):
                self._one(one)
        return self

    def _one(self, told: Fact) -> None:
        choice = choose(self.pieces, told)
        self.excess += choice.excess
        decisions = [decide(each, told) for each in choice.pieces]
        if any(decision.outcome is Outcome.PARK for decision in decisions):
            self.parked.append(told)
            return
        for each, decision in zip(choice.pieces, decisions, strict=True):
            carry_out(each, told, decision)
            self.decisions.append(decision)

    @property
    def stands(self) -> list[str]:
        """Where the pieces stand."""
        return [each.position.value for each in self.pieces]

    def steps(self, verb: Verb) -> list[Step]:
        """The steps of this verb, in the order in which they were carried out."""
        return [step for decision in self.decisions for step in decision.steps if step.verb is verb]

    def reasons(self, *outcomes: Outcome) -> list[str]:
        """The reasons of the decisions, of these outcomes only if any are given."""
        wanted = outcomes or tuple(Outcome)
        return [each.reason.value for each in self.decisions if each.outcome in wanted]


def carry_out(target: Piece, told: Fact, decision: Decision) -> None:
    """Do to a piece what its decision says, as far as the rules look at it again."""
    before = target.position
    for step in decision.steps:
        _do(target, told, step, decision.target)
    assert target.position == decision.target, decision
    if before != target.position:
        assert decision.outcome in MOVING
        target.changed_at = told.occurred_at


def _do(target: Piece, told: Fact, step: Step, end: Position) -> None:
    at, verb = told.occurred_at, step.verb
    if verb is Verb.DISPATCH:
        target.position, target.dispatched_at, target.hold = Position.DISPATCHED, at, ""
    elif verb is Verb.DELIVER:
        target.position, target.delivered_at = Position.DELIVERED, at
    elif verb is Verb.BACKFILL_DELIVERED_AT:
        target.delivered_at = min(at, target.delivered_at or at)
    elif verb is Verb.BACKFILL_DISPATCHED_AT:
        target.dispatched_at = min(at, target.dispatched_at or at)
    elif verb is Verb.CANCEL_ITEM:
        target.position, target.hold = Position.CANCELLED, ""
    elif verb is Verb.OPEN_CLAIM:
        target.position, target.lost_at = Position.LOST, at
    elif verb in _HOLDS:
        target.hold, target.held_at = _HOLDS[verb], at
    elif verb is Verb.RELEASE_HOLD:
        target.hold, target.held_at = "", None
        if told.event is Event.CANCEL_WITHDRAWN:
            target.uncancelled_at = max(at, target.uncancelled_at or at)
    elif verb is Verb.NOTE_RETURN:
        _note_return(target, told, step.arg)
    else:
        _do_return(target, told, verb, end)


_HOLDS = {
    Verb.HOLD_ITEM: "buyer_cancel_requested",
    Verb.BLOCK_DISPATCH: "cancelled_after_manifest",
}
_STARTS = {
    Verb.EXPECT_RETURN: (Position.RETURN_EXPECTED, "RTO"),
    Verb.CREATE_REVERSE_PICKUP: (Position.CIR_CREATED, "CIR"),
}
_ARRIVES = {
    Verb.MARK_RETURNED: (Position.RETURNED, "RTO"),
    Verb.COMPLETE_REVERSE_PICKUP: (Position.CIR_COMPLETE, "CIR"),
}


def _do_return(target: Piece, told: Fact, verb: Verb, end: Position) -> None:
    at = told.occurred_at
    if verb in _STARTS:
        position, kind = _STARTS[verb]
        found = target.position is Position.LOST
        target.return_from = Position.DISPATCHED.value if found else target.position.value
        target.return_type, target.return_noticed_at = kind, at
        target.return_id = told.return_id
        target.position = position
    elif verb in _ARRIVES:
        target.position, target.return_type = _ARRIVES[verb]
        target.return_id = target.return_id or told.return_id
        target.return_noticed_at = target.return_noticed_at or at
    elif verb is Verb.FILL_RETURN_TRACKING:
        target.return_noticed_at = max(at, target.return_noticed_at or at)
    elif verb in (Verb.WITHDRAW_RETURN_EXPECTATION, Verb.CANCEL_REVERSE_PICKUP):
        target.position, target.return_noticed_at = end, None
        target.return_type = target.return_from = ""
        if told.event is Event.RETURN_WITHDRAWN:
            _do_return(target, told, Verb.NOTE_WITHDRAWAL, end)
    elif verb is Verb.NOTE_WITHDRAWAL:
        target.withdrawn_at = max(at, target.withdrawn_at or at)
        target.return_id = target.return_id or told.return_id
    else:
        _do_note(target, at, verb)


def _note_return(target: Piece, told: Fact, kind: str) -> None:
    at = told.occurred_at
    target.return_type, target.return_from, target.return_noticed_at = {
        "none": ("", "", None),
        "RTO": ("RTO", Position.DISPATCHED.value, at),
        "CIR": ("CIR", Position.DELIVERED.value, at),
    }[kind]
    if kind != "none":
        target.return_id = told.return_id
    if kind == "CIR":
        target.delivered_at = target.delivered_at or at


def _do_note(target: Piece, at: int, verb: Verb) -> None:
    if verb is Verb.RENEW_DELIVERED_AT:
        found = target.position is Position.DELIVERED and target.found_again
        target.delivered_at = max(at, target.delivered_at or at)
        if found:
            _do_note(target, at, Verb.NOTE_FOUND)
    elif verb is Verb.NOTE_FOUND and target.delivered_at is not None:
        target.withdrawn_at = max(target.delivered_at - 1, target.withdrawn_at or 0)
    elif verb is Verb.NOTE_CANCELLATION:
        target.cancelled_at = max(at, target.cancelled_at or at)
    elif verb is Verb.NOTE_LOSS:
        target.lost_at = max(at, target.lost_at or at)
    elif verb is Verb.RENEW_HOLD:
        target.held_at = max(at, target.held_at or at)


def counts(stands: Iterable[str]) -> dict[str, int]:
    """How many pieces stand where."""
    found: dict[str, int] = {}
    for each in stands:
        found[each] = found.get(each, 0) + 1
    return found
