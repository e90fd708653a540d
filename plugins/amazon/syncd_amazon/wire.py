"""The shapes of the panel's answers: only what is read, and nothing of a buyer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct, field

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
