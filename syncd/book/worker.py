"""The way of one fact, on a worksheet: choose the pieces, decide, check the gates, act, record.

Nothing here reads or writes the database; the worksheet has been read and will be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, cast

import msgspec

from syncd.book.contradictions import LATER_FACT, answer_text
from syncd.book.desk import Act, Desk
from syncd.book.facts import Fact
from syncd.book.order_facts import order_facts
from syncd.book.parcel_verbs import leaves_apart
from syncd.book.repack import after_cancel
from syncd.book.sheet_rows import Order, Piece
from syncd.book.verbs import VERBS, nothing
from syncd.book.wording import listed
from syncd.book.worksheet import Worksheet
from syncd.rules import (
    PLAIN,
    Cell,
    Decision,
    Event,
    Gates,
    Outcome,
    Policies,
    Position,
    Reason,
    Refusal,
    Rulings,
    Step,
    Verb,
    choose,
    closes,
    decide,
    decide_unknown,
    gate,
    roll_up,
    rulings_for,
)
from syncd.rules.gates import ECHOES
from syncd.statuses import OrderRef

Ships = Callable[[OrderRef], bool]


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """What deciding needs to know of an account."""

    id: int
    name: str
    channel: str
    tenant_id: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """For whom facts are decided.

    ``ships`` answers whether the channel ships an order, None where the channel has no say.
    ``sweep_done`` says that this run has read the channel's dispatches, so that a delivery
    whose dispatch is still unknown need not wait for another pass. Where ``swept`` names orders,
    it is a run over these: of others it says nothing, and theirs go on waiting.
    """

    account: AccountView
    run_id: int
    actor: str
    ships: Ships | None
    sweep_done: bool
    swept: frozenset[str] = frozenset()
    rehearsal: bool = False  # undone afterwards, so the tenant need not be live
    policies: Policies = Policies()


class Verdict(msgspec.Struct, frozen=True):
    """What became of one fact."""

    state: str  # of the journal row
    outcome: str
    code: str
    message: str = ""


class Worker:
    """Takes the facts of one batch through choose, decide, gate and the verbs."""

    def __init__(self, task: Task, sheet: Worksheet) -> None:
        self.task = task
        self.sheet = sheet
        self.now = sheet.now
        self.plan: list[str] = []
        self._rulings = rulings_for(task.policies)
        self.waiting: dict[int, str] = {}  # item id -> why an earlier fact of it is still open

    def decide(self, fact: Fact) -> Verdict:
        order = self.sheet.orders.get(fact.order_id)
        if order is None:
            return self._unknown(fact)
        swept = not self.task.swept or fact.order_id in self.task.swept
        fact.waited = swept and (fact.waited or self.task.sweep_done)
        choice = choose(order.pieces, fact)
        pieces = cast(list[Piece], choice.pieces)  # of those it was given
        if choice.ambiguous:
            return self._ambiguous(order, fact)
        if not pieces:
            return self._no_piece(order, fact) if fact.before is None else _standing(fact.marks)
        held = self._held(pieces)
        if held:
            return self._park(order, fact, pieces, held, _BEHIND)
        decisions = [decide(piece, fact, self._rulings_of(piece)) for piece in pieces]
        for decision in decisions:
            if decision.outcome is Outcome.PARK:
                if decision.reason is not Reason.DISPATCH_UNPROVEN:
                    self._hold(pieces, decision.reason)
                return self._park(order, fact, pieces, decision.reason.value, _WAITING)
        refusal = self._gate(order, fact, pieces, decisions)
        if refusal is not None:
            verdict = self._refuse(order, fact, pieces, refusal)
            skipped = verdict.state == "DONE"  # of what came; what was done before stands
            return _standing(fact.marks) if fact.before is not None and skipped else verdict
        wanted = [piece for piece in pieces if piece.position is not Position.CANCELLED]
        for piece, decision in zip(pieces, decisions, strict=True):
            self._carry_out(order, fact, piece, decision)
        if fact.event is Event.CANCELLED:
            self._mend_parcels(order, fact, wanted)
        exceeds = bool(choice.excess) and _EXCEEDS not in fact.marks
        verdict = self._settled(order, fact, decisions, exceeds=exceeds)
        if exceeds:
            self._exceeds(order, fact)
        elif not choice.excess and _EXCEEDS in fact.marks:
            self._no_more_excess(fact)
        return verdict

    def _rulings_of(self, piece: Piece) -> Rulings:
        """The account's; but an invoice of the seller's from before a change of policy is his."""
        if self._rulings is PLAIN or not self._invoiced(piece):
            return self._rulings
        return PLAIN

    def _held(self, pieces: Sequence[Piece]) -> str:
        """The reason for which an earlier fact of one of these pieces still waits, or empty."""
        if not self.waiting:
            return ""
        return next((self.waiting[p.item_id] for p in pieces if p.item_id in self.waiting), "")

    def _hold(self, pieces: Sequence[Piece], reason: Reason) -> None:
        """Let later facts of these pieces wait: nothing overtakes what has not been decided."""
        self.waiting.update((piece.item_id, reason.value) for piece in pieces)

    def _unknown(self, fact: Fact) -> Verdict:
        cell = decide_unknown(fact.event)
        self._plan_order(fact, cell.outcome.value, cell.reason.value)
        if cell.outcome is Outcome.TOMBSTONE:
            return Verdict("TOMBSTONE", cell.outcome.value, cell.reason.value)
        return Verdict(
            "PARKED", cell.outcome.value, cell.reason.value, "The book has no such order yet."
        )

    def _ambiguous(self, order: Order, fact: Fact) -> Verdict:
        """It may mean a line or the replacement of that line: nothing is guessed."""
        code = Reason.AMBIGUOUS_REPLACEMENT.value
        more = "It names no line, and the order holds a line and its replacement."
        self.sheet.open_trouble(None, order, fact, code, "warning", self.now, more)
        self._record_order(order, fact, Outcome.ESCALATE.value, code)
        mark = (Outcome.ESCALATE.value, code)
        return msgspec.structs.replace(_standing([*fact.marks, mark]), message=more)

    def _no_piece(self, order: Order, fact: Fact) -> Verdict:
        """The order is known but none of its pieces fits the fact."""
        if fact.line_id:
            known = any(p.line_id == fact.line_id for p in order.pieces)
        else:
            known = not fact.sku or any(p.sku == fact.sku for p in order.pieces)
        if known and fact.event is Event.RETURN_WITHDRAWN:
            code = Reason.RETURN_WITHDRAWN_UNSEEN.value
            self._record_order(order, fact, Outcome.NOOP.value, code)
            message = "Every piece that it may mean is in another return, which goes on."
            return Verdict("DONE", Outcome.NOOP.value, code, message)
        if known:
            self._exceeds(order, fact)
            message = "Every piece of this line has already had its share of such changes."
            return Verdict("DONE", Outcome.ESCALATE.value, Reason.QUANTITY_EXCEEDS.value, message)
        message = _lacks(order, fact)
        code = Reason.LINE_UNKNOWN.value
        if fact.code != code:
            self._record_order(order, fact, Outcome.PARK.value, code)
        return Verdict("PARKED", Outcome.PARK.value, code, message)

    def _exceeds(self, order: Order, fact: Fact) -> None:
        """The fact speaks of more pieces than there are: a person is told."""
        code = Reason.QUANTITY_EXCEEDS.value
        self.sheet.open_trouble(None, order, fact, code, "warning", self.now)
        self._record_order(order, fact, Outcome.ESCALATE.value, code)

    def _no_more_excess(self, fact: Fact) -> None:
        """The order has grown to what the fact speaks of: nobody need look any more."""
        code, note = Reason.QUANTITY_EXCEEDS.value, "The order has all these pieces now."
        self.sheet.closed_troubles.append((self.now, LATER_FACT, note, "", None, code, fact.id))

    def set_aside(self, facts: Sequence[Fact], message: str, code: str) -> str:
        """This order cannot be worked: its facts are refused whole. Gives the plan's lines."""
        for fact in facts:
            order = self.sheet.orders.get(fact.order_id)
            if order is None:
                self._plan_order(fact, "REFUSED", code)
            elif fact.code != code:
                self._record_order(order, fact, "REFUSED", code)
            mark = ("REFUSED", "REFUSED", code, message)
            self.sheet.marks.append((mark, fact.id))
        return "".join(self.plan)

    def _gate(
        self, order: Order, fact: Fact, pieces: Sequence[Piece], decisions: Sequence[Decision]
    ) -> Refusal | None:
        if fact.event in ECHOES and not self._ships(order, fact):
            return gate(Gates(ships=False), fact.event, None)
        for piece, decision in zip(pieces, decisions, strict=True):
            facility = self.sheet.shared.facility(piece.facility_id)
            if facility.plain and not piece.hold:
                continue  # no gate of a place or of a hold can be closed
            invoiced = self._invoiced(piece) and not leaves_apart(self.sheet, piece, fact)
            numbers = self.sheet.numbers_invoices and not invoiced
            plan: Cell | Decision = decision
            if decision.dispatches and numbers:
                plan = PLAIN.all[Position.CREATED][Event.DISPATCHED]  # it makes an invoice
            gates = Gates(
                facility=facility.code,
                facility_active=facility.active,
                traceability=facility.traceability,
                unnumbered=facility.unnumbered if numbers else "",
                hold=piece.hold,
            )
            refusal = gate(gates, fact.event, plan)
            if refusal is not None:
                return refusal
        return None

    def _invoiced(self, piece: Piece) -> bool:
        if piece.package_id is None:
            return False
        return bool(self.sheet.packages[piece.package_id].invoice)

    def _ships(self, order: Order, fact: Fact) -> bool:
        ships = self.task.ships
        if ships is None:
            return True
        facts = order_facts(order.order_id, order.facts)
        if fact.facts:
            facts = {**facts, **order_facts(order.order_id, fact.facts)}
        return ships(
            OrderRef(
                order_id=order.order_id,
                line_ids=(fact.line_id,) if fact.line_id else (),
                shipment_ids=(fact.shipment_id,) if fact.shipment_id else (),
                facts=facts,
            )
        )

    def _park(
        self, order: Order, fact: Fact, pieces: Sequence[Piece], code: str, message: str
    ) -> Verdict:
        """The fact waits. The first time it is also written down for each piece."""
        if fact.code != code:
            for piece in pieces:
                outcome = Outcome.PARK.value
                self._record(order, fact, piece, piece.position, outcome, code, "", "")
        return Verdict("WAITING", Outcome.PARK.value, code, message)

    def _refuse(
        self, order: Order, fact: Fact, pieces: Sequence[Piece], refusal: Refusal
    ) -> Verdict:
        """Nothing is done. The first time it is also written down for each piece."""
        skipped = refusal.reason is Reason.CHANNEL_NOT_SHIPPING
        if not skipped:
            self._hold(pieces, refusal.reason)
        outcome = "SKIPPED" if skipped else "REFUSED"
        if fact.code != refusal.reason:
            for piece in pieces:
                code = refusal.reason.value
                self._record(order, fact, piece, piece.position, outcome, code, "", "")
        state = "DONE" if skipped else "REFUSED"
        return Verdict(state, outcome, refusal.reason.value, refusal.message)

    def _carry_out(self, order: Order, fact: Fact, piece: Piece, decision: Decision) -> None:
        before, was_in = piece.position, piece.package_id
        reason = decision.reason._value_
        recipe = _recipe(decision.steps)
        desk = Desk(self.sheet, order, fact, reason, decision.target, self.now, [])
        for act, step in recipe.acts:
            act(desk, piece, step)
        if recipe.acts:
            piece.dirty = True
            if piece.package_id is not None:
                self.sheet.settle_parcel(order, piece.package_id)
            if was_in is not None and was_in != piece.package_id:
                self.sheet.settle_parcel(order, was_in)
        if piece.position is not before:
            piece.changed_at = fact.occurred_at
        if piece.position is not decision.target:
            raise AssertionError(
                f"the steps of {decision.cell.name} led to {piece.position} instead of "
                f"{decision.target}"
            )
        if decision.cell.position is not before:  # a held piece is met as a cancelled one
            desk.notes.append(f"by the cell {decision.cell.name}")
        desk.notes.extend(one for one in decision.cell.policies if one not in desk.notes)
        if decision.outcome in _TROUBLE:
            self.sheet.open_trouble(piece, order, fact, reason, recipe.severity, self.now)
        if piece.item_id in self.sheet.questions:
            self._answer(fact, piece, reason, piece.position is not before)
        self._record(
            order, fact, piece, before, decision.outcome._value_, reason,
            recipe.text, "; ".join(desk.notes), decision.outcome is Outcome.APPLY_CHAIN,
        )  # fmt: skip

    def _answer(self, fact: Fact, piece: Piece, reason: str, moved: bool) -> None:
        """Close what this decision settles: the contradiction is gone, or nobody need choose."""
        codes = closes(reason, piece.position if moved else None)
        self.sheet.close_troubles(
            piece, codes, LATER_FACT, answer_text(fact, reason), self.now, fact=fact
        )

    def _mend_parcels(self, order: Order, fact: Fact, pieces: Sequence[Piece]) -> None:
        """Pack again, or let go short, the invoiced parcels that this fact took pieces of."""
        parcels: set[int] = set()
        for piece in pieces:
            parcel = piece.package_id
            if piece.position is not Position.CANCELLED or parcel is None or parcel in parcels:
                continue
            parcels.add(parcel)
            policy = self.task.policies.partial_cancel
            for met in after_cancel(self.sheet, order, fact, piece, policy):
                if met.piece in pieces:
                    continue  # called back by this fact: it has its own record of that
                outcome, reason = met.outcome.value, met.reason.value
                self._record(
                    order, fact, met.piece, met.before, outcome, reason, met.steps, met.note
                )

    def _record(
        self, order: Order, fact: Fact, piece: Piece, before: Position, outcome: str, code: str,
        steps: str, note: str, implied: bool = False,
    ) -> None:  # fmt: skip
        event, was, now = fact.event._value_, before._value_, piece.position._value_
        self.sheet.decisions.append(
            (
                fact.id, order.pk, piece.item_id, event, was, now, outcome, code, steps,
                1 if implied else 0, self.task.run_id, self.task.actor, note, fact.occurred_at,
                self.now,
            )
        )  # fmt: skip
        self.plan.append(
            f"{order.order_id}\x1f{piece.line_id}\x1f{piece.piece}\x1f{event}\x1f{fact.evidence}"
            f"\x1f{was}\x1f{now}\x1f{outcome}\x1f{code}\x1f{steps}\x1f{note}\n"
        )

    def _record_order(self, order: Order, fact: Fact, outcome: str, code: str) -> None:
        """A decision about no piece in particular: the order stands as it stood."""
        event, state = fact.event._value_, order.state
        self.sheet.decisions.append(
            (
                fact.id, order.pk, None, event, state, state, outcome, code, "", 0,
                self.task.run_id, self.task.actor, "", fact.occurred_at, self.now,
            )
        )  # fmt: skip
        self._plan_order(fact, outcome, code)

    def _plan_order(self, fact: Fact, outcome: str, code: str) -> None:
        event = fact.event._value_
        self.plan.append(f"{fact.order_id}\x1f{event}\x1f{fact.evidence}\x1f{outcome}\x1f{code}\n")

    def _settled(
        self, order: Order, fact: Fact, decisions: Sequence[Decision], *, exceeds: bool
    ) -> Verdict:
        """The order's roll-up, the message for others, and the fact's own mark."""
        strongest = decisions[0]
        for decision in decisions:
            if _WEIGHT[decision.outcome] > _WEIGHT[strongest.outcome]:
                strongest = decision
        if exceeds or strongest.outcome in _CHANGES:
            state = _state_of(order.pieces)
            if state != order.state:
                order.state = state
                order.dirty = True
            self.sheet.messages.append((self.task.account.id, "order.changed", fact.id, self.now))
        if not exceeds and not fact.marks:
            return _done(strongest.outcome, strongest.reason)
        marks = [*fact.marks, (strongest.outcome.value, strongest.reason.value)]
        return _standing([*marks, _EXCEEDS] if exceeds else marks)


