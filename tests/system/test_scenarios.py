"""What the program is for, each through the whole of it: panel, daemon, socket, syncctl."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from syncd.testing import Fault
from tests.system.program import Program

BY_ID = "/sellers/v3/shipments[?]*"
NOT_LIVE = "Sync not allowed as Tenant is not Live yet"


def placed(program: Program, sku: str = "SHIRT", quantity: int = 1) -> tuple[str, str]:
    """An order of the panel that is in the book. Returns its id and its line's."""
    order = program.world.place_order([(sku, quantity)], at=program.happens())
    assert program.sync("--task", "orders").code == 0
    return order.order_id, order.lines[0].line_id


def test_dispatched_at_the_panel_while_unfulfillable_here(live: Program) -> None:
    order_id, _ = placed(live, "RARE")
    assert live.positions(order_id) == ["UNFULFILLABLE"]
    live.world.pick_up(order_id, at=live.happens())
    assert live.sync("--task", "dispatched").code == 0
    order = live.order(order_id)
    assert order["state"] == "COMPLETE"
    assert [piece["position"] for piece in order["pieces"]] == ["DISPATCHED"]
    assert [parcel["state"] for parcel in order["packages"]] == ["DISPATCHED"]
    assert live.stock("RARE") == {"shortage": -1, "in_transit_out": 1}
    text = live.do("explain", order_id).out
    assert "no stock" in text
    assert "shortage" in text


@pytest.mark.parametrize("step", ["", "create", "pack"])
def test_dispatched_while_fulfillable_created_or_packed(live: Program, step: str) -> None:
    order_id, _ = placed(live, quantity=2)
    if step:
        live.do("warehouse", order_id, {"create": "CREATED", "pack": "PACKED"}[step])
    live.world.ship(order_id, at=live.happens())
    assert live.sync("--task", "dispatched").code == 0
    order = live.order(order_id)
    assert {piece["position"] for piece in order["pieces"]} == {"DISPATCHED"}
    assert len(order["packages"]) == 1
    assert live.stock("SHIRT") == {"on_hand_good": 8, "in_transit_out": 2}


def test_no_invoice_sequence_is_a_clear_error_and_heals_when_defined(program: Program) -> None:
    program.go_live(sequence=False, stock={"SHIRT": 1})
    order_id, _ = placed(program)
    program.world.pick_up(order_id, at=program.happens())
    answer = program.sync("--task", "dispatched")
    assert answer.code == 1
    assert program.positions(order_id) == ["FULFILLABLE"]
    assert program.stock("SHIRT") == {"allocated": 1}
    failed = program.do("failed").out
    assert "BLR" in failed
    assert "syncctl sequence set BLR SALE_INVOICE" in failed
    program.do("sequence", "set", "BLR", "SALE_INVOICE", "--prefix", "INV/")
    assert program.sync("--task", "dispatched").code == 0
    assert program.positions(order_id) == ["DISPATCHED"]
    assert not program.rows("failed")


def test_a_tenant_that_is_not_live_moves_nothing_and_says_so(program: Program) -> None:
    order = program.world.place_order([("SHIRT", 1)], at=program.happens())
    program.world.pick_up(order.order_id, at=program.happens())
    answer = program.sync("--task", "dispatched", "--task", "orders")
    assert answer.code == 6, answer
    assert NOT_LIVE in answer.out + answer.err
    messages = {task["last_message"] for task in program.rows("tasks")}
    assert NOT_LIVE in messages
    assert all(task["cursor"] is None for task in program.rows("tasks"))
    assert program.ctl("order", order.order_id).code == 5
    assert not program.simulator.requests("/sellers"), "nothing is even asked"
    program.go_live(stock={"SHIRT": 1})
    assert program.sync().code == 0
    assert program.positions(order.order_id) == ["DISPATCHED"]


def test_delivered(live: Program) -> None:
    order_id, _ = placed(live)
    live.world.ship(order_id, at=live.happens())
    live.world.deliver(order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order_id) == ["DELIVERED"]
    assert live.stock("SHIRT") == {"on_hand_good": 9, "sold": 1}


