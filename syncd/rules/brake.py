"""The safety brake: whether a pass would cancel more at once than is likely to be true."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from syncd.rules.words import Event

CANCELS: Final = Event.CANCELLED
"""Only a final word counts; a buyer's wish to cancel moves nothing by itself."""


class Brake(Struct, frozen=True):
    """When the brake trips: see :func:`trips`."""

    enabled: bool = True
    share: float = 0.2
    floor: int = 20


def trips(cancels: int, open_orders: int, brake: Brake) -> bool:
    """Whether a pass that would cancel ``cancels`` of ``open_orders`` must wait for a person.

    Never for fewer than ``floor`` orders, so that small accounts and single orders go through;
    else when it is more than ``share`` of the orders that have not left.
    """
    return brake.enabled and cancels >= brake.floor and cancels > brake.share * open_orders
