"""The sellers' cases S01 to S35, each by its name, through the real book to its last row."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, failures
from syncd.book.putaways import Disposition, complete_putaway
from syncd.errors import Refused
from syncd.rules import Position
from syncd.statuses import OrderLine, OrderRef, ReturnType, Status
from tests.bookkit import Seller
from tests.machine.office import Office

P = Position
RTO, CIR = ReturnType.RTO, ReturnType.CIR


class Case:
    """A seller with orders at their positions, and what is then told."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.seller = Seller(folder, **more)

    def order(self, quantity: int = 1, at: Position = P.FULFILLABLE, name: str = "OD1") -> Case:
        """An order of one line with these pieces, all at the position."""
        if at is not P.UNFULFILLABLE:
            self.seller.stock("SHIRT", quantity)
        self.seller.order(name, ("a", "SHIRT", quantity))
        if at in _ROAD:
            self.seller.advance(name, at)
        elif at in (P.DISPATCHED, P.DELIVERED):
            self.tell(Status.DISPATCHED, name=name)
            if at is P.DELIVERED:
                self.tell(Status.DELIVERED, name=name)
        assert set(self.seller.positions(name)) == {at.value}
        self.good = self.seller.stock_of("SHIRT").get("on_hand_good", 0)
        return self

    def two_lines(self, at: Position | None = None) -> Case:
        """An order of two lines with a piece each."""
        self.seller.stock("SHIRT", 2)
        self.seller.order("OD1", ("a", "SHIRT", 1), ("b", "SHIRT", 1))
        if at is not None:
            self.seller.advance("OD1", at)
        return self

    def tell(self, status: Status, kind: ReturnType | None = None, **more: Any) -> Case:
        """One fact in a pass of its own."""
        name = more.pop("name", "OD1")
        more.setdefault("left_seller", kind is not None)
        self.seller.tell(self.seller.change(name, status, return_type=kind, **more))
        self.seller.settle()
        return self

    def put_away(self, disposition: Disposition = Disposition.GOOD) -> Case:
        ((putaway,),) = self.seller.rows("SELECT id FROM putaway WHERE state = 'PENDING'")
        now = self.seller.clock.now()
        complete_putaway(self.seller.book, putaway, disposition, actor="asha", now=now)
        return self

    def stands(self, *positions: str, name: str = "OD1") -> None:
        assert self.seller.positions(name) == list(positions)

    @property
    def good_delta(self) -> int:
        return self.seller.stock_of("SHIRT").get("on_hand_good", 0) - self.good

    @property
    def shortage(self) -> int:
        return -self.seller.stock_of("SHIRT").get("shortage", 0)

    @property
    def putaways(self) -> list[str]:
        return [row[0] for row in self.seller.rows("SELECT kind FROM putaway ORDER BY id")]

    @property
    def exceptions(self) -> list[tuple[Any, ...]]:
        return self.seller.rows("SELECT code, severity FROM exceptions WHERE state = 'OPEN'")

    @property
    def documents(self) -> tuple[int, int]:
        """Parcels that live, and invoices that count."""
        count = self.seller.count
        return count("package", "state <> 'CANCELLED'"), count("invoice", "state = 'ISSUED'")


_ROAD = (P.CREATED, P.PICKING, P.PICKED, P.PACKED, P.READY_TO_SHIP, P.MANIFESTED)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_S01_shipped_at_the_panel_while_unfulfillable_here(case: Case) -> None:
    case.order(at=P.UNFULFILLABLE).tell(Status.DISPATCHED).stands("DISPATCHED")
    assert (case.documents, case.shortage) == ((1, 1), 1)


def test_S02_shipped_at_the_panel_with_a_shipment_made_here(case: Case) -> None:
    case.order(at=P.CREATED).tell(Status.DISPATCHED).stands("DISPATCHED")
    assert (case.documents, case.shortage) == ((1, 1), 0)


def test_S03_a_facility_without_a_sequence_leaves_nothing_half_done(tmp_path: Path) -> None:
    case = Case(tmp_path, sequence=False)
    case.order(at=P.CREATED)
    before = {name: rows for name, rows in case.seller.dump().items() if name in _WORK}
    case.tell(Status.DISPATCHED).stands("CREATED")
    assert {name: rows for name, rows in case.seller.dump().items() if name in _WORK} == before
    assert case.seller.journal() == [("REFUSED", "REFUSED", "sequence_missing")]


_WORK = ("item", "package", "invoice", "stock", "stock_move", "putaway", "exceptions", "outbox")


