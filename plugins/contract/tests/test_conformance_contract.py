"""The kit's rules for this plugin."""

from __future__ import annotations

from syncd.statuses import Kind
from syncd.testing.conformance import ChannelTests
from syncd_contract.simulator import ContractSimulator


class TestContract(ChannelTests):
    channel = "contract"
    simulator = ContractSimulator
    cannot = frozenset(
        {
            "empty", "ring", "foreign", "no_link", "stray_link",  # pages go by number
            "parts", "split",  # an item has one word for all its pieces
            "return_ids",  # nor has a return a name
            "withdraw", "lost",  # the contract has no word for it
        }
    )  # fmt: skip

    def test_times_are_the_panels(self) -> None:
        """Only dispatches and returns carry one; the others are dated when they are seen."""
        with self.shop() as shop:
            gone = self.fill(shop, Kind.DISPATCHED, 4)
            backs = self.fill(shop, Kind.RETURNS, 4)
            reader = shop.reader()
            for kind, orders in ((Kind.DISPATCHED, gone), (Kind.RETURNS, backs)):
                stamps = {event.at for event in shop.world.history}
                rows = reader.read(kind, reader.refs([order.order_id for order in orders]))
                assert rows
                assert {row.occurred_at for row in rows} <= stamps
