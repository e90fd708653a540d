"""The eleven traps of Flipkart's API that lose or double facts, each by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from syncd import OrderRef, ReturnType, Status
from syncd_flipkart import describe_channel, provides_shipping
from syncd_flipkart.statuses import ITEM_STATUS

FIRST_LINE = "77000000000000001"
FIRST_ORDER = "OD77000000000000001"


def _cancelled(kit: Any, n: int = 1, **more: Any) -> dict[str, Any]:
    fields = {
        "cancellationDate": "2026-11-20T16:40:00.000+05:30",
        "cancellationReason": "order_cancelled",
        "courierReturn": False,
        **more,
    }
    return dict(kit.line(n, "CANCELLED", **fields))


def _only_buyers(kit: Any, *shipments: Any) -> Any:
    """Answers a search for the buyers' cancellations with these, the others with nothing."""

    def search(asked: Any) -> Any:
        mine = asked.filter["cancellationType"] == "buyerCancellation"
        return kit.page(shipments if mine else [])

    return search


def test_trap_01_rto_rows_among_cancelled(seller: Any, script: Any, kit: Any) -> None:
    rto = kit.shipment(_cancelled(kit, 1, courierReturn=True), n=1)
    plain = kit.shipment(_cancelled(kit, 2), n=2)
    silent = kit.shipment(_cancelled(kit, 3, courierReturn=...), n=3)
    script.search = _only_buyers(kit, rto, plain, silent)
    script.by_ids = lambda asked: {"shipments": [plain, silent]}

    first, second, third = seller.read("cancelled")

    assert first.status is Status.RETURN_NOTICED
    assert first.return_type is ReturnType.RTO
    assert first.left_seller
    assert first.occurred_at == datetime(2026, 11, 20, 11, 10, tzinfo=UTC)
    assert first.shipment_id == rto["shipmentId"]
    assert [second.status, third.status] == [Status.CANCELLED, Status.CANCELLED]
    assert not second.left_seller
    # The RTO needs no second look: nothing of the order is taken back for it.
    assert script.calls("/sellers/v3/shipments")[0].params == {
        "orderItemIds": "77000000000000002,77000000000000003"
    }


def test_trap_02_one_cancellation_type_per_call(seller: Any, script: Any, kit: Any) -> None:
    classes = {"buyerCancellation": 1, "sellerCancellation": 2, "marketplaceCancellation": 3}

    def search(asked: Any) -> Any:
        n = classes[asked.filter["cancellationType"]]
        return kit.page([kit.shipment(_cancelled(kit, n), n=n)])

    script.search = search
    script.by_ids = lambda asked: {
        "shipments": [
            kit.shipment(_cancelled(kit, n), n=n)
            for n in classes.values()
            if asked.params["orderItemIds"].endswith(str(n))
        ]
    }

    changes = seller.read("cancelled")

    asked = [one.filter["cancellationType"] for one in script.calls("/sellers/v3/shipments/filter")]
    assert sorted(asked) == sorted(classes)
    assert sorted(change.sku for change in changes) == ["SKU-1", "SKU-2", "SKU-3"]
    assert {change.status for change in changes} == {Status.CANCELLED}


def test_trap_03_partial_cancel(seller: Any, script: Any, kit: Any) -> None:
    row = kit.shipment(_cancelled(kit, 1, quantity=1.0, packageIds=["PKG1", "PKG1"]))
    script.search = _only_buyers(kit, row)
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, "PACKED", quantity=2.0))]}

    (change,) = seller.read("cancelled")

    assert (change.status, change.quantity, change.cumulative) == (Status.CANCELLED, 1, True)
    assert change.line_id == FIRST_LINE


def test_trap_03_whole_line_cancelled_means_every_piece(seller: Any, script: Any, kit: Any) -> None:
    row = kit.shipment(_cancelled(kit, 1, quantity=2.0))
    script.search = _only_buyers(kit, row)
    script.by_ids = lambda asked: {"shipments": [row]}

    (change,) = seller.read("cancelled")

    assert (change.quantity, change.cumulative) == (None, False)


def test_trap_03_second_partial_cancel_counts_all_so_far(
    seller: Any, script: Any, kit: Any
) -> None:
    """One row an event, or one row for all so far: both add up to the same total."""
    old = _cancelled(kit, 1, cancellationDate="2026-11-20T09:00:00.000+05:30")
    new = _cancelled(kit, 1)
    grown = _cancelled(kit, 1, quantity=2.0)
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, "PACKED", quantity=1.0))]}
    found = []
    for past, present in (([old, new], new), ([grown], grown)):

        def search(asked: Any, past: Any = past, present: Any = present) -> Any:
            if asked.filter["cancellationType"] != "buyerCancellation":
                return kit.page([])
            lines = past if "sku" in asked.filter else [present]
            return kit.page([kit.shipment(*lines)])

        script.search = search
        (change,) = seller.read("cancelled")
        found.append((change.quantity, change.cumulative, change.evidence_id))

    assert found[0][:2] == (2, True)
    assert found[0] == found[1]
    wide = [
        asked.filter
        for asked in script.calls("/sellers/v3/shipments/filter")
        if "sku" in asked.filter
    ]
    assert wide[0]["sku"] == ["SKU-1"]
    assert wide[0]["cancellationDate"]["from"] == "2026-11-19T04:30:00Z"  # since the order
    assert len({search["cancellationType"] for search in wide}) == 3


