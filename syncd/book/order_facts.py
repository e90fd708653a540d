"""What an order keeps for its channel's plugin, as it is stored: a JSON object of texts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from syncd.errors import SyncdError


class FactsUnreadable(SyncdError):
    """What the book keeps of one order for its channel is damaged; other orders are not."""

    code = "facts_unreadable"


def order_facts(order_id: str, text: str) -> Mapping[str, str]:
    """The facts in ``text``; none where it is empty. Raises FactsUnreadable naming the order."""
    try:
        return _decoded(text) if text else {}
    except msgspec.MsgspecError as error:
        raise FactsUnreadable(
            f"What the book keeps of order {order_id} for its channel cannot be read ({error}). "
            "It is replaced when the panel tells of the order anew."
        ) from error


@lru_cache(maxsize=1024)
def _decoded(text: str) -> Mapping[str, str]:
    return _DECODER.decode(text)


_DECODER: Final = msgspec.json.Decoder(dict[str, str])
