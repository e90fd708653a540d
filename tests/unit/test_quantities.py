"""How many pieces a fact means, through the book: lines, totals, excess, bundles."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from syncd.book import intake
from syncd.statuses import NewOrder, OrderLine, ReturnType, Status, StatusChange
from tests.bookkit import Seller

CIR: dict[str, Any] = {"return_type": ReturnType.CIR}
EXCEEDS = "SELECT code, severity, item_id, inbox_id FROM exceptions"
GONE, CANCELLED = Status.DISPATCHED, Status.CANCELLED


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    return Seller(tmp_path)


def ordered(seller: Seller, **lines: int) -> None:
    """Order OD1, each line with pieces of SKU, all in stock."""
    seller.stock("SKU", sum(lines.values()))
    seller.order("OD1", *((line, "SKU", number) for line, number in lines.items()))


def told(seller: Seller, *changes: StatusChange) -> list[str]:
    """Each in a pass of its own."""
    for change in changes:
        seller.tell(change)
        seller.settle()
    return seller.positions("OD1")


def say(seller: Seller, status: Status, **more: Any) -> StatusChange:
    return seller.change("OD1", status, **more)


@pytest.mark.parametrize("status", [GONE, CANCELLED])
def test_one_piece_told_of_again_with_its_evidence_is_one(seller: Seller, status: Status) -> None:
    ordered(seller, L1=3)
    one = say(seller, status, line_id="L1", quantity=1, evidence_id="E1")
    again = say(seller, status, line_id="L1", quantity=1, evidence_id="E1")
    assert told(seller, one, again).count(status.value) == 1
    assert seller.count("inbox") == 1
    other = say(seller, status, line_id="L1", quantity=1, evidence_id="E2")
    assert told(seller, other).count(status.value) == 2


@pytest.mark.parametrize("status", [GONE, CANCELLED])
def test_a_total_fills_up_and_never_falls(seller: Seller, status: Status) -> None:
    ordered(seller, L1=4)
    found = [
        told(seller, say(seller, status, line_id="L1", quantity=n, cumulative=True)).count(status)
        for n in (1, 1, 3, 2, 4, 4)
    ]
    assert found == [1, 1, 3, 3, 4, 4]
    assert not seller.rows(EXCEEDS)


def test_the_line_wins_over_the_sku(seller: Seller) -> None:
    seller.stock("A", 1)
    seller.stock("B", 1)
    seller.order("OD1", ("L1", "A", 1), ("L2", "B", 1))
    assert told(seller, say(seller, GONE, line_id="L2", sku="A", quantity=1)) == [
        "FULFILLABLE", "DISPATCHED",
    ]  # fmt: skip


def test_a_sku_finds_its_pieces_on_every_line(seller: Seller) -> None:
    ordered(seller, L1=1, L2=2)
    assert told(seller, say(seller, CANCELLED, sku="SKU", quantity=2)) == [
        "CANCELLED", "CANCELLED", "FULFILLABLE",
    ]  # fmt: skip


def test_a_quantity_with_neither_line_nor_sku_is_of_the_whole_order(seller: Seller) -> None:
    seller.stock("A", 1)
    seller.stock("B", 1)
    seller.order("OD1", ("L2", "B", 1), ("L1", "A", 1))
    assert told(seller, say(seller, GONE, quantity=1)) == ["FULFILLABLE", "DISPATCHED"]
    assert told(seller, say(seller, GONE, quantity=1)) == ["DISPATCHED", "DISPATCHED"]


@pytest.mark.parametrize("status", [GONE, CANCELLED])
def test_what_fits_of_too_many_is_done_and_the_rest_is_told(seller: Seller, status: Status) -> None:
    ordered(seller, L1=2)
    stands = told(seller, say(seller, status, line_id="L1", quantity=5))
    assert stands == [status.value] * 2
    assert seller.rows(EXCEEDS) == [("quantity_exceeds", "warning", None, 1)]
    reason = "dispatched_on_channel" if status is GONE else "cancelled_on_channel"
    assert seller.journal() == [("DONE", "ESCALATE", "quantity_exceeds")]
    assert seller.rows("SELECT item_id IS NULL, code FROM decision ORDER BY id") == [
        (0, reason),
        (0, reason),
        (1, "quantity_exceeds"),
    ]


def test_what_is_exactly_all_exceeds_nothing(seller: Seller) -> None:
    ordered(seller, L1=2)
    told(seller, say(seller, GONE, line_id="L1", quantity=2))
    assert not seller.rows(EXCEEDS)


def test_a_line_that_is_not_there_yet_waits(seller: Seller) -> None:
    ordered(seller, L1=1)
    assert told(seller, say(seller, CANCELLED, line_id="L2")) == ["FULFILLABLE"]
    assert seller.journal() == [("PARKED", "PARK", "line_unknown")]
    seller.stock("SKU", 1)
    seller.order("OD1", ("L1", "SKU", 1), ("L2", "SKU", 1))
    assert told(seller) == ["FULFILLABLE", "FULFILLABLE"]
    seller.settle()
    assert seller.positions("OD1") == ["FULFILLABLE", "CANCELLED"]


def sets(seller: Seller, number: int) -> None:
    """Line L1 of OD1: so many sets of a cup and a lid."""
    seller.stock("CUP", number)
    seller.stock("LID", number)
    line = OrderLine(line_id="L1", sku="SET", quantity=number, components=("CUP", "LID"))
    new = NewOrder(order_id="OD1", placed_at=seller.clock.now(), lines=(line,))
    intake.take_orders(seller.book, "shop", [new], source="test", now=seller.clock.now())


@pytest.mark.parametrize("status", [GONE, CANCELLED, Status.CANCEL_REQUESTED])
@pytest.mark.parametrize("by", [{"line_id": "L1"}, {"sku": "LID"}])
def test_a_quantity_counts_bundles_and_hits_all_rows_of_one(
    seller: Seller, status: Status, by: dict[str, str]
) -> None:
    sets(seller, 3)
    told(seller, say(seller, status, quantity=2, **by))
    met = seller.rows("SELECT i.bundle, i.sku FROM decision d JOIN item i ON i.id = d.item_id "
                      "WHERE d.inbox_id IS NOT NULL ORDER BY i.id")  # fmt: skip
    assert met == [("L1#0", "CUP"), ("L1#0", "LID"), ("L1#1", "CUP"), ("L1#1", "LID")]


def test_too_many_bundles_are_counted_as_bundles(seller: Seller) -> None:
    sets(seller, 2)
    told(seller, say(seller, GONE, line_id="L1", quantity=2))
    assert not seller.rows(EXCEEDS)
    sku = say(seller, Status.DELIVERED, line_id="L1", quantity=3)
    assert told(seller, sku) == ["DELIVERED"] * 4
    assert len(seller.rows(EXCEEDS)) == 1


def test_s24_a_buyer_returns_two_of_three(seller: Seller) -> None:
    ordered(seller, L1=3)
    told(seller, say(seller, GONE), say(seller, Status.DELIVERED))
    back = say(seller, Status.RETURN_NOTICED, line_id="L1", quantity=2, return_id="R1", **CIR)
    assert told(seller, back) == ["CIR_CREATED", "CIR_CREATED", "DELIVERED"]


def test_s25_the_same_return_twice_is_one(seller: Seller) -> None:
    ordered(seller, L1=2)
    told(seller, say(seller, GONE), say(seller, Status.DELIVERED))
    told(
        seller,
        *(
            say(seller, Status.RETURN_NOTICED, line_id="L1", quantity=1, return_id="R1", **CIR)
            for _ in range(2)
        ),
    )
    assert seller.count("inbox") == 4, "two facts, for they have different times"
    assert seller.positions("OD1") == ["CIR_CREATED", "DELIVERED"]
    other = say(seller, Status.RETURN_NOTICED, line_id="L1", quantity=1, return_id="R2", **CIR)
    assert told(seller, other) == ["CIR_CREATED", "CIR_CREATED"]


def test_s30_the_order_is_the_sum_of_its_pieces(seller: Seller) -> None:
    ordered(seller, a=1, b=1)
    assert told(seller, say(seller, CANCELLED, line_id="a")) == ["CANCELLED", "FULFILLABLE"]
    assert seller.order_state("OD1") == "PROCESSING"
    assert told(seller, say(seller, GONE, line_id="b")) == ["CANCELLED", "DISPATCHED"]
    assert seller.order_state("OD1") == "COMPLETE"


STORIES: list[list[tuple[Status, int, dict[str, Any]]]] = [
    [(GONE, 1, {}), (Status.DELIVERED, 1, {})],
    [(GONE, 2, {}), (Status.DELIVERED, 1, {})],
    [(GONE, 1, {}), (GONE, 1, {}), (Status.DELIVERED, 1, {})],
    [(GONE, 2, {}), (Status.DELIVERED, 1, {}), (Status.RETURN_NOTICED, 1, CIR)],
    [(GONE, 2, {}), (Status.DELIVERED, 1, {}), (Status.RETURNED, 1, CIR)],
    [(GONE, 1, {}), (Status.LOST, 1, {}), (GONE, 1, {})],
]


@pytest.mark.parametrize(
    ("story", "order"),
    [(n, order) for n, story in enumerate(STORIES) for order in permutations(range(len(story)))],
)
def test_parts_without_a_parcel_end_alike_in_whatever_order_they_are_heard(
    seller: Seller, story: int, order: tuple[int, ...]
) -> None:
    """A word that was missing is about the piece of which a later one has told already."""
    ordered(seller, L1=3)
    facts = [
        say(
            seller, status, line_id="L1", quantity=count, left_seller=True, evidence_id=f"E{n}", **m
        )
        for n, (status, count, m) in enumerate(STORIES[story])
    ]
    left = sum(count for status, count, _ in STORIES[story] if status is GONE)
    found = told(seller, *(facts[n] for n in order))
    seller.settle()
    ends = {status: count for status, count, _ in STORIES[story]}
    assert found.count("FULFILLABLE") == 3 - left
    last = STORIES[story][-1][0]
    names = {Status.RETURN_NOTICED: "CIR_CREATED", Status.RETURNED: "CIR_COMPLETE"}
    if last is not GONE:
        assert found.count(names.get(last, last.value)) == ends[last]
    assert seller.count("exceptions", "state = 'OPEN' AND code <> 'lost_in_transit'") == 0


def test_a_total_is_of_the_line_whatever_tracking_number_stands_beside_it(seller: Seller) -> None:
    """A parcel gets another label, a courier another number for the last mile."""
    ordered(seller, L1=3)
    for count, number in ((1, "T1"), (1, "T2"), (2, "T3"), (3, "T3")):
        more = {"tracking_number": number, "quantity": count, "cumulative": True}
        found = told(seller, say(seller, GONE, line_id="L1", **more))
        assert found.count("DISPATCHED") == count
    for _ in range(2):
        more = {"tracking_number": "B9", "quantity": 1, "cumulative": True}
        told(seller, say(seller, Status.DELIVERED, line_id="L1", **more))
    assert sorted(seller.positions("OD1")) == ["DELIVERED", "DISPATCHED", "DISPATCHED"]


def test_a_total_in_a_parcel_that_has_an_id_is_of_that_parcel(seller: Seller) -> None:
    ordered(seller, L1=2)
    for parcel in ("A1", "A2", "A1"):
        more = {"shipment_id": parcel, "tracking_number": parcel, "quantity": 1}
        told(seller, say(seller, GONE, line_id="L1", cumulative=True, **more))
    assert seller.positions("OD1") == ["DISPATCHED", "DISPATCHED"]
    assert not seller.rows(EXCEEDS)


def test_a_single_piece_that_gets_another_tracking_number_is_the_same_piece(
    seller: Seller,
) -> None:
    ordered(seller, L1=1)
    for number in ("T1", "T2"):
        told(seller, say(seller, GONE, tracking_number=number, quantity=1, cumulative=True))
    assert seller.positions("OD1") == ["DISPATCHED"]
    assert not seller.rows(EXCEEDS)


@pytest.mark.parametrize(("kind", "stands"), [("RTO", "DISPATCHED"), ("CIR", "DELIVERED")])
@pytest.mark.parametrize("turn", list(permutations(range(2))))
def test_a_return_and_its_notice_are_of_one_piece_whichever_is_heard_first(
    seller: Seller, kind: str, stands: str, turn: tuple[int, ...]
) -> None:
    """A piece that came back was on its way back: a late notice expects no second one."""
    ordered(seller, L1=2)
    of_one: dict[str, Any] = {"line_id": "L1", "quantity": 1, "return_type": ReturnType(kind)}
    away = Status.DELIVERED if kind == "CIR" else GONE
    told(seller, say(seller, away, line_id="L1"))
    notice = say(seller, Status.RETURN_NOTICED, **of_one)
    back = say(seller, Status.RETURNED, **of_one)
    found = told(seller, *((notice, back)[one] for one in turn))
    assert sorted(found) == sorted([stands, "CIR_COMPLETE" if kind == "CIR" else "RETURNED"])
    told(seller, say(seller, Status.RETURN_NOTICED, **of_one))
    assert stands not in seller.positions("OD1"), "a second notice is of the second piece"
