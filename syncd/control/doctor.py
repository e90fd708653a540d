"""Look over the whole installation: what is well, what is not, and what helps."""

from __future__ import annotations

import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping

from msgspec import Struct

from syncd.book.store import Book
from syncd.book.views import Status
from syncd.channels import Channels, ChannelState
from syncd.config import Config, Loaded, load_all
from syncd.engine import Engine
from syncd.errors import ConfigError, SyncdError
from syncd.rules import TENANT_NOT_LIVE

_LITTLE_SPACE = 512 * 1024 * 1024
_SUBJECTS = {"config": "configuration", "work": "runs"}  # of the daemon's own problems


class Finding(Struct, frozen=True):
    """One thing looked at. ``state`` is ok, warning or error; ``do`` says what helps."""

    subject: str
    state: str
    message: str
    do: str = ""


class Told(Struct, frozen=True):
    """What is known already: the book's status, and the daemon's ``own`` problems by subject."""

    status: Status
    own: Mapping[str, str]


def examine(
    book: Book, engine: Engine, channels: Channels, config: Config, told: Told
) -> list[Finding]:
    """Every finding, the book first. The configuration is read from its file, as it is now."""
    return [
        *_book(book),
        *_space(config),
        *_folder(config),
        *_config(config, channels),
        *_own(config, told.own),
        *_channels(channels, config),
        *_engine(engine),
        *_accounts(told.status),
    ]


def _book(book: Book) -> Iterator[Finding]:
    try:
        with book.write():
            orders = book.query("SELECT count(*) FROM orders").fetchone()[0]
        yield Finding("book", "ok", f"{book.path} can be written; {orders} orders.")
    except SyncdError as error:
        yield Finding("book", "error", str(error))


def _space(config: Config) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(config.state_dir).free
    except OSError as error:
        yield Finding("disk", "error", f"{config.state_dir} cannot be looked at: {error.strerror}")
        return
    text = f"{free // 1024**2} MiB free for {config.state_dir}."
    if free < _LITTLE_SPACE:
        yield Finding("disk", "warning", text, "Make room before passes begin to fail.")
    else:
        yield Finding("disk", "ok", text)


def _folder(config: Config) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(config.state_dir.stat().st_mode)
    except OSError as error:
        yield Finding("state folder", "error", f"{config.state_dir}: {error.strerror}")
        return
    if mode & 0o007:
        yield Finding(
            "state folder", "warning", f"{config.state_dir} can be entered by anyone ({mode:o}).",
            f"It holds tokens: chmod 0700 {config.state_dir}",
        )  # fmt: skip
    else:
        yield Finding("state folder", "ok", f"{config.state_dir} is private.")


def _config(config: Config, channels: Channels) -> Iterator[Finding]:
    """The file on disk, checked as ``syncd --check`` does: what a reload would meet."""
    check = _check_command(config)
    try:
        loaded = load_all(config.path, channels)
    except ConfigError as error:
        for problem in error.problems:
            text = f"{config.path}: {problem}. A reload would be refused."
            yield Finding("configuration", "error", text, f"See all: {check}")
        return
    for account, reason in loaded.unavailable.items():
        text = f"{config.path}: {reason}. Account {account} cannot run."
        yield Finding("configuration", "error", text, f"See all: {check}")
    for warning in loaded.warnings:
        yield Finding("configuration", "warning", warning)
    yield from _good_file(config, loaded)


def _good_file(config: Config, loaded: Loaded) -> Iterator[Finding]:
    count = len(loaded.config.accounts)
    if loaded.config.model_copy(update={"lines": config.lines}) != config:
        text = f"{config.path} was changed since it was read; the change is not in force."
        yield Finding("configuration", "warning", text, "Have it read: syncctl reload")
    elif not loaded.unavailable:
        text = f"{config.path}: {count} account{'s' if count != 1 else ''}, all secrets are there."
        yield Finding("configuration", "ok", text)


def _own(config: Config, own: Mapping[str, str]) -> Iterator[Finding]:
    for key, text in own.items():
        if text:
            do = f"Put it right and check it: {_check_command(config)}" if "refused" in text else ""
            yield Finding(_SUBJECTS.get(key, key), "warning", text, do)


def _check_command(config: Config) -> str:
    return f"syncd --check --config {shlex.quote(str(config.path))}"


def _channels(channels: Channels, config: Config) -> Iterator[Finding]:
    used = {account.channel for account in config.accounts.values()}
    for channel in channels.values():
        subject = f"channel {channel.name}"
        if channel.state is ChannelState.ENABLED:
            text = f"{channel.distribution} {channel.version}"
            yield Finding(subject, "ok", text.strip())
        else:
            state = "error" if channel.name in used else "warning"
            yield Finding(
                subject, state, channel.reason, "Reinstall its plugin, then restart syncd."
            )


def _engine(engine: Engine) -> Iterator[Finding]:
    stuck = engine.beat()
    if stuck:
        yield Finding("runs", "error", stuck, "Restart syncd; send its log to the plugin's author.")
    else:
        yield Finding("runs", "ok", f"{len(engine.running())} in hand, none is stuck.")


def _accounts(status: Status) -> Iterator[Finding]:
    for one in status.accounts:
        subject = f"account {one.account.name}"
        if not one.problems:
            yield Finding(subject, "ok", one.account.words)
        for problem in one.problems:
            grave = one.account.state == "AUTH_FAILED"
            yield Finding(subject, "error" if grave else "warning", problem)
    asleep = any(one.account.tenant_state != "LIVE" for one in status.accounts)
    for problem in status.problems:
        if asleep and problem.startswith((TENANT_NOT_LIVE, "Tenant ")):
            yield Finding("tenants", "error", problem)
        else:
            yield Finding("book", "warning", problem)
