"""Which pieces of an order a fact means.

A line wins over a SKU; with neither, every piece is meant. The same pieces and the same fact
always give the same choice, in whatever order the pieces are handed in:

* Pieces that carry the fact's return, shipment or tracking number go first, and fill its
  quantity even where nothing is left to do: the same parcel told of twice is one parcel.
  Without a quantity they alone are meant. A piece cancelled in its parcel did not leave in it.
  A parcel that was split or merged is known by its old names too.
* Else pieces go first which the fact would change. One that is there already takes up a fact
  only when no other is left, so a second «1 more dispatched» takes a second piece, while a
  single piece told of twice is no contradiction. A contradiction is the last resort.
* Among equals: the most advanced for a dispatch, what is most likely for the rest; then by line
  and number of the piece.
* A total («2 of 3 so far») is first filled by the pieces that are there already. So is a dispatch
  or a delivery by a piece of which a later word has told that it must have happened.
* Pieces of one bundle count as one and are chosen together.
* A fact that was carried out before its order has grown is for the pieces that came since; where
  it may be of these or of a replacement that came, it is for a person.

A cancellation, and a buyer's wish for one, is about what has not left the seller. A parcel that
it names may be that of the line's other pieces, so the name weighs less here:

* Pieces that have not left go first: in the named parcel, then in none, then in another; among
  those a buyer's wish first, then the least advanced. Pieces that left come after all of them.
* A total of cancellations is filled by cancelled pieces first, and by pieces on their way back
  undelivered only once none is left to cancel: what is cancelled after it left is such a piece,
  but a parcel that came back for another reason must not swallow a cancellation.
* Without a quantity the whole line is meant, but for what travels in another parcel.
* Of a bundle all that has not left is cancelled; one that has left in part goes after a whole one.

A replacement that the channel sends under the same order id is another line. A fact that names
neither a line nor a parcel or return of one of the two means neither: it is for a person.

When a decision about one of the chosen pieces is PARK, the whole fact should wait: a part of it
carried out now would be counted a second time when it is decided again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from syncd.rules.decide import decide, superseded
from syncd.rules.pieces import Before, Fact, Piece
from syncd.rules.words import OF_RETURNS, Event, Outcome, Position, Reason
from syncd.statuses import ReturnType

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
_COMING_BACK: Final = _RTO_BACK | {P.RETURN_EXPECTED}
_GONE: Final = _IN_RETURN | {P.DISPATCHED, P.SHIPPED, P.DELIVERED, P.LOST}
# Where a piece stands that a total of the event counts already.
_COUNTED: Final[Mapping[Event, frozenset[Position]]] = {
    Event.DISPATCHED: _GONE,
    Event.DELIVERED: _CIR | {P.DELIVERED},
    Event.CANCELLED: frozenset({P.CANCELLED}),
    Event.CANCEL_REQUESTED: frozenset({P.CANCELLED}),
    Event.RETURN_NOTICED_RTO: _COMING_BACK,
    Event.RETURN_NOTICED_CIR: _CIR,
    Event.RETURNED_RTO: _RTO_BACK,
    Event.RETURNED_CIR: frozenset({P.CIR_COMPLETE}),
    Event.LOST: frozenset({P.LOST}),
}

_OUTWARD: Final = frozenset({Event.DISPATCHED, Event.DELIVERED, Event.UNDELIVERED})
_ENDS_A_WISH: Final = frozenset({Event.CANCELLED, Event.CANCEL_WITHDRAWN})
_CANCELS: Final = _ENDS_A_WISH | {Event.CANCEL_REQUESTED}

# How near a piece is to a fact.
_RETURN, _PARCEL, _FREE, _ELSEWHERE, _BARRED = range(5)
# What a cancellation finds: the earlier, the sooner it is taken.
_TOLD, _STAYS, _BACK, _LEFT, _IDLE, _CONTRADICTED = range(6)


class Choice(Struct):
    """The pieces that a fact means, and how many more it speaks of than there are.

    ``excess`` counts bundles as one. It is at least 1 when no piece was found at all.
    ``ambiguous``: the fact names no line of an order that holds a line and its replacement, and
    no parcel or return that tells them apart, so no piece is chosen.
    """

    pieces: list[Piece]
    excess: int
    ambiguous: bool = False


class _Row(Struct):
    """A piece with its nearness to the fact and its place in the queue."""

    piece: Piece
    near: int
    contradicts: bool
    key: tuple[int | str, ...]
    stage: int = _TOLD  # for a cancellation only


def choose(pieces: Sequence[Piece], fact: Fact) -> Choice:
    """Choose among all the pieces of one order. Pure, and the same every time."""
    if fact.before is not None:
        return _of_what_came(pieces, fact, fact.before)
    meant = _meant(pieces, fact)
    if not fact.line_id and any(piece.replaces for piece in meant):
        meant = _told_apart(meant, fact)
        if not meant:
            return Choice([], fact.quantity or 1, ambiguous=True)
    if len(meant) == 1:
        found = [piece for piece in meant if _near(piece, fact) != _BARRED]
        return Choice(found, max(0, (fact.quantity or 1) - len(found)))
    rows = [row for piece in meant if (row := _row(piece, fact)).near != _BARRED]
    units = _units(rows, fact)
    if fact.quantity is None:
        chosen = _all_meant(units, fact)
        return Choice(_pieces(chosen), 0 if chosen else 1)
    chosen = units[: fact.quantity]
    return Choice(_pieces(chosen), fact.quantity - len(chosen))


def _of_what_came(pieces: Sequence[Piece], fact: Fact, before: Before) -> Choice:
    """What a fact that was carried out before means of the pieces that came since.

    A number is what is left of it. A fact that names a parcel or return spoke of pieces that were
    there, but for those by which it exceeded the order. Where the order holds a replacement of
    what it speaks of, a fact without a line may be about either side.
    """
    meant = _meant(pieces, fact)
    came = [piece for piece in meant if piece.item_id >= before.since]
    either = not fact.line_id and any(piece.replaces for piece in meant)
    if either:
        came = [piece for piece in came if not piece.replaces]
    named = fact.shipment_id or fact.tracking_number or fact.return_id
    left, had = fact.quantity, before.met
    if left is not None:
        had = before.met if named or fact.cumulative else before.used
        left -= had
    if not came or (named if left is None else left < 1):
        return Choice([], 0)
    if either:
        return Choice([], left or 1, ambiguous=True)
    choice = choose(came, replace(fact, quantity=left, before=None))
    # Those that it met and did not use up are as many as it speaks of, where no others come.
    choice.excess = max(0, choice.excess - (before.met - had))
    return choice


def _meant(pieces: Sequence[Piece], fact: Fact) -> list[Piece]:
    """The pieces of the fact's line or SKU, bundles made whole."""
    if fact.line_id:
        return [piece for piece in pieces if piece.line_id == fact.line_id]
    if not fact.sku:
        return list(pieces)
    bundles = {piece.bundle for piece in pieces if piece.sku == fact.sku and piece.bundle}
    return [piece for piece in pieces if piece.sku == fact.sku or piece.bundle in bundles]


