"""Answers are checked against their shape; a bad row costs that row only."""

from __future__ import annotations

import gzip
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Struct, field

from syncd.errors import PanelAnswer
from syncd.shapes import (
    BadRow,
    begin,
    convert,
    decode,
    gunzipped,
    odd_change,
    odd_order,
    readable,
    rows,
)
from syncd.statuses import MAX_RAW_LENGTH, Status

START = datetime(2026, 11, 20, tzinfo=UTC)


class Item(Struct):
    id: str
    quantity: int


class Page(Struct):
    more: bool
    items: msgspec.Raw = msgspec.Raw()


class Pieces(Struct):
    items: list[msgspec.Raw]


def test_a_good_answer_is_decoded_and_unknown_fields_are_ignored() -> None:
    item = decode(b'{"id": "007", "quantity": 2, "colour": "red"}', Item, where="GET /x")
    assert item == Item(id="007", quantity=2)


def test_a_wrong_type_names_where_and_the_path_and_no_value() -> None:
    with pytest.raises(PanelAnswer) as caught:
        decode(b'[{"id": "Jane Doe 12345", "quantity": "two"}]', list[Item], where="GET /x")
    text = str(caught.value)
    assert "GET /x" in text
    assert "$[0].quantity" in text
    assert "Jane" not in text
    assert "two" not in text
    assert caught.value.code == "panel_answer"


def test_fault_A10_text_that_is_not_whole_is_malformed_and_shown_masked() -> None:
    with pytest.raises(PanelAnswer) as caught:
        decode(b'{"id": "SECRET-9", "quant', Item, where="GET /x")
    assert caught.value.code == "panel_malformed"
    assert '{"id":*' in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_an_error_drags_no_other_error_with_the_values_behind_it() -> None:
    data = f'{{"id": "{"SEC"}RET-9", "quantity": 1e'.encode()
    with pytest.raises(PanelAnswer) as caught:
        decode(data, Item, where="GET /x")
    assert caught.value.__context__ is None
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_fault_A23_a_byte_order_mark_is_dropped() -> None:
    assert decode(b'\xef\xbb\xbf{"id": "1", "quantity": 1}', Item, where="x").id == "1"


@pytest.mark.parametrize(
    "data",
    [
        b'{"id": "1", "quantity": 1, "other": "\xff\xfe"}',
        '{"id": "1", "quantity": 1}'.encode("utf-16"),
    ],
)
def test_fault_A23_invalid_utf8_refuses_all_of_it_even_in_a_field_we_do_not_want(
    data: bytes,
) -> None:
    with pytest.raises(PanelAnswer, match="UTF-8") as caught:
        decode(data, Item, where="x")
    assert caught.value.code == "panel_malformed"


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"id": "1", "quantity": ' + b"[" * 100_000,
        b'{"id": "1", "quantity": 1, "deep": ' + b'{"a":' * 100_000,
        b'{"id": "1", "quantity": NaN}',
        b'{"id": "1", "quantity": 1e999}',
        b'{"id": "1", "quantity": ' + b"9" * 5000 + b"}",
    ],
)
def test_fault_A24_deep_nesting_and_absurd_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(PanelAnswer):
        decode(data, Item, where="x")


def test_fault_A24_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert decode(b'{"id": "1", "quantity": 1, "quantity": 2}', Item, where="x").quantity == 2


def test_convert_checks_plain_objects() -> None:
    assert convert({"id": "1", "quantity": 1}, Item, where="x") == Item(id="1", quantity=1)
    with pytest.raises(PanelAnswer, match=r"row 3: .*\$\.quantity"):
        convert({"id": "1", "quantity": None}, Item, where="row 3")


def test_rows_of_a_good_page() -> None:
    page = decode(b'{"more": true, "items": [{"id":"1","quantity":1}]}', Page, where="x")
    assert list(rows(page.items, Item)) == [Item(id="1", quantity=1)]


@pytest.mark.parametrize("text", [b'{"more": false}', b'{"more": false, "items": null}'])
def test_rows_of_an_absent_or_null_list_are_none(text: bytes) -> None:
    assert list(rows(decode(text, Page, where="x").items, Item)) == []


def test_rows_of_something_else_than_a_list_are_an_error() -> None:
    page = decode(b'{"more": true, "items": {"id": 1}}', Page, where="x")
    with pytest.raises(PanelAnswer, match="list of rows"):
        list(rows(page.items, Item))


BAD = {
    '{"id":7,"quantity":1}': '{"id":7,"quantity":1,"(row)":"',
    '{"quantity":1}': '{"quantity":1,"(row)":"',
    "null": "(nothing) ",
    '"x"': "(text) ",
    "[]": "(list) ",
}
"""What is kept of a bad row begins so; a mark of the whole row ends it."""


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("shape", [Page, Pieces])
def test_a_bad_row_costs_that_row_only(shape: Any, bad: str) -> None:
    good = '{"id":"1","quantity":1}'
    text = f'{{"more": true, "items": [{good}, {bad}, {good}]}}'
    found = list(rows(decode(text.encode(), shape, where="x").items, Item))
    assert [type(one) for one in found] == [Item, BadRow, Item]
    row = found[1]
    assert isinstance(row, BadRow)
    assert row.raw.startswith(BAD[bad])
    assert "Expected" in row.problem or "missing" in row.problem


