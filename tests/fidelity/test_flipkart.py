"""The Flipkart simulator and plugin against the published schema and recorded answers."""

from __future__ import annotations

import base64
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import requests
from pydantic import SecretStr

import syncd_flipkart as plugin
from syncd import Account, OrderRef, Panel, ReturnType, Status, Window
from syncd.clock import HandClock
from syncd.testing import Fault, PanelServer, Reply, Request, World, json_reply, populate
from syncd.tokens import MemoryTokens
from syncd_flipkart import statuses
from syncd_flipkart.simulator import FlipkartSimulator, new_world
from syncd_flipkart.simulator_rows import RETURN_WORDS, SOURCES, WORDS
from syncd_flipkart.simulator_search import STATES

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
IDS_PATH = "/sellers/v3/shipments"
FILTER_PATH = "/sellers/v3/shipments/filter"
RETURNS_PATH = "/sellers/v2/returns"


@pytest.fixture(scope="session")
def folder(facts: Path) -> Path:
    return facts / "flipkart"


@pytest.fixture(scope="session")
def document(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "openapi-orders-returns.json").read_text()))


@pytest.fixture(scope="session")
def enums(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "enums.json").read_text()))


@pytest.fixture(scope="session")
def sample(folder: Path) -> Any:
    def load(name: str) -> Any:
        return json.loads((folder / "samples" / f"{name}.json").read_text())

    return load


