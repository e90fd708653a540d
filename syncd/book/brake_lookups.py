"""Look up the safety brake: where it is on, what it holds, and what became of older ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from syncd.book.brakes import HeldFact, covered, held_facts, sentence
from syncd.book.lookups import Filter, moment, page_size
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.book.views import BrakeView, HeldPage, HeldView
from syncd.clock import from_micros


def brakes(
    book: Book, *, account: str | None = None, closed: bool = False, limit: int = 100
) -> list[BrakeView]:
    """The brakes that are on, or with ``closed`` the older ones too, newest first."""
    where = Filter()
    if not closed:
        where.add("b.state = ?", "OPEN")
    if account is not None:
        where.add("b.account_id = ?", account_id_of(book, account))
    with book.connection():
        rows = book.query(
            f"{_BRAKE} {where.sql()} ORDER BY b.id DESC LIMIT ?", (*where.params, page_size(limit))
        )
        return [_view(row) for row in rows]


def held(book: Book, account: str, *, limit: int = 100, after: int = 0) -> HeldPage:
    """What the open brake of an account holds, order by order; an order is never torn apart.

    ``after`` is the ``next`` of the page before. Raises NotFound for the account.
    """
    account_id = account_id_of(book, account)
    size = page_size(limit)
    with book.connection():
        on = brakes(book, account=account)
        if not on:
            return HeldPage(None, (), None)
        page: list[HeldFact] = []
        for fact in held_facts(book, account_id, *covered(book, account_id, on[0].id), after):
            if len(page) >= size and fact.turn != page[-1].turn:
                return HeldPage(on[0], tuple(map(_held, page)), page[-1].turn)
            page.append(fact)
    return HeldPage(on[0], tuple(map(_held, page)), None)


def _held(fact: HeldFact) -> HeldView:
    return HeldView(
        id=fact.id, order_id=fact.order_id, line_id=fact.line_id, sku=fact.sku,
        quantity=fact.quantity, native_status=fact.native_status,
        occurred_at=from_micros(fact.occurred_at), positions=fact.positions,
    )  # fmt: skip


def _view(row: Sequence[Any]) -> BrakeView:
    words = sentence(row[1], row[4], row[5])
    if row[3] != "OPEN":
        words = f"{row[8]} {_SAID[row[3]]}: {row[9]}"
    return BrakeView(
        id=row[0], account=row[1], run=row[2], state=row[3], cancels=row[4], open_orders=row[5],
        opened_at=from_micros(row[6]), closed_at=moment(row[7]), closed_by=row[8], note=row[9],
        words=words,
    )  # fmt: skip


_SAID: Final = {
    "RELEASED": "let its cancellations through",
    "DROPPED": "set its cancellations aside",
}
_BRAKE: Final = (
    "SELECT b.id, a.name, b.run_id, b.state, b.cancels, b.open_orders, b.opened_at, b.closed_at, "
    "b.closed_by, b.note FROM brake b JOIN account a ON a.id = b.account_id"
)
