"""Plain look-ups in the book: accounts, tasks, runs, orders, putaways, stock and the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from syncd.book.documents import number_text
from syncd.book.runs import account_id_of
from syncd.book.store import Book
from syncd.book.views import (
    AccountView,
    ExceptionView,
    FacilityView,
    InvoiceView,
    OrderView,
    PackageView,
    PieceView,
    PutawayView,
    RunView,
    SequenceView,
    StockView,
    TaskView,
    TenantView,
)
from syncd.book.wording import ACCOUNT_STATES, PUTAWAYS, words_for
from syncd.clock import from_micros, to_micros
from syncd.errors import NotFound, Refused

MAX_LIMIT: Final = 500


def moment(micros: int | None) -> datetime | None:
    """A stored time that may be «never»: NULL or zero."""
    return from_micros(micros) if micros else None


def page_size(limit: int) -> int:
    """A page's size within 1 to MAX_LIMIT. Raises Refused below it; more is cut."""
    if limit < 1:
        raise Refused(f"limit is {limit}; give 1 to {MAX_LIMIT}.", code="bad_limit")
    return min(limit, MAX_LIMIT)


class Filter:
    """Conditions of a WHERE, gathered with their values."""

    def __init__(self) -> None:
        self._tests: list[str] = []
        self.params: list[Any] = []

    def add(self, test: str, *params: Any) -> None:
        self._tests.append(test)
        self.params.extend(params)

    def sql(self) -> str:
        return f"WHERE {' AND '.join(self._tests)}" if self._tests else ""


def accounts(book: Book, name: str | None = None) -> list[AccountView]:
    """All accounts by name, or the one asked for. Raises NotFound for that."""
    where = Filter()
    if name is not None:
        where.add("a.id = ?", account_id_of(book, name))
    with book.connection():
        rows = book.query(
            "SELECT a.name, a.channel, t.code, t.state, f.code, a.state, a.state_reason, "
            "a.state_since FROM account a JOIN tenant t ON t.id = a.tenant_id "
            f"JOIN facility f ON f.id = a.facility_id {where.sql()} ORDER BY a.name",
            where.params,
        )
        return [
            AccountView(
                *(
                    *row[:7],
                    moment(row[7]),
                    _account_words(row[5], row[6]),
                )
            )
            for row in rows
        ]


def _account_words(state: str, reason: str) -> str:
    words = ACCOUNT_STATES.get(state, state)
    return f"{words} ({reason})" if reason else words


def tasks(book: Book, now: datetime, account: str | None = None) -> list[TaskView]:
    """The recurrent tasks with their timers and how far each is behind."""
    where = Filter()
    if account is not None:
        where.add("t.account_id = ?", account_id_of(book, account))
    with book.connection():
        rows = book.query(
            "SELECT a.name, t.kind, t.enabled, t.every_seconds, t.look_back_seconds, t.next_run, "
            "t.last_start, t.last_end, t.last_success, t.last_result, t.last_message, t.failures, "
            "c.until FROM task t JOIN account a ON a.id = t.account_id "
            "LEFT JOIN cursor c ON c.account_id = t.account_id AND c.kind = t.kind "
            f"{where.sql()} ORDER BY a.name, t.kind",
            where.params,
        )
        at = to_micros(now)
        return [
            TaskView(
                *(
                    row[0],
                    row[1],
                    bool(row[2]),
                    row[3],
                    row[4],
                    *map(moment, row[5:9]),
                    *row[9:12],
                    moment(row[12]),
                    max(0, at - row[12]) // 1_000_000 if row[12] else None,
                )
            )
            for row in rows
        ]


_RUN: Final = (
    "SELECT r.id, a.name, r.kinds, r.orders, r.days, r.dry_run, r.trigger, r.actor, r.state, "
    "r.code, r.message, r.requested_at, r.started_at, r.ended_at, r.counts, r.tasks, r.plan_hash "
    "FROM run r JOIN account a ON a.id = r.account_id"
)


def runs(
    book: Book,
    *,
    limit: int = 50,
    before: int | None = None,
    account: str | None = None,
    states: Sequence[str] = (),
) -> list[RunView]:
    """Runs, newest first. For the next page hand in the last id as ``before``."""
    where = Filter()
    if before is not None:
        where.add("r.id < ?", before)
    if account is not None:
        where.add("r.account_id = ?", account_id_of(book, account))
    if states:
        where.add(f"r.state IN ({','.join('?' * len(states))})", *states)
    with book.connection():
        rows = book.query(
            f"{_RUN} {where.sql()} ORDER BY r.id DESC LIMIT ?", (*where.params, page_size(limit))
        )
        return [_run(row) for row in rows]


