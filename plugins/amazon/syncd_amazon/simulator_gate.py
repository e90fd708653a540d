"""Who may ask the pretend Amazon, and how often: Login with Amazon, restricted data, the rates."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from syncd.testing import BadRequest, Clock, Problem, Reply, Request, World, json_reply

RATES: Final[Mapping[str, tuple[float, int]]] = {
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "getOrders": (0.0167, 20),
    "getOrderItems": (0.5, 30),
    "getOrderAddress": (0.5, 30),
    "getOrderBuyerInfo": (0.5, 30),
    "getOrderItemsBuyerInfo": (0.5, 30),
    "getScheduledPackage": (1.0, 5),
    "createReport": (0.0167, 15),
    "getReport": (2.0, 15),
    "getReports": (0.0222, 10),
    "cancelReport": (0.0222, 10),
    "getReportDocument": (0.0167, 15),
    "listReturns": (10.0, 20),
    "getReturn": (10.0, 20),
    "createRestrictedDataToken": (1.0, 10),
    "getMarketplaceParticipations": (0.016, 15),
}
CODES: Final = {
    400: ("InvalidInput", "Invalid Input"),
    401: ("Unauthorized", "Access to requested resource is denied."),
    403: ("Unauthorized", "Access to requested resource is denied."),
    404: ("NotFound", "The requested resource is not found."),
    429: ("QuotaExceeded", "You exceeded your quota for the requested resource."),
    500: ("InternalFailure", "We encountered an internal error. Please try again."),
    503: ("ServiceUnavailable", "Service is temporarily unavailable. Please try again."),
}
OF_BUYERS: Final = ("address", "buyerInfo")
"""The last parts of paths that only a restricted data token opens."""
ROUNDING: Final = 1e-6
"""Of a call: who waits for just as long as a rate says is not refused."""
RATED: Final = (200, 202, 400, 404)
"""The statuses with which the models declare the rate's header."""


def error_reply(status: int, details: str, code: str = "") -> Reply:
    """An error in the panel's form; its messages are always the same, details tell more."""
    usual, told = CODES.get(status, ("InternalFailure", details))
    error = {"code": code or usual, "message": told, "details": details}
    return json_reply({"errors": [error]}, status)


class Resource(Struct, frozen=True):
    """What a restricted data token is for; parts of the path in braces stand for anything."""

    method: str
    path: str
    elements: tuple[str, ...] = ()

    def opens(self, method: str, path: str) -> bool:
        """Whether a call of this method and path is meant."""
        wanted, given = self.path.split("/"), path.split("/")
        fits = all(a == b or a.startswith("{") for a, b in zip(wanted, given, strict=False))
        return self.method == method and len(wanted) == len(given) and fits


class Caller(Struct, frozen=True):
    """Who asks, and which of a buyer's data elements the answer may hold."""

    seller_id: str
    elements: frozenset[str] = frozenset()


class _Given(Struct, frozen=True):
    seller_id: str
    until: datetime
    resources: tuple[Resource, ...] = ()


class Gate:
    """Gives tokens for refresh tokens, and keeps a token bucket for each seller and operation."""

    def __init__(self, world: World, clock: Clock, *, token_life: timedelta, limits: bool) -> None:
        self.client_id = "amzn1.application-oa2-client.simulated"
        self.client_secret = "simulated-secret"
        self.refresh_tokens = {f"Atzr|simulated-{one}": one for one in world.sellers}
        self.limits = limits
        self._clock = clock
        self._life = token_life
        self._tokens: dict[str, _Given] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def expire(self) -> None:
        """Let every access token die."""
        self._tokens.clear()

    def token(self, request: Request) -> Reply:
        """The answer of Login with Amazon, which takes a form or JSON."""
        try:
            form = _fields(request)
        except BadRequest:
            return _lwa_error(400, "invalid_request", "The request is malformed")
        grant = form.get("grant_type")
        if not grant:
            return _lwa_error(400, "invalid_request", "The request lacks grant_type")
        known = self.client_id, self.client_secret
        if (form.get("client_id"), form.get("client_secret")) != known:
            return _lwa_error(401, "invalid_client", "Client authentication failed")
        seller_id: str | None = ""
        if grant == "refresh_token":
            seller_id = self.refresh_tokens.get(form.get("refresh_token", ""))
        elif grant != "client_credentials" or not form.get("scope"):
            return _lwa_error(400, "unsupported_grant_type", "The grant type is not supported")
        if seller_id is None:
            return _lwa_error(
                400, "invalid_grant", "The request has an invalid grant parameter : refresh_token"
            )
        answer: dict[str, Any] = {
            "access_token": self._new("Atza|", seller_id),
            "token_type": "bearer",
            "expires_in": int(self._life.total_seconds()),
        }
        if grant == "refresh_token":
            answer["refresh_token"] = form["refresh_token"]
        return json_reply(answer)

    def _new(self, form: str, seller_id: str, resources: Sequence[Resource] = ()) -> str:
        token = f"{form}{secrets.token_urlsafe(40)}"
        until = self._clock.now() + self._life
        self._tokens[token] = _Given(seller_id, until, tuple(resources))
        return token

    def restricted(self, seller_id: str, resources: Sequence[Resource]) -> Reply:
        """A token that opens these resources and nothing else."""
        token = self._new("Atz.sprdt|", seller_id, resources)
        life = int(self._life.total_seconds())
        return json_reply({"restrictedDataToken": token, "expiresIn": life})

    def caller(self, request: Request, path: str) -> Caller:
        """Whose access token the request carries; a Problem with 403 where none is good."""
        token = request.headers.get("x-amz-access-token", "")
        known = self._tokens.get(token)
        if not token:
            raise Problem(error_reply(403, "Access token is missing in the request header."))
        if known is None:
            told = "The access token you provided is revoked, malformed or invalid."
            raise Problem(error_reply(403, told))
        if known.until <= self._clock.now():
            raise Problem(error_reply(403, "The access token you provided has expired."))
        if not known.resources:
            return Caller(known.seller_id)
        for one in known.resources:
            if one.opens(request.method, path):
                last = path.rpartition("/")[2]
                own = {last} if last in OF_BUYERS else set()
                return Caller(known.seller_id, frozenset({*one.elements, *own}))
        raise Problem(error_reply(403, "The restricted data token is for other resources."))

    def spend(self, seller_id: str, operation: str) -> None:
        """Take one call out of the bucket; a Problem with 429 where it is empty."""
        if not self.limits:
            return
        rate, burst = RATES[operation]
        now = self._clock.monotonic()
        left, at = self._buckets.get((seller_id, operation), (float(burst), now))
        left = min(float(burst), left + (now - at) * rate)
        full = left > 1 - ROUNDING
        self._buckets[seller_id, operation] = (left - 1 if full else left), now
        if not full:
            raise Problem(error_reply(429, ""))


def marked(reply: Reply, operation: str) -> Reply:
    """The reply with the headers that the panel adds to an answer."""
    reply.headers["x-amzn-RequestId"] = secrets.token_hex(16)
    if reply.status in RATED and operation in RATES:
        reply.headers["x-amzn-RateLimit-Limit"] = str(RATES[operation][0])
    return reply


def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "")
    return request.json(dict[str, str]) if "json" in kind else request.form()


def _lwa_error(status: int, error: str, words: str) -> Reply:
    return json_reply({"error": error, "error_description": words}, status)
