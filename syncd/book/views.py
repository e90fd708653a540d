"""What the queries give: plain frozen dataclasses, for the API, the CLI and the page.

Times are aware datetimes in UTC, or None for «never». ``dataclasses.asdict`` makes any of them
ready for JSON but for the times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TaskView:
    """One recurrent task. ``cursor``: every fact before it is stored; ``lag_seconds`` behind."""

    account: str
    kind: str
    enabled: bool
    every_seconds: int
    look_back_seconds: int
    next_run: datetime | None
    last_start: datetime | None
    last_end: datetime | None
    last_success: datetime | None
    last_result: str
    last_message: str
    failures: int
    cursor: datetime | None
    lag_seconds: int | None


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account. ``state`` is the stored word, ``words`` the sentence for a person."""

    name: str
    channel: str
    tenant: str
    tenant_state: str
    facility: str
    state: str
    state_reason: str
    state_since: datetime | None
    words: str


@dataclass(frozen=True, slots=True)
class FactCounts:
    """Facts of the journal that are not settled, by state, and open exceptions."""

    pending: int = 0
    waiting: int = 0
    parked: int = 0
    tombstones: int = 0
    refused: int = 0
    quarantined: int = 0
    exceptions: int = 0


@dataclass(frozen=True, slots=True)
class BrakeView:
    """A pass that the safety brake held; ``words`` says so, or who said what about it."""

    id: int
    account: str
    run: int
    state: str
    cancels: int
    open_orders: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    note: str
    words: str


