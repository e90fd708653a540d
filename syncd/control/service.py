"""Everything that can be asked of the daemon, in one place: for the API, and later for the page.

Each method is one call: it opens the book itself, may be called from any thread, raises the
errors of ``syncd.errors``, and gives back plain data.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta, timezone
from typing import Any

from syncd.book import acts, queries, rulesheet
from syncd.book.acts import Change
from syncd.book.documents import DocumentKind
from syncd.book.putaways import Disposition
from syncd.book.rulesheet import RuleSheet
from syncd.book.runs import AUDIT
from syncd.book.stock import Bucket
from syncd.book.store import Book
from syncd.book.views import (
    ExceptionDetail,
    Explanation,
    Failed,
    HeldPage,
    OrderView,
    Overdue,
    RunView,
    Status,
    TaskView,
)
from syncd.channels import Channels
from syncd.clock import Clock
from syncd.config import Config
from syncd.control import asking, doctor, importing, metrics, reporting
from syncd.control.abilities import told
from syncd.control.asking import Asked
from syncd.control.doctor import Finding
from syncd.control.importing import Imported, ImportFile
from syncd.engine import Engine
from syncd.errors import NotFound, Refused
from syncd.hookspecs import ReportFile
from syncd.limits import Limits
from syncd.passes import policies_of
from syncd.rules import Policies
from syncd.statuses import Kind

Reload = Callable[[], Mapping[str, Any]]
"""Have the main loop read the configuration again, and wait for it: what came of it, as plain
data. Raises ConfigError, and TimeoutError when the loop does not come to it."""


class Service:
    """The daemon as its users see it.

    ``adopt`` is for the daemon after a reload. ``close`` says that it stops: streams end and
    changes are refused from then on. ``hold`` refuses changes for a while, with a reason.
    ``own_problems`` is what the daemon itself has to tell: subject -> sentence, or nothing.
    """

    def __init__(
        self,
        book: Book,
        engine: Engine,
        channels: Channels,
        config: Config,
        clock: Clock,
        reload: Reload,
        setups: reporting.Setups | None = None,
    ) -> None:
        self.book = book
        self.engine = engine
        self.channels = channels
        book.titles = {name: channel.title for name, channel in channels.items()}
        self.config = config
        self.clock = clock
        self.closing = threading.Event()
        self.own_problems: dict[str, str] = {}
        self._reload = reload
        self._setups = setups
        self._held = ""

    def adopt(self, config: Config) -> None:
        """Take a new configuration as the one in force."""
        self.config = config

    def hold(self, reason: str) -> None:
        """Refuse changes with this reason until called with an empty one."""
        self._held = reason

    def close(self) -> None:
        """The daemon stops."""
        self.closing.set()

    def closed(self) -> str:
        """Why nothing can be changed now, or nothing."""
        return "syncd is stopping." if self.closing.is_set() else self._held

    def operators(self) -> Collection[int]:
        """The user ids that the configuration lets change things."""
        return self.config.operators

    # --- looking

    def status(self) -> Status:
        """Everything at a glance."""
        return queries.status(self.book, self.clock.now(), self.limits())

    def limits(self) -> dict[str, Limits]:
        """How long what may wait, account by account."""
        return {name: account.limits for name, account in self.config.accounts.items()}

    def overdue(self, *, account: str | None = None, limit: int = 50) -> Overdue:
        """What has waited too long, and what will next."""
        return queries.overdue(
            self.book, self.clock.now(), self.limits(), account=account, limit=limit
        )

    def channel_list(self) -> list[dict[str, Any]]:
        """All channels with their state, and the accounts on each."""
        with self.book.connection():
            owners = queries.accounts(self.book)
        return [
            {
                **told(channel),
                "accounts": [one.name for one in owners if one.channel == channel.name],
            }
            for channel in self.channels.values()
        ]

    def tasks(self, account: str | None = None) -> list[TaskView]:
        """The recurrent tasks."""
        return queries.tasks(self.book, self.clock.now(), account)

    def runs(
        self, *, limit: int = 50, before: int | None = None, account: str | None = None
    ) -> list[RunView]:
        """Runs, newest first."""
        return queries.runs(self.book, limit=limit, before=before, account=account)

    def run(self, run_id: int) -> RunView:
        """One run. Raises NotFound."""
        return queries.run(self.book, run_id)

    def missing_orders(self, run_id: int) -> list[str]:
        """Orders that the run was asked for and nobody knows: not the book, not the channel."""
        run = queries.run(self.book, run_id)
        with self.book.connection():
            return asking.unheard_of(self.book, run.account, run.orders)

    def order(self, order_id: str, account: str | None = None) -> OrderView:
        """One order. Raises NotFound, or Refused when several accounts have it."""
        return queries.order(self.book, order_id, account)

    def explain(self, order_id: str, account: str | None, utc_offset: int = 0) -> Explanation:
        """Why an order is as it is; times in the text are ``utc_offset`` minutes off UTC."""
        zone = timezone(timedelta(minutes=utc_offset))
        return queries.explain(
            self.book, order_id, account, zone=zone, at=self.clock.now(), limits=self.limits()
        )

    def failed(
        self,
        *,
        account: str | None = None,
        code: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> Failed:
        """Facts that are not settled, and runs that failed."""
        return queries.failed(self.book, account=account, code=code, limit=limit, before=before)

    def exceptions(self, *, account: str | None = None, everything: bool = False) -> list[Any]:
        """Contradictions for a person to settle; with ``everything`` the settled ones too."""
        state = None if everything else "OPEN"
        return list(queries.exceptions(self.book, state=state, account=account))

    def exception(self, exception_id: int) -> ExceptionDetail:
        """One exception with its evidence and choices. Raises NotFound."""
        return queries.exception(self.book, exception_id)

    def putaways(self, *, account: str | None = None, everything: bool = False) -> list[Any]:
        """Pieces to put on a shelf; with ``everything`` the finished ones too."""
        states = (
            ("PENDING", "HELD", "COMPLETED", "CANCELLED") if everything else ("PENDING", "HELD")
        )
        return list(queries.putaways(self.book, states=states, account=account))

    def brakes(self, *, account: str | None = None, closed: bool = False) -> list[Any]:
        """Where the safety brake is on; with ``closed`` also where it was."""
        return list(queries.brakes(self.book, account=account, closed=closed))

    def held(self, account: str, *, limit: int = 100, after: int = 0) -> HeldPage:
        """What the safety brake of an account holds."""
        return queries.held(self.book, account, limit=limit, after=after)

    def may_ship(self, code: str) -> Any:
        """Whether a parcel may leave. Raises NotFound."""
        return queries.of_package(self.book, code)

    def may_ship_by(
        self, *, tracking: str, shipment: str, order: str, account: str | None = None
    ) -> Any:
        """Whether what has this number, or all of an order, may leave. Raises NotFound."""
        if sum(map(bool, (tracking, shipment, order))) != 1:
            raise Refused(
                "Ask by one thing: a tracking number, a shipment or an order.", code="bad_question"
            )
        if order:
            return queries.of_order(self.book, order, account)
        return queries.of_parcel(self.book, tracking=tracking, shipment=shipment, account=account)

    def sequences(self) -> list[Any]:
        """The running numbers of all facilities."""
        return list(queries.sequences(self.book))

    def tenants(self) -> list[Any]:
        """All sellers with their facilities and accounts."""
        return list(queries.tenants(self.book))

    def stock(
        self,
        *,
        facility: str | None = None,
        sku: str | None = None,
        limit: int = queries.MAX_LIMIT,
        after: str = "",
    ) -> list[Any]:
        """Stock by facility and SKU."""
        return list(queries.stock(self.book, facility=facility, sku=sku, limit=limit, after=after))

    def doctor(self) -> list[Finding]:
        """Look over the whole installation."""
        status = queries.status(self.book, self.clock.now(), self.limits())
        told = doctor.Told(status, self.own_problems)
        return doctor.examine(self.book, self.engine, self.channels, self.config, told)

    def metrics(self) -> str:
        """The state in Prometheus's text form. Never with order ids."""
        return metrics.text(self.status(), self.engine)

    # --- runs

    def trigger(
        self,
        target: str,
        *,
        kinds: Sequence[Kind] = (),
        orders: Sequence[str] = (),
        days: int | None = None,
        dry_run: bool = False,
        actor: str,
    ) -> Asked:
        """Ask for a pass of an account, or of a channel's accounts."""
        with self.book.connection():
            asked = asking.ask(
                self.book, self.channels, self.config, target,
                asking.Wish(tuple(kinds), tuple(orders), days, dry_run),
                actor=actor, now=self.clock.now(),
            )  # fmt: skip
        self._wake(run.account for run in asked.runs)
        return asked

    def audit(
        self, target: str, *, orders: Sequence[str] = (), fix: bool = False, actor: str
    ) -> Asked:
        """Ask for an audit of an account, of a channel's accounts, or, empty, of all.

        Without ``fix`` it only looks, which is open before the tenant is live.
        """
        with self.book.connection():
            wish = asking.Wish(orders=tuple(orders), dry_run=not fix, purpose=AUDIT)
            asked = asking.ask(
                self.book, self.channels, self.config, target, wish, actor=actor,
                now=self.clock.now(),
            )  # fmt: skip
        self._wake(run.account for run in asked.runs)
        return asked

    def drift(
        self,
        *,
        run_id: int | None = None,
        account: str | None = None,
        order_id: str | None = None,
        limit: int = queries.MAX_SHOWN,
    ) -> list[Any]:
        """Findings of an audit; without one, what stands now. Raises NotFound."""
        return list(
            queries.findings(
                self.book, run_id=run_id, account=account, order_id=order_id, limit=limit
            )
        )

    def import_orders(self, file: ImportFile, actor: str) -> Imported:
        """Take orders out of a file's text. Facts that waited for them are decided next."""
        taken = importing.take(self.book, self.config, file, now=self.clock.now())
        if not taken.unparked or file.dry_run:
            return taken
        runs = self._decide((file.account,), "import", actor)
        return taken.with_run(runs[0])

    def import_report(
        self, account: str, name: str, content: bytes, *, preview: bool, dry_run: bool, actor: str
    ) -> reporting.ReportAnswer:
        """Read a report file; unless it is a preview, a run takes what it says into the book."""
        now = self.clock.now()
        desk = reporting.Desk(self.book, self.channels, self.config, self._setups)
        file = ReportFile(name=name, content=content, at=now)
        taken = reporting.take(
            desk, account, file, preview=preview, dry_run=dry_run, actor=actor, now=now
        )
        if taken.run_id is not None:
            self._wake((account,))
        return taken

    # --- what a person does

    def retry(
        self,
        *,
        ids: Sequence[int],
        account: str | None,
        code: str | None,
        line: str = "",
        actor: str,
    ) -> dict[str, Any]:
        """Have facts decided again, now; with ``line`` as facts about that line."""
        done = acts.retry(
            self.book, ids=ids, account=account, code=code, line=line, actor=actor,
            now=self.clock.now(),
        )  # fmt: skip
        runs = self._decide(done.accounts, "retry", actor)
        return {"ids": done.ids, "accounts": done.accounts, "runs": runs}

    def ignore(self, ids: Sequence[int], note: str, actor: str) -> Any:
        """Set facts aside for good."""
        return acts.ignore(self.book, ids, note=note, actor=actor, now=self.clock.now())

    def settle(
        self, ids: Sequence[int], choice: str, *, note: str, dry_run: bool, actor: str
    ) -> acts.Settled:
        """Settle exceptions by a person's choice."""
        return acts.settle(
            self.book, ids, choice, note=note, dry_run=dry_run, actor=actor,
            now=self.clock.now(),
            policies={name: policies_of(account) for name, account in self.config.accounts.items()},
        )  # fmt: skip

    def close_brake(self, account: str, *, true: bool, note: str, actor: str) -> dict[str, Any]:
        """A person's word on a brake: its cancellations are true, or are set aside. What is open
        then is decided at once."""
        act = acts.release if true else acts.drop
        done = act(self.book, account, note=note, actor=actor, now=self.clock.now())
        return {
            "account": done.account, "brake": done.brake_id, "state": done.state,
            "actor": done.actor, "note": done.note, "dropped": done.dropped,
            "runs": self._decide((account,), "brake", actor),
        }  # fmt: skip

    def complete_putaway(self, putaway_id: int, disposition: Disposition, actor: str) -> Any:
        """Say what became of a piece that was to be put on a shelf."""
        return acts.complete_putaway(
            self.book, putaway_id, disposition, actor=actor, now=self.clock.now()
        )

    def define_sequence(
        self,
        facility: str,
        kind: DocumentKind,
        *,
        prefix: str,
        start: int,
        width: int | None,
        tenant: str,
        actor: str,
    ) -> dict[str, Any]:
        """Say how a facility numbers its documents; what waited for it is decided next."""
        change = acts.define_sequence(
            self.book, facility, kind, prefix=prefix, start=start, width=width, tenant=tenant,
            actor=actor, now=self.clock.now(),
        )  # fmt: skip
        return self._changed(change, "sequence", actor)

    def set_tenant(self, tenant: str, state: str, actor: str) -> dict[str, Any]:
        """Let a tenant go live, or stop it."""
        now = self.clock.now()
        change = acts.set_tenant_state(self.book, tenant, state, actor=actor, now=now)
        return self._changed(change, "tenant", actor)

    def set_facility(
        self, facility: str, *, state: str | None, traceability: str | None, tenant: str, actor: str
    ) -> dict[str, Any]:
        """Switch a facility on or off, or say how its pieces are traced."""
        change = acts.set_facility(
            self.book, facility, state=state, traceability=traceability, tenant=tenant,
            actor=actor, now=self.clock.now(),
        )  # fmt: skip
        return self._changed(change, "facility", actor)

    def pause(self, account: str, reason: str, actor: str) -> Change:
        """Stop an account's passes."""
        now = self.clock.now()
        return acts.pause_account(self.book, account, reason=reason, actor=actor, now=now)

    def resume(self, account: str, actor: str) -> Change:
        """Let an account work again; what waited in its queue begins."""
        change = acts.resume_account(self.book, account, actor=actor, now=self.clock.now())
        self._wake((account,))
        return change

    def receive_stock(
        self, facility: str, goods: Mapping[str, int], *, tenant: str, note: str, actor: str
    ) -> Any:
        """Put goods on a facility's shelf."""
        return acts.receive_stock(
            self.book, facility, goods, tenant=tenant, note=note, actor=actor, now=self.clock.now()
        )

    def adjust_stock(
        self, facility: str, sku: str, bucket: Bucket, change: int, *, tenant: str, note: str,
        actor: str,
    ) -> Any:  # fmt: skip
        """Correct a bucket after a count."""
        return acts.adjust_stock(
            self.book, facility, sku, bucket, change, tenant=tenant, note=note, actor=actor,
            now=self.clock.now(),
        )  # fmt: skip

    def advance(self, order_id: str, to: str, account: str | None, actor: str) -> Any:
        """Do the warehouse's steps for an order by hand."""
        step = acts.parse_step(to)
        with self.book.connection():
            owner = queries.order(self.book, order_id, account).account
            return acts.advance(
                self.book, owner, order_id, step, actor=actor, now=self.clock.now(),
                policies=self._policies(owner),
            )  # fmt: skip

    def _policies(self, account: str) -> Policies:
        """The account's own; those of an account that left the configuration are the defaults."""
        known = self.config.accounts.get(account)
        return policies_of(known) if known else Policies()

    def rules(self, account: str | None, event: str | None, at: str | None) -> RuleSheet:
        """The decision table of an account, or the plain one: single cells, or all of it."""
        if account is not None and account not in self.config.accounts:
            raise NotFound(f"There is no account {account} in the configuration.")
        chosen = self._policies(account or "")
        return rulesheet.sheet_of(chosen, event=event, at=at)

    def split(
        self, order_id: str, take: Mapping[str, int], parcel: str, names: tuple[str, str],
        account: str | None, actor: str,
    ) -> Any:  # fmt: skip
        """Divide a parcel of an order in two; ``names``: shipment id, tracking number."""
        with self.book.connection():
            owner = queries.order(self.book, order_id, account).account
            return acts.split(
                self.book, owner, order_id, take, parcel=parcel, names=acts.Names(*names),
                actor=actor, now=self.clock.now(),
            )  # fmt: skip

    def merge(
        self, order_id: str, parcels: Sequence[str], names: tuple[str, str], account: str | None,
        actor: str,
    ) -> Any:  # fmt: skip
        """Put parcels of an order into one."""
        with self.book.connection():
            owner = queries.order(self.book, order_id, account).account
            return acts.merge(
                self.book, owner, order_id, parcels, names=acts.Names(*names), actor=actor,
                now=self.clock.now(),
            )  # fmt: skip

    def reload(self) -> Mapping[str, Any]:
        """Have the configuration read again, and wait until that is done.

        Raises ConfigError when it cannot be used: then the old one stays in force.
        """
        try:
            return self._reload()
        except TimeoutError:
            raise Refused(
                "The configuration is not read yet, for the daemon is busy. It will be; see the "
                "log or ask again.",
                code="reload_late",
            ) from None

    # --- shared

    def _changed(self, change: Change, trigger: str, actor: str) -> dict[str, Any]:
        accounts = change.accounts if change.reopened else ()
        return {
            "subject": change.subject,
            "before": change.before,
            "after": change.after,
            "reopened": change.reopened,
            "runs": self._decide(accounts, trigger, actor),
        }

    def _decide(self, accounts: Sequence[str], trigger: str, actor: str) -> list[int]:
        """Ask for runs that fetch nothing and decide what is open; their ids."""
        runs = asking.decide(
            self.book, accounts, trigger=trigger, actor=actor, now=self.clock.now()
        )
        self._wake(accounts)
        return runs

    def _wake(self, accounts: Any) -> None:
        for account in dict.fromkeys(accounts):
            self.engine.wake(account)
