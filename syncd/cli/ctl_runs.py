"""``syncctl trigger``, ``returns``, ``runs``, ``run``, ``tasks`` and ``events``."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import Client, path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import (
    ago,
    counted,
    emit,
    field,
    how_long,
    paint,
    say,
    table,
    tell,
    took,
    when,
)
from syncd.cli.ctl_wait import await_runs, end_text, exit_of, follow, progress_text

KINDS: Final = ("orders", "dispatched", "cancelled", "returns", "delivered")
MOST_NAMED: Final = 20
MOST_PLANNED: Final = 50
MOST_KEPT: Final = 1_000  # rows of a plan; a longer one is cut by the daemon
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Span(click.ParamType[float]):
    """A time span such as 30s, 5m or 1h30m; in seconds."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds. A bare number is refused: nobody knows its unit."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if not re.fullmatch(r"(\d{1,6}[smhd])+", text):
            self.fail(f"{text!r} is no time span; write one such as 30s, 5m or 1h30m", param, ctx)
        return float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhd])", text)))


def order_ids(given: Sequence[str]) -> list[str]:
    """The ids of ``--order``; ``-`` stands for one id a line on stdin."""
    ids: list[str] = []
    for one in given:
        if one == "-":
            ids += [line.strip() for line in sys.stdin if line.strip()]
        else:
            ids.append(one)
    if given and not ids:
        raise Failure("No order ids came on stdin.", "Give one a line.", Exit.USAGE)
    return list(dict.fromkeys(ids))


@click.command(cls=Command)
@click.argument("target", metavar="CHANNEL_OR_ACCOUNT")
@click.option("--task", "tasks", multiple=True, type=click.Choice(KINDS), help="Only this task.")
@click.option("--order", "orders", multiple=True, metavar="ID", help="Only this order; - is stdin.")
@click.option("--days", type=click.IntRange(1, 366), help="Look back this many days.")
@click.option("--wait", is_flag=True, help="Wait for the end and show progress.")
@click.option("--timeout", type=Span(), metavar="SPAN", help="Wait this long at most: 5m.")
@click.option("--dry-run", is_flag=True, help="Ask the channel, change nothing here.")
def trigger(
    target: str,
    tasks: Sequence[str],
    orders: Sequence[str],
    days: int | None,
    wait: bool,
    timeout: float | None,
    dry_run: bool,
) -> None:
    """Sync an account, or all accounts of a channel, now.

    Prints the id of the run. With --wait its result; Ctrl-C then lets the run go on alone.
    """
    _trigger(
        {"account": target, "kinds": list(tasks), "orders": order_ids(orders), "days": days,
         "dry_run": dry_run},
        wait or timeout is not None, timeout,
    )  # fmt: skip


@click.command(cls=Command)
@click.argument("target", metavar="CHANNEL_OR_ACCOUNT")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True,
              help="Look back this many days.")  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait for the end and show progress.")
@click.option("--timeout", type=Span(), metavar="SPAN", help="Wait this long at most: 5m.")
@click.option("--dry-run", is_flag=True, help="Ask the channel, change nothing here.")
def returns(target: str, days: int, wait: bool, timeout: float | None, dry_run: bool) -> None:
    """Look for returns of the last days now."""
    body = {"account": target, "kinds": ["returns"], "days": days, "dry_run": dry_run}
    _trigger(body, wait or timeout is not None, timeout)


def _trigger(body: Mapping[str, Any], wait: bool, timeout: float | None) -> None:
    client = shared().client
    asked = client.send("POST", path_of("runs"), body)
    unknown = asked["unknown_orders"]
    for order in unknown[:MOST_NAMED]:
        tell(f"The book has no order {order}; the channel is asked for it all the same.")
    if len(unknown) > MOST_NAMED:
        tell(f"… and {len(unknown) - MOST_NAMED} more that are not in the book.")
    for note in asked["notes"]:
        tell(note)
    if not wait:
        accepted(asked)
        return
    all_ended = await_runs(client, asked["runs"], timeout)
    ended = [client.get(path_of("runs", run["run_id"])) for run in asked["runs"]]
    missing = [] if body["dry_run"] else _missing(client, asked["unknown_orders"], ended)
    if not emit({**asked, "runs": ended, "missing_orders": missing}, rows="runs"):
        _say_ended(ended, missing)
    codes = [*map(exit_of, ended), Exit.FAILED if missing else Exit.DONE]
    sys.exit(max(codes) if all_ended else Exit.TIMED_OUT)


