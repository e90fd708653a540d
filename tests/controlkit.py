"""The control server over a real book, on a real socket; runs end as the test says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from syncd.book import runs
from syncd.book.runs import Counts, RunState
from syncd.channels import Channels, LoadedChannel
from syncd.cli.syncctl import main as syncctl
from syncd.config import AccountConfig, Config
from syncd.control.protocol import Connection
from syncd.control.server import ControlServer
from syncd.control.service import Service
from syncd.engine import Teller
from syncd.engine.local import LocalEngine
from syncd.errors import ConfigError, Stopped
from syncd.hookspecs import Channel, Settings
from syncd.statuses import Kind
from tests.bookkit import Seller

WAIT = 10.0


class Impatient(Connection):
    """The real connection with short limits, so that tests of them are short too."""

    most_connections = 8
    read_seconds = 0.4
    write_seconds = 0.4


class Works:
    """Ends runs as a test wants: waits for ``go``, then ends in ``state``."""

    def __init__(self, seller: Seller) -> None:
        self.seller = seller
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()
        self.state = RunState.OK
        self.message = ""
        self.plan = "[]"
        self.counts = Counts(fetched=3, new=3, applied=2, parked=1)
        self.conducted: list[int] = []

    def conduct(self, run_id: int, stop: threading.Event, progress: Teller) -> None:
        runs.start(self.seller.book, run_id, self.seller.clock.now())
        progress.emit(run_id, "started")
        progress.emit(run_id, "progress", doing="dispatched", pages=1, fetched=3)
        self.begun.set()
        while not self.go.wait(0.02):
            if stop.is_set():
                raise Stopped("the test stops")
        self.conducted.append(run_id)
        runs.finish(
            self.seller.book, run_id, state=self.state, code="", message=self.message,
            counts=self.counts, tasks={}, plan=self.plan, now=self.seller.clock.now(),
        )  # fmt: skip
        progress.emit(run_id, "ended", state=self.state.value, code="", message=self.message)


def a_channel(name: str = "flipkart", *, title: str = "") -> LoadedChannel:
    """An enabled channel with every hook, that nobody ever calls."""
    channel = LoadedChannel(name, f"syncd-{name}", "0.1.0")
    channel.kinds = frozenset(Kind)
    channel.description = Channel(
        title=title or name.title(),
        settings=Settings,
        unverified=("The courier's name is a guess.",),
    )
    return channel


class House:
    """A seller, an engine, a service and its server."""

    def __init__(
        self, folder: Path, *, protocol: type[Connection] = Connection, title: str = ""
    ) -> None:
        self.folder = folder
        self.socket = folder / "syncd.sock"
        self.seller = Seller(folder)
        self.book = self.seller.book
        self.works = Works(self.seller)
        self.channels = Channels([a_channel(title=title)])
        self.config = Config(
            path=folder / "syncd.toml",
            state_dir=folder,
            socket=self.socket,
            accounts={
                "shop": AccountConfig(
                    name="shop", channel="flipkart", tenant="acme", facility="BLR"
                )
            },
        )
        self.reload_problems: Sequence[str] = ()
        self.engine = LocalEngine(self.book, self.works.conduct, self.seller.clock)
        self.service = Service(
            self.book, self.engine, self.channels, self.config, self.seller.clock, self._reload
        )
        self.server = ControlServer(self.service, self.socket, protocol=protocol)

    def _reload(self) -> Mapping[str, Any]:
        if self.reload_problems:
            raise ConfigError(self.reload_problems, path="syncd.toml")
        return {"accounts": ["shop"], "changed": [], "notes": ["socket changes at the next start"]}

    def start(self) -> None:
        self.server.start()
        self.engine.start(["shop"])

    def stop(self) -> None:
        self.service.close()
        self.works.go.set()
        self.engine.stop(WAIT)
        assert self.server.stop(WAIT), "the control server did not end"
        self.book.close()

    # --- asking

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, header fields and the decoded body of an answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        data = b"" if body is None else data
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close"]
        lines += [f"Content-Length: {len(data)}"] if data or method != "GET" else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return parse(self.raw("\r\n".join([*lines, "", ""]).encode() + data))

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are; all that comes back until the server closes."""
        with self.connect() as connection:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            return read_all(connection)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(WAIT)
        connection.connect(str(self.socket))
        return connection

    def ctl(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run syncctl in this process against the server."""
        return ctl("--socket", str(self.socket), *arguments, stdin=stdin)

    def await_run(self, run_id: int) -> str:
        """Follow a run to its end; its state."""
        events = self.engine.progress.follow(run_id, 0, WAIT)
        return str(next(event for event in events if event["event"] == "ended")["state"])

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self.seller.rows(sql, *params)


def ctl(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(syncctl, list(arguments), input=stdin, env={"NO_COLOR": "1"})


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes or resets."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def parse(answer: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, header fields and body; a JSON body is decoded."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    if fields.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    is_json = "json" in fields.get("content-type", "") and "ndjson" not in fields["content-type"]
    return int(first.split()[1]), fields, json.loads(body) if is_json else body.decode()


def _unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        parts.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return b"".join(parts)


@contextmanager
def running(
    folder: Path, *, protocol: type[Connection] = Connection, title: str = ""
) -> Iterator[House]:
    house = House(folder, protocol=protocol, title=title)
    house.start()
    try:
        yield house
    finally:
        house.stop()
