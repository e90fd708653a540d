"""Returns: parcels that turn back, reports of three types, External Fulfillment."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd import OrderRef, ReturnType, Status
from syncd.errors import PanelAnswer, PanelBusy
from syncd.testing import Fault
from syncd_amazon.settings import FBA_RETURNS, FLAT_RETURNS, XML_RETURNS
from syncd_amazon.simulator_returns import external_id
from syncd_amazon.statuses import RETURN_STATUS

REPORTS = "/reports/2021-06-30/reports"
DOCUMENTS = "/reports/2021-06-30/documents"


def _sent_back(shop: Any, clock: Any, quantity: int = 1, **more: Any) -> Any:
    order = shop.world.place_order([("0.5kg cs 1", quantity)], **more)
    shop.world.pick_up(order.order_id)
    shop.world.deliver(order.order_id)
    clock.advance(timedelta(hours=1))
    (back,) = shop.world.customer_return(order.order_id)
    clock.advance(timedelta(hours=1))
    return back


@pytest.fixture
def document(shop: Any) -> Callable[[str], None]:
    """Puts a text in place of the next report's content."""
    return lambda text: shop.faults.add(Fault(do="body", path="/simulated-store/*", body=text))


@pytest.mark.parametrize("kind", [FLAT_RETURNS, XML_RETURNS])
@pytest.mark.parametrize("packed", [True, False])
def test_a_request_is_a_notice(kit: Any, shop: Any, clock: Any, kind: str, packed: bool) -> None:
    shop.reports.packed = packed
    back = _sent_back(shop, clock, 2)

    (change,) = kit.reader(shop, return_reports=[kind]).read("returns")

    assert change.status is Status.RETURN_NOTICED
    assert change.return_type is ReturnType.CIR
    assert (change.order_id, change.sku) == (back.order_id, "0.5kg cs 1")
    assert (change.quantity, change.cumulative) == (2, False)
    assert change.return_id == back.return_id
    assert change.facts["returnTracking"] == back.tracking_number
    assert change.occurred_at >= back.created_at


def test_a_delivery_date_says_that_it_is_back(seller: Any, shop: Any, clock: Any) -> None:
    back = _sent_back(shop, clock)
    (first,) = seller.read("returns")
    shop.world.return_event(back.return_id, "completed")
    clock.advance(timedelta(minutes=10))

    (change,) = seller.read("returns")

    assert (first.status, change.status) == (Status.RETURN_NOTICED, Status.RETURNED)
    assert first.evidence_id != change.evidence_id
    assert change.occurred_at >= first.occurred_at


def test_a_withdrawn_return_needs_the_sellers_word(kit: Any, shop: Any, clock: Any) -> None:
    back = _sent_back(shop, clock)
    shop.world.return_event(back.return_id, "cancelled")

    (told,) = kit.reader(shop).read("returns")
    (unset,) = kit.reader(shop, return_statuses={"Approved": "RETURN_NOTICED"}).read("returns")

    assert told.status is Status.RETURN_WITHDRAWN
    assert unset.status is Status.UNKNOWN
    assert "return_statuses" in unset.problem
    assert back.order_id in unset.raw


def test_the_same_report_read_twice_gives_the_same(seller: Any, shop: Any, clock: Any) -> None:
    _sent_back(shop, clock)

    assert seller.read("returns") == seller.read("returns")


def test_no_data_is_an_empty_success(seller: Any, shop: Any) -> None:
    assert seller.read("returns") == []
    assert seller.memory.texts == {}


def test_a_report_in_the_making_is_waited_for(kit: Any, clock: Any) -> None:
    shop = kit.shop(report_seconds=30)
    _sent_back(shop, clock)

    assert len(kit.reader(shop, report_poll=10).read("returns")) == 1
    assert len(shop.requests(f"{REPORTS}/")) == 4


