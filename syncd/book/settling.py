"""A person settles an exception: the choice is carried out by the verbs, and kept with its author.

All that is asked for at once is one transaction: every exception is settled, or none is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from syncd.book.desk import Desk, parcel_of
from syncd.book.facts import Fact
from syncd.book.person_verbs import PERSON_VERBS
from syncd.book.questions import Case, cases_of, lead_of, question_of
from syncd.book.records import Act, Record, write_records
from syncd.book.repack import after_pull
from syncd.book.shared import Shared
from syncd.book.sheet_rows import Order, Piece
from syncd.book.store import Book
from syncd.book.wording import steps_told
from syncd.book.worksheet import Worksheet
from syncd.clock import from_micros, to_micros
from syncd.errors import NotFound, Refused
from syncd.rules import Event, Option, Policies, Reason, Verb, closes, options_for, roll_up

MAX_NOTE: Final = 2_000
_OUTWARD: Final = frozenset({Event.DISPATCHED, Event.DELIVERED, Event.UNDELIVERED, Event.LOST})


class Answer(Struct, frozen=True, kw_only=True):
    """What became of one piece. ``closed``: the exceptions that this answers, itself among them."""

    id: int
    code: str
    account: str
    order_id: str
    line_id: str
    piece: int | None
    before: str
    after: str
    does: str
    done: tuple[str, ...]
    notes: tuple[str, ...]
    closed: tuple[int, ...]


class Settled(Struct, frozen=True):
    """What a choice did, or in a dry run would do."""

    choice: str
    dry_run: bool
    actor: str
    answers: tuple[Answer, ...]


class _Act(Struct, kw_only=True):
    """One act in hand."""

    book: Book
    choice: str
    note: str
    actor: str
    at: int
    cases: list[Case]
    sheets: dict[int, Worksheet]
    records: list[Record] = []
    bare: list[int] = []  # exceptions about no piece, or opened by no fact
    answered: set[int] = set()


class _Done(Struct, kw_only=True):
    """What a choice did: where its own steps led, and what was mended of the parcel then."""

    after: str
    notes: list[str] = []
    mended: list[Record] = []


def settle(
    book: Book, ids: Sequence[int], choice: str, *, note: str = "", actor: str, now: datetime,
    dry_run: bool = False, policies: Mapping[str, Policies] = MappingProxyType({}),
) -> Settled:  # fmt: skip
    """Settle these exceptions by ``choice``; the same for all, and all or none.

    ``policies`` are those of the accounts by name; the defaults where one is not in.
    A piece's exceptions that the same choice answers are settled with the one that is named.
    Raises NotFound for an id; Refused when one is settled already, when the choice does not fit
    where its piece stands, when a note is needed, or an invoice cannot be numbered.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise Refused(
            "Name the exceptions to settle by their ids: syncctl exceptions", code="nothing_named"
        )
    if len(note) > MAX_NOTE:
        raise Refused(f"A note has up to {MAX_NOTE} characters.", code="note_missing")
    with book.write():
        act = _open(book, wanted, choice, note.strip(), actor, to_micros(now), policies)
        by_id = {case.id: case for case in act.cases}
        answers = [_settle(act, by_id[one]) for one in wanted if one not in act.answered]
        if not dry_run:
            _write(act)
    return Settled(choice, dry_run, actor, tuple(answers))


def _open(
    book: Book, ids: Sequence[int], choice: str, note: str, actor: str, at: int,
    policies: Mapping[str, Policies],
) -> _Act:  # fmt: skip
    cases = cases_of(book, ids)
    missing = set(ids) - {case.id for case in cases}
    if missing:
        told = ", ".join(map(str, sorted(missing)[:10]))
        raise NotFound(f"There is no exception {told}. See them with: syncctl exceptions")
    shared = Shared(book)
    shared.refresh()
    sheets = {}
    for account_id, name in {(case.account_id, case.account) for case in cases}:
        chosen = policies.get(name, Policies())
        sheet = Worksheet(book, shared, account_id, None, at, policies=chosen)
        sheet.load(list({c.order_id for c in cases if c.account_id == account_id}))
        sheet.load_shelves()
        sheets[account_id] = sheet
    return _Act(book=book, choice=choice, note=note, actor=actor, at=at, cases=cases, sheets=sheets)


