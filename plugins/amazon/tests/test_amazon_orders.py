"""Orders of both versions: dispatched, delivered, cancelled, by window and by id."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from syncd import OrderRef, Status
from syncd.errors import PanelAnswer, PanelBusy, PanelRefused
from syncd.statuses import Kind
from syncd.testing import Fault, populate
from syncd_amazon import statuses

SEARCH = "/orders/2026-01-01/orders"
VERSIONS = pytest.mark.parametrize("version", ["2026-01-01", "v0"])
KINDS = ("orders", "dispatched", "delivered", "cancelled", "returns")


def _name(row: Any) -> str:
    return str(row.evidence_id)


def _named(rows: list[Any]) -> list[tuple[str, str, int | None]]:
    return [(row.status.value, row.line_id, row.quantity) for row in rows]


@VERSIONS
def test_an_open_order_comes_with_its_lines(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    order = shop.world.place_order([("KURTA-M", 2), ("0.5kg cs 1", 1)])
    later()

    (new,) = kit.reader(shop, orders_api=version).read("orders")

    assert new.order_id == order.order_id
    assert new.placed_at == order.placed_at
    assert [(one.line_id, one.sku, one.quantity) for one in new.lines] == [
        (line.line_id, line.sku, len(line.pieces)) for line in order.lines
    ]
    assert new.facts["fulfilledBy"] == "MFN"
    assert not new.problem


@VERSIONS
def test_the_way_of_an_order(
    kit: Any, shop: Any, clock: Any, later: Callable[[], None], version: str
) -> None:
    seller = kit.reader(shop, orders_api=version)
    order = shop.world.place_order([("KURTA-M", 2)])
    line = order.lines[0].line_id
    later()
    assert seller.read("dispatched") == []
    left = clock.now()
    shop.world.pick_up(order.order_id)
    later()
    (gone,) = seller.read("dispatched")
    assert _named([gone]) == [("DISPATCHED", line, 2)]
    assert gone.cumulative
    assert gone.left_seller
    assert gone.occurred_at == left
    assert seller.read("delivered") == []
    shop.world.deliver(order.order_id)
    later()
    assert _named(seller.read("delivered")) == [("DELIVERED", line, 2)]
    assert [one.evidence_id for one in seller.read("dispatched")] == [gone.evidence_id]


@VERSIONS
def test_a_partial_shipment_counts_by_item(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    order = shop.world.place_order([("RED", 3), ("BLUE", 1)])
    shop.world.pick_up(order.order_id, order.lines[0].line_id, quantity=2)
    later()

    rows = kit.reader(shop, orders_api=version).read("dispatched")

    assert _named(rows) == [("DISPATCHED", order.lines[0].line_id, 2)]


def test_parcels_are_told_apart(shop: Any, seller: Any, later: Callable[[], None]) -> None:
    order = shop.world.place_order([("RED", 2)], split=[[(0, 1)], [(0, 1)]])
    shop.world.pick_up(order.order_id, shipment_id=order.shipment_ids[1])
    later()

    (change,) = seller.read("dispatched")

    assert change.shipment_id == f"{order.order_id}/2"
    assert change.tracking_number == shop.world.parcels[order.shipment_ids[1]].tracking_number
    assert change.courier == "ATS"


@VERSIONS
def test_an_order_is_cancelled_whole(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    order = shop.world.place_order([("RED", 2)])
    shop.world.cancel(order.order_id, by="buyer")
    later()

    (change,) = kit.reader(shop, orders_api=version).read("cancelled")

    assert _named([change]) == [("CANCELLED", order.lines[0].line_id, None)]
    assert version == "v0" or change.reason == "order_cancelled"


@VERSIONS
@pytest.mark.parametrize("then", ["waits", "leaves"])
def test_pieces_of_a_line_are_cancelled(
    kit: Any, shop: Any, later: Callable[[], None], version: str, then: str
) -> None:
    order = shop.world.place_order([("RED", 3)])
    shop.world.cancel(order.order_id, quantity=1)
    if then == "leaves":
        shop.world.pick_up(order.order_id)
    later()

    (change,) = kit.reader(shop, orders_api=version).read("cancelled")

    assert _named([change]) == [("CANCELLED", order.lines[0].line_id, 1)]
    assert change.cumulative


def test_v0_does_not_guess_which_line_lost_a_piece(
    kit: Any, shop: Any, later: Callable[[], None]
) -> None:
    order = shop.world.place_order([("RED", 2), ("BLUE", 2)])
    shop.world.cancel(order.order_id, order.lines[0].line_id, quantity=1)
    later()

    rows = kit.reader(shop, orders_api="v0").read("cancelled")

    assert {row.status for row in rows} == {Status.UNKNOWN}
    assert all("does not say how many" in row.problem for row in rows)


@VERSIONS
def test_a_wish_to_cancel_is_no_cancellation(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    shop.world.place_order([("RED", 1)], traits={"wish": "ordered twice"})
    shop.world.place_order([("RED", 1)])
    later()

    (change,) = kit.reader(shop, orders_api=version).read("cancelled")

    assert change.status is Status.CANCEL_REQUESTED
    assert change.reason == "ordered twice"


@VERSIONS
def test_a_replacement_names_its_order(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    shop.world.place_order([("RED", 1)], traits={"replaces": "403-0000000-0000001"})
    later()

    (new,) = kit.reader(shop, orders_api=version).read("orders")

    assert new.replaces == "403-0000000-0000001"


@VERSIONS
def test_by_ids_and_by_window_agree(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    world, seller = shop.world, kit.reader(shop, orders_api=version)
    for verbs in (["pick_up"], ["pick_up", "deliver"], ["cancel"], ["pick_up", "courier_return"],
                  ["pick_up", "lost"]):  # fmt: skip
        order = world.place_order([("RED", 2)], split=[[(0, 2)]])
        for verb in verbs:
            getattr(world, verb)(order.order_id)
    later()
    refs = [OrderRef(order_id=one) for one in world.orders]

    for kind in KINDS[1:]:
        by_window, by_id = seller.read(kind), seller.read(kind, refs)
        assert by_window == seller.read(kind)
        assert sorted(by_window, key=_name) == sorted(by_id, key=_name)
        assert by_window
    assert {row.order_id for row in seller.read("orders", refs)} == set(world.orders)


def test_v0_reads_fifty_orders_a_call(kit: Any, shop: Any, later: Callable[[], None]) -> None:
    orders = populate(shop.world, 60, dispatched=True)
    later()
    seller = kit.reader(shop, orders_api="v0")

    rows = seller.read("dispatched", [OrderRef(order_id=one.order_id) for one in orders])

    assert len({row.order_id for row in rows}) == 60
    assert len(shop.requests("/orders/v0/orders?")) == 2


def test_an_order_that_the_panel_does_not_have_gives_nothing(seller: Any) -> None:
    assert seller.read("dispatched", [OrderRef(order_id="403-0000000-0000009")]) == []


@VERSIONS
@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_paging(kit: Any, shop: Any, later: Callable[[], None], version: str, count: int) -> None:
    orders = populate(shop.world, count, dispatched=True)
    later()

    pages = kit.reader(shop, orders_api=version, page_size=3).pages("dispatched")

    assert [row.order_id for page in pages for row in page.rows] == [one.order_id for one in orders]
    assert all(len(page.rows) <= 3 for page in pages)


def test_an_empty_page_in_the_middle_does_not_end_it(
    kit: Any, shop: Any, later: Callable[[], None]
) -> None:
    populate(shop.world, 7, dispatched=True)
    later()
    shop.faults.add(Fault(do="empty", path=f"{SEARCH}*", skip=1))

    assert len(kit.reader(shop, page_size=3).read("dispatched")) == 4


@VERSIONS
def test_a_ring_of_pages_is_an_error(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    populate(shop.world, 7, dispatched=True)
    later()
    shop.faults.add(Fault(do="ring", path="/orders/*orders?*", times=-1))

    with pytest.raises(PanelAnswer) as caught:
        kit.reader(shop, orders_api=version, page_size=3).read("dispatched")

    assert caught.value.code == "paging_loop"


@VERSIONS
@pytest.mark.parametrize("kind", ["orders", "dispatched"])
def test_a_bad_row_costs_one_row(
    kit: Any, shop: Any, later: Callable[[], None], version: str, kind: str
) -> None:
    populate(shop.world, 3, dispatched=kind == "dispatched")
    later()
    bad = '{"orderId": "403-1", "AmazonOrderId": "403-1", "buyer": {"buyerEmail": "x@y.example"}}'
    shop.faults.add(Fault(do="garble", path="/orders/*orders?*", body=bad, times=-1))
    seller = kit.reader(shop, orders_api=version)

    first, second = seller.read(kind), seller.read(kind)

    assert first == second
    (broken,) = [row for row in first if row.problem]
    assert len(first) == 3
    assert broken.order_id == "403-1"
    assert "cannot be read" in broken.problem
    assert "x@y.example" not in broken.raw


@pytest.mark.parametrize("kind", KINDS[1:4])
def test_an_unknown_order_word_is_for_a_person(
    shop: Any, seller: Any, later: Callable[[], None], kind: str
) -> None:
    order = shop.world.place_order([("RED", 1)], traits={"status": "TELEPORTED"})
    later()

    (change,) = seller.read(kind, [OrderRef(order_id=order.order_id)])

    assert change.status is Status.UNKNOWN
    assert "'TELEPORTED' is not known" in change.problem
    assert order.order_id in change.raw


@pytest.mark.parametrize("word", statuses.EASY_SHIP_WORDS, ids=lambda word: word.native)
@VERSIONS
def test_every_easy_ship_word(
    kit: Any, shop: Any, later: Callable[[], None], version: str, word: Any
) -> None:
    """The word itself, and in capitals as 2026-01-01 spells it, told by all three kinds."""
    native = word.native if version == "v0" else _upper(word.native)
    order = shop.world.place_order([("RED", 1)], traits={"easy_ship": native})
    shop.world.pick_up(order.order_id)
    later()
    seller = kit.reader(shop, orders_api=version)

    found = [row.status.value for kind in ("dispatched", "delivered", "returns")
             for row in seller.read(kind)]  # fmt: skip

    stage = statuses.Stage
    after = {
        stage.OPEN: [],
        stage.LEFT: ["DISPATCHED"],
        stage.DELIVERED: ["DISPATCHED", "DELIVERED"],
        stage.COMING_BACK: ["DISPATCHED", "RETURN_NOTICED"],
        stage.BACK: ["DISPATCHED", "RETURNED"],
        stage.LOST: ["DISPATCHED", "LOST"],
        stage.DAMAGED: ["DISPATCHED", "UNKNOWN"],
    }
    assert found == after[word.stage]


def _upper(native: str) -> str:
    spaced = "".join(f"_{one}" if one.isupper() else one for one in native).lstrip("_").upper()
    return spaced.replace("F_C", "FC").replace("CANCELED", "CANCELLED")


@pytest.mark.parametrize("word", statuses.PACKAGE_WORDS, ids=lambda word: word.native)
def test_every_coarse_word(kit: Any, later: Callable[[], None], word: Any) -> None:
    shop = kit.shop(detailed=False, with_v0=False, with_easy_ship=False)
    order = shop.world.place_order([("RED", 1)], traits={"package_status": word.native})
    shop.world.pick_up(order.order_id)
    later()
    seller = kit.reader(shop)

    found = [row.status.value for kind in ("dispatched", "delivered", "returns")
             for row in seller.read(kind)]  # fmt: skip

    stage = statuses.Stage
    assert (
        found
        == {
            stage.OPEN: [],
            stage.LEFT: ["DISPATCHED"],
            stage.DELIVERED: ["DISPATCHED", "DELIVERED"],
            stage.UNDELIVERABLE: ["DISPATCHED", "UNKNOWN"],
        }[word.stage]
    )


@pytest.mark.parametrize(("v0", "easy_ship"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(
    ("done", "status"), [(True, Status.RETURNED), (False, Status.RETURN_NOTICED)]
)
def test_a_missing_detail_is_asked_for_elsewhere(
    kit: Any, later: Callable[[], None], v0: bool, easy_ship: bool, done: bool, status: Status
) -> None:
    """OrderStatus stays Shipped after an RTO; only the parcel's state tells."""
    shop = kit.shop(detailed=False, with_v0=v0, with_easy_ship=easy_ship)
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)
    (back,) = shop.world.courier_return(order.order_id)
    if done:
        shop.world.return_event(back.return_id, "completed")
    later()

    (change,) = kit.reader(shop).read("returns")

    assert change.status is status
    assert change.return_type == "RTO"
    assert (
        len(shop.requests("/orders/v0/orders?AmazonOrderIds"))
        + len(shop.requests("/orders/v0/orders?"))
        > 0
    )


