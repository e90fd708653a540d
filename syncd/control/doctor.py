"""Look over the whole installation: what is well, what is not, and what helps."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator

from msgspec import Struct

from syncd.book.store import Book
from syncd.book.views import Status
from syncd.channels import Channels, ChannelState
from syncd.config import Config, check_settings
from syncd.engine import Engine
from syncd.errors import ConfigError, SyncdError
from syncd.rules import TENANT_NOT_LIVE

_LITTLE_SPACE = 512 * 1024 * 1024


class Finding(Struct, frozen=True):
    """One thing looked at. ``state`` is ok, warning or error; ``do`` says what helps."""

    subject: str
    state: str
    message: str
    do: str = ""


def examine(
    book: Book, engine: Engine, channels: Channels, config: Config, status: Status
) -> list[Finding]:
    """Every finding, the book first."""
    return [
        *_book(book),
        *_space(config),
        *_folder(config),
        *_config(config, channels),
        *_channels(channels, config),
        *_engine(engine),
        *_accounts(status),
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
    try:
        settings = check_settings(config, channels)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", "error", problem, "Check it with: syncctl config check")
        return
    yield Finding(
        "configuration", "ok", f"{config.path}: {len(settings)} accounts, all secrets are there."
    )


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
            grave = one.account.state == "AUTH_FAILED" or problem.startswith(TENANT_NOT_LIVE)
            yield Finding(subject, "error" if grave else "warning", problem)
    for problem in status.problems:
        yield Finding("book", "warning", problem)
