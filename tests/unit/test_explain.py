"""``explain``: the story of an order in sentences that need no manual."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path

import pytest

from syncd.book import acts, intake
from syncd.book.explain import explain
from syncd.book.tables import Account
from syncd.book.wording import OTHER_CODES, REASONS, SAID, STANDS, STEPS, steps_told, words_for
from syncd.errors import NotFound, Refused
from syncd.rules import Event, Position, Reason, Verb
from syncd.statuses import NewOrder, OrderLine, ReturnType, Status
from tests.bookkit import Seller

WHO = "uid 1000 (asha)"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def settle(seller: Seller, status: Status, **more: object) -> None:
    seller.tell(seller.change("OD1", status, **more))
    seller.settle()


def text(seller: Seller, order_id: str = "OD1") -> str:
    return "\n".join(explain(seller.book, order_id).lines)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    words = REASONS[reason]
    assert words.means[0].isupper()
    assert words.means.endswith(".")
    assert words.do == "" or words.do.endswith(".")


def test_the_words_cover_the_closed_sets() -> None:
    assert set(REASONS) == set(Reason)
    assert set(STANDS) == set(Position)
    assert set(STEPS) <= set(Verb)
    assert {event.value for event in Event} | {status.value for status in Status} <= set(SAID)
    assert not set(OTHER_CODES) & set(REASONS)


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert words_for("new_code").means == "Recorded as new_code."
    assert words_for("").means == ""


def test_steps_are_told_once_and_bookkeeping_is_not() -> None:
    assert steps_told("create_shipment,dispatch,open_putaway:RTO,dispatch,alert:info") == [
        "a parcel was made",
        "it was marked dispatched",
        "a putaway was opened",
    ]
    assert steps_told("") == []


def test_a_dispatch_without_stock_is_told_whole(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED, line_id="L1", shipment_id="SH9", tracking_number="TN1")
    told = explain(seller.book, "OD1")
    assert told.now == (
        "Order OD1 of shop (Flipkart) is COMPLETE.",
        "Line L1, 1 of SHIRT: dispatched, parcel SP-1, shipment SH9, tracking number TN1, "
        "invoice INV/001 (issued), counted as a shortage.",
    )
    (fact,) = [event for event in told.story if event.source == "fact"]
    assert (fact.code, fact.outcome) == ("dispatched_on_channel_unfulfillable", "APPLY")
    assert fact.text == (
        "Flipkart said that line L1 was dispatched (its word: DISPATCHED). The channel shipped it "
        "although the book had no stock for it, so it was dispatched and counted as a shortage. "
        "Done: a parcel was made, a shortage was recorded, the parcel was invoiced, it was marked "
        "dispatched (shortage of 1 SHIRT; invoice INV/001). Before: waiting for stock "
        "(UNFULFILLABLE). After: dispatched (DISPATCHED)."
    )
    assert told.pending == ()
    assert "1 of SHIRT left without being on the book" in told.to_do[0]
    assert "[run 1, test, fact 1]" in text(seller)


def test_times_are_told_in_the_zone_asked_for(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    zone = timezone(timedelta(hours=5, minutes=30), "IST")
    lines = explain(seller.book, "OD1", zone=zone).lines
    assert "  01 Mar 2026 11:30 IST  The buyer placed the order." in lines


def test_the_story_is_in_the_order_of_events(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    late = seller.change("OD1", Status.DELIVERED)
    early = seller.change(
        "OD1", Status.DISPATCHED, occurred_at=late.occurred_at - timedelta(hours=1)
    )
    seller.tell(late, early)
    seller.settle()
    told = [event.status for event in explain(seller.book, "OD1").story if event.source == "fact"]
    assert told == ["DISPATCHED", "DELIVERED"]


def test_an_undecided_fact_says_so(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1", quantity=1))
    told = explain(seller.book, "OD1")
    assert "No pass has decided it yet." in told.story[-1].text
    assert told.pending == (
        "NEW: 1 piece of line L1 is cancelled (fact 1). No pass has decided it yet.",
    )
    assert told.to_do == ("2 of SHIRT waits for stock: receive some with syncctl stock receive.",)


def test_a_missing_sequence_is_what_to_do_next(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    told = explain(seller.book, "OD1")
    assert told.pending[0].startswith("REFUSED: the order was dispatched (fact 1). Facility BLR")
    assert "syncctl sequence" in told.to_do[0]
    assert told.story[-1].text.count("no invoice sequence") == 1
    seller.define_sequence()
    seller.settle()
    after = explain(seller.book, "OD1")
    assert after.pending == ()
    assert "At first: The facility has no invoice sequence" in after.story[-1].text
    assert "invoice INV/001" in after.story[-1].text


def test_an_order_only_the_channel_knows_is_explained_too(seller: Seller) -> None:
    settle(seller, Status.DISPATCHED)
    told = explain(seller.book, "OD1")
    assert told.order is None
    assert told.now == ("Order OD1 of shop (Flipkart) is not in the book.",)
    assert told.pending[0].startswith("PARKED: the order was dispatched")
    assert "syncctl trigger shop --task orders" in told.to_do[0]


def test_an_order_nobody_mentioned_is_not_found(seller: Seller) -> None:
    with pytest.raises(NotFound, match="no channel has mentioned it"):
        explain(seller.book, "OD404")
    with pytest.raises(NotFound, match="Known accounts: shop"):
        explain(seller.book, "OD404", "nope")


def test_an_order_id_on_two_accounts_needs_the_account(seller: Seller) -> None:
    with seller.book.write():
        Account.create(tenant=1, facility=1, name="other", channel="flipkart")
    seller.order("OD1", ("L1", "SHIRT", 1))
    order = NewOrder(
        order_id="OD1", placed_at=seller.clock.now(),
        lines=(OrderLine(line_id="L1", sku="SOCK", quantity=1),),
    )  # fmt: skip
    intake.take_orders(seller.book, "other", [order], source="test", now=seller.clock.now())
    with pytest.raises(Refused, match=r"other, shop. Say which with --account"):
        explain(seller.book, "OD1")
    assert "1 of SOCK" in explain(seller.book, "OD1", "other").now[1]


def test_a_contradiction_shows_both_sides_and_what_to_do(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    acts.advance(seller.book, "shop", "OD1", Position.PACKED, actor=WHO, now=seller.clock.now())
    settle(seller, Status.CANCELLED, reason="changed mind")
    settle(seller, Status.DISPATCHED)
    told = explain(seller.book, "OD1")
    whole = text(seller)
    assert "It gave as reason: changed mind." in whole
    assert "An exception was opened" in whole
    assert f"{WHO}: For line L1 piece 1: The warehouse moved it on by hand." in whole
    assert any(line.startswith("Exception 1 (dispatched_after_cancel)") for line in told.to_do)
    assert any(line.startswith("Putaway 1, line L1: Stopped:") for line in told.to_do)
    with seller.book.write():
        seller.book.query(
            "UPDATE exceptions SET state = 'CLOSED', closed_at = ?, closed_by = ?, note = ?",
            (1_772_400_000_000_000, WHO, "came back"),
        )
    assert f"The exception dispatched_after_cancel was closed by {WHO}: came back" in text(seller)


def test_pieces_are_named_where_they_met_different_things(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 2))
    settle(seller, Status.DISPATCHED)
    told = text(seller)
    assert "For line L1 piece 1:" in told
    assert "For line L1 piece 2:" in told
    assert "Line L1, 2 of SHIRT: 1 dispatched" in told


def test_a_return_asks_for_its_putaway_until_it_is_done(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    settle(seller, Status.RETURNED, return_type=ReturnType.RTO)
    assert explain(seller.book, "OD1").to_do == (
        "Putaway 1, line L1: Brought back undelivered: check it, put it away.",
    )
    seller.clock.advance(timedelta(minutes=1))
    acts.complete_putaway(seller.book, 1, acts.Disposition.GOOD, actor=WHO, now=seller.clock.now())
    told = explain(seller.book, "OD1")
    assert told.to_do == ()
    assert "put on the shelf as good" in told.story[-1].text
    assert told.lines[-1] == "  Nothing; no person is needed."


def test_an_order_born_cancelled_says_why(seller: Seller) -> None:
    settle(seller, Status.CANCELLED)
    seller.order("OD1", ("L1", "SHIRT", 1))
    told = text(seller)
    assert "The channel had cancelled it before the order was known here." in told
    assert "Before: not in the book (UNKNOWN_ORDER). After: cancelled (CANCELLED)." in told


def test_a_cumulative_quantity_is_told_as_a_total(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 3))
    settle(seller, Status.CANCELLED, line_id="L1", quantity=2, cumulative=True)
    assert "that 2 pieces of line L1, all told, is cancelled" in text(seller)
