"""What a pretend marketplace is made of: orders, lines, pieces, parcels, returns, events.

Plain records without behaviour, their names made from a seed, and the index that finds those
that changed in a span of time. :mod:`syncd.testing.world` gives them a life.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct, field

from syncd.errors import SyncdError
from syncd.statuses import ReturnType

Ships = Literal["channel", "seller"]
By = Literal["seller", "buyer", "marketplace"]

_REBUILD_FROM: Final = 500  # so many moved keys at once: sorting anew is cheaper than moving


class WorldError(SyncdError):
    """The verb is not possible in this state of the world; the message says why."""

    code = "world_refuses"


class State(StrEnum):
    """How far a piece has come on its way to the buyer. Returns stand beside it."""

    PLACED = "PLACED"
    PACKING = "PACKING"
    PACK_FAILED = "PACK_FAILED"
    PACKED = "PACKED"
    READY = "READY"
    PICKED_UP = "PICKED_UP"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    LOST = "LOST"


class ReturnState(StrEnum):
    """The life of a return. ANNOUNCED is not yet shown as a return that is under way."""

    ANNOUNCED = "ANNOUNCED"
    CREATED = "CREATED"
    SERVICE_REQUESTED = "SERVICE_REQUESTED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


AT_SELLER: Final = frozenset(
    {State.PLACED, State.PACKING, State.PACK_FAILED, State.PACKED, State.READY}
)
ON_THE_WAY: Final = frozenset({State.PICKED_UP, State.SHIPPED})
AT_BUYER: Final = frozenset({State.DELIVERED, State.COMPLETED})
WITHDRAWN: Final = frozenset({ReturnState.CANCELLED, ReturnState.REJECTED})
UNDER_WAY: Final = frozenset(
    {ReturnState.CREATED, ReturnState.SERVICE_REQUESTED, ReturnState.CANCELLING}
)
MADE_UP: Final[Mapping[str, str]] = {
    "901": "DISPATCHED",
    "902": "DELIVERED",
    "903": "CANCELLED",
    "904": "LOST",
    "911": "RETURN_NOTICED RTO",
    "912": "RETURNED RTO",
    "913": "RETURN_WITHDRAWN RTO",
    "921": "RETURN_NOTICED CIR",
    "922": "RETURNED CIR",
    "923": "RETURN_WITHDRAWN CIR",
}
"""A ``status_map`` for a panel whose own words no public text has: what :meth:`World.shown` says
of a piece, by made-up numbers."""
ENDED: Final = WITHDRAWN | {ReturnState.COMPLETED}


class LineSpec(Struct, frozen=True, kw_only=True):
    """What ``place_order`` needs to know of a line: ``quantity`` pieces of ``sku``."""

    sku: str
    quantity: int = 1
    line_id: str = ""
    title: str = ""
    price: float = 499.0
    replaces_line_id: str = ""
    traits: dict[str, str] = field(default_factory=dict)


class Cancellation(Struct, frozen=True):
    """Who cancelled, why, when, and whether the parcel was already on its way."""

    by: By
    reason: str
    sub_reason: str
    at: datetime
    in_transit: bool = False


class Piece(Struct):
    """One physical piece of a line, in one parcel."""

    number: int
    shipment_id: str
    changed_at: datetime
    state: State = State.PLACED
    cancellation: Cancellation | None = None
    return_id: str = ""


class Line(Struct):
    """One line of an order and its pieces."""

    line_id: str
    order_id: str
    sku: str
    title: str
    price: float
    replaces_line_id: str
    traits: dict[str, str]
    pieces: list[Piece]


class Order(Struct):
    """A buyer's order."""

    order_id: str
    seller_id: str
    location_id: str
    placed_at: datetime
    lines: list[Line]
    shipment_ids: list[str]
    return_ids: list[str]

    def line(self, line_id: str) -> Line:
        """The line of that id; WorldError when the order has none."""
        for line in self.lines:
            if line.line_id == line_id:
                return line
        raise WorldError(f"order {self.order_id} has no line {line_id!r}")


