"""From rows of the panel to what they mean for the book. No network here.

Evidence ids are made of what does not move when a row is read again: the shipment, the line
and what was said of it. ``updatedAt`` moves with every change and is never part of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from syncd import ReturnType, Status, StatusChange
from syncd.shapes import BadRow, odd_change, rows
from syncd_flipkart.api import Head, Id, Item, Moment, ReturnItem, Shipment
from syncd_flipkart.statuses import ITEM_STATUS, RETURN_SOURCES, RETURN_STATES, RETURN_STATUS

MAX_RAW: Final = 20_000


class Broken(Struct, frozen=True):
    """A row that could not be read, with as many of its ids as could be saved."""

    raw: str
    problem: str
    order_id: str = ""
    line_id: str = ""
    shipment_id: str = ""
    word: str = ""
    at: datetime | None = None


def read_shipments(raw: Raw) -> tuple[list[Shipment], list[Broken]]:
    """The shipments of a page, and the rows of it that cannot be read.

    A bad line costs that line; its sisters in the shipment stay.
    """
    good: list[Shipment] = []
    broken: list[Broken] = []
    for row in rows(raw, Shipment):
        if isinstance(row, BadRow):
            _salvage(row, good, broken)
        else:
            good.append(row)
    return good, broken


def _salvage(row: BadRow, good: list[Shipment], broken: list[Broken]) -> None:
    try:
        fields = msgspec.json.decode(row.raw)
    except msgspec.DecodeError:
        fields = None
    lines = fields.get("orderItems") if isinstance(fields, dict) else None
    if not isinstance(lines, list):
        broken.append(Broken(raw=row.raw, problem=row.problem))
        return
    try:
        head = msgspec.convert(fields, Head)
    except msgspec.ValidationError:
        # Without its id or its stamp no line of the shipment can be told.
        broken += [_broken_line(fields, line, row.problem) for line in lines]
        return
    items: list[Item] = []
    for line in lines:
        try:
            items.append(msgspec.convert(line, Item))
        except msgspec.ValidationError as error:
            broken.append(_broken_line(fields, line, str(error)))
    good.append(Shipment(**msgspec.structs.asdict(head), order_items=items))


_HEAD_FIELDS: Final = ("shipmentId", "updatedAt", "locationId", "shipmentType")


def _broken_line(shipment: Mapping[str, Any], line: object, problem: str) -> Broken:
    fields = line if isinstance(line, dict) else {}
    shown = {key: shipment[key] for key in _HEAD_FIELDS if key in shipment}
    return Broken(
        raw=msgspec.json.encode({**shown, "orderItems": [line]}).decode()[:MAX_RAW],
        problem=problem,
        order_id=_id(fields.get("orderId")),
        line_id=_id(fields.get("orderItemId")),
        shipment_id=_id(shipment.get("shipmentId")),
        word=_id(fields.get("status")),
        at=_moment(shipment.get("updatedAt")),
    )


def unreadable(broken: Iterable[Broken], read_at: datetime) -> Iterator[StatusChange]:
    """What a person is shown of rows that cannot be read. ``read_at`` dates what has no date."""
    for row in broken:
        yield odd_change(
            f"Flipkart sent a row that cannot be read: {row.problem}.",
            row.raw,
            row.at or read_at,
            order_id=row.order_id,
            line_id=row.line_id,
            shipment_id=row.shipment_id,
            word=row.word,
        )


def unknown_word(shipment: Shipment, item: Item) -> StatusChange:
    """For a person: a row whose status has no meaning here."""
    return _for_a_person(
        shipment, item, f"Flipkart's order item status {item.status!r} is not known to this plugin."
    )


def _for_a_person(shipment: Shipment, item: Item, problem: str) -> StatusChange:
    return StatusChange(
        order_id=item.order_id,
        line_id=item.order_item_id,
        sku=item.sku or "",
        quantity=int(item.quantity),
        shipment_id=shipment.shipment_id,
        location_id=shipment.location_id or "",
        status=Status.UNKNOWN,
        native_status=item.status,
        occurred_at=shipment.updated_at,
        evidence_id=f"{shipment.shipment_id}/{item.order_item_id}/unknown/{item.status}",
        raw=raw_of(shipment, item),
        problem=problem,
    )


def raw_of(shipment: Shipment, item: Item) -> str:
    """The row as far as it was read; the fields nobody reads are not kept."""
    fields = msgspec.to_builtins(shipment)
    return msgspec.json.encode({**fields, "orderItems": [item]}).decode()[:MAX_RAW]


@lru_cache(maxsize=64)
def facts_of(shipment_type: str | None, service_profile: str | None) -> dict[str, str]:
    """What ``provides_shipping`` asks of a parcel. Shared: nobody may change it."""
    facts = {"shipmentType": shipment_type, "serviceProfile": service_profile}
    return {name: value for name, value in facts.items() if value}


_LEFT: Final = {
    # A delivered line has been dispatched, so it counts as dispatched too: otherwise one that
    # goes through both between two passes would be dispatched here a day late.
    Status.DISPATCHED: frozenset(
        word
        for word, status in ITEM_STATUS.items()
        if status in (Status.DISPATCHED, Status.DELIVERED)
    ),
    Status.DELIVERED: frozenset(
        word for word, status in ITEM_STATUS.items() if status is Status.DELIVERED
    ),
}


def in_transit(item: Item) -> bool:
    """Cancelled after it left the seller: an RTO, and no cancellation for the book."""
    return ITEM_STATUS.get(item.status) is Status.CANCELLED and bool(item.courier_return)


def moved(shipments: Iterable[Shipment], kind: Status) -> list[StatusChange]:
    """DISPATCHED or DELIVERED: of each line, how many pieces of it in this shipment so far.

    The stamp says when at the latest: there is no better one.
    """
    left = _LEFT[kind]
    changes: list[StatusChange] = []
    for shipment in shipments:
        items = shipment.order_items
        if len(items) == 1 and items[0].status in left:
            changes.append(_moved(shipment, items[0], int(items[0].quantity), kind))
        else:
            _several(shipment, kind, changes)
    return changes


def _several(shipment: Shipment, kind: Status, changes: list[StatusChange]) -> None:
    """A shipment of many rows: one line may stand in several words at once."""
    shown: dict[str, Item] = {}
    pieces: dict[str, int] = {}
    for item in shipment.order_items:
        line = item.order_item_id
        if item.status in _LEFT[kind]:
            shown.setdefault(line, item)
        elif item.status not in ITEM_STATUS:
            changes.append(unknown_word(shipment, item))
            continue
        elif kind is not Status.DISPATCHED or not in_transit(item):
            continue
        # What was cancelled in transit has left too; without it a total could sink.
        pieces[line] = pieces.get(line, 0) + int(item.quantity)
    changes += [_moved(shipment, item, pieces[line], kind) for line, item in shown.items()]


def _moved(shipment: Shipment, item: Item, pieces: int, kind: Status) -> StatusChange:
    shipment_id = shipment.shipment_id
    line = item.order_item_id
    return StatusChange(
        order_id=item.order_id,
        status=kind,
        native_status=item.status,
        occurred_at=shipment.updated_at,
        line_id=line,
        sku=item.sku or "",
        quantity=pieces,
        cumulative=True,
        shipment_id=shipment_id,
        location_id=shipment.location_id or "",
        left_seller=True,
        evidence_id=f"{shipment_id}/{line}/{kind._value_}/{pieces}",
        facts=facts_of(shipment.shipment_type, item.service_profile),
    )


def unnamed_returns(
    shipments: Iterable[Shipment], answered: frozenset[str] | set[str]
) -> Iterator[StatusChange]:
    """Lines that read as returned while no return of theirs was found: for a person.

    The word does not say whether the courier or the buyer sends the goods back. Also shows
    words that are not known.
    """
    for shipment in shipments:
        for item in shipment.order_items:
            if item.status in RETURN_STATES and item.order_item_id not in answered:
                yield _for_a_person(
                    shipment,
                    item,
                    f"Flipkart shows the line as {item.status} without saying whether the courier "
                    "or the buyer returns it, and no return of it was found in the time asked "
                    "for. Read the returns of a longer time.",
                )
            elif item.status not in ITEM_STATUS:
                yield unknown_word(shipment, item)


def read_returns(raw: Raw, source: str, read_at: datetime) -> Iterator[StatusChange]:
    """The rows of one page of returns of one source. A return that only begins gives none."""
    for row in rows(raw, ReturnItem):
        if isinstance(row, BadRow):
            yield _bad_return(row, read_at)
            continue
        change = _return(row, source, read_at)
        if change is not None:
            yield change


def _return(row: ReturnItem, source: str, read_at: datetime) -> StatusChange | None:
    word = row.status.lower()
    status = RETURN_STATUS.get(word, Status.UNKNOWN)
    kind = RETURN_SOURCES.get((row.type or source).lower())
    if status is None:
        return None
    if status is Status.UNKNOWN:
        return _odd_return(row, read_at, f"Flipkart's return status {row.status!r} is not known.")
    if kind is None:
        return _odd_return(row, read_at, f"Flipkart's return type {row.type!r} is not known.")
    notice = status is Status.RETURN_NOTICED
    occurred_at = _moment(row.created_date if notice else row.updated_date)
    if occurred_at is None:
        name = "createdDate" if notice else "updatedDate"
        return _odd_return(row, read_at, f"{name} is missing or has no time-zone offset.")
    return StatusChange(
        order_id=row.order_id,
        status=status,
        return_type=kind,
        native_status=row.status,
        occurred_at=occurred_at,
        line_id=row.order_item_id or "",
        quantity=int(row.quantity),
        # The total of this return: a piece whose RTO notice came with the cancellation, without
        # the return's id, is meant again and not a second one.
        cumulative=notice and kind is ReturnType.RTO,
        return_id=row.return_id,
        courier=row.courier_name or "",
        location_id=row.location_id or "",
        left_seller=status is not Status.RETURN_WITHDRAWN,
        reason=reason_of(row.reason, row.sub_reason),
        evidence_id=f"{row.return_id}/{status.value}",
        facts=_return_facts(row),
    )


def _return_facts(row: ReturnItem) -> dict[str, str]:
    """The return parcel's own ids stand here: they are not those of the parcel that went out."""
    facts = {
        "line": row.order_item_id,
        "serviceProfile": row.service_profile,
        "returnShipment": row.shipment_id,
        "returnTracking": row.tracking_id,
        "returnShipmentStatus": row.shipment_status,
    }
    return {name: value for name, value in facts.items() if value}


