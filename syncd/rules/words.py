"""The closed sets of words that the rules are written in, and the order among them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from syncd.statuses import ReturnType, Status


class Position(StrEnum):
    """Where a piece stands: the state of its parcel, or its own while it has none.

    Listed from the least to the most advanced as far as that can be said.
    """

    __hash__ = str.__hash__  # plain and fast: these are keys in every hot look-up

    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    UNFULFILLABLE = "UNFULFILLABLE"
    LOCATION_NOT_SERVICEABLE = "LOCATION_NOT_SERVICEABLE"
    FULFILLABLE = "FULFILLABLE"
    CREATED = "CREATED"
    PICKING = "PICKING"
    PICKED = "PICKED"
    PACKED = "PACKED"
    READY_TO_SHIP = "READY_TO_SHIP"
    MANIFESTED = "MANIFESTED"
    DISPATCHED = "DISPATCHED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURN_EXPECTED = "RETURN_EXPECTED"
    RETURNED = "RETURNED"
    RETURN_ACKNOWLEDGED = "RETURN_ACKNOWLEDGED"
    CIR_CREATED = "CIR_CREATED"
    CIR_COMPLETE = "CIR_COMPLETE"
    LOST = "LOST"


class Event(StrEnum):
    """What a channel's fact means for a piece: a status with its return type."""

    __hash__ = str.__hash__  # plain and fast: these are keys in every hot look-up

    DISPATCHED = "DISPATCHED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURN_NOTICED_RTO = "RETURN_NOTICED_RTO"
    RETURN_NOTICED_CIR = "RETURN_NOTICED_CIR"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    UNDELIVERED = "UNDELIVERED"
    LOST = "LOST"
    RETURNED_RTO = "RETURNED_RTO"
    RETURNED_CIR = "RETURNED_CIR"
    RETURN_WITHDRAWN = "RETURN_WITHDRAWN"
    CANCEL_WITHDRAWN = "CANCEL_WITHDRAWN"


class Outcome(StrEnum):
    """What is done about a fact. Only APPLY and APPLY_CHAIN move a piece.

    HOLD stops forward work for a person or a later fact; NOTE keeps the fact beside the piece;
    PARK keeps it to be decided again; TOMBSTONE remembers a cancellation of an order that is
    not here yet; ESCALATE opens an exception for a person and changes nothing else.
    """

    __hash__ = str.__hash__  # plain and fast: these are keys in every hot look-up

    APPLY = "APPLY"
    APPLY_CHAIN = "APPLY_CHAIN"
    NOOP = "NOOP"
    NOTE = "NOTE"
    PARK = "PARK"
    TOMBSTONE = "TOMBSTONE"
    HOLD = "HOLD"
    ESCALATE = "ESCALATE"


MOVING: Final = frozenset({Outcome.APPLY, Outcome.APPLY_CHAIN})
"""The outcomes that may move a piece."""

CHANGING: Final = MOVING | {Outcome.HOLD}
"""The outcomes that change the book beyond keeping the fact."""