def _told_apart(meant: Sequence[Piece], fact: Fact) -> list[Piece]:
    """Of lines and their replacements, the side that the fact's ids name; empty for neither."""
    if all(piece.replaces for piece in meant):
        return list(meant)
    sides = {bool(piece.replaces) for piece in meant if _near(piece, fact) in (_RETURN, _PARCEL)}
    if len(sides) != 1:
        return []
    return [piece for piece in meant if bool(piece.replaces) in sides]


def _near(piece: Piece, fact: Fact) -> int:
    """Whether the piece carries the fact's ids, none, or those of another parcel or return."""
    if fact.return_id and piece.return_id and fact.event in OF_RETURNS:
        if piece.return_id == fact.return_id:
            return _RETURN
        if piece.position in _IN_RETURN:
            return _BARRED
        return _ELSEWHERE  # it keeps the end of another return, whose beginning may still come
    if piece.former:
        return _near_parted(piece, fact)
    if fact.shipment_id and piece.shipment_id:
        if piece.shipment_id == fact.shipment_id:
            return _PARCEL
        gone = piece.position in _GONE and fact.event in _OUTWARD
        return _BARRED if gone else _ELSEWHERE
    if fact.tracking_number and piece.tracking_number:
        return _PARCEL if piece.tracking_number == fact.tracking_number else _ELSEWHERE
    return _FREE


def _near_parted(piece: Piece, fact: Fact) -> int:
    """The same of a piece in what became of a parcel that was split or merged.

    Its parcel's own name wins: if it has another one of its own, the old name only may mean it.
    """
    for told, own in (
        (fact.shipment_id, piece.shipment_id),
        (fact.tracking_number, piece.tracking_number),
    ):
        if told and told == own:
            return _PARCEL
        if told and told in piece.former:
            return _FREE if own else _PARCEL
        if told and own:
            return _ELSEWHERE
    return _FREE


def _row(piece: Piece, fact: Fact) -> _Row:
    near = _near(piece, fact)
    outcome = decide(piece, fact).outcome
    contradicts = outcome is Outcome.ESCALATE
    held = bool(piece.hold)
    queue = (
        held != (fact.event in _ENDS_A_WISH),
        _PLACE[fact.event][piece.position],
        piece.line_id,
        piece.piece,
        piece.item_id,
    )
    if fact.event in _CANCELS:
        stage = _stage(piece, fact, outcome)
        return _Row(piece, near, contradicts, (stage, near, *queue), stage)
    appetite = _appetite(piece, fact, outcome)
    bound = near in (_RETURN, _PARCEL) and not (contradicts and _stayed_behind(piece, fact))
    key = (near, appetite, 0, *queue) if bound else (_FREE, appetite, near, *queue)
    return _Row(piece, near, contradicts, key)


def _stayed_behind(piece: Piece, fact: Fact) -> bool:
    """Whether the piece was cancelled, so that its parcel's way outward is not its own."""
    cancelled = piece.position is P.CANCELLED or piece.hold == Reason.CANCELLED_AFTER_MANIFEST
    return cancelled and fact.event in _OUTWARD


