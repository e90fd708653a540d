"""A report file that a person hands in: read by the channel, decided by a run like any other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from syncd.book import acts, reports, runs
from syncd.channels import Channels, LoadedChannel
from syncd.config import AccountConfig, Config
from syncd.control import reporting
from syncd.control.reporting import Desk
from syncd.errors import GaveWay, NotFound, PanelAnswer, PluginError, Refused, Stopped
from syncd.hookspecs import Channel, ReportFile, Settings, hookimpl
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.rules import Brake
from syncd.statuses import Account, NewOrder, OrderLine, Page, ReturnType, Status, StatusChange
from syncd.tokens import MemoryTokens
from tests.bookkit import START, Seller


class Files:
    """A channel whose files are lines «order line word», and a word ORDER brings the order."""

    @hookimpl
    def describe_channel(self) -> Channel:
        return Channel(title="Files", settings=Settings)

    @hookimpl
    def fetch_cancelled(self) -> Iterator[Any]:
        return iter(())

    @hookimpl
    def read_report(self, report: ReportFile) -> Iterator[Any]:
        text = report.content.decode()
        if not text.startswith("REPORT"):
            raise PanelAnswer(f"{report.name}: no report.")
        for line in text.splitlines()[1:]:
            order_id, line_id, word = line.split()
            if word == "CRASH":
                raise ZeroDivisionError("of the plugin")
            if word == "ORDER":
                sold = (OrderLine(line_id=line_id, sku="MUG", quantity=1),)
                yield Page(rows=[NewOrder(order_id=order_id, placed_at=START, lines=sold)])
                continue
            if word == "BADORDER":
                bad = NewOrder(
                    order_id=order_id, placed_at=START, lines=(), raw="x", problem="Line 2: no"
                )
                yield Page(rows=[bad])
                continue
            status = Status(word.split(":")[0])
            yield Page(
                rows=[
                    StatusChange(
                        order_id=order_id, line_id=line_id, status=status, native_status=word,
                        occurred_at=report.at or START,
                        return_type=ReturnType.RTO if word.startswith("RETURN") else None,
                        problem="Line 9: no" if status is Status.UNKNOWN else "", raw="raw",
                        evidence_id=line,
                    )
                ]
            )  # fmt: skip


class Deaf(Files):
    """The same without report files."""

    read_report = None


class Office:
    """A seller on the channel of files, and the desk at which they are handed in."""

    def __init__(self, folder: Path, plugin: Any, **seller: Any) -> None:
        self.seller = Seller(folder, **seller)
        self.book, self.clock = self.seller.book, self.seller.clock
        self.seller.stock("MUG", 500)
        channel = LoadedChannel("flipkart", "syncd-files", "1")
        entry = EntryPoint("flipkart", "unused", "syncd.channels")
        channel.load(type("Entry", (), {"load": lambda _self: plugin, "name": entry.name})())
        assert not channel.reason
        self.brake = Brake()
        account = AccountConfig(name="shop", channel="flipkart", tenant="acme", facility="BLR")
        config = Config(
            path=folder / "x", state_dir=folder, socket=folder / "s", accounts={"shop": account}
        )
        self.channel = channel
        self.desk = Desk(self.book, Channels([channel]), config, self.setup)
        self.stop = threading.Event()
        self.conductor = Conductor(self.book, self.setup, self._panel, self.clock)

    def setup(self, name: str) -> Setup:
        account = Account(name=name, channel="flipkart", settings=Settings())
        return Setup(
            account=account, channel=self.channel, look_back={}, locations={}, brake=self.brake
        )

    def _panel(self, setup: Setup, stop: threading.Event) -> Panel:
        return Panel("", account="shop", clock=self.clock, tokens=MemoryTokens(), stop=stop)

    def hand_in(self, *lines: str, account: str = "shop", **how: bool) -> Any:
        content = "\n".join(("REPORT", *lines)).encode()
        return self.hand_in_bytes(content, account=account, **how)

    def hand_in_bytes(self, content: bytes, *, account: str = "shop", **how: bool) -> Any:
        file = ReportFile(name="r.csv", content=content, at=self.clock.now())
        chosen = {"preview": False, "dry_run": False, **how}
        return reporting.take(
            self.desk, account, file, **chosen, actor="asha", now=self.clock.now()
        )

    def run(self, run_id: int) -> Any:
        self.conductor.conduct(run_id, self.stop, self)
        return runs.get(self.book, run_id)

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Nobody follows."""

    def take(self, *lines: str, **how: bool) -> Any:
        return self.run(self.hand_in(*lines, **how).run_id)

    def counts(self, run: Any) -> dict[str, int]:
        counts = runs.Counts.from_json(run.counts)
        assert counts.imbalance() == 0
        return {n: getattr(counts, n) for n in counts.__struct_fields__ if getattr(counts, n)}

    def positions(self) -> list[tuple[str, str]]:
        return self.seller.rows(
            "SELECT o.order_id, i.position FROM item i JOIN orders o ON o.id = i.order_id "
            "ORDER BY i.id"
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, Files())


