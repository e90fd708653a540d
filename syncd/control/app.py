"""The API as an ASGI application: the routes, the problems, and the guard before them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import syncd
from syncd.control import (
    api_audits,
    api_daemon,
    api_exceptions,
    api_goods,
    api_orders,
    api_reports,
    api_runs,
    api_ship,
    problems,
)
from syncd.control.guard import Guard
from syncd.control.peer import own_uid
from syncd.control.service import Service
from syncd.control.storing import DATABASE_ERRORS
from syncd.errors import SyncdError


def make_app(
    service: Service,
    operators: Callable[[], Collection[int]],
    *,
    daemon_uid: Callable[[], int] = own_uid,
) -> ASGIApp:
    """The whole application. ``operators`` is asked anew for each change."""
    api = FastAPI(
        title="syncd",
        version=syncd.__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,  # no browser comes here, so a body is JSON unless it says
    )
    api.state.service = service
    api.add_exception_handler(SyncdError, problems.of_syncd_error)
    api.add_exception_handler(RequestValidationError, problems.of_validation)
    api.add_exception_handler(HTTPException, problems.of_http)
    api.add_exception_handler(UnicodeEncodeError, problems.of_bad_text)
    for failure in DATABASE_ERRORS:
        api.add_exception_handler(failure, problems.of_store)
    api.add_exception_handler(Exception, problems.of_mistake)
    for module in (
        api_daemon, api_runs, api_orders, api_goods, api_exceptions, api_ship, api_audits,
        api_reports,
    ):  # fmt: skip
        api.include_router(module.router)
    return Guard(api, own_uid=daemon_uid(), operators=operators, closed=service.closed)
