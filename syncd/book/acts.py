"""What a person does to accounts, tenants, facilities, sequences and facts.

The acts on orders and goods have their own modules and are listed here as well, so that the
API needs one import: ``acts.advance``, ``acts.complete_putaway``, ``acts.receive_stock``.
Each act is one transaction. It keeps who did it and returns what changed; one that is not
possible raises Refused, whose message says what would be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from syncd.book.brakes import Closed as Closed, drop as drop, release as release
from syncd.book.documents import MAX_PREFIX, DocumentKind, number_text, proposed_prefix
from syncd.book.goods import (
    Adjusted as Adjusted,
    Received as Received,
    adjust_stock as adjust_stock,
    allocate_free as allocate_free,
    allocate_waiting as allocate_waiting,
    receive_stock as receive_stock,
)
from syncd.book.parting import Names as Names, merge as merge, split as split
from syncd.book.putaways import (
    Disposition as Disposition,
    PutAway as PutAway,
    complete_putaway as complete_putaway,
)
from syncd.book.records import Place, find_facility
from syncd.book.runs import account_id_of
from syncd.book.setaside import (
    Ignored as Ignored,
    Retried as Retried,
    ignore as ignore,
    reopen_refused,
    retry as retry,
)
from syncd.book.settling import Answer as Answer, Settled as Settled, settle as settle
from syncd.book.store import Book
from syncd.book.warehouse import Advanced as Advanced, advance as advance, parse_step as parse_step
from syncd.book.wording import REFUSED_BEFORE, split_refusal
from syncd.clock import to_micros
from syncd.errors import NotFound, Refused

TENANT_STATES: Final = ("ONBOARDING", "LIVE", "SUSPENDED")
FACILITY_STATES: Final = ("ACTIVE", "INACTIVE")
TRACEABILITIES: Final = ("NONE", "ITEM_SKU", "ITEM")
MAX_NUMBER: Final = 10**12
MAX_WIDTH: Final = 12
_PREFIX: Final = re.compile(r"[A-Za-z0-9/-]*")


class Change(Struct, frozen=True, kw_only=True):
    """What an act changed. ``reopened`` facts are to be decided anew; run their ``accounts``."""

    subject: str
    before: str
    after: str
    actor: str
    reopened: int = 0
    accounts: tuple[str, ...] = ()


def define_sequence(
    book: Book,
    facility: str,
    kind: DocumentKind = DocumentKind.SALE_INVOICE,
    *,
    prefix: str,
    start: int = 1,
    width: int | None = None,
    actor: str,
    now: datetime,
    tenant: str = "",
) -> Change:
    """Say how a facility numbers its documents; facts refused for want of it are tried again.

    A second call changes prefix and counter, but never so that a number comes twice: neither
    at this facility nor at another of the tenant. ``width`` pads with zeros; None leaves it as
    it is, 1 at first. Raises Refused for a bad prefix, number or a number in use.
    """
    with book.write():
        place = find_facility(book, facility, tenant)
        old = book.query(
            "SELECT prefix, next_number, width FROM sequence WHERE facility_id = ? AND kind = ?",
            (place.id, kind.value),
        ).fetchone()
        if width is None:
            width = int(old[2]) if old else 1
        _check_sequence(place.code, prefix, start, width)
        _check_prefix_free(book, place, kind, prefix)
        _check_unused(book, place, kind, prefix, start, width)
        book.query(
            "INSERT INTO sequence (facility_id, kind, prefix, next_number, width) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (facility_id, kind) DO UPDATE SET "
            "prefix = excluded.prefix, next_number = excluded.next_number, width = excluded.width",
            (place.id, kind.value, prefix, start, width),
        )
        reopened = reopen_refused(
            book, place.tenant_id, "sequence_missing", f"{kind} sequence defined by {actor}"
        )
    return Change(
        subject=f"sequence {kind} of facility {place.code}",
        before=number_text(*old) if old else "none",
        after=number_text(prefix, start, width),
        actor=actor, reopened=reopened.count, accounts=reopened.accounts,
    )  # fmt: skip


def _check_sequence(facility: str, prefix: str, start: int, width: int) -> None:
    if not prefix:
        raise Refused(
            "A document's number needs a prefix, or two facilities would give the same numbers. "
            f"Take one with the facility's code, such as --prefix {proposed_prefix(facility)}",
            code="bad_prefix",
        )
    if len(prefix) > MAX_PREFIX or not _PREFIX.fullmatch(prefix):
        raise Refused(
            f"The prefix {prefix[:60]!r} cannot be used; take up to {MAX_PREFIX} letters, digits, "
            "dashes and slashes.",
            code="bad_prefix",
        )
    if not 1 <= start <= MAX_NUMBER or not 1 <= width <= MAX_WIDTH:
        raise Refused(
            f"start must be 1 to {MAX_NUMBER} and width 1 to {MAX_WIDTH}; got {start} and {width}.",
            code="bad_number",
        )


def _check_prefix_free(book: Book, place: Place, kind: DocumentKind, prefix: str) -> None:
    """Refuse a prefix whose numbers another facility of the tenant may come upon."""
    rows = book.query(
        "SELECT f.code, s.prefix FROM sequence s JOIN facility f ON f.id = s.facility_id "
        "WHERE f.tenant_id = ? AND f.id <> ? AND s.kind = ? ORDER BY f.code",
        (place.tenant_id, place.id, kind.value),
    )
    for other, theirs in rows:
        if _may_meet(prefix, theirs):
            raise Refused(
                f"Facility {other} of the same tenant numbers its {kind} documents with "
                f"{theirs!r}, so with {prefix!r} the same number could be given twice. Take one "
                f"with the facility's code, such as --prefix {proposed_prefix(place.code)}",
                code="prefix_in_use",
            )


def _may_meet(one: str, other: str) -> bool:
    """Whether numbers behind these prefixes can read the same: equal, or only digits apart."""
    short, long = sorted((one, other), key=len)
    rest = long[len(short) :]
    return long.startswith(short) and (not rest or (rest.isascii() and rest.isdigit()))


def _check_unused(
    book: Book, place: Place, kind: DocumentKind, prefix: str, start: int, width: int
) -> None:
    """Refuse a counter that would come upon a number the tenant has used before."""
    rows = book.query(
        "SELECT v.number, f.code FROM invoice v JOIN facility f ON f.id = v.facility_id "
        "WHERE f.tenant_id = ? AND v.kind = ? AND substr(v.number, 1, ?) = ?",
        (place.tenant_id, kind.value, len(prefix), prefix),
    )
    used, number, where = 0, "", ""
    for found, code in rows:
        rest = found[len(prefix) :]
        if rest.isascii() and rest.isdigit() and int(rest) > used:
            used, number, where = int(rest), found, code
    if used >= start:
        first = number_text(prefix, used + 1, width)
        raise Refused(
            f"Numbers up to {number} are in use already at facility {where}; start at {used + 1} "
            f"({first}) or later, or take another prefix.",
            code="number_in_use",
        )


_DUE_NOW: Final = """
UPDATE task SET next_run = min(next_run, ?)
WHERE kind <> 'audit' AND account_id IN (SELECT id FROM account WHERE tenant_id = ?)
"""


def set_tenant_state(book: Book, tenant: str, state: str, *, actor: str, now: datetime) -> Change:
    """Let a tenant go live, or stop it. Only a LIVE tenant's orders are synced.

    All tasks of a tenant that goes live are due at once, whenever their timers last fired.
    """
    _check_word(state, TENANT_STATES, "tenant state")
    with book.write():
        row = book.query("SELECT id, state FROM tenant WHERE code = ?", (tenant,)).fetchone()
        if row is None:
            known = [code for (code,) in book.query("SELECT code FROM tenant ORDER BY code")]
            raise NotFound(f"There is no tenant {tenant!r}. Known tenants: {_listed(known)}.")
        book.query("UPDATE tenant SET state = ? WHERE id = ?", (state, row[0]))
        if state != "LIVE":
            return Change(subject=f"tenant {tenant}", before=row[1], after=state, actor=actor)
        reopened = reopen_refused(book, row[0], "tenant_not_live", f"tenant set live by {actor}")
        book.query(_DUE_NOW, (to_micros(now), row[0]))
        names = book.query("SELECT name FROM account WHERE tenant_id = ? ORDER BY name", (row[0],))
        return Change(
            subject=f"tenant {tenant}", before=row[1], after=state, actor=actor,
            reopened=reopened.count, accounts=tuple(name for (name,) in names),
        )  # fmt: skip


def set_facility(
    book: Book,
    facility: str,
    *,
    state: str | None = None,
    traceability: str | None = None,
    actor: str,
    now: datetime,
    tenant: str = "",
) -> Change:
    """Switch a facility on or off, or say how its pieces are traced; None leaves as it is."""
    if state is not None:
        _check_word(state, FACILITY_STATES, "facility state")
    if traceability is not None:
        _check_word(traceability, TRACEABILITIES, "traceability")
    with book.write():
        place = find_facility(book, facility, tenant)
        old = book.query(
            "SELECT state, traceability FROM facility WHERE id = ?", (place.id,)
        ).fetchone()
        new = (state or old[0], traceability or old[1])
        book.query("UPDATE facility SET state = ?, traceability = ? WHERE id = ?", (*new, place.id))
        opened = [
            reopen_refused(book, place.tenant_id, code, f"facility changed by {actor}")
            for code, helps in (
                ("facility_inactive", new[0] == "ACTIVE" != old[0]),
                ("item_traceability_needs_scan", new[1] != "ITEM" == old[1]),
            )
            if helps
        ]
    return Change(
        subject=f"facility {place.code}", before=", ".join(old), after=", ".join(new), actor=actor,
        reopened=sum(one.count for one in opened),
        accounts=tuple(sorted({name for one in opened for name in one.accounts})),
    )  # fmt: skip


def pause_account(
    book: Book, account: str, *, reason: str = "", actor: str, now: datetime
) -> Change:
    """Stop an account's passes until it is resumed. Its timers go on and queue nothing.

    What the panel said of refused credentials is kept; to resume is to try them again.
    """
    told = f"paused by {actor}" + (f": {reason}" if reason else "")
    with book.write():
        told += _refusal_kept(book, account)
        allowed = ("CONNECTED", "AUTH_FAILED", "PAUSED")
        return _set_account(book, account, "PAUSED", told, actor, now, allowed=allowed)


def _refusal_kept(book: Book, account: str) -> str:
    """The tail of a pause's reason: why the panel refused the credentials, if it did."""
    sql = "SELECT state, state_reason FROM account WHERE id = ?"
    state, reason = book.query(sql, (account_id_of(book, account),)).fetchone()
    refusal = reason if state == "AUTH_FAILED" else split_refusal(reason)[1]
    return f"{REFUSED_BEFORE}{refusal}" if refusal else ""


