"""The findings of audits: stored with their run, looked up, and counted while they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from syncd.book.causes import BRAKED, CAUSES, HEALED_BY_FIX, NEEDS_NOBODY, Cause
from syncd.book.lookups import Filter, moment
from syncd.book.runs import account_id_of, orders_of
from syncd.book.store import Book
from syncd.book.views import AuditView, DriftView
from syncd.book.wording import listed
from syncd.errors import NotFound

MAX_SHOWN: Final = 1_000
KEPT_AUDITS: Final = 30  # findings of older audits of an account are dropped
_AT_ONCE: Final = 500
_NAMES: Final = re.compile(r"\b(?:ORDER|ACCOUNT)\b")


class Finding(Struct, frozen=True, kw_only=True):
    """One disagreement about a line, or about a whole order where ``line_id`` is empty."""

    order_id: str
    line_id: str = ""
    item_id: int | None = None
    cause: Cause
    book_says: str
    panel_says: str
    message: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same finding in another look."""
        return self.order_id, self.line_id, self.cause.value


class Question(Struct, frozen=True):
    """An open exception that a mending opened; of a whole order where ``line_id`` is empty."""

    id: int
    order_id: str
    line_id: str
    code: str

    def about(self, order_id: str, line_id: str) -> bool:
        """Whether it may be of this line; an empty one stands for the whole order."""
        return self.order_id == order_id and (
            not line_id or not self.line_id or self.line_id == line_id
        )


class Recorded(Struct, frozen=True):
    """How the findings of a part of an audit changed what stands recorded."""

    added: int
    mended: int


def record(
    book: Book,
    run_id: int,
    account_id: int,
    order_ids: Sequence[str],
    findings: Iterable[Finding],
    *,
    verified: bool = False,
    unsure: str = "",
    opened: Sequence[Question] = (),
) -> Recorded:
    """Store what was found of these orders; the same twice is stored once.

    With ``verified`` the orders were looked at again after mending: what is recorded and was
    not found any more is marked as mended, what has another cause now is told by that one. With
    ``unsure``, why it was only a part that could be looked at, it is not called mended. The line
    that is mended names what of ``opened`` is about it. Inside one transaction of the caller.
    """
    left = {finding.key: finding for finding in findings}
    lines = {key[:2] for key in left}
    added = mended = 0
    for row_id, order_id, line_id, cause, done in _recorded(book, run_id, order_ids):
        if left.pop((order_id, line_id, cause), None) is not None:
            continue
        if verified and (order_id, line_id) not in lines:
            if done:
                continue
            if unsure:
                book.query(_UNSURE, (Cause.NOT_LOOKED_AGAIN.value, unsure, row_id))
            else:
                mended += 1
                asks = [one for one in opened if one.about(order_id, line_id)]
                book.query(_MEND, (opening(asks), row_id))
        elif not done:
            added -= 1
            book.query("DELETE FROM drift WHERE id = ?", (row_id,))
    for finding in left.values():
        added += 1
        book.query(
            _ADD,
            (
                run_id, account_id, finding.order_id, finding.line_id, finding.item_id,
                finding.cause.value, finding.book_says, finding.panel_says, finding.message,
            ),
        )  # fmt: skip
    return Recorded(added, mended)


def opening(asked: Sequence[Question], account: str = "") -> str:
    """The sentence that a mending opened these exceptions, with what shows them.

    Of those of a whole ``account`` it names some.
    """
    if not asked:
        return ""
    names = listed(f"{one.id} ({one.code})" for one in asked)
    if len(asked) == 1:
        which, see = f"exception {names}", f"it: syncctl exceptions show {asked[0].id}"
    else:
        which, see = f"exceptions {names}", "them: syncctl exceptions"
        see += f" --account {shlex.quote(account)}" if account else ""
    return f"The mending opened {which}, which a person must settle. See {see}"


