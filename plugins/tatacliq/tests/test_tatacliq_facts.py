"""What is Tata CLiQ's own: one call an order, codes that only the configuration knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import requests
from pydantic import ValidationError

from syncd import Account, OrderRef, ReturnType, Status
from syncd.errors import PanelGone, PanelRefused
from syncd.statuses import Kind
from syncd.testing import Fault
from syncd.testing.conformance import Base, Shop
from syncd_tatacliq import TataCliqSettings, provides_shipping
from syncd_tatacliq.simulator import TataCliqSimulator


class TataCliq(Base):
    channel = "tatacliq"
    simulator = TataCliqSimulator


@pytest.fixture
def shop() -> Iterator[Shop]:
    with TataCliq().shop() as shop:
        yield shop


def read(shop: Shop, kind: Kind, order_id: str, **settings: Any) -> list[Any]:
    """What the hook of this kind says of one order."""
    return shop.reader(**settings).read(kind, [OrderRef(order_id=order_id)])


def answers(shop: Shop, *orders: Any) -> None:
    """The next call gets these orders."""
    body = msgspec.json.encode({"order": orders}).decode()
    shop.server.faults.add(Fault(do="body", body=body))


def an_order(*lines: Any, **more: Any) -> dict[str, Any]:
    line = {"transactionId": "1", "omsStatusCode": "901", "articleNumber": "KURTA"}
    found = [{**line, **one} if isinstance(one, dict) else one for one in lines or ({},)]
    return {"orderNo": "A-1", "orderDate": "2026-11-20 10:45:59.0", "orderLine": found, **more}


def settings(**more: Any) -> TataCliqSettings:
    base = {"base_url": "https://gateway.example", "seller_id": "1", "token": "t"}
    return TataCliqSettings.model_validate({**base, **more})


def test_an_order_of_two_lines_is_told_line_by_line(shop: Shop) -> None:
    order = shop.world.place_order([("KURTA", 1), ("MUG", 2)])
    shop.world.pick_up(order.order_id, order.lines[0].line_id)
    shop.world.cancel(order.order_id, order.lines[2].line_id)
    (new,) = read(shop, Kind.ORDERS, order.order_id)
    assert [(line.sku, line.quantity) for line in new.lines] == [
        ("KURTA", 1),
        ("MUG", 1),
        ("MUG", 1),
    ]
    assert new.placed_at == order.placed_at.replace(microsecond=0)
    (gone,) = read(shop, Kind.DISPATCHED, order.order_id)
    (cancelled,) = read(shop, Kind.CANCELLED, order.order_id)
    assert (gone.line_id, gone.native_status) == (order.lines[0].line_id, "901")
    assert (cancelled.line_id, cancelled.status) == (order.lines[2].line_id, Status.CANCELLED)


def test_an_order_that_the_panel_does_not_have_says_nothing(shop: Shop) -> None:
    assert read(shop, Kind.DISPATCHED, "NO-SUCH") == []


def not_found(shop: Shop, order_id: str = "*") -> None:
    fault = Fault(do="status", status=404, path=f"*ORDID_{order_id}/*", times=-1)
    shop.server.faults.add(fault)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_order_that_is_not_found_is_told_and_costs_the_others_nothing(
    shop: Shop, place: int
) -> None:
    orders = [shop.world.place_order([("MUG", 1)]).order_id for _ in range(3)]
    for one in orders:
        shop.world.pick_up(one)
    not_found(shop, orders[place])
    reader = shop.reader()
    left = [one for one in orders if one != orders[place]]
    assert [row.order_id for row in reader.read(Kind.ORDERS, reader.refs(orders))] == left
    told = []
    for kind in (Kind.DISPATCHED, Kind.RETURNS, Kind.DISPATCHED):
        shop.clock.advance(timedelta(hours=1))
        *good, odd = reader.read(kind, reader.refs(orders))
        assert [row.order_id for row in good] == (left if kind is Kind.DISPATCHED else [])
        assert (odd.order_id, odd.status) == (orders[place], Status.UNKNOWN)
        assert "404 for this order" in odd.problem
        told.append(odd.evidence_id)
    assert len(set(told)) == 1


@pytest.mark.parametrize(
    ("count", "said"),
    [(2, "2 orders were asked for, and none of them was found"),
     (1, "One order was asked for, and it was not found")],
)  # fmt: skip
def test_if_no_order_is_found_the_address_may_be_wrong_or_the_orders_are_of_another(
    shop: Shop, count: int, said: str
) -> None:
    orders = [shop.world.place_order([("MUG", 1)]).order_id for _ in range(count)]
    not_found(shop)
    reader = shop.reader()
    with pytest.raises(PanelGone, match=rf"answered 404.*{said}.*base_url.*not of this account"):
        reader.read(Kind.CANCELLED, reader.refs(orders))


def test_a_call_that_is_gone_is_no_order_that_is_missing(shop: Shop) -> None:
    orders = [shop.world.place_order([("MUG", 1)]).order_id for _ in range(2)]
    shop.server.faults.add(Fault(do="status", status=410, skip=1, times=-1))
    reader = shop.reader()
    with pytest.raises(PanelGone, match="answered 410"):
        reader.read(Kind.CANCELLED, reader.refs(orders))


def test_an_id_with_odd_letters_stays_one_part_of_the_path(shop: Shop) -> None:
    read(shop, Kind.DISPATCHED, "A/../1 ?x")
    assert shop.server.requests()[-1].target.endswith("/ORDID_A%2F..%2F1%20%3Fx/")


def test_a_code_that_no_map_has_is_shown_to_a_person(shop: Shop) -> None:
    answers(shop, an_order({"omsStatusCode": "077"}))
    (row,) = read(shop, Kind.DISPATCHED, "A-1")
    assert (row.status, row.native_status) == (Status.UNKNOWN, "077")
    assert row.problem == 'the panel\'s word "077" is in no status map'


def test_a_line_that_comes_back_was_dispatched_and_delivered_before(shop: Shop) -> None:
    answers(shop, an_order({"omsStatusCode": "921"}))
    (back,) = read(shop, Kind.RETURNS, "A-1")
    assert (back.status, back.return_type) == (Status.RETURN_NOTICED, ReturnType.CIR)
    for kind, status in ((Kind.DISPATCHED, "DISPATCHED"), (Kind.DELIVERED, "DELIVERED")):
        answers(shop, an_order({"omsStatusCode": "921"}))
        assert [row.status for row in read(shop, kind, "A-1")] == [status]


def test_a_wrong_token_is_refused_without_a_word_of_it(shop: Shop) -> None:
    with pytest.raises(PanelRefused) as caught:
        read(shop, Kind.DISPATCHED, "A-1", token="canary-token")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("line", [{"transactionId": ""}, {"omsStatusCode": None}, 17, "text"])
def test_a_line_that_cannot_be_read_costs_itself(shop: Shop, line: Any) -> None:
    answers(shop, an_order(line, {"transactionId": "2"}))
    rows = read(shop, Kind.DISPATCHED, "A-1")
    assert [row.status for row in rows] == [Status.UNKNOWN, Status.DISPATCHED]
    assert rows[0].problem


@pytest.mark.parametrize("order", [{"orderNo": "A-1"}, {"orderLine": []}, 17, {"orderNo": 1}])
def test_an_order_that_cannot_be_read_is_told_of_by_the_id_that_was_asked(
    shop: Shop, order: Any
) -> None:
    answers(shop, order)
    (row,) = read(shop, Kind.DISPATCHED, "A-1")
    assert (row.order_id, row.status) == ("A-1", Status.UNKNOWN)
    answers(shop, order)
    (new,) = read(shop, Kind.ORDERS, "A-1")
    assert new.problem


def test_no_buyers_data_is_kept_of_what_cannot_be_read(shop: Shop) -> None:
    buyer = {"addressInfo": [{"phoneNo": "9990001112"}]}
    answers(shop, {"orderNo": "A-1", **buyer}, an_order({"transactionId": 3, **buyer}))
    rows = read(shop, Kind.DISPATCHED, "A-1")
    assert len(rows) == 2
    assert not any("9990001112" in row.raw for row in rows)
    assert "901" in rows[1].raw


def test_an_order_with_a_bad_line_or_without_a_sku_is_kept_with_its_problem(shop: Shop) -> None:
    answers(shop, an_order({"articleNumber": "NA"}, 17, orderDate="null"))
    (new,) = read(shop, Kind.ORDERS, "A-1")
    assert "line 1 has no articleNumber" in new.problem
    assert "Expected" in new.problem


@pytest.mark.parametrize(
    ("word", "ships", "answer"),
    [("TSHIP", "seller", True), ("SSHIP", "channel", False), ("OMNI", "channel", True),
     ("", "seller", False)],
)  # fmt: skip
def test_who_ships_is_said_by_the_line_else_by_the_account(
    word: str, ships: str, answer: bool
) -> None:
    account = Account(name="a", channel="tatacliq", settings=settings(ships=ships))
    order = OrderRef(order_id="A-1", facts={"fulfillmentType": word})
    assert provides_shipping(account, order) is answer


@pytest.mark.parametrize(
    "path", ["P/{order_id}", "/orders/", "/{order_id}/{oops}", "/{order_id}{", "/{order_id}/{}"]
)
def test_the_path_must_hold_the_order(path: str) -> None:
    with pytest.raises(ValidationError, match="order_id"):
        settings(order_path=path)


@pytest.mark.parametrize(
    ("more", "said"),
    [({"split": True}, "split: Expected `array | null`"), ({"parcels": 2}, "'parcels'"),
     ({"split": [[[0, 1]], [[0, 1]]]}, "does not add up")],
)  # fmt: skip
def test_what_the_simulated_gateway_cannot_place_is_said(shop: Shop, more: Any, said: str) -> None:
    url = f"{shop.server.url}/control/place_order"
    answer = requests.post(url, json={"lines": [["MUG", 2]], **more}, timeout=10)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
