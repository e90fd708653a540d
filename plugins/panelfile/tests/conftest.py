"""An account fed by files: a folder, a hand clock, and the real Panel beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd import Account, OrderRef, Panel, ReportFile, Window
from syncd.clock import HandClock
from syncd.tokens import MemoryTokens
from syncd_panelfile import CHANNEL, PanelfileSettings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HEAD = "Order ID,Item ID,SKU,Qty,Status,Updated On,AWB"
COLUMNS = {
    "order_id": "Order ID", "line_id": "Item ID", "sku": "SKU", "quantity": "Qty",
    "status": "Status", "occurred_at": "Updated On", "tracking_number": "AWB",
    "placed_at": "Ordered On", "return_type": "Return Type", "return_id": "Return ID",
    "ships": "Ships", "location_id": "Warehouse",
}  # fmt: skip
STATUSES = {
    "New": "ignore", "Shipped": "DISPATCHED", "Delivered": "DELIVERED", "Cancelled": "CANCELLED",
    "RTO in transit": "RETURN_NOTICED RTO", "Back": "RETURNED RTO", "Lost": "LOST",
    "Dropped": "RETURN_WITHDRAWN RTO",
}  # fmt: skip


class Shop:
    """An account over a folder."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.folder = place
        self.clock = HandClock(NOW)
        chosen = {
            "folder": str(place), "columns": COLUMNS, "statuses": STATUSES,
            "return_types": {"RTO": "RTO", "Customer": "CIR"}, "ships_words": {"Self": "seller"},
            **settings,
        }  # fmt: skip
        self.settings = PanelfileSettings(**chosen)
        self.account = Account(name="shop", channel="panelfile", settings=self.settings)
        self.panel = Panel("", account="shop", clock=self.clock, tokens=MemoryTokens())

    def put(self, content: str | bytes, name: str = "report.csv", minutes_ago: float = 10) -> Path:
        """A file that was made so long ago."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.date(path, minutes_ago)
        return path

    def date(self, path: Path, minutes_ago: float) -> None:
        made = (self.clock.now() - timedelta(minutes=minutes_ago)).timestamp()
        os.utime(path, (made, made))

    def read(self, kind: str, orders: Sequence[OrderRef] = (), hours: float = 24) -> list[Any]:
        now = self.clock.now()
        window = Window(now - timedelta(hours=hours), now)
        hook = getattr(CHANNEL, f"fetch_{kind}")
        return [row for page in hook(self.account, window, orders, self.panel) for row in page.rows]

    def all(self, orders: Sequence[OrderRef] = ()) -> list[Any]:
        """What all hooks of statuses yield; what cannot be read once."""
        kinds = ("dispatched", "delivered", "cancelled", "returns")
        rows = [row for kind in kinds for row in self.read(kind, orders)]
        return list({row.evidence_id: row for row in rows}.values())

    def hand_in(self, content: str | bytes, name: str = "report.csv") -> list[Any]:
        data = content.encode() if isinstance(content, str) else content
        report = ReportFile(name=name, content=data, at=self.clock.now())
        return [row for page in CHANNEL.read_report(self.account, report) for row in page.rows]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def open_shop(tmp_path: Path) -> Callable[..., Shop]:
    """A shop with other settings."""

    def make(**settings: Any) -> Shop:
        return Shop(tmp_path, **settings)

    return make
