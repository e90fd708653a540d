"""Wooplr, which took its last orders in 2019: what its sellers still have are files.

No API of it was ever public. The channel keeps the name, with what is known of it, over report
files; or, by ``source``, over Uniware's contract, should a marketplace of this name speak it.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

import syncd_contract
from syncd import Status
from syncd_contract import ContractSettings, SaleCalls
from syncd_panelfile import PanelfileSettings, SaleFiles, described

__all__ = ["CHANNEL", "CONTRACT", "WooplrContract", "WooplrSettings"]

STATUSES: Final = frozenset({Status.DISPATCHED, Status.CANCELLED})
UNVERIFIED: Final = (
    "Wooplr stopped taking orders in April 2019; no API of it was ever public.",
    "Uniware lists cancelled and dispatched for it: no returns and no deliveries.",
)


class WooplrSettings(PanelfileSettings):
    """Settings of a Wooplr account: columns and words must be named, none is public."""

    allowed: ClassVar[frozenset[Status]] = STATUSES
    asks: ClassVar[str] = 'for a marketplace that can be asked, set source = "contract"'

    source: Literal["panelfile", "contract"] = Field(
        default="panelfile", description="What the account is read from."
    )
    preset: Literal["wooplr"] = "wooplr"


class WooplrContract(ContractSettings):
    """Settings of a Wooplr account behind the contract."""

    source: Literal["contract"] = "contract"


CONTRACT: Final = SaleCalls(
    syncd_contract.described(
        "Wooplr",
        WooplrContract,
        statuses=STATUSES,
        ships=syncd_contract.SHIPS_BY,
        unverified=(*UNVERIFIED, *syncd_contract.UNVERIFIED),
    )
)
CHANNEL: Final = SaleFiles(
    described(
        "Wooplr",
        WooplrSettings,
        statuses=STATUSES,
        ships="the channel: the press names couriers that Wooplr arranged",
        unverified=(
            *UNVERIFIED,
            "No column and no word of its report files is public; the account must name them.",
        ),
        sources={"contract": CONTRACT},
    )
)
