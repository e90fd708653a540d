"""Measure how soon syncctl is there: the best of some starts, beside Python with click alone.

    python -m bench.start [--starts 20] [--json]

Milliseconds. The difference is what syncctl's own modules cost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Final

WAYS: Final = {
    "python": ["-c", "import click, json, socket"],
    "syncctl": ["-m", "syncd.cli.syncctl", "--version"],
}


def best_of(starts: int) -> dict[str, float]:
    """The quickest of so many runs of each, by turns, after one that fills Python's caches."""
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(starts + 1):
        for name, arguments in WAYS.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            spent[name].append((time.perf_counter() - begun) * 1000)
    return {name: round(min(times[1:]), 1) for name, times in spent.items()}


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
        print(f"syncctl {best['syncctl']:.0f} ms, of which Python and click {best['python']:.0f}")


if __name__ == "__main__":
    main()
