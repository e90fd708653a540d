"""Access tokens and where they are kept over a restart.

A token file is readable by its owner alone. One refresh at a time: whoever wants a new token
takes the account's lock, reads the store again, and only then asks the panel.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Struct

from syncd.clock import Clock, SystemClock
from syncd.errors import PanelBusy, Stopped

LOCK_PATIENCE: Final = 90.0  # seconds; longer than one call to a token endpoint may take
_LOCK_STEP: Final = 0.05


class Token(Struct, frozen=True, kw_only=True):
    """A panel's permission to read. ``expires_at`` and ``obtained_at`` are wall times, UTC.

    ``header`` names the request header that carries it; in ``Authorization`` it stands behind
    the word "Bearer", but alone in another header or with no ``token_type``. With ``param`` it
    is carried by the query parameter of that name instead. Its repr shows neither token.
    """

    access_token: str
    expires_at: datetime
    obtained_at: datetime
    refresh_token: str = ""
    token_type: str = "bearer"
    header: str = "Authorization"
    param: str = ""

    def __repr__(self) -> str:
        return f"Token(***, expires_at={self.expires_at.isoformat()})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("expires_at", self.expires_at.isoformat())]


class TokenStore(Protocol):
    """Keeps the one token of each account."""

    def load(self, account: str) -> Token | None:
        """The stored token, or None if there is none that can be read."""
        ...

    def save(self, account: str, token: Token) -> None:
        """Store it so that it survives a power cut before it is used for the first time."""
        ...

    def lock(
        self, account: str, stop: threading.Event | None = None
    ) -> AbstractContextManager[None]:
        """Hold the account's refresh, against all threads and processes.

        Raises PanelBusy if another holds it too long, Stopped when ``stop`` is set meanwhile.
        """
        ...


class MemoryTokens:
    """Tokens that live as long as this object. For tests and dry calls."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, account: str) -> Token | None:
        return self._tokens.get(account)

    def save(self, account: str, token: Token) -> None:
        self._tokens[account] = token

    @contextmanager
    def lock(self, account: str, stop: threading.Event | None = None) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(account, threading.Lock())
        _await(account, SystemClock(), stop, lambda: lock.acquire(blocking=False))
        try:
            yield
        finally:
            lock.release()


class FileTokens:
    """Tokens in a folder (0700), one file (0600) an account, replaced whole and synced.

    The lock is ``flock`` on a file beside the token: it dies with the process that holds it.
    """

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def load(self, account: str) -> Token | None:
        try:
            return msgspec.json.decode(self._path(account, "json").read_bytes(), type=Token)
        except (FileNotFoundError, msgspec.DecodeError):
            return None  # a file that cannot be read is as good as none: a new token is fetched

    def save(self, account: str, token: Token) -> None:
        path = self._path(account, "json")
        fresh = self._path(account, "new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(token))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._sync_folder()

    @contextmanager
    def lock(self, account: str, stop: threading.Event | None = None) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._path(account, "lock"), flags, 0o600)
        try:
            _await(account, self._clock, stop, lambda: _try_flock(handle))
            yield
        finally:
            os.close(handle)  # closing it gives the lock back

    def _path(self, account: str, kind: str) -> Path:
        return self._folder / f"{quote(account, safe=' ')}.{kind}"

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _try_flock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Try(Protocol):
    def __call__(self) -> bool: ...


def _await(account: str, clock: Clock, stop: threading.Event | None, take: _Try) -> None:
    """Take a lock, in short waits so that a stop is heard."""
    stop = stop or threading.Event()
    until = clock.monotonic() + LOCK_PATIENCE
    while not take():
        if clock.wait(_LOCK_STEP, stop):
            raise Stopped(f"Stopped while waiting for the token of account {account}.")
        if clock.monotonic() >= until:
            raise PanelBusy(
                f"Another process has been renewing the token of account {account} for "
                f"{LOCK_PATIENCE:.0f} s; the next pass tries again."
            )
