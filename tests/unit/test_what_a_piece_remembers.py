"""What is kept of a piece and its parcel after each history: by these dates the rules decide.

A history is told in the order in which it stands; ``@3`` is the hour in which it happened. A date
that ends in ``-`` is one microsecond before that hour.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import to_micros
from syncd.statuses import ReturnType, Status
from tests.bookkit import START, Seller

HOUR = 3_600_000_000
DATES = [
    "held_at", "dispatched_at", "delivered_at", "return_noticed_at", "withdrawn_at",
    "uncancelled_at", "cancelled_at", "lost_at",
]  # fmt: skip
LEFT = {Status.LOST, Status.RETURN_NOTICED, Status.RETURNED, Status.RETURN_WITHDRAWN}


def heard(seller: Seller, history: str) -> None:
    seller.clock.advance(timedelta(days=1))
    for text in history.split():
        word, _, hour = text.partition("@")
        hour, *more = hour.split("/")
        back, _, return_id = word.partition(":")
        name, _, kind = back.rpartition("_")
        said: dict[str, Any] = {"occurred_at": START + timedelta(hours=int(hour))}
        if kind in ("RTO", "CIR"):
            said |= {"return_type": ReturnType(kind), "return_id": return_id}
        status = Status(name if "return_type" in said else back)
        said["left_seller"] = status in LEFT
        for one in more:
            key = {"S": "shipment_id", "T": "tracking_number", "C": "courier"}[one[0]]
            said[key] = one
        seller.tell(seller.change("OD1", status, line_id="L1", **said))
        seller.settle()


def remembered(seller: Seller) -> str:
    """Everything about the piece that is not empty, then about its parcels."""
    names = ["position", "hold", "return_type", "return_id", "return_from"]
    (row,) = seller.rows(f"SELECT {', '.join(names + DATES)} FROM item")
    words = [str(row[0])]
    words += [f"{name}={text}" for name, text in zip(names[1:], row[1:5], strict=True) if text]
    words += [f"{n[:-3]}={hours(at)}" for n, at in zip(DATES, row[5:], strict=True) if at]
    for parcel in seller.rows(
        "SELECT p.code, p.state, p.shipment_id, p.tracking_number, p.courier, p.dispatched_at, "
        "i.number, i.state FROM package p LEFT JOIN invoice i ON i.package_id = p.id ORDER BY p.id"
    ):
        left = f"left={hours(parcel[5])}" if parcel[5] else ""
        words.append(f"[{' '.join(str(one) for one in (*parcel[:5], left, *parcel[6:]) if one)}]")
    return " ".join(words)


def hours(at: int) -> str:
    since = at - to_micros(START)
    return f"{(since + 1) // HOUR}-" if since % HOUR == HOUR - 1 else str(since // HOUR)


@pytest.fixture
def seller(tmp_path: Path) -> Seller:
    seller = Seller(tmp_path)
    seller.stock("SHIRT", 1)
    seller.order("OD1", ("L1", "SHIRT", 1))
    return seller


HISTORIES = [
    (
        "DISPATCHED@1/S1/T1/C1",
        "DISPATCHED dispatched=1 [SP-1 DISPATCHED S1 T1 C1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 DISPATCHED@2/S1/T1/C1",
        "DISPATCHED dispatched=1 [SP-1 DISPATCHED S1 T1 C1 left=1 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 DISPATCHED@1/S1/T1 DISPATCHED@2/S1",
        "DELIVERED dispatched=1 delivered=3 [SP-1 DELIVERED S1 T1 left=1 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 DELIVERED@5",
        "DELIVERED dispatched=3 delivered=5 [SP-1 DELIVERED left=3 INV/001 ISSUED]",
    ),
    (
        "RETURN_NOTICED_CIR:R1@5 DELIVERED@3 DISPATCHED@1",
        "CIR_CREATED return_type=CIR return_id=R1 return_from=DELIVERED dispatched=1 "
        "delivered=3 return_noticed=5 [SP-1 CIR_CREATED left=1 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 RETURN_NOTICED_CIR:R1@5 DELIVERED@4 DELIVERED@2",
        "CIR_CREATED return_type=CIR return_id=R1 return_from=DELIVERED dispatched=3 "
        "delivered=2 return_noticed=5 [SP-1 CIR_CREATED left=3 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 DELIVERED@5",
        "DELIVERED return_id=R1 dispatched=1 delivered=5 withdrawn=5- [SP-1 DELIVERED S1 "
        "left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 DELIVERED@2",
        "RETURN_EXPECTED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "delivered=2 return_noticed=3 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 DELIVERED@5 DELIVERED@7",
        "DELIVERED return_id=R1 dispatched=1 delivered=7 withdrawn=7- [SP-1 DELIVERED S1 "
        "left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 RETURN_NOTICED_RTO:R1@4",
        "RETURN_EXPECTED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=4 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:@4 RETURN_NOTICED_RTO:R1@3",
        "RETURN_EXPECTED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=4 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 RETURNED_RTO:R1@6",
        "RETURNED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=3 [SP-1 RETURNED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURNED_RTO:R1@6",
        "RETURNED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=6 [SP-1 RETURNED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 RETURN_WITHDRAWN_RTO:R1@4",
        "DISPATCHED return_id=R1 dispatched=1 withdrawn=4 [SP-1 DISPATCHED S1 left=1 INV/001 "
        "ISSUED]",
    ),
    (
        "DELIVERED@3 RETURN_NOTICED_CIR:R1@5 RETURN_WITHDRAWN_CIR:R1@6",
        "DELIVERED return_id=R1 dispatched=3 delivered=3 withdrawn=6 [SP-1 DELIVERED left=3 "
        "INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 RETURN_WITHDRAWN_CIR:R1@6 RETURN_WITHDRAWN_CIR:R1@7",
        "DELIVERED return_id=R1 dispatched=3 delivered=3 withdrawn=7 [SP-1 DELIVERED left=3 "
        "INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 RETURN_NOTICED_CIR:R1@5 RETURNED_CIR:R1@8",
        "CIR_COMPLETE return_type=CIR return_id=R1 return_from=DELIVERED dispatched=3 "
        "delivered=3 return_noticed=5 [SP-1 CIR_COMPLETE left=3 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 RETURNED_CIR:R1@8",
        "CIR_COMPLETE return_type=CIR return_id=R1 return_from=DELIVERED dispatched=3 "
        "delivered=3 return_noticed=8 [SP-1 CIR_COMPLETE left=3 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@4",
        "LOST dispatched=1 lost=4 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@4 LOST@6 LOST@5",
        "LOST dispatched=1 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@4 RETURN_NOTICED_RTO:R1@3",
        "LOST return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=3 lost=4 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@4 RETURN_NOTICED_RTO:R1@6",
        "RETURN_EXPECTED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=6 lost=4 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@6 RETURN_NOTICED_CIR:R1@5",
        "LOST return_type=CIR return_id=R1 return_from=DELIVERED dispatched=1 delivered=5 "
        "return_noticed=5 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@3 LOST@6 RETURN_NOTICED_CIR:R1@5",
        "CIR_CREATED return_type=CIR return_id=R1 return_from=DELIVERED dispatched=3 "
        "delivered=3 return_noticed=5 [SP-1 CIR_CREATED left=3 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 LOST@6",
        "LOST return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=3 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 LOST@6 RETURN_WITHDRAWN_RTO:R1@5",
        "LOST return_id=R1 dispatched=1 withdrawn=5 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@6 RETURN_NOTICED_RTO:R1@3 RETURN_WITHDRAWN_RTO:R1@5",
        "LOST return_id=R1 dispatched=1 withdrawn=5 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@6 CANCELLED@4",
        "LOST return_type=RTO return_from=DISPATCHED dispatched=1 return_noticed=4 "
        "cancelled=4 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@4 DELIVERED@6",
        "DELIVERED dispatched=1 delivered=6 withdrawn=6- lost=4 [SP-1 DELIVERED S1 left=1 "
        "INV/001 ISSUED]",
    ),
    (
        "CANCEL_REQUESTED@1",
        "FULFILLABLE hold=buyer_cancel_requested held=1",
    ),
    (
        "CANCEL_REQUESTED@1 CANCEL_REQUESTED@3",
        "FULFILLABLE hold=buyer_cancel_requested held=3",
    ),
    (
        "CANCEL_REQUESTED@3 CANCEL_REQUESTED@1",
        "FULFILLABLE hold=buyer_cancel_requested held=3",
    ),
    (
        "CANCEL_REQUESTED@1 CANCEL_WITHDRAWN@2",
        "FULFILLABLE uncancelled=2",
    ),
    (
        "CANCEL_REQUESTED@1 CANCEL_REQUESTED@3 CANCEL_WITHDRAWN@2",
        "FULFILLABLE hold=buyer_cancel_requested held=3",
    ),
    (
        "CANCEL_WITHDRAWN@2 CANCEL_WITHDRAWN@4 CANCEL_REQUESTED@3",
        "FULFILLABLE uncancelled=4",
    ),
    (
        "CANCEL_REQUESTED@1 CANCELLED@2",
        "CANCELLED",
    ),
    (
        "CANCEL_REQUESTED@1 DISPATCHED@2/S1",
        "DISPATCHED dispatched=2 [SP-1 DISPATCHED S1 left=2 INV/001 ISSUED]",
    ),
    (
        "CANCELLED@1",
        "CANCELLED",
    ),
    (
        "CANCELLED@1 DISPATCHED@3/S1",
        "CANCELLED",
    ),
    (
        "DISPATCHED@1/S1 CANCELLED@2",
        "RETURN_EXPECTED return_type=RTO return_from=DISPATCHED dispatched=1 return_noticed=2 "
        "cancelled=2 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 CANCELLED@2 CANCELLED@4",
        "RETURN_EXPECTED return_type=RTO return_from=DISPATCHED dispatched=1 return_noticed=2 "
        "cancelled=4 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 CANCELLED@2 RETURN_NOTICED_RTO:R1@3",
        "RETURN_EXPECTED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=3 cancelled=2 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 UNDELIVERED@2",
        "DISPATCHED dispatched=1 [SP-1 DISPATCHED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/T1 DISPATCHED@2/T2",
        "DISPATCHED dispatched=1 [SP-1 DISPATCHED T1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 DISPATCHED@2/S2",
        "DISPATCHED dispatched=1 [SP-1 DISPATCHED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "RETURN_NOTICED_RTO:R1@3/S1/T9",
        "RETURN_EXPECTED return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=3 "
        "return_noticed=3 [SP-1 RETURN_EXPECTED S1 T9 left=3 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 RETURN_WITHDRAWN_RTO:R1@6 "
        "RETURN_WITHDRAWN_RTO:R1@4",
        "DISPATCHED return_id=R1 dispatched=1 withdrawn=6 [SP-1 DISPATCHED S1 left=1 "
        "INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 RETURN_WITHDRAWN_RTO:R1@6 DELIVERED@5",
        "DELIVERED return_id=R1 dispatched=1 delivered=5 withdrawn=6 [SP-1 DELIVERED S1 "
        "left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 CANCELLED@4 CANCELLED@2",
        "RETURN_EXPECTED return_type=RTO return_from=DISPATCHED dispatched=1 "
        "return_noticed=4 cancelled=4 [SP-1 RETURN_EXPECTED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "CANCEL_WITHDRAWN@4 CANCEL_WITHDRAWN@2 CANCEL_REQUESTED@3",
        "FULFILLABLE uncancelled=4",
    ),
    (
        "CANCEL_REQUESTED@1 CANCEL_WITHDRAWN@5 CANCEL_WITHDRAWN@3 CANCEL_REQUESTED@4",
        "FULFILLABLE uncancelled=5",
    ),
    (
        "DELIVERED@5 RETURN_WITHDRAWN_RTO:R1@7 DELIVERED@6 RETURN_NOTICED_RTO:R1@6",
        "DELIVERED return_id=R1 dispatched=5 delivered=6 withdrawn=7 [SP-1 DELIVERED "
        "left=5 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@4 RETURN_WITHDRAWN_RTO:R1@9 DELIVERED@6",
        "DELIVERED return_id=R1 dispatched=1 delivered=6 withdrawn=9 lost=4 [SP-1 "
        "DELIVERED S1 left=1 INV/001 ISSUED]",
    ),
    (
        "RETURN_NOTICED_CIR:R1@3/S9/T9/C9 DISPATCHED@1/S1/T1/C1",
        "CIR_CREATED return_type=CIR return_id=R1 return_from=DELIVERED dispatched=1 "
        "delivered=3 return_noticed=3 [SP-1 CIR_CREATED S1 T1 C1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 LOST@6 RETURN_NOTICED_CIR:R1@5 DELIVERED@4",
        "LOST return_type=CIR return_id=R1 return_from=DELIVERED dispatched=1 delivered=4 "
        "return_noticed=5 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 LOST@6 DELIVERED@2",
        "LOST return_type=RTO return_id=R1 return_from=DISPATCHED dispatched=1 "
        "return_noticed=3 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@2 RETURN_WITHDRAWN_CIR@8 RETURN_WITHDRAWN_RTO@9 RETURN_NOTICED_CIR@5 "
        "RETURN_NOTICED_RTO@6",
        "DELIVERED dispatched=2 delivered=2 withdrawn=9 [SP-1 DELIVERED left=2 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@2 RETURN_WITHDRAWN_CIR@8 RETURN_WITHDRAWN_CIR@9 RETURN_NOTICED_RTO@5",
        "RETURN_EXPECTED return_type=RTO return_from=DELIVERED dispatched=2 delivered=2 "
        "return_noticed=5 withdrawn=9 [SP-1 RETURN_EXPECTED left=2 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@1/S1 RETURN_NOTICED_RTO:R1@3 LOST@6 RETURN_WITHDRAWN_RTO:R1@3",
        "LOST return_id=R1 dispatched=1 withdrawn=3 lost=6 [SP-1 LOST S1 left=1 INV/001 ISSUED]",
    ),
    (
        "DELIVERED@5 DELIVERED@7 DELIVERED@6",
        "DELIVERED dispatched=5 delivered=7 [SP-1 DELIVERED left=5 INV/001 ISSUED]",
    ),
    (
        "DISPATCHED@4/S1 RETURN_NOTICED_CIR:R1@3",
        "CIR_CREATED return_type=CIR return_id=R1 return_from=DELIVERED dispatched=4 delivered=3 "
        "return_noticed=3 [SP-1 CIR_CREATED S1 left=4 INV/001 ISSUED]",
    ),
]


@pytest.mark.parametrize(("history", "kept"), HISTORIES, ids=[history for history, _ in HISTORIES])
def test_what_is_kept(seller: Seller, history: str, kept: str) -> None:
    heard(seller, history)
    assert remembered(seller) == kept
