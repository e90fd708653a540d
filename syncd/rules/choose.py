"""Which pieces of an order a fact means.

A line wins over a SKU; with neither, every piece is meant. The same pieces and the same fact
always give the same choice, in whatever order the pieces are handed in:

* Pieces that carry the fact's return, shipment or tracking number go first, and fill its
  quantity even where nothing is left to do: the same parcel told of twice is one parcel.
  Without a quantity they alone are meant.
* Else pieces go first which the fact would change. One that is there already takes up a fact
  only when no other is left, so a second «1 more dispatched» takes a second piece, while a
  single piece told of twice is no contradiction. A contradiction is the last resort.
* Among equals: the least advanced for a cancellation (a buyer's wish first), the most advanced
  for a dispatch, what is most likely for the rest; then by line and number of the piece.
* A total («2 of 3 so far») is first filled by the pieces that are there already.
* Pieces of one bundle count as one and are chosen together.

When a decision about one of the chosen pieces is PARK, the whole fact should wait: a part of it
carried out now would be counted a second time when it is decided again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from syncd.rules.decide import decide, superseded
from syncd.rules.pieces import Fact, Piece
from syncd.rules.words import Event, Outcome, Position, Reason

P = Position

_BEFORE_DISPATCH: Final = (
    P.MANIFESTED, P.READY_TO_SHIP, P.PACKED, P.PICKED, P.PICKING, P.CREATED, P.FULFILLABLE,
    P.LOCATION_NOT_SERVICEABLE, P.UNFULFILLABLE, P.PENDING_VERIFICATION,
)  # fmt: skip
_ON_THE_WAY: Final = (P.SHIPPED, P.DISPATCHED)
_LEAST_FIRST: Final = (*reversed(_BEFORE_DISPATCH), P.DISPATCHED, P.SHIPPED, P.DELIVERED)
_LIKELY: Final[Mapping[Event, tuple[Position, ...]]] = {
    Event.DISPATCHED: _BEFORE_DISPATCH,
    Event.DELIVERED: (*_ON_THE_WAY, P.RETURN_EXPECTED, P.LOST, *_BEFORE_DISPATCH),
    Event.CANCELLED: _LEAST_FIRST,
    Event.CANCEL_REQUESTED: _LEAST_FIRST,
    Event.CANCEL_WITHDRAWN: _LEAST_FIRST,
    Event.RETURN_NOTICED_RTO: (*_ON_THE_WAY, P.LOST, P.DELIVERED, *_BEFORE_DISPATCH),
    Event.RETURN_NOTICED_CIR: (P.DELIVERED, *_ON_THE_WAY, *_BEFORE_DISPATCH),
    Event.RETURNED_RTO: (
        P.RETURN_EXPECTED, *_ON_THE_WAY, P.LOST, P.DELIVERED, *_BEFORE_DISPATCH,
    ),
    Event.RETURNED_CIR: (P.CIR_CREATED, P.DELIVERED, *_ON_THE_WAY, *_BEFORE_DISPATCH),
    Event.RETURN_WITHDRAWN: (
        P.CIR_CREATED, P.RETURN_EXPECTED, P.DELIVERED, *_ON_THE_WAY, P.LOST, *_BEFORE_DISPATCH,
    ),
    Event.UNDELIVERED: (*_ON_THE_WAY, *_BEFORE_DISPATCH),
    Event.LOST: (*_ON_THE_WAY, P.RETURN_EXPECTED, P.CIR_CREATED, *_BEFORE_DISPATCH),
}  # fmt: skip
_PLACE: Final = {
    event: {position: place for place, position in enumerate(dict.fromkeys((*first, *P)))}
    for event, first in _LIKELY.items()
}

_CIR: Final = frozenset({P.CIR_CREATED, P.CIR_COMPLETE})
_RTO_BACK: Final = frozenset({P.RETURNED, P.RETURN_ACKNOWLEDGED})
_IN_RETURN: Final = _CIR | _RTO_BACK | {P.RETURN_EXPECTED}
_GONE: Final = _IN_RETURN | {P.DISPATCHED, P.SHIPPED, P.DELIVERED, P.LOST}
# Where a piece stands that a total of the event counts already.
_COUNTED: Final[Mapping[Event, frozenset[Position]]] = {
    Event.DISPATCHED: _GONE,
    Event.DELIVERED: _CIR | {P.DELIVERED},
    Event.CANCELLED: _RTO_BACK | {P.CANCELLED, P.RETURN_EXPECTED},
    Event.CANCEL_REQUESTED: frozenset({P.CANCELLED}),
    Event.RETURN_NOTICED_RTO: _RTO_BACK | {P.RETURN_EXPECTED},
    Event.RETURN_NOTICED_CIR: _CIR,
    Event.RETURNED_RTO: _RTO_BACK,
    Event.RETURNED_CIR: frozenset({P.CIR_COMPLETE}),
    Event.LOST: frozenset({P.LOST}),
}

_OF_RETURNS: Final = frozenset(
    {
        Event.RETURN_NOTICED_RTO,
        Event.RETURN_NOTICED_CIR,
        Event.RETURNED_RTO,
        Event.RETURNED_CIR,
        Event.RETURN_WITHDRAWN,
    }
)
_OUTWARD: Final = frozenset({Event.DISPATCHED, Event.DELIVERED, Event.UNDELIVERED})
_ENDS_A_WISH: Final = frozenset({Event.CANCELLED, Event.CANCEL_WITHDRAWN})

# How near a piece is to a fact.
_RETURN, _PARCEL, _FREE, _ELSEWHERE, _BARRED = range(5)


class Choice(Struct):
    """The pieces that a fact means, and how many more it speaks of than there are.

    ``excess`` counts bundles as one. It is at least 1 when no piece was found at all.
    """

    pieces: list[Piece]
    excess: int


class _Row(Struct):
    """A piece with its nearness to the fact and its place in the queue."""

    piece: Piece
    near: int
    contradicts: bool
    key: tuple[int | str, ...]


def choose(pieces: Sequence[Piece], fact: Fact) -> Choice:
    """Choose among all the pieces of one order. Pure, and the same every time."""
    meant = _meant(pieces, fact)
    if len(meant) == 1:
        found = [piece for piece in meant if _near(piece, fact) != _BARRED]
        return Choice(found, max(0, (fact.quantity or 1) - len(found)))
    rows = [row for piece in meant if (row := _row(piece, fact)).near != _BARRED]
    units = sorted(_units(rows), key=lambda unit: unit[0].key)
    if fact.quantity is None:
        chosen = _all_meant(units)
        return Choice(_pieces(chosen), 0 if chosen else 1)
    chosen = units[: fact.quantity]
    return Choice(_pieces(chosen), fact.quantity - len(chosen))


def _meant(pieces: Sequence[Piece], fact: Fact) -> list[Piece]:
    """The pieces of the fact's line or SKU, bundles made whole."""
    if fact.line_id:
        return [piece for piece in pieces if piece.line_id == fact.line_id]
    if not fact.sku:
        return list(pieces)
    bundles = {piece.bundle for piece in pieces if piece.sku == fact.sku and piece.bundle}
    return [piece for piece in pieces if piece.sku == fact.sku or piece.bundle in bundles]


