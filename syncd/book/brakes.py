"""The safety brake in the book: what it weighs, whether it is on, and a person's word on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from syncd.book.facts import Fact, open_of
from syncd.book.passing import MAX_PLAN
from syncd.book.runs import account_id_of
from syncd.book.setaside import check_note, ignore_many
from syncd.book.shared import Shared
from syncd.book.store import Book
from syncd.book.tables import OPEN_FACTS
from syncd.book.worksheet import Worksheet
from syncd.clock import to_micros
from syncd.errors import Refused
from syncd.rules import Brake, Event, foresee, trips

BRAKE_ON: Final = "brake_on"
_AT_ONCE: Final = 400


class Held(Struct, frozen=True):
    """A pass that the brake holds: how many open orders of how many, and the words for it."""

    account: str
    cancels: int
    open_orders: int
    plan_hash: str
    plan: str

    @property
    def message(self) -> str:
        return sentence(self.account, self.cancels, self.open_orders)


class Reach(Struct, frozen=True):
    """How far a brake reaches: up to which row of the journal, and for facts that are taken up
    again because their order has grown, up to which piece it had grown by then."""

    fact: int
    piece: int

    def covers(self, fact: Fact) -> bool:
        """Whether the fact was heard, and taken up again, before the brake was put on."""
        since = 0 if fact.before is None else fact.before.since
        return fact.id <= self.fact and since <= self.piece


class HeldFact(Struct, frozen=True):
    """A cancellation that the brake holds, and where the pieces stand that it would cancel: none
    where the book does not have the order yet."""

    id: int
    order_id: str
    line_id: str
    sku: str
    quantity: int | None
    native_status: str
    occurred_at: int
    positions: tuple[str, ...]
    evidence: str
    turn: int  # of its order among those that are held; grows


class Closed(Struct, frozen=True):
    """What a person's word on the brake changed; ``dropped`` facts were set aside."""

    account: str
    brake_id: int
    state: str
    actor: str
    note: str
    dropped: int = 0


def sentence(account: str, cancels: int, open_orders: int) -> str:
    """What the brake says: how many of how many, and what to type."""
    return (
        f"The safety brake is on: {cancels} of {open_orders} open orders of {account} would be "
        f"cancelled at once, so nothing of {account} is decided until a person has looked. See "
        f"them: syncctl brake --account {account}. If they are true: syncctl brake release "
        f'{account} --note "...". If not: syncctl brake drop {account} --note "..."'
    )


def weigh(book: Book, account_id: int, run_id: int, brake: Brake, now: datetime) -> Held | None:
    """Before a pass decides: whether it is held. Puts the brake on when it would cancel too much.

    An open brake stays, whatever the configuration says by now. Joins the caller's transaction.
    """
    with book.write():
        name = book.query(_NAME, (account_id,)).fetchone()[0]
        on = _open(book, account_id)
        if on is None:
            after = _released(book, account_id)
            if not brake.enabled or _candidates(book, account_id, after) < brake.floor:
                return None
            facts = list(held_facts(book, account_id, after, None))
            cancels = len({fact.order_id for fact in facts if fact.positions})
            orders = _open_orders(book, account_id)
            if not trips(cancels, orders, brake):
                return None
            _put_on(book, account_id, run_id, cancels, orders, now)
        else:
            *_, cancels, orders = on
            facts = list(held_facts(book, account_id, _released(book, account_id), None))
        return Held(name, cancels, orders, *_plan(facts))


def held_facts(
    book: Book, account_id: int, after: Reach, upto: Reach | None, turn: int = 0
) -> Iterator[HeldFact]:
    """Undecided cancellations that ``after`` does not cover, and ``upto`` does, that would
    really cancel a piece, order by order; only of orders behind ``turn``. New ones of an order
    that the book does not have are among them, for it would be born cancelled."""
    turns = _turns(book, account_id, after, turn)
    ids = list(turns)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        sheet = Worksheet(book, Shared(book), account_id, None, 0)
        sheet.load(part)
        facts: dict[str, list[Fact]] = {}
        for fact in open_of(book, account_id, part):
            facts.setdefault(fact.order_id, []).append(fact)
        for order_id in part:
            order = sheet.orders.get(order_id)
            pieces = [] if order is None else order.pieces
            stopped = foresee(pieces, facts[order_id])
            positions = {piece.item_id: piece.position.value for piece in pieces}
            for fact in facts[order_id]:
                hit = tuple(positions[item] for item, by in stopped.items() if by is fact)
                meant = not after.covers(fact) and (upto is None or upto.covers(fact))
                unborn = order is None and fact.state == "NEW"
                if (hit or unborn) and meant and fact.event is Event.CANCELLED:
                    yield _held(fact, hit, turns[order_id])


def _held(fact: Fact, positions: tuple[str, ...], turn: int) -> HeldFact:
    return HeldFact(
        fact.id, fact.order_id, fact.line_id, fact.sku, fact.quantity, fact.native_status,
        fact.occurred_at, positions, fact.evidence, turn,
    )  # fmt: skip


def release(book: Book, account: str, *, note: str, actor: str, now: datetime) -> Closed:
    """The cancellations are true: what the brake covers goes through at the next pass.

    Raises NotFound for the account, Refused without a note or when the brake is not on.
    """
    check_note(note)
    with book.write():
        account_id = account_id_of(book, account)
        brake_id, *_ = _must_be_on(book, account_id, account)
        _close(book, brake_id, "RELEASED", note, actor, now)
    return Closed(account, brake_id, "RELEASED", actor, note)


