"""Audits through the whole program: a loss is planted at the panel, found, told and mended."""

from __future__ import annotations

import time
from typing import Any

from tests.system.program import WAIT, Answer, Program

SECONDS = 40.0


def lost_dispatch(program: Program) -> str:
    """An order whose dispatch lies behind the cursor: no pass will ever hear of it."""
    order = program.world.place_order([("SHIRT", 1)], at=program.happens())
    assert program.sync().code == 0
    program.world.pick_up(order.order_id, at=program.happens())
    assert program.sync("--task", "dispatched").code == 0
    assert program.positions(order.order_id) == ["FULFILLABLE"]
    return order.order_id


def audit(program: Program, *more: str) -> Answer:
    return program.ctl("audit", "flip", "--wait", "--timeout", WAIT, *more)


def awaited(program: Program, **wanted: Any) -> dict[str, Any]:
    """The newest run like this that has ended."""
    end = time.monotonic() + SECONDS
    while True:
        for run in program.rows("runs"):
            if run["ended_at"] and all(run[name] == value for name, value in wanted.items()):
                return run
        assert time.monotonic() < end, program.log
        time.sleep(0.2)


def test_a_lost_dispatch_is_found_explained_and_mended(live: Program) -> None:
    order_id = lost_dispatch(live)
    look = audit(live)
    assert look.code == 1, look
    assert f"syncctl audit flip --order {order_id} --fix" in look.out
    assert live.positions(order_id) == ["FULFILLABLE"], "a look changes nothing"
    assert "missed: 1" in live.ctl("drift").out
    assert "no pass has heard" in live.do("explain", order_id).out
    assert "syncctl drift --account flip" in live.do("status").out
    assert "syncctl drift --account flip" in live.ctl("doctor").out
    mend = audit(live, "--fix")
    assert mend.code == 0, mend
    assert live.positions(order_id) == ["DISPATCHED"]
    assert live.do("drift").out == ""
    assert audit(live, "--fix").code == 0


def test_a_look_is_open_before_going_live_and_mending_is_gated(program: Program) -> None:
    assert audit(program).code == 0
    gated = audit(program, "--fix")
    assert gated.code == 6
    assert "Sync not allowed as Tenant is not Live yet" in gated.out + gated.err


def test_the_night_comes_by_itself(live: Program) -> None:
    order_id = lost_dispatch(live)
    text = live.config_path.read_text()
    often = text.replace("[defaults.audit]\nenabled = false", '[defaults.audit]\nevery = "10s"')
    assert often != text
    live.config_path.write_text(often)
    live.do("reload")
    run = awaited(live, purpose="audit", trigger="timer")
    assert (run["code"], run["dry_run"]) == ("drift_found", True)
    assert live.positions(order_id) == ["FULFILLABLE"]
    (task,) = [task for task in live.rows("tasks") if task["kind"] == "audit"]
    assert task["last_result"] == "partial"


def test_an_audit_survives_a_power_cut(live: Program) -> None:
    order_id = lost_dispatch(live)
    live.do("audit", "flip", "--fix")
    live.kill()
    live.start()
    run = awaited(live, purpose="audit")
    assert run["state"] == "OK"
    assert live.positions(order_id) == ["DISPATCHED"]
