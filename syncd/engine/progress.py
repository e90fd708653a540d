"""What runs tell while they go on: kept in memory, for whoever watches."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any, Final

MAX_RUNS: Final = 200
MAX_EVENTS: Final = 2_000
ENDED: Final = "ended"
"""The name of a run's last event; after it ``follow`` ends."""


class _Ring:
    """The newest events of one run; ``last`` is the number of the newest one."""

    def __init__(self) -> None:
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self.last = 0
        self.ended = False


class Progress:
    """The newest events of the newest runs, numbered from 1 in each run.

    Old events and old runs are dropped, so memory is bounded; a watcher sees a gap in ``seq``.
    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._rings: OrderedDict[int, _Ring] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Tell that something happened in a run. ``fields`` must be plain JSON values."""
        with self._changed:
            ring = self._ring(run_id)
            ring.last += 1
            ring.ended = event == ENDED
            ring.events.append({**fields, "seq": ring.last, "run": run_id, "event": event})
            self._changed.notify_all()

    def follow(
        self, run_id: int, after: int = 0, timeout: float = 30.0
    ) -> Iterator[dict[str, Any]]:
        """Yield the events of a run numbered above ``after``, then those to come.

        Ends after the event ``ended``, when the program stops, or when ``timeout`` seconds
        passed without an event: whoever still wants more asks again with the last number seen.
        """
        while True:
            events, more = self._await_events(run_id, after, timeout)
            yield from events
            if not more:
                return
            after = events[-1]["seq"]

    def close(self) -> None:
        """The program stops: every ``follow`` ends after the events that are there."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _await_events(
        self, run_id: int, after: int, timeout: float
    ) -> tuple[list[dict[str, Any]], bool]:
        """Events above ``after``, and whether more may come."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                ring = self._rings.get(run_id)
                events = [e for e in ring.events if e["seq"] > after] if ring else []
                over = self._closed or (ring is not None and ring.ended)
                if events or over:
                    return events, bool(events) and not over
                left = deadline - time.monotonic()
                if left <= 0:
                    return [], False
                self._changed.wait(left)

    def _ring(self, run_id: int) -> _Ring:
        ring = self._rings.get(run_id)
        if ring is None:
            ring = self._rings[run_id] = _Ring()
            while len(self._rings) > MAX_RUNS:
                self._drop_one(run_id)
        return ring

    def _drop_one(self, keep: int) -> None:
        """Forget the oldest run that has ended; if none has, the oldest one."""
        others = [known for known in self._rings if known != keep]
        ended = (known for known in others if self._rings[known].ended)
        del self._rings[next(ended, others[0])]
