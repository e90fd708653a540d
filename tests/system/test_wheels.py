"""The program as people install it: from wheels, far from the repository and its files.

Nothing is downloaded. The new environment sees the packages of this one, but for whatever is
installed from the repository.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.system.program import NO_TIMERS, START_SECONDS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"syncd": ROOT, "syncd_flipkart": ROOT / "plugins" / "flipkart"}
OURS = ("syncd", "__editable__")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
ORDERS = 5
NOT_RUNNING = 3

CONFIG = """\
[syncd]
state_dir = "{folder}/state"
socket = "{folder}/syncd.sock"

{timers}
[accounts.flip]
channel = "flipkart"
tenant = "acme"
facility = "BLR"

[accounts.flip.settings]
{settings}
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed, in an environment that knows of no repository."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean_environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "SYNCD", "PIP", "VIRTUAL_ENV", "COV"))
    }


def build(folder: Path) -> list[Path]:
    """The wheels of the core and of one plugin, from copies of just their sources."""
    for package, source in SOURCES.items():
        copy = folder / f"source-{package}"
        shutil.copytree(source / package, copy / package, ignore=LEFT_OUT)
        for name in ("setup.cfg", "pyproject.toml", "README.md"):
            shutil.copy(source / name, copy)
        if (source / "LICENSE").exists():
            shutil.copy(source / "LICENSE", copy)
        run(
            sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
            "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, copy,
            cwd=folder,
        )  # fmt: skip
    return sorted(folder.glob("*.whl"))


def new_environment(folder: Path) -> Path:
    """An environment with all that this one has, but for what comes from the repository."""
    home = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=folder)
    (packages,) = home.glob("lib/python*/site-packages")
    shared = folder / "shared"
    shared.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(OURS) and entry.suffix not in (".pth", ".egg-link"):
            (shared / entry.name).symlink_to(entry)
    (packages / "shared.pth").write_text(f"{shared}\n")
    return home


class Installed:
    """The programs of a new environment, and a folder to use them in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = build(folder)
        self.bin = new_environment(folder) / "bin"
        run(
            sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check",
            "--python", self.bin / "python", "install", "--no-index", "--find-links", folder,
            "syncd", "syncd-flipkart", cwd=folder,
        )  # fmt: skip

    def python(self, code: str) -> str:
        return run(self.bin / "python", "-c", code, cwd=self.folder).stdout.strip()

    def asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "syncctl"), *words], cwd=self.folder,
            env={**clean_environment(), "SYNCD_SOCKET": str(self.folder / "syncd.sock")},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def ctl(self, *words: str) -> str:
        done = self.asked(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """``syncd`` with these words, until the end of the block."""
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [str(self.bin / "syncd"), *words], cwd=self.folder, env=clean_environment(),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        try:
            yield process
            process.terminate()
            assert process.wait(20) == 0, (self.folder / "log").read_text()
        finally:
            process.kill()
            process.communicate()

    def configure(self, settings: Mapping[str, Any]) -> Path:
        lines = []
        for name, value in settings.items():
            if name == "app_secret":
                secret = self.folder / name
                secret.write_text(str(value))
                secret.chmod(0o600)
                lines.append(f'{name} = {{ file = "{secret}" }}')
            else:
                lines.append(f"{name} = {json.dumps(value)}")
        path = self.folder / "syncd.toml"
        path.write_text(
            CONFIG.format(folder=self.folder, timers=NO_TIMERS, settings="\n".join(lines))
        )
        (self.folder / "state").mkdir(mode=0o700)
        return path

    def await_daemon(self) -> None:
        """Wait until it answers; a socket that is there may not be listened to yet."""
        end = time.monotonic() + START_SECONDS
        while self.asked("status").returncode == NOT_RUNNING:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheels"))


def test_everything_comes_from_the_wheels(installed: Installed) -> None:
    places = installed.python(
        "import syncd, syncd_flipkart as s; print(syncd.__file__, s.__file__)"
    )
    assert all(str(installed.folder / "venv") in place for place in places.split())
    assert str(ROOT) not in installed.python("import sys; print(sys.path)")


def test_a_wheel_has_all_files_that_are_no_source(installed: Installed) -> None:
    inside = {name for wheel in installed.wheels for name in zipfile.ZipFile(wheel).namelist()}
    wanted = {
        str(path.relative_to(source))
        for package, source in SOURCES.items()
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= inside, sorted(wanted - inside)
    ours = {name for name in inside if ".dist-info/" not in name}
    assert ours <= wanted, sorted(ours - wanted)


def test_a_sync_is_made_far_from_the_repository(installed: Installed) -> None:
    simulate = ("simulate", "flipkart", "--orders", str(ORDERS), "--dispatched")
    with installed.serving(*simulate) as panel:
        assert panel.stdout is not None
        told = json.loads(panel.stdout.readline())
        (seller,) = told["sellers"].values()
        path = installed.configure(seller["settings"])
        with installed.serving("--config", str(path)):
            installed.await_daemon()
            installed.ctl("tenant", "live", "acme")
            installed.ctl("sequence", "set", "BLR", "SALE_INVOICE", "--prefix", "INV/")
            for number in range(ORDERS):
                installed.ctl("stock", "receive", "BLR", f"SKU-{number:04d}", "1")
            done = json.loads(installed.ctl("--json", "trigger", "flip", "--wait"))
            with urlopen(f"{told['url']}/control/orders") as answer:
                placed = [json.loads(line)["order_id"] for line in answer]
            orders = [json.loads(installed.ctl("--json", "order", one)) for one in placed]
            (channel,) = json.loads(installed.ctl("--json", "channels"))["channels"]
    assert [one["state"] for one in done["runs"]] == ["OK"]
    positions = [piece["position"] for order in orders for piece in order["pieces"]]
    assert positions == ["DISPATCHED"] * ORDERS
    assert (channel["distribution"], channel["state"]) == ("syncd-flipkart", "enabled")


def test_a_plugin_is_made_and_rules_are_shown(installed: Installed) -> None:
    installed.ctl("plugin", "new", "shop")
    assert (installed.folder / "syncd-shop" / ".gitignore").is_file()
    assert (installed.folder / "syncd-shop" / "syncd_shop" / "__init__.py").is_file()
    assert "DELIVERED" in installed.ctl("rules")
