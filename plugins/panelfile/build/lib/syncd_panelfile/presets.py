"""What public sources tell of the report files of named panels, and how sure each of it is.

V: read in a public source. U: not confirmed; then it is either left out or said so in ``notes``.
A seller's own ``columns`` and ``statuses`` come before a preset's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

Ships = Literal["channel", "seller"]

NONE: Final[Mapping[str, str]] = MappingProxyType({})
NO_SHIPS: Final[Mapping[str, Ships]] = MappingProxyType({})

_TYPES: Final = {"RTO": "RTO", "Customer_Return": "CIR"}  # V: the two names in guides of OMS makers


class Preset(Struct, frozen=True, kw_only=True):
    """Columns by our name, meanings by the panel's word, and sentences on what is not sure."""

    columns: Mapping[str, str] = NONE
    statuses: Mapping[str, str] = NONE
    return_types: Mapping[str, str] = NONE
    ships_words: Mapping[str, Ships] = NO_SHIPS
    ships: Ships | None = None
    notes: tuple[str, ...] = ()


PRESETS: Final[Mapping[str, Preset]] = {
    "paytm": Preset(
        columns={  # V: the names, in a guide of an OMS maker; U: their exact spelling
            "order_id": "Order ID",
            "line_id": "Item ID",
            "return_id": "ID",
            "quantity": "Quantity",
            "courier": "Shipper Name",
            "tracking_number": "Tracking ID",
            "reason": "Reject Reason",
        },
        statuses={  # V: the words, in the panel's guides; the meanings are ours
            "Cancelled": "CANCELLED",
            "Return Initiated": "RETURN_NOTICED RTO",
            "Return Pending": "RETURN_NOTICED RTO",
            "Returned": "RETURNED RTO",
            "Return Requested": "RETURN_NOTICED CIR",
            "Return Approved": "RETURN_NOTICED CIR",
            "Return Picked": "RETURN_NOTICED CIR",
            "Return Rejected": "RETURN_WITHDRAWN CIR",
        },
        return_types=_TYPES,
        notes=(
            "Paytm: the spelling of the columns; whether a file has states and dates.",
            "Paytm: the words for shipped and delivered; the list of return words is not whole.",
        ),
    ),
    "shopclues": Preset(
        statuses={
            "Q": "ignore",  # V: an order to fulfil, as one client reads it
            # V: the codes, which couriers send; the meanings are ours
            "PP": "DISPATCHED",
            "OT": "DISPATCHED",
            "SHP": "DISPATCHED",
            "RAD": "DISPATCHED",
            "OO": "DISPATCHED",
            "DL": "DELIVERED",
            "OC": "CANCELLED",
            "RTO": "RETURN_NOTICED RTO",
            "RTO-OT": "RETURN_NOTICED RTO",
            "RTO-OO": "RETURN_NOTICED RTO",
            "RTP": "RETURN_NOTICED RTO",
            "RTD": "RETURNED RTO",
            "NDR": "UNDELIVERED",
            "LT": "LOST",
        },
        notes=(
            "ShopClues: no source names a column of its files; name them in columns.",
            "ShopClues: the letters for shipped, cancelled, delivered and returned are not public.",
        ),
    ),
    "snapdeal": Preset(
        columns={  # V: the names, in a guide of an OMS maker; U: their exact spelling
            "order_id": "Sub Order ID",
            "sku": "SKU",
            "return_type": "Return Type",
            "tracking_number": "Tracking Number",
            "reason": "Return Reason",
        },
        statuses={  # V: the codes; the meanings are ours
            "PFF": "ignore",
            "PRNT": "ignore",
            "MFG": "ignore",
            "BARP": "ignore",
            "AHOS": "ignore",
            "ASTN": "ignore",
            "SHP": "DISPATCHED",
            "FFD": "DELIVERED",
            "CLD": "CANCELLED",
        },
        return_types=_TYPES,
        notes=("Snapdeal: the spelling of the columns; whether a file has a column of codes.",),
    ),
    "tatacliq": Preset(
        columns={  # V: the key of a line; U: the spelling of all columns
            "order_id": "Order ID",
            "line_id": "Transaction ID",
            "sku": "SKU",
            "return_type": "Return Type",
            "tracking_number": "AWB",
            "reason": "Return Reason",
            "ships": "Fulfillment Type",
        },
        return_types=_TYPES,
        ships_words={"TSHIP": "channel", "SSHIP": "seller"},  # V: names; the meanings are ours
        notes=("Tata CLiQ: the spelling of the columns; and every word of a state.",),
    ),
    "wooplr": Preset(
        ships="channel",  # V: the press names couriers that Wooplr arranged
        notes=("Wooplr: no column and no word of its files is public; name them all.",),
    ),
    "voonik": Preset(
        notes=(
            "Voonik: no column and no word of its files is public; name them all.",
            "Voonik: who shipped is not public; say it in ships.",
        ),
    ),
}
