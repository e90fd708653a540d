"""What an exception says to the person who must look, word by word, and which facts it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.rules import Position
from syncd.statuses import Status
from tests.bookkit import Seller

L1 = ("L1", "SHIRT", 1)


def told(seller: Seller) -> list[tuple[Any, ...]]:
    return seller.rows(
        "SELECT code, item_id, severity, inbox_id, against_id, message FROM exceptions ORDER BY id"
    )


def hear(seller: Seller, *changes: Any) -> None:
    seller.tell(*changes)
    seller.settle()


def dispatched_after_cancel(seller: Seller) -> None:
    seller.order("OD1", L1)
    hear(seller, seller.change("OD1", Status.CANCELLED))
    hear(seller, seller.change("OD1", Status.DISPATCHED))


def in_one_batch(seller: Seller) -> None:
    seller.order("OD1", L1)
    hear(
        seller, seller.change("OD1", Status.CANCELLED), seller.change("OD1", Status.DISPATCHED)
    )  # fmt: skip


def without_a_word(seller: Seller) -> None:
    seller.order("OD1", L1)
    hear(seller, seller.change("OD1", Status.CANCELLED))
    said = seller.change("OD1", Status.DISPATCHED)
    hear(seller, msgspec.structs.replace(said, native_status=""))


def by_hand(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", L1)
    seller.advance("OD1", Position.MANIFESTED)
    hear(seller, seller.change("OD1", Status.CANCELLED))


def held_where_a_person_brought_it(seller: Seller) -> None:
    by_hand(seller)
    hear(seller, seller.change("OD1", Status.DISPATCHED))


def held_in_one_batch(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", L1)
    seller.advance("OD1", Position.MANIFESTED)
    hear(
        seller, seller.change("OD1", Status.CANCELLED), seller.change("OD1", Status.DISPATCHED)
    )  # fmt: skip


def other_lines_between(seller: Seller) -> None:
    seller.order("OD1", L1, ("L2", "MUG", 1))
    hear(
        seller,
        seller.change("OD1", Status.CANCELLED, line_id="L1"),
        seller.change("OD1", Status.DISPATCHED, line_id="L2"),
        seller.change("OD1", Status.DISPATCHED, line_id="L1"),
    )


def a_wish(seller: Seller) -> None:
    seller.order("OD1", L1)
    hear(seller, seller.change("OD1", Status.CANCEL_REQUESTED))


def too_many(**which: Any) -> Callable[[Seller], None]:
    def hear_it(seller: Seller) -> None:
        seller.order("OD1", ("L1", "SHIRT", 2))
        hear(seller, seller.change("OD1", Status.DISPATCHED, quantity=3, **which))

    return hear_it


def after(word: str, hour: str, position: str = "CANCELLED", whose: str = "channel") -> str:
    who = "by the channel's word" if whose == "channel" else whose
    return (
        f"The channel said {word} at 2026-03-01 {hour} UTC of line L1 piece 1, which the book has "
        f"as {position}, {who}"
    )


CANCELLED = "CANCELLED since 2026-03-01 06:01 UTC"
LATE = "dispatched_after_cancel"
SAID = "DISPATCHED (DISPATCHED)"
SITUATIONS: list[tuple[Callable[[Seller], None], tuple[Any, ...]]] = [
    (
        dispatched_after_cancel,
        (LATE, 1, "critical", 2, 1, f"{after(SAID, '06:02', CANCELLED)}: {LATE}."),
    ),
    (in_one_batch, (LATE, 1, "critical", 2, 1, f"{after(SAID, '06:02', CANCELLED)}: {LATE}.")),
    (
        without_a_word,
        (
            LATE,
            1,
            "critical",
            2,
            1,
            f"{after('DISPATCHED (no word of its own)', '06:02', CANCELLED)}: {LATE}.",
        ),
    ),
    (
        other_lines_between,
        (LATE, 1, "critical", 3, 1, f"{after(SAID, '06:03', CANCELLED)}: {LATE}."),
    ),
    (
        by_hand,
        (
            "cancelled_after_manifest",
            1,
            "critical",
            1,
            None,
            after(
                "CANCELLED (CANCELLED)",
                "06:01",
                "MANIFESTED since 2026-03-01 06:00 UTC",
                "by the hand of test",
            )
            + ": cancelled_after_manifest.",
        ),
    ),
    (
        a_wish,
        (
            "buyer_cancel_requested",
            1,
            "warning",
            1,
            None,
            after(
                "CANCEL_REQUESTED (CANCEL_REQUESTED)",
                "06:01",
                "UNFULFILLABLE since 2026-03-01 06:00 UTC",
                "as it was imported",
            )
            + ": buyer_cancel_requested.",
        ),
    ),
] + [
    (
        too_many(**which),
        (
            "quantity_exceeds",
            None,
            "warning",
            1,
            None,
            f"The channel said {SAID} at 2026-03-01 06:01 UTC of 3 of {what}: quantity_exceeds.",
        ),
    )
    for which, what in (
        ({"line_id": "L1", "sku": "SHIRT"}, "line L1"),
        ({"sku": "SHIRT"}, "SKU SHIRT"),
        ({}, "the order"),
    )
]


@pytest.mark.parametrize("situation", [held_where_a_person_brought_it, held_in_one_batch])
def test_what_a_person_brought_there_and_the_channel_holds_is_told_as_both(
    tmp_path: Path, situation: Callable[[Seller], None]
) -> None:
    seller = Seller(tmp_path)
    situation(seller)
    *_, last = told(seller)
    brought = "MANIFESTED since 2026-03-01 06:00 UTC"
    whose = "by the hand of test, on hold by the channel's word"
    assert last == (LATE, 1, "critical", 2, 1, f"{after(SAID, '06:02', brought, whose)}: {LATE}.")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_hold_that_has_been_taken_off_brought_nothing_there(
    tmp_path: Path, at_once: bool
) -> None:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 1)
    seller.order("OD1", L1)
    seller.advance("OD1", Position.PACKED)
    for status in (Status.CANCEL_REQUESTED, Status.CANCEL_WITHDRAWN, Status.CANCEL_REQUESTED):
        seller.tell(seller.change("OD1", status))
        if not at_once:
            seller.settle()
    seller.settle()
    *_, last = told(seller)
    assert last[4] is None
    assert "PACKED since 2026-03-01 06:00 UTC, by the hand of test: buyer" in last[-1]


@pytest.mark.parametrize(("situation", "wanted"), SITUATIONS)
def test_what_an_exception_says(
    tmp_path: Path, situation: Callable[[Seller], None], wanted: tuple[Any, ...]
) -> None:
    seller = Seller(tmp_path)
    situation(seller)
    assert told(seller) == [wanted]


def test_of_two_holds_the_newer_one_is_the_other_side(tmp_path: Path) -> None:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 1)
    seller.order("OD1", L1)
    seller.advance("OD1", Position.MANIFESTED)
    for status in (Status.CANCEL_REQUESTED, Status.CANCELLED, Status.DISPATCHED):
        hear(seller, seller.change("OD1", status))
    *_, last = told(seller)
    assert (last[0], last[3], last[4]) == (LATE, 3, 2)
