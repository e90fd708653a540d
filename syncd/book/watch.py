"""What is done when something has waited too long: the timers of the book.

A turn looks at what waits, by queries that cost what is overdue, and writes only where a timer
fires or a waiting has ended. All of it follows from the book's rows and the time: a turn that
was missed is made up for by the next one, and one made twice does nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog

from syncd.book.overdue_lookups import watched
from syncd.book.store import Book
from syncd.book.wait_words import opened_text, waited
from syncd.book.waits import EVER, SOURCES, SYNCD, Waiting, count_waiting, waiting
from syncd.book.wording import STANDS, words_for
from syncd.clock import to_micros
from syncd.limits import Limits
from syncd.rules.overdue import RULES, Deed, Wait, doing, next_reminder, still_holds

BATCH: Final = 200

log = structlog.get_logger("syncd.book")


class Watch:
    """The timers of all accounts. Not for use from several threads.

    ``limits`` are asked for at each turn, for they may be changed while the daemon runs.
    """

    def __init__(self, book: Book, limits: Callable[[], Mapping[str, Limits]]) -> None:
        self._book = book
        self._limits = limits
        self._told: dict[tuple[int, Wait], int] = {}  # up to which beginning of the waiting

    def turn(self, now: datetime) -> None:
        """Look at everything once, a transaction a batch.

        Accounts that are not in ``limits``, are switched off or belong to a tenant that is not
        live stay quiet.
        """
        limits = self._limits()
        with self._book.connection():
            for account_id, name in watched(self._book):
                if name in limits:
                    turn = _Turn(self._book, account_id, name, limits[name], to_micros(now))
                    turn.take()
                    self._remind(turn)
            _forget_attempts(self._book)

    def _remind(self, turn: _Turn) -> None:
        """One line for what has become overdue since the last turn and opens no exception."""
        for wait in doing(Deed.LIST, Deed.DUE):
            key = (turn.account_id, wait)
            until = turn.now - RULES[wait].span(turn.limits)
            after = self._told.get(key, -EVER)
            if until <= after:
                continue  # the clock was set back, or the limit is longer now
            self._told[key] = until
            count, oldest = count_waiting(
                self._book, wait, turn.account_id, after=after, until=until
            )
            if count:
                turn.tell(wait, count, longest=waited(turn.now - oldest))


class _Turn:
    """One account's turn; ``now`` in microseconds."""

    def __init__(self, book: Book, account_id: int, account: str, limits: Limits, now: int) -> None:
        self.book = book
        self.account_id = account_id
        self.account = account
        self.limits = limits
        self.now = now

    def take(self) -> None:
        # First, for what has expired waits no longer: nobody is asked about it in this turn.
        for wait in doing(Deed.EXPIRE):
            self._batches(wait, self._expire)
        for wait in doing(Deed.OPEN, Deed.REMIND):
            self._close(wait)
        for wait in doing(Deed.OPEN):
            self._batches(wait, self._open)
        for wait in doing(Deed.DUE):
            self._set_due(wait)
        for wait in doing(Deed.REMIND):
            self._set_reminders(wait)

    def tell(self, wait: Wait, count: int, **more: object) -> None:
        """The one line in the log when timers fire: never with the ids of orders."""
        log.warning(
            "overdue", account=self.account, kind=wait.value, count=count,
            why=words_for(RULES[wait].code).means, see=f"syncctl overdue --account {self.account}",
            **more,
        )  # fmt: skip

    def _batches(self, wait: Wait, work: Callable[[Wait, int], int]) -> None:
        """Work until nothing is left; nothing is written where nothing has fired."""
        span = RULES[wait].span(self.limits)
        if not self._due(wait, span, 1):
            return
        done = 0
        while True:
            with self.book.write():
                count = work(wait, span)
            done += count
            if count < BATCH:
                break
        self.tell(wait, done)

    def _due(self, wait: Wait, span: int, limit: int = BATCH) -> list[Waiting]:
        return waiting(
            self.book, wait, self.account_id, until=self.now - span, untold=True, limit=limit
        )

    def _open(self, wait: Wait, span: int) -> int:
        """An exception for each that has none yet."""
        rule = RULES[wait]
        rows = self._due(wait, span)
        self.book.executemany(
            _OPEN,
            [
                (
                    self.account_id, row.order_id, row.item_id, row.inbox_id, rule.code,
                    rule.severity, opened_text(wait, row.line_id, row.piece, row.since, span),
                    self.now, row.since + span,
                )
                for row in rows
            ],
        )  # fmt: skip
        return len(rows)

    def _expire(self, wait: Wait, span: int) -> int:
        """Kept facts that are no open work any more; the row stays, with the reason."""
        rows = self._due(wait, span)
        rule = RULES[wait]
        message = f"Kept for {waited(span)}; the order never came."
        self.book.executemany(
            "UPDATE inbox SET state = 'EXPIRED', code = ?, message = ? WHERE id = ?",
            [(rule.code, message, row.inbox_id) for row in rows],
        )
        return len(rows)

    def _close(self, wait: Wait) -> None:
        """Close what does not wait any more, or not as long as the limit says."""
        source, rule = SOURCES[wait], RULES[wait]
        span = rule.span(self.limits) if rule.deed is Deed.OPEN else 0
        codes = source.codes or (rule.code,)
        ended = self._ended(wait, codes, span)
        if not ended:
            return
        with self.book.write():
            ended = self._ended(wait, codes, span)
            self.book.executemany(
                "UPDATE exceptions SET state = 'CLOSED', closed_at = ?, closed_by = ?, note = ? "
                "WHERE id = ? AND state = 'OPEN'",
                [(self.now, SYNCD, note, row_id) for row_id, note in ended],
            )
        log.info("no longer overdue", account=self.account, kind=wait.value, count=len(ended))

    def _ended(self, wait: Wait, codes: tuple[str, ...], span: int) -> list[tuple[int, str]]:
        marks = ",".join("?" * len(codes))
        rows = self.book.query(
            f"SELECT e.id, e.opened_at, ({SOURCES[wait].since}), e.item_id, e.order_id "
            "FROM exceptions e WHERE e.state = 'OPEN' AND e.account_id = ? "
            f"AND e.code IN ({marks})",
            (self.account_id, *codes),
        ).fetchall()
        return [
            (row_id, self._why_ended(since, item_id, order_id))
            for row_id, opened_at, since, item_id, order_id in rows
            if not still_holds(since, opened_at, span)
        ]

    def _why_ended(self, since: int | None, item_id: int | None, order_id: str) -> str:
        if since is not None:
            return "It waits since later, or may wait longer now."
        if item_id is not None:
            position, hold = self.book.query(
                "SELECT position, hold FROM item WHERE id = ?", (item_id,)
            ).fetchone()
            held = f", on hold: {hold}" if hold else ""
            return f"It waits no longer: it is {STANDS.get(position, position)} now{held}."
        known = self.book.query(
            "SELECT 1 FROM orders WHERE account_id = ? AND order_id = ?",
            (self.account_id, order_id),
        ).fetchone()
        if known:
            return "It waits no longer: what the channel said was taken up."
        return "It waits no longer: what the channel said was set aside."

    def _set_due(self, wait: Wait) -> None:
        """Say when what has its exception already should be done."""
        span = RULES[wait].span(self.limits)

        def wrong() -> list[tuple[int, int | None]]:
            rows = waiting(self.book, wait, self.account_id, until=EVER)
            return [
                (row.since + span, row.exception_id)
                for row in rows
                if row.due_at != row.since + span
            ]

        self._write_due(wrong)

    def _set_reminders(self, wait: Wait) -> None:
        """Move the due times on; one line for all that are called to mind."""
        span = RULES[wait].span(self.limits)
        reminded: list[int] = []

        def wrong() -> list[tuple[int, int | None]]:
            reminded.clear()
            found = []
            for row in waiting(self.book, wait, self.account_id, until=EVER):
                due_at, now = next_reminder(row.due_at, row.since, self.now, span)
                if now:
                    reminded.append(row.since)
                if due_at != row.due_at:
                    found.append((due_at, row.exception_id))
            return found

        self._write_due(wrong)
        if reminded:
            self.tell(wait, len(reminded), longest=waited(self.now - min(reminded)))

    def _write_due(self, wrong: Callable[[], list[tuple[int, int | None]]]) -> None:
        if wrong():
            with self.book.write():
                self.book.executemany("UPDATE exceptions SET due_at = ? WHERE id = ?", wrong())


def _forget_attempts(book: Book) -> None:
    """A piece that has moved on needs its failed attempt no longer."""
    if book.query(_MOVED_ON.format("SELECT 1 FROM", "LIMIT 1")).fetchone():
        with book.write():
            book.query(_MOVED_ON.format("DELETE FROM", ""))


_OPEN: Final = (
    "INSERT INTO exceptions (account_id, order_id, item_id, inbox_id, code, severity, message, "
    "state, opened_at, closed_by, note, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'OPEN', ?, '', '', ?)"
)
_MOVED_ON: Final = (
    "{} attempt WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.id = attempt.item_id "
    "AND i.position IN ('DISPATCHED', 'SHIPPED')) {}"
)
