"""What becomes of an invoiced parcel when a part of it is cancelled: packed again, or short.

The invoice lists a piece that will not be in it. By default it is voided (its number stays
used), the parcel is closed, and the pieces that are still wanted stand in a new one at CREATED,
to be packed and invoiced anew. This is the one place where a fact moves a piece backwards. A
seller who would rather ship the rest as it is says so in ``partial_cancel``; a parcel that has
left cannot be opened again either, and one in a closed manifest only by a person who pulls the
piece out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from syncd.book.facts import Fact
from syncd.book.sheet_rows import Order, Package, Piece
from syncd.book.succession import name_pieces
from syncd.book.worksheet import Worksheet
from syncd.rules import RANK, Outcome, PartialCancel, Position, Reason, has_left

_LAST: Final = RANK[Position.READY_TO_SHIP] or 0
_FAR: Final = 1_000  # lost on the way
STEPS: Final = "void_invoice,create_shipment"


class Met(Struct, frozen=True):
    """What a live piece of such a parcel meets, for its decision record."""

    piece: Piece
    before: Position
    outcome: Outcome
    reason: Reason
    steps: str
    note: str


def after_cancel(
    sheet: Worksheet, order: Order, fact: Fact, cancelled: Piece, policy: PartialCancel, *,
    opened: bool = False,
) -> Sequence[Met]:  # fmt: skip
    """Mend the invoiced parcel in which the fact cancelled this piece. Once a parcel and fact.

    ``opened``: a person has taken the piece out, so that a closed manifest does not keep the
    parcel closed. Nothing is to be done when its invoice is void already, for no piece is left
    in it.
    """
    if cancelled.package_id is None:
        return ()
    package = sheet.packages[cancelled.package_id]
    live = [
        piece
        for piece in order.pieces
        if piece.package_id == package.id and piece.position is not Position.CANCELLED
    ]
    if not package.invoice:
        return ()
    closed = any(has_left(p.position) if opened else _is_closed(p) for p in live)
    if not closed and policy is PartialCancel.REPACK:
        return _repack(sheet, order, fact, cancelled, package, live)
    if not closed:
        more = (
            f"Invoice {package.invoice} of parcel {package.code} lists it; the rest of the parcel "
            "goes out under it."
        )
        sheet.open_trouble(
            cancelled, order, fact, Reason.SHIPS_SHORT, "info", sheet.now, more
        )  # fmt: skip
    note = f"invoice {package.invoice} lists a cancelled piece"
    return [
        Met(piece, piece.position, Outcome.NOTE, Reason.SHIPS_SHORT, "", note) for piece in live
    ]


def after_pull(sheet: Worksheet, order: Order, fact: Fact, package: Package) -> Sequence[Met]:
    """Mend the invoiced parcel on a manifest out of which a person has pulled pieces.

    Not before the block is off: what waits in it for a person is found by its place there.
    """
    pulled = [
        piece
        for piece in order.pieces
        if piece.package_id == package.id
        and piece.position is Position.CANCELLED
        and piece.settled_at is not None
    ]
    if package.blocked or not pulled:
        return ()
    policy = sheet.policies.partial_cancel
    return after_cancel(sheet, order, fact, pulled[-1], policy, opened=True)


def _is_closed(piece: Piece) -> bool:
    """Whether the piece's parcel is out of the packer's hands."""
    return (RANK[piece.position] or _FAR) > _LAST


def _repack(
    sheet: Worksheet, order: Order, fact: Fact, cancelled: Piece, old: Package,
    live: Sequence[Piece],
) -> Sequence[Met]:  # fmt: skip
    """Close the parcel and put what is left of it into a new one, to be packed again."""
    number = old.invoice
    new = sheet.new_package(
        order, live[0], shipment_id=old.shipment_id, tracking_number=old.tracking_number,
        courier=old.courier, created_at=sheet.now, dispatched_at=None, came_from_id=old.id,
    )  # fmt: skip
    sheet.void_invoice(old)
    old.shipment_id = old.tracking_number = old.courier = ""
    old.successor_id = new.id
    met = [_move(piece, new, fact, number) for piece in live]
    for package in (old, new):
        sheet.settle_parcel(order, package.id)
        name_pieces(order, package)
    more = (
        f"Take the piece out of parcel {old.code}, and its label and invoice {number} off; what "
        f"is left of it is parcel {new.code}, to be packed and invoiced again."
    )
    code = Reason.REPACKED_AFTER_CANCEL
    sheet.open_trouble(cancelled, order, fact, code, "warning", sheet.now, more)
    return met


def _move(piece: Piece, new: Package, fact: Fact, number: str) -> Met:
    before = piece.position
    piece.package_id = new.id
    piece.position = Position.CREATED
    piece.changed_at = fact.occurred_at
    piece.dirty = True
    note = f"invoice {number} void; now in parcel {new.code}"
    return Met(piece, before, Outcome.APPLY, Reason.REPACKED_AFTER_CANCEL, STEPS, note)
