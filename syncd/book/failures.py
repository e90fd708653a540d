"""What is not settled: facts that nobody could act on yet, and runs that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from syncd.book.lookups import Filter, page_size, runs
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.book.tables import UNSETTLED
from syncd.book.views import FactView, Failed
from syncd.book.wording import words_for
from syncd.clock import from_micros

SHOWN: Final = ("REFUSED", "QUARANTINED", "PARKED", "WAITING")
MAX_RAW: Final = 500

_FIELDS: Final = (
    "f.id, a.name, f.kind, f.order_id, f.line_id, f.status, f.native_status, f.state, f.code, "
    "f.message, f.tries, f.occurred_at, f.observed_at, f.raw"
)


def failed(
    book: Book,
    *,
    account: str | None = None,
    code: str | None = None,
    states: Sequence[str] = SHOWN,
    limit: int = 100,
    before: int | None = None,
) -> Failed:
    """Facts that are not settled, newest first, and the newest failed runs.

    A fact whose order is unknown is shown once a pass has looked at it. For the next page of
    facts hand in the last id as ``before``.
    """
    where = Filter()
    where.add(f"f.{UNSETTLED}")
    where.add(f"f.state IN ({','.join('?' * len(states))})", *states)
    if account is not None:
        where.add("f.account_id = ?", account_id_of(book, account))
    if code is not None:
        where.add("f.code = ?", code)
    if before is not None:
        where.add("f.id < ?", before)
    with book.connection():
        rows = book.query(
            f"SELECT {_FIELDS} FROM inbox f JOIN account a ON a.id = f.account_id {where.sql()} "
            "ORDER BY f.id DESC LIMIT ?",
            (*where.params, page_size(limit)),
        )
        facts = tuple(_fact(row) for row in rows)
        broken = runs(book, limit=20, account=account, states=("FAILED", "GATED"))
    return Failed(facts, tuple(broken))


def _fact(row: Sequence[Any]) -> FactView:
    words = words_for(row[8])
    advice = words.do.replace("ACCOUNT", row[1])
    raw = row[13]
    return FactView(
        id=row[0], account=row[1], kind=row[2], order_id=row[3], line_id=row[4], status=row[5],
        native_status=row[6], state=row[7], code=row[8], reason=words.means, what_to_do=advice,
        message=row[9], tries=row[10], occurred_at=from_micros(row[11]),
        since=from_micros(row[12]), raw=raw if len(raw) <= MAX_RAW else f"{raw[:MAX_RAW]}…",
    )  # fmt: skip
