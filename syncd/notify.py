"""Tell systemd how the service is: ready, status, still alive, reloading, stopping."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from syncd.clock import Clock


class Notifier:
    """Sends datagrams to ``$NOTIFY_SOCKET``; without that variable it does nothing.

    A datagram that cannot be sent is dropped: the service must go on without its watcher.
    """

    def __init__(self, clock: Clock, env: Mapping[str, str] = os.environ) -> None:
        name = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._clock = clock
        self.watchdog_seconds = _watchdog_seconds(env)

    def ready(self, status: str) -> bool:
        """Starting or reloading is over."""
        return self._send("READY=1", f"STATUS={status}")

    def status(self, text: str) -> bool:
        """One line for a person, shown by ``systemctl status``."""
        return self._send(f"STATUS={text}")

    def watchdog(self) -> bool:
        """The service makes progress."""
        return self._send("WATCHDOG=1")

    def reloading(self) -> bool:
        """The configuration is being read again; ``ready`` must follow."""
        micros = int(self._clock.monotonic() * 1_000_000)
        return self._send("RELOADING=1", f"MONOTONIC_USEC={micros}")

    def stopping(self, status: str) -> bool:
        """The service is on its way out."""
        return self._send("STOPPING=1", f"STATUS={status}")

    def _send(self, *lines: str) -> bool:
        if not self._address:
            return False
        text = "\n".join(" ".join(line.splitlines()) for line in lines)
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sender:
                sender.sendto(text.encode(), self._address)
        except OSError:
            return False
        return True


def _watchdog_seconds(env: Mapping[str, str]) -> float:
    """How often systemd wants to hear of progress, at the least; 0 if it does not ask."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = env.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isdecimal() else 0.0
