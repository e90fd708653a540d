"""Parcels that became others: which came from which, and by which names they are still called.

A parcel that was split or merged, or whose invoice was voided so that the rest of it is packed
again, is a tombstone: it is never changed again, and its ``successor_id`` leads on. A channel
that still calls a parcel by the name of one of these means what has become of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncd.book.contradictions import LATER_FACT
from syncd.rules import Position, Reason, has_left

if TYPE_CHECKING:
    from syncd.book.sheet_rows import Order, Package, Piece
    from syncd.book.worksheet import Worksheet

SPLITTED: Final = "SPLITTED"
MERGED: Final = "MERGED"
PARTED: Final = frozenset({SPLITTED, MERGED})
"""The states of parcels that a person divided or put together."""


def former(order: Order, package: Package) -> list[Package]:
    """The parcels that this one came from, those too that these came from, nearest first."""
    found: list[Package] = []
    todo = [package]
    for one in todo:
        for other in order.packages:
            before = one.came_from_id == other.id or other.successor_id == one.id
            if before and other not in found:
                found.append(other)
                todo.append(other)
    return found


def repacks(order: Order, package: Package) -> Package | None:
    """The invoiced parcel that was closed after a cancellation and whose rest is in this one."""
    if package.came_from_id is None:
        return None
    for other in order.packages:
        if other.id == package.came_from_id and other.state not in PARTED:
            return other
    return None


def old_names(order: Order, package: Package) -> tuple[str, ...]:
    """What the channel called the parcels that a person divided or put together to make this."""
    if package.came_from_id is None:
        return ()
    return tuple(
        name
        for old in former(order, package)
        for name in (old.shipment_id, old.tracking_number)
        if name
    )


def name_pieces(order: Order, package: Package) -> None:
    """Let the parcel's pieces carry its names, and those of the parcels it came from."""
    names = old_names(order, package)
    off_shelf = repacks(order, package) is not None
    for piece in order.pieces:
        if piece.package_id == package.id:
            take_names(piece, package)
            piece.former = names
            piece.off_shelf = off_shelf


def take_names(piece: Piece, package: Package) -> None:
    """Let a piece carry its parcel's names; but what is still here has none of those that its
    parcel only learned when another piece left: the channel may ship it in another parcel."""
    if package.learned and not has_left(piece.position):
        piece.shipment_id = piece.tracking_number = ""
        return
    piece.shipment_id = package.shipment_id
    piece.tracking_number = package.tracking_number


def close_repack(
    sheet: Worksheet, order: Order, package: Package, note: str, now: int, by: str = ""
) -> None:
    """The notice that a parcel must be packed again is settled: it was, or nothing is left."""
    old = repacks(order, package)
    if old is None:
        return
    for piece in order.pieces:
        if piece.package_id == old.id:
            codes = (Reason.REPACKED_AFTER_CANCEL,)
            sheet.close_troubles(piece, codes, by or LATER_FACT, note, now)


def is_live(order: Order, package: Package) -> bool:
    """Whether a piece is in the parcel that was not cancelled."""
    return any(
        piece.package_id == package.id and piece.position is not Position.CANCELLED
        for piece in order.pieces
    )
