"""An audit of orders whose parcels were parted, by hand or by the panel, or that ship short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.book import acts
from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import NewOrder, OrderLine, ReturnType, Status, StatusChange
from tests.bookkit import START
from tests.unit.test_audit import CURSORS, WAYS, AuditOffice, Market
from tests.unit.test_passes import DAY

pytestmark = pytest.mark.unsound_book(CURSORS)

RTO: dict[str, Any] = {"return_type": ReturnType.RTO, "return_id": "R1", "left_seller": True}


class PartedOffice(AuditOffice):
    """An office with one order, OD1, of the lines a, b and c, a piece each."""

    def place(self, to: Position, *, name: str = "SH1") -> None:
        """The order is placed, and brought here in one parcel that the panel calls by a name."""
        lines = tuple(OrderLine(line_id=line, sku=line.upper(), quantity=1) for line in "abc")
        for line in lines:
            self.seller.stock(line.sku, 1)
        self.seller.order("OD1", *((line.line_id, line.sku, 1) for line in lines))
        self.shop.orders["OD1"] = NewOrder(order_id="OD1", placed_at=START - DAY, lines=lines)
        with self.book.write():
            self.book.query("UPDATE orders SET placed_at = placed_at - 86400000000")
        self.seller.advance("OD1", to)
        with self.book.write():
            self.book.query("UPDATE package SET shipment_id = ?", (name,))

    def split(self, line: str, shipment: str = "", parcel: str = "") -> None:
        acts.split(
            self.book, "shop", "OD1", {line: 1}, parcel=parcel, names=acts.Names(shipment),
            actor="asha", now=self.clock.now(),
        )  # fmt: skip

    def merge(self, shipment: str = "") -> None:
        acts.merge(
            self.book, "shop", "OD1", names=acts.Names(shipment), actor="asha",
            now=self.clock.now(),
        )  # fmt: skip

    def happens(self, status: Status, hours: int, **more: Any) -> StatusChange:
        """Something happens at the panel so many hours ago."""
        at = START - timedelta(hours=hours)
        return self.shop.tell("OD1", status, occurred_at=at, **more)

    def heard(self, status: Status, hours: int, **more: Any) -> None:
        """The same, and the book hears of it and decides it."""
        self.seller.tell(self.happens(status, hours, **more))
        self.seller.settle()

    def agrees(self) -> None:
        """An audit finds nothing, and mending changes nothing of the order."""
        before = self.seller.dump()
        assert self.causes(self.audit()) == []
        assert self.causes(self.audit(fix=True)) == []
        after = self.seller.dump()
        assert all(after[name] == before[name] for name in ("item", "package", "decision"))

    def mends(self, *positions: str) -> None:
        """An audit finds what was missed; mending brings the pieces there, and then all agree."""
        before = self.seller.dump()["item"]
        found = self.causes(self.audit())
        assert found
        assert {cause for _, cause, _ in found} == {"missed"}
        assert self.seller.dump()["item"] == before, "a look changes nothing"
        assert self.causes(self.audit(fix=True)) == [(*one[:2], True) for one in found]
        assert self.seller.positions("OD1") == list(positions)
        self.agrees()


@pytest.fixture(params=list(WAYS))
def office(request: Any, tmp_path: Path) -> PartedOffice:
    return PartedOffice(tmp_path, Market(**WAYS[request.param]))


@pytest.fixture
def plain(tmp_path: Path) -> PartedOffice:
    return PartedOffice(tmp_path, Market())


def test_a_split_parcel_that_leaves_under_its_old_name(office: PartedOffice) -> None:
    office.place(Position.PACKED)
    office.split("b")
    office.agrees()
    office.heard(Status.DISPATCHED, 9, shipment_id="SH1")
    assert office.seller.positions("OD1") == ["DISPATCHED"] * 3
    office.agrees()
    office.happens(Status.DELIVERED, 8, shipment_id="SH1")
    office.mends("DELIVERED", "DELIVERED", "DELIVERED")


def test_the_part_with_a_name_of_its_own_left_and_the_rest_is_here(office: PartedOffice) -> None:
    office.place(Position.PACKED)
    office.split("b", "SH2")
    office.heard(Status.DISPATCHED, 9, shipment_id="SH2")
    assert office.seller.positions("OD1") == ["PICKED", "DISPATCHED", "PICKED"]
    office.agrees()
    office.happens(Status.DISPATCHED, 8, shipment_id="SH1")
    office.mends("DISPATCHED", "DISPATCHED", "DISPATCHED")


def test_the_rest_left_under_the_old_name_and_the_named_part_is_here(office: PartedOffice) -> None:
    office.place(Position.PACKED)
    office.split("b", "SH2")
    office.heard(Status.DISPATCHED, 9, shipment_id="SH1")
    assert office.seller.positions("OD1") == ["DISPATCHED", "PICKED", "DISPATCHED"]
    office.agrees()
    office.happens(Status.DISPATCHED, 8, shipment_id="SH2")
    office.mends("DISPATCHED", "DISPATCHED", "DISPATCHED")


ENDS: dict[str, Callable[[PartedOffice], list[str]]] = {}


def ending(act: Callable[[PartedOffice], list[str]]) -> Callable[[PartedOffice], list[str]]:
    ENDS[act.__name__] = act
    return act


@ending
def delivered(office: PartedOffice) -> list[str]:
    office.happens(Status.DELIVERED, 7, shipment_id="SH2")
    return ["DISPATCHED", "DELIVERED", "DISPATCHED"]


@ending
def delivered_as_the_old_parcel(office: PartedOffice) -> list[str]:
    office.happens(Status.DELIVERED, 7, shipment_id="SH1")
    return ["DELIVERED", "DISPATCHED", "DELIVERED"]


@ending
def on_its_way_back(office: PartedOffice) -> list[str]:
    office.happens(Status.RETURN_NOTICED, 7, shipment_id="SH2", **RTO)
    return ["DISPATCHED", "RETURN_EXPECTED", "DISPATCHED"]


@ending
def returned(office: PartedOffice) -> list[str]:
    office.happens(Status.RETURNED, 7, shipment_id="SH2", **RTO)
    return ["DISPATCHED", "RETURNED", "DISPATCHED"]


@ending
def lost(office: PartedOffice) -> list[str]:
    office.happens(Status.LOST, 7, shipment_id="SH2", **{**RTO, "return_id": ""})
    return ["DISPATCHED", "LOST", "DISPATCHED"]


@pytest.mark.parametrize("end", list(ENDS))
def test_one_part_ended_and_the_journal_missed_it(office: PartedOffice, end: str) -> None:
    office.place(Position.PACKED)
    office.split("b", "SH2")
    office.heard(Status.DISPATCHED, 9, shipment_id="SH1")
    office.heard(Status.DISPATCHED, 8, shipment_id="SH2")
    office.agrees()
    office.mends(*ENDS[end](office))


@pytest.mark.parametrize("end", list(ENDS))
def test_one_parcel_here_and_two_at_the_panel(office: PartedOffice, end: str) -> None:
    office.place(Position.PACKED)
    office.heard(Status.DISPATCHED, 9, shipment_id="SH2", line_id="b")
    assert office.seller.positions("OD1") == ["PACKED", "DISPATCHED", "PACKED"]
    office.agrees()
    office.heard(Status.DISPATCHED, 8, shipment_id="SH1")
    assert office.seller.positions("OD1") == ["DISPATCHED"] * 3
    office.agrees()
    office.mends(*ENDS[end](office))


@pytest.mark.parametrize("name", ["SH1", "SH2", "SH9"])
def test_merged_parcels_that_leave_under_any_of_their_names(
    office: PartedOffice, name: str
) -> None:
    office.place(Position.CREATED)
    office.split("b", "SH2")
    office.merge("SH9")
    office.agrees()
    office.heard(Status.DISPATCHED, 9, shipment_id=name)
    assert office.seller.positions("OD1") == ["DISPATCHED"] * 3
    office.agrees()
    office.happens(Status.DELIVERED, 8, shipment_id=name)
    office.mends("DELIVERED", "DELIVERED", "DELIVERED")


def test_a_part_that_is_split_again(office: PartedOffice) -> None:
    office.place(Position.CREATED)
    office.split("c", "SH3")
    office.split("b", "SH2", parcel="SP-2")
    office.heard(Status.DISPATCHED, 9, shipment_id="SH3")
    assert office.seller.positions("OD1") == ["CREATED", "CREATED", "DISPATCHED"]
    office.agrees()
    office.happens(Status.DISPATCHED, 8, shipment_id="SH2")
    office.mends("CREATED", "DISPATCHED", "DISPATCHED")


def test_parts_that_learned_their_names_from_the_panel(office: PartedOffice) -> None:
    office.place(Position.CREATED)
    office.split("b")
    office.heard(Status.DISPATCHED, 9, shipment_id="SH7", line_id="a")
    office.heard(Status.DISPATCHED, 8, shipment_id="SH8", line_id="b")
    assert office.seller.positions("OD1") == ["DISPATCHED", "DISPATCHED", "CREATED"]
    office.agrees()
    office.happens(Status.DELIVERED, 7, shipment_id="SH7")
    office.mends("DELIVERED", "DISPATCHED", "CREATED")


def test_it_is_split_after_a_part_of_it_was_cancelled(office: PartedOffice) -> None:
    office.place(Position.CREATED)
    office.heard(Status.CANCELLED, 10, line_id="a")
    office.split("b", "SH2")
    office.heard(Status.DISPATCHED, 9, shipment_id="SH2")
    assert office.seller.positions("OD1") == ["CANCELLED", "DISPATCHED", "CREATED"]
    office.agrees()
    office.happens(Status.DELIVERED, 8, shipment_id="SH2")
    office.mends("CANCELLED", "DELIVERED", "CREATED")


def test_one_of_its_parts_was_cancelled(office: PartedOffice) -> None:
    office.place(Position.PACKED)
    office.split("b", "SH2")
    office.happens(Status.CANCELLED, 9, shipment_id="SH2")
    office.mends("PICKED", "CANCELLED", "PICKED")
    office.happens(Status.DISPATCHED, 8, shipment_id="SH1")
    office.mends("DISPATCHED", "CANCELLED", "DISPATCHED")


@pytest.mark.parametrize("policy", list(PartialCancel))
@pytest.mark.parametrize("named", [{}, {"shipment_id": "SH1"}])
def test_a_parcel_that_ships_short_or_is_packed_again(
    office: PartedOffice, policy: PartialCancel, named: dict[str, str]
) -> None:
    office.seller.policies = Policies(partial_cancel=policy)
    office.setup = msgspec.structs.replace(office.setup, policies=office.seller.policies)
    office.place(Position.PACKED)
    office.heard(Status.CANCELLED, 10, line_id="a")
    office.agrees()
    office.heard(Status.DISPATCHED, 9, **named)
    assert office.seller.positions("OD1") == ["CANCELLED", "DISPATCHED", "DISPATCHED"]
    office.agrees()
    office.happens(Status.RETURNED, 7, line_id="c", **named, **RTO)
    office.mends("CANCELLED", "DISPATCHED", "RETURNED")


def test_every_piece_of_an_invoiced_part_was_cancelled(plain: PartedOffice) -> None:
    plain.place(Position.CREATED)
    plain.split("b", "SH2")
    plain.seller.advance("OD1", Position.PACKED)
    for hours, line in ((9, "a"), (8, "c"), (7, "b")):
        plain.happens(Status.CANCELLED, hours, line_id=line)
    plain.mends("CANCELLED", "CANCELLED", "CANCELLED")


def test_a_part_dispatched_by_hand_is_told_as_such(plain: PartedOffice) -> None:
    plain.place(Position.PACKED)
    plain.split("b", "SH2")
    plain.heard(Status.DISPATCHED, 9, shipment_id="SH2")
    plain.seller.advance("OD1", Position.DISPATCHED)
    run = plain.audit(fix=True)
    assert plain.causes(run) == [("OD1", "ahead_by_hand", False)] * 2
