"""What must hold of every book at every moment, as far as the stored rows alone can tell.

One small function an invariant. Each yields a sentence for each breach, which names the rows.
To add one, write it and put ``@holds`` above it; a test in ``test_invariants`` breaks a book in
the way it names. Words that another rule brings (a new way back, a new way on a shelf) are added
to the named sets below, never by a condition in the check.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict, namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from syncd.book.sheet_rows import parcel_state
from syncd.book.stock import Bucket
from syncd.book.store import Book
from syncd.rules import RANK, Position, Verb, roll_up
from syncd.rules.laws import MOVES
from syncd.rules.policies import CHANNEL_INVOICES

Query = Callable[[str], Sequence[tuple[Any, ...]]]
P, B = Position, Bucket

REPACKED: Final = "repacked_after_cancel"
WAYS_BACK: Final = {
    "redelivered", "return_withdrawn", REPACKED, "parcel_split", "parcels_merged",
    "cleared_by_hand", "cancelled_after_delivery",
}  # fmt: skip
"""Reason codes of a decision that may move a piece to a lower rank."""

SETTLES: Final = "settled_"
"""How the codes of a person's choice begin: it may move a piece either way."""

WAYS_OUT_OF_CANCELLED: Final = {"settled_reopen", "settled_expect_rto"}
"""Reason codes of an act that may bring a cancelled piece back to life."""

WAYS_PAST_A_CANCELLATION: Final = WAYS_OUT_OF_CANCELLED | {"settled_gone", "settled_dismiss"}
"""Those by which a person says that what the channel has cancelled goes out after all."""

LEFT_UNSOLD: Final = "settled_expect_rto"
"""A piece that left without being sold: it needs no parcel, and no invoice while it stands at one
of these."""
UNSOLD_AT: Final = {P.RETURN_EXPECTED, P.RETURNED, P.RETURN_ACKNOWLEDGED, P.LOST}

CLAIM_SETTLED: Final = {"settled_claim_paid": B.SOLD, "settled_written_off": B.OUTSIDE}
"""Where a lost piece is counted once its claim is settled."""

RELEASED_BY: Final = {"release_allocation"}
"""Steps that put a piece back on its shelf at once, and the positions where they may."""
RELEASED_AT: Final = {P.FULFILLABLE, P.CREATED}

RELEASED_UNDER: Final = {
    "putaway_after_cancel = unless_channel_invoices": {P.PACKED, P.READY_TO_SHIP},
}  # fmt: skip
"""Policies, as a record names them, and where else they put a piece back at once."""

NO_EFFECT: Final = {"REFUSED", "PARK", "ACT"}
"""Outcomes of records that are not what became of a fact."""

TOLD_ON: Final = {"APPLY", "APPLY_CHAIN", "HOLD", "ESCALATE", "NOTE", "TOMBSTONE"}
"""Outcomes of facts that other systems must hear of."""

SETTLED_OUTCOMES: Final = {
    "applied": ("APPLY", "APPLY_CHAIN"), "noop": ("NOOP",), "noted": ("NOTE",),
    "held": ("HOLD",), "escalated": ("ESCALATE",), "skipped": ("SKIPPED",),
}  # fmt: skip
"""A run's counts, by the outcomes of the facts that it settled."""

PARCELS_AT_REST: Final = {"SPLITTED", "MERGED"}
"""States of a parcel that is only a trace of what became of it."""

