"""What a file says becomes facts; a line that cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook

from syncd import NewOrder, ReturnType, Status
from syncd.errors import PanelAnswer

HEAD = "Order ID,Item ID,SKU,Qty,Status,Updated On,AWB"
ROW = "O1,L1,MUG,2,Shipped,21/11/2026 09:00,AWB1"


def table(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows, ""])


def xlsx(*rows: list[Any], title: str = "") -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    if title:
        sheet.append([title])
    sheet.append(HEAD.split(","))
    for row in rows:
        sheet.append(row)
    data = BytesIO()
    book.save(data)
    return data.getvalue()


def test_a_row_becomes_a_dated_fact_that_counts_the_line(shop: Any) -> None:
    (fact,) = shop.hand_in(table(ROW))

    assert (fact.order_id, fact.line_id, fact.sku) == ("O1", "L1", "MUG")
    assert (fact.status, fact.native_status) == (Status.DISPATCHED, "Shipped")
    assert (fact.quantity, fact.cumulative) == (2, True)
    assert fact.occurred_at == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)  # 09:00 in India
    assert fact.tracking_number == "AWB1"
    assert not fact.problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_encoding_and_delimiter_reads_alike(shop: Any, encoding: str, delimiter: str) -> None:
    plain = shop.hand_in(table(ROW))
    text = table(ROW).replace(",", delimiter)

    assert shop.hand_in(text.encode(encoding)) == plain


def test_letters_of_old_windows_files_are_read(shop: Any) -> None:
    rows = shop.hand_in(table("O1,L1,CAFÉ,1,Shipped,,").encode("cp1252"))

    assert rows[0].sku == "CAFÉ"


def test_the_header_may_stand_under_a_title_and_in_other_case(shop: Any) -> None:
    text = f"My Shop - Report\n\n{HEAD.upper().replace(' ', '  ')}\n{ROW}\n"

    assert [row.order_id for row in shop.hand_in(text)] == ["O1"]


@pytest.mark.parametrize("wrapped", ['"=""O1"""', "'O1", "\tO1 ", "=O1"])
def test_what_excel_puts_around_an_id_is_taken_away(shop: Any, wrapped: str) -> None:
    assert shop.hand_in(table(f"{wrapped},L1,MUG,1,Shipped,,"))[0].order_id == "O1"


@pytest.mark.parametrize("spoilt", ["1.23E+17", "1,23E+17", "9E+15", "#####", "#N/A"])
def test_an_id_that_excel_has_spoilt_is_refused_with_its_line(shop: Any, spoilt: str) -> None:
    bad, good = shop.hand_in(table(f'"{spoilt}",L1,MUG,1,Shipped,,', ROW))

    assert bad.status is Status.UNKNOWN
    assert bad.problem.startswith("Line 2 of the file: the id")
    assert spoilt in bad.problem
    assert good.order_id == "O1"


def test_ids_of_a_workbook_are_whole_or_refused(shop: Any) -> None:
    when = datetime(2026, 11, 21, 9, 0)
    data = xlsx(
        ["O1", 123456789012345, "MUG", 2, "Shipped", when, None],
        [1234567890123456789, "L1", "MUG", 1, "Shipped", when, None],
        ["O3", 12.5, "MUG", 1, "Shipped", when, None],
        ["O4", when, "MUG", 1, "Shipped", when, None],
    )
    good, rounded, fraction, day = shop.hand_in(data, "report.xlsx")

    assert good.line_id == "123456789012345"
    assert good.occurred_at == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
    assert "rounded" in rounded.problem
    assert "fraction" in fraction.problem
    assert "date" in day.problem


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-11-21T09:00:00+05:30", 3.5), ("2026-11-21 09:00:00", 3.5),
        ("2026-11-21T03:30:00Z", 3.5),
        ("21/11/2026 09:00", 3.5), ("21-11-26 9:00 AM", 3.5), ("21-Nov-2026 21:00:00", 15.5),
        ("21 November 2026 09:00 pm", 15.5), ("2026/11/21 09:00", 3.5), ("46347.375", 3.5),
    ],
)  # fmt: skip
def test_times_in_every_style(shop: Any, written: str, hour: float) -> None:
    (fact,) = shop.hand_in(table(f'O1,L1,MUG,1,Shipped,"{written}",'))

    assert not fact.problem
    moment = fact.occurred_at
    assert (moment.day, moment.hour + moment.minute / 60) == (21, hour)


