"""The daemon's state for Prometheus. Labels are accounts and tasks, never orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Final

import syncd
from syncd.book.overdue_lookups import SHOWN
from syncd.book.views import AccountStatus, Status, TaskView
from syncd.engine import Engine

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], float]


def text(status: Status, engine: Engine) -> str:
    """All metrics, in the text form."""
    return "".join(_lines(status, engine))


def _lines(status: Status, engine: Engine) -> Iterator[str]:
    yield from _metric("syncd_info", "The version.", [({"version": syncd.__version__}, 1)])
    yield from _metric("syncd_healthy", "1 when nothing waits for a person.",
                       [({}, float(status.healthy))])  # fmt: skip
    yield from _metric("syncd_putaways", "Pieces to put on a shelf.", [({}, status.putaways)])
    yield from _metric("syncd_running", "Runs in hand.", [({}, len(engine.running()))])
    yield from _metric(
        "syncd_account_connected", "1 when the account runs.",
        [(_of(one), float(one.account.state == "CONNECTED")) for one in status.accounts],
    )  # fmt: skip
    yield from _metric(
        "syncd_brake_open", "1 when the safety brake holds the account's passes.",
        [(_of(one), float(one.brake is not None)) for one in status.accounts],
    )  # fmt: skip
    yield from _metric(
        "syncd_queued_runs", "Runs that wait.", [(_of(one), one.queued) for one in status.accounts]
    )
    yield from _metric(
        "syncd_open_facts", "Facts that are not settled, and exceptions.",
        [
            ({**_of(one), "state": state}, count)
            for one in status.accounts
            for state, count in asdict(one.facts).items()
        ],
    )  # fmt: skip
    yield from _metric(
        "syncd_overdue", "What has waited longer than its limit.",
        [
            ({**_of(one), "kind": wait.value}, one.overdue.get(wait.value, 0))
            for one in status.accounts
            for wait in SHOWN
        ],
    )  # fmt: skip
    yield from _metric(
        "syncd_disagreements", "Disagreements with the panel by the last audits.",
        [(_of(one), one.audit.open) for one in status.accounts if one.audit is not None],
    )  # fmt: skip
    tasks = [task for one in status.accounts for task in one.tasks]
    yield from _metric(
        "syncd_task_failures", "Failures of the task in a row.",
        [(_task(task), task.failures) for task in tasks],
    )  # fmt: skip
    yield from _metric(
        "syncd_task_last_success_seconds", "Unix time of the last success.",
        _times((task, task.last_success) for task in tasks),
    )  # fmt: skip
    yield from _metric(
        "syncd_task_lag_seconds", "How far the task is behind now.",
        [(_task(task), task.lag_seconds) for task in tasks if task.lag_seconds is not None],
    )  # fmt: skip


def _metric(name: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {told}\n# TYPE {name} gauge\n"
    for labels, value in samples:
        listed = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels.items())
        yield f"{name}{{{listed}}} {value:.17g}\n" if listed else f"{name} {value:.17g}\n"


def _times(pairs: Iterable[tuple[TaskView, datetime | None]]) -> list[Sample]:
    return [(_task(task), moment.timestamp()) for task, moment in pairs if moment is not None]


def _of(one: AccountStatus) -> dict[str, str]:
    return {"account": one.account.name, "channel": one.account.channel}


def _task(task: TaskView) -> dict[str, str]:
    return {"account": task.account, "task": task.kind}


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