WITHDRAWS: Final = {Verb.WITHDRAW_RETURN_EXPECTATION.value, Verb.CANCEL_REVERSE_PICKUP.value}
ADJUSTABLE: Final = {B.ON_HAND_GOOD, B.BAD, B.NOT_FOUND, B.SHORTAGE}
MAY_BE_BELOW_ZERO: Final = {B.OUTSIDE, B.SHORTAGE}
PUT_AWAY_IN: Final = {
    "GOOD": B.ON_HAND_GOOD, "BAD": B.BAD, "QC_REJECTED": B.BAD, "NOT_RECEIVED": B.NOT_FOUND,
}  # fmt: skip
BEFORE_DISPATCH: Final = {p for p, rank in RANK.items() if rank is not None and rank < 70}
LEFT: Final = {p for p, rank in RANK.items() if rank is not None and rank >= 70} | {P.LOST}
INVOICED: Final = {P.PACKED, P.READY_TO_SHIP, P.MANIFESTED} | LEFT
BUCKET_AT: Final = {
    P.DISPATCHED: B.IN_TRANSIT_OUT, P.SHIPPED: B.IN_TRANSIT_OUT, P.DELIVERED: B.SOLD,
    P.RETURN_EXPECTED: B.IN_TRANSIT_BACK, P.CIR_CREATED: B.IN_TRANSIT_BACK,
    P.RETURNED: B.PUTAWAY_PENDING, P.CIR_COMPLETE: B.PUTAWAY_PENDING,
}  # fmt: skip
WEIGHT: Final = {
    "SKIPPED": 0, "NOOP": 0, "NOTE": 1, "APPLY": 2, "APPLY_CHAIN": 3, "HOLD": 4, "ESCALATE": 5,
    "TOMBSTONE": 6,
}  # fmt: skip


class Ledger:
    """The rows of a book, read once."""

    def __init__(self, query: Query) -> None:
        self.query = query

    def _table(self, name: str, columns: str, order: str = "id") -> list[Any]:
        row = namedtuple(name, columns)  # type: ignore[misc]
        sql = f"SELECT {', '.join(columns.split())} FROM {name} ORDER BY {order}"
        return [row(*values) for values in self.query(sql)]

    @cached_property
    def orders(self) -> dict[int, Any]:
        return {row.id: row for row in self._table("orders", "id account_id order_id state")}

    @cached_property
    def items(self) -> dict[int, Any]:
        columns = (
            "id order_id facility_id sku position package_id allocated short hold dispatched_at "
            "delivered_at return_type return_noticed_at"
        )
        rows = self._table("item", columns)
        return {row.id: row._replace(position=P(row.position)) for row in rows}

    @cached_property
    def packages(self) -> dict[int, Any]:
        columns = "id order_id facility_id code state blocked dispatched_at successor_id"
        return {row.id: row for row in self._table("package", columns)}

    @cached_property
    def invoices(self) -> list[Any]:
        return self._table("invoice", "package_id facility_id kind number state", "package_id")

    @cached_property
    def moves(self) -> list[Any]:
        return self._table("stock_move", "id facility_id sku source target quantity item_id reason")

    @cached_property
    def moves_of(self) -> dict[int, list[Any]]:
        return _by(self.moves, "item_id")

    @cached_property
    def putaways_of(self) -> dict[int, list[Any]]:
        return _by(self._table("putaway", "id item_id kind state disposition"), "item_id")

    @cached_property
    def facts(self) -> dict[int, Any]:
        columns = "id account_id kind order_id state outcome code run_id decided_run"
        return {row.id: row for row in self._table("inbox", columns)}

    @cached_property
    def decisions(self) -> list[Any]:
        columns = (
            "id inbox_id order_id item_id event before after outcome code steps run_id actor note "
            "decided_at"
        )
        return self._table("decision", columns)

    @cached_property
    def decisions_of(self) -> dict[int, list[Any]]:
        """The records of each piece, oldest first."""
        return _by(self.decisions, "item_id")

    @cached_property
    def effects_of(self) -> dict[int, list[Any]]:
        """What each fact did to its pieces, the refusals before it left out."""
        return _by((d for d in self.decisions if d.outcome not in NO_EFFECT), "inbox_id")

    @cached_property
    def runs(self) -> dict[int, Any]:
        columns = "id account_id state dry_run orders counts tasks ended_at"
        return {row.id: row for row in self._table("run", columns)}


def _by(rows: Any, column: str) -> dict[int, list[Any]]:
    """The rows by the value of a column, without those that have none."""
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        value = getattr(row, column)
        if value is not None:
            found[value].append(row)
    return found


def _steps(decision: Any) -> list[tuple[str, str]]:
    """(verb, argument) of each step of a record."""
    words = [word for word in decision.steps.split(",") if word]
    return [(word.partition(":")[0], word.partition(":")[2]) for word in words]


Check = Callable[[Ledger], Iterator[str]]
INVARIANTS: Final[dict[str, Check]] = {}


