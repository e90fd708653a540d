"""What an audit mends is mended whole and proven; what asks for a person is found as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.book import drift, runs, shipping
from syncd.hookspecs import ReadsBy
from syncd.passes import Conductor
from syncd.passes.job import TaskNote
from syncd.passes.keep import BookKeeper
from syncd.rules import Brake, Position
from syncd.statuses import (
    Kind,
    NewOrder,
    OrderLine,
    OrderRef,
    Page,
    ReturnType,
    Status,
    StatusChange,
    Window,
)
from tests.bookkit import START
from tests.unit.test_audit import CURSORS, AuditOffice, Market
from tests.unit.test_passes import DAY

pytestmark = pytest.mark.unsound_book(CURSORS)
HOUR = timedelta(hours=1)
S = Status


@pytest.fixture
def office(tmp_path: Path) -> AuditOffice:
    return AuditOffice(tmp_path, Market())


def only_at_panel(office: AuditOffice, order_id: str) -> None:
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
    new = NewOrder(order_id=order_id, placed_at=START - DAY, lines=(line,))
    office.shop.orders[order_id] = new


ASKING = [
    ([S.CANCELLED], S.DISPATCHED, "dispatched_after_cancel"),
    ([S.CANCELLED], S.RETURN_NOTICED, "return_of_cancelled"),
    ([S.DISPATCHED, S.DELIVERED], S.CANCELLED, "cancelled_after_delivery"),
    ([S.DISPATCHED, S.DELIVERED], S.LOST, "lost_after_delivered"),
]


@pytest.mark.parametrize(("known", "missed", "code"), ASKING)
def test_a_missed_fact_that_moves_no_piece_and_asks_for_a_person_is_found(
    office: AuditOffice, known: list[Status], missed: Status, code: str
) -> None:
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    for hours, status in zip((6, 5), known, strict=False):
        office.seller.tell(office.shop.tell("OD1", status, occurred_at=START - hours * HOUR))
    office.seller.settle()
    more: dict[str, Any] = {"occurred_at": START - 4 * HOUR}
    if missed is S.RETURN_NOTICED:
        more |= {"return_type": ReturnType.RTO, "tracking_number": "T"}
    office.shop.tell("OD1", missed, **more)
    look = office.audit()
    assert office.causes(look) == [("OD1", "missed", False)]
    (found,) = drift.findings(office.book, run_id=look["id"])
    assert found.panel_says.startswith(missed.value)
    assert office.causes(office.audit(fix=True)) == [("OD1", "missed", True)]
    assert office.seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN'") == [(code,)]
    assert office.causes(office.audit()) == []


def test_a_missed_notice_of_the_return_in_which_a_piece_was_lost_is_found(
    office: AuditOffice,
) -> None:
    """It says whether the courier owes the seller a parcel, or the buyer's return of one."""
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    for hours, status in ((6, S.DISPATCHED), (4, S.LOST)):
        office.seller.tell(office.shop.tell("OD1", status, occurred_at=START - hours * HOUR))
    office.seller.settle()
    notice = {"return_type": ReturnType.RTO, "occurred_at": START - 5 * HOUR}
    office.shop.tell("OD1", S.RETURN_NOTICED, **notice)
    assert office.causes(office.audit()) == [("OD1", "missed", False)]
    assert office.causes(office.audit(fix=True)) == [("OD1", "missed", True)]
    assert office.seller.rows("SELECT position, return_type FROM item") == [("LOST", "RTO")]
    assert office.causes(office.audit()) == []


def test_a_missed_wish_to_cancel_is_found_and_holds_the_parcel(
    office: AuditOffice,
) -> None:
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    office.seller.advance("OD1", Position.PACKED)
    office.clock.advance(3 * HOUR)
    office.read_until_now()
    wish = StatusChange(
        order_id="OD1", status=S.CANCEL_REQUESTED, native_status="?",
        occurred_at=office.clock.now() - HOUR,
    )  # fmt: skip
    office.shop.scripts[Kind.CANCELLED] = lambda _window, _refs: iter([Page(rows=[wish])])
    assert office.causes(office.audit(fix=True)) == [("OD1", "missed", True)]
    assert shipping.of_order(office.book, "OD1").code == "piece_held"


@pytest.mark.parametrize("kind", [Kind.CANCELLED, Kind.RETURNS])
def test_a_chosen_order_that_the_book_lacked_is_read_by_window_since_it_was_placed(
    tmp_path: Path, kind: Kind
) -> None:
    both = frozenset({ReadsBy.WINDOW, ReadsBy.ORDERS})
    shop = Market(reads_by=both, window_only=frozenset({kind.value}))
    office = AuditOffice(tmp_path, shop)
    only_at_panel(office, "OD9")
    if kind is Kind.CANCELLED:
        office.shop.tell("OD9", S.CANCELLED, occurred_at=START - 5 * HOUR)
    else:
        office.shop.tell("OD9", S.DISPATCHED, occurred_at=START - 9 * HOUR)
        more: dict[str, Any] = {"return_type": ReturnType.RTO, "tracking_number": "T1"}
        office.shop.tell("OD9", S.RETURNED, occurred_at=START - 5 * HOUR, **more)
    run = office.audit(fix=True, orders=("OD9",))
    wanted = "CANCELLED" if kind is Kind.CANCELLED else "RETURNED"
    assert office.seller.positions("OD9") == [wanted]
    assert run["state"] == "OK"
    assert office.causes(office.audit()) == []


