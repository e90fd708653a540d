"""The demo's verdict: it must see each way in which a book can differ from a panel."""

from __future__ import annotations

from collections import Counter

import pytest

from syncd.rules import Position
from tools.demo.book import WORDS, Look, differences
from tools.demo.story import FATES

KEY = ("OD1", "L1")
TRUTH = {KEY: Counter(DISPATCHED=2, CANCELLED=1)}


def seen(**words: int) -> Look:
    return Look(words={KEY: Counter(words)})


def test_a_true_book_has_no_differences() -> None:
    assert differences(TRUTH, seen(DISPATCHED=2, CANCELLED=1)) == []


@pytest.mark.parametrize(
    "found",
    [
        seen(DISPATCHED=3),
        seen(DISPATCHED=2, CANCELLED=1, OPEN=1),
        seen(DISPATCHED=2),
        Look(),
        Look(words={KEY: TRUTH[KEY], ("OD2", "L9"): Counter(OPEN=1)}),
        Look(words=dict(TRUTH), invoices_twice=["SP-1"]),
    ],
    ids=["wrong", "a piece more", "a piece less", "not there", "an order more", "invoiced twice"],
)
def test_each_difference_is_seen(found: Look) -> None:
    assert len(differences(TRUTH, found)) == 1


def test_the_words_name_positions_of_the_book() -> None:
    assert set(WORDS) <= {position.value for position in Position}
    left = {"DISPATCHED", "SHIPPED", "DELIVERED"}
    assert left <= set(WORDS)


def test_the_story_has_a_few_hundred_orders_and_five_examples() -> None:
    assert 250 <= sum(fate.count for fate in FATES) <= 400
    assert sum(fate.example for fate in FATES) == 5
