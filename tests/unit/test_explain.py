"""``explain``: the story of an order in sentences that need no manual."""

from __future__ import annotations

import shlex
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from syncd.book import acts, intake
from syncd.book.explain import explain
from syncd.book.intake_files import ImportedOrder
from syncd.book.stock import Bucket
from syncd.book.tables import Account, Facility, Tenant
from syncd.book.wording import (
    OTHER_CODES,
    REASONS,
    SAID,
    STANDS,
    STEPS,
    advice,
    pieces,
    steps_told,
    times,
    told,
    words_for,
)
from syncd.errors import NotFound, Refused
from syncd.rules import Event, PartialCancel, Policies, Position, Reason, Verb
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


def test_a_date_in_the_future_is_told_after_the_decision_too(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    now = seller.clock.now()
    seller.tell(seller.change("OD1", Status.DISPATCHED, occurred_at=now + timedelta(days=400)))
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED"]
    date = f"{now + timedelta(days=400):%Y-%m-%d %H:%M} UTC"
    told = text(seller, "OD1")
    assert f"It dated this {date}, in the future, so it counts from when it was heard of." in told


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    words = REASONS[reason]
    assert words.means[0].isupper()
    assert words.means.endswith(".")
    assert words.do == "" or words.do.endswith(".") or "syncctl " in words.do


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
        "Flipkart said that line L1 was dispatched (its word: DISPATCHED).\n"
        "The channel shipped it although the book had promised it no stock, so it was dispatched; "
        "what the shelf lacks is a shortage.\n"
        "Done: a parcel was made, its stock was taken, or a shortage recorded, the parcel was "
        "invoiced, it was marked dispatched (shortage of 1 SHIRT; invoice INV/001).\n"
        "Before: waiting for stock (UNFULFILLABLE).\n"
        "After: dispatched (DISPATCHED)."
    )
    assert told.pending == ()
    assert told.to_do == (
        "1 piece of SHIRT left without being on the book: find out where it came from, then: "
        'syncctl stock adjust BLR SHIRT 1 --bucket shortage --note "..."',
    )
    assert "(its word: DISPATCHED). [run 1, test, fact 1]" in text(seller)
    assert "      Before: waiting for stock (UNFULFILLABLE)." in told.lines
    assert "      After: dispatched (DISPATCHED)." in told.lines
    assert not [line for line in told.lines if "\n" in line]


def test_a_shortage_is_told_until_it_is_settled_as_told(seller: Seller) -> None:
    seller.order("OD1", ("L1", "A SHIRT", 2))
    settle(seller, Status.DISPATCHED)
    (told,) = explain(seller.book, "OD1").to_do
    assert told.startswith("2 pieces of A SHIRT left without being on the book")
    command = shlex.split(told.split("then: ")[1])
    assert command[:6] == ["syncctl", "stock", "adjust", "BLR", "A SHIRT", "2"]
    assert command[6:9] == ["--bucket", "shortage", "--note"]
    now = seller.clock.now()
    sku, change = command[4], int(command[5])
    acts.adjust_stock(
        seller.book, "BLR", sku, Bucket.SHORTAGE, change, note="found", actor=WHO, now=now
    )
    assert explain(seller.book, "OD1").to_do == ()


