"""What a channel's plugin keeps of an account between its calls, on disk or for one rehearsal."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from syncd.book.store import Book
from syncd.clock import to_micros
from syncd.errors import PluginError

MAX_KEY: Final = 200
MAX_TEXT: Final = 10_000
USUAL_KEEP: Final = timedelta(days=30)


class AccountMemory:
    """The memory of one account. A ``rehearsal`` reads what is stored and stores nothing.

    It is called by the thread that pulls a plugin's pages, beside the one that stores them.
    """

    def __init__(self, book: Book, account_id: int, *, rehearsal: bool = False) -> None:
        self._book = book
        self._account_id = account_id
        self._rehearsal = rehearsal
        self._changed: dict[str, str] = {}

    def recall(self, key: str) -> str:
        """The text kept under this key; empty if there is none, or none that is still good."""
        if key in self._changed:
            return self._changed[key]
        with self._book.connection():
            row = self._book.query(
                "SELECT text FROM memo WHERE account_id = ? AND key = ? AND good_until > ?",
                (self._account_id, key, to_micros(self._book.clock.now())),
            ).fetchone()
        return str(row[0]) if row else ""

    def remember(self, key: str, text: str, *, keep: timedelta = USUAL_KEEP) -> None:
        """Keep the text for so long. Raises PluginError for one that is no short note."""
        if not 1 <= len(key) <= MAX_KEY or len(text) > MAX_TEXT:
            raise PluginError(
                f"A plugin's note has a key of 1 to {MAX_KEY} characters and a text of at most "
                f"{MAX_TEXT}; this one has {len(key)} and {len(text)}."
            )
        if self._rehearsal:
            self._changed[key] = text
            return
        now = self._book.clock.now()
        with self._book.write():
            self._book.query("DELETE FROM memo WHERE good_until <= ?", (to_micros(now),))
            self._book.query(
                "INSERT INTO memo (account_id, key, text, good_until) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (account_id, key) DO UPDATE SET text = excluded.text, "
                "good_until = excluded.good_until",
                (self._account_id, key, text, to_micros(now + keep)),
            )

    def forget(self, key: str) -> None:
        """Drop the text, if there is one."""
        if self._rehearsal:
            self._changed[key] = ""
            return
        with self._book.write():
            self._book.query(
                "DELETE FROM memo WHERE account_id = ? AND key = ?", (self._account_id, key)
            )
