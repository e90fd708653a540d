"""The plugin through the wire: paging, tokens, words, bad rows, windows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

import syncd_contract as plugin
from syncd import OrderRef, ReturnType, Status
from syncd.errors import PanelAnswer, PanelRefused
from syncd.testing import Fault, LineSpec
from syncd_contract.simulator import PASSWORD

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
KINDS = ("dispatched", "delivered", "cancelled", "returns")


def order(**more: Any) -> dict[str, Any]:
    """An order as a marketplace may write it."""
    return {
        "id": "G1", "orderDate": "2026-11-20T10:00:00+05:30", "orderStatus": "COMPLETE",
        "orderItems": [item()], **more,
    }  # fmt: skip


def item(**more: Any) -> dict[str, Any]:
    return {"orderItemId": "G1-1", "sku": "MUG", "quantity": 1, "status": "DISPATCHED", **more}


def says(market: Any, *orders: Any) -> None:
    """Let the marketplace answer so, once for each hook."""
    body = json.dumps({"orders": list(orders)})
    market.simulator.faults.add(
        Fault(do="body", path="/orders*pageNumber=1&*", body=body, times=-1)
    )


def all_of(market: Any, *order_ids: str) -> list[Any]:
    return [row for kind in KINDS for row in market.read(kind, *order_ids)]


# Orders ---------------------------------------------------------------------------------------


def test_new_orders_come_by_window_with_lines_place_and_who_ships(market: Any) -> None:
    order_id = market.order(("MUG", 2), ("CAP", 1), ships_by="seller")
    (found,) = market.read("orders")

    assert found.order_id == order_id
    assert found.placed_at == START
    assert [(line.sku, line.quantity) for line in found.lines] == [("MUG", 2), ("CAP", 1)]
    assert found.location_id == "location-1"
    assert found.facts == {"thirdPartyShipping": "false"}


def test_the_window_is_sent_with_its_offset_and_a_second_wider(market: Any) -> None:
    market.read("orders", days=1)
    (call,) = market.asked()
    query = {name: values[0] for name, values in parse_qs(urlsplit(call.target).query).items()}

    assert query == {
        "orderDateFrom": "2026-11-19T06:00:00+00:00", "orderDateTo": "2026-11-20T06:00:02+00:00",
        "orderStatus": "CREATED", "pageNumber": "1", "pageSize": "50",
    }  # fmt: skip


def test_orders_at_both_edges_of_a_window_come(market: Any) -> None:
    now = market.clock.now()
    first = market.order(at=now - timedelta(days=2))
    last = market.order(at=now - timedelta(microseconds=1))

    assert [row.order_id for row in market.read("orders", until=now)] == [first, last]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101])
def test_pages_by_window_end_with_a_short_one(market: Any, count: int) -> None:
    for _ in range(count):
        market.order()

    assert len(market.read("orders")) == count
    assert len(market.asked()) == count // 50 + 1


@pytest.mark.parametrize("max_page", [5, 7, 50])
def test_named_orders_all_come_whatever_a_page_may_hold(
    open_market: Callable[..., Any], max_page: int
) -> None:
    market = open_market(max_page=max_page)
    ids = [market.order() for _ in range(50)]
    for one in ids:
        market.world.pick_up(one)

    assert {row.order_id for row in market.read("dispatched", *ids)} == set(ids)


def test_orders_that_the_marketplace_does_not_know_end_the_asking(market: Any) -> None:
    known = market.order()
    market.world.pick_up(known)

    assert len(market.read("dispatched", known, "NOBODYS")) == 1
    assert len(market.asked()) == 2


def test_a_marketplace_without_pages_for_named_orders_is_not_asked_for_ever(market: Any) -> None:
    body = json.dumps({"orders": [order()]})
    market.simulator.faults.add(Fault(do="body", path="/orders*", body=body, times=-1))

    assert len(market.read("dispatched", "G1", "G2")) == 1
    assert len(market.asked()) == 2


def test_pages_that_run_in_a_ring_are_an_error(open_market: Callable[..., Any]) -> None:
    market = open_market({"page_size": 1})
    body = json.dumps({"orders": [order()]})
    market.simulator.faults.add(Fault(do="body", path="/orders*", body=body, times=-1))

    with pytest.raises(PanelAnswer, match="is pageNumber heeded"):
        market.read("orders")


def test_what_the_seller_has_not_accepted_is_no_order_yet(market: Any) -> None:
    says(market, order(orderStatus="PENDING_VERIFICATION"))

    assert market.read("orders", "G1") == []


def test_an_order_of_two_places_comes_as_one_for_each(market: Any) -> None:
    says(market, order(orderItems=[
        item(facilityCode="A"), item(orderItemId="G1-2", facilityCode="B"),
        item(orderItemId=3, facilityCode="A"),
    ]))  # fmt: skip
    rows = market.read("orders", "G1")

    assert [(row.location_id, [line.line_id for line in row.lines]) for row in rows] == [
        ("A", ["G1-1", "3"]), ("B", ["G1-2"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (order(orderDate="yesterday"), "orderDate"),
        (order(orderItems=[item(sku=None)]), "no sku"),
        (order(orderItems=[item(quantity=1.5)]), "multiple"),
        (order(orderItems=[]), "no items"),
        (order(orderItems="none"), "list of rows"),
        (order(orderStatus=5), "orderStatus"),
    ],
)
def test_a_bad_order_costs_itself_alone(market: Any, bad: Any, said: str) -> None:
    says(market, bad, order(id="G2"))
    first, second = market.read("orders", "G1", "G2")

    assert (first.order_id, first.lines) == ("G1", ())
    assert said in first.problem
    assert first.raw
    assert (second.order_id, second.problem) == ("G2", "")


# Words ----------------------------------------------------------------------------------------


def test_every_word_of_an_item(market: Any) -> None:
    words = (
        "CREATED",
        "CANCELLED",
        "DISPATCHED",
        "DELIVERED",
        "RETURN_REQUESTED",
        "COURIER_RETURN",
    )
    says(market, *(
        order(id=word, orderItems=[item(
            status=word, dispatchDate="2026-11-20T01:00:00", returnDate="2026-11-20 02:00:00",
            returnAWB="BACK1", trackingId="AWB1",
        )]) for word in words
    ))  # fmt: skip
    told = {
        (row.order_id, row.status, row.return_type): row.occurred_at
        for row in all_of(market, *words)
    }
    left, back = datetime(2026, 11, 20, 1, tzinfo=UTC), datetime(2026, 11, 20, 2, tzinfo=UTC)
    seen = market.clock.now() + timedelta(seconds=1)

    assert told == {
        ("CANCELLED", Status.CANCELLED, None): seen,
        ("DISPATCHED", Status.DISPATCHED, None): left,
        ("DELIVERED", Status.DISPATCHED, None): left,
        ("DELIVERED", Status.DELIVERED, None): seen,
        ("RETURN_REQUESTED", Status.DISPATCHED, None): left,
        ("RETURN_REQUESTED", Status.RETURN_NOTICED, ReturnType.CIR): back,
        ("COURIER_RETURN", Status.DISPATCHED, None): left,
        ("COURIER_RETURN", Status.RETURN_NOTICED, ReturnType.RTO): back,
    }


@pytest.mark.parametrize(
    ("word", "back", "at"),
    [
        ("DELIVERED", None, None),
        ("RETURN_REQUESTED", "2026-11-20 02:00:00", datetime(2026, 11, 20, 2, tzinfo=UTC)),
        ("COURIER_RETURN", "2026-11-20T02:00:00Z", datetime(2026, 11, 20, 2, tzinfo=UTC)),
        ("COURIER_RETURN", None, None),
    ],
)
def test_what_went_further_has_left_though_no_date_says_when(
    market: Any, word: str, back: str | None, at: datetime | None
) -> None:
    says(market, order(orderItems=[item(status=word, returnDate=back, quantity=3,
                                        cancelledQuantity=1)]))  # fmt: skip
    (gone,) = market.read("dispatched", "G1")
    (further,) = [row for kind in ("delivered", "returns") for row in market.read(kind, "G1")]

    assert (gone.status, gone.quantity, gone.cumulative) == (Status.DISPATCHED, 2, True)
    assert gone.occurred_at == (at or market.clock.now() + timedelta(seconds=1))
    assert gone.occurred_at <= further.occurred_at
    assert gone.left_seller
    assert further.left_seller


def test_a_dispatch_without_a_date_is_one_fact_whatever_comes_of_it(market: Any) -> None:
    names = set()
    for word, back in (
        ("DISPATCHED", None),
        ("DELIVERED", None),
        ("RETURN_REQUESTED", "2026-11-20T02:00:00"),
    ):
        says(market, order(orderItems=[item(status=word, returnDate=back)]))
        names |= {row.evidence_id for row in market.read("dispatched", "G1")}
        market.simulator.faults.clear()

    assert len(names) == 1


@pytest.mark.parametrize("word", ["CREATED", "CANCELLED"])
def test_what_did_not_go_on_has_not_left(market: Any, word: str) -> None:
    says(market, order(orderItems=[item(status=word)]))

    assert market.read("dispatched", "G1") == []


def test_a_return_keeps_its_own_parcel_apart(market: Any) -> None:
    says(market, order(orderItems=[item(
        status="COURIER_RETURN", trackingId="AWB1", dispatchDate="2026-11-20T01:00:00",
        returnAWB="BACK1", returnShippingProvider="Slow", returnReason="Refused",
    )]))  # fmt: skip
    (row,) = market.read("returns", "G1")

    assert (row.tracking_number, row.left_seller, row.reason) == ("AWB1", True, "Refused")
    assert row.facts == {"returnTracking": "BACK1", "returnCourier": "Slow"}


def test_an_unknown_word_is_told_by_each_hook_as_one_fact(market: Any) -> None:
    says(market, order(orderItems=[item(status="Delivered")]))
    rows = all_of(market, "G1")

    assert {row.status for row in rows} == {Status.UNKNOWN}
    assert len({row.evidence_id for row in rows}) == 1
    assert "'Delivered' is no item status" in rows[0].problem
    assert rows[0].raw


def test_a_word_of_the_configuration_is_known(open_market: Callable[..., Any]) -> None:
    market = open_market({"status_map": {"RECEIVED_BACK": "RETURNED CIR"}})
    says(market, order(orderItems=[item(status="RECEIVED_BACK")]))

    assert [(row.status, row.return_type) for row in all_of(market, "G1")] == [
        (Status.DISPATCHED, None),
        (Status.RETURNED, ReturnType.CIR),
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "CANCELLED", "quantity": 3, "cancelledQuantity": 3}, {"CANCELLED": None}),
        ({"status": "CREATED", "quantity": 3, "cancelledQuantity": 1}, {"CANCELLED": 1}),
        ({"status": "CREATED", "quantity": 3, "cancelledQuantity": 3}, {"CANCELLED": None}),
        (
            {"status": "DISPATCHED", "quantity": 3, "cancelledQuantity": 1},
            {"CANCELLED": 1, "DISPATCHED": 2},
        ),
        ({"status": "DISPATCHED", "quantity": 3}, {"DISPATCHED": None}),
        ({"status": None}, {"UNKNOWN": None}),
    ],
)
def test_pieces_are_counted_as_totals(market: Any, fields: Any, told: Any) -> None:
    says(market, order(orderItems=[item(**fields)]))
    rows = all_of(market, "G1")

    assert {row.status.value: row.quantity for row in rows} == told
    assert all(row.cumulative == (row.quantity is not None) for row in rows)


def test_items_of_a_cancelled_order_without_a_word_are_cancelled(market: Any) -> None:
    says(market, order(orderStatus="CANCELLED", orderItems=[item(status=None)]))

    assert [row.status for row in all_of(market, "G1")] == [Status.CANCELLED]


def test_bad_rows_and_bad_items_cost_themselves_alone(market: Any) -> None:
    says(
        market,
        order(orderItems=[item(quantity=0), item(orderItemId="G1-2")]),
        order(id="G2", orderStatus=7),
    )
    rows = market.read("dispatched", "G1", "G2")

    assert [(row.order_id, row.status) for row in rows] == [
        ("G1", Status.UNKNOWN), ("G1", Status.DISPATCHED), ("G2", Status.UNKNOWN),
    ]  # fmt: skip


def test_times_without_an_offset_are_in_the_zone_of_the_account(
    open_market: Callable[..., Any],
) -> None:
    market = open_market({"time_zone": "Asia/Kolkata"})
    says(market, order(orderItems=[item(dispatchDate="2026-11-20 06:30:00")]))

    assert market.read("dispatched", "G1")[0].occurred_at == datetime(2026, 11, 20, 1, tzinfo=UTC)


def test_two_readings_name_their_facts_alike_whenever_they_are_made(market: Any) -> None:
    (one, two, three) = (market.order(("MUG", 2)) for _ in range(3))
    market.world.cancel(one, quantity=1)
    market.world.pick_up(two)
    market.world.deliver(two)
    market.world.pick_up(three)
    market.world.courier_return(three)
    first = all_of(market, one, two, three)
    market.pass_time(50)
    second = all_of(market, one, two, three)

    assert [row.evidence_id for row in first] == [row.evidence_id for row in second]
    assert len({row.evidence_id for row in first}) == len(first) == 5


def test_without_named_orders_the_contract_cannot_be_asked_what_changed(market: Any) -> None:
    assert [market.read(kind) for kind in KINDS] == [[], [], [], []]
    assert market.asked() == []


# Tokens ---------------------------------------------------------------------------------------


def test_one_token_serves_all_calls_and_a_restart(market: Any) -> None:
    for kind in KINDS:
        market.read(kind, "NOBODYS")
    market.panel.close()
    market.panel = market.new_panel()
    market.read("orders")

    assert [call.method for call in market.asked("/authToken")] == ["POST"]


def test_a_token_that_died_is_renewed_once_with_a_401(market: Any) -> None:
    market.order()
    market.read("orders")
    market.simulator.expire_tokens()

    assert len(market.read("orders")) == 1
    assert len(market.asked("/authToken")) == 2


def test_a_refusal_inside_a_good_answer_is_a_dead_token_too(
    open_market: Callable[..., Any],
) -> None:
    market = open_market({"page_size": 2}, refuses_with_200=True, max_page=2)
    for _ in range(5):
        market.order()
    market.read("orders")
    market.simulator.expire_tokens()

    assert len(market.read("orders")) == 5
    assert len(market.asked("/authToken")) == 2


def test_a_message_that_stays_is_an_error_with_its_words(market: Any) -> None:
    body = '{"message": "Closed for stocktaking"}'
    market.simulator.faults.add(Fault(do="body", path="/orders*", body=body, times=-1))

    with pytest.raises(PanelAnswer, match="Closed for stocktaking"):
        market.read("orders")


def test_an_answer_of_nothing_is_an_error(market: Any) -> None:
    market.simulator.faults.add(Fault(do="body", path="/orders*", body="{}", times=-1))

    with pytest.raises(PanelAnswer, match="without orders"):
        market.read("orders")


@pytest.mark.parametrize("auth", ["get", "post"])
def test_wrong_credentials_are_told_without_them(
    open_market: Callable[..., Any], auth: str
) -> None:
    market = open_market({"auth": auth, "password": "canary-secret"})

    with pytest.raises(PanelRefused) as refused:
        market.read("orders")
    assert "Check username and password" in str(refused.value)
    assert "canary" not in repr(refused.value) + str(market.asked("/authToken"))
    assert "canary" not in repr(market.settings) + repr(market.panel)


def test_the_form_with_the_password_in_the_query_is_only_used_when_asked_for(
    open_market: Callable[..., Any],
) -> None:
    market = open_market({"auth": "get"})
    market.read("orders")
    (call,) = market.asked("/authToken")

    assert call.method == "GET"
    assert PASSWORD not in call.target


def test_a_busy_marketplace_is_asked_again(market: Any) -> None:
    market.order()
    market.simulator.faults.add(Fault(do="status", status=503, path="/orders*", times=2))

    assert len(market.read("orders")) == 1


# Who ships, what it is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ships", "fact", "answer"),
    [
        ("order", "true", True), ("order", "false", False), ("order", None, True),
        ("channel", "false", True), ("seller", "true", False),
    ],
)  # fmt: skip
def test_who_ships(market: Any, ships: str, fact: str | None, answer: bool) -> None:
    settings = market.settings.model_copy(update={"ships": ships})
    account = type(market.account)(name="shop", channel="contract", settings=settings)
    facts = {} if fact is None else {"thirdPartyShipping": fact}

    assert plugin.provides_shipping(account, OrderRef(order_id="G1", facts=facts)) is answer


def test_it_says_what_it_cannot_tell() -> None:
    channel = plugin.describe_channel()

    assert Status.RETURNED not in channel.statuses
    assert channel.unverified
    assert channel.ships


@pytest.mark.parametrize(
    "wrong", [{"username": ""}, {"time_zone": "Mars"}, {"order_statuses": ()}, {"base_url": ""}]
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    good = {"base_url": "https://m.example", "username": "u", "password": "p"}
    plugin.ContractSettings(**good)
    with pytest.raises(ValidationError):
        plugin.ContractSettings(**{**good, **wrong})


def test_the_simulator_serves_each_seller_only_its_own(market: Any) -> None:
    market.world.add_seller("other", ["elsewhere"])
    market.order(seller_id="other")
    mine = market.world.place_order([LineSpec(sku="MUG")]).order_id

    assert [row.order_id for row in market.read("orders")] == [mine]
    assert market.panel.get(
        "/productsCount", shape=dict, authorise=lambda panel, old: market.tokens.load("shop")
    ) == {"count": 20}
