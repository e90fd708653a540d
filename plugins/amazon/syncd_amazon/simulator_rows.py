"""Rows of the pretend Amazon: orders of a world in the wire format of either version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from syncd import ReturnType
from syncd.testing import AT_SELLER, Ids, Line, Order, Parcel, Piece, ReturnState, State, World
from syncd_amazon.settings import INDIA

CONVENTIONAL: Final = "Std IN EZ National COD"
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
EASY_API: Final = {"PendingPickUp": "ReadyForPickup", "Lost": "LostInTransit",
                   "ReturningToSeller": "Undeliverable"}  # fmt: skip
OLD_STATUS: Final = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
    "PENDING_AVAILABILITY": "PendingAvailability",
}
CANCELLED_BY: Final = {"buyer": "BUYER", "seller": "MERCHANT", "marketplace": "AMAZON"}
UNDER_WAY: Final = frozenset(
    {ReturnState.CREATED, ReturnState.SERVICE_REQUESTED, ReturnState.CANCELLING}
)
_PLACED: Final = frozenset({State.PLACED, State.PACKING, State.PACK_FAILED})


class AmazonIds(Ids):
    """Names in this panel's forms."""

    def order_id(self, n: int) -> str:
        return f"403-{self.digits('order', n, 7)}-{self.digits('tail', n, 7)}"

    def line_id(self, n: int) -> str:
        return self.digits("item", n, 14)

    def return_id(self, n: int) -> str:
        return f"D{self.digits('rma', n, 9)}RRMA"

    def tracking_number(self, n: int) -> str:
        return self.digits("tracking", n, 12)


