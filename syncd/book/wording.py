"""Sentences for stable codes: what each means, and what a person should do about it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from syncd.book.documents import proposed_prefix
from syncd.book.wait_words import WAIT_CODES
from syncd.rules import Position, Reason, Verb


class Words(Struct, frozen=True):
    """``means`` is a whole sentence; ``do`` says what to do, empty when nothing is.

    In ``do`` the words ACCOUNT, FACILITY, ID, ORDER, PREFIX, SKU and TENANT stand for what a
    person must type there: see :func:`advice`.
    """

    means: str
    do: str = ""


REASONS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        Reason.DISPATCHED_ON_CHANNEL: Words("The channel shipped it, so it was dispatched here."),
        Reason.DISPATCHED_ON_CHANNEL_UNFULFILLABLE: Words(
            "The channel shipped it although the book had promised it no stock, so it was "
            "dispatched; what the shelf lacks is a shortage.",
            "If it is one, find out where the piece came from, then settle it with: syncctl stock "
            'adjust FACILITY SKU 1 --bucket shortage --note "..."',
        ),
        Reason.DISPATCHED_ON_CHANNEL_UNSERVICEABLE: Words(
            "The channel shipped it although no courier served the address here.",
        ),
        Reason.DISPATCHED_ON_CHANNEL_MID_PICK: Words(
            "The channel shipped it while it was being picked; the picking was closed.",
            "Tell the pickers that the piece has left.",
        ),
        Reason.ACCEPTED_BY_CHANNEL: Words(
            "The channel shipped it, which settles that the order is valid."
        ),
        Reason.IMPLIED_DISPATCH: Words(
            "Nobody had told of a dispatch, but this proves that there was one, so the missing "
            "steps were done first."
        ),
        Reason.IMPLIED_DELIVERY: Words(
            "Nobody had told of a delivery, but a buyer's return proves it, so it was noted first."
        ),
        Reason.DISPATCH_UNPROVEN: Words(
            "It speaks of a parcel that, as far as the book knows, never left. It waits for the "
            "dispatch, or for a tracking number or ship date that proves it.",
            "If it waits for days, look the order up in the panel.",
        ),
        Reason.DELIVERED_ON_CHANNEL: Words("The buyer received it."),
        Reason.REDELIVERED: Words(
            "A courier was on the way back with it and then delivered it after all."
        ),
        Reason.FOUND_AFTER_LOST: Words("It had been given up as lost and was found."),
        Reason.CANCELLED_ON_CHANNEL: Words(
            "It was cancelled before it was invoiced; stock reserved for it is free again."
        ),
        Reason.CANCELLED_BEFORE_IMPORT: Words(
            "The channel had cancelled it before the order was known here."
        ),
        Reason.CANCELLED_MID_PICK: Words(
            "It was cancelled while it was being picked.",
            "Bring it back from the picking and complete its putaway.",
        ),
        Reason.CANCELLED_AFTER_INVOICE: Words(
            "It was cancelled after it was invoiced. Only a putaway makes it sellable again.",
            "Take it out of its parcel and complete its putaway.",
        ),
        Reason.CANCELLED_AFTER_MANIFEST: Words(
            "It was cancelled when its parcel was already handed over in a manifest, so the "
            "parcel is blocked.",
            "Stop the parcel at the door, or expect it back.",
        ),
        Reason.CANCELLED_AFTER_DISPATCH: Words(
            "It was cancelled after it had left, so the parcel is expected back."
        ),
        Reason.CANCELLED_BEFORE_DISPATCH: Words(
            "The channel had cancelled it before it left, and only tells so now.",
            "Find out where the parcel is: call it back or expect it back, and settle the "
            "exception.",
        ),
        Reason.CANCELLED_AFTER_DELIVERY: Words(
            "The channel cancelled something that the buyer already has. Both cannot be true.",
            "Look at the order in the panel and settle the exception.",
        ),
        Reason.BUYER_CANCEL_REQUESTED: Words(
            "The buyer asked to cancel, so it was stopped until the channel decides.",
            "Do not ship it; wait for the channel's word.",
        ),
        Reason.BUYER_CANCEL_WITHDRAWN: Words(
            "The buyer's wish to cancel was withdrawn, so it may go on."
        ),
        Reason.TOO_LATE_OR_MOOT: Words("It came too late to change anything."),
        Reason.RTO_ON_CHANNEL: Words("The courier is bringing the parcel back undelivered."),
        Reason.RTO_AFTER_DELIVERED: Words(
            "The courier brings back something that was reported delivered; the delivery scan "
            "was probably wrong."
        ),
        Reason.RTO_COMPLETED_ON_CHANNEL: Words(
            "The courier brought the parcel back.", "Check the piece and complete its putaway."
        ),
        Reason.CIR_ON_CHANNEL: Words("The buyer is sending it back."),
        Reason.CIR_COMPLETED_ON_CHANNEL: Words(
            "The buyer's return arrived.", "Check the piece and complete its putaway."
        ),
        Reason.RETURN_TYPE_CONFLICT: Words(
            "The channel calls one return both a courier's and a buyer's. Both cannot be true.",
            "Look at the return in the panel and settle the exception.",
        ),
        Reason.RETURN_OF_CANCELLED: Words(
            "The channel reports a return of something that is cancelled here, so it may have "
            "been shipped after its cancellation.",
            "Expect a parcel, find out how it left, and settle the exception.",
        ),
        Reason.RETURN_OF_LOST: Words(
            "The channel reports a buyer's return of something that was lost.",
            "Look at the order in the panel and settle the exception.",
        ),
        Reason.RETURN_WITHDRAWN: Words(
            "The return was called off, so it stands where it stood before."
        ),
        Reason.RETURN_WITHDRAWN_UNSEEN: Words(
            "A return was called off that the book had never heard of; nothing to undo."
        ),
        Reason.RETURN_WITHDRAWN_AFTER_RECEIPT: Words(
            "A return was called off after it had arrived here. Both cannot be true.",
            "Check whether the piece is really here and settle the exception.",
        ),
        Reason.ALREADY_RETURNED: Words("It is back already; nothing to do."),
        Reason.DISPATCHED_AFTER_CANCEL: Words(
            "The channel says that it left, but it is cancelled here.",
            "Find out whether the piece left, and settle the exception.",
        ),
        Reason.DELIVERED_AFTER_CANCEL: Words(
            "The channel says that the buyer received it, but it is cancelled here.",
            "Find out how it left, and settle the exception.",
        ),
        Reason.IN_TRANSIT_AFTER_CANCEL: Words(
            "The courier has it, but it is cancelled here.",
            "Find out how it left, and settle the exception.",
        ),
        Reason.DELIVERY_ATTEMPT_FAILED: Words("A delivery attempt failed; it is still on its way."),
        Reason.LOST_IN_TRANSIT: Words(
            "The courier lost it on the way to the buyer.", "Claim it from the courier."
        ),
        Reason.LOST_ON_THE_WAY_BACK: Words(
            "It was lost on its way back.", "Claim it from the courier."
        ),
        Reason.LOST_AFTER_DELIVERED: Words(
            "It was reported lost after it was delivered. Both cannot be true.",
            "Look at the order in the panel and settle the exception.",
        ),
        Reason.SUPERSEDED_BY_RETURN: Words("A return has overtaken this; nothing to do."),
        Reason.SUPERSEDED_BY_LOST: Words("It is lost, which overtakes this; nothing to do."),
        Reason.STALE_EVENT: Words("It is older than what the book knows; nothing to do."),
        Reason.ALREADY_AT_OR_PAST: Words("The book knew that already; nothing to do."),
        Reason.SETTLED_BY_PERSON: Words(
            "A person has settled this with the evidence before them; only what happened later "
            "changes the piece again."
        ),
        Reason.ORDER_UNKNOWN: Words(
            "The order is not in the book, so this is kept until it comes.",
            "Import the order: syncctl trigger ACCOUNT --task orders, or from a file with: "
            "syncctl import --account ACCOUNT FILE",
        ),
        Reason.LINE_UNKNOWN: Words(
            "The order is in the book, but not the line that this is about; it is kept until the "
            "line comes.",
            "Compare the lines with the panel's: syncctl order ORDER --account ACCOUNT. If the "
            "panel has this line too, fetch the order again: syncctl trigger ACCOUNT --task orders "
            "--order ORDER. If it is another name of a line that the book has, say of which: "
            "syncctl retry ID --as-line LINE. If it is about nothing here, set it aside: "
            'syncctl failed --ignore ID --note "..."',
        ),
        Reason.SEQUENCE_MISSING: Words(
            "The facility has no invoice sequence, so nothing was done for this order.",
            "Define the sequence, the order is then tried again: syncctl sequence set FACILITY "
            "SALE_INVOICE --prefix PREFIX",
        ),
        Reason.TENANT_NOT_LIVE: Words(
            "The tenant is not live, so nothing is synced for it.",
            "Set the tenant live: syncctl tenant live TENANT",
        ),
        Reason.CHANNEL_NOT_SHIPPING: Words(
            "The seller ships this order, not the channel, so the channel only repeats what the "
            "seller did."
        ),
        Reason.ITEM_TRACEABILITY_NEEDS_SCAN: Words(
            "The facility traces every piece, so this one must be scanned and packed first.",
            "Scan and pack it, the dispatch is then tried again: syncctl warehouse ORDER PACKED",
        ),
        Reason.FACILITY_INACTIVE: Words(
            "The facility is switched off, so nothing was done for this order.",
            "Switch it on again, the order is then tried again: syncctl facility FACILITY --state "
            "ACTIVE",
        ),
        Reason.QUANTITY_EXCEEDS: Words(
            "The channel speaks of more pieces than the order has; what fits was done.",
            "Compare the order with the panel.",
        ),
        Reason.AMBIGUOUS_REPLACEMENT: Words(
            "The channel uses one order id for an order and its replacement, and nothing tells "
            "which of the two it means.",
            "Look at the order in the panel and settle the exception.",
        ),
        Reason.REPACKED_AFTER_CANCEL: Words(
            "A piece of its packed parcel was cancelled. The parcel's invoice is void; what is "
            "left of it is in a new parcel, to be packed and invoiced again.",
            "Take the cancelled piece out, and the old label and invoice off; then pack the rest "
            "again: syncctl warehouse ORDER PACKED",
        ),
        Reason.SHIPS_SHORT: Words(
            "Its parcel goes without a piece that is cancelled, under an invoice that lists it.",
            "Take the cancelled piece out and tell the buyer, or correct the invoice.",
        ),
        Reason.ACCOUNT_AUTH_FAILED: Words(
            "The panel refuses the account's credentials.",
            "Put the credentials right, then: syncctl resume ACCOUNT",
        ),
    }
)
"""One entry for every reason of the rules; a test holds it complete."""

SETTLED: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "settled_reopen": Words("A person found that it was shipped after all."),
        "settled_expect_rto": Words("A person expects it back undelivered."),
        "settled_expect_cir": Words("A person expects it back from the buyer."),
        "settled_dismiss": Words("A person looked into it and found the book right."),
        "settled_pulled": Words("A person pulled it out of its parcel in time."),
        "settled_gone": Words(
            "A person found that it had left on the truck although it was cancelled."
        ),
        "settled_rto": Words("A person found that the courier brings it back undelivered."),
        "settled_cir": Words("A person found that the buyer sends it back."),
        "settled_lost": Words("A person found that it is lost.", "Claim it from the courier."),
        "settled_found": Words("A person found that it was not lost."),
        "settled_delivered": Words("A person found that the buyer has it."),
        "settled_received": Words("A person found that the return is here."),
        "settled_not_received": Words("A person found that the return never came."),
        "settled_claim_paid": Words("The courier paid for it; it counts as sold."),
        "settled_written_off": Words("A person wrote it off; it has left the stock for good."),
    }
)
"""One entry for every choice by which an exception is settled; a test holds it complete."""

OTHER_CODES: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "unreadable_row": Words(
            "The row could not be used; it is kept as it came.",
            "See what it says is wrong. A word that is in no map goes into the account's map of "
            "words, if its channel has one (status_map; statuses for files); then have it told "
            "again, syncctl trigger ACCOUNT --days N, and the row of a line that is read now "
            "closes by itself. Else do by hand what the row says, or update the plugin, and set it "
            "aside: "
            'syncctl failed --ignore ID --note "..."',
        ),
        "internal_error": Words(
            "The program failed on this order and changed nothing of it; it is tried again.",
            "Please report it with the message.",
        ),
        "facts_unreadable": Words(
            "What the book keeps of the order for its channel is damaged.",
            "Have it told anew: syncctl trigger ACCOUNT --task orders --order ORDER",
        ),
        "stock_allocated": Words("Stock came and was promised to it."),
        "moved_by_hand": Words("The warehouse moved it on by hand."),
        "cleared_by_hand": Words("A person let it go on: it is verified, and a courier takes it."),
        "parcel_split": Words("Its parcel was divided by hand."),
        "parcels_merged": Words("Its parcel was put together with another by hand."),
        "putaway_good": Words("It was put on the shelf as good and is sellable again."),
        "putaway_bad": Words("It was put away as bad stock."),
        "putaway_qc_rejected": Words("It failed the quality check and was put away as bad stock."),
        "putaway_not_received": Words(
            "The warehouse did not find it; it is counted as not found.",
            "Claim it from the courier.",
        ),
        **SETTLED,
        "brake_on": Words(
            "The safety brake is on: a pass would have cancelled too much at once.",
            "See what it would cancel, and say whether that is true: syncctl brake --account "
            "ACCOUNT",
        ),
        "ledger_imbalance": Words(
            "A run cannot account for every fact that it fetched.", "Please report it."
        ),
        "may_ship": Words("Nothing stands in the way, it may leave."),
        "without_cancelled": Words("It may leave without the pieces that are cancelled."),
        "already_left": Words("It has left already."),
        "parcel_cancelled": Words("Everything in it is cancelled, so it must stay here."),
        "parcel_replaced": Words("It was split or merged; ask for the parcel that it became."),
        "package_blocked": Words("The parcel is blocked, so it must stay here."),
        "piece_held": Words("A piece of it is on hold, so it must stay here."),
        "cancel_undecided": Words(
            "The channel has cancelled some of it, or the buyer asked for that, and no pass has "
            "decided it yet; it must stay here until then."
        ),
        "cancel_unclear": Words(
            "The channel has cancelled something, or the buyer asked for that, of a line that the "
            "book lacks or cannot tell from its replacement; it must stay here until somebody "
            "knows which."
        ),
        "told_left": Words(
            "The panel already says it has left, and the book has not followed yet; it must not "
            "be sent a second time."
        ),
        "not_verified": Words(
            "It is not verified, or no courier serves its address, so it must stay here."
        ),
        "stock_missing": Words("The stock for some of it is missing, so it must stay here."),
        "order_grown": Words("More pieces came into the order."),
        "fact_retry": Words("A person asked to have this decided again."),
        "fact_ignore": Words("This was set aside."),
        **{code: Words(*words) for code, words in WAIT_CODES.items()},
    }
)
"""Codes that no rule gives: of the journal, and of people's acts."""

