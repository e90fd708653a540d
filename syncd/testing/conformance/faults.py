"""Rules about a panel in trouble: errors pass through by name, and no row is lost in silence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from syncd.clock import HandClock
from syncd.errors import PanelBusy, PanelError, PanelRefused
from syncd.panel import Limits
from syncd.statuses import Kind, NewOrder
from syncd.testing.conformance.base import Base, Shop
from syncd.testing.conformance.journal import names
from syncd.testing.conformance.reading import Reader
from syncd.testing.conformance.words import Broken, fail, must, rule
from syncd.testing.faults import Fault

SMALL: Final = Limits(connect=2.0, read=5.0, total=10.0, max_bytes=1 << 20, retries=1)

PASSING: Final = (
    Fault(do="status", status=429, headers={"Retry-After": "7"}),
    Fault(do="status", status=500),
    Fault(do="status", status=502),
    Fault(do="status", status=503),
    Fault(do="reset"),
)
"""Troubles that pass by themselves: the client asks again."""

WRONG: Final = (
    ("a login page", Fault(do="html", times=-1)),
    ("a redirect", Fault(do="redirect", times=-1)),
    ("a body cut short", Fault(do="cut", times=-1)),
    ("half a document", Fault(do="body", body='{"rows":[{"id":', times=-1)),
    ("bytes that are no text", Fault(do="body", body='{"rows": "\udcff"}', times=-1)),
    ("endless brackets", Fault(do="body", body="[" * 50_000, times=-1)),
    ("an empty body", Fault(do="body", body="", times=-1)),
    ("a body that is too large", Fault(do="flood", size=2 << 20, times=-1)),
    ("a gzip bomb", Fault(do="bomb", size=8 << 20, times=-1)),
    ("400 Bad Request", Fault(do="status", status=400, times=-1)),
    ("410 Gone", Fault(do="status", status=410, times=-1)),
    ("403 Forbidden", Fault(do="status", status=403, times=-1)),
    ("503 for hours", Fault(do="status", status=503, times=-1)),
)
"""Troubles that stay: the pass must fail by name."""


class Clean:
    """A kind with pages enough, what it tells in peace, and how many requests that takes."""

    def __init__(self, shop: Shop, kind: Kind, reader: Reader) -> None:
        self.shop, self.kind, self.reader = shop, kind, reader
        self.window = reader.window()
        reader.read(kind, window=self.window)  # with it comes the token
        before = reader.asked()
        self.pages = [list(page.rows) for page in reader.pages(kind, window=self.window)]
        self.requests = reader.asked() - before
        self.paths = [one.target.partition("?")[0] for one in list(shop.server.log)[before:]]
        self.rows = [row for page in self.pages for row in page]

    def lone(self) -> Any:
        """A row of an order that has one line, so that nothing else stands beside it."""
        return next((row for row in self.rows if _sku(row) == "SKU-1-0"), self.rows[0])

    def read(self, *faults: Fault) -> list[Any]:
        """The same window again, while the panel does this."""
        self.shop.server.faults.clear()
        self.shop.server.faults.add(*faults)
        try:
            return self.reader.read(self.kind, window=self.window)
        finally:
            self.shop.server.faults.clear()

    def raises(
        self,
        what: str,
        *faults: Fault,
        wanted: type[PanelError] = PanelError,
        unless: str = "",
    ) -> PanelError:
        """The error with which the pass fails. Raises Broken where it does not, or wrongly.

        ``unless`` is the word of ``cannot`` for a panel at which this cannot happen.
        """
        cannot = f' If this panel cannot do that, say cannot = {{"{unless}"}}.' if unless else ""
        try:
            rows = self.read(*faults)
        except wanted as error:
            return error
        except Exception as error:
            raise Broken(
                f"{self.kind}, {what}: {type(error).__name__}: {error}.",
                f"Let the panel's own errors through; here it is {wanted.__name__}.",
            ) from error
        finally:
            self.reader.memory.texts.clear()  # so that the next trouble meets the same requests
        fail(
            f"{self.kind}, {what}: no error, and {len(rows)} rows instead of {len(self.rows)}.",
            "Never take a broken answer for an empty one: give each answer a shape with the fields "
            f"that must be there, and let what the panel raises through.{cannot}",
        )

    def complete(self, what: str, do: str, *faults: Fault) -> None:
        """Raises Broken unless all rows are told in spite of the fault."""
        try:
            rows = self.read(*faults)
        except PanelError as error:
            raise Broken(f"{self.kind}, {what}: {type(error).__name__}: {error}.", do) from error
        lost = set(names(self.rows)) - set(names(rows))
        must(not lost, f"{self.kind}, {what}: {len(lost)} rows are missing.", do)


class _Ticking(HandClock):
    """Its date stands still, its seconds pass: limits of time are met in real time."""

    def monotonic(self) -> float:
        return time.monotonic()


class FaultRules(Base):
    """The panel client deals with trouble; a plugin lets it."""

    def each(
        self,
        limits: Limits = SMALL,
        *,
        count: int = 0,
        kinds: int = len(Kind),
        network: bool = True,
    ) -> Iterator[Clean]:
        """Each kind (the first ``kinds`` of them) in a shop of its own, with pages enough.

        ``network`` leaves those out that are read without a request, as from a file.
        """
        for kind in self.kinds(self.load())[:kinds]:
            with self.shop() as shop:
                orders = self.fill(shop, kind, count or self.many)
                reader = shop.reader(limits=limits)
                if count:
                    reader.learn([order.order_id for order in orders])
                clean = Clean(shop, kind, reader)
                must(clean.rows, f"{kind}: nothing is told in peace.", "See to that first.")
                if clean.requests or not network:
                    yield clean

    @rule("A panel that is busy for a moment (429, 500, 502, 503, reset) costs nothing.")
    def test_a_busy_moment_costs_nothing(self) -> None:
        for clean in self.each():
            for fault in PASSING:
                for skip in sorted({0, clean.requests // 2, clean.requests - 1}):
                    what = f"{fault.do} {fault.status or ''} on request {skip + 1}"
                    once = _at(fault, skip)
                    if "repeat" in self.cannot:
                        self._may_fail(clean, once)
                    else:
                        clean.complete(
                            what,
                            "Say reads=True for a POST that only reads, so that it is asked again; "
                            "and catch none of the panel's errors.",
                            once,
                        )

    def _may_fail(self, clean: Clean, fault: Fault) -> None:
        try:
            rows = clean.read(fault)
        except PanelBusy:
            return
        lost = set(names(clean.rows)) - set(names(rows))
        must(not lost, f"{clean.kind}: {len(lost)} rows are missing.", "Let PanelBusy through.")

    @rule("Retry-After is obeyed: the plugin asks through the panel it was given.")
    def test_retry_after_is_obeyed(self) -> None:
        for clean in self.each(count=3):
            before = clean.reader.clock.monotonic()
            try:
                clean.read(Fault(do="status", status=429, headers={"Retry-After": "33"}))
            except PanelBusy:
                continue
            waited = clean.reader.clock.monotonic() - before
            must(
                waited >= 33,
                f"{clean.kind}: asked to wait 33 s, it went on after {waited:.0f} s.",
                "Make every call with the `panel` argument; open no connection of your own.",
            )

    @rule("A wrong answer (login page, redirect, cut, bomb, gone ...) fails the pass by name.")
    def test_a_wrong_answer_fails_the_pass(self) -> None:
        for clean in self.each():
            for what, fault in WRONG:
                blank = "empty_body" in self.cannot
                if blank and what == "an empty body":
                    continue
                # What has no body cannot be cut.
                last = 0 if blank and fault.do == "cut" else clean.requests - 1
                for skip in sorted({0, last}):
                    clean.raises(f"{what} on request {skip + 1}", _at(fault, skip))

    @rule("A panel that takes the request and is silent, or drips, fails the pass in time.")
    def test_a_silent_panel_fails_the_pass(self) -> None:
        quick = Limits(connect=1.0, read=0.15, total=0.3, retries=0)
        for clean in self.each(count=3, kinds=1):
            clean.reader.new_panel(quick, _Ticking(clean.shop.clock.now()))
            clean.raises("silence", Fault(do="hang", times=-1, seconds=0.4), wanted=PanelBusy)
            clean.raises("a slow drip", Fault(do="drip", times=-1, size=1, seconds=0.05))

    @rule("Pages that came before the trouble are yielded before it.", unless="stream")
    def test_pages_before_the_trouble_are_kept(self) -> None:
        for clean in self.each():
            if clean.requests < 4:
                continue
            last = Fault(do="status", status=503, times=-1, skip=clean.requests - 1)
            clean.shop.server.faults.add(last)
            told: list[Any] = []
            try:
                for page in clean.reader.pages(clean.kind, window=clean.window):
                    told += page.rows
            except PanelBusy:
                pass
            clean.shop.server.faults.clear()
            must(
                told,
                f"{clean.kind}: request {clean.requests} failed, and no page was yielded before.",
                "Yield each page as it comes, instead of gathering rows first.",
            )

    @rule("A token that dies in mid-paging is renewed, and nothing is lost.")
    def test_a_token_that_dies_is_renewed(self) -> None:
        for clean in self.each():
            if not clean.reader.tokens._tokens:
                continue  # no token is fetched: the credentials themselves are sent
            for skip in sorted({0, clean.requests // 2, clean.requests - 1}):
                clean.shop.clock.advance(timedelta(minutes=2))  # a token so young is believed
                clean.complete(
                    f"tokens die before request {skip + 1}",
                    "Hand `authorise` to each call, also to panel.follow, and ask again from "
                    "where it stood.",
                    Fault(do="expire", skip=skip),
                )

    @rule("Credentials that are refused for good raise PanelRefused.")
    def test_refused_credentials_are_told(self) -> None:
        for clean in self.each(count=3):
            clean.raises(
                "401 for good", Fault(do="status", status=401, times=-1), wanted=PanelRefused
            )


def _sku(row: Any) -> str:
    return str(row.lines[0].sku if isinstance(row, NewOrder) else row.sku)


def _at(fault: Fault, skip: int) -> Fault:
    return Fault(
        do=fault.do,
        status=fault.status,
        headers=fault.headers,
        times=fault.times,
        size=fault.size,
        body=fault.body,
        skip=skip,
    )
