"""The program as people install it: the core and one plugin from wheels, far from the repository.

Each plugin gets an environment of its own, in which nothing else of ours is installed, and makes
a first sync there against its own simulator. See ``wheelhouse``.
"""

from __future__ import annotations

import csv
import json
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.system.program import NO_TIMERS, START_SECONDS
from tests.system.wheelhouse import ROOT, SOURCES, Wheelhouse, clean_environment, run
from tools.demo.book import Api, differences, look
from tools.demo.panels import PanelPeople
from tools.demo.story import COLUMNS

PLUGINS = sorted(package.removeprefix("syncd_") for package in SOURCES if package != "syncd")
NOT_RUNNING = 3
FATES = ("", "cancel", "pick_up", "pick_up")  # what befalls each order
PLACED, HAPPENED = timedelta(hours=30), timedelta(hours=10)  # ago

CONFIG = """\
[syncd]
state_dir = "{folder}/state"
socket = "{folder}/syncd.sock"

[defaults.brake]
floor = 10

{timers}
{account}
"""


class Installed:
    """A folder with an environment, the configuration and the book of one seller."""

    def __init__(self, house: Wheelhouse, wanted: str, folder: Path) -> None:
        self.folder = folder
        self.bin = house.install(wanted, folder / "venv")

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

    def panel(self, channel: str, more: Mapping[str, str], stack: ExitStack) -> PanelPeople:
        """The people around the first seller of the channel's simulator, which now serves; the
        account has ``more`` settings."""
        panel = stack.enter_context(self.serving("simulate", channel))
        assert panel.stdout is not None
        line = panel.stdout.readline()
        assert line, (self.folder / "log").read_text()
        told = json.loads(line)
        ((seller_id, seller),) = told["sellers"].items()
        seller["settings"] |= more
        return PanelPeople(channel, 1, seller_id, seller, told["url"])

    def daemon(self, people: PanelPeople, stack: ExitStack) -> None:
        """The daemon with one account; returns once it answers."""
        people.write_secrets(self.folder)
        path = self.folder / "syncd.toml"
        path.write_text(
            CONFIG.format(folder=self.folder, timers=NO_TIMERS, account=people.config({}))
        )
        (self.folder / "state").mkdir(mode=0o700)
        stack.enter_context(self.serving("--config", str(path)))
        end = time.monotonic() + START_SECONDS
        # A socket that is there may not be listened to yet.
        while self.asked("status").returncode == NOT_RUNNING:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def sync(self, people: PanelPeople, *more: str) -> list[str]:
        """The states of the runs that one trigger makes."""
        people.publish()
        told = self.ctl("--json", "trigger", people.account, "--wait", *more)
        return [one["state"] for one in json.loads(told)["runs"]]

    def place(self, people: PanelPeople) -> list[Mapping[str, Any]]:
        """An order for each fate, and a file of them where the channel finds none by itself."""
        at = datetime.now(UTC) - PLACED
        lines = [{"sku": "MUG", "quantity": 1}]
        placed = [
            people.do("place_order", seller_id=people.seller_id, lines=lines, at=at) for _ in FATES
        ]
        if not people.finds:
            path = self.folder / "orders.csv"
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(COLUMNS)
                for order in placed:
                    line_id = order["lines"][0]["line_id"]
                    writer.writerow((order["order_id"], line_id, "MUG", 1, at.isoformat(), "", ""))
            self.ctl("import", "--account", people.account, str(path))
        return placed


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    return Wheelhouse(tmp_path_factory.mktemp("wheels"))


def test_a_wheel_has_all_files_that_are_no_source(house: Wheelhouse) -> None:
    for package, source in SOURCES.items():
        inside = set(zipfile.ZipFile(house.wheels[package]).namelist())
        wanted = {
            str(path.relative_to(source))
            for path in (source / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        ours = {name for name in inside if ".dist-info/" not in name}
        assert ours == wanted, sorted(ours ^ wanted)


@pytest.mark.parametrize(
    ("channel", "simulator", "more"),
    [
        *((name, name, {}) for name in PLUGINS),
        ("wooplr", "contract", {"source": "contract"}),
        ("voonik", "contract", {"source": "contract", "ships": "channel"}),
    ],
)
def test_a_plugin_syncs_far_from_the_repository(
    channel: str, simulator: str, more: Mapping[str, str], house: Wheelhouse, tmp_path: Path
) -> None:
    wanted = f"syncd-{channel}"
    here = Installed(house, wanted, tmp_path)
    assert_alone(here, house.ours(wanted))
    with ExitStack() as stack:
        people = here.panel(simulator, more, stack)
        people.channel = channel
        here.daemon(people, stack)
        here.ctl("tenant", "live", "acme")
        here.ctl("sequence", "set", "BLR", "SALE_INVOICE", "--prefix", "INV/")
        here.ctl("stock", "receive", "BLR", "MUG", str(len(FATES)))
        placed = here.place(people)
        assert set(here.sync(people, "--task", "orders")) == {"OK"}
        for order, verb in zip(placed, FATES, strict=True):
            if verb:
                people.do(verb, order_id=order["order_id"], at=datetime.now(UTC) - HAPPENED)
        assert set(here.sync(people)) == {"OK"}
        truth = people.truth()
        book = look(Api(here.folder / "syncd.sock"), people.account, [one for one, _ in truth])
        shown = {one["name"]: one for one in json.loads(here.ctl("--json", "channels"))["channels"]}
    assert differences(truth, book) == []
    told = Counter(word for words in truth.values() for word in words.elements())
    assert told == {"OPEN": 1, "CANCELLED": 1, "DISPATCHED": 2}
    assert (shown[channel]["distribution"], shown[channel]["state"]) == (wanted, "enabled")


def assert_alone(here: Installed, ours: set[str]) -> None:
    """Of ours nothing is there but these distributions, all from the environment itself."""
    path, distributions, places = json.loads(
        here.python(
            "import importlib.metadata as m, importlib.util as u, json, sys;"
            f"found = {{n: u.find_spec(n) for n in {sorted(SOURCES)}}};"
            "print(json.dumps([sys.path, [d.metadata['Name'] for d in m.distributions()],"
            "{n: one.origin for n, one in found.items() if one}]))"
        )
    )
    assert not any(one.startswith(str(ROOT)) for one in path)
    assert {name for name in distributions if name.startswith("syncd")} == ours
    assert {name.replace("_", "-") for name in places} == ours
    assert all(place.startswith(str(here.folder / "venv")) for place in places.values())


def test_a_plugin_is_made_and_rules_are_shown(house: Wheelhouse, tmp_path: Path) -> None:
    here = Installed(house, "syncd[kit]", tmp_path)
    here.ctl("plugin", "new", "shop")
    assert (tmp_path / "syncd-shop" / ".gitignore").is_file()
    assert (tmp_path / "syncd-shop" / "syncd_shop" / "__init__.py").is_file()
    assert "DELIVERED" in here.ctl("rules")
