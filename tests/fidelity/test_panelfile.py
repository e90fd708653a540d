"""The presets beside what is known of the panels' files."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.hookspecs import ReportFile
from syncd.statuses import Account, Status
from syncd_panelfile import CHANNEL, PanelfileSettings
from syncd_panelfile.settings import same

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def read(facts: Path, file: str, **settings: Any) -> list[Any]:
    path = facts / file
    account = Account(name="shop", channel="panelfile", settings=PanelfileSettings(**settings))
    report = ReportFile(name=path.name, content=path.read_bytes(), at=NOW)
    return [row for page in CHANNEL.read_report(account, report) for row in page.rows]


@pytest.mark.parametrize("panel", ["paytm", "shopclues", "snapdeal"])
def test_the_words_of_a_preset_mean_what_the_facts_say(facts: Path, panel: str) -> None:
    known = PanelfileSettings(preset=panel, columns={"order_id": "Order ID"}).plan().statuses
    with (facts / panel / "status-map.csv").open() as file:
        rows = [(row["channel_code"], row["syncd_status"]) for row in csv.DictReader(file)]
    for code, wanted in rows:
        meaning = known.get(same(code.removeprefix("panel:").rpartition("/")[2]))
        if meaning is None or ";" in wanted:
            continue  # left to the account
        said = " ".join(filter(None, (meaning.status, meaning.return_type)))
        assert said.startswith(wanted) if wanted else meaning.status is None, (code, said)


def test_files_of_paytm_are_read_with_the_columns_that_are_known(facts: Path) -> None:
    columns = {"status": "Status", "sku": "SKU", "return_type": "Return Type"}
    backs = read(facts, "paytm/panel-returns.assumed.csv", preset="paytm", columns=columns)
    assert [row.status for row in backs] == [
        Status.RETURNED, Status.RETURN_NOTICED, Status.RETURN_WITHDRAWN,
    ]  # fmt: skip
    gone = read(
        facts, "paytm/panel-cancelled.assumed.csv", preset="paytm",
        columns={"status": "Status", "occurred_at": "Cancelled At"},
    )  # fmt: skip
    assert [row.status for row in gone] == [Status.CANCELLED]


@pytest.mark.parametrize("panel", ["wooplr", "voonik"])
def test_files_of_the_closed_panels_are_read_once_they_are_named(facts: Path, panel: str) -> None:
    rows = read(
        facts, f"{panel}/panel-orders.assumed.csv", preset=panel,
        columns={
            "order_id": "Order No", "line_id": "Item No", "sku": "SKU", "status": "Status",
            "tracking_number": "AWB", "occurred_at": "Status Date",
        },
        statuses={"Dispatched": "DISPATCHED", "Cancelled": "CANCELLED"},
    )  # fmt: skip
    assert [row.status for row in rows] == [Status.DISPATCHED, Status.CANCELLED]
    assert not any(row.problem for row in rows)


def test_a_file_of_tata_cliq_is_unknown_until_its_words_are_named(facts: Path) -> None:
    file, columns = "tatacliq/panel-orders.assumed.csv", {"status": "Status"}
    rows = read(facts, file, preset="tatacliq", columns=columns)
    assert {row.status for row in rows} == {Status.UNKNOWN}
