"""The External Fulfillment Returns API of the pretend Amazon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd import ReturnType
from syncd.testing import Problem, Reply, Request, Return, ReturnState, World, json_reply
from syncd_amazon.simulator_gate import Caller, error_reply
from syncd_amazon.simulator_query import Routes, faulty, moment, page, resumed, within
from syncd_amazon.simulator_states import iso

RETURNS: Final = "/externalFulfillment/2024-09-11/returns"
PREFIX: Final = "simulated-"
WORDS: Final = {
    ReturnState.CREATED: "CREATED",
    ReturnState.SERVICE_REQUESTED: "CARRIER_NOTIFIED_TO_PICK_UP_FROM_CUSTOMER",
    ReturnState.CANCELLING: "CUSTOMER_CANCELLED_PICK_UP",
    ReturnState.COMPLETED: "DELIVERED",
    ReturnState.CANCELLED: "CANCELLED",
    ReturnState.REJECTED: "REJECTED",
}


class Returns:
    """Answers over a world. Traits of a return: ``external_status`` (a native word), ``rma``.

    ``rto`` off: returns by the courier are not shown, which Easy Ship's own state tells too.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rto = True

    def routes(self) -> Routes:
        """What is answered here."""
        return [
            ("GET", RETURNS, "listReturns", self.search),
            ("GET", f"{RETURNS}/*", "getReturn", self.get),
        ]

    def search(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """listReturns, ten a page where nothing else is asked for."""
        query = request.query = resumed(request, "nextToken")
        updated = moment(query, "lastUpdatedSince"), moment(query, "lastUpdatedUntil")
        created = moment(query, "createdSince"), moment(query, "createdUntil")
        older = moment(query, "lastUpdatedAfter"), moment(query, "lastUpdatedBefore")
        if any(updated) and not (query.get("returnLocationId") and query.get("status")):
            raise Problem(error_reply(400, "lastUpdatedSince needs returnLocationId and status"))
        rows = [
            self.row(one)
            for one in self.world.returns.values()
            if one.seller_id == caller.seller_id
            and (self.rto or one.kind is ReturnType.CIR)
            and within(one.modified_at, *updated)
            and within(one.created_at, *created)
            and within(one.created_at, *older)  # the old names of the two above
        ]
        rows = [row for row in rows if all(_is(row, query, name) for name in _FILTERS)]
        some, token = page(
            query, rows, "maxResults", "nextToken", size=10, ring=request.asks("ring")
        )
        answer: dict[str, Any] = {"returns": faulty(request, some)}
        if token:
            answer["nextToken"] = token
        return json_reply(answer)

    def get(self, caller: Caller, request: Request, found: Sequence[str]) -> Reply:
        """getReturn."""
        back = self.world.returns.get(found[0].removeprefix(PREFIX))
        if back is None or back.seller_id != caller.seller_id:
            raise Problem(error_reply(404, f"no return {found[0]}"))
        return json_reply(self.row(back))

    def row(self, one: Return) -> dict[str, Any]:
        """A return as the External Fulfillment Returns API shows it."""
        line = self.world.orders[one.order_id].line(one.line_id)
        shipping: dict[str, Any] = {
            "forwardTrackingInfo": {"carrierName": "ATS", "trackingId": "forward"},
            "reverseTrackingInfo": {"carrierName": "ATS", "trackingId": one.tracking_number},
        }
        if one.state is ReturnState.COMPLETED:
            shipping["deliveryDateTime"] = iso(one.modified_at)
        return {
            "id": external_id(one),
            "returnLocationId": one.location_id,
            "merchantSku": line.sku,
            "returnType": "CUSTOMER" if one.kind is ReturnType.CIR else "REJECT",
            "returnSubType": "NORMAL",
            "numberOfUnits": len(one.pieces),
            "status": one.traits.get("external_status") or WORDS.get(one.state, "CREATED"),
            "fulfillmentLocationId": one.location_id,
            "creationDateTime": iso(one.created_at),
            "lastUpdatedDateTime": iso(one.modified_at),
            "returnMetadata": {
                "returnReason": one.reason,
                "rmaId": one.traits.get("rma") or one.return_id,
            },
            "returnShippingInfo": shipping,
            "marketplaceChannelDetails": {
                "customerOrderId": one.order_id,
                "channelSku": line.sku,
                "shipmentId": one.shipment_id,
            },
        }


def external_id(back: Return) -> str:
    """The API's own id of a return, which is not its RMA id."""
    return back.return_id if "rma" in back.traits else f"{PREFIX}{back.return_id}"


_FILTERS: Final = ("returnLocationId", "status", "rmaId", "reverseTrackingId")


def _is(row: dict[str, Any], query: Mapping[str, str], name: str) -> bool:
    inner = {
        "rmaId": row["returnMetadata"]["rmaId"],
        "reverseTrackingId": row["returnShippingInfo"]["reverseTrackingInfo"]["trackingId"],
    }
    return not query.get(name) or inner.get(name, row.get(name)) == query[name]
