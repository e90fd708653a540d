"""HTTP on one connection: who the peer is, and limits for size, time and number."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from syncd.control.limits import MOST_CONNECTIONS, MOST_HEAD, READ_SECONDS, WRITE_SECONDS
from syncd.control.peer import peer_of
from syncd.control.problems import raw_answer

_STILL_READING: Final = (h11.IDLE, h11.SEND_BODY)


class Connection(H11Protocol):
    """One client. A request must be here ``read_seconds`` after its first byte or the connect;
    a client that takes no bytes for ``write_seconds`` is dropped."""

    most_connections = MOST_CONNECTIONS
    read_seconds = READ_SECONDS
    write_seconds = WRITE_SECONDS
    who = staticmethod(peer_of)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_by: asyncio.TimerHandle | None = None
        self._write_by: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the client in, or tell it that there are too many."""
        peer = self.who(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, "peer": peer}
        full = len(self.connections) >= self.most_connections
        super().connection_made(transport)
        if full:
            self._refuse(
                503, "too_many_connections",
                f"{self.most_connections} connections are open already.", "Try again in a moment.",
            )  # fmt: skip
            return
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; the deadline ends with the request's last byte."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state not in _STILL_READING:
            self._forget_read_deadline()
        elif self._read_by is None:
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: no timer may outlive it."""
        self._forget_read_deadline()
        self._forget_write_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not take what we send: it has some seconds to begin."""
        super().pause_writing()
        if self._write_by is None:
            self._write_by = self.loop.call_later(self.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        self._forget_write_deadline()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or has a head that is too large."""
        self._refuse(
            400, "not_http",
            f"This is not an HTTP request, or its head is larger than {MOST_HEAD} bytes.",
            "Use syncctl, or curl --unix-socket.",
        )  # fmt: skip

    def _expect_request(self) -> None:
        self._read_by = self.loop.call_later(self.read_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._read_by = None
        self._refuse(
            408, "too_slow", f"The request was not complete after {self.read_seconds:g} s.",
            "Send it whole at once.",
        )  # fmt: skip

    def _refuse(self, status: int, code: str, detail: str, do: str) -> None:
        """Answer if no answer has begun, and close; bytes that cannot leave are given up."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(raw_answer(status, code, detail, do))
        self.transport.close()
        if self._write_by is None:
            self._write_by = self.loop.call_later(self.write_seconds, self.transport.abort)

    def _forget_read_deadline(self) -> None:
        if self._read_by is not None:
            self._read_by.cancel()
            self._read_by = None

    def _forget_write_deadline(self) -> None:
        if self._write_by is not None:
            self._write_by.cancel()
            self._write_by = None