def test_a_pending_report_is_taken_up_by_the_next_pass(kit: Any, clock: Any) -> None:
    shop = kit.shop(report_seconds=1000)
    _sent_back(shop, clock)
    seller = kit.reader(shop, report_wait=60, report_poll=20)

    with pytest.raises(PanelBusy, match="next pass takes it up"):
        seller.read("returns")
    restarted = kit.reader(shop, report_wait=60)
    restarted.memory = seller.memory
    clock.advance(timedelta(minutes=40))
    rows = restarted.read("returns")

    assert len(rows) == 1
    assert len(shop.reports.made) == 1
    assert seller.memory.texts == {}


def test_a_report_pending_for_hours_is_given_up(kit: Any, clock: Any) -> None:
    shop = kit.shop(report_seconds=1000)
    _sent_back(shop, clock)
    seller = kit.reader(shop, report_wait=0)
    with pytest.raises(PanelBusy):
        seller.read("returns")
    clock.advance(timedelta(hours=3))
    with pytest.raises(PanelBusy):
        seller.read("returns")

    assert len(shop.reports.made) == 2


def test_a_pending_report_that_is_too_short_is_not_used(kit: Any, clock: Any) -> None:
    shop = kit.shop(report_seconds=10)
    _sent_back(shop, clock)
    seller = kit.reader(shop, report_wait=0, returns_days=1)
    with pytest.raises(PanelBusy):
        seller.read("returns", hours=1)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(PanelBusy):
        seller.read("returns", hours=24 * 20)
    assert len(shop.reports.made) == 2


@pytest.mark.parametrize("text", ["", "7", '{"id": 7}'])
def test_a_damaged_memory_asks_anew(seller: Any, shop: Any, clock: Any, text: str) -> None:
    _sent_back(shop, clock)
    seller.memory.remember(f"report/{FLAT_RETURNS}", text)

    assert len(seller.read("returns")) == 1


def test_a_report_that_the_panel_forgot_is_asked_for_again(
    seller: Any, shop: Any, clock: Any
) -> None:
    _sent_back(shop, clock)
    asked = {"id": "1", "start": "2026-01-01T00:00:00Z", "end": "2026-11-20T00:00:00Z"}
    seller.memory.remember(f"report/{FLAT_RETURNS}", json.dumps(asked))

    assert len(seller.read("returns")) == 1


def test_a_failed_report_is_told_and_not_kept(seller: Any, shop: Any, clock: Any) -> None:
    _sent_back(shop, clock)
    shop.reports.fatal = True

    with pytest.raises(PanelAnswer) as caught:
        seller.read("returns")

    assert caught.value.code == "report_failed"
    assert seller.memory.texts == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [("no gzip", "panel_malformed"), ("", "panel_malformed")],
)
def test_a_broken_document_is_an_error(
    seller: Any, shop: Any, clock: Any, document: Any, body: str, code: str
) -> None:
    _sent_back(shop, clock)
    document(body)

    with pytest.raises(PanelAnswer) as caught:
        seller.read("returns")

    assert caught.value.code == code


def _as_utf_16(text: str, name: str) -> str:
    """As a fault carries bytes that are no UTF-8."""
    return text.encode(name).decode("utf-8", "surrogateescape")


