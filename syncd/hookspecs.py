"""The contract between syncd and a channel plugin.

A plugin is a distribution with an entry point in the group ``syncd.channels``. The entry's
name is the channel's name; its value is a module or an object that has some of these hooks,
each marked with :data:`hookimpl`. A hook may declare only the arguments that it uses.

The fetching hooks are generators of :class:`~syncd.statuses.Page`. Every one of them serves
two questions. With ``orders`` empty: what changed in ``window``? With ``orders`` given: what is
the state of these orders now? They report facts. They never touch the book, sleep, log
secrets or keep state; a row they cannot read is yielded with status ``UNKNOWN``. What the panel
does meanwhile (a report in the making) they may write down in the account's :class:`Memory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import pluggy
from msgspec import Struct
from pydantic import AfterValidator, BaseModel, ConfigDict

from syncd._address import origin_of
from syncd.statuses import Account, NewOrder, OrderRef, Page, Status, StatusChange, Window

if TYPE_CHECKING:
    from syncd.panel import Panel

PROJECT: Final = "syncd"
ENTRY_POINT_GROUP: Final = "syncd.channels"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class ReadsBy(StrEnum):
    """How a channel can be asked: by a window of time, or by order ids."""

    WINDOW = "window"
    ORDERS = "orders"


class Pace(Struct, frozen=True, kw_only=True):
    """A token bucket: on average ``per_second`` calls, at most ``burst`` at once.

    ``header`` names a response header in which the panel states the account's own rate, in
    calls a second; each answer then corrects the bucket.
    """

    per_second: float
    burst: int = 1
    header: str = ""


class Cost(Struct, frozen=True, kw_only=True):
    """What one kind costs: a call of the class ``pace`` for each ``rows`` orders, 0 for none.

    ``calls`` more are made by each call of the hook. ``asked`` limits it to a hook that is asked
    by window, or by orders. From it and the pace a run says how long it takes.
    """

    pace: str
    rows: int
    calls: int = 1
    asked: ReadsBy | None = None


Costs = Mapping[str, Cost | Sequence[Cost]]
"""By kind, what it costs: of several classes of calls, several costs."""


class Memory(Protocol):
    """What a plugin may keep of one account from one call to the next, over restarts.

    It is for work that the panel does meanwhile, such as the id of a report in the making; never
    for facts, and never for a secret: it is stored in clear. A dry run forgets what it wrote.
    """

    def recall(self, key: str) -> str:
        """The text kept under this key; empty if there is none, or none that is still good."""
        ...

    def remember(self, key: str, text: str, *, keep: timedelta = timedelta(days=30)) -> None:
        """Keep the text (at most 10,000 characters) for so long. On disk when this returns."""
        ...

    def forget(self, key: str) -> None:
        """Drop the text, if there is one."""
        ...


class ReportFile(Struct, frozen=True, kw_only=True):
    """A report that a person downloaded from the panel: the file's own name, and its bytes.

    ``at`` is when it was handed in: what it says without a date was so by then.
    """

    name: str
    content: bytes
    at: datetime | None = None


def _address(url: str) -> str:
    try:
        origin_of(url)
    except ValueError as error:
        raise ValueError(f"the address {error}") from None
    return url.rstrip("/")


PanelAddress = Annotated[str, AfterValidator(_address)]
"""The type of a settings field that holds a second address of a panel, checked as base_url is."""


class Settings(BaseModel):
    """Base of a plugin's settings. Fields of type ``pydantic.SecretStr`` are secrets: the
    config file may only refer to them (credential, file or environment variable).

    ``base_url`` is the panel's address; https, or plain http on a loopback address only. A
    channel that asks over the network declares it anew, with its default or as required. Left
    as it is here, the channel has no address, and its ``panel`` makes no call to one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = ""


