"""Any sequence of what sellers, buyers, panels, clocks and power supplies do to a book.

Each rule is one thing that happens. After every step the book obeys every invariant, and in the
end it agrees with the panels or says why not (``truth.py``). To hold a new feature to it, add a
rule (and, where it may move pieces in a new way, its reason code to the named sets of
``tests/invariants.py``). A rule that makes the book differ from the panel on purpose calls
:meth:`Base.spoil`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from syncd.book import acts
from syncd.book.putaways import Disposition
from syncd.book.stock import Bucket
from syncd.book.warehouse import ROAD
from syncd.errors import PanelAnswer, PanelBusy
from syncd.rules import Position
from syncd.statuses import Kind, ReturnType, Status, StatusChange
from tests.machine.base import CUT, LINES, NUMBER, PASSES, WISHES, Lines
from tests.machine.office import ACCOUNTS, PLACES, SKUS, TENANTS, WHO
from tests.machine.panel import FATES, Told, ToyPanel
from tests.machine.people import PeopleRules
from tests.machine.watching import WatchingRules

PLACE = st.sampled_from(PLACES)
Place = tuple[str, str]
DELAY = st.sampled_from([0, 0, 0, 20, 90]).map(lambda minutes: timedelta(minutes=minutes))
SAYABLE = [status for status in Status if status is not Status.UNKNOWN]
IDS = st.sampled_from(["", "", "X1", "X2"])
NONSENSE = st.fixed_dictionaries(
    {
        "status": st.sampled_from(SAYABLE),
        "line_id": st.sampled_from(["", "L1", "L1", "L2", "L9"]),
        "sku": st.sampled_from(["", "", *SKUS]),
        "quantity": st.sampled_from([None, None, 1, 2, 9]),
        "cumulative": st.booleans(),
        "return_type": st.sampled_from(list(ReturnType)),
        "shipment_id": IDS,
        "return_id": IDS,
        "tracking_number": IDS,
        "left_seller": st.booleans(),
        "hours": st.integers(-72, 1),
    }
)
Deed = tuple[str, int, timedelta]
DEEDS = ["ship", "ship", "ship", "cancel", "deliver", *WISHES, *FATES]

DEEDS_OF = st.lists(st.tuples(st.sampled_from(DEEDS), NUMBER, DELAY), min_size=3, max_size=15)

LIFE = rule(
    lines=LINES,
    deeds=DEEDS_OF,
    passes=PASSES,
)


class BookMachine(PeopleRules, WatchingRules):
    """All rules together."""

    # --- choosing

    def any_order(self) -> bool:
        return hasattr(self, "office")

    def fact(self, number: int) -> tuple[int, str, str, str] | None:
        """A fact of the journal: id, account, order and state."""
        rows = self.office.rows(
            "SELECT f.id, a.name, f.order_id, f.state FROM inbox f JOIN account a "
            "ON a.id = f.account_id WHERE f.state <> 'DONE' ORDER BY f.id"
        )
        return rows[number % len(rows)] if rows else None  # type: ignore[return-value]

    # --- the panel's lawful ways

    @rule(number=NUMBER, lines=LINES, place=st.booleans(), delay=DELAY, own=st.booleans())
    def an_order_is_placed(
        self, number: int, lines: Lines, place: bool, delay: timedelta, own: bool
    ) -> None:
        """``own``: the seller ships it, where the channel knows of such orders."""
        self.placed(self.panel(number).name, lines, place=place, delay=delay, own=own)

    @rule(number=NUMBER, lines=LINES, hours=st.integers(1, 30), deeds=DEEDS_OF, passes=PASSES)
    def an_order_comes_in_parts(
        self, number: int, lines: Lines, hours: int, deeds: list[Deed], passes: set[str]
    ) -> None:
        """The book hears of a part of it first, and of what becomes of all of it meanwhile."""
        panel = self.panel(number)
        order = self.placed(panel.name, lines, later=timedelta(hours=hours))
        for deed, one, delay in deeds:
            line = order.new.lines[one % len(order.new.lines)].line_id
            self.deed(panel, order, line, deed, 1 + one % 3, delay)
        self.some_passes(passes)

    @precondition(any_order)
    @LIFE
    def the_panel_lives(self, lines: Lines, deeds: list[Deed], passes: set[str]) -> None:
        """An order is placed, and each deed done to the first line to which it can be done."""
        number = deeds[0][1]
        self.an_order_is_placed(number, lines, False, deeds[0][2], number % 4 == 1)
        for deed, number, delay in deeds:
            lines = [
                (panel, order, line.line_id)
                for panel in self.office.panels.values()
                for order in panel.orders.values()
                for line in order.new.lines
            ]
            start = number * len(lines) // 8
            for panel, order, line in (*lines[start:], *lines[:start]):
                if self.deed(panel, order, line, deed, 1 + number % 3, delay):
                    break
        self.some_passes(passes)

    # The same again under other names: a rule is as likely as it has names.

    @precondition(any_order)
    @LIFE
    def the_panel_lives_at_noon(self, lines: Lines, deeds: list[Deed], passes: set[str]) -> None:
        self.the_panel_lives(lines, deeds, passes)

    @precondition(any_order)
    @LIFE
    def the_panel_lives_in_the_evening(
        self, lines: Lines, deeds: list[Deed], passes: set[str]
    ) -> None:
        self.the_panel_lives(lines, deeds, passes)

    @precondition(any_order)
    @LIFE
    def the_panel_lives_at_dawn(self, lines: Lines, deeds: list[Deed], passes: set[str]) -> None:
        self.the_panel_lives(lines, deeds, passes)

    # --- and its unlawful ones

    @rule(number=NUMBER, what=NUMBER)
    def a_row_is_told_again(self, number: int, what: int) -> None:
        self.panel(number).say_again(what)

    @rule(number=NUMBER, facts=st.lists(NONSENSE, min_size=1, max_size=6), passes=PASSES)
    def nonsense_is_told(self, number: int, facts: list[dict[str, Any]], passes: set[str]) -> None:
        """Of one order, in any words and of any time."""
        panel = self.panel(number)
        known = ["GHOST", *panel.orders]
        order_id = known[number % len(known)]
        self.spoil(panel.name, order_id)
        for fact in facts:
            said = dict(fact)
            hours = said.pop("hours")
            said["cumulative"] = said["cumulative"] and said["quantity"] is not None
            at = panel.moment() + timedelta(hours=hours)
            panel.say(StatusChange(order_id=order_id, native_status="?", occurred_at=at, **said))
        self.some_passes(passes)

    @rule(number=NUMBER)
    def an_unreadable_row_is_told(self, number: int) -> None:
        panel = self.panel(number)
        panel.told.append(Told(_unreadable(panel), Kind.RETURNS, panel.now))

    # --- the seller's people

    @rule(place=PLACE, sku=st.sampled_from(SKUS), n=st.integers(1, 4), cut=CUT)
    def goods_come_in(self, place: Place, sku: str, n: int, cut: int | None) -> None:
        o, (tenant, code) = self.office, place
        o.by_hand(
            lambda: acts.receive_stock(o.book, code, {sku: n}, actor=WHO, now=o.now, tenant=tenant),
            cut,
        )

    @rule(
        place=PLACE, sku=st.sampled_from(SKUS), n=st.integers(-3, 3),
        bucket=st.sampled_from(list(Bucket)), cut=CUT,
    )  # fmt: skip
    def a_count_is_put_right(
        self, place: Place, sku: str, n: int, bucket: Bucket, cut: int | None
    ) -> None:
        o, (tenant, code) = self.office, place
        o.by_hand(
            lambda: acts.adjust_stock(
                o.book, code, sku, bucket, n, note="x", actor=WHO, now=o.now, tenant=tenant
            ),
            cut,
        )

    @precondition(any_order)
    @rule(number=NUMBER, step=st.sampled_from(ROAD), cut=CUT)
    def an_order_is_packed(self, number: int, step: Position, cut: int | None) -> None:
        panel, order, _ = self.order(number)
        if step is Position.DISPATCHED:
            self.spoil(panel.name, order.new.order_id)  # the panel does not know of it
        self.advance(panel.name, order.new.order_id, step, cut)

    @rule(number=NUMBER, found=st.sampled_from(list(Disposition)), cut=CUT)
    def a_piece_is_put_away(self, number: int, found: Disposition, cut: int | None) -> None:
        o = self.office
        rows = o.rows("SELECT id FROM putaway WHERE state IN ('PENDING', 'HELD') ORDER BY id")
        for (putaway,) in rows[: 1 + number]:
            o.by_hand(
                lambda: acts.complete_putaway(o.book, putaway, found, actor=WHO, now=o.now),  # noqa: B023
                cut,
            )

    @rule(number=NUMBER, cut=CUT)
    def a_fact_is_tried_again(self, number: int, cut: int | None) -> None:
        o, fact = self.office, self.fact(number)
        if fact is not None:
            o.by_hand(lambda: acts.retry(o.book, ids=[fact[0]], actor=WHO, now=o.now), cut)

    @rule(number=NUMBER, cut=CUT)
    def a_fact_is_set_aside(self, number: int, cut: int | None) -> None:
        o, fact = self.office, self.fact(number)
        if fact is not None:
            self.spoil(fact[1], fact[2])
            o.by_hand(lambda: acts.ignore(o.book, [fact[0]], note="x", actor=WHO, now=o.now), cut)

    @rule(cut=CUT)
    def sequences_are_defined(self, cut: int | None) -> None:
        self.office.by_hand(
            self.office.define_sequences if cut is None else self._one_sequence, cut
        )

    def _one_sequence(self) -> None:
        o = self.office
        acts.define_sequence(o.book, "BLR", prefix="NEW/", actor=WHO, now=o.now, tenant="acme")

    @rule(
        tenant=st.sampled_from(TENANTS),
        state=st.sampled_from(["LIVE", "LIVE", *acts.TENANT_STATES]), cut=CUT,
    )  # fmt: skip
    def a_tenant_is_switched(self, tenant: str, state: str, cut: int | None) -> None:
        o = self.office
        o.by_hand(lambda: acts.set_tenant_state(o.book, tenant, state, actor=WHO, now=o.now), cut)

    @rule(
        place=PLACE, state=st.sampled_from(["ACTIVE", "ACTIVE", "INACTIVE"]),
        traced=st.sampled_from(["NONE", *acts.TRACEABILITIES]), cut=CUT,
    )  # fmt: skip
    def a_facility_is_switched(
        self, place: Place, state: str, traced: str, cut: int | None
    ) -> None:
        o, (tenant, code) = self.office, place
        o.by_hand(
            lambda: acts.set_facility(
                o.book,
                code,
                state=state,
                traceability=traced,
                actor=WHO,
                now=o.now,
                tenant=tenant,
            ),
            cut,
        )

    # --- time and passes

    @rule(account=st.sampled_from(ACCOUNTS), minutes=st.sampled_from([1, 30, 100]))
    def time_passes_and_a_pass_follows(self, account: str, minutes: int) -> None:
        self.office.wait(timedelta(minutes=minutes))
        self.office.run(account)

    @rule(minutes=st.sampled_from([1, 15, 45, 600]))
    def time_passes(self, minutes: int) -> None:
        self.office.wait(timedelta(minutes=minutes))

    @rule(minutes=st.sampled_from([0, 0, -90, 3, 90, 60 * 24]))
    def our_clock_is_set(self, minutes: int) -> None:
        """It may be wrong, forth and back; the panel's is right. Facts may then be misdated."""
        self.office.step_clock(timedelta(minutes=minutes))

    @rule(account=st.sampled_from(ACCOUNTS))
    def a_pass(self, account: str) -> None:
        self.office.run(account)

    @rule(account=st.sampled_from(ACCOUNTS), kinds=st.sets(st.sampled_from(list(Kind)), min_size=1))
    def a_pass_of_some_kinds(self, account: str, kinds: set[Kind]) -> None:
        self.office.run(account, tuple(k for k in Kind if k in kinds))

    @precondition(any_order)
    @rule(number=NUMBER)
    def a_pass_over_one_order(self, number: int) -> None:
        panel, order, _ = self.order(number)
        self.office.run(panel.name, orders=(order.new.order_id,))

    @rule(
        account=st.sampled_from(ACCOUNTS), kind=st.sampled_from(list(Kind)), page=st.integers(0, 2),
        busy=st.booleans(),
    )  # fmt: skip
    def a_pass_whose_panel_fails(self, account: str, kind: Kind, page: int, busy: bool) -> None:
        error = PanelBusy("busy") if busy else PanelAnswer("no page")
        self.office.panels[account].fails = (kind, page, error)
        self.office.run(account)
        self.office.panels[account].fails = None

    @rule(account=st.sampled_from(ACCOUNTS), then=st.booleans())
    def a_rehearsal(self, account: str, then: bool) -> None:
        """It changes nothing and plans what the run itself then does."""
        o = self.office
        before = o.dump(but=("run",))
        rehearsed = o.run(account, dry_run=True)
        assert o.dump(but=("run",)) == before, "a dry run changed the book"
        if then and o.is_live(account):
            real = o.run(account)
            sql = "SELECT plan_hash FROM run WHERE id IN (?, ?)"
            (planned,), (done,) = o.rows(sql, rehearsed, real)
            assert planned == done, "the run did other than its rehearsal"

    @rule(account=st.sampled_from(ACCOUNTS), after=st.integers(1, 250))
    def a_pass_is_cut_off(self, account: str, after: int) -> None:
        """The next start makes up for it: the same book as if the power had not failed."""
        o = self.office

        def whole() -> list[list[Any]]:
            o.run(account)
            o.run(account)
            return o.essence()

        wanted = o.on_a_copy(whole)
        if o.cut_in(lambda: o.run(account), after):
            o.check()
            o.recover()
        o.run(account)
        assert o.essence() == wanted, "a power cut in a pass changed how it ends"

    @rule()
    def everything_is_told(self) -> None:
        """Also in the midst of it all."""
        self.tell_everything()


def _unreadable(panel: ToyPanel) -> StatusChange:
    """A row that the plugin did not understand."""
    now = panel.moment()
    return StatusChange(
        order_id="", status=Status.UNKNOWN, native_status="?", occurred_at=now, raw=f"?{now}",
        problem="What is this?",
    )  # fmt: skip
