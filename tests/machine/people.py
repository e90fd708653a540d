"""What people do who look: they settle exceptions, answer the brake, part and join parcels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from syncd.book import acts, queries
from syncd.errors import Refused
from syncd.rules import Position
from syncd.statuses import OrderLine
from tests.machine.base import CUT, LINE, NUMBER, Base
from tests.machine.office import ACCOUNTS, HOMES, WHO

MAY_REFUSE = {"facility_inactive", "sequence_missing"}
"""Why a choice that is offered may be refused all the same: something else is missing."""

PACKED = [Position.PICKED, Position.PACKED, Position.READY_TO_SHIP, Position.MANIFESTED]
_LOOSE = (
    "SELECT DISTINCT a.name, o.order_id, p.code, i.line_id FROM package p "
    "JOIN orders o ON o.id = p.order_id JOIN account a ON a.id = o.account_id "
    "JOIN item i ON i.package_id = p.id WHERE p.dispatched_at IS NULL ORDER BY p.id DESC, i.line_id"
)
"""Parcels that have not left, with a line that is in them."""


class PeopleRules(Base):
    """Exceptions, the safety brake and parcels, by hand."""

    # --- exceptions

    def asked(self) -> list[int]:
        """The exceptions that are open, the newest first."""
        if not hasattr(self, "office"):
            return []
        sql = "SELECT id FROM exceptions WHERE state = 'OPEN' ORDER BY id DESC LIMIT 60"
        return [number for (number,) in self.office.rows(sql)]

    def settle(self, ids: list[int], choice: str, **more: Any) -> acts.Settled:
        """As the API does it. Who settles before all of the order is known may be mistaken."""
        o = self.office
        for number in () if more.get("dry_run") else ids:
            sql = "SELECT a.name, e.order_id FROM exceptions e JOIN account a ON a.id = "
            ((account, order_id),) = o.rows(f"{sql} e.account_id WHERE e.id = ?", number)
            order = o.panels[account].orders.get(order_id)
            if order is not None and order.whole_at > o.now:
                self.spoil(account, order_id)
        return acts.settle(
            o.book, ids, choice, note="I looked", actor=WHO, now=o.now, policies=o.policies, **more
        )

    def rehearse(self, number: int, choice: str) -> bool:
        """Whether a choice that is offered can be made."""
        try:
            self.settle([number], choice, dry_run=True)
        except Refused as error:
            alone = error.code == "choice_does_not_fit" and "while exception" in str(error)
            if alone or error.code in MAY_REFUSE:
                return False
            raise
        return True

    @precondition(asked)
    @rule(number=NUMBER, which=NUMBER, cut=CUT)
    def an_exception_is_settled(self, number: int, which: int, cut: int | None) -> None:
        """Each choice that is offered can be made, and leads to where the offer says."""
        o, ids = self.office, self.asked()
        chosen = ids[number % len(ids)]
        before = o.dump()
        choices = queries.exception(o.book, chosen).choices
        possible = [one for one in choices if self.rehearse(chosen, one.name)]
        assert o.dump() == before, "a look at a choice changed the book"
        assert possible, "an exception that nothing can settle"
        choice = possible[which % len(possible)]
        o.by_hand(lambda: self.settle([chosen], choice.name), cut)
        sql = "SELECT state, coalesce(i.position, '') FROM exceptions e LEFT JOIN item i "
        ((state, position),) = o.rows(f"{sql} ON i.id = e.item_id WHERE e.id = ?", chosen)
        assert (state, position) == ("CLOSED", choice.position), f"{choice} led to {position}"

    @precondition(asked)
    @rule(number=NUMBER, which=NUMBER, cut=CUT)
    def another_exception_is_settled(self, number: int, which: int, cut: int | None) -> None:
        """The same again under another name: a rule is as likely as it has names."""
        self.an_exception_is_settled(number, which, cut)

    @precondition(asked)
    @rule(number=NUMBER, which=NUMBER, cut=CUT)
    def exceptions_of_a_kind_are_settled(self, number: int, which: int, cut: int | None) -> None:
        """All at once, or none."""
        o, ids = self.office, self.asked()
        chosen = ids[number % len(ids)]
        choices = queries.exception(o.book, chosen).choices
        choice = choices[which % len(choices)].name
        sql = "SELECT id FROM exceptions WHERE state = 'OPEN' AND code = (SELECT code FROM "
        alike = [one for (one,) in o.rows(f"{sql} exceptions WHERE id = ?) ORDER BY id", chosen)]
        o.by_hand(lambda: self.settle(alike, choice), cut)
        closed = o.rows(
            "SELECT count(*) FROM exceptions WHERE state = 'CLOSED' AND id IN "
            f"({', '.join(map(str, alike))})"
        )
        assert closed in ([(0,)], [(len(alike),)]), "some of what was asked for at once was done"

    # --- the brake

    @rule(account=st.sampled_from(ACCOUNTS), orders=st.integers(2, 5))
    def many_orders_are_cancelled_at_once(self, account: str, orders: int) -> None:
        """The account's brake may hold the pass; what it holds stays open, and nothing is lost."""
        o, panel = self.office, self.office.panels[account]
        for _ in range(orders):
            panel.place([OrderLine(line_id="L1", sku="MUG", quantity=1)], "", timedelta(0))
        o.run(account)
        for order in list(panel.orders.values())[-orders:]:
            panel.cancel(order, "L1", 1, timedelta(0))
        o.wait(timedelta(minutes=1))
        state = o.state_of(o.run(account))
        assert (state == "HELD") == (o.braked(account) and o.is_live(account))

    @rule(account=st.sampled_from(ACCOUNTS), true=st.booleans(), cut=CUT)
    def the_brake_is_answered(self, account: str, true: bool, cut: int | None) -> None:
        o = self.office
        act = acts.release if true else acts.drop
        o.by_hand(lambda: act(o.book, account, note="I looked", actor=WHO, now=o.now), cut)
        for name, order_id in o.rows(
            "SELECT a.name, f.order_id FROM inbox f JOIN account a ON a.id = f.account_id "
            "WHERE f.state = 'IGNORED'"
        ):
            self.spoil(name, order_id)
        if not o.braked(account):
            o.run(account)

    # --- parcels

    def loose(self) -> list[tuple[Any, ...]]:
        return self.office.rows(_LOOSE) if hasattr(self, "office") else []

    @precondition(loose)
    @rule(number=NUMBER, take=st.integers(0, 2), cut=CUT)
    def a_parcel_is_split(self, number: int, take: int, cut: int | None) -> None:
        o, found = self.office, self.loose()
        account, order_id, parcel, line = found[number % len(found)]
        o.by_hand(
            lambda: acts.split(
                o.book, account, order_id, {line: take}, parcel=parcel, actor=WHO, now=o.now
            ),
            cut,
        )

    @precondition(loose)
    @rule(number=NUMBER, cut=CUT)
    def parcels_are_merged(self, number: int, cut: int | None) -> None:
        o, found = self.office, self.loose()
        account, order_id, *_ = found[number % len(found)]
        o.by_hand(lambda: acts.merge(o.book, account, order_id, actor=WHO, now=o.now), cut)

    @rule(
        account=st.sampled_from(ACCOUNTS), lines=st.lists(LINE, min_size=1, max_size=2),
        step=st.sampled_from(PACKED), parted=st.booleans(),
        then=st.lists(
            st.tuples(st.sampled_from(["cancel", "cancel", "wish", "ship", "pass"]), NUMBER),
            min_size=1, max_size=4,
        ),
        own=st.booleans(),
    )  # fmt: skip
    def the_panel_changes_what_is_packed(
        self, account: str, lines: list[tuple[str, int, bool]], step: Position, parted: bool,
        then: list[tuple[str, int]], own: bool,
    ) -> None:  # fmt: skip
        """An order is packed here, and only then the buyer or the panel says something of it."""
        o, panel = self.office, self.office.panels[account]
        for sku in ("SHIRT", "SHOE", "MUG"):
            home = HOMES[account]
            acts.receive_stock(
                o.book, home.facility, {sku: 6}, actor=WHO, now=o.now, tenant=home.tenant
            )
        order = self.placed(panel.name, lines, own=own)
        o.run(account)
        order_id = order.new.order_id
        self.advance(account, order_id, step, None)
        if parted:
            o.by_hand(
                lambda: acts.split(o.book, account, order_id, {"L1": 1}, actor=WHO, now=o.now)
            )
            self.advance(account, order_id, step, None)
        for what, number in then:
            line = order.new.lines[number % len(order.new.lines)].line_id
            if what == "pass":
                o.wait(timedelta(minutes=10))
                o.run(account)
            else:
                self.deed(panel, order, line, what, 1 + number % 3, timedelta(0))
        o.wait(timedelta(minutes=10))
        o.run(account)
