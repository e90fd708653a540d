"""Facts become changes of the book: each rule that sellers meet, on a real book."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from syncd.book import acts
from syncd.book.apply import TenantNotLive
from syncd.book.person_verbs import PERSON_VERBS
from syncd.book.putaways import Disposition, complete_putaway
from syncd.book.tables import Facility, Tenant
from syncd.book.verbs import VERBS
from syncd.errors import Refused
from syncd.rules import TENANT_NOT_LIVE, PartialCancel, Policies, Position, Verb
from syncd.statuses import OrderRef, ReturnType, Status
from tests.bookkit import Seller, check_invariants

RTO, CIR = ReturnType.RTO, ReturnType.CIR
GONE = Status.DISPATCHED


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def settle(seller: Seller, *statuses: Status, **more: object) -> list[str]:
    seller.tell(*(seller.change("OD1", status, **more) for status in statuses))
    seller.settle()
    return seller.positions("OD1")


def test_dispatched_while_unfulfillable_makes_a_shipment_and_a_shortage(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert seller.positions("OD1") == ["UNFULFILLABLE"]
    assert settle(seller, Status.DISPATCHED, shipment_id="SH1") == ["DISPATCHED"]
    assert seller.count("package", "state = 'DISPATCHED' AND shipment_id = 'SH1'") == 1
    assert seller.count("invoice", "number = 'INV/001'") == 1
    assert seller.stock_of("SHIRT") == {"shortage": -1, "in_transit_out": 1}
    assert seller.order_state("OD1") == "COMPLETE"
    assert seller.journal() == [("DONE", "APPLY", "dispatched_on_channel_unfulfillable")]


def test_dispatched_while_fulfillable_allocates_invoices_and_dispatches(seller: Seller) -> None:
    seller.stock("SHIRT", 5)
    seller.order("OD1", ("L1", "SHIRT", 2))
    assert seller.positions("OD1") == ["FULFILLABLE", "FULFILLABLE"]
    assert settle(seller, Status.DISPATCHED) == ["DISPATCHED", "DISPATCHED"]
    assert seller.count("package") == 1
    assert seller.count("invoice") == 1
    assert seller.stock_of("SHIRT") == {"on_hand_good": 3, "in_transit_out": 2}


def test_dispatched_with_a_created_shipment_uses_it(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.CREATED)
    settle(seller, Status.DISPATCHED, shipment_id="SH1", tracking_number="TN1")
    assert seller.rows("SELECT state, shipment_id, tracking_number FROM package") == [
        ("DISPATCHED", "SH1", "TN1")
    ]
    assert seller.count("invoice") == 1


def test_dispatched_after_packing_keeps_the_one_invoice(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.MANIFESTED)
    assert settle(seller, Status.DISPATCHED) == ["DISPATCHED"]
    assert seller.count("invoice") == 1


def test_two_lines_of_one_shipment_share_parcel_and_invoice(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHOE", 1))
    seller.tell(
        seller.change("OD1", Status.DISPATCHED, line_id="L1", quantity=1, shipment_id="SH1"),
        seller.change("OD1", Status.DISPATCHED, line_id="L2", quantity=1, shipment_id="SH1"),
    )
    seller.settle()
    assert seller.count("package") == 1
    assert seller.count("invoice") == 1


def test_one_order_over_two_shipments_gets_two_parcels_and_two_invoices(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    for shipment in ("SH1", "SH2"):
        seller.tell(
            seller.change("OD1", Status.DISPATCHED, line_id="L1", quantity=1, shipment_id=shipment)
        )
        seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED", "DISPATCHED"]
    numbers = seller.rows("SELECT number FROM invoice ORDER BY package_id")
    assert numbers == [("INV/001",), ("INV/002",)]


def test_no_sequence_is_an_error_that_says_what_to_do_and_heals(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    before = {name: seller.dump()[name] for name in ("item", "stock", "package", "invoice")}
    assert settle(seller, Status.DISPATCHED) == ["FULFILLABLE"]
    assert {name: seller.dump()[name] for name in before} == before
    ((state, code, message),) = seller.rows("SELECT state, code, message FROM inbox")
    assert (state, code) == ("REFUSED", "sequence_missing")
    assert "BLR" in message
    assert "syncctl sequence set BLR SALE_INVOICE" in message
    seller.settle()
    assert seller.positions("OD1") == ["FULFILLABLE"]
    assert seller.count("decision", "outcome = 'REFUSED'") == 1, "told once, not at each try"
    seller.define_sequence()
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED"]


def test_a_tenant_that_is_not_live_moves_nothing(tmp_path: Path) -> None:
    seller = Seller(tmp_path, live=False)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    before = seller.dump()
    with pytest.raises(TenantNotLive) as caught:
        seller.settle()
    assert str(caught.value) == TENANT_NOT_LIVE == "Sync not allowed as Tenant is not Live yet"
    assert seller.dump() == before


def test_cancelled_before_invoice_gives_the_stock_back_at_once(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.CREATED)
    assert settle(seller, Status.CANCELLED) == ["CANCELLED"]
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}
    assert seller.count("putaway") == 0
    assert seller.rows("SELECT state FROM package") == [("CANCELLED",)]
    assert seller.order_state("OD1") == "CANCELLED"


def test_cancelled_after_invoice_needs_a_putaway_before_stock_is_back(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    assert settle(seller, Status.CANCELLED) == ["CANCELLED"]
    assert seller.rows("SELECT state FROM invoice") == [("VOIDED",)]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    ((putaway, kind),) = seller.rows("SELECT id, kind FROM putaway WHERE state = 'PENDING'")
    assert kind == "CANCELLED_ITEM"
    complete_putaway(seller.book, putaway, Disposition.GOOD, actor="asha", now=seller.clock.now())
    check_invariants(seller.book)
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}


def test_one_item_of_a_parcel_is_cancelled_and_the_rest_goes_on(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.stock("SHOE", 1)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHOE", 1))
    seller.advance("OD1", Position.CREATED)
    assert settle(seller, Status.CANCELLED, line_id="L1", quantity=1) == ["CANCELLED", "CREATED"]
    assert seller.rows("SELECT package_id FROM item ORDER BY id") == [(None,), (1,)]
    settle(seller, Status.DISPATCHED, line_id="L2", quantity=1)
    assert seller.positions("OD1") == ["CANCELLED", "DISPATCHED"]
    assert seller.order_state("OD1") == "COMPLETE"


def test_one_of_an_invoiced_parcel_is_cancelled_and_the_invoice_stands(seller: Seller) -> None:
    seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    seller.advance("OD1", Position.PACKED)
    assert settle(seller, Status.CANCELLED, line_id="L1", quantity=1) == ["CANCELLED", "PACKED"]
    assert seller.rows("SELECT state FROM invoice") == [("ISSUED",)]
    assert seller.count("putaway", "state = 'PENDING'") == 1


def test_cancelled_on_a_closed_manifest_is_held_for_a_person(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.MANIFESTED)
    assert settle(seller, Status.CANCELLED) == ["MANIFESTED"]
    assert seller.rows("SELECT blocked FROM package") == [("cancelled_after_manifest",)]
    assert seller.rows("SELECT code, severity, state FROM exceptions") == [
        ("cancelled_after_manifest", "critical", "OPEN")
    ]


def test_the_whole_way_out_and_back(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    assert settle(seller, Status.DISPATCHED, Status.DELIVERED) == ["DELIVERED"]
    assert seller.stock_of("SHIRT") == {"sold": 1}
    seller.tell(seller.change("OD1", Status.RETURN_NOTICED, return_type=CIR, return_id="R1"))
    seller.settle()
    assert seller.positions("OD1") == ["CIR_CREATED"]
    assert seller.stock_of("SHIRT") == {"in_transit_back": 1}
    seller.tell(seller.change("OD1", Status.RETURNED, return_type=CIR, return_id="R1"))
    seller.settle()
    assert seller.positions("OD1") == ["CIR_COMPLETE"]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    assert seller.rows("SELECT kind, state FROM putaway") == [("CIR", "PENDING")]


def test_rto_returned_and_put_away(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED)
    for status in (Status.RETURN_NOTICED, Status.RETURNED):
        seller.tell(seller.change("OD1", status, return_type=RTO, tracking_number="T9"))
    seller.settle()
    assert seller.positions("OD1") == ["RETURNED"]
    assert seller.stock_of("SHIRT") == {"putaway_pending": 1}
    complete_putaway(seller.book, 1, Disposition.GOOD, actor="asha", now=seller.clock.now())
    assert seller.positions("OD1") == ["RETURN_ACKNOWLEDGED"]
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}


@pytest.mark.parametrize(
    ("first", "kind", "back"),
    [
        ((Status.DISPATCHED,), RTO, "DISPATCHED"),
        ((Status.DISPATCHED, Status.DELIVERED), RTO, "DELIVERED"),
        ((Status.DISPATCHED, Status.DELIVERED), CIR, "DELIVERED"),
    ],
)
def test_a_withdrawn_return_is_as_if_it_had_not_been(
    seller: Seller, first: tuple[Status, ...], kind: ReturnType, back: str
) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, *first)
    before = seller.stock_of("SHIRT")
    seller.tell(seller.change("OD1", Status.RETURN_NOTICED, return_type=kind, return_id="R1"))
    seller.settle()
    seller.tell(seller.change("OD1", Status.RETURN_WITHDRAWN, return_type=kind, return_id="R1"))
    seller.settle()
    assert seller.positions("OD1") == [back]
    assert seller.stock_of("SHIRT") == before
    assert seller.count("putaway") == 0


def test_delivered_first_waits_for_the_dispatch_of_the_next_pass(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    dispatched = seller.change("OD1", Status.DISPATCHED)
    seller.tell(seller.change("OD1", Status.DELIVERED))
    seller.settle(sweep_done=False)
    assert seller.positions("OD1") == ["FULFILLABLE"]
    assert seller.journal()[0] == ("WAITING", "PARK", "implied_dispatch")
    seller.tell(dispatched)
    seller.settle(sweep_done=False)
    assert seller.positions("OD1") == ["DELIVERED"]
    assert seller.rows("SELECT event, implied FROM decision WHERE outcome LIKE 'APPLY%'") == [
        ("DISPATCHED", 0), ("DELIVERED", 0),
    ]  # fmt: skip


def test_delivered_without_any_dispatch_implies_it_after_one_pass(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DELIVERED))
    seller.settle(sweep_done=False)
    seller.settle(sweep_done=False)
    assert seller.positions("OD1") == ["DELIVERED"]
    assert seller.count("invoice") == 1


def test_an_unknown_order_is_parked_and_applied_when_it_comes(seller: Seller) -> None:
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD1", Status.DELIVERED))
    assert seller.settle().counts.parked == 2
    assert {row[0] for row in seller.journal()} == {"PARKED"}
    seller.stock("SHIRT", 1)
    assert seller.order("OD1", ("L1", "SHIRT", 1)).unparked == 2
    seller.settle()
    assert seller.positions("OD1") == ["DELIVERED"]


def test_a_cancellation_of_an_unknown_order_makes_it_born_cancelled(seller: Seller) -> None:
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    assert seller.journal() == [("TOMBSTONE", "TOMBSTONE", "cancelled_before_import")]
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.settle()
    assert seller.positions("OD1") == ["CANCELLED"]
    assert seller.stock_of("SHIRT") == {"on_hand_good": 1}
    assert seller.count("outbox") == 1, "others hear of it as well"


def test_an_unknown_order_that_left_before_it_was_cancelled_is_expected_back(
    seller: Seller,
) -> None:
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD1", Status.CANCELLED))
    seller.settle()
    assert [row[0] for row in seller.journal()] == ["PARKED", "TOMBSTONE"]
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.settle()
    assert seller.positions("OD1") == ["RETURN_EXPECTED"]
    assert seller.count("exceptions") == 0


def test_dispatched_after_cancelled_opens_one_exception_and_moves_nothing(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.CANCELLED)
    assert settle(seller, Status.DISPATCHED) == ["CANCELLED"]
    assert seller.rows("SELECT code, severity FROM exceptions WHERE state = 'OPEN'") == [
        ("dispatched_after_cancel", "critical")
    ]
    assert seller.count("invoice") == 0


def test_events_are_taken_in_the_order_in_which_they_happened(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    facts = [seller.change("OD1", Status.DISPATCHED), seller.change("OD1", Status.DELIVERED)]
    seller.tell(*reversed(facts))
    seller.settle(sweep_done=False)
    assert seller.positions("OD1") == ["DELIVERED"]


def test_the_same_facts_again_change_nothing(seller: Seller) -> None:
    seller.stock("SHIRT", 3)
    seller.order("OD1", ("L1", "SHIRT", 3))
    facts = [
        seller.change("OD1", Status.DISPATCHED, line_id="L1", quantity=2, shipment_id="SH1"),
        seller.change("OD1", Status.CANCELLED, line_id="L1", quantity=1),
    ]
    seller.tell(*facts)
    seller.settle()
    assert sorted(seller.positions("OD1")) == ["CANCELLED", "DISPATCHED", "DISPATCHED"]
    before = seller.dump()
    seller.tell(*facts)
    seller.settle()
    assert seller.dump() == before


def test_the_missing_sequence_is_named_so_that_it_can_be_typed(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    with seller.book.write():
        seller.book.query("UPDATE facility SET code = 'W 2'")
        tenant = Tenant.create(code="other", state="LIVE")
        Facility.create(tenant=tenant, code="W 2")
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    ((message,),) = seller.rows("SELECT message FROM inbox")
    assert message.endswith("syncctl sequence set 'W 2' SALE_INVOICE --prefix W-2/ --tenant acme")
    acts.receive_stock(
        seller.book, "W 2", {"SHIRT": 2}, actor="test", now=seller.clock.now(), tenant="acme"
    )
    seller.order("OD2", ("L1", "SHIRT", 1))
    with pytest.raises(Refused) as caught:
        seller.advance("OD2", Position.PACKED)
    assert str(caught.value) == message


def test_what_the_channel_does_not_ship_is_only_an_echo(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1), facts={"shipmentType": "SELF"})
    seller.advance("OD1", Position.READY_TO_SHIP)

    def ships(ref: object) -> bool:
        return ref.facts["shipmentType"] != "SELF"

    seller.tell(seller.change("OD1", Status.DISPATCHED))
    clerk = seller.settle(ships=ships)
    assert seller.positions("OD1") == ["READY_TO_SHIP"]
    assert clerk.counts.skipped == 1
    assert seller.journal() == [("DONE", "SKIPPED", "channel_not_shipping")]
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle(ships=ships)
    assert seller.positions("OD1") == ["CANCELLED"], "a cancellation is never gated"


def test_whether_the_channel_ships_it_is_asked_with_all_that_is_known(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1), facts={"type": "SELF", "zone": "S"})
    asked: list[object] = []

    def ships(ref: object) -> bool:
        asked.append(ref)
        return False

    facts = {"type": "OWN"}
    seller.tell(
        seller.change("OD1", Status.DISPATCHED, line_id="L1", shipment_id="S1", facts=facts)
    )
    seller.tell(seller.change("OD1", Status.DELIVERED, line_id=""))
    seller.settle(ships=ships)
    assert asked == [
        OrderRef(
            order_id="OD1", line_ids=("L1",), shipment_ids=("S1",),
            facts={"type": "OWN", "zone": "S"},
        ),
        OrderRef(order_id="OD1", facts={"type": "SELF", "zone": "S"}),
    ]  # fmt: skip


def test_one_broken_order_is_set_aside_and_the_others_go_on(seller: Seller) -> None:
    for number in range(1, 6):
        seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    with seller.book.write():  # a row that no code of ours would write
        seller.book.query("UPDATE item SET facility_id = 1, hold = 'no such reason' WHERE id = 3")
    seller.tell(*(seller.change(f"OD{n}", Status.DISPATCHED) for n in range(1, 6)))
    with seller.book.write():
        seller.book.query("UPDATE orders SET facts = '{broken' WHERE order_id = 'OD3'")
    clerk = seller.settle(ships=lambda ref: True)
    assert clerk.counts.applied == 4
    assert clerk.counts.refused == 1
    ((order_id, message),) = seller.rows(
        "SELECT order_id, message FROM inbox WHERE code = 'internal_error'"
    )
    assert order_id == "OD3"
    assert "nothing of it was changed" in message
    seller.settle(ships=lambda ref: True)
    records = "SELECT d.outcome, f.state, f.outcome FROM decision d JOIN inbox f ON f.id = "
    told = seller.rows(f"{records} d.inbox_id WHERE d.code = 'internal_error'")
    assert told == [("REFUSED", "REFUSED", "REFUSED")], "told once, not at each try"


def test_too_many_pieces_are_told_and_the_rest_is_applied(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED, line_id="L1", quantity=3)
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert seller.rows("SELECT code FROM exceptions") == [("quantity_exceeds",)]


def test_a_line_that_the_book_lacks_waits_for_it(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED, line_id="L2", quantity=1)
    assert seller.journal() == [("PARKED", "PARK", "line_unknown")]
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHOE", 1))
    seller.settle()
    assert seller.positions("OD1") == ["UNFULFILLABLE", "DISPATCHED"]


def test_every_position_change_has_one_decision_record(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2))
    settle(seller, Status.DISPATCHED, Status.DELIVERED)
    records = seller.rows(
        "SELECT event, before, after, actor, inbox_id IS NOT NULL, run_id IS NOT NULL "
        "FROM decision WHERE outcome = 'APPLY' ORDER BY id"
    )
    assert records == [
        ("DISPATCHED", "FULFILLABLE", "DISPATCHED", "test", 1, 1),
        ("DISPATCHED", "FULFILLABLE", "DISPATCHED", "test", 1, 1),
        ("DELIVERED", "DISPATCHED", "DELIVERED", "test", 1, 1),
        ("DELIVERED", "DISPATCHED", "DELIVERED", "test", 1, 1),
    ]


def test_a_message_for_other_systems_stands_beside_each_change(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED, Status.DELIVERED)
    assert seller.count("outbox", "topic = 'order.changed' AND sent_at IS NULL") == 2


def test_fault_B16_a_fact_from_the_future_is_flagged_and_dated_now(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    later = seller.clock.now() + timedelta(days=365)
    settle(seller, Status.DISPATCHED, occurred_at=later)
    ((message, late),) = seller.rows("SELECT message, occurred_at > observed_at FROM inbox")
    assert late == 0
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert isinstance(message, str)


def test_a_later_fact_never_overtakes_one_that_is_refused(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD1", Status.CANCELLED))
    seller.settle()
    assert seller.positions("OD1") == ["FULFILLABLE"]
    assert [row[0] for row in seller.journal()] == ["REFUSED", "WAITING"]
    seller.define_sequence()
    seller.settle()
    assert seller.positions("OD1") == ["RETURN_EXPECTED"], "it had left before it was cancelled"


def test_other_pieces_of_the_order_do_not_wait_for_a_refused_one(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHOE", 1))
    seller.tell(
        seller.change("OD1", Status.DISPATCHED, line_id="L1", quantity=1),
        seller.change("OD1", Status.CANCELLED, line_id="L2", quantity=1),
    )
    seller.settle()
    assert seller.positions("OD1") == ["UNFULFILLABLE", "CANCELLED"]


@pytest.mark.parametrize("together", [True, False])
def test_packed_as_one_parcel_here_and_shipped_as_two_there(seller: Seller, together: bool) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    for status in (Status.DISPATCHED, Status.DELIVERED):
        for line, shipment in (("L1", "SH1"), ("L2", "SH2")):
            seller.tell(
                seller.change("OD1", status, line_id=line, quantity=1, shipment_id=shipment)
            )
            if not together:
                seller.settle()
    seller.settle()
    assert seller.positions("OD1") == ["DELIVERED", "DELIVERED"]
    assert seller.rows("SELECT shipment_id, state FROM package ORDER BY id") == [
        ("SH1", "DELIVERED"),
        ("SH2", "DELIVERED"),
    ]
    assert seller.count("invoice", "state = 'ISSUED'") == 2
    assert seller.count("exceptions") == 0


def test_a_parcel_of_its_own_needs_a_sequence_like_any_other(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    with seller.book.write():
        seller.book.query("DELETE FROM sequence")
    for line, shipment in (("L1", "SH1"), ("L2", "SH2")):
        more = {"line_id": line, "quantity": 1, "shipment_id": shipment}
        seller.tell(seller.change("OD1", Status.DISPATCHED, **more))
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED", "PACKED"]
    assert seller.journal()[1][2] == "sequence_missing"


def test_a_parcel_stands_where_its_least_advanced_piece_stands(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)

    def state() -> str:
        return str(seller.rows("SELECT state FROM package")[0][0])

    settle(seller, Status.DISPATCHED, line_id="L1", quantity=1)
    assert state() == "PACKED"
    settle(seller, Status.CANCELLED, line_id="L2", quantity=1)
    assert state() == "DISPATCHED"
    settle(seller, Status.DELIVERED, line_id="L1", quantity=1)
    assert state() == "DELIVERED"


def test_lost_then_coming_back_then_withdrawn(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED, tracking_number="T1")
    settle(seller, Status.LOST, tracking_number="T1")
    for status in (Status.RETURN_NOTICED, Status.RETURN_WITHDRAWN):
        seller.tell(seller.change("OD1", status, return_type=RTO, tracking_number="T1"))
        seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert seller.stock_of("SHIRT") == {"in_transit_out": 1}


def test_a_line_of_a_known_sku_that_the_book_lacks_waits_as_well(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    settle(seller, Status.DISPATCHED, line_id="L1", quantity=1)
    settle(seller, Status.DISPATCHED, line_id="L2", sku="SHIRT", quantity=1)
    assert seller.journal()[1] == ("PARKED", "PARK", "line_unknown")
    seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHIRT", 1))
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED", "DISPATCHED"]


def test_every_verb_of_the_rules_is_carried_out() -> None:
    assert set(PERSON_VERBS) == set(Verb)
    assert set(VERBS) < set(Verb)


HISTORY = st.lists(
    st.tuples(
        st.sampled_from([s for s in Status if s is not Status.UNKNOWN]),
        st.sampled_from([RTO, CIR]),
        st.sampled_from(["L1", "L2"]),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(HISTORY, st.sampled_from([None, Position.CREATED, Position.PACKED, Position.MANIFESTED]))
def test_no_history_breaks_the_book_and_batching_does_not_matter(
    history: list[tuple[Status, ReturnType, str, bool]], start: Position | None
) -> None:
    ends = []
    for together in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            seller = Seller(Path(folder))
            seller.stock("SHIRT", 3)
            seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHIRT", 2))
            if start is not None:
                seller.advance("OD1", start)
            for status, kind, line, proven in history:
                fact = seller.change(
                    "OD1", status, return_type=kind, line_id=line, left_seller=proven
                )
                seller.tell(fact)
                if not together:
                    seller.settle()
            seller.settle()
            seller.settle()  # what waited for a dispatch that came with it
            assert seller.count("inbox", "code = 'internal_error'") == 0
            ends.append((seller.positions("OD1"), seller.stock_of("SHIRT")))
            seller.book.close()
    assert ends[0] == ends[1]


def test_the_shelf_is_shared_by_all_that_one_batch_takes_from_it(seller: Seller) -> None:
    """A buyer's wish keeps goods that come in from a piece; when it has left, it takes them."""
    for number, sku in enumerate(("SOCK", "SOCK", "HAT"), 1):
        seller.order(f"OD{number}", ("L1", sku, 1))
        seller.tell(seller.change(f"OD{number}", Status.CANCEL_REQUESTED))
    seller.settle()
    seller.stock("SOCK", 1)
    assert seller.stock_of("SOCK") == {"on_hand_good": 1}, "promised to nobody yet"
    seller.tell(*(seller.change(f"OD{n}", Status.DISPATCHED) for n in (1, 2, 3)))
    seller.settle()
    assert seller.stock_of("SOCK") == {"in_transit_out": 2, "shortage": -1}
    assert seller.stock_of("HAT") == {"in_transit_out": 1, "shortage": -1}


