"""The journal takes each fact once, with the cursor that it proves, and loses nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import inbox, runs
from syncd.clock import to_micros
from syncd.statuses import Kind, ReturnType, Status, StatusChange
from tests.bookkit import START, Seller


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def fact(number: int = 1, **more: Any) -> StatusChange:
    given = {
        "order_id": f"OD{number}",
        "status": Status.DISPATCHED,
        "native_status": "SHIPPED",
        "occurred_at": START - timedelta(hours=1),
        **more,
    }
    return StatusChange(**given)


def store(
    seller: Seller, *facts: Any, kind: Kind = Kind.DISPATCHED, until: Any = None
) -> inbox.Stored:
    run = runs.enqueue(seller.book, "shop", [], trigger="t", actor="t", now=START)
    return inbox.store_page(
        seller.book, 1, kind, facts, run_id=run.run_id, observed_at=START, complete_until=until
    )


def test_a_fact_is_stored_once_however_often_it_is_told(seller: Seller) -> None:
    assert store(seller, fact(1), fact(2)) == inbox.Stored(fetched=2, new=2, quarantined=0)
    again = store(seller, fact(2), fact(3))
    assert (again.new, again.known) == (1, 1)
    assert seller.count("inbox") == 3


def test_the_plugins_own_evidence_decides_what_is_the_same_fact(seller: Seller) -> None:
    store(seller, fact(1, evidence_id="A"))
    later = fact(1, evidence_id="A", occurred_at=START - timedelta(minutes=1))
    assert store(seller, later).new == 0
    assert store(seller, fact(1, evidence_id="B")).new == 1


@pytest.mark.parametrize(
    "other",
    [
        {"line_id": "L2"},
        {"quantity": 2},
        {"shipment_id": "S2"},
        {"native_status": "PICKUP_COMPLETE"},
        {"occurred_at": START - timedelta(hours=2)},
    ],
)
def test_without_it_any_difference_makes_another_fact(
    seller: Seller, other: dict[str, Any]
) -> None:
    store(seller, fact(1, line_id="L1", quantity=1, shipment_id="S1"))
    same = {"line_id": "L1", "quantity": 1, "shipment_id": "S1"}
    assert store(seller, fact(1, **{**same, **other})).new == 1


@pytest.mark.parametrize(("ahead", "clamped"), [(300, False), (301, True)])
def test_a_date_in_the_future_is_clamped_and_kept(
    seller: Seller, ahead: int, clamped: bool
) -> None:
    """Clocks differ a little: five minutes pass."""
    date = START + timedelta(seconds=ahead)
    store(seller, fact(1, occurred_at=date))
    ((occurred, observed, claimed),) = seller.rows(
        "SELECT occurred_at, observed_at, claimed_at FROM inbox"
    )
    assert occurred == (observed if clamped else to_micros(date))
    assert claimed == (to_micros(date) if clamped else None)


def test_rows_and_cursor_are_one_transaction(seller: Seller) -> None:
    def broken() -> None:
        with seller.book.write():
            store(seller, fact(1), until=START)
            raise ValueError("power cut")

    with pytest.raises(ValueError, match="power cut"):
        broken()
    with seller.book.connection():
        assert seller.count("inbox") == 0
        assert inbox.cursor_of(seller.book, 1, Kind.DISPATCHED) is None
        store(seller, fact(1), until=START)
        assert inbox.cursor_of(seller.book, 1, Kind.DISPATCHED) == START


def test_the_cursor_never_moves_back(seller: Seller) -> None:
    store(seller, until=START)
    store(seller, until=START - timedelta(days=1))
    with seller.book.connection():
        assert inbox.cursor_of(seller.book, 1, Kind.DISPATCHED) == START
        assert inbox.cursor_of(seller.book, 1, Kind.CANCELLED) is None


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (fact(status=Status.UNKNOWN, native_status="TELEPORTED"), "TELEPORTED"),
        (fact(status=Status.UNKNOWN, problem="The quantity is a cat."), "cat"),
        (fact(status=Status.CANCELLED), "from a hook that must not"),
        (fact(status="DISPATCHED"), "not a syncd.Status"),
        (fact(status=["x"]), "not a syncd.Status"),
        (fact(return_type="RTO"), "not a syncd.ReturnType"),
        (fact(order_id=""), "order id"),
        (fact(order_id="x" * 201), "order id"),
        (fact(order_id=17), "order id"),
        (fact(line_id="x" * 201), "longer than 200"),
        (fact(line_id=17), "not text"),
        (fact(native_status=None), "nothing that the book can store"),
        (fact(tracking_number=["T1"]), "nothing that the book can store"),
        (fact(shipment_id=2**70), "nothing that the book can store"),
        (fact(quantity=0), "whole number"),
        (fact(quantity=-1), "whole number"),
        (fact(quantity=10_001), "whole number"),
        (fact(quantity=1.5), "whole number"),
        (fact(quantity=True), "whole number"),
        (fact(occurred_at=START.replace(tzinfo=None)), "no time zone"),
        (fact(occurred_at="yesterday"), "no time zone"),
        ({"order_id": "OD1"}, "yielded a dict"),
        (None, "yielded a NoneType"),
    ],
)
def test_fault_F06_what_cannot_be_used_is_set_aside_and_the_page_goes_on(
    seller: Seller, bad: Any, why: str
) -> None:
    stored = store(seller, fact(1), bad, fact(2))
    assert (stored.new, stored.quarantined) == (3, 1)
    assert seller.count("inbox", "state = 'NEW'") == 2
    ((message, raw),) = seller.rows("SELECT message, raw FROM inbox WHERE state = 'QUARANTINED'")
    assert why in message
    assert raw
    assert store(seller, fact(1), bad, fact(2)).new == 0, "the same bad row is one row"
    seller.settle()
    assert seller.count("inbox", "state = 'QUARANTINED'") == 1


def test_facts_of_a_parcel_that_are_no_texts_are_left_out(seller: Seller) -> None:
    assert store(seller, fact(1, facts={"a": ["b"]}), fact(2, facts=7)).new == 2
    assert seller.rows("SELECT facts, state FROM inbox") == [("", "NEW"), ("", "NEW")]


def test_a_return_needs_its_type(seller: Seller) -> None:
    without = fact(status=Status.RETURNED)
    typed = fact(status=Status.RETURNED, return_type=ReturnType.RTO)
    stored = store(seller, without, typed, kind=Kind.RETURNS)
    assert (stored.new, stored.quarantined) == (2, 1)


def test_fault_A22_ids_are_kept_byte_for_byte(seller: Seller) -> None:
    strange = "000123 \u202ereversed\U0001f600"
    store(seller, fact(order_id=strange, line_id="0012"))
    assert seller.rows("SELECT order_id, line_id FROM inbox") == [(strange, "0012")]


def test_a_row_that_no_database_can_hold_is_set_aside_as_well(seller: Seller) -> None:
    stored = store(seller, fact(1), fact(2, native_status="\ud800"), fact(3))
    assert (stored.new, stored.quarantined) == (3, 1)
    assert seller.count("inbox", "state = 'NEW'") == 2


def test_an_unreadable_row_is_counted_in_the_run_that_first_saw_it_only(seller: Seller) -> None:
    bad = fact(1, status=Status.UNKNOWN, raw="?", problem="What is this?")
    assert store(seller, bad, fact(2)).quarantined == 1
    again = store(seller, bad, fact(3))
    assert (again.new, again.quarantined) == (1, 0)
