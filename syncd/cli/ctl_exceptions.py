"""``syncctl exceptions``, ``exceptions show`` and ``settle``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from syncd.cli.ctl_base import Command, Group, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_output import emit, say, tell, when


@click.group(cls=Group, invoke_without_command=True)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--all", "everything", is_flag=True, help="Also the settled ones.")
@click.pass_context
def exceptions(context: click.Context, account: str | None, everything: bool) -> None:
    """List contradictions that a person must settle, or show one."""
    if context.invoked_subcommand:
        return
    options = shared()
    found = options.client.get(path_of("exceptions"), account=account, all=everything)
    if emit(found, rows="exceptions"):
        return
    now = options.clock.now()
    for group in _alike(found["exceptions"]):
        _say_group(group, now)
    if not found["exceptions"]:
        tell("There are none.")


def _alike(rows: Iterable[Mapping[str, Any]]) -> Iterable[list[Mapping[str, Any]]]:
    """What one fact says of several pieces, and stands alike, is told together."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in rows:
        key = (one["account"], one["order_id"], one["code"], one["inbox_id"] or f"#{one['id']}",
               one["state"], one["choice"])  # fmt: skip
        groups.setdefault(key, []).append(one)
    return groups.values()


def _say_group(group: Sequence[Mapping[str, Any]], now: datetime) -> None:
    one = group[-1]  # the oldest; the list has the newest first
    ids = " ".join(str(row["id"]) for row in reversed(group))
    many = f"  {len(group)} pieces" if len(group) > 1 else ""
    say(f"{ids}  {one['account']}  {one['order_id']}  {one['severity']}  {one['code']}{many}")
    say(f"    Since   {when(one['opened_at'], now)}")
    for row in reversed(group):
        say(f"    What    {row['message']}")
    if one["state"] == "OPEN" and one["what_to_do"]:
        say(f"    Do      {one['what_to_do']}")
    if one["state"] != "OPEN":
        say(f"    Settled {_settled(one, now)}")


def _settled(one: Mapping[str, Any], now: datetime) -> str:
    how = f"{one['choice']}, " if one["choice"] else ""
    note = f": {one['note']}" if one["note"] else ""
    return f"{how}by {one['closed_by']}, {when(one['closed_at'], now)}{note}"


@exceptions.command("show", cls=Command)
@click.argument("exception_id", type=click.IntRange(1), metavar="ID")
def exceptions_show(exception_id: int) -> None:
    """Show one: both sides, where the piece, parcel, stock and putaway stand, and the choices."""
    options = shared()
    found = options.client.get(path_of("exceptions", exception_id))
    if emit(found):
        return
    now = options.clock.now()
    one = found["exception"]
    say(f"Exception {one['id']} of order {one['order_id']} ({one['account']}), {one['severity']}: "
        f"{one['code']}")  # fmt: skip
    say(one["message"])
    say()
    say("What cannot both be true:")
    for side in (found["contradicts"], found["against"]):
        if side:
            happened, heard = when(side["occurred_at"], now), when(side["observed_at"], now)
            say(f"  {side['says']}")
            say(f"    fact {side['inbox_id']}, happened {happened}, heard {heard}")
    if found["against_words"]:
        say(f"  {found['against_words']}")
    if found["stands"]:
        say()
        say("Now:")
        for sentence in found["stands"]:
            say(f"  {sentence}")
    _say_others(found)
    _say_end(found, now)


def _say_others(found: Mapping[str, Any]) -> None:
    for name, text in (
        ("same_fact", "The same fact, of other pieces: exception"),
        ("same_piece", "The same piece: exception"),
    ):
        if found[name]:
            say(f"{text} {', '.join(map(str, found[name]))}")


def _say_end(found: Mapping[str, Any], now: datetime) -> None:
    one = found["exception"]
    say()
    if one["state"] != "OPEN":
        say(f"Settled: {_settled(one, now)}")
        return
    say("What you may choose:")
    for choice in found["choices"]:
        note = ' --note "..."' if choice["note_needed"] else ""
        say(f"  syncctl settle {one['id']} {choice['name']}{note}")
        say(f"      {choice['does']}")


@click.command(cls=Command)
@click.argument("words", nargs=-1, required=True, metavar="ID... CHOICE")
@click.option("--note", default="", help="Why; is kept. Some choices need it.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
def settle(words: Sequence[str], note: str, dry_run: bool) -> None:
    """Settle exceptions by a choice that 'exceptions show' offers: all of them, or none."""
    *ids, choice = words
    if not ids or not all(word.isdecimal() and int(word) for word in ids):
        raise click.UsageError("Say which exceptions and how: syncctl settle ID... CHOICE")
    body = {"ids": [int(word) for word in ids], "choice": choice, "note": note, "dry_run": dry_run}
    done = shared().client.send("POST", path_of("exceptions", "settle"), body)
    if emit(done):
        return
    would = "would be " if done["dry_run"] else ""
    for one in done["answers"]:
        closed = ", ".join(map(str, one["closed"]))
        where = f", line {one['line_id']} piece {one['piece'] + 1}" if one["line_id"] else ""
        say(f"Exception {closed} of order {one['order_id']}{where}: {would}settled by {choice}.")
        if one["before"] != one["after"]:
            say(f"    {one['before']} to {one['after']}")
        if one["done"]:
            say(f"    Done: {', '.join(one['done'])}")
        for noted in one["notes"]:
            say(f"    {noted}")
