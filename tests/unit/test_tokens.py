"""Tokens outlive the process, are for the owner's eyes, and are renewed by one at a time."""

from __future__ import annotations

import multiprocessing
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.clock import HandClock
from syncd.errors import PanelBusy, Stopped
from syncd.tokens import LOCK_PATIENCE, FileTokens, MemoryTokens, Token, TokenStore
from tests.unit.wire import NOON

TOKEN = Token(
    access_token="CANARY-access",
    refresh_token="CANARY-refresh",
    expires_at=NOON + timedelta(days=60),
    obtained_at=NOON,
)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    return FileTokens(tmp_path / "tokens") if request.param == "file" else MemoryTokens()


def test_a_token_is_given_back_as_it_was_saved(store: TokenStore) -> None:
    assert store.load("fk") is None
    store.save("fk", TOKEN)
    assert store.load("fk") == TOKEN
    assert store.load("other") is None


def test_a_token_outlives_the_store_that_saved_it(tmp_path: Path) -> None:
    FileTokens(tmp_path / "deep" / "tokens").save("fk", TOKEN)
    assert FileTokens(tmp_path / "deep" / "tokens").load("fk") == TOKEN


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    folder.mkdir(mode=0o755)
    store = FileTokens(folder)
    store.save("fk", TOKEN)
    with store.lock("fk"):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"fk.json": 0o600, "fk.lock": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("account", ["../../etc/passwd", "a/b", "\u0905\u0928", ".", "a b"])
def test_no_account_name_leads_out_of_the_folder(tmp_path: Path, account: str) -> None:
    store = FileTokens(tmp_path / "tokens")
    store.save(account, TOKEN)
    assert store.load(account) == TOKEN
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]
    assert len(list((tmp_path / "tokens").iterdir())) == 1


def test_fault_E04_a_half_written_new_file_leaves_the_old_token(tmp_path: Path) -> None:
    store = FileTokens(tmp_path)
    store.save("fk", TOKEN)
    (tmp_path / "fk.new").write_bytes(b'{"access_tok')  # a crash in the middle of a save
    assert store.load("fk") == TOKEN
    newer = Token(access_token="b", expires_at=NOON, obtained_at=NOON)
    store.save("fk", newer)
    assert store.load("fk") == newer


def test_a_damaged_file_counts_as_no_token(tmp_path: Path) -> None:
    store = FileTokens(tmp_path)
    (tmp_path / "fk.json").write_bytes(b"\x00\x00")
    assert store.load("fk") is None


def test_fault_E10_the_repr_of_a_token_shows_no_secret() -> None:
    shown = f"{TOKEN!r} {TOKEN} {[TOKEN]} {TOKEN.__rich_repr__()}"
    assert "CANARY" not in shown
    assert "2025-08-30" in shown


def test_fault_E03_the_lock_lets_in_one_thread_at_a_time(store: TokenStore) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(5):
            with store.lock("fk"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(most) == 20
    assert max(most) == 1


def _hold(folder: str, held: threading.Event, let_go: threading.Event) -> None:
    with FileTokens(Path(folder)).lock("fk"):
        held.set()
        let_go.wait(30)


def test_fault_E03_the_lock_holds_between_processes_and_dies_with_its_holder(
    tmp_path: Path,
) -> None:
    spawn = multiprocessing.get_context("spawn")
    held, let_go = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(str(tmp_path), held, let_go))
    other.start()
    try:
        assert held.wait(30)
        store = FileTokens(tmp_path, clock=HandClock(NOON))
        with pytest.raises(PanelBusy, match="account fk"), store.lock("fk"):
            pass
        with store.lock("another"):
            pass
    finally:
        other.kill()
        other.join(30)
    with store.lock("fk"):
        pass


def test_waiting_for_the_lock_is_bounded(tmp_path: Path) -> None:
    clock = HandClock(NOON)
    store = FileTokens(tmp_path, clock=clock)
    with store.lock("fk"), pytest.raises(PanelBusy), store.lock("fk"):
        pass
    assert LOCK_PATIENCE <= clock.monotonic() < LOCK_PATIENCE + 1


def test_waiting_for_the_lock_hears_a_stop(store: TokenStore) -> None:
    stop = threading.Event()
    stop.set()
    with store.lock("fk"), pytest.raises(Stopped), store.lock("fk", stop):
        pass
