"""Reads the rules of a table file and spreads them over positions and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from syncd.rules.words import Event, Outcome, Position, Reason, Since, Verb

Key = tuple[Position, Event]
Word = TypeVar("Word", bound=StrEnum)

IMPLY: Final = "imply_"
_NEEDS: Final = ("evidence", "grace")
_NO_ARGUMENT: Final = frozenset({""})
_ARGUMENTS: Final[Mapping[Verb, frozenset[str]]] = MappingProxyType(
    {
        Verb.OPEN_PUTAWAY: frozenset({"CANCELLED_ITEM", "PICKLIST", "RTO", "CIR"}),
        Verb.ALERT: frozenset({"info", "warning", "critical"}),
        Verb.EXPECT_RETURN: frozenset({"RTO"}),
        Verb.MARK_RETURNED: frozenset({"RTO"}),
        Verb.NOTE_RETURN: frozenset({"RTO", "CIR", "none"}),
    }
)


class Older(Struct, forbid_unknown_fields=True):
    """What a rule does with a fact that is not newer than it asks."""

    do: str
    why: str
    steps: str = ""


class Rule(Struct, forbid_unknown_fields=True):
    """A rule as written; lists of words are parted by spaces."""

    on: str
    at: str
    do: str
    why: str
    steps: str = ""
    needs: str = ""
    newer_than: str = ""
    older: Older | None = None
    older_than: dict[str, Older] = {}
    note: str = ""


class Source(Struct, forbid_unknown_fields=True):
    """A table file. A rule is decoded by itself, so that its number can be told."""

    rule: list[dict[str, Any]]
    groups: dict[str, str] = {}


def name_of(key: Key) -> str:
    """How problems name a cell."""
    return f"{key[1]} at {key[0]}"


class Drafts:
    """The rules of a source, one for each cell; ``problems`` says what is wrong with them."""

    def __init__(self, source: Source) -> None:
        self.problems: list[str] = []
        self._source = source
        self._groups = {name: self._group(name, ()) for name in source.groups}

    @property
    def groups(self) -> Mapping[str, frozenset[Position]]:
        """The positions of each group."""
        return {name: frozenset(members) for name, members in self._groups.items()}

    def spread(self) -> dict[Key, Rule]:
        """One rule for each cell. Missing and doubled cells are among the problems."""
        rules = self.found()
        missing = (key for key in every_key() if key not in rules)
        self.problems.extend(f"{name_of(key)}: no rule decides it" for key in missing)
        return rules

    def found(self) -> dict[Key, Rule]:
        """The rules of the cells that have one. Doubled cells are among the problems."""
        rules: dict[Key, Rule] = {}
        numbers: dict[Key, int] = {}
        for number, raw in enumerate(self._source.rule, start=1):
            rule = self._rule(number, raw)
            for key in self._keys(number, rule) if rule else ():
                if key in rules:
                    both = f"rule {numbers[key]} and rule {number}"
                    self._problem(name_of(key), f"is decided twice, by {both}")
                elif rule:
                    rules[key], numbers[key] = rule, number
        return rules

    def _rule(self, number: int, raw: dict[str, Any]) -> Rule | None:
        where = f"rule {number}"
        try:
            rule = msgspec.convert(raw, Rule)
        except msgspec.ValidationError as error:
            self._problem(where, str(error))
            return None
        self._check(where, rule.do, rule.why, rule.steps)
        for word in rule.needs.split():
            if word not in _NEEDS:
                self._problem(where, f"unknown need {word!r}")
        for word in rule.newer_than.split():
            self._known(where, word, Since, "date")
        if rule.older:
            self._check(f"{where}, older", rule.older.do, rule.older.why, rule.older.steps)
            if not rule.newer_than:
                self._problem(where, "says what to do with an older fact, but not older than what")
        for word, older in rule.older_than.items():
            self._check(f"{where}, older than {word}", older.do, older.why, older.steps)
            if word not in rule.newer_than.split():
                self._problem(where, f"need not be newer than {word!r}, but says what else")
        return rule

    def _keys(self, number: int, rule: Rule) -> Iterator[Key]:
        where = f"rule {number}"
        positions = self._positions(where, rule.at, ())
        if not rule.on.split() or not rule.at.split():
            self._problem(where, "names no event or no position")
        for word in rule.on.split():
            event = self._known(where, word, Event, "event")
            if event is not None:
                yield from ((position, event) for position in positions)

    def _check(self, where: str, do: str, why: str, steps: str) -> None:
        outcome, _, target = do.partition(" ")
        self._known(where, outcome, Outcome, "outcome")
        if target:
            self._known(where, target, Position, "target")
        self._known(where, why, Reason, "reason")
        for word in steps.split():
            self._check_step(where, word)

    def _check_step(self, where: str, word: str) -> None:
        if word.startswith(IMPLY):
            self._known(where, word.removeprefix(IMPLY), Event, "implied event")
            return
        name, _, argument = word.partition(":")
        verb = self._known(where, name, Verb, "step")
        if verb is None:
            return
        allowed = _ARGUMENTS.get(verb, _NO_ARGUMENT)
        if argument not in allowed:
            choices = " or ".join(f"{verb}:{each}".rstrip(":") for each in sorted(allowed))
            self._problem(where, f"step {word!r} should be {choices}")

    def _group(self, name: str, within: tuple[str, ...]) -> list[Position]:
        if name in Position.__members__:
            self._problem(f"group {name}", "has the name of a position")
        return self._positions(f"group {name}", self._source.groups[name], (*within, name))

    def _positions(self, where: str, text: str, within: tuple[str, ...]) -> list[Position]:
        """The positions meant by words, groups written out; ``within``: the groups we are in."""
        found: list[Position] = []
        for word in text.split():
            if word in within:
                self._problem(where, f"contains itself through {word}")
            elif word in self._source.groups:
                found.extend(self._group(word, within))
            else:
                position = self._known(where, word, Position, "position or group")
                found.extend([position] if position else [])
        return found

    def _known(self, where: str, word: str, kind: type[Word], what: str) -> Word | None:
        try:
            return kind(word)
        except ValueError:
            self._problem(where, f"unknown {what} {word!r}")
            return None

    def _problem(self, where: str, what: str) -> None:
        problem = f"{where}: {what}"
        if problem not in self.problems:
            self.problems.append(problem)


def every_key() -> Iterator[Key]:
    """All cells of a whole table, position by position."""
    return ((position, event) for position in Position for event in Event)