class _Recipe(msgspec.Struct, frozen=True):
    """The steps of a decision, ready to be carried out."""

    steps: tuple[Step, ...]
    acts: tuple[tuple[Act, Step], ...]
    text: str
    severity: str


_RECIPES: Final[dict[int, _Recipe]] = {}


def _recipe(steps: tuple[Step, ...]) -> _Recipe:
    """The recipe of these steps. Nearly all are the table's own tuples, so look by identity."""
    found = _RECIPES.get(id(steps))
    if found is None or found.steps is not steps:
        acts = tuple((VERBS[step.verb], step) for step in steps)
        found = _Recipe(
            steps=steps,
            acts=tuple(each for each in acts if each[0] is not nothing),
            text=",".join(f"{s.verb}:{s.arg}" if s.arg else s.verb for s in steps),
            severity=next((s.arg for s in steps if s.verb is Verb.ALERT), "warning"),
        )
        if len(_RECIPES) < MAX_RECIPES:
            _RECIPES[id(steps)] = found
    return found


MAX_RECIPES: Final = 2_000


def _standing(marks: Sequence[tuple[str, str]]) -> Verdict:
    """The mark of a fact with these records: that of the weightiest, the first of equals."""
    outcome, code = max(marks, key=lambda mark: _WEIGHT.get(mark[0], -1))
    return Verdict("DONE", outcome, code)


