"""Which pieces a fact means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from syncd.rules import Before, Choice, Event, Fact, Piece, Position, choose
from tests.unit.rulekit import DAY, Bench, counts, fact, piece


def line(*positions: str, **known: Any) -> list[Piece]:
    """Pieces 0, 1, 2 of line «a» at these positions."""
    return [piece(position, number, **known) for number, position in enumerate(positions)]


def chosen(pieces: list[Piece], told: Fact) -> tuple[list[int], int]:
    choice = choose(pieces, told)
    return [each.piece for each in choice.pieces], choice.excess


PARTED = {"former": ("OLD", "T-OLD")}


@pytest.mark.parametrize(
    ("told", "first", "second", "hit"),
    [
        ({"shipment_id": "OLD"}, {}, {}, [0, 1]),
        ({"tracking_number": "T-OLD"}, {}, {}, [0, 1]),
        ({"shipment_id": "OLD"}, {"shipment_id": "S1"}, {}, [1]),
        ({"shipment_id": "OLD"}, {"shipment_id": "S1"}, {"shipment_id": "S2"}, [0, 1]),
        ({"shipment_id": "S1"}, {"shipment_id": "S1"}, {"shipment_id": "S2"}, [0]),
        ({"shipment_id": "S1"}, {"shipment_id": "S1"}, {}, [0]),
        ({"shipment_id": "S2"}, {"shipment_id": "S1"}, {"shipment_id": "S2"}, [1]),
        ({"tracking_number": "T-OLD"}, {"tracking_number": "T1"}, {}, [1]),
        ({"tracking_number": "T1"}, {"tracking_number": "T1"}, {}, [0]),
        ({"tracking_number": "T2"}, {"tracking_number": "T1"}, {}, [1]),
        ({"shipment_id": "NEW"}, {}, {}, [0, 1]),
        ({"shipment_id": "NEW"}, {"shipment_id": "S1"}, {}, [1]),
    ],
)
def test_a_parted_parcel_is_found_by_its_old_name_too(
    told: dict[str, str], first: dict[str, str], second: dict[str, str], hit: list[int]
) -> None:
    parts = [piece("CREATED", 0, **PARTED, **first), piece("CREATED", 1, **PARTED, **second)]
    assert chosen([*parts], fact("DISPATCHED", **told)) == (hit, 0)


def test_an_old_name_does_not_mean_a_piece_that_was_never_in_that_parcel() -> None:
    pieces = [piece("CREATED", 0, **PARTED), piece("CREATED", 1), piece("CREATED", 2)]
    assert chosen(pieces, fact("DISPATCHED", shipment_id="OLD")) == ([0], 0)


@pytest.mark.parametrize(
    ("told", "hit"),
    [
        ({}, None),
        ({"quantity": 2}, None),
        ({"shipment_id": "S1"}, [0]),
        ({"shipment_id": "S2"}, [1]),
        ({"tracking_number": "T1"}, [0]),
        ({"shipment_id": "S9"}, None),
        ({"line_id": "a"}, [0]),
        ({"line_id": "r"}, [1]),
    ],
)
def test_a_line_and_its_replacement_are_told_apart_by_name_or_not_at_all(
    told: dict[str, Any], hit: list[int] | None
) -> None:
    pieces = [
        piece("DISPATCHED", 0, line_id="a", shipment_id="S1", tracking_number="T1"),
        piece("DISPATCHED", 1, line_id="r", shipment_id="S2", replaces="a"),
    ]
    choice = choose(pieces, fact("DELIVERED", **{"line_id": "", **told}))
    assert choice.ambiguous == (hit is None)
    assert [each.piece for each in choice.pieces] == (hit or [])
    assert choice.excess == (0 if hit else told.get("quantity", 1))


def test_one_shipment_of_a_line_and_its_replacement_tells_nothing_apart() -> None:
    pieces = [
        piece("DISPATCHED", 0, line_id="a", shipment_id="S1"),
        piece("DISPATCHED", 1, line_id="r", shipment_id="S1", replaces="a"),
    ]
    assert choose(pieces, fact("DELIVERED", line_id="", shipment_id="S1")).ambiguous


def test_replacements_alone_are_in_no_doubt() -> None:
    pieces = [piece("DISPATCHED", n, line_id="r", replaces="a") for n in range(2)]
    assert chosen(pieces, fact("DELIVERED", line_id="", quantity=1)) == ([0], 0)
    returned = [
        piece("DELIVERED", 0, line_id="a", return_id="R1"),
        piece("DELIVERED", 1, line_id="r", replaces="a"),
    ]
    assert chosen(returned, fact("RETURN_NOTICED_CIR", line_id="", return_id="R1")) == ([0], 0)


@pytest.mark.parametrize(
    ("event", "positions", "first"),
    [
        ("CANCELLED", ["FULFILLABLE", "CREATED", "PACKED"], 0),
        ("CANCELLED", ["PACKED", "MANIFESTED", "UNFULFILLABLE"], 2),
        ("CANCELLED", ["DISPATCHED", "MANIFESTED", "CANCELLED"], 1),
        ("CANCEL_REQUESTED", ["PACKED", "PICKING"], 1),
        ("DISPATCHED", ["CREATED", "PACKED", "UNFULFILLABLE"], 1),
        ("DISPATCHED", ["DISPATCHED", "CANCELLED", "UNFULFILLABLE"], 2),
        ("DELIVERED", ["PACKED", "DISPATCHED", "SHIPPED"], 2),
        ("DELIVERED", ["RETURN_EXPECTED", "DISPATCHED", "DELIVERED"], 1),
        ("RETURN_NOTICED_CIR", ["SHIPPED", "DELIVERED"], 1),
        ("RETURN_NOTICED_CIR", ["CREATED", "DISPATCHED"], 1),
        ("RETURN_NOTICED_RTO", ["DELIVERED", "DISPATCHED"], 1),
        ("RETURNED_RTO", ["DISPATCHED", "RETURN_EXPECTED"], 1),
        ("RETURNED_CIR", ["DELIVERED", "CIR_CREATED"], 1),
        ("RETURN_WITHDRAWN", ["DELIVERED", "CIR_CREATED"], 1),
        ("UNDELIVERED", ["CREATED", "DELIVERED", "DISPATCHED"], 2),
        ("LOST", ["CREATED", "SHIPPED", "LOST"], 1),
    ],
)
def test_one_of_several(event: str, positions: list[str], first: int) -> None:
    assert chosen(line(*positions), fact(event, quantity=1)) == ([first], 0)


def test_every_event_knows_its_order() -> None:
    everywhere = line(*Position)
    for event in Event:
        numbers, excess = chosen(everywhere, fact(event, quantity=99))
        assert sorted(numbers) == list(range(len(Position)))
        assert excess == 99 - len(Position)


def test_ties_go_by_number() -> None:
    assert chosen(line("CREATED", "CREATED", "CREATED")[::-1], fact("CANCELLED", quantity=2)) == (
        [0, 1],
        0,
    )


def test_a_line_wins_over_a_sku() -> None:
    pieces = [piece("CREATED", 0), piece("CREATED", 1, line_id="b", sku="CUP")]
    assert chosen(pieces, fact("CANCELLED", line_id="b", sku="MUG")) == ([1], 0)
    assert chosen(pieces, fact("CANCELLED", line_id="", sku="MUG")) == ([0], 0)
    assert chosen(pieces, fact("CANCELLED", line_id="")) == ([0, 1], 0)


def test_an_unknown_line_is_never_guessed() -> None:
    pieces = line("CREATED")
    assert chosen(pieces, fact("CANCELLED", line_id="z")) == ([], 1)
    assert chosen(pieces, fact("CANCELLED", line_id="z", quantity=3)) == ([], 3)
    assert chosen(line("CREATED", "CREATED"), fact("CANCELLED", line_id="z")) == ([], 1)


def test_more_than_there_is_leaves_an_excess() -> None:
    assert chosen(line("CREATED"), fact("CANCELLED", quantity=3)) == ([0], 2)
    assert chosen(line("CREATED", "PACKED"), fact("CANCELLED", quantity=3)) == ([0, 1], 1)


def test_without_a_quantity_all_are_meant_but_the_contradicted() -> None:
    assert chosen(line("CREATED", "CANCELLED", "PACKED"), fact("DISPATCHED")) == ([2, 0], 0)
    assert chosen(line("CANCELLED", "CANCELLED"), fact("DISPATCHED")) == ([0, 1], 0)


def test_a_second_dispatch_takes_a_second_piece() -> None:
    bench = Bench(*line("CREATED", "CREATED", "CREATED"))
    bench.tell(fact("DISPATCHED", quantity=1), fact("DISPATCHED", 2 * DAY, quantity=1))
    assert counts(bench.stands) == {"DISPATCHED": 2, "CREATED": 1}


def test_a_single_piece_told_of_twice_is_no_excess() -> None:
    bench = Bench(*line("CREATED"))
    bench.tell(fact("DISPATCHED", quantity=1), fact("DISPATCHED", 2 * DAY, quantity=1))
    assert bench.stands == ["DISPATCHED"]
    assert bench.excess == 0


def test_dispatch_of_all_three_after_one_was_cancelled_is_told_to_a_person() -> None:
    bench = Bench(*line("CREATED", "CREATED", "CREATED"))
    bench.tell(fact("CANCELLED", quantity=1), fact("DISPATCHED", 2 * DAY, quantity=2))
    assert counts(bench.stands) == {"CANCELLED": 1, "DISPATCHED": 2}
    assert "dispatched_after_cancel" not in bench.reasons()
    bench.tell(fact("DISPATCHED", 3 * DAY, quantity=3))
    assert counts(bench.stands) == {"CANCELLED": 1, "DISPATCHED": 2}
    assert "dispatched_after_cancel" in bench.reasons()


def test_a_total_counts_what_is_there() -> None:
    bench = Bench(*line("CREATED", "PACKED", "CREATED"))
    bench.tell(fact("CANCELLED", quantity=1, cumulative=True))
    bench.tell(fact("CANCELLED", 2 * DAY, quantity=2, cumulative=True))
    bench.tell(fact("CANCELLED", 3 * DAY, quantity=2, cumulative=True))
    assert bench.stands == ["CANCELLED", "PACKED", "CANCELLED"]
    assert chosen(bench.pieces, fact("CANCELLED", quantity=4, cumulative=True))[1] == 1


@pytest.mark.parametrize(
    ("event", "positions", "hit"),
    [
        ("DISPATCHED", ["LOST", "CREATED"], 0),
        ("DELIVERED", ["CIR_CREATED", "DISPATCHED"], 0),
        ("DELIVERED", ["RETURN_EXPECTED", "DISPATCHED"], 1),
        ("CANCELLED", ["CANCELLED", "CREATED"], 0),
        ("CANCELLED", ["RETURN_EXPECTED", "CREATED"], 1),
        ("CANCELLED", ["RETURNED", "MANIFESTED"], 1),
        ("CANCELLED", ["DISPATCHED", "RETURN_EXPECTED"], 1),
        ("CANCELLED", ["DISPATCHED", "RETURN_ACKNOWLEDGED"], 1),
        ("CANCELLED", ["DISPATCHED", "LOST"], 0),
        ("CANCELLED", ["RETURN_EXPECTED", "CANCELLED"], 1),
        ("CANCELLED", ["CIR_CREATED", "CREATED"], 1),
        ("RETURN_NOTICED_RTO", ["RETURNED", "DISPATCHED"], 0),
        ("RETURN_NOTICED_CIR", ["CIR_COMPLETE", "DELIVERED"], 0),
        ("RETURNED_RTO", ["RETURN_ACKNOWLEDGED", "RETURN_EXPECTED"], 0),
        ("RETURNED_CIR", ["CIR_COMPLETE", "CIR_CREATED"], 0),
        ("LOST", ["LOST", "DISPATCHED"], 0),
        ("CANCEL_REQUESTED", ["CANCELLED", "CREATED"], 0),
        ("UNDELIVERED", ["DELIVERED", "DISPATCHED"], 1),
    ],
)
def test_what_a_total_of_one_is_filled_by(event: str, positions: list[str], hit: int) -> None:
    pieces = line(*positions, return_noticed_at=9 * DAY)
    assert chosen(pieces, fact(event, quantity=1, cumulative=True)) == ([hit], 0)


def test_a_total_counts_pieces_on_hold() -> None:
    pieces = line("MANIFESTED", "MANIFESTED")
    pieces[1].hold = "cancelled_after_manifest"
    assert chosen(pieces, fact("CANCELLED", quantity=1, cumulative=True)) == ([1], 0)
    pieces[1].hold = "buyer_cancel_requested"
    assert chosen(pieces, fact("CANCEL_REQUESTED", quantity=1, cumulative=True)) == ([1], 0)


def test_a_buyers_wish_marks_the_piece_to_cancel_and_not_to_send() -> None:
    pieces = line("CREATED", "PACKED")
    pieces[1].hold = "buyer_cancel_requested"
    assert chosen(pieces, fact("CANCELLED", quantity=1)) == ([1], 0)
    assert chosen(pieces, fact("CANCEL_WITHDRAWN", quantity=1)) == ([1], 0)
    assert chosen(pieces, fact("DISPATCHED", quantity=1)) == ([0], 0)
    assert chosen(pieces, fact("CANCEL_REQUESTED", quantity=1)) == ([0], 0)


def test_a_shipment_names_its_pieces() -> None:
    pieces = line("DISPATCHED", "DISPATCHED", "DISPATCHED")
    pieces[1].shipment_id = "S2"
    pieces[2].shipment_id = "S3"
    assert chosen(pieces, fact("DELIVERED", quantity=1, shipment_id="S2")) == ([1], 0)
    assert chosen(pieces, fact("DELIVERED", shipment_id="S2")) == ([1], 0)
    assert chosen(pieces, fact("DELIVERED", shipment_id="S9")) == ([0], 0)
    assert chosen(pieces, fact("DELIVERED", quantity=2, shipment_id="S9")) == ([0], 1)
    assert chosen(pieces[1:2], fact("DELIVERED", quantity=1, shipment_id="S9")) == ([], 1)


def test_the_same_shipment_told_of_again_takes_no_other_piece() -> None:
    pieces = line("DISPATCHED", "CREATED")
    pieces[0].shipment_id = "S1"
    assert chosen(pieces, fact("DISPATCHED", quantity=1, shipment_id="S1")) == ([0], 0)
    assert chosen(pieces, fact("DISPATCHED", quantity=1, shipment_id="S2")) == ([1], 0)
    assert chosen(pieces, fact("DISPATCHED", quantity=2, shipment_id="S1")) == ([0, 1], 0)


def test_a_parcels_name_counts_though_its_piece_has_been_lost_since() -> None:
    lost = piece("LOST", 0, shipment_id="S1", dispatched_at=1, lost_at=20)
    other = piece("DISPATCHED", 1, dispatched_at=1)
    told = fact("DELIVERED", 10, shipment_id="S1", quantity=1)
    assert chosen([lost, other], told) == ([0], 0)


@pytest.mark.parametrize("event", ["DISPATCHED", "DELIVERED"])
@pytest.mark.parametrize(("at", "hit"), [(9, 0), (10, 1), (11, 1)])
def test_a_word_that_a_later_one_implied_is_of_the_piece_of_which_that_was_told(
    event: str, at: int, hit: int
) -> None:
    """Of the same moment, and of a later one, it is another piece's own."""
    implied = piece(
        "CIR_CREATED", 0, dispatched_at=10, delivered_at=10, return_type="CIR", return_noticed_at=10
    )
    other = piece("FULFILLABLE" if event == "DISPATCHED" else "DISPATCHED", 1)
    assert chosen([implied, other], fact(event, at, quantity=1)) == ([hit], 0)


