"""A report file that a person hands in: look how it is read, or have it taken into the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from syncd.book import passing, queries, reports
from syncd.book.store import Book
from syncd.channels import Channels
from syncd.config import Config
from syncd.control import asking
from syncd.errors import PanelAnswer, PluginError, Refused
from syncd.hookspecs import ReportFile
from syncd.log import mask
from syncd.passes import Setup
from syncd.rules import TENANT_NOT_LIVE
from syncd.statuses import NewOrder, Status

MOST_SHOWN: Final = 1_000
MOST_RAW: Final = 500

Setups = Callable[[str], Setup]

log = structlog.get_logger("syncd.control")


class ReadRow(Struct, frozen=True, kw_only=True):
    """How a row was read. ``status`` is ORDER for a line of an order, UNKNOWN with a ``problem``
    (which names the line of the file) for what could not be read."""

    status: str
    order_id: str
    line_id: str = ""
    sku: str = ""
    quantity: int | None = None
    at: datetime | None = None
    native_status: str = ""
    return_type: str = ""
    return_id: str = ""
    problem: str = ""
    raw: str = ""


class ReportAnswer(Struct, frozen=True, kw_only=True):
    """What a file says: rows by status, the first thousand of them, and what is wrong in it.

    ``run_id`` is the run that takes it into the book; None for a preview, and for a file that
    says nothing.
    """

    account: str
    file: str
    orders: int
    facts: int
    problem_count: int
    statuses: dict[str, int]
    rows: tuple[ReadRow, ...] = ()
    problems: tuple[ReadRow, ...] = ()
    preview: bool = False
    dry_run: bool = False
    run_id: int | None = None


class Desk(Struct, frozen=True):
    """What is needed to take a file in."""

    book: Book
    channels: Channels
    config: Config
    setups: Setups | None


def take(
    desk: Desk, account: str, file: ReportFile, *, preview: bool, dry_run: bool, actor: str,
    now: datetime,
) -> ReportAnswer:  # fmt: skip
    """Read the file; unless it is a preview, queue a run that takes what it says into the book.

    Raises NotFound for the account, Refused where its channel reads no files, the file is no
    report, or nothing may move yet.
    """
    with desk.book.connection():
        setup = _setup(desk, account, preview)
        if not (preview or dry_run):
            _check_live(desk.book, account)
    answer = _read(setup, file, preview=preview, dry_run=dry_run)
    if preview or not (answer.orders or answer.facts or answer.problem_count):
        return answer
    run_id = reports.enqueue(desk.book, account, file, dry_run=dry_run, actor=actor, now=now)
    return replace(answer, run_id=run_id)


def _setup(desk: Desk, account: str, preview: bool) -> Setup:
    """The account with its channel. A preview is open to an account that is paused."""
    found = asking.account_of(desk.book, account)
    if not preview:
        asking.check(found, desk.channels, desk.config, ())
    if desk.setups is None:
        raise Refused("This daemon reads no report files.", code="channel_off")
    setup = desk.setups(account)
    if not setup.channel.reads_reports:
        able = sorted(one.name for one in desk.channels.enabled if one.reads_reports)
        raise Refused(
            f"Channel {setup.channel.name} of account {account} reads no report files. Channels "
            f"that do: {', '.join(able) or 'none is installed'}. See: syncctl channels",
            code="no_reports",
        )
    return setup


def _check_live(book: Book, account: str) -> None:
    found = next(one for one in queries.accounts(book) if one.name == account)
    row = book.query("SELECT id FROM tenant WHERE code = ?", (found.tenant,)).fetchone()
    if not passing.tenant_is_live(book, row[0]):
        raise Refused(
            f"{TENANT_NOT_LIVE}. Nothing of the file was taken. When {found.tenant} is ready: "
            f"syncctl tenant live {found.tenant}; --preview and --dry-run are open before.",
            code="tenant_not_live",
        )


def _read(setup: Setup, file: ReportFile, *, preview: bool, dry_run: bool) -> ReportAnswer:
    statuses: Counter[str] = Counter()
    rows: list[ReadRow] = []
    problems: list[ReadRow] = []
    orders = 0
    for row in _rows(setup, file):
        for shown in _shown(row):
            if shown.problem:
                statuses[Status.UNKNOWN.value] += 1
                problems += [shown][: MOST_SHOWN - len(problems)]
            else:
                statuses[shown.status] += 1
                rows += [shown][: MOST_SHOWN - len(rows)]
        orders += isinstance(row, NewOrder) and not row.problem
    bad = statuses[Status.UNKNOWN.value]
    lines = statuses["ORDER"]
    return ReportAnswer(
        account=setup.account.name, file=file.name, orders=orders,
        facts=statuses.total() - bad - lines, problem_count=bad,
        statuses={name: count for name, count in sorted(statuses.items()) if count},
        rows=tuple(rows) if preview else (), problems=tuple(problems), preview=preview,
        dry_run=dry_run,
    )  # fmt: skip


def _rows(setup: Setup, file: ReportFile) -> Iterator[Any]:
    """All rows of the file. Raises Refused when it is no report of this channel."""
    try:
        for page in setup.channel.read_report(setup.account, file):
            yield from page.rows
    except PanelAnswer as error:
        raise Refused(mask(str(error)), code="bad_report") from None
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        log.exception("plugin failed", account=setup.account.name, file=file.name)
        told = f"{type(error).__name__}: {error}"
        raise PluginError(
            mask(f"Channel {setup.channel.name} failed while reading {file.name}: {told}.")
        ) from None


def _shown(row: Any) -> Iterator[ReadRow]:
    if isinstance(row, NewOrder):
        if row.problem:
            yield ReadRow(
                status="UNKNOWN", order_id=row.order_id, problem=row.problem, raw=row.raw[:MOST_RAW]
            )
            return
        for line in row.lines:
            yield ReadRow(
                status="ORDER", order_id=row.order_id, line_id=line.line_id, sku=line.sku,
                quantity=line.quantity, at=row.placed_at,
            )  # fmt: skip
        return
    unknown = row.status is Status.UNKNOWN
    yield ReadRow(
        status=row.status.value, order_id=row.order_id, line_id=row.line_id, sku=row.sku,
        quantity=row.quantity, at=row.occurred_at, native_status=row.native_status,
        return_type=row.return_type.value if row.return_type else "", return_id=row.return_id,
        problem=(row.problem or f"unknown word {row.native_status!r}") if unknown else "",
        raw=row.raw[:MOST_RAW] if unknown else "",
    )  # fmt: skip
