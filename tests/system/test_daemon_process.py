"""The daemon as a process of its own: start, signals, the way out, and starting again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.book.store import Book
from syncd.book.tables import Tenant
from syncd.clock import SystemClock
from syncd.config import load
from syncd.daemon.accounts import ensure_accounts

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0

PLUGIN = """
import time
import syncd
from pathlib import Path
hookimpl = syncd.hookimpl

@hookimpl
def describe_channel():
    return syncd.Channel(title="Sleepy", settings=syncd.Settings)

@hookimpl
def fetch_dispatched(account, window, orders, panel):
    Path({flag!r}).touch()
    time.sleep(60)
    yield syncd.Page(rows=())
"""

ACCOUNT = """
[accounts.slow]
channel = "sleepy"
settings = { base_url = "https://panel.example" }
"""


class Daemon:
    """A daemon under test, with a stand-in for systemd that hears its messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "syncd.toml"
        self.state = folder / "state"
        self.socket = folder / "run" / "syncd.sock"
        self.flag = folder / "hook-was-called"
        self.env: dict[str, str] = {}
        self.umask = 0o022
        self.process: subprocess.Popen[str] | None = None
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        self._manager.settimeout(PATIENCE)
        self.write("")

    def write(self, more: str) -> None:
        text = f'[syncd]\nstate_dir = "{self.state}"\nsocket = "{self.socket}"\n'
        self.config.write_text(text + more)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "syncd", "--config", str(self.config), *arguments]

    def environment(self) -> dict[str, str]:
        path = f"{ROOT}:{self.folder / 'plugins'}"
        return {"PYTHONPATH": path, "NOTIFY_SOCKET": str(self.folder / "notify"), **self.env}

    def start(self, *, stderr: int | None = None) -> None:
        with contextlib.ExitStack() as stack:
            log = stderr
            if log is None:
                log = stack.enter_context((self.folder / "log").open("a")).fileno()
            self.process = subprocess.Popen(
                self.command(), env=self.environment(), umask=self.umask, stderr=log,
                cwd="/", text=True,
            )  # fmt: skip

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment(), cwd="/", timeout=PATIENCE,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def hear(self, word: str) -> str:
        """Wait for a message of the daemon that holds ``word``."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self._manager.recv(4096).decode()
            if word in message.split("\n"):
                return message
        raise AssertionError(f"{word} was not heard")

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    def ask(self, path: str) -> Any:
        client = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        client.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.sock.connect(str(self.socket))
        with contextlib.closing(client):
            client.request("GET", path)
            answer = client.getresponse()
            assert answer.status == 200
            return json.load(answer)

    def complaints(self) -> list[str]:
        """The problems that status tells, but for the lack of accounts."""
        found: list[str] = self.ask("/v1/status")["problems"]
        return [text for text in found if not text.startswith("No account is configured")]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.state / "book.sqlite3")) as connection:
            return connection.execute(sql).fetchall()

    def install(self, name: str, source: str) -> None:
        """Make a channel plugin that only this daemon can find."""
        facts = self.folder / "plugins" / f"{name}-1.0.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[syncd.channels]\n{name} = {name}_plugin\n")
        module = self.folder / "plugins" / f"{name}_plugin.py"
        module.write_text(textwrap.dedent(source).replace("{flag!r}", repr(str(self.flag))))

    def prepare_slow_account(self) -> None:
        """An account of a live tenant whose first hook sleeps for a minute."""
        self.install("sleepy", PLUGIN)
        self.write(ACCOUNT)
        clock = SystemClock()
        self.state.mkdir(mode=0o700)
        book = Book.open(self.state / "book.sqlite3", clock)
        ensure_accounts(book, load(self.config, {}), {}, clock.now())
        with book.write():
            Tenant.update(state="LIVE").execute()
        book.close()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self._manager.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.close()


def test_start_serve_and_stop(daemon: Daemon) -> None:
    daemon.start()
    assert "STATUS=0 accounts" in daemon.hear("READY=1")
    assert daemon.complaints() == []
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.hear("STOPPING=1")
    assert daemon.end() == 0
    assert time.monotonic() - began < 5
    assert not daemon.socket.exists()
    assert [line["event"] for line in daemon.log()] == ["ready", "stopped"]


def test_fault_C05_sigint_stops_as_well(daemon: Daemon) -> None:
    daemon.start()
    daemon.hear("READY=1")
    daemon.signal(signal.SIGINT)
    assert daemon.end() == 0
    assert not daemon.socket.exists()


def test_fault_I06_bare_environment_and_open_umask_change_nothing(daemon: Daemon) -> None:
    daemon.umask = 0
    daemon.start()
    daemon.hear("READY=1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in daemon.state.rglob("*")}
    assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o700
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o660


def test_fault_D11_a_second_daemon_is_refused_and_told_the_first_ones_pid(daemon: Daemon) -> None:
    daemon.start()
    daemon.hear("READY=1")
    assert daemon.process is not None
    second = daemon.run()
    assert second.returncode == 1
    assert f"already: process {daemon.process.pid}." in second.stderr
    assert daemon.ask("/v1/status")["accounts"] == []


def test_fault_C10_after_kill_9_the_next_start_takes_over(daemon: Daemon) -> None:
    daemon.start()
    daemon.hear("READY=1")
    daemon.signal(signal.SIGKILL)
    assert daemon.end() == -signal.SIGKILL
    assert daemon.socket.exists()
    assert (daemon.state / "lock").exists()
    daemon.start()
    daemon.hear("READY=1")
    assert daemon.ask("/v1/status")["accounts"] == []


def test_fault_I02_a_bad_config_at_reload_leaves_the_old_one_in_force(daemon: Daemon) -> None:
    daemon.start()
    daemon.hear("READY=1")
    daemon.write("[sincd]\nx = 1\n")
    daemon.signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in daemon.hear("RELOADING=1")
    daemon.hear("READY=1")
    status = daemon.ask("/v1/status")
    assert not status["healthy"]
    assert 'line 4: sincd: unknown key; did you mean "syncd"?' in status["problems"][0]
    daemon.write("# mended\n")
    daemon.signal(signal.SIGHUP)
    daemon.hear("RELOADING=1")
    daemon.hear("READY=1")
    assert daemon.complaints() == []


def test_reload_takes_accounts_in_and_out(daemon: Daemon) -> None:
    daemon.install("sleepy", PLUGIN)
    daemon.start()
    daemon.hear("READY=1")
    daemon.write(ACCOUNT)
    daemon.signal(signal.SIGHUP)
    daemon.hear("RELOADING=1")
    assert "STATUS=1 account" in daemon.hear("READY=1")
    assert daemon.rows("SELECT name, state FROM account") == [("slow", "CONNECTED")]
    daemon.write("")
    daemon.signal(signal.SIGHUP)
    daemon.hear("RELOADING=1")
    assert "STATUS=0 accounts" in daemon.hear("READY=1")
    assert daemon.rows("SELECT name, state FROM account") == [("slow", "DISABLED")]


def test_fault_I01_a_bad_config_ends_the_start_with_every_problem(daemon: Daemon) -> None:
    daemon.write('log_level = "loud"\nsockett = "/x"\n[accounts.a]\n')
    for arguments in ((), ("--check",)):
        done = daemon.run(*arguments)
        assert done.returncode == 78
        assert f"{daemon.config}: 3 problem(s)" in done.stderr
        assert "line 4: syncd.log_level: must be one of" in done.stderr
        assert 'line 5: syncd.sockett: unknown key; did you mean "socket"?' in done.stderr
        assert "line 6: accounts.a.channel: is missing" in done.stderr
    assert not daemon.state.exists()


def test_check_of_a_good_config_touches_nothing(daemon: Daemon) -> None:
    done = daemon.run("--check")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "config ok: 0 accounts; nothing will be synced\n",
        "",
    )
    daemon.install("sleepy", PLUGIN)
    daemon.write(ACCOUNT)
    assert daemon.run("--check").stdout == "config ok: 1 account\n"
    assert not daemon.state.exists()


def test_version_and_example(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.run("--version").stdout.startswith("syncd, version ")
    example = daemon.run("--example")
    (tmp_path / "syncd.toml").write_text(example.stdout)
    assert load(tmp_path / "syncd.toml", {}).accounts == {}


def test_an_unusable_book_or_state_directory_refuses_the_start(daemon: Daemon) -> None:
    daemon.state.mkdir()
    (daemon.state / "book.sqlite3").write_text("this is not a database, it is a letter" * 100)
    done = daemon.run()
    assert done.returncode == 1
    assert "book.sqlite3" in done.stderr
    assert "Traceback" not in done.stderr
    shutil.rmtree(daemon.state)
    daemon.state.write_text("")
    done = daemon.run()
    assert done.returncode == 1
    assert f"The state directory {daemon.state} cannot be used" in done.stderr


def test_fault_F11_a_broken_plugin_stops_nothing_and_is_shown(daemon: Daemon) -> None:
    daemon.install("torn", "raise SystemExit('no luck')")
    daemon.write('[accounts.a]\nchannel = "torn"\n[accounts.b]\nchannel = "nowhere"\n')
    daemon.start()
    assert "STATUS=0 accounts, 2 off" in daemon.hear("READY=1")
    reasons = dict(daemon.rows("SELECT name, state_reason FROM account WHERE state = 'DISABLED'"))
    assert "no luck" in reasons["a"]
    assert 'channel "nowhere" is not installed' in reasons["b"]
    assert daemon.run("--check").returncode == 78


def test_fault_C04_sigterm_with_a_hook_that_sleeps(daemon: Daemon) -> None:
    daemon.prepare_slow_account()
    daemon.start()
    daemon.hear("READY=1")
    until(daemon.flag.exists)
    assert len(daemon.ask("/v1/status")["accounts"]) == 1, "the socket answers meanwhile"
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.end() == 0
    assert time.monotonic() - began < 5
    assert not daemon.socket.exists()


def test_fault_C05_a_second_sigterm_forces(daemon: Daemon) -> None:
    daemon.prepare_slow_account()
    daemon.start()
    daemon.hear("READY=1")
    until(daemon.flag.exists)
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.hear("STOPPING=1")
    daemon.signal(signal.SIGTERM)
    assert daemon.end() == 0
    assert time.monotonic() - began < 2
    assert not daemon.socket.exists()


def test_fault_C01_a_run_broken_off_by_kill_9_is_done_again(daemon: Daemon) -> None:
    daemon.prepare_slow_account()
    daemon.start()
    until(daemon.flag.exists)
    daemon.signal(signal.SIGKILL)
    daemon.end()
    daemon.flag.unlink()
    daemon.start()
    until(daemon.flag.exists)
    states = daemon.rows("SELECT state, trigger FROM run ORDER BY id")
    assert states == [("STOPPED", "timer"), ("RUNNING", "start")]


def test_the_watchdog_is_fed_while_the_loop_turns(daemon: Daemon) -> None:
    daemon.env["WATCHDOG_USEC"] = "2000000"
    daemon.start()
    daemon.hear("READY=1")
    daemon.hear("WATCHDOG=1")
    daemon.hear("WATCHDOG=1")
    daemon.signal(signal.SIGSTOP)
    daemon.signal(signal.SIGCONT)
    daemon.hear("WATCHDOG=1")


def test_fault_I04_a_log_that_nobody_reads_any_more(daemon: Daemon) -> None:
    reader, writer = os.pipe()
    try:
        daemon.start(stderr=writer)
    finally:
        os.close(writer)
    daemon.hear("READY=1")
    os.close(reader)
    daemon.write("[bad]\n")
    daemon.signal(signal.SIGHUP)
    daemon.hear("RELOADING=1")
    daemon.hear("READY=1")
    assert daemon.complaints()
    daemon.signal(signal.SIGTERM)
    assert daemon.end() == 0