def test_a_parcel_that_has_not_left_may_get_another_name() -> None:
    pieces = line("PACKED")
    pieces[0].shipment_id = "S1"
    assert chosen(pieces, fact("DISPATCHED", quantity=1, shipment_id="S2")) == ([0], 0)


def test_a_cancelled_piece_left_in_its_parcel_is_not_dispatched_with_it() -> None:
    pieces = line("CANCELLED", "PACKED", shipment_id="S1")
    assert chosen(pieces, fact("DISPATCHED", line_id="", shipment_id="S1")) == ([1], 0)


def test_a_tracking_number_names_its_pieces_and_may_be_replaced() -> None:
    pieces = line("DISPATCHED", "DISPATCHED", tracking_number="T1")
    pieces[1].tracking_number = "T2"
    assert chosen(pieces, fact("DELIVERED", quantity=1, tracking_number="T2")) == ([1], 0)
    assert chosen(pieces, fact("DELIVERED", quantity=1, tracking_number="T9")) == ([0], 0)


def test_a_piece_without_a_tracking_number_is_nearer_than_one_with_another() -> None:
    pieces = [piece("DISPATCHED", 0, tracking_number="T2"), piece("DISPATCHED", 1)]
    assert chosen(pieces, fact("DELIVERED", tracking_number="T1", quantity=1)) == ([1], 0)


