"""Whether there are facts to compare with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

FACTS = os.environ.get("SYNCD_PANEL_FACTS", "")


@pytest.mark.skipif(not FACTS, reason="SYNCD_PANEL_FACTS does not name a folder of panel facts")
def test_the_folder_of_facts_is_complete() -> None:
    folder = Path(FACTS) / "flipkart"
    document = json.loads((folder / "openapi-orders-returns.json").read_text())
    assert document["openapi"].startswith("3.0")
    assert len(list((folder / "samples").glob("*.json"))) >= 10
