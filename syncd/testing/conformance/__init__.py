"""The conformance suite for channel plugins: subclass :class:`ChannelTests` in a pytest file.

::

    from syncd.testing.conformance import ChannelTests
    from syncd_myshop.simulator import MyShopSimulator

    class TestMyShop(ChannelTests):
        channel = "myshop"
        simulator = MyShopSimulator

Every test of the class is one rule; a failure says which rule, what came, and what to do.
"""

from syncd.statuses import Kind
from syncd.testing.conformance.base import Base, Shop
from syncd.testing.conformance.described import DescribedRules
from syncd.testing.conformance.history import HistoryRules
from syncd.testing.conformance.naming import NamingRules
from syncd.testing.conformance.paging import PagingRules
from syncd.testing.conformance.reading import Plugin, Reader
from syncd.testing.conformance.recorded import RecordedRules
from syncd.testing.conformance.rows import RowRules
from syncd.testing.conformance.state import StateRules
from syncd.testing.conformance.windows import WindowRules
from syncd.testing.conformance.wire import WireRules
from syncd.testing.conformance.words import CANNOT

__all__ = ["CANNOT", "Base", "ChannelTests", "HistoryRules", "Kind", "Plugin", "Reader", "Shop"]


class ChannelTests(
    DescribedRules,
    RowRules,
    NamingRules,
    WindowRules,
    PagingRules,
    WireRules,
    StateRules,
    HistoryRules,
    RecordedRules,
):
    """The whole suite. The attributes of :class:`Base` are its knobs."""
