"""The sandbox verbs: what the real sandbox lets a developer do to test orders and returns.

The exact words of ``returnType`` and ``eventType`` are not documented beyond «courier or
customer» and «completed or cancelled»: any that begin or end so are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from syncd.testing import (
    LineSpec,
    Problem,
    Reply,
    Request,
    Return,
    World,
    WorldError,
    json_reply,
)
from syncd_flipkart.simulator_oauth import App

PREFIX: Final = "/sellers/orders/sandbox/"
RETURNS_PREFIX: Final = "/sellers/returns/sandbox/"
_IST_OFFSET: Final = timedelta(hours=5, minutes=30)


class _Item(Struct, rename="camel"):
    listing_id: str
    quantity: int = 1


class _TestOrder(Struct, rename="camel"):
    order_items: list[_Item]
    shipment_type: str = "NORMAL"
    location_id: str = ""


class _Slot(Struct, rename="camel"):
    order_item_id: str
    dispatch_after_date: datetime
    dispatch_by_date: datetime


class _OneItem(Struct, rename="camel"):
    order_item_id: str
    return_type: str = ""
    event_type: str = ""


class Sandbox:
    """The verbs over one world. WorldError and BadRequest become answers in the simulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._verbs: dict[tuple[str, str], Callable[[App, Request], object]] = {
            ("POST", f"{PREFIX}test_orders"): self._test_order,
            ("POST", f"{PREFIX}update_dispatch_slot"): self._slot,
            ("POST", f"{PREFIX}pick_up_complete"): self._moved(world.pick_up),
            ("POST", f"{PREFIX}shipped"): self._moved(world.ship),
            ("POST", f"{PREFIX}delivered"): self._moved(world.deliver),
            ("PUT", f"{PREFIX}on_hold"): self._held(world.hold),
            ("PUT", f"{PREFIX}un_hold"): self._held(world.unhold),
            ("POST", f"{RETURNS_PREFIX}create_returns"): self._create_return,
            ("POST", f"{RETURNS_PREFIX}return_events"): self._return_event,
        }

    def answer(self, app: App, request: Request) -> Reply:
        """Do what a sandbox path says; 404 for an unknown one."""
        verb = self._verbs.get((request.method, request.path))
        if verb is None:
            raise Problem(json_reply({"message": f"no sandbox call {request.path}"}, 404))
        return json_reply(verb(app, request))

    def _test_order(self, app: App, request: Request) -> object:
        wish = msgspec.json.decode(request.body, type=_TestOrder)
        self_ship = wish.shipment_type == "SELF"
        order = self._world.place_order(
            [
                LineSpec(
                    sku=f"SKU-{item.listing_id}",
                    quantity=item.quantity,
                    traits={"listing": item.listing_id},
                )
                for item in wish.order_items
            ],
            seller_id=app.seller_id,
            location_id=wish.location_id,
            ships_by="seller" if self_ship else "channel",
            traits={} if self_ship else {"shipment_type": wish.shipment_type},
        )
        items = [
            {
                "orderItemId": line.line_id,
                "listingId": line.traits["listing"],
                "quantity": len(line.pieces),
            }
            for line in order.lines
        ]
        return {"orderId": order.order_id, "orderItems": items}

    def _slot(self, app: App, request: Request) -> object:
        wish = msgspec.json.decode(request.body, type=_Slot)
        for moment in (wish.dispatch_after_date, wish.dispatch_by_date):
            if moment.utcoffset() != _IST_OFFSET:
                raise WorldError("a dispatch slot must be given with the offset +05:30")
        order_id = self._order_of(app, wish.order_item_id)
        self._world.set_slot(order_id, wish.dispatch_after_date, wish.dispatch_by_date)
        return {"response": "Dispatch slot updated"}

    def _moved(self, verb: Callable[..., int]) -> Callable[[App, Request], object]:
        def do(app: App, request: Request) -> object:
            wish = msgspec.json.decode(request.body, type=_OneItem)
            verb(self._order_of(app, wish.order_item_id), wish.order_item_id)
            return {"response": "Success"}

        return do

    def _held(self, verb: Callable[..., int]) -> Callable[[App, Request], object]:
        def do(app: App, request: Request) -> object:
            wish = msgspec.json.decode(request.body, type=_OneItem)
            verb(self._order_of(app, wish.order_item_id))
            return {"response": "Success"}

        return do

    def _create_return(self, app: App, request: Request) -> object:
        wish = msgspec.json.decode(request.body, type=_OneItem)
        order_id = self._order_of(app, wish.order_item_id)
        kind = wish.return_type.lower()
        if kind.startswith("courier"):
            self._world.courier_return(order_id, wish.order_item_id)
        elif kind.startswith("customer"):
            self._world.customer_return(order_id, wish.order_item_id)
        else:
            raise WorldError(f"returnType {wish.return_type!r} is neither courier nor customer")
        return {"response": "Return created"}

    def _return_event(self, app: App, request: Request) -> object:
        wish = msgspec.json.decode(request.body, type=_OneItem)
        word = wish.event_type.lower()
        for event in ("completed", "cancelled"):
            if word.endswith(event):
                back = self._last_return(app, wish.order_item_id)
                self._world.return_event(back.return_id, event)
                return {"response": "Return event processed"}
        raise WorldError(f"eventType {wish.event_type!r} is neither completed nor cancelled")

    def _order_of(self, app: App, line_id: str) -> str:
        line = self._world.lines.get(line_id)
        if line is None or self._world.orders[line.order_id].seller_id != app.seller_id:
            raise WorldError(f"no order item {line_id!r}")
        return line.order_id

    def _last_return(self, app: App, line_id: str) -> Return:
        order = self._world.orders[self._order_of(app, line_id)]
        found = [self._world.returns[key] for key in order.return_ids]
        mine = [one for one in found if one.line_id == line_id]
        if not mine:
            raise WorldError(f"order item {line_id} has no return")
        return mine[-1]
