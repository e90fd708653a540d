"""What all rules of the machine have in common: the office, and how they choose from it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from syncd.book import acts
from syncd.rules import USUAL, Brake, Position
from syncd.rules.rulebook import every_combination
from syncd.statuses import OrderLine, Status
from tests.machine.office import ACCOUNTS, PLACES, SKUS, WHO, Office, Ways
from tests.machine.panel import Bazaar, PanelOrder, ToyPanel
from tests.machine.truth import untrue

NUMBER = st.integers(0, 7)
CUT = st.one_of(st.none(), st.none(), st.integers(1, 60))
LINE = st.tuples(st.sampled_from(SKUS), st.integers(1, 3), st.booleans())
LINES = st.lists(LINE, min_size=1, max_size=3)
Lines = list[tuple[str, int, bool]]
WISHES = {"wish": Status.CANCEL_REQUESTED, "no wish": Status.CANCEL_WITHDRAWN}
PASSES = st.sets(st.sampled_from(ACCOUNTS))
WAYS = st.builds(
    Ways,
    policies=st.sampled_from([USUAL, USUAL, *every_combination()]),
    brake=st.sampled_from([Brake(), Brake(), Brake(enabled=False), Brake(floor=2, share=0.3)]),
)


class Base(RuleBasedStateMachine):
    """The real book on a real disk."""

    office: Office

    @initialize(
        sequence=st.sampled_from([True, True, False]), stock=st.sampled_from([0, 3, 30]),
        live=st.booleans(), ways=st.lists(WAYS, min_size=len(ACCOUNTS), max_size=len(ACCOUNTS)),
    )  # fmt: skip
    def found(self, sequence: bool, stock: int, live: bool, ways: list[Ways]) -> None:
        """Two sellers, with or without sequences and stock; the second may not be live yet."""
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-machine-"))
        o = self.office = Office(self.folder, sequence=sequence, live=live, ways=ways)
        if stock:
            goods = dict.fromkeys(SKUS, stock)
            for tenant, code in (PLACES[0], PLACES[-1]):
                acts.receive_stock(o.book, code, goods, actor=WHO, now=o.now, tenant=tenant)
        for panel in o.panels.values():
            panel.place([OrderLine(line_id="L1", sku="SHIRT", quantity=3)], "", timedelta(0))

    def teardown(self) -> None:
        """A history that went well ends with everything told, so that none goes unmeasured."""
        if not hasattr(self, "office"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.tell_everything()
                self.the_book_is_sound()
        finally:
            self.office.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @invariant()
    def the_book_is_sound(self) -> None:
        """After every step."""
        if hasattr(self, "office"):
            self.office.check()

    def tell_everything(self) -> None:
        """Then the book agrees with the panels, or says where it does not."""
        self.office.catch_up()
        found = untrue(self.office)
        assert not found, "\n".join(found)

    # --- choosing

    def panel(self, number: int) -> ToyPanel:
        return self.office.panels[ACCOUNTS[number % len(ACCOUNTS)]]

    def order(self, number: int) -> tuple[ToyPanel, PanelOrder, str]:
        """An order that a panel has, and a line of it."""
        known = [(p, o) for p in self.office.panels.values() for o in p.orders.values()]
        panel, order = known[-1 - number % len(known)]
        return panel, order, order.new.lines[number % len(order.new.lines)].line_id

    def spoil(self, account: str, order_id: str) -> None:
        """From here on the panel's truth is no measure for this order."""
        if order_id in self.office.panels[account].orders:
            self.office.panels[account].orders[order_id].spoilt = True

    # --- doing

    def placed(
        self, account: str, lines: Lines, *, place: bool = False,
        delay: timedelta = timedelta(0), own: bool = False, later: timedelta = timedelta(0),
    ) -> PanelOrder:  # fmt: skip
        """A new order at a panel. The toy channel ships all of them."""
        panel = self.office.panels[account]
        return panel.place(
            [
                OrderLine(
                    line_id=f"L{n}", sku=sku, quantity=quantity,
                    components=("SHIRT", "MUG") if bundle else (),
                )
                for n, (sku, quantity, bundle) in enumerate(lines, 1)
            ],
            "LOC-DEL" if place else "",
            delay,
            own=own and isinstance(panel, Bazaar),
            later=later,
        )  # fmt: skip

    def deed(
        self, panel: ToyPanel, order: PanelOrder, line: str, deed: str, n: int, delay: timedelta
    ) -> bool:
        """Whether it could be done."""
        if deed == "ship":
            return panel.ship(order, line, n, delay)
        if deed == "cancel":
            return panel.cancel(order, line, n, delay)
        if deed in WISHES:
            return panel.wish(order, line, WISHES[deed], delay)
        return panel.befall(order, line, deed, delay)

    def advance(self, account: str, order_id: str, step: Position, cut: int | None) -> None:
        """A step of the warehouse, as far as it is possible."""
        o = self.office
        o.by_hand(
            lambda: acts.advance(
                o.book, account, order_id, step, actor=WHO, now=o.now,
                policies=o.policies[account],
            ),
            cut,
        )  # fmt: skip

    def some_passes(self, accounts: set[str]) -> None:
        """Some time after, these accounts have their turn."""
        for account in sorted(accounts):
            self.office.wait(timedelta(minutes=30))
            self.office.run(account)
