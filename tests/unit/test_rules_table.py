"""The decision table: whole, lawful, readable, and its loader tells what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.rules import (
    EVENT_RANK,
    MOVING,
    RANK,
    TABLE,
    Cell,
    Event,
    Outcome,
    Position,
    Reason,
    Since,
    Step,
    Verb,
    event_of,
)
from syncd.rules.options import OPTIONS
from syncd.rules.rulebook import every_combination, table_for
from syncd.rules.show import table_lines
from syncd.rules.table import read
from syncd.statuses import ReturnType, Status

WHOLE = (files("syncd.rules") / "table.toml").read_text(encoding="utf-8")
CELLS = list(TABLE.values())
BEFORE_DISPATCH = [p for p in Position if (RANK[p] or 99) < (RANK[Position.DISPATCHED] or 0)]
LAST_MOVE = {
    Verb.DISPATCH: "DISPATCHED",
    Verb.DELIVER: "DELIVERED",
    Verb.CANCEL_ITEM: "CANCELLED",
    Verb.EXPECT_RETURN: "RETURN_EXPECTED",
    Verb.MARK_RETURNED: "RETURNED",
    Verb.CREATE_REVERSE_PICKUP: "CIR_CREATED",
    Verb.COMPLETE_REVERSE_PICKUP: "CIR_COMPLETE",
    Verb.OPEN_CLAIM: "LOST",
}


def by_name(cell: Cell) -> str:
    return f"{cell.position}-{cell.event}"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.path == "table.toml"
    return caught.value.problems


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


def with_rule(rule: str) -> str:
    return f"{WHOLE}\n[[rule]]\n{rule}\n"


def test_every_position_meets_every_event() -> None:
    assert len(Position) == 21
    assert len(Event) == 12
    assert set(TABLE) == set(product(Position, Event))
    assert all(key == (cell.position, cell.event) for key, cell in TABLE.items())


@pytest.mark.parametrize("cell", CELLS, ids=by_name)
def test_cell_keeps_the_laws(cell: Cell) -> None:
    moved = cell.target != cell.position
    if cell.outcome not in MOVING:
        assert not moved
        assert not any(step.verb in LAST_MOVE for step in cell.steps)
    if moved:
        assert cell.position not in (Position.UNKNOWN_ORDER, Position.CANCELLED)
        before, after = RANK[cell.position], RANK[cell.target]
        if before is not None and after is not None and after < before:
            assert Since.NOTICE in cell.newer_than
            assert cell.event in (Event.DELIVERED, Event.RETURN_WITHDRAWN)
    if moved and cell.event is not Event.RETURN_WITHDRAWN:
        last = [LAST_MOVE[step.verb] for step in cell.steps if step.verb in LAST_MOVE][-1]
        assert last == cell.target


@pytest.mark.parametrize("cell", CELLS, ids=by_name)
def test_outcome_brings_its_step(cell: Cell) -> None:
    verbs = {step.verb for step in cell.steps}
    assert (cell.outcome is Outcome.PARK) == (Verb.PARK in verbs)
    assert (cell.outcome is Outcome.PARK) == (cell.reason is Reason.ORDER_UNKNOWN)
    assert (cell.outcome is Outcome.TOMBSTONE) == (Verb.TOMBSTONE in verbs)
    if cell.outcome in (Outcome.ESCALATE, Outcome.HOLD):
        assert Verb.ALERT in verbs
    if any(step.implied for step in cell.steps):
        assert cell.outcome is Outcome.APPLY_CHAIN


@pytest.mark.parametrize("cell", CELLS, ids=by_name)
def test_stock_is_only_given_back_before_an_invoice(cell: Cell) -> None:
    if any(step.verb is Verb.RELEASE_ALLOCATION for step in cell.steps):
        assert cell.position in (Position.FULFILLABLE, Position.CREATED)
        assert cell.event is Event.CANCELLED


@pytest.mark.parametrize("position", BEFORE_DISPATCH)
@pytest.mark.parametrize(
    "event", [e for e in Event if TABLE[Position.CREATED, e].outcome is Outcome.APPLY_CHAIN]
)
def test_a_chain_begins_with_the_steps_of_the_dispatch(position: Position, event: Event) -> None:
    steps = TABLE[position, Event.DISPATCHED].steps
    implied = tuple(Step(step.verb, step.arg, implied=True) for step in steps)
    cell = TABLE[position, event]
    assert cell.steps[: len(implied)] == implied
    assert not cell.steps[-1].implied
    assert cell.grace


@pytest.mark.parametrize("position", BEFORE_DISPATCH)
def test_an_invoice_is_made_exactly_where_there_is_none(position: Position) -> None:
    rank = RANK[position] or 0
    cell = TABLE[position, Event.DISPATCHED]
    assert cell.dispatches
    assert cell.invoices == (rank < (RANK[Position.PACKED] or 0))


def test_a_customers_return_of_an_undispatched_piece_is_written_out() -> None:
    cell = TABLE[Position.CREATED, Event.RETURNED_CIR]
    assert [str(step) for step in cell.steps] == [
        "(allocate)",
        "(create_invoice)",
        "(dispatch)",
        "(deliver)",
        "create_reverse_pickup",
        "complete_reverse_pickup",
        "open_putaway:CIR",
    ]


def test_evidence_is_asked_for_returns_and_losses_only() -> None:
    asked = {cell.event for cell in CELLS if cell.needs_evidence}
    assert asked == {
        Event.RETURN_NOTICED_RTO,
        Event.RETURN_NOTICED_CIR,
        Event.RETURNED_RTO,
        Event.RETURNED_CIR,
        Event.LOST,
    }
    assert {cell.position for cell in CELLS if cell.needs_evidence} == set(BEFORE_DISPATCH)


def test_every_reason_can_be_reached(repository: Path) -> None:
    """By a cell, under whichever policies, or by name: in a gate, the choice, a person's act."""
    tables = [table_for(choice) for choice in every_combination()]
    cells = [cell for table in tables for cell in table.values()]
    by_cell = {cell.reason for cell in cells} | {o.reason for c in cells for o in c.older}
    source = [
        path.read_text("utf-8")
        for path in (repository / "syncd").rglob("*.py")
        if path.name not in ("words.py", "wording.py")
    ]
    named = set(re.findall(r"\bReason\.([A-Z_]+)", "\n".join(source)))
    by_name = {reason for reason in Reason if reason.name in named}
    assert set(Reason) - by_cell - by_name == set()


