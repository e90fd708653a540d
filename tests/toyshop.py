"""An imagined panel and its plugin, as small as may be, that keep every rule of the kit.

Times are Indian without an offset; a row is a total of one line in one parcel under one word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from msgspec import Raw, Struct
from pydantic import SecretStr

from syncd import (
    Account,
    Channel,
    Links,
    NewOrder,
    OrderLine,
    OrderRef,
    Page,
    Panel,
    ReturnType,
    Settings,
    Status,
    StatusChange,
    Token,
    Window,
    hookimpl,
)
from syncd.errors import PanelAnswer
from syncd.shapes import BadRow, rows
from syncd.testing import AT_BUYER, Problem, Reply, Request, Simulator, State, json_reply

IST = ZoneInfo("Asia/Kolkata")
FORM = "%Y-%m-%d %H:%M:%S"


def _text(moment: datetime) -> str:
    return moment.astimezone(IST).strftime(FORM)


class ToySimulator(Simulator):
    """Serves /token, and the lists /orders (POST), /parcels and /returns."""

    channel = "toyshop"

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.tokens: dict[str, str] = {}
        self.given = 0

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        seller = seller_id or next(iter(self.world.sellers))
        return {"base_url": self.url, "seller": seller, "password": f"canary-{seller}"}

    def expire_tokens(self) -> None:
        self.tokens.clear()

    def answer(self, request: Request) -> Reply:
        with self.world.lock:
            seller = request.query.get("seller", "")
            if request.path == "/token":
                return self._token(seller, request.query.get("password", ""))
            seller = self.tokens.get(request.headers.get("authorization", ""), "")
            if not seller:
                raise Problem(self.error(401, "no such token"))
            lists = {"/orders": self._orders, "/parcels": self._parcels, "/returns": self._returns}
            return self._page(request, lists[request.path](seller))

    def _token(self, seller: str, password: str) -> Reply:
        if password != f"canary-{seller}":
            raise Problem(self.error(401, "wrong password"))
        self.given += 1
        token = f"canary-token-{self.given}"
        self.tokens[f"Bearer {token}"] = seller
        return json_reply({"token": token, "life": 3600})

    def _orders(self, seller: str) -> list[dict[str, Any]]:
        return [
            {
                "order": order.order_id,
                "ships": self.world.parcels[order.shipment_ids[0]].ships_by,
                "at": _text(order.placed_at),
                "lines": [
                    {"line": line.line_id, "sku": line.sku, "total": len(line.pieces)}
                    for line in order.lines
                ],
            }
            for order in self.world.orders.values()
            if order.seller_id == seller
        ]

    def _parcels(self, seller: str) -> list[dict[str, Any]]:
        left_at = {}
        for event in self.world.history:
            if event.word in ("picked_up", "shipped"):
                for number in event.pieces:
                    left_at.setdefault((event.line_id, number), event.at)
        # A total of cancellations is that of the line; of the rest, of the line in its parcel.
        times: dict[tuple[str, str, str, str], list[datetime]] = {}
        for parcel in self.world.parcels.values():
            for line_id, pieces in parcel.contents.items():
                for piece in pieces if parcel.seller_id == seller else []:
                    key = parcel.order_id, line_id, parcel.shipment_id
                    if (line_id, piece.number) in left_at:
                        at = left_at[line_id, piece.number]
                        times.setdefault((*key, "LEFT"), []).append(at)
                    if piece.state in AT_BUYER:
                        times.setdefault((*key, "AT_DOOR"), []).append(piece.changed_at)
                    elif piece.state is State.LOST:
                        times.setdefault((*key, "LOST"), []).append(piece.changed_at)
                    elif piece.state is State.CANCELLED:
                        gone = parcel.order_id, line_id, "", "CANCELLED"
                        times.setdefault(gone, []).append(piece.changed_at)
        return [self._parcel(*key, stamps) for key, stamps in times.items()]

    def _parcel(
        self, order_id: str, line_id: str, parcel: str, word: str, stamps: list[datetime]
    ) -> dict[str, Any]:
        order = self.world.order(order_id)
        known = self.world.parcels[parcel or order.shipment_ids[0]]
        return {
            "order": order_id,
            "line": line_id,
            "sku": self.world.lines[line_id].sku,
            "parcel": parcel,
            "ships": known.ships_by,
            "word": word,
            "scans": known.revision,
            "total": len(stamps),
            "at": _text(max(stamps)),
        }

    def _returns(self, seller: str) -> list[dict[str, Any]]:
        words = {"COMPLETED": "BACK", "CANCELLED": "OFF", "REJECTED": "OFF"}
        return [
            {
                "order": back.order_id,
                "line": back.line_id,
                "sku": self.world.lines[back.line_id].sku,
                "parcel": back.shipment_id,
                "ships": self.world.parcels[back.shipment_id].ships_by,
                "word": words.get(back.state.value, "COMING"),
                "return": back.return_id,
                "type": back.kind.value,
                "total": len(back.pieces),
                "at": _text(back.modified_at),
            }
            for back in self.world.returns.values()
            if back.seller_id == seller
        ]

    def _page(self, request: Request, every: list[dict[str, Any]]) -> Reply:
        query = request.query
        if "orders" in query:
            found = [row for row in every if row["order"] in query["orders"].split(",")]
        else:
            found = [row for row in every if query["from"] <= row["at"] < query["to"]]
            if "word" in query:
                found = [row for row in found if row["word"] == query["word"]]
        found.sort(key=lambda row: row["at"])
        number, size = int(query.get("page", "1")), int(query["size"])
        some: list[Any] = found[(number - 1) * size : number * size]
        more = number * size < len(found)

        def link(page: int) -> str:
            return f"{request.path}?{urlencode({**query, 'page': str(page)})}"

        following = link(number + 1) if more else ""
        fault = request.fault
        if fault is not None and fault.do == "garble":
            some = [Raw(fault.body.encode()), *some[1:]]
        some = [] if request.asks("empty") else some
        if request.asks("ring"):
            more, following = True, link(number)
        elif fault is not None and fault.do == "foreign":
            more, following = True, fault.body
        elif request.asks("no_link"):
            more, following = True, ""
        elif request.asks("stray_link"):
            more, following = False, link(number + 1)
        return json_reply({"more": more, "next": following, "rows": some})


class ToySettings(Settings):
    """Settings of an account."""

    base_url: str
    seller: str
    password: SecretStr
    size: int = 100


class Answer(Struct):
    """One page."""

    more: bool
    rows: Raw
    next: str = ""


class Tokens(Struct):
    """The answer of /token."""

    token: str
    life: float


class Row(Struct):
    """A row of parcels or returns."""

    order: str
    line: str
    sku: str
    parcel: str
    word: str
    total: int
    at: str
    ships: str
    back: str = ""
    type: str = ""


class BackRow(Struct, rename={"back": "return"}):
    """A row of returns."""

    order: str
    line: str
    sku: str
    parcel: str
    word: str
    total: int
    at: str
    ships: str
    back: str
    type: ReturnType


class LineRow(Struct):
    """A line of an order."""

    line: str
    sku: str
    total: int


class OrderRow(Struct):
    """A row of orders."""

    order: str
    at: str
    ships: str
    lines: list[LineRow]


WORDS = {
    "LEFT": Status.DISPATCHED,
    "AT_DOOR": Status.DELIVERED,
    "CANCELLED": Status.CANCELLED,
    "LOST": Status.LOST,
    "COMING": Status.RETURN_NOTICED,
    "BACK": Status.RETURNED,
    "OFF": Status.RETURN_WITHDRAWN,
}


class ToyPlugin:
    """The hooks; each part is a method, so that a test can break one."""

    settings: type[Settings] = ToySettings

    @hookimpl
    def describe_channel(self) -> Channel:
        return self.describe()

    def describe(self, **more: Any) -> Channel:
        chosen = {
            "title": "Toy Shop",
            "settings": self.settings,
            "time_zone": "Asia/Kolkata",
            "unverified": ("There is no such panel.",),
            **more,
        }
        return Channel(**chosen)

    @hookimpl
    def fetch_orders(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[NewOrder]]:
        yield from self.orders(account, window, orders, panel)

    @hookimpl
    def fetch_dispatched(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        yield from self.changes(account, window, orders, panel, "LEFT")

    @hookimpl
    def fetch_delivered(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        yield from self.changes(account, window, orders, panel, "AT_DOOR")

    @hookimpl
    def fetch_cancelled(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        yield from self.changes(account, window, orders, panel, "CANCELLED")

    @hookimpl
    def fetch_returns(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        yield from self.changes(account, window, orders, panel, "LOST")
        yield from self.changes(account, window, orders, panel, "")

    @hookimpl
    def provides_shipping(self, account: Account, order: OrderRef) -> bool:
        return self.ships(order)

    def ships(self, order: OrderRef) -> bool:
        return order.facts.get("ships") != "seller"

    # The parts ----------------------------------------------------------------------------------

    def orders(
        self, account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[NewOrder]]:
        for answer in self.pages(account, panel, "/orders", self.question(window, orders)):
            yield Page(rows=[self.order(row, window) for row in rows(answer.rows, OrderRow)])

    def order(self, row: OrderRow | BadRow, window: Window) -> NewOrder:
        if isinstance(row, BadRow):
            return NewOrder(
                order_id="", placed_at=window.end, lines=(), raw=row.raw, problem=row.problem
            )
        lines = tuple(OrderLine(line_id=x.line, sku=x.sku, quantity=x.total) for x in row.lines)
        facts = {"ships": row.ships}
        return NewOrder(
            order_id=self.id(row.order), placed_at=self.moment(row.at), lines=lines, facts=facts
        )

    def changes(
        self,
        account: Account,
        window: Window,
        orders: Sequence[OrderRef],
        panel: Panel,
        word: str,
    ) -> Iterator[Page[StatusChange]]:
        path, shape = ("/parcels", Row) if word else ("/returns", BackRow)
        asked = self.question(window, orders)
        if word and not orders:
            asked["word"] = word
        for answer in self.pages(account, panel, path, asked):
            yield self.page(self.told(answer, shape, word, window), window)

    def page(self, told: list[StatusChange], window: Window) -> Any:
        return Page(rows=told)

    def told(self, answer: Answer, shape: Any, word: str, window: Window) -> list[StatusChange]:
        told = []
        for row in rows(answer.rows, shape):
            if isinstance(row, BadRow):
                told += self.bad(row, window)
            elif not word or row.word == word or row.word not in WORDS:
                told += self.change(row, window)
        return told

    def bad(self, row: BadRow, window: Window) -> list[StatusChange]:
        return [
            StatusChange(
                order_id="",
                status=Status.UNKNOWN,
                native_status="",
                occurred_at=window.end,
                evidence_id=f"bad/{row.raw}",
                raw=row.raw,
                problem=row.problem,
            )
        ]

    def change(self, row: Row, window: Window) -> list[StatusChange]:
        known = row.word in WORDS
        return [
            StatusChange(
                order_id=self.id(row.order),
                line_id=row.line,
                sku=row.sku,
                status=self.status(row.word),
                native_status=row.word,
                occurred_at=self.moment(row.at),
                quantity=row.total,
                cumulative=not row.type,
                shipment_id=row.parcel,
                return_id=row.back,
                return_type=ReturnType(row.type) if row.type else None,
                facts={"ships": row.ships},
                evidence_id=self.evidence(row, window),
                raw="" if known else repr(row),
                problem="" if known else f"The word {row.word} is not known.",
            )
        ]

    def status(self, word: str) -> Status:
        return WORDS.get(word, Status.UNKNOWN)

    def evidence(self, row: Row, window: Window) -> str:
        return f"{row.parcel}/{row.line}/{row.word}/{row.back}/{row.total}"

    def id(self, text: str) -> str:
        return text

    def moment(self, text: str) -> datetime:
        return datetime.strptime(text, FORM).replace(tzinfo=IST)

    # The calls ----------------------------------------------------------------------------------

    def question(self, window: Window, orders: Sequence[OrderRef]) -> dict[str, str]:
        if orders:
            return {"orders": ",".join(order.order_id for order in orders)}
        end = window.end + timedelta(seconds=1 if window.end.microsecond else 0)
        return {"from": _text(window.start), "to": _text(end)}

    def pages(
        self, account: Account, panel: Panel, path: str, asked: dict[str, str]
    ) -> Iterator[Answer]:
        asked = {**asked, "size": str(account.settings.size)}
        links = Links()
        answer = self.first(account, panel, path, asked)
        yield answer
        while link := self.next(links, answer):
            answer = self.follow(account, panel, link, path)
            yield answer

    def first(self, account: Account, panel: Panel, path: str, asked: dict[str, str]) -> Answer:
        authorise = self.authorise(account)
        if path == "/orders":
            return panel.post(path, shape=Answer, params=asked, authorise=authorise, reads=True)
        return panel.get(path, shape=Answer, params=asked, authorise=authorise)

    def next(self, links: Links, answer: Answer) -> str | None:
        return links.next(answer.more, answer.next)

    def follow(self, account: Account, panel: Panel, link: str, path: str) -> Answer:
        return panel.follow(link, shape=Answer, authorise=self.authorise(account))

    def authorise(self, account: Account) -> Any:
        def authorise(panel: Panel, old: Token | None) -> Token:
            params = {
                "seller": account.settings.seller,
                "password": account.settings.password.get_secret_value(),
            }
            answer = panel.get("/token", shape=Tokens, params=params)
            if not answer.token:
                raise PanelAnswer("The panel gave an empty token.")
            return panel.new_token(answer.token, expires_in=answer.life)

        return authorise
