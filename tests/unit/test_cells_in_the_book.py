"""Each of the 252 cells, by its name, carried out on a real book: what stands there afterwards.

A book is made once for each position, by lawful means, and copied for each event.
"""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from syncd.book import intake
from syncd.book.intake_files import ImportedOrder
from syncd.book.putaways import Disposition, complete_putaway
from syncd.clock import to_micros
from syncd.rules import TABLE, Cell, Event, Fallback, Outcome, Position, Reason, Verb
from syncd.statuses import OrderLine, ReturnType, Status, StatusChange
from tests.bookkit import START, Seller

P, V = Position, Verb
RTO, CIR = ReturnType.RTO, ReturnType.CIR
ON_THE_ROAD = (P.CREATED, P.PICKING, P.PICKED, P.PACKED, P.READY_TO_SHIP, P.MANIFESTED)
NO_STOCK = (P.UNFULFILLABLE, P.PENDING_VERIFICATION, P.LOCATION_NOT_SERVICEABLE)
BEFORE_DISPATCH = (*NO_STOCK, P.FULFILLABLE, *ON_THE_ROAD)
INVOICED = (P.PACKED, P.READY_TO_SHIP, P.MANIFESTED)

TOLD_TO_REACH: dict[Position, tuple[tuple[Status, ReturnType | None], ...]] = {
    P.DISPATCHED: ((Status.DISPATCHED, None),),
    P.DELIVERED: ((Status.DISPATCHED, None), (Status.DELIVERED, None)),
    P.CANCELLED: ((Status.CANCELLED, None),),
    P.RETURN_EXPECTED: ((Status.DISPATCHED, None), (Status.RETURN_NOTICED, RTO)),
    P.RETURNED: ((Status.DISPATCHED, None), (Status.RETURNED, RTO)),
    P.RETURN_ACKNOWLEDGED: ((Status.DISPATCHED, None), (Status.RETURNED, RTO)),
    P.CIR_CREATED: ((Status.DISPATCHED, None), (Status.RETURN_NOTICED, CIR)),
    P.CIR_COMPLETE: ((Status.DISPATCHED, None), (Status.RETURNED, CIR)),
    P.LOST: ((Status.DISPATCHED, None), (Status.LOST, None)),
}
"""What a channel says of a piece with stock until it stands there."""

HERE = {
    P.FULFILLABLE: "allocated", **dict.fromkeys(ON_THE_ROAD, "allocated"),
    P.DISPATCHED: "in_transit_out", P.SHIPPED: "in_transit_out", P.DELIVERED: "sold",
    P.CANCELLED: "on_hand_good", P.RETURN_EXPECTED: "in_transit_back",
    P.RETURNED: "putaway_pending", P.RETURN_ACKNOWLEDGED: "on_hand_good",
    P.CIR_CREATED: "in_transit_back", P.CIR_COMPLETE: "putaway_pending", P.LOST: "in_transit_out",
}  # fmt: skip
"""Where the one piece of stock is while the piece stands there; it never was, where not named."""

PUTAWAYS = {P.RETURNED: ["RTO"], P.RETURN_ACKNOWLEDGED: ["RTO"], P.CIR_COMPLETE: ["CIR"]}


def status_of(event: Event) -> tuple[Status, ReturnType | None]:
    """How a channel says it."""
    for kind in ReturnType:
        if event.endswith(f"_{kind}"):
            return Status(event.removesuffix(f"_{kind}")), kind
    return Status(event.value), None


def build(folder: Path, position: Position, *, hold: bool = False) -> Path:
    """A book whose order OD1 has one piece, at this position."""
    seller = Seller(folder)
    if position in (P.PENDING_VERIFICATION, P.LOCATION_NOT_SERVICEABLE, P.SHIPPED):
        line = OrderLine(line_id="L1", sku="SHIRT", quantity=1)
        order = ImportedOrder(
            order_id="OD1", placed_at=START, lines=(line,), states={"L1": position.value}
        )
        intake.take_orders(seller.book, "shop", [order], source="test", now=START)
    elif position is not P.UNKNOWN_ORDER:
        if position is not P.UNFULFILLABLE:
            seller.stock("SHIRT", 1)
        seller.order("OD1", ("L1", "SHIRT", 1))
    if position in ON_THE_ROAD:
        seller.advance("OD1", position)
    for status, kind in TOLD_TO_REACH.get(position, ()):
        seller.tell(seller.change("OD1", status, return_type=kind, left_seller=True))
    if hold:
        seller.tell(seller.change("OD1", Status.CANCEL_REQUESTED))
    seller.settle()
    if position is P.RETURN_ACKNOWLEDGED:
        complete_putaway(seller.book, 1, Disposition.GOOD, actor="a", now=seller.clock.now())
    assert seller.positions("OD1") == [position.value] * (position is not P.UNKNOWN_ORDER)
    seller.book.close()
    return folder / "book.sqlite3"


