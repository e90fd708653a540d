"""An audit finds each way in which book and panel may differ, says why, and mends what it can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.book import acts, drift, inbox, last_word, line_marks, runs
from syncd.book.explain import explain
from syncd.book.tables import Task
from syncd.clock import to_micros
from syncd.errors import GaveWay, PanelBusy, PanelRefused
from syncd.hookspecs import ReadsBy, hookimpl
from syncd.passes import Conductor
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
from tests.unit.test_passes import DAY, Office, Shop, said, then_raises

# The cursors are set by hand here.
CURSORS = "i08_a_cursor_is_proven_by_the_run_that_moved_it"
pytestmark = pytest.mark.unsound_book(CURSORS)


class Market(Shop):
    """A shop with all hooks, whose panel knows orders and facts and answers both ways."""

    def __init__(self, **description: Any) -> None:
        super().__init__(**description)
        self.facts: list[StatusChange] = []
        self.orders: dict[str, NewOrder] = {}

    @hookimpl
    def fetch_delivered(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._answer(Kind.DELIVERED, window, orders)

    @hookimpl
    def fetch_returns(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._answer(Kind.RETURNS, window, orders)

    def _answer(self, kind: Kind, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from super()._answer(kind, window, orders)
        wanted = {ref.order_id for ref in orders}
        if kind is Kind.ORDERS:
            rows: list[Any] = [
                o for o in self.orders.values() if o.order_id in wanted or o.placed_at in window
            ]
        else:
            rows = [
                fact
                for fact in self.facts
                if _KIND[fact.status] is kind
                and (fact.order_id in wanted if orders else fact.occurred_at in window)
            ]
        yield Page(rows=rows)

    def tell(self, order_id: str, status: Status, **more: Any) -> StatusChange:
        """Something happens at the panel, an hour before the test begins unless it says when."""
        fact = said(order_id, status, **more)
        self.facts.append(fact)
        return fact


_KIND = {
    Status.DISPATCHED: Kind.DISPATCHED,
    Status.DELIVERED: Kind.DELIVERED,
    Status.CANCELLED: Kind.CANCELLED,
    Status.CANCEL_REQUESTED: Kind.CANCELLED,
    Status.CANCEL_WITHDRAWN: Kind.CANCELLED,
    Status.UNDELIVERED: Kind.RETURNS,
    Status.RETURN_WITHDRAWN: Kind.RETURNS,
    Status.RETURN_NOTICED: Kind.RETURNS,
    Status.RETURNED: Kind.RETURNS,
    Status.LOST: Kind.RETURNS,
    Status.UNKNOWN: Kind.DISPATCHED,
}


class AuditOffice(Office):
    """An office whose passes have read the panel until now."""

    shop: Market

    def __init__(self, folder: Path, shop: Market, **seller: Any) -> None:
        super().__init__(folder, shop, **seller)
        for kind in (Kind.RETURNS, Kind.DELIVERED):
            Task.create(account=1, kind=kind.value, every_seconds=2400)
        self.read_until_now()

    def read_until_now(self) -> None:
        with self.book.write():
            self.book.query("DELETE FROM cursor")
            for kind in Kind:
                self.book.query(
                    "INSERT INTO cursor (account_id, kind, until) VALUES (1, ?, ?)",
                    (kind.value, to_micros(self.clock.now())),
                )
            self.book.query("UPDATE task SET last_success = ?", (to_micros(self.clock.now()),))

    def order(self, order_id: str, quantity: int = 1, *, at_panel: bool = True) -> None:
        """An order that was placed a day ago, in the book and at the panel."""
        lines = (OrderLine(line_id="L1", sku="SHIRT", quantity=quantity),)
        new = NewOrder(order_id=order_id, placed_at=START - DAY, lines=lines)
        self.seller.order(order_id, ("L1", "SHIRT", quantity))
        with self.book.write():
            self.book.query("UPDATE orders SET placed_at = ?", (to_micros(START - DAY),))
        if at_panel:
            self.shop.orders[order_id] = new

    def audit(self, *, fix: bool = False, **more: Any) -> dict[str, Any]:
        """Conduct an audit; its row afterwards, with its id."""
        run = self.run(*Kind, purpose=runs.AUDIT, dry_run=not fix, **more)
        run["id"] = self.seller.rows("SELECT max(id) FROM run WHERE purpose = 'audit'")[0][0]
        return run

    def causes(self, run: dict[str, Any]) -> list[tuple[str, str, bool]]:
        found = drift.findings(self.book, run_id=run["id"])
        return [(one.order_id, one.cause, one.mended) for one in found]


WAYS = {
    "by id": {},
    "by window": {"reads_by": frozenset({ReadsBy.WINDOW})},
    "only by id": {"reads_by": frozenset({ReadsBy.ORDERS})},
}


@pytest.fixture(params=list(WAYS))
def office(request: Any, tmp_path: Path) -> AuditOffice:
    return AuditOffice(tmp_path, Market(**WAYS[request.param]))


@pytest.fixture
def plain(tmp_path: Path) -> AuditOffice:
    return AuditOffice(tmp_path, Market())


def test_a_true_book_agrees(office: AuditOffice) -> None:
    office.order("OD1", 2)
    office.order("OD2")
    fact = office.shop.tell("OD1", Status.DISPATCHED, line_id="L1", quantity=1)
    office.seller.tell(fact)
    office.seller.settle()
    run = office.audit()
    assert (run["state"], run["code"]) == ("OK", "")
    assert office.causes(run) == []
    assert run["counts"]["compared"] == 2


def test_the_brake_holds_what_an_audit_would_mend_until_a_person_has_spoken(
    plain: AuditOffice,
) -> None:
    plain.setup = msgspec.structs.replace(plain.setup, brake=Brake(True, 0.2, 3))
    for number in range(4):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.CANCELLED)
    held = plain.audit(fix=True)
    assert (held["state"], held["code"]) == ("HELD", "brake_on")
    assert {plain.seller.positions(f"OD{n}")[0] for n in range(4)} == {"UNFULFILLABLE"}
    look = plain.audit()
    found = drift.findings(plain.book, run_id=look["id"])
    assert {(one.cause, one.fixable) for one in found} == {("undecided", False)}
    assert all("syncctl brake --account shop" in one.do for one in found)
    assert not any("--fix" in one.do for one in found), "that would be held as well"
    counts = runs.Counts(**held["counts"])
    assert (counts.new, counts.undecided, counts.imbalance()) == (4, 4, 0)
    acts.release(plain.book, "shop", note="a recall", actor="asha", now=plain.clock.now())
    assert plain.run()["counts"]["applied"] == 4
    assert {plain.seller.positions(f"OD{n}")[0] for n in range(4)} == {"CANCELLED"}
    assert plain.causes(plain.audit()) == []


def test_the_brake_weighs_whole_what_an_audit_would_mend_however_small_its_portions(
    plain: AuditOffice,
) -> None:
    brake = Brake(True, 0.2, 3)
    plain.setup = msgspec.structs.replace(plain.setup, brake=brake, audit_portion=2)
    for number in range(6):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.CANCELLED)
    held = plain.audit(fix=True)
    assert (held["state"], held["counts"]["applied"], held["counts"]["undecided"]) == ("HELD", 0, 6)
    assert {plain.seller.positions(f"OD{n}")[0] for n in range(6)} == {"UNFULFILLABLE"}


def test_a_panel_that_falls_silent_before_the_mending_has_not_been_mended(
    plain: AuditOffice,
) -> None:
    plain.order("OD1")
    plain.shop.tell("OD1", Status.CANCELLED)
    answers = iter([iter([Page(rows=plain.shop.facts)])])

    def once(_window: Window, _refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        for pages in answers:
            return pages
        raise PanelBusy("Too many requests.")

    plain.shop.scripts[Kind.CANCELLED] = once
    run = plain.audit(fix=True)
    assert (run["state"], run["code"]) == ("PARTIAL", PanelBusy.code)
    assert plain.causes(run) == [("OD1", "missed", False)]


@pytest.mark.parametrize("missing", ["order_missing", "line_missing"])
def test_what_is_missing_is_taken_in_under_the_brake_by_a_pass(
    plain: AuditOffice, missing: str
) -> None:
    plain.setup = msgspec.structs.replace(plain.setup, brake=Brake(True, 0.2, 3))
    for number in range(4):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.CANCELLED)
    assert plain.audit(fix=True)["state"] == "HELD"
    order_id = "OD9" if missing == "order_missing" else "OD0"
    lines = tuple(OrderLine(line_id=one, sku="SHIRT", quantity=1) for one in ("L1", "L2"))
    plain.shop.orders[order_id] = NewOrder(order_id=order_id, placed_at=START - DAY, lines=lines)
    found = drift.findings(plain.book, run_id=plain.audit()["id"])
    (told,) = [one for one in found if one.cause == missing]
    assert not told.fixable
    assert "--fix" not in told.do
    assert f"syncctl trigger shop --task orders --order {order_id}." in told.do
    assert "syncctl brake --account shop" in told.do
    plain.run(Kind.ORDERS, orders=(order_id,))
    assert "L2" in plain.seller.book.query(
        "SELECT group_concat(i.line_id) FROM item i JOIN orders o ON o.id = i.order_id "
        "WHERE o.order_id = ?", (order_id,)
    ).fetchone()[0]  # fmt: skip


def test_what_no_pass_heard_is_found_and_mended_and_stays_mended(office: AuditOffice) -> None:
    office.order("OD1")
    office.shop.tell("OD1", Status.DISPATCHED)
    before = office.seller.dump()
    look = office.audit()
    after = office.seller.dump()
    assert (look["state"], look["code"]) == ("PARTIAL", "drift_found")
    assert office.causes(look) == [("OD1", "missed", False)]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"drift"}, "a look leaves nothing but its findings"
    fix = office.audit(fix=True)
    assert office.causes(fix) == [("OD1", "missed", True)]
    assert (fix["state"], fix["counts"]["mended"]) == ("OK", 1)
    assert office.seller.positions("OD1") == ["DISPATCHED"]
    again = office.audit(fix=True)
    assert office.causes(again) == []
    assert drift.findings(office.book) == []


def test_what_happened_after_the_last_pass_is_no_drift(office: AuditOffice) -> None:
    office.order("OD1")
    office.clock.advance(timedelta(hours=2))
    office.shop.tell("OD1", Status.DISPATCHED, occurred_at=START + timedelta(hours=1))
    run = office.audit()
    assert office.causes(run) == []
    assert run["counts"]["upcoming"] == 1


@pytest.mark.parametrize(
    ("state", "cause"),
    [("NEW", "undecided"), ("WAITING", "waiting"), ("PARKED", "parked"), ("IGNORED", "set_aside")],
)
def test_a_fact_that_is_not_settled_is_the_cause(
    plain: AuditOffice, state: str, cause: str
) -> None:
    plain.order("OD1")
    plain.seller.tell(plain.shop.tell("OD1", Status.DISPATCHED))
    with plain.book.write():
        plain.book.query("UPDATE inbox SET state = ?", (state,))
    assert plain.causes(plain.audit()) == [("OD1", cause, False)]


def test_an_audit_does_not_say_that_all_agrees_where_a_person_set_something_aside(
    plain: AuditOffice,
) -> None:
    plain.order("OD1")
    assert plain.audit()["message"] == "1 orders compared; book and panel agree."
    plain.seller.tell(plain.shop.tell("OD1", Status.DISPATCHED))
    acts.ignore(plain.book, [1], note="seen", actor="asha", now=START)
    run = plain.audit()
    assert (run["state"], run["message"]) == (
        "OK",
        "1 orders compared; book and panel agree but for 1 set aside. "
        f"See them: syncctl drift {run['id']}",
    )


def test_an_audit_knows_that_the_panel_has_told_of_no_dispatch(plain: AuditOffice) -> None:
    """What comes without one is proof enough then, as in a pass that has read them all."""
    plain.order("OD1")
    plain.shop.tell("OD1", Status.DELIVERED)
    assert plain.causes(plain.audit(fix=True)) == [("OD1", "missed", True)]
    assert plain.seller.positions("OD1") == ["DELIVERED"]


def test_an_undecided_fact_is_decided_by_the_mending(plain: AuditOffice) -> None:
    plain.order("OD1")
    plain.seller.tell(plain.shop.tell("OD1", Status.DISPATCHED))
    assert plain.causes(plain.audit(fix=True)) == [("OD1", "undecided", True)]
    assert plain.seller.positions("OD1") == ["DISPATCHED"]


def test_what_cannot_be_carried_out_is_told_with_its_code(tmp_path: Path) -> None:
    office = AuditOffice(tmp_path, Market(), sequence=False)
    office.order("OD1")
    office.shop.tell("OD1", Status.DISPATCHED)
    run = office.audit(fix=True)
    assert office.causes(run) == [("OD1", "refused", False)]
    (found,) = drift.findings(office.book, run_id=run["id"])
    assert "sequence_missing" in found.message
    assert "syncctl explain OD1" in found.do
    office.seller.define_sequence()
    assert office.causes(office.audit(fix=True)) == [("OD1", "undecided", True)]
    assert office.seller.positions("OD1") == ["DISPATCHED"]


def test_what_a_person_dispatched_here_and_the_panel_does_not_know(office: AuditOffice) -> None:
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    office.seller.advance("OD1", Position.DISPATCHED)
    run = office.audit(fix=True)
    assert office.causes(run) == [("OD1", "ahead_by_hand", False)]
    (found,) = drift.findings(office.book, run_id=run["id"])
    assert (found.book_says, found.panel_says) == ("1 DISPATCHED", "1 OPEN")
    assert "test moved it to DISPATCHED" in found.message


def test_an_open_exception_is_named(plain: AuditOffice) -> None:
    plain.order("OD1")
    plain.seller.tell(plain.shop.tell("OD1", Status.CANCELLED))
    plain.seller.settle()
    older = START - timedelta(hours=3)
    plain.shop.tell("OD1", Status.DISPATCHED, occurred_at=older)
    assert plain.causes(plain.audit()) == [("OD1", "missed", False)]
    run = plain.audit(fix=True)
    assert plain.causes(run) == [("OD1", "contradiction", False)]
    (found,) = drift.findings(plain.book, run_id=run["id"])
    assert "dispatched_after_cancel" in found.message
    with plain.book.write():
        plain.book.query("UPDATE exceptions SET state = 'CLOSED', closed_by = 'asha'")
    assert plain.causes(plain.audit()) == [], "a person has settled it"


@pytest.mark.unsound_book
def test_a_piece_that_was_moved_behind_the_books_back(plain: AuditOffice) -> None:
    plain.order("OD1")
    plain.seller.tell(plain.shop.tell("OD1", Status.DISPATCHED))
    plain.seller.settle()
    with plain.book.write():
        plain.book.query("UPDATE item SET position = 'CREATED'")
    assert plain.causes(plain.audit()) == [("OD1", "not_carried_out", False)]


def reopened(office: AuditOffice) -> None:
    """OD1 was cancelled and then dispatched; a person says that it left."""
    office.order("OD1")
    office.seller.tell(office.shop.tell("OD1", Status.CANCELLED))
    office.seller.settle()
    office.seller.tell(office.shop.tell("OD1", Status.DISPATCHED))
    office.seller.settle()
    acts.settle(office.book, [1], "reopen", note="", actor="asha", now=office.clock.now())
    assert office.causes(office.audit()) == []


def test_a_settled_piece_is_no_drift_where_later_facts_have_brought_it(plain: AuditOffice) -> None:
    reopened(plain)
    plain.seller.tell(plain.shop.tell("OD1", Status.DELIVERED, occurred_at=plain.clock.now()))
    plain.seller.settle()
    assert plain.seller.positions("OD1") == ["DELIVERED"]
    assert plain.causes(plain.audit()) == []


@pytest.mark.unsound_book
@pytest.mark.parametrize("after", ["the word", "a later fact"])
def test_a_settled_piece_that_moved_without_a_record_is_told(
    plain: AuditOffice, after: str
) -> None:
    reopened(plain)
    if after == "a later fact":
        plain.seller.tell(plain.shop.tell("OD1", Status.DELIVERED, occurred_at=plain.clock.now()))
        plain.seller.settle()
    with plain.book.write():
        plain.book.query("UPDATE item SET position = 'LOST'")
    assert plain.causes(plain.audit()) == [("OD1", "not_carried_out", False)]


def test_what_is_not_carried_out_after_a_settlement_is_told(tmp_path: Path) -> None:
    plain = AuditOffice(tmp_path, Market(), sequence=False)
    plain.order("OD1")
    plain.seller.tell(plain.shop.tell("OD1", Status.CANCELLED))
    plain.seller.settle()
    plain.seller.tell(plain.shop.tell("OD1", Status.DISPATCHED))
    plain.seller.settle()
    acts.settle(plain.book, [1], "expect_rto", note="", actor="asha", now=plain.clock.now())
    assert plain.causes(plain.audit()) == []
    plain.seller.tell(plain.shop.tell("OD1", Status.DELIVERED, occurred_at=plain.clock.now()))
    plain.seller.settle()  # it is sold now, and there is no sequence for its invoice
    run = plain.audit()
    assert plain.causes(run) == [("OD1", "refused", False)]
    (found,) = drift.findings(plain.book, run_id=run["id"])
    assert (found.book_says, found.panel_says) == ("1 RETURN_NOTICED_RTO", "1 DELIVERED")


def dismissed(office: AuditOffice) -> None:
    """OD1, two pieces on a closed manifest of which one is cancelled; a person says it is not."""
    office.seller.stock("SHIRT", 2)
    office.seller.define_sequence()
    office.order("OD1", 2)
    office.seller.advance("OD1", Position.MANIFESTED)
    office.seller.tell(office.shop.tell("OD1", Status.CANCELLED, line_id="L1", quantity=1))
    office.seller.settle()
    acts.settle(
        office.book, [1], "dismiss", note="they keep it", actor="asha", now=office.clock.now()
    )
    assert office.causes(office.audit()) == []


def test_what_is_moved_by_hand_after_a_settlement_is_told_until_the_panel_tells_of_it(
    plain: AuditOffice,
) -> None:
    dismissed(plain)
    plain.clock.advance(DAY)
    plain.seller.advance("OD1", Position.DISPATCHED)
    plain.read_until_now()
    run = plain.audit()
    assert plain.causes(run) == [("OD1", "ahead_by_hand", False)]
    (found,) = drift.findings(plain.book, run_id=run["id"])
    assert "test moved it to DISPATCHED" in found.message
    left = plain.shop.tell("OD1", Status.DISPATCHED, occurred_at=plain.clock.now())
    plain.seller.tell(left)
    plain.seller.settle()
    assert plain.causes(plain.audit()) == []


@pytest.mark.unsound_book
def test_a_settled_piece_excuses_no_other_piece_of_its_line(plain: AuditOffice) -> None:
    dismissed(plain)
    with plain.book.write():
        plain.book.query("UPDATE item SET position = 'DELIVERED'")
    run = plain.audit()
    assert plain.causes(run) == [("OD1", "ahead_by_hand", False)]
    (found,) = drift.findings(plain.book, run_id=run["id"])
    assert (found.book_says, found.panel_says) == ("2 DELIVERED", "1 CANCELLED, 1 OPEN")


def test_a_settled_piece_beside_one_that_follows_from_the_order_in_which_facts_were_heard(
    plain: AuditOffice,
) -> None:
    plain.seller.stock("SHIRT", 2)
    plain.seller.define_sequence()
    plain.order("OD1", 2)
    hour = timedelta(hours=1)
    for fact in (
        plain.shop.tell("OD1", Status.CANCELLED, line_id="L1", quantity=1),
        plain.shop.tell("OD1", Status.DISPATCHED, line_id="L1", quantity=1, shipment_id="P1"),
        plain.shop.tell(
            "OD1",
            Status.LOST,
            line_id="L1",
            shipment_id="P2",
            left_seller=True,
            occurred_at=START - 5 * hour,
        ),
    ):
        plain.seller.tell(fact)
        plain.seller.settle()
        plain.clock.advance(hour)
    acts.settle(
        plain.book, [1], "expect_rto", note="it is on its way", actor="asha", now=plain.clock.now()
    )
    assert plain.seller.positions("OD1") == ["RETURN_EXPECTED", "DISPATCHED"]
    assert plain.causes(plain.audit()) == []


def test_a_fact_without_a_line_was_of_the_line_that_was_in_stock(plain: AuditOffice) -> None:
    plain.seller.stock("SHIRT", 1)
    plain.seller.define_sequence()
    plain.seller.order("OD1", ("L1", "MUG", 1), ("L2", "SHIRT", 1))
    plain.seller.tell(plain.shop.tell("OD1", Status.DISPATCHED, line_id="", quantity=1))
    plain.seller.settle()
    assert plain.seller.positions("OD1") == ["UNFULFILLABLE", "DISPATCHED"]
    assert plain.causes(plain.audit()) == []


def test_orders_lines_and_quantities_that_differ(plain: AuditOffice) -> None:
    for order_id in ("OD1", "OD2", "OD3", "OD4"):
        plain.order(order_id, 2)
    shirt, lamp = (
        OrderLine(line_id=line, sku=sku, quantity=quantity)
        for line, sku, quantity in (("L1", "SHIRT", 2), ("L2", "LAMP", 1))
    )
    panel = plain.shop.orders
    three = OrderLine(line_id="L1", sku="SHIRT", quantity=3)
    panel["OD1"] = NewOrder(order_id="OD1", placed_at=START - DAY, lines=(three,))
    panel["OD2"] = NewOrder(order_id="OD2", placed_at=START - DAY, lines=(shirt, lamp))
    del panel["OD3"]
    panel["OD9"] = NewOrder(order_id="OD9", placed_at=START - DAY, lines=(lamp,))
    expected = {
        ("OD1", "quantity", False), ("OD2", "line_missing", False),
        ("OD3", "unknown_to_panel", False), ("OD9", "order_missing", False),
    }  # fmt: skip
    assert set(plain.causes(plain.audit())) == expected
    fix = set(plain.causes(plain.audit(fix=True)))
    assert {("OD2", "line_missing", True), ("OD9", "order_missing", True)} <= fix
    assert plain.seller.positions("OD9") == ["UNFULFILLABLE"]


def test_a_partly_cancelled_line_that_the_panel_shows_smaller_is_no_drift(
    plain: AuditOffice,
) -> None:
    plain.order("OD1", 3)
    fact = plain.shop.tell("OD1", Status.CANCELLED, line_id="L1", quantity=1, cumulative=True)
    plain.seller.tell(fact)
    plain.seller.settle()
    two = OrderLine(line_id="L1", sku="SHIRT", quantity=2)
    plain.shop.orders["OD1"] = NewOrder(order_id="OD1", placed_at=START - DAY, lines=(two,))
    assert plain.causes(plain.audit()) == []


@pytest.mark.unsound_book(CURSORS, "i12_a_closed_gate_and_a_rehearsal_change_nothing")
def test_a_row_that_cannot_be_read_is_told_unless_it_was_set_aside(plain: AuditOffice) -> None:
    plain.order("OD1")
    fact = plain.shop.tell("OD1", Status.UNKNOWN, problem="an odd word", raw="{}")
    run = plain.audit()
    assert plain.causes(run) == [("OD1", "unreadable", False)]
    with plain.book.write():
        inbox.store_page(
            plain.book, 1, Kind.DISPATCHED, [fact], run_id=run["id"], observed_at=START
        )
    acts.ignore(plain.book, [1], note="seen", actor="asha", now=START)
    assert plain.causes(plain.audit()) == []


class PanelShips(Market):
    """A panel that ships everything itself, and says so by order."""

    @hookimpl
    def provides_shipping(self, order: OrderRef) -> bool:
        return True


class SellerShips(Market):
    """A panel that ships nothing itself."""

    @hookimpl
    def provides_shipping(self, order: OrderRef) -> bool:
        return order.order_id != "OD1"


def test_what_the_seller_ships_is_not_comparable_and_never_called_equal(tmp_path: Path) -> None:
    office = AuditOffice(tmp_path, SellerShips())
    office.order("OD1")
    office.order("OD2")
    office.shop.tell("OD1", Status.DELIVERED)
    run = office.audit()
    assert office.causes(run) == []
    assert run["counts"]["incomparable"] == 1
    assert "1 of them the seller ships: these are not comparable" in run["message"]
    assert "syncctl warehouse ORDER DISPATCHED" in run["tasks"]["dispatched"]["message"]


def test_what_cannot_be_asked_is_not_comparable_and_never_equal(tmp_path: Path) -> None:
    shop = Market(reads_by=frozenset({ReadsBy.WINDOW}), look_back_limit=timedelta(hours=12))
    office = AuditOffice(tmp_path, shop)
    office.seller.stock("SHIRT", 1)
    office.order("OD1")
    office.seller.advance("OD1", Position.DISPATCHED)
    run = office.audit()
    assert office.causes(run) == []
    assert run["counts"]["incomparable"] == 1
    assert "1 orders are not comparable" in run["tasks"]["dispatched"]["message"]


def test_a_kind_that_fails_makes_the_audit_partial_and_its_orders_not_comparable(
    plain: AuditOffice,
) -> None:
    plain.seller.stock("SHIRT", 1)
    plain.order("OD1")
    plain.seller.advance("OD1", Position.DISPATCHED)
    plain.shop.scripts[Kind.DISPATCHED] = then_raises(PanelBusy("busy"))
    run = plain.audit()
    assert (run["state"], run["code"]) == ("PARTIAL", "panel_busy")
    assert run["counts"]["incomparable"] == 1


def test_refused_credentials_end_the_audit_and_stop_the_account(plain: AuditOffice) -> None:
    plain.order("OD1")
    plain.shop.scripts[Kind.DISPATCHED] = then_raises(PanelRefused("the token is dead"))
    run = plain.audit()
    assert (run["state"], run["code"]) == ("FAILED", "account_auth_failed")
    assert plain.seller.rows("SELECT state FROM account") == [("AUTH_FAILED",)]


def test_a_look_is_free_before_going_live_and_mending_is_not(tmp_path: Path) -> None:
    office = AuditOffice(tmp_path, Market(), live=False)
    office.order("OD1")
    office.shop.tell("OD1", Status.DISPATCHED)
    assert office.causes(office.audit()) == [("OD1", "missed", False)]
    run = office.audit(fix=True)
    assert run["state"] == "GATED"
    assert run["message"] == "Sync not allowed as Tenant is not Live yet"


@pytest.mark.unsound_book
def test_closed_orders_are_compared_for_some_days_only(plain: AuditOffice) -> None:
    plain.order("OLD")
    plain.order("NEW")
    with plain.book.write():
        plain.book.query(
            "UPDATE item SET position = 'DELIVERED', changed_at = ? WHERE order_id = 1",
            (to_micros(START - 46 * DAY),),
        )
    assert plain.audit()["counts"]["compared"] == 1


def test_chosen_orders_only_and_one_that_the_book_lacks(plain: AuditOffice) -> None:
    for order_id in ("OD1", "OD2"):
        plain.order(order_id)
        plain.shop.tell(order_id, Status.DISPATCHED)
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
    plain.shop.orders["OD9"] = NewOrder(order_id="OD9", placed_at=START - DAY, lines=(line,))
    whole = plain.audit()
    assert len(plain.causes(whole)) == 3
    run = plain.audit(fix=True, orders=("OD1", "OD9"))
    assert set(plain.causes(run)) == {("OD1", "missed", True), ("OD9", "order_missing", True)}
    assert [one.order_id for one in drift.findings(plain.book)] == ["OD2"], "the newest word counts"
    assert drift.audits(plain.book)["shop"].open == 1


@pytest.mark.parametrize("fix", [False, True])
def test_an_audit_makes_room_for_a_pass_and_goes_on(plain: AuditOffice, fix: bool) -> None:
    plain.setup = msgspec.structs.replace(plain.setup, audit_portion=2)
    for number in range(5):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.DISPATCHED)
    asked = runs.enqueue(
        plain.book, "shop", tuple(Kind), purpose=runs.AUDIT, dry_run=not fix, trigger="t",
        actor="asha", now=START,
    )  # fmt: skip
    waiting = runs.enqueue(plain.book, "shop", (Kind.ORDERS,), trigger="t", actor="t", now=START)
    conductor = Conductor(plain.book, lambda _: plain.setup, plain.panel, plain.clock)
    with pytest.raises(GaveWay):
        conductor.conduct(asked.run_id, plain.stop, plain.told)
    assert runs.get(plain.book, asked.run_id).state == "QUEUED"
    assert plain.seller.count("drift") == 2
    first = runs.next_queued(plain.book, "shop")
    assert first is not None
    assert first.id == waiting.run_id, "the pass goes first"
    conductor.conduct(waiting.run_id, plain.stop, plain.told)
    conductor.conduct(asked.run_id, plain.stop, plain.told)
    found = drift.findings(plain.book, run_id=asked.run_id)
    assert [one.mended for one in found] == [fix] * 5
    counts = runs.Counts.from_json(runs.get(plain.book, asked.run_id).counts)
    assert counts.compared == 5


def test_an_audit_that_a_crash_broke_off_goes_on_where_it_stood(
    plain: AuditOffice,
) -> None:
    plain.setup = msgspec.structs.replace(plain.setup, audit_portion=2)
    for number in range(4):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.DISPATCHED)
    asked = runs.enqueue(
        plain.book, "shop", tuple(Kind), purpose=runs.AUDIT, trigger="t", actor="asha", now=START
    )

    class PowerCut(BaseException):
        pass

    def cut(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        if any(ref.order_id == "OD2" for ref in refs):
            raise PowerCut
        yield from ()

    plain.shop.scripts[Kind.CANCELLED] = cut
    conductor = Conductor(plain.book, lambda _: plain.setup, plain.panel, plain.clock)
    with pytest.raises(PowerCut):
        conductor.conduct(asked.run_id, plain.stop, plain.told)
    assert runs.get(plain.book, asked.run_id).state == "RUNNING"
    assert runs.recover(plain.book, START) == []
    assert runs.get(plain.book, asked.run_id).state == "QUEUED"
    del plain.shop.scripts[Kind.CANCELLED]
    conductor.conduct(asked.run_id, plain.stop, plain.told)
    found = drift.findings(plain.book, run_id=asked.run_id)
    assert [(one.order_id, one.mended) for one in found] == [(f"OD{n}", True) for n in range(4)]
    assert runs.Counts.from_json(runs.get(plain.book, asked.run_id).counts).mended == 4


def test_returns_are_understood(office: AuditOffice) -> None:
    office.order("OD1")
    told = [
        office.shop.tell("OD1", Status.DISPATCHED, occurred_at=START - timedelta(hours=9)),
        office.shop.tell("OD1", Status.DELIVERED, occurred_at=START - timedelta(hours=8)),
    ]
    office.seller.tell(*told)
    office.seller.settle()
    back: dict[str, Any] = {"return_type": ReturnType.CIR, "return_id": "R1", "left_seller": True}
    hours = timedelta(hours=7)
    office.shop.tell("OD1", Status.RETURN_NOTICED, occurred_at=START - hours, **back)
    assert office.causes(office.audit()) == [("OD1", "missed", False)]
    office.audit(fix=True)
    assert office.seller.positions("OD1") == ["CIR_CREATED"]
    assert office.causes(office.audit()) == []


def test_a_return_without_proof_of_a_dispatch_is_told_as_waiting(plain: AuditOffice) -> None:
    plain.order("OD1")
    back: dict[str, Any] = {"return_type": ReturnType.RTO, "return_id": "R1"}
    plain.shop.tell("OD1", Status.RETURNED, **back)
    assert plain.causes(plain.audit()) == [("OD1", "missed", False)]
    assert plain.causes(plain.audit(fix=True)) == [("OD1", "waiting", False)]
    assert plain.causes(plain.audit()) == [("OD1", "waiting", False)]


def test_a_task_that_is_switched_off_hears_of_nothing_however_new(plain: AuditOffice) -> None:
    plain.order("OD1")
    plain.clock.advance(timedelta(hours=2))
    plain.shop.tell("OD1", Status.DISPATCHED, occurred_at=START + timedelta(hours=1))
    with plain.book.write():
        plain.book.query("UPDATE task SET enabled = 0 WHERE kind = 'dispatched'")
    run = plain.audit()
    assert plain.causes(run) == [("OD1", "missed", False)]
    (found,) = drift.findings(plain.book, run_id=run["id"])
    assert "switched off" in found.message


def test_what_the_channel_does_not_ship_is_left_to_the_seller(plain: AuditOffice) -> None:
    plain.setup.channel.gates_shipping = True
    plain.setup.channel._provides_shipping = lambda _account, _order: False
    plain.seller.stock("SHIRT", 1)
    plain.order("OD1")
    plain.seller.advance("OD1", Position.DISPATCHED)
    plain.order("OD2")
    plain.shop.tell("OD2", Status.DISPATCHED)
    assert plain.causes(plain.audit()) == []


@pytest.mark.parametrize("kept", ["{", "[1]", '{"a": 1}'])
def test_an_order_whose_facts_are_damaged_is_named_and_stops_no_other(
    tmp_path: Path, kept: str
) -> None:
    office = AuditOffice(tmp_path, PanelShips())
    for order_id in ("OD1", "OD2"):
        office.order(order_id)
        office.seller.tell(office.shop.tell(order_id, Status.DISPATCHED))
    with office.book.write():
        office.book.query("UPDATE orders SET facts = ? WHERE order_id = 'OD1'", (kept,))
    office.run(Kind.CANCELLED)
    assert office.seller.positions("OD2") == ["DISPATCHED"]
    assert office.seller.positions("OD1") == ["UNFULFILLABLE"]
    ((code, message),) = office.seller.rows(
        "SELECT code, message FROM inbox WHERE order_id = 'OD1'"
    )
    assert code == "facts_unreadable"
    assert "What the book keeps of order OD1 for its channel cannot be read" in message
    run = office.audit()
    assert office.causes(run) == [("OD1", "facts_unreadable", False)]
    told = explain(office.book, "OD1")
    assert told.order is not None
    assert "order OD1" in told.order.facts["unreadable"]
    assert any("trigger shop --task orders --order OD1" in one for one in told.to_do)
    office.shop.orders["OD1"] = msgspec.structs.replace(
        office.shop.orders["OD1"], facts={"colour": "red"}
    )
    office.run(Kind.ORDERS, orders=("OD1",))
    office.run(Kind.CANCELLED)
    assert office.seller.positions("OD1") == ["DISPATCHED"]
    assert office.causes(office.audit()) == []


def test_old_findings_are_dropped_and_the_newest_audits_kept(plain: AuditOffice) -> None:
    plain.order("OD1")
    plain.shop.tell("OD1", Status.DISPATCHED)
    for _ in range(drift.KEPT_AUDITS + 2):
        plain.audit()
    assert plain.seller.count("drift") == drift.KEPT_AUDITS


def test_ids_that_look_like_place_holders_are_told_as_they_are(plain: AuditOffice) -> None:
    plain.order("ACCOUNT")
    plain.shop.tell("ACCOUNT", Status.DISPATCHED)
    plain.audit()
    (found,) = drift.findings(plain.book)
    assert "syncctl audit shop --order ACCOUNT --fix" in found.do


def test_a_stopped_audit_waits_again_with_its_place(plain: AuditOffice) -> None:
    plain.setup = msgspec.structs.replace(plain.setup, audit_portion=1)
    for number in range(3):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.DISPATCHED)
    asked = runs.enqueue(
        plain.book, "shop", tuple(Kind), purpose=runs.AUDIT, dry_run=True, trigger="t",
        actor="asha", now=START,
    )  # fmt: skip

    def stop(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        if refs and refs[0].order_id == "OD1":
            plain.stop.set()
        yield Page(rows=[])

    plain.shop.scripts[Kind.DISPATCHED] = stop
    conductor = Conductor(plain.book, lambda _: plain.setup, plain.panel, plain.clock)
    with pytest.raises(GaveWay):
        conductor.conduct(asked.run_id, plain.stop, plain.told)
    row = runs.get(plain.book, asked.run_id)
    assert (row.state, plain.seller.count("run")) == ("QUEUED", 1)
    assert runs.Counts.from_json(row.counts).compared == 1
    plain.stop.clear()
    del plain.shop.scripts[Kind.DISPATCHED]
    plain.shop.asked.clear()
    conductor.conduct(asked.run_id, plain.stop, plain.told)
    assert all("OD0" not in orders for _, _, orders in plain.shop.asked), "not asked again"
    assert len(drift.findings(plain.book, run_id=asked.run_id)) == 3


def test_a_fact_that_has_expired_is_told_as_parked(office: AuditOffice) -> None:
    office.order("OD1")
    office.shop.tell("OD1", Status.DISPATCHED, line_id="L9")
    office.audit(fix=True)
    with office.book.write():
        office.book.query("UPDATE inbox SET state = 'EXPIRED', code = 'fact_expired'")
    run = office.audit()
    assert run["code"] == "drift_found"
    assert ("OD1", "parked", False) in office.causes(run)


def test_an_order_that_the_audit_brings_is_compared_in_the_same_audit(plain: AuditOffice) -> None:
    lines = (OrderLine(line_id="L1", sku="SHIRT", quantity=1),)
    new = NewOrder(order_id="OD1", placed_at=START - DAY, lines=lines)
    plain.shop.orders["OD1"] = new
    plain.shop.tell("OD1", Status.CANCELLED)
    run = plain.audit(fix=True)
    assert sorted(plain.causes(run)) == [("OD1", "missed", True), ("OD1", "order_missing", True)]
    assert plain.seller.positions("OD1") == ["CANCELLED"]
    assert plain.audit(fix=True)["counts"]["disagreed"] == 0


def test_the_ledger_of_a_broken_off_audit_is_what_the_journal_has(plain: AuditOffice) -> None:
    """The power fails after facts were stored and decided, before their number was noted."""
    for number in range(3):
        plain.order(f"OD{number}")
        plain.shop.tell(f"OD{number}", Status.CANCELLED)
    asked = runs.enqueue(
        plain.book, "shop", tuple(Kind), purpose=runs.AUDIT, trigger="t", actor="asha", now=START
    )
    conductor = Conductor(plain.book, lambda _: plain.setup, plain.panel, plain.clock)
    conductor.conduct(asked.run_id, plain.stop, plain.told)
    whole = runs.Counts.from_json(runs.get(plain.book, asked.run_id).counts)
    assert (whole.new, whole.applied) == (3, 3)
    with plain.book.write():
        plain.book.query(
            "UPDATE run SET state = 'QUEUED', ended_at = NULL, counts = ?, place = ''",
            (runs.Counts().to_json(),),
        )
    conductor.conduct(asked.run_id, plain.stop, plain.told)
    again = runs.Counts.from_json(runs.get(plain.book, asked.run_id).counts)
    assert (again.new, again.applied) == (3, 3)
    assert again.imbalance() == 0


def test_the_exceptions_of_an_order_are_found_by_its_index(plain: AuditOffice) -> None:
    """The cost of an audit, and of explain, follows the order, not all that was ever asked."""
    ids = '["OD1"]'
    asked = [(last_word._PIECES, (1, ids)), (line_marks._OPEN_EXCEPTIONS, (1, ids))]
    for sql, params in asked:
        plan = plain.seller.rows(f"EXPLAIN QUERY PLAN {sql}", *params)
        steps = [row[3] for row in plan if " e " in row[3]]
        assert steps
        for step in steps:
            assert "exceptions_order_id_account_id (order_id=? AND account_id=?)" in step