def test_other_sources_can_be_switched_off(kit: Any, later: Callable[[], None]) -> None:
    shop = kit.shop(detailed=False)
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)
    shop.world.courier_return(order.order_id)
    later()

    (change,) = kit.reader(shop, v0_states=False, easy_ship=False).read("returns")

    assert change.status is Status.UNKNOWN
    assert "no other source" in change.problem
    assert not shop.requests("/orders/v0") + shop.requests("/easyShip")


def test_kinds_do_not_read_each_others_pages(
    shop: Any, seller: Any, later: Callable[[], None]
) -> None:
    populate(shop.world, 2)
    populate(shop.world, 2, dispatched=True)
    later()

    assert len(seller.read("orders")) == 2
    assert len(seller.read("dispatched")) == 2
    assert (
        "fulfilledBy=MERCHANT"
        in [line.target for _ in [seller.read("delivered")] for line in shop.requests(SEARCH)][-1]
    )


def test_a_window_ends_two_minutes_before_the_panels_now(
    shop: Any, seller: Any, clock: Any
) -> None:
    order = shop.world.place_order([("RED", 1)])
    clock.advance(timedelta(minutes=3))

    assert [row.order_id for row in seller.read("orders")] == [order.order_id]
    assert seller.read("orders", hours=1 / 60) == []  # all of it too young: nothing is asked