def test_S04_a_tenant_that_is_not_live_gets_the_message_on_its_task(tmp_path: Path) -> None:
    office = Office(tmp_path, sequence=True)
    panel = office.panels["shop"]
    order = panel.place([OrderLine(line_id="a", sku="SHIRT", quantity=1)], "", timedelta(0))
    office.wait(timedelta(minutes=10))
    office.run("shop")
    assert _stocked(office)
    acts.advance(office.book, "shop", "OD1", P.CREATED, actor="a", now=office.now)
    acts.set_tenant_state(office.book, "acme", "ONBOARDING", actor="a", now=office.now)
    panel.ship(order, "a", 1, timedelta(0))
    office.wait(timedelta(minutes=10))
    run = office.run("shop")
    assert office.rows("SELECT position FROM item") == [("CREATED",)]
    message = "Sync not allowed as Tenant is not Live yet"
    ended = office.rows("SELECT state, code, message FROM run WHERE id = ?", run)
    assert ended == [("GATED", "tenant_not_live", message)]
    sql = "SELECT DISTINCT last_result, last_message, failures FROM task WHERE account_id = 1"
    assert office.rows(sql) == [("gated", message, 0)]
    office.close()


def test_S05_cancelled_before_the_invoice_is_sellable_at_once(case: Case) -> None:
    case.order(at=P.CREATED).tell(Status.CANCELLED).stands("CANCELLED")
    assert (case.putaways, case.good_delta) == ([], 1)


def test_S06_cancelled_after_the_invoice_waits_for_its_putaway(case: Case) -> None:
    case.order(at=P.PACKED).tell(Status.CANCELLED).stands("CANCELLED")
    assert (case.putaways, case.good_delta) == (["CANCELLED_ITEM"], 0)


def test_S07_and_is_sellable_after_it(case: Case) -> None:
    case.order(at=P.PACKED).tell(Status.CANCELLED).put_away().stands("CANCELLED")
    assert case.good_delta == 1


def test_S08_of_three_pieces_the_least_advanced_is_cancelled(case: Case) -> None:
    # A line whose pieces stand apart: the third is packed first, then the second gets a parcel.
    seller = case.seller
    seller.stock("SHIRT", 3)
    seller.order("OD1", ("a", "SHIRT", 1))
    seller.advance("OD1", P.PACKED)
    seller.order("OD1", ("a", "SHIRT", 2))
    _only(seller, 2)
    seller.order("OD1", ("a", "SHIRT", 3))
    case.stands("PACKED", "CREATED", "FULFILLABLE")
    case.tell(Status.CANCELLED, line_id="a", quantity=1).stands("PACKED", "CREATED", "CANCELLED")


def _only(seller: Seller, number: int) -> None:
    """Bring the pieces that are before CREATED there."""
    seller.advance("OD1", P.CREATED)
    assert seller.positions("OD1")[number - 1] == "CREATED"


def test_S09_one_of_two_in_a_parcel_is_cancelled(case: Case) -> None:
    case.two_lines(P.CREATED).tell(Status.CANCELLED, line_id="a").stands("CANCELLED", "CREATED")
    assert case.seller.rows("SELECT line_id FROM item WHERE package_id = 1") == [("b",)]


def test_S10_dispatched_after_it_was_cancelled_is_for_a_person(case: Case) -> None:
    case.order().tell(Status.CANCELLED).tell(Status.DISPATCHED).stands("CANCELLED")
    assert case.exceptions == [("dispatched_after_cancel", "critical")]
    assert case.documents == (0, 0)


def test_S11_cancelled_after_it_left_is_expected_back(case: Case) -> None:
    case.order(at=P.DISPATCHED).tell(Status.CANCELLED).stands("RETURN_EXPECTED")
    assert case.seller.journal()[-1] == ("DONE", "APPLY", "cancelled_after_dispatch")


def test_S12_the_return_is_heard_of_before_the_dispatch(case: Case) -> None:
    case.order(at=P.CREATED)
    late = case.seller.change("OD1", Status.DISPATCHED)
    case.tell(Status.RETURN_NOTICED, RTO).stands("RETURN_EXPECTED")
    case.seller.tell(late)
    case.seller.settle()
    case.stands("RETURN_EXPECTED")
    implied = case.seller.rows("SELECT event, steps FROM decision WHERE implied = 1")
    assert [(event, "dispatch" in steps) for event, steps in implied] == [
        ("RETURN_NOTICED_RTO", True)
    ]
    assert case.documents == (1, 1)


def test_S13_and_after_it(case: Case) -> None:
    case.order(at=P.CREATED).tell(Status.DISPATCHED).tell(Status.RETURN_NOTICED, RTO)
    case.stands("RETURN_EXPECTED")
    assert case.documents == (1, 1)
    assert case.seller.stock_of("SHIRT") == {"in_transit_back": 1}


