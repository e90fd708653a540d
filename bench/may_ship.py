"""Measure how soon the door is answered: may-ship over the socket, on a book of many orders.

    python -m bench.may_ship [--orders 100000] [--asks 2000] [--json]

Half of the orders are packed and still here, half have left; one in twenty has a cancellation
that no pass has decided. The server is in this process, as in the daemon; each question is a
connection of its own, as a script's is. Milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from syncd.book import acts, inbox
from syncd.book.store import Book
from syncd.book.tables import Account, Facility, Run, Tenant
from syncd.channels import Channels
from syncd.clock import SystemClock, to_micros
from syncd.config import Config
from syncd.control.server import ControlServer
from syncd.control.service import Service
from syncd.engine.local import LocalEngine
from syncd.statuses import Kind, Status, StatusChange

CLOCK: Final = SystemClock()
CANCELLED: Final = 20  # one order in so many


def fill(book: Book, orders: int) -> None:
    """Orders of two pieces, each in a parcel with a tracking number."""
    now = to_micros(CLOCK.now())
    with book.write():
        tenant = Tenant.create(code="acme", state="LIVE")
        facility = Facility.create(tenant=tenant, code="BLR")
        Account.create(tenant=tenant, facility=facility, name="bench", channel="flipkart")
        Run.create(account=1, kinds="[]", trigger="bench", actor="bench", requested_at=now)
    acts.define_sequence(book, "BLR", prefix="INV/", actor="bench", now=CLOCK.now())
    numbers = range(1, orders + 1)
    with book.write():
        book.executemany(_ORDER, ((n, f"OD{n}", _state(n), now, now) for n in numbers))
        book.executemany(
            _PACKAGE,
            ((n, n, f"SP-{n}", _place(n), f"S{n}", f"AWB{n}", now, _left(n, now)) for n in numbers),
        )
        book.executemany(
            _ITEM,
            ((n, f"L{k}", f"SKU-{n % 97}", _place(n), n, now) for n in numbers for k in (1, 2)),
        )
    changes = [
        StatusChange(
            order_id=f"OD{n}", status=Status.CANCELLED, native_status="cancelled", line_id="L1",
            occurred_at=CLOCK.now(),
        )
        for n in numbers
        if n % CANCELLED == 0
    ]  # fmt: skip
    with book.connection():
        inbox.store_page(book, 1, Kind.CANCELLED, changes, run_id=1, observed_at=CLOCK.now())


def _here(n: int) -> bool:
    return n % 2 == 0


def _state(n: int) -> str:
    return "PROCESSING" if _here(n) else "COMPLETE"


def _place(n: int) -> str:
    return "READY_TO_SHIP" if _here(n) else "DISPATCHED"


def _left(n: int, now: int) -> int | None:
    return None if _here(n) else now


def ask(path: Path, target: str) -> tuple[float, Any]:
    """One question on a connection of its own: its milliseconds and its answer."""
    begun = time.perf_counter()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    spent = (time.perf_counter() - begun) * 1000
    return spent, json.loads(b"".join(parts).partition(b"\r\n\r\n")[2])


def measure(path: Path, target: Callable[[int], str], orders: int, asks: int) -> dict[str, Any]:
    """The middle and the slow end of many questions about orders that are still here."""
    chance = random.Random(7)
    spent = []
    for _ in range(asks):
        number = chance.randrange(1, orders // 2) * 2
        took, answer = ask(path, target(number))
        if answer["may_ship"] is not (number % CANCELLED != 0):
            raise SystemExit(f"a wrong answer about order {number}: {answer}")
        spent.append(took)
    spent.sort()
    return {
        "p50": round(spent[len(spent) // 2], 2),
        "p99": round(spent[len(spent) * 99 // 100], 2),
        "max": round(spent[-1], 2),
    }


def served(folder: Path, book: Book) -> Iterator[Path]:
    """The control API over this book."""
    path = folder / "syncd.sock"
    engine = LocalEngine(book, lambda *_: None, CLOCK)
    config = Config(path=folder / "syncd.toml", state_dir=folder, socket=path)
    service = Service(book, engine, Channels([]), config, CLOCK, dict)
    server = ControlServer(service, path)
    server.start()
    try:
        yield path
    finally:
        service.close()
        server.stop(10.0)


def main() -> None:
    """Fill a book, ask, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.may_ship", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--asks", type=int, default=2_000)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        book = Book.open(Path(name) / "book.sqlite3", CLOCK)
        fill(book, arguments.orders)
        for path in served(Path(name), book):
            results = {
                way: measure(path, target, arguments.orders, arguments.asks)
                for way, target in _WAYS.items()
            }
        book.close()
    if arguments.json:
        print(json.dumps(results))
        return
    for way, result in results.items():
        print(f"{way}: " + ", ".join(f"{key} {value} ms" for key, value in result.items()))


_WAYS: Final[dict[str, Callable[[int], str]]] = {
    "code": lambda n: f"/v1/packages/SP-{n}/may-ship",
    "order": lambda n: f"/v1/packages/may-ship?order=OD{n}",
    "tracking": lambda n: f"/v1/packages/may-ship?tracking=AWB{n}",
    "shipment": lambda n: f"/v1/packages/may-ship?shipment=S{n}",
}
_ORDER: Final = (
    "INSERT INTO orders (id, account_id, order_id, state, placed_at, imported_at, source, facts) "
    "VALUES (?, 1, ?, ?, ?, ?, 'bench', '{}')"
)
_PACKAGE: Final = (
    "INSERT INTO package (id, order_id, facility_id, code, state, shipment_id, tracking_number, "
    "courier, blocked, created_at, dispatched_at) VALUES (?, ?, 1, ?, ?, ?, ?, '', '', ?, ?)"
)
_ITEM: Final = (
    "INSERT INTO item (order_id, facility_id, line_id, sku, piece, bundle, position, package_id, "
    "allocated, short, hold, changed_at, return_type, return_id, return_from) "
    "VALUES (?, 1, ?, ?, 0, '', ?, ?, 0, 0, '', ?, '', '', '')"
)


if __name__ == "__main__":
    main()
