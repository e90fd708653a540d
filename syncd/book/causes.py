"""Why the book and a panel may disagree: a closed set of words, and what would mend each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from syncd.book.wording import Words, words_for


class Cause(StrEnum):
    """Why they disagree. Stable strings: stored, shown and documented."""

    MISSED = "missed"
    UNDECIDED = "undecided"
    REFUSED = "refused"
    WAITING = "waiting"
    PARKED = "parked"
    UNREADABLE = "unreadable"
    SET_ASIDE = "set_aside"
    FACTS_UNREADABLE = "facts_unreadable"
    CONTRADICTION = "contradiction"
    AHEAD_BY_HAND = "ahead_by_hand"
    AHEAD = "ahead"
    NOT_CARRIED_OUT = "not_carried_out"
    HEARD_OUT_OF_ORDER = "heard_out_of_order"
    ORDER_MISSING = "order_missing"
    LINE_MISSING = "line_missing"
    QUANTITY = "quantity"
    UNKNOWN_TO_PANEL = "unknown_to_panel"
    NOT_LOOKED_AGAIN = "not_looked_again"


FIX: Final = "syncctl audit ACCOUNT --order ORDER --fix"

CAUSES: Final[Mapping[Cause, Words]] = MappingProxyType(
    {
        Cause.MISSED: Words(
            "The panel tells of something that no pass has heard.", f"Mend it: {FIX}"
        ),
        Cause.UNDECIDED: Words(
            "The book has heard of it, and no pass has decided it yet.", f"Decide it: {FIX}"
        ),
        Cause.REFUSED: Words(
            "The book has heard of it and could not carry it out.",
            "See what helps: syncctl explain ORDER --account ACCOUNT",
        ),
        Cause.WAITING: Words(
            "The book has heard of it; it waits for proof or for an earlier fact.",
            "See what helps: syncctl explain ORDER --account ACCOUNT",
        ),
        Cause.PARKED: Words(
            "The panel speaks of an order or line that the book does not have.",
            "Import it: syncctl trigger ACCOUNT --task orders --order ORDER",
        ),
        Cause.UNREADABLE: Words(
            "The panel shows a row that could not be read, so it was kept for a person.",
            "See the row: syncctl failed --account ACCOUNT",
        ),
        Cause.SET_ASIDE: Words(
            "A person set aside what the panel tells, so the book does not follow it.",
            "Nothing, if that was meant. Else: syncctl explain ORDER --account ACCOUNT",
        ),
        Cause.FACTS_UNREADABLE: words_for("facts_unreadable"),
        Cause.CONTRADICTION: Words(
            "Two facts cannot both be true; the exception is open.",
            "A person must settle it: syncctl exceptions --account ACCOUNT",
        ),
        Cause.AHEAD_BY_HAND: Words(
            "A person moved it on here, and the panel knows nothing of it.",
            "Do the same in the panel, or find out who is right: syncctl explain ORDER "
            "--account ACCOUNT",
        ),
        Cause.AHEAD: Words(
            "The book is further than anything that the panel tells.",
            "A person must look at the order in the panel: syncctl explain ORDER --account ACCOUNT",
        ),
        Cause.NOT_CARRIED_OUT: Words(
            "What the panel told is decided, yet the piece does not stand where that leads.",
            "A person must look: syncctl explain ORDER --account ACCOUNT",
        ),
        Cause.HEARD_OUT_OF_ORDER: Words(
            "What the panel told leads elsewhere in the order of its dates than in the order in "
            "which the book heard of it.",
            "A person must look at the order in the panel: syncctl explain ORDER --account ACCOUNT",
        ),
        Cause.ORDER_MISSING: Words(
            "The panel has an order that the book lacks.",
            f"Take it into the book: {FIX}",
        ),
        Cause.LINE_MISSING: Words(
            "The panel's order has a line that the book lacks.", f"Take it into the book: {FIX}"
        ),
        Cause.QUANTITY: Words(
            "The panel's line has another number of pieces than the book's.",
            "A person must look at the order in the panel: syncctl order ORDER --account ACCOUNT",
        ),
        Cause.UNKNOWN_TO_PANEL: Words(
            "The panel does not know an open order of the book.",
            "A person must look: was it deleted, or is it another login's order? syncctl explain "
            "ORDER --account ACCOUNT",
        ),
        Cause.NOT_LOOKED_AGAIN: Words(
            "An audit took in what the panel told and decided it, and could not compare again.",
            f"Compare again: {FIX}",
        ),
    }
)

HEALED_BY_FIX: Final = frozenset(
    {Cause.MISSED, Cause.UNDECIDED, Cause.ORDER_MISSING, Cause.LINE_MISSING}
)
"""What ``--fix`` sets out to mend; whether it did is found by comparing again."""

_SAY: Final = words_for("brake_on").do
_HELD: Final = f"The safety brake holds it. {_SAY}"
_TAKE_IN: Final = (
    "The safety brake is on and would stop the mending. Take it in: syncctl trigger ACCOUNT --task "
    f"orders --order ORDER. What is told of it is decided once the brake is off. {_SAY}"
)
BRAKED: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.MISSED: _HELD,
        Cause.UNDECIDED: _HELD,
        Cause.ORDER_MISSING: _TAKE_IN,
        Cause.LINE_MISSING: _TAKE_IN,
    }
)
"""What to do about what ``--fix`` cannot mend while the account's safety brake is on."""

NEEDS_NOBODY: Final = frozenset({Cause.SET_ASIDE})
"""Told, and not counted among what waits for a person."""
