"""What an audit that mends tells: what it asks, what it could not see, what a crash left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.book import acts, drift, intake, runs
from syncd.book.store import Book
from syncd.clock import to_micros
from syncd.errors import PanelBusy
from syncd.passes import Conductor
from syncd.passes.job import TaskNote
from syncd.passes.keep import BookKeeper
from syncd.statuses import (
    Kind,
    NewOrder,
    OrderLine,
    OrderRef,
    Page,
    ReturnType,
    Status,
    Window,
)
from tests.bookkit import START
from tests.unit.test_audit import CURSORS, AuditOffice, Market
from tests.unit.test_audit_mending import only_at_panel
from tests.unit.test_passes import DAY

pytestmark = pytest.mark.unsound_book(CURSORS)
HOUR = timedelta(hours=1)
S = Status


@pytest.fixture
def office(tmp_path: Path) -> AuditOffice:
    return AuditOffice(tmp_path, Market())


def test_what_the_mending_asks_of_a_person_is_named_by_the_line_and_by_the_audit(
    office: AuditOffice,
) -> None:
    office.seller.stock("SHIRT", 3)
    for number in range(3):
        office.order(f"OD{number}")
    for number in range(2):
        office.seller.tell(
            office.shop.tell(f"OD{number}", S.CANCELLED, occurred_at=START - 6 * HOUR)
        )
    office.seller.settle()
    for number in range(3):
        office.shop.tell(f"OD{number}", S.DISPATCHED, occurred_at=START - 4 * HOUR)
    run = office.audit(fix=True)
    assert (run["state"], run["counts"]["mended"]) == ("OK", 3)
    assert run["message"] == (
        "3 orders compared, 3 disagreements mended. The mending opened exceptions 1 "
        "(dispatched_after_cancel) and 2 (dispatched_after_cancel), which a person must settle. "
        "See them: syncctl exceptions --account shop"
    )
    asking, other, plain = drift.findings(office.book, run_id=run["id"])
    assert asking.message.endswith(
        " The mending opened exception 1 (dispatched_after_cancel), which a person must settle. "
        "See it: syncctl exceptions show 1"
    )
    assert other.message.endswith("syncctl exceptions show 2")
    assert plain.mended
    assert "exception" not in plain.message
    again = office.audit(fix=True)
    assert again["message"] == "3 orders compared; book and panel agree."


def test_of_many_exceptions_the_audit_names_some_and_no_older_one(office: AuditOffice) -> None:
    office.seller.stock("SHIRT", 7)
    for number in range(7):
        office.order(f"OD{number}")
        cancelled = office.shop.tell(f"OD{number}", S.CANCELLED, occurred_at=START - 6 * HOUR)
        office.seller.tell(cancelled)
        office.shop.tell(f"OD{number}", S.DISPATCHED, occurred_at=START - 4 * HOUR)
    office.seller.settle()
    only_at_panel(office, "OD9")
    office.seller.tell(office.shop.tell("OD9", S.DISPATCHED))
    office.seller.settle()
    with office.book.write():  # as the watch does
        office.book.query(
            "INSERT INTO exceptions (account_id, order_id, inbox_id, code, severity, message, "
            "state, opened_at, closed_by, note) SELECT 1, 'OD9', id, 'order_unknown_too_long', "
            "'warning', '', 'OPEN', ?, '', '' FROM inbox WHERE order_id = 'OD9'",
            (to_micros(START - HOUR),),
        )
    run = office.audit(fix=True)
    assert office.seller.positions("OD9") == ["DISPATCHED"]
    assert run["message"].endswith(
        "2 (dispatched_after_cancel), 3 (dispatched_after_cancel), 4 (dispatched_after_cancel), "
        "5 (dispatched_after_cancel), 6 (dispatched_after_cancel) and 2 more, which a person must "
        "settle. See them: syncctl exceptions --account shop"
    )
    assert "order_unknown_too_long" not in run["message"]
    told = [one.message for one in drift.findings(office.book, run_id=run["id"])]
    assert not any("order_unknown_too_long" in one for one in told)


def test_only_the_line_that_is_asked_about_names_the_exception(office: AuditOffice) -> None:
    office.seller.stock("SHIRT", 2)
    office.order("OD1")
    line = OrderLine(line_id="L2", sku="SHIRT", quantity=1)
    shown = office.shop.orders["OD1"]
    office.shop.orders["OD1"] = msgspec.structs.replace(shown, lines=(*shown.lines, line))
    intake.take_orders(
        office.book, "shop", [office.shop.orders["OD1"]], source="test", now=office.clock.now()
    )
    cancelled = office.shop.tell("OD1", S.CANCELLED, line_id="L1", occurred_at=START - 6 * HOUR)
    office.seller.tell(cancelled)
    office.seller.settle()
    for line_id in ("L1", "L2"):
        office.shop.tell("OD1", S.DISPATCHED, line_id=line_id, occurred_at=START - 4 * HOUR)
    run = office.audit(fix=True)
    told = {one.line_id: one.message for one in drift.findings(office.book, run_id=run["id"])}
    assert "exception 1 (dispatched_after_cancel)" in told["L1"]
    assert "exception" not in told["L2"]


def test_what_could_not_be_looked_at_again_is_not_told_as_unheard(office: AuditOffice) -> None:
    """The returns fail in the mending: what it took in is neither called mended nor missed."""
    office.seller.stock("SHIRT", 2)
    for number in range(2):
        office.order(f"OD{number}")
    office.shop.tell("OD0", S.CANCELLED)
    silent = iter([[office.shop.tell("OD1", S.CANCELLED)]])
    office.shop.facts.pop()
    asked = iter([False])

    def returns(_window: Window, _refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        if next(asked, True):
            raise PanelBusy("no answer")
        yield from ()

    def cancelled(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        if any(ref.order_id == "OD1" for ref in refs):
            yield Page(rows=next(silent, []))

    office.shop.scripts = {Kind.RETURNS: returns, Kind.CANCELLED: cancelled}
    run = office.audit(fix=True)
    assert (run["state"], run["counts"]["mended"]) == ("PARTIAL", 0)
    assert office.seller.positions("OD0") == ["CANCELLED"]
    taken, missed = sorted(
        drift.findings(office.book, run_id=run["id"]), key=lambda one: one.order_id
    )
    assert (taken.cause, taken.mended, taken.fixable) == ("not_looked_again", False, False)
    assert "took in what the panel told" in taken.means
    assert taken.do == "Compare again: syncctl audit shop --order OD0 --fix"
    assert taken.message.endswith("Not compared again: returns could not be read.")
    assert missed.cause == "missed", "nothing was heard of it, so it still is"
    office.shop.scripts.clear()
    assert office.causes(office.audit(orders=("OD0",))) == []
    assert [one.order_id for one in drift.findings(office.book)] == ["OD1"]


WAITED = [
    ("rto_overdue", [S.DISPATCHED, S.RETURN_NOTICED], S.RETURNED),
    ("no_word_after_attempt", [S.DISPATCHED], S.DELIVERED),
    ("lost_in_transit", [S.DISPATCHED, S.LOST], S.DELIVERED),
]


@pytest.mark.parametrize(("code", "known", "missed"), WAITED, ids=[row[0] for row in WAITED])
def test_what_no_pass_heard_is_told_as_missed_where_an_exception_waits_for_it(
    office: AuditOffice, code: str, known: list[Status], missed: Status
) -> None:
    """Nothing contradicts: the word that the exception waits for is at the panel."""
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    back: dict[str, Any] = {"return_type": ReturnType.RTO, "tracking_number": "T"}
    for hours, status in enumerate([*known, missed]):
        more = back if status in (S.RETURN_NOTICED, S.RETURNED) else {}
        told = office.shop.tell("OD1", status, occurred_at=START - (9 - hours) * HOUR, **more)
        if status is not missed:
            office.seller.tell(told)
    office.seller.settle()
    if code != "lost_in_transit":
        with office.book.write():  # as the watch does
            office.book.query(
                "INSERT INTO exceptions (account_id, order_id, item_id, code, severity, message, "
                "state, opened_at, closed_by, note) SELECT 1, 'OD1', id, ?, 'warning', '', "
                "'OPEN', ?, '', '' FROM item",
                (code, to_micros(START)),
            )
    assert office.seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN'") == [(code,)]
    look = office.audit()
    assert office.causes(look) == [("OD1", "missed", False)]
    (found,) = drift.findings(office.book, run_id=look["id"])
    assert found.do == "Mend it: syncctl audit shop --order OD1 --fix"
    assert office.causes(office.audit(fix=True)) == [("OD1", "missed", True)]


@pytest.mark.parametrize("chosen", [False, True])
def test_an_order_that_was_brought_before_a_crash_is_told_as_mended_after_it(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch, chosen: bool
) -> None:
    """It is in the book by then, and nothing else is told of it."""
    office.order("OD1")
    only_at_panel(office, "OD9")
    asked = runs.enqueue(
        office.book, "shop", tuple(Kind), purpose=runs.AUDIT, trigger="t", actor="asha", now=START,
        orders=("OD1", "OD9") if chosen else (),
    )  # fmt: skip

    class PowerCut(BaseException):
        pass

    def cut(_book: Book, run_id: int, *_more: Any, **known: Any) -> drift.Recorded:
        if known.get("verified"):
            raise PowerCut
        return record(_book, run_id, *_more, **known)

    record = drift.record
    monkeypatch.setattr(drift, "record", cut)
    conductor = Conductor(office.book, lambda _: office.setup, office.panel, office.clock)
    with pytest.raises(PowerCut):
        conductor.conduct(asked.run_id, office.stop, office.told)
    monkeypatch.undo()
    assert office.seller.positions("OD9") == ["UNFULFILLABLE"]
    runs.recover(office.book, START)
    conductor.conduct(asked.run_id, office.stop, office.told)
    run = runs.get(office.book, asked.run_id)
    assert (run.state, run.message) == (
        "OK", "2 orders compared, 1 disagreements mended; book and panel agree."
    )  # fmt: skip
    found = drift.findings(office.book, run_id=asked.run_id)
    assert [(one.order_id, one.cause, one.mended) for one in found] == [
        ("OD9", "order_missing", True)
    ]


@pytest.mark.parametrize("taken", [True, False])
def test_a_line_that_was_brought_before_a_crash_is_mended_and_one_that_vanished_is_not(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    office.order("OD1")
    shown = office.shop.orders["OD1"]
    more = OrderLine(line_id="L2", sku="SHIRT", quantity=1)
    office.shop.orders["OD1"] = msgspec.structs.replace(shown, lines=(*shown.lines, more))
    asked = runs.enqueue(
        office.book, "shop", tuple(Kind), purpose=runs.AUDIT, trigger="t", actor="asha", now=START
    )

    class PowerCut(BaseException):
        pass

    def cut(self: BookKeeper, note: TaskNote, rows: Sequence[Any]) -> int:
        if taken:
            keep(self, note, rows)
        raise PowerCut

    keep = BookKeeper.orders
    monkeypatch.setattr(BookKeeper, "orders", cut)
    conductor = Conductor(office.book, lambda _: office.setup, office.panel, office.clock)
    with pytest.raises(PowerCut):
        conductor.conduct(asked.run_id, office.stop, office.told)
    monkeypatch.undo()
    if not taken:
        office.shop.orders["OD1"] = shown
    runs.recover(office.book, START)
    conductor.conduct(asked.run_id, office.stop, office.told)
    (found,) = drift.findings(office.book, run_id=asked.run_id)
    assert (found.cause, found.mended) == ("line_missing", taken)


def test_a_missed_fact_beside_an_open_exception_of_its_line_is_told(office: AuditOffice) -> None:
    """Whoever settles the claim must know of the cancellation that nobody has heard."""
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    for hours, status in ((6, S.DISPATCHED), (5, S.LOST)):
        office.seller.tell(office.shop.tell("OD1", status, occurred_at=START - hours * HOUR))
    office.seller.settle()
    assert office.seller.rows("SELECT code FROM exceptions") == [("lost_in_transit",)]
    office.shop.tell("OD1", S.CANCELLED, occurred_at=START - 8 * HOUR)
    assert office.causes(office.audit()) == [("OD1", "missed", False)]
    office.audit(fix=True)
    codes = office.seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN' ORDER BY code")
    assert codes == [("cancelled_before_dispatch",), ("lost_in_transit",)]
    assert office.causes(office.audit()) == [("OD1", "contradiction", False)]


def test_lines_that_another_source_named_otherwise_are_not_to_be_mended_again_and_again(
    office: AuditOffice,
) -> None:
    """The intake keeps the panel's row and says what helps; so does the audit."""
    office.order("OD1", at_panel=False)
    line, shirt = (OrderLine(line_id=name, sku="SHIRT", quantity=1) for name in ("ITEM-77", "L1"))
    shown = NewOrder(order_id="OD1", placed_at=START - DAY, lines=(line,))
    office.shop.orders["OD1"] = shown
    assert office.causes(office.audit()) == [("OD1", "line_missing", False)]
    run = office.audit(fix=True)
    (found,) = drift.findings(office.book, run_id=run["id"])
    assert (found.cause, found.mended, found.fixable) == ("unreadable", False, False)
    assert "calls pieces of the same SKU ITEM-77 (SHIRT); none of these were added" in found.message
    assert found.do == "See the row: syncctl failed --account shop"
    acts.ignore(office.book, [1], note="the same pieces", actor="asha", now=office.clock.now())
    run = office.audit()
    assert (run["state"], office.causes(run)) == ("OK", [("OD1", "set_aside", False)])
    both = msgspec.structs.replace(shown, lines=(*shown.lines, shirt))
    office.shop.orders["OD1"] = both
    assert office.causes(office.audit()) == [("OD1", "line_missing", False)], "and one it knows"


@pytest.mark.parametrize("quantity", [2, None])
def test_pieces_of_two_lines_that_were_cancelled_by_their_sku_are_no_drift(
    office: AuditOffice, quantity: int | None
) -> None:
    """Which lines it took hung on the stock of that day: those that had none."""
    office.seller.stock("SHIRT", 1)
    lines = tuple(
        OrderLine(line_id=name, sku="SHIRT", quantity=count)
        for name, count in (("L1", 2), ("L2", 1))
    )
    new = NewOrder(order_id="OD1", placed_at=START - DAY, lines=lines)
    office.shop.orders["OD1"] = new
    intake.take_orders(office.book, "shop", [new], source="test", now=office.clock.now())
    cancelled = office.shop.tell("OD1", S.CANCELLED, sku="SHIRT", quantity=quantity)
    office.seller.tell(cancelled)
    office.seller.settle()
    taken = ["FULFILLABLE", "CANCELLED", "CANCELLED"] if quantity else ["CANCELLED"] * 3
    assert office.seller.positions("OD1") == taken
    assert office.causes(office.audit()) == []
