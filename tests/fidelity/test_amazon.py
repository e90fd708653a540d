"""The Amazon simulator and plugin against the official models and static sandbox cases."""

from __future__ import annotations

import json
import subprocess
import sys
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
from syncd_amazon.simulator_files import FBA_HEAD, HEAD

Models = dict[tuple[str, str], tuple[Any, Any]]
START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
OURS = {
    "searchOrders", "getOrder", "getOrders", "getOrderItems", "getOrderAddress",
    "getOrderBuyerInfo", "getOrderItemsBuyerInfo", "createReport", "getReport", "getReports",
    "cancelReport", "getReportDocument", "getScheduledPackage", "listReturns", "getReturn",
    "createRestrictedDataToken", "getMarketplaceParticipations",
}  # fmt: skip


@pytest.fixture(scope="session")
def folder(facts: Path) -> Path:
    return facts / "amazon"


@pytest.fixture(scope="session")
def models(folder: Path) -> Models:
    """Each operation of all models with its model, by method and path."""
    found = {}
    for file in (folder / "models").glob("*.json"):
        model = json.loads(file.read_text())
        for path, operations in model["paths"].items():
            for method, operation in operations.items():
                found[method.upper(), path] = operation, model
    return found


def _fits(told: tuple[Any, Any], answer: requests.Response) -> None:
    """The answer has the shape and the headers that the model declares for its status."""
    operation, model = told
    declared = operation["responses"][str(answer.status_code)]
    lacking = [
        name
        for name in declared.get("headers", {})
        if name.lower() not in {one.lower() for one in answer.headers}
    ]
    assert not lacking, (operation["operationId"], answer.status_code, lacking)
    if "schema" in declared:
        whole = {**declared["schema"], "definitions": model["definitions"]}
        jsonschema.Draft4Validator(whole).validate(answer.json())


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

    def __init__(self, sim: AmazonSimulator, models: Models) -> None:
        self.sim = sim
        self.models = models
        self.headers = _token(sim)

    def call(self, method: str, path: str, template: str, status: int = 200, **more: Any) -> Any:
        answer = requests.request(
            method, self.sim.url + path, headers=self.headers, timeout=10, **more
        )
        assert answer.status_code == status, answer.text
        _fits(self.models[method, template], answer)
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


def test_every_answer_fits_its_model(world: World, sim: AmazonSimulator, models: Models) -> None:
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
    checked.call("GET", reports, reports, params={"reportTypes": FLAT_RETURNS})
    number = report["reportDocumentId"]
    documents = "/reports/2021-06-30/documents"
    checked.call("GET", f"{documents}/{number}", f"{documents}/{{reportDocumentId}}")
    returns = "/externalFulfillment/2024-09-11/returns"
    (one, *_) = checked.call("GET", returns, returns)["returns"]
    checked.call("GET", f"{returns}/{one['id']}", f"{returns}/{{returnId}}")
    sellers = "/sellers/v1/marketplaceParticipations"
    checked.call("GET", sellers, sellers)


def test_what_is_a_buyers_fits_its_model(
    world: World, sim: AmazonSimulator, models: Models
) -> None:
    order_id = world.place_order([("RED", 2)]).order_id
    checked = Checked(sim, models)
    tokens, old = "/tokens/2021-03-01/restrictedDataToken", "/orders/v0/orders"
    lasts = ("", "/address", "/buyerInfo", "/orderItems/buyerInfo")
    wanted = [
        {
            "method": "GET",
            "path": f"{old}/{order_id}{last}",
            "dataElements": ["buyerInfo", "shippingAddress"],
        }
        for last in lasts
    ]
    body = {"restrictedResources": wanted}
    checked.call("POST", tokens, tokens, 400, json={})
    for last in lasts[1:]:
        checked.call("GET", f"{old}/{order_id}{last}", f"{old}/{{orderId}}{last}", 403)
    token = checked.call("POST", tokens, tokens, json=body)["restrictedDataToken"]
    checked.headers = {"x-amz-access-token": token}
    for last in lasts:
        checked.call("GET", f"{old}/{order_id}{last}", f"{old}/{{orderId}}{last}")


def test_every_refusal_fits_its_model(world: World, sim: AmazonSimulator, models: Models) -> None:
    """Bad lists, ids and times, foreign ids, no token, beyond the rate: shape and headers."""
    checked = Checked(sim, models)
    since = START.strftime("%Y-%m-%dT%H:%M:%SZ")
    new, old, reports = "/orders/2026-01-01/orders", "/orders/v0/orders", "/reports/2021-06-30/"
    bad: list[tuple[str, dict[str, str]]] = [
        (new, {}),
        (new, {"lastUpdatedAfter": since, "fulfillmentStatuses": "Shipped"}),
        (new, {"lastUpdatedAfter": since, "marketplaceIds": "NOWHERE"}),
        (new, {"lastUpdatedAfter": since, "includedData": "EVERYTHING"}),
        (old, {"LastUpdatedAfter": since}),
        (old, {"LastUpdatedAfter": since, "MarketplaceIds": "NOWHERE"}),
        (old, {"LastUpdatedAfter": since, "MarketplaceIds": INDIA, "OrderStatuses": "SHIPPED"}),
        (old, {"LastUpdatedAfter": since, "CreatedAfter": since, "MarketplaceIds": INDIA}),
        (f"{reports}reports", {}),
        ("/externalFulfillment/2024-09-11/returns", {"lastUpdatedSince": since}),
        ("/easyShip/2022-03-23/package", {"marketplaceId": INDIA}),
    ]
    for path, query in bad:
        checked.call("GET", path, path, 400, params=query)
    for path, name in (
        (new, "orderId"), (old, "orderId"), (f"{reports}reports", "reportId"),
        (f"{reports}documents", "reportDocumentId"),
        ("/externalFulfillment/2024-09-11/returns", "returnId"),
    ):  # fmt: skip
        nothing = "403-0000000-0000000" if name == "orderId" else "none"
        checked.call("GET", f"{path}/{nothing}", f"{path}/{{{name}}}", 404)
    checked.call("GET", f"{new}/none", f"{new}/{{orderId}}", 400)
    sim.gate.limits = True
    for _ in range(20):
        checked.call("GET", new, new, params={"lastUpdatedAfter": since})
    checked.call("GET", new, new, 429, params={"lastUpdatedAfter": since})
    checked.headers = {}
    for path in (new, old, f"{reports}reports"):
        checked.call("GET", path, path, 403)


