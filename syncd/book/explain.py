"""Why an order is as it is, for a person who has read nothing."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from msgspec import Struct

from syncd.book.brake_lookups import brakes
from syncd.book.drift import findings
from syncd.book.exception_lookups import exceptions
from syncd.book.lookups import Filter, find_order
from syncd.book.order_lookups import order_view
from syncd.book.overdue_lookups import USUAL, LimitsOf, waits_of_order
from syncd.book.runs import account_id_of
from syncd.book.shelf_lookups import putaway_words
from syncd.book.shipping import not_yet
from syncd.book.store import Book
from syncd.book.story import (
    StoryFact,
    happened,
    load_facts,
    load_records,
    source_text,
    tell,
)
from syncd.book.views import (
    DriftView,
    ExceptionView,
    Explanation,
    OrderView,
    PackageView,
    PieceView,
    StoryEvent,
)
from syncd.book.wording import STANDS, advice, pieces, times, words_for
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused
from syncd.limits import Limits
from syncd.rules import RANK, Position, Reason

_OPEN: Final = frozenset({"NEW", "REFUSED", "WAITING", "PARKED", "QUARANTINED"})
_LEFT: Final = RANK[Position.DISPATCHED] or 0
_DOCUMENTS: Final = {"SALE_INVOICE": "invoice", "SALE_RETURN_INVOICE": "credit note"}


def explain(
    book: Book,
    order_id: str,
    account: str | None = None,
    *,
    zone: tzinfo = UTC,
    at: datetime | None = None,
    limits: LimitsOf = USUAL,
) -> Explanation:
    """Tell where the order stands, how it came there, what is pending and what to do.

    An order that only the channel knows is explained from what the channel said. Times in the
    text are in ``zone``; with ``at``, the present time, it tells how long what waits has waited,
    by the account's ``limits``. Raises NotFound when nobody ever mentioned the order, Refused when
    several accounts have it and none is named.
    """
    with book.connection():
        found = find_order(book, order_id, account)
        name = found[1] if found else _mentioned_by(book, order_id, account)
        order = order_view(book, *found) if found else None
        account_id = account_id_of(book, name)
        facts = load_facts(book, account_id, order_id)
        records = load_records(book, found[0]) if found else []
        opened = exceptions(book, state=None, account=name, order_id=order_id)
        shelves = _putaways(book, found[0]) if found else []
        channel, house = _house(book, account_id, order_id)
        short = _shortages(book, house, order)
        own, present = limits.get(name, Limits()), to_micros(at) if at else 0
        waits = tuple(waits_of_order(book, account_id, order_id, own, present, zone)) if at else ()
        drifted = findings(book, account=name, order_id=order_id)
        held = [one.words for one in brakes(book, account=name)] if _undecided(facts) else []
    title = book.title_of(channel)
    story = _with_exceptions(tell(book.title_of, channel, order, facts, records), opened)
    now = (*_now(order_id, name, title, order), *waits)
    pending = (*_pending(facts, braked=bool(held)), *_disagreements(drifted))
    to_do = tuple(dict.fromkeys([
        *held, *_to_do(house, order, facts, opened, shelves, short), *(one.do for one in drifted)
    ]))  # fmt: skip
    lines = tuple(_lines(now, story, pending, to_do or (_rest(order),), zone))
    return Explanation(
        order=order, account=name, order_id=order_id, now=now, story=tuple(story),
        pending=pending, to_do=to_do, lines=lines,
    )  # fmt: skip


def _mentioned_by(book: Book, order_id: str, account: str | None) -> str:
    """The account whose channel spoke of an order that the book does not have."""
    where = Filter()
    where.add("f.order_id = ?", order_id)
    if account is not None:
        where.add("f.account_id = ?", account_id_of(book, account))
    else:  # the journal's index begins with the account
        where.add("f.account_id IN (SELECT id FROM account)")
    rows = book.query(
        "SELECT DISTINCT a.name FROM inbox f JOIN account a ON a.id = f.account_id "
        f"{where.sql()} ORDER BY a.name",
        where.params,
    ).fetchall()
    if not rows:
        raise NotFound(
            f"The book has no order {order_id!r} and no channel has mentioned it. Check the id; "
            "import it with: syncctl import"
        )
    if len(rows) > 1:
        names = ", ".join(name for (name,) in rows)
        raise Refused(
            f"Several accounts were told of {order_id}: {names}. Say which with --account.",
            code="ambiguous_order",
        )
    return str(rows[0][0])


class _House(Struct, frozen=True):
    """What hints need to name: the account, its tenant and facility, and codes that several
    tenants have."""

    account: str
    order_id: str
    tenant: str
    facility: str
    shared: frozenset[str]

    def option(self, facility: str) -> str:
        """The option that tells this facility from another tenant's of the same code."""
        return f" --tenant {shlex.quote(self.tenant)}" if facility in self.shared else ""


