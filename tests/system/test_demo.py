"""``make demo ONCE=1`` does what it promises: the last line, the exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def demo(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("d")
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo", "--once"],
        cwd=repository,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done, folder


def summary_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_it_ends_well_because_the_book_is_true(
    demo: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = demo
    assert done.returncode == 0, done.stdout + done.stderr
    summary = summary_of(done)
    assert summary["true"] is True
    assert summary["differences"] == 0


def test_its_summary_has_the_numbers(demo: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    summary = summary_of(demo[0])
    others = len(summary["accounts"]) - 1  # one account has the whole story, the others a fifth
    assert others + 1 == 2 * len(summary["channels"])
    assert set(summary["accounts"].values()) == {"true"}
    assert summary["orders"] > 250 + 30 * others  # a panel of few words has fewer of them
    assert summary["changes_seen"] > summary["orders"]
    assert summary["applied"] > summary["orders"]
    assert summary["refused"] == {"sequence_missing": 10 + 2 * others}
    # A panel that is only asked by order never speaks of one that the book does not know.
    assert summary["tombstoned"] in range(6, 6 + 2 * others + 1, 2)
    assert summary["parked"] >= 0
    assert summary["seconds"] > 0


def test_it_shows_the_gate_and_tells_why(
    demo: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    shown = demo[0].stdout
    assert "Sync not allowed as Tenant is not Live yet" in shown
    assert shown.count("What happened:") == 5


def test_it_leaves_nothing_behind(
    demo: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, folder = demo
    assert list(folder.iterdir()) == []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(folder).encode() not in entry.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
