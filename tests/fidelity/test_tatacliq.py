"""The Tata CLiQ simulator and plugin against the one answer that was seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

import syncd_tatacliq as plugin
from syncd import Account, OrderRef, Panel, Window
from syncd.clock import HandClock
from syncd.testing import Fault
from syncd.tokens import MemoryTokens
from syncd_tatacliq.simulator import TataCliqSimulator

NOW = datetime(2026, 11, 25, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.fixture
def sim() -> Iterator[TataCliqSimulator]:
    clock = HandClock(NOW)
    with TataCliqSimulator(TataCliqSimulator.new_world(clock), clock) as sim:
        yield sim


@pytest.fixture
def sample(facts: Path) -> Any:
    return json.loads((facts / "tatacliq" / "sales-order.json").read_text())


def read(sim: TataCliqSimulator, sample: Any, kind: str, **codes: str) -> tuple[Account, list[Any]]:
    """What a hook makes of the sample, as the answer for its order."""
    sim.faults.add(Fault(do="body", body=json.dumps(sample)))
    settings = plugin.TataCliqSettings(**{**sim.settings(), "status_map": codes})
    account = Account(name="a", channel="tatacliq", settings=settings)
    panel = Panel(sim.url, account="a", clock=sim.clock, tokens=MemoryTokens(),
                  paces=plugin.describe_channel().paces)  # fmt: skip
    refs = [OrderRef(order_id=sample["order"][0]["orderNo"])]
    window = Window(NOW - timedelta(days=30), NOW)
    pages = getattr(plugin, f"fetch_{kind}")(account, window, refs, panel)
    rows = [row for page in pages for row in page.rows]
    panel.close()
    return account, rows


def test_the_order_that_was_seen_is_read(sim: TataCliqSimulator, sample: Any) -> None:
    (order,) = sample["order"]
    _, (new,) = read(sim, sample, "orders")

    assert (new.order_id, new.problem) == (order["orderNo"], "")
    assert [(line.line_id, line.sku, line.quantity) for line in new.lines] == [
        (line["transactionId"], line["articleNumber"], 1) for line in order["orderLine"]
    ]
    written = datetime.fromisoformat(order["orderDate"]).replace(tzinfo=INDIA)
    assert new.placed_at == written
    assert new.location_id == order["orderLine"][0]["p1SlaveId"]
    assert sim.requests()[-1].target.endswith(f"/AV_2.0/OG_1/ORDID_{order['orderNo']}/")


@pytest.mark.parametrize("kind", ["dispatched", "delivered", "cancelled", "returns"])
def test_the_one_code_that_was_seen_changes_nothing(
    sim: TataCliqSimulator, sample: Any, kind: str
) -> None:
    assert read(sim, sample, kind)[1] == []


def test_each_line_says_who_ships_it(sim: TataCliqSimulator, sample: Any) -> None:
    for line in sample["order"][0]["orderLine"]:
        line["omsStatusCode"] = "X"  # some code of theirs for a dispatch
    account, rows = read(sim, sample, "dispatched", X="DISPATCHED")
    refs = [OrderRef(order_id=row.order_id, facts=row.facts) for row in rows]
    assert [plugin.provides_shipping(account, one) for one in refs] == [True, False]


def test_the_simulator_answers_in_the_same_fields(sim: TataCliqSimulator, sample: Any) -> None:
    known = sim.settings()
    order = sim.world.place_order([("KURTA", 1)])
    path = plugin.TataCliqSettings(**known).order_path.format(
        seller_id=known["seller_id"], order_id=order.order_id
    )
    answer = requests.get(
        sim.url + path, headers={"Authorization": f"Bearer {known['token']}"}, timeout=10
    ).json()
    (given,), (seen,) = answer["order"], sample["order"]

    assert answer.keys() == sample.keys()
    assert given.keys() == seen.keys()
    for part in ("orderLine", "addressInfo", "paymentInfo"):
        assert given[part][0].keys() <= seen[part][0].keys()
    line = given["orderLine"][0]
    for name in ("shipByDate", "omsStatusCode", "fulfillmentType", "transactionId"):
        assert len(line[name]) == len(seen["orderLine"][0][name]), name
    assert [len(part) for part in given["orderNo"].split("-")] == [
        len(part) for part in seen["orderNo"].split("-")
    ]
    datetime.fromisoformat(given["orderDate"])
    assert given["orderDate"].count(".") == seen["orderDate"].count(".") == 1
