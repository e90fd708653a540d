"""Orders of the pretend Amazon in the wire format of 2026-01-01."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from syncd.testing import AT_SELLER, Line, Order, Parcel, Piece, State
from syncd_amazon.simulator_states import PLACED, States, iso

PACKAGE_OF: Final = {
    "PendingSchedule": "PENDING",
    "PendingPickUp": "PENDING",
    "PickedUp": "SHIPPED",
    "OutForDelivery": "IN_TRANSIT",
    "Delivered": "DELIVERED",
    "ReturningToSeller": "UNDELIVERABLE",
    "ReturnedToSeller": "UNDELIVERABLE",
    "Lost": "UNDELIVERABLE",
}
UPPER: Final = {
    "PendingSchedule": "PENDING_SCHEDULE",
    "PendingPickUp": "PENDING_PICK_UP",
    "PickedUp": "PICKED_UP",
    "OutForDelivery": "OUT_FOR_DELIVERY",
    "Delivered": "DELIVERED",
    "ReturningToSeller": "RETURNING_TO_SELLER",
    "ReturnedToSeller": "RETURNED_TO_SELLER",
    "Lost": "LOST",
}
CANCELLED_BY: Final = {"buyer": "BUYER", "seller": "MERCHANT", "marketplace": "AMAZON"}


class Rows(States):
    """Renders orders."""

    def new(self, order: Order, included: Iterable[str]) -> dict[str, Any]:
        """An order of 2026-01-01 with the data that was asked for."""
        wanted = set(included)
        programs = self.trait(order, "programs")
        listed = programs.split(",") if programs else []
        if self.easy_ship(order):
            listed.append("AMAZON_EASY_SHIP")
        place, name = self.marketplace(order)
        row: dict[str, Any] = {
            "orderId": order.order_id,
            "createdTime": iso(order.placed_at),
            "lastUpdatedTime": iso(self.updated(order)),
            "programs": listed,
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": place,
                "marketplaceName": name,
            },
            "orderItems": [self._item(order, line, wanted) for line in order.lines],
        }
        replaces = self.trait(order, "replaces")
        if replaces:
            row["associatedOrders"] = [
                {"orderId": replaces, "associationType": "REPLACEMENT_ORIGINAL_ID"}
            ]
        if "FULFILLMENT" in wanted:
            row["fulfillment"] = {
                "fulfillmentStatus": self.status(order),
                "fulfilledBy": "AMAZON" if self.amazon_fulfils(order) else "MERCHANT",
                "fulfillmentServiceLevel": "STANDARD",
                "shipByWindow": {
                    "earliestDateTime": iso(self.parcels(order)[0].ship_after),
                    "latestDateTime": iso(self.parcels(order)[0].ship_by),
                },
            }
        if "PACKAGES" in wanted and not self.amazon_fulfils(order):
            packages = list(self._packages(order))
            if packages:
                row["packages"] = packages
        if "FULFILLMENT_ORDERS" in wanted and self.easy_ship(order):
            row["fulfillmentOrders"] = [{"fulfillmentOrderId": f"fo-{order.order_id}"}]
        return row

    def _item(self, order: Order, line: Line, wanted: set[str]) -> dict[str, Any]:
        gone = [one for one in line.pieces if one.state is State.CANCELLED]
        waiting = sum(one.state in AT_SELLER for one in line.pieces)
        item: dict[str, Any] = {
            "orderItemId": line.line_id,
            "quantityOrdered": len(line.pieces),
            "product": {"asin": "B0SIMULATE", "title": line.title, "sellerSku": line.sku},
        }
        if "FULFILLMENT" in wanted:
            item["fulfillment"] = {
                "quantityFulfilled": len(line.pieces) - len(gone) - waiting,
                "quantityUnfulfilled": waiting,
            }
        cancellation: dict[str, Any] = {}
        if gone and gone[-1].cancellation is not None:
            cancellation["cancellationExecution"] = {
                "cancelledBy": CANCELLED_BY[gone[-1].cancellation.by],
                "cancelReason": gone[-1].cancellation.reason,
            }
        if self.trait(order, "wish"):
            cancellation["cancellationRequest"] = {
                "requester": "BUYER",
                "cancelReason": self.trait(order, "wish"),
            }
        if "CANCELLATION" in wanted and cancellation:
            item["cancellation"] = cancellation
        return item

    def _packages(self, order: Order) -> Iterable[dict[str, Any]]:
        """A package for each parcel; one that is in two states by now is told as two."""
        for number, parcel in enumerate(self.parcels(order), 1):
            groups: dict[tuple[str, str], dict[str, list[Piece]]] = {}
            place = 0
            for line_id, pieces in parcel.contents.items():
                for piece in pieces:
                    place += 1
                    if piece.state in (State.CANCELLED, *PLACED):
                        continue
                    state = parcel.traits.get("easy_ship") or self.state(piece)
                    key = state, str(place) if self.each_piece else ""
                    groups.setdefault(key, {}).setdefault(line_id, []).append(piece)
            for part, ((state, name), lines) in enumerate(groups.items()):
                suffix = f"-{name}" if name else ["", *"ABCDEF"][part]
                yield self._package(order, parcel, f"{number}{suffix}", state, lines)

    def _package(
        self, order: Order, parcel: Parcel, ref: str, state: str, lines: dict[str, list[Piece]]
    ) -> dict[str, Any]:
        coarse = PACKAGE_OF.get(state, "SHIPPED")
        if coarse != "PENDING" and not self.easy_ship(order):
            coarse = "SHIPPED"  # a seller confirms a shipment; what follows nobody tells
        coarse = parcel.traits.get("package_status") or coarse
        status = {"status": coarse}
        if self.detailed and (self.easy_ship(order) or "easy_ship" in parcel.traits):
            status["detailedStatus"] = UPPER.get(state, state)
        row: dict[str, Any] = {
            "packageReferenceId": ref,
            "createdTime": iso(parcel.created_at),
            "packageStatus": status,
            "carrier": "ATS",
            "trackingNumber": parcel.tracking_number,
            "packageItems": [
                {"orderItemId": line_id, "quantity": len(pieces)}
                for line_id, pieces in lines.items()
            ],
        }
        left = self._left_at(parcel)
        if left is not None and state not in ("PendingPickUp", "PendingSchedule"):
            row["shipTime"] = iso(left)
        return row

    def _left_at(self, parcel: Parcel) -> datetime | None:
        return self.left.get(parcel.shipment_id)

    @property
    def left(self) -> dict[str, datetime]:
        """When each parcel first left, from the world's history; read on as it grows."""
        known: dict[str, datetime] = self.__dict__.setdefault("_left", {})
        done: int = self.__dict__.setdefault("_read", 0)
        for event in self.world.history[done:]:
            if event.word in ("picked_up", "shipped"):
                known.setdefault(event.shipment_id, event.at)
        self.__dict__["_read"] = len(self.world.history)
        return known
