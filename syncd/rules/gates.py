"""The gates that a decision passes before it is carried out, in their fixed order.

Account, tenant, shipping by the channel, facility, invoice sequence, traceability, holds. The
last gate of all, a dry run, refuses nothing: it gives the same plan and the caller rolls back.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from syncd.rules.cells import Cell, Decision
from syncd.rules.words import CHANGING, Event, Position, Reason

TENANT_NOT_LIVE: Final = "Sync not allowed as Tenant is not Live yet"

ECHOES: Final = frozenset(
    {
        Event.DISPATCHED,
        Event.DELIVERED,
        Event.UNDELIVERED,
        Event.LOST,
        Event.RETURN_NOTICED_RTO,
        Event.RETURNED_RTO,
    }
)
"""What a channel that does not ship can only repeat after the seller."""

_SCANNED: Final = frozenset({Position.PACKED, Position.READY_TO_SHIP, Position.MANIFESTED})


class Gates(Struct, kw_only=True):
    """How the gates stand for one order. The names serve the messages.

    ``ships``: whether the channel ships the order; ``None`` when nobody can say, which lets
    it pass. ``unnumbered`` says that the facility cannot number an invoice, and what to type.
    ``traceability`` is NONE, ITEM_SKU or ITEM. ``hold`` is the piece's hold. ``by_hand``: a
    person moves the piece, no channel has said that it moved.
    """

    account: str = ""
    account_state: str = ""
    connected: bool = True
    tenant_live: bool = True
    ships: bool | None = None
    facility: str = ""
    facility_active: bool = True
    unnumbered: str = ""
    traceability: str = "NONE"
    hold: str = ""
    by_hand: bool = False


class Refusal(Struct, frozen=True):
    """Which gate is closed, and a sentence that says what would open it."""

    reason: Reason
    message: str


def gate(gates: Gates, event: Event | None, plan: Cell | Decision | None) -> Refusal | None:
    """The first closed gate, or ``None``.

    Without an event only account and tenant are asked (the start of a pass); without a plan
    only what holds for the whole order. A plan that changes nothing meets no later gate.
    """
    refusal = _of_order(gates, event)
    if refusal is not None or plan is None or plan.outcome not in CHANGING:
        return refusal
    return _of_place(gates, plan) or _of_hold(gates, plan)


def _of_order(gates: Gates, event: Event | None) -> Refusal | None:
    if not gates.connected:
        state = f" ({gates.account_state})" if gates.account_state else ""
        return Refusal(
            Reason.ACCOUNT_AUTH_FAILED,
            f"Account {gates.account} is not connected{state}; put its credentials right, then "
            f"run: syncctl resume {gates.account}",
        )
    if not gates.tenant_live:
        return Refusal(Reason.TENANT_NOT_LIVE, TENANT_NOT_LIVE)
    if gates.ships is False and event in ECHOES:
        return Refusal(
            Reason.CHANNEL_NOT_SHIPPING,
            f"The channel does not ship this order, so its {event} only repeats what the "
            "seller did; the book follows the seller",
        )
    return None


def _of_place(gates: Gates, plan: Cell | Decision) -> Refusal | None:
    facility = gates.facility
    if not gates.facility_active:
        return Refusal(
            Reason.FACILITY_INACTIVE,
            f"Facility {facility} is not active; make it ACTIVE again, the fact is then tried "
            "again",
        )
    if gates.unnumbered and plan.invoices:
        return Refusal(Reason.SEQUENCE_MISSING, gates.unnumbered)
    if gates.traceability == "ITEM" and plan.dispatches and _position(plan) not in _SCANNED:
        return Refusal(
            Reason.ITEM_TRACEABILITY_NEEDS_SCAN,
            f"Facility {facility} traces each item and this one is {_position(plan)}: scan and "
            "pack it first, the dispatch is then tried again",
        )
    return None


def _of_hold(gates: Gates, plan: Cell | Decision) -> Refusal | None:
    """A person may not move a held piece on; a channel's fact passes a buyer's mere wish."""
    if not gates.hold or not plan.dispatches:
        return None
    if gates.hold == Reason.BUYER_CANCEL_REQUESTED and not gates.by_hand:
        return None
    return Refusal(
        Reason(gates.hold),
        f"The piece is on hold ({gates.hold}); it may leave when the hold is settled",
    )


def _position(plan: Cell | Decision) -> Position:
    return plan.cell.position if isinstance(plan, Decision) else plan.position