def test_trap_03_partial_cancel_seen_by_id_from_what_is_left(
    seller: Any, script: Any, kit: Any
) -> None:
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, "PACKED", quantity=2.0))]}
    facts = {f"quantity:{FIRST_LINE}": "3"}
    known = OrderRef(order_id=FIRST_ORDER, line_ids=(FIRST_LINE,), facts=facts)

    (change,) = seller.read("cancelled", [known])
    unknown = seller.read("cancelled", [OrderRef(order_id=FIRST_ORDER, line_ids=(FIRST_LINE,))])

    assert (change.status, change.quantity, change.cumulative) == (Status.CANCELLED, 1, True)
    assert change.evidence_id == f"{FIRST_LINE}/CANCELLED/1"  # the same fact as by window
    assert unknown == []


def test_trap_04_created_after_is_the_day_of_approval(script: Any, kit: Any) -> None:
    seller = kit.seller(script, returns_window="created")
    row = kit.returned(1)
    script.returns = lambda asked: kit.returns_page([row])

    changes = seller.read("returns")

    params = script.calls("/sellers/v2/returns")[0].params
    assert params["createdAfter"] == "2026-11-19T11:00:00Z"  # the window, a whole day wider
    assert params["createdBefore"] == "2026-11-21T12:00:00Z"
    assert "modifiedAfter" not in params
    # The extra day brings rows again: they have the same evidence.
    assert {change.evidence_id for change in changes} == {f"{row['returnId']}/RETURN_NOTICED"}
    assert seller.read("returns") == changes


def test_trap_04_the_default_asks_by_last_change(seller: Any, script: Any) -> None:
    seller.read("returns")

    params = script.calls("/sellers/v2/returns")[0].params
    assert params["modifiedAfter"] == "2026-11-20T11:00:00Z"
    assert params["modifiedBefore"] == "2026-11-20T12:00:00Z"
    assert "createdAfter" not in params


def test_trap_05_rows_shift_between_pages(seller: Any, script: Any, kit: Any) -> None:
    """A row that comes twice, later with another stamp and word, is one fact."""
    before = kit.shipment(kit.line(1, "PICKUP_COMPLETE"))
    after = kit.shipment(kit.line(1, "SHIPPED"), updatedAt="2026-11-20T17:20:00.000+05:30")
    script.search = lambda asked: kit.page([before], "/v3/shipments/filter?next_token=two")
    script.next = lambda asked: kit.page([after])

    first, second = seller.read("dispatched")

    assert first.evidence_id == second.evidence_id
    assert first.occurred_at < second.occurred_at
    assert script.calls("/sellers/v3/shipments/filter", "GET")[0].params == {"next_token": "two"}


def test_trap_05_windows_overlap_by_more_than_the_time_between_passes() -> None:
    assert describe_channel().overlap > timedelta(minutes=40)


def test_trap_06_token_expires_on_the_second_page(seller: Any, script: Any, kit: Any) -> None:
    def search(asked: Any) -> Any:
        script.valid = {"token-2"}  # from here on the first token is dead
        script.token = lambda asked: {"access_token": "token-2", "expires_in": 3600}
        return kit.page([kit.shipment(kit.line(1))], "/v3/shipments/filter?next_token=two")

    script.search = search
    script.next = lambda asked: kit.page([kit.shipment(kit.line(2), n=2)])

    changes = seller.read("dispatched")

    assert [change.sku for change in changes] == ["SKU-1", "SKU-2"]
    assert len(script.calls("/sellers/v3/shipments/filter", "POST")) == 1
    again = script.calls("/sellers/v3/shipments/filter", "GET")
    assert [one.auth for one in again] == ["Bearer token-1", "Bearer token-2"]
    assert again[0].params == again[1].params == {"next_token": "two"}


def test_trap_07_profiles_are_asked_for_by_name(script: Any, kit: Any) -> None:
    stores = {"NON_FBF": 1, "FBF": 2, "FBF_LITE": 3}

    def search(asked: Any) -> Any:
        profiles = asked.filter.get("serviceProfiles", ["NON_FBF"])
        return kit.page([kit.shipment(kit.line(stores[one]), n=stores[one]) for one in profiles])

    script.search = search
    usual = kit.seller(script).read("dispatched")
    every = kit.seller(script, service_profiles=["NON_FBF", "FBF", "FBF_LITE"]).read("dispatched")

    assert [change.sku for change in usual] == ["SKU-1"]
    assert [change.sku for change in every] == ["SKU-1", "SKU-2", "SKU-3"]


