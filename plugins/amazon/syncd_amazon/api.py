"""The calls to Amazon's Selling Partner API, and the shapes of its answers.

Shapes name only what is read; none reads a buyer's name, address or phone. Lists of rows stay
raw until each row is checked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta, Raw, Struct, field

from syncd import Links, Panel, Token, Window
from syncd.errors import PanelAnswer, PanelGone, PanelRefused
from syncd.shapes import BadRow, rows
from syncd_amazon.settings import AmazonSettings

TOKEN_PATH: Final = "/auth/o2/token"
SEARCH_PATH: Final = "/orders/2026-01-01/orders"
V0_PATH: Final = "/orders/v0/orders"
EASY_SHIP_PATH: Final = "/easyShip/2022-03-23/package"
RETURNS_PATH: Final = "/externalFulfillment/2024-09-11/returns"

TOKEN_HEADER: Final = "x-amz-access-token"
INCLUDED: Final = "CANCELLATION,FULFILLMENT,PACKAGES,FULFILLMENT_ORDERS"
IDS_PER_CALL: Final = 50
# The panel refuses a window that ends less than two minutes before its own now.
NEWEST: Final = timedelta(minutes=2, seconds=5)

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0, le=10_000)]


class TokenAnswer(Struct):
    """The answer of Login with Amazon; ``expires_in`` in seconds."""

    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: Annotated[int, Meta(gt=0)]
    refresh_token: str = ""


# --- Orders 2026-01-01 ----------------------------------------------------------------------


class Pagination(Struct, rename="camel"):
    """Where the next page is."""

    next_token: str | None = None


class SearchPage(Struct):
    """One page of searchOrders."""

    orders: Raw
    pagination: Pagination | None = None


class OneOrder(Struct):
    """The answer of getOrder."""

    order: Raw


class Product(Struct, rename="camel"):
    """What was ordered."""

    seller_sku: str | None = None
    asin: str | None = None
    title: str | None = None


class ItemFulfillment(Struct, rename="camel"):
    """How many pieces of a line have left, and how many are still to leave."""

    quantity_fulfilled: Count = 0
    quantity_unfulfilled: Count = 0


class CancelRequest(Struct, rename="camel"):
    """A wish to cancel, which is no cancellation."""

    requester: str | None = None
    cancel_reason: str | None = None


class CancelExecution(Struct, rename="camel"):
    """A cancellation."""

    cancelled_by: str | None = None
    cancel_reason: str | None = None


class ItemCancellation(Struct, rename="camel"):
    """What is known of cancelling a line."""

    cancellation_request: CancelRequest | None = None
    cancellation_execution: CancelExecution | None = None


class AssociatedItem(Struct, rename="camel"):
    """A line or order that this one goes back to."""

    order_id: str = ""
    association_type: str = ""


class Item26(Struct, rename="camel"):
    """One line of an order."""

    order_item_id: Id
    quantity_ordered: Count
    product: Product
    fulfillment: ItemFulfillment | None = None
    cancellation: ItemCancellation | None = None


class PackageItem(Struct, rename="camel"):
    """So many pieces of a line in a package."""

    order_item_id: Id
    quantity: Count


class PackageStatus(Struct, rename="camel"):
    """How far a package is; the detailed word is often missing in production."""

    status: str = ""
    detailed_status: str | None = None


class Package(Struct, rename="camel"):
    """A parcel of a merchant-fulfilled order."""

    package_reference_id: Id
    package_status: PackageStatus | None = None
    carrier: str | None = None
    ship_time: Moment | None = None
    tracking_number: str | None = None
    package_items: list[PackageItem] = []


class Fulfillment(Struct, rename="camel"):
    """Where an order stands, and who fulfils it."""

    fulfillment_status: str
    fulfilled_by: str | None = None
    fulfillment_service_level: str | None = None


class FulfillmentOrder(Struct, rename="camel"):
    """Only Easy Ship orders have one."""

    fulfillment_order_id: str = ""


class Order26(Struct, rename="camel"):
    """An order of the version 2026-01-01."""

    order_id: Id
    created_time: Moment
    last_updated_time: Moment
    order_items: list[Item26]
    fulfillment: Fulfillment
    programs: list[str] = []
    packages: list[Package] = []
    fulfillment_orders: list[FulfillmentOrder] = []
    associated_orders: list[AssociatedItem] = []


# --- Orders v0 ------------------------------------------------------------------------------


class Order0(Struct, rename="pascal"):
    """An order of the version v0."""

    amazon_order_id: Id
    purchase_date: Moment
    last_update_date: Moment
    order_status: str
    fulfillment_channel: str | None = None
    ship_service_level: str | None = None
    easy_ship_shipment_status: str | None = None
    number_of_items_unshipped: Count | None = None
    is_prime: bool | None = None
    is_replacement_order: bool | str | None = None
    replaced_order_id: str | None = None


class OrdersPayload(Struct, rename="pascal"):
    """One page of getOrders."""

    orders: Raw
    next_token: str | None = None


class OrdersAnswer(Struct):
    """The envelope of getOrders."""

    payload: OrdersPayload


class BuyerCancel(Struct, rename="pascal"):
    """A buyer's wish; the flag is a text."""

    is_buyer_requested_cancel: str | bool | None = None
    buyer_cancel_reason: str | None = None


