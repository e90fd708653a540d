"""Order files: good lines are kept, each bad one is told with its number and reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from syncd.book.intake_files import MAX_LINE, BadLine, ImportedOrder, read_csv, read_jsonl

HEADER = "order_id,line_id,sku,quantity,placed_at"
AT = "2026-03-01T11:30:00+05:30"


def read(*lines: str, **more: object) -> tuple[list[ImportedOrder], list[BadLine]]:
    return split(read_csv([f"{line}\n" for line in lines], **more))  # type: ignore[arg-type]


def split(
    found: Iterable[ImportedOrder | BadLine],
) -> tuple[list[ImportedOrder], list[BadLine]]:
    orders: list[ImportedOrder] = []
    bad: list[BadLine] = []
    for one in found:
        if isinstance(one, BadLine):
            bad.append(one)
        else:
            orders.append(one)
    return orders, bad


def test_an_order_of_one_line() -> None:
    (order,), bad = read(HEADER, f"OD1,L1,SHIRT,2,{AT}")
    assert not bad
    assert order.order_id == "OD1"
    assert order.placed_at == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert [(line.line_id, line.sku, line.quantity) for line in order.lines] == [("L1", "SHIRT", 2)]


def test_lines_of_one_order_may_be_scattered() -> None:
    orders, bad = read(HEADER, f"OD1,L1,SHIRT,1,{AT}", f"OD2,L1,SHOE,1,{AT}", f"OD1,L2,SOCK,3,{AT}")
    assert not bad
    assert [(o.order_id, [line.line_id for line in o.lines]) for o in orders] == [
        ("OD1", ["L1", "L2"]),
        ("OD2", ["L1"]),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_the_separator_is_found(mark: str) -> None:
    orders, bad = read(HEADER.replace(",", mark), mark.join(("OD1", "L1", "A B", "1", AT)))
    assert not bad
    assert orders[0].lines[0].sku == "A B"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(f"{HEADER}\r\nOD1,L1,SHIRT,1,{AT}\r\n".encode("utf-8-sig"))
    with path.open(encoding="utf-8-sig", newline="") as lines:
        orders, bad = split(read_csv(lines))
    assert (len(orders), bad) == (1, [])


def test_optional_columns_and_facts() -> None:
    (order,), bad = read(
        f"{HEADER},location,state,fact.service,fact.tier",
        f"OD1,L1,SHIRT,1,{AT},LOC1,packed,express,",
    )
    assert not bad
    assert order.location_id == "LOC1"
    assert order.states == {"L1": "PACKED"}
    assert order.facts == {"service": "express"}


def test_a_time_without_offset_is_in_the_zone_given() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    (order,), _ = read(HEADER, "OD1,L1,SHIRT,1,2026-03-01 11:30", zone=zone)
    assert order.placed_at == datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f",L1,SHIRT,1,{AT}", "order_id is empty"),
        (f"{'x' * 201},L1,SHIRT,1,{AT}", "order_id is longer than 200"),
        (f"OD1,,SHIRT,1,{AT}", "line_id is empty"),
        (f"OD1,L1, ,1,{AT}", "sku is empty"),
        (f"OD1,L1,SHIRT,0,{AT}", "quantity '0' is not a whole number from 1 to 10000"),
        (f"OD1,L1,SHIRT,10001,{AT}", "quantity '10001'"),
        (f"OD1,L1,SHIRT,1.5,{AT}", "quantity '1.5'"),
        (f"OD1,L1,SHIRT,٣,{AT}", "quantity '٣'"),
        (f"OD1,L1,SHIRT,{'9' * 5000},{AT}", "quantity '999"),
        ("OD1,L1,SHIRT,1,yesterday", "placed_at 'yesterday' is not a time"),
        ("OD1,L1,SHIRT,1,", "placed_at '' is not a time"),
        (f"OD1,L1,SHIRT,1,{AT},more", "has 6 fields, the header names 5"),
        ("OD1,L1", "has 2 fields, the header names 5"),
        (f'OD1,"L1,SHIRT,1,{AT}', "The line is not CSV"),
    ],
)
def test_a_bad_line_is_told_and_the_others_kept(line: str, reason: str) -> None:
    orders, bad = read(HEADER, f"OD8,L1,SHIRT,1,{AT}", line, f"OD9,L1,SHIRT,1,{AT}")
    assert [order.order_id for order in orders] == ["OD8", "OD9"]
    assert len(bad) == 1
    assert bad[0].number == 3
    assert reason in bad[0].reason


def test_a_bad_line_costs_its_whole_order() -> None:
    orders, bad = read(
        HEADER,
        f"D1,L1,SHIRT,1,{AT}",
        f"D1,L2,SHIRT,x,{AT}",
        f"D2,L1,SHIRT,1,{AT}",
        "D3,L1",
        f'D4,"L1,SHIRT,1,{AT}',
        f"D4,L2,SHIRT,1,{AT}",
        f"D3,L2,SHIRT,1,{AT}",
    )
    assert [order.order_id for order in orders] == ["D2"], "no order lacks a line"
    assert [(one.number, one.order_id) for one in bad] == [(3, "D1"), (5, "D3"), (6, "D4")]
    assert bad[0].reason.endswith(" Order D1 was left out because of its line 3.")


def test_the_order_of_a_bad_line_is_found_wherever_its_column_stands() -> None:
    orders, bad = read(
        "sku;quantity;order_id;line_id;placed_at",
        f'"A; B";0;D1;L1;{AT}',
        f"A;1;D1;L2;{AT}",
        f"A;0;;L2;{AT}",
        f"A;1;D2;L2;{AT};" + "x" * 200_000,
    )
    assert orders == []
    assert [one.order_id for one in bad] == ["D1", "", "D2"]


def test_an_order_whose_lines_contradict_each_other_is_left_out() -> None:
    (order,), bad = read(
        f"{HEADER},location",
        f"OD2,L1,SHIRT,1,{AT},A",
        f"OD1,L1,SHIRT,1,{AT},A",
        f"OD1,L1,SHIRT,1,{AT},A",
        f"OD1,L1,SHOE,1,{AT},A",
        f"OD1,L2,SHOE,1,{AT},B",
        "OD1,L3,SHOE,1,2026-03-02T00:00:00Z,A",
    )
    assert order.order_id == "OD2"
    assert [(one.number, one.reason.split(" Order ")[0], one.order_id) for one in bad] == [
        (5, "line_id L1 stands on line 3 already, with other values.", "OD1"),
        (6, "location differs from line 3 of the same order.", "OD1"),
        (7, "placed_at differs from line 3 of the same order.", "OD1"),
    ]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("order_id,line_id,sku,qantity,placed_at", "did you mean 'quantity'?"),
        (f"{HEADER},colour", "Unknown column 'colour'; known: order_id"),
        (f"{HEADER},fact.", "Unknown column 'fact.'"),
        ("order_id,line_id,sku", "The header lacks quantity, placed_at."),
        (f"{HEADER},sku", "Column 'sku' stands twice"),
        ("", "The first line is empty"),
    ],
)
def test_an_unusable_header_stops_the_file_at_once(header: str, reason: str) -> None:
    orders, bad = read(header, f"OD1,L1,SHIRT,1,{AT}")
    assert orders == []
    assert [one.number for one in bad] == [1]
    assert reason in bad[0].reason


def test_an_empty_file_is_told() -> None:
    assert [one.number for one in split(read_csv([]))[1]] == [1]


def test_states_past_delivery_cannot_be_imported() -> None:
    orders, bad = read(f"{HEADER},state", f"OD1,L1,SHIRT,1,{AT},RETURNED")
    assert orders == []
    assert "state 'RETURNED' cannot be imported; one of PENDING_VERIFICATION" in bad[0].reason
    assert "DELIVERED, or empty" in bad[0].reason


def test_too_long_a_line_and_too_many_rows() -> None:
    long_line = f"OD2,L1,{'x' * MAX_LINE},1,{AT}"
    orders, bad = read(HEADER, f"OD1,L1,A,1,{AT}", long_line, f"OD3,L1,A,1,{AT}", max_rows=2)
    assert [order.order_id for order in orders] == ["OD1"]
    assert [one.number for one in bad] == [3, 4]
    assert "longer than 1048576" in bad[0].reason
    assert "more than 2 rows" in bad[1].reason
    assert len(bad[0].text) <= 500


def test_blank_lines_are_passed_over_but_counted() -> None:
    orders, bad = read(HEADER, "", ",,,,", f"OD1,L1,A,0,{AT}")
    assert orders == []
    assert bad[0].number == 4


def test_json_lines_keep_the_good_and_tell_the_bad() -> None:
    good = (
        '{"order_id":"OD1","placed_at":"2026-03-01T06:00:00Z","states":{"L1":"PACKED"},'
        '"lines":[{"line_id":"L1","sku":"KIT","quantity":1,"components":["A","B"]}]}'
    )
    lines = [
        good, "", "{", '{"order_id":"OD2"}', good.replace('"order_id"', '"orderid"'),
        good.replace("PACKED", "LOST"), good.replace('"quantity":1', '"quantity":"1"'),
    ]  # fmt: skip
    orders, bad = split(read_jsonl(lines))
    assert [order.order_id for order in orders] == ["OD1"]
    assert orders[0].lines[0].components == ("A", "B")
    assert [one.number for one in bad] == [3, 4, 5, 6, 7]
    assert [one.order_id for one in bad] == ["", "OD2", "", "OD1", "OD1"]
    assert "placed_at" in bad[1].reason
    assert "orderid" in bad[2].reason
    assert "state 'LOST' cannot be imported" in bad[3].reason
    assert "$.lines[0].quantity" in bad[4].reason


def test_json_lines_have_the_same_limits() -> None:
    orders, bad = split(read_jsonl(["{}", "x" * (MAX_LINE + 1), "{}"], max_rows=2))
    assert orders == []
    assert [one.number for one in bad] == [1, 2, 3]
    assert "more than 2 rows" in bad[2].reason
