"""Write the page of what the tests did not notice, after ``make mutants``.

Each change that survived stands there with the reason why: one that somebody wrote into
``survivors.toml`` after looking at it, or else the one that its form shows. What neither explains
stands under the last heading: a test for it is worth writing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

MUTMUT: Final = str(Path(sys.executable).with_name("mutmut"))
_RESULT: Final = re.compile(r"\s+(syncd\.(\S+)__mutmut_\d+): (.+)")
_UNNOTICED: Final = ("survived", "no tests")
_SQL: Final = re.compile(
    r"\b(SELECT|FROM|WHERE|UPDATE|INSERT|DELETE|HAVING|VALUES|ORDER BY)\b", re.I
)
_MARKED: Final = re.compile(r"XX(.*?)XX")
_SENTENCE: Final = re.compile(r"[\"'][^\"']*[a-z}] [a-z{][^\"']*[\"']")

Test = Callable[[str, str], bool]
Change = tuple[str, str, str]  # where, the line before, the line after
Why = Mapping[str, Mapping[str, str]]


def _same_text(old: str, new: str) -> bool:
    return old != new and old.lower() == new.lower()


def _became(pattern: str, *results: str) -> Test:
    def test(old: str, new: str) -> bool:
        return any(re.sub(pattern, result, old) == new for result in results)

    return test


REASONS: Final[tuple[tuple[str, Test], ...]] = (
    (
        "SQL, which says the same in capitals and in small letters",
        lambda old, new: _same_text(old, new) and bool(_SQL.search(old)),
    ),
    (
        "The words of an error that cannot come about: what is checked before rules it out",
        lambda old, new: "AssertionError" in old,
    ),
    (
        "A guard that cannot fail: the two lists are made together",
        lambda old, new: "strict=True" in old,
    ),
    (
        "An argument at which the called function does not look",
        _became(r"\bstep\b", "None", ""),
    ),
    (
        "A moment in microseconds: 0 and 1 are both before all others",
        _became(r"\bor 0\b", "or 1"),
    ),
    (
        "Empty by another name: it is only asked whether there is anything",
        _became(r'(= ?)(False|None|"")(?=$|[,)])', r"\1None", r'\1""', r"\1False"),
    ),
    (
        "A default that every caller overrides",
        lambda old, new: old.startswith("def ") and _MARKED.sub(r"\1", new) == old,
    ),
    (
        "A text that is only read by people, and by no test",
        lambda old, new: (
            bool(_SENTENCE.search(old))
            and (_MARKED.sub(lambda m: m[1], new, count=1) == old or _same_text(old, new))
            and "XXXX" not in new
        ),
    ),
)
OPEN: Final = "Not the same: a test for it is worth writing"


class Result(NamedTuple):
    """What became of a change: mutmut's name of it, the function, and whether a test noticed."""

    name: str
    where: str
    noticed: bool


def results() -> list[Result]:
    """Of each change that was tried."""
    lines = _run("results", "--all", "true").splitlines()
    return [
        Result(match[1], _plain(match[2]), match[3] not in _UNNOTICED)
        for line in lines
        if (match := _RESULT.match(line)) and match[3] != "not checked"
    ]


def _plain(name: str) -> str:
    return name.replace("xǁ", "").replace("ǁ", ".").replace(".x_", ".")


def survivors(found: Iterable[Result]) -> list[Change]:
    """Each change that survived: where, the line before, the line after."""
    return [(one.where, *_change(_run("show", one.name))) for one in found if not one.noticed]


def _change(diff: str) -> tuple[str, str]:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    new = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return old, new


def reason_for(where: str, old: str, new: str, why: Why) -> str:
    """Why a change makes no difference, as far as somebody has looked or its form shows it.

    ``why``: function -> a part of the changed line -> the reason.
    """
    for part, reason in why.get(where, {}).items():
        if part in new:
            return reason
    return next((reason for reason, test in REASONS if test(old, new)), OPEN)


def table(found: Iterable[Result]) -> Iterator[str]:
    """How many of the changes of each module were noticed."""
    for floor in ("rules", "book"):
        tried, noticed = Counter[str](), Counter[str]()
        for one in found:
            package, module, *_ = one.where.split(".")
            if package == floor:
                tried[module] += 1
                noticed[module] += one.noticed
        yield f"| syncd/{floor} | changes | noticed | share |\n|---|---:|---:|---:|"
        for name in sorted(tried):
            yield _row(name, tried[name], noticed[name])
        yield _row("**all**", tried.total(), noticed.total()) + "\n"


def _row(name: str, tried: int, noticed: int) -> str:
    share = 100 * noticed / tried if tried else 100.0
    return f"| {name} | {tried} | {noticed} | {share:.1f} % |"


def page(found: Iterable[Change], why: Why) -> Iterator[str]:
    """The survivors by their reasons, line by line."""
    groups: dict[str, list[Change]] = defaultdict(list)
    for where, old, new in found:
        groups[reason_for(where, old, new, why)].append((where, old, new))
    for reason in sorted(groups, key=lambda reason: (reason == OPEN, -len(groups[reason]), reason)):
        yield f"## {reason}: {len(groups[reason])}\n"
        for where, old, new in groups[reason]:
            yield f"- `{where}`: `{_code(old)}` became `{_code(new)}`"
        yield ""


def _code(text: str) -> str:
    return text.replace("`", "'") or "(nothing)"


def _run(*words: str) -> str:
    return subprocess.run([MUTMUT, *words], capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Print the whole page."""
    why = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    found = results()
    print("# What the tests do not notice, change by change\n")
    print("Made by `make mutants`.\n")
    print("\n".join(table(found)))
    print("\n".join(page(survivors(found), why)).rstrip())


if __name__ == "__main__":
    main()
