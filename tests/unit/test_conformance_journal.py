"""The neutral reader of the kit: which returns are still open, and where nobody can say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from syncd import ReturnType, Status, StatusChange
from syncd.statuses import Kind
from syncd.testing.conformance.journal import Journal, Returns

KEY = ("OD1", "SHIRT")
NOTICED, RETURNED = Status.RETURN_NOTICED, Status.RETURNED


def told(*facts: tuple[Status, str]) -> Returns:
    """Of a line of two pieces, one fact a piece: its word and its return's id."""
    journal = Journal()
    journal.take(Kind.RETURNS, [_row(n, *fact) for n, fact in enumerate(facts)])
    return journal.returns(ReturnType.CIR, {KEY: 2})


def _row(number: int, status: Status, return_id: str) -> StatusChange:
    return StatusChange(
        order_id="OD1",
        sku="SHIRT",
        status=status,
        return_type=ReturnType.CIR,
        return_id=return_id,
        quantity=1,
        native_status="word",
        occurred_at=datetime(2026, 11, 20, tzinfo=UTC),
        evidence_id=f"e{number}",
    )


@pytest.mark.parametrize(
    ("facts", "open_by_id"),
    [
        ([(NOTICED, "a"), (NOTICED, "b")], 2),
        ([(NOTICED, "a"), (NOTICED, "b"), (RETURNED, "a")], 1),
        ([(NOTICED, "a"), (NOTICED, "b"), (Status.RETURN_WITHDRAWN, "a")], 1),
        ([(NOTICED, ""), (RETURNED, "a")], 0),  # a piece noticed without the id came back by it
        ([(NOTICED, ""), (NOTICED, ""), (RETURNED, "a")], None),
        ([(NOTICED, ""), (NOTICED, ""), (RETURNED, "")], None),
        ([(RETURNED, "")], None),
    ],
)
def test_returns_are_open_by_their_ids_where_all_ids_were_told(
    facts: Sequence[tuple[Status, str]], open_by_id: int | None
) -> None:
    found = told(*facts)

    assert (found.open.get(KEY, 0) if KEY in found.named else None) == open_by_id


def test_notices_with_and_without_an_id_are_of_the_same_pieces() -> None:
    assert told((NOTICED, ""), (NOTICED, "a")).noticed == {KEY: 1}
    assert told((NOTICED, "a"), (NOTICED, "b"), (NOTICED, "")).noticed == {KEY: 2}
