"""What must be so in the end: book and panels agree, or the book says where they do not and why.

A difference is never silent. A person has settled it, the channel does not ship the order, a
fact waits with its reason, or an exception is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from syncd.book.causes import HEALED_BY_FIX, Cause
from syncd.clock import to_micros
from syncd.rules import Position
from tests.machine.office import ACCOUNTS, LIMITS, Office
from tests.machine.panel import PanelOrder

WORDS = {
    "RETURN_EXPECTED": "RETURN_NOTICED_RTO", "RETURNED": "RETURNED_RTO",
    "RETURN_ACKNOWLEDGED": "RETURNED_RTO", "CIR_CREATED": "RETURN_NOTICED_CIR",
    "CIR_COMPLETE": "RETURNED_CIR", "DISPATCHED": "DISPATCHED", "DELIVERED": "DELIVERED",
    "CANCELLED": "CANCELLED", "LOST": "LOST",
}  # fmt: skip
"""What the panel calls a piece that the book has at a position; else it is open there."""

ECHOED = {"OPEN", "DISPATCHED", "DELIVERED", "RETURN_NOTICED_RTO", "RETURNED_RTO", "LOST"}
"""Between these the channel's word decides nothing, where the seller ships."""

SILENT = HEALED_BY_FIX | {Cause.AHEAD, Cause.NOT_CARRIED_OUT}
"""What an audit may not find once everything was told and decided: nothing explains it."""

Line = dict[str, Counter[str]]


def untrue(office: Office) -> list[str]:
    """Every difference that the book is silent about; everything has been told."""
    return [*_undecided(office), *_unlike(office), *_unexplained(office)]


def _undecided(office: Office) -> Iterator[str]:
    for row in office.rows(
        "SELECT id, order_id, status, state FROM inbox WHERE state = 'NEW' "
        "OR (state <> 'DONE' AND code = '' AND message = '')"
    ):
        yield f"fact {row} waits, and nothing says why"


def _unlike(office: Office) -> Iterator[str]:
    """Where the book differs from a panel, of which nothing untrue was told."""
    found, settled = _lines(office), _settled(office)
    for account, panel in office.panels.items():
        for order_id, order in panel.orders.items():
            if order.spoilt:
                continue
            book, truth = found.get((account, order_id), {}), order.truth()
            for line_id in truth.keys() | book.keys():
                there, here = truth.get(line_id), book.get(line_id)
                excused = settled[account, order_id, line_id]
                if there is not None and here is not None and _alike(order, there, here, excused):
                    continue
                yield "\n".join(
                    [
                        f"{account} {order_id} {line_id}: the panel has {there}, the book {here}",
                        *map(str, history(office, account, order_id)),
                    ]
                )


def _lines(office: Office) -> dict[tuple[str, str], Line]:
    """The pieces of each line by what a panel would call them."""
    found: dict[tuple[str, str], Line] = {}
    for account, order_id, line_id, position, hold in office.rows(
        "SELECT a.name, o.order_id, i.line_id, i.position, i.hold FROM item i "
        "JOIN orders o ON o.id = i.order_id JOIN account a ON a.id = o.account_id"
    ):
        pulled = position == Position.MANIFESTED and hold == "cancelled_after_manifest"
        word = "CANCELLED" if pulled else WORDS.get(position, "OPEN")
        lines = found.setdefault((account, order_id), {})
        lines.setdefault(line_id, Counter())[word] += 1
    return found


def _settled(office: Office) -> Counter[tuple[str, str, str]]:
    """How many pieces of a line a person has had a word on: they may differ."""
    rows = office.rows(
        "SELECT a.name, o.order_id, i.line_id FROM item i JOIN orders o ON o.id = i.order_id "
        "JOIN account a ON a.id = o.account_id WHERE i.settled_at IS NOT NULL OR EXISTS ("
        "SELECT 1 FROM decision d WHERE d.item_id = i.id AND d.event = 'settle' AND d.steps <> '')"
    )
    return Counter((account, order_id, line_id) for account, order_id, line_id in rows)


def _alike(order: PanelOrder, there: Counter[str], here: Counter[str], excused: int) -> bool:
    if order.own:
        there, here = _without_echoes(there), _without_echoes(here)
    return there.total() == here.total() and (here - there).total() <= excused


def _without_echoes(words: Counter[str]) -> Counter[str]:
    echoed = Counter[str]()
    for word, count in words.items():
        echoed["ECHO" if word in ECHOED else word] += count
    return echoed


