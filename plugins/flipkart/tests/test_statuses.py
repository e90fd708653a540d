"""What each native word becomes, by window and by id, and the stamps and ids of the facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd import OrderRef, ReturnType, Status, StatusChange
from syncd_flipkart import provides_shipping, statuses

REF = [OrderRef(order_id="OD77000000000000001", line_ids=("77000000000000001",))]

BY_HOOK: dict[str, dict[str, list[str]]] = {
    "APPROVED": {},
    "PACKING_IN_PROGRESS": {},
    "FORM_FAILED": {},
    "PACKED": {},
    "READY_TO_DISPATCH": {},
    "PICKUP_COMPLETE": {"dispatched": ["DISPATCHED"]},
    "SHIPPED": {"dispatched": ["DISPATCHED"]},
    "DELIVERED": {"dispatched": ["DISPATCHED"], "delivered": ["DELIVERED"]},
    "COMPLETED": {"dispatched": ["DISPATCHED"], "delivered": ["DELIVERED"]},
    "CANCELLED": {"cancelled": ["CANCELLED"]},
    "RETURN_REQUESTED": {"returns": ["UNKNOWN"]},
    "RETURNED": {"returns": ["UNKNOWN"]},
}

RETURN_RESULTS = {
    "init": [],
    "created": [Status.RETURN_NOTICED],
    "service_requested": [Status.RETURN_NOTICED],
    "approved": [Status.RETURN_NOTICED],
    "cancellation_in_progress": [Status.RETURN_NOTICED],
    "completed": [Status.RETURNED],
    "cancelled": [Status.RETURN_WITHDRAWN],
    "rejected": [Status.RETURN_WITHDRAWN],
}


def test_the_tables_cover_the_same_words() -> None:
    assert set(BY_HOOK) == set(statuses.ITEM_STATUS)
    assert set(RETURN_RESULTS) == set(statuses.RETURN_STATUS)


def test_every_word_has_a_source() -> None:
    assert all(word.source for word in statuses.ITEM_WORDS + statuses.RETURN_WORDS)


@pytest.mark.parametrize("word", BY_HOOK)
@pytest.mark.parametrize("kind", ["dispatched", "delivered", "cancelled", "returns"])
def test_each_hook_yields_only_its_own_words_by_id(
    seller: Any, script: Any, kit: Any, word: str, kind: str
) -> None:
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, word))]}

    changes = seller.read(kind, REF)

    assert [change.status for change in changes] == BY_HOOK[word].get(kind, [])


@pytest.mark.parametrize(
    ("kind", "word"),
    [("dispatched", "SHIPPED"), ("delivered", "DELIVERED"), ("cancelled", "CANCELLED")],
)
def test_by_window_and_by_id_are_the_same_fact(
    seller: Any, script: Any, kit: Any, kind: str, word: str
) -> None:
    row = kit.shipment(kit.line(1, word, cancellationDate="2026-11-20T16:40:00.000+05:30"))
    script.search = lambda asked: kit.page(
        [] if asked.filter.get("cancellationType", "buyer")[:5] != "buyer" else [row]
    )
    script.by_ids = lambda asked: {"shipments": [row]}

    assert seller.read(kind) == seller.read(kind, REF) != []


def test_a_dispatch_in_full(seller: Any, script: Any, kit: Any) -> None:
    script.search = lambda asked: kit.page([kit.shipment(kit.line(1, quantity=3.0))])

    assert seller.read("dispatched") == [
        StatusChange(
            order_id="OD77000000000000001",
            status=Status.DISPATCHED,
            native_status="SHIPPED",
            occurred_at=datetime(2026, 11, 20, 11, 30, tzinfo=UTC),
            line_id="77000000000000001",
            sku="SKU-1",
            quantity=3,
            cumulative=True,
            shipment_id="00000000-0000-4000-9000-000000000001",
            location_id="LOC1",
            left_seller=True,
            evidence_id="00000000-0000-4000-9000-000000000001/77000000000000001/DISPATCHED/3",
            facts={"shipmentType": "NORMAL", "serviceProfile": "Seller_Fulfilment"},
        )
    ]


def test_a_cancellation_keeps_its_reasons(seller: Any, script: Any, kit: Any) -> None:
    row = kit.shipment(
        kit.line(1, "CANCELLED", cancellationReason="why", cancellationSubReason="more")
    )
    script.by_ids = lambda asked: {"shipments": [row]}

    (change,) = seller.read("cancelled", REF)

    assert change.reason == "why / more"
    assert change.occurred_at == datetime(2026, 11, 20, 11, 30, tzinfo=UTC)  # no cancellationDate


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("word", RETURN_RESULTS)
@pytest.mark.parametrize("source", statuses.RETURN_SOURCES)
def test_return_words(
    seller: Any, script: Any, kit: Any, word: str, source: str, upper: bool
) -> None:
    row = kit.returned(1, word.upper() if upper else word, type=source)
    script.returns = lambda asked: kit.returns_page(
        [row] if asked.params["source"] == source else []
    )

    changes = seller.read("returns")

    assert [change.status for change in changes] == RETURN_RESULTS[word]
    expected = {"courier_return": ReturnType.RTO, "customer_return": ReturnType.CIR}[source]
    assert all(change.return_type is expected for change in changes)


def _courier(kit: Any, *rows: Any) -> Any:
    return lambda asked: kit.returns_page(
        rows if asked.params["source"] == "courier_return" else []
    )


def test_a_notice_has_the_stamp_of_its_creation(seller: Any, script: Any, kit: Any) -> None:
    script.returns = _courier(kit, kit.returned(1, "created"), kit.returned(2, "completed"))

    notice, receipt = seller.read("returns")

    assert notice.occurred_at == datetime(2026, 11, 18, 3, 30, 3, tzinfo=UTC)
    assert receipt.occurred_at == datetime(2026, 11, 20, 11, 35, tzinfo=UTC)


def test_stamps_of_both_styles_are_read(seller: Any, script: Any, kit: Any) -> None:
    row = kit.returned(1, "completed", updatedDate="2026-11-20T11:35:00.250Z")
    script.returns = _courier(kit, row)

    (change,) = seller.read("returns")

    assert change.occurred_at == datetime(2026, 11, 20, 11, 35, 0, 250_000, tzinfo=UTC)


def test_the_return_parcel_is_not_the_forward_parcel(seller: Any, script: Any, kit: Any) -> None:
    script.returns = _courier(kit, kit.returned(1))

    (change,) = seller.read("returns")

    assert (change.shipment_id, change.tracking_number) == ("", "")
    assert change.facts["returnShipment"] == "00000000-0000-4000-9000-0000000000ff"
    assert change.facts["returnTracking"] == "BACK1"
    assert change.left_seller


def test_the_steps_of_a_return_are_three_facts(seller: Any, script: Any, kit: Any) -> None:
    words = ["created", "service_requested", "completed", "cancelled"]
    script.returns = _courier(kit, *(kit.returned(1, word) for word in words))

    first, second, third, fourth = (change.evidence_id for change in seller.read("returns"))

    assert first == second
    assert len({first, third, fourth}) == 3


def test_returns_of_chosen_orders_are_picked_from_the_window(
    seller: Any, script: Any, kit: Any
) -> None:
    script.returns = _courier(kit, kit.returned(1), kit.returned(2))
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, "RETURN_REQUESTED"))]}

    changes = seller.read("returns", REF)

    # The line's own word needs no person: its return was found.
    assert [(change.order_id, change.status) for change in changes] == [
        ("OD77000000000000001", Status.RETURN_NOTICED)
    ]


def test_a_returned_line_without_a_return_is_for_a_person(
    seller: Any, script: Any, kit: Any
) -> None:
    script.by_ids = lambda asked: {"shipments": [kit.shipment(kit.line(1, "RETURNED"))]}

    (change,) = seller.read("returns", REF)

    assert change.status is Status.UNKNOWN
    assert "without saying" in change.problem
    assert '"orderItemId":"77000000000000001"' in change.raw


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, True),
        ({"shipmentType": "NORMAL"}, True),
        ({"shipmentType": "EXPRESS"}, True),
        ({"shipmentType": "SELF"}, False),
        ({"shipmentType": "NORMAL", "shipmentType:1": "SELF", "line": "1"}, True),
        ({"shipmentType:1": "SELF", "shipmentType:2": "NORMAL", "line": "1"}, False),
        ({"shipmentType:1": "SELF", "shipmentType:2": "NORMAL", "line": "2"}, True),
        ({"shipmentType:1": "SELF", "shipmentType:2": "SELF"}, False),
        ({"shipmentType:1": "SELF", "shipmentType:2": "NORMAL"}, True),
        ({"serviceProfile": "FBF"}, True),
    ],
)
def test_provides_shipping(seller: Any, script: Any, facts: dict[str, str], expected: bool) -> None:
    assert provides_shipping(seller.account, OrderRef(order_id="OD1", facts=facts)) is expected
    assert script.asked == []  # no network
