"""Marketplaces whose panels give files: beside their API, and in its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.testing import SystemClock
from syncd_paytm.simulator import PaytmSimulator
from tests.system.program import HEAD, NO_TIMERS, Program

CONFIG = (
    HEAD
    + """\
[accounts.flip]
channel = "paytm"
tenant = "acme"
facility = "BLR"

[accounts.flip.settings]
base_url = "{url}"
identity_url = "{url}"
merchant_id = "{seller}"
username = "{seller}@example.com"
password = {{ file = "{folder}/password" }}
client_id = "simulated-app"
client_secret = {{ file = "{folder}/secret" }}
pace = "unlimited"
status_map = {{ "901" = "DISPATCHED", "902" = "DELIVERED", "921" = "RETURN_NOTICED CIR" }}

[accounts.flip.settings.files]
folder = "{folder}/reports"
settle_seconds = 0
columns = {{ status = "Status", quantity = "Quantity", sku = "SKU", return_type = "Kind" }}
"""
)
FILES_ALONE = (
    HEAD
    + """\
[accounts.flip]
channel = "{channel}"
tenant = "acme"
facility = "BLR"

[accounts.flip.settings]
source = "panelfile"
folder = "{folder}/reports"
settle_seconds = 0
statuses = {{ "Gone" = "DISPATCHED" }}
columns = {{ order_id = "Order ID", line_id = "Item ID", status = "Status", quantity = "Quantity", \
sku = "SKU", placed_at = "Ordered" }}
"""
)
HEAD = "Order ID,Item ID,ID,SKU,Kind,Status,Quantity\n"


class Beside(Program):
    """A seller with one Paytm account and a folder of report files."""

    def __enter__(self) -> Beside:
        self.world = PaytmSimulator.new_world(SystemClock())
        panel = PaytmSimulator(self.world)
        panel.start()
        self.panel = panel
        for name in ("state", "reports"):
            (self.folder / name).mkdir(mode=0o700)
        known = panel.settings()
        for name, text in (("password", known["password"]), ("secret", known["client_secret"])):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        self.config_path.write_text(
            CONFIG.format(folder=self.folder, url=panel.url, seller=known["merchant_id"],
                          timers=NO_TIMERS)
        )  # fmt: skip
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self.panel.stop()

    def put(self, name: str, rows: str) -> None:
        """A file that has lain in the folder for a while: the last minutes are the next pass's."""
        path = self.folder / "reports" / name
        path.write_text(HEAD + rows)
        made = path.stat().st_mtime - 600
        os.utime(path, (made, made))

    def an_order(self) -> tuple[str, str]:
        order = self.world.place_order([("MUG", 3)], at=self.happens())
        return order.order_id, order.lines[0].line_id


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Beside]:
    with Beside(tmp_path) as program:
        program.go_live(stock={"MUG": 9})
        yield program


def row(item: tuple[str, str], back: str, word: str, quantity: int = 1) -> str:
    return f"{item[0]},{item[1]},{back},MUG,{'Customer_Return' if back else ''},{word},{quantity}\n"


def test_both_tell_of_the_same_pieces_and_none_counts_twice(program: Beside) -> None:
    bought, stays = program.an_order(), program.an_order()
    assert program.sync().code == 0
    program.world.pick_up(bought[0], at=program.happens())
    program.world.deliver(bought[0], at=program.happens())
    program.world.customer_return(bought[0], quantity=1, at=program.happens())
    assert program.sync().code == 0
    program.put("returns.csv", row(bought, "61", "Return Picked"))
    report = program.folder / "cancelled.csv"
    report.write_text(HEAD + row(stays, "", "Cancelled", 2))
    taken = program.ctl("--json", "import-report", "flip", str(report), "--wait")
    assert taken.code == 0, taken
    for _ in range(2):
        assert program.sync().code == 0
    program.put("both.csv", row(bought, "61", "Return Picked") + row(stays, "", "Cancelled", 2))
    assert program.sync().code == 0

    assert sorted(program.positions(bought[0])) == ["CIR_CREATED", "DELIVERED", "DELIVERED"]
    assert sorted(program.positions(stays[0])) == ["CANCELLED", "CANCELLED", "FULFILLABLE"]
    found = program.ctl("--json", "audit", "flip", "--wait")
    assert found.code == 0, found
    counts = found.json["runs"][0]["counts"]
    assert (counts["compared"], counts["disagreed"]) == (2, 0), found


def test_a_return_that_a_number_began_is_ended_by_a_file_and_is_one(program: Beside) -> None:
    order = program.an_order()
    assert program.sync().code == 0
    program.world.pick_up(order[0], at=program.happens())
    program.world.deliver(order[0], at=program.happens())
    program.world.customer_return(order[0], quantity=1, at=program.happens())
    assert program.sync().code == 0
    assert sorted(program.positions(order[0])) == ["CIR_CREATED", "DELIVERED", "DELIVERED"]
    program.put("returns.csv", row(order, "61", "Returned"))
    for _ in range(2):
        assert program.sync().code == 0
        assert sorted(program.positions(order[0])) == ["CIR_COMPLETE", "DELIVERED", "DELIVERED"]

    again = program.folder / "again.csv"
    again.write_text(HEAD + row(order, "61", "Return Picked"))
    refused = program.ctl("import-report", "flip", str(again))
    assert refused.code != 0
    assert "all that it says (1 facts) is passed over" in refused.err


class Alone(Program):
    """A seller whose one account is read from files, whatever its channel could ask."""

    def __init__(self, folder: Path, channel: str) -> None:
        super().__init__(folder)
        self.channel = channel

    def __enter__(self) -> Alone:
        for name in ("state", "reports"):
            (self.folder / name).mkdir(mode=0o700)
        self.config_path.write_text(
            FILES_ALONE.format(folder=self.folder, channel=self.channel, timers=NO_TIMERS)
        )
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()


@pytest.mark.parametrize("channel", ["paytm", "shopclues", "tatacliq"])
def test_an_account_may_be_read_from_files_in_place_of_the_api(
    tmp_path: Path, channel: str
) -> None:
    with Alone(tmp_path, channel) as program:
        program.go_live(stock={"MUG": 9})
        file = tmp_path / "reports" / "orders.csv"
        file.write_text(
            "Order ID,Item ID,SKU,Quantity,Ordered,Status\n"
            "A-1,L1,MUG,1,20/11/2026 10:00,Gone\nA-2,L2,MUG,1,20/11/2026 10:00,Sold\n"
        )
        assert program.sync().code == 1
        assert program.positions("A-1") == ["DISPATCHED"]
        assert program.positions("A-2") == ["FULFILLABLE"]
        (odd,) = program.rows("failed")
        assert '"Sold" is not among the statuses' in odd["message"]
