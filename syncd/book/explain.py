"""Why an order is as it is, for a person who has read nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from syncd.book.lookups import Filter, find_order
from syncd.book.order_lookups import order_view
from syncd.book.runs import account_id_of
from syncd.book.shelf_lookups import exceptions, putaway_words
from syncd.book.store import Book
from syncd.book.story import (
    StoryFact,
    load_facts,
    load_records,
    source_text,
    subject,
    tell,
)
from syncd.book.views import (
    ExceptionView,
    Explanation,
    OrderView,
    PackageView,
    PieceView,
    StoryEvent,
)
from syncd.book.wording import STANDS, told, words_for
from syncd.errors import NotFound, Refused

_OPEN: Final = frozenset({"NEW", "REFUSED", "WAITING", "PARKED", "QUARANTINED"})
_DOCUMENTS: Final = {"SALE_INVOICE": "invoice", "SALE_RETURN_INVOICE": "credit note"}


def explain(
    book: Book, order_id: str, account: str | None = None, *, zone: tzinfo = UTC
) -> Explanation:
    """Tell where the order stands, how it came there, what is pending and what to do.

    An order that only the channel knows is explained from what the channel said. Times in the
    text are in ``zone``. Raises NotFound when nobody ever mentioned the order, Refused when
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
        channel = book.query("SELECT channel FROM account WHERE id = ?", (account_id,)).fetchone()
    title = str(channel[0]).title()
    story = _with_exceptions(tell(title, order, facts, records), opened)
    now = tuple(_now(order_id, name, title, order))
    pending = tuple(_pending(facts))
    to_do = tuple(dict.fromkeys(_to_do(name, order, facts, opened, shelves)))
    return Explanation(
        order=order, account=name, order_id=order_id, now=now, story=tuple(story),
        pending=pending, to_do=to_do, lines=tuple(_lines(now, story, pending, to_do, zone)),
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


def _putaways(book: Book, order_pk: int) -> list[tuple[int, str, str]]:
    """Open putaways of the order: id, line and why."""
    rows = book.query(
        "SELECT p.id, i.line_id, p.kind, p.state, p.reason FROM putaway p "
        "JOIN item i ON i.id = p.item_id WHERE i.order_id = ? "
        "AND +p.state IN ('PENDING', 'HELD') ORDER BY p.id",
        (order_pk,),
    )
    return [(row[0], row[1], putaway_words(*row[2:])) for row in rows]


def _with_exceptions(events: list[StoryEvent], opened: Sequence[ExceptionView]) -> list[StoryEvent]:
    for one in opened:
        text = f"An exception was opened ({one.severity}): {one.message}"
        events.append(StoryEvent(one.opened_at, "exception", text, code=one.code))
        if one.closed_at is not None:
            note = f": {one.note}" if one.note else "."
            text = f"The exception {one.code} was closed by {one.closed_by}{note}"
            events.append(StoryEvent(one.closed_at, "exception", text, code=one.code))
    return sorted(events, key=lambda event: event.at)


def _now(order_id: str, account: str, channel: str, order: OrderView | None) -> Iterable[str]:
    if order is None:
        yield f"Order {order_id} of {account} ({channel}) is not in the book."
        return
    yield f"Order {order_id} of {account} ({channel}) is {order.state}."
    parcels = {package.code: package for package in order.packages}
    by_line: dict[str, list[PieceView]] = defaultdict(list)
    for piece in order.pieces:
        by_line[piece.line_id].append(piece)
    for line_id, pieces in by_line.items():
        skus = ", ".join(f"{n} of {sku}" for sku, n in Counter(p.sku for p in pieces).items())
        stands = Counter(_stands(piece, parcels) for piece in pieces)
        if len(stands) == 1:
            yield f"Line {line_id}, {skus}: {next(iter(stands))}."
        else:
            yield f"Line {line_id}, {skus}: {'; '.join(f'{n} {t}' for t, n in stands.items())}."


def _stands(piece: PieceView, parcels: dict[str, PackageView]) -> str:
    parts = [STANDS.get(piece.position, piece.position)]
    package = parcels.get(piece.package)
    if package is not None:
        parts.append(f"parcel {package.code}")
        if package.shipment_id:
            parts.append(f"shipment {package.shipment_id}")
        if package.tracking_number:
            parts.append(f"tracking number {package.tracking_number}")
        parts += [
            f"{_DOCUMENTS.get(v.kind, v.kind)} {v.number} ({v.state.lower()})"
            for v in package.invoices
        ]
    if piece.short:
        parts.append("counted as a shortage")
    if piece.hold:
        parts.append(f"on hold: {piece.hold}")
    return ", ".join(parts)


def _pending(facts: Iterable[StoryFact]) -> Iterable[str]:
    for fact in facts:
        if fact.state not in _OPEN:
            continue
        why = fact.message or words_for(fact.code).means or "No pass has decided it yet."
        event = f"{fact.status}_{fact.return_type}" if fact.return_type else fact.status
        yield f"{fact.state}: {subject(fact)} {told(event)} (fact {fact.id}). {why}"


def _to_do(
    account: str,
    order: OrderView | None,
    facts: Iterable[StoryFact],
    opened: Iterable[ExceptionView],
    shelves: Iterable[tuple[int, str, str]],
) -> Iterable[str]:
    """What a person should do next, the most pressing first."""
    for one in opened:
        if one.state == "OPEN":
            yield f"Exception {one.id} ({one.code}): {one.what_to_do or one.message}"
    for putaway_id, line_id, why in shelves:
        yield f"Putaway {putaway_id}, line {line_id}: {why}"
    for fact in facts:
        if fact.state == "REFUSED" and fact.message:
            yield f"Fact {fact.id}: {fact.message}"  # names the gate and what opens it
        elif fact.state in _OPEN - {"NEW"} and (advice := words_for(fact.code).do):
            yield f"Fact {fact.id}: {advice.replace('ACCOUNT', account)}"
    if order is None:
        return
    for package in order.packages:
        if package.blocked:
            yield f"Do not ship parcel {package.code}: {words_for(package.blocked).means}"
    short = Counter(piece.sku for piece in order.pieces if piece.short)
    for sku, count in short.items():
        yield (
            f"{count} of {sku} left without being on the book: find out where it came from, then "
            "settle it with syncctl stock adjust."
        )
    wanting = Counter(p.sku for p in order.pieces if p.position == "UNFULFILLABLE")
    for sku, count in wanting.items():
        yield f"{count} of {sku} waits for stock: receive some with syncctl stock receive."


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
        yield f"  {when(event.at, zone)}  {event.text}{source_text(event)}"
    if pending:
        yield ""
        yield "Not settled:"
        yield from (f"  {line}" for line in pending)
    yield ""
    yield "What to do next:"
    yield from (f"  {line}" for line in (to_do or ("Nothing; no person is needed.",)))


def when(moment: datetime, zone: tzinfo) -> str:
    """A time as a person reads it: ``23 Nov 2025 14:05 IST``."""
    return f"{moment.astimezone(zone):%d %b %Y %H:%M %Z}"
