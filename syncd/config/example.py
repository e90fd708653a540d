"""A configuration file to start from, with every key explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import PydanticUndefined

from syncd.config.model import DEFAULT_TASKS
from syncd.config.schema import duration_text
from syncd.config.settings import ENABLED, ChannelInfo, ChannelList
from syncd.hookspecs import Settings, secret_fields

_TOP: Final = """\
# Configuration of syncd. Lines that begin with "# " explain; lines that begin with "#" and no
# space are settings with their usual value: take the "#" away to change one.
# Check the file with: syncd --check       Tell a running syncd with: systemctl reload syncd

[syncd]
# Where the order book and the access tokens are kept. Under systemd: the unit's StateDirectory.
#state_dir = "/var/lib/syncd"
# Where syncctl finds the daemon. Under systemd: in the unit's RuntimeDirectory.
#socket = "/run/syncd/syncd.sock"
# debug, info, warning or error.
#log_level = "info"
# Users, by name or number, who may change things with syncctl. Root and the daemon's own user
# always may; others whom the socket lets in may only look.
#operators = [1000]

# How often each kind of pass runs, and how far back it looks, for every account that does not
# say otherwise. Write times with a unit: 90s, 40m, 12h, 1d, 2w.
"""
_ACCOUNT_HEAD: Final = """
# One table for each seller login. The name after "accounts." is yours to choose.
"""
_NO_CHANNEL: Final = """
# No channel plugin is installed. Install one, for example: pip install syncd-flipkart
# and run syncctl init again to see its settings here.
"""


def commented_example(channels: ChannelList) -> str:
    """A file that loads as it is, with one sleeping account for each channel that works."""
    parts = [_TOP, *_defaults()]
    usable = {name: info for name, info in channels.items() if info.state == ENABLED}
    parts.append(_ACCOUNT_HEAD if usable else _NO_CHANNEL)
    for name, info in usable.items():
        parts.extend(_account(name, info))
    return "".join(parts)


def _defaults() -> Iterator[str]:
    for kind, task in DEFAULT_TASKS.items():
        yield f"#[defaults.tasks.{kind.value}]\n"
        yield f'#every = "{duration_text(task.every)}"\n'
        if task.look_back:
            yield f'#look_back = "{duration_text(task.look_back)}"\n'


def _account(name: str, info: ChannelInfo) -> Iterator[str]:
    if info.description is None:
        return
    table = f"accounts.my-{name}"
    yield f"\n# {info.description.title}\n#[{table}]\n"
    yield f'#channel = "{name}"\n'
    yield '#tenant = "main"\n#facility = "main"\n'
    yield "# The channel's own names of your warehouses, and which facility each one is.\n"
    yield '#locations = { "LOCATION-ID" = "main" }\n'
    yield f"#[{table}.settings]\n"
    model = info.description.settings
    for key in model.model_fields:
        yield from _setting(name, key, model)


def _setting(channel: str, key: str, model: type[Settings]) -> Iterator[str]:
    field = model.model_fields[key]
    if field.description:
        yield f"# {' '.join(field.description.split())}\n"
    if key in secret_fields(model):
        if not field.is_required():
            yield "# (may be left out)\n"
        yield f'#{key} = {{ credential = "{channel}.{key}" }}\n'
    elif field.is_required():
        yield f"# (needed)\n#{key} = {_sample(field.annotation)}\n"
    elif _literal(field.get_default(call_default_factory=True)):
        yield f"#{key} = {_literal(field.get_default(call_default_factory=True))}\n"
    else:
        yield f"# {key}: may be left out\n"


def _sample(annotation: Any) -> str:
    return {int: "1", float: "1.0", bool: "true"}.get(annotation, '"..."')


def _literal(value: Any) -> str:
    """A default as TOML; empty for what has no plain form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):  # covers StrEnum members
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"' if escaped.isprintable() else ""
    if value is PydanticUndefined or not isinstance(value, list | tuple | set | frozenset):
        return ""
    parts = [_literal(part) for part in value]
    return f"[{', '.join(parts)}]" if all(parts) else ""
