"""The simulator against a client that we did not write: python-amazon-sp-api."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sp_api.api import EasyShip, Orders, Reports, Sellers, Tokens
from sp_api.api.external_fulfillment.returns_2024_09_11 import ExternalFulfillmentReturnsV20240911
from sp_api.auth import AccessTokenClient
from sp_api.base import (
    SellingApiBadRequestException,
    SellingApiForbiddenException,
    SellingApiRequestThrottledException,
)
from sp_api.base.reportTypes import ReportType
from sp_api.util import load_all_pages

from syncd.testing import Fault, populate
from syncd_amazon.settings import FLAT_RETURNS, INDIA


@pytest.fixture
def client(shop: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each class of the client is made with, so that it talks to the simulator."""
    monkeypatch.delenv("SP_API_DEFAULT_MARKETPLACE", raising=False)

    class Here(AccessTokenClient):  # type: ignore[misc]
        scheme = "http://"
        host = shop.url.removeprefix("http://")

    # The client keeps tokens in the process by their refresh token: each test has its own.
    refresh = f"Atzr|client-{shop.address[1]}-{id(shop)}"
    shop.gate.refresh_tokens[refresh] = next(iter(shop.world.sellers))
    return {
        "marketplace": SimpleNamespace(endpoint=shop.url, marketplace_id=INDIA, region="eu-west-1"),
        "credentials": {
            "lwa_app_id": shop.gate.client_id,
            "lwa_client_secret": shop.gate.client_secret,
            "refresh_token": refresh,
        },
        "refresh_token": refresh,
        "auth_token_client_class": Here,
    }


def _since(shop: Any) -> str:
    return str((shop.clock.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_orders_of_v0_with_paging(
    shop: Any, client: dict[str, Any], later: Callable[[], None]
) -> None:
    orders = populate(shop.world, 5, dispatched=True)
    later()

    @load_all_pages()
    def pages(**more: Any) -> Any:
        return Orders(**client).get_orders(**more)

    found = [
        row
        for page in pages(LastUpdatedAfter=_since(shop), MaxResultsPerPage=2)
        for row in page.payload["Orders"]
    ]

    assert [row["AmazonOrderId"] for row in found] == [one.order_id for one in orders]
    items = Orders(**client).get_order_items(orders[0].order_id).payload["OrderItems"]
    assert [row["QuantityShipped"] for row in items] == [1]


def test_orders_of_2026_with_paging(
    shop: Any, client: dict[str, Any], later: Callable[[], None]
) -> None:
    orders = populate(shop.world, 5, dispatched=True)
    later()

    @load_all_pages(next_token_param="paginationToken")
    def pages(**more: Any) -> Any:
        return Orders(version="2026-01-01", **client).search_orders(**more)

    found = [
        row
        for page in pages(
            lastUpdatedAfter=_since(shop), maxResultsPerPage=2, includedData=["FULFILLMENT"]
        )
        for row in page.payload["orders"]
    ]

    assert [row["orderId"] for row in found] == [one.order_id for one in orders]
    assert {row["fulfillment"]["fulfillmentStatus"] for row in found} == {"SHIPPED"}
    one = Orders(version="2026-01-01", **client).get_order(orders[0].order_id).payload["order"]
    assert one["orderId"] == orders[0].order_id


def test_a_report_and_its_document(
    shop: Any, client: dict[str, Any], later: Callable[[], None]
) -> None:
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)
    shop.world.deliver(order.order_id)
    shop.world.customer_return(order.order_id)
    later()
    reports = Reports(**client)

    made = reports.create_report(
        reportType=ReportType[FLAT_RETURNS], dataStartTime=_since(shop)
    ).payload
    told = reports.get_report(made["reportId"]).payload
    document = reports.get_report_document(told["reportDocumentId"], download=True).payload

    assert told["processingStatus"] == "DONE"
    assert order.order_id in document["document"]
    assert gzip.decompress(shop.reports.document(shop.reports.made[made["reportId"]]))


def test_easy_ship(shop: Any, client: dict[str, Any], later: Callable[[], None]) -> None:
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)

    found = EasyShip(**client).get_scheduled_package(
        amazonOrderId=order.order_id, marketplaceId=INDIA
    )

    assert found.payload["packageStatus"] == "PickedUp"