def _cases(folder: Path) -> list[dict[str, Any]]:
    whole = json.loads((folder / "sandbox_static_cases.json").read_text())
    return [case for cases in whole.values() if isinstance(cases, list) for case in cases]


# What a sandbox answer fixes: ids, states, counts, tokens and codes. Names, prices, times and texts
# are samples of theirs, and ours are our own.
FIXED = {
    "AmazonOrderId", "OrderStatus", "FulfillmentChannel", "MarketplaceId", "OrderItemId",
    "QuantityOrdered", "QuantityShipped", "NextToken", "orderId", "marketplaceId",
    "fulfillmentStatus", "fulfilledBy", "orderItemId", "quantityOrdered", "quantityFulfilled",
    "quantityUnfulfilled", "quantity", "status", "detailedStatus", "programs", "nextToken",
    "reportId", "reportType", "processingStatus", "reportDocumentId", "id", "rmaId",
    "numberOfUnits", "returnType", "amazonOrderId", "expiresIn", "code",
}  # fmt: skip
# The simulator's seller sells in India, and an order has the same lines whoever asks for them.
NOT_FIXED = {"getMarketplaceParticipations": {"id"}, "getOrderItemsBuyerInfo": {"OrderItemId"}}


def _differences(theirs: Any, ours: Any, fixed: set[str], at: str = "") -> Iterator[str]:
    """Where our answer says something else than theirs, of what theirs fixes."""
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(ours) != len(theirs):
            yield f"{at}: {theirs} became {ours}"
            return
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from _differences(one, other, fixed, f"{at}[{number}]")
    elif isinstance(theirs, dict):
        skipped = {"programs"} if "orderItemId" in theirs else set()
        for name, value in theirs.items():
            first = value[0] if isinstance(value, list) and value else value
            inner = isinstance(first, dict)
            if inner and isinstance(ours, dict) and name in ours:
                yield from _differences(value, ours[name], fixed, f"{at}.{name}")
            elif name in fixed - skipped and (ours or {}).get(name) != value:
                yield f"{at}.{name}: {value!r} became {(ours or {}).get(name)!r}"


@pytest.fixture(scope="session")
def alone() -> Iterator[tuple[str, dict[str, str]]]:
    """``syncd simulate amazon``, the program itself and nothing handed to it; with a token."""
    program = Path(sys.executable).with_name("syncd")
    with subprocess.Popen(
        [program, "simulate", "amazon"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        (seller,) = json.loads(running.stdout.readline())["sellers"].values()
        told = seller["settings"]
        wanted = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token", **{name: told[name] for name in wanted}}
        answer = requests.post(f"{told['base_url']}/auth/o2/token", json=form, timeout=10).json()
        yield told["base_url"], {"x-amz-access-token": answer["access_token"]}
        running.terminate()


def _ours(folder: Path) -> list[dict[str, Any]]:
    """The sandbox cases of what is simulated, but those that nothing tells from another one."""
    cases = [case for case in _cases(folder) if case["operationId"] in OURS]
    return [
        case
        for case in cases
        if case["request"].get("parameters")
        or case["operationId"] in ("getMarketplaceParticipations",)
    ]


def test_the_static_sandbox_cases_are_answered(
    folder: Path, models: Models, alone: tuple[str, dict[str, str]]
) -> None:
    """Proves: the program, knowing nothing of the official files, answers each official request
    with the official status, in the official model's shape and headers, and with the same ids,
    states, counts, tokens and error codes (``FIXED``). Names, prices, times and texts are its own.
    """
    url, headers = alone
    cases = _ours(folder)
    assert len(cases) >= 55
    wrong: list[str] = []
    for case in cases:
        path, query, body = case["path"], {}, None
        for name, one in case["request"].get("parameters", {}).items():
            value = one.get("value", one)
            if name == "body":
                body = value
            elif f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", value)
            else:
                query[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        answer = requests.request(
            case["method"], url + path, params=query, json=body, headers=headers, timeout=10
        )
        name = f"{case['operationId']} {case['status']} {query or path}"
        if answer.status_code != case["status"]:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:200]}")
            continue
        told = models[case["method"], case["path"]]
        _fits(told, answer)
        if case["response"] is not None:
            fixed = FIXED - NOT_FIXED.get(case["operationId"], set())
            found = _differences(case["response"], answer.json(), fixed)
            wrong += [f"{name}{one}" for one in found]
    assert not wrong, "\n".join(wrong)


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
