"""The one source of time. Handed in everywhere, so that tests move time by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Clock(Protocol):
    """Wall time for stamps, monotonic time for intervals, and an interruptible wait."""

    def now(self) -> datetime:
        """The present time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, at most until ``stop`` is set. Returns whether it is set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        return stop.wait(max(0.0, seconds))


class HandClock:
    """A clock that only moves when told to; ``wait`` moves it. For tests and simulators."""

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        if not stop.is_set():
            self.advance(timedelta(seconds=max(0.0, seconds)))
        return stop.is_set()

    def advance(self, span: timedelta) -> None:
        """Let time pass: both clocks move."""
        with self._lock:
            self._now += span
            self._monotonic += span.total_seconds()

    def step(self, span: timedelta) -> None:
        """Set the wall clock by hand, forward or back: the monotonic clock does not move."""
        with self._lock:
            self._now += span


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC: how the book stores a time. Needs an aware datetime."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of a stored time."""
    return EPOCH + timedelta(microseconds=micros)