def test_a_dead_token_is_renewed_though_the_panel_says_403(
    shop: Any, seller: Any, later: Callable[[], None]
) -> None:
    populate(shop.world, 1)
    later()
    seller.read("orders")
    shop.faults.add(Fault(do="expire", path=f"{SEARCH}*"))

    assert len(seller.read("orders")) == 1
    assert len(shop.requests("/auth/o2/token")) == 2


def test_a_token_is_renewed_before_its_end(shop: Any, seller: Any, clock: Any) -> None:
    seller.read("orders")
    clock.advance(timedelta(minutes=30))
    seller.read("orders")
    assert len(shop.requests("/auth/o2/token")) == 1
    clock.advance(timedelta(minutes=31))
    seller.read("orders")
    assert len(shop.requests("/auth/o2/token")) == 2


@pytest.mark.parametrize("name", ["client_secret", "refresh_token"])
def test_wrong_credentials_are_told_with_advice_and_no_secret(
    kit: Any, shop: Any, later: Callable[[], None], name: str
) -> None:
    seller = kit.reader(shop, **{name: "canary-wrong"})

    with pytest.raises(PanelRefused) as caught:
        seller.read("orders")

    assert "Seller Central" in str(caught.value)
    told = str(caught.value) + str(seller.logged) + repr(seller.account)
    assert "canary" not in told
    assert "simulated-secret" not in told