class Reason(StrEnum):
    """Why a decision is as it is. Stable strings: stored, shown and documented."""

    __hash__ = str.__hash__  # plain and fast: these are keys in every hot look-up

    DISPATCHED_ON_CHANNEL = "dispatched_on_channel"
    DISPATCHED_ON_CHANNEL_UNFULFILLABLE = "dispatched_on_channel_unfulfillable"
    DISPATCHED_ON_CHANNEL_UNSERVICEABLE = "dispatched_on_channel_unserviceable"
    DISPATCHED_ON_CHANNEL_MID_PICK = "dispatched_on_channel_mid_pick"
    ACCEPTED_BY_CHANNEL = "accepted_by_channel"
    IMPLIED_DISPATCH = "implied_dispatch"
    IMPLIED_DELIVERY = "implied_delivery"
    DISPATCH_UNPROVEN = "dispatch_unproven"
    DELIVERED_ON_CHANNEL = "delivered_on_channel"
    REDELIVERED = "redelivered"
    FOUND_AFTER_LOST = "found_after_lost"
    CANCELLED_ON_CHANNEL = "cancelled_on_channel"
    CANCELLED_BEFORE_IMPORT = "cancelled_before_import"
    CANCELLED_MID_PICK = "cancelled_mid_pick"
    CANCELLED_AFTER_INVOICE = "cancelled_after_invoice"
    CANCELLED_AFTER_MANIFEST = "cancelled_after_manifest"
    CANCELLED_AFTER_DISPATCH = "cancelled_after_dispatch"
    CANCELLED_BEFORE_DISPATCH = "cancelled_before_dispatch"
    CANCELLED_AFTER_DELIVERY = "cancelled_after_delivery"
    BUYER_CANCEL_REQUESTED = "buyer_cancel_requested"
    BUYER_CANCEL_WITHDRAWN = "buyer_cancel_withdrawn"
    TOO_LATE_OR_MOOT = "too_late_or_moot"
    RTO_ON_CHANNEL = "rto_on_channel"
    RTO_AFTER_DELIVERED = "rto_after_delivered"
    RTO_COMPLETED_ON_CHANNEL = "rto_completed_on_channel"
    CIR_ON_CHANNEL = "cir_on_channel"
    CIR_COMPLETED_ON_CHANNEL = "cir_completed_on_channel"
    RETURN_TYPE_CONFLICT = "return_type_conflict"
    RETURN_OF_CANCELLED = "return_of_cancelled"
    RETURN_OF_LOST = "return_of_lost"
    RETURN_WITHDRAWN = "return_withdrawn"
    RETURN_WITHDRAWN_UNSEEN = "return_withdrawn_unseen"
    RETURN_WITHDRAWN_AFTER_RECEIPT = "return_withdrawn_after_receipt"
    ALREADY_RETURNED = "already_returned"
    DISPATCHED_AFTER_CANCEL = "dispatched_after_cancel"
    DELIVERED_AFTER_CANCEL = "delivered_after_cancel"
    IN_TRANSIT_AFTER_CANCEL = "in_transit_after_cancel"
    DELIVERY_ATTEMPT_FAILED = "delivery_attempt_failed"
    LOST_IN_TRANSIT = "lost_in_transit"
    LOST_ON_THE_WAY_BACK = "lost_on_the_way_back"
    LOST_AFTER_DELIVERED = "lost_after_delivered"
    SUPERSEDED_BY_RETURN = "superseded_by_return"
    SUPERSEDED_BY_LOST = "superseded_by_lost"
    STALE_EVENT = "stale_event"
    ALREADY_AT_OR_PAST = "already_at_or_past"
    ORDER_UNKNOWN = "order_unknown"
    SETTLED_BY_PERSON = "settled_by_person"
    # Of gates and of the choice of pieces.
    SEQUENCE_MISSING = "sequence_missing"
    TENANT_NOT_LIVE = "tenant_not_live"
    CHANNEL_NOT_SHIPPING = "channel_not_shipping"
    ITEM_TRACEABILITY_NEEDS_SCAN = "item_traceability_needs_scan"
    FACILITY_INACTIVE = "facility_inactive"
    LINE_UNKNOWN = "line_unknown"
    QUANTITY_EXCEEDS = "quantity_exceeds"
    AMBIGUOUS_REPLACEMENT = "ambiguous_replacement"
    ACCOUNT_AUTH_FAILED = "account_auth_failed"
    # Of parcels whose pieces meet different fates.
    REPACKED_AFTER_CANCEL = "repacked_after_cancel"
    SHIPS_SHORT = "ships_short"


