"""A part of an invoiced parcel is cancelled: the rest is packed again, or goes short."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import intake
from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import NewOrder, OrderLine, Status, StatusChange
from tests.bookkit import Seller

PARCELS = "SELECT code, state, shipment_id, tracking_number, courier FROM package ORDER BY id"
INVOICES = "SELECT package_id, number, state FROM invoice ORDER BY package_id"
NOTICES = "SELECT code, severity, state FROM exceptions ORDER BY id"
RECORDS = (
    "SELECT item_id, before, after, outcome, code, steps, note, inbox_id FROM decision "
    "WHERE outcome <> 'ACT' ORDER BY id"
)


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def packed(seller: Seller, *lines: str, to: Position = Position.PACKED) -> None:
    """Order OD1, one piece a line, in one parcel."""
    for line in lines:
        seller.stock(line.upper(), 1)
    seller.order("OD1", *((line, line.upper(), 1) for line in lines))
    seller.advance("OD1", to)


def named(seller: Seller) -> None:
    """Let the channel have named the parcel."""
    with seller.book.write():
        seller.book.query(
            "UPDATE package SET shipment_id = 'SH1', tracking_number = 'TN1', courier = 'EKL'"
        )


def cancel(seller: Seller, line: str, **more: Any) -> StatusChange:
    return seller.change("OD1", Status.CANCELLED, line_id=line, **more)


def dispatch(seller: Seller, line: str, **more: Any) -> StatusChange:
    return seller.change("OD1", Status.DISPATCHED, line_id=line, **more)


def told(seller: Seller, *changes: StatusChange) -> list[str]:
    seller.tell(*changes)
    seller.settle()
    return seller.positions("OD1")


@pytest.mark.parametrize("to", [Position.PACKED, Position.READY_TO_SHIP])
def test_what_is_left_of_the_parcel_is_packed_again(seller: Seller, to: Position) -> None:
    packed(seller, "a", "b", "c", to=to)
    named(seller)
    fact = cancel(seller, "a")
    assert told(seller, fact) == ["CANCELLED", "CREATED", "CREATED"]
    assert seller.rows(PARCELS) == [
        ("SP-1", "CANCELLED", "", "", ""), ("SP-2", "CREATED", "SH1", "TN1", "EKL"),
    ]  # fmt: skip
    assert seller.rows("SELECT successor_id, came_from_id FROM package ORDER BY id") == [
        (2, None), (None, 1),
    ]  # fmt: skip
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED")]
    assert seller.rows("SELECT package_id FROM item ORDER BY id") == [(1,), (2,), (2,)]
    again = (to.value, "CREATED", "APPLY", "repacked_after_cancel", "void_invoice,create_shipment")
    note = "invoice INV/001 void; now in parcel SP-2"
    assert seller.rows(RECORDS)[1:] == [(2, *again, note, 1), (3, *again, note, 1)]
    when = [when for (when,) in seller.rows("SELECT changed_at FROM item")]
    assert when[1] == when[0] == int(fact.occurred_at.timestamp() * 1_000_000)
    assert seller.rows(NOTICES) == [("repacked_after_cancel", "warning", "OPEN")]
    ((message, item),) = seller.rows("SELECT message, item_id FROM exceptions")
    assert item == 1
    assert message.endswith(
        "Take the piece out of parcel SP-1, and its label and invoice INV/001 off; what is left "
        "of it is parcel SP-2, to be packed and invoiced again."
    )
    assert seller.stock_of("B") == {"allocated": 1}, "what is packed again stays reserved"
    assert seller.order_state("OD1") == "PROCESSING"


def test_the_new_parcel_gets_its_own_invoice_at_its_dispatch(seller: Seller) -> None:
    packed(seller, "a", "b")
    named(seller)
    told(seller, cancel(seller, "a"))
    assert told(seller, dispatch(seller, "b", shipment_id="SH1")) == ["CANCELLED", "DISPATCHED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED"), (2, "INV/002", "ISSUED")]
    assert seller.rows("SELECT state, closed_by, note FROM exceptions") == [
        ("CLOSED", "a later fact", "invoice INV/002 was issued")
    ]
    assert seller.order_state("OD1") == "COMPLETE"


def test_packing_it_again_by_hand_closes_the_notice(seller: Seller) -> None:
    packed(seller, "a", "b")
    told(seller, cancel(seller, "a"))
    seller.advance("OD1", Position.PACKED)
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED"), (2, "INV/002", "ISSUED")]
    assert seller.rows("SELECT package_id FROM item ORDER BY id") == [(1,), (2,)]
    assert seller.rows("SELECT state, closed_by, note FROM exceptions") == [
        ("CLOSED", "test", "invoice INV/002 was issued")
    ]


@pytest.mark.parametrize("together", [True, False])
def test_both_are_cancelled_one_after_the_other(seller: Seller, together: bool) -> None:
    packed(seller, "a", "b")
    first, second = cancel(seller, "a"), cancel(seller, "b")
    for facts in [(first, second)] if together else [(first,), (second,)]:
        told(seller, *facts)
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    assert [row[1] for row in seller.rows(PARCELS)] == ["CANCELLED", "CANCELLED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED")]
    # The second piece lay packed: it is not on its shelf before a person has put it there.
    assert seller.stock_of("B") == {"putaway_pending": 1}
    assert seller.rows("SELECT item_id, kind FROM putaway ORDER BY id") == [
        (1, "CANCELLED_ITEM"), (2, "PICKLIST"),
    ]  # fmt: skip
    assert seller.rows("SELECT state, note FROM exceptions") == [
        ("CLOSED", "nothing is left to pack")
    ]
    assert seller.order_state("OD1") == "CANCELLED"


def test_one_fact_that_cancels_all_of_it_makes_no_new_parcel(seller: Seller) -> None:
    packed(seller, "a", "b")
    assert told(seller, seller.change("OD1", Status.CANCELLED)) == ["CANCELLED", "CANCELLED"]
    assert [row[:2] for row in seller.rows(PARCELS)] == [("SP-1", "CANCELLED")]
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED")]
    assert not seller.rows(NOTICES)


def test_one_fact_that_cancels_two_of_three_repacks_once(seller: Seller) -> None:
    seller.stock("SHIRT", 3)
    seller.order("OD1", ("L1", "SHIRT", 3))
    seller.advance("OD1", Position.PACKED)
    stands = told(seller, cancel(seller, "L1", quantity=2))
    assert sorted(stands) == ["CANCELLED", "CANCELLED", "CREATED"]
    assert [row[:2] for row in seller.rows(PARCELS)] == [("SP-1", "CANCELLED"), ("SP-2", "CREATED")]
    assert len(seller.rows(NOTICES)) == 1
    assert seller.count("decision", "code = 'repacked_after_cancel'") == 1


def test_it_is_repacked_a_second_time_after_it_was_invoiced_again(seller: Seller) -> None:
    packed(seller, "a", "b", "c")
    named(seller)
    told(seller, cancel(seller, "a"))
    seller.advance("OD1", Position.READY_TO_SHIP)
    assert told(seller, cancel(seller, "b")) == ["CANCELLED", "CANCELLED", "CREATED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED"), (2, "INV/002", "VOIDED")]
    assert seller.rows(PARCELS)[2] == ("SP-3", "CREATED", "SH1", "TN1", "EKL")
    assert [row[2] for row in seller.rows(NOTICES)] == ["CLOSED", "OPEN"]
    told(seller, dispatch(seller, "c", shipment_id="SH1"))
    assert seller.rows(INVOICES)[2] == (3, "INV/003", "ISSUED")
    assert [row[2] for row in seller.rows(NOTICES)] == ["CLOSED", "CLOSED"]


def test_cancel_and_dispatch_of_its_neighbour_in_one_pass_go_by_event_time(seller: Seller) -> None:
    packed(seller, "a", "b")
    gone, left = cancel(seller, "a"), dispatch(seller, "b", shipment_id="SH1")
    assert told(seller, left, gone) == ["CANCELLED", "DISPATCHED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED"), (2, "INV/002", "ISSUED")]


def test_what_has_left_keeps_its_invoice_and_is_noted(seller: Seller) -> None:
    packed(seller, "a", "b")
    left, gone = dispatch(seller, "b", shipment_id="SH1"), cancel(seller, "a")
    assert told(seller, gone, left) == ["CANCELLED", "DISPATCHED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "ISSUED")]
    assert not seller.rows(NOTICES)
    note = "invoice INV/001 lists a cancelled piece"
    assert seller.rows(RECORDS)[-1] == (
        2, "DISPATCHED", "DISPATCHED", "NOTE", "ships_short", "", note, 1,
    )  # fmt: skip


def test_a_parcel_of_which_a_part_has_left_is_not_opened(seller: Seller) -> None:
    packed(seller, "a", "b", "c")
    told(seller, dispatch(seller, "b", shipment_id="SH1"))
    assert told(seller, cancel(seller, "a")) == ["CANCELLED", "DISPATCHED", "PACKED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "ISSUED")]
    assert [row[:5] for row in seller.rows(RECORDS)[-2:]] == [
        (2, "DISPATCHED", "DISPATCHED", "NOTE", "ships_short"),
        (3, "PACKED", "PACKED", "NOTE", "ships_short"),
    ]


def test_what_left_of_a_parcel_that_is_cancelled_whole_is_recorded_once(seller: Seller) -> None:
    """One piece is called back, the other cancelled in the house, by one fact."""
    seller.stock("SHIRT", 1)
    seller.stock("MUG", 1)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    seller.advance("OD1", Position.PACKED)
    seller.tell(seller.change("OD1", Status.UNDELIVERED, line_id="L1", left_seller=True))
    seller.settle()
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    assert seller.positions("OD1") == ["RETURN_EXPECTED", "CANCELLED"]
    assert seller.rows("SELECT item_id, code FROM decision WHERE event = 'CANCELLED'") == [
        (2, "cancelled_after_invoice"), (1, "cancelled_after_dispatch"),
    ]  # fmt: skip
    assert seller.rows("SELECT state FROM invoice") == [("ISSUED",)]


def test_ship_short_keeps_parcel_and_invoice_and_says_so(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    packed(seller, "a", "b", to=Position.READY_TO_SHIP)
    assert told(seller, cancel(seller, "a")) == ["CANCELLED", "READY_TO_SHIP"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "ISSUED")]
    assert seller.rows(NOTICES) == [("ships_short", "info", "OPEN")]
    ((message,),) = seller.rows("SELECT message FROM exceptions")
    assert message.endswith(
        "Invoice INV/001 of parcel SP-1 lists it; the rest of the parcel goes out under it."
    )
    assert seller.rows(RECORDS)[-1] == (
        2, "READY_TO_SHIP", "READY_TO_SHIP", "NOTE", "ships_short", "",
        "invoice INV/001 lists a cancelled piece", 1,
    )  # fmt: skip
    told(seller, dispatch(seller, "b"))
    assert seller.rows(INVOICES) == [(1, "INV/001", "ISSUED")]
    assert seller.rows("SELECT state FROM package") == [("DISPATCHED",)]


def test_a_parcel_whose_other_piece_was_lost_on_its_way_is_not_opened(seller: Seller) -> None:
    packed(seller, "a", "b")
    told(seller, dispatch(seller, "b", shipment_id="SH1"))
    told(seller, seller.change("OD1", Status.LOST, line_id="b", left_seller=True))
    assert told(seller, cancel(seller, "a")) == ["CANCELLED", "LOST"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "ISSUED")]


def test_ship_short_tells_once_of_a_parcel_and_a_fact(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    seller.stock("SHIRT", 4)
    seller.order("OD1", ("L1", "SHIRT", 4))
    seller.advance("OD1", Position.PACKED)
    told(seller, cancel(seller, "L1", quantity=2, cumulative=True))
    assert len(seller.rows(NOTICES)) == 1
    assert seller.count("decision", "code = 'ships_short'") == 2
    told(seller, cancel(seller, "L1", quantity=2, cumulative=True))
    assert len(seller.rows(NOTICES)) == 1, "it was told already"
    assert seller.count("decision", "code = 'ships_short'") == 2


def test_the_last_piece_of_a_short_parcel_voids_its_invoice(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    packed(seller, "a", "b")
    told(seller, cancel(seller, "a"), cancel(seller, "b"))
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED")]
    assert seller.rows("SELECT state FROM package") == [("CANCELLED",)]


def test_s09_a_piece_leaves_a_parcel_that_is_not_invoiced(seller: Seller) -> None:
    packed(seller, "a", "b", to=Position.CREATED)
    assert told(seller, cancel(seller, "a")) == ["CANCELLED", "CREATED"]
    assert seller.rows("SELECT package_id FROM item ORDER BY id") == [(None,), (1,)]
    assert [row[:2] for row in seller.rows(PARCELS)] == [("SP-1", "CREATED")]
    assert seller.stock_of("A") == {"on_hand_good": 1}
    assert not seller.rows(NOTICES)


@pytest.mark.unsound_book
def test_s08_the_least_advanced_piece_is_cancelled_first(seller: Seller) -> None:
    seller.stock("SHIRT", 3)
    seller.order("OD1", ("L1", "SHIRT", 3))
    with seller.book.write():
        for item, position in ((2, "CREATED"), (3, "PACKED")):
            seller.book.query("UPDATE item SET position = ? WHERE id = ?", (position, item))
    seller.tell(cancel(seller, "L1", quantity=1))
    seller.clerk().settle(threading.Event(), lambda _: None)
    assert seller.positions("OD1") == ["CANCELLED", "CREATED", "PACKED"]


def test_a_bundle_that_is_cancelled_leaves_its_neighbours_parcel_whole(seller: Seller) -> None:
    for sku in ("CUP", "LID", "SPOON"):
        seller.stock(sku, 1)
    seller.order("OD1", ("L2", "SPOON", 1))
    line = OrderLine(line_id="L1", sku="SET", quantity=1, components=("CUP", "LID"))
    add(seller, line)
    seller.advance("OD1", Position.PACKED)
    assert told(seller, cancel(seller, "L1", quantity=1)) == ["CREATED", "CANCELLED", "CANCELLED"]
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED")]
    assert seller.count("exceptions", "code = 'repacked_after_cancel'") == 1


def add(seller: Seller, *lines: OrderLine) -> None:
    """Further lines of OD1."""
    new = NewOrder(order_id="OD1", placed_at=seller.clock.now(), lines=lines)
    taken = intake.take_orders(seller.book, "shop", [new], source="test", now=seller.clock.now())
    assert taken.pieces


def test_a_wish_to_cancel_holds_a_repacked_piece_and_its_end_needs_a_putaway(
    seller: Seller,
) -> None:
    packed(seller, "a", "b")
    told(seller, cancel(seller, "a"))
    told(seller, seller.change("OD1", Status.CANCEL_REQUESTED, line_id="b"))
    assert seller.count("item", "hold = 'buyer_cancel_requested'") == 1
    assert told(seller, cancel(seller, "b")) == ["CANCELLED", "CANCELLED"]
    assert seller.count("item", "hold <> '' OR held_at IS NOT NULL") == 0
    assert seller.stock_of("B") == {"putaway_pending": 1}


def test_a_repack_survives_being_told_again(seller: Seller) -> None:
    packed(seller, "a", "b")
    fact = cancel(seller, "a")
    told(seller, fact)
    before = seller.dump()
    seller.clock.advance(timedelta(minutes=1))
    told(seller, fact)
    after = seller.dump()
    assert {k: v for k, v in after.items() if k != "sqlite_sequence"} == {
        k: v for k, v in before.items() if k != "sqlite_sequence"
    }


def test_a_line_that_is_cancelled_in_two_places_mends_the_parcel_of_one(seller: Seller) -> None:
    """One of its pieces is in no parcel yet, the other in an invoiced one beside another line."""
    for sku, number in (("SHIRT", 2), ("MUG", 1)):
        seller.stock(sku, number)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    seller.advance("OD1", Position.PACKED)
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "MUG", 1))
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1"))
    seller.settle()
    assert sorted(seller.positions("OD1")) == ["CANCELLED", "CANCELLED", "CREATED"]
    assert seller.rows("SELECT state FROM invoice") == [("VOIDED",)]


def test_what_left_beside_a_line_that_is_called_back_in_part_is_noted(seller: Seller) -> None:
    for sku, number in (("SHIRT", 2), ("MUG", 1)):
        seller.stock(sku, number)
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "MUG", 1))
    seller.advance("OD1", Position.PACKED)
    for line in ("L1", "L2"):
        seller.tell(seller.change("OD1", Status.DISPATCHED, line_id=line, quantity=1))
    seller.settle()
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1"))
    seller.settle()
    assert sorted(seller.positions("OD1")) == ["CANCELLED", "DISPATCHED", "RETURN_EXPECTED"]
    noted = "SELECT i.line_id FROM decision d JOIN item i ON i.id = d.item_id "
    assert seller.rows(f"{noted} WHERE d.code = 'ships_short'") == [("L2",)]
