"""Which small changes of the code do the tests notice: ``make mutants``.

mutmut makes the changes and learns which test reaches which function. Here each change is tried
in a fork of one pytest session that has collected everything once: first the tests that have
noticed other changes, then the quickest. mutmut itself collects anew for each change. What comes
out stands where mutmut keeps it, so that ``mutmut results`` and ``tools.survivors`` read it.

Before the first one all tests run in such a fork without a change: a test that fails by itself
would notice everything.

Run it in ``mutants/``. Without names it tries what has not been tried since its function changed;
``--survived`` tries again what has survived, after tests were written for it.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

SURVIVED: Final = 0  # these as mutmut numbers them
NOTICED: Final = 1
NO_TESTS: Final = 33
TIMEOUT: Final = 36
BROKEN: Final = 70  # the fork itself failed, which says nothing of the change
KEEN: Final = 60  # so many tests that have noticed much are tried first
SPARE: Final = 30  # seconds that a change may take beyond ten times what its tests take


def function_of(name: str) -> str:
    """The function that a change is of, as mutmut calls both."""
    return name.rpartition("__mutmut_")[0]


class Change:
    """One change: its name, the file that keeps its result, and the tests that reach it."""

    def __init__(self, name: str, meta: Path, tests: list[str], seconds: float) -> None:
        self.name = name
        self.function = function_of(name)
        self.meta = meta
        self.tests = tests
        self.seconds = seconds


class Results:
    """What mutmut knows of the changes, read once and written as it grows."""

    def __init__(self) -> None:
        stats = json.loads(Path("mutmut-stats.json").read_text())
        self._tests: dict[str, list[str]] = stats["tests_by_mangled_function_name"]
        self._took: dict[str, float] = stats["duration_by_test"]
        self.seconds = sum(self._took.values())
        self._metas = {path: json.loads(path.read_text()) for path in Path().rglob("*.py.meta")}
        self._unwritten: set[Path] = set()

    def changes(self, patterns: list[str], *, survived: bool) -> list[Change]:
        """Those to try, the cheapest first."""
        found = [
            self._change(name, path)
            for path, meta in self._metas.items()
            for name, code in meta["exit_code_by_key"].items()
            if (code in (SURVIVED, NO_TESTS) if survived else code is None or patterns)
            and any(fnmatch(name, pattern) for pattern in patterns or ["*"])
        ]
        return sorted(found, key=lambda change: (change.seconds, change.name))

    def _change(self, name: str, meta: Path) -> Change:
        tests = self._tests.get(function_of(name), [])
        tests = sorted(tests, key=lambda test: self._took.get(test, 0.0))
        return Change(name, meta, tests, sum(self._took.get(test, 0.0) for test in tests))

    def put(self, change: Change, code: int) -> None:
        self._metas[change.meta]["exit_code_by_key"][change.name] = code
        self._unwritten.add(change.meta)

    def write(self) -> None:
        for path in self._unwritten:
            path.write_text(json.dumps(self._metas[path], indent=4))
        self._unwritten.clear()


class Trial:
    """A pytest plugin that tries changes instead of running the tests that were collected."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._running: dict[int, Change] = {}
        self._counts: Counter[int] = Counter()
        self._noticed_by: dict[str, Counter[str]] = defaultdict(Counter)  # "": of any function
        self._results = Results()
        self._scratch = Path()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own loop."""
        with tempfile.TemporaryDirectory(prefix="syncd-mutants-") as folder:
            self._scratch = Path(folder)
            self._check(session)
            self._try_all(session)
        return True

    def _try_all(self, session: pytest.Session) -> None:
        items = {item.nodeid: item for item in session.items}
        changes = self._results.changes(self._asked.names, survived=self._asked.survived)
        began = time.monotonic()
        for number, change in enumerate(changes, 1):
            while len(self._running) >= self._asked.workers:
                self._wait()
            tests = [items[test] for test in self._in_order(change) if test in items]
            if not tests:
                self._counted(change, NO_TESTS)
                continue
            self._running[self._fork(session, change.name, tests, change.seconds)] = change
            if number % 100 == 0:
                self._results.write()
                print(f"{number} of {len(changes)}: {self._told()}", flush=True)
        while self._running:
            self._wait()
        self._results.write()
        print(f"{len(changes)} changes: {self._told()}, {time.monotonic() - began:.0f} s")

    def _check(self, session: pytest.Session) -> None:
        """Raise unless every test passes in a fork without a change."""
        pid = self._fork(session, "", session.items, self._results.seconds)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != SURVIVED:
            told = self._scratch / f"{pid}.txt"
            which = told.read_text() if told.exists() else "not even one could be run"
            raise pytest.UsageError(f"the tests fail without any change: {which}")

    def _fork(
        self, session: pytest.Session, name: str, tests: list[pytest.Item], seconds: float
    ) -> int:
        pid = os.fork()
        if pid == 0:
            self._try(session, name, tests, seconds)
        return pid

    def _in_order(self, change: Change) -> list[str]:
        """Its tests: those that noticed changes of the function, those that noticed the most
        others, the quickest."""
        own, others = self._noticed_by[change.function], self._noticed_by[""]
        first = [test for counts in (own, others) for test, _ in counts.most_common(KEEN)]
        reach = set(change.tests)
        return list(dict.fromkeys([test for test in first if test in reach] + change.tests))

    def _wait(self) -> None:
        pid, status = os.wait()
        change, told = self._running.pop(pid), self._scratch / f"{pid}.txt"
        code = os.waitstatus_to_exitcode(status)
        if code == BROKEN:
            raise RuntimeError(f"the fork for {change.name} failed by itself")
        self._counted(change, TIMEOUT if code < 0 else code)
        if told.exists():
            for whose in (change.function, ""):
                self._noticed_by[whose][told.read_text()] += 1
            told.unlink()
        shutil.rmtree(self._scratch / str(pid), ignore_errors=True)

    def _counted(self, change: Change, code: int) -> None:
        self._results.put(change, code)
        self._counts[code] += 1

    def _told(self) -> str:
        survived = self._counts[SURVIVED] + self._counts[NO_TESTS]
        return f"{self._counts.total() - survived} noticed, {survived} not"

    def _try(
        self, session: pytest.Session, name: str, tests: list[pytest.Item], seconds: float
    ) -> NoReturn:
        """In the fork: the tests with the change switched on, until one fails."""
        code = BROKEN
        try:
            signal.alarm(SPARE + int(10 * seconds))
            os.environ["MUTANT_UNDER_TEST"] = name
            config: Any = session.config
            config.pluginmanager.unregister(name="terminalreporter")
            folders = config._tmp_path_factory
            folders._given_basetemp, folders._basetemp = self._scratch / str(os.getpid()), None
            for item, after in zip(tests, [*tests[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                if session.testsfailed:
                    (self._scratch / f"{os.getpid()}.txt").write_text(item.nodeid)
                    code = NOTICED
                    break
            else:
                code = SURVIVED
        finally:
            os._exit(code)


def selection() -> Iterator[str]:
    """The tests that take part, as ``setup.cfg`` says."""
    config = configparser.ConfigParser()
    config.read("setup.cfg")
    yield from config["mutmut"]["pytest_add_cli_args"].split()
    yield from config["mutmut"]["pytest_add_cli_args_test_selection"].split()


def main() -> int:
    """The exit code of pytest: 0 where all changes were tried."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these, such as 'syncd.rules.*'")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--survived", action="store_true", help="what has survived, once more")
    asked = parser.parse_args()
    if not Path("mutmut-stats.json").exists():
        parser.error("there are no changes here; run: make mutants")
    return int(pytest.main(["-q", "--tb=no", *selection()], plugins=[Trial(asked)]))


if __name__ == "__main__":
    sys.exit(main())
