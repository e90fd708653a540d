"""What every route needs: the service, and who asks."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from starlette.requests import Request

from syncd.control.peer import UNKNOWN, actor_of
from syncd.control.service import Service
from syncd.statuses import MAX_ID_LENGTH

LARGEST_ID = 2**63 - 1


async def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


async def _actor(request: Request) -> str:
    return actor_of(request.scope["state"].get("peer", UNKNOWN))


Daemon = Annotated[Service, Depends(_service)]
Actor = Annotated[str, Depends(_actor)]
RowId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Before = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=500)]
OrderId = Annotated[str, Path(min_length=1, max_length=MAX_ID_LENGTH)]
AccountName = Annotated[str | None, Query(max_length=64)]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(max_length=2_000)]
Count = Annotated[StrictInt, Field(ge=-LARGEST_ID, le=LARGEST_ID)]


class Body(BaseModel):
    """The body of a change: an unknown field is a mistake, and told."""

    model_config = ConfigDict(extra="forbid")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/problem+json": {}}}
    for code, text in (
        (400, "the request's values cannot be used"),
        (403, "this user may not change anything"),
        (404, "there is no such thing"),
        (409, "the rules forbid it now"),
        (422, "the request's form is wrong"),
        (503, "not now"),
    )
}
