"""Calls about exceptions: what a person must settle, and settling it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StrictBool
from starlette.responses import Response

from syncd.book.acts import Settled
from syncd.book.views import ExceptionDetail, ExceptionView
from syncd.control.answers import answer, listed
from syncd.control.deps import PROBLEMS, AccountName, Actor, Body, Count, Daemon, Note, RowId, Word

MOST_AT_ONCE = 500

router = APIRouter(responses=PROBLEMS)


class Choice(Body):
    """How an exception is settled; ``note`` says why, and some choices need it."""

    choice: Word
    note: Note = ""
    dry_run: StrictBool = False


class Choices(Choice):
    """The same choice for several exceptions: all are settled, or none."""

    ids: Annotated[list[Count], Field(min_length=1, max_length=MOST_AT_ONCE)]


@router.get("/v1/exceptions", response_model=dict[str, list[ExceptionView]])
def exceptions(daemon: Daemon, account: AccountName = None, all: bool = False) -> Response:
    """Contradictions for a person to settle."""
    return listed("exceptions", daemon.exceptions(account=account, everything=all))


@router.post("/v1/exceptions/settle")
def settle_several(body: Choices, daemon: Daemon, actor: Actor) -> Response:
    """Settle several exceptions by one choice."""
    return answer(_settled(daemon, body.ids, body, actor))


@router.get("/v1/exceptions/{exception_id}", response_model=ExceptionDetail)
def exception(exception_id: RowId, daemon: Daemon) -> Response:
    """One exception: both evidences, where everything stands, and the choices."""
    return answer(daemon.exception(exception_id))


@router.post("/v1/exceptions/{exception_id}/settle")
def settle(exception_id: RowId, body: Choice, daemon: Daemon, actor: Actor) -> Response:
    """Settle an exception by one of its choices."""
    return answer(_settled(daemon, [exception_id], body, actor))


def _settled(daemon: Daemon, ids: list[int], body: Choice, actor: str) -> Settled:
    return daemon.settle(ids, body.choice, note=body.note, dry_run=body.dry_run, actor=actor)
