"""``syncctl putaway``, ``stock``, ``warehouse``, ``sequence``, ``tenant`` and ``facility``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from syncd.cli.ctl_base import Command, Group, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_output import ago, emit, field, say, table

DISPOSITIONS: Final = ("GOOD", "BAD", "QC_REJECTED", "NOT_RECEIVED")
DOCUMENTS: Final = ("SALE_INVOICE", "SALE_RETURN_INVOICE")
STEPS: Final = (
    "FULFILLABLE", "CREATED", "PICKING", "PICKED", "PACKED", "READY_TO_SHIP", "MANIFESTED",
    "DISPATCHED",
)  # fmt: skip
_Function = TypeVar("_Function", bound=Callable[..., Any])
BUCKETS: Final = ("on_hand_good", "bad", "not_found", "shortage")


def _tenant_option() -> Callable[[_Function], _Function]:
    return click.option(
        "--tenant", default="", metavar="CODE", help="Where several tenants have such a facility."
    )


@click.group(cls=Group, invoke_without_command=True)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--all", "everything", is_flag=True, help="Also the finished ones.")
@click.pass_context
def putaway(context: click.Context, account: str | None, everything: bool) -> None:
    """List the pieces that must go back on a shelf, or say what became of one."""
    if context.invoked_subcommand:
        return
    options = shared()
    found = options.client.get(path_of("putaways"), account=account, all=everything)
    if emit(found, rows="putaways"):
        return
    now = options.clock.now()
    table(
        [
            ("ID", field("id")),
            ("ORDER", field("order_id")),
            ("SKU", field("sku")),
            ("AT", field("facility")),
            ("STATE", field("state")),
            ("SINCE", lambda one: ago(one["opened_at"], now)),
            ("WHY", field("words")),
        ],
        found["putaways"],
        empty="No piece waits for a shelf.",
    )


@putaway.command("done", cls=Command)
@click.argument("putaway_id", type=click.IntRange(1), metavar="ID")
@click.option("--as", "disposition", required=True, help="What the warehouse found.",
              type=click.Choice(DISPOSITIONS, case_sensitive=False))  # fmt: skip
def putaway_done(putaway_id: int, disposition: str) -> None:
    """Say what became of a piece. Only GOOD makes it sellable again."""
    done = shared().client.send(
        "POST", path_of("putaways", putaway_id, "complete"), {"disposition": disposition}
    )
    if emit(done):
        return
    say(f"Putaway {done['id']}: {done['sku']} of order {done['order_id']} is now {done['bucket']}.")
    for order in done["promised_to"]:
        say(f"It was promised at once to order {order}.")


@click.group(cls=Group, invoke_without_command=True)
@click.option("--facility", metavar="CODE", help="Only at this facility.")
@click.option("--sku", metavar="SKU", help="Only of this SKU.")
@click.option("--after", default="", metavar="SKU", help="Begin after this SKU.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True,
              help="How many.")  # fmt: skip
@click.pass_context
def stock(
    context: click.Context, facility: str | None, sku: str | None, after: str, limit: int
) -> None:
    """List stock by facility and SKU, or change it."""
    if context.invoked_subcommand:
        return
    found = shared().client.get(
        path_of("stock"), facility=facility, sku=sku, after=after, limit=limit
    )
    if emit(found, rows="stock"):
        return
    table(
        [
            ("FACILITY", field("facility")),
            ("SKU", field("sku")),
            ("GOOD", _bucket("on_hand_good")),
            ("PROMISED", _bucket("allocated")),
            ("OTHER", _other_buckets),
        ],
        found["stock"],
        empty="There is no stock. Take some in: syncctl stock receive FACILITY SKU PIECES",
    )


def _bucket(name: str) -> Any:
    return lambda row: str(row["buckets"].get(name, 0))


def _other_buckets(row: Mapping[str, Any]) -> str:
    hidden = ("on_hand_good", "allocated", "outside")
    shown = [(name, n) for name, n in row["buckets"].items() if n and name not in hidden]
    return ", ".join(f"{n} {name}" for name, n in shown)


@stock.command(cls=Command)
@click.argument("facility")
@click.argument("sku")
@click.argument("pieces", type=click.IntRange(1, 1_000_000))
@click.option("--note", default="", help="Kept with the move.")
@_tenant_option()
def receive(facility: str, sku: str, pieces: int, note: str, tenant: str) -> None:
    """Put goods on a shelf; orders that wait for them get them first."""
    body = {"facility": facility, "goods": {sku: pieces}, "note": note, "tenant": tenant}
    done = shared().client.send("POST", path_of("stock", "receive"), body)
    if emit(done):
        return
    say(f"{done['quantity']} pieces of {sku} are at {done['facility']}.")
    _say_promised(done)


@stock.command(cls=Command, context_settings={"ignore_unknown_options": True})
@click.argument("facility")
@click.argument("sku")
@click.argument("change", type=int)
@click.option("--bucket", type=click.Choice(BUCKETS), default="on_hand_good", show_default=True,
              help="Which count is corrected.")  # fmt: skip
@click.option("--note", required=True, help="Why; is kept.")
@_tenant_option()
def adjust(facility: str, sku: str, change: int, bucket: str, note: str, tenant: str) -> None:
    """Correct a count by CHANGE pieces, such as 3 or -2."""
    body = {
        "facility": facility, "sku": sku, "change": change, "bucket": bucket, "note": note,
        "tenant": tenant,
    }  # fmt: skip
    done = shared().client.send("POST", path_of("stock", "adjust"), body)
    if emit(done):
        return
    say(f"{done['bucket']} of {done['sku']} at {done['facility']}: {done['before']} to "
        f"{done['after']}.")  # fmt: skip
    _say_promised(done)


def _say_promised(done: Mapping[str, Any]) -> None:
    orders = dict.fromkeys(one["order_id"] for one in done["promised"])
    if orders:
        say(f"Promised to waiting orders: {', '.join(orders)}")


@click.command(cls=Command)
@click.argument("order_id", metavar="ORDER")
@click.argument("step", type=click.Choice(STEPS, case_sensitive=False))
@click.option("--account", metavar="NAME", help="Where several accounts have such an order.")
def warehouse(order_id: str, step: str, account: str | None) -> None:
    """Do the warehouse's steps for an order by hand, up to STEP."""
    done = shared().client.send(
        "POST", path_of("orders", order_id, "warehouse"), {"to": step, "account": account}
    )
    if emit(done):
        return
    say(f"Order {done['order_id']} is {done['state']}: {sum(done['moved'].values())} pieces moved.")
    if done["packages"]:
        say(f"Parcels: {', '.join(done['packages'])}")
    if done["invoices"]:
        say(f"Invoices issued: {', '.join(done['invoices'])}")
    if lacking := done.get("waiting"):
        told = ", ".join(f"{count} of {sku}" for sku, count in lacking.items())
        say(f"Waiting for stock: {told}. When it comes: syncctl stock receive")


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def sequence(context: click.Context) -> None:
    """List the running numbers of invoices, or define one."""
    if context.invoked_subcommand:
        return
    found = shared().client.get(path_of("sequences"))
    if emit(found, rows="sequences"):
        return
    table(
        [
            ("TENANT", field("tenant")),
            ("FACILITY", field("facility")),
            ("KIND", field("kind")),
            ("NEXT", field("next")),
        ],
        found["sequences"],
        empty="None is defined. Define one: syncctl sequence set FACILITY --prefix INV/",
    )