def test_a_report_of_nothing_is_no_error(kit: Any, shop: Any, clock: Any, document: Any) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    document("<Message>\n</Message>")

    assert kit.reader(shop, return_reports=[XML_RETURNS]).read("returns") == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FLAT_RETURNS, "sku\tasin\nA\tB\n"),
        (FBA_RETURNS, "Order ID\tReturn quantity\n"),
        (FLAT_RETURNS, ""),
        (XML_RETURNS, "<Message><return_details>"),
        (XML_RETURNS, '<!DOCTYPE a [<!ENTITY b "c">]><Message/>'),
        (XML_RETURNS, _as_utf_16('<!DOCTYPE a [<!ENTITY b "c">]><Message/>', "utf-16")),
        (XML_RETURNS, _as_utf_16('<!DOCTYPE a [<!ENTITY b "c">]><Message/>', "utf-16-le")),
        (XML_RETURNS, "<error>no such report</error>"),
        (XML_RETURNS, '<r xmlns="urn:other"><return_details/></r>'),
    ],
)
def test_another_report_than_asked_for_is_an_error(
    kit: Any, shop: Any, clock: Any, document: Any, kind: str, text: str
) -> None:
    """One seller got the wrong content under this type."""
    shop.reports.packed = False
    more = {"traits": {"fulfillment": "AFN"}} if kind == FBA_RETURNS else {}
    back = _sent_back(shop, clock, **more)
    shop.world.return_event(back.return_id, "completed")
    document(text)

    with pytest.raises(PanelAnswer) as caught:
        kit.reader(shop, return_reports=[kind]).read("returns")

    assert caught.value.code == "report_misshapen"


def _flat(**more: str) -> str:
    row = {
        "ORDER-ID": "403-1", "Return request date": "16-Nov-2026", "amazon rma id": "D1RRMA",
        "Return request status": "Approved", "Merchant SKU": "A\"1", "Return Quantity": "1",
        "Return type": "C-Returns", "Return delivery date": "", **more,
    }  # fmt: skip
    return "\t".join(row) + "\r\n" + "\t".join(row.values()) + "\r\n\r\n"


@pytest.mark.parametrize(
    ("more", "status", "kind"),
    [
        ({}, "RETURN_NOTICED", "CIR"),
        ({"Return delivery date": "19-Nov-2026"}, "RETURNED", "CIR"),
        ({"Return type": "Rejected"}, "RETURN_NOTICED", "RTO"),
        ({"Return type": ""}, "UNKNOWN", None),
        ({"Return type": "Teleport"}, "UNKNOWN", None),
        ({"Return Quantity": "many"}, "UNKNOWN", None),
        ({"Return Quantity": "0"}, "UNKNOWN", None),
        ({"ORDER-ID": ""}, "UNKNOWN", None),
        ({"Return request date": "soon"}, "UNKNOWN", None),
    ],
)
def test_a_row_of_the_flat_file(
    seller: Any, shop: Any, clock: Any, document: Any, more: Any, status: str, kind: str | None
) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    document(_flat(**more))

    (change,) = seller.read("returns")

    assert (change.status, change.return_type) == (status, kind)
    assert bool(change.problem) is (status == "UNKNOWN")
    assert change.sku == 'A"1'
    if status == "RETURN_NOTICED":
        # The end of the Indian day: never before what happened on it.
        assert change.occurred_at == datetime(2026, 11, 16, 18, 29, 59, tzinfo=UTC)


def test_equal_rows_that_nothing_names_are_as_many_returns(
    seller: Any, shop: Any, clock: Any, document: Any
) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    row = _flat(**{"amazon rma id": ""})
    document(row + row.splitlines()[1] + "\r\n")

    first, second = seller.read("returns")

    assert (first.quantity, second.quantity) == (1, 1)
    assert first.evidence_id != second.evidence_id


def test_no_column_is_kept_of_a_row_but_those_that_are_read(
    seller: Any, shop: Any, clock: Any, document: Any
) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    document(_flat(**{"Return Quantity": "many", "Buyer name": "Asha Rao"}))

    (change,) = seller.read("returns")

    assert "Asha" not in change.raw
    assert "return quantity: many" in change.raw


def test_a_day_is_never_later_than_the_report(
    seller: Any, shop: Any, clock: Any, document: Any
) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    document(_flat(**{"Return request date": "20-Nov-2026"}))

    (change,) = seller.read("returns")

    assert change.occurred_at <= clock.now()


FLAT, XML, FBA = FLAT_RETURNS, XML_RETURNS, FBA_RETURNS
END_16, END_2_SEP = "2026-11-16T18:29:59", "2026-09-02T18:29:59"