_UNKNOWN: Final = Words("", "Ask the maintainers what this code means.")


def words_for(code: str) -> Words:
    """What a code means. An unknown code gives a sentence that shows the code itself."""
    found = REASONS.get(code) or OTHER_CODES.get(code)
    return found or Words(f"Recorded as {code}." if code else "", _UNKNOWN.do if code else "")


SAID: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DISPATCHED": "was dispatched",
        "DELIVERED": "was delivered",
        "CANCELLED": "is cancelled",
        "RETURN_NOTICED": "is coming back",
        "RETURN_NOTICED_RTO": "is coming back undelivered",
        "RETURN_NOTICED_CIR": "is being sent back by the buyer",
        "RETURNED": "is back at the seller",
        "RETURNED_RTO": "is back at the seller, undelivered",
        "RETURNED_CIR": "is back at the seller, sent back by the buyer",
        "RETURN_WITHDRAWN": "does not come back after all",
        "CANCEL_REQUESTED": "may be cancelled, for the buyer has asked",
        "CANCEL_WITHDRAWN": "is wanted after all",
        "UNDELIVERED": "could not be delivered at an attempt",
        "LOST": "is lost",
        "UNKNOWN": "has something that could not be read",
    }
)
"""How a status or event reads after «The channel said that line L1 …»."""

STANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Position.UNKNOWN_ORDER: "not in the book",
        Position.PENDING_VERIFICATION: "waiting to be verified",
        Position.UNFULFILLABLE: "waiting for stock",
        Position.LOCATION_NOT_SERVICEABLE: "at an address that no courier serves",
        Position.FULFILLABLE: "ready to be packed, stock is reserved",
        Position.CREATED: "in a parcel that is not picked yet",
        Position.PICKING: "being picked",
        Position.PICKED: "picked",
        Position.PACKED: "packed and invoiced",
        Position.READY_TO_SHIP: "packed with a label, ready to ship",
        Position.MANIFESTED: "in a closed manifest, waiting for the courier",
        Position.DISPATCHED: "dispatched",
        Position.SHIPPED: "on its way to the buyer",
        Position.DELIVERED: "delivered",
        Position.CANCELLED: "cancelled",
        Position.RETURN_EXPECTED: "on its way back undelivered",
        Position.RETURNED: "back undelivered, not on a shelf yet",
        Position.RETURN_ACKNOWLEDGED: "back and put away",
        Position.CIR_CREATED: "on its way back from the buyer",
        Position.CIR_COMPLETE: "back from the buyer",
        Position.LOST: "lost",
    }
)
"""How a position reads after «It is …»."""

STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Verb.ALLOCATE: "stock was reserved",
        Verb.CREATE_SHIPMENT: "a parcel was made",
        Verb.RECORD_SHORTAGE: "its stock was taken, or a shortage recorded",
        Verb.CREATE_INVOICE: "the parcel was invoiced",
        Verb.DISPATCH: "it was marked dispatched",
        Verb.DELIVER: "it was marked delivered",
        Verb.NOTE_RETURN: "the way on which it was lost was put right",
        Verb.RELEASE_ALLOCATION: "its stock was freed",
        Verb.CANCEL_ITEM: "it was cancelled",
        Verb.OPEN_PUTAWAY: "a putaway was opened",
        Verb.HOLD_PUTAWAY: "its putaway was stopped",
        Verb.BLOCK_DISPATCH: "its parcel was blocked",
        Verb.EXPECT_RETURN: "it is expected back",
        Verb.MARK_RETURNED: "it was marked returned",
        Verb.WITHDRAW_RETURN_EXPECTATION: "the return was called off",
        Verb.CREATE_REVERSE_PICKUP: "a buyer's return was opened",
        Verb.COMPLETE_REVERSE_PICKUP: "the buyer's return was completed",
        Verb.CANCEL_REVERSE_PICKUP: "the buyer's return was called off",
        Verb.HOLD_ITEM: "it was put on hold",
        Verb.RELEASE_HOLD: "its hold was released",
        Verb.OPEN_CLAIM: "a claim was opened",
        Verb.CLOSE_CLAIM: "the claim was closed",
        Verb.RETRIEVE: "it was taken from its putaway or from stock",
        Verb.CANCEL_PUTAWAY: "its putaway was called off",
        Verb.RELEASE_PUTAWAY: "its putaway may be completed",
        Verb.CHANGE_RETURN: "its return was given its right name",
        Verb.UNDELIVER: "its delivery was taken back",
        Verb.RESUME_TRANSIT: "it is on its way again",
        Verb.END_CLAIM: "its claim was ended",
    }
)
"""Steps worth telling; the others are bookkeeping that the sentence of the reason covers.

Whether an invoice was voided, the step alone does not say: the story looks at the invoice.
"""

