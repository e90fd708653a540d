"""Rules about answers that are a little different: the kit changes the JSON on its way.

A row is what stands in a list of the answer and holds an order's id. No shape needs be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from syncd.errors import PanelError
from syncd.statuses import Kind, Status
from syncd.testing.conformance.base import Shop
from syncd.testing.conformance.faults import Clean, FaultRules
from syncd.testing.conformance.journal import Journal, names
from syncd.testing.conformance.rows import order_ids
from syncd.testing.conformance.words import Broken, must, rule
from syncd.testing.messages import Reply, Request

NEW_WORD: Final = "NOBODY_HAS_SEEN_THIS"
BUYER: Final = "a buyer whom the kit made up"

Change = Callable[[Any], Any]


@contextmanager
def changed(shop: Shop, change: Change) -> Iterator[list[int]]:
    """Let each JSON answer of the panel pass through ``change``; yields a count of changes."""
    server = shop.server
    plain = server.answer
    count = [0]

    def answer(request: Request) -> Reply:
        reply = plain(request)
        try:
            content = msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            return reply
        after = change(content)
        if after is None:
            return reply
        count[0] += 1
        return Reply(reply.status, msgspec.json.encode(after), reply.content_type, reply.headers)

    server.answer = answer  # type: ignore[method-assign]
    try:
        yield count
    finally:
        del server.answer


def row_lists(content: Any, order_id: str) -> Iterator[list[Any]]:
    """The outermost lists of which an element holds the order's id."""
    if isinstance(content, list):
        if any(_holds(element, order_id) for element in content):
            yield content
        return
    if isinstance(content, dict):
        for value in content.values():
            yield from row_lists(value, order_id)


def _holds(content: Any, text: str) -> bool:
    if isinstance(content, dict):
        return any(_holds(value, text) for value in content.values())
    if isinstance(content, list):
        return any(_holds(value, text) for value in content)
    return str(content) == text


def objects(content: Any) -> Iterator[dict[str, Any]]:
    """Every object inside, the outer ones first."""
    if isinstance(content, dict):
        yield content
        for value in content.values():
            yield from objects(value)
    elif isinstance(content, list):
        for value in content:
            yield from objects(value)


def _rows_of(content: Any, order_id: str) -> Iterator[dict[str, Any]]:
    for rows in row_lists(content, order_id):
        yield from (row for row in rows if isinstance(row, dict) and _holds(row, order_id))


