"""What undecided facts would do to the pieces of an order, looked at before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from syncd.rules.choose import choose
from syncd.rules.decide import decide
from syncd.rules.pieces import Fact, Piece
from syncd.rules.words import MOVING, RANK, Event, Outcome, Position

_LEFT_RANK: Final = RANK[Position.DISPATCHED] or 0


def foresee(pieces: Sequence[Piece], facts: Iterable[Fact]) -> dict[int, Fact]:
    """The pieces that these facts would cancel or stop: item id -> the fact that does it.

    ``facts`` are all of one order, in the order in which they are decided. Gates are not asked.
    A piece that a channel's word lets go again, or that leaves first, is not among them.
    """
    return look_ahead(pieces, facts)[0]


def look_ahead(
    pieces: Sequence[Piece], facts: Iterable[Fact]
) -> tuple[dict[int, Fact], dict[int, Fact]]:
    """What ``foresee`` finds, and the pieces here that have left by the first such fact."""
    seen = [replace(piece) for piece in pieces]
    stopped: dict[int, Fact] = {}
    left: dict[int, Fact] = {}
    for fact in facts:
        chosen = choose(seen, fact).pieces
        decisions = [decide(piece, fact) for piece in chosen]
        if any(decision.outcome is Outcome.PARK for decision in decisions):
            continue
        for piece, decision in zip(chosen, decisions, strict=True):
            if decision.outcome is Outcome.HOLD:
                piece.hold, piece.held_at = decision.reason.value, fact.occurred_at
                stopped[piece.item_id] = fact
            elif decision.outcome in MOVING:
                _move(piece, fact, decision.target)
                if decision.target is Position.CANCELLED:
                    stopped[piece.item_id] = fact
                else:
                    stopped.pop(piece.item_id, None)
                if has_left(decision.target):
                    left.setdefault(piece.item_id, fact)
    return stopped, left


def doubted(pieces: Sequence[Piece], facts: Iterable[Fact]) -> dict[int, Fact]:
    """The pieces here that a cancellation, or a wish for one, may mean and does not name.

    Its line or SKU is none of the order's, or it may be of a line or of that line's replacement:
    item id -> that fact. Nobody knows which piece it is, so none of them should leave meanwhile.
    """
    found: dict[int, list[Fact]] = {}
    for fact in facts:
        for piece in _perhaps(pieces, fact):
            doubts = found.setdefault(piece.item_id, [])
            if fact.event is Event.CANCEL_WITHDRAWN:
                doubts[:] = [one for one in doubts if not _same_wish(one, fact)]
            else:
                doubts.append(fact)
    return {item_id: doubts[0] for item_id, doubts in found.items() if doubts}


def _perhaps(pieces: Sequence[Piece], fact: Fact) -> Sequence[Piece]:
    if fact.event not in OF_CANCELS:
        return ()
    named = [
        piece
        for piece in pieces
        if fact.line_id in ("", piece.line_id) and (fact.line_id or fact.sku in ("", piece.sku))
    ]
    if not named:
        return pieces
    return named if choose(pieces, fact).ambiguous else ()


def _same_wish(asked: Fact, withdrawn: Fact) -> bool:
    names = (asked.line_id, asked.sku) == (withdrawn.line_id, withdrawn.sku)
    return asked.event is Event.CANCEL_REQUESTED and names


OF_CANCELS: Final = frozenset({Event.CANCELLED, Event.CANCEL_REQUESTED, Event.CANCEL_WITHDRAWN})


def _move(piece: Piece, fact: Fact, target: Position) -> None:
    """As far as later facts look at it."""
    piece.hold, piece.held_at = "", None
    if fact.event is Event.CANCEL_WITHDRAWN:
        piece.uncancelled_at = max(piece.uncancelled_at or 0, fact.occurred_at)
    if target is not piece.position:
        piece.position, piece.changed_at = target, fact.occurred_at


def has_left(position: Position) -> bool:
    """Whether a piece that stands here has left the seller."""
    return position is Position.LOST or (RANK[position] or 0) >= _LEFT_RANK