def test_S14_dispatched_told_twice_is_dispatched_once(case: Case) -> None:
    case.order(at=P.CREATED).tell(Status.DISPATCHED).tell(Status.DISPATCHED).stands("DISPATCHED")
    assert case.documents == (1, 1)


def test_S15_the_power_fails_at_any_statement_and_there_is_one_invoice(tmp_path: Path) -> None:
    after, cut = 0, True
    while cut:
        after += 7
        folder = tmp_path / str(after)
        folder.mkdir()
        office = Office(folder, sequence=True)
        panel = office.panels["shop"]
        order = panel.place([OrderLine(line_id="a", sku="SHIRT", quantity=1)], "", timedelta(0))
        office.wait(timedelta(minutes=10))
        office.run("shop")
        assert _stocked(office)
        acts.advance(office.book, "shop", "OD1", P.CREATED, actor="a", now=office.now)
        panel.ship(order, "a", 1, timedelta(0))
        office.wait(timedelta(minutes=10))
        cut = office.cut_in(lambda: office.run("shop"), after)  # noqa: B023
        office.recover()
        office.run("shop")
        office.check()
        assert office.rows("SELECT position FROM item") == [("DISPATCHED",)]
        assert office.rows("SELECT number, state FROM invoice") == [("BLR/001", "ISSUED")]
        office.close()
    assert after > 50, "the power failed nowhere"


def _stocked(office: Office) -> bool:
    """Stock for the one order comes in."""
    acts.receive_stock(office.book, "BLR", {"SHIRT": 1}, actor="a", now=office.now, tenant="acme")
    return office.rows("SELECT position FROM item") == [("FULFILLABLE",)]


def test_S16_cancelled_before_it_was_known_is_born_cancelled(case: Case) -> None:
    case.tell(Status.CANCELLED)
    case.seller.stock("SHIRT", 1)
    case.seller.order("OD1", ("a", "SHIRT", 1))
    case.seller.settle()
    case.stands("CANCELLED")
    assert case.seller.count("item", "allocated = 1") == 0
    assert case.seller.stock_of("SHIRT") == {"on_hand_good": 1}


def test_S17_dispatched_before_it_was_known_is_dispatched_when_it_comes(case: Case) -> None:
    case.tell(Status.DISPATCHED)
    case.seller.order("OD1", ("a", "SHIRT", 1))
    case.seller.settle()
    case.stands("DISPATCHED")


def test_S18_an_order_that_never_comes_is_not_forgotten(case: Case) -> None:
    case.tell(Status.DISPATCHED)
    case.seller.clock.advance(timedelta(hours=73))
    case.seller.settle()
    (fact,) = failures.failed(case.seller.book).facts
    assert (fact.state, fact.code, fact.order_id) == ("PARKED", "order_unknown", "OD1")


def test_S19_two_parcels_of_one_order_go_their_own_ways(case: Case) -> None:
    case.two_lines()
    for line, shipment in (("a", "SH1"), ("b", "SH2")):
        case.tell(Status.DISPATCHED, line_id=line, shipment_id=shipment)
    case.tell(Status.DELIVERED, shipment_id="SH1")
    case.tell(Status.RETURN_NOTICED, RTO, shipment_id="SH2")
    case.stands("DELIVERED", "RETURN_EXPECTED")
    assert case.seller.order_state("OD1") == "COMPLETE"


def test_S20_delivered_after_the_return_notice_was_a_second_try(case: Case) -> None:
    case.order(at=P.DISPATCHED).tell(Status.RETURN_NOTICED, RTO).tell(Status.DELIVERED)
    case.stands("DELIVERED")


def test_S21_delivered_before_the_return_notice_was_a_false_scan(case: Case) -> None:
    case.order(at=P.DISPATCHED)
    earlier = case.seller.change("OD1", Status.DELIVERED)
    case.tell(Status.RETURN_NOTICED, RTO)
    case.seller.tell(earlier)
    case.seller.settle()
    case.stands("RETURN_EXPECTED")


def test_S22_cancelled_on_a_closed_manifest_blocks_the_parcel(case: Case) -> None:
    case.order(at=P.MANIFESTED).tell(Status.CANCELLED).stands("MANIFESTED")
    assert case.exceptions == [("cancelled_after_manifest", "critical")]
    assert case.seller.count("package", "blocked = 'cancelled_after_manifest'") == 1
    with pytest.raises(Refused, match="is blocked"):
        case.seller.advance("OD1", P.DISPATCHED)