def test_courier_return_on_its_way_returned_and_put_away(live: Program) -> None:
    order_id, _ = placed(live)
    live.world.ship(order_id, at=live.happens())
    (back,) = live.world.courier_return(order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order_id) == ["RETURN_EXPECTED"]
    live.world.return_event(back.return_id, "completed", at=live.happens())
    assert live.ctl("returns", "flip", "--days", "30", "--wait").code == 0
    assert live.positions(order_id) == ["RETURNED"]
    assert live.stock("SHIRT") == {"on_hand_good": 9, "putaway_pending": 1}
    (putaway,) = live.rows("putaway")
    live.do("putaway", "done", str(putaway["id"]), "--as", "GOOD")
    assert live.positions(order_id) == ["RETURN_ACKNOWLEDGED"]
    assert live.stock("SHIRT") == {"on_hand_good": 10}


def test_customer_return_and_its_withdrawal(live: Program) -> None:
    order_id, _ = placed(live)
    live.world.ship(order_id, at=live.happens())
    live.world.deliver(order_id, at=live.happens())
    (back,) = live.world.customer_return(order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order_id) == ["CIR_CREATED"]
    live.world.return_event(back.return_id, "rejected", at=live.happens())
    assert live.sync("--task", "returns").code == 0
    assert live.positions(order_id) == ["DELIVERED"]
    assert live.stock("SHIRT") == {"on_hand_good": 9, "sold": 1}


def test_a_return_noticed_twenty_nine_days_ago_is_found(live: Program) -> None:
    order = live.world.place_order([("SHIRT", 1)], at=live.happens(-29 * 24 * 60))
    live.world.ship(order.order_id, at=live.happens())
    live.world.courier_return(order.order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order.order_id) == ["RETURN_EXPECTED"]


def test_cancelled_before_invoice_frees_the_stock(live: Program) -> None:
    order_id, line = placed(live)
    live.world.cancel(order_id, line, by="buyer", at=live.happens())
    assert live.sync("--task", "cancelled").code == 0
    assert live.positions(order_id) == ["CANCELLED"]
    assert live.stock("SHIRT") == {"on_hand_good": 10}
    assert live.rows("putaway") == []


@pytest.mark.parametrize("who", ["buyer", "seller", "marketplace"])
def test_cancelled_after_invoice_asks_for_a_putaway(live: Program, who: str) -> None:
    order_id, line = placed(live)
    live.do("warehouse", order_id, "PACKED")
    live.world.cancel(order_id, line, by=who, at=live.happens())  # type: ignore[arg-type]
    assert live.sync("--task", "cancelled").code == 0
    assert live.positions(order_id) == ["CANCELLED"]
    assert live.stock("SHIRT") == {"on_hand_good": 9, "putaway_pending": 1}
    (putaway,) = live.rows("putaway")
    assert putaway["kind"] == "CANCELLED_ITEM"
    assert "putaway" in live.do("explain", order_id).out
    live.do("putaway", "done", str(putaway["id"]), "--as", "GOOD")
    assert live.stock("SHIRT") == {"on_hand_good": 10}


def test_cancelled_on_a_closed_manifest_waits_for_a_person(live: Program) -> None:
    order_id, line = placed(live)
    live.do("warehouse", order_id, "MANIFESTED")
    live.world.cancel(order_id, line, by="buyer", at=live.happens())
    live.sync("--task", "cancelled")
    (one,) = live.rows("exceptions")
    number = str(one["id"])
    refused = live.ctl("warehouse", order_id, "DISPATCHED")
    assert refused.code == 6
    shown = live.do("exceptions", "show", number).out
    assert f"syncctl settle {number} pulled" in shown
    assert f"syncctl settle {number} gone" in shown
    live.do("settle", number, "pulled", "--note", "stopped at the door")
    assert live.positions(order_id) == ["CANCELLED"]
    assert live.stock("SHIRT") == {"on_hand_good": 9, "putaway_pending": 1}
    assert live.rows("exceptions") == []
    assert "stopped at the door" in live.do("explain", order_id).out
    assert live.ctl("settle", number, "gone").code == 6


def test_cancelled_in_transit_is_a_return_and_not_a_cancellation(live: Program) -> None:
    order_id, _ = placed(live)
    live.world.ship(order_id, at=live.happens())
    live.world.cancel_in_transit(order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order_id) == ["RETURN_EXPECTED"]