def test_every_verb_is_used_in_the_table_or_by_a_choice() -> None:
    used = {step.verb for cell in CELLS for step in cell.steps}
    used |= {step.verb for cell in CELLS for older in cell.older for step in older.steps}
    by_choice = {step.verb for option in OPTIONS for step in option.steps}
    assert used | by_choice | {Verb.RENEW_HOLD} == set(Verb)  # of a held piece: see decide


def test_event_of_a_status() -> None:
    assert event_of(Status.DISPATCHED, None) is Event.DISPATCHED
    assert event_of(Status.CANCELLED, ReturnType.RTO) is Event.CANCELLED
    assert event_of(Status.RETURN_NOTICED, ReturnType.RTO) is Event.RETURN_NOTICED_RTO
    assert event_of(Status.RETURNED, ReturnType.CIR) is Event.RETURNED_CIR
    assert event_of(Status.RETURN_WITHDRAWN, ReturnType.CIR) is Event.RETURN_WITHDRAWN
    assert event_of(Status.RETURNED, None) is None
    assert event_of(Status.UNKNOWN, None) is None
    reached = {event_of(status, kind) for status in Status for kind in (None, *ReturnType)}
    assert reached == {*Event, None}


def test_ranks_are_complete_and_part_all_events() -> None:
    assert set(RANK) == set(Position)
    assert set(EVENT_RANK) == set(Event)
    assert len(set(EVENT_RANK.values())) == len(Event)


