"""The page of the manual about the channels, from what the installed plugins say.

``python -m tools.channels_page > docs/channels.md`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from syncd.channels import Channels, ChannelState, LoadedChannel, discover
from syncd.cli.ctl_output import how_often
from syncd.control.abilities import Abilities, Rate, Task, abilities_of
from syncd.hookspecs import ReadsBy
from syncd.statuses import STATUSES_OF, Kind, Status

PLUGINS: Final = Path(__file__).resolve().parents[1] / "plugins"
SHOWN: Final = [one for one in Status if any(one in some for some in STATUSES_OF.values())]
HOW: Final = {
    (): "",
    (ReadsBy.WINDOW,): "window",
    (ReadsBy.ORDERS,): "ids",
    (ReadsBy.WINDOW, ReadsBy.ORDERS): "both",
}
SPANS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def page(channels: Channels) -> str:
    """The page for these channels, in the order of their names."""
    return "\n".join(_page(channels.enabled)) + "\n"


def _page(channels: Sequence[LoadedChannel]) -> Iterator[str]:
    yield "# The channels"
    yield ""
    yield "What each channel's plugin says of itself. This page is written by"
    yield "`python -m tools.channels_page` from the plugins of this repository."
    yield "`syncctl channels NAME` shows the same of a plugin that is installed."
    yield ""
    yield "## Who tells what"
    yield ""
    yield "How a status is asked for: by a `window` of time, by order `ids`, or by `both`. A blank"
    yield "says that the panel does not tell it, or that the plugin does not read it. A channel"
    yield "with `files` also reads reports that a person hands in. Where an account may be read in"
    yield "another way, by the word of its setting `source`, that way has a line of its own."
    yield ""
    yield "\\* What comes of these depends on the panel's words, and on the account's map of them"
    yield "where its settings have one."
    yield ""
    found = {channel: abilities_of(channel) for channel in channels}
    heads = ("channel", "new orders", *SHOWN, "files")
    yield from _grid(heads, (row for channel, can in found.items() for row in _rows(channel, can)))
    for channel, can in found.items():
        yield from ("", f"## {channel.title}", "")
        yield from _section(channel, can)


def _rows(channel: LoadedChannel, can: Abilities) -> Iterator[list[str]]:
    yield _row(channel.title, can)
    for word, other in can.sources.items():
        yield _row(f"{channel.title}, `{word}`", other)


def _row(title: str, can: Abilities) -> list[str]:
    orders = [task for task in can.tasks if task.kind is Kind.ORDERS]
    cells = [_how(orders)]
    for status in SHOWN:
        cells.append(_how([task for task in can.tasks if status in task.statuses]))
    open_end = "" if can.named else " \\*"
    return [title + open_end, *cells, "yes" if can.reads_reports else ""]


def _how(tasks: Iterable[Task]) -> str:
    by = {how for task in tasks for how in task.by}
    return HOW[tuple(how for how in ReadsBy if how in by)]


def _section(channel: LoadedChannel, can: Abilities) -> Iterator[str]:
    yield f'`pip install {channel.distribution}`; an account says `channel = "{channel.name}"`.'
    yield from _way(can)
    for word, other in can.sources.items():
        yield from ("", f'### {channel.title} with `source = "{word}"`')
        yield from _way(other)


def _way(can: Abilities) -> Iterator[str]:
    yield ""
    yield from _grid(("", ""), _facts(can))
    if can.unverified:
        yield ""
        yield "No public source confirms:"
        yield ""
        yield from (f"* {sentence}" for sentence in can.unverified)


def _facts(can: Abilities) -> Iterator[tuple[str, str]]:
    yield "who ships", can.ships
    for task in can.tasks:
        told = ", ".join(task.statuses) or ("orders" if task.kind is Kind.ORDERS else "nothing")
        yield f"`{task.kind}`", f"{told}; asked by {HOW[task.by].replace('both', 'window or ids')}"
    if can.reads_reports:
        yield "files", "reads the panel's report files"
    yield "looks back", f"{span(can.look_back)} at most" if can.look_back else "no limit known"
    yield "longest window", span(can.longest_window)
    if any(ReadsBy.ORDERS in task.by for task in can.tasks):
        yield "orders in a call", str(can.orders_per_call)
    for one in can.paces:
        yield f"pace `{one.name}`", rate(one)
    yield "facts may be late by", span(can.safety_lag)
    yield "a window reaches back by", span(can.overlap)
    yield "times without an offset", can.time_zone


def rate(one: Rate) -> str:
    """In the unit that fits: 2 a second, 5 at once."""
    header = f", or as the header {one.header} says" if one.header else ""
    return f"{how_often(one.per_second)}, {one.burst} at once{header}"


def span(seconds: float) -> str:
    """A span in its largest whole units: 90 min is 1 h 30 min."""
    left, parts = round(seconds), []
    for unit, size in SPANS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def ours() -> Channels:
    """The channels of this repository. Raises SystemExit where one cannot be used."""
    found = discover()
    names = [path.parent.name for path in sorted(PLUGINS.glob("*/setup.cfg"))]
    for name in names:
        if name not in found or found[name].state is not ChannelState.ENABLED:
            why = found[name].reason if name in found else f"{name} is not installed"
            raise SystemExit(f"{why}. Make the environment anew: make env")
    return Channels(found[name] for name in names)


if __name__ == "__main__":
    print(page(ours()), end="")
