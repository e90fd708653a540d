"""The conformance suite, on Tata CLiQ's plugin and simulator."""

from __future__ import annotations

from datetime import timedelta

from syncd.testing.conformance import ChannelTests
from syncd_tatacliq.simulator import TataCliqSimulator


class TestTataCliq(ChannelTests):
    channel = "tatacliq"
    simulator = TataCliqSimulator
    stamps = timedelta(hours=2)  # a change is dated when it is seen
    cannot = frozenset(
        {
            *("empty", "ring", "foreign", "no_link", "stray_link"),  # one call, one order
            *("quantities", "parts"),  # a line is a piece
            *("parcels", "return_ids"),  # a line has a code, which names nothing more
            "odd_ids",
        }
    )
