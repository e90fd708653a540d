"""Queries: what the API and the CLI show, on a real book."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, inbox, queries, runs
from syncd.book.runs import Counts, RunState
from syncd.book.tables import Account, Facility, Task
from syncd.book.views import FactCounts, Status as Overview
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused
from syncd.rules import TENANT_NOT_LIVE, Position
from syncd.statuses import Kind, Status
from tests.bookkit import Seller

WHO = "uid 1000 (asha)"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def ask(seller: Seller, *kinds: Kind, **more: Any) -> int:
    asked: dict[str, Any] = {"trigger": "operator", "actor": WHO, **more}
    return runs.enqueue(seller.book, "shop", kinds, now=seller.clock.now(), **asked).run_id


def finish(seller: Seller, run_id: int, state: RunState, message: str = "") -> None:
    now = seller.clock.now()
    runs.start(seller.book, run_id, now)
    runs.finish(
        seller.book,
        run_id,
        state=state,
        message=message,
        counts=Counts(fetched=2),
        tasks={},
        now=now,
    )


def task(seller: Seller, **more: Any) -> None:
    now = to_micros(seller.clock.now())
    fields: dict[str, Any] = {
        "account": 1, "kind": "dispatched", "every_seconds": 2400, "last_success": now,
        "next_run": now + 2_400_000_000, **more,
    }  # fmt: skip
    with seller.book.write():
        Task.create(**fields)


def status(seller: Seller) -> Overview:
    return queries.status(seller.book, seller.clock.now())


def test_a_quiet_account_is_healthy(seller: Seller) -> None:
    task(seller)
    inbox_until(seller, timedelta(minutes=3))
    told = status(seller)
    assert told.healthy
    (one,) = told.accounts
    assert (one.account.words, one.problems) == ("connected", ())
    assert one.facts == FactCounts()
    (timer,) = one.tasks
    assert (timer.kind, timer.lag_seconds) == ("dispatched", 180)
    assert one.next_run == seller.clock.now() + timedelta(minutes=40)
    assert one.last_success == seller.clock.now()


def inbox_until(seller: Seller, ago: timedelta) -> None:
    now = seller.clock.now()
    inbox.store_page(
        seller.book, 1, Kind.DISPATCHED, [], run_id=ask(seller, Kind.ORDERS), observed_at=now,
        complete_until=now - ago,
    )  # fmt: skip


def test_a_book_without_accounts_says_what_to_do(seller: Seller) -> None:
    with seller.book.write():
        seller.book.query("DELETE FROM account")
    told = status(seller)
    assert not told.healthy
    assert "syncctl init" in told.problems[0]


def test_a_missing_sequence_is_a_problem_before_any_order_meets_it(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    assert "Facility BLR has no SALE_INVOICE sequence" in status(seller).problems[0]


def test_a_tenant_that_is_not_live_is_told_in_the_exact_words(tmp_path: Path) -> None:
    told = status(Seller(tmp_path, live=False))
    assert told.problems == (f"{TENANT_NOT_LIVE} (acme). Set it live: syncctl tenant live acme",)
    assert told.accounts[0].problems == ()
    assert not told.healthy


def test_a_suspended_tenant_is_told_once_with_who_can_end_it(seller: Seller) -> None:
    with seller.book.write():
        Account.create(tenant=1, facility=1, name="other", channel="flipkart")
    now = seller.clock.now()
    acts.set_tenant_state(seller.book, "acme", "SUSPENDED", actor=WHO, now=now)
    (line,) = status(seller).problems
    assert line.startswith("Tenant acme is suspended, so nothing is synced for other, shop.")
    assert "An operator of the configuration, root or the daemon's user can set it live" in line
    assert line.endswith(": syncctl tenant live acme")
    assert "not Live yet" not in line
    assert [one.problems for one in status(seller).accounts] == [(), ()]


def test_open_work_is_counted_and_each_kind_has_its_advice(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD9", Status.DISPATCHED))
    seller.tell(seller.change("OD8", Status.CANCELLED))
    seller.settle()
    seller.tell(seller.change("OD1", Status.DELIVERED), seller.change("OD1", Status.CANCELLED))
    seller.settle()
    seller.tell(seller.change("OD1", Status.DELIVERED))
    (one,) = status(seller).accounts
    assert one.facts == FactCounts(pending=1, parked=1, tombstones=1, exceptions=1)
    assert one.notes == (
        "shop: cancelled at the channel before the book had them: OD8. Should they come, they "
        "begin as cancelled.",
    )
    assert one.problems == (
        "Exceptions to settle for shop: 1. See: syncctl exceptions",
        "Facts that wait for an order or a line that the book lacks, for shop: 1. "
        "See them: syncctl failed",
    )


def test_three_of_many_orders_cancelled_too_early_are_named(seller: Seller) -> None:
    for number in range(5):
        seller.tell(seller.change(f"OD{number}", Status.CANCELLED))
    seller.settle()
    (one,) = status(seller).accounts
    assert "had them: OD4, OD3, OD2 and others." in one.notes[0]
    assert one.problems == ()


def test_an_account_says_when_it_never_reached_its_panel(seller: Seller) -> None:
    def words() -> str:
        return status(seller).accounts[0].account.words

    assert words() == "never synced yet"
    finish(seller, ask(seller, Kind.DISPATCHED), RunState.GATED, "Sync not allowed")
    finish(seller, ask(seller, Kind.DISPATCHED, dry_run=True), RunState.OK)
    assert words() == "never synced yet"
    failure = "dispatched: The panel did not answer within 10 s. Look at its page."
    finish(seller, ask(seller, Kind.DISPATCHED), RunState.FAILED, failure)
    said = "last pass failed: dispatched: The panel did not answer within 10 s"
    assert words() == f"never synced yet; {said}"
    finish(seller, ask(seller, Kind.DISPATCHED), RunState.PARTIAL)
    assert words() == "connected"
    finish(seller, ask(seller, Kind.DISPATCHED), RunState.FAILED, "x" * 100)
    assert words() == f"last pass failed: {'x' * 59}…"


def test_refused_and_unreadable_facts_are_problems(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    unreadable(seller)
    (one,) = status(seller).accounts
    assert (one.facts.refused, one.facts.quarantined) == (1, 1)
    assert [line.split(":")[0] for line in one.problems] == [
        "Facts refused for shop",
        "Rows that could not be read for shop",
    ]


def unreadable(seller: Seller, raw: str = '{"status":"??"}') -> None:
    row = seller.change("OD5", Status.UNKNOWN, raw=raw, problem="Unknown status word '??'.")
    inbox.store_page(
        seller.book, 1, Kind.RETURNS, [row], run_id=ask(seller, Kind.RETURNS),
        observed_at=seller.clock.now(),
    )  # fmt: skip


def test_paused_and_refused_accounts_say_how_to_go_on(seller: Seller) -> None:
    task(seller, failures=5)
    now = seller.clock.now()
    acts.pause_account(seller.book, "shop", actor=WHO, now=now)
    (one,) = status(seller).accounts
    assert one.problems == (f"shop is paused by {WHO}. Let it go on with: syncctl resume shop",)
    assert one.next_run is None
    acts.resume_account(seller.book, "shop", actor=WHO, now=now)
    acts.credentials_refused(seller.book, "shop", "The panel answered 401.", now=now)
    (one,) = status(seller).accounts
    assert one.problems == (
        "The panel refuses the credentials of shop (The panel answered 401): put them right, "
        "then syncctl resume shop.",
    )
    assert one.account.words == "stopped: credentials refused"
    acts.pause_account(seller.book, "shop", actor=WHO, now=now)
    (one,) = status(seller).accounts
    assert one.account.words == f"paused by {WHO}, its credentials were refused before"
    assert one.problems == (
        f"shop is paused by {WHO}. Let it go on with: syncctl resume shop",
        "The panel refused the credentials of shop before it was paused (The panel answered "
        "401): put them right before you resume it.",
    )


def test_failing_and_late_tasks_are_problems(seller: Seller) -> None:
    task(seller, failures=3, last_result="failed", last_message="The panel did not answer.")
    task(seller, kind="cancelled")
    task(seller, kind="returns", enabled=False)
    seller.clock.advance(timedelta(hours=3))
    (one,) = status(seller).accounts
    assert one.problems == (
        "cancelled of shop last succeeded 2026-03-01 06:00 UTC; is the daemon running? "
        "See: syncctl runs",
        "dispatched of shop failed 3 times in a row: The panel did not answer.",
    )


def test_a_gated_task_is_not_failing(seller: Seller) -> None:
    task(seller, failures=1, last_result="gated", last_message=TENANT_NOT_LIVE)
    task(seller, kind="cancelled", failures=1, last_result="failed", last_message="No answer.")
    (one,) = status(seller).accounts
    assert one.problems == ("cancelled of shop failed once: No answer.",)


def test_running_and_waiting_runs_are_shown(seller: Seller) -> None:
    first = ask(seller, Kind.DISPATCHED)
    ask(seller, Kind.RETURNS)
    runs.start(seller.book, first, seller.clock.now())
    (one,) = status(seller).accounts
    assert (one.running, one.queued) == (first, 1)


def test_runs_are_paged_newest_first(seller: Seller) -> None:
    ids = []
    for number in range(5):
        ids.append(ask(seller, Kind.DISPATCHED, orders=[f"OD{number}"]))
    first = queries.runs(seller.book, limit=2)
    assert [run.id for run in first] == ids[:2:-1]
    rest = queries.runs(seller.book, limit=500, before=first[-1].id)
    assert [run.id for run in rest] == ids[2::-1]
    assert first[0].orders == ("OD4",)
    assert queries.runs(seller.book, account="shop", states=["OK"]) == []
    with pytest.raises(Refused, match="limit is 0"):
        queries.runs(seller.book, limit=0)
    assert queries.runs(seller.book, limit=10_000) != []
    with pytest.raises(NotFound, match="no run 99"):
        queries.run(seller.book, 99)


def test_a_run_shows_its_counts(seller: Seller) -> None:
    run_id = ask(seller, Kind.DISPATCHED, days=3, dry_run=True)
    finish(seller, run_id, RunState.OK)
    told = queries.run(seller.book, run_id)
    assert (told.days, told.dry_run, told.kinds) == (3, True, ("dispatched",))
    assert told.counts["fetched"] == 2
    assert told.ended_at == seller.clock.now()
    assert asdict(told)["state"] == "OK"
    with pytest.raises(FrozenInstanceError):
        told.state = "FAILED"  # type: ignore[misc]


def test_an_order_shows_everything_that_belongs_to_it(seller: Seller) -> None:
    seller.stock("SHIRT", 2)
    seller.order("OD1", ("L1", "SHIRT", 2), facts={"service": "std"})
    seller.advance("OD1", Position.PACKED)
    told = queries.order(seller.book, "OD1")
    assert (told.state, told.facts) == ("PROCESSING", {"service": "std"})
    assert [(p.piece, p.position, p.package, p.allocated) for p in told.pieces] == [
        (0, "PACKED", "SP-1", True),
        (1, "PACKED", "SP-1", True),
    ]
    (package,) = told.packages
    assert [invoice.number for invoice in package.invoices] == ["INV/001"]
    with pytest.raises(NotFound, match="syncctl explain OD404"):
        queries.order(seller.book, "OD404")


def test_order_ids_are_text_and_never_numbers(seller: Seller) -> None:
    seller.order("007", ("L1", "SHIRT", 1))
    assert queries.order(seller.book, "007").order_id == "007"
    with pytest.raises(NotFound):
        queries.order(seller.book, "7")


def test_failed_shows_every_unsettled_fact_with_advice(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD9", Status.DISPATCHED))
    seller.tell(seller.change("OD8", Status.CANCELLED))
    seller.settle()
    seller.settle()
    unreadable(seller, raw="x" * 700)
    told = queries.failed(seller.book)
    assert [(f.order_id, f.state, f.code) for f in told.facts] == [
        ("OD5", "QUARANTINED", "unreadable_row"),
        ("OD9", "PARKED", "order_unknown"),
        ("OD1", "REFUSED", "sequence_missing"),
    ]
    unread, parked, refused = told.facts
    assert unread.raw == "x" * 500 + "…"
    assert unread.message == "Unknown status word '??'."
    assert "syncctl trigger shop --task orders" in parked.what_to_do
    assert "Facility BLR" in refused.message
    assert refused.tries == 2
    assert refused.facility == "BLR"
    assert "syncctl sequence set BLR SALE_INVOICE --prefix BLR/" in refused.what_to_do
    assert f'syncctl failed --ignore {unread.id} --note "..."' in unread.what_to_do
    assert [f.order_id for f in queries.failed(seller.book, code="sequence_missing").facts] == [
        "OD1"
    ]
    assert [f.order_id for f in queries.failed(seller.book, limit=1).facts] == ["OD5"]
    assert len(queries.failed(seller.book, before=unread.id).facts) == 2


def test_facts_that_wait_for_the_same_are_a_group(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    since = seller.clock.now() + timedelta(minutes=1)
    for number in range(5):
        order_id = f"OD{number}"
        seller.tell(seller.change(order_id, Status.DISPATCHED))
        seller.order(order_id, ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD0", Status.DELIVERED))
    seller.tell(seller.change("OD8", Status.DISPATCHED))
    seller.settle()
    first, second = queries.failed(seller.book, limit=1).groups
    assert (first.account, first.code, first.facility) == ("shop", "sequence_missing", "BLR")
    assert (first.count, first.since, first.orders) == (6, since, ("OD0", "OD1", "OD2"))
    assert "Facility BLR has no SALE_INVOICE sequence" in first.why
    assert first.do.endswith("syncctl sequence set BLR SALE_INVOICE --prefix BLR/")
    assert (second.code, second.count, second.orders) == ("order_unknown", 1, ("OD8",))
    (only,) = queries.failed(seller.book, code="order_unknown").groups
    assert only == second


def test_facts_of_two_facilities_are_two_groups(tmp_path: Path) -> None:
    seller = Seller(tmp_path, sequence=False)
    with seller.book.write():
        Facility.create(tenant=1, code="DEL")
    for order_id in ("OD1", "OD2"):
        seller.order(order_id, ("L1", "SHIRT", 1))
        seller.tell(seller.change(order_id, Status.DISPATCHED))
    with seller.book.write():
        seller.book.query("UPDATE item SET facility_id = 2 WHERE order_id = 2")
    seller.settle()
    groups = queries.failed(seller.book).groups
    assert sorted((one.facility, one.count) for one in groups) == [("BLR", 1), ("DEL", 1)]


def test_rows_that_differ_are_a_group_with_the_meaning_of_their_code(seller: Seller) -> None:
    for problem in ("One.", "Two."):
        row = seller.change("OD5", Status.UNKNOWN, raw=problem, problem=problem)
        run_id = ask(seller, Kind.RETURNS)
        inbox.store_page(
            seller.book, 1, Kind.RETURNS, [row], run_id=run_id, observed_at=seller.clock.now()
        )
    (group,) = queries.failed(seller.book).groups
    assert (group.count, group.orders) == (2, ("OD5",))
    assert group.why == "The row could not be used; it is kept as it came."
    assert group.do.endswith('syncctl failed --ignore ID --note "..."')


def broken(seller: Seller) -> list[int]:
    return [run.id for run in queries.failed(seller.book).runs]


def test_a_gated_run_has_not_failed(seller: Seller) -> None:
    for state in (RunState.GATED, RunState.STOPPED, RunState.PARTIAL, RunState.OK):
        finish(seller, ask(seller, Kind.DISPATCHED), state)
    assert broken(seller) == []
    finish(seller, ask(seller, Kind.DISPATCHED), RunState.FAILED)
    assert broken(seller) == [5]


def test_a_failed_run_is_told_until_later_runs_did_what_it_could_not(seller: Seller) -> None:
    failed = ask(seller, Kind.DISPATCHED, Kind.RETURNS)
    finish(seller, failed, RunState.FAILED)
    finish(seller, ask(seller, Kind.DISPATCHED), RunState.OK)
    assert broken(seller) == [failed]
    finish(seller, ask(seller, Kind.RETURNS, dry_run=True), RunState.OK)
    finish(seller, ask(seller, Kind.RETURNS, orders=["OD1"]), RunState.OK)
    finish(seller, ask(seller, Kind.RETURNS), RunState.GATED)
    assert broken(seller) == [failed], "none of these did the returns"
    finish(seller, ask(seller, Kind.RETURNS), RunState.PARTIAL)
    assert broken(seller) == []


def test_a_part_that_failed_makes_nothing_good(seller: Seller) -> None:
    failed = ask(seller, Kind.RETURNS)
    finish(seller, failed, RunState.FAILED)
    run_id = ask(seller, Kind.DISPATCHED, Kind.RETURNS)
    now = seller.clock.now()
    runs.start(seller.book, run_id, now)
    runs.finish(
        seller.book, run_id, state=RunState.PARTIAL, counts=Counts(), now=now,
        tasks={"dispatched": {"state": "ok"}, "returns": {"state": "failed"}},
    )  # fmt: skip
    assert broken(seller) == [failed]


def test_a_failed_run_over_some_orders_is_made_good_by_the_same(seller: Seller) -> None:
    failed = ask(seller, Kind.RETURNS, orders=["OD1"])
    finish(seller, failed, RunState.FAILED)
    finish(seller, ask(seller, Kind.RETURNS, orders=["OD2"]), RunState.OK)
    assert broken(seller) == [failed]
    finish(seller, ask(seller, Kind.RETURNS, orders=["OD1"]), RunState.OK)
    assert broken(seller) == []


def test_another_account_makes_nothing_good(seller: Seller) -> None:
    with seller.book.write():
        Account.create(tenant=1, facility=1, name="other", channel="flipkart")
    failed = ask(seller, Kind.RETURNS)
    finish(seller, failed, RunState.FAILED)
    now = seller.clock.now()
    asked = runs.enqueue(
        seller.book, "other", [Kind.RETURNS], trigger="test", actor=WHO, now=now
    ).run_id
    finish(seller, asked, RunState.OK)
    assert broken(seller) == [failed]
    assert queries.failed(seller.book, account="other").runs == ()


def test_putaways_say_why(seller: Seller) -> None:
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.advance("OD1", Position.PACKED)
    seller.tell(seller.change("OD1", Status.CANCELLED))
    seller.settle()
    (one,) = queries.putaways(seller.book)
    assert (one.order_id, one.kind, one.state) == ("OD1", "CANCELLED_ITEM", "PENDING")
    assert one.words.startswith("Cancelled after invoicing")
    assert queries.putaways(seller.book, before=one.id) == []
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    (held,) = queries.putaways(seller.book, account="shop")
    assert held.words.startswith("Stopped: The channel says that it left")
    (trouble,) = queries.exceptions(seller.book, order_id="OD1")
    assert (trouble.code, trouble.state) == ("dispatched_after_cancel", "OPEN")
    assert trouble.what_to_do == (
        "Find out whether the piece left, and settle the exception. The choices: syncctl "
        "exceptions show 1"
    )
    assert queries.exceptions(seller.book, state="CLOSED") == []
    assert queries.exceptions(seller.book, account="shop", before=trouble.id) == []
    assert status(seller).putaways == 1


def test_sequences_and_tenants(seller: Seller) -> None:
    (sequence,) = queries.sequences(seller.book)
    assert (sequence.facility, sequence.kind, sequence.next) == ("BLR", "SALE_INVOICE", "INV/001")
    (tenant,) = queries.tenants(seller.book)
    assert (tenant.code, tenant.state, tenant.accounts) == ("acme", "LIVE", ("shop",))
    assert [facility.code for facility in tenant.facilities] == ["BLR"]


def test_stock_is_paged_by_sku(seller: Seller) -> None:
    for sku in ("A", "B", "C"):
        seller.stock(sku, 2)
    first = queries.stock(seller.book, limit=2)
    assert [one.sku for one in first] == ["A", "B"]
    assert [one.sku for one in queries.stock(seller.book, after="B")] == ["C"]
    (one,) = queries.stock(seller.book, sku="B", facility="BLR")
    assert one.buckets == {"on_hand_good": 2, "outside": -2}
    assert queries.stock(seller.book, facility="DEL") == []


def test_accounts_and_tasks_of_one_account(seller: Seller) -> None:
    with seller.book.write():
        Account.create(tenant=1, facility=1, name="other", channel="flipkart")
    task(seller)
    task(seller, account=2)
    now = seller.clock.now()
    assert [one.name for one in queries.accounts(seller.book)] == ["other", "shop"]
    assert [one.name for one in queries.accounts(seller.book, "shop")] == ["shop"]
    assert [one.account for one in queries.tasks(seller.book, now)] == ["other", "shop"]
    assert [one.account for one in queries.tasks(seller.book, now, "other")] == ["other"]
    with pytest.raises(NotFound, match="Known accounts: other, shop"):
        queries.accounts(seller.book, "nope")


def test_queries_leave_the_book_as_it_is(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    before = seller.dump()
    status(seller)
    queries.failed(seller.book)
    queries.explain(seller.book, "OD1")
    assert seller.dump() == before
