"""Calls of who stands at the door: may this parcel leave; and the safety brake."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from syncd.book.views import BrakeView, HeldPage
from syncd.control.answers import answer, listed
from syncd.control.deps import (
    LARGEST_ID,
    PROBLEMS,
    AccountName,
    Actor,
    Body,
    Daemon,
    Limit,
    Note,
)
from syncd.statuses import MAX_ID_LENGTH

router = APIRouter(responses=PROBLEMS)

Number = Annotated[str, Query(max_length=MAX_ID_LENGTH)]
Code = Annotated[str, Path(min_length=1, max_length=64)]


class Word(Body):
    """Why a person says so."""

    note: Note


@router.get("/v1/packages/may-ship")
def may_ship_by(
    daemon: Daemon,
    tracking: Number = "",
    shipment: Number = "",
    order: Number = "",
    account: AccountName = None,
) -> Response:
    """Whether a parcel, found by one of its numbers, or all of an order may leave."""
    return answer(
        daemon.may_ship_by(tracking=tracking, shipment=shipment, order=order, account=account)
    )


@router.get("/v1/packages/{code}/may-ship")
def may_ship(code: Code, daemon: Daemon) -> Response:
    """Whether a parcel may leave; the reason as a stable code and in words."""
    return answer(daemon.may_ship(code))


@router.get("/v1/brakes", response_model=dict[str, list[BrakeView]])
def brakes(daemon: Daemon, account: AccountName = None, closed: bool = False) -> Response:
    """Where the safety brake is on; with ``closed`` also where it was, newest first."""
    return listed("brakes", daemon.brakes(account=account, closed=closed))


@router.get("/v1/brakes/{account}", response_model=HeldPage)
def held(
    account: Code,
    daemon: Daemon,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> Response:
    """What an account's brake holds; for the next page give ``next`` as ``after``."""
    return answer(daemon.held(account, limit=limit, after=after))


@router.post("/v1/brakes/{account}/release")
def release(account: Code, body: Word, daemon: Daemon, actor: Actor) -> Response:
    """The cancellations are true: let them through."""
    return answer(daemon.close_brake(account, true=True, note=body.note, actor=actor))


@router.post("/v1/brakes/{account}/drop")
def drop(account: Code, body: Word, daemon: Daemon, actor: Actor) -> Response:
    """The cancellations are not true: set them aside, decide the rest."""
    return answer(daemon.close_brake(account, true=False, note=body.note, actor=actor))
