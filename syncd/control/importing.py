"""Orders from the text of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from io import StringIO
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from syncd.book import intake
from syncd.book.intake import BadLine, ImportedOrder, Taken
from syncd.book.intake_checks import check, misplaced
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.config import Config
from syncd.control.storing import (
    DATABASE_ERRORS,
    StoreFailed,
    failure_text,
    is_full,
    is_store_failure,
)
from syncd.errors import Refused, SyncdError

MOST_PROBLEMS: Final = 1_000
PART: Final = 500  # orders, as many as the book takes in one transaction
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
    """What became of a file's orders, counted; ``problems`` holds the first thousand, as does
    ``notes``, sentences about what was done to known orders.

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
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    run_id: int | None = None

    def with_run(self, run_id: int) -> Imported:
        """The same, with the run that follows from it."""
        return msgspec.structs.replace(self, run_id=run_id)


def take(book: Book, config: Config, file: ImportFile, *, now: datetime) -> Imported:
    """Take the file's good orders into the book, and tell what is wrong with the others.

    Raises NotFound for the account, Refused for an unknown format or zone.
    """
    with book.connection():
        account_id_of(book, file.account)
    orders: list[ImportedOrder] = []
    problems: list[LineProblem] = []
    for found in _read(file):
        if isinstance(found, BadLine):
            problems.append(LineProblem(found.reason, found.number, "", found.text))
        else:
            orders.append(found)
    if file.dry_run:
        with book.connection():
            return _rehearse(book, file.account, orders, problems, now)
    taken = _take(book, config, file, orders, now)
    problems += [
        LineProblem(one.reason, None, one.order_id, one.raw[:500], one.kept)
        for one in taken.problems
    ]
    return Imported(
        orders=len(orders), new=taken.new, known=taken.known, changed=taken.changed,
        pieces=taken.pieces, born_cancelled=taken.born_cancelled, unparked=taken.unparked,
        problem_count=len(problems), problems=tuple(problems[:MOST_PROBLEMS]),
        notes=tuple(f"Order {one.order_id}: {one.text}" for one in taken.notes[:MOST_PROBLEMS]),
    )  # fmt: skip


def _take(
    book: Book, config: Config, file: ImportFile, orders: Sequence[ImportedOrder], now: datetime
) -> Taken:
    """Take the orders part by part, so that a failure can tell how far it came.

    Raises StoreFailed when the database fails in between.
    """
    account = config.accounts.get(file.account)
    locations = account.locations if account else {}
    taken = Taken(problems=[])
    good: list[ImportedOrder] = []
    for order in orders:
        wrong = check(order, now) or misplaced(order, locations, file.account)
        if wrong is None:
            good.append(order)
        else:
            taken.problems.append(wrong)
    # Stock is promised to the oldest orders first, so all are sorted before they are parted.
    good.sort(key=lambda order: order.placed_at)
    done = 0
    try:
        with book.connection():
            for done in range(0, len(good), PART):
                part = intake.take_orders(
                    book, file.account, good[done : done + PART], source=file.source, now=now,
                    facility_of=lambda location: locations.get(location, ""),
                )  # fmt: skip
                _add(taken, part)
    except (SyncdError, *DATABASE_ERRORS) as error:
        if not is_store_failure(error):
            raise
        raise _broken_off(book, error, done, len(good)) from error
    return taken


def _add(taken: Taken, part: Taken) -> None:
    for name in ("new", "known", "changed", "pieces", "born_cancelled", "unparked"):
        setattr(taken, name, getattr(taken, name) + getattr(part, name))
    taken.problems += part.problems
    taken.notes += part.notes


def _broken_off(book: Book, error: Exception, done: int, count: int) -> StoreFailed:
    return StoreFailed(
        f"{failure_text(book.path, error)} {done} of {count} orders had been taken; importing the "
        "same file again is harmless, for the same order twice is one order.",
        full=is_full(error), taken=done,
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
    book: Book,
    account: str,
    orders: Iterable[ImportedOrder],
    problems: list[LineProblem],
    now: datetime,
) -> Imported:
    """Look the orders over without taking them."""
    account_id = account_id_of(book, account)
    count = new = 0
    for order in orders:
        count += 1
        wrong = check(order, now)
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
