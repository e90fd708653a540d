"""The state of an order: always reckoned from its pieces, never told."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.rules.words import RANK, Position

_DISPATCHED_RANK = RANK[Position.DISPATCHED] or 0
_GONE = frozenset(
    {Position.LOST, *(p for p, rank in RANK.items() if rank and rank >= _DISPATCHED_RANK)}
)
_UNTOUCHED = frozenset(
    {Position.PENDING_VERIFICATION, Position.UNFULFILLABLE, Position.LOCATION_NOT_SERVICEABLE}
)


def roll_up(positions: Iterable[Position], *, allocated: bool) -> str:
    """The order's state from the positions of all its pieces.

    ``allocated``: whether any piece has stock reserved. Cancelled pieces do not count unless
    all are. COMPLETE means every live piece has left, wherever it is by now.
    """
    stands = set(positions)
    live = stands - {Position.CANCELLED}
    if not live:
        return "CANCELLED" if stands else "CREATED"
    if live <= _GONE:
        return "COMPLETE"
    if live == {Position.PENDING_VERIFICATION}:
        return "PENDING_VERIFICATION"
    if allocated or not live <= _UNTOUCHED | {Position.FULFILLABLE}:
        return "PROCESSING"
    return "CREATED"
