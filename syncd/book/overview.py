"""The state of everything at a glance, in words, with what a person should do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from syncd.book.brake_lookups import brakes
from syncd.book.documents import sequence_missing
from syncd.book.drift import audits
from syncd.book.lookups import MAX_LIMIT, accounts, tasks
from syncd.book.overdue_lookups import USUAL, LimitsOf, overdue_counts
from syncd.book.runs import AUDIT, account_id_of
from syncd.book.store import Book
from syncd.book.tables import UNSETTLED
from syncd.book.views import (
    AccountStatus,
    AccountView,
    AuditView,
    BrakeView,
    FactCounts,
    Status,
    TaskView,
)
from syncd.book.wait_words import overdue_text
from syncd.book.wording import split_refusal
from syncd.clock import to_micros
from syncd.limits import Limits
from syncd.rules import TENANT_NOT_LIVE
from syncd.rules.overdue import Wait

_LATE: Final = 3  # a task is late when it is this many intervals behind its last success
_NAMED: Final = 3  # orders that a sentence names
_LOOKED_AT: Final = 100  # cancellations among which these are looked for
_FIELD: Final = {
    "NEW": "pending",
    "WAITING": "waiting",
    "PARKED": "parked",
    "TOMBSTONE": "tombstones",
    "REFUSED": "refused",
    "QUARANTINED": "quarantined",
}


def status(book: Book, now: datetime, limits: LimitsOf = USUAL) -> Status:
    """All accounts with their tasks, open work and problems."""
    with book.connection():
        facts = _facts(book)
        timers: dict[str, list[TaskView]] = defaultdict(list)
        for task in tasks(book, now):
            timers[task.account].append(task)
        running, queued = _runs(book)
        braked = {one.account: one for one in brakes(book, limit=MAX_LIMIT)}
        audited = audits(book)
        found = [
            _account(
                book, view, timers[view.name], facts.get(view.name, FactCounts()),
                running.get(view.name), queued.get(view.name, 0), now,
                limits.get(view.name, Limits()), braked.get(view.name), audited.get(view.name),
            )
            for view in accounts(book)
        ]  # fmt: skip
        waiting = book.query("SELECT count(*) FROM putaway WHERE state IN ('PENDING', 'HELD')")
        shelves = int(waiting.fetchone()[0])
        problems = [*_gated(one.account for one in found), *_without_sequence(book)]
    if not found:
        problems.append("No account is configured. Write a configuration with: syncctl init")
    healthy = not problems and not any(one.problems for one in found)
    return Status(now, healthy, tuple(found), shelves, tuple(problems))


def _gated(views: Iterable[AccountView]) -> Iterable[str]:
    """A sentence for each tenant that is not live: why nothing moves, and who can change it."""
    of_tenant: dict[tuple[str, str], list[str]] = defaultdict(list)
    for view in views:
        if view.tenant_state != "LIVE":
            of_tenant[view.tenant, view.tenant_state].append(view.name)
    for (tenant, state), names in of_tenant.items():
        if state == "SUSPENDED":
            yield (
                f"Tenant {tenant} is suspended, so nothing is synced for {', '.join(names)}. An "
                "operator of the configuration, root or the daemon's user can set it live "
                f"again: syncctl tenant live {tenant}"
            )
        else:
            yield f"{TENANT_NOT_LIVE} ({tenant}). Set it live: syncctl tenant live {tenant}"


def _account(
    book: Book,
    view: AccountView,
    timers: list[TaskView],
    facts: FactCounts,
    running: int | None,
    queued: int,
    now: datetime,
    limits: Limits,
    brake: BrakeView | None,
    audit: AuditView | None,
) -> AccountStatus:
    syncs = [task for task in timers if task.kind != AUDIT]
    successes = [task.last_success for task in syncs if task.last_success]
    coming = [task.next_run for task in syncs if task.next_run and task.enabled]
    stopped = view.state != "CONNECTED"
    late: dict[Wait, tuple[int, int]] = {}
    if view.tenant_state == "LIVE" and view.state != "DISABLED":
        late = overdue_counts(book, account_id_of(book, view.name), limits, to_micros(now))
    return AccountStatus(
        account=view,
        tasks=tuple(timers),
        facts=facts,
        running=running,
        queued=queued,
        last_success=max(successes, default=None),
        next_run=None if stopped else min(coming, default=None),
        problems=(
            *([brake.words] if brake else []),
            *_problems(view, timers, facts, now),
            *(
                overdue_text(wait, view.name, count, oldest, to_micros(now))
                for wait, (count, oldest) in late.items()
            ),
            *_drifted(view.name, audit),
        ),
        notes=tuple(_buried(book, view.name, facts.tombstones)),
        overdue={wait.value: count for wait, (count, _) in late.items()},
        brake=brake,
        audit=audit,
    )


def _buried(book: Book, account: str, count: int) -> Iterable[str]:
    """Which orders were cancelled before they were known here; they need nobody."""
    if not count:
        return
    rows = book.query(
        f"SELECT order_id FROM inbox WHERE account_id = ? AND {UNSETTLED} AND state = 'TOMBSTONE' "
        "ORDER BY occurred_at DESC, id DESC LIMIT ?",
        (account_id_of(book, account), _LOOKED_AT),
    )
    ids = list(dict.fromkeys(order_id for (order_id,) in rows))
    told = ", ".join(ids[:_NAMED])
    more = " and others" if len(ids) > _NAMED or count > _LOOKED_AT else ""
    yield (
        f"{account}: cancelled at the channel before the book had them: {told}{more}. Should they "
        "come, they begin as cancelled."
    )


def _problems(
    view: AccountView, timers: Iterable[TaskView], facts: FactCounts, now: datetime
) -> Iterable[str]:
    """What a person should do about this account, the most pressing first."""
    name = view.name
    if view.state == "AUTH_FAILED":
        yield (
            f"The panel refuses the credentials of {name}{_because(view.state_reason)}: put them "
            f"right, then syncctl resume {name}."
        )
    if view.state == "PAUSED":
        pause, refusal = split_refusal(view.state_reason)
        yield f"{name} is {pause or 'paused'}. Let it go on with: syncctl resume {name}"
        if refusal:
            yield (
                f"The panel refused the credentials of {name} before it was paused"
                f"{_because(refusal)}: put them right before you resume it."
            )
    if view.state == "CONNECTED" and view.tenant_state == "LIVE":
        yield from _late(timers, now)
    for count, what, advice in (
        (facts.exceptions, "Exceptions to settle for", "See: syncctl exceptions"),
        (facts.refused, "Facts refused for", "Why, and what helps: syncctl failed"),
        (facts.quarantined, "Rows that could not be read for", "See them: syncctl failed"),
        (
            facts.parked,
            "Facts that wait for an order or a line that the book lacks, for",
            "See them: syncctl failed",
        ),
    ):
        if count:
            yield f"{what} {name}: {count}. {advice}"


def _drifted(name: str, audit: AuditView | None) -> Iterable[str]:
    if audit is not None and audit.open:
        yield (
            f"The book of {name} and its panel disagree: {audit.open}. See why and what mends it: "
            f"syncctl drift --account {name}"
        )


def _because(reason: str) -> str:
    return f" ({reason.removesuffix('.')})" if reason else ""


def _late(timers: Iterable[TaskView], now: datetime) -> Iterable[str]:
    for task in timers:
        if not task.enabled:
            continue
        if task.failures and task.last_result == "failed":  # the last pass was not just gated
            often = "once" if task.failures == 1 else f"{task.failures} times in a row"
            yield f"{task.kind} of {task.account} failed {often}: {task.last_message}"
            continue
        since = task.last_success
        if since and now - since > timedelta(seconds=_LATE * task.every_seconds):
            yield (
                f"{task.kind} of {task.account} last succeeded {since:%Y-%m-%d %H:%M} UTC; is "
                "the daemon running? See: syncctl runs"
            )


def _facts(book: Book) -> Mapping[str, FactCounts]:
    """Open work by account."""
    found: dict[str, FactCounts] = {}
    names = dict(book.query("SELECT id, name FROM account").fetchall())
    for account_id, state, count in book.query(
        f"SELECT account_id, state, count(*) FROM inbox WHERE {UNSETTLED} "
        "GROUP BY account_id, state"
    ):
        if state in _FIELD:
            name = names[account_id]
            found[name] = replace(found.get(name, FactCounts()), **{_FIELD[state]: count})
    for account_id, count in book.query(
        "SELECT account_id, count(*) FROM exceptions WHERE state = 'OPEN' GROUP BY account_id"
    ):
        name = names[account_id]
        found[name] = replace(found.get(name, FactCounts()), exceptions=count)
    return found


def _runs(book: Book) -> tuple[dict[str, int], dict[str, int]]:
    """The running run of each account, and how many wait."""
    running: dict[str, int] = {}
    queued: dict[str, int] = defaultdict(int)
    for name, run_id, state in book.query(
        "SELECT a.name, r.id, r.state FROM account a JOIN run r ON r.account_id = a.id "
        "AND r.state IN ('QUEUED', 'RUNNING') ORDER BY r.id"
    ):
        if state == "RUNNING":
            running[name] = run_id
        else:
            queued[name] += 1
    return running, queued


def _without_sequence(book: Book) -> Iterable[str]:
    """What to do for each active facility that serves an account and cannot number an invoice."""
    rows = book.query(
        "SELECT DISTINCT f.code, CASE WHEN EXISTS (SELECT 1 FROM facility o WHERE o.code = f.code "
        "AND o.id <> f.id) THEN t.code ELSE '' END FROM facility f "
        "JOIN tenant t ON t.id = f.tenant_id JOIN account a ON a.facility_id = f.id "
        "WHERE f.state = 'ACTIVE' AND NOT EXISTS (SELECT 1 FROM sequence s "
        "WHERE s.facility_id = f.id AND s.kind = 'SALE_INVOICE') ORDER BY f.code"
    ).fetchall()
    return [sequence_missing(code, tenant=tenant) for code, tenant in rows]
