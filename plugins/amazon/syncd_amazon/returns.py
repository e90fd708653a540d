"""From reports of returns to facts, and the totals of what the courier brings back.

A report names no order line, only the order and the SKU. Its rows are requests: only one with a
delivery date says that the goods are back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from zlib import crc32

from msgspec.structs import replace

from syncd import ReturnType, Status, StatusChange
from syncd_amazon.report_files import Calendar, Row, calendar, count, rows_of
from syncd_amazon.reports import Content
from syncd_amazon.settings import FBA_RETURNS, AmazonSettings


def report_changes(settings: AmazonSettings, kind: str, content: Content) -> Iterator[StatusChange]:
    """The facts of a report. Raises PanelAnswer when it is another report than was asked for."""
    read = _fba_change if kind == FBA_RETURNS else _merchant_change
    when = calendar(settings.dates_of(kind), content.made_at)
    equal: Counter[str] = Counter()
    for row in rows_of(kind, content.data):
        try:
            change = read(settings, row, content.made_at, when)
        except ValueError as error:
            change = _for_a_person(row, content.made_at, f"it cannot be read: {error}")
        if not change.return_id:  # rows that nothing names: as many facts as there are of them
            equal[change.evidence_id] += 1
            if equal[change.evidence_id] > 1:
                name = f"{change.evidence_id}#{equal[change.evidence_id]}"
                change = replace(change, evidence_id=name)
        yield change


class Totals:
    """What the courier brings back, told as totals of an order's SKU.

    Easy Ship's own state may tell the same pieces by their parcel: of two totals none counts twice.
    So the returns that are handed in must be all of their order. A piece that is back was on
    its way back before.
    """

    def __init__(self) -> None:
        self._coming: Counter[tuple[str, str]] = Counter()
        self._back: Counter[tuple[str, str]] = Counter()

    def of(self, changes: Iterable[StatusChange]) -> Iterator[StatusChange]:
        """These facts with the total in place of their own quantity."""
        for change in sorted(changes, key=lambda one: one.status is not Status.RETURNED):
            key, pieces = (change.order_id, change.sku), change.quantity or 1
            self._coming[key] += pieces
            total = self._coming[key]
            if change.status is Status.RETURNED:
                self._back[key] += pieces
                total = self._back[key]
            name = f"{change.order_id}/{change.sku}/{change.status}/RTO/{total}"
            yield replace(change, quantity=total, cumulative=True, return_id="", evidence_id=name)


def is_total(change: StatusChange) -> bool:
    """Whether a fact is one of those that :class:`Totals` tells."""
    courier = change.return_type is ReturnType.RTO and change.quantity is not None
    return courier and change.status in (Status.RETURN_NOTICED, Status.RETURNED)


def _merchant_change(
    settings: AmazonSettings, row: Row, made_at: datetime, when: Calendar
) -> StatusChange:
    order_id, sku = row.get("order id"), row.get("merchant sku")
    if not order_id:
        raise ValueError("it names no order")
    word, type_word = row.get("return request status"), row.get("return type")
    back_on = row.get("return delivery date")
    requested = when(row.get("return request date"))
    status = settings.return_statuses.get(word)
    kind = settings.return_types.get(type_word)
    if status is None:
        return _for_a_person(row, made_at, _unset("Return request status", word, "statuses"))
    if kind is None:
        return _for_a_person(row, made_at, _unset("Return type", type_word, "types"))
    at = requested
    if status is Status.RETURN_NOTICED and back_on:
        status, at = Status.RETURNED, max(requested, when(back_on))
    elif status is not Status.RETURN_NOTICED:
        at = made_at  # a report dates the request, not what became of it
    rma = row.get("amazon rma id")
    name = rma or f"{order_id}/{row.get('return request date')}"
    return StatusChange(
        order_id=order_id,
        sku=sku,
        status=status,
        native_status=word,
        occurred_at=at,
        quantity=count(row.get("return quantity")),
        return_type=kind,
        return_id=rma,
        left_seller=True,
        reason=row.get("return reason"),
        evidence_id=f"{name}/{sku}/{status}",
        facts={"returnTracking": row.get("tracking id")} if row.get("tracking id") else {},
    )


def _fba_change(
    settings: AmazonSettings, row: Row, made_at: datetime, when: Calendar
) -> StatusChange:
    order_id, sku = row.get("order id"), row.get("sku")
    if not order_id:
        raise ValueError("it names no order")
    plate, center = row.get("license plate number"), row.get("fulfillment center id")
    name = plate or f"{order_id}/{row.get('return date')}"
    return StatusChange(
        order_id=order_id,
        sku=sku,
        status=Status.RETURNED,
        native_status=row.get("status"),
        occurred_at=when(row.get("return date")),
        quantity=count(row.get("quantity")),
        return_type=ReturnType.CIR,
        return_id=plate,
        left_seller=True,
        reason=row.get("reason"),
        evidence_id=f"{name}/{sku}/RETURNED",
        facts={
            "fulfilledBy": "AFN",
            "fulfillmentCenter": center,
            "disposition": row.get("detailed disposition"),
        },
    )


def _unset(column: str, word: str, setting: str) -> str:
    return (
        f"its {column} {word!r} is a word that no public source explains; say what it means "
        f"in this account's settings, return_{setting}"
    )


def _for_a_person(row: Row, made_at: datetime, problem: str) -> StatusChange:
    return StatusChange(
        order_id=row.get("order id"),
        sku=row.get("merchant sku") or row.get("sku"),
        status=Status.UNKNOWN,
        native_status=row.get("return request status") or row.get("status"),
        occurred_at=made_at,
        evidence_id=f"report/{crc32(row.raw.encode())}/UNKNOWN",
        raw=row.raw,
        problem=f"Of a row in Amazon's report of returns: {problem}.",
    )
