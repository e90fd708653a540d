"""``syncctl channels``: what is installed, and what a channel can do.

``syncd channels`` shows the same without a daemon.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import Column, emit, field, how_long, how_often, say, table, tell

_BY: Final = {"window": "window", "orders": "ids"}
_NO_LIMIT: Final = "no limit known"

Told = Mapping[str, Any]
Way = tuple[str, Told]


@click.command(cls=Command)
@click.argument("name", required=False)
def channels(name: str | None) -> None:
    """List the channels, or show what one can do and what is not confirmed."""
    try:
        found = shared().client.get(path_of("channels"))
    except Failure as failure:
        if failure.code is Exit.NOT_RUNNING:
            failure.do += " Without it, syncd channels shows what is installed here."
        raise
    show(found["channels"], name)


def show(found: Sequence[Told], name: str | None) -> None:
    """Print these channels, or the one of this name. Raises Failure where there is none."""
    if name is not None:
        there = ", ".join(one["name"] for one in found) or "none"
        found = [one for one in found if one["name"] == name]
        if not found:
            raise Failure(
                f"No channel {name} is installed. There are: {there}.",
                f"If there is a plugin for it: pip install syncd-{name}",
                Exit.NOT_FOUND,
            )
    if emit({"channels": found}, rows="channels"):
        return
    if name is None:
        _list(found)
    else:
        _show(found[0])


def _list(found: Sequence[Told]) -> None:
    accounts: list[Column] = [("ACCOUNTS", field("accounts"))]
    table(
        [
            ("CHANNEL", field("name")),
            ("STATE", field("state")),
            ("VERSION", field("version")),
            *(accounts if any("accounts" in one for one in found) else ()),
            ("SHIPS", lambda one: one["abilities"]["ships"]),
        ],
        found,
        empty="No channel is installed. Install a plugin, such as: pip install syncd-flipkart",
    )
    ways = [way for one in found for way in _ways(one)]
    if ways:
        say()
        _list_answers(ways)
        say()
        _list_limits(ways)
    for channel in found:
        if channel["reason"]:
            say(f"\n{channel['name']} is off: {channel['reason']}")
    if ways:
        tell(f"\nOne in full, with what is not confirmed: {shared().program} channels NAME")


def _list_answers(ways: Sequence[Way]) -> None:
    once = sys.stdout.isatty()
    rows = [
        ("" if once and number else name, how, told)
        for name, can in ways
        for number, (how, told) in enumerate(_answers(can))
    ]
    table(
        [
            ("CHANNEL", lambda row: row[0]),
            ("ASKED BY", lambda row: row[1]),
            ("TELLS", lambda row: row[2]),
        ],
        rows,
        empty="",
    )
    if not all(can["named"] for _, can in ways):
        say("* as far as the panel's words, and the account's map of them, allow")


def _list_limits(ways: Sequence[Way]) -> None:
    table(
        [
            ("CHANNEL", lambda way: way[0]),
            ("LOOKS BACK", lambda way: _back(way[1])),
            ("WINDOW", lambda way: how_long(way[1]["longest_window"])),
            ("IDS A CALL", lambda way: _ids_a_call(way[1])),
            ("CALLS", lambda way: _pace(way[1]["paces"])),
            ("UNCONFIRMED", lambda way: str(len(way[1]["unverified"]))),
        ],
        ways,
        empty="",
    )


def _ways(channel: Told) -> Iterator[Way]:
    """The ways in which an account of the channel is read, each with its name."""
    if channel["reason"]:
        return
    can = channel["abilities"]
    yield channel["name"], can
    for word, other in can["sources"].items():
        yield f"{channel['name']} ({word})", other


def _answers(can: Told) -> Iterator[tuple[str, str]]:
    """What is told, by how it is asked for."""
    told: dict[str, dict[str, None]] = {}
    for task in can["tasks"]:
        words = told.setdefault(_asked(task), {})
        words.update(dict.fromkeys(task["statuses"] or [_told(task)]))
    open_end = "" if can["named"] else " *"
    if can["reads_reports"]:
        told["files"] = {"reports of the panel that a person hands in": None}
    for how, words in told.items():
        yield how, ", ".join(words) + (open_end if len(words) > 1 else "")


def _ids_a_call(can: Told) -> str:
    by_ids = any("orders" in task["by"] for task in can["tasks"])
    return str(can["orders_per_call"]) if by_ids else "-"


def _pace(paces: Sequence[Told]) -> str:
    rates = sorted({one["per_second"] for one in paces})
    if not rates:
        return "-"
    return " to ".join(how_often(one) for one in rates[:: max(1, len(rates) - 1)])


def _show(channel: Told) -> None:
    can = channel["abilities"]
    say(f"{channel['title']}: {channel['distribution']} {channel['version']}, {channel['state']}")
    if channel["reason"]:
        say(f"It is off: {channel['reason']}")
        return
    if "accounts" in channel:
        say(f"Accounts: {', '.join(channel['accounts']) or 'none'}")
    _show_way(can)
    for word, other in can["sources"].items():
        say(f'\nWhere an account says source = "{word}":')
        _show_way(other)


def _show_way(can: Told) -> None:
    facts = list(_facts(can))
    wide = max(len(label) for label, _ in facts)
    for label, text in facts:
        say(f"  {label:<{wide}}  {text}")
    say()
    table(
        [("TASK", field("kind")), ("TELLS", _told), ("ASKED BY", _asked)],
        can["tasks"],
        empty="It fetches nothing.",
    )
    if can["unverified"]:
        say("\nNot confirmed by any public source:")
        for sentence in can["unverified"]:
            say(f"  {sentence}")


def _told(task: Told) -> str:
    return ", ".join(task["statuses"]) or ("new orders" if task["kind"] == "orders" else "-")


def _asked(task: Told) -> str:
    return " or ".join(_BY.get(how, how) for how in task["by"])


def _back(can: Told) -> str:
    back = can["look_back"]
    return _NO_LIMIT if back is None else how_long(back)


def _facts(can: Told) -> Iterator[tuple[str, str]]:
    yield "who ships", can["ships"]
    yield "looks back", _back(can) if can["look_back"] is None else f"{_back(can)} at most"
    yield "longest window", how_long(can["longest_window"])
    yield "orders in a call", _ids_a_call(can)
    for pace in can["paces"]:
        often = f"{how_often(pace['per_second'])}, {pace['burst']} at once"
        header = f", or as the header {pace['header']} says" if pace["header"] else ""
        yield f"calls of {pace['name']}", often + header
    yield "facts may be late by", how_long(can["safety_lag"])
    yield "a window reaches back", how_long(can["overlap"])
    yield "times without an offset", can["time_zone"]
    if can["reads_reports"]:
        yield "files", "reads the panel's report files"
