"""Cancellations in parts: one fact a line, with its total, its latest stamp and its parcel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd import OrderRef, Status

LINE = "77000000000000001"
REF = OrderRef(order_id=f"OD{LINE}", line_ids=(LINE,), facts={f"quantity:{LINE}": "4"})
EARLY, LATE = "2026-11-20T16:10:00.000+05:30", "2026-11-20T16:40:00.000+05:30"


def _gone(kit: Any, at: str = LATE, **more: Any) -> Any:
    return kit.line(1, "CANCELLED", cancellationDate=at, **more)


def _by_id(script: Any, *shipments: Any) -> None:
    script.by_ids = lambda asked: {"shipments": list(shipments)}


def test_rows_of_one_line_are_one_fact_of_the_latest_stamp(
    seller: Any, script: Any, kit: Any
) -> None:
    for rows in ([EARLY, LATE], [LATE, EARLY]):
        lines = [_gone(kit, at) for at in rows]
        _by_id(script, kit.shipment(*lines, kit.line(1, "PACKED", quantity=2.0)))

        (change,) = seller.read("cancelled", [REF])

        assert (change.quantity, change.cumulative) == (2, True)
        assert change.occurred_at == datetime(2026, 11, 20, 11, 10, tzinfo=UTC)


def test_pieces_that_are_missing_are_told_once(seller: Any, script: Any, kit: Any) -> None:
    parcels = [kit.shipment(kit.line(1, "PACKED"), n=n) for n in (1, 2)]
    _by_id(script, *parcels)

    (change,) = seller.read("cancelled", [REF])

    assert (change.quantity, change.cumulative) == (2, True)


def test_a_parcel_shows_its_cancellation_and_another_only_what_is_left(
    seller: Any, script: Any, kit: Any
) -> None:
    _by_id(script, kit.shipment(_gone(kit), n=1), kit.shipment(kit.line(1, "PACKED"), n=2))

    (change,) = seller.read("cancelled", [REF])

    assert (change.quantity, change.cumulative) == (3, True), "one of four is left"


UNREAD = pytest.mark.parametrize("unread", [{"orderItemId": LINE}, {}], ids=["this", "unnamed"])


@UNREAD
def test_a_row_that_cannot_be_read_is_not_a_piece_that_is_missing(
    seller: Any, script: Any, kit: Any, unread: dict[str, str]
) -> None:
    live = kit.shipment(kit.line(1, "PACKED", quantity=3.0), n=1)
    _by_id(script, live, kit.shipment({**unread, "quantity": "one"}, n=2))

    (change,) = seller.read("cancelled", [REF])

    assert change.status is Status.UNKNOWN


@UNREAD
@pytest.mark.parametrize("asked", [[REF], []], ids=["by ids", "by window"])
def test_a_cancelled_row_beside_one_that_cannot_be_read_is_not_all_of_the_line(
    seller: Any, script: Any, kit: Any, unread: dict[str, str], asked: list[OrderRef]
) -> None:
    gone = kit.shipment(_gone(kit), n=1)
    _by_id(script, gone, kit.shipment({**unread, "quantity": "one"}, n=2))
    script.search = lambda asked: kit.page([gone])

    told = [row for row in seller.read("cancelled", asked) if not row.problem]

    assert {(row.quantity, row.cumulative) for row in told} == {(1, True)}


def test_a_total_over_two_parcels_names_neither(seller: Any, script: Any, kit: Any) -> None:
    _by_id(script, kit.shipment(_gone(kit), n=1), kit.shipment(kit.line(1, "PACKED"), n=2))
    (over_two,) = seller.read("cancelled", [REF])
    _by_id(script, kit.shipment(_gone(kit), kit.line(1, "PACKED"), n=1))
    (in_one,) = seller.read("cancelled", [REF])

    assert over_two.shipment_id == ""
    assert in_one.shipment_id.endswith("1")


def test_a_line_that_is_larger_than_it_came_is_no_cancellation(
    seller: Any, script: Any, kit: Any
) -> None:
    _by_id(script, kit.shipment(kit.line(1, "PACKED", quantity=5.0)))

    assert seller.read("cancelled", [REF]) == []


def test_a_row_whose_line_is_not_known_by_id_is_added_up(
    seller: Any, script: Any, kit: Any
) -> None:
    def search(asked: Any) -> Any:
        if asked.filter["cancellationType"] != "buyerCancellation":
            return kit.page([])
        rows = [_gone(kit, EARLY), _gone(kit, LATE)] if "sku" in asked.filter else [_gone(kit)]
        return kit.page([kit.shipment(*rows)])

    script.search = search

    (change,) = seller.read("cancelled")

    assert (change.quantity, change.cumulative) == (2, True)


def test_pieces_cancelled_in_transit_are_a_running_total(
    seller: Any, script: Any, kit: Any
) -> None:
    back = [_gone(kit, at, courierReturn=True) for at in (EARLY, LATE)]
    _by_id(script, kit.shipment(*back, kit.line(1)))

    first, second = seller.read("cancelled", [OrderRef(order_id=f"OD{LINE}")])

    assert {first.status, second.status} == {Status.RETURN_NOTICED}
    assert [(one.quantity, one.cumulative) for one in (first, second)] == [(1, True), (2, True)]
    assert first.evidence_id != second.evidence_id


def test_a_notice_by_its_return_does_not_add_to_the_one_by_its_cancellation(
    seller: Any, script: Any, kit: Any
) -> None:
    script.returns = lambda asked: kit.returns_page(
        [
            kit.returned(1, type=asked.params["source"], returnId=asked.params["source"]),
            kit.returned(1, "rejected", type=asked.params["source"]),
        ]
    )

    rto, rejected, cir, _ = seller.read("returns")

    assert [one.cumulative for one in (rto, rejected, cir)] == [True, False, False]
    assert [one.left_seller for one in (rto, rejected, cir)] == [True, False, True]
