"""What waits too long, told by the running daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.system.program import Program

PATIENCE = 20.0
LIMITS = """
[accounts.flip.limits]
rto_overdue = "{span}"
putaway = "1s"
"""


def set_limits(program: Program, span: str) -> None:
    """Change how long a return may take, while the daemon runs."""
    text = program.config_path.read_text().split("\n[accounts.flip.limits]")[0]
    program.config_path.write_text(text + LIMITS.format(span=span))
    program.do("reload")


def await_it(test: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def exceptions(program: Program) -> list[tuple[str, str, str]]:
    listed: list[dict[str, Any]] = program.do("--json", "exceptions", "--all").json["exceptions"]
    return [(one["code"], one["state"], one["closed_by"]) for one in listed]


def test_a_return_that_does_not_come_is_told_once_and_closed_when_it_comes(live: Program) -> None:
    order = live.world.place_order([("SHIRT", 1)], at=live.happens())
    live.world.ship(order.order_id, at=live.happens())
    (back,) = live.world.courier_return(order.order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order.order_id) == ["RETURN_EXPECTED"]
    set_limits(live, "2d")
    time.sleep(1.5)  # several turns of the timers
    assert exceptions(live) == [], "it is not overdue by this limit"
    assert live.do("--json", "overdue").json["coming"][0]["kind"] == "rto"

    set_limits(live, "1h")
    await_it(lambda: bool(exceptions(live)))
    assert exceptions(live) == [("rto_overdue", "OPEN", "")]
    told = live.do("overdue").out
    assert order.order_id in told
    assert f"syncctl trigger flip --order {order.order_id} --wait" in told
    assert "1 piece to come back undelivered is overdue" in live.do("status").out
    assert "Expected back undelivered since" in live.do("explain", order.order_id).out

    live.kill()
    live.start()
    time.sleep(1.5)
    assert exceptions(live) == [("rto_overdue", "OPEN", "")], "once, also over a crash"
    assert live.log.count('"event": "overdue"') + live.log.count('"event":"overdue"') == 1

    live.world.return_event(back.return_id, "completed", at=live.happens())
    assert live.sync("--task", "returns").code == 0
    await_it(lambda: exceptions(live) == [("rto_overdue", "CLOSED", "syncd")])
    await_it(lambda: "1 piece for a shelf is overdue" in live.do("status").out)
    assert live.terminate() == 0