def _recorded(book: Book, run_id: int, order_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(order_ids), _AT_ONCE):
        part = order_ids[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        found += book.query(
            "SELECT id, order_id, line_id, cause, mended FROM drift WHERE run_id = ? "
            f"AND order_id IN ({marks})",
            (run_id, *part),
        ).fetchall()
    return found


def orders_of_findings(
    book: Book, run_id: int, causes: Collection[Cause] = frozenset(Cause)
) -> list[str]:
    """The orders of a run's findings of these causes that stand, in the order of their finding."""
    sql = (
        "SELECT order_id FROM drift WHERE run_id = ? AND NOT mended "
        f"AND cause IN ({_marks(causes)}) GROUP BY order_id ORDER BY min(id)"
    )
    return [order_id for (order_id,) in book.query(sql, (run_id, *causes))]


def counted(book: Book, run_id: int) -> tuple[int, int, int]:
    """Of a run: its findings, those mended, and those that stand and need someone."""
    sql = (
        "SELECT count(*), coalesce(sum(mended), 0), coalesce(sum(NOT mended AND cause NOT IN "
        f"({_marks(NEEDS_NOBODY)})), 0) FROM drift WHERE run_id = ?"
    )
    found, mended, left = book.query(sql, (*NEEDS_NOBODY, run_id)).fetchone()
    return int(found), int(mended), int(left)


def prune(book: Book, account_id: int) -> None:
    """Drop the findings of all but the newest audits of an account."""
    with book.write():
        book.query(
            "DELETE FROM drift WHERE account_id = ? AND run_id NOT IN (SELECT id FROM run "
            "WHERE account_id = ? AND purpose = 'audit' ORDER BY id DESC LIMIT ?)",
            (account_id, account_id, KEPT_AUDITS),
        )


def audits(book: Book) -> dict[str, AuditView]:
    """The last whole audit of each account, with how many disagreements stand since.

    A later audit of chosen orders speaks for these orders.
    """
    found: dict[str, AuditView] = {}
    with book.connection():
        for account_id, name in book.query("SELECT id, name FROM account").fetchall():
            last = book.query(_LAST, (account_id,)).fetchone()
            if last is not None:
                found[name] = AuditView(
                    run_id=last[0], ended_at=moment(last[1]), state=last[2],
                    open=_count_standing(book, account_id),
                )  # fmt: skip
    return found


def findings(
    book: Book,
    *,
    run_id: int | None = None,
    account: str | None = None,
    order_id: str | None = None,
    limit: int = MAX_SHOWN,
) -> list[DriftView]:
    """The findings of a run, mended ones too; without a run, those that stand now.

    Raises NotFound for a run that is no audit.
    """
    with book.connection():
        if run_id is not None:
            row = book.query("SELECT purpose FROM run WHERE id = ?", (run_id,)).fetchone()
            if row is None or row[0] != "audit":
                raise NotFound(f"Run {run_id} is no audit. See the runs: syncctl runs")
            where = Filter()
            where.add("d.run_id = ?", run_id)
            if order_id is not None:
                where.add("d.order_id = ?", order_id)
            return _rows(book, where, limit)
        names = [name for (name,) in book.query("SELECT name FROM account ORDER BY name")]
        ids = [account_id_of(book, name) for name in ([account] if account else names)]
        found = [_rows(book, _standing(book, one, order_id), limit) for one in ids]
    return [one for part in found for one in part][:limit]


def _standing(book: Book, account_id: int, order_id: str | None = None) -> Filter:
    """What stands: of the last whole audit and those of chosen orders after it, the newest word."""
    last = book.query(_LAST, (account_id,)).fetchone()
    whole = last[0] if last else 0
    later = book.query(_LATER, (account_id, whole)).fetchall()
    newest = {order: run for run, orders in later for order in orders_of(orders)}
    where = Filter()
    among = {whole, *newest.values()}
    where.add(f"d.run_id IN ({_marks(among)}) AND NOT d.mended", *among)
    if newest:
        text = msgspec.json.encode(newest).decode()
        word = "coalesce((SELECT value FROM json_each(?) WHERE key = d.order_id), ?)"
        where.add(f"d.run_id = {word}", text, whole)
    if order_id is not None:
        where.add("d.order_id = ?", order_id)
    return where


def _count_standing(book: Book, account_id: int) -> int:
    where = _standing(book, account_id)
    where.add(f"d.cause NOT IN ({_marks(NEEDS_NOBODY)})", *NEEDS_NOBODY)
    sql = f"SELECT count(*) FROM drift d {where.sql()}"
    return int(book.query(sql, where.params).fetchone()[0])


def _rows(book: Book, where: Filter, limit: int) -> list[DriftView]:
    sql = f"{_SELECT} {where.sql()} ORDER BY d.cause, d.id LIMIT ?"
    return [_view(row) for row in book.query(sql, (*where.params, limit))]


def _marks(values: Collection[Any]) -> str:
    return ",".join("?" * len(values))


def _view(row: Sequence[Any]) -> DriftView:
    cause = Cause(row[5])
    words = CAUSES[cause]
    names = {"ORDER": shlex.quote(row[3]), "ACCOUNT": shlex.quote(row[2])}
    braked = bool(row[10]) and cause in BRAKED
    helps = BRAKED[cause] if braked else words.do
    do = _NAMES.sub(lambda match: names[match[0]], helps)
    return DriftView(
        run_id=row[1], account=row[2], order_id=row[3], line_id=row[4], cause=cause.value,
        means=words.means, do="" if row[9] else do, book_says=row[6], panel_says=row[7],
        message=row[8], mended=bool(row[9]), fixable=cause in HEALED_BY_FIX and not braked,
    )  # fmt: skip


_LAST: Final = (
    "SELECT id, ended_at, state FROM run WHERE account_id = ? AND purpose = 'audit' "
    "AND orders = '[]' AND state IN ('OK', 'PARTIAL', 'HELD') ORDER BY id DESC LIMIT 1"
)
_LATER: Final = (
    "SELECT id, orders FROM run WHERE account_id = ? AND purpose = 'audit' AND orders <> '[]' "
    "AND state IN ('OK', 'PARTIAL', 'HELD') AND id > ? ORDER BY id"
)
_SELECT: Final = (
    "SELECT d.id, d.run_id, a.name, d.order_id, d.line_id, d.cause, d.book_says, d.panel_says, "
    "d.message, d.mended, EXISTS (SELECT 1 FROM brake b WHERE b.account_id = d.account_id "
    "AND b.state = 'OPEN') FROM drift d JOIN account a ON a.id = d.account_id"
)
_MEND: Final = "UPDATE drift SET mended = 1, message = trim(message || ' ' || ?) WHERE id = ?"
_UNSURE: Final = (
    "UPDATE drift SET cause = ?, message = ltrim(message || ' Not compared again: ' || ?) "
    "WHERE id = ?"
)
_ADD: Final = (
    "INSERT INTO drift (run_id, account_id, order_id, line_id, item_id, cause, book_says, "
    "panel_says, message, mended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
)
