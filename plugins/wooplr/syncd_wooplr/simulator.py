"""Pretend people who have files of Wooplr, and a pretend Wooplr that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd_contract.simulator import ContractSimulator
from syncd_panelfile.simulator import PanelfileSimulator


class WooplrSimulator(PanelfileSimulator):
    """Files with orders, dispatches and cancellations, in made up columns and words."""

    channel = "wooplr"
    words = frozenset({"New", "Shipped", "Cancelled"})


class WooplrContractSimulator(ContractSimulator):
    """A marketplace of this name behind the contract."""

    channel = "wooplr"

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller that asks it."""
        return {**super().settings(seller_id), "source": "contract"}
