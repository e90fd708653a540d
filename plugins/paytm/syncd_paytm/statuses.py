"""The panel's status numbers, as far as a public text or program names them.

Numbers of shipped, delivered, cancelled and returned items stand nowhere in public: they are
to be given in the account's ``status_map``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VERIFIED: Final[Mapping[str, str]] = {
    "2": "ignore",  # new; may be acknowledged (comment in a public Python client of 2016)
    "5": "ignore",  # acknowledged (the same)
    "15": "ignore",  # shipment made, not yet marked as shipped (a public client tests for it)
}
"""Words that say nothing of dispatch, cancellation or return."""
