"""What every test folder shares: where the repository is, and that no test leaves a false book.

Other fixtures live beside their tests.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog

from syncd.book.migrations import APPLICATION_ID, STEPS
from tests.invariants import check_file


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line, so that a green run does not look as if it had compared simulators with panels.

    It stands here because only this conftest is read where the workers of xdist report to.
    """
    if not os.environ.get("SYNCD_PANEL_FACTS"):
        terminalreporter.write_line(
            "tests/fidelity skipped: SYNCD_PANEL_FACTS does not name a folder of panel facts"
        )


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree, for the tests that read the project's own files."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """Tracebacks as text: those with every local variable, drawn, take seconds each."""
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["event"], bool_as_flag=False),
        ]
    )


@pytest.fixture(autouse=True)
def sound_books(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every book that a test leaves in its ``tmp_path`` obeys every invariant.

    A test that breaks one on purpose says which: ``@pytest.mark.unsound_book("i06_...")``; one
    that spoils the file says nothing: ``@pytest.mark.unsound_book``.
    """
    if "tmp_path" not in request.fixturenames:
        yield
        return
    folder: Path = request.getfixturevalue("tmp_path")
    yield
    broken = request.node.get_closest_marker("unsound_book")
    if broken is not None and not broken.args:
        return
    for path in sorted(folder.rglob("book.sqlite3")):
        if _is_book(path):
            check_file(path, but=() if broken is None else broken.args)


def _is_book(path: Path) -> bool:
    """Whether it is a book of today's schema, and not one that a test of the store has spoilt."""
    try:
        with closing(sqlite3.connect(path, timeout=30)) as db:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        return False
    return bool(application == APPLICATION_ID and version == len(STEPS) + 1)
