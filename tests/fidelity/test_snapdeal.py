"""The Snapdeal simulator and plugin against the documented fields, codes and shapes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import syncd_snapdeal as plugin
from syncd import Account, Panel, Window
from syncd.clock import HandClock
from syncd.testing import Fault
from syncd.tokens import MemoryTokens
from syncd_snapdeal import statuses
from syncd_snapdeal.simulator import SnapdealSimulator

NOW = datetime(2025, 11, 25, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=30), NOW)
PATHS = {
    "orders-new": "/orders/new",
    "orders-completed": "/orders/completed",
    "suborders-cancelled": "/suborders/cancelled",
    "returns-completed-buyer": "/returns/completed",
    "returns-completed-courier": "/returns/completed",
    "returns-pending-buyer": "/returns/pending",
}


@pytest.fixture
def sim() -> Iterator[SnapdealSimulator]:
    clock = HandClock(NOW)
    with SnapdealSimulator(SnapdealSimulator.new_world(clock), clock) as sim:
        yield sim


def sample(facts: Path, name: str) -> Any:
    return json.loads((facts / "snapdeal" / f"{name}.json").read_text())


def read(facts: Path, sim: SnapdealSimulator, name: str, kind: str) -> list[Any]:
    """What a hook makes of a sample, as the answer to the call it belongs to."""
    path = f"{PATHS[name]}*"
    if "-buyer" in name or "-courier" in name:
        path = f"{PATHS[name]}*returnMode={name.rsplit('-', 1)[1].upper()}*"
    sim.faults.add(Fault(do="body", path=path, body=json.dumps(sample(facts, name))))
    settings = plugin.SnapdealSettings(**sim.settings())
    panel = Panel(sim.url, account="a", clock=sim.clock, tokens=MemoryTokens(),
                  paces=plugin.describe_channel().paces)  # fmt: skip
    account = Account(name="a", channel="snapdeal", settings=settings)
    hook = getattr(plugin, f"fetch_{kind}")
    told = [row for page in hook(account, WINDOW, (), panel) for row in page.rows]
    panel.close()
    assert not sim.faults.pending()
    return told


def test_every_code_means_what_the_facts_say(facts: Path) -> None:
    with (facts / "snapdeal" / "status-map.csv").open() as file:
        listed = {row["channel_code"]: row["syncd_status"] for row in csv.DictReader(file)}
    codes = {code: word for code, word in listed.items() if "=" not in code}
    assert codes == {code: str(statuses.STATUSES[code] or "") for code in codes}
    for mode, kind in statuses.RETURN_TYPES.items():
        assert f"RETURNED {kind} once returnDeliveredOn" in listed[f"returnMode={mode}"]


def test_new_orders(facts: Path, sim: SnapdealSimulator) -> None:
    told = read(facts, sim, "orders-new", "orders")
    items = [
        item for one in sample(facts, "orders-new")["payload"]["packages"] for item in one["items"]
    ]
    assert [one.order_id for one in told] == [item["suborderCode"] for item in items]
    assert [one.facts["orderCode"] for one in told] == [item["orderCode"] for item in items]
    assert {one.placed_at for one in told} == {datetime(2025, 11, 19, 5, 30, tzinfo=UTC)}
    assert not any(one.problem for one in told)


def test_completed_packages(facts: Path, sim: SnapdealSimulator) -> None:
    packages = sample(facts, "orders-completed")["payload"]["packages"]
    items = [(package, item) for package in packages for item in package["items"]]
    for kind, codes in (("dispatched", {"SHP", "FFD"}), ("delivered", {"FFD"})):
        told = read(facts, sim, "orders-completed", kind)
        meant = [(package, item) for package, item in items if item["siStatusCode"] in codes]
        assert [one.order_id for one in told] == [item["suborderCode"] for _, item in meant]
        for one, (package, _) in zip(told, meant, strict=True):
            assert one.shipment_id == package["packageReferenceCode"]
            assert one.occurred_at.timestamp() * 1000 == package["shippedDate"]
            assert one.facts == {"fulfillmentMode": package["fulfillmentModelCode"]}


def test_cancelled_suborders(facts: Path, sim: SnapdealSimulator) -> None:
    told = read(facts, sim, "suborders-cancelled", "cancelled")
    items = sample(facts, "suborders-cancelled")["payload"]["items"]
    assert [(one.order_id, one.status, one.reason) for one in told] == [
        (item["suborderCode"], "CANCELLED", item["cancellationReason"]) for item in items
    ]


@pytest.mark.parametrize("name", [name for name in PATHS if name.startswith("returns")])
def test_returns(facts: Path, sim: SnapdealSimulator, name: str) -> None:
    (told,) = read(facts, sim, name, "returns")
    (row,) = sample(facts, name)["payload"]["ReturnDataSROList"]
    assert told.order_id == row["suborderCode"]
    assert told.status == ("RETURNED" if row["returnDeliveredOn"] else "RETURN_NOTICED")
    assert told.return_type == ("CIR" if "buyer" in name else "RTO")


def test_the_simulator_names_nothing_that_is_not_documented(
    facts: Path, sim: SnapdealSimulator
) -> None:
    world = sim.world
    made = [world.place_order([("SKU", 1)], at=NOW - timedelta(days=9)) for _ in range(5)]
    world.cancel(made[0].order_id, at=NOW - timedelta(days=1))
    for order in made[1:4]:
        world.ship(order.order_id, at=NOW - timedelta(days=2))
    for order in made[1:3]:
        world.deliver(order.order_id, at=NOW - timedelta(days=2))
        (back,) = world.customer_return(order.order_id, at=NOW - timedelta(days=1))
    world.return_event(back.return_id, "COMPLETED")
    (rto,) = world.courier_return(made[3].order_id, at=NOW - timedelta(days=1))
    world.return_event(rto.return_id, "COMPLETED")
    settings = sim.settings()
    headers = {
        "clientId": settings["client_id"],
        "X-Auth-Token": settings["partner_token"],
        "X-Seller-AuthZ-Token": settings["seller_token"],
    }
    for name, path in PATHS.items():
        params = {"fModes": "DROPSHIP", "returnMode": name.rsplit("-", 1)[1].upper()}
        answer = requests.get(f"{sim.url}{path}", params=params, headers=headers, timeout=10)
        assert keys(answer.json()) <= keys(sample(facts, name)), name


def keys(value: object, path: str = "") -> set[str]:
    """Every key of a document with the way to it."""
    if isinstance(value, dict):
        return {path} | {found for key in value for found in keys(value[key], f"{path}.{key}")}
    if isinstance(value, list):
        return {found for one in value for found in keys(one, f"{path}[]")}
    return {path}
