"""The calls to ShopClues' merchant API, and the shapes of its answers.

Shapes name only what is read; none has a buyer's name, address or phone. Numbers come as
numbers or as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Final
from urllib.parse import quote

from msgspec import Raw, Struct

from syncd import Links, Panel, Token, Window
from syncd.errors import PanelAnswer, PanelGone, PanelRefused
from syncd.shapes import BadRow, rows
from syncd_shopclues.settings import ShopCluesSettings

ORDERS_PATH: Final = "/order"
TOKEN_SECONDS: Final = 3600.0  # no document gives it an end
REFUSED: Final = "unauthorised access"  # said inside an answer with status 200

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_SECONDS: Final = 10**11  # a larger number counts milliseconds

Number = int | float | str | None


class TokenAnswer(Struct):
    """The answer of the login; without a token it is a refusal."""

    access_token: str = ""


class Extra(Struct):
    """Where the next page is; empty at the end."""

    next: str | None = None


class Answer(Struct):
    """A page of orders, one order, or a message in place of either."""

    data: Raw = Raw()
    extra: Extra | None = None
    message: str | None = None


class Item(Struct):
    """One product of an order, in any of the shapes that were seen."""

    product_id: int | str | None = None
    product: str | None = None
    product_name: str | None = None
    amount: Number = None
    quantity: Number = None


class OrderRow(Struct):
    """An order. A list has ``items_list``; an order by its id has ``items``, by item id."""

    order_id: int | str
    status: str
    timestamp: Number = None
    is_parent_order: str | None = None
    parent_order_id: int | str | None = None
    items_list: list[Item] | None = None
    items: dict[str, Item] | list[Item] | None = None


class ShopClues:
    """One account's calls."""

    def __init__(self, panel: Panel, settings: ShopCluesSettings) -> None:
        self._panel = panel
        self._settings = settings
        self._authorise = authorise_with(settings)

    def placed(self, window: Window) -> Iterator[list[OrderRow | BadRow]]:
        """The pages of orders that were placed in the window."""
        params = {
            "time_from": str((window.start - EPOCH) // timedelta(seconds=1)),
            "time_to": str(-((EPOCH - window.end) // timedelta(seconds=1))),
        }
        answer = self._ask(ORDERS_PATH, params)
        links = Links()
        while True:
            yield list(rows(answer.data, OrderRow))
            if answer.extra is None:
                raise PanelAnswer("ShopClues sent a page of orders that does not say what is next.")
            if not answer.extra.next:
                return
            links.fresh(answer.extra.next)
            answer = self._ask(answer.extra.next)

    def order(self, order_id: str) -> list[OrderRow | BadRow]:
        """One order by its id; none where the panel has no such order."""
        try:
            data = self._ask(f"{ORDERS_PATH}/{quote(order_id, safe='')}").data
        except PanelGone:
            return []
        return list(rows([data], OrderRow)) if bytes(data).startswith(b"{") else []

    def _ask(self, target: str, params: dict[str, str] | None = None) -> Answer:
        answer = self._get(target, params)
        if _refused(answer):
            # The panel client renews a token after a 401, and this panel does not send one.
            self._panel.renew_token(self._authorise)
            answer = self._get(target, params)
        if _refused(answer):
            raise PanelRefused("ShopClues refuses a token that it has just given. Check the app.")
        if not bytes(answer.data):
            raise PanelAnswer("ShopClues sent no data; " + _quoted(answer.message))
        return answer

    def _get(self, target: str, params: dict[str, str] | None) -> Answer:
        if target.startswith("/"):
            return self._panel.get(
                target, shape=Answer, params=params, authorise=self._authorise,
                pace=self._settings.pace,
            )  # fmt: skip
        if self._settings.base_url.startswith("https://"):
            # Links come with plain http; the token does not go that way.
            target = target.replace("http://", "https://", 1)
        return self._panel.follow(
            target, shape=Answer, authorise=self._authorise, pace=self._settings.pace
        )


def authorise_with(settings: ShopCluesSettings) -> Callable[[Panel, Token | None], Token]:
    """The way of this account to a new token."""

    def authorise(panel: Panel, old: Token | None) -> Token:
        password = settings.password.get_secret_value().encode()
        body = {
            "username": settings.username,
            "password": md5(password, usedforsecurity=False).hexdigest(),
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "grant_type": "password",
        }
        answer = panel.post(
            settings.login_url, shape=TokenAnswer, body=body, reads=True, pace=settings.pace
        )
        if not answer.access_token:
            raise PanelRefused(
                "ShopClues gave no token. Check username, password, client_id and client_secret."
            )
        style = "bearer" if settings.token_style == "bearer" else ""
        return panel.new_token(answer.access_token, expires_in=TOKEN_SECONDS, token_type=style)

    return authorise


def moment(stamp: Number) -> datetime:
    """The time of epoch seconds, as number or as text. Raises ValueError."""
    try:
        seconds = float(stamp) if stamp is not None else 0.0
        if 0 < seconds < LATEST_SECONDS:
            return EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"timestamp is no time in seconds: {stamp!r}")


def _refused(answer: Answer) -> bool:
    return (answer.message or "").strip().lower() == REFUSED


def _quoted(message: str | None) -> str:
    """The message without words so long that they may be secrets."""
    words = ("***" if len(word) > 15 else word for word in (message or "").split())
    return f"it says: {' '.join(words)[:200]}" if message else "it does not say why."
