"""An order as a panel shows it against the book's: whether it is known, its lines, their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from syncd.book.causes import Cause
from syncd.book.drift import Finding
from syncd.book.replay import word_of
from syncd.book.sheet_rows import Order
from syncd.book.store import Book
from syncd.statuses import Kind, NewOrder, StatusChange


class Told(msgspec.Struct, kw_only=True):
    """What a panel told of some orders.

    ``changes`` by kind. ``orders`` those that it showed, None where it was not asked.
    ``since`` tells from when on a kind was read, in microseconds: 0 where the panel answered by
    order. A kind that is not in it could not be asked.
    """

    changes: dict[Kind, list[StatusChange]] = {}
    orders: dict[str, NewOrder] | None = None
    since: dict[Kind, int] = {}


def not_taken(book: Book, account_id: int, order_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """State and message of the newest row that the intake did not take, by order."""
    wanted = msgspec.json.encode(list(order_ids)).decode()
    return {row[0]: (row[1], row[2]) for row in book.query(_KEPT, (account_id, wanted))}


def against_lines(order: Order, told: Told, kept: tuple[str, str] | None) -> Iterator[Finding]:
    """Lines and quantities as the panel shows the order; what is cancelled it may leave out.

    ``kept``: what :func:`not_taken` has of the order. It knows why the panel's lines are not
    added where it names none as the book does.
    """
    if told.orders is None:
        return
    shown = told.orders.get(order.order_id)
    if shown is None:
        if _open_and_silent(order, told):
            yield Finding(
                order_id=order.order_id, cause=Cause.UNKNOWN_TO_PANEL,
                book_says=f"{len(order.pieces)} pieces", panel_says="no such order",
            )  # fmt: skip
        return
    if shown.problem:
        return
    known = {piece.line_id for piece in order.pieces}
    cause, why = Cause.LINE_MISSING, ""
    if kept is not None and known.isdisjoint(line.line_id for line in shown.lines):
        cause = Cause.UNREADABLE if kept[0] == "QUARANTINED" else Cause.SET_ASIDE
        why = kept[1]
    for line in shown.lines:
        pieces = [piece for piece in order.pieces if piece.line_id == line.line_id]
        size = line.quantity * max(1, len(line.components))
        live = sum(word_of(piece) != "CANCELLED" for piece in pieces)
        if pieces and live <= size <= len(pieces):
            continue
        yield Finding(
            order_id=order.order_id,
            line_id=line.line_id,
            cause=Cause.QUANTITY if pieces else cause,
            book_says=f"{len(pieces)} pieces",
            panel_says=f"{size} pieces",
            message="" if pieces else why,
        )


def _open_and_silent(order: Order, told: Told) -> bool:
    """Whether the book has the order open and the panel tells nothing of it at all."""
    if all(word_of(piece) in _FINAL for piece in order.pieces):
        return False
    changes = (change for kind in told.changes.values() for change in kind)
    return all(change.order_id != order.order_id for change in changes)


_FINAL: Final = frozenset({"CANCELLED", "DELIVERED", "RETURNED_RTO", "RETURNED_CIR", "LOST"})
_KEPT: Final = (
    "SELECT order_id, state, message FROM inbox WHERE account_id = ? AND order_id IN "
    "(SELECT value FROM json_each(?)) AND status = 'UNKNOWN' AND kind = 'orders' ORDER BY id"
)
