"""An order's story from the journal and the decision records, one event a sentence or few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from syncd.book.records import BY_HAND
from syncd.book.store import Book
from syncd.book.views import OrderView, StoryEvent
from syncd.book.wording import STANDS, steps_told, told, words_for
from syncd.clock import from_micros

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


class StoryRecord(Struct, frozen=True):
    """A decision record of the order, with the piece it is about."""

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
        "outcome, code, message, decided_run FROM inbox WHERE account_id = ? AND order_id = ? "
        "ORDER BY occurred_at, id",
        (account_id, order_id),
    )
    return [StoryFact(*row) for row in rows]


def load_records(book: Book, order_pk: int) -> list[StoryRecord]:
    """What was decided and done about this order, oldest first."""
    rows = book.query(
        "SELECT d.inbox_id, coalesce(i.line_id, ''), i.piece, d.event, d.before, d.after, "
        "d.outcome, d.code, d.steps, d.run_id, d.actor, d.note, d.decided_at FROM decision d "
        "LEFT JOIN item i ON i.id = d.item_id WHERE d.order_id = ? ORDER BY d.id",
        (order_pk,),
    )
    return [StoryRecord(*row) for row in rows]


def tell(
    channel: str,
    order: OrderView | None,
    facts: Sequence[StoryFact],
    records: Sequence[StoryRecord],
) -> list[StoryEvent]:
    """The story in the order of event times; what a person did stands at the time it was done."""
    by_fact: dict[int, list[StoryRecord]] = defaultdict(list)
    acts: dict[tuple[object, ...], list[StoryRecord]] = defaultdict(list)
    for record in records:
        if record.inbox_id is not None and record.outcome != BY_HAND:
            by_fact[record.inbox_id].append(record)
        else:
            acts[(record.event, record.decided_at, record.actor, record.inbox_id)].append(record)
    events = [] if order is None else list(_beginning(order))
    events += [_of_fact(channel, fact, by_fact[fact.id]) for fact in facts]
    events += [_of_act(group) for group in acts.values()]
    return sorted(events, key=lambda event: event.at)


def _beginning(order: OrderView) -> Iterable[StoryEvent]:
    yield StoryEvent(order.placed_at, "import", "The buyer placed the order.")
    source = f" from {order.source}" if order.source else ""
    count = len(order.pieces)
    pieces = "1 piece" if count == 1 else f"{count} pieces"
    yield StoryEvent(
        order.imported_at, "import", f"The order came into the book{source}; it has {pieces} now."
    )


def _of_fact(channel: str, fact: StoryFact, records: Sequence[StoryRecord]) -> StoryEvent:
    sentences = [_said(channel, fact)]
    if records:
        sentences += _decided(records)
    elif fact.state not in _UNDECIDED and fact.code:
        sentences.append(words_for(fact.code).means)
    if fact.state in _UNDECIDED or not records:
        sentences += _standing(fact)
    sentences = list(dict.fromkeys(sentences))  # the last try may repeat what was recorded
    run_id = fact.decided_run or (records[-1].run_id if records else None) or fact.run_id
    actor = records[-1].actor if records else ""
    return StoryEvent(
        at=from_micros(fact.occurred_at), source="fact", text=" ".join(filter(None, sentences)),
        status=fact.status, native_status=fact.native_status, code=fact.code,
        outcome=fact.outcome or fact.state, inbox_id=fact.id, run_id=run_id, actor=actor,
    )  # fmt: skip


def _said(channel: str, fact: StoryFact) -> str:
    event = f"{fact.status}_{fact.return_type}" if fact.return_type else fact.status
    word = f" (its word: {fact.native_status})" if fact.native_status else ""
    why = f" It gave as reason: {fact.reason_text}." if fact.reason_text else ""
    return f"{channel} said that {subject(fact)} {told(event)}{word}.{why}"


def subject(fact: StoryFact) -> str:
    """Which pieces a fact means: «1 piece of line L1», «line L1», «the order»."""
    what = "the order"
    if fact.line_id:
        what = f"line {fact.line_id}"
    elif fact.sku:
        what = f"SKU {fact.sku}"
    if fact.quantity is None:
        return what
    number = "1 piece" if fact.quantity == 1 else f"{fact.quantity} pieces"
    return f"{number} of {what}, all told," if fact.cumulative else f"{number} of {what}"


def _standing(fact: StoryFact) -> Iterable[str]:
    """Why a fact that is not settled is not, with the message of the last try."""
    if fact.state == "NEW":
        yield "No pass has decided it yet."
    elif fact.state in _UNDECIDED:
        yield words_for(fact.code).means
    if fact.message:
        yield fact.message if fact.message.endswith((".", "!")) else f"{fact.message}."


def _decided(records: Sequence[StoryRecord], *, name_pieces: bool = False) -> Iterable[str]:
    """What was done, once for all pieces that met the same; pieces are named where they differ."""
    groups = list(_alike(records).values())
    name_pieces = name_pieces or len({_pieces(group) for group in groups}) > 1
    for group in groups:
        first = group[0]
        if name_pieces:
            yield f"{_pieces(group)}:"
        means = words_for(first.code).means
        yield f"At first: {means}" if first.outcome == "REFUSED" and len(groups) > 1 else means
        clauses = steps_told(first.steps)
        notes = "; ".join(dict.fromkeys(one.note for one in group if one.note))
        if clauses:
            yield f"Done: {', '.join(clauses)}{f' ({notes})' if notes else ''}."
        elif notes:
            yield f"Noted: {notes}."
        if first.before != first.after:
            yield _moved(first)


def _alike(records: Sequence[StoryRecord]) -> Mapping[tuple[object, ...], list[StoryRecord]]:
    groups: dict[tuple[object, ...], list[StoryRecord]] = {}
    for record in records:
        key = (record.before, record.after, record.outcome, record.code, record.steps)
        groups.setdefault(key, []).append(record)
    return groups


def _pieces(group: Sequence[StoryRecord]) -> str:
    """Which pieces these records are about, numbered from 1 as a person counts."""
    lines: dict[str, list[int]] = defaultdict(list)
    for record in group:
        if record.piece is not None:
            lines[record.line_id].append(record.piece + 1)
    told_lines = [
        f"line {line} piece {', '.join(map(str, sorted(set(numbers))))}"
        for line, numbers in lines.items()
    ]
    return f"For {'; '.join(told_lines)}" if told_lines else "For the order"


def _moved(record: StoryRecord) -> str:
    before = STANDS.get(record.before, record.before)
    after = STANDS.get(record.after, record.after)
    return f"Before: {before} ({record.before}). After: {after} ({record.after})."


def _of_act(group: Sequence[StoryRecord]) -> StoryEvent:
    first = group[0]
    sentences = [f"{first.actor}:"] if first.actor else []
    sentences += _decided(group, name_pieces=first.piece is not None)
    return StoryEvent(
        at=from_micros(first.decided_at), source="act", text=" ".join(filter(None, sentences)),
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
