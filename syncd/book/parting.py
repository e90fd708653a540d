"""Parcels divided or put together by hand, before they leave.

The old parcels become tombstones, SPLITTED or MERGED, that lead on to the new ones; an invoice
that one had is void, and the new ones get theirs when they are packed. What the channel calls
an old parcel is from then on a name of what has become of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from syncd.book.records import Act, Record, write_records
from syncd.book.runs import account_id_of
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Order, Package, Piece
from syncd.book.store import Book
from syncd.book.succession import MERGED, PARTED, SPLITTED, close_repack
from syncd.book.worksheet import Worksheet
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused
from syncd.rules import RANK, Position, has_left

ALL: Final = 0
"""As the number of pieces to take: the whole line."""

_READY: Final = RANK[Position.READY_TO_SHIP] or 0
_INVOICED: Final = frozenset({Position.PACKED, Position.READY_TO_SHIP})


class Parted(Struct, frozen=True):
    """What was done: the parcels before and after, and the invoices that are void now."""

    account: str
    order_id: str
    was: tuple[str, ...]
    packages: tuple[str, ...]
    voided: tuple[str, ...]


class Names(Struct, frozen=True):
    """What the channel calls a parcel, where the person knows it."""

    shipment_id: str = ""
    tracking_number: str = ""


NO_NAMES: Final = Names()


class _Table(Struct, kw_only=True):
    """One act in hand."""

    sheet: Worksheet
    order: Order
    account: str
    act: Act
    code: str
    actor: str
    at: int
    voided: dict[int, str]  # parcel -> number
    records: list[Record]


def split(
    book: Book, account: str, order_id: str, take: Mapping[str, int], *, parcel: str = "",
    names: Names = NO_NAMES, actor: str, now: datetime,
) -> Parted:  # fmt: skip
    """Divide a parcel in two. ``take``: line id -> how many of its pieces go into the second.

    ``parcel`` may be left out where the order has one that has not left. ``names`` are those of
    the second. A bundle counts as one piece and stays together. Raises NotFound for the
    account, order or parcel; Refused when it left, is on a manifest or blocked, or when one of
    the two would be empty.
    """
    with book.write():
        table = _open(book, account, order_id, Act.SPLIT, "parcel_split", actor, to_micros(now))
        old = _one_parcel(table.order, parcel)
        _check(table, old)
        inside = _inside(table.order, old)
        taken = _taken(old, inside, take)
        rest = [piece for piece in inside if piece not in taken]
        if not rest:
            raise Refused(
                f"Nothing would be left in parcel {old.code}: take fewer pieces.",
                code="nothing_to_split",
            )
        made = [_new(table, old, rest, NO_NAMES), _new(table, old, taken, names)]
        _close(table, old, SPLITTED, made[0])
        for new, pieces in zip(made, (rest, taken), strict=True):
            _move(table, old, new, pieces)
        return _written(book, table, (old,), made)


def merge(
    book: Book, account: str, order_id: str, parcels: Sequence[str] = (), *,
    names: Names = NO_NAMES, actor: str, now: datetime,
) -> Parted:  # fmt: skip
    """Put parcels of an order into one; without ``parcels``, all that have not left.

    Raises NotFound for the account, order or a parcel; Refused when one left, is on a manifest
    or blocked, when they are in two facilities, or when there is only one.
    """
    with book.write():
        table = _open(book, account, order_id, Act.MERGE, "parcels_merged", actor, to_micros(now))
        order = table.order
        wanted = dict.fromkeys(parcels) or [each.code for each in _not_left(order)]
        old = [_one_parcel(order, code) for code in wanted]
        if len(old) < 2:
            raise Refused(
                f"Order {order_id} has {len(old)} parcel to put together; at least two are needed.",
                code="nothing_to_merge",
            )
        for package in old:
            _check(table, package)
        if len({package.facility_id for package in old}) > 1:
            raise Refused(
                f"Parcels {', '.join(wanted)} are in different facilities; a parcel leaves from "
                "one place.",
                code="two_facilities",
            )
        groups = [_inside(order, package) for package in old]
        new = _new(table, old[0], [piece for group in groups for piece in group], names)
        for package, pieces in zip(old, groups, strict=True):
            _close(table, package, MERGED, new)
            _move(table, package, new, pieces)
        return _written(book, table, old, [new])


def _open(
    book: Book, account: str, order_id: str, act: Act, code: str, actor: str, at: int
) -> _Table:
    shared = Shared(book)
    shared.refresh()
    sheet = Worksheet(book, shared, account_id_of(book, account), None, at)
    sheet.load([order_id])
    order = sheet.orders.get(order_id)
    if order is None:
        raise NotFound(f"Account {account} has no order {order_id!r}. Import it first.")
    return _Table(
        sheet=sheet, order=order, account=account, act=act, code=code, actor=actor, at=at,
        voided={}, records=[],
    )  # fmt: skip


def _not_left(order: Order) -> list[Package]:
    """The order's parcels that a person may still open."""
    return [
        package
        for package in order.packages
        if _rank(package) <= _READY and not _left_in_part(order, package)
    ]


