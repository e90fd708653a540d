"""Orders into the book: once each, with stock promised, and with what the channel said before."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book.intake import ImportedOrder, Taken, take_orders
from syncd.book.intake_checks import misplaced
from syncd.book.tables import Facility
from syncd.errors import NotFound
from syncd.statuses import NewOrder, OrderLine, Status
from tests.bookkit import START, Seller, check_invariants


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def new(order_id: str, *lines: tuple[str, str, int], **more: Any) -> ImportedOrder:
    more.setdefault("placed_at", START)
    return ImportedOrder(
        order_id=order_id,
        lines=tuple(OrderLine(line_id=i, sku=s, quantity=q) for i, s, q in lines),
        **more,
    )


def take(seller: Seller, *orders: NewOrder, **more: Any) -> Taken:
    taken = take_orders(seller.book, "shop", orders, source="test", now=seller.clock.now(), **more)
    check_invariants(seller.book)
    return taken


def test_each_piece_is_a_row(seller: Seller) -> None:
    taken = take(seller, new("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1)))
    assert (taken.new, taken.pieces, taken.problems) == (1, 3, [])
    assert seller.rows("SELECT line_id, sku, piece, bundle FROM item ORDER BY id") == [
        ("L1", "SHIRT", 0, ""),
        ("L1", "SHIRT", 1, ""),
        ("L2", "SOCK", 0, ""),
    ]
    assert seller.rows("SELECT source, placed_at FROM orders") == [
        ("test", int(START.timestamp()) * 1_000_000)
    ]


def test_the_pieces_of_a_bundle_share_its_name(seller: Seller) -> None:
    line = OrderLine(line_id="L1", sku="KIT", quantity=2, components=("CUP", "POT"))
    take(seller, NewOrder(order_id="OD1", placed_at=START, lines=(line,)))
    assert seller.rows("SELECT sku, piece, bundle FROM item ORDER BY id") == [
        ("CUP", 0, "L1#0"),
        ("POT", 1, "L1#0"),
        ("CUP", 2, "L1#1"),
        ("POT", 3, "L1#1"),
    ]


def test_the_same_order_twice_is_one_order(seller: Seller) -> None:
    order = new("OD1", ("L1", "SHIRT", 2), facts={"service": "std"})
    take(seller, order)
    before = seller.dump()
    again = take(seller, order, order)
    assert (again.new, again.known, again.changed, again.pieces) == (0, 2, 0, 0)
    assert seller.dump() == before


def test_the_same_order_twice_in_one_batch_is_one_order(seller: Seller) -> None:
    taken = take(seller, new("OD1", ("L1", "SHIRT", 1)), new("OD1", ("L1", "SHIRT", 1)))
    assert (taken.new, taken.known) == (1, 1)
    assert seller.count("item") == 1


def test_further_lines_and_larger_quantities_add_pieces(seller: Seller) -> None:
    take(seller, new("OD1", ("L1", "SHIRT", 1)))
    taken = take(seller, new("OD1", ("L1", "SHIRT", 3), ("L2", "SOCK", 1)))
    assert (taken.changed, taken.pieces, taken.problems) == (1, 3, [])
    assert [(note.order_id, note.text) for note in taken.notes] == [
        ("OD1", "Line L1 was raised from 1 piece to 3.")
    ]
    assert seller.rows("SELECT line_id, piece FROM item ORDER BY line_id, piece") == [
        ("L1", 0),
        ("L1", 1),
        ("L1", 2),
        ("L2", 0),
    ]


def from_elsewhere(seller: Seller, order: NewOrder) -> Taken:
    now = seller.clock.now()
    return take_orders(seller.book, "shop", [order], source="flipkart", now=now)


@pytest.mark.parametrize("shown", [(("9001", "SHIRT", count),) for count in (1, 2, 3)])
def test_another_source_that_names_the_same_pieces_otherwise_adds_none(
    seller: Seller, shown: tuple[tuple[str, str, int], ...]
) -> None:
    take(seller, new("OD1", ("1", "SHIRT", 2)))
    taken = from_elsewhere(seller, new("OD1", *shown, facts={"service": "std"}))
    (problem,) = taken.problems
    assert (seller.count("item"), taken.pieces, problem.kept) == (2, 0, True)
    assert problem.reason.startswith(
        "Order OD1 came from test with the line ids 1, and flipkart calls pieces of the same SKU "
        "9001 (SHIRT); none of these were added."
    )
    assert "syncctl warehouse OD1 DISPATCHED" in problem.reason
    assert seller.rows("SELECT facts FROM orders") == [('{"service":"std"}',)]


@pytest.mark.parametrize(
    "shown",
    [
        (("2", "SOCK", 1),),
        (("1", "SHIRT", 2), ("2", "SHIRT", 1)),  # it names a line as the book does
    ],
)
def test_another_source_may_bring_further_pieces(
    seller: Seller, shown: tuple[tuple[str, str, int], ...]
) -> None:
    take(seller, new("OD1", ("1", "SHIRT", 2)))
    taken = from_elsewhere(seller, new("OD1", *shown))
    assert (taken.problems, taken.changed) == ([], 1)


def lines_of(seller: Seller) -> list[tuple[str, str, int]]:
    return seller.rows("SELECT line_id, sku, count(*) FROM item GROUP BY line_id ORDER BY line_id")


def test_a_line_known_by_its_sku_takes_the_id_that_a_later_report_has(seller: Seller) -> None:
    take(seller, new("OD1", ("SHIRT", "SHIRT", 2), ("SOCK", "SOCK", 1)))
    seller.tell(seller.change("OD1", Status.DISPATCHED, line_id="9001"))
    seller.settle()
    assert seller.journal() == [("PARKED", "PARK", "line_unknown")]

    taken = take(seller, new("OD1", ("9001", "SHIRT", 2), ("9002", "SOCK", 1), ("9003", "CAP", 1)))
    assert (taken.changed, taken.pieces, taken.unparked, taken.problems) == (1, 1, 1, [])
    assert lines_of(seller) == [("9001", "SHIRT", 2), ("9002", "SOCK", 1), ("9003", "CAP", 1)]
    assert [note.text for note in taken.notes][:1] == [
        "2 pieces known by the SKU SHIRT alone: line 9001."
    ]
    seller.settle()
    assert seller.positions("OD1")[:2] == ["DISPATCHED", "DISPATCHED"]


def test_a_line_known_by_its_sku_takes_the_id_that_another_source_has(seller: Seller) -> None:
    take(seller, new("OD1", ("SHIRT", "SHIRT", 2)))
    taken = from_elsewhere(seller, new("OD1", ("9001", "SHIRT", 2)))
    assert (taken.pieces, taken.problems) == (0, [])
    assert lines_of(seller) == [("9001", "SHIRT", 2)]


def test_a_report_without_line_ids_speaks_of_the_lines_that_are_there(seller: Seller) -> None:
    take(seller, new("OD1", ("9001", "SHIRT", 2), ("9002", "SHIRT", 1)))
    taken = take(seller, new("OD1", ("SHIRT", "SHIRT", 3), ("SOCK", "SOCK", 1)))
    assert (taken.pieces, taken.problems) == (1, [])
    assert lines_of(seller)[:2] == [("9001", "SHIRT", 2), ("9002", "SHIRT", 1)]

    before = seller.dump()
    again = take(seller, new("OD1", ("SHIRT", "SHIRT", 3)))
    assert (again.known, seller.dump()) == (1, before)


@pytest.mark.parametrize(
    ("count", "report", "stands"),
    [
        (2, [("9001", 1), ("9002", 1)], [("9001", 1), ("9002", 1)]),
        (3, [("9001", 1)], [("9001", 1), ("SHIRT", 2)]),  # the others may be on the next page
        (1, [("9001", 2), ("9002", 1)], [("9001", 2), ("9002", 1)]),
    ],
)
def test_pieces_known_by_their_sku_that_stand_alike_take_the_ids_in_turn(
    seller: Seller,
    count: int,
    report: list[tuple[str, int]],
    stands: list[tuple[str, int]],
) -> None:
    take(seller, new("OD1", ("SHIRT", "SHIRT", count)))
    lines = [(name, "SHIRT", quantity) for name, quantity in report]
    assert take(seller, new("OD1", *lines)).problems == []
    assert lines_of(seller) == [(name, "SHIRT", quantity) for name, quantity in stands]
    assert take(seller, new("OD1", *lines)).known == 1


def test_the_rest_takes_its_id_when_it_comes_and_a_report_without_ids_means_both(
    seller: Seller,
) -> None:
    take(seller, new("OD1", ("SHIRT", "SHIRT", 3)))
    take(seller, new("OD1", ("9001", "SHIRT", 1)))
    again = take(seller, new("OD1", ("SHIRT", "SHIRT", 3)))
    assert (again.pieces, again.problems) == (0, [])
    take(seller, new("OD1", ("9002", "SHIRT", 2)))
    assert lines_of(seller) == [("9001", "SHIRT", 1), ("9002", "SHIRT", 2)]
    assert seller.rows("SELECT piece FROM item WHERE line_id = '9002' ORDER BY piece") == [
        (0,),
        (1,),
    ]


def test_pieces_in_different_states_are_matched_by_a_person(seller: Seller) -> None:
    take(seller, new("OD1", ("SHIRT", "SHIRT", 2)))
    seller.tell(seller.change("OD1", Status.DISPATCHED, sku="SHIRT", quantity=1))
    seller.settle()
    taken = take(seller, new("OD1", ("9001", "SHIRT", 1), ("9002", "SHIRT", 1), ("7", "CAP", 1)))
    (problem,) = taken.problems
    assert (problem.kept, taken.pieces) == (True, 1)  # the cap, which nothing is unclear about
    assert "syncctl retry ID --as-line SHIRT" in problem.reason
    assert lines_of(seller) == [("7", "CAP", 1), ("SHIRT", "SHIRT", 2)]


@pytest.mark.parametrize(("book", "report"), [(1, 2), (2, 1)])
def test_a_report_without_ids_that_shows_another_count_is_left_and_told(
    seller: Seller, book: int, report: int
) -> None:
    take(seller, new("OD1", ("9001", "SHIRT", book)))
    taken = take(seller, new("OD1", ("SHIRT", "SHIRT", report), ("SOCK", "SOCK", 1)))
    (problem,) = taken.problems
    assert (problem.kept, taken.pieces) == (True, 1)
    assert lines_of(seller) == [("9001", "SHIRT", book), ("SOCK", "SOCK", 1)]


def test_another_source_is_matched_sku_by_sku(seller: Seller) -> None:
    take(seller, new("OD1", ("MUG", "MUG", 1), ("X2", "CAP", 1)))
    taken = from_elsewhere(seller, new("OD1", ("L1", "MUG", 1), ("L2", "CAP", 1), ("L3", "HAT", 1)))
    assert (taken.pieces, len(taken.problems)) == (1, 1)
    assert lines_of(seller) == [("L1", "MUG", 1), ("L3", "HAT", 1), ("X2", "CAP", 1)]


def test_a_line_with_an_id_beside_the_one_named_by_its_sku_is_a_further_line(
    seller: Seller,
) -> None:
    take(seller, new("OD1", ("SHIRT", "SHIRT", 1)))
    taken = take(seller, new("OD1", ("SHIRT", "SHIRT", 1), ("9001", "SHIRT", 1)))
    assert (taken.pieces, taken.problems) == (1, [])


def test_another_source_brings_what_the_book_has_nothing_of(seller: Seller) -> None:
    take(seller, new("OD1", ("1", "SHIRT", 2)))
    taken = from_elsewhere(seller, new("OD1", ("9001", "SHIRT", 1), ("9002", "MUG", 1)))
    assert (taken.pieces, len(taken.problems)) == (1, 1)
    assert lines_of(seller) == [("1", "SHIRT", 2), ("9002", "MUG", 1)]


def test_one_source_may_tell_an_order_line_by_line(seller: Seller) -> None:
    take(seller, new("OD1", ("1", "SHIRT", 1)))
    assert take(seller, new("OD1", ("2", "SHIRT", 1))).pieces == 1


def test_a_smaller_quantity_takes_nothing_away_and_is_told(seller: Seller) -> None:
    take(seller, new("OD1", ("L1", "SHIRT", 3)))
    taken = take(seller, new("OD1", ("L1", "SHIRT", 1)))
    assert (taken.known, seller.count("item")) == (1, 3)
    (problem,) = taken.problems
    assert problem.kept
    assert "now shows 1 piece, the book has 3" in problem.reason


def test_another_article_on_a_known_line_is_left_and_told(seller: Seller) -> None:
    take(seller, new("OD1", ("L1", "SHIRT", 1)))
    taken = take(seller, new("OD1", ("L1", "SHOE", 1)))
    assert seller.rows("SELECT sku FROM item") == [("SHIRT",)]
    assert "was SHIRT and now shows SHOE" in taken.problems[0].reason


def test_an_order_of_the_day_after_tomorrow_is_a_problem(seller: Seller) -> None:
    now = seller.clock.now()
    taken = take(
        seller,
        new("OD1", ("L1", "SHIRT", 1), placed_at=now + timedelta(hours=24)),
        new("OD2", ("L1", "SHIRT", 1), placed_at=now + timedelta(hours=24, seconds=1)),
    )
    assert taken.new == 1
    (problem,) = taken.problems
    assert (problem.order_id, problem.kept) == ("OD2", False)
    assert "more than a day in the future" in problem.reason


def test_facts_are_merged(seller: Seller) -> None:
    take(seller, new("OD1", ("L1", "SHIRT", 1), facts={"a": "1", "b": "2"}))
    taken = take(seller, new("OD1", ("L1", "SHIRT", 1), facts={"b": "3", "c": "4"}))
    assert taken.changed == 1
    assert seller.rows("SELECT facts FROM orders") == [('{"a":"1","b":"3","c":"4"}',)]


def test_stock_goes_to_the_order_placed_first(seller: Seller) -> None:
    seller.stock("SHIRT", 3)
    late = new("LATE", ("L1", "SHIRT", 2), placed_at=START + timedelta(hours=1))
    taken = take(seller, late, new("EARLY", ("L1", "SHIRT", 2)))
    assert taken.new == 2
    assert seller.positions("EARLY") == ["FULFILLABLE", "FULFILLABLE"]
    assert seller.positions("LATE") == ["FULFILLABLE", "UNFULFILLABLE"]
    assert seller.stock_of("SHIRT") == {"allocated": 3}
    assert seller.order_state("EARLY") == "PROCESSING"


def test_orders_without_stock_wait(seller: Seller) -> None:
    take(seller, new("OD1", ("L1", "SHIRT", 1)))
    assert seller.positions("OD1") == ["UNFULFILLABLE"]
    assert seller.order_state("OD1") == "CREATED"


@pytest.mark.parametrize(
    ("state", "bucket", "package", "order_state"),
    [
        ("UNFULFILLABLE", {}, None, "CREATED"),
        ("FULFILLABLE", {"allocated": 1}, None, "PROCESSING"),
        ("PACKED", {"allocated": 1}, "PACKED", "PROCESSING"),
        ("DISPATCHED", {"in_transit_out": 1}, "DISPATCHED", "COMPLETE"),
        ("DELIVERED", {"sold": 1}, "DELIVERED", "COMPLETE"),
    ],
)
def test_an_order_may_come_in_mid_life_with_its_own_stock(
    seller: Seller, state: str, bucket: dict[str, int], package: str | None, order_state: str
) -> None:
    seller.stock("OTHER", 5)
    take(seller, new("OD1", ("L1", "SHIRT", 1), states={"L1": state}))
    assert seller.positions("OD1") == [state]
    assert seller.stock_of("SHIRT") == bucket
    assert seller.rows("SELECT state FROM package") == ([(package,)] if package else [])
    assert seller.order_state("OD1") == order_state
    assert seller.count("invoice") == 0


def test_pieces_of_one_order_in_mid_life_share_a_parcel(seller: Seller) -> None:
    states = {"L1": "PACKED", "L2": "PACKED", "L3": "DISPATCHED"}
    take(seller, new("OD1", ("L1", "A", 2), ("L2", "B", 1), ("L3", "C", 1), states=states))
    parcels = seller.rows(
        "SELECT p.code, p.state, count(*) FROM item i JOIN package p ON p.id = i.package_id "
        "GROUP BY p.id ORDER BY p.id"
    )
    assert parcels == [("SP-1", "PACKED", 3), ("SP-2", "DISPATCHED", 1)]


def test_an_order_cancelled_before_it_was_known_is_born_cancelled(seller: Seller) -> None:
    seller.stock("SHIRT", 5)
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    assert seller.journal() == [("TOMBSTONE", "TOMBSTONE", "cancelled_before_import")]
    taken = take(seller, new("OD1", ("L1", "SHIRT", 2)))
    assert taken.born_cancelled == 2
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    assert seller.order_state("OD1") == "CANCELLED"
    assert seller.stock_of("SHIRT") == {"on_hand_good": 5}
    assert seller.journal() == [("DONE", "TOMBSTONE", "cancelled_before_import")]
    records = seller.rows("SELECT before, after, code, inbox_id FROM decision")
    assert records == [("UNKNOWN_ORDER", "CANCELLED", "cancelled_before_import", 1)] * 2


@pytest.mark.parametrize(
    ("state", "stands", "bucket", "asked"),
    [
        ("PACKED", "CANCELLED", "putaway_pending", []),
        ("DISPATCHED", "RETURN_EXPECTED", "in_transit_back", []),
        ("DELIVERED", "DELIVERED", "sold", ["cancelled_after_delivery"]),
    ],
)
def test_what_was_cancelled_before_it_came_in_mid_life_is_cancelled_from_there(
    seller: Seller, state: str, stands: str, bucket: str, asked: list[str]
) -> None:
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    taken = take(seller, new("OD1", ("L1", "SHIRT", 1), states={"L1": state}))
    assert (taken.born_cancelled, taken.unparked) == (0, 1)
    seller.settle()
    assert (seller.positions("OD1"), seller.stock_of("SHIRT")) == ([stands], {bucket: 1})
    assert [code for (code,) in seller.rows("SELECT code FROM exceptions")] == asked


def test_a_tombstone_of_one_line_cancels_that_line_only(seller: Seller) -> None:
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L2", quantity=1))
    seller.settle()
    taken = take(seller, new("OD1", ("L1", "SHIRT", 1)))
    assert (taken.born_cancelled, seller.positions("OD1")) == (0, ["UNFULFILLABLE"])
    seller.settle()
    assert seller.journal()[0] == ("PARKED", "PARK", "line_unknown"), "its line has not come yet"
    take(seller, new("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 2)))
    seller.settle()
    assert seller.positions("OD1") == ["UNFULFILLABLE", "CANCELLED", "UNFULFILLABLE"]
    assert seller.journal()[0][0] == "DONE"


def test_parked_facts_wait_for_their_order_and_are_decided_when_it_comes(seller: Seller) -> None:
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD2", Status.DISPATCHED))
    seller.settle()
    assert [row[0] for row in seller.journal()] == ["PARKED", "PARKED"]
    assert take(seller, new("OD1", ("L1", "SHIRT", 1))).unparked == 1
    assert [row[0] for row in seller.journal()] == ["NEW", "PARKED"]
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED"]


def test_an_order_that_shows_nothing_new_unparks_nothing(seller: Seller) -> None:
    order = new("OD1", ("L1", "SHIRT", 1))
    take(seller, order)
    seller.tell(seller.change("OD1", Status.DISPATCHED, line_id="L9"))
    seller.settle()
    assert take(seller, order).unparked == 0
    assert take(seller, new("OD1", ("L9", "SOCK", 1))).unparked == 1


def test_a_location_decides_the_facility(seller: Seller) -> None:
    with seller.book.write():
        Facility.create(tenant=1, code="DEL")
    facility_of = {"LOC-D": "DEL", "LOC-X": "GONE"}.get
    taken = take(
        seller,
        new("OD1", ("L1", "A", 1), location_id="LOC-D"),
        new("OD2", ("L1", "A", 1), location_id="LOC-?"),
        new("OD3", ("L1", "A", 1), location_id="LOC-X"),
        facility_of=lambda location: facility_of(location, ""),
    )
    placed = seller.rows(
        "SELECT o.order_id, f.code FROM item i JOIN orders o ON o.id = i.order_id "
        "JOIN facility f ON f.id = i.facility_id ORDER BY o.order_id"
    )
    assert placed == [("OD1", "DEL"), ("OD2", "BLR")]
    assert [one.order_id for one in taken.problems] == ["OD3"]
    assert "mapped to facility GONE, which does not exist" in taken.problems[0].reason


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (new("", ("L1", "A", 1)), "order id must be text"),
        (new("x" * 201, ("L1", "A", 1)), "order id must be text"),
        (new("OD1"), "has no lines"),
        (new("OD1", ("L1", "A", 0)), "quantity 0"),
        (new("OD1", ("L1", "A", 10_001)), "quantity 10001"),
        (new("OD1", ("L1", "A", 6_000), ("L2", "A", 6_000)), "12000 pieces"),
        (new("OD1", ("", "A", 1)), "line id and a SKU"),
        (new("OD1", ("L1", "x" * 201, 1)), "line id and a SKU"),
        (new("OD1", ("L1", "A", 1), ("L1", "B", 1)), "L1 stands twice"),
        (new("OD1", ("L1", "A", 1), placed_at=datetime(2026, 3, 1)), "no time zone"),
        (new("OD1", ("L1", "A", 1), states={"L1": "RETURNED"}), "cannot be imported as RETURNED"),
        (new("OD1", ("L1", "A", 1), problem="No price.", raw="{...}"), "No price."),
    ],
)
def test_a_bad_order_is_told_and_the_others_are_taken(
    seller: Seller, order: ImportedOrder, reason: str
) -> None:
    taken = take(seller, new("GOOD1", ("L1", "A", 1)), order, new("GOOD2", ("L1", "A", 1)))
    assert taken.new == 2
    (problem,) = taken.problems
    assert reason in problem.reason
    assert not problem.kept
    assert seller.count("orders") == 2


def test_an_identical_line_written_twice_is_one_line(seller: Seller) -> None:
    take(seller, new("OD1", ("L1", "A", 2), ("L1", "A", 2)))
    assert seller.count("item") == 2


def test_an_unknown_account_is_told(seller: Seller) -> None:
    with pytest.raises(NotFound, match="Known accounts: shop"):
        take_orders(seller.book, "nope", [], source="test", now=seller.clock.now())


def test_many_orders_pass_in_batches(seller: Seller) -> None:
    seller.stock("SHIRT", 700)
    orders = [
        new(f"OD{n}", ("L1", "SHIRT", 1), placed_at=START + timedelta(seconds=n))
        for n in range(1_201)
    ]
    assert take(seller, *reversed(orders)).new == 1_201
    assert seller.count("item", "position = 'FULFILLABLE'") == 700
    newest = seller.rows(
        "SELECT max(o.placed_at) FROM orders o JOIN item i ON i.order_id = o.id "
        "WHERE i.position = 'FULFILLABLE'"
    )
    assert newest == [(int((START + timedelta(seconds=699)).timestamp()) * 1_000_000,)]


@pytest.mark.parametrize(
    ("place", "locations", "known"),
    [
        ("LOC-1", {"LOC-1": "BLR"}, True),
        ("", {"LOC-1": "BLR"}, True),
        ("LOC-9", {}, True),
        ("LOC-9", {"LOC-1": "BLR"}, False),
    ],
)
def test_an_order_of_a_location_that_nobody_named_is_not_guessed(
    place: str, locations: dict[str, str], known: bool
) -> None:
    line = OrderLine(line_id="1", sku="SHIRT", quantity=1)
    order = NewOrder(order_id="A-1", placed_at=START, lines=(line,), location_id=place)
    found = misplaced(order, locations, "shop")
    assert (found is None) == known
    if found is not None:
        assert "LOC-9" in found.reason
        assert "[accounts.shop.locations]" in found.reason