def _house(book: Book, account_id: int, order_id: str) -> tuple[str, _House]:
    row = book.query(
        "SELECT a.channel, a.name, t.code, f.code FROM account a JOIN tenant t ON "
        "t.id = a.tenant_id JOIN facility f ON f.id = a.facility_id WHERE a.id = ?",
        (account_id,),
    ).fetchone()
    twice = book.query("SELECT code FROM facility GROUP BY code HAVING count(*) > 1").fetchall()
    shared = frozenset(code for (code,) in twice)
    return row[0], _House(row[1], order_id, row[2], row[3], shared)


def _shortages(book: Book, house: _House, order: OrderView | None) -> Counter[tuple[str, str]]:
    """Pieces of the order, by facility and SKU, whose shortage has not been settled yet."""
    found = Counter((p.facility, p.sku) for p in order.pieces if p.short) if order else Counter()
    for (facility, sku), count in found.items():
        row = book.query(
            "SELECT s.quantity FROM stock s JOIN facility f ON f.id = s.facility_id "
            "JOIN tenant t ON t.id = f.tenant_id "
            "WHERE t.code = ? AND f.code = ? AND s.sku = ? AND s.bucket = 'shortage'",
            (house.tenant, facility, sku),
        ).fetchone()
        found[facility, sku] = min(count, -row[0] if row else 0)
    return +found


def _putaways(book: Book, order_pk: int) -> list[tuple[int, str, str]]:
    """Open putaways of the order: id, line, and why with what to type."""
    rows = book.query(
        "SELECT p.id, i.line_id, p.kind, p.state, p.reason FROM putaway p "
        "JOIN item i ON i.id = p.item_id WHERE i.order_id = ? "
        "AND +p.state IN ('PENDING', 'HELD') ORDER BY p.id",
        (order_pk,),
    )
    return [(row[0], row[1], putaway_words(*row[2:]) + _shelved(row[0], row[3])) for row in rows]


def _shelved(putaway_id: int, state: str) -> str:
    """What to type when the piece is on the shelf, or was not found."""
    if state != "PENDING":
        return ""
    return f" Then say what you found: syncctl putaway done {putaway_id} --as GOOD"


def _with_exceptions(events: list[StoryEvent], opened: Sequence[ExceptionView]) -> list[StoryEvent]:
    for one in opened:
        text = f"An exception was opened ({one.severity}): {one.message}"
        events.append(StoryEvent(one.opened_at, "exception", text, code=one.code))
        if one.closed_at is not None:
            note = f": {one.note}" if one.note else "."
            how = f" as {one.choice}" if one.choice else ""
            text = f"The exception {one.code} was closed by {one.closed_by}{how}{note}"
            events.append(StoryEvent(one.closed_at, "exception", text, code=one.code))
    return sorted(events, key=lambda event: event.at)


def _now(order_id: str, account: str, channel: str, order: OrderView | None) -> Iterable[str]:
    if order is None:
        yield f"Order {order_id} of {account} ({channel}) is not in the book."
        return
    yield f"Order {order_id} of {account} ({channel}) is {order.state}."
    if order.replaces == order_id:
        yield "The channel has used its id again: it holds a replacement of a line of its own."
    elif order.replaces:
        yield f"It stands in for order {order.replaces}; each of the two goes its own way."
    parcels = {package.code: package for package in order.packages}
    by_line: dict[str, list[PieceView]] = defaultdict(list)
    for piece in order.pieces:
        by_line[piece.line_id].append(piece)
    for line_id, group in by_line.items():
        skus = ", ".join(f"{n} of {sku}" for sku, n in Counter(p.sku for p in group).items())
        yield f"Line {line_id}, {skus}: {_line_stands(group, parcels)}."


