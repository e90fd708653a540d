"""Replacements: an order of its own, or a line under an order id that is used again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.book import intake
from syncd.book.explain import explain
from syncd.book.order_lookups import order as look
from syncd.statuses import NewOrder, OrderLine, ReturnType, Status, StatusChange
from tests.bookkit import Seller

CIR: dict[str, Any] = {"return_type": ReturnType.CIR}
ASKED = "SELECT order_id, item_id, inbox_id, code, severity, state FROM exceptions"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 5)
    return seller


def told(seller: Seller, *changes: StatusChange) -> list[str]:
    seller.tell(*changes)
    seller.settle()
    return seller.positions("OD1")


def line(line_id: str, replaces: str = "") -> OrderLine:
    return OrderLine(line_id=line_id, sku="SHIRT", quantity=1, replaces_line_id=replaces)


def take(seller: Seller, *lines: OrderLine, order_id: str = "OD1", **more: Any) -> intake.Taken:
    now = seller.clock.now()
    new = NewOrder(order_id=order_id, placed_at=now, lines=lines, **more)
    return intake.take_orders(seller.book, "shop", [new], source="test", now=now)


def second_account(seller: Seller) -> None:
    with seller.book.write():
        seller.book.query(
            "INSERT INTO account (tenant_id, facility_id, name, channel, state, state_reason, "
            "state_since) SELECT tenant_id, facility_id, 'other', channel, state, '', 0 "
            "FROM account"
        )


def sent_back(seller: Seller) -> None:
    """Order OD1 with one line, on its way back from the buyer."""
    take(seller, line("a"))
    gone = seller.change("OD1", Status.DISPATCHED, line_id="a")
    back = seller.change("OD1", Status.RETURN_NOTICED, line_id="a", **CIR)
    assert told(seller, gone, back) == ["CIR_CREATED"]


def test_s27_statuses_do_not_flow_between_an_order_and_its_replacement(seller: Seller) -> None:
    sent_back(seller)
    assert take(seller, line("a"), order_id="OD2", replaces="OD1").new == 1
    told(seller, seller.change("OD2", Status.DISPATCHED))
    assert (seller.positions("OD1"), seller.positions("OD2")) == (["CIR_CREATED"], ["DISPATCHED"])
    told(seller, seller.change("OD1", Status.RETURNED, **CIR))
    assert (seller.positions("OD1"), seller.positions("OD2")) == (["CIR_COMPLETE"], ["DISPATCHED"])
    assert look(seller.book, "OD2").replaces == "OD1"
    assert look(seller.book, "OD1").replaces == ""
    told_of = "It stands in for order OD1; each of the two goes its own way."
    assert told_of in explain(seller.book, "OD2").now
    assert told_of not in explain(seller.book, "OD1").now
    assert not seller.rows(ASKED)


def test_a_known_order_learns_later_what_it_replaces_and_keeps_it(seller: Seller) -> None:
    take(seller, line("a"))
    assert take(seller, line("a"), replaces="OD0").changed == 1
    assert take(seller, line("a"), replaces="OD0").known == 1
    assert take(seller, line("a"), replaces="OD7").known == 1
    assert take(seller, line("a")).known == 1
    assert look(seller.book, "OD1").replaces == "OD0"


def test_a_line_of_another_order_is_not_one_of_this(seller: Seller) -> None:
    take(seller, line("a", "a"), replaces="OD0")
    assert seller.rows("SELECT replaces FROM item") == [("",)]
    assert not seller.rows(ASKED)


@pytest.mark.parametrize("whole", [True, False])
def test_the_order_id_is_used_again_with_new_line_ids(seller: Seller, whole: bool) -> None:
    sent_back(seller)
    again = (line("r"), {"replaces": "OD1"}) if whole else (line("r", "a"), {})
    assert take(seller, again[0], **again[1]).pieces == 1
    assert take(seller, again[0], **again[1]).known == 1, "the same again is nothing new"
    assert take(seller, line("r")).known == 1
    assert seller.rows("SELECT line_id, replaces FROM item ORDER BY id") == [
        ("a", ""), ("r", "*" if whole else "a"),
    ]  # fmt: skip
    assert told(seller, seller.change("OD1", Status.DISPATCHED, line_id="r")) == [
        "CIR_CREATED", "DISPATCHED",
    ]  # fmt: skip
    back = seller.change("OD1", Status.RETURNED, line_id="a", **CIR)
    assert told(seller, back) == ["CIR_COMPLETE", "DISPATCHED"]
    assert not seller.rows(ASKED)
    used = "The channel has used its id again: it holds a replacement of a line of its own."
    assert used in explain(seller.book, "OD1").now
    assert look(seller.book, "OD1").replaces == "OD1"


@pytest.mark.parametrize("sku", ["", "SHIRT"])
@pytest.mark.parametrize("quantity", [None, 1])
def test_a_fact_that_names_no_line_means_neither(
    seller: Seller, sku: str, quantity: int | None
) -> None:
    sent_back(seller)
    take(seller, line("r", "a"))
    fact = seller.change("OD1", Status.CANCELLED, sku=sku, quantity=quantity)
    assert told(seller, fact) == ["CIR_CREATED", "FULFILLABLE"]
    assert seller.rows(ASKED) == [("OD1", None, 3, "ambiguous_replacement", "warning", "OPEN")]
    assert seller.journal()[-1] == ("DONE", "ESCALATE", "ambiguous_replacement")
    ((message,),) = seller.rows("SELECT message FROM exceptions")
    assert message.endswith("It names no line, and the order holds a line and its replacement.")
    assert seller.rows("SELECT item_id, outcome FROM decision WHERE inbox_id = 3") == [
        (None, "ESCALATE")
    ]


def test_a_shipment_or_a_return_tells_the_two_apart(seller: Seller) -> None:
    take(seller, line("a"), line("b"))
    told(seller, seller.change("OD1", Status.DISPATCHED, shipment_id="SH1"))
    take(seller, line("r", "a"))
    told(seller, seller.change("OD1", Status.DISPATCHED, line_id="r", shipment_id="SH2"))
    first = seller.change("OD1", Status.DELIVERED, shipment_id="SH1")
    assert told(seller, first) == ["DELIVERED", "DELIVERED", "DISPATCHED"]
    second = seller.change("OD1", Status.DELIVERED, shipment_id="SH2")
    assert told(seller, second) == ["DELIVERED"] * 3
    assert not seller.rows(ASKED)


def test_only_the_sku_that_was_replaced_is_in_doubt(seller: Seller) -> None:
    seller.stock("CUP", 1)
    take(seller, line("a"), OrderLine(line_id="c", sku="CUP", quantity=1))
    take(seller, line("r", "a"))
    cup = seller.change("OD1", Status.DISPATCHED, sku="CUP")
    assert told(seller, cup) == ["FULFILLABLE", "DISPATCHED", "FULFILLABLE"]
    assert not seller.rows(ASKED)


@pytest.mark.parametrize(
    ("again", "more"),
    [(line("a", "a"), {}), (line("a"), {"replaces": "OD1"}), (line("a", "z"), {})],
)
def test_equal_line_ids_are_for_a_person(
    seller: Seller, again: OrderLine, more: dict[str, Any]
) -> None:
    sent_back(seller)
    taken = take(seller, line("x"), again, **more)
    assert (taken.new, taken.changed, taken.pieces) == (0, 0, 0)
    ((problem),) = taken.problems
    assert (problem.order_id, problem.kept) == ("OD1", False)
    assert "line a has the id of a line that it replaces" in problem.reason
    assert seller.rows(ASKED) == [("OD1", None, None, "ambiguous_replacement", "warning", "OPEN")]
    assert seller.positions("OD1") == ["CIR_CREATED"]
    assert any(event.source == "exception" for event in explain(seller.book, "OD1").story)
    take(seller, line("x"), again, **more)
    assert len(seller.rows(ASKED)) == 1, "every pass tells of it, it is asked once"


def test_a_new_order_whose_line_replaces_itself_is_for_a_person(seller: Seller) -> None:
    taken = take(seller, line("a", "a"))
    assert (taken.new, len(taken.problems)) == (0, 1)
    assert seller.count("orders") == 0
    assert len(seller.rows(ASKED)) == 1


def test_the_question_is_asked_for_each_account(seller: Seller) -> None:
    second_account(seller)
    for account in ("shop", "other"):
        new = NewOrder(order_id="OD1", placed_at=seller.clock.now(), lines=(line("a", "a"),))
        now = seller.clock.now()
        intake.take_orders(seller.book, account, [new], source="test", now=now)
    assert len(seller.rows(ASKED)) == 2


def test_a_cancellation_that_waited_for_both_is_decided_by_a_person(seller: Seller) -> None:
    told(seller, seller.change("OD1", Status.CANCELLED))
    taken = take(seller, line("a"), line("r", "a"))
    assert (taken.unparked, taken.born_cancelled) == (1, 0)
    assert told(seller) == ["FULFILLABLE", "FULFILLABLE"]
    assert look(seller.book, "OD1").replaces == "OD1"
    assert [row[3] for row in seller.rows(ASKED)] == ["ambiguous_replacement"]


def test_csv_and_json_lines_carry_what_is_replaced() -> None:
    header = "order_id,line_id,sku,quantity,placed_at,replaces,replaces_line\n"
    when = "2026-02-01T10:00:00+05:30"
    rows = [header, f"OD2,r,SHIRT,1,{when},OD1,\n", f"OD3,r,SHIRT,1,{when},,a\n"]
    one, two = intake.read_csv(rows)
    assert isinstance(one, intake.ImportedOrder)
    assert isinstance(two, intake.ImportedOrder)
    assert (one.replaces, one.lines[0].replaces_line_id) == ("OD1", "")
    assert (two.replaces, two.lines[0].replaces_line_id) == ("", "a")
    clash = [header, f"OD2,r,SHIRT,1,{when},OD1,\n", f"OD2,s,SHIRT,1,{when},OD9,\n"]
    (bad,) = intake.read_csv(clash)
    assert isinstance(bad, intake.BadLine)
    assert bad.reason.startswith("replaces differs from line 2 of the same order.")
    twice = [header, f"OD2,r,SHIRT,1,{when},,a\n", f"OD2,r,SHIRT,1,{when},,b\n"]
    (bad,) = intake.read_csv(twice)
    assert isinstance(bad, intake.BadLine)
    assert bad.reason.startswith("line_id r stands on line 2 already, with other values.")
    text = (
        '{"order_id": "OD2", "placed_at": "2026-02-01T10:00:00Z", "replaces": "OD1", "lines": '
        '[{"line_id": "r", "sku": "SHIRT", "quantity": 1, "replaces_line_id": "a"}]}'
    )
    (found,) = intake.read_jsonl([text])
    assert isinstance(found, intake.ImportedOrder)
    assert (found.replaces, found.lines[0].replaces_line_id) == ("OD1", "a")


@pytest.mark.parametrize(
    ("lines", "more", "words"),
    [
        ((line("a"),), {"replaces": "x" * 201}, "replaces must be the id of an order"),
        ((line("a"),), {"replaces": 7}, "replaces must be the id of an order"),
        ((line("a", "x" * 201),), {}, "Line a replaces something that is not a line id"),
    ],
)
def test_what_is_replaced_must_be_an_id(
    seller: Seller, lines: tuple[OrderLine, ...], more: dict[str, Any], words: str
) -> None:
    (problem,) = take(seller, *lines, **more).problems
    assert words in problem.reason


def test_orders_of_one_id_on_two_accounts_never_meet(seller: Seller) -> None:
    second_account(seller)
    now = seller.clock.now()
    for account in ("shop", "other"):
        new = NewOrder(order_id="OD1", placed_at=now, lines=(line("a"),))
        intake.take_orders(seller.book, account, [new], source="test", now=now)
    gone = seller.change("OD1", Status.DISPATCHED, line_id="a", shipment_id="SH1")
    assert told(seller, gone) == ["DISPATCHED", "FULFILLABLE"]
    assert seller.rows("SELECT state FROM orders ORDER BY id") == [("COMPLETE",), ("PROCESSING",)]
    assert look(seller.book, "OD1", "other").packages == ()
    stray = seller.change("OD5", Status.CANCELLED)
    told(seller, stray)
    new = NewOrder(order_id="OD5", placed_at=now, lines=(line("a"),))
    taken = intake.take_orders(seller.book, "other", [new], source="test", now=now)
    assert (taken.born_cancelled, seller.positions("OD5")) == (0, ["FULFILLABLE"])