def _lacks(order: Order, fact: Fact) -> str:
    """Which line the fact names, and which there are."""
    what = f"line {fact.line_id}" if fact.line_id else f"SKU {fact.sku}"
    lines = dict.fromkeys(f"{piece.line_id} ({piece.sku})" for piece in order.pieces)
    return f"The book has no {what} in this order; its lines are {listed(lines) or 'none'}."


def _state_of(pieces: Sequence[Piece]) -> str:
    if len(pieces) == 1:
        piece = pieces[0]
        return _state_of_one(piece.position, piece.allocated)
    return roll_up([p.position for p in pieces], allocated=any(p.allocated for p in pieces))


@lru_cache(maxsize=512)
def _done(outcome: Outcome, reason: Reason) -> Verdict:
    return Verdict("DONE", outcome.value, reason.value)


@lru_cache(maxsize=64)
def _state_of_one(position: Position, allocated: bool) -> str:
    return roll_up([position], allocated=allocated)


_EXCEEDS: Final = (Outcome.ESCALATE.value, Reason.QUANTITY_EXCEEDS.value)
_BEHIND: Final = "An earlier change of this piece is not decided yet; this one comes after it."
_WAITING: Final = (
    "The channel reports a later state, but its dispatch is not known or not proven yet; tried "
    "again at the next pass."
)
_TROUBLE: Final = frozenset({Outcome.ESCALATE, Outcome.HOLD})
_CHANGES: Final = frozenset(
    {Outcome.APPLY, Outcome.APPLY_CHAIN, Outcome.HOLD, Outcome.ESCALATE, Outcome.NOTE}
)
_WEIGHT: Final[Mapping[str, int]] = {
    Outcome.NOOP: 0, Outcome.NOTE: 1, Outcome.APPLY: 2, Outcome.APPLY_CHAIN: 3,
    Outcome.HOLD: 4, Outcome.ESCALATE: 5, Outcome.PARK: 6, Outcome.TOMBSTONE: 6,
}  # fmt: skip
