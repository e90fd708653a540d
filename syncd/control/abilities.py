"""What a channel says of itself: what it tells, how it is asked, and within which limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from msgspec import Struct

from syncd.channels import LoadedChannel
from syncd.hookspecs import Channel, ReadsBy
from syncd.statuses import STATUSES_OF, Kind, Status

BOUNDLESS: Final = 1_000.0
"""Calls a second from which on a pace is none: it is for a simulator."""


class Task(Struct, frozen=True, kw_only=True):
    """One kind of pass: the statuses that it can bring, and whether by window, ids, or both."""

    kind: Kind
    statuses: tuple[Status, ...]
    by: tuple[ReadsBy, ...]


class Rate(Struct, frozen=True, kw_only=True):
    """How often calls of one class may be made. ``header`` names the panel's own word on it."""

    name: str
    per_second: float
    burst: int
    header: str = ""


class Abilities(Struct, frozen=True, kw_only=True):
    """One channel in full. Spans are in seconds; ``look_back`` is None without a known limit.

    Unless ``named``, the plugin leaves the statuses open: which of them come depends on the
    panel's words, and on the account's map of them where it has one.
    """

    tasks: tuple[Task, ...] = ()
    named: bool = False
    reads_reports: bool = False
    ships: str = ""
    time_zone: str = "UTC"
    safety_lag: float = 0
    overlap: float = 0
    longest_window: float = 0
    look_back: float | None = None
    orders_per_call: int = 0
    paces: tuple[Rate, ...] = ()
    unverified: tuple[str, ...] = ()
    sources: dict[str, Abilities] = {}
    """By a word of the setting ``source``: how an account of it is read in another way."""


def told(channel: LoadedChannel) -> dict[str, Any]:
    """An installed channel: its name and state, and what it can do."""
    return {
        "name": channel.name,
        "title": channel.title,
        "distribution": channel.distribution,
        "version": channel.version,
        "state": str(channel.state),
        "reason": channel.reason,
        "tasks": sorted(channel.kinds, key=list(Kind).index),
        "abilities": abilities_of(channel),
    }


def abilities_of(channel: LoadedChannel) -> Abilities:
    """What the channel can do; nothing at all where its plugin could not be loaded."""
    said = channel.description
    if said is None:
        return Abilities()
    return Abilities(
        tasks=tuple(_task(kind, said) for kind in Kind if kind in channel.kinds),
        named=bool(said.statuses),
        reads_reports=channel.reads_reports,
        ships=said.ships
        or ("it depends on the order" if channel.gates_shipping else "the channel"),
        time_zone=said.time_zone,
        safety_lag=said.safety_lag.total_seconds(),
        overlap=said.overlap.total_seconds(),
        longest_window=said.longest_window.total_seconds(),
        look_back=_seconds(said.look_back_limit),
        orders_per_call=said.orders_per_call,
        paces=tuple(
            Rate(name=name, per_second=one.per_second, burst=one.burst, header=one.header)
            for name, one in sorted(said.paces.items())
            if one.per_second < BOUNDLESS
        ),
        unverified=said.unverified,
        sources={word: abilities_of(source) for word, source in channel.sources.items()},
    )


def _task(kind: Kind, said: Channel) -> Task:
    can = said.statuses or frozenset(Status)
    by = {ReadsBy.WINDOW} if kind in said.window_only else said.reads_by
    return Task(
        kind=kind,
        statuses=tuple(one for one in Status if one in STATUSES_OF[kind] and one in can),
        by=tuple(how for how in ReadsBy if how in by),
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
