"""Restricted data tokens of the pretend Amazon, and what they open of a buyer: made-up data."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from syncd.testing import BadRequest, Problem, Reply, Request, json_reply
from syncd_amazon.simulator_gate import Caller, Gate, Resource
from syncd_amazon.simulator_query import matched

ORDERS: Final = "/orders/v0/orders"
NEED_ELEMENTS: Final = (ORDERS, f"{ORDERS}/*", f"{ORDERS}/*/orderItems")
RESTRICTED: Final = (
    *NEED_ELEMENTS,
    f"{ORDERS}/*/address",
    f"{ORDERS}/*/buyerInfo",
    f"{ORDERS}/*/orderItems/buyerInfo",
    "/reports/2021-06-30/documents/*",
)
ELEMENTS: Final = frozenset({"buyerInfo", "shippingAddress", "buyerTaxInformation"})
MOST: Final = 50
BUYER: Final = {"BuyerEmail": "simulated@buyers.example", "BuyerName": "Simulated Buyer"}
ADDRESS: Final = {
    "Name": "Simulated Buyer",
    "AddressLine1": "1 Example Street",
    "City": "Bengaluru",
    "StateOrRegion": "Karnataka",
    "PostalCode": "560001",
    "CountryCode": "IN",
}


class _Wanted(Struct, rename="camel"):
    method: str
    path: str
    data_elements: list[str] = []


class _Wish(Struct, rename="camel"):
    restricted_resources: list[_Wanted]
    target_application: str = ""


def restricted_token(gate: Gate, caller: Caller, request: Request) -> Reply:
    """createRestrictedDataToken: each resource must be a restricted one."""
    try:
        wanted = request.json(_Wish).restricted_resources
    except BadRequest as error:
        raise Problem(_refusal(str(error))) from None
    if not 1 <= len(wanted) <= MOST:
        raise Problem(_refusal(f"restrictedResources: from 1 to {MOST}"))
    for one in wanted:
        if one.method != "GET" or not _among(one.path, RESTRICTED):
            raise Problem(_refusal(f"{one.method} {one.path} is no restricted resource"))
        odd = sorted(set(one.data_elements) - ELEMENTS)
        if odd or (_among(one.path, NEED_ELEMENTS) and not one.data_elements):
            raise Problem(_refusal("dataElements: " + (", ".join(odd) or "needed for this path")))
    resources = [Resource(one.method, one.path, tuple(one.data_elements)) for one in wanted]
    return gate.restricted(caller.seller_id, resources)


def _among(path: str, patterns: tuple[str, ...]) -> bool:
    return any(matched(pattern, path) is not None for pattern in patterns)


def _refusal(details: str) -> Reply:
    told = "A parameter is missing or invalid"
    error = {"code": "InvalidRequest", "message": told, "details": details}
    return json_reply({"errors": [error]}, 400)


def of_buyer(caller: Caller) -> dict[str, Any]:
    """What an order of v0 shows of its buyer to this caller: nothing without such a token."""
    shown: dict[str, Any] = {}
    if "buyerInfo" in caller.elements:
        shown["BuyerInfo"] = dict(BUYER)
    if "shippingAddress" in caller.elements:
        shown["ShippingAddress"] = dict(ADDRESS)
    return shown
