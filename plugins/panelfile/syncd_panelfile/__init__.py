"""Report files: reads what a seller panel lets a person download, from a folder or by hand.

``PanelFiles``, ``SaleFiles`` and ``described`` make a channel of its own out of a preset.
"""

from syncd_panelfile.channel import PanelFiles, SaleFiles, described
from syncd_panelfile.presets import PRESETS
from syncd_panelfile.settings import PanelfileSettings

__all__ = ["CHANNEL", "PanelFiles", "PanelfileSettings", "SaleFiles", "described"]

CHANNEL = PanelFiles(
    described(
        "Report files",
        PanelfileSettings,
        unverified=tuple(note for preset in PRESETS.values() for note in preset.notes),
    )
)
