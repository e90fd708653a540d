"""The conformance suite, on Flipkart's plugin and simulator."""

from __future__ import annotations

from typing import Any, ClassVar

from syncd.testing.conformance import ChannelTests, HistoryRules
from syncd_flipkart.simulator import FlipkartSimulator


class TestFlipkart(ChannelTests):
    channel = "flipkart"
    simulator = FlipkartSimulator
    settings: ClassVar[dict[str, Any]] = {"page_size": 8}
    many = 60  # three pages of returns, of 25 each


class EachSimulator(FlipkartSimulator):
    """A row for each cancellation of a line."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more, parts="each")


class RestSimulator(FlipkartSimulator):
    """No row for what is cancelled of a line, only what is left of it."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more, parts="rest")


class TestPartsEach(HistoryRules):
    channel = "flipkart"
    simulator = EachSimulator
    settings: ClassVar[dict[str, Any]] = {"page_size": 3}


class TestPartsRest(HistoryRules):
    channel = "flipkart"
    simulator = RestSimulator
    settings: ClassVar[dict[str, Any]] = {"page_size": 3}
