"""A person settles what cannot both be true: each choice on a real book."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, queries, warehouse
from syncd.book.wording import SETTLED
from syncd.errors import ConfigError, NotFound, Refused
from syncd.rules import InvoiceIssuer, PartialCancel, Policies, Position
from syncd.rules.options import OPTIONS, read
from syncd.rules.policies import CHANNEL_INVOICES
from syncd.statuses import ReturnType, Status
from tests.bookkit import Seller, check_invariants

WHO = "uid 1000 (asha)"
RTO, CIR = ReturnType.RTO, ReturnType.CIR
Told = tuple[Status, dict[str, object]]


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def tell(seller: Seller, status: Status, **more: object) -> None:
    seller.tell(seller.change("OD1", status, **more))
    seller.settle()


def settle(seller: Seller, choice: str, *ids: int, note: str = "I looked", **more: Any):  # type: ignore[no-untyped-def]
    seller.clock.advance(timedelta(minutes=1))
    done = acts.settle(
        seller.book, ids or (1,), choice, note=note, actor=WHO, now=seller.clock.now(), **more
    )
    check_invariants(seller.book)
    return done


def cancelled(seller: Seller, at: Position = Position.PACKED, stock: int = 1) -> None:
    """OD1, one SHIRT, cancelled when it stood there."""
    if stock:
        seller.stock("SHIRT", stock)
    seller.order("OD1", ("L1", "SHIRT", 1))
    if at is not Position.FULFILLABLE and stock:
        seller.advance("OD1", at)
    tell(seller, Status.CANCELLED)


def put_away(seller: Seller, found: acts.Disposition) -> None:
    (putaway_id,) = seller.rows("SELECT max(id) FROM putaway")[0]
    acts.complete_putaway(seller.book, putaway_id, found, actor=WHO, now=seller.clock.now())


def open_codes(seller: Seller) -> list[str]:
    return [
        c for (c,) in seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN' ORDER BY 1")
    ]


def last_record(seller: Seller) -> tuple[object, ...]:
    return seller.rows(
        "SELECT event, before, after, outcome, code, actor, run_id FROM decision "
        "ORDER BY id DESC LIMIT 1"
    )[0]


# --- cancelled, and it left


def test_both_sides_of_a_contradiction_are_kept(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    assert seller.rows("SELECT inbox_id, against_id FROM exceptions") == [(2, 1)]
    shown = queries.exception(seller.book, 1)
    assert shown.contradicts is not None
    assert shown.against is not None
    assert "was dispatched" in shown.contradicts.says
    assert "is cancelled" in shown.against.says
    assert shown.against.occurred_at < shown.contradicts.occurred_at
    assert [one.name for one in shown.choices] == ["reopen", "expect_rto", "dismiss"]
    assert "putaway_pending" in " ".join(shown.stands)


def test_the_other_side_is_found_in_the_batch_that_it_is_decided_in(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.CANCELLED), seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    assert seller.rows("SELECT inbox_id, against_id FROM exceptions") == [(2, 1)]


def test_a_tombstone_is_the_other_side(seller: Seller) -> None:
    tell(seller, Status.CANCELLED)
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED)
    assert seller.rows("SELECT inbox_id, against_id FROM exceptions") == [(2, 1)]


def test_a_cancellation_that_stops_a_manifested_piece_did_not_bring_it_there(
    seller: Seller,
) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.MANIFESTED)
    tell(seller, Status.CANCELLED)
    shown = queries.exception(seller.book, 1)
    assert shown.exception.code == "cancelled_after_manifest"
    assert "the book has it by the hand of test" in shown.against_words


@pytest.mark.unsound_book
def test_where_no_fact_brought_it_there_the_message_says_what_did(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.DISPATCHED)
    tell(seller, Status.LOST)
    shown = queries.exception(seller.book, 1)
    assert shown.against is None
    assert "by the hand of test" in shown.exception.message
    seller.order("OD2", ("L1", "SHIRT", 1))
    with seller.book.write():
        seller.book.query("UPDATE item SET position = 'DELIVERED' WHERE id = 2")
    seller.tell(seller.change("OD2", Status.CANCELLED))
    seller.clerk().settle(threading.Event(), lambda _: None)
    assert "as it was imported" in queries.exception(seller.book, 2).exception.message
    assert "as it was imported" in queries.exception(seller.book, 2).against_words


def test_reopen_makes_a_new_shipment_out_of_the_putaway(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, shipment_id="SH9", tracking_number="TN9")
    assert seller.rows("SELECT state FROM putaway") == [("HELD",)]
    done = settle(seller, "reopen", note="")
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert seller.rows("SELECT state, shipment_id FROM package ORDER BY id") == [
        ("CANCELLED", ""), ("DISPATCHED", "SH9"),
    ]  # fmt: skip
    assert seller.rows("SELECT state FROM invoice ORDER BY package_id") == [
        ("VOIDED",), ("ISSUED",),
    ]  # fmt: skip
    assert seller.stock_of("SHIRT") == {"in_transit_out": 1}
    assert seller.rows("SELECT state, actor FROM putaway") == [("CANCELLED", WHO)]
    assert seller.rows("SELECT state, closed_by, choice FROM exceptions") == [
        ("CLOSED", WHO, "reopen")
    ]
    assert last_record(seller) == (
        "settle", "CANCELLED", "DISPATCHED", "ACT", "settled_reopen", WHO, None,
    )  # fmt: skip
    assert seller.order_state("OD1") == "COMPLETE"
    assert done.answers[0].closed == (1,)
    times = "SELECT (SELECT max(occurred_at) FROM inbox), settled_at, dispatched_at FROM item"
    ((newest, settled_at, left_at),) = seller.rows(times)
    assert newest == settled_at == left_at


@pytest.mark.parametrize(
    ("stock", "left"), [(2, {"in_transit_out": 1, "on_hand_good": 1}),
                        (0, {"shortage": -1, "in_transit_out": 1})],
)  # fmt: skip
def test_reopen_takes_stock_or_a_shortage_where_no_putaway_waits(
    seller: Seller, stock: int, left: dict[str, int]
) -> None:
    cancelled(seller, Position.FULFILLABLE, stock)
    tell(seller, Status.DISPATCHED)
    settle(seller, "reopen")
    assert seller.stock_of("SHIRT") == left


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (acts.Disposition.GOOD, {"in_transit_out": 1}),
        (acts.Disposition.BAD, {"bad": 1, "shortage": -1, "in_transit_out": 1}),
        (acts.Disposition.NOT_RECEIVED, {"in_transit_out": 1}),
    ],
)
def test_reopen_after_the_putaway_was_completed(
    seller: Seller, found: acts.Disposition, left: dict[str, int]
) -> None:
    cancelled(seller)
    put_away(seller, found)
    tell(seller, Status.DISPATCHED)
    settle(seller, "reopen")
    assert seller.stock_of("SHIRT") == left


@pytest.mark.parametrize(
    ("told", "stands", "bucket"),
    [
        ((Status.DELIVERED, {}), "DELIVERED", "sold"),
        ((Status.UNDELIVERED, {}), "DISPATCHED", "in_transit_out"),
        ((Status.LOST, {}), "LOST", "in_transit_out"),
        ((Status.RETURN_NOTICED, {"return_type": RTO}), "RETURN_EXPECTED", "in_transit_back"),
        ((Status.RETURN_NOTICED, {"return_type": CIR}), "CIR_CREATED", "in_transit_back"),
        ((Status.RETURNED, {"return_type": RTO}), "RETURNED", "putaway_pending"),
        ((Status.RETURNED, {"return_type": CIR}), "CIR_COMPLETE", "putaway_pending"),
    ],
)
def test_reopen_goes_as_far_as_the_evidence(
    seller: Seller, told: Told, stands: str, bucket: str
) -> None:
    cancelled(seller)
    tell(seller, told[0], **told[1])
    settle(seller, "reopen")
    assert seller.positions("OD1") == [stands]
    assert seller.stock_of("SHIRT") == {bucket: 1}
    assert seller.count("invoice", "state = 'ISSUED'") == 1
    assert seller.count("putaway", "state = 'PENDING'") == (bucket == "putaway_pending")
    assert open_codes(seller) == (["lost_in_transit"] if stands == "LOST" else [])


def test_all_that_was_said_of_a_cancelled_piece_is_one_question(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, shipment_id="SH9")
    tell(seller, Status.DELIVERED)
    shown = queries.exception(seller.book, 1)
    assert shown.same_piece == (2,)
    assert shown.choices[0].position == "DELIVERED"
    done = settle(seller, "reopen", 1, 2)
    assert [one.closed for one in done.answers] == [(1, 2)]
    assert seller.positions("OD1") == ["DELIVERED"]
    assert open_codes(seller) == []
    ((left, arrived),) = seller.rows("SELECT dispatched_at, delivered_at FROM item")
    assert left < arrived
    assert seller.rows("SELECT shipment_id FROM package ORDER BY id DESC")[0] == ("SH9",)


def test_reopen_needs_a_sequence(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    cancelled(seller, Position.FULFILLABLE)
    tell(seller, Status.DISPATCHED)
    before = seller.dump()
    with pytest.raises(Refused, match="syncctl sequence set BLR") as caught:
        settle(seller, "reopen")
    assert caught.value.code == "sequence_missing"
    assert seller.dump() == before
    acts.set_facility(seller.book, "BLR", state="INACTIVE", actor=WHO, now=seller.clock.now())
    with pytest.raises(Refused, match="syncctl facility BLR --state ACTIVE"):
        settle(seller, "reopen")


def test_two_pieces_of_one_fact_share_the_new_parcel(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    tell(seller, Status.CANCELLED)
    tell(seller, Status.DISPATCHED)
    assert queries.exception(seller.book, 1).same_fact == (2,)
    settle(seller, "reopen", 1, 2)
    assert seller.count("package") == 1
    assert seller.count("invoice") == 1
    assert seller.stock_of("SHIRT") == {"in_transit_out": 2}


def test_expect_rto_waits_for_it_without_an_invoice(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, shipment_id="SH9")
    settle(seller, "expect_rto")
    assert seller.positions("OD1") == ["RETURN_EXPECTED"]
    assert seller.stock_of("SHIRT") == {"in_transit_back": 1}
    assert seller.count("invoice", "state = 'ISSUED'") == 0
    assert seller.rows("SELECT state, shipment_id FROM package ORDER BY id DESC")[0] == (
        "RETURN_EXPECTED", "SH9",
    )  # fmt: skip
    tell(seller, Status.RETURNED, return_type=RTO)
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.rows("SELECT kind, state FROM putaway ORDER BY id") == [
        ("CANCELLED_ITEM", "CANCELLED"), ("RTO", "PENDING"),
    ]  # fmt: skip


UNSOLD = [
    (Status.RETURN_WITHDRAWN, "DISPATCHED", "in_transit_out"),
    (Status.DELIVERED, "DELIVERED", "sold"),
]


@pytest.mark.parametrize(("status", "stands", "bucket"), UNSOLD)
def test_what_left_unsold_is_invoiced_when_it_does_not_come_back(
    seller: Seller, status: Status, stands: str, bucket: str
) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED, shipment_id="SH9")
    settle(seller, "expect_rto")
    tell(seller, status)
    assert seller.positions("OD1") == [stands]
    assert seller.stock_of("SHIRT") == {bucket: 1}
    issued = seller.rows(
        "SELECT p.shipment_id FROM invoice i JOIN package p ON p.id = i.package_id "
        "WHERE i.state = 'ISSUED'"
    )
    assert issued == [("SH9",)]
    tell(seller, Status.DELIVERED)
    steps = seller.rows("SELECT steps FROM decision ORDER BY id")
    assert sum("create_invoice" in text for (text,) in steps) == 2  # when packed, and now
    assert open_codes(seller) == []


@pytest.mark.parametrize(("status", "stands", "bucket"), UNSOLD)
def test_what_left_unsold_waits_for_its_invoices_number(
    tmp_path: Path, status: Status, stands: str, bucket: str
) -> None:
    seller = Seller(tmp_path, sequence=False)
    cancelled(seller, Position.FULFILLABLE)
    tell(seller, Status.DISPATCHED)
    settle(seller, "expect_rto")
    tell(seller, status)
    assert seller.journal()[-1] == ("REFUSED", "REFUSED", "sequence_missing")
    assert seller.positions("OD1") == ["RETURN_EXPECTED"]
    seller.define_sequence()
    seller.settle()
    assert seller.positions("OD1") == [stands]
    assert seller.stock_of("SHIRT") == {bucket: 1}
    assert seller.count("invoice", "state = 'ISSUED'") == 1


def test_what_left_unsold_needs_no_invoice_where_the_channel_numbers_them(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    settle(seller, "expect_rto")
    seller.policies = Policies(invoice_issuer=InvoiceIssuer.CHANNEL)
    seller.tell(seller.change("OD1", Status.RETURN_WITHDRAWN))
    seller.clerk().settle(threading.Event(), lambda _: None)
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert seller.count("invoice", "state = 'ISSUED'") == 0
    assert CHANNEL_INVOICES in seller.rows("SELECT note FROM decision ORDER BY id DESC")[0][0]


def test_a_choice_that_sells_what_had_left_unsold_invoices_it(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    settle(seller, "expect_rto")
    tell(seller, Status.RETURN_NOTICED, return_type=CIR)
    ((newest,),) = seller.rows("SELECT max(id) FROM exceptions WHERE state = 'OPEN'")
    done = settle(seller, "cir", newest)
    assert seller.positions("OD1") == ["CIR_CREATED"]
    assert seller.count("invoice", "state = 'ISSUED'") == 1
    assert "the parcel was invoiced" in done.answers[0].done


def test_expect_rto_of_one_that_is_back_opens_its_putaway(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.RETURNED, return_type=RTO)
    settle(seller, "expect_rto")
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}


def test_dismiss_lets_the_putaway_go_on(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    with pytest.raises(Refused, match="say why in a note") as caught:
        settle(seller, "dismiss", note=" ")
    assert caught.value.code == "note_missing"
    settle(seller, "dismiss", note="it lies here")
    assert seller.positions("OD1") == ["CANCELLED"]
    assert seller.rows("SELECT state FROM putaway") == [("PENDING",)]
    assert seller.rows("SELECT choice, note FROM exceptions") == [("dismiss", "it lies here")]
    put_away(seller, acts.Disposition.GOOD)
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}


def test_a_second_settle_is_refused_and_names_the_first(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    settle(seller, "reopen", note="seen on camera")
    before = seller.dump()
    with pytest.raises(Refused, match=r"asha.* by reopen \(seen on camera\)") as caught:
        settle(seller, "dismiss")
    assert caught.value.code == "already_settled"
    assert seller.dump() == before


def test_a_dry_run_says_what_it_would_do_and_does_nothing(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    before = seller.dump()
    done = settle(seller, "reopen", dry_run=True)
    assert (done.answers[0].before, done.answers[0].after) == ("CANCELLED", "DISPATCHED")
    assert "invoice INV/002" in done.answers[0].notes
    assert seller.dump() == before
    assert settle(seller, "reopen").answers == done.answers


def test_a_newer_fact_goes_on_from_what_the_person_chose(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    change = seller.change("OD1", Status.DELIVERED)
    settle(seller, "reopen")
    seller.tell(change)  # after the evidence, before the person's act
    seller.settle()
    assert seller.positions("OD1") == ["DELIVERED"]


def test_several_are_settled_or_none(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    seller.order("OD2", ("L1", "SHOE", 1))
    seller.tell(seller.change("OD2", Status.DISPATCHED), seller.change("OD2", Status.LOST))
    seller.settle()
    before = seller.dump()
    with pytest.raises(Refused, match=r"Exception 2 .*possible now: found, delivered") as caught:
        settle(seller, "reopen", 1, 2)
    assert caught.value.code == "choice_does_not_fit"
    with pytest.raises(NotFound, match="no exception 77"):
        settle(seller, "reopen", 1, 77)
    with pytest.raises(Refused, match="Name the exceptions"):
        acts.settle(seller.book, [], "reopen", actor=WHO, now=seller.clock.now())
    assert seller.dump() == before


# --- cancelled on a closed manifest


def on_the_manifest(seller: Seller, cancel: int = 1) -> None:
    """OD1 with two SHIRTs in one closed parcel, so many of them cancelled."""
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.advance("OD1", Position.MANIFESTED)
    tell(seller, Status.CANCELLED, line_id="L1", quantity=cancel)


def test_pulled_cancels_it_and_lets_the_rest_leave(seller: Seller) -> None:
    on_the_manifest(seller)
    settle(seller, "pulled")
    assert seller.positions("OD1") == ["CANCELLED", "CREATED"]
    assert seller.rows("SELECT blocked, state FROM package") == [
        ("", "CANCELLED"), ("", "CREATED"),
    ]  # fmt: skip
    assert seller.rows("SELECT state FROM invoice") == [("VOIDED",)]
    assert open_codes(seller) == ["repacked_after_cancel"]
    assert seller.rows("SELECT kind, state FROM putaway") == [("CANCELLED_ITEM", "PENDING")]
    assert seller.stock_of("SHIRT") == {"allocated": 1, "putaway_pending": 1}
    seller.advance("OD1", Position.DISPATCHED)
    assert seller.positions("OD1") == ["CANCELLED", "DISPATCHED"]
    assert seller.rows("SELECT package_id, state FROM invoice ORDER BY package_id") == [
        (1, "VOIDED"), (2, "ISSUED"),
    ]  # fmt: skip
    assert open_codes(seller) == []


def test_pulled_lets_the_rest_leave_short_by_policy(seller: Seller) -> None:
    on_the_manifest(seller)
    short = {"shop": Policies(partial_cancel=PartialCancel.SHIP_SHORT)}
    (answer,) = settle(seller, "pulled", policies=short).answers
    assert "invoice INV/001 lists a cancelled piece" in answer.notes
    assert seller.positions("OD1") == ["CANCELLED", "MANIFESTED"]
    assert seller.rows("SELECT blocked, state FROM package") == [("", "MANIFESTED")]
    assert seller.rows("SELECT state FROM invoice") == [("ISSUED",)]
    assert open_codes(seller) == ["ships_short"]


def test_what_becomes_of_the_rest_later_does_not_ship_short_again(seller: Seller) -> None:
    on_the_manifest(seller)
    short = {"shop": Policies(partial_cancel=PartialCancel.SHIP_SHORT)}
    settle(seller, "pulled", policies=short)
    tell(seller, Status.DISPATCHED, line_id="L1", quantity=1)
    tell(seller, Status.LOST, line_id="L1", quantity=1)
    noted = seller.count("decision", "code = 'ships_short'")
    lost = "SELECT id FROM exceptions WHERE code = 'lost_in_transit'"
    acts.settle(
        seller.book, [seller.rows(lost)[0][0]], "claim_paid", note="paid", actor=WHO,
        now=seller.clock.now(), policies=short,
    )  # fmt: skip
    assert seller.count("decision", "code = 'ships_short'") == noted


def test_pulled_lets_the_rest_leave_where_the_channel_numbers_the_invoices(
    seller: Seller,
) -> None:
    """The parcel has no invoice of ours, so the piece leaves it before the parcel is let go."""
    by_channel = {"shop": Policies(invoice_issuer=InvoiceIssuer.CHANNEL)}
    seller.stock("SHIRT", 3)
    seller.order("OD1", ("L1", "SHIRT", 3))
    warehouse.advance(
        seller.book, "shop", "OD1", Position.MANIFESTED, actor="test", now=seller.clock.now(),
        policies=by_channel["shop"],
    )  # fmt: skip
    tell(seller, Status.CANCELLED, line_id="L1", quantity=2)
    settle(seller, "pulled", 1, policies=by_channel)
    assert queries.of_order(seller.book, "OD1").code == "package_blocked", "the other is in it"
    (answer,) = settle(seller, "pulled", 2, policies=by_channel).answers
    assert answer.notes == ("parcel SP-1 may leave",)
    assert queries.of_order(seller.book, "OD1").may_ship
    warehouse.advance(
        seller.book, "shop", "OD1", Position.DISPATCHED, actor="test", now=seller.clock.now(),
        policies=by_channel["shop"],
    )  # fmt: skip
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED", "DISPATCHED"]
    assert seller.count("invoice") == 0


def test_of_two_parcels_the_one_that_it_was_pulled_out_of_is_let_go(seller: Seller) -> None:
    """Where the channel numbers the invoices, the piece is in no parcel any more by then."""
    by_channel = {"shop": Policies(invoice_issuer=InvoiceIssuer.CHANNEL)}
    seller.stock("SHIRT", 3)
    seller.order("OD1", ("L1", "SHIRT", 3))
    now = seller.clock.now()
    for step in (Position.PACKED, Position.MANIFESTED):
        warehouse.advance(
            seller.book, "shop", "OD1", step, actor="test", now=now, policies=by_channel["shop"]
        )
        if step is Position.PACKED:
            acts.split(seller.book, "shop", "OD1", {"L1": 1}, actor="test", now=now)
    tell(seller, Status.CANCELLED, line_id="L1", quantity=2)
    blocked = "SELECT code FROM package WHERE blocked <> '' ORDER BY id"
    assert seller.rows(blocked) == [("SP-2",), ("SP-3",)]
    for number in (2, 1):
        settle(seller, "pulled", number, policies=by_channel)
    assert seller.rows(blocked) == []


def test_the_rest_is_packed_again_once_nothing_in_the_parcel_waits(seller: Seller) -> None:
    """One is pulled, of the other the cancellation was wrong: it needs an invoice of its own."""
    on_the_manifest(seller, 2)
    settle(seller, "pulled", 1)
    assert seller.positions("OD1") == ["CANCELLED", "MANIFESTED"]
    (answer,) = settle(seller, "dismiss", 2).answers
    assert seller.positions("OD1") == ["CANCELLED", "CREATED"]
    assert answer.after == "CREATED"
    assert "invoice INV/001 void; now in parcel SP-2" in answer.notes
    assert "parcel SP-1 may leave" not in answer.notes
    records = seller.rows("SELECT before, after, code, actor FROM decision WHERE item_id = 2")
    assert records[-2:] == [
        ("MANIFESTED", "MANIFESTED", "settled_dismiss", WHO),
        ("MANIFESTED", "CREATED", "repacked_after_cancel", WHO),
    ]


def test_what_left_with_the_truck_is_not_packed_again(seller: Seller) -> None:
    on_the_manifest(seller, 2)
    settle(seller, "pulled", 1)
    settle(seller, "gone", 2)
    assert seller.positions("OD1") == ["CANCELLED", "RETURN_EXPECTED"]
    assert seller.rows("SELECT state FROM invoice") == [("ISSUED",)]
    assert seller.count("package") == 1


def test_the_parcel_stays_blocked_for_another_piece_and_its_invoice_is_void_at_last(
    seller: Seller,
) -> None:
    on_the_manifest(seller, 2)
    settle(seller, "pulled", 1)
    assert seller.rows("SELECT blocked FROM package") == [("cancelled_after_manifest",)]
    assert seller.rows("SELECT state FROM invoice") == [("ISSUED",)]
    (answer,) = settle(seller, "pulled", 2).answers
    assert answer.notes == ("invoice INV/001 void",)
    assert seller.rows("SELECT blocked, state FROM package") == [("", "CANCELLED")]
    assert seller.rows("SELECT state FROM invoice") == [("VOIDED",)]
    assert seller.order_state("OD1") == "CANCELLED"


def test_gone_expects_it_back(seller: Seller) -> None:
    on_the_manifest(seller)
    (answer,) = settle(seller, "gone").answers
    assert "parcel SP-1 may leave" in answer.notes, "the other piece is still here"
    assert seller.positions("OD1") == ["RETURN_EXPECTED", "MANIFESTED"]
    assert seller.rows("SELECT hold FROM item") == [("",), ("",)]
    assert seller.rows("SELECT blocked FROM package") == [("",)]
    assert seller.stock_of("SHIRT") == {"allocated": 1, "in_transit_back": 1}
    assert seller.rows("SELECT DISTINCT reason FROM stock_move ORDER BY id DESC LIMIT 1") == [
        ("cancelled_after_dispatch",)
    ]


def test_a_cancellation_that_is_wrong_is_dismissed(seller: Seller) -> None:
    on_the_manifest(seller)
    settle(seller, "dismiss")
    assert seller.positions("OD1") == ["MANIFESTED", "MANIFESTED"]
    assert seller.rows("SELECT hold, settled_at IS NOT NULL FROM item") == [("", 1), ("", 0)]
    seller.advance("OD1", Position.DISPATCHED)
    assert seller.stock_of("SHIRT") == {"in_transit_out": 2}


def test_a_held_piece_that_the_channel_ships_is_settled_as_a_whole(seller: Seller) -> None:
    cancelled(seller, Position.MANIFESTED)
    tell(seller, Status.DISPATCHED)
    assert open_codes(seller) == ["cancelled_after_manifest", "dispatched_after_cancel"]
    with pytest.raises(Refused, match="settle that one by reopen"):
        settle(seller, "dismiss", 1)
    settle(seller, "reopen", 2)
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert open_codes(seller) == []
    assert seller.count("invoice") == 1
    assert seller.rows("SELECT blocked FROM package") == [("",)]


def test_a_dispatch_that_is_wrong_leaves_the_cancellation_to_be_settled(seller: Seller) -> None:
    cancelled(seller, Position.MANIFESTED)
    tell(seller, Status.DISPATCHED)
    settle(seller, "dismiss", 2)
    assert open_codes(seller) == ["cancelled_after_manifest"]
    assert seller.rows("SELECT blocked FROM package") == [("cancelled_after_manifest",)]


@pytest.mark.unsound_book
def test_a_choice_no_longer_fits_when_the_piece_has_moved(seller: Seller) -> None:
    on_the_manifest(seller)
    with seller.book.write():
        seller.book.query("UPDATE item SET position = 'DELIVERED', hold = '' WHERE id = 1")
    with pytest.raises(Refused, match="while line L1 is DELIVERED; possible now: dismiss"):
        settle(seller, "pulled")


# --- returns, losses, claims

DISPATCHED: Told = (Status.DISPATCHED, {})
DELIVERED: Told = (Status.DELIVERED, {})
LOST: Told = (Status.LOST, {})
RTO_NOTICED: Told = (Status.RETURN_NOTICED, {"return_type": RTO, "return_id": "R1"})
CIR_NOTICED: Told = (Status.RETURN_NOTICED, {"return_type": CIR, "return_id": "R1"})
RTO_BACK: Told = (Status.RETURNED, {"return_type": RTO, "return_id": "R1"})
CIR_BACK: Told = (Status.RETURNED, {"return_type": CIR, "return_id": "R1"})
WITHDRAWN: Told = (Status.RETURN_WITHDRAWN, {"return_type": CIR, "return_id": "R1"})
CANCELLED: Told = (Status.CANCELLED, {})


@pytest.mark.parametrize(
    ("history", "choice", "stands", "bucket", "putaways"),
    [
        ((DISPATCHED, RTO_NOTICED, CIR_NOTICED), "rto", "RETURN_EXPECTED", "in_transit_back", []),
        ((DISPATCHED, RTO_NOTICED, CIR_NOTICED), "cir", "CIR_CREATED", "in_transit_back", []),
        ((DISPATCHED, RTO_NOTICED, CIR_BACK), "rto", "RETURNED", "putaway_pending", ["RTO"]),
        ((DISPATCHED, RTO_NOTICED, CIR_BACK), "cir", "CIR_COMPLETE", "putaway_pending", ["CIR"]),
        ((DELIVERED, CIR_NOTICED, RTO_NOTICED), "rto", "RETURN_EXPECTED", "in_transit_back", []),
        ((DELIVERED, CIR_NOTICED, RTO_NOTICED), "cir", "CIR_CREATED", "in_transit_back", []),
        ((DELIVERED, CIR_NOTICED, RTO_BACK), "rto", "RETURNED", "putaway_pending", ["RTO"]),
        ((DELIVERED, CIR_NOTICED, RTO_BACK), "cir", "CIR_COMPLETE", "putaway_pending", ["CIR"]),
        ((DELIVERED, CIR_BACK, RTO_BACK), "rto", "RETURNED", "putaway_pending", ["RTO"]),
        ((DELIVERED, CIR_BACK, RTO_BACK), "cir", "CIR_COMPLETE", "putaway_pending", ["CIR"]),
        ((DELIVERED, CANCELLED), "expect_rto", "RETURN_EXPECTED", "in_transit_back", []),
        ((DELIVERED, CANCELLED), "expect_cir", "CIR_CREATED", "in_transit_back", []),
        ((DELIVERED, CANCELLED), "dismiss", "DELIVERED", "sold", []),
        ((DELIVERED, LOST), "lost", "LOST", "in_transit_out", []),
        ((DELIVERED, LOST), "dismiss", "DELIVERED", "sold", []),
        ((DISPATCHED, LOST, CIR_NOTICED), "found", "CIR_CREATED", "in_transit_back", []),
        ((DISPATCHED, LOST, CIR_NOTICED), "delivered", "DELIVERED", "sold", []),
        (
            (DELIVERED, CIR_NOTICED, LOST, RTO_NOTICED),
            "rto",
            "RETURN_EXPECTED",
            "in_transit_back",
            [],
        ),
        ((DISPATCHED, RTO_NOTICED, LOST, DELIVERED, LOST), "lost", "LOST", "in_transit_out", []),
        ((DISPATCHED, LOST, CIR_BACK), "found", "CIR_COMPLETE", "putaway_pending", ["CIR"]),
        ((DELIVERED, CIR_BACK, WITHDRAWN), "not_received", "DELIVERED", "sold", []),
        ((DELIVERED, CIR_BACK, WITHDRAWN), "received", "CIR_COMPLETE", "putaway_pending", ["CIR"]),
        ((DISPATCHED, RTO_BACK, WITHDRAWN), "not_received", "DISPATCHED", "in_transit_out", []),
        ((DISPATCHED, LOST), "found", "DISPATCHED", "in_transit_out", []),
        ((DISPATCHED, LOST), "delivered", "DELIVERED", "sold", []),
        ((DISPATCHED, LOST), "claim_paid", "LOST", "sold", []),
        ((DISPATCHED, LOST), "written_off", "LOST", "", []),
        ((DISPATCHED, RTO_NOTICED, LOST), "found", "RETURN_EXPECTED", "in_transit_back", []),
        ((DELIVERED, CIR_NOTICED, LOST), "found", "CIR_CREATED", "in_transit_back", []),
        ((DELIVERED, CIR_NOTICED, LOST), "written_off", "LOST", "", []),
    ],
)
def test_each_choice_leaves_the_piece_where_it_says(
    seller: Seller, history: tuple[Told, ...], choice: str, stands: str, bucket: str,
    putaways: list[str],
) -> None:  # fmt: skip
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    for status, more in history:
        tell(seller, status, **more)
    ((newest,),) = seller.rows("SELECT max(id) FROM exceptions WHERE state = 'OPEN'")
    before = seller.positions("OD1")
    settle(seller, choice, newest)
    assert seller.positions("OD1") == [stands]
    assert seller.stock_of("SHIRT") == ({bucket: 1} if bucket else {})
    found = seller.rows("SELECT kind FROM putaway WHERE state = 'PENDING'")
    assert [kind for (kind,) in found] == putaways
    record = last_record(seller)
    assert record[:6] == ("settle", *before, stands, "ACT", f"settled_{choice}", WHO)
    assert seller.rows("SELECT choice FROM exceptions WHERE id = ?", newest) == [(choice,)]
    assert open_codes(seller) == (["lost_in_transit"] if choice == "lost" else [])


RTO_WITHDRAWN: Told = (Status.RETURN_WITHDRAWN, {"return_type": RTO, "return_id": "R1"})


@pytest.mark.parametrize(
    ("late", "history", "code", "choice", "stands", "bucket"),
    [
        (
            CANCELLED, (DISPATCHED,),
            "cancelled_before_dispatch", "expect_rto", "RETURN_EXPECTED", "in_transit_back",
        ),
        (
            CANCELLED, (DISPATCHED,),
            "cancelled_before_dispatch", "dismiss", "DISPATCHED", "in_transit_out",
        ),
        (
            RTO_BACK, (DISPATCHED, RTO_WITHDRAWN),
            "return_withdrawn_after_receipt", "received", "RETURNED", "putaway_pending",
        ),
        (
            RTO_BACK, (DELIVERED, RTO_WITHDRAWN),
            "return_withdrawn_after_receipt", "received", "RETURNED", "putaway_pending",
        ),
        (
            RTO_BACK, (DISPATCHED, RTO_WITHDRAWN, RTO_NOTICED),
            "return_withdrawn_after_receipt", "received", "RETURNED", "putaway_pending",
        ),
        (
            CIR_BACK, (DISPATCHED, WITHDRAWN),
            "return_withdrawn_after_receipt", "received", "CIR_COMPLETE", "putaway_pending",
        ),
        (
            CIR_BACK, (DELIVERED, WITHDRAWN),
            "return_withdrawn_after_receipt", "received", "CIR_COMPLETE", "putaway_pending",
        ),
        (
            CIR_BACK, (DELIVERED, WITHDRAWN, CIR_NOTICED),
            "return_withdrawn_after_receipt", "received", "CIR_COMPLETE", "putaway_pending",
        ),
        (
            CIR_NOTICED, (DISPATCHED, LOST, RTO_NOTICED, RTO_WITHDRAWN),
            "return_of_lost", "found", "CIR_CREATED", "in_transit_back",
        ),
        (
            DELIVERED, (DISPATCHED, CANCELLED),
            "cancelled_after_delivery", "delivered", "DELIVERED", "sold",
        ),
        (
            CIR_NOTICED, (DISPATCHED, LOST, RTO_WITHDRAWN),
            "return_of_lost", "delivered", "DELIVERED", "sold",
        ),
        (LOST, (DISPATCHED, RTO_WITHDRAWN), "return_of_lost", "lost", "LOST", "in_transit_out"),
        (
            WITHDRAWN, (DELIVERED, CIR_NOTICED, LOST),
            "lost_after_delivered", "delivered", "DELIVERED", "sold",
        ),
    ],
)  # fmt: skip
def test_each_choice_about_a_fact_that_comes_late(
    seller: Seller, late: Told, history: tuple[Told, ...], code: str, choice: str, stands: str,
    bucket: str,
) -> None:  # fmt: skip
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    *before, last = history
    for status, more in before if late is WITHDRAWN else []:
        tell(seller, status, **more)
    old = seller.change("OD1", late[0], **late[1])
    for status, more in [last] if late is WITHDRAWN else history:
        tell(seller, status, **more)
    seller.tell(old)
    seller.settle()
    ((newest, found),) = seller.rows("SELECT id, code FROM exceptions ORDER BY id DESC LIMIT 1")
    assert found == code
    settle(seller, choice, newest)
    assert seller.positions("OD1") == [stands]
    assert seller.stock_of("SHIRT") == {bucket: 1}
    assert open_codes(seller) == (["lost_in_transit"] if choice == "lost" else [])


def test_what_was_cancelled_on_its_way_back_and_yet_kept_is_chosen(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in (DISPATCHED, DELIVERED, RTO_NOTICED):
        tell(seller, status, **more)
    old = seller.change("OD1", RTO_WITHDRAWN[0], **RTO_WITHDRAWN[1])
    tell(seller, Status.CANCELLED)
    seller.tell(old)
    seller.settle()
    assert open_codes(seller) == ["cancelled_after_delivery"]
    settle(seller, "delivered")
    assert seller.positions("OD1") == ["DELIVERED"]
    assert seller.stock_of("SHIRT") == {"sold": 1}


def test_what_was_lost_comes_from_the_buyer_as_the_notice_says(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED)
    old = seller.change("OD1", CIR_NOTICED[0], **CIR_NOTICED[1])
    tell(seller, Status.LOST)
    seller.tell(old)
    seller.settle()
    assert seller.journal()[-1] == ("DONE", "NOTE", "lost_on_the_way_back")
    assert seller.stock_of("SHIRT") == {"in_transit_back": 1}
    assert open_codes(seller) == ["lost_in_transit"]
    settle(seller, "found")
    assert seller.positions("OD1") == ["CIR_CREATED"]
    assert seller.stock_of("SHIRT") == {"in_transit_back": 1}


@pytest.mark.parametrize(
    ("told", "choice", "stands", "bucket"),
    [
        (RTO_BACK, "gone", "RETURNED", "putaway_pending"),
        (RTO_NOTICED, "gone", "RETURN_EXPECTED", "in_transit_back"),
        (LOST, "reopen", "LOST", "in_transit_out"),
        (CIR_NOTICED, "reopen", "CIR_CREATED", "in_transit_back"),
        (CIR_BACK, "reopen", "CIR_COMPLETE", "putaway_pending"),
    ],
)
def test_what_went_from_the_manifest_is_as_far_as_the_word_says(
    seller: Seller, told: Told, choice: str, stands: str, bucket: str
) -> None:
    cancelled(seller, Position.MANIFESTED)
    tell(seller, told[0], **told[1])
    settle(seller, choice, 2)
    assert seller.positions("OD1") == [stands]
    assert seller.stock_of("SHIRT") == {bucket: 1}
    assert seller.rows("SELECT blocked FROM package") == [("",)]
    assert open_codes(seller) == (["lost_in_transit"] if told is LOST else [])


def test_what_was_lost_as_the_buyers_and_came_as_the_couriers_is_chosen(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in (DELIVERED, CIR_NOTICED, LOST, RTO_BACK):
        tell(seller, status, **more)
    assert open_codes(seller) == ["lost_on_the_way_back", "return_type_conflict"]
    settle(seller, "rto", 2)
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    assert open_codes(seller) == []


def test_a_return_that_was_put_away_is_renamed_without_moving_stock(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in (DISPATCHED, DELIVERED, CIR_BACK):
        tell(seller, status, **more)
    put_away(seller, acts.Disposition.GOOD)
    tell(seller, Status.RETURNED, return_type=RTO, return_id="R1")
    settle(seller, "rto")
    assert seller.positions("OD1") == ["RETURN_ACKNOWLEDGED"]
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}


@pytest.mark.parametrize("choice", ["claim_paid", "written_off"])
def test_what_turns_up_after_its_claim_ended_is_counted_once(seller: Seller, choice: str) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED)
    tell(seller, Status.LOST)
    settle(seller, choice)
    tell(seller, Status.RETURNED, return_type=RTO)
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}


def test_a_loss_older_than_the_return_is_chosen(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED)
    old = seller.change("OD1", Status.LOST)
    tell(seller, Status.RETURN_NOTICED, return_type=RTO)
    seller.tell(old)
    seller.settle()
    assert open_codes(seller) == ["return_of_lost"]
    settle(seller, "lost")
    assert seller.positions("OD1") == ["LOST"]
    assert open_codes(seller) == ["lost_on_the_way_back"]


def test_a_delivery_older_than_the_loss_is_chosen(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED)
    old = seller.change("OD1", Status.DELIVERED)
    tell(seller, Status.LOST)
    seller.tell(old)
    seller.settle()
    assert open_codes(seller) == ["lost_after_delivered", "lost_in_transit"]
    settle(seller, "delivered", 2)
    assert seller.positions("OD1") == ["DELIVERED"]
    assert open_codes(seller) == []


def test_more_pieces_than_there_are_can_only_be_dismissed(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED, line_id="L1", quantity=3)
    assert [one.name for one in queries.exception(seller.book, 1).choices] == ["dismiss"]
    settle(seller, "dismiss", note="the panel counts boxes")
    assert open_codes(seller) == []
    assert last_record(seller)[4] == "settled_dismiss"


def test_an_exception_that_no_fact_opened_is_dismissed(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    with seller.book.write():
        seller.book.query(
            "INSERT INTO exceptions (account_id, order_id, item_id, code, severity, message, state,"
            " opened_at, closed_by, note) VALUES (1, ?, ?, 'late', 'warning', 'Late.', 'OPEN', 0, "
            "'', ''), (1, 'gone', NULL, 'late', 'warning', 'Late.', 'OPEN', 0, '', '')",
            ("OD1", 1),
        )
    assert queries.exception(seller.book, 2).stands == ()
    done = settle(seller, "dismiss", 1, 2)
    assert [one.closed for one in done.answers] == [(1,), (2,)]
    assert open_codes(seller) == []
    assert last_record(seller)[4] == "settled_dismiss"


def test_a_putaway_that_is_opened_again_waits_again(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in (DISPATCHED, RTO_BACK, WITHDRAWN):
        tell(seller, status, **more)
    settle(seller, "not_received")
    tell(seller, Status.RETURNED, return_type=RTO, return_id="R2")
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.rows("SELECT kind, state, closed_at FROM putaway") == [("RTO", "PENDING", None)]


# --- what answers a question by itself


def closed_by(seller: Seller) -> list[tuple[object, ...]]:
    return seller.rows("SELECT code, closed_by, note FROM exceptions WHERE state = 'CLOSED'")


@pytest.mark.parametrize("answer", [CANCELLED, (Status.CANCEL_WITHDRAWN, {}), DISPATCHED])
def test_a_buyers_wish_is_answered_by_the_channel(seller: Seller, answer: Told) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.CANCEL_REQUESTED)
    assert open_codes(seller) == ["buyer_cancel_requested"]
    tell(seller, answer[0], **answer[1])
    ((code, who, note),) = closed_by(seller)
    assert (code, who) == ("buyer_cancel_requested", "a later fact")
    assert str(note).startswith(f"fact 2: {answer[0]} at 2026-03-01")


def test_a_buyers_wish_may_be_dismissed_by_a_person(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.CANCEL_REQUESTED)
    settle(seller, "dismiss", note="she rang")
    assert seller.rows("SELECT hold, held_at FROM item") == [("", None)]
    seller.advance("OD1", Position.DISPATCHED)


@pytest.mark.parametrize(
    ("history", "answer", "code"),
    [
        ((DISPATCHED, RTO_NOTICED, CIR_NOTICED), RTO_BACK, "return_type_conflict"),
        ((DELIVERED, CANCELLED), CIR_NOTICED, "cancelled_after_delivery"),
        ((DELIVERED, LOST), RTO_NOTICED, "lost_after_delivered"),
        ((DISPATCHED, LOST), DELIVERED, "lost_in_transit"),
        ((DISPATCHED, RTO_NOTICED, LOST), RTO_BACK, "lost_on_the_way_back"),
    ],
)
def test_a_later_fact_that_settles_it_closes_it(
    seller: Seller, history: tuple[Told, ...], answer: Told, code: str
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in history:
        tell(seller, status, **more)
    assert open_codes(seller) == [code]
    tell(seller, answer[0], **answer[1])
    assert open_codes(seller) == []
    assert closed_by(seller)[0][:2] == (code, "a later fact")


@pytest.mark.parametrize(("kind", "stands"), [(RTO, "RETURN_EXPECTED"), (CIR, "CIR_CREATED")])
def test_a_return_that_was_noticed_before_the_loss_does_not_answer_it(
    seller: Seller, kind: ReturnType, stands: str
) -> None:
    """In the order of the dates it is lost on its way back: whoever is asked can still say so."""
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, *DELIVERED[:1])
    noticed = seller.change("OD1", Status.RETURN_NOTICED, return_type=kind)
    tell(seller, Status.LOST)
    seller.tell(noticed)
    seller.settle()
    assert seller.positions("OD1") == [stands]
    assert open_codes(seller) == ["lost_after_delivered"]
    settle(seller, "lost")
    assert seller.positions("OD1") == ["LOST"]
    assert open_codes(seller) == ["lost_on_the_way_back"]


def test_a_fact_that_answers_nothing_closes_nothing(seller: Seller) -> None:
    cancelled(seller)
    tell(seller, Status.DISPATCHED)
    tell(seller, Status.CANCELLED)
    assert open_codes(seller) == ["dispatched_after_cancel"]


def test_a_note_of_the_way_it_was_lost_on_closes_no_question(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    tell(seller, Status.DISPATCHED)
    noticed = seller.change("OD1", RTO_NOTICED[0], **RTO_NOTICED[1])
    tell(seller, Status.LOST)
    tell(seller, CIR_NOTICED[0], **CIR_NOTICED[1])
    seller.tell(noticed)
    seller.settle()
    assert seller.journal()[-1] == ("DONE", "NOTE", "lost_on_the_way_back")
    assert open_codes(seller) == ["lost_in_transit", "return_of_lost"]


def test_lost_and_found_and_lost_in_one_batch_leaves_the_last_claim_open(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    statuses = (Status.DISPATCHED, Status.LOST)
    seller.tell(*(seller.change("OD1", status) for status in statuses))
    seller.tell(seller.change("OD1", Status.RETURN_NOTICED, return_type=RTO))
    seller.tell(seller.change("OD1", Status.LOST))
    seller.settle()
    assert open_codes(seller) == ["lost_on_the_way_back"]
    assert [row[0] for row in closed_by(seller)] == ["lost_in_transit"]


def test_a_putaway_shows_that_the_return_came(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    for status, more in (DISPATCHED, RTO_BACK, WITHDRAWN):
        tell(seller, status, **more)
    assert open_codes(seller) == ["return_withdrawn_after_receipt"]
    put_away(seller, acts.Disposition.GOOD)
    ((code, who, note),) = closed_by(seller)
    assert (code, who, note) == (
        "return_withdrawn_after_receipt", WHO, "answered by putaway: putaway_good",
    )  # fmt: skip


# --- the data


def test_every_choice_has_words_and_every_exception_can_be_settled() -> None:
    assert {option.code for option in OPTIONS} == set(SETTLED)
    assert all(option.says.endswith(".") for option in OPTIONS)
    assert all(option.note for option in OPTIONS if option.name == "dismiss")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[choice]]\nname = 'a'\nof = 'nowhere'\nsays = 'x'", "unknown code 'nowhere'"),
        ("[[choice]]\nname = 'a'\nof = '*'\nsays = 'x'\nat = 'UP'", "unknown position or group"),
        ("[[choice]]\nname = 'a'\nof = '*'\nsays = 'x'\nsteps = 'fly'", "unknown step 'fly'"),
        ("[[choice]]\nname = 'a'\nof = '*'\nsays = 'x'\nneeds = 'luck'", "unknown need 'luck'"),
        ("[[choice]]\nname = 'a'\nof = '*'\nsays = 'x'\nto = 'UP'", "unknown position 'UP'"),
        ("[[choice]]\nname = 'a'", "not a file of choices"),
    ],
)
def test_a_mistake_in_the_choices_is_told(text: str, problem: str) -> None:
    closing = "\n[[closing]]\nof = '*'"
    with pytest.raises(ConfigError, match=problem):
        read(text + closing)


def test_a_settlement_stands_against_older_facts_and_yields_to_newer_ones(seller: Seller) -> None:
    cancelled(seller)
    long_ago = seller.clock.now() - timedelta(minutes=30)
    tell(seller, Status.DISPATCHED)
    settle(seller, "reopen")
    tell(seller, Status.CANCELLED, occurred_at=long_ago)
    assert seller.journal()[-1] == ("DONE", "NOOP", "settled_by_person")
    assert seller.positions("OD1") == ["DISPATCHED"]
    tell(seller, Status.DELIVERED)
    assert seller.positions("OD1") == ["DELIVERED"]


@pytest.mark.parametrize(
    ("kind", "stands"), [(CIR, "CIR_COMPLETE"), (RTO, "RETURNED")], ids=["buyer", "courier"]
)
def test_a_settlement_swallows_no_older_return_that_nobody_was_asked_about(
    seller: Seller, kind: ReturnType, stands: str
) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    begin = seller.clock.now()
    seller.clock.advance(timedelta(hours=50))
    for status, hour in ((Status.DISPATCHED, 1), (Status.DELIVERED, 4), (Status.CANCELLED, 20)):
        tell(seller, status, occurred_at=begin + timedelta(hours=hour))
    assert open_codes(seller) == ["cancelled_after_delivery"]
    settle(seller, "dismiss")
    for status, hour in ((Status.RETURN_NOTICED, 12), (Status.RETURNED, 19)):
        tell(
            seller, status, return_type=kind, return_id="R1",
            occurred_at=begin + timedelta(hours=hour),
        )  # fmt: skip
    assert seller.positions("OD1") == [stands]
    assert seller.rows("SELECT state, kind FROM putaway") == [("PENDING", kind.value)]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    tell(seller, Status.CANCELLED, occurred_at=begin + timedelta(hours=19))
    assert seller.journal()[-1] == ("DONE", "NOOP", "settled_by_person")
    assert open_codes(seller) == []


@pytest.mark.parametrize("told", ["R2", "R1"], ids=["another", "the same"])
def test_a_settlement_of_one_return_is_none_of_another(seller: Seller, told: str) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    begin = seller.clock.now()
    seller.clock.advance(timedelta(hours=50))

    def said(status: Status, hour: int, return_id: str = "") -> None:
        of = {"return_id": return_id} if return_id else {}
        kind = CIR if status in (Status.RETURN_NOTICED, Status.RETURNED) else None
        tell(seller, status, return_type=kind, occurred_at=begin + timedelta(hours=hour), **of)

    said(Status.DISPATCHED, 1)
    said(Status.DELIVERED, 4)
    said(Status.RETURN_NOTICED, 10, "R1")
    said(Status.RETURN_WITHDRAWN, 20, "R1")
    said(Status.RETURNED, 19, "R1")
    assert open_codes(seller) == ["return_withdrawn_after_receipt"]
    settle(seller, "dismiss", note="not on the shelf")
    assert seller.positions("OD1") == ["DELIVERED"]
    said(Status.RETURNED, 18, told)
    another = told == "R2"
    assert seller.positions("OD1") == ["CIR_COMPLETE" if another else "DELIVERED"]
    assert seller.count("putaway") == int(another)
    assert open_codes(seller) == []


def test_a_return_that_was_named_and_is_here_is_not_asked_about_again(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    begin = seller.clock.now()
    seller.clock.advance(timedelta(hours=50))
    for status, kind, hour in (
        (Status.DISPATCHED, None, 1), (Status.RETURN_NOTICED, CIR, 10),
        (Status.RETURNED, RTO, 20),
    ):  # fmt: skip
        tell(seller, status, return_type=kind, occurred_at=begin + timedelta(hours=hour))
    assert open_codes(seller) == ["return_type_conflict"]
    settle(seller, "rto")
    tell(seller, Status.RETURNED, return_type=CIR, occurred_at=begin + timedelta(hours=19))
    assert seller.journal()[-1] == ("DONE", "NOOP", "settled_by_person")
    assert open_codes(seller) == []


@pytest.mark.parametrize(
    ("story", "hours", "code", "stands"),
    [
        (
            ("DISPATCHED", "RETURN_NOTICED", "DELIVERED", "LOST"), (1, 2, 9, 5),
            "lost_after_delivered", "LOST",
        ),
        (
            ("DISPATCHED", "RETURN_NOTICED", "CANCELLED", "RETURN_WITHDRAWN"), (1, 2, 9, 5),
            "cancelled_after_delivery", "DELIVERED",
        ),
        (
            ("DISPATCHED", "LOST", "CANCELLED", "DELIVERED"), (1, 2, 9, 5),
            "cancelled_after_delivery", "DELIVERED",
        ),
    ],
)  # fmt: skip
def test_a_contradiction_heard_against_its_dates_is_one_question(
    seller: Seller, story: tuple[str, ...], hours: tuple[int, ...], code: str, stands: str
) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    begin = seller.clock.now()
    seller.clock.advance(timedelta(hours=50))
    for word, hour in zip(story, hours, strict=True):
        status = Status(word)
        kind = CIR if status is Status.RETURN_NOTICED else None
        tell(seller, status, return_type=kind, occurred_at=begin + timedelta(hours=hour))
    assert seller.positions("OD1") == [stands]
    assert code in open_codes(seller)
    ((exception_id, told),) = seller.rows(
        "SELECT id, inbox_id FROM exceptions WHERE code = ? AND state = 'OPEN'", code
    )
    assert told == len(story)
    choices = [one.name for one in queries.exception(seller.book, exception_id).choices]
    assert choices[-1] == "dismiss"
    assert len(choices) > 1, "a person can choose what is true"
    settle(seller, choices[0], exception_id)
    assert code not in open_codes(seller)
