"""How far an order of the world is, in the words of the pretend Amazon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from syncd import ReturnType
from syncd.testing import AT_SELLER, Ids, Order, Parcel, Piece, ReturnState, State, World
from syncd_amazon.settings import INDIA

OLD_STATUS: Final = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
    "PENDING_AVAILABILITY": "PendingAvailability",
}
SALES_CHANNELS: Final = {
    INDIA: "Amazon.in",
    "ATVPDKIKX0DER": "Amazon.com",
    "A1PA6795UKMFR9": "Amazon.de",
    "A1VC38T7YXB528": "Amazon.co.jp",
    "A1F83G8C2ARO7P": "Amazon.co.uk",
    "A2Q3Y263D00KWC": "Amazon.com.br",
    "A33AVAJ2PDY3EV": "Amazon.com.tr",
}
UNDER_WAY: Final = frozenset(
    {ReturnState.CREATED, ReturnState.SERVICE_REQUESTED, ReturnState.CANCELLING}
)
PLACED: Final = frozenset({State.PLACED, State.PACKING, State.PACK_FAILED})


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


class States:
    """Knows orders' words. Traits of a parcel choose what the world does not know: ``fulfillment``
    (AFN), ``service_level``, ``programs``, ``status`` (a native order word), ``easy_ship`` (a
    native state), ``package_status``, ``wish`` (a buyer's reason to cancel), ``replaces``,
    ``marketplace`` (an id; India's without).

    ``detailed`` off leaves detailedStatus out, as production is reported to. ``each_piece`` puts
    every piece into a package of its own, so that no package ever falls apart.
    """

    def __init__(self, world: World, *, detailed: bool = True, each_piece: bool = False) -> None:
        self.world = world
        self.each_piece = each_piece
        self.detailed = detailed

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

    def marketplace(self, order: Order) -> tuple[str, str]:
        """Where it was sold: id and name."""
        told = self.trait(order, "marketplace") or INDIA
        return told, SALES_CHANNELS[told]

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
            piece.state, "PendingSchedule" if piece.state in PLACED else "PendingPickUp"
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


_LEAST_FIRST: Final = (
    "PickedUp", "OutForDelivery", "ReturningToSeller", "Lost", "Delivered", "ReturnedToSeller",
    "PendingPickUp",
)  # fmt: skip


def iso(moment: datetime) -> str:
    """A stamp as the panel writes it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