def _odd_return(row: ReturnItem, read_at: datetime, problem: str) -> StatusChange:
    return StatusChange(
        order_id=row.order_id,
        line_id=row.order_item_id or "",
        quantity=int(row.quantity),
        return_id=row.return_id,
        location_id=row.location_id or "",
        status=Status.UNKNOWN,
        native_status=row.status,
        occurred_at=_moment(row.updated_date) or _moment(row.created_date) or read_at,
        evidence_id=f"{row.return_id}/unknown/{row.status}",
        raw=msgspec.json.encode(row).decode()[:MAX_RAW],
        problem=problem,
    )


def _bad_return(row: BadRow, read_at: datetime) -> StatusChange:
    try:
        fields = msgspec.json.decode(row.raw)
    except msgspec.DecodeError:
        fields = {}
    fields = fields if isinstance(fields, dict) else {}
    return odd_change(
        f"Flipkart sent a return that cannot be read: {row.problem}.",
        row.raw,
        _moment(fields.get("updatedDate")) or _moment(fields.get("createdDate")) or read_at,
        order_id=_id(fields.get("orderId")),
        line_id=_id(fields.get("orderItemId")),
        return_id=_id(fields.get("returnId")),
        word=_id(fields.get("status")),
    )


def reason_of(reason: str | None, sub_reason: str | None) -> str:
    """Both words of the panel in one text."""
    return " / ".join(part for part in (reason, sub_reason) if part)


def _moment(value: object) -> datetime | None:
    """The aware time of an ISO 8601 text, None if it is none or lacks its offset."""
    try:
        return msgspec.convert(value, Moment)
    except msgspec.ValidationError:
        return None


def _id(value: object) -> str:
    """A usable id, or "" for what is none."""
    try:
        return msgspec.convert(value, Id)
    except msgspec.ValidationError:
        return ""
