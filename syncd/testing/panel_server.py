"""A threaded HTTP server on the loopback, the base of every channel's simulator.

A simulator subclasses :class:`PanelServer` and writes ``answer``, which raises ``BadRequest`` or
``Problem`` where the panel would refuse. The base gives keep-alive connections, HEAD, the fault
script, a request log without secrets, a control surface under ``/control/`` and a clean stop.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import struct
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct, structs

from syncd.clock import Clock
from syncd.testing.control import Control
from syncd.testing.faults import Fault, FaultScript
from syncd.testing.messages import BadRequest, Problem, Reply, Request, json_reply
from syncd.testing.world import World

MAX_BODY: Final = 1 << 20
ALLOWED: Final = "GET, HEAD, POST, PUT, DELETE"
_LOGIN_PAGE: Final = b"<!DOCTYPE html><html><body><form>Please log in</form></body></html>"
_BROKEN: Final = (ConnectionError, TimeoutError)


class Logged(Struct, frozen=True):
    """A line of the request log; secrets in the query are masked."""

    method: str
    target: str
    status: int
    at: datetime
    fault: str = ""


class PanelServer:
    """Serves one world on ``http://127.0.0.1``; a context manager, or ``start`` and ``stop``.

    ``on_request`` is called with each request before it is answered: a test may change the
    world there, between two pages. ``troubles`` holds the tracebacks of our own mistakes.
    """

    secret_params: ClassVar[frozenset[str]] = frozenset({"refresh_token", "code", "token"})

    def __init__(
        self,
        world: World,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
        max_connections: int = 256,
    ) -> None:
        self.world = world
        self.clock = clock or world.clock
        self.faults = faults or FaultScript()
        self.log: deque[Logged] = deque(maxlen=20_000)
        self.troubles: list[str] = []
        self.on_request: Callable[[Request], None] | None = None
        self.stopping = threading.Event()
        self._control = Control(world, self.clock, self.faults, self.publish)
        self._last: dict[str, Reply] = {}
        self._listener = _Listener(self, port, max_connections)
        self._thread: threading.Thread | None = None

    # What a simulator writes ------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """The panel's answer. The base knows no path."""
        raise Problem(self.error(404, f"no such path: {request.path}"))

    def error(self, status: int, message: str) -> Reply:
        """An error in the panel's own form."""
        return json_reply({"error": HTTPStatus(status).phrase, "message": message}, status)

    def expire_tokens(self) -> None:
        """Let every access token die; the base has none."""

    def publish(self) -> None:
        """Let people make the report files of now; a panel without files makes none."""

    def page_family(self, request: Request) -> str:
        """Which requests are pages of one list, for the fault ``repeat``."""
        return request.path

    # Life -------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        return "http://{}:{}".format(*self.address)

    def start(self) -> Self:
        """Serve from a thread of its own."""
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.01,), name="panel-server"
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all connections and threads; a second call does nothing."""
        self.stopping.set()
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.hang_up()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # One request ------------------------------------------------------------------------------

    def requests(self, path: str = "") -> list[Logged]:
        """The log so far, control calls left out; with ``path`` only targets that begin so."""
        return [line for line in list(self.log) if line.target.startswith(path)]

    def date(self) -> str:
        """The Date header: the clock's time, off by the script's skew."""
        return format_datetime(
            self.clock.now() + timedelta(seconds=self.faults.skew_seconds), usegmt=True
        )

    def reply_to(self, request: Request) -> Reply:
        """The answer to a request, with the faults that concern its content."""
        if request.method == "HEAD":
            request = structs.replace(request, method="GET")
        if request.path.startswith("/control/"):
            return self._controlled(request)
        if self.on_request is not None:
            self.on_request(request)
        family = self.page_family(request)
        if request.asks("repeat") and family in self._last:
            return self._last[family]
        if request.asks("expire"):
            self.expire_tokens()
        try:
            reply = self.answer(request)
        except Problem as problem:
            return problem.reply
        except BadRequest as error:
            return self.error(400, str(error))
        self._last[family] = reply
        return reply

    def _controlled(self, request: Request) -> Reply:
        name = request.path.removeprefix("/control/")
        if name == "requests":
            return json_reply(list(self.log))
        status, body, kind = self._control.call(request.method, name, request.query, request.body)
        return Reply(status, body, kind)

    def note(self, request: Request, status: int) -> None:
        """Write a line of the log; control calls are no part of the panel."""
        if not request.path.startswith("/control/"):
            deed = request.fault.do if request.fault else ""
            target = self._masked(request)
            self.log.append(Logged(request.method, target, status, self.clock.now(), deed))

    def _masked(self, request: Request) -> str:
        hidden = self.secret_params & request.query.keys()
        if not hidden:
            return request.target
        shown = {k: "***" if k in hidden else v for k, v in request.query.items()}
        return f"{request.path}?{urlencode(shown, safe='*')}"


class _Listener(ThreadingTCPServer):
    """Accepts up to a limit of connections, one thread each, and knows them all."""

    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = False

    def __init__(self, panel: PanelServer, port: int, limit: int) -> None:
        self.panel = panel
        self._limit = limit
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            welcome = len(self._open) < self._limit
            if welcome:
                self._open.add(request)
        if welcome:
            super().process_request(request, client_address)
        else:
            with contextlib.suppress(OSError):
                request.sendall(b"HTTP/1.1 503 Too Many Connections\r\nContent-Length: 0\r\n\r\n")
            super().shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every thread that waits for its client."""
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), _BROKEN):
            self.panel.troubles.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, lets the panel answer, and sends as the faults say."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60.0
    server: _Listener

    def serve(self) -> None:
        """Answer one request of any method."""
        panel = self.server.panel
        request = self._read()
        if request is None:
            return
        if not request.path.startswith("/control/"):
            request.fault = panel.faults.take(request.method, request.target)
        try:
            reply = self._reply(request)
        except Exception:
            trouble = traceback.format_exc()
            panel.troubles.append(trouble)
            sys.stderr.write(trouble)
            reply = panel.error(500, "the simulator made a mistake; see its standard error")
        panel.note(request, reply.status if reply else 0)
        if reply is None:
            self._break_off(request)
        else:
            self._send(reply, request.fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve  # noqa: N815 - the base class's names

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses, another method or no HTTP at all, in the panel's form."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(405, f"no such method here: {self.command}", Allow=ALLOWED)
        else:
            self._refuse(code, message or _phrase(code))

    def _read(self) -> Request | None:
        length = self.headers.get("Content-Length") or "0"
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            self._refuse(411, "send a Content-Length")
            return None
        if int(length) > MAX_BODY:
            self._refuse(413, f"a body has at most {MAX_BODY} bytes")
            return None
        path, _, query = self.path.partition("?")
        return Request(
            method=self.command,
            target=self.path,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)) if length != "0" else b"",
        )

    def _refuse(self, status: int, message: str, **headers: str) -> None:
        self.close_connection = True
        reply = self.server.panel.error(status, message)
        self._write(structs.replace(reply, headers=reply.headers | headers), None)

    def _reply(self, request: Request) -> Reply | None:
        """The answer, or None where there is to be none."""
        panel, fault = self.server.panel, request.fault
        if fault is None:
            return panel.reply_to(request)
        if fault.do in ("hang", "reset"):
            return None
        if fault.do == "delay":
            panel.stopping.wait(fault.seconds)
        return _canned(panel, fault) or panel.reply_to(request)

    def _break_off(self, request: Request) -> None:
        fault = request.fault
        self.close_connection = True
        if fault is not None and fault.do == "hang":
            self.server.panel.stopping.wait(fault.seconds or 3600.0)
        else:
            self._reset()

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        if fault is not None and fault.do == "cut":
            self.close_connection = True
            self._write(reply, min(fault.size or len(reply.body) // 2, len(reply.body) - 1))
        elif fault is not None and fault.do == "drip" and self.command != "HEAD":
            self._drip(reply, fault)
        else:
            self._write(reply, None)

    def _head(self, reply: Reply) -> bytes:
        lines = [
            f"HTTP/1.1 {reply.status} {_phrase(reply.status)}",
            f"Date: {self.server.panel.date()}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {len(reply.body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _write(self, reply: Reply, upto: int | None) -> None:
        body = b"" if self.command == "HEAD" else reply.body[:upto]
        with contextlib.suppress(*_BROKEN):
            self.wfile.write(self._head(reply) + body)

    def _drip(self, reply: Reply, fault: Fault) -> None:
        self.close_connection = True
        step, pause = max(1, fault.size), fault.seconds or 1.0
        with contextlib.suppress(*_BROKEN):
            self.wfile.write(self._head(reply))
            for start in range(0, len(reply.body), step):
                self.wfile.write(reply.body[start : start + step])
                if self.server.panel.stopping.wait(pause):
                    return

    def log_message(self, format: str, *args: Any) -> None:
        """The panel keeps its own log."""


def _canned(panel: PanelServer, fault: Fault) -> Reply | None:
    """The answer of a fault that needs nothing of the panel's content."""
    if fault.do == "status":
        status = fault.status or 503
        reply = panel.error(status, "said the fault script")
        return Reply(status, reply.body, reply.content_type, dict(fault.headers))
    if fault.do == "html":
        return Reply(fault.status or 200, _LOGIN_PAGE, "text/html; charset=utf-8")
    if fault.do == "body":
        body = fault.body.encode("utf-8", "surrogateescape")
        return Reply(fault.status or 200, body, headers=dict(fault.headers))
    if fault.do == "redirect":
        headers = {"Location": f"{panel.url}/login", **fault.headers}
        return Reply(fault.status or 302, b"", headers=headers)
    if fault.do == "flood":
        return Reply(200, b" " * fault.size)
    if fault.do == "bomb":
        body = gzip.compress(b" " * fault.size)
        return Reply(200, body, headers={"Content-Encoding": "gzip"})
    return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
