"""The conformance suite, on Amazon's plugin and simulator."""

from __future__ import annotations

from typing import Any, ClassVar

from syncd.testing.conformance import ChannelTests
from syncd_amazon.simulator import AmazonSimulator


class ByPiece(AmazonSimulator):
    """A package for each piece: a real package is in one state, the kit's parcel in several."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more, each_piece=True)


class External(ByPiece):
    """What Easy Ship tells too the kit would count twice; other tests have the book's count."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.returns.rto = False


class TestAmazon(ChannelTests):
    channel = "amazon"
    simulator = ByPiece
    settings: ClassVar[dict[str, Any]] = {"page_size": 8}
    cannot = frozenset(
        {
            *("foreign", "no_link", "stray_link"),  # pages have tokens, no links
            "return_ids",  # a return by the courier has none
            "seller_ships",  # how far such a parcel is nobody tells; tests of our own say who ships
        }
    )


class TestAmazonExternal(TestAmazon):
    simulator = External
    settings: ClassVar[dict[str, Any]] = {
        "page_size": 8,
        "external_returns": True,
        "return_reports": [],
        "return_locations": ["warehouse-1", "location-2"],  # of the kit's two sellers
    }


class TestAmazonV0(ChannelTests):
    channel = "amazon"
    simulator = AmazonSimulator
    settings: ClassVar[dict[str, Any]] = {"page_size": 8, "orders_api": "v0"}
    cannot = frozenset(
        {
            *("foreign", "no_link", "stray_link"),
            "lines",  # which of several lines lost a piece is not said: that is for a person
            *("split", "quantities"),  # one state is told of the whole order
            *("parcels", "return_ids"),
            "seller_ships",  # nor how far a parcel is that the seller ships
        }
    )
