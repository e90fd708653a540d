"""A scripted Flipkart on a real loopback socket, rows to serve, and a real Panel to ask it."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import syncd_flipkart as plugin
from syncd import Account, OrderRef, Panel, StatusChange, Window
from syncd.clock import HandClock
from syncd.tokens import MemoryTokens

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=1), NOW)
APP = ("app-1", "canary-app-secret")


@dataclass
class Asked:
    """One request as it came over the wire."""

    method: str
    path: str
    params: dict[str, str]
    body: Any
    auth: str

    @property
    def filter(self) -> dict[str, Any]:
        return dict(self.body["filter"])


@dataclass
class Reply:
    """What goes back: a status and a JSON body."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Any]


class Script:
    """A Flipkart that answers what a test tells it to; every path has a harmless default."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.valid = {"token-1"}
        self.token: Answer = lambda asked: {
            "access_token": "token-1",
            "token_type": "bearer",
            "expires_in": 5_183_999,
            "scope": "Seller_Api",
        }
        self.search: Answer = lambda asked: page([])
        self.next: Answer = lambda asked: page([])
        self.by_ids: Answer = lambda asked: {"shipments": []}
        self.returns: Answer = lambda asked: {"hasMore": False, "returnItems": []}
        self.returns_next: Answer = self.returns
        self.url = ""

    def calls(self, path: str, method: str = "") -> list[Asked]:
        """The requests so far to a path."""
        return [one for one in self.asked if one.path == path and method in ("", one.method)]

    def answer(self, asked: Asked) -> Reply:
        """The scripted reply; 401 without a valid token."""
        self.asked.append(asked)
        if asked.path == "/oauth-service/oauth/token":
            return self._reply(self.token(asked))
        if asked.auth.removeprefix("Bearer ") not in self.valid:
            return Reply({"error": "invalid_token", "error_description": "expired"}, 401)
        found = {
            ("POST", "/sellers/v3/shipments/filter"): self.search,
            ("GET", "/sellers/v3/shipments/filter"): self.next,
            ("GET", "/sellers/v3/shipments"): self.by_ids,
            ("GET", "/sellers/v2/returns"): self.returns,
        }.get((asked.method, asked.path))
        if found is None and asked.path.startswith("/sellers/v2/returns/search/"):
            found = self.returns_next
        return self._reply(found(asked)) if found else Reply({"error": "no such path"}, 404)

    @staticmethod
    def _reply(body: Any) -> Reply:
        return body if isinstance(body, Reply) else Reply(body)


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body leave together

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(size)
            parts = urlsplit(self.path)
            params = {name: values[0] for name, values in parse_qs(parts.query).items()}
            auth = self.headers.get("Authorization", "")
            body = json.loads(sent) if sent else None
            reply = script.answer(Asked(self.command, parts.path, params, body, auth))
            data = json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests print nothing."""

    return Handler


def basic(user: str, password: str) -> str:
    """The Basic header of a user."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def page(shipments: Sequence[Mapping[str, Any]], link: str | None = None) -> dict[str, Any]:
    """One page of a search; with a link there are more."""
    return {"hasMore": link is not None, "nextPageUrl": link, "shipments": list(shipments)}


def returns_page(items: Sequence[Mapping[str, Any]], link: str | None = None) -> dict[str, Any]:
    """One page of returns."""
    return {"hasMore": link is not None, "nextUrl": link, "returnItems": list(items)}


def line(n: int = 1, status: str = "SHIPPED", **more: Any) -> dict[str, Any]:
    """An order item as the panel writes it; a field set to ``...`` is left out."""
    fields = {
        "orderItemId": f"77000000000000{n:03d}",
        "orderId": f"OD77000000000000{n:03d}",
        "orderDate": "2026-11-19T10:00:00.000+05:30",
        "status": status,
        "quantity": 1.0,
        "sku": f"SKU-{n}",
        "title": "A thing",
        "serviceProfile": "Seller_Fulfilment",
        "is_replacement": False,
        "priceComponents": {"sellingPrice": 10.0},
        "packageIds": ["PKG1"],
        **more,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def shipment(*lines: Mapping[str, Any], n: int = 1, **more: Any) -> dict[str, Any]:
    """A shipment as the panel writes it."""
    fields = {
        "shipmentId": f"00000000-0000-4000-9000-{n:012d}",
        "updatedAt": "2026-11-20T17:00:00.000+05:30",
        "dispatchByDate": "2026-11-21T16:00:00.000+05:30",
        "locationId": "LOC1",
        "hold": False,
        "mps": False,
        "subShipments": [{"subShipmentId": "SS-1", "packages": []}],
        "forms": [],
        "shipmentType": "NORMAL",
        "orderItems": deepcopy(list(lines)),
        **more,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def returned(n: int = 1, status: str = "created", **more: Any) -> dict[str, Any]:
    """A return as the panel writes it, its stamps in two styles."""
    fields = {
        "returnId": f"9900000000000{n:03d}",
        "orderItemId": f"77000000000000{n:03d}",
        "orderId": f"OD77000000000000{n:03d}",
        "locationId": "LOC1",
        "quantity": 1,
        "orderDate": "2026-11-10T04:30:00.123Z",
        "createdDate": "2026-11-18T09:00:03+05:30",
        "updatedDate": "2026-11-20T17:05:00+05:30",
        "approvedOn": "",
        "status": status,
        "type": "courier_return",
        "courierName": "example-logistics",
        "trackingId": "BACK1",
        "shipmentId": "00000000-0000-4000-9000-0000000000ff",
        "reason": "ORDER_CANCELLED",
        "subReason": "",
        "serviceProfile": "NON_FBF",
        **more,
    }
    return {name: value for name, value in fields.items() if value is not ...}


class Seller:
    """One account at the scripted Flipkart, with a real Panel."""

    def __init__(self, script: Script, **settings: Any) -> None:
        self.script = script
        self.clock = HandClock(NOW)
        self.tokens = MemoryTokens()
        chosen = {
            "base_url": script.url,
            "app_id": APP[0],
            "app_secret": APP[1],
            "pace": "unlimited",
            **settings,
        }
        self.settings = plugin.FlipkartSettings(**chosen)
        self.account = Account(name="shop", channel="flipkart", settings=self.settings)
        self.panel = self.new_panel()

    def new_panel(self) -> Panel:
        """A panel as a fresh process would make it, over the same kept tokens."""
        return Panel(
            self.settings.base_url,
            account="shop",
            clock=self.clock,
            tokens=self.tokens,
            paces=plugin.PACES,
            jitter=lambda: 0.0,
        )

    def read(
        self, kind: str, orders: Sequence[OrderRef] = (), window: Window = WINDOW
    ) -> list[Any]:
        """All rows that a hook yields: "dispatched", "cancelled" ..."""
        return [row for one in self.pages(kind, orders, window) for row in one]

    def pages(
        self, kind: str, orders: Sequence[OrderRef] = (), window: Window = WINDOW
    ) -> Iterator[list[StatusChange]]:
        """The pages of a hook, one by one."""
        for one in getattr(plugin, f"fetch_{kind}")(self.account, window, orders, self.panel):
            assert one.complete_until is None
            yield list(one.rows)


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """What the tests build with; handed out so that no test module need be imported."""
    return SimpleNamespace(
        app=APP,
        reply=Reply,
        page=page,
        returns_page=returns_page,
        line=line,
        shipment=shipment,
        returned=returned,
        basic=basic,
        seller=Seller,
    )


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield script
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def seller(script: Script) -> Iterator[Seller]:
    seller = Seller(script)
    yield seller
    seller.panel.close()
