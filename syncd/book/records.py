"""What people's acts have in common: the audit record, the roll-up, and finding a facility."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import groupby
from typing import Final

from msgspec import Struct

from syncd.book.store import Book
from syncd.errors import NotFound, Refused
from syncd.rules import Position, roll_up

BY_HAND: Final = "ACT"
"""The outcome of a decision record that a person's act wrote, not a fact of a channel."""

_INSERT: Final = (
    "INSERT INTO decision (inbox_id, order_id, item_id, event, before, after, outcome, code, "
    "steps, implied, run_id, actor, note, occurred_at, decided_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_AT_ONCE: Final = 400


class Act(StrEnum):
    """What people, imports and the allocation may do to an order: a record's event."""

    ADVANCE = "advance"
    ALLOCATE = "allocate"
    GROW = "grow"
    PUTAWAY = "putaway"
    RETRY = "retry"
    IGNORE = "ignore"
    SETTLE = "settle"
    SPLIT = "split"
    MERGE = "merge"


class Record(Struct, frozen=True, kw_only=True):
    """One line of the audit: who did what to which piece; ``at`` in microseconds."""

    order_pk: int
    act: Act
    before: str
    after: str
    code: str
    actor: str
    at: int
    item_id: int | None = None
    inbox_id: int | None = None
    steps: str = ""
    note: str = ""


def write_records(book: Book, records: Iterable[Record]) -> None:
    """Store the audit lines, inside the transaction of the act itself."""
    book.insert(
        _INSERT,
        [
            (
                r.inbox_id, r.order_pk, r.item_id, r.act.value, r.before, r.after, BY_HAND, r.code,
                r.steps, 0, None, r.actor, r.note, r.at, r.at,
            )
            for r in records
        ],
    )  # fmt: skip


def refresh_orders(book: Book, order_pks: Iterable[int]) -> None:
    """Work out the state of these orders from their pieces again, and store it."""
    wanted = sorted(set(order_pks))
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        rows = book.query(
            "SELECT order_id, position, allocated FROM item WHERE order_id IN "
            f"({','.join('?' * len(part))}) ORDER BY order_id",
            part,
        ).fetchall()
        states = []
        for order_pk, pieces in groupby(rows, key=lambda row: int(row[0])):
            group = list(pieces)
            allocated = any(row[2] for row in group)
            state = roll_up([Position(row[1]) for row in group], allocated=allocated)
            states.append((str(state), order_pk))
        book.executemany("UPDATE orders SET state = ? WHERE id = ?", states)


class Place(Struct, frozen=True):
    """A facility found by its code."""

    id: int
    code: str
    tenant_id: int
    tenant: str
    state: str


def find_facility(book: Book, code: str, tenant: str = "") -> Place:
    """The facility with this code; ``tenant`` tells them apart where several have the code.

    Raises NotFound naming the facilities there are, Refused when the code is ambiguous.
    """
    rows = _facilities(book)
    found = [r for r in rows if r.code == code and tenant in ("", r.tenant)]
    if len(found) == 1:
        return found[0]
    if found:
        owners = ", ".join(r.tenant for r in found)
        raise Refused(
            f"Several tenants have a facility {code}: {owners}. Say which with --tenant.",
            code="ambiguous_facility",
        )
    known = ", ".join(r.code for r in rows) or "none; add one to the configuration"
    of = f" of tenant {tenant}" if tenant else ""
    raise NotFound(f"There is no facility {code!r}{of}. Known facilities: {known}.")


def _facilities(book: Book) -> Sequence[Place]:
    with book.connection():
        rows = book.query(
            "SELECT f.id, f.code, t.id, t.code, f.state FROM facility f "
            "JOIN tenant t ON t.id = f.tenant_id ORDER BY t.code, f.code"
        )
        return [Place(*row) for row in rows]
