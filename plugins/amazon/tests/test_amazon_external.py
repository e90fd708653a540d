"""The External Fulfillment Returns API, alone and beside the other two sources of returns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncd import OrderRef, Status, Window
from syncd_amazon import fetch_returns
from syncd_amazon.settings import FLAT_RETURNS
from syncd_amazon.simulator_returns import external_id

pytestmark = pytest.mark.unsound_book("i08_a_cursor_is_proven_by_the_run_that_moved_it")
AFN = {"fulfillment": "AFN"}


@pytest.fixture(params=["by creation", "by last change too"])
def told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of an account without and with the locations of its returns."""
    places = ["warehouse-1"] if request.param == "by last change too" else []
    return {"external_returns": True, "return_reports": [], "return_locations": places}


def _read(seller: Any, window: Window) -> list[Any]:
    pages = fetch_returns(seller.account, window, [], seller.panel, seller.memory)
    return [row for page in pages for row in page.rows if row.return_id]


def _sent_back(shop: Any, **more: Any) -> Any:
    order = shop.world.place_order([("RED", 1)], **more)
    shop.world.ship(order.order_id)
    shop.world.deliver(order.order_id)
    (back,) = shop.world.customer_return(order.order_id)
    return back


def test_a_return_is_read_in_the_window_of_each_change(
    kit: Any, shop: Any, clock: Any, told: dict[str, Any]
) -> None:
    """Its creation, its arrival forty days later, and nothing of what is still to come."""
    seller = kit.reader(shop, **told)
    start = clock.now()
    back = _sent_back(shop)
    clock.advance(timedelta(hours=1))
    first = Window(start, clock.now())
    clock.advance(timedelta(hours=1))
    later = _sent_back(shop)
    rows = _read(seller, first)
    assert [(row.return_id, row.status) for row in rows] == [
        (external_id(back), Status.RETURN_NOTICED)
    ]
    assert external_id(later) not in {row.return_id for row in rows}

    clock.advance(timedelta(days=40))
    start = clock.now()
    shop.world.return_event(back.return_id, "completed")
    clock.advance(timedelta(minutes=10))

    rows = _read(seller, Window(start, clock.now()))
    arrived = [(external_id(back), Status.RETURNED)] if told["return_locations"] else []
    assert [(row.return_id, row.status) for row in rows] == arrived


def test_windows_add_up(kit: Any, shop: Any, clock: Any, told: dict[str, Any]) -> None:
    seller = kit.reader(shop, **told)
    begin = clock.now()
    backs = []
    for _ in range(4):
        clock.advance(timedelta(minutes=7, milliseconds=250))
        backs.append(_sent_back(shop))
    clock.advance(timedelta(minutes=10))
    end = clock.now()
    cut = backs[1].modified_at  # just where something happened

    whole = {row.evidence_id for row in _read(seller, Window(begin, end))}
    parts = [_read(seller, Window(begin, cut)), _read(seller, Window(cut, end))]

    assert len(whole) == 4
    assert {row.evidence_id for part in parts for row in part} == whole


def test_a_location_that_is_not_ours_is_not_read(kit: Any, shop: Any, clock: Any) -> None:
    _sent_back(shop)
    clock.advance(timedelta(minutes=10))
    more = {"external_returns": True, "return_reports": [], "return_locations": ["elsewhere"]}

    assert [row for row in kit.reader(shop, **more).read("returns") if row.return_id] == []


def test_of_chosen_orders_only_theirs_are_kept(
    kit: Any, shop: Any, clock: Any, told: dict[str, Any]
) -> None:
    first, second = _sent_back(shop), _sent_back(shop)
    clock.advance(timedelta(minutes=10))

    rows = kit.reader(shop, **told).read("returns", [OrderRef(order_id=second.order_id)])

    assert {row.order_id for row in rows} == {second.order_id} != {first.order_id}


# What the book makes of it -----------------------------------------------------------------------


@pytest.mark.parametrize("traits", [{}, AFN], ids=["Easy Ship tells it too", "it does not"])
@pytest.mark.parametrize("places", [[], ["warehouse-1"]])
@pytest.mark.parametrize("reported", [[], [FLAT_RETURNS]])
def test_pieces_that_come_back_one_by_one_count_once(
    trade: Any, traits: dict[str, str], places: list[str], reported: list[str]
) -> None:
    world = trade.shop.world
    trade.shop.reports.rto = True
    trade.settings = {
        "external_returns": True, "return_reports": reported, "return_locations": places,
    }  # fmt: skip
    order = world.place_order([("RED", 3)], traits=traits)
    trade.sync()
    world.pick_up(order.order_id)
    trade.sync()
    expected = ["DISPATCHED"] * 3
    backs = []
    for number in range(2):
        (back,) = world.courier_return(order.order_id, quantity=1)
        backs.append(back)
        trade.sync()
        expected[number] = "RETURN_EXPECTED"
        assert trade.seller.positions(order.order_id) == expected
    for number, back in enumerate(reversed(backs)):  # the second one arrives first
        world.return_event(back.return_id, "completed")
        trade.sync()
        expected[number] = "RETURNED"
        assert sorted(trade.seller.positions(order.order_id)) == sorted(expected)
    world.courier_return(order.order_id)
    trade.sync()
    last = ["RETURNED", "RETURNED", "RETURN_EXPECTED"]
    assert sorted(trade.seller.positions(order.order_id)) == last


def test_a_return_that_a_report_tells_too_counts_once(trade: Any) -> None:
    world = trade.shop.world
    trade.settings = {"external_returns": True, "return_reports": [FLAT_RETURNS]}
    order = world.place_order([("RED", 3)])
    trade.sync()
    world.ship(order.order_id)
    world.deliver(order.order_id)
    trade.sync()
    (back,) = world.customer_return(order.order_id, quantity=1)
    trade.sync()
    assert sorted(trade.seller.positions(order.order_id)) == [
        "CIR_CREATED", "DELIVERED", "DELIVERED",
    ]  # fmt: skip
    world.return_event(back.return_id, "completed")
    trade.sync()
    trade.sync()
    assert sorted(trade.seller.positions(order.order_id)) == [
        "CIR_COMPLETE", "DELIVERED", "DELIVERED",
    ]  # fmt: skip
