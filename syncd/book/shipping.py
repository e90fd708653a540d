"""Whether a parcel may leave, as a person with a scanner asks it. Nothing here writes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from syncd.book.facts import Fact, undone
from syncd.book.lookups import find_order
from syncd.book.runs import account_id_of
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Order, Piece
from syncd.book.store import Book
from syncd.book.wording import STANDS, words_for
from syncd.book.worksheet import Worksheet
from syncd.clock import from_micros
from syncd.errors import NotFound, Refused
from syncd.rules import STOPPING, Fact as RulesFact, Position, Reason, Verdict, has_left, may_ship

MAX_FOUND: Final = 20
_CODE: Final = "SP-"
_SKIPPED: Final = "SKIPPED"


class ParcelVerdict(Struct, frozen=True):
    """Whether one parcel may leave. ``package`` is empty for pieces that are in none yet."""

    package: str
    state: str
    may_ship: bool
    code: str
    words: str


class ShipVerdict(Struct, frozen=True):
    """Whether what was asked about may leave; of several parcels of an order, whether all may."""

    account: str
    order_id: str
    may_ship: bool
    code: str
    words: str
    packages: tuple[ParcelVerdict, ...]


def of_package(book: Book, code: str) -> ShipVerdict:
    """The verdict over the parcel with this code, such as SP-7. Raises NotFound."""
    number = code.removeprefix(_CODE)
    found: list[tuple[Any, ...]] = []
    with book.connection():
        if number.isascii() and number.isdigit() and len(number) < 19:
            sql = f"{_PACKAGE} WHERE p.id = ? AND p.code = ?"
            found = book.query(sql, (int(number), code)).fetchall()
        if not found:
            raise NotFound(f"There is no parcel {code!r}. A parcel's code looks like SP-7.")
        return _of_packages(book, found)


def of_parcel(
    book: Book, *, tracking: str = "", shipment: str = "", account: str | None = None
) -> ShipVerdict:
    """The verdict over the parcel here that the channel or courier calls so.

    Only parcels that have not left are looked among. Raises NotFound, or Refused when parcels
    of several orders have the name.
    """
    column, value = ("tracking_number", tracking) if tracking else ("shipment_id", shipment)
    where = f"WHERE p.{column} = ? AND p.{column} <> '' AND p.dispatched_at IS NULL"
    params: list[Any] = [value]
    if account is not None:
        where += " AND o.account_id = ?"
        params.append(account_id_of(book, account))
    with book.connection():
        sql = f"{_PACKAGE} {where} ORDER BY p.id LIMIT {MAX_FOUND}"
        found = book.query(sql, params).fetchall()
        if not found:
            raise NotFound(
                f"No parcel that is still here has the number {value!r}: it has left, or the "
                "book does not know it. Ask by its order: syncctl may-ship --order ORDER"
            )
        owners = {(name, order_id) for _, name, order_id, _ in found}
        if len(owners) > 1:
            told = ", ".join(f"{order_id} of {name}" for name, order_id in sorted(owners))
            raise Refused(
                f"Parcels of several orders have the number {value!r}: {told}. Say which with "
                "--account, or ask by the order or the parcel's code.",
                code="ambiguous_parcel",
            )
        return _of_packages(book, found)


def of_order(book: Book, order_id: str, account: str | None = None) -> ShipVerdict:
    """The verdict over all that has not left of an order. Raises NotFound, or Refused when
    several accounts have it. A cancellation that came before its order is a no as well."""
    with book.connection():
        found = find_order(book, order_id, account)
        if found is None:
            return _of_unknown(book, order_id, account)
        return _of_order(book, found[1], order_id)


def check_pieces(
    sheet: Worksheet, order: Order, pieces: Iterable[Piece], *, undecided: bool, leaves: bool
) -> None:
    """Refuse to move these pieces on, parcel by parcel, with the words of the verdict.

    ``undecided``: facts stop them too that no pass has carried out yet; except for those that
    only this act carries out. ``leaves``: the pieces are handed to the courier. Missing stock is
    left to who takes it from the shelf.
    """
    facts: Sequence[Fact] = ()
    if undecided:
        found = undone(sheet.book, sheet.account_id, order.order_id)
        facts = [one for one in found if not _is_for_hand(one, leaves)]
    for verdict in _verdicts(sheet, order, facts, list(pieces)):
        if not verdict.may_ship and verdict.code != "stock_missing":
            raise Refused(verdict.words, code=verdict.code)


def _is_for_hand(fact: Fact, leaves: bool) -> bool:
    """Whether the book waits for the warehouse's own step to agree with this fact."""
    if fact.outcome == _SKIPPED:
        return True
    return not leaves and fact.code == Reason.ITEM_TRACEABILITY_NEEDS_SCAN


