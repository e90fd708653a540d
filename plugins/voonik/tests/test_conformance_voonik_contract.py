"""The kit's rules for the other source: a marketplace of this name that speaks the contract."""

from __future__ import annotations

from syncd.testing.conformance import ChannelTests
from syncd_voonik import CONTRACT
from syncd_voonik.simulator import VoonikContractSimulator


class TestVoonikContract(ChannelTests):
    channel = "voonik"
    plugin = CONTRACT
    simulator = VoonikContractSimulator
    examples = 10  # the code is the contract's, which has more of them
    cannot = frozenset(
        {
            "empty", "ring", "foreign", "no_link", "stray_link",  # pages go by number
            "parts", "split",  # an item has one word for all its pieces
            "withdraw", "lost",  # the contract has no word for it
            "stamps",  # a cancellation carries no time
            "deliver", "courier_return", "customer_return", "cancel_in_transit",  # not claimed
        }
    )  # fmt: skip
