"""The kit's rules for this plugin."""

from __future__ import annotations

from syncd.statuses import Kind
from syncd.testing.conformance import ChannelTests
from syncd.testing.conformance.reading import Plugin
from syncd_contract.simulator import ContractSimulator

CANNOT = frozenset(
    {
        "empty", "ring", "foreign", "no_link", "stray_link",  # pages go by number
        "parts", "split",  # an item has one word for all its pieces
        "return_ids",  # nor has a return a name
        "withdraw", "lost",  # the contract has no word for it
    }
)  # fmt: skip


class Dated(ChannelTests):
    """The kinds that the contract dates: a cancellation and a delivery carry no time."""

    channel = "contract"
    simulator = ContractSimulator
    cannot = CANNOT

    def kinds(self, plugin: Plugin) -> list[Kind]:
        undated = (Kind.CANCELLED, Kind.DELIVERED)
        return [kind for kind in super().kinds(plugin) if kind not in undated]


class TestContract(ChannelTests):
    channel = "contract"
    simulator = ContractSimulator
    cannot = CANNOT

    def test_times_are_the_panels(self) -> None:
        """The kit's own rule, of all that has a time; that the rest is dated when it is first
        seen is in test_every_word_of_an_item."""
        Dated().test_times_are_the_panels()
