"""One run of one account, with a channel written for the test: what is asked, stored and told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.book import inbox, queries, runs
from syncd.book.tables import Task
from syncd.channels import LoadedChannel
from syncd.clock import to_micros
from syncd.errors import PanelBusy, PanelRefused, Refused
from syncd.hookspecs import Channel, Cost, Pace, ReadsBy, Settings, hookimpl
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.statuses import (
    Account,
    Kind,
    NewOrder,
    OrderLine,
    OrderRef,
    Page,
    Status,
    StatusChange,
    Window,
)
from syncd.tokens import MemoryTokens
from tests.bookkit import START, Seller

DAY = timedelta(days=1)
Script = Callable[[Window, Sequence[OrderRef]], Iterator[Page[Any]]]


class Shop:
    """A channel plugin that answers by script and remembers what it was asked."""

    def __init__(self, **description: Any) -> None:
        self.description = Channel(
            title="Shop",
            settings=Settings,
            safety_lag=timedelta(minutes=5),
            overlap=timedelta(minutes=10),
            **{"longest_window": 365 * DAY, **description},
        )
        self.asked: list[tuple[Kind, Window, tuple[str, ...]]] = []
        self.scripts: dict[Kind, Script] = {}

    def _answer(self, kind: Kind, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        self.asked.append((kind, window, tuple(ref.order_id for ref in orders)))
        if kind in self.scripts:
            yield from self.scripts[kind](window, orders)

    @hookimpl
    def describe_channel(self) -> Channel:
        return self.description

    @hookimpl
    def fetch_orders(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._answer(Kind.ORDERS, window, orders)

    @hookimpl
    def fetch_dispatched(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._answer(Kind.DISPATCHED, window, orders)

    @hookimpl
    def fetch_cancelled(self, window: Window, orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield from self._answer(Kind.CANCELLED, window, orders)


class Told:
    """Progress that a test reads."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


class SkewedPanel(Panel):
    """A panel whose clock is off by some time."""

    off = timedelta(0)

    def by(self, off: timedelta) -> SkewedPanel:
        self.off = off
        return self

    def server_now(self) -> datetime:
        return super().server_now() + self.off