def test_a_missing_role_is_told_and_no_token_is_fetched_for_it(
    shop: Any, seller: Any, later: Callable[[], None]
) -> None:
    shop.faults.add(Fault(do="status", status=403, path=f"{SEARCH}*"))

    with pytest.raises(PanelRefused) as caught:
        seller.read("orders")

    assert caught.value.code == "call_forbidden"
    assert len(shop.requests("/auth/o2/token")) == 1


def test_beyond_the_quota_the_call_is_repeated_and_the_header_obeyed(
    kit: Any, later: Callable[[], None], clock: Any
) -> None:
    shop = kit.shop(limits=True)
    populate(shop.world, 2, dispatched=True)
    later()
    seller = kit.reader(shop, page_size=1, pace="documented")
    shop.faults.add(Fault(do="status", status=429, path=f"{SEARCH}*"))

    assert len(seller.read("dispatched")) == 2
    assert seller.panel.retries == 1


def test_a_busy_panel_is_busy(shop: Any, seller: Any) -> None:
    shop.faults.add(Fault(do="html", status=503, path=f"{SEARCH}*", times=-1))

    with pytest.raises(PanelBusy):
        seller.read("orders")


def test_thirty_days_are_planned_against_the_rate(kit: Any, shop: Any) -> None:
    """20 pages at once, then one in three minutes; a header of the panel corrects it."""
    seller = kit.reader(shop, pace="documented")
    seller.read("orders")

    assert seller.panel.pace_seconds("searchOrders", 18) == 0.0
    assert seller.panel.pace_seconds("searchOrders", 29) == pytest.approx(10 / 0.0056, rel=0.01)


def _served(shop: Any, order: Any, **more: Any) -> None:
    """Let the panel show the order with these fields changed; None takes a field away."""
    row = shop.rows.new(order, ["FULFILLMENT", "PACKAGES", "CANCELLATION", "FULFILLMENT_ORDERS"])
    row = {name: value for name, value in {**row, **more}.items() if value is not None}
    shop.faults.add(Fault(do="garble", path=f"{SEARCH}*", body=json.dumps(row), times=-1))


