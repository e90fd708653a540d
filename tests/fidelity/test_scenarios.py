"""The named scenarios are all tested, where the list of them is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncd.rules import TABLE, Event, Position
from syncd.rules.table import GROUPS

ROOT = Path(__file__).resolve().parents[2]


def test_every_named_scenario_has_a_test_of_its_name(facts: Path) -> None:
    listed = facts.parent / "design" / "samples" / "scenarios.json"
    wanted = {case["id"] for case in json.loads(listed.read_text())["scenarios"]}
    text = (ROOT / "tests" / "unit" / "test_scenarios_by_name.py").read_text()
    assert set(re.findall(r"^def test_(S\d\d)_", text, re.MULTILINE)) == wanted


def test_every_cell_of_the_listed_table_is_the_programs(facts: Path) -> None:

    listed = json.loads(
        (facts.parent / "design" / "samples" / "transition-matrix.json").read_text()
    )
    assert {(Position(c["state"]), Event(c["event"])) for c in listed["cells"]} == set(TABLE)


def test_the_table_is_the_listed_one_but_for_the_named_dates(facts: Path) -> None:
    """All is as listed but for conditions, and steps that only remember; the page has them."""
    listed = json.loads(
        (facts.parent / "design" / "samples" / "transition-matrix.json").read_text()
    )
    given = {(Position(c["state"]), Event(c["event"])): c for c in listed["cells"]}
    page = (ROOT / "docs" / "decisions" / "rules-that-differ.md").read_text("utf-8")
    added = {
        f"{event} at {position}": step
        for event, at, step in re.findall(r"^\* `(\w+) at (\w+)`, step `(\w+)`", page, re.MULTILINE)
        for position in GROUPS.get(at, {at})
    }
    differ = set()
    for key, cell in TABLE.items():
        other = given[key]
        assert (cell.outcome, cell.target, cell.reason) == (
            other["outcome"], other["target"], other["reason"],
        ), key  # fmt: skip
        steps = [str(step) for step in cell.steps if str(step) != added.get(cell.name)]
        assert steps == _written_out(given, key, other["actions"])
        if cell.conditional:
            differ.add(cell.name)
    told = {
        f"{event} at {position}"
        for event, at in re.findall(r"^\* `(\w+) at (\w+)`:", page, re.MULTILINE)
        for position in GROUPS.get(at, {at})
    }
    assert told == differ


def _written_out(
    given: Mapping[tuple[Position, Event], Any], key: tuple[Position, Event], actions: list[str]
) -> list[str]:
    """The listed steps of a cell in the table's own spelling, implied ones in their place."""
    steps: list[str] = []
    here = key[0]
    for action in actions:
        if action.startswith("imply_"):
            event = Event(action.removeprefix("imply_"))
            inner = given[here, event]
            implied = _written_out(given, (here, event), inner["actions"])
            steps += [f"({step.strip('()')})" for step in implied]
            here = Position(inner["target"])
        else:
            steps.append(action.replace("alert_", "alert:"))
    return steps
