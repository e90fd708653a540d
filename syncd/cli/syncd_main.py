"""The command ``syncd``: run the daemon, or check its configuration."""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click

import syncd
from syncd.cli.ctl_root import Lone

SIMULATORS = "syncd.simulators"  # the entry point group; its values are syncd.testing.Simulator
LEVELS = ("debug", "info", "warning", "error")


@click.group(
    cls=Lone,
    invoke_without_command=True,
    subcommand_metavar="[simulate CHANNEL | channels [NAME]]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Configuration file.  [default: $SYNCD_CONFIG or /etc/syncd/syncd.toml]",
)
@click.option("--check", is_flag=True, help="Check the configuration, print problems, end.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print one JSON document.")
@click.option("--example", is_flag=True, help="Print a commented configuration file, end.")
@click.option("--log-level", type=click.Choice(LEVELS), help="Before the configuration's own.")
@click.version_option(syncd.__version__, prog_name="syncd")
@click.pass_context
def main(
    context: click.Context,
    config_path: Path | None,
    check: bool,
    as_json: bool,
    example: bool,
    log_level: str | None,
) -> None:
    """Keep a seller's order book true to what the marketplace panels know.

    Runs in the foreground until SIGTERM; SIGHUP reads the configuration again.

    Exit codes: 0 stopped as asked, 1 start refused (another syncd on the same state, unusable
    book or socket), 2 wrong usage, 78 wrong configuration.
    """
    if context.invoked_subcommand:
        return
    from syncd.config import default_config_path

    path = (config_path or default_config_path()).absolute()
    if example:
        _print_example()
    elif check:
        sys.exit(_check(path, as_json))
    else:
        _mind_signals_while_loading()
        from syncd.daemon import Options, run

        sys.exit(run(Options(config_path=path, log_level=log_level)))


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("channel")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(channel: str, arguments: tuple[str, ...]) -> None:
    """Run a channel's simulated panel on this machine; syncd simulate CHANNEL --help tells more.

    Its first line of output is a JSON object with its address and the settings of an account.
    Faults are switched by POST /control/faults, and people act by POST /control/VERB.
    """
    found = {one.name: one for one in entry_points(group=SIMULATORS)}
    if channel not in found:
        there = ", ".join(sorted(found)) or "none"
        raise click.UsageError(f'No simulator for "{channel}" is installed. Installed: {there}.')
    found[channel].load().main(arguments)


@main.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def channels(name: str | None, as_json: bool) -> None:
    """List the channels that are installed here, or show what one can do; needs no daemon.

    A plugin that cannot be loaded is told with the reason.
    """
    import msgspec

    from syncd.channels import discover
    from syncd.cli.ctl_base import shared
    from syncd.cli.ctl_channels import show
    from syncd.control.abilities import told

    options = shared()
    options.program, options.json = "syncd", as_json
    show([msgspec.to_builtins(told(one)) for one in discover().values()], name)


def _mind_signals_while_loading() -> None:
    """Until the daemon has its own handlers: stop quietly, and do not die of a reload."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _print_example() -> None:
    from syncd.channels import discover
    from syncd.config import commented_example

    click.echo(commented_example(discover()), nl=False)


def _check(path: Path, as_json: bool) -> int:
    """Tell every problem of the configuration; touches no state. Returns the exit code."""
    from syncd.channels import discover
    from syncd.config import load_all
    from syncd.errors import ConfigError

    problems: list[str] = []
    warnings: list[str] = []
    accounts: list[str] = []
    try:
        loaded = load_all(path, discover(), strict=True)
        warnings, accounts = list(loaded.warnings), list(loaded.config.accounts)
    except ConfigError as error:
        problems = error.problems
    if as_json:
        _print_check(path, problems, warnings, accounts)
    else:
        _tell_check(path, problems, warnings, len(accounts))
    return 78 if problems else 0


def _print_check(path: Path, problems: list[str], warnings: list[str], accounts: list[str]) -> None:
    document = {
        "ok": not problems, "path": str(path), "problems": problems, "warnings": warnings,
        "accounts": accounts,
    }  # fmt: skip
    click.echo(json.dumps(document, ensure_ascii=False))


def _tell_check(path: Path, problems: list[str], warnings: list[str], count: int) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if problems:
        click.echo(f"syncd: {path}: {len(problems)} problem(s)", err=True)
        for problem in problems:
            click.echo(f"  {problem}", err=True)
    elif count:
        click.echo(f"config ok: {count} account{'s' if count != 1 else ''}")
    else:
        click.echo("config ok: 0 accounts; nothing will be synced")
