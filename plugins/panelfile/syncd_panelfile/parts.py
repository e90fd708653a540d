"""Files whose every row is one part more: which rows of one file are one fact together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from syncd import Status, StatusChange

_OF_THE_LINE: Final = (Status.CANCELLED, Status.CANCEL_REQUESTED, Status.CANCEL_WITHDRAWN)


class Parts:
    """The facts of one file, put together from its rows.

    Rows of one line in one parcel or return are one total of it, so that another file adds
    nothing by telling it again. Rows that name neither are so many facts. A cancellation is of
    its line, whatever parcel it names.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[str, ...], StatusChange] = {}
        self._equal: Counter[str] = Counter()

    def add(self, change: StatusChange) -> None:
        """One more row that could be read."""
        place = (change.return_id, change.shipment_id, change.tracking_number)
        if change.status in _OF_THE_LINE or not any(place):
            self._add_plain(change)
            return
        key = (
            change.order_id, change.line_id, change.sku, change.status, change.return_type or "",
            *place,
        )  # fmt: skip
        known = self._told.get(key)
        self._told[key] = change if known is None else _together(known, change)

    def _add_plain(self, change: StatusChange) -> None:
        name = change.evidence_id
        self._equal[name] += 1
        if self._equal[name] > 1:
            change = replace(change, evidence_id=f"{name}#{self._equal[name]}")
        self._told[change.evidence_id,] = change

    def facts(self) -> Iterator[StatusChange]:
        """All of them, in the order of their first rows."""
        for key, change in self._told.items():
            if len(key) == 1:
                yield change
                continue
            # A tracking number alone may be that of a parcel which has an id in other files.
            total = bool(change.return_id or change.shipment_id)
            yield replace(
                change, cumulative=total, evidence_id=f"{change.evidence_id}={change.quantity}"
            )


def _together(known: StatusChange, more: StatusChange) -> StatusChange:
    """Both as one fact, which is as late as the later one and named as either may be."""
    return replace(
        known,
        quantity=(known.quantity or 0) + (more.quantity or 0),
        occurred_at=max(known.occurred_at, more.occurred_at),
        evidence_id=max(known.evidence_id, more.evidence_id),
    )
