"""Report files that people handed in, kept with the run that reads them until it has ended."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Final

from syncd.book import runs
from syncd.book.store import Book
from syncd.book.tables import Run
from syncd.clock import from_micros, to_micros
from syncd.errors import NotFound
from syncd.hookspecs import ReportFile

REPORT_TRIGGER: Final = "report"


def enqueue(
    book: Book, account: str, file: ReportFile, *, dry_run: bool, actor: str, now: datetime
) -> int:
    """Ask for a run that reads this file; its id. No two files share a run.

    The run is the record of the act: who handed in which file, and when. Raises NotFound.
    """
    with book.write():
        account_id = runs.account_id_of(book, account)
        book.query(_SWEEP)
        row = Run.create(
            account=account_id, kinds="[]", dry_run=dry_run, purpose=runs.REPORT,
            trigger=REPORT_TRIGGER, actor=actor, requested_at=to_micros(now),
            counts=runs.Counts().to_json(),
        )  # fmt: skip
        packed = zlib.compress(file.content, 6)
        book.query(_KEEP, (row.id, file.name, packed, to_micros(file.at or now)))
        return int(row.id)


def file_of(book: Book, run_id: int) -> ReportFile:
    """The file that a run is to read. Raises NotFound when it is no longer kept."""
    row = book.query(_FILE, (run_id,)).fetchone()
    if row is None:
        raise NotFound(f"The file of run {run_id} is no longer kept. Hand it in again.")
    return ReportFile(name=row[0], content=zlib.decompress(row[1]), at=from_micros(row[2]))


def drop(book: Book, run_id: int) -> None:
    """The run has ended: its file is needed no more. Joins the caller's transaction."""
    book.query("DELETE FROM report WHERE run_id = ?", (run_id,))


_KEEP: Final = "INSERT INTO report (run_id, name, content, at) VALUES (?, ?, ?, ?)"
_FILE: Final = "SELECT name, content, at FROM report WHERE run_id = ?"
_SWEEP: Final = """
DELETE FROM report WHERE run_id NOT IN (SELECT id FROM run WHERE state IN ('QUEUED', 'RUNNING'))
"""
