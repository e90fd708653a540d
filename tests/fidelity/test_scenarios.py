"""The named scenarios are all tested, where the list of them is at hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

from syncd.rules import TABLE, Event, Position

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
