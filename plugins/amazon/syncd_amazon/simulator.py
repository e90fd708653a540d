"""A pretend Amazon: Login with Amazon and the Selling Partner API over a world of the kit.

As a library: ``with AmazonSimulator(world) as panel: ...``; as a program ``syncd simulate amazon``.

It serves both Orders APIs, Easy Ship's package, reports with their documents, External Fulfillment
returns, restricted data tokens and the seller's marketplaces; what the official static sandbox is
asked by name is answered as there. It takes query keys that it does not know, lists in either
form, and any Host header, as the real one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

from syncd.testing import (
    BadRequest,
    Clock,
    FaultScript,
    Problem,
    Reply,
    Request,
    Simulator,
    SystemClock,
    World,
    json_reply,
)
from syncd_amazon.settings import INDIA
from syncd_amazon.simulator_gate import Caller, Gate, error_reply, marked
from syncd_amazon.simulator_orders import OrdersApi
from syncd_amazon.simulator_query import Handler, Routes, matched, with_lists
from syncd_amazon.simulator_reports import STORE, Reports
from syncd_amazon.simulator_returns import Returns
from syncd_amazon.simulator_rows import Rows
from syncd_amazon.simulator_sandbox import Sandbox
from syncd_amazon.simulator_states import AmazonIds
from syncd_amazon.simulator_tokens import restricted_token

TOKEN: Final = "/auth/o2/token"
RESTRICTED: Final = "/tokens/2021-03-01/restrictedDataToken"
SELLERS: Final = "/sellers/v1/marketplaceParticipations"


def new_world(clock: Clock, *, seed: int = 0) -> World:
    """A world whose ids have the forms of this panel."""
    ids = AmazonIds(seed)
    seller = f"A{ids.digits('seller', 1, 12)}"
    return World(clock, ids=ids, seller_id=seller, location_id="warehouse-1")


class AmazonSimulator(Simulator):
    """The panel of every seller of a world. ``limits`` on: the documented rates hold, beyond them
    it answers 429. ``with_easy_ship`` and ``with_v0`` off take those APIs away.
    """

    channel = "amazon"
    secret_params = Simulator.secret_params | {"client_secret"}

    def __init__(
        self,
        world: World | None = None,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
        *,
        port: int = 0,
        limits: bool = False,
        detailed: bool = True,
        each_piece: bool = False,
        report_seconds: float = 0.0,
        rto_in_reports: bool = False,
        with_v0: bool = True,
        with_easy_ship: bool = True,
        token_life: timedelta = timedelta(hours=1),
    ) -> None:
        clock = clock or (world.clock if world else SystemClock())
        super().__init__(world or new_world(clock), clock, faults, port=port)
        self.rows = Rows(self.world, detailed=detailed, each_piece=each_piece)
        self.orders = OrdersApi(self.rows, self.faults)
        self.orders.with_v0, self.orders.with_easy_ship = with_v0, with_easy_ship
        self.reports = Reports(self.rows, self.url, seconds=report_seconds, rto=rto_in_reports)
        self.returns = Returns(self.world)
        self.gate = Gate(self.world, clock, token_life=token_life, limits=limits)
        self._sandbox = Sandbox()
        self._routes: Routes = [
            *self.orders.routes(),
            *self.reports.routes(),
            *self.returns.routes(),
            ("POST", RESTRICTED, "createRestrictedDataToken", self._restricted),
            ("GET", SELLERS, "getMarketplaceParticipations", self._participations),
        ]

    @classmethod
    def new_world(cls, clock: Clock, *, seed: int = 0) -> World:
        """A world whose ids have the forms of this panel."""
        return new_world(clock, seed=seed)

    def settings(self, seller_id: str = "") -> Mapping[str, Any]:
        """An account of this seller."""
        seller_id = seller_id or next(iter(self.world.sellers))
        refresh = f"Atzr|simulated-{seller_id}"
        self.gate.refresh_tokens[refresh] = seller_id
        return {
            "base_url": self.url,
            "lwa_url": self.url,
            "client_id": self.gate.client_id,
            "client_secret": self.gate.client_secret,
            "refresh_token": refresh,
            "seller_id": seller_id,
            "pace": "unlimited",
            "report_poll": 1.0,
            # The real words of reports are not public.
            "return_types": {"C-Returns": "CIR", "Rejected": "RTO"},
            "return_statuses": {
                "Approved": "RETURN_NOTICED",
                "Cancelled": "RETURN_WITHDRAWN",
                "Denied": "RETURN_WITHDRAWN",
            },
        }

    def error(self, status: int, message: str) -> Reply:
        """An error in the panel's form."""
        return marked(error_reply(status, message), "")

    def expire_tokens(self) -> None:
        """Let every access token die."""
        self.gate.expire()

    def page_family(self, request: Request) -> str:
        return request.path

    def answer(self, request: Request) -> Reply:
        """Route one request; all but tokens and documents need an access token."""
        with self.world.lock:
            path = unquote(request.path)
            if path == TOKEN and request.method == "POST":
                return self.gate.token(request)
            if path.startswith(STORE):
                return self.reports.stored(path)
            for method, pattern, operation, handle in self._routes:
                found = matched(pattern, path)
                if found is not None and method == request.method:
                    reply = self._called(pattern, request, operation, handle, found)
                    return marked(reply, operation)
            self.gate.caller(request, path)
            raise Problem(self.error(404, f"no such path: {path}"))

    def _called(
        self, route: str, request: Request, operation: str, handle: Handler, found: Sequence[str]
    ) -> Reply:
        try:
            caller = self.gate.caller(request, unquote(request.path))
            request = with_lists(request)
            sandboxed = self._sandbox.answer(route, request, found)
            if sandboxed is not None:
                return sandboxed
            self.gate.spend(caller.seller_id, operation)
            return handle(caller, request, found)
        except Problem as problem:
            return problem.reply
        except BadRequest as error:
            return error_reply(400, str(error))

    # Calls that are about no order ----------------------------------------------------------------

    def _restricted(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        return restricted_token(self.gate, caller, request)

    def _participations(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        marketplace = {
            "id": INDIA,
            "name": "Amazon.in",
            "countryCode": "IN",
            "defaultCurrencyCode": "INR",
            "defaultLanguageCode": "en_IN",
            "domainName": "www.amazon.in",
        }
        row = {
            "marketplace": marketplace,
            "participation": {"isParticipating": True, "hasSuspendedListings": False},
            "storeName": f"Store of {caller.seller_id}",
        }
        return json_reply({"payload": [row]})
