"""Fault E10: whatever goes wrong, no secret is told."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from syncd.clock import SystemClock
from syncd.errors import PanelError
from syncd.panel import Limits, Panel
from syncd.tokens import Token
from tests.unit.wire import NOON, Reply, Seen, Told, Wire, panel_at

SECRETS = {
    "header": "CANARY-header-1",
    "query": "CANARY-query-2",
    "form": "CANARY-form-3",
    "user": "CANARY-user-4",
    "password": "CANARY-password-5",
    "access": "CANARY-access-6",
    "refresh": "CANARY-refresh-7",
}
EVERY = " ".join(SECRETS.values())


class Grant(Struct):
    access_token: str
    refresh_token: str


GRANT = b'{"access_token": "CANARY-access-6", "refresh_token": "CANARY-refresh-7"}'


def authorise(panel: Panel, old: Token | None) -> Token:
    grant = panel.post(
        "/token",
        shape=Grant,
        form={"secret": SECRETS["form"]},
        basic=(SECRETS["user"], SECRETS["password"]),
        reads=True,
    )
    return panel.new_token(grant.access_token, expires_in=3600, refresh_token=grant.refresh_token)


def echo(status: int, **headers: str) -> Reply:
    """A panel that says back everything it was told, in every place it can."""
    body = f'{{"error": "{EVERY}", "{EVERY}": 1, "ok": "{EVERY}"}}'.encode()
    return Reply(status=status, body=body, headers=headers)


def page(text: str) -> Reply:
    return Reply(body=f"<html>{text}</html>".encode(), headers={"Content-Type": "text/html"})


ANSWERS: dict[str, Callable[[], Reply]] = {
    "bad request": lambda: echo(400),
    "unauthorised": lambda: echo(401),
    "forbidden": lambda: echo(403),
    "gone": lambda: echo(404),
    "too fast": lambda: echo(429),
    "failing": lambda: echo(500),
    "wrong shape": lambda: echo(200),
    "redirect": lambda: echo(302, Location=f"https://x.example/login?{EVERY.replace(' ', '&')}"),
    "page": lambda: page(EVERY),
    "half": lambda: Reply(body=f'{{"ok": "{EVERY}'.encode()),
    "cut": lambda: Reply(body=f'{{"ok": "{EVERY}"}}'.encode(), cut=20),
    "packing": lambda: Reply(headers={"Content-Encoding": SECRETS["access"]}),
    "charset": lambda: Reply(headers={"Content-Type": f"a/json; charset={SECRETS['access']}"}),
    "reset": lambda: Reply(reset=True),
    "hang": lambda: Reply(hang=True),
    "bad header": lambda: Reply(headers={"Content-Length": SECRETS["query"]}),
}


class Ok(Struct):
    ok: bool


LIMITS = Limits(connect=0.3, read=0.3, total=0.6, retries=1)


def everything_told(panel: Panel, told: Told, call: Callable[[], Any]) -> str:
    """All text that can reach a log or a person when the call fails."""
    with pytest.raises(PanelError) as caught:
        call()
    error = caught.value
    chain = []
    one: BaseException | None = error
    while one is not None:
        chain += [str(one), repr(one), repr(one.args), repr(vars(one))]
        one = one.__cause__ or one.__context__
    # Only the last line: the lines of source above it are ours, not the program's words.
    chain += traceback.format_exception_only(error)
    return " ".join([*chain, repr(panel), str(panel), repr(told.lines)])


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("at", ["call", "token"])
def test_fault_E10_no_answer_brings_a_secret_to_light(kind: str, at: str) -> None:
    def script(request: Seen) -> Reply:
        if request.path.startswith("/token"):
            return ANSWERS[kind]() if at == "token" else Reply(body=GRANT)
        return ANSWERS[kind]()

    told = Told()
    with Wire(script) as wire:
        panel = panel_at(wire.url, clock=SystemClock(), limits=LIMITS, log=told, jitter=0.0)
        text = everything_told(
            panel,
            told,
            lambda: panel.get(
                "/v3/x",
                shape=Ok,
                params={"key": SECRETS["query"], "page": 1},
                headers={"X-Key": SECRETS["header"]},
                authorise=authorise,
            ),
        )
    for name, secret in SECRETS.items():
        assert secret not in text, name
    assert "fk-main" in text


def test_fault_E10_no_dead_connection_brings_a_secret_to_light() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "https://panel.invalid"):
        told = Told()
        panel = panel_at(url, limits=LIMITS, log=told)
        text = everything_told(
            panel,
            told,
            lambda panel=panel: panel.follow(  # type: ignore[misc]
                f"/next?token={SECRETS['query']}",
                shape=Ok,
                headers={"X-Key": SECRETS["header"]},
            ),
        )
        assert "CANARY" not in text
        assert "panel_retry" in text


def test_fault_E10_the_canaries_do_reach_the_panel() -> None:
    with Wire(
        lambda request: Reply(body=GRANT if "token" in request.path else b'{"ok":true}')
    ) as w:
        panel_at(w.url).get("/x", shape=Ok, params={"key": SECRETS["query"]}, authorise=authorise)
        panel = panel_at(w.url)
    token, call = w.seen
    assert SECRETS["form"] in token.body.decode()
    assert call.headers["authorization"] == f"Bearer {SECRETS['access']}"
    assert SECRETS["query"] in call.path
    assert repr(panel) == f"Panel('{w.url}', account='fk-main')"
    assert panel.server_now() == NOON
