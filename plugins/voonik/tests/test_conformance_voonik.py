"""The kit's rules on what a plugin says of itself and keeps; the files have theirs in panelfile."""

from __future__ import annotations

from syncd.testing.conformance.described import DescribedRules
from syncd.testing.conformance.state import StateRules
from syncd_voonik.simulator import VoonikSimulator


class TestVoonik(DescribedRules, StateRules):
    channel = "voonik"
    simulator = VoonikSimulator
    cannot = frozenset(
        {
            "json", "garble", "unknown_word", "empty", "deliver", "lost", "courier_return",
            "customer_return", "withdraw", "cancel_in_transit",
        }
    )  # fmt: skip
