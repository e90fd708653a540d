"""The client's way to the daemon, and what it says when there is none."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.ctl_client import SYSTEM_SOCKET, Client, default_socket, path_of, problem_of
from syncd.cli.ctl_errors import Exit, Failure


def failure_of(act: Callable[[], Any]) -> Failure:
    with pytest.raises(Failure) as caught:
        act()
    return caught.value


def answering(path: Path, answer: bytes, *, read: bool = True) -> threading.Thread:
    """A server that gives one client this answer, whatever it asks."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        with server:
            client, _ = server.accept()
            with client:
                if read:
                    client.recv(65536)
                client.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_the_users_own_socket_goes_before_the_systems(tmp_path: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert default_socket(env) == SYSTEM_SOCKET
    (tmp_path / "syncd").mkdir()
    (tmp_path / "syncd" / "syncd.sock").touch()
    assert default_socket(env) == tmp_path / "syncd" / "syncd.sock"
    assert default_socket({}) == SYSTEM_SOCKET


def test_nobody_there_says_how_to_start_it(tmp_path: Path) -> None:
    failure = failure_of(lambda: Client(tmp_path / "none.sock").get("/v1/status"))
    assert failure.code == Exit.NOT_RUNNING
    assert "systemctl start syncd" in failure.do


def test_a_dead_socket_is_a_daemon_that_does_not_run(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s.sock"))
    failure = failure_of(lambda: Client(tmp_path / "s.sock").get("/v1/status"))
    assert failure.code == Exit.NOT_RUNNING


def test_a_socket_that_may_not_be_opened_names_the_group() -> None:
    failure = Client(Path("/run/s.sock"))._unreachable(PermissionError(13, "no"))
    assert failure.code == Exit.PERMISSION
    assert "group" in failure.do


def test_a_path_that_is_too_long_is_wrong_usage() -> None:
    failure = failure_of(lambda: Client(Path("/" + "s" * 200)).get("/v1/status"))
    assert failure.code == Exit.USAGE


def test_a_daemon_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s.sock"))
        silent.listen()
        client = Client(tmp_path / "s.sock", seconds=0.2)
        failure = failure_of(lambda: client.get("/v1/status"))
    assert failure.code == Exit.NOT_RUNNING
    assert "does not answer" in failure.message


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 ok\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>"],
)
def test_what_is_no_answer_is_a_broken_connection(tmp_path: Path, answer: bytes) -> None:
    thread = answering(tmp_path / "s.sock", answer)
    failure = failure_of(lambda: Client(tmp_path / "s.sock").get("/v1/status"))
    thread.join(5)
    assert failure.code == Exit.NOT_RUNNING


def test_an_answer_that_is_cut_short_is_a_broken_connection(tmp_path: Path) -> None:
    thread = answering(
        tmp_path / "s.sock", b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a": 1}'
    )
    failure = failure_of(lambda: Client(tmp_path / "s.sock").get("/v1/status"))
    thread.join(5)
    assert failure.code == Exit.NOT_RUNNING


def test_a_daemon_that_is_too_new_is_refused(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nSyncd-Min-Api: 7\r\nContent-Length: 2\r\n\r\n{}"
    thread = answering(tmp_path / "s.sock", head)
    failure = failure_of(lambda: Client(tmp_path / "s.sock").get("/v1/status"))
    thread.join(5)
    assert failure.code == Exit.REFUSED
    assert "wants 7" in failure.message


def test_a_refusal_before_the_body_was_read_is_heard(tmp_path: Path) -> None:
    body = b'{"code": "too_large", "detail": "The body is too large."}'
    head = f"HTTP/1.1 413 Large\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    thread = answering(tmp_path / "s.sock", head + body, read=False)
    client = Client(tmp_path / "s.sock")
    failure = failure_of(lambda: client.send("POST", "/v1/orders", {"text": "x" * 5_000_000}))
    thread.join(5)
    assert (failure.code, failure.message) == (Exit.USAGE, "The body is too large.")


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "bad_days", Exit.USAGE),
        (403, "not_an_operator", Exit.PERMISSION),
        (404, "not_found", Exit.NOT_FOUND),
        (409, "account_paused", Exit.REFUSED),
        (422, "bad_request", Exit.USAGE),
        (422, "config_invalid", Exit.CONFIG),
        (500, "internal_error", Exit.FAILED),
        (503, "not_ready", Exit.NOT_RUNNING),
        (503, "store_busy", Exit.REFUSED),
    ],
)
def test_each_problem_has_its_exit_code(status: int, code: str, exit_code: Exit) -> None:
    assert problem_of(status, f'{{"code": "{code}", "detail": "x"}}'.encode()).code == exit_code


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"null"])
def test_a_problem_without_a_document_still_has_a_sentence(body: bytes) -> None:
    assert "500" in problem_of(500, body).message


def test_words_of_a_path_are_quoted() -> None:
    assert path_of("orders", "a/b ?&#é") == "/v1/orders/a%2Fb%20%3F%26%23%C3%A9"


def test_the_socket_of_the_environment_is_used(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from syncd.cli.syncctl import main

    result = CliRunner().invoke(main, ["status"], env={"SYNCD_SOCKET": str(tmp_path / "x.sock")})
    assert str(tmp_path / "x.sock") in result.stderr
    assert os.environ.get("SYNCD_SOCKET") != str(tmp_path / "x.sock")
