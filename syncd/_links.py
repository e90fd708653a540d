"""The next links of one paging."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from syncd._address import shown
from syncd.errors import PanelAnswer

MAX_LINKS: Final = 10_000


class Links:
    """The next links of one paging, to find out that it goes in a ring or never ends."""

    def __init__(self, max_links: int = MAX_LINKS) -> None:
        self._seen: set[bytes] = set()
        self._max = max_links

    def fresh(self, link: str) -> None:
        """Note a link before it is followed. Raises PanelAnswer with code "paging_loop" when
        it was followed before, or when there are more than ``max_links``.
        """
        mark = blake2b(link.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if mark in self._seen:
            raise _paging("paging_loop", f"The panel's next link {shown(link)} came before")
        if len(self._seen) >= self._max:
            raise _paging("paging_loop", f"The paging has more than {self._max} links")
        self._seen.add(mark)

    def next(self, more: bool, link: str | None) -> str | None:
        """The link to follow, or None at the end, from a panel's two words on that.

        Raises PanelAnswer with code "paging_broken" when they contradict each other.
        """
        if not more and not link:
            return None
        if not more or not link:
            word = "no next link though there are more pages" if more else "a link after the end"
            raise _paging("paging_broken", f"The panel gives {word}")
        self.fresh(link)
        return link


def _paging(code: str, what: str) -> PanelAnswer:
    error = PanelAnswer(f"{what}; the paging was given up.")
    error.code = code
    return error
