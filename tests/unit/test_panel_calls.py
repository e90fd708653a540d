"""What a call sends, what it gives back, and which answers are refused."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from msgspec import Struct

from syncd.clock import HandClock
from syncd.errors import (
    ConfigError,
    PanelAnswer,
    PanelError,
    PanelGone,
    PanelRefused,
    PluginError,
)
from syncd.panel import Limits, Panel
from syncd.tokens import MemoryTokens, Token
from tests.unit.wire import NOON, Reply, Seen, Wire, panel_at, said


class Ok(Struct):
    ok: bool


def test_a_get_sends_what_it_should() -> None:
    with Wire() as wire:
        panel = panel_at(wire.url)
        answer = panel.get(
            "/v3/x", shape=Ok, params={"a": "b c", "list": [1, 2], "no": None}, headers={"X-A": "1"}
        )
    seen = wire.seen[0]
    assert answer.ok
    assert (seen.method, seen.path) == ("GET", "/v3/x?a=b+c&list=1&list=2")
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["user-agent"].startswith("syncd/")
    assert seen.headers["x-a"] == "1"
    assert "authorization" not in seen.headers
    assert panel.calls == 1


def test_a_post_sends_json_or_a_form() -> None:
    with Wire() as wire:
        panel = panel_at(wire.url)
        panel.post("/json", shape=Ok, body={"filter": {"type": "postDispatch"}})
        panel.post("/form", shape=Ok, form={"grant_type": "refresh_token"})
        panel.post("/bare", shape=Ok)
    first, second, third = wire.seen
    assert json.loads(first.body) == {"filter": {"type": "postDispatch"}}
    assert first.headers["content-type"] == "application/json"
    assert second.body == b"grant_type=refresh_token"
    assert second.headers["content-type"] == "application/x-www-form-urlencoded"
    assert third.headers["content-length"] == "0"


def test_basic_sends_user_and_password() -> None:
    with Wire() as wire:
        panel_at(wire.url).get("/token", shape=Ok, basic=("app", "s\u00e9cret"))
    kind, pair = wire.seen[0].headers["authorization"].split()
    assert kind == "Basic"
    assert b64decode(pair).decode() == "app:s\u00e9cret"


def test_a_call_without_a_token_may_go_to_another_address() -> None:
    with Wire() as wire:
        panel = panel_at("https://panel.invalid")
        assert panel.get(f"{wire.url}/auth/token", shape=Ok, basic=("app", "secret")).ok
    assert wire.paths == ["/auth/token"]


def test_bytes_gives_the_body_as_it_is() -> None:
    with Wire([Reply(body=b"a\tb\n", headers={"Content-Type": "text/tsv"})]) as wire:
        assert panel_at(wire.url).get("/report", shape=bytes) == b"a\tb\n"


def test_calls_share_one_connection() -> None:
    with Wire() as wire:
        panel = panel_at(wire.url)
        for _ in range(5):
            panel.get("/x", shape=Ok)
        assert len(wire._open) == 1
        panel.close()


def test_cookies_are_not_kept() -> None:
    with Wire([Reply(headers={"Set-Cookie": "session=1; Path=/"})]) as wire:
        panel = panel_at(wire.url)
        panel.get("/x", shape=Ok)
        panel.get("/x", shape=Ok)
    assert "cookie" not in wire.seen[1].headers


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Wire() as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok


def test_a_proxy_that_is_handed_in_is_used() -> None:
    with Wire() as wire:
        panel = Panel(
            "http://127.0.0.1:1",
            account="fk-main",
            clock=HandClock(NOON),
            tokens=MemoryTokens(),
            proxies={"http": wire.url},
        )
        assert panel.get("/x", shape=Ok).ok
    assert wire.paths == ["http://127.0.0.1:1/x"]


def test_the_panels_clock_is_read_from_its_date() -> None:
    with Wire([Reply()]) as wire:
        clock = HandClock(NOON.replace(hour=9))
        panel = panel_at(wire.url, clock=clock)
        assert panel.clock_skew == 0
        panel.get("/x", shape=Ok)
    assert panel.clock_skew == 3 * 3600
    assert panel.server_now() == NOON


@pytest.mark.parametrize(
    "url",
    [
        "http://api.flipkart.net",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://",
        "api.example.com",
        "https://user:CANARY@api.example.com",
        "https://api.example.com:99999",
        "http://localhost.evil.example",
    ],
)
def test_a_base_address_must_be_https_or_loopback(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        panel_at(url)
    assert "base_url" in str(caught.value)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:1", "https://a.example/api"])
def test_good_base_addresses(url: str) -> None:
    assert panel_at(url).account == "fk-main"


def never(panel: Panel, old: Token | None) -> Token:
    raise AssertionError("no token should have been asked for")


def test_a_token_never_goes_to_an_address_that_a_plugin_gives_whole() -> None:
    panel = panel_at("https://api.example.com")
    with pytest.raises(PluginError, match="give a path"):
        panel.get("https://other.example/x", shape=Ok, authorise=never)
    with pytest.raises(PluginError, match="begin with"):
        panel.get("x", shape=Ok)


# -- answers that are refused ---------------------------------------------------------------


def refused(reply: Reply, limits: Limits | None = None) -> tuple[PanelError, Wire]:
    """The error that an answer leads to."""
    with Wire([reply]) as wire, pytest.raises(PanelError) as caught:
        panel_at(wire.url, limits=limits).get("/v3/x", shape=Ok, params={"page": 3, "q": "CANARY"})
    text = str(caught.value)
    assert "GET /v3/x?page=3&q=***" in text
    assert "account fk-main" in text
    assert "CANARY" not in text
    return caught.value, wire


HTML = b"<!DOCTYPE html><html><title>Seller login</title><body>Jane</body></html>"


@pytest.mark.parametrize("kind", ["text/html", "application/json", ""])
def test_fault_A11_a_page_instead_of_json_is_not_an_empty_list(kind: str) -> None:
    error, wire = refused(Reply(body=HTML, headers={"Content-Type": kind}))
    assert isinstance(error, PanelAnswer)
    assert "login or maintenance page?" in str(error)
    assert "Jane" not in str(error)
    assert error.code == "panel_not_json"
    assert len(wire.seen) == 1


def test_an_empty_body_is_refused() -> None:
    error, _ = refused(Reply(body=b""))
    assert error.code == "panel_empty"


@pytest.mark.parametrize("kind", ["text/plain", "", "application/octet-stream"])
def test_json_under_another_name_is_taken(kind: str) -> None:
    with Wire([Reply(headers={"Content-Type": kind})]) as wire:
        assert panel_at(wire.url).get("/x", shape=Ok).ok


def test_an_answer_of_another_shape_is_refused_at_once() -> None:
    error, wire = refused(said({"ok": "Jane"}))
    assert isinstance(error, PanelAnswer)
    assert "$.ok" in str(error)
    assert "Jane" not in str(error)
    assert len(wire.seen) == 1


def test_fault_A23_a_page_is_read_in_the_charset_that_it_states() -> None:
    reply = Reply(
        body='{"name": "\u20ac"}'.encode("utf-16"),
        headers={"Content-Type": "application/json; charset=utf-16"},
    )
    with Wire([reply]) as wire:
        assert panel_at(wire.url).get("/x", shape=dict[str, str]) == {"name": "\u20ac"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"ok": true, "name": "\xff"}', "application/json"),
        ('{"ok": true}'.encode("utf-16"), "application/json"),
        (b'{"ok": true, "name": "\xff"}', "application/json; charset=ascii"),
        (b'{"ok": true}', "application/json; charset=klingon"),
    ],
)
def test_fault_A23_invalid_text_refuses_the_whole_page(body: bytes, kind: str) -> None:
    error, _ = refused(Reply(body=body, headers={"Content-Type": kind}))
    assert error.code == "panel_malformed"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"ok": true, "x": ' + b"[" * 100_000])
def test_fault_A24_deep_nesting_is_refused(body: bytes) -> None:
    error, _ = refused(Reply(body=body))
    assert isinstance(error, PanelAnswer)


@pytest.mark.parametrize(
    "location",
    ["https://seller.example/login?next=x", "/sso", "/signin", "https://x.example/oauth"],
)
def test_fault_A25_a_redirect_to_a_login_is_named_and_not_followed(location: str) -> None:
    error, wire = refused(Reply(status=302, headers={"Location": location}))
    assert isinstance(error, PanelAnswer)  # it may be maintenance: the account goes on
    assert error.code == "panel_login_page"
    assert len(wire.seen) == 1


def test_fault_A25_a_redirect_ring_is_not_followed() -> None:
    error, wire = refused(Reply(status=301, headers={"Location": "/v3/x"}))
    assert isinstance(error, PanelAnswer)
    assert error.code == "panel_redirect"
    assert len(wire.seen) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_fault_A27_a_call_that_is_gone_is_permanent(status: int) -> None:
    error, wire = refused(said({"message": "CANARY"}, status=status))
    assert isinstance(error, PanelGone)
    assert "plugin up to date" in str(error)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("status", [400, 409, 422])
def test_other_refusals_are_told_with_their_status(status: int) -> None:
    error, wire = refused(said({"error": "CANARY said no"}, status=status))
    assert isinstance(error, PanelAnswer)
    assert error.code == f"panel_status_{status}"
    assert str(status) in str(error)
    assert len(wire.seen) == 1


def test_fault_E06_a_forbidden_call_is_told_apart_from_bad_credentials() -> None:
    error, wire = refused(said({"error": "access_denied"}, status=403))
    assert isinstance(error, PanelRefused)
    assert error.code == "call_forbidden"
    assert "access_denied" in str(error)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("value", ["CANARY\n", "CANARY\r\nX-Other: 1", "CANARY \u0905"])
def test_a_header_that_cannot_be_sent_is_told_without_its_value(value: str) -> None:
    with Wire() as wire:
        with pytest.raises(PanelRefused, match="line break") as caught:
            panel_at(wire.url).get("/x", shape=Ok, headers={"X-Key": value})
        assert wire.seen == []
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.code == "call_invalid"


@pytest.mark.parametrize("length", ["\u00b2", "-1", "abc", "1" * 5000])
def test_an_absurd_length_is_no_crash(length: str) -> None:
    def script(_: Seen) -> Reply:
        return Reply(headers={"Content-Length": length, "Connection": "close"}, cut=99)

    with Wire(script) as wire, pytest.raises(PanelError):
        panel_at(wire.url, limits=Limits(retries=0, max_bytes=5)).get("/x", shape=Ok)


def test_a_code_on_one_error_does_not_stick_to_its_class() -> None:
    error: Any = refused(Reply(status=403))[0]
    assert error.code == "call_forbidden"
    assert PanelRefused.code == "account_auth_failed"


def test_a_channel_without_an_address_makes_no_calls() -> None:
    panel = panel_at("")
    with pytest.raises(PluginError, match="no base_url"):
        panel.get("/orders", shape=bytes)
    with pytest.raises(PanelAnswer):
        panel.follow("https://api.example.com/next", shape=bytes)
