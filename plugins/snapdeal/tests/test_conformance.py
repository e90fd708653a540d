"""The conformance suite, on Snapdeal's plugin and simulator."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_snapdeal.simulator import SnapdealSimulator


class TestSnapdeal(ChannelTests):
    channel = "snapdeal"
    simulator = SnapdealSimulator
    many = 50  # three pages of every list, of 20 each
    cannot = frozenset(
        {
            *("lines", "quantities", "parts", "split"),  # a suborder is one piece
            "return_ids",  # a return is a state of its suborder
            *("ring", "foreign", "no_link", "stray_link"),  # pages have numbers
            *("empty", "empty_body"),  # an empty page is the end, a body of nothing too
            "unknown_word",  # a return's state has no documented words; codes of items have tests
            "odd_ids",  # order and line have one name, which the kit would make two
            *("lost", "withdraw"),
        }
    )
