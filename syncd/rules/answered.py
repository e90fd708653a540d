"""What a person's word on a contradiction is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from syncd.rules.pieces import Fact, Piece
from syncd.rules.words import OF_RETURNS, Event

_LEFT: Final = frozenset({Event.DISPATCHED, Event.UNDELIVERED})
# What must have come before, so that who decides on the one has decided on the other. A delivery
# is not among them: it is a word of the buyer's door, and is weighed whenever it is heard.
_BEFORE: Final[Mapping[Event, frozenset[Event]]] = MappingProxyType(
    {
        Event.UNDELIVERED: _LEFT,
        Event.DELIVERED: _LEFT,
        Event.LOST: _LEFT,
        Event.RETURN_NOTICED_RTO: _LEFT,
        Event.RETURN_NOTICED_CIR: _LEFT,
        Event.RETURNED_RTO: _LEFT | {Event.RETURN_NOTICED_RTO},
        Event.RETURNED_CIR: _LEFT | {Event.RETURN_NOTICED_CIR},
        Event.CANCELLED: frozenset({Event.CANCEL_REQUESTED}),
    }
)
# A return that is here is so by whichever name: who has said which return it was has decided on
# the receipts under both.
_RECEIPT_OF: Final[Mapping[Event, Event]] = MappingProxyType(
    {
        Event.RETURN_NOTICED_RTO: Event.RETURNED_RTO,
        Event.RETURN_NOTICED_CIR: Event.RETURNED_CIR,
    }
)


def answered_by(evidence: Iterable[tuple[Event, str, int]]) -> dict[tuple[Event, str], int]:
    """Until when, in microseconds, each event is decided by who settled this contradiction.

    ``evidence``: the events of its two sides, the return that each is of, and their times. An
    event of a return is decided for that return; an empty name means whichever. What else a
    channel tells is another question, however old it is.
    """
    sides = list(evidence)
    until = max((at for _, _, at in sides), default=0)
    told = [(event, return_id) for event, return_id, _ in sides]
    if any(event in _RECEIPT_OF.values() for event, _ in told):
        told += [(_RECEIPT_OF[event], name) for event, name in told if event in _RECEIPT_OF]
    events = {
        (event, return_id if event in OF_RETURNS else "")
        for side, return_id in told
        for event in (side, *_BEFORE.get(side, ()))
    }
    return dict.fromkeys(events, until)


def is_answered(piece: Piece, fact: Fact) -> bool:
    """Whether a person's word on the piece has decided this fact too."""
    return any(
        event is fact.event
        and fact.occurred_at <= until
        and (not return_id or fact.return_id in ("", return_id))
        for event, return_id, until in piece.settled
    )
