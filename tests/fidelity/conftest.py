"""Tests against what panels were seen to answer: a folder outside the project.

``SYNCD_PANEL_FACTS`` names it. Without it only ``test_facts.py`` is collected, which is skipped;
so is a file that is named on the command line.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FACTS = os.environ.get("SYNCD_PANEL_FACTS", "")
HERE = Path(__file__).parent

collect_ignore = (
    [] if FACTS else [path.name for path in HERE.glob("test_*.py") if path.name != "test_facts.py"]
)
if not (Path(FACTS).parent / "design" / "samples" / "scenarios.json").is_file():
    collect_ignore.append("test_scenarios.py")  # the list of scenarios stands beside the facts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what a person named although there is nothing to compare with."""
    if FACTS:
        return
    skipped = pytest.mark.skip(reason="SYNCD_PANEL_FACTS does not name a folder of panel facts")
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(skipped)


@pytest.fixture(scope="session")
def facts() -> Path:
    """The folder of facts, one folder for each channel in it."""
    return Path(FACTS)
