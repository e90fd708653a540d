"""Orders into the book, from a channel, a file or the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from syncd.book.intake_batch import Batch
from syncd.book.intake_checks import Note, Problem, check
from syncd.book.intake_files import (
    BadLine as BadLine,
    ImportedOrder as ImportedOrder,
    read_csv as read_csv,
    read_jsonl as read_jsonl,
)
from syncd.book.intake_known import Desk
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.clock import to_micros
from syncd.statuses import NewOrder

BATCH: Final = 500


class Taken(Struct, kw_only=True):
    """What became of the orders handed in.

    ``new``, ``known`` (nothing to do) and ``changed`` (pieces or facts were added) count
    orders, ``pieces`` new rows. ``unparked`` facts had waited for these orders: enqueue a run
    to decide them. ``problems`` tells what was left out or left as it was, ``notes`` which
    quantities of known orders were raised.
    """

    new: int = 0
    known: int = 0
    changed: int = 0
    pieces: int = 0
    born_cancelled: int = 0
    unparked: int = 0
    problems: list[Problem]
    notes: list[Note] = []


def take_orders(
    book: Book,
    account: str,
    orders: Sequence[NewOrder],
    *,
    source: str,
    now: datetime,
    facility_of: Callable[[str], str] | None = None,
) -> Taken:
    """Take orders of ``account`` into the book; one transaction for each 500.

    The same order again changes nothing. A known order that shows further lines or a larger
    quantity gets these pieces; a smaller one is told as a problem, for pieces leave an order
    only by a cancellation. Stock is promised in the order of ``placed_at``. Where the channel
    had cancelled pieces before they were known here, they are born CANCELLED; those that come in
    mid-life are left to the next pass, which cancels them from there. Another source that shows
    the same pieces under other line ids adds none; it is told as a problem.

    ``facility_of`` gives the facility code of a channel's location id; empty, or no function,
    means the account's own facility. ``source`` says where the orders come from.
    Raises NotFound for an unknown account.
    """
    with book.connection():
        desk = Desk(book, account_id_of(book, account), source, to_micros(now), facility_of)
        taken = Taken(problems=[])
        good = []
        for order in orders:
            problem = check(order, now)
            if problem is None:
                good.append(order)
            else:
                taken.problems.append(problem)
        good.sort(key=lambda order: order.placed_at)
        for start in range(0, len(good), BATCH):
            with book.write():
                batch = Batch(desk, good[start : start + BATCH])
                batch.take()
                _add(taken, batch)
    return taken


def _add(taken: Taken, batch: Batch) -> None:
    taken.new += batch.new
    taken.known += batch.known
    taken.changed += batch.changed
    taken.pieces += batch.pieces
    taken.born_cancelled += batch.born_cancelled
    taken.unparked += batch.unparked
    taken.problems += batch.problems
    taken.notes += batch.notes
