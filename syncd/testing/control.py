"""The control surface of a simulator: move the world, write the fault script, ask the truth.

====== =================== ================================================================
method path                does
====== =================== ================================================================
POST   /control/<verb>     calls a verb of the world; the JSON body holds its arguments
GET    /control/truth      per order and line, how many pieces stand where
GET    /control/orders     every order, one JSON object a line
GET    /control/history    every event so far
GET    /control/faults     the faults to come; POST one or a list adds, DELETE clears
POST   /control/conditions ``skew_seconds`` and ``lag_seconds``
GET    /control/clock      the time here; POST ``{"advance": seconds}`` moves a hand clock
GET    /control/requests   the request log (answered by the server itself)
POST   /control/publish    people make the report files of now
====== =================== ================================================================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from msgspec import Meta, Struct

from syncd.clock import Clock, HandClock
from syncd.errors import SyncdError
from syncd.testing.faults import Fault, FaultScript
from syncd.testing.things import LineSpec, Order, Return
from syncd.testing.world import VERBS, World

Answer = tuple[int, bytes, str]  # status, body, content type

FARTHEST: Final = 10 * 365 * 86_400.0
"""Seconds that a clock may be off, or be moved by, at most."""
_YEARS: Final = range(1971, 2200)
_STATUSES: Final = range(200, 600)
_TIMES: Final = ("at", "ship_after", "ship_by")


class _Line(LineSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line as it is posted."""


_Pieces = Annotated[int, Meta(ge=1)]
# Where the annotation of a verb says too much or too little of what JSON may hold.
_SHAPES: Final[Mapping[str, Any]] = {
    "lines": Annotated[list[_Line | tuple[str, _Pieces]], Meta(min_length=1)],
    "split": list[Annotated[list[tuple[int, _Pieces]], Meta(min_length=1)]] | None,
    "event": str,
}
_SAYS: Final[Mapping[str, str]] = {
    "lines": 'a list of lines, such as [{"sku": "MUG", "quantity": 2}] or [["MUG", 2]]',
    "split": "a list for each parcel, of pairs of a line's number (from 0) and its pieces in that "
    "parcel, such as [[[0, 1]], [[0, 1]]] for two pieces in two parcels",
}


class _Conditions(Struct, forbid_unknown_fields=True):
    skew_seconds: Annotated[float, Meta(ge=-FARTHEST, le=FARTHEST)] | None = None
    lag_seconds: Annotated[float, Meta(ge=0, le=FARTHEST)] | None = None


class _Advance(Struct, forbid_unknown_fields=True):
    advance: Annotated[float, Meta(ge=0, le=FARTHEST)]


class _Nothing(Struct, forbid_unknown_fields=True):
    """A call that takes no arguments."""


