"""The ShopClues simulator and plugin against the shapes and codes that were seen."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import syncd_shopclues as plugin
from syncd import Account, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.errors import PanelRefused
from syncd.testing import Fault
from syncd.tokens import MemoryTokens
from syncd_shopclues.simulator import LETTERS, ShopCluesSimulator
from syncd_shopclues.statuses import SCAN_CODES

NOW = datetime(2025, 11, 25, tzinfo=UTC)


@pytest.fixture
def sim() -> Iterator[ShopCluesSimulator]:
    clock = HandClock(NOW)
    with ShopCluesSimulator(ShopCluesSimulator.new_world(clock), clock) as sim:
        yield sim


def sample(facts: Path, name: str) -> Any:
    return json.loads((facts / "shopclues" / f"{name}.json").read_text())


def listed(facts: Path, source: str) -> dict[str, str]:
    with (facts / "shopclues" / "status-map.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == source]
    return {row["channel_code"]: row["syncd_status"] for row in rows}


def read(sim: ShopCluesSimulator, kind: str, *orders: str, **settings: Any) -> list[Any]:
    chosen = plugin.ShopCluesSettings(**{**sim.settings(), **settings})
    panel = Panel(sim.url, account="a", clock=sim.clock, tokens=MemoryTokens(),
                  paces=plugin.describe_channel().paces)  # fmt: skip
    account = Account(name="a", channel="shopclues", settings=chosen)
    refs = [OrderRef(order_id=one) for one in orders]
    pages = getattr(plugin, f"fetch_{kind}")(
        account, Window(NOW - timedelta(days=30), NOW), refs, panel
    )
    try:
        return [row for page in pages for row in page.rows]
    finally:
        panel.close()


def serve(sim: ShopCluesSimulator, path: str, content: object) -> None:
    body = json.dumps(content).replace("http://developer.shopclues.com/api/v1", sim.url)
    sim.faults.add(Fault(do="body", path=path, body=body))


def test_every_code_of_a_courier_means_what_the_facts_say(facts: Path) -> None:
    for code, word in listed(facts, "courier").items():
        meaning = SCAN_CODES.get(code)
        said = [] if meaning is None else [str(one) for one in meaning if one is not None]
        assert " ".join(said) == word, code


def test_no_letter_means_more_than_the_facts_say(facts: Path) -> None:
    settings = plugin.ShopCluesSettings.model_fields
    assert settings["status_map"].default == {}
    assert set(settings["open_letters"].default) <= set(listed(facts, "order"))
    assert not any(listed(facts, "order").values())
    assert LETTERS["OPEN"] in settings["open_letters"].default


def test_both_pages_of_orders(facts: Path, sim: ShopCluesSimulator) -> None:
    pages = [sample(facts, "orders-page1"), sample(facts, "orders-page2")]
    for page in pages:
        serve(sim, "/order[?]*", page)

    told = read(sim, "orders")

    rows = [row for page in pages for row in page["data"]]
    meant = [row for row in rows if row["status"] == "Q" and row["is_parent_order"] == "N"]
    assert [one.order_id for one in told] == [row["order_id"] for row in meant]
    assert {one.placed_at for one in told} == {datetime(2025, 11, 19, 5, 30, tzinfo=UTC)}
    for one, row in zip(told, meant, strict=True):
        (item,) = row["items_list"]
        (line,) = one.lines
        assert not one.problem
        assert (line.line_id, line.title) == (
            str(item["product_id"]),
            item.get("product") or item["product_name"],
        )
        assert line.quantity == int(item.get("amount") or item["quantity"])
    assert told[-1].facts == {"parentOrder": "76000003"}


def test_an_order_by_its_id_is_the_one_of_the_list(facts: Path, sim: ShopCluesSimulator) -> None:
    serve(sim, "/order[?]*", {**sample(facts, "orders-page1"), "extra": {"next": ""}})
    serve(sim, "/order/76000001", sample(facts, "order-detail"))

    assert read(sim, "orders")[:1] == read(sim, "orders", "76000001")


def test_the_letter_that_nobody_explains_is_for_a_person(
    facts: Path, sim: ShopCluesSimulator
) -> None:
    serve(sim, "/order[?]*", {**sample(facts, "orders-page1"), "extra": {"next": ""}})

    told = read(sim, "dispatched", status_map={})

    assert [(one.order_id, one.status, one.native_status) for one in told] == [
        ("76000002", "UNKNOWN", "E")
    ]


def test_the_refusal_is_noticed(facts: Path, sim: ShopCluesSimulator) -> None:
    for _ in range(2):
        serve(sim, "/order[?]*", sample(facts, "error-unauthorised"))

    with pytest.raises(PanelRefused):
        read(sim, "orders")
    assert len(sim.requests("/loginToken.php")) == 2


def test_the_simulator_answers_in_the_shapes_that_were_seen(
    facts: Path, sim: ShopCluesSimulator
) -> None:
    for _ in range(21):
        order = sim.world.place_order([("A", 1)])
    settings = sim.settings()
    read(sim, "orders")
    headers = {"Authorization": "Bearer simulated-token-000001"}
    refused = requests.get(f"{sim.url}/order", timeout=10)
    assert (refused.status_code, refused.json()) == (200, sample(facts, "error-unauthorised"))
    params: dict[str, str | int] = {"time_from": 0, "time_to": int(NOW.timestamp())}
    page = requests.get(f"{sim.url}/order", params=params, headers=headers, timeout=10).json()
    assert keys(page) <= keys(sample(facts, "orders-page1"))
    last = requests.get(page["extra"]["next"], headers=headers, timeout=10).json()
    assert last["extra"] == sample(facts, "orders-page2")["extra"]
    one = requests.get(f"{sim.url}/order/{order.order_id}", headers=headers, timeout=10).json()
    assert keys(one) <= keys(sample(facts, "order-detail"))
    login = {name: settings[name] for name in ("username", "client_id", "client_secret")}
    login |= {"password": "e4d15e8e2dadcb912a6b2194b88dfc67", "grant_type": "password"}
    token = requests.post(f"{sim.url}/loginToken.php", json=login, timeout=10).json()
    assert token.keys() == sample(facts, "login-token").keys()


def keys(value: object, path: str = "") -> set[str]:
    """Every key of a document with the way to it; an id that is a key counts as any."""
    if isinstance(value, dict):
        return {path} | {
            found
            for key in value
            for found in keys(value[key], f"{path}.{'*' if key.isdecimal() else key}")
        }
    if isinstance(value, list):
        return {found for one in value for found in keys(one, f"{path}[]")}
    return {path}
