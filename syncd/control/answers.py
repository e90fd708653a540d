"""Answers as JSON, straight from the book's plain data."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response


def answer(data: Any, status: int = 200) -> Response:
    """``data`` as JSON; dataclasses, structs and aware times come out as they are named."""
    return Response(msgspec.json.encode(data), status, media_type="application/json")


def listed(name: str, rows: Any) -> Response:
    """A list under its name, so that an answer can grow further fields."""
    return answer({name: rows})
