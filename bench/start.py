"""Measure how soon syncctl is there: the best of some starts, beside Python with click alone.

    python -m bench.start [--starts 20] [--json]

The difference is what syncctl's own modules cost. On a busy machine look at the CPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Final

WAYS: Final = {
    "python": ["-c", "import click, json, socket"],
    "syncctl": ["-m", "syncd.cli.syncctl", "--version"],
}


def best_of(starts: int) -> dict[str, dict[str, float]]:
    """The quickest of so many runs of each, by turns, after one that fills Python's caches."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(starts + 1):
        for name, arguments in WAYS.items():
            worked, begun = _worked(), time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            spent[name].append((time.perf_counter() - begun, _worked() - worked))
    return {
        name: {"ms": _best(took for took, _ in some), "cpu_ms": _best(cpu for _, cpu in some)}
        for name, (_, *some) in spent.items()
    }


def _best(seconds: Iterable[float]) -> float:
    return round(min(seconds) * 1000, 1)


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Start both, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of text")
    arguments = parser.parse_args()
    best = best_of(arguments.starts)
    if arguments.json:
        print(json.dumps(best))
    else:
        for name, one in best.items():
            print(f"{name:8} {one['ms']:5.0f} ms, of them {one['cpu_ms']:.0f} ms of CPU")


if __name__ == "__main__":
    main()
