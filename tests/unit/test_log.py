"""The log: what a line looks like, that it hides secrets and never stops the work."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import structlog

from syncd.clock import HandClock
from syncd.log import configure, mask, register_secret
from syncd.testing import PanelServer, World

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    text = io.StringIO()
    configure("info", stream=text, clock=HandClock(START))
    yield text
    configure("info")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_json_object_a_line(stream: io.StringIO) -> None:
    log = structlog.get_logger("syncd.test").bind(run=7)
    log.info("run ended", account="shop", note="two\nlines", odd=object)
    log.debug("not shown")
    (line,) = lines(stream)
    assert line["event"] == "run ended"
    assert line["level"] == "info"
    assert line["time"] == "2026-03-01T12:00:00.000+00:00"
    assert (line["run"], line["account"], line["note"]) == (7, "shop", "two\nlines")


@pytest.mark.parametrize(
    "secret",
    ["canary-plain-1", 'canary "quoted"\\ 2', "canary+/=&? 3", "canary-é-4", "canary\nline-5"],
)
def test_fault_E10_a_registered_secret_shows_nowhere(stream: io.StringIO, secret: str) -> None:
    from urllib.parse import quote

    register_secret(secret)
    log = structlog.get_logger()
    try:
        raise ValueError(f"bad {secret}")
    except ValueError:
        log.exception(
            f"event {secret}",
            **{secret: 1},
            deep={"a": [{"b": f"x{secret}y"}]},
            odd={secret},
            url=f"https://panel.example/?t={quote(secret, safe='')}",
        )
    text = stream.getvalue()
    assert "Traceback" in text
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert form not in text


def test_values_under_telling_names_are_hidden_at_any_depth(stream: io.StringIO) -> None:
    headers = {"Authorization": "Bearer abc", "X-Api-Key": "k1", "Accept": "json"}
    structlog.get_logger().info(
        "call", access_token="abc", headers=headers, more=[{"password": ["abc"]}], token_count=3
    )
    (line,) = lines(stream)
    assert line["access_token"] == "***"
    assert line["headers"] == {"Authorization": "***", "X-Api-Key": "***", "Accept": "json"}
    assert line["more"] == [{"password": "***"}]
    assert line["token_count"] == 3


def test_a_longer_secret_hides_as_a_whole() -> None:
    register_secret("canary-short")
    register_secret("canary-short-and-long")
    assert mask("canary-short-and-long") == "***"


def test_texts_too_short_to_be_secrets_are_left(stream: io.StringIO) -> None:
    register_secret("ok")
    structlog.get_logger().info("ok")
    assert lines(stream)[0]["event"] == "ok"


def test_warnings_of_libraries_come_through_their_chatter_does_not(stream: io.StringIO) -> None:
    register_secret("canary-library")
    logging.getLogger("uvicorn").info("chatter")
    logging.getLogger("urllib3").warning("retry %s", "canary-library")
    try:
        raise OSError("gone")
    except OSError:
        logging.getLogger("uvicorn").exception("broken %d")
    first, second = lines(stream)
    assert (first["level"], first["logger"], first["event"]) == ("warning", "urllib3", "retry ***")
    assert second["level"] == "error"
    assert "OSError: gone" in second["exception"]


def test_fault_E10_no_query_of_an_address_shows(
    stream: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    address = "/orders.json?limit=1&authtoken=not-registered"
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    log = logging.getLogger("urllib3.connectionpool")
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)  # as somebody does who looks for a fault
    try:
        with PanelServer(World(HandClock(START))) as server:
            requests.get(server.url + address, timeout=10)
        try:
            requests.get(gone + address, timeout=10)
        except requests.ConnectionError:
            log.exception("Retrying after it broke: %s", address)
    finally:
        root.setLevel(logging.WARNING)
    (line,) = lines(stream)
    assert line["event"] == "Retrying after it broke: /orders.json?***"
    assert "Max retries exceeded with url: /orders.json?***" in line["exception"]
    assert "not-registered" not in stream.getvalue()
    assert [one.levelname for one in caplog.records if one.name.startswith("urllib3")] == ["ERROR"]


def test_the_level_can_be_changed(stream: io.StringIO) -> None:
    log = structlog.get_logger()
    configure("error", stream=stream)
    log.warning("hidden")
    structlog.get_logger().error("shown")
    assert [line["event"] for line in lines(stream)] == ["shown"]


class _Full(io.StringIO):
    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_fault_D05_a_full_stream_loses_lines_and_tells_how_many() -> None:
    stream = _Full()
    written = configure("info", stream=stream)
    log = structlog.get_logger()
    log.info("one")
    log.info("two")
    assert written.lost == 2
    stream.full = False
    log.info("three")
    configure("info")
    assert [line["event"] for line in lines(stream)] == ["three", "log lines lost"]
    assert lines(stream)[1]["lines"] == 2
    assert written.lost == 0


def test_fault_I04_a_closed_stream_stops_nothing() -> None:
    stream = io.StringIO()
    written = configure("info", stream=stream)
    stream.close()
    structlog.get_logger().error("nobody hears")
    configure("info")
    assert written.lost == 1


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_readable_text_without_secrets() -> None:
    stream = _Terminal()
    configure("info", stream=stream, clock=HandClock(START))
    register_secret("canary-terminal")
    structlog.get_logger().info("hello", who="canary-terminal")
    configure("info")
    assert "hello" in stream.getvalue()
    assert "{" not in stream.getvalue()
    assert "canary" not in stream.getvalue()
