"""The lines of keys in a TOML text."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncd.config.lines import key_lines, line_of

TEXT = '''\
top = 1
dotted.a.b = 2
"quo.ted".'lit eral' = 3

[table]  # a comment with [brackets] and k = v
text = """
[not_a_table]
not_a_key = 1
\\""" still inside"""
raw = \'\'\'
also = "not"\'\'\'
after = "a # no comment \\" = [ ]"
list = [
  1, # one
  { x = 1, y.z = [2, 3] },
  "]",
]
inline = { p = 1, "q r" = { s = 2 } }
date = 1979-05-27 07:32:00
[ table . "sub.one" ]
k=5
[[many]]
n = 1
[[many]]
n = 2
[many.under]
u = 1
[[many.deep]]
d = 1
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 1),
        (("dotted", "a", "b"), 2),
        (("quo.ted", "lit eral"), 3),
        (("table",), 5),
        (("table", "text"), 6),
        (("table", "raw"), 10),
        (("table", "after"), 12),
        (("table", "list"), 13),
        (("table", "list", 0), 14),
        (("table", "list", 1, "x"), 15),
        (("table", "list", 1, "y", "z", 1), 15),
        (("table", "list", 2), 16),
        (("table", "inline", "q r", "s"), 18),
        (("table", "date"), 19),
        (("table", "sub.one", "k"), 21),
        (("many", 0, "n"), 23),
        (("many", 1, "n"), 25),
        (("many", 1, "under", "u"), 27),
        (("many", 1, "deep", 0, "d"), 29),
    ],
)
def test_line_of_each_key(place: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert key_lines(TEXT)[place] == line


def test_nothing_is_found_inside_texts_and_comments() -> None:
    names = {part for place in key_lines(TEXT) for part in place}
    assert names.isdisjoint({"not_a_table", "not_a_key", "also", "brackets"})


def test_a_missing_key_is_told_at_the_table_around_it() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("table", "sub.one", "missing")) == 20
    assert line_of(lines, ("nowhere",)) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# only this", "a=1", "[a]", "a=[]\r\nb={}\r\n"])
def test_small_texts(text: str) -> None:
    tomllib.loads(text)
    assert set(key_lines(text)) == {(key,) for key in tomllib.loads(text)}


_keys = st.text('abc-_. "\\é', min_size=1, max_size=4)
_scalars = st.one_of(st.integers(-9, 9), st.booleans(), st.text("a]}#,=\"'\\\n ", max_size=6))
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, list):
        return "[" + ",\n".join(_toml(v) for v in value) + "\n]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quote(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return str(value)


def _places(value: Any, base: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    items: Any = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = {base} if base else set()
    for key, inner in items:
        found |= _places(inner, (*base, key))
    return found


@given(st.dictionaries(_keys, _values, max_size=5))
def test_exactly_the_places_that_tomllib_sees(document: dict[str, Any]) -> None:
    text = "".join(f"{_quote(key)} = {_toml(value)} # end\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    assert set(key_lines(text)) == _places(document)
