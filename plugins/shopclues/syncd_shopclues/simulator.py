"""A pretend ShopClues merchant panel: the real wire format over a world of ``syncd.testing``.

``syncd simulate shopclues`` runs it. Only the letter Q is ShopClues' own: all others are made
up, and the account's settings say what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any, ClassVar, Final
from urllib.parse import unquote, urlencode

import msgspec

from syncd.testing import (
    Clock,
    FaultScript,
    Ids,
    Line,
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
from syncd_shopclues.api import EPOCH

PREFIX: Final = "/api/v1"
LOGIN_PATH: Final = "/loginToken.php"
PASSWORD: Final = "simulated-password"
CLIENT: Final = ("simulated-app", "simulated-app-secret")
PAGE_SIZE: Final = 20

MEANINGS: Final = {
    "d": "DISPATCHED",
    "v": "DELIVERED",
    "x": "CANCELLED",
    "l": "LOST",
    "r": "RETURN_NOTICED RTO",
    "s": "RETURNED RTO",
    "t": "RETURN_WITHDRAWN RTO",
    "b": "RETURN_NOTICED CIR",
    "c": "RETURNED CIR",
    "w": "RETURN_WITHDRAWN CIR",
}
LETTERS: Final = {"OPEN": "Q", **{word: letter for letter, word in MEANINGS.items()}}


class ShopCluesIds(Ids):
    """Names in the forms of this panel; a line is known by its product."""

    def order_id(self, n: int) -> str:
        return self.digits("order", n, 8)

    def line_id(self, n: int) -> str:
        return self.digits("product", n, 9)


class ShopCluesWorld(World):
    """A world in which the only name of an article is the panel's own product id."""

    def _new_line(self, order_id: str, spec: LineSpec, n: int) -> Line:
        line = super()._new_line(order_id, spec, n)
        line.sku = line.line_id
        return line


class ShopCluesSimulator(Simulator):
    """The panel of every seller of a world. See the module's text.

    ``styles`` are the ways of a token in its header that are taken, see the settings.
    """

    channel = "shopclues"
    whole_orders = True
    secret_params: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        world: World,
        clock: Clock,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
        styles: frozenset[str] = frozenset({"bearer", "bare"}),
    ) -> None:
        super().__init__(world, clock, faults, port=port)
        self.styles = styles
        self._tokens: dict[str, str] = {}  # token -> seller
        self._given = 0
        self._found: tuple[object, list[Order]] = ((), [])

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return ShopCluesWorld(clock, ids=ShopCluesIds(seed))

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller, with the meanings of the made-up letters."""
        return {
            "base_url": self.url,
            "login_url": f"{self.url}{LOGIN_PATH}",
            "username": f"{seller_id or next(iter(self.world.sellers))}@shop.example",
            "password": PASSWORD,
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
            "status_map": MEANINGS,
            "pace": "unlimited",
        }

    def expire_tokens(self) -> None:
        """No token is good any more."""
        self._tokens.clear()

    def error(self, status: int, message: str) -> Reply:
        """An error is a message and nothing else."""
        return json_reply({"message": message}, status)

    def answer(self, request: Request) -> Reply:
        """A token, a page of orders, or one order."""
        path = request.path.removeprefix(PREFIX)
        with self.world.lock:
            if path == LOGIN_PATH and request.method == "POST":
                return self._login(request)
            seller_id = self._seller(request)
            order = self.world.orders.get(unquote(path.removeprefix("/order/")))
            if request.method == "GET" and path == "/order":
                return self._page(request, seller_id)
            if request.method != "GET" or order is None or order.seller_id != seller_id:
                raise Problem(self.error(404, "not found"))
            return json_reply({"data": {**self._head(order), "items": dict(self._items(order))}})

    def _login(self, request: Request) -> Reply:
        told = request.fields()
        good = {
            "password": md5(PASSWORD.encode(), usedforsecurity=False).hexdigest(),
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
            "grant_type": "password",
        }
        seller_id = told.pop("username", "").removesuffix("@shop.example")
        if told != good or seller_id not in self.world.sellers:
            raise Problem(self.error(200, "UnAuthorised Access"))
        self._given += 1
        token = f"simulated-token-{self._given:06d}"
        self._tokens[token] = seller_id
        return json_reply({"access_token": token})

    def _seller(self, request: Request) -> str:
        """Whose token this is. A bad one is told inside a good answer, as the real panel does."""
        word, _, token = request.headers.get("authorization", "").rpartition(" ")
        style = {"bearer": "bearer", "": "bare"}.get(word.lower(), "")
        if style not in self.styles or token not in self._tokens:
            raise Problem(self.error(200, "UnAuthorised Access"))
        return self._tokens[token]

    def _page(self, request: Request, seller_id: str) -> Reply:
        query = request.query
        number = request.number("page", 1, least=1)
        start, end = request.number("time_from"), request.number("time_to")
        found = self._placed(start, end, seller_id)
        some = found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        rows = [
            msgspec.json.encode(
                {
                    **self._head(order),
                    "items_list": [
                        {"product_id": key, "selling_price": "499.00", **item}
                        for key, item in self._items(order)
                    ],
                }
            )
            for order in some
        ]
        after = number if request.asks("ring") else number + 1
        more = number * PAGE_SIZE < len(found) or request.asks("ring")
        link = f"{self.url}{request.path}?{urlencode({**query, 'page': after})}" if more else ""
        if request.fault is not None and request.asks("garble"):
            rows[:1] = [request.fault.body.encode() or b'{"broken":true}']
        if request.fault is not None and request.asks("foreign"):
            link = request.fault.body or "https://elsewhere.invalid/api/v1/order?page=2"
        if request.asks("empty"):
            rows = []
        extra = msgspec.json.encode({"next": link})
        return Reply(200, b'{"data":[' + b",".join(rows) + b'],"extra":' + extra + b"}")

    def _placed(self, start: int, end: int, seller_id: str) -> list[Order]:
        """The seller's orders of a span, the oldest first; kept while the world stands still."""
        lag = self.faults.lag_seconds
        end = min(end, seconds(self.clock.now() - timedelta(seconds=lag)))
        key = (self.world.version, start, end, seller_id)
        if self._found[0] != key:
            orders = [
                order
                for order in self.world.orders.values()
                if order.seller_id == seller_id and start <= seconds(order.placed_at) <= end
            ]
            self._found = key, sorted(orders, key=lambda order: (order.placed_at, order.order_id))
        return self._found[1]

    def _head(self, order: Order) -> dict[str, object]:
        return {
            "order_id": order.order_id,
            "is_parent_order": "N",
            "parent_order_id": "0",
            "timestamp": str(seconds(order.placed_at)),
            "status": self._letter(order),
            "total": "499.00",
            "payment_type": "COD",
        }

    def _items(self, order: Order) -> Iterator[tuple[str, dict[str, object]]]:
        for line in order.lines:
            yield line.line_id, {"product": line.title, "amount": str(len(line.pieces))}

    def _letter(self, order: Order) -> str:
        """One letter for all pieces: that of the first one which is not cancelled."""
        words = [self.world.shown(piece) for line in order.lines for piece in line.pieces]
        return LETTERS[next((word for word in words if word != "CANCELLED"), "CANCELLED")]


def seconds(moment: datetime) -> int:
    """Epoch seconds."""
    return (moment - EPOCH) // timedelta(seconds=1)


class ShopCluesFilesSimulator(PanelfileSimulator):
    """People who download the panel's report files, in made up columns and words."""

    channel = "shopclues"

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller that is read from files alone."""
        return {**super().settings(seller_id), "source": "panelfile"}