def _dated(kind: str, day: str) -> str:
    if kind == FLAT_RETURNS:
        return _flat(**{"Return request date": day})
    if kind == FBA_RETURNS:
        return f"return-date\torder-id\tsku\tquantity\n{day}\t403-1\tA\t1\n"
    item = "<merchant_sku>A</merchant_sku><return_quantity>1</return_quantity>"
    return (
        f"<Message><return_details><item_details>{item}</item_details><order_id>403-1</order_id>"
        f"<return_request_date>{day}</return_request_date><return_type>C-Returns</return_type>"
        "<return_request_status>Approved</return_request_status></return_details></Message>"
    )


@pytest.mark.parametrize(
    ("kind", "form", "day", "at"),
    [
        (FLAT, "", "16-Nov-2026", END_16),
        (FLAT, "", "2-Sep-2026", END_2_SEP),
        (FLAT, "", "16/11/2026", ""),
        (FLAT, "", "2026-11-16", ""),
        (FLAT, "", "16-11-2026", ""),
        (FLAT, "", "16-Nov-26", ""),
        (FLAT, "", "31-Nov-2026", ""),
        (FLAT, "", "22-Nov-2026", ""),  # the report is of the 20th
        (FLAT, "", "", ""),
        (FLAT, "%d/%m/%Y", "02/09/2026", END_2_SEP),
        (FLAT, "%m/%d/%Y", "09/02/2026", END_2_SEP),
        (FLAT, "%d/%m/%Y", "09/16/2026", ""),
        (FLAT, "%d/%m/%Y", "16-Nov-2026", ""),
        (FLAT, "%d-%b-%Y %H:%M", "16-Nov-2026 13:30", "2026-11-16T08:00:00"),
        (FLAT, "%Y-%m-%d %H:%M%z", "2026-11-16 08:00+0000", "2026-11-16T08:00:00"),
        (FLAT, "ISO 8601", "2026-11-16", END_16),
        (XML, "", "2026-11-16T08:00:00Z", "2026-11-16T08:00:00"),
        (XML, "", "2026-11-16T13:30:00", "2026-11-16T08:00:00"),
        (XML, "", "2026-11-16", END_16),
        (XML, "", "16-Nov-2026", ""),
        (XML, "", "20261116", ""),
        (XML, "", "2026-W47-1", ""),
        (XML, "%d-%b-%Y", "16-Nov-2026", END_16),
        (FBA, "", "2026-11-16T08:00:00+00:00", "2026-11-16T08:00:00"),
        (FBA, "", "16/11/2026", ""),
        (FBA, "%d/%m/%Y", "16/11/2026", END_16),
    ],
)
def test_a_date_is_read_in_one_form_and_never_guessed(
    kit: Any, shop: Any, clock: Any, document: Any, kind: str, form: str, day: str, at: str
) -> None:
    shop.reports.packed = False
    more = {"traits": {"fulfillment": "AFN"}} if kind == FBA_RETURNS else {}
    back = _sent_back(shop, clock, **more)
    shop.world.return_event(back.return_id, "completed")
    document(_dated(kind, day))
    dates = {kind: form} if form else {}

    (change,) = kit.reader(shop, return_reports=[kind], report_dates=dates).read("returns")

    assert (change.status is Status.UNKNOWN) is (not at)
    if at:
        assert change.occurred_at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    else:
        assert "its date" in change.problem


@pytest.mark.parametrize("form", ["", "DD-MM-YYYY", "%d-%b", "%H:%M", "%d-%Q-%Y", "%Y"])
def test_a_form_that_is_no_date_is_refused(kit: Any, shop: Any, form: str) -> None:
    with pytest.raises(ValueError, match="day, month and year"):
        kit.reader(shop, report_dates={FLAT_RETURNS: form})


