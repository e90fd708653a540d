"""Everything that facts write, row for row: no field of any row is left to chance.

Each story is told to a real book, and then all that it wrote is read: where the pieces stand, their
parcels and invoices, which stock moved, what a person is asked, what other systems are told, and
the records that say why. A seller who looks back years later has nothing but these rows.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from pathlib import Path
from typing import Any

import pytest

from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import ReturnType, Status
from tests.bookkit import START, Seller
from tests.unit.wholekit import written

S = Status
RTO, CIR = ReturnType.RTO, ReturnType.CIR
Told = tuple[Status, dict[str, Any]]


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


@pytest.fixture
def story(seller: Seller) -> Callable[..., str]:
    """Tell the order's facts, a minute apart and each settled by itself; what is written then."""

    def tell(*facts: Told, **settled: Any) -> str:
        for status, more in facts:
            seller.tell(seller.change("OD1", status, **more))
            seller.settle(**settled)
        return written(seller)

    return tell


def order(
    seller: Seller, *lines: tuple[str, str, int], stock: int, to: Position | None = None
) -> None:
    for _, sku, _ in lines:
        if stock:
            seller.stock(sku, stock)
    seller.order("OD1", *lines)
    if to is not None:
        seller.advance("OD1", to)


SHIRT, SHOE = ("L1", "SHIRT", 1), ("L2", "SHOE", 1)