def test_a_missing_cell_is_named() -> None:
    text = changed('at = "DELIVERED"\ndo = "NOOP"', 'at = ""\ndo = "NOOP"')
    found = problems(text)
    assert "DELIVERED at DELIVERED: no rule decides it" in found
    assert any(each.endswith("names no event or no position") for each in found)
    assert len(found) == 2


def test_an_empty_table_misses_every_cell() -> None:
    found = problems("rule = []")
    assert len(found) == 252
    assert "LOST at UNKNOWN_ORDER: no rule decides it" in found


def test_an_overlap_names_both_rules() -> None:
    text = with_rule('on = "LOST"\nat = "LOST DELIVERED"\ndo = "NOOP"\nwhy = "stale_event"')
    count = WHOLE.count("[[rule]]")
    found = problems(text)
    assert len(found) == 2
    assert found[0].startswith("LOST at LOST: is decided twice, by rule ")
    assert all(each.endswith(f" and rule {count + 1}") for each in found)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('at = "MANIFESTED"', 'at = "MANIFESTET"', "unknown position or group 'MANIFESTET'"),
        ('on = "UNDELIVERED"', 'on = "UNDELIVERD"', "unknown event 'UNDELIVERD'"),
        ('do = "HOLD"', 'do = "WAIT"', "unknown outcome 'WAIT'"),
        ('"APPLY CANCELLED"', '"APPLY GONE"', "unknown target 'GONE'"),
        ('"redelivered"', '"delivered_again"', "unknown reason 'delivered_again'"),
        ("record_shortage ", "recrd_shortage ", "unknown step 'recrd_shortage'"),
        ("imply_DISPATCHED deliver", "imply_SHIP deliver", "unknown implied event 'SHIP'"),
        ("alert:critical", "alert:loud", "step 'alert:loud' should be alert:critical or alert"),
        ("alert:critical", "alert", "step 'alert' should be"),
        (' dispatch"', ' dispatch:now"', "step 'dispatch:now' should be dispatch"),
        ('needs = "grace"', 'needs = "patience"', "unknown need 'patience'"),
        ('newer_than = "receipt"', 'newer_than = "noon"', "unknown date 'noon'"),
        ('why = "stale_event", ', 'why = "old", ', "older: unknown reason 'old'"),
        ('newer_than = "receipt"\nolder', "older", "but not older than what"),
        ("older_than.notice = {", "older_than.loss = {", "need not be newer than 'loss', but says"),
        (
            'older_than.redelivery = { do = "ESCALATE"',
            'older_than.redelivery = { do = "SHOUT"',
            "older than redelivery: unknown outcome 'SHOUT'",
        ),
        ('needs = "grace"', "needs = 3", "Expected `str`, got `int`"),
        ('needs = "grace"', 'need = "grace"', "unknown field `need`"),
    ],
)
def test_a_bad_word_is_named_with_its_rule(old: str, new: str, message: str) -> None:
    found = [each for each in problems(changed(old, new)) if message in each]
    assert len(found) == 1
    assert found[0].startswith("rule ")


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ('loop = "DISPATCHED loop"', "group loop: contains itself through loop"),
        ('one = "two"\ntwo = "one"', "group two: contains itself through one"),
        ('odd = "NOWHERE"', "group odd: unknown position or group 'NOWHERE'"),
        ('LOST = "DELIVERED"', "group LOST: has the name of a position"),
    ],
)
def test_a_bad_group_is_named(group: str, message: str) -> None:
    assert message in problems(changed("[groups]", f"[groups]\n{group}"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"APPLY_CHAIN LOST"',
            '"APPLY_CHAIN DELIVERED"',
            "LOST at CREATED: the target is DELIVERED, but the steps lead to LOST",
        ),
        (
            'do = "ESCALATE"\nwhy = "cancelled_after_delivery"',
            'do = "ESCALATE CANCELLED"\nwhy = "cancelled_after_delivery"',
            "CANCELLED at DELIVERED: ESCALATE may not move the piece",
        ),
        (
            'newer_than = "notice cancellation"\nolder_than.cancellation = {',
            'newer_than = ""\n# {',
            "RETURN_WITHDRAWN at CIR_CREATED: moves back to DELIVERED without a date",
        ),
        (
            'at = "CANCELLED"\ndo = "NOOP"\nwhy = "already_at_or_past"',
            'at = "CANCELLED"\ndo = "APPLY DELIVERED"\nwhy = "already_at_or_past"\n'
            'steps = "deliver"',
            "CANCELLED at CANCELLED: no fact moves a piece out of CANCELLED",
        ),
        (
            'steps = "tombstone"',
            'steps = "park"',
            "CANCELLED at UNKNOWN_ORDER: TOMBSTONE needs the step tombstone",
        ),
        (
            '"APPLY DELIVERED"\nwhy = "delivered_on_channel"',
            '"APPLY_CHAIN DELIVERED"\nwhy = "delivered_on_channel"',
            "DELIVERED at SHIPPED: a chain of one link is an APPLY",
        ),
        (
            '"APPLY_CHAIN DELIVERED"\nwhy = "implied_dispatch"\nneeds',
            '"APPLY DELIVERED"\nwhy = "implied_dispatch"\nneeds',
            "DELIVERED at PACKED: APPLY may not imply steps",
        ),
        (
            'why = "lost_in_transit"',
            'needs = "evidence"\nwhy = "lost_in_transit"',
            "LOST at DISPATCHED: waits for evidence or grace, but implies nothing",
        ),
        (
            'older = { do = "NOOP", why = "stale_event"',
            'older = { do = "NOOP LOST", why = "stale_event"',
            "DELIVERED at RETURN_EXPECTED: when older than notice: the target is LOST",
        ),
        (
            'steps = "imply_DISPATCHED deliver"',
            'steps = "imply_DELIVERED deliver"',
            "DELIVERED at PACKED: implies itself through DELIVERED at PACKED",
        ),
    ],
)
def test_a_broken_law_names_its_cell(old: str, new: str, message: str) -> None:
    assert any(each.startswith(message) for each in problems(changed(old, new)))


