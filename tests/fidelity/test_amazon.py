"""The Amazon simulator and plugin against the official models and static sandbox cases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from msgspec import Raw, json as encoded

from syncd.clock import HandClock
from syncd.shapes import BadRow, rows
from syncd.testing import World
from syncd_amazon import api, statuses, wire
from syncd_amazon.settings import FBA_RETURNS, FLAT_RETURNS, INDIA
from syncd_amazon.simulator import AmazonSimulator, new_world
from syncd_amazon.simulator_reports import FBA_HEAD, HEAD

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
OURS = {
    "searchOrders", "getOrder", "getOrders", "getOrderItems", "createReport", "getReport",
    "getReports", "getReportDocument", "getScheduledPackage", "listReturns", "getReturn",
}  # fmt: skip
MODELS = {
    "/orders/2026-01-01/orders": "orders_2026-01-01",
    "/orders/v0/orders": "ordersV0",
    "/easyShip/": "easyShip_2022-03-23",
    "/reports/": "reports_2021-06-30",
    "/externalFulfillment/2024-09-11/returns": "externalFulfillmentReturns_2024-09-11",
}


@pytest.fixture(scope="session")
def folder(facts: Path) -> Path:
    return facts / "amazon"


@pytest.fixture(scope="session")
def models(folder: Path) -> dict[str, Any]:
    return {
        prefix: json.loads((folder / "models" / f"{name}.json").read_text())
        for prefix, name in MODELS.items()
    }


@pytest.fixture(scope="session")
def enums(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "enums.json").read_text()))


@pytest.fixture
def world() -> World:
    return new_world(HandClock(START))


@pytest.fixture
def sim(world: World) -> Iterator[AmazonSimulator]:
    with AmazonSimulator(world) as simulator:
        yield simulator
        assert simulator.troubles == []


def _token(sim: AmazonSimulator) -> dict[str, str]:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": next(iter(sim.gate.refresh_tokens)),
        "client_id": sim.gate.client_id,
        "client_secret": sim.gate.client_secret,
    }
    answer = requests.post(f"{sim.url}/auth/o2/token", data=form, timeout=10).json()
    return {"x-amz-access-token": answer["access_token"]}


class Checked:
    """A client that checks each answer against the official model of its path."""

    def __init__(self, sim: AmazonSimulator, models: Mapping[str, Any]) -> None:
        self.sim = sim
        self.models = models
        self.headers = _token(sim)

    def call(self, method: str, path: str, template: str, status: int = 200, **more: Any) -> Any:
        answer = requests.request(
            method, self.sim.url + path, headers=self.headers, timeout=10, **more
        )
        assert answer.status_code == status, answer.text
        (model,) = [self.models[prefix] for prefix in self.models if template.startswith(prefix)]
        operation = model["paths"][template][method.lower()]
        schema = operation["responses"][str(status)]["schema"]
        whole = {**schema, "definitions": model["definitions"]}
        jsonschema.Draft4Validator(whole).validate(answer.json())
        return answer.json()


def _lively(world: World, clock: HandClock) -> None:
    for traits in ({}, {"fulfillment": "AFN"}, {"programs": "PRIME"}, {"wish": "no"},
                   {"replaces": "403-0000000-0000001"}):  # fmt: skip
        world.place_order([("RED", 2), ("BLUE", 1)], traits=dict(traits))
    world.hold(world.place_order([("RED", 1)]).order_id)
    for by in ("seller", "buyer", "marketplace"):
        order = world.place_order([("RED", 3)])
        world.cancel(order.order_id, quantity=1, by=by)  # type: ignore[arg-type]
        world.ship(order.order_id, quantity=1)
        world.cancel(world.place_order([("RED", 1)]).order_id, by=by)  # type: ignore[arg-type]
    for verb in ("pick_up", "ship", "lost", "deliver", "courier_return", "customer_return"):
        order = world.place_order([("RED", 1)])
        if verb in ("lost", "deliver", "courier_return", "customer_return"):
            world.ship(order.order_id)
        if verb == "customer_return":
            world.deliver(order.order_id)
        getattr(world, verb)(order.order_id)
    clock.advance(timedelta(hours=1))


def test_every_answer_fits_its_model(
    world: World, sim: AmazonSimulator, models: Mapping[str, Any]
) -> None:
    clock = world.clock
    assert isinstance(clock, HandClock)
    _lively(world, clock)
    checked = Checked(sim, models)
    since = (START - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    new, old = "/orders/2026-01-01/orders", "/orders/v0/orders"
    wanted = {"lastUpdatedAfter": since, "maxResultsPerPage": "7", "includedData": api.INCLUDED}
    found = []
    while True:
        page = checked.call("GET", new, new, params=wanted)
        found += page["orders"]
        if "pagination" not in page:
            break
        wanted["paginationToken"] = page["pagination"]["nextToken"]
    assert len({row["orderId"] for row in found}) == len(world.orders)
    asked = {"LastUpdatedAfter": since, "MarketplaceIds": INDIA}
    rows_v0 = checked.call("GET", old, old, params=asked)["payload"]["Orders"]
    assert len(rows_v0) == len(world.orders)
    for order_id in world.orders:
        more = {"params": {"includedData": api.INCLUDED}}
        checked.call("GET", f"{new}/{order_id}", f"{new}/{{orderId}}", **more)
        checked.call("GET", f"{old}/{order_id}", f"{old}/{{orderId}}")
        checked.call("GET", f"{old}/{order_id}/orderItems", f"{old}/{{orderId}}/orderItems")
    easy = "/easyShip/2022-03-23/package"
    told = {"amazonOrderId": list(world.orders)[-3], "marketplaceId": INDIA}
    checked.call("GET", easy, easy, params=told)
    checked.call("GET", easy, easy, 400, params={**told, "amazonOrderId": "903-1"})
    reports = "/reports/2021-06-30/reports"
    body = {"reportType": FLAT_RETURNS, "marketplaceIds": [INDIA], "dataStartTime": since}
    made = checked.call("POST", reports, reports, 202, json=body)["reportId"]
    report = checked.call("GET", f"{reports}/{made}", f"{reports}/{{reportId}}")
    checked.call("GET", reports, reports)
    number = report["reportDocumentId"]
    documents = "/reports/2021-06-30/documents"
    checked.call("GET", f"{documents}/{number}", f"{documents}/{{reportDocumentId}}")
    returns = "/externalFulfillment/2024-09-11/returns"
    (one, *_) = checked.call("GET", returns, returns)["returns"]
    checked.call("GET", f"{returns}/{one['id']}", f"{returns}/{{returnId}}")


def _cases(folder: Path) -> list[dict[str, Any]]:
    whole = json.loads((folder / "sandbox_static_cases.json").read_text())
    return [case for cases in whole.values() if isinstance(cases, list) for case in cases]


def test_the_static_sandbox_cases_are_answered(folder: Path) -> None:
    cases = [case for case in _cases(folder) if case["operationId"] in OURS]
    assert len(cases) > 40
    with AmazonSimulator(new_world(HandClock(START)), static=cases) as sim:
        headers = _token(sim)
        for case in cases:
            path, query, body = case["path"], {}, None
            for name, one in case["request"].get("parameters", {}).items():
                if name == "body":
                    body = one.get("value", one)
                    continue
                value = one["value"]
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                if f"{{{name}}}" in path:
                    path = path.replace(f"{{{name}}}", text)
                else:
                    query[name] = text
            answer = requests.request(
                case["method"], sim.url + path, params=query, json=body, headers=headers, timeout=10
            )
            assert (answer.status_code, answer.json()) == (case["status"], case["response"]), case
        assert sim.troubles == []


def test_the_plugins_shapes_read_the_sandbox_answers(folder: Path) -> None:
    """All but the old examples, whose stamps and numbers break their own model."""
    shapes = {"searchOrders": wire.Order26, "listReturns": wire.ExternalReturn}
    lists = {"searchOrders": "orders", "listReturns": "returns"}
    read = 0
    for case in _cases(folder):
        name = case["operationId"]
        if name in shapes and case["status"] == 200:
            raw = Raw(encoded.encode(case["response"][lists[name]]))
            shape: Any = shapes[name]
            found = list(rows(raw, shape))
            assert not [row for row in found if isinstance(row, BadRow)], found
            read += len(found)
    assert read > 10


def test_every_word_of_the_models_is_known(enums: Mapping[str, Any]) -> None:
    for name in ("v0_order_status", "v2026_fulfillment_status"):
        missing = set(enums[name]) - set(statuses.ORDER_STAGE)
        assert {one.upper() for one in missing} == {"UNFULFILLABLE"}  # for a person, on purpose
    assert set(enums["v2026_package_status"]) == set(statuses.PACKAGE_STAGE)
    for name in (
        "v2026_package_detailed_status", "v0_easyship_status", "easyship_api_package_status",
    ):  # fmt: skip
        assert all(statuses.easy_ship_stage(word) for word in enums[name])
    assert set(enums["external_fulfillment_return_status"]) == set(statuses.RETURN_STATUS)


def test_the_three_spellings_of_a_word_mean_the_same(enums: Mapping[str, Any]) -> None:
    old = {one.upper(): statuses.easy_ship_stage(one) for one in enums["v0_easyship_status"]}
    for word in enums["v2026_package_detailed_status"]:
        plain = word.replace("_", "").replace("CANCELLED", "CANCELED")
        assert statuses.easy_ship_stage(word) is old[plain]


def test_the_plugins_rates_are_the_documented_ones(folder: Path) -> None:
    import syncd_amazon as plugin

    told = json.loads((folder / "rate_limits.json").read_text())
    for name, rate in told.items():
        operation = name.partition(":")[2]
        pace = plugin.PACES.get(operation)
        if pace is not None and pace.header:
            assert (pace.per_second, pace.burst) == (rate["rate_per_s"], rate["burst"]), name


def test_the_columns_of_reports_are_the_documented_ones(folder: Path) -> None:
    for kind, head in ((FLAT_RETURNS, HEAD), (FBA_RETURNS, FBA_HEAD)):
        text = (folder / "samples" / f"synthetic_{kind}.tsv").read_text()
        assert text.splitlines()[0].split("\t") == list(head)
