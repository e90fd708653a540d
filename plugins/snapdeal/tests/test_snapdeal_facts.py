"""What a seller's book is told of what happens at Snapdeal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd import OrderRef, ReturnType, Status, Window
from syncd.testing import World
from syncd_snapdeal import describe_channel, provides_shipping

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def brief(changes: list[Any]) -> list[tuple[str, str, datetime]]:
    return [(one.order_id, str(one.status), one.occurred_at) for one in changes]


def test_a_new_order_is_told_by_suborder(seller: Any, world: World) -> None:
    order = world.place_order([("SKU-1", 2), ("SKU-2", 1)], at=NOW - 3 * HOUR)

    told = seller.read("orders")

    assert len({one.order_id for one in told}) == 3
    assert {one.placed_at for one in told} == {NOW - 3 * HOUR}
    assert sorted(one.lines[0].sku for one in told) == ["SKU-1", "SKU-1", "SKU-2"]
    for one in told:
        assert (one.lines[0].line_id, one.lines[0].quantity) == (one.order_id, 1)
        assert one.facts == {"fulfillmentMode": "DROPSHIP"}
    assert order.order_id in {one.order_id for one in told}


def test_what_has_left_is_no_new_order(seller: Any, world: World) -> None:
    order = world.place_order([("SKU-1", 1)])
    world.pick_up(order.order_id)

    assert seller.read("orders") == []


@pytest.mark.parametrize("end", ["pick_up", "cancel"])
def test_a_chosen_order_is_found_wherever_it_is(seller: Any, world: World, end: str) -> None:
    chosen, other = (world.place_order([("SKU-1", 1)], at=NOW - 3 * HOUR) for _ in range(2))
    for order in (chosen, other):
        getattr(world, end)(order.order_id, at=NOW - HOUR)

    (told,) = seller.read("orders", [chosen.order_id])

    assert (told.order_id, told.placed_at) == (chosen.order_id, NOW - 3 * HOUR)


def test_dispatched_and_delivered_with_the_time_of_the_dispatch(seller: Any, world: World) -> None:
    on_its_way, arrived = (world.place_order([("SKU-1", 1)], at=NOW - 9 * HOUR) for _ in range(2))
    world.pick_up(on_its_way.order_id, at=NOW - 5 * HOUR)
    world.ship(on_its_way.order_id, at=NOW - 4 * HOUR)
    world.ship(arrived.order_id, at=NOW - 3 * HOUR)
    world.deliver(arrived.order_id, at=NOW - HOUR)

    dispatched = seller.read("dispatched")

    assert brief(dispatched) == [
        (arrived.order_id, "DISPATCHED", NOW - 3 * HOUR),
        (on_its_way.order_id, "DISPATCHED", NOW - 5 * HOUR),
    ]
    assert brief(seller.read("delivered")) == [(arrived.order_id, "DELIVERED", NOW - 3 * HOUR)]
    parcel = world.parcels[arrived.shipment_ids[0]]
    first = dispatched[0]
    assert (first.shipment_id, first.tracking_number) == (
        parcel.shipment_id,
        parcel.tracking_number,
    )
    assert (first.line_id, first.sku, first.quantity) == (arrived.order_id, "SKU-1", 1)
    assert first.native_status == "FFD"


def test_a_delivery_is_told_though_the_dispatch_is_long_ago(seller: Any, world: World) -> None:
    late, ancient = (world.place_order([("SKU-1", 1)], at=NOW - 99 * 24 * HOUR) for _ in range(2))
    world.pick_up(late.order_id, at=NOW - 40 * 24 * HOUR)
    world.pick_up(ancient.order_id, at=NOW - 50 * 24 * HOUR)
    for order in (late, ancient):
        world.deliver(order.order_id, at=NOW - HOUR)

    assert [one.order_id for one in seller.read("delivered")] == [late.order_id]
    assert [one.order_id for one in seller.read("delivered", [ancient.order_id])] == [
        ancient.order_id
    ]


def test_a_part_of_a_parcel_is_told_piece_by_piece(seller: Any, world: World) -> None:
    order = world.place_order([("SKU-1", 3)], at=NOW - 9 * HOUR)
    world.cancel(order.order_id, quantity=1, at=NOW - 2 * HOUR, reason="No longer wanted")
    world.pick_up(order.order_id, at=NOW - HOUR)

    (cancelled,) = seller.read("cancelled")
    dispatched = seller.read("dispatched")

    assert brief([cancelled]) == [(order.order_id, "CANCELLED", NOW - 2 * HOUR)]
    assert (cancelled.reason, cancelled.quantity) == ("No longer wanted", 1)
    assert cancelled.facts == {"fulfillmentMode": "DROPSHIP"}
    assert len({one.order_id for one in dispatched} - {cancelled.order_id}) == 2
    truth = {order_id: words for (order_id, _), words in world.truth().items()}
    assert truth[cancelled.order_id] == {"CANCELLED": 1}
    assert all(truth[one.order_id] == {"DISPATCHED": 1} for one in dispatched)


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (timedelta(0), timedelta(seconds=1), True),
        (timedelta(microseconds=-1), timedelta(microseconds=1), True),
        (timedelta(seconds=1), timedelta(seconds=2), False),
        (timedelta(seconds=-2), timedelta(seconds=-1), False),
    ],
)
def test_the_window_of_cancellations(
    seller: Any, world: World, start: timedelta, end: timedelta, found: bool
) -> None:
    at = NOW - 2 * HOUR
    order = world.place_order([("SKU-1", 1)], at=NOW - 9 * HOUR)
    world.cancel(order.order_id, at=at)

    told = seller.read("cancelled", window=Window(at + start, at + end))

    assert [one.order_id for one in told] == ([order.order_id] if found else [])


def returned(world: World, kind: str) -> Any:
    order = world.place_order([("SKU-1", 1)], at=NOW - 90 * HOUR)
    world.pick_up(order.order_id, at=NOW - 80 * HOUR)
    if kind == "customer_return":
        world.deliver(order.order_id, at=NOW - 70 * HOUR)
    (back,) = getattr(world, kind)(order.order_id, at=NOW - 50 * HOUR, reason="Too small")
    return back


@pytest.mark.parametrize(
    ("verb", "kind", "window"),
    [
        ("customer_return", ReturnType.CIR, Window(NOW - HOUR, NOW)),
        ("courier_return", ReturnType.RTO, Window(NOW - 60 * HOUR, NOW)),
    ],
)
def test_a_return_has_two_moments(
    seller: Any, world: World, verb: str, kind: ReturnType, window: Window
) -> None:
    back = returned(world, verb)

    (notice,) = seller.read("returns", window=window)
    world.return_event(back.return_id, "COMPLETED", at=NOW - HOUR / 2)
    (done,) = seller.read("returns", window=window)

    assert brief([notice, done]) == [
        (back.order_id, "RETURN_NOTICED", NOW - 50 * HOUR),
        (back.order_id, "RETURNED", NOW - HOUR / 2),
    ]
    assert notice.return_type is done.return_type is kind
    assert notice.evidence_id != done.evidence_id
    assert notice.left_seller
    assert notice.tracking_number == ""
    assert notice.facts["returnTracking"] == back.tracking_number
    assert notice.reason == ("Too small" if kind is ReturnType.CIR else "")


def test_by_ids_and_by_window_agree(seller: Any, world: World) -> None:
    backs = [returned(world, verb) for verb in ("customer_return", "courier_return") * 2]
    for back in backs[2:]:
        world.return_event(back.return_id, "COMPLETED", at=NOW - HOUR)
    gone = world.place_order([("SKU-1", 1)], at=NOW - 9 * HOUR)
    world.cancel(gone.order_id, at=NOW - HOUR)
    chosen = [backs[0].order_id, backs[3].order_id, gone.order_id]
    month = Window(NOW - 30 * 24 * HOUR, NOW)

    for kind in ("dispatched", "delivered", "cancelled", "returns"):
        whole = seller.read(kind, window=month)
        assert seller.read(kind, chosen, month) == [one for one in whole if one.order_id in chosen]
        assert whole == seller.read(kind, window=month)


def test_only_the_chosen_seller_is_told(seller: Any, world: World) -> None:
    world.add_seller("seller-2", ["location-2"])
    order = world.place_order([("SKU-1", 1)], seller_id="seller-2", at=NOW - HOUR)

    assert seller.read("orders") == []
    assert (order.order_id, order.order_id) in world.truth(seller_id="seller-2")


@pytest.mark.parametrize(
    ("mode", "ships"),
    [
        ("VENDOR_SELF", False),
        ("DROPSHIP", True),
        ("ONESHIP", True),
        ("OCPLUS", True),
        ("FC_VOI", True),
        ("", True),
    ],
)
def test_who_ships(seller: Any, mode: str, ships: bool) -> None:
    facts = {"fulfillmentMode": mode} if mode else {}
    order = OrderRef(order_id="1", facts=facts)

    assert provides_shipping(seller.account, order) is ships


def test_the_mode_of_each_fact_says_who_ships(seller: Any, world: World) -> None:
    own = world.place_order([("SKU-1", 1)], ships_by="seller", at=NOW - 5 * HOUR)
    theirs = world.place_order([("SKU-1", 1)], traits={"mode": "ONESHIP"}, at=NOW - 5 * HOUR)
    for order in (own, theirs):
        world.pick_up(order.order_id, at=NOW - HOUR)

    told = {
        one.order_id: provides_shipping(
            seller.account, OrderRef(order_id=one.order_id, facts=one.facts)
        )
        for one in seller.read("dispatched")
    }

    assert told == {own.order_id: False, theirs.order_id: True}


def test_a_mode_that_is_not_asked_for_is_not_told(
    sellers: Callable[..., Any], world: World
) -> None:
    order = world.place_order([("SKU-1", 1)], traits={"mode": "FC_VOI"}, at=NOW - 5 * HOUR)
    world.pick_up(order.order_id, at=NOW - HOUR)

    assert sellers(modes=["DROPSHIP"]).read("dispatched") == []
    only = sellers(modes=["FC_VOI"])
    assert len(only.read("dispatched")) == 1
    assert only.read("returns") == []  # no call for returns takes this mode


def test_what_the_channel_says_of_itself() -> None:
    channel = describe_channel()

    assert channel.statuses == {
        Status.DISPATCHED, Status.DELIVERED, Status.CANCELLED, Status.RETURN_NOTICED,
        Status.RETURNED,
    }  # fmt: skip
    assert channel.overlap > timedelta(minutes=40)
    assert channel.unverified