def _left_in_part(order: Order, package: Package) -> bool:
    """Whether a piece has left in a parcel in which another one is still here."""
    inside = _inside(order, package)
    return _rank(package) <= _READY and any(has_left(piece.position) for piece in inside)


def _rank(package: Package) -> int:
    """How far a parcel has come; one that is over is beyond every step."""
    if package.state in PARTED:
        return 1_000
    return RANK[Position(package.state)] or 1_000


def _one_parcel(order: Order, code: str) -> Package:
    if code:
        for package in order.packages:
            if package.code == code:
                return package
        by_age = sorted(order.packages, key=lambda each: each.id)
        known = ", ".join(each.code for each in by_age) or "none"
        raise NotFound(f"Order {order.order_id} has no parcel {code!r}. Its parcels: {known}.")
    found = _not_left(order)
    if len(found) == 1:
        return found[0]
    told = ", ".join(each.code for each in found) or "none; pack it first"
    raise Refused(
        f"Order {order.order_id} has not just one parcel that can be split: {told}. Say which.",
        code="ambiguous_parcel",
    )


def _check(table: _Table, package: Package) -> None:
    """Refuse a parcel that nobody may open any more."""
    if package.blocked:
        raise Refused(
            f"Parcel {package.code} is blocked: {package.blocked}. Take the cancelled piece out "
            "and settle its exception first.",
            code="package_blocked",
        )
    if any(piece.position is Position.MANIFESTED for piece in _inside(table.order, package)):
        raise Refused(
            f"Parcel {package.code} is on a closed manifest; take it off there first.",
            code="parcel_manifested",
        )
    if _left_in_part(table.order, package):
        raise Refused(
            f"A part of parcel {package.code} has left, so it cannot be split or merged. What is "
            "still here gets a parcel of its own when the channel ships it in another one.",
            code="parcel_closed",
        )
    if _rank(package) > _READY:
        raise Refused(
            f"Parcel {package.code} is {package.state}; only a parcel that has not left can be "
            "split or merged.",
            code="parcel_closed",
        )


def _inside(order: Order, package: Package) -> list[Piece]:
    """The live pieces in a parcel."""
    return [
        piece
        for piece in order.pieces
        if piece.package_id == package.id and piece.position is not Position.CANCELLED
    ]


def _taken(old: Package, inside: Sequence[Piece], take: Mapping[str, int]) -> list[Piece]:
    """The pieces that go into the second parcel: the first of each line, bundles whole."""
    taken: list[Piece] = []
    for line_id, number in take.items():
        units: dict[str | int, list[Piece]] = {}
        for piece in inside:
            if piece.line_id == line_id:
                units.setdefault(piece.bundle or piece.item_id, []).append(piece)
        if not units or number > len(units):
            raise Refused(
                f"Parcel {old.code} holds {len(units)} of line {line_id}, not {number or 'any'}.",
                code="not_in_parcel",
            )
        chosen = list(units.values())[: number or None]
        taken += [piece for unit in chosen for piece in unit]
    if not taken:
        raise Refused("Say which lines go into the second parcel.", code="nothing_to_split")
    return taken


def _new(table: _Table, old: Package, pieces: Sequence[Piece], names: Names) -> Package:
    return table.sheet.new_package(
        table.order, pieces[0], shipment_id=names.shipment_id,
        tracking_number=names.tracking_number, courier="", created_at=table.at,
        dispatched_at=None, came_from_id=old.id,
    )  # fmt: skip


def _close(table: _Table, old: Package, state: str, heir: Package) -> None:
    """Make the parcel a tombstone: its invoice void, what was cancelled in it by itself."""
    close_repack(table.sheet, table.order, old, table.code, table.at, table.actor)
    if old.invoice:
        table.voided[old.id] = old.invoice
        table.sheet.void_invoice(old)
    old.state, old.successor_id, old.dirty = state, heir.id, True
    for piece in table.order.pieces:
        if piece.package_id == old.id and piece.position is Position.CANCELLED:
            piece.package_id = None
            piece.dirty = True


def _move(table: _Table, old: Package, new: Package, pieces: Sequence[Piece]) -> None:
    """Put the pieces into the new parcel; what was packed, or lay packed, is picked goods now."""
    note = f"parcel {old.code} to {new.code}"
    if old.id in table.voided:
        note = f"invoice {table.voided[old.id]} void; {note}"
    for piece in pieces:
        before = piece.position
        if before in _INVOICED or piece.off_shelf:
            piece.position = Position.PICKED
            piece.changed_at = table.at
        piece.package_id = new.id
        piece.dirty = True
        table.records.append(
            Record(
                order_pk=table.order.pk, item_id=piece.item_id, act=table.act,
                before=before.value, after=piece.position.value, code=table.code,
                actor=table.actor, at=table.at, steps="create_shipment", note=note,
            )
        )  # fmt: skip


def _written(book: Book, table: _Table, old: Sequence[Package], made: Sequence[Package]) -> Parted:
    for package in made:
        table.sheet.settle_parcel(table.order, package.id)
    table.sheet.write()
    write_records(book, table.records)
    return Parted(
        table.account, table.order.order_id, tuple(each.code for each in old),
        tuple(each.code for each in made), tuple(table.voided.values()),
    )  # fmt: skip
