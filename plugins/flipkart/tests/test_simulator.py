"""The pretend panel: OAuth, searches, paging, quirks, each trap, faults; and the plugin on it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests

from syncd.clock import HandClock
from syncd.testing import Fault, LineSpec, State, World, populate
from syncd_flipkart.simulator import FlipkartSimulator, new_world
from syncd_flipkart.simulator_rows import WORDS

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOKEN = "/oauth-service/oauth/token"
FILTER = "/sellers/v3/shipments/filter"


class Talk:
    """A plain client of the pretend panel."""

    def __init__(self, sim: FlipkartSimulator) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.basic = (sim.client_id, sim.client_secret)
        self.bearer = ""

    def token(self, basic: tuple[str, str] | None = None, **query: str) -> requests.Response:
        query = query or {"grant_type": "client_credentials", "scope": "Seller_Api"}
        auth = basic or self.basic
        return self.session.get(self.sim.url + TOKEN, params=query, auth=auth, timeout=10)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        if not self.bearer:
            self.bearer = self.token().json()["access_token"]
        headers = {"Authorization": f"Bearer {self.bearer}"}
        return self.session.request(
            method, self.sim.url + path, headers=headers, timeout=10, **more
        )

    def get(self, path: str, **query: str) -> Any:
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = self.call("POST", path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def search(self, kind: str, *, size: int = 20, **more: Any) -> dict[str, Any]:
        body = {"filter": {"type": kind, **more}, "pagination": {"pageSize": size}}
        return dict(self.post(FILTER, body))

    def walk(self, page: dict[str, Any]) -> list[dict[str, Any]]:
        rows = list(page["shipments"])
        while page["hasMore"]:
            page = self.get("/sellers" + page["nextPageUrl"])
            rows += page["shipments"]
        return rows

    def returns(self, source: str, **query: str) -> list[dict[str, Any]]:
        page = self.get("/sellers/v2/returns", source=source, **query)
        rows = list(page["returnItems"])
        while page["hasMore"]:
            page = self.get("/sellers/v2" + page["nextUrl"])
            rows += page["returnItems"]
        return rows


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def world(clock: HandClock) -> World:
    return new_world(clock, seed=3)


@pytest.fixture
def sim(world: World) -> Iterator[FlipkartSimulator]:
    with FlipkartSimulator(world) as simulator:
        yield simulator
        assert simulator.troubles == []


@pytest.fixture
def talk(sim: FlipkartSimulator) -> Iterator[Talk]:
    talk = Talk(sim)
    yield talk
    talk.session.close()


def ids(page: Mapping[str, Any]) -> list[str]:
    return [row["orderItems"][0]["orderId"] for row in page["shipments"]]


def items(rows: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(item["status"], item["quantity"]) for row in rows for item in row["orderItems"]]


# OAuth ----------------------------------------------------------------------------------------


def test_client_credentials_hand_out_the_living_token_again_with_the_time_left(
    talk: Talk, clock: HandClock
) -> None:
    first = talk.token().json()
    assert first["expires_in"] == 60 * 86_400
    assert (first["token_type"], first["scope"]) == ("bearer", "Seller_Api")
    assert "refresh_token" not in first
    clock.advance(timedelta(days=10))
    again = talk.token().json()
    assert again["access_token"] == first["access_token"]
    assert again["expires_in"] == 50 * 86_400
    clock.advance(timedelta(days=50))
    assert talk.token().json()["access_token"] != first["access_token"]


@pytest.mark.parametrize(
    ("basic", "query", "status", "error"),
    [
        (("simulated-app", "wrong"), {}, 401, "unauthorized"),
        (("nobody", "simulated-secret"), {}, 401, "unauthorized"),
        (None, {"grant_type": "client_credentials"}, 400, "invalid_scope"),
        (None, {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (None, {"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        (None, {"grant_type": "authorization_code", "code": "x"}, 400, "invalid_grant"),
    ],
)
def test_the_token_endpoint_refuses(
    talk: Talk, basic: Any, query: dict[str, str], status: int, error: str
) -> None:
    answer = talk.token(basic, **query)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


def test_a_token_runs_out_and_is_refused_with_its_own_text_in_the_message(
    talk: Talk, clock: HandClock
) -> None:
    talk.search("postDispatch")
    clock.advance(timedelta(days=60))
    answer = talk.call("GET", "/sellers/v3/shipments", params={"orderIds": "OD1"})
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"
    assert talk.bearer in answer.json()["error_description"]


@pytest.mark.parametrize("path", [FILTER, "/sellers/v2/returns", "/sellers/v3/shipments"])
def test_no_call_without_a_token(sim: FlipkartSimulator, path: str) -> None:
    answer = requests.get(sim.url + path, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


def test_a_refresh_token_is_reusable_or_for_one_use(world: World) -> None:
    for use, second in (("reusable", 200), ("one-use", 400)):
        with FlipkartSimulator(world, refresh_use=use) as sim:  # type: ignore[arg-type]
            talk, old = Talk(sim), sim.grants.consent(sim.client_id)
            first = talk.token(grant_type="refresh_token", refresh_token=old).json()
            assert (first["refresh_token"] == old) == (use == "reusable")
            answer = talk.token(grant_type="refresh_token", refresh_token=old)
            assert answer.status_code == second
            new = first["refresh_token"]
            assert talk.token(grant_type="refresh_token", refresh_token=new).status_code == 200
            sim.grants.revoke(sim.client_id)
            assert talk.token(grant_type="refresh_token", refresh_token=new).status_code == 400


def test_the_authorization_code_flow(talk: Talk) -> None:
    query = {
        "client_id": talk.sim.client_id,
        "redirect_uri": "https://app.invalid/back",
        "response_type": "code",
        "state": "s1",
    }
    url = talk.sim.url + "/oauth-service/oauth/authorize"
    answer = requests.get(url, params=query, timeout=10, allow_redirects=False)
    location = answer.headers["Location"]
    assert location.startswith("https://app.invalid/back?code=")
    assert location.endswith("&state=s1")
    code = location.split("code=")[1].split("&")[0]
    token = talk.token(grant_type="authorization_code", code=code).json()
    assert token["refresh_token"]
    assert talk.token(grant_type="authorization_code", code=code).status_code == 400


def test_each_app_sees_its_own_seller_only(talk: Talk, world: World) -> None:
    world.add_seller("other", ["LOC2"])
    mine = world.place_order([("RED", 1)])
    other = world.place_order([("RED", 1)], seller_id="other")
    talk.sim.grants.add_app("app-2", "secret-2", "other")
    second = Talk(talk.sim)
    second.basic = ("app-2", "secret-2")
    assert ids(talk.search("preDispatch")) == [mine.order_id]
    assert ids(second.search("preDispatch")) == [other.order_id]
    both = f"{mine.order_id},{other.order_id}"
    assert len(talk.get("/sellers/v3/shipments", orderIds=both)["shipments"]) == 1


# Searches for shipments -----------------------------------------------------------------------


def test_rows_carry_the_quirks_of_the_real_panel(talk: Talk, world: World) -> None:
    world.place_order([("RED", 2)])
    body = {"filter": {"type": "preDispatch"}}
    text = talk.call("POST", FILTER, json=body).text
    [row] = json.loads(text)["shipments"]
    [item] = row["orderItems"]
    assert '"quantity":2.0' in text
    assert row["updatedAt"] == "2026-11-20T11:30:00.000+05:30"
    assert item["packageIds"][0] == item["packageIds"][1]
    assert item["serviceProfile"] == "Seller_Fulfilment"
    assert item["is_replacement"] is False
    assert "cancellationDate" not in item
    assert row["subShipments"] == [{"subShipmentId": "SS-1", "packages": []}]


def test_states_and_types(talk: Talk, world: World) -> None:
    orders = {verb: world.place_order([("RED", 1)]).order_id for verb in (
        "start_packing", "fail_packing", "pack", "ready", "pick_up", "ship")}  # fmt: skip
    for verb, order_id in orders.items():
        getattr(world, verb)(order_id)
    words = Counter(word for word, _ in items(talk.search("preDispatch")["shipments"]))
    assert words == Counter(["PACKING_IN_PROGRESS", "FORM_FAILED", "PACKED", "READY_TO_DISPATCH"])
    assert ids(talk.search("preDispatch", states=["PACKED"])) == [orders["pack"]]
    assert ids(talk.search("postDispatch", states=["SHIPPED"])) == [orders["ship"]]
    assert len(ids(talk.search("postDispatch"))) == 2


def test_every_filter_narrows(talk: Talk, world: World, clock: HandClock) -> None:
    world.add_location("LOC2")
    plain = world.place_order([("RED", 1)])
    clock.advance(HOUR)
    traits = {"shipment_type": "EXPRESS", "tier": "EXPRESS", "mps": "true"}
    odd = world.place_order([("BLUE", 1)], location_id="LOC2", traits=traits)
    own = world.place_order([("GREEN", 1)], ships_by="seller")
    world.hold(plain.order_id)
    late = {"from": "2026-11-20T12:30:00.000+05:30", "to": "2026-11-20T07:00:00Z"}
    slot = {"from": (START + 3 * HOUR).isoformat(), "to": (START + 4 * HOUR).isoformat()}
    wishes: list[tuple[dict[str, Any], list[Any]]] = [
        ({"locationId": "LOC2"}, [odd]),
        ({"sku": ["BLUE", "WHITE"]}, [odd]),
        ({"shipmentTypes": ["EXPRESS"]}, [odd]),
        ({"shipmentTypes": ["SELF"]}, [own]),
        ({"dispatchServiceTiers": ["EXPRESS"]}, [odd]),
        ({"mps": True}, [odd]),
        ({"hold": True}, [plain]),
        ({"hold": False}, [odd, own]),
        ({}, [odd, own]),
        ({"orderDate": late}, [odd, own]),
        ({"orderDate": {"to": "2026-11-20T06:59:59Z"}, "hold": True}, [plain]),
        ({"dispatchAfterDate": slot}, [odd, own]),
        ({"dispatchByDate": slot}, []),
        ({"modifiedDate": {"from": "2026-11-20T07:00:01Z"}}, []),
        ({"serviceProfiles": ["FBF"]}, []),
    ]
    for wish, expected in wishes:
        found = sorted(ids(talk.search("preDispatch", **wish)))
        assert found == sorted(one.order_id for one in expected), wish


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "field", ["modifiedDate", "orderDate", "dispatchByDate", "dispatchAfterDate"]
)
def test_sorting(talk: Talk, world: World, clock: HandClock, field: str, order: str) -> None:
    made = []
    for n in range(3):
        clock.advance(HOUR)
        made.append(world.place_order([("RED", n + 1)]).order_id)
    body = {"filter": {"type": "preDispatch"}, "sort": {"field": field, "order": order}}
    expected = made if order == "asc" else made[::-1]
    assert ids(talk.post(FILTER, body)) == expected


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"filter": {}}, "missing required field `type`"),
        ({"filter": {"type": "all"}}, "Invalid enum value 'all'"),
        ({"filter": {"type": "cancelled"}}, "cancellationType is mandatory"),
        ({"filter": {"type": "preDispatch", "states": ["SHIPPED"]}}, "do not belong"),
        ({"filter": {"type": "preDispatch"}, "pagination": {"pageSize": 0}}, "out of range"),
        (
            {"filter": {"type": "preDispatch", "orderDate": {"from": "2026-11-20T00:00:00"}}},
            "needs its offset",
        ),
        ({"filter": {"type": "preDispatch", "orderDate": {"from": "today"}}}, "datetime"),
    ],
)
def test_a_search_that_breaks_a_rule_is_refused(talk: Talk, body: object, sentence: str) -> None:
    answer = talk.call("POST", FILTER, json=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["errors"][0]["description"]


def test_paging_walks_everything_once_with_the_filter_inside_the_token(
    talk: Talk, world: World
) -> None:
    populate(world, 45, dispatched=True)
    first = talk.search("postDispatch", states=["PICKUP_COMPLETE"])
    assert (len(first["shipments"]), first["hasMore"]) == (20, True)
    assert first["nextPageUrl"].startswith("/v3/shipments/filter?next_token=")
    rows = talk.walk(first)
    assert len({row["shipmentId"] for row in rows}) == len(rows) == 45
    token = first["nextPageUrl"].split("=", 1)[1]
    content = json.loads(base64.b64decode(token))
    assert content["token"]["pagination"] == {"page_num": 2, "page_size": 20}
    assert content["token"]["params"]["states"] == ["pickup_complete"]


def test_every_field_of_a_filter_survives_the_token(talk: Talk, world: World) -> None:
    traits = {"service_profile": "FBF", "tier": "EXPRESS", "mps": "true"}
    for n in range(3):
        order = world.place_order([("RED", 1), ("BLUE", 1)], traits=traits)
        world.cancel(order.order_id, by="marketplace") if n else world.hold(order.order_id)
    for _ in range(2):
        order = world.place_order([("RED", 1)], traits=traits)
        world.hold(order.order_id)
    more = {
        "serviceProfiles": ["FBF"],
        "dispatchServiceTiers": ["EXPRESS"],
        "sku": ["RED"],
        "mps": True,
        "locationId": world.sellers[talk.sim.seller_id][0],
        "orderDate": {"from": "2026-11-20T06:00:00Z", "to": "2026-11-20T06:00:01Z"},
        "dispatchByDate": {"from": "2026-11-20T06:00:00Z"},
        "dispatchAfterDate": {"from": "2026-11-20T06:00:00Z"},
    }
    gone = {
        "cancellationType": "marketplaceCancellation",
        "cancellationDate": {"from": "2026-11-20T11:30:00.000+05:30"},
    }
    found = talk.walk(talk.search("cancelled", size=1, **more, **gone))
    assert items(found) == [("CANCELLED", 1.0)] * 4
    assert len(talk.walk(talk.search("preDispatch", size=1, hold=True, **more))) == 3
    assert len(talk.walk(talk.search("preDispatch", size=1, hold=False, **more))) == 0


@pytest.mark.parametrize("token", ["", "x", "e30=", base64.b64encode(b"[1]").decode()])
def test_a_damaged_token_is_refused(talk: Talk, token: str) -> None:
    assert talk.call("GET", FILTER, params={"next_token": token}).status_code == 400
    assert talk.call("GET", f"/sellers/v2/returns/search/{token}").status_code == 400


def test_a_token_of_another_seller_is_refused(talk: Talk, world: World) -> None:
    world.add_seller("other", ["LOC2"])
    talk.sim.grants.add_app("app-2", "secret-2", "other")
    populate(world, 3)
    link = talk.search("preDispatch", size=1)["nextPageUrl"]
    thief = Talk(talk.sim)
    thief.basic = ("app-2", "secret-2")
    assert thief.call("GET", "/sellers" + link).status_code == 400


def test_a_rest_of_exactly_one_page_has_no_further_page(talk: Talk, world: World) -> None:
    populate(world, 20)
    page = talk.search("preDispatch")
    assert page["hasMore"] is False
    assert "nextPageUrl" not in page


@pytest.mark.parametrize("kind", ["shipmentIds", "orderItemIds", "orderIds"])
def test_reads_by_ids(talk: Talk, world: World, kind: str) -> None:
    orders = populate(world, 3)
    world.place_order([("RED", 1)])
    wanted = {
        "shipmentIds": [one.shipment_ids[0] for one in orders],
        "orderItemIds": [one.lines[0].line_id for one in orders],
        "orderIds": [one.order_id for one in orders],
    }[kind]
    page = talk.get("/sellers/v3/shipments", **{kind: ",".join([*wanted, "unknown", wanted[0]])})
    assert ids(page) == [one.order_id for one in orders]


def test_reads_by_ids_have_limits(talk: Talk) -> None:
    path = "/sellers/v3/shipments"
    many = ",".join(str(n) for n in range(101))
    assert talk.call("GET", path, params={"orderIds": many}).status_code == 400
    assert talk.call("GET", path).status_code == 400
    two = {"orderIds": "1", "shipmentIds": "2"}
    assert talk.call("GET", path, params=two).status_code == 400


def test_details_name_courier_and_buyer(talk: Talk, world: World) -> None:
    order = world.place_order([("RED", 1)])
    [row] = talk.get(f"/sellers/v3/shipments/{order.shipment_ids[0]}")["shipments"]
    parcel = world.parcels[order.shipment_ids[0]]
    leg = row["courierDetails"]["deliveryDetails"]
    assert leg == {"vendorName": parcel.courier, "trackingId": parcel.tracking_number}
    assert row["orderId"] == order.order_id
    assert row["buyerDetails"]["lastName"] == "Buyer"


def test_an_unknown_path_is_404_in_the_panels_form(talk: Talk) -> None:
    answer = talk.call("GET", "/sellers/v4/shipments")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


# Returns --------------------------------------------------------------------------------------


def delivered(world: World, count: int = 1) -> list[str]:
    made = []
    for order in populate(world, count, dispatched=True):
        world.deliver(order.order_id)
        made.append(order.order_id)
    return made


def test_returns_one_source_a_call_25_a_page(talk: Talk, world: World) -> None:
    for order_id in delivered(world, 30):
        world.customer_return(order_id)
    [rto] = populate(world, 1, dispatched=True)
    world.courier_return(rto.order_id)
    page = talk.get("/sellers/v2/returns", source="customer_return")
    assert (len(page["returnItems"]), page["hasMore"]) == (25, True)
    assert page["nextUrl"].startswith("/returns/search/")
    assert talk.call("GET", "/sellers" + page["nextUrl"]).status_code == 404
    rows = talk.returns("customer_return")
    assert len({row["returnId"] for row in rows}) == len(rows) == 30
    [row] = talk.returns("courier_return")
    assert (row["orderId"], row["type"]) == (rto.order_id, "courier_return")
    assert talk.call("GET", "/sellers/v2/returns").status_code == 400
    assert talk.call("GET", "/sellers/v2/returns", params={"source": "x"}).status_code == 400


def test_a_return_mixes_two_forms_of_stamps(talk: Talk, world: World) -> None:
    [order_id] = delivered(world)
    world.customer_return(order_id)
    [row] = talk.returns("customer_return")
    assert row["orderDate"].endswith(".000Z")
    assert row["createdDate"] == "2026-11-20T11:30:00+05:30"
    assert row["quantity"] == 1


def test_returns_by_change_by_id_and_by_location(
    talk: Talk, world: World, clock: HandClock
) -> None:
    first, second = delivered(world, 2)
    [one] = world.customer_return(first)
    clock.advance(HOUR)
    [two] = world.customer_return(second)

    def found(**query: str) -> set[str]:
        return {row["returnId"] for row in talk.returns("customer_return", **query)}

    assert found(modifiedAfter="2026-11-20T06:30:00Z") == {two.return_id}
    assert found(modifiedBefore="2026-11-20T12:00:00.000+05:30") == {one.return_id}
    assert found(returnIds=f"{one.return_id},nothing") == {one.return_id}
    assert found(trackingIds=two.tracking_number) == {two.return_id}
    assert found(locationId="LOC9") == set()
    assert found(locationId=one.location_id) == {one.return_id, two.return_id}
    many = ",".join(str(n) for n in range(26))
    for name in ("returnIds", "trackingIds"):
        query = {"source": "customer_return", name: many}
        assert talk.call("GET", "/sellers/v2/returns", params=query).status_code == 400
    for wrong in ("yesterday", "2026-11-20T06:30:00"):
        query = {"source": "customer_return", "modifiedAfter": wrong}
        assert talk.call("GET", "/sellers/v2/returns", params=query).status_code == 400


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("announced", "init"),
        ("service_requested", "service_requested"),
        ("cancelling", "cancellation_in_progress"),
        ("completed", "completed"),
        ("cancelled", "cancelled"),
        ("rejected", "rejected"),
    ],
)
def test_words_of_a_return(talk: Talk, world: World, event: str, word: str) -> None:
    [order_id] = delivered(world)
    [back] = world.customer_return(order_id)
    assert talk.returns("customer_return")[0]["status"] == "created"
    world.return_event(back.return_id, event)
    assert talk.returns("customer_return")[0]["status"] == word


# The sandbox verbs ----------------------------------------------------------------------------


def test_the_sandbox_leads_an_order_from_its_birth_to_its_return(talk: Talk, world: World) -> None:
    order_items = [{"listingId": "LST1", "quantity": 2}, {"listingId": "LST2"}]
    wish = {"shipmentType": "EXPRESS", "orderItems": order_items}
    made = talk.post("/sellers/orders/sandbox/test_orders", wish)
    first, second = (item["orderItemId"] for item in made["orderItems"])
    assert [item["quantity"] for item in made["orderItems"]] == [2, 1]
    for verb, word in [
        ("pick_up_complete", "PICKUP_COMPLETE"),
        ("shipped", "SHIPPED"),
        ("delivered", "DELIVERED"),
    ]:
        talk.post(f"/sellers/orders/sandbox/{verb}", {"orderItemId": first})
        [row] = talk.get("/sellers/v3/shipments", orderItemIds=first)["shipments"]
        assert [item["status"] for item in row["orderItems"]] == [word, "APPROVED"]
    assert row["shipmentType"] == "EXPRESS"
    assert row["orderItems"][0]["listingId"] == "LST1"
    talk.post("/sellers/orders/sandbox/shipped", {"orderItemId": second})
    create, event = (
        "/sellers/returns/sandbox/create_returns",
        "/sellers/returns/sandbox/return_events",
    )
    talk.post(create, {"orderItemId": first, "returnType": "customer_return"})
    talk.post(create, {"orderItemId": second, "returnType": "COURIER"})
    talk.post(event, {"orderItemId": first, "eventType": "return_completed"})
    talk.post(event, {"orderItemId": second, "eventType": "CANCELLED"})
    words = {key[1]: dict(count) for key, count in world.truth().items()}
    assert words == {first: {"RETURNED_CIR": 2}, second: {"DISPATCHED": 1}}


def test_the_sandbox_holds_and_moves_dispatch_slots(talk: Talk, world: World) -> None:
    order = world.place_order([("RED", 1)])
    wish: dict[str, str] = {"orderItemId": order.lines[0].line_id}
    assert talk.call("PUT", "/sellers/orders/sandbox/on_hold", json=wish).status_code == 200
    assert talk.search("preDispatch")["shipments"] == []
    answer = talk.call("POST", "/sellers/orders/sandbox/shipped", json=wish)
    assert answer.status_code == 400
    assert talk.call("PUT", "/sellers/orders/sandbox/un_hold", json=wish).status_code == 200
    slot = {
        "dispatchAfterDate": "2026-12-01T10:00:00+05:30",
        "dispatchByDate": "2026-12-01T12:00:00+05:30",
    }
    talk.post("/sellers/orders/sandbox/update_dispatch_slot", {**wish, **slot})
    [row] = talk.search("preDispatch")["shipments"]
    assert row["dispatchByDate"] == "2026-12-01T12:00:00.000+05:30"
    slot["dispatchByDate"] = "2026-12-01T12:00:00Z"
    path = "/sellers/orders/sandbox/update_dispatch_slot"
    assert talk.call("POST", path, json={**wish, **slot}).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("orders/sandbox/shipped", {"orderItemId": "7"}, 400),
        ("orders/sandbox/shipped", {}, 400),
        ("orders/sandbox/explode", {}, 404),
        ("orders/sandbox/test_orders", {"orderItems": [{"quantity": 1}]}, 400),
        ("returns/sandbox/create_returns", {"orderItemId": "7", "returnType": "courier"}, 400),
    ],
)
def test_the_sandbox_says_no(talk: Talk, path: str, body: object, status: int) -> None:
    assert talk.call("POST", f"/sellers/{path}", json=body).status_code == status


def test_the_sandbox_knows_only_its_own_words(talk: Talk, world: World) -> None:
    order = world.place_order([("RED", 1)])
    world.ship(order.order_id)
    line = order.lines[0].line_id
    create = {"orderItemId": line, "returnType": "balloon"}
    event = {"orderItemId": line, "eventType": "completed"}
    for path, body in (("create_returns", create), ("return_events", event)):
        assert talk.call("POST", f"/sellers/returns/sandbox/{path}", json=body).status_code == 400
    world.courier_return(order.order_id)
    event["eventType"] = "melted"
    path = "/sellers/returns/sandbox/return_events"
    assert talk.call("POST", path, json=event).status_code == 400


# Each trap can be staged ----------------------------------------------------------------------


def test_trap_01_a_search_for_cancellations_finds_rtos(talk: Talk, world: World) -> None:
    gone = world.place_order([("RED", 1)])
    world.cancel(gone.order_id)
    back = world.place_order([("BLUE", 1)])
    world.ship(back.order_id)
    world.cancel_in_transit(back.order_id)
    rows = talk.search("cancelled", cancellationType="buyerCancellation")["shipments"]
    flags = {item["sku"]: item.get("courierReturn") for row in rows for item in row["orderItems"]}
    assert flags == {"RED": None, "BLUE": True}
    [row] = talk.returns("courier_return")
    assert row["orderId"] == back.order_id


def test_trap_02_one_cancellation_type_a_call(talk: Talk, world: World) -> None:
    for by in ("seller", "buyer", "marketplace"):
        world.cancel(world.place_order([(by, 1)]).order_id, by=by)
    for by in ("seller", "buyer", "marketplace"):
        rows = talk.search("cancelled", cancellationType=f"{by}Cancellation")["shipments"]
        assert [row["orderItems"][0]["sku"] for row in rows] == [by]


@pytest.mark.parametrize(
    ("parts", "searched", "read"),
    [
        ("total", [("CANCELLED", 2.0)], [("CANCELLED", 2.0), ("APPROVED", 2.0)]),
        ("each", [("CANCELLED", 1.0)] * 2, [("CANCELLED", 1.0)] * 2 + [("APPROVED", 2.0)]),
        ("rest", [("CANCELLED", 2.0)], [("APPROVED", 2.0)]),
    ],
)
def test_trap_03_a_line_cancelled_in_parts(
    world: World, clock: HandClock, parts: Any, searched: Any, read: Any
) -> None:
    order = world.place_order([("RED", 4)])
    for _ in range(2):
        clock.advance(HOUR)
        world.cancel(order.order_id, quantity=1)
    with FlipkartSimulator(world, parts=parts) as sim:
        talk = Talk(sim)
        rows = talk.search("cancelled", cancellationType="buyerCancellation")["shipments"]
        assert items(rows) == searched
        page = talk.get("/sellers/v3/shipments", orderIds=order.order_id)
        assert items(page["shipments"]) == read


def test_trap_04_created_after_is_the_indian_day_of_the_approval(
    talk: Talk, world: World, clock: HandClock
) -> None:
    early, late = delivered(world, 2)
    [one] = world.customer_return(early)  # 11:30 in India
    clock.advance(timedelta(hours=13))  # half past midnight there
    [two] = world.customer_return(late)

    def found(moment: str) -> set[str]:
        rows = talk.returns("customer_return", createdAfter=moment)
        return {row["returnId"] for row in rows}

    assert found("2026-11-20T18:29:00Z") == {one.return_id, two.return_id}
    assert found("2026-11-20T18:30:00Z") == {two.return_id}
    for n in range(24):
        clock.advance(timedelta(minutes=1))
        world.customer_return(delivered(world)[0], at=clock.now() + n * HOUR)
    query = {"source": "customer_return", "createdAfter": "2026-11-20T00:00:00Z"}
    link = talk.get("/sellers/v2/returns", **query)["nextUrl"]
    wanted = json.loads(base64.b64decode(link.rsplit("/", 1)[1]))["filter"]
    assert wanted["approved"]["from_date"] == "2026-11-20"
    assert wanted["created_after"] is None


def test_trap_05_rows_shift_between_pages(talk: Talk, world: World, clock: HandClock) -> None:
    orders = populate(world, 40, dispatched=True)
    body = {
        "filter": {"type": "postDispatch"},
        "sort": {"field": "modifiedDate", "order": "asc"},
    }
    first = talk.post(FILTER, body)
    clock.advance(HOUR)
    world.deliver(orders[0].order_id)  # was on page one, moves to the end of page two
    second = talk.get("/sellers" + first["nextPageUrl"])
    seen = Counter(ids(first) + ids(second))
    assert seen[orders[20].order_id] == 0  # slipped through between the pages
    assert seen[orders[0].order_id] == 2


def test_trap_06_the_token_dies_between_two_pages(talk: Talk, world: World) -> None:
    populate(world, 40, dispatched=True)
    talk.sim.faults.add(Fault(do="expire", path="*next_token=*"))
    first = talk.search("postDispatch")
    answer = talk.call("GET", "/sellers" + first["nextPageUrl"])
    assert answer.status_code == 401
    talk.bearer = ""
    assert len(talk.walk(first)) == 40


@pytest.mark.parametrize(
    ("profile", "shown"), [("FBF", "Flipkart_Fulfilment"), ("FBF_LITE", "Smart_Fulfilment")]
)
def test_trap_07_fbf_is_hidden_unless_asked_for(
    talk: Talk, world: World, profile: str, shown: str
) -> None:
    world.ship(world.place_order([("RED", 1)], traits={"service_profile": profile}).order_id)
    assert talk.search("postDispatch")["shipments"] == []
    [row] = talk.search("postDispatch", serviceProfiles=[profile])["shipments"]
    assert row["orderItems"][0]["serviceProfile"] == shown


def test_trap_08_who_ships_is_said_by_the_shipment(talk: Talk, world: World) -> None:
    world.place_order([("RED", 1)], ships_by="seller")
    world.place_order([("RED", 1)])
    rows = talk.search("preDispatch")["shipments"]
    assert Counter(row["shipmentType"] for row in rows) == {"SELF": 1, "NORMAL": 1}


def test_trap_09_two_statuses_in_a_shipment_and_an_order_in_two(talk: Talk, world: World) -> None:
    order = world.place_order([("RED", 2), ("BLUE", 1)], split=[[(0, 1), (1, 1)], [(0, 1)]])
    world.pick_up(order.order_id, order.lines[0].line_id)
    rows = talk.get("/sellers/v3/shipments", orderIds=order.order_id)["shipments"]
    assert [items([row]) for row in rows] == [
        [("PICKUP_COMPLETE", 1.0), ("APPROVED", 1.0)],
        [("PICKUP_COMPLETE", 1.0)],
    ]
    assert len({row["shipmentId"] for row in rows}) == 2


def test_trap_10_a_replacement_is_a_line_of_its_own(talk: Talk, world: World) -> None:
    old = world.place_order([("RED", 1)])
    line_id = old.lines[0].line_id
    world.place_order([LineSpec(sku="RED", replaces_line_id=line_id)])
    rows = [row["orderItems"][0] for row in talk.search("preDispatch")["shipments"]]
    assert sorted(row["is_replacement"] for row in rows) == [False, True]
    assert len({row["orderItemId"] for row in rows}) == 2


def test_words_that_only_the_schema_knows(world: World) -> None:
    orders = populate(world, 2, dispatched=True)
    for order in orders:
        world.deliver(order.order_id)
    backs = [world.customer_return(order.order_id)[0] for order in orders]
    world.return_event(backs[1].return_id, "completed")
    with FlipkartSimulator(world, return_words=True) as sim:
        wanted = ",".join(order.order_id for order in orders)
        rows = Talk(sim).get("/sellers/v3/shipments", orderIds=wanted)["shipments"]
        assert [word for word, _ in items(rows)] == ["RETURN_REQUESTED", "RETURNED"]


# Faults of pages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "more", "link"),
    [
        (Fault(do="no_link"), True, None),
        (Fault(do="foreign"), True, "https://elsewhere.invalid/v3/shipments/filter"),
        (Fault(do="foreign", body="http://evil.invalid/x"), True, "http://evil.invalid/x"),
    ],
)
def test_links_that_lie(
    talk: Talk, world: World, fault: Fault, more: bool, link: str | None
) -> None:
    populate(world, 3)
    talk.sim.faults.add(msgspec.structs.replace(fault, method="POST"))
    page = talk.search("preDispatch")
    assert (page["hasMore"], page.get("nextPageUrl")) == (more, link)


def test_a_stray_link_a_ring_an_empty_and_a_garbled_page(talk: Talk, world: World) -> None:
    populate(world, 3)
    deeds = ("stray_link", "empty", "garble")
    talk.sim.faults.add(*(Fault(do=deed, method="POST") for deed in deeds))  # type: ignore[arg-type]
    stray = talk.search("preDispatch")
    assert stray["hasMore"] is False
    assert stray["nextPageUrl"]
    empty = talk.search("preDispatch", size=2)
    assert (empty["shipments"], empty["hasMore"]) == ([], True)
    assert talk.search("preDispatch")["shipments"][0] == {"broken": True}
    talk.sim.faults.add(Fault(do="ring", path="*next_token=*", times=-1))
    page = talk.search("preDispatch", size=2)
    second = talk.get("/sellers" + page["nextPageUrl"])
    assert second["nextPageUrl"] == page["nextPageUrl"]


def test_a_change_may_stay_hidden_for_a_while(talk: Talk, world: World, clock: HandClock) -> None:
    populate(world, 1, dispatched=True)
    world.customer_return(delivered(world)[0])
    world.pick_up(world.place_order([("RED", 1)]).order_id)
    talk.sim.faults.lag_seconds = 60
    assert len(talk.search("postDispatch")["shipments"]) == 1
    assert talk.returns("customer_return") == []
    clock.advance(timedelta(seconds=60))
    assert len(talk.search("postDispatch")["shipments"]) == 3
    assert len(talk.returns("customer_return")) == 1


# Alone ----------------------------------------------------------------------------------------


def alone(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "syncd", "simulate", "flipkart", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.parametrize("end", ["stdin", "signal"])
def test_alone_it_says_where_it_is_and_serves_until_told(end: str) -> None:
    orders = ["--orders", "50", "--dispatched"]
    process = alone(*orders, "--hand-clock", "--sellers", "2")
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        told = json.loads(process.stdout.readline())
        assert told["orders"] == 50
        first, second = told["sellers"].values()
        assert first["settings"]["app_id"] != second["settings"]["app_id"]
        rows = requests.get(told["url"] + "/control/truth", timeout=10).json()
        assert Counter(word for row in rows for word in row["words"]) == {"DISPATCHED": 50}
        moved = requests.post(told["url"] + "/control/clock", json={"advance": 60}, timeout=10)
        assert moved.json() == {"now": "2026-11-20T06:01:00Z"}
        if end == "stdin":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def test_every_state_of_the_world_has_a_word() -> None:
    assert set(WORDS) == set(State)
