"""The Paytm simulator and plugin against what client programs were seen to send and read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import syncd_paytm as plugin
from syncd import Account, OrderRef, Panel, ReportFile, ReturnType, Status, Window
from syncd.clock import HandClock
from syncd.testing import Fault
from syncd.tokens import MemoryTokens
from syncd_paytm.simulator import PaytmSimulator
from syncd_paytm.statuses import VERIFIED

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def sim() -> Iterator[PaytmSimulator]:
    clock = HandClock(NOW)
    with PaytmSimulator(PaytmSimulator.new_world(clock), clock) as sim:
        yield sim


def sample(facts: Path, name: str) -> Any:
    return json.loads((facts / "paytm" / f"{name}.json").read_text())


def account_of(sim: PaytmSimulator, **settings: Any) -> Account:
    chosen = plugin.PaytmSettings(**{**sim.settings(), "status_map": {}, **settings})
    return Account(name="a", channel="paytm", settings=chosen)


def read(sim: PaytmSimulator, kind: str, *orders: str) -> list[Any]:
    panel = Panel(sim.url, account="a", clock=sim.clock, tokens=MemoryTokens(),
                  paces=plugin.describe_channel().paces)  # fmt: skip
    refs = [OrderRef(order_id=one) for one in orders]
    window = Window(NOW - timedelta(days=30), NOW)
    pages = getattr(plugin, f"fetch_{kind}")(account_of(sim), window, refs, panel)
    try:
        return [row for page in pages for row in page.rows]
    finally:
        panel.close()


def serve(sim: PaytmSimulator, facts: Path, name: str, path: str) -> None:
    body = json.dumps(sample(facts, name))
    sim.faults.add(Fault(do="body", path=path, body=body, times=-1))


def test_the_numbers_that_are_known_mean_what_the_facts_say(facts: Path) -> None:
    with (facts / "paytm" / "status-map.csv").open() as file:
        listed = {row["channel_code"]: row["syncd_status"] for row in csv.DictReader(file)}
    numbers = {code: said for code, said in listed.items() if code.isdigit()}
    assert numbers.keys() == VERIFIED.keys()
    assert not any(numbers.values())
    assert set(VERIFIED.values()) == {"ignore"}


def test_the_login_that_was_seen_gives_the_token_of_every_call(
    sim: PaytmSimulator, facts: Path
) -> None:
    serve(sim, facts, "authorize", "/oauth2/authorize")
    serve(sim, facts, "token", "/oauth2/token")
    order = sim.world.place_order([("KURTA", 1)])
    token = sample(facts, "token")["access_token"]
    sim._tokens[token] = (sim.settings()["merchant_id"], NOW + timedelta(days=1))  # none other is

    assert [row.order_id for row in read(sim, "orders")] == [order.order_id]
    assert [line.method for line in sim.requests("/oauth2")] == ["POST", "POST"]
    sent = [line.target for line in sim.requests("/v1")]
    assert len(sent) == 2
    assert all("authtoken=" in one and "limit=" in one for one in sent)


def test_the_simulators_login_answers_in_the_same_fields(sim: PaytmSimulator, facts: Path) -> None:
    known = sim.settings()
    form = {"username": known["username"], "password": known["password"], "response_type": "code"}
    code = requests.post(f"{sim.url}/oauth2/authorize", data=form, timeout=10).json()
    form = {"code": code["code"], "client_secret": known["client_secret"]}
    token = requests.post(f"{sim.url}/oauth2/token", data=form, timeout=10).json()

    assert code.keys() == sample(facts, "authorize").keys()
    assert token.keys() == sample(facts, "token").keys()
    seen = sample(facts, "token")["token_expiry_time"]
    assert len(token["token_expiry_time"]) == len(seen)


def test_the_orders_as_they_are_assumed_are_read(sim: PaytmSimulator, facts: Path) -> None:
    serve(sim, facts, "orders.assumed", "*orders.json*")
    listed = sample(facts, "orders.assumed")
    ids = [str(order["id"]) for order in listed]

    rows = read(sim, "orders", *ids)
    assert [(row.order_id, row.problem) for row in rows] == [(one, "") for one in ids]
    assert [[(line.line_id, line.sku, line.quantity) for line in row.lines] for row in rows] == [
        [(str(item["id"]), item["sku"], item["qty"]) for item in order["items"]] for order in listed
    ]
    for kind in ("dispatched", "delivered", "cancelled", "returns"):
        (odd,) = read(sim, kind, *ids)
        assert (odd.status, odd.native_status) == (Status.UNKNOWN, "999")


def test_the_simulators_orders_have_the_assumed_fields(sim: PaytmSimulator, facts: Path) -> None:
    order = sim.world.place_order([("KURTA", 2)])
    read(sim, "orders", order.order_id)
    token = next(iter(sim._tokens))
    path = f"{sim.url}/v1/merchant/{sim.settings()['merchant_id']}/orders.json"
    (given,) = requests.get(path, params={"authtoken": token, "status": 2}, timeout=10).json()
    seen = sample(facts, "orders.assumed")[0]
    assert given.keys() >= seen.keys()
    assert given["items"][0].keys() >= seen["items"][0].keys()
    for name, value in seen["items"][0].items():
        assert type(given["items"][0][name]) is type(value), name


def test_the_panels_files_are_read_beside_the_api(sim: PaytmSimulator, facts: Path) -> None:
    columns = {"status": "Status", "sku": "SKU", "return_type": "Return Type",
               "occurred_at": "Cancelled At", "quantity": "Quantity"}  # fmt: skip
    account = account_of(sim, files={"columns": columns})

    def told(name: str) -> list[tuple[Status, ReturnType | None, str, int | None]]:
        path = facts / "paytm" / f"{name}.assumed.csv"
        report = ReportFile(name=path.name, content=path.read_bytes(), at=NOW)
        rows = [row for page in plugin.read_report(account, report) for row in page.rows]
        return [(row.status, row.return_type, row.return_id, row.quantity) for row in rows]

    assert told("panel-cancelled") == [(Status.CANCELLED, None, "", 1)]
    assert told("panel-returns") == [
        (Status.RETURNED, ReturnType.RTO, "600001", 1),
        (Status.RETURN_NOTICED, ReturnType.CIR, "600002", 1),
        (Status.RETURN_WITHDRAWN, ReturnType.CIR, "600003", 1),
    ]
