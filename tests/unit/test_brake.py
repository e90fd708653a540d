"""The safety brake: a pass that would cancel too much waits for a person's word."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.book import acts, queries, runs
from syncd.book.brakes import Closed
from syncd.book.runs import Counts
from syncd.book.views import HeldView
from syncd.control import metrics
from syncd.engine.local import LocalEngine
from syncd.errors import NotFound, Refused
from syncd.passes import Conductor
from syncd.rules import Brake, Event, Fact, Piece, Position, foresee, trips
from syncd.statuses import Kind, Status
from tests.bookkit import START
from tests.unit.test_passes import Office, Shop, pages, said

HOUR = timedelta(hours=1)


def office_of(folder: Path, orders: int = 10, floor: int = 3) -> Office:
    office = Office(folder, Shop())
    office.setup = msgspec.structs.replace(office.setup, brake=Brake(True, 0.2, floor))
    for number in range(orders):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    return office


def cancels(office: Office, numbers: Iterable[int], **more: Any) -> None:
    rows = (said(f"OD{n}", Status.CANCELLED, **more) for n in numbers)
    office.shop.scripts = {Kind.CANCELLED: pages(*rows)}


def cancelled(office: Office) -> int:
    return office.seller.count("item", "position = 'CANCELLED'")


def decide(office: Office, trigger: str = "retry") -> str:
    """A run that fetches nothing, as a retry, an import or a person's word begins it."""
    asked = runs.enqueue(
        office.book, "shop", (), trigger=trigger, actor="asha", now=office.clock.now()
    )
    Conductor(office.book, lambda _: office.setup, office.panel, office.clock).conduct(
        asked.run_id, office.stop, office.told
    )
    return str(runs.get(office.book, asked.run_id).state)


def say(office: Office, word: Any, note: str = "checked") -> Any:
    return word(office.book, "shop", note=note, actor="uid 7 (asha)", now=office.clock.now())


@pytest.mark.parametrize(
    ("count", "of", "brake", "held"),
    [
        (20, 99, Brake(), True),
        (20, 100, Brake(), False),  # just the share
        (19, 19, Brake(), False),  # below the floor
        (21, 100, Brake(), True),
        (500, 500, Brake(enabled=False), False),
        (1, 1, Brake(floor=1, share=1.0), False),
        (2, 3, Brake(floor=1, share=0.5), True),
    ],
)
def test_when_it_trips(count: int, of: int, brake: Brake, held: bool) -> None:
    assert trips(count, of, brake) is held


