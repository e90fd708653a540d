"""Run a simulator as a program of its own: one JSON line says where, then it serves."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping

from syncd.testing.panel_server import PanelServer


def serve_alone(
    server: PanelServer, announcement: Mapping[str, object], *, watch_stdin: bool = True
) -> None:
    """Serve until SIGTERM, SIGINT or the end of standard input; prints one line first.

    ``watch_stdin`` off is for a service manager that gives no standard input.
    """
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: end.set())
    if watch_stdin:
        threading.Thread(target=_watch, args=(end,), daemon=True).start()
    with server:
        sys.stdout.write(json.dumps({"url": server.url, **announcement}) + "\n")
        sys.stdout.flush()
        end.wait()


def _watch(end: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    end.set()
