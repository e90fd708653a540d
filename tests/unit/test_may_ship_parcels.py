"""Which parcel a packing desk is answered about, where there are several, none, or an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.book import acts, intake, queries
from syncd.book.shipping import ParcelVerdict, ShipVerdict
from syncd.book.tables import Account
from syncd.errors import NotFound
from syncd.rules import Position
from syncd.statuses import NewOrder, OrderLine, Status
from tests.bookkit import Seller
from tests.unit.test_may_ship import asked, name_parcel, packed


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 5)
    seller.stock("MUG", 5)
    return seller


def second_account(seller: Seller, order_id: str, account: str = "shop2") -> None:
    """Another account, with an order of this id and two pieces more."""
    with seller.book.write():
        Account.create(tenant=1, facility=1, name=account, channel="flipkart")
    if not order_id:
        return
    line = OrderLine(line_id="M1", sku="MUG", quantity=2)
    order = NewOrder(order_id=order_id, placed_at=seller.clock.now(), lines=(line,))
    intake.take_orders(seller.book, account, [order], source="test", now=seller.clock.now())


def test_a_label_of_a_parcel_that_nothing_is_left_in_says_that_it_is_cancelled(
    seller: Seller,
) -> None:
    """It had no invoice yet, so the cancelled piece is not in it any more."""
    packed(seller, to=Position.CREATED)
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    assert seller.rows("SELECT DISTINCT package_id FROM item") == [(None,)]
    words = "SP-1: Everything in it is cancelled, so it must stay here."
    parcel = ParcelVerdict("SP-1", "CANCELLED", False, "parcel_cancelled", words)
    assert asked(seller) == ShipVerdict("shop", "OD1", False, "parcel_cancelled", words, (parcel,))


def divided(seller: Seller) -> None:
    """OD1 in two parcels, SP-2 with the mug and SP-3 with the shirt."""
    packed(seller, to=Position.PACKED)
    now = seller.clock.now()
    acts.split(seller.book, "shop", "OD1", {"L2": 0}, actor="test", now=now)


def test_of_two_parcels_the_one_that_must_stay_is_told(seller: Seller) -> None:
    divided(seller)
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1"))
    found = queries.of_order(seller.book, "OD1")
    assert sorted((one.may_ship, one.code) for one in found.packages) == [
        (False, "cancel_undecided"), (True, "may_ship"),
    ]  # fmt: skip
    assert (found.may_ship, found.code) == (False, "cancel_undecided")
    assert "CANCELLED of line L1" in found.words


def test_a_number_that_a_part_has_kept_is_answered_for_the_part(seller: Seller) -> None:
    """Both the parcel that was split and a part of it have the number."""
    divided(seller)
    name_parcel(seller, 1, "AWB1")
    assert queries.of_parcel(seller.book, tracking="AWB1").code == "parcel_replaced"
    name_parcel(seller, 2, "AWB1")
    assert queries.of_parcel(seller.book, tracking="AWB1").code == "may_ship"


def test_an_order_of_two_accounts_is_answered_for_the_one_that_is_named(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    second_account(seller, "OD1")
    seller.tell(seller.change("OD1", Status.CANCELLED))
    mine, other = (queries.of_order(seller.book, "OD1", name) for name in ("shop", "shop2"))
    assert (mine.account, mine.may_ship) == ("shop", False)
    assert (other.account, other.may_ship) == ("shop2", True)


def test_a_cancellation_before_the_order_counts_for_its_own_account_only(seller: Seller) -> None:
    second_account(seller, "", "another")
    second_account(seller, "", "zebra")
    seller.tell(seller.change("OD7", Status.CANCELLED))
    assert queries.of_order(seller.book, "OD7").account == "shop", "after one without a word of it"
    assert queries.of_order(seller.book, "OD7", "shop").code == "cancelled_before_import"
    with pytest.raises(NotFound, match="has no order 'OD7'"):
        queries.of_order(seller.book, "OD7", "zebra")


def test_a_code_longer_than_any_number_is_no_parcel(seller: Seller) -> None:
    packed(seller)
    with pytest.raises(NotFound, match="no parcel"):
        asked(seller, "SP-9999999999999999999")


@pytest.mark.unsound_book
def test_an_order_without_pieces_has_no_parcel(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    with seller.book.write():
        seller.book.query("DELETE FROM item")
    with pytest.raises(NotFound, match=r"Order OD1 of shop has no pieces, so there is no parcel\."):
        queries.of_order(seller.book, "OD1")
