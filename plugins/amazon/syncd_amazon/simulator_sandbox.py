"""What the official static sandbox answers, from a small world of its own.

A sandbox call is known by a value that no real one has, such as ``TEST_CASE_200``. The orders and
returns that those answers are about are made here and rendered as all others are: ids, states,
counts and tokens are the sandbox's, everything else is made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from syncd.testing import BadRequest, FaultScript, HandClock, Reply, Request, World, json_reply
from syncd_amazon.simulator_gate import OF_BUYERS, Caller, error_reply
from syncd_amazon.simulator_orders import EASY, NEW, OLD, OrdersApi
from syncd_amazon.simulator_query import Handler, Routes
from syncd_amazon.simulator_reports import REPORTS
from syncd_amazon.simulator_returns import RETURNS, Returns
from syncd_amazon.simulator_rows import Rows
from syncd_amazon.simulator_states import AmazonIds

CALLER: Final = Caller("sandbox", frozenset(OF_BUYERS))
PLACE: Final = "TEST_CASE_200_LOCATION_ID"
PLACE_2: Final = "testReturnLocationId"
US: Final = {"marketplace": "ATVPDKIKX0DER", "easy_ship": "PendingPickUp"}
PICK_UP: Final = "CARRIER_NOTIFIED_TO_PICK_UP_FROM_CUSTOMER"
TOKEN: Final = "2YgYW55IGNhcm5hbCBwbGVhc3VyZS4"

# Order id; its lines (line id, pieces); whether it has left; traits.
_ORDERS: Final[tuple[tuple[str, tuple[tuple[str, int], ...], bool, dict[str, str]], ...]] = (
    ("902-1845936-5435065", (("05015851154158", 1),), False, US),
    ("902-8745147-1934268", (("05015851154159", 1),), False, US),
    ("902-3159896-1390916", (("05015851154160", 1),), False, US | {"status": "PENDING"}),
    ("921-3175655-0452641", (("05015851154161", 1),), True,
     {"marketplace": "A1PA6795UKMFR9", "fulfillment": "AFN"}),
    ("250-1234567-8901234", (("25012345678901", 1), ("25012345678902", 2)), True,
     {"marketplace": "A1VC38T7YXB528", "fulfillment": "AFN", "programs": "PRIME"}),
    ("202-7654321-1098765", (("20276543210987", 1),), True,
     {"marketplace": "A1F83G8C2ARO7P", "programs": "PRIME", "package_status": "IN_TRANSIT",
      "easy_ship": "OutForDelivery"}),
    ("171-2345678-9012345", (("17123456789012", 1),), False,
     {"marketplace": "A2Q3Y263D00KWC", "programs": "AMAZON_BUSINESS,DELIVERY_BY_AMAZON"}),
    ("171-9876543-2109876", (("17198765432109", 1),), False,
     {"marketplace": "A2Q3Y263D00KWC", "programs": "PRIME"}),
    ("028-1234567-8901234", (("02812345678901", 2),), True, {"marketplace": "A33AVAJ2PDY3EV"}),
    ("114-9876543-1234567", (("11498765431234", 1),), False,
     {"marketplace": "ATVPDKIKX0DER", "programs": "IN_STORE_PICK_UP"}),
    ("903-1713775-3598252", (("05015851154162", 1),), True, {}),
)  # fmt: skip
# Return id, RMA id, status, pieces, location, day of March 2021.
_RETURNS: Final = (
    ("ee39cdd9-9caa-47b6-a5b1-7b6a1c6d43d1", "OneShipmentOneItemOneQty", "CREATED", 1, PLACE, 18),
    ("ff40dee3-3bbc-47b6-a5b1-7b6a1c6d45e3", "OneShipmentMultItemOneQty", PICK_UP, 1, PLACE, 18),
    ("fg40dee3-3cbc-47b6-a5b1-7b6a1c6d45e3", "OneShipmentMultItemOneQty", "CREATED", 1, PLACE, 18),
    ("ga54cdd9-9caa-47b6-a5b1-7b6a1c6d43d2", "OneShipmentOneItemMultQty", "CREATED", 10, PLACE, 18),
    ("fz40dee4-3bbc-47b6-a5b1-7b6a1c6d45e3", "OneShipmentMultItemMultQty", PICK_UP, 10, PLACE, 18),
    ("gf40dee3-33bc-47b6-a5b1-7b6a1c6d45e4", "OneShipmentMultItemMultQty", "CREATED", 8, PLACE, 18),
    ("bd12dee3-3bbc-47b6-a5b1-7b6a1c6d45a4", "MultShipmentMultItemOneQty", PICK_UP, 1, PLACE, 18),
    ("wr41dee3-3bbc-47b6-a5b1-7b6a1c6d45e1", "MultShipmentMultItemOneQty", "CREATED", 1, PLACE, 18),
    ("jk12dee3-3bbc-37b6-a5b1-7b6a1c6d45a6", "MultShipmentMultItemMultQty", PICK_UP, 19, PLACE, 18),
    ("fb21dee4-3bbc-47b6-a5b1-7b2a1c6d45e2", "MultShipmentMultItemMultQty", "CREATED", 12, PLACE,
     18),
    ("aa39cdd9-9caa-47b6-a5b1-7b6a1c6d43d1", "", "CREATED", 1, PLACE_2, 18),
    ("bb39cdd9-9caa-47b6-a5b1-7b6a1c6d43d1", "", "DELIVERED", 1, PLACE_2, 18),
    ("cc39cdd9-9caa-47b6-a5b1-7b6a1c6d43d1", "", "CREATED", 1, PLACE_2, 22),
    ("dd39cdd9-9caa-47b6-a5b1-7b6a1c6d43d1", "", "CREATED", 1, PLACE_2, 22),
    ("gg39cdd9-9caa-47b6-a5b1-7b6a1c6d43d1", "", "CREATED", 1, PLACE_2, 22),
    ("rmaIdOneShipmentOneItemOneQty200", "Test", PICK_UP, 1, PLACE, 18),
)  # fmt: skip
ALIASES: Final = {
    "TEST_CASE_200": "902-1845936-5435065", "TEST_CASE_IBA_200": "921-3175655-0452641",
}  # fmt: skip
# Of searchOrders: marketplace, createdAfter, the order, and the token of a next page.
_SEARCHES: Final = {
    ("A1VC38T7YXB528", "2024-12-25T00:00:00Z"): ("250-1234567-8901234", TOKEN),
    ("A1F83G8C2ARO7P", "2024-12-23T00:00:00Z"): ("202-7654321-1098765", ""),
    ("A2Q3Y263D00KWC", "2024-12-20T00:00:00Z"): ("171-2345678-9012345", ""),
}
_REPORT: Final = {
    "reportId": "ReportId1",
    "reportType": "FEE_DISCOUNTS_REPORT",
    "createdTime": "2024-03-10T10:00:00Z",
    "processingStatus": "IN_PROGRESS",
}
_BAD_IDS: Final = {
    "TEST_CASE_400": "", "rmaIdInvalid": "", "badReportId1": "400", "badDocumentId1": "400",
}  # fmt: skip
_FOREIGN: Final = ["A1PA6795UKMFR9", "ATVPDKIKX0DER"]
_ERRORS: Final = {
    403: "Forbidden", 409: "DuplicateRequest", 429: "RateLimited", 500: "InternalFailure",
    503: "ServiceUnavailable",
}  # fmt: skip


class _Ids(AmazonIds):
    """Ids that no other world has."""

    def order_id(self, n: int) -> str:
        return f"sandbox-{n}"

    def return_id(self, n: int) -> str:
        return _RETURNS[n - 1][0]


def _world() -> World:
    clock = HandClock(datetime(2021, 3, 18, 12, tzinfo=UTC))
    world = World(clock, ids=_Ids(), seller_id=CALLER.seller_id, location_id=PLACE)
    world.add_location(PLACE_2)
    for order_id, lines, left, traits in _ORDERS:
        wanted = [
            {"sku": f"SANDBOX-{line_id}", "line_id": line_id, "quantity": pieces}
            for line_id, pieces in lines
        ]
        sold_alone = "programs" in traits
        world.place_order(
            wanted, order_id=order_id, traits=traits, ships_by="seller" if sold_alone else "channel"
        )
        (world.pick_up if left else world.pack)(order_id)
    for _, rma, word, pieces, place, day in _RETURNS:
        name = f"rmaId{rma}200" if "Shipment" in rma else rma or "Es1ZkjzkRRMA"
        traits = {"external_status": word, "rma": name}
        order = world.place_order([("SANDBOX", pieces)], traits=traits, location_id=place)
        world.ship(order.order_id)
        world.deliver(order.order_id)
        world.customer_return(order.order_id, at=datetime(2021, 3, day, 15, tzinfo=UTC))
    return world


class Sandbox:
    """Answers sandbox calls, and leaves all others alone."""

    @cached_property
    def _orders(self) -> OrdersApi:
        return OrdersApi(Rows(_world()), FaultScript())

    @cached_property
    def _routes(self) -> Routes:
        return [*self._orders.routes(), *Returns(self._orders.world).routes()]

    def answer(self, route: str, request: Request, found: Sequence[str]) -> Reply | None:
        """The answer to a sandbox call of this route; None for any other call."""
        if found:
            return self._of_one(route, request, found[0])
        if route == OLD:
            return self._old(request)
        if route == NEW:
            return self._new(request)
        if route == EASY and request.query.get("amazonOrderId") in self._orders.world.orders:
            return self._handler(route)(CALLER, request, ())
        if route == RETURNS:
            return self._returned(request)
        if route == REPORTS:
            return _created(request) if request.method == "POST" else _reports(request.query)
        return None

    def _handler(self, route: str) -> Handler:
        return next(handle for _, pattern, _, handle in self._routes if pattern == route)

    def _of_one(self, route: str, request: Request, name: str) -> Reply | None:
        if name in _BAD_IDS:
            return error_reply(400, f"{name} is an invalid id", _BAD_IDS[name])
        if name == "ID323":
            return json_reply(_REPORT)
        if name == "ID" and request.method == "DELETE":
            return Reply(200)
        if name == "0356cf79-b8b0-4226-b4b9-0ee058ea5760":
            return json_reply({"reportDocumentId": name, "url": "https://documents.example/report"})
        name = ALIASES.get(name, name)
        if name in self._orders.world.orders or name in self._orders.world.returns:
            return self._handler(route)(CALLER, request, [name])
        return None

    def _old(self, request: Request) -> Reply | None:
        case, orders = request.query.get("CreatedAfter"), self._orders.world.orders
        if case == "TEST_CASE_200":
            names, token = ["902-1845936-5435065", "902-8745147-1934268"], ""
        elif case == "TEST_CASE_200_NEXT_TOKEN":
            names = ["902-3159896-1390916"]
            token = "" if request.query.get("NextToken") else TOKEN
        else:
            return None
        return self._orders.old_page(CALLER, request, [orders[one] for one in names], token)

    def _new(self, request: Request) -> Reply | None:
        query = request.query
        case = _SEARCHES.get((query.get("marketplaceIds", ""), query.get("createdAfter", "")))
        if case is None:
            return None
        return self._orders.search_page(request, [self._orders.world.orders[case[0]]], case[1])

    def _returned(self, request: Request) -> Reply | None:
        rma = request.query.get("rmaId", "")
        status = re.fullmatch(r"rmaIdTest(\d{3})", rma)
        if status and int(status[1]) in _ERRORS:
            return error_reply(int(status[1]), "a sandbox case", _ERRORS[int(status[1])])
        known = re.fullmatch(r"rmaId(One|Mult)Shipment\w+200", rma)
        if known or request.query.get("returnLocationId") == PLACE_2:
            return self._handler(RETURNS)(CALLER, request, ())
        return None


def _created(request: Request) -> Reply | None:
    try:
        wish = request.json(dict[str, Any])
    except BadRequest:
        return None
    if wish.get("marketplaceIds") != _FOREIGN:
        return None
    if str(wish.get("reportType")).startswith("BAD_"):
        return error_reply(400, "reportType", "400")
    return json_reply({"reportId": "ID323"}, 202)


def _reports(query: Mapping[str, str]) -> Reply | None:
    if query.get("reportTypes") != "FEE_DISCOUNTS_REPORT,GET_AFN_INVENTORY_DATA":
        return None
    if "BAD_VALUE" in query.get("processingStatuses", ""):
        return error_reply(400, "processingStatuses", "400")
    token = "VGhpcyB0b2tlbiBpcyBvcGFxdWUgYW5kIGludGVudGlvbmFsbHkgb2JmdXNjYXRlZA=="
    return json_reply({"reports": [_REPORT], "nextToken": token})
