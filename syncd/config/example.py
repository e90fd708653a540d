"""A configuration file to start from, with every key explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from syncd.config.model import DEFAULT_AUDIT, DEFAULT_TASKS, BrakeConfig, PoliciesConfig
from syncd.config.schema import duration_text
from syncd.config.settings import ENABLED, ChannelInfo, ChannelList
from syncd.hookspecs import Channel, Pace, secret_fields
from syncd.limits import Limits

_TOP: Final = """\
# Configuration of syncd. Lines that begin with "# " explain; lines that begin with "#" and no
# space are settings with their usual value: take the "#" away to change one. The line below
# "# example:" is no usual value; it only shows how one is written.
# Check the file with: syncd --check       Tell a running syncd with: systemctl reload syncd

[syncd]
# Where the order book and the access tokens are kept. Under systemd: the unit's StateDirectory.
#state_dir = "/var/lib/syncd"
# Where syncctl finds the daemon. Under systemd: in the unit's RuntimeDirectory.
#socket = "/run/syncd/syncd.sock"
# debug, info, warning or error.
#log_level = "info"
# Users, by name or number, who may change things with syncctl. Root and the daemon's own user
# always may; others whom the socket lets in may only look. Without it: nobody else.
# example:
#operators = [1000]
# A web proxy on the way to the panels, and a file of certificates to trust instead of the usual
# ones, where such a proxy opens the calls. Without them: straight to the panel.
# example:
#proxy = "http://proxy.example:3128"
# example:
#ca_bundle = "/etc/ssl/certs/ca-certificates.crt"

