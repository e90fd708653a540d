"""The calls to Paytm's seller API, and how a row of ``orders.json`` is read.

Sources: public client programs of sellers, 2015 to 2019. No official text is public; which
of this is sure stands in the README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from syncd import Panel, Token
from syncd.errors import PanelAnswer
from syncd.shapes import BadRow, kept, rows
from syncd.snapshots import Shown
from syncd_paytm.settings import Fields, PaytmSettings

SURE_LIFE: Final = timedelta(hours=1)  # of a token whose end cannot be read
LONGEST_LIFE: Final = timedelta(days=1)
MAX_QUANTITY: Final = 10_000
IDS_A_CALL: Final = 50
EARLIEST: Final = 946_684_800  # seconds; an epoch stamp before 2000 is none
_NULLS: Final = ("", "null", "NA")
_EPOCH: Final = re.compile(r"[0-9]{9,16}(\.[0-9]+)?")  # eight digits are a day of ISO 8601


class Code(Struct):
    """The answer of the first step."""

    code: Annotated[str, Meta(min_length=1)]


class Grant(Struct):
    """The answer of the second step. How the end of its life is written is not known."""

    access_token: Annotated[str, Meta(min_length=1)]
    token_expiry_time: Any = None


class Paytm:
    """One account's calls."""

    def __init__(self, panel: Panel, settings: PaytmSettings) -> None:
        self._panel = panel
        self._settings = settings

    def by_status(self, state: str) -> tuple[Raw, bool]:
        """Orders with items in this state, and whether the list is so full that more may follow.

        No way to a second page is known.
        """
        size = self._settings.page_size
        found = self._orders(status=state, limit=size)
        return found, len(list(rows(found, Raw))) >= size

    def by_ids(self, order_ids: Sequence[str]) -> Iterator[Raw]:
        """These orders, as many of them as the panel knows, some at a time."""
        for start in range(0, len(order_ids), IDS_A_CALL):
            part = order_ids[start : start + IDS_A_CALL]
            yield self._orders(order_ids=",".join(part), limit=len(part))

    def _orders(self, **params: Any) -> Raw:
        settings = self._settings
        found = self._panel.get(
            f"/v1/merchant/{settings.merchant_id}/orders.json",
            shape=Raw,
            params=params,
            authorise=self._authorise,
            pace=settings.pace,
        )
        if not bytes(found).lstrip().startswith(b"["):
            raise PanelAnswer(
                "orders.json of Paytm is no list of orders; the panel has changed. Report it to "
                "the plugin's author."
            )
        return found

    def _authorise(self, panel: Panel, old: Token | None) -> Token:
        """The seller's login for a code, the code for a token. Neither step may be repeated."""
        settings = self._settings
        login = {
            "username": settings.username,
            "password": settings.password.get_secret_value(),
            "client_id": settings.client_id,
            "response_type": "code",
            "notredirect": "true",
            "state": "syncd",
        }
        code = panel.post(f"{settings.identity_url}/oauth2/authorize", shape=Code, form=login)
        proof = {
            "grant_type": "authorization_code",
            "code": code.code,
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "state": "syncd",
        }
        grant = panel.post(f"{settings.identity_url}/oauth2/token", shape=Grant, form=proof)
        end = moment(grant.token_expiry_time, settings.time_zone)
        life = end - panel.server_now() if end else SURE_LIFE
        seconds = min(life, LONGEST_LIFE).total_seconds()
        return panel.new_token(grant.access_token, expires_in=seconds, param="authtoken")


class Item(Struct, frozen=True):
    """One item of an order: what is shown of it, and when the order was placed, if that is."""

    shown: Shown
    placed_at: datetime | None = None


def read_items(orders: Raw, settings: PaytmSettings) -> Iterator[Item]:
    """The items of each order. What cannot be read is shown with its problem.

    The same row twice is one: the panel shows an item once for each state of its pieces.
    """
    seen: set[tuple[str, str]] = set()
    for row in rows(orders, dict[str, Any]):
        if isinstance(row, BadRow):
            yield Item(Shown(order_id="", raw=row.raw, problem=row.problem))
            continue
        for item in _items(row, settings):
            key = (item.shown.order_id, item.shown.raw)
            if key not in seen:
                seen.add(key)
                yield item


def _items(order: Mapping[str, Any], settings: PaytmSettings) -> Iterator[Item]:
    names = settings.fields
    order_id, items = text(order.get(names.order_id)), order.get(names.items)
    if not order_id or not isinstance(items, list):
        problem = f'the order lacks "{names.order_id}" or its list "{names.items}"'
        yield Item(Shown(order_id=order_id, raw=_raw(order, names), problem=problem))
        return
    placed = moment(order.get(names.placed_at), settings.time_zone)
    odd = placed is None and _given(order.get(names.placed_at))
    for item in items:
        shown = _shown(order_id, item, names, settings.time_zone)
        if odd and not shown.problem:
            shown = replace(shown, problem=f'"{names.placed_at}" of the order is no time')
        yield Item(shown, placed)


def _shown(order_id: str, item: Any, names: Fields, zone: str) -> Shown:
    if not isinstance(item, dict):
        return Shown(order_id=order_id, raw=_raw(item, names), problem="an item is no object")
    line_id, word = text(item.get(names.line_id)), text(item.get(names.status))
    given = item.get(names.quantity)
    quantity = given if type(given) is int and 1 <= given <= MAX_QUANTITY else None
    at = moment(item.get(names.changed_at), zone)
    problem = ""
    if not line_id or not word:
        problem = f'an item lacks "{names.line_id}" or "{names.status}"'
    elif given is not None and quantity is None:
        problem = f'"{names.quantity}" of an item is no number of pieces'
    elif at is None and _given(item.get(names.changed_at)):
        problem = f'"{names.changed_at}" of an item is no time'
    return Shown(
        order_id=order_id,
        line_id=line_id,
        sku=text(item.get(names.sku)),
        word=word,
        quantity=quantity,
        at=at,
        shipment_id=text(item.get(names.shipment_id)),
        tracking_number=text(item.get(names.tracking_number)),
        courier=text(item.get(names.courier)),
        raw=_raw(item, names),
        problem=problem,
    )


def text(value: Any) -> str:
    """An id or a word: text, or a whole number; empty for anything else."""
    if isinstance(value, str):
        return "" if value.strip() in _NULLS else value
    return str(value) if type(value) is int else ""


def _given(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and value.strip() in _NULLS)


def moment(value: Any, zone: str) -> datetime | None:
    """A time: ISO 8601, or an epoch in seconds or milliseconds, as a number or as text; None if
    it is neither. Which of both an epoch is shows in its size: no second of the next millennia has
    twelve digits, and no millisecond since 1974 has less."""
    try:
        if isinstance(value, str) and _EPOCH.fullmatch(value):
            value = float(value)
        if type(value) in (int, float):
            seconds = value / 1000 if value > 1e11 else value
            return datetime.fromtimestamp(seconds, UTC) if seconds >= EARLIEST else None
        stamp = datetime.fromisoformat(value)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=ZoneInfo(zone))


def _raw(value: Any, names: Fields) -> str:
    """The fields that are read and the names of the others: those may hold a buyer's data."""
    return kept(value, set(names.model_dump().values()) - {names.items})
