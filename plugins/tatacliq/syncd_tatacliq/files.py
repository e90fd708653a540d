"""Tata CLiQ by ``source``: read from the panel's report files in place of its API."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from syncd_panelfile import PanelFiles, PanelfileSettings, described

NOTES: Final = (
    "The spelling of the columns; which ones hold states, SKUs, quantities, kinds of return and "
    "who ships; every word of a state.",
)


class TataCliqFiles(PanelfileSettings):
    """Settings of a Tata CLiQ account that is read from report files alone."""

    asks: ClassVar[str] = "leave source out, and the account asks the API"

    source: Literal["panelfile"] = "panelfile"
    preset: Literal["tatacliq"] = "tatacliq"


FILES: Final = PanelFiles(described("Tata CLiQ", TataCliqFiles, unverified=NOTES))