def _settle(act: _Act, case: Case) -> Answer:
    _check_open(case)
    sheet = act.sheets[case.account_id]
    order = sheet.orders.get(case.order_id)
    piece = _piece(order, case)
    lead = lead_of(case, act.cases)
    option = _option(act, case, lead, sheet, piece)
    family = _family(act, case, option)
    before = _stands(piece)
    doing = option.steps if piece is None else option.steps_for(piece)
    steps = ",".join(f"{s.verb}:{s.arg}" if s.arg else s.verb for s in doing)
    done = _Done(after=before)
    if order is not None and piece is not None and (lead.fact is not None or option.steps):
        done = _do(act, case, lead, option, family, order, piece)
    else:
        act.bare += [one.id for one in family]
    if order is not None:
        told = Record(
            order_pk=order.pk, item_id=case.item_id, inbox_id=lead.inbox_id, act=Act.SETTLE,
            before=before, after=done.after, code=option.code, actor=act.actor, at=act.at,
            steps=steps, note="; ".join(filter(None, (*done.notes, act.note))),
        )  # fmt: skip
        act.records += [told, *done.mended]
    closed = [one.id for one in family]
    act.answered.update(closed)
    return Answer(
        id=case.id, code=case.code, account=case.account, order_id=case.order_id,
        line_id="" if piece is None else piece.line_id,
        piece=None if piece is None else piece.piece, before=before, after=_stands(piece),
        does=option.says, done=tuple(steps_told(steps)), notes=tuple(done.notes),
        closed=tuple(sorted(closed)),
    )  # fmt: skip


def _stands(piece: Piece | None) -> str:
    return "" if piece is None else piece.position.value


def _do(
    act: _Act, case: Case, lead: Case, option: Option, family: Sequence[Case], order: Order,
    piece: Piece,
) -> _Done:  # fmt: skip
    """Carry the choice out, and mend the parcel that it took something out of."""
    desk = _carry_out(act, case, lead, option, family, order, piece)
    done = _Done(after=_stands(piece), notes=desk.notes)
    if any(step.verb is Verb.UNBLOCK_PARCEL for step in option.steps):
        done.mended = _mend(act, lead, desk, piece)
    _roll_up(order)
    return done


def _check_open(case: Case) -> None:
    if case.state == "OPEN":
        return
    when = from_micros(case.closed_at or 0).strftime("%Y-%m-%d %H:%M UTC")
    how = f", by {case.choice}" if case.choice else ""
    note = f" ({case.note})" if case.note else ""
    raise Refused(
        f"Exception {case.id} of order {case.order_id} was settled already: {case.closed_by} at "
        f"{when}{how}{note}. Nothing was changed. See: syncctl exceptions show {case.id}",
        code="already_settled",
    )


def _piece(order: Order | None, case: Case) -> Piece | None:
    if order is None or case.item_id is None:
        return None
    return next((one for one in order.pieces if one.item_id == case.item_id), None)


def _option(act: _Act, case: Case, lead: Case, sheet: Worksheet, piece: Piece | None) -> Option:
    """The row of choices that fits. Raises Refused, naming those that would."""
    shelf = "" if piece is None else sheet.shelves.get(piece.item_id, ("", ""))[0]
    options = options_for(question_of(case, lead, piece, shelf))
    option = next((one for one in options if one.name == act.choice), None)
    where = f"Exception {case.id} ({case.code})"
    if option is None:
        stands = "" if piece is None else f" while line {piece.line_id} is {piece.position}"
        names = ", ".join(one.name for one in options)
        raise Refused(
            f"{where} cannot be settled by {act.choice!r}{stands}; possible now: {names}. Nothing "
            f"was changed. See: syncctl exceptions show {case.id}",
            code="choice_does_not_fit",
        )
    if option.note and not act.note:
        raise Refused(
            f"{where}: say why in a note; it is kept: "
            f'syncctl settle {case.id} {act.choice} --note "..."',
            code="note_missing",
        )
    return option


def _family(act: _Act, case: Case, option: Option) -> list[Case]:
    """The open exceptions of the piece that this choice answers, the one asked for first."""
    if case.item_id is None:
        return [case]
    others = [
        one for one in act.cases
        if one.item_id == case.item_id and one.id != case.id and one.state == "OPEN"
    ]  # fmt: skip
    if not option.alone:
        also = option.also | {case.code}
        return [case, *(one for one in others if one.code in also)]
    against = next((one for one in others if one.code in option.also), None)
    if against is not None:
        raise Refused(
            f"Exception {case.id} ({case.code}) cannot be settled by {option.name!r} while "
            f"exception {against.id} ({against.code}) of the same piece is open: if it left after "
            f"all, settle that one by reopen: syncctl exceptions show {against.id}",
            code="choice_does_not_fit",
        )
    return [case, *(one for one in others if one.code == case.code)]


