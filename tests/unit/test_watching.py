"""The thread that runs the timers: it goes on after a failure, and it ends when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.daemon.watching import Watcher
from syncd.limits import Limits
from syncd.statuses import Status
from tests.bookkit import Seller

PATIENCE = 10.0
SHORT = Limits(park_max=timedelta(seconds=1))


@pytest.fixture
def seller(tmp_path: Path) -> Iterator[Seller]:
    seller = Seller(tmp_path)
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    seller.clock.advance(timedelta(days=4))
    yield seller
    seller.book.close()


def await_it(test: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_it_looks_again_and_again_and_ends_when_asked(seller: Seller) -> None:
    told: list[str] = []
    watcher = Watcher(seller.book, lambda: {"shop": SHORT}, seller.clock, told.append)
    watcher.start()
    await_it(lambda: seller.count("exceptions") == 1)
    await_it(lambda: len(told) >= 3)
    assert set(told) == {""}
    assert watcher.stop(PATIENCE)
    assert seller.count("exceptions") == 1


def test_a_failure_is_told_and_the_next_turn_goes_on(seller: Seller) -> None:
    """The book lacks a table for a while: the timers say so, and work once it is back."""
    with seller.book.write():
        seller.book.query("ALTER TABLE exceptions RENAME TO hidden")
    told: list[str] = []
    watcher = Watcher(seller.book, lambda: {"shop": SHORT}, seller.clock, told.append)
    watcher.start()
    await_it(lambda: len(told) >= 1)
    assert "no such table" in told[0]
    assert "It is tried again." in told[0]
    with seller.book.write():
        seller.book.query("ALTER TABLE hidden RENAME TO exceptions")
    await_it(lambda: told[-1] == "")
    await_it(lambda: seller.count("exceptions") == 1)
    assert watcher.stop(PATIENCE)


def test_it_is_woken_when_the_limits_change(seller: Seller) -> None:
    limits = {"shop": Limits(park_max=timedelta(days=9))}
    told: list[str] = []
    watcher = Watcher(seller.book, lambda: limits, seller.clock, told.append)
    watcher.start()
    watcher.wake()
    await_it(lambda: len(told) == 1)
    assert seller.count("exceptions") == 0
    limits["shop"] = Limits()
    watcher.wake()
    await_it(lambda: seller.count("exceptions") == 1)
    assert watcher.stop(PATIENCE), "it sleeps for a minute and ends at once"


def test_it_can_be_stopped_before_it_was_started(seller: Seller) -> None:
    before = threading.active_count()
    watcher = Watcher(seller.book, dict, seller.clock, lambda _: None)
    assert watcher.stop(0.0)
    assert threading.active_count() == before
