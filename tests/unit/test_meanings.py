"""What a seller may write about a panel's own words, and what they are told of a mistake."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from syncd import Settings
from syncd.meanings import Meaning, Meanings, meanings_of, read_meaning
from syncd.statuses import Kind, ReturnType, Status


class Shop(Settings):
    status_map: Meanings = meanings_of({"2": "ignore"})


def test_a_map_is_read_from_the_configuration() -> None:
    shop = Shop.model_validate({"status_map": {"7": "DISPATCHED", "9": "RETURN_NOTICED RTO"}})
    assert shop.status_map == {
        "7": Meaning(Status.DISPATCHED),
        "9": Meaning(Status.RETURN_NOTICED, ReturnType.RTO),
    }
    assert Shop().status_map == {"2": Meaning()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "one of DISPATCHED"),
        (7, "one of DISPATCHED"),
        ("SENT", "one of DISPATCHED"),
        ("UNKNOWN", "one of DISPATCHED"),
        ("RETURNED", 'needs a way back: "RETURNED RTO"'),
        ("RETURNED rto", 'is no way back; write "RETURNED RTO"'),
        ("DELIVERED CIR", 'stands alone, without "CIR"'),
        ("RETURNED CIR now", "one of DISPATCHED"),
    ],
)
def test_a_wrong_meaning_says_what_may_stand_there(text: object, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Shop.model_validate({"status_map": {"7": text}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("status_map", "7")
    assert told in error["msg"]


def test_a_word_must_be_a_word() -> None:
    with pytest.raises(ValidationError, match="empty text"):
        Shop.model_validate({"status_map": {"": "DISPATCHED"}})


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("DISPATCHED", {Kind.DISPATCHED}),
        ("RETURN_NOTICED RTO", {Kind.CANCELLED, Kind.RETURNS}),
        ("RETURN_WITHDRAWN", {Kind.RETURNS}),
        ("ignore", set()),
    ],
)
def test_a_meaning_belongs_to_the_kinds_whose_hooks_report_it(text: str, kinds: set[Kind]) -> None:
    assert {kind for kind in Kind if read_meaning(text).is_of(kind)} == kinds
