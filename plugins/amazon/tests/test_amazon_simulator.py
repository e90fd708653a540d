"""The simulator by plain HTTP, as clients other than ours ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
import requests

from syncd.testing import populate
from syncd_amazon.settings import FLAT_RETURNS, INDIA

OLD = "/orders/v0/orders"
NEW = "/orders/2026-01-01/orders"
REPORTS = "/reports/2021-06-30/reports"
TOKENS = "/tokens/2021-03-01/restrictedDataToken"


class Client:
    """Asks with an access token of its own."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.form = {
            "grant_type": "refresh_token",
            "refresh_token": next(iter(shop.gate.refresh_tokens)),
            "client_id": shop.gate.client_id,
            "client_secret": shop.gate.client_secret,
        }
        self.token = self.login(json=self.form).json()["access_token"]

    def login(self, **body: Any) -> requests.Response:
        return requests.post(f"{self.shop.url}/auth/o2/token", timeout=10, **body)

    def ask(self, path: str, *, method: str = "GET", token: str = "", **more: Any) -> Any:
        return requests.request(
            method,
            self.shop.url + path,
            headers={"x-amz-access-token": token or self.token},
            timeout=10,
            **more,
        )

    def restricted(self, *paths: str, elements: tuple[str, ...] = ()) -> Any:
        more: Mapping[str, Any] = {"dataElements": list(elements)} if elements else {}
        wanted = [{"method": "GET", "path": path, **more} for path in paths]
        return self.ask(TOKENS, method="POST", json={"restrictedResources": wanted})


@pytest.fixture
def client(shop: Any) -> Client:
    return Client(shop)


def _since(shop: Any) -> str:
    return str((shop.clock.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ"))


# Login with Amazon ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "data"])
def test_login_takes_a_form_or_json(client: Client, kind: str) -> None:
    answer = client.login(**{kind: client.form})

    assert answer.status_code == 200
    assert answer.json()["refresh_token"] == client.form["refresh_token"]
    assert client.ask("/sellers/v1/marketplaceParticipations").json()["payload"]


@pytest.mark.parametrize("kind", ["json", "data"])
@pytest.mark.parametrize(
    ("more", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "Atzr|other"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_login_refuses(
    client: Client, kind: str, more: dict[str, str], status: int, error: str
) -> None:
    answer = client.login(**{kind: {**client.form, **more}})

    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"grant_type": 7}'])
def test_login_refuses_what_is_no_json_object_of_texts(client: Client, body: bytes) -> None:
    answer = client.login(data=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_grantless_token_is_nobodys(client: Client, shop: Any) -> None:
    shop.world.place_order([("RED", 1)])
    form = {**client.form, "grant_type": "client_credentials", "scope": "sellingpartnerapi::x"}
    token = client.login(json=form).json()["access_token"]

    found = client.ask(NEW, token=token, params={"lastUpdatedAfter": _since(shop)}).json()

    assert found["orders"] == []


# Queries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize(
    ("path", "after", "name", "words", "more"),
    [
        (OLD, "LastUpdatedAfter", "OrderStatuses", ["Shipped", "Canceled"],
         {"MarketplaceIds": INDIA}),
        (NEW, "lastUpdatedAfter", "fulfillmentStatuses", ["SHIPPED", "CANCELLED"], {}),
    ],
)  # fmt: skip
def test_a_list_is_joined_by_commas_or_its_key_repeated(
    client: Client, shop: Any, later: Callable[[], None],
    repeated: bool, path: str, after: str, name: str, words: list[str], more: dict[str, str],
) -> None:  # fmt: skip
    _, gone, left = (shop.world.place_order([("RED", 1)]) for _ in range(3))
    shop.world.cancel(gone.order_id)
    shop.world.ship(left.order_id)
    later()
    query = {after: _since(shop), name: words if repeated else ",".join(words), **more}

    answer = client.ask(path, params=query).json()

    found = answer["orders"] if path == NEW else answer["payload"]["Orders"]
    told = {row.get("orderId") or row["AmazonOrderId"] for row in found}
    assert told == {gone.order_id, left.order_id}


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        (OLD, {"MarketplaceIds": INDIA}, "exactly one"),
        (OLD, {"LastUpdatedAfter": "2026-11-18"}, "MarketplaceIds is required"),
        (OLD, {"LastUpdatedAfter": "soon", "MarketplaceIds": INDIA}, "no ISO 8601"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "MarketplaceIds": "NOWHERE"}, "NOWHERE"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "MarketplaceIds": INDIA,
               "OrderStatuses": "Shipped,Lost"}, "Lost"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "MarketplaceIds": INDIA,
               "FulfillmentChannels": "FBA"}, "FBA"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "MarketplaceIds": INDIA,
               "EasyShipShipmentStatuses": "DELIVERED"}, "DELIVERED"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "MarketplaceIds": INDIA,
               "MaxResultsPerPage": "101"}, "from 1 to 100"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "LastUpdatedBefore": "2026-11-17",
               "MarketplaceIds": INDIA}, "before its start"),
        (OLD, {"LastUpdatedAfter": "2026-11-18", "CreatedBefore": "2026-11-19",
               "MarketplaceIds": INDIA}, "goes with"),
        (NEW, {"lastUpdatedAfter": "2026-11-18", "marketplaceIds": "NOWHERE"}, "NOWHERE"),
        (NEW, {"lastUpdatedAfter": "2026-11-18", "fulfilledBy": "ME"}, "ME"),
        (NEW, {"lastUpdatedAfter": "2026-11-18", "includedData": "ALL"}, "ALL"),
        (NEW, {"lastUpdatedAfter": "2026-11-18", "paginationToken": "!"}, "not ours"),
        (REPORTS, {}, "reportTypes or nextToken"),
        (REPORTS, {"reportTypes": FLAT_RETURNS, "processingStatuses": "READY"}, "READY"),
        (REPORTS, {"nextToken": "x"}, "not ours"),
    ],
)  # fmt: skip
def test_a_bad_query_is_refused_as_the_panel_does(
    client: Client, path: str, query: dict[str, str], said: str
) -> None:
    answer = client.ask(path, params=query)

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["code"] == "InvalidInput"
    assert said in error["details"]
    assert answer.headers["x-amzn-RequestId"]
    assert answer.headers["x-amzn-RateLimit-Limit"]