def _of_packages(book: Book, found: Sequence[Sequence[Any]]) -> ShipVerdict:
    _, account, order_id, _ = found[0]
    return _of_order(book, account, order_id, frozenset(row[0] for row in found))


def _of_order(
    book: Book, account: str, order_id: str, packages: frozenset[int] | None = None
) -> ShipVerdict:
    account_id = account_id_of(book, account)
    sheet = Worksheet(book, Shared(book), account_id, None, 0)
    sheet.load([order_id])
    order = sheet.orders.get(order_id)
    if order is None:
        raise NotFound(f"Order {order_id} of {account} has no pieces, so there is no parcel.")
    pieces = order.pieces
    gone = None if packages is None or len(packages) > 1 else _replaced(book, min(packages))
    if gone is not None:
        return ShipVerdict(account, order_id, False, gone.code, gone.words, (gone,))
    if packages is not None:
        pieces = [piece for piece in pieces if piece.package_id in packages]
    else:
        here = [piece for piece in pieces if not has_left(piece.position)]
        if any(piece.position is not Position.CANCELLED for piece in here):
            pieces = here
    facts = undone(book, account_id, order_id)
    verdicts = list(_verdicts(sheet, order, facts, pieces))
    if packages is not None and not verdicts:  # every piece was taken out of it
        code = "parcel_cancelled"
        package = book.query("SELECT code, state FROM package WHERE id = ?", (min(packages),))
        name, state = package.fetchone()
        verdicts = [ParcelVerdict(name, state, False, code, _words(code, name))]
    verdicts = [one for one in verdicts if one.code != "parcel_cancelled"] or verdicts
    worst = next((one for one in verdicts if not one.may_ship), verdicts[0])
    return ShipVerdict(account, order_id, worst.may_ship, worst.code, worst.words, tuple(verdicts))


def _replaced(book: Book, package_id: int) -> ParcelVerdict | None:
    """The verdict over a parcel that became another, which it names; None for any other."""
    row = book.query(
        "SELECT old.code, old.state, new.code FROM package old JOIN package new "
        "ON new.id = old.successor_id WHERE old.id = ?",
        (package_id,),
    ).fetchone()
    if row is None:
        return None
    words = (
        f"Parcel {row[0]} is no more: it was packed again, split or merged. Take its label off "
        f"and ask for the parcel that it became: syncctl may-ship {row[2]}"
    )
    return ParcelVerdict(row[0], row[1], False, "parcel_replaced", words)


def _verdicts(
    sheet: Worksheet, order: Order, facts: Sequence[Fact], pieces: Sequence[Piece]
) -> Iterable[ParcelVerdict]:
    """One for each parcel that holds some of these pieces, and one for those in none."""
    groups: dict[int | None, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.package_id, []).append(piece)
    for package_id, group in groups.items():
        code = state = blocked = ""
        if package_id is not None:
            package = sheet.packages[package_id]
            code, state, blocked = package.code, package.state, package.blocked
        verdict = may_ship(order.pieces, [p.item_id for p in group], facts, blocked, state)
        yield ParcelVerdict(
            code, state, verdict.may_ship, verdict.code, _told(verdict, code, order.order_id)
        )


