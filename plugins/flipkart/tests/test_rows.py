"""Bad rows cost only themselves, orders carry no buyer, settings refuse nonsense."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pluggy
import pytest
from pydantic import ValidationError

import syncd_flipkart
from syncd import OrderRef, ReadsBy, Status
from syncd.errors import PanelAnswer
from syncd.hookspecs import ChannelHooks, secret_fields
from syncd_flipkart import FlipkartSettings, describe_channel

REF = [OrderRef(order_id="OD77000000000000001", line_ids=("77000000000000001",))]

BAD_LINES: dict[str, dict[str, Any]] = {
    "no order id": {"orderId": ...},
    "empty order id": {"orderId": ""},
    "order id a number": {"orderId": 77},
    "endless line id": {"orderItemId": "7" * 201},
    "no line id": {"orderItemId": ...},
    "no status": {"status": ...},
    "status null": {"status": None},
    "quantity 0": {"quantity": 0},
    "quantity negative": {"quantity": -1.0},
    "quantity a fraction": {"quantity": 1.5},
    "quantity too large": {"quantity": 10_001},
    "quantity a text": {"quantity": "1"},
    "no quantity": {"quantity": ...},
    "courierReturn a text": {"courierReturn": "false"},
    "unknown word": {"status": "TELEPORTED"},
    "unknown word in lower case": {"status": "shipped"},
}


@pytest.mark.parametrize("case", BAD_LINES)
@pytest.mark.parametrize("kind", ["dispatched", "delivered", "cancelled"])
def test_a_bad_line_costs_only_itself(
    seller: Any, script: Any, kit: Any, case: str, kind: str
) -> None:
    word = {"dispatched": "SHIPPED", "delivered": "DELIVERED", "cancelled": "CANCELLED"}[kind]
    bad = kit.line(1, word) | BAD_LINES[case]
    bad = {name: value for name, value in bad.items() if value is not ...}
    rows = [
        kit.shipment(bad, kit.line(2, word), n=1),
        kit.shipment(kit.line(3, word), n=2),
    ]
    script.by_ids = lambda asked: {"shipments": rows}

    changes = seller.read(kind, REF)

    unknown = [change for change in changes if change.status is Status.UNKNOWN]
    assert [change.sku for change in changes if change not in unknown] == ["SKU-2", "SKU-3"]
    (odd,) = unknown
    assert odd.problem
    assert odd.occurred_at == datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    assert json.loads(odd.raw)["orderItems"][0]["sku"] == "SKU-1"
    assert odd.evidence_id
    assert seller.read(kind, REF) == changes


@pytest.mark.parametrize(
    "more",
    [
        {"shipmentId": ...},
        {"updatedAt": ...},
        {"updatedAt": None},
        {"updatedAt": "yesterday"},
        {"updatedAt": "2026-11-20T17:00:00"},
        {"locationId": 5},
    ],
    ids=["no id", "no stamp", "null stamp", "no date", "no offset", "location a number"],
)
def test_a_bad_shipment_costs_only_its_lines(
    seller: Any, script: Any, kit: Any, more: dict[str, Any]
) -> None:
    bad = kit.shipment(kit.line(1), kit.line(2), **more)
    script.search = lambda asked: kit.page([bad, kit.shipment(kit.line(3), n=3)])

    changes = seller.read("dispatched")

    assert [change.status for change in changes] == ["DISPATCHED", "UNKNOWN", "UNKNOWN"]
    assert [change.order_id for change in changes[1:]] == [
        "OD77000000000000001",
        "OD77000000000000002",
    ]
    assert all(change.problem and change.raw for change in changes[1:])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (None, "(nothing) "), (7, "(number) "), ("text", "(text) "), ([], "(list) "),
        ({}, '{"(row)":'), ({"orderItems": None}, '{"orderItems":null,"(row)":'),
    ],
)  # fmt: skip
def test_a_row_that_is_no_shipment(seller: Any, script: Any, kit: Any, row: Any, told: str) -> None:
    script.search = lambda asked: kit.page([row, kit.shipment(kit.line(3), n=3)])

    good, bad = seller.read("dispatched")

    assert good.sku == "SKU-3"
    assert bad.status is Status.UNKNOWN
    assert bad.order_id == ""
    assert bad.raw.startswith(told)


@pytest.mark.parametrize("lines", [[None], ["text"], [7]])
def test_a_line_that_is_no_line(seller: Any, script: Any, kit: Any, lines: list[Any]) -> None:
    script.search = lambda asked: kit.page([kit.shipment() | {"orderItems": lines}])

    (bad,) = seller.read("dispatched")

    assert bad.status is Status.UNKNOWN


def test_a_list_that_is_none_fails_the_pass(seller: Any, script: Any) -> None:
    script.search = lambda asked: {"hasMore": False, "shipments": {"a": 1}}

    with pytest.raises(PanelAnswer):
        seller.read("dispatched")


@pytest.mark.parametrize(
    "more",
    [
        {"orderId": ...},
        {"returnId": ""},
        {"quantity": 0},
        {"quantity": 1.5},
        {"status": ...},
        {"status": "mislaid"},
        {"type": "gift"},
        {"updatedDate": ""},
        {"updatedDate": "2026-11-20T17:05:00"},
        {"updatedDate": ...},
    ],
    ids=str,
)
def test_a_bad_return_costs_only_itself(
    seller: Any, script: Any, kit: Any, more: dict[str, Any]
) -> None:
    rows = [kit.returned(1, **{"status": "completed", **more}), kit.returned(2, "completed")]
    script.returns = lambda asked: kit.returns_page(
        rows if asked.params["source"] == "courier_return" else []
    )

    bad, good = seller.read("returns")

    assert (good.status, good.order_id) == (Status.RETURNED, "OD77000000000000002")
    assert bad.status is Status.UNKNOWN
    assert bad.problem
    assert json.loads(bad.raw)["orderItemId"] == "77000000000000001"
    assert bad.line_id == "77000000000000001"


@pytest.mark.parametrize("row", [None, 7, "text", []])
def test_a_row_that_is_no_return(seller: Any, script: Any, kit: Any, row: Any) -> None:
    script.returns = lambda asked: kit.returns_page([row])

    assert {change.status for change in seller.read("returns")} == {Status.UNKNOWN}


def test_an_endless_bad_row_is_cut(seller: Any, script: Any, kit: Any) -> None:
    endless = "x" * 30_000
    row = kit.shipment(kit.line(1), shipmentId=7, locationId=endless)
    script.search = lambda asked: kit.page([row])
    script.returns = lambda asked: kit.returns_page([kit.returned(1, returnId=7, reason=endless)])

    for change in seller.read("dispatched") + seller.read("returns"):
        assert change.status is Status.UNKNOWN
        assert len(change.raw) == 20_000


def test_by_id_an_unknown_word_of_a_returned_order_is_shown(
    seller: Any, script: Any, kit: Any
) -> None:
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, "TELEPORTED"))]}

    (change,) = seller.read("returns", REF)

    assert (change.status, change.native_status) == (Status.UNKNOWN, "TELEPORTED")


def test_ids_stay_text_byte_for_byte(seller: Any, script: Any, kit: Any) -> None:
    odd = "000OD 77é\u202e"
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1, orderId=odd))])

    (change,) = seller.read("dispatched")

    assert change.order_id == odd


def test_an_order_carries_its_lines_and_no_buyer(seller: Any, script: Any, kit: Any) -> None:
    row = kit.shipment(kit.line(1, "APPROVED", quantity=2.0), buyerDetails={"name": "canary"})
    script.search = lambda asked: kit.page([row])

    (order,) = seller.read("orders")

    assert script.calls("/sellers/v3/shipments/filter")[0].filter["type"] == "preDispatch"
    assert order.placed_at == datetime(2026, 11, 19, 4, 30, tzinfo=UTC)
    assert (order.order_id, order.location_id) == ("OD77000000000000001", "LOC1")
    (line,) = order.lines
    assert (line.line_id, line.sku, line.quantity) == ("77000000000000001", "SKU-1", 2)
    assert isinstance(line.quantity, int)
    assert "canary" not in repr(order)


def test_an_order_read_by_id_is_the_sum_of_its_states(seller: Any, script: Any, kit: Any) -> None:
    script.by_ids = lambda asked: {
        "shipments": [kit.shipment(kit.line(1, "CANCELLED"), kit.line(1, "SHIPPED", quantity=2.0))]
    }

    (order,) = seller.read("orders", REF)

    assert [line.quantity for line in order.lines] == [3]
    assert order.facts["quantity:77000000000000001"] == "3"


@pytest.mark.parametrize("more", [{"sku": None}, {"sku": ...}, {"sku": ""}])
def test_an_order_without_a_sku_is_for_a_person(
    seller: Any, script: Any, kit: Any, more: dict[str, Any]
) -> None:
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1, "APPROVED", **more))])

    (order,) = seller.read("orders")

    assert "no sku" in order.problem
    assert "77000000000000001" in order.raw


def test_an_unreadable_line_of_an_order_is_for_a_person(seller: Any, script: Any, kit: Any) -> None:
    bad = kit.line(2, "APPROVED", quantity=0)
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1, "APPROVED"), bad)])

    good, odd = seller.read("orders")

    assert not good.problem
    assert (odd.order_id, odd.lines) == ("OD77000000000000002", ())
    assert odd.problem
    assert odd.raw


def test_a_line_of_two_parcels_is_one_line(seller: Any, script: Any, kit: Any) -> None:
    script.by_ids = lambda asked: {
        "shipments": [
            kit.shipment(kit.line(1, "PACKED"), n=1),
            kit.shipment(kit.line(1, "APPROVED", quantity=2.0), n=2, locationId="LOC2"),
        ]
    }

    (order,) = seller.read("orders", REF)

    assert [line.quantity for line in order.lines] == [3]
    assert order.location_id == "LOC1"


def test_orders_are_shown_once_whether_or_not_the_read_by_id_knows_them(
    seller: Any, script: Any, kit: Any
) -> None:
    bad = kit.line(3, "APPROVED", quantity=0)
    known = kit.shipment(kit.line(1, "APPROVED"), kit.line(9, "APPROVED", orderId=...), n=1)
    script.search = lambda asked: kit.page([known, kit.shipment(kit.line(2, "APPROVED"), bad, n=2)])
    script.by_ids = lambda asked: {"shipments": [known]}

    orders = seller.read("orders")

    assert [order.order_id[-1:] for order in orders] == ["1", "", "2", "", "3"]
    assert [bool(order.problem) for order in orders] == [False, True, False, True, True]


def test_the_hooks_are_those_of_the_contract() -> None:
    manager = pluggy.PluginManager("syncd")
    manager.add_hookspecs(ChannelHooks)
    manager.register(syncd_flipkart)
    manager.check_pending()

    (channel,) = [manager.hook.describe_channel()]
    assert channel.title == "Flipkart"
    assert len(manager.get_hookcallers(syncd_flipkart) or ()) == 7


def test_the_description() -> None:
    channel = describe_channel()
    assert channel.time_zone == "Asia/Kolkata"
    assert channel.reads_by == {ReadsBy.WINDOW, ReadsBy.ORDERS}
    assert channel.orders_per_call == 100
    assert channel.paces["default"].per_second == 2
    assert channel.unverified
    assert set(secret_fields(channel.settings)) == {"app_secret", "refresh_token"}


def test_settings_have_the_production_host() -> None:
    settings = FlipkartSettings(app_id="a", app_secret="canary")  # type: ignore[arg-type]
    assert settings.base_url == "https://api.flipkart.net"
    assert settings.returns_prefix == "/sellers/v2"
    assert settings.service_profiles == ("NON_FBF",)
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"app_id": ""},
        {"app_secret": None},
        {"page_size": 0},
        {"page_size": 1001},
        {"service_profiles": []},
        {"service_profiles": ["FBA"]},
        {"locations": [""]},
        {"returns_prefix": "sellers"},
        {"returns_prefix": "//elsewhere.example"},
        {"returns_window": "always"},
        {"pace": "reckless"},
        {"password": "x"},
    ],
    ids=str,
)
def test_settings_refuse_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FlipkartSettings(**{"app_id": "a", "app_secret": "b", **wrong})


def test_a_location_named_twice_is_asked_once() -> None:
    settings = FlipkartSettings(app_id="a", app_secret="b", locations=["L", "L"])  # type: ignore[arg-type]
    assert settings.locations == ("L",)
