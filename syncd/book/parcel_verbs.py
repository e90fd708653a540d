"""The verbs of parcels: packed, invoiced, left, and called as the channel calls them."""

from __future__ import annotations

from msgspec.structs import replace

from syncd.book.desk import Desk, move_to, parcel_of
from syncd.book.facts import Fact
from syncd.book.sheet_rows import Order, Package, Piece
from syncd.book.stock import Bucket
from syncd.book.succession import PARTED, close_repack, is_live, name_pieces, old_names
from syncd.book.worksheet import Worksheet
from syncd.rules import Position, Step
from syncd.rules.policies import CHANNEL_INVOICES
from syncd.statuses import ReturnType


def create_shipment(desk: Desk, piece: Piece, step: Step) -> None:
    """Put the piece into the parcel that the channel names, or into a new one."""
    if piece.package_id is not None:
        return
    fact = desk.fact
    if fact.return_type == ReturnType.CIR:  # its numbers name the parcel that the buyer sends
        fact = replace(fact, shipment_id="", tracking_number="", courier="")
    package = _parcel_for(desk.order, piece, fact) or desk.sheet.new_package(
        desk.order, piece, shipment_id=fact.shipment_id, tracking_number=fact.tracking_number,
        courier=fact.courier, created_at=desk.now, dispatched_at=None, made_by=fact.evidence,
    )  # fmt: skip
    piece.package_id = package.id
    piece.shipment_id = package.shipment_id
    piece.tracking_number = package.tracking_number
    if package.came_from_id is not None:
        name_pieces(desk.order, package)


def _parcel_for(order: Order, piece: Piece, fact: Fact) -> Package | None:
    """The order's parcel at the piece's facility that the fact names, or has just made.

    A name that a parcel had before a person parted it leads to what it became.
    """
    named = [name for name in (fact.shipment_id, fact.tracking_number) if name]
    formerly: Package | None = None
    for package in order.packages:
        if package.state == Position.CANCELLED or package.state in PARTED:
            continue
        if package.facility_id != piece.facility_id:
            continue  # a parcel leaves from one place
        if not named:
            if package.made_by == fact.evidence:
                return package
        elif _is_called(package, fact):
            return package
        elif formerly is None and not set(named).isdisjoint(old_names(order, package)):
            formerly = package
    return formerly


def _is_called(package: Package, fact: Fact) -> bool:
    if fact.shipment_id and package.shipment_id == fact.shipment_id:
        return True
    return bool(fact.tracking_number and package.tracking_number == fact.tracking_number)


def create_invoice(desk: Desk, piece: Piece, step: Step) -> None:
    """Number the parcel's invoice, unless it has one or the channel does it; see the gates."""
    package = parcel_of(desk, piece)
    if package is None or package.invoice:
        return
    if not desk.sheet.numbers_invoices:
        desk.notes.append(CHANNEL_INVOICES)
        return
    sequence = desk.sheet.shared.facility(package.facility_id).sequence
    if sequence is None:
        raise AssertionError("the gate for a missing sequence must stand before this step")
    number = desk.sheet.issue_invoice(package, sequence, desk.now)
    desk.notes.append(f"invoice {number}")
    for other in desk.order.pieces:
        if other.package_id == package.id:
            other.unsold = False
    close_repack(desk.sheet, desk.order, package, f"invoice {number} was issued", desk.now)


def dispatch(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece left with its parcel at the time of the fact."""
    fact = desk.fact
    if leaves_apart(desk.sheet, piece, fact):
        _split_off(desk, piece, step)
    move_to(desk, piece, Bucket.IN_TRANSIT_OUT)
    piece.position = Position.DISPATCHED
    piece.dispatched_at = fact.occurred_at
    piece.allocated = False
    piece.hold = ""
    package = parcel_of(desk, piece)
    if package is not None:
        package.dirty = True
        package.dispatched_at = package.dispatched_at or fact.occurred_at
        package.learned |= not (package.shipment_id or package.tracking_number)
        if fact.return_type == ReturnType.RTO and fact.shipment_id not in piece.former:
            # What comes back undelivered has the name under which it must have left.
            package.shipment_id = package.shipment_id or fact.shipment_id
        _fill(package, piece, fact)
        name_pieces(desk.order, package)


def leaves_apart(sheet: Worksheet, piece: Piece, fact: Fact) -> bool:
    """Whether the channel ships the piece in another parcel than the one it was put in."""
    if piece.package_id is None or not (fact.shipment_id or fact.tracking_number):
        return False
    package = sheet.packages[piece.package_id]
    if fact.return_type and not package.learned:
        return False
    if fact.shipment_id in piece.former or fact.tracking_number in piece.former:
        return False
    if fact.shipment_id and package.shipment_id:
        return package.shipment_id != fact.shipment_id
    # A parcel may get another tracking number, but not one that has left without this piece.
    told, has = fact.tracking_number, package.tracking_number
    return package.learned and bool(told and has) and told != has


def _split_off(desk: Desk, piece: Piece, step: Step) -> None:
    """The piece gets the parcel that the channel names, with its own invoice.

    The parcel that the book had packed is over when nothing of it is left.
    """
    old = parcel_of(desk, piece)
    piece.package_id = None
    create_shipment(desk, piece, step)
    create_invoice(desk, piece, step)
    desk.notes.append("in a parcel of its own")
    if old is not None and not is_live(desk.order, old):
        old.successor_id = piece.package_id
        _void(desk, old)


def _fill(package: Package, piece: Piece, fact: Fact) -> None:
    """Learn the channel's names for the parcel where the book has none.

    The name of a parcel that was parted is left with it: it is not that of one of its parts.
    """
    if fact.return_type:
        return  # a return's numbers name another parcel
    if fact.shipment_id not in piece.former:
        package.shipment_id = package.shipment_id or fact.shipment_id
    if fact.tracking_number not in piece.former:
        package.tracking_number = package.tracking_number or fact.tracking_number
    package.courier = package.courier or fact.courier


def fill_tracking(desk: Desk, piece: Piece, step: Step) -> None:
    """A late tracking number still helps."""
    package = parcel_of(desk, piece)
    if package is not None:
        before = (package.shipment_id, package.tracking_number, package.courier)
        _fill(package, piece, desk.fact)
        package.dirty |= before != (package.shipment_id, package.tracking_number, package.courier)
        name_pieces(desk.order, package)


def backfill_dispatched_at(desk: Desk, piece: Piece, step: Step) -> None:
    """The real date of a dispatch that was implied with a later one, and its parcel's names."""
    fill_tracking(desk, piece, step)
    at, package = desk.fact.occurred_at, parcel_of(desk, piece)
    if piece.dispatched_at is None or at < piece.dispatched_at:
        piece.dispatched_at = at
    if package is not None and package.dispatched_at is not None and at < package.dispatched_at:
        package.dispatched_at, package.dirty = at, True


def void_invoice(desk: Desk, piece: Piece, step: Step) -> None:
    """Void the parcel's invoice when nothing live is left in it; the number stays used."""
    package = parcel_of(desk, piece)
    if package is not None and not is_live(desk.order, package):
        _void(desk, package)


def _void(desk: Desk, package: Package) -> None:
    if package.invoice:
        desk.notes.append(f"invoice {package.invoice} void")
        desk.sheet.void_invoice(package)


def block_dispatch(desk: Desk, piece: Piece, step: Step) -> None:
    """The parcel must not leave until a person has pulled the piece out of it."""
    piece.hold = desk.reason
    package = parcel_of(desk, piece)
    if package is not None:
        package.blocked = desk.reason
        package.dirty = True
