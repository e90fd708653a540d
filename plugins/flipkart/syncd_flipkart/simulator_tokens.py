"""The simulator's paging tokens: the whole search and the number of the next page, in base64.

The keys are those of tokens seen in production; what a real token spells otherwise is unknown.
A token is a page number and no cursor: rows that change between two pages shift the pages.
"""

from __future__ import annotations

import base64
import binascii
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import Struct

from syncd_flipkart.simulator_search import (
    RETURNS_PAGE_SIZE,
    STATES,
    BadSearch,
    Filter,
    ReturnSearch,
    Search,
)

_ALL_TYPES: Final = ["NORMAL", "EXPRESS", "SELF"]
_ALL_TIERS: Final = ["REGULAR", "EXPRESS"]
_SORTS: Final[dict[str, str]] = {
    "dispatchByDate": "dispatch_by_date",
    "orderDate": "order_date",
    "modifiedDate": "modified_date",
    "dispatchAfterDate": "dispatch_after_date",
}


def shipments_token(search: Search, page: int, seller_id: str) -> str:
    """The token of a page of shipments."""
    wanted = search.filter
    params: dict[str, Any] = {
        "dispatch_tiers": list(wanted.dispatch_service_tiers) or _ALL_TIERS,
        "seller_id": seller_id,
        "location_id": wanted.location_id,
        "order_date": wanted.order_date,
        "dispatch_by_date": wanted.dispatch_by_date,
        "dispatch_after_date": wanted.dispatch_after_date,
        "states": _inner_states(wanted),
        "shipment_types": list(wanted.shipment_types) or _ALL_TYPES,
        "modified_date": wanted.modified_date,
        "sort_field_0": _SORTS[search.sort.field],
        "sort_order_0": search.sort.order,
        "from": 0,
        "size": 25,
        **_rare_params(wanted),
    }
    content = {
        "filterType": wanted.type,
        "sellerId": seller_id,
        "token": {
            "params": params,
            "pagination": {"page_num": page, "page_size": search.pagination.page_size},
            "sort": [],
        },
        "view": "order_api.v3.shipment",
        "template": f"oapi_{_VIEWS[wanted.type]}",
    }
    return _pack(content)


_VIEWS: Final = {
    "preDispatch": "pre_dispatch",
    "postDispatch": "post_dispatch",
    "cancelled": "cancelled",
}


def _inner_states(wanted: Filter) -> list[str]:
    states = wanted.states or tuple(sorted(STATES[wanted.type]))
    return ["payment_approved" if one == "APPROVED" else one.lower() for one in states]


def _outer_states(inner: list[str]) -> tuple[str, ...]:
    return tuple("APPROVED" if one == "payment_approved" else one.upper() for one in inner)


def _rare_params(wanted: Filter) -> dict[str, Any]:
    rare: dict[str, Any] = {}
    if wanted.type == "cancelled" or wanted.service_profiles != ("NON_FBF",):
        rare["service_profiles"] = list(wanted.service_profiles)
    for name in ("sku", "hold", "mps"):
        value = getattr(wanted, name)
        if value not in (None, ()):
            rare[name] = value
    if wanted.type == "cancelled":
        # The inner words show that a search for cancellations finds RTOs as well.
        rare["cancelled"] = {"reasons": ["cancellation_requested"]}
        rare["rto"] = {"reasons": ["CUSTOMER_REMORSE", "SIZE_FIT_ISSUES"]}
        rare["cancellation_date"] = wanted.cancellation_date
        rare["cancellation_type"] = wanted.cancellation_type
    return rare


def read_shipments_token(token: str, seller_id: str) -> tuple[Search, int]:
    """The search and page number of a token; BadSearch for one that is not ours."""
    content = _unpack(token)
    try:
        if content["sellerId"] != seller_id:
            raise BadSearch("next_token belongs to another seller")
        inner = content["token"]
        params, paging = inner["params"], inner["pagination"]
        wanted = {
            "type": content["filterType"],
            "states": _outer_states(params["states"]),
            "locationId": params["location_id"],
            "orderDate": params["order_date"],
            "dispatchByDate": params["dispatch_by_date"],
            "dispatchAfterDate": params["dispatch_after_date"],
            "modifiedDate": params["modified_date"],
            "shipmentTypes": params["shipment_types"],
            "dispatchServiceTiers": params["dispatch_tiers"],
            "serviceProfiles": params.get("service_profiles", ["NON_FBF"]),
            "sku": params.get("sku", []),
            "hold": params.get("hold"),
            "mps": params.get("mps"),
            "cancellationDate": params.get("cancellation_date"),
            "cancellationType": params.get("cancellation_type"),
        }
        outer = {inner_name: name for name, inner_name in _SORTS.items()}
        sort = {"field": outer[params["sort_field_0"]], "order": params["sort_order_0"]}
        body = {
            "filter": wanted,
            "pagination": {"pageSize": paging["page_size"]},
            "sort": sort,
        }
        return msgspec.convert(body, Search), int(paging["page_num"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadSearch(f"next_token cannot be read: {error}") from None


class _Approved(Struct):
    from_date: date | None
    to_date: date | None
    valid_from_date: bool = True
    valid_to_date: bool = True


def returns_token(search: ReturnSearch, page: int) -> str:
    """The token of a page of returns."""
    by_day = search.approved_from or search.approved_to
    names = (
        "service_profile",
        "type",
        "shipment_types",
        "shipment_status",
        "return_status",
        "shipment_expectations",
        "sku",
        "promise_breach",
        "approved",
        "promise",
        "out_for_delivery",
        "return_completed",
        "shipment_completed_on",
        "created_after",
        "modified_after",
    )
    wanted: dict[str, Any] = dict.fromkeys(names)
    wanted["type"] = [search.source]
    wanted["return_status"] = [
        "init",
        "created",
        "completed",
        "cancelled",
        "service_requested",
        "rejected",
        "cancellation_in_progress",
    ]
    wanted["approved"] = _Approved(search.approved_from, search.approved_to) if by_day else None
    wanted["modified_after"] = search.modified.start
    if search.modified.end is not None:
        wanted["modified_before"] = search.modified.end
    if search.location_id is not None:
        wanted["location_id"] = search.location_id
    paging = {"starting_page": page, "page_size": RETURNS_PAGE_SIZE}
    return _pack({"filter": wanted, "pagination": paging, "sort": None})


def read_returns_token(token: str) -> tuple[ReturnSearch, int]:
    """The search and page number of a token; BadSearch for one that is not ours."""
    content = _unpack(token)
    try:
        wanted = content["filter"]
        approved = wanted["approved"] or {}
        search = {
            "source": wanted["type"][0],
            "modified": {"from": wanted["modified_after"], "to": wanted.get("modified_before")},
            "approved_from": approved.get("from_date"),
            "approved_to": approved.get("to_date"),
            "location_id": wanted.get("location_id"),
        }
        page = int(content["pagination"]["starting_page"])
        return msgspec.convert(search, ReturnSearch), page
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise BadSearch(f"the token cannot be read: {error}") from None


def _pack(content: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    return base64.b64encode(text + b" " * (-len(text) % 3)).decode()  # so that no = is needed


def _unpack(token: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(base64.b64decode(token, validate=True), type=dict[str, Any])
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        raise BadSearch("the token is damaged") from None