def test_what_left_after_its_cancellation_is_not_put_away_though_both_come_in_one_batch(
    seller: Seller,
) -> None:
    seller.stock("SHIRT", 2)
    for number in (1, 2):
        seller.order(f"OD{number}", ("L1", "SHIRT", 1))
        seller.advance(f"OD{number}", Position.PACKED)
    cancelled = seller.change("OD2", Status.CANCELLED)
    seller.clock.advance(timedelta(minutes=1))
    seller.tell(cancelled, seller.change("OD2", Status.DISPATCHED))
    seller.settle()
    assert seller.rows("SELECT item_id, state FROM putaway") == [(2, "HELD")]
    notes = "SELECT note FROM decision WHERE code = 'dispatched_after_cancel'"
    assert seller.rows(notes) == [("",)], "there was a putaway to stop"


def test_what_one_batch_puts_back_on_the_shelf_it_takes_again(seller: Seller) -> None:
    for number in (1, 2, 3, 4):
        seller.order(f"OD{number}", ("L1", "SOCK", 1))
        seller.tell(seller.change(f"OD{number}", Status.CANCEL_REQUESTED))
    seller.settle()
    seller.stock("SOCK", 3)
    seller.order("OD5", ("L1", "SOCK", 1))
    assert seller.positions("OD5") == ["FULFILLABLE"]
    minute = timedelta(minutes=1)
    for number, status in ((1, GONE), (5, Status.CANCELLED), (2, GONE), (3, GONE), (4, GONE)):
        seller.clock.advance(minute)
        seller.tell(seller.change(f"OD{number}", status))
    seller.settle()
    assert seller.stock_of("SOCK") == {"in_transit_out": 4, "shortage": -1}


def test_a_shortage_and_the_number_of_a_piece_outlive_a_pass(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 2))
    settle(seller, GONE, line_id="L1")
    settle(seller, Status.DELIVERED, line_id="L1", quantity=1)
    settle(seller, Status.CANCELLED, line_id="L1", quantity=2)
    assert seller.rows("SELECT position, short FROM item ORDER BY piece DESC") == [
        ("RETURN_EXPECTED", 1), ("DELIVERED", 1),
    ]  # fmt: skip
    settle(seller, Status.RETURNED, line_id="L1", quantity=2, return_type=CIR)
    messages = [text for (text,) in seller.rows("SELECT message FROM exceptions ORDER BY id")]
    assert any(" of line L1 piece 1, " in text for text in messages)
    assert any(" of line L1 piece 2, " in text for text in messages)
