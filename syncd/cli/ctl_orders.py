"""``syncctl order``, ``explain``, ``failed``, ``retry`` and ``import``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from syncd.cli.ctl_base import Command, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import emit, field, say, table, tell, when

LARGEST_FILE: Final = 31 * 1024 * 1024
IMPORT_SECONDS: Final = 600.0
MOST_TOLD: Final = 50
SMALL_GROUP: Final = 3


@click.command(cls=Command)
@click.argument("order_id", metavar="ORDER")
@click.option("--account", metavar="NAME", help="Where several accounts have such an order.")
def order(order_id: str, account: str | None) -> None:
    """Show an order: its pieces, parcels and invoices."""
    options = shared()
    found = options.client.get(path_of("orders", order_id), account=account)
    if emit(found):
        return
    now = options.clock.now()
    say(f"Order {found['order_id']} of {found['account']}: {found['state']}")
    say(f"Placed     {when(found['placed_at'], now)}")
    say(f"In book    {when(found['imported_at'], now)}, from {found['source'] or 'unknown'}")
    if found["replaces"]:
        say(f"Replaces   {found['replaces']}")
    say()
    table(
        [
            ("LINE", field("line_id")),
            ("SKU", field("sku")),
            ("#", lambda piece: str(piece["piece"] + 1)),
            ("POSITION", field("position")),
            ("PARCEL", field("package")),
            ("NOTE", _piece_note),
        ],
        found["pieces"],
        empty="It has no pieces.",
    )
    for package in found["packages"]:
        say()
        _say_package(package, now)
    if found.get("exceptions"):
        say()
        for one in found["exceptions"]:
            _say_exception(one, now)


def _say_exception(one: Mapping[str, Any], now: datetime) -> None:
    where = f"line {one['line_id']} piece {one['piece'] + 1}: " if one["line_id"] else ""
    if one["state"] == "OPEN":
        say(
            f"Exception {one['id']}: {where}{one['code']}, open since {when(one['opened_at'], now)}"
        )
        say(f"  settle     syncctl exceptions show {one['id']}")
        return
    how = one["choice"] or "closed"
    who = one["closed_by"]
    say(f"Exception {one['id']}: {where}{one['code']}, {how} by {who}, "
        f"{when(one['closed_at'], now)}")  # fmt: skip
    if one["note"]:
        say(f"  note       {one['note']}")


def _piece_note(piece: Mapping[str, Any]) -> str:
    notes = [
        f"held: {piece['hold']}" if piece["hold"] else "",
        "short" if piece["short"] else "",
        "stock promised" if piece["allocated"] else "",
        piece["return_type"],
    ]
    return ", ".join(note for note in notes if note)


def _say_package(package: Mapping[str, Any], now: datetime) -> None:
    say(f"Parcel {package['code']}: {package['state']}, from {package['facility']}")
    for name, value in (
        ("shipment", package["shipment_id"]),
        ("tracking", f"{package['courier']} {package['tracking_number']}".strip()),
        ("blocked", package["blocked"]),
    ):
        if value:
            say(f"  {name:<10} {value}")
    if package["successor"]:
        say(f"  went on as {package['successor']}")
    if package["dispatched_at"]:
        say(f"  dispatched {when(package['dispatched_at'], now)}")
    for invoice in package["invoices"]:
        say(f"  {invoice['kind'].lower()} {invoice['number']} ({invoice['state'].lower()})")


@click.command(cls=Command)
@click.argument("order_id", metavar="ORDER")
@click.option("--account", metavar="NAME", help="Where several accounts have such an order.")
def explain(order_id: str, account: str | None) -> None:
    """Tell why an order is as it is, from its first day."""
    options = shared()
    offset = options.clock.now().astimezone().utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    found = options.client.get(
        path_of("orders", order_id, "explain"), account=account, utc_offset=minutes
    )
    if not emit(found):
        for line in found["lines"]:
            say(line)


@click.command(cls=Command)
@click.option("--account", metavar="NAME", help="Only of this account.")
@click.option("--code", metavar="CODE", help="Only with this reason.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True,
              help="How many.")  # fmt: skip
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Older than this one.")
@click.option(
    "--all", "everything", is_flag=True, help="Each by itself, also where many wait alike."
)
@click.option("--ignore", "ignored", multiple=True, type=click.IntRange(1), metavar="ID",
              help="Set this one aside for good.")  # fmt: skip
@click.option("--note", default="", help="Why it is set aside; is kept.")
def failed(
    account: str | None,
    code: str | None,
    limit: int,
    before: int | None,
    everything: bool,
    ignored: Sequence[int],
    note: str,
) -> None:
    """List what could not be done, why, and what helps; or set some of it aside."""
    options = shared()
    if ignored:
        done = options.client.send(
            "POST", path_of("failed", "ignore"), {"ids": list(ignored), "note": note}
        )
        if not emit(done):
            say(f"Set aside: {', '.join(map(str, done['ids']))}")
        return
    found = options.client.get(
        path_of("failed"), account=account, code=code, limit=limit, before=before
    )
    if emit(found, rows="facts"):
        return
    now = options.clock.now()
    groups = () if everything or before else _large(found)
    for group in groups:
        _say_group(group, now)
    grouped = set(map(_group_of, groups))
    for fact in found["facts"]:
        if _group_of(fact) not in grouped:
            _say_fact(fact, now)
    for brake in found["brakes"]:
        say(brake["words"])
    if not found["facts"] and not found["brakes"]:
        tell("Nothing is waiting: every change was dealt with.")
    if found["runs"]:
        say("Runs that failed:")
        for run in found["runs"]:
            say(f"  {run['id']}  {run['account']}  {when(run['ended_at'], now)}")
            say(f"      {run['message']}")


def _large(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Groups that are told as one: of many facts, or of facts that are not on this page."""
    here = Counter(map(_group_of, found["facts"]))
    groups = found.get("groups", ())
    return [one for one in groups if one["count"] > min(SMALL_GROUP, here[_group_of(one)])]


