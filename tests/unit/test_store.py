"""The book's file: made, opened, migrated, and refused when it is not ours."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.book import migrations, order_lookups
from syncd.book.store import Book
from syncd.book.tables import OPEN_FACTS, Tenant
from syncd.clock import HandClock
from syncd.errors import StoreRefused

CLOCK = HandClock(datetime(2026, 3, 1, tzinfo=UTC))


def schema_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {row[0] for row in db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")}


def test_a_new_book_has_all_tables_and_is_marked_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    book = Book.open(path, CLOCK)
    with book.connection():
        assert book.query("PRAGMA application_id").fetchone()[0] == migrations.APPLICATION_ID
        assert book.query("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert book.query("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert book.query("SELECT count(*) FROM inbox").fetchone()[0] == 0


def test_opening_again_changes_nothing_and_makes_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    Book.open(path, CLOCK)
    before = schema_of(path)
    Book.open(path, CLOCK)
    assert schema_of(path) == before
    assert not list(tmp_path.glob("*.backup"))


def test_fault_D09_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
        db.commit()
    content = path.read_bytes()
    with pytest.raises(StoreRefused, match="another program"):
        Book.open(path, CLOCK)
    assert path.read_bytes() == content


def test_fault_D09_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    path.write_text("order_id,line_id\n" * 300)
    with pytest.raises(StoreRefused, match="cannot be used as the book"):
        Book.open(path, CLOCK)
    assert path.read_text().startswith("order_id")


def test_fault_D14_a_newer_book_is_refused_with_the_versions(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    Book.open(path, CLOCK)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreRefused, match=r"schema 99, this program knows \d"):
        Book.open(path, CLOCK)


@pytest.mark.unsound_book
def test_fault_D08_a_damaged_book_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    book = Book.open(path, CLOCK)
    with book.write():
        book.executemany(
            "INSERT INTO tenant (code, state) VALUES (?, 'LIVE')",
            [(f"tenant-{n:06d}" * 8,) for n in range(2000)],
        )
    with book.connection():
        book.query("PRAGMA wal_checkpoint(TRUNCATE)")
    book.close()
    data = bytearray(path.read_bytes())
    for place in range(4096 * 20, len(data) - 4096, 4096):
        data[place : place + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(StoreRefused, match=r"damaged|cannot be used"):
        Book.open(path, CLOCK)


def _schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Columns, indexes and foreign keys of each table, whatever the order of its columns."""
    with closing(sqlite3.connect(path)) as db:
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: sorted(
                [
                    *(row[1:] for row in db.execute(f"PRAGMA table_info({table})")),
                    *(row[1:4] for row in db.execute(f"PRAGMA index_list({table})")),
                    *(row[2:] for row in db.execute(f"PRAGMA foreign_key_list({table})")),
                ],
                key=repr,
            )
            for table in tables
        }


@pytest.mark.unsound_book
def test_an_old_parcel_that_left_in_part_is_called_only_as_what_left(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((Path(__file__).parent / "schemas" / "1.sql").read_text())
        db.executescript(_OLD_PARCELS)
    Book.open(path, CLOCK)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT id, learned FROM package").fetchall() == [(1, 1), (2, 0), (3, 0)]


_OLD_PARCELS = """
INSERT INTO tenant VALUES (1, 'acme', 'LIVE');
INSERT INTO facility VALUES (1, 1, 'BLR', 'ACTIVE', 'NONE');
INSERT INTO account VALUES (1, 1, 1, 'shop', 'flipkart', 'CONNECTED', '', 0);
INSERT INTO orders VALUES (1, 1, 'OD1', 'PROCESSING', 1, 1, '', '{}');
INSERT INTO package VALUES (1, 1, 1, 'SP-1', 'PACKED', 'SH1', '', '', '', 1, 5);
INSERT INTO package VALUES (2, 1, 1, 'SP-2', 'PACKED', '', '', '', '', 1, NULL);
INSERT INTO package VALUES (3, 1, 1, 'SP-3', 'DISPATCHED', 'SH3', '', '', '', 1, 5);
INSERT INTO item (id, order_id, facility_id, line_id, sku, piece, bundle, position, package_id,
    allocated, short, hold, changed_at, return_type, return_id, return_from) VALUES
    (1, 1, 1, 'a', 'A', 0, '', 'DISPATCHED', 1, 0, 1, '', 1, '', '', ''),
    (2, 1, 1, 'a', 'A', 1, '', 'PACKED', 1, 0, 1, '', 1, '', '', ''),
    (3, 1, 1, 'a', 'A', 2, '', 'PACKED', 2, 0, 1, '', 1, '', '', ''),
    (4, 1, 1, 'a', 'A', 3, '', 'DISPATCHED', 3, 0, 1, '', 1, '', '', '');
"""


@pytest.mark.parametrize("old", sorted((Path(__file__).parent / "schemas").glob("*.sql")))
def test_a_migrated_book_is_as_a_new_one(tmp_path: Path, old: Path) -> None:
    new, migrated = tmp_path / "new.sqlite3", tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(migrated)) as db:
        db.executescript(old.read_text())
    Book.open(new, CLOCK)
    Book.open(migrated, CLOCK)
    assert _schema(migrated) == _schema(new)


