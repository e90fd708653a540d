"""The conformance suite, on Paytm's plugin and simulator."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_paytm.simulator import PaytmSimulator


class TestPaytm(ChannelTests):
    channel = "paytm"
    simulator = PaytmSimulator
    cannot = frozenset(
        {
            "empty", "ring", "foreign", "no_link", "stray_link",  # a list has no pages
            "return_ids",  # a return is a status of its item
            "odd_ids",  # whole numbers
            "seller_ships",  # shown nowhere
        }
    )  # fmt: skip
