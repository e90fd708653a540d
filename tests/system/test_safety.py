"""What must never happen: a secret shown, a row lost, a token sent elsewhere, a row that stops."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from syncd.testing import Fault
from tests.system.program import Program

CANARY = "canary-7f3a91-never-show-me"
SEARCH = "/sellers/v3/shipments/filter*"


def test_fault_E10_no_secret_in_any_log_answer_or_table(tmp_path: Path) -> None:
    with Program(tmp_path, client_secret=CANARY) as program:
        program.go_live(stock={"SHIRT": 1})
        order = program.world.place_order([("SHIRT", 1)], at=program.happens())
        program.world.ship(order.order_id, at=program.happens())
        assert program.sync().code == 0
        tokens = [
            json.loads(path.read_text())["access_token"]
            for path in (tmp_path / "state" / "tokens").glob("*.json")
        ]
        assert tokens, "the token is kept over restarts"
        for deed in ("html", "redirect", "expire"):
            program.simulator.faults.add(Fault(do=deed, path=SEARCH))  # type: ignore[arg-type]
            program.sync("--task", "dispatched")
        program.simulator.faults.add(Fault(do="status", status=401, times=-1))
        assert program.sync("--task", "dispatched").code == 1
        said = [program.log]
        for command in ("status", "runs", "tasks", "failed", "channels", "doctor"):
            answer = program.ctl("--json", command)
            said += [answer.out, answer.err]
        said.append(program.ctl("explain", order.order_id).out)
        kept = b"".join(path.read_bytes() for path in (tmp_path / "state").glob("book.sqlite3*"))
        for secret in (CANARY, *tokens):
            assert all(secret not in text for text in said)
            assert secret.encode() not in kept


def test_tokens_are_kept_over_a_restart_in_a_private_file(live: Program) -> None:
    assert live.sync("--task", "dispatched").code == 0
    files = list((live.folder / "state" / "tokens").glob("*.json"))
    assert files
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    asked = len(live.simulator.requests("/oauth-service"))
    assert live.terminate() == 0
    live.start()
    assert live.sync("--task", "dispatched").code == 0
    assert len(live.simulator.requests("/oauth-service")) == asked


def test_fault_A21_a_broken_row_is_set_aside_with_its_text_and_the_page_goes_on(
    live: Program,
) -> None:
    orders = [live.world.place_order([("SHIRT", 1)], at=live.happens()) for _ in range(3)]
    assert live.sync("--task", "orders").code == 0
    for order in orders:
        live.world.ship(order.order_id, at=live.happens())
    broken = '{"shipmentId": "S-1", "updatedAt": 17, "orderItems": "none of your business"}'
    live.simulator.faults.add(Fault(do="garble", path=SEARCH, body=broken))
    live.sync("--task", "dispatched")
    states = [live.positions(order.order_id) for order in orders]
    assert states.count(["DISPATCHED"]) >= 2
    failed = live.do("failed").out
    assert "none of your business" in failed
    assert live.sync("--task", "dispatched").code == 0
    assert [live.positions(order.order_id) for order in orders] == [["DISPATCHED"]] * 3


def test_fault_A15_a_next_link_to_another_host_is_refused(live: Program) -> None:
    link = "https://panel.example.invalid/steal"
    live.simulator.faults.add(Fault(do="foreign", path=SEARCH, body=link))
    answer = live.sync("--task", "dispatched")
    assert answer.code == 1
    (run, *_) = live.rows("runs")
    assert run["state"] == "FAILED"
    assert run["code"] == "link_elsewhere"
    assert all(task["cursor"] is None for task in live.rows("tasks")), "no cursor moved"


def test_fault_E02_refused_credentials_stop_the_account_and_say_what_to_do(live: Program) -> None:
    live.simulator.faults.add(Fault(do="status", status=401, path="/sellers/*", times=-1))
    assert live.sync("--task", "dispatched").code == 1
    status = live.do("status").out
    assert "syncctl resume flip" in status
    assert live.ctl("trigger", "flip").code == 6, "nobody knocks at a door that is shut"
    live.simulator.faults.clear()
    live.do("resume", "flip")
    assert live.sync("--task", "dispatched").code == 0


def test_import_keeps_good_lines_reports_bad_ones_and_is_harmless_twice(live: Program) -> None:
    path = live.folder / "orders.csv"
    path.write_text(
        "order_id,line_id,sku,quantity,placed_at\n"
        "A-1,1,SHIRT,1,2026-01-01T10:00+05:30\n"
        "A-2,1,SHIRT,many,2026-01-01T10:00+05:30\n"
        ",1,SHIRT,1,2026-01-01T10:00+05:30\n"
        "A-3,1,SHIRT,0,2026-01-01T10:00+05:30\n"
        "A-4,1,SHIRT,2,2026-01-01T10:00+05:30\n"
    )
    answer = live.ctl("import", str(path), "--account", "flip")
    assert answer.code == 1, answer
    for number in (3, 4, 5):
        assert f"line {number}" in answer.out + answer.err
    assert live.positions("A-1") == ["FULFILLABLE"]
    assert live.positions("A-4") == ["FULFILLABLE", "FULFILLABLE"]
    live.ctl("import", str(path), "--account", "flip")
    assert live.positions("A-4") == ["FULFILLABLE", "FULFILLABLE"]
    assert live.stock("SHIRT") == {"on_hand_good": 7, "allocated": 3}
