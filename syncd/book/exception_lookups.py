"""Look up exceptions: the list, and one with its evidence, what stands now and the choices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from syncd.book.contradictions import brought_by
from syncd.book.desk import bucket_of
from syncd.book.lookups import MAX_LIMIT, Filter, moment, page_size
from syncd.book.questions import Case, cases_of, lead_of, question_of
from syncd.book.runs import account_id_of
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Piece
from syncd.book.store import Book
from syncd.book.views import ChoiceView, EvidenceView, ExceptionDetail, ExceptionView
from syncd.book.wording import PUTAWAYS, STANDS, advice, told
from syncd.book.worksheet import Worksheet
from syncd.clock import from_micros
from syncd.errors import NotFound
from syncd.rules import options_for

_SELECT: Final = (
    "SELECT e.id, a.name, e.order_id, e.item_id, e.code, e.severity, e.message, e.state, "
    "e.opened_at, e.closed_at, e.closed_by, e.note, coalesce(i.line_id, ''), i.piece, "
    "coalesce(i.position, ''), e.inbox_id, e.against_id, e.choice FROM exceptions e "
    "JOIN account a ON a.id = e.account_id LEFT JOIN item i ON i.id = e.item_id "
)


def exceptions(
    book: Book,
    *,
    state: str | None = "OPEN",
    account: str | None = None,
    order_id: str | None = None,
    limit: int = MAX_LIMIT,
    before: int | None = None,
) -> list[ExceptionView]:
    """Contradictions for a person to settle, newest first; ``state`` None means all."""
    where = Filter()
    if state is not None:
        where.add("e.state = ?", state)
    if account is not None:
        where.add("e.account_id = ?", account_id_of(book, account))
    if order_id is not None:
        where.add("e.order_id = ?", order_id)
    if before is not None:
        where.add("e.id < ?", before)
    with book.connection():
        rows = book.query(
            f"{_SELECT} {where.sql()} ORDER BY e.id DESC LIMIT ?",
            (*where.params, page_size(limit)),
        )
        return [_view(row) for row in rows]


def _view(row: Sequence[Any]) -> ExceptionView:
    do = advice(row[4], account=row[1], order=row[2])
    if row[7] == "OPEN":
        do = f"{do} The choices: syncctl exceptions show {row[0]}".strip()
    return ExceptionView(
        *(
            *row[:7],
            do,
            row[7],
            from_micros(row[8]),
            moment(row[9]),
            *row[10:],
        )
    )


def exception(book: Book, exception_id: int) -> ExceptionDetail:
    """One exception with both evidences, where everything stands, and what can be chosen.

    Raises NotFound.
    """
    with book.connection():
        row = book.query(f"{_SELECT} WHERE e.id = ?", (exception_id,)).fetchone()
        if row is None:
            raise NotFound(
                f"There is no exception {exception_id}. See them with: syncctl exceptions"
            )
        cases = cases_of(book, [exception_id])
        case = next(one for one in cases if one.id == exception_id)
        sheet, piece = _load(book, case)
        against = _evidence(book, case.against_id)
        return ExceptionDetail(
            exception=_view(row), contradicts=_evidence(book, case.inbox_id), against=against,
            against_words="" if against or not piece else _no_fact(book, piece, case.inbox_id),
            stands=tuple(_stands(book, sheet, piece)),
            same_fact=tuple(_same_fact(book, case)),
            same_piece=tuple(
                one.id for one in cases if one is not case and one.item_id == case.item_id
            ) if case.item_id is not None else (),
            choices=tuple(_choices(case, cases, sheet, piece)),
        )  # fmt: skip


def _load(book: Book, case: Case) -> tuple[Worksheet, Piece | None]:
    sheet = Worksheet(book, Shared(book), case.account_id, None, 0)
    sheet.load([case.order_id])
    sheet.load_shelves()
    pieces = (piece for order in sheet.orders.values() for piece in order.pieces)
    return sheet, next((one for one in pieces if one.item_id == case.item_id), None)


def _evidence(book: Book, inbox_id: int | None) -> EvidenceView | None:
    if inbox_id is None:
        return None
    row = book.query(
        "SELECT a.channel, f.status, f.return_type, f.native_status, f.line_id, f.sku, f.quantity, "
        "f.reason_text, f.tracking_number, f.occurred_at, f.observed_at, f.run_id FROM inbox f "
        "JOIN account a ON a.id = f.account_id WHERE f.id = ?",
        (inbox_id,),
    ).fetchone()
    if row is None:
        return None
    channel, status, kind, native, line_id, sku, quantity, why, tracking = row[:9]
    event = f"{status}_{kind}" if kind else status
    what = f"line {line_id}" if line_id else f"SKU {sku}" if sku else "the order"
    many = (quantity or 1) > 1
    subject = what if quantity is None else f"{quantity} of {what}"
    says = f"{book.title_of(channel)} said that {subject} {told(event, many=many)}"
    says += f" (its word: {native})" if native else ""
    says += f", tracking number {tracking}" if tracking else ""
    says += f", because: {why}" if why else ""
    return EvidenceView(
        inbox_id=inbox_id, says=f"{says}.", event=event, native_status=native,
        occurred_at=from_micros(row[9]), observed_at=from_micros(row[10]), run_id=row[11],
    )  # fmt: skip


def _no_fact(book: Book, piece: Piece, inbox_id: int | None) -> str:
    """What brought the piece to where it was, when no fact of the channel did."""
    _, whose = brought_by(book, (), piece.order_pk, piece.item_id, inbox_id)
    return f"No word of the channel brought it there; the book has it {whose}."


def _stands(book: Book, sheet: Worksheet, piece: Piece | None) -> Iterable[str]:
    """The piece, its parcel with the invoice, its stock and its putaways, a sentence each."""
    if piece is None:
        return
    hold = f", on hold: {piece.hold}" if piece.hold else ""
    where = STANDS.get(piece.position, piece.position)
    yield f"Piece: line {piece.line_id} piece {piece.piece + 1} of {piece.sku} is {where}{hold}."
    yield _parcel(sheet, piece)
    bucket = bucket_of(piece)
    rows = book.query(
        "SELECT kind, state, disposition FROM putaway WHERE item_id = ? ORDER BY id",
        (piece.item_id,),
    ).fetchall()
    waits = any(state in ("PENDING", "HELD") for _, state, _ in rows)
    if waits and bucket is None:
        counted = "counted as putaway_pending"
    else:
        counted = f"counted as {bucket.value}" if bucket else "none is counted for it now"
    yield f"Stock: {counted}."
    for kind, state, disposition in rows:
        found = f" as {disposition}" if disposition else ""
        yield f"Putaway {kind}: {state}{found}. {PUTAWAYS.get(kind, '')}".strip()


def _parcel(sheet: Worksheet, piece: Piece) -> str:
    if piece.package_id is None:
        return "Parcel: it is in none."
    package = sheet.packages[piece.package_id]
    parts = [f"{package.code} is {package.state}"]
    if package.tracking_number:
        parts.append(f"tracking number {package.tracking_number}")
    parts.append(f"invoice {package.invoice}" if package.invoice else "no invoice in force")
    if package.blocked:
        parts.append(f"blocked: {package.blocked}")
    return f"Parcel: {', '.join(parts)}."


def _same_fact(book: Book, case: Case) -> Iterable[int]:
    """Other open exceptions of the same fact: of its other pieces."""
    if case.inbox_id is None:
        return
    rows = book.query(
        "SELECT id FROM exceptions WHERE account_id = ? AND order_id = ? AND inbox_id = ? "
        "AND id <> ? AND state = 'OPEN' ORDER BY id",
        (case.account_id, case.order_id, case.inbox_id, case.id),
    )
    for (other,) in rows:
        yield int(other)


def _choices(
    case: Case, cases: Sequence[Case], sheet: Worksheet, piece: Piece | None
) -> Iterable[ChoiceView]:
    if case.state != "OPEN":
        return
    shelf = sheet.shelves.get(piece.item_id, ("", ""))[0] if piece else ""
    for option in options_for(question_of(case, lead_of(case, cases), piece, shelf)):
        position = option.target(piece).value if piece else ""
        yield ChoiceView(option.name, option.says, option.note, position)
