"""Decide and apply the undecided facts of one account.

The way of a fact: find its order's pieces, choose those it means, let the rules decide for
each, check the gates, then let the verbs change the worksheet. A fact takes effect for all
the pieces it means or for none. A batch of orders is one transaction: pieces, parcels,
invoices, stock, exceptions, decision records, outgoing messages and the journal's marks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from syncd.book.facts import START, Fact, Key, facts_of, from_journal, in_order, next_orders
from syncd.book.inbox import Journal
from syncd.book.runs import Counts
from syncd.book.store import Book
from syncd.book.verbs import VERBS, Desk
from syncd.book.worksheet import Order, Piece, Shared, Worksheet
from syncd.clock import Clock, to_micros
from syncd.errors import StoreBusy, SyncdError
from syncd.rules import (
    TENANT_NOT_LIVE,
    Decision,
    Gates,
    Outcome,
    Position,
    Reason,
    Refusal,
    Verb,
    choose,
    decide,
    decide_unknown,
    gate,
    roll_up,
)
from syncd.statuses import OrderRef

BATCH: Final = 500

Ships = Callable[[OrderRef], bool]
Report = Callable[[Counts], None]


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """What deciding needs to know of an account."""

    id: int
    name: str
    channel: str
    tenant_id: int


class Verdict(msgspec.Struct, frozen=True):
    """What became of one fact."""

    state: str  # of the journal row
    outcome: str
    code: str
    message: str = ""


class TenantNotLive(SyncdError):  # noqa: N818 - the errors of syncd are named by consequence
    """The tenant's gate is closed: nothing is decided."""

    code = "tenant_not_live"

    def __init__(self) -> None:
        super().__init__(TENANT_NOT_LIVE)


