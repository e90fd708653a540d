"""The unit file, judged by systemd's own tools."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "syncd.service"
SYSUSERS = UNIT.parent / "packaging" / "sysusers.d" / "syncd.conf"
WORST_SCORE = 15  # tenths: 1.5 of 10, where 10 is a service that may do everything


def systemd(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = shutil.which(tool)
    if path is None:
        pytest.fail(f"{tool} is not here. On Debian: apt-get install systemd", pytrace=False)
    return subprocess.run(
        [path, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def unit_here(tmp_path: Path) -> Path:
    """The unit with a program that exists on this machine: verify looks whether it does."""
    text = UNIT.read_text()
    assert text.count("ExecStart=/usr/bin/syncd ") == 1
    here = tmp_path / "syncd.service"
    here.write_text(text.replace("ExecStart=/usr/bin/syncd ", f"ExecStart={sys.executable} "))
    return here


def test_exposure_is_low_enough(unit_here: Path) -> None:
    done = systemd(
        "systemd-analyze", "security", "--offline=true", f"--threshold={WORST_SCORE}",
        "--no-pager", str(unit_here),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level for syncd.service" in done.stdout


def test_an_open_unit_would_not_pass(unit_here: Path) -> None:
    """The gate itself works: without its hardening the same unit is refused."""
    kept = [
        line
        for line in unit_here.read_text().splitlines()
        if not line.startswith(("SystemCall", "Capability", "Protect", "Private", "Restrict"))
    ]
    unit_here.write_text("\n".join(kept))
    done = systemd(
        "systemd-analyze", "security", "--offline=true", f"--threshold={WORST_SCORE}",
        "--no-pager", str(unit_here),
    )  # fmt: skip
    assert done.returncode != 0


def test_verify_has_nothing_to_say(unit_here: Path) -> None:
    done = systemd("systemd-analyze", "verify", "--man=no", str(unit_here))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_tell_of_a_misspelt_directive(unit_here: Path) -> None:
    unit_here.write_text(unit_here.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    done = systemd("systemd-analyze", "verify", "--man=no", str(unit_here))
    assert "WatchdogSecs" in done.stderr


def test_the_group_of_the_socket_is_made_by_sysusers(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = systemd("systemd-sysusers", f"--root={tmp_path}", str(SYSUSERS))
    assert done.returncode == 0, done.stderr
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    assert f"{unit['Service']['Group']}:" in (tmp_path / "etc" / "group").read_text()


def test_the_unit_keeps_what_the_program_relies_on() -> None:
    lines = UNIT.read_text().splitlines()
    assert {
        "Type=notify",
        "NotifyAccess=main",
        "RestartPreventExitStatus=78",
        "PrivateUsers=no",
        "UMask=0077",
        "StateDirectoryMode=0700",
        "ExecReload=/bin/kill -HUP $MAINPID",
    } <= set(lines)
    assert any(line.startswith("WatchdogSec=") for line in lines)