def test_all_problems_come_at_once() -> None:
    text = changed('do = "HOLD"', 'do = "WAIT"').replace('"redelivered"', '"delivered_again"')
    found = "; ".join(problems(text))
    assert "unknown outcome 'WAIT'" in found
    assert "unknown reason 'delivered_again'" in found


@pytest.mark.parametrize("text", ["rule = 3", "[[rule]", "rules = []", "rule = [1]"])
def test_another_file_is_refused(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("not a decision table: ")


def test_the_table_is_shown_whole() -> None:
    lines = list(table_lines())
    assert sum(line.split()[:1] == ["UNKNOWN_ORDER"] for line in lines) == 12
    (row,) = [line for line in table_lines([Event.DELIVERED]) if "redelivered" in line]
    assert row.split()[:4] == ["RETURN_EXPECTED", "APPLY", "→", "DELIVERED"]
    assert row.endswith("only newer than notice, else NOOP stale_event")


@pytest.mark.parametrize(("words", "code"), [((), 0), (("LOST",), 0), (("LOSS",), 2)])
def test_the_table_is_printed(words: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd.rules", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env={"PYTHONIOENCODING": "utf-8", "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert done.returncode == code, done.stderr
    heads = [line for line in done.stdout.splitlines() if line in Event.__members__]
    assert heads == ([] if code else list(words) or list(Event))
    assert ("unknown event LOSS" in done.stderr) == (code == 2)


def test_whatever_a_person_must_settle_says_how_urgent_it_is() -> None:
    for cell in TABLE.values():
        for told in (cell, *cell.older):
            if told.outcome in (Outcome.ESCALATE, Outcome.HOLD):
                assert Verb.ALERT in [step.verb for step in told.steps], cell.name