class Clerk:
    """Decides the open facts of one account in one run.

    ``ships`` answers whether the channel ships an order, None where the channel has no say.
    ``sweep_done`` says that this run has read the channel's dispatches, so that a delivery
    whose dispatch is still unknown need not wait for another pass.
    """

    def __init__(
        self,
        book: Book,
        account: AccountView,
        *,
        run_id: int,
        actor: str,
        clock: Clock,
        ships: Ships | None = None,
        sweep_done: bool = False,
    ) -> None:
        self.book = book
        self.account = account
        self.run_id = run_id
        self.actor = actor
        self.clock = clock
        self.ships = ships
        self.sweep_done = sweep_done
        self.counts = Counts()
        self.plan = blake2b(digest_size=16)
        self.planned: list[dict[str, Any]] = []
        self._shared = Shared(book)

    def settle(self, stop: threading.Event, report: Report) -> None:
        """Decide all open facts, a transaction a batch. Ends early, at a batch, on ``stop``.

        Raises TenantNotLive when the tenant's gate is closed.
        """
        after: Key | None = START
        while after is not None and not stop.is_set():
            after = self._next_batch(after)
            report(self.counts)

    def _next_batch(self, after: Key) -> Key | None:
        with self.book.connection():
            orders, last = next_orders(self.book, self.account.id, after, self.run_id, BATCH)
            if last is None:
                return None
            try:
                self._batch(orders)
            except (TenantNotLive, StoreBusy):
                raise
            except Exception:
                # One of these orders breaks something: take each by itself and set it aside.
                for order_id in orders:
                    self._alone(order_id)
        return last

    def _batch(self, order_ids: Sequence[str]) -> None:
        counts = Counts()
        with self.book.write():
            self._check_tenant()
            self._shared.refresh()
            sheet = Worksheet(self.book, self._shared, self.account.id)
            facts = facts_of(self.book, self.account.id, order_ids, self.run_id)
            sheet.load(order_ids)
            self._work(sheet, facts, counts)
            sheet.write()
        self.counts.add(counts)

    def _alone(self, order_id: str) -> None:
        try:
            self._batch([order_id])
        except (TenantNotLive, StoreBusy):
            raise
        except Exception as error:
            self._set_aside(order_id, error)

    def _set_aside(self, order_id: str, error: Exception) -> None:
        """Mark the facts of an order that cannot be worked; they are tried again next run."""
        message = (
            f"syncd failed on this order ({type(error).__name__}: {error}); nothing of it was "
            "changed. It is tried again at each pass; please report it."
        )
        facts = facts_of(self.book, self.account.id, [order_id], self.run_id)
        now = to_micros(self.clock.now())
        with self.book.write():
            for fact in facts:
                self.book.query(
                    "UPDATE inbox SET state = 'REFUSED', outcome = 'REFUSED', code = "
                    "'internal_error', message = ?, tries = tries + 1, decided_run = ?, "
                    "decided_at = ? WHERE id = ?",
                    (message, self.run_id, now, fact.id),
                )
        self.counts.refused += len(facts)

    def rehearse(self, rows: Sequence[Journal]) -> None:
        """Decide the open facts and these unstored ones, writing nothing at all.

        The plan hash, the counts and ``planned`` come out as the real run would have them.
        """
        with self.book.connection():
            self._check_tenant()
            facts = from_journal(rows, self.run_id)
            after: Key | None = START
            while after is not None:
                orders, after = next_orders(self.book, self.account.id, after, self.run_id, BATCH)
                have = {(f.order_id, f.evidence) for f in facts}
                stored = facts_of(self.book, self.account.id, orders, self.run_id)
                facts.extend(f for f in stored if (f.order_id, f.evidence) not in have)
            self._shared.refresh()
            for batch in _batches(in_order(facts)):
                sheet = Worksheet(self.book, self._shared, self.account.id)
                sheet.load(list(dict.fromkeys(f.order_id for f in batch)))
                self._work(sheet, batch, self.counts)

    def _check_tenant(self) -> None:
        sql = "SELECT state FROM tenant WHERE id = ?"
        state = self.book.query(sql, (self.account.tenant_id,)).fetchone()[0]
        if state != "LIVE":
            raise TenantNotLive

    def _work(self, sheet: Worksheet, facts: Sequence[Fact], counts: Counts) -> None:
        now = self.clock.now()
        worker = _Worker(self, sheet, now)
        for fact in facts:
            verdict = worker.decide(fact)
            _count(counts, verdict)
            sheet.marks.append(
                (
                    verdict.state, verdict.outcome, verdict.code, verdict.message, self.run_id,
                    worker.now, fact.id,
                )
            )  # fmt: skip
        counts.orders += len(sheet.orders)


