"""The simulator's searches over shipments and returns: what is asked for, what is found."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct, field

from syncd.testing import FaultScript, Parcel, Piece, Return, World
from syncd_flipkart.simulator_rows import (
    CANCELLED_BY,
    IST,
    SOURCES,
    Rows,
    is_mps,
    profile_of,
    type_of,
)

T = TypeVar("T")

PAGE_SIZE: Final = 20
RETURNS_PAGE_SIZE: Final = 25
MAX_PAGE_SIZE: Final = 10_000
_KEPT_RESULTS: Final = 32

STATES: Final = {
    "preDispatch": frozenset(
        {"APPROVED", "PACKING_IN_PROGRESS", "PACKED", "FORM_FAILED", "READY_TO_DISPATCH"}
    ),
    "postDispatch": frozenset({"SHIPPED", "DELIVERED", "PICKUP_COMPLETE"}),
    "cancelled": frozenset({"CANCELLED"}),
}
_BY: Final = {value: key for key, value in CANCELLED_BY.items()}


class BadSearch(ValueError):
    """The panel would answer 400: the search breaks a rule; the message says which."""


class Span(Struct, frozen=True, omit_defaults=True):
    """From and to, both included, either may be open."""

    start: datetime | None = field(default=None, name="from")
    end: datetime | None = field(default=None, name="to")

    def __contains__(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and (
            self.end is None or moment <= self.end
        )


class Filter(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a search asks for, in the panel's own names."""

    type: Literal["preDispatch", "postDispatch", "cancelled"]
    states: tuple[str, ...] = ()
    location_id: str | None = None
    sku: tuple[str, ...] = ()
    order_date: Span | None = None
    dispatch_after_date: Span | None = None
    dispatch_by_date: Span | None = None
    modified_date: Span | None = None
    cancellation_date: Span | None = None
    cancellation_type: str | None = None
    shipment_types: tuple[str, ...] = ()
    service_profiles: tuple[str, ...] = ("NON_FBF",)
    dispatch_service_tiers: tuple[str, ...] = ()
    hold: bool | None = None
    mps: bool | None = None


class Paging(Struct, frozen=True, rename="camel"):
    """How many shipments make a page."""

    page_size: int = PAGE_SIZE


class Sort(Struct, frozen=True):
    """The order of the answer; by date of dispatch unless asked otherwise."""

    field: Literal["dispatchByDate", "orderDate", "modifiedDate", "dispatchAfterDate"] = (
        "dispatchByDate"
    )
    order: Literal["asc", "desc"] = "asc"


class Search(Struct, frozen=True):
    """The body of a search for shipments."""

    filter: Filter
    pagination: Paging = Paging()
    sort: Sort = Sort()


class ReturnSearch(Struct, frozen=True):
    """A search for returns; ``created`` compares days of the approval, see ``returns``."""

    source: str
    modified: Span = Span()
    approved_from: date | None = None
    approved_to: date | None = None
    location_id: str | None = None


def read_search(body: bytes) -> Search:
    """The search in a request's body; BadSearch where the panel would refuse it."""
    try:
        search = msgspec.json.decode(body, type=Search)
    except msgspec.MsgspecError as error:
        raise BadSearch(str(error)) from None
    wanted = search.filter
    if wanted.type == "cancelled" and wanted.cancellation_type not in _BY:
        raise BadSearch("cancellationType is mandatory with type cancelled, one of three values")
    wrong = set(wanted.states) - STATES[wanted.type]
    if wrong:
        raise BadSearch(f"states {sorted(wrong)} do not belong to type {wanted.type}")
    if not 1 <= search.pagination.page_size <= MAX_PAGE_SIZE:
        raise BadSearch("pageSize is out of range")
    for span in _spans(wanted):
        if any(end is not None and end.tzinfo is None for end in (span.start, span.end)):
            raise BadSearch("a date needs its offset")
    return search


def _spans(wanted: Filter) -> list[Span]:
    spans = (
        wanted.order_date,
        wanted.dispatch_after_date,
        wanted.dispatch_by_date,
        wanted.modified_date,
        wanted.cancellation_date,
    )
    return [span for span in spans if span is not None]


