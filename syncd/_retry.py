"""When to try again: what the panel asks for, and our own back-off."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

BACK_OFF_BASE: Final = 1.0  # seconds
BACK_OFF_CAP: Final = 30.0
LONGEST_ASKED: Final = 86_400.0  # a day: longer wishes are cut to this

_SECONDS: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")


def back_off(attempt: int, jitter: float) -> float:
    """Full jitter: anywhere from 0 to a bound that doubles with each attempt (0, 1, 2 ...)."""
    return jitter * min(BACK_OFF_CAP, BACK_OFF_BASE * 2.0 ** min(attempt, 16))


def http_date(text: str | None) -> datetime | None:
    """An HTTP date as an aware UTC time, None if there is none or it cannot be read."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def asked_wait(retry_after: str | None, date: str | None, now: datetime) -> float | None:
    """The wait in seconds that a Retry-After header asks for, from 0 to a day.

    A date is reckoned from the answer's own Date header, so that a clock set wrong on either
    side does no harm; ``now`` serves only where there is none. Garbage counts as absent.
    """
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        until = http_date(text)
        if until is None:
            return None
        seconds = (until - (http_date(date) or now)).total_seconds()
    return min(max(0.0, seconds), LONGEST_ASKED)