def test_a_neighbours_marketplace_is_known_and_empty(client: Client, shop: Any) -> None:
    shop.world.place_order([("RED", 1)])
    query = {"LastUpdatedAfter": _since(shop), "MarketplaceIds": "A1F83G8C2ARO7P"}

    assert client.ask(OLD, params=query).json()["payload"]["Orders"] == []


@pytest.mark.parametrize(
    ("path", "size", "token", "query"),
    [
        (OLD, "MaxResultsPerPage", "NextToken", {"OrderStatuses": "Shipped"}),
        (NEW, "maxResultsPerPage", "paginationToken", {"fulfillmentStatuses": "SHIPPED"}),
    ],
)
@pytest.mark.parametrize("repeated", [True, False], ids=["query repeated", "token alone"])
def test_a_token_stands_for_the_query_of_its_first_page(
    client: Client, shop: Any, later: Callable[[], None],
    path: str, size: str, token: str, query: dict[str, str], repeated: bool,
) -> None:  # fmt: skip
    gone = {one.order_id for one in populate(shop.world, 5, dispatched=True)}
    shop.world.place_order([("RED", 1)])
    later()
    after = "LastUpdatedAfter" if path == OLD else "lastUpdatedAfter"
    first = {size: "2", after: _since(shop), **query, "MarketplaceIds": INDIA}
    told: list[str] = []
    asked = first
    for _ in range(3):
        answer = client.ask(path, params=asked).json()
        answer = answer.get("payload", answer)
        rows = answer.get("Orders") or answer["orders"]
        told += [row.get("AmazonOrderId") or row["orderId"] for row in rows]
        given = answer.get("NextToken") or answer.get("pagination", {}).get("nextToken")
        asked = {**(first if repeated else {}), token: given}

    assert given is None
    assert (len(told), set(told)) == (5, gone)


