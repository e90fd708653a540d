"""A pretend Amazon: Login with Amazon and the Selling Partner API over a world of the kit.

As a library: ``with AmazonSimulator(world) as panel: ...``; as a program ``syncd simulate amazon``.

It serves both Orders APIs, Easy Ship's package, reports with their documents, External Fulfillment
returns, and on request the official static sandbox cases. It takes query keys that it does not
know, and any Host header, as the real one does.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from syncd.testing import (
    Clock,
    FaultScript,
    Order,
    Problem,
    Reply,
    Request,
    Simulator,
    SystemClock,
    World,
    json_reply,
)
from syncd_amazon.settings import INDIA
from syncd_amazon.simulator_gate import Gate, error_reply, marked
from syncd_amazon.simulator_reports import KNOWN, LONGEST, URL_LIFE, Reports
from syncd_amazon.simulator_rows import AmazonIds, Rows
from syncd_amazon.simulator_static import matched, static_reply

TOKEN: Final = "/auth/o2/token"
SEARCH: Final = "/orders/2026-01-01/orders"
OLD: Final = "/orders/v0/orders"
EASY: Final = "/easyShip/2022-03-23/package"
REPORTS: Final = "/reports/2021-06-30/reports"
DOCUMENTS: Final = "/reports/2021-06-30/documents"
RETURNS: Final = "/externalFulfillment/2024-09-11/returns"
STORE: Final = "/simulated-store/"
STATUSES_NEW: Final = frozenset(
    {"PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED",
     "UNFULFILLABLE"}
)  # fmt: skip
OLD_FILTERS: Final = {
    "OrderStatuses": "OrderStatus",
    "FulfillmentChannels": "FulfillmentChannel",
    "EasyShipShipmentStatuses": "EasyShipShipmentStatus",
}
NEWEST: Final = timedelta(minutes=2)

Handler = Callable[[str, Request, Sequence[str]], Reply]


def new_world(clock: Clock, *, seed: int = 0) -> World:
    """A world whose ids have the forms of this panel."""
    ids = AmazonIds(seed)
    seller = f"A{ids.digits('seller', 1, 12)}"
    return World(clock, ids=ids, seller_id=seller, location_id="warehouse-1")


class AmazonSimulator(Simulator):
    """The panel of every seller of a world. ``limits`` on: the documented rates hold, beyond them
    it answers 429. ``static`` are official sandbox cases (method, path, request, status, response)
    that are answered first. ``with_easy_ship`` and ``with_v0`` off take those APIs away.
    """

    channel = "amazon"
    secret_params = Simulator.secret_params | {"client_secret"}

    def __init__(
        self,
        world: World | None = None,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
        limits: bool = False,
        detailed: bool = True,
        each_piece: bool = False,
        report_seconds: float = 0.0,
        rto_in_reports: bool = False,
        with_v0: bool = True,
        with_easy_ship: bool = True,
        static: Sequence[Mapping[str, Any]] = (),
        token_life: timedelta = timedelta(hours=1),
    ) -> None:
        clock = clock or (world.clock if world else SystemClock())
        super().__init__(world or new_world(clock), clock, faults, port=port)
        self.rows = Rows(self.world, detailed=detailed, each_piece=each_piece)
        self.reports = Reports(self.world, self.rows, seconds=report_seconds, rto=rto_in_reports)
        self.gate = Gate(self.world, clock, token_life=token_life, limits=limits)
        self.with_v0, self.with_easy_ship = with_v0, with_easy_ship
        self._static = static
        self._urls: dict[str, tuple[str, datetime]] = {}
        self._routes: list[tuple[str, str, str, Handler]] = [
            ("GET", SEARCH, "searchOrders", self._search),
            ("GET", f"{SEARCH}/*", "getOrder", self._order),
            ("GET", OLD, "getOrders", self._old),
            ("GET", f"{OLD}/*", "getOrder", self._old_order),
            ("GET", f"{OLD}/*/orderItems", "getOrderItems", self._old_items),
            ("GET", EASY, "getScheduledPackage", self._easy),
            ("POST", REPORTS, "createReport", self._create),
            ("GET", REPORTS, "getReports", self._list_reports),
            ("GET", f"{REPORTS}/*", "getReport", self._report),
            ("GET", f"{DOCUMENTS}/*", "getReportDocument", self._document),
            ("GET", RETURNS, "listReturns", self._returns),
            ("GET", f"{RETURNS}/*", "getReturn", self._return),
        ]  # fmt: skip

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return new_world(clock, seed=seed)

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        seller_id = seller_id or next(iter(self.world.sellers))
        refresh = f"Atzr|simulated-{seller_id}"
        self.gate.refresh_tokens[refresh] = seller_id
        return {
            "base_url": self.url,
            "lwa_url": self.url,
            "client_id": self.gate.client_id,
            "client_secret": self.gate.client_secret,
            "refresh_token": refresh,
            "seller_id": seller_id,
            "pace": "unlimited",
            "report_poll": 1.0,
            # The real words of reports are not public.
            "return_types": {"C-Returns": "CIR", "Rejected": "RTO"},
            "return_statuses": {
                "Approved": "RETURN_NOTICED",
                "Cancelled": "RETURN_WITHDRAWN",
                "Denied": "RETURN_WITHDRAWN",
            },
        }

    def error(self, status: int, message: str) -> Reply:
        """An error in the panel's form."""
        return error_reply(status, message)

    def expire_tokens(self) -> None:
        """Let every access token die."""
        self.gate.expire()

    def page_family(self, request: Request) -> str:
        return request.path

    def answer(self, request: Request) -> Reply:
        """Route one request; all but tokens and documents need an access token."""
        with self.world.lock:
            path = unquote(request.path)
            if path == TOKEN and request.method == "POST":
                return self.gate.token(request)
            if path.startswith(STORE):
                return self._stored(path)
            seller_id = self.gate.seller(request)
            static = static_reply(self._static, request, path)
            if static is not None:
                return static
            for method, pattern, operation, handle in self._routes:
                found = matched(pattern, path)
                if found is not None and method == request.method:
                    self.gate.spend(seller_id, operation)
                    return marked(handle(seller_id, request, found), operation)
            raise Problem(self.error(404, f"no such path: {path}"))

    # Orders -------------------------------------------------------------------------------------

    def _mine(self, seller_id: str, order_id: str) -> Order:
        order = self.world.orders.get(order_id)
        if order is None or order.seller_id != seller_id:
            raise Problem(self.error(404, f"no order {order_id}"))
        return order

    def _found(
        self, request: Request, seller_id: str, names: tuple[str, str, str, str], ids: str
    ) -> list[Order]:
        """The seller's orders of the query's span, by their last change or creation."""
        query = request.query
        after, before, since, until = (_moment(self, query, name) for name in names)
        if query.get(ids):
            wanted = [one for one in query[ids].split(",") if one]
            if len(wanted) > 50:
                raise Problem(self.error(400, f"{ids}: at most 50"))
            found = (self.world.orders.get(one) for one in wanted)
            return [one for one in found if one is not None and one.seller_id == seller_id]
        if (after is None) == (since is None):
            raise Problem(self.error(400, f"give exactly one of {names[0]} and {names[2]}"))
        newest = self.clock.now() - NEWEST
        for name, end in ((names[1], before), (names[3], until)):
            if end is not None and end > newest:
                raise Problem(self.error(400, f"{name} must be two minutes before now or earlier"))
        lag = timedelta(seconds=self.faults.lag_seconds)
        latest = min(self.clock.now() - lag, before or datetime.max.replace(tzinfo=UTC))
        if since is not None:
            end = min(self.clock.now() - lag, until or datetime.max.replace(tzinfo=UTC))
            orders = (one for one in self.world.orders.values() if one.seller_id == seller_id)
            keyed = [(o.placed_at, o) for o in orders if since <= o.placed_at <= end]
        else:
            start = after or newest
            stamped = ((_second(self.rows.updated(o)), o) for o in self._touched(start, seller_id))
            keyed = [(at, order) for at, order in stamped if start <= at <= latest]
        keyed.sort(key=lambda pair: (pair[0], pair[1].order_id))
        return [order for _, order in keyed]

    def _touched(self, start: datetime, seller_id: str) -> list[Order]:
        """The seller's orders of which something changed since ``start``, and perhaps more."""
        world, since = self.world, int(start.timestamp()) * 1_000_000
        names = [world.parcels[one].order_id for one in world.parcels_by_time.between(since, None)]
        names += [world.returns[one].order_id for one in world.returns_by_time.between(since, None)]
        orders = (world.orders[one] for one in dict.fromkeys(names))
        return [order for order in orders if order.seller_id == seller_id]

    def _search(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        query = request.query
        names = ("lastUpdatedAfter", "lastUpdatedBefore", "createdAfter", "createdBefore")
        orders = self._found(request, seller_id, names, "-")
        wanted = _listed(query.get("fulfillmentStatuses"))
        if not wanted <= STATUSES_NEW:
            raise Problem(self.error(400, "fulfillmentStatuses"))
        by = _listed(query.get("fulfilledBy"))
        if not self._of_india(query, "marketplaceIds"):
            orders = []
        orders = [
            one
            for one in orders
            if (not wanted or self.rows.status(one) in wanted)
            and (not by or ("AMAZON" if self.rows.amazon_fulfils(one) else "MERCHANT") in by)
        ]
        some, token = self._page(request, orders, "maxResultsPerPage", "paginationToken")
        included = _listed(query.get("includedData"))
        rows = [self.rows.new(one, included) for one in some]
        answer: dict[str, Any] = {"orders": self._faulty(request, rows)}
        if token:
            answer["pagination"] = {"nextToken": token}
        ending = "createdBefore" if "createdAfter" in query else "lastUpdatedBefore"
        answer[ending] = query.get(ending) or _iso(self.clock.now() - NEWEST)
        return json_reply(answer)

    def _order(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        order = self._mine(seller_id, found[0])
        included = _listed(request.query.get("includedData"))
        row = self._faulty(request, [self.rows.new(order, included)])
        return json_reply({"order": row[0] if row else {}})

    def _old(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        self._needs_v0()
        query = request.query
        if not query.get("MarketplaceIds"):
            raise Problem(self.error(400, "MarketplaceIds is required"))
        names = ("LastUpdatedAfter", "LastUpdatedBefore", "CreatedAfter", "CreatedBefore")
        orders = self._found(request, seller_id, names, "AmazonOrderIds")
        if not self._of_india(query, "MarketplaceIds"):
            orders = []
        rows = [self.rows.old(one) for one in orders]
        for name, key in OLD_FILTERS.items():
            wanted = _listed(query.get(name))
            if "Unshipped" in wanted:
                wanted |= {"PartiallyShipped"}
            if wanted:
                rows = [row for row in rows if row.get(key) in wanted]
        some, token = self._page(request, rows, "MaxResultsPerPage", "NextToken")
        payload: dict[str, Any] = {"Orders": self._faulty(request, some)}
        if token:
            payload["NextToken"] = token
        ending = "CreatedBefore" if "CreatedAfter" in query else "LastUpdatedBefore"
        payload[ending] = query.get(ending) or _iso(self.clock.now() - NEWEST)
        return json_reply({"payload": payload})

    def _old_order(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        self._needs_v0()
        return json_reply({"payload": self.rows.old(self._mine(seller_id, found[0]))})

    def _old_items(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        self._needs_v0()
        order = self._mine(seller_id, found[0])
        payload = {"AmazonOrderId": order.order_id, "OrderItems": self.rows.old_items(order)}
        return json_reply({"payload": payload})

    def _needs_v0(self) -> None:
        if not self.with_v0:
            raise Problem(self.error(404, "this version is no more"))

    def _of_india(self, query: Mapping[str, str], name: str) -> bool:
        return not query.get(name) or INDIA in query[name].split(",")

    def _page(
        self, request: Request, found: list[Any], size_name: str, token_name: str
    ) -> tuple[list[Any], str]:
        """One page, and the token of the next: the place after the last row, in base64."""
        try:
            size = int(request.query.get(size_name) or 100)
        except ValueError:
            size = 0
        if not 1 <= size <= 100:
            raise Problem(self.error(400, f"{size_name}: from 1 to 100"))
        given = request.query.get(token_name, "")
        start = 0
        if given:
            try:
                start = int(base64.urlsafe_b64decode(given.encode()).decode())
            except (binascii.Error, ValueError):
                raise Problem(self.error(400, f"{token_name} is not ours")) from None
        more = start + size < len(found)
        if request.asks("ring"):
            return found[start : start + size], given or _token_of(start)
        return found[start : start + size], _token_of(start + size) if more else ""

    def _faulty(self, request: Request, rows: list[dict[str, Any]]) -> list[Any]:
        if request.asks("empty"):
            return []
        if request.asks("garble") and request.fault is not None and rows:
            return [msgspec.Raw(request.fault.body.encode() or b"7"), *rows[1:]]
        return rows

    # Easy Ship, reports, returns ------------------------------------------------------------------

    def _easy(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        if not self.with_easy_ship:
            raise Problem(self.error(403, "the role is missing"))
        order = self.world.orders.get(request.query.get("amazonOrderId", ""))
        mine = order is not None and order.seller_id == seller_id and self.rows.easy_ship(order)
        # Before a pickup is booked there is no package.
        if order is None or not mine or self.rows.order_state(order) == "PendingSchedule":
            error = {
                "code": "ResourceNotFound",
                "message": "The specified resource (for example, `AmazonOrderId` or "
                "`MarketplaceId`) does not exist.",
            }
            raise Problem(json_reply({"errors": [error]}, 400))
        return json_reply(self.rows.scheduled(order))

    def _create(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        try:
            wish = msgspec.json.decode(request.body, type=dict[str, Any])
            kind = str(wish["reportType"])
            end = datetime.fromisoformat(wish.get("dataEndTime") or self.clock.now().isoformat())
            start = datetime.fromisoformat(wish.get("dataStartTime") or end.isoformat())
            if not wish["marketplaceIds"] or kind not in KNOWN or end - start > LONGEST:
                raise ValueError(kind)
            if not all(1900 < one.year < 9000 for one in (start, end)):
                raise ValueError("no such year")
        except (KeyError, ValueError, TypeError, msgspec.MsgspecError):
            raise Problem(self.error(400, "Invalid input")) from None
        return json_reply({"reportId": self.reports.create(kind, seller_id, start, end)}, 202)

    def _list_reports(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        kinds = _listed(request.query.get("reportTypes"))
        rows = [
            self.reports.row(one)
            for one in reversed(self.reports.made.values())
            if one.seller_id == seller_id and (not kinds or one.kind in kinds)
        ]
        return json_reply({"reports": rows})

    def _report(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        made = self.reports.made.get(found[0])
        if made is None or made.seller_id != seller_id:
            raise Problem(self.error(404, f"no report {found[0]}"))
        return json_reply(self.reports.row(made))

    def _document(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        number = found[0].rpartition(".")[2]
        made = self.reports.made.get(number)
        if made is None or made.seller_id != seller_id or self.reports.word(made) != "DONE":
            raise Problem(self.error(404, f"no document {found[0]}"))
        key = secrets.token_urlsafe(12)
        self._urls[key] = number, self.clock.now() + URL_LIFE
        answer = {
            "reportDocumentId": found[0],
            "url": f"{self.url}{STORE}{key}?X-Signature=simulated",
        }
        if self.reports.packed:
            answer["compressionAlgorithm"] = "GZIP"
        return json_reply(answer)

    def _stored(self, path: str) -> Reply:
        number, until = self._urls.get(path.removeprefix(STORE), ("", self.clock.now()))
        if until <= self.clock.now():
            return Reply(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
        return Reply(
            200, self.reports.document(self.reports.made[number]), "application/octet-stream"
        )

    def _returns(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        query = request.query
        updated = _moment(self, query, "lastUpdatedSince"), _moment(self, query, "lastUpdatedUntil")
        created = _moment(self, query, "createdSince"), _moment(self, query, "createdUntil")
        if any(updated) and not ("returnLocationId" in query and "status" in query):
            raise Problem(self.error(400, "lastUpdatedSince needs returnLocationId and status"))
        rows = [
            self.reports.external(one)
            for one in self.world.returns.values()
            if one.seller_id == seller_id
            and _within(one.modified_at, updated)
            and _within(one.created_at, created)
        ]
        for name in ("returnLocationId", "status"):
            if query.get(name):
                rows = [row for row in rows if row[name] == query[name]]
        if query.get("rmaId"):
            rows = [row for row in rows if row["returnMetadata"]["rmaId"] == query["rmaId"]]
        request.query.setdefault("maxResults", "10")
        some, token = self._page(request, rows, "maxResults", "nextToken")
        answer: dict[str, Any] = {"returns": self._faulty(request, some)}
        if token:
            answer["nextToken"] = token
        return json_reply(answer)

    def _return(self, seller_id: str, request: Request, found: Sequence[str]) -> Reply:
        back = self.world.returns.get(found[0])
        if back is None or back.seller_id != seller_id:
            raise Problem(self.error(404, f"no return {found[0]}"))
        return json_reply(self.reports.external(back))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _token_of(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode()


def _listed(text: str | None) -> set[str]:
    return {one for one in (text or "").split(",") if one}


def _within(moment: datetime, span: tuple[datetime | None, datetime | None]) -> bool:
    start, end = span
    return (start is None or moment >= start) and (end is None or moment <= end)


def _moment(panel: AmazonSimulator, query: Mapping[str, str], name: str) -> datetime | None:
    if not query.get(name):
        return None
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise Problem(panel.error(400, f"{name} is no ISO 8601 time")) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