def test_what_was_heard_late_shows_when(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    soon = seller.change("OD1", Status.DISPATCHED)
    late = seller.change("OD1", Status.DELIVERED)
    seller.tell(soon)
    seller.clock.advance(timedelta(minutes=5, seconds=1))
    seller.tell(late)
    seller.settle()
    zone = timezone(timedelta(hours=5, minutes=30), "IST")
    whole = "\n".join(explain(seller.book, "OD1", zone=zone).lines)
    assert "  01 Mar 2026 11:31 IST  Flipkart said that the order was dispatched" in whole
    assert "  01 Mar 2026 11:32 IST (heard 11:37)  Flipkart said that the order was" in whole
    seller.clock.advance(timedelta(days=1))
    seller.tell(seller.change("OD1", Status.LOST, occurred_at=late.occurred_at))
    seller.settle()
    assert "(heard 02 Mar 06:08)" in text(seller)


def test_facts_of_one_moment_stand_in_the_order_of_their_decisions(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    delivered = seller.change("OD1", Status.DELIVERED)
    same = delivered.occurred_at
    seller.tell(delivered, seller.change("OD1", Status.DISPATCHED, occurred_at=same))
    seller.settle()
    told = [event.status for event in explain(seller.book, "OD1").story if event.source == "fact"]
    assert told == ["DISPATCHED", "DELIVERED"]


def test_an_invoice_that_stands_is_told_apart_from_a_void_one(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.advance("OD1", Position.PACKED)
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    settle(seller, Status.CANCELLED, quantity=1)
    standing = "invoice INV/001 stands, because other pieces are in its parcel"
    (first,) = (e.text for e in explain(seller.book, "OD1").story if e.source == "fact")
    assert standing in first
    assert "void" not in first
    settle(seller, Status.CANCELLED, quantity=1)
    first, second = (e.text for e in explain(seller.book, "OD1").story if e.source == "fact")
    assert standing in first
    assert "invoice INV/001 was voided" in second
    assert "stands" not in second
    assert "(invoice" not in second, "the note is not repeated"


def test_a_parcel_that_is_packed_again_is_told_with_its_void_invoice(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.advance("OD1", Position.PACKED)
    settle(seller, Status.CANCELLED, quantity=1)
    told = explain(seller.book, "OD1")
    (text,) = (event.text for event in told.story if event.source == "fact")
    assert "For piece 2: A piece of its packed parcel was cancelled." in text
    assert "Done: a parcel was made, invoice INV/001 was voided (now in parcel SP-2)." in text
    assert "stands" not in text
    assert any("syncctl warehouse OD1 PACKED" in line for line in told.to_do)


def test_nothing_is_said_of_an_invoice_that_there_never_was(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.CANCELLED)
    assert "invoice " not in explain(seller.book, "OD1").story[-1].text.replace("invoiced", "")


def test_a_parcel_that_all_pieces_of_a_line_share_is_named_once(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 2))
    settle(seller, Status.DISPATCHED, shipment_id="SH9", tracking_number="TN1")
    assert explain(seller.book, "OD1").now[1] == (
        "Line L1, 2 of SHIRT: 1 dispatched; 1 dispatched, counted as a shortage; all in parcel "
        "SP-1, shipment SH9, tracking number TN1, invoice INV/001 (issued)."
    )


def test_hints_name_the_tenant_where_two_have_the_facility(seller: Seller) -> None:
    with seller.book.write():
        Facility.create(tenant=Tenant.create(code="other", state="LIVE"), code="BLR")
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert explain(seller.book, "OD1").to_do == (
        "1 piece of SHIRT waits for stock. When it comes: "
        "syncctl stock receive BLR SHIRT 1 --tenant acme",
    )


def test_advice_fills_in_what_is_known_and_quotes_it() -> None:
    assert advice("sequence_missing", facility="WH2").endswith(
        "syncctl sequence set WH2 SALE_INVOICE --prefix WH2/"
    )
    assert advice("order_unknown", account="a b").endswith("syncctl import --account 'a b' FILE")
    assert advice("unreadable_row").endswith('syncctl failed --ignore ID --note "..."')
    assert advice("") == ""


def test_verbs_and_nouns_agree_with_their_number() -> None:
    for event in SAID:
        assert told(event, many=True).split()[0] not in ("is", "was", "has", "does")
        assert told(event) == SAID[event]
    assert (pieces(1), pieces(2)) == ("1 piece", "2 pieces")
    assert (times(1), times(2)) == ("once", "2 times")


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
    assert told.to_do == (
        "2 pieces of SHIRT wait for stock. When it comes: syncctl stock receive BLR SHIRT 2",
    )


def test_a_missing_sequence_is_what_to_do_next(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    told = explain(seller.book, "OD1")
    assert told.pending[0].startswith("REFUSED: the order was dispatched (fact 1, tried once). Fac")
    assert told.to_do[0].endswith(": syncctl sequence set BLR SALE_INVOICE --prefix BLR/")
    assert told.story[-1].text.count("no invoice sequence") == 1
    seller.tell(seller.change("OD1", Status.DELIVERED))
    seller.settle()
    told = explain(seller.book, "OD1")
    assert "(fact 1, tried 2 times)" in told.pending[0]
    assert [line.split(":")[0] for line in told.to_do[:-1]] == ["Fact 1"], "one hint helps both"
    seller.define_sequence()
    seller.settle()
    after = explain(seller.book, "OD1")
    assert after.pending == ()
    assert "At first: The facility has no invoice sequence" in after.story[-2].text
    assert "invoice INV/001" in after.story[-2].text


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
    assert f"{WHO}: The warehouse moved it on by hand." in whole
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
    assert "      For piece 1: The channel shipped it" in told
    assert "      For piece 2: The channel shipped it" in told
    assert "Line L1, 2 of SHIRT: 1 dispatched" in told


def test_lines_are_named_where_there_are_several(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    settle(seller, Status.DISPATCHED)
    told = text(seller)
    assert "For line L1 pieces 1, 2:" in told
    assert "For line L2 piece 1:" in told


def test_a_return_asks_for_its_putaway_until_it_is_done(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    settle(seller, Status.RETURNED, return_type=ReturnType.RTO)
    assert explain(seller.book, "OD1").to_do == (
        "Putaway 1, line L1: Brought back undelivered: check it, put it away. Then say what you "
        "found: syncctl putaway done 1 --as GOOD",
    )
    seller.clock.advance(timedelta(minutes=1))
    acts.complete_putaway(seller.book, 1, acts.Disposition.GOOD, actor=WHO, now=seller.clock.now())
    told = explain(seller.book, "OD1")
    assert told.to_do == ()
    assert "put on the shelf as good" in told.story[-1].text
    assert told.lines[-1] == "  Nothing; no person is needed."


def test_an_order_that_has_not_left_needs_its_warehouse(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert explain(seller.book, "OD1").lines[-1] == (
        "  Nothing to settle. It waits in the warehouse until the channel says that it left; if "
        "the seller ships it, book that: syncctl warehouse OD1 DISPATCHED"
    )
    seller.advance("OD1", Position.DISPATCHED)
    assert explain(seller.book, "OD1").lines[-1] == "  Nothing; no person is needed."


def test_the_way_of_an_order_that_the_seller_ships_is_his_to_book(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle(ships=lambda _: False)
    (do,) = explain(seller.book, "OD1").to_do
    assert do.startswith("The seller ships this order, so the channel's word is not booked: ")
    assert do.endswith("If it has left, book that: syncctl warehouse OD1 DISPATCHED")
    seller.advance("OD1", Position.DISPATCHED)
    assert explain(seller.book, "OD1").to_do == ()


@pytest.mark.parametrize("state", ["PENDING_VERIFICATION", "LOCATION_NOT_SERVICEABLE"])
def test_an_order_that_may_not_go_on_says_what_lets_it(seller: Seller, state: str) -> None:
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
    now = seller.clock.now()
    order = ImportedOrder(order_id="OD 1", placed_at=now, lines=(line,), states={"L1": state})
    intake.take_orders(seller.book, "shop", [order], source="test", now=now)
    (do,) = explain(seller.book, "OD 1").to_do
    assert do.startswith(f"Line L1 is {state}, ")
    assert "then: syncctl warehouse 'OD 1' FULFILLABLE" in do


def test_an_order_born_cancelled_says_why(seller: Seller) -> None:
    settle(seller, Status.CANCELLED)
    seller.order("OD1", ("L1", "SHIRT", 1))
    told = text(seller)
    assert "The channel had cancelled it before the order was known here." in told
    assert "Before: not in the book (UNKNOWN_ORDER)." in told
    assert "After: cancelled (CANCELLED)." in told


def test_a_cumulative_quantity_is_told_as_a_total(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 3))
    settle(seller, Status.CANCELLED, line_id="L1", quantity=2, cumulative=True)
    assert "that 2 pieces of line L1, all told, are cancelled" in text(seller)


@pytest.mark.parametrize("to", [Position.CREATED, Position.PACKED, Position.MANIFESTED])
def test_only_a_putaway_that_there_is_was_stopped(tmp_path: Path, to: Position) -> None:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", to)
    for status in (Status.CANCELLED, Status.DISPATCHED):
        seller.tell(seller.change("OD1", status))
        seller.settle()
    (event,) = [one for one in explain(seller.book, "OD1").story if one.status == "DISPATCHED"]
    held = seller.count("putaway", "state = 'HELD'")
    assert held == (to is Position.PACKED)
    assert ("its putaway was stopped" in event.text) == bool(held)
    assert ("Noted: no putaway waits for it" in event.text) == (not held)


def test_a_putaway_that_was_opened_in_the_same_pass_was_stopped(tmp_path: Path) -> None:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    seller.tell(*(seller.change("OD1", one) for one in (Status.CANCELLED, Status.DISPATCHED)))
    seller.settle()
    (event,) = [one for one in explain(seller.book, "OD1").story if one.status == "DISPATCHED"]
    assert seller.count("putaway", "state = 'HELD'") == 1
    assert "its putaway was stopped" in event.text


def test_of_two_pieces_only_the_one_with_a_putaway_had_it_stopped(tmp_path: Path) -> None:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1", quantity=1))
    seller.settle()
    seller.advance("OD1", Position.PACKED)
    for status in (Status.CANCELLED, Status.DISPATCHED):
        seller.tell(seller.change("OD1", status, line_id="L1"))
        seller.settle()
    (event,) = [one for one in explain(seller.book, "OD1").story if one.status == "DISPATCHED"]
    assert "piece 1: " in event.text
    assert event.text.count("Done: its putaway was stopped.") == 1
    assert event.text.count("Noted: no putaway waits for it.") == 1