# Buyers' data -----------------------------------------------------------------------------------


def test_a_buyers_data_needs_a_token_for_just_that(client: Client, shop: Any) -> None:
    one, other = (shop.world.place_order([("RED", 1)]).order_id for _ in range(2))
    address = f"{OLD}/{one}/address"
    assert client.ask(address).status_code == 403
    token = client.restricted(address).json()["restrictedDataToken"]

    told = client.ask(address, token=token).json()["payload"]

    assert (told["AmazonOrderId"], told["ShippingAddress"]["CountryCode"]) == (one, "IN")
    for path in (f"{OLD}/{other}/address", f"{OLD}/{one}/buyerInfo", f"{OLD}/{one}", TOKENS):
        assert client.ask(path, token=token).status_code in (403, 404)


def test_a_token_may_be_for_any_order(client: Client, shop: Any) -> None:
    order = shop.world.place_order([("RED", 1)])
    path = f"{OLD}/{{orderId}}/buyerInfo"
    token = client.restricted(path).json()["restrictedDataToken"]

    told = client.ask(path.format(orderId=order.order_id), token=token).json()["payload"]

    assert told["BuyerEmail"].endswith("@buyers.example")


@pytest.mark.parametrize("elements", [("buyerInfo",), ("buyerInfo", "shippingAddress")])
def test_orders_show_the_elements_of_the_token(
    client: Client, shop: Any, later: Callable[[], None], elements: tuple[str, ...]
) -> None:
    shop.world.place_order([("RED", 1)])
    later()
    query = {"LastUpdatedAfter": _since(shop), "MarketplaceIds": INDIA}
    token = client.restricted(OLD, elements=elements).json()["restrictedDataToken"]

    (bare,) = client.ask(OLD, params=query).json()["payload"]["Orders"]
    (row,) = client.ask(OLD, token=token, params=query).json()["payload"]["Orders"]

    assert not {"BuyerInfo", "ShippingAddress"} & bare.keys()
    assert ("ShippingAddress" in row) is ("shippingAddress" in elements)
    assert row["BuyerInfo"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"restrictedResources": []},
        {"restrictedResources": [{"method": "GET", "path": "/orders/v0/orders"}]},
        {"restrictedResources": [{"method": "GET", "path": NEW}]},
        {"restrictedResources": [{"method": "PUT", "path": f"{OLD}/1/address"}]},
        {"restrictedResources": [{"method": "GET", "path": f"{OLD}/1", "dataElements": ["all"]}]},
    ],
)
def test_a_restricted_token_is_refused(client: Client, body: Any) -> None:
    answer = client.ask(TOKENS, method="POST", json=body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidRequest"


# Reports ----------------------------------------------------------------------------------------


def test_reports_are_listed_by_pages(client: Client, shop: Any) -> None:
    body = {"reportType": FLAT_RETURNS, "marketplaceIds": [INDIA], "dataStartTime": _since(shop)}
    made = [client.ask(REPORTS, method="POST", json=body).json()["reportId"] for _ in range(12)]
    told: list[str] = []
    query = {"reportTypes": FLAT_RETURNS}
    while query:
        page = client.ask(REPORTS, params=query).json()
        told += [row["reportId"] for row in page["reports"]]
        query = {"nextToken": page["nextToken"]} if "nextToken" in page else {}

    assert told == made[::-1]
    query = {"reportTypes": "GET_OTHER_DATA"}
    assert client.ask(REPORTS, params=query).json() == {"reports": []}


def test_a_report_of_something_else_has_no_data(client: Client, shop: Any) -> None:
    body = {"reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": [INDIA]}
    made = client.ask(REPORTS, method="POST", json=body).json()["reportId"]

    assert client.ask(f"{REPORTS}/{made}").json()["processingStatus"] == "CANCELLED"


def test_a_report_that_waits_can_be_cancelled(kit: Any) -> None:
    shop = kit.shop(report_seconds=60.0)
    client = Client(shop)
    body = {"reportType": FLAT_RETURNS, "marketplaceIds": [INDIA]}
    made = client.ask(REPORTS, method="POST", json=body).json()["reportId"]

    assert client.ask(f"{REPORTS}/{made}", method="DELETE").status_code == 200
    assert client.ask(f"{REPORTS}/{made}").json()["processingStatus"] == "CANCELLED"
    assert client.ask(f"{REPORTS}/{made}", method="DELETE").status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        {"reportType": "ORDERS"},
        {"reportType": None},
        {"marketplaceIds": []},
        {"marketplaceIds": ["NOWHERE"]},
        {"dataStartTime": "2026-01-01T00:00:00Z"},
        {"dataEndTime": "2026-01-01T00:00:00Z"},
        {"dataStartTime": "soon"},
    ],
)
def test_a_bad_wish_for_a_report_is_refused(client: Client, shop: Any, more: Any) -> None:
    body = {
        "reportType": FLAT_RETURNS,
        "marketplaceIds": [INDIA],
        "dataStartTime": _since(shop),
        **more,
    }

    answer = client.ask(REPORTS, method="POST", json=body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidInput"


# The sandbox ------------------------------------------------------------------------------------


def test_a_sandbox_call_is_answered_beside_the_world(client: Client, shop: Any) -> None:
    """The words that make a sandbox call are in no world, and no order of a world is one."""
    mine = shop.world.place_order([("RED", 1)])
    told = client.ask(f"{OLD}/TEST_CASE_200").json()["payload"]

    assert told["AmazonOrderId"] == "902-1845936-5435065"
    assert told["AmazonOrderId"] not in shop.world.orders
    assert client.ask(f"{OLD}/{mine.order_id}").json()["payload"]["MarketplaceId"] == INDIA
    assert client.ask(f"{OLD}/TEST_CASE_400").status_code == 400
    assert client.ask(f"{OLD}/TEST_CASE_500").status_code == 404


RETURNS = "/externalFulfillment/2024-09-11/returns"
EASY = "/easyShip/2022-03-23/package"
CASES: list[tuple[str, str, dict[str, str], int, str]] = [
    ("GET", OLD, {"CreatedAfter": "TEST_CASE_200"}, 200, "902-8745147-1934268"),
    ("GET", OLD, {"CreatedAfter": "TEST_CASE_200_NEXT_TOKEN"}, 200, "NextToken"),
    ("GET", OLD, {"CreatedAfter": "TEST_CASE_400"}, 400, "InvalidInput"),
    ("GET", f"{OLD}/TEST_CASE_IBA_200", {}, 200, "AFN"),
    ("GET", f"{OLD}/TEST_CASE_200/address", {}, 200, "AddressLine1"),
    ("GET", f"{OLD}/TEST_CASE_200/orderItems/buyerInfo", {}, 200, "OrderItemId"),
    ("GET", NEW, {"createdAfter": "2024-12-25T00:00:00Z", "marketplaceIds": "A1VC38T7YXB528"}, 200,
     "250-1234567-8901234"),
    ("GET", NEW, {"createdAfter": "TEST_CASE_400"}, 400, "InvalidInput"),
    ("GET", f"{NEW}/TEST_CASE_400", {}, 400, "InvalidInput"),
    ("GET", EASY, {"amazonOrderId": "903-1713775-3598252", "marketplaceId": INDIA}, 200,
     "PickedUp"),
    ("GET", EASY, {"amazonOrderId": "903-1713775-1111111"}, 400, "ResourceNotFound"),
    ("GET", f"{REPORTS}/ID323", {}, 200, "IN_PROGRESS"),
    ("GET", f"{REPORTS}/badReportId1", {}, 400, "invalid id"),
    ("DELETE", f"{REPORTS}/ID", {}, 200, ""),
    ("GET", REPORTS, {"reportTypes": "FEE_DISCOUNTS_REPORT,GET_AFN_INVENTORY_DATA"}, 200,
     "ReportId1"),
    ("GET", "/reports/2021-06-30/documents/0356cf79-b8b0-4226-b4b9-0ee058ea5760", {}, 200, "url"),
    ("GET", RETURNS, {"rmaId": "rmaIdOneShipmentOneItemMultQty200"}, 200, '"numberOfUnits":10'),
    ("GET", RETURNS, {"returnLocationId": "testReturnLocationId", "status": "DELIVERED"}, 200,
     "bb39cdd9"),
    ("GET", RETURNS, {"rmaId": "rmaIdTest409"}, 409, "DuplicateRequest"),
    ("GET", f"{RETURNS}/rmaIdInvalid", {}, 400, "InvalidInput"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "status", "said"), CASES)
def test_a_case_of_the_sandbox(
    client: Client, method: str, path: str, query: dict[str, str], status: int, said: str
) -> None:
    answer = client.ask(path, method=method, params=query)

    assert (answer.status_code, said in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    ("kind", "status"), [("GET_MERCHANT_LISTINGS_ALL_DATA", 202), ("BAD", 400)]
)
def test_a_report_of_the_sandbox(client: Client, kind: str, status: int) -> None:
    body = {"reportType": f"{kind}_X", "marketplaceIds": ["A1PA6795UKMFR9", "ATVPDKIKX0DER"]}

    assert client.ask(REPORTS, method="POST", json=body).status_code == status


# The rest ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/orders/v9/orders", {}, 404),
        (f"{OLD}/403-0-0", {}, 404),
        (f"{NEW}/403-0000000-0000000", {}, 404),
        (f"{NEW}/403-0-0", {}, 400),
        (OLD, {"MarketplaceIds": INDIA, "AmazonOrderIds": "403-0000000-0000000,403-0-0"}, 400),
        (f"{RETURNS}/none", {}, 404),
        (f"{REPORTS}/none", {}, 404),
        ("/reports/2021-06-30/documents/none", {}, 404),
        (EASY, {"marketplaceId": INDIA}, 400),
        (EASY, {"amazonOrderId": "403-0-0", "marketplaceId": INDIA}, 400),
        (RETURNS, {"lastUpdatedSince": "2026-11-18"}, 400),
        (RETURNS, {"maxResults": "many"}, 400),
    ],
)
def test_what_there_is_not(client: Client, path: str, query: dict[str, str], status: int) -> None:
    answer = client.ask(path, params=query)

    assert answer.status_code == status
    assert answer.json()["errors"][0]["code"]
    assert answer.headers["x-amzn-RequestId"]