def _group_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["account"], row["code"], row.get("facility", "")


def _say_group(group: Mapping[str, Any], now: datetime) -> None:
    say(f"{group['account']}  {group['code']}  {group['count']} changes")
    say(f"    Since   {when(group['since'], now)}")
    say(f"    Why     {group['why']}")
    if group["do"]:
        say(f"    Do      {group['do']}")
    if group["orders"]:
        say(f"    Orders  {', '.join(group['orders'])}" + _and_more(group))
    code = f" --code {group['code']}" if group["code"] else ""
    say(f"    Each    syncctl failed --all --account {group['account']}{code}")


def _and_more(group: Mapping[str, Any]) -> str:
    return " and others" if group["count"] > len(group["orders"]) else ""


def _say_fact(fact: Mapping[str, Any], now: datetime) -> None:
    where = f"{fact['order_id']} {fact['line_id']}".strip()
    say(f"{fact['id']}  {fact['account']}  {where}  {fact['status']} {fact['state']}")
    say(f"    Since   {when(fact['since'], now)}, tried {fact['tries']} times")
    say(f"    Why     {fact['message'] or fact['reason']} ({fact['code']})")
    if fact["what_to_do"]:
        say(f"    Do      {fact['what_to_do']}")
    if fact["state"] == "QUARANTINED" and fact["raw"]:
        say(f"    Row     {fact['raw']}")


@click.command(cls=Command)
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@click.option("--account", metavar="NAME", help="All that waits of this account.")
@click.option("--code", metavar="CODE", help="All with this reason.")
@click.option("--as-line", "line", default="", metavar="LINE",
              help="They are about this line, which the channel calls otherwise.")  # fmt: skip
