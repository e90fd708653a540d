"""The decision table and its gates: pure, without clock, database or network.

``decide`` says what one fact does to one piece, ``choose`` which pieces a fact means, ``gate``
whether a decision may be carried out now, ``roll_up`` what the order is then.
"""

from syncd.rules.cells import Cell, Decision, Fallback, Step
from syncd.rules.choose import Choice, choose
from syncd.rules.decide import decide, decide_unknown
from syncd.rules.gates import TENANT_NOT_LIVE, Gates, Refusal, gate
from syncd.rules.orders import roll_up
from syncd.rules.pieces import Fact, Piece
from syncd.rules.policies import InvoiceIssuer, PartialCancel, Policies, PutawayAfterCancel
from syncd.rules.table import TABLE
from syncd.rules.words import (
    CHANGING,
    EVENT_RANK,
    MOVING,
    RANK,
    Event,
    Outcome,
    Position,
    Reason,
    Since,
    Verb,
    event_of,
)

__all__ = [
    "CHANGING",
    "EVENT_RANK",
    "MOVING",
    "RANK",
    "TABLE",
    "TENANT_NOT_LIVE",
    "Cell",
    "Choice",
    "Decision",
    "Event",
    "Fact",
    "Fallback",
    "Gates",
    "InvoiceIssuer",
    "Outcome",
    "PartialCancel",
    "Piece",
    "Policies",
    "Position",
    "PutawayAfterCancel",
    "Reason",
    "Refusal",
    "Since",
    "Step",
    "Verb",
    "choose",
    "decide",
    "decide_unknown",
    "event_of",
    "gate",
    "roll_up",
]
