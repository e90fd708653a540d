"""Cancellations that came before their order, in the intake: its pieces are born cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from syncd.book.contradictions import trouble_text
from syncd.book.facts import facts_by_id
from syncd.book.intake_known import Desk, Tombstone
from syncd.book.wording import pieces as so_many
from syncd.rules import Event, Outcome, Piece, Position, Reason, choose

_BURIED: Final = ("TOMBSTONE", Reason.CANCELLED_BEFORE_IMPORT.value)
_EXCEEDS: Final = (Outcome.ESCALATE.value, Reason.QUANTITY_EXCEEDS.value)


class Burial:
    """What becomes of the tombstones of a batch. :meth:`write` must run inside its transaction."""

    def __init__(self, desk: Desk) -> None:
        self.born_cancelled = 0
        self._desk = desk
        self._used: dict[int, int] = {}  # id -> how many pieces it has cancelled
        self._doubtful: set[int] = set()
        self._decision_rows: list[tuple[Any, ...]] = []
        self._exception_rows: list[tuple[Any, ...]] = []

    def bury(self, order_pk: int, pieces: Sequence[Piece], stones: list[Tombstone]) -> None:
        """Cancel the pieces that the channel had cancelled before they were known here.

        A tombstone is used up, and taken from ``stones``, by the first part of its order that has
        a piece of its line: what is left of its number is for reopen, by what it has met. So a
        piece that an earlier one has cancelled is written down too.
        """
        for stone in tuple(stones):
            choice = choose(pieces, stone.fact())
            if choice.pieces or choice.ambiguous:
                stones.remove(stone)
            if not choice.pieces:  # none of its line has come, or it may be of a replacement
                self._doubtful.add(stone.id)
                continue
            fresh = [piece for piece in choice.pieces if piece.position is not Position.CANCELLED]
            for piece in choice.pieces:
                met = piece.position is Position.CANCELLED
                before = Position.CANCELLED if met else Position.UNKNOWN_ORDER
                self._record(stone, order_pk, piece.item_id, before, Position.CANCELLED, _BURIED)
            for piece in fresh:
                piece.position = Position.CANCELLED
                piece.changed_at = stone.occurred_at
            if choice.excess:
                self._exceeds(stone, order_pk)
            self._used[stone.id] = len(fresh)
            self.born_cancelled += len(fresh)

    def leave(self, stones: Iterable[Tombstone]) -> None:
        """Let a pass decide: what is under way already is cancelled from where it stands."""
        self._doubtful.update(stone.id for stone in stones)

    def _record(
        self, stone: Tombstone, order_pk: int, item_id: int | None, before: Position,
        after: Position, mark: tuple[str, str],
    ) -> None:  # fmt: skip
        steps = "" if before is after else "cancel_item"
        self._decision_rows.append(
            (
                stone.id, order_pk, item_id, Event.CANCELLED.value, before.value, after.value,
                *mark, steps, stone.run_id, f"import from {self._desk.source}",
                stone.occurred_at, self._desk.at,
            )
        )  # fmt: skip

    def _exceeds(self, stone: Tombstone, order_pk: int) -> None:
        """It speaks of more pieces than there are: a person is told."""
        code = Reason.QUANTITY_EXCEEDS.value
        fact = facts_by_id(self._desk.book, [stone.id])[stone.id]
        nowhere = Position.UNKNOWN_ORDER
        self._record(stone, order_pk, None, nowhere, nowhere, _EXCEEDS)
        self._exception_rows.append(
            (
                self._desk.account_id, stone.order_id, stone.id, code,
                trouble_text(code, None, fact), self._desk.at,
            )
        )  # fmt: skip

    def write(self) -> int:
        """Write it all; returns how many tombstones the next pass must decide."""
        book, desk = self._desk.book, self._desk
        book.executemany(_ADD_DECISION, self._decision_rows)
        book.executemany(_ADD_EXCEPTION, self._exception_rows)
        used = self._used.items()
        book.executemany(
            _USE, [(f"{so_many(count)} born cancelled.", desk.at, pk) for pk, count in used]
        )
        book.executemany(_TELL, [(pk, desk.account_id, desk.at) for pk in self._used])
        doubtful = self._doubtful - self._used.keys()
        book.executemany(_DECIDE, [(pk,) for pk in sorted(doubtful)])
        return len(doubtful)


_ADD_DECISION: Final = (
    "INSERT INTO decision (inbox_id, order_id, item_id, event, before, after, outcome, code, "
    "steps, run_id, actor, occurred_at, decided_at, implied, note) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')"
)
_ADD_EXCEPTION: Final = (
    "INSERT INTO exceptions (account_id, order_id, inbox_id, code, severity, message, state, "
    "opened_at, closed_by, note) VALUES (?, ?, ?, ?, 'warning', ?, 'OPEN', ?, '', '')"
)
_TELL: Final = (
    "INSERT INTO outbox (inbox_id, account_id, topic, created_at) "
    "VALUES (?, ?, 'order.changed', ?) ON CONFLICT (inbox_id) DO NOTHING"
)
_DECIDE: Final = "UPDATE inbox SET state = 'NEW' WHERE id = ?"
_USE: Final = (
    "UPDATE inbox SET state = 'DONE', outcome = 'TOMBSTONE', "
    f"code = '{Reason.CANCELLED_BEFORE_IMPORT}', message = ?, decided_at = ? WHERE id = ?"
)