def test_a_parcel_without_items_holds_what_was_fulfilled(
    shop: Any, seller: Any, later: Callable[[], None]
) -> None:
    order = shop.world.place_order([("RED", 2)])
    shop.world.pick_up(order.order_id)
    later()
    status = {"status": "SHIPPED", "detailedStatus": "PICKED_UP"}
    _served(shop, order, packages=[{"packageReferenceId": "1", "packageStatus": status}])

    (change,) = seller.read("dispatched")

    assert _named([change]) == [("DISPATCHED", order.lines[0].line_id, 2)]
    assert change.shipment_id == f"{order.order_id}/1"


@pytest.mark.parametrize(
    ("word", "dispatched", "cancelled"),
    [("SHIPPED", 1, 0), ("CANCELLED", 0, 1), ("UNSHIPPED", 0, 0)],
)
def test_lines_without_counts_go_by_the_order(
    shop: Any, seller: Any, later: Callable[[], None], word: str, dispatched: int, cancelled: int
) -> None:
    order = shop.world.place_order([("RED", 2)])
    later()
    items = [{"orderItemId": "1", "quantityOrdered": 2, "product": {"sellerSku": "RED"}}]
    standing = {"fulfillmentStatus": word, "fulfilledBy": "AMAZON"}
    shop.rows.trait = lambda order, name: word if name == "status" else ""
    _served(shop, order, orderItems=items, fulfillment=standing, packages=None)

    assert len(seller.read("dispatched")) == dispatched
    assert len(seller.read("cancelled")) == cancelled


def test_an_order_that_is_cancelled_in_part_and_says_no_count_is_for_a_person(
    shop: Any, seller: Any, later: Callable[[], None]
) -> None:
    order = shop.world.place_order([("RED", 2)])
    later()
    gone = {"cancellationExecution": {"cancelledBy": "AMAZON"}}
    item = {"orderItemId": "1", "quantityOrdered": 2, "product": {}, "cancellation": gone}
    _served(shop, order, orderItems=[item])

    (change,) = seller.read("cancelled")

    assert change.status is Status.UNKNOWN


def test_an_order_without_a_sku_or_a_line_is_for_a_person(
    shop: Any, seller: Any, later: Callable[[], None]
) -> None:
    order = shop.world.place_order([("RED", 2)])
    later()
    _served(shop, order, orderItems=[{"orderItemId": "1", "quantityOrdered": 2, "product": {}}])
    (blank,) = seller.read("orders")
    shop.faults.clear()
    _served(shop, order, orderItems=[])
    (empty,) = seller.read("orders")

    assert "has no seller SKU" in blank.problem
    assert "without a line" in empty.problem


def test_a_line_of_v0_that_reads_none_ordered_is_cancelled(
    kit: Any, shop: Any, later: Callable[[], None]
) -> None:
    order = shop.world.place_order([("RED", 1), ("BLUE", 1)])
    later()
    rows = shop.orders.old_rows.items(order)
    rows[0]["QuantityOrdered"] = 0
    body = json.dumps({"payload": {"AmazonOrderId": order.order_id, "OrderItems": rows}})
    shop.faults.add(Fault(do="body", path="*/orderItems*", body=body, times=-1))
    seller = kit.reader(shop, orders_api="v0")

    (change,) = seller.read("cancelled")
    (new,) = seller.read("orders")

    assert _named([change]) == [("CANCELLED", order.lines[0].line_id, None)]
    assert [line.line_id for line in new.lines] == [order.lines[1].line_id]


def test_lines_of_v0_are_paged(kit: Any, shop: Any, later: Callable[[], None]) -> None:
    order = shop.world.place_order([("RED", 1), ("BLUE", 1)])
    later()
    for n, row in enumerate(shop.orders.old_rows.items(order)):
        payload = {"AmazonOrderId": order.order_id, "OrderItems": [row]}
        if n == 0:
            payload["NextToken"] = "more"
        body = json.dumps({"payload": payload})
        shop.faults.add(Fault(do="body", path="*/orderItems*", body=body))

    (new,) = kit.reader(shop, orders_api="v0").read("orders")

    assert len(new.lines) == 2


def test_trouble_of_a_second_source_is_trouble(kit: Any, later: Callable[[], None]) -> None:
    """Only «not known here» lets the next source speak; a login page is no such word."""
    shop = kit.shop(detailed=False)
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)
    shop.world.courier_return(order.order_id)
    later()
    shop.faults.add(Fault(do="html", path="/orders/v0/*", times=-1))

    with pytest.raises(PanelAnswer) as caught:
        kit.reader(shop).read("returns")

    assert caught.value.code == "panel_not_json"


