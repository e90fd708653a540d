"""A cancelled parcel stays here, from the moment the channel has told of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.book import acts, intake, queries
from syncd.book.intake_files import ImportedOrder
from syncd.book.shipping import ShipVerdict
from syncd.errors import NotFound, Refused
from syncd.rules import Event, Fact, PartialCancel, Piece, Policies, Position, may_ship
from syncd.statuses import OrderLine, Status
from tests.bookkit import Seller


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 5)
    seller.stock("MUG", 5)
    return seller


def packed(seller: Seller, order_id: str = "OD1", to: Position = Position.READY_TO_SHIP) -> None:
    seller.order(order_id, ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    seller.advance(order_id, to)


def asked(seller: Seller, code: str = "SP-1") -> ShipVerdict:
    return queries.of_package(seller.book, code)


def test_a_parcel_without_objection_may_leave(seller: Seller) -> None:
    packed(seller)
    found = asked(seller)
    assert (found.may_ship, found.code, found.order_id) == (True, "may_ship", "OD1")
    seller.advance("OD1", Position.DISPATCHED)
    assert (asked(seller).may_ship, asked(seller).code) == (False, "already_left")


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.CANCEL_REQUESTED])
def test_a_cancellation_stops_it_before_any_pass_decides(seller: Seller, status: Status) -> None:
    packed(seller)
    seller.tell(seller.change("OD1", status, line_id="L2"))
    found = asked(seller)
    assert (found.may_ship, found.code) == (False, "cancel_undecided")
    assert f"the channel said {status} of line L2" in found.words


@pytest.mark.parametrize("state", ["NEW", "REFUSED", "WAITING", "PARKED"])
def test_whatever_keeps_it_from_being_decided(seller: Seller, state: str) -> None:
    packed(seller)
    seller.tell(seller.change("OD1", Status.CANCELLED))
    with seller.book.write():
        seller.book.query("UPDATE inbox SET state = ?", (state,))
        seller.book.query("UPDATE tenant SET state = 'SUSPENDED'")
    assert not asked(seller).may_ship


def test_a_withdrawn_wish_lets_it_go_and_a_later_one_stops_it_again(seller: Seller) -> None:
    packed(seller)
    wish = seller.change("OD1", Status.CANCEL_REQUESTED)
    no = seller.change("OD1", Status.CANCEL_WITHDRAWN)
    seller.tell(no)
    assert asked(seller).may_ship
    seller.tell(wish)
    assert asked(seller).may_ship, "the wish is older than its withdrawal"
    seller.settle()
    assert asked(seller).may_ship
    seller.tell(seller.change("OD1", Status.CANCEL_REQUESTED))
    assert not asked(seller).may_ship
    seller.settle()
    assert asked(seller).code == "piece_held"


def test_a_withdrawal_does_not_undo_a_cancellation(seller: Seller) -> None:
    packed(seller)
    seller.tell(
        seller.change("OD1", Status.CANCELLED), seller.change("OD1", Status.CANCEL_WITHDRAWN)
    )
    assert not asked(seller).may_ship


def test_a_fact_that_a_person_set_aside_stops_nothing(seller: Seller) -> None:
    packed(seller)
    seller.tell(seller.change("OD1", Status.CANCELLED))
    acts.ignore(seller.book, [1], note="a mistake", actor="asha", now=seller.clock.now())
    assert asked(seller).may_ship


def test_a_cancellation_of_another_order_stops_nothing(seller: Seller) -> None:
    packed(seller)
    packed(seller, "OD2")
    seller.tell(
        seller.change("OD2", Status.CANCELLED), seller.change("OD9", Status.CANCELLED, line_id="L1")
    )
    assert asked(seller, "SP-1").may_ship
    assert not asked(seller, "SP-2").may_ship


def test_a_parcel_that_is_packed_again_names_what_it_became(seller: Seller) -> None:
    packed(seller)
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L2"))
    seller.settle()
    found = asked(seller)
    assert (found.may_ship, found.code) == (False, "parcel_replaced")
    assert "syncctl may-ship SP-2" in found.words


def test_once_decided_the_rest_may_leave_without_the_cancelled_piece(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    packed(seller)
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L2"))
    seller.settle()
    found = asked(seller)
    assert (found.may_ship, found.code) == (True, "without_cancelled")
    assert "without line L2" in found.words
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1"))
    seller.settle()
    assert (asked(seller).may_ship, asked(seller).code) == (False, "parcel_cancelled")


def test_a_blocked_parcel_says_so(seller: Seller) -> None:
    packed(seller, to=Position.MANIFESTED)
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    found = asked(seller)
    assert (found.may_ship, found.code) == (False, "package_blocked")
    assert "cancelled_after_manifest" in found.words


def test_an_order_is_answered_for_all_that_has_not_left(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    assert queries.of_order(seller.book, "OD1").may_ship, "in no parcel yet"
    seller.tell(seller.change("OD1", Status.DISPATCHED, line_id="L1"))
    seller.settle()
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L2"))
    found = queries.of_order(seller.book, "OD1")
    assert (found.may_ship, len(found.packages)) == (False, 1)
    seller.settle()
    assert queries.of_order(seller.book, "OD1").code == "already_left"


def test_an_order_cancelled_before_it_came_is_a_no(seller: Seller) -> None:
    seller.tell(seller.change("OD7", Status.CANCELLED))
    seller.settle()
    found = queries.of_order(seller.book, "OD7")
    assert (found.may_ship, found.code) == (False, "cancelled_before_import")
    with pytest.raises(NotFound):
        queries.of_order(seller.book, "OD8")
    with pytest.raises(NotFound):
        queries.of_order(seller.book, "OD7", "none")


def name_parcel(seller: Seller, package: int, tracking: str, shipment: str = "") -> None:
    with seller.book.write():
        seller.book.query(
            "UPDATE package SET tracking_number = ?, shipment_id = ? WHERE id = ?",
            (tracking, shipment, package),
        )


def test_a_parcel_is_found_by_its_numbers_while_it_is_here(seller: Seller) -> None:
    packed(seller)
    packed(seller, "OD2")
    name_parcel(seller, 1, "AWB1", "S1")
    name_parcel(seller, 2, "AWB1", "S2")
    assert queries.of_parcel(seller.book, shipment="S2", account="shop").order_id == "OD2"
    with pytest.raises(Refused, match="OD1 of shop, OD2 of shop") as caught:
        queries.of_parcel(seller.book, tracking="AWB1")
    assert caught.value.code == "ambiguous_parcel"
    seller.advance("OD1", Position.DISPATCHED)
    assert queries.of_parcel(seller.book, tracking="AWB1").order_id == "OD2"
    with pytest.raises(NotFound, match="it has left"):
        queries.of_parcel(seller.book, shipment="S1")


@pytest.mark.parametrize("code", ["SP-9", "SP-", "7", "SP-²", "SP-01", "SP-99999999999999999999"])
def test_a_code_that_is_none_is_not_found(seller: Seller, code: str) -> None:
    packed(seller)
    with pytest.raises(NotFound, match="no parcel"):
        asked(seller, code)


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda b: queries.of_parcel(b, tracking="AWB"), "package_here_by_tracking_number"),
        (lambda b: queries.of_parcel(b, shipment="S"), "package_here_by_shipment_id"),
    ],
)
def test_the_numbers_are_looked_up_by_an_index(
    seller: Seller, ask: Callable[[object], object], index: str
) -> None:
    seen: list[str] = []
    with seller.book.connection():
        seller.book.database.connection().set_trace_callback(seen.append)
        with pytest.raises(NotFound):
            ask(seller.book)
        seller.book.database.connection().set_trace_callback(None)
        (sql,) = [text for text in seen if "FROM package" in text]
        plan = seller.book.query(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    assert any(index in row[3] for row in plan), plan
    assert not any("SCAN" in row[3] for row in plan), plan


@pytest.mark.parametrize("to", [Position.PACKED, Position.MANIFESTED, Position.DISPATCHED])
def test_the_warehouse_obeys_the_same_rule_with_the_same_words(
    seller: Seller, to: Position
) -> None:
    packed(seller, to=Position.PICKED)
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="L1"))
    with pytest.raises(Refused) as caught:
        seller.advance("OD1", to)
    assert (caught.value.code, str(caught.value)) == ("cancel_undecided", asked(seller).words)
    assert seller.count("invoice") == 0
    seller.settle()
    seller.advance("OD1", to)


def test_a_parcel_that_was_split_is_not_the_one_to_ask() -> None:
    piece = Piece(item_id=1, position=Position.PACKED)
    assert may_ship([piece], [1], [], "", "SPLITTED").code == "parcel_replaced"
    fact = Fact(event=Event.CANCELLED, occurred_at=1)
    assert not may_ship([piece], [1], [fact], "", "PACKED").may_ship


# --- where nothing may leave yet, or it has left already


LET_GO = "syncctl warehouse OD1 FULFILLABLE"
EARLY = [
    (Position.PENDING_VERIFICATION, "not_verified", "before it is packed, then: " + LET_GO),
    (
        Position.LOCATION_NOT_SERVICEABLE,
        "not_verified",
        f"courier for it, then: {LET_GO}; or cancel it",
    ),
]


@pytest.mark.parametrize(("position", "code", "to_do"), EARLY)
def test_what_is_not_verified_or_has_no_courier_stays_and_the_warehouse_says_the_same(
    seller: Seller, position: Position, code: str, to_do: str
) -> None:
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
    now = seller.clock.now()
    order = ImportedOrder(
        order_id="OD1", placed_at=now, lines=(line,), states={"L1": position.value}
    )
    intake.take_orders(seller.book, "shop", [order], source="test", now=now)
    assert seller.positions("OD1") == [position.value]
    found = queries.of_order(seller.book, "OD1")
    assert (found.may_ship, found.code) == (False, code)
    assert f"line L1 is {position}" in found.words
    assert to_do in found.words
    with pytest.raises(Refused) as caught:
        seller.advance("OD1", Position.DISPATCHED)
    assert (caught.value.code, str(caught.value)) == (code, found.words)


def test_what_waits_for_stock_stays_until_the_goods_are_here(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SOCK", 1))
    found = queries.of_order(seller.book, "OD1")
    assert (found.may_ship, found.code) == (False, "stock_missing")
    assert "line L1 is UNFULFILLABLE" in found.words
    assert "syncctl stock receive" in found.words
    with pytest.raises(Refused) as caught:
        seller.advance("OD1", Position.DISPATCHED)
    assert caught.value.code == "stock_missing"
    seller.stock("SOCK", 1)
    seller.advance("OD1", Position.PACKED)
    assert asked(seller).may_ship


LEFT = [
    Status.DISPATCHED, Status.DELIVERED, Status.UNDELIVERED,
]  # fmt: skip


@pytest.mark.parametrize("state", ["NEW", "REFUSED", "WAITING"])
@pytest.mark.parametrize("status", LEFT)
def test_what_the_panel_has_seen_leaving_is_not_sent_again(
    seller: Seller, status: Status, state: str
) -> None:
    """The brake, a gate, a tenant that is not live: the book has not followed yet."""
    packed(seller, to=Position.PICKED)
    seller.tell(seller.change("OD1", status, line_id="L1"))
    with seller.book.write():
        seller.book.query("UPDATE inbox SET state = ?", (state,))
    found = asked(seller)
    assert (found.may_ship, found.code) == (False, "told_left")
    assert f"the panel already says it has left: {status} of line L1" in found.words
    assert "syncctl explain OD1" in found.words
    for to in (Position.PACKED, Position.DISPATCHED):
        with pytest.raises(Refused) as caught:
            seller.advance("OD1", to)
        assert (caught.value.code, str(caught.value)) == ("told_left", found.words)
    assert seller.count("invoice") == 0
    with seller.book.write():
        seller.book.query("UPDATE inbox SET state = 'NEW'")
    seller.settle()
    assert seller.positions("OD1")[1] == "PICKED"
    seller.advance("OD1", Position.DISPATCHED)


def test_a_fact_that_waits_for_the_scan_lets_the_warehouse_scan_and_not_send(
    seller: Seller,
) -> None:
    """That gate asks for the packing; it opens by it, and the fact itself dispatches."""
    packed(seller, to=Position.PICKED)
    with seller.book.write():
        seller.book.query("UPDATE facility SET traceability = 'ITEM'")
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    assert seller.rows("SELECT state, code FROM inbox") == [
        ("REFUSED", "item_traceability_needs_scan")
    ]
    assert asked(seller).code == "told_left"
    with pytest.raises(Refused, match="already says it has left"):
        seller.advance("OD1", Position.DISPATCHED)
    seller.advance("OD1", Position.PACKED)
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED", "DISPATCHED"]
    assert seller.count("invoice") == 1


def test_an_order_that_the_seller_ships_is_booked_by_hand_once_the_panel_calls_it_delivered(
    seller: Seller,
) -> None:
    """The seller's own word that he shipped it may come before the courier does; no more may."""
    packed(seller)
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle(ships=lambda _: False)
    assert asked(seller).may_ship
    seller.tell(seller.change("OD1", Status.DELIVERED))
    seller.settle(ships=lambda _: False)
    assert seller.positions("OD1") == ["READY_TO_SHIP", "READY_TO_SHIP"]
    found = asked(seller)
    assert (found.may_ship, found.code) == (False, "told_left")
    assert "DELIVERED of line L1, L2" in found.words
    assert "syncctl warehouse OD1 DISPATCHED" in found.words
    seller.advance("OD1", Position.DISPATCHED)
    assert asked(seller).code == "already_left"
