"""An order's story from the journal and the decision records, one event a sentence or few."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from math import inf
from typing import Final

from msgspec import Struct

from syncd.book.documents import DocumentKind
from syncd.book.records import BY_HAND
from syncd.book.store import Book
from syncd.book.verbs import NO_PUTAWAY
from syncd.book.views import OrderView, StoryEvent
from syncd.book.wording import STANDS, STEPS, pieces, steps_told, told, verbs_of, words_for
from syncd.clock import from_micros
from syncd.rules import Verb

_LATE: Final = 5 * 60 * 1_000_000  # heard of so much later, in microseconds, is worth telling
_VOIDED: Final = re.compile(r"invoice (\S+) void")
_UNDECIDED: Final = frozenset({"NEW", "PARKED", "WAITING", "REFUSED", "TOMBSTONE", "QUARANTINED"})


class StoryFact(Struct, frozen=True):
    """A row of the journal about the order."""

    id: int
    line_id: str
    sku: str
    quantity: int | None
    cumulative: bool
    status: str
    return_type: str
    native_status: str
    shipment_id: str
    tracking_number: str
    reason_text: str
    occurred_at: int
    observed_at: int
    run_id: int
    state: str
    outcome: str
    code: str
    message: str
    decided_run: int | None
    tries: int
    claimed_at: int | None = None


class StoryRecord(Struct, frozen=True):
    """A decision record of the order, with the piece it is about; ``id`` grows with each."""

    id: int
    inbox_id: int | None
    line_id: str
    piece: int | None
    event: str
    before: str
    after: str
    outcome: str
    code: str
    steps: str
    run_id: int | None
    actor: str
    note: str
    decided_at: int


def load_facts(book: Book, account_id: int, order_id: str) -> list[StoryFact]:
    """What the channel said of this order, in the order of its events."""
    rows = book.query(
        "SELECT id, line_id, sku, quantity, cumulative, status, return_type, native_status, "
        "shipment_id, tracking_number, reason_text, occurred_at, observed_at, run_id, state, "
        "outcome, code, message, decided_run, tries, claimed_at FROM inbox "
        "WHERE account_id = ? AND order_id = ? ORDER BY occurred_at, id",
        (account_id, order_id),
    )
    return [StoryFact(*row) for row in rows]


def load_records(book: Book, order_pk: int) -> list[StoryRecord]:
    """What was decided and done about this order, oldest first."""
    rows = book.query(
        "SELECT d.id, d.inbox_id, coalesce(i.line_id, ''), i.piece, d.event, d.before, d.after, "
        "d.outcome, d.code, d.steps, d.run_id, d.actor, d.note, d.decided_at FROM decision d "
        "LEFT JOIN item i ON i.id = d.item_id WHERE d.order_id = ? ORDER BY d.id",
        (order_pk,),
    )
    return [StoryRecord(*row) for row in rows]


class Told(Struct, frozen=True):
    """What the telling needs to know of the order as it is now."""

    lines: int = 0
    pieces: int = 0
    invoices: Mapping[tuple[str, int | None], str] = {}
    """Line and number of a piece -> the sale invoice of its parcel, voided or not."""

    @classmethod
    def of(cls, order: OrderView | None) -> Told:
        """The same of an order; of one that is not in the book there is nothing."""
        if order is None:
            return cls()
        numbers = {
            package.code: invoice.number
            for package in order.packages
            for invoice in package.invoices
            if invoice.kind == DocumentKind.SALE_INVOICE
        }
        return cls(
            lines=len({piece.line_id for piece in order.pieces}),
            pieces=len(order.pieces),
            invoices={
                (piece.line_id, piece.piece): numbers[piece.package]
                for piece in order.pieces
                if piece.package in numbers
            },
        )


def tell(
    title_of: Callable[[str], str],
    channel: str,
    order: OrderView | None,
    facts: Sequence[StoryFact],
    records: Sequence[StoryRecord],
) -> list[StoryEvent]:
    """The story in the order of event times; what a person did stands at the time it was done.

    What happened at the same time stands in the order in which it was decided.
    """
    by_fact: dict[int, list[StoryRecord]] = defaultdict(list)
    acts: dict[tuple[object, ...], list[StoryRecord]] = defaultdict(list)
    for record in records:
        if record.inbox_id is not None and record.outcome != BY_HAND:
            by_fact[record.inbox_id].append(record)
        else:
            acts[(record.event, record.decided_at, record.actor, record.inbox_id)].append(record)
    known = Told.of(order)
    events = [] if order is None else [(0.0, event) for event in _beginning(title_of, order)]
    for fact in facts:
        met = by_fact[fact.id]
        turn = met[-1].id if met else inf
        events.append((turn, _of_fact(title_of(channel), known, fact, met)))
    events += [(group[-1].id, _of_act(known, group)) for group in acts.values()]
    events.sort(key=lambda one: (one[1].at, one[0]))
    return [event for _, event in events]


def _beginning(title_of: Callable[[str], str], order: OrderView) -> Iterable[StoryEvent]:
    yield StoryEvent(order.placed_at, "import", "The buyer placed the order.")
    source = f" from {title_of(order.source)}" if order.source else ""
    text = f"The order came into the book{source}; it has {pieces(len(order.pieces))} now."
    yield StoryEvent(order.imported_at, "import", text)


def _of_fact(
    channel: str, known: Told, fact: StoryFact, records: Sequence[StoryRecord]
) -> StoryEvent:
    lines = [_said(channel, fact)]
    if records:
        lines += _decided(known, records)
    elif fact.state not in _UNDECIDED and fact.code:
        lines.append(words_for(fact.code).means)
    if fact.state in _UNDECIDED or not records:
        lines += _standing(fact)
    lines = list(dict.fromkeys(lines))  # the last try may repeat what was recorded
    run_id = fact.decided_run or (records[-1].run_id if records else None) or fact.run_id
    late = fact.observed_at - fact.occurred_at > _LATE
    return StoryEvent(
        at=from_micros(fact.occurred_at), source="fact", text="\n".join(filter(None, lines)),
        status=fact.status, native_status=fact.native_status, code=fact.code,
        outcome=fact.outcome or fact.state, inbox_id=fact.id, run_id=run_id,
        actor=records[-1].actor if records else "",
        heard=from_micros(fact.observed_at) if late else None,
    )  # fmt: skip


def _said(channel: str, fact: StoryFact) -> str:
    word = f" (its word: {fact.native_status})" if fact.native_status else ""
    why = f" It gave as reason: {fact.reason_text}." if fact.reason_text else ""
    return f"{channel} said that {happened(fact)}{word}.{why}{_ahead(fact)}"


def _ahead(fact: StoryFact) -> str:
    if fact.claimed_at is None:
        return ""
    date = from_micros(fact.claimed_at).strftime("%Y-%m-%d %H:%M UTC")
    return f" It dated this {date}, in the future, so it counts from when it was heard of."


def happened(fact: StoryFact) -> str:
    """What a fact says, as a clause: «2 pieces of line L1 are cancelled»."""
    event = f"{fact.status}_{fact.return_type}" if fact.return_type else fact.status
    return f"{_subject(fact)} {told(event, many=(fact.quantity or 1) > 1)}"


def _subject(fact: StoryFact) -> str:
    """Which pieces a fact means: «1 piece of line L1», «line L1», «the order»."""
    what = "the order"
    if fact.line_id:
        what = f"line {fact.line_id}"
    elif fact.sku:
        what = f"SKU {fact.sku}"
    if fact.quantity is None:
        return what
    number = f"{pieces(fact.quantity)} of {what}"
    return f"{number}, all told," if fact.cumulative else number


def _standing(fact: StoryFact) -> Iterable[str]:
    """Why a fact that is not settled is not, with the message of the last try."""
    if fact.state == "NEW":
        yield "No pass has decided it yet."
    elif fact.state in _UNDECIDED:
        yield words_for(fact.code).means
    if fact.message:
        yield fact.message if fact.message.endswith((".", "!")) else f"{fact.message}."


def _decided(
    known: Told, records: Sequence[StoryRecord], *, name_pieces: bool = False
) -> Iterable[str]:
    """What was done, once for all pieces that met the same; pieces are named where they differ."""
    groups = list(_alike(records).values())
    void = set(_notes(records)[0])
    name_pieces = known.pieces > 1 and (
        name_pieces or len({_pieces(known, group) for group in groups}) > 1
    )
    for group in groups:
        first = group[0]
        means = words_for(first.code).means
        if first.outcome in ("REFUSED", "PARK") and len(groups) > 1:
            means = f"At first: {means}"
        yield f"{_pieces(known, group)}: {means}" if name_pieces else means
        yield from _done(known, group, void)


def _done(known: Told, group: Sequence[StoryRecord], void: Container[str]) -> Iterable[str]:
    """What the steps did and where the pieces came from and stand then, a line each."""
    first = group[0]
    voided, notes = _notes(group)
    done = steps_told(first.steps)
    if NO_PUTAWAY in notes:
        done.remove(STEPS[Verb.HOLD_PUTAWAY])
    clauses = [*done, *_of_invoices(known, group, voided, void)]
    noted = "; ".join(notes)
    if clauses:
        yield f"Done: {', '.join(clauses)}{f' ({noted})' if noted else ''}."
    elif noted:
        yield f"Noted: {noted}."
    if first.before != first.after:
        yield f"Before: {STANDS.get(first.before, first.before)} ({first.before})."
        yield f"After: {STANDS.get(first.after, first.after)} ({first.after})."


def _notes(group: Sequence[StoryRecord]) -> tuple[list[str], list[str]]:
    """The invoices that the records' notes say were voided, and the other notes, each once."""
    notes = dict.fromkeys(part for one in group for part in one.note.split("; ") if part)
    found = {note: _VOIDED.fullmatch(note) for note in notes}
    return (
        [match[1] for match in found.values() if match],
        [note for note, match in found.items() if not match],
    )


