"""Every command of syncctl, against a real server: what it prints, and its exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest

from syncd.book import drift
from syncd.book.causes import Cause
from syncd.book.drift import Finding
from syncd.book.passing import MAX_PLAN
from syncd.book.runs import Counts, RunState
from syncd.book.watch import Watch
from syncd.cli import ctl_runs
from syncd.cli.ctl_errors import Exit
from syncd.cli.ctl_orders import _large
from syncd.cli.syncctl import main
from syncd.control.peer import Peer
from syncd.statuses import Kind, Status
from tests.controlkit import House, Impatient, ctl, running

# The runs of the control kit fetch nothing: what they counted is made up.
pytestmark = pytest.mark.unsound_book("ledger_a_runs_counts_are_the_journals_marks")
CSV = """order_id,line_id,sku,quantity,placed_at
OD1,1,SKU-A,2,2026-02-01T10:00:00+05:30
OD2,1,SKU-A,none,2026-02-01T10:00:00+05:30
"""
GOOD_CSV = "\n".join([*CSV.splitlines()[:2], ""])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(tmp_path) as house:
        yield house


def ran(house: House, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
    """stdout of a command that must end with this exit code."""
    result = house.ctl(*arguments, stdin=stdin)
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result.stdout


def packed_order(house: House, order_id: str = "OD1") -> None:
    house.seller.stock("SKU-A", 1)
    house.seller.order(order_id, ("1", "SKU-A", 1))
    ran(house, "warehouse", order_id, "PACKED")


def parked_fact(house: House) -> None:
    house.seller.tell(house.seller.change("OD1", Status.DISPATCHED))
    house.seller.settle()


# --- auditing


def a_finding(house: House, run_id: int) -> None:
    found = Finding(
        order_id="OD1", line_id="1", cause=Cause.MISSED, book_says="1 OPEN",
        panel_says="1 DISPATCHED", message="DISPATCHED of yesterday.",
    )  # fmt: skip
    with house.book.write():
        drift.record(house.book, run_id, 1, ["OD1"], [found])


def test_an_audit_is_a_run_that_only_looks_unless_told_to_mend(house: House) -> None:
    assert ran(house, "audit", "shop").strip() == "1"
    house.await_run(1)
    text = ran(house, "audit", "--all", "--fix", "--order", "OD1", "--wait")
    assert "ok" in text.lower()
    assert house.rows("SELECT purpose, dry_run, orders FROM run") == [
        ("audit", 1, "[]"), ("audit", 0, '["OD1"]'),
    ]  # fmt: skip
    assert "audit for 1 orders fix" in ran(house, "runs")
    ran(house, "audit", code=Exit.USAGE)
    ran(house, "audit", "shop", "--all", code=Exit.USAGE)
    ran(house, "audit", "nobody", code=Exit.NOT_FOUND)


def test_drift_is_told_by_cause_with_what_mends_it(house: House) -> None:
    assert "No disagreement stands" in house.ctl("drift").stderr
    ran(house, "audit", "shop", "--wait")
    a_finding(house, 1)
    text = ran(house, "drift", code=Exit.FAILED)
    assert "shop, missed: 1" in text
    assert "OD1 line 1: book 1 OPEN; panel 1 DISPATCHED. DISPATCHED of yesterday." in text
    assert "syncctl audit shop --order OD1 --fix" in text
    assert json.loads(ran(house, "--json", "drift", "1", code=1))["findings"][0]["fixable"]
    assert "syncctl drift --account shop" in ran(house, "status")
    house.seller.order("OD1", ("1", "SKU-A", 1))
    assert "Audit 1: line 1, the book says 1 OPEN" in ran(house, "explain", "OD1")
    assert "syncd_disagreements" in house.ask("GET", "/metrics")[2]
    with house.book.write():
        house.book.query("UPDATE drift SET mended = 1")
    assert "mended" in ran(house, "drift", "1")
    assert "No disagreement stands" in house.ctl("drift", "--account", "shop").stderr


def test_drift_of_a_run_that_is_no_audit(house: House) -> None:
    ran(house, "trigger", "shop", "--wait")
    ran(house, "drift", "1", code=Exit.NOT_FOUND)
    ran(house, "drift", "7", code=Exit.NOT_FOUND)
    ran(house, "drift", "1", "--account", "shop", code=Exit.USAGE)


# --- looking


def test_status_shows_each_account_and_what_needs_a_person(house: House) -> None:
    parked_fact(house)
    text = ran(house, "status")
    assert "shop     flipkart" in text
    assert "1 parked" in text
    assert "Needs a person:" in text


def test_status_as_json_is_one_document(house: House) -> None:
    assert json.loads(ran(house, "status", "--json"))["accounts"][0]["account"]["name"] == "shop"
    assert json.loads(ran(house, "--json", "status")) == json.loads(ran(house, "status", "--json"))


def test_lists_as_json_lines_are_one_object_a_line(house: House) -> None:
    ran(house, "trigger", "shop", "--task", "orders", "--wait")
    ran(house, "trigger", "shop", "--task", "returns", "--wait")
    lines = ran(house, "runs", "--json-lines").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [2, 1]


def test_channels_are_listed_with_what_they_tell_and_their_limits(house: House) -> None:
    states, answers, limits = ran(house, "channels").split("\n\n")
    assert [line.split() for line in states.splitlines()] == [
        ["CHANNEL", "STATE", "VERSION", "ACCOUNTS", "SHIPS"],
        ["flipkart", "enabled", "0.1.0", "shop", "the", "channel"],
    ]
    assert "flipkart  window or ids  new orders, DISPATCHED, " in answers
    assert "RETURN_NOTICED" in answers
    assert [line.split() for line in limits.splitlines()] == [
        ["CHANNEL", "LOOKS", "BACK", "WINDOW", "IDS", "A", "CALL", "CALLS", "UNCONFIRMED"],
        ["flipkart", "no", "limit", "known", "1", "d", "100", "-", "1"],
    ]


def test_a_channel_is_shown_with_what_it_tells_and_what_is_not_confirmed(house: House) -> None:
    text = ran(house, "channels", "flipkart")
    assert "returns     RETURN_NOTICED, RETURNED" in text
    assert "window or ids" in text
    assert "The courier's name is a guess." in text
    (found,) = json.loads(ran(house, "--json", "channels", "flipkart"))["channels"]
    assert found["abilities"]["longest_window"] == 86_400
    assert found["abilities"]["tasks"][1] == {
        "kind": "dispatched", "statuses": ["DISPATCHED"], "by": ["window", "orders"],
    }  # fmt: skip


def test_a_plugin_is_made_without_a_daemon(tmp_path: Path) -> None:
    done = ctl("plugin", "new", "shop", "--into", str(tmp_path))
    assert done.stdout == f"{tmp_path / 'syncd-shop'}\n"
    assert "pip install -e '.[test]' && pytest" in done.stderr
    assert (tmp_path / "syncd-shop" / "setup.cfg").is_file()


def test_a_channel_that_is_not_installed_is_not_found(house: House) -> None:
    refused = house.ctl("channels", "ebay")
    assert refused.exit_code == Exit.NOT_FOUND
    assert "There are: flipkart" in refused.stderr


def test_tasks_show_timers_and_results(house: House) -> None:
    assert "syncctl init" in house.ctl("tasks").stderr
    with house.book.write():
        house.book.query(
            "INSERT INTO task (account_id, kind, every_seconds, look_back_seconds, enabled, "
            "next_run, last_result, last_message, failures) VALUES "
            "(1, 'returns', 86400, 0, 1, 0, 'gated', "
            "'Sync not allowed as Tenant is not Live yet', 0), "
            "(1, 'orders', 2400, 0, 0, 0, '', '', 0)"
        )
    text = ran(house, "tasks", "--account", "shop")
    assert "Sync not allowed as Tenant is not Live yet" in text
    assert "1 d" in text
    assert "40 min" in text
    assert "off" in text


def test_an_order_is_shown_with_its_papers(house: House) -> None:
    packed_order(house, "OD/1")
    text = ran(house, "order", "OD/1")
    assert "PACKED" in text
    assert "INV/001" in text
    ran(house, "order", "none", code=Exit.NOT_FOUND)
    ran(house, "order", "OD/1", "--account", "none", code=Exit.NOT_FOUND)


def test_an_order_is_explained(house: House) -> None:
    packed_order(house)
    text = ran(house, "explain", "OD1")
    assert "What happened:" in text
    assert "INV/001" in text
    assert json.loads(ran(house, "explain", "OD1", "--json"))["order_id"] == "OD1"


def test_a_hostile_text_cannot_steer_the_terminal(house: House) -> None:
    house.seller.order("OD\x1b[31m1", ("1", "SKU\x07", 1))
    text = ran(house, "order", "OD\x1b[31m1")
    assert "\x1b" not in text
    assert "\x07" not in text


def test_what_failed_is_told_with_what_to_do(house: House) -> None:
    assert "Nothing is waiting" in house.ctl("failed").stderr
    parked_fact(house)
    text = ran(house, "failed", "--account", "shop")
    assert "OD1" in text
    assert "Why" in text
    assert "Do  " in text


def test_failed_facts_are_retried_and_set_aside(house: House) -> None:
    parked_fact(house)
    assert "1 changes are decided again, by run" in ran(house, "retry", "1")
    assert "Set aside: 1" in ran(house, "failed", "--ignore", "1", "--note", "a test")
    ran(house, "failed", "--ignore", "1", "--note", "", code=Exit.USAGE)
    ran(house, "retry", code=Exit.USAGE)
    ran(house, "retry", "99", code=Exit.NOT_FOUND)
    assert json.loads(ran(house, "retry", "--account", "shop", "--json"))["ids"] == []


def test_many_facts_that_wait_alike_are_told_once(house: House) -> None:
    house.seller.tell(*(house.seller.change(f"OD{n}", Status.DISPATCHED) for n in range(5)))
    house.seller.settle()
    text = ran(house, "failed")
    assert "5 changes" in text
    assert "Orders  OD0, OD1, OD2 and others" in text
    assert "syncctl failed --all --account shop --code " in text
    assert text.count("Why") == 1
    assert ran(house, "failed", "--all").count("Why") == 5
    assert ran(house, "failed", "--before", "3").count("Why") == 2


def test_few_facts_that_wait_alike_are_told_one_by_one(house: House) -> None:
    house.seller.tell(*(house.seller.change(f"OD{n}", Status.DISPATCHED) for n in range(3)))
    house.seller.settle()
    assert ran(house, "failed").count("Why") == 3
    text = ran(house, "failed", "--limit", "1")
    assert "3 changes" in text, "those that are not on the page are told all the same"


def test_facts_are_told_also_by_a_daemon_that_knows_no_groups() -> None:
    fact = {"account": "shop", "code": "x"}
    assert _large({"facts": [fact] * 9}) == []


def test_exceptions_are_listed(house: House) -> None:
    assert "There are none." in house.ctl("exceptions", "--all").stderr
    with house.book.write():
        house.book.query(
            "INSERT INTO exceptions (account_id, order_id, code, severity, message, state, "
            "opened_at, closed_by, note) VALUES "
            "(1, 'OD1', 'late_dispatch', 'warning', 'It came twice.', 'OPEN', 0, '', '')"
        )
    assert "It came twice." in ran(house, "exceptions")


def test_what_is_overdue_is_listed_with_what_to_do_and_what_is_next(house: House) -> None:
    assert "Nothing is overdue." in house.ctl("overdue").stderr
    parked_fact(house)
    assert "Next, if nothing comes before:" in ran(house, "overdue")
    house.seller.clock.advance(timedelta(days=4))
    Watch(house.book, house.service.limits).turn(house.seller.clock.now())
    text = ran(house, "overdue", "--account", "shop", "--limit", "5")
    assert "shop  OD1  order  due " in text
    assert "exception 1" in text
    assert "Do      Ask for it: syncctl trigger shop --order OD1 --wait" in text
    found = json.loads(ran(house, "--json", "overdue"))
    assert found["counts"] == {"shop": {"order": 1}}
    assert found["overdue"][0]["kind"] == "order"
    assert "1 order that is not in the book is overdue" in ran(house, "status")
    assert "order_unknown_too_long" in ran(house, "exceptions")
    assert "overdue since" in ran(house, "explain", "OD1")
    assert "nobody" in house.ctl("overdue", "--account", "nobody").stderr


def shipped_after_cancel(house: House) -> None:
    house.seller.order("OD1", ("1", "SKU-A", 2))
    for status in (Status.CANCELLED, Status.DISPATCHED):
        house.seller.tell(house.seller.change("OD1", status, reason="a mistake"))
        house.seller.settle()


def test_the_pieces_of_one_fact_are_told_together(house: House) -> None:
    shipped_after_cancel(house)
    text = ran(house, "exceptions")
    assert "1 2  shop  OD1  critical  dispatched_after_cancel  2 pieces" in text
    assert text.count("    Do  ") == 1
    assert "syncctl exceptions show" in text


def test_a_channel_is_called_as_its_plugin_calls_it(tmp_path: Path) -> None:
    with running(tmp_path, title="FlipKart of India") as house:
        shipped_after_cancel(house)
        assert "FlipKart of India said that" in ran(house, "exceptions", "show", "1")
        with house.book.write():
            house.book.query("UPDATE orders SET source = 'flipkart'")
        text = ran(house, "explain", "OD1")
    assert "OD1 of shop (FlipKart of India) is" in text
    assert "FlipKart of India said that the order was dispatched" in text
    assert "came into the book from FlipKart of India; it has" in text


def test_an_exception_is_shown_and_settled(house: House) -> None:
    shipped_after_cancel(house)
    text = ran(house, "exceptions", "show", "1")
    assert "Flipkart said that the order was dispatched (its word: DISPATCHED)" in text
    assert "because: a mistake" in text
    assert "    fact 1, happened " in text
    assert "Piece: line 1 piece 1 of SKU-A is cancelled." in text
    assert "The same fact, of other pieces: exception 2" in text
    assert "  syncctl settle 1 reopen\n" in text
    assert '  syncctl settle 1 dismiss --note "..."\n' in text
    assert "syncctl exceptions show 1" in ran(house, "order", "OD1")
    tried = ran(house, "settle", "1", "2", "reopen", "--dry-run")
    assert "Exception 1 of order OD1, line 1 piece 1: would be settled by reopen." in tried
    assert house.seller.positions("OD1") == ["CANCELLED", "CANCELLED"]
    done = ran(house, "settle", "1", "2", "reopen", "--note", "seen leaving")
    assert "Exception 2 of order OD1, line 1 piece 2: settled by reopen." in done
    assert "    CANCELLED to DISPATCHED" in done
    assert "Settled: reopen, by uid " in ran(house, "exceptions", "show", "2")
    assert "1 2  shop" in ran(house, "exceptions", "--all")
    assert ": seen leaving" in ran(house, "exceptions", "--all")
    assert "note       seen leaving" in ran(house, "order", "OD1")
    again = house.ctl("settle", "1", "dismiss", "--note", "no")
    assert again.exit_code == 6
    assert "was settled already" in again.stderr
    assert json.loads(ran(house, "exceptions", "show", "1", "--json"))["exception"]["id"] == 1
    for words in (["reopen"], ["x", "reopen"], ["0", "reopen"]):
        assert house.ctl("settle", *words).exit_code == 2


# --- runs


def test_a_trigger_prints_the_runs_id_and_ends(house: House) -> None:
    result = house.ctl("trigger", "shop", "--task", "returns", "--task", "orders", "--days", "7")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    run = house.service.run(1)
    assert (run.kinds, run.days) == (("orders", "returns"), 7)
    assert "syncctl events 1" in result.stderr


def test_a_trigger_that_waits_prints_the_result(house: House) -> None:
    text = ran(house, "trigger", "flipkart", "--wait", "--dry-run")
    assert text == "run 1 of shop: OK, 3 fetched, 3 new, 2 applied, 1 parked\n"
    document = json.loads(ran(house, "trigger", "shop", "--wait", "--json"))
    assert document["runs"][0]["counts"]["fetched"] == 3


def test_orders_are_named_by_option_and_on_stdin(house: House) -> None:
    house.seller.order("OD1", ("1", "SKU", 1))
    result = house.ctl("trigger", "shop", "--order", "OD1", "--order", "-", stdin="OD2\n\nOD1\n")
    assert result.exit_code == 0
    assert house.service.run(1).orders == ("OD1", "OD2")
    assert "The book has no order OD2" in result.stderr
    ran(house, "trigger", "shop", "--order", "-", code=Exit.USAGE, stdin="\n")


def test_an_order_that_the_panel_does_not_show_is_told(house: House) -> None:
    house.seller.order("OD1", ("1", "SKU", 1))
    house.seller.tell(house.seller.change("OD3", Status.DISPATCHED))
    orders = ["--order", "OD1", "--order", "NOPE", "--order", "OD3"]
    text = ran(house, "trigger", "shop", *orders, "--wait", code=Exit.FAILED)
    told = [line for line in text.splitlines() if "the panel has no order" in line]
    assert told == ["the panel has no order NOPE (or did not show it)"]
    document = json.loads(ran(house, "trigger", "shop", *orders, "--wait", "--json", code=1))
    assert document["missing_orders"] == ["NOPE"]
    ran(house, "trigger", "shop", *orders, "--wait", "--dry-run")
    house.works.state = RunState.FAILED
    text = ran(house, "trigger", "shop", *orders, "--wait", code=Exit.FAILED)
    assert "the panel has no order" not in text, "nobody knows, for the run failed"


def test_the_plan_of_a_dry_run_is_a_table_of_its_first_rows(house: House) -> None:
    row = {
        "order_id": "OD1", "line_id": "1", "piece": 0, "event": "DISPATCHED", "before": "PACKED",
        "after": "DISPATCHED", "outcome": "applied", "code": "dispatched", "note": "",
    }  # fmt: skip
    plan = [{**row, "order_id": f"OD{n}"} for n in range(53)]
    house.works.plan = json.dumps([plan[0], {**row, "piece": None}, *plan[2:]])
    lines = ran(house, "trigger", "shop", "--dry-run", "--wait").splitlines()
    assert lines[2].split()[:3] == ["ORDER", "LINE", "PIECE"]
    assert lines[3].split() == [
        "OD0", "1", "1", "DISPATCHED", "PACKED", "DISPATCHED", "applied", "dispatched",
    ]  # fmt: skip
    assert lines[4].split()[:3] == ["OD1", "1", "DISPATCHED"]
    assert (len(lines), lines[-1]) == (54, "… 3 more; see them with --json")
    assert lines[-1] in ran(house, "run", "1")
    assert ran(house, "trigger", "shop", "--dry-run", "--wait", "--json").count('"outcome"') == 53


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (RunState.OK, 0),
        (RunState.PARTIAL, 1),
        (RunState.FAILED, 1),
        (RunState.GATED, 6),
        (RunState.STOPPED, 7),
    ],
)
def test_the_exit_code_of_waiting_is_the_runs_state(
    house: House, state: RunState, code: int
) -> None:
    house.works.state = state
    house.works.message = "because of the test"
    house.works.counts = Counts()
    result = house.ctl("trigger", "shop", "--wait")
    assert result.exit_code == code
    if code != Exit.TIMED_OUT:
        assert "because of the test" in result.stdout


def test_waiting_ends_at_its_time_and_the_run_goes_on(house: House) -> None:
    house.works.go.clear()
    begun = time.monotonic()
    result = house.ctl("trigger", "shop", "--wait", "--timeout", "1s")
    assert (result.exit_code, result.stdout) == (Exit.TIMED_OUT, "1\n")
    assert 0.9 < time.monotonic() - begun < 5
    assert "syncctl events 1" in result.stderr
    result = house.ctl("trigger", "shop", "--wait", "--timeout", "1s", "--json")
    assert result.exit_code == Exit.TIMED_OUT
    assert json.loads(result.stdout)["runs"][0]["ended_at"] is None
    house.works.go.set()
    assert house.await_run(1) == "OK"


def test_returns_are_looked_for_thirty_days_back(house: House) -> None:
    ran(house, "returns", "shop", "--wait")
    run = house.service.run(1)
    assert (run.kinds, run.days) == ((Kind.RETURNS.value,), 30)
    ran(house, "returns", "shop", "--days", "0", code=Exit.USAGE)


def test_the_names_of_tasks_are_those_of_the_daemon() -> None:
    assert tuple(kind.value for kind in Kind) == ctl_runs.KINDS
    assert MAX_PLAN == ctl_runs.MOST_KEPT


def test_runs_and_one_run_are_shown(house: House) -> None:
    ran(house, "trigger", "shop", "--wait")
    assert "3 fetched, 2 applied, 1 parked" in ran(house, "runs", "--limit", "5")
    text = ran(house, "run", "1")
    assert "Run 1 of shop: OK" in text
    assert "3 fetched, 3 new, 2 applied, 1 parked" in text
    ran(house, "run", "9", code=Exit.NOT_FOUND)
    assert "There are no runs yet" in house.ctl("runs", "--before", "1").stderr


def test_events_are_followed_to_the_end(house: House) -> None:
    ran(house, "trigger", "shop", "--wait")
    lines = ran(house, "events", "1").splitlines()
    assert lines[1].split() == ["2", "progress", "dispatched,", "1", "pages,", "3", "changes"]
    assert "OK" in lines[-1]
    last = [json.loads(line) for line in ran(house, "events", "1", "--json").splitlines()][-1]
    assert (last["event"], last["state"]) == ("ended", "OK")


# --- import


def test_an_import_tells_the_bad_lines_and_ends_with_1(house: House, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(CSV)
    result = house.ctl("import", str(tmp_path / "orders.csv"), "--account", "shop")
    assert result.exit_code == Exit.FAILED
    assert "1 new" in result.stdout
    assert "line 3: quantity" in result.stderr
    assert house.service.order("OD1").source == "orders.csv"


def test_the_count_of_bad_lines_is_right_however_many(house: House, tmp_path: Path) -> None:
    header = CSV.splitlines()[0]
    for bad, told in ((60, "… 10 more; --json shows all"),
                      (1_200, "… 1150 more; --json shows the first 1000")):  # fmt: skip
        lines = [f"OD{n},1,SKU-A,none,2026-02-01T10:00:00+05:30" for n in range(bad)]
        (tmp_path / "bad.csv").write_text("\n".join([header, *lines]))
        result = house.ctl("import", str(tmp_path / "bad.csv"), "--account", "shop")
        assert result.exit_code == Exit.FAILED
        assert f"{bad} problems" in result.stdout
        assert result.stderr.splitlines()[-1].strip() == told


def test_an_import_tells_what_it_raised(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD_CSV)
    ran(house, "import", str(tmp_path / "a.csv"), "--account", "shop")
    (tmp_path / "a.csv").write_text(GOOD_CSV.replace("SKU-A,2", "SKU-A,5"))
    text = ran(house, "import", str(tmp_path / "a.csv"), "--account", "shop")
    assert "Order OD1: Line 1 was raised from 2 pieces to 5." in text


def test_a_file_without_orders_is_told(house: House, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text(CSV.splitlines()[0] + "\n")
    text = ran(house, "import", str(tmp_path / "empty.csv"), "--account", "shop")
    assert text == f"{tmp_path / 'empty.csv'}: it holds no orders.\n"


def test_several_files_and_stdin_are_taken(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD_CSV)
    line = {
        "order_id": "OD7", "placed_at": "2026-02-01T10:00:00Z",
        "lines": [{"line_id": "1", "sku": "SKU-A", "quantity": 1}],
    }  # fmt: skip
    (tmp_path / "b.jsonl").write_text(json.dumps(line))
    ran(house, "import", str(tmp_path / "a.csv"), str(tmp_path / "b.jsonl"), "--account", "shop")
    assert house.seller.count("orders") == 2
    text = ran(
        house, "import", "-", "--format", "csv", "--account", "shop", "--json", stdin=GOOD_CSV
    )
    assert json.loads(text)["files"][0]["known"] == 1


def test_an_import_can_be_tried_first(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD_CSV)
    text = ran(house, "import", str(tmp_path / "a.csv"), "--account", "shop", "--dry-run")
    assert "1 would be new" in text
    assert house.seller.count("orders") == 0


def test_a_file_that_cannot_be_used_is_told(house: House, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"order_id\nJ\xe9\n")
    (tmp_path / "orders.xls").write_text(CSV)
    for name, told in (("none.csv", "cannot be read"), ("latin.csv", "line 2"),
                       ("orders.xls", "--format")):  # fmt: skip
        result = house.ctl("import", str(tmp_path / name), "--account", "shop")
        assert result.exit_code == Exit.USAGE
        assert told in result.stderr


# --- goods


def test_a_putaway_is_listed_and_done(house: House) -> None:
    packed_order(house)
    assert "No piece waits" in house.ctl("putaway").stderr
    house.seller.tell(house.seller.change("OD1", Status.CANCELLED))
    house.seller.settle()
    assert "SKU-A" in ran(house, "putaway", "--account", "shop")
    assert "on_hand_good" in ran(house, "putaway", "done", "1", "--as", "good")
    ran(house, "putaway", "done", "1", "--as", "GOOD", code=Exit.REFUSED)
    ran(house, "putaway", "done", "1", code=Exit.USAGE)
    assert "COMPLETED" in ran(house, "putaway", "--all")


def test_stock_is_received_corrected_and_listed(house: House) -> None:
    house.seller.order("OD1", ("1", "SKU-A", 1))
    text = ran(house, "stock", "receive", "BLR", "SKU-A", "5", "--note", "lorry")
    assert "Promised to waiting orders: OD1" in text
    text = ran(house, "stock", "adjust", "BLR", "SKU-A", "-1", "--note", "counted")
    assert "4 to 3" in text
    (row,) = [line for line in ran(house, "stock").splitlines() if "SKU-A" in line]
    assert row.split()[:4] == ["BLR", "SKU-A", "3", "1"]
    assert "There is no stock" in house.ctl("stock", "--sku", "none").stderr


def test_a_stock_change_that_the_count_forbids_is_refused(house: House) -> None:
    result = house.ctl("stock", "adjust", "BLR", "SKU-A", "-5", "--note", "counted")
    assert result.exit_code == Exit.REFUSED, result.stderr


@pytest.mark.parametrize(
    "words", [("stock", "receive", "BLR", "SKU-A", "-1"), ("run", "-1"), ("retry", "-12")]
)
def test_a_number_below_zero_is_told_as_one(house: House, words: tuple[str, ...]) -> None:
    result = house.ctl(*words)
    assert result.exit_code == Exit.USAGE
    assert f"{words[-1]} cannot be: the number must be 1 or more." in result.stderr
    assert "No such option '-x'" in house.ctl("run", "-x").stderr


def test_warehouse_steps_are_done_by_hand(house: House) -> None:
    packed_order(house)
    assert "1 pieces moved" in ran(house, "warehouse", "OD1", "dispatched", "--account", "shop")
    ran(house, "warehouse", "OD1", "MOON", code=Exit.USAGE)
    ran(house, "warehouse", "OD1", "packed", code=Exit.REFUSED)


def test_a_parcel_is_split_and_put_together_by_hand(house: House) -> None:
    house.seller.stock("SKU-A", 3)
    house.seller.order("OD1", ("1", "SKU-A", 2), ("2", "SKU-A", 1))
    ran(house, "warehouse", "OD1", "PACKED")
    text = ran(house, "parcel", "split", "OD1", "--take", "1=1", "--shipment", "SH2")
    assert "Parcel SP-1 is now SP-2, SP-3." in text
    assert "Invoices void: INV/001. Packing issues new ones." in text
    shown = ran(house, "order", "OD1")
    assert "went on as SP-2" in shown
    assert shown.count("went on as") == 1
    again = ("--parcel", "SP-2", "--account", "shop", "--json")
    done = json.loads(ran(house, "parcel", "split", "OD1", "--take", "2", *again))
    assert done["packages"] == ["SP-4", "SP-5"]
    assert done["voided"] == []
    text = ran(house, "parcel", "merge", "OD1", "SP-4", "SP-5", "--tracking", "TN4")
    assert text == "Parcel SP-4, SP-5 is now SP-6.\n"
    names = "SELECT shipment_id, tracking_number FROM package WHERE id IN (3, 6) ORDER BY id"
    assert house.seller.rows(names) == [("SH2", ""), ("", "TN4")]
    assert json.loads(ran(house, "parcel", "merge", "OD1", "--json"))["packages"] == ["SP-7"]
    ran(house, "parcel", "merge", "OD1", code=Exit.REFUSED)
    ran(house, "parcel", "split", "OD1", "--take", "9", code=Exit.REFUSED)
    ran(house, "parcel", "split", "OD9", "--take", "1", code=Exit.NOT_FOUND)
    for bad in ("1=0", "1=x", "1="):
        ran(house, "parcel", "split", "OD1", "--take", bad, code=Exit.USAGE)


def test_a_sequence_is_set_and_listed(house: House) -> None:
    text = ran(
        house, "sequence", "set", "BLR", "SALE_INVOICE", "--prefix", "A-", "--start", "5",
        "--width", "4",
    )  # fmt: skip
    assert "INV/001 to A-0005" in text
    assert "A-0005" in ran(house, "sequence")
    assert "to B-0007" in ran(house, "sequence", "set", "BLR", "--prefix", "B-", "--start", "7")
    ran(house, "sequence", "set", "BLR", "--prefix", "?", code=Exit.USAGE)
    ran(house, "sequence", "set", "none", "--prefix", "A", code=Exit.NOT_FOUND)


def test_a_tenant_goes_live_and_is_suspended(house: House) -> None:
    assert "LIVE to SUSPENDED" in ran(house, "tenant", "suspend", "acme")
    result = house.ctl("trigger", "shop")
    assert "Sync not allowed as Tenant is not Live yet" in result.stderr
    assert "SUSPENDED to LIVE" in ran(house, "tenant", "live", "acme")
    assert "acme    LIVE" in ran(house, "tenant")
    ran(house, "tenant", "live", "nobody", code=Exit.NOT_FOUND)


def test_a_facility_is_switched(house: House) -> None:
    assert "INACTIVE" in ran(house, "facility", "BLR", "--state", "inactive")
    assert "BLR (inactive)" in ran(house, "tenant")
    ran(house, "facility", "BLR", code=Exit.USAGE)


# --- the daemon


def test_an_account_is_paused_and_resumed(house: House) -> None:
    ran(house, "pause", "shop", "--reason", "stocktaking")
    assert "stocktaking" in ran(house, "status")
    result = house.ctl("trigger", "shop")
    assert result.exit_code == Exit.REFUSED
    assert "syncctl resume shop" in result.stderr
    ran(house, "resume", "shop")
    ran(house, "trigger", "shop")


def test_a_reload_tells_its_problems_and_ends_with_78(house: House) -> None:
    assert "socket changes at the next start" in ran(house, "reload")
    house.reload_problems = ["line 3: shop: is wrong", "line 9: is missing"]
    result = house.ctl("reload")
    assert result.exit_code == Exit.CONFIG
    told = [line for line in result.stderr.splitlines() if "line 9: is missing" in line]
    assert told == ["  line 9: is missing"], "each problem is told once"
    assert "syncd --check --config syncd.toml" in result.stderr
    assert json.loads(house.ctl("reload", "--json").stderr)["problems"] == house.reload_problems


def test_the_doctor_ends_with_1_when_something_is_wrong(house: House) -> None:
    result = house.ctl("doctor")
    assert result.exit_code == Exit.FAILED
    assert "socket: " in result.stdout
    assert "error    configuration" in result.stdout


# --- problems


def test_another_user_is_told_how_to_get_permission(tmp_path: Path) -> None:
    class FromStranger(Impatient):
        who = staticmethod(lambda _socket: Peer(1, 4711, 4711))

    with running(tmp_path, protocol=FromStranger) as house:
        assert house.ctl("status").exit_code == 0
        result = house.ctl("pause", "shop")
        assert result.exit_code == Exit.PERMISSION
        assert "operators" in result.stderr


def test_a_daemon_that_stops_is_told(house: House) -> None:
    house.service.close()
    result = house.ctl("trigger", "shop")
    assert result.exit_code == Exit.NOT_RUNNING
    assert "stopping" in result.stderr


def test_errors_are_json_where_the_data_is(house: House) -> None:
    result = house.ctl("run", "9", "--json")
    assert result.stdout == ""
    problem = json.loads(result.stderr)
    assert (problem["code"], problem["exit_code"]) == ("not_found", 5)
    missing = json.loads(ctl("--socket", "/none/s.sock", "status", "--json").stderr)
    assert missing["code"] == "not_running"


def test_wrong_usage_is_json_too(house: House) -> None:
    for words in (
        ["run", "x", "--json"],
        ["--json", "fly"],
        ["trigger", "--json-lines"],
        ["--json", "run", "1", "--moon"],
        ["stock", "receive", "--json", "A", "B", "-1"],
    ):
        result = house.ctl(*words)
        assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
        problem = json.loads(result.stderr)
        assert (problem["code"], problem["exit_code"]) == ("usage", 2)
        assert "--help" in problem["do"]


def test_without_a_daemon_the_ways_to_start_it_are_told() -> None:
    told = ctl("--socket", "/none/s.sock", "status").stderr
    assert "systemctl start syncd" in told
    assert "syncd --config FILE" in told


def test_wrong_usage_ends_with_2(house: House) -> None:
    for arguments in (
        ["trigger"],
        ["trigger", "shop", "--task", "stolen"],
        ["trigger", "shop", "--timeout", "5"],
        ["runs", "--limit", "x"],
        ["fly"],
    ):
        assert house.ctl(*arguments).exit_code == Exit.USAGE


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


def test_a_report_is_sent_whole_and_refusals_are_told(house: House, tmp_path: Path) -> None:
    """What the daemon makes of one is in the system tests: tests/system/test_import_report.py."""
    file = tmp_path / "r.csv"
    file.write_bytes(b"Order ID\n1\n")
    refused = house.ctl("import-report", "shop", str(file), "--preview")
    assert (refused.exit_code, "reads no report files" in refused.stderr) == (6, True)
    unknown = house.ctl("--json", "import-report", "shpo", str(file))
    assert unknown.exit_code == 5
    assert "Did you mean shop" in unknown.stderr
    assert house.ctl("import-report", "shop", str(tmp_path / "none.csv")).exit_code == 2


@pytest.mark.parametrize("path", list(every_command(main)), ids=" ".join)
def test_each_command_explains_itself_within_80_columns(path: tuple[str, ...]) -> None:
    result = ctl(*path, "--help")
    assert result.exit_code == 0
    assert "--socket" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("path", list(every_command(main)), ids=" ".join)
def test_each_command_has_a_test(path: tuple[str, ...]) -> None:
    """Each is run somewhere in this file, or in the system tests, by its own words."""
    here = Path(__file__)
    texts = [here.read_text(), (here.parents[1] / "system" / "test_syncctl.py").read_text()]
    words = ", ".join(f'"{word}"' for word in path)
    assert any(words in text for text in texts)


def test_sequence_kinds_and_steps_are_those_of_the_book() -> None:
    from syncd.book.documents import DocumentKind
    from syncd.book.putaways import Disposition
    from syncd.book.warehouse import STEPS
    from syncd.cli import ctl_goods

    assert tuple(DocumentKind) == ctl_goods.DOCUMENTS
    assert tuple(Disposition) == ctl_goods.DISPOSITIONS
    assert tuple(step.value for step in STEPS) == ctl_goods.STEPS


# --- the door and the brake


def test_a_parcel_is_asked_about(house: House) -> None:
    packed_order(house)
    assert ran(house, "may-ship", "SP-1").startswith("yes  ")
    house.seller.tell(house.seller.change("OD1", Status.CANCELLED))
    text = ran(house, "may-ship", "--order", "OD1", code=Exit.REFUSED)
    assert text.startswith("no  Parcel SP-1 must stay here: the channel said CANCELLED")
    assert json.loads(ran(house, "may-ship", "SP-1", "--json", code=Exit.REFUSED))["packages"]
    ran(house, "may-ship", "SP-9", code=Exit.NOT_FOUND)
    ran(house, "may-ship", "--tracking", "T", "--account", "shop", code=Exit.NOT_FOUND)
    ran(house, "may-ship", "SP-1", "--shipment", "S", code=Exit.USAGE)
    ran(house, "warehouse", "OD1", "DISPATCHED", code=Exit.REFUSED)


def braked(house: House, count: int = 3) -> None:
    for number in range(count):
        house.seller.order(f"OD{number}", ("1", "SKU-A", 1))
    house.seller.tell(*(house.seller.change(f"OD{n}", Status.CANCELLED) for n in range(count)))
    with house.book.write():
        house.book.query(
            "INSERT INTO brake (account_id, run_id, upto, cancels, open_orders, state, opened_at, "
            "closed_by, note) SELECT 1, 1, max(id), ?, ?, 'OPEN', 0, '', '' FROM inbox",
            (count, count),
        )


def test_the_brake_is_shown_and_released(house: House) -> None:
    assert "on nowhere" in house.ctl("brake").stderr
    braked(house)
    text = ran(house, "brake", "--limit", "2")
    assert "3 of 3 open orders of shop would be cancelled" in text
    assert "OD1" in text
    assert "OD2" not in text
    assert "see them with --after 2 or --all" in text
    assert "OD2" in ran(house, "brake", "--after", "2")
    document = json.loads(ran(house, "brake", "--all", "--json"))
    assert [one["order_id"] for one in document["brakes"][0]["held"]] == ["OD0", "OD1", "OD2"]
    assert "held by the safety brake" in ran(house, "status")
    assert "safety brake" in ran(house, "doctor", code=Exit.FAILED)
    ran(house, "brake", "release", "shop", "--note", " ", code=Exit.USAGE)
    assert "is released; run " in ran(house, "brake", "release", "shop", "--note", "true")
    ran(house, "brake", "drop", "shop", "--note", "late", code=Exit.REFUSED)
    assert "let its cancellations through: true" in ran(house, "brake", "--closed")


def test_what_the_brake_holds_is_set_aside(house: House) -> None:
    braked(house)
    text = ran(house, "brake", "drop", "shop", "--note", "a mistake")
    assert text.startswith("3 cancellations are set aside; run ")
    assert "on nowhere" in house.ctl("brake", "--account", "shop").stderr


def test_a_run_shows_its_ledger(house: House) -> None:
    house.works.counts = Counts(fetched=5, taken_up=1, known=2, applied=3, undecided=1)
    ran(house, "trigger", "shop", "--wait")
    text = ran(house, "run", "1")
    assert "5 fetched + 1 taken up = 2 known + 3 applied + 1 undecided\n" in text
    assert json.loads(ran(house, "run", "1", "--json"))["ledger"]["imbalance"] == 0
    house.works.counts = Counts(fetched=5, applied=3)
    ran(house, "trigger", "shop", "--wait")
    assert "DOES NOT BALANCE by 2" in ran(house, "run", "2")
    with house.book.write():
        house.book.query("UPDATE run SET counts = '{\"fetched\": 1}' WHERE id = 1")
    assert "not checked" in ran(house, "run", "1")


def test_a_held_run_ends_with_the_code_of_a_refusal(house: House) -> None:
    house.works.state = RunState.HELD
    assert "HELD" in ran(house, "trigger", "shop", "--wait", code=Exit.REFUSED)


@pytest.mark.unsound_book  # the brake is put on by hand
def test_failed_tells_of_a_brake_and_what_to_type(house: House) -> None:
    assert "safety brake" not in ran(house, "failed")
    with house.book.write():
        house.book.query(
            "INSERT INTO brake (account_id, run_id, upto, cancels, open_orders, state, opened_at, "
            "closed_by, note) VALUES (1, 1, 9, 30, 60, 'OPEN', 0, '', '')"
        )
    text = " ".join(ran(house, "failed").split())
    assert "syncctl brake release shop" in text
