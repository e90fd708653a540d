"""Whether a parcel may leave, and what facts that nobody has decided would stop: pure, by example.

A wrong yes sends goods that the buyer has cancelled; a verdict that names the wrong piece sends
the packer to the wrong shelf.
"""

from __future__ import annotations

import pytest

from syncd.limits import Limits
from syncd.rules import Fact, Piece, Position, foresee, has_left, may_ship
from syncd.rules.foresee import doubted
from syncd.rules.overdue import RULES, Wait
from tests.unit.rulekit import fact, piece

CANCELLED = fact("CANCELLED", 50)


@pytest.mark.parametrize(
    ("pieces", "facts", "blocked", "state", "verdict", "named"),
    [
        ("PACKED PACKED", [], "", "PACKED", (True, "may_ship", ""), []),
        ("PACKED CANCELLED", [], "", "PACKED", (True, "without_cancelled", ""), [2]),
        ("PACKED", [], "", "SPLITTED", (False, "parcel_replaced", ""), []),
        ("PACKED", [], "", "MERGED", (False, "parcel_replaced", ""), []),
        ("", [], "", "CREATED", (False, "parcel_cancelled", ""), []),
        (
            "CANCELLED CANCELLED", [], "stop", "CANCELLED",
            (False, "parcel_cancelled", ""), [1, 2],
        ),
        (
            "DISPATCHED LOST CANCELLED", [CANCELLED], "stop", "DISPATCHED",
            (False, "already_left", ""), [1, 2],
        ),
        (
            "PACKED DISPATCHED CANCELLED", [CANCELLED], "stop", "PACKED",
            (False, "package_blocked", "stop"), [1],
        ),
        ("PACKED DISPATCHED", [CANCELLED], "", "PACKED", (False, "cancel_undecided", ""), [1]),
    ],
)  # fmt: skip
def test_a_verdict_names_its_cause_and_its_pieces(
    pieces: str,
    facts: list[Fact],
    blocked: str,
    state: str,
    verdict: tuple[bool, str, str],
    named: list[int],
) -> None:
    inside = [piece(each, number) for number, each in enumerate(pieces.split())]
    elsewhere = piece("PACKED", 7, line_id="b")
    ids = [each.item_id for each in inside]
    found = may_ship([elsewhere, *inside], ids, facts, blocked, state)
    assert (found.may_ship, found.code, found.reason) == verdict
    assert [each.item_id for each in found.pieces] == named
    assert found.fact == (CANCELLED if found.code == "cancel_undecided" else None)


def test_a_held_piece_is_named_with_its_reason() -> None:
    here = [piece("PACKED"), piece("PACKED", 1, hold="buyer_cancel_requested")]
    found = may_ship(here, [1, 2], [CANCELLED], "", "PACKED")
    assert (found.may_ship, found.code) == (False, "piece_held")
    assert (found.pieces, found.reason) == ((here[1],), "buyer_cancel_requested")


def test_a_verdict_over_a_part_names_the_fact_of_that_part() -> None:
    here = [piece("PACKED"), piece("PACKED", 1, line_id="b"), piece("PACKED", 2, line_id="c")]
    facts = [fact("CANCELLED", 10, line_id="c"), fact("CANCELLED", 20, line_id="b")]
    found = may_ship(here, [1, 2], facts, "", "PACKED")
    assert (found.code, found.pieces, found.fact) == ("cancel_undecided", (here[1],), facts[1])


@pytest.mark.parametrize("position", Position)
def test_what_has_left_is_on_the_way_or_further_or_lost(position: Position) -> None:
    here = {
        "UNKNOWN_ORDER", "PENDING_VERIFICATION", "UNFULFILLABLE", "LOCATION_NOT_SERVICEABLE",
        "FULFILLABLE", "CREATED", "PICKING", "PICKED", "PACKED", "READY_TO_SHIP", "MANIFESTED",
        "CANCELLED",
    }  # fmt: skip
    assert has_left(position) is (position not in here)


WISH, NO_WISH, DISPATCHED = "CANCEL_REQUESTED", "CANCEL_WITHDRAWN", "DISPATCHED"


