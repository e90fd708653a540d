"""The warehouse's own steps, done by hand: an order's pieces on their road to dispatch.

Parcels and invoices are made by the same code as in a sync, so that no parcel has two invoices
whoever was first. Either every live piece of the order moves, or nothing changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

from syncd.book.goods import allocate_waiting
from syncd.book.records import Act, Record, refresh_orders, write_records
from syncd.book.runs import account_id_of
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Order, Package, Piece
from syncd.book.shipping import check_pieces, not_yet
from syncd.book.stock import Bucket
from syncd.book.store import Book
from syncd.book.succession import close_repack
from syncd.book.worksheet import Worksheet
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused
from syncd.rules import USUAL, Policies, Position, closes, roll_up
from syncd.rules.policies import CHANNEL_INVOICES

ROAD: Final = (
    Position.CREATED,
    Position.PICKING,
    Position.PICKED,
    Position.PACKED,
    Position.READY_TO_SHIP,
    Position.MANIFESTED,
    Position.DISPATCHED,
)
"""The steps that a person may do, in their order. PACKED issues the seller's invoice."""

CLEARED: Final = Position.FULFILLABLE
"""The step by which a person lets an order go on that waited to be verified, or for a courier."""

STEPS: Final = (CLEARED, *ROAD)

_BEFORE: Final = (Position.UNFULFILLABLE, Position.FULFILLABLE)
_NOT_YET: Final = (Position.PENDING_VERIFICATION, Position.LOCATION_NOT_SERVICEABLE)
_PLACE: Final = {position: number for number, position in enumerate((*_BEFORE, *ROAD))}
_INVOICED: Final = _PLACE[Position.PACKED]
_PIECES: Final = (
    "SELECT o.id, i.id, i.position, i.facility_id, i.sku FROM orders o "
    "JOIN item i ON i.order_id = o.id WHERE o.account_id = ? AND o.order_id = ? ORDER BY i.id"
)


class Advanced(Struct, frozen=True):
    """What moved: pieces by the position they left, the parcels, and invoices just issued.

    ``waiting``: of an order that may go on, by SKU the pieces for which there is no stock yet.
    """

    account: str
    order_id: str
    to: str
    state: str
    moved: dict[str, int]
    packages: tuple[str, ...]
    invoices: tuple[str, ...]
    waiting: dict[str, int] = {}


class _Bench(Struct, kw_only=True):
    """One act in hand."""

    sheet: Worksheet
    order: Order
    to: Position
    at: int
    actor: str
    pieces: list[Piece]
    invoices: list[str]
    steps: dict[int, list[str]]


def advance(
    book: Book, account: str, order_id: str, to: Position, *, actor: str, now: datetime,
    policies: Policies = USUAL,
) -> Advanced:  # fmt: skip
    """Bring the order's live pieces to ``to``, one of STEPS, through every step between.

    FULFILLABLE says that it is verified and that a courier takes it: each piece gets its stock,
    or waits for it. ``policies`` are the account's; where the channel issues the invoice, none is
    numbered here.

    Raises NotFound for the account or order; Refused with a code when a piece is held or
    unverified, a parcel is blocked or must not leave, stock or a sequence is missing, or nothing
    is left to move.
    """
    if to not in STEPS:
        raise Refused(
            f"{to} is not a step of the warehouse. Steps: {', '.join(STEPS)}.", code="bad_step"
        )
    if to is CLEARED:
        return _clear(book, account, order_id, actor, now)
    with book.write():
        bench = _open(book, account, order_id, to, actor, to_micros(now), policies)
        _check_pieces(bench)
        _allocate(bench)
        _pack(bench)
        _invoice(bench)
        before = Counter(piece.position.value for piece in bench.pieces)
        records = [_move(bench, piece) for piece in bench.pieces]
        order = bench.order
        state = roll_up(
            [piece.position for piece in order.pieces],
            allocated=any(piece.allocated for piece in order.pieces),
        )
        order.state, order.dirty = str(state), True
        bench.sheet.write()
        write_records(book, records)
    packages = sorted({_package(bench, piece).code for piece in bench.pieces})
    return Advanced(
        account, order_id, to.value, order.state, dict(before), tuple(packages),
        tuple(bench.invoices),
    )  # fmt: skip


