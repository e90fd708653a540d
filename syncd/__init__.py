"""syncd keeps a seller's order book true to what marketplace panels already know.

This module re-exports what a channel plugin may use. The names are loaded on first use, so
that ``syncctl``, which needs none of them, starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncd.hookspecs import (
        Channel as Channel,
        Cost as Cost,
        Memory as Memory,
        Pace as Pace,
        PanelAddress as PanelAddress,
        ReadsBy as ReadsBy,
        ReportFile as ReportFile,
        Settings as Settings,
        hookimpl as hookimpl,
    )
    from syncd.panel import Links as Links, Panel as Panel
    from syncd.statuses import (
        Account as Account,
        Kind as Kind,
        NewOrder as NewOrder,
        OrderLine as OrderLine,
        OrderRef as OrderRef,
        Page as Page,
        ReturnType as ReturnType,
        Status as Status,
        StatusChange as StatusChange,
        Window as Window,
    )
    from syncd.tokens import Token as Token

__version__ = "0.1.0"

_HOME = {
    "Channel": "hookspecs",
    "Cost": "hookspecs",
    "Memory": "hookspecs",
    "Pace": "hookspecs",
    "PanelAddress": "hookspecs",
    "ReadsBy": "hookspecs",
    "ReportFile": "hookspecs",
    "Settings": "hookspecs",
    "hookimpl": "hookspecs",
    "Links": "panel",
    "Panel": "panel",
    "Account": "statuses",
    "Kind": "statuses",
    "NewOrder": "statuses",
    "OrderLine": "statuses",
    "OrderRef": "statuses",
    "Page": "statuses",
    "ReturnType": "statuses",
    "Status": "statuses",
    "StatusChange": "statuses",
    "Window": "statuses",
    "Token": "tokens",
}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"syncd.{_HOME[name]}"), name)
    raise AttributeError(f"module 'syncd' has no attribute {name!r}")
