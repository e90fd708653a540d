"""The kit's rules for the other source: the panel's report files alone."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_shopclues import FILES
from syncd_shopclues.simulator import ShopCluesFilesSimulator


class TestShopCluesFiles(ChannelTests):
    channel = "shopclues"
    plugin = FILES
    examples = 5  # the code is panelfile's, which has more of them
    simulator = ShopCluesFilesSimulator
    cannot = frozenset(
        {
            "json", "garble", "empty", "repeat", "ring", "foreign", "no_link", "stray_link",
            "stream", "cancel_in_transit", "by_event",
        }
    )  # fmt: skip
