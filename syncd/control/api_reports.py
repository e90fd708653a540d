"""The call that hands a report file in."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from syncd.control.answers import answer
from syncd.control.deps import PROBLEMS, Actor, Daemon

_BYTES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(responses=PROBLEMS)


@router.post("/v1/accounts/{name}/report", openapi_extra=_BYTES)
async def hand_in(
    name: Annotated[str, Path(max_length=64)],
    request: Request,
    daemon: Daemon,
    actor: Actor,
    file: Annotated[str, Query(min_length=1, max_length=200)] = "report",
    preview: bool = False,
    dry_run: bool = False,
) -> Response:
    """Read a report file that was downloaded from the account's panel; the body is the file.

    A run then takes what it says into the book. With ``preview`` nothing is stored: the answer
    shows how each row was read. With ``dry_run`` the run undoes what it did and tells its plan.
    """
    content = await request.body()

    def work() -> Any:
        return daemon.import_report(
            name, file, content, preview=preview, dry_run=dry_run, actor=actor
        )

    return answer(await run_in_threadpool(work))
