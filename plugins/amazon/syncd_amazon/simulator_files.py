"""The files of the pretend Amazon's reports: rows of made-up words in the documented columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Final
from xml.sax.saxutils import escape

from syncd import ReturnType
from syncd.testing import Return, ReturnState, World
from syncd_amazon.settings import FBA_RETURNS, XML_RETURNS
from syncd_amazon.simulator_states import iso

IST: Final = timezone(timedelta(hours=5, minutes=30))
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


class Files:
    """Writes reports of returns."""

    def __init__(self, world: World) -> None:
        self.world = world

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


def _day(moment: datetime) -> str:
    return moment.astimezone(IST).strftime("%d-%b-%Y")