def test_the_path_of_a_bad_row_begins_at_the_row() -> None:
    found = next(rows([msgspec.Raw(b'{"id":"1","quantity":"x"}')], Item))
    assert isinstance(found, BadRow)
    assert found.problem.endswith("`$.quantity`")


def test_the_text_of_a_huge_bad_row_is_cut() -> None:
    raw = msgspec.Raw(('{"id":"' + "\u0905" * 50_000 + '"}').encode())
    found = next(rows([raw], Item))
    assert isinstance(found, BadRow)
    assert len(found.raw) == MAX_RAW_LENGTH


@given(st.text(max_size=40))
def test_fault_A22_ids_are_kept_as_text_byte_for_byte(id_: str) -> None:
    data = msgspec.json.encode({"id": id_, "quantity": 1})
    assert decode(data, Item, where="x").id == id_


@given(st.text(alphabet="abcXYZ0123456789 ", min_size=1, max_size=60))
def test_what_is_shown_of_a_body_has_none_of_its_values(value: str) -> None:
    secret = f"Q9{value}9Q"
    documents = [{"name": secret, "list": [secret, 5]}, [secret], secret]
    for document in documents:
        assert secret not in begin(msgspec.json.encode(document))
    assert secret not in begin(f"<html><p>{secret}</p></html>".encode())
    assert secret not in begin(secret.encode())


def test_what_is_shown_of_a_body_keeps_its_names_and_tags() -> None:
    assert begin(b'{"error": "no", "items": [1, true]}') == '{"error":*,"items":[*,true]}'
    assert begin(b"<html><h1>Sign in</h1>") == "<html><h1>*</h1>"
    assert "empty" in begin(b"")


def test_a_gzip_file_is_unpacked_within_its_limit() -> None:
    data = gzip.compress(b"x" * 1000)
    assert gunzipped(data, 1000, where="the report") == b"x" * 1000


@pytest.mark.parametrize(
    ("data", "limit", "code"),
    [
        (gzip.compress(b"x" * 1000), 999, "panel_too_large"),
        (gzip.compress(b" " * 50_000_000), 1000, "panel_too_large"),
        (gzip.compress(b"x" * 1000)[:-4], 1000, "panel_malformed"),
        (b"plain", 1000, "panel_malformed"),
        (b"", 1000, "panel_malformed"),
    ],
    ids=["one byte more", "bomb", "cut", "no gzip", "empty"],
)
def test_a_gzip_file_that_is_too_large_or_broken(data: bytes, limit: int, code: str) -> None:
    with pytest.raises(PanelAnswer, match="the report") as caught:
        gunzipped(data, limit, where="the report")
    assert caught.value.code == code


class Address(Struct):
    city: str


class Shipped(Struct):
    order_id: str = field(name="orderId")
    place: Address | None = None
    boxes: list[Item] = []


def test_of_a_bad_row_only_what_the_shape_reads_is_kept() -> None:
    """What is not read of a good row may be a buyer's, at any depth."""
    row = {
        "orderId": 7,
        "customerName": "Asha Rao",
        "place": {"city": "Pune", "street": "12 MG Road"},
        "boxes": [{"id": "1", "phone": "9876543210"}, "Asha Rao"],
        "9876543210": "a name that is a value",
    }
    (bad,) = rows([msgspec.Raw(msgspec.json.encode(row))], Shipped)
    assert isinstance(bad, BadRow)
    kept = msgspec.json.decode(bad.raw)
    mark = kept.pop("(row)")
    assert kept == {
        "orderId": 7,
        "place": {"city": "Pune", "(other fields)": ["street"]},
        "boxes": [{"id": "1", "(other fields)": ["phone"]}, "(text)"],
        "(other fields)": ["customerName"],
    }
    row["customerName"] = "Ravi"
    (other,) = rows([msgspec.Raw(msgspec.json.encode(row))], Shipped)
    assert isinstance(other, BadRow)
    assert other.raw != bad.raw, "two rows stay two"
    assert len(mark) == 8


@pytest.mark.parametrize("text", [b'{"id": "Asha \xff"}', b'{"id": "Asha"', b"[" * 5_000])
def test_of_what_is_no_json_text_no_value_is_kept(text: bytes) -> None:
    assert "Asha" not in readable(msgspec.Raw(text), Item)


def test_an_odd_row_is_known_again_in_the_next_pass_and_two_stay_two() -> None:
    first, later = START, START + timedelta(days=1)
    one = odd_change("has no date", '{"id": 1}', first, order_id="A", line_id="1", word="SHP")
    again = odd_change("has no date", '{"id": 1}', later, order_id="A", line_id="1", word="SHP")
    other = odd_change("has no date", '{"id": 2}', first, order_id="A", line_id="1", word="SHP")
    assert (one.status, one.native_status, one.problem) == (Status.UNKNOWN, "SHP", "has no date")
    assert (one.occurred_at, again.occurred_at) == (first, later)
    assert one.evidence_id == again.evidence_id != other.evidence_id
    assert odd_change("", "", first, evidence_id="mine").evidence_id == "mine"
    assert len(odd_change("", "x" * 30_000, first).raw) == MAX_RAW_LENGTH


def test_an_odd_order_keeps_its_row_and_has_no_lines() -> None:
    order = odd_order("has no lines", "x" * 30_000, START, order_id="A")
    assert (order.order_id, order.placed_at, order.lines) == ("A", START, ())
    assert (order.problem, len(order.raw)) == ("has no lines", MAX_RAW_LENGTH)
