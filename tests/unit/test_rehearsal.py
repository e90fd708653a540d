"""A dry run is the run that follows it, to the hash; and every run's ledger balances."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from syncd.book import acts
from syncd.book.runs import Counts
from syncd.errors import PanelBusy, PanelRefused
from syncd.hookspecs import ReadsBy
from syncd.rules import Brake
from syncd.statuses import Kind, NewOrder, OrderLine, OrderRef, Page, Status, StatusChange, Window
from tests.bookkit import START
from tests.unit.test_passes import Office, Shop, pages, said, then_raises

HOUR = timedelta(hours=1)


def new_order(order_id: str, *lines: tuple[str, str, int]) -> NewOrder:
    lines = lines or (("L1", "SHIRT", 1),)
    parts = tuple(OrderLine(line_id=i, sku=s, quantity=q) for i, s, q in lines)
    return NewOrder(order_id=order_id, placed_at=START - 24 * HOUR, lines=parts)


def by_id(*known: NewOrder) -> Callable[[Window, Sequence[OrderRef]], Iterator[Page[Any]]]:
    """Gives orders only to who asks for them."""

    def script(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        for order in known:
            if any(ref.order_id == order.order_id for ref in refs):
                yield Page(rows=[order])

    return script


def at(hours: float) -> Any:
    return START - timedelta(hours=hours)


def both(office: Office, *kinds: Kind, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A dry run and the run that follows it; the dry run must leave the book as it was."""
    before = office.seller.dump()
    dry = office.run(*kinds, dry_run=True, **more)
    assert office.seller.dump() == before, "a dry run changes nothing but its own row"
    real = office.run(*kinds, **more)
    balances(office, dry)
    balances(office, real)
    return dry, real


def balances(office: Office, run: dict[str, Any]) -> None:
    assert Counts.from_json(json.dumps(run["counts"])).imbalance() == 0, run
    assert run["code"] != "ledger_imbalance"


def same(dry: dict[str, Any], real: dict[str, Any]) -> None:
    for name in ("state", "code", "message", "counts", "plan_hash"):
        assert dry[name] == real[name], name


# --- situations, each a way to fill an office


def unknown_orders(office: Office) -> None:
    office.shop.scripts = {
        Kind.ORDERS: by_id(new_order("OD9"), new_order("OD8", ("L1", "SHIRT", 3))),
        Kind.DISPATCHED: pages(said("OD9"), said("OD8", line_id="L1", quantity=1), said("GHOST")),
    }


def a_tombstone_beside_a_parked_fact(office: Office) -> None:
    """The cancellation came before the dispatch, so the order is born cancelled."""
    office.shop.scripts = {
        Kind.ORDERS: by_id(new_order("OD9")),
        Kind.DISPATCHED: pages(said("OD9", occurred_at=at(1))),
        Kind.CANCELLED: pages(said("OD9", Status.CANCELLED, occurred_at=at(2))),
    }


def a_tombstone_that_is_woken(office: Office) -> None:
    office.shop.scripts = {
        Kind.ORDERS: by_id(new_order("OD9")),
        Kind.DISPATCHED: pages(said("OD9", occurred_at=at(3))),
        Kind.CANCELLED: pages(said("OD9", Status.CANCELLED, occurred_at=at(2))),
    }


def refusals(office: Office) -> None:
    with office.book.write():
        office.book.query("DELETE FROM sequence")
    for number in range(3):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    office.shop.scripts = {
        Kind.DISPATCHED: pages(said("OD0"), said("OD1")),
        Kind.CANCELLED: pages(
            said("OD0", Status.CANCELLED, occurred_at=at(0.5)), said("OD2", Status.CANCELLED)
        ),
    }


def stock_runs_out(office: Office) -> None:
    """The last two orders come with the pass, so the shelf is empty inside the batch."""
    office.seller.stock("SHIRT", 3)
    for number in range(2):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    office.shop.scripts = {
        Kind.ORDERS: pages(new_order("OD2", ("L1", "SHIRT", 2)), new_order("OD3")),
        Kind.DISPATCHED: pages(*(said(f"OD{n}", occurred_at=at(5 - n)) for n in (3, 2, 1, 0))),
        Kind.CANCELLED: pages(said("OD1", Status.CANCELLED, occurred_at=at(4.5))),
    }


