"""What a plugin keeps between its calls: on disk, for one account, for a time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.book.memory import AccountMemory
from syncd.errors import PluginError
from tests.bookkit import Seller


def test_a_note_is_there_after_a_restart_until_it_is_too_old(tmp_path: Path) -> None:
    seller = Seller(tmp_path)
    AccountMemory(seller.book, 1).remember("report", "R-1", keep=timedelta(hours=2))
    again = AccountMemory(seller.book, 1)
    assert again.recall("report") == "R-1"
    seller.clock.advance(timedelta(hours=2))
    assert again.recall("report") == ""
    again.remember("other", "x")
    assert seller.rows("SELECT key FROM memo") == [("other",)], "what is too old is swept"


def test_a_note_is_replaced_and_forgotten(tmp_path: Path) -> None:
    memory = AccountMemory(Seller(tmp_path).book, 1)
    memory.remember("report", "R-1")
    memory.remember("report", "R-2")
    assert memory.recall("report") == "R-2"
    memory.forget("report")
    assert memory.recall("report") == ""


def test_a_rehearsal_reads_what_is_there_and_stores_nothing(tmp_path: Path) -> None:
    seller = Seller(tmp_path)
    real = AccountMemory(seller.book, 1)
    real.remember("report", "R-1")
    rehearsal = AccountMemory(seller.book, 1, rehearsal=True)
    assert rehearsal.recall("report") == "R-1"
    rehearsal.remember("report", "R-2")
    assert rehearsal.recall("report") == "R-2"
    rehearsal.forget("report")
    assert rehearsal.recall("report") == ""
    assert real.recall("report") == "R-1"


@pytest.mark.parametrize(("key", "text"), [("", "x"), ("k" * 201, "x"), ("k", "x" * 10_001)])
def test_what_is_no_short_note_is_the_plugins_fault(tmp_path: Path, key: str, text: str) -> None:
    seller = Seller(tmp_path)
    with pytest.raises(PluginError, match="at most 10000"):
        AccountMemory(seller.book, 1).remember(key, text)
