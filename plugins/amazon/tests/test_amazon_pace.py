"""How long a window takes at the documented rates: said beforehand, and true."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest

from syncd.statuses import Kind
from syncd.testing import populate
from syncd_amazon.settings import ReportType

pytestmark = pytest.mark.unsound_book("i08_a_cursor_is_proven_by_the_run_that_moved_it")


def _foreseen(trade: Any) -> tuple[str, timedelta]:
    """What the last run said beforehand, and how much time went by until its end."""
    (told,) = [one for one in trade.told if "foreseen" in one]
    return told["foreseen"], trade.clock.now() - told["at"]


def _old_orders(trade: Any, count: int) -> None:
    """Orders of the last month, in the book and on their way."""
    populate(trade.shop.world, count)
    trade.sync(Kind.ORDERS)
    for order_id in trade.shop.world.orders:
        trade.shop.world.pick_up(order_id)
    trade.clock.advance(timedelta(days=20))
    trade.told.clear()
    trade.shop.gate.limits = True  # too fast a call would be refused


# Beyond the burst a call of searchOrders takes 179 seconds, of getOrders 60, of getOrderItems 2.
@pytest.mark.parametrize(
    ("version", "size", "count", "calls", "said", "minutes"),
    [
        ("2026-01-01", 2, 60, 31, "33 min or more", 33),
        ("v0", 2, 60, 31 + 60, "11 min or more", 11),
        ("v0", 100, 160, 1 + 2 + 160, "5 min or more", 5),
    ],
)
def test_thirty_days_are_foreseen_by_the_calls_of_the_version(
    trade: Any, version: str, size: int, count: int, calls: int, said: str, minutes: int
) -> None:
    _old_orders(trade, count)
    trade.settings = {"pace": "documented", "orders_api": version, "page_size": size}

    trade.sync(Kind.DISPATCHED, days=30)

    told, took = _foreseen(trade)
    assert told == (
        f"Fetching dispatched: the book has {count} orders that may be told of, so about {calls} "
        f"calls at the panel's pace, {said}."
    )
    assert timedelta(minutes=minutes - 4) < took < timedelta(minutes=minutes + 1)
    assert trade.seller.positions(next(iter(trade.shop.world.orders))) == ["DISPATCHED"]


@pytest.mark.parametrize(
    ("version", "calls", "said"), [("2026-01-01", 120, "3 min"), ("v0", 3 + 120, "3 min")]
)
def test_chosen_orders_are_foreseen_by_other_calls(
    trade: Any, version: str, calls: int, said: str
) -> None:
    _old_orders(trade, 120)
    trade.settings = {"pace": "documented", "orders_api": version}

    trade.sync(Kind.DISPATCHED, orders=tuple(trade.shop.world.orders))

    told, took = _foreseen(trade)
    assert f"about {calls} calls at the panel's pace, {said} or more" in told
    assert timedelta(minutes=2) < took < timedelta(minutes=4)


@pytest.mark.parametrize("version", ["2026-01-01", "v0"])
def test_reports_are_foreseen_by_their_own_pace(trade: Any, version: str) -> None:
    """Fifteen reports at once, then one a minute: a run a minute outpaces it."""
    trade.settings = {
        "pace": "documented", "orders_api": version, "return_reports": list(get_args(ReportType)),
    }  # fmt: skip
    panel = trade.keep_panel()
    for _ in range(5):
        trade.sync(Kind.RETURNS, pause=timedelta(seconds=20))
    assert [one for one in trade.told if "foreseen" in one] == []
    assert panel.pace_seconds("createReport", 3) > 60

    trade.sync(Kind.RETURNS, pause=timedelta(seconds=20))

    told, _ = _foreseen(trade)
    assert "about 7 calls" in told


def test_an_account_of_a_simulator_foresees_nothing(trade: Any) -> None:
    _old_orders(trade, 60)
    trade.shop.gate.limits = False
    trade.settings = {"page_size": 2}

    trade.sync(Kind.DISPATCHED, days=30)

    assert [one for one in trade.told if "foreseen" in one] == []
