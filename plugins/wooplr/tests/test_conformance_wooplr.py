"""The kit's rules for this plugin, but for those about calls and pages: it makes no call."""

from __future__ import annotations

from syncd.testing.conformance import HistoryRules
from syncd.testing.conformance.described import DescribedRules
from syncd.testing.conformance.rows import RowRules
from syncd.testing.conformance.state import StateRules
from syncd.testing.conformance.windows import WindowRules
from syncd_wooplr.simulator import WooplrSimulator


class TestWooplr(DescribedRules, RowRules, WindowRules, StateRules, HistoryRules):
    channel = "wooplr"
    examples = 10  # the code is panelfile's, which has more of them
    simulator = WooplrSimulator
    cannot = frozenset(
        {
            "json", "garble", "unknown_word", "empty", "deliver", "lost", "courier_return",
            "customer_return", "withdraw", "cancel_in_transit", "by_event",
        }
    )  # fmt: skip
