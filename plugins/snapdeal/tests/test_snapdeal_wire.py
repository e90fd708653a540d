"""Headers, pages, empty answers, errors, bad rows, and every way to write a date."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from syncd import Status, Window
from syncd.errors import PanelAnswer, PanelBusy, PanelRefused
from syncd.testing import Fault, World
from syncd_snapdeal.simulator import SnapdealSimulator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
STAMP = 1_795_168_800_000  # 2026-11-20 10:00 UTC
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
COMPLETED = "/orders/completed"


def item(code: str = "900000000001", word: str = "SHP", **more: Any) -> dict[str, Any]:
    fields = {
        "suborderCode": code,
        "skuCode": "SKU-1",
        "siStatusCode": word,
        "orderDate": STAMP,
        "price": 10,
        **more,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def package(*items: Any, **more: Any) -> dict[str, Any]:
    fields = {
        "packageReferenceCode": "SLP1",
        "fulfillmentModelCode": "DROPSHIP",
        "awbNo": "AWB1",
        "shippedDate": STAMP,
        "items": list(items),
        **more,
    }
    return {name: value for name, value in fields.items() if value is not ...}


# Headers and questions ------------------------------------------------------------------------


def test_three_headers_and_the_modes_go_with_every_call(
    seller: Any, sim: SnapdealSimulator, world: World
) -> None:
    seen: list[Any] = []
    sim.on_request = seen.append

    for kind in ("orders", "dispatched", "delivered", "cancelled", "returns"):
        seller.read(kind)

    assert {request.path for request in seen} == {
        "/orders/new", COMPLETED, "/suborders/cancelled", "/returns/pending",
        "/returns/completed",
    }  # fmt: skip
    for request in seen:
        assert request.headers["clientid"] == "simulated-partner"
        assert request.headers["x-auth-token"] == "simulated-partner-token"
        assert request.headers["x-seller-authz-token"] == "consent-1-of-seller-1"
        assert "DROPSHIP" in request.query["fModes"].split(",")
        assert ("FC_VOI" in request.query["fModes"]) is not request.path.startswith("/returns")
        assert request.query["pageSize"] == "20"
    dates = {request.query["startDate"] for request in seen if "startDate" in request.query}
    assert all(len(date) == 13 for date in dates)


def test_a_window_is_asked_for_in_milliseconds_and_never_narrower(
    seller: Any, sim: SnapdealSimulator
) -> None:
    half = timedelta(microseconds=500)
    seller.read("cancelled", window=Window(AT - half, AT + half))

    (asked,) = sim.requests("/suborders/cancelled")
    assert f"startDate={STAMP - 1}&endDate={STAMP + 1}&" in asked.target


def test_the_real_address_has_a_path_before_the_calls(
    sellers: Callable[..., Any], sim: SnapdealSimulator, world: World
) -> None:
    world.place_order([("SKU-1", 1)])

    assert len(sellers(base_url=f"{sim.url}/seller-api").read("orders")) == 1
    assert sim.requests("/seller-api/orders/new?")


def test_a_token_that_died_is_for_a_person(
    seller: Any, sellers: Callable[..., Any], sim: SnapdealSimulator
) -> None:
    sim.expire_tokens()

    with pytest.raises(PanelRefused, match="credentials") as refused:
        seller.read("orders")

    assert refused.value.code == "account_auth_failed"
    assert sellers().read("orders") == []  # with the new token


def test_an_error_inside_a_good_answer_is_told_without_the_secret(
    seller: Any, said: Callable[..., None]
) -> None:
    said(COMPLETED, "", message="no access for consent-1-of-seller-1")

    with pytest.raises(PanelAnswer, match=r"no access for \*\*\*"):
        seller.read("dispatched")


def test_no_secret_is_ever_told(seller: Any, sim: SnapdealSimulator) -> None:
    sim.faults.add(Fault(do="status", status=503, times=5), Fault(do="reset", times=5))

    for _ in range(2):
        with pytest.raises(PanelBusy) as busy:
            seller.read("orders")
        seller.said.append(busy.value.args)

    text = repr((seller.said, seller.account, seller.panel))
    assert "panel_retry" in text
    assert "consent-1" not in text
    assert "partner-token" not in text


def test_settings_refuse_what_cannot_be_meant(sellers: Callable[..., Any]) -> None:
    for wrong in ({"modes": []}, {"modes": ["SD+"]}, {"client_id": ""}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            sellers(**wrong)


# Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 40, 41])
def test_paging_ends_with_the_first_empty_page(seller: Any, world: World, count: int) -> None:
    for _ in range(count):
        world.place_order([("SKU-1", 1)], at=NOW - timedelta(hours=1))

    pages = list(seller.pages("orders"))

    assert sum(map(len, pages)) == count
    assert len({row.order_id for page in pages for row in page}) == count
    assert len(seller.sim.requests("/orders/new")) == -(-count // 20) + 1


def test_a_short_page_is_not_the_end(seller: Any, said: Callable[..., None]) -> None:
    """A limit below what was asked for, which no document names, must lose no row."""
    said(COMPLETED, "packages", package(item("1")))
    said(COMPLETED, "packages", package(item("2")))

    assert [one.order_id for one in seller.read("dispatched")] == ["1", "2"]


def test_a_page_that_comes_again_is_a_ring(
    seller: Any, sim: SnapdealSimulator, world: World
) -> None:
    world.place_order([("SKU-1", 1)])
    sim.faults.add(Fault(do="repeat", skip=1))

    with pytest.raises(PanelAnswer, match="page 2 is the page before"):
        seller.read("orders")


def test_a_restart_between_two_pages_loses_nothing(
    sellers: Callable[..., Any], world: World
) -> None:
    placed = {
        world.place_order([("A", 1)], at=NOW - timedelta(hours=1)).order_id for _ in range(50)
    }
    interrupted = sellers().pages("orders")
    next(interrupted)
    interrupted.close()

    assert {one.order_id for one in sellers().read("orders")} == placed


def test_a_page_at_a_time(seller: Any, sim: SnapdealSimulator, world: World) -> None:
    for _ in range(30):
        world.place_order([("SKU-1", 1)])
    pages = seller.pages("orders")

    next(pages)

    assert len(sim.requests("/orders/new")) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        '{"metadata": {}, "payload": null}',
        '{"metadata": {"message": null}}',
        '{"metadata": {}, "payload": {"packages": null}}',
        '{"metadata": {}, "payload": {"packages": []}}',
    ],
)
def test_each_way_to_say_nothing(seller: Any, sim: SnapdealSimulator, body: str) -> None:
    sim.faults.add(Fault(do="body", path=f"{COMPLETED}*", body=body))

    assert seller.read("dispatched") == []


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        '{"metadata": {}, "payload": {"packages": {}}}',
        '{"metadata": {}, "payload": {"parcels": []}}',
        '{"metadata": {}, "payload": {"packages": [',
        "<html>Please log in</html>",
    ],
)
def test_what_is_no_answer_is_not_taken_for_an_empty_one(
    seller: Any, sim: SnapdealSimulator, body: str
) -> None:
    sim.faults.add(Fault(do="body", path=f"{COMPLETED}*", body=body, times=-1))

    with pytest.raises(PanelAnswer):
        seller.read("dispatched")


def test_where_the_newest_come_first_reading_stops_at_old_ones(
    sellers: Callable[..., Any], sim: SnapdealSimulator, world: World
) -> None:
    for number in range(100):
        order = world.place_order([("SKU-1", 1)], at=NOW - timedelta(days=400))
        world.pick_up(order.order_id, at=NOW - timedelta(days=3 * number, hours=1))

    told = sellers(newest_first=True).read("dispatched")

    assert len(sim.requests(COMPLETED)) == 2
    assert told == sellers().read("dispatched")
    assert len(sim.requests(COMPLETED)) == 2 + 6


def test_a_package_without_a_date_is_not_old(
    sellers: Callable[..., Any], said: Callable[..., None]
) -> None:
    said(COMPLETED, "packages", package(item("1"), shippedDate=None))
    said(COMPLETED, "packages", package(item("2")))

    told = sellers(newest_first=True).read("dispatched")

    assert [one.order_id for one in told] == ["1", "2"]


def test_an_order_that_comes_between_two_pages_is_told_once_by_its_evidence(
    seller: Any, sim: SnapdealSimulator, world: World
) -> None:
    for number in range(25):
        order = world.place_order([("SKU-1", 1)], at=NOW - timedelta(days=1))
        world.pick_up(order.order_id, at=NOW - timedelta(hours=2, minutes=number))

    def one_more(request: Any) -> None:
        if request.query["pageNumber"] == "2" and len(world.orders) == 25:
            order = world.place_order([("SKU-1", 1)], at=NOW - timedelta(days=1))
            world.pick_up(order.order_id, at=NOW - timedelta(hours=1))

    sim.on_request = one_more
    told = seller.read("dispatched")

    assert len(told) == 26  # one of them twice; the new one comes with the next pass
    assert len({one.evidence_id for one in told}) == 25
    assert len({one.evidence_id for one in seller.read("dispatched")}) == 26


# Rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "dispatched", "delivered"),
    [
        ("SHP", [Status.DISPATCHED], []),
        ("SHIPPED", [Status.DISPATCHED], []),
        ("FFD", [Status.DISPATCHED], [Status.DELIVERED]),
        ("DELIVERED", [Status.DISPATCHED], [Status.DELIVERED]),
        *[(word, [], []) for word in ("PFF", "PRNT", "MFG", "BARP", "AHOS", "ASTN", "CLD")],
        *[(word, [Status.UNKNOWN], [Status.UNKNOWN]) for word in ("LOST", "shp", "")],
    ],
)
def test_every_word(
    seller: Any,
    said: Callable[..., None],
    word: str,
    dispatched: list[Status],
    delivered: list[Status],
) -> None:
    for kind, expected in (("dispatched", dispatched), ("delivered", delivered)):
        said(COMPLETED, "packages", package(item(word=word)))
        told = seller.read(kind)
        assert [one.status for one in told] == expected
        assert {one.order_id for one in told} <= {"900000000001"}


@pytest.mark.parametrize(
    "stamp",
    [
        STAMP,
        str(STAMP),
        "2026-11-20T10:00:00Z",
        "2026-11-20T15:30:00+05:30",
        "2026-11-20T15:30:00",
        "2026-11-20 15:30:00.000",
    ],
)
def test_every_way_to_write_a_date(seller: Any, said: Callable[..., None], stamp: object) -> None:
    said(COMPLETED, "packages", package(item(), shippedDate=stamp))

    (told,) = seller.read("dispatched")

    assert told.occurred_at == AT


@pytest.mark.parametrize("code", ["007", "0e10", "9007199254740993", "Mixed-Case_007", "é"])
def test_a_code_is_kept_byte_for_byte(seller: Any, said: Callable[..., None], code: str) -> None:
    said(COMPLETED, "packages", package(item(code, skuCode=code), packageReferenceCode=code))

    (told,) = seller.read("dispatched")

    assert told.order_id == told.line_id == told.sku == told.shipment_id == code


BAD = {
    "no date": package(item(), shippedDate=None),
    "a date in seconds": package(item(), shippedDate=STAMP // 1000),
    "a date that is none": package(item(), shippedDate="yesterday"),
    "a date beyond all years": package(item(), shippedDate=10**20 - 1),
    "a date of another kind": package(item(), shippedDate={"at": STAMP}),
    "no code of the suborder": package(item(suborderCode=...)),
    "an empty code": package(item(suborderCode="")),
    "a number as code": package(item(suborderCode=900000000001)),
    "no sku": package(item(skuCode=...)),
    "no word": package(item(siStatusCode=None)),
    "no code of the package": package(item(), packageReferenceCode=...),
    "an unknown word": package(item(word="TELEPORTED")),
    "an item that is none": package("item"),
    "no items": package(items=...),
    "items that are null": package(items=None),
    "no package": "package",
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_costs_only_itself(seller: Any, said: Callable[..., None], case: str) -> None:
    good = package(item("2"), packageReferenceCode="SLP2")
    said(COMPLETED, "packages", BAD[case], good)
    told = seller.read("dispatched")
    said(COMPLETED, "packages", BAD[case], good)
    again = seller.read("dispatched")

    odd, fine = told
    assert (odd.status, fine.status) == (Status.UNKNOWN, Status.DISPATCHED)
    assert odd.problem
    assert odd.raw
    assert odd.evidence_id
    assert again == told


@pytest.mark.parametrize("case", ["no code of the suborder", "no package"])
def test_what_has_no_readable_name_is_told_to_whoever_asks(
    seller: Any, said: Callable[..., None], case: str
) -> None:
    said(COMPLETED, "packages", BAD[case], package(item("2")))

    (told,) = seller.read("dispatched", ["3"])

    assert told.problem


def test_a_bad_new_order_is_told_with_its_problem(seller: Any, said: Callable[..., None]) -> None:
    said("/orders/new", "packages", package(item("1", orderDate=None)), package(item("2")), {})

    odd, good, none = seller.read("orders")

    assert (odd.order_id, odd.lines) == ("1", ())
    assert "orderDate" in odd.problem
    assert json.loads(odd.raw)["suborderCode"] == "1"
    assert (good.order_id, good.problem) == ("2", "")
    assert none.problem


def test_a_cancelled_suborder(seller: Any, said: Callable[..., None]) -> None:
    fields = {"updated": STAMP, "orderCode": "88", "cancellationReason": "Out of stock"}
    rows = [item("1", "CLD", **fields), item("2", "PFF", **fields), item("3", "???", **fields)]
    said("/suborders/cancelled", "items", *rows)

    told = seller.read("cancelled")

    assert [(one.order_id, one.status) for one in told] == [("1", "CANCELLED"), ("3", "UNKNOWN")]
    assert (told[0].occurred_at, told[0].reason) == (AT, "Out of stock")


def test_a_buyers_return_begins_when_the_buyer_says_so(
    seller: Any, said: Callable[..., None]
) -> None:
    fields = {"customerReturnInitiatedOn": STAMP, "returnInitiatedOn": STAMP + 86_400_000}
    said("/returns/pending", "ReturnDataSROList", {"suborderCode": "1", **fields})

    assert [one.occurred_at for one in seller.read("returns")] == [AT]


def test_a_return_that_cannot_be_dated(seller: Any, said: Callable[..., None]) -> None:
    said("/returns/completed", "ReturnDataSROList", {"suborderCode": "1"}, {"suborderCode": "2",
         "returnInitiatedOn": STAMP, "Status": "WHATEVER"})  # fmt: skip

    odd, good = seller.read("returns")

    assert (odd.order_id, odd.status) == ("1", Status.UNKNOWN)
    assert "returnInitiatedOn" in odd.problem
    assert (good.status, good.native_status) == (Status.RETURN_NOTICED, "WHATEVER")
    assert not good.left_seller


# The simulator --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/orders/new", {}, 400),
        ("/orders/new", {"fModes": "DROPSHIP"}, 204),
        ("/returns/completed", {"fModes": "DROPSHIP"}, 400),
        ("/returns/completed", {"fModes": "FC_VOI", "returnMode": "BUYER"}, 400),
        ("/returns/completed", {"fModes": "DROPSHIP", "returnMode": "BUYER"}, 204),
        (
            "/returns/pending",
            {"fModes": "DROPSHIP", "returnMode": "BUYER", "pageSize": "21"},
            400,
        ),
        ("/orders/elsewhere", {"fModes": "DROPSHIP"}, 404),
    ],
)
def test_the_simulator_refuses_what_the_panel_does(
    sim: SnapdealSimulator, path: str, params: dict[str, str], status: int
) -> None:
    headers = {
        "clientId": "simulated-partner",
        "X-Auth-Token": "simulated-partner-token",
        "X-Seller-AuthZ-Token": sim.settings()["seller_token"],
    }

    answer = requests.get(f"{sim.url}{path}", params=params, headers=headers, timeout=10)

    assert answer.status_code == status


@pytest.mark.parametrize("deed", ["garble", "empty"])
def test_the_simulators_faults(
    seller: Any, sim: SnapdealSimulator, world: World, deed: Any
) -> None:
    order = world.place_order([("SKU-1", 1)], at=NOW - timedelta(hours=5))
    world.pick_up(order.order_id, at=NOW - timedelta(hours=1))
    sim.faults.add(Fault(do=deed))

    told = seller.read("dispatched")

    assert [one.status for one in told] == ([Status.UNKNOWN] if deed == "garble" else [])
    assert [one.status for one in seller.read("dispatched")] == [Status.DISPATCHED]


def test_a_lagging_panel_shows_it_later(seller: Any, sim: SnapdealSimulator, world: World) -> None:
    order = world.place_order([("SKU-1", 1)], at=NOW - timedelta(hours=5))
    world.pick_up(order.order_id, at=NOW - timedelta(seconds=30))
    sim.faults.lag_seconds = 60

    assert seller.read("dispatched") == []
    sim.faults.lag_seconds = 0
    assert len(seller.read("dispatched")) == 1
