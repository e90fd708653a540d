"""The kit's rules for the other source: the panel's report files alone."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_paytm import FILES
from syncd_paytm.simulator import PaytmFilesSimulator


class TestPaytmFiles(ChannelTests):
    channel = "paytm"
    plugin = FILES
    examples = 5  # the code is panelfile's, which has more of them
    simulator = PaytmFilesSimulator
    cannot = frozenset(
        {
            "json", "garble", "empty", "repeat", "ring", "foreign", "no_link", "stray_link",
            "stream", "cancel_in_transit", "by_event",
        }
    )  # fmt: skip