def test_a_return_keeps_its_pieces() -> None:
    pieces = line("DELIVERED", "CIR_CREATED", "DELIVERED", shipment_id="S1")
    pieces[1].return_id = "R1"
    of_r1: dict[str, Any] = {"return_id": "R1", "shipment_id": "S1"}
    for event in ("RETURN_NOTICED_CIR", "RETURNED_CIR", "RETURN_WITHDRAWN"):
        assert chosen(pieces, fact(event, quantity=1, **of_r1)) == ([1], 0)
        assert chosen(pieces, fact(event, **of_r1)) == ([1], 0)
        assert 1 not in chosen(pieces, fact(event, quantity=3, return_id="R2"))[0]
    pieces[1].position = Position.DELIVERED
    assert chosen(pieces, fact("RETURN_NOTICED_CIR", quantity=3, return_id="R2"))[1] == 0


def test_an_older_notice_goes_to_the_piece_whose_return_was_withdrawn() -> None:
    bench = Bench(*line("DELIVERED", "DELIVERED"))
    bench.tell(fact("RETURN_WITHDRAWN", 5 * DAY, quantity=1))
    bench.tell(fact("RETURN_NOTICED_CIR", 4 * DAY, quantity=1))
    assert bench.stands == ["DELIVERED", "DELIVERED"]
    bench.tell(fact("RETURN_NOTICED_CIR", 6 * DAY, quantity=1))
    assert counts(bench.stands) == {"DELIVERED": 1, "CIR_CREATED": 1}