# How often each kind of pass runs, and how far back it looks, for every account that does not
# say otherwise. Write times with a unit: 90s, 40m, 12h, 1d, 2w.
"""
_BRAKE: Final = """
# The safety brake: a pass that would cancel more than this share of an account's open orders, and
# at least floor of them, waits for a person (syncctl brake). Also as [accounts.NAME.brake].
#[defaults.brake]
"""
_POLICIES: Final = """
# How you work, where sellers differ. Also as [accounts.NAME.policies]; see syncctl rules.
#[defaults.policies]
"""
_ACCOUNT_HEAD: Final = """
# One table for each seller login. The name after "accounts." is yours to choose.
"""
_LIMITS: Final[Mapping[str, str]] = {
    "park_max": "What the channel says of an order that is not in the book.",
    "unproven": "What waits for a dispatch that nobody has told of, or proven.",
    "refused": "What a closed gate refuses, such as a missing invoice sequence.",
    "putaway": "A piece that must go on a shelf.",
    "rto_overdue": "A parcel that the courier brings back undelivered.",
    "cir_overdue": "What a buyer sends back.",
    "attempt": "The next word of a parcel after a failed delivery.",
    "claim": "The claim for something lost.",
    "cancel_reminder": "How often a buyer's wish to cancel is called to mind.",
    "exception_reminder": "How often any other open exception is called to mind.",
    "keep": "How long cancellations of orders that never came count as open.",
}
_SAMPLES: Final[Mapping[Any, str]] = {int: "1", float: "1.0", bool: "true"}
_EXAMPLE: Final = "# example:\n"
_NO_CHANNEL: Final = """
# No channel plugin is installed. Install one, for example: pip install syncd-flipkart
# and run syncctl init again to see its settings here.
"""


def commented_example(channels: ChannelList) -> str:
    """A file that loads as it is, with one sleeping account for each channel that works."""
    parts = [_TOP, *_defaults(), *_brake(), *_policies(), *_audit()]
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
        if task.deep_every and task.deep_look_back:
            yield "# Now and then a pass that looks far back, for what the others never saw.\n"
            yield f'#deep_every = "{duration_text(task.deep_every)}"\n'
            yield f'#deep_look_back = "{duration_text(task.deep_look_back)}"\n'
    yield "\n# How long anything may wait before a person is told.\n#[defaults.limits]\n"
    for key, text in _LIMITS.items():
        yield f"# {text}\n"
        yield f'#{key} = "{duration_text(getattr(Limits(), key))}"\n'


def _brake() -> Iterator[str]:
    usual = BrakeConfig()
    yield _BRAKE
    for key in BrakeConfig.model_fields:
        yield f"#{key} = {_literal(getattr(usual, key))}\n"


def _policies() -> Iterator[str]:
    yield _POLICIES
    for key, field in PoliciesConfig.model_fields.items():
        yield from _choices(field.annotation, {})
        yield f"#{key} = {_literal(field.default)}\n"


def _audit() -> Iterator[str]:
    hours, minutes = divmod(int(DEFAULT_AUDIT.at.total_seconds()) // 60, 60)
    yield (
        "\n# The audit compares all open orders, and those closed in the last days, with the\n"
        '# panel. It changes nothing by itself. "at" is a time of day in UTC.\n'
        f'#[defaults.audit]\n#enabled = true\n#every = "{duration_text(DEFAULT_AUDIT.every)}"\n'
        f'#at = "{hours:02}:{minutes:02}"\n#closed_days = {DEFAULT_AUDIT.closed_days}\n'
    )


def _account(name: str, info: ChannelInfo) -> Iterator[str]:
    if info.description is None:
        return
    table = f"accounts.my-{name}"
    yield f"\n# {info.description.title}\n{_EXAMPLE}#[{table}]\n"
    yield f'# (needed)\n#channel = "{name}"\n'
    yield "# The seller, and the warehouse that the orders go to.\n"
    yield '#tenant = "main"\n#facility = "main"\n'
    yield "# The channel's own names of your warehouses, and which facility each one is.\n"
    yield f'{_EXAMPLE}#locations = {{ "LOCATION-ID" = "main" }}\n'
    yield f"#[{table}.settings]\n"
    for key in info.description.settings.model_fields:
        yield from _setting(name, key, info.description)
    for source, plugin in info.description.sources.items():
        model = plugin.describe_channel().settings
        keys = [
            f"{key} (needed)" if field.is_required() else key
            for key, field in model.model_fields.items()
            if key != "source"
        ]
        yield f'# With source = "{source}" the settings are others: {", ".join(keys)}.\n'


def _setting(channel: str, key: str, description: Channel) -> Iterator[str]:
    model = description.settings
    field = model.model_fields[key]
    if field.description:
        yield f"# {' '.join(field.description.split())}\n"
    yield from _choices(field.annotation, description.paces)
    if key in secret_fields(model):
        yield f"# ({'needed' if field.is_required() else 'may be left out'})\n"
        yield f'{_EXAMPLE}#{key} = {{ credential = "{channel}.{key}" }}\n'
    elif field.is_required():
        yield f"# (needed)\n{_EXAMPLE}#{key} = {_sample(field.annotation)}\n"
    elif _literal(field.get_default(call_default_factory=True)):
        yield f"#{key} = {_literal(field.get_default(call_default_factory=True))}\n"
    else:
        yield f"# {key}: may be left out\n"


def _choices(annotation: Any, paces: Mapping[str, Pace]) -> Iterator[str]:
    """The words to choose from; with its rate where a word names one of the channel's paces."""
    words = [word for word in _literals(annotation) if isinstance(word, str)]
    if not words:
        return
    if all(word in paces for word in words):
        for word in words:
            yield f'#   "{word}": {_rate(paces[word])}\n'
    else:
        listed = ", ".join(f'"{word}"' for word in words)
        yield f"# One of: {listed}.\n"


def _literals(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, also of one in a list."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in _literals(part))


def _rate(pace: Pace) -> str:
    if pace.per_second < 1:
        return f"one call in {1 / pace.per_second:g} s"
    at_once = f", up to {pace.burst} at once" if pace.burst > 1 else ""
    return f"{pace.per_second:g} calls a second{at_once}"


def _sample(annotation: Any) -> str:
    words = _literals(annotation)
    return _literal(words[0]) if words else _SAMPLES.get(annotation, '"..."')


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
