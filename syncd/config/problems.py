"""Problems of a configuration file, each one sentence with line, key and advice."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from pydantic import ValidationError

from syncd.config.lines import Place, line_of

_PLAIN: Final = {
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is far too large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "list_type": "must be a list in [ ]",
    "tuple_type": 'must be a list of texts, such as ["A"]',
    "set_type": 'must be a list of texts, such as ["A"]',
    "frozen_set_type": 'must be a list of texts, such as ["A"]',
    "date_type": "must be a date, such as 2026-01-31",
    "datetime_type": "must be a time, such as 2026-01-31T10:00:00Z",
    "none_required": "must be left out",
}
_LIMITS: Final = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} character(s)",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "too_short": "needs at least {min_length} in the list",
    "too_long": "takes at most {max_length} in the list",
}
_ONE_QUOTE, _QUOTE = "'", '"'
_Known = Callable[[Place], Sequence[str]]


class Problem(Struct, frozen=True):
    """One thing that is wrong. ``line`` counts from 1; 0 when no line can be named."""

    line: int
    place: Place
    text: str

    def __str__(self) -> str:
        key = ".".join(_quoted(part) for part in self.place)
        start = f"line {self.line}: " if self.line else ""
        return f"{start}{key}: {self.text}" if key else f"{start}{self.text}"


def at(lines: Mapping[Place, int], place: Place, text: str) -> Problem:
    """A problem of the value at ``place``."""
    return Problem(line_of(lines, place), place, text)


def sentences(problems: Iterable[Problem]) -> list[str]:
    """All problems in the order of the file, each once."""
    ordered = sorted(problems, key=lambda p: (p.line, str(p)))
    return list(dict.fromkeys(str(problem) for problem in ordered))


def nearest(word: str, known: Iterable[str]) -> str:
    """A question that offers the known word most like ``word``, or what there is to choose."""
    words = sorted(known)
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known here: {', '.join(words)}" if words else "nothing is known here"


def of_validation(
    error: ValidationError, lines: Mapping[Place, int], known: _Known, base: Place = ()
) -> list[Problem]:
    """What pydantic found, in our words. Values never appear: they may be secrets."""
    found = []
    for item in error.errors(include_url=False, include_context=True, include_input=False):
        place = base + _clean(item["loc"])
        found.append(at(lines, place, _text(item, place, known)))
    return found


def _text(item: Any, place: Place, known: _Known) -> str:
    kind = str(item["type"])
    if kind == "extra_forbidden":
        return f"unknown key; {nearest(str(place[-1]), known(place[:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind in ("literal_error", "enum"):
        return f"must be one of {str(item['ctx']['expected']).replace(_ONE_QUOTE, _QUOTE)}"
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind in _LIMITS:
        return _LIMITS[kind].format_map(item["ctx"])
    return _PLAIN.get(kind) or _reworded(str(item["msg"]))


def _reworded(message: str) -> str:
    """A message of pydantic that we have no words for, as part of our sentence."""
    for start in ("Input should be ", "Value should be "):
        if message.startswith(start):
            return f"must be {message.removeprefix(start)}"
    return message[:1].lower() + message[1:]


def _clean(loc: tuple[int | str, ...]) -> Place:
    """Without pydantic's mark for "the key itself is wrong"."""
    return loc[:-1] if loc and loc[-1] == "[key]" else loc


def _quoted(part: str | int) -> str:
    text = str(part)
    bare = text.replace("-", "").replace("_", "").isalnum() and text.isascii()
    return text if bare else f'"{text}"' if text.isprintable() and len(text) <= 80 else repr(text)
