"""Who ships an order: the table of the README, answered from an order's facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd import OrderRef
from syncd_amazon.settings import AmazonSettings

MFN = {"fulfilledBy": "MFN"}
TABLE = [
    ({}, True, "imported: nothing is known"),
    ({"fulfilledBy": "AFN"}, True, "FBA and Seller Flex"),
    ({**MFN, "easyShip": "yes", "serviceLevel": "Standard"}, True, "an Easy Ship state or program"),
    ({**MFN, "serviceLevel": "Std IN EZ National COD"}, True, "an unpaid Easy Ship order"),
    ({**MFN, "serviceLevel": "SDD IN EZ COD"}, True, "the same, another level"),
    ({**MFN, "serviceLevel": "Standard"}, False, "self ship"),
    ({**MFN, "serviceLevel": "EZPZ"}, False, "EZ must be a word"),
    ({**MFN, "programs": ""}, False, "2026-01-01 without a program"),
    ({**MFN, "programs": "AMAZON_BUSINESS,AMAZON_EASY_SHIP"}, True, "the program Easy Ship"),
    ({**MFN, "programs": "PRIME"}, False, "Prime is not verified for India"),
    (MFN, True, "a missing state is no proof"),
]


@pytest.mark.parametrize(("facts", "ships", "why"), TABLE, ids=[row[2] for row in TABLE])
def test_the_table(seller: Any, facts: Any, ships: bool, why: str) -> None:
    assert seller.ships(facts) is ships


def test_more_programs_by_setting(kit: Any, shop: Any) -> None:
    assert kit.reader(shop, programs_shipped=["PRIME"]).ships({**MFN, "programs": "PRIME"})


@pytest.mark.parametrize("version", ["2026-01-01", "v0"])
@pytest.mark.parametrize(
    ("more", "ships"),
    [
        ({"traits": {"fulfillment": "AFN"}}, True),
        ({}, True),
        ({"ships_by": "seller"}, False),
        ({"ships_by": "seller", "traits": {"programs": "PRIME"}}, False),
    ],
)
def test_through_the_wire(
    kit: Any, shop: Any, later: Callable[[], None], version: str, more: Any, ships: bool
) -> None:
    order = shop.world.place_order([("RED", 1)], **more)
    shop.world.pick_up(order.order_id)
    later()
    seller = kit.reader(shop, orders_api=version)

    (change,) = seller.read("dispatched")

    assert seller.ships(change.facts) is ships


@pytest.mark.parametrize("version", ["2026-01-01", "v0"])
def test_an_unpaid_order_is_no_proof(
    kit: Any, shop: Any, later: Callable[[], None], version: str
) -> None:
    order = shop.world.place_order([("RED", 1)], traits={"service_level": "Std IN EZ Local"})
    shop.world.hold(order.order_id)
    later()
    seller = kit.reader(shop, orders_api=version)

    (new,) = seller.read("orders", [OrderRef(order_id=order.order_id)])

    assert seller.ships(new.facts)
    assert seller.read("orders") == []  # it comes when it is paid


@pytest.mark.parametrize("url", ["http://api.amazon.com", "ftp://x", "https://user:pw@x.example"])
def test_the_token_address_is_as_safe_as_the_panels(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        AmazonSettings(client_id="a", client_secret="b", refresh_token="c", lwa_url=url)
