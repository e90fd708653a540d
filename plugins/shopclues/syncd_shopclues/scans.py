"""A file of a courier's scans, with the codes that ShopClues takes from couriers.

CSV with a header: ``order_id``, ``code`` and ``time`` (ISO 8601, Indian time where it has no
offset) are needed, ``awb`` may be there, other columns are passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from msgspec import json

from syncd import Page, ReportFile, StatusChange
from syncd.errors import PanelAnswer
from syncd.shapes import odd_change
from syncd_shopclues.facts import change
from syncd_shopclues.statuses import SCAN_CODES

NEEDED: Final = {"order_id", "code", "time"}
INDIA: Final = timezone(timedelta(hours=5, minutes=30))
EPOCH: Final = datetime(1970, 1, 1, tzinfo=INDIA)


def read_scans(report: ReportFile) -> Iterator[Page[StatusChange]]:
    """The scans of the file as one page. Raises PanelAnswer when it is no such file."""
    try:
        table = csv.DictReader(io.StringIO(report.content.decode("utf-8-sig")), restval="")
        columns = {name.strip() for name in table.fieldnames or []}
        scans = [
            {str(name).strip(): str(value).strip() for name, value in row.items()} for row in table
        ]
    except (UnicodeDecodeError, csv.Error):
        columns, scans = set(), []
    if not columns >= NEEDED:
        raise PanelAnswer(
            f"{report.name} is no file of scans: it needs the columns order_id, code and time, as "
            "comma-separated text in UTF-8."
        )
    yield Page(rows=[told for scan in scans if (told := _told(scan)) is not None])


def _told(scan: dict[str, str]) -> StatusChange | None:
    order_id, code, awb = scan["order_id"], scan["code"], scan.get("awb", "")
    raw = json.encode(scan).decode()
    try:
        at = datetime.fromisoformat(scan["time"])
    except ValueError:
        problem = f"{scan['time']!r} is no time."
        return odd_change(problem, raw, EPOCH, order_id=order_id, word=code)
    at = at if at.tzinfo else at.replace(tzinfo=INDIA)
    meaning = SCAN_CODES.get(code.upper())
    if meaning is None or not order_id:
        what = "The scan has no order_id." if not order_id else f"The code {code!r} is not known."
        return odd_change(what, raw, at, order_id=order_id, word=code)
    if meaning.status is None:
        return None
    evidence_id = f"scan/{order_id}/{awb}/{code}/{at.isoformat()}"
    return change(order_id, code, meaning, at, evidence_id, awb)
