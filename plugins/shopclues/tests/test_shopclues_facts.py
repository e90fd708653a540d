"""What a seller's book is told of what happens at ShopClues."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from pydantic import ValidationError

import syncd_shopclues as plugin
from syncd import Account, OrderRef, ReportFile, ReturnType, Status, Window
from syncd.errors import PanelAnswer
from syncd.testing import Fault, World
from syncd_shopclues import statuses
from syncd_shopclues.simulator import ShopCluesSimulator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
STAMP = "1795168800"  # 2026-11-20 10:00 UTC
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = ("dispatched", "delivered", "cancelled", "returns")


def order(order_id: object = "1", status: object = "Q", **more: Any) -> dict[str, Any]:
    fields = {
        "order_id": order_id,
        "status": status,
        "timestamp": STAMP,
        "is_parent_order": "N",
        "parent_order_id": "0",
        "items_list": [{"product": "A thing", "product_id": "7", "amount": "2"}],
        **more,
    }
    return {name: value for name, value in fields.items() if value is not ...}


# Orders ---------------------------------------------------------------------------------------


def test_an_open_order_by_window_and_by_id(seller: Any, world: World) -> None:
    placed = world.place_order([("A", 2), ("B", 1)], at=NOW - 2 * HOUR)

    (told,) = seller.read("orders")

    assert (told.order_id, told.placed_at) == (placed.order_id, NOW - 2 * HOUR)
    assert [(line.line_id, line.quantity) for line in told.lines] == [
        (line.line_id, len(line.pieces)) for line in placed.lines
    ]
    assert seller.read("orders", [placed.order_id]) == [told]


def test_only_open_letters_are_new_orders_but_a_chosen_one_is_told_in_any(
    seller: Any, world: World
) -> None:
    gone = world.place_order([("A", 1)], at=NOW - 2 * HOUR)
    world.ship(gone.order_id)

    assert seller.read("orders") == []
    assert [one.order_id for one in seller.read("orders", [gone.order_id])] == [gone.order_id]


def test_the_sellers_own_sku_comes_from_the_settings(
    sellers: Callable[..., Any], said: Callable[..., None]
) -> None:
    items = [{"product_id": "7", "amount": 1}, {"product_id": "8", "amount": 1}]
    said(order(items_list=items))

    (told,) = sellers(skus={"7": "MUG-BLUE"}).read("orders")

    assert [(line.line_id, line.sku) for line in told.lines] == [("7", "MUG-BLUE"), ("8", "8")]


@pytest.mark.parametrize(
    ("items", "lines"),
    [
        ([{"product": "A", "product_id": "7", "amount": "2"}], [("7", "A", 2)]),
        ([{"product_name": "A", "product_id": 7, "quantity": 2}], [("7", "A", 2)]),
        ([{"product_id": 7, "quantity": 2.0}], [("7", "", 2)]),
        ([{"product_id": "007", "amount": "2.00"}], [("007", "", 2)]),
        (
            [{"product_id": "7", "amount": 1}, {"product_id": 7, "amount": 2}],
            [("7", "", 3)],
        ),
    ],
)
def test_each_shape_of_a_product(
    seller: Any, said: Callable[..., None], items: list[Any], lines: list[Any]
) -> None:
    said(order(items_list=items))

    (told,) = seller.read("orders")

    assert [(line.line_id, line.title, line.quantity) for line in told.lines] == lines


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({"items": {"7": {"product": "A", "amount": "2"}}}, [("7", 2)]),
        ({"items": {"99": {"product_id": 7, "amount": "2"}}}, [("7", 2)]),
        ({"items": [{"product_id": 7, "amount": 2}]}, [("7", 2)]),
    ],
    ids=["by item id", "with a product id", "a list"],
)
def test_each_shape_of_an_order_by_its_id(
    seller: Any, sim: ShopCluesSimulator, more: dict[str, Any], lines: list[Any]
) -> None:
    body = json.dumps({"data": order(items_list=..., **more)})
    sim.faults.add(Fault(do="body", path="/order/1", body=body))

    (told,) = seller.read("orders", ["1"])

    assert [(line.line_id, line.quantity) for line in told.lines] == lines


@pytest.mark.parametrize("name", ["007", "0e10", "9007199254740993", "Mixed-Case_007", "é"])
def test_an_id_is_kept_byte_for_byte(seller: Any, said: Callable[..., None], name: str) -> None:
    said(order(name, items_list=[{"product_id": name, "amount": 1}]))
    (told,) = seller.read("orders")
    assert told.order_id == told.lines[0].line_id == told.lines[0].sku == name

    said(order(name, "d"))
    assert [one.order_id for one in seller.read("dispatched")] == [name]


@pytest.mark.parametrize("stamp", [STAMP, int(STAMP), float(STAMP), f"{STAMP}.0"])
def test_each_way_to_write_the_time_of_an_order(
    seller: Any, said: Callable[..., None], stamp: object
) -> None:
    said(order(timestamp=stamp))

    assert [one.placed_at for one in seller.read("orders")] == [AT]


def test_a_parent_is_left_out_and_its_child_names_it(
    seller: Any, said: Callable[..., None]
) -> None:
    rows = [order("1", is_parent_order="Y"), order("2", parent_order_id=1)]
    said(*rows)
    (told,) = seller.read("orders")
    assert (told.order_id, told.facts) == ("2", {"parentOrder": "1"})

    said(order("1", "d", is_parent_order="Y"), order("2", "d"))
    assert [one.order_id for one in seller.read("dispatched")] == ["2"]


BAD_ORDERS = {
    "no id": order(order_id=...),
    "an id that is none": order(order_id=[]),
    "no letter": order(status=...),
    "a number as letter": order(status=1),
    "no time": order(timestamp=...),
    "a time that is none": order(timestamp="yesterday"),
    "a time in milliseconds": order(timestamp=f"{STAMP}000"),
    "a time without end": order(timestamp="inf"),
    "no products": order(items_list=...),
    "products that are none": order(items_list="7"),
    "a product without an id": order(items_list=[{"amount": 1}]),
    "half a piece": order(items_list=[{"product_id": 7, "amount": "0.5"}]),
    "no pieces": order(items_list=[{"product_id": 7, "amount": 0}]),
    "pieces without number": order(items_list=[{"product_id": 7, "amount": "some"}]),
    "pieces without end": order(items_list=[{"product_id": 7, "amount": "inf"}]),
    "not a word of pieces": order(items_list=[{"product_id": 7}]),
    "no order at all": "order",
}


@pytest.mark.parametrize("case", BAD_ORDERS)
def test_a_bad_order_costs_only_itself(seller: Any, said: Callable[..., None], case: str) -> None:
    said(BAD_ORDERS[case], order("2"))
    told = seller.read("orders")
    said(BAD_ORDERS[case], order("2"))

    odd, good = told
    assert odd.problem
    assert odd.raw
    assert odd.lines == ()
    assert (good.order_id, good.problem) == ("2", "")
    assert seller.read("orders") == told


def test_a_bad_order_costs_only_itself_in_every_hook(
    seller: Any, said: Callable[..., None]
) -> None:
    for kind in KINDS:
        said(order(status=...), order("2", "E"))
        odd, other = seller.read(kind)
        assert (odd.status, odd.order_id) == (Status.UNKNOWN, "")
        assert odd.problem
        assert json.loads(odd.raw)["order_id"] == "1"
        assert (other.status, other.order_id) == (Status.UNKNOWN, "2")
        assert odd.evidence_id != other.evidence_id


# Letters --------------------------------------------------------------------------------------


def test_only_one_letter_is_known_without_the_settings(
    sellers: Callable[..., Any], said: Callable[..., None]
) -> None:
    seller = sellers(status_map={})
    for kind in KINDS:
        said(order("1", "Q"), order("2", "E"), order("3", "d"))
        told = seller.read(kind)
        assert [(one.order_id, one.status) for one in told] == [("2", "UNKNOWN"), ("3", "UNKNOWN")]
        assert "status_map" in told[0].problem
        assert json.loads(told[0].raw)["status"] == "E"
        assert told[0].native_status == "E"


MEANT: Final = {
    "ignore": {},
    "DISPATCHED": {"dispatched": ["DISPATCHED"]},
    "DELIVERED": {"dispatched": ["DISPATCHED"], "delivered": ["DELIVERED"]},
    "CANCELLED": {"cancelled": ["CANCELLED"]},
    "CANCEL_REQUESTED": {"cancelled": ["CANCEL_REQUESTED"]},
    "CANCEL_WITHDRAWN": {"cancelled": ["CANCEL_WITHDRAWN"]},
    "RETURN_NOTICED RTO": {"dispatched": ["DISPATCHED"], "returns": ["RETURN_NOTICED RTO"]},
    "RETURN_NOTICED CIR": {
        "dispatched": ["DISPATCHED"],
        "delivered": ["DELIVERED"],
        "returns": ["RETURN_NOTICED CIR"],
    },
    "RETURNED RTO": {
        "dispatched": ["DISPATCHED"],
        "returns": ["RETURN_NOTICED RTO", "RETURNED RTO"],
    },
    "RETURNED CIR": {
        "dispatched": ["DISPATCHED"],
        "delivered": ["DELIVERED"],
        "returns": ["RETURN_NOTICED CIR", "RETURNED CIR"],
    },
    "RETURN_WITHDRAWN": {"dispatched": ["DISPATCHED"], "returns": ["RETURN_WITHDRAWN"]},
    "UNDELIVERED": {"dispatched": ["DISPATCHED"], "returns": ["UNDELIVERED"]},
    "LOST": {"dispatched": ["DISPATCHED"], "returns": ["LOST"]},
}
"""What each hook makes of a letter: its meaning, and what must have happened before."""


@pytest.mark.parametrize("word", MEANT)
def test_every_meaning_that_a_letter_may_have(
    sellers: Callable[..., Any], said: Callable[..., None], word: str
) -> None:
    seller = sellers(status_map={"Z": word})
    found: dict[str, list[str]] = {}
    names = []
    for kind in KINDS:
        said(order("1", "Z"))
        for one in seller.read(kind):
            found.setdefault(kind, []).append(f"{one.status} {one.return_type or ''}".strip())
            names.append(one.evidence_id)
            assert (one.line_id, one.quantity, one.native_status) == ("", None, "Z")
            assert one.occurred_at == NOW  # the latest that it can be
    assert found == MEANT[word]
    assert len(set(names)) == len(names)


def test_a_letter_is_not_the_same_letter_in_another_case(
    sellers: Callable[..., Any], said: Callable[..., None]
) -> None:
    said(order("1", "D"))

    (told,) = sellers(status_map={"d": "DISPATCHED"}).read("dispatched")

    assert told.status is Status.UNKNOWN


def test_what_comes_back_has_left_before(seller: Any, said: Callable[..., None]) -> None:
    said(order("1", "r"), order("2", "c"), order("3", "l"), order("4", "w"))

    assert all(one.left_seller for one in seller.read("returns"))


def test_a_couriers_code_is_no_letter_of_an_order(seller: Any, said: Callable[..., None]) -> None:
    for code in statuses.SCAN_CODES:
        said(order("1", code))
        assert [one.status for one in seller.read("dispatched")] == [Status.UNKNOWN]


@pytest.mark.parametrize(
    "wrong",
    [
        {"status_map": {"Z": "GONE"}},
        {"status_map": {"Z": "RETURNED"}},
        {"status_map": {"Q": "DISPATCHED"}},
        {"status_map": {"": "DISPATCHED"}},
        {"reach_days": 0},
        {"token_style": "basic"},
        {"username": ""},
        {"unknown": 1},
    ],
)
def test_settings_refuse_what_cannot_be_meant(
    sellers: Callable[..., Any], wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        sellers(**wrong)


# By window and by ids -------------------------------------------------------------------------


def lively(world: World) -> list[str]:
    """One order for each word that the simulated panel has."""
    ids = [world.place_order([("A", 1)], at=NOW - 50 * HOUR).order_id for _ in range(10)]
    for one in ids[1:9]:
        world.ship(one, at=NOW - 40 * HOUR)
    for one in ids[2:5]:
        world.deliver(one, at=NOW - 30 * HOUR)
    (back,) = world.customer_return(ids[3])
    world.customer_return(ids[4])
    world.return_event(back.return_id, "COMPLETED")
    (rto,) = world.courier_return(ids[5])
    world.courier_return(ids[6])
    world.return_event(rto.return_id, "COMPLETED")
    world.lost(ids[7])
    (called_off,) = world.courier_return(ids[8])
    world.return_event(called_off.return_id, "CANCELLED")
    world.cancel(ids[9])
    return ids


def test_by_ids_and_by_window_agree(seller: Any, world: World) -> None:
    ids = lively(world)
    last = {}
    for kind in ("dispatched", "delivered", "cancelled", "returns"):
        whole = seller.read(kind)
        last |= {row.order_id: str(row.status) for row in whole}
        assert seller.read(kind) == whole
        assert sorted(seller.read(kind, ids), key=repr) == sorted(whole, key=repr)

    assert last == dict(
        zip(
            ids[1:],
            [
                "DISPATCHED", "DELIVERED", "RETURNED", "RETURN_NOTICED", "RETURNED",
                "RETURN_NOTICED", "LOST", "RETURN_WITHDRAWN", "CANCELLED",
            ],
            strict=True,
        )
    )  # fmt: skip
    assert [one.order_id for one in seller.read("orders")] == ids[:1]


def test_a_change_of_an_old_order_is_found(sellers: Callable[..., Any], world: World) -> None:
    old, ancient = (
        world.place_order([("A", 1)], at=NOW - timedelta(days=days)).order_id for days in (25, 40)
    )
    for one in (old, ancient):
        world.ship(one, at=NOW - HOUR)

    assert [one.order_id for one in sellers().read("dispatched")] == [old]
    assert len(sellers(reach_days=60).read("dispatched")) == 2
    assert len(sellers().read("dispatched", [ancient])) == 1


def test_the_window_is_asked_for_in_whole_seconds_never_narrower(
    seller: Any, sim: ShopCluesSimulator
) -> None:
    half = timedelta(milliseconds=500)
    seller.read("orders", window=Window(NOW - HOUR + half, NOW + half))

    (asked,) = sim.requests("/order")
    start = int((NOW - HOUR - timedelta(days=30)).timestamp())
    assert asked.target == f"/order?time_from={start}&time_to={int(NOW.timestamp()) + 1}"


def test_one_sellers_orders_are_not_anothers(seller: Any, world: World) -> None:
    world.add_seller("seller-2", ["location-2"])
    theirs = world.place_order([("A", 1)], seller_id="seller-2", at=NOW - HOUR)

    assert seller.read("orders") == []
    assert seller.read("orders", [theirs.order_id]) == []


@pytest.mark.parametrize("ships", [True, False])
def test_who_ships_is_said_by_the_account(sellers: Callable[..., Any], ships: bool) -> None:
    account = sellers(channel_ships=ships).account

    assert plugin.provides_shipping(account, OrderRef(order_id="1")) is ships


# A courier's scans ----------------------------------------------------------------------------


HANDED_IN = datetime(2026, 11, 22, tzinfo=UTC)


def scans(text: str | bytes) -> list[Any]:
    content = text.encode() if isinstance(text, str) else text
    account = Account(name="shop", channel="shopclues", settings=None)
    report = ReportFile(name="scans.csv", content=content, at=HANDED_IN)
    return [row for page in plugin.read_report(account, report) for row in page.rows]


def test_scans_of_a_file() -> None:
    told = scans(
        "\ufefforder_id, awb ,code,time,town\n"
        "1,AWB1,PP,2026-11-20T15:30:00,Delhi\n"
        "1,AWB1,NDR,2026-11-20T10:00:00Z,Agra\n"
        "1,AWB1,rtd,2026-11-20 15:30:00+05:30,Delhi\n"
        "2,,OFP,2026-11-20T15:30:00,Delhi\n"
        "2,,LT,2026-11-20T15:30:00\n"
    )

    assert [(one.order_id, one.status, one.native_status) for one in told] == [
        ("1", "DISPATCHED", "PP"),
        ("1", "UNDELIVERED", "NDR"),
        ("1", "RETURNED", "rtd"),
        ("2", "LOST", "LT"),
    ]
    assert {one.occurred_at for one in told} == {AT}
    assert [one.tracking_number for one in told] == ["AWB1", "AWB1", "AWB1", ""]
    assert told[2].return_type is ReturnType.RTO
    assert len({one.evidence_id for one in told}) == 4


def test_bad_scans_cost_only_themselves() -> None:
    told = scans(
        "order_id,code,time\n"
        "1,DM,2026-11-20T15:30:00\n"
        "2,ZZ,2026-11-20T15:30:00\n"
        "3,PP,soon\n"
        ",PP,2026-11-20T15:30:00\n"
        "4\n"
        "5,PP,2026-11-20T15:30:00\n"
    )

    assert [one.status for one in told] == ["UNKNOWN"] * 5 + ["DISPATCHED"]
    assert all(one.problem and one.raw and one.evidence_id for one in told[:5])


@pytest.mark.parametrize("spoiled", ["1.2E+10", "1E10", "1,2e+10", "12345.0", "#####", "#REF!"])
@pytest.mark.parametrize("place", ["order_id", "awb"])
def test_an_id_that_a_spreadsheet_has_spoiled_is_no_fact(spoiled: str, place: str) -> None:
    scan = {"order_id": "1", "awb": "AWB1"} | {place: spoiled}
    (odd, good) = scans(
        "order_id,awb,code,time\n"
        f'"{scan["order_id"]}","{scan["awb"]}",DL,2026-11-20T15:30:00\n'
        "12,AWB1,DL,2026-11-20T15:30:00\n"
    )

    assert (odd.status, odd.order_id) == ("UNKNOWN", "" if place == "order_id" else "1")
    assert f"{spoiled!r} is what a spreadsheet has made of an id" in odd.problem
    assert odd.occurred_at == AT
    assert spoiled in odd.raw
    assert (good.status, good.order_id) == ("DELIVERED", "12")


@pytest.mark.parametrize(
    "time",
    ["soon", "", "1970-01-01", "1970-01-01T00:00:00Z", "1899-12-30", "20/11/2026 15:30", "45981"],
)
def test_a_scan_without_a_good_time_is_no_fact_and_of_no_year_long_past(time: str) -> None:
    (odd,) = scans(f"order_id,code,time\n1,DL,{time}\n")

    assert (odd.status, odd.order_id, odd.occurred_at) == ("UNKNOWN", "1", HANDED_IN)
    assert odd.problem == f"{time!r} is no time of a scan."


def test_scans_of_which_nobody_says_when_they_came_are_not_read() -> None:
    report = ReportFile(name="scans.csv", content=b"order_id,code,time\n1,PP,soon\n")
    account = Account(name="shop", channel="shopclues", settings=None)
    with pytest.raises(PanelAnswer, match="nobody says when"):
        list(plugin.read_report(account, report))


@pytest.mark.parametrize("text", ["", "order_id,code\n1,PP\n", b"\xff\xfe1,2\n", '{"a": 1}'])
def test_what_is_no_file_of_scans(text: str | bytes) -> None:
    with pytest.raises(PanelAnswer, match="order_id, code and time"):
        scans(text)
