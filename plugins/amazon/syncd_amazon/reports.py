"""Reports: asked for, waited for, fetched and unpacked. A pending id outlives a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from syncd import Memory
from syncd.errors import PanelAnswer, PanelBusy, PanelGone, PanelRefused
from syncd.shapes import gunzipped
from syncd_amazon.api import Amazon, stamp
from syncd_amazon.wire import Moment

REPORTS_PATH: Final = "/reports/2021-06-30/reports"
DOCUMENTS_PATH: Final = "/reports/2021-06-30/documents"
KEEP: Final = timedelta(hours=2)  # a report that is pending longer never comes
MAX_UNPACKED: Final = 128 * 1024 * 1024


class Asked(Struct):
    """A report in the making, as it is remembered."""

    id: str
    start: datetime
    end: datetime


class Created(Struct, rename="camel"):
    """The answer of createReport."""

    report_id: str


class Report(Struct, rename="camel"):
    """How far a report is."""

    processing_status: str
    report_document_id: str = ""
    processing_end_time: Moment | None = None


class Document(Struct, rename="camel"):
    """Where a report's content is, for five minutes."""

    url: str
    compression_algorithm: str = ""


class Content(Struct):
    """A whole report: its text, and when the panel made it."""

    data: bytes
    made_at: datetime


def read(
    amazon: Amazon, memory: Memory, kind: str, start: datetime, end: datetime
) -> Content | None:
    """The report of this type over this span, None where the panel has no data for it.

    A report that an earlier pass asked for is taken up, if it reaches back far enough. Raises
    PanelBusy when it is not made in time: the next pass goes on with it. The caller calls
    :func:`done` once its rows are stored.
    """
    asked = _pending(memory, kind, start) or _ask(amazon, memory, kind, start, end)
    try:
        try:
            report = _made(amazon, kind, asked)
        except PanelGone:  # the panel has forgotten it
            done(memory, kind)
            asked = _ask(amazon, memory, kind, start, end)
            report = _made(amazon, kind, asked)
        if report.processing_status == "CANCELLED":
            done(memory, kind)  # nobody cancels ours: it is the panel's word for «no data»
            return None
        return _content(amazon, kind, asked, report)
    except (PanelAnswer, PanelRefused):
        done(memory, kind)  # whatever is wrong with this one, the next pass asks for another
        raise


def _content(amazon: Amazon, kind: str, asked: Asked, report: Report) -> Content:
    if report.processing_status != "DONE":
        error = PanelAnswer(
            f"Amazon could not make the report {kind} (its word: "
            f"{report.processing_status[:40]}); the next pass asks for a new one."
        )
        error.code = "report_failed"
        raise error
    path = f"{DOCUMENTS_PATH}/{report.report_document_id}"
    data = _downloaded(amazon, path, kind)
    if data is None:
        data = _downloaded(amazon, path, kind)
    if data is None:
        error = PanelAnswer(
            f"The address of the report {kind} is refused twice; the next pass asks for a new one."
        )
        error.code = "report_failed"
        raise error
    return Content(data, report.processing_end_time or asked.end)


def _downloaded(amazon: Amazon, path: str, kind: str) -> bytes | None:
    """The document; None where its address, which lives five minutes, is refused.

    No token is sent there, so a refusal says nothing of the account's credentials.
    """
    found = amazon.panel.get(path, shape=Document, **amazon.calling("getReportDocument"))
    pace = "document" if amazon.settings.pace == "documented" else "unlimited"
    try:
        data = amazon.panel.get(found.url, shape=bytes, pace=pace)
    except (PanelRefused, PanelGone):
        return None
    if found.compression_algorithm == "GZIP":
        data = gunzipped(data, MAX_UNPACKED, where=f"the report {kind}")
    return data


def done(memory: Memory, kind: str) -> None:
    """Forget the pending report of this type."""
    memory.forget(_key(kind))


def _key(kind: str) -> str:
    return f"report/{kind}"


def _pending(memory: Memory, kind: str, start: datetime) -> Asked | None:
    text = memory.recall(_key(kind))
    if not text:
        return None
    try:
        asked = msgspec.json.decode(text, type=Asked)
    except msgspec.DecodeError:
        return None
    # Passes reach back equally far from different ends: a little later a start is good enough.
    return asked if asked.start <= start + KEEP else None


def _ask(amazon: Amazon, memory: Memory, kind: str, start: datetime, end: datetime) -> Asked:
    body = {
        "reportType": kind,
        "marketplaceIds": list(amazon.settings.marketplace_ids),
        "dataStartTime": stamp(start),
        "dataEndTime": stamp(end),
    }
    made = amazon.panel.post(
        REPORTS_PATH, shape=Created, body=body, **amazon.calling("createReport")
    )
    asked = Asked(made.report_id, start.astimezone(UTC), end.astimezone(UTC))
    memory.remember(_key(kind), msgspec.json.encode(asked).decode(), keep=KEEP)
    return asked


def _made(amazon: Amazon, kind: str, asked: Asked) -> Report:
    settings = amazon.settings
    waited = 0.0
    while True:
        report = amazon.panel.get(
            f"{REPORTS_PATH}/{asked.id}", shape=Report, **amazon.calling("getReport")
        )
        if report.processing_status not in ("IN_QUEUE", "IN_PROGRESS"):
            return report
        if waited >= settings.report_wait:
            raise PanelBusy(
                f"Amazon is still making the report {kind} after {waited:.0f} s; it is kept in "
                "mind, and the next pass takes it up."
            )
        pause = min(settings.report_poll, max(0.1, settings.report_wait - waited))
        amazon.panel.wait(pause)
        waited += pause
