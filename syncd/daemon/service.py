"""The service with what only the daemon's main loop knows."""

from __future__ import annotations

import dataclasses

from syncd.book.store import Book
from syncd.book.views import Status
from syncd.channels import Channels
from syncd.clock import Clock
from syncd.config import Config
from syncd.control.reporting import Setups
from syncd.control.service import Reload, Service
from syncd.engine import Engine


class DaemonService(Service):
    """``own_problems`` holds a sentence for each subject that needs a person, or nothing."""

    def __init__(
        self,
        book: Book,
        engine: Engine,
        channels: Channels,
        config: Config,
        clock: Clock,
        reload: Reload,
        setups: Setups | None = None,
    ) -> None:
        super().__init__(book, engine, channels, config, clock, reload, setups)
        self.own_problems: dict[str, str] = {}

    def status(self) -> Status:
        """Everything at a glance, the daemon's own problems first."""
        status = super().status()
        own = tuple(text for text in self.own_problems.values() if text)
        if not own:
            return status
        return dataclasses.replace(status, healthy=False, problems=(*own, *status.problems))