ACCOUNT_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CONNECTED": "connected",
        "AUTH_FAILED": "stopped: credentials refused",
        "PAUSED": "paused",
        "DISABLED": "switched off in the configuration",
    }
)

REFUSED_BEFORE: Final = "; its credentials were refused before: "
"""In the stored reason of a paused account, between the pause and the panel's refusal."""


def split_refusal(reason: str) -> tuple[str, str]:
    """The reason of a pause, and why the panel had refused the credentials before, or empty."""
    pause, _, refusal = reason.partition(REFUSED_BEFORE)
    return pause, refusal


SHORT: Final = 60


def short_reason(message: str) -> str:
    """The first sentence of a run's message, cut to fit a table."""
    first = message.split(". ", 1)[0].removesuffix(".")
    return first if len(first) <= SHORT else f"{first[: SHORT - 1].rstrip()}…"


PUTAWAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CANCELLED_ITEM": "Cancelled after invoicing: take it out of its parcel, put it away.",
        "PICKLIST": "Cancelled while being picked: bring it back, put it away.",
        "RTO": "Brought back undelivered: check it, put it away.",
        "CIR": "Sent back by the buyer: check it, put it away.",
    }
)
"""Why a piece must be put away, by the kind of its putaway."""


def told(event: str, *, many: bool = False) -> str:
    """How an event reads after its subject; ``many`` for a subject of several pieces."""
    plain = event.removesuffix("_RTO").removesuffix("_CIR")
    text = SAID.get(event) or SAID.get(plain, f"has the status {event}")
    verb, _, rest = text.partition(" ")
    return f"{_OF_MANY.get(verb, verb)} {rest}" if many else text


