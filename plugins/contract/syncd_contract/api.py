"""The calls of the contract, and the shapes of their answers. No buyer's data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from syncd import Panel, Token, Window
from syncd.errors import PanelAnswer, PanelRefused
from syncd.shapes import BadRow, readable, rows
from syncd_contract.settings import ContractSettings

TOKEN_PATH: Final = "/authToken"
ORDERS_PATH: Final = "/orders"
TOKEN_HEADER: Final = "apiKey"
MAX_PAGES: Final = 10_000
LARGEST: Final = 10_000

Id = Annotated[str, Meta(min_length=1, max_length=200)]
IdText = Id | int
Count = Annotated[float, Meta(ge=0, le=LARGEST, multiple_of=1)]


class TokenAnswer(Struct, rename="camel"):
    """The answer of the token call. A refusal comes with HTTP 200 as well."""

    status: str
    access_token: str | None = None


class Item(Struct, rename="camel", kw_only=True):
    """An item of an order: ``quantity`` pieces of one SKU."""

    order_item_id: IdText
    sku: str | None = None
    title: str | None = None
    quantity: Annotated[float, Meta(ge=1, le=LARGEST, multiple_of=1)] = 1
    cancelled_quantity: Count | None = None
    status: str | None = None
    tracking_id: str | None = None
    delivery_partner: str | None = None
    dispatch_date: str | None = None
    return_reason: str | None = None
    return_date: str | None = None
    return_awb: str | None = field(default=None, name="returnAWB")
    return_shipping_provider: str | None = None
    facility_code: str | None = None


class Order(Struct, rename="camel", kw_only=True):
    """An order; its items stay raw, so that a bad one costs only itself."""

    id: IdText
    order_status: str | None = None
    order_date: str | None = None
    third_party_shipping: bool | None = None
    order_items: Raw = Raw()


class Answer(Struct):
    """A page of orders; a refusal may come with HTTP 200 and a message in their place."""

    orders: Raw | UnsetType = UNSET
    message: str = ""


class Contract:
    """One account's calls."""

    def __init__(self, panel: Panel, settings: ContractSettings) -> None:
        self._panel = panel
        self._settings = settings
        self._authorise = authorise_with(settings)
        self._renewed = False  # a message in place of orders may be about something else

    def placed(self, window: Window) -> Iterator[list[Order | BadRow]]:
        """Pages of the orders that were placed in the window and are of a wanted status.

        A second more at each end: nobody says whether the bounds are in or out.
        """
        second = timedelta(seconds=1)
        span = {
            "orderDateFrom": _stamp(window.start - second),
            "orderDateTo": _stamp(window.end + second),
        }
        for status in self._settings.order_statuses:
            yield from self._pages({**span, "orderStatus": status}, None)

    def by_ids(self, order_ids: Sequence[str]) -> Iterator[list[Order | BadRow]]:
        """Pages of these orders as they stand now."""
        yield from self._pages({"orderIds": ",".join(order_ids)}, set(order_ids))

    def _pages(
        self, query: dict[str, str], wanted: set[str] | None
    ) -> Iterator[list[Order | BadRow]]:
        """Page after page until one is short; of named orders, until all came or none comes.

        A marketplace may allow fewer orders a page than were asked for; then each page of named
        orders looks short, and stopping there would lose the others. Raises PanelAnswer when the
        pages run in a ring.
        """
        size = self._settings.page_size
        seen: set[str] = set()
        for number in range(1, MAX_PAGES + 1):
            page = self._page({**query, "pageNumber": str(number), "pageSize": str(size)})
            fresh = {key_of(row) for row in page} - seen
            if page and not fresh:
                if wanted is not None:
                    return  # it has no pages for named orders and gives the same again
                raise PanelAnswer(
                    f"GET {ORDERS_PATH} (account {self._panel.account}): page {number} holds what "
                    "earlier pages held; is pageNumber heeded?"
                )
            seen |= fresh
            yield page
            if not page or (wanted is None and len(page) < size):
                return
            if wanted is not None and wanted <= seen:
                return
        raise PanelAnswer(f"GET {ORDERS_PATH}: more than {MAX_PAGES} pages.")

    def _page(self, query: dict[str, str]) -> list[Order | BadRow]:
        answer = self._asked(query)
        if answer.orders is UNSET:
            raise PanelAnswer(
                f"GET {ORDERS_PATH} (account {self._panel.account}): answered without orders"
                + (f', but with the message "{answer.message[:120]}".' if answer.message else ".")
            )
        return list(rows(answer.orders, Order))

    def _asked(self, query: dict[str, str]) -> Answer:
        """One page. A refusal inside a good answer is taken for a dead token, once."""
        call: dict[str, Any] = {"params": query, "pace": self._settings.pace, "shape": Answer}
        answer: Answer = self._panel.get(ORDERS_PATH, authorise=self._authorise, **call)
        if answer.orders is UNSET and answer.message and not self._renewed:
            self._renewed = True
            self._panel.renew_token(self._authorise)
            answer = self._panel.get(ORDERS_PATH, authorise=self._authorise, **call)
        return answer


def key_of(row: Order | BadRow) -> str:
    """What tells one row of a page from another."""
    return str(row.id) if isinstance(row, Order) else row.raw


def items_of(order: Order) -> list[Item | BadRow]:
    """The items of an order, each checked by itself."""
    try:
        return list(rows(order.order_items, Item))
    except PanelAnswer as error:
        return [BadRow(raw=readable(order.order_items, Item), problem=str(error))]


def authorise_with(settings: ContractSettings) -> Callable[[Panel, Token | None], Token]:
    """How this account gets a token. The answer does not say how long one lives."""

    def authorise(panel: Panel, old: Token | None) -> Token:
        who = {"username": settings.username, "password": settings.password.get_secret_value()}
        if settings.auth == "get":
            answer = panel.get(TOKEN_PATH, shape=TokenAnswer, params=who, pace=settings.pace)
        else:
            answer = panel.post(
                TOKEN_PATH, shape=TokenAnswer, body=who, pace=settings.pace, reads=True
            )
        if not answer.access_token:
            raise PanelRefused(
                f"{TOKEN_PATH} (account {panel.account}): answered {answer.status[:40]}, no token. "
                "Check username and password."
            )
        return panel.new_token(
            answer.access_token, expires_in=settings.token_minutes * 60, header=TOKEN_HEADER
        )

    return authorise


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
