"""Reports and External Fulfillment returns of the pretend Amazon."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from xml.sax.saxutils import escape

from msgspec import Struct

from syncd import ReturnType
from syncd.testing import Return, ReturnState, World
from syncd_amazon.settings import FBA_RETURNS, FLAT_RETURNS, INDIA, XML_RETURNS
from syncd_amazon.simulator_rows import Rows, iso

IST: Final = timezone(timedelta(hours=5, minutes=30))
KNOWN: Final = frozenset({FLAT_RETURNS, XML_RETURNS, FBA_RETURNS})
LONGEST: Final = timedelta(days=60)
URL_LIFE: Final = timedelta(minutes=5)
HEAD: Final = (
    "Order ID", "Order date", "Return request date", "Return request status", "Amazon RMA ID",
    "Merchant RMA ID", "Label type", "Label cost", "Currency code", "Return carrier",
    "Tracking ID", "Label to be paid by", "A-to-Z Claim", "Is prime", "ASIN", "Merchant SKU",
    "Item Name", "Return quantity", "Return Reason", "In policy", "Return type", "Resolution",
    "Invoice number", "Return delivery date", "Order Amount", "Order quantity",
    "SafeT Action reason", "SafeT claim id", "SafeT claim state", "SafeT claim creation time",
    "SafeT claim reimbursement amount", "Refunded Amount",
)  # fmt: skip
FBA_HEAD: Final = (
    "return-date", "order-id", "sku", "asin", "fnsku", "product-name", "quantity",
    "fulfillment-center-id", "detailed-disposition", "reason", "status", "license-plate-number",
    "customer-comments",
)  # fmt: skip
STATUS_WORDS: Final = {ReturnState.CANCELLED: "Cancelled", ReturnState.REJECTED: "Denied"}
"""Words of ours: which ones the real report has is not public. See ``settings``."""
EXTERNAL: Final = {
    ReturnState.CREATED: "CREATED",
    ReturnState.SERVICE_REQUESTED: "CARRIER_NOTIFIED_TO_PICK_UP_FROM_CUSTOMER",
    ReturnState.CANCELLING: "CUSTOMER_CANCELLED_PICK_UP",
    ReturnState.COMPLETED: "DELIVERED",
    ReturnState.CANCELLED: "CANCELLED",
    ReturnState.REJECTED: "REJECTED",
}


class Made(Struct):
    """A report that was asked for."""

    report_id: str
    kind: str
    seller_id: str
    start: datetime
    end: datetime
    created_at: datetime
    cancelled: bool = False


class Reports:
    """All reports so far. They are in the queue, then in progress, and made after ``seconds``."""

    def __init__(
        self, world: World, rows: Rows, *, seconds: float = 0.0, rto: bool = False
    ) -> None:
        self.world = world
        self.rows = rows
        self.seconds = seconds
        self.rto = rto
        self.fatal = False
        self.packed = True
        self.made: dict[str, Made] = {}

    def create(self, kind: str, seller_id: str, start: datetime, end: datetime) -> str:
        """Put a report into the queue."""
        number = f"{50_000 + len(self.made)}"
        self.made[number] = Made(number, kind, seller_id, start, end, self.world.clock.now())
        return number

    def word(self, made: Made) -> str:
        """How far it is."""
        age = (self.world.clock.now() - made.created_at).total_seconds()
        if made.cancelled:
            return "CANCELLED"
        if age < self.seconds:
            return "IN_QUEUE" if age < self.seconds / 2 else "IN_PROGRESS"
        if self.fatal:
            return "FATAL"
        return "DONE" if self.returns(made) else "CANCELLED"

    def row(self, made: Made) -> dict[str, Any]:
        """A report as getReport shows it."""
        word = self.word(made)
        row: dict[str, Any] = {
            "reportId": made.report_id,
            "reportType": made.kind,
            "dataStartTime": iso(made.start),
            "dataEndTime": iso(made.end),
            "createdTime": iso(made.created_at),
            "processingStatus": word,
            "marketplaceIds": [INDIA],
        }
        if word not in ("IN_QUEUE", "IN_PROGRESS"):
            row["processingStartTime"] = iso(made.created_at)
            row["processingEndTime"] = iso(made.created_at + timedelta(seconds=self.seconds))
        if word == "DONE":
            row["reportDocumentId"] = f"amzn1.spdoc.1.3.{made.report_id}"
        return row

    def document(self, made: Made) -> bytes:
        """The content, packed if documents are."""
        data = self.text(made.kind, self.returns(made)).encode()
        return gzip.compress(data) if self.packed else data

    def returns(self, made: Made) -> list[Return]:
        """The returns that the report is about."""
        kinds = {ReturnType.CIR, ReturnType.RTO} if self.rto else {ReturnType.CIR}
        fba = made.kind == FBA_RETURNS
        return [
            one
            for one in self.world.returns.values()
            if one.seller_id == made.seller_id
            and made.start <= one.created_at <= made.end
            and one.kind in kinds
            and one.state is not ReturnState.ANNOUNCED
            and self._shown(one, fba=fba)
        ]

    def _shown(self, one: Return, *, fba: bool) -> bool:
        order = self.world.orders[one.order_id]
        if fba:
            return self.rows.amazon_fulfils(order) and one.state is ReturnState.COMPLETED
        return self.rows.easy_ship(order)

    def text(self, kind: str, returns: Iterable[Return]) -> str:
        """A report's content."""
        if kind == XML_RETURNS:
            parts = "".join(map(self._xml, returns))
            return f'<?xml version="1.0" encoding="UTF-8"?>\n<Message>{parts}</Message>\n'
        make, head = (self._fba, FBA_HEAD) if kind == FBA_RETURNS else (self._flat, HEAD)
        lines = [make(one) for one in returns]
        body = ["\t".join(line.get(name, "") for name in head) for line in lines]
        return "\n".join(["\t".join(head), *body]) + "\n"

    def _flat(self, one: Return) -> dict[str, str]:
        order = self.world.orders[one.order_id]
        line = order.line(one.line_id)
        return {
            "Order ID": one.order_id,
            "Order date": _day(order.placed_at),
            "Return request date": _day(one.created_at),
            "Return request status": STATUS_WORDS.get(one.state, "Approved"),
            "Amazon RMA ID": one.return_id,
            "Label type": "AmazonPrePaidLabel",
            "Label cost": "0.00",
            "Currency code": "INR",
            "Return carrier": "ATS",
            "Tracking ID": one.tracking_number,
            "Label to be paid by": "Seller",
            "A-to-Z Claim": "N",
            "Is prime": "N",
            "ASIN": "B0SIMULATE",
            "Merchant SKU": line.sku,
            "Item Name": line.title,
            "Return quantity": str(len(one.pieces)),
            "Return Reason": one.reason,
            "In policy": "Y",
            "Return type": "C-Returns" if one.kind is ReturnType.CIR else "Rejected",
            "Resolution": "StandardRefund",
            "Return delivery date": (
                _day(one.modified_at) if one.state is ReturnState.COMPLETED else ""
            ),
            "Order quantity": str(len(line.pieces)),
        }

    def _fba(self, one: Return) -> dict[str, str]:
        line = self.world.orders[one.order_id].line(one.line_id)
        return {
            "return-date": one.modified_at.isoformat(timespec="seconds"),
            "order-id": one.order_id,
            "sku": line.sku,
            "asin": "B0SIMULATE",
            "product-name": line.title,
            "quantity": str(len(one.pieces)),
            "fulfillment-center-id": "BOM7",
            "detailed-disposition": "SELLABLE",
            "reason": "UNWANTED_ITEM",
            "status": "Unit returned to inventory",
            "license-plate-number": f"LPN{one.return_id}",
            "customer-comments": "made-up words of a buyer",
        }

    def _xml(self, one: Return) -> str:
        row = self._flat(one)

        def tag(name: str, text: str) -> str:
            return f"<{name}>{escape(text)}</{name}>"

        item = "".join(
            [
                tag("item_name", row["Item Name"]),
                tag("asin", row["ASIN"]),
                tag("return_reason_code", row["Return Reason"]),
                tag("merchant_sku", row["Merchant SKU"]),
                tag("in_policy", "true"),
                tag("return_quantity", row["Return quantity"]),
                tag("resolution", row["Resolution"]),
            ]
        )
        return tag("return_details", "{}").format(
            f"<item_details>{item}</item_details>"
            + tag("order_id", row["Order ID"])
            + tag("order_date", iso(self.world.orders[one.order_id].placed_at))
            + tag("amazon_rma_id", one.return_id)
            + tag("return_request_date", iso(one.created_at))
            + tag("return_request_status", row["Return request status"])
            + f"<label_details>{tag('tracking_id', one.tracking_number)}</label_details>"
            + tag("return_type", row["Return type"])
        )

    def external(self, one: Return) -> dict[str, Any]:
        """A return as the External Fulfillment Returns API shows it."""
        line = self.world.orders[one.order_id].line(one.line_id)
        shipping: dict[str, Any] = {
            "forwardTrackingInfo": {"carrierName": "ATS", "trackingId": "forward"},
            "reverseTrackingInfo": {"carrierName": "ATS", "trackingId": one.tracking_number},
        }
        if one.state is ReturnState.COMPLETED:
            shipping["deliveryDateTime"] = iso(one.modified_at)
        return {
            "id": one.return_id,
            "returnLocationId": one.location_id,
            "merchantSku": line.sku,
            "returnType": "CUSTOMER" if one.kind is ReturnType.CIR else "REJECT",
            "returnSubType": "NORMAL",
            "numberOfUnits": len(one.pieces),
            "status": one.traits.get("external_status") or EXTERNAL.get(one.state, "CREATED"),
            "fulfillmentLocationId": one.location_id,
            "creationDateTime": iso(one.created_at),
            "lastUpdatedDateTime": iso(one.modified_at),
            "returnMetadata": {"returnReason": one.reason, "rmaId": one.return_id},
            "returnShippingInfo": shipping,
            "marketplaceChannelDetails": {
                "customerOrderId": one.order_id,
                "channelSku": line.sku,
                "shipmentId": one.shipment_id,
            },
        }


def _day(moment: datetime) -> str:
    return moment.astimezone(IST).strftime("%d-%b-%Y")
