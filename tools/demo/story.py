"""What happens at a panel while the book sleeps: orders, and the fate of each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from syncd.statuses import Status
from tools.demo.panels import PanelPeople

COLUMNS: Final = ("order_id", "line_id", "sku", "quantity", "placed_at", "location", "state")
STOCKED: Final = ("KURTA-M", "KURTA-L", "SAREE-RED", "LAMP-BRASS", "MUG-BLUE")
NEVER_STOCKED: Final = "TOY-TRAIN"  # the book has none of it, and yet it will be dispatched
DELHI: Final = "delhi-depot"  # the location whose facility has no invoice sequence at first

FEWEST: Final = 2  # orders of each fate, however small the account

Act = Callable[["Story", "Placed", "Times"], None]


class Times:
    """Moments of the story, in hours before now. All lie further back than panels lag."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self, hours_ago: float) -> datetime:
        return self._now - timedelta(hours=hours_ago)


@dataclass(frozen=True)
class Placed:
    """An order as the panel took it."""

    order_id: str
    line_id: str
    sku: str
    quantity: int
    placed_at: datetime


@dataclass(frozen=True)
class Fate:
    """``count`` orders to which the same happens.

    ``act`` happens before the first sync, ``then`` before the second. ``by``: how they reach
    the book: "channel", "file", or "late" (a file, after the sync). ``state``: where a file says
    that they stand. ``example``: show one of them. ``word``: what a panel must be able to tell,
    or it happens to none of its orders.
    """

    title: str
    count: int
    act: Act
    then: Act | None = None
    by: str = "channel"
    sku: str = ""
    quantity: int = 1
    state: str = ""
    location: str = ""
    example: bool = False
    word: Status | None = None


