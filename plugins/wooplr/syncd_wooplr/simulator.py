"""Pretend people who have files of Wooplr, as the simulator of all files makes them."""

from __future__ import annotations

from syncd_panelfile.simulator import PanelfileSimulator


class WooplrSimulator(PanelfileSimulator):
    """Files with orders, dispatches and cancellations, in made up columns and words."""

    channel = "wooplr"
    words = frozenset({"New", "Shipped", "Cancelled"})
