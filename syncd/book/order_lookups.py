"""Look up an order with its pieces, parcels and invoices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from syncd.book.exception_lookups import exceptions
from syncd.book.lookups import find_order, moment
from syncd.book.order_facts import FactsUnreadable, order_facts
from syncd.book.store import Book
from syncd.book.views import InvoiceView, OrderView, PackageView, PieceView
from syncd.clock import from_micros
from syncd.errors import NotFound


def order(book: Book, order_id: str, account: str | None = None) -> OrderView:
    """An order with its pieces, parcels and invoices. Raises NotFound, or Refused when several
    accounts have it."""
    with book.connection():
        found = find_order(book, order_id, account)
        if found is None:
            raise NotFound(
                f"The book has no order {order_id!r}. What the channel said of it, if anything, "
                f"is shown by: syncctl explain {order_id}"
            )
        return order_view(book, *found)


def order_view(book: Book, order_pk: int, account: str) -> OrderView:
    """The order with this row id."""
    row = book.query(
        "SELECT order_id, state, placed_at, imported_at, source, facts, replaces FROM orders "
        "WHERE id = ?",
        (order_pk,),
    ).fetchone()
    return OrderView(
        account=account, order_id=row[0], state=row[1], placed_at=from_micros(row[2]),
        imported_at=from_micros(row[3]), source=row[4], facts=_facts(row[0], row[5]),
        pieces=tuple(_pieces(book, order_pk)), packages=tuple(_packages(book, order_pk)),
        exceptions=tuple(exceptions(book, state=None, account=account, order_id=row[0])),
        replaces=row[6],
    )  # fmt: skip


def _facts(order_id: str, text: str) -> dict[str, str]:
    try:
        return dict(order_facts(order_id, text))
    except FactsUnreadable as error:
        return {"unreadable": str(error)}


def _pieces(book: Book, order_pk: int) -> Iterable[PieceView]:
    rows = book.query(
        "SELECT i.id, i.line_id, i.sku, i.piece, i.bundle, i.position, coalesce(p.code, ''), "
        "i.allocated, i.short, i.hold, f.code, i.return_type, i.return_id, i.changed_at, "
        "i.dispatched_at, i.delivered_at FROM item i JOIN facility f ON f.id = i.facility_id "
        "LEFT JOIN package p ON p.id = i.package_id WHERE i.order_id = ? "
        "ORDER BY i.line_id, i.piece",
        (order_pk,),
    )
    for row in rows:
        yield PieceView(
            *(
                *row[:7],
                bool(row[7]),
                bool(row[8]),
                *row[9:13],
                from_micros(row[13]),
                moment(row[14]),
                moment(row[15]),
            )
        )


def _packages(book: Book, order_pk: int) -> Iterable[PackageView]:
    invoices: dict[int, list[InvoiceView]] = defaultdict(list)
    for row in book.query(
        "SELECT v.package_id, v.kind, v.number, v.state, v.issued_at FROM invoice v "
        "JOIN package p ON p.id = v.package_id WHERE p.order_id = ? "
        "ORDER BY v.package_id, v.kind DESC",
        (order_pk,),
    ):
        invoices[row[0]].append(
            InvoiceView(
                *(
                    *row[1:4],
                    from_micros(row[4]),
                )
            )
        )
    rows = book.query(
        "SELECT p.id, p.code, p.state, f.code, p.shipment_id, p.tracking_number, p.courier, "
        "p.blocked, p.created_at, p.dispatched_at, coalesce(s.code, '') FROM package p "
        "JOIN facility f ON f.id = p.facility_id LEFT JOIN package s ON s.id = p.successor_id "
        "WHERE p.order_id = ? ORDER BY p.id",
        (order_pk,),
    )
    for row in rows:
        yield PackageView(
            *(
                *row[1:8],
                from_micros(row[8]),
                moment(row[9]),
                tuple(invoices[row[0]]),
                row[10],
            )
        )
