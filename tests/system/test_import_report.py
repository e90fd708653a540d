"""``syncctl import-report`` and the watched folder, through the real daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.program import HEAD, NO_TIMERS, Program

CONFIG = (
    HEAD
    + """\
[accounts.flip]
channel = "flipkart"
tenant = "acme"
facility = "BLR"

[accounts.flip.settings]
base_url = "{url}"
app_id = "simulated-app"
app_secret = {{ file = "{folder}/app_secret" }}

[accounts.files]
channel = "panelfile"
tenant = "acme"
facility = "BLR"
brake = {{ share = 0.3, floor = 10 }}

[accounts.files.settings]
folder = "{folder}/reports"
settle_seconds = 0
statuses = {{ "Shipped" = "DISPATCHED", "Cancelled" = "CANCELLED", "New" = "ignore" }}

[accounts.files.settings.columns]
order_id = "Order ID"
line_id = "Item ID"
sku = "SKU"
quantity = "Qty"
status = "Status"
occurred_at = "Updated On"
placed_at = "Ordered On"
"""
)
ORDERS = "Order ID,Item ID,SKU,Qty,Ordered On\n"
STATES = "Order ID,Item ID,Qty,Status,Updated On\n"


class Files(Program):
    """A seller with an account that is fed by files."""

    def __enter__(self) -> Files:
        self.simulator.start()
        for name in ("state", "reports"):
            (self.folder / name).mkdir(mode=0o700)
        secret = self.folder / "app_secret"
        secret.write_text("x")
        secret.chmod(0o600)
        self.config_path.write_text(
            CONFIG.format(folder=self.folder, url=self.simulator.url, timers=NO_TIMERS)
        )
        self.start()
        return self

    def file(self, text: str, name: str = "report.csv") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


def orders(count: int) -> str:
    return ORDERS + "".join(f"O{n},L{n},MUG,1,01/11/2026 10:00\n" for n in range(count))


def states(word: str, numbers: range) -> str:
    return STATES + "".join(f"O{n},L{n},1,{word},02/11/2026 10:00\n" for n in numbers)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Files]:
    with Files(tmp_path) as program:
        yield program


def test_a_report_from_preview_to_explain(program: Files) -> None:
    both = program.file(
        "Order ID,Item ID,SKU,Qty,Ordered On,Status,Updated On\n"
        "O1,L1,MUG,1,01/11/2026 10:00,Shipped,02/11/2026 10:00\n"
        "O2,L2,MUG,1,01/11/2026 10:00,Teleported,02/11/2026 10:00\n"
        "1.23E+17,L3,MUG,1,01/11/2026 10:00,Shipped,02/11/2026 10:00\n"
    )
    seen = program.ctl("import-report", "files", both, "--preview")
    assert seen.code == 1
    assert "O1" in seen.out
    assert "DISPATCHED" in seen.out
    assert "Line 3 of the file" in seen.err
    assert "Line 4 of the file" in seen.err
    assert "Excel has rounded" in seen.err
    assert "Nothing was stored." in seen.err
    assert program.rows("runs") == []

    gated = program.ctl("import-report", "files", both)
    assert gated.code == 6
    assert "Sync not allowed as Tenant is not Live yet" in gated.err
    planned = program.ctl("--json", "import-report", "files", both, "--dry-run")
    assert "DISPATCHED" in {row["event"] for row in planned.json["run"]["plan"]}
    assert program.ctl("order", "O1").code == 5

    program.go_live(stock={"MUG": 5})
    taken = program.ctl("--json", "import-report", "files", both, "--wait")
    assert taken.code == 1, taken
    run = taken.json["run"]
    assert (run["state"], run["purpose"], run["ledger"]["imbalance"]) == ("PARTIAL", "report", 0)
    assert program.positions("O1") == ["DISPATCHED"]
    assert program.positions("O2") == ["FULFILLABLE"]
    assert "Shipped" in program.do("explain", "O1").out
    assert len(program.rows("failed")) == 2
    assert "report" in program.do("runs").out

    again = program.ctl("--json", "import-report", "files", both, "--wait").json["run"]
    assert again["counts"]["new"] == again["counts"]["applied"] == 0
    assert program.positions("O1") == ["DISPATCHED"]


@pytest.mark.parametrize(
    ("account", "text", "code", "said"),
    [
        ("fles", STATES, 5, "Did you mean files"),
        ("flip", STATES, 6, "reads no report files. Channels that do: panelfile"),
        ("files", "", 2, "report.csv: it is empty"),
        ("files", "<html>log in</html>", 2, "web page"),
        ("files", "Order No,State\n1,Shipped\n", 2, 'the nearest is "Order No"). It has: Order No'),
        ("files", "Order ID,State\n1,Shipped\n", 2, 'no column "Status" (the nearest is "State")'),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_told_with_what_to_do(
    program: Files, account: str, text: str, code: int, said: str
) -> None:
    program.go_live()
    for more in ((), ("--preview",)):
        answer = program.ctl("import-report", account, program.file(text), *more)
        assert answer.code == code, answer
        assert said in " ".join(answer.err.split())
    assert program.rows("runs") == []


def test_files_that_are_not_there_or_too_large_are_not_sent(program: Files) -> None:
    assert program.ctl("import-report", "files", "/no/such/file").code == 2
    large = program.folder / "large.csv"
    with large.open("wb") as file:
        file.truncate(32 * 1024 * 1024 + 1)
    answer = program.ctl("import-report", "files", str(large))
    assert (answer.code, "larger than 32 MiB" in answer.err) == (2, True)


def test_a_report_from_standard_input_and_one_that_says_nothing(program: Files) -> None:
    program.go_live()
    done = program.ctl("--json", "import-report", "files", "-", "--wait", stdin=orders(2))
    assert (done.code, done.json["file"], done.json["orders"]) == (0, "stdin", 2)
    nothing = program.ctl("import-report", "files", "-", stdin=states("New", range(3)))
    assert nothing.code == 0
    assert "says nothing" in nothing.err


def test_the_brake_holds_a_report_until_a_person_says_so(program: Files) -> None:
    program.go_live(stock={"MUG": 50})
    program.do("import-report", "files", program.file(orders(40)), "--wait")
    held = program.ctl(
        "--json", "import-report", "files", program.file(states("Cancelled", range(30))), "--wait"
    )
    assert held.json["run"]["state"] == "HELD"
    assert program.positions("O7") == ["FULFILLABLE"]
    program.do("brake", "release", "files", "--note", "a closed warehouse")
    program.do("trigger", "files", "--wait")
    assert program.positions("O7") == ["CANCELLED"]


def test_a_power_cut_after_the_answer_loses_nothing(program: Files) -> None:
    program.go_live(stock={"MUG": 900})
    run = int(program.do("import-report", "files", program.file(orders(800))).out.split()[-1])
    program.kill()
    program.start()
    program.ctl("events", str(run))
    last = program.do("--json", "run", str(run)).json
    assert last["state"] == "OK", last
    assert program.positions("O799") == ["FULFILLABLE"]


def test_a_watched_folder_is_read_by_each_pass(program: Files) -> None:
    program.go_live(stock={"MUG": 5})
    reports = program.folder / "reports"
    (reports / "1-orders.csv").write_text(orders(2))
    program.do("trigger", "files", "--wait")
    (reports / "2-states.csv").write_text(states("Shipped", range(1)))
    program.do("trigger", "files", "--wait")
    assert program.positions("O0") == ["DISPATCHED"]
    assert program.positions("O1") == ["FULFILLABLE"]
    (reports / "2-states (1).csv").write_text(states("Shipped", range(1)))
    run = program.ctl("--json", "trigger", "files", "--wait").json["runs"][0]
    assert run["counts"]["new"] == 0
    found = program.ctl("--json", "audit", "files", "--wait")
    assert found.code == 0, found
    counts = found.json["runs"][0]["counts"]
    assert (counts["compared"], counts["disagreed"]) == (2, 0)