class Parcel(Struct):
    """A shipment: pieces of one order that travel together. ``contents`` goes by line id.

    ``traits`` carries what only one marketplace knows (a service profile, a tier).
    ``revision`` grows with each change, so that a simulator can keep rendered rows.
    """

    shipment_id: str
    order_id: str
    seller_id: str
    location_id: str
    ships_by: Ships
    traits: dict[str, str]
    contents: dict[str, list[Piece]]
    created_at: datetime
    modified_at: datetime
    ship_after: datetime
    ship_by: datetime
    tracking_number: str
    courier: str
    hold: bool = False
    revision: int = 0


class Return(Struct):
    """Pieces of one line that come back: RTO by the courier, CIR sent by the buyer."""

    return_id: str
    kind: ReturnType
    order_id: str
    line_id: str
    seller_id: str
    location_id: str
    shipment_id: str
    back_shipment_id: str
    tracking_number: str
    courier: str
    pieces: list[Piece]
    state: ReturnState
    created_at: datetime
    approved_at: datetime | None
    modified_at: datetime
    expected_at: datetime
    reason: str
    sub_reason: str
    traits: dict[str, str]
    revision: int = 0


class Event(Struct, frozen=True, gc=False):
    """One thing that happened to some pieces of a line, with its stamp."""

    at: datetime
    word: str
    order_id: str
    line_id: str
    shipment_id: str
    pieces: tuple[int, ...]
    by: str = ""
    return_id: str = ""


class Ids:
    """Names from a seed: the same seed gives the same names. A channel brings its own forms."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def number(self, kind: str, n: int) -> int:
        """A 128-bit number that only seed, kind and n decide."""
        digest = hashlib.blake2b(f"{self._seed}/{kind}/{n}".encode(), digest_size=16)
        return int.from_bytes(digest.digest(), "big")

    def digits(self, kind: str, n: int, length: int) -> str:
        """Exactly ``length`` digits, the first one not zero."""
        low = 10 ** (length - 1)
        return str(low + self.number(kind, n) % (9 * low))

    def order_id(self, n: int) -> str:
        return f"ORDER-{self.digits('order', n, 12)}"

    def line_id(self, n: int) -> str:
        return f"LINE-{self.digits('line', n, 12)}"

    def shipment_id(self, n: int) -> str:
        return f"SHIPMENT-{self.digits('shipment', n, 12)}"

    def return_id(self, n: int) -> str:
        return f"RETURN-{self.digits('return', n, 12)}"

    def tracking_number(self, n: int) -> str:
        return f"TRACK-{self.digits('tracking', n, 12)}"

    def back_tracking_number(self, n: int) -> str:
        return f"BACK-{self.digits('back', n, 12)}"


class TimeIndex:
    """Keys in the order of a stamp that moves (microseconds); a span is found by bisection."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._sorted: list[tuple[int, str]] = []
        self._moved: dict[str, int | None] = {}  # key -> its stamp in the sorted list

    def touch(self, key: str, micros: int) -> None:
        """Give a new or known key a new stamp."""
        if key not in self._moved:
            self._moved[key] = self._at.get(key)
        self._at[key] = micros

    def between(self, start: int | None, end: int | None) -> list[str]:
        """The keys with ``start <= stamp <= end`` in the order of their stamps."""
        self._settle()
        low = 0 if start is None else bisect_left(self._sorted, (start, ""))
        high = len(self._sorted) if end is None else bisect_right(self._sorted, (end + 1, ""))
        return [key for _, key in self._sorted[low:high]]

    def _settle(self) -> None:
        if len(self._moved) > _REBUILD_FROM:
            self._sorted = sorted((micros, key) for key, micros in self._at.items())
        else:
            for key, old in self._moved.items():
                if old is not None:
                    del self._sorted[bisect_left(self._sorted, (old, key))]
                insort(self._sorted, (self._at[key], key))
        self._moved.clear()
