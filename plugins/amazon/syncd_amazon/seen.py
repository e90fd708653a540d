"""An order as the panel shows it at one moment, of either version, and rows that are none."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import msgspec
from msgspec import Struct, field

from syncd.shapes import BadRow
from syncd_amazon.statuses import Stage

MAX_RAW: Final = 20_000


class Line(Struct):
    """One line. ``gone`` is how many pieces are cancelled, None where that is not certain."""

    line_id: str
    sku: str
    title: str
    ordered: int
    shipped: int
    gone: int | None = 0
    reason: str = ""
    wish: str | None = None


class Box(Struct):
    """One parcel: which pieces are in it and how far it is; ``stage`` None for unknown words."""

    ref: str
    word: str
    stage: Stage | None
    items: dict[str, int]
    shipped_at: datetime | None = None
    tracking: str = ""
    courier: str = ""


class Seen(Struct):
    """An order as the panel shows it at one moment; its ``stage`` is None for unknown words."""

    order_id: str
    placed_at: datetime
    changed_at: datetime
    word: str
    stage: Stage | None
    lines: list[Line]
    boxes: list[Box]
    facts: dict[str, str]
    replaces: str = ""
    raw: str = field(default="")


class Broken(Struct):
    """A row that could not be read, with what could be made out of it.

    ``asked`` is False of an order that Amazon was not asked for: the problem then says it all.
    """

    order_id: str
    raw: str
    problem: str
    asked: bool = True

    def sentence(self, what: str) -> str:
        """What a person is told, where Amazon should have sent ``what``."""
        if not self.asked:
            return self.problem
        return f"Amazon sent {what} that cannot be read: {self.problem}."

    @property
    def evidence(self) -> str:
        """The same for the same row."""
        return f"{self.order_id}/unreadable/{crc32(self.raw.encode())}"


Read = tuple[list[Seen], list[Broken]]


def raw_of(row: Any) -> str:
    """A row as text, of what was read of it: no buyer's data is in it."""
    return msgspec.json.encode(row).decode()[:MAX_RAW]


def broken(row: BadRow, name: str) -> Broken:
    """A row that cannot be read, whose order's id stands under this name."""
    found = re.search(rf'"{name}"\s*:\s*"([^"\\]{{1,200}})"', row.raw)
    return Broken(found.group(1) if found else "", row.raw, row.problem)
