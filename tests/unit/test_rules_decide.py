"""What a fact does to a piece, where more than its event matters."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.rules import (
    RANK,
    TABLE,
    Cell,
    Decision,
    Event,
    Fact,
    Outcome,
    Piece,
    Position,
    Reason,
    Verb,
    answered_by,
    decide,
    decide_unknown,
)
from tests.unit.rulekit import DAY, fact, piece

BEFORE_DISPATCH = [p for p in Position if (RANK[p] or 99) < 70]
EARLIER, THEN, LATER = 3 * DAY, 4 * DAY, 5 * DAY
CHAINS = [e for e in Event if TABLE[Position.CREATED, e].outcome is Outcome.APPLY_CHAIN]
UNCONDITIONAL = [cell for cell in TABLE.values() if not cell.conditional]


def said(decision: Decision) -> tuple[str, str, str]:
    return (decision.outcome.value, decision.target.value, decision.reason.value)


@pytest.mark.parametrize("cell", UNCONDITIONAL, ids=lambda c: f"{c.position}-{c.event}")
def test_an_unconditional_cell_is_the_decision(cell: Cell) -> None:
    told = Fact(event=cell.event, occurred_at=0)
    decision = decide(Piece(item_id=1, position=cell.position), told)
    assert decision == Decision(cell.outcome, cell.target, cell.reason, cell.steps, cell)


@pytest.mark.parametrize("event", Event)
def test_an_unknown_order_is_decided_without_a_piece(event: Event) -> None:
    cell = TABLE[Position.UNKNOWN_ORDER, event]
    assert said(decide_unknown(event)) == (cell.outcome, "UNKNOWN_ORDER", cell.reason)


@pytest.mark.parametrize("position", BEFORE_DISPATCH)
@pytest.mark.parametrize("event", CHAINS)
def test_a_chain_waits_one_sweep(position: Position, event: Event) -> None:
    parked = decide(piece(position), fact(event, waited=False))
    assert said(parked) == ("PARK", position, "implied_dispatch")
    assert [step.verb for step in parked.steps] == [Verb.PARK]
    assert not parked.invoices
    assert not parked.changes
    done = decide(piece(position), fact(event, waited=True))
    assert said(done) == ("APPLY_CHAIN", TABLE[position, event].target, "implied_dispatch")


@pytest.mark.parametrize("event", CHAINS)
def test_a_chain_needs_evidence_unless_the_word_is_its_own(event: Event) -> None:
    bare = decide(piece("CREATED"), fact(event, left_seller=False))
    if event in (Event.DELIVERED, Event.UNDELIVERED):
        assert bare.outcome is Outcome.APPLY_CHAIN
    else:
        assert said(bare) == ("PARK", "CREATED", "dispatch_unproven")
    tracked = decide(piece("CREATED"), fact(event, left_seller=False, tracking_number="T1"))
    assert tracked.outcome is Outcome.APPLY_CHAIN


def test_evidence_is_not_asked_of_what_has_left() -> None:
    told = fact(Event.RETURN_NOTICED_RTO, left_seller=False, waited=False)
    assert said(decide(piece("SHIPPED"), told)) == ("APPLY", "RETURN_EXPECTED", "rto_on_channel")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (EARLIER, ("NOOP", "RETURN_EXPECTED", "stale_event")),
        (THEN, ("NOOP", "RETURN_EXPECTED", "stale_event")),
        (LATER, ("APPLY", "DELIVERED", "redelivered")),
    ],
)
def test_a_delivery_after_the_notice_is_a_redelivery(
    at: int, expected: tuple[str, str, str]
) -> None:
    returning = piece("RETURN_EXPECTED", return_noticed_at=THEN, return_from="SHIPPED")
    decision = decide(returning, fact(Event.DELIVERED, at))
    assert said(decision) == expected
    kept = Verb.BACKFILL_DELIVERED_AT in [step.verb for step in decision.steps]
    assert kept == (decision.outcome is Outcome.NOOP)


@pytest.mark.parametrize("position", ["RETURNED", "RETURN_ACKNOWLEDGED", "CIR_CREATED"])
def test_a_delivery_after_a_receipt_is_stale_however_new(position: str) -> None:
    decision = decide(piece(position, return_noticed_at=THEN), fact(Event.DELIVERED, LATER))
    assert said(decision) == ("NOOP", position, "stale_event")


@pytest.mark.parametrize(
    ("at", "outcome", "reason"),
    [
        (EARLIER, "NOOP", "stale_event"),
        (THEN, "APPLY", "return_withdrawn"),
        (LATER, "APPLY", "return_withdrawn"),
    ],
)
@pytest.mark.parametrize("back", ["", "DISPATCHED", "SHIPPED", "DELIVERED"])
def test_a_withdrawn_rto_stands_where_it_was(at: int, outcome: str, reason: str, back: str) -> None:
    returning = piece("RETURN_EXPECTED", return_noticed_at=THEN, return_from=back)
    decision = decide(returning, fact(Event.RETURN_WITHDRAWN, at))
    target = (back or "DISPATCHED") if outcome == "APPLY" else "RETURN_EXPECTED"
    assert said(decision) == (outcome, target, reason)


def test_a_withdrawn_rto_that_was_delivered_meanwhile_is_delivered() -> None:
    returning = piece(
        "RETURN_EXPECTED", return_noticed_at=THEN, return_from="DISPATCHED", delivered_at=EARLIER
    )
    decision = decide(returning, fact(Event.RETURN_WITHDRAWN, LATER))
    assert said(decision) == ("APPLY", "DELIVERED", "return_withdrawn")


def test_a_withdrawn_customers_return_is_delivered_again() -> None:
    returning = piece("CIR_CREATED", return_noticed_at=THEN, return_from="DISPATCHED")
    newer = decide(returning, fact(Event.RETURN_WITHDRAWN, LATER))
    assert said(newer) == ("APPLY", "DELIVERED", "return_withdrawn")
    older = decide(returning, fact(Event.RETURN_WITHDRAWN, EARLIER))
    assert said(older) == ("NOOP", "CIR_CREATED", "stale_event")


@pytest.mark.parametrize("event", [Event.RETURN_NOTICED_RTO, Event.RETURN_NOTICED_CIR])
def test_a_withdrawn_return_of_what_was_not_seen_leaving_moves_nothing(event: Event) -> None:
    decision = decide(piece("PACKED", withdrawn_at=THEN), fact(event, EARLIER, left_seller=False))
    assert (said(decision), decision.steps) == (("NOOP", "PACKED", "stale_event"), ())


@pytest.mark.parametrize("event", [Event.RETURN_NOTICED_RTO, Event.RETURN_NOTICED_CIR])
@pytest.mark.parametrize("at", [EARLIER, THEN])
def test_a_notice_older_than_its_withdrawal_is_stale(event: Event, at: int) -> None:
    decision = decide(piece("DELIVERED", withdrawn_at=THEN), fact(event, at))
    assert said(decision) == ("NOOP", "DELIVERED", "stale_event")
    newer = decide(piece("DELIVERED", withdrawn_at=THEN), fact(event, LATER))
    assert newer.outcome is Outcome.APPLY


def test_the_withdrawal_of_another_return_is_not_meant() -> None:
    delivered = piece("DELIVERED", withdrawn_at=THEN, return_id="R1")
    other = decide(delivered, fact(Event.RETURN_NOTICED_CIR, EARLIER, return_id="R2"))
    assert said(other) == ("APPLY", "CIR_CREATED", "cir_on_channel")
    same = decide(delivered, fact(Event.RETURN_NOTICED_CIR, EARLIER, return_id="R1"))
    assert same.reason is Reason.STALE_EVENT


@pytest.mark.parametrize(
    ("event", "target"),
    [(Event.RETURN_NOTICED_RTO, "DISPATCHED"), (Event.RETURN_NOTICED_CIR, "DELIVERED")],
)
def test_a_withdrawn_notice_still_proves_the_dispatch(event: Event, target: str) -> None:
    created = piece("CREATED", withdrawn_at=THEN)
    decision = decide(created, fact(event, EARLIER))
    assert said(decision) == ("APPLY_CHAIN", target, "implied_dispatch")
    assert all(step.implied for step in decision.steps)
    assert decision.invoices
    assert said(decide(created, fact(event, EARLIER, waited=False)))[0] == "PARK"
    unproven = decide(created, fact(event, EARLIER, left_seller=False))
    assert said(unproven) == ("NOOP", "CREATED", "stale_event")


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (EARLIER, "stale_event"),
        (THEN, "stale_event"),
        (LATER, "buyer_cancel_requested"),
    ],
)
def test_a_wish_to_cancel_older_than_its_end_is_stale(at: int, reason: str) -> None:
    decision = decide(piece("PACKED", uncancelled_at=THEN), fact(Event.CANCEL_REQUESTED, at))
    assert decision.reason == reason
    assert decision.outcome == ("HOLD" if at == LATER else "NOOP")


@pytest.mark.parametrize(("at", "outcome"), [(EARLIER, "NOOP"), (THEN, "APPLY"), (LATER, "APPLY")])
def test_a_hold_outlives_an_older_withdrawal(at: int, outcome: str) -> None:
    held = piece("PACKED", hold="buyer_cancel_requested", held_at=THEN)
    decision = decide(held, fact(Event.CANCEL_WITHDRAWN, at))
    assert decision.outcome == outcome
    assert [step.verb for step in decision.steps].count(Verb.RELEASE_HOLD) == (outcome == "APPLY")


@pytest.mark.parametrize("event", [Event.DISPATCHED, Event.DELIVERED, Event.CANCELLED])
def test_a_buyers_wish_gives_way_to_what_has_happened(event: Event) -> None:
    held = piece("CREATED", hold="buyer_cancel_requested", held_at=EARLIER)
    decision = decide(held, fact(event, LATER))
    plain = decide(piece("CREATED"), fact(event, LATER))
    assert said(decision) == said(plain)
    assert decision.steps[0].verb is Verb.RELEASE_HOLD
    assert decision.steps[1:] == plain.steps


def test_a_second_wish_only_renews_the_date() -> None:
    held = piece("CREATED", hold="buyer_cancel_requested", held_at=EARLIER)
    decision = decide(held, fact(Event.CANCEL_REQUESTED, LATER))
    assert said(decision) == ("NOOP", "CREATED", "already_at_or_past")
    assert [step.verb for step in decision.steps] == [Verb.RENEW_HOLD]


def test_a_held_piece_parks_like_another() -> None:
    held = piece("CREATED", hold="buyer_cancel_requested", held_at=EARLIER)
    decision = decide(held, fact(Event.DELIVERED, LATER, waited=False))
    assert [step.verb for step in decision.steps] == [Verb.PARK]


@pytest.mark.parametrize("event", Event)
def test_a_piece_cancelled_on_the_manifest_meets_facts_as_a_cancelled_one(event: Event) -> None:
    blocked = piece("MANIFESTED", hold="cancelled_after_manifest")
    decision = decide(blocked, fact(event))
    cell = TABLE[Position.CANCELLED, event]
    assert said(decision) == (cell.outcome, "MANIFESTED", cell.reason)
    assert not decision.dispatches


@pytest.mark.parametrize(
    ("position", "event", "dates", "older", "tie", "newer"),
    [
        (
            "DELIVERED",
            Event.RETURN_NOTICED_RTO,
            {"delivered_at": THEN},
            "stale_event",
            "rto_after_delivered",
            "rto_after_delivered",
        ),
        (
            "DELIVERED",
            Event.LOST,
            {"delivered_at": THEN},
            "stale_event",
            "lost_after_delivered",
            "lost_after_delivered",
        ),
        (
            "LOST",
            Event.DELIVERED,
            {"changed_at": THEN},
            "lost_after_delivered",
            "lost_after_delivered",
            "found_after_lost",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_RTO,
            {"changed_at": THEN},
            "lost_on_the_way_back",
            "lost_on_the_way_back",
            "found_after_lost",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_RTO,
            {"changed_at": THEN, "withdrawn_at": THEN},
            "stale_event",
            "stale_event",
            "found_after_lost",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_RTO,
            {"changed_at": THEN, "return_type": "RTO"},
            "stale_event",
            "stale_event",
            "found_after_lost",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_CIR,
            {"changed_at": THEN},
            "lost_on_the_way_back",
            "lost_on_the_way_back",
            "return_of_lost",
        ),
        (
            "RETURN_EXPECTED",
            Event.LOST,
            {"return_noticed_at": THEN},
            "return_of_lost",
            "lost_on_the_way_back",
            "lost_on_the_way_back",
        ),
        (
            "CIR_CREATED",
            Event.LOST,
            {"return_noticed_at": THEN},
            "return_of_lost",
            "lost_on_the_way_back",
            "lost_on_the_way_back",
        ),
        (
            "DISPATCHED",
            Event.CANCELLED,
            {"withdrawn_at": THEN},
            "stale_event",
            "cancelled_after_dispatch",
            "cancelled_after_dispatch",
        ),
        (
            "DISPATCHED",
            Event.CANCELLED,
            {"dispatched_at": THEN},
            "cancelled_before_dispatch",
            "cancelled_after_dispatch",
            "cancelled_after_dispatch",
        ),
        (
            "RETURN_EXPECTED",
            Event.CANCELLED,
            {"dispatched_at": THEN},
            "cancelled_before_dispatch",
            "superseded_by_return",
            "superseded_by_return",
        ),
        (
            "RETURNED",
            Event.CANCELLED,
            {"dispatched_at": THEN},
            "cancelled_before_dispatch",
            "superseded_by_return",
            "superseded_by_return",
        ),
        (
            "CIR_CREATED",
            Event.CANCELLED,
            {"dispatched_at": THEN},
            "cancelled_before_dispatch",
            "superseded_by_return",
            "superseded_by_return",
        ),
        (
            "CIR_CREATED",
            Event.CANCELLED,
            {"return_noticed_at": THEN},
            "cancelled_after_delivery",
            "superseded_by_return",
            "superseded_by_return",
        ),
        (
            "LOST",
            Event.CANCELLED,
            {"dispatched_at": THEN},
            "cancelled_before_dispatch",
            "superseded_by_lost",
            "superseded_by_lost",
        ),
        (
            "RETURN_EXPECTED",
            Event.DELIVERED,
            {"cancelled_at": THEN},
            "cancelled_after_delivery",
            "cancelled_after_delivery",
            "redelivered",
        ),
        (
            "RETURN_EXPECTED",
            Event.RETURN_WITHDRAWN,
            {"cancelled_at": THEN},
            "stale_event",
            "stale_event",
            "return_withdrawn",
        ),
        (
            "LOST",
            Event.DELIVERED,
            {"return_type": "CIR"},
            "lost_after_delivered",
            "lost_after_delivered",
            "lost_after_delivered",
        ),
        (
            "LOST",
            Event.RETURNED_RTO,
            {"return_type": "CIR"},
            "return_type_conflict",
            "return_type_conflict",
            "return_type_conflict",
        ),
        (
            "LOST",
            Event.RETURN_WITHDRAWN,
            {"return_type": "CIR", "lost_at": THEN},
            "lost_after_delivered",
            "return_withdrawn_unseen",
            "return_withdrawn_unseen",
        ),
        (
            "LOST",
            Event.RETURN_WITHDRAWN,
            {"return_type": "RTO", "lost_at": THEN},
            "return_withdrawn_unseen",
            "return_withdrawn_unseen",
            "return_withdrawn_unseen",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_RTO,
            {"changed_at": EARLIER, "lost_at": THEN},
            "lost_on_the_way_back",
            "lost_on_the_way_back",
            "found_after_lost",
        ),
        (
            "RETURNED",
            Event.RETURN_NOTICED_CIR,
            {"changed_at": THEN},
            "return_type_conflict",
            "return_type_conflict",
            "already_returned",
        ),
        (
            "RETURNED",
            Event.RETURNED_CIR,
            {"changed_at": THEN},
            "return_type_conflict",
            "return_type_conflict",
            "already_returned",
        ),
        (
            "DISPATCHED",
            Event.RETURNED_RTO,
            {"withdrawn_at": THEN},
            "return_withdrawn_after_receipt",
            "rto_completed_on_channel",
            "rto_completed_on_channel",
        ),
        (
            "CIR_CREATED",
            Event.RETURNED_CIR,
            {"withdrawn_at": THEN},
            "return_withdrawn_after_receipt",
            "cir_completed_on_channel",
            "cir_completed_on_channel",
        ),
        (
            "DISPATCHED",
            Event.LOST,
            {"withdrawn_at": THEN},
            "return_of_lost",
            "return_of_lost",
            "lost_in_transit",
        ),
        (
            "CIR_COMPLETE",
            Event.LOST,
            {"changed_at": THEN},
            "return_of_lost",
            "return_of_lost",
            "already_at_or_past",
        ),
        (
            "DELIVERED",
            Event.RETURN_NOTICED_CIR,
            {"withdrawn_at": THEN, "delivered_at": THEN + 1},
            "return_type_conflict",
            "return_type_conflict",
            "cir_on_channel",
        ),
        (
            "DELIVERED",
            Event.RETURN_NOTICED_CIR,
            {"withdrawn_at": THEN, "delivered_at": EARLIER},
            "stale_event",
            "stale_event",
            "cir_on_channel",
        ),
        (
            "RETURN_EXPECTED",
            Event.RETURN_WITHDRAWN,
            {"cancelled_at": THEN, "delivered_at": EARLIER},
            "cancelled_after_delivery",
            "cancelled_after_delivery",
            "return_withdrawn",
        ),
        (
            "RETURN_EXPECTED",
            Event.RETURN_NOTICED_CIR,
            {"withdrawn_at": THEN, "cancelled_at": EARLIER},
            "stale_event",
            "stale_event",
            "return_type_conflict",
        ),
        (
            "RETURN_EXPECTED",
            Event.RETURN_NOTICED_CIR,
            {"withdrawn_at": THEN, "cancelled_at": THEN},
            "return_type_conflict",
            "return_type_conflict",
            "return_type_conflict",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_RTO,
            {"return_type": "CIR", "lost_at": EARLIER},
            "return_type_conflict",
            "return_type_conflict",
            "return_type_conflict",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_CIR,
            {"return_type": "CIR", "lost_at": THEN},
            "stale_event",
            "stale_event",
            "return_of_lost",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_CIR,
            {"return_type": "RTO", "lost_at": THEN},
            "return_of_lost",
            "return_of_lost",
            "return_of_lost",
        ),
        (
            "LOST",
            Event.RETURN_NOTICED_CIR,
            {"withdrawn_at": THEN, "lost_at": LATER},
            "return_of_lost",
            "return_of_lost",
            "lost_on_the_way_back",
        ),
        (
            "LOST",
            Event.RETURN_WITHDRAWN,
            {"delivered_at": EARLIER, "return_type": "RTO", "lost_at": THEN},
            "lost_after_delivered",
            "return_withdrawn_unseen",
            "return_withdrawn_unseen",
        ),
        (
            "DELIVERED",
            Event.LOST,
            {"withdrawn_at": THEN, "delivered_at": LATER + 1},
            "lost_after_delivered",
            "lost_after_delivered",
            "stale_event",
        ),
        (
            "DELIVERED",
            Event.LOST,
            {"withdrawn_at": LATER, "delivered_at": LATER + 1},
            "stale_event",
            "stale_event",
            "stale_event",
        ),
        (
            "RETURNED",
            Event.LOST,
            {"withdrawn_at": THEN},
            "return_of_lost",
            "return_of_lost",
            "already_at_or_past",
        ),
        (
            "DISPATCHED",
            Event.RETURN_NOTICED_CIR,
            {"lost_at": EARLIER, "changed_at": THEN},
            "return_of_lost",
            "return_of_lost",
            "cir_on_channel",
        ),
        (
            "CIR_COMPLETE",
            Event.RETURN_NOTICED_RTO,
            {"withdrawn_at": THEN, "changed_at": THEN},
            "stale_event",
            "stale_event",
            "return_type_conflict",
        ),
        (
            "CIR_COMPLETE",
            Event.RETURN_NOTICED_RTO,
            {"withdrawn_at": THEN, "changed_at": EARLIER},
            "return_type_conflict",
            "return_type_conflict",
            "return_type_conflict",
        ),
        (
            "DELIVERED",
            Event.RETURNED_CIR,
            {"withdrawn_at": THEN, "delivered_at": THEN + 1},
            "return_type_conflict",
            "cir_completed_on_channel",
            "cir_completed_on_channel",
        ),
        (
            "DELIVERED",
            Event.RETURNED_CIR,
            {"withdrawn_at": THEN, "delivered_at": EARLIER},
            "return_withdrawn_after_receipt",
            "cir_completed_on_channel",
            "cir_completed_on_channel",
        ),
    ],
)
def test_dates_decide_what_contradicts(
    position: str, event: Event, dates: dict[str, Any], older: str, tie: str, newer: str
) -> None:
    for at, reason in ((EARLIER, older), (THEN, tie), (LATER, newer)):
        assert decide(piece(position, **dates), fact(event, at)).reason == reason
    assert decide(piece("LOST", changed_at=THEN), fact(Event.RETURNED_RTO, EARLIER)).reason == (
        "found_after_lost"
    )


@pytest.mark.parametrize(
    ("event", "dates", "older", "newer"),
    [
        (Event.RETURN_NOTICED_RTO, {}, "note_return:RTO", ""),
        (Event.RETURN_NOTICED_CIR, {}, "note_return:CIR", ""),
        (Event.CANCELLED, {}, "note_return:RTO", ""),
        (Event.CANCELLED, {"return_type": "RTO"}, "", ""),
        (Event.RETURN_WITHDRAWN, {"return_type": "RTO"}, "note_return:none", ""),
        (Event.RETURN_WITHDRAWN, {"return_type": "RTO", "cancelled_at": THEN}, "", ""),
        (Event.RETURN_WITHDRAWN, {"return_type": "RTO", "return_noticed_at": THEN}, "", ""),
        (Event.RETURN_WITHDRAWN, {}, "", ""),
    ],
)
def test_what_is_older_than_the_loss_says_on_which_way_it_was_lost(
    event: Event, dates: dict[str, Any], older: str, newer: str
) -> None:
    for at, noted in ((EARLIER, older), (LATER, newer)):
        steps = decide(piece("LOST", lost_at=THEN, **dates), fact(event, at)).steps
        found = [str(step) for step in steps if step.verb is Verb.NOTE_RETURN]
        assert found == ([noted] if noted else [])


def test_without_a_date_to_compare_a_fact_counts_as_newer() -> None:
    assert decide(piece("RETURN_EXPECTED"), fact(Event.DELIVERED, 0)).reason == "redelivered"


def test_a_decision_says_whether_it_changes_the_book() -> None:
    assert decide(piece("CREATED"), fact(Event.DISPATCHED)).changes
    assert decide(piece("MANIFESTED"), fact(Event.CANCELLED)).changes
    assert not decide(piece("CANCELLED"), fact(Event.DISPATCHED)).changes


@pytest.mark.parametrize("hold", ["", "buyer_cancel_requested", "cancelled_after_manifest"])
@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("at", [EARLIER, THEN])
def test_what_a_person_settled_stands_against_what_is_not_newer(
    event: Event, at: int, hold: str
) -> None:
    settled = piece("MANIFESTED", settled_at=THEN, settled=((event, "", THEN),), hold=hold)
    decision = decide(settled, fact(event, at))
    assert said(decision) == ("NOOP", "MANIFESTED", "settled_by_person")
    assert decision.steps == ()


@pytest.mark.parametrize("event", Event)
def test_something_newer_than_a_settlement_is_decided(event: Event) -> None:
    settled, usual = piece("DISPATCHED", settled=((event, "", THEN),)), piece("DISPATCHED")
    assert decide(settled, fact(event, LATER)) == decide(usual, fact(event, LATER))


@pytest.mark.parametrize("event", [e for e in Event if e not in ("CANCELLED", "DELIVERED")])
def test_what_nobody_was_asked_about_is_decided_however_old(event: Event) -> None:
    usual = piece("DELIVERED")
    word = ((Event.CANCELLED, "", THEN), (Event.DELIVERED, "", THEN))
    settled = piece("DELIVERED", settled=word)
    assert decide(settled, fact(event, EARLIER)) == decide(usual, fact(event, EARLIER))


@pytest.mark.parametrize("asked", ["", "R1"])
@pytest.mark.parametrize("told", ["", "R1", "R2"])
def test_a_word_on_one_return_is_none_on_another(asked: str, told: str) -> None:
    settled = piece("DELIVERED", settled=((Event.RETURNED_CIR, asked, THEN),))
    heard = fact(Event.RETURNED_CIR, EARLIER, return_id=told)
    another = "" not in (asked, told) and asked != told
    reason = "cir_completed_on_channel" if another else "settled_by_person"
    assert decide(settled, heard).reason == reason


def test_a_word_on_a_contradiction_is_one_on_what_must_have_come_before() -> None:
    sides = [(Event.CANCELLED, "R1", THEN), (Event.RETURNED_CIR, "R2", EARLIER)]
    assert answered_by(sides) == dict.fromkeys(
        (
            (Event.CANCELLED, ""), (Event.CANCEL_REQUESTED, ""), (Event.RETURNED_CIR, "R2"),
            (Event.RETURN_NOTICED_CIR, "R2"), (Event.UNDELIVERED, ""), (Event.DISPATCHED, ""),
        ),
        THEN,
    )  # fmt: skip
    assert answered_by([]) == {}


@pytest.mark.parametrize(("here", "noticed"), [("RTO", "CIR"), ("CIR", "RTO")])
def test_a_return_that_is_here_is_so_by_either_name(here: str, noticed: str) -> None:
    back, notice = Event(f"RETURNED_{here}"), Event(f"RETURN_NOTICED_{noticed}")
    again = Event(f"RETURNED_{noticed}")
    assert (again, "R2") in answered_by([(notice, "R2", EARLIER), (back, "R1", THEN)])
    expected = Event(f"RETURN_NOTICED_{here}")
    assert (again, "") not in answered_by([(notice, "", EARLIER), (expected, "", THEN)])


def test_a_piece_of_a_parcel_to_be_packed_again_is_freed_by_a_putaway_only() -> None:
    told = fact("CANCELLED")
    plain = decide(piece("CREATED"), told)
    assert (plain.reason, plain.target) == ("cancelled_on_channel", "CANCELLED")
    again = decide(piece("CREATED", off_shelf=True), told)
    assert (again.outcome, again.target) == ("APPLY", "CANCELLED")
    assert again.reason == "cancelled_mid_pick"
    assert [step.verb for step in again.steps] == ["cancel_item", "open_putaway", "alert"]
    held = decide(piece("CREATED", off_shelf=True, hold="buyer_cancel_requested"), told)
    assert [step.verb for step in held.steps] == [
        "release_hold", "cancel_item", "open_putaway", "alert",
    ]  # fmt: skip
    left = decide(piece("CREATED", off_shelf=True), fact("DISPATCHED"))
    assert left == decide(piece("CREATED"), fact("DISPATCHED"))
    packed = decide(piece("PACKED", off_shelf=True), told)
    assert packed.reason == "cancelled_after_invoice"