def test_a_preview_shows_each_row_and_stores_nothing(office: Office) -> None:
    seen = office.hand_in(
        "O1 L1 ORDER", "O1 L1 CANCELLED", "O2 L1 UNKNOWN", "O3 L1 RETURNED", "O4 L1 BADORDER",
        preview=True,
    )  # fmt: skip

    assert [(row.order_id, row.line_id, row.status) for row in seen.rows] == [
        ("O1", "L1", "ORDER"), ("O1", "L1", "CANCELLED"), ("O3", "L1", "RETURNED"),
    ]  # fmt: skip
    assert seen.rows[2].return_type == "RTO"
    assert [(row.order_id, row.problem) for row in seen.problems] == [
        ("O2", "Line 9: no"), ("O4", "Line 2: no"),
    ]  # fmt: skip
    assert (seen.orders, seen.facts, seen.problem_count) == (1, 2, 2)
    assert seen.statuses == {"CANCELLED": 1, "ORDER": 1, "RETURNED": 1, "UNKNOWN": 2}
    assert seen.run_id is None
    for table in ("run", "inbox", "orders", "report"):
        assert office.seller.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_run_takes_orders_and_facts_and_its_ledger_balances(office: Office) -> None:
    done = office.take("O1 L1 ORDER", "O2 L2 ORDER", "O2 L2 CANCELLED", "O3 L3 UNKNOWN")

    assert (done.state, done.code, done.purpose) == ("PARTIAL", "rows_quarantined", "report")
    assert (done.actor, done.trigger) == ("asha", "report")
    assert office.positions() == [("O1", "FULFILLABLE"), ("O2", "CANCELLED")]
    counts = office.counts(done)
    assert (counts["imported"], counts["fetched"], counts["applied"]) == (2, 2, 1)
    assert office.seller.rows("SELECT count(*) FROM report") == [(0,)]


def test_the_same_report_twice_changes_nothing(office: Office) -> None:
    lines = ("O1 L1 ORDER", "O1 L1 DISPATCHED")
    office.take(*lines)
    before = office.positions()
    counts = office.counts(office.take(*lines))

    assert office.positions() == before == [("O1", "DISPATCHED")]
    assert counts["known"] == 1
    assert "applied" not in counts


def test_a_dry_run_tells_the_plan_and_stores_nothing(office: Office) -> None:
    done = office.take("O1 L1 ORDER", "O1 L1 DISPATCHED", dry_run=True)

    assert done.state == "OK"
    assert '"DISPATCHED"' in done.plan
    assert office.positions() == []
    assert office.seller.rows("SELECT count(*) FROM inbox") == [(0,)]
    real = office.take("O1 L1 ORDER", "O1 L1 DISPATCHED")
    assert real.plan_hash == done.plan_hash


def test_a_tenant_that_is_not_live_takes_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path, Files(), live=False)

    with pytest.raises(Refused, match="Sync not allowed as Tenant is not Live yet") as refused:
        office.hand_in("O1 L1 ORDER")
    assert refused.value.code == "tenant_not_live"
    assert office.hand_in("O1 L1 ORDER", preview=True).orders == 1
    assert office.take("O1 L1 ORDER", dry_run=True).state == "OK"


def test_a_tenant_that_was_stopped_meanwhile_takes_nothing(office: Office) -> None:
    asked = office.hand_in("O1 L1 ORDER", "O1 L1 CANCELLED")
    acts.set_tenant_state(office.book, "acme", "ONBOARDING", actor="asha", now=office.clock.now())
    done = office.run(asked.run_id)

    assert (done.state, done.code) == ("GATED", "tenant_not_live")
    assert office.positions() == []
    assert office.seller.rows("SELECT count(*) FROM inbox") == [(0,)]


def test_the_safety_brake_holds_a_report_that_cancels_too_much(office: Office) -> None:
    office.take(*(f"O{n} L{n} ORDER" for n in range(60)))
    office.brake = Brake(True, 0.2, 10)
    done = office.take(*(f"O{n} L{n} CANCELLED" for n in range(40)))

    assert done.state == "HELD"
    assert {position for _, position in office.positions()} == {"FULFILLABLE"}
    assert office.counts(done)["undecided"] == 40