def _unexplained(office: Office) -> Iterator[str]:
    """What the audit itself, looking only, finds no reason for."""
    for account in ACCOUNTS:
        run_id = office.audit(account, fix=False)
        for order_id, line_id, cause, book, panel, message in findings(office, run_id):
            if cause in SILENT:
                yield "\n".join(
                    [
                        f"{account} {order_id} {line_id}: {cause}, the book has {book}, the panel "
                        f"{panel}. {message}",
                        *map(str, history(office, account, order_id)),
                    ]
                )


def findings(office: Office, run_id: int) -> list[tuple[Any, ...]]:
    """What an audit has found and not mended."""
    return office.rows(
        "SELECT order_id, line_id, cause, book_says, panel_says, message FROM drift "
        "WHERE run_id = ? AND NOT mended ORDER BY id",
        run_id,
    )


def untold(office: Office) -> list[str]:
    """What is overdue by the rows alone, although the timers have just had their turn."""
    now = to_micros(office.now)
    spans = {
        name: to_micros(office.now - getattr(LIMITS, name)) for name in LIMITS.__struct_fields__
    }
    told = [
        (f"{account} {order_id} is not in the book and nobody was told", "order_unknown_too_long")
        for account, order_id in office.rows(
            "SELECT f.account_id, f.order_id FROM inbox f JOIN account a ON a.id = f.account_id "
            "JOIN tenant t ON t.id = a.tenant_id WHERE f.state = 'PARKED' AND t.state = 'LIVE' "
            "AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.account_id = f.account_id "
            "AND e.order_id = f.order_id AND e.code = 'order_unknown_too_long' "
            "AND (e.state = 'OPEN' OR e.closed_by <> 'syncd')) "
            "GROUP BY 1, 2 HAVING min(f.observed_at) <= ?",
            spans["park_max"],
        )
    ]
    for position, code in (("RETURN_EXPECTED", "rto_overdue"), ("CIR_CREATED", "cir_overdue")):
        told += [
            (f"item {item} is overdue and nobody was told", code)
            for (item,) in office.rows(
                f"SELECT i.id {_OF_LIVE} WHERE i.position = ? AND i.return_noticed_at <= ? "
                "AND t.state = 'LIVE' AND NOT EXISTS (SELECT 1 FROM exceptions e "
                "WHERE e.item_id = i.id AND e.code = ? "
                "AND (e.state = 'OPEN' OR e.closed_by <> 'syncd'))",
                position, spans[code], code,
            )
        ]  # fmt: skip
        told += [
            (f"item {item} is back and still called overdue", code)
            for (item,) in office.rows(
                f"SELECT i.id {_OF_LIVE} JOIN exceptions e ON e.item_id = i.id "
                "WHERE t.state = 'LIVE' AND e.code = ? AND e.state = 'OPEN' AND i.position <> ?",
                code, position,
            )
        ]  # fmt: skip
    told += [
        (f"fact {fact} was kept for too long", state)
        for fact, state in office.rows(
            "SELECT f.id, f.state FROM inbox f JOIN account a ON a.id = f.account_id "
            "JOIN tenant t ON t.id = a.tenant_id WHERE f.state IN ('PARKED', 'TOMBSTONE') "
            "AND t.state = 'LIVE' AND max(f.observed_at, coalesce(f.decided_at, 0)) <= ?",
            spans["keep"],
        )
    ]
    return [f"{words} ({code}) at {now}" for words, code in told]


_OF_LIVE = (
    "FROM item i JOIN orders o ON o.id = i.order_id JOIN account a ON a.id = o.account_id "
    "JOIN tenant t ON t.id = a.tenant_id"
)


def history(office: Office, account: str, order_id: str) -> list[tuple[Any, ...]]:
    """What the book did with the order, and why: its records, oldest first."""
    return office.rows(
        "SELECT d.run_id, f.id, (f.occurred_at - o.placed_at) / 1000000, d.event, f.line_id, "
        "f.quantity, f.shipment_id, f.return_id, d.item_id, d.before, d.after, d.code, d.note "
        "FROM decision d JOIN orders o ON o.id = d.order_id "
        "JOIN account a ON a.id = o.account_id LEFT JOIN inbox f ON f.id = d.inbox_id "
        "WHERE a.name = ? AND o.order_id = ? ORDER BY d.id",
        account, order_id,
    )  # fmt: skip
