"""ShopClues by ``source``: read from the panel's report files in place of its API."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from syncd_panelfile import PanelFiles, PanelfileSettings, described

NOTES: Final = (
    "No source names a column of its files; name them in columns.",
    "The letters for shipped, cancelled, delivered and returned are not public; codes of couriers "
    "are known, not that a file has them.",
)


class ShopCluesFiles(PanelfileSettings):
    """Settings of a ShopClues account that is read from report files alone."""

    asks: ClassVar[str] = "leave source out, and the account asks the API"

    source: Literal["panelfile"] = "panelfile"
    preset: Literal["shopclues"] = "shopclues"


FILES: Final = PanelFiles(described("ShopClues", ShopCluesFiles, unverified=NOTES))
