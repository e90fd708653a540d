"""Look up what has waited too long, what will next, and what of an order waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Final

from syncd.book.lookups import page_size
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.book.views import Overdue, WaitView
from syncd.book.wait_words import waits_text
from syncd.book.waits import EVER, Waiting, count_waiting, waiting
from syncd.book.wording import advice
from syncd.clock import from_micros, to_micros
from syncd.limits import Limits
from syncd.rules.overdue import RULES, Deed, Wait, doing

LimitsOf = Mapping[str, Limits]
"""The limits of each account; one that is not in it has the usual ones."""

USUAL: Final[LimitsOf] = MappingProxyType({})
SHOWN: Final = tuple(doing(Deed.OPEN, Deed.REMIND, Deed.DUE, Deed.LIST))
"""What a person may have to do something about."""


def overdue(
    book: Book,
    now: datetime,
    limits: LimitsOf = USUAL,
    *,
    account: str | None = None,
    limit: int = 50,
) -> Overdue:
    """At most ``limit`` of each: what is overdue, and what will be next.

    Raises NotFound for an unknown account.
    """
    at, most = to_micros(now), page_size(limit)
    late: list[WaitView] = []
    coming: list[WaitView] = []
    counts: dict[str, Mapping[str, int]] = {}
    with book.connection():
        if account is not None:
            account_id_of(book, account)
        for account_id, name in watched(book):
            if account not in (None, name):
                continue
            own = limits.get(name, Limits())
            for wait in SHOWN:
                edge = at - RULES[wait].span(own)
                rows = waiting(book, wait, account_id, until=edge, limit=most)
                late += [_view(name, wait, row, own, at) for row in rows]
                rows = waiting(book, wait, account_id, after=edge, until=EVER, limit=most)
                coming += [_view(name, wait, row, own, at) for row in rows]
            counts[name] = {
                wait.value: n for wait, (n, _) in overdue_counts(book, account_id, own, at).items()
            }
    late.sort(key=lambda one: one.due)
    coming.sort(key=lambda one: one.due)
    return Overdue(tuple(late[:most]), tuple(coming[:most]), counts)


def watched(book: Book) -> list[tuple[int, str]]:
    """Row id and name of the accounts whose timers run: of live tenants, not switched off."""
    return book.query(
        "SELECT a.id, a.name FROM account a JOIN tenant t ON t.id = a.tenant_id "
        "WHERE t.state = 'LIVE' AND a.state <> 'DISABLED' ORDER BY a.name"
    ).fetchall()


def overdue_counts(
    book: Book, account_id: int, limits: Limits, at: int
) -> dict[Wait, tuple[int, int]]:
    """How many of each kind are overdue and since when the first waits; kinds without any are
    left out."""
    found = {
        wait: count_waiting(book, wait, account_id, until=at - RULES[wait].span(limits))
        for wait in SHOWN
    }
    return {wait: (count, oldest) for wait, (count, oldest) in found.items() if count}


def waits_of_order(
    book: Book, account_id: int, order_id: str, limits: Limits, at: int, zone: tzinfo = UTC
) -> Iterator[str]:
    """A sentence for each thing of an order that waits, overdue or not; pieces of a line that
    wait alike are told once."""
    told: dict[str, None] = {}
    for wait in SHOWN:
        span = RULES[wait].span(limits)
        for row in waiting(book, wait, account_id, until=EVER, order_id=order_id):
            text = waits_text(wait, row.line_id, row.since, row.since + span, at, zone)
            told[text] = None
    yield from told


def _view(account: str, wait: Wait, row: Waiting, limits: Limits, at: int) -> WaitView:
    due = row.since + RULES[wait].span(limits)
    where = row.line_id if row.piece is None else f"{row.line_id} piece {row.piece + 1}"
    return WaitView(
        account=account, kind=wait.value, order_id=row.order_id, line_id=row.line_id,
        piece=row.piece, since=from_micros(row.since), due=from_micros(due),
        exception_id=row.exception_id,
        words=waits_text(wait, where, row.since, due, at),
        what_to_do=advice(RULES[wait].code, account=account, order=row.order_id),
    )  # fmt: skip
