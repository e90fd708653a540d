"""The panel's report files beside its API: what each of the two tells, and nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from syncd import ReportFile, ReturnType, Status
from syncd.errors import PanelAnswer
from syncd.statuses import Kind
from syncd.testing.conformance import Base, Shop
from syncd_paytm import PaytmSettings
from syncd_paytm.simulator import PaytmSimulator

COLUMNS = {"status": "Status", "occurred_at": "Date", "quantity": "Quantity", "sku": "SKU",
           "placed_at": "Ordered"}  # fmt: skip
HEAD = "Order ID,Item ID,ID,SKU,Status,Date,Quantity"
ONLY_SALES = {"901": "DISPATCHED", "902": "DELIVERED"}


class Paytm(Base):
    channel = "paytm"
    simulator = PaytmSimulator


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Paytm().shop() as shop:
        yield shop


def an_item(shop: Shop, quantity: int = 2) -> tuple[str, str]:
    order = shop.world.place_order([("KURTA", quantity)])
    shop.world.pick_up(order.order_id)
    return order.order_id, order.lines[0].line_id


def row(item: tuple[str, str], word: str, back: str = "", quantity: int = 1) -> str:
    return f"{item[0]},{item[1]},{back},KURTA,{word},20/11/2026 22:00,{quantity}"


def put(shop: Shop, folder: Path, *rows: str, name: str = "panel.csv") -> None:
    """A file that was put into the folder some minutes ago."""
    path = folder / name
    path.write_text("\n".join([HEAD, *rows]) + "\n" if rows else "<html>log in</html>")
    made = shop.clock.now().timestamp()
    os.utime(path, (made, made))
    shop.settle()


def told(rows: list[Any]) -> list[tuple[str, Status, int | None]]:
    return [(one.order_id, one.status, one.quantity) for one in rows]


def hand_in(shop: Shop, text: str, **settings: Any) -> list[Any]:
    """What a file says that is handed in, with these settings of the account."""
    reader = shop.reader(**{"files": {"columns": COLUMNS}, **settings})
    report = ReportFile(name="panel.csv", content=text.encode(), at=shop.clock.now())
    pages = shop.plugin.hooks.read_report(account=reader.account, report=report)
    return [one for page in pages for one in page.rows]


def test_one_account_hears_of_sales_by_the_api_and_of_cancellations_by_files(
    shop: Shop, tmp_path: Path
) -> None:
    sent, gone, other = an_item(shop), an_item(shop), an_item(shop)
    put(shop, tmp_path, row(gone, "Cancelled"), row(other, "Cancelled", quantity=2))
    files = {"folder": str(tmp_path), "columns": COLUMNS}
    reader = shop.reader(status_map=ONLY_SALES, files=files)
    asked = reader.refs([sent[0], gone[0]])

    assert told(reader.read(Kind.CANCELLED, asked)) == [(gone[0], Status.CANCELLED, 1)]
    assert {one.order_id for one in reader.read(Kind.DISPATCHED, asked)} == {sent[0], gone[0]}


def test_what_the_map_of_numbers_tells_is_not_taken_from_a_file_as_well(
    shop: Shop, tmp_path: Path
) -> None:
    item = an_item(shop)
    shop.world.deliver(item[0])
    shop.world.customer_return(item[0], quantity=1)
    put(
        shop, tmp_path, row(item, "Return Requested", "6001"), row(item, "Returned", "6002"),
        row(item, "Return Rejected", "6003"), row(item, "Cancelled"), row(item, "Sold"),
    )  # fmt: skip
    files = {"folder": str(tmp_path), "columns": COLUMNS, "statuses": {"Sold": "DELIVERED"}}

    def by(kind: Kind, **numbers: str) -> list[Any]:
        reader = shop.reader(status_map={**dict(PaytmSimulator.settings(shop.server)["status_map"]),
                                         **numbers}, files=files)  # fmt: skip
        return reader.read(kind, reader.refs([item[0]]))

    backs = by(Kind.RETURNS)
    assert [(one.status, one.return_type, one.return_id) for one in backs] == [
        (Status.RETURN_NOTICED, ReturnType.CIR, "")
    ]
    assert [one.native_status for one in by(Kind.DELIVERED)] == ["902"]
    assert by(Kind.CANCELLED) == []


def test_returns_of_one_kind_may_come_by_numbers_and_those_of_the_other_by_files(
    shop: Shop,
) -> None:
    item = an_item(shop)
    text = "\n".join([HEAD, row(item, "Returned", "61"), row(item, "Return Picked", "62"),
                      row(item, "Gone back", "63")])  # fmt: skip
    words = {"Gone back": "RETURN_WITHDRAWN"}
    rows = hand_in(
        shop,
        text,
        status_map={"9": "RETURNED RTO"},
        files={"columns": COLUMNS, "statuses": words},
    )
    assert [(one.status, one.return_id) for one in rows] == [
        (Status.RETURN_NOTICED, "62"),
        (Status.RETURN_WITHDRAWN, "63"),
    ]


@pytest.mark.parametrize(
    ("number", "word", "taken"),
    [
        ("CANCEL_REQUESTED", "CANCELLED", True),
        ("CANCEL_WITHDRAWN", "CANCELLED", True),
        ("CANCELLED", "CANCELLED", False),
        ("CANCELLED", "CANCEL_REQUESTED", True),
        ("RETURN_NOTICED CIR", "RETURNED CIR", True),
        ("RETURN_NOTICED CIR", "RETURNED RTO", True),
        ("RETURNED CIR", "RETURNED CIR", False),
        ("RETURNED CIR", "RETURN_NOTICED CIR", False),
        ("RETURNED CIR", "RETURN_NOTICED RTO", True),
        ("RETURNED CIR", "RETURN_WITHDRAWN CIR", True),
        ("RETURN_WITHDRAWN", "RETURN_WITHDRAWN CIR", False),
        ("RETURN_WITHDRAWN RTO", "RETURN_WITHDRAWN", False),
        ("RETURN_WITHDRAWN RTO", "RETURN_WITHDRAWN CIR", True),
    ],
)
def test_a_file_tells_what_no_number_tells(shop: Shop, number: str, word: str, taken: bool) -> None:
    item = an_item(shop)
    text = "\n".join([HEAD, row(item, "Ours", "61"), row(item, "Zorg")])
    files = {"columns": COLUMNS, "statuses": {"Ours": word}}
    rows = hand_in(shop, text, status_map={"9": number}, files=files)
    assert ["Ours"] * taken == [one.native_status for one in rows if not one.problem]


def test_a_file_that_tells_only_what_numbers_tell_is_refused_with_their_count(shop: Shop) -> None:
    text = "\n".join([HEAD, row(an_item(shop), "Cancelled"), row(an_item(shop), "Cancelled")])
    with pytest.raises(PanelAnswer, match=r"all that it says \(2 facts\).*status_map"):
        hand_in(shop, text, status_map={"9": "CANCELLED"})


def test_no_order_is_taken_from_a_file_beside_the_api(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Order ID,SKU,Ordered,Quantity\n77,KURTA,20/11/2026 10:00,2\n")
    order, _ = an_item(shop)
    shop.settle()
    files = {"folder": str(tmp_path), "columns": COLUMNS}
    rows = shop.reader(files=files, new_order_states=["901"]).read(Kind.ORDERS)
    assert [one.order_id for one in rows] == [order]
    with pytest.raises(PanelAnswer, match=r"panel\.csv: it says of no order what became"):
        hand_in(shop, path.read_text())


def test_a_word_and_a_file_that_cannot_be_read_are_shown_to_a_person(
    shop: Shop, tmp_path: Path
) -> None:
    item = an_item(shop)
    put(shop, tmp_path, name="page.csv")
    put(shop, tmp_path, row(item, "Teleported"))
    reader = shop.reader(files={"folder": str(tmp_path), "columns": COLUMNS})
    problems = [one.problem for one in reader.read(Kind.RETURNS, reader.refs([item[0]]))]
    assert len(problems) == 2
    assert any("web page" in one for one in problems)
    assert any('"Teleported" is not among the statuses' in one for one in problems)


def test_files_are_read_even_if_the_api_is_dead(shop: Shop, tmp_path: Path) -> None:
    item = an_item(shop)
    put(shop, tmp_path, row(item, "Cancelled"))
    files = {"folder": str(tmp_path), "columns": COLUMNS}
    reader = shop.reader(files=files, status_map={}, merchant_id="no-such")
    pages = reader.pages(Kind.CANCELLED, reader.refs([item[0]]))
    assert told(list(next(pages).rows)) == [(item[0], Status.CANCELLED, 1)]
    with pytest.raises(Exception, match="401"):
        next(pages)


def test_parts_beside_the_api_are_refused() -> None:
    with pytest.raises(ValidationError, match="quantities"):
        PaytmSettings.model_validate({"files": {"quantities": "part"}})


def test_many_orders_are_asked_for_some_at_a_time(shop: Shop) -> None:
    orders = [an_item(shop)[0] for _ in range(51)]
    shop.settle()
    reader = shop.reader()
    rows = reader.read(Kind.DISPATCHED, reader.refs(orders))
    assert sorted(one.order_id for one in rows) == sorted(orders)
    calls = [line.target.count("%2C") for line in shop.server.requests("/v1")]
    assert calls == [49, 0]
