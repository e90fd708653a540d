"""What a panel's own words mean, where the seller's configuration has to say it.

For panels whose words no public source lists in full. A map goes from the panel's word to text
such as ``"DISPATCHED"``, ``"RETURN_NOTICED RTO"`` or ``"ignore"``. A word that is in no map is
reported as UNKNOWN and shown to a person; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator

from syncd.statuses import RETURN_STATUSES, STATUSES_OF, Kind, ReturnType, Status

IGNORE: Final = "ignore"
_WORDS: Final = tuple(status for status in Status if status is not Status.UNKNOWN)


class Meaning(NamedTuple):
    """A status with its return type; no status for a word that changes nothing in the book."""

    status: Status | None = None
    return_type: ReturnType | None = None

    def is_of(self, kind: Kind) -> bool:
        """Whether the hook of this kind reports it."""
        return self.status in STATUSES_OF[kind]


def read_meaning(text: object) -> Meaning:
    """The meaning of ``"RETURNED CIR"`` and the like. Raises ValueError with what may be said."""
    if isinstance(text, Meaning):
        return text
    words = text.split() if isinstance(text, str) else []
    if words == [IGNORE]:
        return Meaning()
    if not words or words[0] not in _WORDS or len(words) > 2:
        raise ValueError(f'must be "{IGNORE}" or one of {", ".join(_WORDS)}')
    status, kinds = Status(words[0]), words[1:]
    if kinds and kinds[0] not in ReturnType.__members__:
        raise ValueError(f'"{kinds[0]}" is no way back; write "{status} RTO" or "{status} CIR"')
    if status in RETURN_STATUSES and not kinds:
        raise ValueError(
            f'{status} needs a way back: "{status} RTO" by the courier, "{status} CIR" from '
            "the buyer"
        )
    if kinds and status not in {*RETURN_STATUSES, Status.RETURN_WITHDRAWN}:
        raise ValueError(f'{status} stands alone, without "{kinds[0]}"')
    return Meaning(status, ReturnType(kinds[0]) if kinds else None)


def _named(meanings: Mapping[str, Meaning]) -> dict[str, Meaning]:
    if "" in meanings:
        raise ValueError("an empty text is no word of a panel")
    return dict(meanings)


MeaningOf = Annotated[Meaning, BeforeValidator(read_meaning)]
Meanings = Annotated[dict[str, MeaningOf], AfterValidator(_named)]
"""The type of a settings field: ``status_map: Meanings = {...}``."""


def meanings_of(words: Mapping[str, str]) -> dict[str, Meaning]:
    """A plugin's own table, from the same texts."""
    return {word: read_meaning(text) for word, text in words.items()}