def holds(check: Check) -> Check:
    """Have this checked of every book."""
    INVARIANTS[check.__name__] = check
    return check


def check_invariants(book: Book, *, but: Sequence[str] = ()) -> None:
    """Fail with the breaches of the invariants that this book breaks."""
    with book.connection():
        check_rows(lambda sql: book.query(sql).fetchall(), but=but)


def check_file(path: Path, *, but: Sequence[str] = ()) -> None:
    """The same of a book in a file, whoever has it open; ``but`` names what is not asked."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        check_rows(lambda sql: db.execute(sql).fetchall(), but=but)


def check_rows(query: Query, *, but: Sequence[str] = ()) -> None:
    """The same of whatever answers SQL as a book does."""
    assert set(but) <= INVARIANTS.keys(), f"no such invariant: {but}"
    ledger = Ledger(query)
    told = [
        f"{name}: {breach}"
        for name, check in INVARIANTS.items()
        if name not in but
        for breach in islice(check(ledger), 5)
    ]
    assert not told, "\n".join(["the book is not sound", *told])


@holds
def every_row_has_its_parent(ledger: Ledger) -> Iterator[str]:
    for table, row, parent, _ in ledger.query("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} names a {parent} that is not there"


@holds
def i01_a_piece_is_in_one_parcel_of_its_own_order(ledger: Ledger) -> Iterator[str]:
    for item in ledger.items.values():
        package = ledger.packages.get(item.package_id)
        if package is None:
            if item.position in INVOICED and not _left_unsold(ledger, item):
                yield f"item {item.id} is {item.position} and in no parcel"
            continue
        if (package.order_id, package.facility_id) != (item.order_id, item.facility_id):
            yield f"item {item.id} is in package {package.id} of another order or facility"
        gone = package.state == P.CANCELLED or package.state in PARCELS_AT_REST
        if gone and item.position is not P.CANCELLED:
            yield f"item {item.id} is {item.position} in package {package.id}, {package.state}"


@holds
def i01_a_parcel_has_one_invoice(ledger: Ledger) -> Iterator[str]:
    state: dict[int, str] = {}
    for invoice in ledger.invoices:
        if invoice.kind != "SALE_INVOICE":
            continue
        if invoice.package_id in state:
            yield f"package {invoice.package_id} has two invoices"
        state[invoice.package_id] = invoice.state
    for item in ledger.items.values():
        if item.package_id is None or item.position is P.CANCELLED:
            continue
        if state.get(item.package_id) == "VOIDED":
            yield f"item {item.id} is {item.position}, but its package's invoice is void"
            continue
        missing = item.position in INVOICED and item.package_id not in state
        unsold = item.position in UNSOLD_AT and _left_unsold(ledger, item)
        excused = unsold or _came_invoiced(ledger, item) or _channel_invoices(ledger, item)
        if missing and not excused:
            yield f"item {item.id} is {item.position} in a package without an invoice"


def _left_unsold(ledger: Ledger, item: Any) -> bool:
    """Whether a person said that it left without being sold, and nothing has sold it since."""
    records = ledger.decisions_of.get(item.id, ())
    said = max((d.id for d in records if d.code == LEFT_UNSOLD), default=0)
    return bool(said) and all(d.id <= said or "create_invoice" not in d.steps for d in records)


def _channel_invoices(ledger: Ledger, item: Any) -> bool:
    """Whether the policy of the account kept it from a number when, or since, it needed one."""
    said = False
    for d in ledger.decisions_of.get(item.id, ()):
        if not {d.before, d.after} <= INVOICED:
            said = False
        said = said or (d.after in INVOICED and CHANNEL_INVOICES in d.note)
    return said


def _came_invoiced(ledger: Ledger, item: Any) -> bool:
    """Whether a piece was imported in mid-life, its invoice being with the other system."""
    words = {f"imported as {position}" for position in INVOICED}
    return any(move.reason in words for move in ledger.moves_of.get(item.id, ()))


@holds
def i01_a_number_is_given_once_and_below_the_counter(ledger: Ledger) -> Iterator[str]:
    tenant_of = dict(ledger.query("SELECT id, tenant_id FROM facility"))
    seen = Counter((tenant_of[v.facility_id], v.kind, v.number) for v in ledger.invoices)
    for (tenant, kind, number), times in seen.items():
        if times > 1:
            yield f"{kind} number {number} was given {times} times by tenant {tenant}"
    sequences = ledger.query("SELECT facility_id, kind, prefix, next_number FROM sequence")
    for facility, kind, prefix, following in sequences:
        for v in ledger.invoices:
            rest = v.number[len(prefix) :]
            mine = (v.facility_id, v.kind) == (facility, kind) and v.number.startswith(prefix)
            if mine and rest.isdigit() and int(rest) >= following:
                yield f"invoice {v.number} is not below the counter {following} of {facility}"


@holds
def i02_a_fact_takes_effect_once(ledger: Ledger) -> Iterator[str]:
    for inbox_id, effects in ledger.effects_of.items():
        what = ((d.item_id, "" if d.item_id else d.code) for d in effects)
        for (item_id, _), times in Counter(what).items():
            if times > 1:
                yield f"fact {inbox_id} was decided {times} times for item {item_id}"


@holds
def i04_no_piece_moves_back_but_by_the_named_rules(ledger: Ledger) -> Iterator[str]:
    for d in ledger.decisions:
        if d.item_id is None or d.before == d.after:
            continue
        before, after = RANK[P(d.before)], RANK[P(d.after)]
        lower = before is not None and after is not None and after < before
        if lower and d.code not in WAYS_BACK and not d.code.startswith(SETTLES):
            yield f"decision {d.id} moves item {d.item_id} back: {d.before} to {d.after}, {d.code}"
        if d.before == P.CANCELLED and d.code not in WAYS_OUT_OF_CANCELLED:
            yield f"decision {d.id} brings cancelled item {d.item_id} to {d.after}, {d.code}"


@holds
def i05_the_shelf_grows_only_by_lawful_moves(ledger: Ledger) -> Iterator[str]:
    for move in ledger.moves:
        if move.target != B.ON_HAND_GOOD:
            continue
        if move.item_id is None:
            if move.source != B.OUTSIDE or not move.reason.startswith(("received", "adjusted")):
                yield f"stock move {move.id} fills the shelf from {move.source}: {move.reason}"
        elif move.source == B.ALLOCATED:
            if not any(_releases(d) for d in ledger.decisions_of.get(move.item_id, ())):
                yield f"stock move {move.id} releases item {move.item_id}, which was picked"
        elif move.source == B.PUTAWAY_PENDING:
            done = [p.disposition for p in ledger.putaways_of.get(move.item_id, ())]
            if "GOOD" not in done:
                yield f"stock move {move.id} shelves item {move.item_id} without a good putaway"
        else:
            yield f"stock move {move.id} puts item {move.item_id} on the shelf from {move.source}"


def _releases(d: Any) -> bool:
    """Whether a record puts a piece back on its shelf from where that is lawful."""
    if not RELEASED_BY & {verb for verb, _ in _steps(d)}:
        return False
    allowed = (at for policy, at in RELEASED_UNDER.items() if policy in d.note)
    return d.before in RELEASED_AT.union(*allowed)


@holds
def i06_every_bucket_is_the_sum_of_its_moves(ledger: Ledger) -> Iterator[str]:
    moved: Counter[tuple[int, str, str]] = Counter()
    for move in ledger.moves:
        moved[move.facility_id, move.sku, move.source] -= move.quantity
        moved[move.facility_id, move.sku, move.target] += move.quantity
        if move.quantity < 1 or move.source == move.target:
            yield f"stock move {move.id} moves {move.quantity} from {move.source} to {move.target}"
        if move.item_id is None and not {move.source, move.target} <= ADJUSTABLE | {B.OUTSIDE}:
            yield f"stock move {move.id} of no piece is from {move.source} to {move.target}"
    stored = {
        (facility, sku, bucket): quantity
        for facility, sku, bucket, quantity in ledger.query(
            "SELECT facility_id, sku, bucket, quantity FROM stock"
        )
    }
    for key in sorted(stored.keys() | moved.keys()):
        if stored.get(key, 0) != moved[key]:
            yield f"{key} has {stored.get(key, 0)}, its moves make {moved[key]}"
        if stored.get(key, 0) < 0 and key[2] not in MAY_BE_BELOW_ZERO:
            yield f"{key} is below zero: {stored[key]}"


@holds
def i06_the_moves_of_a_piece_are_a_path_to_where_it_is(ledger: Ledger) -> Iterator[str]:
    for item_id, moves in ledger.moves_of.items():
        item = ledger.items[item_id]
        at = ""
        for move in moves:
            anew = at == B.ON_HAND_GOOD or (
                at in PUT_AWAY_IN.values()
                and any(p.state == "COMPLETED" for p in ledger.putaways_of.get(item_id, ()))
            )  # once on a shelf it is a piece like any other; what left may be another
            if at and move.source != at and not anew:
                yield f"stock move {move.id} takes item {item_id} from {move.source}, it is at {at}"
            elsewhere = (move.facility_id, move.sku) != (item.facility_id, item.sku)
            if elsewhere or move.quantity != 1:
                yield f"stock move {move.id} is not of one piece of item {item_id}"
            at = move.target
    for item in ledger.items.values():
        taken = ledger.moves_of.get(item.id, ())
        at = taken[-1].target if taken else ""
        wanted = _bucket_of(ledger, item)
        if at != wanted and not (wanted == "" and at == B.ON_HAND_GOOD):
            yield f"item {item.id} is {item.position} and counted in {at!r}, not in {wanted!r}"


PUT_AWAY = (P.RETURN_ACKNOWLEDGED, P.CIR_COMPLETE)


def _put_away_last(ledger: Ledger, item: Any) -> bool:
    """Whether the piece was put away after a person last moved it by settling an exception.

    By the order of the records: a clock may have been set back between the two.
    """
    records = ledger.decisions_of.get(item.id, ())
    moved = (
        d.id
        for d in records
        if d.code.startswith(SETTLES) and d.before != d.after and d.after not in PUT_AWAY
    )  # the right name for a return that is put away moves no goods
    put_away = (d.id for d in records if d.outcome == "ACT" and d.event == "putaway")
    return max(put_away, default=0) > max(moved, default=0)


def _bucket_of(ledger: Ledger, item: Any) -> str:
    """Where the piece must be counted; empty for on the shelf or not yet on the books."""
    if item.position is P.LOST:
        for d in reversed(ledger.decisions_of.get(item.id, ())):
            if d.code in CLAIM_SETTLED:
                return CLAIM_SETTLED[d.code].value
    for putaway in reversed(ledger.putaways_of.get(item.id, ())):
        if putaway.state == "COMPLETED" and _put_away_last(ledger, item):
            return PUT_AWAY_IN[putaway.disposition].value
        if putaway.state in ("PENDING", "HELD"):
            return B.PUTAWAY_PENDING.value
    if item.position is P.LOST:
        return (B.IN_TRANSIT_BACK if item.return_type else B.IN_TRANSIT_OUT).value
    if item.position in BUCKET_AT:
        return BUCKET_AT[item.position].value
    return B.ALLOCATED.value if item.allocated else ""


@holds
def i07_a_decision_does_what_its_steps_say(ledger: Ledger) -> Iterator[str]:
    for d in ledger.decisions:
        if d.item_id is None or d.outcome == "ACT":
            continue
        if d.outcome not in ("APPLY", "APPLY_CHAIN", "TOMBSTONE"):
            if d.before != d.after:
                yield f"decision {d.id} moves item {d.item_id}, but {d.outcome} moves nothing"
            continue
        end, withdrawn = d.before, False
        for verb, _ in _steps(d):
            if Verb(verb) in MOVES:
                end, withdrawn = MOVES[Verb(verb)].value, verb in WITHDRAWS
        # A withdrawn return ends where the piece stood before its notice.
        back = withdrawn and d.after in (P.DISPATCHED, P.SHIPPED, P.DELIVERED)
        again = d.code == REPACKED and d.after == P.CREATED
        if d.after != end and not back and not again:
            yield f"decision {d.id}: the steps {d.steps} lead to {end}, the piece is {d.after}"


@holds
def i09_the_records_of_a_piece_have_no_gap(ledger: Ledger) -> Iterator[str]:
    for item_id, records in ledger.decisions_of.items():
        at = records[0].before
        for d in records:
            if d.before != at:
                yield f"decision {d.id} finds item {item_id} {d.before}, the last left it {at}"
            if d.before != d.after and not d.actor:
                yield f"decision {d.id} moves item {item_id} and names nobody"
            at = d.after
        if ledger.items[item_id].position != at:
            yield f"item {item_id} is {ledger.items[item_id].position}, its last record says {at}"


@holds
def i11_what_was_cancelled_is_neither_invoiced_nor_sent(ledger: Ledger) -> Iterator[str]:
    for item_id, records in ledger.decisions_of.items():
        cancelled = False
        for d in records:
            verbs = {verb for verb, _ in _steps(d)}
            if d.outcome == "ACT" and d.code in WAYS_PAST_A_CANCELLATION:
                cancelled = False
            if cancelled and verbs & {"create_invoice", "dispatch"}:
                yield f"decision {d.id} sends item {item_id}, which the channel had cancelled"
            pulled = (d.outcome, d.code) == ("HOLD", "cancelled_after_manifest")
            if d.after == P.CANCELLED or pulled:
                cancelled = True


@holds
def i12_a_closed_gate_and_a_rehearsal_change_nothing(ledger: Ledger) -> Iterator[str]:
    still = {run.id for run in ledger.runs.values() if run.state == "GATED" or run.dry_run}
    for d in ledger.decisions:
        if d.run_id in still:
            yield f"decision {d.id} was taken by run {d.run_id}, which may change nothing"
    for fact in ledger.facts.values():
        if ledger.runs[fact.run_id].dry_run or fact.decided_run in still:
            yield f"fact {fact.id} was stored or decided by a run that may change nothing"


@holds
def i08_a_cursor_is_proven_by_the_run_that_moved_it(ledger: Ledger) -> Iterator[str]:
    for account, kind, until, run_id in ledger.query(
        "SELECT account_id, kind, until, run_id FROM cursor"
    ):
        run = ledger.runs.get(run_id)
        name = f"the cursor of {kind} of account {account}"
        if run_id is None:
            continue  # set by a test's own hand
        if run is None or run.account_id != account:
            yield f"{name} was moved by run {run_id}, which is not of this account"
        elif run.dry_run or run.state == "GATED" or run.orders != "[]":
            yield f"{name} was moved by run {run_id}, which may move none"
        elif run.ended_at is not None and run.state in ("OK", "PARTIAL") and until > run.ended_at:
            yield f"{name} stands at {until}, after run {run_id} had ended"


@holds
def ledger_a_runs_counts_are_the_journals_marks(ledger: Ledger) -> Iterator[str]:
    marks: Counter[tuple[int, str]] = Counter()
    stored: Counter[tuple[int, bool]] = Counter()
    for fact in ledger.facts.values():
        if fact.state == "DONE" and fact.decided_run is not None:
            marks[fact.decided_run, fact.outcome] += 1
        if fact.kind != "orders" or fact.outcome == "QUARANTINED":
            stored[fact.run_id, False] += 1
        if fact.outcome == "QUARANTINED":
            stored[fact.run_id, True] += 1
    taken_up_again = Counter(
        ledger.runs[fact.run_id].account_id
        for fact in ledger.facts.values()
        if any(d.run_id != fact.decided_run for d in ledger.effects_of.get(fact.id, ()))
        or (fact.state != "DONE" and _has_grown(ledger, fact))
    )
    for run in ledger.runs.values():
        if run.dry_run or run.ended_at is None or run.state not in ("OK", "PARTIAL"):
            continue
        counts = json.loads(run.counts)
        for name, outcomes in SETTLED_OUTCOMES.items():
            found = sum(marks[run.id, outcome] for outcome in outcomes)
            if not 0 <= counts[name] - found <= taken_up_again[run.account_id]:
                yield f"run {run.id} counted {counts[name]} {name}, the journal has {found}"
        for name, found in (("new", stored[run.id, False]), ("quarantined", stored[run.id, True])):
            if found != counts[name]:
                yield f"run {run.id} counted {counts[name]} {name}, the journal has {found}"


def _has_grown(ledger: Ledger, fact: Any) -> bool:
    """Whether pieces came into the order after this fact was carried out: it is taken up again."""
    effects = ledger.effects_of.get(fact.id, ())
    met = max((d.item_id or 0 for d in effects), default=0)
    orders = {d.order_id for d in effects}
    return any(item.order_id in orders and item.id > met for item in ledger.items.values())


@holds
def ledger_a_facts_mark_is_what_its_records_say(ledger: Ledger) -> Iterator[str]:
    for fact in ledger.facts.values():
        effects = ledger.effects_of.get(fact.id, ())
        if fact.state != "DONE":
            if effects and not _has_grown(ledger, fact):
                yield f"fact {fact.id} is {fact.state}, but decision {effects[0].id} carried it out"
            continue
        if not effects:
            yield f"fact {fact.id} is done as {fact.outcome}, but nothing records it"
            continue
        strongest = max(effects, key=lambda d: (WEIGHT[d.outcome], -d.id))
        if (fact.outcome, fact.code) != (strongest.outcome, strongest.code):
            said = f"{strongest.outcome} {strongest.code}"
            yield f"fact {fact.id} is marked {fact.outcome} {fact.code}, its records say {said}"


@holds
def ledger_others_are_told_once_of_each_change(ledger: Ledger) -> Iterator[str]:
    told = {row[0] for row in ledger.query("SELECT inbox_id FROM outbox")}
    for fact in ledger.facts.values():
        effects = ledger.effects_of.get(fact.id)
        of_a_piece = any(d.item_id is not None for d in effects or ())
        wanted = fact.state == "DONE" and fact.outcome in TOLD_ON and of_a_piece
        if wanted != (fact.id in told) and not (effects and _has_grown(ledger, fact)):
            yield f"fact {fact.id} ({fact.outcome}) has {'no' if wanted else 'a'} message"


@holds
def ledger_a_contradiction_is_told_to_a_person(ledger: Ledger) -> Iterator[str]:
    sql = "SELECT item_id, inbox_id, code FROM exceptions"
    told = Counter(tuple(row) for row in ledger.query(sql))
    for d in ledger.decisions:
        if d.outcome in ("ESCALATE", "HOLD") and told[d.item_id, d.inbox_id, d.code] != 1:
            yield f"decision {d.id} ({d.code}) of item {d.item_id} has no exception of its own"


@holds
def ledger_an_order_is_the_sum_of_its_pieces(ledger: Ledger) -> Iterator[str]:
    pieces = _by(ledger.items.values(), "order_id")
    for order in ledger.orders.values():
        mine = pieces.get(order.id, ())
        state = roll_up([p.position for p in mine], allocated=any(p.allocated for p in mine))
        if str(state) != order.state:
            yield f"order {order.order_id} is {order.state}, its pieces make it {state}"


@holds
def ledger_a_parcel_stands_where_its_pieces_stand(ledger: Ledger) -> Iterator[str]:
    pieces = _by(ledger.items.values(), "package_id")
    for package in ledger.packages.values():
        mine = [piece.position for piece in pieces.get(package.id, ())]
        if package.state in PARCELS_AT_REST:
            if package.successor_id is None:
                yield f"package {package.id} is {package.state}, but nothing took its place"
        elif package.state != parcel_state(mine):
            yield f"package {package.id} is {package.state}, its pieces are {mine}"


@holds
def ledger_what_a_piece_knows_fits_where_it_is(ledger: Ledger) -> Iterator[str]:
    for item in ledger.items.values():
        if item.allocated and item.position not in BEFORE_DISPATCH:
            yield f"item {item.id} is {item.position} and still has stock reserved"
        if item.hold and item.position not in BEFORE_DISPATCH:
            yield f"item {item.id} is {item.position} and on hold: {item.hold}"
        if item.position in LEFT and item.dispatched_at is None:
            yield f"item {item.id} is {item.position} and was never dispatched"
        if item.position is P.DELIVERED and item.delivered_at is None:
            yield f"item {item.id} is delivered, nobody knows when"
        back = item.position in (P.RETURN_EXPECTED, P.RETURNED, P.CIR_CREATED, P.CIR_COMPLETE)
        if back and not (item.return_type and item.return_noticed_at is not None):
            yield f"item {item.id} is {item.position} without a return type or a notice"
