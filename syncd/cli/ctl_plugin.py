"""``syncctl plugin new``: the beginning of a plugin for a channel that there is none for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from syncd.cli.ctl_base import Command, Group
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import emit, say, tell


@click.group(cls=Group)
def plugin() -> None:
    """Work on a channel plugin of your own."""


@plugin.command("new", cls=Command)
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
              help="The folder that the plugin's own is made in.  [default: here]")  # fmt: skip
@click.option("--title", default="", metavar="TEXT", help="The name that people read.")
def new(name: str, into: Path, title: str) -> None:
    """Make a plugin that works, with simulator and tests, to begin from."""
    import subprocess

    command = [sys.executable, "-m", "syncd.testing.new_plugin", name, str(into), title]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        made = json.loads(done.stdout)
    except ValueError:
        raise Failure(f"The plugin could not be made: {done.stderr.strip()[-500:]}") from None
    if done.returncode != 0:
        raise Failure(made["detail"], made["do"], Exit.REFUSED)
    if emit(made):
        return
    say(made["path"])
    tell(f"Try it: cd {made['path']} && pip install -e '.[test]' && pytest")
    tell("Then make it your panel's, file by file: its README.md says in which order.")
