"""Who may ask the pretend Amazon, and how often: Login with Amazon, and the rates."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from syncd.testing import Clock, Problem, Reply, Request, World, json_reply

RATES: Final[Mapping[str, tuple[float, int]]] = {
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "getOrders": (0.0167, 20),
    "getOrderItems": (0.5, 30),
    "getScheduledPackage": (1.0, 5),
    "createReport": (0.0167, 15),
    "getReport": (2.0, 15),
    "getReports": (0.0222, 10),
    "getReportDocument": (0.0167, 15),
    "listReturns": (10.0, 20),
    "getReturn": (10.0, 20),
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


def error_reply(status: int, details: str) -> Reply:
    """An error in the panel's form; its messages are always the same, details tell more."""
    code, told = CODES.get(status, ("InternalFailure", details))
    return json_reply({"errors": [{"code": code, "message": told, "details": details}]}, status)


class Gate:
    """Gives tokens for refresh tokens, and keeps a token bucket for each seller and operation."""

    def __init__(self, world: World, clock: Clock, *, token_life: timedelta, limits: bool) -> None:
        self.client_id = "amzn1.application-oa2-client.simulated"
        self.client_secret = "simulated-secret"
        self.refresh_tokens = {f"Atzr|simulated-{one}": one for one in world.sellers}
        self.limits = limits
        self._clock = clock
        self._life = token_life
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def expire(self) -> None:
        """Let every access token die."""
        self._tokens.clear()

    def token(self, request: Request) -> Reply:
        """The answer of Login with Amazon."""
        form = request.form()
        known = self.client_id, self.client_secret
        if (form.get("client_id"), form.get("client_secret")) != known:
            return _lwa_error(401, "invalid_client", "Client authentication failed")
        grant = form.get("grant_type")
        seller_id: str | None = ""
        if grant == "refresh_token":
            seller_id = self.refresh_tokens.get(form.get("refresh_token", ""))
        elif grant != "client_credentials" or not form.get("scope"):
            return _lwa_error(400, "unsupported_grant_type", "The grant type is not supported")
        if seller_id is None:
            return _lwa_error(
                400, "invalid_grant", "The request has an invalid grant parameter : refresh_token"
            )
        token = f"Atza|{secrets.token_urlsafe(40)}"
        self._tokens[token] = seller_id, self._clock.now() + self._life
        answer: dict[str, Any] = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(self._life.total_seconds()),
        }
        if grant == "refresh_token":
            answer["refresh_token"] = form["refresh_token"]
        return json_reply(answer)

    def seller(self, request: Request) -> str:
        """Whose access token the request carries; a Problem with 403 where none is good."""
        token = request.headers.get("x-amz-access-token", "")
        known = self._tokens.get(token)
        if not token:
            raise Problem(error_reply(403, "Access token is missing in the request header."))
        if known is None:
            told = "The access token you provided is revoked, malformed or invalid."
            raise Problem(error_reply(403, told))
        if known[1] <= self._clock.now():
            raise Problem(error_reply(403, "The access token you provided has expired."))
        return known[0]

    def spend(self, seller_id: str, operation: str) -> None:
        """Take one call out of the bucket; a Problem with 429 where it is empty."""
        if not self.limits:
            return
        rate, burst = RATES[operation]
        now = self._clock.monotonic()
        left, at = self._buckets.get((seller_id, operation), (float(burst), now))
        left = min(float(burst), left + (now - at) * rate)
        self._buckets[seller_id, operation] = (left - 1 if left >= 1 else left), now
        if left < 1:
            raise Problem(error_reply(429, ""))


def marked(reply: Reply, operation: str) -> Reply:
    """The reply with the headers that the panel adds to an answer."""
    reply.headers["x-amzn-RateLimit-Limit"] = str(RATES[operation][0])
    reply.headers["x-amzn-RequestId"] = secrets.token_hex(16)
    return reply


def _lwa_error(status: int, error: str, words: str) -> Reply:
    return json_reply({"error": error, "error_description": words}, status)
