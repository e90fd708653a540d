"""The fault script: what goes wrong with which of the next requests of a simulator."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

Deed = Literal[
    "status",  # answer with ``status`` and ``headers``; the panel does nothing
    "delay",  # wait ``seconds``, then answer as usual
    "hang",  # take the request and never answer (until ``seconds`` are over)
    "reset",  # close the connection at once, with RST
    "cut",  # promise the whole body, close after ``size`` bytes of it
    "drip",  # send the body ``size`` bytes at a time, ``seconds`` apart
    "html",  # 200 with a login page
    "body",  # ``status`` (200 unless given) with ``body`` as JSON, whatever it holds
    "redirect",  # 302 to ``headers["Location"]``, or to a login page
    "flood",  # a body of ``size`` bytes of JSON spaces
    "bomb",  # the same, compressed with gzip
    "repeat",  # the answer that the same path gave last, once more
    "expire",  # all access tokens die, then the request goes on
    "empty",  # a page without rows, the paging itself goes on
    "ring",  # a page whose next link leads to itself
    "foreign",  # a page whose next link leads to another host (``body``)
    "no_link",  # a page that says there is more and has no next link
    "stray_link",  # a page that says there is no more and has a next link
    "garble",  # the first row of the page is broken: ``body`` replaces it
]

LONGEST: Final = 86_400.0
"""Seconds that a fault may take at most, when it is posted."""
LARGEST: Final = 2**30
"""Bytes of a fault at most, likewise."""


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of the script. It meets requests whose method and path (with query) fit.

    ``path`` is a shell pattern; an empty ``method`` fits all. The first ``skip`` fitting
    requests pass, then ``times`` are met; -1 means all from then on.
    """

    do: Deed
    path: str = "*"
    method: str = ""
    skip: Annotated[int, Meta(ge=0)] = 0
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    seconds: Annotated[float, Meta(ge=0, le=LONGEST)] = 0.0
    size: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    body: str = ""

    def fits(self, method: str, target: str) -> bool:
        """Whether this request is one that the fault is about."""
        return self.method in ("", method) and fnmatchcase(target, self.path)


class FaultScript:
    """The faults to come, in order; the first that fits a request is used. Thread-safe.

    It counts on copies: a Fault may be handed in many times.
    ``skew_seconds`` is how far the server's Date header is off. ``lag_seconds`` is how long a
    change stays hidden from searches after its stamp.
    """

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = [replace(fault) for fault in faults]
        self.skew_seconds = 0.0
        self.lag_seconds = 0.0

    def add(self, *faults: Fault) -> None:
        """Write further lines at the end of the script."""
        with self._lock:
            self._faults.extend(replace(fault) for fault in faults)

    def clear(self) -> None:
        """Forget all that has not happened yet; clock and lag are right again."""
        with self._lock:
            self._faults.clear()
            self.skew_seconds = 0.0
            self.lag_seconds = 0.0

    def pending(self) -> list[Fault]:
        """The lines that may still meet a request."""
        with self._lock:
            return list(self._faults)

    def take(self, method: str, target: str) -> Fault | None:
        """The fault that meets this request, if any; counts it."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(method, target):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    return self._use(fault)
        return None

    def _use(self, fault: Fault) -> Fault:
        if fault.times > 0:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
        return fault
