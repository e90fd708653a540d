"""``syncctl status``, ``pause``, ``resume``, ``doctor``, ``reload``, ``config``,
``init``, ``rules`` and ``completion``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from syncd.cli.ctl_base import Command, Group, shared
from syncd.cli.ctl_client import path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import ago, emit, say, say_marked, table, tell, when

if TYPE_CHECKING:
    import subprocess

CONFIG: Final = "/etc/syncd/syncd.toml"


@click.command(cls=Command)
def status() -> None:
    """Show every account at a glance, and what needs a person."""
    options = shared()
    found = options.client.get(path_of("status"))
    if emit(found, rows="accounts"):
        return
    now = options.clock.now()
    table(
        [
            ("ACCOUNT", lambda one: one["account"]["name"]),
            ("CHANNEL", lambda one: one["account"]["channel"]),
            ("STATE", lambda one: one["account"]["words"]),
            ("LAST SUCCESS", lambda one: when(one["last_success"], now)),
            ("NEXT RUN", _next_run(now)),
            ("OPEN", _open_work),
        ],
        found["accounts"],
        empty="No account is configured.",
    )
    problems = [*found["problems"], *(p for one in found["accounts"] for p in one["problems"])]
    if found["putaways"]:
        say(f"\n{found['putaways']} pieces wait for a shelf: syncctl putaway")
    if problems:
        say("\nNeeds a person:")
        for problem in problems:
            say(f"  {problem}")
    notes = [note for one in found["accounts"] for note in one.get("notes", ())]
    if notes:
        say("\nGood to know:")
        for note in notes:
            say(f"  {note}")


def _next_run(now: Any) -> Any:
    def read(one: Mapping[str, Any]) -> str:
        if one["running"]:
            return f"running ({one['running']})"
        if one["queued"]:
            return f"{one['queued']} queued"
        return ago(one["next_run"], now, "-")

    return read


def _open_work(one: Mapping[str, Any]) -> str:
    facts = {name: count for name, count in one["facts"].items() if count}
    return ", ".join(f"{count} {name}" for name, count in facts.items()) or "-"


@click.command(cls=Command)
@click.argument("account")
@click.option("--reason", default="", help="Why; is shown with the account.")
def pause(account: str, reason: str) -> None:
    """Stop an account's syncs until it is resumed."""
    body = {"reason": reason}
    done = shared().client.send("POST", path_of("accounts", account, "pause"), body)
    if not emit(done):
        say(f"{account} is paused. Let it go on with: syncctl resume {account}")


@click.command(cls=Command)
@click.argument("account")
def resume(account: str) -> None:
    """Let a paused account, or one whose credentials were put right, work again."""
    done = shared().client.send("POST", path_of("accounts", account, "resume"))
    if not emit(done):
        say(f"{account} works again.")


@click.command("reload", cls=Command)
def reload_() -> None:
    """Have the daemon read its configuration again. A wrong one is refused."""
    done = shared().client.send("POST", path_of("reload"))
    if emit(done):
        return
    accounts = ", ".join(done.get("accounts", ())) or "none"
    say(f"The configuration is read again. Accounts: {accounts}")
    for note in done.get("notes", ()):
        say(f"  {note}")


@click.command(cls=Command)
def doctor() -> None:
    """Look over the whole installation and say what to do about each finding."""
    options = shared()
    client = options.client
    try:
        findings = client.get(path_of("doctor"))["findings"]
    except Failure as failure:
        if failure.code != Exit.NOT_RUNNING:
            raise
        _without_daemon(failure)
    version = client.get("/version")["version"]
    findings.insert(0, _finding("socket", "ok", f"{client.path}: syncd {version}."))
    _say_findings(findings)
    if any(one["state"] == "error" for one in findings):
        sys.exit(Exit.FAILED)


def _without_daemon(failure: Failure) -> NoReturn:
    """What can be looked at from here: the configuration that a daemon would read."""
    found = [_finding("socket", "error", failure.message, failure.do)]
    checked = _checked_config(None)
    path, do = checked["path"], f"See all: syncd --check --config {checked['path']}"
    found += [
        _finding("configuration", "error", f"{path}: {text}", do) for text in checked["problems"]
    ]
    found += [_finding("configuration", "warning", text) for text in checked["warnings"]]
    if checked["ok"]:
        found.append(_finding("configuration", "ok", f"{path}: {_ok_text(checked)}"))
    _say_findings(found)
    sys.exit(Exit.NOT_RUNNING)


def _finding(subject: str, state: str, message: str, do: str = "") -> dict[str, str]:
    return {"subject": subject, "state": state, "message": message, "do": do}


def _say_findings(findings: Sequence[Mapping[str, str]]) -> None:
    if emit({"findings": findings}, rows="findings"):
        return
    for one in findings:
        say_marked(one["state"], f"{one['subject']}: {one['message']}")
        if one["do"]:
            say(f"         {one['do']}")


@click.group(cls=Group)
def config() -> None:
    """Work with the configuration file."""


