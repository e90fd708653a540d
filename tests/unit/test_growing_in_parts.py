"""What a fact still means once more pieces come, by what it has met before them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from syncd.book import acts, facts, intake_known
from syncd.book.intake import take_orders
from syncd.rules import Position
from syncd.statuses import NewOrder, OrderLine
from tests.bookkit import Seller
from tests.unit.test_growing_orders import CANCELLED, WHO, may_ship, open_codes, said


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    found = Seller(tmp_path)
    found.stock("SHIRT", 5)
    found.stock("SOCK", 5)
    return found


def parts(seller: Seller, *every: Sequence[OrderLine]) -> None:
    """Parts of the order, in one page."""
    now = seller.clock.now()
    orders = [NewOrder(order_id="OD1", placed_at=now, lines=tuple(lines)) for lines in every]
    assert not take_orders(seller.book, "shop", orders, source="test", now=now).problems
    seller.settle()


def line(line_id: str, sku: str, quantity: int = 1, replaces: str = "") -> OrderLine:
    return OrderLine(line_id=line_id, sku=sku, quantity=quantity, replaces_line_id=replaces)


@pytest.mark.parametrize("more", [{}, {"sku": "SHIRT"}, {"line_id": "L1"}])
def test_one_piece_cancelled_before_its_order_is_one_in_all_parts_of_a_page(
    seller: Seller, more: dict[str, object]
) -> None:
    seller.tell(seller.change("OD1", CANCELLED, quantity=1, **more))
    seller.settle()
    parts(seller, [line("L1", "SHIRT")], [line("L1", "SHIRT", 2)])
    assert seller.positions("OD1") == ["CANCELLED", "FULFILLABLE"]


def test_what_may_be_of_a_replacement_in_one_part_is_of_no_line_of_the_next(
    seller: Seller,
) -> None:
    seller.tell(seller.change("OD1", CANCELLED, sku="SHIRT", quantity=1))
    seller.settle()
    whole = [line("L1", "SHIRT"), line("L2", "SHIRT", replaces="L1"), line("L3", "SHIRT")]
    parts(seller, whole[:2], whole)
    assert seller.positions("OD1") == ["FULFILLABLE"] * 3
    assert open_codes(seller) == ["ambiguous_replacement"]


@pytest.mark.parametrize(("came", "totals"), [(1, (1, 2)), (2, (1, 3))])
def test_a_total_of_before_an_order_counts_what_an_earlier_one_had_cancelled(
    seller: Seller, came: int, totals: tuple[int, ...]
) -> None:
    for total in totals:
        seller.tell(seller.change("OD1", CANCELLED, line_id="L1", quantity=total, cumulative=True))
        seller.settle()
    for quantity in (came, 5):
        seller.order("OD1", ("L1", "SHIRT", quantity))
        seller.settle()
    assert seller.positions("OD1").count("CANCELLED") == max(totals)


def test_what_was_cancelled_twice_before_its_order_is_decided_once_for_what_comes(
    seller: Seller,
) -> None:
    seller.tell(seller.change("OD1", CANCELLED), seller.change("OD1", CANCELLED))
    seller.settle()
    for quantity in (1, 2):
        seller.order("OD1", ("L1", "SHIRT", quantity))
        seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    assert seller.journal() == [("DONE", "TOMBSTONE", "cancelled_before_import")] * 2


def test_more_cancelled_before_an_order_than_it_holds_is_asked_until_it_comes(
    seller: Seller,
) -> None:
    seller.tell(seller.change("OD1", CANCELLED, line_id="L1", quantity=2))
    seller.settle()
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.settle()
    assert open_codes(seller) == ["quantity_exceeds"]
    ((message,),) = seller.rows("SELECT message FROM exceptions")
    assert "of 2 of line L1" in message
    seller.order("OD1", ("L1", "SHIRT", 3))
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED", "FULFILLABLE"]
    assert open_codes(seller) == []


def test_two_totals_that_exceeded_the_order_share_the_pieces_that_come(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, CANCELLED, line_id="L1", quantity=2, cumulative=True)
    said(seller, CANCELLED, sku="SHIRT", quantity=2, cumulative=True)
    seller.order("OD1", ("L1", "SHIRT", 3))
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED", "FULFILLABLE"]
    assert open_codes(seller) == []


def test_pieces_that_were_cancelled_already_are_among_those_that_a_number_speaks_of(
    seller: Seller,
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    said(seller, CANCELLED, line_id="L1", quantity=2)
    said(seller, CANCELLED, quantity=2)
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    seller.settle()
    assert (seller.positions("OD1")[2], open_codes(seller)) == ("CANCELLED", [])


def test_a_replacement_of_one_article_keeps_nothing_from_another(seller: Seller) -> None:
    whole = [line("L1", "SHIRT"), line("L2", "SOCK"), line("L3", "SHIRT", replaces="L1")]
    parts(seller, whole[:2])
    said(seller, CANCELLED, sku="SOCK")
    parts(seller, whole)
    parts(seller, [*whole, line("L4", "SOCK")])
    assert seller.positions("OD1") == ["FULFILLABLE", "CANCELLED", "FULFILLABLE", "CANCELLED"]


def test_what_was_said_of_the_line_of_a_replacement_is_said_of_its_next_piece(
    seller: Seller,
) -> None:
    parts(seller, [line("L1", "SHIRT")], [line("L2", "SHIRT", replaces="L1")])
    said(seller, CANCELLED, line_id="L2")
    parts(seller, [line("L2", "SHIRT", 2, replaces="L1")])
    assert seller.positions("OD1") == ["FULFILLABLE", "CANCELLED", "CANCELLED"]


def test_a_piece_that_was_packed_again_is_none_of_those_that_were_cancelled(
    seller: Seller,
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    seller.advance("OD1", Position.PACKED)
    assert said(seller, CANCELLED, line_id="L1", quantity=2) == ["CANCELLED", "CREATED"]
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CREATED", "CANCELLED"]


@pytest.mark.parametrize("before", [False, True])
def test_what_may_be_of_a_line_or_its_replacement_is_asked_for_a_further_line(
    seller: Seller, before: bool
) -> None:
    """The order was cancelled, one of its lines replaced, and then another comes."""
    whole = [line("L1", "SHIRT"), line("L2", "SHIRT", replaces="L1"), line("L3", "SOCK")]
    if before:
        seller.tell(seller.change("OD1", CANCELLED))
        seller.settle()
    parts(seller, whole[:1])
    if not before:
        said(seller, CANCELLED)
    parts(seller, whole[:2])
    assert open_codes(seller) == []
    now = seller.clock.now()
    order = NewOrder(order_id="OD1", placed_at=now, lines=tuple(whole))
    take_orders(seller.book, "shop", [order], source="test", now=now)
    assert may_ship(seller) == (False, "cancel_unclear")
    seller.settle()
    assert (may_ship(seller), open_codes(seller)) == (
        (False, "cancel_unclear"), ["ambiguous_replacement"],
    )  # fmt: skip
    acts.settle(seller.book, [1], "dismiss", note="not of this one", actor=WHO,
                now=seller.clock.now())  # fmt: skip
    assert may_ship(seller) == (True, "without_cancelled")
    assert seller.positions("OD1") == ["CANCELLED", "FULFILLABLE", "FULFILLABLE"]


def test_a_person_is_asked_once_whether_a_fact_is_of_a_replacement(seller: Seller) -> None:
    seller.tell(seller.change("OD1", CANCELLED))
    seller.settle()
    whole = [line("L1", "SHIRT"), line("L2", "SHIRT", replaces="L1"), line("L3", "SOCK")]
    for more in (1, 2, 3):
        parts(seller, whole[:more])
    parts(seller, [*whole, line("L4", "SOCK")])
    assert seller.count("exceptions", "code = 'ambiguous_replacement'") == 1
    assert may_ship(seller) == (False, "cancel_unclear")


def test_the_cost_of_growing_follows_the_order_and_not_the_book(seller: Seller) -> None:
    asked = [
        (facts._RECORDS, (1,)),
        (facts._UNDONE, (1, "OD1")),
        (intake_known._REOPEN, (1, 1, "OD1", "[]")),
    ]
    for sql, params in asked:
        steps = [row[3] for row in seller.rows(f"EXPLAIN QUERY PLAN {sql}", *params)]
        scans = [step for step in steps if step.startswith("SCAN") and "json_each" not in step]
        assert (scans, bool(steps)) == ([], True)
