"""Through a real book: what a person reads of an order that the seller ships."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.book.explain import explain

pytestmark = pytest.mark.unsound_book("i08_a_cursor_is_proven_by_the_run_that_moved_it")


def _told(trade: Any, order_id: str) -> str:
    return " ".join(" ".join(explain(trade.seller.book, order_id).lines).split())


def test_an_order_that_the_seller_ships_is_not_synced_and_explain_says_so(trade: Any) -> None:
    order = trade.shop.world.place_order([("RED", 1)], ships_by="seller")
    trade.sync()
    before = trade.seller.positions(order.order_id)
    trade.shop.world.pick_up(order.order_id)
    trade.sync()

    assert trade.seller.positions(order.order_id) == before != ["DISPATCHED"]
    told = _told(trade, order.order_id)
    assert "Amazon said that 1 piece of line" in told
    assert (
        "The seller ships this order, not the channel, so the channel only repeats what the "
        "seller did." in told
    )


@pytest.mark.parametrize("traits", [{}, {"fulfillment": "AFN"}], ids=["Easy Ship", "FBA"])
def test_an_order_that_amazon_ships_is_synced(trade: Any, traits: dict[str, str]) -> None:
    order = trade.shop.world.place_order([("RED", 2)], traits=traits)
    trade.sync()
    trade.shop.world.pick_up(order.order_id)
    trade.sync()

    assert trade.seller.positions(order.order_id) == ["DISPATCHED", "DISPATCHED"]


def test_a_cancelled_order_of_the_sellers_own_is_synced(trade: Any) -> None:
    order = trade.shop.world.place_order([("RED", 1)], ships_by="seller")
    trade.sync()
    trade.shop.world.cancel(order.order_id)
    trade.sync()

    assert trade.seller.positions(order.order_id) == ["CANCELLED"]


def test_the_whole_way_back(trade: Any) -> None:
    """Shipped is what the order says to the end; the parcel's state brings it home."""
    world: Any = trade.shop.world
    order = world.place_order([("RED", 1)])
    trade.sync()
    world.pick_up(order.order_id)
    trade.sync()
    (back,) = world.courier_return(order.order_id)
    trade.sync()
    assert trade.seller.positions(order.order_id) == ["RETURN_EXPECTED"]
    world.return_event(back.return_id, "completed")
    trade.sync()

    assert trade.seller.positions(order.order_id) == ["RETURNED"]
    assert trade.shop.rows.status(order) == "SHIPPED"