class Rows:
    """Renders orders. Traits of a parcel choose what the world does not know: ``fulfillment``
    (AFN), ``service_level``, ``programs``, ``status`` (a native order word), ``easy_ship`` (a
    native state), ``package_status``, ``wish`` (a buyer's reason to cancel), ``replaces``.

    ``detailed`` off leaves detailedStatus out, as production is reported to. ``each_piece`` puts
    every piece into a package of its own, so that no package ever falls apart.
    """

    def __init__(self, world: World, *, detailed: bool = True, each_piece: bool = False) -> None:
        self.world = world
        self.each_piece = each_piece
        self.detailed = detailed

    # What both versions say ---------------------------------------------------------------------

    def parcels(self, order: Order) -> list[Parcel]:
        """The order's parcels."""
        return [self.world.parcels[one] for one in order.shipment_ids]

    def trait(self, order: Order, name: str) -> str:
        """What the first parcel's traits say."""
        return self.parcels(order)[0].traits.get(name, "")

    def updated(self, order: Order) -> datetime:
        """The last change that shows in the order; a buyer's return does not."""
        stamps = [one.modified_at for one in self.parcels(order)]
        backs = (self.world.returns[one] for one in order.return_ids)
        return max([*stamps, *(b.modified_at for b in backs if b.kind is ReturnType.RTO)])

    def status(self, order: Order) -> str:
        """The order's word of 2026-01-01."""
        told = self.trait(order, "status")
        if told:
            return told
        pieces = [piece for line in order.lines for piece in line.pieces]
        live = [piece for piece in pieces if piece.state is not State.CANCELLED]
        if not live:
            return "CANCELLED"
        waiting = [piece for piece in live if piece.state in AT_SELLER]
        if not waiting:
            return "SHIPPED"
        if len(waiting) < len(live):
            return "PARTIALLY_SHIPPED"
        return "PENDING" if all(one.hold for one in self.parcels(order)) else "UNSHIPPED"

    def amazon_fulfils(self, order: Order) -> bool:
        """FBA, or Seller Flex."""
        return self.trait(order, "fulfillment") == "AFN"

    def easy_ship(self, order: Order) -> bool:
        """Whether Amazon carries a merchant's order."""
        return self.parcels(order)[0].ships_by == "channel" and not self.amazon_fulfils(order)

    def state(self, piece: Piece) -> str:
        """The Easy Ship state of a piece."""
        back = self.world.returns.get(piece.return_id)
        if back is not None and back.kind is ReturnType.RTO:
            if back.state is ReturnState.COMPLETED:
                return "ReturnedToSeller"
            if back.state in UNDER_WAY:
                return "ReturningToSeller"
        words = {
            State.PICKED_UP: "PickedUp",
            State.SHIPPED: "OutForDelivery",
            State.LOST: "Lost",
            State.DELIVERED: "Delivered",
            State.COMPLETED: "Delivered",
        }
        return words.get(
            piece.state, "PendingSchedule" if piece.state in _PLACED else "PendingPickUp"
        )

    def order_state(self, order: Order) -> str:
        """The Easy Ship state of an order: of its least advanced parcel that has left."""
        told = self.trait(order, "easy_ship")
        if told:
            return told
        states = {
            self.state(piece)
            for line in order.lines
            for piece in line.pieces
            if piece.state is not State.CANCELLED
        }
        return next((word for word in _LEAST_FIRST if word in states), "PendingSchedule")

    # 2026-01-01 ---------------------------------------------------------------------------------

    def new(self, order: Order, included: Iterable[str]) -> dict[str, Any]:
        """An order of 2026-01-01 with the data that was asked for."""
        wanted = set(included)
        programs = self.trait(order, "programs")
        listed = programs.split(",") if programs else []
        if self.easy_ship(order):
            listed.append("AMAZON_EASY_SHIP")
        row: dict[str, Any] = {
            "orderId": order.order_id,
            "createdTime": iso(order.placed_at),
            "lastUpdatedTime": iso(self.updated(order)),
            "programs": listed,
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": INDIA,
                "marketplaceName": "Amazon.in",
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
                    if piece.state in (State.CANCELLED, *_PLACED):
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
        if self.detailed and self.easy_ship(order):
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

    # v0 -----------------------------------------------------------------------------------------

    def old(self, order: Order) -> dict[str, Any]:
        """An order of v0."""
        pieces = [piece for line in order.lines for piece in line.pieces]
        waiting = sum(one.state in AT_SELLER for one in pieces)
        gone = sum(one.state is State.CANCELLED for one in pieces)
        word = self.status(order)
        level = self.trait(order, "service_level")
        row: dict[str, Any] = {
            "AmazonOrderId": order.order_id,
            "PurchaseDate": iso(order.placed_at),
            "LastUpdateDate": iso(self.updated(order)),
            "OrderStatus": OLD_STATUS.get(word, word),
            "FulfillmentChannel": "AFN" if self.amazon_fulfils(order) else "MFN",
            "SalesChannel": "Amazon.in",
            "ShipServiceLevel": level or (CONVENTIONAL if self.easy_ship(order) else "Standard"),
            "NumberOfItemsShipped": len(pieces) - waiting - gone,
            "NumberOfItemsUnshipped": 0 if word == "PENDING" else waiting,
            "PaymentMethod": "Other",
            "PaymentMethodDetails": ["Standard"],
            "MarketplaceId": INDIA,
            "ShipmentServiceLevelCategory": "Standard",
            "OrderType": "StandardOrder",
            "IsBusinessOrder": False,
            "IsPrime": self.trait(order, "programs") == "PRIME",
            "IsReplacementOrder": bool(self.trait(order, "replaces")),
        }
        if word != "CANCELLED":
            total = sum(line.price * len(line.pieces) for line in order.lines)
            row["OrderTotal"] = {"CurrencyCode": "INR", "Amount": f"{total:.2f}"}
        if self.trait(order, "replaces"):
            row["ReplacedOrderId"] = self.trait(order, "replaces")
        if self.easy_ship(order) and word not in ("PENDING", "CANCELLED"):
            row["EasyShipShipmentStatus"] = self.order_state(order)
        return row

    def old_items(self, order: Order) -> list[dict[str, Any]]:
        """The lines of an order of v0."""
        return [
            {
                "ASIN": "B0SIMULATE",
                "SellerSKU": line.sku,
                "OrderItemId": line.line_id,
                "Title": line.title,
                "QuantityOrdered": len(line.pieces),
                "QuantityShipped": sum(
                    one.state not in AT_SELLER and one.state is not State.CANCELLED
                    for one in line.pieces
                ),
                "ItemPrice": {"CurrencyCode": "INR", "Amount": f"{line.price:.2f}"},
                "BuyerRequestedCancel": {
                    "IsBuyerRequestedCancel": "true" if self.trait(order, "wish") else "false",
                    "BuyerCancelReason": self.trait(order, "wish"),
                },
            }
            for line in order.lines
        ]

    def scheduled(self, order: Order) -> dict[str, Any]:
        """The parcel of an order as the Easy Ship API has it."""
        parcel = self.parcels(order)[0]
        state = self.order_state(order)
        return {
            "scheduledPackageId": {
                "amazonOrderId": order.order_id,
                "packageId": parcel.shipment_id,
            },
            "packageDimensions": {"length": 12.0, "width": 10.0, "height": 6.0, "unit": "cm"},
            "packageWeight": {"value": 300.0, "unit": "g"},
            "packageTimeSlot": {
                "slotId": "simulated",
                "startTime": iso(parcel.ship_after),
                "endTime": iso(parcel.ship_by),
                "handoverMethod": "PICKUP",
            },
            "packageStatus": EASY_API.get(state, state),
            "trackingDetails": {"trackingId": parcel.tracking_number},
        }


_LEAST_FIRST: Final = (
    "PickedUp", "OutForDelivery", "ReturningToSeller", "Lost", "Delivered", "ReturnedToSeller",
    "PendingPickUp",
)  # fmt: skip


def iso(moment: datetime) -> str:
    """A stamp as the panel writes it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
