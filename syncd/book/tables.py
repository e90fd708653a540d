"""The tables of the book, as peewee models.

Times are whole microseconds since 1970 UTC (``syncd.clock.to_micros``). Words that come from a
closed set are stored as their text, so that a person with a database shell can read the book.
Models serve queries and the schema; the hot paths write with ``executemany``.
"""

from __future__ import annotations

from typing import Final

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    DatabaseProxy,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

database: Final = DatabaseProxy()


class Table(Model):
    """Base of all tables."""

    class Meta:
        database = database
        legacy_table_names = False


class Tenant(Table):
    """One seller. Nothing is synced while ``state`` is not LIVE."""

    id = AutoField()
    code = TextField(unique=True)
    state = TextField(default="ONBOARDING")  # ONBOARDING, LIVE, SUSPENDED


class Facility(Table):
    """A warehouse. ``traceability`` ITEM means pieces must be scanned before dispatch."""

    id = AutoField()
    tenant = ForeignKeyField(Tenant, on_delete="RESTRICT", index=False)
    code = TextField()
    state = TextField(default="ACTIVE")  # ACTIVE, INACTIVE
    traceability = TextField(default="NONE")  # NONE, ITEM_SKU, ITEM

    class Meta:
        indexes = ((("tenant", "code"), True),)


class Sequence(Table):
    """Running numbers of a facility. ``next_number`` is the one the next document gets."""

    id = AutoField()
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    kind = TextField()  # SALE_INVOICE, SALE_RETURN_INVOICE
    prefix = TextField()
    next_number = BigIntegerField(default=1)
    width = IntegerField(default=1)  # zero-padded to this many digits

    class Meta:
        indexes = ((("facility", "kind"), True),)


class Account(Table):
    """One seller login on a channel; ``facility`` is where its orders go by default."""

    id = AutoField()
    tenant = ForeignKeyField(Tenant, on_delete="RESTRICT", index=False)
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    name = TextField(unique=True)
    channel = TextField()
    state = TextField(default="CONNECTED")  # CONNECTED, AUTH_FAILED, PAUSED, DISABLED
    state_reason = TextField(default="")
    state_since = BigIntegerField(default=0)


class Run(Table):
    """One pass of one account, asked for by a timer or a person. A durable queue as well."""

    id = AutoField()
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    kinds = TextField()  # JSON list of Kind
    orders = TextField(default="[]")  # JSON list of order ids; empty: by window
    days = IntegerField(null=True)  # look back this many days instead of the task's own
    dry_run = BooleanField(default=False)
    trigger = TextField()  # timer, operator, import, sequence, start, retry
    actor = TextField()  # "timer", "uid 1000 (asha)", ...
    state = TextField(default="QUEUED")
    # QUEUED, RUNNING, OK, PARTIAL (some orders refused), FAILED, GATED, STOPPED (redone),
    # HELD (fetched; the safety brake is on)
    code = TextField(default="")  # stable error code when not OK
    message = TextField(default="")
    requested_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    counts = TextField(default="{}")  # JSON, see syncd.book.runs.Counts
    tasks = TextField(default="{}")  # JSON: kind -> {state, message, code, from, until, fetched}
    plan_hash = TextField(default="")
    plan = TextField(default="[]")  # JSON, of a dry run: what it would have done
    purpose = TextField(constraints=[SQL("DEFAULT 'sync'")], default="sync")  # sync, audit, report
    place = TextField(constraints=[SQL("DEFAULT ''")], default="")  # JSON: how far an audit is

    class Meta:
        indexes = ((("account", "state"), False),)


