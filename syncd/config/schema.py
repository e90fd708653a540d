"""What may stand in the configuration file, table by table, and how each value is read."""

from __future__ import annotations

import pwd
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

SHORTEST_EVERY: Final = timedelta(seconds=10)
LONGEST_EVERY: Final = timedelta(days=31)
LONGEST_LOOK_BACK: Final = timedelta(days=365)
SHORTEST_LIMIT: Final = timedelta(seconds=1)
LONGEST_LIMIT: Final = timedelta(days=3650)
LONGEST_SOCKET_PATH: Final = 107  # bytes; the kernel's limit for a Unix socket's name
HIGHEST_UID: Final = 2**32 - 2

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION: Final = re.compile(r"(?:\d{1,9}[smhdw])+")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_duration(value: Any) -> timedelta:
    """The time span of a text such as "40m", "1d" or "1h30m". Raises ValueError."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value.strip()):
        hint = f'; "{value}m" would be minutes' if type(value) is int else ""
        raise ValueError(
            'must be a number with a unit in quotes (s, m, h, d, w), such as "40m" or "1d"' + hint
        )
    parts = re.findall(r"(\d+)([smhdw])", value)
    try:
        return sum((timedelta(**{_UNITS[u]: int(n)}) for n, u in parts), timedelta())
    except OverflowError:
        raise ValueError("is far too long") from None


def duration_text(span: timedelta) -> str:
    """A time span as the configuration file writes it."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _interval(span: timedelta) -> timedelta:
    if not SHORTEST_EVERY <= span <= LONGEST_EVERY:
        raise ValueError(
            f'is {duration_text(span)}; it must be from "{duration_text(SHORTEST_EVERY)}" '
            f'to "{duration_text(LONGEST_EVERY)}"'
        )
    return span


def _time_of_day(value: Any) -> timedelta:
    """Since midnight, of a text such as "20:30"."""
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError('must be a time of day in UTC, in quotes, such as "20:30"')
    hours, minutes = map(int, value.split(":"))
    return timedelta(hours=hours, minutes=minutes)


def _look_back(span: timedelta) -> timedelta:
    if span > LONGEST_LOOK_BACK:
        raise ValueError(
            f'is {duration_text(span)}; it must be at most "{duration_text(LONGEST_LOOK_BACK)}"'
        )
    return span


def _deep_every(span: timedelta) -> timedelta:
    return _interval(span) if span else span


def _limit(span: timedelta) -> timedelta:
    if not SHORTEST_LIMIT <= span <= LONGEST_LIMIT:
        raise ValueError(
            f'is {duration_text(span)}; it must be from "{duration_text(SHORTEST_LIMIT)}" '
            f'to "{duration_text(LONGEST_LIMIT)}"'
        )
    return span


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a name has 1 to 64 letters, digits, - or _, and nothing else")
    return text


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path, beginning with /")
    return path


def _socket_path(path: Path) -> Path:
    if len(str(path).encode()) > LONGEST_SOCKET_PATH:
        raise ValueError(f"is too long for a socket; at most {LONGEST_SOCKET_PATH} bytes")
    return path


def _path(value: Any) -> Any:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a path in quotes")
    return Path(value)


def _file(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    return path


def _proxy(text: str) -> str:
    """A proxy's address. Its password would stand in clear, so it may not have one."""
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError('must be the address of an http proxy, such as "http://proxy:3128"')
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password; let the proxy know this machine")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must end after the host and the port")
    return text


def _operator(value: Any) -> int:
    """A user id, given as such or as the user's name."""
    if isinstance(value, str):
        try:
            return pwd.getpwnam(value).pw_uid
        except (KeyError, ValueError):
            raise ValueError("there is no such user; give the name or the number of one") from None
    if type(value) is not int or not 0 <= value <= HIGHEST_UID:
        raise ValueError("must be a user name in quotes or a user id")
    return value


Name = Annotated[str, AfterValidator(_name)]
Operator = Annotated[int, BeforeValidator(_operator)]
Every = Annotated[timedelta, BeforeValidator(read_duration), AfterValidator(_interval)]
LookBack = Annotated[timedelta, BeforeValidator(read_duration), AfterValidator(_look_back)]
DeepEvery = Annotated[timedelta, BeforeValidator(read_duration), AfterValidator(_deep_every)]
Limit = Annotated[timedelta, BeforeValidator(read_duration), AfterValidator(_limit)]
TimeOfDay = Annotated[timedelta, BeforeValidator(_time_of_day)]
Folder = Annotated[Path, BeforeValidator(_path), AfterValidator(_absolute)]
File = Annotated[Folder, AfterValidator(_file)]
Proxy = Annotated[str, AfterValidator(_proxy)]
SocketPath = Annotated[Folder, AfterValidator(_socket_path)]