class _Worker:
    """Takes the facts of one batch through choose, decide, gate and the verbs."""

    def __init__(self, clerk: Clerk, sheet: Worksheet, now: datetime) -> None:
        self.clerk = clerk
        self.sheet = sheet
        self.now = to_micros(now)

    def decide(self, fact: Fact) -> Verdict:
        order = self.sheet.orders.get(fact.order_id)
        if order is None:
            return self._unknown(fact)
        fact.waited = fact.waited or self.clerk.sweep_done
        choice = choose(order.pieces, fact)
        if not choice.pieces:
            return self._no_piece(order, fact)
        decisions = [decide(piece, fact) for piece in choice.pieces]
        for decision in decisions:
            if decision.outcome is Outcome.PARK:
                return Verdict("WAITING", decision.outcome, decision.reason, _WAITING)
        refusal = self._gate(order, fact, choice.pieces, decisions)
        if refusal is not None:
            return self._refuse(order, fact, choice.pieces, refusal)
        for piece, decision in zip(choice.pieces, decisions, strict=True):
            self._carry_out(order, fact, piece, decision)
        if choice.excess:
            self.sheet.open_trouble(None, order, fact, Reason.QUANTITY_EXCEEDS, "warning", self.now)
        return self._settled(order, fact, choice.pieces, decisions)

    def _unknown(self, fact: Fact) -> Verdict:
        cell = decide_unknown(fact.event)
        if cell.outcome is Outcome.TOMBSTONE:
            return Verdict("TOMBSTONE", cell.outcome, cell.reason)
        return Verdict("PARKED", cell.outcome, cell.reason, "The book has no such order yet.")

    def _no_piece(self, order: Order, fact: Fact) -> Verdict:
        """The order is known but none of its pieces fits the fact."""
        if any(p.line_id == fact.line_id or p.sku == fact.sku for p in order.pieces):
            self.sheet.open_trouble(None, order, fact, Reason.QUANTITY_EXCEEDS, "warning", self.now)
            message = "Every piece of this line has already had its share of such changes."
            return Verdict("DONE", Outcome.ESCALATE, Reason.QUANTITY_EXCEEDS, message)
        what = f"line {fact.line_id}" if fact.line_id else f"SKU {fact.sku}"
        message = f"The book has the order, but not its {what} yet."
        return Verdict("PARKED", Outcome.PARK, Reason.ORDER_UNKNOWN, message)

    def _gate(
        self, order: Order, fact: Fact, pieces: Sequence[Piece], decisions: Sequence[Decision]
    ) -> Refusal | None:
        ships = self._ships(order, fact)
        for piece, decision in zip(pieces, decisions, strict=True):
            facility = self.sheet.shared.facility(piece.facility_id)
            refusal = gate(
                Gates(
                    ships=ships,
                    facility=facility.code,
                    facility_active=facility.active,
                    traceability=facility.traceability,
                    sequence_present=facility.sequence is not None or self._invoiced(piece),
                    hold=piece.hold,
                ),
                fact.event,
                decision,
            )
            if refusal is not None:
                return refusal
        return None

    def _invoiced(self, piece: Piece) -> bool:
        if piece.package_id is None:
            return False
        return bool(self.sheet.packages[piece.package_id].invoice)

    def _ships(self, order: Order, fact: Fact) -> bool | None:
        ships = self.clerk.ships
        if ships is None:
            return None
        facts = _facts(order.facts)
        if fact.facts:
            facts = {**facts, **_facts(fact.facts)}
        return ships(
            OrderRef(
                order_id=order.order_id,
                line_ids=(fact.line_id,) if fact.line_id else (),
                shipment_ids=(fact.shipment_id,) if fact.shipment_id else (),
                facts=facts,
            )
        )

    def _refuse(
        self, order: Order, fact: Fact, pieces: Sequence[Piece], refusal: Refusal
    ) -> Verdict:
        """Nothing is done. The first time it is also written down for each piece."""
        skipped = refusal.reason is Reason.CHANNEL_NOT_SHIPPING
        outcome = "SKIPPED" if skipped else "REFUSED"
        if fact.code != refusal.reason:
            for piece in pieces:
                self._record(order, fact, piece, piece.position, outcome, refusal.reason, "", "")
        state = "DONE" if skipped else "REFUSED"
        return Verdict(state, outcome, refusal.reason, refusal.message)

    def _carry_out(self, order: Order, fact: Fact, piece: Piece, decision: Decision) -> None:
        before = piece.position
        reason = decision.reason
        desk = Desk(
            sheet=self.sheet,
            order=order,
            fact=fact,
            reason=reason,
            target=decision.target,
            now=self.now,
            notes=[],
        )
        for step in decision.steps:
            VERBS[step.verb](desk, piece, step)
        if decision.steps:
            piece.dirty = True
        if piece.position is not before:
            piece.changed_at = fact.occurred_at
        if piece.position is not decision.target:
            raise AssertionError(
                f"the steps of {decision.cell.name} led to {piece.position} instead of "
                f"{decision.target}"
            )
        if decision.outcome in _TROUBLE:
            severity = next((s.arg for s in decision.steps if s.verb is Verb.ALERT), "warning")
            self.sheet.open_trouble(piece, order, fact, reason, severity, self.now)
        self._record(
            order, fact, piece, before, decision.outcome, reason,
            _steps_text(decision), "; ".join(desk.notes), decision.outcome is Outcome.APPLY_CHAIN,
        )  # fmt: skip

    def _record(
        self, order: Order, fact: Fact, piece: Piece, before: Position, outcome: str, code: str,
        steps: str, note: str, implied: bool = False,
    ) -> None:  # fmt: skip
        self.sheet.decisions.append(
            (
                fact.id, order.pk, piece.item_id, fact.event.value, before.value,
                piece.position.value, outcome, code, steps, implied, self.clerk.run_id,
                self.clerk.actor, note, fact.occurred_at, self.now,
            )
        )  # fmt: skip
        line = (
            f"{order.order_id}\x1f{piece.line_id}\x1f{piece.piece}\x1f{fact.event}\x1f"
            f"{fact.evidence}\x1f{before}\x1f{piece.position}\x1f{outcome}\x1f{code}\x1f{steps}\x1f"
            f"{note}\n"
        )
        self.clerk.plan.update(line.encode())

    def _settled(
        self, order: Order, fact: Fact, pieces: Sequence[Piece], decisions: Sequence[Decision]
    ) -> Verdict:
        """The order's roll-up, the message for others, and the fact's own mark."""
        strongest = max(decisions, key=lambda d: _WEIGHT[d.outcome])
        if strongest.outcome in _CHANGES:
            state = roll_up(
                [p.position for p in order.pieces],
                allocated=any(p.allocated for p in order.pieces),
            )
            if state != order.state:
                order.state = state
                order.dirty = True
            self._tell(order, fact, pieces, strongest)
        return Verdict("DONE", strongest.outcome, strongest.reason)

    def _tell(self, order: Order, fact: Fact, pieces: Sequence[Piece], decision: Decision) -> None:
        account = self.clerk.account
        payload = {
            "account": account.name,
            "order_id": order.order_id,
            "event": fact.event.value,
            "outcome": decision.outcome.value,
            "code": decision.reason.value,
            "order_state": order.state,
            "pieces": [
                {"line_id": p.line_id, "piece": p.piece, "position": p.position.value}
                for p in pieces
            ],
            "occurred_at": fact.occurred_at,
        }
        self.sheet.messages.append(
            (
                account.id, "order.changed", f"{account.id}:{fact.order_id}:{fact.evidence}",
                _ENCODER.encode(payload).decode(), self.now,
            )
        )  # fmt: skip