class Task(Table):
    """A recurrent task: one kind of one account, or its audit. The timers live here."""

    account = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    kind = TextField()
    every_seconds = IntegerField()
    look_back_seconds = IntegerField(default=0)
    enabled = BooleanField(default=True)
    next_run = BigIntegerField(default=0)
    last_start = BigIntegerField(null=True)
    last_end = BigIntegerField(null=True)
    last_success = BigIntegerField(null=True)
    last_result = TextField(default="")  # ok, partial, failed, gated, held, stopped
    last_message = TextField(default="")
    failures = IntegerField(default=0)  # in a row
    deep_every_seconds = IntegerField(constraints=[SQL("DEFAULT 0")], default=0)  # 0: never
    deep_days = IntegerField(constraints=[SQL("DEFAULT 0")], default=0)  # look so far back then
    next_deep = BigIntegerField(constraints=[SQL("DEFAULT 0")], default=0)

    class Meta:
        primary_key = CompositeKey("account", "kind")


class Cursor(Table):
    """How far a kind of an account is stored: every fact before ``until`` is in the inbox."""

    account = ForeignKeyField(Account, on_delete="CASCADE", index=False)
    kind = TextField()
    until = BigIntegerField()
    run = ForeignKeyField(Run, null=True, on_delete="SET NULL")

    class Meta:
        primary_key = CompositeKey("account", "kind")


class Order(Table):
    """An order of one account. ``state`` is a roll-up of its pieces, never a fact of its own."""

    id = AutoField()
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    order_id = TextField()
    state = TextField(default="CREATED")  # as rules.roll_up gives it
    placed_at = BigIntegerField()
    imported_at = BigIntegerField()
    source = TextField(default="")  # channel, file name, api
    facts = TextField(default="{}")  # JSON object, for provides_shipping
    replaces = TextField(constraints=[SQL("DEFAULT ''")], default="")  # the order it stands in for

    class Meta:
        table_name = "orders"
        indexes = ((("account", "order_id"), True),)


class Package(Table):
    """A parcel with pieces of one order. ``shipment_id`` is the channel's name for it."""

    id = AutoField()
    order = ForeignKeyField(Order, on_delete="RESTRICT", index=True)
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    code = TextField()  # made from the id
    state = TextField()  # a Position, CREATED .. RETURN_ACKNOWLEDGED; SPLITTED, MERGED for good
    shipment_id = TextField(default="")
    tracking_number = TextField(default="")
    courier = TextField(default="")
    blocked = TextField(default="")  # reason code that forbids dispatch, or empty
    created_at = BigIntegerField()
    dispatched_at = BigIntegerField(null=True)
    successor = ForeignKeyField("self", null=True, on_delete="RESTRICT", index=False)
    # of a parcel that is SPLITTED, MERGED or was repacked: the one, or one of those, it became
    came_from = ForeignKeyField("self", null=True, on_delete="RESTRICT", index=False)
    # the parcel, or one of those, whose pieces it took over
    learned = BooleanField(constraints=[SQL("DEFAULT 0")], default=False)
    # its names are only those of the pieces that left in it, told with their dispatch


for _name in ("tracking_number", "shipment_id"):
    # A scanner at the door asks by these; parcels that have left are too many to keep.
    Package.add_index(
        Package.index(
            getattr(Package, _name),
            name=f"package_here_by_{_name}",
            where=SQL(f"{_name} <> '' AND dispatched_at IS NULL"),
        )
    )


