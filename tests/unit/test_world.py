"""The pretend marketplace: verbs, truth, names from a seed, and the index by time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from syncd.clock import HandClock, to_micros
from syncd.statuses import ReturnType
from syncd.testing import Ids, LineSpec, ReturnState, State, World, WorldError, populate
from syncd.testing.things import TimeIndex

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def world(clock: HandClock) -> World:
    return World(clock, ids=Ids(7))


def words(world: World, order_id: str) -> list[dict[str, int]]:
    return [dict(count) for key, count in world.truth().items() if key[0] == order_id]


def test_an_order_begins_open_with_one_piece_for_each_unit(world: World) -> None:
    order = world.place_order([("RED", 3), LineSpec(sku="BLUE", quantity=1)])
    assert words(world, order.order_id) == [{"OPEN": 3}, {"OPEN": 1}]
    assert [piece.number for piece in order.lines[0].pieces] == [1, 2, 3]
    assert len(order.shipment_ids) == 1


def test_the_same_seed_gives_the_same_names() -> None:
    def names(seed: int) -> list[str]:
        world = World(HandClock(START), ids=Ids(seed))
        orders = [world.place_order([("RED", 1)]) for _ in range(3)]
        return [name for one in orders for name in (one.order_id, *one.shipment_ids)]

    assert names(1) == names(1)
    assert names(1) != names(2)
    assert len(set(names(1))) == 6


def test_a_piece_walks_to_the_buyer_and_each_step_has_its_stamp(
    world: World, clock: HandClock
) -> None:
    order = world.place_order([("RED", 1)])
    for verb in (world.pack, world.ready, world.pick_up, world.ship, world.deliver):
        clock.advance(HOUR)
        assert verb(order.order_id) == 1
    steps = [(event.word, event.at - START) for event in world.history]
    assert steps == [
        ("placed", 0 * HOUR),
        ("packed", HOUR),
        ("ready", 2 * HOUR),
        ("picked_up", 3 * HOUR),
        ("shipped", 4 * HOUR),
        ("delivered", 5 * HOUR),
    ]
    assert words(world, order.order_id) == [{"DELIVERED": 1}]


@pytest.mark.parametrize(
    ("verbs", "word"),
    [
        (["ready"], "OPEN"),
        (["start_packing", "fail_packing"], "OPEN"),
        (["pick_up"], "DISPATCHED"),
        (["ship"], "DISPATCHED"),
        (["pick_up", "lost"], "LOST"),
        (["ship", "deliver", "complete"], "DELIVERED"),
        (["cancel"], "CANCELLED"),
        (["ship", "cancel_in_transit"], "RETURN_NOTICED_RTO"),
        (["ship", "courier_return"], "RETURN_NOTICED_RTO"),
        (["ship", "deliver", "customer_return"], "RETURN_NOTICED_CIR"),
    ],
)
def test_each_verb_leads_to_its_final_word(world: World, verbs: list[str], word: str) -> None:
    order = world.place_order([("RED", 2)])
    for verb in verbs:
        getattr(world, verb)(order.order_id)
    assert words(world, order.order_id) == [{word: 2}]


def test_parts_of_a_line_go_different_ways(world: World) -> None:
    order = world.place_order([("RED", 5)])
    line_id = order.lines[0].line_id
    assert world.cancel(order.order_id, line_id, quantity=1, by="seller") == 1
    assert world.pick_up(order.order_id, line_id, quantity=3) == 3
    world.deliver(order.order_id, line_id, quantity=2)
    world.customer_return(order.order_id, line_id, quantity=1)
    assert words(world, order.order_id) == [
        {"CANCELLED": 1, "OPEN": 1, "DISPATCHED": 1, "DELIVERED": 1, "RETURN_NOTICED_CIR": 1}
    ]


def test_one_order_in_two_parcels(world: World) -> None:
    order = world.place_order([("RED", 3), ("BLUE", 1)], split=[[(0, 2)], [(0, 1), (1, 1)]])
    first, second = order.shipment_ids
    assert world.pick_up(order.order_id, shipment_id=second) == 2
    assert words(world, order.order_id) == [{"OPEN": 2, "DISPATCHED": 1}, {"DISPATCHED": 1}]
    assert world.parcels[first].modified_at == world.parcels[second].modified_at == START


def test_a_split_must_add_up(world: World) -> None:
    with pytest.raises(WorldError, match="add up"):
        world.place_order([("RED", 3)], split=[[(0, 2)]])
    assert not world.orders
    assert not world.parcels


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (ReturnState.ANNOUNCED, "DELIVERED"),
        (ReturnState.SERVICE_REQUESTED, "RETURN_NOTICED_CIR"),
        (ReturnState.CANCELLING, "RETURN_NOTICED_CIR"),
        (ReturnState.COMPLETED, "RETURNED_CIR"),
        (ReturnState.CANCELLED, "DELIVERED"),
        (ReturnState.REJECTED, "DELIVERED"),
    ],
)
def test_a_customer_return_in_each_state(world: World, state: ReturnState, word: str) -> None:
    order = world.place_order([("RED", 1)])
    world.ship(order.order_id)
    world.deliver(order.order_id)
    [back] = world.customer_return(order.order_id)
    assert back.kind is ReturnType.CIR
    world.return_event(back.return_id, state.lower())
    assert words(world, order.order_id) == [{word: 1}]


@pytest.mark.parametrize(("ships_by", "word"), [("channel", "DISPATCHED"), ("seller", "DELIVERED")])
def test_a_withdrawn_rto_is_on_its_way_again_or_at_the_buyer(
    world: World, ships_by: str, word: str
) -> None:
    order = world.place_order([("RED", 1)], ships_by=ships_by)  # type: ignore[arg-type]
    world.ship(order.order_id)
    [back] = world.cancel_in_transit(order.order_id)
    world.return_event(back.return_id, "cancelled")
    assert words(world, order.order_id) == [{word: 1}]
    assert order.lines[0].pieces[0].cancellation is None


def test_an_ended_return_stays_ended_and_a_new_one_may_come(world: World) -> None:
    order = world.place_order([("RED", 1)])
    world.ship(order.order_id)
    world.deliver(order.order_id)
    [first] = world.customer_return(order.order_id)
    world.return_event(first.return_id, "rejected")
    with pytest.raises(WorldError, match="has ended"):
        world.return_event(first.return_id, "completed")
    [second] = world.customer_return(order.order_id)
    world.return_event(second.return_id, "return_completed")
    assert words(world, order.order_id) == [{"RETURNED_CIR": 1}]


def test_a_held_parcel_does_not_leave_but_can_be_cancelled(world: World) -> None:
    order = world.place_order([("RED", 2)])
    world.hold(order.order_id)
    with pytest.raises(WorldError, match="held parcels"):
        world.pick_up(order.order_id)
    world.cancel(order.order_id, quantity=1)
    world.unhold(order.order_id)
    world.pick_up(order.order_id)
    assert words(world, order.order_id) == [{"CANCELLED": 1, "DISPATCHED": 1}]


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        ("deliver", "0 fitting pieces"),
        ("complete", "0 fitting pieces"),
        ("cancel_in_transit", "0 fitting pieces"),
        ("customer_return", "0 fitting pieces"),
        ("lost", "0 fitting pieces"),
    ],
)
def test_what_no_marketplace_allows_is_refused_and_changes_nothing(
    world: World, verb: str, message: str
) -> None:
    order = world.place_order([("RED", 1)])
    before = world.version
    with pytest.raises(WorldError, match=message):
        getattr(world, verb)(order.order_id)
    assert world.version == before
    assert order.lines[0].pieces[0].state is State.PLACED


def test_more_pieces_than_there_are_is_refused_whole(world: World) -> None:
    order = world.place_order([("RED", 2)])
    with pytest.raises(WorldError, match="asked were 3"):
        world.cancel(order.order_id, quantity=3)
    assert words(world, order.order_id) == [{"OPEN": 2}]


def test_unknown_names_are_refused(world: World) -> None:
    order = world.place_order([("RED", 1)])
    with pytest.raises(WorldError, match="no order 'X'"):
        world.pick_up("X")
    with pytest.raises(WorldError, match="no line 'X'"):
        world.pick_up(order.order_id, "X")
    with pytest.raises(WorldError, match="no shipment 'X'"):
        world.pick_up(order.order_id, shipment_id="X")
    with pytest.raises(WorldError, match="no return 'X'"):
        world.return_event("X", "completed")
    world.pick_up(order.order_id)
    [back] = world.courier_return(order.order_id)
    with pytest.raises(WorldError, match="no return state 'melted'"):
        world.return_event(back.return_id, "melted")
    with pytest.raises(WorldError, match="exists already"):
        world.place_order([("RED", 1)], order_id=order.order_id)
    with pytest.raises(WorldError, match="no location"):
        world.place_order([("RED", 1)], location_id="elsewhere")


def test_sellers_and_locations(world: World) -> None:
    world.add_seller("second", ["a", "b"])
    world.add_location("spare")
    mine = world.place_order([("RED", 1)], location_id="spare")
    other = world.place_order([("RED", 1)], seller_id="second", location_id="b")
    assert {key[0] for key in world.truth(seller_id="second")} == {other.order_id}
    assert mine.location_id == "spare"
    with pytest.raises(WorldError, match="exists already"):
        world.add_seller("second", ["c"])


def test_truth_may_leave_out_what_the_seller_ships(world: World) -> None:
    ours = world.place_order([("RED", 1)], ships_by="seller")
    theirs = world.place_order([("RED", 1)])
    assert {key[0] for key in world.truth(ships_by="channel")} == {theirs.order_id}
    assert {key[0] for key in world.truth(ships_by="seller")} == {ours.order_id}


def test_a_customer_return_does_not_touch_the_forward_parcel(
    world: World, clock: HandClock
) -> None:
    order = world.place_order([("RED", 1)])
    world.ship(order.order_id)
    world.deliver(order.order_id)
    clock.advance(HOUR)
    [back] = world.customer_return(order.order_id)
    assert world.parcels[order.shipment_ids[0]].modified_at == START
    assert back.modified_at == START + HOUR


moves = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(moves=moves, low=st.none() | st.integers(0, 50), high=st.none() | st.integers(0, 50))
def test_the_index_by_time_equals_a_plain_sort(
    moves: list[tuple[int, int]], low: int | None, high: int | None
) -> None:
    index, model = TimeIndex(), dict[str, int]()
    for n, (key, stamp) in enumerate(moves):
        index.touch(f"k{key:02d}", stamp)
        model[f"k{key:02d}"] = stamp
        if n % 7 == 0:
            index.between(None, None)
    expected = [
        key
        for stamp, key in sorted((stamp, key) for key, stamp in model.items())
        if (low is None or low <= stamp) and (high is None or stamp <= high)
    ]
    assert index.between(low, high) == expected


def test_the_index_sorts_anew_when_very_many_have_moved() -> None:
    index = TimeIndex()
    for n in range(2000):
        index.touch(f"{n}", n)
    for n in range(2000):
        index.touch(f"{n}", 5000 - n)
    assert index.between(4990, 5000) == [f"{n}" for n in range(10, -1, -1)]


def test_populate_spreads_stamps_and_truth_agrees(world: World, clock: HandClock) -> None:
    orders = populate(world, 60, dispatched=True, span=HOUR)
    stamps = [world.parcels[one.shipment_ids[0]].modified_at for one in orders]
    assert stamps == sorted(stamps)
    assert stamps[0] == START - timedelta(minutes=65)
    assert stamps[-1] < START - timedelta(minutes=5)
    assert Counter(word for count in world.truth().values() for word in count.elements()) == {
        "DISPATCHED": 60
    }


def test_a_span_of_a_hundred_thousand_is_found_at_once() -> None:
    index = TimeIndex()
    base = to_micros(START)
    for n in range(100_000):
        index.touch(f"{n:06d}", base + n)
    index.between(None, None)
    found = index._sorted
    for n in range(100):
        index.touch(f"{n:06d}", base + 200_000 + n)
        assert len(index.between(base + 50_000, base + 50_099)) == 100
    assert index._sorted is found, "it was not sorted anew"
