"""Which span of time a pass asks a channel about. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from syncd.hookspecs import Channel
from syncd.statuses import Window

FIRST_LOOK_BACK: Final = timedelta(days=30)


class Reach(Struct, frozen=True):
    """A window to read, and whether reading it may move the cursor.

    ``gap`` is the span before the window that the channel no longer serves, if there is one.
    ``resets_cursor``: the cursor stood in the future, which only a wrong clock can do.
    """

    window: Window
    moves_cursor: bool
    gap: Window | None = None
    resets_cursor: bool = False


def reach(
    channel: Channel,
    now: datetime,
    cursor: datetime | None,
    look_back: timedelta,
    days: int | None = None,
) -> Reach:
    """The window of one kind.

    It ends the channel's safety lag before now. It starts a little before the cursor, or
    ``look_back`` before its end where that is earlier; the first one reaches back 30 days. With
    ``days`` a person has said how far back. The cursor moves only when nothing is skipped. A
    cursor in the future is no cursor: what it claims cannot have been read.
    """
    end = now - channel.safety_lag
    ahead = cursor is not None and cursor > now
    if ahead:
        cursor = None
    if days is not None:
        start = end - timedelta(days=days)
    elif cursor is None:
        start = end - max(look_back, FIRST_LOOK_BACK)
    else:
        start = min(cursor - channel.overlap, end - look_back)
    start = min(start, end)
    gap = None
    limit = channel.look_back_limit
    if limit is not None and start < end - limit:
        served = end - limit
        if cursor is not None and cursor < served:
            gap = Window(start=cursor, end=served)
        start = served
    whole = (cursor is None and days is None) or (cursor is not None and start <= cursor)
    window = Window(start=start, end=end)
    return Reach(window, whole or gap is not None, gap=gap, resets_cursor=ahead)


def steps(window: Window, longest: timedelta) -> Iterator[Window]:
    """The window in parts no longer than ``longest``, oldest first, without gap or overlap."""
    start = window.start
    while start < window.end:
        end = min(start + longest, window.end)
        yield Window(start=start, end=end)
        start = end
