"""What looks by itself: the timers, and the audits with and without mending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from syncd.book import runs
from syncd.book.causes import HEALED_BY_FIX
from tests.machine.base import CUT, Base
from tests.machine.office import ACCOUNTS
from tests.machine.truth import findings, untold

LOOKED = ("run", "drift", "task")
"""Tables that an audit which only looks may write."""


class WatchingRules(Base):
    """Timers and audits."""

    @rule(hours=st.sampled_from([0, 1, 4, 8, 20]), cut=CUT)
    def the_timers_look(self, hours: int, cut: int | None) -> None:
        """All that is overdue is told, once; a second look finds nothing to do."""
        o = self.office
        o.wait(timedelta(hours=hours))
        o.by_hand(o.turn, cut, one=False)
        left = untold(o)
        assert not left, "\n".join(left)
        before = o.dump()
        o.turn()
        after = o.dump()
        again = [(n, row) for n, rows in after.items() for row in rows if row not in before[n]]
        assert after == before, f"the timers did something a second time: {again}"

    @rule(account=st.sampled_from(ACCOUNTS))
    def an_audit_looks(self, account: str) -> None:
        """It changes nothing but what it has found."""
        o = self.office
        before = o.dump(but=LOOKED)
        o.audit(account, fix=False)
        assert o.dump(but=LOOKED) == before, "an audit that only looks changed the book"

    @rule(account=st.sampled_from(ACCOUNTS), minutes=st.sampled_from([0, 40]))
    def an_audit_mends(self, account: str, minutes: int) -> None:
        """After it, and with a panel that is quiet, nothing is left that facts could mend."""
        o = self.office
        o.wait(timedelta(minutes=minutes))
        mended = o.audit(account, fix=True)
        if o.state_of(mended) in ("HELD", "GATED"):
            return
        left = [one for one in findings(o, o.audit(account, fix=False)) if one[2] in HEALED_BY_FIX]
        assert not left, f"an audit left what it could mend: {left}"

    @rule(account=st.sampled_from(ACCOUNTS), after=st.integers(1, 250))
    def an_audit_is_cut_off(self, account: str, after: int) -> None:
        """The next start goes on with what was asked for, to the same book as if the power had
        not failed."""
        o = self.office

        def whole() -> list[list[Any]]:
            o.audit(account, fix=True)
            o.run(account)
            return o.essence()

        wanted = o.on_a_copy(whole)
        o.ask(account, purpose=runs.AUDIT, dry_run=False)
        if o.cut_in(o.run_all_queued, after):
            o.check()
            o.recover()
        o.run(account)
        assert o.essence() == wanted, "a power cut in an audit changed how it ends"