class Item0(Struct, rename="pascal"):
    """One line of an order of v0."""

    order_item_id: Id
    quantity_ordered: Count
    seller_sku: str | None = field(default=None, name="SellerSKU")
    asin: str | None = field(default=None, name="ASIN")
    title: str | None = None
    quantity_shipped: Count = 0
    buyer_requested_cancel: BuyerCancel | None = None


class ItemsPayload(Struct, rename="pascal"):
    """One page of getOrderItems."""

    order_items: list[Item0]
    next_token: str | None = None


class ItemsAnswer(Struct):
    """The envelope of getOrderItems."""

    payload: ItemsPayload


# --- Easy Ship and External Fulfillment -----------------------------------------------------


class EasyShipPackage(Struct, rename="camel"):
    """What the Easy Ship API knows of an order's parcel."""

    package_status: str | None = None


class Tracking(Struct, rename="camel"):
    """A carrier and its number."""

    carrier_name: str = ""
    tracking_id: str = ""


class ReturnShipping(Struct, rename="camel"):
    """How a return travels."""

    delivery_date_time: Moment | None = None
    reverse_tracking_info: Tracking | None = None


class ReturnMetadata(Struct, rename="camel"):
    """Why it comes back, and under which number."""

    return_reason: str = ""
    rma_id: str = ""


class ReturnChannel(Struct, rename="camel"):
    """Which order of the marketplace it belongs to."""

    customer_order_id: str = ""
    channel_sku: str = ""


class ExternalReturn(Struct, rename="camel"):
    """One return of the External Fulfillment Returns API."""

    id: Id
    return_type: str
    status: str
    last_updated_date_time: Moment
    merchant_sku: str = ""
    number_of_units: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    fulfillment_location_id: str = ""
    return_metadata: ReturnMetadata | None = None
    return_shipping_info: ReturnShipping | None = None
    marketplace_channel_details: ReturnChannel | None = None


class ReturnsPage(Struct, rename="camel"):
    """One page of listReturns; it may be empty and yet not the last."""

    returns: Raw = Raw()
    next_token: str | None = None


