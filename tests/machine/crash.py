"""A power cut at any statement: a real connection that dies at the n-th thing asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from syncd.book.store import Book
from syncd.clock import Clock


class PowerCut(BaseException):
    """No ``except Exception`` of the program catches it, as none would catch a real one."""


class Mains:
    """Counts statements, rows of many and commits; after ``left`` of them nothing works."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.used = 0
        self._connections: list[sqlite3.Connection] = []

    def tick(self) -> None:
        """Called before each thing, and after each commit."""
        self.used += 1
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            raise PowerCut

    def connection(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        """What SQLite is asked to connect with."""
        made = _Connection(*args, **kwargs)
        made.mains = self
        self._connections.append(made)
        return made

    def drop(self) -> None:
        """All that is open ends as with a process that dies: what is not committed is gone."""
        for each in self._connections:
            with suppress(sqlite3.Error):
                sqlite3.Connection.close(each)
        self._connections.clear()
        self.left = None


class _Cursor(sqlite3.Cursor):
    mains: Mains | None = None

    def execute(self, sql: str, params: Any = ()) -> _Cursor:
        if self.mains is not None:
            self.mains.tick()
        super().execute(sql, params)
        if self.mains is not None and sql.startswith("COMMIT"):
            self.mains.tick()
        return self

    def executemany(self, sql: str, rows: Iterable[Any]) -> _Cursor:
        super().executemany(sql, self._one_by_one(rows))
        return self

    def _one_by_one(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            if self.mains is not None:
                self.mains.tick()
            yield row


class _Connection(sqlite3.Connection):
    mains: Mains | None = None

    def cursor(self, factory: Any = _Cursor) -> Any:
        made = super().cursor(factory)
        made.mains = self.mains
        return made

    def execute(self, sql: str, params: Any = ()) -> Any:
        return self.cursor().execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        return self.cursor().executemany(sql, rows)

    def commit(self) -> None:
        if self.mains is not None:
            self.mains.tick()
        super().commit()
        if self.mains is not None:
            self.mains.tick()

    def rollback(self) -> None:
        if self.mains is not None and self.mains.left is not None and self.mains.left <= 0:
            raise PowerCut
        super().rollback()


def open_book(path: Path, clock: Clock, mains: Mains) -> Book:
    """The book at ``path`` over connections that ``mains`` can cut. No disk is waited for."""
    book = Book.open(path, clock)
    book.database.connect_params["factory"] = mains.connection
    book.database.pragma("synchronous", 0, permanent=True)
    return book
