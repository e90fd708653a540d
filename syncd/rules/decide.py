"""What one fact does to one piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from syncd.rules.answered import is_answered
from syncd.rules.cells import Cell, Decision, Fallback, Step
from syncd.rules.pieces import Fact, Piece
from syncd.rules.policies import Policies
from syncd.rules.rulebook import table_for
from syncd.rules.words import (
    EVENT_RANK,
    MOVING,
    Event,
    Outcome,
    Position,
    Reason,
    Since,
    Verb,
)
from syncd.statuses import ReturnType

_RELEASE: Final = Step(Verb.RELEASE_HOLD)
_INVOICE: Final = Step(Verb.CREATE_INVOICE)
_RENEW: Final = (Step(Verb.RENEW_HOLD),)
_PARK: Final = (Step(Verb.PARK),)
_RETURNING: Final = frozenset(
    {
        Position.RETURN_EXPECTED, Position.RETURNED, Position.RETURN_ACKNOWLEDGED,
        Position.CIR_CREATED, Position.CIR_COMPLETE, Position.LOST,
    }
)  # fmt: skip


def _plain(cell: Cell) -> Decision:
    return Decision(cell.outcome, cell.target, cell.reason, cell.steps, cell)


class Rulings(Struct, frozen=True):
    """The decisions of one table, by position and event.

    Nothing about the ``simple`` ones depends on the fact but its event: the hot path is two
    look-ups.
    """

    all: Mapping[Position, Mapping[Event, Decision]]
    simple: Mapping[Position, Mapping[Event, Decision]]


@cache
def rulings_for(policies: Policies) -> Rulings:
    """The decisions of an account with these policies."""
    table = table_for(policies)
    rows = {position: {e: _plain(table[position, e]) for e in Event} for position in Position}
    simple = {
        position: {event: each for event, each in row.items() if not each.cell.conditional}
        for position, row in rows.items()
    }
    return Rulings(rows, simple)


PLAIN: Final = rulings_for(Policies())


def decide(piece: Piece, fact: Fact, rulings: Rulings = PLAIN) -> Decision:
    """The decision of the cell, with its dates, its evidence and the piece's hold.

    A buyer's wish to cancel stops only our own people: what a channel says has happened to
    the piece is applied, and the hold, moot by then, is released first. A piece that the
    channel has cancelled while it was on a closed manifest meets every fact as a cancelled
    one: it is never dispatched by us, and a person hears of whatever contradicts it. A piece
    of a parcel that is to be packed again is off its shelf, so that only a putaway frees it. What
    a person has settled stays so until something newer happens than they had before them, or
    something else is told than they were asked about. What had left unsold and does not come
    back after all is invoiced then. A buyer's return that is called off says nothing of a parcel
    that the courier brings back, nor the other way about.
    """
    position = piece.position
    if piece.unsold:
        return _sold(piece, decide(replace(piece, unsold=False), fact, rulings))
    if piece.settled and is_answered(piece, fact):
        met = rulings.all[position][fact.event]
        return _but(met, Outcome.NOOP, position, Reason.SETTLED_BY_PERSON, ())
    if fact.event is Event.RETURN_WITHDRAWN and _of_other_type(piece, fact):
        met = rulings.all[position][fact.event]
        return _but(met, Outcome.NOOP, position, Reason.RETURN_WITHDRAWN_UNSEEN, ())
    if piece.off_shelf and position is Position.CREATED and fact.event is Event.CANCELLED:
        position = Position.PICKED  # somebody has it in hand
    if not piece.hold:
        decision = rulings.simple[position].get(fact.event)
        if decision is not None:
            return decision
        return _weigh(piece, fact, rulings.all[position][fact.event])
    return _decide_held(piece, fact, position, rulings)


def decide_unknown(event: Event) -> Decision:
    """The decision for a fact about an order that is not in the book."""
    return PLAIN.all[Position.UNKNOWN_ORDER][event]


def superseded(piece: Piece, fact: Fact) -> bool:
    """Whether the piece has met the withdrawal of what this fact, older, only now tells."""
    since = _ENDED_BY.get(fact.event)
    return since is not None and not _newer(piece, fact, since)


def _sold(piece: Piece, decision: Decision) -> Decision:
    if not piece.sold_by(decision.target):
        return decision
    steps = (*decision.steps, _INVOICE)
    return _but(decision, decision.outcome, decision.target, decision.reason, steps)


def _decide_held(piece: Piece, fact: Fact, position: Position, rulings: Rulings) -> Decision:
    if piece.hold == Reason.CANCELLED_AFTER_MANIFEST:
        decision = rulings.all[Position.CANCELLED][fact.event]
        return _but(decision, decision.outcome, piece.position, decision.reason, decision.steps)
    decision = _weigh(piece, fact, rulings.all[position][fact.event])
    if fact.event is Event.CANCEL_REQUESTED and decision.outcome is Outcome.HOLD:
        return _but(decision, Outcome.NOOP, piece.position, Reason.ALREADY_AT_OR_PAST, _RENEW)
    if decision.outcome in MOVING and decision.target != piece.position:
        steps = (_RELEASE, *decision.steps)
        return _but(decision, decision.outcome, decision.target, decision.reason, steps)
    return decision


def _weigh(piece: Piece, fact: Fact, decision: Decision) -> Decision:
    """The decision after the cell's own conditions: date, evidence, grace."""
    cell = decision.cell
    proven = bool(fact.left_seller or fact.tracking_number or not cell.needs_evidence)
    older = _stale(piece, fact, cell)
    if older is not None:
        if older.outcome not in MOVING:
            return _but(decision, older.outcome, older.target, older.reason, older.steps)
        asks = any(step.verb is Verb.ASK for step in older.steps)
        if not proven and not asks:  # what asks a person is not passed over, but waits
            return _but(decision, Outcome.NOOP, piece.position, Reason.STALE_EVENT, ())
        decision = _but(decision, older.outcome, older.target, older.reason, older.steps)
    if not proven:
        return _but(decision, Outcome.PARK, piece.position, Reason.DISPATCH_UNPROVEN, _PARK)
    if cell.grace and not fact.waited:
        return _but(decision, Outcome.PARK, piece.position, Reason.IMPLIED_DISPATCH, _PARK)
    if decision.reason is Reason.RETURN_WITHDRAWN:
        return _back(piece, decision)
    return decision


