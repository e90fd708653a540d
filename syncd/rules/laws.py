"""What every cell must obey, whatever the table says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from syncd.rules.cells import Cell, Fallback, Step
from syncd.rules.words import MOVING, RANK, Outcome, Position, Verb

MOVES: Final[Mapping[Verb, Position]] = MappingProxyType(
    {
        Verb.DISPATCH: Position.DISPATCHED,
        Verb.DELIVER: Position.DELIVERED,
        Verb.CANCEL_ITEM: Position.CANCELLED,
        Verb.EXPECT_RETURN: Position.RETURN_EXPECTED,
        Verb.MARK_RETURNED: Position.RETURNED,
        Verb.WITHDRAW_RETURN_EXPECTATION: Position.DISPATCHED,
        Verb.CREATE_REVERSE_PICKUP: Position.CIR_CREATED,
        Verb.COMPLETE_REVERSE_PICKUP: Position.CIR_COMPLETE,
        Verb.CANCEL_REVERSE_PICKUP: Position.DELIVERED,
        Verb.OPEN_CLAIM: Position.LOST,
    }
)
"""The steps that move a piece, and where to."""

FIXED: Final = frozenset({Position.UNKNOWN_ORDER, Position.CANCELLED})
"""No fact moves a piece out of these."""

_MARK: Final[Mapping[Outcome, frozenset[Verb]]] = MappingProxyType(
    {
        Outcome.PARK: frozenset({Verb.PARK}),
        Outcome.TOMBSTONE: frozenset({Verb.TOMBSTONE}),
        Outcome.ESCALATE: frozenset({Verb.ALERT}),
        Outcome.HOLD: frozenset({Verb.HOLD_ITEM, Verb.BLOCK_DISPATCH}),
    }
)


def broken_laws(cells: Iterable[Cell]) -> Iterator[str]:
    """Each breach as a sentence that begins with the cell."""
    for cell in cells:
        for breach in _breaches(cell):
            yield f"{cell.name}: {breach}"


def destination(steps: Sequence[Step], start: Position) -> Position:
    """Where the steps leave a piece that stood at ``start``."""
    ends = [MOVES[step.verb] for step in steps if step.verb in MOVES]
    return ends[-1] if ends else start


def _breaches(cell: Cell) -> Iterator[str]:
    yield from _of_act(cell.position, cell)
    for since, older in zip(cell.newer_than, cell.older, strict=True):
        yield from (
            f"when older than {since}: {breach}" for breach in _of_act(cell.position, older)
        )
    if not cell.newer_than and _backwards(cell):
        yield f"moves back to {cell.target} without a date to compare"
    if (cell.needs_evidence or cell.grace) and not any(step.implied for step in cell.steps):
        yield "waits for evidence or grace, but implies nothing"


def _of_act(position: Position, act: Cell | Fallback) -> Iterator[str]:
    end = destination(act.steps, position)
    if act.target != end:
        yield f"the target is {act.target}, but the steps lead to {end}"
    if act.target != position and act.outcome not in MOVING:
        yield f"{act.outcome} may not move the piece"
    if act.target != position and position in FIXED:
        yield f"no fact moves a piece out of {position}"
    wanted = _MARK.get(act.outcome)
    if wanted and not any(step.verb in wanted for step in act.steps):
        yield f"{act.outcome} needs the step {' or '.join(sorted(wanted))}"
    moves = sum(step.verb in MOVES for step in act.steps)
    implied = any(step.implied for step in act.steps)
    if act.outcome is Outcome.APPLY_CHAIN and moves < 2 and not implied:
        yield "a chain of one link is an APPLY"
    if act.outcome is not Outcome.APPLY_CHAIN and implied:
        yield f"{act.outcome} may not imply steps"


def _backwards(cell: Cell) -> bool:
    before, after = RANK[cell.position], RANK[cell.target]
    return before is not None and after is not None and after < before
