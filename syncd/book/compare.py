"""Compare orders of the book with what their panel tells of them, line by line.

Pieces of one line are alike to a panel, so what is compared is how many of a line stand where.
Three lines of thought meet: where the book has the pieces; where all facts lead from the start,
those of the journal and those that only the panel tells; and where the facts that the journal
lacks would move the pieces from where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from syncd.book.causes import Cause
from syncd.book.compare_lines import Told, against_lines, not_taken
from syncd.book.drift import Finding
from syncd.book.inbox import is_quarantined, journal, told_apart, what_of
from syncd.book.line_marks import Marks, marks_of
from syncd.book.order_facts import FactsUnreadable, order_facts
from syncd.book.replay import OPEN, Known, Replay, known_facts, line_words, told_fact, word_of
from syncd.book.sheet_rows import Order
from syncd.book.store import Book
from syncd.book.worker import AccountView, Ships
from syncd.book.worksheet import Worksheet
from syncd.clock import from_micros
from syncd.statuses import Kind, OrderRef

Words = Mapping[str, int]


class Horizon(msgspec.Struct, frozen=True):
    """Until when a kind's passes have read the panel, in microseconds, and a sentence of it."""

    until: int | None
    why: str


class Compared(msgspec.Struct, kw_only=True):
    """What came of a comparison. ``incomparable``: by kind, orders that it says nothing of."""

    findings: list[Finding] = []
    incomparable: dict[Kind, set[str]] = {}
    not_shipped: set[str] = set()  # the seller ships them, so the panel only echoes what was done
    upcoming: int = 0  # facts that no pass can have heard yet


