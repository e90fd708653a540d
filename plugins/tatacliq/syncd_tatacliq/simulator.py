"""A pretend Tata CLiQ gateway: the one documented call, an order by its id.

The codes beyond 001 are made up here, for no public text has them; the settings of a simulated
account name them. Each piece is a line of its own, as the panel's samples have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import structs

from syncd.testing import (
    MADE_UP,
    Clock,
    FaultScript,
    Ids,
    LineSpec,
    Order,
    Problem,
    Reply,
    Request,
    Simulator,
    World,
    json_reply,
)
from syncd_panelfile.simulator import PanelfileSimulator

IST: Final = ZoneInfo("Asia/Kolkata")
_CODE: Final = {text: code for code, text in MADE_UP.items()}
_PATH: Final = re.compile(
    r"/PartnerConnect/PC_([\w-]+)/AP_SALES_ORDER/AVT_JSON_SALES_ORDER/AV_2\.0/OG_1/ORDID_([^/]+)/"
)


class TataCliqIds(Ids):
    """Ids of this panel's form."""

    def order_id(self, n: int) -> str:
        digits = self.digits("order", n, 14)
        return f"{digits[:5]}-{digits[5:8]}-{digits[8:]}"

    def line_id(self, n: int) -> str:
        return self.digits("line", n, 15)


class TataCliqWorld(World):
    """A world in which each piece is a line of its own."""

    def place_order(self, lines: Sequence[Any], **more: Any) -> Order:
        """A buyer orders; a line of several pieces becomes as many lines."""
        single: list[LineSpec] = []
        for line in lines:
            spec = line
            if isinstance(line, tuple):
                spec = LineSpec(sku=line[0], quantity=line[1])
            elif isinstance(line, Mapping):
                spec = LineSpec(**line)
            single += [structs.replace(spec, quantity=1)] * spec.quantity
        return super().place_order(single, **more)


class TataCliqSimulator(Simulator):
    """The gateway of every seller of a world."""

    channel = "tatacliq"
    whole_orders = True  # a part of a line's pieces cannot be told: a line is a piece

    def __init__(
        self,
        world: World,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
    ) -> None:
        super().__init__(world, clock, faults, port=port)

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return TataCliqWorld(clock, ids=TataCliqIds(seed))

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        seller = seller_id or next(iter(self.world.sellers))
        return {
            "base_url": self.url,
            "seller_id": seller,
            "token": _token_of(seller),
            "status_map": dict(MADE_UP),
            "pace": "unlimited",
        }

    def answer(self, request: Request) -> Reply:
        """Answer the one call there is."""
        found = _PATH.fullmatch(request.path)
        if request.method != "GET" or found is None:
            raise Problem(self.error(404, f"no such path: {request.path}"))
        seller, order_id = found.groups()
        carried = request.headers.get("authorization", "")
        if not compare_digest(carried.encode(), f"Bearer {_token_of(seller)}".encode()):
            raise Problem(self.error(401, "the token is not good"))
        with self.world.lock:
            order = self.world.orders.get(order_id)
            rows: list[Any] = []
            if order is not None and order.seller_id == seller:
                rows = [self._order(order)]
        if request.asks("garble") and request.fault is not None:
            rows[:1] = [request.fault.body or "broken"]
        return json_reply({"order": rows})

    def _order(self, order: Order) -> dict[str, Any]:
        return {
            "orderType": "01",
            "orderNo": order.order_id,
            "orderDate": _stamp(order.placed_at),
            "addressInfo": [{"firstName": "Simulated", "address2": "NA", "landmark": "null--"}],
            "paymentInfo": [{"paymentMode": "Prepaid", "paymentDate": _stamp(order.placed_at)}],
            "orderLine": [self._line(order, number) for number in range(len(order.lines))],
        }

    def _line(self, order: Order, number: int) -> dict[str, Any]:
        line = order.lines[number]
        (piece,) = line.pieces
        parcel = self.world.parcels[piece.shipment_id]
        return {
            "transactionId": line.line_id,
            "shipByDate": f"{parcel.ship_by:%Y-%m-%dT%H:%M:%SZ}",
            "omsStatusCode": self._code(line.line_id),
            "sellerID": order.seller_id,
            "articleNumber": line.sku,
            "price": line.price,
            "isAFreebie": "N",
            "parentTransactionID": "null",
            "fulfillmentType": "TSHIP" if parcel.ships_by == "channel" else "SSHIP",
            "p1SlaveId": order.location_id,
            "p1LogisticsID": parcel.courier,
            "returnLogisticsID": "null",
        }

    def _code(self, line_id: str) -> str:
        (piece,) = self.world.lines[line_id].pieces
        return _CODE.get(self.world.shown(piece), "001")


def _token_of(seller: str) -> str:
    return f"simulated-token-{seller}"


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(IST):%Y-%m-%d %H:%M:%S}.0"


class TataCliqFilesSimulator(PanelfileSimulator):
    """People who download the panel's report files, in made up columns and words."""

    channel = "tatacliq"

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller that is read from files alone."""
        return {**super().settings(seller_id), "source": "panelfile"}
