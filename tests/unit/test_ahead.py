"""Pages are pulled ahead: same pages, same order, same errors, and nothing pulled for nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from syncd.errors import PanelBusy, Stopped
from syncd.passes.ahead import PAGES_AHEAD, ahead


def go_on() -> None:
    """Nobody wants to stop."""


def test_the_same_pages_in_the_same_order() -> None:
    assert list(ahead(iter(range(50)), go_on)) == list(range(50))
    assert list(ahead([], go_on)) == []


def test_an_error_comes_after_the_pages_before_it() -> None:
    def pages() -> Iterator[int]:
        yield from (1, 2, 3)
        raise PanelBusy("come back later")

    taken: list[int] = []

    with pytest.raises(PanelBusy):
        taken.extend(ahead(pages(), go_on))
    assert taken == [1, 2, 3]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ZeroDivisionError()])
def test_fault_F02_whatever_a_plugin_raises_comes_out_here(error: BaseException) -> None:
    def pages() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(type(error)):
        list(ahead(pages(), go_on))


def test_the_source_is_at_most_some_pages_ahead() -> None:
    made: list[int] = []

    def pages() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    source = ahead(pages(), go_on)
    assert next(source) == 0
    end = time.monotonic() + 5
    while len(made) < PAGES_AHEAD + 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(made) <= PAGES_AHEAD + 2
    source.close()  # type: ignore[attr-defined]
    seen = len(made)
    assert seen < 100
    assert not [t for t in threading.enumerate() if t.name == "pages ahead" and t.is_alive()]


def test_fault_F03_a_source_that_hangs_does_not_keep_us_from_stopping() -> None:
    asked, release = threading.Event(), threading.Event()

    def pages() -> Iterator[int]:
        yield 1
        asked.set()
        release.wait(30)
        yield 2

    def check() -> None:
        if asked.is_set():
            raise Stopped("The daemon is stopping.")

    started = time.monotonic()
    with pytest.raises(Stopped):
        list(ahead(pages(), check))
    release.set()
    assert time.monotonic() - started < 5
