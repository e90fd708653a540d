"""How the data files become rules: each thing that a row says arrives, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.rules import (
    TABLE,
    Cell,
    Event,
    Outcome,
    Policies,
    Position,
    Question,
    Reason,
    Since,
    options_for,
)
from syncd.rules.cells import Fallback
from syncd.rules.decide import rulings_for
from syncd.rules.drafts import Drafts, Source
from syncd.rules.options import CLOSINGS, OPTIONS, Closing, Option, read as read_choices
from syncd.rules.policies import InvoiceIssuer, PutawayAfterCancel
from syncd.rules.rulebook import BOOKS, Books, every_combination, read_policies, table_for
from syncd.rules.table import build, read as read_table
from tests.unit.rulekit import piece

POLICIES, WHOLE, CHOICES = (
    (files("syncd.rules") / name).read_text("utf-8")
    for name in ("policies.toml", "table.toml", "settle.toml")
)
CHANNEL = Policies(invoice_issuer=InvoiceIssuer.CHANNEL)
BOTH = Policies(
    invoice_issuer=InvoiceIssuer.CHANNEL,
    putaway_after_cancel=PutawayAfterCancel.UNLESS_CHANNEL_INVOICES,
)


def test_what_is_read_again_is_what_the_program_started_with() -> None:
    """The other tests look at what was built at the start; here it is built once more."""
    assert read_table(WHOLE) == TABLE
    assert read_policies(POLICIES, WHOLE) == BOOKS
    assert read_choices(CHOICES) == (OPTIONS, CLOSINGS)


# ---- The decision table --------------------------------------------------------------------------


def cells(*rules: dict[str, Any]) -> Mapping[tuple[Position, Event], Cell]:
    """The cells of a few rules alone, which need not make a whole table."""
    drafts = Drafts(Source(rule=list(rules)))
    found = drafts.found()
    assert not drafts.problems
    return build(found, path="small.toml")


def steps(cell: Cell | Fallback) -> list[str]:
    return [str(step) for step in cell.steps]


DISPATCH = {
    "on": "DISPATCHED", "at": "PACKED", "do": "APPLY DISPATCHED", "why": "dispatched_on_channel",
    "steps": "dispatch alert:info",
}  # fmt: skip
DELIVER = {
    "on": "DELIVERED", "at": "DISPATCHED", "do": "APPLY DELIVERED", "why": "delivered_on_channel",
    "steps": "deliver",
}  # fmt: skip


def test_a_rule_arrives_whole_in_its_cell() -> None:
    rule = {
        "on": "RETURN_WITHDRAWN", "at": "CIR_CREATED", "do": "APPLY DELIVERED",
        "why": "return_withdrawn", "steps": "cancel_reverse_pickup alert:info",
        "newer_than": "notice", "older": {"do": "NOOP", "why": "too_late_or_moot"}, "note": "Why.",
    }  # fmt: skip
    (cell,) = cells(rule).values()
    assert (cell.position, cell.event) == (Position.CIR_CREATED, Event.RETURN_WITHDRAWN)
    assert (cell.outcome, cell.target) == (Outcome.APPLY, Position.DELIVERED)
    assert (cell.reason, cell.note) == (Reason.RETURN_WITHDRAWN, "Why.")
    assert steps(cell) == ["cancel_reverse_pickup", "alert:info"]
    assert cell.newer_than == (Since.NOTICE,)
    assert cell.older == (Fallback(Outcome.NOOP, Position.CIR_CREATED, Reason.TOO_LATE_OR_MOOT),)
    assert (cell.needs_evidence, cell.grace, cell.policies) == (False, False, ())


@pytest.mark.parametrize(
    ("needs", "evidence", "grace"),
    [("evidence", True, False), ("grace", False, True), ("evidence grace", True, True)],
)
def test_what_a_rule_waits_for_arrives(needs: str, evidence: bool, grace: bool) -> None:
    chain = {
        "on": "DELIVERED", "at": "PACKED", "do": "APPLY_CHAIN DELIVERED", "why": "implied_dispatch",
        "steps": "imply_DISPATCHED deliver", "needs": needs,
    }  # fmt: skip
    cell = cells(DISPATCH, chain)[Position.PACKED, Event.DELIVERED]
    assert (cell.needs_evidence, cell.grace) == (evidence, grace)


def test_a_chain_goes_on_from_where_its_links_lead() -> None:
    """The second link is that of a dispatched piece: the delivery of a packed one is no cell."""
    chain = {
        "on": "LOST", "at": "PACKED", "do": "APPLY_CHAIN LOST", "why": "implied_delivery",
        "steps": "imply_DISPATCHED imply_DELIVERED open_claim alert:critical",
    }  # fmt: skip
    cell = cells(DISPATCH, DELIVER, chain)[Position.PACKED, Event.LOST]
    assert steps(cell) == [
        "(dispatch)", "(alert:info)", "(deliver)", "open_claim", "alert:critical",
    ]  # fmt: skip
    assert (cell.target, cell.reason) == (Position.LOST, Reason.IMPLIED_DELIVERY)


def test_an_older_fact_meets_the_words_for_that_date_or_else_the_general_ones() -> None:
    rule = {
        "on": "DELIVERED", "at": "SHIPPED", "do": "APPLY DELIVERED", "why": "delivered_on_channel",
        "steps": "deliver", "newer_than": "loss notice dispatch",
        "older": {"do": "NOTE", "why": "already_at_or_past", "steps": "backfill_delivered_at"},
        "older_than": {
            "notice": {"do": "ESCALATE", "why": "return_type_conflict", "steps": "alert:critical"}
        },
    }  # fmt: skip
    (cell,) = cells(rule).values()
    assert cell.newer_than == (Since.LOSS, Since.NOTICE, Since.DISPATCH)
    loss, notice, dispatch = cell.older
    assert loss == dispatch
    assert (loss.outcome, loss.target, loss.reason) == (
        Outcome.NOTE, Position.SHIPPED, Reason.ALREADY_AT_OR_PAST,
    )  # fmt: skip
    assert steps(loss) == ["backfill_delivered_at"]
    assert (notice.outcome, notice.reason) == (Outcome.ESCALATE, Reason.RETURN_TYPE_CONFLICT)
    assert steps(notice) == ["alert:critical"]


def test_an_older_fact_may_move_the_piece_by_a_chain_of_its_own() -> None:
    rule = {
        "on": "RETURN_NOTICED_RTO", "at": "PACKED", "do": "NOOP", "why": "stale_event",
        "newer_than": "withdrawal",
        "older": {
            "do": "APPLY_CHAIN DISPATCHED", "why": "implied_dispatch", "steps": "imply_DISPATCHED",
        },
    }  # fmt: skip
    (older,) = cells(DISPATCH, rule)[Position.PACKED, Event.RETURN_NOTICED_RTO].older
    assert (older.target, older.reason) == (Position.DISPATCHED, Reason.IMPLIED_DISPATCH)
    assert steps(older) == ["(dispatch)", "(alert:info)"]


def test_an_older_fact_that_no_rule_speaks_of_is_stale() -> None:
    rule = {**DELIVER, "newer_than": "loss"}
    (cell,) = cells(rule).values()
    assert cell.older == (Fallback(Outcome.NOOP, Position.DISPATCHED, Reason.STALE_EVENT),)


def test_a_chain_that_leads_back_to_itself_is_refused() -> None:
    """By way of another cell: following it would never end."""
    there = {**DISPATCH, "do": "APPLY_CHAIN DISPATCHED", "steps": "imply_DELIVERED dispatch"}
    back = {**DELIVER, "at": "PACKED", "steps": "imply_DISPATCHED deliver"}
    with pytest.raises(ConfigError) as caught:
        cells(there, back)
    assert caught.value.problems == [
        "DISPATCHED at PACKED: implies itself through DISPATCHED at PACKED",
        "DELIVERED at PACKED: implies itself through DELIVERED at PACKED",
    ]
    assert caught.value.path == "small.toml"


# ---- Policies ------------------------------------------------------------------------------------


def books(old: str = "", new: str = "", rules: str = WHOLE) -> Books:
    assert old in POLICIES
    return read_policies(POLICIES.replace(old, new, 1), rules)


@pytest.mark.parametrize(
    "place",
    [
        (Position.CIR_CREATED, Event.DELIVERED),  # the general word for an older fact
        (Position.RETURN_EXPECTED, Event.DELIVERED),  # the one for one date among them
    ],
)
def test_a_step_that_falls_out_falls_out_for_older_facts_too(
    place: tuple[Position, Event],
) -> None:
    taken = "backfill_delivered_at"
    cell = books("create_invoice void_invoice", taken).tables[CHANNEL][place]
    assert len(cell.older) == len(TABLE[place].older)
    for mine, plain in zip(cell.older, TABLE[place].older, strict=True):
        assert steps(mine) == [word for word in steps(plain) if word != taken]
    assert cell.policies == ("invoice_issuer = channel",)


def test_a_step_falls_out_by_its_name_whatever_it_is_done_to() -> None:
    found = books("create_invoice void_invoice", "open_putaway").tables[CHANNEL]
    assert "open_putaway:RTO" in steps(TABLE[Position.RETURN_EXPECTED, Event.RETURNED_RTO])
    left = [word for cell in found.values() for word in steps(cell)]
    assert not [word for word in left if word.startswith("open_putaway")]
    assert "alert:info" in left


def test_a_change_that_needs_two_policies_is_made_by_both_alone() -> None:
    place = (Position.PACKED, Event.CANCELLED)
    tables = books().tables
    alone = Policies(putaway_after_cancel=PutawayAfterCancel.UNLESS_CHANNEL_INVOICES)
    assert tables[alone][place] == TABLE[place]
    assert tables[BOTH][place].policies == (
        "invoice_issuer = channel", "putaway_after_cancel = unless_channel_invoices",
    )  # fmt: skip
    assert tables[CHANNEL][place].policies == ("invoice_issuer = channel",)
    assert tables[CHANNEL] is not tables[BOTH]


def test_policies_that_change_no_cell_share_the_table() -> None:
    """The book answers partial_cancel, not the table: no second copy of 252 cells is kept."""
    assert len({id(table) for table in BOOKS.tables.values()}) == 3
    assert table_for(Policies()) is TABLE


def test_the_policies_are_kept_as_they_are_written() -> None:
    names = [policy.name for policy in books().policies]
    assert names == ["invoice_issuer", "putaway_after_cancel", "partial_cancel"]


# ---- Choices -------------------------------------------------------------------------------------

CLOSING = '[[closing]]\nof = "claims"\nat = "away"\nwhy = "redelivered settled_by_person"\n'
GROUPS = """
[groups]
away = "DISPATCHED SHIPPED"
[codes]
claims = "lost_in_transit lost_on_the_way_back"
"""


def choice(more: str = "") -> Option:
    row = f'[[choice]]\nname = "go"\nof = "claims"\nsays = "It goes."\n{more}\n'
    (option,), _ = read_choices(f"{GROUPS}{row}{CLOSING}")
    return option


def test_a_choice_arrives_whole() -> None:
    option = choice(
        'on = "LOST DELIVERED"\nat = "away LOST"\nneeds = "held"\nto = "LOST"\nwhy = "moved"\n'
        'steps = "dispatch end_claim:sold"\nwith = "claims return_of_lost"\nalone = true\n'
        "note = true"
    )
    assert option.name == "go"
    assert option.codes == {"lost_in_transit", "lost_on_the_way_back"}
    assert option.events == {"LOST", "DELIVERED"}
    assert option.positions == {"DISPATCHED", "SHIPPED", "LOST"}
    assert (option.needs, option.to, option.why) == ("held", "LOST", "moved")
    assert [str(step) for step in option.steps] == ["dispatch", "end_claim:sold"]
    assert option.also == {"lost_in_transit", "lost_on_the_way_back", "return_of_lost"}
    assert (option.alone, option.note, option.says) == (True, True, "It goes.")
    assert (option.code, option.dispatches) == ("settled_go", True)


def test_a_choice_that_says_little_means_little() -> None:
    option = choice()
    assert (option.events, option.positions, option.steps, option.also) == (
        frozenset(), frozenset(), (), frozenset(),
    )  # fmt: skip
    assert (option.needs, option.to, option.why) == ("", "", "settled_go")
    assert (option.alone, option.note, option.dispatches) == (False, False, False)


def test_a_closing_arrives_whole() -> None:
    text = f'{GROUPS}[[choice]]\nname = "go"\nof = "claims"\nsays = "x"\n{CLOSING}'
    _, closings = read_choices(text)
    assert closings == (
        Closing(
            frozenset({"lost_in_transit", "lost_on_the_way_back"}),
            frozenset({Position.DISPATCHED, Position.SHIPPED}),
            frozenset({"redelivered", "settled_by_person"}),
        ),
    )


RETURN, LOSS = 'to = "before_return"', 'to = "before_loss"'


@pytest.mark.parametrize(
    ("to", "known", "target"),
    [
        ("", {}, "LOST"),
        ('to = "SHIPPED"', {}, "SHIPPED"),
        (RETURN, {}, "DISPATCHED"),
        (RETURN, {"return_from": "SHIPPED"}, "SHIPPED"),
        (RETURN, {"return_from": "SHIPPED", "delivered_at": 0}, "DELIVERED"),
        (RETURN, {"return_from": "SHIPPED", "return_type": "CIR"}, "DELIVERED"),
        (RETURN, {"return_from": "SHIPPED", "return_type": "RTO"}, "SHIPPED"),
        (LOSS, {}, "DISPATCHED"),
        (LOSS, {"return_type": "CIR"}, "CIR_CREATED"),
        (LOSS, {"return_type": "RTO"}, "RETURN_EXPECTED"),
    ],
)
def test_a_choice_leads_where_it_says(to: str, known: dict[str, Any], target: str) -> None:
    assert choice(to).target(piece("LOST", **known)) == target


def names(**known: Any) -> set[str]:
    return {option.name for option in options_for(Question(**known))}


def test_what_hangs_on_a_piece_is_not_offered_where_there_is_none() -> None:
    """An exception of a whole order has no hold and no putaway: nothing fails, nothing fits."""
    for code in ("cancelled_after_manifest", "buyer_cancel_requested", "dispatched_after_cancel"):
        assert names(code=code) <= {"dismiss"}, code


@pytest.mark.parametrize("policies", list(every_combination()), ids=str)
def test_what_is_decided_without_a_condition_is_what_the_cell_says(policies: Policies) -> None:
    """Made anew: a decision is kept from the start of the program on."""
    found = rulings_for.__wrapped__(policies)
    table = table_for(policies)
    for position, row in found.all.items():
        for event, made in row.items():
            cell = table[position, event]
            wanted = (cell.outcome, cell.target, cell.reason, cell.steps, cell)
            assert (made.outcome, made.target, made.reason, made.steps, made.cell) == wanted
            assert (found.simple[position].get(event) is made) is not cell.conditional
