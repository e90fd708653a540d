"""A plugin's memory that lives as long as this object."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.clock import Clock


class DictMemory:
    """What :class:`syncd.Memory` asks for, in a dictionary; ``texts`` may be looked at."""

    def __init__(self, clock: Clock) -> None:
        self.texts: dict[str, tuple[str, datetime]] = {}
        self._clock = clock

    def recall(self, key: str) -> str:
        """The text, if it is still good."""
        text, until = self.texts.get(key, ("", self._clock.now()))
        return text if until > self._clock.now() else ""

    def remember(self, key: str, text: str, *, keep: timedelta = timedelta(days=30)) -> None:
        """Keep the text for so long."""
        self.texts[key] = (text, self._clock.now() + keep)

    def forget(self, key: str) -> None:
        """Drop the text, if there is one."""
        self.texts.pop(key, None)
