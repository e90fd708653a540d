"""Measure a first sync: N dispatched changes from a simulator in another process into a book.

    python -m bench [--changes 100000] [--page-size 100] [--again] [--json]

The whole way is on: HTTP, decoding, the journal with its cursor, the decision table, stock,
parcels, invoices, decision records, outgoing messages, SQLite in WAL mode with synchronous=FULL.
The orders are in the book before the clock starts. ``rss_mb`` is the largest resident size of
the measured process, which also holds the program's own modules. ``raw_per_second`` is the
yardstick of ``bench.raw``, taken in the same sitting; ``ratio`` is our speed by it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.raw import pull_raw
from syncd.book import acts, goods, intake, runs
from syncd.book.store import Book
from syncd.book.tables import Account as AccountRow, Facility, Tenant
from syncd.channels import discover
from syncd.clock import SystemClock
from syncd.panel import Panel
from syncd.passes import Conductor, Setup
from syncd.statuses import Account, Kind, NewOrder, OrderLine, Window
from syncd.testing import DictMemory
from syncd.tokens import MemoryTokens

CLOCK = SystemClock()


class Silent:
    """Progress that nobody watches."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Take note of nothing."""


@contextmanager
def simulator(changes: int) -> Iterator[dict[str, Any]]:
    """A Flipkart panel in another process with that many dispatched orders."""
    command = [sys.executable, "-m", "syncd", "simulate", "flipkart"]
    process = subprocess.Popen(
        [*command, "--orders", str(changes), "--dispatched"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        (seller,) = json.loads(process.stdout.readline())["sellers"].values()
        yield seller["settings"]
    finally:
        process.terminate()
        process.wait(30)


def make_setup(panel: dict[str, Any], page_size: int) -> Setup:
    """The configuration of one account on that panel."""
    channel = discover()["flipkart"]
    settings = channel.describe().settings.model_validate({**panel, "page_size": page_size})
    account = Account(name="bench", channel="flipkart", settings=settings)
    return Setup(account=account, channel=channel, look_back={}, locations={})


def open_panel(setup: Setup, stop: threading.Event) -> Panel:
    """A client as the daemon makes it."""
    return Panel(
        setup.account.settings.base_url,
        account=setup.account.name,
        clock=CLOCK,
        tokens=TOKENS,
        stop=stop,
        paces=setup.channel.describe().paces,
    )


TOKENS = MemoryTokens()


def fill(book: Book, setup: Setup) -> int:
    """Take every order of the panel into the book, with stock for it. Returns their number."""
    with book.write():
        tenant = Tenant.create(code="acme", state="LIVE")
        facility = Facility.create(tenant=tenant, code="BLR")
        AccountRow.create(tenant=tenant, facility=facility, name="bench", channel="flipkart")
    acts.define_sequence(book, "BLR", prefix="INV/", actor="bench", now=CLOCK.now())
    panel = open_panel(setup, threading.Event())
    now = CLOCK.now()
    window = Window(now - timedelta(days=3650), now)
    seen: set[str] = set()
    changes = setup.channel.fetch(
        Kind.DISPATCHED, setup.account, window, (), panel, DictMemory(CLOCK)
    )
    for page in changes:
        orders = [
            NewOrder(
                order_id=row.order_id,
                placed_at=now,
                lines=(OrderLine(line_id=row.line_id, sku=row.sku, quantity=row.quantity or 1),),
                facts=row.facts,
            )
            for row in page.rows
        ]
        wanted: Counter[str] = Counter()
        for row in page.rows:
            wanted[row.sku] += row.quantity or 1
        goods.receive_stock(book, "BLR", wanted, actor="bench", now=now)
        intake.take_orders(book, "bench", orders, source="bench", now=now)
        seen.update(row.order_id for row in page.rows)
    panel.close()
    return len(seen)


def run_once(book: Book, setup: Setup) -> dict[str, Any]:
    """One pass over the dispatches; its numbers."""
    conductor = Conductor(book, lambda _name: setup, open_panel, CLOCK)
    asked = runs.enqueue(
        book, "bench", [Kind.DISPATCHED], days=366, trigger="bench", actor="bench", now=CLOCK.now()
    )
    wall, cpu = time.perf_counter(), time.process_time()
    conductor.conduct(asked.run_id, threading.Event(), Silent())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    run = runs.get(book, asked.run_id)
    counts = json.loads(str(run.counts))
    if str(run.state) != "OK":
        raise SystemExit(f"the run ended as {run.state}: {run.message}")
    return {
        "fetched": counts["fetched"],
        "applied": counts["applied"],
        "seconds": round(wall, 2),
        "changes_per_second": round(counts["fetched"] / wall),
        "cpu_seconds_per_100k": round(cpu / max(1, counts["fetched"]) * 100_000, 2),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Fill a book in one process, measure in this one."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--again", action="store_true", help="read everything a second time")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of text")
    parser.add_argument("--fill", nargs=2, metavar=("BOOK", "PANEL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        path, panel = Path(arguments.fill[0]), json.loads(arguments.fill[1])
        fill(Book.open(path, CLOCK), make_setup(panel, 500))
        return
    results = []
    with tempfile.TemporaryDirectory() as folder, simulator(arguments.changes) as panel:
        path = Path(folder) / "book.sqlite3"
        # In a process of its own, so that filling does not count in the measured memory.
        command = [sys.executable, "-m", "bench", "--fill", str(path), json.dumps(panel)]
        subprocess.run(command, check=True)
        book, setup = Book.open(path, CLOCK), make_setup(panel, arguments.page_size)
        for _ in range(2 if arguments.again else 1):
            results.append(run_once(book, setup))
        # Last, so that it does not count in the measured memory.
        raw = pull_raw(panel, arguments.page_size, Path(folder) / "raw.sqlite3")
        if raw["changes"] != arguments.changes:
            raise SystemExit(f"the yardstick read {raw['changes']} of {arguments.changes} changes")
        for result in results:
            result["raw_per_second"] = raw["per_second"]
            result["raw_cpu_seconds_per_100k"] = raw["cpu_seconds_per_100k"]
            result["ratio"] = round(result["changes_per_second"] / raw["per_second"], 2)
    if arguments.json:
        print(json.dumps(results))
    else:
        for name, result in zip(("first", "again"), results, strict=False):
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
