"""What stands before every call: who may change things, how large a body may be, and that the
same request twice acts once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Final, NamedTuple

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncd.control.limits import MIB, MOST_HEAD, is_report, most_body_of
from syncd.control.peer import UNKNOWN, Peer, actor_of, may_write
from syncd.control.problems import problem

MOST_LARGE_AT_ONCE: Final = 2
MOST_ANSWERS: Final = 1_000
MOST_ANSWER_BYTES: Final = 8 * MIB
MOST_KEY: Final = 200
API: Final = 1
MIN_API: Final = 1

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger("syncd.control")


class _TooLarge(Exception):
    """The body is larger than it may be."""


class _Gone(Exception):
    """The client went away before its request was whole."""


class Kept(NamedTuple):
    """An answer that was given, and to which body."""

    body_hash: bytes
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Answers:
    """The answers to requests that named an Idempotency-Key: the newest, up to a number and a
    size of all together."""

    def __init__(self, most: int = MOST_ANSWERS, most_bytes: int = MOST_ANSWER_BYTES) -> None:
        self._kept: OrderedDict[tuple[int, str, str], Kept] = OrderedDict()
        self._busy: set[tuple[int, str, str]] = set()
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0

    def begin(self, key: tuple[int, str, str]) -> bool:
        """Take the key up; False when a request with it is being worked on."""
        if key in self._busy:
            return False
        self._busy.add(key)
        return True

    def end(self, key: tuple[int, str, str], kept: Kept | None) -> None:
        """Let go of the key. Only what was done is kept: after an error one may ask again."""
        self._busy.discard(key)
        if kept is None or not 200 <= kept.status < 300:
            return
        self._kept[key] = kept
        self._bytes += len(kept.body)
        while self._kept and (len(self._kept) > self._most or self._bytes > self._most_bytes):
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)

    def get(self, key: tuple[int, str, str]) -> Kept | None:
        """The answer that was given to this key."""
        return self._kept.get(key)


class Guard:
    """An ASGI layer around the API."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        own_uid: int,
        operators: Callable[[], Collection[int]],
        closed: Callable[[], str],
    ) -> None:
        """``closed`` tells why nothing may be changed now, or is empty."""
        self._app = app
        self._own_uid = own_uid
        self._operators = operators
        self._closed = closed
        self._answers = Answers()
        self._large = asyncio.Semaphore(MOST_LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it here."""
        if scope["type"] != "http":
            return
        if _head_size(scope) > MOST_HEAD:
            large = problem(
                431, "head_too_large", f"The request's head is larger than {MOST_HEAD} bytes.",
                do="Name fewer things in its address.", close=True,
            )  # fmt: skip
            await large(scope, receive, _with_version(send))
        elif scope["method"] in _READS:
            await self._run(scope, receive, _with_version(send))
        else:
            await self._admit(scope, receive, _with_version(send))

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that may change things, if this peer may do that now."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["path"] == "/v1/orders" or is_report(scope["path"]):
            if self._large.locked():
                await _busy(scope, receive, send)
                return
            async with self._large:
                await self._change(scope, receive, send)
        else:
            await self._change(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        peer: Peer = scope["state"].get("peer", UNKNOWN)
        if not may_write(peer.uid, own_uid=self._own_uid, operators=self._operators()):
            log.warning(
                "change refused", uid=peer.uid, pid=peer.pid, method=scope["method"],
                path=scope["path"][:200],
            )  # fmt: skip
            return problem(
                403, "not_an_operator",
                f"{actor_of(peer)} may look, but not change anything.",
                do="Use sudo, or have this user added to operators in the configuration.",
            )  # fmt: skip
        reason = self._closed()
        if reason:
            return problem(503, "not_ready", reason, do="Try again in a moment.")
        return None

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that may change things: its body whole first, then the call."""
        most = most_body_of(scope["path"])
        try:
            body = await _whole_body(scope, receive, most)
        except _TooLarge:
            large = problem(
                413, "too_large", f"The body is larger than {most // MIB} MiB.",
                do="Send it in parts.", close=True,
            )  # fmt: skip
            await large(scope, receive, send)
            return
        except _Gone:
            return
        key = Headers(scope=scope).get("idempotency-key", "")
        if key:
            await self._once(key, body, scope, receive, send)
        else:
            await self._run(scope, _replaying(body, receive), send)

    async def _once(
        self, key: str, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """The call if this key is new; else the answer that was given."""
        peer: Peer = scope["state"].get("peer", UNKNOWN)
        full_key = (peer.uid, f"{scope['method']} {scope['path']}", key[:MOST_KEY])
        digest = sha256(body + scope["query_string"]).digest()
        kept = self._answers.get(full_key)
        if kept is not None and kept.body_hash != digest:
            wrong = problem(
                422, "key_reused", "This Idempotency-Key came with another request before.",
                do="Take a new key for each new request.",
            )  # fmt: skip
            await wrong(scope, receive, send)
        elif kept is not None:
            await _send_kept(kept, send)
        elif not self._answers.begin(full_key):
            busy = problem(
                409, "in_progress", "A request with this Idempotency-Key is being worked on.",
                do="Ask again in a moment.",
            )  # fmt: skip
            await busy(scope, receive, send)
        else:
            recorder = _Recorder(send, digest)
            try:
                await self._run(scope, _replaying(body, receive), recorder)
            finally:
                self._answers.end(full_key, recorder.kept())

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The call itself. What goes wrong inside is logged, never shown to the peer.

        The peer has its answer by then: FastAPI sends the problem and raises on.
        """
        try:
            await self._app(scope, receive, send)
        except Exception:
            log.exception("control call failed", path=scope["path"][:200])


class _Recorder:
    """Passes an answer on and keeps it."""

    def __init__(self, send: Send, body_hash: bytes) -> None:
        self._send = send
        self._body_hash = body_hash
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = list(message.get("headers", ()))
        else:
            self._body += message.get("body", b"")
            self._whole = not message.get("more_body", False)
        await self._send(message)

    def kept(self) -> Kept | None:
        """The answer, once it was given whole."""
        if not self._whole:
            return None
        return Kept(self._body_hash, self._status, self._headers, bytes(self._body))


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem(
        503, "busy", f"{MOST_LARGE_AT_ONCE} imports are being taken in already.",
        do="Try again when they have ended.", close=True,
    )  # fmt: skip
    await answer(scope, receive, send)


async def _send_kept(kept: Kept, send: Send) -> None:
    headers = [*kept.headers, (b"idempotency-replayed", b"true")]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})


def _head_size(scope: Scope) -> int:
    fields = sum(len(name) + len(value) for name, value in scope["headers"])
    return fields + len(scope["raw_path"]) + len(scope["query_string"])


async def _whole_body(scope: Scope, receive: Receive, most: int) -> bytes:
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise _TooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > most:
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A receiver that gives the body once more, and then goes on with the client."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_version(send: Send) -> Send:
    """Each answer names the versions of the API that the daemon speaks."""
    versions = [(b"syncd-api", b"%d" % API), (b"syncd-min-api", b"%d" % MIN_API)]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *versions]}
        await send(message)

    return sending
