"""Reading the files of reports of returns: rows by plain column names, dates in one form."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta, timezone
from typing import Final
from xml.etree import ElementTree

from msgspec import Struct

from syncd.errors import PanelAnswer
from syncd_amazon.seen import MAX_RAW
from syncd_amazon.settings import FBA_RETURNS, ISO, XML_RETURNS

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


def rows_of(kind: str, data: bytes) -> Iterator[Row]:
    """The rows of a report. Raises PanelAnswer when it is another one than was asked for."""
    return _xml_rows(data) if kind == XML_RETURNS else _flat_rows(kind, data)


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


def calendar(form: str, latest: datetime) -> Calendar:
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


def count(text: str) -> int:
    """How many pieces a row is about. Raises ValueError."""
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise ValueError(f"its quantity is {text[:20]!r}")
    return int(text)
