"""What a simulated panel is asked, and what it answers.

A simulator reads a request by the methods here: what cannot be read so is a :class:`BadRequest`,
which the server answers as the panel answers any bad request, with its ``error(400, ...)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, field

from syncd.testing.faults import Fault

T = TypeVar("T")

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


class BadRequest(Exception):
    """Raised inside ``answer`` where the panel would refuse what it was asked; says why."""


class Request(Struct):
    """One request: ``target`` is path with query, header names are in lower case.

    ``fault`` is set where the script wants a fault that only the simulator can make.
    """

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    fault: Fault | None = None

    def asks(self, deed: str) -> bool:
        """Whether the fault script wants this deed of this answer."""
        return self.fault is not None and self.fault.do == deed

    def number(self, name: str, default: int | None = None, *, least: int = 0) -> int:
        """The whole number of the query under ``name``. Raises BadRequest."""
        text = self.query.get(name)
        if text is None and default is not None:
            return default
        if text is None or not _WHOLE.fullmatch(text) or int(text) < least:
            raise BadRequest(f"{name} must be a whole number, {least} or more")
        return int(text)

    def moment(self, name: str, zone: tzinfo | None = None) -> datetime:
        """The ISO 8601 time of the query under ``name``, in ``zone`` where it has no offset.
        Raises BadRequest, also for a time without offset where there is no ``zone``."""
        try:
            moment = datetime.fromisoformat(self.query.get(name, ""))
        except ValueError:
            raise BadRequest(f"{name} must be an ISO 8601 time") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        if moment.tzinfo is None or not 1900 < moment.year < 9000:
            raise BadRequest(f"{name} must be a time with its offset, of these years")
        return moment

    def json(self, shape: type[T]) -> T:
        """The body, which is JSON of this shape. Raises BadRequest."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise BadRequest(f"the body cannot be read: {error}") from None

    def form(self) -> dict[str, str]:
        """The fields of the body, which is an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def fields(self) -> dict[str, str]:
        """The fields of the body, a form or a JSON object of texts. Raises BadRequest."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return self.form() if kind == FORM else self.json(dict[str, str])


class Reply(Struct):
    """One answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def json_reply(content: object, status: int = 200) -> Reply:
    """An answer with ``content`` as JSON."""
    return Reply(status, msgspec.json.encode(content))


class Problem(Exception):
    """Raised inside ``answer`` to end the request with this reply."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(f"answered {reply.status}")
