"""What a person who settles is told, and what is written of it, word by word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts
from syncd.book.settling import MAX_NOTE, Answer, Settled
from syncd.errors import NotFound, Refused, SyncdError
from syncd.rules import Position
from syncd.statuses import Status
from tests.bookkit import Seller
from tests.unit.test_settling import WHO, cancelled, settle, tell


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def records(seller: Seller) -> list[tuple[Any, ...]]:
    """What is written of acts: everything but times and ids of rows."""
    return seller.rows(
        "SELECT inbox_id, item_id, before, after, code, steps, note FROM decision "
        f"WHERE event = 'settle' AND actor = '{WHO}' ORDER BY id"
    )


def closed(seller: Seller) -> list[tuple[Any, ...]]:
    now = int(seller.clock.now().timestamp() * 1_000_000)
    return [
        (code, state, choice, note, "now" if at == now else at)
        for code, state, choice, note, at in seller.rows(
            "SELECT code, state, choice, note, closed_at FROM exceptions ORDER BY id"
        )
    ]


def refusal(ask: Callable[[], object], kind: type[SyncdError] = Refused) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        ask()
    return caught.value.code, str(caught.value)


def test_a_new_shipment_answers_all_that_was_said_of_the_piece(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, shipment_id="S1", tracking_number="T1", courier="C1")
    tell(seller, Status.DELIVERED)
    answer = Answer(
        id=1, code="dispatched_after_cancel", account="shop", order_id="OD1", line_id="L1", piece=0,
        before="CANCELLED", after="DELIVERED",
        does="It was shipped after all, as a new shipment, and the buyer has it: a parcel, an "
        "invoice, delivered. A putaway that waits for it is called off; else the stock gives a "
        "piece, or a shortage is recorded.",
        done=(
            "it was taken from its putaway or from stock", "a parcel was made",
            "the parcel was invoiced", "it was marked dispatched", "it was marked delivered",
        ),
        notes=("putaway called off", "invoice INV/002"), closed=(1, 2),
    )  # fmt: skip
    assert settle(seller, "reopen") == Settled("reopen", False, WHO, (answer,))
    steps = "retrieve,leave_parcel,create_shipment,create_invoice,dispatch,deliver"
    note = "putaway called off; invoice INV/002; I looked"
    assert records(seller) == [(3, 1, "CANCELLED", "DELIVERED", "settled_reopen", steps, note)]
    assert closed(seller) == [
        ("dispatched_after_cancel", "CLOSED", "reopen", "I looked", "now"),
        ("delivered_after_cancel", "CLOSED", "reopen", "I looked", "now"),
    ]
    left = int(seller.rows("SELECT occurred_at FROM inbox WHERE id = 2")[0][0])
    assert seller.rows(
        "SELECT code, state, shipment_id, tracking_number, courier, dispatched_at FROM package"
    ) == [("SP-1", "CANCELLED", "", "", "", None), ("SP-2", "DELIVERED", "S1", "T1", "C1", left)]


def test_a_rehearsed_choice_says_what_it_would_do(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    done = settle(seller, "dismiss", dry_run=True)
    assert (done.choice, done.dry_run, done.actor) == ("dismiss", True, WHO)
    (answer,) = done.answers
    assert (answer.before, answer.after) == ("CANCELLED", "CANCELLED")
    assert answer.done == ("its putaway may be completed",)
    assert records(seller) == []
    assert closed(seller) == [("dispatched_after_cancel", "OPEN", "", "", None)]


def test_what_is_pulled_out_and_what_that_does_to_the_rest(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.stock("MUG", 1)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    seller.advance("OD1", Position.MANIFESTED)
    tell(seller, Status.CANCELLED, line_id="L2")
    (answer,) = settle(seller, "pulled", note="").answers
    note = "invoice INV/001 void; now in parcel SP-2"
    assert (answer.before, answer.after, answer.notes) == ("MANIFESTED", "CANCELLED", (note,))
    assert answer.done == ("it was cancelled", "a putaway was opened")
    steps = "cancel_item,void_invoice,open_putaway:CANCELLED_ITEM,unblock_parcel"
    again = "void_invoice,create_shipment"
    assert records(seller) == [
        (1, 2, "MANIFESTED", "CANCELLED", "settled_pulled", steps, note),
        (1, 1, "MANIFESTED", "CREATED", "repacked_after_cancel", again, note),
    ]
    assert closed(seller) == [
        ("cancelled_after_manifest", "CLOSED", "pulled", "", "now"),
        ("repacked_after_cancel", "OPEN", "", "", None),
    ]


def test_what_left_unsold_goes_by_the_names_that_the_channel_said(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, tracking_number="T1")
    (answer,) = settle(seller, "expect_rto", note="the courier says so").answers
    assert answer.after == "RETURN_EXPECTED"
    steps = "retrieve,leave_parcel,create_shipment,backfill_dispatched_at,expect_return:RTO"
    note = "putaway called off; the courier says so"
    assert records(seller) == [
        (2, 1, "CANCELLED", "RETURN_EXPECTED", "settled_expect_rto", steps, note)
    ]
    assert seller.rows("SELECT tracking_number, shipment_id FROM package WHERE id = 2") == [
        ("T1", "")
    ]


def test_a_cancellation_names_no_parcel_that_the_piece_left_in(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.MANIFESTED)
    tell(seller, Status.CANCELLED, shipment_id="ZZ", tracking_number="ZZ", courier="ZZ")
    settle(seller, "gone")
    steps = "dispatch,unblock_parcel,expect_return:RTO"
    assert records(seller) == [
        (1, 1, "MANIFESTED", "RETURN_EXPECTED", "settled_gone", steps, "I looked")
    ]
    names = "SELECT shipment_id, tracking_number, courier FROM package"
    assert seller.rows(names) == [("", "", "")]


def test_why_nothing_was_settled(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)

    def ask(choice: str = "dismiss", *ids: int, note: str = "x") -> Callable[[], object]:
        now = seller.clock.now() + timedelta(minutes=1)
        wanted = ids or (1,)
        return lambda: acts.settle(seller.book, wanted, choice, note=note, actor=WHO, now=now)

    def ask_nothing() -> object:
        return acts.settle(seller.book, [], "dismiss", actor=WHO, now=seller.clock.now())

    assert refusal(ask_nothing) == (
        "nothing_named", "Name the exceptions to settle by their ids: syncctl exceptions"
    )  # fmt: skip
    assert refusal(ask(note="x" * (MAX_NOTE + 1)))[1] == "A note has up to 2000 characters."
    assert refusal(ask(note="")) == (
        "note_missing",
        "Exception 1 (dispatched_after_cancel): say why in a note; it is kept: "
        'syncctl settle 1 dismiss --note "..."',
    )
    assert refusal(ask("gone")) == (
        "choice_does_not_fit",
        "Exception 1 (dispatched_after_cancel) cannot be settled by 'gone' while line L1 is "
        "CANCELLED; possible now: reopen, expect_rto, dismiss. Nothing was changed. See: syncctl "
        "exceptions show 1",
    )
    assert refusal(ask("gone", 5, 1, *range(20, 40)), NotFound)[1] == (
        "There is no exception 5, 20, 21, 22, 23, 24, 25, 26, 27, 28. See them with: syncctl "
        "exceptions"
    )
    with seller.book.write():
        seller.book.query("UPDATE facility SET state = 'INACTIVE'")
    assert refusal(ask("reopen")) == (
        "facility_inactive",
        "Facility BLR is not active. Make it active first: syncctl facility BLR --state ACTIVE",
    )
    settle(seller, "dismiss", note="y" * MAX_NOTE)
    code, words = refusal(ask())
    assert code == "already_settled"
    assert words.startswith(
        f"Exception 1 of order OD1 was settled already: {WHO} at 2026-03-01 06:03 UTC, by dismiss"
    )
