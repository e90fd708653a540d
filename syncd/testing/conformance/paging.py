"""Rules about pages: links that lie, empty and broken pages, a world that moves meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from syncd.errors import PanelError
from syncd.statuses import Kind, NewOrder, Status
from syncd.testing.conformance.faults import Clean, FaultRules
from syncd.testing.conformance.journal import Journal, names
from syncd.testing.conformance.rows import order_ids
from syncd.testing.conformance.words import Broken, must, rule
from syncd.testing.faults import Fault
from syncd.testing.messages import Request
from syncd.testing.panel_server import PanelServer


class PagingRules(FaultRules):
    """Every page is read once, and none is believed blindly."""

    @rule("A page without rows that says there is more is no end.", unless="empty")
    def test_an_empty_page_with_more_is_no_end(self) -> None:
        for clean in self.each():
            rows = clean.read(Fault(do="empty"))
            told, all_of_it = set(names(rows)), set(names(clean.rows))
            last = set(names(clean.rows[-1:]))
            must(
                last <= told <= all_of_it,
                f"{clean.kind}: after an empty first page {len(rows)} of {len(all_of_it)} came.",
                "Go on while the panel says that there is more, whether or not rows came.",
            )

    @rule("A link that leads to itself ends the pass as an error.", unless="ring")
    def test_a_ring_of_links_is_noticed(self) -> None:
        for clean in self.each():
            before = clean.reader.asked()
            limit = 3 * clean.requests + 20
            ring, end = Fault(do="ring", times=limit), Fault(do="status", status=400, times=-1)
            clean.raises("a link to its own page", ring, end, unless="ring")
            asked = clean.reader.asked() - before
            must(
                asked <= clean.requests + 3,
                f"{clean.kind}: it was noticed after {asked} requests.",
                "Hand each link through syncd.Links.",
            )

    @rule("A link to another host is refused and nothing is sent there.", unless="foreign")
    def test_a_foreign_link_is_refused(self) -> None:
        for clean in self.each():
            with PanelServer(clean.shop.world, clean.shop.clock) as stranger:
                fault = Fault(do="foreign", body=f"{stranger.url}/next", times=-1)
                clean.raises("a link to another host", fault, unless="foreign")
                must(
                    not stranger.log,
                    f"{clean.kind}: the other host was asked.",
                    "Follow links with panel.follow, which refuses other hosts.",
                )

    @rule("«There is more» without a link ends the pass as an error.", unless="no_link")
    def test_a_missing_link_is_an_error(self) -> None:
        for clean in self.each():
            clean.raises("more, but no link", Fault(do="no_link", times=-1), unless="no_link")

    @rule("«No more» with a link ends the pass as an error.", unless="stray_link")
    def test_a_stray_link_is_an_error(self) -> None:
        for clean in self.each():
            fault = Fault(do="stray_link", times=-1)
            clean.raises("no more, but a link", fault, unless="stray_link")

    @rule("A page that comes twice ends in an error or costs nothing twice.", unless="empty")
    def test_a_repeated_page_ends(self) -> None:
        for clean in self.each():
            if clean.paths[0] not in clean.paths[1:]:
                continue  # its pages have paths of their own
            before = clean.reader.asked()
            try:
                rows = clean.read(Fault(do="repeat", skip=clean.paths.index(clean.paths[0], 1)))
            except PanelError:
                continue
            finally:
                asked = clean.reader.asked() - before
            must(
                asked <= 2 * clean.requests + 3,
                f"{clean.kind}: {asked} requests instead of {clean.requests}.",
                "End the paging when a page comes again.",
            )
            journal = Journal()
            journal.take(clean.kind, rows)
            must(
                set(names(rows)) <= set(names(clean.rows)),
                f"{clean.kind}: the same page gave other facts.",
                "Make evidence of the row, not of its place.",
            )

    @rule("A broken row costs one row, which is shown to a person.", unless="garble")
    def test_a_broken_row_costs_one_row(self) -> None:
        for clean in self.each():
            for text in self.garbles:
                try:
                    rows = clean.read(Fault(do="garble", body=text))
                except PanelError as error:
                    raise Broken(
                        f"{clean.kind}: the row {text} failed the pass: {error}",
                        "Declare the list as msgspec.Raw and read it with syncd.shapes.rows.",
                    ) from error
                lost = order_ids(clean.rows) - order_ids(rows)
                must(
                    len(lost) <= 1,
                    f"{clean.kind}: the row {text} cost {len(lost)} orders.",
                    "Read each row by itself: syncd.shapes.rows.",
                )
                shown = [row for row in rows if row.problem]
                must(
                    shown and all(row.raw for row in shown),
                    f"{clean.kind}: the row {text} was passed over in silence.",
                    "Yield it with status UNKNOWN (an order: with a problem), raw and problem.",
                )
                _check_unknown(clean.kind, shown)

    @rule("A hook that is left after page n and run again tells everything.")
    def test_a_restart_at_each_page(self) -> None:
        for clean in self.each(network=False):
            for n in range(1, min(len(clean.pages), 4) + 1):
                pages = clean.reader.pages(clean.kind, window=clean.window)
                told: list[Any] = []
                for _ in range(n):
                    told += next(pages).rows
                pages.close()  # type: ignore[attr-defined]
                clean.reader.new_panel()
                rows = clean.reader.read(clean.kind, window=clean.window)
                must(
                    names(rows) == names(clean.rows) and set(names(told)) <= set(names(rows)),
                    f"{clean.kind}: left after page {n}, the next run told {len(rows)} rows "
                    f"instead of {len(clean.rows)}.",
                    "Keep no place of your own between calls; the core keeps the cursor.",
                )

    @rule("Rows that shift while pages are read cost nothing for good.")
    def test_rows_that_shift_are_found(self) -> None:
        for clean in self.each(network=False):
            self._shift(clean)
            overlap = clean.reader.plugin.channel.overlap
            journal = Journal()
            first = clean.reader.read(clean.kind, window=clean.window)
            clean.shop.server.on_request = None
            clean.shop.settle()
            window = clean.reader.window(overlap + timedelta(hours=2))
            second = clean.reader.read(clean.kind, window=window)
            if clean.kind is not Kind.ORDERS:
                journal.take(clean.kind, [*first, *second])
            wanted = set(clean.shop.world.orders)
            missing = wanted - order_ids([*first, *second])
            must(
                not missing,
                f"{clean.kind}: {len(missing)} orders were never told.",
                "Let pages shift: never skip a row by its number, and let `overlap` be longer "
                "than the time between two passes.",
            )

    def _shift(self, clean: Clean) -> None:
        """Once, between two pages, a row more comes in at the front, and one may move away."""
        shop, kind = clean.shop, clean.kind
        count = [0]

        oldest = next(iter(shop.world.orders))

        def meddle(request: Request) -> None:
            count[0] += 1
            if count[0] == 2:
                if kind is Kind.DISPATCHED and "pick_up" not in self.cannot:
                    shop.world.ship(oldest)  # its row moves to the end, its neighbours move up
                at = shop.clock.now() - timedelta(minutes=60)
                order = shop.world.place_order([("SKU-shift", 1)], at=at)
                self.happen(shop, kind, order, at + timedelta(minutes=20))

        shop.server.on_request = meddle

    @rule("complete_until is never a promise that the pages before did not keep.")
    def test_complete_until_is_true(self) -> None:
        for clean in self.each(network=False):
            rows = list(clean.rows)
            told: list[Any] = []
            latest = clean.window.start
            for page in clean.reader.pages(clean.kind, window=clean.window):
                told += page.rows
                until = page.complete_until
                if until is None:
                    continue
                must(
                    until.tzinfo is not None and latest <= until <= clean.window.end,
                    f"{clean.kind}: complete_until is {until} in the window {clean.window}.",
                    "It is aware, inside the window, and never goes back.",
                )
                latest = until
                missing = [row for row in rows if _at(row) < until]
                must(
                    set(names(missing)) <= set(names(told)),
                    f"{clean.kind}: complete_until {until}, but rows before it came later.",
                    "Set it only where the panel answers in time order; else leave it None.",
                )

    @rule("Pages are yielded as they come, so that memory stays flat.", unless="stream")
    def test_pages_are_yielded_as_they_come(self) -> None:
        for clean in self.each():
            if clean.requests < 6:
                continue
            before = clean.reader.asked()
            pages = clean.reader.pages(clean.kind, window=clean.window)
            next(pages)
            ahead = clean.reader.asked() - before
            pages.close()  # type: ignore[attr-defined]
            must(
                ahead <= clean.requests // 2,
                f"{clean.kind}: {ahead} of {clean.requests} requests before the first page.",
                "Make the hook a generator: yield each page before the next is asked for.",
            )


def _at(row: Any) -> Any:
    return row.placed_at if isinstance(row, NewOrder) else row.occurred_at


def _check_unknown(kind: Kind, shown: list[Any]) -> None:
    if kind is Kind.ORDERS:
        return
    for row in shown:
        must(
            row.status is Status.UNKNOWN,
            f"{kind}: a row with a problem has the status {row.status}.",
            "What cannot be read is UNKNOWN, never a guess.",
        )
