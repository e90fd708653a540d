"""What a person may choose where two things cannot both be true, and what makes that idle.

The data is in ``settle.toml``. Of the rows with one name the first that fits counts, so that a
general row stands behind the particular ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from syncd.errors import ConfigError
from syncd.rules.cells import Step
from syncd.rules.pieces import Piece
from syncd.rules.words import Event, Position, Reason, Verb
from syncd.statuses import ReturnType

Word = TypeVar("Word", bound=StrEnum)

ANY_CODE: Final = "*"
NEEDS: Final = ("open_putaway", "done_putaway", "held", "wished")
BEFORE_RETURN: Final = "before_return"
BEFORE_LOSS: Final = "before_loss"
_OPEN_PUTAWAY: Final = ("PENDING", "HELD")


class Option(Struct, frozen=True, kw_only=True):
    """One way to settle an exception. ``to`` is a position, a word for one, or empty: stays.

    ``codes`` may be ANY_CODE. ``also`` are the codes of the same piece that it answers too.
    ``alone``: refused while an exception of the same family is open. ``note``: one is needed.
    """

    name: str
    codes: frozenset[str]
    events: frozenset[Event]
    positions: frozenset[Position]
    needs: str
    to: str
    why: str
    steps: tuple[Step, ...]
    also: frozenset[str]
    alone: bool
    note: bool
    says: str

    @property
    def code(self) -> str:
        """The reason code of the decision record."""
        return f"settled_{self.name}"

    @property
    def dispatches(self) -> bool:
        """Whether the piece leaves by it, or is said to have left."""
        return any(step.verb is Verb.DISPATCH for step in self.steps)

    def target(self, piece: Piece) -> Position:
        """Where the piece stands afterwards."""
        if self.to == BEFORE_RETURN:
            return _before_return(piece)
        if self.to == BEFORE_LOSS:
            return _before_loss(piece)
        return Position(self.to) if self.to else piece.position

    def steps_for(self, piece: Piece) -> tuple[Step, ...]:
        """Its steps, and the invoice of a piece that had left unsold and is sold by it."""
        if piece.sold_by(self.target(piece)):
            return (*self.steps, Step(Verb.CREATE_INVOICE))
        return self.steps


class Question(Struct, frozen=True, kw_only=True):
    """An open exception as the options look at it.

    ``event`` is that of the fact which contradicts; ``piece`` and ``putaway``, the state of its
    newest one, are None and empty for an exception that is about no piece.
    """

    code: str
    event: Event | None = None
    piece: Piece | None = None
    putaway: str = ""


class Closing(Struct, frozen=True):
    """What closes exceptions of a piece: where it comes to, or why something was decided."""

    codes: frozenset[str]
    positions: frozenset[Position]
    reasons: frozenset[str]


def options_for(question: Question) -> list[Option]:
    """The ways in which this exception can be settled now, in the order of the file."""
    found: dict[str, Option] = {}
    for option in OPTIONS:
        if option.name not in found and _fits(option, question):
            found[option.name] = option
    return list(found.values())


def closes(reason: str, moved_to: Position | None) -> Iterable[str]:
    """The codes of a piece's exceptions that this decision or act answers."""
    for closing in CLOSINGS:
        if moved_to in closing.positions or reason in closing.reasons:
            yield from closing.codes


def _fits(option: Option, question: Question) -> bool:
    if ANY_CODE not in option.codes and question.code not in option.codes:
        return False
    if option.events and question.event not in option.events:
        return False
    piece = question.piece
    if option.positions and (piece is None or piece.position not in option.positions):
        return False
    return not option.needs or _has(option.needs, question)


def _has(need: str, question: Question) -> bool:
    hold = question.piece.hold if question.piece else ""
    if need == "held":
        return hold == Reason.CANCELLED_AFTER_MANIFEST
    if need == "wished":
        return hold == Reason.BUYER_CANCEL_REQUESTED
    pending = question.putaway in _OPEN_PUTAWAY
    return pending if need == "open_putaway" else question.putaway == "COMPLETED"


