"""What may wait, for how long, and what is done when it has waited too long. Pure.

Times are microseconds since 1970, as the book has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from syncd.limits import Limits

_MICROSECOND: Final = timedelta(microseconds=1)


class Wait(StrEnum):
    """What waits. Stable words: in the API and in metrics."""

    ORDER = "order"  # facts of an order, or of a line, that is not in the book
    DISPATCH = "dispatch"  # facts whose dispatch is not known or not proven
    RTO = "rto"  # a piece on its way back undelivered
    CIR = "cir"  # a piece on its way back from the buyer
    ATTEMPT = "attempt"  # a piece after a failed delivery attempt
    CLAIM = "claim"  # a lost piece
    CANCEL_WISH = "cancel_wish"  # a piece that the buyer may not want any more
    EXCEPTION = "exception"  # any other question that a person must settle
    PUTAWAY = "putaway"  # a piece to be put on a shelf
    HELD_PUTAWAY = "held_putaway"  # one whose putaway is stopped by an exception
    REFUSED = "refused"  # a fact that a closed gate refuses
    KEPT_FACT = "kept_fact"  # as ORDER, until nobody expects the order any more
    TOMBSTONE = "tombstone"  # a cancellation of an order that has not come


class Deed(StrEnum):
    """What is done at the limit.

    OPEN opens an exception, which is closed when the waiting ends. REMIND moves the due time of
    the exception that is there already on by one limit; DUE leaves it where it is. LIST only
    counts and shows. EXPIRE sets the fact aside.
    """

    OPEN = "open"
    REMIND = "remind"
    DUE = "due"
    LIST = "list"
    EXPIRE = "expire"


class Rule(Struct, frozen=True):
    """One row: ``limit`` names a field of ``Limits``, ``code`` the words for a person."""

    limit: str
    deed: Deed
    code: str
    severity: str = "warning"

    def span(self, limits: Limits) -> int:
        """How long it may wait, in microseconds."""
        found: timedelta = getattr(limits, self.limit)
        return found // _MICROSECOND


RULES: Final[Mapping[Wait, Rule]] = MappingProxyType(
    {
        Wait.ORDER: Rule("park_max", Deed.OPEN, "order_unknown_too_long"),
        Wait.DISPATCH: Rule("unproven", Deed.OPEN, "dispatch_unproven_too_long"),
        Wait.RTO: Rule("rto_overdue", Deed.OPEN, "rto_overdue"),
        Wait.CIR: Rule("cir_overdue", Deed.OPEN, "cir_overdue"),
        Wait.ATTEMPT: Rule("attempt", Deed.OPEN, "no_word_after_attempt"),
        Wait.CLAIM: Rule("claim", Deed.DUE, "claim_due"),
        Wait.CANCEL_WISH: Rule("cancel_reminder", Deed.REMIND, "cancel_wish_waits"),
        Wait.EXCEPTION: Rule("exception_reminder", Deed.REMIND, "exception_waits"),
        Wait.PUTAWAY: Rule("putaway", Deed.LIST, "putaway_overdue"),
        Wait.HELD_PUTAWAY: Rule("putaway", Deed.LIST, "held_putaway_overdue"),
        Wait.REFUSED: Rule("refused", Deed.LIST, "refused_too_long"),
        Wait.KEPT_FACT: Rule("keep", Deed.EXPIRE, "fact_expired", "info"),
        Wait.TOMBSTONE: Rule("keep", Deed.EXPIRE, "tombstone_expired", "info"),
    }
)
"""The table. What opens an exception and ends by itself must be one a piece or one an order."""


def doing(*deeds: Deed) -> list[Wait]:
    """The waits at whose limit one of these is done, in the table's order."""
    return [wait for wait, rule in RULES.items() if rule.deed in deeds]


def still_holds(since: int | None, opened_at: int, span: int) -> bool:
    """Whether an exception that was opened then is still right.

    ``since`` is when the present waiting began, None when it has ended. The present time is not
    asked: a clock that is set back closes nothing, while a longer limit does.
    """
    return since is not None and since + span <= opened_at


def next_reminder(due_at: int | None, opened_at: int, now: int, span: int) -> tuple[int, bool]:
    """When the next reminder is due, and whether one is due now.

    However many were missed, one is given. A time further away than one span comes from a clock
    that was set back, or from a limit that is shorter now, and counts as due.
    """
    first = opened_at + span if due_at is None else due_at
    if first > now + span:
        return now + span, True
    if first > now:
        return first, False
    missed = (now - first) // span + 1
    return first + missed * span, True


def turn_seconds(limits: Mapping[str, Limits], longest: float) -> float:
    """How often to look, so that the shortest limit is met within half of itself."""
    spans = [rule.span(each) / 1e6 for each in limits.values() for rule in RULES.values()]
    return max(0.5, min([longest, *(span / 2 for span in spans)]))
