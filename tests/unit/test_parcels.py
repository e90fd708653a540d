"""Parcels that part: split and merged by hand, shipped apart by the panel, in two facilities."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, intake, queries
from syncd.book.order_lookups import order as look
from syncd.book.tables import Facility
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused, SyncdError
from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import NewOrder, OrderLine, ReturnType, Status, StatusChange
from tests.bookkit import Seller

PARCELS = "SELECT code, state, shipment_id, successor_id, came_from_id FROM package ORDER BY id"
INVOICES = "SELECT package_id, number, state FROM invoice ORDER BY package_id"
WHERE = "SELECT line_id, package_id, position FROM item ORDER BY id"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def packed(seller: Seller, to: Position, *lines: str, names: bool = True) -> None:
    """Order OD1 in one parcel, which the channel calls SH1 and TN1."""
    for line in lines:
        seller.stock(line.upper(), 1)
    seller.order("OD1", *((line, line.upper(), 1) for line in lines))
    seller.advance("OD1", to)
    if names:
        with seller.book.write():
            seller.book.query("UPDATE package SET shipment_id = 'SH1', tracking_number = 'TN1'")


def split(seller: Seller, *lines: str, **more: Any) -> acts.Parted:
    take = dict.fromkeys(lines, 0)
    now = seller.clock.now()
    return acts.split(seller.book, "shop", "OD1", take, actor="asha", now=now, **more)


def merge(seller: Seller, *codes: str, **more: Any) -> acts.Parted:
    now = seller.clock.now()
    return acts.merge(seller.book, "shop", "OD1", codes, actor="asha", now=now, **more)


def told(seller: Seller, *changes: StatusChange) -> list[str]:
    seller.tell(*changes)
    seller.settle()
    return seller.positions("OD1")


def left(seller: Seller, shipment: str = "", tracking: str = "", **more: Any) -> StatusChange:
    return seller.change(
        "OD1", Status.DISPATCHED, shipment_id=shipment, tracking_number=tracking, **more
    )


def test_a_parcel_is_split_and_leads_on(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b", "c")
    now = seller.clock.now()
    done = acts.split(seller.book, "shop", "OD1", {"b": 1}, actor="asha", now=now)
    assert (done.was, done.packages, done.voided) == (("SP-1",), ("SP-2", "SP-3"), ())
    assert seller.rows(PARCELS) == [
        ("SP-1", "SPLITTED", "SH1", 2, None), ("SP-2", "CREATED", "", None, 1),
        ("SP-3", "CREATED", "", None, 1),
    ]  # fmt: skip
    assert seller.rows(WHERE) == [("a", 2, "CREATED"), ("b", 3, "CREATED"), ("c", 2, "CREATED")]
    assert seller.rows(
        "SELECT event, item_id, before, after, code, note, actor FROM decision "
        "WHERE event = 'split' ORDER BY id"
    ) == [
        ("split", 1, "CREATED", "CREATED", "parcel_split", "parcel SP-1 to SP-2", "asha"),
        ("split", 3, "CREATED", "CREATED", "parcel_split", "parcel SP-1 to SP-2", "asha"),
        ("split", 2, "CREATED", "CREATED", "parcel_split", "parcel SP-1 to SP-3", "asha"),
    ]
    shown = look(seller.book, "OD1").packages
    assert [(one.code, one.successor) for one in shown] == [
        ("SP-1", "SP-2"), ("SP-2", ""), ("SP-3", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("to", [Position.PACKED, Position.READY_TO_SHIP])
def test_splitting_an_invoiced_parcel_voids_its_invoice(seller: Seller, to: Position) -> None:
    packed(seller, to, "a", "b")
    seller.clock.advance(timedelta(hours=1))
    assert split(seller, "b").voided == ("INV/001",)
    now = to_micros(seller.clock.now())
    assert seller.rows("SELECT changed_at FROM item") == [(now,), (now,)]
    assert seller.rows(WHERE) == [("a", 2, "PICKED"), ("b", 3, "PICKED")]
    assert seller.rows("SELECT before, after, note FROM decision WHERE event = 'split'") == [
        (to.value, "PICKED", "invoice INV/001 void; parcel SP-1 to SP-2"),
        (to.value, "PICKED", "invoice INV/001 void; parcel SP-1 to SP-3"),
    ]
    seller.advance("OD1", Position.PACKED)
    assert seller.rows(INVOICES) == [
        (1, "INV/001", "VOIDED"), (2, "INV/002", "ISSUED"), (3, "INV/003", "ISSUED"),
    ]  # fmt: skip
    told(seller, left(seller, "SH1"))
    assert seller.count("invoice") == 3, "one invoice a parcel"


@pytest.mark.parametrize("name", [{"shipment": "SH1"}, {"tracking": "TN1"}])
def test_the_old_number_means_all_that_became_of_the_parcel(
    seller: Seller, name: dict[str, str]
) -> None:
    packed(seller, Position.CREATED, "a", "b")
    seller.stock("D", 1)
    split(seller, "b")
    add(seller, OrderLine(line_id="d", sku="D", quantity=1))
    assert told(seller, left(seller, **name)) == ["DISPATCHED", "DISPATCHED", "FULFILLABLE"]
    assert seller.rows(PARCELS) == [
        ("SP-1", "SPLITTED", "SH1", 2, None), ("SP-2", "DISPATCHED", "", None, 1),
        ("SP-3", "DISPATCHED", "", None, 1),
    ]  # fmt: skip
    assert seller.rows("SELECT tracking_number FROM package ORDER BY id") == [
        ("TN1",),
        ("",),
        ("",),
    ]


def add(seller: Seller, *lines: OrderLine, **more: Any) -> intake.Taken:
    new = NewOrder(order_id="OD1", placed_at=seller.clock.now(), lines=lines, **more)
    places = {"LOC2": "DEL"}
    taken = intake.take_orders(
        seller.book, "shop", [new], source="test", now=seller.clock.now(),
        facility_of=lambda place: places.get(place, ""),
    )  # fmt: skip
    assert not taken.problems
    return taken


@pytest.mark.parametrize("turn", [("SH1", "SH2"), ("SH2", "SH1")])
def test_a_part_with_a_name_of_its_own_is_not_the_old_one(
    seller: Seller, turn: tuple[str, str]
) -> None:
    packed(seller, Position.PACKED, "a", "b")
    split(seller, "b", names=acts.Names("SH2", "TN2"))
    ends = {"SH1": ["DISPATCHED", "PICKED"], "SH2": ["PICKED", "DISPATCHED"]}
    assert told(seller, left(seller, turn[0])) == ends[turn[0]]
    assert told(seller, left(seller, turn[1])) == ["DISPATCHED", "DISPATCHED"]
    assert [row[1] for row in seller.rows(PARCELS)] == ["SPLITTED", "DISPATCHED", "DISPATCHED"]
    assert seller.rows("SELECT package_id, state FROM invoice ORDER BY 1") == [
        (1, "VOIDED"), (2, "ISSUED"), (3, "ISSUED"),
    ]  # fmt: skip


def test_an_old_name_makes_no_third_parcel(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b")
    split(seller, "b", names=acts.Names("SH2"))
    assert told(seller, left(seller, "SH1", line_id="b")) == ["CREATED", "DISPATCHED"]
    assert seller.rows(WHERE) == [("a", 2, "CREATED"), ("b", 3, "DISPATCHED")]
    assert [row[2] for row in seller.rows(PARCELS)] == ["SH1", "", "SH2"]


def test_a_piece_that_leaves_under_an_old_name_joins_what_became_of_it(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b")
    split(seller, "b")
    seller.stock("D", 1)
    add(seller, OrderLine(line_id="d", sku="D", quantity=1))
    assert told(seller, left(seller, "SH1", line_id="d")) == ["CREATED", "CREATED", "DISPATCHED"]
    assert seller.rows("SELECT package_id FROM item WHERE line_id = 'd'") == [(2,)]
    assert seller.count("package") == 3


def test_a_part_that_learns_its_name_still_answers_to_the_old_one(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b")
    split(seller, "b")
    told(seller, left(seller, "SH7", line_id="a"), left(seller, "SH8", line_id="b"))
    assert [row[2] for row in seller.rows(PARCELS)] == ["SH1", "SH7", "SH8"]
    delivered = seller.change("OD1", Status.DELIVERED, shipment_id="SH1")
    assert told(seller, delivered) == ["DELIVERED", "DELIVERED"]


def test_a_part_is_split_again_and_the_first_number_still_finds_it(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b", "c")
    split(seller, "c")
    split(seller, "b", parcel="SP-2")
    assert [row[1] for row in seller.rows(PARCELS)] == [
        "SPLITTED", "SPLITTED", "CREATED", "CREATED", "CREATED",
    ]  # fmt: skip
    assert told(seller, left(seller, "SH1")) == ["DISPATCHED"] * 3


def test_the_old_numbers_of_several_orders_are_known_in_one_batch(seller: Seller) -> None:
    for order_id, number in (("OD1", "SH1"), ("OD2", "SH2"), ("OD3", "SH3")):
        for line in ("a", "b"):
            seller.stock(line.upper(), 1)
        seller.order(order_id, ("a", "A", 1), ("b", "B", 1))
        seller.advance(order_id, Position.CREATED)
        with seller.book.write():
            seller.book.query(
                "UPDATE package SET shipment_id = ? WHERE shipment_id = ''", (number,)
            )
        now = seller.clock.now()
        acts.split(seller.book, "shop", order_id, {"b": 1}, actor="asha", now=now)
    numbers = {"OD2": "SH2", "OD3": "SH3"}
    for order_id, number in numbers.items():
        seller.tell(seller.change(order_id, Status.DISPATCHED, shipment_id=number))
    seller.settle()
    assert seller.positions("OD1") == ["CREATED", "CREATED"]
    assert [seller.positions(one) for one in numbers] == [["DISPATCHED", "DISPATCHED"]] * 2
    assert seller.count("package", "state = 'DISPATCHED'") == 4, "no third parcel was made"


def test_parcels_are_put_together(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b", "c")
    split(seller, "b", names=acts.Names("SH2"))
    seller.advance("OD1", Position.PACKED)
    done = merge(seller)
    assert (done.was, done.packages) == (("SP-2", "SP-3"), ("SP-4",))
    assert done.voided == ("INV/001", "INV/002")
    assert seller.rows(PARCELS)[1:] == [
        ("SP-2", "MERGED", "", 4, 1), ("SP-3", "MERGED", "SH2", 4, 1),
        ("SP-4", "PICKED", "", None, 2),
    ]  # fmt: skip
    assert [row[1:] for row in seller.rows(WHERE)] == [(4, "PICKED")] * 3
    assert seller.rows("SELECT note FROM decision WHERE event = 'merge' ORDER BY item_id") == [
        ("invoice INV/001 void; parcel SP-2 to SP-4",),
        ("invoice INV/002 void; parcel SP-3 to SP-4",),
        ("invoice INV/001 void; parcel SP-2 to SP-4",),
    ]
    seller.stock("D", 1)
    add(seller, OrderLine(line_id="d", sku="D", quantity=1))
    assert told(seller, left(seller, "SH2")) == [*["DISPATCHED"] * 3, "FULFILLABLE"]
    assert seller.rows(INVOICES)[-1] == (4, "INV/003", "ISSUED")
    assert seller.count("invoice", "state = 'ISSUED'") == 1


def test_merged_parcels_may_be_chosen_and_named(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b", "c", names=False)
    split(seller, "b", "c")
    split(seller, "c", parcel="SP-3")
    done = merge(seller, "SP-5", "SP-2", names=acts.Names("SH9", "TN9"))
    assert (done.was, done.packages) == (("SP-5", "SP-2"), ("SP-6",))
    assert seller.rows("SELECT shipment_id, tracking_number FROM package WHERE id = 6") == [
        ("SH9", "TN9")
    ]
    assert seller.rows(WHERE) == [("a", 6, "CREATED"), ("b", 4, "CREATED"), ("c", 6, "CREATED")]
    assert told(seller, left(seller, "SH9")) == ["DISPATCHED", "CREATED", "DISPATCHED"]


def test_splitting_takes_so_many_of_a_line_and_bundles_whole(seller: Seller) -> None:
    for sku, number in (("CUP", 2), ("LID", 2), ("SHIRT", 3)):
        seller.stock(sku, number)
    seller.order("OD1", ("L1", "SHIRT", 3))
    add(seller, OrderLine(line_id="L2", sku="SET", quantity=2, components=("CUP", "LID")))
    seller.advance("OD1", Position.CREATED)
    now = seller.clock.now()
    acts.split(seller.book, "shop", "OD1", {"L1": 2, "L2": 1}, actor="asha", now=now)
    assert seller.rows("SELECT line_id, piece FROM item WHERE package_id = 3 ORDER BY 1, 2") == [
        ("L1", 0), ("L1", 1), ("L2", 0), ("L2", 1),
    ]  # fmt: skip
    assert seller.rows("SELECT line_id, piece FROM item WHERE package_id = 2 ORDER BY 1, 2") == [
        ("L1", 2), ("L2", 2), ("L2", 3),
    ]  # fmt: skip


def test_what_lay_packed_is_picked_goods_after_a_split(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b", "c")
    told(seller, seller.change("OD1", Status.CANCELLED, line_id="a"))
    split(seller, "b")
    assert seller.positions("OD1") == ["CANCELLED", "PICKED", "PICKED"]
    closed = "SELECT state, closed_by, note, closed_at FROM exceptions"
    now = to_micros(seller.clock.now())
    assert seller.rows(closed) == [("CLOSED", "asha", "parcel_split", now)]
    told(seller, seller.change("OD1", Status.CANCELLED, line_id="b"))
    assert seller.stock_of("B") == {"putaway_pending": 1}


def test_a_piece_cancelled_in_a_parcel_is_in_none_after_its_split(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    packed(seller, Position.PACKED, "a", "b", "c")
    told(seller, seller.change("OD1", Status.CANCELLED, line_id="a"))
    split(seller, "b")
    assert seller.rows(WHERE) == [("a", None, "CANCELLED"), ("b", 3, "PICKED"), ("c", 2, "PICKED")]
    told(seller, left(seller, "SH1"))  # the invariants are looked at


def test_a_piece_cancelled_in_another_parcel_stays_in_that(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    packed(seller, Position.CREATED, "a", "b", "c", "d", names=False)
    split(seller, "c", "d")
    seller.advance("OD1", Position.PACKED)
    told(seller, seller.change("OD1", Status.CANCELLED, line_id="a"))
    split(seller, "d", parcel="SP-3")
    assert seller.rows(WHERE)[:2] == [("a", 2, "CANCELLED"), ("b", 2, "PACKED")]


@pytest.mark.parametrize(
    ("to", "lines", "more", "error", "code", "words"),
    [
        (Position.MANIFESTED, ("b",), {}, Refused, "ambiguous_parcel", "not just one parcel"),
        (Position.MANIFESTED, ("b",), {"parcel": "SP-1"}, Refused, "parcel_manifested", "manifest"),
        (Position.DISPATCHED, ("b",), {"parcel": "SP-1"}, Refused, "parcel_closed", "DISPATCHED"),
        (Position.PACKED, ("a", "b"), {}, Refused, "nothing_to_split", "Nothing would be left"),
        (Position.PACKED, (), {}, Refused, "nothing_to_split", "Say which lines"),
        (Position.PACKED, ("z",), {}, Refused, "not_in_parcel", "holds 0 of line z, not any"),
        (Position.PACKED, ("b",), {"parcel": "SP-9"}, NotFound, "not_found", "parcels: SP-1"),
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_changes_nothing(
    seller: Seller, to: Position, lines: tuple[str, ...], more: dict[str, str],
    error: type[SyncdError], code: str, words: str,
) -> None:  # fmt: skip
    packed(seller, to, "a", "b")
    before = seller.dump()
    with pytest.raises(error, match=words) as caught:
        split(seller, *lines, **more)
    assert caught.value.code == code
    assert seller.dump() == before


def test_no_more_is_taken_of_a_line_than_is_in_the_parcel(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b")
    now = seller.clock.now()
    with pytest.raises(Refused, match="holds 1 of line a, not 2"):
        acts.split(seller.book, "shop", "OD1", {"a": 2}, actor="asha", now=now)
    with pytest.raises(NotFound, match="no order 'OD9'"):
        acts.split(seller.book, "shop", "OD9", {"a": 1}, actor="asha", now=now)


def test_a_split_parcel_is_not_split_again(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b", "c")
    split(seller, "b")
    with pytest.raises(Refused, match="SP-1 is SPLITTED") as caught:
        split(seller, "a", parcel="SP-1")
    assert caught.value.code == "parcel_closed"


def test_a_merge_needs_two_parcels_of_one_place(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a")
    with pytest.raises(Refused, match="has 1 parcel") as caught:
        merge(seller)
    assert caught.value.code == "nothing_to_merge"
    second_facility(seller)
    seller.advance("OD1", Position.CREATED)
    with pytest.raises(Refused) as caught:
        merge(seller)
    assert (caught.value.code, str(caught.value)) == (
        "two_facilities",
        "Parcels SP-1, SP-2 are in different facilities; a parcel leaves from one place.",
    )


def test_a_blocked_parcel_is_not_opened(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b")
    with seller.book.write():
        seller.book.query("UPDATE package SET blocked = 'cancelled_after_manifest'")
    with pytest.raises(Refused, match="SP-1 is blocked") as caught:
        split(seller, "b")
    assert caught.value.code == "package_blocked"


def test_a_refusal_to_part_parcels_says_which_there_are_and_what_to_do(seller: Seller) -> None:
    def refused(act: Callable[[], object]) -> str:
        with pytest.raises(SyncdError) as caught:
            act()
        return str(caught.value)

    for sku in ("a", "b"):
        seller.stock(sku, 1)
    seller.order("OD1", ("a", "a", 1), ("b", "b", 1))
    assert refused(lambda: split(seller, "a")) == (
        "Order OD1 has not just one parcel that can be split: none; pack it first. Say which."
    )
    assert refused(lambda: split(seller, "a", parcel="SP-9")) == (
        "Order OD1 has no parcel 'SP-9'. Its parcels: none."
    )
    seller.advance("OD1", Position.PACKED)
    assert refused(lambda: split(seller)) == "Say which lines go into the second parcel."
    split(seller, "b")
    assert refused(lambda: split(seller, "a")) == (
        "Order OD1 has not just one parcel that can be split: SP-2, SP-3. Say which."
    )
    assert refused(lambda: split(seller, "a", parcel="SP-9")) == (
        "Order OD1 has no parcel 'SP-9'. Its parcels: SP-1, SP-2, SP-3."
    )
    assert refused(lambda: split(seller, "a", parcel="SP-1")) == (
        "Parcel SP-1 is SPLITTED; only a parcel that has not left can be split or merged."
    )
    with seller.book.write():
        seller.book.query("UPDATE package SET blocked = 'stop' WHERE id = 2")
    assert refused(lambda: split(seller, "a", parcel="SP-2")) == (
        "Parcel SP-2 is blocked: stop. Take the cancelled piece out and settle its exception first."
    )


def test_a_part_has_the_courier_that_takes_it(seller: Seller) -> None:
    packed(seller, Position.CREATED, "a", "b")
    split(seller, "b", names=acts.Names("SH2"))
    told(seller, left(seller, "SH2", courier="EKL"))
    assert seller.rows("SELECT courier FROM package ORDER BY id") == [("",), ("",), ("EKL",)]


def test_what_is_still_here_of_a_parcel_that_left_is_nearer_than_another_parcel(
    seller: Seller,
) -> None:
    seller.stock("A", 3)
    seller.order("OD1", ("a", "A", 3))
    seller.advance("OD1", Position.PACKED)
    now, one = seller.clock.now(), {"line_id": "a", "quantity": 1}
    acts.split(
        seller.book, "shop", "OD1", {"a": 1}, names=acts.Names("S9", "T9"), actor="asha", now=now
    )
    assert told(seller, left(seller, "S1", "T1", **one)) == ["PICKED", "DISPATCHED", "PICKED"]
    assert seller.rows("SELECT learned FROM package WHERE shipment_id = 'S1'") == [(1,)]
    assert told(seller, left(seller, "S2", "T2", **one)) == ["PICKED", "DISPATCHED", "DISPATCHED"]


def test_a_parcel_made_for_what_left_without_a_name_remembers_that_it_learns_it(
    seller: Seller,
) -> None:
    seller.stock("A", 1)
    seller.order("OD1", ("a", "A", 1))
    told(seller, left(seller))
    assert seller.rows("SELECT learned FROM package") == [(1,)]


def test_what_was_parted_is_told_with_its_order_and_recorded_as_a_parcel_made(
    seller: Seller,
) -> None:
    packed(seller, Position.CREATED, "a", "b")
    done = split(seller, "b")
    assert (done.account, done.order_id) == ("shop", "OD1")
    steps = seller.rows("SELECT DISTINCT steps FROM decision WHERE event = 'split'")
    assert steps == [("create_shipment",)]


# ---- The panel's own parcels ------------------------------------------------------------------


def test_the_panel_ships_in_another_parcel_than_the_one_packed(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b")
    assert told(seller, left(seller, "SH2", line_id="b")) == ["PACKED", "DISPATCHED"]
    assert seller.rows(PARCELS) == [
        ("SP-1", "PACKED", "SH1", None, None), ("SP-2", "DISPATCHED", "SH2", None, None),
    ]  # fmt: skip
    assert seller.rows(INVOICES) == [(1, "INV/001", "ISSUED"), (2, "INV/002", "ISSUED")]
    assert told(seller, left(seller, "SH3", line_id="a")) == ["DISPATCHED", "DISPATCHED"]
    assert seller.rows(PARCELS) == [
        ("SP-1", "CANCELLED", "SH1", 3, None), ("SP-2", "DISPATCHED", "SH2", None, None),
        ("SP-3", "DISPATCHED", "SH3", None, None),
    ]  # fmt: skip
    assert seller.rows(INVOICES) == [
        (1, "INV/001", "VOIDED"), (2, "INV/002", "ISSUED"), (3, "INV/003", "ISSUED"),
    ]  # fmt: skip
    assert seller.rows("SELECT note FROM decision WHERE item_id = 1 AND inbox_id IS NOT NULL") == [
        ("invoice INV/003; in a parcel of its own; invoice INV/001 void",)
    ]


def test_two_of_a_parcel_ship_together_in_another(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b")
    told(seller, left(seller, "SH2"))
    assert told(seller, left(seller, "SH2", line_id="a"), left(seller, "SH2", line_id="b")) == [
        "DISPATCHED", "DISPATCHED",
    ]  # fmt: skip
    assert seller.rows(INVOICES) == [(1, "INV/001", "VOIDED"), (2, "INV/002", "ISSUED")]


def test_s19_one_parcel_is_delivered_and_the_other_comes_back(seller: Seller) -> None:
    seller.stock("A", 1)
    seller.stock("B", 1)
    seller.order("OD1", ("a", "A", 1), ("b", "B", 1))
    told(seller, left(seller, "SH1", line_id="a"), left(seller, "SH2", line_id="b"))
    rto = seller.change("OD1", Status.RETURN_NOTICED, return_type=ReturnType.RTO, shipment_id="SH2")
    delivered = seller.change("OD1", Status.DELIVERED, shipment_id="SH1")
    assert told(seller, rto, delivered) == ["DELIVERED", "RETURN_EXPECTED"]
    assert seller.order_state("OD1") == "COMPLETE"
    assert [row[1] for row in seller.rows(PARCELS)] == ["DELIVERED", "RETURN_EXPECTED"]


# ---- Two facilities ---------------------------------------------------------------------------


def second_facility(seller: Seller) -> None:
    """Line z of OD1 is at facility DEL, with a sequence of its own."""
    now = seller.clock.now()
    with seller.book.write():
        Facility.create(tenant=1, code="DEL")
    acts.define_sequence(seller.book, "DEL", prefix="D/", start=1, width=1, actor="t", now=now)
    acts.receive_stock(seller.book, "DEL", {"Z": 1}, actor="test", now=now)
    add(seller, OrderLine(line_id="z", sku="Z", quantity=1), location_id="LOC2")


@pytest.mark.parametrize("shipment", ["", "SH5"])
@pytest.mark.parametrize("to", [None, Position.PACKED])
def test_an_order_at_two_facilities_has_a_parcel_and_an_invoice_at_each(
    seller: Seller, shipment: str, to: Position | None
) -> None:
    seller.stock("A", 1)
    seller.order("OD1", ("a", "A", 1))
    second_facility(seller)
    if to is not None:
        seller.advance("OD1", to)
    assert told(seller, left(seller, shipment)) == ["DISPATCHED", "DISPATCHED"]
    assert seller.rows(
        "SELECT f.code, p.state, p.shipment_id, v.number FROM package p JOIN facility f "
        "ON f.id = p.facility_id JOIN invoice v ON v.package_id = p.id ORDER BY p.id"
    ) == [("BLR", "DISPATCHED", shipment, "INV/001"), ("DEL", "DISPATCHED", shipment, "D/1")]


def test_a_tracking_number_means_its_parcel_in_a_later_pass_too(seller: Seller) -> None:
    seller.stock("A", 2)
    seller.order("OD1", ("a", "A", 2))
    for number in ("T1", "T2"):
        told(seller, left(seller, tracking=number, line_id="a", quantity=1))
    second = seller.change("OD1", Status.DELIVERED, tracking_number="T2", quantity=1)
    assert told(seller, second) == ["DISPATCHED", "DELIVERED"]


def test_a_fact_waits_for_the_second_of_its_facilities_as_well(seller: Seller) -> None:
    seller.stock("A", 1)
    seller.order("OD1", ("a", "A", 1))
    second_facility(seller)
    now = seller.clock.now()
    acts.set_facility(seller.book, "DEL", state="INACTIVE", traceability="NONE", actor="t", now=now)
    assert told(seller, left(seller)) == ["FULFILLABLE", "FULFILLABLE"]
    assert seller.rows("SELECT code, message FROM inbox") == [
        (
            "facility_inactive",
            "Facility DEL is not active; make it ACTIVE again, the fact is then tried again",
        )
    ]


def test_a_cancellation_at_one_facility_leaves_the_other_parcel_alone(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b")
    second_facility(seller)
    seller.advance("OD1", Position.PACKED)
    stands = told(seller, seller.change("OD1", Status.CANCELLED, line_id="b"))
    assert stands == ["CREATED", "CANCELLED", "PACKED"]
    assert seller.rows("SELECT number, state FROM invoice ORDER BY number") == [
        ("D/1", "ISSUED"), ("INV/001", "VOIDED"),
    ]  # fmt: skip


def both(seller: Seller, *, names: bool) -> None:
    """Two pieces of one line, packed in one parcel."""
    seller.stock("A", 2)
    seller.order("OD1", ("a", "A", 2))
    seller.advance("OD1", Position.PACKED)
    if names:
        with seller.book.write():
            seller.book.query("UPDATE package SET shipment_id = 'SH1', tracking_number = 'TN1'")


def test_a_name_learned_from_what_left_is_not_that_of_what_is_still_here(seller: Seller) -> None:
    both(seller, names=False)
    told(seller, left(seller, "SH1", "TN1", line_id="a", quantity=1))
    delivered = seller.change("OD1", Status.DELIVERED, shipment_id="SH1")
    assert told(seller, delivered) == ["DELIVERED", "PACKED"]
    assert queries.of_package(seller.book, "SP-1").may_ship, "the other piece may"
    with pytest.raises(NotFound, match="has left"):
        queries.of_parcel(seller.book, tracking="TN1")
    again = seller.change("OD1", Status.DISPATCHED, tracking_number="TN2", line_id="a", quantity=1)
    assert told(seller, again) == ["DELIVERED", "DISPATCHED"]
    assert seller.rows("SELECT shipment_id, tracking_number, state FROM package ORDER BY id") == [
        ("SH1", "TN1", "DELIVERED"), ("", "TN2", "DISPATCHED"),
    ]  # fmt: skip
    assert [row[2] for row in seller.rows(INVOICES)] == ["ISSUED", "ISSUED"]


def test_a_label_from_before_means_all_that_was_packed_under_it(seller: Seller) -> None:
    both(seller, names=True)
    assert told(seller, left(seller, "SH1", line_id="a", quantity=1)) == ["DISPATCHED", "PACKED"]
    delivered = seller.change("OD1", Status.DELIVERED, shipment_id="SH1")
    assert told(seller, delivered) == ["DELIVERED", "DELIVERED"]
    assert seller.count("package") == 1


def test_another_tracking_number_for_a_parcel_with_a_label_is_no_other_parcel(
    seller: Seller,
) -> None:
    both(seller, names=True)
    assert told(seller, left(seller, tracking="TN9")) == ["DISPATCHED", "DISPATCHED"]
    assert (seller.count("package"), seller.count("invoice")) == (1, 1)


def test_both_leave_under_the_name_that_the_first_brought(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b", names=False)
    told(seller, left(seller, "SH1", "TN1", line_id="a"))
    assert told(seller, left(seller, "SH1", "TN2", line_id="b")) == ["DISPATCHED", "DISPATCHED"]
    assert (seller.count("package"), seller.count("invoice")) == (1, 1)
    delivered = seller.change("OD1", Status.DELIVERED, shipment_id="SH1")
    assert told(seller, delivered) == ["DELIVERED", "DELIVERED"]


def test_a_return_names_the_parcel_in_which_it_must_have_left(seller: Seller) -> None:
    packed(seller, Position.PACKED, "a", "b", names=False)
    back = seller.change(
        "OD1", Status.RETURN_NOTICED, return_type=ReturnType.RTO, return_id="R1", line_id="b",
        shipment_id="SH2", tracking_number="RT9", left_seller=True,
    )  # fmt: skip
    assert told(seller, back) == ["PACKED", "RETURN_EXPECTED"]
    assert told(seller, left(seller, "SH1", "TN1", line_id="a"))[0] == "DISPATCHED"
    told(seller, left(seller, "SH2", "TN2", line_id="b"))
    assert seller.rows("SELECT shipment_id, tracking_number FROM package ORDER BY id") == [
        ("SH2", "TN2"), ("SH1", "TN1"),
    ]  # fmt: skip


@pytest.mark.parametrize("to", [Position.PACKED, Position.READY_TO_SHIP])
def test_a_parcel_that_left_in_part_is_not_parted_by_hand(seller: Seller, to: Position) -> None:
    packed(seller, to, "a", "b", "c", names=False)
    told(seller, left(seller, "SH1", line_id="a"))
    for act in (lambda: split(seller, "b", parcel="SP-1"), lambda: merge(seller, "SP-1", "SP-1")):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code in ("parcel_closed", "nothing_to_merge")
    with pytest.raises(Refused) as caught:
        split(seller, "b", parcel="SP-1")
    assert str(caught.value) == (
        "A part of parcel SP-1 has left, so it cannot be split or merged. What is still here gets "
        "a parcel of its own when the channel ships it in another one."
    )
    with pytest.raises(Refused, match="0 parcel"):
        merge(seller)
    assert seller.rows(WHERE) == [("a", 1, "DISPATCHED"), ("b", 1, to), ("c", 1, to)]
    assert [row[2] for row in seller.rows(INVOICES)] == ["ISSUED"]
