"""The language that the core and every channel plugin share.

All times are timezone-aware ``datetime`` objects; the core stores them as UTC.
All ids are text, kept byte for byte: an order id is never parsed as a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

MAX_ID_LENGTH: Final = 200
MAX_QUANTITY: Final = 10_000
MAX_RAW_LENGTH: Final = 20_000

NO_FACTS: Final[Mapping[str, str]] = MappingProxyType({})


class Status(StrEnum):
    """What a channel says of a piece, in the book's words.

    ``RETURN_NOTICED`` means on its way back, ``RETURNED`` means back at the seller.
    ``UNKNOWN`` is for a row that the plugin could not read or whose native word it does
    not know: it is kept with its raw text for a person and never guessed.
    """

    DISPATCHED = "DISPATCHED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURN_NOTICED = "RETURN_NOTICED"
    RETURNED = "RETURNED"
    RETURN_WITHDRAWN = "RETURN_WITHDRAWN"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCEL_WITHDRAWN = "CANCEL_WITHDRAWN"
    UNDELIVERED = "UNDELIVERED"
    LOST = "LOST"
    UNKNOWN = "UNKNOWN"


RETURN_STATUSES: Final = frozenset(
    {Status.RETURN_NOTICED, Status.RETURNED}
)  # the two that need a ReturnType


class ReturnType(StrEnum):
    """RTO: the courier brings the parcel back undelivered. CIR: the buyer sends it back."""

    RTO = "RTO"
    CIR = "CIR"


class Kind(StrEnum):
    """The kinds of a pass: one per fetching hook."""

    ORDERS = "orders"
    DISPATCHED = "dispatched"
    CANCELLED = "cancelled"
    RETURNS = "returns"
    DELIVERED = "delivered"


STATUSES_OF: Final[Mapping[Kind, frozenset[Status]]] = MappingProxyType(
    {
        Kind.ORDERS: frozenset(),
        Kind.DISPATCHED: frozenset({Status.DISPATCHED}),
        Kind.CANCELLED: frozenset(
            {
                Status.CANCELLED,
                Status.CANCEL_REQUESTED,
                Status.CANCEL_WITHDRAWN,
                Status.RETURN_NOTICED,  # cancelled in transit: an RTO
            }
        ),
        Kind.RETURNS: frozenset(
            {
                Status.RETURN_NOTICED,
                Status.RETURNED,
                Status.RETURN_WITHDRAWN,
                Status.UNDELIVERED,
                Status.LOST,
            }
        ),
        Kind.DELIVERED: frozenset({Status.DELIVERED}),
    }
)
"""Which statuses each kind's hook may yield; ``UNKNOWN`` is always allowed."""


class StatusChange(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One fact that a channel reports about pieces of one order.

    ``line_id`` wins over ``sku`` when the pieces are chosen; with neither, every piece of
    the order is meant. ``quantity`` counts pieces; ``None`` means every piece of the line.
    With ``cumulative`` the quantity is the total of that line so far («2 of 3 are
    cancelled»), without it the pieces of this fact alone («1 more is cancelled»).

    ``evidence_id`` names the fact itself: the same fact read twice has the same id, another
    fact has another. Leave it empty and the core derives it from the other fields. Where one id
    stands for two lines, SKUs, statuses or return types, they are told apart all the same.

    ``left_seller`` says that the pieces have left the seller (a ship date, in transit): with
    it, or with a tracking number, a return or a loss proves the dispatch before it.

    ``facts`` carries what ``provides_shipping`` needs to know of the parcel.
    ``raw`` is what a person may see of the row, needed with ``UNKNOWN``, where ``problem``
    says in a sentence what could not be read. It holds the fields that the plugin reads and no
    others: those may be a buyer's.
    """

    order_id: str
    status: Status
    native_status: str
    occurred_at: datetime
    line_id: str = ""
    sku: str = ""
    quantity: int | None = None
    cumulative: bool = False
    return_type: ReturnType | None = None
    return_id: str = ""
    shipment_id: str = ""
    tracking_number: str = ""
    courier: str = ""
    location_id: str = ""
    left_seller: bool = False
    reason: str = ""
    evidence_id: str = ""
    facts: Mapping[str, str] = NO_FACTS
    raw: str = ""
    problem: str = ""


class OrderLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order; ``quantity`` pieces of ``sku``.

    ``components`` lists the stock keeping units of a bundle when one line is several
    physical pieces; empty for a plain line. ``replaces_line_id`` is the line of the same order
    that this one stands in for: a replacement that the channel sends under the same order id
    must have a line id of its own.
    """

    line_id: str
    sku: str
    quantity: int
    title: str = ""
    components: tuple[str, ...] = ()
    replaces_line_id: str = ""


class NewOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as the channel (or an import file) knows it. Carries no buyer's data.

    ``facts`` is stored with the order and handed to ``provides_shipping``.
    ``replaces`` is the id of the order that this one stands in for. It is an order of its own:
    no status flows between the two. The same id says that the channel has reused it, and that
    all these lines are the replacement.
    ``raw`` and ``problem`` as in StatusChange: a row that could not be read has a problem.
    """

    order_id: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]
    location_id: str = ""
    facts: Mapping[str, str] = NO_FACTS
    replaces: str = ""
    raw: str = ""
    problem: str = ""


Row = TypeVar("Row")


class Page(Struct, Generic[Row], frozen=True, kw_only=True):
    """What a hook yields: some rows, and how far they reach.

    ``complete_until`` may be set when the channel answers in time order: every fact of this
    hook's window before that time has been yielded. The core then moves its cursor there
    together with the rows. Leave it ``None`` where a half-read window proves nothing; the
    cursor then moves only when the hook has ended.
    """

    rows: Sequence[Row]
    complete_until: datetime | None = None


class Window(Struct, frozen=True):
    """A half-open span of time, ``start <= t < end``, both in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


class OrderRef(Struct, frozen=True, kw_only=True):
    """An order that the book knows, as much of it as a channel call may need.

    ``facts`` are the order's own facts overlaid with those of the change in hand, so that
    ``provides_shipping`` can answer per parcel.
    """

    order_id: str
    line_ids: tuple[str, ...] = ()
    shipment_ids: tuple[str, ...] = ()
    location_id: str = ""
    facts: Mapping[str, str] = NO_FACTS


class Account(Struct, frozen=True, kw_only=True):
    """One seller login on a channel. ``settings`` is the plugin's own settings model."""

    name: str
    channel: str
    settings: Any
