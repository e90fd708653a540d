"""The shapes of the decision table: steps and cells."""

from __future__ import annotations

from msgspec import Struct

from syncd.rules.words import CHANGING, Event, Outcome, Position, Reason, Since, Verb


class Step(Struct, frozen=True):
    """One act. ``implied``: the channel did not say it, what it did say proves it."""

    verb: Verb
    arg: str = ""
    implied: bool = False

    def __str__(self) -> str:
        name = f"{self.verb}:{self.arg}" if self.arg else str(self.verb)
        return f"({name})" if self.implied else name


class Decision(Struct, frozen=True):
    """What one fact does to one piece. ``target`` is the piece's position afterwards."""

    outcome: Outcome
    target: Position
    reason: Reason
    steps: tuple[Step, ...]
    cell: Cell

    @property
    def changes(self) -> bool:
        """Whether the book changes beyond keeping the fact."""
        return self.outcome in CHANGING

    @property
    def invoices(self) -> bool:
        """Whether an invoice is made."""
        return any(step.verb is Verb.CREATE_INVOICE for step in self.steps)

    @property
    def dispatches(self) -> bool:
        """Whether the piece is dispatched, be it implied."""
        return any(step.verb is Verb.DISPATCH for step in self.steps)


class Fallback(Struct, frozen=True):
    """What a dated cell does with a fact that is not newer than it asks."""

    outcome: Outcome
    target: Position
    reason: Reason
    steps: tuple[Step, ...] = ()


class Cell(Struct, frozen=True, kw_only=True):
    """The rule for one position and one event; chains are written out in ``steps``.

    ``needs_evidence``: without a tracking number, or the word that the piece left the seller,
    the fact parks. ``grace``: the fact waits one sweep before earlier steps are implied.
    ``newer_than``: the fact must be newer than each of these; of the first that it is not newer
    than, what stands in the same place of ``older`` is done.
    ``policies``: the account's choices that make the cell another than the plain table's.
    """

    position: Position
    event: Event
    outcome: Outcome
    target: Position
    reason: Reason
    steps: tuple[Step, ...] = ()
    needs_evidence: bool = False
    grace: bool = False
    newer_than: tuple[Since, ...] = ()
    older: tuple[Fallback, ...] = ()
    note: str = ""
    policies: tuple[str, ...] = ()

    @property
    def invoices(self) -> bool:
        """Whether an invoice is made."""
        return any(step.verb is Verb.CREATE_INVOICE for step in self.steps)

    @property
    def dispatches(self) -> bool:
        """Whether the piece is dispatched, be it implied."""
        return any(step.verb is Verb.DISPATCH for step in self.steps)

    @property
    def conditional(self) -> bool:
        """Whether the fact's own circumstances matter beside its event."""
        return bool(self.needs_evidence or self.grace or self.newer_than)

    @property
    def name(self) -> str:
        """How messages name the cell."""
        return f"{self.event} at {self.position}"
