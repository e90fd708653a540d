"""The calls to Amazon's Selling Partner API. Lists of rows stay raw, to be checked row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Raw

from syncd import Links, Panel, Token, Window
from syncd.errors import PanelAnswer, PanelGone, PanelRefused
from syncd.shapes import BadRow, rows
from syncd_amazon.settings import AmazonSettings
from syncd_amazon.wire import (
    EasyShipPackage,
    Item0,
    ItemsAnswer,
    OneOrder,
    Order0,
    OrdersAnswer,
    ReturnsPage,
    SearchPage,
    TokenAnswer,
)

TOKEN_PATH: Final = "/auth/o2/token"
SEARCH_PATH: Final = "/orders/2026-01-01/orders"
V0_PATH: Final = "/orders/v0/orders"
EASY_SHIP_PATH: Final = "/easyShip/2022-03-23/package"
RETURNS_PATH: Final = "/externalFulfillment/2024-09-11/returns"

TOKEN_HEADER: Final = "x-amz-access-token"
INCLUDED: Final = "CANCELLATION,FULFILLMENT,PACKAGES,FULFILLMENT_ORDERS"
IDS_PER_CALL: Final = 50
# The panel refuses a window that ends less than two minutes before its own now.
NEWEST: Final = timedelta(minutes=2, seconds=5)


class Amazon:
    """One account's calls."""

    def __init__(self, panel: Panel, settings: AmazonSettings) -> None:
        self.panel = panel
        self.settings = settings
        self._authorise = authorise_with(settings)

    def calling(self, operation: str) -> dict[str, Any]:
        """What every call of this operation carries: the token, and its own pace."""
        pace = operation if self.settings.pace == "documented" else "unlimited"
        return {"authorise": self._authorise, "pace": pace}

    def span(self, window: Window) -> tuple[str, str] | None:
        """The window in whole seconds, never wider than the panel takes; None if nothing is left.

        Both ends are taken as inclusive by the panel: what it gives more is harmless.
        """
        newest = self.panel.server_now() - NEWEST
        end = window.end
        if end.microsecond:
            end = end.replace(microsecond=0) + timedelta(seconds=1)
        end = min(end, newest)
        return (stamp(window.start), stamp(end)) if window.start < end else None

    def search(self, window: Window, **wanted: str) -> Iterator[Raw]:
        """searchOrders by last change; yields each page's list of orders."""
        span = self.span(window)
        if span is None:
            return
        params: dict[str, Any] = {
            "marketplaceIds": ",".join(self.settings.marketplace_ids),
            "lastUpdatedAfter": span[0],
            "lastUpdatedBefore": span[1],
            "maxResultsPerPage": self.settings.page_size,
            "includedData": INCLUDED,
            **wanted,
        }
        links = Links()
        while True:
            page = self.panel.get(
                SEARCH_PATH, shape=SearchPage, params=params, **self.calling("searchOrders")
            )
            yield page.orders
            token = page.pagination.next_token if page.pagination else None
            if not token:
                return
            links.fresh(token)
            params["paginationToken"] = token

    def order(self, order_id: str) -> Raw | None:
        """getOrder; None where the panel does not have it."""
        try:
            return self.panel.get(
                f"{SEARCH_PATH}/{order_id}",
                shape=OneOrder,
                params={"includedData": INCLUDED},
                **self.calling("getOrder"),
            ).order
        except PanelGone:
            return None

    def search_v0(self, window: Window, **wanted: str) -> Iterator[Raw]:
        """getOrders by last change; yields each page's list of orders."""
        span = self.span(window)
        if span is not None:
            wanted |= {"LastUpdatedAfter": span[0], "LastUpdatedBefore": span[1]}
            yield from self._orders_v0(wanted)

    def by_ids_v0(self, order_ids: Sequence[str]) -> Iterator[Raw]:
        """getOrders by AmazonOrderIds, 50 a call: it finds orders that a search leaves out."""
        for start in range(0, len(order_ids), IDS_PER_CALL):
            ids = ",".join(order_ids[start : start + IDS_PER_CALL])
            yield from self._orders_v0({"AmazonOrderIds": ids})

    def _orders_v0(self, wanted: Mapping[str, str]) -> Iterator[Raw]:
        params: dict[str, Any] = {
            "MarketplaceIds": ",".join(self.settings.marketplace_ids),
            "MaxResultsPerPage": self.settings.page_size,
            **wanted,
        }
        links = Links()
        while True:
            page = self.panel.get(
                V0_PATH, shape=OrdersAnswer, params=params, **self.calling("getOrders")
            ).payload
            yield page.orders
            if not page.next_token:
                return
            links.fresh(page.next_token)
            params["NextToken"] = page.next_token

    def items_v0(self, order_id: str) -> list[Item0]:
        """getOrderItems, all pages."""
        found: list[Item0] = []
        params: dict[str, str] = {}
        links = Links()
        while True:
            page = self.panel.get(
                f"{V0_PATH}/{order_id}/orderItems",
                shape=ItemsAnswer,
                params=params,
                **self.calling("getOrderItems"),
            ).payload
            found += page.order_items
            if not page.next_token:
                return found
            links.fresh(page.next_token)
            params["NextToken"] = page.next_token

    def easy_ship_states(self, order_ids: Sequence[str]) -> dict[str, str]:
        """The Easy Ship state of these orders, from the second source and then the third.

        Orders of which neither says anything are left out; so is everything where the account
        lacks the role, or where v0 is no more.
        """
        found: dict[str, str] = {}
        if self.settings.v0_states and self.settings.orders_api != "v0":
            try:
                for raw in self.by_ids_v0(order_ids):
                    for order in rows(raw, Order0):
                        if not isinstance(order, BadRow) and order.easy_ship_shipment_status:
                            found[order.amazon_order_id] = order.easy_ship_shipment_status
            except (PanelGone, PanelRefused, PanelAnswer) as error:
                _only_silence(error)
        if self.settings.easy_ship:
            for order_id in order_ids:
                if order_id not in found:
                    state = self._easy_ship_state(order_id)
                    if state:
                        found[order_id] = state
        return found

    def _easy_ship_state(self, order_id: str) -> str:
        params = {"amazonOrderId": order_id, "marketplaceId": self.settings.marketplace_ids[0]}
        try:
            found = self.panel.get(
                EASY_SHIP_PATH,
                shape=EasyShipPackage,
                params=params,
                **self.calling("getScheduledPackage"),
            )
        except (PanelGone, PanelRefused, PanelAnswer) as error:
            _only_silence(error)
            return ""
        return found.package_status or ""

    def returns(self, **wanted: str) -> Iterator[Raw]:
        """listReturns; yields each page's list."""
        params: dict[str, Any] = {"maxResults": 100, **wanted}
        links = Links()
        while True:
            page = self.panel.get(
                RETURNS_PATH, shape=ReturnsPage, params=params, **self.calling("listReturns")
            )
            yield page.returns
            if not page.next_token:
                return
            links.fresh(page.next_token)
            params["nextToken"] = page.next_token


def _only_silence(error: PanelGone | PanelRefused | PanelAnswer) -> None:
    """Let through what says more than «this source does not know»: dead credentials for one."""
    if isinstance(error, PanelGone) or error.code in ("call_forbidden", "panel_status_400"):
        return
    raise error


def stamp(moment: datetime) -> str:
    """A time in whole seconds as the panel takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def authorise_with(settings: AmazonSettings) -> Callable[[Panel, Token | None], Token]:
    """The way of this account to a new access token."""

    def authorise(panel: Panel, old: Token | None) -> Token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": settings.refresh_token.get_secret_value(),
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        try:
            answer = panel.post(settings.lwa_url + TOKEN_PATH, shape=TokenAnswer, form=form)
        except PanelRefused as error:
            raise PanelRefused(
                f"{error} Check client_id, client_secret (Amazon makes secrets expire) and "
                "refresh_token of this account; a new refresh token comes from Seller Central, "
                "Apps and Services, Develop Apps, Authorise."
            ) from None
        return panel.new_token(
            answer.access_token, expires_in=answer.expires_in, header=TOKEN_HEADER
        )

    return authorise