def retry(ids: Sequence[int], account: str | None, code: str | None, line: str) -> None:
    """Have failed changes decided again now: by id, account or reason."""
    body = {"ids": list(ids), "account": account, "code": code, "line": line}
    done = shared().client.send("POST", path_of("failed", "retry"), body)
    if emit(done):
        return
    runs = ", ".join(map(str, done["runs"]))
    say(f"{len(done['ids'])} changes are decided again" + (f", by run {runs}." if runs else "."))


@click.command("import", cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(path_type=Path, allow_dash=True))  # fmt: skip
@click.option("--account", required=True, metavar="NAME", help="Whose orders these are.")
@click.option("--format", "form", type=click.Choice(("csv", "jsonl")),
              help="Format.  [default: by the file's name]")  # fmt: skip
@click.option("--zone", default="UTC", show_default=True, metavar="ZONE",
              help="Zone of times without an offset: Asia/Kolkata.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only look the files over.")
def import_(
    files: Sequence[Path], account: str, form: str | None, zone: str, dry_run: bool
) -> None:
    """Take orders from CSV or JSON Lines files. - is stdin.

    The same order twice is one order. A bad line is told with its number and left out; the good
    ones are taken, and the exit code is then 1.
    """
    client = shared().client
    answers = []
    for file in files:
        body = {
            "account": account, "format": form or _format_of(file), "text": _text_of(file),
            "source": file.name[:200] or "stdin", "zone": zone, "dry_run": dry_run,
        }  # fmt: skip
        done = client.send("POST", path_of("orders"), body, seconds=IMPORT_SECONDS)
        answers.append({"file": str(file), **done})
    if not emit({"files": answers}, rows="files"):
        for done in answers:
            _say_import(done)
    if any(done["problem_count"] for done in answers):
        sys.exit(Exit.FAILED)


def _format_of(file: Path) -> str:
    if file.suffix.lower() in (".jsonl", ".ndjson"):
        return "jsonl"
    if file.suffix.lower() in (".csv", ".tsv", ".txt"):
        return "csv"
    raise Failure(
        f"{file} does not show its format by its name.", "Say it with --format.", Exit.USAGE
    )


def _text_of(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(
            f"{file} cannot be read: {error.strerror}.", "Check its name.", Exit.USAGE
        ) from None
    if len(data) > LARGEST_FILE:
        raise Failure(
            f"{file} is larger than {LARGEST_FILE // 2**20} MiB.", "Split the file.", Exit.USAGE
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Failure(
            f"{file} is not UTF-8: line {line}.", "Save it as UTF-8.", Exit.USAGE
        ) from None


def _say_import(done: Mapping[str, Any]) -> None:
    tried = "would be " if done["dry_run"] else ""
    if not done["orders"] and not done["problem_count"]:
        say(f"{done['file']}: it holds no orders.")
        return
    say(
        f"{done['file']}: {done['orders']} orders, {done['new']} {tried}new, "
        f"{done['known']} known, {done['changed']} changed, {done['problem_count']} problems"
    )
    for note in done.get("notes", ())[:MOST_TOLD]:
        say(f"  {note}")
    for problem in _problems(done["problems"], done["problem_count"]):
        tell(problem)
    if done["run_id"]:
        say(
            f"{done['unparked']} changes had waited for these orders; run {done['run_id']} "
            "decides them."
        )


def _problems(problems: Sequence[Mapping[str, Any]], count: int) -> Iterable[str]:
    """The first ones as lines; ``count`` is how many there are, told here or not."""
    for one in problems[:MOST_TOLD]:
        where = f"line {one['line']}" if one["line"] else f"order {one['order_id']}"
        yield f"  {where}: {one['reason']}" + (" The order was kept." if one["kept"] else "")
    if count > MOST_TOLD:
        yield f"  … {count - MOST_TOLD} more; --json shows {_how_many(len(problems), count)}"


def _how_many(shown: int, count: int) -> str:
    return "all" if shown >= count else f"the first {shown}"
