"""What may stand in ``cannot``, and the three sentences of a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

CANNOT: Final[Mapping[str, str]] = MappingProxyType(
    {
        # how the panel answers
        "empty": "there are no pages: a page without rows cannot be followed by others",
        "empty_body": "an answer without a body is how this panel says that there is nothing",
        "ring": "pages are asked for by number or token, no answer carries a link",
        "foreign": "the same, so no link can lead to another host",
        "no_link": "an answer has no word for «there is more» beside its link or token",
        "stray_link": "the same: it cannot say «no more» and carry a link",
        "garble": "a broken row cannot be told from a broken answer",
        "json": "answers are no JSON: rows cannot be changed on the wire by the kit",
        "unknown_word": "rows carry no word of the panel that could be a new one",
        "by_date": "the panel shows days only: the edges of a window are a day wide",
        "by_event": "a window goes by when a report was made, not by when something happened",
        "stamps": "rows carry no time of what happened",
        "stream": "a whole report comes at once, so nothing can be yielded before it is read",
        "repeat": "a POST of this panel begins some work, so a busy one is not asked again",
        "odd_ids": "ids have a fixed form: leading zeros or letters never occur",
        # what happens at the panel
        "lines": "an order has one line only, whose id may be the order's own",
        "line_ids": "some rows, or the orders too, name a line by its SKU only",
        "quantities": "a line has one piece only",
        "split": "an order travels in one parcel",
        "parcels": "a dispatch names no parcel: neither an id nor a tracking number",
        "return_ids": "some returns have no id",
        "parts": "a line is cancelled or sent back whole, never a part of its pieces",
        "whole": "an order has one word: what befalls a part of it is never shown",
        "seller_ships": "no order is ever shipped by the seller",
        "sellers": "one login sees all: there are no two sellers to keep apart",
        "pick_up": "the panel does not tell a pick-up; only a later step shows",
        "deliver": "a delivery is never shown",
        "lost": "a loss is never shown",
        "cancel": "a cancellation is never shown",
        "cancel_in_transit": "a parcel on its way cannot be cancelled",
        "courier_return": "no RTO is shown",
        "customer_return": "no return by the buyer is shown",
        "withdraw": "a return that is called off is never shown as such",
    }
)
"""The words that a test class may put into ``cannot``, each with what it says of the panel."""


class Broken(Exception):
    """A rule is broken: what came, and what the author should do about it."""

    def __init__(self, came: str, do: str) -> None:
        self.came = came
        self.do = do
        super().__init__(f"{came} {do}")


def must(right: object, came: str, do: str) -> None:
    """Raise Broken unless ``right``."""
    if not right:
        raise Broken(came, do)


def fail(came: str, do: str) -> NoReturn:
    """Raise Broken."""
    raise Broken(came, do)


def rule(text: str, *, unless: str = "", needs: str = "simulator") -> Callable[[Test], Test]:
    """Mark a test with the rule that it checks; its failure says rule, what came, what to do.

    The test is left out of a class whose ``cannot`` has a word of ``unless`` (by spaces), or
    that lacks the attribute ``needs``.
    """

    def mark(test: Test) -> Test:
        @wraps(test)
        def checked(self: Any) -> None:
            try:
                test(self)
            except Broken as broken:
                message = f"\nrule:  {text}\ncame:  {broken.came}\ndo:    {broken.do}"
                cause: BaseException | None = broken.__cause__
            except Exception as error:
                message = (
                    f"\nrule:  {text}\ncame:  {type(error).__name__}: {error}\n"
                    "do:    find the place in the traceback below; a hook lets through what the "
                    "panel raises and raises nothing of its own."
                )
                cause = error
            else:
                return
            raise AssertionError(message) from cause

        checked.rule = text  # type: ignore[attr-defined]
        checked.unless = frozenset(unless.split())  # type: ignore[attr-defined]
        checked.needs = needs  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return mark
