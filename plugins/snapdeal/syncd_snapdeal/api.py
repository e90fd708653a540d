"""The calls to Snapdeal's seller API, and the shapes of its answers.

Shapes name only what is read; none has a buyer's name, address or phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Final

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from syncd import Panel, Window
from syncd.errors import PanelAnswer
from syncd.shapes import BadRow, decode, rows
from syncd_snapdeal.settings import SnapdealSettings

PAGE_SIZE: Final = 20  # the documented most for returns; for the other lists none is documented
ON_THE_WAY: Final = timedelta(days=45)  # the longest way that is reckoned with, to or from a buyer
NOT_FOR_RETURNS: Final = "FC_VOI"  # the calls for returns take every mode but this one

INDIA: Final = timezone(timedelta(hours=5, minutes=30))
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LEAST_MILLISECONDS: Final = 10**11  # the year 1973: a smaller number counts something else

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Stamp = int | str | None


class Metadata(Struct):
    """The part of every answer that may say what went wrong."""

    message: str | None = None


class Answer(Struct):
    """Every answer: the payload holds one list, whose name depends on the call."""

    metadata: Metadata
    payload: dict[str, Raw] | None = None


class Item(Struct, rename="camel"):
    """A suborder: one piece. Its package's fields stand in it too, see :func:`items`."""

    suborder_code: Id
    sku_code: str
    si_status_code: str
    order_date: Stamp = None
    product_name: str | None = None
    order_code: str | None = None
    updated: Stamp = None
    cancellation_reason: str | None = None
    package_reference_code: str | None = None
    fulfillment_model_code: str | None = None
    awb_no: str | None = None
    shipped_date: Stamp = None


class Package(Struct, rename="camel"):
    """A parcel with its suborders."""

    package_reference_code: Id
    items: list[Raw]
    fulfillment_model_code: str | None = None
    awb_no: str | None = None
    shipped_date: Stamp = None


class ReturnRow(Struct, rename="camel"):
    """The return of one suborder. ``status`` is kept for people: its words are not documented."""

    suborder_code: Id
    sku_code: str | None = None
    customer_return_initiated_on: Stamp = None
    return_initiated_on: Stamp = None
    return_delivered_on: Stamp = None
    shipped_on: Stamp = None
    fulfillment_mode: str | None = None
    awb_number: str | None = None
    rtv_code: str | None = None
    return_reason: str | None = None
    Status: str | None = None


class Snapdeal:
    """One account's calls; each yields the list of one page after the other."""

    def __init__(self, panel: Panel, settings: SnapdealSettings) -> None:
        self._panel = panel
        self._settings = settings
        self._headers = {
            "clientId": settings.client_id,
            "X-Auth-Token": settings.partner_token.get_secret_value(),
            "X-Seller-AuthZ-Token": settings.seller_token.get_secret_value(),
        }

    def new(self) -> Iterator[Raw]:
        """Packages that are not shipped yet."""
        return self._pages("/orders/new", "packages", {})

    def completed(self, since: datetime) -> Iterator[Raw]:
        """Packages in transit or delivered. The call knows no dates: ``since`` only lets the
        reading end where the account says that the newest come first.
        """
        for page in self._pages("/orders/completed", "packages", {}):
            yield page
            if self._settings.newest_first and _all_before(page, since):
                return

    def cancelled(self, window: Window) -> Iterator[Raw]:
        """Suborders that were cancelled in the window."""
        return self._pages("/suborders/cancelled", "items", between(window))

    def returns(self, mode: str, window: Window) -> Iterator[Raw]:
        """Returns, on their way and back: BUYER by their beginning, COURIER by their change."""
        if mode == "BUYER":
            window = Window(window.start - ON_THE_WAY, window.end)
        modes = [one for one in self._settings.modes if one != NOT_FOR_RETURNS]
        query = {"returnMode": mode, **between(window), "fModes": ",".join(modes)}
        for path in ("/returns/pending", "/returns/completed") if modes else ():
            yield from self._pages(path, "ReturnDataSROList", query)

    def _pages(self, path: str, name: str, query: dict[str, str]) -> Iterator[Raw]:
        """Every page up to the first empty one: a short one may be a limit we do not know of."""
        query = {"fModes": ",".join(self._settings.modes), **query, "pageSize": str(PAGE_SIZE)}
        number, last = 1, b""
        while page := self._page(path, name, {**query, "pageNumber": str(number)}):
            if bytes(page) == last:
                raise PanelAnswer(f"{path}: page {number} is the page before it once more.")
            yield page
            number, last = number + 1, bytes(page)

    def _page(self, path: str, name: str, query: dict[str, str]) -> Raw | None:
        """The list of one page; None where there is none: no body, no payload, no rows."""
        body = self._panel.get(
            path, shape=bytes, params=query, headers=self._headers, pace=self._settings.pace
        )
        if not body:
            return None
        answer = decode(body, Answer, where=path)
        if answer.payload is None:
            if answer.metadata.message:
                raise PanelAnswer(f"{path}: Snapdeal says: {self._masked(answer.metadata.message)}")
            return None
        if name not in answer.payload:
            raise PanelAnswer(f"{path}: the payload has no {name}.")
        page = answer.payload[name]
        return page if any(True for _ in rows(page, Raw)) else None

    def _masked(self, text: str) -> str:
        for secret in self._headers.values():
            text = text.replace(secret, "***")
        return text


def items(page: Raw) -> Iterator[Item | BadRow]:
    """The suborders in a page of packages, each with what its package says of it."""
    for package in rows(page, Package):
        if isinstance(package, BadRow):
            yield package
            continue
        for item in rows(package.items, Item):
            yield (
                item
                if isinstance(item, BadRow)
                else replace(
                    item,
                    package_reference_code=package.package_reference_code,
                    fulfillment_model_code=package.fulfillment_model_code,
                    awb_no=package.awb_no,
                    shipped_date=package.shipped_date,
                )
            )


def _all_before(page: Raw, since: datetime) -> bool:
    """Whether every package of a page was shipped before; one without a time was not."""
    try:
        return all(
            not isinstance(one, BadRow) and moment("shippedDate", one.shipped_date) < since
            for one in rows(page, Package)
        )
    except ValueError:
        return False


def between(window: Window) -> dict[str, str]:
    """The window in epoch milliseconds, never narrower than it is."""
    start = (window.start - EPOCH) // timedelta(milliseconds=1)
    end = -((EPOCH - window.end) // timedelta(milliseconds=1))
    return {"startDate": str(start), "endDate": str(end)}


def moment(name: str, stamp: Stamp) -> datetime:
    """The time of epoch milliseconds, or of ISO 8601 text, in India where it has no offset.

    Raises ValueError that names the field.
    """
    try:
        if isinstance(stamp, str) and not stamp.isdecimal():
            found = datetime.fromisoformat(stamp)
            return found if found.tzinfo else found.replace(tzinfo=INDIA)
        if stamp is not None and int(stamp) >= LEAST_MILLISECONDS:
            return EPOCH + timedelta(milliseconds=int(stamp))
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{name} is no time in milliseconds: {stamp!r}")