@pytest.mark.parametrize(
    ("told", "by"),
    [
        ([(WISH, 10)], 0),
        ([(WISH, 10), (NO_WISH, 20)], None),
        ([(WISH, 10), (NO_WISH, 20), (WISH, 15)], None),  # older than its end, told late
        ([(WISH, 10), (NO_WISH, 20), (WISH, 30)], 2),
        ([(WISH, 10), (DISPATCHED, 20)], None),
        ([(WISH, 10), (DISPATCHED, 20), (WISH, 30)], None),  # too late
        ([(NO_WISH, 20), ("CANCELLED", 30), (NO_WISH, 40)], 1),
        ([("CANCELLED", 30), (DISPATCHED, 40)], 0),
        ([("RETURN_NOTICED_RTO", 10), ("CANCELLED", 30)], None),  # it left, and comes back
    ],
)
def test_facts_are_foreseen_one_after_the_other(
    told: list[tuple[str, int]], by: int | None
) -> None:
    facts = [fact(event, at) for event, at in told]
    assert foresee([piece("PACKED")], facts) == ({} if by is None else {1: facts[by]})


def test_what_waits_is_passed_over_and_what_comes_after_it_is_not() -> None:
    waits = fact("RETURNED_RTO", 5, left_seller=False)
    assert foresee([piece("PACKED")], [waits, CANCELLED]) == {1: CANCELLED}


def test_a_withdrawal_that_was_known_before_is_not_forgotten() -> None:
    """The book has ended a wish at 40 already; an older end may not bring that wish back."""
    facts = [fact(NO_WISH, 20), fact(WISH, 30)]
    assert foresee([piece("PACKED", uncancelled_at=40)], facts) == {}


def test_looking_ahead_changes_nothing() -> None:
    here: list[Piece] = [piece("PACKED")]
    foresee(here, [fact(WISH, 10), fact("CANCELLED", 20)])
    assert here == [piece("PACKED")]


def test_a_limit_is_a_whole_number_of_microseconds() -> None:
    """The book stores it; SQLite would keep a fraction and no due time would match it again."""
    assert repr(RULES[Wait.ORDER].span(Limits())) == str(72 * 3600 * 1_000_000)


@pytest.mark.parametrize(
    ("told", "by"),
    [
        ([(DISPATCHED, 20)], 0),
        ([("DELIVERED", 20), ("RETURN_NOTICED_RTO", 30)], 0),  # the first word of it is named
        ([(WISH, 10), (DISPATCHED, 20)], 1),
        ([(WISH, 10)], None),
        ([("CANCELLED", 10), (DISPATCHED, 20)], None),  # a question, and a no by the cancellation
    ],
)
def test_what_the_channel_has_seen_leaving_is_not_sent_again(
    told: list[tuple[str, int]], by: int | None
) -> None:
    facts = [fact(event, at) for event, at in told]
    found = may_ship([piece("PACKED")], [1], facts, "", "PACKED")
    assert not found.may_ship
    assert (found.code == "told_left") is (by is not None)
    if by is not None:
        assert found.fact == facts[by]


@pytest.mark.parametrize(
    ("position", "code"),
    [
        ("PENDING_VERIFICATION", "not_verified"),
        ("LOCATION_NOT_SERVICEABLE", "not_verified"),
        ("UNFULFILLABLE", "stock_missing"),
    ],
)
def test_what_may_not_be_packed_may_not_leave(position: str, code: str) -> None:
    here = [piece("FULFILLABLE"), piece(position, 1)]
    found = may_ship(here, [1, 2], [], "", "")
    assert (found.may_ship, found.code, found.pieces) == (False, code, (here[1],))


@pytest.mark.parametrize(
    ("names", "doubtful"),
    [
        ({"line_id": "a"}, []),
        ({"line_id": "a", "sku": "HAT"}, []),  # a line says which piece, whatever the SKU
        ({"line_id": "", "sku": "MUG"}, []),
        ({"line_id": "", "sku": ""}, []),  # of the whole order, and no doubt about it
        ({"line_id": "z"}, [1, 2]),
        ({"line_id": "z", "sku": "MUG"}, [1, 2]),
        ({"line_id": "", "sku": "HAT"}, [1, 2]),
    ],
)
@pytest.mark.parametrize("event", ["CANCELLED", WISH])
def test_a_cancellation_that_names_no_piece_of_the_order_may_mean_any(
    names: dict[str, str], doubtful: list[int], event: str
) -> None:
    here = [piece("PACKED"), piece("PACKED", 1, line_id="b", sku="CUP")]
    told = fact(event, 50, **names)
    assert doubted(here, [told]) == dict.fromkeys(doubtful, told)


def test_of_a_line_and_its_replacement_a_cancellation_may_mean_either() -> None:
    here = [piece("PACKED"), piece("PACKED", 1, line_id="b", replaces="a"), piece("PACKED", 2)]
    here[2].line_id, here[2].sku = "c", "CUP"
    told = fact("CANCELLED", 50, line_id="", sku="MUG")
    assert doubted(here, [told]) == {1: told, 2: told}
    assert doubted(here, [fact("DISPATCHED", 50, line_id="", sku="MUG")]) == {}
