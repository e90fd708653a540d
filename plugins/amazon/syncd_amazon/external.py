"""From the External Fulfillment Returns API to returns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from msgspec import Raw

from syncd import ReturnType, Status, StatusChange, Window
from syncd.shapes import BadRow, rows
from syncd_amazon.api import stamp
from syncd_amazon.settings import AmazonSettings
from syncd_amazon.statuses import RETURN_STATUS
from syncd_amazon.wire import ExternalReturn

TYPES: Final = {"CUSTOMER": ReturnType.CIR, "REJECT": ReturnType.RTO}


def questions(settings: AmazonSettings, window: Window) -> Iterator[dict[str, str]]:
    """What to ask for: all that was created some days back, for totals need whole orders; and
    where the locations are known, what changed in the window however old it is.
    """
    places = settings.return_locations
    start = min(window.start, window.end - timedelta(days=settings.returns_days))
    end = stamp(window.end + timedelta(seconds=1))
    created = {"createdSince": stamp(start), "createdUntil": end}
    changed = {"lastUpdatedSince": stamp(window.start), "lastUpdatedUntil": end}
    if not places:
        yield created
    for place in places:
        yield {"returnLocationId": place, **created}
        for status in RETURN_STATUS:
            yield {"returnLocationId": place, "status": status, **changed}


def external_changes(raw: Raw, read_at: datetime) -> Iterator[StatusChange]:
    """The facts of a page of the External Fulfillment Returns API."""
    for row in rows(raw, ExternalReturn):
        if isinstance(row, BadRow):
            yield StatusChange(
                order_id="",
                status=Status.UNKNOWN,
                native_status="",
                occurred_at=read_at,
                evidence_id=f"external/unreadable/{crc32(row.raw.encode())}",
                raw=row.raw,
                problem=f"Amazon sent a return that cannot be read: {row.problem}.",
            )
        else:
            yield _external_change(row)


def _external_change(row: ExternalReturn) -> StatusChange:
    channel, shipping = row.marketplace_channel_details, row.return_shipping_info
    status, kind = RETURN_STATUS.get(row.status), TYPES.get(row.return_type)
    order_id = channel.customer_order_id if channel else ""
    problem = ""
    if status is None:
        problem = f"Amazon's return status {row.status!r} is not known to this plugin."
    elif kind is None:
        problem = f"Amazon's return type {row.return_type!r} is not known to this plugin."
    elif not order_id:
        problem = "Amazon sent a return that names no order of the marketplace."
    at = row.last_updated_date_time
    if status is Status.RETURNED and shipping and shipping.delivery_date_time:
        at = shipping.delivery_date_time
    tracking = shipping.reverse_tracking_info if shipping else None
    about = row.return_metadata
    facts = {
        "returnTracking": tracking.tracking_id if tracking else "",
        "rma": about.rma_id if about else "",
    }
    return StatusChange(
        order_id=order_id,
        sku=(channel.channel_sku if channel else "") or row.merchant_sku,
        status=Status.UNKNOWN if problem or status is None else status,
        native_status=row.status,
        occurred_at=at,
        quantity=row.number_of_units,
        return_type=kind,
        return_id=row.id,
        left_seller=True,
        reason=about.return_reason if about else "",
        evidence_id=f"{row.id}/{status or row.status}",
        facts={name: value for name, value in facts.items() if value},
        raw=f"return {row.id}: {row.return_type} {row.status}" if problem else "",
        problem=problem,
    )
