"""The stage of the demo: a temporary folder with panels, a configuration and a daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tools.demo.book import Api
from tools.demo.children import START_PATIENCE, Child, ChildError
from tools.demo.panels import SELLERS, PanelPeople, people_of, simulated
from tools.demo.story import DELHI

LOCATIONS: Final[Mapping[str, str]] = {DELHI: "DEL"}
HEAD: Final = """\
[syncd]
state_dir = "{folder}/state"
socket = "{folder}/syncd.sock"

# In the play more is cancelled at once than in a shop.
[defaults.brake]
share = 0.5
"""
# The play dates what its people did some hours back. A pass of a timer in the middle of it would
# read on from a later time, and never hear of it; so the timers begin when the play is over.
NO_TIMERS: Final = "".join(
    f"[defaults.tasks.{kind}]\nenabled = false\n"
    for kind in ("orders", "dispatched", "cancelled", "returns", "delivered")
)
LONGEST_CALL: Final = 180.0  # seconds that one syncctl may take


class Stage:
    """Everything that runs. A context manager: leaving it ends all that it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "syncd.sock"
        self.config = folder / "syncd.toml"
        self.panels: list[PanelPeople] = []
        self._ends = ExitStack()

    def __enter__(self) -> Stage:
        try:
            self._start_panels()
            (self.folder / "state").mkdir(mode=0o700)
            self._write_config(NO_TIMERS)
            self._start_daemon()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.close()

    def api(self) -> Api:
        """A connection to the daemon's control API."""
        return Api(self.socket)

    def ctl(self, *arguments: str, codes: Sequence[int] = (0,)) -> Any:
        """Run ``syncctl --json`` and return its document. Raises RuntimeError on another code."""
        done = self._syncctl("--json", *arguments)
        if done.returncode not in codes:
            raise RuntimeError(
                f"syncctl {' '.join(arguments)} ended with {done.returncode}: "
                f"{done.stderr.strip()} {done.stdout.strip()[:500]}"
            )
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code of ``syncctl``, and what it shows to a person."""
        done = self._syncctl(*arguments)
        text = (done.stdout + done.stderr).rstrip()
        return done.returncode, text.replace(f"{self.folder}/", "")

    def command(self, *arguments: str) -> str:
        """The line to type in a second terminal."""
        return " ".join([str(_program("syncctl")), "--socket", str(self.socket), *arguments])

    def check(self) -> None:
        """Raises ChildError if a process has ended."""
        for child in self._children:
            child.check()

    def _syncctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(_program("syncctl")), "--socket", str(self.socket), *arguments],
            capture_output=True,
            text=True,
            timeout=LONGEST_CALL,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "COLUMNS": "110", "NO_COLOR": "1"},
        )

    def _start_panels(self) -> None:
        self._children = [
            self._ends.enter_context(
                Child(
                    channel,
                    ["-m", "syncd", "simulate", channel, "--sellers", str(SELLERS)],
                    self.folder,
                )
            )
            for channel in simulated()
        ]
        self.panels = [
            people
            for channel, child in zip(simulated(), self._children, strict=True)
            for people in people_of(channel, child)
        ]

    def start_timers(self) -> None:
        """Let the passes come by themselves from now on."""
        self._write_config()
        self.ctl("reload")

    def _write_config(self, more: str = "") -> None:
        tables = [HEAD.format(folder=self.folder), more]
        for panel in self.panels:
            panel.write_secrets(self.folder)
            tables.append(panel.config(LOCATIONS))
        self.config.write_text("\n".join(tables))

    def _start_daemon(self) -> None:
        arguments = ["-m", "syncd", "--config", str(self.config)]
        daemon = self._ends.enter_context(Child("syncd", arguments, self.folder))
        self._children.append(daemon)
        until = time.monotonic() + START_PATIENCE
        while self._syncctl("--json", "status").returncode != 0:
            daemon.check()
            if time.monotonic() > until:
                raise ChildError(f"syncd did not get ready: {daemon.last_words()}")
            time.sleep(0.1)


def _program(name: str) -> Path:
    """A program of this environment."""
    return Path(sys.executable).parent / name
