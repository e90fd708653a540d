"""From reports and from the External Fulfillment Returns API to returns.

A report names no order line, only the order and the SKU. Its rows are requests: only one with a
delivery date says that the goods are back.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time, timedelta, timezone
from typing import Final
from xml.etree import ElementTree
from zlib import crc32

from msgspec import Raw, Struct
from msgspec.structs import replace

from syncd import ReturnType, Status, StatusChange
from syncd.errors import PanelAnswer
from syncd.shapes import BadRow, rows
from syncd_amazon.orders import MAX_RAW
from syncd_amazon.reports import Content
from syncd_amazon.settings import FBA_RETURNS, ISO, XML_RETURNS, AmazonSettings
from syncd_amazon.statuses import RETURN_STATUS
from syncd_amazon.wire import ExternalReturn

IST: Final = timezone(timedelta(hours=5, minutes=30))
A_DAY: Final = timedelta(days=1)
_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TIMES: Final = ("%H", "%I", "%X", "%c", "%T")
_FLAT_COLUMNS: Final = frozenset({"order id", "return request status", "return quantity"})
_FBA_COLUMNS: Final = frozenset({"order id", "return date", "quantity", "sku"})
_READ: Final = (_FLAT_COLUMNS | _FBA_COLUMNS) | {
    "return request date", "amazon rma id", "return type", "return delivery date", "merchant sku",
    "return reason", "tracking id", "license plate number", "fulfillment center id", "status",
    "reason", "detailed disposition",
}  # fmt: skip
TYPES: Final = {"CUSTOMER": ReturnType.CIR, "REJECT": ReturnType.RTO}


Calendar = Callable[[str], datetime]


class Row(Struct):
    """One row of any of the reports, by its column's plain name."""

    fields: dict[str, str]

    def get(self, name: str) -> str:
        """The field, empty where the row has none."""
        return self.fields.get(name, "").strip()

    @property
    def raw(self) -> str:
        """The row for a person: the columns that are read, for others may be a buyer's."""
        told = (
            f"{name}: {value}" for name, value in self.fields.items() if value and name in _READ
        )
        return "; ".join(told)[:MAX_RAW]


def report_changes(settings: AmazonSettings, kind: str, content: Content) -> Iterator[StatusChange]:
    """The facts of a report. Raises PanelAnswer when it is another report than was asked for."""
    found = _xml_rows(content.data) if kind == XML_RETURNS else _flat_rows(kind, content.data)
    read = _fba_change if kind == FBA_RETURNS else _merchant_change
    when = _calendar(settings.dates_of(kind), content.made_at)
    totals: dict[tuple[str, str, Status], int] = {}
    equal: Counter[str] = Counter()
    for row in found:
        try:
            change = read(settings, row, content.made_at, when)
        except ValueError as error:
            change = _for_a_person(row, content.made_at, f"it cannot be read: {error}")
        if change.return_type is ReturnType.RTO and change.status is not Status.RETURN_WITHDRAWN:
            # Easy Ship's own state may tell the same pieces by their line: both are totals.
            key = (change.order_id, change.sku, change.status)
            totals[key] = totals.get(key, 0) + (change.quantity or 1)
            change = replace(change, quantity=totals[key], cumulative=True)
        if not change.return_id:  # rows that nothing names: as many facts as there are of them
            equal[change.evidence_id] += 1
            if equal[change.evidence_id] > 1:
                name = f"{change.evidence_id}#{equal[change.evidence_id]}"
                change = replace(change, evidence_id=name)
        yield change


def _merchant_change(
    settings: AmazonSettings, row: Row, made_at: datetime, when: Calendar
) -> StatusChange:
    order_id, sku = row.get("order id"), row.get("merchant sku")
    if not order_id:
        raise ValueError("it names no order")
    word, type_word = row.get("return request status"), row.get("return type")
    back_on = row.get("return delivery date")
    requested = when(row.get("return request date"))
    status = settings.return_statuses.get(word)
    kind = settings.return_types.get(type_word)
    if status is None:
        return _for_a_person(row, made_at, _unset("Return request status", word, "statuses"))
    if kind is None:
        return _for_a_person(row, made_at, _unset("Return type", type_word, "types"))
    at = requested
    if status is Status.RETURN_NOTICED and back_on:
        status, at = Status.RETURNED, max(requested, when(back_on))
    elif status is not Status.RETURN_NOTICED:
        at = made_at  # a report dates the request, not what became of it
    rma = row.get("amazon rma id")
    name = rma or f"{order_id}/{row.get('return request date')}"
    return StatusChange(
        order_id=order_id,
        sku=sku,
        status=status,
        native_status=word,
        occurred_at=at,
        quantity=_count(row.get("return quantity")),
        return_type=kind,
        return_id=rma,
        left_seller=True,
        reason=row.get("return reason"),
        evidence_id=f"{name}/{sku}/{status}",
        facts={"returnTracking": row.get("tracking id")} if row.get("tracking id") else {},
    )


