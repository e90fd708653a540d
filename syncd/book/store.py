"""Open the book's database, and the two ways to use it: read, and write."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from peewee import SqliteDatabase

from syncd.book import migrations
from syncd.book.tables import database as current_database
from syncd.clock import Clock
from syncd.errors import StoreBusy, StoreRefused

ROWS_A_STATEMENT: Final = 100  # of at most 28 columns: far below SQLite's limit of 32,766 values
BUSY_SECONDS: Final = 30.0
OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING and upsert with WHERE

_PRAGMAS: Final = {
    "journal_mode": "wal",
    "synchronous": "full",
    # The keys are declared, and checked by the doctor and after each test that touches a book.
    # Checking them at each write costs 5 % of a pass, and nothing here ever deletes a parent.
    "foreign_keys": 0,
    "cache_size": -16_000,  # 16 MB
    "temp_store": "memory",
}


class Book:
    """The order book on disk. One instance a process; threads have their own connections.

    Read inside ``with book.connection():``; write inside ``with book.write():``, which is one
    transaction, begun as a writer, so that a read never has to turn into a write.
    """

    def __init__(self, database: SqliteDatabase, path: Path, clock: Clock) -> None:
        self.database = database
        self.path = path
        self.clock = clock
        self.titles: Mapping[str, str] = {}
        current_database.initialize(database)

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Book:
        """Open the book at ``path``, making or migrating it as needed.

        Raises StoreRefused when the file is not a book, is damaged, is newer than this
        program or cannot be written. A backup is made before a migration.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            wanted = ".".join(map(str, OLDEST_SQLITE))
            raise StoreRefused(
                f"SQLite {sqlite3.sqlite_version} is too old for the book; "
                f"use a Python linked with SQLite {wanted} or later."
            )
        migrations.migrate(path, clock)
        return cls(SqliteDatabase(str(path), pragmas=_PRAGMAS, timeout=BUSY_SECONDS), path, clock)

    def title_of(self, channel: str) -> str:
        """A channel as people call it: what its plugin says (``titles``), else its name."""
        return self.titles.get(channel, channel)

    @contextmanager
    def connection(self) -> Iterator[None]:
        """A connection for this thread; an inner one joins the outer."""
        if not self.database.is_closed():
            yield
            return
        with _plain_errors(self.path), self.database.connection_context():
            yield

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction that commits at the end or changes nothing; an inner one joins it.

        Raises StoreBusy when another program holds the database for longer than 30 s.
        """
        with self.connection():
            if self.database.in_transaction():
                yield
                return
            with _plain_errors(self.path), self.database.atomic("IMMEDIATE"):
                yield

    @contextmanager
    def step(self) -> Iterator[None]:
        """As ``write``, but where it fails inside another transaction, only it is undone."""
        with self.connection(), _plain_errors(self.path), self.database.atomic("IMMEDIATE"):
            yield

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows on this thread's connection."""
        self._raw().executemany(sql, rows)

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run an INSERT of one ``VALUES (?, ...)`` group for many rows, many rows a statement.

        A statement a row would let go of the interpreter's lock at each, and while pages are
        fetched by another thread each of those is a wait.
        """
        raw = self._raw()
        whole = len(rows) - len(rows) % ROWS_A_STATEMENT
        if whole:
            many = _many_rows(sql)
            for start in range(0, whole, ROWS_A_STATEMENT):
                raw.execute(many, list(chain.from_iterable(rows[start : start + ROWS_A_STATEMENT])))
        raw.executemany(sql, rows[whole:])

    def query(self, sql: str, params: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement on this thread's connection; the cursor gives plain tuples."""
        return self._raw().execute(sql, params)

    def ids(self, table: str) -> int:
        """The first free id of ``table``. Only inside ``write``, which excludes other writers."""
        row = self.query(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()
        return int(row[0])

    def _raw(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self.database.connection()  # type: ignore[no-untyped-call]
        return connection

    def close(self) -> None:
        """Close this thread's connection, if it has one open."""
        if not self.database.is_closed():
            self.database.close()


@lru_cache(maxsize=64)
def _many_rows(sql: str) -> str:
    """The same INSERT for ROWS_A_STATEMENT rows."""
    (group,) = re.findall(r"VALUES (\(\?(?:, \?)*\))", sql)
    return sql.replace(group, ", ".join([group] * ROWS_A_STATEMENT))


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the file into errors that tell what to do."""
    try:
        yield
    except Exception as error:
        # When a commit fails, the failing roll-back hides what happened first.
        text = f"{error} {error.__context__ or ''}"
        if "database is locked" in text:
            raise StoreBusy(
                f"{path} was held by another program for {BUSY_SECONDS:.0f} s; the work will be "
                f"tried again. Find it with: fuser {path}"
            ) from error
        if "database or disk is full" in text:
            raise StoreBusy(
                f"No space left for {path}; nothing was stored. Free some disk space, the next "
                "pass goes on by itself."
            ) from error
        if "malformed" in text or "not a database" in text:
            raise StoreRefused(
                f"{path} is damaged ({text}). Stop syncd and restore the newest backup beside it."
            ) from error
        raise