def _of_invoices(
    known: Told, group: Sequence[StoryRecord], voided: Sequence[str], void: Container[str]
) -> Iterable[str]:
    """Which invoices were voided, and which were to be but for other pieces in their parcels.

    ``void`` are those that were voided together with these, for other pieces.
    """
    for number in voided:
        yield f"invoice {number} was voided"
    if Verb.VOID_INVOICE in verbs_of(group[0].steps):
        numbers = (known.invoices.get((one.line_id, one.piece), "") for one in group)
        for number in dict.fromkeys(filter(None, numbers)):
            if number not in void:
                yield f"invoice {number} stands, because other pieces are in its parcel"


def _alike(records: Sequence[StoryRecord]) -> Mapping[tuple[object, ...], list[StoryRecord]]:
    groups: dict[tuple[object, ...], list[StoryRecord]] = {}
    for record in records:
        stopped = NO_PUTAWAY not in record.note
        key = (record.before, record.after, record.outcome, record.code, record.steps, stopped)
        groups.setdefault(key, []).append(record)
    return groups


def _pieces(known: Told, group: Sequence[StoryRecord]) -> str:
    """Which pieces these records are about, numbered from 1 as a person counts."""
    lines: dict[str, list[int]] = defaultdict(list)
    for record in group:
        if record.piece is not None:
            lines[record.line_id].append(record.piece + 1)
    if not lines:
        return "For the order"
    return f"For {'; '.join(_numbered(known, *line) for line in lines.items())}"


def _numbered(known: Told, line: str, numbers: Sequence[int]) -> str:
    each = sorted(set(numbers))
    listed = f"piece{'s' if len(each) > 1 else ''} {', '.join(map(str, each))}"
    return listed if known.lines == 1 else f"line {line} {listed}"


def _of_act(known: Told, group: Sequence[StoryRecord]) -> StoryEvent:
    first = group[0]
    lines = list(_decided(known, group, name_pieces=first.piece is not None))
    if first.actor:
        lines[0] = f"{first.actor}: {lines[0]}"
    return StoryEvent(
        at=from_micros(first.decided_at), source="act", text="\n".join(filter(None, lines)),
        code=first.code, outcome=first.outcome, inbox_id=first.inbox_id, run_id=first.run_id,
        actor=first.actor,
    )  # fmt: skip


def source_text(event: StoryEvent) -> str:
    """The evidence of an event, in brackets: run, actor, fact."""
    parts: list[str] = []
    if event.run_id is not None:
        parts.append(f"run {event.run_id}")
    if event.actor and event.source == "fact":
        parts.append(event.actor)
    if event.inbox_id is not None:
        parts.append(f"fact {event.inbox_id}")
    return f" [{', '.join(parts)}]" if parts else ""