def _carry_out(
    act: _Act, case: Case, lead: Case, option: Option, family: Sequence[Case], order: Order,
    piece: Piece,
) -> Desk:  # fmt: skip
    """Do the steps on the worksheet and close what they answer; the desk has what is noted."""
    sheet = act.sheets[case.account_id]
    before, was_in = piece.position, piece.package_id
    fact = _evidence(lead, family)
    target = option.target(piece)
    desk = Desk(sheet, order, fact, option.why, target, act.at, [], act.actor)
    if option.dispatches:
        _check_facility(sheet, piece)
    for step in option.steps_for(piece):
        if step.verb is Verb.CREATE_INVOICE:
            _check_sequence(desk, piece)
        PERSON_VERBS[step.verb](desk, piece, step)
    if piece.position is not target:
        raise AssertionError(f"{option.name} led to {piece.position} instead of {target}")
    if option.dispatches:
        left = [moment for one in family for moment in _dispatched_at(one)]
        piece.dispatched_at = min([piece.dispatched_at or fact.occurred_at, *left])
        package = parcel_of(desk, piece)
        if package is not None and package.dispatched_at is not None:
            package.dispatched_at = min([package.dispatched_at, *left])
    seen = [moment for one in family for moment in one.evidence_times]
    piece.settled_at = max([piece.settled_at or 0, *seen])
    if piece.position is not before:
        piece.changed_at = fact.occurred_at
    piece.dirty = True
    for package_id in {piece.package_id, was_in} - {None}:
        sheet.settle_parcel(order, int(package_id or 0))
    codes = {one.code for one in family}
    sheet.close_troubles(piece, codes, act.actor, act.note, act.at, option.name)
    moved_to = piece.position if piece.position is not before else None
    told = f"answered with exception {case.id}: {option.name}"
    sheet.close_troubles(piece, closes(option.code, moved_to), act.actor, told, act.at)
    return desk


def _roll_up(order: Order) -> None:
    state = roll_up(
        [p.position for p in order.pieces], allocated=any(p.allocated for p in order.pieces)
    )
    order.state, order.dirty = str(state), True


def _mend(act: _Act, lead: Case, desk: Desk, piece: Piece) -> list[Record]:
    """The parcel's invoice lists what was pulled out of it: as after any cancellation in part.

    Returns the records of the pieces that this meets, to stand behind that of the act.
    """
    package = parcel_of(desk, piece)
    met = () if package is None else after_pull(desk.sheet, desk.order, desk.fact, package)
    if package is not None and any(one.reason is Reason.REPACKED_AFTER_CANCEL for one in met):
        desk.notes.remove(f"parcel {package.code} may leave")
    desk.notes += dict.fromkeys(one.note for one in met)
    return [
        Record(
            order_pk=desk.order.pk, item_id=one.piece.item_id, inbox_id=lead.inbox_id,
            act=Act.SETTLE, before=one.before.value, after=one.piece.position.value,
            code=one.reason.value, actor=act.actor, at=act.at, steps=one.steps, note=one.note,
        )
        for one in met
    ]  # fmt: skip


def _dispatched_at(case: Case) -> Iterable[int]:
    """When it left, where the exception is about just that."""
    if case.fact is not None and case.fact.event is Event.DISPATCHED:
        yield case.fact.occurred_at


def _evidence(lead: Case, family: Iterable[Case]) -> Fact:
    """The fact that the choice goes by, with the parcel's names from what was said of its way.

    A cancellation names a parcel that the piece may not have left in.
    """
    fact = lead.fact
    if fact is None:
        raise AssertionError("an exception about a piece has the fact that opened it")
    told = [one.fact for one in family if one.fact is not None and one.fact.event in _OUTWARD]
    told.sort(key=lambda one: (bool(one.shipment_id), bool(one.tracking_number), one.occurred_at))
    if not told and fact.event is not Event.CANCELLED:
        return fact
    names = told[-1] if told else None
    return msgspec.structs.replace(
        fact,
        shipment_id=names.shipment_id if names else "",
        tracking_number=names.tracking_number if names else "",
        courier=names.courier if names else "",
    )


def _check_facility(sheet: Worksheet, piece: Piece) -> None:
    facility = sheet.shared.facility(piece.facility_id)
    if not facility.active:
        raise Refused(
            f"Facility {facility.code} is not active. Make it active first: "
            f"syncctl facility {facility.code} --state ACTIVE",
            code="facility_inactive",
        )


def _check_sequence(desk: Desk, piece: Piece) -> None:
    package = parcel_of(desk, piece)
    if package is None or package.invoice or not desk.sheet.numbers_invoices:
        return
    facility = desk.sheet.shared.facility(package.facility_id)
    if facility.unnumbered:
        raise Refused(facility.unnumbered, code="sequence_missing")


def _write(act: _Act) -> None:
    for sheet in act.sheets.values():
        sheet.write()
    act.book.executemany(
        "UPDATE exceptions SET state = 'CLOSED', closed_at = ?, closed_by = ?, choice = ?, "
        "note = ? WHERE id = ?",
        [(act.at, act.actor, act.choice, act.note, one) for one in act.bare],
    )
    write_records(act.book, act.records)