_OF_MANY: Final = {"is": "are", "was": "were", "has": "have", "does": "do"}


def pieces(count: int) -> str:
    """``1 piece``, ``2 pieces``."""
    return "1 piece" if count == 1 else f"{count} pieces"


def listed(names: Iterable[str], most: int = 5) -> str:
    """``a``, ``a and b``, ``a, b and 7 more``: at most so many names in a sentence."""
    every = list(names)
    told = every[:most]
    if len(every) > most:
        told.append(f"{len(every) - most} more")
    return " and ".join([", ".join(told[:-1]), told[-1]]) if len(told) > 1 else "".join(told)


def times(count: int) -> str:
    """``once``, ``3 times``."""
    return "once" if count == 1 else f"{count} times"


def steps_told(steps: str) -> list[str]:
    """The clauses for a record's comma separated verbs, each once, in their order."""
    return [STEPS[verb] for verb in verbs_of(steps) if verb in STEPS]


def verbs_of(steps: str) -> Iterable[str]:
    """The verbs of a record's steps, each once, without their arguments."""
    verbs = (step.split(":")[0].removeprefix("imply_") for step in steps.split(",") if step)
    return dict.fromkeys(verbs)


def advice(code: str, **known: str) -> str:
    """What to do about a code, with what is ``known`` in its place: ``facility="WH2"``.

    Each is quoted for a shell; a place that is not known keeps its word, for a person to fill.
    """
    if known.get("facility"):
        known["prefix"] = proposed_prefix(known["facility"])
    given = {name.upper(): shlex.quote(value) for name, value in known.items() if value}
    return _PLACES.sub(lambda found: given.get(found[0], found[0]), words_for(code).do)


_PLACES: Final = re.compile(r"\b(?:ACCOUNT|FACILITY|ID|ORDER|PREFIX|SKU|TENANT)\b")
