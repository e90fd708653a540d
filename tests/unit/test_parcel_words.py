"""What the packing desk reads, word by word, in each situation that a parcel can be in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.book import queries
from syncd.book.shipping import ParcelVerdict, ShipVerdict
from syncd.errors import NotFound, Refused, SyncdError
from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import ReturnType, Status
from tests.bookkit import Seller


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 5)
    seller.stock("MUG", 5)
    return seller


def packed(seller: Seller, to: Position = Position.READY_TO_SHIP, order_id: str = "OD1") -> None:
    seller.order(order_id, ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    seller.advance(order_id, to)


def told(seller: Seller, *statuses: Status, line_id: str = "", ships: bool = True) -> None:
    """Each is told and decided before the next."""
    for status in statuses:
        seller.tell(seller.change("OD1", status, line_id=line_id))
        seller.settle(ships=None if ships else lambda _: False)


def not_decided(seller: Seller) -> None:
    packed(seller)
    seller.tell(seller.change("OD1", Status.CANCELLED))


def on_hold(seller: Seller) -> None:
    packed(seller)
    told(seller, Status.CANCEL_REQUESTED, line_id="L2")


def blocked(seller: Seller) -> None:
    packed(seller, Position.MANIFESTED)
    told(seller, Status.CANCELLED, line_id="L1")


def short(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    packed(seller)
    told(seller, Status.CANCELLED, line_id="L2")


def emptied(seller: Seller) -> None:
    short(seller)
    told(seller, Status.CANCELLED, line_id="L1")


def repacked(seller: Seller) -> None:
    packed(seller)
    told(seller, Status.CANCELLED, line_id="L2")


def left(seller: Seller) -> None:
    packed(seller, Position.DISPATCHED)


def left_says_the_panel(seller: Seller) -> None:
    packed(seller)
    seller.tell(seller.change("OD1", Status.DISPATCHED, line_id="L1"))


def on_its_way_back_says_the_panel(seller: Seller) -> None:
    packed(seller)
    named = {"line_id": "L1", "return_type": ReturnType.RTO, "tracking_number": "T1"}
    seller.tell(seller.change("OD1", Status.RETURN_NOTICED, **named))


def left_says_the_panel_and_the_seller_ships(seller: Seller) -> None:
    packed(seller)
    told(seller, Status.DELIVERED, ships=False)


AT = "2026-03-01 06:01 UTC"
SITUATIONS = [
    (packed, "READY_TO_SHIP", True, "may_ship", "SP-1: Nothing stands in the way, it may leave."),
    (
        not_decided,
        "READY_TO_SHIP",
        False,
        "cancel_undecided",
        f"Parcel SP-1 must stay here: the channel said CANCELLED of line L1, L2 at {AT}, and this "
        "is not decided yet. See why: syncctl explain OD1",
    ),
    (
        on_hold,
        "READY_TO_SHIP",
        False,
        "piece_held",
        "Parcel SP-1 must stay here: line L2 is on hold: buyer_cancel_requested. It may go on when "
        "the channel withdraws the request; if it confirms it, the piece is cancelled.",
    ),
    (
        blocked,
        "MANIFESTED",
        False,
        "package_blocked",
        "Parcel SP-1 is blocked: cancelled_after_manifest. Take the cancelled piece out and settle "
        "its exception first.",
    ),
    (
        short,
        "READY_TO_SHIP",
        True,
        "without_cancelled",
        "Parcel SP-1 may leave, but without line L2, which is cancelled: take it out.",
    ),
    (
        emptied,
        "CANCELLED",
        False,
        "parcel_cancelled",
        "SP-1: Everything in it is cancelled, so it must stay here.",
    ),
    (left, "DISPATCHED", False, "already_left", "SP-1: It has left already."),
    (
        left_says_the_panel,
        "READY_TO_SHIP",
        False,
        "told_left",
        f"Parcel SP-1: the panel already says it has left: DISPATCHED of line L1 at {AT}, and the "
        "book has not followed yet. Look whether it is still here, and do not send it a second "
        "time; see what keeps the book back: syncctl explain OD1",
    ),
    (
        on_its_way_back_says_the_panel,
        "READY_TO_SHIP",
        False,
        "told_left",
        f"Parcel SP-1: the panel already says it has left: RETURN_NOTICED_RTO of line L1 at {AT}, "
        "and the book has not followed yet. Look whether it is still here, and do not send it a "
        "second time; see what keeps the book back: syncctl explain OD1",
    ),
    (
        left_says_the_panel_and_the_seller_ships,
        "READY_TO_SHIP",
        False,
        "told_left",
        f"Parcel SP-1: the panel already says it has left: DELIVERED of line L1, L2 at {AT}. The "
        "seller ships this order, so the book waits for your word: look whether it is still here; "
        "if it has left, book that: syncctl warehouse OD1 DISPATCHED",
    ),
]


@pytest.mark.parametrize(
    ("situation", "state", "may", "code", "words"), SITUATIONS, ids=lambda one: _name(one)
)
def test_what_is_said_of_a_parcel_and_of_its_order(
    seller: Seller,
    situation: Callable[[Seller], None],
    state: str,
    may: bool,
    code: str,
    words: str,
) -> None:
    situation(seller)
    parcel = ParcelVerdict("SP-1", state, may, code, words)
    wanted = ShipVerdict("shop", "OD1", may, code, words, (parcel,))
    assert queries.of_package(seller.book, "SP-1") == wanted
    assert queries.of_order(seller.book, "OD1") == wanted
    name(seller, 1, "AWB1", "S1")
    if code == "already_left":
        return
    assert queries.of_parcel(seller.book, tracking="AWB1") == wanted
    assert queries.of_parcel(seller.book, shipment="S1", account="shop") == wanted


def _name(one: object) -> str | None:
    return one.__name__ if callable(one) else None


def name(seller: Seller, package: int, tracking: str, shipment: str) -> None:
    with seller.book.write():
        sql = "UPDATE package SET tracking_number = ?, shipment_id = ? WHERE id = ?"
        seller.book.query(sql, (tracking, shipment, package))


def test_a_parcel_that_became_another(seller: Seller) -> None:
    packed(seller)
    told(seller, Status.CANCELLED, line_id="L2")
    words = (
        "Parcel SP-1 is no more: it was packed again, split or merged. Take its label off and ask "
        "for the parcel that it became: syncctl may-ship SP-2"
    )
    old = ParcelVerdict("SP-1", "CANCELLED", False, "parcel_replaced", words)
    wanted = ShipVerdict("shop", "OD1", False, "parcel_replaced", words, (old,))
    assert queries.of_package(seller.book, "SP-1") == wanted
    words = "SP-2: Nothing stands in the way, it may leave."
    new = ParcelVerdict("SP-2", "CREATED", True, "may_ship", words)
    wanted = ShipVerdict("shop", "OD1", True, "may_ship", words, (new,))
    assert queries.of_package(seller.book, "SP-2") == wanted
    assert queries.of_order(seller.book, "OD1") == wanted


def test_what_is_in_no_parcel_yet_and_waits_for_stock(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SOCK", 1))
    words = (
        "Order OD1 must stay here: line L1 is UNFULFILLABLE, waiting for stock; receive the goods, "
        "which gives it what it waits for: syncctl stock receive"
    )
    none = ParcelVerdict("", "", False, "stock_missing", words)
    wanted = ShipVerdict("shop", "OD1", False, "stock_missing", words, (none,))
    assert queries.of_order(seller.book, "OD1") == wanted


def test_a_parcel_out_of_which_everything_was_taken_stays_here(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PICKED)
    told(seller, Status.CANCELLED)
    words = "SP-1: Everything in it is cancelled, so it must stay here."
    empty = ParcelVerdict("SP-1", "CANCELLED", False, "parcel_cancelled", words)
    wanted = ShipVerdict("shop", "OD1", False, "parcel_cancelled", words, (empty,))
    assert queries.of_package(seller.book, "SP-1") == wanted


def test_what_must_stay_speaks_for_the_order_beside_a_parcel_that_may_leave(
    seller: Seller,
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    found = queries.of_order(seller.book, "OD1")
    assert (found.may_ship, found.code, len(found.packages)) == (False, "stock_missing", 1)
    packed(seller, order_id="OD2")
    seller.tell(seller.change("OD2", Status.DISPATCHED, line_id="L1", shipment_id="S1"))
    seller.settle()
    seller.tell(seller.change("OD2", Status.CANCELLED, line_id="L2"))
    found = queries.of_order(seller.book, "OD2")
    assert (found.may_ship, found.code) == (False, "cancel_undecided")
    assert found.words.startswith("Parcel SP-1 must stay here: the channel said CANCELLED of line")
    assert found.words.endswith("See why: syncctl explain OD2")


def test_an_order_that_was_cancelled_before_it_came(seller: Seller) -> None:
    told(seller, Status.CANCELLED)
    words = "Order OD1: The channel had cancelled it before the order was known here."
    wanted = ShipVerdict("shop", "OD1", False, "cancelled_before_import", words, ())
    assert queries.of_order(seller.book, "OD1") == wanted
    assert queries.of_order(seller.book, "OD1", "shop") == wanted


def refusal(ask: Callable[[], object], kind: type[SyncdError]) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        ask()
    return caught.value.code, str(caught.value)


def test_what_is_not_there_or_not_the_only_one(seller: Seller) -> None:
    packed(seller)
    packed(seller, order_id="OD2")
    name(seller, 1, "AWB1", "")
    name(seller, 2, "AWB1", "")
    book = seller.book
    assert refusal(lambda: queries.of_package(book, "SP-3"), NotFound)[1] == (
        "There is no parcel 'SP-3'. A parcel's code looks like SP-7."
    )
    assert refusal(lambda: queries.of_parcel(book, tracking="AWB2"), NotFound)[1] == (
        "No parcel that is still here has the number 'AWB2': it has left, or the book does not "
        "know it. Ask by its order: syncctl may-ship --order ORDER"
    )
    assert refusal(lambda: queries.of_parcel(book, tracking="AWB1"), Refused) == (
        "ambiguous_parcel",
        "Parcels of several orders have the number 'AWB1': OD1 of shop, OD2 of shop. Say which "
        "with --account, or ask by the order or the parcel's code.",
    )
    assert refusal(lambda: queries.of_order(book, "OD9"), NotFound)[1] == (
        "The book has no order 'OD9', so it has no parcel of it either."
    )
