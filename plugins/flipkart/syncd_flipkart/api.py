"""The calls to Flipkart's seller API, and the shapes of its answers.

Shapes name only what is read. Lists of rows stay raw until each row is checked by itself, so
that a bad row costs only that row. No shape reads a buyer's name, address or phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta, Raw, Struct, field

from syncd import Links, OrderRef, Panel, Token, Window
from syncd.errors import PanelRefused
from syncd_flipkart.settings import FlipkartSettings

IDS_PER_CALL: Final = 100  # the documented limit of a read by ids
MAX_QUANTITY: Final = 10_000

TOKEN_PATH: Final = "/oauth-service/oauth/token"
PREFIX: Final = "/sellers"  # the next link of a page of shipments comes without it
FILTER_PATH: Final = "/sellers/v3/shipments/filter"
SHIPMENTS_PATH: Final = "/sellers/v3/shipments"
RETURNS_PATH: Final = "/sellers/v2/returns"

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]  # a stamp without its offset is no stamp
# The panel writes whole numbers as 1.0.
Quantity = Annotated[float, Meta(ge=1, le=MAX_QUANTITY, multiple_of=1)]


class TokenAnswer(Struct):
    """The answer of the token endpoint; ``expires_in`` in seconds."""

    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: Annotated[int, Meta(gt=0)]
    token_type: str = "bearer"
    refresh_token: str = ""


class Item(Struct, rename="camel", gc=False):
    """One line of a shipment. The status is here and nowhere else."""

    order_item_id: Id
    order_id: Id
    status: str
    quantity: Quantity
    sku: str | None = None
    order_date: Moment | None = None
    cancellation_date: Moment | None = None
    cancellation_reason: str | None = None
    cancellation_sub_reason: str | None = None
    courier_return: bool | None = None
    service_profile: str | None = None
    title: str | None = None
    is_replacement: bool | None = field(default=None, name="is_replacement")


class Head(Struct, rename="camel"):
    """A shipment without its lines. ``updated_at`` is the only stamp of its last change."""

    shipment_id: Id
    updated_at: Moment
    location_id: str | None = None
    shipment_type: str | None = None


class Shipment(Head, rename="camel", kw_only=True):
    """A parcel of one order, or of several lines of it."""

    order_items: list[Item]


class ShipmentsPage(Struct, rename="camel"):
    """One page of a search for shipments."""

    has_more: bool
    shipments: Raw
    next_page_url: str | None = None


class ShipmentsByIds(Struct):
    """The answer of a read by ids; it has no pages."""

    shipments: Raw


class ReturnItem(Struct, rename="camel"):
    """One return: one quantity of one line. Stamps stay text, for an empty one is allowed."""

    return_id: Id
    order_id: Id
    status: str
    quantity: Quantity
    order_item_id: str | None = None
    type: str | None = None
    created_date: str | None = None
    updated_date: str | None = None
    location_id: str | None = None
    courier_name: str | None = None
    tracking_id: str | None = None
    shipment_id: str | None = None
    shipment_status: str | None = None
    reason: str | None = None
    sub_reason: str | None = None
    service_profile: str | None = None


class ReturnsPage(Struct, rename="camel"):
    """One page of returns."""

    has_more: bool
    return_items: Raw
    next_url: str | None = None


class Flipkart:
    """One account's calls."""

    def __init__(self, panel: Panel, settings: FlipkartSettings) -> None:
        self._panel = panel
        self._settings = settings
        self._with: dict[str, Any] = {
            "authorise": authorise_with(settings),
            "pace": settings.pace,
        }

    def search(self, **wanted: Any) -> Iterator[Raw]:
        """Search shipments in each location and service profile; yields each page's list.

        ``wanted`` are filter fields in the panel's own names. Raises PanelAnswer when a page
        and its next link contradict each other, or when the links run in a ring.
        """
        settings = self._settings
        for location in settings.locations or ("",):
            for profile in settings.service_profiles:
                search = {**wanted, "serviceProfiles": [profile]}
                if location:
                    search["locationId"] = location
                yield from self._search(search)

    def _search(self, search: Mapping[str, Any]) -> Iterator[Raw]:
        body = {
            "filter": search,
            "pagination": {"pageSize": self._settings.page_size},
            "sort": {"field": "modifiedDate", "order": "asc"},
        }
        page = self._panel.post(
            FILTER_PATH, shape=ShipmentsPage, body=body, reads=True, **self._with
        )
        yield page.shipments
        links = Links()
        while link := links.next(page.has_more, page.next_page_url):
            # The filter lives inside the link's token. When the access token runs out here the
            # panel client repeats this GET; posting the filter again would lose the place.
            page = self._panel.follow(link, shape=ShipmentsPage, prefix=PREFIX, **self._with)
            yield page.shipments

    def by_ids(self, kind: str, ids: Sequence[str]) -> Iterator[Raw]:
        """Read shipments by ``orderItemIds`` or ``orderIds``, at most 100 a call."""
        for start in range(0, len(ids), IDS_PER_CALL):
            params = {kind: ",".join(ids[start : start + IDS_PER_CALL])}
            yield self._panel.get(
                SHIPMENTS_PATH, shape=ShipmentsByIds, params=params, **self._with
            ).shipments

    def of_orders(self, orders: Sequence[OrderRef]) -> Iterator[Raw]:
        """Read the shipments of these orders: by their lines where those are known."""
        lines = [line for order in orders for line in order.line_ids]
        yield from self.by_ids("orderItemIds", list(dict.fromkeys(lines)))
        blank = [order.order_id for order in orders if not order.line_ids]
        yield from self.by_ids("orderIds", list(dict.fromkeys(blank)))

    def returns(self, source: str, window: Window) -> Iterator[Raw]:
        """Read the returns of one source in each location; yields each page's list."""
        for location in self._settings.locations or ("",):
            params = {"source": source, **self._returns_window(window)}
            if location:
                params["locationId"] = location
            yield from self._returns(params)

    def _returns(self, params: Mapping[str, str]) -> Iterator[Raw]:
        page = self._panel.get(RETURNS_PATH, shape=ReturnsPage, params=params, **self._with)
        yield page.return_items
        links = Links()
        while link := links.next(page.has_more, page.next_url):
            page = self._panel.follow(
                link, shape=ReturnsPage, prefix=self._settings.returns_prefix, **self._with
            )
            yield page.return_items

    def _returns_window(self, window: Window) -> dict[str, str]:
        if self._settings.returns_window == "modified":
            between = span(window)
            return {"modifiedAfter": between["from"], "modifiedBefore": between["to"]}
        # The panel seems to compare the day of the approval, which may be another day than
        # that of the creation: ask for one day more at both ends.
        day = timedelta(days=1)
        between = span(Window(window.start - day, window.end + day))
        return {"createdAfter": between["from"], "createdBefore": between["to"]}


