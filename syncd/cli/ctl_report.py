"""``syncctl import-report``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import emit, field, say, table, tell, when
from syncd.cli.ctl_runs import Span, say_plan
from syncd.cli.ctl_wait import await_runs, end_text, exit_of

LARGEST_REPORT: Final = 32 * 1024 * 1024
REPORT_SECONDS: Final = 600.0
MOST_ROWS: Final = 50


@click.command("import-report", cls=Command)
@click.argument("account", metavar="ACCOUNT")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--preview", is_flag=True, help="Show how each row is read; store nothing.")
@click.option("--dry-run", is_flag=True, help="Show what would change; store nothing.")
@click.option("--wait", is_flag=True, help="Wait for the end of the run and show it.")
@click.option("--timeout", type=Span(), metavar="SPAN", help="Wait this long at most: 5m.")
def import_report(
    account: str, file: Path, preview: bool, dry_run: bool, wait: bool, timeout: float | None
) -> None:
    """Take in a report that was downloaded from a panel. - is stdin.

    The same report twice is harmless. A bad row is told with its line and left out, the others
    are taken; the exit code is then 1.
    """
    client = shared().client
    path = path_of("accounts", account, "report")
    done = client.send_bytes(
        path, _content_of(file), seconds=REPORT_SECONDS, file=_name_of(file),
        preview=preview or None, dry_run=dry_run or None,
    )  # fmt: skip
    run = None
    ended = True
    if done["run_id"] is not None and (wait or dry_run or timeout is not None):
        asked = {"run_id": done["run_id"], "account": done["account"]}
        ended = await_runs(client, [asked], timeout)
        run = client.get(path_of("runs", done["run_id"]))
    if not emit(done if run is None else {**done, "run": run}):
        _say(done, run)
    if not ended:
        sys.exit(Exit.TIMED_OUT)
    worst = Exit.FAILED if done["problem_count"] else Exit.DONE
    sys.exit(worst if run is None else max(worst, exit_of(run)))


def _content_of(file: Path) -> bytes:
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(LARGEST_REPORT + 1)
        else:
            with file.open("rb") as opened:
                content = opened.read(LARGEST_REPORT + 1)
    except OSError as error:
        raise Failure(
            f"{file} cannot be read: {error.strerror}.", "Check its name.", Exit.USAGE
        ) from None
    if len(content) > LARGEST_REPORT:
        raise Failure(
            f"{file} is larger than {LARGEST_REPORT // 2**20} MiB.",
            "Download a shorter span.", Exit.USAGE,
        )  # fmt: skip
    return content


def _name_of(file: Path) -> str:
    return file.name[-200:] if str(file) != "-" else "stdin"


def _say(done: Mapping[str, Any], run: Mapping[str, Any] | None) -> None:
    said = ", ".join(f"{count} {name}" for name, count in done["statuses"].items())
    say(f"{done['file']}: {done['orders']} orders, {done['facts']} facts, "
        f"{done['problem_count']} problems" + (f" ({said})" if said else ""))  # fmt: skip
    if done["preview"]:
        _say_rows(done)
    for problem in done["problems"][:MOST_ROWS]:
        order = f"order {problem['order_id']}: " if problem["order_id"] else ""
        tell(f"  {order}{problem['problem']}")
        if done["preview"] and problem["raw"]:
            tell(f"    {problem['raw']}")
    if done["problem_count"] > MOST_ROWS:
        tell(f"  … {done['problem_count'] - MOST_ROWS} more; --json shows the first thousand")
    if done["preview"]:
        tell("Nothing was stored.")
    elif done["run_id"] is None:
        tell("The file says nothing for the book, so nothing was stored.")
    elif run is None:
        number = done["run_id"]
        tell(f"Run {number} takes it into the book. Follow: syncctl events {number}")
        say(str(number))
    elif run["ended_at"]:
        say(end_text(run))
        say_plan(run)


def _say_rows(done: Mapping[str, Any]) -> None:
    now = shared().clock.now()
    table(
        [
            ("ORDER", field("order_id")),
            ("LINE", lambda row: row["line_id"] or row["sku"]),
            ("STATUS", lambda row: f"{row['status']} {row['return_type']}".strip()),
            ("WORD", field("native_status")),
            ("#", lambda row: "all" if row["quantity"] is None else str(row["quantity"])),
            ("TIME", lambda row: when(row["at"], now)),
        ],
        done["rows"][:MOST_ROWS],
        empty="No row of it says anything.",
    )
    if len(done["rows"]) > MOST_ROWS:
        say(f"… {len(done['rows']) - MOST_ROWS} more; see them with --json")
