"""From what a panel shows of an order now to what must have happened.

For panels that answer with the present word of each line and tell nothing of the way there. The
pieces of a line are counted: so many have left, so many were delivered, so many came back. A
total read twice is one fact, whatever else of the row has moved, and what was passed through
between two passes is told all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct, structs

from syncd.hookspecs import hookimpl
from syncd.meanings import Meaning
from syncd.shapes import odd_change
from syncd.statuses import (
    NO_FACTS,
    STATUSES_OF,
    Account,
    Kind,
    OrderRef,
    Page,
    ReturnType,
    Status,
    StatusChange,
    Window,
)

if TYPE_CHECKING:
    from syncd.panel import Panel

S, CIR, RTO = Status, ReturnType.CIR, ReturnType.RTO


class Shown(Struct, kw_only=True, frozen=True):
    """Some pieces of a line as the panel shows them: all in one parcel, with one word.

    ``at`` is the panel's time of the word; None where it shows none. ``quantity`` None means
    all pieces of the line. With ``problem`` the row could not be read.
    """

    order_id: str
    line_id: str = ""
    sku: str = ""
    word: str = ""
    quantity: int | None = None
    at: datetime | None = None
    shipment_id: str = ""
    tracking_number: str = ""
    courier: str = ""
    return_id: str = ""
    location_id: str = ""
    facts: Mapping[str, str] = NO_FACTS
    raw: str = ""
    problem: str = ""


_WITHDRAWN: Final = frozenset(Meaning(S.RETURN_WITHDRAWN, kind) for kind in (None, RTO, CIR))
_LEFT: Final = _WITHDRAWN | frozenset(
    {
        Meaning(S.DISPATCHED),
        Meaning(S.DELIVERED),
        Meaning(S.UNDELIVERED),
        Meaning(S.LOST),
        Meaning(S.RETURN_NOTICED, RTO),
        Meaning(S.RETURNED, RTO),
        Meaning(S.RETURN_NOTICED, CIR),
        Meaning(S.RETURNED, CIR),
    }
)
_PASSED: Final[Mapping[Meaning, frozenset[Meaning]]] = {
    Meaning(S.DISPATCHED): _LEFT,
    Meaning(S.DELIVERED): frozenset(
        {
            Meaning(S.DELIVERED),
            Meaning(S.RETURN_NOTICED, CIR),
            Meaning(S.RETURNED, CIR),
            Meaning(S.RETURN_WITHDRAWN, CIR),
        }
    ),
    Meaning(S.RETURN_NOTICED, RTO): frozenset(
        {Meaning(S.RETURN_NOTICED, RTO), Meaning(S.RETURNED, RTO)}
    ),
    Meaning(S.RETURN_NOTICED, CIR): frozenset(
        {Meaning(S.RETURN_NOTICED, CIR), Meaning(S.RETURNED, CIR)}
    ),
}
"""What a piece shows that has passed through a word; every other word is shown by itself."""

_OF_THE_LINE: Final = frozenset({S.CANCELLED, S.CANCEL_REQUESTED, S.CANCEL_WITHDRAWN})


Read = Callable[[Account, Window, Sequence[OrderRef], "Panel"], Iterable[Iterable[Shown]]]
"""Reads pages of what the panel shows of these orders, or of the window where there are none."""
Hook = Callable[[Account, Window, Sequence[OrderRef], "Panel"], Iterator[Page[StatusChange]]]


def status_hooks(read: Read) -> tuple[Hook, Hook, Hook, Hook]:
    """The hooks of a plugin whose panel is read in one way, whatever is asked.

    Its settings have the ``status_map`` that says what the words mean::

        fetch_dispatched, fetch_delivered, fetch_cancelled, fetch_returns = status_hooks(read)
    """
    kinds = (Kind.DISPATCHED, Kind.DELIVERED, Kind.CANCELLED, Kind.RETURNS)
    dispatched, delivered, cancelled, returns = (_hook(kind, read) for kind in kinds)
    return dispatched, delivered, cancelled, returns


def _hook(kind: Kind, read: Read) -> Hook:
    @hookimpl
    def fetch(
        account: Account, window: Window, orders: Sequence[OrderRef], panel: Panel
    ) -> Iterator[Page[StatusChange]]:
        for shown in read(account, window, orders, panel):
            yield Page(rows=changes(kind, shown, account.settings.status_map, window.end))

    return fetch


def changes(
    kind: Kind, shown: Iterable[Shown], words: Mapping[str, Meaning], read_at: datetime
) -> list[StatusChange]:
    """What the hook of ``kind`` reports of these rows.

    Rows of one line in one parcel add up. A word that is not in ``words`` is UNKNOWN.
    ``read_at`` dates what the panel shows without a time: it happened then at the latest. Hand in
    whole lines: a line of which only a part is shown would be counted short.
    """
    found: list[StatusChange] = []
    groups: dict[tuple[str, ...], list[tuple[Shown, Meaning]]] = {}
    for row in shown:
        meaning = words.get(row.word)
        if row.problem or meaning is None:
            found.append(_unknown(row, read_at))
        elif meaning.status is not None:
            line = (row.order_id, row.line_id, row.sku)
            # A cancellation is of a line, whatever parcel the pieces were to travel in.
            key = line if meaning.status in _OF_THE_LINE else (*line, row.shipment_id)
            groups.setdefault(key, []).append((row, meaning))
    for rows in groups.values():
        stated = dict.fromkeys(meaning for _, meaning in rows)
        reached = [target for target, passed in _PASSED.items() if passed & stated.keys()]
        found += [
            _change(target, rows, read_at)
            for target in dict.fromkeys([*reached, *stated])
            if target.status in STATUSES_OF[kind] and not _told_elsewhere(kind, target)
        ]
    return found


def _told_elsewhere(kind: Kind, meaning: Meaning) -> bool:
    """What two hooks might report is left to one of them."""
    return kind is Kind.CANCELLED and meaning.status is S.RETURN_NOTICED


def _change(target: Meaning, rows: list[tuple[Shown, Meaning]], read_at: datetime) -> StatusChange:
    assert target.status is not None
    passed = _PASSED.get(target, frozenset({target}))
    there = [row for row, meaning in rows if meaning in passed]
    exact = [row for row, meaning in rows if meaning == target]
    lead = (exact or there)[0]
    total = None if any(row.quantity is None for row in there) else _sum(there)
    stamps = [row.at for row in exact or there if row.at is not None]
    back = target.status in (S.RETURN_NOTICED, S.RETURNED, S.RETURN_WITHDRAWN)
    name = f"{target.status} {target.return_type or ''}".strip()
    if target.status in _OF_THE_LINE and len({row.shipment_id for row in there}) > 1:
        lead = structs.replace(lead, shipment_id="", tracking_number="", courier="")
    return StatusChange(
        order_id=lead.order_id,
        line_id=lead.line_id,
        sku=lead.sku,
        status=target.status,
        return_type=target.return_type,
        native_status=lead.word,
        occurred_at=max(stamps, default=read_at),
        quantity=total,
        cumulative=total is not None,
        shipment_id=lead.shipment_id,
        tracking_number=lead.tracking_number,
        courier=lead.courier,
        return_id=lead.return_id if back else "",
        location_id=lead.location_id,
        left_seller=target in _LEFT,
        facts=lead.facts,
        evidence_id="|".join(
            (
                lead.order_id,
                lead.line_id or lead.sku,
                "" if target.status in _OF_THE_LINE else lead.shipment_id,
                name,
                str(total or ""),
                lead.return_id if back else "",
            )
        ),
    )  # fmt: skip


def _sum(rows: Iterable[Shown]) -> int:
    return sum(row.quantity or 0 for row in rows)


def _unknown(row: Shown, read_at: datetime) -> StatusChange:
    word = "|".join((row.order_id, row.line_id or row.sku, "?", row.word))
    return odd_change(
        row.problem or f'the panel\'s word "{row.word}" is in no status map',
        row.raw,
        row.at or read_at,
        order_id=row.order_id,
        line_id=row.line_id,
        sku=row.sku,
        word=row.word,
        evidence_id=word if row.order_id and not row.problem else "",
    )