def test_trap_08_who_ships_is_read_per_shipment(seller: Any, script: Any, kit: Any) -> None:
    """Two parcels of one order, one shipped by Flipkart and one by the seller."""
    ours = kit.line(2, orderId=FIRST_ORDER)
    script.search = lambda asked: kit.page(
        [kit.shipment(kit.line(1), n=1), kit.shipment(ours, n=2, shipmentType="SELF")]
    )

    answers = [
        provides_shipping(seller.account, OrderRef(order_id=change.order_id, facts=change.facts))
        for change in seller.read("dispatched")
    ]

    assert answers == [True, False]


def test_trap_08_a_return_finds_the_type_of_its_line(seller: Any, script: Any, kit: Any) -> None:
    ours = kit.line(2, "APPROVED", orderId=FIRST_ORDER)
    theirs = kit.line(1, "APPROVED")
    script.search = lambda asked: kit.page(
        [kit.shipment(theirs, n=1), kit.shipment(ours, n=2, shipmentType="SELF")]
    )
    (order,) = seller.read("orders")
    script.returns = lambda asked: kit.returns_page(
        [kit.returned(1), kit.returned(2, orderId=FIRST_ORDER)]
        if asked.params["source"] == "courier_return"
        else []
    )

    answers = [
        provides_shipping(
            seller.account, OrderRef(order_id=order.order_id, facts={**order.facts, **change.facts})
        )
        for change in seller.read("returns")
    ]

    assert answers == [True, False]


def test_trap_09_two_statuses_in_one_shipment(seller: Any, script: Any, kit: Any) -> None:
    second = kit.line(2, "READY_TO_DISPATCH", orderId=FIRST_ORDER)
    third = kit.line(3, "DELIVERED", orderId=FIRST_ORDER)
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1), second, third)])

    dispatched, delivered = seller.read("dispatched"), seller.read("delivered")

    assert [change.sku for change in dispatched] == ["SKU-1", "SKU-3"]
    assert [change.sku for change in delivered] == ["SKU-3"]


def test_trap_09_one_line_in_two_statuses(seller: Any, script: Any, kit: Any) -> None:
    """The pieces of a line that left are one total; it grows as more of them leave."""
    left = kit.line(1, "PICKUP_COMPLETE")
    found = []
    for rows in ([left, kit.line(1, "PACKED", quantity=2.0)], [left, kit.line(1, "DELIVERED")]):
        script.search = lambda asked, rows=rows: kit.page([kit.shipment(*rows)])
        (change,) = seller.read("dispatched")
        found.append(change)

    assert [(change.quantity, change.cumulative) for change in found] == [(1, True), (2, True)]
    assert found[0].evidence_id != found[1].evidence_id
    (delivered,) = seller.read("delivered")
    assert delivered.quantity == 1


def test_trap_09_what_was_cancelled_in_transit_had_left(seller: Any, script: Any, kit: Any) -> None:
    rows = [kit.line(1, quantity=2.0), _cancelled(kit, 1, courierReturn=True)]
    script.search = lambda asked: kit.page([kit.shipment(*rows)])
    script.by_ids = lambda asked: {"shipments": [kit.shipment(*rows)]}

    (change,) = seller.read("dispatched")
    (notice,) = seller.read("cancelled", [OrderRef(order_id=FIRST_ORDER, line_ids=(FIRST_LINE,))])

    assert change.quantity == 3
    assert (notice.status, notice.quantity) == (Status.RETURN_NOTICED, 1)


def test_trap_09_one_order_over_many_shipments(seller: Any, script: Any, kit: Any) -> None:
    parts = [
        kit.shipment(kit.line(1, "APPROVED"), n=1),
        kit.shipment(kit.line(2, "PACKED", orderId=FIRST_ORDER, quantity=2.0), n=2),
        kit.shipment(kit.line(3, "PACKED", orderId=FIRST_ORDER), n=3, locationId="LOC2"),
    ]
    # Only one of them changed, and the search shows no other.
    script.search = lambda asked: kit.page(parts[1:2])
    script.by_ids = lambda asked: {"shipments": parts}

    here, there = seller.read("orders")

    assert script.calls("/sellers/v3/shipments")[0].params == {"orderIds": FIRST_ORDER}
    assert here.order_id == there.order_id == FIRST_ORDER
    assert [(one.sku, one.quantity) for one in here.lines] == [("SKU-1", 1), ("SKU-2", 2)]
    assert (there.location_id, [one.sku for one in there.lines]) == ("LOC2", ["SKU-3"])


def test_trap_10_replacement_lines(seller: Any, script: Any, kit: Any) -> None:
    again = kit.line(2, "APPROVED", orderId=FIRST_ORDER, is_replacement=True)
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1, "APPROVED"), again)])

    (order,) = seller.read("orders")

    assert order.facts["replacementLines"] == "77000000000000002"
    assert [one.line_id for one in order.lines] == [FIRST_LINE, "77000000000000002"]


def test_trap_11_old_event_words_are_not_statuses(seller: Any, script: Any, kit: Any) -> None:
    """Words of the old notifications are unknown here: kept for a person, never guessed."""
    assert not {"order_item_shipped", "order_item_created", "shipment_shipped"} & set(ITEM_STATUS)
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1, "order_item_shipped"))])

    (change,) = seller.read("dispatched")

    assert change.status is Status.UNKNOWN
    assert "order_item_shipped" in change.problem
