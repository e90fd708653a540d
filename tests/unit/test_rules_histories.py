"""Whole histories of pieces: the seller's cases and repeats. See also ``test_rules_orders``."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from syncd.rules import Event, Outcome, Piece, Position, Verb, roll_up
from tests.unit.rulekit import DAY, Bench, counts, fact, piece

STARTS = ("UNFULFILLABLE", "CREATED", "PICKED", "PACKED", "MANIFESTED", "DISPATCHED", "DELIVERED")


def history(start: str, *events: str) -> Bench:
    """One piece that meets these events in order, a day apart."""
    return Bench(piece(start)).tell(*(fact(e, day * DAY) for day, e in enumerate(events, 1)))


@pytest.mark.parametrize(
    ("case", "start", "events", "end"),
    [
        ("S01", "UNFULFILLABLE", ["DISPATCHED"], "DISPATCHED"),
        ("S02", "CREATED", ["DISPATCHED"], "DISPATCHED"),
        ("S05", "CREATED", ["CANCELLED"], "CANCELLED"),
        ("S06", "PACKED", ["CANCELLED"], "CANCELLED"),
        ("S10", "CANCELLED", ["DISPATCHED"], "CANCELLED"),
        ("S11", "DISPATCHED", ["CANCELLED"], "RETURN_EXPECTED"),
        ("S12", "CREATED", ["RETURN_NOTICED_RTO", "DISPATCHED"], "RETURN_EXPECTED"),
        ("S13", "CREATED", ["DISPATCHED", "RETURN_NOTICED_RTO"], "RETURN_EXPECTED"),
        ("S14", "CREATED", ["DISPATCHED", "DISPATCHED"], "DISPATCHED"),
        ("S22", "MANIFESTED", ["CANCELLED"], "MANIFESTED"),
        ("S23", "CREATED", ["CANCEL_REQUESTED", "CANCEL_WITHDRAWN"], "CREATED"),
        ("S26", "RETURN_EXPECTED", ["LOST"], "LOST"),
        ("S29", "CANCELLED", ["DELIVERED"], "CANCELLED"),
        ("S31", "DISPATCHED", ["RETURN_NOTICED_RTO", "RETURNED_RTO"], "RETURNED"),
        ("S32", "DELIVERED", ["RETURNED_CIR"], "CIR_COMPLETE"),
        ("S33", "DELIVERED", ["RETURN_NOTICED_CIR", "RETURN_WITHDRAWN"], "DELIVERED"),
        ("S35", "DISPATCHED", ["RETURNED_RTO"], "RETURNED"),
    ],
)
def test_a_sellers_case_ends_where_it_should(
    case: str, start: str, events: list[str], end: str
) -> None:
    assert history(start, *events).stands == [end], case


def test_shipped_without_stock_is_a_shortage_and_an_invoice() -> None:
    bench = history("UNFULFILLABLE", "DISPATCHED")
    assert len(bench.steps(Verb.RECORD_SHORTAGE)) == 1
    assert len(bench.steps(Verb.CREATE_INVOICE)) == 1
    assert not bench.steps(Verb.ALLOCATE)


@pytest.mark.parametrize("order", list(permutations(["DISPATCHED", "RETURN_NOTICED_RTO"])))
def test_a_return_and_its_dispatch_make_one_invoice_in_either_order(order: tuple[str, str]) -> None:
    bench = history("CREATED", *order)
    assert len(bench.steps(Verb.CREATE_INVOICE)) == 1
    assert bench.steps(Verb.DISPATCH)[0].implied == (order[0] != "DISPATCHED")


@pytest.mark.parametrize(
    ("start", "putaway", "released"),
    [("CREATED", [], 1), ("PICKED", ["PICKLIST"], 0), ("PACKED", ["CANCELLED_ITEM"], 0)],
)
def test_a_cancelled_piece_goes_back_by_the_right_door(
    start: str, putaway: list[str], released: int
) -> None:
    bench = history(start, "CANCELLED")
    assert [step.arg for step in bench.steps(Verb.OPEN_PUTAWAY)] == putaway
    assert len(bench.steps(Verb.RELEASE_ALLOCATION)) == released
    assert len(bench.steps(Verb.VOID_INVOICE)) == (start == "PACKED")


@pytest.mark.parametrize(
    ("event", "reason"),
    [("DISPATCHED", "dispatched_after_cancel"), ("DELIVERED", "delivered_after_cancel")],
)
def test_a_cancelled_piece_that_travels_is_an_exception(event: str, reason: str) -> None:
    bench = history("CANCELLED", event)
    assert bench.reasons(Outcome.ESCALATE) == [reason]
    assert [step.arg for step in bench.steps(Verb.ALERT)] == ["critical"]


def test_a_cancellation_on_the_manifest_blocks_the_parcel() -> None:
    bench = history("MANIFESTED", "CANCELLED", "DISPATCHED")
    assert bench.stands == ["MANIFESTED"]
    assert len(bench.steps(Verb.BLOCK_DISPATCH)) == 1
    assert not bench.steps(Verb.DISPATCH)
    assert bench.reasons(Outcome.ESCALATE) == ["dispatched_after_cancel"]


def test_a_request_holds_and_its_withdrawal_releases() -> None:
    bench = history("CREATED", "CANCEL_REQUESTED")
    assert bench.pieces[0].hold == "buyer_cancel_requested"
    bench.tell(fact("CANCEL_WITHDRAWN", 3 * DAY))
    assert bench.pieces[0].hold == ""
    bench.tell(fact("CANCEL_REQUESTED", 2 * DAY))
    assert bench.pieces[0].hold == ""


def test_a_dispatch_ends_a_buyers_request() -> None:
    bench = history("CREATED", "CANCEL_REQUESTED", "DISPATCHED")
    assert bench.stands == ["DISPATCHED"]
    assert bench.pieces[0].hold == ""


def test_one_of_three_is_cancelled_from_the_back() -> None:
    bench = Bench(piece("FULFILLABLE", 0), piece("CREATED", 1), piece("PACKED", 2))
    bench.tell(fact("CANCELLED", quantity=1))
    assert bench.stands == ["CANCELLED", "CREATED", "PACKED"]


def test_two_lines_of_one_order_go_their_own_ways() -> None:
    bench = Bench(piece("CREATED", 0, line_id="a"), piece("CREATED", 1, line_id="b"))
    bench.tell(fact("CANCELLED", line_id="a"), fact("DISPATCHED", line_id="b"))
    assert bench.stands == ["CANCELLED", "DISPATCHED"]
    assert roll_up([each.position for each in bench.pieces], allocated=False) == "COMPLETE"


def test_two_parcels_of_one_line_go_their_own_ways() -> None:
    bench = Bench(
        piece("DISPATCHED", 0, tracking_number="T1"), piece("DISPATCHED", 1, tracking_number="T2")
    )
    bench.tell(fact("DELIVERED", tracking_number="T1"))
    bench.tell(fact("RETURN_NOTICED_RTO", 2 * DAY, tracking_number="T2"))
    assert bench.stands == ["DELIVERED", "RETURN_EXPECTED"]
    assert roll_up([each.position for each in bench.pieces], allocated=False) == "COMPLETE"


@pytest.mark.parametrize(("at", "end"), [(5 * DAY, "DELIVERED"), (3 * DAY, "RETURN_EXPECTED")])
def test_a_late_delivery_counts_by_its_own_date(at: int, end: str) -> None:
    bench = Bench(piece("RETURN_EXPECTED", return_noticed_at=4 * DAY, return_from="DISPATCHED"))
    assert bench.tell(fact("DELIVERED", at)).stands == [end]


def test_two_of_three_come_back() -> None:
    bench = Bench(*(piece("DELIVERED", number) for number in range(3)))
    bench.tell(fact("RETURN_NOTICED_CIR", quantity=2, return_id="R1"))
    assert counts(bench.stands) == {"CIR_CREATED": 2, "DELIVERED": 1}
    bench.tell(fact("RETURNED_CIR", 2 * DAY, quantity=2, return_id="R1"))
    assert counts(bench.stands) == {"CIR_COMPLETE": 2, "DELIVERED": 1}


def test_one_return_told_twice_is_one_return() -> None:
    bench = Bench(*(piece("DELIVERED", number) for number in range(2)))
    for day in (1, 2):
        bench.tell(fact("RETURN_NOTICED_CIR", day * DAY, quantity=1, return_id="R1"))
    assert counts(bench.stands) == {"CIR_CREATED": 1, "DELIVERED": 1}


def test_nothing_lost_is_put_away() -> None:
    bench = history("RETURN_EXPECTED", "LOST")
    assert not bench.steps(Verb.OPEN_PUTAWAY)
    assert len(bench.steps(Verb.OPEN_CLAIM)) == 1


def test_goods_that_are_back_wait_for_their_putaway() -> None:
    assert [s.arg for s in history("DISPATCHED", "RETURNED_RTO").steps(Verb.OPEN_PUTAWAY)] == [
        "RTO"
    ]
    assert [s.arg for s in history("DELIVERED", "RETURNED_CIR").steps(Verb.OPEN_PUTAWAY)] == ["CIR"]


@pytest.mark.parametrize("start", ["CREATED", "DISPATCHED", "DELIVERED"])
@pytest.mark.parametrize("kind", ["RETURN_NOTICED_RTO", "RETURN_NOTICED_CIR"])
def test_a_withdrawal_may_come_before_its_notice(start: str, kind: str) -> None:
    notice = fact(kind, 4 * DAY, return_id="R1")
    withdrawal = fact("RETURN_WITHDRAWN", 5 * DAY, return_id="R1")
    in_order = Bench(piece(start)).tell(notice, withdrawal)
    reversed_ = Bench(piece(start)).tell(withdrawal, notice)
    assert in_order.stands == reversed_.stands
    assert in_order.stands[0] in ("DISPATCHED", "DELIVERED")


def _fresh(start: str) -> Piece:
    known: dict[str, Any] = {}
    if start in ("DISPATCHED", "DELIVERED"):
        known["dispatched_at"] = 1
    if start == "DELIVERED":
        known["delivered_at"] = 2
    return piece(start, **known)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("event", Event)
def test_a_fact_told_again_changes_nothing_more(start: str, event: Event) -> None:
    once = Bench(_fresh(start)).tell(fact(event))
    twice = Bench(_fresh(start)).tell(fact(event), fact(event))
    assert once.stands == twice.stands
    assert once.pieces[0].hold == twice.pieces[0].hold
    for verb in (Verb.CREATE_INVOICE, Verb.DISPATCH, Verb.OPEN_PUTAWAY, Verb.OPEN_CLAIM):
        assert once.steps(verb) == twice.steps(verb)


@pytest.mark.parametrize("start", [p for p in Position if p is not Position.UNKNOWN_ORDER])
@pytest.mark.parametrize("event", Event)
def test_what_was_cancelled_is_never_invoiced_or_dispatched(start: Position, event: Event) -> None:
    bench = Bench(_fresh(start)).tell(fact("CANCELLED"), fact(event, 2 * DAY))
    if start in ("DISPATCHED", "SHIPPED") or bench.pieces[0].position in ("LOST", "DELIVERED"):
        assert not bench.steps(Verb.CREATE_INVOICE)
        return
    assert not bench.steps(Verb.DISPATCH)
    assert not bench.steps(Verb.CREATE_INVOICE)
