"""Every call of the API over a real socket and a real book."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import syncd
from syncd.book import queries
from syncd.book.runs import RunState
from syncd.channels import Channels
from syncd.config import AccountConfig
from syncd.config.model import PoliciesConfig
from syncd.control import asking
from syncd.control.guard import Answers, Kept
from syncd.control.server import ControlServer
from syncd.control.service import Service
from syncd.errors import Refused
from syncd.statuses import Kind, Status
from tests.controlkit import WAIT, House, a_channel, parse, running

# The runs of the control kit fetch nothing: what they counted is made up.
pytestmark = pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
CSV = """order_id,line_id,sku,quantity,placed_at
OD1,1,SKU-A,2,2026-02-01T10:00:00
OD2,1,SKU-A,none,2026-02-01T10:00:00
OD3,1,SKU-A,1,2026-02-01T10:00:00
"""
GOODS = {"facility": "BLR", "goods": {"SKU-A": 5}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(tmp_path) as house:
        yield house


def test_the_version_says_which_api_is_spoken(house: House) -> None:
    status, fields, body = house.ask("GET", "/version")
    assert (status, body) == (200, {"api": 1, "min_api": 1, "version": syncd.__version__})
    assert (fields["syncd-api"], fields["syncd-min-api"]) == ("1", "1")


def test_the_status_tells_each_account(house: House) -> None:
    body = house.ask("GET", "/v1/status")[2]
    assert body["healthy"] is True
    assert [one["account"]["name"] for one in body["accounts"]] == ["shop"]
    assert body["at"] == "2026-03-01T06:00:00Z"


def test_channels_are_listed_with_their_accounts(house: House) -> None:
    (channel,) = house.ask("GET", "/v1/channels")[2]["channels"]
    assert (channel["name"], channel["state"]) == ("flipkart", "enabled")
    assert channel["tasks"] == ["orders", "dispatched", "cancelled", "returns", "delivered"]
    assert channel["accounts"] == ["shop"]


def test_a_trigger_is_accepted_and_its_run_is_shown(house: House) -> None:
    body = {"account": "shop", "kinds": ["returns"], "days": 7, "dry_run": True}
    status, _, asked = house.ask("POST", "/v1/runs", body)
    assert status == 202
    assert asked["runs"] == [{"account": "shop", "run_id": 1, "folded": False}]
    assert house.await_run(1) == "OK"
    run = house.ask("GET", "/v1/runs/1")[2]
    assert (run["kinds"], run["days"], run["dry_run"]) == (["returns"], 7, True)
    assert (run["trigger"], run["state"]) == ("operator", "OK")
    assert run["actor"].startswith(f"uid {os.geteuid()}")


def test_a_channels_name_means_all_its_accounts(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.book.write():
        house.book.query(
            "INSERT INTO account (tenant_id, facility_id, name, channel, state, state_reason, "
            "state_since) VALUES (1, 1, 'outlet', 'flipkart', 'CONNECTED', '', 0)"
        )
    accounts = {**house.config.accounts, "outlet": AccountConfig(name="outlet", channel="flipkart")}
    house.service.adopt(house.config.model_copy(update={"accounts": accounts}))
    house.seller.order("OD1", ("1", "SKU", 1))
    house.start()
    try:
        asked = house.ask("POST", "/v1/runs", {"account": "flipkart"})[2]
        assert [run["account"] for run in asked["runs"]] == ["outlet", "shop"]
        body = {"account": "flipkart", "orders": ["OD1"]}
        asked = house.ask("POST", "/v1/runs", body)[2]
        assert [run["account"] for run in asked["runs"]] == ["shop"], "only its owner is asked"
        body = {"account": "flipkart", "orders": ["OD9"]}
        asked = house.ask("POST", "/v1/runs", body)[2]
        assert len(asked["runs"]) == 2, "an order that nobody has may be anybody's"
    finally:
        house.stop()


def test_a_task_that_the_channel_lacks_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    channel = a_channel()
    channel.kinds = frozenset(list(channel.kinds)[:1])
    house.service.channels = Channels([channel])
    house.start()
    try:
        for kind in ("orders", "dispatched", "returns"):
            if kind not in channel.kinds:
                body = {"account": "shop", "kinds": [kind]}
                status, _, problem = house.ask("POST", "/v1/runs", body)
                assert (status, problem["code"]) == (400, "bad_task")
    finally:
        house.stop()


def test_a_tenant_that_is_not_live_is_told_with_the_trigger(house: House) -> None:
    house.ask("PUT", "/v1/tenants/acme", {"state": "SUSPENDED"})
    asked = house.ask("POST", "/v1/runs", {"account": "shop"})[2]
    assert asked["notes"][0].startswith("Sync not allowed as Tenant is not Live yet")


def test_runs_come_newest_first_and_in_pages(house: House) -> None:
    for kind in ("orders", "returns", "delivered"):
        run_id = house.ask("POST", "/v1/runs", {"account": "shop", "kinds": [kind]})[2]["run_id"]
        house.await_run(run_id)
    first = house.ask("GET", "/v1/runs?limit=2")[2]["runs"]
    assert [run["id"] for run in first] == [3, 2]
    rest = house.ask("GET", "/v1/runs?limit=2&before=2&account=shop")[2]["runs"]
    assert [run["id"] for run in rest] == [1]
    assert house.ask("GET", "/v1/runs?account=none")[0] == 404


def test_a_run_that_is_not_there_is_told(house: House) -> None:
    status, _, problem = house.ask("GET", "/v1/runs/7")
    assert (status, problem["code"]) == (404, "not_found")
    assert "syncctl runs" in problem["detail"]


# --- events


def events_of(house: House, query: str = "") -> list[dict[str, object]]:
    text = house.ask("GET", f"/v1/runs/1/events{query}")[2]
    return [json.loads(line) for line in text.splitlines()]


def test_the_events_of_a_run_end_with_it(house: House) -> None:
    house.ask("POST", "/v1/runs", {"account": "shop"})
    found = events_of(house)
    assert [one["event"] for one in found][-1] == "ended"
    assert [one["seq"] for one in found] == list(range(1, len(found) + 1))
    assert [one["seq"] for one in events_of(house, "?after=1")] == list(range(2, len(found) + 1))


def test_the_events_of_a_run_that_nobody_remembers_are_its_end(house: House) -> None:
    house.ask("POST", "/v1/runs", {"account": "shop"})
    house.await_run(1)
    house.engine.progress._rings.clear()
    (only,) = events_of(house, "?after=5")
    assert (only["event"], only["state"], only["seq"]) == ("ended", "OK", 6)
    assert only["counts"]["fetched"] == 3  # type: ignore[index]


def test_the_events_of_an_unknown_run_are_a_problem(house: House) -> None:
    assert house.ask("GET", "/v1/runs/9/events")[0] == 404


def test_events_end_when_the_daemon_stops(house: House) -> None:
    house.works.go.clear()
    house.ask("POST", "/v1/runs", {"account": "shop"})
    assert house.works.begun.wait(WAIT)
    house.service.close()
    assert "ended" not in [one["event"] for one in events_of(house)]


def test_many_watchers_do_not_stop_the_others(house: House) -> None:
    house.works.go.clear()
    house.ask("POST", "/v1/runs", {"account": "shop"})
    watchers = [house.connect() for _ in range(50)]
    for one in watchers:
        one.sendall(b"GET /v1/runs/1/events HTTP/1.0\r\n\r\n")
    assert house.ask("GET", "/v1/status")[0] == 200
    house.works.go.set()
    for one in watchers:
        with one, one.makefile("rb") as answer:
            assert b'"event":"ended"' in answer.read()


# --- orders


def test_an_import_takes_the_good_lines_and_tells_the_bad_ones(house: House) -> None:
    body = {"account": "shop", "format": "csv", "text": "\ufeff" + CSV, "zone": "Asia/Kolkata"}
    status, _, done = house.ask("POST", "/v1/orders", body)
    assert (status, done["new"], done["problem_count"]) == (200, 2, 1)
    (problem,) = done["problems"]
    assert problem["line"] == 3
    assert "quantity" in problem["reason"]
    assert house.ask("GET", "/v1/orders/OD1")[2]["placed_at"] == "2026-02-01T04:30:00Z"
    again = house.ask("POST", "/v1/orders", body)[2]
    assert (again["new"], again["known"]) == (0, 2)


def test_an_import_can_be_tried_first(house: House) -> None:
    house.seller.order("OD3", ("1", "SKU-A", 1))
    body = {"account": "shop", "format": "csv", "text": CSV, "dry_run": True}
    done = house.ask("POST", "/v1/orders", body)[2]
    assert (done["new"], done["known"], done["problem_count"]) == (1, 1, 1)
    assert house.seller.count("orders") == 1


def test_json_lines_are_taken_too(house: House) -> None:
    line = {
        "order_id": "OD7", "placed_at": "2026-02-01T10:00:00Z",
        "lines": [{"line_id": "1", "sku": "SKU-A", "quantity": 1}],
    }  # fmt: skip
    body = {"account": "shop", "format": "jsonl", "text": json.dumps(line) + "\nnot json\n"}
    done = house.ask("POST", "/v1/orders", body)[2]
    assert (done["new"], done["problems"][0]["line"]) == (1, 2)


def test_an_import_decides_what_had_waited_for_it(house: House) -> None:
    house.seller.tell(house.seller.change("OD1", Status.DISPATCHED))
    house.seller.settle()
    assert house.rows("SELECT state FROM inbox") == [("PARKED",)]
    done = house.ask("POST", "/v1/orders", {"account": "shop", "format": "csv", "text": CSV})[2]
    assert done["unparked"] == 1
    run = house.ask("GET", f"/v1/runs/{done['run_id']}")[2]
    assert (run["trigger"], run["kinds"]) == ("import", [])


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"account": "none"}, 404, "not_found"),
        ({"format": "xml"}, 400, "bad_format"),
        ({"zone": "Mars/Base"}, 400, "bad_zone"),
        ({"zone": "../../etc/passwd"}, 400, "bad_zone"),
        ({"text": 7}, 422, "bad_request"),
    ],
)
def test_an_import_that_cannot_begin_is_refused(
    house: House, change: dict[str, object], status: int, code: str
) -> None:
    body = {"account": "shop", "format": "csv", "text": CSV, **change}
    got, _, problem = house.ask("POST", "/v1/orders", body)
    assert (got, problem["code"]) == (status, code)


def test_a_large_import_is_taken(house: House) -> None:
    lines = [f"OD{n},1,SKU-A,1,2026-02-01T10:00:00,{'x' * 500}" for n in range(4_000)]
    text = "\n".join(["order_id,line_id,sku,quantity,placed_at,fact.note", *lines])
    body = {"account": "shop", "format": "csv", "text": text}
    assert len(text) > 2_000_000
    assert house.ask("POST", "/v1/orders", body)[2]["new"] == 4_000


def test_an_import_that_breaks_off_tells_how_far_it_came(house: House) -> None:
    lines = [f"OD{n},1,SKU-A,1,2026-02-01T10:00:00" for n in range(4_000)]
    text = "\n".join(["order_id,line_id,sku,quantity,placed_at", *lines])
    body = {"account": "shop", "format": "csv", "text": text}
    with files_of_at_most(600_000):
        status, _, problem = house.ask("POST", "/v1/orders", body)
    assert (status, problem["code"]) == (503, "store_failed")
    taken = house.seller.count("orders")
    assert 0 < taken < 4_000
    assert problem["taken"] == taken
    assert f"{taken} of 4000 orders had been taken" in problem["detail"]
    assert "again is harmless" in problem["detail"]
    assert str(house.book.path) in problem["detail"]
    done = house.ask("POST", "/v1/orders", body)[2]
    assert (done["new"], done["known"]) == (4_000 - taken, taken)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that takes no more: the kernel refuses to let files of this process grow."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_a_database_that_fails_is_told_with_its_file(house: House) -> None:
    with files_of_at_most(4_096):
        status, _, problem = house.ask("POST", "/v1/stock/receive", GOODS)
    assert (status, problem["code"]) == (503, "store_failed")
    assert str(house.book.path) in problem["detail"]
    assert "disk I/O error" in problem["detail"]
    assert house.ask("POST", "/v1/stock/receive", GOODS)[0] == 200


def full_disk() -> sqlite3.Error:
    """What SQLite itself raises when there is no room."""
    small = sqlite3.connect(":memory:")
    small.execute("PRAGMA max_page_count = 2")
    small.execute("CREATE TABLE t (a)")
    with pytest.raises(sqlite3.Error) as caught:
        small.execute("INSERT INTO t VALUES (zeroblob(100000))")
    return caught.value


@pytest.mark.parametrize("wrapped", [False, True], ids=["as it is", "through the book"])
def test_a_full_disk_is_told_with_the_books_file(tmp_path: Path, wrapped: bool) -> None:
    error = full_disk()
    house = House(tmp_path)

    class FullService(Service):
        def tenants(self) -> list[Any]:
            if wrapped:
                with self.book.write():
                    raise error
            raise error

    full = FullService(
        house.book, house.engine, house.channels, house.config, house.seller.clock, dict
    )
    house.server = ControlServer(full, house.socket)
    house.start()
    try:
        status, _, problem = house.ask("GET", "/v1/tenants")
    finally:
        full.close()
        house.stop()
    assert (status, problem["code"]) == (507, "store_failed")
    assert str(house.book.path) in problem["detail"]
    assert "Free some disk space" in problem["detail"]


def test_orders_of_a_run_that_nobody_knows_are_told(house: House) -> None:
    house.seller.order("OD1", ("1", "SKU-A", 1))
    house.seller.tell(house.seller.change("OD2", Status.DISPATCHED))
    body = {"account": "shop", "orders": ["OD1", "OD2", "OD3"]}
    run_id = house.ask("POST", "/v1/runs", body)[2]["run_id"]
    assert house.ask("GET", f"/v1/runs/{run_id}/missing")[2] == {"orders": ["OD3"]}
    assert house.ask("GET", "/v1/runs/99/missing")[0] == 404


def test_an_order_is_shown_and_explained(house: House) -> None:
    house.seller.order("OD/1 ?", ("1", "SKU-A", 1))
    found = house.ask("GET", "/v1/orders/OD%2F1%20%3F?account=shop")[2]
    assert (found["order_id"], found["state"]) == ("OD/1 ?", "CREATED")
    told = house.ask("GET", "/v1/orders/OD%2F1%20%3F/explain?utc_offset=330")[2]
    assert any("11:30" in line for line in told["lines"]), told["lines"]
    assert house.ask("GET", "/v1/orders/none")[0] == 404


def test_the_warehouse_steps_are_done_by_hand(house: House) -> None:
    house.seller.stock("SKU-A", 1)
    house.seller.order("OD1", ("1", "SKU-A", 1))
    done = house.ask("POST", "/v1/orders/OD1/warehouse", {"to": "ready-to-ship"})[2]
    assert (done["to"], done["invoices"]) == ("READY_TO_SHIP", ["INV/001"])
    assert house.ask("POST", "/v1/orders/OD1/warehouse", {"to": "moon"})[0] == 400
    assert house.ask("POST", "/v1/orders/OD1/warehouse", {"to": "packed"})[0] == 409
    assert house.ask("POST", "/v1/orders/OD9/warehouse", {"to": "packed"})[0] == 404


# --- what failed


def test_what_waits_is_shown_retried_and_set_aside(house: House) -> None:
    house.seller.tell(house.seller.change("OD1", Status.DISPATCHED))
    house.seller.settle()
    (fact,) = house.ask("GET", "/v1/failed?account=shop")[2]["facts"]
    assert (fact["order_id"], fact["state"]) == ("OD1", "PARKED")
    status, _, done = house.ask("POST", "/v1/failed/retry", {"ids": [fact["id"]]})
    assert (status, done["ids"], done["accounts"]) == (202, [fact["id"]], ["shop"])
    assert house.ask("GET", f"/v1/runs/{done['runs'][0]}")[2]["trigger"] == "retry"
    ignored = house.ask("POST", "/v1/failed/ignore", {"ids": [fact["id"]], "note": "a test"})[2]
    assert ignored["ids"] == [fact["id"]]
    assert house.ask("POST", "/v1/failed/retry", {})[2]["code"] == "nothing_named"
    assert house.ask("POST", "/v1/failed/ignore", {"ids": [], "note": "x"})[0] == 400


def test_exceptions_are_listed(house: House) -> None:
    assert house.ask("GET", "/v1/exceptions?account=shop&all=true")[2] == {"exceptions": []}


def shipped_after_cancel(house: House) -> None:
    house.seller.stock("SKU-A", 1)
    house.seller.order("OD1", ("1", "SKU-A", 1))
    house.ask("POST", "/v1/orders/OD1/warehouse", {"to": "packed"})
    for status in (Status.CANCELLED, Status.DISPATCHED):
        house.seller.tell(house.seller.change("OD1", status))
        house.seller.settle()


def test_an_exception_shows_both_sides_and_what_can_be_chosen(house: House) -> None:
    shipped_after_cancel(house)
    shown = house.ask("GET", "/v1/exceptions/1")[2]
    assert shown["exception"]["code"] == "dispatched_after_cancel"
    assert [shown[side]["event"] for side in ("contradicts", "against")] == [
        "DISPATCHED", "CANCELLED",
    ]  # fmt: skip
    assert [one["name"] for one in shown["choices"]] == ["reopen", "expect_rto", "dismiss"]
    assert any(line.startswith("Putaway CANCELLED_ITEM: HELD") for line in shown["stands"])
    assert house.ask("GET", "/v1/exceptions/7")[0] == 404
    (listed,) = house.ask("GET", "/v1/exceptions")[2]["exceptions"]
    assert (listed["inbox_id"], listed["against_id"], listed["line_id"]) == (2, 1, "1")


def test_an_exception_is_settled_once(house: House) -> None:
    shipped_after_cancel(house)
    path = "/v1/exceptions/1/settle"
    status, _, problem = house.ask("POST", path, {"choice": "dismiss"})
    assert (status, problem["code"]) == (400, "note_missing")
    status, _, problem = house.ask("POST", path, {"choice": "pulled"})
    assert (status, problem["code"]) == (409, "choice_does_not_fit")
    tried = house.ask("POST", path, {"choice": "reopen", "dry_run": True})[2]
    assert (tried["dry_run"], tried["answers"][0]["after"]) == (True, "DISPATCHED")
    assert house.seller.positions("OD1") == ["CANCELLED"]
    body = {"choice": "reopen", "ids": [1], "note": "seen leaving"}
    done = house.ask("POST", "/v1/exceptions/settle", body)[2]
    assert done["actor"].startswith(f"uid {os.geteuid()}")
    assert house.seller.positions("OD1") == ["DISPATCHED"]
    status, _, problem = house.ask("POST", path, {"choice": "reopen"})
    assert (status, problem["code"]) == (409, "already_settled")
    assert "seen leaving" in problem["detail"]
    shown = house.ask("GET", "/v1/exceptions/1")[2]
    assert (shown["exception"]["choice"], shown["choices"]) == ("reopen", [])
    (in_order,) = house.ask("GET", "/v1/orders/OD1")[2]["exceptions"]
    assert in_order["state"] == "CLOSED"
    story = "\n".join(house.ask("GET", "/v1/orders/OD1/explain")[2]["lines"])
    assert "A person found that it was shipped after all." in story
    assert "as reopen: seen leaving" in story
    assert house.ask("POST", "/v1/exceptions/9/settle", {"choice": "reopen"})[0] == 404


# --- goods


def test_a_cancelled_piece_waits_for_its_shelf(house: House) -> None:
    house.seller.stock("SKU-A", 1)
    house.seller.order("OD1", ("1", "SKU-A", 1))
    house.ask("POST", "/v1/orders/OD1/warehouse", {"to": "packed"})
    house.seller.tell(house.seller.change("OD1", Status.CANCELLED))
    house.seller.settle()
    (piece,) = house.ask("GET", "/v1/putaways")[2]["putaways"]
    path = f"/v1/putaways/{piece['id']}/complete"
    assert house.ask("POST", path, {"disposition": "LOST"})[0] == 422
    done = house.ask("POST", path, {"disposition": "GOOD"})[2]
    assert (done["bucket"], done["order_id"]) == ("on_hand_good", "OD1")
    assert house.ask("GET", "/v1/putaways")[2]["putaways"] == []
    assert len(house.ask("GET", "/v1/putaways?all=true")[2]["putaways"]) == 1


def test_stock_is_received_corrected_and_listed(house: House) -> None:
    body = {"facility": "BLR", "goods": {"SKU-A": 5, "SKU-B": 1}, "note": "lorry"}
    assert house.ask("POST", "/v1/stock/receive", body)[2]["quantity"] == 6
    change = {"facility": "BLR", "sku": "SKU-A", "change": -2, "note": "counted"}
    assert house.ask("POST", "/v1/stock/adjust", change)[2]["after"] == 3
    (row,) = house.ask("GET", "/v1/stock?facility=BLR&sku=SKU-A")[2]["stock"]
    assert row["buckets"]["on_hand_good"] == 3
    assert [r["sku"] for r in house.ask("GET", "/v1/stock?after=SKU-A")[2]["stock"]] == ["SKU-B"]
    body["goods"] = {"SKU-A": 0}
    status, _, problem = house.ask("POST", "/v1/stock/receive", body)
    assert (status, problem["code"]) == (409, "bad_quantity")


def test_a_sequence_is_defined(house: House) -> None:
    body = {"facility": "BLR", "prefix": "NEW/", "start": 7, "width": 3}
    done = house.ask("PUT", "/v1/sequences", body)[2]
    assert (done["before"], done["after"]) == ("INV/001", "NEW/007")
    (row,) = house.ask("GET", "/v1/sequences")[2]["sequences"]
    assert (row["facility"], row["next"]) == ("BLR", "NEW/007")
    body = {"facility": "BLR", "prefix": "NEW/", "start": 9}
    assert house.ask("PUT", "/v1/sequences", body)[2]["after"] == "NEW/009", "the width stays"
    assert house.ask("PUT", "/v1/sequences", {**body, "prefix": "?"})[2]["code"] == "bad_prefix"


def test_what_was_refused_for_a_sequence_is_decided_when_it_comes(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        with house.book.write():
            house.book.query("DELETE FROM sequence")
        house.seller.stock("SKU-A", 1)
        house.seller.order("OD1", ("1", "SKU-A", 1))
        house.seller.tell(house.seller.change("OD1", Status.DISPATCHED))
        house.seller.settle()
        assert house.ask("GET", "/v1/failed")[2]["facts"][0]["code"] == "sequence_missing"
        done = house.ask("PUT", "/v1/sequences", {"facility": "BLR", "prefix": "A/"})[2]
        assert (done["reopened"], len(done["runs"])) == (1, 1)
        assert house.await_run(done["runs"][0]) == "OK"


def test_tenants_and_facilities_are_switched(house: House) -> None:
    done = house.ask("PUT", "/v1/tenants/acme", {"state": "SUSPENDED"})[2]
    assert (done["before"], done["after"]) == ("LIVE", "SUSPENDED")
    assert house.ask("PUT", "/v1/tenants/acme", {"state": "HAPPY"})[2]["code"] == "bad_word"
    assert house.ask("PUT", "/v1/tenants/nobody", {"state": "LIVE"})[0] == 404
    assert house.ask("PUT", "/v1/facilities/BLR", {"state": "INACTIVE"})[0] == 200
    (tenant,) = house.ask("GET", "/v1/tenants")[2]["tenants"]
    assert (tenant["state"], tenant["facilities"][0]["state"]) == ("SUSPENDED", "INACTIVE")


# --- the daemon


def test_an_account_is_paused_and_resumed(house: House) -> None:
    done = house.ask("POST", "/v1/accounts/shop/pause", {"reason": "stocktaking"})[2]
    assert done["after"] == "PAUSED"
    account = house.ask("GET", "/v1/status")[2]["accounts"][0]["account"]
    assert "stocktaking" in account["words"]
    assert house.ask("POST", "/v1/accounts/shop/resume")[2]["after"] == "CONNECTED"
    assert house.ask("POST", "/v1/accounts/none/pause")[0] == 404


def test_a_reload_tells_what_came_of_it(house: House) -> None:
    assert house.ask("POST", "/v1/reload")[2]["notes"] == ["socket changes at the next start"]
    house.reload_problems = ["line 3: shop: is wrong", "line 9: is missing"]
    status, _, problem = house.ask("POST", "/v1/reload")
    assert (status, problem["code"]) == (422, "config_invalid")
    assert problem["problems"] == house.reload_problems


def test_the_doctor_looks_at_everything(house: House) -> None:
    house.folder.chmod(0o755)
    house.ask("PUT", "/v1/tenants/acme", {"state": "SUSPENDED"})
    findings = house.ask("GET", "/v1/doctor")[2]["findings"]
    by_subject = {one["subject"]: one for one in findings}
    assert by_subject["book"]["state"] == "ok"
    assert by_subject["state folder"]["state"] == "warning"
    assert "chmod" in by_subject["state folder"]["do"]
    assert by_subject["configuration"]["state"] == "error"
    assert by_subject["tenants"]["state"] == "error"
    assert "account shop" in by_subject
    assert {"disk", "runs", "channel flipkart"} <= set(by_subject)


def test_the_metrics_name_accounts_and_never_orders(house: House) -> None:
    house.seller.order("OD-SECRET", ("1", "SKU", 1))
    with house.book.write():
        house.book.query("UPDATE account SET name = 'sh\"op\\'")
        house.book.query(
            "INSERT INTO task (account_id, kind, every_seconds, look_back_seconds, enabled, "
            "next_run, last_success, last_result, last_message, failures) "
            "VALUES (1, 'returns', 60, 0, 1, 0, 1000000, 'ok', '', 2)"
        )
    status, fields, text = house.ask("GET", "/metrics")
    assert status == 200
    assert fields["content-type"].startswith("text/plain; version=0.0.4")
    assert 'syncd_account_connected{account="sh\\"op\\\\",channel="flipkart"} 1' in text
    assert 'syncd_task_failures{account="sh\\"op\\\\",task="returns"} 2' in text
    assert "OD-SECRET" not in text


def test_what_is_overdue_is_counted_by_kind_and_never_by_order(house: House) -> None:
    house.seller.tell(house.seller.change("OD1", Status.DISPATCHED))
    house.seller.settle()
    label = 'account="shop",channel="flipkart",kind="order"'
    assert f"syncd_overdue{{{label}}} 0\n" in house.service.metrics()
    house.seller.clock.advance(timedelta(days=4))
    text = house.service.metrics()
    assert f"syncd_overdue{{{label}}} 1\n" in text
    assert "OD1" not in text
    status, _, body = house.ask("GET", "/v1/overdue?account=shop")
    assert status == 200
    assert [one["order_id"] for one in body["overdue"]] == ["OD1"]
    assert house.ask("GET", "/v1/overdue?account=nobody")[0] == 404
    assert house.ask("GET", "/v1/overdue?limit=0")[0] == 422


def test_the_metrics_can_be_read_by_prometheus(house: House) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    families = {one.name for one in text_string_to_metric_families(house.service.metrics())}
    assert {"syncd_healthy", "syncd_account_connected", "syncd_open_facts"} <= families


def test_the_api_describes_itself(house: House) -> None:
    document = house.ask("GET", "/openapi.json")[2]
    assert "/v1/runs/{run_id}/events" in document["paths"]
    assert "RunView" in document["components"]["schemas"]
    assert house.ask("GET", "/docs")[0] == 404


# --- the same request twice


def test_a_request_repeated_with_its_key_acts_once(house: House) -> None:
    body = {"facility": "BLR", "goods": {"SKU-A": 5}}
    first = house.ask("POST", "/v1/stock/receive", body, Idempotency_Key="k1")
    again = house.ask("POST", "/v1/stock/receive", body, Idempotency_Key="k1")
    assert (first[0], first[2]) == (again[0], again[2])
    assert again[1]["idempotency-replayed"] == "true"
    assert house.seller.stock_of("SKU-A") == {"on_hand_good": 5}
    house.ask("POST", "/v1/stock/receive", body, Idempotency_Key="k2")
    assert house.seller.stock_of("SKU-A") == {"on_hand_good": 10}


def test_a_key_cannot_be_used_for_another_request(house: House) -> None:
    body = {"facility": "BLR", "goods": {"SKU-A": 5}}
    house.ask("POST", "/v1/stock/receive", body, Idempotency_Key="k1")
    other = house.ask("POST", "/v1/stock/receive", {**body, "note": "more"}, Idempotency_Key="k1")
    assert (other[0], other[2]["code"]) == (422, "key_reused")


def test_the_memory_of_answers_is_bounded_in_number_and_size() -> None:
    answers = Answers(most=3, most_bytes=100)
    for number in range(5):
        key = (0, "POST /v1/runs", str(number))
        assert answers.begin(key)
        assert not answers.begin(key), "the first is still at work"
        answers.end(key, Kept(b"", 200, [], b"x" * 10))
    assert [answers.get((0, "POST /v1/runs", str(n))) is None for n in range(5)] == [
        True, True, False, False, False,
    ]  # fmt: skip
    answers.end((0, "", "large"), Kept(b"", 200, [], b"x" * 90))
    assert answers.get((0, "POST /v1/runs", "3")) is None
    assert answers.get((0, "POST /v1/runs", "4")) is not None
    answers.end((0, "", "failed"), Kept(b"", 409, [], b""))
    assert answers.get((0, "", "failed")) is None


def test_a_refused_request_may_be_repeated_with_its_key(house: House) -> None:
    house.ask("POST", "/v1/accounts/shop/pause")
    assert house.ask("POST", "/v1/runs", {"account": "shop"}, Idempotency_Key="k")[0] == 409
    house.ask("POST", "/v1/accounts/shop/resume")
    assert house.ask("POST", "/v1/runs", {"account": "shop"}, Idempotency_Key="k")[0] == 202


def test_states_of_runs_are_as_the_book_has_them(house: House) -> None:
    house.works.state = RunState.PARTIAL
    house.works.message = "1 changes were refused."
    house.ask("POST", "/v1/runs", {"account": "shop"})
    assert house.await_run(1) == "PARTIAL"
    run = house.ask("GET", "/v1/runs/1")[2]
    assert (run["state"], run["message"]) == ("PARTIAL", "1 changes were refused.")


def test_the_rules_are_told_for_an_account_with_its_policies(house: House) -> None:
    policies = PoliciesConfig(invoice_issuer="channel")
    account = house.config.accounts["shop"].model_copy(update={"policies": policies})
    house.service.adopt(house.config.model_copy(update={"accounts": {"shop": account}}))
    cell = "event=DISPATCHED&at=CREATED"
    status, _, body = house.ask("GET", f"/v1/rules?account=shop&{cell}")
    assert (status, body["policies"]["invoice_issuer"]) == (200, "channel")
    assert body["rules"][0]["policies"] == ["invoice_issuer = channel"]
    plain = house.ask("GET", f"/v1/rules?{cell}")[2]["rules"]
    assert plain[0]["steps"] == ["allocate", "create_invoice", "dispatch"]
    shown = house.ctl("rules", "--account", "shop", "--event", "DISPATCHED", "--at", "CREATED")
    assert "policies: invoice_issuer = channel" in shown.stdout
    assert house.ask("GET", "/v1/rules?account=moon")[0] == 404
    assert house.ask("GET", "/v1/rules?event=moon")[0] == 409


def test_a_person_packs_without_a_sequence_where_the_channel_invoices(house: House) -> None:
    policies = PoliciesConfig(invoice_issuer="channel")
    account = house.config.accounts["shop"].model_copy(update={"policies": policies})
    house.service.adopt(house.config.model_copy(update={"accounts": {"shop": account}}))
    house.seller.stock("MUG", 1)
    house.seller.order("OD9", ("a", "MUG", 1))
    done = house.service.advance("OD9", "PICKED", None, "test")
    assert done.moved == {"FULFILLABLE": 1}
    assert house.service.advance("OD9", "PACKED", None, "test").invoices == ()


def test_an_audit_is_asked_for_and_read(house: House) -> None:
    status, _, asked = house.ask("POST", "/v1/audits", {})
    assert status == 202
    assert [run["account"] for run in asked["runs"]] == ["shop"]
    house.await_run(asked["run_id"])
    run = house.ask("GET", f"/v1/runs/{asked['run_id']}")[2]
    assert (run["purpose"], run["dry_run"]) == ("audit", True)
    assert house.ask("GET", f"/v1/audits/{asked['run_id']}")[2] == {"findings": []}
    assert house.ask("GET", "/v1/audits/99")[0] == 404
    assert house.ask("GET", "/v1/drift?account=shop")[2] == {"findings": []}
    assert house.ask("POST", "/v1/audits", {"fix": "yes"})[0] == 422
    house.ask("POST", "/v1/accounts/shop/pause", {})
    assert house.ask("POST", "/v1/audits", {"account": "shop"})[0] == 409


def test_a_report_file_may_be_larger_than_other_bodies(house: House) -> None:
    path = "/v1/accounts/shop/report?file=r.csv"
    status, _, found = house.ask("POST", path, b"x" * (2 << 20))
    assert (status, found["code"]) == (409, "channel_off")  # it came through the door
    assert house.ask("POST", "/v1/accounts/nobody/report", b"x")[0] == 404
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {33 << 20}\r\n\r\n"
    status, _, found = parse(house.raw(head.encode()))
    assert (status, found["code"]) == (413, "too_large")
    assert "32 MiB" in found["detail"]


def test_an_accounts_tasks_are_those_of_its_source(house: House) -> None:
    files = a_channel()
    files.kinds = frozenset({Kind.DISPATCHED})
    channel = house.channels.get("flipkart")
    assert channel is not None
    channel.sources["files"] = files
    account = house.config.accounts["shop"].model_copy(update={"settings": {"source": "files"}})
    config = house.config.model_copy(update={"accounts": {"shop": account}})
    (view,) = queries.accounts(house.book)

    assert asking.check(view, house.channels, config, ()) == (Kind.DISPATCHED,)
    assert len(asking.check(view, house.channels, house.config, ())) == len(Kind)
    with pytest.raises(Refused, match="has no task returns; it has dispatched"):
        asking.check(view, house.channels, config, (Kind.RETURNS,))


def test_a_person_says_over_the_api_of_which_line_a_fact_is(house: House) -> None:
    seller = house.seller
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.CANCELLED, line_id="9001"))
    seller.settle()
    status, _, problem = house.ask("POST", "/v1/failed/retry", {"ids": [1], "line": "L7"})
    assert (status, problem["code"]) == (404, "not_found")
    status, _, done = house.ask("POST", "/v1/failed/retry", {"ids": [1], "line": "L1"})
    assert (status, done["ids"]) == (202, [1])
    assert seller.rows("SELECT state, line_id, as_line FROM inbox") == [("NEW", "9001", "L1")]
