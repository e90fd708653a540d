"""``syncctl overdue``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_output import emit, say, tell, when


@click.command(cls=Command)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True,
              help="How many of each list.")  # fmt: skip
def overdue(account: str | None, limit: int) -> None:
    """List what has waited longer than its limit, and what will next."""
    options = shared()
    found = options.client.get(path_of("overdue"), account=account, limit=limit)
    if emit(found, rows="overdue"):
        return
    now = options.clock.now()
    late, coming = found["overdue"], found["coming"]
    if late:
        say("Overdue:")
        _list(late, now, advise=True)
        more = sum(sum(kinds.values()) for kinds in found["counts"].values()) - len(late)
        if more > 0:
            say(f"  … and {more} more. See them with --limit, or --account.")
    else:
        tell("Nothing is overdue.")
    if coming:
        say("\nNext, if nothing comes before:" if late else "Next, if nothing comes before:")
        _list(coming, now, advise=False)


def _list(rows: Sequence[Mapping[str, Any]], now: Any, *, advise: bool) -> None:
    for one in rows:
        told = f"  exception {one['exception_id']}" if one["exception_id"] else ""
        head = f"  {one['account']}  {one['order_id']}  {one['kind']}"
        say(f"{head}  due {when(one['due'], now)}{told}")
        if advise:
            say(f"      What    {one['words']}")
            say(f"      Do      {one['what_to_do']}")
