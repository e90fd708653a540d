"""Files that are no table, too large or spoilt; the folder; and the settings."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from syncd import OrderRef, ReportFile, Status
from syncd.errors import PanelAnswer
from syncd_panelfile import CHANNEL, PanelfileSettings, folder as folders, table as tables, workbook

HEAD = "Order ID,Item ID,SKU,Qty,Status,Updated On,AWB"
ROW = "O1,L1,MUG,2,Shipped,19/11/2026 09:00,AWB1"
TEXT = f"{HEAD}\n{ROW}\n"


def packed(**parts: bytes) -> bytes:
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/"), content)
    return data.getvalue()


def far_cell() -> bytes:
    """A workbook of five kilobytes whose last cell is the last one that a sheet may have."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEAD.split(","))
    sheet.append(ROW.split(","))
    sheet["XFD1048576"] = "x"
    data = BytesIO()
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"  \n\n ", "empty"),
        (b"<html><table><tr><td>Order ID</td></tr></table></html>", "web page"),
        (b'{"orders": []}', "JSON"),
        (b"\xd0\xcf\x11\xe0 old workbook", "old or a locked Excel"),
        (b"PK\x03\x04 broken", "damaged"),
        (packed(readme=b"hello"), "zip file that is no XLSX"),
        (packed(xl__workbook=b"<x/>"), "damaged"),
        (b"Order ID\0\0\0,Status", "zero bytes"),
        (b"\x81\x8d\x8f", "no text"),
        (b"Name,City\nA,B\n", 'no column "Order ID"'),
        (b"Order Id No,State\n1,Shipped\n", 'the nearest is "Order Id No"'),
        (b"Order ID,State\n1,Shipped\n", 'no column "Status" (the nearest is "State")'),
        (b"Order ID,Status,status\n1,Shipped,x\n", "more than one column"),
    ],
)
def test_what_is_no_report_is_refused_with_what_was_expected(
    shop: Any, content: bytes, said: str
) -> None:
    with pytest.raises(PanelAnswer) as refused:
        shop.hand_in(content, "x.csv")
    assert str(refused.value).startswith("x.csv: ")
    assert said in str(refused.value)


def test_a_missing_column_names_what_is_there(shop: Any) -> None:
    with pytest.raises(PanelAnswer, match="It has: Name, City"):
        shop.hand_in("Name,City\nA,B\n")


def test_the_last_cell_of_a_sheet_costs_neither_memory_nor_time(shop: Any) -> None:
    assert [row.order_id for row in shop.hand_in(far_cell(), "x.xlsx")] == ["O1"]


def test_a_zip_bomb_is_not_unpacked(shop: Any) -> None:
    bomb = packed(xl__workbook=b"<x/>", xl__sheet=b" " * (workbook.MAX_UNPACKED + 1))

    assert len(bomb) < 1_000_000
    with pytest.raises(PanelAnswer, match="unpacked it is larger than 128 MiB"):
        shop.hand_in(bomb, "x.xlsx")


def test_a_workbook_of_very_many_parts_is_not_opened(shop: Any) -> None:
    parts = {f"xl__{n}": b"" for n in range(workbook.MAX_PARTS + 1)}

    with pytest.raises(PanelAnswer, match="parts is not read"):
        shop.hand_in(packed(**parts), "x.xlsx")


def test_a_zip_that_lies_about_a_size_is_damaged(shop: Any) -> None:
    whole = bytearray(packed(xl__workbook=b"<x/>" * 100))
    at = whole.rindex(b"PK\x01\x02") + 24  # the size that the directory tells
    whole[at : at + 4] = (8).to_bytes(4, "little")

    with pytest.raises(PanelAnswer, match="damaged"):
        shop.hand_in(bytes(whole), "x.xlsx")


def test_a_sheet_that_ends_in_the_middle_is_damaged(shop: Any) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEAD.split(","))
    data = BytesIO()
    book.save(data)
    cut = BytesIO()
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(cut, "w") as new:
        for part in old.infolist():
            content = old.read(part)
            if "sheet1" in part.filename:
                content = content[: content.index(b"</row>")]
            new.writestr(part.filename, content)

    with pytest.raises(PanelAnswer, match="damaged"):
        shop.hand_in(cut.getvalue(), "x.xlsx")


def test_a_large_file_and_a_long_one_are_refused(shop: Any) -> None:
    with pytest.raises(PanelAnswer, match="larger than 32 MiB"):
        shop.hand_in(b"x" * (tables.MAX_BYTES + 1))
    rows = shop.hand_in(HEAD + "\n" + ",\n" * (tables.MAX_LINES + 1))
    assert "more than 250000 lines" in rows[-1].problem


def test_a_file_of_orders_that_is_too_long_is_not_taken_in_parts(shop: Any) -> None:
    row = "O1,L1,MUG,1,19/11/2026\n"
    (order,) = shop.hand_in("Order ID,Item ID,SKU,Qty,Ordered On\n" + row * (tables.MAX_LINES + 1))

    assert order.lines == ()
    assert "more than 250000 lines" in order.problem


