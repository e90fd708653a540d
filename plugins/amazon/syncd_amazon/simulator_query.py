"""What the pretend Amazon is asked: its paths, lists, times and pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from msgspec import structs

from syncd.testing import Problem, Reply, Request
from syncd_amazon.settings import INDIA
from syncd_amazon.simulator_gate import Caller, error_reply

Handler = Callable[[Caller, Request, Sequence[str]], Reply]
Routes = list[tuple[str, str, str, Handler]]
"""Method, path with stars, the operation's name, and who answers."""

LISTS: Final = frozenset(
    {"MarketplaceIds", "OrderStatuses", "FulfillmentChannels", "PaymentMethods", "AmazonOrderIds",
     "EasyShipShipmentStatuses", "marketplaceIds", "fulfillmentStatuses", "fulfilledBy",
     "includedData", "reportTypes", "processingStatuses"}
)  # fmt: skip
NEIGHBOURS: Final = frozenset(
    {"A1RKKUPIHCS9HS", "A1F83G8C2ARO7P", "A13V1IB3VIYZZH", "AMEN7PMS3EDWL", "A1805IZSGTT6HS",
     "A1PA6795UKMFR9", "APJ6JRA9NG5V4", "A2NODRKZP88ZB9", "AE08WJ6YKNBMC", "A1C3SOZRARQ6R3",
     "ARBP9OOSHTCHU", "A33AVAJ2PDY3EV", "A17E79C6D8DWNP", "A2VIGQ35RCS4UG"}
)  # fmt: skip
"""Other marketplaces of the European endpoint: known, but our sellers sell nothing there."""
MOST_MARKETPLACES: Final = 50


def matched(pattern: str, path: str) -> list[str] | None:
    """The parts of the path that stand for the pattern's stars, None where it does not fit."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    pairs = list(zip(wanted, given, strict=True))
    if any(one not in ("*", other) for one, other in pairs):
        return None
    return [other for one, other in pairs if one == "*"]


def with_lists(request: Request) -> Request:
    """The request with every list in one text: clients join by commas, or repeat the key."""
    repeated = parse_qs(request.target.partition("?")[2], keep_blank_values=True)
    lists = {name: ",".join(many) for name, many in repeated.items() if name in LISTS}
    return structs.replace(request, query={**request.query, **lists}) if lists else request


def listed(query: Mapping[str, str], name: str, allowed: Collection[str] = ()) -> set[str]:
    """The words of a list, each one allowed where not all are. A Problem with 400 if not."""
    words = {one for one in query.get(name, "").split(",") if one}
    odd = sorted(words - set(allowed)) if allowed else []
    if odd:
        raise Problem(error_reply(400, f"{name} cannot be {odd[0]}"))
    return words


def sold_in(query: Mapping[str, str], name: str, *, needed: bool = False) -> bool:
    """Whether India is among the marketplaces asked for; a Problem with 400 for unknown ones."""
    wanted = listed(query, name, {INDIA, *NEIGHBOURS})
    if not wanted and needed:
        raise Problem(error_reply(400, f"{name} is required"))
    if len(wanted) > MOST_MARKETPLACES:
        raise Problem(error_reply(400, f"{name}: at most {MOST_MARKETPLACES}"))
    return not wanted or INDIA in wanted


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """A time of the query, None if it has none; a Problem with 400 where it cannot be read."""
    if not query.get(name):
        return None
    try:
        found = datetime.fromisoformat(query[name])
    except ValueError:
        raise Problem(error_reply(400, f"{name} is no ISO 8601 time")) from None
    if not 1900 < found.year < 9000:
        raise Problem(error_reply(400, f"{name} is in no year of ours"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def within(at: datetime, start: datetime | None, end: datetime | None) -> bool:
    """Whether a moment is in a span whose missing ends are open."""
    return (start is None or at >= start) and (end is None or at <= end)


def resumed(request: Request, token_name: str) -> dict[str, str]:
    """The query; where a page's token stands in it, what it lacks is what the first page had."""
    token = request.query.get(token_name)
    return _told(token, token_name)[1] | request.query if token else request.query


def page(
    query: dict[str, str],
    found: list[Any],
    size_name: str,
    token_name: str,
    *,
    size: int = 100,
    ring: bool = False,
) -> tuple[list[Any], str]:
    """One page, and the token of the next; ``ring``: of this one again."""
    try:
        size = int(query.get(size_name) or size)
    except ValueError:
        size = 0
    if not 1 <= size <= 100:
        raise Problem(error_reply(400, f"{size_name}: from 1 to 100"))
    given = query.get(token_name, "")
    start = _told(given, token_name)[0] if given else 0
    end = start + size
    asked = {name: value for name, value in query.items() if name != token_name}
    token = _token_of(start if ring else end, asked) if ring or end < len(found) else ""
    return found[start:end], given if ring and given else token


def _token_of(place: int, query: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((place, query))).decode()


def _told(token: str, name: str) -> tuple[int, dict[str, str]]:
    try:
        told = base64.urlsafe_b64decode(token.encode())
        return msgspec.json.decode(told, type=tuple[int, dict[str, str]])
    except (binascii.Error, ValueError):
        raise Problem(error_reply(400, f"{name} is not ours")) from None


def faulty(request: Request, rows: list[dict[str, Any]]) -> list[Any]:
    """The rows as the fault script wants them."""
    if request.asks("empty"):
        return []
    if request.asks("garble") and request.fault is not None and rows:
        return [msgspec.Raw(request.fault.body.encode() or b"7"), *rows[1:]]
    return rows
