"""Errors as RFC 9457 problems, each with a stable ``code`` and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from syncd.control.storing import StoreFailed, failure_text, is_full, is_store_failure
from syncd.errors import (
    ConfigError,
    NotFound,
    PanelError,
    PluginError,
    Refused,
    Stopped,
    StoreBusy,
    StoreRefused,
    SyncdError,
)

MEDIA_TYPE: Final = "application/problem+json"
_MOST_FIELDS: Final = 20

_STATUS: Final[tuple[tuple[type[SyncdError], int], ...]] = (
    (NotFound, 404),
    (Refused, 409),
    (ConfigError, 422),
    (StoreBusy, 503),
    (StoreRefused, 503),
    (Stopped, 503),
    (PluginError, 409),
    (PanelError, 502),
)
_BAD_INPUT: Final = ("bad_", "too_many_", "nothing_named", "note_missing")
_REFUSED: Final = ("bad_quantity",)  # the stock does not allow it; the request is well formed

log = structlog.get_logger("syncd.control")


def problem(
    status: int, code: str, detail: str, *, do: str = "", close: bool = False, **more: Any
) -> Response:
    """A problem as an answer. ``do`` says what helps, where ``detail`` does not say it."""
    headers = {"Connection": "close"} if close else None
    return Response(body_of(status, code, detail, do, **more), status, headers, MEDIA_TYPE)


def body_of(status: int, code: str, detail: str, do: str = "", **more: Any) -> bytes:
    """The JSON of a problem."""
    document = {
        "type": f"urn:syncd:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **({"do": do} if do else {}),
        **more,
    }
    return msgspec.json.encode(document)


def raw_answer(status: int, code: str, detail: str, do: str = "") -> bytes:
    """A whole HTTP answer, for a connection that never came as far as a request."""
    body = body_of(status, code, detail, do)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def status_of(error: SyncdError) -> int:
    """The HTTP status of an error of ours."""
    if error.code in _REFUSED:
        return 409
    if isinstance(error, Refused) and error.code.startswith(_BAD_INPUT):
        return 400
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


async def of_syncd_error(_request: Request, error: Exception) -> Response:
    """The problem of an error that syncd raised on purpose."""
    if not isinstance(error, SyncdError):
        raise error
    if isinstance(error, ConfigError):
        return _of_config(error)
    if isinstance(error, StoreFailed) or (isinstance(error, StoreBusy) and is_full(error)):
        return _of_store(error)
    return problem(status_of(error), error.code, str(error))


def _of_config(error: ConfigError) -> Response:
    """Each problem stands in ``problems`` and only there."""
    count = len(error.problems)
    return problem(
        status_of(error), error.code,
        f"{error.path or 'The configuration'} cannot be used, the one in force stays: "
        f"{count} problem{'s' if count != 1 else ''}.",
        problems=error.problems,
        do=f"Put it right, then: syncd --check --config {shlex.quote(error.path)}"
        if error.path else "",
    )  # fmt: skip


async def of_store(request: Request, error: Exception) -> Response:
    """The problem of a database that fails; another mistake in a statement is one of syncd."""
    if not is_store_failure(error):
        raise error
    path = request.app.state.service.book.path
    return _of_store(StoreFailed(failure_text(path, error), full=is_full(error)))


def _of_store(error: SyncdError) -> Response:
    log.error("the book's database fails", reason=str(error))
    full = not isinstance(error, StoreFailed) or error.full
    taken = error.taken if isinstance(error, StoreFailed) else 0
    return problem(507 if full else 503, StoreFailed.code, str(error), taken=taken)


async def of_validation(_request: Request, error: Exception) -> Response:
    """The problem of a request whose fields are wrong. Values are not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [_field(item) for item in error.errors()[:_MOST_FIELDS]]
    detail = "; ".join(f"{one['field']}: {one['reason']}" for one in found)
    return problem(
        422, "bad_request", f"The request cannot be used: {detail}.", fields=found,
        do="See /openapi.json for what each call takes.",
    )  # fmt: skip


def _field(item: Any) -> dict[str, str]:
    where: Sequence[Any] = item.get("loc", ())
    return {"field": ".".join(str(part) for part in where), "reason": str(item.get("msg", ""))}


async def of_bad_text(_request: Request, _error: Exception) -> Response:
    """The problem of text that is no text: half of a surrogate pair."""
    return problem(
        422, "bad_request", "A text of the request holds characters that do not exist.",
        do="Send UTF-8.",
    )  # fmt: skip


async def of_mistake(_request: Request, _error: Exception) -> Response:
    """The problem of a mistake in syncd itself; what it was, only the log says."""
    return problem(
        500, "internal_error", "syncd could not do this because of a mistake in itself.",
        do="The daemon's log tells more: journalctl -u syncd",
    )  # fmt: skip


async def of_http(request: Request, error: Exception) -> Response:
    """The problem of a path or method that is not there."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path[:200]
    if error.status_code == 404:
        return problem(
            404, "no_such_path", f"There is no {path} here.",
            do="Perhaps syncctl and syncd are of different versions: compare syncctl doctor.",
        )  # fmt: skip
    if error.status_code == 405:
        return problem(405, "method_not_allowed", f"{request.method} is not possible for {path}.")
    return problem(error.status_code, "bad_request", str(error.detail))