class Strict(BaseModel):
    """A table in which an unknown key is a mistake, and "1" is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TaskTable(Strict):
    """``[defaults.tasks.KIND]`` and ``[accounts.NAME.tasks.KIND]``."""

    every: Every | None = None
    look_back: LookBack | None = None
    enabled: bool | None = None
    deep_every: DeepEvery | None = None
    deep_look_back: LookBack | None = None


class TasksTable(Strict):
    """One table for each ``statuses.Kind``."""

    orders: TaskTable = Field(default_factory=TaskTable)
    dispatched: TaskTable = Field(default_factory=TaskTable)
    cancelled: TaskTable = Field(default_factory=TaskTable)
    returns: TaskTable = Field(default_factory=TaskTable)
    delivered: TaskTable = Field(default_factory=TaskTable)


class LimitsTable(Strict):
    """``[defaults.limits]`` and ``[accounts.NAME.limits]``: a key for each of ``Limits``."""

    park_max: Limit | None = None
    unproven: Limit | None = None
    refused: Limit | None = None
    putaway: Limit | None = None
    rto_overdue: Limit | None = None
    cir_overdue: Limit | None = None
    attempt: Limit | None = None
    claim: Limit | None = None
    cancel_reminder: Limit | None = None
    exception_reminder: Limit | None = None
    keep: Limit | None = None


class BrakeTable(Strict):
    """``[defaults.brake]`` and ``[accounts.NAME.brake]``."""

    enabled: bool | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    floor: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class PoliciesTable(Strict):
    """``[defaults.policies]`` and ``[accounts.NAME.policies]``: a key for each of ``Policies``."""

    invoice_issuer: Literal["seller", "channel"] | None = None
    putaway_after_cancel: Literal["always", "unless_channel_invoices"] | None = None
    partial_cancel: Literal["repack", "ship_short"] | None = None


class AuditTable(Strict):
    """``[defaults.audit]`` and ``[accounts.NAME.audit]``."""

    enabled: bool | None = None
    every: Every | None = None
    at: TimeOfDay | None = None
    closed_days: int | None = Field(default=None, ge=1, le=365)


class DefaultsTable(Strict):
    """``[defaults]``."""

    tasks: TasksTable = Field(default_factory=TasksTable)
    limits: LimitsTable = Field(default_factory=LimitsTable)
    brake: BrakeTable = Field(default_factory=BrakeTable)
    policies: PoliciesTable = Field(default_factory=PoliciesTable)
    audit: AuditTable = Field(default_factory=AuditTable)


class SyncdTable(Strict):
    """``[syncd]``."""

    state_dir: Folder | None = None
    socket: SocketPath | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    operators: list[Operator] = Field(default_factory=list)
    proxy: Proxy | None = None
    ca_bundle: File | None = None


class AccountTable(Strict):
    """``[accounts.NAME]``."""

    channel: Name
    tenant: Name = "main"
    facility: Name = "main"
    locations: dict[str, Name] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    tasks: TasksTable = Field(default_factory=TasksTable)
    limits: LimitsTable = Field(default_factory=LimitsTable)
    brake: BrakeTable = Field(default_factory=BrakeTable)
    policies: PoliciesTable = Field(default_factory=PoliciesTable)
    audit: AuditTable = Field(default_factory=AuditTable)


class FileTable(Strict):
    """The whole file."""

    syncd: SyncdTable = Field(default_factory=SyncdTable)
    defaults: DefaultsTable = Field(default_factory=DefaultsTable)
    accounts: dict[Name, AccountTable] = Field(default_factory=dict)


def known_keys(place: tuple[str | int, ...], model: type[BaseModel] = FileTable) -> list[str]:
    """The keys that the table at ``place`` may have; empty where any key may stand."""
    if not place:
        return list(model.model_fields)
    field = model.model_fields.get(str(place[0]))
    inner: Any = field.annotation if field else None
    if _is_table(inner):
        return known_keys(place[1:], inner)
    arguments = get_args(inner)  # a dict of tables: the key under it names one of them
    if len(arguments) == 2 and len(place) > 1 and _is_table(arguments[1]):
        return known_keys(place[2:], arguments[1])
    return []


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
