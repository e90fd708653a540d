"""What silences an audit is a person's word on just that piece; no other closing does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, drift, intake
from syncd.book.last_word import settled_pieces
from syncd.book.watch import Watch
from syncd.limits import Limits
from syncd.rules import Position
from syncd.statuses import NewOrder, OrderLine, Status
from tests.bookkit import START
from tests.unit.test_audit import CURSORS, AuditOffice, Market
from tests.unit.test_passes import DAY

pytestmark = pytest.mark.unsound_book(CURSORS)
HOUR = timedelta(hours=1)


@pytest.fixture
def office(tmp_path: Path) -> AuditOffice:
    made = AuditOffice(tmp_path, Market())
    for sku in ("SHIRT", "HAT"):
        made.seller.stock(sku, 9)
    return made


def take(office: AuditOffice, **lines: tuple[str, int]) -> None:
    """OD1 with these lines, by name (SKU, pieces), in the book and at the panel."""
    new = NewOrder(
        order_id="OD1",
        placed_at=START - DAY,
        lines=tuple(OrderLine(line_id=i, sku=s, quantity=q) for i, (s, q) in lines.items()),
    )
    office.shop.orders["OD1"] = new
    intake.take_orders(office.book, "shop", [new], source="test", now=office.clock.now())


def hear(office: AuditOffice, status: Status, **more: Any) -> None:
    office.seller.tell(office.shop.tell("OD1", status, occurred_at=START - HOUR, **more))
    office.seller.settle()


def watch(office: AuditOffice) -> None:
    Watch(office.book, lambda: {"shop": Limits()}).turn(office.clock.now())


def found(office: AuditOffice) -> list[tuple[str, str]]:
    """Line and cause of what an audit finds now."""
    office.read_until_now()
    run = office.audit()
    assert run["code"] in ("", "drift_found"), run["message"]
    return [(one.line_id, one.cause) for one in drift.findings(office.book, run_id=run["id"])]


def dismiss(office: AuditOffice, number: int = 1) -> None:
    now = office.clock.now()
    acts.settle(office.book, [number], "dismiss", note="I looked", actor="asha", now=now)


def codes(office: AuditOffice) -> list[tuple[Any, ...]]:
    return office.seller.rows("SELECT code, state, closed_by FROM exceptions ORDER BY id")


def late(office: AuditOffice) -> None:
    """The limits of all that waits have passed."""
    office.clock.advance(4 * DAY)
    watch(office)


BY_HAND = ("L1", "ahead_by_hand")
PARKED = ("L9", "parked")


@pytest.mark.parametrize("which", [{"line_id": "L2"}, {"sku": "HAT"}], ids=str)
def test_a_question_about_one_line_excuses_no_other_open_or_answered(
    office: AuditOffice, which: dict[str, str]
) -> None:
    take(office, L1=("SHIRT", 1), L2=("HAT", 1))
    hear(office, Status.CANCELLED, quantity=5, **which)
    assert codes(office) == [("quantity_exceeds", "OPEN", "")]
    office.seller.advance("OD1", Position.DISPATCHED)
    assert found(office) == [BY_HAND]
    dismiss(office)
    assert found(office) == [BY_HAND]


@pytest.mark.parametrize(
    ("which", "lines"),
    [
        ({"line_id": "L1"}, ["L1"]),
        ({"sku": "HAT"}, ["L2"]),
        ({}, ["L1", "L2"]),
    ],
    ids=str,
)
def test_what_is_about_no_piece_is_about_the_lines_that_its_fact_may_mean(
    office: AuditOffice, which: dict[str, str], lines: list[str]
) -> None:
    take(office, L1=("SHIRT", 1), L2=("HAT", 1))
    hear(office, Status.CANCELLED, quantity=5, **which)
    dismiss(office)
    with office.book.connection():
        pieces = settled_pieces(office.book, 1, ["OD1"])
    assert pieces == {("OD1", line): 1 for line in lines}


def test_what_syncd_has_closed_by_itself_is_nobodys_word(office: AuditOffice) -> None:
    hear(office, Status.DISPATCHED, line_id="L1", quantity=1)
    late(office)
    take(office, L1=("SHIRT", 2))
    office.seller.settle()
    watch(office)
    assert codes(office) == [("order_unknown_too_long", "CLOSED", "syncd")]
    office.seller.advance("OD1", Position.DISPATCHED)
    assert found(office) == [BY_HAND]


def test_whoever_closes_what_has_waited_too_long_has_not_said_where_a_piece_stands(
    office: AuditOffice,
) -> None:
    take(office, L1=("SHIRT", 1))
    office.seller.advance("OD1", Position.DISPATCHED)
    hear(office, Status.CANCELLED, line_id="L9")
    late(office)
    assert codes(office) == [("order_unknown_too_long", "OPEN", "")]
    dismiss(office)
    assert found(office) == [BY_HAND, PARKED]


@pytest.mark.parametrize("other", ["L9", "L2"])
def test_what_was_moved_by_hand_after_a_settlement_is_told_whatever_else_is_settled(
    office: AuditOffice, other: str
) -> None:
    take(office, L1=("SHIRT", 1), L2=("HAT", 1))
    office.seller.advance("OD1", Position.MANIFESTED)
    hear(office, Status.CANCELLED, line_id="L1")
    dismiss(office)
    office.seller.advance("OD1", Position.DISPATCHED)
    assert BY_HAND in found(office)
    hear(office, Status.DELIVERED, line_id=other, quantity=5)
    late(office)
    dismiss(office, 2)
    assert BY_HAND in found(office)


def test_an_answer_about_another_line_is_none_though_this_one_was_asked_about_before(
    office: AuditOffice,
) -> None:
    take(office, L1=("SHIRT", 1), L2=("HAT", 1))
    hear(office, Status.CANCEL_WITHDRAWN, line_id="L1", quantity=5)
    dismiss(office)
    office.clock.advance(HOUR)
    office.seller.advance("OD1", Position.DISPATCHED)
    hear(office, Status.CANCEL_WITHDRAWN, line_id="L2", quantity=5)
    assert BY_HAND in found(office)
    office.clock.advance(HOUR)
    dismiss(office, 2)
    assert BY_HAND in found(office)