@dataclass(frozen=True, slots=True)
class HeldView:
    """A cancellation that an open brake holds, and where the pieces stand that it is about.

    ``positions`` is empty where the book does not have the order yet.
    """

    id: int
    order_id: str
    line_id: str
    sku: str
    quantity: int | None
    native_status: str
    occurred_at: datetime
    positions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldPage:
    """The open brake of an account, None if there is none, and a page of what it holds.

    ``next`` is what to hand in as ``after`` for the next page, None at the end.
    """

    brake: BrakeView | None
    held: tuple[HeldView, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class AuditView:
    """The last audit of a whole account. ``open``: disagreements that stand and need someone."""

    run_id: int
    ended_at: datetime | None
    state: str
    open: int


@dataclass(frozen=True, slots=True)
class DriftView:
    """One disagreement between the book and the panel. ``do`` says what would mend it.

    ``fixable``: an audit with --fix sets out to mend this. ``mended``: one did.
    """

    run_id: int
    account: str
    order_id: str
    line_id: str
    cause: str
    means: str
    do: str
    book_says: str
    panel_says: str
    message: str
    mended: bool
    fixable: bool


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account with its tasks, open work and what a person should do about it.

    ``notes`` are worth knowing and need nobody. ``overdue``: kind of waiting -> how many wait
    longer than their limit; kinds of which none does are left out.
    """

    account: AccountView
    tasks: tuple[TaskView, ...]
    facts: FactCounts
    running: int | None
    queued: int
    last_success: datetime | None
    next_run: datetime | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    overdue: Mapping[str, int] = field(default_factory=dict)
    brake: BrakeView | None = None  # if one is on
    audit: AuditView | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole program at a glance. ``healthy``: nothing waits for a person."""

    at: datetime
    healthy: bool
    accounts: tuple[AccountStatus, ...]
    putaways: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What came into a run and what became of it, in facts, without the zeros.

    ``imbalance`` is 0 when each is accounted for; None of a run from before there were ledgers.
    """

    came_in: Mapping[str, int]
    became: Mapping[str, int]
    imbalance: int | None


@dataclass(frozen=True, slots=True)
class RunView:
    """One run. ``tasks`` as the run stored it: kind -> state, message, code, window."""

    id: int
    account: str
    kinds: tuple[str, ...]
    orders: tuple[str, ...]
    days: int | None
    dry_run: bool
    trigger: str
    actor: str
    state: str
    code: str
    message: str
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    counts: Mapping[str, int]
    tasks: Mapping[str, object]
    plan_hash: str
    plan: tuple[Mapping[str, object], ...] = ()  # of a dry run: what it would have done
    ledger: LedgerView | None = None
    purpose: str = "sync"  # or audit


@dataclass(frozen=True, slots=True)
class PieceView:
    """One piece of an order's line. ``position`` is where it stands."""

    id: int
    line_id: str
    sku: str
    piece: int
    bundle: str
    position: str
    package: str
    allocated: bool
    short: bool
    hold: str
    facility: str
    return_type: str
    return_id: str
    changed_at: datetime
    dispatched_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """A numbered document of a parcel."""

    kind: str
    number: str
    state: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class PackageView:
    """A parcel with its documents; ``blocked`` is why it must not leave, or empty.

    ``successor`` is the parcel, or one of those, that it became; empty of one that goes on.
    """

    code: str
    state: str
    facility: str
    shipment_id: str
    tracking_number: str
    courier: str
    blocked: str
    created_at: datetime
    dispatched_at: datetime | None
    invoices: tuple[InvoiceView, ...]
    successor: str = ""


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with everything that belongs to it."""

    account: str
    order_id: str
    state: str
    placed_at: datetime
    imported_at: datetime
    source: str
    facts: Mapping[str, str]
    pieces: tuple[PieceView, ...]
    packages: tuple[PackageView, ...]
    exceptions: tuple[ExceptionView, ...] = ()
    replaces: str = ""  # the order that this one stands in for


@dataclass(frozen=True, slots=True)
class FactView:
    """A fact that is not settled: what, why, since when, and what to do. ``raw`` is cut.

    ``facility`` is where its pieces are; of an order that is not in the book, the account's.
    """

    id: int
    account: str
    facility: str
    kind: str
    order_id: str
    line_id: str
    status: str
    native_status: str
    state: str
    code: str
    reason: str
    what_to_do: str
    message: str
    tries: int
    occurred_at: datetime
    since: datetime
    raw: str


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts of one account and facility that wait for the same reason.

    ``why`` is their common message, or what the code means; ``since`` when the first of them
    was heard of; ``orders`` up to three order ids, the ones that wait longest.
    """

    account: str
    code: str
    facility: str
    why: str
    do: str
    count: int
    since: datetime
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Facts that are not settled, newest first, and runs whose failure still stands.

    ``groups`` tells of all facts asked for, not only of those on this page; largest first.
    ``brakes`` are the safety brakes that are on: what they hold is undecided, and none of these.
    """

    facts: tuple[FactView, ...]
    runs: tuple[RunView, ...]
    groups: tuple[FactGroup, ...] = ()
    brakes: tuple[BrakeView, ...] = ()


@dataclass(frozen=True, slots=True)
class PutawayView:
    """A piece to put on a shelf; ``words`` says why and what to do."""

    id: int
    account: str
    order_id: str
    line_id: str
    sku: str
    piece: int
    facility: str
    kind: str
    state: str
    disposition: str
    reason: str
    words: str
    opened_at: datetime
    closed_at: datetime | None
    actor: str


@dataclass(frozen=True, slots=True)
class SequenceView:
    """A facility's running numbers; ``next`` is the number that the next document gets."""

    tenant: str
    facility: str
    kind: str
    prefix: str
    next_number: int
    width: int
    next: str


@dataclass(frozen=True, slots=True)
class FacilityView:
    """A warehouse."""

    code: str
    state: str
    traceability: str


@dataclass(frozen=True, slots=True)
class TenantView:
    """A seller with their warehouses and accounts."""

    code: str
    state: str
    facilities: tuple[FacilityView, ...]
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StockView:
    """The buckets of one SKU at one facility."""

    tenant: str
    facility: str
    sku: str
    buckets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ExceptionView:
    """Two facts that cannot both be true, for a person to settle."""

    id: int
    account: str
    order_id: str
    item_id: int | None
    code: str
    severity: str
    message: str
    what_to_do: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    note: str
    line_id: str = ""
    piece: int | None = None
    position: str = ""
    inbox_id: int | None = None
    against_id: int | None = None
    choice: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """One side of an exception: a fact of the channel, in words."""

    inbox_id: int
    says: str
    event: str
    native_status: str
    occurred_at: datetime
    observed_at: datetime
    run_id: int


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """One way to settle an exception. ``position`` is where the piece stands afterwards."""

    name: str
    does: str
    note_needed: bool
    position: str


@dataclass(frozen=True, slots=True)
class ExceptionDetail:
    """An exception with all that a person needs to settle it.

    ``contradicts`` is the fact that opened it, ``against`` the one that brought the piece where
    it was; where no fact did, ``against_words`` says what. ``same_fact`` and ``same_piece`` are
    the other open exceptions of the fact and of the piece.
    """

    exception: ExceptionView
    contradicts: EvidenceView | None
    against: EvidenceView | None
    against_words: str
    stands: tuple[str, ...]
    same_fact: tuple[int, ...]
    same_piece: tuple[int, ...]
    choices: tuple[ChoiceView, ...]


@dataclass(frozen=True, slots=True)
class WaitView:
    """One thing that waits. ``due`` is when that becomes too long; ``words`` tells it all.

    ``piece`` is None for what is about a whole order or line, ``exception_id`` for what has no
    exception.
    """

    account: str
    kind: str
    order_id: str
    line_id: str
    piece: int | None
    since: datetime
    due: datetime
    exception_id: int | None
    words: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """What has waited too long, the longest overdue first, and what will next.

    ``counts``: account -> kind of waiting -> how many are overdue, also beyond this list.
    """

    overdue: tuple[WaitView, ...]
    coming: tuple[WaitView, ...]
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """One moment of an order's story: when, who or what, and the sentences about it.

    ``text`` has a line for each step of the telling. ``heard`` is when the book came to know
    of it, where that was minutes later or more.

    ``source`` is ``import``, ``fact``, ``act`` or ``exception``. ``inbox_id``, ``run_id`` and
    ``actor`` point at the evidence.
    """

    at: datetime
    source: str
    text: str
    status: str = ""
    native_status: str = ""
    code: str = ""
    outcome: str = ""
    inbox_id: int | None = None
    run_id: int | None = None
    actor: str = ""
    heard: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an order is as it is. ``lines`` is the whole as text; the rest is its parts."""

    order: OrderView | None
    account: str
    order_id: str
    now: tuple[str, ...]
    story: tuple[StoryEvent, ...]
    pending: tuple[str, ...]
    to_do: tuple[str, ...]
    lines: tuple[str, ...]
