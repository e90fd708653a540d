"""What the demo prints: headings, before and after, examples, and the last line for machines."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH: Final = 110
ORDER: Final = (
    "UNFULFILLABLE", "FULFILLABLE", "CREATED", "PACKED", "DISPATCHED", "DELIVERED",
    "RETURN_EXPECTED", "RETURNED", "CIR_CREATED", "CIR_COMPLETE", "CANCELLED", "not in the book",
)  # fmt: skip


class Show:
    """Prints to the terminal; while ``pictured``, it is kept for an image as well."""

    def __init__(self) -> None:
        self.pictured = True
        width = None if sys.stdout.isatty() else WIDTH
        self._console = Console(width=width, highlight=False, soft_wrap=False)
        self._picture = Console(width=WIDTH, highlight=False, record=True, file=StringIO())

    def heading(self, text: str) -> None:
        """The beginning of a part."""
        self._both(f"\n[bold]{escape(text)}[/bold]")

    def did(self, command: str, outcome: str = "") -> None:
        """A command that was run, and what came of it."""
        self._both(f"[cyan]$ {escape(command)}[/cyan]")
        if outcome:
            for line in outcome.splitlines():
                self._both(_indented(f"  {line}"))

    def line(self, text: str = "") -> None:
        """A plain line; where it wraps, it keeps its indent."""
        self._both(_indented(text))

    def before_after(
        self, before: Mapping[str, int], after: Mapping[str, int], truth: Mapping[str, int]
    ) -> None:
        """Pieces by position, before and after, beside what the panel says."""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("pieces of the book by position")
        for name in ("before", "after", "at the panel"):
            table.add_column(name, justify="right")
        known = [name for name in ORDER if name in before or name in after]
        known += sorted((before.keys() | after.keys()) - set(ORDER))
        for name in known:
            table.add_row(
                name,
                *(str(counts.get(name, 0) or "-") for counts in (before, after)),
                str(truth.get(name, "")),
            )
        self._both(table)

    def example(self, title: str, lines: Sequence[str]) -> None:
        """One order and its explanation."""
        self._both(f"\n[bold]{escape(title)}[/bold]")
        for line in lines:
            self._both(_indented(f"  {line}"))

    def summary(self, summary: Mapping[str, Any]) -> None:
        """One JSON line, the last that is printed."""
        print(json.dumps(summary), flush=True)

    def save_picture(self, path: Path) -> None:
        """Write what was shown as an SVG image of a terminal."""
        path.parent.mkdir(parents=True, exist_ok=True)
        image = self._picture.export_svg(title="make demo")
        # Without the fonts that the image would fetch from elsewhere: any monospace will do.
        path.write_text(re.sub(r"@font-face \{.*?\}\n?", "", image, flags=re.DOTALL))

    def _both(self, what: RenderableType) -> None:
        self._console.print(what)
        if self.pictured:
            self._picture.print(what)


def _indented(text: str) -> RenderableType:
    plain = text.lstrip(" ")
    return Padding(Text(plain), (0, 0, 0, len(text) - len(plain)))


def by_reason(facts: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How many unsettled facts have each reason code."""
    return Counter(fact["code"] or fact["state"].lower() for fact in facts)
