"""``syncd simulate CHANNEL``: how long it serves, by what its standard input is."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "syncd", "simulate", "snapdeal"]
SECONDS = 60


@contextmanager
def started(
    *options: str, stdin: int, before: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*before, *COMMAND, *options], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return str(json.loads(process.stdout.readline())["url"])


def serves(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/control/clock", timeout=SECONDS) as answer:
        return bool(answer.status == 200)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, told = process.communicate(timeout=SECONDS)
    return process.returncode, told.decode()


@pytest.fixture(params=["nothing", "a file", "closed", "a terminal"])
def stdin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, list[str]]]:
    """A standard input that nobody holds, and the words that start a program with it."""
    if request.param == "a terminal":
        ours, theirs = pty.openpty()
        os.write(ours, b"\x04")  # its end
        yield theirs, []
        os.close(ours)
        os.close(theirs)
        return
    path = tmp_path / "input"
    path.write_text("a line\n")
    with Path(os.devnull if request.param == "nothing" else path).open("rb") as file:
        yield file.fileno(), ["sh", "-c", 'exec "$@" <&-', "sh"] * (request.param == "closed")


def test_it_goes_on_where_nobody_holds_its_standard_input(stdin: tuple[int, list[str]]) -> None:
    number, before = stdin
    with started(stdin=number, before=before) as process:
        url = url_of(process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert serves(url)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "")


def test_it_ends_with_the_pipe_of_who_started_it_and_says_so() -> None:
    with started(stdin=subprocess.PIPE) as process:
        assert serves(url_of(process))
        code, told = ended(process)  # it closes the pipe
    assert code == 0
    assert told.count("\n") == 1
    assert "--no-stdin lets it go on" in told


def test_it_goes_on_after_the_pipe_where_it_is_told_to() -> None:
    with started("--no-stdin", stdin=subprocess.PIPE) as process:
        url = url_of(process)
        assert process.stdin is not None
        process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert serves(url)


def refused(*options: str) -> str:
    done: Any = subprocess.run(
        [*COMMAND, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return str(done.stderr.splitlines()[-1])


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} cannot be taken" in refused("--port", str(port))
    assert "port 70000 cannot be taken" in refused("--port", "70000")


def test_a_time_that_is_none_is_told() -> None:
    assert "'noon' is no ISO 8601 time" in refused("--hand-clock", "noon")
