"""Calls about audits: ask for one, and read what it found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field, StrictBool
from starlette.responses import Response

from syncd.book.queries import MAX_SHOWN
from syncd.book.views import DriftView
from syncd.control.answers import answer, listed
from syncd.control.deps import PROBLEMS, AccountName, Actor, Body, Daemon, RowId
from syncd.statuses import MAX_ID_LENGTH

router = APIRouter(responses=PROBLEMS)

Shown = Annotated[int, Query(ge=1, le=MAX_SHOWN)]
OneOrder = Annotated[str | None, Query(min_length=1, max_length=MAX_ID_LENGTH)]


class Wanted(Body):
    """Which audit is wanted. ``account`` may be a channel's name; empty: all that run."""

    account: Annotated[str, Field(max_length=200)] = ""
    orders: Annotated[list[str], Field(default_factory=list)]
    fix: StrictBool = False


@router.post("/v1/audits", status_code=202)
def ask(body: Wanted, daemon: Daemon, actor: Actor) -> Response:
    """Ask for an audit. It is a run: follow it as one. Without ``fix`` it changes nothing."""
    asked = daemon.audit(body.account, orders=body.orders, fix=body.fix, actor=actor)
    return answer(asked, 202)


@router.get("/v1/audits/{run_id}", response_model=dict[str, list[DriftView]])
def found(
    run_id: RowId, daemon: Daemon, order: OneOrder = None, limit: Shown = MAX_SHOWN
) -> Response:
    """What an audit found, also what it has mended."""
    return listed("findings", daemon.drift(run_id=run_id, order_id=order, limit=limit))


@router.get("/v1/drift", response_model=dict[str, list[DriftView]])
def drift(
    daemon: Daemon,
    account: AccountName = None,
    order: OneOrder = None,
    limit: Shown = MAX_SHOWN,
) -> Response:
    """The disagreements that stand, by the last audits."""
    return listed("findings", daemon.drift(account=account, order_id=order, limit=limit))
