"""Each invariant fails on a book that is broken in the way it names, and says where."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd.book.putaways import Disposition, complete_putaway
from syncd.rules import Position
from syncd.statuses import ReturnType, Status
from tests.bookkit import Seller
from tests.invariants import INVARIANTS, check_file

pytestmark = pytest.mark.unsound_book

BREAKS = {
    "every_row_has_its_parent": "UPDATE item SET order_id = 99 WHERE id = 1",
    "i01_a_piece_is_in_one_parcel_of_its_own_order": (
        "UPDATE item SET package_id = (SELECT id FROM package WHERE order_id = 2) WHERE id = 1"
    ),
    "i01_a_parcel_has_one_invoice": "DELETE FROM invoice WHERE package_id = 1",
    "i01_a_number_is_given_once_and_below_the_counter": "UPDATE sequence SET next_number = 2",
    "i02_a_fact_takes_effect_once": (
        "INSERT INTO decision SELECT id + 100, inbox_id, order_id, item_id, event, after, after, "
        "outcome, code, '', implied, run_id, actor, note, occurred_at, decided_at "
        "FROM decision WHERE code = 'delivered_on_channel'"
    ),
    "i04_no_piece_moves_back_but_by_the_named_rules": (
        "UPDATE decision SET after = 'CREATED' WHERE code = 'delivered_on_channel'"
    ),
    "i05_the_shelf_grows_only_by_lawful_moves": "UPDATE putaway SET disposition = 'BAD'",
    "i06_every_bucket_is_the_sum_of_its_moves": "UPDATE stock SET quantity = quantity + 1",
    "i06_the_moves_of_a_piece_are_a_path_to_where_it_is": (
        "UPDATE item SET allocated = 0 WHERE position = 'PACKED'"
    ),
    "i07_a_decision_does_what_its_steps_say": (
        "UPDATE decision SET steps = 'create_invoice' WHERE code = 'delivered_on_channel'"
    ),
    "i08_a_cursor_is_proven_by_the_run_that_moved_it": (
        "INSERT INTO cursor SELECT account_id, 'dispatched', 1, 77 FROM run WHERE id = 1"
    ),
    "i09_the_records_of_a_piece_have_no_gap": (
        "DELETE FROM decision WHERE code = 'delivered_on_channel'"
    ),
    "i11_what_was_cancelled_is_neither_invoiced_nor_sent": (
        "INSERT INTO decision SELECT id + 100, inbox_id, order_id, item_id, event, after, after, "
        "'NOTE', code, 'dispatch', implied, run_id, actor, note, occurred_at, decided_at "
        "FROM decision WHERE after = 'CANCELLED'"
    ),
    "i12_a_closed_gate_and_a_rehearsal_change_nothing": "UPDATE run SET state = 'GATED'",
    "ledger_a_runs_counts_are_the_journals_marks": "UPDATE run SET ended_at = 1",
    "ledger_a_facts_mark_is_what_its_records_say": (
        "UPDATE inbox SET code = 'redelivered' WHERE status = 'DELIVERED'"
    ),
    "ledger_others_are_told_once_of_each_change": "DELETE FROM outbox WHERE inbox_id = 1",
    "ledger_a_contradiction_is_told_to_a_person": "DELETE FROM exceptions",
    "ledger_an_order_is_the_sum_of_its_pieces": "UPDATE orders SET state = 'CREATED'",
    "ledger_a_parcel_stands_where_its_pieces_stand": "UPDATE package SET state = 'PICKED'",
    "ledger_what_a_piece_knows_fits_where_it_is": (
        "UPDATE item SET dispatched_at = NULL WHERE position = 'DELIVERED'"
    ),
}


@pytest.fixture(scope="module")
def whole_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with a piece of nearly every fate."""
    folder = tmp_path_factory.mktemp("whole")
    seller = Seller(folder)
    seller.stock("SHIRT", 6)
    for number in range(1, 7):
        seller.order(f"OD{number}", ("L1", "SHIRT", 1))
    for number, step in ((2, Position.PACKED), (3, Position.PACKED), (6, Position.MANIFESTED)):
        seller.advance(f"OD{number}", step)
    for status in (Status.DISPATCHED, Status.DELIVERED):
        seller.tell(seller.change("OD1", status))
    seller.tell(seller.change("OD3", Status.CANCELLED), seller.change("OD6", Status.CANCELLED))
    for status in (Status.DISPATCHED, Status.RETURN_NOTICED, Status.RETURNED):
        seller.tell(seller.change("OD4", status, return_type=ReturnType.RTO, left_seller=True))
    seller.tell(seller.change("OD5", Status.CANCELLED), seller.change("OD5", Status.DISPATCHED))
    seller.settle()
    for (putaway,) in seller.rows("SELECT id FROM putaway"):
        complete_putaway(seller.book, putaway, Disposition.GOOD, actor="a", now=seller.clock.now())
    with seller.book.connection():
        seller.book.query("PRAGMA wal_checkpoint(TRUNCATE)")
    seller.book.close()
    check_file(folder / "book.sqlite3")
    return folder / "book.sqlite3"


@pytest.mark.parametrize("name", sorted(INVARIANTS))
def test_a_broken_book_is_noticed_by_the_invariant_that_it_breaks(
    whole_book: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "book.sqlite3"
    shutil.copy(whole_book, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(BREAKS[name]).rowcount, "nothing was broken"
        db.commit()
    with pytest.raises(AssertionError, match=rf"(?m)^{re.escape(name)}: ."):
        check_file(path)


def test_a_book_of_another_invariants_breach_passes_without_it(
    whole_book: Path, tmp_path: Path
) -> None:
    path = tmp_path / "book.sqlite3"
    shutil.copy(whole_book, path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM exceptions")
        db.commit()
    check_file(path, but=["ledger_a_contradiction_is_told_to_a_person"])
    with pytest.raises(AssertionError, match="no such invariant"):
        check_file(path, but=["i99"])
