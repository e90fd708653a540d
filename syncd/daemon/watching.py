"""The thread that runs the book's timers beside the loop, so that a slow disk stops nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from syncd.book.store import Book
from syncd.book.watch import Watch
from syncd.clock import Clock
from syncd.limits import Limits
from syncd.log import mask
from syncd.rules.overdue import turn_seconds

TURN_SECONDS: Final = 60.0  # how often the timers are looked at, or sooner for short limits

log = structlog.get_logger("syncd.daemon")


class Watcher:
    """Looks at what waits about every minute; what goes wrong is logged and tried again.

    ``tell`` is given a sentence while the timers do not work, and an empty one when they do.
    """

    def __init__(
        self,
        book: Book,
        limits: Callable[[], Mapping[str, Limits]],
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._watch = Watch(book, limits)
        self._limits = limits
        self._clock = clock
        self._tell = tell
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._live, name="timers", daemon=True)

    def start(self) -> None:
        """Look in a minute and then go on. What was missed is made up for by the first look;
        until then the passes that are due at a start can hear what came meanwhile."""
        self._thread.start()

    def wake(self) -> None:
        """Look again now: the limits may have changed."""
        self._wake.set()

    def stop(self, timeout: float) -> bool:
        """End after the turn in hand; wait ``timeout`` seconds. True: it has ended."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _live(self) -> None:
        while True:
            self._wake.wait(turn_seconds(self._limits(), TURN_SECONDS))
            self._wake.clear()
            if self._stop.is_set():
                return
            self._turn()

    def _turn(self) -> None:
        try:
            self._watch.turn(self._clock.now())
        except Exception as error:
            reason = mask(f"{type(error).__name__}: {error}")
            log.error("the timers failed, they are tried again", reason=reason)
            self._tell(f"What waits too long cannot be told: {reason}. It is tried again.")
        else:
            self._tell("")
