"""``syncctl parcel``: parcels divided or put together by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from syncd.cli.ctl_base import Command, Group, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_output import emit, say

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _names() -> Callable[[_Function], _Function]:
    """The options that both commands have."""

    def put(function: _Function) -> _Function:
        for option in (
            click.option("--account", metavar="NAME", help="Where several have such an order."),
            click.option("--tracking", default="", metavar="NUMBER", help="Its tracking number."),
            click.option("--shipment", default="", metavar="ID", help="The channel's name for it."),
        ):
            function = option(function)
        return function

    return put


@click.group(cls=Group)
def parcel() -> None:
    """Divide parcels, or put them together, before they leave."""


@parcel.command(cls=Command)
@click.argument("order_id", metavar="ORDER")
@click.option("--take", multiple=True, required=True, metavar="LINE[=PIECES]",
              help="What goes into the second parcel; repeat it for more lines.")  # fmt: skip
@click.option("--parcel", "code", default="", metavar="CODE", help="Which, if there are several.")
@_names()
def split(
    order_id: str, take: Sequence[str], code: str, shipment: str, tracking: str, account: str | None
) -> None:
    """Divide a parcel in two. An invoice that it had is void."""
    body = {
        "take": dict(map(_line, take)), "parcel": code, "shipment_id": shipment,
        "tracking_number": tracking, "account": account,
    }  # fmt: skip
    _say(shared().client.send("POST", path_of("orders", order_id, "split"), body))


def _line(text: str) -> tuple[str, int]:
    """``L1`` is the whole line, ``L1=2`` two pieces of it."""
    line, mark, number = text.rpartition("=")
    if not mark:
        return text, 0
    if not number.isdecimal() or int(number) < 1:
        raise click.UsageError(f"--take {text}: write LINE, or LINE=PIECES such as {line}=2.")
    return line, int(number)


@parcel.command(cls=Command)
@click.argument("order_id", metavar="ORDER")
@click.argument("codes", nargs=-1, metavar="[PARCEL]...")
@_names()
def merge(
    order_id: str, codes: Sequence[str], shipment: str, tracking: str, account: str | None
) -> None:
    """Put parcels of an order into one; all that have not left, if none is named."""
    body = {
        "parcels": list(codes), "shipment_id": shipment, "tracking_number": tracking,
        "account": account,
    }  # fmt: skip
    _say(shared().client.send("POST", path_of("orders", order_id, "merge"), body))


def _say(done: Mapping[str, Any]) -> None:
    if emit(done):
        return
    say(f"Parcel {', '.join(done['was'])} is now {', '.join(done['packages'])}.")
    if done["voided"]:
        say(f"Invoices void: {', '.join(done['voided'])}. Packing issues new ones.")
