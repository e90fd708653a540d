"""What is Paytm's own: its login, its one list, and words that only the configuration knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from syncd import OrderRef, Status
from syncd.errors import PanelAnswer, PanelRefused
from syncd.statuses import Kind
from syncd.testing import Fault, ReturnState
from syncd.testing.conformance import Base, Shop
from syncd_paytm import PaytmSettings
from syncd_paytm.simulator import PaytmSimulator


class Paytm(Base):
    channel = "paytm"
    simulator = PaytmSimulator


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Paytm().shop() as shop:
        yield shop


def answers(shop: Shop, orders: Any) -> None:
    """The next call of orders.json gets this."""
    body = msgspec.json.encode(orders).decode()
    shop.server.faults.add(Fault(do="body", path="*orders.json*", body=body))


def an_order(**item: Any) -> list[dict[str, Any]]:
    items = [{"id": 8, "status": 2, "sku": "KURTA", "qty": 2, **item}]
    return [{"id": 7, "created_at": "2026-11-20 10:00:00", "items": items}]


def read(shop: Shop, kind: Kind, order_id: str, **settings: Any) -> list[Any]:
    """What the hook of this kind says of one order."""
    return shop.reader(**settings).read(kind, [OrderRef(order_id=order_id)])


def problems(rows: list[Any]) -> list[str]:
    return [row.problem for row in rows if row.problem]


def test_a_login_is_two_steps_and_the_token_goes_in_the_query(shop: Shop) -> None:
    shop.reader().read(Kind.ORDERS)
    paths = [line.target.partition("?")[0] for line in shop.server.requests()]
    assert paths[:2] == ["/oauth2/authorize", "/oauth2/token"]
    assert "authtoken=***" in shop.server.requests("/v1")[0].target


def test_a_wrong_password_is_refused_without_a_word_of_it(shop: Shop) -> None:
    with pytest.raises(PanelRefused) as caught:
        shop.reader(password="canary-password").read(Kind.ORDERS)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("end", [None, "soon", "2026-12-31T00:00:00", 1_796_000_000_000, 5, [1]])
def test_a_token_whose_end_cannot_be_read_is_used_for_a_while(shop: Shop, end: Any) -> None:
    shop.world.place_order([("KURTA", 1)])
    shop.settle()
    reader = shop.reader()
    reader.read(Kind.ORDERS)
    shop.server.expire_tokens()
    body = msgspec.json.encode({"access_token": "t", "token_expiry_time": end}).decode()
    shop.server.faults.add(Fault(do="body", path="/oauth2/token", body=body))
    with pytest.raises(PanelRefused):  # "t" is none of the simulator's, but it was sent
        reader.read(Kind.ORDERS)
    assert [line.status for line in shop.server.requests("/oauth2/token")] == [200, 200]


def test_a_full_list_brings_its_orders_and_says_that_more_may_be_missing(shop: Shop) -> None:
    for _ in range(3):
        shop.world.place_order([("KURTA", 1)])
    shop.settle()
    reader = shop.reader(page_size=2)
    pages = reader.pages(Kind.ORDERS)
    assert len(next(pages).rows) == 2
    with pytest.raises(PanelAnswer, match=r"2 orders in state 2.*Raise page_size"):
        next(pages)


def test_new_and_acknowledged_orders_are_new_and_shipped_ones_only_by_id(shop: Shop) -> None:
    new, packed, gone = (shop.world.place_order([("KURTA", 2)]).order_id for _ in range(3))
    shop.world.pack(packed)
    shop.world.pick_up(gone)
    shop.settle()
    reader = shop.reader()
    assert {row.order_id for row in reader.read(Kind.ORDERS)} == {new, packed}
    (row,) = read(shop, Kind.ORDERS, gone)
    assert [(line.sku, line.quantity) for line in row.lines] == [("KURTA", 2)]


def test_a_number_that_no_map_has_is_shown_to_a_person(shop: Shop) -> None:
    order = shop.world.place_order([("KURTA", 1)]).order_id
    shop.world.pick_up(order)
    shop.settle()
    (row,) = read(shop, Kind.DISPATCHED, order, status_map={})
    assert (row.status, row.native_status) == (Status.UNKNOWN, "901")
    assert row.problem == 'the panel\'s word "901" is in no status map'


def test_the_verified_numbers_say_nothing_unless_the_seller_says_otherwise() -> None:
    def status_of(**words: str) -> Any:
        known = {"merchant_id": "1", "username": "u", "client_id": "c"}
        secrets = {"password": "p", "client_secret": "s"}
        settings = PaytmSettings.model_validate({**known, **secrets, "status_map": words})
        return settings.status_map

    assert {word: meaning.status for word, meaning in status_of().items()} == {
        "2": None, "5": None, "15": None,
    }  # fmt: skip
    assert status_of(**{"15": "DISPATCHED"})["15"].status is Status.DISPATCHED


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"id": None}, 'an item lacks "id" or "status"'),
        ({"status": 2.5}, 'an item lacks "id" or "status"'),
        ({"qty": 0}, '"qty" of an item is no number of pieces'),
        ({"qty": "two"}, '"qty" of an item is no number of pieces'),
    ],
)
def test_an_item_that_cannot_be_read_costs_itself(shop: Shop, item: Any, told: str) -> None:
    answers(shop, an_order(**item))
    assert problems(read(shop, Kind.DISPATCHED, "7")) == [told]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"id": 7}, 'the order lacks "id" or its list "items"'),
        ({"items": []}, 'the order lacks "id" or its list "items"'),
        ({"id": 7, "items": [3]}, "an item is no object"),
    ],
)
def test_an_order_that_cannot_be_read_costs_itself(shop: Shop, order: Any, told: str) -> None:
    answers(shop, [order, *an_order(status=901)])
    rows = read(shop, Kind.DISPATCHED, "7")
    assert problems(rows) == [told]
    assert [row.status for row in rows if not row.problem] == [Status.DISPATCHED]


def test_an_order_without_a_sku_is_kept_with_its_problem(shop: Shop) -> None:
    answers(shop, an_order(sku="null"))
    (row,) = read(shop, Kind.ORDERS, "7")
    assert row.problem == "item 8 has no sku, so no stock can be found for it"


def test_an_answer_that_is_no_list_is_no_empty_one(shop: Shop) -> None:
    answers(shop, {"orders": []})
    with pytest.raises(PanelAnswer, match="no list of orders"):
        shop.reader().read(Kind.ORDERS)


def test_the_names_of_fields_are_the_sellers_to_give(shop: Shop) -> None:
    answers(shop, [{"order_no": "A-7", "lines": [{"item": 8, "status": 901, "count": 2}]}])
    names = {"order_id": "order_no", "items": "lines", "line_id": "item", "quantity": "count"}
    (row,) = read(shop, Kind.DISPATCHED, "A-7", fields=names)
    assert (row.order_id, row.line_id, row.quantity) == ("A-7", "8", 2)


def test_no_field_but_those_read_is_kept_of_a_row(shop: Shop) -> None:
    answers(shop, an_order(status=77, customer_phone="9990001112"))
    (row,) = read(shop, Kind.DISPATCHED, "7")
    assert "9990001112" not in row.raw
    assert "customer_phone" in row.raw


def test_times_without_a_zone_are_indian(shop: Shop) -> None:
    answers(shop, an_order(status=901, updated_at="2026-11-20 10:00:00"))
    (row,) = read(shop, Kind.DISPATCHED, "7")
    assert row.occurred_at.isoformat() == "2026-11-20T10:00:00+05:30"


@pytest.mark.parametrize(
    "written",
    [
        *(1_763_611_200, 1_763_611_200_000, 1_763_611_200.0),
        *("1763611200", "1763611200000", "1763611200.0", "2025-11-20T09:30:00+05:30"),
    ],
)
def test_a_time_may_be_an_epoch_as_a_number_or_as_text(shop: Shop, written: Any) -> None:
    answers(shop, an_order(status=901, updated_at=written))
    (row,) = read(shop, Kind.DISPATCHED, "7")
    assert row.occurred_at == datetime(2025, 11, 20, 4, tzinfo=UTC)


@pytest.mark.parametrize("written", ["soon", "176361120", 7, 1.5, [], "1763611200x", "9" * 40])
def test_what_is_no_time_is_shown_to_a_person(shop: Shop, written: Any) -> None:
    answers(shop, an_order(status=901, updated_at=written))
    assert problems(read(shop, Kind.DISPATCHED, "7")) == ['"updated_at" of an item is no time']
    answers(shop, [{**an_order()[0], "created_at": written}])
    assert problems(read(shop, Kind.ORDERS, "7")) == ['"created_at" of the order is no time']


@pytest.mark.parametrize("nothing", ["", "null", "NA", None])
def test_no_time_is_the_time_of_the_reading(shop: Shop, nothing: Any) -> None:
    answers(shop, an_order(status=901, updated_at=nothing))
    (row,) = read(shop, Kind.DISPATCHED, "7")
    assert (row.status, row.problem) == (Status.DISPATCHED, "")


def test_a_zone_must_be_one() -> None:
    with pytest.raises(ValidationError, match="is no time zone"):
        PaytmSettings.model_validate({"time_zone": "India"})


@pytest.mark.parametrize(("ships", "answer"), [("channel", True), ("seller", False)])
def test_who_ships_is_said_by_the_account(shop: Shop, ships: str, answer: bool) -> None:
    order = shop.world.place_order([("KURTA", 1)]).order_id
    shop.world.pick_up(order)
    shop.settle()
    reader = shop.reader(ships=ships)
    (row,) = reader.read(Kind.DISPATCHED, reader.refs([order]))
    assert reader.ships(row) is answer


def test_a_courier_that_delivers_after_all_withdraws_its_return(shop: Shop) -> None:
    order = shop.world.place_order([("KURTA", 1)]).order_id
    shop.world.pick_up(order)
    (back,) = shop.world.courier_return(order)
    shop.settle()
    reader = shop.reader()
    assert [r.status for r in reader.read(Kind.RETURNS, reader.refs([order]))] == [
        Status.RETURN_NOTICED
    ]
    shop.world.return_event(back.return_id, ReturnState.CANCELLED)
    shop.settle()
    assert [r.status for r in reader.read(Kind.RETURNS, reader.refs([order]))] == [
        Status.RETURN_WITHDRAWN
    ]
