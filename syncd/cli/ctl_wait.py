"""Wait for runs and show how they go on, without ever owning them: they run in the daemon."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from syncd.cli.ctl_client import Client, path_of
from syncd.cli.ctl_errors import Exit, Failure
from syncd.cli.ctl_output import counted, tell

QUIET_SECONDS: Final = 30.0  # the daemon gives a sign of life every five
TEXT_SECONDS: Final = 2.0
DETACH: Final = "The run goes on. Follow it: syncctl events {0}   Its result: syncctl run {0}"

EXIT_OF: Final[Mapping[str, Exit]] = {
    "OK": Exit.DONE,
    "PARTIAL": Exit.FAILED,
    "FAILED": Exit.FAILED,
    "GATED": Exit.REFUSED,
    "HELD": Exit.REFUSED,
    "STOPPED": Exit.TIMED_OUT,  # the daemon does it again when it starts
}


class View(Protocol):
    """Where progress is shown."""

    def show(self, event: Mapping[str, Any]) -> None:
        """One event of the run."""
        ...

    def close(self) -> None:
        """The run has ended, or we look away."""
        ...


class TextView:
    """A line now and then, for a log or a pipe."""

    def __init__(self, label: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._clock = clock
        self._begun = clock()
        self._next = self._begun + TEXT_SECONDS

    def show(self, event: Mapping[str, Any]) -> None:
        if event.get("foreseen"):
            tell(f"{self._label}: {event['foreseen']}")
        now = self._clock()
        if event["event"] == "progress" and now >= self._next:
            self._next = now + TEXT_SECONDS
            tell(f"{self._label}: {progress_text(event, now - self._begun)}")

    def close(self) -> None:
        """Nothing to clear away."""


class BarView:
    """A moving line on a terminal."""

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._begun = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._label = label
        self._task = self._bar.add_task(f"{label}: waiting", total=None)
        self._bar.start()

    def show(self, event: Mapping[str, Any]) -> None:
        if event.get("foreseen"):
            self._bar.console.print(f"{self._label}: {event['foreseen']}", markup=False)
        if event["event"] == "progress":
            text = progress_text(event, time.monotonic() - self._begun)
            self._bar.update(self._task, description=f"{self._label}: {text}")
        elif event["event"] == "started":
            self._bar.update(self._task, description=f"{self._label}: started")

    def close(self) -> None:
        self._bar.stop()


def progress_text(event: Mapping[str, Any], seconds: float) -> str:
    """``dispatched, 3 pages, 120 changes, 40/s``."""
    fetched = int(event.get("fetched", 0))
    pages = int(event.get("pages", 0))
    rate = f", {fetched / seconds:.0f}/s" if seconds > 0 and fetched else ""
    return f"{event.get('doing', '')}, {pages} pages, {fetched} changes{rate}"


def view_for(label: str) -> View:
    """A moving line where a person watches, else text."""
    return BarView(label) if sys.stderr.isatty() else TextView(label)


def await_runs(client: Client, runs: Sequence[Mapping[str, Any]], seconds: float | None) -> bool:
    """Follow these runs to their ends, at most ``seconds``; False when one goes on without us."""
    deadline = None if seconds is None else time.monotonic() + seconds
    return all(_await_run(client, run, deadline) for run in runs)


def _await_run(client: Client, run: Mapping[str, Any], deadline: float | None) -> bool:
    run_id = int(run["run_id"])
    view = view_for(f"run {run_id} ({run['account']})")
    try:
        end = follow(client, run_id, deadline, view.show)
    except KeyboardInterrupt:
        view.close()
        tell("Detached. " + DETACH.format(run_id))
        return False
    finally:
        view.close()
    if end is None:
        tell("Not ended in time. " + DETACH.format(run_id))
    return end is not None


def exit_of(run: Mapping[str, Any]) -> Exit:
    """The exit code that a run as the API shows it means."""
    if not run["ended_at"]:
        return Exit.TIMED_OUT
    code = EXIT_OF.get(str(run["state"]), Exit.FAILED)
    failed = any(run["counts"].get(name) for name in ("quarantined", "refused"))
    return max(code, Exit.FAILED) if failed else code


def follow(
    client: Client,
    run_id: int,
    deadline: float | None,
    show: Callable[[Mapping[str, Any]], None],
    *,
    after: int = 0,
) -> Mapping[str, Any] | None:
    """Show a run's events until its last one, which is returned; None when time is up first."""

    def left() -> float:
        if deadline is None:
            return QUIET_SECONDS
        return min(QUIET_SECONDS, deadline - time.monotonic())

    try:
        for event in client.lines(path_of("runs", run_id, "events"), left, after=after):
            show(event)
            if event["event"] == "ended":
                return dict(event)
            if deadline is not None and time.monotonic() >= deadline:
                return None
    except TimeoutError:
        if deadline is not None and time.monotonic() >= deadline:
            return None
        raise Failure(
            f"syncd has not said anything about run {run_id} for {QUIET_SECONDS:g} s.",
            "See what it does: journalctl -u syncd",
            Exit.NOT_RUNNING,
        ) from None
    raise Failure(
        f"syncd stopped while run {run_id} was not at its end.",
        f"What is missing is done when it starts again; then: syncctl run {run_id}",
        Exit.NOT_RUNNING,
    )


def end_text(run: Mapping[str, Any]) -> str:
    """A run's result in a line."""
    counts = counted(
        run["counts"],
        ("imported", "fetched", "new", "applied", "noop", "noted", "parked", "tombstoned", "held",
         "escalated", "refused", "skipped", "quarantined", "gated", "undecided"),
    )  # fmt: skip
    parts = [f"run {run['id']} of {run['account']}: {run['state']}", counts or "nothing new"]
    return ", ".join(parts) + (f". {run['message']}" if run["message"] else "")
