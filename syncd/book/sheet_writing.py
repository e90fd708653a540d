"""Write a worksheet into the book: what its verbs changed, in as few statements as it takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from syncd.book.sheet_rows import item_values, new_package_values, old_package_values

if TYPE_CHECKING:
    from syncd.book.worksheet import Worksheet

K = TypeVar("K")


def write(sheet: Worksheet) -> None:
    """Write everything. Inside one transaction of the caller."""
    book = sheet.book
    packages = [p for p in sheet.packages.values() if p.fresh or p.dirty]
    book.insert(_ADD_PACKAGE, [new_package_values(p) for p in packages if p.fresh])
    old = [p for p in packages if not p.fresh or p.successor_id is not None]
    book.executemany(_SET_PACKAGE, [old_package_values(p) for p in old])
    book.insert(_ADD_INVOICE, sheet.invoices)
    book.executemany(_VOID_INVOICE, sheet.voided)
    book.executemany(
        _SET_ITEM, [item_values(p) for o in sheet.orders.values() for p in o.pieces if p.dirty]
    )
    for state, pks in _grouped((o.state, o.pk) for o in sheet.orders.values() if o.dirty):
        book.query(_SET_ORDERS, (state, msgspec.json.encode(pks).decode()))
    sheet.moves.flush(book)
    book.executemany(_END_PUTAWAY, sheet.ended_putaways)
    book.executemany(_FREE_PUTAWAY, sheet.freed_putaways)
    book.executemany(_ADD_PUTAWAY, sheet.putaways)
    book.executemany(_HOLD_PUTAWAY, sheet.held_putaways)
    book.executemany(_ADD_TROUBLE, sheet.troubles)
    book.executemany(_CLOSE_TROUBLE, sheet.closed_troubles)
    book.executemany(_ADD_ATTEMPT, sheet.attempts)
    book.insert(_ADD_DECISION, sheet.decisions)
    book.insert(_ADD_MESSAGE, sheet.messages)
    for (state, outcome, code, message), ids in _grouped(sheet.marks):
        text = msgspec.json.encode(ids).decode()
        book.query(_MARK, (state, outcome, code, message, sheet.run_id, sheet.now, text))
    sheet.shared.write_sequences()


def _grouped(pairs: Iterable[tuple[K, int]]) -> Iterable[tuple[K, list[int]]]:
    """Row ids by what shall be written to them: few statements for many rows."""
    groups: dict[K, list[int]] = {}
    for key, row_id in pairs:
        groups.setdefault(key, []).append(row_id)
    return groups.items()


_ADD_PACKAGE: Final = (
    "INSERT INTO package (id, order_id, facility_id, code, state, shipment_id, tracking_number, "
    "courier, blocked, created_at, dispatched_at, came_from_id, learned) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_SET_PACKAGE: Final = (
    "UPDATE package SET state = ?, shipment_id = ?, tracking_number = ?, courier = ?, "
    "blocked = ?, dispatched_at = ?, successor_id = ?, learned = ? WHERE id = ?"
)

_ADD_INVOICE: Final = (
    "INSERT INTO invoice (package_id, facility_id, kind, number, state, issued_at) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)

_VOID_INVOICE: Final = "UPDATE invoice SET state = 'VOIDED' WHERE package_id = ? AND kind = ?"

_SET_ITEM: Final = (
    "UPDATE item SET position = ?, package_id = ?, allocated = ?, short = ?, hold = ?, "
    "changed_at = ?, dispatched_at = ?, delivered_at = ?, return_type = ?, return_id = ?, "
    "return_noticed_at = ?, return_from = ?, withdrawn_at = ?, uncancelled_at = ?, "
    "held_at = ?, settled_at = ?, cancelled_at = ?, lost_at = ?, withdrawn_type = ? WHERE id = ?"
)

_SET_ORDERS: Final = "UPDATE orders SET state = ? WHERE id IN (SELECT value FROM json_each(?))"

_ADD_PUTAWAY: Final = (
    "INSERT INTO putaway (item_id, facility_id, kind, state, disposition, reason, opened_at, "
    "actor) VALUES (?, ?, ?, 'PENDING', '', ?, ?, '') ON CONFLICT (item_id, kind) DO UPDATE SET "
    "state = 'PENDING', disposition = '', reason = excluded.reason, opened_at = "
    "excluded.opened_at, closed_at = NULL, actor = '' WHERE putaway.state = 'CANCELLED'"
)

_END_PUTAWAY: Final = (
    "UPDATE putaway SET state = 'CANCELLED', closed_at = ?, actor = ?, reason = ? "
    "WHERE item_id = ? AND state IN ('PENDING', 'HELD')"
)

_FREE_PUTAWAY: Final = (
    "UPDATE putaway SET state = 'PENDING', reason = ? WHERE item_id = ? AND state = 'HELD'"
)

_HOLD_PUTAWAY: Final = (
    "UPDATE putaway SET state = 'HELD', reason = ? WHERE item_id = ? AND state = 'PENDING'"
)

_ADD_TROUBLE: Final = (
    "INSERT INTO exceptions (account_id, order_id, item_id, inbox_id, code, severity, message, "
    "state, opened_at, closed_by, note, against_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 'OPEN', ?, '', '', ?) "
    "ON CONFLICT (item_id, code, inbox_id) DO NOTHING"
)

_CLOSE_TROUBLE: Final = (
    "UPDATE exceptions SET state = 'CLOSED', closed_at = ?, closed_by = ?, note = ?, choice = ? "
    "WHERE item_id IS ? AND code = ? AND inbox_id IS ? AND state = 'OPEN'"
)

_ADD_ATTEMPT: Final = (
    "INSERT INTO attempt (item_id, at) VALUES (?, ?) "
    "ON CONFLICT (item_id) DO UPDATE SET at = max(at, excluded.at)"
)

_ADD_DECISION: Final = (
    "INSERT INTO decision (inbox_id, order_id, item_id, event, before, after, outcome, code, "
    "steps, implied, run_id, actor, note, occurred_at, decided_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_ADD_MESSAGE: Final = (
    "INSERT INTO outbox (account_id, topic, inbox_id, created_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (inbox_id) DO UPDATE SET created_at = excluded.created_at, sent_at = NULL"
)

# What is decided again for later pieces keeps its turn among the facts of its order.
_MARK: Final = (
    "UPDATE inbox SET state = ?, outcome = ?, code = ?, message = ?, tries = tries + 1, "
    "decided_run = ?, decided_at = CASE WHEN since_item IS NULL THEN ? ELSE decided_at END "
    "WHERE id IN (SELECT value FROM json_each(?))"
)
