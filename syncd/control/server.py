"""The control server: uvicorn on a socket that we made, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from syncd.control.app import make_app
from syncd.control.bind import BACKLOG, Listener, SocketRefused, adopt, listen_at
from syncd.control.limits import IDLE_SECONDS, MOST_HEAD
from syncd.control.protocol import Connection
from syncd.control.service import Service

START_SECONDS: Final = 20.0
LAST_ANSWERS_SECONDS: Final = 1
_TICKS_A_LOOK: Final = 10  # uvicorn ticks ten times a second

log = structlog.get_logger("syncd.control")


class ControlServer:
    """Serves the API over a Unix socket from ``start`` to ``stop``.

    ``operators`` are the user ids that may change things, besides root and our own; after a
    reload the service's configuration counts as well. With ``given``, a listening socket from
    the service manager, none is made. The socket is made again when its file is deleted.
    """

    def __init__(
        self,
        service: Service,
        socket_path: Path,
        operators: Collection[int] = (),
        *,
        given: socket.socket | None = None,
        protocol: type[Connection] = Connection,
    ) -> None:
        self._service = service
        self._path = socket_path
        self._given = given
        self._protocol = protocol
        self._operators = frozenset(operators)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> Path:
        """Where the socket is."""
        return self._path

    def start(self) -> None:
        """Listen and answer. Raises SocketRefused when the socket cannot be made."""
        listener = adopt(self._given) if self._given else listen_at(self._path)
        app = make_app(self._service, self._may_change)
        server = _Server(_uvicorn_config(app, self._protocol), listener)
        self._server = server
        self._thread = threading.Thread(target=server.serve_quietly, name="control", daemon=True)
        self._thread.start()
        if not server.answering.wait(START_SECONDS) or server.failure is not None:
            self.stop()
            raise SocketRefused(f"The control server did not start: {server.failure}")

    def stop(self, timeout: float = 5.0) -> bool:
        """Answer what is being asked, remove the socket. True: it has ended.

        Streams end at once when ``Service.close`` was called before, else after a second.
        """
        if self._server is None or self._thread is None:
            return True
        self._server.should_exit = True
        self._thread.join(timeout)
        self._server.listener.remove()
        return not self._thread.is_alive()

    def alive(self) -> bool:
        """Whether the server's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def _may_change(self) -> Collection[int]:
        return self._operators.union(self._service.operators())


def _uvicorn_config(app: ASGIApp, protocol: type[Connection]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        h11_max_incomplete_event_size=MOST_HEAD,
    )


class _Server(uvicorn.Server):
    """uvicorn, and a look at the socket's file each second."""

    def __init__(self, config: uvicorn.Config, listener: Listener) -> None:
        super().__init__(config)
        self.listener = listener
        self.answering = threading.Event()
        self.failure: BaseException | None = None
        self._told = ""

    def serve_quietly(self) -> None:
        """Serve until asked to stop; a failure is kept for the thread that started us."""
        try:
            asyncio.run(self.serve(sockets=[self.listener.socket]))
        except BaseException as error:  # uvicorn ends a failed start with SystemExit
            self.failure = error
            log.exception("control server ended")
        finally:
            self.answering.set()

    async def on_tick(self, counter: int) -> bool:
        """Once a second: is the socket's file still there?"""
        self.answering.set()
        if counter % _TICKS_A_LOOK == 0 and self.listener.inode != -1:
            await self._look_after_socket()
        return await super().on_tick(counter)

    async def _look_after_socket(self) -> None:
        if self.listener.in_place() or self.should_exit:
            return
        try:
            again = listen_at(self.listener.path)
        except SocketRefused as error:
            if str(error) != self._told:
                log.error("control socket lost", reason=str(error))
                self._told = str(error)
            return
        log.warning("control socket was deleted, made again", path=str(again.path))
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(self._new_connection, sock=again.socket)]
        self.listener = again
        self._told = ""

    def _new_connection(self) -> asyncio.Protocol:
        protocol = self.config.http_protocol_class
        return protocol(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
