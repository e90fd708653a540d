"""Calls about the daemon itself: version, status, channels, accounts, doctor, metrics, reload."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

import syncd
from syncd.book.rulesheet import RuleSheet
from syncd.book.views import Overdue, Status, TaskView
from syncd.control import metrics
from syncd.control.answers import answer, listed
from syncd.control.deps import PROBLEMS, AccountName, Actor, Body, Daemon, Limit, Note
from syncd.control.guard import API, MIN_API

router = APIRouter(responses=PROBLEMS)

Name = Annotated[str, Path(max_length=64)]
Word = Annotated[str | None, Query(max_length=64)]


class Pause(Body):
    """Why an account is paused."""

    reason: Note = ""


@router.get("/version")
async def version() -> Response:
    """Which API this daemon speaks, and which is the oldest that it still understands."""
    return answer({"api": API, "min_api": MIN_API, "version": syncd.__version__})


@router.get("/v1/status", response_model=Status)
def status(daemon: Daemon) -> Response:
    """Everything at a glance."""
    return answer(daemon.status())


@router.get("/v1/overdue", response_model=Overdue)
def overdue(daemon: Daemon, account: AccountName = None, limit: Limit = 50) -> Response:
    """What has waited longer than its limit, and what will next."""
    return answer(daemon.overdue(account=account, limit=limit))


@router.get("/v1/channels")
def channels(daemon: Daemon) -> Response:
    """All channels with their state, and the accounts on each."""
    return listed("channels", daemon.channel_list())


@router.get("/v1/tasks", response_model=dict[str, list[TaskView]])
def tasks(daemon: Daemon, account: AccountName = None) -> Response:
    """The recurrent tasks with their timers."""
    return listed("tasks", daemon.tasks(account))


@router.get("/v1/rules", response_model=RuleSheet)
def rules(
    daemon: Daemon, account: AccountName = None, event: Word = None, at: Word = None
) -> Response:
    """The decision table in words: an account's, with its policies, or the plain one."""
    return answer(daemon.rules(account, event, at))


@router.get("/v1/doctor")
def doctor(daemon: Daemon) -> Response:
    """Look over the whole installation."""
    return listed("findings", daemon.doctor())


@router.get("/metrics")
def measures(daemon: Daemon) -> Response:
    """The state in Prometheus's text form."""
    return Response(daemon.metrics(), media_type=metrics.MEDIA_TYPE)


@router.post("/v1/accounts/{name}/pause")
def pause(name: Name, daemon: Daemon, actor: Actor, body: Pause | None = None) -> Response:
    """Stop an account's passes."""
    return answer(daemon.pause(name, body.reason if body else "", actor))


@router.post("/v1/accounts/{name}/resume")
def resume(name: Name, daemon: Daemon, actor: Actor) -> Response:
    """Let an account work again."""
    return answer(daemon.resume(name, actor))


@router.post("/v1/reload")
def reload(daemon: Daemon) -> Response:
    """Read the configuration again; a wrong one is refused and the old one stays."""
    return answer(daemon.reload())
