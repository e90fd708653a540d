"""The Orders APIs of the pretend Amazon, and Easy Ship's package, over a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from syncd.testing import FaultScript, Order, Problem, Reply, Request, json_reply
from syncd_amazon import statuses
from syncd_amazon.asking import ORDER_ID
from syncd_amazon.settings import INDIA
from syncd_amazon.simulator_gate import Caller, error_reply
from syncd_amazon.simulator_query import Routes, faulty, listed, moment, page, resumed, sold_in
from syncd_amazon.simulator_rows import Rows
from syncd_amazon.simulator_rows_v0 import OldRows
from syncd_amazon.simulator_states import OLD_STATUS, iso
from syncd_amazon.simulator_tokens import ADDRESS, BUYER, of_buyer

NEW: Final = "/orders/2026-01-01/orders"
OLD: Final = "/orders/v0/orders"
EASY: Final = "/easyShip/2022-03-23/package"
STATUSES: Final = frozenset(OLD_STATUS)
INCLUDED: Final = frozenset(
    {"BUYER", "RECIPIENT", "PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT",
     "PACKAGES", "TAX", "PAYMENT", "FULFILLMENT_ORDERS"}
)  # fmt: skip
OLD_STATUSES: Final = frozenset({*OLD_STATUS.values(), "InvoiceUnconfirmed"})
EASY_STATES: Final = frozenset(word.native for word in statuses.EASY_SHIP_WORDS)
NEWEST: Final = timedelta(minutes=2)
_OF_A_PAGE: Final = frozenset(
    {"NextToken", "paginationToken", "MaxResultsPerPage", "maxResultsPerPage", "includedData"}
)
Chooser = Callable[[Mapping[str, str], str], list[Order]]
EVER: Final = datetime.max.replace(tzinfo=UTC)


class OrdersApi:
    """Answers both versions. ``with_v0`` and ``with_easy_ship`` off take those APIs away."""

    def __init__(self, rows: Rows, faults: FaultScript) -> None:
        self.world = rows.world
        self.rows = rows
        self.old_rows = OldRows(rows)
        self.with_v0 = self.with_easy_ship = True
        self._faults = faults
        self._last: tuple[object, list[Order]] = (None, [])

    def routes(self) -> Routes:
        """What is answered here."""
        return [
            ("GET", NEW, "searchOrders", self.search),
            ("GET", f"{NEW}/*", "getOrder", self.order),
            ("GET", OLD, "getOrders", self.old),
            ("GET", f"{OLD}/*", "getOrder", self.old_order),
            ("GET", f"{OLD}/*/orderItems", "getOrderItems", self.old_items),
            ("GET", f"{OLD}/*/address", "getOrderAddress", self.address),
            ("GET", f"{OLD}/*/buyerInfo", "getOrderBuyerInfo", self.buyer),
            ("GET", f"{OLD}/*/orderItems/buyerInfo", "getOrderItemsBuyerInfo", self.item_buyers),
            ("GET", EASY, "getScheduledPackage", self.package),
        ]

    def mine(self, caller: Caller, order_id: str) -> Order:
        """The caller's order; a Problem with 404 where there is none."""
        order = self.world.orders.get(order_id)
        if order is None or order.seller_id != caller.seller_id:
            raise Problem(error_reply(404, f"no order {order_id}"))
        return order

    # Which orders -------------------------------------------------------------------------------

    def _found(self, query: Mapping[str, str], seller_id: str, old: bool) -> list[Order]:
        """The seller's orders of the query's span, by their last change or creation."""
        names = ("lastUpdatedAfter", "lastUpdatedBefore", "createdAfter", "createdBefore")
        if old:
            names = tuple(one[0].upper() + one[1:] for one in names)  # type: ignore[assignment]
        after, before, since, until = (moment(query, name) for name in names)
        if old and query.get("AmazonOrderIds"):
            return self._named(query, seller_id)
        if (after is None) == (since is None):
            raise Problem(error_reply(400, f"give exactly one of {names[0]} and {names[2]}"))
        if (after is None and before is not None) or (since is None and until is not None):
            raise Problem(error_reply(400, "an end goes with the start of its kind"))
        now = self.world.clock.now()
        latest = now - timedelta(seconds=self._faults.lag_seconds)
        for name, start, end in ((names[1], after, before), (names[3], since, until)):
            if end is not None and end > now - NEWEST:
                raise Problem(error_reply(400, f"{name} must be two minutes before now or earlier"))
            if end is not None and start is not None and end < start:
                raise Problem(error_reply(400, f"{name} is before its start"))
        if since is not None:
            end = min(latest, until or EVER)
            orders = (one for one in self.world.orders.values() if one.seller_id == seller_id)
            keyed = [(one.placed_at, one) for one in orders if since <= one.placed_at <= end]
        else:
            start, end = after or now - NEWEST, min(latest, before or EVER)
            stamped = ((_second(self.rows.updated(o)), o) for o in self._touched(start, seller_id))
            keyed = [(at, order) for at, order in stamped if start <= at <= end]
        keyed.sort(key=lambda pair: (pair[0], pair[1].order_id))
        return [order for _, order in keyed]

    def _named(self, query: Mapping[str, str], seller_id: str) -> list[Order]:
        wanted = [one for one in query["AmazonOrderIds"].split(",") if one]
        if len(wanted) > 50:
            raise Problem(error_reply(400, "AmazonOrderIds: at most 50"))
        for one in wanted:
            _checked(one)
        found = (self.world.orders.get(one) for one in wanted)
        return [one for one in found if one is not None and one.seller_id == seller_id]

    def _touched(self, start: datetime, seller_id: str) -> list[Order]:
        """The seller's orders of which something changed since ``start``, and perhaps more."""
        world, since = self.world, int(start.timestamp()) * 1_000_000
        names = [world.parcels[one].order_id for one in world.parcels_by_time.between(since, None)]
        names += [world.returns[one].order_id for one in world.returns_by_time.between(since, None)]
        orders = (world.orders[one] for one in dict.fromkeys(names))
        return [order for order in orders if order.seller_id == seller_id]

    def _once(self, choose: Chooser, query: Mapping[str, str], seller_id: str) -> list[Order]:
        """The orders of a query, chosen anew for its next page only where something changed."""
        asked = frozenset((k, v) for k, v in query.items() if k not in _OF_A_PAGE)
        now, lag = self.world.clock.now(), self._faults.lag_seconds
        moves = lag or not any(name.lower().endswith("before") for name in query)
        key = (choose.__name__, asked, seller_id, self.world.version, now if moves else None)
        if self._last[0] != key:
            self._last = key, choose(query, seller_id)
        return self._last[1]

    def _wanted(self, query: Mapping[str, str], seller_id: str) -> list[Order]:
        orders = self._found(query, seller_id, old=False)
        wanted = listed(query, "fulfillmentStatuses", STATUSES)
        by = listed(query, "fulfilledBy", {"MERCHANT", "AMAZON"})
        if not sold_in(query, "marketplaceIds"):
            orders = []
        return [
            one
            for one in orders
            if (not wanted or self.rows.status(one) in wanted)
            and (not by or ("AMAZON" if self.rows.amazon_fulfils(one) else "MERCHANT") in by)
        ]

    def _wanted_v0(self, query: Mapping[str, str], seller_id: str) -> list[Order]:
        sold = sold_in(query, "MarketplaceIds", needed=True)
        orders = self._found(query, seller_id, old=True) if sold else []
        wanted = listed(query, "OrderStatuses", OLD_STATUSES)
        if "Unshipped" in wanted:
            wanted |= {"PartiallyShipped"}
        filters: list[tuple[set[str], Callable[[Order], str]]] = [
            (wanted, self.old_rows.status),
            (listed(query, "FulfillmentChannels", {"AFN", "MFN"}), self.old_rows.channel),
            (listed(query, "EasyShipShipmentStatuses", EASY_STATES), self.old_rows.easy_state),
            (listed(query, "PaymentMethods", {"COD", "CVS", "Other"}), lambda _: "Other"),
        ]
        for words, word_of in filters:
            if words:
                orders = [one for one in orders if word_of(one) in words]
        return orders

    # 2026-01-01 ---------------------------------------------------------------------------------

    def search(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """searchOrders."""
        query = request.query = resumed(request, "paginationToken")
        orders = self._once(self._wanted, query, caller.seller_id)
        some, token = page(
            query, orders, "maxResultsPerPage", "paginationToken", ring=request.asks("ring")
        )
        return self.search_page(request, some, token)

    def search_page(self, request: Request, orders: Sequence[Order], token: str) -> Reply:
        """A page of searchOrders."""
        query = request.query
        included = listed(query, "includedData", INCLUDED)
        rows = [self.rows.new(one, included) for one in orders]
        answer: dict[str, Any] = {"orders": faulty(request, rows)}
        if token:
            answer["pagination"] = {"nextToken": token}
        ending = "createdBefore" if "createdAfter" in query else "lastUpdatedBefore"
        answer[ending] = query.get(ending) or iso(self.world.clock.now() - NEWEST)
        return json_reply(answer)

    def order(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrder of 2026-01-01."""
        _checked(found[0])
        order = self.mine(caller, found[0])
        included = listed(request.query, "includedData", INCLUDED)
        row = faulty(request, [self.rows.new(order, included)])
        return json_reply({"order": row[0] if row else {}})

    # v0 -----------------------------------------------------------------------------------------

    def _needs_v0(self) -> None:
        if not self.with_v0:
            raise Problem(error_reply(404, "this version is no more"))

    def old(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrders."""
        self._needs_v0()
        query = request.query = resumed(request, "NextToken")
        orders = self._once(self._wanted_v0, query, caller.seller_id)
        some, token = page(
            query, orders, "MaxResultsPerPage", "NextToken", ring=request.asks("ring")
        )
        return self.old_page(caller, request, some, token)

    def old_page(
        self, caller: Caller, request: Request, orders: Sequence[Order], token: str
    ) -> Reply:
        """A page of getOrders."""
        rows = [self.old_rows.order(one) | of_buyer(caller) for one in orders]
        payload: dict[str, Any] = {"Orders": faulty(request, rows)}
        if token:
            payload["NextToken"] = token
        query = request.query
        ending = "CreatedBefore" if "CreatedAfter" in query else "LastUpdatedBefore"
        payload[ending] = query.get(ending) or iso(self.world.clock.now() - NEWEST)
        return json_reply({"payload": payload})

    def old_order(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrder of v0."""
        self._needs_v0()
        row = self.old_rows.order(self.mine(caller, found[0]))
        return json_reply({"payload": row | of_buyer(caller)})

    def old_items(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrderItems."""
        self._needs_v0()
        order = self.mine(caller, found[0])
        payload = {"AmazonOrderId": order.order_id, "OrderItems": self.old_rows.items(order)}
        return json_reply({"payload": payload})

    def address(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrderAddress, for the bearer of a restricted data token."""
        return self._of_buyer(caller, "address", found[0], {"ShippingAddress": dict(ADDRESS)})

    def buyer(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrderBuyerInfo, for the bearer of a restricted data token."""
        return self._of_buyer(caller, "buyerInfo", found[0], dict(BUYER))

    def item_buyers(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getOrderItemsBuyerInfo, for the bearer of a restricted data token."""
        order = self.mine(caller, found[0])
        items = [{"OrderItemId": line.line_id, "GiftMessageText": ""} for line in order.lines]
        return self._of_buyer(caller, "buyerInfo", found[0], {"OrderItems": items})

    def _of_buyer(
        self, caller: Caller, element: str, order_id: str, more: Mapping[str, Any]
    ) -> Reply:
        self._needs_v0()
        if element not in caller.elements:
            raise Problem(error_reply(403, "A restricted data token is needed for this resource."))
        order = self.mine(caller, order_id)
        return json_reply({"payload": {"AmazonOrderId": order.order_id, **more}})

    # Easy Ship ----------------------------------------------------------------------------------

    def package(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getScheduledPackage: there is none before a pickup is booked."""
        if not self.with_easy_ship:
            raise Problem(error_reply(403, "the role is missing"))
        query = request.query
        if not query.get("amazonOrderId"):
            raise Problem(error_reply(400, "amazonOrderId is required"))
        order = self.world.orders.get(query["amazonOrderId"])
        mine = order is not None and order.seller_id == caller.seller_id
        if order is None or not mine or not self.rows.easy_ship(order):
            raise Problem(_no_package())
        if not query.get("marketplaceId"):
            raise Problem(error_reply(400, "marketplaceId is required"))
        if query["marketplaceId"] != INDIA or self.rows.order_state(order) == "PendingSchedule":
            raise Problem(_no_package())
        return json_reply(self.old_rows.package(order))


def _checked(order_id: str) -> None:
    if not ORDER_ID.fullmatch(order_id):
        raise Problem(error_reply(400, f"{order_id} is no order id"))


def _no_package() -> Reply:
    return error_reply(400, "there is no such order or package here", "ResourceNotFound")


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
