"""Rules about rows: their form, their words, their times, their ids, their evidence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from syncd.statuses import (
    MAX_ID_LENGTH,
    MAX_QUANTITY,
    MAX_RAW_LENGTH,
    RETURN_STATUSES,
    STATUSES_OF,
    Kind,
    NewOrder,
    Page,
    ReturnType,
    Status,
    StatusChange,
)
from syncd.testing.conformance.base import Base, Shop
from syncd.testing.conformance.journal import Journal, evidence, names
from syncd.testing.conformance.reading import Plugin, Reader
from syncd.testing.conformance.words import must, rule
from syncd.testing.things import LineSpec


def order_ids(rows: Iterable[Any], *, readable: bool = True) -> set[str]:
    """The orders that rows are about; without those that could not be read."""
    return {row.order_id for row in rows if not (readable and row.problem)}


class RowRules(Base):
    """What a hook yields can be used."""

    def few(self, shop: Shop, kind: Kind) -> tuple[Reader, list[Any]]:
        """A handful of orders of a kind, and the rows that a window of them gives."""
        orders = self.fill(shop, kind, 6)
        reader = shop.reader()
        reader.learn([order.order_id for order in orders])
        return reader, reader.read(kind)

    @rule("An empty panel gives no rows, by window and by ids.")
    def test_an_empty_panel_gives_nothing(self) -> None:
        with self.shop() as shop:
            reader = shop.reader()
            for kind in shop.plugin.kinds:
                rows = reader.read(kind)
                must(not rows, f"{kind}: {rows[:1]}", "Yield facts of the panel only.")

    @rule("What happened is told: a row for each order to which it happened.")
    def test_what_happened_is_told(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop() as shop:
                orders = self.fill(shop, kind, self.many)
                rows = shop.reader().read(kind)
                word = self.main_word(shop.plugin, kind)
                told = {row.order_id for row in rows if getattr(row, "status", "order") == word}
                wanted = {order.order_id for order in orders}
                must(
                    wanted <= told,
                    f"{kind}: {len(wanted - told)} of {len(wanted)} are not told as {word}; "
                    f"the first is {min(wanted - told, default='')!r}; rows: {rows[:1]}.",
                    "Read every page and every list of the panel (types, sources, locations).",
                )
                must(
                    order_ids(rows) <= wanted,
                    f"{kind}: rows of orders that do not exist: {order_ids(rows) - wanted}.",
                    "Keep ids as they came.",
                )

    @rule("A hook yields Pages of well-formed rows: types, lengths, quantities, aware times.")
    def test_rows_are_well_formed(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop() as shop:
                self.fill(shop, kind, 6)
                for page in shop.reader().pages(kind):
                    must(
                        isinstance(page, Page),
                        f"fetch_{kind.value} yielded a {type(page).__name__}.",
                        "Yield syncd.Page(rows=[...]).",
                    )
                    for row in page.rows:
                        check_form(kind, row)

    @rule("A hook reports statuses of its own kind, and only those of Channel.statuses.")
    def test_statuses_are_of_the_kind(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop() as shop:
                for other in self.kinds(shop.plugin):
                    self.fill(shop, other, 2)
                for row in shop.reader().read(kind):
                    if isinstance(row, StatusChange):
                        _check_word(shop.plugin, kind, row)

    @rule("Times are the panel's times of the event, in the right time zone.", unless="stamps")
    def test_times_are_the_panels(self) -> None:
        for kind in self.kinds(self.load()):
            if kind in self.undated:
                continue
            with self.shop() as shop:
                reader, rows = self.few(shop, kind)
                happened: dict[str, set[datetime]] = {}
                for event in shop.world.history:
                    happened.setdefault(event.order_id, set()).add(event.at)
                for row in rows:
                    at = row.placed_at if isinstance(row, NewOrder) else row.occurred_at
                    near = any(abs(one - at) <= self.stamps for one in happened[row.order_id])
                    times = [f"{one:%d %H:%M:%S}" for one in sorted(happened[row.order_id])]
                    must(
                        near,
                        f"{kind}: {at.astimezone(UTC):%d %H:%M:%S} UTC, but what happened to the "
                        f"order happened at {times} UTC; the row: {row}.",
                        "Read the panel's stamp with its offset; without one it is in "
                        f"{reader.plugin.channel.time_zone}. A coarser panel says how exact it "
                        "is in `stamps`; kinds whose rows it does not date go into `undated`.",
                    )

    @rule("The same window read twice is the same list, and keeps nothing twice.")
    def test_two_runs_are_one(self) -> None:
        for kind in self.kinds(self.load()):
            with self.shop() as shop:
                reader, first = self.few(shop, kind)
                window = reader.window()
                first = reader.read(kind, window=window)
                shop.clock.advance(self.later)
                second = reader.read(kind, window=window)
                must(
                    names(first) == names(second),
                    f"{kind}: first {_differing(first, second)}, then {_differing(second, first)}.",
                    "Make evidence_id and fields of the panel's own ids and words, never of "
                    "the time of reading, a counter or a random number.",
                )

    later = Base.stamps * 90
    """How much later the second run is."""

    @rule("One evidence names one fact: no two lines, orders or words share one.")
    def test_evidence_names_one_fact(self) -> None:
        for kind in self.kinds(self.load()):
            if kind is Kind.ORDERS:
                continue
            with self.shop() as shop:
                _, rows = self.few(shop, kind)
                journal = Journal()
                journal.take(kind, rows)
                told = {(row.order_id, row.line_id) for row in rows if not row.problem}
                kept = {(row.order_id, row.line_id) for row in journal.facts.values()}
                must(told <= kept, f"{kind}: {told - kept} got lost.", "Tell them apart.")

    @rule("A fact that is read again after the row has changed keeps its evidence.")
    def test_evidence_is_stable_while_rows_change(self) -> None:
        plugin = self.load()
        if Kind.DISPATCHED not in self.kinds(plugin) or "pick_up" in self.cannot:
            return
        with self.shop() as shop:
            orders = self.fill(shop, Kind.DISPATCHED, 4)
            reader = shop.reader()
            first = reader.read(Kind.DISPATCHED)
            for order in orders:
                shop.world.ship(order.order_id)
            shop.settle()
            second = reader.read(Kind.DISPATCHED)
            before, after = {evidence(row) for row in first}, {evidence(row) for row in second}
            must(
                after <= before,
                f"The same dispatches are new evidence after the next scan: "
                f"{sorted(after - before)[:2]} beside {sorted(before)[:2]}.",
                "Leave the native word, the stamp of the last change and anything else that moves "
                "out of evidence_id; set evidence_id, for the derived one holds them.",
            )

    @rule("Ids are text, kept byte for byte.", unless="odd_ids")
    def test_ids_are_kept_byte_for_byte(self) -> None:
        with self.shop() as shop:
            now = shop.clock.now()
            ids = ["00012345678901234567890", "0e10", "Mixed-Case_007", "9007199254740993"]
            for n, order_id in enumerate(ids):
                line_id = order_id if "lines" in self.cannot else f"000777{n}"
                line = LineSpec(sku=f"00{n}", line_id=line_id)
                order = shop.world.place_order([line], order_id=order_id, at=now - self.later)
                if Kind.ORDERS not in shop.plugin.kinds:
                    self.happen(shop, Kind.DISPATCHED, order, now)
            shop.settle()
            kind = shop.plugin.kinds[0]
            rows = shop.reader().read(kind)
            must(
                order_ids(rows) == set(ids),
                f"{kind}: {sorted(map(repr, order_ids(rows)))} instead of {sorted(ids)}.",
                "Declare ids as str in the shapes; never parse, strip or change the case of one.",
            )
            wanted = {"", *(f"00{n}" for n in range(len(ids)))}
            for row in rows:
                # Some panels have no SKU of the seller's: then it is the line's own id.
                pairs = row.lines if kind is Kind.ORDERS else [row]
                skus = [one.sku for one in pairs if one.sku != one.line_id]
                must(
                    set(skus) <= wanted,
                    f"{kind}: the SKUs {skus} were 000, 001, 002, 003.",
                    "Declare SKUs as str in the shapes.",
                )


def check_form(kind: Kind, row: Any) -> None:
    """Whether the core could take this row. Raises Broken."""
    wanted = NewOrder if kind is Kind.ORDERS else StatusChange
    must(
        isinstance(row, wanted),
        f"fetch_{kind.value} yielded a {type(row).__name__}.",
        f"Its pages hold {wanted.__name__} rows.",
    )
    at = row.placed_at if kind is Kind.ORDERS else row.occurred_at
    must(
        isinstance(at, datetime) and at.tzinfo is not None,
        f"The time {at!r} has no time zone: {row}",
        "Give each time its zone: the panel's offset, or the channel's time_zone.",
    )
    must(
        len(row.raw) <= MAX_RAW_LENGTH,
        f"raw has {len(row.raw)} characters.",
        f"Cut it to {MAX_RAW_LENGTH}.",
    )
    for name, value in row.facts.items():
        must(
            isinstance(name, str) and isinstance(value, str),
            f"facts hold {name!r}: {value!r}.",
            "Facts are texts by texts.",
        )
    if isinstance(row, NewOrder):
        _check_order(row)
    else:
        _check_change(row)


def _check_order(order: NewOrder) -> None:
    _check_ids(order, order.order_id)
    must(order.lines or order.problem, f"No lines: {order}", "Yield whole orders.")
    for line in order.lines:
        _check_ids(order, line.line_id, line.sku)
        must(
            type(line.quantity) is int and 1 <= line.quantity <= MAX_QUANTITY,
            f"The quantity {line.quantity!r} of line {line.line_id}.",
            f"A quantity is a whole number from 1 to {MAX_QUANTITY}.",
        )


def _check_change(row: StatusChange) -> None:
    must(isinstance(row.status, Status), f"The status {row.status!r}.", "Use syncd.Status.")
    if row.status is Status.UNKNOWN:
        must(
            row.raw and row.problem,
            f"UNKNOWN without raw or problem: {row}",
            "Give the row as it came, and a sentence that says what could not be read.",
        )
        return
    _check_ids(row, row.order_id)
    must(row.native_status, f"No native_status: {row}", "Say which word of the panel it was.")
    must(
        row.quantity is None or (type(row.quantity) is int and 1 <= row.quantity <= MAX_QUANTITY),
        f"The quantity {row.quantity!r}: {row}",
        f"A quantity is None or a whole number from 1 to {MAX_QUANTITY}.",
    )
    must(
        row.status not in RETURN_STATUSES or isinstance(row.return_type, ReturnType),
        f"{row.status} without a return type: {row}",
        "Say RTO or CIR; where the panel does not, yield UNKNOWN.",
    )


def _check_ids(row: object, *ids: Any) -> None:
    for one in ids:
        must(
            isinstance(one, str) and 0 < len(one) <= MAX_ID_LENGTH,
            f"The id {one!r}: {row}",
            f"An id is a text of 1 to {MAX_ID_LENGTH} characters.",
        )


def _check_word(plugin: Plugin, kind: Kind, row: StatusChange) -> None:
    must(
        row.status is Status.UNKNOWN or row.status in STATUSES_OF[kind],
        f"fetch_{kind.value} yielded {row.status}: {row}",
        f"It may yield {', '.join(sorted(STATUSES_OF[kind]))}, and UNKNOWN.",
    )
    must(
        row.status is not Status.UNKNOWN,
        f"fetch_{kind.value} does not know a word that its own simulator says: {row.problem}",
        "Pass over words of other kinds; put each word of the panel into the table.",
    )
    said = plugin.channel.statuses
    must(
        not said or row.status in said,
        f"fetch_{kind.value} yielded {row.status}, which Channel.statuses does not hold.",
        "List there all that the hooks can report, or leave it empty.",
    )


def _differing(rows: list[Any], others: list[Any]) -> str:
    known = set(names(others))
    return str([name for name in names(rows) if name not in known][:2] or "the same")