def more_than_a_batch(office: Office) -> None:
    names = [f"B{number}" for number in range(620)]
    rows = [new_order(name) for name in names]
    facts = [said(name, occurred_at=at(10) + timedelta(seconds=n)) for n, name in enumerate(names)]
    office.shop.scripts = {
        Kind.ORDERS: lambda _w, refs: iter([] if refs else [Page(rows=rows)]),
        Kind.DISPATCHED: lambda _w, _r: iter([Page(rows=facts[:400]), Page(rows=facts[300:])]),
    }


def repeated_facts(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 3))
    one = said("OD1", line_id="L1", quantity=1, evidence_id="one")
    bad = said("OD1", Status.UNKNOWN, evidence_id="bad", problem="no word")
    office.shop.scripts[Kind.DISPATCHED] = lambda _w, _r: iter(
        [Page(rows=[one, bad]), Page(rows=[bad, said("OD1", line_id="L1", quantity=1)])]
    )


def several_pieces_with_several_outcomes(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 3))
    office.seller.tell(office.seller.change("OD1", Status.DISPATCHED, line_id="L1", quantity=1))
    office.seller.settle()
    soon = office.clock.now() + timedelta(minutes=1)
    office.clock.advance(HOUR)
    office.shop.scripts[Kind.CANCELLED] = pages(
        said("OD1", Status.CANCELLED, line_id="L1", occurred_at=soon),
        said("OD1", Status.CANCELLED, line_id="L7", occurred_at=soon),
        said("OD1", Status.CANCELLED, line_id="L1", quantity=9, occurred_at=soon + HOUR / 2),
    )


def the_brake(office: Office) -> None:
    office.setup = replace_brake(office, Brake(True, 0.2, 3))
    for number in range(10):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    office.shop.scripts = {
        Kind.CANCELLED: pages(*(said(f"OD{n}", Status.CANCELLED) for n in range(4))),
        Kind.DISPATCHED: pages(said("OD9")),
    }


def replace_brake(office: Office, brake: Brake) -> Any:

    return msgspec.structs.replace(office.setup, brake=brake)


def a_kind_that_fails(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.shop.scripts = {
        Kind.DISPATCHED: then_raises(PanelBusy("busy"), said("OD1"), said("GHOST")),
        Kind.ORDERS: lambda _w, refs: (
            then_raises(ZeroDivisionError("oops"))(_w, refs) if refs else iter([])
        ),
    }


def an_order_that_breaks(office: Office) -> None:
    """Its row is nonsense: it is set aside, the others of its batch go on."""
    for number in range(3):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    with office.book.write():
        office.book.query("UPDATE item SET position = 'NONSENSE' WHERE id = 2")
    office.shop.scripts = {
        Kind.DISPATCHED: pages(*(said(f"OD{n}") for n in range(3)), said("GHOST")),
    }


def the_brake_over_orders_that_were_asked_for(office: Office) -> None:
    """The first stage is decided; what the orders woke would cancel them all, and is held."""
    office.setup = replace_brake(office, Brake(True, 0.2, 3))
    names = [f"U{number}" for number in range(4)]
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.shop.scripts = {
        Kind.ORDERS: by_id(*map(new_order, names)),
        Kind.DISPATCHED: pages(said("OD1")),
        Kind.CANCELLED: pages(
            *(said(name, Status.CANCEL_REQUESTED, occurred_at=at(3)) for name in names),
            *(said(name, Status.CANCELLED, occurred_at=at(2)) for name in names),
        ),
    }


def test_the_brake_also_holds_what_comes_late_in_a_pass(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop())
    the_brake_over_orders_that_were_asked_for(office)
    dry, real = both(office)
    same(dry, real)
    assert (real["state"], real["counts"]["imported"]) == ("HELD", 4)
    assert office.seller.positions("OD1") == ["DISPATCHED"]
    assert office.seller.count("item", "position = 'CANCELLED'") == 0
    ((plan,),) = office.seller.rows("SELECT plan FROM run WHERE dry_run")
    outcomes = [one["outcome"] for one in json.loads(plan)]
    assert outcomes == ["APPLY", *["HELD"] * 4]


SITUATIONS = [
    the_brake_over_orders_that_were_asked_for,
    pytest.param(an_order_that_breaks, marks=pytest.mark.unsound_book),
    unknown_orders, a_tombstone_beside_a_parked_fact, a_tombstone_that_is_woken, refusals,
    stock_runs_out, more_than_a_batch, repeated_facts, several_pieces_with_several_outcomes,
    the_brake, a_kind_that_fails,
]  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__)
def test_a_dry_run_has_the_plan_and_the_numbers_of_the_run(
    tmp_path: Path, situation: Callable[[Office], None]
) -> None:
    office = Office(tmp_path, Shop())
    situation(office)
    same(*both(office))
    office.clock.advance(timedelta(minutes=40))
    same(*both(office))  # now what is known, refused and parked is met again


