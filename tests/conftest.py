"""What every test folder shares: where the repository is. Fixtures live beside their tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree, for the tests that read the project's own files."""
    return Path(__file__).resolve().parent.parent
