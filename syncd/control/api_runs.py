"""Calls about runs: ask for one, look at them, follow one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field, StrictBool
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from syncd.book.runs import ENDED
from syncd.book.views import RunView
from syncd.control.answers import answer, listed
from syncd.control.deps import (
    LARGEST_ID,
    PROBLEMS,
    AccountName,
    Actor,
    Before,
    Body,
    Count,
    Daemon,
    Limit,
    RowId,
    Word,
)
from syncd.control.service import Service
from syncd.engine.progress import ENDED as LAST_EVENT
from syncd.statuses import Kind

LOOK_SECONDS: Final = 0.1
LOOKS_A_BOOK_LOOK: Final = 10
LOOKS_A_SIGN_OF_LIFE: Final = 50
NDJSON: Final = "application/x-ndjson"

router = APIRouter(responses=PROBLEMS)


class Trigger(Body):
    """Which pass is wanted. ``account`` may be the name of a channel: then of its accounts."""

    account: Word
    kinds: Annotated[list[Kind], Field(max_length=20, default_factory=list)]
    orders: Annotated[list[str], Field(default_factory=list)]
    days: Count | None = None
    dry_run: StrictBool = False


@router.get("/v1/runs", response_model=dict[str, list[RunView]])
def runs(
    daemon: Daemon, limit: Limit = 50, before: Before = None, account: AccountName = None
) -> Response:
    """Runs, newest first; for the next page give the last id as ``before``."""
    return listed("runs", daemon.runs(limit=limit, before=before, account=account))


@router.post("/v1/runs", status_code=202)
def trigger(body: Trigger, daemon: Daemon, actor: Actor) -> Response:
    """Ask for a pass. The answer names the run; an equal one that waits already is not doubled."""
    asked = daemon.trigger(
        body.account, kinds=body.kinds, orders=body.orders, days=body.days, dry_run=body.dry_run,
        actor=actor,
    )  # fmt: skip
    return answer(asked, 202)


@router.get("/v1/runs/{run_id}", response_model=RunView)
def run(run_id: RowId, daemon: Daemon) -> Response:
    """One run."""
    return answer(daemon.run(run_id))


@router.get("/v1/runs/{run_id}/missing")
def missing(run_id: RowId, daemon: Daemon) -> Response:
    """The orders that a run was asked for and that are still unknown; complete at its end."""
    return listed("orders", daemon.missing_orders(run_id))


@router.get("/v1/runs/{run_id}/events")
async def events(
    run_id: RowId,
    request: Request,
    daemon: Daemon,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> Response:
    """What a run tells, one JSON object a line, each with a number ``seq``; ends with the run.

    After a break ask again with ``after``, the last number seen. ``alive`` comes when nothing
    else does; the last event of a run is ``ended``.
    """
    await run_in_threadpool(daemon.run, run_id)
    return StreamingResponse(_lines(daemon, run_id, after), media_type=NDJSON)


async def _lines(daemon: Service, run_id: int, after: int) -> AsyncIterator[bytes]:
    """Looks every tenth of a second instead of waiting in a thread: threads are few."""
    quiet = 0
    while not daemon.closing.is_set():
        new = _new_events(daemon, run_id, after)
        for event in new:
            yield _line(event)
            after = event["seq"]
            if event["event"] == LAST_EVENT:
                return
        quiet = 0 if new else quiet + 1
        if quiet % LOOKS_A_BOOK_LOOK == 1:
            last = await run_in_threadpool(_end_by_the_book, daemon, run_id, after)
            if last is not None:
                yield _line(last)
                return
        if quiet and quiet % LOOKS_A_SIGN_OF_LIFE == 0:
            yield _line({"seq": after, "run": run_id, "event": "alive"})
        await asyncio.sleep(LOOK_SECONDS)


def _new_events(daemon: Service, run_id: int, after: int) -> list[dict[str, Any]]:
    return list(daemon.engine.progress.follow(run_id, after, 0.0))


def _end_by_the_book(daemon: Service, run_id: int, after: int) -> dict[str, Any] | None:
    """The last event of a run that has ended, when nobody tells it any more."""
    run = daemon.run(run_id)
    if run.state not in ENDED:
        return None
    told = _new_events(daemon, run_id, after)
    if told:
        return None
    return {
        "seq": after + 1, "run": run_id, "event": LAST_EVENT, "state": run.state,
        "code": run.code, "message": run.message, "counts": run.counts,
    }  # fmt: skip


def _line(event: dict[str, Any]) -> bytes:
    return msgspec.json.encode(event) + b"\n"