def test_two_reports_are_two_runs_and_do_not_wait_behind_an_audit(office: Office) -> None:
    audit = runs.enqueue(
        office.book, "shop", (), purpose=runs.AUDIT, dry_run=True, trigger="timer", actor="timer",
        now=office.clock.now(),
    )  # fmt: skip
    first = office.hand_in("O1 L1 ORDER").run_id
    second = office.hand_in("O2 L2 ORDER").run_id

    assert len({audit.run_id, first, second}) == 3
    waiting = runs.next_queued(office.book, "shop")
    assert waiting is not None
    assert waiting.id == first
    assert runs.sync_waits(office.book, 1)
    office.run(second)
    assert office.positions() == [("O2", "FULFILLABLE")]
    office.run(first)


def test_a_stop_or_a_crash_in_the_middle_loses_nothing(office: Office) -> None:
    run_id = office.hand_in("O1 L1 ORDER", "O1 L1 DISPATCHED").run_id
    office.stop.set()
    with pytest.raises((GaveWay, Stopped)):
        office.run(run_id)
    assert runs.get(office.book, run_id).state == "QUEUED"
    runs.start(office.book, run_id, office.clock.now())  # and the power is cut here
    assert runs.recover(office.book, office.clock.now()) == []
    office.stop.clear()

    assert office.run(run_id).state == "OK"
    assert office.positions() == [("O1", "DISPATCHED")]


def test_a_run_whose_file_is_gone_says_so(office: Office) -> None:
    run_id = office.hand_in("O1 L1 ORDER").run_id
    with office.book.write():
        reports.drop(office.book, run_id)

    assert "no longer kept" in office.run(run_id).message


def test_files_of_runs_that_have_ended_are_swept(office: Office) -> None:
    run_id = office.hand_in("O1 L1 ORDER").run_id
    runs.finish(
        office.book, run_id, state=runs.RunState.FAILED, counts=runs.Counts(), tasks={},
        now=office.clock.now(),
    )  # fmt: skip
    second = office.hand_in("O1 L1 ORDER").run_id

    assert office.seller.rows("SELECT run_id FROM report") == [(second,)]
    office.run(second)


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"something", Refused, "r.csv: no report"),
        (b"REPORT\nO1 L1 CRASH", PluginError, "failed while reading r.csv: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_read_is_refused_before_a_run(
    office: Office, content: bytes, error: type[Exception], said: str
) -> None:
    for preview in (True, False):
        with pytest.raises(error, match=said):
            office.hand_in_bytes(content, preview=preview)
    assert office.seller.rows("SELECT count(*) FROM run") == [(0,)]


def test_a_plugin_that_fails_only_in_the_run_fails_the_run(office: Office) -> None:
    for text, code in ((b"REPORT\nO1 L1 CRASH", "plugin_broken"), (b"x", "panel_answer")):
        run_id = reports.enqueue(
            office.book, "shop", ReportFile(name="r.csv", content=text), dry_run=False,
            actor="asha", now=office.clock.now(),
        )  # fmt: skip
        done = office.run(run_id)
        assert (done.state, done.code) == ("FAILED", code)


def test_a_file_that_says_nothing_begins_no_run(office: Office) -> None:
    assert office.hand_in().run_id is None


def test_wrong_accounts_and_channels_are_told(office: Office, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Did you mean shop"):
        office.hand_in("O1 L1 ORDER", account="shpo")
    with pytest.raises(NotFound, match="Known: shop"):
        office.hand_in("O1 L1 ORDER", account="zzz")
    acts.pause_account(office.book, "shop", reason="", actor="asha", now=office.clock.now())
    with pytest.raises(Refused, match="does not run"):
        office.hand_in("O1 L1 ORDER")
    assert office.hand_in("O1 L1 ORDER", preview=True).orders == 1
    (tmp_path / "deaf").mkdir()
    deaf = Office(tmp_path / "deaf", Deaf())
    with pytest.raises(Refused, match="reads no report files") as refused:
        deaf.hand_in("O1 L1 ORDER")
    assert refused.value.code == "no_reports"
    without = Desk(office.book, office.desk.channels, office.desk.config, None)
    with pytest.raises(Refused, match="reads no report files"):
        reporting.take(
            without, "shop", ReportFile(name="x", content=b""), preview=True, dry_run=False,
            actor="asha", now=office.clock.now(),
        )  # fmt: skip