class Comparer:
    """Compares orders of one account. ``horizons`` by kind; ``now`` when the panel was asked."""

    def __init__(
        self,
        book: Book,
        account: AccountView,
        ships: Ships | None,
        horizons: Mapping[Kind, Horizon],
        now: datetime,
    ) -> None:
        self._book = book
        self._account = account
        self._ships = ships
        self._horizons = horizons
        self._now = now
        self._replay = Replay(book, account, ships)

    def compare(self, order_ids: Sequence[str], told: Told) -> Compared:
        """Every disagreement about these orders of the book, each with its cause."""
        out = Compared()
        order_ids = [*self._readable(order_ids, out)]
        facts = known_facts(self._book, self._account.id, order_ids)
        missed = self._missed(facts, told, set(order_ids), out)
        held = [fact for fact in facts if fact.state not in _SETTLED]
        done = [fact for fact in facts if fact.state in _SETTLED]
        every = [*done, *held, *missed]
        ahead = self._replay.from_start(order_ids, every)
        marks = marks_of(self._book, self._account.id, order_ids)
        settled = [order_id for order_id, one in marks.items() if one.settled]
        kept = not_taken(self._book, self._account.id, order_ids)
        case = _Case(
            book=self._replay.stands(order_ids),
            ahead=ahead.sheet,
            decided=self._replay.from_start(order_ids, every, as_decided=True).sheet,
            after=self._replay.from_now(order_ids, missed).sheet,
            held=_by_order(held),
            missed=_by_order(missed),
            marks=marks,
            from_settled=self._replay.from_now(
                settled, [fact for fact in (*held, *missed) if fact.order_id in settled]
            ).sheet,
        )
        for order_id, order in case.book.orders.items():
            if not self._ships_it(order):
                out.not_shipped.add(order_id)
            out.findings += self._order(order, case, told, out)
            out.findings += against_lines(order, told, kept.get(order_id))
            if told.orders is None:
                out.incomparable.setdefault(Kind.ORDERS, set()).add(order_id)
        out.findings += self._unreadable(set(order_ids), told)
        out.findings += self._undecided(ahead.undecided, out.findings)
        return out

    def _readable(self, order_ids: Sequence[str], out: Compared) -> Iterator[str]:
        """The orders but for those of which nothing can be said: they are told instead."""
        wanted = (self._account.id, _json(order_ids))
        kept = dict(self._book.query(_FACTS, wanted).fetchall())
        for order_id in order_ids:
            try:
                order_facts(order_id, kept.get(order_id, ""))
            except FactsUnreadable as error:
                out.findings.append(
                    Finding(
                        order_id=order_id, cause=Cause.FACTS_UNREADABLE, book_says="",
                        panel_says="", message=str(error),
                    )
                )  # fmt: skip
            else:
                yield order_id

    def _undecided(self, facts: Iterable[Known], findings: Iterable[Finding]) -> list[Finding]:
        """Facts that lead nowhere, for want of proof or of their line, and are not told yet."""
        told = {(one.order_id, one.line_id) for one in findings}
        found: dict[tuple[str, str], Finding] = {}
        for fact in facts:
            where = (fact.order_id, fact.line_id)
            if where in told or where in found or fact.state in _SETTLED:
                continue
            missed = fact.id < 0
            found[where] = Finding(
                order_id=fact.order_id,
                line_id=fact.line_id,
                cause=Cause.MISSED if missed else _CAUSE_OF[fact.state],
                book_says="",
                panel_says=str(fact.event),
                message=self._of_missed(fact) if missed else _of_fact(fact),
            )
        return list(found.values())

    def _of_missed(self, fact: Known) -> str:
        when = from_micros(fact.occurred_at)
        return f"{fact.event} of {when:%Y-%m-%d %H:%M} UTC. {self._horizons[Kind(fact.kind)].why}"

    def _missed(
        self, facts: Iterable[Known], told: Told, wanted: set[str], out: Compared
    ) -> list[Known]:
        """What the panel tells, the journal lacks, and a pass should have heard."""
        known = {(fact.order_id, fact.evidence): _what_of(fact) for fact in facts}
        missed: list[Known] = []
        for kind, changes in told.changes.items():
            horizon = self._horizons[kind].until
            for row in journal(self._account.id, kind, changes, run_id=0, observed_at=self._now):
                if is_quarantined(row) or row[3] not in wanted:
                    continue
                what = what_of(row)
                if known.get((row[3], row[2]), what) != what:
                    row = told_apart(row)  # as the journal would keep it
                if known.setdefault((row[3], row[2]), what) is not what:
                    continue
                fact = told_fact(row, len(missed) + 1)
                if horizon is not None and fact.occurred_at >= horizon:
                    out.upcoming += 1
                else:
                    missed.append(fact)
        return missed

    def _order(self, order: Order, case: _Case, told: Told, out: Compared) -> Iterator[Finding]:
        expected = line_words(case.ahead.orders[order.order_id])
        decided = line_words(case.decided.orders[order.order_id])
        after = line_words(case.after.orders[order.order_id])
        clashes = _clashes(case.after, order)
        asks = clashes | _notes(case.after, order)
        marks = case.marks.get(order.order_id) or Marks()
        for line_id, words in line_words(order).items():
            moves = after[line_id] != words or line_id in clashes
            due = expected[line_id]
            if due == words:
                if line_id in asks:
                    yield from self._unasked(order, line_id, words, case)
                continue
            if not marks.exception(line_id):
                if not moves and decided[line_id] == words:
                    # it follows from the order in which the book heard of it
                    if line_id not in marks.told:
                        yield from self._out_of_order(order, line_id, words)
                    continue
                settled = marks.settled.get(line_id, 0)
                odd = min(_odd(words, led) for led in (due, decided[line_id]))
                if settled and odd <= settled:
                    # a person has decided it, with the evidence before them: what counts is
                    # what is not decided yet
                    due = line_words(case.from_settled.orders[order.order_id])[line_id]
                    if not moves and due == words:
                        continue
            cause, why = self._cause(order, line_id, due, moves, case, marks)
            if cause in _AHEAD and self._silent(order, line_id, due, told, out):
                continue
            yield Finding(
                order_id=order.order_id,
                line_id=line_id,
                item_id=_odd_one(order, line_id, words, due),
                cause=cause,
                book_says=_said(words),
                panel_says=_said(due),
                message=why,
            )

    def _unasked(self, order: Order, line_id: str, words: Words, case: _Case) -> Iterator[Finding]:
        """Of a fact that moves no piece: a person is asked, or what is known of it changes."""
        facts = case.missed.get(order.order_id, ())
        fact = next((one for one in facts if _about(one, line_id, order)), None)
        if fact is not None:
            yield Finding(
                order_id=order.order_id,
                line_id=line_id,
                item_id=_odd_one(order, line_id, words, {}),
                cause=Cause.MISSED,
                book_says=_said(words),
                panel_says=str(fact.event),
                message=self._of_missed(fact),
            )

    def _cause(
        self, order: Order, line_id: str, expected: Words, moves: bool, case: _Case, marks: Marks
    ) -> tuple[Cause, str]:
        """The first thing that explains it, the most telling first."""
        held = [fact for fact in case.held.get(order.order_id, ()) if _about(fact, line_id, order)]
        missed = [
            fact for fact in case.missed.get(order.order_id, ()) if _about(fact, line_id, order)
        ]
        if exception := marks.exception(line_id):
            if moves and missed:
                return Cause.MISSED, self._of_missed(missed[0])  # the word that it waits for
            return Cause.CONTRADICTION, exception
        first = min(held, key=lambda fact: _STATES_FIRST.index(fact.state), default=None)
        if moves and missed and (first is None or first.state == "IGNORED"):
            return Cause.MISSED, self._of_missed(missed[0])
        if first is not None:
            return _CAUSE_OF[first.state], _of_fact(first)
        if line_id in marks.by_hand:
            return Cause.AHEAD_BY_HAND, marks.by_hand[line_id]
        counts = line_words(order)[line_id]
        surplus = Counter(counts) - Counter(expected)
        if set(expected) - set(counts) <= {OPEN} and OPEN not in surplus:
            return Cause.AHEAD, ""
        return Cause.NOT_CARRIED_OUT, ""

    def _out_of_order(self, order: Order, line_id: str, words: Words) -> Iterator[Finding]:
        """Where what is decided of a line leads elsewhere in the order of its dates.

        Not where it was told of a part of the line, or of the order and its other lines with it:
        there other pieces may be those that were meant.
        """
        facts = known_facts(self._book, self._account.id, [order.order_id])
        done = [fact for fact in facts if fact.state in _SETTLED]
        if any(_about(fact, line_id, order) and not _whole(fact, order, words) for fact in done):
            return
        dated = self._replay.from_start([order.order_id], done).sheet.orders[order.order_id]
        due = line_words(dated)[line_id]
        if due != words:
            yield Finding(
                order_id=order.order_id,
                line_id=line_id,
                item_id=_odd_one(order, line_id, words, due),
                cause=Cause.HEARD_OUT_OF_ORDER,
                book_says=_said(words),
                panel_says=_said(due),
            )

    def _ships_it(self, order: Order) -> bool:
        return self._ships is None or self._ships(_ref(order))

    def _silent(
        self, order: Order, line_id: str, expected: Words, told: Told, out: Compared
    ) -> bool:
        """Whether the panel's silence says nothing: it could not be asked, or does not ship."""
        if order.order_id in out.not_shipped:
            return True
        placed = _placed_at(self._book, order.pk)
        silent = False
        for word in Counter(line_words(order)[line_id]) - Counter(expected):
            kind = _KIND_OF.get(word)
            if kind is not None and (kind not in told.since or told.since[kind] > placed):
                out.incomparable.setdefault(kind, set()).add(order.order_id)
                silent = True
        return silent

    def _unreadable(self, wanted: set[str], told: Told) -> Iterator[Finding]:
        """Rows of these orders that cannot be read, now or before; but for those set aside."""
        set_aside, seen = self._quarantine(wanted)
        found = dict(seen)
        for kind, changes in told.changes.items():
            for row in journal(self._account.id, kind, changes, run_id=0, observed_at=self._now):
                if is_quarantined(row) and row[3] in wanted and row[2] not in set_aside:
                    found.setdefault((row[3], row[4]), row[-2])
        for (order_id, line_id), problem in found.items():
            yield Finding(
                order_id=order_id, line_id=line_id, cause=Cause.UNREADABLE, book_says="",
                panel_says="a row that cannot be read", message=problem,
            )  # fmt: skip

    def _quarantine(self, wanted: set[str]) -> tuple[set[str], dict[tuple[str, str], str]]:
        rows = self._book.query(
            "SELECT order_id, line_id, evidence, state, message FROM inbox WHERE account_id = ? "
            "AND order_id IN (SELECT value FROM json_each(?)) AND status = 'UNKNOWN' "
            "AND kind <> 'orders'",  # what the intake set aside is compared by lines
            (self._account.id, _json(wanted)),
        ).fetchall()
        set_aside = {row[2] for row in rows if row[3] != "QUARANTINED"}
        return set_aside, {(row[0], row[1]): row[4] for row in rows if row[3] == "QUARANTINED"}


