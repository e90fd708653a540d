"""What a person does to orders and goods: receiving, counting, packing, putting away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.book import acts, intake
from syncd.book.acts import Disposition
from syncd.book.intake_files import ImportedOrder
from syncd.book.stock import Bucket, Moves, imbalance, on_hand
from syncd.errors import NotFound, Refused
from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import OrderLine, ReturnType, Status
from tests.bookkit import Seller, check_invariants

WHO = "uid 1000 (asha)"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def advance(seller: Seller, to: Position, order_id: str = "OD1") -> acts.Advanced:
    done = acts.advance(seller.book, "shop", order_id, to, actor=WHO, now=seller.clock.now())
    check_invariants(seller.book)
    return done


def settle(seller: Seller, *changes: Status, **more: object) -> None:
    seller.tell(*(seller.change("OD1", status, **more) for status in changes))
    seller.settle()


def put_away(seller: Seller, putaway_id: int, disposition: Disposition) -> acts.PutAway:
    done = acts.complete_putaway(
        seller.book, putaway_id, disposition, actor=WHO, now=seller.clock.now()
    )
    check_invariants(seller.book)
    return done


def test_moves_are_summed_and_flushed_once(seller: Seller) -> None:
    moves = Moves()
    with seller.book.write():
        for target in (Bucket.ON_HAND_GOOD, Bucket.ON_HAND_GOOD, Bucket.BAD):
            moves.add(1, "A", Bucket.OUTSIDE, target, 1, None, "received", 5)
        assert len(moves) == 3
        moves.flush(seller.book)
        moves.flush(seller.book)
        assert on_hand(seller.book, [(1, "A"), (1, "B"), (2, "A")]) == {(1, "A"): 2}
        assert imbalance(seller.book) == {}
    assert seller.stock_of("A") == {"on_hand_good": 2, "bad": 1}


@pytest.mark.unsound_book("i06_every_bucket_is_the_sum_of_its_moves")
def test_a_book_out_of_balance_is_found(seller: Seller) -> None:
    seller.stock("A", 2)
    with seller.book.write():
        seller.book.query("UPDATE stock SET quantity = 3 WHERE bucket = 'on_hand_good'")
        assert imbalance(seller.book) == {(1, "A"): 1}


def test_received_goods_go_to_the_oldest_waiting_order(seller: Seller) -> None:
    for order_id in ("OD1", "OD2", "OD3"):
        seller.clock.advance(timedelta(minutes=1))
        seller.order(order_id, ("L1", "SHIRT", 1))
    done = acts.receive_stock(
        seller.book, "BLR", {"SHIRT": 2, "SOCK": 4}, actor=WHO, now=seller.clock.now(), note="PO 7"
    )
    assert (done.skus, done.quantity) == (2, 6)
    assert [piece.order_id for piece in done.promised] == ["OD1", "OD2"]
    assert seller.positions("OD3") == ["UNFULFILLABLE"]
    assert seller.order_state("OD1") == "PROCESSING"
    assert seller.stock_of("SHIRT") == {"allocated": 2}
    assert (
        seller.rows("SELECT event, code, actor FROM decision")
        == [("allocate", "stock_allocated", WHO)] * 2
    )
    assert seller.count("stock_move", f"reason = 'received by {WHO}: PO 7'") == 2
    check_invariants(seller.book)


def test_a_held_piece_is_not_promised_stock(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.CANCEL_REQUESTED)
    seller.stock("SHIRT", 1)
    assert seller.positions("OD1") == ["UNFULFILLABLE"]


def test_stock_that_a_cancellation_freed_goes_to_who_waits(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.order("OD2", ("L1", "SHIRT", 1))
    now = seller.clock.now()
    assert acts.allocate_free(seller.book, actor="run 1", now=now) == []
    settle(seller, Status.CANCELLED)
    (piece,) = acts.allocate_free(seller.book, actor="run 1", now=now)
    assert piece.order_id == "OD2"
    assert seller.positions("OD2") == ["FULFILLABLE"]
    check_invariants(seller.book)


@pytest.mark.parametrize("goods", [{"": 1}, {"A": 0}, {"A": -1}, {"A": 1_000_001}])
def test_bad_receipts_are_refused_whole(seller: Seller, goods: dict[str, int]) -> None:
    with pytest.raises(Refused):
        acts.receive_stock(
            seller.book, "BLR", {"GOOD": 1, **goods}, actor=WHO, now=seller.clock.now()
        )
    assert seller.count("stock") == 0


def test_a_count_corrects_what_can_be_counted(seller: Seller) -> None:
    def adjust(bucket: Bucket, change: int, note: str = "counted") -> acts.Adjusted:
        return acts.adjust_stock(
            seller.book, "BLR", "SHIRT", bucket, change, note=note, actor=WHO,
            now=seller.clock.now(),
        )  # fmt: skip

    seller.stock("SHIRT", 2)
    done = adjust(Bucket.ON_HAND_GOOD, -1)
    assert (done.before, done.after) == (2, 1)
    adjust(Bucket.BAD, 1)
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1, "bad": 1}
    for bucket, change, note, told in (
        (Bucket.ON_HAND_GOOD, -2, "x", "on_hand_good of SHIRT has 1 piece; 2 cannot"),
        (Bucket.ALLOCATED, 1, "x", "follows from the orders"),
        (Bucket.SHORTAGE, 1, "x", "can come up to 0"),
        (Bucket.BAD, 0, "x", "A change of 0"),
        (Bucket.BAD, 1, "", "a note is needed"),
    ):
        with pytest.raises(Refused, match=told):
            adjust(bucket, change, note)
    check_invariants(seller.book)


def test_a_shortage_is_settled_by_a_count(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    assert seller.stock_of("SHIRT")["shortage"] == -1
    acts.adjust_stock(
        seller.book, "BLR", "SHIRT", Bucket.SHORTAGE, 1, note="never booked in", actor=WHO,
        now=seller.clock.now(),
    )  # fmt: skip
    assert seller.stock_of("SHIRT") == {"in_transit_out": 1}


def test_the_road_to_dispatch_step_by_step(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    for step in (Position.CREATED, Position.PICKING, Position.PICKED):
        assert advance(seller, step).invoices == ()
    packed = advance(seller, Position.PACKED)
    assert (packed.invoices, packed.packages, packed.moved) == (
        ("INV/001",),
        ("SP-1",),
        {"PICKED": 2},
    )
    for step in (Position.READY_TO_SHIP, Position.MANIFESTED):
        assert advance(seller, step).invoices == ()
    left = advance(seller, Position.DISPATCHED)
    assert left.state == "COMPLETE"
    assert seller.stock_of("SHIRT") == {"in_transit_out": 2}
    assert seller.rows("SELECT state, dispatched_at IS NOT NULL FROM package") == [
        ("DISPATCHED", 1)
    ]
    assert seller.count("decision", "event = 'advance'") == 14


def test_several_steps_at_once_do_what_each_would(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    done = advance(seller, Position.DISPATCHED)
    assert done.invoices == ("INV/001",)
    records = seller.rows("SELECT before, after, steps, note, actor FROM decision")
    assert records == [
        (
            "FULFILLABLE",
            "DISPATCHED",
            "create_shipment,create_invoice,dispatch",
            "invoice INV/001",
            WHO,
        )
    ]


def test_the_channels_word_after_a_dispatch_by_hand_changes_nothing(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    advance(seller, Position.DISPATCHED)
    settle(seller, Status.DISPATCHED)
    assert seller.journal() == [("DONE", "NOOP", "already_at_or_past")]
    assert seller.count("invoice") == 1


def test_a_dispatch_on_the_channel_uses_the_packed_parcel(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    advance(seller, Position.PACKED)
    settle(seller, Status.DISPATCHED)
    assert seller.rows("SELECT number FROM invoice") == [("INV/001",)]
    assert seller.count("package") == 1


def test_packing_without_stock_names_what_is_missing(seller: Seller) -> None:
    seller.stock("SOCK", 1)
    seller.order("OD1", ("L1", "SHIRT", 2), ("L2", "SOCK", 1))
    before = seller.dump()
    with pytest.raises(Refused, match="2 of SHIRT missing") as caught:
        advance(seller, Position.PACKED)
    assert caught.value.code == "stock_missing"
    assert seller.dump() == before


def test_packing_without_a_sequence_names_facility_and_command(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    before = seller.dump()
    with pytest.raises(Refused, match=r"Facility BLR has no SALE_INVOICE.*syncctl sequence"):
        advance(seller, Position.PACKED)
    assert seller.dump() == before
    assert advance(seller, Position.PICKED).invoices == ()


def test_a_held_piece_stops_its_order(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.CANCEL_REQUESTED)
    with pytest.raises(Refused, match="on hold: buyer_cancel_requested") as caught:
        advance(seller, Position.CREATED)
    assert caught.value.code == "piece_held"


def test_a_blocked_parcel_does_not_leave(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    advance(seller, Position.MANIFESTED)
    settle(seller, Status.CANCELLED)
    with pytest.raises(Refused, match="Parcel SP-1 is blocked: cancelled_after_manifest"):
        advance(seller, Position.DISPATCHED)


def test_cancelled_pieces_stay_behind(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    settle(seller, Status.CANCELLED, line_id="L1", quantity=1)
    assert advance(seller, Position.DISPATCHED).moved == {"FULFILLABLE": 1}
    assert sorted(seller.positions("OD1")) == ["CANCELLED", "DISPATCHED"]
    with pytest.raises(Refused, match="1 CANCELLED, 1 DISPATCHED") as caught:
        advance(seller, Position.DISPATCHED)
    assert caught.value.code == "nothing_to_move"


def test_a_switched_off_facility_packs_nothing(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    acts.set_facility(seller.book, "BLR", state="INACTIVE", actor=WHO, now=seller.clock.now())
    with pytest.raises(Refused, match="Facility BLR is not active"):
        advance(seller, Position.CREATED)


@pytest.mark.unsound_book("ledger_an_order_is_the_sum_of_its_pieces")
def test_unverified_orders_and_unknown_steps_are_refused(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    with seller.book.write():
        seller.book.query("UPDATE item SET position = 'PENDING_VERIFICATION'")
    with pytest.raises(Refused, match="verify the order"):
        advance(seller, Position.CREATED)
    with pytest.raises(Refused, match="DELIVERED is not a step"):
        advance(seller, Position.DELIVERED)
    with pytest.raises(NotFound, match="no order 'OD9'"):
        advance(seller, Position.CREATED, "OD9")
    assert acts.parse_step(" ready-to-ship ") is Position.READY_TO_SHIP
    with pytest.raises(Refused, match="Steps: FULFILLABLE, CREATED, PICKING"):
        acts.parse_step("delivered")


@pytest.mark.parametrize(
    ("disposition", "bucket"),
    [
        (Disposition.GOOD, "on_hand_good"),
        (Disposition.BAD, "bad"),
        (Disposition.QC_REJECTED, "bad"),
        (Disposition.NOT_RECEIVED, "not_found"),
    ],
)
def test_a_cancelled_piece_is_put_away(
    seller: Seller, disposition: Disposition, bucket: str
) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    advance(seller, Position.PACKED)
    settle(seller, Status.CANCELLED)
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    done = put_away(seller, 1, disposition)
    assert (done.kind, done.position, done.bucket) == ("CANCELLED_ITEM", "CANCELLED", bucket)
    assert seller.stock_of("SHIRT") == {bucket: 1}
    assert seller.rows("SELECT state, disposition, actor FROM putaway") == [
        ("COMPLETED", disposition.value, WHO)
    ]
    with pytest.raises(Refused, match=f"Putaway 1 is COMPLETED as {disposition} already"):
        put_away(seller, 1, Disposition.GOOD)


def returned(seller: Seller, kind: ReturnType) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    settle(seller, Status.RETURN_NOTICED, Status.RETURNED, return_type=kind)


def test_a_parcel_that_came_back_is_acknowledged(seller: Seller) -> None:
    returned(seller, ReturnType.RTO)
    assert seller.positions("OD1") == ["RETURNED"]
    assert put_away(seller, 1, Disposition.GOOD).position == "RETURN_ACKNOWLEDGED"
    assert seller.positions("OD1") == ["RETURN_ACKNOWLEDGED"]
    assert seller.rows("SELECT state FROM package") == [("RETURN_ACKNOWLEDGED",)]
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}


def test_a_parcel_that_never_came_is_not_acknowledged(seller: Seller) -> None:
    returned(seller, ReturnType.RTO)
    assert put_away(seller, 1, Disposition.NOT_RECEIVED).position == "RETURNED"
    assert seller.stock_of("SHIRT") == {"not_found": 1}


def test_a_buyers_return_ends_where_it_was(seller: Seller) -> None:
    returned(seller, ReturnType.CIR)
    assert put_away(seller, 1, Disposition.GOOD).position == "CIR_COMPLETE"
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}


def test_good_pieces_go_to_who_waits_for_them(seller: Seller) -> None:
    returned(seller, ReturnType.RTO)
    seller.order("OD2", ("L1", "SHIRT", 1))
    assert put_away(seller, 1, Disposition.GOOD).promised_to == ("OD2",)
    assert seller.positions("OD2") == ["FULFILLABLE"]


def test_a_held_putaway_says_what_holds_it(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    advance(seller, Position.PACKED)
    settle(seller, Status.CANCELLED)
    settle(seller, Status.DISPATCHED)
    with pytest.raises(Refused, match="is held: dispatched_after_cancel") as caught:
        put_away(seller, 1, Disposition.GOOD)
    assert caught.value.code == "putaway_held"
    with pytest.raises(NotFound, match="no putaway 9"):
        put_away(seller, 9, Disposition.GOOD)


def test_a_parcel_is_acknowledged_although_a_cancelled_piece_stayed_in_it(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.advance("OD1", Position.PACKED)
    seller.tell(
        seller.change("OD1", Status.CANCELLED, line_id="L1", quantity=1),
        seller.change("OD1", Status.DISPATCHED, line_id="L1", quantity=1),
        seller.change("OD1", Status.RETURNED, line_id="L1", quantity=1, return_type=ReturnType.RTO),
    )
    seller.settle()
    ((putaway,),) = seller.rows("SELECT id FROM putaway WHERE kind = 'RTO'")
    acts.complete_putaway(seller.book, putaway, Disposition.GOOD, actor=WHO, now=seller.clock.now())
    assert seller.rows("SELECT state FROM package") == [("RETURN_ACKNOWLEDGED",)]


EARLY = ("PENDING_VERIFICATION", "LOCATION_NOT_SERVICEABLE")


def imported(seller: Seller, state: str, quantity: int = 1) -> None:
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=quantity)
    order = ImportedOrder(
        order_id="OD1", placed_at=seller.clock.now(), lines=(line,), states={"L1": state}
    )
    intake.take_orders(seller.book, "shop", [order], source="test", now=seller.clock.now())


@pytest.mark.parametrize("state", EARLY)
def test_a_person_lets_an_order_go_on_that_was_not_verified(seller: Seller, state: str) -> None:
    imported(seller, state, 2)
    seller.stock("SHIRT", 1)
    assert seller.positions("OD1") == [state, state], "it takes no stock before"
    done = advance(seller, Position.FULFILLABLE)
    assert (done.to, done.moved, done.waiting) == ("FULFILLABLE", {state: 2}, {"SHIRT": 1})
    assert seller.positions("OD1") == ["FULFILLABLE", "UNFULFILLABLE"]
    assert done.state == seller.order_state("OD1") == "PROCESSING"
    assert seller.stock_of("SHIRT") == {"allocated": 1}
    records = seller.rows("SELECT before, after, code, actor FROM decision ORDER BY id")
    assert records == [
        (state, "UNFULFILLABLE", "cleared_by_hand", WHO),
        (state, "UNFULFILLABLE", "cleared_by_hand", WHO),
        ("UNFULFILLABLE", "FULFILLABLE", "stock_allocated", WHO),
    ]
    seller.stock("SHIRT", 1)
    assert advance(seller, Position.DISPATCHED).moved == {"FULFILLABLE": 2}


def test_what_does_not_wait_to_be_verified_is_not_let_go_on(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    with pytest.raises(Refused, match=r"No piece of OD1 waits to be verified.*: 1 UNFULFILLABLE"):
        advance(seller, Position.FULFILLABLE)
    with pytest.raises(NotFound, match="no order 'OD9'"):
        advance(seller, Position.FULFILLABLE, "OD9")
    with pytest.raises(Refused, match="Steps: FULFILLABLE, CREATED"):
        advance(seller, Position.DELIVERED)


def test_an_older_order_gets_the_stock_first(seller: Seller) -> None:
    seller.order("OD0", ("L1", "SHIRT", 1))
    seller.clock.advance(timedelta(hours=1))
    imported(seller, "PENDING_VERIFICATION")
    seller.stock("SHIRT", 1)
    advance(seller, Position.FULFILLABLE)
    assert seller.positions("OD0") == ["FULFILLABLE"]
    assert seller.positions("OD1") == ["UNFULFILLABLE"]
