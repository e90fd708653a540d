"""What a seller writes in the configuration about one Amazon account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from syncd import PanelAddress, ReturnType, Settings, Status

EUROPE: Final = "https://sellingpartnerapi-eu.amazon.com"  # India is served from there
INDIA: Final = "A21TJRUUN4KGV"

FLAT_RETURNS: Final = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
XML_RETURNS: Final = "GET_XML_RETURNS_DATA_BY_RETURN_DATE"
FBA_RETURNS: Final = "GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA"

ReportType = Literal[
    "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE",
    "GET_XML_RETURNS_DATA_BY_RETURN_DATE",
    "GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA",
]
LONGEST_REPORT: Final = timedelta(days=60)

ISO: Final = "ISO 8601"
DATES: Final[Mapping[str, str]] = {FLAT_RETURNS: "%d-%b-%Y", XML_RETURNS: ISO, FBA_RETURNS: ISO}
"""How each report writes its dates; only the flat file's form was seen in an Indian account."""
_TRIED: Final = (datetime(2026, 9, 2, tzinfo=UTC), datetime(2031, 12, 31, tzinfo=UTC))


def _date_form(text: str) -> str:
    if text == ISO:
        return text
    try:
        kept = all(
            datetime.strptime(day.strftime(text), text).date() == day.date() for day in _TRIED
        )
    except ValueError:
        kept = False
    if not kept:
        raise ValueError(
            f"{text!r} does not say how a date is written: give day, month and year, such as "
            f'"%d-%b-%Y" for 02-Sep-2026 or "%d/%m/%Y" for 02/09/2026, or "{ISO}"'
        )
    return text


DateForm = Annotated[str, AfterValidator(_date_form)]


class AmazonSettings(Settings):
    """Settings of an Amazon account. No role for buyers' data is needed."""

    base_url: str = EUROPE
    lwa_url: PanelAddress = Field(
        default="https://api.amazon.com", description="Where Login with Amazon gives tokens."
    )
    client_id: str = Field(min_length=1, description="LWA client id of the application.")
    client_secret: SecretStr = Field(description="LWA client secret; Amazon makes it expire.")
    refresh_token: SecretStr = Field(description="What the seller's consent gave (Atzr|...).")
    seller_id: str = Field(default="", description="The merchant token, for people only.")
    marketplace_ids: tuple[str, ...] = Field(
        default=(INDIA,), min_length=1, max_length=50, description="Marketplaces; the first one is "
        "where Easy Ship is asked.",
    )  # fmt: skip
    orders_api: Literal["2026-01-01", "v0"] = Field(
        default="2026-01-01", description="Version of the Orders API; v0 ends on 27 March 2027."
    )
    v0_states: bool = Field(
        default=True, description="Ask v0 for the Easy Ship state that 2026-01-01 leaves out."
    )
    easy_ship: bool = Field(
        default=True, description="Ask the Easy Ship API for a state that both leave out."
    )
    programs_shipped: tuple[str, ...] = Field(
        default=(), description="Programs beside Easy Ship whose parcels Amazon carries."
    )
    return_reports: tuple[ReportType, ...] = Field(
        default=(FLAT_RETURNS,), description="Reports of returns to read; none switches them off."
    )
    returns_days: int = Field(
        default=30, ge=1, le=60, description="How many days back a report of returns reaches."
    )
    report_wait: float = Field(
        default=300.0, ge=0, le=3600, description="Seconds that a pass waits for a report."
    )
    report_poll: float = Field(
        default=15.0, ge=0.1, le=60, description="Seconds between two looks at a report."
    )
    report_dates: dict[ReportType, DateForm] = Field(
        default={},
        description="How a report writes its dates, where it differs: day %d, month %b or %m, year "
        f"%Y, or {ISO}.",
    )
    return_statuses: dict[str, Status] = Field(
        default={}, description="What each word of Return request status means."
    )
    return_types: dict[str, ReturnType] = Field(
        default={}, description='What each word of Return type means; "" for none.'
    )
    external_returns: bool = Field(
        default=False, description="Read the External Fulfillment Returns API."
    )
    return_locations: tuple[str, ...] = Field(
        default=(), description="Its return locations; then returns are asked by last change too."
    )
    page_size: int = Field(default=100, ge=1, le=100, description="Orders a page.")
    pace: Literal["documented", "unlimited"] = Field(
        default="documented", description="unlimited is for a simulator only."
    )

    def dates_of(self, kind: str) -> str:
        """How this type of report writes its dates."""
        told = [form for name, form in self.report_dates.items() if name == kind]
        return told[0] if told else DATES[kind]
