"""What follows from an answer, or from none: which error, and whether to try again."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from http.client import IncompleteRead
from typing import Final, TypeVar

import requests
from msgspec import Struct
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    TimeoutError as PoolTimeout,
)

from syncd.errors import PanelAnswer, PanelBusy, PanelError, PanelGone, PanelRefused
from syncd.shapes import begin

E = TypeVar("E", bound=PanelError)

TOO_FAST: Final = 429
PASSING: Final = frozenset({408, 425, 429, 499})  # beside all of 5xx
GONE: Final = frozenset({404, 410})

_LOGIN: Final = re.compile(r"log-?in|sign-?in|auth|sso|session", re.IGNORECASE)
_OAUTH_ERROR: Final = re.compile(
    rb'"error"\s*:\s*"(invalid_(?:grant|client|request|scope|token)|unauthorized(?:_client)?|'
    rb'unsupported_grant_type|access_denied)"'
)
# Amazon says 403 of a token that has died, and of a missing role; only the words tell which.
_DEAD_TOKEN: Final = re.compile(rb"access token[^\"]{0,60}?(?:expired|revoked|invalid|malformed)")


class Answer(Struct):
    """A whole answer of the panel."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Trouble(Struct):
    """No good answer. ``again``: trying once more may help; ``sent``: the panel may have acted.

    ``asked`` is the wait in seconds that the panel asked for.
    """

    error: PanelError
    again: bool = False
    sent: bool = False
    asked: float | None = None
    status: int = 0


def judge_status(answer: Answer, where: object, *, for_token: bool) -> Trouble | None:
    """The trouble with an answer's status, None if it is a success."""
    status = answer.status
    if 200 <= status < 300:
        return None
    said = f"{where}: answered {status}"
    if status >= 500 or status in PASSING:
        error = _coded(PanelBusy(f"{said}. It is tried again later."), _busy_code(status))
        return Trouble(error, again=True, status=status)
    if status < 400:
        return Trouble(_redirected(answer, said), status=status)
    if status == 403 and _DEAD_TOKEN.search(answer.body[:4096]):
        status = 401
    return Trouble(_refused(answer, said, for_token=for_token), status=status)


def judge_body(answer: Answer, where: object) -> PanelAnswer | None:
    """The trouble with the kind of a successful answer's body, None if it may be JSON."""
    kind = answer.headers.get("Content-Type", "").lower()
    if "json" in kind and answer.body[:1] in (b"{", b"["):
        return None
    start = answer.body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not answer.body:
        error = PanelAnswer(f"{where}: answered {answer.status} with nothing in it.")
        return _coded(error, "panel_empty")
    if start == b"<" or "html" in kind:
        error = PanelAnswer(
            f"{where}: answered with a page, not with JSON. Is it a login or maintenance page? "
            f"It begins {begin(answer.body)}"
        )
        return _coded(error, "panel_not_json")
    return None


def judge_failure(error: BaseException, where: object, *, overdue: bool) -> Trouble:
    """The trouble when no whole answer came. Only kinds of error are told, never their text."""
    causes = list(_causes(error))
    if _any(causes, ssl.SSLCertVerificationError):
        said = f"{where}: its certificate is not valid for this address; nothing was sent."
        return Trouble(_coded(PanelAnswer(said), "panel_certificate"))
    code, what = _failure(causes, overdue=overdue)
    error_ = PanelBusy(f"{where}: {what}. It is tried again later.")
    before = code in ("panel_unreachable", "panel_unknown_host", "panel_no_connection")
    return Trouble(_coded(error_, code), again=True, sent=not before)


def judge_unsendable(where: object) -> Trouble:
    """The trouble with a call that HTTP cannot carry. Its values may be secrets: none is told."""
    error = PanelRefused(
        f"{where}: nothing was sent, because a header holds a character that is not allowed "
        "there. Does a secret of the account end in a line break?"
    )
    return Trouble(_coded(error, "call_invalid"))


def _failure(causes: list[BaseException], *, overdue: bool) -> tuple[str, str]:
    if _any(causes, NameResolutionError):
        return "panel_unknown_host", "its host name has no address"
    if overdue:
        return "panel_timeout", "the whole answer did not come in time"
    if _any(causes, ConnectionRefusedError):
        return "panel_unreachable", "the connection was refused"
    if _any(causes, NewConnectionError):
        return "panel_unreachable", "there is no way to it"
    if _any(causes, ConnectTimeoutError):
        return "panel_no_connection", "no connection in time"
    if _any(causes, PoolTimeout, TimeoutError, requests.Timeout):
        return "panel_timeout", "no answer in time"
    if _any(causes, IncompleteRead):
        return "panel_cut", "the answer was cut off"
    if _any(causes, ConnectionResetError, BrokenPipeError):
        return "panel_reset", "the connection was broken off"
    return "panel_reset", "the connection failed"


def _causes(error: BaseException) -> list[BaseException]:
    """All errors behind an error, however the libraries wrapped them."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        one = todo.pop()
        if not isinstance(one, BaseException) or one in found:
            continue
        found.append(one)
        todo += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _busy_code(status: int) -> str:
    return "panel_busy" if status in (TOO_FAST, 503) else f"panel_busy_{status}"


def _redirected(answer: Answer, said: str) -> PanelError:
    if _LOGIN.search(answer.headers.get("Location", "")):
        return _coded(
            PanelAnswer(
                f"{said} and sends us to a login page: maintenance, or credentials that are no "
                "good any more. It is tried again later."
            ),
            "panel_login_page",
        )
    return _coded(
        PanelAnswer(f"{said}, a redirect; they are not followed. Check base_url."),
        "panel_redirect",
    )


def _refused(answer: Answer, said: str, *, for_token: bool) -> PanelError:
    status = answer.status
    word = _OAUTH_ERROR.search(answer.body[:4096])
    because = f" ({word.group(1).decode()})" if word else ""
    if for_token and status in (400, 401, 403):
        return PanelRefused(f"{said}{because}: no token. Check the account's credentials.")
    if status == 401:
        return PanelRefused(f"{said}{because}. Check the account's credentials.")
    if status == 403:
        error = PanelRefused(f"{said}{because}: the account may not make this call.")
        return _coded(error, "call_forbidden")
    if status in GONE:
        gone = PanelGone(f"{said}: the panel does not have this call. Is the plugin up to date?")
        gone.status = status
        return gone
    return _coded(PanelAnswer(f"{said}; it begins {begin(answer.body)}"), f"panel_status_{status}")


def _coded(error: E, code: str) -> E:
    error.code = code
    return error
