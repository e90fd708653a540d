"""From orders of the contract to orders and facts for the book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw

from syncd import NewOrder, OrderLine, ReturnType, Status, StatusChange
from syncd.meanings import Meaning
from syncd.shapes import BadRow, readable
from syncd_contract.api import Item, Order, items_of
from syncd_contract.settings import ContractSettings
from syncd_contract.statuses import ITEM_WORDS, NOT_YET_AN_ORDER, ORDER_CANCELLED

SHIPS: Final = "thirdPartyShipping"
MAX_RAW: Final = 4_000
_LEFT: Final = frozenset(
    {
        Status.DISPATCHED, Status.DELIVERED, Status.UNDELIVERED, Status.LOST,
        Status.RETURN_NOTICED, Status.RETURNED, Status.RETURN_WITHDRAWN,
    }
)  # fmt: skip
"""What is told only of a piece that has left, with its dispatchDate or without."""
_ID: Final = re.compile(r'"id"\s*:\s*"([^"]{1,200})"')


class Reader:
    """Reads rows for one account. ``now`` dates what the panel does not date: at the latest."""

    def __init__(self, settings: ContractSettings, now: datetime) -> None:
        self._words = {**ITEM_WORDS, **settings.status_map}
        self._zone = ZoneInfo(settings.time_zone)
        self._now = now

    def orders(self, page: Iterable[Order | BadRow]) -> Iterator[NewOrder]:
        """The orders that the seller has to fulfil, one for each place of an order."""
        for row in page:
            if isinstance(row, BadRow):
                yield self._bad_order(id_in(row.raw), row.problem, row.raw)
            elif row.order_status != NOT_YET_AN_ORDER:
                yield from self._order(row)

    def _order(self, order: Order) -> Iterator[NewOrder]:
        order_id = str(order.id)
        placed = self._time(order.order_date)
        items = items_of(order)
        problem = "" if placed else f"orderDate {order.order_date!r} cannot be read"
        for item in items:
            if isinstance(item, BadRow):
                problem = problem or item.problem
            elif not item.sku:
                problem = problem or f"item {item.order_item_id} has no sku"
        if problem or placed is None or not items:
            yield self._bad_order(order_id, problem or "it has no items", _raw(order))
            return
        places: dict[str, list[OrderLine]] = {}
        for item in items:
            if isinstance(item, Item):
                line = OrderLine(
                    line_id=str(item.order_item_id), sku=item.sku or "",
                    quantity=int(item.quantity), title=item.title or "",
                )  # fmt: skip
                places.setdefault(item.facility_code or "", []).append(line)
        for place, lines in places.items():
            yield NewOrder(
                order_id=order_id, placed_at=placed, lines=tuple(lines), location_id=place,
                facts=_facts(order),
            )  # fmt: skip

    def _bad_order(self, order_id: str, problem: str, raw: str) -> NewOrder:
        return NewOrder(
            order_id=order_id, placed_at=self._now, lines=(), raw=raw[:MAX_RAW],
            problem=f"The marketplace sent an order that cannot be read: {problem}.",
        )  # fmt: skip

    # Facts --------------------------------------------------------------------------------------

    def changes(
        self, page: Iterable[Order | BadRow], wanted: frozenset[Status]
    ) -> Iterator[StatusChange]:
        """What became of the items, as far as it is of these statuses; bad rows with each."""
        for row in page:
            if isinstance(row, BadRow):
                yield self._unknown(id_in(row.raw), "", "", row.problem, row.raw)
                continue
            items = items_of(row)
            if not items:
                yield self._unknown(str(row.id), "", "", "the order has no items", _raw(row))
            for item in items:
                if isinstance(item, BadRow):
                    yield self._unknown(str(row.id), "", "", item.problem, item.raw)
                else:
                    yield from (c for c in self._item(row, item) if c.status in wanted)

    def _item(self, order: Order, item: Item) -> Iterator[StatusChange]:
        word = item.status or ("" if order.order_status != ORDER_CANCELLED else ORDER_CANCELLED)
        meaning = self._words.get(word)
        cancelled = int(item.cancelled_quantity or 0)
        left = int(item.quantity) - cancelled
        if meaning is None:
            yield self._unknown(
                str(order.id), str(item.order_item_id), word,
                f"{word[:60]!r} is no item status of the contract; see status_map", _raw(item),
            )  # fmt: skip
            return
        if meaning.status is Status.CANCELLED:
            # Named as a whole, even where some pieces were cancelled before the others.
            yield self._fact(order, item, Meaning(Status.CANCELLED), word, None)
            return
        if cancelled:
            quantity = None if left <= 0 else cancelled
            yield self._fact(order, item, Meaning(Status.CANCELLED), "cancelledQuantity", quantity)
        if meaning.status is None or left <= 0:
            return
        quantity = left if cancelled else None
        left_seller = meaning.status in _LEFT or item.dispatch_date
        if meaning.status is not Status.DISPATCHED and left_seller:
            yield self._fact(order, item, Meaning(Status.DISPATCHED), word, quantity)
        yield self._fact(order, item, meaning, word, quantity)

    def _fact(
        self, order: Order, item: Item, meaning: Meaning, word: str, quantity: int | None
    ) -> StatusChange:
        status = meaning.status
        assert status is not None
        back = meaning.return_type is not None
        written = {Status.DISPATCHED: item.dispatch_date}.get(
            status, item.return_date if back else None
        )
        moment = self._time(written)
        at = moment
        if at is None and status is Status.DISPATCHED:
            at = self._time(item.return_date)  # it had left by then
        kind: ReturnType | None = meaning.return_type
        parts = (order.id, item.order_item_id, status, kind or "", quantity, moment or "",
                 item.return_awb if back else "")  # fmt: skip
        return StatusChange(
            order_id=str(order.id),
            line_id=str(item.order_item_id),
            sku=item.sku or "",
            status=status,
            native_status=word[:200],
            occurred_at=at or self._now,
            quantity=quantity,
            cumulative=quantity is not None,
            return_type=kind,
            tracking_number="" if status is Status.CANCELLED else item.tracking_id or "",
            courier=item.delivery_partner or "",
            location_id=item.facility_code or "",
            left_seller=status in _LEFT,
            reason=(item.return_reason or "")[:200] if back else "",
            evidence_id="|".join(map(str, parts))[:400],
            facts={**_facts(order), **_back(item)} if back else _facts(order),
        )

    def _unknown(
        self, order_id: str, line_id: str, word: str, problem: str, raw: str
    ) -> StatusChange:
        return StatusChange(
            order_id=order_id, line_id=line_id, status=Status.UNKNOWN, native_status=word[:200],
            occurred_at=self._now, raw=raw[:MAX_RAW],
            problem=f"The marketplace sent an item that cannot be read: {problem}.",
            evidence_id=f"{order_id}|{line_id}|{word}|{problem}"[:400],
        )  # fmt: skip

    def _time(self, text: str | None) -> datetime | None:
        """A moment; of the three styles that are seen only the one without an offset needs the
        zone. None for what cannot be read."""
        try:
            moment = datetime.fromisoformat(text or "")
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)


def id_in(raw: str) -> str:
    """The order's id in a row that could not be read, if it is there."""
    found = _ID.search(raw)
    return found.group(1) if found else ""


def _facts(order: Order) -> dict[str, str]:
    if order.third_party_shipping is None:
        return {}
    return {SHIPS: "true" if order.third_party_shipping else "false"}


def _back(item: Item) -> dict[str, str]:
    """The parcel that comes back; it is not the one that went out."""
    named = {"returnTracking": item.return_awb, "returnCourier": item.return_shipping_provider}
    return {name: value for name, value in named.items() if value}


def _raw(row: Order | Item) -> str:
    return readable(Raw(msgspec.json.encode(row)), Order, Item)[:MAX_RAW]
