"""The plugin over the simulator's folders: what it reads is what is true in the world."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from syncd import Account, Panel, Status, Window
from syncd.clock import HandClock
from syncd.testing import LineSpec, World
from syncd.tokens import MemoryTokens
from syncd_panelfile import CHANNEL, PanelfileSettings
from syncd_panelfile.simulator import PanelfileSimulator

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


@pytest.fixture
def panel() -> Iterator[PanelfileSimulator]:
    world = World(HandClock(START))
    world.add_seller("other", ["elsewhere"])
    with PanelfileSimulator(world) as panel:
        yield panel
    assert panel.troubles == []


def read(panel: PanelfileSimulator, kind: str, seller_id: str = "") -> list[Any]:
    settings = PanelfileSettings(**panel.settings(seller_id))
    account = Account(name="shop", channel="panelfile", settings=settings)
    client = Panel("", account="shop", clock=panel.clock, tokens=MemoryTokens())
    now = panel.clock.now() + timedelta(seconds=1)
    window = Window(now - timedelta(days=2), now)
    pages = getattr(CHANNEL, f"fetch_{kind}")(account, window, (), client)
    return [row for page in pages for row in page.rows]


def test_every_habit_of_people_is_read(panel: PanelfileSimulator) -> None:
    world = panel.world
    world.place_order([("MUG", 2), ("CAP", 1)], order_id="007")
    lines = [LineSpec(sku="MUG", quantity=3, line_id="00123456789012345678")]
    gone = world.place_order(lines, ships_by="seller")
    world.cancel(gone.order_id, quantity=1)
    world.pick_up(gone.order_id)
    world.deliver(gone.order_id, quantity=1)
    (back,) = world.courier_return(gone.order_id, quantity=1)
    panel.publish()

    (order,) = read(panel, "orders")
    assert order.order_id == "007"
    assert [line.quantity for line in order.lines] == [2, 1]
    (sent,) = read(panel, "dispatched")
    assert (sent.line_id, sent.quantity) == ("00123456789012345678", 2)
    assert sent.occurred_at == START
    assert sent.facts["ships"] == "Self"
    assert [row.quantity for row in read(panel, "delivered")] == [1]
    assert [row.quantity for row in read(panel, "cancelled")] == [1]
    (noticed,) = read(panel, "returns")
    assert (noticed.status, noticed.return_id) == (Status.RETURN_NOTICED, back.return_id)

    panel.clock.advance(timedelta(minutes=5))  # type: ignore[attr-defined]
    world.return_event(back.return_id, "COMPLETED")
    panel.publish()
    kinds = [row.status for row in read(panel, "returns")]
    assert kinds == [Status.RETURN_NOTICED, Status.RETURNED]


def test_each_seller_has_a_folder_of_its_own(panel: PanelfileSimulator) -> None:
    panel.world.place_order([("MUG", 1)], seller_id="other")
    assert requests.post(f"{panel.url}/control/publish", timeout=5).json() == {"published": True}

    assert read(panel, "orders") == []
    assert len(read(panel, "orders", "other")) == 1


def test_what_the_panel_does_not_show_yet_is_in_no_file(panel: PanelfileSimulator) -> None:
    panel.faults.lag_seconds = 60
    order = panel.world.place_order([("MUG", 1)])
    panel.world.pick_up(order.order_id)
    panel.publish()
    assert read(panel, "dispatched") == []


def test_the_folders_go_with_the_simulator() -> None:
    panel = PanelfileSimulator()
    folder = panel.folder()
    with panel:
        assert folder.is_dir()
    assert not folder.exists()
