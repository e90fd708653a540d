"""What the service manager hears, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.clock import HandClock
from syncd.notify import Notifier


@pytest.fixture
def clock() -> HandClock:
    clock = HandClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(seconds=12.5))
    return clock


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        name = f"\0syncd-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "n")
        receiver.bind(name)
        yield receiver


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def env(manager: socket.socket, **more: str) -> dict[str, str]:
    name = manager.getsockname()
    text = "@" + name[1:].decode() if isinstance(name, bytes) else name
    return {"NOTIFY_SOCKET": text, **more}


def test_each_message(manager: socket.socket, clock: HandClock) -> None:
    notifier = Notifier(clock, env(manager))
    assert notifier.ready("2 accounts")
    assert heard(manager) == ["READY=1", "STATUS=2 accounts"]
    assert notifier.status("a\nREADY=1")
    assert heard(manager) == ["STATUS=a READY=1"]
    assert notifier.watchdog()
    assert heard(manager) == ["WATCHDOG=1"]
    assert notifier.reloading()
    assert heard(manager) == ["RELOADING=1", "MONOTONIC_USEC=12500000"]
    assert notifier.stopping("bye")
    assert heard(manager) == ["STOPPING=1", "STATUS=bye"]


def test_without_a_manager_nothing_happens(clock: HandClock, tmp_path: Path) -> None:
    assert not Notifier(clock, {}).ready("x")
    assert not Notifier(clock, {"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_watchdog_interval(clock: HandClock, given: dict[str, str], seconds: float) -> None:
    assert Notifier(clock, given).watchdog_seconds == seconds