def _fba_change(
    settings: AmazonSettings, row: Row, made_at: datetime, when: Calendar
) -> StatusChange:
    order_id, sku = row.get("order id"), row.get("sku")
    if not order_id:
        raise ValueError("it names no order")
    plate, center = row.get("license plate number"), row.get("fulfillment center id")
    name = plate or f"{order_id}/{row.get('return date')}"
    return StatusChange(
        order_id=order_id,
        sku=sku,
        status=Status.RETURNED,
        native_status=row.get("status"),
        occurred_at=when(row.get("return date")),
        quantity=_count(row.get("quantity")),
        return_type=ReturnType.CIR,
        return_id=plate,
        left_seller=True,
        reason=row.get("reason"),
        evidence_id=f"{name}/{sku}/RETURNED",
        facts={
            "fulfilledBy": "AFN",
            "fulfillmentCenter": center,
            "disposition": row.get("detailed disposition"),
        },
    )


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
        facts={"returnTracking": tracking.tracking_id} if tracking else {},
        raw=f"return {row.id}: {row.return_type} {row.status}" if problem else "",
        problem=problem,
    )


# --- reading the files ----------------------------------------------------------------------


def _flat_rows(kind: str, data: bytes) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(_text(data)), delimiter="\t", quoting=csv.QUOTE_NONE)
    head = [_plain(name) for name in next(lines, [])]
    wanted = _FBA_COLUMNS if kind == FBA_RETURNS else _FLAT_COLUMNS
    if not wanted <= set(head):
        raise _other_report(kind, f"it lacks the columns {', '.join(sorted(wanted - set(head)))}")
    for line in lines:
        if any(line):
            yield Row(dict(zip(head, line, strict=False)))


_XML_NAMES: Final = {
    "order_id": "order id",
    "return_request_date": "return request date",
    "return_request_status": "return request status",
    "amazon_rma_id": "amazon rma id",
    "return_type": "return type",
    "return_delivery_date": "return delivery date",
    "merchant_sku": "merchant sku",
    "return_quantity": "return quantity",
    "return_reason_code": "return reason",
    "tracking_id": "tracking id",
}


def _xml_rows(data: bytes) -> Iterator[Row]:
    try:
        text = data.decode("utf-8-sig")  # the one encoding: what is checked is what is read
    except UnicodeDecodeError:
        raise _other_report(XML_RETURNS, "it is not in UTF-8") from None
    if "\0" in text:
        raise _other_report(XML_RETURNS, "it is not in UTF-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _other_report(XML_RETURNS, "it declares entities, which are not read")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise _other_report(XML_RETURNS, f"it is no XML ({error})") from None
    details = list(root.iter("return_details"))
    if not details and (len(root) or (root.text or "").strip()):
        raise _other_report(XML_RETURNS, "it has something else than return_details")
    for one in details:
        common = _leaves(one, skip="item_details")
        for item in one.iter("item_details"):
            yield Row(common | _leaves(item))


def _leaves(element: ElementTree.Element, skip: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for child in element:
        if child.tag == skip:
            continue
        if len(child):
            found |= _leaves(child)
        elif child.tag in _XML_NAMES:
            found[_XML_NAMES[child.tag]] = child.text or ""
    return found


def _other_report(kind: str, why: str) -> PanelAnswer:
    error = PanelAnswer(f"Amazon's document is not the report {kind}: {why}. It was not read.")
    error.code = "report_misshapen"
    return error


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # what Amazon's European files are in


def _plain(name: str) -> str:
    """Heads differ in case and in hyphens from account to account."""
    return " ".join(name.replace("-", " ").replace("_", " ").lower().split())


def _calendar(form: str, latest: datetime) -> Calendar:
    """Reads times of a report that are written so. A mere day is Indian, and means its end, or
    the report's time. What is written otherwise, or lies after the report, is a ValueError.
    """

    def when(text: str) -> datetime:
        try:
            day_only = not any(one in form for one in _TIMES)
            if form == ISO:
                day_only = bool(_ISO_DAY.fullmatch(text))
                moment = datetime.fromisoformat(text if _ISO_DAY.match(text) else "")
            else:
                moment = datetime.strptime(text, form)
        except ValueError:
            raise ValueError(f"its date {text[:40]!r} is not written as {form}") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=IST)
        if moment > latest + A_DAY:
            raise ValueError(f"its date {text[:40]!r} is later than the report")
        if day_only:
            moment = datetime.combine(moment.date(), time(23, 59, 59), IST)
        return min(moment, latest)

    return when


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise ValueError(f"its quantity is {text[:20]!r}")
    return int(text)


def _unset(column: str, word: str, setting: str) -> str:
    return (
        f"its {column} {word!r} is a word that no public source explains; say what it means "
        f"in this account's settings, return_{setting}"
    )


def _for_a_person(row: Row, made_at: datetime, problem: str) -> StatusChange:
    return StatusChange(
        order_id=row.get("order id"),
        sku=row.get("merchant sku") or row.get("sku"),
        status=Status.UNKNOWN,
        native_status=row.get("return request status") or row.get("status"),
        occurred_at=made_at,
        evidence_id=f"report/{crc32(row.raw.encode())}/UNKNOWN",
        raw=row.raw,
        problem=f"Of a row in Amazon's report of returns: {problem}.",
    )


def chosen(change: StatusChange, orders: Mapping[str, object]) -> bool:
    """Whether a fact is about one of these orders; all are where none was chosen."""
    return not orders or change.order_id in orders
