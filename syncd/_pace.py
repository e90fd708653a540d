"""How fast a panel may be called: one token bucket per class of endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

DEFAULT: Final = "default"
RECOVERY_SECONDS: Final = 600.0  # from a standstill back to the declared rate
SLOWEST: Final = 1 / 64  # of the declared rate: never slower than that by our own doing


class Rate(Protocol):
    """What a bucket is made from; ``syncd.hookspecs.Pace`` has this form."""

    @property
    def per_second(self) -> float: ...

    @property
    def burst(self) -> int: ...

    @property
    def header(self) -> str: ...


class Bucket:
    """Calls are let through at ``rate`` a second on average, at most ``burst`` at once.

    After a refusal for going too fast the rate halves, then climbs back evenly over ten
    minutes. Times are monotonic seconds.
    """

    __slots__ = ("_at", "_burst", "_declared", "_left", "_rate")

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"a pace needs a rate above 0 and a burst of 1 or more: {per_second}")
        self._declared = self._rate = per_second
        self._burst = float(burst)
        self._left = self._burst
        self._at = now

    @property
    def rate(self) -> float:
        """Calls a second at present."""
        return self._rate

    def take(self, now: float) -> float:
        """Take one call; returns how many seconds to wait before it is made."""
        self._flow(now)
        self._left -= 1.0
        return max(0.0, -self._left / self._rate)

    def seconds(self, calls: int, now: float) -> float:
        """How long so many further calls would take from now on."""
        self._flow(now)
        return max(0.0, (calls - self._left) / self._rate)

    def slow_down(self, now: float) -> None:
        """The panel said that we call too fast."""
        self._flow(now)
        self._rate = max(self._rate / 2, self._declared * SLOWEST)
        self._left = min(self._left, 0.0)

    def correct(self, per_second: float, now: float) -> None:
        """The panel said how fast we may call."""
        if per_second != self._declared:
            self._flow(now)
            self._declared = self._rate = per_second

    def _flow(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = now
        self._left = min(self._burst, self._left + passed * self._rate)
        if self._rate < self._declared:
            climb = passed * self._declared / RECOVERY_SECONDS
            self._rate = min(self._declared, self._rate + climb)


class Buckets:
    """The buckets of one account by name; a name without one of its own uses "default"."""

    def __init__(self, paces: Mapping[str, Rate], now: float) -> None:
        self._buckets = {
            name: Bucket(pace.per_second, pace.burst, now) for name, pace in paces.items()
        }
        self._headers = {name: pace.header for name, pace in paces.items() if pace.header}

    def of(self, name: str) -> Bucket | None:
        """The bucket for calls of this class, None where nothing limits them."""
        return self._buckets.get(name) or self._buckets.get(DEFAULT)

    def heed(self, name: str, headers: Mapping[str, str], now: float) -> None:
        """Take over the rate that an answer states, if its class has a header for that.

        What is no positive number is passed over: a server's header is not to stop us.
        """
        header = self._headers.get(name)
        if header is None:
            return
        try:
            per_second = float(headers.get(header, ""))
        except ValueError:
            return
        if 0 < per_second < float("inf"):
            self._buckets[name].correct(per_second, now)