def run(book: Book, run_id: int) -> RunView:
    """One run. Raises NotFound."""
    with book.connection():
        row = book.query(f"{_RUN} WHERE r.id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no run {run_id}. See the newest with: syncctl runs")
    return _run(row)


def _run(row: Sequence[Any]) -> RunView:
    return RunView(
        id=row[0], account=row[1], kinds=_words(row[2]), orders=_words(row[3]), days=row[4],
        dry_run=bool(row[5]), trigger=row[6], actor=row[7], state=row[8], code=row[9],
        message=row[10], requested_at=from_micros(row[11]), started_at=moment(row[12]),
        ended_at=moment(row[13]), counts=_object(row[14]), tasks=_object(row[15]),
        plan_hash=row[16],
    )  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(text, type=list[str]))


def _object(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else {}


def find_order(book: Book, order_id: str, account: str | None = None) -> tuple[int, str] | None:
    """The row id and account of an order, or None.

    Raises NotFound for an unknown account, Refused when several accounts have the order.
    """
    where = Filter()
    where.add("o.order_id = ?", order_id)
    if account is not None:
        where.add("o.account_id = ?", account_id_of(book, account))
    else:  # the index on orders begins with the account
        where.add("o.account_id IN (SELECT id FROM account)")
    with book.connection():
        rows = book.query(
            f"SELECT o.id, a.name FROM orders o JOIN account a ON a.id = o.account_id "
            f"{where.sql()} ORDER BY a.name",
            where.params,
        ).fetchall()
    if len(rows) > 1:
        names = ", ".join(name for _, name in rows)
        raise Refused(
            f"Several accounts have an order {order_id}: {names}. Say which with --account.",
            code="ambiguous_order",
        )
    return (int(rows[0][0]), str(rows[0][1])) if rows else None


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
        "SELECT order_id, state, placed_at, imported_at, source, facts FROM orders WHERE id = ?",
        (order_pk,),
    ).fetchone()
    return OrderView(
        account=account, order_id=row[0], state=row[1], placed_at=from_micros(row[2]),
        imported_at=from_micros(row[3]), source=row[4], facts=_object(row[5]),
        pieces=tuple(_pieces(book, order_pk)), packages=tuple(_packages(book, order_pk)),
    )  # fmt: skip


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
        "JOIN package p ON p.id = v.package_id WHERE p.order_id = ? ORDER BY v.id",
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
        "p.blocked, p.created_at, p.dispatched_at FROM package p "
        "JOIN facility f ON f.id = p.facility_id WHERE p.order_id = ? ORDER BY p.id",
        (order_pk,),
    )
    for row in rows:
        yield PackageView(
            *(
                *row[1:8],
                from_micros(row[8]),
                moment(row[9]),
                tuple(invoices[row[0]]),
            )
        )


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
                    _object(row[3]),
                )
            )
            for row in rows
        ]


def exceptions(
    book: Book,
    *,
    state: str | None = "OPEN",
    account: str | None = None,
    order_id: str | None = None,
    limit: int = MAX_LIMIT,
    before: int | None = None,
) -> list[ExceptionView]:
    """Contradictions for a person to settle, newest first; ``state`` None means all."""
    where = Filter()
    if state is not None:
        where.add("e.state = ?", state)
    if account is not None:
        where.add("e.account_id = ?", account_id_of(book, account))
    if order_id is not None:
        where.add("e.order_id = ?", order_id)
    if before is not None:
        where.add("e.id < ?", before)
    with book.connection():
        rows = book.query(
            "SELECT e.id, a.name, e.order_id, e.item_id, e.code, e.severity, e.message, e.state, "
            "e.opened_at, e.closed_at, e.closed_by, e.note FROM exceptions e "
            f"JOIN account a ON a.id = e.account_id {where.sql()} ORDER BY e.id DESC LIMIT ?",
            (*where.params, page_size(limit)),
        )
        return [
            ExceptionView(
                *(
                    *row[:7],
                    words_for(row[4]).do,
                    row[7],
                    from_micros(row[8]),
                    moment(row[9]),
                    *row[10:],
                )
            )
            for row in rows
        ]
