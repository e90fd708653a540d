"""Write the page of what the tests did not notice, after ``make mutants``.

Each change that survived stands there with the reason why, as far as its form shows it. What no
form explains stands under the last heading: a test for it is worth writing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

MUTMUT: Final = str(Path(sys.executable).with_name("mutmut"))
_SURVIVED: Final = re.compile(r"\s+syncd\.(\S+)__mutmut_\d+: (survived|no tests)")
_SQL: Final = re.compile(
    r"\b(SELECT|FROM|WHERE|UPDATE|INSERT|DELETE|HAVING|VALUES|ORDER BY)\b", re.I
)
_MARKED: Final = re.compile(r"XX(.*?)XX")
_SENTENCE: Final = re.compile(r"[\"'][^\"']*[a-z}] [a-z{][^\"']*[\"']")

Test = Callable[[str, str], bool]


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


def survivors() -> list[tuple[str, str, str]]:
    """Each change that survived: where, the line before, the line after."""
    told = _run("results", "--all", "true")
    found = []
    for line in told.splitlines():
        if match := _SURVIVED.match(line):
            name = line.strip().rpartition(":")[0]
            old, new = _change(_run("show", name))
            found.append(
                (match[1].replace("xǁ", "").replace("ǁ", ".").replace(".x_", "."), old, new)
            )
    return found


def _change(diff: str) -> tuple[str, str]:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    new = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return old, new


def reason_for(old: str, new: str) -> str:
    """Why a change makes no difference, as far as its form shows it."""
    return next((reason for reason, test in REASONS if test(old, new)), OPEN)


def page(found: list[tuple[str, str, str]]) -> Iterator[str]:
    """The page, line by line."""
    groups: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for where, old, new in found:
        groups[reason_for(old, new)].append((where, old, new))
    yield "# What the tests do not notice, change by change\n"
    yield f"{len(found)} changes survived. Made by `python -m tools.survivors`.\n"
    for reason in (*(reason for reason, _ in REASONS), OPEN):
        if not groups[reason]:
            continue
        yield f"## {reason}: {len(groups[reason])}\n"
        for where, old, new in groups[reason]:
            yield f"- `{where}`: `{_code(old)}` became `{_code(new)}`"
        yield ""


def _code(text: str) -> str:
    return text.replace("`", "'") or "(nothing)"


def _run(*words: str) -> str:
    return subprocess.run([MUTMUT, *words], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print("\n".join(page(survivors())))
