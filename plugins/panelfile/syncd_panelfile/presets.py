"""What public sources tell of the report files of named panels, and how sure each of it is.

V: read in a public source. U: not confirmed; then it is left out, or said so in ``notes``. The
names of columns are those that a guide for sellers lists for files of returns (V); how a file
spells them is U for all. A seller's own ``columns`` and ``statuses`` come before a preset's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

Ships = Literal["channel", "seller"]

NONE: Final[Mapping[str, str]] = MappingProxyType({})
NO_SHIPS: Final[Mapping[str, Ships]] = MappingProxyType({})

_TYPES: Final = {"RTO": "RTO", "Customer_Return": "CIR"}  # V: the guide's kinds; U: their column


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
        columns={  # V; U: a column of quantities, the guide knows of single pieces only
            "order_id": "Order ID",
            "line_id": "Item ID",
            "return_id": "ID",
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
            "Paytm: the spelling of the columns; which hold states, dates and kinds of return.",
            "Paytm: the words for shipped and delivered; the list of return words is not whole.",
        ),
    ),
    "shopclues": Preset(
        statuses={
            "Q": "ignore",  # V: an order to fulfil, as one client reads it
            # V: the codes, as couriers send them; U: that a file has them; the meanings are ours
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
        columns={  # V
            "order_id": "Sub Order ID",
            "sku": "Channel SKU",
            "tracking_number": "Tracking Number",
            "reason": "Return Reason",
        },
        statuses={  # V: the codes; U: that a file has them; the meanings are ours
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
        notes=(
            "Snapdeal: the spelling of the columns; which ones hold states and kinds of return.",
        ),
    ),
    "tatacliq": Preset(
        columns={  # V; the guide takes Transaction ID for the id of a return, too
            "order_id": "Order ID",
            "line_id": "Transaction ID",
            "courier": "Return Delivered by LP",
            "tracking_number": "AWB",
            "reason": "Return Reason",
        },
        return_types=_TYPES,
        # V: names, of its API; U: that a file has them; the meanings are ours
        ships_words={"TSHIP": "channel", "SSHIP": "seller"},
        notes=(
            "Tata CLiQ: the spelling of the columns; which ones hold states, SKUs, quantities, "
            "kinds of return and who ships; every word of a state.",
        ),
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
