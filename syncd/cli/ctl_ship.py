"""``syncctl may-ship`` and ``syncctl brake``: what must not leave, and what must not be undone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, Group, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit
from syncd.cli.ctl_output import emit, field, say, table, tell, when

LIMIT: Final = 50
PAGE: Final = 500
NOT_HERE: Final = "not in the book yet"


@click.command("may-ship", cls=Command)
@click.argument("parcel", required=False, metavar="[PARCEL]")
@click.option("--order", metavar="ID", help="All of this order that has not left.")
@click.option("--tracking", metavar="NUMBER", help="The parcel with this tracking number.")
@click.option("--shipment", metavar="ID", help="The parcel that the channel calls so.")
@click.option("--account", metavar="NAME", help="Where several accounts have such a one.")
def may_ship(
    parcel: str | None,
    order: str | None,
    tracking: str | None,
    shipment: str | None,
    account: str | None,
) -> None:
    """Say whether a parcel, such as SP-7, may leave: yes or no, and why.

    Exit code 0 for yes, 6 for no.
    """
    if sum(map(bool, (parcel, order, tracking, shipment))) != 1:
        raise click.UsageError("Say what: a parcel, --order, --tracking or --shipment.")
    client = shared().client
    if parcel:
        found = client.get(path_of("packages", parcel, "may-ship"))
    else:
        found = client.get(
            path_of("packages", "may-ship"), order=order, tracking=tracking, shipment=shipment,
            account=account,
        )  # fmt: skip
    if not emit(found):
        say(f"{'yes' if found['may_ship'] else 'no'}  {found['words']}")
    if not found["may_ship"]:
        sys.exit(Exit.REFUSED)


@click.group(cls=Group, invoke_without_command=True)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--limit", type=click.IntRange(1, PAGE), default=LIMIT, show_default=True,
              help="How many cancellations of each.")  # fmt: skip
@click.option("--after", type=click.IntRange(0), default=0, metavar="MARK",
              help="Go on behind this mark.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="All that each holds.")
@click.option("--closed", is_flag=True, help="Also what persons have said about older ones.")
@click.pass_context
def brake(
    context: click.Context, account: str | None, limit: int, after: int, everything: bool,
    closed: bool,
) -> None:  # fmt: skip
    """Show where the safety brake is on and what it holds, or say what to do with it."""
    if context.invoked_subcommand:
        return
    options = shared()
    found = options.client.get(path_of("brakes"), account=account, closed=closed)["brakes"]
    shown = [
        {**one, **(_held(one["account"], limit, after, everything) if _is_on(one) else {})}
        for one in found
    ]
    if emit({"brakes": shown}, rows="brakes"):
        return
    now = options.clock.now()
    for one in shown:
        say(f"{one['account']}  {one['state']}, since {when(one['opened_at'], now)}")
        say(f"    {one['words']}")
        if _is_on(one):
            _say_held(one)
    if not shown:
        tell("The safety brake is on nowhere.")


def _is_on(one: Mapping[str, Any]) -> bool:
    return bool(one["state"] == "OPEN")


def _held(account: str, limit: int, after: int, everything: bool) -> dict[str, Any]:
    """What a brake holds: a page of it, or all pages."""
    client = shared().client
    page = client.get(path_of("brakes", account), limit=PAGE if everything else limit, after=after)
    held = list(page["held"])
    while everything and page["next"] is not None:
        page = client.get(path_of("brakes", account), limit=PAGE, after=page["next"])
        held += page["held"]
    return {"held": held, "next": page["next"]}


def _say_held(one: Mapping[str, Any]) -> None:
    say()
    table(
        [
            ("ORDER", field("order_id")),
            ("LINE", field("line_id")),
            ("SKU", field("sku")),
            ("PIECES", lambda row: "all" if row["quantity"] is None else str(row["quantity"])),
            ("STANDS", lambda row: ", ".join(dict.fromkeys(row["positions"])) or NOT_HERE),
            ("CHANNEL SAYS", field("native_status")),
        ],
        one["held"],
        empty="Nothing is held any more: the orders have changed since.",
    )
    if one["next"] is not None:
        say(f"… more; see them with --after {one['next']} or --all")


@brake.command("release", cls=Command)
@click.argument("account")
@click.option("--note", required=True, help="Why they are true; is kept.")
def brake_release(account: str, note: str) -> None:
    """The cancellations are true: let them through."""
    done = shared().client.send("POST", path_of("brakes", account, "release"), {"note": note})
    if not emit(done):
        say(f"The brake of {account} is released; run {_runs(done)} decides what it held.")


@brake.command("drop", cls=Command)
@click.argument("account")
@click.option("--note", required=True, help="Why they are not true; is kept.")
def brake_drop(account: str, note: str) -> None:
    """The cancellations are not true: set them aside, decide the rest."""
    done = shared().client.send("POST", path_of("brakes", account, "drop"), {"note": note})
    if not emit(done):
        say(f"{done['dropped']} cancellations are set aside; run {_runs(done)} decides the rest.")


def _runs(done: Mapping[str, Any]) -> str:
    return ", ".join(map(str, done["runs"]))
