"""Into which parcel a piece comes, by which name it left, and what becomes of its invoice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.rules import Position
from syncd.statuses import OrderLine, ReturnType, Status
from tests.bookkit import Seller
from tests.unit.test_parcels import WHERE, add, left, packed, second_facility, told
from tests.unit.test_settling import settle, tell

NAMES = "SELECT code, shipment_id, tracking_number FROM package ORDER BY id"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def line(name: str) -> OrderLine:
    return OrderLine(line_id=name, sku=name.upper(), quantity=1)


def back(seller: Seller, kind: ReturnType, **more: Any) -> Any:
    return seller.change("OD1", Status.RETURN_NOTICED, return_type=kind, left_seller=True, **more)


@pytest.mark.parametrize("name", [{"shipment": "SH9"}, {"tracking": "TN9"}])
def test_two_that_leave_under_one_name_share_a_parcel_after_one_that_was_cancelled(
    seller: Seller, name: dict[str, str]
) -> None:
    packed(seller, Position.PACKED, "a", names=False)
    told(seller, seller.change("OD1", Status.CANCELLED, line_id="a"))
    add(seller, line("a"), line("b"), line("c"))
    told(seller, left(seller, **name, line_id="b"))
    told(seller, left(seller, **name, line_id="c"))
    assert seller.rows(WHERE) == [
        ("a", 1, "CANCELLED"), ("b", 2, "DISPATCHED"), ("c", 2, "DISPATCHED"),
    ]  # fmt: skip
    assert seller.count("invoice", "state = 'ISSUED'") == 1


def test_two_that_leave_under_one_name_share_a_parcel_beside_one_at_another_place(
    seller: Seller,
) -> None:
    seller.order("OD1", ("a", "A", 1), ("b", "B", 1))
    second_facility(seller)
    told(seller, left(seller, "SH9", line_id="z"))
    told(seller, left(seller, "SH9", line_id="a"))
    told(seller, left(seller, "SH9", line_id="b"))
    assert seller.rows(WHERE) == [
        ("a", 2, "DISPATCHED"), ("b", 2, "DISPATCHED"), ("z", 1, "DISPATCHED"),
    ]  # fmt: skip


def test_a_parcel_that_has_left_takes_in_no_piece_that_leaves_under_another_number(
    seller: Seller,
) -> None:
    """Also where two of it were told one after the other, under the number that the first had."""
    packed(seller, Position.PACKED, "a", "b", "c", names=False)
    told(seller, left(seller, tracking="TN1", line_id="a"))
    told(seller, left(seller, tracking="TN1", line_id="b"))
    told(seller, left(seller, tracking="TN2", line_id="c"))
    assert seller.rows(NAMES) == [("SP-1", "", "TN1"), ("SP-2", "", "TN2")]
    assert [row[1] for row in seller.rows(WHERE)] == [1, 1, 2]


def test_a_name_of_another_kind_is_no_other_parcel(seller: Seller) -> None:
    """The first was told with the courier's number, the second with the channel's."""
    packed(seller, Position.PACKED, "a", "b", names=False)
    told(seller, left(seller, tracking="TN1", line_id="a"))
    told(seller, left(seller, "SH1", line_id="b"))
    assert seller.rows(NAMES) == [("SP-1", "SH1", "TN1")]


@pytest.mark.parametrize(
    ("kind", "named"), [(ReturnType.RTO, "SH9"), (ReturnType.CIR, "")], ids=["courier's", "buyer's"]
)
def test_only_what_comes_back_undelivered_says_by_which_name_it_left(
    seller: Seller, kind: ReturnType, named: str
) -> None:
    """What a buyer sends comes in a parcel of its own."""
    packed(seller, Position.PACKED, "a", names=False)
    told(seller, back(seller, kind, shipment_id="SH9", tracking_number="TN9"))
    assert seller.rows(NAMES) == [("SP-1", named, "")]


def test_a_return_names_the_parcel_that_a_piece_left_in_beside_one_that_is_known(
    seller: Seller,
) -> None:
    packed(seller, Position.PACKED, "a", "b", names=False)
    told(seller, left(seller, "SH1", line_id="a"))
    told(seller, back(seller, ReturnType.RTO, shipment_id="SH2", line_id="b"))
    assert seller.rows(WHERE) == [("a", 1, "DISPATCHED"), ("b", 2, "RETURN_EXPECTED")]
    assert [row[1] for row in seller.rows(NAMES)] == ["SH1", "SH2"]


def test_a_returns_own_number_makes_no_parcel_of_one_with_a_label(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b")
    told(seller, back(seller, ReturnType.RTO, shipment_id="SH9", line_id="b"))
    assert seller.rows(WHERE) == [("a", 1, "PACKED"), ("b", 1, "RETURN_EXPECTED")]
    assert seller.rows(NAMES) == [("SP-1", "SH1", "TN1")]


def test_one_invoice_for_two_that_had_left_unsold(seller: Seller) -> None:
    """They went in one parcel: the first that is delivered has it invoiced, the second finds it."""
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    tell(seller, Status.CANCELLED)
    tell(seller, Status.DISPATCHED, shipment_id="SH9")
    settle(seller, "expect_rto", 1, 2)
    assert seller.count("invoice") == 0
    one = {"line_id": "L1", "quantity": 1, "shipment_id": "SH9"}
    seller.tell(*(seller.change("OD1", Status.DELIVERED, **one) for _ in range(2)))
    seller.settle()
    assert seller.positions("OD1") == ["DELIVERED", "DELIVERED"]
    assert seller.rows("SELECT number, state FROM invoice") == [("INV/001", "ISSUED")]
    steps = seller.rows("SELECT steps FROM decision WHERE event = 'DELIVERED' ORDER BY id")
    assert ["create_invoice" in text for (text,) in steps] == [True, False]


def test_the_question_of_packing_again_ends_when_the_rest_is_invoiced(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b", names=False)
    told(seller, seller.change("OD1", Status.CANCELLED, line_id="b"))
    told(seller, left(seller, line_id="a"))
    now = int(seller.clock.now().timestamp() * 1_000_000)
    assert seller.rows("SELECT code, state, note, closed_at FROM exceptions") == [
        ("repacked_after_cancel", "CLOSED", "invoice INV/002 was issued", now)
    ]
