"""The decision table and its gates: pure, without clock, database or network.

``decide`` says what one fact does to one piece, ``choose`` which pieces a fact means, ``gate``
whether a decision may be carried out now, ``roll_up`` what the order is then, ``options_for`` how a
person may settle an exception, ``closes`` which exceptions a decision answers.
"""

from syncd.rules.answered import answered_by
from syncd.rules.brake import Brake, trips
from syncd.rules.cells import Cell, Decision, Fallback, Step
from syncd.rules.choose import Choice, choose
from syncd.rules.decide import PLAIN, Rulings, decide, decide_unknown, rulings_for
from syncd.rules.foresee import foresee, has_left
from syncd.rules.gates import TENANT_NOT_LIVE, Gates, Refusal, gate
from syncd.rules.options import Option, Question, closes, options_for
from syncd.rules.orders import roll_up
from syncd.rules.pieces import Before, Fact, Piece
from syncd.rules.policies import USUAL, InvoiceIssuer, PartialCancel, Policies, PutawayAfterCancel
from syncd.rules.rulebook import table_for
from syncd.rules.ship import STOPPING, Verdict, may_ship
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
    "PLAIN",
    "RANK",
    "STOPPING",
    "TABLE",
    "TENANT_NOT_LIVE",
    "USUAL",
    "Before",
    "Brake",
    "Cell",
    "Choice",
    "Decision",
    "Event",
    "Fact",
    "Fallback",
    "Gates",
    "InvoiceIssuer",
    "Option",
    "Outcome",
    "PartialCancel",
    "Piece",
    "Policies",
    "Position",
    "PutawayAfterCancel",
    "Question",
    "Reason",
    "Refusal",
    "Rulings",
    "Since",
    "Step",
    "Verb",
    "Verdict",
    "answered_by",
    "choose",
    "closes",
    "decide",
    "decide_unknown",
    "event_of",
    "foresee",
    "gate",
    "has_left",
    "may_ship",
    "options_for",
    "roll_up",
    "rulings_for",
    "table_for",
    "trips",
]