def test_courier_returns_of_a_report_are_totals(kit: Any, clock: Any) -> None:
    """Easy Ship tells the same pieces by their parcel; both are totals, so none counts twice."""
    shop = kit.shop(rto_in_reports=True)
    order = shop.world.place_order([("RED", 2)])
    shop.world.pick_up(order.order_id)
    for _ in range(2):
        shop.world.courier_return(order.order_id, quantity=1)
    clock.advance(timedelta(hours=1))

    rows = kit.reader(shop).read("returns")

    assert [(row.quantity, row.cumulative) for row in rows] == [(2, True), (1, True), (2, True)]
    assert {row.return_type for row in rows} == {ReturnType.RTO}


def test_fba_returns(kit: Any, shop: Any, clock: Any) -> None:
    back = _sent_back(shop, clock, traits={"fulfillment": "AFN"})
    shop.world.return_event(back.return_id, "completed")
    clock.advance(timedelta(hours=1))

    (change,) = kit.reader(shop, return_reports=[FBA_RETURNS]).read("returns")

    assert (change.status, change.return_type) == (Status.RETURNED, ReturnType.CIR)
    assert change.order_id == back.order_id
    assert change.facts["fulfillmentCenter"] == "BOM7"


def test_an_fba_row_without_an_order(kit: Any, shop: Any, clock: Any, document: Any) -> None:
    shop.reports.packed = False
    back = _sent_back(shop, clock, traits={"fulfillment": "AFN"})
    shop.world.return_event(back.return_id, "completed")
    document(
        "return-date\torder-id\tsku\tquantity\tcustomer-comments\n"
        "2026-11-19\t\tA\t1\tcall me at 99\n"
    )

    (change,) = kit.reader(shop, return_reports=[FBA_RETURNS]).read("returns")

    assert change.status is Status.UNKNOWN
    assert "call me" not in change.raw


def test_a_file_in_an_old_charset(seller: Any, shop: Any, clock: Any, document: Any) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    document(_flat(**{"Merchant SKU": "caf\udce9"}))

    (change,) = seller.read("returns")

    assert change.sku == "café"


def test_chosen_orders_get_only_theirs(seller: Any, shop: Any, clock: Any) -> None:
    first, second = _sent_back(shop, clock), _sent_back(shop, clock)

    rows = seller.read("returns", [OrderRef(order_id=second.order_id)])

    assert {row.order_id for row in rows} == {second.order_id} != {first.order_id}


def test_reports_can_be_switched_off(kit: Any, shop: Any, clock: Any) -> None:
    _sent_back(shop, clock)

    assert kit.reader(shop, return_reports=[]).read("returns") == []
    assert not shop.requests("/reports")


def test_many_rows_come_in_pages(seller: Any, shop: Any, clock: Any, document: Any) -> None:
    shop.reports.packed = False
    _sent_back(shop, clock)
    head, row, *_ = _flat().split("\r\n")
    document("\n".join([head, *(row.replace("D1", f"D{n}") for n in range(1200))]))

    pages = seller.pages("returns")

    assert [len(page.rows) for page in pages][-3:] == [500, 500, 200]


# External Fulfillment -----------------------------------------------------------------------


@pytest.mark.parametrize("locations", [[], ["warehouse-1"]])
def test_external_returns(kit: Any, shop: Any, clock: Any, locations: list[str]) -> None:
    back = _sent_back(shop, clock)
    shop.world.return_event(back.return_id, "completed")
    clock.advance(timedelta(minutes=10))
    seller = kit.reader(shop, return_reports=[], external_returns=True, return_locations=locations)

    (change,) = seller.read("returns")

    assert (change.status, change.return_type) == (Status.RETURNED, ReturnType.CIR)
    assert (change.order_id, change.return_id) == (back.order_id, external_id(back))
    assert change.occurred_at == back.modified_at
    assert len(shop.requests("/externalFulfillment")) == 1 + (
        len(RETURN_STATUS) if locations else 0
    )


