"""Wooplr, which took its last orders in 2019: what its sellers still have are files.

There is no API to ask. The channel keeps the name, with what is known of it, over report files.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from syncd import Status
from syncd_panelfile import PanelfileSettings, SaleFiles, described

__all__ = ["CHANNEL", "WooplrSettings"]

STATUSES: Final = frozenset({Status.DISPATCHED, Status.CANCELLED})


class WooplrSettings(PanelfileSettings):
    """Settings of a Wooplr account: columns and words must be named, none is public."""

    allowed: ClassVar[frozenset[Status]] = STATUSES

    preset: Literal["wooplr"] = "wooplr"


CHANNEL: Final = SaleFiles(
    described(
        "Wooplr",
        WooplrSettings,
        statuses=STATUSES,
        ships="the channel: the press names couriers that Wooplr arranged",
        unverified=(
            "Wooplr stopped taking orders in April 2019; no API of it was ever public.",
            "No column and no word of its report files is public; the account must name them.",
            "Uniware lists cancelled and dispatched for it: no returns and no deliveries.",
        ),
    )
)
