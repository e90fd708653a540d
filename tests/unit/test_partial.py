"""One line, several pieces, each with a fate of its own: the book ends as the panel does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Struct

from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import ReturnType, Status, StatusChange
from tests.bookkit import Seller

RTO = ReturnType.RTO
TROUBLE = "SELECT code FROM exceptions WHERE state = 'OPEN' ORDER BY code"


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def order(seller: Seller, quantity: int, to: Position | None = None) -> None:
    """Order OD1 of one line, with stock for all of it."""
    seller.stock("SHIRT", quantity)
    seller.order("OD1", ("L1", "SHIRT", quantity))
    if to is not None:
        seller.advance("OD1", to)


def total(seller: Seller, status: Status, quantity: int, shipment: str = "SH1") -> StatusChange:
    """So many pieces of the line so far, as a panel tells it."""
    kind: dict[str, Any] = {"return_type": RTO} if status is Status.RETURN_NOTICED else {}
    return seller.change(
        "OD1", status, line_id="L1", quantity=quantity, cumulative=True, shipment_id=shipment,
        left_seller=status is not Status.CANCELLED, **kind,
    )  # fmt: skip


def settle(seller: Seller, *changes: StatusChange) -> Counter[str]:
    """Where the pieces stand when these are decided, each in a pass of its own."""
    for change in changes:
        seller.tell(change)
        seller.settle()
    return Counter(seller.positions("OD1"))


@pytest.mark.parametrize("to", [None, Position.CREATED, Position.PACKED, Position.READY_TO_SHIP])
@pytest.mark.parametrize("cumulative", [True, False])
@pytest.mark.parametrize("named", ["SH1", ""])
def test_a_piece_never_sent_is_cancelled_though_its_line_left_in_the_named_shipment(
    seller: Seller, to: Position | None, cumulative: bool, named: str
) -> None:
    order(seller, 3, to)
    settle(seller, total(seller, Status.DISPATCHED, 2))
    cancelled = seller.change(
        "OD1", Status.CANCELLED, line_id="L1", quantity=1, cumulative=cumulative,
        shipment_id=named,
    )  # fmt: skip
    assert settle(seller, cancelled) == {"DISPATCHED": 2, "CANCELLED": 1}
    assert not seller.rows(TROUBLE)
    assert seller.order_state("OD1") == "COMPLETE"
    back = "putaway_pending" if to in (Position.PACKED, Position.READY_TO_SHIP) else "on_hand_good"
    assert seller.stock_of("SHIRT") == {"in_transit_out": 2, back: 1}


def test_a_piece_on_a_closed_manifest_is_held_and_those_that_left_go_on(seller: Seller) -> None:
    order(seller, 3, Position.MANIFESTED)
    stands = settle(seller, total(seller, Status.DISPATCHED, 2), total(seller, Status.CANCELLED, 1))
    assert stands == {"DISPATCHED": 2, "MANIFESTED": 1}
    assert seller.count("item", "position = 'MANIFESTED' AND hold = 'cancelled_after_manifest'")


@pytest.mark.parametrize("to", [None, Position.CREATED, Position.PACKED])
@pytest.mark.parametrize("cancel_first", [True, False])
def test_cancel_and_dispatch_end_in_one_book_in_either_order(
    seller: Seller, to: Position | None, cancel_first: bool
) -> None:
    order(seller, 3, to)
    facts = [total(seller, Status.DISPATCHED, 2), total(seller, Status.CANCELLED, 1)]
    assert settle(seller, *(reversed(facts) if cancel_first else facts)) == {
        "DISPATCHED": 2, "CANCELLED": 1,
    }  # fmt: skip
    assert not seller.rows(TROUBLE)
    back = "putaway_pending" if to is Position.PACKED else "on_hand_good"
    assert seller.stock_of("SHIRT") == {"in_transit_out": 2, back: 1}
    assert seller.count("invoice", "state = 'ISSUED'") == 1


@pytest.mark.parametrize("turn", list(permutations(range(3))))
def test_two_shipments_and_a_cancelled_piece_in_every_order(
    seller: Seller, turn: Sequence[int]
) -> None:
    order(seller, 3)
    facts = [
        total(seller, Status.DISPATCHED, 1, "SH1"),
        total(seller, Status.CANCELLED, 1, ""),
        total(seller, Status.DISPATCHED, 1, "SH2"),
    ]
    stands = settle(seller, *(facts[number] for number in turn))
    assert stands == {"DISPATCHED": 2, "CANCELLED": 1}
    assert not seller.rows(TROUBLE)
    assert seller.rows("SELECT shipment_id FROM package WHERE state = 'DISPATCHED' ORDER BY 1") == [
        ("SH1",), ("SH2",),
    ]  # fmt: skip


def test_more_of_a_shipment_leaves_after_one_of_its_parcel_was_cancelled(seller: Seller) -> None:
    order(seller, 4, Position.PACKED)  # one parcel, which SH1 gives its name
    stands = settle(
        seller,
        total(seller, Status.DISPATCHED, 1),
        total(seller, Status.CANCELLED, 1),
        total(seller, Status.DISPATCHED, 2),
        total(seller, Status.DISPATCHED, 1, "SH2"),
    )
    assert stands == {"DISPATCHED": 3, "CANCELLED": 1}
    assert not seller.rows(TROUBLE)


def test_totals_of_cancellations_told_again_cancel_no_further_piece(seller: Seller) -> None:
    order(seller, 4)
    facts = [total(seller, Status.CANCELLED, number) for number in (1, 1, 2, 1, 2)]
    assert settle(seller, total(seller, Status.DISPATCHED, 1), *facts) == {
        "DISPATCHED": 1, "CANCELLED": 2, "FULFILLABLE": 1,
    }  # fmt: skip


@pytest.mark.parametrize("rto_first", [True, False])
def test_an_rto_swallows_no_cancellation(seller: Seller, rto_first: bool) -> None:
    order(seller, 2)
    settle(seller, total(seller, Status.DISPATCHED, 1))
    facts = [total(seller, Status.RETURN_NOTICED, 1), total(seller, Status.CANCELLED, 1)]
    stands = settle(seller, *(facts if rto_first else reversed(facts)))
    assert stands == {"RETURN_EXPECTED": 1, "CANCELLED": 1}
    assert not seller.rows(TROUBLE)


def test_totals_of_what_was_cancelled_on_its_way_turn_back_no_further_parcel(
    seller: Seller,
) -> None:
    order(seller, 3)
    settle(seller, total(seller, Status.DISPATCHED, 3))
    once = settle(seller, total(seller, Status.CANCELLED, 1))
    assert once == {"DISPATCHED": 2, "RETURN_EXPECTED": 1}
    assert settle(seller, total(seller, Status.CANCELLED, 1, "")) == once
    again = settle(seller, total(seller, Status.CANCELLED, 2))
    assert again == {"DISPATCHED": 1, "RETURN_EXPECTED": 2}


def test_the_rest_of_a_line_is_cancelled_with_no_quantity(seller: Seller) -> None:
    order(seller, 3)
    settle(seller, total(seller, Status.DISPATCHED, 1), total(seller, Status.DELIVERED, 1))
    whole = seller.change("OD1", Status.CANCELLED, line_id="L1", shipment_id="SH1")
    assert settle(seller, whole) == {"DELIVERED": 1, "CANCELLED": 2}


def test_a_buyers_wish_holds_the_piece_that_has_not_left(seller: Seller) -> None:
    order(seller, 3)
    settle(
        seller,
        total(seller, Status.DISPATCHED, 2),
        total(seller, Status.CANCEL_REQUESTED, 1),
    )
    assert seller.count("item", "hold = 'buyer_cancel_requested' AND position = 'FULFILLABLE'") == 1
    stands = settle(seller, total(seller, Status.CANCEL_WITHDRAWN, 1))
    assert stands == {"DISPATCHED": 2, "FULFILLABLE": 1}
    assert seller.count("item", "hold <> ''") == 0


@pytest.mark.parametrize("named", ["SH1", ""])
def test_an_rto_of_the_line_after_one_was_delivered_and_one_cancelled(
    seller: Seller, named: str
) -> None:
    order(seller, 4)
    stands = settle(
        seller,
        total(seller, Status.DISPATCHED, 2),
        total(seller, Status.DELIVERED, 1),
        total(seller, Status.CANCELLED, 1),
        total(seller, Status.RETURN_NOTICED, 1, named),
    )
    assert stands == {"DELIVERED": 1, "RETURN_EXPECTED": 1, "CANCELLED": 1, "FULFILLABLE": 1}


# ---- Random histories of one line -------------------------------------------------------------


class Fate(Struct, frozen=True):
    """What becomes of one piece at the panel."""

    events: tuple[Status, ...]
    shipment: str


ENDS = {
    (): "",  # where it was
    (Status.DISPATCHED,): "DISPATCHED",
    (Status.DISPATCHED, Status.DELIVERED): "DELIVERED",
    (Status.DISPATCHED, Status.RETURN_NOTICED): "RETURN_EXPECTED",
    (Status.CANCELLED,): "CANCELLED",
}


class History(Struct, frozen=True):
    """A line's pieces, the order in which things happen to them, and how they are told.

    ``turns`` names the piece whose next event happens; ``again`` tells the total a second time
    as a fact of its own; ``pauses`` are the facts after which a pass ends.
    """

    start: Position
    fates: tuple[Fate, ...]
    turns: tuple[int, ...]
    again: tuple[bool, ...]
    pauses: tuple[bool, ...]
    names_shipment: bool  # a cancellation names the line's shipment, if it has just one
    policy: PartialCancel

    @property
    def ends(self) -> Counter[str]:
        return Counter(ENDS[fate.events] or self.start.value for fate in self.fates)

    def told(self) -> Iterator[tuple[Status, int, str]]:
        """The totals, as they grow: status, quantity, shipment."""
        shipments = {fate.shipment for fate in self.fates if Status.DISPATCHED in fate.events}
        only = shipments.pop() if len(shipments) == 1 and self.names_shipment else ""
        done = [0] * len(self.fates)
        totals: Counter[tuple[Status, str]] = Counter()
        for number in self.turns:
            status = self.fates[number].events[done[number]]
            done[number] += 1
            shipment = only if status is Status.CANCELLED else self.fates[number].shipment
            totals[status, shipment] += 1
            yield status, totals[status, shipment], shipment


@st.composite
def histories(draw: st.DrawFn) -> History:
    fates = tuple(
        Fate(draw(st.sampled_from(list(ENDS))), draw(st.sampled_from(["SH1", "SH2"])))
        for _ in range(draw(st.integers(1, 4)))
    )
    turns = [number for number, fate in enumerate(fates) for _ in fate.events]
    flags = st.tuples(*(st.booleans() for _ in turns))
    return History(
        start=draw(st.sampled_from([Position.FULFILLABLE, Position.CREATED, Position.PACKED])),
        fates=fates, turns=tuple(draw(st.permutations(turns))), again=draw(flags),
        pauses=draw(flags), names_shipment=draw(st.booleans()),
        policy=draw(st.sampled_from(PartialCancel)),
    )  # fmt: skip


@contextmanager
def fresh_seller(history: History) -> Iterator[Seller]:
    with TemporaryDirectory() as folder:
        seller = Seller(Path(folder))
        seller.policies = Policies(partial_cancel=history.policy)
        to = None if history.start is Position.FULFILLABLE else history.start
        order(seller, len(history.fates), to)
        yield seller
        seller.book.close()


def facts_of(seller: Seller, history: History) -> list[list[StatusChange]]:
    """The facts of each turn, in the order in which they happened."""
    found: list[list[StatusChange]] = []
    for told, again in zip(history.told(), history.again, strict=True):
        found.append([total(seller, *told) for _ in range(1 + again)])
    return found


def stands_in(seller: Seller, history: History) -> Counter[str]:
    """Where the pieces stand. What must be packed again counts as the packed piece it was."""
    stands = Counter(seller.positions("OD1"))
    notices = {code for (code,) in seller.rows(TROUBLE)}
    if history.start is Position.PACKED and history.policy is PartialCancel.REPACK:
        stands += Counter(PACKED=stands.pop("CREATED", 0))
        notices -= {"repacked_after_cancel"}
    elif history.start is Position.PACKED:
        notices -= {"ships_short"}
    assert not notices
    return stands


def told_in_order(history: History) -> Counter[str]:
    with fresh_seller(history) as seller:
        for facts, pause in zip(facts_of(seller, history), history.pauses, strict=True):
            seller.tell(*facts)
            if pause:
                seller.settle()
        seller.settle()
        return stands_in(seller, history)


@settings(max_examples=120, deadline=None)
@given(histories())
def test_the_book_ends_as_the_panel_does(history: History) -> None:
    assert told_in_order(history) == history.ends


@settings(max_examples=120, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_cancellations_may_come_early_or_late(history: History, random: Any) -> None:
    """Each fact in a pass of its own: a cancellation before or after what happened to others."""
    with fresh_seller(history) as seller:
        facts = [fact for turn in facts_of(seller, history) for fact in turn]
        late = [fact for fact in facts if fact.status is Status.CANCELLED]
        queue = [fact for fact in facts if fact.status is not Status.CANCELLED]
        for fact in late:
            queue.insert(random.randint(0, len(queue)), fact)
        if queue:
            settle(seller, *queue)
        assert stands_in(seller, history) == history.ends


def test_a_return_withdrawn_before_it_was_noticed_is_not_forgotten_for_another(
    seller: Seller,
) -> None:
    order(seller, 2)
    settle(seller, total(seller, Status.DISPATCHED, 2), total(seller, Status.DELIVERED, 2))

    def back(status: Status, return_id: str) -> StatusChange:
        return seller.change(
            "OD1", status, line_id="L1", quantity=1, shipment_id="SH1", return_id=return_id,
            return_type=ReturnType.CIR,
        )  # fmt: skip

    other, notice = back(Status.RETURN_NOTICED, "R1"), back(Status.RETURN_NOTICED, "R2")
    settle(seller, back(Status.RETURN_WITHDRAWN, "R2"), other)
    assert settle(seller, notice) == {"CIR_CREATED": 1, "DELIVERED": 1}
    assert settle(seller, back(Status.RETURNED, "R1")) == {"CIR_COMPLETE": 1, "DELIVERED": 1}