def _told(verdict: Verdict, package: str, order_id: str) -> str:
    """The sentence of a verdict: which parcel, which lines, why, and what helps."""
    subject = f"Parcel {package}" if package else f"Order {order_id}"
    lines = ", ".join(dict.fromkeys(piece.line_id for piece in verdict.pieces if piece.line_id))
    if verdict.fact is not None:
        when = from_micros(verdict.fact.occurred_at).strftime("%Y-%m-%d %H:%M UTC")
        said = f"{verdict.fact.event} of line {lines} at {when}"
        if verdict.code == "cancel_unclear":
            return f"{subject} must stay here: {_unclear(verdict.fact, order_id)}"
        if verdict.code == "told_left":
            return f"{subject}: {_told_left(verdict.fact, said, order_id)}"
        return (
            f"{subject} must stay here: the channel said {said}, and this is not decided yet. "
            f"See why: syncctl explain {order_id}"
        )
    if verdict.code in ("not_verified", "stock_missing"):
        return f"{subject} must stay here: {not_yet(verdict.pieces[0].position, lines, order_id)}"
    if verdict.code == "package_blocked":
        return (
            f"{subject} is blocked: {verdict.reason}. Take the cancelled piece out and settle its "
            "exception first."
        )
    if verdict.code == "piece_held":
        return (
            f"{subject} must stay here: line {lines} is on hold: {verdict.reason}. It may go on "
            "when the channel withdraws the request; if it confirms it, the piece is cancelled."
        )
    if verdict.code == "without_cancelled":
        return f"{subject} may leave, but without line {lines}, which is cancelled: take it out."
    return _words(verdict.code, package or f"order {order_id}")


def _unclear(fact: RulesFact, order_id: str) -> str:
    """Which cancellation may be of these pieces, and what is to be done."""
    when = from_micros(fact.occurred_at).strftime("%Y-%m-%d %H:%M UTC")
    named = f"line {fact.line_id}" if fact.line_id else f"SKU {fact.sku}"
    what = f" of {named}" if fact.line_id or fact.sku else ""
    return (
        f"the channel said {fact.event}{what} at {when}, and nobody knows which piece of this "
        f"order that is. Look at the order in the panel; what helps: syncctl explain {order_id}"
    )


def not_yet(position: Position, lines: str, order_id: str) -> str:
    """Why what stands so early may not be packed or leave, and what is to be done."""
    do = _TO_DO[position].replace("ORDER", shlex.quote(order_id))
    return f"line {lines} is {position}, {STANDS[position]}; {do}"


def _told_left(fact: RulesFact, said: str, order_id: str) -> str:
    """That the panel is ahead of the book, and what is to be done for the book to follow."""
    told = f"the panel already says it has left: {said}"
    if isinstance(fact, Fact) and fact.outcome == _SKIPPED:
        return (
            f"{told}. The seller ships this order, so the book waits for your word: look whether "
            f"it is still here; if it has left, book that: syncctl warehouse {order_id} DISPATCHED"
        )
    return (
        f"{told}, and the book has not followed yet. Look whether it is still here, and do not "
        f"send it a second time; see what keeps the book back: syncctl explain {order_id}"
    )


def _words(code: str, subject: str) -> str:
    return f"{subject[:1].upper()}{subject[1:]}: {words_for(code).means}"


def _of_unknown(book: Book, order_id: str, account: str | None) -> ShipVerdict:
    """An order that is not in the book: no parcel of ours, and perhaps cancelled already."""
    names = book.query("SELECT id, name FROM account ORDER BY name").fetchall()
    for account_id, name in names:
        if account not in (None, name):
            continue
        if any(fact.event in STOPPING for fact in undone(book, account_id, order_id)):
            code = "cancelled_before_import"
            return ShipVerdict(name, order_id, False, code, _words(code, f"order {order_id}"), ())
    raise NotFound(f"The book has no order {order_id!r}, so it has no parcel of it either.")


_PACKAGE: Final = (
    "SELECT p.id, a.name, o.order_id, p.code FROM package p JOIN orders o ON o.id = p.order_id "
    "JOIN account a ON a.id = o.account_id"
)
_TO_DO: Final[Mapping[Position, str]] = {
    Position.PENDING_VERIFICATION: (
        "verify the order before it is packed, then: syncctl warehouse ORDER FULFILLABLE"
    ),
    Position.LOCATION_NOT_SERVICEABLE: (
        "find a courier for it, then: syncctl warehouse ORDER FULFILLABLE; or cancel it on the "
        "channel's panel. It is not packed before."
    ),
    Position.UNFULFILLABLE: (
        "receive the goods, which gives it what it waits for: syncctl stock receive"
    ),
}