def _line_stands(group: Sequence[PieceView], parcels: dict[str, PackageView]) -> str:
    """How the pieces of a line stand; a parcel that they share is named once."""
    stands = Counter((_stands(piece), _parcel(piece, parcels)) for piece in group)
    if len(stands) == 1:
        ((here, extra), parcel) = next(iter(stands))
        return ", ".join(filter(None, (here, parcel, extra)))
    shared = {parcel for _, parcel in stands}
    told = [
        ", ".join(filter(None, (f"{n} {here}", "" if len(shared) == 1 else parcel, extra)))
        for ((here, extra), parcel), n in stands.items()
    ]
    common = next(iter(shared)) if len(shared) == 1 else ""
    return "; ".join([*told, f"all in {common}"] if common else told)


def _stands(piece: PieceView) -> tuple[str, str]:
    """Where a piece stands, and what is special about it."""
    extra = ["counted as a shortage"] if piece.short else []
    if piece.hold:
        extra.append(f"on hold: {piece.hold}")
    return STANDS.get(piece.position, piece.position), ", ".join(extra)


def _parcel(piece: PieceView, parcels: dict[str, PackageView]) -> str:
    """The parcel of a piece with its numbers, or empty."""
    package = parcels.get(piece.package)
    if package is None:
        return ""
    parts = [f"parcel {package.code}"]
    if package.shipment_id:
        parts.append(f"shipment {package.shipment_id}")
    if package.tracking_number:
        parts.append(f"tracking number {package.tracking_number}")
    parts += [
        f"{_DOCUMENTS.get(v.kind, v.kind)} {v.number} ({v.state.lower()})" for v in package.invoices
    ]
    return ", ".join(parts)


def _undecided(facts: Iterable[StoryFact]) -> bool:
    """Whether a pass has something of the order to decide, which a brake would hold."""
    return any(fact.state in _OPEN - {"QUARANTINED"} for fact in facts)


def _pending(facts: Iterable[StoryFact], *, braked: bool) -> Iterable[str]:
    for fact in facts:
        if fact.state not in _OPEN:
            continue
        why = fact.message or words_for(fact.code).means or "No pass has decided it yet."
        if braked and fact.state == "NEW":
            why = "The safety brake holds it, until a person has spoken."
        tried = f", tried {times(fact.tries)}" if fact.tries else ""
        yield f"{fact.state}: {happened(fact)} (fact {fact.id}{tried}). {why}"


def _disagreements(drifted: Iterable[DriftView]) -> Iterable[str]:
    """What the last audit of the order found."""
    for one in drifted:
        line = f" line {one.line_id}," if one.line_id else ""
        said = f"the book says {one.book_says or '-'}, the panel {one.panel_says}"
        told = f"Audit {one.run_id}:{line} {said}. {one.means} {one.message}"
        yield told.strip()


def _to_do(
    house: _House,
    order: OrderView | None,
    facts: Sequence[StoryFact],
    opened: Iterable[ExceptionView],
    shelves: Iterable[tuple[int, str, str]],
    short: Counter[tuple[str, str]],
) -> Iterable[str]:
    """What a person should do next, the most pressing first."""
    for one in opened:
        if one.state == "OPEN":
            yield f"Exception {one.id} ({one.code}): {one.what_to_do or one.message}"
    for putaway_id, line_id, why in shelves:
        yield f"Putaway {putaway_id}, line {line_id}: {why}"
    told: set[str] = set()
    for fact in facts:
        if fact.state not in _OPEN - {"NEW"} or (fact.state == "WAITING" and fact.code in told):
            continue  # what waits behind another fact is helped with it
        told.add(fact.code)
        if text := _of_open(house, order, fact):
            yield f"Fact {fact.id}: {text}"
    if order is not None:
        if _at_home(order):
            yield from _of_echoes(order, facts)
        yield from _of_goods(house, order, short)


