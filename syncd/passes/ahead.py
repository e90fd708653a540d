"""Ask for the next pages while the last ones are being stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Full, Queue
from typing import Final, Generic, TypeVar

PAGES_AHEAD: Final = 4
LOOK_SECONDS: Final = 0.25  # how soon either side notices that the other has gone
LEAVE_SECONDS: Final = 90.0  # longer than one call to a panel may take

Page = TypeVar("Page")


def ahead(pages: Iterable[Page], check: Callable[[], None]) -> Iterator[Page]:
    """The same pages in the same order, pulled by a thread of its own, a few ahead.

    ``check`` is called while waiting; what it raises ends the waiting, also where the source
    hangs. What the source raises comes out after the pages before it. When the caller leaves
    early, the source is not pulled any further.
    """
    pull = _Pull(pages)
    pull.start()
    try:
        while True:
            check()
            try:
                page, error = pull.handed.get(timeout=LOOK_SECONDS)
            except Empty:
                continue
            if error is not None:
                raise error
            if page is None:
                return
            yield page
    finally:
        pull.gone.set()
        pull.join(0 if _stopping(check) else LEAVE_SECONDS)


def _stopping(check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:
        return True
    return False


class _Pull(threading.Thread, Generic[Page]):
    """Pulls pages and hands them over: (page, None), (None, error), or (None, None) at the end."""

    def __init__(self, pages: Iterable[Page]) -> None:
        super().__init__(name="pages ahead", daemon=True)
        self.handed: Queue[tuple[Page | None, BaseException | None]] = Queue(PAGES_AHEAD)
        self.gone = threading.Event()
        self._pages = pages

    def run(self) -> None:
        try:
            for page in self._pages:
                if not self._hand((page, None)):
                    return
        except BaseException as error:  # also a plugin's SystemExit: it ends there, not here
            self._hand((None, error))
        else:
            self._hand((None, None))

    def _hand(self, what: tuple[Page | None, BaseException | None]) -> bool:
        """False when nobody takes pages any more."""
        while not self.gone.is_set():
            try:
                self.handed.put(what, timeout=LOOK_SECONDS)
            except Full:
                continue
            return True
        return False
