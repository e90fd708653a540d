"""Orders of the pretend Amazon in the wire format of v0, and Easy Ship's package."""

from __future__ import annotations

from typing import Any, Final

from syncd.testing import AT_SELLER, Order, State
from syncd_amazon.simulator_states import OLD_STATUS, States, iso

CONVENTIONAL: Final = "Std IN EZ National COD"
EASY_API: Final = {"PendingPickUp": "ReadyForPickup", "Lost": "LostInTransit",
                   "ReturningToSeller": "Undeliverable"}  # fmt: skip


class OldRows:
    """Renders orders of v0."""

    def __init__(self, states: States) -> None:
        self._states = states

    def status(self, order: Order) -> str:
        """The order's word."""
        word = self._states.status(order)
        return OLD_STATUS.get(word, word)

    def channel(self, order: Order) -> str:
        """Who fulfils it."""
        return "AFN" if self._states.amazon_fulfils(order) else "MFN"

    def easy_state(self, order: Order) -> str:
        """Its Easy Ship state; none before it is paid, nor where Amazon does not carry it."""
        states = self._states
        if not states.easy_ship(order) or states.status(order) in ("PENDING", "CANCELLED"):
            return ""
        return states.order_state(order)

    def order(self, order: Order) -> dict[str, Any]:
        """An order of v0."""
        states = self._states
        pieces = [piece for line in order.lines for piece in line.pieces]
        waiting = sum(one.state in AT_SELLER for one in pieces)
        gone = sum(one.state is State.CANCELLED for one in pieces)
        word = states.status(order)
        level = states.trait(order, "service_level")
        place, name = states.marketplace(order)
        row: dict[str, Any] = {
            "AmazonOrderId": order.order_id,
            "PurchaseDate": iso(order.placed_at),
            "LastUpdateDate": iso(states.updated(order)),
            "OrderStatus": self.status(order),
            "FulfillmentChannel": self.channel(order),
            "SalesChannel": name,
            "ShipServiceLevel": level or (CONVENTIONAL if states.easy_ship(order) else "Standard"),
            "NumberOfItemsShipped": len(pieces) - waiting - gone,
            "NumberOfItemsUnshipped": 0 if word == "PENDING" else waiting,
            "PaymentMethod": "Other",
            "PaymentMethodDetails": ["Standard"],
            "MarketplaceId": place,
            "ShipmentServiceLevelCategory": "Standard",
            "OrderType": "StandardOrder",
            "IsBusinessOrder": False,
            "IsPrime": states.trait(order, "programs") == "PRIME",
            "IsReplacementOrder": bool(states.trait(order, "replaces")),
        }
        if word != "CANCELLED":
            total = sum(line.price * len(line.pieces) for line in order.lines)
            row["OrderTotal"] = {"CurrencyCode": "INR", "Amount": f"{total:.2f}"}
        if states.trait(order, "replaces"):
            row["ReplacedOrderId"] = states.trait(order, "replaces")
        if easy := self.easy_state(order):
            row["EasyShipShipmentStatus"] = easy
        return row

    def items(self, order: Order) -> list[dict[str, Any]]:
        """The lines of an order of v0."""
        wish = self._states.trait(order, "wish")
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
                    "IsBuyerRequestedCancel": "true" if wish else "false",
                    "BuyerCancelReason": wish,
                },
            }
            for line in order.lines
        ]

    def package(self, order: Order) -> dict[str, Any]:
        """The parcel of an order as the Easy Ship API has it."""
        parcel = self._states.parcels(order)[0]
        state = self._states.order_state(order)
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