def test_a_fixed_encoding_and_delimiter_are_obeyed(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(encoding="cp1252", delimiter=";")

    assert len(shop.hand_in(TEXT.replace(",", ";"))) == 1
    with pytest.raises(PanelAnswer, match="no column"):
        shop.hand_in(TEXT)
    utf16 = open_shop(encoding="utf-16")
    assert len(utf16.hand_in(TEXT.encode("utf-16-le"))) == 1


# The folder -----------------------------------------------------------------------------------


def test_files_of_the_window_are_read_oldest_first(shop: Any) -> None:
    shop.put(TEXT.replace("O1", "O2"), "b.csv", minutes_ago=20)
    shop.put(TEXT, "c.csv", minutes_ago=30)
    shop.put(TEXT.replace("O1", "O3"), "a.csv", minutes_ago=300)

    assert [row.order_id for row in shop.read("dispatched", hours=1)] == ["O1", "O2"]
    assert [row.order_id for row in shop.read("dispatched")] == ["O3", "O1", "O2"]


def test_the_same_file_twice_is_the_same_facts(shop: Any) -> None:
    shop.put(TEXT, "a.csv", minutes_ago=30)
    shop.put(TEXT, "a (1).csv", minutes_ago=20)

    assert len({row.evidence_id for row in shop.read("dispatched")}) == 1


def test_by_orders_gives_the_same_facts_as_by_window(shop: Any) -> None:
    shop.put(TEXT + "O2,L2,MUG,1,Delivered,,\nO3,L3,MUG,1,Nope,,\n")
    by_window = {row.evidence_id: row for row in shop.all()}
    refs = [OrderRef(order_id=one) for one in ("O1", "O2", "O3")]

    assert {row.evidence_id: row for row in shop.all(refs)} == by_window
    assert [row.order_id for row in shop.all(refs[2:])] == ["O3"]


def test_a_file_that_is_still_written_to_is_left_to_the_next_pass(shop: Any) -> None:
    path = shop.put(TEXT, minutes_ago=0)
    assert shop.read("dispatched") == []

    shop.date(path, 6 / 60)
    assert len(shop.read("dispatched")) == 1


def test_what_a_browser_or_excel_leaves_there_is_not_read(shop: Any) -> None:
    for name in ("x.csv.crdownload", "x.part", "~$x.xlsx", ".x.csv", "photo.png"):
        shop.put(TEXT, name)
    (shop.folder / "old.csv").mkdir()

    assert shop.all() == []


def test_a_file_that_is_no_table_is_one_row_for_a_person(shop: Any) -> None:
    shop.put("<html>log in</html>", "bad.csv")
    shop.put(TEXT, "good.csv")
    rows = shop.all()

    assert [row.status for row in rows] == [Status.UNKNOWN, Status.DISPATCHED]
    assert "bad.csv: it is a web page" in rows[0].problem
    assert shop.read("orders") == []


def test_a_folder_that_is_not_there_is_told(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(folder="/no/such/folder")

    with pytest.raises(PanelAnswer, match="cannot be read: No such file"):
        shop.read("dispatched")


def test_a_file_that_may_not_be_read_or_has_gone(shop: Any) -> None:
    path = shop.put(TEXT)
    one = folders.Arrived(path, shop.clock.now(), shop.clock.now())
    path.unlink()
    assert folders.opened(one) is None
    os.mkfifo(path)
    assert shop.all() == []  # a pipe is no report, and is not waited for
    path.unlink()
    path.mkdir()
    with pytest.raises(PanelAnswer, match="cannot be read"):
        folders.opened(one)


def test_a_folder_without_end_is_told(shop: Any) -> None:
    for n in range(folders.MAX_FILES + 1):
        (shop.folder / f"{n}.csv").touch()

    with pytest.raises(PanelAnswer, match="more than 5000 files"):
        shop.read("dispatched")


def test_without_a_folder_files_come_by_hand_alone(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(folder="")

    assert shop.read("dispatched") == []
    assert len(shop.hand_in(TEXT)) == 1


def test_many_rows_come_in_pages(shop: Any) -> None:
    shop.put(HEAD + "\n" + "".join(f"O{n},L{n},MUG,1,Shipped,,\n" for n in range(1_001)))
    window = folders.Window(shop.clock.now().replace(year=2025), shop.clock.now())
    pages = list(CHANNEL.fetch_dispatched(shop.account, window, (), shop.panel))

    assert [len(page.rows) for page in pages] == [500, 500, 1]


def test_orders_of_a_folder_come_in_full_or_by_name(shop: Any) -> None:
    shop.put("Order ID,SKU,Ordered On\nO1,MUG,19/11/2026\nO2,CAP,19/11/2026\n")

    assert [row.order_id for row in shop.read("orders")] == ["O1", "O2"]
    assert [r.order_id for r in shop.read("orders", [OrderRef(order_id="O2")])] == ["O2"]


def test_a_report_needs_the_time_of_its_handing_in(shop: Any) -> None:
    report = ReportFile(name="x.csv", content=TEXT.encode())

    with pytest.raises(PanelAnswer, match="when it was handed in"):
        list(CHANNEL.read_report(shop.account, report))


# Who ships, and settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "word", "ships"),
    [
        ({}, "", True),
        ({}, "Self", False),
        ({}, "SELF ", False),
        ({}, "never heard", True),
        ({"ships": "seller"}, "", False),
        ({"ships": "seller", "ships_words": {"TSHIP": "channel"}}, "tship", True),
        ({"preset": "tatacliq", "ships_words": {}}, "SSHIP", False),
        ({"preset": "tatacliq", "ships_words": {}}, "TSHIP", True),
    ],
)
def test_who_ships(
    open_shop: Callable[..., Any], settings: dict[str, Any], word: str, ships: bool
) -> None:
    shop = open_shop(**settings)
    order = OrderRef(order_id="O1", facts={"ships": word} if word else {})

    assert CHANNEL.provides_shipping(shop.account, order) is ships


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "without columns"),
        ({"preset": "shopclues"}, 'without columns.*columns = { order_id = "Order ID", status'),
        ({"columns": {"sku": "Code"}}, 'order_id = "Order ID", status = "Status", sku = "Code"'),
        ({"preset": "paytm", "base_url": "https://a.example"}, "nobody is called.*Take it out"),
        ({"columns": {"order_id": "A", "quantity": "B"}}, "needs a line_id or a sku"),
        ({"columns": {"orderid": "A"}}, "order_id"),
        ({"preset": "paytm", "folder": "reports"}, "begins with /"),
        ({"preset": "paytm", "time_zone": "India"}, "no time zone"),
        ({"preset": "paytm", "statuses": {"X": "SHIPPED"}}, "must be"),
        ({"preset": "elsewhere"}, "paytm"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PanelfileSettings(**settings)


def test_own_words_come_before_the_presets(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(
        preset="paytm",
        columns={"status": "State", "order_id": "OID"},
        statuses={"returned": "LOST", "Sent": "DISPATCHED"},
        return_types={},
    )
    rows = shop.hand_in(
        "OID,Item ID,State\nO1,1,Returned\nO2,2,sent\nO3,3,Return Picked\nO4,4,Return Rejected\n"
    )

    assert [row.status for row in rows] == [
        Status.LOST, Status.DISPATCHED, Status.RETURN_NOTICED, Status.RETURN_WITHDRAWN,
    ]  # fmt: skip


@pytest.mark.parametrize("preset", ["paytm", "shopclues", "snapdeal", "tatacliq"])
def test_no_preset_knows_a_column_of_states_or_of_kinds(preset: str) -> None:
    columns = PanelfileSettings(preset=preset, columns={"order_id": "Order ID"}).plan().columns

    assert not {"status", "occurred_at", "placed_at", "return_type", "ships"} & columns.keys()


def test_a_preset_with_the_columns_named_reads_a_file(open_shop: Callable[..., Any]) -> None:
    shop = open_shop(
        preset="tatacliq", statuses={"Gone": "DISPATCHED"}, ships_words={}, return_types={},
        columns={"status": "State", "ships": "Fulfilment"},
    )  # fmt: skip
    told = shop.hand_in("Order ID,Transaction ID,State,Fulfilment,AWB\nO1,T1,Gone,SSHIP,A1\n")

    (row,) = told
    assert (row.order_id, row.line_id, row.tracking_number) == ("O1", "T1", "A1")
    order = OrderRef(order_id="O1", facts=row.facts)
    assert CHANNEL.provides_shipping(shop.account, order) is False


def test_codes_of_shopclues_are_read_from_a_column_that_is_named(
    open_shop: Callable[..., Any],
) -> None:
    columns = {"order_id": "Order", "status": "Code", "tracking_number": "AWB"}
    shop = open_shop(preset="shopclues", statuses={}, return_types={}, columns=columns)
    rows = shop.hand_in("Order,Code,AWB\n1,PP,A\n2,DL,B\n3,RTO-OT,C\n4,RTD,D\n5,Q,E\n6,Z,F\n")

    assert [(row.order_id, row.status) for row in rows] == [
        ("1", Status.DISPATCHED), ("2", Status.DELIVERED), ("3", Status.RETURN_NOTICED),
        ("4", Status.RETURNED), ("6", Status.UNKNOWN),
    ]  # fmt: skip


def test_every_preset_reads_its_own_words() -> None:
    for name in ("paytm", "shopclues", "snapdeal", "tatacliq", "wooplr", "voonik"):
        settings = PanelfileSettings(preset=name, columns={"order_id": "Order ID"})
        assert settings.plan().columns["order_id"] == "Order ID"
    assert CHANNEL.describe_channel().unverified
