"""A file of a courier's scans, with the codes that ShopClues takes from couriers.

CSV with a header: ``order_id``, ``code`` and ``time`` (ISO 8601, Indian time where it has no
offset) are needed, ``awb`` may be there, other columns are passed over.
"""

from __future__ import annotations

import csv
import io
import re
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
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=INDIA)
"""An earlier scan has no time but what a spreadsheet or a program shows for none."""
# What a spreadsheet makes of an id that it takes for a number, and shows for an error.
_SPOILED: Final = re.compile(r"[+-]?\d+([.,]\d+)?E[+-]?\d+|\d+\.\d+|#.*", re.IGNORECASE)


def read_scans(report: ReportFile) -> Iterator[Page[StatusChange]]:
    """The scans of the file as one page. Raises PanelAnswer when it is no such file.

    A scan whose time cannot be read was made before the file was handed in.
    """
    if report.at is None:
        raise PanelAnswer(f"{report.name}: nobody says when it was handed in.")
    read_at = report.at
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
    yield Page(rows=[told for scan in scans if (told := _told(scan, read_at)) is not None])


def _told(scan: dict[str, str], read_at: datetime) -> StatusChange | None:
    order_id, code, awb = scan["order_id"], scan["code"], scan.get("awb", "")
    at, meaning = _time(scan["time"]), SCAN_CODES.get(code.upper())
    problem = ""
    if not order_id:
        problem = "The scan has no order_id."
    elif spoiled := next((one for one in (order_id, awb) if _SPOILED.fullmatch(one)), ""):
        problem = (
            f"{spoiled[:40]!r} is what a spreadsheet has made of an id; the id itself is lost. Get "
            "the file again and hand it in as it comes."
        )
    elif at is None:
        problem = f"{scan['time'][:40]!r} is no time of a scan."
    elif meaning is None:
        problem = f"The code {code!r} is not known."
    if problem or at is None or meaning is None:
        raw = json.encode(scan).decode()
        order_id = "" if _SPOILED.fullmatch(order_id) else order_id
        return odd_change(problem, raw, at or read_at, order_id=order_id, word=code)
    if meaning.status is None:
        return None
    evidence_id = f"scan/{order_id}/{awb}/{code}/{at.isoformat()}"
    return change(order_id, code, meaning, at, evidence_id, awb)


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=INDIA)
    return at if at >= EARLIEST else None