class Item(Table):
    """One piece: the unit of every decision. ``position`` is a ``rules.Position``."""

    id = AutoField()
    order = ForeignKeyField(Order, on_delete="RESTRICT", index=False)
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    line_id = TextField()
    sku = TextField()
    piece = IntegerField()  # 0, 1, 2 within the line
    bundle = TextField(default="")  # pieces of one bundle share it
    position = TextField()
    package = ForeignKeyField(Package, null=True, on_delete="RESTRICT", index=False)
    allocated = BooleanField(default=False)
    short = BooleanField(default=False)  # left without an allocation
    hold = TextField(default="")  # reason code, or empty
    held_at = BigIntegerField(null=True)  # event time of the hold
    changed_at = BigIntegerField()  # event time of the last change of position
    dispatched_at = BigIntegerField(null=True)
    delivered_at = BigIntegerField(null=True)
    return_type = TextField(default="")
    return_id = TextField(default="")
    return_noticed_at = BigIntegerField(null=True)
    return_from = TextField(default="")  # the position before the notice
    withdrawn_at = BigIntegerField(null=True)  # newest withdrawal of a return seen
    withdrawn_type = TextField(constraints=[SQL("DEFAULT ''")], default="")  # of which, if told
    uncancelled_at = BigIntegerField(null=True)  # newest withdrawal of a cancel request seen
    cancelled_at = BigIntegerField(null=True)  # newest cancellation told after it had left
    lost_at = BigIntegerField(null=True)  # newest word of its loss
    replaces = TextField(constraints=[SQL("DEFAULT ''")], default="")
    # the line of the same order that its own line stands in for; * where no line is named
    settled_at = BigIntegerField(null=True)
    # event time of the newest evidence that a person had before them when they settled an
    # exception of the piece: of what it was about, only what happened later is decided again

    class Meta:
        indexes = ((("order", "line_id", "piece"), True),)


Item.add_index(
    Item.index(
        Item.facility,
        Item.sku,
        name="item_waiting_for_stock",
        where=SQL("position = 'UNFULFILLABLE'"),
    )
)

COMING_BACK: Final = "position IN ('RETURN_EXPECTED', 'CIR_CREATED')"
"""The SQL condition of a piece that somebody is bringing back; word for word that of its index."""

Item.add_index(
    Item.index(
        Item.position, Item.return_noticed_at, name="item_coming_back", where=SQL(COMING_BACK)
    )
)


class Attempt(Table):
    """The newest failed delivery attempt of a piece; kept until the piece has moved on."""

    item = ForeignKeyField(Item, primary_key=True, on_delete="RESTRICT", index=False)
    at = BigIntegerField()  # event time


class Invoice(Table):
    """A numbered document of a package; at most one of each kind."""

    package = ForeignKeyField(Package, on_delete="RESTRICT", index=False)
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    kind = TextField()
    number = TextField()
    state = TextField(default="ISSUED")  # ISSUED, VOIDED
    issued_at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("package", "kind")
        without_rowid = True
        indexes = ((("facility", "kind", "number"), True),)


class Stock(Table):
    """Pieces of a SKU at a facility by bucket; the sum of the moves, kept up to date."""

    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    sku = TextField()
    bucket = TextField()
    quantity = BigIntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("facility", "sku", "bucket")


class StockMove(Table):
    """``quantity`` pieces from one bucket to another. ``outside`` is the world."""

    id = AutoField()
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    sku = TextField()
    source = TextField()
    target = TextField()
    quantity = IntegerField()
    item = ForeignKeyField(Item, null=True, on_delete="RESTRICT", index=False)
    reason = TextField()
    at = BigIntegerField()


class Putaway(Table):
    """A piece that must go back on a shelf. Only completing it adds sellable stock."""

    id = AutoField()
    item = ForeignKeyField(Item, on_delete="RESTRICT", index=False)
    facility = ForeignKeyField(Facility, on_delete="RESTRICT", index=False)
    kind = TextField()  # CANCELLED_ITEM, PICKLIST, RTO, CIR
    state = TextField(default="PENDING")  # PENDING, HELD, COMPLETED, CANCELLED
    disposition = TextField(default="")  # GOOD, BAD, QC_REJECTED, NOT_RECEIVED
    reason = TextField(default="")
    opened_at = BigIntegerField()
    closed_at = BigIntegerField(null=True)
    actor = TextField(default="")

    class Meta:
        indexes = ((("item", "kind"), True), (("state",), False))


