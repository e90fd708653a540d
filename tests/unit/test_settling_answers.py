"""What a person's choice answers beside the question that was put, and what it leaves open."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, queries
from syncd.book.contradictions import load_answered
from syncd.errors import Refused
from syncd.rules import Event, PartialCancel, Policies, Position
from syncd.statuses import Status
from tests.bookkit import Seller
from tests.unit.test_settling import (
    CANCELLED,
    CIR,
    CIR_BACK,
    DELIVERED,
    DISPATCHED,
    LOST,
    RTO,
    RTO_BACK,
    WHO,
    Told,
    cancelled,
    on_the_manifest,
    open_codes,
    put_away,
    settle,
    tell,
)


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def shipped(seller: Seller, *history: Told) -> None:
    """OD1, one SHIRT, after this history."""
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in history:
        tell(seller, status, **more)


def ended(seller: Seller, number: int) -> tuple[Any, ...]:
    """How an exception ended: state, who, choice, note, and whether it was at this moment."""
    (row,) = seller.rows(
        "SELECT state, closed_by, choice, note, closed_at FROM exceptions WHERE id = ?", number
    )
    now = int(seller.clock.now().timestamp() * 1_000_000)
    return (*row[:4], row[4] == now)


def dates(seller: Seller) -> tuple[Any, ...]:
    """When the first piece and the newest parcel left."""
    ((piece,),) = seller.rows("SELECT dispatched_at FROM item WHERE id = 1")
    ((parcel,),) = seller.rows("SELECT dispatched_at FROM package ORDER BY id DESC LIMIT 1")
    return piece, parcel


def told_at(seller: Seller, number: int) -> int:
    return int(seller.rows("SELECT occurred_at FROM inbox WHERE id = ?", number)[0][0])


# --- two questions of one piece


def test_what_is_called_back_is_not_lost_at_the_buyers_either(seller: Seller) -> None:
    """One delivered piece, cancelled and lost: that the courier brings it answers both."""
    shipped(seller, DELIVERED, CANCELLED, LOST)
    assert open_codes(seller) == ["cancelled_after_delivery", "lost_after_delivered"]
    (answer,) = settle(seller, "expect_rto", 1).answers
    assert answer.closed == (1,), "what the choice itself names"
    assert ended(seller, 1) == ("CLOSED", WHO, "expect_rto", "I looked", True)
    assert ended(seller, 2) == ("CLOSED", WHO, "", "answered with exception 1: expect_rto", True)


def test_what_stays_where_it_is_leaves_the_other_question_open(seller: Seller) -> None:
    shipped(seller, DELIVERED, CANCELLED, LOST)
    settle(seller, "dismiss", 1)
    assert open_codes(seller) == ["lost_after_delivered"]
    settle(seller, "lost", 2)
    assert seller.positions("OD1") == ["LOST"]
    assert open_codes(seller) == ["lost_in_transit"]
    ((message,),) = seller.rows("SELECT message FROM exceptions WHERE state = 'OPEN'")
    assert "which the book has as DISPATCHED" in message


def test_a_putaway_of_the_buyers_return_leaves_open_whose_return_it_was(seller: Seller) -> None:
    shipped(seller, DELIVERED, CIR_BACK, RTO_BACK)
    assert open_codes(seller) == ["return_type_conflict"]
    put_away(seller, acts.Disposition.GOOD)
    assert seller.positions("OD1") == ["CIR_COMPLETE"]
    assert open_codes(seller) == ["return_type_conflict"]
    settle(seller, "cir")


@pytest.mark.unsound_book
def test_a_putaway_ends_the_claim_for_what_is_on_the_shelf(seller: Seller) -> None:
    shipped(seller, DISPATCHED, RTO_BACK)
    with seller.book.write():  # as an older version may have left it
        seller.book.query(
            "INSERT INTO exceptions (account_id, order_id, item_id, code, severity, message, "
            "state, opened_at, closed_by, note) VALUES "
            "(1, 'OD1', 1, 'lost_on_the_way_back', 'warning', '', 'OPEN', 1, '', '')"
        )
    put_away(seller, acts.Disposition.GOOD)
    assert seller.positions("OD1") == ["RETURN_ACKNOWLEDGED"]
    assert ended(seller, 1)[:4] == (
        "CLOSED", WHO, "", "answered by putaway: putaway_good",
    )  # fmt: skip


def test_the_wrong_cancellation_closes_no_question_that_is_not_its_own(seller: Seller) -> None:
    on_the_manifest(seller)
    with seller.book.write():
        seller.book.query(
            "INSERT INTO exceptions (account_id, order_id, item_id, inbox_id, code, severity, "
            "message, state, opened_at, closed_by, note) VALUES (1, 'OD1', 1, 1, "
            "'dispatch_unproven_too_long', 'warning', '', 'OPEN', 1, '', '')"
        )
    (answer,) = settle(seller, "dismiss", 1).answers
    assert answer.closed == (1,)
    assert open_codes(seller) == ["dispatch_unproven_too_long"]


# --- when it left, and under which name


@pytest.mark.parametrize(("choice", "stands"), [("reopen", "DISPATCHED"), ("gone", None)])
def test_what_went_with_the_truck_left_when_the_channel_shipped_it(
    seller: Seller, choice: str, stands: str | None
) -> None:
    """Not when it was cancelled, which was before that."""
    cancelled(seller, Position.MANIFESTED)
    tell(seller, Status.DISPATCHED)
    settle(seller, choice, 2)
    assert seller.positions("OD1") == [stands or "RETURN_EXPECTED"]
    assert dates(seller) == (told_at(seller, 2), told_at(seller, 2))


def test_a_new_shipment_has_the_tracking_number_that_any_word_of_it_named(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, tracking_number="T1", courier="C1")
    tell(seller, Status.DELIVERED)
    settle(seller, "reopen", 2)
    assert seller.rows("SELECT tracking_number, courier FROM package WHERE id = 2") == [
        ("T1", "C1")
    ]


# --- returns by their right name


def test_an_undelivered_parcel_that_the_buyer_sends_is_the_buyers_return(seller: Seller) -> None:
    shipped(
        seller, DISPATCHED,
        (Status.RETURN_NOTICED, {"return_type": RTO, "return_id": "R1"}),
        (Status.RETURN_NOTICED, {"return_type": CIR}),
    )  # fmt: skip
    settle(seller, "cir")
    columns = "position, return_type, return_id, return_from, delivered_at"
    assert seller.rows(f"SELECT {columns} FROM item") == [
        ("CIR_CREATED", "CIR", "R1", "DELIVERED", told_at(seller, 3))
    ]
    tell(seller, Status.RETURN_WITHDRAWN, return_type=CIR, return_id="R1")
    assert seller.positions("OD1") == ["DELIVERED"], "the buyer keeps it"


def test_what_was_delivered_before_keeps_its_date_and_takes_the_newer_name(seller: Seller) -> None:
    shipped(
        seller, DELIVERED,
        (Status.RETURN_NOTICED, {"return_type": RTO}),
        (Status.RETURN_NOTICED, {"return_type": CIR, "return_id": "R2"}),
    )  # fmt: skip
    ((stands,),) = seller.rows("SELECT position FROM item")
    (number,) = seller.rows("SELECT max(id) FROM exceptions WHERE state = 'OPEN'")[0]
    assert stands == "RETURN_EXPECTED"
    settle(seller, "cir", number)
    assert seller.rows("SELECT return_id, delivered_at FROM item") == [("R2", told_at(seller, 1))]


def test_the_couriers_return_is_none_of_the_buyers(seller: Seller) -> None:
    shipped(seller, DISPATCHED, CIR_BACK, RTO_BACK)
    before = seller.rows("SELECT return_from, delivered_at FROM item")
    settle(seller, "rto")
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.rows("SELECT return_from, delivered_at FROM item") == before


# --- what is refused, and what is told


def test_what_was_answered_already_says_by_whom_and_how(seller: Seller) -> None:
    on_the_manifest(seller)
    settle(seller, "pulled", note="")
    with pytest.raises(Refused) as caught:
        settle(seller, "pulled", note="")
    assert f"settled already: {WHO} at 2026-03-01 06:02 UTC, by pulled. Nothing" in str(
        caught.value
    )
    seller.order("OD2", ("L1", "SHIRT", 1))
    for status in (Status.DISPATCHED, Status.LOST, Status.DELIVERED):
        seller.tell(seller.change("OD2", status))
        seller.settle()
    ((lost,),) = seller.rows("SELECT id FROM exceptions WHERE code = 'lost_in_transit'")
    with pytest.raises(Refused) as caught:
        settle(seller, "found", lost)
    assert "settled already: a later fact at 2026-03-01 06:06 UTC (fact " in str(caught.value)
    with seller.book.write():
        seller.book.query("UPDATE exceptions SET note = '' WHERE id = ?", (lost,))
    with pytest.raises(Refused, match=r"06:06 UTC\. Nothing was changed"):
        settle(seller, "found", lost)


def test_a_note_too_long_or_missing_and_a_choice_beside_another_have_their_codes(
    seller: Seller,
) -> None:
    cancelled(seller, Position.MANIFESTED)
    tell(seller, Status.DISPATCHED)
    for note, choice, code in (
        ("x" * 2001, "reopen", "note_missing"), ("why", "dismiss", "choice_does_not_fit"),
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            settle(seller, choice, 1, note=note)
        assert caught.value.code == code
    with pytest.raises(Refused) as caught:
        acts.settle(seller.book, [2], "dismiss", actor=WHO, now=seller.clock.now())
    assert caught.value.code == "note_missing", "said nothing is no note"


def test_a_question_about_no_piece_is_put_aside_and_names_none(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED, line_id="L1", quantity=3)
    with pytest.raises(Refused) as caught:
        settle(seller, "reopen")
    assert "cannot be settled by 'reopen'; possible now: dismiss" in str(caught.value)
    (answer,) = settle(seller, "dismiss").answers
    assert (answer.line_id, answer.piece, answer.before, answer.after) == ("", None, "", "")


def test_a_question_about_an_order_that_never_came_is_put_aside(seller: Seller) -> None:
    with seller.book.write():  # as the watch does
        seller.book.query(
            "INSERT INTO exceptions (account_id, order_id, code, severity, message, state, "
            "opened_at, closed_by, note) VALUES (1, 'OD9', 'order_unknown_too_long', 'warning', "
            "'', 'OPEN', 1, '', '')"
        )
    (answer,) = settle(seller, "dismiss").answers
    assert (answer.order_id, answer.line_id, answer.closed) == ("OD9", "", (1,))
    assert open_codes(seller) == []


def test_the_end_of_a_buyers_wish_packs_no_parcel_again(seller: Seller) -> None:
    """What ships short by policy goes on as it is."""
    short = {"shop": Policies(partial_cancel=PartialCancel.SHIP_SHORT)}
    seller.policies = short["shop"]
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.advance("OD1", Position.PACKED)
    tell(seller, Status.CANCELLED, quantity=1, line_id="L1")
    tell(seller, Status.CANCEL_REQUESTED)
    ((number,),) = seller.rows("SELECT id FROM exceptions WHERE code = 'buyer_cancel_requested'")
    (answer,) = settle(seller, "dismiss", number, policies=short).answers
    assert answer.notes == ()
    assert len(seller.rows("SELECT id FROM decision WHERE event = 'settle'")) == 1


# --- the other side of a contradiction


def test_the_other_side_is_the_fact_that_moved_the_piece(seller: Seller) -> None:
    """Not the one between them, of the same batch, that said nothing new."""
    seller.order("OD0", ("L1", "SHIRT", 1))
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(
        seller.change("OD1", Status.CANCELLED), seller.change("OD1", Status.CANCELLED),
        seller.change("OD1", Status.DISPATCHED),
    )  # fmt: skip
    seller.settle()
    assert seller.rows("SELECT inbox_id, against_id FROM exceptions") == [(3, 1)]


def test_the_other_side_is_the_cancellation_that_held_it_on_the_manifest(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.MANIFESTED)
    seller.tell(seller.change("OD1", Status.CANCELLED), seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    assert seller.rows("SELECT code, against_id FROM exceptions ORDER BY id") == [
        ("cancelled_after_manifest", None), ("dispatched_after_cancel", 1),
    ]  # fmt: skip


def test_what_a_person_brought_there_is_told_as_theirs(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    settle(seller, "reopen")
    tell(seller, Status.LOST)
    ((message, against),) = seller.rows(
        "SELECT message, against_id FROM exceptions WHERE code = 'lost_in_transit'"
    )
    assert f"by the hand of {WHO}" in message
    assert against is None
    assert queries.exception(seller.book, 2).against is None


def test_the_later_of_two_settlements_stands(seller: Seller) -> None:
    """Of one question that was settled twice, the newer evidence is what older facts meet."""
    older = seller.change("OD1", Status.CANCELLED)
    shipped(seller, DELIVERED, CANCELLED)
    settle(seller, "dismiss")
    seller.tell(older)
    seller.settle()
    newer, ids = told_at(seller, 2), [1]
    with seller.book.write():
        seller.book.query(
            "INSERT INTO exceptions (account_id, order_id, item_id, inbox_id, code, severity, "
            "message, state, opened_at, closed_at, closed_by, note, choice) SELECT account_id, "
            "order_id, item_id, 3, 'cancelled_before_dispatch', severity, '', state, opened_at, "
            "closed_at, closed_by, note, choice FROM exceptions WHERE id = 1"
        )
        found = {event: until for event, _, until in load_answered(seller.book, ids)[1]}
    assert found[Event.CANCELLED] == newer


def test_a_return_noticed_in_the_moment_of_the_loss_answers_it(seller: Seller) -> None:
    shipped(seller, DELIVERED, LOST)
    at = seller.clock.now()
    seller.tell(
        seller.change("OD1", Status.RETURN_NOTICED, return_type=RTO, occurred_at=at)
    )  # fmt: skip
    seller.settle()
    assert at - seller.clock.now() < timedelta(0)
    assert open_codes(seller) == []
