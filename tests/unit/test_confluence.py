"""Facts without contradiction end in one book, in whatever order and passes they arrive (I3)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations, permutations, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from syncd.rules import PartialCancel, Policies, Position
from syncd.statuses import ReturnType, Status
from tests.bookkit import START, Seller

P, S = Position, Status
RTO, CIR = ReturnType.RTO, ReturnType.CIR
Said = tuple[Status, dict[str, Any]]


def said(status: Status, kind: ReturnType | None = None, **more: Any) -> Said:
    """What is told of OD1; a return has an id, and whatever travels has left the seller."""
    known: dict[str, Any] = {"left_seller": status not in _STAYS}
    if kind is not None:
        known |= {"return_type": kind, "return_id": "R1"}
    return status, {**known, **more}


_STAYS = {S.CANCELLED, S.CANCEL_REQUESTED, S.CANCEL_WITHDRAWN}

HISTORIES: dict[str, list[Said]] = {
    "delivered": [said(S.DISPATCHED), said(S.UNDELIVERED), said(S.DELIVERED)],
    "courier return": [
        said(S.DISPATCHED), said(S.RETURN_NOTICED, RTO), said(S.RETURNED, RTO),
    ],
    "customer return": [
        said(S.DISPATCHED), said(S.DELIVERED), said(S.RETURN_NOTICED, CIR), said(S.RETURNED, CIR),
    ],
    "withdrawn return": [
        said(S.DISPATCHED), said(S.DELIVERED), said(S.RETURN_NOTICED, CIR),
        said(S.RETURN_WITHDRAWN, CIR),
    ],
    "withdrawn courier return": [
        said(S.DISPATCHED), said(S.RETURN_NOTICED, RTO), said(S.RETURN_WITHDRAWN, RTO),
    ],
    "lost": [said(S.DISPATCHED), said(S.UNDELIVERED), said(S.LOST)],
    "lost on its way back": [said(S.DISPATCHED), said(S.RETURN_NOTICED, RTO), said(S.LOST)],
    "lost after a withdrawn return": [
        said(S.DISPATCHED), said(S.RETURN_NOTICED, RTO), said(S.RETURN_WITHDRAWN, RTO),
        said(S.LOST),
    ],
    "lost on the buyer's way back": [
        said(S.DISPATCHED), said(S.RETURN_NOTICED, CIR), said(S.LOST),
    ],
    "wish and its end": [said(S.CANCEL_REQUESTED), said(S.CANCEL_WITHDRAWN), said(S.DISPATCHED)],
    "wish and cancellation": [said(S.CANCEL_REQUESTED), said(S.CANCELLED)],
    "two parcels": [
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH2"),
        said(S.DELIVERED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DELIVERED, line_id="a", quantity=1, shipment_id="SH2"),
    ],
    "two parcels, one back": [
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH2"),
        said(S.DELIVERED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.RETURN_NOTICED, RTO, line_id="a", quantity=1, shipment_id="SH2"),
    ],
    "one of two cancelled": [
        said(S.CANCELLED, line_id="a", quantity=1),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DELIVERED, line_id="a", quantity=1, shipment_id="SH1"),
    ],
    "two parcels, one lost": [
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH2"),
        said(S.LOST, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DELIVERED, line_id="a", quantity=1, shipment_id="SH2"),
    ],
    "two parcels, one cancelled": [
        said(S.CANCELLED, line_id="a", quantity=1, shipment_id="SH2"),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1", tracking_number="TN1"),
        said(S.DELIVERED, line_id="a", quantity=1, tracking_number="TN1"),
    ],
    "two parcels by their tracking numbers": [
        said(S.DISPATCHED, line_id="a", quantity=1, tracking_number="TN1"),
        said(S.DISPATCHED, line_id="a", quantity=1, tracking_number="TN2"),
        said(S.DELIVERED, line_id="a", quantity=1, tracking_number="TN1"),
        said(S.RETURN_NOTICED, RTO, line_id="a", quantity=1, tracking_number="TN2"),
    ],
    "three pieces in two parcels": [
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DISPATCHED, line_id="a", quantity=2, shipment_id="SH2"),
        said(S.DELIVERED, line_id="a", quantity=2, shipment_id="SH2"),
        said(S.RETURN_NOTICED, RTO, line_id="a", quantity=1, shipment_id="SH1"),
    ],
    "three pieces in two parcels, one cancelled": [
        said(S.CANCELLED, line_id="a", quantity=1),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH1"),
        said(S.DISPATCHED, line_id="a", quantity=1, shipment_id="SH2"),
        said(S.DELIVERED, line_id="a", quantity=1, shipment_id="SH2"),
    ],
    "two lines in two parcels": [
        said(S.DISPATCHED, line_id="a", shipment_id="SH1", tracking_number="TN1"),
        said(S.DISPATCHED, line_id="b", shipment_id="SH2", tracking_number="TN2"),
        said(S.DELIVERED, line_id="a", shipment_id="SH1", tracking_number="TN1"),
        said(S.RETURN_NOTICED, RTO, line_id="b", shipment_id="SH2"),
    ],
}  # fmt: skip
"""By name, each in the order in which it happened. One more history is one more entry."""

LINES = {
    "three pieces in two parcels": [("a", "SHIRT", 3)],
    "three pieces in two parcels, one cancelled": [("a", "SHIRT", 3)],
    "two lines in two parcels": [("a", "SHIRT", 1), ("b", "SHIRT", 1)],
}
"""What was ordered, where it is not a line of two."""

STARTS = {"unfulfillable": None, "fulfillable": P.FULFILLABLE, "packed": P.PACKED}


class Starts:
    """A book for each start, made once; all have the same lines."""

    def __init__(self, folder: Path, *lines: tuple[str, str, int]) -> None:
        self.folder = folder
        for name, position in STARTS.items():
            (folder / name).mkdir()
            seller = Seller(folder / name)
            if position is not None:
                seller.stock("SHIRT", sum(quantity for _, _, quantity in lines))
            seller.order("OD1", *lines)
            if position is P.PACKED:
                seller.advance("OD1", P.PACKED)
            seller.book.close()

    def end(self, start: str, arrivals: Sequence[Sequence[Said]], dated: Sequence[Said]) -> Any:
        """How the book ends when these arrive, a pass after the other, and two idle passes."""
        with TemporaryDirectory() as name:
            shutil.copy(self.folder / start / "book.sqlite3", name)
            seller = Seller.at(Path(name), START + timedelta(days=2))
            # Which invoice is void depends on whether the rest had left: let it go short.
            seller.policies = Policies(partial_cancel=PartialCancel.SHIP_SHORT)
            at = {id(one): START + timedelta(hours=n) for n, one in enumerate(dated, 1)}
            for together in (*arrivals, (), ()):
                seller.tell(
                    *(
                        seller.change("OD1", one[0], occurred_at=at[id(one)], **one[1])
                        for one in together
                    )
                )
                seller.settle(sweep_done=False)
            ends = (
                sorted(seller.rows(_PIECES)),
                seller.stock_of("SHIRT"),
                sorted(seller.rows("SELECT state FROM invoice")),
                sorted(seller.rows("SELECT kind FROM putaway")),
                seller.order_state("OD1"),
            )
            told = seller.rows("SELECT code, inbox_id, against_id FROM exceptions ORDER BY id")
            seller.book.close()
            return ends, told


_PIECES = (
    "SELECT i.line_id, i.position, coalesce(p.shipment_id, ''), coalesce(p.tracking_number, '') "
    "FROM item i LEFT JOIN package p ON p.id = i.package_id AND i.position <> 'CANCELLED'"
)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Starts:
    return Starts(tmp_path_factory.mktemp("starts"), ("a", "SHIRT", 2))


@pytest.fixture(scope="module")
def other_starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Starts]:
    return {name: Starts(tmp_path_factory.mktemp("starts"), *LINES[name]) for name in LINES}


def passes(facts: Sequence[Said]) -> Iterator[list[list[Said]]]:
    """All ways to hand these facts, in this order, to one pass or several."""
    for cuts in product((False, True), repeat=len(facts) - 1):
        found = [[facts[0]]]
        for fact, cut in zip(facts[1:], cuts, strict=True):
            if cut:
                found.append([fact])
            else:
                found[-1].append(fact)
        yield found


def arrivals(history: Sequence[Said]) -> Iterator[list[list[Said]]]:
    """Every order, a pass a fact; and the order in which they happened in every split."""
    for order in permutations(history):
        yield [[fact] for fact in order]
    yield from passes(history)


@pytest.mark.parametrize(("name", "start"), list(product(HISTORIES, STARTS)))
def test_a_history_ends_in_one_book_however_it_arrives(
    starts: Starts, other_starts: dict[str, Starts], start: str, name: str
) -> None:
    history, starts = HISTORIES[name], other_starts.get(name, starts)
    ends, _ = starts.end(start, [history], history)
    for arrival in arrivals(history):
        assert starts.end(start, arrival, history)[0] == ends, arrival


CONTRADICT = [
    (said(S.CANCELLED), said(S.DISPATCHED)),
    (said(S.CANCELLED), said(S.DELIVERED)),
    (said(S.CANCELLED), said(S.RETURN_NOTICED, RTO)),
    (said(S.CANCELLED), said(S.RETURN_NOTICED, CIR)),
    (said(S.CANCELLED), said(S.UNDELIVERED)),
    (said(S.CANCELLED), said(S.LOST)),
    (said(S.RETURN_NOTICED, RTO), said(S.RETURN_NOTICED, CIR)),
    (said(S.DELIVERED), said(S.RETURN_NOTICED, RTO)),
    (said(S.LOST), said(S.DELIVERED)),
    (said(S.LOST), said(S.RETURN_NOTICED, RTO)),
    (said(S.LOST), said(S.RETURN_NOTICED, CIR)),
    (said(S.CANCELLED), said(S.RETURNED, RTO)),
    (said(S.CANCELLED), said(S.RETURNED, CIR)),
    (said(S.CANCELLED), said(S.RETURN_WITHDRAWN, RTO)),
    (said(S.RETURN_NOTICED, RTO), said(S.RETURNED, CIR)),
    (said(S.RETURN_NOTICED, CIR), said(S.RETURNED, RTO)),
    (said(S.RETURNED, RTO), said(S.RETURNED, CIR)),
    (said(S.RETURNED, RTO), said(S.RETURN_WITHDRAWN, RTO)),
    (said(S.RETURNED, CIR), said(S.RETURN_WITHDRAWN, CIR)),
    (said(S.LOST), said(S.RETURNED, CIR)),
    (said(S.LOST), said(S.RETURNED, RTO)),
    (said(S.LOST), said(S.RETURN_WITHDRAWN, RTO)),
    (said(S.DELIVERED), said(S.RETURNED, RTO)),
]
NAMES = ["-".join(one[0] + one[1].get("return_type", "") for one in pair) for pair in CONTRADICT]
CLAIMS = {"implied_dispatch", "lost_in_transit", "lost_on_the_way_back"}
"""Codes of a claim for a lost parcel, which contradicts nothing."""


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("pair", CONTRADICT, ids=NAMES)
def test_a_pair_that_may_contradict_is_settled_by_time_or_told_once_a_piece(
    starts: Starts, start: str, pair: tuple[Said, Said]
) -> None:
    for dated in permutations(pair):
        found = [starts.end(start, [[one] for one in order], dated) for order in permutations(pair)]
        alone = [starts.end(start, [dated], dated)]
        troubles = [[code for code, *_ in told if code not in CLAIMS] for _, told in found + alone]
        for told in troubles:
            assert len(told) in (0, 2), "one exception for each of the two pieces, or none"
            assert len(set(told)) <= 1
        quiet = [ends for (ends, _), told in zip(found + alone, troubles, strict=True) if not told]
        assert all(one == other for one, other in combinations(quiet, 2)), "neither time nor told"


LEFT, HAD = [said(S.DISPATCHED)], [said(S.DISPATCHED), said(S.DELIVERED)]
COMING, SENT_BACK = said(S.RETURN_NOTICED, RTO), said(S.RETURN_NOTICED, CIR)
HERE, HERE_AGAIN = said(S.RETURNED, RTO), said(S.RETURNED, CIR)
NOT_COMING, GONE = said(S.RETURN_WITHDRAWN), said(S.LOST)
THREE: list[tuple[list[Said], list[Said]]] = [
    (LEFT, [SENT_BACK, GONE, said(S.DELIVERED)]),
    (LEFT, [SENT_BACK, GONE, HERE]),
    (LEFT, [SENT_BACK, HERE, GONE]),
    (LEFT, [SENT_BACK, NOT_COMING, GONE]),
    (LEFT, [GONE, SENT_BACK, NOT_COMING]),
    (LEFT, [COMING, SENT_BACK, said(S.DELIVERED)]),
    (LEFT, [COMING, HERE_AGAIN, said(S.DELIVERED)]),
    (LEFT, [SENT_BACK, NOT_COMING, said(S.CANCELLED)]),
    (HAD, [COMING, NOT_COMING, said(S.CANCELLED)]),
    (HAD, [COMING, NOT_COMING, GONE]),
    ([*LEFT, COMING], [said(S.DELIVERED), said(S.RETURN_NOTICED, CIR), HERE]),
    ([*HAD, SENT_BACK], [GONE, said(S.DELIVERED), NOT_COMING]),
    ([*HAD, SENT_BACK], [GONE, NOT_COMING, HERE]),
    ([*HAD, SENT_BACK], [GONE, COMING, said(S.DELIVERED)]),
    ([*LEFT, GONE], [COMING, NOT_COMING, said(S.CANCELLED)]),
    ([*LEFT, GONE], [SENT_BACK, COMING, NOT_COMING]),
]
"""What the book had heard, and three facts more as they are dated: some order hides something."""


def _name(case: tuple[list[Said], list[Said]]) -> str:
    return "-".join(one[0] + one[1].get("return_type", "") for one in case[1])


@pytest.mark.parametrize("case", THREE, ids=_name)
def test_three_facts_end_as_dated_or_are_told_with_both_sides(
    starts: Starts, case: tuple[list[Said], list[Said]]
) -> None:
    heard, facts = case
    dated = [*heard, *facts]
    first = [[one] for one in heard]
    right, _ = starts.end("packed", [*first, dated[len(heard) :]], dated)
    for order in permutations(facts):
        ends, told = starts.end("packed", [*first, *([one] for one in order)], dated)
        sides = [(fact, other) for code, fact, other in told if code not in CLAIMS]
        assert ends == right or sides, order
        assert all(other and fact != other for fact, other in sides), order
