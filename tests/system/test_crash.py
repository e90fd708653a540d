"""The daemon is killed in the middle of a pass, and the book still comes out true."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.book.store import Book
from syncd.clock import SystemClock
from syncd.testing import Fault, SystemClock as WorldClock
from syncd_flipkart.simulator import new_world
from tests.bookkit import check_invariants
from tests.system.program import Program, panel_words

ORDERS = 2_000
KILLS = 6


def busy_panel(program: Program) -> None:
    """2,000 orders that the book has, and then every fate at the panel."""
    world, dice = program.world, random.Random(7)
    for number in range(ORDERS):
        world.place_order([(f"SKU-{number % 40}", dice.choice((1, 1, 2)))], at=program.happens(0.2))
    program.go_live(stock={f"SKU-{n}": 60 for n in range(20)})  # half of the SKUs are short
    assert program.sync("--task", "orders").code == 0
    for order in world.orders.values():
        at = program.happens(0.1)
        fate = dice.random()
        if fate < 0.10:
            world.cancel(order.order_id, by="buyer", at=at + timedelta(minutes=2))
            continue
        if fate < 0.25:
            continue
        world.ship(order.order_id, at=at + timedelta(minutes=2))
        if fate < 0.55:
            continue
        if fate < 0.65:
            (back, *_) = world.courier_return(order.order_id, at=at + timedelta(minutes=4))
            if fate < 0.60:
                world.return_event(back.return_id, "completed", at=at + timedelta(minutes=6))
            continue
        world.deliver(order.order_id, at=at + timedelta(minutes=4))
        if fate < 0.72:
            world.customer_return(order.order_id, quantity=1, at=at + timedelta(minutes=6))


def book_words(path: Path) -> dict[tuple[str, str], Counter[str]]:
    with closing(sqlite3.connect(path)) as db:
        return panel_words(
            db.execute(
                "SELECT o.order_id, i.line_id, i.position FROM item i "
                "JOIN orders o ON o.id = i.order_id"
            ).fetchall()
        )


def journal_size(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM inbox").fetchone()[0])


@pytest.mark.timeout(240)
def test_fault_C02_killed_again_and_again_in_a_pass_of_2000_orders(tmp_path: Path) -> None:
    with Program(tmp_path, new_world(WorldClock()), page_size=50) as program:
        busy_panel(program)
        book = tmp_path / "state" / "book.sqlite3"
        # A panel takes its time: without this the pass is over before it can be killed.
        program.simulator.faults.add(Fault(do="delay", seconds=0.02, path="/sellers/*", times=-1))
        program.do("trigger", "flip")
        dice, killed_in_work = random.Random(11), 0
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.05, 1.5))
            killed_in_work += bool(program.rows("status")[0]["running"])
            program.kill()
            program.start()
        assert killed_in_work >= 2, "the kills met no run in hand: nothing was tested"
        answer = program.sync()
        assert answer.code == 0, answer
        assert book_words(book) == program.world.truth()
        check_invariants(Book.open(book, SystemClock()))
        with closing(sqlite3.connect(book)) as db:
            parcels, invoices = (
                db.execute("SELECT count(*) FROM package WHERE dispatched_at NOT NULL").fetchone()[
                    0
                ],
                db.execute("SELECT count(*) FROM invoice WHERE state = 'ISSUED'").fetchone()[0],
            )
            rows = db.execute("SELECT number FROM invoice ORDER BY package_id")
            numbers = [row[0] for row in rows]
        assert parcels == invoices > 1_000
        assert numbers == [f"INV/{n}" for n in range(1, len(numbers) + 1)], "no gap, none twice"
        before = journal_size(book)
        assert program.sync().code == 0
        assert journal_size(book) == before, "a second pass finds nothing new"


@pytest.mark.timeout(120)
def test_fault_C04_sigterm_in_a_pass_ends_in_time_and_the_pass_goes_on_later(
    tmp_path: Path,
) -> None:
    with Program(tmp_path, new_world(WorldClock())) as program:
        busy_panel(program)
        program.do("trigger", "flip")
        time.sleep(0.2)
        started = time.monotonic()
        assert program.terminate() == 0
        assert time.monotonic() - started < 5
        assert not (tmp_path / "syncd.sock").exists()
        program.start()
        assert program.sync().code == 0
        assert book_words(tmp_path / "state" / "book.sqlite3") == program.world.truth()
