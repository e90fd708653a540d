"""Talk to the daemon: HTTP over its Unix socket, by hand, because that starts fastest.

A request is HTTP/1.0, so an answer ends where the connection ends, and is never chunked.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from syncd.cli.ctl_errors import Exit, Failure

API: Final = 1
SYSTEM_SOCKET: Final = Path("/run/syncd/syncd.sock")
LONGEST_PATH: Final = 107
SECONDS: Final = 60.0
_MOST_HEAD_LINES: Final = 100
_LONGEST_LINE: Final = 65536
_LONGEST_EVENT: Final = 1 << 20
_SHORTEST_WAIT: Final = 0.05

_EXIT_OF_STATUS: Final[Mapping[int, Exit]] = {
    400: Exit.USAGE,
    403: Exit.PERMISSION,
    404: Exit.NOT_FOUND,
    409: Exit.REFUSED,
    413: Exit.USAGE,
    422: Exit.USAGE,
    503: Exit.REFUSED,
    507: Exit.REFUSED,
}


def default_socket(env: Mapping[str, str] = os.environ) -> Path:
    """The user's own socket if there is one, else the system's."""
    runtime = env.get("XDG_RUNTIME_DIR")
    if runtime:
        own = Path(runtime) / "syncd" / "syncd.sock"
        if own.exists():
            return own
    return SYSTEM_SOCKET


class Client:
    """One daemon. Every method raises Failure, which knows its exit code."""

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        self.path = path
        self._seconds = seconds

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer; queries that are None are left out."""
        return self._ask("GET", path + _query(query))

    def send(self, method: str, path: str, body: Any = None, *, seconds: float = 0) -> Any:
        """Change something. Named by a fresh key, so that it cannot happen twice."""
        headers = {"Idempotency-Key": os.urandom(16).hex(), "Content-Type": "application/json"}
        data = json.dumps({} if body is None else body).encode()
        return self._ask(method, path, data, headers, seconds or self._seconds)

    def send_bytes(self, path: str, content: bytes, *, seconds: float, **query: Any) -> Any:
        """Hand a file in; else as :meth:`send`."""
        headers = {
            "Idempotency-Key": os.urandom(16).hex(), "Content-Type": "application/octet-stream"
        }  # fmt: skip
        return self._ask("POST", path + _query(query), content, headers, seconds)

    def lines(self, path: str, left: Callable[[], float], **query: Any) -> Iterator[Any]:
        """The objects of a stream, as they come.

        ``left`` gives the seconds that may pass until the next one; after them TimeoutError.
        """
        with self._connect(self._seconds) as connection:
            try:
                answer, _ = self._begin(connection, "GET", path + _query(query), b"", {})
                while True:
                    connection.settimeout(max(_SHORTEST_WAIT, left()))
                    line = answer.readline(_LONGEST_EVENT)
                    if not line:
                        return
                    yield json.loads(line)
            except TimeoutError:
                raise
            except (OSError, ValueError) as error:
                raise _broken(error) from None

    def _ask(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = 0,
    ) -> Any:
        with self._connect(seconds or self._seconds) as connection:
            try:
                answer, fields = self._begin(connection, method, path, data, headers or {})
                return json.loads(_body(answer, fields))
            except ValueError:
                raise Failure(
                    f"What answers at {self.path} is not syncd.",
                    "Give the daemon's socket with --socket.",
                    Exit.NOT_RUNNING,
                ) from None
            except TimeoutError:
                raise Failure(
                    f"syncd does not answer at {self.path}.",
                    "See what it does: journalctl -u syncd",
                    Exit.NOT_RUNNING,
                ) from None
            except OSError as error:
                raise _broken(error) from None

    def _connect(self, seconds: float | None) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(str(self.path))
        except OSError as error:
            connection.close()
            raise self._unreachable(error) from None
        return connection

    def _begin(
        self,
        connection: socket.socket,
        method: str,
        path: str,
        data: bytes,
        headers: Mapping[str, str],
    ) -> tuple[BinaryIO, dict[str, str]]:
        """Send a request; the answer's body and fields. Raises Failure for a problem."""
        lines = [f"{method} {path} HTTP/1.0", "Host: syncd", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        # A daemon that refuses early closes: what it had to say is still to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii") + data)
        answer = connection.makefile("rb")
        status, fields = _head(answer)
        if status >= 400:
            raise problem_of(status, _body(answer, fields))
        self._check_version(fields)
        return answer, fields

    def _check_version(self, fields: Mapping[str, str]) -> None:
        oldest = fields.get("syncd-min-api", "")
        if oldest.isdigit() and int(oldest) > API:
            raise Failure(
                f"This syncctl speaks version {API} of the API; the daemon wants {oldest}.",
                "Install the syncctl that belongs to the daemon.",
                Exit.REFUSED,
            )

    def _unreachable(self, error: OSError) -> Failure:
        if isinstance(error, PermissionError):
            return Failure(
                f"You may not open {self.path}.",
                "Use sudo, or join the socket's group (ls -l shows it) and log in again.",
                Exit.PERMISSION,
            )
        if len(os.fsencode(self.path)) > LONGEST_PATH:
            return Failure(
                f"The socket path {self.path} is longer than {LONGEST_PATH} bytes.",
                "Give the path that the daemon has.",
                Exit.USAGE,
            )
        return Failure(
            f"syncd is not running: nobody answers at {self.path}.",
            "Start it: systemctl start syncd, or in a terminal: syncd --config FILE. If it runs, "
            "name its socket with --socket or SYNCD_SOCKET.",
            Exit.NOT_RUNNING,
        )


def problem_of(status: int, body: bytes) -> Failure:
    """The failure that an error answer means."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    code = str(problem.get("code", ""))
    detail = str(problem.get("detail") or f"The daemon answered with status {status}.")
    exit_code = _EXIT_OF_STATUS.get(status, Exit.FAILED)
    if code == "config_invalid":
        exit_code = Exit.CONFIG
    if code == "not_ready":
        exit_code = Exit.NOT_RUNNING
    return Failure(detail, str(problem.get("do", "")), exit_code, problem=problem)


def path_of(*parts: str | int) -> str:
    """A path below /v1 with each part quoted."""
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def _query(query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    if not given:
        return ""
    pairs = (f"{quote(name)}={quote(_text(value), safe='')}" for name, value in given.items())
    return "?" + "&".join(pairs)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _head(answer: BinaryIO) -> tuple[int, dict[str, str]]:
    """Status and header fields, names in lower case."""
    words = answer.readline(_LONGEST_LINE).split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ConnectionResetError("the connection ended before an answer")
    fields: dict[str, str] = {}
    for _ in range(_MOST_HEAD_LINES):
        line = answer.readline(_LONGEST_LINE).strip()
        if not line:
            break
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    return int(words[1]), fields


def _body(answer: BinaryIO, fields: Mapping[str, str]) -> bytes:
    """The whole body, and not a byte further: after a refusal there may be no orderly end."""
    length = int(fields.get("content-length", -1))
    body = answer.read(length)
    if len(body) < length:
        raise ConnectionResetError("the answer was cut short")
    return body


def _broken(error: Exception) -> Failure:
    return Failure(
        f"The connection to syncd broke: {error}.",
        "It may be restarting; try again in a moment.",
        Exit.NOT_RUNNING,
    )
