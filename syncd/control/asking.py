"""Ask for runs: of which accounts, for which kinds and orders, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from syncd.book import queries, runs
from syncd.book.store import Book
from syncd.book.views import AccountView
from syncd.channels import Channels, ChannelState
from syncd.config import Config
from syncd.errors import NotFound, Refused
from syncd.rules import TENANT_NOT_LIVE
from syncd.statuses import Kind

_AT_ONCE: Final = 400
OPERATOR: Final = "operator"


class Wish(Struct, frozen=True):
    """What a person asks for. No ``kinds``: all of the channel's. ``days``: look back."""

    kinds: tuple[Kind, ...] = ()
    orders: tuple[str, ...] = ()
    days: int | None = None
    dry_run: bool = False
    purpose: str = runs.SYNC


class AskedRun(Struct, frozen=True):
    """A run that was queued, or an equal one that was waiting already (``folded``)."""

    account: str
    run_id: int
    folded: bool


class Asked(Struct, frozen=True, kw_only=True):
    """The runs that were asked for. ``run_id`` is the first's; ``folded`` if all are.

    ``unknown_orders`` are not in the book; the channel is asked for them all the same.
    ``notes`` are sentences about what stands in the way of a result.
    """

    run_id: int
    folded: bool
    unknown_orders: tuple[str, ...]
    runs: tuple[AskedRun, ...]
    notes: tuple[str, ...] = ()


def ask(
    book: Book,
    channels: Channels,
    config: Config,
    target: str,
    wish: Wish,
    *,
    actor: str,
    now: datetime,
) -> Asked:
    """Queue a run for each account that ``target`` means, all that run if it is empty.

    Raises NotFound for an unknown name, Refused when an account cannot run or the wish cannot
    be met; then nothing is queued.
    """
    accounts = _accounts_of(book, target) if target else _runnable(book, config)
    kinds = {one.name: check(one, channels, config, wish.kinds) for one in accounts}
    named = _named(wish.orders)
    owned = {one.name: _known(book, one.name, named) for one in accounts}
    unknown = [order for order in named if not any(order in has for has in owned.values())]
    wanted = _share(named, owned, unknown)
    with book.write():
        queued = [
            _queue(book, one.name, kinds[one.name], wanted[one.name], wish, actor, now)
            for one in accounts
            if not named or wanted[one.name]
        ]
    return Asked(
        run_id=queued[0].run_id,
        folded=all(run.folded for run in queued),
        unknown_orders=tuple(unknown),
        runs=tuple(queued),
        notes=tuple(_notes(accounts)),
    )


def decide(
    book: Book, accounts: Iterable[str], *, trigger: str, actor: str, now: datetime
) -> list[int]:
    """Queue a run for each account that fetches nothing and decides what is open."""
    return [
        runs.enqueue(book, account, (), trigger=trigger, actor=actor, now=now).run_id
        for account in accounts
    ]


def _queue(
    book: Book,
    account: str,
    kinds: Sequence[Kind],
    orders: Sequence[str],
    wish: Wish,
    actor: str,
    now: datetime,
) -> AskedRun:
    done = runs.enqueue(
        book, account, kinds, orders=orders, days=wish.days, dry_run=wish.dry_run,
        purpose=wish.purpose, trigger=OPERATOR, actor=actor, now=now,
    )  # fmt: skip
    return AskedRun(account, done.run_id, done.folded)


def _accounts_of(book: Book, target: str) -> list[AccountView]:
    """The account of this name, or the accounts of the channel of this name."""
    everyone = queries.accounts(book)
    found = [one for one in everyone if one.name == target]
    found = found or [one for one in everyone if one.channel == target]
    if found:
        return found
    names = sorted({one.name for one in everyone} | {one.channel for one in everyone})
    near = get_close_matches(target, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names) or 'none yet'}."
    raise NotFound(f"There is no account or channel {target[:80]!r}. {hint}")