class Verb(StrEnum):
    """The acts of which a decision is made. Beside each: what it does to the book.

    The dated rules rest on the fields named here, so whoever carries a step out keeps them.
    """

    __hash__ = str.__hash__  # plain and fast: these are keys in every hot look-up

    VERIFY_ORDER = "verify_order"  # the order leaves PENDING_VERIFICATION
    ALLOCATE = "allocate"  # reserve stock for the piece, unless it has some
    CREATE_SHIPMENT = "create_shipment"  # put the piece in a parcel, unless it is in one
    RECORD_SHORTAGE = "record_shortage"  # nothing was promised to it: of the shelf, or a shortage
    CREATE_INVOICE = "create_invoice"  # the parcel's one invoice, unless it has it
    DISPATCH = "dispatch"  # to DISPATCHED; sets dispatched_at
    CLOSE_PICK_TASK = "close_pick_task"
    FILL_TRACKING = "fill_tracking"  # courier and tracking number where the book has none
    FILL_RETURN_TRACKING = "fill_return_tracking"  # same of the return; keeps newest notice time
    BACKFILL_DISPATCHED_AT = "backfill_dispatched_at"  # where empty or only implied
    BACKFILL_DELIVERED_AT = "backfill_delivered_at"  # where empty or only implied
    RENEW_DELIVERED_AT = "renew_delivered_at"  # newest; an older notice is then the false scan.
    # At DELIVERED it takes the mark of NOTE_FOUND along.
    NOTE_FOUND = "note_found"  # withdrawn_at = just before delivered_at: what was noticed is moot
    DELIVER = "deliver"  # to DELIVERED; sets delivered_at
    RELEASE_ALLOCATION = "release_allocation"  # stock back to sellable at once
    CANCEL_ITEM = "cancel_item"  # to CANCELLED; takes the piece out of its parcel
    VOID_INVOICE = "void_invoice"  # the number stays used
    OPEN_PUTAWAY = "open_putaway"  # :CANCELLED_ITEM :PICKLIST :RTO :CIR
    HOLD_PUTAWAY = "hold_putaway"  # freeze a pending putaway of the piece
    ALERT = "alert"  # :info :warning :critical
    ASK = "ask"  # an exception for a person, beside what is done
    BLOCK_DISPATCH = "block_dispatch"  # parcel blocked, piece.hold = cancelled_after_manifest
    CONFIRM_PULL = "confirm_pull"  # ask a person: parcel pulled back, or gone?
    EXPECT_RETURN = "expect_return"  # :RTO, to RETURN_EXPECTED; sets return_* and return_from
    MARK_RETURNED = "mark_returned"  # :RTO, to RETURNED
    WITHDRAW_RETURN_EXPECTATION = "withdraw_return_expectation"  # clears notice, keeps return_id
    CREATE_REVERSE_PICKUP = "create_reverse_pickup"  # to CIR_CREATED; sets return_*, return_from
    COMPLETE_REVERSE_PICKUP = "complete_reverse_pickup"  # to CIR_COMPLETE
    CANCEL_REVERSE_PICKUP = "cancel_reverse_pickup"  # clears notice, keeps return_id
    NOTE_WITHDRAWAL = "note_withdrawal"  # withdrawn_at = newest; return_id where empty
    MARK_NOT_RECEIVED = "mark_not_received"  # the return will not arrive
    EXPECT_PARCEL = "expect_parcel"  # tell the warehouse of a parcel nobody ordered back
    NOTE_CANCELLATION = "note_cancellation"  # cancelled_at = newest, of a piece that had left
    NOTE_LOSS = "note_loss"  # lost_at = newest
    NOTE_RETURN = "note_return"  # :RTO :CIR :none, that in which a LOST one was; CIR: delivered_at
    RENEW_HOLD = "renew_hold"  # held_at = newest
    HOLD_ITEM = "hold_item"  # piece.hold = buyer_cancel_requested; held_at = event time
    RELEASE_HOLD = "release_hold"  # hold and held_at cleared; CANCEL_WITHDRAWN: uncancelled_at
    NOTE_ATTEMPT = "note_attempt"  # a failed delivery attempt
    START_RTO_TIMER = "start_rto_timer"
    OPEN_CLAIM = "open_claim"  # to LOST; sets lost_at; a claim against the courier
    CLOSE_CLAIM = "close_claim"
    PARK = "park"  # keep the fact to be decided again
    REQUEST_IMPORT = "request_import"  # ask the channel for the order
    TOMBSTONE = "tombstone"  # a later import of the order is born cancelled
    # Of a person's word alone, when an exception is settled.
    RETRIEVE = "retrieve"  # out of its putaway, or else from stock, or a shortage
    LEAVE_PARCEL = "leave_parcel"  # out of the parcel it was cancelled in
    CANCEL_PUTAWAY = "cancel_putaway"  # its open putaway is called off; no stock moves
    RELEASE_PUTAWAY = "release_putaway"  # its stopped putaway may be completed
    UNBLOCK_PARCEL = "unblock_parcel"  # unless another piece of it is cancelled on the manifest
    CHANGE_RETURN = "change_return"  # :RTO :CIR, the same return by its right name
    UNDELIVER = "undeliver"  # the delivery was not true: on its way to the buyer
    RESUME_TRANSIT = "resume_transit"  # it was not lost: on its way again
    END_CLAIM = "end_claim"  # :sold :outside, what a lost piece counts as for good


