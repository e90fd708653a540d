"""What is not settled: facts that nobody could act on yet, and runs that failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from syncd.book.brake_lookups import brakes
from syncd.book.lookups import Filter, page_size, run
from syncd.book.runs import account_id_of, kinds_of, orders_of
from syncd.book.store import Book
from syncd.book.tables import UNSETTLED
from syncd.book.views import FactGroup, FactView, Failed, RunView
from syncd.book.wording import advice, words_for
from syncd.clock import from_micros

SHOWN: Final = ("REFUSED", "QUARANTINED", "PARKED", "WAITING")
MAX_RAW: Final = 500
MAX_RUNS: Final = 20
EXAMPLES: Final = 3
_LOOKED_AT: Final = 500  # failed runs of an account; older ones are history
_DECIDING: Final = ""  # stands beside the kinds: every run decides what is in the journal

_FACILITY: Final = (
    "coalesce((SELECT p.code FROM orders o JOIN item i ON i.order_id = o.id "
    "JOIN facility p ON p.id = i.facility_id WHERE o.account_id = f.account_id "
    "AND o.order_id = f.order_id AND f.line_id IN ('', i.line_id) LIMIT 1), home.code)"
)
_FROM: Final = (
    "FROM inbox f JOIN account a ON a.id = f.account_id "
    "JOIN tenant t ON t.id = a.tenant_id JOIN facility home ON home.id = a.facility_id"
)
_FIELDS: Final = (
    f"f.id, a.name, {_FACILITY}, f.kind, f.order_id, f.line_id, f.status, f.native_status, "
    "f.state, f.code, f.message, f.tries, f.occurred_at, f.observed_at, f.raw, t.code"
)
_GROUPED: Final = (
    f"a.name, f.code, {_FACILITY}, f.state, f.message, f.observed_at, f.order_id, t.code"
)


def failed(
    book: Book,
    *,
    account: str | None = None,
    code: str | None = None,
    states: Sequence[str] = SHOWN,
    limit: int = 100,
    before: int | None = None,
) -> Failed:
    """Facts that are not settled, newest first, their groups, and the newest failed runs.

    A fact whose order is unknown is shown once a pass has looked at it. For the next page of
    facts hand in the last id as ``before``. A failed run is no longer told of once later runs
    of its account did what it could not do; a run that a gate stopped has not failed.
    """
    where = Filter()
    where.add(f"f.{UNSETTLED}")
    where.add(f"f.state IN ({','.join('?' * len(states))})", *states)
    if account is not None:
        where.add("f.account_id = ?", account_id_of(book, account))
    if code is not None:
        where.add("f.code = ?", code)
    with book.connection():
        groups = tuple(_groups(book, where))
        if before is not None:
            where.add("f.id < ?", before)
        rows = book.query(
            f"SELECT {_FIELDS} {_FROM} {where.sql()} ORDER BY f.id DESC LIMIT ?",
            (*where.params, page_size(limit)),
        )
        facts = tuple(_fact(row) for row in rows)
        on = tuple(brakes(book, account=account))
        return Failed(facts, tuple(_broken_runs(book, account)), groups, on)


def _fact(row: Sequence[Any]) -> FactView:
    words = words_for(row[9])
    raw = row[14]
    what_to_do = advice(
        row[9], account=row[1], facility=row[2], order=row[4], id=str(row[0]), tenant=row[15]
    )
    return FactView(
        id=row[0], account=row[1], facility=row[2], kind=row[3], order_id=row[4], line_id=row[5],
        status=row[6], native_status=row[7], state=row[8], code=row[9], reason=words.means,
        what_to_do=what_to_do, message=row[10], tries=row[11], occurred_at=from_micros(row[12]),
        since=from_micros(row[13]), raw=raw if len(raw) <= MAX_RAW else f"{raw[:MAX_RAW]}…",
    )  # fmt: skip


class _Group:
    """The facts of a group, counted as they come."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.count = 0
        self.since = 0
        self.orders: dict[str, None] = {}
        self.messages: set[str] = set()

    def add(self, state: str, message: str, observed_at: int, order_id: str) -> None:
        self.since = min(self.since, observed_at) if self.count else observed_at
        self.count += 1
        if order_id and len(self.orders) < EXAMPLES:
            self.orders[order_id] = None
        if state != "WAITING" and len(self.messages) < 2:  # what waits only repeats the reason
            self.messages.add(message)


