"""A database that fails under a call: the disk is full, broken, or no longer writable."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import peewee

from syncd.errors import BookError, StoreBusy, StoreRefused

DATABASE_ERRORS: Final = (sqlite3.DatabaseError, peewee.DatabaseError)
_FULL: Final = sqlite3.SQLITE_FULL
_FAILURES: Final = frozenset({
    _FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
})  # fmt: skip


class StoreFailed(BookError):
    """The book's file could not be read or written. ``taken``: orders stored before that."""

    code = "store_failed"

    def __init__(self, message: str, *, full: bool = False, taken: int = 0) -> None:
        self.full = full
        self.taken = taken
        super().__init__(message)


def is_store_failure(error: BaseException) -> bool:
    """Whether the file or its disk is to blame, and not the statement."""
    return isinstance(error, StoreBusy | StoreRefused) or _code(error) in _FAILURES


def is_full(error: BaseException) -> bool:
    """Whether there was no room left."""
    return _code(error) == _FULL


def failure_text(path: Path, error: BaseException) -> str:
    """What happened to which file, and what to do."""
    if isinstance(error, StoreBusy | StoreRefused):
        return str(error)
    if is_full(error):
        return f"There is no room left for the book {path}. Free some disk space, then try again."
    said = _root(error)
    return (
        f"The book {path} could not be read or written ({said}). Look at its disk and the "
        "kernel's log (dmesg), then try again; nothing is stored in halves."
    )


def _code(error: BaseException) -> int | None:
    """SQLite's primary result code, None for what is not from SQLite."""
    code = getattr(_root(error), "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _root(error: BaseException) -> BaseException:
    """What SQLite said of the file. peewee and the book wrap it; and where SQLite has undone a
    transaction by itself, the error that comes out is only that it cannot be undone again."""
    seen: BaseException | None = error
    while seen is not None:
        code = getattr(seen, "sqlite_errorcode", None)
        if isinstance(code, int) and code & 0xFF in _FAILURES:
            return seen
        seen = seen.__cause__ or seen.__context__
    return error
