"""Plugins are found, checked and loaded each by itself; a broken one stops nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

from syncd.channels import Channels, ChannelState, discover
from syncd.errors import PluginError
from syncd.hookspecs import Settings
from syncd.statuses import Kind

GOOD = """
from syncd import Channel, Page, Settings, hookimpl

@hookimpl
def describe_channel():
    return Channel(title="Good Shop", settings=Settings)

@hookimpl
def fetch_dispatched(window):
    yield Page(rows=[])
"""


SOURCED = """
from typing import Literal
from syncd import Channel, Page, Pace, Settings, hookimpl

class Asking(Settings):
    source: Literal["calls"] = "calls"

class Calls:
    @hookimpl
    def describe_channel(self):
        return Channel(title="Two", settings=Asking, paces={"default": Pace(per_second=2)})

    @hookimpl
    def fetch_cancelled(self, window):
        yield Page(rows=[])

@hookimpl
def describe_channel():
    return Channel(title="Two", settings=Settings, sources={"calls": Calls()})

@hookimpl
def fetch_dispatched(window):
    yield Page(rows=[])

@hookimpl
def read_report(account, report):
    yield Page(rows=[])
"""


class Shop:
    """Writes plugin modules into a folder and offers them as installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[EntryPoint] = []

    def offer(self, name: str, code: str, distribution: str = "") -> None:
        module = f"shop_{self.folder.name.replace('-', '_')}_{len(self.entries)}"
        (self.folder / f"{module}.py").write_text(code)
        dist_name = distribution or f"syncd-{name}"
        info = self.folder / f"{dist_name.replace('-', '_')}-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist_name}\nVersion: 1.2\n")
        entry = EntryPoint(name=name, value=module, group="syncd.channels")
        vars(entry).update(dist=Distribution.at(info))
        self.entries.append(entry)

    def discover(self) -> Channels:
        return discover(self.entries)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    sys.path.insert(0, str(tmp_path))
    yield Shop(tmp_path)
    sys.path.remove(str(tmp_path))


def test_a_good_plugin_is_enabled_with_its_kinds(shop: Shop) -> None:
    shop.offer("good", GOOD)
    channel = shop.discover()["good"]
    assert channel.state is ChannelState.ENABLED
    assert channel.title == "Good Shop"
    assert channel.kinds == {Kind.DISPATCHED}
    assert (channel.distribution, channel.version) == ("syncd-good", "1.2")
    assert not channel.gates_shipping


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("def broken(:", "SyntaxError"),
        (GOOD.replace("fetch_dispatched", "fetch_dispached"), "fetch_dispached"),
        (GOOD.replace("(window)", "(window, wndow)"), "wndow"),
        (GOOD.replace("@hookimpl\ndef fetch", "def fetch"), "@hookimpl"),
        (GOOD.replace("settings=Settings", "settings=dict"), "syncd.Settings"),
        ("from syncd import hookimpl\n@hookimpl\ndef fetch_returns(): yield", "describe_channel"),
    ],
    ids=["import", "exit", "syntax", "misspelt", "signature", "unmarked", "settings", "nameless"],
)
def test_fault_F11_F13_a_broken_plugin_is_shown_with_its_reason_and_stops_nothing(
    shop: Shop, code: str, reason: str
) -> None:
    shop.offer("bad", code)
    shop.offer("good", GOOD)
    channels = shop.discover()
    assert channels["good"].state is ChannelState.ENABLED
    assert channels["bad"].state is ChannelState.LOAD_ERROR
    assert reason in channels["bad"].reason
    assert "syncd-bad 1.2" in channels["bad"].reason
    assert [channel.name for channel in channels.enabled] == ["good"]
    with pytest.raises(PluginError, match="bad is off"):
        channels["bad"].describe()


def test_fault_F12_two_plugins_of_one_name_are_both_refused_by_name(shop: Shop) -> None:
    shop.offer("twin", GOOD, "syncd-twin")
    shop.offer("twin", GOOD, "acme-twin")
    channel = shop.discover()["twin"]
    assert channel.state is ChannelState.LOAD_ERROR
    assert "acme-twin 1.2 and syncd-twin 1.2" in channel.reason
    assert "Uninstall one" in channel.reason


def test_an_account_is_read_by_the_source_that_its_settings_name(shop: Shop) -> None:
    shop.offer("two", SOURCED)
    channel = shop.discover()["two"]
    calls = channel.sources["calls"]

    assert channel.of(Settings()) is channel
    assert channel.of(calls.describe().settings()) is calls
    assert (channel.kinds, channel.reads_reports) == ({Kind.DISPATCHED}, True)
    assert (calls.kinds, calls.reads_reports) == ({Kind.CANCELLED}, False)
    assert (calls.name, calls.distribution, calls.version) == ("two", "syncd-two", "1.2")
    assert calls.describe().paces["default"].per_second == 2


def test_a_source_that_is_no_plugin_turns_the_channel_off(shop: Shop) -> None:
    shop.offer("two", SOURCED.replace('"calls": Calls()', '"calls": Asking()'))
    channel = shop.discover()["two"]

    assert channel.state is ChannelState.LOAD_ERROR
    assert "could not be used" in channel.reason
