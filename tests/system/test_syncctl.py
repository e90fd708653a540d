"""syncctl as a process of its own, beside a daemon that is one as well."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
HEAVY = {
    "fastapi", "h11", "http.client", "msgspec", "peewee", "pluggy", "pydantic", "requests",
    "rich", "schedule", "ssl", "starlette", "structlog", "syncd.book", "syncd.config",
    "syncd.control", "syncd.daemon", "syncd.statuses", "uvicorn",
}  # fmt: skip

PLUGIN = """
import time
from pathlib import Path
import syncd

@syncd.hookimpl
def describe_channel():
    return syncd.Channel(title="Gate", settings=syncd.Settings)

@syncd.hookimpl
def fetch_dispatched(account, window):
    change = syncd.StatusChange(
        order_id="OD1", status=syncd.Status.DISPATCHED, native_status="gone",
        occurred_at=window.start,
    )
    yield syncd.Page(rows=[change])

@syncd.hookimpl
def fetch_returns():
    for number in range(600):
        yield syncd.Page(rows=())
        if Path(GATE).exists():
            return
        time.sleep(0.05)
"""

CONFIG = """
[syncd]
state_dir = "{folder}/state"
socket = "{folder}/syncd.sock"

[accounts.shop]
channel = "gate"
tenant = "acme"
facility = "BLR"
settings = {{ base_url = "https://panel.example" }}

[accounts.shop.tasks]
dispatched = {{ enabled = false }}
returns = {{ enabled = false }}
"""


class Daemon:
    """A daemon with one account, whose returns end when the gate is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "syncd.toml"
        self.config.write_text(CONFIG.format(folder=folder))
        self.gate = folder / "gate"
        facts = folder / "plugins" / "gate-1.0.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: gate\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text("[syncd.channels]\ngate = gate_plugin\n")
        plugin = PLUGIN.replace("GATE", repr(str(self.gate)))
        (folder / "plugins" / "gate_plugin.py").write_text(plugin)
        self.env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{folder / 'plugins'}",
            "SYNCD_SOCKET": str(folder / "syncd.sock"),
            "SYNCD_CONFIG": str(self.config),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "syncd"], env=self.env, stderr=log, cwd="/"
        )
        log.close()
        end = time.monotonic() + PATIENCE
        while self.ctl("status").returncode != 0:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(PATIENCE) == 0
            self.process = None

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), env=self.env, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "syncd.cli.syncctl", *arguments]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    try:
        yield daemon
    finally:
        daemon.gate.touch()
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait(PATIENCE)


def test_a_seller_goes_from_nothing_to_a_run(daemon: Daemon) -> None:
    assert daemon.ctl("status").returncode == 3
    daemon.start()
    result = daemon.ctl("trigger", "shop", "--wait", "--timeout", "20s")
    assert result.returncode == 6
    assert "Sync not allowed as Tenant is not Live yet" in result.stdout
    assert daemon.ctl("tenant", "live", "acme").returncode == 0
    daemon.gate.touch()
    result = daemon.ctl("returns", "gate", "--wait", "--timeout", "20s")
    assert result.returncode == 0, result.stderr
    assert ": OK" in result.stdout
    runs = json.loads(daemon.ctl("runs", "--json").stdout)["runs"]
    assert [(run["state"], run["days"]) for run in runs] == [("OK", 30), ("GATED", None)]
    assert "Sync not allowed as Tenant is not Live yet" in daemon.ctl("tasks").stdout + str(runs)