def _batches(facts: Sequence[Fact]) -> list[list[Fact]]:
    """The batches in which a real run would take these facts: whole orders, by first fact."""
    of_order: dict[str, list[Fact]] = {}
    for fact in facts:
        of_order.setdefault(fact.order_id, []).append(fact)
    taken: set[str] = set()
    batches: list[list[Fact]] = []
    heads = list(facts)
    start = 0
    while start < len(heads):
        orders: dict[str, None] = {}
        seen = 0
        while start < len(heads) and seen < BATCH:
            order_id = heads[start].order_id
            start += 1
            if order_id not in taken:
                orders[order_id] = None
                seen += 1
        taken.update(orders)
        batch = [fact for order_id in orders for fact in of_order[order_id]]
        if batch:
            batches.append(in_order(batch))
    return batches


def _facts(text: str) -> dict[str, str]:
    return _DECODER.decode(text) if text and text != "{}" else {}


def _steps_text(decision: Decision) -> str:
    key = decision.steps
    text = _STEP_TEXTS.get(id(key))
    if text is None or text[0] is not key:
        words = ",".join(f"{s.verb}:{s.arg}" if s.arg else s.verb for s in key)
        text = _STEP_TEXTS[id(key)] = (key, words)
    return text[1]


def _count(counts: Counts, verdict: Verdict) -> None:
    name = _COUNTED[verdict.outcome]
    setattr(counts, name, getattr(counts, name) + 1)


_STEP_TEXTS: dict[int, tuple[Sequence[Any], str]] = {}
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(dict[str, str])
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
_COUNTED: Final[Mapping[str, str]] = {
    Outcome.NOOP: "noop", Outcome.NOTE: "noted", Outcome.APPLY: "applied",
    Outcome.APPLY_CHAIN: "applied", Outcome.HOLD: "held", Outcome.ESCALATE: "escalated",
    Outcome.PARK: "parked", Outcome.TOMBSTONE: "tombstoned", "REFUSED": "refused",
    "SKIPPED": "skipped",
}  # fmt: skip