@pytest.mark.parametrize("word", [*RETURN_STATUS, "TELEPORTED"])
def test_every_word_of_external_returns(kit: Any, shop: Any, clock: Any, word: str) -> None:
    _sent_back(shop, clock, traits={"external_status": word})
    seller = kit.reader(shop, return_reports=[], external_returns=True)

    (change,) = seller.read("returns")

    assert change.status is (RETURN_STATUS.get(word) or Status.UNKNOWN)
    assert bool(change.problem) is (word == "TELEPORTED")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"returnType": "GIFT"}, "return type 'GIFT'"),
        ({"marketplaceChannelDetails": None}, "names no order"),
        ({"lastUpdatedDateTime": "soon"}, "cannot be read"),
    ],
)
def test_odd_external_returns_are_for_a_person(
    kit: Any, shop: Any, clock: Any, more: Any, said: str
) -> None:
    back = _sent_back(shop, clock)
    row = {**shop.returns.row(back), **more}
    shop.faults.add(Fault(do="garble", path="/externalFulfillment/*", body=json.dumps(row)))
    seller = kit.reader(shop, return_reports=[], external_returns=True)

    (change,) = seller.read("returns")

    assert change.status is Status.UNKNOWN
    assert said in change.problem


def test_external_returns_are_paged(kit: Any, shop: Any, clock: Any) -> None:
    for _ in range(101):
        order = shop.world.place_order([("RED", 1)])
        shop.world.pick_up(order.order_id)
        shop.world.courier_return(order.order_id)
    clock.advance(timedelta(minutes=10))
    seller = kit.reader(shop, return_reports=[], external_returns=True)

    rows = [row for row in seller.read("returns") if not row.shipment_id]

    assert len({row.order_id for row in rows}) == len(rows) == 101
    assert len(shop.requests("/externalFulfillment")) == 2


@pytest.mark.parametrize("status", [403, 404])
def test_a_dead_address_of_a_report_is_asked_for_anew(
    seller: Any, shop: Any, clock: Any, status: int
) -> None:
    order = shop.world.place_order([("SKU-1", 1)])
    shop.world.pick_up(order.order_id)
    shop.world.deliver(order.order_id)
    shop.world.customer_return(order.order_id)
    clock.advance(timedelta(minutes=10))
    dead = Fault(do="status", status=status, path="/simulated-store/*")
    shop.faults.add(dead)
    assert len(seller.read("returns")) == 1
    shop.faults.add(dead, dead)
    with pytest.raises(PanelAnswer, match="refused twice"):  # no word on the credentials
        seller.read("returns")


def test_an_order_cancelled_on_its_way_comes_back(seller: Any, shop: Any, clock: Any) -> None:
    order = shop.world.place_order([("SKU-1", 2)], traits={"status": "CANCELLED"})
    shop.world.pick_up(order.order_id)
    [back] = shop.world.courier_return(order.order_id)
    clock.advance(timedelta(minutes=10))
    for kind in ("cancelled", "returns"):
        [row] = seller.read(kind)
        assert (row.status, row.return_type, row.quantity) == ("RETURN_NOTICED", "RTO", 2)
    shop.world.return_event(back.return_id, "COMPLETED")
    clock.advance(timedelta(minutes=10))
    assert [row.status for row in seller.read("returns")] == ["RETURNED"]


def test_a_broken_external_return_keeps_no_password(kit: Any, shop: Any, clock: Any) -> None:
    row = '{"id":"R1","otpDetails":{"otp":"canary"},"status":7}'
    back = _sent_back(shop, clock, traits={"external": "yes"})
    body = f'{{"returns":[{row}]}}'
    shop.faults.add(Fault(do="body", path="/externalFulfillment/*", body=body, times=-1))
    reader = kit.reader(shop, external_returns=True, return_reports=[])
    broken = [one for one in reader.read("returns") if one.problem]
    assert back.return_id
    assert broken
    assert all("R1" in one.raw and "canary" not in one.raw for one in broken)
