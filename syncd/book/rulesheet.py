"""The decision table in words, for a person: ``python -m syncd.book.rulesheet`` prints it.

Positions that fare alike at an event are one row, named by the groups of the table's file where
these fit.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from syncd.book.wording import words_for
from syncd.errors import Refused
from syncd.rules import Cell, Event, Policies, Position, Since, table_for
from syncd.rules.rulebook import BOOKS
from syncd.rules.table import GROUPS

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRow:
    """What one event does at some positions. ``at`` names groups, ``positions`` writes them out."""

    event: str
    at: tuple[str, ...]
    positions: tuple[str, ...]
    outcome: str
    target: str  # empty where the piece stays
    reason: str
    words: str
    steps: tuple[str, ...]
    conditions: tuple[str, ...]
    note: str
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleSheet:
    """A table, or a part of it, with the policies that it follows."""

    policies: Mapping[str, str]
    rules: tuple[RuleRow, ...]


def sheet_of(policies: Policies, *, event: str | None = None, at: str | None = None) -> RuleSheet:
    """The rules of an account with these policies; for one event, at one position, if named.

    Raises Refused for an event or position that there is not.
    """
    events = _named(Event, event, "event")
    positions = _named(Position, at, "position")
    table = table_for(policies)
    rows = [row for one in events for row in _rows(table, one, positions)]
    return RuleSheet(msgspec.to_builtins(policies), tuple(rows))


def _named(kind: type[Word], name: str | None, what: str) -> list[Word]:
    if name is None:
        return list(kind)
    word = name.strip().upper().replace("-", "_")
    if word not in kind.__members__:
        known = ", ".join(kind)
        raise Refused(f"{name!r} is no {what}; there are: {known}", code=f"unknown_{what}")
    return [kind(word)]


def _rows(
    table: Mapping[tuple[Position, Event], Cell], event: Event, positions: Sequence[Position]
) -> Iterator[RuleRow]:
    alike: dict[RuleRow, list[Position]] = {}
    for position in positions:
        alike.setdefault(_row(table[position, event]), []).append(position)
    for row, where in alike.items():
        at = tuple(_grouped(where))
        yield replace(row, at=at, positions=tuple(map(str, where)))


def _row(cell: Cell) -> RuleRow:
    """The cell without its position."""
    return RuleRow(
        event=str(cell.event),
        at=(),
        positions=(),
        outcome=str(cell.outcome),
        target="" if cell.target is cell.position else str(cell.target),
        reason=str(cell.reason),
        words=words_for(cell.reason).means,
        steps=tuple(map(str, cell.steps)),
        conditions=tuple(_conditions(cell)),
        note=cell.note,
        policies=cell.policies,
    )


def _conditions(cell: Cell) -> Iterator[str]:
    if cell.needs_evidence:
        yield "with evidence that it left, else it waits"
    if cell.grace:
        yield "after one sweep"
    for older in dict.fromkeys(cell.older):
        dates = " and the ".join(
            _DATES.get(since, since.replace("_", " "))
            for since, other in zip(cell.newer_than, cell.older, strict=True)
            if other == older
        )
        target = "" if older.target is cell.position else f" to {older.target}"
        steps = "".join(f" {step}" for step in older.steps)
        yield (
            f"only if newer than the {dates}, else {older.outcome}{target} "
            f"({older.reason}){steps and ':' + steps}"
        )


_DATES: Final = {
    Since.BUYERS_NOTICE: "notice of the buyer's return",
    Since.BUYERS_RETURN: "buyer's return",
    Since.EARLIER_WITHDRAWAL: "withdrawal before that",
    Since.CALLED_OFF: "withdrawal of any return",
    Since.LATE_CANCELLATION: "cancellation after a delivery",
    Since.FOUND: "end of its loss",
    Since.LOSS_OF_BUYERS_RETURN: "loss of the buyer's return",
    Since.LOSS_OF_DELIVERY: "loss on its way to the buyer",
    Since.LOSS_OF_RETURN: "loss on its way back",
    Since.LATE_LOSS: "loss after a delivery",
}


def _grouped(positions: Iterable[Position]) -> Iterator[str]:
    """These positions by the names of groups, the largest that fit first."""
    left = list(positions)
    for name, members in sorted(GROUPS.items(), key=lambda one: -len(one[1])):
        if len(members) > 1 and members <= set(left):
            left = [position for position in left if position not in members]
            yield name
    yield from map(str, left)


def markdown() -> str:
    """The page of the manual: groups, a section for each event, the policies."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# The decision table"
    yield ""
    yield "What each word of a channel does to a piece, by where the piece stands. This page is"
    yield "written by `python -m syncd.book.rulesheet --markdown` from the table that the program"
    yield "runs on. `syncctl rules` shows the same, also for one account, or a single cell."
    yield ""
    yield "Steps in brackets were not said by the channel: what it said proves them."
    yield ""
    yield "## Groups of positions"
    yield ""
    yield from _grid(
        ("group", "positions"),
        ((f"`{name}`", ", ".join(p for p in Position if p in has)) for name, has in GROUPS.items()),
    )
    for event in Event:
        yield ""
        yield f"## {event}"
        yield ""
        rows = sheet_of(Policies(), event=event).rules
        yield from _grid(_HEADS, (_line(row) for row in rows))
    yield ""
    yield "## Policies"
    yield ""
    yield "Where sellers differ, an account chooses (see [](configuration.md#policies)). The first"
    yield "value is the usual one. A policy changes the reason, the steps and the note of a cell,"
    yield "never where a piece goes."
    for policy in BOOKS.policies:
        yield from ("", f"### {policy.name}", "", f"{policy.says}", "")
        yield f"Values: {', '.join(f'`{value}`' for value in policy.values.split())}."
        for change in policy.change:
            also = f", together with `{change.when.replace('=', ' = ')}`" if change.when else ""
            yield ""
            yield f"With `{change.value}`{also}:"
            yield ""
            out = ", ".join(f"`{verb}`" for verb in change.without.split())
            if out:
                yield f"* these steps fall out everywhere: {out}"
            for rule in change.rule:
                yield (
                    f"* {rule['on']} at `{rule['at']}`: {rule['do']}, `{rule['why']}`: "
                    f"{rule['steps'].replace(' ', ', ')}"
                )


_HEADS: Final = ("at", "outcome", "why", "steps", "when, and notes")


def _line(row: RuleRow) -> tuple[str, ...]:
    outcome = f"{row.outcome} to {row.target}" if row.target else row.outcome
    why = f"`{row.reason}`: {row.words}" if row.words else f"`{row.reason}`"
    notes = "; ".join(row.conditions)
    notes = f"{notes[:1].upper()}{notes[1:]}." if notes else ""
    at = ", ".join(f"`{name}`" if name in GROUPS else name for name in row.at)
    return at, outcome, why, ", ".join(row.steps), f"{notes} {row.note}".strip()


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main(arguments: Sequence[str]) -> int:
    """Print the plain table as JSON, or the page. Returns the exit code: 2 for a wrong word."""
    parser = argparse.ArgumentParser(prog="python -m syncd.book.rulesheet", description=__doc__)
    parser.add_argument("--event", help="only this event")
    parser.add_argument("--at", help="only at this position")
    parser.add_argument("--markdown", action="store_true", help="the page of the manual")
    options = parser.parse_args(arguments)
    if options.markdown:
        print(markdown(), end="")
        return 0
    try:
        sheet = sheet_of(Policies(), event=options.event, at=options.at)
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(msgspec.to_builtins(sheet)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
