"""The Reports API of the pretend Amazon: asked for, made after a while, fetched from a store."""

from __future__ import annotations

import gzip
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from syncd import ReturnType
from syncd.testing import BadRequest, Problem, Reply, Request, Return, ReturnState, json_reply
from syncd_amazon.settings import FBA_RETURNS, FLAT_RETURNS, INDIA, XML_RETURNS
from syncd_amazon.simulator_files import Files
from syncd_amazon.simulator_gate import Caller, error_reply
from syncd_amazon.simulator_query import (
    NEIGHBOURS,
    Routes,
    listed,
    moment,
    page,
    resumed,
    sold_in,
    within,
)
from syncd_amazon.simulator_states import States, iso

REPORTS: Final = "/reports/2021-06-30/reports"
DOCUMENTS: Final = "/reports/2021-06-30/documents"
MADE_HERE: Final = frozenset({FLAT_RETURNS, XML_RETURNS, FBA_RETURNS})
TYPE: Final = re.compile(r"GET_[A-Z0-9_]{3,80}")
LONGEST: Final = timedelta(days=60)
KEPT: Final = timedelta(days=90)
URL_LIFE: Final = timedelta(minutes=5)
STORE: Final = "/simulated-store/"
WORDS: Final = frozenset({"CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"})
DOCUMENT: Final = "amzn1.spdoc.1.3."


class _Wish(Struct, rename="camel"):
    report_type: str
    marketplace_ids: list[str]
    data_start_time: str = ""
    data_end_time: str = ""


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
    """All reports so far. They are in the queue, then in progress, and made after ``seconds``.

    Reports of other things than returns are taken and have no data. ``rto`` on: returns by the
    courier stand in the sellers' reports too. ``base`` is where the store is.
    ``fatal`` and ``packed`` may be set at any time.
    """

    def __init__(
        self, states: States, base: str, *, seconds: float = 0.0, rto: bool = False
    ) -> None:
        self.base = base
        self.world = states.world
        self.states = states
        self.files = Files(self.world)
        self.seconds = seconds
        self.rto = rto
        self.fatal = False
        self.packed = True
        self.made: dict[str, Made] = {}
        self._urls: dict[str, tuple[str, datetime]] = {}

    def routes(self) -> Routes:
        """What is answered here."""
        return [
            ("POST", REPORTS, "createReport", self.create),
            ("GET", REPORTS, "getReports", self.search),
            ("GET", f"{REPORTS}/*", "getReport", self.get),
            ("DELETE", f"{REPORTS}/*", "cancelReport", self.cancel),
            ("GET", f"{DOCUMENTS}/*", "getReportDocument", self.address),
        ]

    # What they hold -----------------------------------------------------------------------------

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
            row["reportDocumentId"] = f"{DOCUMENT}{made.report_id}"
        return row

    def document(self, made: Made) -> bytes:
        """The content, packed if documents are."""
        data = self.files.text(made.kind, self.returns(made)).encode()
        return gzip.compress(data) if self.packed else data

    def returns(self, made: Made) -> list[Return]:
        """The returns that the report is about."""
        if made.kind not in MADE_HERE:
            return []
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
            return self.states.amazon_fulfils(order) and one.state is ReturnState.COMPLETED
        return self.states.easy_ship(order)

    # Calls --------------------------------------------------------------------------------------

    def create(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """createReport."""
        now = self.world.clock.now()
        try:
            wish = request.json(_Wish)
        except BadRequest as error:
            raise Problem(error_reply(400, str(error))) from None
        told = {"dataStartTime": wish.data_start_time, "dataEndTime": wish.data_end_time}
        end = moment(told, "dataEndTime") or now
        start = moment(told, "dataStartTime") or end
        if not wish.marketplace_ids or not {*wish.marketplace_ids} <= {INDIA, *NEIGHBOURS}:
            raise Problem(error_reply(400, "marketplaceIds"))
        if not TYPE.fullmatch(wish.report_type):
            raise Problem(error_reply(400, "reportType"))
        if not start <= end or end - start > LONGEST:
            raise Problem(error_reply(400, "dataStartTime and dataEndTime: at most 60 days"))
        number = f"{50_000 + len(self.made)}"
        self.made[number] = Made(number, wish.report_type, caller.seller_id, start, end, now)
        return json_reply({"reportId": number}, 202)

    def _mine(self, caller: Caller, report_id: str) -> Made:
        made = self.made.get(report_id)
        if made is None or made.seller_id != caller.seller_id:
            raise Problem(error_reply(404, f"no report {report_id}"))
        return made

    def search(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getReports: by type, or the page that a token alone stands for."""
        query = resumed(request, "nextToken")
        kinds = listed(query, "reportTypes")
        if not kinds:
            raise Problem(error_reply(400, "reportTypes or nextToken is required"))
        words = listed(query, "processingStatuses", WORDS)
        since, until = moment(query, "createdSince"), moment(query, "createdUntil")
        since = since or self.world.clock.now() - KEPT
        found_here = reversed(self.made.values()) if sold_in(query, "marketplaceIds") else ()
        made = [
            one
            for one in found_here
            if one.seller_id == caller.seller_id
            and one.kind in kinds
            and (not words or self.word(one) in words)
            and within(one.created_at, since, until)
        ]
        some, token = page(query, made, "pageSize", "nextToken", size=10)
        answer: dict[str, Any] = {"reports": [self.row(one) for one in some]}
        if token:
            answer["nextToken"] = token
        return json_reply(answer)

    def get(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getReport."""
        return json_reply(self.row(self._mine(caller, found[0])))

    def cancel(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """cancelReport, which only one that still waits allows."""
        made = self._mine(caller, found[0])
        if self.word(made) != "IN_QUEUE":
            raise Problem(error_reply(400, "only a report in the queue can be cancelled"))
        made.cancelled = True
        return Reply(200)

    def address(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getReportDocument: an address in the store that lives five minutes."""
        made = self.made.get(found[0].removeprefix(DOCUMENT))
        if made is None or made.seller_id != caller.seller_id or self.word(made) != "DONE":
            raise Problem(error_reply(404, f"no document {found[0]}"))
        key = secrets.token_urlsafe(12)
        self._urls[key] = made.report_id, self.world.clock.now() + URL_LIFE
        answer = {
            "reportDocumentId": found[0],
            "url": f"{self.base}{STORE}{key}?X-Signature=simulated",
        }
        if self.packed:
            answer["compressionAlgorithm"] = "GZIP"
        return json_reply(answer)

    def stored(self, path: str) -> Reply:
        """A document from the store, which knows no tokens."""
        now = self.world.clock.now()
        number, until = self._urls.get(path.removeprefix(STORE), ("", now))
        if until <= now:
            return Reply(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
        return Reply(200, self.document(self.made[number]), "application/octet-stream")