def _stale(piece: Piece, fact: Fact, cell: Cell) -> Fallback | None:
    """What is done instead with a fact that is not newer than the cell asks."""
    for since, older in zip(cell.newer_than, cell.older, strict=True):
        if not _newer(piece, fact, since):
            return older
    return None


def _back(piece: Piece, decision: Decision) -> Decision:
    """A withdrawn return: where the piece was before its notice.

    A delivery that came to our ears while the return was expected counts as well.
    """
    target = decision.target
    if piece.delivered_at is not None:
        target = Position.DELIVERED
    elif piece.position == Position.RETURN_EXPECTED and piece.return_from:
        target = Position(piece.return_from)
    return _but(decision, decision.outcome, target, decision.reason, decision.steps)


def _but(
    decision: Decision,
    outcome: Outcome,
    target: Position,
    reason: Reason,
    steps: tuple[Step, ...],
) -> Decision:
    return Decision(outcome, target, reason, steps, decision.cell)


def _withdrawn(piece: Piece, fact: Fact) -> int | None:
    """When this fact's return was withdrawn. Another return's withdrawal is not meant.

    What was cancelled after that comes back, whatever was withdrawn.
    """
    withdrawn, cancelled = piece.withdrawn_at, piece.cancelled_at
    if withdrawn is None or _of_another(piece, fact) or _of_unlike(piece, fact):
        return None
    return None if cancelled is not None and cancelled >= withdrawn else withdrawn


def _of_unlike(piece: Piece, fact: Fact) -> bool:
    """Whether the withdrawal was of a return of the other type than the fact's."""
    told = _TYPE_OF.get(fact.event)
    unlike = piece.withdrawn_type and told and piece.withdrawn_type != told
    return bool(unlike) and not _of_same(piece, fact)


def _of_another(piece: Piece, fact: Fact) -> bool:
    return bool(fact.return_id and piece.return_id and fact.return_id != piece.return_id)


def _of_other_type(piece: Piece, fact: Fact) -> bool:
    """Whether the piece is, or was lost, in a return of the type that the fact is not about."""
    other = fact.return_type and piece.return_type and fact.return_type != piece.return_type
    return bool(other) and piece.position in _RETURNING and not _of_same(piece, fact)


def _of_same(piece: Piece, fact: Fact) -> bool:
    """Whether the fact names the piece's own return; then it is that, whatever it is called."""
    return bool(fact.return_id) and fact.return_id == piece.return_id


def _withdrawn_earlier(piece: Piece, fact: Fact) -> int | None:
    withdrawn = _withdrawn(piece, fact)
    return withdrawn if withdrawn is not None and withdrawn <= piece.changed_at else None


def _redelivered(piece: Piece, fact: Fact) -> int | None:
    """When a return ended in a delivery. None where it was withdrawn."""
    if _of_another(piece, fact) or not piece.found_again:
        return None
    return piece.withdrawn_at


def _called_off(piece: Piece, _: Fact) -> int | None:
    return None if piece.found_again else piece.withdrawn_at


def _found(piece: Piece, _: Fact) -> int | None:
    return None if piece.lost_at is None else piece.changed_at


def _cancelled_late(piece: Piece, _: Fact) -> int | None:
    return None if piece.delivered_at is None else piece.cancelled_at


