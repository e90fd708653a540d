"""The span that a pass asks about: nothing skipped, nothing asked for in vain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from syncd.hookspecs import Channel, Settings
from syncd.statuses import Window
from syncd.windows import reach, steps

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CHANNEL = Channel(
    title="Test", settings=Settings, safety_lag=timedelta(minutes=2), overlap=timedelta(minutes=10)
)


def test_the_first_window_reaches_back_thirty_days() -> None:
    found = reach(CHANNEL, NOW, None, timedelta(0))
    assert found.window == Window(NOW - timedelta(days=30, minutes=2), NOW - timedelta(minutes=2))
    assert found.moves_cursor


def test_the_next_window_starts_a_little_before_the_cursor() -> None:
    cursor = NOW - timedelta(minutes=42)
    found = reach(CHANNEL, NOW, cursor, timedelta(0))
    assert found.window == Window(cursor - timedelta(minutes=10), NOW - timedelta(minutes=2))
    assert found.moves_cursor


def test_returns_are_read_thirty_days_back_each_time() -> None:
    found = reach(CHANNEL, NOW, NOW - DAY, 30 * DAY)
    assert found.window.start == NOW - timedelta(days=30, minutes=2)
    assert found.moves_cursor


def test_fault_B20_a_long_stop_is_covered_whole() -> None:
    found = reach(CHANNEL, NOW, NOW - 50 * DAY, 30 * DAY)
    assert found.window.start == NOW - timedelta(days=50, minutes=10)
    assert found.gap is None


def test_fault_B20_what_the_channel_no_longer_serves_is_named() -> None:
    limited = Channel(
        title="Test", settings=Settings, safety_lag=timedelta(0), look_back_limit=7 * DAY
    )
    found = reach(limited, NOW, NOW - 50 * DAY, timedelta(0))
    assert found.window.start == NOW - 7 * DAY
    assert found.gap == Window(NOW - 50 * DAY, NOW - 7 * DAY)
    assert found.moves_cursor


@pytest.mark.parametrize("cursor", [None, NOW - 10 * DAY])
def test_fewer_days_by_hand_never_move_the_cursor_over_unread_time(
    cursor: datetime | None,
) -> None:
    found = reach(CHANNEL, NOW, cursor, timedelta(0), days=3)
    assert found.window.start == NOW - timedelta(days=3, minutes=2)
    assert not found.moves_cursor


def test_more_days_by_hand_may_move_it() -> None:
    assert reach(CHANNEL, NOW, NOW - DAY, timedelta(0), days=3).moves_cursor


def test_fault_B10_a_cursor_in_the_future_is_no_cursor() -> None:
    found = reach(CHANNEL, NOW, NOW + DAY, timedelta(0))
    assert found.window == Window(NOW - timedelta(days=30, minutes=2), NOW - timedelta(minutes=2))
    assert found.resets_cursor
    assert found.moves_cursor


def test_fault_B10_a_clock_a_little_back_gives_an_empty_window_never_a_negative_one() -> None:
    late = Channel(title="Test", settings=Settings, safety_lag=DAY, overlap=timedelta(0))
    found = reach(late, NOW, NOW - timedelta(hours=1), timedelta(0))
    assert found.window.start == found.window.end
    assert list(steps(found.window, DAY)) == []


@given(st.integers(0, 100_000), st.integers(60, 50_000))
def test_steps_cover_the_window_without_gap_or_overlap(length: int, longest: int) -> None:
    window = Window(NOW, NOW + timedelta(seconds=length))
    parts = list(steps(window, timedelta(seconds=longest)))
    assert sum((part.end - part.start for part in parts), timedelta(0)) == window.end - window.start
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert all(part.start < part.end <= window.end for part in parts)
