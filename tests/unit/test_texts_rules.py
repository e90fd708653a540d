"""What the rules say to a person, word for word: a half sentence sends somebody the wrong way.

A gate's sentence stands in the journal of the seller; a problem of the table, of the policies or
of the choices is what whoever changes these files has to go by.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.rules import (
    TABLE,
    Cell,
    Event,
    Gates,
    Outcome,
    Position,
    Reason,
    Since,
    Step,
    Verb,
    gate,
)
from syncd.rules.cells import Fallback
from syncd.rules.drafts import Drafts, Source
from syncd.rules.laws import broken_laws
from syncd.rules.options import read as read_choices
from syncd.rules.rulebook import read_policies
from syncd.rules.table import read as read_table

POLICIES, WHOLE = (
    (files("syncd.rules") / name).read_text("utf-8") for name in ("policies.toml", "table.toml")
)

# ---- Gates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        (
            {"connected": False, "account": "shop", "account_state": "AUTH_FAILED"},
            "Account shop is not connected (AUTH_FAILED); put its credentials right, then run: "
            "syncctl resume shop",
        ),
        (
            {"connected": False, "account": "shop"},
            "Account shop is not connected; put its credentials right, then run: "
            "syncctl resume shop",
        ),
        (
            {"ships": False},
            "The channel does not ship this order, so its DISPATCHED only repeats what the seller "
            "did; the book follows the seller",
        ),
        (
            {"facility_active": False},
            "Facility BLR is not active; make it ACTIVE again, the fact is then tried again",
        ),
        (
            {"unnumbered": "Facility BLR has no sequence"},
            "Facility BLR has no sequence",
        ),
        (
            {"traceability": "ITEM"},
            "Facility BLR traces each item and this one is CREATED: scan and pack it first, the "
            "dispatch is then tried again",
        ),
        (
            {"hold": "cancelled_after_manifest"},
            "The piece is on hold (cancelled_after_manifest); it may leave when the hold is "
            "settled",
        ),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) else "",
)
def test_a_closed_gate_says_what_would_open_it(closed: dict[str, Any], said: str) -> None:
    plan = TABLE[Position.CREATED, Event.DISPATCHED]
    refusal = gate(Gates(facility="BLR", **closed), Event.DISPATCHED, plan)
    assert refusal is not None
    assert refusal.message == said


# ---- The rules of a table ------------------------------------------------------------------------

GOOD: dict[str, Any] = {"on": "LOST", "at": "SHIPPED", "do": "NOOP", "why": "stale_event"}
OLDER = {"do": "NOOP", "why": "stale_event"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"on": "LOSS"}, "rule 1: unknown event 'LOSS'"),
        ({"on": ""}, "rule 1: names no event or no position"),
        ({"at": ""}, "rule 1: names no event or no position"),
        ({"at": "AWAY"}, "rule 1: unknown position or group 'AWAY'"),
        ({"do": "SHRUG"}, "rule 1: unknown outcome 'SHRUG'"),
        ({"do": "APPLY AWAY"}, "rule 1: unknown target 'AWAY'"),
        ({"why": "because"}, "rule 1: unknown reason 'because'"),
        ({"steps": "fly"}, "rule 1: unknown step 'fly'"),
        ({"steps": "imply_LOSS"}, "rule 1: unknown implied event 'LOSS'"),
        ({"steps": "deliver:now"}, "rule 1: step 'deliver:now' should be deliver"),
        (
            {"steps": "alert"},
            "rule 1: step 'alert' should be alert:critical or alert:info or alert:warning",
        ),
        (
            {"steps": "open_putaway:RTOS"},
            "rule 1: step 'open_putaway:RTOS' should be open_putaway:CANCELLED_ITEM or "
            "open_putaway:CIR or open_putaway:PICKLIST or open_putaway:RTO",
        ),
        ({"steps": "mark_returned"}, "rule 1: step 'mark_returned' should be mark_returned:RTO"),
        (
            {"steps": "expect_return:CIR"},
            "rule 1: step 'expect_return:CIR' should be expect_return:RTO",
        ),
        ({"needs": "luck"}, "rule 1: unknown need 'luck'"),
        ({"newer_than": "noon"}, "rule 1: unknown date 'noon'"),
        (
            {"newer_than": "loss", "older": {**OLDER, "steps": "fly"}},
            "rule 1, older: unknown step 'fly'",
        ),
        (
            {"newer_than": "loss", "older": {**OLDER, "do": "SHRUG"}},
            "rule 1, older: unknown outcome 'SHRUG'",
        ),
        ({"older": OLDER}, "rule 1: says what to do with an older fact, but not older than what"),
        (
            {"newer_than": "loss", "older_than": {"loss": {**OLDER, "why": "because"}}},
            "rule 1, older than loss: unknown reason 'because'",
        ),
        (
            {"newer_than": "loss", "older_than": {"loss": {**OLDER, "steps": "fly"}}},
            "rule 1, older than loss: unknown step 'fly'",
        ),
        (
            {"newer_than": "loss", "older_than": {"notice": OLDER}},
            "rule 1: need not be newer than 'notice', but says what else",
        ),
        ({"when": "never"}, "rule 1: Object contains unknown field `when`"),
    ],
    ids=str,
)
def test_a_wrong_rule_is_told_with_its_number(wrong: dict[str, Any], said: str) -> None:
    drafts = Drafts(Source(rule=[{**GOOD, **wrong}]))
    drafts.found()
    assert drafts.problems == [said]


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"needs": "evidence grace"},
        {"steps": "alert:info alert:warning alert:critical expect_return:RTO imply_DISPATCHED"},
        {"steps": "open_putaway:CANCELLED_ITEM open_putaway:PICKLIST open_putaway:CIR"},
        {"newer_than": "loss notice", "older": OLDER, "older_than": {"notice": OLDER}},
    ],
    ids=str,
)
def test_a_rule_that_is_right_has_no_problem(good: dict[str, Any]) -> None:
    drafts = Drafts(Source(rule=[{**GOOD, **good}]))
    assert list(drafts.found()) == [(Position.SHIPPED, Event.LOST)]
    assert drafts.problems == []


def test_two_rules_for_a_cell_are_told_with_both_numbers() -> None:
    drafts = Drafts(Source(rule=[{**GOOD, "on": "DELIVERED"}, GOOD, GOOD]))
    found = drafts.found()
    assert drafts.problems == ["LOST at SHIPPED: is decided twice, by rule 2 and rule 3"]
    assert len(found) == 2


def test_a_rule_that_cannot_be_read_does_not_hide_the_next() -> None:
    drafts = Drafts(Source(rule=[{"on": 3}, {**GOOD, "why": "because"}, {**GOOD, "on": "LOSS"}]))
    drafts.found()
    assert drafts.problems == [
        "rule 1: Expected `str`, got `int` - at `$.on`",
        "rule 2: unknown reason 'because'",
        "rule 3: unknown event 'LOSS'",
    ]


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"loop": "LOST loop"}, ["group loop: contains itself through loop"]),
        (
            {"one": "two", "two": "one"},
            [
                "group two: contains itself through one",
                "group one: contains itself through two",
            ],
        ),
        ({"LOST": "SHIPPED"}, ["group LOST: has the name of a position"]),
        ({"odd": "AWAY"}, ["group odd: unknown position or group 'AWAY'"]),
    ],
)
def test_a_wrong_group_is_told(groups: dict[str, str], said: list[str]) -> None:
    assert Drafts(Source(rule=[], groups=groups)).problems == said


def test_a_group_may_hold_positions_and_groups() -> None:
    groups = {"out": "DISPATCHED SHIPPED", "gone": "out LOST"}
    drafts = Drafts(Source(rule=[{**GOOD, "at": "gone DELIVERED"}], groups=groups))
    assert drafts.groups["gone"] == {"DISPATCHED", "SHIPPED", "LOST"}
    assert {key[0] for key in drafts.found()} == {"DISPATCHED", "SHIPPED", "LOST", "DELIVERED"}
    assert drafts.problems == []


# ---- The laws of a cell --------------------------------------------------------------------------


def cell(position: str, event: str, outcome: str, target: str, *steps: Step, **more: Any) -> Cell:
    return Cell(
        position=Position(position), event=Event(event), outcome=Outcome(outcome),
        target=Position(target), reason=Reason.STALE_EVENT, steps=steps, **more,
    )  # fmt: skip


def fallback(outcome: str, target: str, *steps: Step) -> Fallback:
    return Fallback(Outcome(outcome), Position(target), Reason.STALE_EVENT, steps)


DELIVER, DISPATCH = Step(Verb.DELIVER), Step(Verb.DISPATCH)
IMPLIED = Step(Verb.DISPATCH, implied=True)
CLAIM = Step(Verb.OPEN_CLAIM)
BACK = Step(Verb.CANCEL_REVERSE_PICKUP)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            cell("SHIPPED", "DELIVERED", "APPLY", "LOST", DELIVER),
            ["the target is LOST, but the steps lead to DELIVERED"],
        ),
        (
            cell("SHIPPED", "DELIVERED", "NOOP", "DELIVERED", DELIVER),
            ["NOOP may not move the piece"],
        ),
        (
            cell("CANCELLED", "DELIVERED", "APPLY", "DELIVERED", DELIVER),
            ["no fact moves a piece out of CANCELLED"],
        ),
        (
            cell("UNKNOWN_ORDER", "LOST", "APPLY", "LOST", CLAIM),
            ["no fact moves a piece out of UNKNOWN_ORDER"],
        ),
        (cell("UNKNOWN_ORDER", "LOST", "PARK", "UNKNOWN_ORDER"), ["PARK needs the step park"]),
        (
            cell("UNKNOWN_ORDER", "CANCELLED", "TOMBSTONE", "UNKNOWN_ORDER"),
            ["TOMBSTONE needs the step tombstone"],
        ),
        (cell("LOST", "CANCELLED", "ESCALATE", "LOST"), ["ESCALATE needs the step alert"]),
        (
            cell("PACKED", "CANCEL_REQUESTED", "HOLD", "PACKED"),
            ["HOLD needs the step block_dispatch or hold_item"],
        ),
        (
            cell("SHIPPED", "DELIVERED", "APPLY_CHAIN", "DELIVERED", DELIVER),
            ["a chain of one link is an APPLY"],
        ),
        (
            cell("PACKED", "DELIVERED", "APPLY", "DELIVERED", IMPLIED, DELIVER),
            ["APPLY may not imply steps"],
        ),
        (
            cell("CIR_CREATED", "RETURN_WITHDRAWN", "APPLY", "DELIVERED", BACK),
            ["moves back to DELIVERED without a date to compare"],
        ),
        (
            cell("SHIPPED", "DELIVERED", "APPLY", "DELIVERED", DELIVER, grace=True),
            ["waits for evidence or grace, but implies nothing"],
        ),
        (
            cell("SHIPPED", "LOST", "APPLY", "LOST", CLAIM, needs_evidence=True),
            ["waits for evidence or grace, but implies nothing"],
        ),
        (
            cell(
                "SHIPPED",
                "LOST",
                "APPLY",
                "LOST",
                CLAIM,
                newer_than=(Since.NOTICE, Since.DELIVERY),
                older=(fallback("NOOP", "SHIPPED"), fallback("NOOP", "DELIVERED", DELIVER)),
            ),
            ["when older than delivery: NOOP may not move the piece"],
        ),
    ],
    ids=lambda each: each.name if isinstance(each, Cell) else "",
)
def test_a_broken_law_is_said_of_its_cell(broken: Cell, said: list[str]) -> None:
    fine = TABLE[Position.SHIPPED, Event.DELIVERED]
    assert list(broken_laws([fine, broken, fine])) == [f"{broken.name}: {one}" for one in said]


@pytest.mark.parametrize(
    "lawful",
    [
        cell("PACKED", "DELIVERED", "APPLY_CHAIN", "DELIVERED", IMPLIED, DELIVER, grace=True),
        cell("PACKED", "DELIVERED", "APPLY_CHAIN", "DELIVERED", DISPATCH, DELIVER),
        cell("PACKED", "DISPATCHED", "APPLY_CHAIN", "DISPATCHED", IMPLIED),
        cell("LOST", "DELIVERED", "APPLY", "DELIVERED", DELIVER),  # LOST is on no line
        cell(
            "CIR_CREATED", "RETURN_WITHDRAWN", "APPLY", "DELIVERED", BACK,
            newer_than=(Since.NOTICE,), older=(fallback("NOOP", "CIR_CREATED"),),
        ),
    ],
    ids=lambda each: each.name,
)  # fmt: skip
def test_a_cell_that_keeps_the_laws_is_left_alone(lawful: Cell) -> None:
    assert list(broken_laws([lawful])) == []


# ---- The files as wholes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'name = "partial_cancel"',
            'name = "moon"',
            ["the policies must be invoice_issuer, putaway_after_cancel, partial_cancel, in this "
             "order"],
        ),
        (
            "seller channel",
            "channel seller",
            ["invoice_issuer: the values must be seller channel",
             "invoice_issuer: 'channel' is no value but the default"],
        ),
        (
            "invoice_issuer=channel",
            "invoice_issuer=moon",
            ["putaway_after_cancel: 'invoice_issuer=moon' is no policy with its value"],
        ),
        (
            "invoice_issuer=channel",
            "moon=channel",
            ["putaway_after_cancel: 'moon=channel' is no policy with its value"],
        ),
        (
            "create_invoice void_invoice",
            "fly create_invoice soar",
            ["invoice_issuer: unknown step 'fly'", "invoice_issuer: unknown step 'soar'"],
        ),
        (
            'without = "create_invoice void_invoice"',
            "",
            ["invoice_issuer: the value channel changes nothing"],
        ),
        ('why = "cancelled_on_channel"', 'why = "moon"', ["rule 1: unknown reason 'moon'"]),
        (
            'at = "invoiced"',
            'at = "DISPATCHED"',
            ["CANCELLED at DISPATCHED: a policy may not change its target",
             "CANCELLED at DISPATCHED: a policy may not change its newer_than"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_of_policies_is_told_whole(old: str, new: str, said: list[str]) -> None:
    assert old in POLICIES
    with pytest.raises(ConfigError) as caught:
        read_policies(POLICIES.replace(old, new), WHOLE, path="mine.toml")
    assert (caught.value.problems, caught.value.path) == (said, "mine.toml")


CHOICE = '[[choice]]\nname = "go"\nof = "lost_in_transit"\nsays = "x"\n'
CLOSING = '[[closing]]\nof = "lost_in_transit"\n'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('on = "LOSS"', "choice go of lost_in_transit: unknown event 'LOSS'"),
        ('at = "AWAY"', "choice go of lost_in_transit: unknown position or group 'AWAY'"),
        ('to = "AWAY"', "choice go of lost_in_transit: unknown position 'AWAY'"),
        ('needs = "luck"', "choice go of lost_in_transit: unknown need 'luck'"),
        ('steps = "fly:high"', "choice go of lost_in_transit: unknown step 'fly'"),
        ('with = "grief"', "choice go of lost_in_transit: unknown code 'grief'"),
    ],
)
def test_a_wrong_choice_is_told_with_its_name(more: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_choices(f"{CHOICE}{more}\n{CLOSING}", path="mine.toml")
    assert (caught.value.problems, caught.value.path) == ([said], "mine.toml")


def test_a_wrong_closing_is_told_too() -> None:
    with pytest.raises(ConfigError) as caught:
        read_choices(f'{CHOICE}{CLOSING}at = "AWAY"\n')
    assert caught.value.problems == ["closing of lost_in_transit: unknown position or group 'AWAY'"]
    assert caught.value.path == "settle.toml"


@pytest.mark.parametrize(
    ("reader", "kind"),
    [
        (lambda text: read_table(text, path="mine.toml"), "a decision table"),
        (lambda text: read_policies(text, WHOLE, path="mine.toml"), "a file of policies"),
        (lambda text: read_policies(POLICIES, text, path="mine.toml"), "a file of policies"),
        (lambda text: read_choices(text, path="mine.toml"), "a file of choices"),
    ],
    ids=["table", "policies", "table under policies", "choices"],
)
@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("rule = [", "Invalid value (at end of document)"),
        ("", "Object missing required field `"),
    ],
)
def test_what_is_no_such_file_is_told_with_the_cause(
    reader: Callable[[str], object], kind: str, text: str, cause: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        reader(text)
    (problem,) = caught.value.problems
    assert problem.startswith(f"not {kind}: {cause}")
    assert caught.value.path == "mine.toml"