def test_a_pass_that_would_cancel_too_much_is_held_whole(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD9"))
    run = office.run()
    assert (run["state"], run["code"]) == ("HELD", "brake_on")
    assert "3 of 10 open orders of shop would be cancelled" in run["message"]
    assert "syncctl brake release shop --note" in run["message"]
    assert office.seller.positions("OD9") == ["UNFULFILLABLE"], "nothing of it is applied"
    assert {row[0] for row in office.seller.journal()} == {"NEW"}
    assert office.cursor(Kind.CANCELLED) is not None, "cursors move as usual"
    assert office.task(Kind.CANCELLED)[:2] == ("held", run["message"])
    assert run["counts"]["undecided"] == run["counts"]["fetched"] == 4
    (row,) = office.seller.rows("SELECT state, cancels, open_orders, upto FROM brake")
    assert row == ("OPEN", 3, 10, 4)


def test_below_the_share_or_the_floor_it_goes_through(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(2))
    assert office.run()["state"] == "OK"
    assert cancelled(office) == 2


def test_what_has_left_or_leaves_first_does_not_count(tmp_path: Path) -> None:
    office = office_of(tmp_path, orders=6)
    cancels(office, range(4), occurred_at=START - HOUR)
    office.shop.scripts[Kind.DISPATCHED] = pages(
        *(said(f"OD{n}", occurred_at=START - 2 * HOUR) for n in range(3))
    )
    run = office.run()
    assert run["state"] == "OK", "one order of six would be cancelled, the others left before"
    assert office.seller.positions("OD0") == ["RETURN_EXPECTED"]


def test_what_the_same_pass_reports_dispatched_was_open(tmp_path: Path) -> None:
    office = office_of(tmp_path, orders=20)
    cancels(office, range(4))
    office.shop.scripts[Kind.DISPATCHED] = pages(*(said(f"OD{n}") for n in range(4, 20)))
    assert office.run()["state"] == "OK", "4 of 20, as on any day; not 4 of the 4 that are left"
    assert cancelled(office) == 4


def test_unknown_orders_do_not_count(tmp_path: Path) -> None:
    office = office_of(tmp_path, orders=1)
    cancels(office, range(50, 60))
    assert office.run()["counts"]["tombstoned"] == 10


@pytest.mark.parametrize("trigger", ["timer", "operator", "import", "retry", "sequence"])
def test_while_it_is_on_every_run_only_fetches(tmp_path: Path, trigger: str) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.run()
    office.shop.scripts = {Kind.DISPATCHED: pages(said("OD9"))}
    office.clock.advance(HOUR)
    assert office.run()["state"] == "HELD"
    assert office.run(Kind.CANCELLED, orders=("OD9",))["state"] == "HELD"
    office.setup = msgspec.structs.replace(office.setup, brake=Brake(enabled=False))
    assert decide(office, trigger) == "HELD", "only a person lets go"
    assert office.seller.count("brake") == 1
    assert office.seller.count("decision", "inbox_id IS NOT NULL") == 0


def test_another_account_goes_on(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.run()
    with office.book.write():
        office.book.query(
            "INSERT INTO account (tenant_id, facility_id, name, channel, state, state_reason, "
            "state_since) VALUES (1, 1, 'outlet', 'shop', 'CONNECTED', '', 0)"
        )
    asked = runs.enqueue(
        office.book, "outlet", tuple(Kind), trigger="t", actor="a", now=office.clock.now()
    )
    Conductor(office.book, lambda _: office.setup, office.panel, office.clock).conduct(
        asked.run_id, office.stop, office.told
    )
    assert str(runs.get(office.book, asked.run_id).state) == "OK"


def test_a_release_lets_through_what_it_covers(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.run()
    done = say(office, acts.release, "the sale was off")
    assert done.state == "RELEASED"
    assert decide(office) == "OK"
    assert cancelled(office) == 3
    (row,) = office.seller.rows("SELECT state, closed_by, note, closed_at FROM brake")
    assert row[:3] == ("RELEASED", "uid 7 (asha)", "the sale was off")
    assert row[3] > 0


def test_what_came_after_it_is_judged_anew_and_alone(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.run()
    cancels(office, range(3, 5), occurred_at=START)
    office.run()
    say(office, acts.release)
    assert decide(office) == "OK", "two more are below the floor"
    assert cancelled(office) == 5
    cancels(office, range(5, 8), occurred_at=START)
    assert office.run()["state"] == "HELD", "three of the five that are left"
    assert office.seller.rows("SELECT cancels, open_orders FROM brake ORDER BY id") == [
        (3, 10), (3, 5),
    ]  # fmt: skip


def test_a_drop_sets_the_cancellations_aside_and_decides_the_rest(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD9"))
    office.run()
    done = say(office, acts.drop, "the panel was down")
    assert done.dropped == 3
    assert decide(office) == "OK"
    assert cancelled(office) == 0
    assert office.seller.positions("OD9") == ["DISPATCHED"]
    assert office.seller.count("inbox", "state = 'IGNORED' AND message LIKE '%was down%'") == 3
    told = office.seller.rows(
        "SELECT DISTINCT event, actor, note FROM decision WHERE run_id IS NULL"
    )
    assert told == [("ignore", "uid 7 (asha)", "the panel was down")]
    assert office.run()["state"] == "OK", "and they stay aside when they are told again"
    assert cancelled(office) == 0


def test_a_drop_spares_orders_that_the_book_does_not_have_yet(tmp_path: Path) -> None:
    """They are listed, and not counted: nobody knows whether they are open."""
    office = office_of(tmp_path)
    cancels(office, [76, 9])
    office.run()
    assert office.seller.journal()[0] == ("TOMBSTONE", "TOMBSTONE", "cancelled_before_import")
    cancels(office, [0, 1, 2, 77, 9], occurred_at=START)
    assert "3 of 9 open orders" in office.run()["message"]
    listed = {one.order_id: one.positions for one in queries.held(office.book, "shop").held}
    assert listed.pop("OD77") == ()
    assert listed == {f"OD{n}": ("UNFULFILLABLE",) for n in range(3)}
    assert say(office, acts.drop).dropped == 4
    for number in (76, 77):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    assert decide(office) == "OK"
    assert office.seller.positions("OD76") == ["CANCELLED"], "heard before, and of no flood"
    assert office.seller.positions("OD77") == ["UNFULFILLABLE"]


def test_a_word_is_told_back_and_is_about_what_the_brake_covers(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    assert office.run()["state"] == "HELD"
    assert say(office, acts.release, "true") == Closed(
        "shop", 1, "RELEASED", "uid 7 (asha)", "true"
    )
    office.run()
    cancels(office, range(3, 7), occurred_at=START)
    assert office.run()["state"] == "HELD"
    cancels(office, range(7, 9), occurred_at=START)
    assert office.run()["state"] == "HELD", "and two more come while it is on"
    done = say(office, acts.drop, "a mistake")
    assert done == Closed("shop", 2, "DROPPED", "uid 7 (asha)", "a mistake", 4)
    assert office.seller.count("inbox", "state = 'IGNORED'") == 4
    assert decide(office) == "OK", "the two that came later are below the floor"
    assert cancelled(office) == 5


def test_what_was_let_through_and_still_waits_is_not_dropped_with_the_next(tmp_path: Path) -> None:
    """The second flood comes before the first is decided; of one order each has a line."""
    office = office_of(tmp_path, orders=9)
    office.seller.order("OD9", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    lines = [said(f"OD{n}", Status.CANCELLED, line_id="L1") for n in (0, 1, 9)]
    office.shop.scripts = {Kind.CANCELLED: pages(*lines)}
    assert office.run()["state"] == "HELD"
    say(office, acts.release, "true")
    more = [said(f"OD{n}", Status.CANCELLED, occurred_at=START) for n in (3, 4, 5)]
    other = said("OD9", Status.CANCELLED, line_id="L2", occurred_at=START)
    office.shop.scripts = {Kind.CANCELLED: pages(other, *more)}
    assert office.run()["state"] == "HELD"
    held = [("OD9", "L2"), ("OD3", ""), ("OD4", ""), ("OD5", "")]
    listed = queries.held(office.book, "shop").held
    assert [(one.order_id, one.line_id) for one in listed] == held
    office.run(dry_run=True)
    ((plan,),) = office.seller.rows("SELECT plan FROM run ORDER BY id DESC LIMIT 1")
    assert [(one["order_id"], one["line_id"]) for one in json.loads(plan)] == held
    assert say(office, acts.drop, "a mistake").dropped == 4
    assert decide(office) == "OK"
    assert cancelled(office) == 3


def grow(office: Office, numbers: Iterable[int]) -> None:
    for number in numbers:
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1), ("L2", "MUG", 1))


def grown_after_a_release(folder: Path, cancelled_orders: int) -> Office:
    """So many cancellations were let through; then three of the orders grow, and it trips again."""
    office = office_of(folder)
    cancels(office, range(cancelled_orders))
    office.run()
    say(office, acts.release)
    assert decide(office) == "OK"
    grow(office, range(3))
    assert decide(office) == "HELD"
    return office


def test_what_was_let_through_is_judged_anew_for_pieces_that_came_since(tmp_path: Path) -> None:
    office = grown_after_a_release(tmp_path, 3)
    held = [one.order_id for one in queries.held(office.book, "shop").held]
    assert held == ["OD0", "OD1", "OD2"]
    say(office, acts.release)
    assert (decide(office), cancelled(office)) == ("OK", 6)


def test_a_drop_is_about_what_had_come_when_the_brake_was_put_on(tmp_path: Path) -> None:
    office = grown_after_a_release(tmp_path, 4)
    grow(office, range(3, 4))
    assert say(office, acts.drop).dropped == 3
    assert (decide(office), cancelled(office)) == ("OK", 5), "the piece that came later"


def test_a_flood_with_orders_that_are_unknown_in_it_is_held_whole(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, [77, 0, 78, 1, 2])
    assert office.run()["state"] == "HELD"
    held = [one.order_id for one in queries.held(office.book, "shop").held]
    assert held == ["OD77", "OD0", "OD78", "OD1", "OD2"]


def test_every_run_tells_of_how_many_it_is_held(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    first, second = office.run(), office.run()
    assert first["message"] == second["message"]
    assert "3 of 10 open orders of shop" in second["message"]
    say(office, acts.release)
    for word in (acts.release, acts.drop):
        with pytest.raises(Refused, match=r"^The safety brake of shop is not on\."):
            say(office, word)


def test_the_plan_of_what_is_held_says_where_all_the_pieces_stand(tmp_path: Path) -> None:
    office = office_of(tmp_path, orders=4)
    office.seller.stock("MUG", 1)
    office.seller.order("OD8", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    office.shop.scripts = {
        Kind.CANCELLED: pages(*(said(f"OD{n}", Status.CANCELLED) for n in (8, 0, 1)))
    }
    assert office.run(dry_run=True)["state"] == "HELD"
    ((plan,),) = office.seller.rows("SELECT plan FROM run")
    stands = "UNFULFILLABLE, FULFILLABLE"
    assert (json.loads(plan)[0]["before"], json.loads(plan)[0]["after"]) == (stands, stands)


def test_what_is_held_is_listed_whole_in_the_plan_and_in_the_list(tmp_path: Path) -> None:
    office = office_of(tmp_path, orders=4)
    office.seller.order("OD8", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    cancels(office, range(2), quantity=1, sku="SHIRT", line_id="L1")
    whole = said("OD8", Status.CANCELLED, line_id="")
    office.shop.scripts[Kind.CANCELLED] = pages(
        *(said(f"OD{n}", Status.CANCELLED, line_id="L1", sku="SHIRT", quantity=1) for n in (0, 1)),
        whole,
    )
    office.run(Kind.CANCELLED)
    cancels(office, [3], quantity=1, line_id="L1")
    assert office.run(Kind.CANCELLED, dry_run=True)["state"] == "HELD"
    ((plan,),) = office.seller.rows("SELECT plan FROM run ORDER BY id DESC LIMIT 1")
    held = {"piece": None, "event": "CANCELLED", "outcome": "HELD", "code": "brake_on", "note": ""}
    stands = {"before": "UNFULFILLABLE", "after": "UNFULFILLABLE"}
    lines = [("OD0", "L1"), ("OD1", "L1"), ("OD8", ""), ("OD3", "L1")]
    assert json.loads(plan) == [
        {"order_id": order_id, "line_id": line_id, **held, **stands} for order_id, line_id in lines
    ]
    found = queries.held(office.book, "shop").held
    assert found[0] == HeldView(
        id=1, order_id="OD0", line_id="L1", sku="SHIRT", quantity=1, native_status="CANCELLED",
        occurred_at=whole.occurred_at, positions=("UNFULFILLABLE",),
    )  # fmt: skip
    assert [(one.order_id, one.positions) for one in found[1:]] == [
        ("OD1", ("UNFULFILLABLE",)), ("OD8", ("UNFULFILLABLE", "UNFULFILLABLE")),
    ]  # fmt: skip


def test_a_word_needs_a_note_and_an_open_brake(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    for word in (acts.release, acts.drop):
        with pytest.raises(Refused, match="Say why") as caught:
            say(office, word, " ")
        assert caught.value.code == "note_missing"
        with pytest.raises(Refused, match="is not on") as caught:
            say(office, word)
        assert caught.value.code == "brake_off"
        with pytest.raises(NotFound):
            word(office.book, "none", note="x", actor="a", now=office.clock.now())


def test_a_dry_run_shows_that_it_would_trip_and_its_list(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    before = office.seller.dump()
    dry = office.run(dry_run=True)
    assert office.seller.dump() == before
    assert dry["state"] == "HELD"
    ((plan,),) = office.seller.rows("SELECT plan FROM run WHERE dry_run")
    assert [(one["order_id"], one["outcome"], one["code"]) for one in json.loads(plan)] == [
        (f"OD{n}", "HELD", "brake_on") for n in range(3)
    ]
    assert Counts.from_json(json.dumps(dry["counts"])).imbalance() == 0


def test_the_list_comes_in_pages_that_tear_no_order(tmp_path: Path) -> None:
    office = office_of(tmp_path, orders=0)
    for number in range(5):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1), ("L2", "MUG", 1))
    rows = [
        said(f"OD{n}", Status.CANCELLED, line_id=line, occurred_at=START - HOUR)
        for line in ("L1", "L2")
        for n in range(5)
    ]
    office.shop.scripts = {Kind.CANCELLED: pages(*rows)}
    office.run()
    seen: list[tuple[str, str]] = []
    after, calls = 0, 0
    while True:
        page = queries.held(office.book, "shop", limit=3, after=after)
        seen += [(one.order_id, one.line_id) for one in page.held]
        calls += 1
        if page.next is None:
            break
        after = page.next
    assert seen == [(f"OD{n}", line) for n in range(5) for line in ("L1", "L2")]
    assert calls == 3
    say(office, acts.release)
    assert queries.held(office.book, "shop").brake is None


def test_the_status_and_the_metrics_tell_of_it(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    engine = LocalEngine(office.book, lambda *_: None, office.clock)

    def measured() -> str:
        text = metrics.text(queries.status(office.book, office.clock.now()), engine)
        return next(line for line in text.splitlines() if line.startswith("syncd_brake_open{"))

    assert measured().endswith(" 0")
    cancels(office, range(3))
    office.run()
    (one,) = queries.status(office.book, office.clock.now()).accounts
    assert one.account.words == "held by the safety brake"
    assert one.problems[0].startswith("The safety brake is on: 3 of 10 open orders of shop")
    assert measured().endswith(" 1")


def test_pieces_that_facts_would_cancel_are_foreseen_in_their_order() -> None:
    line = [Piece(item_id=n, line_id="L1", piece=n, position=Position.CREATED) for n in range(3)]

    def fact(event: Event, at: int, **more: Any) -> Fact:
        return Fact(event=event, occurred_at=at, line_id="L1", **more)

    one = fact(Event.CANCELLED, 1, quantity=1)
    two = fact(Event.CANCELLED, 2, quantity=1)
    assert [f.occurred_at for f in foresee(line, [one, two]).values()] == [1, 2]
    wish, no = fact(Event.CANCEL_REQUESTED, 1), fact(Event.CANCEL_WITHDRAWN, 2)
    assert set(foresee(line, [wish])) == {0, 1, 2}
    assert not foresee(line, [wish, no])
    left = fact(Event.DISPATCHED, 0, tracking_number="T1")
    assert not foresee(line, [left, one])
    assert all(piece.position is Position.CREATED for piece in line), "nothing is changed"


def test_while_it_is_on_explain_and_failed_name_it_and_what_to_type(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    cancels(office, range(3))
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD9"))
    office.run()
    for order_id in ("OD0", "OD9"):
        told = queries.explain(office.book, order_id)
        assert "The safety brake holds it" in told.pending[0]
        assert "syncctl brake release shop" in told.to_do[0]
        assert not any("no person is needed" in line for line in told.lines)
    other = queries.explain(office.book, "OD5")
    assert not any("safety brake" in line for line in other.lines), "nothing of it is held"
    waits = queries.failed(office.book)
    assert [one.account for one in waits.brakes] == ["shop"]
    assert "syncctl brake release shop" in waits.brakes[0].words
    say(office, acts.drop)
    assert queries.failed(office.book).brakes == ()
    told = queries.explain(office.book, "OD9")
    assert not any("safety brake" in line for line in (*told.pending, *told.to_do))
