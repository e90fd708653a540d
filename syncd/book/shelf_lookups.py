"""Look up what a warehouse works with: putaways, stock, sequences, tenants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from syncd.book.documents import number_text
from syncd.book.lookups import MAX_LIMIT, Filter, json_object, moment, page_size
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.book.views import (
    FacilityView,
    PutawayView,
    SequenceView,
    StockView,
    TenantView,
)
from syncd.book.wording import PUTAWAYS, words_for
from syncd.clock import from_micros


def putaways(
    book: Book,
    *,
    states: Sequence[str] = ("PENDING", "HELD"),
    account: str | None = None,
    limit: int = MAX_LIMIT,
    before: int | None = None,
) -> list[PutawayView]:
    """Putaways in these states, newest first."""
    where = Filter()
    where.add(f"p.state IN ({','.join('?' * len(states))})", *states)
    if account is not None:
        where.add("o.account_id = ?", account_id_of(book, account))
    if before is not None:
        where.add("p.id < ?", before)
    with book.connection():
        rows = book.query(
            "SELECT p.id, a.name, o.order_id, i.line_id, i.sku, i.piece, f.code, p.kind, p.state, "
            "p.disposition, p.reason, p.opened_at, p.closed_at, p.actor FROM putaway p "
            "JOIN item i ON i.id = p.item_id JOIN orders o ON o.id = i.order_id "
            "JOIN account a ON a.id = o.account_id JOIN facility f ON f.id = p.facility_id "
            f"{where.sql()} ORDER BY p.id DESC LIMIT ?",
            (*where.params, page_size(limit)),
        )
        return [
            PutawayView(
                *(
                    *row[:11],
                    putaway_words(row[7], row[8], row[10]),
                    from_micros(row[11]),
                    moment(row[12]),
                    row[13],
                )
            )
            for row in rows
        ]


def putaway_words(kind: str, state: str, reason: str) -> str:
    """Why a piece must be put away and what stops it, in a sentence."""
    if state == "HELD":
        return f"Stopped: {words_for(reason).means} Settle the exception of the order first."
    return PUTAWAYS.get(kind, f"Putaway of kind {kind}.")


def sequences(book: Book) -> list[SequenceView]:
    """The running numbers of all facilities."""
    with book.connection():
        rows = book.query(
            "SELECT t.code, f.code, s.kind, s.prefix, s.next_number, s.width FROM sequence s "
            "JOIN facility f ON f.id = s.facility_id JOIN tenant t ON t.id = f.tenant_id "
            "ORDER BY t.code, f.code, s.kind"
        )
        return [
            SequenceView(
                *(
                    *row,
                    number_text(*row[3:6]),
                )
            )
            for row in rows
        ]


def tenants(book: Book) -> list[TenantView]:
    """All sellers with their warehouses and accounts."""
    with book.connection():
        facilities: dict[int, list[FacilityView]] = defaultdict(list)
        for tenant_id, *row in book.query(
            "SELECT tenant_id, code, state, traceability FROM facility ORDER BY code"
        ):
            facilities[tenant_id].append(FacilityView(*row))
        names: dict[int, list[str]] = defaultdict(list)
        for tenant_id, name in book.query("SELECT tenant_id, name FROM account ORDER BY name"):
            names[tenant_id].append(name)
        rows = book.query("SELECT id, code, state FROM tenant ORDER BY code").fetchall()
    return [
        TenantView(code, state, tuple(facilities[pk]), tuple(names[pk])) for pk, code, state in rows
    ]


def stock(
    book: Book,
    *,
    facility: str | None = None,
    sku: str | None = None,
    limit: int = MAX_LIMIT,
    after: str = "",
) -> list[StockView]:
    """Stock by facility and SKU, by SKU; for the next page hand in the last SKU as ``after``."""
    where = Filter()
    where.add("s.sku > ?", after)
    if facility is not None:
        where.add("f.code = ?", facility)
    if sku is not None:
        where.add("s.sku = ?", sku)
    with book.connection():
        rows = book.query(
            "SELECT t.code, f.code, s.sku, json_group_object(s.bucket, s.quantity) FROM stock s "
            "JOIN facility f ON f.id = s.facility_id JOIN tenant t ON t.id = f.tenant_id "
            f"{where.sql()} GROUP BY s.facility_id, s.sku ORDER BY s.sku, t.code, f.code LIMIT ?",
            (*where.params, page_size(limit)),
        )
        return [
            StockView(
                *(
                    *row[:3],
                    json_object(row[3]),
                )
            )
            for row in rows
        ]
