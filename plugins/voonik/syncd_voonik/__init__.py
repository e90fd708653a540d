"""Voonik, of which nothing was heard after 2020: what its sellers still have are files.

There is no API to ask. The channel keeps the name, with what is known of it, over report files.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from syncd import Status
from syncd_panelfile import PanelfileSettings, SaleFiles, described

__all__ = ["CHANNEL", "VoonikSettings"]

STATUSES: Final = frozenset({Status.DISPATCHED, Status.CANCELLED})


class VoonikSettings(PanelfileSettings):
    """Settings of a Voonik account: columns, words and who ships must be named, none is public."""

    allowed: ClassVar[frozenset[Status]] = STATUSES

    preset: Literal["voonik"] = "voonik"
    ships: Literal["channel", "seller"] = Field(description="Who ships; no source says it.")


CHANNEL: Final = SaleFiles(
    described(
        "Voonik",
        VoonikSettings,
        statuses=STATUSES,
        ships="as the account says; no source tells",
        unverified=(
            "Voonik shows no sign of life after 2020; no API of it was ever public.",
            "No column and no word of its report files is public; the account must name them.",
            "Who shipped is not public; the account must say it.",
            "Uniware lists cancelled and dispatched for it: no returns and no deliveries.",
        ),
    )
)