def _before_return(piece: Piece) -> Position:
    if piece.delivered_at is not None or piece.return_type == ReturnType.CIR:
        return Position.DELIVERED
    return Position(piece.return_from) if piece.return_from else Position.DISPATCHED


def _before_loss(piece: Piece) -> Position:
    if piece.return_type == ReturnType.CIR:
        return Position.CIR_CREATED
    return Position.RETURN_EXPECTED if piece.return_type else Position.DISPATCHED


class _Row(Struct, forbid_unknown_fields=True, kw_only=True):
    """A choice as written; lists of words are parted by spaces."""

    name: str
    of: str
    says: str
    on: str = ""
    at: str = ""
    needs: str = ""
    to: str = ""
    why: str = ""
    steps: str = ""
    also: str = msgspec.field(default="", name="with")
    alone: bool = False
    note: bool = False


class _Closing(Struct, forbid_unknown_fields=True, kw_only=True):
    of: str
    at: str = ""
    why: str = ""


class _Source(Struct, forbid_unknown_fields=True):
    choice: list[_Row]
    closing: list[_Closing]
    groups: dict[str, str] = {}
    codes: dict[str, str] = {}


def read(text: str, *, path: str = "settle.toml") -> tuple[tuple[Option, ...], tuple[Closing, ...]]:
    """The choices and closings in ``text``. Raises ConfigError with every problem found."""
    try:
        source = msgspec.convert(tomllib.loads(text), _Source)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"not a file of choices: {error}"], path=path) from error
    reader = _Reader(source)
    options = tuple(reader.option(row) for row in source.choice)
    closings = tuple(reader.closing(row) for row in source.closing)
    if reader.problems:
        raise ConfigError(reader.problems, path=path)
    return options, closings


class _Reader:
    """Turns rows into options; ``problems`` says what is wrong with them."""

    def __init__(self, source: _Source) -> None:
        self.problems: list[str] = []
        self._source = source
        self._where = ""

    def option(self, row: _Row) -> Option:
        """The option of a row."""
        self._where = f"choice {row.name} of {row.of}"
        if row.needs and row.needs not in NEEDS:
            self.problems.append(f"{self._where}: unknown need {row.needs!r}")
        if row.to not in ("", BEFORE_RETURN, BEFORE_LOSS):
            self._all(Position, "position", [row.to])
        return Option(
            name=row.name, codes=self._codes(row.of),
            events=frozenset(self._all(Event, "event", row.on.split())),
            positions=self._positions(row.at), needs=row.needs, to=row.to,
            why=row.why or f"settled_{row.name}", steps=tuple(self._steps(row.steps)),
            also=self._codes(row.also), alone=row.alone, note=row.note, says=row.says,
        )  # fmt: skip

    def closing(self, row: _Closing) -> Closing:
        """The closing of a row."""
        self._where = f"closing of {row.of}"
        return Closing(self._codes(row.of), self._positions(row.at), frozenset(row.why.split()))

    def _codes(self, text: str) -> frozenset[str]:
        words = _spread(text.split(), self._source.codes)
        if words == [ANY_CODE]:
            return frozenset(words)
        return frozenset(word.value for word in self._all(Reason, "code", words))

    def _positions(self, text: str) -> frozenset[Position]:
        words = _spread(text.split(), self._source.groups)
        return frozenset(self._all(Position, "position or group", words))

    def _steps(self, text: str) -> Iterator[Step]:
        for word in text.split():
            name, _, argument = word.partition(":")
            for verb in self._all(Verb, "step", [name]):
                yield Step(verb, argument)

    def _all(self, kind: type[Word], what: str, words: Sequence[str]) -> list[Word]:
        known = {member.value: member for member in kind}
        for word in words:
            if word not in known:
                self.problems.append(f"{self._where}: unknown {what} {word!r}")
        return [known[word] for word in words if word in known]


def _spread(words: Sequence[str], groups: Mapping[str, Any]) -> list[str]:
    """The words with each group's name replaced by its members."""
    return [one for word in words for one in str(groups.get(word, word)).split()]


OPTIONS, CLOSINGS = read((files("syncd.rules") / "settle.toml").read_text(encoding="utf-8"))
