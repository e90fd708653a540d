"""The page of what the tests did not notice gives a reason only where the form shows one."""

from __future__ import annotations

import pytest

from tools.survivors import OPEN, REASONS, Result, page, reason_for, table

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
    assert reason_for("book.verbs.ask", old, new, {}) == reason


def test_the_reason_that_somebody_wrote_comes_first_and_is_about_one_line() -> None:
    why = {"book.verbs.ask": {"a or b": "looked at"}}
    assert reason_for("book.verbs.ask", "a and b", "a or b", why) == "looked at"
    assert reason_for("book.verbs.ask", "a and c", "a or c", why) == OPEN
    assert reason_for("book.verbs.hold", "a and b", "a or b", why) == OPEN


def test_the_page_counts_and_names_each_change() -> None:
    found = [("book.verbs.ask", "a and b", "a or b"), ("book.verbs.hold", "c", "d")]
    text = "\n".join(page(found, {"book.verbs.ask": {"a or b": "looked at"}}))
    assert text.startswith("## looked at: 1\n\n- `book.verbs.ask`: `a and b` became `a or b`")
    assert text.rstrip().endswith(f"## {OPEN}: 1\n\n- `book.verbs.hold`: `c` became `d`")


def test_the_table_has_a_share_for_each_module_and_each_floor() -> None:
    wheres = ["rules.choose.choose", "rules.choose.near", "rules.ship.may", "book.verbs.ask"]
    found = [Result(str(n), where, n > 0) for n, where in enumerate(wheres)]
    text = "\n".join(table(found))
    assert "| choose | 2 | 1 | 50.0 % |\n| ship | 1 | 1 | 100.0 % |\n| **all** | 3 | 2 |" in text
    assert "| syncd/book |" in text