def account_of(book: Book, name: str) -> AccountView:
    """The account of this name alone. Raises NotFound with the nearest."""
    everyone = [one.name for one in queries.accounts(book)]
    if name not in everyone:
        near = get_close_matches(name, everyone, n=1)
        known = ", ".join(everyone) or "none yet"
        hint = f"Did you mean {near[0]}?" if near else f"Known: {known}."
        raise NotFound(f"There is no account {name[:80]!r}. {hint}")
    return next(one for one in queries.accounts(book) if one.name == name)


def _runnable(book: Book, config: Config) -> list[AccountView]:
    """All accounts that are connected and configured. Raises Refused when there is none."""
    everyone = queries.accounts(book)
    found = [one for one in everyone if one.state == "CONNECTED" and one.name in config.accounts]
    if not found:
        raise Refused(
            "No account can be audited: none is connected. See: syncctl status",
            code="account_disabled",
        )
    return found


def check(
    account: AccountView, channels: Channels, config: Config, kinds: Sequence[Kind]
) -> tuple[Kind, ...]:
    """The kinds to run. Raises Refused with the reason why this account cannot."""
    name = account.name
    if account.state == "DISABLED" or name not in config.accounts:
        raise Refused(
            f"Account {name} is {account.words}. Put the configuration right, then: syncctl reload",
            code="account_disabled",
        )
    if account.state != "CONNECTED":
        paused = account.state == "PAUSED"
        raise Refused(
            f"Account {name} does not run: {account.words}. When that is settled: "
            f"syncctl resume {name}",
            code="account_paused" if paused else "account_auth_failed",
        )
    channel = channels.get(account.channel)
    if channel is None or channel.state is not ChannelState.ENABLED:
        reason = channel.reason if channel else "its plugin is not installed"
        raise Refused(
            f"Channel {account.channel} of account {name} is off: {reason}. See: syncctl channels",
            code="channel_off",
        )
    channel = channel.by_source(config.accounts[name].settings.get("source", ""))
    missing = [kind.value for kind in kinds if kind not in channel.kinds]
    if missing:
        offered = ", ".join(kind.value for kind in Kind if kind in channel.kinds)
        raise Refused(
            f"Account {name} on channel {account.channel} has no task {', '.join(missing)}; it has "
            f"{offered}.",
            code="bad_task",
        )
    return tuple(kinds) or tuple(kind for kind in Kind if kind in channel.kinds)


def _named(orders: Iterable[str]) -> list[str]:
    """Each order once. Raises Refused for too many, before the book is asked about them."""
    named = list(dict.fromkeys(orders))
    if len(named) > runs.MAX_ORDERS:
        raise Refused(
            f"{len(named)} orders were named; a run takes at most {runs.MAX_ORDERS}. Ask by days, "
            "or in several runs.",
            code="too_many_orders",
        )
    return named


def unheard_of(book: Book, account: str, orders: Sequence[str]) -> list[str]:
    """Which of these orders the book has not, and the channel never spoke of."""
    known = _known(book, account, orders) | _known(book, account, orders, table="inbox")
    return [order for order in orders if order not in known]


def _known(
    book: Book, account: str, orders: Sequence[str], *, table: str = "orders"
) -> frozenset[str]:
    """Which of these orders the book has for the account."""
    account_id = runs.account_id_of(book, account)
    found: set[str] = set()
    for start in range(0, len(orders), _AT_ONCE):
        part = orders[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        rows = book.query(
            f"SELECT order_id FROM {table} WHERE account_id = ? AND order_id IN ({marks})",
            (account_id, *part),
        )
        found.update(row[0] for row in rows)
    return frozenset(found)


def _share(
    named: Sequence[str], owned: Mapping[str, frozenset[str]], unknown: Sequence[str]
) -> dict[str, list[str]]:
    """Each account's part of the named orders; one that nobody has goes to all of them."""
    nobodys = set(unknown)
    return {
        account: [order for order in named if order in has or order in nobodys]
        for account, has in owned.items()
    }


def _notes(accounts: Iterable[AccountView]) -> Iterable[str]:
    asleep = dict.fromkeys(one.tenant for one in accounts if one.tenant_state != "LIVE")
    for tenant in asleep:
        yield f"{TENANT_NOT_LIVE}. When {tenant} is ready: syncctl tenant live {tenant}"
