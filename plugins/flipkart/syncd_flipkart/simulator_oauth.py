"""The simulator's token endpoint: three grants, Basic authorisation, lives and deaths of tokens."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlencode

from msgspec import Struct

from syncd.testing import Clock, Ids, Problem, Reply, Request, json_reply

TOKEN_PATH: Final = "/oauth-service/oauth/token"
AUTHORIZE_PATH: Final = "/oauth-service/oauth/authorize"
SCOPE: Final = "Seller_Api"

RefreshUse = Literal["reusable", "one-use"]


class App(Struct, frozen=True):
    """An app that may ask for tokens, and the seller whose panel it opens."""

    client_id: str
    client_secret: str
    seller_id: str


class _Access(Struct):
    app: App
    expires_at: datetime


class Grants:
    """Apps and the tokens that they hold. Tokens live by the given clock.

    ``refresh_use`` "one-use" lets a refresh token die when it is used; the answer then brings
    the next one.
    """

    def __init__(
        self,
        clock: Clock,
        ids: Ids,
        *,
        token_life: timedelta = timedelta(days=60),
        refresh_life: timedelta = timedelta(days=180),
        refresh_use: RefreshUse = "reusable",
    ) -> None:
        self.token_life = token_life
        self.refresh_life = refresh_life
        self.refresh_use: RefreshUse = refresh_use
        self._clock = clock
        self._ids = ids
        self._made = 0
        self._apps: dict[str, App] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Access] = {}
        self._codes: dict[str, App] = {}

    def add_app(self, client_id: str, client_secret: str, seller_id: str) -> App:
        """Let an app in; the same id again replaces the secret."""
        self._apps[client_id] = App(client_id, client_secret, seller_id)
        return self._apps[client_id]

    def consent(self, client_id: str) -> str:
        """What a seller's consent gives in the end: a refresh token for this app."""
        return self._new_refresh(self._apps[client_id])

    def expire(self) -> None:
        """Let every access token die at once; refresh tokens live on."""
        self._access.clear()

    def revoke(self, client_id: str) -> None:
        """Let all tokens of this app die, refresh tokens too."""
        for kept in (self._access, self._refresh):
            for token in [key for key, one in kept.items() if one.app.client_id == client_id]:
                del kept[token]

    def app_of(self, request: Request) -> App:
        """The app behind a request's bearer token, or a 401 answer."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(refusal("unauthorized", "An access token is needed"))
        access = self._access.get(token)
        if access is None or access.expires_at <= self._clock.now():
            # The real panel's message holds the token too: a client must not log it.
            raise Problem(refusal("invalid_token", f"Invalid access token: {token}"))
        return access.app

    def token(self, request: Request) -> Reply:
        """Answer the token endpoint."""
        app = self._basic(request)
        grant = request.query.get("grant_type", "")
        if grant == "client_credentials":
            if SCOPE not in request.query.get("scope", "").split(","):
                return refusal("invalid_scope", f"scope must hold {SCOPE}", 400)
            return self._answer(app, "")
        if grant == "refresh_token":
            return self._refreshed(app, request.query.get("refresh_token", ""))
        if grant == "authorization_code":
            if self._codes.pop(request.query.get("code", ""), None) != app:
                return refusal("invalid_grant", "Invalid authorization code", 400)
            return self._answer(app, self._new_refresh(app))
        return refusal("unsupported_grant_type", "Unsupported grant type", 400)

    def authorize(self, request: Request) -> Reply:
        """The consent page; here the seller says yes at once and is sent back with a code."""
        app = self._apps.get(request.query.get("client_id", ""))
        back = request.query.get("redirect_uri", "")
        if app is None or not back or request.query.get("response_type") != "code":
            return refusal("invalid_request", "client_id, redirect_uri, response_type=code", 400)
        code = self._name("code")
        self._codes[code] = app
        answer = {"code": code, "state": request.query.get("state", "")}
        return Reply(302, b"", headers={"Location": f"{back}?{urlencode(answer)}"})

    def _basic(self, request: Request) -> App:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client_id, secret = "", ""
        app = self._apps.get(client_id)
        if scheme.lower() != "basic" or app is None or app.client_secret != secret:
            raise Problem(refusal("unauthorized", "Bad client credentials"))
        return app

    def _refreshed(self, app: App, token: str) -> Reply:
        kept = self._refresh.get(token)
        if kept is None or kept.app != app or kept.expires_at <= self._clock.now():
            return refusal("invalid_grant", f"Invalid refresh token: {token}", 400)
        if self.refresh_use == "one-use":
            del self._refresh[token]
            token = self._new_refresh(app)
        return self._answer(app, token)

    def _answer(self, app: App, refresh_token: str) -> Reply:
        now = self._clock.now()
        token, access = self._living(app, now) or self._new_access(app, now)
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int((access.expires_at - now).total_seconds()),
            "scope": SCOPE,
        }
        if refresh_token:
            answer["refresh_token"] = refresh_token
        return json_reply(answer)

    def _living(self, app: App, now: datetime) -> tuple[str, _Access] | None:
        # A token that still lives is handed out again, with the time that is left to it.
        for token, access in self._access.items():
            if access.app == app and access.expires_at - now >= timedelta(seconds=1):
                return token, access
        return None

    def _new_access(self, app: App, now: datetime) -> tuple[str, _Access]:
        token, access = self._name("access"), _Access(app, now + self.token_life)
        self._access[token] = access
        return token, access

    def _new_refresh(self, app: App) -> str:
        token = self._name("refresh")
        self._refresh[token] = _Access(app, self._clock.now() + self.refresh_life)
        return token

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._ids.number(kind, self._made):032x}"


def refusal(error: str, description: str, status: int = 401) -> Reply:
    """An OAuth error in the form of the real one."""
    return json_reply({"error": error, "error_description": description}, status)