class Inbox(Table):
    """The journal: every fact a channel told, once, and what became of it."""

    id = AutoField()
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    kind = TextField()
    evidence = TextField()
    order_id = TextField()
    line_id = TextField(default="")
    sku = TextField(default="")
    quantity = IntegerField(null=True)
    cumulative = BooleanField(default=False)
    status = TextField()
    return_type = TextField(default="")
    return_id = TextField(default="")
    native_status = TextField(default="")
    shipment_id = TextField(default="")
    tracking_number = TextField(default="")
    courier = TextField(default="")
    location_id = TextField(default="")
    left_seller = BooleanField(default=False)
    reason_text = TextField(default="")
    facts = TextField(default="")
    raw_text = TextField(column_name="raw", default="")
    occurred_at = BigIntegerField()
    observed_at = BigIntegerField()
    claimed_at = BigIntegerField(null=True)  # the channel's own date, where it was in the future
    run = ForeignKeyField(Run, on_delete="RESTRICT", index=False)
    state = TextField(default="NEW")
    # to be decided by a pass: NEW, REFUSED (tried again), WAITING (for the dispatch before it)
    # at rest: DONE, PARKED (order unknown: NEW again when it comes), TOMBSTONE, QUARANTINED,
    # IGNORED (by a person), EXPIRED (its order never came; it still counts when it does)
    outcome = TextField(default="")  # a rules.Outcome, REFUSED or QUARANTINED
    code = TextField(default="")  # reason code
    message = TextField(default="")
    tries = IntegerField(default=0)
    decided_run = IntegerField(null=True)
    decided_at = BigIntegerField(null=True)
    since_item = IntegerField(null=True)  # reopened for the pieces from this row id on
    as_line = TextField(constraints=[SQL("DEFAULT ''")], default="")  # its line, by a person's word

    class Meta:
        # The order id stands first so that neighbours in time are neighbours in the index:
        # with random evidence ids first, this one index costs more than all the rest.
        indexes = ((("account", "order_id", "evidence"), True),)


UNSETTLED: Final = "state <> 'DONE'"
OPEN_FACTS: Final = f"{UNSETTLED} AND state IN ('NEW', 'REFUSED', 'WAITING')"
"""The SQL condition of a fact that a pass must decide. Its first term is that of the index:
a query that has the term, word for word, and an account, reads only what is not settled."""

Inbox.add_index(
    Inbox.index(
        Inbox.account,
        Inbox.occurred_at,
        Inbox.id,
        # Also what a pass asks of each: else it would read a row, with all its raw text, of every
        # fact that waits for an order.
        Inbox.state,
        Inbox.status,
        name="inbox_unsettled",
        where=SQL(UNSETTLED),
    )
)

WAITS: Final = "state IN ('PARKED', 'TOMBSTONE', 'WAITING', 'REFUSED')"
"""The SQL condition of a fact that waits for something; word for word that of its index."""

Inbox.add_index(
    Inbox.index(Inbox.account, Inbox.state, Inbox.observed_at, name="inbox_waits", where=SQL(WAITS))
)


class Decision(Table):
    """Why a piece is as it is: one row for each change that met it, whatever came of it."""

    id = AutoField()
    inbox = ForeignKeyField(
        Inbox, null=True, on_delete="RESTRICT", index=False
    )  # null: a person's act
    order = ForeignKeyField(Order, on_delete="RESTRICT", index=False)
    item = ForeignKeyField(Item, null=True, on_delete="RESTRICT", index=False)
    event = TextField()  # a rules.Event or the name of a person's act
    before = TextField()
    after = TextField()
    outcome = TextField()
    code = TextField()
    steps = TextField(default="")  # the verbs carried out, comma separated
    implied = BooleanField(default=False)
    run = ForeignKeyField(Run, null=True, on_delete="RESTRICT", index=False)
    actor = TextField()
    note = TextField(default="")
    occurred_at = BigIntegerField()
    decided_at = BigIntegerField()

    class Meta:
        indexes = ((("order",), False),)


