"""A process of the demo that does not start is told by name, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.demo.children import Child, ChildError


def test_one_that_is_too_slow_is_told_with_the_time_it_had(tmp_path: Path) -> None:
    with (
        Child("panel", ["-c", "import time; time.sleep(60)"], tmp_path) as child,
        pytest.raises(ChildError, match=r"panel did not start within 0\.2 s: \(it said nothing\)"),
    ):
        child.announcement(0.2)


def test_one_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        Child("panel", ["-c", "raise SystemExit('no port is free')"], tmp_path) as child,
        pytest.raises(ChildError, match="panel did not start: no port is free"),
    ):
        child.announcement()


def test_what_it_prints_first_is_its_announcement(tmp_path: Path) -> None:
    with Child("panel", ["-c", 'print(\'{"url": "x"}\')'], tmp_path) as child:
        assert child.announcement() == {"url": "x"}
