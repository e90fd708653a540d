"""The decision table in words: the page of the manual, the command's rows, single cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncd.book.rulesheet import main, markdown, sheet_of
from syncd.errors import Refused
from syncd.rules import TABLE, USUAL, Event, InvoiceIssuer, Policies, Position
from syncd.rules.table import GROUPS


def test_the_page_of_the_manual_is_the_tables(repository: Path) -> None:
    page = (repository / "docs" / "rules.md").read_text("utf-8")
    assert page == markdown(), (
        "write it again: python -m syncd.book.rulesheet --markdown > docs/rules.md"
    )


def test_every_cell_is_in_just_one_row_that_says_what_it_does() -> None:
    seen = {}
    for row in sheet_of(USUAL).rules:
        for position in row.positions:
            key = (Position(position), Event(row.event))
            assert key not in seen
            seen[key] = row
            cell = TABLE[key]
            assert (row.outcome, row.reason, row.note) == (cell.outcome, cell.reason, cell.note)
            assert row.target == ("" if cell.target is key[0] else cell.target)
            assert row.steps == tuple(map(str, cell.steps))
            assert row.words
    assert set(seen) == set(TABLE)


def test_groups_stand_for_just_their_positions() -> None:
    for row in sheet_of(USUAL).rules:
        written = [p for name in row.at for p in sorted(GROUPS.get(name, {name}))]
        assert sorted(written) == sorted(row.positions)


@pytest.mark.parametrize("word", ["PACKED", "packed", "Ready-to-ship"])
def test_a_single_cell_is_asked_for_in_any_spelling(word: str) -> None:
    (row,) = sheet_of(USUAL, event="cancelled", at=word).rules
    assert (row.target, row.reason) == ("CANCELLED", "cancelled_after_invoice")


@pytest.mark.parametrize(
    ("event", "at", "clause"),
    [
        ("LOST", "PACKED", "with evidence that it left, else it waits"),
        ("LOST", "PACKED", "after one sweep"),
        (
            "DELIVERED",
            "LOST",
            "only if newer than the buyer's return and the loss, else ESCALATE "
            "(lost_after_delivered): alert:warning",
        ),
        (
            "RETURN_NOTICED_CIR",
            "SHIPPED",
            "only if newer than the withdrawal, else APPLY_CHAIN to DELIVERED (implied_delivery): "
            "(deliver)",
        ),
        (
            "RETURN_NOTICED_RTO",
            "DELIVERED",
            "only if newer than the delivery, else NOOP (stale_event): note_found",
        ),
        (
            "RETURNED_RTO",
            "SHIPPED",
            "only if newer than the withdrawal, else ESCALATE (return_withdrawn_after_receipt): "
            "alert:warning",
        ),
        (
            "LOST",
            "RETURNED",
            "only if newer than the withdrawal of any return, else ESCALATE (return_of_lost): "
            "alert:warning",
        ),
    ],
)
def test_conditions_are_said_in_words(event: str, at: str, clause: str) -> None:
    (row,) = sheet_of(USUAL, event=event, at=at).rules
    assert clause in row.conditions


def test_an_accounts_rows_name_the_policies_that_changed_them() -> None:
    chosen = Policies(invoice_issuer=InvoiceIssuer.CHANNEL)
    sheet = sheet_of(chosen, event="DISPATCHED", at="CREATED")
    assert sheet.policies["invoice_issuer"] == "channel"
    assert sheet.rules[0].policies == ("invoice_issuer = channel",)
    assert sheet.rules[0].steps == ("allocate", "dispatch")


@pytest.mark.parametrize("more", [{"event": "MOON"}, {"at": "MOON"}])
def test_an_unknown_word_is_told_with_those_that_there_are(more: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"'MOON' is no (event|position); there are: .*DISPATCHED"):
        sheet_of(USUAL, **more)


def test_the_program_prints_rows_or_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--event", "LOST", "--at", "LOST"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"][0]["reason"] == "already_at_or_past"
    assert main(["--markdown"]) == 0
    assert capsys.readouterr().out == markdown()
    assert main(["--event", "MOON"]) == 2
    assert "'MOON' is no event" in capsys.readouterr().err
