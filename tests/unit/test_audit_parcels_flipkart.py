"""Parcels parted by hand while a simulated Flipkart trades on: no false alarm, no loss unfound."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from syncd.book import acts, warehouse
from syncd.errors import SyncdError
from syncd.rules import PartialCancel, Policies, Position
from tests.bookkit import check_invariants
from tests.unit.test_audit_flipkart import CURSORS, WAYS, Trade

pytestmark = pytest.mark.unsound_book(CURSORS)

HOURS = 10_800_000_000  # three, in microseconds


def work(trade: Trade) -> None:
    """A person packs an order, and divides its parcels or puts them together, where they can."""
    dice, now = trade.dice, trade.clock.now()
    orders = trade.seller.rows("SELECT order_id FROM orders ORDER BY id")
    if not orders:
        return
    (order_id,) = dice.choice(orders)
    to = dice.choice([Position.CREATED, Position.PACKED])
    with suppress(SyncdError):
        warehouse.advance(trade.book, "shop", order_id, to, actor="asha", now=now)
    lines = trade.seller.rows(
        "SELECT DISTINCT i.line_id, p.code FROM item i JOIN package p ON p.id = i.package_id "
        "JOIN orders o ON o.id = i.order_id WHERE o.order_id = ? ORDER BY 1, 2",
        order_id,
    )
    with suppress(SyncdError):
        if dice.random() < 0.25:
            acts.merge(trade.book, "shop", order_id, actor="asha", now=now)
        elif lines:
            line_id, code = dice.choice(lines)
            acts.split(
                trade.book, "shop", order_id, {line_id: 1}, parcel=code, actor="asha", now=now
            )


def trades(trade: Trade, turns: int, sleeps: bool) -> None:
    """Both sides trade; with ``sleeps`` every third pass hears of nothing, unnoticed."""
    for turn in range(turns):
        for _ in range(trade.dice.randint(1, 5)):
            trade.live()
        for _ in range(3):
            work(trade)
        if turn % 3 or not sleeps:
            trade.sync()
        else:
            trade.clock.advance(timedelta(hours=3))
            with trade.book.write():
                trade.book.query("UPDATE cursor SET until = until + ?", (HOURS,))
    assert trade.seller.count("package", "state IN ('SPLITTED', 'MERGED')") > 0


@pytest.mark.parametrize("policy", list(PartialCancel))
@pytest.mark.parametrize("seed", range(200, 206))
def test_no_false_alarm_of_parcels_parted_by_hand(
    tmp_path: Path, seed: int, policy: PartialCancel
) -> None:
    with Trade(tmp_path, seed) as trade:
        policies = Policies(partial_cancel=policy)
        trade.setup = msgspec.structs.replace(trade.setup, policies=policies)
        trades(trade, 14, sleeps=False)
        for way in WAYS:
            trade.ask_by(way)
            assert [one for one in trade.audit() if one.cause != "contradiction"] == [], way
        before = trade.seller.dump()
        trade.audit(fix=True)
        after = trade.seller.dump()
        assert {name for name in before if before[name] != after[name]} <= {"drift"}
        check_invariants(trade.book, but=[CURSORS])


@pytest.mark.parametrize("seed", range(300, 304))
def test_what_became_of_a_part_and_was_never_fetched_is_found_and_mended(
    tmp_path: Path, seed: int
) -> None:
    with Trade(tmp_path, seed) as trade:
        trades(trade, 12, sleeps=True)
        trade.clock.advance(timedelta(hours=3))
        with trade.book.write():
            trade.book.query("UPDATE cursor SET until = until + ?", (HOURS,))
        assert trade.audit(fix=True), "something was missed"
        assert [one for one in trade.audit() if one.cause != "contradiction"] == []
        check_invariants(trade.book, but=[CURSORS])
