"""The table of what may wait, and the reckoning of reminders. Pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.book.wording import OTHER_CODES
from syncd.config.schema import LimitsTable
from syncd.limits import Limits
from syncd.rules.overdue import (
    RULES,
    Deed,
    Wait,
    doing,
    next_reminder,
    still_holds,
    turn_seconds,
)

MINUTE = 60 * 1_000_000
HALF_HOUR = 30 * MINUTE


def test_each_wait_has_a_rule_with_a_limit_and_words() -> None:
    assert set(RULES) == set(Wait)
    for wait, rule in RULES.items():
        assert rule.span(Limits()) > 0, wait
        assert OTHER_CODES[rule.code].means.endswith(".")
        assert OTHER_CODES[rule.code].do or rule.deed is Deed.EXPIRE, wait
    assert len({rule.code for rule in RULES.values()}) == len(RULES)


def test_each_limit_can_be_configured_and_is_used() -> None:
    assert set(LimitsTable.model_fields) == set(Limits.__struct_fields__)
    assert {rule.limit for rule in RULES.values()} == set(Limits.__struct_fields__)


def test_the_defaults_are_those_of_the_documentation() -> None:
    limits = Limits()
    assert limits.park_max == timedelta(hours=72)
    assert limits.rto_overdue == timedelta(days=21)
    assert limits.cir_overdue == timedelta(days=30)
    assert limits.cancel_reminder == timedelta(minutes=30)


def test_what_is_done_is_read_in_the_tables_order() -> None:
    assert doing(Deed.OPEN) == [Wait.ORDER, Wait.DISPATCH, Wait.RTO, Wait.CIR, Wait.ATTEMPT]
    assert doing(Deed.EXPIRE) == [Wait.KEPT_FACT, Wait.TOMBSTONE]


@pytest.mark.parametrize(
    ("since", "opened_at", "holds"),
    [(0, 10, True), (0, 9, False), (1, 10, False), (None, 10, False), (-5, 10, True)],
)
def test_an_exception_holds_while_it_would_have_been_opened_then(
    since: int | None, opened_at: int, holds: bool
) -> None:
    assert still_holds(since, opened_at, 10) is holds


@pytest.mark.parametrize(
    ("due_at", "now", "then", "fires"),
    [
        (None, 0, HALF_HOUR, False),
        (None, HALF_HOUR - 1, HALF_HOUR, False),
        (None, HALF_HOUR, 2 * HALF_HOUR, True),
        (2 * HALF_HOUR, HALF_HOUR, 2 * HALF_HOUR, False),
        (2 * HALF_HOUR, 2 * HALF_HOUR + MINUTE, 3 * HALF_HOUR, True),
        (HALF_HOUR, 100 * HALF_HOUR + MINUTE, 101 * HALF_HOUR, True),
        (90 * HALF_HOUR, HALF_HOUR, 2 * HALF_HOUR, True),
    ],
    ids=["new", "before", "at", "next", "late", "many missed", "clock set back"],
)
def test_a_reminder_moves_on_by_whole_spans(
    due_at: int | None, now: int, then: int, fires: bool
) -> None:
    assert next_reminder(due_at, 0, now, HALF_HOUR) == (then, fires)


def test_short_limits_are_looked_at_more_often() -> None:
    assert turn_seconds({}, 60.0) == 60.0
    assert turn_seconds({"shop": Limits()}, 60.0) == 60.0
    assert turn_seconds({"shop": Limits(park_max=timedelta(seconds=2))}, 60.0) == 1.0
    assert turn_seconds({"shop": Limits(park_max=timedelta(microseconds=2))}, 60.0) == 0.5