def _stage(piece: Piece, fact: Fact, outcome: Outcome) -> int:
    """How soon a cancellation, or a wish for one, takes the piece."""
    if fact.cumulative and _counted(piece, fact.event):
        return _TOLD
    if outcome is Outcome.ESCALATE:
        return _CONTRADICTED
    if fact.event is Event.CANCELLED and piece.position in _ON_THE_WAY:
        return _LEFT  # also if its return is withdrawn since: the fact is then about that one
    if outcome is not Outcome.NOOP or superseded(piece, fact):
        return _STAYS
    if fact.cumulative and fact.event is Event.CANCELLED and _comes_back(piece):
        return _BACK
    return _IDLE


def _comes_back(piece: Piece) -> bool:
    """Whether the piece came back undelivered, or would have."""
    if piece.position is P.LOST:
        return piece.return_type == ReturnType.RTO
    return piece.position in _COMING_BACK


def _appetite(piece: Piece, fact: Fact, outcome: Outcome) -> int:
    """0: the fact is about such a piece. 1: it changes nothing there. 2: it contradicts.

    -1: it has been counted there already, or was taken for granted.
    """
    if _implied(piece, fact) or (fact.cumulative and _counted(piece, fact.event)):
        return -1
    if outcome is Outcome.ESCALATE:
        return 2
    if outcome is Outcome.NOOP and not superseded(piece, fact):
        return 1
    return 0


def _implied(piece: Piece, fact: Fact) -> bool:
    """Whether this word was missing when a later one told that the piece had come so far."""
    at, later = None, [piece.return_noticed_at]
    if fact.event is Event.DISPATCHED:
        at = piece.dispatched_at
        later += [piece.delivered_at, piece.lost_at]
    elif fact.event is Event.DELIVERED and piece.position in _CIR:
        at = piece.delivered_at
    elif piece.position is _ARRIVED.get(fact.event):
        at, later = piece.return_noticed_at, [piece.changed_at]
    return at is not None and at > fact.occurred_at and at in later


_ARRIVED: Final = {
    Event.RETURN_NOTICED_RTO: P.RETURNED, Event.RETURN_NOTICED_CIR: P.CIR_COMPLETE,
}  # fmt: skip


def _counted(piece: Piece, event: Event) -> bool:
    """Whether a total of the event has this piece in it."""
    if event is Event.CANCELLED and piece.hold == Reason.CANCELLED_AFTER_MANIFEST:
        return True
    if event is Event.CANCEL_REQUESTED and piece.hold:
        return True
    return piece.position in _COUNTED.get(event, ())


def _units(rows: Iterable[_Row], fact: Fact) -> list[list[_Row]]:
    """Rows of one bundle together, the first in the queue leading; others by themselves."""
    units: dict[str | int, list[_Row]] = {}
    for row in sorted(rows, key=lambda each: each.key):
        units.setdefault(row.piece.bundle or row.piece.item_id, []).append(row)
    if fact.event in _CANCELS:
        return [_to_cancel(unit) for unit in sorted(units.values(), key=_cancel_key)]
    return [_here(unit) for unit in units.values()]


def _cancel_key(unit: list[_Row]) -> tuple[int | str, ...]:
    """Where a unit queues for a cancellation: a bundle has left as far as any of it has."""
    lead = unit[0]
    stage = lead.stage if lead.stage == _TOLD else max(row.stage for row in unit)
    return (stage, *lead.key[1:])


def _to_cancel(unit: list[_Row]) -> list[_Row]:
    """Of a bundle that travels in two parcels, all but what left in another than the fact's."""
    if len(unit) == 1:
        return unit
    here = [row for row in unit if row.near != _ELSEWHERE or row.piece.position not in _GONE]
    return here or unit


def _here(unit: list[_Row]) -> list[_Row]:
    """Of a bundle that travels in two parcels, the part in the fact's own parcel."""
    if unit[0].near > _PARCEL:
        return unit
    return [row for row in unit if row.near != _ELSEWHERE]


def _all_meant(units: list[list[_Row]], fact: Fact) -> list[list[_Row]]:
    """Without a quantity: all that are nearest.

    A line that is cancelled is cancelled whole, with the pieces that have no parcel yet.
    Pieces which the fact contradicts are left out, unless it contradicts them all: «the line
    was dispatched» does not speak of the piece that was cancelled yesterday.
    """
    if not units:
        return []
    nearest = min(_nearest(unit) for unit in units)
    if fact.event in _CANCELS and (fact.line_id or fact.sku):
        nearest = max(nearest, _FREE)
    near = [unit for unit in units if _nearest(unit) <= nearest]
    return [unit for unit in near if not unit[0].contradicts] or near


def _nearest(unit: list[_Row]) -> int:
    return min(row.near for row in unit)


def _pieces(units: Iterable[Iterable[_Row]]) -> list[Piece]:
    return [row.piece for unit in units for row in unit]
