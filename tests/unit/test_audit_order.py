"""An audit finds where the order in which the book heard of things has led it elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import drift
from syncd.statuses import ReturnType, Status
from tests.bookkit import START
from tests.unit.test_audit import CURSORS, AuditOffice, Market
from tests.unit.test_rules_orders import ORDINARY

pytestmark = pytest.mark.unsound_book(CURSORS)


@pytest.fixture
def office(tmp_path: Path) -> AuditOffice:
    made = AuditOffice(tmp_path, Market())
    made.seller.stock("SHIRT", 3)
    return made


def hear(
    office: AuditOffice, events: Sequence[str], pieces: int = 1, *, part: int | None = None
) -> None:
    """Each as EVENT@HOUR, the hour in which it happened; a pass hears of one after the other."""
    office.order("OD1", pieces)
    for told in events:
        event, _, hour = told.partition("@")
        name, _, kind = event.rpartition("_")
        typed = kind in set(ReturnType)
        fact = office.shop.tell(
            "OD1",
            Status(name if typed else event),
            return_type=ReturnType(kind) if typed else None,
            line_id="L1",
            quantity=part,
            left_seller=True,
            occurred_at=START - timedelta(hours=24 - int(hour)),
        )
        office.seller.tell(fact)
        office.seller.settle()
        office.seller.settle()  # the sweep that a late dispatch is given
        office.clock.advance(timedelta(minutes=1))


def found(office: AuditOffice) -> list[tuple[str, str, str]]:
    office.read_until_now()
    run = office.audit()
    found = drift.findings(office.book, run_id=run["id"])
    assert run["code"] == ("drift_found" if found else ""), run["message"]
    return [(one.cause, one.book_says, one.panel_says) for one in found]


SILENT = [
    (
        "RETURN_WITHDRAWN@2 RETURN_NOTICED_RTO@3 RETURN_NOTICED_CIR@1 RETURN_WITHDRAWN@4",
        "1 DISPATCHED",
        "1 DELIVERED",
    ),
    (
        "DELIVERED@3 RETURN_NOTICED_RTO@2 RETURN_NOTICED_RTO@4 RETURN_NOTICED_CIR@1",
        "1 RETURN_NOTICED_RTO",
        "1 RETURN_NOTICED_CIR",
    ),
    (
        "LOST@2 RETURN_WITHDRAWN@3 RETURN_NOTICED_RTO@4 RETURN_NOTICED_CIR@1",
        "1 RETURN_NOTICED_RTO",
        "1 LOST",
    ),
]


@pytest.mark.parametrize(("events", "stands", "dated"), SILENT)
def test_what_ends_otherwise_than_its_dates_say_and_nobody_was_told_is_found(
    office: AuditOffice, events: str, stands: str, dated: str
) -> None:
    hear(office, events.split())
    assert found(office) == [("heard_out_of_order", stands, dated)]


@pytest.mark.parametrize(
    "events",
    [
        "DISPATCHED@2 CANCELLED@1 RETURNED_RTO@3",
        "RETURN_NOTICED_RTO@2 RETURNED_CIR@1 RETURNED_RTO@3",
    ],
)
def test_a_question_that_a_later_word_has_answered_is_not_asked_by_the_audit(
    office: AuditOffice, events: str
) -> None:
    hear(office, events.split())
    assert office.seller.count("exceptions", "state = 'CLOSED'") == 1
    assert found(office) == []


def test_of_a_part_of_a_line_other_pieces_may_be_the_ones_that_were_meant(
    office: AuditOffice,
) -> None:
    hear(office, SILENT[0][0].split(), 2, part=1)
    assert found(office) == []


def test_a_whole_line_is_compared_like_a_piece(office: AuditOffice) -> None:
    hear(office, SILENT[0][0].split(), 2)
    assert found(office) == [("heard_out_of_order", "2 DISPATCHED", "2 DELIVERED")]


@pytest.mark.parametrize("events", ORDINARY.values(), ids=list(ORDINARY))
def test_an_ordinary_history_heard_backwards_is_no_drift(office: AuditOffice, events: str) -> None:
    told = [f"{event}@{hour}" for hour, event in enumerate(events.split(), 1)]
    hear(office, told[::-1])
    assert found(office) == []


def test_of_a_word_on_the_whole_order_another_line_may_be_the_one_that_was_meant(
    office: AuditOffice,
) -> None:
    office.seller.stock("HAT", 1)
    office.seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "HAT", 1))
    hour = timedelta(hours=1)
    office.seller.tell(
        office.shop.tell("OD1", Status.CANCELLED, line_id="L2", occurred_at=START - 2 * hour)
    )
    office.seller.settle()
    office.seller.tell(office.shop.tell("OD1", Status.DISPATCHED, occurred_at=START - 4 * hour))
    office.seller.settle()
    assert office.seller.positions("OD1") == ["DISPATCHED", "CANCELLED"]
    assert found(office) == []


def test_two_runs_at_one_time_are_played_in_their_order(office: AuditOffice) -> None:
    """A return waits for proof of its dispatch; the run after that one decides it, and no later."""
    office.order("OD1", 3)

    def told(status: Status, hour: int, **more: Any) -> None:
        at = START - timedelta(hours=24 - hour)
        office.seller.tell(office.shop.tell("OD1", status, occurred_at=at, **more))

    of_two: dict[str, Any] = {"line_id": "L1", "quantity": 2}
    told(Status.LOST, 1, left_seller=True, **of_two)
    told(Status.RETURN_NOTICED, 3, return_type=ReturnType.RTO, left_seller=True, **of_two)
    told(Status.RETURNED, 2, return_type=ReturnType.CIR)
    office.seller.settle()
    told(Status.DISPATCHED, 4, shipment_id="S1", **of_two)
    office.seller.settle()
    office.seller.settle()
    told(Status.UNDELIVERED, 5, shipment_id="S1", left_seller=True, **of_two)
    told(Status.DELIVERED, 6, shipment_id="S1", left_seller=True, **of_two)
    office.seller.settle()
    assert office.seller.positions("OD1") == ["DELIVERED", "DELIVERED", "CIR_COMPLETE"]
    assert found(office) == []