class Amazon:
    """One account's calls."""

    def __init__(self, panel: Panel, settings: AmazonSettings) -> None:
        self.panel = panel
        self.settings = settings
        self._authorise = authorise_with(settings)

    def calling(self, operation: str) -> dict[str, Any]:
        """What every call of this operation carries: the token, and its own pace."""
        pace = operation if self.settings.pace == "documented" else "unlimited"
        return {"authorise": self._authorise, "pace": pace}

    def span(self, window: Window) -> tuple[str, str] | None:
        """The window in whole seconds, never wider than the panel takes; None if nothing is left.

        Both ends are taken as inclusive by the panel: what it gives more is harmless.
        """
        newest = self.panel.server_now() - NEWEST
        end = window.end
        if end.microsecond:
            end = end.replace(microsecond=0) + timedelta(seconds=1)
        end = min(end, newest)
        return (stamp(window.start), stamp(end)) if window.start < end else None

    def search(self, window: Window, **wanted: str) -> Iterator[Raw]:
        """searchOrders by last change; yields each page's list of orders."""
        span = self.span(window)
        if span is None:
            return
        params: dict[str, Any] = {
            "marketplaceIds": ",".join(self.settings.marketplace_ids),
            "lastUpdatedAfter": span[0],
            "lastUpdatedBefore": span[1],
            "maxResultsPerPage": self.settings.page_size,
            "includedData": INCLUDED,
            **wanted,
        }
        links = Links()
        while True:
            page = self.panel.get(
                SEARCH_PATH, shape=SearchPage, params=params, **self.calling("searchOrders")
            )
            yield page.orders
            token = page.pagination.next_token if page.pagination else None
            if not token:
                return
            links.fresh(token)
            params["paginationToken"] = token

    def order(self, order_id: str) -> Raw | None:
        """getOrder; None where the panel does not have it."""
        try:
            return self.panel.get(
                f"{SEARCH_PATH}/{order_id}",
                shape=OneOrder,
                params={"includedData": INCLUDED},
                **self.calling("getOrder"),
            ).order
        except PanelGone:
            return None

    def search_v0(self, window: Window, **wanted: str) -> Iterator[Raw]:
        """getOrders by last change; yields each page's list of orders."""
        span = self.span(window)
        if span is not None:
            wanted |= {"LastUpdatedAfter": span[0], "LastUpdatedBefore": span[1]}
            yield from self._orders_v0(wanted)

    def by_ids_v0(self, order_ids: Sequence[str]) -> Iterator[Raw]:
        """getOrders by AmazonOrderIds, 50 a call: it finds orders that a search leaves out."""
        for start in range(0, len(order_ids), IDS_PER_CALL):
            ids = ",".join(order_ids[start : start + IDS_PER_CALL])
            yield from self._orders_v0({"AmazonOrderIds": ids})

    def _orders_v0(self, wanted: Mapping[str, str]) -> Iterator[Raw]:
        params: dict[str, Any] = {
            "MarketplaceIds": ",".join(self.settings.marketplace_ids),
            "MaxResultsPerPage": self.settings.page_size,
            **wanted,
        }
        links = Links()
        while True:
            page = self.panel.get(
                V0_PATH, shape=OrdersAnswer, params=params, **self.calling("getOrders")
            ).payload
            yield page.orders
            if not page.next_token:
                return
            links.fresh(page.next_token)
            params["NextToken"] = page.next_token

    def items_v0(self, order_id: str) -> list[Item0]:
        """getOrderItems, all pages."""
        found: list[Item0] = []
        params: dict[str, str] = {}
        links = Links()
        while True:
            page = self.panel.get(
                f"{V0_PATH}/{order_id}/orderItems",
                shape=ItemsAnswer,
                params=params,
                **self.calling("getOrderItems"),
            ).payload
            found += page.order_items
            if not page.next_token:
                return found
            links.fresh(page.next_token)
            params["NextToken"] = page.next_token

    def easy_ship_states(self, order_ids: Sequence[str]) -> dict[str, str]:
        """The Easy Ship state of these orders, from the second source and then the third.

        Orders of which neither says anything are left out; so is everything where the account
        lacks the role, or where v0 is no more.
        """
        found: dict[str, str] = {}
        if self.settings.v0_states and self.settings.orders_api != "v0":
            try:
                for raw in self.by_ids_v0(order_ids):
                    for order in rows(raw, Order0):
                        if not isinstance(order, BadRow) and order.easy_ship_shipment_status:
                            found[order.amazon_order_id] = order.easy_ship_shipment_status
            except (PanelGone, PanelRefused, PanelAnswer) as error:
                _only_silence(error)
        if self.settings.easy_ship:
            for order_id in order_ids:
                if order_id not in found:
                    state = self._easy_ship_state(order_id)
                    if state:
                        found[order_id] = state
        return found

    def _easy_ship_state(self, order_id: str) -> str:
        params = {"amazonOrderId": order_id, "marketplaceId": self.settings.marketplace_ids[0]}
        try:
            found = self.panel.get(
                EASY_SHIP_PATH,
                shape=EasyShipPackage,
                params=params,
                **self.calling("getScheduledPackage"),
            )
        except (PanelGone, PanelRefused, PanelAnswer) as error:
            _only_silence(error)
            return ""
        return found.package_status or ""

    def returns(self, **wanted: str) -> Iterator[Raw]:
        """listReturns; yields each page's list."""
        params: dict[str, Any] = {"maxResults": 100, **wanted}
        links = Links()
        while True:
            page = self.panel.get(
                RETURNS_PATH, shape=ReturnsPage, params=params, **self.calling("listReturns")
            )
            yield page.returns
            if not page.next_token:
                return
            links.fresh(page.next_token)
            params["nextToken"] = page.next_token


def _only_silence(error: PanelGone | PanelRefused | PanelAnswer) -> None:
    """Let through what says more than «this source does not know»: dead credentials for one."""
    if isinstance(error, PanelGone) or error.code in ("call_forbidden", "panel_status_400"):
        return
    raise error


def stamp(moment: datetime) -> str:
    """A time in whole seconds as the panel takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def authorise_with(settings: AmazonSettings) -> Callable[[Panel, Token | None], Token]:
    """The way of this account to a new access token."""

    def authorise(panel: Panel, old: Token | None) -> Token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": settings.refresh_token.get_secret_value(),
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        try:
            answer = panel.post(settings.lwa_url + TOKEN_PATH, shape=TokenAnswer, form=form)
        except PanelRefused as error:
            raise PanelRefused(
                f"{error} Check client_id, client_secret (Amazon makes secrets expire) and "
                "refresh_token of this account; a new refresh token comes from Seller Central, "
                "Apps and Services, Develop Apps, Authorise."
            ) from None
        return panel.new_token(
            answer.access_token, expires_in=answer.expires_in, header=TOKEN_HEADER
        )

    return authorise
