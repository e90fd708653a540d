"""``syncd channels`` shows what is installed, with no daemon and no configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = "raise RuntimeError('the key of this shop is gone')\n"
SHOP = """
from syncd import Channel, Pace, Settings, Status, hookimpl

class Files:
    @hookimpl
    def describe_channel(self):
        return Channel(title="Toy files", settings=Settings, unverified=("A column.",))

    @hookimpl
    def fetch_cancelled(self):
        yield from ()

@hookimpl
def describe_channel():
    return Channel(
        title="Toy", settings=Settings, statuses=frozenset({Status.DISPATCHED}), ships="the toy",
        orders_per_call=7, window_only=frozenset({"orders"}), sources={"files": Files()},
        paces={"default": Pace(per_second=2), "slow": Pace(per_second=0.5)},
    )

@hookimpl
def fetch_orders():
    yield from ()

@hookimpl
def fetch_dispatched():
    yield from ()
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder with two plugins as if installed: one works, one cannot be loaded."""
    for name, source in (("toy", SHOP), ("wreck", BROKEN)):
        (tmp_path / f"{name}_plugin.py").write_text(source)
        facts = tmp_path / f"syncd_{name}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: syncd-{name}\nVersion: 1.0\n"
        )
        (facts / "entry_points.txt").write_text(f"[syncd.channels]\n{name} = {name}_plugin\n")
    return tmp_path


def ran(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "channels", *arguments],
        env={**os.environ, "PYTHONPATH": str(folder)}, cwd="/", capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def lines_of(text: str, name: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.startswith(f"{name} ")]


def test_every_channel_is_listed_with_what_it_tells_and_its_limits(plugins: Path) -> None:
    done = ran(plugins)
    assert lines_of(done.stdout, "toy") == [
        "toy enabled 1.0 the toy",
        "toy window new orders",
        "toy window or ids DISPATCHED",
        "toy (files) window or ids CANCELLED, RETURN_NOTICED, CANCEL_REQUESTED, CANCEL_WITHDRAWN *",
        "toy no limit known 1 d 7 30 a minute to 2 a second 0",
        "toy (files) no limit known 1 d 100 - 1",
    ]
    assert "syncd channels NAME" in done.stderr


def test_a_plugin_that_cannot_be_loaded_is_listed_with_the_reason(plugins: Path) -> None:
    assert "wreck is off: " in ran(plugins).stdout
    told = ran(plugins, "wreck").stdout
    assert "It is off: " in told
    assert "the key of this shop is gone" in told


def test_one_is_shown_in_full_with_each_of_its_sources(plugins: Path) -> None:
    told = ran(plugins, "toy").stdout
    assert told.startswith("Toy: syncd-toy 1.0, enabled\n")
    first, other = told.split('Where an account says source = "files":')
    assert "the toy" in first
    assert "A column." in other
    assert "Accounts" not in told


def test_it_is_one_document_for_machines(plugins: Path) -> None:
    found = {one["name"]: one for one in json.loads(ran(plugins, "--json").stdout)["channels"]}
    assert found["wreck"]["state"] == "load_error"
    assert found["toy"]["abilities"]["sources"]["files"]["unverified"] == ["A column."]
    (toy,) = json.loads(ran(plugins, "toy", "--json").stdout)["channels"]
    assert toy == found["toy"]


def test_a_name_that_is_not_installed_is_not_found(plugins: Path) -> None:
    told = ran(plugins, "ebay", code=5).stderr
    assert told.startswith("syncd: No channel ebay is installed.")
    assert "pip install syncd-ebay" in told


def test_without_a_daemon_syncctl_names_the_command_that_needs_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd.cli.syncctl", "--socket", str(tmp_path / "no"), "channels"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert "syncd channels shows what is installed here" in done.stderr
