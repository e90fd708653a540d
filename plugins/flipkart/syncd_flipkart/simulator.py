"""A pretend Flipkart seller panel: the real wire format over a world of ``syncd.testing``.

As a library::

    with FlipkartSimulator(world) as panel:
        ...  # panel.url, panel.client_id, panel.client_secret

As a program: ``syncd simulate flipkart`` prints one JSON line with its
address and credentials and serves until SIGTERM or the end of its standard input.

Paths: the token endpoint, ``/sellers/v3/shipments...``, ``/sellers/v2/returns...``, the sandbox
verbs, and ``/control/...`` of the kit for what the real sandbox lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from syncd.testing import (
    Clock,
    Fault,
    FaultScript,
    Parcel,
    Problem,
    Reply,
    Request,
    Return,
    Simulator,
    SystemClock,
    World,
    WorldError,
    json_reply,
)
from syncd_flipkart.simulator_oauth import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    App,
    Grants,
    RefreshUse,
    refusal,
)
from syncd_flipkart.simulator_rows import IST, SOURCES, FlipkartIds, Parts, Rows
from syncd_flipkart.simulator_sandbox import PREFIX, RETURNS_PREFIX, Sandbox
from syncd_flipkart.simulator_search import (
    RETURNS_PAGE_SIZE,
    BadSearch,
    Finder,
    ReturnSearch,
    Search,
    Span,
    read_search,
)
from syncd_flipkart.simulator_tokens import (
    read_returns_token,
    read_shipments_token,
    returns_token,
    shipments_token,
)

T = TypeVar("T")

FILTER: Final = "/sellers/v3/shipments/filter"
SHIPMENTS: Final = "/sellers/v3/shipments"
RETURNS: Final = "/sellers/v2/returns"
RETURNS_NEXT: Final = "/sellers/v2/returns/search/"
MAX_IDS: Final = 100
_ID_KINDS: Final = ("shipmentIds", "orderItemIds", "orderIds")
MAX_RETURN_IDS: Final = 25
_CODES: Final = {400: "BAD_REQUEST", 404: "NOT_FOUND", 422: "UNPROCESSABLE_ENTITY"}


def new_world(clock: Clock, *, seed: int = 0, seller_id: str = "", location_id: str = "") -> World:
    """A world whose ids have the forms of this panel."""
    ids = FlipkartIds(seed)
    return World(
        clock,
        ids=ids,
        seller_id=seller_id or f"{ids.number('seller', 1) % 16**16:016x}",
        location_id=location_id or f"LOC{ids.number('location', 1):032x}",
    )


class FlipkartSimulator(Simulator):
    """The panel of every seller of a world. See the module's text.

    ``parts`` and ``return_words`` choose between readings that no source settles, see ``Rows``.
    ``grants`` holds apps and tokens: ``grants.consent(client_id)`` gives a refresh token,
    ``grants.add_app`` opens the panel of one more seller.
    """

    channel = "flipkart"

    def __init__(
        self,
        world: World | None = None,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        client_id: str = "simulated-app",
        client_secret: str = "simulated-secret",
        port: int = 0,
        token_life: timedelta = timedelta(days=60),
        refresh_use: RefreshUse = "reusable",
        parts: Parts = "total",
        return_words: bool = False,
    ) -> None:
        clock = clock or (world.clock if world else SystemClock())
        super().__init__(world or new_world(clock), clock, faults, port=port)
        self.client_id = client_id
        self.client_secret = client_secret
        self.seller_id = next(iter(self.world.sellers))
        self.grants = Grants(clock, self.world.ids, token_life=token_life, refresh_use=refresh_use)
        self.grants.add_app(client_id, client_secret, self.seller_id)
        self.rows = Rows(self.world, parts=parts, return_words=return_words)
        self._finder = Finder(self.world, self.rows, self.faults)
        self._sandbox = Sandbox(self.world)
        self._routes: dict[tuple[str, str], Callable[[App, Request], Reply]] = {
            ("POST", FILTER): self._filter,
            ("GET", FILTER): self._filter_next,
            ("GET", SHIPMENTS): self._by_ids,
            ("GET", RETURNS): self._returns,
        }

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return new_world(clock, seed=seed)

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller, with an app of its own."""
        client_id = self.client_id
        if seller_id not in ("", self.seller_id):
            client_id = f"{self.client_id}-{seller_id}"
            self.grants.add_app(client_id, self.client_secret, seller_id)
        return {
            "base_url": self.url,
            "app_id": client_id,
            "app_secret": self.client_secret,
            "pace": "unlimited",
            "page_size": 100,
        }

    def warm(self) -> None:
        """Render every row before the first question."""
        self.rows.warm()

    def answer(self, request: Request) -> Reply:
        """Route one request; every path but the OAuth ones needs a bearer token."""
        with self.world.lock:
            if request.path == TOKEN_PATH and request.method == "GET":
                return self.grants.token(request)
            if request.path == AUTHORIZE_PATH and request.method == "GET":
                return self.grants.authorize(request)
            app = self.grants.app_of(request)
            try:
                return self._route(request)(app, request)
            except (BadSearch, WorldError) as error:
                raise Problem(self.error(400, str(error))) from None
            except msgspec.MsgspecError as error:
                raise Problem(self.error(400, f"body: {error}")) from None

    def _route(self, request: Request) -> Callable[[App, Request], Reply]:
        exact = self._routes.get((request.method, request.path))
        if exact is not None:
            return exact
        if request.path.startswith((PREFIX, RETURNS_PREFIX)):
            return self._sandbox.answer
        if request.method == "GET" and request.path.startswith(RETURNS_NEXT):
            return self._returns_next
        if request.method == "GET" and request.path.startswith(f"{SHIPMENTS}/"):
            return self._details
        raise Problem(self.error(404, f"no such path: {request.method} {request.path}"))

    def error(self, status: int, message: str) -> Reply:
        """An error in the panel's form; 401 comes from its OAuth part."""
        if status == 401:
            return refusal("unauthorized", message)
        error = {
            "severity": "ERROR",
            "code": _CODES.get(status, "DEPENDENT_SYSTEM_CALL_FAILED"),
            "description": message,
        }
        return json_reply({"errors": [error]}, status)

    def expire_tokens(self) -> None:
        """Let every access token die."""
        self.grants.expire()

    def page_family(self, request: Request) -> str:
        """All pages of returns are one list, though the token stands in their path."""
        return RETURNS if request.path.startswith(RETURNS_NEXT) else request.path

    # Shipments --------------------------------------------------------------------------------

    def _filter(self, app: App, request: Request) -> Reply:
        return self._shipments_page(app, read_search(request.body), 1, request.fault)

    def _filter_next(self, app: App, request: Request) -> Reply:
        search, page = read_shipments_token(request.query.get("next_token", ""), app.seller_id)
        return self._shipments_page(app, search, page, request.fault)

    def _shipments_page(self, app: App, search: Search, page: int, fault: Fault | None) -> Reply:
        found = self._finder.shipments(search, app.seller_id)
        some, more = _cut(found, page, search.pagination.page_size)
        by = _by(search)
        rows = [self.rows.shipment(parcel, by) for parcel in some]

        def link(number: int) -> str:
            token = shipments_token(search, number, app.seller_id)
            return f"/v3/shipments/filter?next_token={token}"

        return _page(b"shipments", rows, b"nextPageUrl", link, page, more, fault)

    def _by_ids(self, app: App, request: Request) -> Reply:
        kinds = [
            kind for kind in ("shipmentIds", "orderItemIds", "orderIds") if kind in request.query
        ]
        if len(kinds) != 1:
            raise BadSearch(f"give exactly one of {', '.join(_ID_KINDS)}")
        ids = _ids(request.query[kinds[0]], MAX_IDS)
        keys = [key for one in ids for key in self._shipments_of(kinds[0], one)]
        rows = [self.rows.shipment(parcel) for parcel in self._parcels(app, keys)]
        return Reply(200, b'{"shipments":[' + b",".join(rows) + b"]}")

    def _shipments_of(self, kind: str, one: str) -> Sequence[str]:
        if kind == "orderIds" and one in self.world.orders:
            return self.world.orders[one].shipment_ids
        if kind == "orderItemIds" and one in self.world.lines:
            return [piece.shipment_id for piece in self.world.lines[one].pieces]
        return [one] if kind == "shipmentIds" else []

    def _parcels(self, app: App, keys: Sequence[str]) -> list[Parcel]:
        known = (self.world.parcels.get(key) for key in dict.fromkeys(keys))
        return [parcel for parcel in known if parcel and parcel.seller_id == app.seller_id]

    def _details(self, app: App, request: Request) -> Reply:
        ids = _ids(request.path.removeprefix(f"{SHIPMENTS}/"), MAX_IDS)
        parcels = self._parcels(app, ids)
        return json_reply({"shipments": [self.rows.details(parcel) for parcel in parcels]})

    # Returns ----------------------------------------------------------------------------------

    def _returns(self, app: App, request: Request) -> Reply:
        query = request.query
        if query.get("source") not in SOURCES.values():
            raise BadSearch("source is mandatory: courier_return or customer_return")
        if "returnIds" in query or "trackingIds" in query:
            return self._returns_by_ids(app, query)
        search = ReturnSearch(
            source=query["source"],
            modified=Span(_moment(query, "modifiedAfter"), _moment(query, "modifiedBefore")),
            approved_from=_day(_moment(query, "createdAfter")),
            approved_to=_day(_moment(query, "createdBefore")),
            location_id=query.get("locationId"),
        )
        return self._returns_page(app, search, 1, request.fault)

    def _returns_next(self, app: App, request: Request) -> Reply:
        search, page = read_returns_token(request.path.removeprefix(RETURNS_NEXT))
        return self._returns_page(app, search, page, request.fault)

    def _returns_page(
        self, app: App, search: ReturnSearch, page: int, fault: Fault | None
    ) -> Reply:
        found = self._finder.returns(search, app.seller_id)
        some, more = _cut(found, page, RETURNS_PAGE_SIZE)
        rows = [self.rows.back(back) for back in some]

        def link(number: int) -> str:
            return f"/returns/search/{returns_token(search, number)}"

        return _page(b"returnItems", rows, b"nextUrl", link, page, more, fault)

    def _returns_by_ids(self, app: App, query: dict[str, str]) -> Reply:
        by_id = "returnIds" in query
        ids = _ids(query["returnIds" if by_id else "trackingIds"], MAX_RETURN_IDS)
        rows = [
            self.rows.back(back)
            for back in self.world.returns.values()
            if _name(back, by_id) in ids
            and back.seller_id == app.seller_id
            and SOURCES[back.kind] == query["source"]
        ]
        return _page(b"returnItems", rows, b"nextUrl", lambda number: "", 1, False, None)


