"""The whole program, made fresh for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A seller whose daemon runs; nothing is set up in the book yet."""
    with Program(tmp_path) as running:
        yield running


@pytest.fixture
def live(program: Program) -> Program:
    """The same with a live tenant, a sequence, and ten shirts on the shelf."""
    program.go_live(stock={"SHIRT": 10})
    return program