def test_two_parcels_are_not_told_apart_by_the_order_alone(
    kit: Any, later: Callable[[], None]
) -> None:
    shop = kit.shop(detailed=False)
    order = shop.world.place_order([("RED", 2)], split=[[(0, 1)], [(0, 1)]])
    shop.world.pick_up(order.order_id)
    shop.world.courier_return(order.order_id, shipment_id=order.shipment_ids[0])
    later()

    (change,) = kit.reader(shop).read("returns")

    assert change.status is Status.UNKNOWN


def test_only_who_needs_a_state_asks_for_it(kit: Any, later: Callable[[], None]) -> None:
    shop = kit.shop(detailed=False)
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)
    shop.world.courier_return(order.order_id)
    later()
    seller = kit.reader(shop)

    assert len(seller.read("dispatched")) == 1
    assert seller.read("cancelled") == []
    assert not shop.requests("/orders/v0")


@VERSIONS
@pytest.mark.parametrize("kind", ["dispatched", "delivered", "returns"])
def test_an_unknown_parcel_word_is_for_a_person(
    kit: Any, shop: Any, later: Callable[[], None], version: str, kind: str
) -> None:
    order = shop.world.place_order([("RED", 1)], traits={"easy_ship": "Teleported"})
    shop.world.pick_up(order.order_id)
    later()
    seller = kit.reader(shop, orders_api=version)

    (change,) = seller.read(kind, [OrderRef(order_id=order.order_id)])

    assert change.status is Status.UNKNOWN
    assert "parcel status 'Teleported'" in change.problem


@pytest.mark.parametrize(
    "row",
    [
        '{"orderId":"1","recipient":{"a":{"b":{"c":[{"d":"canary"}]}}},"createdTime":7}',
        '{"orderId":"1","payment":{"paymentExecutions":[{"acquirerId":"canary"}]}}',
        '{"orderId":"1","buyer":{"buyerName":"' + "canary" * 20_000 + '"}}',
    ],
)
def test_no_broken_row_keeps_what_is_a_buyers(
    seller: Any, shop: Any, later: Callable[[], None], row: str
) -> None:
    shop.world.pick_up(shop.world.place_order([("SKU-1", 1)]).order_id)
    later()
    shop.faults.add(Fault(do="garble", path="/orders/2026-01-01/orders*", body=row))
    (found,) = seller.read("dispatched")
    assert found.problem
    assert "canary" not in found.raw + found.problem


@VERSIONS
@pytest.mark.parametrize("kind", KINDS)
def test_an_id_that_cannot_be_amazons_is_told_and_never_sent(
    kit: Any, shop: Any, later: Callable[[], None], version: str, kind: str
) -> None:
    order = shop.world.place_order([("RED", 1)])
    shop.world.pick_up(order.order_id)
    later()
    seller = kit.reader(shop, orders_api=version, return_reports=[])
    odd = ("403-123", "403-1234567-12345678", f"{order.order_id} ", "a/b?c", "x" * 150)
    refs = [OrderRef(order_id=one) for one in (odd[0], order.order_id, *odd[1:])]

    rows = seller.read(kind, refs)

    told = [row for row in rows if row.problem]
    assert [row.order_id for row in told] == list(odd)
    assert "'403-123' is no order id of Amazon" in told[0].problem
    assert all(row.raw for row in told)
    good = [row for row in rows if not row.problem]
    assert [row.order_id for row in good] == [order.order_id] * (kind in ("orders", "dispatched"))
    sent = "|".join(line.target for line in shop.requests("/orders"))
    assert order.order_id in sent
    assert not [one for one in odd if one in sent]
    assert seller.read(kind, refs[:1]) == told[:1]


def test_a_mistyped_import_is_one_matter_for_a_person_and_stops_no_pass(trade: Any) -> None:
    order = trade.shop.world.place_order([("RED", 2)])
    trade.sync(Kind.ORDERS)
    trade.seller.order("403-123", ("L1", "RED", 1))
    trade.shop.world.cancel(order.order_id)
    for _ in range(2):
        trade.sync(Kind.CANCELLED, Kind.DISPATCHED, orders=[order.order_id, "403-123"])
    assert set(trade.seller.positions(order.order_id)) == {"CANCELLED"}
    stuck = trade.seller.book.query(
        "SELECT order_id, state FROM inbox WHERE status = 'UNKNOWN'"
    ).fetchall()
    assert [tuple(row) for row in stuck] == [("403-123", "QUARANTINED")]
