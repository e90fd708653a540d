"""Find the line of each key in a TOML text, which tomllib does not tell.

The text must already have been accepted by tomllib: the scanner walks over it and does not
check it again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Final

Place = tuple[str | int, ...]
"""Where a value stands: ``("accounts", "shop", "locations", "L1")``; numbers count in arrays."""

_BLANK: Final = " \t"
_BARE_END: Final = ",]}#\n"


def key_lines(text: str) -> Mapping[Place, int]:
    """The line, from 1, on which each key of a valid TOML text is first named."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


def line_of(lines: Mapping[Place, int], place: Place) -> int:
    """The line of ``place``, or of the nearest table around it; 1 for the file as a whole."""
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Place, int] = {}
        self._newlines_before = 0
        self._counted_to = 0

    def document(self) -> None:
        table: Place = ()
        self._skip(newlines=True)
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self._new_element(self._absolute(self._key()))
                self.at = self.text.index("]]", self.at) + 2
            elif self.text[self.at] == "[":
                self.at += 1
                table = self._absolute(self._key())
                self._note(table)
                self.at = self.text.index("]", self.at) + 1
            else:
                self._pair(table)
            self._skip(newlines=True)

    def _absolute(self, key: Place) -> Place:
        """Headers under an array of tables mean that array's newest element."""
        place: Place = ()
        for part in key:
            place = (*place, part)
            count = self._elements(place)
            if count and len(place) < len(key):
                place = (*place, count - 1)
        return place

    def _elements(self, place: Place) -> int:
        count = 0
        while (*place, count) in self.lines:
            count += 1
        return count

    def _new_element(self, place: Place) -> Place:
        element = (*place, self._elements(place))
        self._note(element)
        return element

    def _pair(self, table: Place) -> None:
        place = table + self._key()
        self._note(place)
        self.at = self.text.index("=", self.at) + 1
        self._value(place)

    def _key(self) -> Place:
        parts: list[str | int] = []
        while True:
            self._skip()
            parts.append(self._key_part())
            self._skip()
            if self.text[self.at] != ".":
                return tuple(parts)
            self.at += 1

    def _key_part(self) -> str:
        start = self.at
        if self.text[start] in "\"'":
            self._string()
            return str(tomllib.loads(f"k = {self.text[start : self.at]}")["k"])
        while self.text[self.at].isalnum() or self.text[self.at] in "-_":
            self.at += 1
        return self.text[start : self.at]

    def _value(self, place: Place) -> None:
        self._skip()
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(place)
        elif first == "{":
            self._inline_table(place)
        else:
            while self.at < len(self.text) and self.text[self.at] not in _BARE_END:
                self.at += 1

    def _array(self, place: Place) -> None:
        self.at += 1
        count = 0
        self._skip(newlines=True)
        while self.text[self.at] != "]":
            element = (*place, count)
            self._note(element)
            self._value(element)
            count += 1
            self._skip_comma()
        self.at += 1

    def _inline_table(self, place: Place) -> None:
        self.at += 1
        self._skip(newlines=True)
        while self.text[self.at] != "}":
            self._pair(place)
            self._skip_comma()
        self.at += 1

    def _skip_comma(self) -> None:
        self._skip(newlines=True)
        if self.text[self.at] == ",":
            self.at += 1
            self._skip(newlines=True)

    def _string(self) -> None:
        quote = self.text[self.at]
        mark = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(mark)
        while not self.text.startswith(mark, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(mark)
        if len(mark) == 3:  # up to two more quotes belong to the text itself
            while self.text.startswith(quote, self.at):
                self.at += 1

    def _skip(self, *, newlines: bool = False) -> None:
        blank = _BLANK + "\n" if newlines else _BLANK
        while self.at < len(self.text):
            if self.text[self.at] in blank:
                self.at += 1
            elif newlines and self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def _note(self, place: Place) -> None:
        """Remember the present line for ``place`` and the tables around it, if they are new."""
        self._newlines_before += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        for length in range(1, len(place) + 1):
            self.lines.setdefault(place[:length], self._newlines_before + 1)
