"""The checked configuration, as the rest of the program reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from syncd.config.lines import Place
from syncd.limits import Limits
from syncd.statuses import Kind

DEFAULT_CONFIG_PATH: Final = Path("/etc/syncd/syncd.toml")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class TaskConfig(_Frozen):
    """When one kind of pass runs: ``every`` so often, and at least ``look_back`` far back.

    A ``look_back`` of zero means that a pass reads on from where the last one ended. Every
    ``deep_every`` a further pass looks ``deep_look_back`` far back; zero in either: never.
    """

    every: timedelta
    look_back: timedelta = timedelta(0)
    enabled: bool = True
    deep_every: timedelta = timedelta(0)
    deep_look_back: timedelta = timedelta(0)


class BrakeConfig(_Frozen):
    """When the safety brake holds a pass: see ``rules.brake``."""

    enabled: bool = True
    share: float = 0.2
    floor: int = 20


class PoliciesConfig(_Frozen):
    """How the seller works, where sellers differ: see ``rules.policies``."""

    invoice_issuer: Literal["seller", "channel"] = "seller"
    putaway_after_cancel: Literal["always", "unless_channel_invoices"] = "always"
    partial_cancel: Literal["repack", "ship_short"] = "repack"


DEFAULT_TASKS: Final[Mapping[Kind, TaskConfig]] = MappingProxyType(
    {
        Kind.ORDERS: TaskConfig(every=timedelta(minutes=40)),
        Kind.DISPATCHED: TaskConfig(every=timedelta(minutes=40)),
        Kind.CANCELLED: TaskConfig(every=timedelta(minutes=40)),
        Kind.RETURNS: TaskConfig(
            every=timedelta(days=1),
            look_back=timedelta(days=30),
            deep_every=timedelta(days=7),
            deep_look_back=timedelta(days=90),
        ),
        Kind.DELIVERED: TaskConfig(every=timedelta(days=1), look_back=timedelta(days=30)),
    }
)


class AuditConfig(_Frozen):
    """When an account is compared with its panel by itself.

    ``at``: since midnight UTC, where ``every`` is whole days. Orders that were closed up to
    ``closed_days`` ago are compared as well.
    """

    enabled: bool = True
    every: timedelta = timedelta(days=1)
    at: timedelta = timedelta(hours=20, minutes=30)
    closed_days: int = 45


DEFAULT_AUDIT: Final = AuditConfig()


class AccountConfig(_Frozen):
    """One seller login on a channel.

    ``facility`` is the code of the warehouse that its orders go to; ``locations`` maps the
    channel's own names of warehouses to facility codes. ``settings`` are as written in the
    file: secrets are still references, never values.
    """

    name: str
    channel: str
    tenant: str = "main"
    facility: str = "main"
    locations: Mapping[str, str] = Field(default_factory=dict)
    settings: Mapping[str, Any] = Field(default_factory=dict)
    tasks: Mapping[Kind, TaskConfig] = Field(default_factory=lambda: dict(DEFAULT_TASKS))
    limits: Limits = Limits()
    brake: BrakeConfig = BrakeConfig()
    policies: PoliciesConfig = PoliciesConfig()
    audit: AuditConfig = DEFAULT_AUDIT


class Config(_Frozen):
    """A whole configuration file. ``operators`` are the user ids that may change things.

    ``proxy`` is the web proxy on the way to the panels, ``ca_bundle`` a file of certificates
    to trust instead of the usual ones; empty: none.
    """

    path: Path
    state_dir: Path
    socket: Path
    log_level: str = "info"
    operators: frozenset[int] = frozenset()
    proxy: str = ""
    ca_bundle: str = ""
    accounts: Mapping[str, AccountConfig] = Field(default_factory=dict)
    lines: Mapping[Place, int] = Field(default_factory=dict, repr=False)


def default_config_path(env: Mapping[str, str] = os.environ) -> Path:
    """``$SYNCD_CONFIG``, or the system's own file."""
    return Path(env.get("SYNCD_CONFIG") or DEFAULT_CONFIG_PATH)


def default_state_dir(env: Mapping[str, str]) -> Path:
    """The unit's state directory, or the user's or the system's usual place."""
    if env.get("STATE_DIRECTORY"):
        return Path(env["STATE_DIRECTORY"].split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/syncd")
    base = env.get("XDG_STATE_HOME") or str(Path(env.get("HOME") or "/var/lib") / ".local/state")
    return Path(base) / "syncd"


def default_socket(env: Mapping[str, str]) -> Path:
    """The unit's runtime directory, or the user's or the system's usual place."""
    if env.get("RUNTIME_DIRECTORY"):
        return Path(env["RUNTIME_DIRECTORY"].split(":")[0]) / "syncd.sock"
    if os.geteuid() != 0 and env.get("XDG_RUNTIME_DIR"):
        return Path(env["XDG_RUNTIME_DIR"]) / "syncd" / "syncd.sock"
    return Path("/run/syncd/syncd.sock")
