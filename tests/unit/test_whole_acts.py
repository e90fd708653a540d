"""What a person's choice and a failing order leave in the book, word for word, and the counts."""

from __future__ import annotations

import threading
from inspect import cleandoc
from pathlib import Path

import pytest

from syncd.book import acts
from syncd.rules import Position
from syncd.statuses import Status
from tests.bookkit import Seller
from tests.unit.wholekit import written

RECORDS = "SELECT code, note FROM decision WHERE event = 'settle' ORDER BY id"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def order(seller: Seller, pieces: int, to: Position) -> None:
    seller.stock("SHIRT", pieces)
    seller.order("OD1", ("L1", "SHIRT", pieces))
    seller.advance("OD1", to)


def tell(seller: Seller, *statuses: Status) -> None:
    for status in statuses:
        seller.tell(seller.change("OD1", status))
        seller.settle()


def settle(seller: Seller, choice: str, number: int) -> None:
    acts.settle(
        seller.book, [number], choice, note="I looked", actor="asha", now=seller.clock.now()
    )


def test_a_reopened_piece_comes_out_of_its_putaway(seller: Seller) -> None:
    order(seller, 1, Position.PACKED)
    tell(seller, Status.CANCELLED, Status.DISPATCHED)
    settle(seller, "reopen", 1)
    assert written(seller, "piece", "parcel", "putaway") == cleandoc(
        """
        piece: L1.0, DISPATCHED, SP-2, changed_at 2m, dispatched_at 2m, settled_at 2m
        parcel: SP-1, CANCELLED, created_at 0m
        parcel: SP-2, DISPATCHED, created_at 2m, dispatched_at 2m
        putaway: L1.0, CANCELLED_ITEM, CANCELLED, settled_reopen, opened_at 1m, closed_at 2m, asha
        """
    )
    assert seller.rows(RECORDS) == [
        ("settled_reopen", "putaway called off; invoice INV/002; I looked")
    ]


def test_a_parcel_is_blocked_no_more_once_its_last_held_piece_is_out(seller: Seller) -> None:
    order(seller, 2, Position.MANIFESTED)
    tell(seller, Status.CANCELLED)
    settle(seller, "pulled", 1)
    assert seller.rows("SELECT blocked FROM package") == [("cancelled_after_manifest",)]
    settle(seller, "pulled", 2)
    assert seller.rows("SELECT blocked FROM package") == [("",)]
    assert seller.rows(RECORDS) == [
        ("settled_pulled", "parcel SP-1 stays blocked for another piece; I looked"),
        ("settled_pulled", "invoice INV/001 void; I looked"),
    ]


@pytest.mark.unsound_book
def test_an_order_that_the_program_fails_on_is_set_aside_and_told(seller: Seller) -> None:
    """Its facts stay to be tried again, in the same words, and are counted in every run."""
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.order("OD2", ("L1", "SHIRT", 1))
    with seller.book.write():  # no code of ours writes such a place
        seller.book.query("UPDATE item SET position = 'MOON' WHERE id = 2")
    facts = [(order_id, Status.DISPATCHED) for order_id in ("OD1", "OD2")]
    facts.append(("OD2", Status.CANCELLED))
    seller.tell(*(seller.change(*fact) for fact in facts))
    for orders, applied, taken_up in ((1, 1, 0), (0, 0, 2)):
        clerk = seller.clerk()
        clerk.settle(threading.Event(), lambda _: None)
        counts = clerk.counts
        seller._told_in = None
        assert (counts.orders, counts.applied, counts.taken_up) == (orders, applied, taken_up)
        assert counts.refused == 2
        assert seller.rows("SELECT DISTINCT message FROM inbox WHERE state = 'REFUSED'") == [
            (
                "syncd failed on this order (KeyError: 'MOON'); nothing of it was changed. It is "
                "tried again at each pass; please report it.",
            )
        ]
