"""The processes that the demo starts, and that it ends whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

PATIENCE: Final = 20.0  # seconds that a child gets to end
START_PATIENCE: Final = 120.0  # seconds to start: ten at once, perhaps on a busy machine


class ChildError(Exception):
    """A process did not start, or ended too early; the message shows its last words."""


class Child:
    """One process with its output in a file. A context manager: leaving it ends the process."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its children
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def announcement(self, seconds: float = START_PATIENCE) -> dict[str, Any]:
        """The JSON object that the child prints as its first line once it serves.

        Raises ChildError when it ends before, or needs longer than this; it is then killed.
        """
        assert self.process.stdout is not None
        clock = threading.Timer(seconds, self.process.kill)
        clock.start()
        try:
            line = self.process.stdout.readline()
        finally:
            late = not clock.is_alive()
            clock.cancel()
        if not line:
            within = f" within {seconds:g} s" if late else ""
            raise ChildError(f"{self.name} did not start{within}: {self.last_words()}")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def check(self) -> None:
        """Raises ChildError if the process has ended."""
        if self.process.poll() is not None:
            code = self.process.returncode
            raise ChildError(f"{self.name} ended with code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what the process wrote to its log."""
        return self.log.read_text("utf-8", "replace")[-1500:].strip() or "(it said nothing)"

    def stop(self) -> int:
        """End the process, kindly first. Returns its exit code."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(PATIENCE)
