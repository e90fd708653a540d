"""Signals, turned into questions that the main loop asks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


class Signals:
    """SIGTERM and SIGINT ask to stop, SIGHUP to read the configuration again.

    A second SIGTERM or SIGINT calls ``force``, which must end the process. To be made in the
    main thread, which is also the one that waits.
    """

    def __init__(self, force: Callable[[], None]) -> None:
        self.stopping = False
        self._reload = False
        self._force = force
        self._wake = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def wait(self, seconds: float) -> None:
        """Sleep, at most until a signal comes."""
        self._wake.wait(seconds)
        self._wake.clear()

    def wake(self) -> None:
        """End the present ``wait``; from any thread."""
        self._wake.set()

    def take_reload(self) -> bool:
        """Whether a reload was asked for since the last question."""
        asked, self._reload = self._reload, False
        return asked

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            self._force()
        self.stopping = True
        self._wake.set()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True
        self._wake.set()
