"""A return, its withdrawal, and a dispatch that comes late: both orders of arrival, a real book."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.book import acts
from syncd.clock import to_micros
from syncd.rules import Position
from syncd.statuses import ReturnType, Status
from tests.bookkit import START, Seller, check_invariants

WHO = "uid 1000 (asha)"
RTO, CIR = ReturnType.RTO, ReturnType.CIR
Told = tuple[Status, dict[str, object]]

DISPATCHED: Told = (Status.DISPATCHED, {})
DELIVERED: Told = (Status.DELIVERED, {})
RTO_BACK: Told = (Status.RETURNED, {"return_type": RTO, "return_id": "R1"})
CIR_BACK: Told = (Status.RETURNED, {"return_type": CIR, "return_id": "R1"})
RTO_OFF: Told = (Status.RETURN_WITHDRAWN, {"return_type": RTO, "return_id": "R1"})
CIR_OFF: Told = (Status.RETURN_WITHDRAWN, {"return_type": CIR, "return_id": "R1"})
BACK_AND_OFF = [(RTO_BACK, RTO_OFF, "RETURNED"), (CIR_BACK, CIR_OFF, "CIR_COMPLETE")]


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    """OD1 with one SHIRT, two days ago."""
    found = Seller(tmp_path)
    found.stock("SHIRT", 1)
    found.order("OD1", ("L1", "SHIRT", 1))
    return found


def open_codes(seller: Seller) -> list[str]:
    return [c for (c,) in seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN'")]


def dated(seller: Seller, told: Told, hours: int) -> None:
    """One fact with a date of its own, in a pass of its own, and the sweep after it."""
    status, more = told
    at = START + timedelta(hours=hours)
    seller.tell(seller.change("OD1", status, **{"left_seller": True, **more}, occurred_at=at))
    seller.settle()
    seller.settle()


@pytest.mark.parametrize("at", [Position.FULFILLABLE, Position.PACKED])
@pytest.mark.parametrize("off_first", [False, True])
@pytest.mark.parametrize(("back", "off", "stands"), BACK_AND_OFF)
def test_a_return_called_off_after_it_came_is_asked_about_in_both_orders(
    seller: Seller, at: Position, off_first: bool, back: Told, off: Told, stands: str
) -> None:
    if at is not Position.FULFILLABLE:
        seller.advance("OD1", at)
    seller.clock.advance(timedelta(hours=40))
    facts = [(back, 10), (off, 20)]
    for told, hours in reversed(facts) if off_first else facts:
        dated(seller, told, hours)
    assert seller.positions("OD1") == [stands]
    assert open_codes(seller) == ["return_withdrawn_after_receipt"]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    assert seller.count("invoice", "state = 'ISSUED'") == 1
    acts.settle(seller.book, (1,), "received", note="here", actor=WHO, now=seller.clock.now())
    check_invariants(seller.book)
    assert open_codes(seller) == []
    assert seller.positions("OD1") == [stands]


@pytest.mark.parametrize("off_first", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize(("back", "off", "stands"), BACK_AND_OFF)
def test_nobody_is_asked_about_a_return_that_came_after_it_was_called_off(
    seller: Seller, left: bool, off_first: bool, back: Told, off: Told, stands: str
) -> None:
    seller.clock.advance(timedelta(hours=40))
    if left:
        dated(seller, DISPATCHED, 1)
    facts = [(off, 10), (back, 20)]
    for told, hours in facts if off_first else reversed(facts):
        dated(seller, told, hours)
    assert seller.positions("OD1") == [stands]
    assert seller.count("exceptions") == 0


def test_a_return_called_off_without_proof_that_it_left_waits_and_is_not_passed_over(
    seller: Seller,
) -> None:
    seller.clock.advance(timedelta(hours=40))
    dated(seller, RTO_OFF, 20)
    dated(seller, (RTO_BACK[0], {**RTO_BACK[1], "left_seller": False}), 10)
    assert seller.journal()[-1] == ("WAITING", "PARK", "dispatch_unproven")


def test_a_late_dispatch_mends_the_date_of_the_parcel_as_well(seller: Seller) -> None:
    seller.clock.advance(timedelta(hours=40))
    dated(seller, DELIVERED, 3)
    dated(seller, DISPATCHED, 1)
    left = to_micros(START + timedelta(hours=1))
    assert seller.rows("SELECT dispatched_at FROM item") == [(left,)]
    assert seller.rows("SELECT dispatched_at FROM package") == [(left,)]


@pytest.mark.parametrize("named", [{}, {"return_id": "R9"}])
@pytest.mark.parametrize(
    ("kind", "other", "stands"), [(RTO, CIR, "RETURN_EXPECTED"), (CIR, RTO, "CIR_CREATED")]
)
def test_a_return_of_the_other_type_that_is_called_off_ends_no_return(
    seller: Seller, kind: ReturnType, other: ReturnType, stands: str, named: dict[str, object]
) -> None:
    seller.clock.advance(timedelta(hours=40))
    dated(seller, DISPATCHED, 1)
    dated(seller, DELIVERED if kind is CIR else DISPATCHED, 2)
    dated(seller, (Status.RETURN_NOTICED, {"return_type": kind, "return_id": "R1"}), 3)
    dated(seller, (Status.RETURN_WITHDRAWN, {"return_type": other, **named}), 4)
    assert seller.positions("OD1") == [stands]
    assert seller.journal()[-1] == ("DONE", "NOOP", "return_withdrawn_unseen")
    dated(seller, (Status.RETURN_WITHDRAWN, {"return_type": kind, "return_id": "R1"}), 5)
    assert seller.positions("OD1") == ["DELIVERED" if kind is CIR else "DISPATCHED"]
    assert open_codes(seller) == []


def test_a_return_is_called_off_by_its_id_whatever_its_type_is_called(seller: Seller) -> None:
    seller.clock.advance(timedelta(hours=40))
    dated(seller, DISPATCHED, 1)
    dated(seller, (Status.RETURN_NOTICED, {"return_type": RTO, "return_id": "R1"}), 3)
    dated(seller, CIR_OFF, 4)
    assert seller.positions("OD1") == ["DISPATCHED"]


def test_a_buyers_return_that_is_called_off_is_of_the_piece_that_was_delivered(
    seller: Seller,
) -> None:
    seller.order("OD2", ("L1", "SHIRT", 2))
    seller.clock.advance(timedelta(hours=40))

    def say(hours: int, status: Status, **more: object) -> None:
        at = START + timedelta(hours=hours)
        seller.tell(seller.change("OD2", status, occurred_at=at, line_id="L1", **more))
        seller.settle()

    one = {"quantity": 1}
    say(1, Status.DISPATCHED)
    say(2, Status.RETURN_NOTICED, return_type=RTO, **one)
    say(3, Status.DELIVERED, **one)
    say(5, Status.RETURN_WITHDRAWN, return_type=CIR, **one)
    say(4, Status.RETURN_NOTICED, return_type=CIR, **one)  # older, and heard late
    assert sorted(seller.positions("OD2")) == ["DELIVERED", "RETURN_EXPECTED"]
    assert open_codes(seller) == []


RTO_NOTICED: Told = (Status.RETURN_NOTICED, {"return_type": RTO})
CIR_NOTICED: Told = (Status.RETURN_NOTICED, {"return_type": CIR})


@pytest.mark.parametrize("turn", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("older", "off", "stands"),
    [
        (CIR_NOTICED, RTO, "CIR_CREATED"),
        (RTO_NOTICED, CIR, "RETURN_EXPECTED"),
        ((Status.CANCELLED, {}), CIR, "RETURN_EXPECTED"),
        (CIR_NOTICED, CIR, "DELIVERED"),
        (RTO_NOTICED, RTO, "DISPATCHED"),
        (CIR_NOTICED, None, "DELIVERED"),
    ],
)
def test_a_withdrawal_ends_the_return_of_its_type_whichever_is_heard_first(
    seller: Seller, older: Told, off: ReturnType | None, stands: str, turn: tuple[int, int]
) -> None:
    seller.clock.advance(timedelta(hours=40))
    dated(seller, DISPATCHED, 1)
    if older is CIR_NOTICED:
        dated(seller, DELIVERED, 2)
    told = [(older, 3), ((Status.RETURN_WITHDRAWN, {"return_type": off}), 4)]
    for one in turn:
        dated(seller, *told[one])
    assert seller.positions("OD1") == [stands]


def test_a_delivery_that_ended_a_return_ends_it_whatever_was_called_off_before(
    seller: Seller,
) -> None:
    seller.clock.advance(timedelta(hours=40))
    dated(seller, DISPATCHED, 1)
    dated(seller, (Status.RETURN_WITHDRAWN, {"return_type": CIR}), 2)
    dated(seller, (Status.RETURN_NOTICED, {"return_type": RTO}), 3)
    dated(seller, DELIVERED, 5)
    dated(seller, (Status.RETURN_NOTICED, {"return_type": RTO, "tracking_number": "T2"}), 4)
    assert seller.positions("OD1") == ["DELIVERED"]