def test_a_bundle_goes_together_and_counts_as_one() -> None:
    pieces = [
        piece("CREATED", number, sku=sku, bundle=f"a-{number // 2}")
        for number, sku in enumerate(["MUG", "LID", "MUG", "LID"])
    ]
    assert chosen(pieces, fact("DISPATCHED", quantity=1)) == ([0, 1], 0)
    assert chosen(pieces, fact("DISPATCHED", quantity=3)) == ([0, 1, 2, 3], 1)
    assert chosen(pieces, fact("CANCELLED", line_id="", sku="LID", quantity=1)) == ([0, 1], 0)


def test_a_part_of_a_bundle_means_that_bundle_and_no_other() -> None:
    skus = [("MUG", "one"), ("SHIRT", "one"), ("CUP", "two"), ("SHOE", "two")]
    pieces = [
        piece("FULFILLABLE", number, sku=sku, bundle=bundle)
        for number, (sku, bundle) in enumerate(skus)
    ]
    assert chosen(pieces, fact("DISPATCHED", line_id="", sku="MUG")) == ([0, 1], 0)


def test_a_bundle_in_two_parcels_moves_in_parts() -> None:
    pieces = line("DISPATCHED", "DISPATCHED", bundle="a-0")
    pieces[0].tracking_number, pieces[1].tracking_number = "T1", "T2"
    assert chosen(pieces, fact("DELIVERED", quantity=1, tracking_number="T2")) == ([1], 0)