class WireRules(FaultRules):
    """The panel grows and errs; a row is read as far as it can be, never guessed."""

    @rule("Fields that nobody expected change nothing.", unless="json")
    def test_unexpected_fields_are_ignored(self) -> None:
        def grow(content: Any) -> Any:
            for one in list(objects(content)):
                one["fieldOfTheKit"] = {"deep": [1, None, {"x": "y"}]}
            return content

        for clean in self.each(count=4):
            with changed(clean.shop, grow) as count:
                clean.complete("an unexpected field", "Do not forbid unknown fields in shapes.")
            must(count[0], "No answer was JSON.", 'Say cannot = {"json"}.')

    @rule("A row that comes twice in a list is one fact.", unless="json")
    def test_a_row_that_comes_twice_is_one(self) -> None:
        for clean in self.each(count=4):
            ids = order_ids(clean.rows)

            def double(content: Any, ids: set[str] = ids) -> Any:
                for order_id in ids:
                    for rows in row_lists(content, order_id):
                        if len(rows) <= 8:
                            rows += rows
                return content

            first = [True]

            def once(content: Any, first: list[bool] = first, double: Change = double) -> Any:
                if not first[0]:
                    return None
                first[0] = False
                return double(content)

            with changed(clean.shop, once) as count:
                rows = clean.read()
            must(count[0], "No answer was JSON.", 'Say cannot = {"json"}.')
            journal = Journal()
            journal.take(clean.kind, rows)
            must(
                set(names(rows)) == set(names(clean.rows)),
                f"{clean.kind}: doubled rows gave "
                f"{sorted(set(names(rows)) ^ set(names(clean.rows)))[:2]}.",
                "Rows shift between pages, so one may come twice: count it once, and make "
                "evidence of its ids.",
            )

    @rule("A field that is null or absent in one row costs that row, and is never lost in silence.",
          unless="json")  # fmt: skip
    def test_a_missing_field_costs_one_row(self) -> None:
        for clean in self.each(count=3):
            wanted = clean.lone().order_id
            keys = self._keys(clean, wanted)
            must(keys, f"{clean.kind}: no list of rows was found.", 'Say cannot = {"json"}.')
            for key in keys:
                for absent in (False, True):
                    self._without(clean, wanted, key, absent)

    def _keys(self, clean: Clean, order_id: str) -> list[str]:
        found: dict[str, None] = {}

        def look(content: Any) -> Any:
            for row in _rows_of(content, order_id):
                for one in objects(row):
                    found.update(dict.fromkeys(one))

        with changed(clean.shop, look):
            clean.read()
        return list(found)

    def _without(self, clean: Clean, order_id: str, key: str, absent: bool) -> None:
        def spoil(content: Any) -> Any:
            for row in _rows_of(content, order_id):
                for one in objects(row):
                    if key in one and absent:
                        del one[key]
                    elif key in one:
                        one[key] = None
            return content

        what = f"{clean.kind}: the field {key!r} is {'absent' if absent else 'null'} in one row"
        try:
            with changed(clean.shop, spoil):
                rows = clean.read()
        except PanelError as error:
            raise Broken(
                f"{what}: the pass failed: {error}", "Read each row by itself: syncd.shapes.rows."
            ) from error
        others = order_ids(clean.rows) - {order_id}
        must(
            others <= order_ids(rows),
            f"{what}: {len(others - order_ids(rows))} other orders were lost.",
            "Read each row by itself: syncd.shapes.rows.",
        )
        must(
            any(row.order_id == order_id or row.problem for row in rows),
            f"{what}: the row was passed over in silence.",
            "Yield what cannot be read as UNKNOWN (an order: with a problem), raw and problem.",
        )
        must(
            all(row.raw for row in rows if row.problem),
            f"{what}: a row with a problem has no raw.",
            "Give the row as it came.",
        )

    @rule("Of a row that cannot be read no field is kept that is not read of a good one.",
          unless="json")  # fmt: skip
    def test_no_buyers_data_is_kept_of_a_broken_row(self) -> None:
        for clean in self.each(count=3):
            wanted = clean.lone().order_id
            keys = self._keys(clean, wanted)
            for key in keys:
                self._with_a_buyer(clean, wanted, key)

    def _with_a_buyer(self, clean: Clean, order_id: str, key: str) -> None:
        """One field of a row is broken, and beside it stands what is no business of ours."""

        def spoil(content: Any) -> Any:
            for row in _rows_of(content, order_id):
                for one in list(objects(row)):
                    one["buyerOfTheKit"] = {"name": BUYER, "phones": [BUYER]}
                    if key in one:
                        one[key] = None
            return content

        with changed(clean.shop, spoil):
            rows = clean.read()
        told = [row for row in rows if BUYER in repr(row)]
        must(
            not told,
            f"{clean.kind}: with the field {key!r} broken, a field of the buyer came out: {told}",
            "Take raw from syncd.shapes (BadRow.raw, readable, kept), or encode what you read.",
        )

    @rule("A word that nobody knows is UNKNOWN with raw and problem; the rest follows.",
          unless="json unknown_word")  # fmt: skip
    def test_an_unknown_word_is_unknown(self) -> None:
        for clean in self.each(count=4):
            if clean.kind is Kind.ORDERS:
                continue
            first = clean.lone()
            native = first.native_status

            def rename(content: Any, first: Any = first, native: str = native) -> Any:
                found = False
                for row in _rows_of(content, first.order_id):
                    for one in objects(row):
                        for key, value in one.items():
                            if _same_word(value, native):
                                one[key] = NEW_WORD
                                found = True
                return content if found else None

            with changed(clean.shop, rename) as count:
                rows = clean.read()
            must(
                count[0],
                f"{clean.kind}: native_status {native!r} stands in no row of the panel.",
                "Put the panel's word into native_status as it came. Where rows carry no such word "
                'say cannot = {"unknown_word"}; where answers are no JSON, cannot = {"json"}.',
            )
            self._check_new_word(clean, first, rows)

    def _check_new_word(self, clean: Clean, first: Any, rows: list[Any]) -> None:
        told = [row for row in rows if row.order_id == first.order_id]
        must(
            told,
            f"{clean.kind}: a row with the word {NEW_WORD} was passed over in silence.",
            "Yield UNKNOWN for each word that is not in the table of words.",
        )
        same = [row for row in told if row.line_id == first.line_id]
        for row in same:
            must(
                row.status is Status.UNKNOWN and row.raw and row.problem,
                f"{clean.kind}: a row with the word {NEW_WORD} came out as {row}.",
                "Never guess: Status.UNKNOWN, with raw and problem.",
            )
            must(
                NEW_WORD in f"{row.raw} {row.native_status} {row.problem}",
                f"{clean.kind}: nobody can see which word it was: {row}",
                "Show the word in native_status, problem and raw.",
            )
        others = order_ids(clean.rows) - {first.order_id}
        must(
            others <= order_ids(rows),
            f"{clean.kind}: the new word of one row cost {len(others - order_ids(rows))} others.",
            "Go on with the next row.",
        )


def _same_word(value: Any, native: str) -> bool:
    return isinstance(value, (str, int)) and str(value).casefold() == native.casefold()
