"""The contract plugin and its simulator beside the documented words and answers."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import syncd_contract as plugin
from syncd.clock import SystemClock
from syncd.panel import Panel
from syncd.statuses import Account, OrderRef, Window
from syncd.testing import Fault
from syncd.tokens import MemoryTokens
from syncd_contract.simulator import ContractSimulator
from syncd_contract.statuses import ITEM_WORDS


@pytest.fixture
def folder(facts: Path) -> Path:
    return facts / "uniware-marketplace-contract"


def read(folder: Path, name: str, kind: str, *order_ids: str) -> list[Any]:
    """What a hook makes of a documented answer."""
    with ContractSimulator() as panel:
        body = (folder / f"{name}.json").read_text()
        panel.faults.add(Fault(do="body", path="/orders*pageNumber=1&*", body=body, times=-1))
        settings = plugin.ContractSettings(**panel.settings())
        account = Account(name="shop", channel="contract", settings=settings)
        client = Panel(panel.url, account="shop", clock=SystemClock(), tokens=MemoryTokens())
        now = SystemClock().now()
        refs = [OrderRef(order_id=one) for one in order_ids]
        window = Window(now - timedelta(days=1), now)
        pages = getattr(plugin, f"fetch_{kind}")(account, window, refs, client)
        return [row for page in pages for row in page.rows]


def test_every_documented_word_means_what_the_facts_say(folder: Path) -> None:
    with (folder / "status-map.csv").open() as file:
        words = {
            row["channel_code"]: f"{row['syncd_status']} {row['return_kind']}".strip()
            for row in csv.DictReader(file)
            if row["level"] == "item"
        }
    assert words == {
        word: " ".join(filter(None, (meaning.status, meaning.return_type)))
        for word, meaning in ITEM_WORDS.items()
    }


def test_the_documented_answers_are_read_without_a_problem(folder: Path) -> None:
    orders = json.loads((folder / "orders-status.json").read_text())["orders"]
    ids = [order["id"] for order in orders]
    for kind in ("orders", "dispatched", "delivered", "cancelled", "returns"):
        rows = read(folder, "orders-status", kind, *ids)
        assert rows
        assert [row.problem for row in rows if row.problem] == []
    assert [one.order_id for one in read(folder, "orders-created-page1", "orders")] == ["G1001"]
    assert read(folder, "orders-empty", "orders") == []


def test_the_simulators_rows_have_no_field_that_is_not_documented(folder: Path) -> None:
    documented = json.loads((folder / "orders-status.json").read_text())["orders"][0]
    with ContractSimulator() as panel:
        order = panel.world.place_order([("MUG", 1)])
        panel.world.pick_up(order.order_id)
        row = panel._row(order)
    ours = {"shippingAddress", "facilityCode"}  # of an implementer's data model
    assert row.keys() - documented.keys() <= ours
    assert row["orderItems"][0].keys() - documented["orderItems"][0].keys() <= ours