OF_CANCELS = ("CANCELLED", "CANCEL_REQUESTED", "CANCEL_WITHDRAWN")


@pytest.mark.parametrize("event", OF_CANCELS)
@pytest.mark.parametrize("cumulative", [False, True])
@pytest.mark.parametrize("named", ["S1", "S2", ""])
def test_a_cancellation_takes_what_has_not_left_whatever_parcel_it_names(
    event: str, cumulative: bool, named: str
) -> None:
    pieces = line("DISPATCHED", "SHIPPED", "PACKED")
    pieces[0].shipment_id = pieces[1].shipment_id = "S1"
    told = fact(event, quantity=1, cumulative=cumulative, shipment_id=named)
    assert chosen(pieces, told) == ([2], 0)
    pieces[2].shipment_id = "S1"
    assert chosen(pieces, told) == ([2], 0)
    pieces[2].shipment_id = "S3"
    assert chosen(pieces, told) == ([2], 0)


@pytest.mark.parametrize("event", OF_CANCELS)
def test_among_what_has_not_left_a_cancellation_goes_by_the_parcel_it_names(event: str) -> None:
    pieces = line("CREATED", "CREATED", "PACKED", "DISPATCHED")
    pieces[0].shipment_id = "S2"
    pieces[2].shipment_id = pieces[3].shipment_id = "S1"
    numbers, excess = chosen(pieces, fact(event, quantity=4, shipment_id="S1"))
    assert (numbers, excess) == ([2, 1, 0, 3], 0)


def test_a_cancellation_turns_back_what_left_only_when_nothing_else_fits() -> None:
    pieces = line("DISPATCHED", "DELIVERED", "MANIFESTED", "CANCELLED", "SHIPPED")
    numbers, excess = chosen(pieces, fact("CANCELLED", quantity=6))
    assert (numbers, excess) == ([2, 0, 4, 3, 1], 1)
    total = fact("CANCELLED", quantity=3, cumulative=True)
    assert chosen(pieces, total) == ([3, 2, 0], 0)


