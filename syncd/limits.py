"""How long anything may wait before a person is told. The numbers are the seller's to choose."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """One account's limits; the names are the keys of the configuration's tables ``limits``.

    ``keep`` is how long cancellations and other facts of an order that never came count as open
    work; ``cancel_reminder`` how often a buyer's wish to cancel is called to mind,
    ``exception_reminder`` how often any other open exception is.
    """

    park_max: timedelta = timedelta(days=3)
    unproven: timedelta = timedelta(days=3)
    refused: timedelta = timedelta(days=1)
    putaway: timedelta = timedelta(days=3)
    rto_overdue: timedelta = timedelta(days=21)
    cir_overdue: timedelta = timedelta(days=30)
    attempt: timedelta = timedelta(days=7)
    claim: timedelta = timedelta(days=30)
    cancel_reminder: timedelta = timedelta(minutes=30)
    exception_reminder: timedelta = timedelta(days=3)
    keep: timedelta = timedelta(days=120)
