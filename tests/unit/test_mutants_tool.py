"""Changes are tried one by one, each in a process of its own, and only by tests that pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """
import os

def on(number):
    return os.environ.get("MUTANT_UNDER_TEST") == f"pkg.x_f__mutmut_{number}"

def test_value():
    assert not on(1)

def test_limit():
    assert not on(2)
"""
CONFIG = """
[mutmut]
pytest_add_cli_args = -p no:cacheprovider
pytest_add_cli_args_test_selection = test_pkg.py
"""


def trial(folder: Path, *words: str, tests: str = TESTS) -> subprocess.CompletedProcess[str]:
    """The tool over four changes: of ``g``, which no test reaches, and three of ``f``."""
    names = [*(f"pkg.x_f__mutmut_{n}" for n in (1, 2, 3)), "pkg.x_g__mutmut_1"]
    ids = {f"test_pkg.py::{name}": 0.01 for name in ("test_value", "test_limit")}
    meta = folder / "pkg.py.meta"
    if not meta.exists():
        meta.write_text(json.dumps({"exit_code_by_key": dict.fromkeys(names)}))
    stats = {"tests_by_mangled_function_name": {"pkg.x_f": [*ids]}, "duration_by_test": ids}
    (folder / "mutmut-stats.json").write_text(json.dumps(stats))
    (folder / "setup.cfg").write_text(CONFIG)
    (folder / "test_pkg.py").write_text(tests)
    return subprocess.run(
        [sys.executable, "-m", "tools.mutants", "--workers", "2", *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def codes(folder: Path) -> list[int | None]:
    return [*json.loads((folder / "pkg.py.meta").read_text())["exit_code_by_key"].values()]


def test_what_a_test_notices_and_what_none_does(tmp_path: Path) -> None:
    done = trial(tmp_path)
    assert "4 changes: 2 noticed, 2 not" in done.stdout, done.stderr
    assert codes(tmp_path) == [1, 1, 0, 33]


def test_what_survived_is_tried_again_with_new_tests(tmp_path: Path) -> None:
    trial(tmp_path)
    more = TESTS + "\ndef test_value():\n    assert not on(3)\n"
    assert "2 changes: 1 noticed, 1 not" in trial(tmp_path, "--survived", tests=more).stdout
    assert codes(tmp_path) == [1, 1, 1, 33]


def test_a_test_that_fails_by_itself_notices_nothing(tmp_path: Path) -> None:
    done = trial(tmp_path, tests=TESTS + "\n    assert False\n")
    assert done.returncode != 0
    assert "the tests fail without any change: test_pkg.py::test_limit" in done.stdout + done.stderr
    assert codes(tmp_path) == [None] * 4
