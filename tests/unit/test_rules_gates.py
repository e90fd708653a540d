"""The gates in their order, and the state of an order."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from syncd.rules import (
    RANK,
    TABLE,
    TENANT_NOT_LIVE,
    Event,
    Gates,
    Outcome,
    Position,
    Reason,
    decide,
    gate,
    roll_up,
)
from tests.unit.rulekit import fact, piece

DISPATCH = TABLE[Position.CREATED, Event.DISPATCHED]
UNNUMBERED = "Facility BLR has no sequence. Define one."
CLOSED: dict[str, Any] = {
    "account": "fk-main",
    "account_state": "AUTH_FAILED",
    "facility": "BLR",
    "connected": False,
    "tenant_live": False,
    "ships": False,
    "facility_active": False,
    "unnumbered": UNNUMBERED,
    "traceability": "ITEM",
    "hold": "cancelled_after_manifest",
}
OPEN: dict[str, Any] = {
    "connected": True,
    "tenant_live": True,
    "ships": True,
    "facility_active": True,
    "unnumbered": "",
    "traceability": "NONE",
    "hold": "",
}
IN_ORDER = [
    Reason.ACCOUNT_AUTH_FAILED,
    Reason.TENANT_NOT_LIVE,
    Reason.CHANNEL_NOT_SHIPPING,
    Reason.FACILITY_INACTIVE,
    Reason.SEQUENCE_MISSING,
    Reason.ITEM_TRACEABILITY_NEEDS_SCAN,
    Reason.CANCELLED_AFTER_MANIFEST,
]
FORWARD = {
    Event.DISPATCHED,
    Event.DELIVERED,
    Event.UNDELIVERED,
    Event.LOST,
    Event.RETURN_NOTICED_RTO,
    Event.RETURNED_RTO,
}


def reason(gates: Gates, event: Event | None, plan: Any) -> Reason | None:
    refusal = gate(gates, event, plan)
    return None if refusal is None else refusal.reason


def test_open_gates_let_pass() -> None:
    assert gate(Gates(), Event.DISPATCHED, DISPATCH) is None


def test_gates_close_in_their_order() -> None:
    known = dict(CLOSED)
    for expected, key in zip(IN_ORDER, OPEN, strict=True):
        assert reason(Gates(**known), Event.DISPATCHED, DISPATCH) is expected
        known[key] = OPEN[key]
    assert gate(Gates(**known), Event.DISPATCHED, DISPATCH) is None


SHUT = {
    Reason.ACCOUNT_AUTH_FAILED: {"connected": False},
    Reason.TENANT_NOT_LIVE: {"tenant_live": False},
    Reason.CHANNEL_NOT_SHIPPING: {"ships": False},
    Reason.FACILITY_INACTIVE: {"facility_active": False},
    Reason.SEQUENCE_MISSING: {"unnumbered": UNNUMBERED},
    Reason.ITEM_TRACEABILITY_NEEDS_SCAN: {"traceability": "ITEM"},
    Reason.CANCELLED_AFTER_MANIFEST: {"hold": "cancelled_after_manifest"},
}


@pytest.mark.parametrize("closed", IN_ORDER)
def test_each_gate_closes_by_itself(closed: Reason) -> None:
    assert reason(Gates(**SHUT[closed]), Event.DISPATCHED, DISPATCH) is closed


@pytest.mark.parametrize(("first", "second"), list(combinations(IN_ORDER, 2)))
def test_of_two_closed_gates_the_earlier_is_told(first: Reason, second: Reason) -> None:
    gates = Gates(**SHUT[second], **SHUT[first])
    assert reason(gates, Event.DISPATCHED, DISPATCH) is first


@pytest.mark.parametrize("event", [Event.CANCELLED, Event.RETURN_NOTICED_CIR, Event.RETURNED_CIR])
@pytest.mark.parametrize("position", Position)
def test_cancellations_and_buyers_returns_never_ask_who_ships(
    event: Event, position: Position
) -> None:
    plan = TABLE[position, event]
    assert gate(Gates(ships=False), event, plan) is None
    for closed in (Reason.FACILITY_INACTIVE, Reason.SEQUENCE_MISSING):
        alone = reason(Gates(**SHUT[closed]), event, plan)
        assert reason(Gates(ships=False, **SHUT[closed]), event, plan) is alone


def test_the_tenants_message_is_exact() -> None:
    refusal = gate(Gates(tenant_live=False), None, None)
    assert refusal is not None
    assert refusal.message == TENANT_NOT_LIVE == "Sync not allowed as Tenant is not Live yet"


def test_a_missing_sequence_says_what_the_caller_says_of_it() -> None:
    refusal = gate(Gates(unnumbered=UNNUMBERED), Event.DISPATCHED, DISPATCH)
    assert refusal is not None
    assert refusal.message == UNNUMBERED


def test_messages_name_what_is_closed() -> None:
    account = gate(
        Gates(account="fk-main", account_state="AUTH_FAILED", connected=False), None, None
    )
    assert account is not None
    assert "fk-main is not connected (AUTH_FAILED)" in account.message
    idle = gate(Gates(facility="BLR", facility_active=False), Event.DISPATCHED, DISPATCH)
    assert idle is not None
    assert "Facility BLR is not active" in idle.message


@pytest.mark.parametrize("event", Event)
def test_only_echoes_stop_where_the_channel_does_not_ship(event: Event) -> None:
    closed = reason(Gates(ships=False), event, TABLE[Position.DISPATCHED, event])
    assert closed is (Reason.CHANNEL_NOT_SHIPPING if event in FORWARD else None)
    assert gate(Gates(ships=None), event, None) is None


def test_an_existing_invoice_needs_no_sequence() -> None:
    gates = Gates(unnumbered=UNNUMBERED)
    assert gate(gates, Event.DISPATCHED, TABLE[Position.PACKED, Event.DISPATCHED]) is None
    chain = TABLE[Position.PICKED, Event.DELIVERED]
    assert reason(gates, Event.DELIVERED, chain) is Reason.SEQUENCE_MISSING
    assert gate(gates, Event.CANCELLED, TABLE[Position.CREATED, Event.CANCELLED]) is None


@pytest.mark.parametrize("position", Position)
def test_traced_items_are_packed_before_they_leave(position: Position) -> None:
    plan = TABLE[position, Event.DISPATCHED]
    closed = reason(Gates(traceability="ITEM"), Event.DISPATCHED, plan)
    scanned = position in ("PACKED", "READY_TO_SHIP", "MANIFESTED")
    stopped = plan.outcome is Outcome.APPLY and not scanned
    assert closed is (Reason.ITEM_TRACEABILITY_NEEDS_SCAN if stopped else None)
    assert gate(Gates(traceability="ITEM_SKU"), Event.DISPATCHED, plan) is None


def test_a_decision_that_waits_meets_no_later_gate() -> None:
    gates = Gates(unnumbered=UNNUMBERED, facility_active=False)
    told = fact("DELIVERED", waited=False)
    assert gate(gates, told.event, decide(piece("CREATED"), told)) is None
    ready = decide(piece("CREATED"), fact("DELIVERED"))
    assert reason(Gates(unnumbered=UNNUMBERED), told.event, ready) is Reason.SEQUENCE_MISSING
    assert reason(Gates(traceability="ITEM"), told.event, ready) is (
        Reason.ITEM_TRACEABILITY_NEEDS_SCAN
    )


def test_a_wish_to_cancel_stops_people_but_not_facts() -> None:
    held = "buyer_cancel_requested"
    assert gate(Gates(hold=held), Event.DISPATCHED, DISPATCH) is None
    by_hand = Gates(hold=held, by_hand=True)
    assert reason(by_hand, Event.DISPATCHED, DISPATCH) is Reason.BUYER_CANCEL_REQUESTED
    assert gate(by_hand, Event.CANCELLED, TABLE[Position.CREATED, Event.CANCELLED]) is None


@pytest.mark.parametrize(
    ("positions", "allocated", "state"),
    [
        ([], False, "CREATED"),
        (["PENDING_VERIFICATION"], False, "PENDING_VERIFICATION"),
        (["PENDING_VERIFICATION", "CANCELLED"], False, "PENDING_VERIFICATION"),
        (["PENDING_VERIFICATION", "UNFULFILLABLE"], False, "CREATED"),
        (["UNFULFILLABLE", "LOCATION_NOT_SERVICEABLE"], False, "CREATED"),
        (["UNFULFILLABLE", "FULFILLABLE"], True, "PROCESSING"),
        (["CREATED"], False, "PROCESSING"),
        (["CREATED", "DISPATCHED"], False, "PROCESSING"),
        (["UNFULFILLABLE", "DISPATCHED"], False, "PROCESSING"),
        (["CANCELLED", "CANCELLED"], False, "CANCELLED"),
        (["CANCELLED", "MANIFESTED"], False, "PROCESSING"),
        (["CANCELLED", "DISPATCHED"], False, "COMPLETE"),
        (["DELIVERED", "RETURN_EXPECTED"], False, "COMPLETE"),
        (["RETURNED", "RETURN_ACKNOWLEDGED", "CIR_CREATED", "CIR_COMPLETE"], False, "COMPLETE"),
        (["LOST", "SHIPPED"], False, "COMPLETE"),
    ],
)
def test_an_orders_state_is_that_of_its_pieces(
    positions: list[str], allocated: bool, state: str
) -> None:
    stands = [Position(each) for each in positions]
    assert roll_up(stands, allocated=allocated) == state
    assert roll_up(reversed(stands), allocated=allocated) == state


def test_an_order_with_a_piece_at_every_such_position_is_still_in_that_state() -> None:
    left = [*Position][[*Position].index(Position.DISPATCHED) :]
    gone = [one for one in left if one is not Position.CANCELLED and RANK[one]]
    assert roll_up([*gone, Position.LOST], allocated=False) == "COMPLETE"
    untouched = ["PENDING_VERIFICATION", "UNFULFILLABLE", "LOCATION_NOT_SERVICEABLE", "FULFILLABLE"]
    assert roll_up(map(Position, untouched), allocated=False) == "CREATED"
