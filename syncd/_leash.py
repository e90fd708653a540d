"""Sockets that know when a call must end.

A read time-out is per read: a server that sends a byte a second never trips it. Here every
read of a connection, of headers and of the body, in clear or inside TLS, asks the leash how
long it may still wait, in short steps so that a stop is heard within a quarter of a second.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from errno import EINPROGRESS
from functools import partial
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from syncd.clock import Clock
from syncd.errors import Stopped

STEP: Final = 0.25  # seconds


class OverdueError(TimeoutError):
    """The whole call took longer than it may."""


class Leash:
    """Ends the call in hand at its deadline or at a stop. One call at a time.

    ``connect`` and ``read`` are seconds of waiting in a row, ``total`` seconds of the call.
    """

    def __init__(
        self, clock: Clock, stop: threading.Event, *, connect: float, read: float, total: float
    ) -> None:
        self.connect = connect
        self.read = read
        self._clock = clock
        self._stop = stop
        self._total = total
        self._ends = 0.0

    def begin(self) -> None:
        """A call begins now."""
        self._ends = self._clock.monotonic() + self._total

    def overdue(self) -> bool:
        """Is the deadline of the call in hand over?"""
        return self._clock.monotonic() >= self._ends

    def step(self) -> float:
        """How long to wait next. Raises Stopped or OverdueError if there is no more waiting."""
        if self._stop.is_set():
            raise Stopped("Stopped while waiting for a panel's answer.")
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            raise OverdueError("the call took too long")
        return min(STEP, left)


class _Leashed(socket.socket):
    leash: Leash | None = None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return _read(self, partial(super().recv_into, buffer, nbytes, flags))


class _LeashedTls(ssl.SSLSocket):
    leash: Leash | None = None

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        return _read(self, partial(super().recv_into, buffer, nbytes, flags))


def _read(sock: _Leashed | _LeashedTls, read: partial[int]) -> int:
    leash = sock.leash
    if leash is None:
        return read()
    waited = 0.0
    while True:
        step = leash.step()
        sock.settimeout(step)
        try:
            return read()
        except TimeoutError:
            waited += step
            if waited >= leash.read:
                raise


def _connect(
    leash: Leash, address: tuple[Any, ...], family: int, kind: int, proto: int
) -> _Leashed:
    sock = _Leashed(family, kind, proto)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        trouble = sock.connect_ex(address)
        if trouble == EINPROGRESS:
            _await_connected(leash, sock)
            trouble = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if trouble:
            raise OSError(trouble, "cannot connect")
    except BaseException:
        sock.close()
        raise
    sock.settimeout(leash.connect)  # for the TLS handshake, if there is one
    sock.leash = leash
    return sock


def _await_connected(leash: Leash, sock: socket.socket) -> None:
    waited = 0.0
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while True:
        step = leash.step()
        if poll.poll(step * 1000):
            return
        waited += step
        if waited >= leash.connect:
            raise TimeoutError("no connection in time")


class _Connection(HTTPConnection):
    leash: Leash

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers, heeding the leash."""
        host = self._dns_host
        try:
            addresses = socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(host, self, socket.gaierror(str(error))) from None
        trouble: OSError = OSError("the name has no address")
        for family, kind, proto, _, address in addresses:
            try:
                return _connect(self.leash, address, family, kind, proto)
            except OSError as error:
                trouble = error
        if isinstance(trouble, TimeoutError):
            raise ConnectTimeoutError(self, "no connection in time") from trouble
        raise NewConnectionError(self, str(trouble)) from trouble


class _TlsConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, _LeashedTls):
            self.sock.leash = self.leash


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def __init__(self, *args: Any, leash: Leash, **options: Any) -> None:
        self._leash = leash
        super().__init__(*args, **options)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.leash = self._leash
        return connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

    def __init__(self, *args: Any, leash: Leash, **options: Any) -> None:
        self._leash = leash
        super().__init__(*args, **options)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.leash = self._leash
        return connection


class LeashedAdapter(HTTPAdapter):
    """The transport of a ``requests`` session whose connections are on a leash."""

    def __init__(self, leash: Leash) -> None:
        self._leash = leash
        context = create_urllib3_context()
        context.sslsocket_class = _LeashedTls
        self._context = context
        super().__init__(pool_connections=2, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        self._put_on_leash(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        if not known:
            self._put_on_leash(manager)
        return manager

    def _put_on_leash(self, manager: PoolManager) -> None:
        classes: dict[str, Any] = {
            "http": partial(_Pool, leash=self._leash),
            "https": partial(_TlsPool, leash=self._leash),
        }
        manager.pool_classes_by_scheme = classes


__all__ = ["Leash", "LeashedAdapter", "OverdueError"]
