"""The settings of one account, checked by its channel's own model."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from syncd.config.lines import Place
from syncd.config.problems import Problem, at, nearest, of_validation
from syncd.hookspecs import Channel, Settings, secret_fields
from syncd.log import mask, register_secret
from syncd.secrets import ADVICE, SecretError, resolve

ENABLED: Final = "enabled"
_STAND_IN: Final = "unread-secret"


class ChannelInfo(Protocol):
    """What is known of a channel; ``reason`` says why it is off unless state is enabled."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def description(self) -> Channel | None: ...


ChannelList = Mapping[str, ChannelInfo]


class Surroundings(Struct, frozen=True):
    """What settings are read against: installed channels, the file's folder, environment."""

    channels: ChannelList
    lines: Mapping[Place, int]
    folder: Path
    env: Mapping[str, str]


class Outcome(Struct):
    """Either ``settings`` or the reasons why there are none.

    ``absent``: the channel is not installed or broken. ``problems``: the settings are wrong.
    """

    settings: Settings | None = None
    absent: Problem | None = None
    problems: list[Problem] = []
    warnings: list[str] = []


def read_settings(
    place: Place, channel: str, raw: Mapping[str, Any], around: Surroundings
) -> Outcome:
    """Check one account's settings. ``place`` is where the account stands in the file."""
    model = _model_of(place, channel, raw.get("source"), around)
    if isinstance(model, Problem):
        return Outcome(absent=model)
    outcome = Outcome()
    base = (*place, "settings")
    values = dict(raw)
    secrets = secret_fields(model)
    for name in secrets.keys() & values.keys():
        values[name] = _secret((*base, name), raw[name], around, outcome)
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        _add_validation(outcome, error, base, model, around)
        return outcome
    except Exception as error:  # a plugin's validator may raise anything
        text = f"the channel's own check failed with {type(error).__name__}: {mask(str(error))}"
        outcome.problems.append(at(around.lines, base, text))
        return outcome
    _check_address(outcome, settings, base, around)
    if not outcome.problems:
        outcome.settings = settings
    return outcome


def _model_of(
    place: Place, channel: str, source: Any, around: Surroundings
) -> type[Settings] | Problem:
    info = around.channels.get(channel)
    if info is None:
        installed = ", ".join(sorted(around.channels)) or "none"
        near = nearest(channel, around.channels)
        meant = f" {near[:1].upper()}{near[1:]}" if near.endswith("?") else ""
        text = (
            f'channel "{channel}" is not installed.{meant} Installed: {installed}. How to install '
            "a channel's plugin: page Install of the documentation"
        )
        return at(around.lines, (*place, "channel"), text)
    if info.state != ENABLED or info.description is None:
        return at(around.lines, (*place, "channel"), f'channel "{channel}" is off: {info.reason}')
    described: Channel = info.description
    if isinstance(source, str) and source in described.sources:
        described = described.sources[source].describe_channel()
    return described.settings


def _secret(place: Place, value: Any, around: Surroundings, outcome: Outcome) -> str:
    """The secret itself, or a stand-in when there is a problem, so that the rest is checked."""
    if isinstance(value, str):
        register_secret(value)
    if isinstance(value, Mapping) and "env" in value:
        outcome.warnings.append(
            f"{'.'.join(map(str, place))}: the secret comes from the environment, where other "
            "programs of this user can read it; a credential or a file is safer"
        )
    try:
        return resolve(value, folder=around.folder, env=around.env)
    except SecretError as error:
        outcome.problems.append(at(around.lines, place, str(error)))
        return _STAND_IN


def _add_validation(
    outcome: Outcome,
    error: ValidationError,
    base: Place,
    model: type[Settings],
    around: Surroundings,
) -> None:
    """Take over what pydantic found, but for what only follows from an unread secret."""
    unread = {problem.place for problem in outcome.problems}
    secrets = secret_fields(model)
    for problem in of_validation(
        error, around.lines, lambda place: _keys(model, place[len(base) :]), base
    ):
        text = mask(problem.text)
        if problem.place in unread or (unread and problem.place == base):
            continue
        if text == "is missing" and problem.place[-1] in secrets:
            text = f"is missing; it is a secret: {ADVICE}"
        outcome.problems.append(Problem(problem.line, problem.place, text))


def _keys(model: type[BaseModel], inside: Place) -> list[str]:
    """The keys of a table of settings, or of one inside it."""
    for name in inside:
        field = model.model_fields.get(str(name))
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _check_address(outcome: Outcome, settings: Settings, base: Place, around: Surroundings) -> None:
    if not settings.base_url and type(settings).model_fields["base_url"].default == "":
        return  # a channel without an address
    reason = _address_problem(settings.base_url)
    if reason:
        outcome.problems.append(at(around.lines, (*base, "base_url"), reason))


def _address_problem(url: str) -> str:
    """Why a panel's address may not be used; empty if it may."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a web address"
    if parts.scheme not in {"https", "http"} or not host:
        return "must be a web address that begins with https://"
    if parts.username or parts.password:
        return "must not hold a user name or password; they belong in the secret settings"
    if parts.query or parts.fragment:
        return "must end before any ? or #"
    if parts.scheme == "http" and not _is_loopback(host):
        return "must begin with https://; plain http is only for this machine itself (127.0.0.1)"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
