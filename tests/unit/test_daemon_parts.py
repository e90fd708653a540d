"""The daemon's parts by themselves: lock, accounts in the book, wiring."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from syncd.book.store import Book
from syncd.book.tables import Account, Facility, Tenant
from syncd.channels import Channels, LoadedChannel
from syncd.clock import HandClock
from syncd.config import AccountConfig, Config, Loaded, TaskConfig
from syncd.daemon.accounts import ensure_accounts
from syncd.daemon.lock import StartRefused, StateLock
from syncd.daemon.wiring import Wiring
from syncd.errors import Refused
from syncd.hookspecs import Channel, Settings
from syncd.statuses import Kind
from syncd.tokens import MemoryTokens
from tests.unit.wire import Wire

NOW = datetime(2026, 2, 3, tzinfo=UTC)


def account(name: str, **more: object) -> AccountConfig:
    return AccountConfig.model_validate({"name": name, "channel": "shop", **more})


def config(*accounts: AccountConfig) -> Config:
    return Config(
        path=Path("/x.toml"), state_dir=Path("/x"), socket=Path("/x.sock"),
        accounts={one.name: one for one in accounts},
    )  # fmt: skip


# --- the lock


def test_fault_D11_the_lock_names_its_holder_and_can_be_given_back(tmp_path: Path) -> None:
    first = StateLock(tmp_path / "state")
    with pytest.raises(StartRefused, match=f"already: process {os.getpid()}\\."):
        StateLock(tmp_path / "state")
    first.release()
    again = StateLock(tmp_path / "state")
    assert again.path.read_text() == f"{os.getpid()}\n"
    again.release()


def test_fault_C10_a_lock_file_left_behind_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999\n")
    StateLock(tmp_path).release()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_the_state_directory_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    folder.mkdir(parents=True, mode=0o755)
    StateLock(folder).release()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "lock").stat().st_mode) == 0o600


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(StartRefused, match="cannot be used"):
        StateLock(tmp_path)
    assert (tmp_path / "precious").read_text() == "keep"


# --- accounts in the book


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book.open(tmp_path / "book.sqlite3", HandClock(NOW))
    with book.connection():
        yield book
    book.close()


def states() -> dict[str, tuple[str, str]]:
    return {row.name: (row.state, row.state_reason) for row in Account.select()}


def test_accounts_bring_their_tenant_and_facilities(book: Book) -> None:
    one = account("a", tenant="t", facility="f1", locations={"L1": "f2", "L2": "f1"})
    for _ in range(2):
        assert ensure_accounts(book, config(one, account("b")), {}, NOW) == {}
    found = sorted((row.tenant.code, row.code) for row in Facility.select())
    assert found == [("main", "main"), ("t", "f1"), ("t", "f2")]
    assert {row.code: row.state for row in Tenant.select()} == {
        "t": "ONBOARDING", "main": "ONBOARDING"
    }  # fmt: skip
    assert states() == {"a": ("CONNECTED", ""), "b": ("CONNECTED", "")}


def test_an_account_goes_off_and_on_with_its_channel_and_the_file(book: Book) -> None:
    both = config(account("a"), account("b"))
    ensure_accounts(book, both, {"a": "no such plugin"}, NOW)
    assert states()["a"] == ("DISABLED", "no such plugin")
    ensure_accounts(book, config(account("a")), {}, NOW)
    assert states()["a"] == ("CONNECTED", "")
    assert states()["b"] == ("DISABLED", "it is not in the configuration any more")


@pytest.mark.parametrize("state", ["PAUSED", "AUTH_FAILED"])
def test_what_waits_for_a_person_goes_on_waiting(book: Book, state: str) -> None:
    ensure_accounts(book, config(account("a")), {}, NOW)
    Account.update(state=state, state_reason="because").execute()
    ensure_accounts(book, config(account("a")), {}, NOW)
    assert states()["a"] == (state, "because")


def test_an_account_name_is_not_taken_over_by_another_channel(book: Book) -> None:
    ensure_accounts(book, config(account("a")), {}, NOW)
    absent = ensure_accounts(book, config(account("a", channel="other")), {}, NOW)
    assert "the book knows account a as one of channel shop" in absent["a"]
    assert Account.get(Account.name == "a").channel == "shop"
    assert states()["a"][0] == "DISABLED"


# --- wiring


class ShopSettings(Settings):
    """Settings of a made-up channel."""

    token: SecretStr = SecretStr("t")


def loaded(*accounts: AccountConfig, token: str = "t") -> Loaded:
    settings = ShopSettings(base_url="https://panel.example", token=SecretStr(token))
    return Loaded(config(*accounts), {one.name: settings for one in accounts}, {})


def wiring(first: Loaded) -> Wiring:
    channel = LoadedChannel("shop", "syncd-shop", "1")
    channel.description = Channel(title="Shop", settings=ShopSettings)
    return Wiring(first, Channels([channel]), MemoryTokens(), HandClock(NOW))


def test_setup_holds_what_a_pass_needs() -> None:
    wires = wiring(loaded(account("a", locations={"L": "f"})))
    setup = wires.setup("a")
    assert (setup.account.name, setup.account.channel) == ("a", "shop")
    assert setup.account.settings.token.get_secret_value() == "t"
    assert setup.look_back[Kind.RETURNS] == timedelta(days=30)
    assert setup.locations == {"L": "f"}
    panel = wires.panel(setup, threading.Event())
    assert panel.account == "a"
    panel.close()


def test_a_configured_proxy_stands_before_the_panel() -> None:
    with Wire() as wire:
        first = loaded(account("a"))
        away = ShopSettings(base_url="http://127.0.0.1:1")
        config = first.config.model_copy(update={"proxy": wire.url})
        wires = wiring(Loaded(config, {"a": away}, {}))
        panel = wires.panel(wires.setup("a"), threading.Event())
        assert panel.get("/x", shape=bytes)
        panel.close()
    assert wire.paths == ["http://127.0.0.1:1/x"]


def test_setup_of_an_account_that_is_off_says_why() -> None:
    wires = wiring(loaded(account("a")))
    wires.replace(wires.loaded, {"a": "its channel is gone"})
    assert wires.runnable() == []
    with pytest.raises(Refused, match="Account a cannot run: its channel is gone"):
        wires.setup("a")
    with pytest.raises(Refused, match="Account x cannot run: it is not in the configuration"):
        wires.setup("x")


def test_only_accounts_that_run_otherwise_count_as_changed() -> None:
    wires = wiring(loaded(account("a"), account("b")))
    assert wires.changed(loaded(account("a"), account("b"), account("c"))) == []
    assert wires.changed(loaded(account("a"))) == ["b"]
    assert wires.changed(loaded(account("a"), account("b", facility="f"))) == ["b"]
    assert wires.changed(loaded(account("a"), account("b"), token="new")) == ["a", "b"]
    often = {
        "tasks": {Kind.RETURNS: TaskConfig(every=timedelta(hours=1), look_back=timedelta(days=30))}
    }
    one = account("a").model_copy(update={"tasks": {**account("a").tasks, **often["tasks"]}})
    assert wires.changed(loaded(one, account("b"))) == []
