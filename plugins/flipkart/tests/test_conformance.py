"""The conformance suite, on Flipkart's plugin and simulator."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_flipkart.simulator import FlipkartSimulator


class TestFlipkart(ChannelTests):
    channel = "flipkart"
    simulator = FlipkartSimulator
    settings = {"page_size": 8}  # noqa: RUF012
    many = 60  # three pages of returns, of 25 each
