"""A pretend Snapdeal seller panel: the real wire format over a world of ``syncd.testing``.

``syncd simulate snapdeal`` runs it. A list with nothing in it is answered with 204 and no body, a
page behind the last one with an empty list: either way of saying nothing may come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import msgspec

from syncd.testing import (
    AT_SELLER,
    Clock,
    FaultScript,
    Ids,
    LineKey,
    Parcel,
    Piece,
    Problem,
    Reply,
    Request,
    ReturnState,
    Simulator,
    State,
    World,
    json_reply,
)
from syncd_snapdeal.api import EPOCH

PREFIX: Final = "/seller-api"
CLIENT_ID: Final = "simulated-partner"
PARTNER_TOKEN: Final = "simulated-partner-token"
MAX_PAGE_SIZE: Final = 20
ENDED: Final = (ReturnState.COMPLETED, ReturnState.CANCELLED, ReturnState.REJECTED)
LISTS: Final = {
    "/orders/new": "packages",
    "/orders/completed": "packages",
    "/suborders/cancelled": "items",
    "/returns/pending": "ReturnDataSROList",
    "/returns/completed": "ReturnDataSROList",
}
TYPES: Final = {"BUYER": "CIR", "COURIER": "RTO"}


class Row(NamedTuple):
    """A row of a list, the stamp that it is found by (ms), and whose mode it is."""

    stamp: int
    mode: str
    row: bytes


class SnapdealIds(Ids):
    """Names in the forms of this panel. An order of one line has that line's name."""

    def order_id(self, n: int) -> str:
        return self.digits("suborder", n, 12)

    line_id = order_id

    def shipment_id(self, n: int) -> str:
        return f"SLP{self.digits('package', n, 10)}"


class SnapdealWorld(World):
    """A world whose truth is told by suborder, as this panel tells it: one for each piece."""

    def truth(
        self, *, seller_id: str = "", ships_by: Literal["channel", "seller", ""] = ""
    ) -> dict[LineKey, Counter[str]]:
        """Per suborder, which is order and line at once, where its one piece stands."""
        return {
            (suborder(line_id, piece),) * 2: Counter([self.word(piece)])
            for _, line_id in super().truth(seller_id=seller_id, ships_by=ships_by)
            for piece in self.lines[line_id].pieces
        }


