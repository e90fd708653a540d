"""How a program of ours ends: every mistake as a sentence, or as JSON where the data is JSON."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NoReturn

import click

from syncd.cli.ctl_base import Group
from syncd.cli.ctl_errors import Exit, Failure

_CANNOT_WRITE: Final = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT)


class Root(Group):
    """The group of all commands."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and end the process with the exit code."""
        given = args[0] if args else kwargs.pop("args", None)
        words = list(sys.argv[1:] if given is None else given)
        as_json = "--json" in words or "--json-lines" in words
        run = super().main
        ended(lambda: run(words, *args[1:], **{**kwargs, "standalone_mode": False}), as_json)


class Lone(click.Group):
    """A program that runs for long unless told otherwise: only what prints is guarded."""

    prints = frozenset({"--help", "-h", "--version", "--check", "--example", "channels"})

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and end the process with the exit code."""
        run = super().main
        if self.prints.isdisjoint(sys.argv[1:]):
            return run(*args, **kwargs)
        return ended(lambda: run(*args, **{**kwargs, "standalone_mode": False}), as_json=False)


def ended(run: Callable[[], Any], as_json: bool) -> NoReturn:
    """Run a command to its end, and the process with it. Stdout that cannot be written is told.

    Where nothing can be shown, nothing is done: a closed stdout is refused at once.
    """
    if sys.stdout is None:
        _end_unwritten("it is closed; nothing was done")
    try:
        code = run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        _show(error, as_json)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Aborted.", err=True)
        sys.exit(Exit.FAILED)
    except BrokenPipeError:  # such as behind a pipe into head: nobody wants more
        _let_go_of_stdout()
        sys.exit(Exit.FAILED)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _end_unwritten(os.strerror(error.errno or 0))
    sys.exit(code if isinstance(code, int) else 0)


def _show(error: click.ClickException, as_json: bool) -> None:
    if as_json and isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "syncctl"
        made = Failure(error.format_message(), f"See: {path} --help", Exit.USAGE)
        click.echo(made.as_json(), err=True)
    else:
        error.show()


def _end_unwritten(reason: str) -> NoReturn:
    _let_go_of_stdout()
    with suppress(OSError):
        click.echo(f"The output cannot be written to stdout: {reason}.", err=True)
    sys.exit(Exit.FAILED)


def _let_go_of_stdout() -> None:
    """What still waits to be written goes nowhere: Python would complain of it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
