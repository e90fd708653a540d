"""The conformance suite, on ShopClues' plugin and simulator."""

from __future__ import annotations

from datetime import timedelta

from syncd.testing.conformance import ChannelTests
from syncd_shopclues.simulator import ShopCluesSimulator


class TestShopClues(ChannelTests):
    channel = "shopclues"
    simulator = ShopCluesSimulator
    many = 50  # three pages of 20 each
    stamps = timedelta(hours=2)  # the panel does not date a change: it is dated when it is seen
    cannot = frozenset(
        {
            *("lines", "parts", "split"),  # one letter for all of an order
            *("parcels", "return_ids"),  # which names nothing more
            *("no_link", "stray_link"),  # the link alone says whether there is more
            "odd_ids",  # the SKU is the line's id, which the kit would make two
            "seller_ships",
        }
    )