def _near(piece: Piece, fact: Fact) -> int:
    """Whether the piece carries the fact's ids, none, or those of another parcel or return."""
    if fact.return_id and piece.return_id and fact.event in _OF_RETURNS:
        if piece.return_id == fact.return_id:
            return _RETURN
        if piece.position in _IN_RETURN:
            return _BARRED
    if fact.shipment_id and piece.shipment_id:
        if piece.shipment_id == fact.shipment_id:
            return _PARCEL
        gone = piece.position in _GONE and fact.event in _OUTWARD
        return _BARRED if gone else _ELSEWHERE
    if fact.tracking_number and piece.tracking_number:
        return _PARCEL if piece.tracking_number == fact.tracking_number else _ELSEWHERE
    return _FREE


def _row(piece: Piece, fact: Fact) -> _Row:
    near = _near(piece, fact)
    outcome = decide(piece, fact).outcome
    appetite = _appetite(piece, fact, outcome)
    held = bool(piece.hold)
    queue = (
        held != (fact.event in _ENDS_A_WISH),
        _PLACE[fact.event][piece.position],
        piece.line_id,
        piece.piece,
        piece.item_id,
    )
    bound = near in (_RETURN, _PARCEL)
    key = (near, appetite, 0, *queue) if bound else (_FREE, appetite, near, *queue)
    return _Row(piece, near, outcome is Outcome.ESCALATE, key)


def _appetite(piece: Piece, fact: Fact, outcome: Outcome) -> int:
    """0: the fact is about such a piece. 1: it changes nothing there. 2: it contradicts."""
    if fact.cumulative and _counted(piece, fact.event):
        return -1
    if outcome is Outcome.ESCALATE:
        return 2
    if outcome is Outcome.NOOP and not superseded(piece, fact):
        return 1
    return 0


def _counted(piece: Piece, event: Event) -> bool:
    """Whether a total of the event has this piece in it."""
    if event is Event.CANCELLED and piece.hold == Reason.CANCELLED_AFTER_MANIFEST:
        return True
    if event is Event.CANCEL_REQUESTED and piece.hold:
        return True
    return piece.position in _COUNTED.get(event, ())


def _units(rows: Iterable[_Row]) -> list[list[_Row]]:
    """Rows of one bundle together, the first in the queue leading; others by themselves."""
    units: dict[str | int, list[_Row]] = {}
    for row in sorted(rows, key=lambda each: each.key):
        units.setdefault(row.piece.bundle or row.piece.item_id, []).append(row)
    return [_here(unit) for unit in units.values()]


def _here(unit: list[_Row]) -> list[_Row]:
    """Of a bundle that travels in two parcels, the part in the fact's own parcel."""
    if unit[0].near > _PARCEL:
        return unit
    return [row for row in unit if row.near != _ELSEWHERE]


def _all_meant(units: list[list[_Row]]) -> list[list[_Row]]:
    """Without a quantity: all that are nearest.

    Pieces which the fact contradicts are left out, unless it contradicts them all: «the line
    was dispatched» does not speak of the piece that was cancelled yesterday.
    """
    if not units:
        return []
    nearest = min(unit[0].near for unit in units)
    near = [unit for unit in units if unit[0].near == nearest]
    return [unit for unit in near if not unit[0].contradicts] or near


def _pieces(units: Iterable[Iterable[_Row]]) -> list[Piece]:
    return [row.piece for unit in units for row in unit]
