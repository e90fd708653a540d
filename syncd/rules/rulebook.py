"""The decision table of each combination of policies, read from their data file.

Every combination is built and proven when the program starts; an account then takes its own by
a look-up. Combinations that change the same things share one table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import product
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from syncd.errors import ConfigError
from syncd.rules.cells import Cell
from syncd.rules.drafts import Drafts, Key, Older, Rule, Source, name_of
from syncd.rules.policies import Policies
from syncd.rules.table import TABLE, build
from syncd.rules.words import Verb

_KINDS: Final = {field.name: field.type for field in msgspec.structs.fields(Policies)}
_FIXED: Final = ("outcome", "target", "needs_evidence", "grace", "newer_than")


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What one value of a policy does to the table."""

    value: str
    when: str = ""
    without: str = ""
    rule: tuple[dict[str, Any], ...] = ()

    def applies(self, name: str, policies: Policies) -> bool:
        """Whether these policies make the change; ``name`` is its policy's."""
        other, _, value = self.when.partition("=")
        wanted = {name: self.value, **({other: value} if other else {})}
        return all(getattr(policies, key) == value for key, value in wanted.items())


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """A choice of the seller's: its values, the default first, and what they change."""

    name: str
    values: str
    says: str
    change: tuple[Change, ...] = ()


class _File(Struct, forbid_unknown_fields=True):
    policy: tuple[Policy, ...]


class Books(Struct, frozen=True):
    """The policies as written, and the table of every combination of them."""

    policies: tuple[Policy, ...]
    tables: Mapping[Policies, Mapping[Key, Cell]]


def read_policies(text: str, table: str, *, path: str = "policies.toml") -> Books:
    """The tables of every combination of the policies in ``text`` over the rules of ``table``.

    Raises ConfigError with what is wrong: a policy or value that the program does not know or
    the file lacks, a rule that is no rule, a cell changed in what no policy may change.
    """
    try:
        policies = msgspec.convert(tomllib.loads(text), _File).policy
        source = msgspec.convert(tomllib.loads(table), Source)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"not a file of policies: {error}"], path=path) from error
    problems = list(_word_problems(policies))
    if problems:
        raise ConfigError(problems, path=path)
    return Books(policies, MappingProxyType(_Maker(policies, source, path).tables()))


def every_combination() -> Iterator[Policies]:
    """All that an account may choose, the defaults first."""
    for values in product(*_KINDS.values()):
        yield Policies(**dict(zip(_KINDS, values, strict=True)))


def _word_problems(policies: tuple[Policy, ...]) -> Iterator[str]:
    if [policy.name for policy in policies] != list(_KINDS):
        yield f"the policies must be {', '.join(_KINDS)}, in this order"
        return
    verbs = {str(verb) for verb in Verb}
    for policy in policies:
        if policy.values.split() != [str(value) for value in _KINDS[policy.name]]:
            yield f"{policy.name}: the values must be {' '.join(_KINDS[policy.name])}"
        for change in policy.change:
            yield from _change_problems(policy, change, verbs)


def _change_problems(policy: Policy, change: Change, verbs: set[str]) -> Iterator[str]:
    if change.value not in policy.values.split()[1:]:
        yield f"{policy.name}: {change.value!r} is no value but the default"
    other, _, value = change.when.partition("=")
    if change.when and value not in [str(word) for word in _KINDS.get(other, ())]:
        yield f"{policy.name}: {change.when!r} is no policy with its value"
    for word in change.without.split():
        if word not in verbs:
            yield f"{policy.name}: unknown step {word!r}"
    if not change.without.split() and not change.rule:
        yield f"{policy.name}: the value {change.value} changes nothing"


class _Maker:
    """Builds the tables; equal changes are built once."""

    def __init__(self, policies: tuple[Policy, ...], source: Source, path: str) -> None:
        self._policies = policies
        self._source = source
        self._path = path
        self._plain = Drafts(source).spread()
        self._built: dict[tuple[int, ...], Mapping[Key, Cell]] = {}

    def tables(self) -> dict[Policies, Mapping[Key, Cell]]:
        bare = {choice: self._bare(choice) for choice in every_combination()}
        named: dict[tuple[int, ...], Mapping[Key, Cell]] = {}
        made = {}
        for choice in bare:
            changes = self._changes(choice)
            if changes not in named:
                named[changes] = self._named(choice, bare) if changes else bare[choice]
            made[choice] = named[changes]
        return made

    def _changes(self, choice: Policies) -> tuple[int, ...]:
        """The numbers of the changes that the combination makes."""
        return tuple(number for number, _ in self._made(choice))

    def _made(self, choice: Policies) -> Iterator[tuple[int, Change]]:
        every = [(policy.name, change) for policy in self._policies for change in policy.change]
        for number, (name, change) in enumerate(every):
            if change.applies(name, choice):
                yield number, change

    def _bare(self, choice: Policies) -> Mapping[Key, Cell]:
        numbers = self._changes(choice)
        if numbers not in self._built:
            self._built[numbers] = self._build(choice)
        return self._built[numbers]

    def _build(self, choice: Policies) -> Mapping[Key, Cell]:
        rules = dict(self._plain)
        changes = [change for _, change in self._made(choice)]
        for change in changes:
            drafts = Drafts(Source(rule=list(change.rule), groups=self._source.groups))
            rules |= drafts.found()
            if drafts.problems:
                raise ConfigError(drafts.problems, path=self._path)
        out = {word for change in changes for word in change.without.split()}
        if out:
            rules = {key: _without(rule, out) for key, rule in rules.items()}
        cells = build(rules, path=self._path)
        plain = self._built.get((), cells)  # the defaults are the first to be built
        problems = [
            f"{name_of(key)}: a policy may not change its {name}"
            for key, cell in cells.items()
            for name in _FIXED
            if getattr(cell, name) != getattr(plain[key], name)
        ]
        if problems:
            raise ConfigError(problems, path=self._path)
        return cells

    def _named(
        self, choice: Policies, bare: Mapping[Policies, Mapping[Key, Cell]]
    ) -> Mapping[Key, Cell]:
        """The cells with the names of the policies without which they would be others."""
        plain = Policies()
        without = {
            f"{name} = {getattr(choice, name)}": bare[
                msgspec.structs.replace(choice, **{name: getattr(plain, name)})
            ]
            for name in _KINDS
        }
        cells = {}
        for key, cell in bare[choice].items():
            names = tuple(name for name, other in without.items() if other[key] != cell)
            cells[key] = msgspec.structs.replace(cell, policies=names) if names else cell
        return MappingProxyType(cells)


def _without(rule: Rule, out: set[str]) -> Rule:
    def rest(older: Older) -> Older:
        return msgspec.structs.replace(older, steps=_kept(older.steps, out))

    return msgspec.structs.replace(
        rule,
        steps=_kept(rule.steps, out),
        older=rest(rule.older) if rule.older else None,
        older_than={word: rest(older) for word, older in rule.older_than.items()},
    )


def _kept(steps: str, out: set[str]) -> str:
    return " ".join(word for word in steps.split() if word.partition(":")[0] not in out)


def _text(name: str) -> str:
    return (files("syncd.rules") / name).read_text(encoding="utf-8")


BOOKS: Final = read_policies(_text("policies.toml"), _text("table.toml"))
"""The policies and their tables."""


def table_for(policies: Policies) -> Mapping[Key, Cell]:
    """The decision table of an account with these policies."""
    return BOOKS.tables[policies] if policies != Policies() else TABLE