class Channel(Struct, frozen=True, kw_only=True):
    """What a plugin says of its channel. See the author's guide for each field.

    ``safety_lag``: facts younger than this may still be missing from an answer, so a window
    ends that long before now. ``overlap``: how far a window reaches back before the cursor.
    ``longest_window``: a longer one is asked in steps. ``orders_per_call``: how many orders
    one hook call gets. ``window_only``: kinds («returns») for whose answer a
    hook reads its whole window even when orders are named: an audit then asks by window, and so
    does a pass where ``reads_by`` is by orders alone.
    ``paces``: one token bucket per endpoint class, ``"default"`` for the
    rest. ``costs``: by kind, what it costs where calls are scarce; where that hangs on the
    account, a function from its settings to that.
    ``look_back_limit``: how far back the panel answers at all.
    ``statuses``: what the hooks can report at all; empty means all that their kinds allow.
    ``ships``: a phrase on who ships, for people («the channel; the seller where ...»).
    ``unverified``: sentences about what no public source confirms.
    ``sources``: by the word of the setting ``source``, another plugin (a module or an object
    with hooks) that reads an account in place of this one, with settings of its own.
    """

    title: str
    settings: type[Settings]
    time_zone: str = "UTC"
    safety_lag: timedelta = timedelta(minutes=2)
    overlap: timedelta = timedelta(minutes=10)
    longest_window: timedelta = timedelta(days=1)
    look_back_limit: timedelta | None = None
    reads_by: frozenset[ReadsBy] = frozenset({ReadsBy.WINDOW, ReadsBy.ORDERS})
    orders_per_call: int = 100
    window_only: frozenset[str] = frozenset()
    paces: Mapping[str, Pace] = MappingProxyType({})
    costs: Costs | Callable[[Any], Costs] = MappingProxyType({})
    statuses: frozenset[Status] = frozenset()
    ships: str = ""
    unverified: tuple[str, ...] = ()
    sources: Mapping[str, Any] = MappingProxyType({})

    def costs_of(self, settings: Settings) -> dict[str, tuple[Cost, ...]]:
        """By kind, what it costs an account with these settings."""
        told = self.costs(settings) if callable(self.costs) else self.costs
        return {
            kind: (cost,) if isinstance(cost, Cost) else tuple(cost) for kind, cost in told.items()
        }


class ChannelHooks(Protocol):
    """The hooks. Only ``describe_channel`` is required."""

    @hookspec(firstresult=True)
    def describe_channel(self) -> Channel:
        """Say what this channel is and how it may be asked. No network."""
        ...

    @hookspec(firstresult=True)
    def fetch_orders(
        self,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Panel,
        memory: Memory,
    ) -> Iterator[Page[NewOrder]]:
        """Yield new orders for the book. Without it orders come from a file or the API."""
        ...

    @hookspec(firstresult=True)
    def fetch_dispatched(
        self,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Panel,
        memory: Memory,
    ) -> Iterator[Page[StatusChange]]:
        """Yield what was dispatched: status DISPATCHED."""
        ...

    @hookspec(firstresult=True)
    def fetch_cancelled(
        self,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Panel,
        memory: Memory,
    ) -> Iterator[Page[StatusChange]]:
        """Yield what was cancelled: CANCELLED, and CANCEL_REQUESTED / CANCEL_WITHDRAWN."""
        ...

    @hookspec(firstresult=True)
    def fetch_returns(
        self,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Panel,
        memory: Memory,
    ) -> Iterator[Page[StatusChange]]:
        """Yield returns: RETURN_NOTICED, RETURNED, RETURN_WITHDRAWN; UNDELIVERED, LOST."""
        ...

    @hookspec(firstresult=True)
    def fetch_delivered(
        self,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Panel,
        memory: Memory,
    ) -> Iterator[Page[StatusChange]]:
        """Yield what reached the buyer: status DELIVERED."""
        ...

    @hookspec(firstresult=True)
    def read_report(
        self, account: Account, report: ReportFile
    ) -> Iterator[Page[NewOrder] | Page[StatusChange]]:
        """Yield what a report file says that a person hands in. No network, no order of statuses.

        Raises PanelAnswer when it is no report of this panel; the message says what was expected.
        """
        ...

    @hookspec(firstresult=True)
    def provides_shipping(self, account: Account, order: OrderRef) -> bool:
        """Does the channel ship this order? Answer from ``order`` alone, no network.

        A channel without this hook is never gated. Where the answer is no, DISPATCHED,
        DELIVERED and RTO from the channel are only echoes of the seller's own act.
        """
        ...


def secret_fields(settings: type[Settings]) -> dict[str, Any]:
    """The names of the settings that are secrets, with their pydantic field infos."""
    return {
        name: info
        for name, info in settings.model_fields.items()
        if "SecretStr" in str(info.annotation)
    }
