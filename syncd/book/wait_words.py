"""Sentences about what has waited too long, and what a person should do about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Final

from syncd.clock import from_micros
from syncd.rules.overdue import Wait

WAIT_CODES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "order_unknown_too_long": (
            "The channel speaks of an order, or of a line of one, that has not come into the book "
            "for too long.",
            "Ask for it: syncctl trigger ACCOUNT --order ORDER --wait. If the channel does not "
            "bring it, import it from a file with: syncctl import --account ACCOUNT FILE. If it "
            "is not yours, set aside what was said of it: syncctl failed --account ACCOUNT",
        ),
        "dispatch_unproven_too_long": (
            "The channel speaks of a parcel that, as far as the book knows, never left, and "
            "nothing has proven for too long that it did.",
            "Look at the order in the panel. If it left, say so: syncctl warehouse ORDER "
            "DISPATCHED. If it did not, set the change aside: syncctl failed --account ACCOUNT",
        ),
        "rto_overdue": (
            "A parcel that the courier was to bring back undelivered has not arrived in time.",
            "Look for it in the warehouse, then ask the channel: syncctl trigger ACCOUNT --order "
            "ORDER --wait. If it is in neither place, claim it from the courier.",
        ),
        "cir_overdue": (
            "What the buyer was to send back has not arrived in time.",
            "Look for it in the warehouse, then ask the channel: syncctl trigger ACCOUNT --order "
            "ORDER --wait. If the return was refunded and never came, claim it.",
        ),
        "no_word_after_attempt": (
            "A delivery attempt failed, and nothing was heard of the parcel since.",
            "Follow its tracking number at the courier, then ask the channel: syncctl trigger "
            "ACCOUNT --order ORDER --wait",
        ),
        "claim_due": (
            "It was lost, and the time for a claim has passed.",
            "Claim it from the courier now, if you have not, and settle the exception.",
        ),
        "cancel_wish_waits": (
            "The buyer has asked to cancel, and the channel has not decided yet.",
            "Answer the buyer's request in the panel, then ask the channel: syncctl trigger "
            "ACCOUNT --order ORDER --wait. Do not ship it meanwhile.",
        ),
        "exception_waits": (
            "Two things cannot both be true, or something does not fit, and nobody has said yet "
            "what is right.",
            "Look at both sides and settle it: syncctl exceptions --account ACCOUNT",
        ),
        "putaway_overdue": (
            "A piece has waited too long for a shelf, and cannot be sold until it is on one.",
            "Put it away and say what you found: syncctl putaway --account ACCOUNT",
        ),
        "held_putaway_overdue": (
            "A piece's putaway has been stopped for too long by an exception.",
            "Settle the exception of its order: syncctl exceptions --account ACCOUNT",
        ),
        "refused_too_long": (
            "Something that the channel said has been refused for too long.",
            "See why, and what helps: syncctl failed --account ACCOUNT",
        ),
        "fact_expired": (
            "Its order never came, so it is no open work any more. It still counts, should the "
            "order come.",
            "",
        ),
        "tombstone_expired": (
            "The order was cancelled before it was known here and never came, so it is no open "
            "work any more. Should it come, it still begins as cancelled.",
            "",
        ),
    }
)

_DONE: Final[Mapping[Wait, str]] = {
    Wait.ORDER: "What the channel said waits for this order, or for a line of it,",
    Wait.DISPATCH: "A change waits for a dispatch that nobody has told of",
    Wait.RTO: "Expected back undelivered",
    Wait.CIR: "Expected back from the buyer",
    Wait.ATTEMPT: "No word of the parcel after a failed delivery",
    Wait.CLAIM: "Lost",
    Wait.CANCEL_WISH: "The buyer's wish to cancel waits for the channel's word",
    Wait.EXCEPTION: "An exception waits for a person",
    Wait.PUTAWAY: "It waits for a shelf",
    Wait.HELD_PUTAWAY: "Its putaway is stopped",
    Wait.REFUSED: "A change is refused",
    Wait.KEPT_FACT: "A change is kept until its order comes",
    Wait.TOMBSTONE: "A cancellation is kept until its order comes",
}

_MANY: Final[Mapping[Wait, tuple[str, str]]] = {
    Wait.ORDER: ("order that is not in the book", "orders that are not in the book"),
    Wait.DISPATCH: ("order with an unproven dispatch", "orders with an unproven dispatch"),
    Wait.RTO: ("piece to come back undelivered", "pieces to come back undelivered"),
    Wait.CIR: ("piece to come back from a buyer", "pieces to come back from buyers"),
    Wait.ATTEMPT: ("piece after a failed delivery", "pieces after a failed delivery"),
    Wait.CLAIM: ("claim for a lost piece", "claims for lost pieces"),
    Wait.CANCEL_WISH: ("buyer's wish to cancel", "buyers' wishes to cancel"),
    Wait.EXCEPTION: ("exception that is not settled", "exceptions that are not settled"),
    Wait.PUTAWAY: ("piece for a shelf", "pieces for a shelf"),
    Wait.HELD_PUTAWAY: ("stopped putaway", "stopped putaways"),
    Wait.REFUSED: ("refused change", "refused changes"),
    Wait.KEPT_FACT: ("kept change", "kept changes"),
    Wait.TOMBSTONE: ("kept cancellation", "kept cancellations"),
}


def waited(micros: int) -> str:
    """A span in words, in its largest unit: ``23 days``, ``1 hour``, ``less than a minute``."""
    seconds = micros // 1_000_000
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return "less than a minute"


def waits_text(wait: Wait, line: str, since: int, due: int, now: int, zone: tzinfo = UTC) -> str:
    """One sentence: what waits since when, how long, and when that was or is too long."""
    where = f"Line {line}: " if line else ""
    began, limit = (from_micros(at).astimezone(zone) for at in (since, due))
    late = f"{'overdue since' if due <= now else 'due'} {limit:%d %b %Y %H:%M %Z}"
    return (
        f"{where}{_DONE[wait]} since {began:%d %b %Y %H:%M %Z}, {waited(max(0, now - since))}; "
        f"{late}."
    )


def opened_text(wait: Wait, line_id: str, piece: int | None, since: int, span: int) -> str:
    """The message of an exception that the waiting itself opens."""
    place = f"line {line_id}" + ("" if piece is None else f" piece {piece + 1}")
    where = f" ({place})" if line_id else ""
    return (
        f"{_DONE[wait]}{where} since {_utc(since)}; the limit of {waited(span)} passed at "
        f"{_utc(since + span)}."
    )


def _utc(at: int) -> str:
    return f"{from_micros(at):%Y-%m-%d %H:%M} UTC"


def overdue_text(wait: Wait, account: str, count: int, oldest: int, now: int) -> str:
    """A sentence for the status: how many of an account have waited too long."""
    one, many = _MANY[wait]
    if wait is Wait.CANCEL_WISH:
        verb = "waits" if count == 1 else "wait"
        return (
            f"{account}: {count} {one if count == 1 else many} {verb} for the channel's word for "
            f"{waited(now - oldest)}. Answer in the panel. See: syncctl overdue --account {account}"
        )
    verb = "is" if count == 1 else "are"
    longest = "" if count == 1 else "the longest "
    return (
        f"{account}: {count} {one if count == 1 else many} {verb} overdue, {longest}waiting for "
        f"{waited(now - oldest)}. See: syncctl overdue --account {account}"
    )