class Trouble(Table):
    """An exception that a person must settle: two facts that cannot both be true."""

    id = AutoField()
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    order_id = TextField()
    item = ForeignKeyField(Item, null=True, on_delete="RESTRICT", index=False)
    inbox = ForeignKeyField(Inbox, null=True, on_delete="RESTRICT", index=False)
    code = TextField()
    severity = TextField()  # info, warning, critical
    message = TextField()
    state = TextField(default="OPEN")  # OPEN, CLOSED
    opened_at = BigIntegerField()
    closed_at = BigIntegerField(null=True)
    closed_by = TextField(default="")
    note = TextField(default="")
    against = ForeignKeyField(Inbox, null=True, on_delete="RESTRICT", index=False)
    # the fact that brought the piece where ``inbox`` contradicts it; null: a person or the file
    choice = TextField(constraints=[SQL("DEFAULT ''")], default="")  # how a person settled it
    due_at = BigIntegerField(null=True)  # when a person should have acted, or is reminded

    class Meta:
        table_name = "exceptions"
        indexes = (
            (("item", "code", "inbox"), True),
            (("state",), False),
            (("order_id", "account"), False),
        )


class Brake(Table):
    """A pass that would cancel too much at once: nothing is decided until a person says so."""

    id = AutoField()
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    run = ForeignKeyField(Run, on_delete="RESTRICT", index=False)  # the pass that was held
    upto = BigIntegerField()  # the newest inbox row that a release covers
    # The newest piece for which a release covers a fact that is taken up again.
    upto_item = BigIntegerField(constraints=[SQL("DEFAULT 0")], default=0)
    cancels = IntegerField()  # open orders that would be cancelled
    open_orders = IntegerField()  # of so many
    state = TextField(default="OPEN")  # OPEN, RELEASED, DROPPED (its cancellations set aside)
    opened_at = BigIntegerField()
    closed_at = BigIntegerField(null=True)
    closed_by = TextField(default="")
    note = TextField(default="")

    class Meta:
        indexes = ((("account", "state"), False),)


class Drift(Table):
    """One disagreement that an audit found between the book and a panel."""

    id = AutoField()
    run = ForeignKeyField(Run, on_delete="RESTRICT", index=False)  # the audit
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    order_id = TextField()
    line_id = TextField(default="")
    item = ForeignKeyField(Item, null=True, on_delete="RESTRICT", index=False)
    cause = TextField()  # a stable word
    book_says = TextField()
    panel_says = TextField()
    message = TextField()  # what would mend it
    mended = BooleanField(default=False)

    class Meta:
        indexes = ((("run",), False),)


class Outbox(Table):
    """What other systems must be told, written with the change that it tells of.

    A message names the fact; its text is made when it is sent, from the decision records,
    which never change. The fact's evidence makes the key by which a receiver knows a repeat.
    """

    inbox = ForeignKeyField(Inbox, primary_key=True, on_delete="RESTRICT", index=False)
    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    topic = TextField()  # order.changed
    created_at = BigIntegerField()
    sent_at = BigIntegerField(null=True)


class Memo(Table):
    """A text that a channel's plugin keeps of an account between its calls."""

    account = ForeignKeyField(Account, on_delete="RESTRICT", index=False)
    key = TextField()
    text = TextField()
    good_until = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("account", "key")


class Report(Table):
    """A report file that a person handed in, until the run that reads it has ended."""

    run = ForeignKeyField(Run, primary_key=True, on_delete="CASCADE")
    name = TextField()
    content = BlobField()  # compressed with zlib
    at = BigIntegerField()


ALL_TABLES: Final = (
    Tenant, Facility, Sequence, Account, Run, Task, Cursor, Order, Package, Item, Invoice,
    Stock, StockMove, Putaway, Inbox, Decision, Trouble, Brake, Drift, Outbox,
    Attempt, Memo, Report,
)  # fmt: skip
"""In the order in which they can be created."""
