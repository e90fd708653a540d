"""The kit's rules for the other source: the panel's report files alone."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_panelfile.simulator import CANNOT
from syncd_shopclues import FILES
from syncd_shopclues.simulator import ShopCluesFilesSimulator


class TestShopCluesFiles(ChannelTests):
    channel = "shopclues"
    plugin = FILES
    examples = 5  # the code is panelfile's, which has more of them
    simulator = ShopCluesFilesSimulator
    cannot = CANNOT
