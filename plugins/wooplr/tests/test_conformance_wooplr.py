"""The kit's rules for this plugin; it makes no call, so those about calls find none."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_panelfile.simulator import CANNOT
from syncd_wooplr.simulator import WooplrSimulator


class TestWooplr(ChannelTests):
    channel = "wooplr"
    examples = 10  # the code is panelfile's, which has more of them
    simulator = WooplrSimulator
    cannot = CANNOT | {
        "deliver", "lost", "courier_return", "customer_return", "withdraw",
    }  # fmt: skip
