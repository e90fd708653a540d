"""What every command shares: the options that all have, and the way to the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.ctl_client import Client, default_socket

if TYPE_CHECKING:
    from syncd.clock import SystemClock


class Shared:
    """What the shared options say."""

    def __init__(self) -> None:
        self.socket: Path | None = None
        self.json = False
        self.json_lines = False
        self.no_color = bool(os.environ.get("NO_COLOR"))
        self.program = "syncctl"

    @property
    def clock(self) -> SystemClock:
        """The time. Loaded when asked for, because most of the start is loading."""
        from syncd.clock import SystemClock

        return SystemClock()

    @property
    def color(self) -> bool:
        """Whether stdout shows colours."""
        return sys.stdout.isatty() and not self.no_color

    @property
    def client(self) -> Client:
        """The daemon that is asked."""
        given = self.socket or os.environ.get("SYNCD_SOCKET")
        return Client(Path(given) if given else default_socket())


def shared() -> Shared:
    """The shared options of the running command."""
    root = click.get_current_context().find_root()
    if not isinstance(root.obj, Shared):
        root.obj = Shared()
    return root.obj


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        root = context.find_root()
        if not isinstance(root.obj, Shared):
            root.obj = Shared()
        if value:
            setattr(root.obj, name, value)

    return keep


def _options() -> list[click.Parameter]:
    """Made anew for each command: click keeps state in them."""
    plain: dict[str, Any] = {"is_flag": True, "expose_value": False, "is_eager": True}
    return [
        click.Option(
            ["--socket"], type=click.Path(path_type=Path), metavar="PATH", expose_value=False,
            is_eager=True, callback=_set("socket"),
            help="The daemon's socket.  [default: $SYNCD_SOCKET, the user's, the system's]",
        ),
        click.Option(["--json"], callback=_set("json"), help="Print one JSON document.", **plain),
        click.Option(
            ["--json-lines"], callback=_set("json_lines"),
            help="Print a list as one JSON object a line.", **plain,
        ),
        click.Option(["--no-color"], callback=_set("no_color"), help="No colours.", **plain),
    ]  # fmt: skip


class Command(click.Command):
    """A command that takes the shared options as well."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, and the shared options: made when needed, for time is short."""
        return [*super().get_params(ctx), *_options()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, but ``-1`` is told as the number that it is meant to be."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            number = next((word for word in given if _is_negative(word)), "")
            if not number.startswith(error.option_name):
                raise
            raise click.UsageError(
                f"{number} cannot be: the number must be 1 or more.", ctx
            ) from None


def _is_negative(word: str) -> bool:
    return word.startswith("-") and word[1:].isdigit()


class Group(click.Group):
    """A group that takes the shared options as well."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, and the shared options."""
        return [*super().get_params(ctx), *_options()]