def resume_account(book: Book, account: str, *, actor: str, now: datetime) -> Change:
    """Let a paused account, or one whose credentials were refused, work again."""
    return _set_account(
        book, account, "CONNECTED", "", actor, now, allowed=("PAUSED", "AUTH_FAILED", "CONNECTED")
    )


def credentials_refused(book: Book, account: str, reason: str, *, now: datetime) -> Change:
    """The panel refused this account's credentials: it waits for a person."""
    return _set_account(
        book, account, "AUTH_FAILED", reason, "syncd", now, allowed=("CONNECTED", "AUTH_FAILED")
    )


def _set_account(
    book: Book,
    account: str,
    state: str,
    reason: str,
    actor: str,
    now: datetime,
    *,
    allowed: Sequence[str],
) -> Change:
    with book.write():
        account_id = account_id_of(book, account)
        before = book.query("SELECT state FROM account WHERE id = ?", (account_id,)).fetchone()[0]
        if before not in allowed:
            raise Refused(
                f"Account {account} is {before}; this is possible for {_listed(allowed)}. "
                "A disabled account is switched on in the configuration.",
                code="account_state",
            )
        book.query(
            "UPDATE account SET state = ?, state_reason = ?, state_since = "
            "CASE WHEN state = ? THEN state_since ELSE ? END WHERE id = ?",
            (state, reason, state, to_micros(now), account_id),
        )
    return Change(
        subject=f"account {account}", before=before, after=state, actor=actor, accounts=(account,)
    )


def _check_word(word: str, allowed: Sequence[str], what: str) -> None:
    if word not in allowed:
        raise Refused(f"{word!r} is not a {what}; take one of {_listed(allowed)}.", code="bad_word")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"