def test_goods_that_the_stock_did_not_have_leave_as_a_shortage(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=0)
    found = story(
        (S.DISPATCHED, {"shipment_id": "SH1", "tracking_number": "T1", "courier": "EKL"}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, DISPATCHED, SP-1, short 1, changed_at 1m, dispatched_at 1m
parcel: SP-1, DISPATCHED, SH1, T1, EKL, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, shortage > in_transit_out, quantity 1, L1.0,
    dispatched_on_channel_unfulfillable, at 1m
decision: fact 1, L1.0, DISPATCHED, UNFULFILLABLE > DISPATCHED, APPLY,
    dispatched_on_channel_unfulfillable,
    create_shipment,record_shortage,create_invoice,dispatch, test, note shortage of 1 SHIRT;
    invoice INV/001, occurred_at 1m, decided_at 1m
fact: fact 1, DONE, APPLY, dispatched_on_channel_unfulfillable, decided_at 1m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_a_piece_goes_to_the_buyer_and_comes_back(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {}),
        (S.DELIVERED, {}),
        (S.RETURN_NOTICED, {"return_type": CIR, "return_id": "R1"}),
        (S.RETURNED, {"return_type": CIR, "return_id": "R1"}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, CIR_COMPLETE, SP-1, changed_at 4m, dispatched_at 1m, delivered_at 2m, CIR, R1,
    return_noticed_at 3m, DELIVERED
parcel: SP-1, CIR_COMPLETE, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHIRT, in_transit_out > sold, quantity 1, L1.0, delivered_on_channel, at 2m
moved: SHIRT, sold > in_transit_back, quantity 1, L1.0, cir_on_channel, at 3m
moved: SHIRT, in_transit_back > putaway_pending, quantity 1, L1.0, cir_completed_on_channel,
    at 4m
putaway: L1.0, CIR, PENDING, cir_completed_on_channel, opened_at 4m
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 2, L1.0, DELIVERED, DISPATCHED > DELIVERED, APPLY, delivered_on_channel,
    deliver, test, occurred_at 2m, decided_at 2m
decision: fact 3, L1.0, RETURN_NOTICED_CIR, DELIVERED > CIR_CREATED, APPLY, cir_on_channel,
    create_reverse_pickup, test, occurred_at 3m, decided_at 3m
decision: fact 4, L1.0, RETURNED_CIR, CIR_CREATED > CIR_COMPLETE, APPLY,
    cir_completed_on_channel, complete_reverse_pickup,open_putaway:CIR, test, occurred_at 4m,
    decided_at 4m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
fact: fact 2, DONE, APPLY, delivered_on_channel, decided_at 2m
fact: fact 3, DONE, APPLY, cir_on_channel, decided_at 3m
fact: fact 4, DONE, APPLY, cir_completed_on_channel, decided_at 4m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
told: order.changed, fact 3, created_at 3m
told: order.changed, fact 4, created_at 4m
"""
    )


def test_a_parcel_comes_back_undelivered_at_the_second_notice(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {}),
        (S.UNDELIVERED, {}),
        (S.RETURN_NOTICED, {"return_type": RTO, "return_id": "R1", "tracking_number": "T9"}),
        (S.RETURN_WITHDRAWN, {"return_type": RTO, "return_id": "R1"}),
        (S.RETURN_NOTICED, {"return_type": RTO, "return_id": "R2"}),
        (S.RETURNED, {"return_type": RTO}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, RETURNED, SP-1, changed_at 6m, dispatched_at 1m, RTO, R2, return_noticed_at 5m,
    DISPATCHED, withdrawn_at 4m
parcel: SP-1, RETURNED, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHIRT, in_transit_out > in_transit_back, quantity 1, L1.0, rto_on_channel, at 3m
moved: SHIRT, in_transit_back > in_transit_out, quantity 1, L1.0, return_withdrawn, at 4m
moved: SHIRT, in_transit_out > in_transit_back, quantity 1, L1.0, rto_on_channel, at 5m
moved: SHIRT, in_transit_back > putaway_pending, quantity 1, L1.0, rto_completed_on_channel,
    at 6m
putaway: L1.0, RTO, PENDING, rto_completed_on_channel, opened_at 6m
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 2, L1.0, UNDELIVERED, DISPATCHED > DISPATCHED, NOTE, delivery_attempt_failed,
    note_attempt,start_rto_timer, test, occurred_at 2m, decided_at 2m
decision: fact 3, L1.0, RETURN_NOTICED_RTO, DISPATCHED > RETURN_EXPECTED, APPLY,
    rto_on_channel, expect_return:RTO, test, occurred_at 3m, decided_at 3m
decision: fact 4, L1.0, RETURN_WITHDRAWN, RETURN_EXPECTED > DISPATCHED, APPLY,
    return_withdrawn, withdraw_return_expectation, test, occurred_at 4m, decided_at 4m
decision: fact 5, L1.0, RETURN_NOTICED_RTO, DISPATCHED > RETURN_EXPECTED, APPLY,
    rto_on_channel, expect_return:RTO, test, occurred_at 5m, decided_at 5m
decision: fact 6, L1.0, RETURNED_RTO, RETURN_EXPECTED > RETURNED, APPLY,
    rto_completed_on_channel, mark_returned:RTO,open_putaway:RTO, test, occurred_at 6m,
    decided_at 6m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
fact: fact 2, DONE, NOTE, delivery_attempt_failed, decided_at 2m
fact: fact 3, DONE, APPLY, rto_on_channel, decided_at 3m
fact: fact 4, DONE, APPLY, return_withdrawn, decided_at 4m
fact: fact 5, DONE, APPLY, rto_on_channel, decided_at 5m
fact: fact 6, DONE, APPLY, rto_completed_on_channel, decided_at 6m
attempt: item_id 1, at 2m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
told: order.changed, fact 3, created_at 3m
told: order.changed, fact 4, created_at 4m
told: order.changed, fact 5, created_at 5m
told: order.changed, fact 6, created_at 6m
"""
    )


def test_a_packed_piece_is_cancelled_and_then_said_to_have_left(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1, to=Position.PACKED)
    found = story(
        (S.CANCELLED, {}),
        (S.DISPATCHED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, CANCELLED
piece: L1.0, CANCELLED, SP-1, changed_at 1m
parcel: SP-1, CANCELLED, created_at 0m
invoice: INV/001, VOIDED, SP-1, SALE_INVOICE, issued_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > putaway_pending, quantity 1, L1.0, cancelled_after_invoice, at 1m
putaway: L1.0, CANCELLED_ITEM, HELD, dispatched_after_cancel, opened_at 1m
exception: dispatched_after_cancel, critical, OPEN, L1.0, fact 2, against 1, opened_at 2m, The
    channel said DISPATCHED (DISPATCHED) at 2026-03-01 06:02 UTC of line L1 piece 1, which the
    book has as CANCELLED since 2026-03-01 06:01 UTC, by the channel's word:
    dispatched_after_cancel.
decision: fact 1, L1.0, CANCELLED, PACKED > CANCELLED, APPLY, cancelled_after_invoice,
    cancel_item,void_invoice,open_putaway:CANCELLED_ITEM,alert:info, test, note invoice
    INV/001 void, occurred_at 1m, decided_at 1m
decision: fact 2, L1.0, DISPATCHED, CANCELLED > CANCELLED, ESCALATE, dispatched_after_cancel,
    alert:critical,hold_putaway, test, occurred_at 2m, decided_at 2m
fact: fact 1, DONE, APPLY, cancelled_after_invoice, decided_at 1m
fact: fact 2, DONE, ESCALATE, dispatched_after_cancel, decided_at 2m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
"""
    )


def test_a_cancellation_on_a_closed_manifest_blocks_the_parcel(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1, to=Position.MANIFESTED)
    found = story(
        (S.CANCELLED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, MANIFESTED, SP-1, allocated 1, cancelled_after_manifest, changed_at 0m
parcel: SP-1, MANIFESTED, cancelled_after_manifest, created_at 0m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
exception: cancelled_after_manifest, critical, OPEN, L1.0, fact 1, opened_at 1m, The channel
    said CANCELLED (CANCELLED) at 2026-03-01 06:01 UTC of line L1 piece 1, which the book has
    as MANIFESTED since 2026-03-01 06:00 UTC, by the hand of test: cancelled_after_manifest.
decision: fact 1, L1.0, CANCELLED, MANIFESTED > MANIFESTED, HOLD, cancelled_after_manifest,
    block_dispatch,alert:critical,confirm_pull, test, occurred_at 1m, decided_at 1m
fact: fact 1, DONE, HOLD, cancelled_after_manifest, decided_at 1m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_a_buyer_asks_twice_to_cancel_and_thinks_better_of_it(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1, to=Position.PACKED)
    found = story(
        (S.CANCEL_REQUESTED, {}),
        (S.CANCEL_REQUESTED, {}),
        (S.CANCEL_WITHDRAWN, {}),
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, PACKED, SP-1, allocated 1, changed_at 0m, uncancelled_at 3m
parcel: SP-1, PACKED, created_at 0m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
exception: buyer_cancel_requested, warning, CLOSED, L1.0, fact 1, opened_at 1m, closed_at 3m,
    a later fact, note fact 3: CANCEL_WITHDRAWN at 2026-03-01 06:03 UTC:
    buyer_cancel_withdrawn, The channel said CANCEL_REQUESTED (CANCEL_REQUESTED) at 2026-03-01
    06:01 UTC of line L1 piece 1, which the book has as PACKED since 2026-03-01 06:00 UTC, by
    the hand of test: buyer_cancel_requested.
decision: fact 1, L1.0, CANCEL_REQUESTED, PACKED > PACKED, HOLD, buyer_cancel_requested,
    hold_item,alert:warning, test, occurred_at 1m, decided_at 1m
decision: fact 2, L1.0, CANCEL_REQUESTED, PACKED > PACKED, NOOP, already_at_or_past,
    renew_hold, test, occurred_at 2m, decided_at 2m
decision: fact 3, L1.0, CANCEL_WITHDRAWN, PACKED > PACKED, APPLY, buyer_cancel_withdrawn,
    release_hold, test, occurred_at 3m, decided_at 3m
fact: fact 1, DONE, HOLD, buyer_cancel_requested, decided_at 1m
fact: fact 2, DONE, NOOP, already_at_or_past, decided_at 2m
fact: fact 3, DONE, APPLY, buyer_cancel_withdrawn, decided_at 3m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 3, created_at 3m
"""
    )


def test_what_was_cancelled_too_late_is_lost_on_its_way_back(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {}),
        (S.CANCELLED, {}),
        (S.LOST, {}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, LOST, SP-1, changed_at 3m, dispatched_at 1m, RTO, return_noticed_at 2m,
    DISPATCHED, cancelled_at 2m, lost_at 3m
parcel: SP-1, LOST, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHIRT, in_transit_out > in_transit_back, quantity 1, L1.0, cancelled_after_dispatch, at
    2m
exception: lost_on_the_way_back, warning, OPEN, L1.0, fact 3, against 2, opened_at 3m, The
    channel said LOST (LOST) at 2026-03-01 06:03 UTC of line L1 piece 1, which the book has as
    RETURN_EXPECTED since 2026-03-01 06:02 UTC, by the channel's word: lost_on_the_way_back.
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 2, L1.0, CANCELLED, DISPATCHED > RETURN_EXPECTED, APPLY,
    cancelled_after_dispatch, expect_return:RTO,note_cancellation,alert:warning, test,
    occurred_at 2m, decided_at 2m
decision: fact 3, L1.0, LOST, RETURN_EXPECTED > LOST, APPLY, lost_on_the_way_back,
    mark_not_received,open_claim,alert:warning, test, occurred_at 3m, decided_at 3m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
fact: fact 2, DONE, APPLY, cancelled_after_dispatch, decided_at 2m
fact: fact 3, DONE, APPLY, lost_on_the_way_back, decided_at 3m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
told: order.changed, fact 3, created_at 3m
"""
    )


def test_a_lost_parcel_is_lost_again_and_then_delivered(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {"tracking_number": "T1"}),
        (S.LOST, {"tracking_number": "T1"}),
        (S.LOST, {"tracking_number": "T1"}),
        (S.DELIVERED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, DELIVERED, SP-1, changed_at 4m, dispatched_at 1m, delivered_at 4m, withdrawn_at
    4m, lost_at 3m
parcel: SP-1, DELIVERED, T1, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHIRT, in_transit_out > sold, quantity 1, L1.0, found_after_lost, at 4m
exception: lost_in_transit, warning, CLOSED, L1.0, fact 2, against 1, opened_at 2m, closed_at
    4m, a later fact, note fact 4: DELIVERED at 2026-03-01 06:04 UTC: found_after_lost, The
    channel said LOST (LOST) at 2026-03-01 06:02 UTC of line L1 piece 1, which the book has as
    DISPATCHED since 2026-03-01 06:01 UTC, by the channel's word: lost_in_transit.
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 2, L1.0, LOST, DISPATCHED > LOST, APPLY, lost_in_transit,
    open_claim,alert:warning, test, occurred_at 2m, decided_at 2m
decision: fact 3, L1.0, LOST, LOST > LOST, NOOP, already_at_or_past, note_loss, test,
    occurred_at 3m, decided_at 3m
decision: fact 4, L1.0, DELIVERED, LOST > DELIVERED, APPLY, found_after_lost,
    deliver,note_found,close_claim,alert:info, test, occurred_at 4m, decided_at 4m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
fact: fact 2, DONE, APPLY, lost_in_transit, decided_at 2m
fact: fact 3, DONE, NOOP, already_at_or_past, decided_at 3m
fact: fact 4, DONE, APPLY, found_after_lost, decided_at 4m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
told: order.changed, fact 4, created_at 4m
"""
    )


def test_the_first_word_of_a_piece_is_that_the_buyer_has_sent_it_back(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=0)
    found = story(
        (S.RETURNED, {"return_type": CIR, "left_seller": True, "return_id": "R1"}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, CIR_COMPLETE, SP-1, short 1, changed_at 1m, dispatched_at 1m, delivered_at 1m,
    CIR, R1, return_noticed_at 1m, DELIVERED
parcel: SP-1, CIR_COMPLETE, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, shortage > in_transit_out, quantity 1, L1.0, implied_dispatch, at 1m
moved: SHIRT, in_transit_out > sold, quantity 1, L1.0, implied_dispatch, at 1m
moved: SHIRT, sold > in_transit_back, quantity 1, L1.0, implied_dispatch, at 1m
moved: SHIRT, in_transit_back > putaway_pending, quantity 1, L1.0, implied_dispatch, at 1m
putaway: L1.0, CIR, PENDING, implied_dispatch, opened_at 1m
decision: fact 1, L1.0, RETURNED_CIR, UNFULFILLABLE > CIR_COMPLETE, APPLY_CHAIN,
    implied_dispatch,
    create_shipment,record_shortage,create_invoice,dispatch,deliver,create_reverse_pickup,complete_reverse_pickup,open_putaway:CIR,
    implied 1, test, note shortage of 1 SHIRT; invoice INV/001, occurred_at 1m, decided_at 1m
fact: fact 1, DONE, APPLY_CHAIN, implied_dispatch, decided_at 1m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_late_words_fill_in_what_was_only_implied(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DELIVERED, {}),
        (
            S.DISPATCHED,
            {"occurred_at": START, "tracking_number": "T1", "courier": "EKL", "shipment_id": "SH1"},
        ),
        (S.RETURN_NOTICED, {"return_type": CIR}),
        (S.RETURN_NOTICED, {"return_type": CIR, "return_id": "R1", "tracking_number": "T9"}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, CIR_CREATED, SP-1, changed_at 3m, dispatched_at 0m, delivered_at 1m, CIR, R1,
    return_noticed_at 4m, DELIVERED
parcel: SP-1, CIR_CREATED, SH1, T1, EKL, created_at 1m, dispatched_at 0m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, implied_dispatch, at 1m
moved: SHIRT, in_transit_out > sold, quantity 1, L1.0, implied_dispatch, at 1m
moved: SHIRT, sold > in_transit_back, quantity 1, L1.0, cir_on_channel, at 3m
decision: fact 1, L1.0, DELIVERED, FULFILLABLE > DELIVERED, APPLY_CHAIN, implied_dispatch,
    create_shipment,allocate,create_invoice,dispatch,deliver, implied 1, test, note invoice
    INV/001, occurred_at 1m, decided_at 1m
decision: fact 2, L1.0, DISPATCHED, DELIVERED > DELIVERED, NOOP, already_at_or_past,
    fill_tracking,backfill_dispatched_at, test, occurred_at 0m, decided_at 2m
decision: fact 3, L1.0, RETURN_NOTICED_CIR, DELIVERED > CIR_CREATED, APPLY, cir_on_channel,
    create_reverse_pickup, test, occurred_at 3m, decided_at 3m
decision: fact 4, L1.0, RETURN_NOTICED_CIR, CIR_CREATED > CIR_CREATED, NOOP,
    already_at_or_past, fill_return_tracking, test, occurred_at 4m, decided_at 4m
fact: fact 1, DONE, APPLY_CHAIN, implied_dispatch, decided_at 1m
fact: fact 2, DONE, NOOP, already_at_or_past, decided_at 2m
fact: fact 3, DONE, APPLY, cir_on_channel, decided_at 3m
fact: fact 4, DONE, NOOP, already_at_or_past, decided_at 4m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 3, created_at 3m
"""
    )


def test_a_false_scan_of_a_return_ends_in_a_second_delivery(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {}),
        (S.DELIVERED, {}),
        (S.RETURN_NOTICED, {"return_type": RTO}),
        (S.DELIVERED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, DELIVERED, SP-1, changed_at 4m, dispatched_at 1m, delivered_at 4m, withdrawn_at
    4m
parcel: SP-1, DELIVERED, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHIRT, in_transit_out > sold, quantity 1, L1.0, delivered_on_channel, at 2m
moved: SHIRT, sold > in_transit_back, quantity 1, L1.0, rto_after_delivered, at 3m
moved: SHIRT, in_transit_back > sold, quantity 1, L1.0, redelivered, at 4m
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 2, L1.0, DELIVERED, DISPATCHED > DELIVERED, APPLY, delivered_on_channel,
    deliver, test, occurred_at 2m, decided_at 2m
decision: fact 3, L1.0, RETURN_NOTICED_RTO, DELIVERED > RETURN_EXPECTED, APPLY,
    rto_after_delivered, expect_return:RTO,alert:info, test, occurred_at 3m, decided_at 3m
decision: fact 4, L1.0, DELIVERED, RETURN_EXPECTED > DELIVERED, APPLY, redelivered,
    withdraw_return_expectation,deliver,note_found, test, occurred_at 4m, decided_at 4m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
fact: fact 2, DONE, APPLY, delivered_on_channel, decided_at 2m
fact: fact 3, DONE, APPLY, rto_after_delivered, decided_at 3m
fact: fact 4, DONE, APPLY, redelivered, decided_at 4m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
told: order.changed, fact 3, created_at 3m
told: order.changed, fact 4, created_at 4m
"""
    )


def test_one_parcel_here_is_two_there(seller: Seller, story: Callable[..., str]) -> None:
    order(seller, SHIRT, SHOE, stock=1, to=Position.PACKED)
    found = story(
        (S.DISPATCHED, {"line_id": "L1", "quantity": 1, "shipment_id": "A"}),
        (S.DISPATCHED, {"line_id": "L2", "quantity": 1, "shipment_id": "B"}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, DISPATCHED, SP-1, changed_at 1m, dispatched_at 1m
piece: L2.0, DISPATCHED, SP-2, changed_at 2m, dispatched_at 2m
parcel: SP-1, DISPATCHED, A, created_at 0m, dispatched_at 1m
parcel: SP-2, DISPATCHED, B, created_at 2m, dispatched_at 2m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 0m
invoice: INV/002, ISSUED, SP-2, SALE_INVOICE, issued_at 2m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHOE, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHOE, on_hand_good > allocated, quantity 1, L2.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHOE, allocated > in_transit_out, quantity 1, L2.0, dispatched_on_channel, at 2m
decision: fact 1, L1.0, DISPATCHED, PACKED > DISPATCHED, APPLY, dispatched_on_channel,
    dispatch, test, occurred_at 1m, decided_at 1m
decision: fact 2, L2.0, DISPATCHED, PACKED > DISPATCHED, APPLY, dispatched_on_channel,
    dispatch, test, note invoice INV/002; in a parcel of its own, occurred_at 2m, decided_at
    2m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
fact: fact 2, DONE, APPLY, dispatched_on_channel, decided_at 2m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
"""
    )


def test_one_word_moves_two_pieces_in_one_parcel_and_one_is_short(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, ("L1", "SHIRT", 2), stock=1)
    found = story(
        (S.DISPATCHED, {"quantity": 2}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, DISPATCHED, SP-1, changed_at 1m, dispatched_at 1m
piece: L1.1, DISPATCHED, SP-1, short 1, changed_at 1m, dispatched_at 1m
parcel: SP-1, DISPATCHED, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
moved: SHIRT, shortage > in_transit_out, quantity 1, L1.1,
    dispatched_on_channel_unfulfillable, at 1m
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 1, L1.1, DISPATCHED, UNFULFILLABLE > DISPATCHED, APPLY,
    dispatched_on_channel_unfulfillable,
    create_shipment,record_shortage,create_invoice,dispatch, test, note shortage of 1 SHIRT,
    occurred_at 1m, decided_at 1m
fact: fact 1, DONE, APPLY, dispatched_on_channel, decided_at 1m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_a_piece_is_cancelled_before_its_parcel_is_invoiced(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, SHOE, stock=1, to=Position.CREATED)
    found = story(
        (S.CANCELLED, {"line_id": "L1"}),
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, CANCELLED, changed_at 1m
piece: L2.0, CREATED, SP-1, allocated 1, changed_at 0m
parcel: SP-1, CREATED, created_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHOE, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHOE, on_hand_good > allocated, quantity 1, L2.0, allocated, at 0m
moved: SHIRT, allocated > on_hand_good, quantity 1, L1.0, cancelled_on_channel, at 1m
decision: fact 1, L1.0, CANCELLED, CREATED > CANCELLED, APPLY, cancelled_on_channel,
    release_allocation,cancel_item, test, occurred_at 1m, decided_at 1m
fact: fact 1, DONE, APPLY, cancelled_on_channel, decided_at 1m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_the_rest_of_a_parcel_is_packed_again_and_cancelled_too(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, SHOE, stock=1, to=Position.PACKED)
    found = story(
        (S.CANCELLED, {"line_id": "L1"}),
        (S.CANCELLED, {"line_id": "L2"}),
    )
    assert found == cleandoc(
        """
order: OD1, CANCELLED
piece: L1.0, CANCELLED, SP-1, changed_at 1m
piece: L2.0, CANCELLED, changed_at 2m
parcel: SP-1, CANCELLED, created_at 0m, SP-2
parcel: SP-2, CANCELLED, created_at 1m, SP-1
invoice: INV/001, VOIDED, SP-1, SALE_INVOICE, issued_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHOE, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHOE, on_hand_good > allocated, quantity 1, L2.0, allocated, at 0m
moved: SHIRT, allocated > putaway_pending, quantity 1, L1.0, cancelled_after_invoice, at 1m
moved: SHOE, allocated > putaway_pending, quantity 1, L2.0, cancelled_mid_pick, at 2m
putaway: L1.0, CANCELLED_ITEM, PENDING, cancelled_after_invoice, opened_at 1m
putaway: L2.0, PICKLIST, PENDING, cancelled_mid_pick, opened_at 2m
exception: repacked_after_cancel, warning, CLOSED, L1.0, fact 1, against 1, opened_at 1m,
    closed_at 2m, a later fact, note nothing is left to pack, The channel said CANCELLED
    (CANCELLED) at 2026-03-01 06:01 UTC of line L1 piece 1, which the book has as CANCELLED
    since 2026-03-01 06:01 UTC, by the channel's word: repacked_after_cancel. Take the piece
    out of parcel SP-1, and its label and invoice INV/001 off; what is left of it is parcel
    SP-2, to be packed and invoiced again.
decision: fact 1, L1.0, CANCELLED, PACKED > CANCELLED, APPLY, cancelled_after_invoice,
    cancel_item,void_invoice,open_putaway:CANCELLED_ITEM,alert:info, test, occurred_at 1m,
    decided_at 1m
decision: fact 1, L2.0, CANCELLED, PACKED > CREATED, APPLY, repacked_after_cancel,
    void_invoice,create_shipment, test, note invoice INV/001 void; now in parcel SP-2,
    occurred_at 1m, decided_at 1m
decision: fact 2, L2.0, CANCELLED, CREATED > CANCELLED, APPLY, cancelled_mid_pick,
    cancel_item,open_putaway:PICKLIST,alert:info, test, note by the cell CANCELLED at PICKED,
    occurred_at 2m, decided_at 2m
fact: fact 1, DONE, APPLY, cancelled_after_invoice, decided_at 1m
fact: fact 2, DONE, APPLY, cancelled_mid_pick, decided_at 2m
told: order.changed, fact 1, created_at 1m
told: order.changed, fact 2, created_at 2m
"""
    )


def test_the_rest_of_a_parcel_is_shipped_short(seller: Seller, story: Callable[..., str]) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    order(seller, SHIRT, SHOE, stock=1, to=Position.PACKED)
    found = story(
        (S.CANCELLED, {"line_id": "L1"}),
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, CANCELLED, SP-1, changed_at 1m
piece: L2.0, PACKED, SP-1, allocated 1, changed_at 0m
parcel: SP-1, PACKED, created_at 0m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHOE, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHOE, on_hand_good > allocated, quantity 1, L2.0, allocated, at 0m
moved: SHIRT, allocated > putaway_pending, quantity 1, L1.0, cancelled_after_invoice, at 1m
putaway: L1.0, CANCELLED_ITEM, PENDING, cancelled_after_invoice, opened_at 1m
exception: ships_short, info, OPEN, L1.0, fact 1, against 1, opened_at 1m, The channel said
    CANCELLED (CANCELLED) at 2026-03-01 06:01 UTC of line L1 piece 1, which the book has as
    CANCELLED since 2026-03-01 06:01 UTC, by the channel's word: ships_short. Invoice INV/001
    of parcel SP-1 lists it; the rest of the parcel goes out under it.
decision: fact 1, L1.0, CANCELLED, PACKED > CANCELLED, APPLY, cancelled_after_invoice,
    cancel_item,void_invoice,open_putaway:CANCELLED_ITEM,alert:info, test, occurred_at 1m,
    decided_at 1m
decision: fact 1, L2.0, CANCELLED, PACKED > PACKED, NOTE, ships_short, test, note invoice
    INV/001 lists a cancelled piece, occurred_at 1m, decided_at 1m
fact: fact 1, DONE, APPLY, cancelled_after_invoice, decided_at 1m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_more_are_said_to_have_left_than_there_are(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {"line_id": "L1", "quantity": 2, "shipment_id": "A"}),
        (S.DISPATCHED, {"line_id": "L1", "shipment_id": "B"}),
        (S.DISPATCHED, {"sku": "SHIRT", "quantity": 1, "shipment_id": "C"}),
        (S.DISPATCHED, {"shipment_id": "D"}),
    )
    assert found == cleandoc(
        """
order: OD1, COMPLETE
piece: L1.0, DISPATCHED, SP-1, changed_at 1m, dispatched_at 1m
parcel: SP-1, DISPATCHED, A, created_at 1m, dispatched_at 1m
invoice: INV/001, ISSUED, SP-1, SALE_INVOICE, issued_at 1m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > in_transit_out, quantity 1, L1.0, dispatched_on_channel, at 1m
exception: quantity_exceeds, warning, OPEN, fact 1, opened_at 1m, The channel said DISPATCHED
    (DISPATCHED) at 2026-03-01 06:01 UTC of 2 of line L1: quantity_exceeds.
exception: quantity_exceeds, warning, OPEN, fact 2, opened_at 2m, The channel said DISPATCHED
    (DISPATCHED) at 2026-03-01 06:02 UTC of line L1: quantity_exceeds.
exception: quantity_exceeds, warning, OPEN, fact 3, opened_at 3m, The channel said DISPATCHED
    (DISPATCHED) at 2026-03-01 06:03 UTC of 1 of SKU SHIRT: quantity_exceeds.
exception: quantity_exceeds, warning, OPEN, fact 4, opened_at 4m, The channel said DISPATCHED
    (DISPATCHED) at 2026-03-01 06:04 UTC of the order: quantity_exceeds.
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > DISPATCHED, APPLY, dispatched_on_channel,
    create_shipment,allocate,create_invoice,dispatch, test, note invoice INV/001, occurred_at
    1m, decided_at 1m
decision: fact 1, DISPATCHED, COMPLETE > COMPLETE, ESCALATE, quantity_exceeds, test,
    occurred_at 1m, decided_at 1m
decision: fact 2, DISPATCHED, COMPLETE > COMPLETE, ESCALATE, quantity_exceeds, test,
    occurred_at 2m, decided_at 2m
decision: fact 3, DISPATCHED, COMPLETE > COMPLETE, ESCALATE, quantity_exceeds, test,
    occurred_at 3m, decided_at 3m
decision: fact 4, DISPATCHED, COMPLETE > COMPLETE, ESCALATE, quantity_exceeds, test,
    occurred_at 4m, decided_at 4m
fact: fact 1, DONE, ESCALATE, quantity_exceeds, decided_at 1m
fact: fact 2, DONE, ESCALATE, quantity_exceeds, Every piece of this line has already had its
    share of such changes., decided_at 2m
fact: fact 3, DONE, ESCALATE, quantity_exceeds, Every piece of this line has already had its
    share of such changes., decided_at 3m
fact: fact 4, DONE, ESCALATE, quantity_exceeds, Every piece of this line has already had its
    share of such changes., decided_at 4m
told: order.changed, fact 1, created_at 1m
"""
    )


def test_a_line_and_a_sku_that_the_book_lacks_wait(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {"line_id": "L9"}),
        (S.DISPATCHED, {"sku": "SHOE"}),
        (S.DISPATCHED, {"line_id": "L9", "sku": "SHIRT"}),
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, FULFILLABLE, allocated 1, changed_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
decision: fact 1, DISPATCHED, PROCESSING > PROCESSING, PARK, line_unknown, test, occurred_at
    1m, decided_at 1m
decision: fact 2, DISPATCHED, PROCESSING > PROCESSING, PARK, line_unknown, test, occurred_at
    2m, decided_at 2m
decision: fact 3, DISPATCHED, PROCESSING > PROCESSING, PARK, line_unknown, test, occurred_at
    3m, decided_at 3m
fact: fact 1, PARKED, PARK, line_unknown, The book has no line L9 in this order; its lines are
    L1 (SHIRT)., decided_at 1m
fact: fact 2, PARKED, PARK, line_unknown, The book has no SKU SHOE in this order; its lines
    are L1 (SHIRT)., decided_at 2m
fact: fact 3, PARKED, PARK, line_unknown, The book has no line L9 in this order; its lines are
    L1 (SHIRT)., decided_at 3m
"""
    )


def test_an_order_that_the_book_lacks_waits_or_is_remembered_as_cancelled(
    seller: Seller, story: Callable[..., str]
) -> None:
    found = story(
        (S.DISPATCHED, {}),
        (S.CANCELLED, {}),
    )
    assert found == cleandoc(
        """
fact: fact 1, PARKED, PARK, order_unknown, The book has no such order yet., decided_at 1m
fact: fact 2, TOMBSTONE, TOMBSTONE, cancelled_before_import, decided_at 2m
"""
    )


def test_a_return_without_proof_waits_and_is_told_once(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.RETURN_NOTICED, {"return_type": RTO}),
        (S.CANCELLED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, CANCELLED
piece: L1.0, CANCELLED, changed_at 2m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
moved: SHIRT, allocated > on_hand_good, quantity 1, L1.0, cancelled_on_channel, at 2m
decision: fact 1, L1.0, RETURN_NOTICED_RTO, FULFILLABLE > FULFILLABLE, PARK,
    dispatch_unproven, test, occurred_at 1m, decided_at 1m
decision: fact 2, L1.0, CANCELLED, FULFILLABLE > CANCELLED, APPLY, cancelled_on_channel,
    release_allocation,cancel_item, test, occurred_at 2m, decided_at 2m
fact: fact 1, WAITING, PARK, dispatch_unproven, The channel reports a later state, but its
    dispatch is not known or not proven yet; tried again at the next pass., decided_at 2m
fact: fact 2, DONE, APPLY, cancelled_on_channel, decided_at 2m
told: order.changed, fact 2, created_at 2m
"""
    )


def test_what_comes_after_a_refused_fact_waits_behind_it(
    seller: Seller, story: Callable[..., str]
) -> None:
    with seller.book.write():
        seller.book.query("DELETE FROM sequence")
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {}),
        (S.DELIVERED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, FULFILLABLE, allocated 1, changed_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > FULFILLABLE, REFUSED, sequence_missing,
    test, occurred_at 1m, decided_at 1m
decision: fact 2, L1.0, DELIVERED, FULFILLABLE > FULFILLABLE, PARK, sequence_missing, test,
    occurred_at 2m, decided_at 2m
fact: fact 1, REFUSED, REFUSED, sequence_missing, Facility BLR has no SALE_INVOICE sequence,
    so no invoice can be numbered. Define one with: syncctl sequence set BLR SALE_INVOICE
    --prefix BLR/, decided_at 2m
fact: fact 2, WAITING, PARK, sequence_missing, An earlier change of this piece is not decided
    yet; this one comes after it., decided_at 2m
"""
    )


def test_what_the_seller_ships_himself_is_only_an_echo(
    seller: Seller, story: Callable[..., str]
) -> None:
    order(seller, SHIRT, stock=1)
    found = story(
        (S.DISPATCHED, {}),
        ships=lambda ref: False,
    )
    assert found == cleandoc(
        """
order: OD1, PROCESSING
piece: L1.0, FULFILLABLE, allocated 1, changed_at 0m
moved: SHIRT, outside > on_hand_good, quantity 1, received by test, at 0m
moved: SHIRT, on_hand_good > allocated, quantity 1, L1.0, allocated, at 0m
decision: fact 1, L1.0, DISPATCHED, FULFILLABLE > FULFILLABLE, SKIPPED, channel_not_shipping,
    test, occurred_at 1m, decided_at 1m
fact: fact 1, DONE, SKIPPED, channel_not_shipping, The channel does not ship this order, so
    its DISPATCHED only repeats what the seller did; the book follows the seller, decided_at
    1m
"""
    )


def test_a_replacement_is_not_guessed(seller: Seller, story: Callable[..., str]) -> None:
    seller.order("OD1", SHIRT, ("L2", "SHIRT", 1))
    with seller.book.write():
        seller.book.query("UPDATE item SET replaces = 'L1' WHERE line_id = 'L2'")
    found = story(
        (S.DISPATCHED, {}),
    )
    assert found == cleandoc(
        """
order: OD1, CREATED
piece: L1.0, UNFULFILLABLE, changed_at 0m
piece: L2.0, UNFULFILLABLE, changed_at 0m
exception: ambiguous_replacement, warning, OPEN, fact 1, opened_at 1m, The channel said
    DISPATCHED (DISPATCHED) at 2026-03-01 06:01 UTC of the order: ambiguous_replacement. It
    names no line, and the order holds a line and its replacement.
decision: fact 1, DISPATCHED, CREATED > CREATED, ESCALATE, ambiguous_replacement, test,
    occurred_at 1m, decided_at 1m
fact: fact 1, DONE, ESCALATE, ambiguous_replacement, It names no line, and the order holds a
    line and its replacement., decided_at 1m
"""
    )
