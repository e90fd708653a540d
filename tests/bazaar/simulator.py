"""A pretend Bazaar: XML feeds with a cursor over a world of ``syncd.testing``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, tostring

from syncd.testing import Clock, FaultScript, Problem, Reply, Request, Simulator, World

PAGE: Final = 10
STATES: Final = {
    "picked_up": "gone",
    "shipped": "gone",
    "delivered": "there",
    "cancelled": "void",
    "return_created_rto": "back-courier",
    "return_created_cir": "back-buyer",
    "return_completed": "home-",
    "return_cancelled": "kept-",
    "return_rejected": "kept-",
}


class BazaarSimulator(Simulator):
    """The panel of every seller of a world."""

    channel = "bazaar"

    def __init__(
        self, world: World, clock: Clock, faults: FaultScript | None = None, *, port: int = 0
    ) -> None:
        super().__init__(world, clock, faults, port=port)
        self._sessions: dict[str, str] = {}
        self._given = 0

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        seller_id = seller_id or next(iter(self.world.sellers))
        return {"base_url": f"{self.url}/api", "user": seller_id, "password": f"pw-{seller_id}"}

    def expire_tokens(self) -> None:
        self._sessions.clear()

    def error(self, status: int, message: str) -> Reply:
        return _reply(Element("error", text=message), status)

    def answer(self, request: Request) -> Reply:
        query = parse_qs(urlsplit(request.target).query)
        if request.path == "/api/login.xml" and request.method == "POST":
            return self._log_in(parse_qs(request.body.decode()))
        seller_id = self._sessions.get(query.get("session", [""])[0])
        if seller_id is None:
            raise Problem(self.error(401, "no session"))
        with self.world.lock:
            if request.path == "/api/sales.xml":
                found = self._sales(seller_id)
            elif request.path == "/api/movements.xml":
                found = self._movements(seller_id)
            else:
                raise Problem(self.error(404, "no such feed"))
        return self._page(request, query, [one for one in found if self._fits(one, query)])

    def _log_in(self, form: Mapping[str, list[str]]) -> Reply:
        (user,), (password,) = form["user"], form["pass"]
        if password != f"pw-{user}" or user not in self.world.sellers:
            raise Problem(self.error(401, "wrong password"))
        self._given += 1
        key = f"session-{self._given}-of-{user}"
        self._sessions[key] = user
        return _reply(Element("session", key=key))

    def _fits(self, row: Element, query: Mapping[str, list[str]]) -> bool:
        at = int(row.get("at", "0"))
        shown = self.clock.now() - timedelta(seconds=self.faults.lag_seconds)
        if at > shown.timestamp() or row.get("state") not in (None, *query.get("state", ())):
            return False
        if "order" in query:
            return row.get("order") in query["order"]
        return int(query["from"][0]) <= at < int(query["to"][0])

    def _page(self, request: Request, query: Mapping[str, list[str]], rows: list[Element]) -> Reply:
        start = int(query.get("cursor", ["c0"])[0].removeprefix("c"))
        feed = Element("feed")
        feed.extend([] if request.asks("empty") else rows[start : start + PAGE])
        if len(rows) > start + PAGE:
            feed.set("cursor", f"c{start + PAGE}")
        if request.asks("ring"):
            feed.set("cursor", f"c{start}")
        if request.asks("garble") and len(feed):
            feed[0] = Element("movement", broken="yes")
        return _reply(feed)

    def _sales(self, seller_id: str) -> list[Element]:
        rows = []
        for order in self.world.orders.values():
            if order.seller_id == seller_id:
                own = self.world.parcels[order.shipment_ids[0]].ships_by == "seller"
                row = _element("sale", order=order.order_id, at=_seconds(order.placed_at),
                               carrier="OWN" if own else "BZ")  # fmt: skip
                for line in order.lines:
                    row.append(
                        _element("line", line=line.line_id, sku=line.sku, count=len(line.pieces))
                    )
                rows.append(row)
        return sorted(rows, key=lambda one: one.get("at", ""))

    def _movements(self, seller_id: str) -> list[Element]:
        rows: list[Element] = []
        left: set[tuple[str, int]] = set()
        for number, event in enumerate(self.world.history):
            parcel = self.world.parcels[event.shipment_id]
            if parcel.seller_id != seller_id or event.word not in STATES:
                continue
            state, pieces = STATES[event.word], {(event.line_id, one) for one in event.pieces}
            if state == "gone":
                pieces -= left
                left |= pieces
            if not pieces:
                continue
            back = self.world.returns.get(event.return_id)
            if state.endswith("-") and back is not None:
                state += "courier" if back.kind == "RTO" else "buyer"
            rows.append(
                _element(
                    "movement", no=f"m{number}", order=event.order_id, line=event.line_id,
                    sku=self.world.lines[event.line_id].sku, count=len(pieces), state=state,
                    at=_seconds(event.at), parcel=event.shipment_id,
                    waybill=parcel.tracking_number, back=event.return_id,
                    carrier="OWN" if parcel.ships_by == "seller" else "BZ",
                )
            )  # fmt: skip
        return sorted(rows, key=lambda one: one.get("at", ""))


def _element(tag: str, **attributes: object) -> Element:
    return Element(tag, {name: str(value) for name, value in attributes.items()})


def _seconds(moment: Any) -> int:
    return int(moment.timestamp())


def _reply(element: Element, status: int = 200) -> Reply:
    return Reply(status, tostring(element, "utf-8"), "application/xml")
