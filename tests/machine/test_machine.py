"""The machine with a fixed seed: up to three thousand steps, the same ones every time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.machine import BookMachine

EXAMPLES = 75
STEPS = 40


@pytest.mark.timeout(300)
def test_no_sequence_of_happenings_makes_a_book_untrue() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        BookMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            phases=[Phase.generate],  # for a shorter one: make soak with --seed and --shrink
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
