"""Read a configuration file and check all of it, so that every problem is told at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from pydantic import ValidationError

from syncd.config.lines import Place, key_lines
from syncd.config.model import (
    DEFAULT_AUDIT,
    DEFAULT_TASKS,
    AccountConfig,
    BrakeConfig,
    Config,
    PoliciesConfig,
    TaskConfig,
    default_socket,
    default_state_dir,
)
from syncd.config.problems import Problem, at, of_validation, sentences
from syncd.config.schema import (
    AccountTable,
    DefaultsTable,
    FileTable,
    Strict,
    TasksTable,
    known_keys,
)
from syncd.config.settings import ChannelList, Outcome, Surroundings, read_settings
from syncd.errors import ConfigError
from syncd.hookspecs import Settings
from syncd.limits import Limits
from syncd.statuses import Kind

MAX_BYTES: Final = 1024 * 1024
_WHERE: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


class Loaded(Struct, frozen=True):
    """A configuration without problems, and what it needs to run.

    ``settings``: the settings of each account that can run, secrets in their place.
    ``unavailable``: why the others cannot: their channel is not installed, or broken.
    ``warnings``: what should be mended but may stay.
    """

    config: Config
    settings: Mapping[str, Settings]
    unavailable: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def load(path: Path, env: Mapping[str, str] = os.environ) -> Config:
    """Read the file without looking at the channels' own settings. Raises ConfigError."""
    draft = _Draft(path, env)
    return draft.config()


def load_all(
    path: Path,
    channels: ChannelList,
    env: Mapping[str, str] = os.environ,
    *,
    strict: bool = False,
) -> Loaded:
    """Read the file and check the channels' settings too; both kinds of problems at once.

    An account whose channel is not installed or broken is no problem for a daemon, which
    serves the others; with ``strict`` it is one. Raises ConfigError.
    """
    draft = _Draft(path, env)
    around = Surroundings(channels, draft.lines, path.parent, env)
    outcomes = {
        name: read_settings(("accounts", name), channel, raw, around)
        for name, channel, raw in draft.accounts()
    }
    draft.problems.extend(_problems_of(outcomes, strict=strict))
    return Loaded(
        draft.config(),
        {name: o.settings for name, o in outcomes.items() if o.settings is not None},
        {name: o.absent.text for name, o in outcomes.items() if o.absent is not None},
        tuple(warning for o in outcomes.values() for warning in o.warnings),
    )


def check_settings(
    config: Config, channels: ChannelList, env: Mapping[str, str] = os.environ
) -> dict[str, Settings]:
    """The settings of each account, checked by its channel, secrets in their place.

    Raises ConfigError with every problem; a channel that is not there is one.
    """
    around = Surroundings(channels, config.lines, config.path.parent, env)
    outcomes = {
        name: read_settings(("accounts", name), account.channel, account.settings, around)
        for name, account in config.accounts.items()
    }
    problems = _problems_of(outcomes, strict=True)
    if problems:
        raise ConfigError(sentences(problems), path=str(config.path))
    return {name: o.settings for name, o in outcomes.items() if o.settings is not None}


def _problems_of(outcomes: Mapping[str, Outcome], *, strict: bool) -> list[Problem]:
    problems = [problem for o in outcomes.values() for problem in o.problems]
    if strict:
        problems += [o.absent for o in outcomes.values() if o.absent is not None]
    return problems


