"""``syncctl audit`` and ``drift``: compare the book with the panels, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import emit, say, tell
from syncd.cli.ctl_runs import Span, accepted, order_ids
from syncd.cli.ctl_wait import await_runs, end_text, exit_of

EXAMPLES: Final = 3


@click.command(cls=Command)
@click.argument("target", metavar="[CHANNEL_OR_ACCOUNT]", required=False)
@click.option("--all", "everyone", is_flag=True, help="All accounts that run.")
@click.option("--order", "orders", multiple=True, metavar="ID", help="Only this order; - is stdin.")
@click.option("--fix", is_flag=True, help="Mend what the panel's facts can mend.")
@click.option("--wait", is_flag=True, help="Wait for the end and show what was found.")
@click.option("--timeout", type=Span(), metavar="SPAN", help="Wait this long at most: 5m.")
def audit(
    target: str | None,
    everyone: bool,
    orders: Sequence[str],
    fix: bool,
    wait: bool,
    timeout: float | None,
) -> None:
    """Compare the book with the panel, order by order.

    Changes nothing without --fix. With --wait it ends with 1 when disagreements are left.
    """
    if (target is None) != everyone:
        raise Failure(
            "Say which account or channel to audit, or --all.",
            "See the accounts: syncctl status",
            Exit.USAGE,
        )
    client = shared().client
    body = {"account": target or "", "orders": order_ids(orders), "fix": fix}
    asked = client.send("POST", path_of("audits"), body)
    if fix:
        for note in asked["notes"]:
            tell(note)
    if not wait and timeout is None:
        accepted(asked)
        return
    all_ended = await_runs(client, asked["runs"], timeout)
    ended = [client.get(path_of("runs", run["run_id"])) for run in asked["runs"]]
    found = [
        finding for run in ended for finding in client.get(path_of("audits", run["id"]))["findings"]
    ]
    if not emit({**asked, "runs": ended, "findings": found}):
        for run in ended:
            say(end_text(run) if run["ended_at"] else str(run["id"]))
        if found:
            say()
            _say_findings(found)
    sys.exit(max(map(exit_of, ended)) if all_ended else Exit.TIMED_OUT)


@click.command(cls=Command)
@click.argument("run_id", type=click.IntRange(1), metavar="[RUN]", required=False)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--order", metavar="ID", help="Only of this order.")
@click.option("--all", "everything", is_flag=True, help="Each finding, not only examples.")
def drift(run_id: int | None, account: str | None, order: str | None, everything: bool) -> None:
    """List how book and panels disagree, by cause; or what one audit found.

    Without RUN: what stands by the last audits. Ends with 1 when anything stands.
    """
    client = shared().client
    if run_id is not None and account:
        raise Failure("A run is of one account already; leave out --account.", "", Exit.USAGE)
    if run_id is not None:
        found = client.get(path_of("audits", run_id), order=order)
    else:
        found = client.get(path_of("drift"), account=account, order=order)
    if not emit(found, rows="findings"):
        if found["findings"]:
            _say_findings(found["findings"], everything)
        else:
            tell("No disagreement stands. Compare again: syncctl audit --all --wait")
    if any(not one["mended"] for one in found["findings"]):
        sys.exit(Exit.FAILED)


def _say_findings(found: Sequence[Mapping[str, Any]], everything: bool = False) -> None:
    """A paragraph for each cause: how many, what it means, examples, and what mends it."""
    groups: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    for one in found:
        groups.setdefault((one["account"], one["cause"], one["mended"]), []).append(one)
    for number, ((account, cause, mended), group) in enumerate(groups.items()):
        if number:
            say()
        say(f"{account}, {cause}: {len(group)}{', mended' if mended else ''}")
        say(f"  {group[0]['means']}")
        shown = group if everything else group[:EXAMPLES]
        for one in shown:
            line = f" line {one['line_id']}" if one["line_id"] else ""
            says = f"book {one['book_says'] or '-'}; panel {one['panel_says']}"
            say(f"  {one['order_id']}{line}: {says}. {one['message']}".rstrip())
        if len(group) > len(shown):
            say(f"  … and {len(group) - len(shown)} more; see them with: syncctl drift --all")
        if group[0]["do"]:
            say(f"  {group[0]['do']}")