def test_a_channel_that_is_asked_by_id_is_asked_for_the_same_orders(tmp_path: Path) -> None:
    shop = Shop(reads_by=frozenset({ReadsBy.ORDERS, ReadsBy.WINDOW}))
    office = Office(tmp_path, shop)
    shop.scripts = {
        Kind.ORDERS: by_id(new_order("OD1")),
        Kind.DISPATCHED: lambda _w, refs: iter(
            [Page(rows=[said(ref.order_id, line_id=line) for ref in refs for line in ref.line_ids])]
        ),
    }
    dry, real = both(office, Kind.ORDERS, Kind.DISPATCHED, orders=("OD1",))
    same(dry, real)
    assert real["counts"]["applied"] == 1, "the new order's line was known when it was asked for"


def test_a_rehearsal_with_refused_credentials_stops_nothing(tmp_path: Path) -> None:

    office = Office(tmp_path, Shop())
    office.shop.scripts[Kind.DISPATCHED] = then_raises(PanelRefused("dead"), said("OD1"))
    before = office.seller.dump()
    run = office.run(dry_run=True)
    assert run["state"] == "FAILED"
    assert office.seller.dump() == before
    balances(office, run)


FACT = st.tuples(
    st.sampled_from(["K1", "K2", "K3", "U1", "U2"]),
    st.sampled_from([Status.DISPATCHED, Status.CANCELLED, Status.CANCEL_REQUESTED,
                     Status.CANCEL_WITHDRAWN]),
    st.sampled_from(["", "L1", "L2"]),
    st.sampled_from([None, 1, 2]),
    st.integers(1, 6),
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    first=st.lists(FACT, max_size=6),
    second=st.lists(FACT, max_size=6),
    sequence=st.booleans(),
    stock=st.integers(0, 4),
    floor=st.sampled_from([1, 3, 20]),
)
def test_generated_situations(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[Any],
    second: list[Any],
    sequence: bool,
    stock: int,
    floor: int,
) -> None:
    office = Office(tmp_path_factory.mktemp("office"), Shop(), sequence=sequence)
    office.setup = replace_brake(office, Brake(True, 0.5, floor))
    if stock:
        office.seller.stock("SHIRT", stock)
    for name in ("K1", "K2", "K3"):
        office.seller.order(name, ("L1", "SHIRT", 2), ("L2", "MUG", 1))
    orders = by_id(new_order("U1", ("L1", "SHIRT", 2)), new_order("U2", ("L2", "MUG", 1)))
    for facts in (first, second):
        rows = [
            said(order, status, line_id=line, quantity=quantity, occurred_at=at(hours))
            for order, status, line, quantity, hours in facts
        ]
        office.shop.scripts = {
            Kind.ORDERS: orders,
            Kind.DISPATCHED: pages(*(r for r in rows if r.status is Status.DISPATCHED)),
            Kind.CANCELLED: pages(*(r for r in rows if r.status is not Status.DISPATCHED)),
        }
        same(*both(office))
        office.clock.advance(timedelta(minutes=40))
    office.book.close()


# --- the ledger of runs that end otherwise


