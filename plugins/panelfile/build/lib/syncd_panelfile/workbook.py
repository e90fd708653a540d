"""The first sheet of an XLSX file, within limits.

openpyxl reads it as a stream. A reader that lays out the whole sheet first may be made to ask
for half a terabyte by a file of 5 KB whose last cell is XFD1048576, and takes the process along.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from openpyxl import load_workbook

from syncd.errors import PanelAnswer
from syncd_panelfile.text import Line

MAX_UNPACKED: Final = 128 * 1024 * 1024
MAX_PARTS: Final = 2_000
MAX_COLUMNS: Final = 500
MAX_EMPTY: Final = 1_000  # so many empty lines in a row end the table
_CHUNK: Final = 1 << 20


def sheet_lines(content: bytes, name: str) -> Iterator[Line]:
    """The lines of the first sheet that is shown. Raises PanelAnswer when there is none."""
    _weigh(content, name)
    try:
        book: Any = load_workbook(BytesIO(content), read_only=True, data_only=True)
        sheets = [one for one in book.worksheets if one.sheet_state == "visible"]
    except Exception as error:  # a broken file may raise anything there
        raise _broken(name, error) from None
    if not sheets:
        raise PanelAnswer(f"{name}: the workbook has no sheet with cells.")
    try:
        yield from _lines(sheets[0], name)
    finally:
        book.close()


def _lines(sheet: Any, name: str) -> Iterator[Line]:
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    rows = sheet.iter_rows(values_only=True)
    number = empty = 0
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise _broken(name, error) from None
        number += 1
        empty = 0 if any(cell not in (None, "") for cell in cells) else empty + 1
        if empty > MAX_EMPTY:
            return
        yield Line(number, tuple(cells[:MAX_COLUMNS]))


def _weigh(content: bytes, name: str) -> None:
    """Unpack every part once, counting, before anybody reads it: a size in a zip may be a lie."""
    total = 0
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            parts = packed.infolist()
            if len(parts) > MAX_PARTS:
                raise PanelAnswer(f"{name}: a workbook of {len(parts)} parts is not read.")
            if not any(part.filename.startswith("xl/") for part in parts):
                raise PanelAnswer(f"{name}: a zip file that is no XLSX. Unpack it first.")
            for part in parts:
                with packed.open(part) as stream:
                    while chunk := stream.read(_CHUNK):
                        total += len(chunk)
                        if total > MAX_UNPACKED:
                            raise PanelAnswer(
                                f"{name}: unpacked it is larger than {MAX_UNPACKED >> 20} MiB. "
                                "Download a shorter span."
                            )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _broken(name, error) from None


def _broken(name: str, error: Exception) -> PanelAnswer:
    return PanelAnswer(
        f"{name}: the workbook is damaged ({type(error).__name__}). Download it again."
    )