@dataclass
class Story:
    """The orders of one panel, each with its fate. ``share``: one in so many happens at all."""

    people: PanelPeople
    share: int = 1
    orders: list[tuple[Fate, Placed]] = field(default_factory=list)
    returns: dict[str, list[str]] = field(default_factory=dict)  # order id -> return ids

    def place(self, times: Times, *, late: bool) -> None:
        """Buyers order: what the book will know in time, or what reaches it too late."""
        for fate in FATES:
            if (fate.by == "late") == late and self._can_be(fate):
                for number in range(max(FEWEST, fate.count // self.share)):
                    self.orders.append((fate, self._place(fate, number, times)))

    def _can_be(self, fate: Fate) -> bool:
        """Whether the panel has a word for it."""
        return self.people.tells(fate.word) and (self.people.parts or fate.quantity == 1)

    def act(self, times: Times) -> None:
        """What happens before the first sync."""
        for fate, placed in self.orders:
            fate.act(self, placed, times)

    def go_on(self, times: Times) -> int:
        """What happens before the second sync. Returns to how many orders."""
        more = [(fate.then, placed) for fate, placed in self.orders if fate.then is not None]
        for then, placed in more:
            then(self, placed, times)
        return len(more)

    def examples(self) -> list[tuple[str, Placed]]:
        """The first order of each fate that is worth showing."""
        firsts: dict[str, Placed] = {}
        for fate, placed in self.orders:
            if fate.example:
                firsts.setdefault(fate.title, placed)
        return list(firsts.items())

    def write_csv(self, path: Path, by: str) -> int:
        """The orders that come by a file, as ``syncctl import`` takes them. Returns how many.

        Those of the channel are among them where it finds none by itself.
        """
        ways = (by,) if by != "file" or self.people.finds else ("file", "channel")
        rows = [(fate, placed) for fate, placed in self.orders if fate.by in ways]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_row(fate, placed) for fate, placed in rows)
        return len(rows)

    def _place(self, fate: Fate, number: int, times: Times) -> Placed:
        sku = fate.sku or STOCKED[number % len(STOCKED)]
        at = times(30 + number / 60)
        answer = self.people.do(
            "place_order",
            seller_id=self.people.seller_id,
            lines=[{"sku": sku, "quantity": fate.quantity}],
            at=at,
        )
        line = answer["lines"][0]
        return Placed(answer["order_id"], line["line_id"], line["sku"], fate.quantity, at)


def _row(fate: Fate, placed: Placed) -> Sequence[object]:
    stamp = placed.placed_at.astimezone(UTC).isoformat(timespec="seconds")
    return (
        placed.order_id, placed.line_id, placed.sku, placed.quantity, stamp, fate.location,
        fate.state,
    )  # fmt: skip


def _where(placed: Placed) -> dict[str, Any]:
    return {"order_id": placed.order_id, "line_id": placed.line_id}


def _nothing(story: Story, placed: Placed, times: Times) -> None:
    """The order waits."""


def _steps(*steps: tuple[str, float] | tuple[str, float, Mapping[str, object]]) -> Act:
    """The verbs of the simulated world, each so many hours ago, with further arguments."""

    def act(story: Story, placed: Placed, times: Times) -> None:
        for verb, hours, *more in steps:
            arguments = more[0] if more else {}
            story.people.do(verb, at=times(hours), **_where(placed), **arguments)

    return act


def _comes_back(kind: str) -> Act:
    """Picked up, and then on its way back: a courier_return, or after delivery by the buyer."""

    def act(story: Story, placed: Placed, times: Times) -> None:
        story.people.do("pick_up", at=times(20), **_where(placed))
        if kind == "customer_return":
            story.people.do("deliver", at=times(16), **_where(placed))
        backs = story.people.do(kind, at=times(10), **_where(placed))
        story.returns[placed.order_id] = [back["return_id"] for back in backs]

    return act


def _ends(event: str, hours: float) -> Act:
    """The return ends so."""

    def act(story: Story, placed: Placed, times: Times) -> None:
        for return_id in story.returns[placed.order_id]:
            story.people.do("return_event", at=times(hours), return_id=return_id, event=event)

    return act


def _both(first: Act, second: Act) -> Act:
    """One after the other."""

    def act(story: Story, placed: Placed, times: Times) -> None:
        first(story, placed, times)
        second(story, placed, times)

    return act


_DISPATCH: Final = _steps(("pick_up", 8))
_DELIVER: Final = _steps(("pick_up", 20), ("ship", 18), ("deliver", 3))
_CANCEL: Final = _steps(("cancel", 6, {"by": "buyer"}))
_PART: Final = _steps(("cancel", 9, {"quantity": 1}), ("pick_up", 7))
_RTO: Final = _comes_back("courier_return")
_CIR: Final = _comes_back("customer_return")
_STOP_ON_ITS_WAY: Final = _steps(("pick_up", 12), ("cancel_in_transit", 5))

FATES: Final = (
    Fate("waits at the panel", 24, _nothing),
    Fate("dispatched", 60, _DISPATCH),
    Fate("dispatched, no stock in the book", 16, _DISPATCH, sku=NEVER_STOCKED, example=True),
    Fate("dispatched in Delhi, no invoice sequence", 10, _DISPATCH, by="file", location=DELHI,
         example=True),
    Fate("delivered", 48, _DELIVER, by="file", word=Status.DELIVERED),
    Fate("cancelled before the invoice", 24, _CANCEL),
    Fate("cancelled after the invoice", 14, _CANCEL, by="file", state="PACKED", example=True),
    Fate("one of three cancelled, two dispatched", 12, _PART, quantity=3),
    Fate("cancelled on its way", 8, _STOP_ON_ITS_WAY, word=Status.RETURN_NOTICED),
    Fate("on the way back by courier", 10, _RTO, word=Status.RETURN_NOTICED),
    Fate("brought back by courier", 10, _both(_RTO, _ends("COMPLETED", 2)), word=Status.RETURNED),
    Fate("on the way back from the buyer", 10, _CIR, word=Status.RETURN_NOTICED),
    Fate("sent back by the buyer", 6, _both(_CIR, _ends("COMPLETED", 2)), word=Status.RETURNED),
    Fate("on the way back, then received", 8, _CIR, then=_ends("COMPLETED", 0.5),
         word=Status.RETURNED),
    Fate("on the way back, then the return is withdrawn", 8, _CIR, then=_ends("CANCELLED", 0.5),
         example=True, word=Status.RETURN_WITHDRAWN),
    Fate("dispatched before the book knew the order", 8, _DISPATCH, by="late", example=True),
    Fate("cancelled before the book knew the order", 6, _CANCEL, by="late"),
)  # fmt: skip
"""Some three hundred orders. Together they meet each rule that a seller asks about first."""
