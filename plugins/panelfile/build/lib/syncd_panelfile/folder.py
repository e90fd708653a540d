"""The watched folder: which of its files have arrived, and which of them are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from syncd import ReportFile, Window
from syncd.errors import PanelAnswer
from syncd_panelfile.table import MAX_BYTES

READ: Final = (".csv", ".tsv", ".txt", ".xlsx", ".xls")
MAX_FILES: Final = 5_000


class Arrived(Struct, frozen=True):
    """A file in the folder. ``made``: when its content last changed; ``came``: when it, its name
    or its place did."""

    path: Path
    made: datetime
    came: datetime


def arrivals(folder: str, window: Window, now: datetime, settle: timedelta) -> list[Arrived]:
    """The whole files that came, or were made, within the window; oldest first.

    A file that was written to less than ``settle`` ago may not be whole yet. Raises
    PanelAnswer when the folder cannot be read.
    """
    found = [
        one
        for one in _listed(folder)
        if (one.came in window or one.made in window) and one.made <= now - settle
    ]
    return sorted(found, key=lambda one: (one.made, one.path.name))


def _listed(folder: str) -> Iterator[Arrived]:
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= MAX_FILES:
                    raise PanelAnswer(
                        f"The folder {folder} holds more than {MAX_FILES} files. Move old ones "
                        "away."
                    )
                if _is_report(entry):
                    stat = entry.stat()
                    yield Arrived(Path(entry.path), _time(stat.st_mtime), _time(stat.st_ctime))
    except OSError as error:
        raise PanelAnswer(
            f"The folder {folder} cannot be read: {error.strerror}. Make it, or let the user of "
            "syncd read it, or correct the setting folder."
        ) from None


def _is_report(entry: os.DirEntry[str]) -> bool:
    name = entry.name.casefold()
    return name.endswith(READ) and not name.startswith((".", "~$")) and entry.is_file()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def opened(one: Arrived) -> ReportFile | None:
    """The file with its content, None if it is gone. Raises PanelAnswer when it cannot be read."""
    try:
        with one.path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PanelAnswer(f"{one.path} cannot be read: {error.strerror}.") from None
    return ReportFile(name=one.path.name, content=content, at=min(one.made, one.came))