def test_day_or_month_first_is_the_sellers_word(open_shop: Callable[..., Any]) -> None:
    text = table("O1,L1,MUG,1,Shipped,03/04/2026 12:00,")

    assert open_shop().hand_in(text)[0].occurred_at.month == 4
    assert open_shop(dates="month_first").hand_in(text)[0].occurred_at.month == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",L1,MUG,1,Shipped,,", "no order id"),
        ("O1,L1,MUG,1,,,", "status is empty"),
        ("O1,L1,MUG,1,Teleported,,", '"Teleported" is not among the statuses'),
        ("O1,L1,MUG,0,Shipped,,", 'quantity "0"'),
        ("O1,L1,MUG,1.5,Shipped,,", 'quantity "1.5"'),
        ("O1,L1,MUG,1,Shipped,31/31/2026,", "time"),
        ("O1,L1,MUG,1,Shipped,1970-01-01,", "time"),
        ("O1,L1,MUG,1,Shipped,21 Anf 2026,", "time"),
        ("O1,L1,MUG,1,Shipped,21/11/2026 13:00 pm,", "time"),
        ("O1,L1,MUG,1,Shipped,,A,B,C", "more cells"),
        (f"{'O' * 201},L1,MUG,1,Shipped,,", "longer than 200"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_costs_nothing_else(
    shop: Any, row: str, said: str
) -> None:
    bad, good = shop.hand_in(table(row, ROW))

    assert bad.status is Status.UNKNOWN
    assert bad.problem.startswith("Line 2 of the file")
    assert said in bad.problem
    assert bad.raw
    assert good.status is Status.DISPATCHED


def test_an_open_quote_costs_the_rest_and_says_where(shop: Any) -> None:
    rows = shop.hand_in(table(ROW, '"O2,L1,MUG,' + "x" * 140_000))

    assert rows[0].order_id == "O1"
    assert "Line 3" in rows[1].problem


def test_buyers_are_not_in_what_is_kept_of_a_bad_row(shop: Any) -> None:
    text = table("O1,L1,MUG,1,Nope,,,A Buyer,Some Street", head=HEAD + ",Name,Address")

    assert "Buyer" not in shop.hand_in(text)[0].raw


@pytest.mark.parametrize("last", ["Total,,,5,,,", "Grand Total: 5", "total orders = 5,,", ",,,,,,"])
def test_lines_of_totals_and_empty_lines_say_nothing(shop: Any, last: str) -> None:
    assert len(shop.hand_in(table(ROW, last))) == 1


def test_equal_rows_are_one_fact_and_other_rows_another(shop: Any) -> None:
    rows = shop.hand_in(table(ROW, ROW, ROW.replace(",2,", ",3,")))

    assert [row.quantity for row in rows] == [2, 3]
    assert len({row.evidence_id for row in rows}) == 2


def test_the_files_name_and_the_line_are_no_part_of_a_facts_name(shop: Any) -> None:
    first = shop.hand_in(table(ROW), "a.csv")
    second = shop.hand_in(table("O9,L9,MUG,1,Delivered,,", ROW), "b.csv")

    assert first[0].evidence_id == second[1].evidence_id


def test_a_row_without_a_time_is_dated_by_its_file_but_named_without_it(shop: Any) -> None:
    (first,) = shop.hand_in(table("O1,L1,MUG,1,Cancelled,,"))
    assert first.occurred_at == shop.clock.now()
    shop.put(table("O1,L1,MUG,1,Cancelled,,"), minutes_ago=60)
    (second,) = shop.read("cancelled")

    assert second.occurred_at < first.occurred_at
    assert second.evidence_id == first.evidence_id


def test_quantities_may_be_parts_by_the_sellers_word(open_shop: Callable[..., Any]) -> None:
    (fact,) = open_shop(quantities="part").hand_in(table(ROW.replace("AWB1", "")))

    assert (fact.quantity, fact.cumulative) == (2, False)


def test_equal_rows_of_a_file_are_parts_by_the_sellers_word_and_the_file_again_is_none(
    open_shop: Callable[..., Any],
) -> None:
    shop = open_shop(quantities="part")
    row = ROW.replace("AWB1", "")
    rows = shop.hand_in(table(row, row))
    again = shop.hand_in(table(row, row), "later.csv")
    fewer = shop.hand_in(table(row), "latest.csv")

    assert [row.quantity for row in rows] == [2, 2]
    assert len({row.evidence_id for row in rows}) == 2
    assert [row.evidence_id for row in again] == [row.evidence_id for row in rows]
    assert [row.evidence_id for row in fewer] == [rows[0].evidence_id]


def test_rows_that_cannot_be_read_are_no_parts(
    open_shop: Callable[..., Any],
) -> None:
    shop = open_shop(quantities="part")
    odd = "O1,L1,MUG,1,Zorg,,"

    assert len(shop.hand_in(table(odd, odd))) == 1


def test_a_return_has_its_type_its_own_parcel_and_its_own_count(shop: Any) -> None:
    head = HEAD + ",Return ID,Return Type"
    rows = shop.hand_in(
        table(
            "O1,L1,MUG,1,Back,,BACK1,R1,Customer",
            "O2,L1,MUG,1,RTO in transit,,BACK2,,",
            "O3,L1,MUG,1,Back,,,R3,Boomerang",
            "O4,L1,MUG,1,Dropped,,,R4,RTO",
            head=head,
        )
    )

    assert (rows[0].return_type, rows[0].return_id) == (ReturnType.CIR, "R1")
    assert rows[0].tracking_number == ""
    assert rows[0].facts["tracking"] == "BACK1"
    assert not rows[0].cumulative
    assert rows[1].return_type is ReturnType.RTO
    assert "Boomerang" in rows[2].problem
    assert rows[3].status is Status.RETURN_WITHDRAWN


def test_a_file_without_states_says_one_by_its_name(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(file_statuses={"*Cancelled*": "CANCELLED"})
    text = table("O1,L1", head="Order ID,Item ID")

    assert shop.hand_in(text, "2026-11 cancelled.csv")[0].status is Status.CANCELLED
    with pytest.raises(PanelAnswer, match="neither what became"):
        shop.hand_in(text, "others.csv")


# Orders ---------------------------------------------------------------------------------------

ORDERS = "Order ID,Item ID,SKU,Qty,Ordered On,Warehouse,Ships"


def test_orders_are_put_together_from_their_lines(shop: Any) -> None:
    rows = shop.hand_in(
        table(
            "O1,L1,MUG,2,21/11/2026 09:00,W1,Self",
            "O2,L3,CAP,1,21/11/2026,W1,",
            "O1,L2,CAP,,21/11/2026 08:00,W1,Self",
            "O1,L1,MUG,2,21/11/2026 09:00,W1,Self",
            head=ORDERS,
        )
    )

    assert all(isinstance(row, NewOrder) for row in rows)
    first, second = rows
    assert [(line.line_id, line.sku, line.quantity) for line in first.lines] == [
        ("L1", "MUG", 2), ("L2", "CAP", 1),
    ]  # fmt: skip
    assert first.placed_at == datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
    assert first.location_id == "W1"
    assert first.facts == {"ships": "Self"}
    assert second.order_id == "O2"


def test_rows_of_orders_are_parts_by_the_sellers_word(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(quantities="part")
    mug, two = "O1,,MUG,,21/11/2026,,", "O1,L2,CAP,2,21/11/2026,,"
    (order,) = shop.hand_in(table(mug, two, mug, two, mug, head=ORDERS))

    assert [(line.line_id, line.quantity) for line in order.lines] == [("MUG", 3), ("L2", 4)]


def test_equal_rows_without_line_id_and_quantity_are_asked_about(shop: Any) -> None:
    mug = "O1,,MUG,,21/11/2026,,"
    (order,) = shop.hand_in(table(mug, mug, head=ORDERS))

    assert order.lines == ()
    assert "MUG stands there twice" in order.problem
    assert 'quantities = "part"' in order.problem


def test_one_piece_in_two_states_is_one_piece(shop: Any) -> None:
    head = HEAD + ",Ordered On"
    rows = ["O1,,MUG,,Shipped,,,20/11/2026", "O1,,MUG,,Delivered,,,20/11/2026"]
    order, *facts = shop.hand_in(table(*rows, head=head))

    assert [line.quantity for line in order.lines] == [1]
    assert [fact.status for fact in facts] == [Status.DISPATCHED, Status.DELIVERED]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("O1,L1,MUG,3,21/11/2026,,", "stands there twice"),
        ("O1,L2,,1,21/11/2026,,", "no SKU"),
        ("O1,L2,CAP,1,,,", "when the order was placed"),
        ("O1,L2,CAP,x,21/11/2026,,", "quantity"),
    ],
)
def test_an_order_with_a_bad_line_is_not_taken_in_parts(shop: Any, row: str, said: str) -> None:
    rows = shop.hand_in(
        table("O1,L1,MUG,1,21/11/2026,,", row, "O2,L9,CAP,1,21/11/2026,,", head=ORDERS)
    )

    assert (rows[0].lines, rows[0].raw != "") == ((), True)
    assert said in rows[0].problem
    assert "Line 3" in rows[0].problem
    assert rows[1].order_id == "O2"
    assert not rows[1].problem


def test_one_file_may_tell_of_orders_and_of_states(shop: Any) -> None:
    head = HEAD + ",Ordered On"
    rows = shop.hand_in(table(ROW + ",20/11/2026", ",L2,MUG,1,Shipped,,,20/11/2026", head=head))

    order, fact, bad = rows
    assert isinstance(order, NewOrder)
    assert fact.status is Status.DISPATCHED
    assert "no order id" in bad.problem  # told once, not as an order as well