class SnapdealSimulator(Simulator):
    """The panel of every seller of a world. See the module's text."""

    channel = "snapdeal"

    def __init__(
        self, world: World, clock: Clock, faults: FaultScript | None = None, *, port: int = 0
    ) -> None:
        super().__init__(world, clock, faults, port=port)
        self._consents = 1  # how often sellers were asked for their consent
        self._left: dict[tuple[str, int], datetime] = {}  # when a piece went on its way
        self._read = 0  # so much of the world's history is known
        self._rows: dict[tuple[str, ...], tuple[int, list[Row]]] = {}

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return SnapdealWorld(clock, ids=SnapdealIds(seed))

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller, with the token of its last consent."""
        return {
            "base_url": self.url,
            "client_id": CLIENT_ID,
            "partner_token": PARTNER_TOKEN,
            "seller_token": self._token(seller_id or next(iter(self.world.sellers))),
            "pace": "unlimited",
        }

    def expire_tokens(self) -> None:
        """No token is good any more; ``settings`` gives new ones."""
        self._consents += 1

    def error(self, status: int, message: str) -> Reply:
        """An error in the panel's envelope."""
        return json_reply({"metadata": {"message": message}, "payload": None}, status)

    def answer(self, request: Request) -> Reply:
        """A page of one of the lists."""
        path, query = request.path.removeprefix(PREFIX), request.query
        seller_id = self._seller(request)
        if path not in LISTS or request.method != "GET":
            raise Problem(self.error(404, f"no such path: {request.path}"))
        modes = query.get("fModes", "").split(",")
        returns = path.startswith("/returns")
        if modes == [""] or (
            returns and ("FC_VOI" in modes or query.get("returnMode") not in TYPES)
        ):
            raise Problem(self.error(400, "fModes or returnMode is not valid"))
        number = request.number("pageNumber", 1, least=1)
        size = request.number("pageSize", 10, least=1)
        if returns and size > MAX_PAGE_SIZE:
            raise Problem(self.error(400, f"pageSize is at most {MAX_PAGE_SIZE}"))
        start, end = request.number("startDate", 0), request.number("endDate", 1 << 62)
        end = min(end, millis(self.clock.now() - timedelta(seconds=self.faults.lag_seconds)))
        with self.world.lock:
            found = [
                one.row
                for one in self._list(path, seller_id, query.get("returnMode", ""))
                if start <= one.stamp <= end and one.mode in modes
            ]
        page = found[(number - 1) * size : number * size]
        if request.fault is not None and request.asks("garble"):
            page[:1] = [request.fault.body.encode() or b'{"broken":true}']
        if not (found or page) or request.asks("empty"):
            return Reply(204)
        metadata = msgspec.json.encode({"requestedURI": request.path, "message": None})
        rows = b'{"' + LISTS[path].encode() + b'":[' + b",".join(page) + b"]}"
        return Reply(200, b'{"metadata":' + metadata + b',"payload":' + rows + b"}")

    def _token(self, seller_id: str) -> str:
        return f"consent-{self._consents}-of-{seller_id}"

    def _seller(self, request: Request) -> str:
        """Whose three headers these are."""
        told = [request.headers.get(name) for name in ("clientid", "x-auth-token")]
        token = request.headers.get("x-seller-authz-token")
        for seller_id in self.world.sellers:
            if told == [CLIENT_ID, PARTNER_TOKEN] and token == self._token(seller_id):
                return seller_id
        raise Problem(self.error(401, "Seller authorization token is invalid"))

    def _list(self, path: str, seller_id: str, return_mode: str) -> list[Row]:
        """Every row of a list, the newest first; made anew when the world has changed."""
        key, version = (path, seller_id, return_mode), self.world.version
        kept = self._rows.get(key)
        if kept is None or kept[0] != version:
            if path.startswith("/returns"):
                made = self._returns(seller_id, return_mode, path.endswith("completed"))
            elif path == "/suborders/cancelled":
                made = self._cancelled(seller_id)
            else:
                made = self._packages(seller_id, path == "/orders/completed")
            kept = version, sorted(made, reverse=True)
            self._rows[key] = kept
        return kept[1]

    def _pieces(self, seller_id: str) -> Iterator[tuple[Parcel, list[tuple[str, Piece]]]]:
        for event in self.world.history[self._read :]:
            self._read += 1
            if event.word in ("picked_up", "shipped"):
                for number in event.pieces:
                    self._left.setdefault((event.line_id, number), event.at)
        for parcel in self.world.parcels.values():
            if parcel.seller_id == seller_id:
                pairs = [(line, piece) for line, some in parcel.contents.items() for piece in some]
                yield parcel, pairs

    def _packages(self, seller_id: str, completed: bool) -> Iterator[Row]:
        for parcel, pairs in self._pieces(seller_id):
            gone = [self._left.get((line_id, piece.number)) for line_id, piece in pairs]
            left = [(pair, at) for pair, at in zip(pairs, gone, strict=True) if at]
            here = [pair for pair in pairs if pair[1].state in AT_SELLER and not parcel.hold]
            chosen = [pair for pair, _ in left] if completed else here
            if not chosen:
                continue
            shipped = min(at for _, at in left) if completed else None
            package = {
                "packageReferenceCode": parcel.shipment_id,
                "fulfillmentModelCode": mode_of(parcel),
                "awbNo": parcel.tracking_number if completed else None,
                "shippedDate": millis(shipped) if shipped else None,
                "items": [self._item(parcel, line_id, piece) for line_id, piece in chosen],
            }
            stamp = shipped or parcel.created_at
            yield Row(millis(stamp), mode_of(parcel), msgspec.json.encode(package))

    def _item(self, parcel: Parcel, line_id: str, piece: Piece) -> dict[str, object]:
        line = self.world.lines[line_id]
        return {
            "suborderCode": suborder(line_id, piece),
            "orderDate": millis(self.world.orders[parcel.order_id].placed_at),
            "productName": line.title,
            "price": line.price,
            "siStatusCode": word_of(piece.state),
            "paymentMode": "COD",
            "skuCode": line.sku,
        }

    def _cancelled(self, seller_id: str) -> Iterator[Row]:
        for parcel, pairs in self._pieces(seller_id):
            for line_id, piece in pairs:
                if piece.state is State.CANCELLED and piece.cancellation:
                    stamp = millis(piece.cancellation.at)
                    item = self._item(parcel, line_id, piece) | {
                        "updated": stamp,
                        "fulfillmentModelCode": mode_of(parcel),
                        "packageReferenceCode": parcel.shipment_id,
                        "orderCode": f"88{parcel.order_id}",
                        "cancellationReason": piece.cancellation.reason,
                    }
                    yield Row(stamp, mode_of(parcel), msgspec.json.encode(item))

    def _returns(self, seller_id: str, return_mode: str, completed: bool) -> Iterator[Row]:
        for back in self.world.returns.values():
            done = back.state is ReturnState.COMPLETED
            if (back.seller_id, back.kind) != (seller_id, TYPES[return_mode]) or (
                not done if completed else back.state in (*ENDED, ReturnState.ANNOUNCED)
            ):
                continue
            buyer = return_mode == "BUYER"
            parcel = self.world.parcels[back.shipment_id]
            begun = millis(back.created_at)
            for piece in back.pieces:
                row = {
                    "suborderCode": suborder(back.line_id, piece),
                    "skuCode": self.world.lines[back.line_id].sku,
                    "customerReturnInitiatedOn": begun if buyer else None,
                    "returnInitiatedOn": begun,
                    "returnDeliveredOn": millis(back.modified_at) if done else None,
                    "shippedOn": millis(parcel.created_at),
                    "fulfillmentMode": mode_of(parcel),
                    "awbNumber": back.tracking_number,
                    "rtvCode": back.return_id if buyer and done else None,
                    "returnReason": back.reason if buyer else None,
                    "Status": back.state,
                }
                stamp = begun if buyer else millis(back.modified_at)
                yield Row(stamp, mode_of(parcel), msgspec.json.encode(row))


def suborder(line_id: str, piece: Piece) -> str:
    """The name of a piece: its line's, with a number from the second one on."""
    return line_id if piece.number == 1 else f"{line_id}{piece.number:04d}"


def mode_of(parcel: Parcel) -> str:
    """The fulfilment mode of a parcel."""
    if parcel.ships_by == "seller":
        return "VENDOR_SELF"
    return parcel.traits.get("mode", "DROPSHIP")


def word_of(state: State) -> str:
    """The panel's code for a piece; a lost one is still on its way there."""
    if state in AT_SELLER:
        return "PRNT" if state in (State.PACKED, State.READY) else "PFF"
    if state is State.CANCELLED:
        return "CLD"
    return "FFD" if state in (State.DELIVERED, State.COMPLETED) else "SHP"


def millis(moment: datetime) -> int:
    """Epoch milliseconds."""
    return (moment - EPOCH) // timedelta(milliseconds=1)
