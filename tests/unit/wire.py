"""A pretend panel on a loopback socket that answers byte for byte what a test says."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any

from syncd._pace import Buckets
from syncd.clock import HandClock, SystemClock
from syncd.hookspecs import Pace
from syncd.panel import Limits, Panel
from syncd.tokens import MemoryTokens, TokenStore

NOON = datetime(2025, 7, 1, 12, 0, tzinfo=UTC)


@dataclass
class Reply:
    """One answer. ``cut``: close after that many bytes of the body. ``drip``: seconds between
    single bytes of everything. ``hang``: never answer. ``reset``: break the connection."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0.0
    hang: bool = False
    reset: bool = False
    date: datetime | None = NOON

    def text(self) -> bytes:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        if self.date is not None:
            headers["Date"] = format_datetime(self.date, usegmt=True)
        headers |= self.headers
        head = "".join(f"{k}: {v}\r\n" for k, v in headers.items() if v)
        body = self.body if self.cut is None else self.body[: self.cut]
        return f"HTTP/1.1 {self.status} Word\r\n{head}\r\n".encode("latin-1") + body


def said(document: object, **more: Any) -> Reply:
    """A Reply with a JSON document in it."""
    return Reply(body=json.dumps(document).encode(), **more)


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Sequence[Reply] | Callable[[Seen], Reply]


ALL_WELL: Script = (Reply(),)


class Wire:
    """Serves a script: a list of replies (the last repeats), or a function of the request."""

    def __init__(self, script: Script = ALL_WELL, *, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self._script = script
        self._tls = tls
        self._closing = threading.Event()
        self._guard = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.seen]

    def __enter__(self) -> Wire:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        for sock in [self._listener, *self._open]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                sock.close()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            with sock, sock.makefile("rb") as lines:
                while self._answer_one(sock, lines):
                    pass
        except OSError:
            return  # the client has gone: the usual end of a connection

    def _answer_one(self, sock: socket.socket, lines: Any) -> bool:
        request = _request(lines)
        if request is None:
            return False
        reply = self._reply(request)
        if reply.hang:
            self._closing.wait(30)
            return False
        if reply.reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if reply.drip:
            self._drip(sock, reply)
            return False
        sock.sendall(reply.text())
        return reply.cut is None

    def _drip(self, sock: socket.socket, reply: Reply) -> None:
        for number in reply.text():
            if self._closing.wait(reply.drip):
                return
            sock.sendall(bytes([number]))

    def _reply(self, request: Seen) -> Reply:
        with self._guard:
            self.seen.append(request)
            count = len(self.seen)
        if callable(self._script):
            return self._script(request)
        return self._script[min(count, len(self._script)) - 1]


def _request(lines: Any) -> Seen | None:
    first = lines.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := lines.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = lines.read(int(headers.get("content-length", "0")))
    return Seen(first[0], first[1], headers, body)


class Told:
    """Collects log calls."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    @property
    def waits(self) -> list[float]:
        return [fields["wait"] for event, fields in self.lines if event == "panel_retry"]


def panel_at(
    url: str,
    *,
    clock: HandClock | SystemClock | None = None,
    tokens: TokenStore | None = None,
    limits: Limits | None = None,
    stop: threading.Event | None = None,
    paces: dict[str, Pace] | None = None,
    buckets: Buckets | None = None,
    jitter: float = 0.5,
    log: Told | None = None,
    ca_bundle: str | None = None,
) -> Panel:
    """A Panel as a test wants it: the clock moved by hand, no luck in the jitter."""
    return Panel(
        url,
        account="fk-main",
        clock=clock or HandClock(NOON),
        tokens=tokens or MemoryTokens(),
        limits=limits or Limits(),
        stop=stop,
        paces=paces or {},
        buckets=buckets,
        jitter=lambda: jitter,
        log=log,
        ca_bundle=ca_bundle,
    )
