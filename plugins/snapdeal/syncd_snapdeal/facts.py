"""From rows of the panel to facts. A row that cannot be read becomes an UNKNOWN one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final, TypeVar

from msgspec import Struct, json

from syncd import NewOrder, OrderLine, Status, StatusChange
from syncd.shapes import BadRow, odd_change
from syncd_snapdeal.api import Item, ReturnRow, Stamp, moment
from syncd_snapdeal.statuses import RETURN_TYPES, STATUSES

Row = TypeVar("Row", bound=Struct)
Fact = TypeVar("Fact", NewOrder, StatusChange)

STAMPS: Final = {
    Status.DISPATCHED: ("shippedDate", "shipped_date"),
    Status.DELIVERED: ("shippedDate", "shipped_date"),  # no call tells when it was delivered
    Status.CANCELLED: ("updated", "updated"),
}


def order_of(item: Item) -> NewOrder:
    """The suborder as an order of one piece. Raises ValueError without a readable date."""
    line = OrderLine(
        line_id=item.suborder_code, sku=item.sku_code, quantity=1, title=item.product_name or ""
    )
    return NewOrder(
        order_id=item.suborder_code,
        placed_at=moment("orderDate", item.order_date),
        lines=(line,),
        facts=_told(fulfillmentMode=item.fulfillment_model_code, orderCode=item.order_code),
    )


def change_of(item: Item, kind: Status) -> StatusChange | None:
    """What a suborder's code says, as a fact of ``kind``; None where it is another kind's.

    What was delivered was dispatched too. Raises ValueError for an unknown code or date.
    """
    if item.si_status_code not in STATUSES:
        raise ValueError(f"Snapdeal's status code {item.si_status_code!r} is not known")
    told = STATUSES[item.si_status_code]
    if told is not kind and (told, kind) != (Status.DELIVERED, Status.DISPATCHED):
        return None
    name, field = STAMPS[kind]
    return StatusChange(
        order_id=item.suborder_code,
        line_id=item.suborder_code,
        sku=item.sku_code,
        quantity=1,
        status=kind,
        native_status=item.si_status_code,
        occurred_at=moment(name, getattr(item, field)),
        shipment_id=item.package_reference_code or "",
        tracking_number=item.awb_no or "",
        reason=item.cancellation_reason or "",
        evidence_id=f"{item.suborder_code}/{kind}",
        facts=_told(fulfillmentMode=item.fulfillment_model_code),
    )


def return_of(row: ReturnRow, mode: str) -> StatusChange:
    """A return on its way, or back where its day of delivery is set. Raises ValueError."""
    begun: tuple[str, Stamp] = ("returnInitiatedOn", row.return_initiated_on)
    if row.customer_return_initiated_on is not None:
        begun = ("customerReturnInitiatedOn", row.customer_return_initiated_on)
    back = row.return_delivered_on is not None
    status = Status.RETURNED if back else Status.RETURN_NOTICED
    return StatusChange(
        order_id=row.suborder_code,
        line_id=row.suborder_code,
        sku=row.sku_code or "",
        quantity=1,
        status=status,
        return_type=RETURN_TYPES[mode],
        native_status=row.Status or "",
        occurred_at=moment("returnDeliveredOn", row.return_delivered_on)
        if back
        else moment(*begun),
        left_seller=row.shipped_on is not None,
        reason=row.return_reason or "",
        evidence_id=f"{row.suborder_code}/{mode}/{status}",
        facts=_told(
            fulfillmentMode=row.fulfillment_mode,
            returnTracking=row.awb_number,
            returnCode=row.rtv_code,
        ),
    )


def odd_suborder(problem: str, raw: str, read_at: datetime, *, order_id: str = "") -> StatusChange:
    """A change that cannot be used, of a suborder: order and line in one."""
    return odd_change(problem, raw, read_at, order_id=order_id, line_id=order_id)


def read(
    found: Iterable[Row | BadRow],
    make: Callable[[Row], Fact | None],
    odd: Callable[..., Fact],
    read_at: datetime,
) -> Iterator[Fact]:
    """The facts that ``make`` makes of the rows, and ``odd`` ones of those that are no good."""
    for row in found:
        if isinstance(row, BadRow):
            yield odd(f"Snapdeal sent a row that cannot be read: {row.problem}", row.raw, read_at)
            continue
        try:
            fact = make(row)
        except ValueError as error:
            code = getattr(row, "suborder_code", "")
            yield odd(f"{error}.", json.encode(row).decode(), read_at, order_id=code)
            continue
        if fact is not None:
            yield fact


def _told(**facts: str | None) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}
