"""Rows that are a piece each, and totals that nothing tells apart: what the book makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd import Status
from tests.bookkit import Seller

ON = "20/02/2026 10:00"
LATER = "20/02/2026 18:00"
HEAD = "Order ID,Item ID,SKU,Qty,Status,Updated On,AWB,Return ID"
SENT = f"O1,,MUG,,Shipped,{ON},A1,"
ORDERS = "Order ID,SKU,Qty,Ordered On,Warehouse,Status,AWB"


def table(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows, ""])


class Office:
    """A shop that is read from files, and the book of its order of three mugs."""

    def __init__(self, shop: Any, folder: Path) -> None:
        self.shop = shop
        self.seller = Seller(folder)
        self.seller.stock("MUG", 9)
        self.seller.order("O1", ("L1", "MUG", 3))

    def take(self, *rows: str) -> list[str]:
        """Where the three pieces are after a file with these rows."""
        self.seller.tell(*self.shop.hand_in(table(*rows)))
        self.seller.settle()
        return sorted(self.seller.positions("O1"))


@pytest.fixture
def parts(open_shop: Callable[..., Any], tmp_path: Path) -> Office:
    """Each row is one part more."""
    return Office(open_shop(quantities="part"), tmp_path)


def of(*words: str) -> list[str]:
    """Three pieces, those that are not named still with the seller."""
    return sorted([*words, *["FULFILLABLE"] * (3 - len(words))])


# Each row is a part -----------------------------------------------------------------------------


@pytest.mark.parametrize("line", [",MUG", "L1,", "L1,MUG", ","])
def test_a_row_without_a_quantity_is_one_piece(parts: Office, line: str) -> None:
    (fact,) = parts.shop.hand_in(table(f"O1,{line},,Cancelled,{ON},,"))
    assert fact.quantity == 1
    assert parts.take(f"O1,{line},,Cancelled,{ON},,") == of("CANCELLED")


def test_rows_of_one_parcel_are_so_many_pieces_and_told_again_none(parts: Office) -> None:
    assert parts.take(SENT, SENT) == of("DISPATCHED", "DISPATCHED")
    for again in ((SENT, SENT), (SENT,), (SENT.replace(ON, LATER),)):
        assert parts.take(*again) == of("DISPATCHED", "DISPATCHED")


def test_two_parcels_are_two_and_their_pieces_arrive_by_parcel(parts: Office) -> None:
    other = SENT.replace("A1", "A2")
    assert parts.take(SENT, other) == of("DISPATCHED", "DISPATCHED")
    there = [one.replace("Shipped", "Delivered") for one in (SENT, other)]
    assert parts.take(there[1]) == of("DELIVERED", "DISPATCHED")
    assert parts.take(there[1].replace(ON, LATER)) == of("DELIVERED", "DISPATCHED")
    assert parts.take(*there) == of("DELIVERED", "DELIVERED")


def test_pieces_of_a_parcel_add_up_whatever_their_times_and_words(
    open_shop: Callable[..., Any],
) -> None:
    shop = open_shop(
        quantities="part",
        statuses={"Shipped": "DISPATCHED", "Near": "DISPATCHED"},
    )
    near = SENT.replace("Shipped", "Near").replace(ON, LATER)
    (fact,) = shop.hand_in(table(SENT, near))
    assert (fact.quantity, fact.cumulative) == (2, True)
    assert (fact.shipment_id, fact.tracking_number) == ("A1", "A1")
    assert f"{fact.occurred_at:%H:%M}" == "12:30"
    assert shop.hand_in(table(near, SENT))[0].evidence_id == fact.evidence_id


def test_rows_of_one_return_are_so_many_pieces_and_told_again_none(parts: Office) -> None:
    parts.take(SENT, SENT, SENT)
    back = f"O1,,MUG,1,Back,{ON},B1,R1"
    assert parts.take(back, back) == ["DISPATCHED", "RETURNED", "RETURNED"]
    for again in ((back, back), (back.replace(ON, LATER),)):
        assert parts.take(*again) == ["DISPATCHED", "RETURNED", "RETURNED"]
    assert parts.take(back.replace("R1", "R2")) == ["RETURNED"] * 3


def test_cancellations_are_of_the_line_whatever_parcel_they_name(parts: Office) -> None:
    off = [f"O1,,MUG,1,Cancelled,{ON},{number}," for number in ("A1", "A1", "A2")]
    assert parts.take(*off[:2]) == of("CANCELLED", "CANCELLED")
    assert parts.take(*off) == ["CANCELLED"] * 3


def test_a_number_is_no_parcel_where_a_column_names_it(open_shop: Callable[..., Any]) -> None:
    columns = open_shop().settings.columns
    shop = open_shop(quantities="part", columns={**columns, "shipment_id": "Parcel"})
    text = table(f"{SENT},P1", f"{SENT},P1", f"{SENT},", f"{SENT},", head=f"{HEAD},Parcel")
    named, plain = shop.hand_in(text)
    assert (named.shipment_id, named.quantity, named.cumulative) == ("P1", 2, True)
    assert (plain.shipment_id, plain.quantity, plain.cumulative) == ("", 2, False)


# Each row is a total ----------------------------------------------------------------------------


def test_totals_of_two_parcels_that_only_a_number_tells_apart_are_asked_about(shop: Any) -> None:
    sent = f"O1,,MUG,1,Shipped,{ON},A1,"
    first, asked = shop.hand_in(table(sent, sent, sent.replace("A1", "A2")))
    assert (first.quantity, first.cumulative) == (1, True)
    assert asked.status is Status.UNKNOWN
    assert "Line 4 of the file: another row tells of MUG" in asked.problem
    assert "columns.shipment_id" in asked.problem
    assert "leave columns.quantity out" in asked.problem


@pytest.mark.parametrize(
    "second",
    [
        f"O1,,MUG,,Shipped,{ON},A2,",  # no quantity
        f"O1,,MUG,2,Shipped,{LATER},,",  # no number
        f"O1,,MUG,1,Delivered,{ON},A2,",
        f"O1,,CAP,1,Shipped,{ON},A2,",
        f"O2,,MUG,1,Shipped,{ON},A2,",
        f"O1,,MUG,1,Back,{ON},A2,R1",
    ],
)
def test_other_totals_are_not_asked_about(shop: Any, second: str) -> None:
    rows = shop.hand_in(table(f"O1,,MUG,1,Shipped,{ON},A1,", second))
    assert [row.problem for row in rows] == ["", ""]


def test_totals_of_named_parcels_and_returns_are_not_asked_about(
    open_shop: Callable[..., Any],
) -> None:
    columns = {**open_shop().settings.columns, "shipment_id": "AWB"}
    sent, back = f"O1,,MUG,1,Shipped,{ON},A1,", f"O1,,MUG,1,Back,{ON},B1,R1"
    text = table(sent, sent.replace("A1", "A2"), back, back.replace("1,R1", "2,R2"))
    rows = open_shop(columns=columns).hand_in(text)
    assert [(row.problem, row.quantity) for row in rows] == [("", 1)] * 4


# Orders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Shipped", "New", ""])
def test_an_sku_that_stands_twice_is_asked_about_even_with_its_quantity(
    shop: Any, status: str
) -> None:
    rows = [f"O1,MUG,1,20/02/2026,W1,{status},{number}" for number in ("A1", "A2")]
    order = shop.hand_in(table(*rows, head=ORDERS))[0]
    assert order.lines == ()
    assert "Line 3 of the file: MUG stands there twice" in order.problem


@pytest.mark.parametrize("quantities", ["total", "part"])
@pytest.mark.parametrize("words", [("New", "New"), ("New", "Shipped")])
def test_an_sku_in_two_places_is_asked_about_for_both(
    open_shop: Callable[..., Any], quantities: str, words: tuple[str, str]
) -> None:
    shop = open_shop(quantities=quantities)
    rows = [f"O1,mug,1,20/02/2026,W{n},{word}," for n, word in enumerate(words, 1)]
    orders = shop.hand_in(table(*rows, "O1,CAP,1,20/02/2026,W1,New,", head=ORDERS))[:2]
    assert [(one.location_id, one.lines) for one in orders] == [("W1", ()), ("W2", ())]
    for one in orders:
        assert 'mug stands there for two places, "W1" and "W2"' in one.problem


def test_a_piece_that_gets_its_place_with_another_word_is_one(shop: Any) -> None:
    rows = ["O1,MUG,1,20/02/2026,,New,", "O1,MUG,1,20/02/2026,W1,Shipped,A1"]
    orders = shop.hand_in(table(*rows, head=ORDERS))[:2]
    assert [(one.location_id, one.problem) for one in orders] == [("", ""), ("W1", "")]


def test_lines_with_ids_may_be_in_two_places(shop: Any) -> None:
    rows = ["O1,L1,MUG,1,20/02/2026,W1", "O1,L2,MUG,1,20/02/2026,W2"]
    orders = shop.hand_in(table(*rows, head="Order ID,Item ID,SKU,Qty,Ordered On,Warehouse"))
    assert [(one.location_id, one.problem) for one in orders] == [("W1", ""), ("W2", "")]
