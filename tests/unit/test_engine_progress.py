"""The memory of what runs tell."""

from __future__ import annotations

import threading
import time

from syncd.engine.progress import MAX_EVENTS, MAX_RUNS, Progress


def test_events_are_numbered_within_their_run() -> None:
    progress = Progress()
    progress.emit(1, "started")
    progress.emit(2, "started", account="b")
    progress.emit(1, "ended", state="OK")
    assert list(progress.follow(1)) == [
        {"seq": 1, "run": 1, "event": "started"},
        {"seq": 2, "run": 1, "event": "ended", "state": "OK"},
    ]
    assert [e["account"] for e in progress.follow(2, timeout=0)] == ["b"]


def test_a_watcher_goes_on_where_it_was() -> None:
    progress = Progress()
    for number in range(5):
        progress.emit(1, "progress", pages=number)
    progress.emit(1, "ended")
    assert [e["seq"] for e in progress.follow(1, after=4)] == [5, 6]
    assert list(progress.follow(1, after=6)) == []


def test_a_watcher_waits_for_what_is_to_come() -> None:
    progress = Progress()
    seen: list[str] = []
    watcher = threading.Thread(
        target=lambda: seen.extend(e["event"] for e in progress.follow(1, timeout=10))
    )
    watcher.start()
    for event in ("started", "progress", "ended"):
        progress.emit(1, event)
        time.sleep(0.01)
    watcher.join(5)
    assert not watcher.is_alive()
    assert seen == ["started", "progress", "ended"]


def test_a_watcher_gives_up_after_its_time_and_at_the_end_of_the_program() -> None:
    progress = Progress()
    began = time.monotonic()
    assert list(progress.follow(7, timeout=0.05)) == []
    assert 0.04 < time.monotonic() - began < 3
    ended = threading.Event()

    def watch() -> None:
        list(progress.follow(7, timeout=60))
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    progress.close()
    assert ended.wait(5)


def test_memory_is_bounded_in_events_and_in_runs() -> None:
    progress = Progress()
    for number in range(MAX_EVENTS + 10):
        progress.emit(1, "progress", pages=number)
    kept = list(progress.follow(1, timeout=0))
    assert len(kept) == MAX_EVENTS
    assert (kept[0]["seq"], kept[-1]["seq"]) == (11, MAX_EVENTS + 10)
    for run in range(2, MAX_RUNS + 50):
        progress.emit(run, "ended")
    assert len(progress._rings) == MAX_RUNS
    assert list(progress.follow(1, timeout=0)), "the run that goes on is kept, ended ones are not"
    assert list(progress.follow(2, timeout=0)) == []
