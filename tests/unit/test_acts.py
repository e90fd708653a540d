"""What a person does to accounts, tenants, facilities, sequences and single facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.book import acts, inbox, runs
from syncd.book.documents import (
    DocumentKind,
    SequenceRow,
    package_code,
    proposed_prefix,
    sequence_missing,
    take_number,
)
from syncd.book.tables import Facility, Tenant
from syncd.errors import NotFound, Refused
from syncd.statuses import Kind, Status
from tests.bookkit import Seller

WHO = "uid 1000 (asha)"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Seller:
    return Seller(tmp_path, sequence=False)


def define(seller: Seller, **more: object) -> acts.Change:
    asked: dict[str, object] = {"prefix": "INV/", "actor": WHO, "now": seller.clock.now(), **more}
    return acts.define_sequence(seller.book, "BLR", **asked)  # type: ignore[arg-type]


def test_numbers_count_up_and_are_padded() -> None:
    row = SequenceRow(id=1, prefix="INV/", next_number=9, width=3)
    assert [take_number(row), take_number(row)] == ["INV/009", "INV/010"]
    assert row.next_number == 11
    assert package_code(7) == "SP-7"


def test_a_refused_order_is_tried_again_once_its_sequence_is_defined(bare: Seller) -> None:
    bare.order("OD1", ("L1", "SHIRT", 1))
    bare.tell(bare.change("OD1", Status.DISPATCHED))
    bare.settle()
    assert bare.journal() == [("REFUSED", "REFUSED", "sequence_missing")]
    assert bare.positions("OD1") == ["UNFULFILLABLE"]
    change = define(bare, start=41, width=4)
    assert (change.before, change.after) == ("none", "INV/0041")
    assert (change.reopened, change.accounts) == (1, ("shop",))
    assert bare.journal()[0][0] == "NEW"
    bare.settle()
    assert bare.rows("SELECT number FROM invoice") == [("INV/0041",)]


def test_a_sequence_may_change_but_never_repeat_a_number(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    with pytest.raises(Refused, match=r"Numbers up to INV/001 are in use.* start at 2 ") as caught:
        define(seller, start=1)
    assert caught.value.code == "number_in_use"
    assert define(seller, start=2, width=4).before == "INV/002"
    assert define(seller, prefix="FY27/", start=1, width=1).after == "FY27/1"
    with pytest.raises(Refused, match="start at 2"):
        define(seller, start=1)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"prefix": "INV 1"}, "bad_prefix"),
        ({"prefix": ""}, "bad_prefix"),
        ({"prefix": "x" * 41}, "bad_prefix"),
        ({"start": 0}, "bad_number"),
        ({"start": 10**12 + 1}, "bad_number"),
        ({"width": 0}, "bad_number"),
        ({"width": 13}, "bad_number"),
    ],
)
def test_a_bad_sequence_is_refused(bare: Seller, more: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as caught:
        define(bare, **more)
    assert caught.value.code == code
    assert bare.count("sequence") == 0


def second_facility(seller: Seller, tenant: int = 1) -> None:
    with seller.book.write():
        Facility.create(tenant=tenant, code="DEL")


def at_del(seller: Seller, **more: object) -> acts.Change:
    asked: dict[str, object] = {"prefix": "DEL/", "actor": WHO, "now": seller.clock.now(), **more}
    return acts.define_sequence(seller.book, "DEL", **asked)  # type: ignore[arg-type]


def test_a_sequence_keeps_its_width_unless_told(bare: Seller) -> None:
    assert define(bare).after == "INV/1"
    assert define(bare, width=4).after == "INV/0001"
    assert define(bare, prefix="FY27/").after == "FY27/0001"


@pytest.mark.parametrize("prefix", ["INV/", "INV/1", "INV/007"])
def test_two_facilities_of_a_tenant_never_give_the_same_number(seller: Seller, prefix: str) -> None:
    second_facility(seller)
    with pytest.raises(Refused, match=r"Facility BLR .*'INV/'.* --prefix DEL/") as caught:
        at_del(seller, prefix=prefix)
    assert caught.value.code == "prefix_in_use"
    at_del(seller, prefix="INV/X")
    with pytest.raises(Refused, match="Facility DEL"):
        define(seller, prefix="INV/X12")


def test_another_kind_or_another_tenant_may_use_the_prefix(seller: Seller) -> None:
    second_facility(seller)
    at_del(seller, prefix="INV/", kind=DocumentKind.SALE_RETURN_INVOICE)
    with seller.book.write():
        tenant = Tenant.create(code="other", state="LIVE")
        Facility.create(tenant=tenant, code="BOM")
    now = seller.clock.now()
    change = acts.define_sequence(seller.book, "BOM", prefix="INV/", actor=WHO, now=now)
    assert change.after == "INV/1"


def test_a_number_that_another_facility_has_issued_is_not_given_again(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    define(seller, prefix="BLR/")
    second_facility(seller)
    with pytest.raises(Refused, match=r"INV/001 .*at facility BLR; start at 2 \(INV/0002\)"):
        at_del(seller, prefix="INV/", width=4)
    assert at_del(seller, prefix="INV/", start=2, width=4).after == "INV/0002"


def test_the_proposed_prefix_holds_the_facility_and_can_be_used(bare: Seller) -> None:
    assert "sequence set WH2 SALE_INVOICE --prefix WH2/" in sequence_missing("WH2")
    assert "sequence set W.2 SALE_INVOICE --prefix W-2/ --tenant acme" in sequence_missing(
        "W.2", tenant="acme"
    )
    assert define(bare, prefix=proposed_prefix("x" * 80)).after == "x" * 39 + "/1"
    with pytest.raises(Refused, match=r"such as --prefix BLR/"):
        define(bare, prefix="")


def test_each_kind_of_document_has_its_own_numbers(bare: Seller) -> None:
    define(bare)
    define(bare, kind=DocumentKind.SALE_RETURN_INVOICE, prefix="CN/")
    assert bare.rows("SELECT kind, prefix FROM sequence ORDER BY kind") == [
        ("SALE_INVOICE", "INV/"),
        ("SALE_RETURN_INVOICE", "CN/"),
    ]


def test_an_unknown_facility_is_told_with_the_known_ones(seller: Seller) -> None:
    with pytest.raises(NotFound, match=r"no facility 'BLX'. Known facilities: BLR"):
        acts.set_facility(seller.book, "BLX", actor=WHO, now=seller.clock.now())


def test_a_facility_code_of_two_tenants_needs_the_tenant(seller: Seller) -> None:
    with seller.book.write():
        Facility.create(tenant=Tenant.create(code="other", state="LIVE"), code="BLR")
    now = seller.clock.now()
    with pytest.raises(Refused, match=r"acme, other. Say which with --tenant"):
        acts.set_facility(seller.book, "BLR", state="INACTIVE", actor=WHO, now=now)
    acts.set_facility(seller.book, "BLR", state="INACTIVE", actor=WHO, now=now, tenant="other")
    assert seller.rows("SELECT state FROM facility ORDER BY id") == [("ACTIVE",), ("INACTIVE",)]


def test_a_tenant_goes_live_and_is_suspended(tmp_path: Path) -> None:
    seller = Seller(tmp_path, live=False)
    now = seller.clock.now()
    change = acts.set_tenant_state(seller.book, "acme", "LIVE", actor=WHO, now=now)
    assert (change.before, change.after, change.accounts) == ("ONBOARDING", "LIVE", ("shop",))
    acts.set_tenant_state(seller.book, "acme", "SUSPENDED", actor=WHO, now=now)
    assert seller.rows("SELECT state FROM tenant") == [("SUSPENDED",)]
    with pytest.raises(Refused, match="take one of ONBOARDING, LIVE, SUSPENDED"):
        acts.set_tenant_state(seller.book, "acme", "live", actor=WHO, now=now)
    with pytest.raises(NotFound, match="Known tenants: acme"):
        acts.set_tenant_state(seller.book, "acne", "LIVE", actor=WHO, now=now)


def test_switching_a_facility_on_reopens_what_was_refused(seller: Seller) -> None:
    now = seller.clock.now()
    seller.order("OD1", ("L1", "SHIRT", 1))
    acts.set_facility(seller.book, "BLR", state="INACTIVE", actor=WHO, now=now)
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    assert seller.journal()[0][2] == "facility_inactive"
    change = acts.set_facility(seller.book, "BLR", state="ACTIVE", actor=WHO, now=now)
    assert (change.before, change.after, change.reopened) == ("INACTIVE, NONE", "ACTIVE, NONE", 1)
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED"]


def test_lower_traceability_reopens_what_had_to_be_scanned(seller: Seller) -> None:
    now = seller.clock.now()
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    acts.set_facility(seller.book, "BLR", traceability="ITEM", actor=WHO, now=now)
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    assert seller.journal()[0][2] == "item_traceability_needs_scan"
    assert acts.set_facility(
        seller.book, "BLR", traceability="NONE", actor=WHO, now=now
    ).accounts == ("shop",)
    seller.settle()
    assert seller.positions("OD1") == ["DISPATCHED"]


def test_an_account_is_paused_and_resumed(seller: Seller) -> None:
    now = seller.clock.now()
    change = acts.pause_account(seller.book, "shop", reason="stocktaking", actor=WHO, now=now)
    assert (change.before, change.after) == ("CONNECTED", "PAUSED")
    stored = seller.rows("SELECT state, state_reason FROM account")
    assert stored == [("PAUSED", f"paused by {WHO}: stocktaking")]
    acts.resume_account(seller.book, "shop", actor=WHO, now=now)
    assert seller.rows("SELECT state, state_reason FROM account") == [("CONNECTED", "")]


def test_refused_credentials_wait_for_a_person(seller: Seller) -> None:
    now = seller.clock.now()
    acts.credentials_refused(seller.book, "shop", "The panel answered 401.", now=now)
    assert acts.resume_account(seller.book, "shop", actor=WHO, now=now).before == "AUTH_FAILED"


def test_a_pause_keeps_what_the_panel_said_of_the_credentials(seller: Seller) -> None:
    now = seller.clock.now()
    acts.credentials_refused(seller.book, "shop", "The panel answered 401.", now=now)
    for reason in ("new key ordered", "still waiting"):
        acts.pause_account(seller.book, "shop", reason=reason, actor=WHO, now=now)
    assert seller.rows("SELECT state, state_reason FROM account") == [
        (
            "PAUSED",
            f"paused by {WHO}: still waiting; its credentials were refused before: "
            "The panel answered 401.",
        )
    ]
    acts.resume_account(seller.book, "shop", actor=WHO, now=now)
    assert seller.rows("SELECT state, state_reason FROM account") == [("CONNECTED", "")]


def test_a_disabled_account_is_switched_on_in_the_configuration_only(seller: Seller) -> None:
    with seller.book.write():
        seller.book.query("UPDATE account SET state = 'DISABLED'")
    with pytest.raises(Refused, match="switched on in the configuration"):
        acts.resume_account(seller.book, "shop", actor=WHO, now=seller.clock.now())


def test_parked_facts_are_retried_by_account_and_by_id(seller: Seller) -> None:
    seller.tell(seller.change("OD1", Status.DISPATCHED), seller.change("OD2", Status.DISPATCHED))
    seller.settle()
    now = seller.clock.now()
    again = acts.retry(seller.book, ids=[1], actor=WHO, now=now)
    assert (again.ids, again.accounts) == ((1,), ("shop",))
    assert [row[0] for row in seller.journal()] == ["NEW", "PARKED"]
    assert acts.retry(seller.book, account="shop", actor=WHO, now=now).ids == (2,)
    with pytest.raises(Refused, match="Say what to try again"):
        acts.retry(seller.book, actor=WHO, now=now)
    with pytest.raises(NotFound, match="no fact 99"):
        acts.retry(seller.book, ids=[1, 99], actor=WHO, now=now)


def test_retry_by_code_takes_only_that_code(bare: Seller) -> None:
    bare.order("OD1", ("L1", "SHIRT", 1))
    bare.tell(bare.change("OD1", Status.DISPATCHED), bare.change("OD2", Status.DISPATCHED))
    bare.settle()
    again = acts.retry(bare.book, code="sequence_missing", actor=WHO, now=bare.clock.now())
    assert again.ids == (1,)
    assert bare.rows("SELECT event, before, after, actor FROM decision WHERE outcome = 'ACT'") == [
        ("retry", "REFUSED", "NEW", WHO)
    ]


def test_a_settled_fact_is_not_decided_twice(seller: Seller) -> None:
    seller.order("OD1", ("L1", "SHIRT", 1))
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    with pytest.raises(Refused, match="Fact 1 is DONE and cannot be tried again"):
        acts.retry(seller.book, ids=[1], actor=WHO, now=seller.clock.now())


def test_an_unreadable_row_is_ignored_not_retried(seller: Seller) -> None:
    now = seller.clock.now()
    asked = runs.enqueue(seller.book, "shop", [], trigger="test", actor="test", now=now)
    row = seller.change("OD1", Status.UNKNOWN, raw="{}", problem="New word.")
    inbox.store_page(seller.book, 1, Kind.DISPATCHED, [row], run_id=asked.run_id, observed_at=now)
    with pytest.raises(Refused, match=r"could not be read.*failed --ignore 1 --note"):
        acts.retry(seller.book, ids=[1], actor=WHO, now=now)
    with pytest.raises(Refused, match="Say why"):
        acts.ignore(seller.book, [1], note=" ", actor=WHO, now=now)
    acts.ignore(seller.book, [1], note="done by hand", actor=WHO, now=now)
    assert seller.rows("SELECT state, message FROM inbox") == [
        ("IGNORED", f"ignored by {WHO}: done by hand")
    ]


def test_an_ignored_fact_may_be_brought_back(seller: Seller) -> None:
    seller.tell(seller.change("OD1", Status.DISPATCHED))
    seller.settle()
    now = seller.clock.now()
    acts.ignore(seller.book, [1], note="not ours", actor=WHO, now=now)
    seller.settle()
    assert seller.journal()[0][0] == "IGNORED"
    acts.retry(seller.book, ids=[1], actor=WHO, now=now)
    assert seller.journal()[0][0] == "NEW"
    with pytest.raises(Refused, match="Name the facts"):
        acts.ignore(seller.book, [], note="x", actor=WHO, now=now)