def _missing(
    client: Client, unknown: Sequence[str], ended: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Orders that were asked for and that no run brought; none where a run did not get through."""
    if not unknown or any(run["state"] not in ("OK", "PARTIAL") for run in ended):
        return []
    missing = set(unknown)
    for run in ended:
        missing &= set(client.get(path_of("runs", run["id"], "missing"))["orders"])
    return [order for order in unknown if order in missing]


def _say_ended(ended: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> None:
    for run in ended:
        if run["ended_at"]:
            say(end_text(run))
            say_plan(run)
        else:
            say(str(run["id"]))
    for order in missing[:MOST_NAMED]:
        say(f"the panel has no order {order} (or did not show it)")
    if len(missing) > MOST_NAMED:
        say(f"… and {len(missing) - MOST_NAMED} more that the panel did not show")


def say_ledger(run: Mapping[str, Any]) -> None:
    """What came into a run, and what became of it: each fact once."""
    ledger = run.get("ledger")
    if not ledger or not (ledger["came_in"] or ledger["became"]):
        return
    came = " + ".join(f"{n} {_words(name)}" for name, n in ledger["came_in"].items()) or "0"
    became = " + ".join(f"{n} {name}" for name, n in ledger["became"].items()) or "0"
    say(f"Ledger     {came} = {became}" + _balance(ledger["imbalance"]))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _balance(imbalance: int | None) -> str:
    if imbalance is None:
        return "  (of an older syncd; not checked)"
    return f"  DOES NOT BALANCE by {imbalance}; please report it" if imbalance else ""


def say_plan(run: Mapping[str, Any]) -> None:
    """What a dry run would do, piece by piece."""
    plan = run.get("plan") or ()
    if not plan:
        return
    say()
    table(
        [
            ("ORDER", field("order_id")),
            ("LINE", field("line_id")),
            ("PIECE", _piece_number),
            ("EVENT", field("event")),
            ("BEFORE", field("before")),
            ("AFTER", field("after")),
            ("OUTCOME", field("outcome")),
            ("NOTE", lambda row: row.get("note") or row.get("code") or ""),
        ],
        plan[:MOST_PLANNED],
        empty="",
    )
    if len(plan) > MOST_PLANNED:
        least = "at least " if len(plan) >= MOST_KEPT else ""
        say(f"… {least}{len(plan) - MOST_PLANNED} more; see them with --json")


def _piece_number(row: Mapping[str, Any]) -> str:
    """From 1 on, as everywhere a person reads it; empty for what concerns the whole order."""
    return "" if row["piece"] is None else str(row["piece"] + 1)


def accepted(asked: Mapping[str, Any]) -> None:
    """Say which runs were queued."""
    if emit(asked, rows="runs"):
        return
    for run in asked["runs"]:
        how = "waits already, this was added to it" if run["folded"] else "is queued"
        number = run["run_id"]
        tell(f"Run {number} of {run['account']} {how}. Follow: syncctl events {number}")
        say(str(number))


@click.command(cls=Command)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True,
              help="How many.")  # fmt: skip
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Older than this run.")
def runs(account: str | None, limit: int, before: int | None) -> None:
    """List runs, newest first."""
    options = shared()
    found = options.client.get(path_of("runs"), account=account, limit=limit, before=before)
    if emit(found, rows="runs"):
        return
    now = options.clock.now()
    table(
        [
            ("RUN", field("id")),
            ("ACCOUNT", field("account")),
            ("TASKS", _tasks_of),
            ("STATE", field("state")),
            ("STARTED", lambda run: ago(run["started_at"], now, "not yet")),
            ("TOOK", lambda run: took(run, now)),
            ("RESULT", _result),
        ],
        found["runs"],
        empty="There are no runs yet. Begin one: syncctl trigger ACCOUNT",
    )


def _tasks_of(run: Mapping[str, Any]) -> str:
    words = ",".join(run["kinds"]) if len(run["kinds"]) < len(KINDS) else "all"
    orders = f" for {len(run['orders'])} orders" if run["orders"] else ""
    if run.get("purpose") == "audit":
        return "audit" + orders + ("" if run["dry_run"] else " fix")
    if run.get("purpose") == "report":
        words = "report"
    return (words or "decide") + orders + (" dry" if run["dry_run"] else "")


def _result(run: Mapping[str, Any]) -> str:
    names = ("fetched", "applied", "parked", "refused", "quarantined", "gated", "undecided")
    return str(run["message"]) or counted(run["counts"], names)


@click.command(cls=Command)
@click.argument("run_id", type=click.IntRange(1), metavar="RUN")
def run(run_id: int) -> None:
    """Show one run: its tasks, numbers and messages."""
    options = shared()
    found = options.client.get(path_of("runs", run_id))
    if emit(found):
        return
    now = options.clock.now()
    state = paint(found["state"], found["state"], options)
    click.echo(f"Run {found['id']} of {found['account']}: {state}")
    say(f"Asked for  {when(found['requested_at'], now)}, by {found['actor']} ({found['trigger']})")
    say(f"Started    {when(found['started_at'], now, 'not yet')}")
    if found["ended_at"]:
        say(f"Ended      {when(found['ended_at'], now)}, after {took(found, now)}")
    say(f"Tasks      {_tasks_of(found)}")
    if found["days"]:
        say(f"Look back  {found['days']} days")
    if found["message"]:
        say(f"Message    {found['message']}")
    say(f"Counts     {counted(found['counts']) or 'none'}")
    say_ledger(found)
    if found["tasks"]:
        say()
        table(
            [
                ("TASK", field("kind")),
                ("STATE", field("state")),
                ("FETCHED", field("fetched")),
                ("NEW", field("new")),
                ("PAGES", field("pages")),
                ("MESSAGE", field("message")),
            ],
            [{"kind": kind, **note} for kind, note in found["tasks"].items()],
            empty="",
        )
    say_plan(found)


@click.command(cls=Command)
@click.option("--account", metavar="NAME", help="Only of this account.")
def tasks(account: str | None) -> None:
    """List the recurrent tasks: timer, last and next run, last message."""
    options = shared()
    found = options.client.get(path_of("tasks"), account=account)
    if emit(found, rows="tasks"):
        return
    now = options.clock.now()
    table(
        [
            ("ACCOUNT", field("account")),
            ("TASK", field("kind")),
            ("EVERY", lambda task: how_long(task["every_seconds"])),
            ("LAST", lambda task: ago(task["last_end"], now)),
            ("NEXT", lambda task: ago(task["next_run"], now, "-") if task["enabled"] else "off"),
            ("RESULT", lambda task: task["last_result"] or "-"),
            ("MESSAGE", field("last_message")),
        ],
        found["tasks"],
        empty="There are no tasks: no account is configured. Begin with: syncctl init",
    )


@click.command(cls=Command)
@click.argument("run_id", type=click.IntRange(1), metavar="RUN")
@click.option("--after", type=click.IntRange(0), default=0, metavar="SEQ",
              help="Only events after this number.")  # fmt: skip
def events(run_id: int, after: int) -> None:
    """Follow a run's events to its end. Ctrl-C looks away, the run goes on.

    They come one by one: --json prints one JSON object a line, as --json-lines does.
    """
    options = shared()

    def show(event: Mapping[str, Any]) -> None:
        if emit(event) or event["event"] == "alive":
            return
        doing = progress_text(event, 0) if event["event"] == "progress" else ""
        state = f"{event.get('state', '')} {event.get('message', '')}".strip()
        say(f"{event['seq']:>5}  {event['event']:<8}  {doing or state}".rstrip())

    options.json_lines = options.json_lines or options.json
    try:
        follow(options.client, run_id, None, show, after=after)
    except KeyboardInterrupt:
        tell(f"Run {run_id} goes on.")
        sys.exit(Exit.TIMED_OUT)