def _buyers_notice(piece: Piece, _: Fact) -> int | None:
    return piece.return_noticed_at if piece.return_type == ReturnType.CIR else None


def _of_buyers_return(piece: Piece, _: Fact) -> int | None:
    return _NEVER_OLDER if piece.return_type == ReturnType.CIR else None


def _loss(piece: Piece, _: Fact) -> int | None:
    return piece.changed_at if piece.lost_at is None else piece.lost_at


def _loss_of_buyers_return(piece: Piece, _: Fact) -> int | None:
    return _loss(piece, _) if piece.return_type == ReturnType.CIR else None


def _loss_of_delivery(piece: Piece, fact: Fact) -> int | None:
    """The loss, unless the piece is in a return, or this fact's return was over by then."""
    loss, withdrawn = _loss(piece, fact), _withdrawn(piece, fact)
    over = withdrawn is not None and fact.occurred_at <= withdrawn <= (loss or 0)
    return None if piece.return_type or over else loss


def _loss_of_return(piece: Piece, fact: Fact) -> int | None:
    """The loss, if the withdrawal that this fact tells had ended the return by then."""
    since = max(piece.return_noticed_at or 0, piece.cancelled_at or 0)
    ended = piece.return_type == ReturnType.RTO and fact.occurred_at >= since
    return _loss(piece, fact) if ended else None


def _lost_late(piece: Piece, _: Fact) -> int | None:
    had = piece.delivered_at is not None or piece.return_type == ReturnType.CIR
    return _loss(piece, _) if had else None


_TYPE_OF: Final = {
    Event.RETURN_NOTICED_RTO: ReturnType.RTO, Event.RETURNED_RTO: ReturnType.RTO,
    Event.CANCELLED: ReturnType.RTO,  # what is cancelled after it left comes back undelivered
    Event.RETURN_NOTICED_CIR: ReturnType.CIR, Event.RETURNED_CIR: ReturnType.CIR,
}  # fmt: skip
_NEVER_OLDER: Final = 2**63  # microseconds; later than any event
# What a fact must be newer than, and the event whose rank decides at the same moment.
_SINCE: Final[Mapping[Since, tuple[Callable[[Piece, Fact], int | None], Event]]] = {
    Since.NOTICE: (lambda piece, _: piece.return_noticed_at, Event.RETURN_NOTICED_CIR),
    Since.WITHDRAWAL: (_withdrawn, Event.RETURN_WITHDRAWN),
    Since.EARLIER_WITHDRAWAL: (_withdrawn_earlier, Event.RETURN_WITHDRAWN),
    Since.CALLED_OFF: (_called_off, Event.RETURN_WITHDRAWN),
    Since.REQUEST: (lambda piece, _: piece.held_at, Event.CANCEL_REQUESTED),
    Since.REQUEST_WITHDRAWAL: (lambda piece, _: piece.uncancelled_at, Event.CANCEL_WITHDRAWN),
    Since.DISPATCH: (lambda piece, _: piece.dispatched_at, Event.DISPATCHED),
    Since.DELIVERY: (lambda piece, _: piece.delivered_at, Event.DELIVERED),
    Since.REDELIVERY: (_redelivered, Event.RETURN_WITHDRAWN),
    Since.CANCELLATION: (lambda piece, _: piece.cancelled_at, Event.CANCELLED),
    Since.LATE_CANCELLATION: (_cancelled_late, Event.CANCELLED),
    Since.LOSS: (_loss, Event.LOST),
    Since.FOUND: (_found, Event.RETURN_WITHDRAWN),
    Since.RECEIPT: (lambda piece, _: piece.changed_at, Event.RETURNED_CIR),
    Since.BUYERS_NOTICE: (_buyers_notice, Event.RETURN_NOTICED_CIR),
    Since.BUYERS_RETURN: (_of_buyers_return, Event.RETURNED_CIR),
    Since.LOSS_OF_BUYERS_RETURN: (_loss_of_buyers_return, Event.LOST),
    Since.LOSS_OF_DELIVERY: (_loss_of_delivery, Event.LOST),
    Since.LOSS_OF_RETURN: (_loss_of_return, Event.LOST),
    Since.LATE_LOSS: (_lost_late, Event.LOST),
}

_ENDED_BY: Final[Mapping[Event, Since]] = {
    Event.RETURN_NOTICED_RTO: Since.WITHDRAWAL,
    Event.RETURN_NOTICED_CIR: Since.WITHDRAWAL,
    Event.CANCEL_REQUESTED: Since.REQUEST_WITHDRAWAL,
}


def _newer(piece: Piece, fact: Fact, since: Since) -> bool:
    """Whether the fact comes after that time; at the same moment the events' rank decides."""
    read, event = _SINCE[since]
    moment = read(piece, fact)
    if moment is None or fact.occurred_at > moment:
        return True
    return fact.occurred_at == moment and EVENT_RANK[fact.event] > EVENT_RANK[event]
