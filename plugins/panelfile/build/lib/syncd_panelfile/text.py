"""The text of a downloaded file: its encoding, its delimiter, its lines of cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Final, NamedTuple

from syncd.errors import PanelAnswer

DELIMITERS: Final = (",", ";", "\t", "|")
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Line(NamedTuple):
    """A line of a table: its number in the file, its cells, and why it cannot be read, if so."""

    number: int
    cells: tuple[object, ...]
    problem: str = ""


def decode(content: bytes, encoding: str, name: str) -> str:
    """The file's text. Raises PanelAnswer when it is none."""
    for mark, known in _MARKS:
        if content.startswith(mark):
            return _decoded(content, known, name)
    if encoding != "auto":
        return _decoded(content, "utf-16-le" if encoding == "utf-16" else encoding, name)
    if content[1:2] == b"\0":
        return _decoded(content, "utf-16-le", name)
    if content[:1] == b"\0":
        return _decoded(content, "utf-16-be", name)
    try:
        return _checked(content.decode("utf-8"), name)
    except UnicodeDecodeError:
        return _decoded(content, "cp1252", name)


def _decoded(content: bytes, encoding: str, name: str) -> str:
    try:
        return _checked(content.decode(encoding), name)
    except UnicodeError:
        raise PanelAnswer(
            f"{name}: it is no text in {encoding}. Download it again as CSV or XLSX, or set "
            "encoding for the account."
        ) from None


def _checked(text: str, name: str) -> str:
    start = text[:2000].lstrip().casefold()
    if "\0" in text:
        raise PanelAnswer(f"{name}: it is no table; it holds zero bytes. Hand in CSV or XLSX.")
    if start.startswith(("<!doctype", "<html", "<table", "<?xml", "<head")):
        raise PanelAnswer(
            f"{name}: it is a web page, whatever its name says. Open it, save it as XLSX or CSV, "
            "and hand that in; or log in to the panel and download it again."
        )
    if start.startswith(("{", "[")):
        raise PanelAnswer(f"{name}: it is JSON, not a table. Hand in CSV or XLSX.")
    return text


def lines_of(text: str, delimiter: str) -> Iterator[Line]:
    """The lines of the text, each with the number of its first physical line."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, (), f"it cannot be split into cells ({error}); is a quote open?")
            continue
        yield Line(number, tuple(cells))