def _clear(book: Book, account: str, order_id: str, actor: str, now: datetime) -> Advanced:
    """Let the pieces that were not verified, or had no courier, wait for stock as others do."""
    at = to_micros(now)
    with book.write():
        account_id = account_id_of(book, account)
        rows = book.query(_PIECES, (account_id, order_id)).fetchall()
        if not rows:
            raise _unknown(account, order_id)
        held = [row for row in rows if Position(row[2]) in _NOT_YET]
        if not held:
            told = _counted(Position(row[2]) for row in rows)
            raise Refused(
                f"No piece of {order_id} waits to be verified or for a courier: {told}.",
                code="nothing_to_move",
            )
        waiting = Position.UNFULFILLABLE.value
        book.executemany(
            "UPDATE item SET position = ?, changed_at = ? WHERE id = ?",
            [(waiting, at, row[1]) for row in held],
        )
        write_records(
            book,
            [
                Record(
                    order_pk=pk, item_id=item_id, act=Act.ADVANCE, before=before, after=waiting,
                    code="cleared_by_hand", actor=actor, at=at,
                )
                for pk, item_id, before, _, _ in held
            ],
        )  # fmt: skip
        allocate_waiting(book, {(row[3], row[4]) for row in held}, actor=actor, now=now)
        refresh_orders(book, [held[0][0]])
        rows = book.query(_PIECES, (account_id, order_id)).fetchall()
        lacking = Counter(row[4] for row in rows if row[2] == waiting)
        state = book.query("SELECT state FROM orders WHERE id = ?", (held[0][0],)).fetchone()[0]
    before = Counter(row[2] for row in held)
    return Advanced(account, order_id, CLEARED.value, state, dict(before), (), (), dict(lacking))


def _unknown(account: str, order_id: str) -> NotFound:
    return NotFound(f"Account {account} has no order {order_id!r}. Import it first.")


def _counted(positions: Iterable[Position]) -> str:
    """How many pieces stand where, as a sentence ends."""
    return ", ".join(f"{count} {where}" for where, count in sorted(Counter(positions).items()))


def _open(
    book: Book, account: str, order_id: str, to: Position, actor: str, at: int, policies: Policies
) -> _Bench:
    account_id = account_id_of(book, account)
    shared = Shared(book)
    shared.refresh()
    sheet = Worksheet(book, shared, account_id, None, at, policies=policies)
    sheet.load([order_id])
    order = sheet.orders.get(order_id)
    if order is None:
        raise _unknown(account, order_id)
    movable = [p for p in order.pieces if _PLACE.get(p.position, 99) < _PLACE[to]]
    return _Bench(
        sheet=sheet, order=order, to=to, at=at, actor=actor, pieces=movable, invoices=[],
        steps={},
    )  # fmt: skip


def _check_pieces(bench: _Bench) -> None:
    """Refuse what must not go on; nothing has been changed yet."""
    for piece in bench.order.pieces:
        if piece.position in _NOT_YET:
            raise Refused(
                f"Order {bench.order.order_id} must stay here: "
                f"{not_yet(piece.position, piece.line_id, bench.order.order_id)}",
                code="not_verified",
            )
    if not bench.pieces:
        told = _counted(piece.position for piece in bench.order.pieces)
        raise Refused(
            f"No piece of {bench.order.order_id} is before {bench.to}: {told}.",
            code="nothing_to_move",
        )
    last_look = _PLACE[bench.to] >= _INVOICED  # no invoice for what the channel has cancelled
    check_pieces(
        bench.sheet, bench.order, bench.pieces, undecided=last_look,
        leaves=bench.to is Position.DISPATCHED,
    )  # fmt: skip
    for piece in bench.pieces:
        _check_piece(bench, piece)


def _check_piece(bench: _Bench, piece: Piece) -> None:
    facility = bench.sheet.shared.facility(piece.facility_id)
    if not facility.active:
        raise Refused(
            f"Facility {facility.code} is not active. Make it active first: "
            f"syncctl facility {facility.code} --state ACTIVE",
            code="facility_inactive",
        )


def _allocate(bench: _Bench) -> None:
    """Take what is not allocated yet from the shelf; refuse, naming what the shelf lacks."""
    missing: Counter[str] = Counter()
    for piece in bench.pieces:
        if piece.allocated:
            continue
        if bench.sheet.shared.on_hand(piece.facility_id, piece.sku) < 1:
            missing[piece.sku] += 1
            continue
        bench.sheet.move(piece, Bucket.ON_HAND_GOOD, Bucket.ALLOCATED, "allocated", bench.at)
        piece.allocated = True
        _note(bench, piece, "allocate")
    if missing:
        told = ", ".join(f"{count} of {sku}" for sku, count in sorted(missing.items()))
        raise Refused(
            f"Not enough stock for {bench.order.order_id}: {told} missing. Receive it with "
            "syncctl stock receive, or correct the count with syncctl stock adjust.",
            code="stock_missing",
        )


