"""What a person's word on a contradiction is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from syncd.rules.words import Event

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


def answered_by(evidence: Iterable[tuple[Event, int]]) -> dict[Event, int]:
    """Until when, in microseconds, each event is decided by who settled this contradiction.

    ``evidence``: the events of its two sides with their times. What else a channel tells is
    another question, however old it is.
    """
    sides = list(evidence)
    until = max((at for _, at in sides), default=0)
    events = {event for event, _ in sides}
    return dict.fromkeys(events.union(*(_BEFORE.get(event, ()) for event in events)), until)