class _Case(msgspec.Struct, kw_only=True):
    """All that is known of the orders in hand."""

    book: Worksheet
    ahead: Worksheet
    decided: Worksheet
    after: Worksheet
    held: Mapping[str, list[Known]]
    missed: Mapping[str, list[Known]]
    marks: Mapping[str, Marks]
    from_settled: Worksheet  # of orders with settled pieces: after all that is not decided


def _clashes(after: Worksheet, order: Order) -> set[str]:
    """The lines of an order for which the facts that were missed would open an exception."""
    items = {row[2] for row in after.troubles if row[1] == order.order_id}
    return {p.line_id for p in order.pieces if p.item_id in items or None in items}


def _notes(after: Worksheet, order: Order) -> set[str]:
    """The lines of which the facts that were missed would hold a piece, let it go, or tell in
    which return it was lost."""
    then = {p.item_id: (p.hold, p.return_type) for p in after.orders[order.order_id].pieces}
    return {p.line_id for p in order.pieces if then[p.item_id] != (p.hold, p.return_type)}


def _odd_one(order: Order, line_id: str, words: Words, expected: Words) -> int | None:
    """A piece of the line that stands where the panel has none too many."""
    surplus = Counter(words) - Counter(expected)
    for piece in order.pieces:
        if piece.line_id == line_id and word_of(piece) in surplus:
            return piece.item_id
    return None