def test_S23_a_wish_to_cancel_holds_until_it_is_withdrawn(case: Case) -> None:
    case.order(at=P.CREATED).tell(Status.CANCEL_REQUESTED)
    assert case.seller.count("item", "hold = 'buyer_cancel_requested'") == 1
    case.tell(Status.CANCEL_WITHDRAWN).stands("CREATED")
    assert case.seller.count("item", "hold = ''") == 1
    case.seller.advance("OD1", P.PACKED)


def test_S24_two_of_three_come_back(case: Case) -> None:
    case.order(3, P.DELIVERED)
    case.tell(Status.RETURN_NOTICED, CIR, line_id="a", quantity=2, return_id="R1")
    assert Counter(case.seller.positions("OD1")) == {"CIR_CREATED": 2, "DELIVERED": 1}


def test_S25_one_return_told_twice_is_one_return(case: Case) -> None:
    case.order(2, P.DELIVERED)
    for _ in range(2):
        case.tell(Status.RETURN_NOTICED, CIR, line_id="a", quantity=1, return_id="R1")
    assert Counter(case.seller.positions("OD1")) == {"CIR_CREATED": 1, "DELIVERED": 1}


def test_S26_lost_on_the_way_back_is_a_claim_and_no_stock(case: Case) -> None:
    case.order(at=P.DISPATCHED).tell(Status.RETURN_NOTICED, RTO).tell(Status.LOST).stands("LOST")
    assert (case.putaways, case.good_delta) == ([], 0)
    assert [code for code, _ in case.exceptions] == ["lost_on_the_way_back"]


def test_S27_a_replacement_is_an_order_of_its_own(case: Case) -> None:
    case.order(at=P.DELIVERED).tell(Status.RETURN_NOTICED, CIR)
    case.order(at=P.CREATED, name="OD1-R").tell(Status.DISPATCHED, name="OD1-R")
    case.stands("CIR_CREATED")
    case.stands("DISPATCHED", name="OD1-R")


def test_S28_what_the_seller_ships_is_only_echoed(case: Case) -> None:
    def ships(_order: OrderRef) -> bool:
        return False

    case.order(at=P.READY_TO_SHIP)
    case.seller.tell(case.seller.change("OD1", Status.DISPATCHED))
    clerk = case.seller.settle(ships=ships)
    case.stands("READY_TO_SHIP")
    assert clerk.counts.skipped == 1
    assert case.seller.journal() == [("DONE", "SKIPPED", "channel_not_shipping")]


def test_S29_delivered_after_it_was_cancelled_is_for_a_person(case: Case) -> None:
    case.order().tell(Status.CANCELLED).tell(Status.DELIVERED).stands("CANCELLED")
    assert case.exceptions == [("delivered_after_cancel", "critical")]


def test_S30_an_order_with_a_cancelled_and_a_dispatched_piece_is_complete(case: Case) -> None:
    case.two_lines(P.CREATED)
    case.tell(Status.CANCELLED, line_id="a").tell(Status.DISPATCHED, line_id="b")
    case.stands("CANCELLED", "DISPATCHED")
    assert case.seller.order_state("OD1") == "COMPLETE"


def test_S31_a_parcel_that_came_back_waits_for_its_putaway(case: Case) -> None:
    case.order(at=P.DISPATCHED).tell(Status.RETURN_NOTICED, RTO).tell(Status.RETURNED, RTO)
    case.stands("RETURNED")
    assert (case.putaways, case.good_delta) == (["RTO"], 0)


def test_S32_a_customers_return_may_be_heard_of_at_its_end_only(case: Case) -> None:
    case.order(at=P.DELIVERED).tell(Status.RETURNED, CIR).stands("CIR_COMPLETE")
    assert (case.putaways, case.good_delta) == (["CIR"], 0)


def test_S33_a_withdrawn_return_never_was(case: Case) -> None:
    case.order(at=P.DELIVERED).tell(Status.RETURN_NOTICED, CIR, return_id="R1")
    case.tell(Status.RETURN_WITHDRAWN, CIR, return_id="R1").stands("DELIVERED")
    assert case.putaways == []


def test_S34_nor_when_the_withdrawal_is_heard_of_first(case: Case) -> None:
    case.order(at=P.DELIVERED)
    notice = case.seller.change("OD1", Status.RETURN_NOTICED, return_type=CIR, return_id="R1")
    case.tell(Status.RETURN_WITHDRAWN, CIR, return_id="R1")
    case.seller.tell(notice)
    case.seller.settle()
    case.stands("DELIVERED")


def test_S35_only_the_warehouse_brings_stock_back(case: Case) -> None:
    case.order(at=P.DISPATCHED).tell(Status.RETURNED, RTO).put_away().stands("RETURN_ACKNOWLEDGED")
    assert case.good_delta == 1
