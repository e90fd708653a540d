"""What a run works on, and what it writes down of each kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from syncd.book import passing, runs
from syncd.book.apply import recount
from syncd.book.runs import Counts
from syncd.book.store import Book
from syncd.channels import LoadedChannel
from syncd.clock import Clock, to_micros
from syncd.config import AccountConfig
from syncd.errors import Stopped
from syncd.rules import Brake, Policies
from syncd.statuses import Account, Kind


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of an account, with its channel."""

    account: Account
    channel: LoadedChannel
    look_back: Mapping[Kind, timedelta]
    locations: Mapping[str, str]  # the channel's location id -> facility code
    brake: Brake = Brake()
    policies: Policies = Policies()
    audit_days: int = 45  # so long after its last change a closed order is still audited
    audit_portion: int = 500  # orders that an audit compares at once


def policies_of(config: AccountConfig) -> Policies:
    """The account's policies as the rules know them."""
    return msgspec.convert(config.policies.model_dump(), Policies)


class Progress(Protocol):
    """Where a run tells how far it is."""

    def emit(self, run_id: int, event: str, **fields: Any) -> None:
        """Tell one step of a run."""
        ...


class TaskNote(msgspec.Struct, kw_only=True):
    """What became of one kind in a run; stored with it."""

    state: str = "ok"  # ok, failed, gated
    code: str = ""
    message: str = ""
    since: str = ""
    until: str = ""
    fetched: int = 0
    new: int = 0
    pages: int = 0
    wait_seconds: float = 0.0  # the panel asked not to be called sooner
    incomparable: int = 0  # of an audit: orders of which it could not be asked this
    not_shipped: int = 0  # of an audit, with the dispatches: orders that the seller ships


class Job:
    """One run in hand: what was asked for, what has been counted, and who listens."""

    def __init__(
        self,
        book: Book,
        run_id: int,
        stop: threading.Event,
        tell: Callable[..., None],
        clock: Clock,
    ) -> None:
        run = runs.get(book, run_id)
        self.book = book
        self.run_id = run_id
        self.stop = stop
        self.clock = clock
        self.account_id, self.name, self.tenant_id = passing.account_of(book, run_id)
        self.kinds = runs.kinds_of(run.kinds)
        self.orders = runs.orders_of(run.orders)
        self.days: int | None = run.days
        self.dry_run = bool(run.dry_run)
        self.purpose = str(run.purpose)
        self.place = str(run.place)
        self.actor = str(run.actor)
        self.started = to_micros(clock.now())
        self.counts = Counts()
        self.notes: dict[Kind, TaskNote] = {}
        self.unread: set[str] = set()  # evidence of the rows that this run could not use
        self.goes_on = self.purpose == runs.AUDIT and run.started_at is not None
        if self.goes_on:
            self.counts = Counts.from_json(run.counts)
            recount(book, run_id, self.counts)
            stored = msgspec.json.decode(run.tasks, type=dict[str, TaskNote])
            self.notes = {Kind(kind): note for kind, note in stored.items()}
        self.calls_before = self.counts.calls
        self._tell = tell

    def tell(self, doing: str, **more: str) -> None:
        """Let those who follow the run know how far it is."""
        counts = self.counts
        self._tell(
            "progress",
            doing=doing,
            pages=counts.pages,
            fetched=counts.fetched,
            new=counts.new,
            applied=counts.applied,
            **more,
        )

    def check_stop(self) -> None:
        """Raises Stopped when the daemon wants to end: called where nothing is half done."""
        if self.stop.is_set():
            raise Stopped("The daemon is stopping.")