@sequence.command("set", cls=Command)
@click.argument("facility")
@click.argument("kind", type=click.Choice(DOCUMENTS, case_sensitive=False),
                default=DOCUMENTS[0])  # fmt: skip
@click.option("--prefix", required=True, help="What stands before the number.")
@click.option("--start", type=click.IntRange(1), default=1, show_default=True,
              help="The first number.")  # fmt: skip
@click.option("--width", type=click.IntRange(1, 12),
              help="Digits, padded with zeros.  [default: as it is, 1 at first]")  # fmt: skip
@_tenant_option()
def set_(facility: str, kind: str, prefix: str, start: int, width: int | None, tenant: str) -> None:
    """Say how a facility numbers its documents; what waited for it is decided next."""
    body = {
        "facility": facility, "kind": kind, "prefix": prefix, "start": start, "width": width,
        "tenant": tenant,
    }  # fmt: skip
    _say_change(shared().client.send("PUT", path_of("sequences"), body))


def _say_change(done: Mapping[str, Any]) -> None:
    if emit(done):
        return
    say(f"{done['subject']}: {done['before']} to {done['after']}")
    if done["reopened"]:
        runs = ", ".join(map(str, done["runs"]))
        say(f"{done['reopened']} changes had waited for this; run {runs} decides them.")


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def tenant(context: click.Context) -> None:
    """List the sellers with their facilities, or change a seller's state."""
    if context.invoked_subcommand:
        return
    found = shared().client.get(path_of("tenants"))
    if emit(found, rows="tenants"):
        return
    table(
        [
            ("TENANT", field("code")),
            ("STATE", field("state")),
            ("ACCOUNTS", field("accounts")),
            ("FACILITIES", _facilities),
        ],
        found["tenants"],
        empty="There is none: no account is configured. Begin with: syncctl init",
    )


def _facilities(row: Mapping[str, Any]) -> str:
    return ", ".join(
        one["code"] if one["state"] == "ACTIVE" else f"{one['code']} ({one['state'].lower()})"
        for one in row["facilities"]
    )


@tenant.command("live", cls=Command)
@click.argument("code")
def tenant_live(code: str) -> None:
    """Let a seller's orders be synced."""
    _set_tenant(code, "LIVE")


@tenant.command("suspend", cls=Command)
@click.argument("code")
def tenant_suspend(code: str) -> None:
    """Stop syncing a seller's orders; nothing is lost."""
    _set_tenant(code, "SUSPENDED")


def _set_tenant(code: str, state: str) -> None:
    _say_change(shared().client.send("PUT", path_of("tenants", code), {"state": state}))


@click.command(cls=Command)
@click.argument("code")
@click.option("--state", type=click.Choice(("ACTIVE", "INACTIVE"), case_sensitive=False),
              help="Switch it on or off.")  # fmt: skip
@click.option("--traceability", help="How its pieces are traced.",
              type=click.Choice(("NONE", "ITEM_SKU", "ITEM"), case_sensitive=False))  # fmt: skip
@_tenant_option()
def facility(code: str, state: str | None, traceability: str | None, tenant: str) -> None:
    """Switch a facility on or off, or say how its pieces are traced."""
    if state is None and traceability is None:
        raise click.UsageError("Say what to change: --state or --traceability.")
    body = {"state": state, "traceability": traceability, "tenant": tenant}
    _say_change(shared().client.send("PUT", path_of("facilities", code), body))
