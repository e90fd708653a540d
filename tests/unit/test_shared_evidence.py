"""One evidence id for what happened to two lines: no fact is lost, and none is taken twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.rules import Position
from syncd.statuses import Kind, NewOrder, OrderLine, ReturnType, Status, StatusChange
from tests.bookkit import START, Seller
from tests.unit.test_audit import AuditOffice, Market
from tests.unit.test_passes import DAY, Office, Shop, pages, said

JOURNAL = "SELECT evidence, line_id, state FROM inbox WHERE kind <> 'orders' ORDER BY id"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    found = Seller(tmp_path)
    for sku in ("A", "B"):
        found.stock(sku, 1)
    found.order("OD1", ("a", "A", 1), ("b", "B", 1))
    return found


def left(line: str, **more: Any) -> StatusChange:
    more = {"evidence_id": "E1", "status": Status.DISPATCHED, **more}
    return said("OD1", line_id=line, **more)


def told(seller: Seller, *changes: StatusChange) -> list[str]:
    seller.tell(*changes)
    seller.settle()
    return seller.positions("OD1")


@pytest.mark.parametrize("together", [True, False])
def test_two_lines_with_one_evidence_are_both_decided(seller: Seller, together: bool) -> None:
    facts = [left("a"), left("b")]
    for part in [facts] if together else [[fact] for fact in facts]:
        told(seller, *part)
    assert seller.positions("OD1") == ["DISPATCHED", "DISPATCHED"]
    (first, second) = seller.rows(JOURNAL)
    assert first == ("E1", "a", "DONE"), "what was heard of first keeps its key"
    assert (second[0][:3], second[1:]) == ("E1#", ("b", "DONE"))
    assert seller.stock_of("B")["in_transit_out"] == 1
    before = seller.dump()["decision"]
    for again in ([left("b")], [left("b"), left("a")], [left("a"), left("b"), left("b")]):
        told(seller, *again)
    assert len(seller.rows(JOURNAL)) == 2, "the repeat of either is known"
    assert seller.dump()["decision"] == before


@pytest.mark.parametrize(
    "more",
    [
        {"sku": "B"},
        {"status": Status.DELIVERED},
        {"status": Status.RETURNED, "return_type": ReturnType.RTO},
    ],
)
def test_another_sku_status_or_return_type_is_another_fact(
    seller: Seller, more: dict[str, Any]
) -> None:
    told(seller, left("a"), left("a", **more))
    assert len(seller.rows(JOURNAL)) == 2
    told(seller, left("a", **more))
    assert len(seller.rows(JOURNAL)) == 2


def test_the_kind_of_a_return_tells_apart(seller: Seller) -> None:
    kinds = [left("a", status=Status.RETURNED, return_type=kind) for kind in ReturnType]
    seller.tell(*kinds, *kinds)
    assert len(seller.rows(JOURNAL)) == 2


def test_what_a_panel_revises_is_the_same_fact(seller: Seller) -> None:
    told(seller, left("a"))
    later = START - timedelta(minutes=3)
    seller.tell(
        left("a", quantity=1), left("a", tracking_number="T9"), left("a", occurred_at=later),
        left("a", shipment_id="S9"), left("a", return_id="R9"),
    )  # fmt: skip
    assert seller.rows(JOURNAL) == [("E1", "a", "DONE")]


def test_a_page_longer_than_one_statement_loses_nothing(seller: Seller) -> None:
    lines = [f"L{number}" for number in range(450)]
    seller.tell(*(left(line) for line in lines), *(left(line) for line in reversed(lines)))
    assert sorted(row[1] for row in seller.rows(JOURNAL)) == sorted(lines)


def test_ids_of_odd_letters_are_told_apart_as_they_are(seller: Seller) -> None:
    odd = [left("\u0000x"), left('"'), left("ä"), left("a\u0000"), left("a")]
    seller.tell(*odd, *odd)
    assert len(seller.rows(JOURNAL)) == 5


def test_dry_run_and_run_agree(tmp_path: Path) -> None:
    shop = Shop()
    office = Office(tmp_path, shop)
    for sku in ("A", "B"):
        office.seller.stock(sku, 1)
    office.seller.order("OD1", ("a", "A", 1), ("b", "B", 1))
    shop.scripts[Kind.DISPATCHED] = pages(left("a"), left("b"), left("a"))
    dry = office.run(Kind.DISPATCHED, dry_run=True)
    assert len(office.seller.rows(JOURNAL)) == 0
    run = office.run(Kind.DISPATCHED)
    assert run["plan_hash"] == dry["plan_hash"]
    assert office.seller.positions("OD1") == ["DISPATCHED", "DISPATCHED"]


@pytest.mark.unsound_book("i08_a_cursor_is_proven_by_the_run_that_moved_it")
def test_an_audit_sees_the_second_line_as_the_journal_does(tmp_path: Path) -> None:
    office = AuditOffice(tmp_path, Market())
    lines = tuple(OrderLine(line_id=line, sku=line.upper(), quantity=1) for line in "ab")
    office.seller.order("OD1", ("a", "A", 1), ("b", "B", 1))
    office.shop.orders["OD1"] = NewOrder(order_id="OD1", placed_at=START - DAY, lines=lines)
    office.seller.tell(left("a"))
    office.seller.settle()
    office.shop.facts += [left("a"), left("b")]
    assert office.causes(office.audit()) == [("OD1", "missed", False)]
    assert office.causes(office.audit(fix=True)) == [("OD1", "missed", True)]
    assert office.seller.positions("OD1") == [Position.DISPATCHED] * 2
    assert office.causes(office.audit()) == []
    office.shop.facts.reverse()
    assert office.causes(office.audit(fix=True)) == []
    assert len(office.seller.rows(JOURNAL)) == 2