def test_a_total_of_cancellations_is_not_swallowed_by_an_rto() -> None:
    bench = Bench(*line("DISPATCHED", "CREATED", "CREATED", shipment_id="S1"))
    total: dict[str, Any] = {"cumulative": True, "shipment_id": "S1"}
    bench.tell(fact("RETURN_NOTICED_RTO", DAY, quantity=1, **total))
    bench.tell(fact("CANCELLED", 2 * DAY, quantity=1, **total))
    assert bench.stands == ["RETURN_EXPECTED", "CANCELLED", "CREATED"]
    bench.tell(fact("RETURNED_RTO", 3 * DAY, quantity=1, shipment_id="S1"))
    bench.tell(fact("CANCELLED", 4 * DAY, quantity=2, **total))
    bench.tell(fact("CANCELLED", 5 * DAY, quantity=2, **total))
    assert bench.stands == ["RETURNED", "CANCELLED", "CANCELLED"]


def test_a_total_counts_what_was_cancelled_after_it_left() -> None:
    bench = Bench(*line("DISPATCHED", "DISPATCHED", "DISPATCHED", shipment_id="S1"))
    for day, total in enumerate([1, 1, 2, 2], 1):
        bench.tell(fact("CANCELLED", day * DAY, quantity=total, cumulative=True))
    assert counts(bench.stands) == {"RETURN_EXPECTED": 2, "DISPATCHED": 1}
    bench.tell(fact("RETURNED_RTO", 5 * DAY, quantity=1), fact("LOST", 6 * DAY, quantity=1))
    assert counts(bench.stands) == {"RETURNED": 1, "RETURN_EXPECTED": 1, "LOST": 1}
    bench.tell(fact("CANCELLED", 7 * DAY, quantity=2, cumulative=True))
    assert counts(bench.stands) == {"RETURNED": 1, "RETURN_EXPECTED": 1, "LOST": 1}


def test_a_total_counts_what_was_cancelled_after_it_left_and_lost_on_its_way_back() -> None:
    pieces = line("DISPATCHED", "LOST", return_type="RTO")
    assert chosen(pieces, fact("CANCELLED", quantity=1, cumulative=True)) == ([1], 0)


def test_one_more_cancelled_is_not_a_piece_that_comes_back_already() -> None:
    pieces = line("RETURN_EXPECTED", "DISPATCHED", "CREATED")
    assert chosen(pieces, fact("CANCELLED", quantity=1)) == ([2], 0)
    assert chosen(pieces[:2], fact("CANCELLED", quantity=1)) == ([1], 0)


def test_a_whole_line_is_cancelled_with_the_pieces_that_have_no_parcel() -> None:
    pieces = line("PACKED", "CREATED", "PACKED", "DELIVERED")
    pieces[0].shipment_id = pieces[3].shipment_id = "S1"
    pieces[2].shipment_id = "S2"
    assert chosen(pieces, fact("CANCELLED", shipment_id="S1")) == ([0, 1], 0)
    assert chosen(pieces[2:3], fact("CANCELLED", shipment_id="S1")) == ([2], 0)
    assert chosen(pieces, fact("CANCELLED")) == ([1, 0, 2], 0)


def test_a_parcel_of_an_order_is_cancelled_without_what_has_no_parcel() -> None:
    pieces = [piece("PACKED", 0, shipment_id="S1"), piece("CREATED", 1, line_id="b")]
    assert chosen(pieces, fact("CANCELLED", line_id="", shipment_id="S1")) == ([0], 0)


def test_a_wish_and_its_end_meet_the_same_piece() -> None:
    bench = Bench(*line("DISPATCHED", "CREATED", "PACKED"))
    bench.pieces[0].shipment_id = "S1"
    bench.tell(fact("CANCEL_REQUESTED", quantity=1, shipment_id="S1"))
    assert [each.hold for each in bench.pieces] == ["", "buyer_cancel_requested", ""]
    bench.tell(fact("CANCEL_WITHDRAWN", 2 * DAY, quantity=1, shipment_id="S1"))
    assert [each.hold for each in bench.pieces] == ["", "", ""]
    bench.tell(fact("CANCEL_REQUESTED", 3 * DAY, quantity=1, shipment_id="S1"))
    bench.tell(fact("CANCELLED", 4 * DAY, quantity=1, shipment_id="S1"))
    assert bench.stands == ["DISPATCHED", "CANCELLED", "PACKED"]


@pytest.mark.parametrize("event", ["DISPATCHED", "DELIVERED"])
@pytest.mark.parametrize("cumulative", [False, True])
def test_a_piece_cancelled_in_its_parcel_does_not_leave_for_another(
    event: str, cumulative: bool
) -> None:
    pieces = line("CREATED", "CANCELLED", "DELIVERED")
    pieces[1].shipment_id = pieces[2].shipment_id = "S1"
    told = fact(event, quantity=2, cumulative=cumulative, shipment_id="S1")
    assert chosen(pieces, told) == ([2, 0], 0)
    assert chosen(pieces, fact(event, quantity=3, shipment_id="S1")) == ([2, 0, 1], 0)
    assert chosen(pieces[1:2], told) == ([1], 1)