def _pack(bench: _Bench) -> None:
    """Every piece into a parcel: the order's open one of its facility, or a new one."""
    opened: dict[int, Package] = {}
    for piece in bench.pieces:
        if piece.package_id is not None and not _was_voided(bench, piece.package_id):
            continue
        package = opened.get(piece.facility_id)
        if package is None:
            package = bench.sheet.new_package(
                bench.order, piece, shipment_id="", tracking_number="", courier="",
                created_at=bench.at, dispatched_at=None,
            )  # fmt: skip
            opened[piece.facility_id] = package
        piece.package_id = package.id
        _note(bench, piece, "create_shipment")


def _was_voided(bench: _Bench, package_id: int) -> bool:
    """Whether the parcel had an invoice that is void: then its pieces need a new parcel."""
    sql = (
        "SELECT 1 FROM invoice WHERE package_id = ? AND kind = 'SALE_INVOICE' AND state = 'VOIDED'"
    )
    return bench.sheet.book.query(sql, (package_id,)).fetchone() is not None


def _invoice(bench: _Bench) -> None:
    """Issue the invoice of each parcel that passes PACKED now and has none, if the seller does."""
    if _PLACE[bench.to] < _INVOICED or not bench.sheet.numbers_invoices:
        return
    for piece in bench.pieces:
        package = _package(bench, piece)
        if _PLACE[piece.position] >= _INVOICED or package.invoice:
            continue
        facility = bench.sheet.shared.facility(package.facility_id)
        if facility.sequence is None:
            raise Refused(facility.unnumbered, code="sequence_missing")
        number = bench.sheet.issue_invoice(package, facility.sequence, bench.at)
        bench.invoices.append(number)
        close_repack(
            bench.sheet, bench.order, package, f"invoice {number} was issued", bench.at, bench.actor
        )
        _note(bench, piece, "create_invoice")


def _move(bench: _Bench, piece: Piece) -> Record:
    """Set the new position of the piece and its parcel; the record of it."""
    before = piece.position
    package = _package(bench, piece)
    if bench.to is Position.DISPATCHED:
        bench.sheet.move(piece, Bucket.ALLOCATED, Bucket.IN_TRANSIT_OUT, "dispatched", bench.at)
        piece.allocated = False
        piece.dispatched_at = package.dispatched_at = bench.at
        _note(bench, piece, "dispatch")
    piece.position = bench.to
    piece.changed_at = bench.at
    piece.dirty = True
    package.dirty = True
    bench.sheet.settle_parcel(bench.order, package.id)
    answered = closes("moved_by_hand", piece.position)
    bench.sheet.close_troubles(piece, answered, bench.actor, f"moved to {bench.to}", bench.at)
    return Record(
        order_pk=bench.order.pk, item_id=piece.item_id, act=Act.ADVANCE, before=before.value,
        after=bench.to.value, code="moved_by_hand", actor=bench.actor, at=bench.at,
        steps=",".join(bench.steps.get(piece.item_id, ())), note=_told(bench, package, before),
    )  # fmt: skip


def _told(bench: _Bench, package: Package, before: Position) -> str:
    """What a record says of documents: the invoice, when this act has issued it, or why none."""
    if package.invoice:
        return f"invoice {package.invoice}" if package.invoice in bench.invoices else ""
    return CHANNEL_INVOICES if _PLACE[before] < _INVOICED <= _PLACE[bench.to] else ""


def _package(bench: _Bench, piece: Piece) -> Package:
    if piece.package_id is None:
        raise AssertionError("every piece is in a parcel once it is packed")
    return bench.sheet.packages[piece.package_id]


def _note(bench: _Bench, piece: Piece, verb: str) -> None:
    bench.steps.setdefault(piece.item_id, []).append(verb)


def parse_step(word: str) -> Position:
    """The step a person typed, in any case and with dashes. Raises Refused listing them."""
    name = word.strip().upper().replace("-", "_")
    if name not in set(STEPS):
        raise Refused(f"{word!r} is not a step. Steps: {', '.join(STEPS)}.", code="bad_step")
    return Position(name)
