"""Whether a parcel may leave: the last look before it is handed to a courier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from syncd.rules.foresee import OF_CANCELS, doubted, has_left, look_ahead
from syncd.rules.pieces import Fact, Piece
from syncd.rules.words import Position

STOPPING: Final = OF_CANCELS
"""The events that stop a parcel, and the one that lets it go again."""

_REPLACED: Final = ("SPLITTED", "MERGED")
_NOT_YET: Final = (
    (Position.PENDING_VERIFICATION, "not_verified"),
    (Position.LOCATION_NOT_SERVICEABLE, "not_verified"),
    (Position.UNFULFILLABLE, "stock_missing"),
)


class Verdict(Struct, frozen=True):
    """Whether a parcel may leave, a stable code, and which pieces and which fact say so."""

    may_ship: bool
    code: str
    pieces: tuple[Piece, ...] = ()
    fact: Fact | None = None
    reason: str = ""  # of a block or a hold


def may_ship(
    pieces: Sequence[Piece], inside: Iterable[int], facts: Sequence[Fact], blocked: str, state: str
) -> Verdict:
    """The verdict over the parcel with the pieces ``inside`` (item ids) of an order's ``pieces``.

    ``facts`` are the order's facts that no pass has carried out, oldest first: whatever keeps
    them from it, a parcel stays here that they cancel, and one that they say has left is not sent
    again. ``state`` is the parcel's, ``blocked`` its block.
    """
    ids = set(inside)
    here = [piece for piece in pieces if piece.item_id in ids]
    live = [piece for piece in here if piece.position is not Position.CANCELLED]
    if state in _REPLACED:
        return Verdict(False, "parcel_replaced")
    if not live:
        return Verdict(False, "parcel_cancelled", tuple(here))
    waiting = [piece for piece in live if not has_left(piece.position)]
    if not waiting:
        return Verdict(False, "already_left", tuple(live))
    if blocked:
        return Verdict(False, "package_blocked", tuple(waiting), reason=blocked)
    held = tuple(piece for piece in waiting if piece.hold)
    if held:
        return Verdict(False, "piece_held", held, reason=held[0].hold)
    stopped, left = look_ahead(pieces, facts)
    meant = tuple(piece for piece in waiting if piece.item_id in stopped)
    if meant:
        return Verdict(False, "cancel_undecided", meant, stopped[meant[0].item_id])
    doubts = doubted(pieces, facts)
    perhaps = tuple(piece for piece in waiting if piece.item_id in doubts)
    if perhaps:
        return Verdict(False, "cancel_unclear", perhaps, doubts[perhaps[0].item_id])
    gone = tuple(piece for piece in waiting if piece.item_id in left)
    if gone:
        return Verdict(False, "told_left", gone, left[gone[0].item_id])
    for position, code in _NOT_YET:
        early = tuple(piece for piece in waiting if piece.position is position)
        if early:
            return Verdict(False, code, early)
    out = tuple(piece for piece in here if piece.position is Position.CANCELLED)
    return Verdict(True, "without_cancelled" if out else "may_ship", out)
