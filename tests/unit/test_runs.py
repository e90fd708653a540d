"""The queue of runs: folding, ending, and taking up again after a crash."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.book import runs
from syncd.book.runs import Counts, Enqueued, RunState
from syncd.errors import NotFound, Refused
from syncd.statuses import Kind
from tests.bookkit import Seller


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def ask(seller: Seller, *kinds: Kind, **more: object) -> Enqueued:
    asked: dict[str, object] = {"trigger": "operator", "actor": "asha", **more}
    return runs.enqueue(seller.book, "shop", kinds, now=seller.clock.now(), **asked)  # type: ignore[arg-type]


def end(seller: Seller, run_id: int, state: RunState = RunState.OK) -> None:
    runs.finish(seller.book, run_id, state=state, counts=Counts(), tasks={}, now=seller.clock.now())


def test_an_equal_waiting_run_is_folded_whatever_the_order_of_its_kinds(seller: Seller) -> None:
    first = ask(seller, Kind.RETURNS, Kind.DISPATCHED)
    again = ask(seller, Kind.DISPATCHED, Kind.RETURNS, Kind.DISPATCHED)
    assert again == Enqueued(first.run_id, True)
    assert seller.count("run") == 1


@pytest.mark.parametrize(
    "other",
    [{"orders": ["OD1"]}, {"days": 3}, {"dry_run": True}],
    ids=["orders", "days", "dry run"],
)
def test_a_run_that_asks_for_something_else_is_its_own(
    seller: Seller, other: dict[str, object]
) -> None:
    first = ask(seller, Kind.RETURNS)
    assert ask(seller, Kind.RETURNS, **other).run_id != first.run_id


def test_the_same_orders_in_another_order_are_the_same(seller: Seller) -> None:
    first = ask(seller, Kind.RETURNS, orders=["B", "A"])
    assert ask(seller, Kind.RETURNS, orders=["A", "B", "A"]).folded
    assert runs.orders_of(runs.get(seller.book, first.run_id).orders) == ("A", "B")


def test_a_waiting_timer_run_takes_in_further_kinds(seller: Seller) -> None:
    first = ask(seller, Kind.DISPATCHED, trigger="timer")
    assert ask(seller, Kind.CANCELLED, trigger="timer") == Enqueued(first.run_id, True)
    stored = runs.get(seller.book, first.run_id)
    assert runs.kinds_of(stored.kinds) == (Kind.DISPATCHED, Kind.CANCELLED)


def test_a_timer_does_not_widen_a_persons_run(seller: Seller) -> None:
    first = ask(seller, Kind.DISPATCHED)
    assert not ask(seller, Kind.CANCELLED, trigger="timer").folded
    assert runs.kinds_of(runs.get(seller.book, first.run_id).kinds) == (Kind.DISPATCHED,)


def test_a_running_run_is_not_folded_into(seller: Seller) -> None:
    first = ask(seller, Kind.DISPATCHED, trigger="timer")
    runs.start(seller.book, first.run_id, seller.clock.now())
    assert not ask(seller, Kind.DISPATCHED, trigger="timer").folded


def test_runs_are_taken_in_the_order_of_asking(seller: Seller) -> None:
    first, second = ask(seller, Kind.DISPATCHED), ask(seller, Kind.RETURNS)
    for wanted in (first, second):
        waiting = runs.next_queued(seller.book, "shop")
        assert waiting is not None
        assert waiting.id == wanted.run_id
        runs.start(seller.book, waiting.id, seller.clock.now())
        end(seller, waiting.id)
    assert runs.next_queued(seller.book, "shop") is None


def test_a_run_starts_once_and_ends_once(seller: Seller) -> None:
    run_id = ask(seller, Kind.DISPATCHED).run_id
    runs.start(seller.book, run_id, seller.clock.now())
    with pytest.raises(Refused, match="is RUNNING, only a queued run can start"):
        runs.start(seller.book, run_id, seller.clock.now())
    end(seller, run_id)
    with pytest.raises(Refused, match="is OK; it cannot end again"):
        end(seller, run_id)


@pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
def test_how_a_run_ended_is_stored(seller: Seller) -> None:
    run_id = ask(seller, Kind.DISPATCHED).run_id
    runs.start(seller.book, run_id, seller.clock.now())
    seller.clock.advance(timedelta(seconds=5))
    runs.finish(
        seller.book, run_id, state=RunState.PARTIAL, code="sequence_missing", message="no sequence",
        counts=Counts(fetched=7, applied=6, refused=1), tasks={"dispatched": {"state": "partial"}},
        plan_hash="abc", now=seller.clock.now(),
    )  # fmt: skip
    stored = runs.get(seller.book, run_id)
    assert (stored.state, stored.code, stored.plan_hash) == ("PARTIAL", "sequence_missing", "abc")
    assert Counts.from_json(stored.counts) == Counts(fetched=7, applied=6, refused=1)
    assert stored.started_at is not None
    assert stored.ended_at == stored.started_at + 5_000_000


def test_a_run_cannot_end_as_waiting(seller: Seller) -> None:
    run_id = ask(seller, Kind.DISPATCHED).run_id
    with pytest.raises(Refused, match="cannot end as QUEUED"):
        end(seller, run_id, RunState.QUEUED)


def test_a_broken_run_is_asked_for_again_at_the_next_start(seller: Seller) -> None:
    broken = ask(seller, Kind.DISPATCHED, Kind.RETURNS, orders=["OD1"], days=4, dry_run=True)
    waiting = ask(seller, Kind.CANCELLED)
    runs.start(seller.book, broken.run_id, seller.clock.now())
    (again,) = runs.recover(seller.book, seller.clock.now())
    old, new = runs.get(seller.book, broken.run_id), runs.get(seller.book, again)
    assert old.state == "STOPPED"
    assert "asked for again" in old.message
    for name in ("kinds", "orders", "days", "dry_run"):
        assert getattr(new, name) == getattr(old, name)
    assert (new.state, new.trigger) == ("QUEUED", "start")
    assert runs.get(seller.book, waiting.run_id).state == "QUEUED"


def test_recovery_folds_and_a_second_one_finds_nothing(seller: Seller) -> None:
    first = ask(seller, Kind.DISPATCHED)
    runs.start(seller.book, first.run_id, seller.clock.now())
    waiting = ask(seller, Kind.DISPATCHED)
    assert runs.recover(seller.book, seller.clock.now()) == [waiting.run_id]
    assert runs.recover(seller.book, seller.clock.now()) == []


def test_unknown_names_are_told_with_the_known_ones(seller: Seller) -> None:
    with pytest.raises(NotFound, match=r"no account 'shp'. Known accounts: shop"):
        runs.account_id_of(seller.book, "shp")
    with pytest.raises(NotFound, match="no run 99"):
        runs.get(seller.book, 99)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"days": 0}, "bad_days"),
        ({"days": 367}, "bad_days"),
        ({"orders": [""]}, "bad_order_id"),
        ({"orders": ["x" * 201]}, "bad_order_id"),
        ({"orders": [str(n) for n in range(10_001)]}, "too_many_orders"),
    ],
)
def test_limits_of_what_may_be_asked(seller: Seller, more: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as caught:
        ask(seller, Kind.DISPATCHED, **more)
    assert caught.value.code == code
    assert seller.count("run") == 0


def test_counts_add_up_field_by_field() -> None:
    total = Counts(fetched=1, applied=2)
    total.add(Counts(fetched=10, parked=3))
    assert total == Counts(fetched=11, applied=2, parked=3)