def _odd(words: Words, led: Words) -> int:
    """How many pieces do not stand where facts led them."""
    return (Counter(words) - Counter(led)).total()


def _about(fact: Known, line_id: str, order: Order) -> bool:
    """Whether a fact may be about this line."""
    if fact.line_id:
        return fact.line_id == line_id
    return not fact.sku or any(p.sku == fact.sku for p in order.pieces if p.line_id == line_id)


def _whole(fact: Known, order: Order, words: Words) -> bool:
    """Whether a fact of a line with these pieces can mean only all of it, and nothing else."""
    pieces = sum(words.values())
    part = pieces > 1 and (fact.quantity is not None or fact.shipment_id or fact.tracking_number)
    return not part and (bool(fact.line_id) or pieces == len(order.pieces))


def _what_of(fact: Known) -> tuple[str, str, str, str]:
    """As :func:`what_of` of a row that is in the journal."""
    return fact.line_id, fact.sku, fact.status, fact.return_type


def _by_order(facts: Iterable[Known]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for fact in sorted(facts, key=lambda fact: fact.occurred_at):
        found.setdefault(fact.order_id, []).append(fact)
    return found


def _of_fact(fact: Known) -> str:
    code = f" ({fact.code})" if fact.code else ""
    return f"Fact {fact.id}, {fact.event}{code}. {fact.message}".strip()


def _said(words: Words) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items())) or "nothing"


def _ref(order: Order) -> OrderRef:
    return OrderRef(order_id=order.order_id, facts=order_facts(order.order_id, order.facts))


def _placed_at(book: Book, order_pk: int) -> int:
    return int(book.query("SELECT placed_at FROM orders WHERE id = ?", (order_pk,)).fetchone()[0])


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


_SETTLED: Final = frozenset({"DONE", "TOMBSTONE"})
_CAUSE_OF: Final[Mapping[str, Cause]] = {
    "REFUSED": Cause.REFUSED,
    "WAITING": Cause.WAITING,
    "PARKED": Cause.PARKED,
    "EXPIRED": Cause.PARKED,
    "NEW": Cause.UNDECIDED,
    "QUARANTINED": Cause.UNREADABLE,
    "IGNORED": Cause.SET_ASIDE,
}
_STATES_FIRST: Final = list(_CAUSE_OF)
_AHEAD: Final = frozenset({Cause.AHEAD, Cause.AHEAD_BY_HAND, Cause.NOT_CARRIED_OUT})
_KIND_OF: Final[Mapping[str, Kind]] = {
    "DISPATCHED": Kind.DISPATCHED,
    "DELIVERED": Kind.DELIVERED,
    "CANCELLED": Kind.CANCELLED,
    "RETURN_NOTICED_RTO": Kind.RETURNS,
    "RETURN_NOTICED_CIR": Kind.RETURNS,
    "RETURNED_RTO": Kind.RETURNS,
    "RETURNED_CIR": Kind.RETURNS,
    "LOST": Kind.RETURNS,
}
_FACTS: Final = (
    "SELECT order_id, facts FROM orders WHERE account_id = ? "
    "AND order_id IN (SELECT value FROM json_each(?))"
)
