"""Bring the book's accounts, facilities and tenants in line with the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from syncd.book.store import Book
from syncd.book.tables import Account, Facility, Tenant
from syncd.clock import to_micros
from syncd.config import AccountConfig, Config

CONNECTED: Final = "CONNECTED"
DISABLED: Final = "DISABLED"


def ensure_accounts(
    book: Book, config: Config, unavailable: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Make what is new, switch off what cannot run, and keep everything that has a history.

    ``unavailable`` says of some accounts why they cannot run. A new tenant is ONBOARDING: a
    person sets it live. Returns ``unavailable`` with what the book itself has against accounts.
    """
    absent = dict(unavailable)
    with book.write():
        for name, account in config.accounts.items():
            row = Account.get_or_none(Account.name == name)
            if row is not None and row.channel != account.channel:
                absent[name] = (
                    f"the book knows account {name} as one of channel {row.channel}, with its "
                    f"orders; give the login on {account.channel} a new name"
                )
                continue
            _ensure_account(row, account)
        for row in Account.select():
            reason = absent.get(row.name, "")
            if row.name not in config.accounts:
                reason = "it is not in the configuration any more"
            _switch(row, reason, to_micros(now))
    return absent


def _ensure_account(row: Account | None, account: AccountConfig) -> None:
    tenant = Tenant.get_or_none(Tenant.code == account.tenant) or Tenant.create(code=account.tenant)
    codes = dict.fromkeys([account.facility, *account.locations.values()])
    facilities = [_facility(tenant, code) for code in codes]
    if row is None:
        Account.create(
            name=account.name, channel=account.channel, tenant=tenant, facility=facilities[0]
        )
        return
    Account.update(tenant=tenant, facility=facilities[0]).where(Account.id == row.id).execute()


def _facility(tenant: Tenant, code: str) -> Facility:
    found: Facility | None = Facility.get_or_none(
        (Facility.tenant == tenant.id) & (Facility.code == code)
    )
    return found or Facility.create(tenant=tenant, code=code)


def _switch(row: Account, reason: str, now: int) -> None:
    """Off with a reason, or on again. What a person paused stays paused."""
    if reason and row.state in {CONNECTED, DISABLED}:
        state = DISABLED
    elif not reason and row.state == DISABLED:
        state = CONNECTED
    else:
        return
    since = row.state_since if row.state == state else now
    Account.update(state=state, state_reason=reason, state_since=since).where(
        Account.id == row.id
    ).execute()