def test_part_of_a_line_is_cancelled(live: Program) -> None:
    order_id, line = placed(live, quantity=3)
    live.world.cancel(order_id, line, quantity=1, by="buyer", at=live.happens())
    assert live.sync("--task", "cancelled").code == 0
    live.world.ship(order_id, at=live.happens())
    assert live.sync("--task", "dispatched").code == 0
    assert sorted(live.positions(order_id)) == ["CANCELLED", "DISPATCHED", "DISPATCHED"]


def test_an_unknown_order_is_parked_and_applied_when_it_comes(live: Program) -> None:
    order = live.world.place_order([("SHIRT", 1)], at=live.happens())
    order_id, line = order.order_id, order.lines[0].line_id
    live.world.ship(order_id, at=live.happens())
    # While the panel answers no question by id, the book cannot ask for the order itself.
    live.simulator.faults.add(Fault(do="status", status=500, path=BY_ID, times=-1))
    live.sync("--task", "dispatched")
    assert live.ctl("order", order_id).code == 5
    status = live.do("--json", "status").json
    assert status["accounts"][0]["facts"]["parked"] == 1
    live.simulator.faults.clear()
    text = f"order_id,line_id,sku,quantity,placed_at\n{order_id},{line},SHIRT,1,2026-01-01T00:00Z\n"
    (live.folder / "orders.csv").write_text(text)
    live.do("import", str(live.folder / "orders.csv"), "--account", "flip")
    assert live.sync("--task", "dispatched").code == 0
    assert live.positions(order_id) == ["DISPATCHED"]


def test_an_order_that_only_the_panel_knows_is_asked_for(live: Program) -> None:
    order = live.world.place_order([("SHIRT", 1)], at=live.happens())
    live.world.ship(order.order_id, at=live.happens())
    assert live.sync("--task", "dispatched").code == 0
    assert live.positions(order.order_id) == ["DISPATCHED"]


def test_chosen_orders_only(live: Program) -> None:
    orders = [live.world.place_order([("SHIRT", 1)], at=live.happens()) for _ in range(2)]
    first, second = (order.order_id for order in orders)
    assert live.sync("--task", "orders").code == 0
    live.world.ship(first, at=live.happens())
    live.world.ship(second, at=live.happens())
    assert live.sync("--order", first).code == 0
    assert live.positions(first) == ["DISPATCHED"]
    assert live.positions(second) == ["FULFILLABLE"]


def test_a_dry_run_tells_the_plan_and_changes_nothing(live: Program) -> None:
    order_id, _ = placed(live)
    live.world.ship(order_id, at=live.happens())
    dry = live.sync("--task", "dispatched", "--dry-run")
    assert dry.code == 0, dry
    assert live.positions(order_id) == ["FULFILLABLE"]
    assert live.sync("--task", "dispatched").code == 0
    assert live.positions(order_id) == ["DISPATCHED"]
    real, rehearsal = live.rows("runs")[:2]
    assert rehearsal["dry_run"]
    assert rehearsal["plan_hash"] == real["plan_hash"] != ""


def test_what_the_seller_ships_himself_is_left_to_him(live: Program) -> None:
    order = live.world.place_order([("SHIRT", 1)], ships_by="seller", at=live.happens())
    live.world.ship(order.order_id, at=live.happens())
    assert live.sync().code == 0
    assert live.positions(order.order_id) == ["FULFILLABLE"]
    assert "seller ships this order" in live.do("explain", order.order_id).out


def test_timers_alone_keep_the_book_true_once_the_tenant_is_live(tmp_path: Path) -> None:
    with Program(tmp_path, timers=True) as program:
        order = program.world.place_order([("SHIRT", 1)], at=program.happens())
        program.world.ship(order.order_id, at=program.happens())
        program.do("sequence", "set", "BLR", "SALE_INVOICE", "--prefix", "INV/")
        program.do("tenant", "live", "acme")
        end = time.monotonic() + 20
        while program.ctl("order", order.order_id).code == 5:
            assert time.monotonic() < end, program.log
            time.sleep(0.2)
        assert program.sync("--task", "dispatched").code == 0
        assert program.positions(order.order_id) == ["DISPATCHED"]
        assert {run["trigger"] for run in program.rows("runs")} == {"timer", "operator"}
