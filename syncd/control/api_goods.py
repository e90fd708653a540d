"""Calls about goods and their papers: putaways, stock, sequences, tenants, facilities."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from syncd.book.documents import DocumentKind
from syncd.book.putaways import Disposition
from syncd.book.stock import Bucket
from syncd.book.views import PutawayView, SequenceView, StockView, TenantView
from syncd.control.answers import answer, listed
from syncd.control.deps import (
    PROBLEMS,
    AccountName,
    Actor,
    Body,
    Count,
    Daemon,
    Limit,
    Note,
    RowId,
    Word,
)

router = APIRouter(responses=PROBLEMS)

Code = Annotated[str, Path(max_length=64)]
Tenant = Annotated[str, Field(max_length=64)]


class Done(Body):
    """What the warehouse found."""

    disposition: Disposition


class Sequence(Body):
    """How a facility numbers its documents. ``tenant`` where several have such a facility."""

    facility: Word
    kind: DocumentKind = DocumentKind.SALE_INVOICE
    prefix: Annotated[str, Field(max_length=200)]
    start: Count = 1
    width: Count | None = None
    tenant: Tenant = ""


class TenantState(Body):
    """ONBOARDING, LIVE or SUSPENDED."""

    state: Word


class Facility(Body):
    """What to change of a facility; left out, it stays."""

    state: Word | None = None
    traceability: Word | None = None
    tenant: Tenant = ""


class Goods(Body):
    """Goods that came in: SKU -> pieces."""

    facility: Word
    goods: Annotated[dict[str, Count], Field(min_length=1, max_length=10_000)]
    tenant: Tenant = ""
    note: Note = ""


class Adjustment(Body):
    """A correction after a count: ``change`` pieces more, or fewer."""

    facility: Word
    sku: Word
    change: Count
    bucket: Bucket = Bucket.ON_HAND_GOOD
    note: Note
    tenant: Tenant = ""


@router.get("/v1/putaways", response_model=dict[str, list[PutawayView]])
def putaways(daemon: Daemon, account: AccountName = None, all: bool = False) -> Response:
    """Pieces that must go back on a shelf."""
    return listed("putaways", daemon.putaways(account=account, everything=all))


@router.post("/v1/putaways/{putaway_id}/complete")
def complete(putaway_id: RowId, body: Done, daemon: Daemon, actor: Actor) -> Response:
    """Say what became of a piece; only GOOD makes it sellable again."""
    return answer(daemon.complete_putaway(putaway_id, body.disposition, actor))


@router.get("/v1/sequences", response_model=dict[str, list[SequenceView]])
def sequences(daemon: Daemon) -> Response:
    """The running numbers of all facilities."""
    return listed("sequences", daemon.sequences())


@router.put("/v1/sequences")
def define_sequence(body: Sequence, daemon: Daemon, actor: Actor) -> Response:
    """Say how a facility numbers its documents; what waited for it is decided next."""
    return answer(
        daemon.define_sequence(
            body.facility, body.kind, prefix=body.prefix, start=body.start, width=body.width,
            tenant=body.tenant, actor=actor,
        )
    )  # fmt: skip


@router.get("/v1/tenants", response_model=dict[str, list[TenantView]])
def tenants(daemon: Daemon) -> Response:
    """All sellers with their facilities and accounts."""
    return listed("tenants", daemon.tenants())


@router.put("/v1/tenants/{code}")
def set_tenant(code: Code, body: TenantState, daemon: Daemon, actor: Actor) -> Response:
    """Let a tenant go live, or stop it."""
    return answer(daemon.set_tenant(code, body.state, actor))


@router.put("/v1/facilities/{code}")
def set_facility(code: Code, body: Facility, daemon: Daemon, actor: Actor) -> Response:
    """Switch a facility on or off, or say how its pieces are traced."""
    return answer(
        daemon.set_facility(
            code, state=body.state, traceability=body.traceability, tenant=body.tenant, actor=actor
        )
    )


@router.get("/v1/stock", response_model=dict[str, list[StockView]])
def stock(
    daemon: Daemon,
    facility: Annotated[str | None, Query(max_length=64)] = None,
    sku: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 500,
    after: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Stock by facility and SKU, in the order of SKUs."""
    return listed("stock", daemon.stock(facility=facility, sku=sku, limit=limit, after=after))


@router.post("/v1/stock/receive")
def receive(body: Goods, daemon: Daemon, actor: Actor) -> Response:
    """Put goods on a shelf; orders that wait for them get them first."""
    return answer(
        daemon.receive_stock(
            body.facility, body.goods, tenant=body.tenant, note=body.note, actor=actor
        )
    )


@router.post("/v1/stock/adjust")
def adjust(body: Adjustment, daemon: Daemon, actor: Actor) -> Response:
    """Correct a bucket after a count."""
    return answer(
        daemon.adjust_stock(
            body.facility, body.sku, body.bucket, body.change, tenant=body.tenant, note=body.note,
            actor=actor,
        )
    )  # fmt: skip