class _Draft:
    """A file that has been read, with the problems found so far."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self.env = env
        self.problems: list[Problem] = []
        text = self._text()
        self.raw = self._parse(text)
        self.lines: Mapping[Place, int] = key_lines(text)
        self.table = self._validate()

    def accounts(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Name, channel and raw settings of each account that can be looked at at all."""
        accounts = self.raw.get("accounts")
        for name, account in accounts.items() if isinstance(accounts, dict) else ():
            if isinstance(account, dict) and isinstance(account.get("channel"), str):
                settings = account.get("settings", {})
                if isinstance(settings, dict):
                    yield name, account["channel"], settings

    def config(self) -> Config:
        """The configuration. Raises ConfigError when there is any problem."""
        if self.table is None or self.problems:
            raise ConfigError(sentences(self.problems), path=str(self.path))
        top = self.table.syncd
        return Config(
            path=self.path,
            state_dir=top.state_dir or default_state_dir(self.env),
            socket=top.socket or default_socket(self.env),
            log_level=top.log_level,
            operators=frozenset(top.operators),
            proxy=top.proxy or "",
            ca_bundle=str(top.ca_bundle or ""),
            accounts={
                name: _account(name, account, self.table.defaults)
                for name, account in self.table.accounts.items()
            },
            lines=self.lines,
        )

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise self._refused(
                f"the file cannot be read ({error.strerror}); make one with: syncctl init"
            ) from None
        if len(data) > MAX_BYTES:
            raise self._refused(f"the file is larger than {MAX_BYTES} bytes")
        try:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self._refused("the text is not UTF-8", line) from None
        if not text.strip():
            raise self._refused("the file is empty; make one with: syncctl init")
        return text

    def _parse(self, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            found = _WHERE.search(message)
            last = text.rstrip("\n").count("\n") + 1
            line = int(found[1]) if found and found[1] else last
            reason = _WHERE.sub("", message)
            raise self._refused(f"this is not TOML: {reason}", line) from None
        except RecursionError:
            raise self._refused("the values are nested too deeply") from None

    def _refused(self, text: str, line: int = 0) -> ConfigError:
        return ConfigError([str(Problem(line, (), text))], path=str(self.path))

    def _validate(self) -> FileTable | None:
        self.problems.extend(_names_alike(self.raw, self.lines))
        try:
            table = FileTable.model_validate(self.raw)
        except ValidationError as error:
            self.problems.extend(of_validation(error, self.lines, known_keys))
            return None
        self.problems.extend(_policies_apart(table, self.lines))
        return table


def _names_alike(raw: Mapping[str, Any], lines: Mapping[Place, int]) -> Iterator[Problem]:
    """Names that differ only in capitals would be told apart by programs but not by people."""
    accounts = raw.get("accounts")
    seen: dict[str, str] = {}
    for name in accounts if isinstance(accounts, dict) else ():
        first = seen.setdefault(name.casefold(), name)
        if first != name:
            text = f"differs from account {first} only in capital letters; choose another name"
            yield at(lines, ("accounts", name), text)


def _account(name: str, table: AccountTable, defaults: DefaultsTable) -> AccountConfig:
    return AccountConfig(
        name=name,
        channel=table.channel,
        tenant=table.tenant,
        facility=table.facility,
        locations=table.locations,
        settings=table.settings,
        tasks={kind: _task(kind, table.tasks, defaults.tasks) for kind in Kind},
        limits=Limits(**_said(table.limits, defaults.limits)),
        brake=BrakeConfig(**_said(table.brake, defaults.brake)),
        policies=_policies(table, defaults),
        audit=DEFAULT_AUDIT.model_copy(update=_said(table.audit, defaults.audit)),
    )


def _policies(table: AccountTable, defaults: DefaultsTable) -> PoliciesConfig:
    return PoliciesConfig(**_said(table.policies, defaults.policies))


def _policies_apart(table: FileTable, lines: Mapping[Place, int]) -> Iterator[Problem]:
    """Choices that do not go together, told where the account, or the file, makes them."""
    for name, account in table.accounts.items():
        chosen = _policies(account, table.defaults)
        if (
            chosen.putaway_after_cancel == "unless_channel_invoices"
            and chosen.invoice_issuer == "seller"
        ):
            text = (
                'putaway_after_cancel = "unless_channel_invoices" needs invoice_issuer = '
                '"channel": where the seller issues the invoice, a cancelled piece is put away'
            )
            yield at(lines, ("accounts", name, "policies", "putaway_after_cancel"), text)


def _task(kind: Kind, own: TasksTable, defaults: TasksTable) -> TaskConfig:
    said = _said(getattr(own, kind.value), getattr(defaults, kind.value))
    return DEFAULT_TASKS[kind].model_copy(update=said)


def _said(own: Strict, defaults: Strict) -> dict[str, Any]:
    """The account's own word on each key, else the file's default; what neither says is not in."""
    return {**defaults.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)}
