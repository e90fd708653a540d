"""Cancellations: a row tells of some pieces, the book wants how many of a line are gone so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from syncd import ReturnType, Status, StatusChange
from syncd_flipkart.api import Item, Shipment
from syncd_flipkart.rows import Broken, facts_of, in_transit, reason_of, unknown_word
from syncd_flipkart.statuses import ITEM_STATUS


class Standing(Struct):
    """How many pieces of a line are cancelled and how many are not, as the panel shows it."""

    live: int = 0
    cancelled: int = 0
    shipments: set[str] = msgspec.field(default_factory=set)
    unread: bool = False  # a row that may be of this line cannot be read, so more may be live

    @property
    def whole(self) -> bool:
        """Whether nothing of the line is left."""
        return self.cancelled > 0 and not self.live and not self.unread


def standings(shipments: Iterable[Shipment], broken: Iterable[Broken]) -> dict[str, Standing]:
    """By line id. A piece cancelled in transit is still live: it comes back as a parcel."""
    found: dict[str, Standing] = {}
    for shipment in shipments:
        for item in shipment.order_items:
            line = found.setdefault(item.order_item_id, Standing())
            line.shipments.add(shipment.shipment_id)
            if is_cancelled(item):
                line.cancelled += int(item.quantity)
            else:
                line.live += int(item.quantity)
    unread = {row.line_id for row in broken}
    for line_id, line in found.items():
        line.unread = line_id in unread or "" in unread
    return found


def is_cancelled(item: Item) -> bool:
    """Cancelled before it left the seller. With ``courierReturn`` it is an RTO instead."""
    return ITEM_STATUS.get(item.status) is Status.CANCELLED and not item.courier_return


def cancelled_items(shipments: Iterable[Shipment]) -> dict[str, Item]:
    """By line id, the lines with cancelled pieces, each by one of its rows."""
    return {
        item.order_item_id: item
        for shipment in shipments
        for item in shipment.order_items
        if is_cancelled(item)
    }


class Parts:
    """Adds up the cancellations of one line, whichever way the panel cuts them into rows.

    One row for all that is cancelled so far, or one for each cancellation: the sum is the
    same, for two rows of the same shipment and moment are the same row.
    """

    def __init__(self, line_id: str) -> None:
        self._line_id = line_id
        self._parts: dict[tuple[str, datetime | None], int] = {}

    def add(self, shipments: Iterable[Shipment]) -> None:
        """Take in one page of cancellations."""
        for shipment in shipments:
            for item in shipment.order_items:
                if item.order_item_id == self._line_id and is_cancelled(item):
                    key = shipment.shipment_id, item.cancellation_date
                    self._parts[key] = max(self._parts.get(key, 0), int(item.quantity))

    @property
    def total(self) -> int:
        return sum(self._parts.values())


def cancellations(
    shipments: Iterable[Shipment], now: Mapping[str, Standing], totals: Mapping[str, int]
) -> Iterator[StatusChange]:
    """CANCELLED, RETURN_NOTICED (RTO) and UNKNOWN rows.

    ``now`` is how the lines stand when asked by id: it tells whether all of a line is
    cancelled. ``totals`` is how many pieces are cancelled so far of those that are not.
    """
    latest: dict[str, tuple[Shipment, Item]] = {}
    for shipment in shipments:
        coming: dict[str, int] = {}
        for item in shipment.order_items:
            line = item.order_item_id
            if item.status not in ITEM_STATUS:
                yield unknown_word(shipment, item)
            elif in_transit(item):
                coming[line] = coming.get(line, 0) + int(item.quantity)
                yield _cancelled_in_transit(shipment, item, coming[line])
            elif is_cancelled(item) and (
                line not in latest or _cancelled_at(shipment, item) > _cancelled_at(*latest[line])
            ):
                latest[line] = shipment, item
    for line, (shipment, item) in latest.items():
        standing = now.get(line) or Standing()
        total = max(totals.get(line, 0), standing.cancelled, int(item.quantity))
        yield _cancel(shipment, item, None if standing.whole else total, standing)


def _cancelled_at(shipment: Shipment, item: Item) -> datetime:
    """When a row was cancelled; at the latest, where the panel does not say."""
    return item.cancellation_date or shipment.updated_at


def shrunk(
    shipments: Iterable[Shipment], now: Mapping[str, Standing], gone: Mapping[str, int]
) -> Iterator[StatusChange]:
    """Lines that show fewer pieces than were ordered, and no cancelled row that tells it.

    A read by id shows a partly cancelled line with what is left of it and no cancelled row.
    ``gone`` is how many pieces are missing, by line id.
    """
    done: set[str] = set()
    for shipment in shipments:
        for item in shipment.order_items:
            line = item.order_item_id
            if now[line].cancelled or gone.get(line, 0) <= 0 or line in done:
                continue
            done.add(line)
            yield _cancel(shipment, item, gone[line], now[line])


def missing(ordered: Mapping[str, int], now: Mapping[str, Standing]) -> dict[str, int]:
    """By line id, how many of the ``ordered`` pieces are not live any more.

    Only of lines that were read whole: a row that cannot be read is no cancellation.
    """
    return {
        line: ordered[line] - standing.live
        for line, standing in now.items()
        if line in ordered and not standing.unread
    }


def _cancel(shipment: Shipment, item: Item, total: int | None, standing: Standing) -> StatusChange:
    """``total`` pieces of the line are cancelled so far, in all its shipments; None: all."""
    line, amount = item.order_item_id, "all" if total is None else total
    return StatusChange(
        order_id=item.order_id,
        status=Status.CANCELLED,
        native_status=item.status,
        occurred_at=_cancelled_at(shipment, item),
        line_id=line,
        sku=item.sku or "",
        quantity=total,
        cumulative=total is not None,
        shipment_id="" if len(standing.shipments) > 1 else shipment.shipment_id,
        location_id=shipment.location_id or "",
        reason=reason_of(item.cancellation_reason, item.cancellation_sub_reason),
        evidence_id=f"{line}/{Status.CANCELLED.value}/{amount}",
        facts=facts_of(shipment.shipment_type, item.service_profile),
    )


def _cancelled_in_transit(shipment: Shipment, item: Item, total: int) -> StatusChange:
    """``total`` pieces of the line in this shipment come back so far."""
    return StatusChange(
        order_id=item.order_id,
        status=Status.RETURN_NOTICED,
        return_type=ReturnType.RTO,
        native_status=item.status,
        occurred_at=_cancelled_at(shipment, item),
        line_id=item.order_item_id,
        sku=item.sku or "",
        quantity=total,
        cumulative=True,
        shipment_id=shipment.shipment_id,
        location_id=shipment.location_id or "",
        left_seller=True,
        reason=reason_of(item.cancellation_reason, item.cancellation_sub_reason),
        evidence_id=f"{shipment.shipment_id}/{item.order_item_id}/courierReturn/{total}",
        facts=facts_of(shipment.shipment_type, item.service_profile),
    )
