"""Renders the simulator's parcels and returns as rows of the panel, quirks and all.

A quantity is a float, stamps carry +05:30 and milliseconds, package ids come twice, and a
return mixes two forms of stamps. A parcel's line gives one row for each status of its pieces.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from syncd.testing import AT_SELLER, Ids, Line, Parcel, Piece, Return, ReturnState, State, World

IST: Final = timezone(timedelta(hours=5, minutes=30))

Parts = Literal["total", "each", "rest"]

WORDS: Final = {
    State.PLACED: "APPROVED",
    State.PACKING: "PACKING_IN_PROGRESS",
    State.PACK_FAILED: "FORM_FAILED",
    State.PACKED: "PACKED",
    State.READY: "READY_TO_DISPATCH",
    State.PICKED_UP: "PICKUP_COMPLETE",
    State.SHIPPED: "SHIPPED",
    State.DELIVERED: "DELIVERED",
    State.COMPLETED: "COMPLETED",
    State.CANCELLED: "CANCELLED",
    State.LOST: "SHIPPED",  # no word for it is known
}

RETURN_WORDS: Final = {
    ReturnState.ANNOUNCED: "init",
    ReturnState.CREATED: "created",
    ReturnState.SERVICE_REQUESTED: "service_requested",
    ReturnState.CANCELLING: "cancellation_in_progress",
    ReturnState.COMPLETED: "completed",
    ReturnState.CANCELLED: "cancelled",
    ReturnState.REJECTED: "rejected",
}

PROFILES: Final = {
    "NON_FBF": "Seller_Fulfilment",
    "FBF": "Flipkart_Fulfilment",
    "FBF_LITE": "Smart_Fulfilment",
}

SOURCES: Final = {"RTO": "courier_return", "CIR": "customer_return"}

CANCELLED_BY: Final = {
    "seller": "sellerCancellation",
    "buyer": "buyerCancellation",
    "marketplace": "marketplaceCancellation",
}

_UNPACKED: Final = AT_SELLER - {State.PACKED, State.READY}

_RowKey = tuple[str, str, bool, datetime | None]  # word, cancelled by, in transit, when


class FlipkartIds(Ids):
    """Ids in the forms of the real panel. Those of orders and lines grow with time."""

    def order_id(self, n: int) -> str:
        return f"OD{self._growing('order', n)}"

    def line_id(self, n: int) -> str:
        return self._growing("line", n)

    def _growing(self, kind: str, n: int) -> str:
        """18 digits: a running number before a random end."""
        return str(10**17 + n * 10**9 + self.number(kind, n) % 10**9)

    def shipment_id(self, n: int) -> str:
        return str(uuid.UUID(int=self.number("shipment", n), version=4))

    def return_id(self, n: int) -> str:
        return self.digits("return", n, 17)

    def tracking_number(self, n: int) -> str:
        return f"FMPP{self.digits('tracking', n, 10)}"

    def back_tracking_number(self, n: int) -> str:
        return f"FMPR{self.digits('back', n, 10)}"


def millis(moment: datetime) -> str:
    """Indian time with milliseconds, cut and not rounded."""
    return moment.astimezone(IST).isoformat(timespec="milliseconds")


def seconds(moment: datetime) -> str:
    """Indian time without fractions."""
    return moment.astimezone(IST).isoformat(timespec="seconds")


def zulu(moment: datetime) -> str:
    """UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def profile_of(parcel: Parcel) -> str:
    """The service profile as a filter names it."""
    return parcel.traits.get("service_profile", "NON_FBF")


def type_of(parcel: Parcel) -> str:
    """The shipment type: SELF where the seller ships."""
    if parcel.ships_by == "seller":
        return "SELF"
    return parcel.traits.get("shipment_type", "NORMAL")


def is_mps(parcel: Parcel) -> bool:
    """Whether the shipment travels in several packages."""
    return parcel.traits.get("mps") == "true"


