"""Calls about orders: look, explain, import, what failed, the warehouse's steps."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field, StrictBool
from starlette.responses import Response

from syncd.book.views import Explanation, Failed, OrderView
from syncd.control.answers import answer
from syncd.control.deps import (
    PROBLEMS,
    AccountName,
    Actor,
    Before,
    Body,
    Count,
    Daemon,
    Limit,
    Note,
    OrderId,
    Word,
)
from syncd.control.importing import ImportFile
from syncd.statuses import MAX_ID_LENGTH

MOST_IDS = 10_000
Code = Annotated[str, Field(max_length=200)]

router = APIRouter(responses=PROBLEMS)

# An order id may hold a slash, so the longer paths come first.


class Import(Body):
    """A file of orders. ``zone`` is that of times written without an offset."""

    account: Word
    format: Word
    text: str
    source: Word = "api"
    zone: Word = "UTC"
    dry_run: StrictBool = False


class Retry(Body):
    """Which facts to decide again: these, or all of an account or with a code."""

    ids: Annotated[list[Count], Field(max_length=MOST_IDS, default_factory=list)]
    account: Word | None = None
    code: Word | None = None
    line: Annotated[str, Field(max_length=MAX_ID_LENGTH)] = ""


class Ignore(Body):
    """Which facts to set aside, and why."""

    ids: Annotated[list[Count], Field(max_length=MOST_IDS)]
    note: Note


class Move(Body):
    """Where the order's pieces are brought."""

    to: Word
    account: Word | None = None


Lines = Annotated[dict[str, Annotated[int, Field(ge=0, le=10_000)]], Field(max_length=2_000)]


class Split(Body):
    """What of a parcel goes into another. ``take``: line id -> pieces, 0 for the whole line."""

    take: Lines
    parcel: Code = ""
    shipment_id: Code = ""
    tracking_number: Code = ""
    account: Word | None = None


class Merge(Body):
    """Which parcels become one; none named: all that have not left."""

    parcels: Annotated[list[Word], Field(max_length=1_000, default_factory=list)]
    shipment_id: Code = ""
    tracking_number: Code = ""
    account: Word | None = None


@router.get("/v1/orders/{order_id:path}/explain", response_model=Explanation)
def explain(
    order_id: OrderId,
    daemon: Daemon,
    account: AccountName = None,
    utc_offset: Annotated[int, Query(ge=-1439, le=1439)] = 0,
) -> Response:
    """Why an order is as it is. ``utc_offset``, in minutes, is for the times in the text."""
    return answer(daemon.explain(order_id, account, utc_offset))


@router.get("/v1/orders/{order_id:path}", response_model=OrderView)
def order(order_id: OrderId, daemon: Daemon, account: AccountName = None) -> Response:
    """An order with its pieces, parcels and invoices."""
    return answer(daemon.order(order_id, account))


@router.post("/v1/orders")
def import_orders(body: Import, daemon: Daemon, actor: Actor) -> Response:
    """Take orders from a file's text; each bad line is told, the good ones are taken."""
    return answer(daemon.import_orders(ImportFile(**body.model_dump()), actor))


@router.post("/v1/orders/{order_id:path}/warehouse")
def warehouse(order_id: OrderId, body: Move, daemon: Daemon, actor: Actor) -> Response:
    """Do the warehouse's steps for an order by hand, up to ``to``."""
    return answer(daemon.advance(order_id, body.to, body.account, actor))


@router.post("/v1/orders/{order_id:path}/split")
def split(order_id: OrderId, body: Split, daemon: Daemon, actor: Actor) -> Response:
    """Divide a parcel in two before it leaves; an invoice that it had is void."""
    return answer(
        daemon.split(
            order_id, body.take, body.parcel, (body.shipment_id, body.tracking_number),
            body.account, actor,
        )
    )  # fmt: skip


@router.post("/v1/orders/{order_id:path}/merge")
def merge(order_id: OrderId, body: Merge, daemon: Daemon, actor: Actor) -> Response:
    """Put parcels of an order into one before they leave; invoices that they had are void."""
    return answer(
        daemon.merge(
            order_id, body.parcels, (body.shipment_id, body.tracking_number), body.account, actor
        )
    )


@router.get("/v1/failed", response_model=Failed)
def failed(
    daemon: Daemon,
    account: AccountName = None,
    code: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100,
    before: Before = None,
) -> Response:
    """Facts that nobody could act on, why, and what to do; and the newest failed runs."""
    return answer(daemon.failed(account=account, code=code, limit=limit, before=before))


@router.post("/v1/failed/retry")
def retry(body: Retry, daemon: Daemon, actor: Actor) -> Response:
    """Have facts decided again, now."""
    return answer(
        daemon.retry(
            ids=body.ids, account=body.account, code=body.code, line=body.line, actor=actor
        ),
        202,
    )


@router.post("/v1/failed/ignore")
def ignore(body: Ignore, daemon: Daemon, actor: Actor) -> Response:
    """Set facts aside for good, with a note that says why."""
    return answer(daemon.ignore(body.ids, body.note, actor))
