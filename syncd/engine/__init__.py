"""Who carries out the runs that wait in the book."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from syncd.engine.progress import Progress as Progress


class Teller(Protocol):
    """Where a run tells how far it is."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Tell that something happened in a run. ``fields`` must be plain JSON values."""
        ...


Conduct = Callable[[int, threading.Event, Teller], None]
"""Carry out one run: its id, the event that asks to stop, and where to tell how it goes.

It starts and finishes the run's row itself. It raises ``errors.Stopped`` when it gave the run
up at a safe place because it was asked to stop.
"""


class Engine(Protocol):
    """Takes up queued runs: at most one of an account at a time, in the order of asking."""

    @property
    def progress(self) -> Progress:
        """What the runs tell while they go on."""
        ...

    def start(self, accounts: Iterable[str]) -> None:
        """Serve exactly these accounts from now on; the others' workers end."""
        ...

    def restart(self, account: str) -> None:
        """End the account's worker and begin a new one, after a change of its settings."""
        ...

    def wake(self, account: str) -> bool:
        """Say that a run was queued. False when the account is not served."""
        ...

    def stop(self, timeout: float) -> bool:
        """Ask all to stop at the next safe place; wait ``timeout`` seconds. True: all did."""
        ...

    def running(self) -> Mapping[str, int]:
        """The run in hand of each busy account."""
        ...

    def beat(self) -> str:
        """Empty while work goes on; else a sentence saying which account is stuck."""
        ...
