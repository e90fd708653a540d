"""Voonik, of which nothing was heard after 2020: what its sellers still have are files.

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

__all__ = ["CHANNEL", "CONTRACT", "VoonikContract", "VoonikSettings"]

STATUSES: Final = frozenset({Status.DISPATCHED, Status.CANCELLED})
SHIPS: Final = "as the account says; no source tells"
UNVERIFIED: Final = (
    "Voonik shows no sign of life after 2020; no API of it was ever public.",
    "Who shipped is not public; the account must say it.",
    "Uniware lists cancelled and dispatched for it: no returns and no deliveries.",
)


class VoonikSettings(PanelfileSettings):
    """Settings of a Voonik account: columns, words and who ships must be named, none is public."""

    allowed: ClassVar[frozenset[Status]] = STATUSES
    asks: ClassVar[str] = 'for a marketplace that can be asked, set source = "contract"'

    source: Literal["panelfile", "contract"] = Field(
        default="panelfile", description="What the account is read from."
    )
    preset: Literal["voonik"] = "voonik"

    def missing(self) -> dict[str, str]:
        """Who ships as well."""
        return super().missing() | ({} if self.ships else {"ships": '"channel" (or "seller")'})


class VoonikContract(ContractSettings):
    """Settings of a Voonik account behind the contract."""

    source: Literal["contract"] = "contract"
    ships: Literal["order", "channel", "seller"] = Field(
        description="Who ships: by thirdPartyShipping of the order, or always."
    )


CONTRACT: Final = SaleCalls(
    syncd_contract.described(
        "Voonik",
        VoonikContract,
        statuses=STATUSES,
        ships=SHIPS,
        unverified=(*UNVERIFIED, *syncd_contract.UNVERIFIED),
    )
)
CHANNEL: Final = SaleFiles(
    described(
        "Voonik",
        VoonikSettings,
        statuses=STATUSES,
        ships=SHIPS,
        unverified=(
            *UNVERIFIED,
            "No column and no word of its report files is public; the account must name them.",
        ),
        sources={"contract": CONTRACT},
    )
)