class Since(StrEnum):
    """What a dated rule compares a fact's event time with."""

    NOTICE = "notice"  # piece.return_noticed_at
    WITHDRAWAL = "withdrawal"  # piece.withdrawn_at, of the same return, unless cancelled since
    EARLIER_WITHDRAWAL = "earlier_withdrawal"  # one from before it came to where it is
    CALLED_OFF = "called_off"  # piece.withdrawn_at, where no delivery ended the return
    REQUEST = "request"  # piece.held_at, of a buyer's wish to cancel
    REQUEST_WITHDRAWAL = "request_withdrawal"  # piece.uncancelled_at
    DISPATCH = "dispatch"  # piece.dispatched_at
    DELIVERY = "delivery"  # piece.delivered_at
    REDELIVERY = "redelivery"  # piece.withdrawn_at, where a delivery ended the return
    CANCELLATION = "cancellation"  # piece.cancelled_at, told after it had left
    LATE_CANCELLATION = "late_cancellation"  # piece.cancelled_at, of one that was delivered
    LOSS = "loss"  # piece.lost_at
    FOUND = "found"  # piece.changed_at of a piece that had been lost
    RECEIPT = "receipt"  # piece.changed_at of a piece that is back
    BUYERS_NOTICE = "buyers_notice"  # piece.return_noticed_at, where the buyer sends it back
    BUYERS_RETURN = "buyers_return"  # nothing is newer once the buyer has sent it back
    LOSS_OF_BUYERS_RETURN = "loss_of_buyers_return"  # the loss, if it was on that way
    LOSS_OF_DELIVERY = "loss_of_delivery"  # the loss, if it was on its way to the buyer
    LOSS_OF_RETURN = "loss_of_return"  # the loss, if it was on its way back by the courier
    LATE_LOSS = "late_loss"  # the loss of one that was delivered


RANK: Final[Mapping[Position, int | None]] = MappingProxyType(
    {
        Position.UNKNOWN_ORDER: None,
        Position.PENDING_VERIFICATION: 1,
        Position.UNFULFILLABLE: 2,
        Position.LOCATION_NOT_SERVICEABLE: 3,
        Position.FULFILLABLE: 5,
        Position.CREATED: 10,
        Position.PICKING: 20,
        Position.PICKED: 30,
        Position.PACKED: 40,
        Position.READY_TO_SHIP: 50,
        Position.MANIFESTED: 60,
        Position.DISPATCHED: 70,
        Position.SHIPPED: 75,
        Position.DELIVERED: 80,
        Position.CANCELLED: None,
        Position.RETURN_EXPECTED: 85,
        Position.RETURNED: 90,
        Position.RETURN_ACKNOWLEDGED: 95,
        Position.CIR_CREATED: 86,
        Position.CIR_COMPLETE: 96,
        Position.LOST: None,
    }
)
"""How far a piece has come. ``None``: not on that line, decided by its cells alone."""

OF_RETURNS: Final = frozenset(
    {
        Event.RETURN_NOTICED_RTO,
        Event.RETURN_NOTICED_CIR,
        Event.RETURNED_RTO,
        Event.RETURNED_CIR,
        Event.RETURN_WITHDRAWN,
    }
)
"""What is told of a return, by its id where the channel has one."""

EVENT_RANK: Final[Mapping[Event, int]] = MappingProxyType(
    {
        Event.DISPATCHED: 10,
        Event.UNDELIVERED: 20,
        Event.DELIVERED: 30,
        Event.RETURN_NOTICED_RTO: 40,
        Event.RETURN_NOTICED_CIR: 41,
        Event.LOST: 50,
        Event.RETURN_WITHDRAWN: 60,
        Event.RETURNED_RTO: 70,
        Event.RETURNED_CIR: 71,
        Event.CANCEL_REQUESTED: 80,
        Event.CANCEL_WITHDRAWN: 81,
        Event.CANCELLED: 90,
    }
)
"""The order of facts with equal event times: what happened to the parcel before what was said
of the order, each in the order in which it can be true."""

_EVENTS: Final[Mapping[tuple[Status, ReturnType | None], Event]] = MappingProxyType(
    {
        (Status.RETURN_NOTICED, ReturnType.RTO): Event.RETURN_NOTICED_RTO,
        (Status.RETURN_NOTICED, ReturnType.CIR): Event.RETURN_NOTICED_CIR,
        (Status.RETURNED, ReturnType.RTO): Event.RETURNED_RTO,
        (Status.RETURNED, ReturnType.CIR): Event.RETURNED_CIR,
        **{
            (status, kind): Event(status.value)
            for status in Status
            if status.value in Event.__members__
            for kind in (None, *ReturnType)
        },
    }
)


def event_of(status: Status, return_type: ReturnType | None) -> Event | None:
    """The event of a status. ``None`` for UNKNOWN, and for a return that lacks its type."""
    return _EVENTS.get((status, return_type))