def span(window: Window) -> dict[str, str]:
    """The window in whole seconds, never narrower than it is."""
    start = window.start.astimezone(UTC).replace(microsecond=0)
    end = window.end.astimezone(UTC)
    if end.microsecond:
        end = end.replace(microsecond=0) + timedelta(seconds=1)
    form = "%Y-%m-%dT%H:%M:%SZ"
    return {"from": start.strftime(form), "to": end.strftime(form)}


def authorise_with(settings: FlipkartSettings) -> Callable[[Panel, Token | None], Token]:
    """The way of this account to a new access token, in its style of credentials."""

    def authorise(panel: Panel, old: Token | None) -> Token:
        if settings.refresh_token is None:
            return _ask(panel, settings, {"grant_type": "client_credentials"})
        configured = settings.refresh_token.get_secret_value()
        kept = old.refresh_token if old is not None else ""
        if kept and kept != configured:
            # The kept one may have died, and a person put a fresh one into the settings.
            with suppress(PanelRefused):
                return _refresh(panel, settings, kept)
        return _refresh(panel, settings, configured)

    return authorise


def _refresh(panel: Panel, settings: FlipkartSettings, refresh_token: str) -> Token:
    params = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return _ask(panel, settings, params)


def _ask(panel: Panel, settings: FlipkartSettings, params: dict[str, str]) -> Token:
    if params["grant_type"] == "client_credentials":
        params["scope"] = settings.scope
    try:
        answer = panel.get(
            TOKEN_PATH,
            shape=TokenAnswer,
            params=params,
            basic=(settings.app_id, settings.app_secret.get_secret_value()),
        )
    except PanelRefused as error:
        raise PanelRefused(f"{error} {_advice(settings)}") from None
    return panel.new_token(
        answer.access_token,
        expires_in=answer.expires_in,
        token_type=answer.token_type,
        # Some answers carry a new refresh token: then the old one may be dead.
        refresh_token=answer.refresh_token or params.get("refresh_token", ""),
    )


def _advice(settings: FlipkartSettings) -> str:
    if settings.refresh_token is None:
        return (
            "Check app_id and app_secret against the app in Flipkart's seller dashboard, under "
            "developer access, and put the right ones into this account's settings."
        )
    return (
        "The refresh token is dead or belongs to another app: let the seller give consent "
        "again and put the new refresh token into this account's settings."
    )
