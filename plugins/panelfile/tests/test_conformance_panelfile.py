"""The kit's rules for this plugin; it makes no call, so those about calls find none."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from syncd import Window
from syncd.testing.conformance import ChannelTests
from syncd_panelfile.folder import arrivals
from syncd_panelfile.simulator import CANNOT, PanelfileSimulator


class TestPanelfile(ChannelTests):
    channel = "panelfile"
    examples = 15  # each reads many files
    simulator = PanelfileSimulator
    cannot = CANNOT

    def test_a_window_is_about_when_files_were_made(self) -> None:
        with self.shop() as shop:
            server = shop.server
            assert isinstance(server, PanelfileSimulator)
            server.publish()
            folder, now = str(server.folder()), shop.clock.now()
            made = now - timedelta(seconds=1)

            def files(start: datetime, end: datetime) -> list[Path]:
                found = arrivals(folder, Window(start, end), now, timedelta(0))
                return [one.path for one in found]

            assert len(files(made, now)) == 3
            assert files(made - timedelta(hours=1), made) == []