class Checked:
    """A client that checks each answer against the published schema of its path."""

    def __init__(self, sim: FlipkartSimulator, document: Mapping[str, Any]) -> None:
        self.sim = sim
        self.document = document
        self.checked: list[str] = []
        answer = requests.get(
            f"{sim.url}/oauth-service/oauth/token",
            params={"grant_type": "client_credentials", "scope": "Seller_Api"},
            auth=(sim.client_id, sim.client_secret),
            timeout=10,
        )
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def call(self, method: str, path: str, *, template: str = "", **more: Any) -> Any:
        url = self.sim.url + path
        answer = requests.request(method, url, headers=self.headers, timeout=10, **more)
        assert answer.status_code == 200, answer.text
        template = template or path.partition("?")[0]
        self.check(method, template, answer.json())
        self.checked.append(f"{method} {template}")
        return answer.json()

    def check(self, method: str, template: str, content: Any) -> None:
        operation = self.document["paths"][template][method.lower()]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": self.document["components"]}
        checker = jsonschema.FormatChecker(["date-time"])
        assert "date-time" in checker.checkers  # needs rfc3339-validator
        jsonschema.Draft202012Validator(whole, format_checker=checker).validate(content)

    def walk(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        page = self.call("POST", FILTER_PATH, json=body)
        rows = list(page["shipments"])
        while page["hasMore"]:
            page = self.call("GET", "/sellers" + page["nextPageUrl"])
            rows += page["shipments"]
        return rows

    def walk_returns(self, **query: str) -> list[dict[str, Any]]:
        page = self.call("GET", RETURNS_PATH, params=query)
        rows = list(page["returnItems"])
        while page["hasMore"]:
            link = "/sellers/v2" + page["nextUrl"]
            page = self.call("GET", link, template=RETURNS_PATH)
            rows += page["returnItems"]
        return rows


def lively(world: World, clock: HandClock) -> None:
    """Orders in every state, cancelled by everybody, returned both ways in every state."""
    traits = {"tier": "EXPRESS", "shipment_type": "EXPRESS", "payment": "COD"}
    for verb in ("hold", "start_packing", "fail_packing", "pack", "ready"):
        getattr(world, verb)(world.place_order([("RED", 2), ("BLUE", 1)], traits=traits).order_id)
    for by in ("seller", "buyer", "marketplace"):
        order = world.place_order([("RED", 3)])
        world.cancel(order.order_id, quantity=1, by=by)
        world.ship(order.order_id)
        world.cancel_in_transit(order.order_id, quantity=1, by=by)
    own = world.place_order([("RED", 1)], ships_by="seller")
    for verb in ("ship", "deliver", "complete"):
        getattr(world, verb)(own.order_id)
    for profile in ("FBF", "FBF_LITE"):
        world.ship(world.place_order([("RED", 1)], traits={"service_profile": profile}).order_id)
    for n, order in enumerate(populate(world, 60, dispatched=True)):
        clock.advance(timedelta(seconds=1, milliseconds=7))
        world.deliver(order.order_id)
        [back] = world.customer_return(order.order_id)
        if n < len(RETURN_WORDS):
            world.return_event(back.return_id, list(RETURN_WORDS)[n])
    world.lost(populate(world, 1, dispatched=True)[0].order_id)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def world(clock: HandClock) -> World:
    return new_world(clock, seed=11)


@pytest.fixture
def sim(world: World) -> Iterator[FlipkartSimulator]:
    with FlipkartSimulator(world) as simulator:
        yield simulator
        assert simulator.troubles == []


# Every answer of the simulator against the schema ---------------------------------------------


@pytest.mark.parametrize("parts", ["total", "each", "rest"])
@pytest.mark.parametrize("return_words", [False, True])
def test_every_reading_answer_fits_the_schema(
    world: World, clock: HandClock, document: Any, parts: Any, return_words: bool
) -> None:
    lively(world, clock)
    with FlipkartSimulator(world, parts=parts, return_words=return_words) as sim:
        checked = Checked(sim, document)
        profiles: dict[str, Any] = {"serviceProfiles": ["NON_FBF", "FBF", "FBF_LITE"]}
        seen = []
        for kind in ("preDispatch", "postDispatch"):
            wanted = {"type": kind, **profiles}
            seen += checked.walk({"filter": wanted, "pagination": {"pageSize": 2}})
        for by in statuses.CANCELLATION_TYPES:
            wanted = {"type": "cancelled", "cancellationType": by}
            seen += checked.walk({"filter": wanted, "pagination": {"pageSize": 1}})
        some = list(world.parcels)[:100]
        checked.call("GET", IDS_PATH, params={"shipmentIds": ",".join(some)})
        path = f"{IDS_PATH}/{','.join(some[:3])}"
        checked.call("GET", path, template=f"{IDS_PATH}/{{shipmentIds}}")
        backs = [row for source in SOURCES.values() for row in checked.walk_returns(source=source)]
    assert len(backs) == len(world.returns) > 60
    assert len({row["shipmentId"] for row in seen}) > 10
    assert len(set(checked.checked)) == 5


def test_every_sandbox_answer_fits_the_schema(sim: FlipkartSimulator, document: Any) -> None:
    checked = Checked(sim, document)
    orders, returns = "/sellers/orders/sandbox/", "/sellers/returns/sandbox/"
    wish = {"shipmentType": "NORMAL", "orderItems": [{"listingId": "LST1", "quantity": 1}]}
    made = checked.call("POST", f"{orders}test_orders", json=wish)
    item = {"orderItemId": made["orderItems"][0]["orderItemId"]}
    slot = {
        "dispatchAfterDate": "2026-12-01T10:00:00+05:30",
        "dispatchByDate": "2026-12-01T12:00:00+05:30",
    }
    checked.call("PUT", f"{orders}on_hold", json=item)
    checked.call("PUT", f"{orders}un_hold", json=item)
    checked.call("POST", f"{orders}update_dispatch_slot", json={**item, **slot})
    for verb in ("pick_up_complete", "shipped", "delivered"):
        checked.call("POST", f"{orders}{verb}", json=item)
    wish = {**item, "returnType": "customer_return"}
    checked.call("POST", f"{returns}create_returns", json=wish)
    checked.call("POST", f"{returns}return_events", json={**item, "eventType": "completed"})
    sandbox = {path for path in document["paths"] if re.search("/(orders|returns)/sandbox/", path)}
    assert {call.split()[1] for call in checked.checked} == sandbox


@pytest.mark.parametrize(
    "row",
    [
        {"shipmentId": 7},
        {"updatedAt": "yesterday"},
        {"orderItems": [{"status": "MELTED"}]},
        {"orderItems": [{"quantity": 1.5}]},
        {"subShipments": [{"packages": [{"id": "1"}]}]},
    ],
)
def test_the_check_itself_refuses_what_does_not_fit(
    sim: FlipkartSimulator, world: World, document: Any, row: object
) -> None:
    populate(world, 1)
    checked = Checked(sim, document)
    sim.faults.add(Fault(do="garble", body=json.dumps(row)))
    with pytest.raises(jsonschema.ValidationError):
        checked.walk({"filter": {"type": "preDispatch"}})


def test_the_simulator_takes_every_documented_value(
    sim: FlipkartSimulator, document: Any, enums: Any
) -> None:
    checked = Checked(sim, document)
    assert {kind: set(states) for kind, states in STATES.items()} == {
        kind: set(states) for kind, states in enums["filter_states_by_type"].items()
    }
    for kind, states in enums["filter_states_by_type"].items():
        for by in enums["cancellation_type"]:
            wanted = {
                "type": kind,
                "states": states,
                "cancellationType": by,
                "shipmentTypes": enums["shipment_type"],
                "serviceProfiles": enums["service_profile_filter"],
                "dispatchServiceTiers": ["EXPRESS", "REGULAR"],
            }
            for field in enums["sort_field"]:
                for order in enums["sort_order"]:
                    body = {"filter": wanted, "sort": {"field": field, "order": order}}
                    checked.call("POST", FILTER_PATH, json=body)
    for source in enums["return_source"]:
        checked.call("GET", RETURNS_PATH, params={"source": source})


def test_a_request_that_was_really_sent_is_understood(
    sim: FlipkartSimulator, world: World, document: Any, sample: Any
) -> None:
    body = sample("live_request_filter_cancelled_2023")["body"]
    inside = datetime(2023, 6, 7, 0, 40, tzinfo=UTC)
    for minutes in (0, 15):
        order = world.place_order([("RED", 1)], at=inside - timedelta(days=1))
        world.cancel(order.order_id, at=inside + timedelta(minutes=minutes))
    assert len(Checked(sim, document).walk(body)) == 1


def test_the_words_of_the_simulator_are_the_known_ones(enums: Any) -> None:
    assert set(WORDS.values()) <= set(enums["order_item_status"])
    assert set(RETURN_WORDS.values()) == set(enums["return_status_live_tokens"])
    assert set(SOURCES.values()) == set(enums["return_source"])


# Recorded answers against the simulator's -----------------------------------------------------


def keys(content: Any) -> Any:
    """Only the keys of a nested answer; a list stands for its first row."""
    if isinstance(content, dict):
        return {key: keys(value) for key, value in content.items()}
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return [keys(content[0])]
    return None


def contains(more: Any, fewer: Any) -> bool:
    """Whether every key of ``fewer`` is in ``more``, at the same place."""
    if isinstance(fewer, dict):
        return isinstance(more, dict) and all(
            key in more and contains(more[key], value) for key, value in fewer.items()
        )
    if isinstance(fewer, list):
        return isinstance(more, list) and contains(more[0], fewer[0])
    return True


def test_rows_have_the_fields_of_recorded_rows(
    sim: FlipkartSimulator, world: World, document: Any, sample: Any
) -> None:
    checked = Checked(sim, document)
    order = world.place_order([("RED", 1)])
    [row] = checked.walk({"filter": {"type": "preDispatch"}})
    recorded = sample("live_shipment_approved_2023")["shipment"]
    assert keys(row) == keys(recorded)
    assert type(row["orderItems"][0]["quantity"]) is type(recorded["orderItems"][0]["quantity"])
    world.ship(order.order_id)
    world.cancel_in_transit(order.order_id)
    wanted = {"type": "cancelled", "cancellationType": "buyerCancellation"}
    [row] = checked.walk({"filter": wanted})
    [recorded] = sample("live_filter_cancelled_2020")["shipments"]
    assert contains(keys(row), keys(recorded))
    [back] = checked.walk_returns(source="courier_return")
    [recorded] = sample("live_returns_courier_2022_head")["returnItems"]
    assert contains(keys(back), keys(recorded))
    for name in ("orderDate", "createdDate"):
        assert re.sub(r"\d", "0", back[name]) == re.sub(r"\d", "0", recorded[name])


def test_paging_tokens_have_the_keys_of_recorded_tokens(
    sim: FlipkartSimulator, world: World, document: Any, sample: Any
) -> None:
    for order in populate(world, 27, dispatched=True):
        world.cancel_in_transit(order.order_id)
    populate(world, 21)
    checked, recorded = Checked(sim, document), sample("next_token_decoded")

    def token(body: Any) -> Any:
        link = checked.call("POST", FILTER_PATH, json=body)["nextPageUrl"]
        return json.loads(base64.b64decode(parse_qs(urlsplit(link).query)["next_token"][0]))

    plain = token({"filter": {"type": "preDispatch"}})
    assert keys(plain) == keys(recorded["preDispatch_2020"])
    assert plain["token"]["pagination"] == recorded["preDispatch_2020"]["token"]["pagination"]
    wanted = {"type": "cancelled", "cancellationType": "buyerCancellation"}
    assert contains(keys(token({"filter": wanted})), keys(recorded["cancelled_2020_head_only"]))
    query = {"source": "courier_return", "createdAfter": "2026-11-20T00:00:00Z"}
    link = checked.call("GET", RETURNS_PATH, params=query)["nextUrl"]
    assert link.startswith("/returns/search/")
    content = json.loads(base64.b64decode(link.rsplit("/", 1)[1]))
    assert keys(content) == keys(recorded["returns_2022"])
    statuses_asked = content["filter"]["return_status"]
    assert statuses_asked == recorded["returns_2022"]["filter"]["return_status"]
    assert content["pagination"] == recorded["returns_2022"]["pagination"]


def test_token_answers_have_the_keys_of_recorded_ones(sim: FlipkartSimulator, sample: Any) -> None:
    url = f"{sim.url}/oauth-service/oauth/token"
    basic = (sim.client_id, sim.client_secret)
    own = {"grant_type": "client_credentials", "scope": "Seller_Api"}
    answer = requests.get(url, params=own, auth=basic, timeout=10).json()
    assert answer.keys() == sample("oauth_token_client_credentials").keys() - {"_source"}
    refresh = {"grant_type": "refresh_token", "refresh_token": sim.grants.consent(sim.client_id)}
    answer = requests.get(url, params=refresh, auth=basic, timeout=10).json()
    assert answer.keys() == sample("oauth_token_authorization_code").keys() - {"_source"}
    recorded = sample("oauth_error_401")
    headers = {"Authorization": "Bearer bad"}
    refused = requests.get(f"{sim.url}{RETURNS_PATH}", headers=headers, timeout=10)
    assert refused.status_code == recorded["_http_status"]
    assert refused.json().keys() == {key for key in recorded if not key.startswith("_")}
    assert refused.json()["error"] == recorded["error"]


# Recorded answers through the plugin ----------------------------------------------------------


class Recorded(PanelServer):
    """Serves recorded answers to the plugin; what was not recorded is an empty page."""

    def __init__(self, clock: HandClock, answers: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(World(clock), clock)
        self.answers = answers

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/token"):
            return json_reply({"access_token": "t", "expires_in": 3600, "token_type": "bearer"})
        key = (request.method, request.path)
        if request.path == FILTER_PATH and request.method == "POST":
            wanted = json.loads(request.body)["filter"]
            key = ("POST", wanted.get("cancellationType") or wanted["type"])
        elif request.path == RETURNS_PATH:
            key = ("GET", request.query["source"])
        empty: dict[str, Any] = {"hasMore": False, "shipments": [], "returnItems": []}
        return json_reply(self.answers.get(key, empty))


def read(answers: Mapping[tuple[str, str], Any], kind: str, *orders: OrderRef) -> list[Any]:
    """What a hook of the plugin makes of recorded answers."""
    clock = HandClock(START)
    with Recorded(clock, answers) as server:
        settings = plugin.FlipkartSettings(
            base_url=server.url, app_id="a", app_secret=SecretStr("b"), pace="unlimited"
        )
        account = Account(name="shop", channel="flipkart", settings=settings)
        panel = Panel(
            server.url, account="shop", clock=clock, tokens=MemoryTokens(), paces=plugin.PACES
        )
        window = Window(START - timedelta(days=30), START)
        hook = getattr(plugin, f"fetch_{kind}")
        rows = [row for page in hook(account, window, orders, panel) for row in page.rows]
        panel.close()
    return rows


def without_link(page: Any) -> Any:
    """The excerpts are cut: their links lead nowhere."""
    return {key: value for key, value in page.items() if "next" not in key} | {"hasMore": False}


def test_a_recorded_rto_among_cancellations(sample: Any) -> None:
    page = without_link(sample("live_filter_cancelled_2020"))
    [change] = read({("POST", "buyerCancellation"): page}, "cancelled")
    item = page["shipments"][0]["orderItems"][0]
    assert change.status is Status.RETURN_NOTICED
    assert change.return_type is ReturnType.RTO
    assert change.native_status == "CANCELLED"
    assert (change.order_id, change.line_id) == (item["orderId"], item["orderItemId"])
    assert change.occurred_at == datetime(2020, 8, 12, 10, 58, 46, tzinfo=UTC)
    assert change.quantity == 1
    assert change.left_seller


def test_a_recorded_new_order(sample: Any) -> None:
    shipment = sample("live_shipment_approved_2023")["shipment"]
    page = {"hasMore": False, "shipments": [shipment]}
    [order] = read({("POST", "preDispatch"): page}, "orders")
    [line] = order.lines
    item = shipment["orderItems"][0]
    assert order.order_id == item["orderId"]
    assert order.problem == ""
    assert order.location_id == shipment["locationId"]
    assert order.placed_at == datetime(2023, 6, 7, 0, 30, 53, 447_000, tzinfo=UTC)
    assert (line.line_id, line.sku, line.quantity) == (item["orderItemId"], item["sku"], 1)
    assert read({("POST", "postDispatch"): page}, "dispatched") == []


def test_a_recorded_courier_return(sample: Any) -> None:
    page = without_link(sample("live_returns_courier_2022_head"))
    [cut] = read({("GET", "courier_return"): page}, "returns")
    assert cut.status is Status.UNKNOWN  # the public excerpt ends before id and status
    assert cut.order_id == page["returnItems"][0]["orderId"]
    assert cut.raw
    rest = {"returnId": "R1", "status": "created", "updatedDate": "2022-08-10T09:00:00+05:30"}
    page["returnItems"][0].update(rest)
    [change] = read({("GET", "courier_return"): page}, "returns")
    assert change.status is Status.RETURN_NOTICED
    assert change.return_type is ReturnType.RTO
    assert change.occurred_at == datetime(2022, 8, 9, 10, 29, 21, tzinfo=UTC)
    assert change.return_id == "R1"


def test_every_known_word_means_what_the_facts_say(enums: Any) -> None:
    plain = {"DISPATCHED", "DELIVERED"}
    for word, meaning in enums["sync_status_map"].items():
        status = statuses.ITEM_STATUS[word]
        if meaning in plain:
            assert status == meaning, word
        elif meaning.startswith("CANCELLED"):
            assert status is Status.CANCELLED
        else:
            assert status is None, word  # open, or told by the call for returns
    assert set(statuses.ITEM_STATUS) == set(enums["order_item_status"])
    for word, meaning in enums["sync_return_map"].items():
        told = statuses.RETURN_STATUS[word]
        assert told == (None if meaning == "ignore" else meaning.split()[0]), word


def test_the_invented_scenario_maps_as_written(sample: Any) -> None:
    scenario = sample("synthetic_scenario")
    pages = [scenario["filter_postDispatch_page1"], scenario["filter_postDispatch_page2"]]
    answers = {("POST", "postDispatch"): pages[0], ("GET", FILTER_PATH): pages[1]}
    items = [item for page in pages for row in page["shipments"] for item in row["orderItems"]]
    told = {change.line_id: change for change in read(answers, "dispatched")}
    left = {"PICKUP_COMPLETE", "SHIPPED", "DELIVERED"}
    expected = {item["orderItemId"]: item["quantity"] for item in items if item["status"] in left}
    assert {line: change.quantity for line, change in told.items()} == expected
    arrived = {change.line_id for change in read(answers, "delivered")}
    assert arrived == {item["orderItemId"] for item in items if item["status"] == "DELIVERED"}


def test_the_invented_cancellations_and_returns_map_as_written(sample: Any) -> None:
    scenario = sample("synthetic_scenario")
    answers = {
        ("POST", "buyerCancellation"): scenario["filter_cancelled"],
        ("GET", IDS_PATH): scenario["get_by_orderItemIds_after_partial_cancel"],
    }
    told = {change.line_id: change.status for change in read(answers, "cancelled")}
    rows = scenario["filter_cancelled"]["shipments"]
    for item in (item for row in rows for item in row["orderItems"]):
        rto = item.get("courierReturn") is True
        expected = Status.RETURN_NOTICED if rto else Status.CANCELLED
        if item["status"] == "CANCELLED":
            assert told[item["orderItemId"]] is expected
    answers = {
        ("GET", "courier_return"): without_link(scenario["returns_courier_page1"]),
        ("GET", "customer_return"): scenario["returns_customer"],
    }
    words = {row.return_id: (row.status, row.return_type) for row in read(answers, "returns")}
    kinds = {"created": Status.RETURN_NOTICED, "cancelled": Status.RETURN_WITHDRAWN}
    for page, kind in (("courier_page1", ReturnType.RTO), ("customer", ReturnType.CIR)):
        for row in scenario[f"returns_{page}"]["returnItems"]:
            assert words[row["returnId"]] == (kinds[row["status"]], kind)


# A client that we did not write ---------------------------------------------------------------


@pytest.fixture(scope="session")
def generated(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A client made from the OpenAPI file by openapi-python-client, importable by this name."""
    home = tmp_path_factory.mktemp("generated")
    config = home / "config.yml"
    config.write_text("post_hooks: []\n")
    command = [
        str(Path(sys.executable).with_name("openapi-python-client")),
        "generate",
        *("--path", str(folder / "openapi-orders-returns.json")),
        *("--output-path", str(home / "generated_flipkart_client")),
        *("--meta", "none", "--config", str(config)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(home))
    yield "generated_flipkart_client"
    sys.path.remove(str(home))


def test_a_generated_client_walks_filter_next_page_and_returns(
    generated: str, sim: FlipkartSimulator, world: World, clock: HandClock
) -> None:
    lively(world, clock)
    models = importlib.import_module(f"{generated}.models")
    client = importlib.import_module(f"{generated}.client")
    api = f"{generated}.api"
    search = importlib.import_module(f"{api}.shipment_v3.search_pre_dispatch_shipment_post")
    follow = importlib.import_module(f"{api}.shipment_v3.search_pre_dispatch_shipment_get")
    by_ids = importlib.import_module(f"{api}.shipment_v3.get_shipment_details_by_internal_id")
    returns = importlib.import_module(f"{api}.returns_v2.get_returns")
    answer = requests.get(
        f"{sim.url}/oauth-service/oauth/token",
        params={"grant_type": "client_credentials", "scope": "Seller_Api"},
        auth=(sim.client_id, sim.client_secret),
        timeout=10,
    )
    with client.AuthenticatedClient(sim.url, token=answer.json()["access_token"]) as flipkart:
        wanted = {"filter": {"type": "postDispatch", "states": ["DELIVERED"]}}
        body = models.SearchShipmentRequest.from_dict(wanted)
        page = search.sync(client=flipkart, body=body)
        rows = list(page.shipments)
        while page.has_more:
            token = parse_qs(urlsplit(page.next_page_url).query)["next_token"][0]
            page = follow.sync(client=flipkart, next_token=token)
            rows += page.shipments
        found = {row.shipment_id for row in rows}
        one = by_ids.sync(client=flipkart, shipment_ids=rows[0].shipment_id).shipments[0]
        backs = returns.sync(client=flipkart, source="customer_return")
    delivered = _delivered(world)
    assert len(found) == len(rows) == len(delivered) == 60
    assert {row.order_items[0].order_id for row in rows} == set(delivered)
    assert {row.order_items[0].status.value for row in rows} == {"DELIVERED"}
    assert one.to_dict() == rows[0].to_dict()
    assert (len(backs.return_items), backs.has_more) == (25, True)
    assert {back.type_ for back in backs.return_items} == {"customer_return"}


def _delivered(world: World) -> list[str]:
    return [
        order.order_id
        for order in world.orders.values()
        if all(piece.state == "DELIVERED" for line in order.lines for piece in line.pieces)
    ]