def _groups(book: Book, where: Filter) -> Iterable[FactGroup]:
    """All facts asked for, by account, code and facility; the largest group first."""
    found: dict[tuple[str, str, str], _Group] = {}
    rows = book.query(f"SELECT {_GROUPED} {_FROM} {where.sql()} ORDER BY f.id", where.params)
    for account, code, facility, state, message, observed_at, order_id, tenant in rows:
        group = found.setdefault((account, code, facility), _Group(tenant))
        group.add(state, message, observed_at, order_id)
    for (account, code, facility), group in sorted(found.items(), key=lambda one: -one[1].count):
        message = next(iter(group.messages)) if len(group.messages) == 1 else ""
        yield FactGroup(
            account=account, code=code, facility=facility, why=message or words_for(code).means,
            do=advice(code, account=account, facility=facility, tenant=group.tenant),
            count=group.count, since=from_micros(group.since), orders=tuple(group.orders),
        )  # fmt: skip


def _broken_runs(book: Book, account: str | None) -> list[RunView]:
    """The newest failed runs whose failure no later run has made good."""
    if account is not None:
        account_ids = [account_id_of(book, account)]
    else:
        account_ids = [pk for (pk,) in book.query("SELECT id FROM account").fetchall()]
    ids = [run_id for account_id in account_ids for run_id in _standing(book, account_id)]
    return [run(book, run_id) for run_id in sorted(ids, reverse=True)[:MAX_RUNS]]


def _standing(book: Book, account_id: int) -> Iterable[int]:
    """Failed runs of an account for which some kind has not been done since, newest first."""
    rows = book.query(
        "SELECT id, kinds, orders, dry_run FROM run WHERE account_id = ? AND state = 'FAILED' "
        "AND purpose = 'sync' "
        "ORDER BY id DESC LIMIT ?",
        (account_id, _LOOKED_AT),
    ).fetchall()
    if not rows:
        return
    later = _good_runs(book, account_id, rows[-1][0])
    good = next(later, None)
    done: set[str] = set()  # kinds that a later run did
    for run_id, kinds, orders, dry_run in rows:
        while good is not None and good[0] > run_id:
            done |= good[1]
            good = next(later, None)
        wanted = {kind.value for kind in kinds_of(kinds)} or {_DECIDING}
        if not wanted <= done and not _repeated(book, account_id, run_id, kinds, orders, dry_run):
            yield run_id


def _good_runs(book: Book, account_id: int, after: int) -> Iterator[tuple[int, set[str]]]:
    """Runs over all orders that ended well, newest first, with the kinds that they did."""
    rows = book.query(
        "SELECT id, kinds, tasks FROM run NOT INDEXED WHERE id > ? AND account_id = ? AND state "
        "IN ('OK', 'PARTIAL') AND orders = '[]' AND dry_run = 0 AND purpose = 'sync' "
        "ORDER BY id DESC",
        (after, account_id),
    )
    for run_id, kinds, tasks in rows:
        notes: Mapping[str, Any] = msgspec.json.decode(tasks or "{}")
        did = {kind.value for kind in kinds_of(kinds) if not _has_failed(notes.get(kind.value))}
        yield run_id, did | {_DECIDING}


def _has_failed(note: Any) -> bool:
    """Whether a kind failed in a run whose other kinds did not."""
    return isinstance(note, dict) and note.get("state") == "failed"


def _repeated(
    book: Book, account_id: int, run_id: int, kinds: str, orders: str, dry_run: bool
) -> bool:
    """Whether the very same was asked for again later, over its orders, and ended well."""
    if not orders_of(orders) and not dry_run:
        return False
    sql = (
        "SELECT 1 FROM run WHERE account_id = ? AND id > ? AND state IN ('OK', 'PARTIAL') "
        "AND kinds = ? AND orders = ? AND dry_run <= ? AND purpose = 'sync' LIMIT 1"
    )
    found = book.query(sql, (account_id, run_id, kinds, orders, dry_run)).fetchone()
    return found is not None
