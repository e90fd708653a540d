"""How fast each operation may be called, and what a fetch costs by that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd import Cost, Pace, ReadsBy
from syncd_amazon.api import IDS_PER_CALL
from syncd_amazon.settings import AmazonSettings

RATE: Final = "x-amzn-RateLimit-Limit"
PACES: Final[Mapping[str, Pace]] = {
    "default": Pace(per_second=1, burst=5),  # Login with Amazon
    "searchOrders": Pace(per_second=0.0056, burst=20, header=RATE),
    "getOrder": Pace(per_second=0.5, burst=30, header=RATE),
    "getOrders": Pace(per_second=0.0167, burst=20, header=RATE),
    "getOrderItems": Pace(per_second=0.5, burst=30, header=RATE),
    "getScheduledPackage": Pace(per_second=1, burst=5, header=RATE),
    "createReport": Pace(per_second=0.0167, burst=15, header=RATE),
    "getReport": Pace(per_second=2, burst=15, header=RATE),
    "getReportDocument": Pace(per_second=0.0167, burst=15, header=RATE),
    "listReturns": Pace(per_second=10, burst=20, header=RATE),
    "document": Pace(per_second=5, burst=10),
    "unlimited": Pace(per_second=100_000, burst=1_000),  # for a simulator
}


def costs(settings: AmazonSettings) -> Mapping[str, tuple[Cost, ...]]:
    """By kind, the calls of the version and the reports that this account reads."""
    if settings.pace != "documented":
        return {}
    by_kind = dict.fromkeys(("orders", "dispatched", "cancelled", "delivered"), _orders(settings))
    return {**by_kind, "returns": (*_turned_back(settings), *_reports(settings))}


def _orders(settings: AmazonSettings) -> tuple[Cost, ...]:
    size, by_ids = settings.page_size, ReadsBy.ORDERS
    if settings.orders_api == "v0":
        return (
            Cost(pace="getOrders", rows=size, asked=ReadsBy.WINDOW),
            Cost(pace="getOrders", rows=min(size, IDS_PER_CALL), calls=0, asked=by_ids),
            Cost(pace="getOrderItems", rows=1, calls=0),
        )
    return (
        Cost(pace="searchOrders", rows=size, asked=ReadsBy.WINDOW),
        Cost(pace="getOrder", rows=1, calls=0, asked=by_ids),
    )


def _turned_back(settings: AmazonSettings) -> tuple[Cost, ...]:
    if settings.orders_api == "v0":  # it is asked for these alone: how many is not foreseen
        every = [one for one in _orders(settings) if one.asked is not ReadsBy.WINDOW]
        by_ids = [Cost(pace=e.pace, rows=e.rows, calls=0, asked=ReadsBy.ORDERS) for e in every]
        return (Cost(pace="getOrders", rows=0, asked=ReadsBy.WINDOW), *by_ids)
    return _orders(settings)


def _reports(settings: AmazonSettings) -> tuple[Cost, ...]:
    number = len(settings.return_reports)
    paces = ("createReport", "getReportDocument") if number else ()
    return tuple(Cost(pace=pace, rows=0, calls=number) for pace in paces)
