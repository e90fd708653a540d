"""Bring the book's schema to what this program needs.

An empty file gets the tables as ``tables.py`` has them. An older book gets, after a backup,
each step that it lacks, in order, each in a transaction of its own. ``application_id`` marks
the file as a book; ``user_version`` is the number of its schema, 1 for the first. A book that
is newer than the program is refused.

To change the schema: change ``tables.py`` and append a step that does the same to an old book;
a test holds the two equal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from peewee import SqliteDatabase

from syncd.book.tables import ALL_TABLES
from syncd.clock import Clock
from syncd.errors import StoreRefused

APPLICATION_ID: Final = 0x53594E43  # "SYNC"
LOCK_SECONDS: Final = 30.0

Step = Callable[[sqlite3.Connection], None]


def settle_brake_and_audit(db: sqlite3.Connection) -> None:
    """1 to 2: exceptions that a person settles, the safety brake, audits, split parcels."""
    for table, column in (
        ("run", "\"purpose\" TEXT NOT NULL DEFAULT 'sync'"),
        ("run", "\"place\" TEXT NOT NULL DEFAULT ''"),
        ("orders", "\"replaces\" TEXT NOT NULL DEFAULT ''"),
        ("package", '"successor_id" INTEGER REFERENCES "package" ("id") ON DELETE RESTRICT'),
        ("package", '"came_from_id" INTEGER REFERENCES "package" ("id") ON DELETE RESTRICT'),
        ("package", '"learned" INTEGER NOT NULL DEFAULT 0'),
        ("item", "\"replaces\" TEXT NOT NULL DEFAULT ''"),
        ("item", '"settled_at" INTEGER'),
        ("item", "\"withdrawn_type\" TEXT NOT NULL DEFAULT ''"),
        ("item", '"cancelled_at" INTEGER'),
        ("item", '"lost_at" INTEGER'),
        ("inbox", '"claimed_at" INTEGER'),
        ("exceptions", '"against_id" INTEGER REFERENCES "inbox" ("id") ON DELETE RESTRICT'),
        ("exceptions", "\"choice\" TEXT NOT NULL DEFAULT ''"),
        ("exceptions", '"due_at" INTEGER'),
        ("inbox", '"since_item" INTEGER'),
        ("inbox", "\"as_line\" TEXT NOT NULL DEFAULT ''"),
        ("task", '"deep_every_seconds" INTEGER NOT NULL DEFAULT 0'),
        ("task", '"deep_days" INTEGER NOT NULL DEFAULT 0'),
        ("task", '"next_deep" INTEGER NOT NULL DEFAULT 0'),
    ):
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    for statement in (_LEARNED, *_INDEXES, *_BRAKE_AND_DRIFT, *_WAITS, _MEMO, _REPORT):
        db.execute(statement)
    for column in ("tracking_number", "shipment_id"):
        db.execute(
            f'CREATE INDEX "package_here_by_{column}" ON "package" ("{column}") '
            f"WHERE {column} <> '' AND dispatched_at IS NULL"
        )


# Until now a parcel had its names only from the fact by which the first of its pieces left.
_LEARNED: Final = (
    "UPDATE package SET learned = 1 WHERE dispatched_at IS NOT NULL AND id IN (SELECT package_id "
    "FROM item WHERE position IN ('CREATED', 'PICKING', 'PICKED', 'PACKED', 'READY_TO_SHIP', "
    "'MANIFESTED', 'CANCELLED'))"
)
_INDEXES: Final = (
    'CREATE INDEX "package_order_id" ON "package" ("order_id")',
    'CREATE INDEX "exceptions_order_id_account_id" ON "exceptions" ("order_id", "account_id")',
    'DROP INDEX "inbox_unsettled"',
    'CREATE INDEX "inbox_unsettled" ON "inbox" ("account_id", "occurred_at", "id", "state", '
    "\"status\") WHERE state <> 'DONE'",
)
_BRAKE_AND_DRIFT: Final = (
    'CREATE TABLE "brake" ("id" INTEGER NOT NULL PRIMARY KEY, "account_id" INTEGER NOT NULL '
    'REFERENCES "account" ("id") ON DELETE RESTRICT, "run_id" INTEGER NOT NULL REFERENCES "run" '
    '("id") ON DELETE RESTRICT, "upto" INTEGER NOT NULL, "upto_item" INTEGER NOT NULL DEFAULT 0, '
    '"cancels" INTEGER NOT NULL, "open_orders" INTEGER NOT NULL, "state" TEXT NOT NULL, '
    '"opened_at" INTEGER NOT NULL, "closed_at" INTEGER, "closed_by" TEXT NOT NULL, '
    '"note" TEXT NOT NULL)',
    'CREATE INDEX "brake_account_id_state" ON "brake" ("account_id", "state")',
    'CREATE TABLE "drift" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER NOT NULL '
    'REFERENCES "run" ("id") ON DELETE RESTRICT, "account_id" INTEGER NOT NULL REFERENCES '
    '"account" ("id") ON DELETE RESTRICT, "order_id" TEXT NOT NULL, "line_id" TEXT NOT NULL, '
    '"item_id" INTEGER REFERENCES "item" ("id") ON DELETE RESTRICT, "cause" TEXT NOT NULL, '
    '"book_says" TEXT NOT NULL, "panel_says" TEXT NOT NULL, "message" TEXT NOT NULL, '
    '"mended" INTEGER NOT NULL)',
    'CREATE INDEX "drift_run_id" ON "drift" ("run_id")',
)

_WAITS: Final = (
    'CREATE TABLE "attempt" ("item_id" INTEGER NOT NULL PRIMARY KEY REFERENCES "item" ("id") '
    'ON DELETE RESTRICT, "at" INTEGER NOT NULL)',
    'CREATE INDEX "item_coming_back" ON "item" ("position", "return_noticed_at") WHERE position '
    "IN ('RETURN_EXPECTED', 'CIR_CREATED')",
    'CREATE INDEX "inbox_waits" ON "inbox" ("account_id", "state", "observed_at") WHERE state IN '
    "('PARKED', 'TOMBSTONE', 'WAITING', 'REFUSED')",
)

_MEMO: Final = (
    'CREATE TABLE "memo" ("account_id" INTEGER NOT NULL REFERENCES "account" ("id") '
    'ON DELETE RESTRICT, "key" TEXT NOT NULL, "text" TEXT NOT NULL, "good_until" INTEGER NOT '
    'NULL, PRIMARY KEY ("account_id", "key"))'
)

_REPORT: Final = (
    'CREATE TABLE "report" ("run_id" INTEGER NOT NULL PRIMARY KEY REFERENCES "run" ("id") '
    'ON DELETE CASCADE, "name" TEXT NOT NULL, "content" BLOB NOT NULL, "at" INTEGER NOT NULL)'
)

STEPS: Final[Sequence[Step]] = (settle_brake_and_audit,)
"""``STEPS[0]`` turns schema 1 into 2, and so on."""


def create_schema(connection: sqlite3.Connection) -> None:
    """All tables and indexes, as ``tables.py`` has them."""
    schema = SqliteDatabase(None)
    with schema.bind_ctx(ALL_TABLES, bind_refs=False, bind_backrefs=False):
        for table in ALL_TABLES:
            manager: Any = table._schema  # type: ignore[union-attr]
            connection.execute(*manager._create_table(safe=False).query())
            for index in manager._create_indexes(safe=False):
                connection.execute(*index.query())


def migrate(path: Path, clock: Clock, steps: Sequence[Step] = STEPS) -> int:
    """Make the book at ``path`` if there is none, else run the steps it still lacks.

    Returns how many steps were run.

    Raises StoreRefused for a file that is not a book, damaged, newer, or not writable.
    """
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as db:
            version = _check(db, path, len(steps) + 1)
            if version == 0:
                _take(db, 0, len(steps) + 1, create_schema)
                return 0
            missing = steps[version - 1 :]
            if missing:
                _back_up(db, path, version, clock)
            for number, step in enumerate(missing, start=version):
                _take(db, number, number + 1, step)
            return len(missing)
    except sqlite3.DatabaseError as error:
        raise StoreRefused(
            f"{path} cannot be used as the book: {error}. Check that the folder is writable by "
            "this user and that the file is a syncd book."
        ) from error


def pending(path: Path, steps: Sequence[Step] = STEPS) -> list[str]:
    """The names of the steps that opening the book would run; a dry run, changes nothing."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        version = _check(db, path, len(steps) + 1)
    return [step.__name__ for step in steps[max(version, 1) - 1 :]]


def _check(db: sqlite3.Connection, path: Path, newest: int) -> int:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and application == 0 and version == 0:
        return 0
    if application != APPLICATION_ID:
        raise StoreRefused(
            f"{path} is a database of another program; it is left untouched. Give syncd a "
            "state_dir of its own."
        )
    if version > newest:
        raise StoreRefused(
            f"{path} has schema {version}, this program knows {newest}. Install the newer syncd "
            "again, or restore the backup made before the upgrade."
        )
    damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise StoreRefused(f"{path} is damaged: {damage}. Restore the newest backup beside it.")
    return version


def _back_up(db: sqlite3.Connection, path: Path, version: int, clock: Clock) -> None:
    stamp = clock.now().strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.schema-{version}.{stamp}.backup")
    with closing(sqlite3.connect(target)) as copy:
        db.backup(copy)


def _take(db: sqlite3.Connection, old: int, new: int, step: Step) -> None:
    """One step and its version mark, both or neither; nothing if another was faster."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if int(db.execute("PRAGMA user_version").fetchone()[0]) == old:
            step(db)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {new}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
