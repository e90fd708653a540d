"""Orders from the text of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from io import StringIO
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from syncd.book import intake
from syncd.book.intake import BadLine, ImportedOrder
from syncd.book.intake_checks import check
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.config import Config
from syncd.errors import Refused

MOST_PROBLEMS: Final = 1_000
FORMATS: Final = ("csv", "jsonl")


class ImportFile(Struct, frozen=True, kw_only=True):
    """A file of orders for an account. ``zone`` is that of times written without an offset."""

    account: str
    format: str
    text: str
    source: str = "api"
    zone: str = "UTC"
    dry_run: bool = False


class LineProblem(Struct, frozen=True):
    """What is wrong with a line (``line`` None: with the whole order), and its text, cut.

    ``kept``: the order is in the book all the same.
    """

    reason: str
    line: int | None = None
    order_id: str = ""
    text: str = ""
    kept: bool = False


class Imported(Struct, frozen=True, kw_only=True):
    """What became of a file's orders, counted; ``problems`` holds the first thousand.

    ``unparked`` changes had waited for these orders; ``run_id`` is the run that decides them.
    """

    orders: int
    new: int
    known: int
    changed: int
    pieces: int = 0
    born_cancelled: int = 0
    unparked: int = 0
    problem_count: int = 0
    problems: tuple[LineProblem, ...] = ()
    dry_run: bool = False
    run_id: int | None = None

    def with_run(self, run_id: int) -> Imported:
        """The same, with the run that follows from it."""
        return msgspec.structs.replace(self, run_id=run_id)


def take(book: Book, config: Config, file: ImportFile, *, now: datetime) -> Imported:
    """Take the file's good orders into the book, and tell what is wrong with the others.

    Raises NotFound for the account, Refused for an unknown format or zone.
    """
    account_id_of(book, file.account)
    orders: list[ImportedOrder] = []
    problems: list[LineProblem] = []
    for found in _read(file):
        if isinstance(found, BadLine):
            problems.append(LineProblem(found.reason, found.number, "", found.text))
        else:
            orders.append(found)
    if file.dry_run:
        return _rehearse(book, file.account, orders, problems)
    account = config.accounts.get(file.account)
    locations = account.locations if account else {}
    taken = intake.take_orders(
        book, file.account, orders, source=file.source, now=now,
        facility_of=lambda location: locations.get(location, ""),
    )  # fmt: skip
    problems += [
        LineProblem(one.reason, None, one.order_id, one.raw[:500], one.kept)
        for one in taken.problems
    ]
    return Imported(
        orders=len(orders), new=taken.new, known=taken.known, changed=taken.changed,
        pieces=taken.pieces, born_cancelled=taken.born_cancelled, unparked=taken.unparked,
        problem_count=len(problems), problems=tuple(problems[:MOST_PROBLEMS]),
    )  # fmt: skip


def _read(file: ImportFile) -> Iterator[ImportedOrder | BadLine]:
    lines = StringIO(file.text.removeprefix("\ufeff"), newline="")
    if file.format == "csv":
        return intake.read_csv(lines, zone=_zone(file.zone))
    if file.format == "jsonl":
        return intake.read_jsonl(lines)
    raise Refused(
        f"{file.format[:40]!r} is not a format; take one of {', '.join(FORMATS)}.",
        code="bad_format",
    )


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused(
            f"{name[:60]!r} is not a time zone; write one like Asia/Kolkata.", code="bad_zone"
        ) from None


def _rehearse(
    book: Book, account: str, orders: Iterable[ImportedOrder], problems: list[LineProblem]
) -> Imported:
    """Look the orders over without taking them."""
    account_id = account_id_of(book, account)
    count = new = 0
    for order in orders:
        count += 1
        wrong = check(order)
        if wrong is not None:
            problems.append(LineProblem(wrong.reason, None, wrong.order_id))
            continue
        known = book.query(
            "SELECT 1 FROM orders WHERE account_id = ? AND order_id = ?",
            (account_id, order.order_id),
        ).fetchone()
        new += known is None
    return Imported(
        orders=count, new=new, known=count - new, changed=0, dry_run=True,
        problem_count=len(problems), problems=tuple(problems[:MOST_PROBLEMS]),
    )  # fmt: skip