def test_what_a_stop_leaves_is_counted_as_undecided_and_then_taken_up(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop())
    office.seller.order("OD1", ("L1", "SHIRT", 1))

    def stops(_window: Window, _refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        office.stop.set()
        yield Page(rows=[])

    office.shop.scripts = {
        Kind.DISPATCHED: pages(said("OD1"), said("OD1")), Kind.CANCELLED: stops,
    }  # fmt: skip
    run = office.run()
    assert (run["state"], run["counts"]["undecided"], run["counts"]["known"]) == ("STOPPED", 1, 1)
    balances(office, run)
    office.stop.clear()
    office.shop.scripts.clear()
    run = office.run()
    assert (run["counts"]["fetched"], run["counts"]["taken_up"]) == (0, 1)
    assert run["counts"]["applied"] == 1
    balances(office, run)


@pytest.mark.unsound_book("i08_a_cursor_is_proven_by_the_run_that_moved_it")
def test_a_gate_that_closes_under_way_counts_what_it_stops(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop())
    office.seller.order("OD1", ("L1", "SHIRT", 1))

    def closes(_window: Window, _refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        yield Page(rows=[said("OD1")])
        with office.book.write():
            office.book.query("UPDATE tenant SET state = 'SUSPENDED'")

    office.shop.scripts[Kind.DISPATCHED] = closes
    run = office.run(Kind.DISPATCHED)
    assert (run["state"], run["counts"]["gated"], run["counts"]["undecided"]) == ("GATED", 1, 0)
    balances(office, run)


def test_an_import_that_wakes_a_fact_and_a_retry_are_taken_up(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop())
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD1"))
    balances(office, office.run(Kind.DISPATCHED))
    office.shop.scripts.clear()
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    run = office.run()
    counts = run["counts"]
    assert (counts["fetched"], counts["taken_up"], counts["applied"]) == (0, 1, 1)
    balances(office, run)
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD2"))
    office.run(Kind.DISPATCHED)
    acts.retry(office.book, account="shop", actor="asha", now=office.clock.now())
    run = office.run(Kind.CANCELLED)
    assert (run["counts"]["taken_up"], run["counts"]["parked"]) == (1, 1)
    balances(office, run)


def test_an_order_that_cannot_be_taken_is_in_the_ledger_once(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop())
    bad = NewOrder(order_id="OD1", placed_at=START, lines=(), problem="no lines", raw="{...}")
    office.shop.scripts[Kind.ORDERS] = pages(bad, bad)
    run = office.run(Kind.ORDERS)
    counts = run["counts"]
    assert (counts["fetched"], counts["known"], counts["quarantined"]) == (2, 1, 1)
    balances(office, run)


@pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
def test_a_fact_lost_on_the_way_is_told_and_not_hidden(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop())
    office.seller.order("OD1", ("L1", "SHIRT", 1))

    def steals(_window: Window, _refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        yield Page(rows=[StatusChange(order_id="OD1", status=Status.DISPATCHED,
                                      native_status="x", occurred_at=at(1))])  # fmt: skip
        yield Page(rows=[])

    office.shop.scripts = {Kind.DISPATCHED: steals}
    office.shop.scripts[Kind.CANCELLED] = lambda _w, _r: _theft(office)
    run = office.run()
    assert (run["state"], run["code"]) == ("PARTIAL", "ledger_imbalance")
    assert "does not balance by 1" in run["message"]


def _theft(office: Office) -> Iterator[Page[Any]]:
    with office.book.write():
        office.book.query("DELETE FROM inbox")
    return iter([])


# --- every decision and every refusal is written down


def test_each_outcome_of_a_known_order_has_its_record(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop(), sequence=False)
    for name in ("OD1", "OD2", "OD3"):
        office.seller.order(name, ("L1", "SHIRT", 1))
    office.shop.scripts = {
        Kind.DISPATCHED: pages(said("OD1", occurred_at=at(3)), said("OD3", line_id="L7")),
        Kind.CANCELLED: pages(
            said("OD1", Status.CANCELLED, occurred_at=at(2)),
            said("OD2", Status.CANCELLED, occurred_at=at(2)),
            said("OD2", Status.CANCELLED, occurred_at=at(1)),
        ),
    }
    office.run()
    rows = office.seller.rows(
        "SELECT o.order_id, d.event, d.before, d.after, d.outcome, d.code, d.run_id IS NOT NULL, "
        "d.actor, i.evidence <> '' FROM decision d JOIN orders o ON o.id = d.order_id "
        "JOIN inbox i ON i.id = d.inbox_id ORDER BY o.order_id, d.id"
    )
    was, done = "UNFULFILLABLE", "CANCELLED"
    assert rows == [
        ("OD1", "DISPATCHED", was, was, "REFUSED", "sequence_missing", 1, "asha", 1),
        ("OD1", "CANCELLED", was, was, "PARK", "sequence_missing", 1, "asha", 1),
        ("OD2", "CANCELLED", was, done, "APPLY", "cancelled_on_channel", 1, "asha", 1),
        ("OD2", "CANCELLED", done, done, "NOOP", "already_at_or_past", 1, "asha", 1),
        ("OD3", "DISPATCHED", "CREATED", "CREATED", "PARK", "line_unknown", 1, "asha", 1),
    ]
    office.clock.advance(HOUR)
    count = office.seller.count("decision")
    office.run()
    assert office.seller.count("decision") == count, "the same refusal is written down once"