def _book_without_steps(path: Path) -> None:
    migrations.migrate(path, CLOCK, ())


def test_an_older_book_gets_its_missing_steps_after_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    _book_without_steps(path)

    def add_colour(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE tenant ADD COLUMN colour TEXT")

    def add_shade(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE tenant ADD COLUMN shade TEXT")

    assert migrations.pending(path, (add_colour, add_shade)) == ["add_colour", "add_shade"]
    assert migrations.migrate(path, CLOCK, (add_colour, add_shade)) == 2
    backups = list(tmp_path.glob("book.sqlite3.schema-1.*.backup"))
    assert len(backups) == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 3
        db.execute("SELECT colour, shade FROM tenant")
    assert migrations.migrate(path, CLOCK, (add_colour, add_shade)) == 0


def test_fault_D13_a_step_that_fails_leaves_the_schema_before_it(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite3"
    _book_without_steps(path)

    def good(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE tenant ADD COLUMN colour TEXT")

    def half(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE tenant ADD COLUMN shade TEXT")
        db.execute("ALTER TABLE no_such_table ADD COLUMN x TEXT")

    with pytest.raises(StoreRefused):
        migrations.migrate(path, CLOCK, (good, half))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 2
        columns = [row[1] for row in db.execute("PRAGMA table_info(tenant)")]
    assert "colour" in columns
    assert "shade" not in columns


def test_fault_D07_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="nowhere"):
        Book.open(tmp_path / "nowhere" / "book.sqlite3", CLOCK)


def test_a_write_that_raises_changes_nothing(tmp_path: Path) -> None:
    book = Book.open(tmp_path / "book.sqlite3", CLOCK)

    def half() -> None:
        with book.write():
            Tenant.create(code="half")
            raise ValueError("stop here")

    with pytest.raises(ValueError, match="stop here"):
        half()
    with book.connection():
        assert Tenant.select().count() == 0


def test_an_inner_write_joins_the_outer_one(tmp_path: Path) -> None:
    book = Book.open(tmp_path / "book.sqlite3", CLOCK)

    def both() -> None:
        with book.write():
            with book.write():
                Tenant.create(code="inner")
            raise ValueError("stop here")

    with pytest.raises(ValueError, match="stop here"):
        both()
    with book.connection():
        assert Tenant.select().count() == 0


def test_writers_of_several_threads_wait_for_each_other(tmp_path: Path) -> None:
    book = Book.open(tmp_path / "book.sqlite3", CLOCK)
    failures: list[Exception] = []

    def add(prefix: str) -> None:
        try:
            for number in range(20):
                with book.write():
                    start = book.ids("tenant")
                    Tenant.create(id=start, code=f"{prefix}{number}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    with book.connection():
        assert Tenant.select().count() == 80


def test_an_orders_parcels_are_found_by_an_index(tmp_path: Path) -> None:
    book = Book.open(tmp_path / "book.sqlite3", CLOCK)
    seen: list[str] = []
    with book.connection():
        book.database.connection().set_trace_callback(seen.append)
        assert list(order_lookups._packages(book, 1)) == []
        book.database.connection().set_trace_callback(None)
        plans = [book.query(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in seen]
    assert len(plans) == 2
    for plan in plans:
        assert not any("SCAN" in row[3] for row in plan), plan


def test_what_a_pass_asks_of_a_waiting_fact_is_in_the_index(tmp_path: Path) -> None:
    book = Book.open(tmp_path / "book.sqlite3", CLOCK)
    sql = f"SELECT count(*) FROM inbox WHERE account_id = 1 AND {OPEN_FACTS} AND status = 'X'"
    with book.connection():
        (plan,) = book.query(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    assert "COVERING INDEX inbox_unsettled" in plan[3]
