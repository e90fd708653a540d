"""The kit's rules for this plugin."""

from __future__ import annotations

from syncd.statuses import Kind
from syncd.testing.conformance import ChannelTests
from syncd_contract.simulator import ContractSimulator

CANNOT = frozenset(
    {
        "empty", "ring", "foreign", "no_link", "stray_link",  # pages go by number
        "parts", "split",  # an item has one word for all its pieces
        "return_ids",  # nor has a return a name
        "withdraw", "lost",  # the contract has no word for it
    }
)  # fmt: skip


class TestContract(ChannelTests):
    channel = "contract"
    simulator = ContractSimulator
    cannot = CANNOT
    undated = frozenset({Kind.CANCELLED, Kind.DELIVERED})  # told with no time, so dated when seen