class Finder:
    """Finds what a search asks for, and keeps results while the world stands still."""

    def __init__(self, world: World, rows: Rows, faults: FaultScript) -> None:
        self._world = world
        self._rows = rows
        self._faults = faults
        self._kept: OrderedDict[object, tuple[int, list[Any]]] = OrderedDict()

    def shipments(self, search: Search, seller_id: str) -> list[Parcel]:
        """Every shipment that the search asks for, in its order."""
        key = msgspec.json.encode((search.filter, search.sort)), seller_id
        return self._keeping(key, lambda: self._find_shipments(search, seller_id))

    def returns(self, search: ReturnSearch, seller_id: str) -> list[Return]:
        """Every return that the search asks for, by its last change.

        Like the real panel, a search by creation compares the day of the approval in Indian
        time: it finds the whole of both days, and nothing that is not approved.
        """
        key = msgspec.json.encode(search), seller_id
        return self._keeping(key, lambda: self._find_returns(search, seller_id))

    def _keeping(self, key: object, find: Callable[[], list[T]]) -> list[T]:
        if self._faults.lag_seconds:
            return find()  # what is hidden depends on the time
        kept = self._kept.get(key)
        if kept is not None and kept[0] == self._world.version:
            return kept[1]
        found = find()
        self._kept[key] = self._world.version, found
        if len(self._kept) > _KEPT_RESULTS:
            self._kept.popitem(last=False)
        return found

    def _find_shipments(self, search: Search, seller_id: str) -> list[Parcel]:
        wanted, world = search.filter, self._world
        latest = self._newest()
        end = _earlier(wanted.modified_date.end if wanted.modified_date else None, latest)
        keys = world.parcels_by_time.between(_micros(_no_change_before(wanted)), _micros(end))
        parcels = [world.parcels[key] for key in keys]
        found = [p for p in parcels if p.seller_id == seller_id and self._matches(p, wanted)]
        stamp = self._stamp(search.sort.field)
        found.sort(key=stamp, reverse=search.sort.order == "desc")
        return found

    def _find_returns(self, search: ReturnSearch, seller_id: str) -> list[Return]:
        end = _earlier(search.modified.end, self._newest())
        keys = self._world.returns_by_time.between(_micros(search.modified.start), _micros(end))
        returns = (self._world.returns[key] for key in keys)
        return [one for one in returns if one.seller_id == seller_id and _returned(one, search)]

    def _newest(self) -> datetime | None:
        lag = self._faults.lag_seconds
        return self._world.clock.now() - timedelta(seconds=lag) if lag else None

    def _stamp(self, name: str) -> Callable[[Parcel], datetime]:
        orders = self._world.orders
        stamps: dict[str, Callable[[Parcel], datetime]] = {
            "dispatchByDate": lambda parcel: parcel.ship_by,
            "dispatchAfterDate": lambda parcel: parcel.ship_after,
            "modifiedDate": lambda parcel: parcel.modified_at,
            "orderDate": lambda parcel: orders[parcel.order_id].placed_at,
        }
        return stamps[name]

    def _matches(self, parcel: Parcel, wanted: Filter) -> bool:
        return (
            profile_of(parcel) in wanted.service_profiles
            and wanted.location_id in (None, parcel.location_id)
            and self._any_piece(parcel, wanted)
            and self._in_spans(parcel, wanted)
            and _of_kind(parcel, wanted)
            and (not wanted.sku or self._has_sku(parcel, wanted.sku))
        )

    def _any_piece(self, parcel: Parcel, wanted: Filter) -> bool:
        pieces = (piece for some in parcel.contents.values() for piece in some)
        if wanted.type == "cancelled":
            return any(_cancelled_so(piece, wanted) for piece in pieces)
        states = frozenset(wanted.states) or STATES[wanted.type]
        return any(self._rows.word(piece) in states for piece in pieces)

    def _in_spans(self, parcel: Parcel, wanted: Filter) -> bool:
        placed = self._world.orders[parcel.order_id].placed_at
        return (
            (wanted.order_date is None or placed in wanted.order_date)
            and (wanted.modified_date is None or parcel.modified_at in wanted.modified_date)
            and (wanted.dispatch_by_date is None or parcel.ship_by in wanted.dispatch_by_date)
            and (
                wanted.dispatch_after_date is None
                or parcel.ship_after in wanted.dispatch_after_date
            )
        )

    def _has_sku(self, parcel: Parcel, skus: tuple[str, ...]) -> bool:
        return any(self._world.lines[line_id].sku in skus for line_id in parcel.contents)


def _no_change_before(wanted: Filter) -> datetime | None:
    """No shipment that fits was changed last before this: its own stamps are never later."""
    spans = (wanted.modified_date, wanted.cancellation_date, wanted.order_date)
    starts = [span.start for span in spans if span is not None and span.start is not None]
    return max(starts, default=None)


def _cancelled_so(piece: Piece, wanted: Filter) -> bool:
    gone = piece.cancellation
    return (
        gone is not None
        and CANCELLED_BY[gone.by] == wanted.cancellation_type
        and (wanted.cancellation_date is None or gone.at in wanted.cancellation_date)
    )


def _of_kind(parcel: Parcel, wanted: Filter) -> bool:
    hold = False if wanted.hold is None and wanted.type == "preDispatch" else wanted.hold
    tiers = wanted.dispatch_service_tiers
    return (
        (not wanted.shipment_types or type_of(parcel) in wanted.shipment_types)
        and (not tiers or parcel.traits.get("tier", "REGULAR") in tiers)
        and (hold is None or wanted.type != "preDispatch" or parcel.hold == hold)
        and (wanted.mps is None or is_mps(parcel) == wanted.mps)
    )


def _returned(back: Return, search: ReturnSearch) -> bool:
    if SOURCES[back.kind] != search.source or search.location_id not in (None, back.location_id):
        return False
    if search.approved_from is None and search.approved_to is None:
        return True
    if back.approved_at is None:
        return False
    day = back.approved_at.astimezone(IST).date()
    return (search.approved_from is None or search.approved_from <= day) and (
        search.approved_to is None or day <= search.approved_to
    )


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    both = [moment for moment in (one, other) if moment is not None]
    return min(both, default=None)


def _micros(moment: datetime | None) -> int | None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return None if moment is None else (moment - epoch) // timedelta(microseconds=1)
