"""Soak: the machine with one random seed after another. ``make soak MINUTES=n``.

A failure is printed with its seed and the command that repeats it, and the soak goes on; the
exit code is 1 if there was any. ``--seed N`` runs one seed alone, ``--shrink`` makes it short.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from secrets import randbelow

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.machine import BookMachine

EXAMPLES = 10
STEPS = 60


def run(number: int, *, examples: int, steps: int, shrink: bool = False) -> None:
    """All examples of one seed. Raises what the machine raises."""

    class Seeded(BookMachine):
        """A class of its own, because the seed is kept on it."""

    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        seed(number)(Seeded),
        settings=settings(
            max_examples=examples, stateful_step_count=steps, phases=phases, deadline=None,
            database=None, suppress_health_check=list(HealthCheck), print_blob=False,
        ),
    )  # fmt: skip


def main() -> int:
    """The exit code: 1 if any seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.machine", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, help="run only this seed")
    parser.add_argument("--shrink", action="store_true", help="look for the shortest failure")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="histories of a seed")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of a history at most")
    asked = parser.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    end = time.monotonic() + 60 * asked.minutes
    seeds = failures = 0
    while seeds == 0 or (asked.seed is None and time.monotonic() < end):
        number = randbelow(2**32) if asked.seed is None else asked.seed
        seeds += 1
        try:
            run(number, examples=asked.examples, steps=asked.steps, shrink=asked.shrink)
        except Exception:
            failures += 1
            traceback.print_exc()
            print(
                f"\nseed {number} failed. Repeat it: {sys.executable} -m tests.machine --shrink "
                f"--seed {number} --examples {asked.examples} --steps {asked.steps}\n",
                flush=True,
            )
        print(f"{seeds} seeds of {asked.examples} histories, {failures} failed", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
