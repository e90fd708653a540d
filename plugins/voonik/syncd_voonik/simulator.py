"""Pretend people who have files of Voonik, as the simulator of all files makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd_panelfile.simulator import PanelfileSimulator


class VoonikSimulator(PanelfileSimulator):
    """Files with orders, dispatches and cancellations, in made up columns and words."""

    channel = "voonik"
    words = frozenset({"New", "Shipped", "Cancelled"})

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        return {**super().settings(seller_id), "ships": "channel"}
