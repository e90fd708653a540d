"""Run a simulator as a program of its own: one JSON line says where, then it serves."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Mapping
from typing import Final

from syncd.testing.panel_server import PanelServer

STDIN: Final = 0


def serve_alone(
    server: PanelServer, announcement: Mapping[str, object], *, watch_stdin: bool = True
) -> None:
    """Serve until SIGTERM or SIGINT; prints one line first.

    Where standard input is a pipe, whoever holds its other end has started this: it ends with
    that pipe too, and says so on stderr, unless ``watch_stdin`` is off. A terminal, a file,
    /dev/null and no standard input at all are left alone.
    """
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: end.set())
    if watch_stdin and _is_held():
        threading.Thread(target=_watch, args=(end,), daemon=True).start()
    with server:
        sys.stdout.write(json.dumps({"url": server.url, **announcement}) + "\n")
        sys.stdout.flush()
        end.wait()


def _is_held() -> bool:
    if sys.stdin is None:  # it was closed: its number may be something else's by now
        return False
    mode = os.fstat(STDIN).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _watch(end: threading.Event) -> None:
    while os.read(STDIN, 4096):
        pass
    sys.stderr.write("The pipe to standard input has ended, and with it the simulator; ")
    sys.stderr.write("--no-stdin lets it go on.\n")
    end.set()
