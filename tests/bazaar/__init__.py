"""An imagined marketplace of an unlike shape, and a whole plugin for it, as small as may be.

It answers in XML, goes on by a cursor, tells times in epoch seconds and wants a session in the
query. The plugin was written by the author's guide alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Annotated, Final, TypeVar
from xml.etree import ElementTree

import msgspec
from msgspec import Meta, Struct
from pydantic import SecretStr

import syncd
from syncd import Account, NewOrder, OrderRef, Page, Panel, ReturnType, Status, StatusChange, Window
from syncd.errors import PanelAnswer
from syncd.shapes import odd_change, odd_order

STATUSES: Final = {
    "gone": (Status.DISPATCHED, None),
    "there": (Status.DELIVERED, None),
    "void": (Status.CANCELLED, None),
    "back-courier": (Status.RETURN_NOTICED, ReturnType.RTO),
    "back-buyer": (Status.RETURN_NOTICED, ReturnType.CIR),
    "home-courier": (Status.RETURNED, ReturnType.RTO),
    "home-buyer": (Status.RETURNED, ReturnType.CIR),
    "kept-courier": (Status.RETURN_WITHDRAWN, None),
    "kept-buyer": (Status.RETURN_WITHDRAWN, None),
}

Shape = TypeVar("Shape", bound=Struct)
Fact = TypeVar("Fact", NewOrder, StatusChange)
Refs = Sequence[OrderRef]
Changes = Iterator[Page[StatusChange]]
Orders = Iterator[Page[NewOrder]]
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=1, le=10_000)]
Seconds = Annotated[int, Meta(ge=100_000_000, le=9_999_999_999)]


class Movement(Struct):
    """Pieces of a line that came into a state."""

    no: Id
    order: Id
    line: Id
    count: Count
    state: Id
    at: Seconds
    sku: str = ""
    parcel: str = ""
    waybill: str = ""
    back: str = ""
    carrier: str = ""


class Sale(Struct):
    """An order, without its lines."""

    order: Id
    at: Seconds
    carrier: str = ""


class SaleLine(Struct):
    """A line of an order."""

    line: Id
    sku: Id
    count: Count


class BazaarSettings(syncd.Settings):
    """The login of an account."""

    base_url: str = "https://bazaar.example/api"
    user: str
    password: SecretStr


def feed(
    account: Account, panel: Panel, name: str, window: Window, orders: Refs, states: Sequence[str]
) -> Iterator[ElementTree.Element]:
    """The pages of one feed, one after the other."""

    def log_in(panel: Panel, _old: syncd.Token | None) -> syncd.Token:
        form = {"user": account.settings.user}
        form["pass"] = account.settings.password.get_secret_value()
        session = parsed(panel.post("/login.xml", shape=bytes, form=form), "session", "/login.xml")
        return panel.new_token(session.get("key", ""), expires_in=900, param="session")

    query: dict[str, object] = {"state": states, "order": [one.order_id for one in orders]}
    if not orders:  # whole seconds, never narrower than the window
        query |= {"from": int(window.start.timestamp()), "to": ceil(window.end.timestamp())}
    cursors, path = syncd.Links(), f"/{name}.xml"
    while True:
        page = parsed(panel.get(path, shape=bytes, params=query, authorise=log_in), "feed", path)
        yield page
        if (cursor := page.get("cursor")) is None:
            return
        cursors.fresh(cursor)
        query["cursor"] = cursor


def parsed(body: bytes, tag: str, where: str) -> ElementTree.Element:
    """The root of an XML document."""
    with suppress(ElementTree.ParseError):
        found = ElementTree.fromstring(body)
        if found.tag == tag:
            return found
    raise PanelAnswer(f"{where}: the answer is no XML document <{tag}>.")


def row_of(element: ElementTree.Element, shape: type[Shape]) -> Shape:
    """An element's attributes as a row. Raises ValueError."""
    return msgspec.convert(element.attrib, shape, strict=False)


def order_of(element: ElementTree.Element) -> NewOrder:
    """An order. Raises ValueError."""
    sale = row_of(element, Sale)
    found = [row_of(child, SaleLine) for child in element]
    lines = tuple(
        syncd.OrderLine(line_id=one.line, sku=one.sku, quantity=one.count) for one in found
    )
    at, facts = datetime.fromtimestamp(sale.at, UTC), {"carrier": sale.carrier}
    return NewOrder(order_id=sale.order, placed_at=at, lines=lines, facts=facts)


def change_of(element: ElementTree.Element) -> StatusChange:
    """A fact. Raises ValueError."""
    row = row_of(element, Movement)
    if row.state not in STATUSES:
        raise ValueError(f"the state {row.state!r} is not known")
    status, way = STATUSES[row.state]
    return StatusChange(
        order_id=row.order,
        status=status,
        native_status=row.state,
        occurred_at=datetime.fromtimestamp(row.at, UTC),
        line_id=row.line,
        sku=row.sku,
        quantity=row.count,
        return_type=way,
        return_id=row.back,
        shipment_id=row.parcel,
        tracking_number=row.waybill,
        evidence_id=row.no,
        facts={"carrier": row.carrier},
    )


def read(
    page: ElementTree.Element,
    window: Window,
    make: Callable[[ElementTree.Element], Fact],
    odd: Callable[[str, str, datetime], Fact],
) -> Page[Fact]:
    """The facts of a page; an element that cannot be read costs only itself."""
    rows = []
    for element in page:
        try:
            rows.append(make(element))
        except (msgspec.ValidationError, ValueError) as error:
            raw = ElementTree.tostring(element, "unicode")
            rows.append(odd(str(error), raw, window.end))
    return Page(rows=rows)


def moved(*states: str) -> Callable[..., Changes]:
    """A hook that tells the movements into these states."""

    @syncd.hookimpl
    def fetch(account: Account, window: Window, orders: Refs, panel: Panel) -> Changes:
        for page in feed(account, panel, "movements", window, orders, states):
            yield read(page, window, change_of, odd_change)

    return fetch


@syncd.hookimpl
def describe_channel() -> syncd.Channel:
    """Bazaar, asked by window or by ids."""
    return syncd.Channel(
        title="Bazaar",
        settings=BazaarSettings,
        longest_window=timedelta(days=7),
        orders_per_call=50,
        statuses=frozenset(status for status, _ in STATUSES.values()),
        ships="Bazaar; the seller where the carrier is OWN",
    )


@syncd.hookimpl
def fetch_orders(account: Account, window: Window, orders: Refs, panel: Panel) -> Orders:
    """Orders with their lines."""
    for page in feed(account, panel, "sales", window, orders, ()):
        yield read(page, window, order_of, odd_order)


fetch_dispatched = moved("gone")
fetch_cancelled = moved("void")
fetch_returns = moved(*(state for state in STATUSES if "-" in state))
fetch_delivered = moved("there")


@syncd.hookimpl
def provides_shipping(account: Account, order: OrderRef) -> bool:
    """Bazaar ships what the seller does not carry himself."""
    return order.facts.get("carrier") != "OWN"
