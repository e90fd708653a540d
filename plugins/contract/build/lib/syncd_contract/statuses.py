"""What the contract's words mean, each with where the meaning comes from."""

from __future__ import annotations

from typing import Final

from syncd.meanings import meanings_of

# V: the words stand in Unicommerce's public documentation for marketplaces. The meanings of the
# two returns are ours: the contract has no word for goods that are back at the seller.
ITEM_WORDS: Final = meanings_of(
    {
        "CREATED": "ignore",
        "CANCELLED": "CANCELLED",
        "DISPATCHED": "DISPATCHED",
        "DELIVERED": "DELIVERED",
        "RETURN_REQUESTED": "RETURN_NOTICED CIR",
        "COURIER_RETURN": "RETURN_NOTICED RTO",
    }
)
"""Statuses of an item of an order."""

ORDER_CANCELLED: Final = "CANCELLED"
NOT_YET_AN_ORDER: Final = "PENDING_VERIFICATION"  # the seller has not accepted it