def _of_open(house: _House, order: OrderView | None, fact: StoryFact) -> str:
    """What helps an undecided fact: the command where there is one, else why it is refused."""
    fits = [p.facility for p in order.pieces if fact.line_id in ("", p.line_id)] if order else []
    facility = fits[0] if fits else house.facility
    text = advice(
        fact.code, account=house.account, facility=facility, id=str(fact.id),
        order=house.order_id, tenant=house.tenant,
    )  # fmt: skip
    if "FACILITY" in words_for(fact.code).do:
        text += house.option(facility)
    if fact.state != "REFUSED" or not fact.message or "syncctl" in text:
        return text
    return f"{fact.message.removesuffix('.')}. {text}".strip()


def _at_home(order: OrderView) -> bool:
    """Whether a piece of the order has yet to leave."""
    return any((RANK[Position(piece.position)] or _LEFT) < _LEFT for piece in order.pieces)


def _of_echoes(order: OrderView, facts: Iterable[StoryFact]) -> Iterable[str]:
    """Of an order that the seller ships: what the channel says of its way is his to book."""
    words = [happened(one) for one in facts if one.code == Reason.CHANNEL_NOT_SHIPPING]
    if words:
        yield (
            f"The seller ships this order, so the channel's word is not booked: {words[-1]}. If it "
            f"has left, book that: syncctl warehouse {shlex.quote(order.order_id)} DISPATCHED"
        )


def _of_goods(house: _House, order: OrderView, short: Counter[tuple[str, str]]) -> Iterable[str]:
    """Parcels to be stopped, orders that may not go on, shortages, and stock that is missing."""
    for package in order.packages:
        if package.blocked:
            yield f"Do not ship parcel {package.code}: {words_for(package.blocked).means}"
    for position in (Position.PENDING_VERIFICATION, Position.LOCATION_NOT_SERVICEABLE):
        lines = dict.fromkeys(p.line_id for p in order.pieces if p.position == position)
        if lines:
            early = not_yet(position, ", ".join(lines), order.order_id)
            yield f"{early[0].upper()}{early[1:]}"
    for (facility, sku), count in short.items():
        where = f"{shlex.quote(facility)} {shlex.quote(sku)}"
        yield (
            f"{pieces(count)} of {sku} left without being on the book: find out where "
            f"{'it' if count == 1 else 'they'} came from, then: syncctl stock adjust {where} "
            f'{count} --bucket shortage --note "..."{house.option(facility)}'
        )
    wanting = Counter((p.facility, p.sku) for p in order.pieces if p.position == "UNFULFILLABLE")
    for (facility, sku), count in wanting.items():
        where = f"{shlex.quote(facility)} {shlex.quote(sku)}"
        yield (
            f"{pieces(count)} of {sku} {'waits' if count == 1 else 'wait'} for stock. When it "
            f"comes: syncctl stock receive {where} {count}{house.option(facility)}"
        )


def _rest(order: OrderView | None) -> str:
    """What is left to do where nothing needs settling."""
    if order is None or not _at_home(order):
        return "Nothing; no person is needed."
    return (
        "Nothing to settle. It waits in the warehouse until the channel says that it left; if the "
        f"seller ships it, book that: syncctl warehouse {shlex.quote(order.order_id)} DISPATCHED"
    )


def _lines(
    now: Iterable[str],
    story: Iterable[StoryEvent],
    pending: Sequence[str],
    to_do: Sequence[str],
    zone: tzinfo,
) -> Iterable[str]:
    yield from now
    yield ""
    yield "What happened:"
    for event in story:
        first, *rest = event.text.split("\n")
        yield f"  {when(event.at, zone)}{_heard(event, zone)}  {first}{source_text(event)}"
        yield from (f"      {line}" for line in rest)
    if pending:
        yield ""
        yield "Not settled:"
        yield from (f"  {line}" for line in pending)
    yield ""
    yield "What to do next:"
    yield from (f"  {line}" for line in to_do)


def _heard(event: StoryEvent, zone: tzinfo) -> str:
    """When the book came to know of it, if later: `` (heard 22:02)``."""
    if event.heard is None:
        return ""
    heard = event.heard.astimezone(zone)
    same_day = heard.date() == event.at.astimezone(zone).date()
    return f" (heard {heard:%H:%M})" if same_day else f" (heard {heard:%d %b %H:%M})"


def when(moment: datetime, zone: tzinfo) -> str:
    """A time as a person reads it: ``23 Nov 2025 14:05 IST``."""
    return f"{moment.astimezone(zone):%d %b %Y %H:%M %Z}"