def _bundles(*positions: str, **known: Any) -> list[Piece]:
    """Pieces of line «a», two and two of a bundle."""
    return [
        piece(position, number, bundle=f"a-{number // 2}", **known)
        for number, position in enumerate(positions)
    ]


def test_a_bundle_that_left_in_part_is_cancelled_after_a_whole_one() -> None:
    pieces = _bundles("DISPATCHED", "CREATED", "PACKED", "PACKED")
    assert chosen(pieces, fact("CANCELLED", quantity=1)) == ([2, 3], 0)
    assert chosen(pieces, fact("CANCELLED", quantity=2)) == ([2, 3, 1, 0], 0)


def test_a_total_counts_a_bundle_that_had_left_in_part() -> None:
    pieces = _bundles("RETURN_EXPECTED", "CANCELLED", "PACKED", "PACKED")
    assert chosen(pieces, fact("CANCELLED", quantity=1, cumulative=True)) == ([1, 0], 0)
    assert chosen(pieces, fact("CANCELLED", quantity=1)) == ([2, 3], 0)


def test_of_a_bundle_in_two_parcels_all_that_has_not_left_is_cancelled() -> None:
    pieces = _bundles("PACKED", "PACKED")
    pieces[0].shipment_id, pieces[1].shipment_id = "S1", "S2"
    told = fact("CANCELLED", quantity=1, shipment_id="S1")
    assert chosen(pieces, told) == ([0, 1], 0)
    pieces[1].position = Position.DISPATCHED
    assert chosen(pieces, told) == ([0], 0)
    pieces[0].position = Position.DISPATCHED
    pieces[0].shipment_id = "S3"
    assert chosen(pieces, told) == ([0, 1], 0)


@settings(max_examples=300, deadline=None)
@given(
    stands=st.lists(st.sampled_from(list(Position)[1:]), min_size=2, max_size=5),
    parcels=st.lists(st.sampled_from(["", "S1", "S2"]), min_size=5, max_size=5),
    quantity=st.integers(1, 4),
    cumulative=st.booleans(),
    named=st.sampled_from(["", "S1", "S2"]),
)
def test_no_piece_that_left_is_cancelled_while_another_stays(
    stands: list[Position], parcels: list[str], quantity: int, cumulative: bool, named: str
) -> None:
    bench = Bench(*line(*stands))
    for each, parcel in zip(bench.pieces, parcels, strict=False):
        each.shipment_id = parcel
    left = {"DISPATCHED", "SHIPPED"}
    before = bench.stands
    bench.tell(fact("CANCELLED", quantity=quantity, cumulative=cumulative, shipment_id=named))
    turned = sum(
        was in left and now not in left for was, now in zip(before, bench.stands, strict=True)
    )
    gone = {*left, "DELIVERED", "CANCELLED", "RETURN_EXPECTED", "RETURNED", "LOST",
            "RETURN_ACKNOWLEDGED", "CIR_CREATED", "CIR_COMPLETE"}  # fmt: skip
    staying = [each for each in bench.pieces if each.position not in gone and not each.hold]
    assert not (turned and staying)
    had = before.count("CANCELLED") if cumulative else 0
    now = bench.stands.count("CANCELLED") + sum(bool(each.hold) for each in bench.pieces)
    fresh = now - before.count("CANCELLED")
    assert fresh == min(max(quantity - had, 0), sum(each not in gone for each in before))


_ids = st.sampled_from(["", "X", "Y"])
_pieces: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        dict,
        position=st.sampled_from(list(Position)),
        line_id=st.sampled_from(["a", "b"]),
        sku=st.sampled_from(["MUG", "CUP"]),
        bundle=st.sampled_from(["", "", "B1", "B2"]),
        shipment_id=_ids,
        tracking_number=_ids,
        return_id=_ids,
        hold=st.sampled_from(["", "buyer_cancel_requested", "cancelled_after_manifest"]),
        withdrawn_at=st.sampled_from([None, DAY, 3 * DAY]),
        former=st.sampled_from([(), ("X",), ("X", "Y")]),
        off_shelf=st.booleans(),
        replaces=st.sampled_from(["", "", "a"]),
    ),
    max_size=6,
)
_facts: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    event=st.sampled_from(list(Event)),
    at=st.just(2 * DAY),
    line_id=st.sampled_from(["", "a", "b", "c"]),
    sku=st.sampled_from(["", "MUG"]),
    quantity=st.sampled_from([None, 1, 2, 3, 9]),
    cumulative=st.booleans(),
    shipment_id=_ids,
    tracking_number=_ids,
    return_id=_ids,
    left_seller=st.booleans(),
    waited=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(pieces=_pieces, told=_facts, random=st.randoms(use_true_random=False))