class ControlError(SyncdError):
    """The control call cannot be done; ``status`` is the HTTP status that says so."""

    code = "control_refused"

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class Control:
    """Answers the calls under ``/control/``; bad ones with a sentence and status 4xx."""

    def __init__(
        self, world: World, clock: Clock, faults: FaultScript, publish: Callable[[], None]
    ) -> None:
        self._world = world
        self._publishes = publish
        self._clock = clock
        self._faults = faults
        self._calls: dict[tuple[str, str], Callable[[Mapping[str, str], bytes], object]] = {
            ("GET", "truth"): self._truth,
            ("GET", "history"): lambda query, body: self._world.history,
            ("GET", "faults"): lambda query, body: self._faults.pending(),
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "conditions"): self._conditions,
            ("GET", "clock"): lambda query, body: {"now": self._clock.now()},
            ("POST", "clock"): self._advance,
            ("POST", "publish"): self._publish,
        }

    def call(self, method: str, name: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Do one call; ``name`` is the path below ``/control/``."""
        if (method, name) == ("GET", "orders"):
            return 200, self._orders(), "application/x-ndjson"
        try:
            if (method, name) in self._calls:
                result = self._calls[method, name](query, body)
            elif method == "POST" and name in VERBS:
                result = self._verb(name, body)
            else:
                raise ControlError(f"no control call {method} {name!r}", 404)
        except ControlError as error:
            return error.status, _sentence(error), "application/json"
        except (SyncdError, msgspec.MsgspecError) as error:
            return 400, _sentence(error), "application/json"
        return 200, msgspec.json.encode(result), "application/json"

    def _verb(self, name: str, body: bytes) -> object:
        verb = getattr(self._world, name)
        arguments = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        takes = inspect.signature(verb)
        if any(one.kind is one.VAR_KEYWORD for one in takes.parameters.values()):
            takes = inspect.signature(getattr(World, name).__get__(self._world))
        try:
            takes.bind(**arguments)
        except TypeError as error:
            raise ControlError(f"{name}: {error}; it takes {takes}") from None
        return _described(verb(**{key: _argument(name, key, arguments[key]) for key in arguments}))

    def _truth(self, query: Mapping[str, str], body: bytes) -> object:
        truth = self._world.truth(seller_id=query.get("seller_id", ""))
        return [
            {"order_id": order_id, "line_id": line_id, "words": dict(words)}
            for (order_id, line_id), words in truth.items()
        ]

    def _orders(self) -> bytes:
        with self._world.lock:
            rows = [msgspec.json.encode(_order(one)) for one in self._world.orders.values()]
        return b"".join(row + b"\n" for row in rows)

    def _add_faults(self, query: Mapping[str, str], body: bytes) -> object:
        posted = msgspec.json.decode(body, type=Fault | list[Fault])
        faults = posted if isinstance(posted, list) else [posted]
        for fault in faults:
            _check_fault(fault)
        self._faults.add(*faults)
        return self._faults.pending()

    def _clear_faults(self, query: Mapping[str, str], body: bytes) -> object:
        self._faults.clear()
        return []

    def _conditions(self, query: Mapping[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Conditions)
        if wish.skew_seconds is not None:
            self._faults.skew_seconds = wish.skew_seconds
        if wish.lag_seconds is not None:
            self._faults.lag_seconds = wish.lag_seconds
        return _Conditions(self._faults.skew_seconds, self._faults.lag_seconds)

    def _publish(self, query: Mapping[str, str], body: bytes) -> object:
        try:
            msgspec.json.decode(body or b"{}", type=_Nothing)
        except msgspec.MsgspecError as error:
            raise ControlError(f"publish: it takes no arguments ({error})") from None
        if query:
            raise ControlError(f"publish: it takes no arguments, but has {sorted(query)}")
        self._publishes()
        return {"published": True}

    def _advance(self, query: Mapping[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Advance)
        if not isinstance(self._clock, HandClock):
            raise ControlError("this simulator runs on the machine's clock; it cannot move", 409)
        span = timedelta(seconds=wish.advance)
        if (self._clock.now() + span).year not in _YEARS:
            raise ControlError(f"advance: {wish.advance} ends after the year {_YEARS[-1]}")
        self._clock.advance(span)
        return {"now": self._clock.now()}


def _sentence(error: Exception) -> bytes:
    return msgspec.json.encode({"error": str(error)})


def _argument(verb: str, key: str, value: Any) -> Any:
    """An argument as the verb takes it. Raises ControlError with what is expected."""
    if key in _TIMES:
        return _moment(key, value)
    try:
        return msgspec.convert(value, _shapes(verb).get(key, Any))
    except msgspec.ValidationError as error:
        said = f"; it is {_SAYS[key]}" if key in _SAYS else ""
        raise ControlError(f"{verb}: {key}: {error}{said}") from None


@cache
def _shapes(verb: str) -> Mapping[str, Any]:
    return {**get_type_hints(getattr(World, verb)), **_SHAPES}


def _moment(key: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ControlError(f"{key}: {value!r} is no ISO 8601 time") from None
    if moment.tzinfo is None:
        raise ControlError(f"{key}: {value!r} has no offset from UTC")
    if moment.year not in _YEARS:
        raise ControlError(
            f"{key}: {value!r} is no time that can be played; the years are {_YEARS[0]} to "
            f"{_YEARS[-1]}"
        )
    return moment


def _check_fault(fault: Fault) -> None:
    """Raise ControlError unless a client could take the answer for HTTP."""
    if fault.status and fault.status not in _STATUSES:
        raise ControlError(
            f"status: {fault.status} is no status of an answer; it is {_STATUSES[0]} to "
            f"{_STATUSES[-1]}, or 0 for that of the deed"
        )
    for name, value in fault.headers.items():
        if not name or any(mark in name + value for mark in "\r\n\0"):
            raise ControlError(f"headers: {name!r}: {value!r} is no line of a header")


def _order(order: Order) -> object:
    lines = [
        {"line_id": line.line_id, "sku": line.sku, "quantity": len(line.pieces)}
        for line in order.lines
    ]
    return {
        "order_id": order.order_id,
        "placed_at": order.placed_at,
        "location_id": order.location_id,
        "lines": lines,
        "shipments": order.shipment_ids,
    }


def _described(result: object) -> object:
    if isinstance(result, Order):
        return _order(result)
    if isinstance(result, Return):
        return {"return_id": result.return_id, "state": result.state}
    if isinstance(result, list):
        return [_described(one) for one in result]
    return {"moved": result}
