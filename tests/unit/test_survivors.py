"""The page of what the tests did not notice gives a reason only where the form shows one."""

from __future__ import annotations

import pytest

from tools.survivors import OPEN, REASONS, page, reason_for

SQL, NEVER, GUARD, UNREAD, MOMENT, EMPTY, DEFAULT, WORDS = (reason for reason, _ in REASONS)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"SELECT id FROM run"', '"select id from run"', SQL),
        ('"SELECT id FROM run"', '"SELECT id FROM runs"', OPEN),
        ('raise AssertionError("no")', "raise AssertionError(None)", NEVER),
        ("zip(a, b, strict=True)", "zip(a, b, strict=False)", GUARD),
        ("allocate(desk, piece, step)", "allocate(desk, piece, None)", UNREAD),
        ("allocate(desk, piece, step)", "allocate(desk, None, step)", OPEN),
        ("max(at or 0, told)", "max(at or 1, told)", MOMENT),
        ("piece.allocated = False", "piece.allocated = None", EMPTY),
        ("piece.allocated = False", "piece.allocated = True", OPEN),
        ('def f(note: str = "") -> int:', 'def f(note: str = "XXXX") -> int:', DEFAULT),
        ('"It has left."', '"XXIt has left.XX"', WORDS),
        ('code="bad_step",', 'code="XXbad_stepXX",', OPEN),
        ('{"line_id": one}', '{"XXline_idXX": one}', OPEN),
        ('said if known else ""', 'said if known else "XXXX"', OPEN),
        ("a and b", "a or b", OPEN),
    ],
)
def test_the_reason_of_a_change(old: str, new: str, reason: str) -> None:
    assert reason_for(old, new) == reason


def test_the_page_counts_and_names_each_change() -> None:
    text = "\n".join(page([("book.verbs.ask", "a and b", "a or b")]))
    assert "1 changes survived" in text
    assert f"## {OPEN}: 1\n\n- `book.verbs.ask`: `a and b` became `a or b`" in text
