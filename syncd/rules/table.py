"""The decision table: one cell for each position and event, read from its data file.

The file speaks of groups of positions. Here its rules become cells with their chains written
out, and the whole is proven: complete, without overlap, every word known, every law kept.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import msgspec

from syncd.errors import ConfigError
from syncd.rules.cells import Cell, Fallback, Step
from syncd.rules.drafts import IMPLY, Drafts, Key, Rule, Source, name_of
from syncd.rules.laws import broken_laws, destination
from syncd.rules.words import Event, Outcome, Position, Reason, Since, Verb


def read(text: str, *, path: str = "table.toml") -> Mapping[Key, Cell]:
    """The table in ``text``. Raises ConfigError with every problem found in it."""
    try:
        source = msgspec.convert(tomllib.loads(text), Source)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"not a decision table: {error}"], path=path) from error
    drafts = Drafts(source)
    rules = drafts.spread()
    if drafts.problems:
        raise ConfigError(drafts.problems, path=path)
    return build(rules, path=path)


def build(rules: Mapping[Key, Rule], *, path: str) -> Mapping[Key, Cell]:
    """The cells of rules whose words are known to be good. Raises ConfigError for a broken law."""
    builder = _Builder(rules)
    cells = {key: builder.cell(key) for key in rules}
    problems = builder.problems or list(broken_laws(cells.values()))
    if problems:
        raise ConfigError(problems, path=path)
    return MappingProxyType(cells)


class _Builder:
    """Makes cells of rules whose words are known to be good."""

    def __init__(self, rules: Mapping[Key, Rule]) -> None:
        self.problems: list[str] = []
        self._rules = rules

    def cell(self, key: Key) -> Cell:
        rule = self._rules[key]
        outcome, target = _outcome(rule.do, key[0])
        newer_than = tuple(Since(word) for word in rule.newer_than.split())
        return Cell(
            position=key[0],
            event=key[1],
            outcome=outcome,
            target=target,
            reason=Reason(rule.why),
            steps=self._steps(key, rule.steps, (key,)),
            needs_evidence="evidence" in rule.needs.split(),
            grace="grace" in rule.needs.split(),
            newer_than=newer_than,
            older=tuple(self._older(key, rule, since) for since in newer_than),
            note=rule.note,
        )

    def _older(self, key: Key, rule: Rule, since: Since) -> Fallback:
        older = rule.older_than.get(since, rule.older)
        if older is None:
            return Fallback(Outcome.NOOP, key[0], Reason.STALE_EVENT)
        outcome, target = _outcome(older.do, key[0])
        steps = self._steps(key, older.steps, (key,))
        return Fallback(outcome, target, Reason(older.why), steps)

    def _steps(self, key: Key, text: str, above: tuple[Key, ...]) -> tuple[Step, ...]:
        """The steps of a rule at a cell. ``above``: the cells that lean on this one."""
        steps: list[Step] = []
        for word in text.split():
            if word.startswith(IMPLY):
                here = destination(steps, key[0])
                steps.extend(self._implied((here, Event(word.removeprefix(IMPLY))), above))
            else:
                verb, _, argument = word.partition(":")
                steps.append(Step(Verb(verb), argument))
        return tuple(steps)

    def _implied(self, key: Key, above: tuple[Key, ...]) -> list[Step]:
        """The steps of another cell, marked as implied."""
        if key in above:
            self.problems.append(f"{name_of(above[0])}: implies itself through {name_of(key)}")
            return []
        steps = self._steps(key, self._rules[key].steps, (*above, key))
        return [Step(step.verb, step.arg, implied=True) for step in steps]


def _outcome(do: str, position: Position) -> tuple[Outcome, Position]:
    outcome, _, target = do.partition(" ")
    return Outcome(outcome), Position(target) if target else position


_TEXT: Final = (files("syncd.rules") / "table.toml").read_text(encoding="utf-8")

TABLE: Final = read(_TEXT)
"""All 252 cells by position and event."""

GROUPS: Final = Drafts(msgspec.convert(tomllib.loads(_TEXT), Source)).groups
"""The names that the file has for several positions."""
