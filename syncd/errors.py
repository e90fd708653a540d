"""The errors of syncd, named by what follows from them.

Each message says what happened, where, and what to do next. None ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Sequence


class SyncdError(Exception):
    """Base of all errors that syncd raises on purpose. ``code`` is stable, for machines."""

    code = "error"


class ConfigError(SyncdError):
    """The configuration cannot be used; ``problems`` lists every reason, one sentence each."""

    code = "config_invalid"

    def __init__(self, problems: Sequence[str], *, path: str = "") -> None:
        self.problems = list(problems)
        self.path = path
        head = f"{path}: " if path else ""
        super().__init__(head + "; ".join(self.problems))


class PluginError(SyncdError):
    """A channel plugin broke its contract. The channel is off, the daemon goes on."""

    code = "plugin_broken"


class PanelError(SyncdError):
    """A channel's panel did not give what was asked. The pass fails, its cursor stays."""

    code = "panel_error"


class PanelBusy(PanelError):
    """The panel is overloaded or unreachable for now; the next pass tries again.

    ``retry_after`` is the wait in seconds that the panel asked for, if it did.
    """

    code = "panel_busy"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class PanelRefused(PanelError):
    """The panel refuses these credentials. The account is paused until a person acts."""

    code = "account_auth_failed"


class PanelGone(PanelError):
    """The panel no longer has this call (404 or 410 on the path). A person must upgrade.

    ``status`` is which of the two, for a panel whose 404 may speak of one order alone.
    """

    code = "panel_gone"
    status = 0


class PanelAnswer(PanelError):
    """The panel's answer does not have the agreed shape; the message names the place."""

    code = "panel_answer"


class Stopped(SyncdError):
    """The daemon is stopping; the work in hand is given up at a safe place."""

    code = "stopped"


class GaveWay(SyncdError):
    """A long run went back into the queue, to go on from where it stood."""

    code = "gave_way"


class BookError(SyncdError):
    """The order book cannot do what was asked."""

    code = "book_error"


class StoreBusy(BookError):
    """Another program holds the book's database for longer than we wait."""

    code = "store_busy"


class StoreRefused(BookError):
    """The file is not a book this program may write: another's file, newer, damaged, locked."""

    code = "store_refused"


class NotFound(BookError):
    """No such order, run, account, facility or tenant."""

    code = "not_found"


class Refused(BookError):
    """The book's rules forbid this now; the message says why and what would allow it."""

    code = "refused"

    def __init__(self, message: str, *, code: str = "refused") -> None:
        self.code = code
        super().__init__(message)
