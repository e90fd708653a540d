"""Policies: what an account chooses changes its cells, and the book follows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from syncd.book import acts
from syncd.book.stock import imbalance
from syncd.config.model import AccountConfig, PoliciesConfig
from syncd.errors import ConfigError, Refused
from syncd.passes import policies_of
from syncd.rules import (
    TABLE,
    USUAL,
    Event,
    InvoiceIssuer,
    Policies,
    Position,
    PutawayAfterCancel,
    Reason,
    Verb,
    decide,
    rulings_for,
    table_for,
)
from syncd.rules.rulebook import BOOKS, every_combination, read_policies
from syncd.statuses import Status
from tests.bookkit import Seller
from tests.unit.rulekit import fact, piece

TEXTS = [
    (files("syncd.rules") / name).read_text(encoding="utf-8")
    for name in ("policies.toml", "table.toml")
]
CHANNEL = Policies(invoice_issuer=InvoiceIssuer.CHANNEL)
FREE = Policies(
    invoice_issuer=InvoiceIssuer.CHANNEL,
    putaway_after_cancel=PutawayAfterCancel.UNLESS_CHANNEL_INVOICES,
)
PACKED = [Position.PACKED, Position.READY_TO_SHIP]
ISSUER = "invoice_issuer = channel"
PUTAWAY = "putaway_after_cancel = unless_channel_invoices"


def test_every_combination_has_a_whole_table_and_the_usual_one_is_the_plain() -> None:
    assert len(list(every_combination())) == 8
    assert {len(table_for(choice)) for choice in every_combination()} == {len(TABLE)}
    assert table_for(USUAL) == TABLE
    assert next(every_combination()) == USUAL


@pytest.mark.parametrize("choice", list(every_combination()), ids=str)
def test_a_cell_is_another_than_the_plain_one_just_where_it_names_a_policy(
    choice: Policies,
) -> None:
    for key, cell in table_for(choice).items():
        plain = TABLE[key]
        assert (msgspec.structs.replace(cell, policies=()) != plain) == bool(cell.policies)
        assert (cell.outcome, cell.target) == (plain.outcome, plain.target)


def test_the_channels_invoice_is_no_step_anywhere() -> None:
    steps = [step.verb for cell in table_for(CHANNEL).values() for step in cell.steps]
    assert not {Verb.CREATE_INVOICE, Verb.VOID_INVOICE} & set(steps)
    cell = table_for(CHANNEL)[Position.CREATED, Event.DELIVERED]  # also where it is implied
    assert (cell.policies, cell.invoices) == ((ISSUER,), False)
    assert table_for(CHANNEL)[Position.PACKED, Event.DISPATCHED].policies == ()


@pytest.mark.parametrize("position", PACKED)
def test_a_putaway_after_a_cancellation_is_left_out_only_where_both_are_chosen(
    position: Position,
) -> None:
    key = (position, Event.CANCELLED)
    assert "open_putaway:CANCELLED_ITEM" in map(str, table_for(CHANNEL)[key].steps)
    cell = table_for(FREE)[key]
    assert list(map(str, cell.steps)) == ["release_allocation", "cancel_item", "alert:info"]
    assert cell.policies == (ISSUER, PUTAWAY)
    alone = Policies(putaway_after_cancel=PutawayAfterCancel.UNLESS_CHANNEL_INVOICES)
    assert table_for(alone) == TABLE


def test_decide_goes_by_the_accounts_table() -> None:
    mug, cancelled = piece("PACKED"), fact("CANCELLED")
    assert decide(mug, cancelled).reason is Reason.CANCELLED_AFTER_INVOICE
    assert decide(mug, cancelled, rulings_for(FREE)).reason is Reason.CANCELLED_ON_CHANNEL
    assert rulings_for(FREE) is rulings_for(msgspec.structs.replace(FREE))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "partial_cancel"', 'name = "moon"', "the policies must be invoice_issuer, "),
        ("seller channel", "channel seller", "invoice_issuer: the values must be seller channel"),
        ('value = "channel"', 'value = "seller"', "'seller' is no value but the default"),
        ("invoice_issuer=channel", "invoice_issuer=moon", "is no policy with its value"),
        ("create_invoice void_invoice", "fly", "invoice_issuer: unknown step 'fly'"),
        ('without = "create_invoice void_invoice"', "", "the value channel changes nothing"),
        ("cancelled_on_channel", "moon", "unknown reason 'moon'"),
        ("APPLY CANCELLED", "NOOP", "the target is PACKED, but the steps lead to CANCELLED"),
        ("create_invoice void_invoice", "dispatch", "but the steps lead to"),
        ('at = "invoiced"', 'at = "DISPATCHED"', "a policy may not change its target"),
        ('steps = "release', 'needs = "grace"\nsteps = "release', "but implies nothing"),
        ("[[policy]]", "[[policies]]", "not a file of policies"),
    ],
)
def test_a_file_of_policies_that_is_wrong_is_told(old: str, new: str, problem: str) -> None:
    assert old in TEXTS[0]
    with pytest.raises(ConfigError, match=r"policies\.toml") as caught:
        read_policies(TEXTS[0].replace(old, new), TEXTS[1])
    assert any(problem in told for told in caught.value.problems), caught.value.problems


def test_the_configuration_has_the_same_words_and_defaults() -> None:
    kinds = {field.name: field.type for field in msgspec.structs.fields(Policies)}
    for name, field in PoliciesConfig.model_fields.items():
        assert get_args(field.annotation) == tuple(str(word) for word in kinds.pop(name))
    assert not kinds
    assert policies_of(AccountConfig(name="shop", channel="sim")) == USUAL
    assert [policy.name for policy in BOOKS.policies] == list(PoliciesConfig.model_fields)


@dataclass
class Shop:
    """A seller without any invoice sequence whose account has chosen."""

    seller: Seller
    policies: Policies

    def advance(self, to: Position) -> acts.Advanced:
        seller = self.seller
        return acts.advance(
            seller.book, "shop", "OD1", to, actor="test", now=seller.clock.now(),
            policies=self.policies,
        )  # fmt: skip

    def told(self, *statuses: Status) -> list[str]:
        """Settle these facts; where the pieces are then."""
        seller = self.seller
        seller.tell(*(seller.change("OD1", status, line_id="a") for status in statuses))
        clerk = seller.clerk()
        clerk.task = msgspec.structs.replace(clerk.task, policies=self.policies)
        clerk.settle(threading.Event(), lambda _: None)
        seller._told_in = None
        with seller.book.connection():
            assert not list(imbalance(seller.book))
        return seller.positions("OD1")

    def notes(self) -> list[str]:
        return [row[0] for row in self.seller.rows("SELECT note FROM decision ORDER BY id")]


def shop(folder: Path, policies: Policies, *, sequence: bool = False) -> Shop:
    seller = Seller(folder, sequence=sequence)
    seller.stock("MUG", 2)
    seller.order("OD1", ("a", "MUG", 1))
    return Shop(seller, policies)


def test_a_dispatch_takes_no_number_and_needs_no_sequence(tmp_path: Path) -> None:
    here = shop(tmp_path, CHANNEL)
    assert here.told(Status.DISPATCHED) == ["DISPATCHED"]
    assert here.seller.count("invoice") == 0
    assert here.notes()[-1].endswith(ISSUER)


def test_the_usual_account_is_refused_without_a_sequence(tmp_path: Path) -> None:
    here = shop(tmp_path, USUAL)
    assert here.told(Status.DISPATCHED) == ["FULFILLABLE"]
    with pytest.raises(Refused, match="already says it has left"):
        here.advance(Position.PACKED)


@pytest.mark.parametrize("traceability", ["NONE", "ITEM"])
def test_a_packed_piece_without_an_invoice_leaves(tmp_path: Path, traceability: str) -> None:
    here = shop(tmp_path, CHANNEL)
    with here.seller.book.write():
        here.seller.book.query("UPDATE facility SET traceability = ?", (traceability,))
    assert here.advance(Position.PACKED).invoices == ()
    assert here.notes() == [ISSUER]
    assert here.told(Status.DISPATCHED) == ["DISPATCHED"]
    assert here.seller.count("invoice") == 0


@pytest.mark.parametrize(
    ("policies", "stock", "putaways"),
    [
        (CHANNEL, {"on_hand_good": 1, "putaway_pending": 1}, 1),
        (FREE, {"on_hand_good": 2}, 0),
    ],
)
def test_a_packed_piece_without_an_invoice_is_cancelled(
    tmp_path: Path, policies: Policies, stock: dict[str, int], putaways: int
) -> None:
    here = shop(tmp_path, policies)
    here.advance(Position.PACKED)
    assert here.told(Status.CANCELLED) == ["CANCELLED"]
    held = here.seller.stock_of("MUG")
    assert {name: count for name, count in held.items() if count and name in stock} == stock
    assert here.seller.count("putaway") == putaways
    assert here.seller.count("item", "package_id IS NOT NULL") == 0
    assert here.told(Status.CANCELLED) == ["CANCELLED"]  # once more changes nothing
    assert here.seller.count("putaway") == putaways


def test_an_invoice_from_before_the_change_goes_by_the_sellers_rules(tmp_path: Path) -> None:
    here = shop(tmp_path, USUAL, sequence=True)
    here.advance(Position.PACKED)
    here.policies = FREE
    assert here.told(Status.CANCELLED) == ["CANCELLED"]
    assert here.seller.rows("SELECT state FROM invoice") == [("VOIDED",)]
    assert here.seller.count("putaway") == 1
    assert ISSUER not in here.notes()[-1]


@pytest.mark.parametrize("policies", [CHANNEL, USUAL])
def test_a_person_reopens_without_a_sequence_where_the_channel_invoices(
    tmp_path: Path, policies: Policies
) -> None:
    here = shop(tmp_path, CHANNEL)
    here.told(Status.CANCELLED, Status.DISPATCHED)
    seller = here.seller
    ((number,),) = seller.rows("SELECT id FROM exceptions WHERE state = 'OPEN'")

    def reopen() -> acts.Settled:
        return acts.settle(
            seller.book, [number], "reopen", note="seen", actor="test", now=seller.clock.now(),
            policies={"shop": policies},
        )  # fmt: skip

    if policies == USUAL:
        with pytest.raises(Refused, match="sequence"):
            reopen()
        return
    assert reopen().answers[0].after == "DISPATCHED"
    assert seller.count("invoice") == 0
