"""Orders that grow after something was said of them, and what is said of a line by another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.book import acts, shipping
from syncd.book.intake import take_orders
from syncd.book.last_word import settled_pieces
from syncd.book.replay import Replay, known_facts
from syncd.book.worker import AccountView
from syncd.errors import NotFound, Refused
from syncd.rules import Position
from syncd.statuses import NewOrder, OrderLine, ReturnType, Status
from tests.bookkit import Seller

WHO = "uid 1000 (asha)"
GONE, CANCELLED = Status.DISPATCHED, Status.CANCELLED


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    found = Seller(tmp_path)
    found.stock("SHIRT", 5)
    found.stock("SOCK", 5)
    return found


def said(seller: Seller, status: Status, **more: object) -> list[str]:
    seller.tell(seller.change("OD1", status, **more))
    seller.settle()
    return seller.positions("OD1")


def may_ship(seller: Seller) -> tuple[bool, str]:
    found = shipping.of_order(seller.book, "OD1")
    return found.may_ship, found.code


def open_codes(seller: Seller) -> list[str]:
    return [code for (code,) in seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN'")]


def test_a_line_that_comes_after_its_order_was_cancelled_is_cancelled_too(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert said(seller, CANCELLED) == ["CANCELLED"]
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    assert may_ship(seller) == (False, "cancel_undecided")
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    assert seller.stock_of("SOCK") == {"on_hand_good": 5}
    assert seller.rows("SELECT item_id, outcome FROM decision WHERE inbox_id = 1 ORDER BY id") == [
        (1, "APPLY"),
        (2, "APPLY"),
    ]
    assert seller.settle().counts.taken_up == 0


def test_an_order_that_was_cancelled_before_it_came_may_come_in_two_parts(seller: Seller) -> None:
    seller.tell(seller.change("OD1", CANCELLED))
    seller.settle()
    for lines in ([("L1", "SHIRT", 1)], [("L1", "SHIRT", 1), ("L2", "SOCK", 1)]):
        seller.order("OD1", *lines)
        seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    assert seller.journal() == [("DONE", "TOMBSTONE", "cancelled_before_import")]


def test_a_line_that_comes_late_goes_the_way_of_its_order(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, GONE)
    said(seller, Status.RETURN_NOTICED, return_type=ReturnType.RTO)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    seller.settle()
    assert seller.positions("OD1") == ["RETURN_EXPECTED", "RETURN_EXPECTED"]
    assert seller.stock_of("SOCK") == {"on_hand_good": 4, "in_transit_back": 1}


def test_what_was_said_of_one_line_is_not_said_of_another(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    said(seller, CANCELLED, line_id="L1", quantity=1)
    said(seller, GONE, line_id="L1", quantity=1)
    seller.order("OD1", ("L1", "SHIRT", 3), ("L2", "SOCK", 1))
    seller.settle()
    found = seller.positions("OD1")
    assert (sorted(found[:2]), found[2:]) == (["CANCELLED", "DISPATCHED"], ["FULFILLABLE"] * 2)


@pytest.mark.parametrize("cumulative", [False, True])
@pytest.mark.parametrize("status", [CANCELLED, GONE])
def test_what_exceeded_the_order_is_carried_out_when_the_pieces_come(
    seller: Seller, status: Status, cumulative: bool
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    stands = [status.value] * 2
    assert said(seller, status, line_id="L1", quantity=3, cumulative=cumulative) == stands
    assert seller.journal() == [("DONE", "ESCALATE", "quantity_exceeds")]
    assert open_codes(seller) == ["quantity_exceeds"]
    seller.order("OD1", ("L1", "SHIRT", 3))
    clerk = seller.settle()
    assert seller.positions("OD1") == [status.value] * 3
    assert (open_codes(seller), clerk.counts.taken_up) == ([], 1)


def test_what_still_exceeds_the_order_stays_one_question(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, CANCELLED, line_id="L1", quantity=3)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    assert open_codes(seller) == ["quantity_exceeds"]


def test_that_a_fact_exceeds_the_order_is_in_the_plan(tmp_path: Path) -> None:
    plans = []
    for quantity in (1, 5):
        folder = tmp_path / str(quantity)
        folder.mkdir()
        house = Seller(folder)
        house.order("OD1", ("L1", "SHIRT", 1))
        house.tell(house.change("OD1", GONE, line_id="L1", quantity=quantity, evidence_id="e"))
        plans.append(house.settle().plan.hexdigest())
    assert plans[0] != plans[1]


@pytest.mark.parametrize("status", [CANCELLED, Status.CANCEL_REQUESTED])
def test_a_cancellation_of_a_line_that_nobody_knows_stops_the_order(
    seller: Seller, status: Status
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert may_ship(seller) == (True, "may_ship")
    said(seller, status, line_id="L9")
    assert may_ship(seller) == (False, "cancel_unclear")
    assert "of line L9" in shipping.of_order(seller.book, "OD1").words
    with pytest.raises(Refused, match="nobody knows which piece"):
        seller.advance("OD1", Position.PACKED)
    acts.ignore(seller.book, [1], note="of another shop", actor=WHO, now=seller.clock.now())
    assert may_ship(seller) == (True, "may_ship")


def test_a_wish_of_a_line_that_nobody_knows_may_be_withdrawn(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, Status.CANCEL_REQUESTED, line_id="L9")
    said(seller, Status.CANCEL_WITHDRAWN, line_id="L8")
    assert may_ship(seller) == (False, "cancel_unclear")
    said(seller, Status.CANCEL_WITHDRAWN, line_id="L9")
    assert may_ship(seller) == (True, "may_ship")


def test_a_person_says_of_which_line_a_fact_is(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    told = seller.change("OD1", CANCELLED, line_id="9001", evidence_id="e1")
    seller.tell(told)
    seller.settle()
    now = seller.clock.now()
    with pytest.raises(NotFound, match="its lines are L1, L2"):
        acts.retry(seller.book, ids=[1], line="L3", actor=WHO, now=now)
    with pytest.raises(Refused, match="by their ids"):
        acts.retry(seller.book, account="shop", line="L2", actor=WHO, now=now)
    done = acts.retry(seller.book, ids=[1], line="L2", actor=WHO, now=now)
    assert (done.ids, done.accounts) == ((1,), ("shop",))
    seller.settle()
    assert seller.positions("OD1") == ["FULFILLABLE", "CANCELLED"]
    seller.tell(told)  # told again it is the same fact still
    seller.settle()
    assert seller.journal() == [("DONE", "APPLY", "cancelled_on_channel")]
    (note,) = seller.rows("SELECT note FROM decision WHERE event = 'retry'")[0]
    assert note == "as of line L2"


def test_a_word_on_a_fact_of_a_named_line_is_the_last_word_on_that_line(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, CANCELLED, line_id="9001", quantity=2)
    acts.retry(seller.book, ids=[1], line="L1", actor=WHO, now=seller.clock.now())
    seller.settle()
    assert open_codes(seller) == ["quantity_exceeds"]
    acts.settle(seller.book, [1], "dismiss", note="there was one", actor=WHO,
                now=seller.clock.now())  # fmt: skip
    with seller.book.connection():
        assert settled_pieces(seller.book, 1, ["OD1"]) == {("OD1", "L1"): 1}


def test_what_was_carried_out_for_one_line_is_not_taken_for_another(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    said(seller, CANCELLED, line_id="L1")
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    now = seller.clock.now()
    acts.ignore(seller.book, [1], note="not for the new one", actor=WHO, now=now)
    with pytest.raises(Refused, match="was carried out already"):
        acts.retry(seller.book, ids=[1], line="L2", actor=WHO, now=now)
    assert seller.rows("SELECT state, as_line FROM inbox") == [("IGNORED", "")]
    acts.retry(seller.book, ids=[1], actor=WHO, now=now)
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "FULFILLABLE", "CANCELLED"]


def test_a_fact_of_a_line_or_its_replacement_stops_both_until_it_is_settled(
    seller: Seller,
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    lines = [OrderLine(line_id="L1", sku="SHIRT", quantity=1),
             OrderLine(line_id="L2", sku="SHIRT", quantity=1, replaces_line_id="L1")]  # fmt: skip
    now = seller.clock.now()
    order = NewOrder(order_id="OD1", placed_at=now, lines=tuple(lines))
    take_orders(seller.book, "shop", [order], source="test", now=now)
    seller.tell(seller.change("OD1", CANCELLED, sku="SHIRT"))
    assert may_ship(seller) == (False, "cancel_unclear")
    seller.settle()
    assert seller.journal() == [("DONE", "ESCALATE", "ambiguous_replacement")]
    assert seller.count("decision", "code = 'ambiguous_replacement'") == 1
    assert may_ship(seller) == (False, "cancel_unclear")
    acts.settle(seller.book, [1], "dismiss", note="of the first", actor=WHO,
                now=seller.clock.now())  # fmt: skip
    assert may_ship(seller) == (True, "may_ship")


def test_what_came_into_an_order_later_is_in_its_story(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    note = "1 of SHIRT in line L1 and 1 of SOCK in line L2"
    assert seller.rows("SELECT event, code, actor, note, item_id FROM decision") == [
        ("grow", "order_grown", "import from test", note, None)
    ]


def grown_after_a_return(seller: Seller) -> list[str]:
    """One of two pieces goes its way, then a line comes; where the two stood before that."""
    seller.order("OD1", ("L1", "SHIRT", 2))
    said(seller, GONE, line_id="L1", quantity=1)
    said(seller, Status.DELIVERED, sku="SHIRT", quantity=1, cumulative=True)
    said(seller, Status.RETURN_NOTICED, sku="SHIRT", quantity=1, return_type=ReturnType.CIR)
    before = seller.positions("OD1")
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    return before


def test_a_total_that_is_taken_up_again_is_for_new_pieces_alone(seller: Seller) -> None:
    before = grown_after_a_return(seller)
    seller.settle()
    assert seller.positions("OD1") == [*before, "FULFILLABLE"]


@pytest.mark.parametrize("name", ["shipment_id", "tracking_number"])
@pytest.mark.parametrize("status", [CANCELLED, GONE])
def test_what_was_said_of_a_parcel_is_not_said_of_a_piece_that_came_later(
    seller: Seller, status: Status, name: str
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, status, **{name: "P1"})
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    seller.settle()
    assert seller.positions("OD1") == [status.value, "FULFILLABLE"]


def test_each_cancellation_of_a_line_that_nobody_knows_stops_the_order_by_itself(
    seller: Seller,
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, Status.CANCEL_REQUESTED, line_id="L9")
    said(seller, CANCELLED, line_id="L8")
    said(seller, Status.CANCEL_WITHDRAWN, line_id="L9")
    assert may_ship(seller) == (False, "cancel_unclear")


def test_a_replacement_takes_up_nothing_that_was_settled_before_it(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, GONE)
    said(seller, Status.DELIVERED)
    before = seller.journal()
    now = seller.clock.now()
    line = OrderLine(line_id="L2", sku="SHIRT", quantity=1, replaces_line_id="L1")
    order = NewOrder(order_id="OD1", placed_at=now, lines=(line,))
    take_orders(seller.book, "shop", [order], source="test", now=now)
    seller.settle()
    assert (seller.journal(), open_codes(seller)) == (before, [])


def test_what_was_said_of_a_line_by_its_sku_stays_so_when_the_line_takes_its_id(
    seller: Seller,
) -> None:
    seller.order("OD1", ("SHIRT", "SHIRT", 1))
    seller.tell(seller.change("OD1", CANCELLED, line_id="77"))
    seller.settle()
    acts.retry(seller.book, ids=[1], line="SHIRT", actor=WHO, now=seller.clock.now())
    seller.order("OD1", ("77", "SHIRT", 1))
    assert seller.rows("SELECT as_line FROM inbox") == [("77",)]
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED"]


def test_a_cancellation_before_its_order_of_a_line_that_never_came_can_be_named(
    seller: Seller,
) -> None:
    seller.tell(seller.change("OD1", CANCELLED, line_id="L9"))
    seller.settle()
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert may_ship(seller) == (False, "cancel_unclear")
    seller.settle()
    assert seller.journal() == [("PARKED", "PARK", "line_unknown")]
    acts.retry(seller.book, ids=[1], line="L1", actor=WHO, now=seller.clock.now())
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED"]


def test_parts_of_an_order_in_one_page_share_what_was_cancelled_before_it(seller: Seller) -> None:
    seller.tell(seller.change("OD1", CANCELLED, line_id="L2", quantity=1))
    seller.settle()
    now = seller.clock.now()
    lines = [OrderLine(line_id=f"L{n}", sku="SHIRT", quantity=1) for n in (1, 2, 3)]
    parts = [
        NewOrder(order_id="OD1", placed_at=now, lines=tuple(lines[:count])) for count in (1, 2, 3)
    ]
    take_orders(seller.book, "shop", parts, source="test", now=now)
    assert seller.journal() == [("DONE", "TOMBSTONE", "cancelled_before_import")]
    seller.settle()
    assert seller.positions("OD1") == ["FULFILLABLE", "CANCELLED", "FULFILLABLE"]


@pytest.mark.parametrize("more", [{"cumulative": True}, {"shipment_id": "P1"}])
def test_a_total_or_a_parcel_that_was_cancelled_already_is_of_no_piece_that_comes(
    seller: Seller, more: dict[str, object]
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, CANCELLED, line_id="L1", quantity=1)
    said(seller, CANCELLED, line_id="L1", quantity=1, **more)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED", "FULFILLABLE"]


def test_one_more_that_is_cancelled_is_a_piece_that_comes(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    for _ in range(2):
        said(seller, CANCELLED, line_id="L1", quantity=1)
    seller.order("OD1", ("L1", "SHIRT", 3))
    seller.settle()
    assert sorted(seller.positions("OD1")) == ["CANCELLED", "CANCELLED", "FULFILLABLE"]


def test_until_it_is_decided_for_new_pieces_it_stops_no_old_one(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    said(seller, CANCELLED, sku="SHIRT", quantity=1)
    said(seller, Status.CANCEL_REQUESTED, sku="SHIRT", quantity=1)
    said(seller, Status.CANCEL_WITHDRAWN, sku="SHIRT", quantity=1)
    before = may_ship(seller)
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    assert (before, may_ship(seller)) == ((True, "without_cancelled"),) * 2


def test_an_audit_that_plays_on_meets_only_what_came(seller: Seller) -> None:
    before = grown_after_a_return(seller)
    account = AccountView(id=1, name="shop", channel="flipkart", tenant_id=1)
    replay = Replay(seller.book, account, None)
    facts = [fact for fact in known_facts(seller.book, 1, ["OD1"]) if fact.state == "NEW"]
    assert facts
    (order,) = replay.from_now(["OD1"], facts).sheet.orders.values()
    assert [piece.position.value for piece in order.pieces] == [*before, "FULFILLABLE"]


@pytest.mark.parametrize(
    ("names", "of"),
    [({"line_id": "L9"}, " of line L9"), ({"line_id": "", "sku": "HAT"}, " of SKU HAT")],
)
def test_who_packs_is_told_which_cancellation_nobody_understands(
    seller: Seller, names: dict[str, str], of: str
) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    said(seller, CANCELLED, **names)
    assert shipping.of_order(seller.book, "OD1").words == (
        f"Parcel SP-1 must stay here: the channel said CANCELLED{of} at 2026-03-01 06:01 UTC, and "
        "nobody knows which piece of this order that is. Look at the order in the panel; what "
        "helps: syncctl explain OD1"
    )


def test_a_cancellation_of_an_order_with_a_replacement_may_be_of_either(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    now = seller.clock.now()
    line = OrderLine(line_id="L2", sku="SHIRT", quantity=1, replaces_line_id="L1")
    order = NewOrder(order_id="OD1", placed_at=now, lines=(line,))
    take_orders(seller.book, "shop", [order], source="test", now=now)
    said(seller, CANCELLED, line_id="")
    words = shipping.of_order(seller.book, "OD1").words
    assert "the channel said CANCELLED at " in words


def test_what_stands_is_not_passed_over_when_the_seller_ships_the_rest(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    said(seller, GONE)
    before = seller.journal()
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    seller.settle(ships=lambda _: False)
    assert seller.positions("OD1") == ["DISPATCHED", "FULFILLABLE"]
    assert seller.journal() == before == [("DONE", "APPLY", "dispatched_on_channel")]
