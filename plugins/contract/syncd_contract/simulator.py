"""A pretend marketplace that speaks the contract, over a world of ``syncd.testing``.

Paths: ``/authToken`` (GET and POST), ``/orders``, ``/productsCount``, and ``/control/...``. An
item has one status for all its pieces, as on the wire; it moves when the last piece has moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import msgspec

from syncd.testing import (
    AT_BUYER,
    AT_SELLER,
    ON_THE_WAY,
    Clock,
    FaultScript,
    Line,
    Order,
    Piece,
    Problem,
    Reply,
    Request,
    Simulator,
    State,
    SystemClock,
    World,
    json_reply,
)

INDIA: Final = ZoneInfo("Asia/Kolkata")
PASSWORD: Final = "simulated-password"
MAX_PAGE: Final = 50
_RETURN_WORDS: Final = {"RTO": "COURIER_RETURN", "CIR": "RETURN_REQUESTED"}


class ContractSimulator(Simulator):
    """The marketplace of every seller of a world; a seller's user name is its id."""

    channel = "contract"
    secret_params: ClassVar[frozenset[str]] = frozenset({"password", "token"})

    def __init__(
        self,
        world: World | None = None,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
        max_page: int = MAX_PAGE,
        refuses_with_200: bool = False,
    ) -> None:
        clock = clock or (world.clock if world else SystemClock())
        super().__init__(world or World(clock), clock, faults, port=port)
        self.max_page = max_page
        self.refuses_with_200 = refuses_with_200
        self._tokens: dict[str, str] = {}
        self._issued = 0

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        return {
            "base_url": self.url,
            "username": seller_id or next(iter(self.world.sellers)),
            "password": PASSWORD,
            "pace": "unlimited",
        }

    def expire_tokens(self) -> None:
        """Let every token die."""
        self._tokens.clear()

    def answer(self, request: Request) -> Reply:
        """Route one request."""
        with self.world.lock:
            if request.path == "/authToken":
                return self._token(request)
            seller_id = self._tokens.get(request.headers.get("apikey", ""))
            if seller_id is None:
                return json_reply(
                    {"message": "Invalid User/Token"}, 200 if self.refuses_with_200 else 401
                )
            if request.path == "/productsCount":
                return json_reply({"count": 20})
            if (request.method, request.path) == ("GET", "/orders"):
                return self._orders(seller_id, request)
        raise Problem(self.error(404, f"no such path: {request.path}"))

    def _token(self, request: Request) -> Reply:
        given = request.query
        if request.method == "POST":
            given = request.json(dict[str, str])
        user = given.get("username", "")
        if user not in self.world.sellers or given.get("password") != PASSWORD:
            word = "INVALID_CREDENTIALS" if request.method == "POST" else "FAILED"
            return json_reply({"status": word, "accessToken": None})
        self._issued += 1
        token = hashlib.sha256(f"{user}/{self._issued}".encode()).hexdigest()
        self._tokens[token] = user
        return json_reply({"status": "SUCCESS", "accessToken": token})

    def _orders(self, seller_id: str, request: Request) -> Reply:
        query = request.query
        size = min(request.number("pageSize", 50, least=1), self.max_page)
        start = (max(1, request.number("pageNumber", 1)) - 1) * size
        found: Sequence[Order]
        if "orderIds" in query:
            wanted = query["orderIds"].split(",")
            found = [self.world.orders[one] for one in wanted if one in self.world.orders]
        else:
            found = self._placed(request)
        mine = [order for order in found if order.seller_id == seller_id]
        rows: list[Any] = [self._row(order) for order in mine[start : start + size]]
        if request.asks("empty"):
            rows = []
        if request.asks("garble") and rows and request.fault is not None:
            rows[0] = msgspec.Raw(request.fault.body.encode() or b'{"broken":true}')
        return json_reply({"orders": rows})

    def _placed(self, request: Request) -> Sequence[Order]:
        until = self.clock.now() - timedelta(seconds=self.faults.lag_seconds)
        start, end = request.moment("orderDateFrom", UTC), request.moment("orderDateTo", UTC)
        return [
            order
            for order in self.world.orders.values()
            if start <= order.placed_at.replace(microsecond=0) <= end
            and order.placed_at <= until
            and self._status(order) == request.query.get("orderStatus")
        ]

    # Rows -------------------------------------------------------------------------------------

    def _status(self, order: Order) -> str:
        words = {self._word(line) for line in order.lines}
        if words == {"CANCELLED"}:
            return "CANCELLED"
        return "CREATED" if "CREATED" in words else "COMPLETE"

    def _row(self, order: Order) -> dict[str, Any]:
        parcel = self.world.parcels[order.shipment_ids[0]]
        return {
            "id": order.order_id,
            "displayOrderNumber": f"#{order.order_id}",
            "orderDate": order.placed_at.astimezone(INDIA).isoformat(timespec="seconds"),
            "orderStatus": self._status(order),
            "paymentType": "PREPAID",
            "thirdPartyShipping": parcel.ships_by == "channel",
            "shippingAddress": {"name": "A. Buyer"},
            "orderItems": [self._item(line) for line in order.lines],
        }

    def _item(self, line: Line) -> dict[str, Any]:
        parcel = self.world.parcels[line.pieces[0].shipment_id]
        word = self._word(line)
        left = word not in ("CREATED", "CANCELLED")
        back = next(
            (self.world.returns[one.return_id] for one in line.pieces if self._comes_back(one)),
            None,
        )
        shown = back if word in _RETURN_WORDS.values() else None
        return {
            "orderItemId": line.line_id,
            "productId": f"P-{line.sku}",
            "variantId": "V-1",
            "sku": line.sku,
            "title": line.title,
            "quantity": len(line.pieces),
            "cancelledQuantity": sum(one.state is State.CANCELLED for one in line.pieces),
            "facilityCode": parcel.location_id,
            "status": word,
            "trackingId": parcel.tracking_number if left else None,
            "deliveryPartner": parcel.courier if left else None,
            "dispatchDate": self._dispatched(line) if left else None,
            "returnReason": shown.reason if shown else None,
            "returnDate": _plain(shown.created_at) if shown else None,
            "returnAWB": shown.tracking_number if shown else None,
            "returnShippingProvider": shown.courier if shown else None,
        }

    def _dispatched(self, line: Line) -> str | None:
        stamps = [
            event.at
            for event in self._events.get(line.line_id, [])
            if event.word in ("picked_up", "shipped")
        ]
        return _plain(min(stamps)) if stamps else None

    @property
    def _events(self) -> dict[str, list[Any]]:
        """The history by line; only what is new since the last question is sorted in."""
        known: tuple[int, dict[str, list[Any]]] = getattr(self, "_sorted", (0, {}))
        done, by_line = known
        for event in self.world.history[done:]:
            by_line.setdefault(event.line_id, []).append(event)
        self._sorted = (len(self.world.history), by_line)
        return by_line

    def _comes_back(self, piece: Piece) -> bool:
        return bool(piece.return_id) and self.world.coming_back(piece)

    def _word(self, line: Line) -> str:
        """The status of the piece that has come least far; cancelled ones do not count."""
        alive = [piece for piece in line.pieces if piece.state is not State.CANCELLED]
        if not alive:
            return "CANCELLED"
        if any(piece.state in AT_SELLER for piece in alive):
            return "CREATED"
        if all(self._comes_back(piece) for piece in alive):
            return _RETURN_WORDS[self.world.returns[alive[0].return_id].kind.value]
        if all(piece.state in AT_BUYER or self._comes_back(piece) for piece in alive):
            return "DELIVERED"
        assert any(piece.state in ON_THE_WAY or piece.state is State.LOST for piece in alive)
        return "DISPATCHED"


def _plain(moment: datetime) -> str:
    """UTC without an offset, as the guide writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