class Office:
    """A seller whose one account is on the shop."""

    def __init__(self, folder: Path, shop: Shop, **seller: Any) -> None:
        self.seller = Seller(folder, **seller)
        self.book, self.clock = self.seller.book, self.seller.clock
        self.shop, self.stop, self.told = shop, threading.Event(), Told()
        channel = LoadedChannel("shop", "syncd-shop", "1.0")
        entry = EntryPoint("shop", "unused", "syncd.channels")
        channel.load(type("Entry", (), {"load": lambda _self: shop, "name": entry.name})())
        assert not channel.reason
        self.look_back: dict[Kind, timedelta] = {}
        self.locations: dict[str, str] = {}
        self.paces: dict[str, Pace] = {}
        self.skew = timedelta(0)  # how far the panel's clock is off
        self.setup = Setup(
            account=Account(name="shop", channel="shop", settings=Settings()),
            channel=channel,
            look_back=self.look_back,
            locations=self.locations,
        )
        with self.book.write():
            for kind in (Kind.ORDERS, Kind.DISPATCHED, Kind.CANCELLED):
                Task.create(account=1, kind=kind.value, every_seconds=2400)

    def panel(self, setup: Setup, stop: threading.Event) -> Panel:
        return SkewedPanel(
            "http://127.0.0.1:9",
            account="shop",
            clock=self.clock,
            tokens=MemoryTokens(),
            stop=stop,
            paces=self.paces,
        ).by(self.skew)

    def run(
        self, *kinds: Kind, setups: Callable[[str], Setup] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Conduct a run; its row as the book has it afterwards."""
        asked = runs.enqueue(
            self.book, "shop", kinds or tuple(Kind), trigger="t", actor="asha",
            now=self.clock.now(), **more,
        )  # fmt: skip
        conductor = Conductor(self.book, setups or (lambda _: self.setup), self.panel, self.clock)
        conductor.conduct(asked.run_id, self.stop, self.told)
        row = self.seller.rows(
            "SELECT state, code, message, counts, tasks, plan_hash FROM run WHERE id = ?",
            asked.run_id,
        )[0]
        return {
            "state": row[0], "code": row[1], "message": row[2], "counts": json.loads(row[3]),
            "tasks": json.loads(row[4]), "plan_hash": row[5],
        }  # fmt: skip

    def cursor(self, kind: Kind) -> Any:
        with self.book.connection():
            return inbox.cursor_of(self.book, 1, kind)

    def task(self, kind: Kind) -> tuple[Any, ...]:
        sql = "SELECT last_result, last_message, failures FROM task WHERE kind = ?"
        return self.seller.rows(sql, kind.value)[0]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def office(tmp_path: Path, shop: Shop) -> Office:
    return Office(tmp_path, shop)


def said(order_id: str, status: Status = Status.DISPATCHED, **more: Any) -> StatusChange:
    more.setdefault("occurred_at", START - timedelta(hours=1))
    return StatusChange(order_id=order_id, status=status, native_status=status.value, **more)


def pages(*rows: Any) -> Script:
    return lambda _window, _orders: iter([Page(rows=[row]) for row in rows])


def then_raises(error: Exception, *rows: Any) -> Script:
    def script(_window: Window, _orders: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        for row in rows:
            yield Page(rows=[row])
        raise error

    return script


def test_every_kind_is_in_the_journal_before_anything_is_decided(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    cancelled = said("OD1", Status.CANCELLED, occurred_at=START - timedelta(hours=2))
    office.shop.scripts = {Kind.DISPATCHED: pages(said("OD1")), Kind.CANCELLED: pages(cancelled)}
    run = office.run()
    assert [kind for kind, _, _ in office.shop.asked] == [
        Kind.ORDERS, Kind.DISPATCHED, Kind.CANCELLED,
    ]  # fmt: skip
    assert office.seller.positions("OD1") == ["CANCELLED"], "the older fact came first"
    assert run["counts"]["escalated"] == 1


def test_the_first_window_is_thirty_days_and_the_next_starts_at_the_cursor(office: Office) -> None:
    office.run(Kind.DISPATCHED)
    assert office.cursor(Kind.DISPATCHED) == START - timedelta(minutes=5)
    office.clock.advance(timedelta(minutes=40))
    office.run(Kind.DISPATCHED)
    first, second = (window for _, window, _ in office.shop.asked)
    assert first.end - first.start == 30 * DAY
    assert second == Window(START - timedelta(minutes=15), START + timedelta(minutes=35))


def test_a_deep_pass_reads_what_the_channel_serves_and_moves_no_cursor_back(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path, Shop(look_back_limit=60 * DAY))
    office.run(Kind.DISPATCHED)
    office.clock.advance(timedelta(days=7))
    run = office.run(Kind.DISPATCHED, days=45)
    assert run["state"] == "OK"
    office.run(Kind.DISPATCHED, days=90)
    windows = [window for _, window, _ in office.shop.asked]
    assert [window.end - window.start for window in windows] == [30 * DAY, 45 * DAY, 60 * DAY]
    assert office.cursor(Kind.DISPATCHED) == windows[2].end


def test_a_long_window_is_read_in_steps_and_each_step_moves_the_cursor(
    tmp_path: Path,
) -> None:
    shop = Shop(longest_window=10 * DAY)
    office = Office(tmp_path, shop)
    script = then_raises(PanelBusy("busy"))
    steps: list[Window] = []

    def twice(window: Window, orders: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        steps.append(window)
        if len(steps) == 3:
            yield from script(window, orders)

    shop.scripts[Kind.DISPATCHED] = twice
    run = office.run(Kind.DISPATCHED)
    assert run["state"] == "FAILED"
    assert run["code"] == "panel_busy"
    assert office.cursor(Kind.DISPATCHED) == steps[1].end
    assert office.task(Kind.DISPATCHED)[0] == "failed"


def test_fault_A06_pages_before_a_failure_are_kept_and_the_cursor_stays(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.shop.scripts[Kind.DISPATCHED] = then_raises(PanelBusy("busy"), said("OD1"))
    run = office.run()
    assert run["state"] == "PARTIAL"
    assert "busy" in run["message"]
    assert office.seller.positions("OD1") == ["DISPATCHED"], "what came is decided"
    assert office.cursor(Kind.DISPATCHED) is None
    assert office.cursor(Kind.CANCELLED) is not None, "the other kinds went on"
    assert office.task(Kind.DISPATCHED)[2] == 1


def test_fault_F01_a_raising_plugin_fails_its_kind_and_is_named(office: Office) -> None:
    office.shop.scripts[Kind.DISPATCHED] = then_raises(ZeroDivisionError("oops"))
    run = office.run()
    assert run["tasks"]["dispatched"]["code"] == "plugin_broken"
    assert "Channel shop failed while fetching dispatched: ZeroDivisionError" in run["message"]
    assert run["tasks"]["cancelled"]["state"] == "ok"


@pytest.mark.parametrize("nonsense", [None, 7, {"a": 1}, ["no page"]])
def test_fault_F04_a_hook_that_gives_no_pages_is_refused(office: Office, nonsense: Any) -> None:
    def script(_window: Window, _orders: Sequence[OrderRef]) -> Iterator[Any]:
        yield nonsense

    office.shop.scripts[Kind.DISPATCHED] = script
    run = office.run(Kind.DISPATCHED)
    assert run["code"] == "plugin_broken"
    assert "must yield Pages" in run["message"]


def test_refused_credentials_end_the_run_and_stop_the_account(office: Office) -> None:
    office.shop.scripts[Kind.ORDERS] = then_raises(PanelRefused("the token is dead"))
    run = office.run()
    assert (run["state"], run["code"]) == ("FAILED", "account_auth_failed")
    assert [kind for kind, _, _ in office.shop.asked] == [Kind.ORDERS]
    assert office.seller.rows("SELECT state FROM account") == [("AUTH_FAILED",)]


def test_fault_E06_one_forbidden_call_stops_only_its_kind(office: Office) -> None:
    forbidden = PanelRefused("not for you")
    forbidden.code = "call_forbidden"
    office.shop.scripts[Kind.ORDERS] = then_raises(forbidden)
    run = office.run()
    assert run["tasks"]["orders"]["code"] == "call_forbidden"
    assert run["tasks"]["dispatched"]["state"] == "ok"
    assert office.seller.rows("SELECT state FROM account") == [("CONNECTED",)]


def test_a_tenant_that_is_not_live_is_not_even_asked_about(tmp_path: Path, shop: Shop) -> None:
    office = Office(tmp_path, shop, live=False)
    run = office.run()
    assert run["state"] == "GATED"
    assert run["message"] == "Sync not allowed as Tenant is not Live yet"
    assert not shop.asked
    assert office.cursor(Kind.DISPATCHED) is None
    assert office.task(Kind.DISPATCHED) == ("gated", run["message"], 0)


def test_chosen_orders_are_asked_in_parts_and_move_no_cursor(tmp_path: Path) -> None:
    shop = Shop(orders_per_call=2)
    office = Office(tmp_path, shop)
    run = office.run(Kind.DISPATCHED, orders=("A", "B", "C"))
    assert run["state"] == "OK"
    assert [orders for _, _, orders in shop.asked] == [("A", "B"), ("C",)]
    assert office.cursor(Kind.DISPATCHED) is None
    assert office.task(Kind.DISPATCHED)[0] == ""


def test_a_channel_that_answers_only_by_id_is_asked_for_the_open_orders(tmp_path: Path) -> None:
    shop = Shop(reads_by=frozenset({ReadsBy.ORDERS}))
    office = Office(tmp_path, shop)
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.seller.order("OD2", ("L1", "SHIRT", 1))
    office.seller.tell(office.seller.change("OD2", Status.CANCELLED))
    office.seller.settle()
    office.run(Kind.DISPATCHED)
    assert [orders for _, _, orders in shop.asked] == [("OD1",)]


@pytest.mark.unsound_book
def test_what_was_delivered_long_ago_is_left_to_the_audit(tmp_path: Path) -> None:
    """Asked by id for as long as a return may begin, and a margin; not for ever."""
    office = Office(tmp_path, Shop(reads_by=frozenset({ReadsBy.ORDERS})))
    for order_id, days in (("OLD", 38), ("YOUNG", 36), ("OPEN", 300)):
        office.seller.order(order_id, ("L1", "SHIRT", 1))
        at = to_micros(START - days * DAY)
        position = "DISPATCHED" if order_id == "OPEN" else "DELIVERED"
        with office.book.write():
            office.book.query(
                "UPDATE item SET position = ?, delivered_at = ?, changed_at = ? WHERE id = "
                "(SELECT max(id) FROM item)", (position, at, at),
            )  # fmt: skip
    office.run(Kind.DISPATCHED)
    assert [orders for _, _, orders in office.shop.asked] == [("YOUNG", "OPEN")]
    office.look_back[Kind.RETURNS] = 60 * DAY
    office.run(Kind.DISPATCHED)
    assert office.shop.asked[-1][2] == ("OLD", "YOUNG", "OPEN")


def test_an_order_that_only_the_channel_knows_is_asked_for_and_then_decided(
    office: Office,
) -> None:
    def orders(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
        for ref in refs:
            yield Page(rows=[NewOrder(order_id=ref.order_id, placed_at=START, lines=(line,))])

    office.shop.scripts = {Kind.DISPATCHED: pages(said("OD9")), Kind.ORDERS: orders}
    run = office.run()
    assert office.seller.positions("OD9") == ["DISPATCHED"]
    assert (run["counts"]["parked"], run["counts"]["applied"]) == (0, 1)
    assert run["counts"]["imported"] == 1


def test_an_order_that_nobody_knows_is_asked_for_a_few_times_only(office: Office) -> None:
    office.shop.scripts[Kind.DISPATCHED] = pages(said("GHOST"))
    for _ in range(6):
        office.run(Kind.DISPATCHED)
        office.clock.advance(timedelta(minutes=40))
    asked = [orders for kind, _, orders in office.shop.asked if kind is Kind.ORDERS]
    assert asked == [("GHOST",)] * 3
    assert office.seller.journal() == [("PARKED", "PARK", "order_unknown")]


def odd(order_id: str, word: str, **more: Any) -> StatusChange:
    row = said(order_id, Status.UNKNOWN, problem=f"{word} is no word", raw=f"{more}", **more)
    return msgspec.structs.replace(row, native_status=word)


def read(order_id: str, word: str, **more: Any) -> StatusChange:
    return msgspec.structs.replace(said(order_id, **more), native_status=word)


def test_a_row_of_a_new_word_closes_once_it_is_read(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1), ("L2", "SOCK", 1))
    rows = [odd("OD1", "ZORG", line_id="L1"), odd("OD1", "ZORG", line_id="L2"), odd("OD1", "BLIP")]
    office.shop.scripts[Kind.DISPATCHED] = pages(*rows)
    assert office.run(Kind.DISPATCHED)["counts"]["quarantined"] == 3
    office.shop.scripts[Kind.DISPATCHED] = pages(read("OD1", "ZORG", line_id="L1"))
    run = office.run(Kind.DISPATCHED)
    assert (run["state"], run["counts"]["applied"]) == ("OK", 1)
    assert office.seller.rows("SELECT line_id, native_status, state, message FROM inbox") == [
        ("L1", "ZORG", "IGNORED", "ignored by syncd: read well in run 2"),
        ("L2", "ZORG", "QUARANTINED", "ZORG is no word"),
        ("", "BLIP", "QUARANTINED", "BLIP is no word"),
        ("L1", "ZORG", "DONE", ""),
    ]
    (one, two) = queries.failed(office.seller.book).facts
    assert {one.line_id, two.line_id} == {"L2", ""}


def test_one_fact_closes_one_row_of_its_word_and_no_later_one(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 3))
    first, second = (odd("OD1", "ZORG", line_id="L1", evidence_id=f"e{n}") for n in (1, 2))
    good = read("OD1", "ZORG", line_id="L1", quantity=1, evidence_id="g1")
    for rows in ((first, second), (good,), (good, odd("OD1", "ZORG", line_id="L1"))):
        office.shop.scripts[Kind.DISPATCHED] = pages(*rows)
        office.run(Kind.DISPATCHED)
    states = office.seller.rows("SELECT state FROM inbox WHERE status = 'UNKNOWN' ORDER BY id")
    assert states == [("IGNORED",), ("QUARANTINED",), ("QUARANTINED",)]


@pytest.mark.parametrize("name", ["shipment_id", "tracking_number"])
def test_a_fact_of_another_parcel_closes_no_row(office: Office, name: str) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 2))
    office.shop.scripts[Kind.DISPATCHED] = pages(odd("OD1", "ZORG", line_id="L1", **{name: "A"}))
    office.run(Kind.DISPATCHED)
    good = read("OD1", "ZORG", line_id="L1", quantity=1, **{name: "B"})
    office.shop.scripts[Kind.DISPATCHED] = pages(good)
    office.run(Kind.DISPATCHED)
    assert office.seller.rows("SELECT state FROM inbox ORDER BY id")[0] == ("QUARANTINED",)


def test_what_is_told_again_and_cannot_be_read_still_stays(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 2))
    bad = odd("OD1", "ZORG", line_id="L1", evidence_id="e1")
    good = read("OD1", "ZORG", line_id="L1", quantity=1)
    for rows in ((bad,), (bad, good)):
        office.shop.scripts[Kind.DISPATCHED] = pages(*rows)
        office.run(Kind.DISPATCHED)
    assert office.seller.rows("SELECT state FROM inbox ORDER BY id")[0] == ("QUARANTINED",)


def test_a_rehearsal_closes_no_row(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.shop.scripts[Kind.DISPATCHED] = pages(odd("OD1", "ZORG", line_id="L1"))
    office.run(Kind.DISPATCHED)
    office.shop.scripts[Kind.DISPATCHED] = pages(read("OD1", "ZORG", line_id="L1"))
    office.run(Kind.DISPATCHED, dry_run=True)
    assert office.seller.rows("SELECT state FROM inbox") == [("QUARANTINED",)]


def test_an_unreadable_order_is_set_aside_with_its_reason(office: Office) -> None:
    bad = NewOrder(order_id="OD1", placed_at=START, lines=(), problem="no lines", raw="{...}")
    office.shop.scripts[Kind.ORDERS] = pages(bad)
    run = office.run(Kind.ORDERS)
    assert run["counts"]["quarantined"] == 1
    assert office.seller.rows("SELECT order_id, message, raw FROM inbox") == [
        ("OD1", "no lines", "{...}")
    ]


def test_a_stop_between_two_pages_ends_the_run_and_asks_for_it_again(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1))

    def endless(_window: Window, _orders: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        yield Page(rows=[said("OD1")])
        office.stop.set()
        number = 1
        while True:
            number += 1
            yield Page(rows=[said(f"OD{number}")])

    office.shop.scripts[Kind.DISPATCHED] = endless
    run = office.run(Kind.DISPATCHED)
    assert run["state"] == "STOPPED"
    assert office.cursor(Kind.DISPATCHED) is None
    assert office.seller.count("run", "state = 'QUEUED' AND trigger = 'start'") == 1
    office.stop.clear()
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD1"))
    office.run(Kind.DISPATCHED)
    assert office.seller.positions("OD1") == ["DISPATCHED"]


def test_a_dry_run_asks_decides_and_writes_nothing(office: Office) -> None:
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD1"), said("OD1"))
    before = office.seller.dump()
    rehearsal = office.run(Kind.DISPATCHED, dry_run=True)
    assert office.seller.dump() == before
    real = office.run(Kind.DISPATCHED)
    assert rehearsal["counts"]["applied"] == real["counts"]["applied"] == 1
    assert rehearsal["plan_hash"] == real["plan_hash"]


def test_a_dry_run_takes_new_orders_into_account_and_is_open_before_going_live(
    tmp_path: Path, shop: Shop
) -> None:
    office = Office(tmp_path, shop, live=False)
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
    new = NewOrder(order_id="OD1", placed_at=START, lines=(line,))
    shop.scripts = {Kind.ORDERS: pages(new), Kind.DISPATCHED: pages(said("OD1"))}
    before = office.seller.dump()
    rehearsal = office.run(dry_run=True)
    assert office.seller.dump() == before
    assert (rehearsal["state"], rehearsal["code"]) == ("OK", "")
    assert rehearsal["counts"]["imported"] == rehearsal["counts"]["applied"] == 1
    ((plan,),) = office.seller.rows("SELECT plan FROM run WHERE dry_run")
    (step,) = json.loads(plan)
    assert (step["order_id"], step["before"], step["after"]) == (
        "OD1", "UNFULFILLABLE", "DISPATCHED",
    )  # fmt: skip
    with office.book.write():
        office.book.query("UPDATE tenant SET state = 'LIVE'")
    real = office.run()
    assert rehearsal["plan_hash"] == real["plan_hash"]
    assert rehearsal["counts"] == real["counts"]


def test_a_dry_run_asks_for_unknown_orders_as_the_run_does(office: Office) -> None:
    def orders(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
        for ref in refs:
            yield Page(rows=[NewOrder(order_id=ref.order_id, placed_at=START, lines=(line,))])

    office.shop.scripts = {Kind.DISPATCHED: pages(said("OD9")), Kind.ORDERS: orders}
    before = office.seller.dump()
    assert office.run(dry_run=True)["counts"]["applied"] == 1
    assert office.seller.dump() == before


def test_fault_B09_a_panel_clock_ahead_moves_no_cursor_into_the_future(office: Office) -> None:
    office.skew = timedelta(days=1)
    office.run(Kind.DISPATCHED)
    assert office.cursor(Kind.DISPATCHED) == START - timedelta(minutes=5)


def test_fault_B09_a_panel_clock_behind_holds_the_cursor_back(office: Office) -> None:
    office.skew = -timedelta(hours=3)
    office.run(Kind.DISPATCHED)
    assert office.cursor(Kind.DISPATCHED) == START - timedelta(hours=3, minutes=5)


def test_fault_B10_a_cursor_in_the_future_is_reset_and_told(office: Office) -> None:
    inbox.store_page(
        office.book, 1, Kind.DISPATCHED, [], run_id=1, observed_at=START,
        complete_until=START + DAY,
    )  # fmt: skip
    run = office.run(Kind.DISPATCHED)
    assert "some clock was wrong" in run["message"]
    (asked,) = [window for kind, window, _ in office.shop.asked]
    assert asked.end - asked.start == 30 * DAY
    assert office.cursor(Kind.DISPATCHED) == START - timedelta(minutes=5)


def test_a_panel_that_asks_for_a_long_wait_gets_it(office: Office) -> None:
    office.shop.scripts[Kind.DISPATCHED] = then_raises(PanelBusy("busy", retry_after=7200))
    office.run(Kind.DISPATCHED)
    sql = "SELECT next_run FROM task WHERE kind = 'dispatched'"
    assert office.seller.rows(sql) == [(to_micros(START + timedelta(hours=2)),)]


def test_an_order_of_an_unknown_location_is_set_aside_and_not_guessed(office: Office) -> None:
    office.locations["LOC-BLR"] = "BLR"
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
    office.shop.scripts[Kind.ORDERS] = pages(
        NewOrder(order_id="OD1", placed_at=START, lines=(line,), location_id="LOC-BLR"),
        NewOrder(order_id="OD2", placed_at=START, lines=(line,), location_id="LOC-XYZ"),
        NewOrder(order_id="OD3", placed_at=START, lines=(line,)),
    )
    run = office.run(Kind.ORDERS)
    assert (run["state"], run["code"]) == ("PARTIAL", "rows_quarantined")
    assert office.seller.rows("SELECT order_id FROM orders") == [("OD1",), ("OD3",)]
    ((message,),) = office.seller.rows("SELECT message FROM inbox")
    assert "LOC-XYZ" in message
    assert "[accounts.shop.locations]" in message


def test_an_account_that_cannot_run_says_why(office: Office) -> None:
    def broken(_name: str) -> Setup:
        raise Refused("its channel is off", code="account_disabled")

    run = office.run(setups=broken)
    assert (run["state"], run["code"]) == ("FAILED", "account_disabled")
    assert run["message"] == "its channel is off"


def test_refused_facts_make_the_run_partial_and_the_task_too(tmp_path: Path, shop: Shop) -> None:
    office = Office(tmp_path, shop, sequence=False)
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    shop.scripts[Kind.DISPATCHED] = pages(said("OD1"))
    run = office.run()
    assert (run["state"], run["code"]) == ("PARTIAL", "facts_refused")
    assert office.task(Kind.DISPATCHED)[0] == "partial"


def test_who_follows_hears_of_the_start_the_progress_and_the_end(office: Office) -> None:
    office.shop.scripts[Kind.DISPATCHED] = pages(said("OD1"))
    office.run(Kind.DISPATCHED)
    names = [event for event, _ in office.told.events]
    assert names[0] == "started"
    assert names[-1] == "ended"
    assert "progress" in names
    assert office.told.events[-1][1]["state"] == "OK"


def test_the_tasks_times_are_kept(office: Office) -> None:
    office.run(Kind.DISPATCHED)
    row = office.seller.rows(
        "SELECT last_start, last_end, last_success FROM task WHERE kind = 'dispatched'"
    )[0]
    assert row == (to_micros(START),) * 3


@pytest.mark.parametrize("stock", [0, 1])
def test_the_plan_of_a_dry_run_holds_for_orders_that_were_asked_for_as_well(
    office: Office, stock: int
) -> None:
    """The order asked for comes last, whatever the date of what is said of it."""
    if stock:
        office.seller.stock("SHIRT", stock)
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)

    def orders(_window: Window, refs: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        for ref in refs:
            yield Page(rows=[NewOrder(order_id=ref.order_id, placed_at=START, lines=(line,))])

    early = said("OD9", occurred_at=START - timedelta(hours=2))
    gone = said("OD1", Status.CANCELLED, occurred_at=START - timedelta(hours=1))
    office.shop.scripts = {
        Kind.DISPATCHED: pages(early), Kind.CANCELLED: pages(gone), Kind.ORDERS: orders,
    }  # fmt: skip
    before = office.seller.dump()
    rehearsal = office.run(dry_run=True)
    assert office.seller.dump() == before
    real = office.run()
    assert rehearsal["plan_hash"] == real["plan_hash"]
    for name in ("applied", "imported", "parked", "new"):
        assert rehearsal["counts"][name] == real["counts"][name], name
    assert rehearsal["counts"]["applied"] == 2


def test_a_long_fetch_is_said_beforehand(tmp_path: Path) -> None:
    scarce = Cost(pace="search", rows=2)
    office = Office(tmp_path, Shop(costs={"dispatched": scarce}, longest_window=10 * DAY))
    office.paces = {"search": Pace(per_second=0.01, burst=1)}
    for number in range(5):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    asked: list[str] = []

    def script(_window: Window, _orders: Sequence[OrderRef]) -> Iterator[Page[Any]]:
        asked.append(office.seller.rows("SELECT message FROM run")[0][0])
        yield Page(rows=[])

    office.shop.scripts = {Kind.DISPATCHED: script}
    run = office.run(Kind.DISPATCHED)
    told = [fields["foreseen"] for _, fields in office.told.events if "foreseen" in fields]
    assert told == [
        "Fetching dispatched: the book has 5 orders that may be told of, so about 6 calls at the "
        "panel's pace, 9 min or more."
    ], "three spans and three pages; the first call is free"
    assert asked[0] == told[0], "and syncctl runs shows it"
    assert run["message"] == "", "at the end it is over"


def test_what_a_fetch_costs_may_hang_on_the_account_and_on_how_it_is_asked(tmp_path: Path) -> None:
    def costs(settings: object) -> dict[str, Sequence[Cost]]:
        asked_with.append(settings)
        return {
            "dispatched": (
                Cost(pace="search", rows=2, asked=ReadsBy.WINDOW),
                Cost(pace="items", rows=1, calls=0),
                Cost(pace="one", rows=1, calls=0, asked=ReadsBy.ORDERS),
            )
        }

    asked_with: list[object] = []
    office = Office(tmp_path, Shop(costs=costs))
    office.paces = {
        "search": Pace(per_second=0.01, burst=1),
        "items": Pace(per_second=0.02, burst=1),
        "one": Pace(per_second=0.001, burst=1),
    }
    for number in range(5):
        office.seller.order(f"OD{number}", ("L1", "SHIRT", 1))

    office.run(Kind.DISPATCHED)
    office.run(Kind.DISPATCHED, orders=("OD1", "OD2"))

    told = [fields["foreseen"] for _, fields in office.told.events if "foreseen" in fields]
    assert told == [
        "Fetching dispatched: the book has 5 orders that may be told of, so about 9 calls at the "
        "panel's pace, 5 min or more.",
        "Fetching dispatched: the book has 2 orders that may be told of, so about 4 calls at the "
        "panel's pace, 17 min or more.",
    ], "one search and three pages; the slowest of the calls counts"
    assert asked_with == [office.setup.account.settings] * 2


def test_a_fetch_that_is_soon_done_says_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path, Shop(costs={"dispatched": Cost(pace="search", rows=100)}))
    office.paces = {"search": Pace(per_second=0.01, burst=50)}
    office.run(Kind.DISPATCHED)
    assert not any("foreseen" in fields for _, fields in office.told.events)


def test_a_channel_asked_by_ids_may_still_read_new_orders_by_window(tmp_path: Path) -> None:
    by_ids = {"reads_by": frozenset({ReadsBy.ORDERS}), "window_only": frozenset({"orders"})}
    office = Office(tmp_path, Shop(**by_ids))
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.run()
    assert [(kind, orders) for kind, _, orders in office.shop.asked] == [
        (Kind.ORDERS, ()), (Kind.DISPATCHED, ("OD1",)), (Kind.CANCELLED, ("OD1",)),
    ]  # fmt: skip


def test_a_channel_asked_by_ids_alone_is_not_asked_for_orders_that_the_book_has(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path, Shop(reads_by=frozenset({ReadsBy.ORDERS})))
    office.seller.order("OD1", ("L1", "SHIRT", 1))
    office.run(Kind.ORDERS)
    assert office.shop.asked == []
    office.run(Kind.ORDERS, orders=("OD2",))
    assert [orders for _, _, orders in office.shop.asked] == [("OD2",)]
