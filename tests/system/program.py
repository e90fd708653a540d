"""The whole program for a test: a simulated panel, the real daemon, and syncctl as a person."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from syncd.statuses import Kind
from syncd.testing import SystemClock, World
from syncd_flipkart.simulator import FlipkartSimulator, new_world

START_SECONDS = 30.0
WAIT = "60s"

HEAD = """\
[syncd]
state_dir = "{folder}/state"
socket = "{folder}/syncd.sock"

{timers}
"""
CONFIG = (
    HEAD
    + """\
[accounts.flip]
channel = "flipkart"
tenant = "acme"
facility = "BLR"

[accounts.flip.settings]
base_url = "{url}"
app_id = "simulated-app"
app_secret = {{ file = "{folder}/app_secret" }}
pace = "unlimited"
page_size = {page_size}
"""
)


NO_TIMERS = "\n".join(
    f"[defaults.{each}]\nenabled = false\n"
    for each in ("audit", *(f"tasks.{kind.value}" for kind in Kind))
)


class Answer:
    """What a command left: exit code, standard output and standard error."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Program:
    """A seller with one Flipkart account. The panel lives in this process, the daemon does not.

    What happens at the panel is dated a little in the past, because a pass leaves the last
    minutes to the next one. ``happens()`` gives the next such moment. Without ``timers`` only
    what the test triggers is run.
    """

    def __init__(
        self,
        folder: Path,
        world: World | None = None,
        *,
        page_size: int = 20,
        timers: bool = False,
        **more: Any,
    ) -> None:
        self.folder = folder
        self.world = world or new_world(SystemClock())
        self.simulator = FlipkartSimulator(self.world, **more)
        self.page_size = page_size
        self.timers = timers
        self.process: subprocess.Popen[str] | None = None
        self._moment = datetime.now(UTC) - timedelta(hours=20)

    def __enter__(self) -> Program:
        self.simulator.start()
        (self.folder / "state").mkdir(mode=0o700)
        secret = self.folder / "app_secret"
        secret.write_text(self.simulator.client_secret)
        secret.chmod(0o600)
        self.config_path.write_text(
            CONFIG.format(
                folder=self.folder,
                url=self.simulator.url,
                page_size=self.page_size,
                timers="" if self.timers else NO_TIMERS,
            )
        )
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self.simulator.stop()

    @property
    def config_path(self) -> Path:
        return self.folder / "syncd.toml"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def happens(self, minutes: float = 1.0) -> datetime:
        """The next moment at the panel, always later than the last."""
        self._moment += timedelta(minutes=minutes)
        return self._moment

    # --- the daemon

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "syncd", "--config", str(self.config_path)],
                stdout=log, stderr=log, text=True,
            )  # fmt: skip
        end = time.monotonic() + START_SECONDS
        while self.ctl("status").code == 3:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    def terminate(self) -> int:
        """Ask the daemon to end, and wait for it. Returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(15)

    def kill(self) -> None:
        """End the daemon as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(15)

    # --- a person

    def ctl(self, *arguments: str, stdin: str | None = None) -> Answer:
        """Run syncctl."""
        done = subprocess.run(
            [sys.executable, "-m", "syncd.cli.syncctl", *arguments],
            env={**os.environ, "SYNCD_SOCKET": str(self.folder / "syncd.sock"), "COLUMNS": "100"},
            input=stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Answer(done)

    def do(self, *arguments: str, stdin: str | None = None) -> Answer:
        """Run syncctl, which must succeed."""
        answer = self.ctl(*arguments, stdin=stdin)
        assert answer.code == 0, answer
        return answer

    def go_live(self, *, sequence: bool = True, stock: Mapping[str, int] | None = None) -> None:
        """What a new seller types once."""
        self.do("tenant", "live", "acme")
        if sequence:
            self.do("sequence", "set", "BLR", "SALE_INVOICE", "--prefix", "INV/")
        for sku, quantity in (stock or {}).items():
            self.do("stock", "receive", "BLR", sku, str(quantity))

    def sync(self, *more: str) -> Answer:
        """Trigger a run and wait for its end."""
        return self.ctl("--json", "trigger", "flip", "--wait", "--timeout", WAIT, *more)

    # --- the book

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.do("--json", "order", order_id).json
        return found

    def positions(self, order_id: str) -> list[str]:
        return [piece["position"] for piece in self.order(order_id)["pieces"]]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """What ``syncctl NAME`` lists."""
        found: list[dict[str, Any]] = self.do("--json", name).json[_LISTED.get(name, name)]
        return found

    def stock(self, sku: str) -> dict[str, int]:
        """Pieces by bucket, without the empty ones and the outside."""
        (row,) = [row for row in self.rows("stock") if row["sku"] == sku]
        return {b: n for b, n in row["buckets"].items() if n and b != "outside"}


_LISTED = {"status": "accounts", "putaway": "putaways", "failed": "facts"}

SAYS: Mapping[str, str] = {
    "DISPATCHED": "DISPATCHED",
    "DELIVERED": "DELIVERED",
    "CANCELLED": "CANCELLED",
    "RETURN_EXPECTED": "RETURN_NOTICED_RTO",
    "CIR_CREATED": "RETURN_NOTICED_CIR",
    "RETURNED": "RETURNED_RTO",
    "RETURN_ACKNOWLEDGED": "RETURNED_RTO",
    "CIR_COMPLETE": "RETURNED_CIR",
    "LOST": "LOST",
}
"""What the panel must say of a piece that the book has at a position; else it is open there."""


def panel_words(positions: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str], Counter[str]]:
    """The book's (order, line, position) rows in the words of ``World.truth``."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for order_id, line_id, position in positions:
        found.setdefault((order_id, line_id), Counter())[SAYS.get(position, "OPEN")] += 1
    return found
