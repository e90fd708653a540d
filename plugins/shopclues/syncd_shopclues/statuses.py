"""What the words of couriers mean, and what no public source says of ShopClues.

The status letters of orders are not here: the seller's settings have them.
"""

from __future__ import annotations

from typing import Final

from syncd.meanings import Meaning, meanings_of

SCAN_CODES: Final[dict[str, Meaning]] = meanings_of(
    {
        "OP": "ignore",  # placed
        "OM": "ignore",  # on a manifest
        "OFP": "ignore",  # the courier is on the way to the seller
        "PPF": "ignore",  # ... and did not get the parcel
        "PP": "DISPATCHED",  # picked up
        "OT": "DISPATCHED",  # on its way
        "SHP": "DISPATCHED",
        "RAD": "DISPATCHED",  # in the buyer's town
        "OO": "DISPATCHED",  # out for delivery
        "NDR": "UNDELIVERED",  # and eight reasons why
        "CR": "UNDELIVERED",
        "CNA": "UNDELIVERED",
        "AI": "UNDELIVERED",
        "CD": "UNDELIVERED",
        "CNR": "UNDELIVERED",
        "ODA": "UNDELIVERED",
        "OPDEL": "UNDELIVERED",
        "CR-OTP": "UNDELIVERED",
        "DL": "DELIVERED",
        "OC": "CANCELLED",
        "RTO": "RETURN_NOTICED RTO",
        "RTO-OT": "RETURN_NOTICED RTO",  # on its way back
        "RTO-OO": "RETURN_NOTICED RTO",  # out for delivery to the seller
        "RTP": "RETURN_NOTICED RTO",  # at the hub
        "RTD": "RETURNED RTO",
        "LT": "LOST",
    }
)
"""The codes that ShopClues takes from couriers; seen in public code, which Status each one is,
is ours. DM (damaged) is left out on purpose: what became of the parcel is for a person."""

UNVERIFIED: Final = (
    "Whether shopclues.com and this API still serve anybody; its owner was wound up in 2024.",
    "What the status letters mean: Q is a live order to fulfil; all others come from status_map.",
    "When a status changed: the panel tells only when the order was placed. A change carries the "
    "end of the window in which it was first seen, the latest that it can be.",
    "Whether time_from and time_to mean the time of the order, and whether they are inclusive.",
    "Whether the token stands behind the word Bearer, and how long it lives; one is fetched each "
    "hour, and when it is refused.",
    "Whether https is served; the documents say http, which would show the token to everyone.",
    "Whether the keys of the items of one order are the product ids in the list of orders.",
    "The seller's own SKU: only the panel's product id is told; the setting skus translates it.",
    "Whether a parent order may be left out because its children are listed too.",
    "How the panel answers for an order that it does not have.",
    "Whether an order whose return is called off goes back to an earlier letter: one that comes "
    "again is not told again.",
    "Which letter an order gets that is cancelled when its parcel has left: one that means "
    "CANCELLED does not say that anything left.",
    "A change of a part of an order: the panel has one letter for all of it.",
    "The form of a file of a courier's scans; ours is described in the README.",
)