def drop(book: Book, account: str, *, note: str, actor: str, now: datetime) -> Closed:
    """The cancellations are not true: they are set aside with the note, the rest is decided."""
    check_note(note)
    with book.write():
        account_id = account_id_of(book, account)
        brake_id, upto, *_ = _must_be_on(book, account_id, account)
        after = _released(book, account_id)
        ids = [fact.id for fact in held_facts(book, account_id, after, upto)]
        ignore_many(book, ids, note=note, actor=actor, now=now)
        _close(book, brake_id, "DROPPED", note, actor, now)
    return Closed(account, brake_id, "DROPPED", actor, note, len(ids))


def covered(book: Book, account_id: int, brake_id: int) -> tuple[Reach, Reach]:
    """What a brake is about: after the first, up to the second."""
    return _released(book, account_id), Reach(*book.query(_UPTO, (brake_id,)).fetchone())


def _must_be_on(book: Book, account_id: int, account: str) -> tuple[int, Reach, int, int]:
    on = _open(book, account_id)
    if on is None:
        raise Refused(
            f"The safety brake of {account} is not on. What was decided about it: syncctl brake "
            f"--account {account} --closed",
            code="brake_off",
        )
    return on


def _open(book: Book, account_id: int) -> tuple[int, Reach, int, int] | None:
    row = book.query(_ON, (account_id,)).fetchone()
    return None if row is None else (row[0], Reach(row[1], row[2]), row[3], row[4])


def _released(book: Book, account_id: int) -> Reach:
    """What a person has said yes to before counts no more."""
    return Reach(*book.query(_RELEASED, (account_id,)).fetchone())


def _candidates(book: Book, account_id: int, after: Reach) -> int:
    return int(book.query(_HOW_MANY, (account_id, after.fact, after.piece)).fetchone()[0])


def _turns(book: Book, account_id: int, after: Reach, turn: int) -> dict[str, int]:
    """Orders with such cancellations, with the id of the first, in the order of these."""
    return dict(book.query(_TURNS, (account_id, after.fact, after.piece, turn)).fetchall())


def _open_orders(book: Book, account_id: int) -> int:
    """Orders with a piece that has not left as the pass begins to decide. Those that it reports
    as dispatched are among them: after an outage both words come together."""
    return int(book.query(_OPEN_ORDERS, (account_id,)).fetchone()[0])


def _put_on(
    book: Book, account_id: int, run_id: int, cancels: int, orders: int, now: datetime
) -> None:
    book.query(_PUT_ON, (account_id, run_id, cancels, orders, to_micros(now)))


def _close(book: Book, brake_id: int, state: str, note: str, actor: str, now: datetime) -> None:
    book.query(_CLOSE, (state, to_micros(now), actor, note, brake_id))


def _plan(facts: Sequence[HeldFact]) -> tuple[str, str]:
    """The hash and the list of what is held, as a plan."""
    digest = blake2b(digest_size=16)
    for fact in facts:
        digest.update(f"{fact.order_id}\x1f{fact.evidence}\x1f{BRAKE_ON}\n".encode())
    rows = [
        {
            "order_id": fact.order_id, "line_id": fact.line_id, "piece": None,
            "event": Event.CANCELLED.value, "before": ", ".join(dict.fromkeys(fact.positions)),
            "after": ", ".join(dict.fromkeys(fact.positions)), "outcome": "HELD",
            "code": BRAKE_ON, "note": "",
        }
        for fact in facts[:MAX_PLAN]
    ]  # fmt: skip
    return digest.hexdigest(), msgspec.json.encode(rows).decode()


_NAME: Final = "SELECT name FROM account WHERE id = ?"
_UPTO: Final = "SELECT upto, upto_item FROM brake WHERE id = ?"
_ON: Final = (
    "SELECT id, upto, upto_item, cancels, open_orders FROM brake "
    "WHERE account_id = ? AND state = 'OPEN'"
)
_RELEASED: Final = (
    "SELECT coalesce(max(upto), 0), coalesce(max(upto_item), 0) FROM brake "
    "WHERE account_id = ? AND state = 'RELEASED'"
)
_CANDIDATES: Final = (
    f"FROM inbox WHERE account_id = ? AND {OPEN_FACTS} AND status = 'CANCELLED' "
    "AND (id > ? OR since_item > ?)"
)
_HOW_MANY: Final = f"SELECT count(DISTINCT order_id) {_CANDIDATES}"
_TURNS: Final = (
    f"SELECT order_id, min(id) {_CANDIDATES} GROUP BY order_id HAVING min(id) > ? ORDER BY min(id)"
)
_OPEN_ORDERS: Final = (
    "SELECT count(*) FROM orders WHERE account_id = ? AND state NOT IN ('COMPLETE', 'CANCELLED')"
)
_PUT_ON: Final = (
    "INSERT INTO brake (account_id, run_id, upto, upto_item, cancels, open_orders, state, "
    "opened_at, closed_by, note) SELECT ?, ?, coalesce(max(id), 0), "
    "(SELECT coalesce(max(id), 0) FROM item), ?, ?, 'OPEN', ?, '', '' FROM inbox"
)
_CLOSE: Final = "UPDATE brake SET state = ?, closed_at = ?, closed_by = ?, note = ? WHERE id = ?"
