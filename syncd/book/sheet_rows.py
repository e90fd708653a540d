"""The rows of orders, pieces and parcels that a worksheet holds in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from syncd.book.documents import SequenceRow, sequence_missing
from syncd.rules import RANK, Piece as RulesPiece, Position


class Piece(RulesPiece, kw_only=True, gc=False):
    """A row of ``item``, with what the verbs need beside what the rules look at."""

    order_pk: int
    facility_id: int
    short: bool
    written_off: str = ""  # of a lost piece whose claim has ended: the bucket it counts in
    dirty: bool = False


class Package(msgspec.Struct, kw_only=True, gc=False):
    """A row of ``package`` and the number of its sale invoice, if it has one."""

    id: int
    order_pk: int
    facility_id: int
    code: str
    state: str
    shipment_id: str
    tracking_number: str
    courier: str
    blocked: str
    created_at: int
    dispatched_at: int | None
    successor_id: int | None = None
    came_from_id: int | None = None
    learned: bool = False  # its names are those of the pieces that left in it, and no others'
    made_by: str = ""  # evidence of the fact that made it, in this batch
    invoice: str = ""  # number; empty: none issued, or voided
    fresh: bool = False
    dirty: bool = False


class Order(msgspec.Struct, kw_only=True):
    """A row of ``orders`` with its pieces and packages, the tombstones of a live one with it."""

    pk: int
    order_id: str
    state: str
    facts: str
    pieces: list[Piece]
    packages: list[Package]
    dirty: bool = False


class Facility(msgspec.Struct, kw_only=True, gc=False):
    """A row of ``facility``, and its sale invoice sequence if one is defined.

    ``tenant`` is told where several have a facility of this code.
    """

    id: int
    code: str
    tenant: str = ""
    active: bool
    traceability: str
    sequence: SequenceRow | None

    @property
    def plain(self) -> bool:
        """Whether every gate that asks about the facility is open."""
        return self.active and self.sequence is not None and self.traceability != "ITEM"

    @property
    def unnumbered(self) -> str:
        """The sentence that no invoice can be numbered, and what helps; empty if one can."""
        if self.sequence is not None:
            return ""
        return sequence_missing(self.code, tenant=self.tenant)


def parcel_state(positions: Sequence[Position]) -> str:
    """A parcel's state from its pieces: the least advanced that is not cancelled."""
    live = [position for position in positions if position is not Position.CANCELLED]
    if len(live) == 1:
        return live[0]._value_
    if not live:
        return Position.CANCELLED.value
    return min(live, key=lambda position: RANK[position] or _LOST_RANK).value


_LOST_RANK: Final = 79  # lost on the way: further than shipped, not delivered


def piece_of(row: Sequence[Any]) -> Piece:
    """A piece of what the worksheet reads of ``item`` and its order."""
    return Piece(
        order_pk=row[0], item_id=row[4], facility_id=row[5], line_id=row[6], sku=row[7],
        piece=row[8], bundle=row[9], position=_POSITIONS[row[10]], package_id=row[11],
        allocated=bool(row[12]), short=bool(row[13]), hold=row[14], changed_at=row[15],
        dispatched_at=row[16], delivered_at=row[17], return_type=row[18], return_id=row[19],
        return_noticed_at=row[20], return_from=row[21], withdrawn_at=row[22],
        uncancelled_at=row[23], held_at=row[24], settled_at=row[25], replaces=row[26],
        cancelled_at=row[27], lost_at=row[28], withdrawn_type=row[29],
        shipment_id="", tracking_number="",
    )  # fmt: skip


def package_of(row: Sequence[Any]) -> Package:
    """A parcel of what the worksheet reads of ``package`` and its invoice."""
    return Package(
        id=row[0], order_pk=row[1], facility_id=row[2], code=row[3], state=row[4],
        shipment_id=row[5], tracking_number=row[6], courier=row[7], blocked=row[8],
        created_at=row[9], dispatched_at=row[10], invoice=row[11] or "", successor_id=row[12],
        came_from_id=row[13], learned=bool(row[14]),
    )  # fmt: skip


def item_values(p: Piece) -> tuple[Any, ...]:
    """What is written of a piece, its row id last."""
    # sqlite3 binds exact str and int fast; a bool or an enum goes through its slow adapters.
    return (
        p.position._value_, p.package_id, 1 if p.allocated else 0, 1 if p.short else 0, p.hold,
        p.changed_at, p.dispatched_at, p.delivered_at, p.return_type, p.return_id,
        p.return_noticed_at,
        p.return_from, p.withdrawn_at, p.uncancelled_at, p.held_at, p.settled_at,
        p.cancelled_at, p.lost_at, p.withdrawn_type, p.item_id,
    )  # fmt: skip


def new_package_values(p: Package) -> tuple[Any, ...]:
    """What is written of a parcel that was made here."""
    return (
        p.id, p.order_pk, p.facility_id, p.code, p.state, p.shipment_id, p.tracking_number,
        p.courier, p.blocked, p.created_at, p.dispatched_at, p.came_from_id,
        1 if p.learned else 0,
    )  # fmt: skip


def old_package_values(p: Package) -> tuple[Any, ...]:
    """What is written of a parcel that the book had, its row id last."""
    return (
        p.state, p.shipment_id, p.tracking_number, p.courier, p.blocked, p.dispatched_at,
        p.successor_id, 1 if p.learned else 0, p.id,
    )  # fmt: skip


_POSITIONS: Final = {position.value: position for position in Position}
