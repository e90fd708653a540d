"""Each timer of the book, through the real book, with a clock moved by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd.book import acts, queries, waits
from syncd.book.store import Book
from syncd.book.views import Overdue
from syncd.book.watch import Watch
from syncd.limits import Limits
from syncd.rules import Position
from syncd.rules.overdue import RULES, Wait
from syncd.statuses import ReturnType, Status
from tests.bookkit import START, Seller, check_invariants

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
LATER = timedelta(minutes=1)  # how long a told fact takes in the kit
RTO = {"return_type": ReturnType.RTO, "return_id": "R1"}
CIR = {"return_type": ReturnType.CIR, "return_id": "R2"}


class Shop(Seller):
    """A seller with the timers; ``turn`` gives what the log told in it."""

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self.limits = {"shop": Limits()}
        self.watch = Watch(self.book, lambda: self.limits)

    def turn(self) -> list[tuple[str, str, int]]:
        with capture_logs() as logs:
            self.watch.turn(self.clock.now())
        check_invariants(self.book)
        assert not [line for line in logs if "OD" in str(line.values())], "an order id in the log"
        return [(line["event"], line["kind"], line["count"]) for line in logs]

    def after(self, span: timedelta) -> list[tuple[str, str, int]]:
        self.clock.advance(span)
        return self.turn()

    def restart(self) -> None:
        """The daemon ends and starts again."""
        path = self.book.path
        self.book.close()
        self.book = Book.open(path, self.clock)
        self.watch = Watch(self.book, lambda: self.limits)

    def hear(self, status: Status, order_id: str = "OD1", **more: Any) -> None:
        self.tell(self.change(order_id, status, **more))
        self.settle()

    def exceptions(self) -> list[tuple[str, str, str]]:
        """(code, state, closed by) of each, oldest first."""
        return self.rows("SELECT code, state, closed_by FROM exceptions ORDER BY id")

    def overdue(self) -> Overdue:
        return queries.overdue(self.book, self.clock.now(), self.limits)

    def kinds(self) -> dict[str, int]:
        return dict(self.overdue().counts.get("shop", {}))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    made.stock("SHIRT", 9)
    yield made
    made.book.close()


def dispatched(shop: Shop, order_id: str = "OD1", pieces: int = 1) -> None:
    shop.order(order_id, ("L1", "SHIRT", pieces))
    shop.hear(Status.DISPATCHED, order_id, shipment_id="S1")


def park(shop: Shop) -> None:
    shop.hear(Status.DISPATCHED, quantity=1, line_id="L1")


def wait_for_dispatch(shop: Shop) -> None:
    shop.order("OD1", ("L1", "SHIRT", 1))
    shop.hear(Status.RETURN_NOTICED, line_id="L1", **RTO)
    assert shop.journal()[0][0] == "WAITING"


def come_back(shop: Shop) -> None:
    dispatched(shop)
    shop.hear(Status.RETURN_NOTICED, line_id="L1", **RTO)


def be_sent_back(shop: Shop) -> None:
    dispatched(shop)
    shop.hear(Status.DELIVERED)
    shop.hear(Status.RETURN_NOTICED, line_id="L1", **CIR)


def miss_the_buyer(shop: Shop) -> None:
    dispatched(shop)
    shop.hear(Status.UNDELIVERED)


def import_it(shop: Shop) -> None:
    assert shop.order("OD1", ("L1", "SHIRT", 1)).unparked == 1
    shop.settle()


Act = Callable[[Shop], None]

TIMERS = [
    pytest.param(park, "order_unknown_too_long", 3 * DAY, import_it, id="order"),
    pytest.param(
        wait_for_dispatch, "dispatch_unproven_too_long", 3 * DAY,
        lambda shop: shop.hear(Status.DISPATCHED, occurred_at=START), id="dispatch",
    ),
    pytest.param(
        come_back, "rto_overdue", 21 * DAY,
        lambda shop: shop.hear(Status.RETURNED, line_id="L1", **RTO), id="rto",
    ),
    pytest.param(
        come_back, "rto_overdue", 21 * DAY,
        lambda shop: shop.hear(Status.RETURN_WITHDRAWN, line_id="L1", **RTO), id="rto withdrawn",
    ),
    pytest.param(
        come_back, "rto_overdue", 21 * DAY, lambda shop: shop.hear(Status.LOST), id="rto lost"
    ),
    pytest.param(
        be_sent_back, "cir_overdue", 30 * DAY,
        lambda shop: shop.hear(Status.RETURNED, line_id="L1", **CIR), id="cir",
    ),
    pytest.param(
        miss_the_buyer, "no_word_after_attempt", 7 * DAY,
        lambda shop: shop.hear(Status.DELIVERED), id="attempt",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("begin", "code", "limit", "end"), TIMERS)
def test_it_fires_at_the_limit_once_and_closes_when_what_was_awaited_comes(
    shop: Shop, begin: Act, code: str, limit: timedelta, end: Act
) -> None:
    begin(shop)
    opened = len(shop.exceptions())
    assert shop.turn() == []
    assert shop.after(limit - SECOND) == [], "one second too early"
    assert shop.kinds() == {}
    (told,) = shop.after(SECOND)
    assert (told[0], told[2]) == ("overdue", 1)
    assert shop.exceptions()[opened:] == [(code, "OPEN", "")]
    assert shop.turn() == []
    assert shop.after(10 * DAY) == [], "once"
    shop.restart()
    assert shop.turn() == []
    assert shop.kinds() == {told[1]: 1}
    assert shop.count("exceptions", f"code = '{code}'") == 1
    end(shop)
    assert shop.turn() == [("no longer overdue", told[1], 1)]
    assert (code, "CLOSED", "syncd") in shop.exceptions()
    assert shop.turn() == []
    assert shop.kinds() == {}
    note = shop.rows("SELECT note FROM exceptions WHERE code = ?", code)[0][0]
    assert note.startswith("It waits no longer: ")


@pytest.mark.parametrize(("begin", "code", "limit", "end"), TIMERS)
def test_a_clock_set_back_neither_closes_nor_repeats(
    shop: Shop, begin: Act, code: str, limit: timedelta, end: Act
) -> None:
    begin(shop)
    shop.after(limit)
    for hours in (-5, -500, 505):
        shop.clock.step(timedelta(hours=hours))
        assert shop.turn() == []
        assert shop.count("exceptions", f"code = '{code}' AND state = 'OPEN'") == 1
    assert shop.count("exceptions", f"code = '{code}'") == 1


@pytest.mark.parametrize(("begin", "code", "limit", "end"), TIMERS)
def test_a_timer_missed_while_syncd_did_not_run_fires_once(
    shop: Shop, begin: Act, code: str, limit: timedelta, end: Act
) -> None:
    begin(shop)
    shop.restart()
    shop.clock.advance(5 * limit)
    assert [count for _, _, count in shop.turn()] == [1]
    shop.restart()
    assert shop.turn() == []
    assert shop.count("exceptions", f"code = '{code}'") == 1


@pytest.mark.parametrize(("begin", "code", "limit", "end"), TIMERS)
def test_what_a_person_closed_is_not_opened_again(
    shop: Shop, begin: Act, code: str, limit: timedelta, end: Act
) -> None:
    begin(shop)
    shop.after(limit)
    with shop.book.write():
        shop.book.query(
            "UPDATE exceptions SET state = 'CLOSED', closed_by = 'uid 7', closed_at = 1 "
            "WHERE code = ?", (code,),
        )  # fmt: skip
    assert shop.after(50 * DAY) == []
    assert shop.kinds() == {}
    assert shop.overdue().overdue == ()
    assert shop.count("exceptions", f"code = '{code}'") == 1


def test_an_order_has_one_exception_however_much_is_said_of_it(shop: Shop) -> None:
    park(shop)
    shop.clock.advance(DAY)
    shop.hear(Status.DELIVERED, quantity=1, line_id="L1")
    assert [count for *_, count in shop.after(3 * DAY)] == [1]
    assert shop.after(DAY) == []
    found = queries.exceptions(shop.book)
    assert [one.order_id for one in found] == ["OD1"]
    assert "syncctl trigger shop --order OD1 --wait" in found[0].what_to_do
    assert "the limit of 3 days passed at" in found[0].message


def test_a_line_that_the_book_lacks_is_told_like_an_order(shop: Shop) -> None:
    shop.order("OD1", ("L1", "SHIRT", 1))
    shop.hear(Status.DISPATCHED, line_id="L2")
    assert [kind for _, kind, _ in shop.after(3 * DAY)] == ["order"]
    shop.order("OD1", ("L1", "SHIRT", 1), ("L2", "SHIRT", 1))
    shop.settle()
    assert shop.turn() == [("no longer overdue", "order", 1)]


def test_a_second_notice_begins_the_waiting_anew(shop: Shop) -> None:
    come_back(shop)
    shop.after(21 * DAY)
    shop.hear(Status.RETURN_NOTICED, line_id="L1", evidence_id="again", **RTO)
    assert shop.turn() == [("no longer overdue", "rto", 1)]
    assert shop.after(21 * DAY - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "rto", 1)]
    assert [state for _, state, _ in shop.exceptions()] == ["CLOSED", "OPEN"]


def test_what_a_person_closed_does_not_silence_a_new_waiting(shop: Shop) -> None:
    come_back(shop)
    shop.after(21 * DAY)
    with shop.book.write():
        shop.book.query("UPDATE exceptions SET state = 'CLOSED', closed_by = 'uid 7'")
    shop.hear(Status.RETURN_NOTICED, line_id="L1", evidence_id="again", **RTO)
    assert shop.after(21 * DAY - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "rto", 1)]
    assert shop.exceptions() == [("rto_overdue", "CLOSED", "uid 7"), ("rto_overdue", "OPEN", "")]


def test_each_failed_attempt_begins_the_waiting_anew(shop: Shop) -> None:
    miss_the_buyer(shop)
    shop.clock.advance(5 * DAY)
    shop.hear(Status.UNDELIVERED, evidence_id="again")
    heard = shop.clock.now()
    shop.hear(Status.UNDELIVERED, occurred_at=START + 2 * DAY, evidence_id="an older one")
    assert shop.after(heard + 7 * DAY - SECOND - shop.clock.now()) == []
    assert shop.after(SECOND) == [("overdue", "attempt", 1)]


def test_a_longer_limit_closes_and_the_new_one_fires_once(shop: Shop) -> None:
    come_back(shop)
    shop.after(21 * DAY)
    shop.limits = {"shop": Limits(rto_overdue=25 * DAY)}
    assert shop.turn() == [("no longer overdue", "rto", 1)]
    assert shop.turn() == []
    assert shop.after(4 * DAY) == [("overdue", "rto", 1)]
    assert shop.after(DAY) == []


def test_more_than_a_batch_fires_in_one_turn(shop: Shop) -> None:
    for number in range(250):
        shop.tell(shop.change(f"OD{number}", Status.DISPATCHED))
    shop.settle()
    assert shop.after(4 * DAY) == [("overdue", "order", 250)]
    assert shop.count("exceptions") == 250
    assert shop.turn() == []


def test_each_piece_of_a_parcel_is_expected(shop: Shop) -> None:
    dispatched(shop, pieces=3)
    shop.hear(Status.RETURN_NOTICED, **RTO)
    assert shop.after(21 * DAY) == [("overdue", "rto", 3)]


def test_a_tombstone_expires_and_still_buries_its_order(shop: Shop) -> None:
    shop.hear(Status.CANCELLED)
    assert shop.journal()[0][0] == "TOMBSTONE"
    assert shop.after(120 * DAY - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "tombstone", 1)]
    assert shop.journal() == [("EXPIRED", "TOMBSTONE", "tombstone_expired")]
    assert queries.status(shop.book, shop.clock.now()).accounts[0].facts.tombstones == 0
    told = "\n".join(queries.explain(shop.book, "OD1").lines)
    assert "Kept for 120 days; the order never came." in told
    assert shop.after(DAY) == []
    assert shop.order("OD1", ("L1", "SHIRT", 1)).born_cancelled == 1
    assert shop.positions("OD1") == ["CANCELLED"]
    assert shop.journal()[0][0] == "DONE"


def test_a_kept_fact_expires_and_is_applied_when_its_order_comes_after_all(shop: Shop) -> None:
    park(shop)
    shop.after(3 * DAY)
    told = shop.after(117 * DAY)
    assert ("overdue", "kept_fact", 1) in told
    assert ("no longer overdue", "order", 1) in told
    assert shop.journal() == [("EXPIRED", "PARK", "fact_expired")]
    assert shop.turn() == []
    import_it(shop)
    assert shop.positions("OD1") == ["DISPATCHED"]


def test_an_expired_dispatch_still_goes_before_an_expired_cancellation(shop: Shop) -> None:
    park(shop)
    shop.hear(Status.CANCELLED)
    shop.after(121 * DAY)
    assert {state for state, *_ in shop.journal()} == {"EXPIRED"}
    taken = shop.order("OD1", ("L1", "SHIRT", 1))
    assert taken.born_cancelled == 0
    shop.settle()
    assert shop.positions("OD1") == ["RETURN_EXPECTED"], "it had left before it was cancelled"


def test_an_expired_fact_can_be_brought_back(shop: Shop) -> None:
    shop.hear(Status.CANCELLED)
    shop.after(120 * DAY)
    acts.retry(shop.book, ids=[1], actor="test", now=shop.clock.now())
    shop.settle()
    assert shop.journal()[0][0] == "TOMBSTONE"
    assert shop.turn() == [], "it is kept as long again"
    assert shop.after(120 * DAY) == [("overdue", "tombstone", 1)]


def test_a_buyers_wish_is_called_to_mind_every_half_hour(shop: Shop) -> None:
    shop.order("OD1", ("L1", "SHIRT", 1))
    shop.hear(Status.CANCEL_REQUESTED)
    assert shop.turn() == []
    assert shop.after(timedelta(minutes=30) - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "cancel_wish", 1)]
    assert shop.after(timedelta(minutes=29)) == []
    assert shop.after(timedelta(minutes=1)) == [("overdue", "cancel_wish", 1)]
    assert shop.after(timedelta(hours=7)) == [("overdue", "cancel_wish", 1)], "one for all missed"
    shop.restart()
    assert shop.turn() == []
    assert shop.count("exceptions") == 1, "not a new exception each time"
    problems = queries.status(shop.book, shop.clock.now()).accounts[0].problems
    assert any("1 buyer's wish to cancel waits for the channel's word for 8 hours" in p
               for p in problems)  # fmt: skip
    shop.clock.step(-DAY)
    shop.turn()
    assert shop.after(timedelta(minutes=30)) == [("overdue", "cancel_wish", 1)]
    shop.clock.step(DAY)
    shop.hear(Status.CANCEL_WITHDRAWN)
    shop.turn()
    assert shop.exceptions()[0][1] == "CLOSED"
    assert shop.after(DAY) == []


def cancel_on_the_manifest(shop: Shop) -> None:
    shop.stock("SHIRT", 1)
    shop.order("OD1", ("L1", "SHIRT", 1))
    shop.advance("OD1", Position.MANIFESTED)
    shop.hear(Status.CANCELLED, line_id="L1")


def tell_of_too_many(shop: Shop) -> None:
    shop.order("OD1", ("L1", "SHIRT", 1))
    shop.hear(Status.CANCELLED, line_id="L1", quantity=5)


@pytest.mark.parametrize(
    ("begin", "where"), [(cancel_on_the_manifest, "L1 piece 1"), (tell_of_too_many, "L1")]
)
def test_an_open_exception_is_called_to_mind_every_three_days_until_it_is_settled(
    shop: Shop, begin: Act, where: str
) -> None:
    begin(shop)
    assert shop.turn() == []
    assert shop.after(3 * DAY - SECOND) == []
    assert shop.overdue().overdue == ()
    assert shop.after(SECOND) == [("overdue", "exception", 1)]
    assert shop.turn() == []
    assert shop.after(2 * DAY) == []
    assert shop.after(60 * DAY) == [("overdue", "exception", 1)], "one for all missed"
    shop.restart()
    assert shop.turn() == []
    (late,) = shop.overdue().overdue
    assert (late.kind, late.order_id, late.exception_id) == ("exception", "OD1", 1)
    assert late.words.startswith(f"Line {where}: An exception waits for a person since 01 Mar 2026")
    assert "syncctl exceptions --account shop" in late.what_to_do
    problems = queries.status(shop.book, shop.clock.now()).accounts[0].problems
    assert any("1 exception that is not settled is overdue" in one for one in problems)
    acts.settle(shop.book, [1], "dismiss", note="looked", actor="asha", now=shop.clock.now())
    assert shop.after(4 * DAY) == []
    assert shop.kinds() == {}


@pytest.mark.parametrize("lost_from", ["on the way", "on the way back", "before it was dispatched"])
def test_a_claim_has_a_due_date_and_is_called_to_mind_once(shop: Shop, lost_from: str) -> None:
    if lost_from == "before it was dispatched":
        shop.order("OD1", ("L1", "SHIRT", 1))
    else:
        dispatched(shop)
    if lost_from == "on the way back":
        shop.hear(Status.RETURN_NOTICED, **RTO)
    shop.hear(Status.LOST, tracking_number="T1")
    assert shop.positions("OD1") == ["LOST"]
    assert shop.turn() == []
    due = shop.rows("SELECT due_at - opened_at FROM exceptions")[0][0]
    assert due == 30 * DAY / timedelta(microseconds=1)
    assert shop.after(30 * DAY - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "claim", 1)]
    assert shop.after(DAY) == []
    assert shop.kinds() == {"claim": 1}
    found = {"on the way back": {"status": Status.RETURNED, **RTO}}
    shop.hear(**found.get(lost_from, {"status": Status.DELIVERED}))  # type: ignore[arg-type]
    assert shop.turn() == []
    assert shop.kinds() == {}


@pytest.mark.unsound_book
def test_a_putaway_that_waits_is_told_once_and_opens_no_exception(shop: Shop) -> None:
    come_back(shop)
    shop.hear(Status.RETURNED, **RTO)
    assert shop.after(3 * DAY - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "putaway", 1)]
    assert shop.after(DAY) == []
    assert shop.exceptions() == []
    problems = queries.status(shop.book, shop.clock.now()).accounts[0].problems
    assert problems == (
        "shop: 1 piece for a shelf is overdue, waiting for 4 days. See: syncctl overdue "
        "--account shop",
    )
    with shop.book.write():
        shop.book.query("UPDATE putaway SET state = 'HELD'")
    assert shop.kinds() == {"held_putaway": 1}
    with shop.book.write():
        shop.book.query("UPDATE putaway SET state = 'COMPLETED'")
    assert shop.kinds() == {}


def test_a_refused_fact_is_called_to_mind(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sequence=False)
    dispatched(shop)
    assert shop.journal()[0][0] == "REFUSED"
    assert shop.after(DAY - SECOND) == []
    assert shop.after(SECOND) == [("overdue", "refused", 1)]
    shop.settle()
    assert shop.turn() == [], "trying again does not begin the waiting anew"
    shop.define_sequence()
    shop.settle()
    assert shop.kinds() == {}
    shop.book.close()


def test_the_timers_of_a_tenant_that_is_not_live_stay_quiet(shop: Shop) -> None:
    park(shop)
    come_back_order = "OD2"
    shop.order(come_back_order, ("L1", "SHIRT", 1))
    acts.set_tenant_state(shop.book, "acme", "SUSPENDED", actor="test", now=shop.clock.now())
    assert shop.after(200 * DAY) == []
    assert shop.exceptions() == []
    assert shop.overdue().counts == {}
    acts.set_tenant_state(shop.book, "acme", "LIVE", actor="test", now=shop.clock.now())
    assert shop.turn(), "and fire once it is live again"


def test_an_account_that_is_not_configured_stays_quiet(shop: Shop) -> None:
    park(shop)
    shop.limits = {}
    assert shop.after(200 * DAY) == []


def test_what_will_be_next_is_told_in_order(shop: Shop) -> None:
    park(shop)
    dispatched(shop, "OD2")
    shop.hear(Status.RETURN_NOTICED, "OD2", line_id="L1", **RTO)
    shop.turn()
    found = shop.overdue()
    assert found.overdue == ()
    assert [(one.kind, one.order_id) for one in found.coming] == [("order", "OD1"), ("rto", "OD2")]
    shop.after(3 * DAY)
    found = shop.overdue()
    assert [one.kind for one in found.overdue] == ["order"]
    assert [one.kind for one in found.coming] == ["rto"]
    assert found.overdue[0].exception_id == 1
    assert found.coming[0].due - found.coming[0].since == 21 * DAY


def test_explain_tells_how_long_it_is_expected(shop: Shop) -> None:
    come_back(shop)
    shop.after(23 * DAY)
    told = queries.explain(shop.book, "OD1", at=shop.clock.now()).now
    assert told[-1] == (
        "Line L1: Expected back undelivered since 01 Mar 2026 06:02 UTC, 23 days; overdue since "
        "22 Mar 2026 06:02 UTC."
    )
    before = queries.explain(shop.book, "OD1", at=shop.clock.now() - 20 * DAY).now
    assert before[-1].endswith("3 days; due 22 Mar 2026 06:02 UTC.")


def test_a_piece_that_has_moved_on_needs_no_attempt(shop: Shop) -> None:
    miss_the_buyer(shop)
    shop.turn()
    assert shop.count("attempt") == 1
    shop.hear(Status.DELIVERED)
    shop.turn()
    assert shop.count("attempt") == 0


INDEXES = {
    Wait.RTO: "i USING INDEX item_coming_back", Wait.CIR: "i USING INDEX item_coming_back",
    Wait.CLAIM: "e USING INDEX exceptions_state",
    Wait.CANCEL_WISH: "e USING INDEX exceptions_state",
    Wait.EXCEPTION: "e USING INDEX exceptions_state",
    Wait.PUTAWAY: "p USING INDEX putaway_state", Wait.HELD_PUTAWAY: "p USING INDEX putaway_state",
    Wait.ATTEMPT: "SCAN t",  # in this table stands only what waits
}  # fmt: skip


def steps_of(shop: Shop, wait: Wait, order_id: str | None) -> list[str]:
    """How SQLite finds what waits, step by step."""
    with shop.book.connection():
        plan = shop.book.query(
            f"EXPLAIN QUERY PLAN {waits._found(wait, order_id)} WHERE ?1 + ?2 + ?3 + ?4 + ?5",
            (1, 0, 1, RULES[wait].code, ""),
        ).fetchall()
    steps = [row[3].removeprefix("SEARCH ") for row in plan]
    own = ("SCAN CONSTANT ROW", "SCAN w")  # what the query itself has gathered
    return [step for step in steps if " USING " in step or (step.startswith("SCAN")
            and step not in own)]  # fmt: skip


@pytest.mark.parametrize("wait", Wait)
def test_each_kind_of_waiting_is_found_by_its_index(shop: Shop, wait: Wait) -> None:
    """The cost of a turn follows what waits, not the size of the book."""
    first, *others = steps_of(shop, wait, None)
    assert first.startswith(INDEXES.get(wait, "f USING INDEX inbox_waits"))
    assert not [step for step in others if step.startswith("SCAN")], others


@pytest.mark.parametrize("wait", Wait)
def test_what_an_order_waits_for_is_found_by_the_order(shop: Shop, wait: Wait) -> None:
    steps = steps_of(shop, wait, "OD1")
    assert re.search(r"\((account_id|order_id)=\? AND (order_id|account_id)=\?\)", steps[0])
    general = ("item_coming_back", "inbox_waits", "putaway_state", "exceptions_state", "SCAN")
    assert not [step for step in steps if any(word in step for word in general)], steps


def test_what_expires_in_a_late_turn_is_not_asked_about(shop: Shop) -> None:
    """After a long silence both limits have passed: one turn does it all, the next one nothing."""
    shop.hear(Status.DISPATCHED, "GHOST")
    assert [kind for _, kind, _ in shop.after(200 * DAY)] == ["kept_fact"]
    assert shop.journal() == [("EXPIRED", "PARK", "fact_expired")]
    assert shop.exceptions() == []
    assert shop.turn() == []
