"""Pretend people who have files of Voonik, and a pretend Voonik that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd_contract.simulator import ContractSimulator
from syncd_panelfile.simulator import PanelfileSimulator


class VoonikSimulator(PanelfileSimulator):
    """Files with orders, dispatches and cancellations, in made up columns and words."""

    channel = "voonik"
    words = frozenset({"New", "Shipped", "Cancelled"})

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        return {**super().settings(seller_id), "ships": "channel"}


class VoonikContractSimulator(ContractSimulator):
    """A marketplace of this name behind the contract."""

    channel = "voonik"

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller that asks it."""
        return {**super().settings(seller_id), "source": "contract", "ships": "order"}
