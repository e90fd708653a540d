"""A pretend Paytm seller panel: identity host and order host on one address.

``orders.json`` has the fields that the plugin assumes. The status numbers beyond 2, 5 and 15 are
made up here, for no public text has them; the settings of a simulated account name them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, Final
from zoneinfo import ZoneInfo

from syncd.testing import (
    MADE_UP,
    Clock,
    FaultScript,
    Ids,
    Order,
    Piece,
    Problem,
    Reply,
    Request,
    Simulator,
    State,
    World,
    json_reply,
)
from syncd_panelfile.simulator import PanelfileSimulator

IST: Final = ZoneInfo("Asia/Kolkata")
_NUMBER: Final = {text: int(number) for number, text in MADE_UP.items()}
_OPEN: Final = {State.PACKED: 5, State.READY: 15}
_ORDERS: Final = re.compile(r"/v1/merchant/([\w-]+)/orders\.json")
_PASSWORD: Final = b"simulated-password"
_SECRET: Final = b"simulated-secret"


class PaytmIds(Ids):
    """Ids of this panel's form: whole numbers."""

    def order_id(self, n: int) -> str:
        return self.digits("order", n, 10)

    def line_id(self, n: int) -> str:
        return self.digits("line", n, 10)

    def shipment_id(self, n: int) -> str:
        return self.digits("shipment", n, 9)


class PaytmSimulator(Simulator):
    """The panel of every seller of a world; a seller's id is the merchant id."""

    channel = "paytm"

    def __init__(
        self,
        world: World,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
        token_life: timedelta = timedelta(hours=12),
    ) -> None:
        super().__init__(world, clock, faults, port=port)
        self.token_life = token_life
        self._codes: dict[str, str] = {}  # code -> seller
        self._tokens: dict[str, tuple[str, datetime]] = {}  # token -> seller, end

    secret_params = frozenset({"authtoken"})

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return World(clock, ids=PaytmIds(seed))

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        seller = seller_id or next(iter(self.world.sellers))
        return {
            "base_url": self.url,
            "identity_url": self.url,
            "merchant_id": seller,
            "username": f"{seller}@example.com",
            "password": _PASSWORD.decode(),
            "client_id": "simulated-app",
            "client_secret": _SECRET.decode(),
            "status_map": dict(MADE_UP),
            "page_size": 1000,
            "pace": "unlimited",
        }

    def expire_tokens(self) -> None:
        """Let every token die."""
        self._tokens.clear()

    def answer(self, request: Request) -> Reply:
        """Route one request."""
        with self.world.lock:
            if (request.method, request.path) == ("POST", "/oauth2/authorize"):
                return self._authorize(request.form())
            if (request.method, request.path) == ("POST", "/oauth2/token"):
                return self._token(request.form())
            merchant = _ORDERS.fullmatch(request.path)
            if request.method == "GET" and merchant:
                return self._orders(merchant[1], request)
        raise Problem(self.error(404, f"no such path: {request.path}"))

    def _authorize(self, form: Mapping[str, str]) -> Reply:
        seller = form.get("username", "").removesuffix("@example.com")
        right = compare_digest(form.get("password", "").encode(), _PASSWORD)
        if not right or seller not in self.world.sellers or form.get("response_type") != "code":
            raise Problem(self.error(401, "wrong user or password"))
        code = token_urlsafe(12)
        self._codes[code] = seller
        return json_reply({"code": code, "state": form.get("state", "")})

    def _token(self, form: Mapping[str, str]) -> Reply:
        seller = self._codes.pop(form.get("code", ""), "")
        if not seller or not compare_digest(form.get("client_secret", "").encode(), _SECRET):
            raise Problem(self.error(401, "wrong code or client"))
        token, end = token_urlsafe(24), self.clock.now() + self.token_life
        self._tokens[token] = (seller, end)
        stamp = end.astimezone(IST).replace(tzinfo=None).isoformat(timespec="seconds")
        return json_reply({"access_token": token, "token_expiry_time": stamp})

    def _orders(self, merchant: str, request: Request) -> Reply:
        query = request.query
        seller, end = self._tokens.get(query.get("authtoken", ""), ("", self.clock.now()))
        if seller != merchant or end <= self.clock.now():
            raise Problem(self.error(401, "the token is not good"))
        limit = request.number("limit", 50, least=1)
        if "order_ids" in query:
            known = (self.world.orders.get(one) for one in query["order_ids"].split(","))
            orders = [one for one in known if one is not None and one.seller_id == merchant]
        else:
            orders = [one for one in self.world.orders.values() if one.seller_id == merchant]
        shown = [self._order(order) for order in orders]
        if "status" in query:
            shown = [one for one in shown if _has(one, query["status"])]
        rows: list[Any] = list(shown[:limit])
        if request.asks("empty"):
            rows = []
        if request.asks("garble") and request.fault is not None:
            rows[:1] = [request.fault.body or "broken"]
        return json_reply(rows)

    def _order(self, order: Order) -> dict[str, Any]:
        """The order with a row for each state in which pieces of an item stand in a parcel."""
        rows: dict[tuple[str, str, int], list[tuple[Piece, datetime]]] = {}
        for line in order.lines:
            for piece in line.pieces:
                number, at = self._status(piece)
                rows.setdefault((line.line_id, piece.shipment_id, number), []).append((piece, at))
        skus = {line.line_id: line.sku for line in order.lines}
        return {
            "id": int(order.order_id),
            "created_at": _stamp(order.placed_at),
            "items": [
                {
                    "id": int(line_id),
                    "sku": skus[line_id],
                    "status": number,
                    "qty": len(pieces),
                    "updated_at": _stamp(max(at for _, at in pieces)),
                    "fulfillment_id": int(shipment_id),
                    "tracking_number": self.world.parcels[shipment_id].tracking_number,
                    "shipper": self.world.parcels[shipment_id].courier,
                }
                for (line_id, shipment_id, number), pieces in rows.items()
            ],
        }

    def _status(self, piece: Piece) -> tuple[int, datetime]:
        """The number of a piece, and since when it has it."""
        word = self.world.shown(piece)
        if word == "OPEN":
            return _OPEN.get(piece.state, 2), piece.changed_at
        back = self.world.returns.get(piece.return_id)
        return _NUMBER[word], back.modified_at if back and "RETURN" in word else piece.changed_at


class PaytmFilesSimulator(PanelfileSimulator):
    """People who download the panel's report files, in made up columns and words."""

    channel = "paytm"

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller that is read from files alone."""
        return {**super().settings(seller_id), "source": "panelfile"}


def _has(order: Mapping[str, Any], number: str) -> bool:
    return any(str(item["status"]) == number for item in order["items"])


def _stamp(at: datetime) -> str:
    return at.astimezone(IST).replace(tzinfo=None).isoformat(sep=" ")