@pytest.mark.parametrize("token", ["", "Atza|made up"])
def test_no_call_without_a_token(client: Client, token: str) -> None:
    client.token = token
    for path in (OLD, NEW, REPORTS, RETURNS, EASY, "/orders/v9/orders"):
        answer = client.ask(path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "Unauthorized")


def test_an_old_token_is_refused(client: Client, shop: Any) -> None:
    shop.clock.advance(timedelta(hours=1))

    assert "expired" in client.ask(NEW).text


def test_orders_by_creation(client: Client, shop: Any, later: Callable[[], None]) -> None:
    first = shop.world.place_order([("RED", 1)])
    shop.clock.advance(timedelta(minutes=40))
    second = shop.world.place_order([("RED", 1)])
    shop.world.cancel(first.order_id)
    later()
    end = (shop.clock.now() - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")

    early = client.ask(NEW, params={"createdAfter": _since(shop), "createdBefore": end}).json()
    both = client.ask(NEW, params={"createdAfter": _since(shop)}).json()

    assert [row["orderId"] for row in early["orders"]] == [first.order_id]
    assert [row["orderId"] for row in both["orders"]] == [first.order_id, second.order_id]
    assert early["createdBefore"] == end


def test_an_end_in_the_last_two_minutes_is_refused(client: Client, shop: Any) -> None:
    query = {"createdAfter": _since(shop), "createdBefore": shop.clock.now().isoformat()}

    assert "two minutes" in client.ask(NEW, params=query).text
