"""``syncctl channels``: what is installed, and what a channel can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import emit, field, how_long, say, table

_BY: Final = {"window": "window", "orders": "ids"}


@click.command(cls=Command)
@click.argument("name", required=False)
def channels(name: str | None) -> None:
    """List the channels, or show what one can do and what is not confirmed."""
    found = shared().client.get(path_of("channels"))
    if name is not None:
        chosen = [one for one in found["channels"] if one["name"] == name]
        if not chosen:
            there = ", ".join(one["name"] for one in found["channels"]) or "none"
            raise Failure(
                f"No channel {name} is installed. There are: {there}.",
                f"If there is a plugin for it: pip install syncd-{name}",
                Exit.NOT_FOUND,
            )
        found["channels"] = chosen
    if emit(found, rows="channels"):
        return
    if name is not None:
        _show(found["channels"][0])
        return
    table(
        [
            ("CHANNEL", field("name")),
            ("STATE", field("state")),
            ("VERSION", field("version")),
            ("ACCOUNTS", field("accounts")),
            ("SHIPS", lambda one: one["abilities"]["ships"]),
            ("UNCONFIRMED", lambda one: str(len(one["abilities"]["unverified"]))),
            ("TASKS", field("tasks")),
        ],
        found["channels"],
        empty="No channel is installed. Install a plugin, such as: pip install syncd-flipkart",
    )
    for channel in found["channels"]:
        if channel["reason"]:
            say(f"\n{channel['name']} is off: {channel['reason']}")


def _show(channel: Mapping[str, Any]) -> None:
    can = channel["abilities"]
    say(f"{channel['title']}: {channel['distribution']} {channel['version']}, {channel['state']}")
    if channel["reason"]:
        say(f"It is off: {channel['reason']}")
        return
    facts = list(_facts(channel["accounts"], can))
    wide = max(len(label) for label, _ in facts)
    for label, text in facts:
        say(f"  {label:<{wide}}  {text}")
    say()
    table(
        [
            ("TASK", field("kind")),
            ("TELLS", _told),
            ("ASKED BY", lambda one: " or ".join(_BY.get(how, how) for how in one["by"])),
        ],
        can["tasks"],
        empty="It fetches nothing.",
    )
    if can["unverified"]:
        say("\nNot confirmed by any public source:")
        for sentence in can["unverified"]:
            say(f"  {sentence}")


def _told(task: Mapping[str, Any]) -> str:
    return ", ".join(task["statuses"]) or ("new orders" if task["kind"] == "orders" else "-")


def _facts(accounts: list[str], can: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "accounts", ", ".join(accounts) or "none"
    yield "who ships", can["ships"]
    back = can["look_back"]
    yield "looks back", "no limit known" if back is None else f"{how_long(back)} at most"
    yield "longest window", how_long(can["longest_window"])
    yield "orders in a call", str(can["orders_per_call"])
    for pace in can["paces"]:
        often = f"{pace['per_second']:g} calls a second, {pace['burst']} at once"
        header = f", or as the header {pace['header']} says" if pace["header"] else ""
        yield f"pace {pace['name']}", often + header
    yield "facts may be late by", how_long(can["safety_lag"])
    yield "a window reaches back", how_long(can["overlap"])
    yield "times without an offset", can["time_zone"]
    if can["reads_reports"]:
        yield "files", "reads the panel's report files"
    if can["sources"]:
        yield "or read otherwise", " or ".join(f'source = "{one}"' for one in can["sources"])