@config.command("check", cls=Command)
@click.option("--config", "path", type=click.Path(path_type=Path), metavar="PATH",
              help=f"The file.  [default: $SYNCD_CONFIG or {CONFIG}]")  # fmt: skip
def config_check(path: Path | None) -> None:
    """Check the configuration; every problem is told with its line."""
    checked = _checked_config(path)
    if not emit(checked):
        for warning in checked["warnings"]:
            tell(f"warning: {warning}")
        if checked["ok"]:
            say(_ok_text(checked))
        else:
            tell(f"{checked['path']}: {len(checked['problems'])} problem(s)")
        for problem in checked["problems"]:
            tell(f"  {problem}")
    if not checked["ok"]:
        sys.exit(Exit.CONFIG)


def _checked_config(path: Path | None) -> dict[str, Any]:
    """What ``syncd --check`` finds: ok, path, problems, warnings, accounts."""
    more = ["--config", str(path)] if path else []
    done = _child(["-m", "syncd", "--check", "--json", *more])
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise Failure(f"The check broke down: {done.stderr.strip()[-500:]}") from None
    return dict(found)


def _ok_text(checked: Mapping[str, Any]) -> str:
    count = len(checked["accounts"])
    if not count:
        return "config ok: 0 accounts; nothing will be synced"
    return f"config ok: {count} account{'s' if count != 1 else ''}"


@click.command(cls=Command)
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(path: Path | None, force: bool) -> None:
    """Write a commented configuration to begin with."""
    target = path or Path(os.environ.get("SYNCD_CONFIG") or CONFIG)
    made = _child(["-m", "syncd", "--example"])
    if made.returncode != 0:
        raise Failure(f"The example could not be made: {made.stderr.strip()[-500:]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8") as file:
            target.chmod(0o644)  # it only names secrets, and the service's user must read it
            file.write(made.stdout)
    except FileExistsError:
        raise Failure(
            f"{target} is there already; it was left as it is.",
            "Replace it with --force, or give another path.",
            Exit.REFUSED,
        ) from None
    except OSError as error:
        code = Exit.PERMISSION if isinstance(error, PermissionError) else Exit.USAGE
        raise Failure(
            f"{target} cannot be written: {error.strerror}.", "Use sudo, or give a path.", code
        ) from None
    if emit({"path": str(target)}):
        return
    say(str(target))
    tell(f"Fill it in, then check it: syncctl config check --config {target}")


@click.command(cls=Command)
@click.option("--event", metavar="EVENT", help="Only this event, such as CANCELLED.")
@click.option("--at", metavar="POSITION", help="Only where a piece stands here, such as PACKED.")
@click.option("--account", metavar="NAME", help="The table of this account, with its policies.")
def rules(event: str | None, at: str | None, account: str | None) -> None:
    """Show the decision table: what a channel's word does to a piece, and why."""
    found = _rules_of(account, event, at) if account else _plain_rules(event, at)
    if emit(found, rows="rules"):
        return
    shown = ""
    for rule in found["rules"]:
        if rule["event"] != shown:
            say(f"\n{rule['event']}" if shown else rule["event"])
            shown = rule["event"]
        _say_rule(rule)


def _say_rule(rule: Mapping[str, Any]) -> None:
    target = f" to {rule['target']}" if rule["target"] else ""
    say(f"  at {' '.join(rule['at'])}: {rule['outcome']}{target}")
    say(f"    why: {rule['reason']}. {rule['words']}".rstrip())
    for name, parting in (("steps", ", "), ("conditions", "; "), ("policies", ", ")):
        if rule[name]:
            say(f"    {name}: {parting.join(rule[name])}")
    if rule["note"]:
        say(f"    note: {rule['note']}")


def _rules_of(account: str, event: str | None, at: str | None) -> Any:
    """The account's table, by the daemon; without one the plain table."""
    try:
        return shared().client.get(path_of("rules"), account=account, event=event, at=at)
    except Failure as failure:
        if failure.exit_code != Exit.NOT_RUNNING:
            raise
        tell("The daemon does not run, so its policies are not known: this is the plain table.")
        return _plain_rules(event, at)


def _plain_rules(event: str | None, at: str | None) -> Any:
    words = [*(["--event", event] if event else []), *(["--at", at] if at else [])]
    done = _child(["-m", "syncd.book.rulesheet", *words])
    if done.returncode != 0:
        code = Exit.USAGE if done.returncode == Exit.USAGE else Exit.FAILED
        raise Failure(done.stderr.strip()[-2_000:] or "The rules could not be shown.", code=code)
    return json.loads(done.stdout)


def _child(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a part of syncd that syncctl itself does not load."""
    import subprocess

    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: eval "$(syncctl completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    root = context.find_root()
    if found is None:
        raise Failure(f"There is no completion for {shell}.", code=Exit.USAGE)
    script = found(root.command, {}, "syncctl", "_SYNCCTL_COMPLETE").source()
    if not emit({"shell": shell, "script": script}):
        click.echo(script)