def test_a_panel_that_says_less_the_second_time_has_mended_nothing(office: AuditOffice) -> None:
    office.order("OD1")
    answers = iter([[office.shop.tell("OD1", S.CANCELLED)]])
    office.shop.facts.clear()
    office.shop.scripts[Kind.CANCELLED] = lambda _window, _refs: iter(
        [Page(rows=next(answers, []))]
    )
    run = office.audit(fix=True)
    assert office.causes(run) == [("OD1", "missed", False)]
    assert run["code"] == "drift_found"


def test_a_crash_in_the_mending_lets_no_pass_decide_a_part_of_it(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    brake = Brake(True, 0.2, 3)
    office.setup = msgspec.structs.replace(office.setup, brake=brake, audit_portion=2)
    for number in range(12):
        office.order(f"OD{number}")
    for number in range(6):
        office.shop.tell(f"OD{number}", S.CANCELLED)
    asked = runs.enqueue(
        office.book, "shop", tuple(Kind), purpose=runs.AUDIT, trigger="t", actor="asha", now=START
    )

    class PowerCut(BaseException):
        pass

    def cut(
        _self: BookKeeper, kind: Kind, note: TaskNote, rows: Sequence[Any], _until: Any
    ) -> None:
        if office.seller.count("inbox") > 2:
            raise PowerCut
        keep(_self, kind, note, rows, None)

    keep = BookKeeper.changes
    monkeypatch.setattr(BookKeeper, "changes", cut)
    conductor = Conductor(office.book, lambda _: office.setup, office.panel, office.clock)
    with pytest.raises(PowerCut):
        conductor.conduct(asked.run_id, office.stop, office.told)
    monkeypatch.undo()
    runs.recover(office.book, START)
    assert office.run()["state"] in ("OK", "HELD")
    conductor.conduct(asked.run_id, office.stop, office.told)
    run = runs.get(office.book, asked.run_id)
    assert run.state == "HELD"
    assert "does not balance" not in run.message
    assert {office.seller.positions(f"OD{n}")[0] for n in range(12)} == {"UNFULFILLABLE"}


@pytest.mark.parametrize("way", ["ids", "window"])
def test_chosen_orders_that_nobody_knows_do_not_agree(tmp_path: Path, way: str) -> None:
    by_window: dict[str, Any] = {"reads_by": frozenset({ReadsBy.WINDOW})}
    office = AuditOffice(tmp_path, Market(**(by_window if way == "window" else {})))
    run = office.audit(orders=("NOPE",))
    assert (run["state"], run["code"], run["counts"]["compared"]) == ("PARTIAL", "order_unknown", 0)
    assert (
        "neither here nor by asking the panel for them: NOPE. Look at the spelling"
        in (run["message"])
    )
    office.order("OD1")
    run = office.audit(orders=("OD1", "NOPE"))
    assert (run["code"], run["counts"]["compared"]) == ("order_unknown", 1)
    assert run["message"].endswith("syncctl trigger shop --task orders --days 30")
    assert "agree" not in run["message"]


def test_a_fault_of_the_plugin_while_new_orders_are_read_is_told_as_such(
    office: AuditOffice,
) -> None:
    office.order("OD1")
    office.shop.tell("OD1", S.DISPATCHED)

    def faulty(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        if not refs:
            raise RuntimeError("a mistake")
        yield from ()

    office.shop.scripts[Kind.ORDERS] = faulty
    run = office.audit(fix=True)
    assert (run["state"], run["code"]) == ("PARTIAL", "plugin_broken")
    assert "Report it to the plugin's author" in run["message"]
    assert office.seller.positions("OD1") == ["DISPATCHED"]


def test_what_an_audit_found_stands_while_the_brake_holds_its_mending(office: AuditOffice) -> None:
    office.setup = msgspec.structs.replace(office.setup, brake=Brake(True, 0.2, 3))
    for number in range(4):
        office.order(f"OD{number}")
        office.shop.tell(f"OD{number}", S.CANCELLED)
    run = office.audit(fix=True)
    assert (run["state"], run["counts"]["disagreed"]) == ("HELD", 4)
    assert len(drift.findings(office.book)) == 4
    assert drift.audits(office.book)["shop"].open == 4


@pytest.mark.parametrize("audit", [True, False])
def test_a_run_over_one_order_proves_nothing_of_the_dispatch_of_another(
    office: AuditOffice, audit: bool
) -> None:
    for order_id in ("OD1", "OD2"):
        office.order(order_id)
    office.seller.tell(
        StatusChange(
            order_id="OD2", status=S.DELIVERED, native_status="d", occurred_at=START - HOUR
        )
    )
    office.seller.settle(sweep_done=False)
    office.shop.tell("OD1", S.DISPATCHED, occurred_at=START - 9 * HOUR)
    if audit:
        office.audit(fix=True, orders=("OD1",))
    else:
        office.run(orders=("OD1",))
    assert office.seller.positions("OD1") == ["DISPATCHED"]
    assert office.seller.positions("OD2") == ["UNFULFILLABLE"]