def test_too_many_requests(shop: Any, client: dict[str, Any]) -> None:
    shop.faults.add(Fault(do="status", status=429, path="/orders/*"))

    with pytest.raises(SellingApiRequestThrottledException) as caught:
        Orders(**client).get_orders(LastUpdatedAfter=_since(shop))

    assert "QuotaExceeded" in str(caught.value)


def test_its_own_limits(kit: Any, client: dict[str, Any], shop: Any) -> None:
    shop.gate.limits = True
    orders = Orders(version="2026-01-01", **client)
    for _ in range(20):
        answer = orders.search_orders(lastUpdatedAfter=_since(shop))
    assert answer.rate_limit == "0.0056"

    with pytest.raises(SellingApiRequestThrottledException):
        orders.search_orders(lastUpdatedAfter=_since(shop))


def test_a_buyers_data_by_a_restricted_token(
    shop: Any, client: dict[str, Any], later: Callable[[], None]
) -> None:
    (order,) = populate(shop.world, 1)
    later()
    path = f"/orders/v0/orders/{order.order_id}/address"
    with pytest.raises(SellingApiForbiddenException):
        Orders(**client).get_order_address(order.order_id)
    wanted = [{"method": "GET", "path": path}]
    made = Tokens(**client).create_restricted_data_token(restrictedResources=wanted).payload

    token = made["restrictedDataToken"]
    told = Orders(**client, restricted_data_token=token).get_order_address(order.order_id).payload

    assert told["ShippingAddress"]["CountryCode"] == "IN"
    found = Orders(**client).get_orders(
        LastUpdatedAfter=_since(shop), RestrictedResources=["buyerInfo", "shippingAddress"]
    )
    assert found.payload["Orders"][0]["BuyerInfo"]


def test_the_sellers_marketplaces(client: dict[str, Any]) -> None:
    (row,) = Sellers(**client).get_marketplace_participation().payload

    assert row["marketplace"]["id"] == INDIA


def test_external_returns(shop: Any, client: dict[str, Any], later: Callable[[], None]) -> None:
    order = shop.world.place_order([("RED", 1)])
    shop.world.ship(order.order_id)
    (back,) = shop.world.courier_return(order.order_id)
    later()

    # Its list_returns asks for a path that the model does not have.
    (row,) = (
        ExternalFulfillmentReturnsV20240911(**client)
        .list_returns_get(rmaId=back.return_id)
        .payload["returns"]
    )

    assert (row["returnType"], row["numberOfUnits"]) == ("REJECT", 1)


def test_reports_are_listed_and_cancelled(kit: Any, shop: Any, client: dict[str, Any]) -> None:
    reports = Reports(**client)
    shop.reports.seconds = 60.0
    made = reports.create_report(reportType=ReportType[FLAT_RETURNS]).payload["reportId"]

    assert reports.cancel_report(made).errors is None

    (row,) = reports.get_reports(reportTypes=[FLAT_RETURNS]).payload["reports"]
    assert (row["reportId"], row["processingStatus"]) == (made, "CANCELLED")


def test_a_list_of_words_and_a_bad_one(
    shop: Any, client: dict[str, Any], later: Callable[[], None]
) -> None:
    populate(shop.world, 2, dispatched=True)
    later()
    orders = Orders(**client)
    asked = {"LastUpdatedAfter": _since(shop)}

    found = orders.get_orders(OrderStatuses=["Shipped", "Canceled"], **asked)

    assert len(found.payload["Orders"]) == 2
    with pytest.raises(SellingApiBadRequestException, match="InvalidInput"):
        orders.get_orders(OrderStatuses=["Delivered"], **asked)