def _name(back: Return, by_id: bool) -> str:
    return back.return_id if by_id else back.tracking_number


def _by(search: Search) -> str:
    """Whose cancellations a search shows; empty for the other searches."""
    return (search.filter.cancellation_type or "").removesuffix("Cancellation")


def _cut(found: Sequence[T], page: int, size: int) -> tuple[Sequence[T], bool]:
    start = (max(1, page) - 1) * size
    return found[start : start + size], start + size < len(found)


def _ids(text: str, most: int) -> list[str]:
    ids = [one for one in text.split(",") if one]
    if not 1 <= len(ids) <= most:
        raise BadSearch(f"between 1 and {most} ids a call, got {len(ids)}")
    return ids


def _moment(query: dict[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise BadSearch(f"{name} is no ISO 8601 time") from None
    if moment.tzinfo is None:
        raise BadSearch(f"{name} needs its offset")
    return moment


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.astimezone(IST).date()


def _page(
    name: bytes,
    rows: list[bytes],
    link_name: bytes,
    link: Callable[[int], str],
    page: int,
    more: bool,
    fault: Fault | None,
) -> Reply:
    """One page; the last one has no link at all. Page faults of the script act here."""
    deed = fault.do if fault else ""
    target = link(page + 1) if more else ""
    if fault is not None and deed == "empty":
        rows = []
    elif fault is not None and deed == "garble":
        rows = [fault.body.encode() or b'{"broken":true}', *rows[1:]]
    elif deed == "ring":
        more, target = True, link(page)
    elif fault is not None and deed == "foreign":
        more, target = True, fault.body or "https://elsewhere.invalid/v3/shipments/filter"
    elif deed == "no_link":
        more, target = True, ""
    elif deed == "stray_link":
        more, target = False, link(page + 1)
    last = b',"' + link_name + b'":' + msgspec.json.encode(target) if target else b""
    flag = b"true" if more else b"false"
    parts = (b'{"hasMore":', flag, last, b',"', name, b'":[', b",".join(rows), b"]}")
    return Reply(200, b"".join(parts))