class Rows:
    """Makes rows, and keeps the encoded ones of parcels and returns until these change.

    ``parts`` says how a line reads of which only some pieces are cancelled; no public source
    tells. "total": one row for what is cancelled and one for the rest. "each": one row for
    each cancellation. "rest": outside a search for cancellations only the rest shows.
    ``return_words`` lets a line with a return read RETURN_REQUESTED or RETURNED.
    """

    def __init__(self, world: World, *, parts: Parts = "total", return_words: bool = False) -> None:
        self.parts: Parts = parts
        self.return_words = return_words
        self.upper_case = False
        self._world = world
        self._kept: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._encode = msgspec.json.Encoder().encode

    def warm(self) -> None:
        """Render every parcel now, so that the first walk is as fast as the next."""
        for parcel in self._world.parcels.values():
            self.shipment(parcel)

    def word(self, piece: Piece) -> str:
        """The order item status of one piece."""
        if piece.cancellation is not None:
            return "CANCELLED"
        if self.return_words and piece.return_id and self._world.coming_back(piece):
            done = self._world.returns[piece.return_id].state is ReturnState.COMPLETED
            return "RETURNED" if done else "RETURN_REQUESTED"
        return WORDS[piece.state]

    def shipment(self, parcel: Parcel, cancelled_by: str = "") -> bytes:
        """A shipment as JSON; ``cancelled_by`` leaves only the lines so cancelled."""
        key = parcel.shipment_id, cancelled_by
        kept = self._kept.get(key)
        if kept is not None and kept[0] == parcel.revision and not self.return_words:
            return kept[1]
        row = self._encode(self.shipment_fields(parcel, cancelled_by))
        self._kept[key] = parcel.revision, row
        return row

    def shipment_fields(self, parcel: Parcel, cancelled_by: str = "") -> dict[str, Any]:
        """A shipment as a mapping."""
        packages = [] if self._unpacked(parcel) else list(_packages(parcel))
        return {
            "shipmentId": parcel.shipment_id,
            "dispatchByDate": millis(parcel.ship_by),
            "dispatchAfterDate": millis(parcel.ship_after),
            "updatedAt": millis(parcel.modified_at),
            "locationId": parcel.location_id,
            "hold": parcel.hold,
            "mps": is_mps(parcel),
            "packagingPolicy": "DEFAULT",
            "subShipments": [{"subShipmentId": "SS-1", "packages": packages}],
            "orderItems": list(self._items(parcel, cancelled_by)),
            "forms": [],
            "shipmentType": type_of(parcel),
        }

    def details(self, parcel: Parcel) -> dict[str, Any]:
        """A shipment with courier and buyer, as the call for single shipments gives it.

        The buyer is invented; a test can look for these words where none may appear.
        """
        leg = {"vendorName": parcel.courier, "trackingId": parcel.tracking_number}
        place = {"firstName": "Example", "lastName": "Buyer", "addressLine1": "1 Example Road"}
        return {
            **self.shipment_fields(parcel),
            "orderId": parcel.order_id,
            "buyerDetails": {"firstName": "Example", "lastName": "Buyer"},
            "deliveryAddress": {**place, "city": "Exampletown", "contactNumber": "0000000000"},
            "courierDetails": {"pickupDetails": leg, "deliveryDetails": leg},
        }

    def back(self, back: Return) -> bytes:
        """A return as JSON."""
        key = back.return_id, ""
        kept = self._kept.get(key)
        if kept is not None and kept[0] == back.revision:
            return kept[1]
        row = self._encode(self._return_fields(back))
        self._kept[key] = back.revision, row
        return row

    def _unpacked(self, parcel: Parcel) -> bool:
        return all(p.state in _UNPACKED for pieces in parcel.contents.values() for p in pieces)

    def _items(self, parcel: Parcel, cancelled_by: str) -> Iterator[dict[str, Any]]:
        for line_id, pieces in parcel.contents.items():
            rows = self._split(pieces)
            live = any(key[0] != "CANCELLED" for key in rows)
            for key, some in rows.items():
                hidden = self.parts == "rest" and live and not key[2] and not cancelled_by
                if key[0] == "CANCELLED" and hidden:
                    continue
                if cancelled_by in ("", key[1]):
                    yield self._item(parcel, self._world.lines[line_id], key, some)

    def _split(self, pieces: list[Piece]) -> dict[_RowKey, list[Piece]]:
        rows: dict[_RowKey, list[Piece]] = {}
        for piece in pieces:
            gone = piece.cancellation
            key: _RowKey = (self.word(piece), "", False, None)
            if gone is not None:
                when = gone.at if self.parts == "each" else None
                key = (self.word(piece), gone.by, gone.in_transit, when)
            rows.setdefault(key, []).append(piece)
        return rows

    def _item(
        self, parcel: Parcel, line: Line, key: _RowKey, pieces: list[Piece]
    ) -> dict[str, Any]:
        order = self._world.orders[parcel.order_id]
        return {
            "orderItemId": line.line_id,
            "orderId": line.order_id,
            "cancellationGroupId": f"grp{line.line_id}",
            "orderDate": millis(order.placed_at),
            **_cancelled(pieces, key),
            "paymentType": parcel.traits.get("payment", "PREPAID"),
            "status": key[0],
            "quantity": float(len(pieces)),
            **_article(line),
            "packageIds": [_package_id(line.sku)] * 2,
            "priceComponents": _price(line, len(pieces)),
            "serviceProfile": PROFILES[profile_of(parcel)],
            "is_replacement": bool(line.replaces_line_id),
        }

    def _return_fields(self, back: Return) -> dict[str, Any]:
        order = self._world.orders[back.order_id]
        word = RETURN_WORDS[back.state]
        fields = {
            "orderItemId": back.line_id,
            "locationId": back.location_id,
            "orderId": back.order_id,
            "quantity": len(back.pieces),
            "orderDate": zulu(order.placed_at),
            "createdDate": seconds(back.created_at),
            "updatedDate": seconds(back.modified_at),
            "expectedDate": seconds(back.expected_at),
            "courierName": back.courier,
            "sellerId": back.seller_id,
            "returnId": back.return_id,
            "status": word.upper() if self.upper_case else word,
            "type": SOURCES[back.kind],
            "reason": back.reason,
            "subReason": back.sub_reason,
            "trackingId": back.tracking_number,
            "shipmentStatus": "DELIVERED" if word == "completed" else "IN_TRANSIT",
            "shipmentId": back.back_shipment_id,
            "comments": "",
            "serviceProfile": PROFILES[back.traits.get("service_profile", "NON_FBF")],
            "services": [],
        }
        if back.approved_at is not None:
            fields["approvedOn"] = seconds(back.approved_at)
        return fields


