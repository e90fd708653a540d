"""From orders, as the panel shows them, to facts for the book.

Quantities are totals of a line in its parcel, so that a row read twice is one fact. The stamp of an
event is the parcel's ship time where there is one, else the order's last change: «at the latest».
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from syncd import ReturnType, Status, StatusChange
from syncd_amazon.seen import Box, Broken, Line, Seen
from syncd_amazon.statuses import Stage

LEFT: Final = frozenset(Stage) - {Stage.OPEN, Stage.CANCELLED, Stage.BY_LINE}
_STOPPED: Final = LEFT - {Stage.DELIVERED, Stage.LOST, Stage.DAMAGED}  # by a cancellation
_SHIPPED: Final = frozenset({Stage.LEFT, Stage.BY_LINE})


def dispatched(seen: Seen) -> Iterator[StatusChange]:
    """What has left, by parcel; pieces that no parcel names, by line."""
    boxed: dict[str, int] = {}
    for box in seen.boxes:
        for line_id, quantity in box.items.items():
            boxed[line_id] = boxed.get(line_id, 0) + quantity
        if box.stage in LEFT:
            at = box.shipped_at or seen.changed_at
            yield from _of_box(seen, box, Status.DISPATCHED, at=at, left_seller=True)
    if seen.stage not in _SHIPPED and seen.stage is not Stage.CANCELLED:
        return
    for line in seen.lines:
        if line.shipped > boxed.get(line.line_id, 0):
            yield _change(
                seen,
                Status.DISPATCHED,
                seen.word,
                line_id=line.line_id,
                sku=line.sku,
                quantity=line.shipped,
                cumulative=True,
                left_seller=True,
                evidence_id=f"{line.line_id}/DISPATCHED/{line.shipped}",
            )


def delivered(seen: Seen) -> Iterator[StatusChange]:
    """What has reached the buyer."""
    for box in seen.boxes:
        if box.stage is Stage.DELIVERED:
            yield from _of_box(seen, box, Status.DELIVERED)


def came_back(seen: Seen) -> Iterator[StatusChange]:
    """Parcels that turn back, and those that a person must look after."""
    more: dict[str, Any] = {"return_type": ReturnType.RTO, "left_seller": True}
    for box in seen.boxes:
        if box.stage is Stage.COMING_BACK:
            yield from _of_box(seen, box, Status.RETURN_NOTICED, **more)
        elif box.stage is Stage.BACK:
            yield from _of_box(seen, box, Status.RETURNED, **more)
        elif box.stage is Stage.LOST:
            yield from _of_box(seen, box, Status.LOST, left_seller=True)
        elif box.stage is Stage.DAMAGED:
            yield _for_a_person(
                seen, box.word, "Amazon says that the carrier has damaged the parcel: claim it."
            )
        elif box.stage is Stage.UNDELIVERABLE:
            yield _for_a_person(
                seen,
                box.word,
                f"Amazon says {box.word} of the parcel and nothing more, and no other source says "
                "whether it is delivered, lost, on its way back or back.",
            )


def cancelled(seen: Seen) -> Iterator[StatusChange]:
    """Cancelled lines and pieces, buyers' wishes to cancel, and RTO of what had left by then."""
    if seen.stage is Stage.CANCELLED:
        for box in seen.boxes:
            if box.stage in _STOPPED:
                yield from _of_box(
                    seen,
                    box,
                    Status.RETURN_NOTICED,
                    return_type=ReturnType.RTO,
                    left_seller=True,
                )
    for line in seen.lines:
        if line.gone is None:
            yield _for_a_person(
                seen,
                seen.word,
                "Pieces of this order are cancelled, and Amazon does not say how many of which "
                "line.",
                line_id=line.line_id,
            )
        elif line.gone or seen.stage is Stage.CANCELLED or not line.ordered:
            yield from _cancelled(seen, line, line.gone)
        if line.wish is not None and not line.gone:
            yield _change(
                seen,
                Status.CANCEL_REQUESTED,
                "BuyerRequestedCancel",
                line_id=line.line_id,
                sku=line.sku,
                reason=line.wish,
                evidence_id=f"{line.line_id}/CANCEL_REQUESTED",
            )


def _cancelled(seen: Seen, line: Line, gone: int) -> Iterator[StatusChange]:
    whole = gone == line.ordered
    if not whole and not gone:
        return
    yield _change(
        seen,
        Status.CANCELLED,
        seen.word,
        line_id=line.line_id,
        sku=line.sku,
        quantity=None if whole else gone,
        cumulative=not whole,
        reason=line.reason,
        evidence_id=f"{line.line_id}/CANCELLED/{'all' if whole else gone}",
    )


def unknown_words(seen: Seen) -> Iterator[StatusChange]:
    """What this plugin has never heard of; the same fact whichever kind reads it."""
    if seen.stage is None:
        problem = f"Amazon's order status {seen.word!r} is not known to this plugin."
        yield _for_a_person(seen, seen.word, problem)
    for box in seen.boxes:
        if box.stage is None:
            problem = f"Amazon's parcel status {box.word!r} is not known to this plugin."
            yield _for_a_person(seen, box.word, problem)


def unreadable(broken: Iterable[Broken], read_at: datetime) -> Iterator[StatusChange]:
    """What a person is shown of rows that cannot be read. ``read_at`` dates what has no date."""
    for row in broken:
        yield StatusChange(
            order_id=row.order_id,
            status=Status.UNKNOWN,
            native_status="",
            occurred_at=read_at,
            evidence_id=row.evidence,
            raw=row.raw,
            problem=row.sentence("a row"),
        )


def _of_box(
    seen: Seen, box: Box, status: Status, *, at: datetime | None = None, **more: Any
) -> Iterator[StatusChange]:
    skus = {line.line_id: line.sku for line in seen.lines}
    for line_id, quantity in box.items.items():
        if quantity:
            yield _change(
                seen,
                status,
                box.word,
                at=at,
                line_id=line_id,
                sku=skus.get(line_id, ""),
                quantity=quantity,
                cumulative=True,
                shipment_id=box.ref,
                tracking_number=box.tracking,
                courier=box.courier,
                evidence_id=f"{box.ref or seen.order_id}/{line_id}/{status}/{quantity}",
                **more,
            )


def _for_a_person(seen: Seen, word: str, problem: str, *, line_id: str = "") -> StatusChange:
    return _change(
        seen,
        Status.UNKNOWN,
        word,
        line_id=line_id,
        evidence_id=f"{line_id or seen.order_id}/UNKNOWN/{word}",
        raw=seen.raw,
        problem=problem,
    )


def _change(
    seen: Seen, status: Status, word: str, *, at: datetime | None = None, **more: Any
) -> StatusChange:
    return StatusChange(
        order_id=seen.order_id,
        status=status,
        native_status=word,
        occurred_at=at or seen.changed_at,
        facts=seen.facts,
        **more,
    )