def _hear_ctrl_c() -> None:
    """A shell has its background jobs ignore Ctrl-C, and this suite may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_looks_away_and_the_run_goes_on(daemon: Daemon) -> None:
    daemon.start()
    daemon.ctl("tenant", "live", "acme")
    watcher = subprocess.Popen(
        command("trigger", "shop", "--wait"), env=daemon.env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=_hear_ctrl_c,
    )  # fmt: skip
    end = time.monotonic() + PATIENCE
    while "RUNNING" not in daemon.ctl("runs").stdout:
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)
    watcher.send_signal(signal.SIGINT)
    out, err = watcher.communicate(timeout=PATIENCE)
    assert (watcher.returncode, out) == (7, "1\n")
    assert "Detached" in err
    assert json.loads(daemon.ctl("run", "1", "--json").stdout)["state"] == "RUNNING"
    daemon.gate.touch()
    assert daemon.ctl("events", "1").returncode == 0
    assert json.loads(daemon.ctl("run", "1", "--json").stdout)["state"] == "OK"


def test_a_daemon_that_stops_while_we_wait_is_told(daemon: Daemon) -> None:
    daemon.start()
    daemon.ctl("tenant", "live", "acme")
    watcher = subprocess.Popen(
        command("trigger", "shop", "--wait"), env=daemon.env, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + PATIENCE
    while "RUNNING" not in daemon.ctl("runs").stdout:
        assert time.monotonic() < end
        time.sleep(0.05)
    daemon.stop()
    _, err = watcher.communicate(timeout=PATIENCE)
    assert watcher.returncode in (3, 7), err
    assert "syncd" in err


def test_progress_moves_on_a_terminal(daemon: Daemon) -> None:
    daemon.start()
    daemon.ctl("tenant", "live", "acme")
    ours, theirs = pty.openpty()
    watcher = subprocess.Popen(
        command("trigger", "shop", "--wait"), stderr=theirs, stdout=subprocess.PIPE,
        env={**daemon.env, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    end = time.monotonic() + PATIENCE
    while b"pages" not in seen:
        assert time.monotonic() < end, seen
        seen += os.read(ours, 4096)
    daemon.gate.touch()
    assert watcher.wait(PATIENCE) == 0
    os.close(ours)
    assert b"run 1 (shop): dispatched" in seen


def test_a_configuration_is_begun_and_checked(daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "etc" / "syncd.toml"
    result = daemon.ctl("init", str(path))
    assert (result.returncode, result.stdout.strip()) == (0, str(path))
    assert path.stat().st_mode & 0o777 == 0o644, "names secrets, holds none"
    assert "[syncd]" in path.read_text()
    assert daemon.ctl("init", str(path)).returncode == 6
    path.write_text("[sincd]\n")
    result = daemon.ctl("config", "check", "--config", str(path))
    assert result.returncode == 78
    assert "syncd" in result.stderr
    assert daemon.ctl("config", "check").returncode == 0
    assert daemon.ctl("init", str(path), "--force").returncode == 0


def test_the_doctor_checks_the_configuration_of_a_daemon_that_does_not_run(
    daemon: Daemon,
) -> None:
    result = daemon.ctl("doctor")
    assert result.returncode == 3
    assert "systemctl start syncd" in result.stdout
    assert "config ok" in result.stdout
    result = daemon.ctl("doctor", "--json")
    assert result.returncode == 3
    found = json.loads(result.stdout)["findings"]
    assert [(one["subject"], one["state"]) for one in found] == [
        ("socket", "error"), ("configuration", "ok"),
    ]  # fmt: skip


def test_json_is_one_document_also_where_a_child_does_the_work(
    daemon: Daemon, tmp_path: Path
) -> None:
    checked = daemon.ctl("config", "check", "--json")
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["ok"] is True
    (tmp_path / "bad.toml").write_text("[sincd]\n")
    checked = daemon.ctl("config", "check", "--config", str(tmp_path / "bad.toml"), "--json")
    assert checked.returncode == 78
    document = json.loads(checked.stdout)
    assert (document["ok"], len(document["problems"])) == (False, 1)
    made = daemon.ctl("init", str(tmp_path / "new.toml"), "--json")
    assert json.loads(made.stdout) == {"path": str(tmp_path / "new.toml")}
    rules = daemon.ctl("rules", "--event", "DISPATCHED", "--at", "packed", "--json")
    assert [one["target"] for one in json.loads(rules.stdout)["rules"]] == ["DISPATCHED"]
    assert json.loads(daemon.ctl("completion", "bash", "--json").stdout)["shell"] == "bash"
    wrong = daemon.ctl("rules", "--event", "MOON", "--json")
    assert (wrong.returncode, json.loads(wrong.stderr)["code"]) == (2, "usage")


def test_a_configuration_without_accounts_is_told_as_such(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text("[syncd]\n")
    more = ("--config", str(tmp_path / "bare.toml"))
    told = "config ok: 0 accounts; nothing will be synced\n"
    assert daemon.ctl("config", "check", *more).stdout == told
    result = subprocess.run(
        [sys.executable, "-m", "syncd", "--check", *more], env=daemon.env, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, told)


@pytest.mark.parametrize("program", ["syncd.cli.syncctl --help", "syncd.cli.syncctl rules",
                                     "syncd.cli.syncctl tasks --json", "syncd --example",
                                     "syncd --check"])  # fmt: skip
@pytest.mark.parametrize("stdout", ["> /dev/full", ">&-"])
def test_a_stdout_that_cannot_be_written_is_told_in_a_line(
    daemon: Daemon, program: str, stdout: str
) -> None:
    if "tasks" in program:
        daemon.start()
    result = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m {program} {stdout}"], env=daemon.env,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("The output cannot be written to stdout: ")


def test_the_doctor_reads_the_file_as_it_is_now(daemon: Daemon) -> None:
    daemon.start()
    good = daemon.config.read_text()
    doctor = daemon.ctl("doctor")
    assert doctor.returncode == 1, "the tenant is not live"
    assert "ok       configuration: " in doctor.stdout
    daemon.config.write_text(good + "nonsense = 1\n")
    (found,) = configuration(daemon)
    assert found["state"] == "error"
    assert "nonsense: unknown key" in found["message"]
    assert f"syncd --check --config {daemon.config}" in found["do"]
    assert daemon.ctl("reload").returncode == 78
    refused = configuration(daemon)[-1]
    assert "was refused" in refused["message"]
    found = json.loads(daemon.ctl("doctor", "--json").stdout)["findings"]
    assert not [one for one in found if one["subject"] == "book" and "refused" in one["message"]]
    daemon.config.write_text(good.replace('channel = "gate"', 'channel = "gate"\n#'))
    assert daemon.ctl("reload").returncode == 0
    daemon.config.write_text(good.replace("settings = {", 'locations = { L = "B" }\nsettings = {'))
    (found,) = configuration(daemon)
    assert (found["state"], found["do"]) == ("warning", "Have it read: syncctl reload")
    daemon.config.write_text(good.replace('"gate"', '"gaet"'))
    found, changed = configuration(daemon)
    assert (found["state"], changed["state"]) == ("error", "warning")
    assert 'channel "gaet" is not installed. Did you mean "gate"?' in found["message"]


def configuration(daemon: Daemon) -> list[dict[str, str]]:
    """What the doctor says of the configuration."""
    findings = json.loads(daemon.ctl("doctor", "--json").stdout)["findings"]
    return [one for one in findings if one["subject"] == "configuration"]


def test_the_rules_are_shown_by_a_child(daemon: Daemon) -> None:
    result = daemon.ctl("rules")
    assert result.returncode == 0, result.stderr
    assert "DISPATCHED" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell_is_printed(daemon: Daemon, shell: str) -> None:
    result = daemon.ctl("completion", shell)
    assert result.returncode == 0, result.stderr
    assert "_SYNCCTL_COMPLETE" in result.stdout


def test_a_pipe_that_is_closed_early_is_no_disaster(daemon: Daemon) -> None:
    daemon.start()
    line = f"{' '.join(command('status', '--json'))} | head -c 1"
    result = subprocess.run(
        ["bash", "-c", line], env=daemon.env, capture_output=True, timeout=PATIENCE, check=False
    )
    assert b"Traceback" not in result.stderr


def loaded(*arguments: str) -> set[str]:
    """The modules that a command of syncctl loads."""
    return modules(command(*arguments))


def modules(python: list[str]) -> set[str]:
    """The modules that a run of Python loads."""
    result = subprocess.run(
        [python[0], "-X", "importtime", *python[1:]], capture_output=True, text=True,
        timeout=PATIENCE, cwd=ROOT, check=False,
    )  # fmt: skip
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


@pytest.mark.parametrize("arguments", [("--version",), ("--socket", "/none/s.sock", "status")])
def test_syncctl_loads_nothing_of_the_daemon(arguments: tuple[str, ...]) -> None:
    found = loaded(*arguments)
    assert "click" in found
    assert not {name for name in found if any(name == h or name.startswith(f"{h}.") for h in HEAVY)}


def test_syncctl_loads_little_beside_what_it_needs_anyway() -> None:
    """How soon it starts is measured by bench.start; here, that nothing came in by the way."""
    bare = modules([sys.executable, "-c", "import click, json, locale, runpy, socket"])
    more = {name for name in loaded("--version") - bare if not name.startswith("syncd.cli.")}
    assert more == {"syncd", "syncd.cli"}
