"""How ``syncctl`` fails: with a sentence, what to do next, and an exit code of a fixed list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import IO, Any

import click


class Exit(IntEnum):
    """The exit codes. They do not change."""

    DONE = 0
    FAILED = 1  # a run ended with failed items
    USAGE = 2
    NOT_RUNNING = 3
    PERMISSION = 4
    NOT_FOUND = 5
    REFUSED = 6
    TIMED_OUT = 7  # the run goes on
    CONFIG = 78


class Failure(click.ClickException):
    """Shown on stderr; ``problem`` is the daemon's own document, for ``--json``."""

    code: Exit

    def __init__(
        self,
        message: str,
        do: str = "",
        code: Exit = Exit.FAILED,
        *,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.do = do
        self.code = code
        context = click.get_current_context(silent=True)
        self._options = context.find_root().obj if context else None
        self.problem = dict(problem or {})

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What click ends the process with."""
        return int(self.code)

    def document(self) -> dict[str, Any]:
        """The failure for machines."""
        made = {"detail": self.message, "code": self.code.name.lower()}
        if self.do:
            made["do"] = self.do
        return {**made, **self.problem, "exit_code": int(self.code)}

    def as_json(self) -> str:
        """The document as one line."""
        return json.dumps(self.document())

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it: one JSON line where the data is JSON too, else sentences."""
        options = self._options
        if getattr(options, "json", False) or getattr(options, "json_lines", False):
            click.echo(self.as_json(), err=True)
            return
        program = getattr(self._options, "program", "syncctl")
        click.echo(f"{program}: {self.message}", err=True)
        for problem in self.problem.get("problems", ()):
            click.echo(f"  {problem}", err=True)
        if self.do:
            click.echo(f"  {self.do}", err=True)
