"""Wooplr over report files: its own statuses, its own rules, and no word that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from syncd import Account, OrderRef, Panel, Status, Window
from syncd.clock import HandClock
from syncd.testing import World
from syncd.tokens import MemoryTokens
from syncd_wooplr import CHANNEL, CONTRACT, WooplrContract, WooplrSettings
from syncd_wooplr.simulator import WooplrSimulator

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {"columns": {"order_id": "Order"}}

CALLS: dict[str, Any] = {
    "source": "contract", "username": "me", "password": "x",
}  # fmt: skip


def test_its_files_tell_of_orders_dispatches_and_cancellations() -> None:
    world = World(HandClock(START))
    waits, sent, gone = (world.place_order([("MUG", 2)]).order_id for _ in range(3))
    world.pick_up(sent)
    world.deliver(sent)
    world.cancel(gone, quantity=1)
    with WooplrSimulator(world) as panel:
        account = Account(
            name="shop", channel="wooplr", settings=WooplrSettings(**panel.settings())
        )
        client = Panel("", account="shop", clock=world.clock, tokens=MemoryTokens())
        window = Window(START - timedelta(days=1), START + timedelta(seconds=1))
        panel.publish()

        def read(kind: str, *orders: OrderRef) -> list[Any]:
            pages = getattr(CHANNEL, f"fetch_{kind}")(account, window, orders, client)
            return [row for page in pages for row in page.rows]

        assert [row.order_id for row in read("orders")] == [waits, gone]
        assert [(row.order_id, row.status) for row in read("dispatched")] == [
            (sent, Status.DISPATCHED)
        ]
        (cancelled,) = read("cancelled")
        assert (cancelled.order_id, cancelled.quantity) == (gone, 1)
        assert read("cancelled", OrderRef(order_id=sent)) == []


def test_it_reports_what_is_claimed_for_it_and_nothing_else() -> None:
    channel = CHANNEL.describe_channel()

    assert channel.statuses == {Status.DISPATCHED, Status.CANCELLED}
    assert channel.unverified
    assert not hasattr(CHANNEL, "fetch_returns")
    assert not hasattr(CHANNEL, "fetch_delivered")
    with pytest.raises(ValidationError, match="reports only CANCELLED, DISPATCHED"):
        WooplrSettings(**GOOD, statuses={"Delivered": "DELIVERED"})
    with pytest.raises(ValidationError):
        WooplrSettings(**GOOD, preset="paytm")


def test_who_ships() -> None:
    def ships(**settings: Any) -> bool:
        account = Account(name="shop", channel="wooplr", settings=WooplrSettings(**settings))
        return bool(CHANNEL.provides_shipping(account, OrderRef(order_id="O1")))

    assert ships(**{**GOOD, "ships": "channel"})
    assert not ships(**{**GOOD, "ships": "seller"})
    assert ships(**GOOD)


def test_an_address_belongs_to_the_other_source() -> None:
    address = {"base_url": "https://market.example"}
    with pytest.raises(ValidationError, match=r'Take it out; .* set source = "contract"'):
        WooplrSettings(**GOOD, **address)

    assert WooplrContract(**CALLS, **address).base_url == address["base_url"]


def test_by_the_contract_it_claims_no_more_than_by_files() -> None:
    described = CHANNEL.describe_channel()
    calls = described.sources["contract"].describe_channel()

    assert CONTRACT is described.sources["contract"]
    assert (calls.title, calls.statuses) == (described.title, described.statuses)
    assert not hasattr(CONTRACT, "fetch_returns")
    assert not hasattr(CONTRACT, "fetch_delivered")
    assert not hasattr(CONTRACT, "read_report")