def test_a_choice_is_the_same_whatever_the_order(
    pieces: list[dict[str, Any]], told: dict[str, Any], random: Any
) -> None:
    all_pieces = [piece(number=number, **known) for number, known in enumerate(pieces)]
    one = fact(**told)
    choice = choose(all_pieces, one)
    shuffled = list(all_pieces)
    random.shuffle(shuffled)
    again = choose(shuffled, one)
    assert [each.item_id for each in choice.pieces] == [each.item_id for each in again.pieces]
    assert choice.excess == again.excess
    assert choice.ambiguous == again.ambiguous


@settings(max_examples=300, deadline=None)
@given(pieces=_pieces, told=_facts)
def test_a_choice_never_exceeds_its_fact(
    pieces: list[dict[str, Any]], told: dict[str, Any]
) -> None:
    all_pieces = [piece(number=number, **known) for number, known in enumerate(pieces)]
    one = fact(**told)
    choice = choose(all_pieces, one)
    ids = [each.item_id for each in choice.pieces]
    assert len(ids) == len(set(ids))
    units = {each.bundle or each.item_id for each in choice.pieces}
    if one.quantity is None:
        assert choice.excess == (0 if ids else 1)
    else:
        assert len(units) + choice.excess == one.quantity
    if one.line_id:
        assert {each.line_id for each in choice.pieces} <= {one.line_id}


# What has come since ------------------------------------------------------------------------------

SINCE = Before(since=3, met=1, used=1)


@pytest.mark.parametrize(
    ("told", "before", "chosen", "excess"),
    [
        ({}, SINCE, [3, 4], 0),
        ({"quantity": 2}, SINCE, [3], 0),
        ({"quantity": 4}, SINCE, [3, 4], 1),
        ({"quantity": 1}, SINCE, [], 0),
        ({"quantity": 1}, Before(since=3, met=1, used=0), [3], 0),
        ({"quantity": 1, "cumulative": True}, Before(since=3, met=1, used=0), [], 0),
        ({"quantity": 2, "cumulative": True}, SINCE, [3], 0),
        ({"quantity": 1, "shipment_id": "P"}, Before(since=3, met=1, used=0), [], 0),
        ({"quantity": 2, "shipment_id": "P"}, SINCE, [3], 0),
        ({"shipment_id": "P"}, SINCE, [], 0),
        ({"tracking_number": "T"}, SINCE, [], 0),
        ({"return_id": "R"}, SINCE, [], 0),
        ({"line_id": "other"}, SINCE, [], 0),
        ({"quantity": 3}, Before(since=3, met=1, used=0), [3, 4], 0),
        ({"quantity": 4}, Before(since=3, met=1, used=0), [3, 4], 1),
        ({}, Before(since=9, met=1, used=1), [], 0),
    ],
)
def test_what_was_carried_out_is_for_the_pieces_that_came_since(
    told: dict[str, Any], before: Before, chosen: list[int], excess: int
) -> None:
    pieces = [piece("FULFILLABLE", number) for number in range(4)]
    found = choose(pieces, fact("CANCELLED", before=before, **told))
    assert ([one.item_id for one in found.pieces], found.excess) == (chosen, excess)


def test_a_total_of_which_another_has_filled_a_part_takes_the_rest() -> None:
    pieces = [piece("FULFILLABLE", number) for number in range(4)]
    pieces[2].position = Position.CANCELLED
    told = fact("CANCELLED", quantity=2, cumulative=True, before=SINCE)
    assert [one.item_id for one in choose(pieces, told).pieces] == [3]


def test_a_replacement_among_them_is_nothing_that_was_spoken_of() -> None:
    pieces = [piece("FULFILLABLE", number) for number in range(4)]
    pieces[3].replaces = "L1"
    pieces[3].line_id = "L2"
    either = fact("CANCELLED", line_id="", before=SINCE)
    assert choose(pieces, either).ambiguous
    assert choose(pieces, fact("CANCELLED", line_id="", sku="none", before=SINCE)).excess == 0
    assert choose([*pieces[:2], pieces[3]], either) == Choice([], 0)
    of_line = choose(pieces, fact("CANCELLED", before=SINCE))
    assert [one.item_id for one in of_line.pieces] == [3]