def _cancelled(pieces: list[Piece], key: _RowKey) -> dict[str, Any]:
    last = max((p.cancellation for p in pieces if p.cancellation), key=lambda c: c.at, default=None)
    if last is None or key[0] != "CANCELLED":
        return {}
    fields: dict[str, Any] = {
        "cancellationDate": millis(last.at),
        "cancellationReason": last.reason,
        "cancellationSubReason": last.sub_reason,
    }
    if last.in_transit or last.by == "seller":  # otherwise the field is simply not there
        fields["courierReturn"] = last.in_transit
    return fields


@lru_cache(maxsize=10_000)
def _letters(sku: str) -> str:
    digest = hashlib.blake2b(sku.encode(), digest_size=16).digest()
    return "".join(chr(65 + byte % 26) for byte in digest)


def _article(line: Line) -> dict[str, Any]:
    letters = _letters(line.sku)
    return {
        "fsn": letters,
        "sku": line.sku,
        "listingId": line.traits.get("listing") or f"LST{letters}{letters[:5]}",
        "hsn": "64041990",
        "title": line.title,
    }


@lru_cache(maxsize=10_000)
def _package_id(sku: str) -> str:
    letters = _letters(sku)
    return f"PKG{letters}{letters[:5]}"


def _packages(parcel: Parcel) -> Iterator[dict[str, str]]:
    for line_id in parcel.contents:
        name = f"PKG{line_id}"
        yield {"packageId": name, "packageSku": line_id, "id": name, "name": name}


def _price(line: Line, quantity: int) -> dict[str, float]:
    selling = round(line.price * quantity, 2)
    return {
        "sellingPrice": selling,
        "totalPrice": selling + 40.0,
        "shippingCharge": 40.0,
        "customerPrice": selling + 40.0,
        "flipkartDiscount": 0.0,
    }