class Books:
    """The books made so far, and a fresh copy of one for a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[tuple[Position, bool, bool], Path] = {}

    def copy(
        self, folder: Path, position: Position, *, hold: bool = False, pulled: bool = False
    ) -> Seller:
        key = (position, hold, pulled)
        if key not in self.made:
            place = self.folder / str(len(self.made))
            place.mkdir()
            self.made[key] = build(place, position, hold=hold)
            if pulled:
                seller = Seller.at(place, START + timedelta(hours=12))
                tell(seller, Event.CANCELLED)
                seller.book.close()
        shutil.copy(self.made[key], folder / "book.sqlite3")
        return Seller.at(folder)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return Books(tmp_path_factory.mktemp("positions"))


def tell(seller: Seller, event: Event, **more: object) -> StatusChange:
    """The event, later than all before it, proven and after its sweep."""
    status, kind = status_of(event)
    seller.clock.advance(timedelta(hours=2))
    fact = seller.change("OD1", status, return_type=kind, **{"left_seller": True, **more})
    seller.tell(fact)
    seller.settle()
    return fact


def last_decision(seller: Seller) -> tuple[str, ...]:
    """Of the newest fact: event, before, after, outcome, code and steps of its one record."""
    rows = seller.rows(
        "SELECT event, before, after, outcome, code, steps FROM decision "
        "WHERE inbox_id = (SELECT max(id) FROM inbox)"
    )
    assert len(rows) == 1
    return rows[0]


def steps_text(cell: Cell) -> str:
    return ",".join(f"{s.verb}:{s.arg}" if s.arg else s.verb for s in cell.steps)


def stock_after(position: Position, cell: Cell) -> dict[str, int]:
    """Where the piece of stock must be, told from the positions alone."""
    if position is cell.target or position is P.UNKNOWN_ORDER:
        after = HERE.get(position)
    elif cell.target is P.CANCELLED:
        on_shelf = position in (P.FULFILLABLE, P.CREATED)
        after = "on_hand_good" if on_shelf else "putaway_pending"
        after = None if position in NO_STOCK else after
    elif cell.target is P.LOST:
        after = "in_transit_out" if position in BEFORE_DISPATCH else HERE[position]
    else:
        after = HERE[cell.target]
    if after is None:
        return {}
    return {after: 1, "shortage": -1} if position in NO_STOCK else {after: 1}


CELLS = list(product(Event, Position))


@pytest.mark.parametrize(
    ("event", "position"), CELLS, ids=[f"{event}-at-{position}" for event, position in CELLS]
)
def test_cell(books: Books, tmp_path: Path, event: Event, position: Position) -> None:
    cell = TABLE[position, event]
    seller = books.copy(tmp_path, position)
    fact = tell(seller, event)
    if position is P.UNKNOWN_ORDER:
        state = "TOMBSTONE" if event is Event.CANCELLED else "PARKED"
        assert seller.journal() == [(state, cell.outcome, cell.reason)]
        assert seller.count("decision") == seller.count("outbox") == seller.count("orders") == 0
        return
    assert seller.positions("OD1") == [cell.target]
    assert seller.journal()[-1] == ("DONE", cell.outcome, cell.reason)
    assert last_decision(seller) == (
        event, position, cell.target, cell.outcome, cell.reason, steps_text(cell),
    )  # fmt: skip
    assert seller.stock_of("SHIRT") == stock_after(position, cell)
    check_documents(seller, position, cell)
    check_troubles(seller, position, cell)
    check_piece(seller, position, cell, to_micros(fact.occurred_at))


def check_documents(seller: Seller, position: Position, cell: Cell) -> None:
    """Invoices, putaways and messages."""
    verbs = [step.verb for step in cell.steps]
    had = position in (*INVOICED, *TOLD_TO_REACH) and position is not P.CANCELLED
    invoices = Counter(row[0] for row in seller.rows("SELECT state FROM invoice"))
    if V.VOID_INVOICE in verbs:
        assert invoices == {"VOIDED": 1}
    else:
        assert invoices == ({"ISSUED": 1} if had or V.CREATE_INVOICE in verbs else {})
    opened = [step.arg for step in cell.steps if step.verb is V.OPEN_PUTAWAY]
    kinds = [row[0] for row in seller.rows("SELECT kind FROM putaway ORDER BY id")]
    assert kinds == [*PUTAWAYS.get(position, []), *opened]
    told = seller.count("outbox", "inbox_id = (SELECT max(id) FROM inbox)")
    assert told == (cell.outcome is not Outcome.NOOP)


def check_troubles(seller: Seller, position: Position, cell: Cell) -> None:
    """Exceptions, claims and holds."""
    verbs = {step.verb for step in cell.steps}
    open_now = [
        row[0]
        for row in seller.rows("SELECT code FROM exceptions WHERE state = 'OPEN' ORDER BY id")
    ]
    claims = ["lost_in_transit"] if position is P.LOST and V.CLOSE_CLAIM not in verbs else []
    opens = cell.outcome in (Outcome.ESCALATE, Outcome.HOLD) or V.OPEN_CLAIM in verbs
    code = "lost_in_transit" if cell.reason is Reason.IMPLIED_DISPATCH else cell.reason.value
    assert open_now == [*claims, *([code] if opens else [])]
    severity = next((step.arg for step in cell.steps if step.verb is V.ALERT), "")
    if cell.outcome in (Outcome.ESCALATE, Outcome.HOLD):
        sql = "SELECT severity FROM exceptions ORDER BY id DESC LIMIT 1"
        assert seller.rows(sql) == [(severity,)]
    hold = cell.reason.value if cell.outcome is Outcome.HOLD else ""
    assert seller.rows("SELECT hold FROM item") == [(hold,)]
    blocked = {row[0] for row in seller.rows("SELECT blocked FROM package WHERE blocked <> ''")}
    assert blocked == ({hold} if V.BLOCK_DISPATCH in verbs else set())


def check_piece(seller: Seller, position: Position, cell: Cell, at: int) -> None:
    """The dates and ids that later decisions rest on."""
    columns = (
        "changed_at", "dispatched_at", "delivered_at", "return_type", "return_noticed_at",
        "withdrawn_at", "uncancelled_at", "return_from", "cancelled_at", "lost_at",
    )  # fmt: skip
    (row,) = seller.rows(f"SELECT {', '.join(columns)} FROM item")
    piece = dict(zip(columns, row, strict=True))
    verbs = {step.verb for step in cell.steps}
    assert (piece["changed_at"] == at) == (cell.target is not position)
    if V.DISPATCH in verbs:
        assert piece["dispatched_at"] == at
    if V.DELIVER in verbs:
        assert piece["delivered_at"] == at
    if verbs & {V.EXPECT_RETURN, V.CREATE_REVERSE_PICKUP}:
        assert (piece["return_noticed_at"], piece["return_from"] != "") == (at, True)
        assert piece["return_type"] == ("CIR" if V.CREATE_REVERSE_PICKUP in verbs else "RTO")
    over = cell.event is Event.RETURN_WITHDRAWN and bool(
        verbs & {V.WITHDRAW_RETURN_EXPECTATION, V.CANCEL_REVERSE_PICKUP, V.NOTE_WITHDRAWAL}
    )
    moot = at - 1 if V.NOTE_FOUND in verbs else None
    assert piece["withdrawn_at"] == (at if over else moot)
    assert piece["cancelled_at"] == (at if V.NOTE_CANCELLATION in verbs else None)
    if verbs & {V.OPEN_CLAIM, V.NOTE_LOSS}:
        assert piece["lost_at"] == at
    if V.RENEW_DELIVERED_AT in verbs:
        assert piece["delivered_at"] == at
    if cell.event is Event.CANCEL_WITHDRAWN and V.RELEASE_HOLD in verbs:
        assert piece["uncancelled_at"] == at


HELD = list(product(Event, BEFORE_DISPATCH))


@pytest.mark.parametrize(
    ("event", "position"), HELD, ids=[f"{event}-at-held-{position}" for event, position in HELD]
)
def test_cell_of_a_piece_whose_buyer_wishes_to_cancel(
    books: Books, tmp_path: Path, event: Event, position: Position
) -> None:
    cell = TABLE[position, event]
    seller = books.copy(tmp_path, position, hold=True)
    tell(seller, event)
    ((stands, hold),) = seller.rows("SELECT position, hold FROM item")
    done = last_decision(seller)
    if event is Event.CANCEL_REQUESTED:
        assert done[3:] == ("NOOP", "already_at_or_past", "renew_hold")
        assert (stands, hold) == (position, "buyer_cancel_requested")
        return
    moves = cell.target is not position
    text = steps_text(cell)
    assert done == (
        event, position, cell.target, cell.outcome, cell.reason,
        f"release_hold,{text}" if moves else text,
    )  # fmt: skip
    kept = {Event.RETURN_WITHDRAWN: "buyer_cancel_requested"}
    if (event, position) == (Event.CANCELLED, P.MANIFESTED):
        kept[event] = "cancelled_after_manifest"
    assert (stands, hold) == (cell.target, kept.get(event, ""))
    assert seller.stock_of("SHIRT") == stock_after(position, cell)


@pytest.mark.parametrize("event", Event)
def test_cell_of_a_piece_that_was_cancelled_on_a_closed_manifest(
    books: Books, tmp_path: Path, event: Event
) -> None:
    """It meets every fact as a cancelled piece does, and never moves."""
    cell = TABLE[P.CANCELLED, event]
    seller = books.copy(tmp_path, P.MANIFESTED, pulled=True)
    tell(seller, event)
    assert last_decision(seller) == (
        event, P.MANIFESTED, P.MANIFESTED, cell.outcome, cell.reason, steps_text(cell),
    )  # fmt: skip
    assert seller.rows("SELECT position, hold FROM item") == [
        ("MANIFESTED", "cancelled_after_manifest")
    ]
    assert seller.stock_of("SHIRT") == {"allocated": 1}
    assert seller.count("invoice", "state = 'ISSUED'") == 1


# The dates that a piece has by its way to where it stands; the others need a further fact.
OF_ITS_WAY = {"notice", "dispatch", "delivery", "loss", "loss_of_delivery", "receipt"}
DATED = [
    (cell, known[0])
    for cell in TABLE.values()
    if cell.position not in BEFORE_DISPATCH
    and (known := [
        older
        for since, older in zip(cell.newer_than, cell.older, strict=True) if since in OF_ITS_WAY
    ])
]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "older"), DATED, ids=[f"old-{cell.event}-at-{cell.position}" for cell, _ in DATED]
)
def test_cell_with_a_fact_that_is_older_than_it_asks(
    books: Books, tmp_path: Path, cell: Cell, older: Fallback
) -> None:
    seller = books.copy(tmp_path, cell.position)
    tell(seller, cell.event, occurred_at=START - timedelta(days=1))
    assert seller.positions("OD1") == [older.target]
    assert seller.journal()[-1] == ("DONE", older.outcome, older.reason)
    turned = any(step.verb is V.NOTE_RETURN for step in older.steps)
    assert seller.stock_of("SHIRT") == {"in_transit_back" if turned else HERE[cell.position]: 1}


UNPROVEN = [cell for cell in TABLE.values() if cell.needs_evidence or cell.grace]


@pytest.mark.parametrize("cell", UNPROVEN, ids=lambda c: f"unproven-{c.event}-at-{c.position}")
def test_cell_without_the_evidence_or_the_grace_that_it_needs(
    books: Books, tmp_path: Path, cell: Cell
) -> None:
    seller = books.copy(tmp_path, cell.position)
    status, kind = status_of(cell.event)
    proven = not cell.needs_evidence
    seller.tell(seller.change("OD1", status, return_type=kind, left_seller=proven))
    seller.settle(sweep_done=not proven)
    code = "implied_dispatch" if proven else "dispatch_unproven"
    assert seller.positions("OD1") == [cell.position]
    assert seller.journal() == [("WAITING", "PARK", code)]
    records = seller.rows("SELECT outcome, before, after FROM decision WHERE inbox_id IS NOT NULL")
    assert records == [("PARK", cell.position, cell.position)]
