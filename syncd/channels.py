"""Find the channel plugins and load each by itself, so that a broken one stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import pluggy

from syncd.errors import PluginError
from syncd.hookspecs import (
    ENTRY_POINT_GROUP,
    PROJECT,
    Channel,
    ChannelHooks,
    Memory,
    ReportFile,
    Settings,
)
from syncd.statuses import Account, Kind, OrderRef, Page, Window

HOOK_OF: Final[Mapping[Kind, str]] = {kind: f"fetch_{kind.value}" for kind in Kind}


class ChannelState(StrEnum):
    """Whether a channel can be used."""

    ENABLED = "enabled"
    LOAD_ERROR = "load_error"


class LoadedChannel:
    """One channel and its hooks. Unless ``state`` is enabled, ``reason`` says why not."""

    def __init__(self, name: str, distribution: str, version: str) -> None:
        self.name = name
        self.distribution = distribution
        self.version = version
        self.state = ChannelState.ENABLED
        self.reason = ""
        self.description: Channel | None = None
        self.kinds: frozenset[Kind] = frozenset()
        self.gates_shipping = False
        self.reads_reports = False
        self.sources: dict[str, LoadedChannel] = {}
        self._hooks: Any = None
        self._provides_shipping: Callable[[Account, OrderRef], Any] = lambda _account, _order: True

    @property
    def title(self) -> str:
        """The channel's name as a person writes it."""
        return self.description.title if self.description else self.name

    def load(self, entry: EntryPoint) -> None:
        """Import the plugin and check it against the contract; problems become ``reason``."""
        try:
            self._register(entry.load())
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # a plugin may even call sys.exit on import
            self.refuse(f"{self._who()} could not be used: {_sentence(error)}")

    def refuse(self, reason: str) -> None:
        """Turn the channel off."""
        self.state = ChannelState.LOAD_ERROR
        self.reason = reason
        self.kinds = frozenset()

    def of(self, settings: Settings) -> LoadedChannel:
        """What reads an account with these settings: this channel, or one of its sources."""
        return self.by_source(getattr(settings, "source", ""))

    def by_source(self, source: object) -> LoadedChannel:
        """What reads an account whose setting ``source`` is this, also of settings as written."""
        return self.sources.get(str(source), self)

    def describe(self) -> Channel:
        """The channel's description. Raises PluginError when the channel is off."""
        if self.description is None or self.state is not ChannelState.ENABLED:
            raise PluginError(f"Channel {self.name} is off: {self.reason}")
        return self.description

    def fetch(
        self,
        kind: Kind,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Any,
        memory: Memory,
    ) -> Iterator[Page[Any]]:
        """Call the hook of this kind. Pages come out one by one; rows are not looked at."""
        hook = HOOK_OF[kind]
        caller = getattr(self._hooks, hook)
        pages = caller(account=account, window=window, orders=orders, panel=panel, memory=memory)
        return self._pages(hook, pages)

    def read_report(self, account: Account, report: ReportFile) -> Iterator[Page[Any]]:
        """What a report file says. Raises PluginError where the channel reads no files."""
        if not self.reads_reports:
            raise PluginError(f"{self._who()} reads no report files.")
        pages = self._hooks.read_report(account=account, report=report)
        return self._pages("read_report", pages)

    def _pages(self, hook: str, pages: Any) -> Iterator[Page[Any]]:
        try:
            iterator = iter(pages)
        except TypeError as error:
            raise PluginError(
                f"{self._who()}: {hook} returned {type(pages).__name__}, it must yield Pages."
            ) from error
        for page in iterator:
            if not isinstance(page, Page):
                raise PluginError(
                    f"{self._who()}: {hook} yielded {type(page).__name__}, it must yield Pages."
                )
            yield page

    def ships(self, account: Account, order: OrderRef) -> bool:
        """Does the channel ship this order? True for a channel that does not say."""
        if not self.gates_shipping:
            return True
        return bool(self._provides_shipping(account, order))

    def _register(self, plugin: object) -> None:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(ChannelHooks)
        manager.register(plugin, self.name)
        manager.check_pending()
        hooks = manager.hook
        described = hooks.describe_channel()
        if not isinstance(described, Channel):
            raise PluginError("describe_channel must return a syncd.Channel")
        settings: Any = described.settings
        if not (isinstance(settings, type) and issubclass(settings, Settings)):
            raise PluginError("describe_channel: settings must be a subclass of syncd.Settings")
        self.kinds = frozenset(
            kind for kind, name in HOOK_OF.items() if getattr(hooks, name).get_hookimpls()
        )
        if not self.kinds:
            raise PluginError("it has none of the fetching hooks; is @hookimpl missing?")
        answers = hooks.provides_shipping.get_hookimpls()
        self.gates_shipping = bool(answers)
        self.reads_reports = bool(hooks.read_report.get_hookimpls())
        if answers:
            self._provides_shipping = _straight(answers[0])
        self.description = described
        self._hooks = hooks
        for name, source in described.sources.items():
            self.sources[name] = LoadedChannel(self.name, self.distribution, self.version)
            self.sources[name]._register(source)

    def _who(self) -> str:
        return f"Channel {self.name} of distribution {self.distribution} {self.version}".rstrip()


class Channels(Mapping[str, LoadedChannel]):
    """All channels found, in the order of their names."""

    def __init__(self, found: Iterable[LoadedChannel]) -> None:
        self._by_name = {channel.name: channel for channel in sorted(found, key=_name)}

    def __getitem__(self, name: str) -> LoadedChannel:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def enabled(self) -> list[LoadedChannel]:
        """Those that can be used."""
        return [c for c in self.values() if c.state is ChannelState.ENABLED]


def _straight(answer: pluggy.HookImpl) -> Callable[[Account, OrderRef], Any]:
    """The one implementation of ``provides_shipping``, without the way through pluggy.

    It is asked for every change of every order, and there is only one plugin to ask.
    """
    function: Callable[..., Any] = answer.function
    names = answer.argnames
    if names == ("account", "order"):
        return function
    return lambda account, order: function(
        **{name: {"account": account, "order": order}[name] for name in names}
    )


def discover(found: Iterable[EntryPoint] | None = None) -> Channels:
    """Load every installed channel plugin, each by itself.

    Two distributions that both bring a channel of one name are both refused: which of them
    talks to the panel must never be a matter of chance.
    """
    by_name: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP) if found is None else found:
        same = by_name.setdefault(entry.name, [])
        if entry not in same:
            same.append(entry)
    return Channels(_load(name, entries) for name, entries in by_name.items())


def _load(name: str, entries: Sequence[EntryPoint]) -> LoadedChannel:
    owners = sorted({_owner(entry) for entry in entries})
    channel = LoadedChannel(name, *owners[0])
    if len(entries) > 1:
        both = " and ".join(f"{dist} {version}".rstrip() for dist, version in owners)
        channel.distribution = ", ".join(dist for dist, _ in owners)
        channel.refuse(
            f"Channel {name} is offered by {both}; neither is used. Uninstall one of them."
        )
    else:
        channel.load(entries[0])
    return channel


def _owner(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None:
        return f"(unknown, {entry.value})", ""
    return entry.dist.name, entry.dist.version


def _name(channel: LoadedChannel) -> str:
    return channel.name


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}"
